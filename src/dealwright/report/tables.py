"""The tables behind the report: each figure once, so that a headline is the sum of the rows it leads to."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import polars as pl

from dealwright.plan.kpis import SCHEDULED, WAITING

Rows = list[dict[str, Any]]


def add_up(rows: Rows, columns: Sequence[str]) -> dict[str, float | None]:
    """Round amounts to whole units so that the rows shown add up to the total shown, and return the totals.

    The total is the rounded sum. Rows are rounded down, and those with the largest remainders up, until they
    reach it (largest remainders, Hamilton 1792), so that no row is shown a whole unit away from its value.
    What is not known stays out; where nothing is known, the total is not known.
    """
    totals: dict[str, float | None] = {}
    for name in columns:
        for row in rows:
            if row[name] is not None and not math.isfinite(row[name]):
                row[name] = None
        known = [row for row in rows if row[name] is not None]
        if not known:
            totals[name] = None if rows else 0.0
            continue
        total = round(math.fsum(row[name] for row in known))
        missing = total - sum(math.floor(row[name]) for row in known)
        up = sorted(known, key=lambda row: row[name] - math.floor(row[name]), reverse=True)[:missing]
        lifted = {id(row) for row in up}
        for row in known:
            row[name] = float(math.floor(row[name]) + (id(row) in lifted))
        totals[name] = float(total)
    return totals


def by_action(accounts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per action, the one that brings most first: how many, how many today, and in money."""
    gain = pl.col("expected_value_eur")
    return (
        accounts.group_by("action")
        .agg(
            accounts=pl.len(), scheduled=SCHEDULED.sum(), waiting=WAITING.sum(), gain_eur=gain.sum(),
            scheduled_eur=gain.filter(SCHEDULED).sum(), waiting_eur=gain.filter(WAITING).sum(),
            cost_eur=pl.col("cost_eur").filter(SCHEDULED).sum(),
            channel=pl.col("channel").drop_nulls().mode().sort().first(),
        )
        .sort("gain_eur", "action", descending=[True, False], nulls_last=True)
    )  # fmt: skip


def rostered(shifts: pl.DataFrame, calls: pl.DataFrame, named: Collection[str]) -> Rows:
    """Return who works when, in the order of their beginning, with their calls.

    Parameters
    ----------
    shifts, calls
        `SHIFT_COLUMNS` and `CALL_COLUMNS`.
    named
        Ids of people. Other ids are places that a plan without a table of staff numbers: those with the same
        shift, breaks and channels are one row.

    Returns
    -------
    Rows of `shifts` with ``calls`` and ``places``: id and calls of each, empty for a person.
    """
    # a call after midnight belongs to the shift that began before
    own = (
        calls.join(shifts.select("rep_id", "day", begin="start_at", end="end_at"), on="rep_id")
        .filter(pl.col("start_at").is_between("begin", "end", closed="left"))
        .group_by("rep_id", "day")
        .agg(calls=pl.len())
    )
    alike = ("day", "start_at", "end_at", "lunch_start_at", "lunch_end_at", "breaks", "channels")
    found: dict[Any, dict[str, Any]] = {}
    listed = shifts.join(own, on=["rep_id", "day"], how="left", maintain_order="left")
    for row in listed.sort("day", "start_at", "rep_id").to_dicts():
        number, calls_made = row["rep_id"], row["calls"] or 0
        if number in named:
            found[number, row["day"], row["start_at"]] = {**row, "calls": calls_made, "places": []}
            continue
        place = {"rep_id": number, "calls": calls_made}
        same = found.setdefault(repr([row[name] for name in alike]), {**row, "calls": 0, "places": []})
        same["calls"] += calls_made
        same["places"].append(place)
    return list(found.values())


def by_segment(accounts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per segment, the one that brings most first."""
    gain = pl.col("expected_value_eur")
    return (
        accounts.group_by("segment")
        .agg(
            accounts=pl.len(), churn=pl.col("churn_probability").mean(),
            value_eur=pl.col("predicted_value_eur").mean(), spend_eur=_known_sum("predicted_value_eur"),
            acted=(pl.col("action") != "nothing").sum(), gain_eur=gain.sum(),
            scheduled_eur=gain.filter(SCHEDULED).sum(),
        )
        .sort("gain_eur", "segment", descending=[True, False], nulls_last=True)
    )  # fmt: skip


def by_channel(accounts: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """Return the channels with what their contacts bring today, and what waits for them."""
    if channels.is_empty():
        return channels
    gain, place = pl.col("expected_value_eur"), pl.coalesce("channel", "waiting_for")
    if "waiting_for" not in accounts.columns:
        place = pl.col("channel")
    money = (
        accounts.with_columns(place.alias("channel"), waits=WAITING)
        .group_by("channel")
        .agg(
            scheduled_eur=gain.filter(~pl.col("waits")).sum(),
            waiting_eur=gain.filter("waits").sum(),
        )
    )
    return channels.join(money, on="channel", how="left", maintain_order="left").with_columns(
        pl.col("scheduled_eur", "waiting_eur").fill_null(0.0)
    )


def unusual(accounts: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the most unusual accounts, and why."""
    return (
        accounts.filter("is_anomaly")
        .sort("anomaly_score", "account_id", descending=[True, False])
        .head(most)
        .select("account_id", names_of(accounts), "anomaly_score", why="anomaly_reasons")
    )


def names_of(accounts: pl.DataFrame) -> pl.Expr:
    """Return the column of names; null where a run has none."""
    known = "account_name" in accounts.columns
    return (pl.col("account_name") if known else pl.lit(None, pl.String)).alias("account_name")


def drivers(accounts: pl.DataFrame) -> Rows:
    """Return how much each part of the score moves the order: its mean absolute contribution."""
    names = [name for name in _DRIVERS if f"nba_{name}" in accounts.columns]
    if not names or accounts.is_empty():
        return []
    sizes = accounts.select(pl.col(f"nba_{name}").abs().mean() for name in names).row(0)
    found = sorted(zip(names, sizes, strict=True), key=lambda pair: -(pair[1] or 0.0))
    longest = max((size or 0.0 for _, size in found), default=0.0) or 1.0
    return [{"name": name, "size": size or 0.0, "share": (size or 0.0) / longest} for name, size in found]


def count_changes(changes: pl.DataFrame) -> dict[str, int]:
    """Return how many accounts changed in each way."""
    return dict(changes.group_by("what").agg(pl.len()).iter_rows())


def trend_of(trend: Sequence[Mapping[str, Any]], name: str) -> list[float | None]:
    """Return a key figure over the last runs."""
    return [run["kpis"].get(name) for run in trend]


_DRIVERS: Final = ("segment", "churn", "recency", "potential", "digital_engagement", "support_friction")


def _known_sum(name: str) -> pl.Expr:
    """Add a column up; what nobody knows of any row has no sum."""
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum())
