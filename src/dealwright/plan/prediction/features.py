"""What was known of each account at a cut-off: nothing later, whatever the frames hold.

Orders and touches are cut at the moment; of the accounts' own columns only those that
`AccountSchema.known_from` or a `history` snapshot vouches for describe an account at an earlier moment than
the run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from dealwright.plan.prediction.btyd import BuyTillYouDie
from dealwright.plan.prediction.ledger import DAY_US, Ledger, microseconds
from dealwright.plan.prediction.level import Season
from dealwright.plan.prediction.order_features import order_columns, rhythm_columns
from dealwright.schemas import ALWAYS, NOTHING, PREFERRED_CHANNEL, AccountSchema, PlanInputs
from dealwright.stats.arrays import Bools

_TOUCH_WINDOWS_DAYS = (30, 90, 180)


@dataclass(frozen=True)
class Snapshot:
    """Features of all accounts at a cut-off."""

    cut_off: datetime
    features: pl.DataFrame  # one row per account, in the order of the accounts; numbers and text
    # which accounts existed: an order, a touch or a history row by then (all of them at the run's cut-off)
    known: Bools
    # columns that hold something known only later, so that they describe nobody at this cut-off
    refused: tuple[str, ...]
    # the buy-till-you-die model fitted on what was known, `None` with a reason in `notes` where it cannot be
    rhythm: BuyTillYouDie | None
    notes: tuple[str, ...]


def snapshot(
    inputs: PlanInputs,
    ledger: Ledger | None,
    cut_off: datetime,
    horizon_days: int,
    rng: np.random.Generator,
) -> Snapshot:
    """Describe every account as of `cut_off`, which is not after the run's own."""
    n = inputs.accounts.height
    notes: list[str] = []
    own, refused, seen = _own_columns(inputs, cut_off)
    parts = [own]
    known = np.full(n, fill_value=True) if cut_off >= inputs.as_of else seen
    rhythm = None
    if ledger is not None:
        book = ledger.by_day(cut_off)
        season = Season.of(ledger, cut_off)
        expected, rhythm, obstacle = rhythm_columns(book, horizon_days, season, rng)
        parts += [order_columns(book, horizon_days), expected]
        known = known.copy()
        known[book.rows] = True
        if obstacle is not None:
            notes.append(obstacle)
    touches = inputs.scan("touches")
    if touches is not None:
        touched = _touch_columns(touches.collect(), inputs.accounts["account_id"], cut_off)
        parts.append(touched)
        known = known | (touched["touches.count"] > 0).to_numpy()
    features = pl.concat(parts, how="horizontal") if len(parts) > 1 else own
    return Snapshot(cut_off, features, known, refused, rhythm, tuple(notes))


def known_columns(schema: AccountSchema, cut_off: datetime, as_of: datetime) -> Mapping[str, str | None]:
    """Return the feature columns whose present content may describe accounts at `cut_off`.

    The value is ``None``, or the date column that holds, row by row, from when the content was known.
    """
    usable: dict[str, str | None] = {}
    candidates = (*schema.features, *((PREFERRED_CHANNEL,) if schema.has_preferred_channel else ()))
    for name in candidates:
        since = schema.known_from.get(name)
        if cut_off >= as_of or since == ALWAYS or (isinstance(since, datetime) and since <= cut_off):
            usable[name] = None
        elif isinstance(since, str):
            usable[name] = since
    return usable


def _own_columns(inputs: PlanInputs, cut_off: datetime) -> tuple[pl.DataFrame, tuple[str, ...], Bools]:
    """Return the accounts' own features, the columns refused, and who has a history row."""
    schema, accounts = inputs.schema, inputs.accounts
    usable = known_columns(schema, cut_off, inputs.as_of)
    past = _past(inputs, cut_off)
    seen = past["__seen"].to_numpy() if past is not None else np.zeros(accounts.height, dtype=bool)
    columns: list[pl.Series] = []
    refused: list[str] = []
    names = (*schema.features, *((PREFERRED_CHANNEL,) if schema.has_preferred_channel else ()))
    for name in names:
        if name in usable:
            column, since = accounts[name], usable[name]
            if since is not None:
                early = (accounts[since] <= cut_off).fill_null(value=False)
                column = accounts.select(pl.when(early).then(pl.col(name)).alias(name)).to_series()
        elif past is not None and name in past.columns:
            column = past[name]
        else:
            refused.append(name)
            continue
        if name in schema.dates_ahead:
            column = _days_ahead(column, cut_off)
        elif name in schema.dates:
            column = _days_before(column, cut_off)
        columns.append(column)
    frame = pl.DataFrame(columns) if columns else pl.DataFrame(height=accounts.height)
    return frame, tuple(refused), seen


def _past(inputs: PlanInputs, cut_off: datetime) -> pl.DataFrame | None:
    """Return each account's latest history row not after the cut-off, in the order of the accounts."""
    history = None if cut_off >= inputs.as_of else inputs.history
    if history is None:
        return None
    latest = (
        history.filter(pl.col("snapshot_at") <= cut_off)
        .sort("snapshot_at")
        .unique("account_id", keep="last")
        .with_columns(pl.lit(value=True).alias("__seen"))
    )
    return (
        inputs.accounts.select("account_id")
        .join(latest, on="account_id", how="left", maintain_order="left")
        .with_columns(pl.col("__seen").fill_null(value=False))
    )


def _days_ahead(column: pl.Series, cut_off: datetime) -> pl.Series:
    """Turn moments that may lie ahead, such as the end of a contract, into days after the cut-off."""
    days = (column.cast(pl.Datetime("us")).to_physical() - microseconds(cut_off)) / DAY_US
    return days.alias(f"days_until_{column.name}")


def _days_before(column: pl.Series, cut_off: datetime) -> pl.Series:
    """Turn moments into days before the cut-off; a moment after it was not known, so it is missing."""
    days = (microseconds(cut_off) - column.cast(pl.Datetime("us")).to_physical()) / DAY_US
    return pl.select(pl.when(days >= 0).then(days).alias(f"days_since_{column.name}")).to_series()


def _touch_columns(touches: pl.DataFrame, account_ids: pl.Series, cut_off: datetime) -> pl.DataFrame:
    """Return how often and how recently each account was contacted, and how it responded."""
    age = (microseconds(cut_off) - pl.col("touched_at").to_physical()) / DAY_US
    contacts = touches.filter(pl.col("touched_at") <= cut_off, pl.col("action") != NOTHING)
    response = pl.col("response").cast(pl.Float64)
    rate = contacts.select(response.mean()).item()
    overall = float(rate) if rate is not None else 0.0
    grouped = (
        contacts.with_columns(age.alias("__age"))
        .group_by("account_id")
        .agg(
            pl.len().alias("touches.count"),
            pl.col("__age").min().alias("touches.days_since_last"),
            *((pl.col("__age") < days).sum().alias(f"touches.count_{days}d") for days in _TOUCH_WINDOWS_DAYS),
            ((response.sum() + 2.0 * overall) / (response.count() + 2.0)).alias("touches.response_share"),
        )
    )
    return (
        account_ids.to_frame("account_id")
        .join(grouped, on="account_id", how="left", maintain_order="left")
        .drop("account_id")
        .with_columns(pl.col(r"^touches\.count.*$").fill_null(0))
    )
