"""What conditions, values and scores may read of an account.

Its own columns and what the earlier stages found.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import polars as pl

from dealwright.schemas import PREFERRED_CHANNEL, PlanInputs, consent_column

DAY_US: Final = 86_400_000_000
# roles that conditions and the score read as numbers
NUMERIC_ROLES: Final = (
    "digital_engagement", "support_tickets", "csat", "recent_issue", "lifetime_value", "abandoned_carts",
    "inbound_calls",
)  # fmt: skip
TEXT_ROLES: Final = ("tier", "industry", "product_interest")
# with a smaller chance of staying than this, what the account would be worth if kept cannot be told from its
# prediction
_LEAST_STAYING: Final = 0.1

SEGMENT_FACTS: Final = ("value_bucket", "potential_bucket", "segment", "wallet_eur", "potential_eur")
ANOMALY_FACTS: Final = ("anomaly_score", "is_anomaly")


def account_facts(inputs: PlanInputs, found: pl.DataFrame, contacts: pl.DataFrame) -> pl.DataFrame:
    """Join everything that is known of each account into one frame, in the order of the accounts.

    The stages' columns win over an account's column of the same name; a role's name stands for the column
    that plays it.

    Parameters
    ----------
    found : columns of the earlier stages, in the order of the accounts: ``churn_probability``,
        ``predicted_value_eur``, and of `SEGMENT_FACTS` and `ANOMALY_FACTS` those that are known.
    contacts : one row per touch that made contact: ``account_id``, ``days_ago``.
    """
    accounts = inputs.accounts
    frame = accounts.with_columns(role_columns(inputs))
    staying = (1.0 - pl.col("churn_probability")).clip(_LEAST_STAYING)
    frame = (
        frame.with_columns(found["churn_probability"], found["predicted_value_eur"])
        .with_columns(pl.col("churn_probability", "predicted_value_eur").cast(pl.Float64).fill_nan(None))
        .with_columns(value_if_kept_eur=pl.col("predicted_value_eur") / staying)
    )
    later = [name for name in (*SEGMENT_FACTS, *ANOMALY_FACTS) if name in found.columns]
    frame = frame.with_columns(found.select(later).get_columns())
    frame = _join(frame, _order_facts(inputs.scan("orders"), inputs.as_of), ("orders_365d", "spend_365d_eur"))
    recent = (pl.col("days_ago") < 30.0).sum().cast(pl.Int64)
    touched = contacts.group_by("account_id").agg(
        days_since_contact=pl.col("days_ago").min(), contacts_30d=recent
    )
    frame = _join(frame, touched, ("contacts_30d",))
    last_contact = inputs.schema.role("last_contact")
    if last_contact is not None:
        declared = days_before(pl.col(last_contact), inputs.as_of)
        # the later of the two wins; a date after the cut-off is quality's business
        frame = frame.with_columns(
            days_since_contact=pl.min_horizontal("days_since_contact", declared.clip(0.0))
        )
    return frame


def role_columns(inputs: PlanInputs) -> list[pl.Expr]:
    """Give each role's column under the role's own name."""
    kinds = {**dict.fromkeys(NUMERIC_ROLES, pl.Float64), **dict.fromkeys(TEXT_ROLES, pl.String)}
    return [
        pl.col(name).cast(kind).alias(role)
        for role, kind in kinds.items()
        if (name := inputs.schema.role(role)) is not None
    ]


def days_before(moment: pl.Expr, as_of: datetime) -> pl.Expr:
    """Days from a moment to the cut-off."""
    return (pl.lit(as_of) - moment).dt.total_microseconds() / DAY_US


def consents(inputs: PlanInputs, channel: str) -> pl.Series | None:
    """Return who consents to a channel (unknown is no), or None where nobody was asked."""
    if channel not in inputs.schema.consent:
        return None
    return inputs.accounts[consent_column(channel)].fill_null(value=False)


def preferred_channel(inputs: PlanInputs) -> pl.Series:
    """Return each account's preferred channel, null where not known."""
    if not inputs.schema.has_preferred_channel:
        return pl.Series(PREFERRED_CHANNEL, [None], dtype=pl.String).new_from_index(0, inputs.accounts.height)
    return inputs.accounts[PREFERRED_CHANNEL].cast(pl.String)


def _order_facts(orders: pl.LazyFrame | None, as_of: datetime) -> pl.DataFrame:
    if orders is None:
        empty = {"days_since_order": pl.Float64, "orders_365d": pl.Int64, "spend_365d_eur": pl.Float64}
        return pl.DataFrame(schema={"account_id": pl.String, **empty})
    year = pl.col("days_ago") < 365.0
    return (
        orders.select("account_id", "amount_eur", days_ago=days_before(pl.col("ordered_at"), as_of))
        .group_by("account_id")
        .agg(
            days_since_order=pl.col("days_ago").min(),
            orders_365d=year.sum().cast(pl.Int64),
            spend_365d_eur=pl.col("amount_eur").filter(year).sum(),
        )
        .collect()
    )


def _join(frame: pl.DataFrame, found: pl.DataFrame, zero: Iterable[str]) -> pl.DataFrame:
    names = [name for name in found.columns if name != "account_id"]
    kept = frame.drop([name for name in names if name in frame.columns])
    return kept.join(found, on="account_id", how="left", maintain_order="left").with_columns(
        pl.col(list(zero)).fill_null(0)
    )
