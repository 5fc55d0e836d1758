"""What a manager reads after a plan, and the same for programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich.markup import escape
from rich.table import Table

from dealwright.plan.kpis import GROUPS, SCHEDULED
from dealwright.plan.notices import notices
from dealwright.plan.result import Plan
from dealwright.report.headlines import sentences
from dealwright.report.plan_sections import channel_words
from dealwright.wording import NOT_KNOWN, write_number, write_share

_MARKS: Final = {"met": "[green]met[/green]", "missed": "[red]missed[/red]", "unknown": "no data"}
_MOST_DAYS: Final = 8  # representatives' days shown one by one
_LEFT: Final = ("mostly by", "target", "", "day", "account", "on channel", "for")


def plan_tables(plan: Plan, out: Path) -> Iterator[Table | str]:
    """Yield what to print: the plan in short, what to know, and tables from actions to key figures."""
    accounts = plan.accounts
    yield f"[bold]Plan for {accounts.height:,} accounts as of {plan.inputs.as_of:%Y-%m-%d %H:%M}[/bold]\n"
    channels, days = plan.tables["channels"], plan.tables["rep_days"]
    for sentence in sentences(
        plan.kpis.summary(), channels.to_dicts(), None, plan.tables["one_more"].to_dicts()
    ):
        yield escape(sentence)
    yield ""
    known = list(notices(plan))
    if known:
        yield "[bold]To know before acting on it[/bold]"
        yield _bullets(known)
        yield ""
    yield _actions(accounts)
    yield ""
    yield _segments(accounts)
    yield ""
    yield _channels(channels)
    yield ""
    if not days.is_empty():
        yield _days(days)
        yield ""
    for frame, table in ((plan.tables["limits"], _limits), (plan.tables["one_more"], _one_more)):
        if not frame.is_empty():
            yield table(frame)
            yield ""
    yield from _figures(plan)
    seconds = plan.seconds
    slow = sorted(seconds, key=lambda name: -seconds[name])[:3]
    yield f"{sum(seconds.values()):.1f} s, of which " + ", ".join(
        f"{name} {seconds[name]:.1f}" for name in slow
    )
    yield f"\nWritten to [bold]{escape(str(out))}[/bold]: begin with report.html"


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the same for programs."""
    rows = {record.stage: record.rows_out for record in plan.trace}
    return {
        "as_of": plan.inputs.as_of,
        "accounts": plan.accounts.height,
        "kpis": plan.kpis.summary(),
        "missed": [kpi.name for kpi in plan.kpis.missed],
        "actions": _by_action(plan.accounts).to_dicts(),
        "segments": _by_segment(plan.accounts).to_dicts(),
        "limits": plan.tables["limits"].to_dicts(),
        "one_more": plan.tables["one_more"].to_dicts(),
        "headcount": plan.tables["headcount"].to_dicts(),
        "stages": [
            {"stage": name, "rows": rows[name], "seconds": seconds} for name, seconds in plan.seconds.items()
        ],
        "notices": list(notices(plan)),
    }


