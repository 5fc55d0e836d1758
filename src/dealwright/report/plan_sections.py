"""What the report shows of segments, actions, channels, territories and the contact centre."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from dealwright.plan.kpis import SCHEDULED

CHANNEL_WORDS: Final[Mapping[str, str]] = {
    "field": "visit", "outbound_cc": "call", "inbound_cc": "when they call",
    "ecom_assisted": "online, assisted", "ecom_self": "online, self-service",
}  # fmt: skip
_DRIVERS: Final = ("segment", "churn", "recency", "potential", "digital_engagement", "support_friction")
_MOST_BARS: Final = 60


def channel_words(name: str | None) -> str:
    """Return how people call a channel; a dash for none."""
    if name is None:
        return "–"
    return CHANNEL_WORDS.get(name, name.replace("_", " "))


def segment_rows(accounts: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one row per segment, the one that brings most first."""
    return (
        accounts.group_by("segment")
        .agg(
            accounts=pl.len(),
            churn=pl.col("churn_probability").mean(),
            value_eur=pl.col("predicted_value_eur").mean(),
            gain_eur=pl.col("expected_value_eur").sum(),
            acted=(pl.col("action") != "nothing").mean(),
        )
        .sort("gain_eur", "segment", descending=[True, False], nulls_last=True)
        .to_dicts()
    )


def action_rows(accounts: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one row per action, the one that brings most first."""
    return (
        accounts.group_by("action")
        .agg(
            accounts=pl.len(),
            placed=SCHEDULED.sum(),
            gain_eur=pl.col("expected_value_eur").sum(),
            today_eur=pl.col("expected_value_eur").filter(SCHEDULED).sum(),
            cost_eur=pl.col("cost_eur").sum(),
        )
        .sort("gain_eur", "action", descending=[True, False], nulls_last=True)
        .to_dicts()
    )


def odd_rows(accounts: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the oddest accounts, and why."""
    return (
        accounts.filter(pl.col("is_anomaly"))
        .sort("anomaly_score", "account_id", descending=[True, False])
        .head(15)
        .select("account_id", "anomaly_score", why=pl.col("anomaly_reasons").list.join("; "))
        .to_dicts()
    )


def driver_bars(accounts: pl.DataFrame) -> list[dict[str, Any]]:
    """Return how much each part of the score moves the accounts' order: its mean absolute contribution."""
    names = [name for name in _DRIVERS if f"nba_{name}" in accounts.columns]
    if not names or accounts.is_empty():
        return []
    sizes = accounts.select(pl.col(f"nba_{name}").abs().mean() for name in names).row(0)
    order = sorted(zip(names, sizes, strict=True), key=lambda pair: -(pair[1] or 0.0))
    return bars([name.replace("_", " ") for name, _ in order], [size or 0.0 for _, size in order])


def bars(labels: Sequence[str], values: Sequence[float]) -> list[dict[str, Any]]:
    """Return label, value and the share of the longest bar."""
    longest = max((abs(value) for value in values), default=0.0) or 1.0
    return [
        {"label": label, "value": value, "share": abs(value) / longest}
        for label, value in zip(labels, values, strict=True)
    ]


def operations(tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Return what is shown of channels, territories and the contact centre."""

    def rows(name: str, most: int | None = None) -> list[dict[str, Any]]:
        return tables[name].head(most or tables[name].height).to_dicts()

    territories = tables["territories"].drop("outline")
    balance = []
    if 1 < territories.height <= _MOST_BARS:
        known = territories.select("territory", pl.col("deviation_pct").fill_null(0.0).fill_nan(0.0))
        balance = bars(known["territory"].to_list(), known["deviation_pct"].to_list())
    backlog = tables["backlog"]
    late = not backlog.filter(pl.col("backlog") > 0).is_empty()
    return {
        "channels": rows("channels"),
        "channel_bars": list(_channel_bars(rows("channels"))),
        "waiting": rows("waitlist", 10),
        "limits": rows("limits"),
        "one_more": rows("one_more"),
        "headcount": rows("headcount"),
        "backlog": rows("backlog", 60) if late else [],
        "backlog_days": backlog["day"].n_unique(),
        "territories": territories.head(200).to_dicts(),
        "balance": balance,
        "curve": rows("territory_curve"),
        "shifts": tables["shifts"].height,
        "calls": tables["calls"].height,
        "unplaced": tables["calls_unplaced"].height,
    }


def _channel_bars(channels: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what each channel's bar shows, in per cent of the longest."""
    longest = max(
        (value for row in channels for value in (row["demand"], row["capacity"], row["scheduled"]) if value),
        default=1,
    )
    for row in channels:
        yield {
            "label": channel_words(row["channel"]),
            "wanted": round(100 * row["demand"] / longest, 2),
            "scheduled": round(100 * row["scheduled"] / longest, 2),
            "capacity": None if row["capacity"] is None else round(100 * row["capacity"] / longest, 2),
            "words": f"{row['scheduled']:,} of {row['demand']:,}",
        }
