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
from dealwright.report.format import Format, format_of
from dealwright.report.headlines import sentences, whose_words
from dealwright.report.key_figures import group_words, write_figure
from dealwright.report.people import people_of, people_table, person
from dealwright.report.reasons import Reasons
from dealwright.report.tables import add_up, by_action, by_segment

_MARKS: Final = {"met": "green", "missed": "red"}
_MOST_DAYS: Final = 8  # representatives' days shown one by one


def plan_tables(plan: Plan, out: Path) -> Iterator[Table | str]:
    """Yield what to print: the plan in short, what to know, and tables from actions to key figures."""
    told = plan.params.report
    shown = _Summary(plan, format_of(told.locale, told.currency))
    yield from shown.head()
    yield from shown.tables()
    seconds = plan.seconds
    slow = sorted(seconds, key=lambda name: -seconds[name])[:3]
    yield f"{sum(seconds.values()):.1f} s, of which " + ", ".join(
        f"{name} {seconds[name]:.1f}" for name in slow
    )
    yield "\n" + escape(shown.form.text("Written to %(folder)s: begin with report.html", folder=str(out)))


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


class _Summary:
    """The printed summary of a plan, in one format."""

    def __init__(self, plan: Plan, form: Format) -> None:
        self.plan, self.form = plan, form
        self.people = people_of(people_table(plan.inputs.reps, plan.tables["shifts"]))

    def head(self) -> Iterator[Table | str]:
        """Yield the plan in short, and what to know before acting on it."""
        plan, form = self.plan, self.form
        title = form.text(
            "Plan for %(count)s accounts as of %(moment)s",
            count=form.number(plan.accounts.height), moment=form.moment(plan.inputs.as_of),
        )  # fmt: skip
        yield f"[bold]{escape(title)}[/bold]\n"
        one_more = plan.tables["one_more"].to_dicts()
        for sentence in sentences(
            plan.kpis.summary(), plan.tables["channels"].to_dicts(), one_more, self.people, form
        ):
            yield escape(sentence)
        yield ""
        reasons = Reasons(form)
        # files and options help to mend what is wrong; the catalogue has the notices without them
        say = reasons.amounts if form.language == "en" else reasons.notice
        known = [say(text) for text in notices(plan)]
        if known:
            yield f"[bold]{escape(form.text('Before you act'))}[/bold]"
            yield _bullets(known)
            yield ""

    def tables(self) -> Iterator[Table | str]:
        """Yield the tables from actions to key figures."""
        tables = self.plan.tables
        shown: list[Table] = [self._actions(), self._segments(), self._channels()]
        if not tables["rep_days"].is_empty():
            shown.append(self._days())
        if not tables["limits"].is_empty():
            shown.append(self._limits())
        if not tables["one_more"].is_empty():
            shown.append(self._one_more())
        for table in (*shown, self._figures()):
            yield table
            yield ""

    def _table(self, *heads: str) -> Table:
        """Return an empty table; a heading that begins with < is that of words, at the left."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for number, head in enumerate(heads):
            left = number == 0 or head.startswith("<")
            table.add_column(head.removeprefix("<"), justify="left" if left else "right", overflow="fold")
        return table

    def _actions(self) -> Table:
        form = self.form
        table = self._table(
            form.text("Action"), form.text("Accounts"), form.text("Scheduled"), form.text("Expected gain"),
            form.text("Scheduled today"), form.text("Cost of the contacts"),
        )  # fmt: skip
        rows = by_action(self.plan.accounts).to_dicts()
        add_up(rows, ("gain_eur", "scheduled_eur", "cost_eur"))
        for row in rows:
            table.add_row(
                escape(form.label(row["action"])),
                form.number(row["accounts"]), form.number(row["scheduled"]),
                form.money(row["gain_eur"]), form.money(row["scheduled_eur"]), form.money(row["cost_eur"]),
            )  # fmt: skip
        return table

    def _segments(self) -> Table:
        form = self.form
        table = self._table(
            form.text("Segment"), form.text("Accounts"), form.text("Mean probability of leaving"),
            form.text("Expected spend each"), form.text("With an action"),
        )  # fmt: skip
        for row in (
            by_segment(self.plan.accounts).sort("value_eur", descending=True, nulls_last=True).to_dicts()
        ):
            table.add_row(
                escape(form.label(row["segment"]) if row["segment"] else form.not_known),
                form.number(row["accounts"]), form.share(row["churn"]), form.money(row["value_eur"]),
                form.number(row["acted"]),
            )  # fmt: skip
        return table

    def _channels(self) -> Table:
        """Show demand against capacity, and what one more contact would add."""
        form = self.form
        table = self._table(
            form.text("Channel"), form.text("Wanted"), form.text("Capacity"), form.text("Scheduled"),
            form.text("Waiting"), form.text("One more brings"),
        )  # fmt: skip
        for row in self.plan.tables["channels"].to_dicts():
            table.add_row(
                form.label(row["channel"]), form.number(row["demand"]),
                form.text("no limit") if row["capacity"] is None else form.number(row["capacity"]),
                form.number(row["scheduled"]), form.number(row["backlog"]),
                form.money(row["price_eur"], cents=True) if row["price_eur"] else "–",
            )  # fmt: skip
        return table

    def _days(self) -> Table:
        """Show the first days of the representatives, and the others together."""
        form, days = self.form, self.plan.tables["rep_days"]
        table = self._table(
            form.text("Representative"), "<" + form.text("Day"), form.text("Visits"), form.text("Gain"), "km",
            form.text("Leaves"), form.text("Back"),
        )  # fmt: skip
        for row in days.head(_MOST_DAYS).to_dicts():
            who = person(self.people, row["rep_id"])
            table.add_row(
                escape(who.name if who else "–"), form.short_day(row["day"]), form.number(row["stops"]),
                form.money(row["value_eur"]), form.number(row["distance_km"]), form.clock(row["depart_at"]),
                form.clock(row["back_at"]),
            )  # fmt: skip
        rest = days.slice(_MOST_DAYS)
        if rest.height:
            table.add_row(
                form.texts("%(count)s more day", "%(count)s more days", rest.height), "",
                form.number(float(rest["stops"].sum())), form.money(float(rest["value_eur"].sum())),
                form.number(float(rest["distance_km"].sum())), "", "",
            )  # fmt: skip
        return table

    def _limits(self) -> Table:
        """Show which limits keep accounts from their contact."""
        form = self.form
        table = self._table(
            form.text("Limit"), "<" + form.text("The account"), "<" + form.text("Channel"),
            form.text("Accounts"), form.text("Would bring"),
        )  # fmt: skip
        for row in self.plan.tables["limits"].to_dicts():
            table.add_row(
                form.label(row["limit"]) if row["limit"] else form.not_known, form.label(row["state"]),
                form.label(row["channel"]), form.number(row["accounts"]), form.money(row["value_eur"]),
            )  # fmt: skip
        return table

    def _one_more(self) -> Table:
        """Show what one more of each resource would bring."""
        form = self.form
        table = self._table(
            form.text("One more"), "<" + form.text("For"), form.text("Contacts more"), form.text("Brings")
        )
        for row in self.plan.tables["one_more"].to_dicts():
            table.add_row(
                form.label(row["resource"]), escape(whose_words(row["whose"], self.people, form)),
                form.number(row["contacts"]), form.money(row["gain_eur"], cents=True),
            )  # fmt: skip
        return table

    def _figures(self) -> Table:
        """Show the key figures under their headings; one table, with common columns."""
        form = self.form
        table = self._table(form.text("Figure"), form.text("Value"), "<" + form.text("Target"), "<")
        for group in GROUPS:
            shown = self.plan.kpis.in_group(group)
            if shown:
                table.add_row(f"[bold]{escape(form.text(group_words(group)))}[/bold]")
            for kpi in shown:
                figure = write_figure(kpi, form)
                mark = (
                    f"[{_MARKS[kpi.status]}]{escape(figure['word'])}[/]"
                    if kpi.status in _MARKS
                    else figure["word"]
                )
                table.add_row(f"  {figure['label']}", figure["value"], figure["target"], mark)
        return table


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
