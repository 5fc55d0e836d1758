"""What is known for a brief: one row per visit or call of the day, every field under one fixed name."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from dealwright.schemas import ACCOUNT_ID, BRIEF_TASK_COLUMNS, TIMESTAMP, PlanInputs, conform, consent_column

_ROLES: Final = (
    "name", "tier", "industry", "digital_engagement", "support_tickets", "csat", "recent_issue",
    "last_contact", "product_interest", "lifetime_value", "abandoned_carts", "inbound_calls",
    "address", "contact", "phone",
)  # fmt: skip
_DECIDED: Final[dict[str, Any]] = {
    "action": pl.String, "segment": pl.String, "churn_probability": pl.Float64,
    "predicted_value_eur": pl.Float64, "expected_value_eur": pl.Float64, "response_probability": pl.Float64,
    "untouched_probability": pl.Float64, "response_value_eur": pl.Float64, "cost_eur": pl.Float64,
    "effect_source": pl.String, "runner_up": pl.String, "runner_up_value_eur": pl.Float64,
    "explore": pl.Boolean, "urgent": pl.Boolean, "consent_known": pl.Boolean, "is_anomaly": pl.Boolean,
    "contact_from": TIMESTAMP, "potential_eur": pl.Float64,
}  # fmt: skip
_LISTS: Final = {"churn_drivers": "churn_reasons", "anomaly_why": "anomaly_reasons"}
REASONS: Final = (*_LISTS.values(), "effect_source")  # columns in which a stage says why
_YEAR_DAYS: Final = 365


def collect_tasks(visits: pl.DataFrame | None, calls: pl.DataFrame | None) -> pl.DataFrame:
    """Put visits and calls into one table of `BRIEF_TASK_COLUMNS`, by representative and time."""
    made = None if visits is None else visits.with_columns(channel=pl.lit("field"), end_at="leave_at")
    return pl.concat(conform(frame, BRIEF_TASK_COLUMNS) for frame in (made, calls)).sort(
        "rep_id", "start_at", "account_id", nulls_last=True
    )


def gather_facts(tasks: pl.DataFrame, inputs: PlanInputs, accounts: pl.DataFrame) -> pl.DataFrame:
    """Join to each task what the inputs and the earlier stages know; what nobody knows is null.

    Parameters
    ----------
    tasks
        From `collect_tasks`.
    accounts
        The results of the earlier stages side by side.
    """
    decided = conform(accounts, {"account_id": pl.String, **_DECIDED})
    lists = accounts.select(
        ACCOUNT_ID,
        *(
            pl.col(column).list.head(3).list.join("; ").replace("", None).alias(name)
            for name, column in _LISTS.items()
            if column in accounts.columns
        ),
    )
    roles = {role: inputs.schema.role(role) for role in _ROLES}
    own = inputs.accounts.select(
        ACCOUNT_ID,
        *(
            (pl.col(column) if column in inputs.accounts.columns else pl.lit(None)).alias(role)
            for role, column in roles.items()
        ),
        *(
            pl.col(consent_column(channel)).alias(f"_consent_{channel}")
            for channel in inputs.schema.consent
            if consent_column(channel) in inputs.accounts.columns
        ),
    )
    joined = tasks
    for frame in (decided, lists, own, _orders(inputs, tasks), _touches(inputs, tasks), _names(inputs)):
        key = "rep_id" if "account_id" not in frame.columns else ACCOUNT_ID
        joined = joined.join(frame, on=key, how="left", maintain_order="left")
    given = [name for name in joined.columns if name.startswith("_consent_")]
    consent = pl.coalesce(
        *(pl.when(pl.col("channel") == name.removeprefix("_consent_")).then(pl.col(name)) for name in given),
        pl.lit(None, pl.Boolean),
    )
    missing = [name for name in _LISTS if name not in joined.columns]
    return joined.with_columns(
        consent=consent,
        duration_min=(pl.col("end_at") - pl.col("start_at")).dt.total_minutes(),
        days_since_contact=_days_until_task("last_contact", inputs),
        days_since_order=_days_until_task("last_order_at", inputs),
        as_of=pl.lit(inputs.as_of),
        **{name: pl.lit(None, pl.String) for name in missing},
    ).drop(given)


def _days_until_task(moment: str, inputs: PlanInputs) -> pl.Expr:
    """Return calendar days from a moment to the day of the visit or call, on which the brief is read."""
    day = pl.col("start_at").fill_null(pl.lit(inputs.as_of)).dt.date()
    return (day - pl.col(moment).cast(TIMESTAMP).dt.date()).dt.total_days()


def _orders(inputs: PlanInputs, tasks: pl.DataFrame) -> pl.DataFrame:
    """Sum up the orders of each account to be met over the last year; without orders all is null."""
    names: dict[str, Any] = {
        "last_order_at": TIMESTAMP, "orders_year": pl.UInt32, "spend_year_eur": pl.Float64,
        "mean_order_eur": pl.Float64,
    }  # fmt: skip
    orders = inputs.scan("orders")
    if orders is None:
        return pl.DataFrame(schema={"account_id": pl.String, **names})
    now = pl.lit(inputs.as_of)
    recent = pl.col("ordered_at") > now - pl.duration(days=_YEAR_DAYS)
    amount = pl.col("amount_eur").filter(recent)
    return (
        _of(orders, tasks)
        .group_by("account_id")
        .agg(
            last_order_at=pl.col("ordered_at").max(),
            orders_year=recent.sum(),
            spend_year_eur=amount.sum(),
            mean_order_eur=amount.mean(),
        )
    )


def _touches(inputs: PlanInputs, tasks: pl.DataFrame) -> pl.DataFrame:
    """Return the last contact of each account to be met: when, how, about what, whether it was answered."""
    names: dict[str, Any] = {"last_touch_at": TIMESTAMP, "last_touch_channel": pl.String,
             "last_touch_action": pl.String, "last_touch_response": pl.Boolean}  # fmt: skip
    touches = inputs.scan("touches")
    if touches is None:
        return pl.DataFrame(schema={"account_id": pl.String, **names})
    made = _of(touches, tasks).filter(pl.col("channel").is_not_null())
    last = made.sort("touched_at", maintain_order=True).group_by("account_id").last()
    return last.select(
        "account_id",
        last_touch_at="touched_at", last_touch_channel="channel", last_touch_action="action",
        last_touch_response="response",
    )  # fmt: skip


def _of(log: pl.LazyFrame, tasks: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a log that are about the accounts to be met, in their order."""
    met = tasks.lazy().select("account_id").unique()
    return log.join(met, on="account_id", how="semi", maintain_order="left").collect()


def _names(inputs: PlanInputs) -> pl.DataFrame:
    """Return the names of the representatives, where they are known."""
    if inputs.reps is None or "rep_name" not in inputs.reps.columns:
        return pl.DataFrame(schema={"rep_id": pl.String, "rep_name": pl.String})
    return inputs.reps.select("rep_id", "rep_name").unique("rep_id", keep="first", maintain_order=True)