def _bullets(texts: list[str]) -> Table:
    """Put texts under each other, their further lines below the first word."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    for text in texts:
        grid.add_row("•", escape(text))
    return grid


def _actions(accounts: pl.DataFrame) -> Table:
    table = _table("next best action", "accounts", "today", "expected €", "today €", "cost €", "mostly by")
    for row in _by_action(accounts).iter_rows(named=True):
        by = "–" if row["channel"] is None else channel_words(row["channel"])
        table.add_row(
            escape(row["action"].replace("_", " ")), f"{row['accounts']:,}", f"{row['scheduled']:,}",
            f"{row['expected_value_eur']:z,.0f}", f"{row['scheduled_value_eur']:z,.0f}",
            f"{row['cost_eur']:,.0f}", by,
        )  # fmt: skip
    return table


def _segments(accounts: pl.DataFrame) -> Table:
    table = _table("segment", "accounts", "churn", "value € each", "with an action")
    for row in _by_segment(accounts).iter_rows(named=True):
        table.add_row(
            escape(row["segment"] or NOT_KNOWN), f"{row['accounts']:,}", write_share(row["churn"]),
            write_number(row["value_eur"]), write_share(row["acted"]),
        )  # fmt: skip
    return table


def _channels(frame: pl.DataFrame) -> Table:
    """Show demand against capacity, and what one more contact would add."""
    table = _table("channel", "wanted", "capacity", "scheduled", "waiting", "one more: €")
    for row in frame.iter_rows(named=True):
        capacity = "no limit" if row["capacity"] is None else f"{row['capacity']:,}"
        worth = f"{row['price_eur']:,.2f}" if row["price_eur"] else "–"
        table.add_row(
            channel_words(row["channel"]), f"{row['demand']:,}", capacity, f"{row['scheduled']:,}",
            f"{row['backlog']:,}", worth,
        )  # fmt: skip
    return table


def _days(days: pl.DataFrame) -> Table:
    """Show the first days of the representatives, and the others together."""
    table = _table("representative", "day", "visits", "gain €", "km", "leaves", "back")
    for row in days.head(_MOST_DAYS).iter_rows(named=True):
        clocks = ["–" if row[name] is None else f"{row[name]:%H:%M}" for name in ("depart_at", "back_at")]
        table.add_row(
            escape(row["rep_id"]), f"{row['day']:%a %d %b}", f"{row['stops']:,}", f"{row['value_eur']:z,.0f}",
            f"{row['distance_km']:,.0f}", *clocks,
        )  # fmt: skip
    rest = days.slice(_MOST_DAYS)
    if rest.height:
        table.add_row(
            f"{rest.height:,} more days", "", f"{rest['stops'].sum():,}", f"{rest['value_eur'].sum():,.0f}",
            f"{rest['distance_km'].sum():,.0f}", "", "",
        )  # fmt: skip
    return table


def _limits(frame: pl.DataFrame) -> Table:
    """Show which limits keep accounts from their contact."""
    table = _table("limit that binds", "account", "on channel", "accounts", "would bring €")
    for row in frame.iter_rows(named=True):
        table.add_row(
            row["limit"] or NOT_KNOWN, row["state"], channel_words(row["channel"]), f"{row['accounts']:,}",
            f"{row['value_eur']:z,.0f}",
        )  # fmt: skip
    return table


def _one_more(frame: pl.DataFrame) -> Table:
    """Show what one more of each resource would bring."""
    table = _table("one more", "for", "contacts more", "gain €")
    for row in frame.iter_rows(named=True):
        table.add_row(
            row["resource"], escape(channel_words(row["whose"])), f"{row['contacts']:,}",
            f"{row['gain_eur']:z,.2f}",
        )  # fmt: skip
    return table


def _figures(plan: Plan) -> Iterator[Table | str]:
    """Show the key figures under their headings; one table, so that the columns stand under each other."""
    table = _table("key figure", "value", "target", "")
    for group in GROUPS:
        if shown := plan.kpis.in_group(group):
            table.add_row(f"[bold]{group}[/bold]")
        for kpi in shown:
            value = kpi.definition.write(kpi.value)
            table.add_row(f"  {kpi.definition.label}", value, kpi.write_target(), _MARKS.get(kpi.status, ""))
    yield table
    yield ""


def _by_action(accounts: pl.DataFrame) -> pl.DataFrame:
    return (
        accounts.group_by("action")
        .agg(
            pl.len().alias("accounts"), SCHEDULED.sum().alias("scheduled"),
            pl.col("expected_value_eur").sum(),
            pl.col("expected_value_eur").filter(SCHEDULED).sum().alias("scheduled_value_eur"),
            pl.col("cost_eur").sum(),
            pl.col("channel").drop_nulls().mode().sort().first().alias("channel"),
        )
        .sort("expected_value_eur", "action", descending=[True, False])
    )  # fmt: skip


def _by_segment(accounts: pl.DataFrame) -> pl.DataFrame:
    return (
        accounts.group_by("segment")
        .agg(
            pl.len().alias("accounts"), pl.col("churn_probability").mean().alias("churn"),
            pl.col("predicted_value_eur").mean().alias("value_eur"),
            (pl.col("action") != "nothing").mean().alias("acted"),
        )
        .sort("value_eur", "segment", descending=[True, False], nulls_last=True)
    )  # fmt: skip


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name in _LEFT else "right")
    return table
