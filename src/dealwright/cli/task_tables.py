"""Tables of tasks for people, readable at 80 columns; times are the company's clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from dealwright.desk.results import Row
    from dealwright.desk.task_results import PlanRuns, Task

# what asks for a look; the word stands there, too
_COLOURS: Final = {"failed": "red", "started": "yellow"}


def tasks_table(rows: Sequence[Row]) -> Table:
    """Show who is to do what with whom, when, and how it stands; the day only where there are several."""
    several = len({row["day"] for row in rows}) > 1
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("task", *["day"] * several, "time", "rep", "account", "action", "channel", "gain", "status"):
        table.add_column(
            name, justify="right" if name in ("task", "gain") else "left",
            no_wrap=name in ("task", "day", "gain"), overflow="fold",
        )  # fmt: skip
    for row in rows:
        whom = (
            row["account_id"] if row["account_name"] is None else f"{row['account_name']} {row['account_id']}"
        )
        what = escape((row["outcome"] or row["status"]).replace("_", " "))
        table.add_row(
            str(row["task_id"]),
            *[f"{row['day']:%d %b}"] * several,
            f"{row['start_at']:%H:%M}" if row["start_at"] is not None else "–",
            escape(row["rep_id"] or "–"),
            escape(whom),
            escape(row["action"]),
            escape(row["channel"]),
            "–" if row["value_eur"] is None else f"{row['value_eur']:,.0f}",
            f"[{_COLOURS[row['status']]}]{what}[/]" if row["status"] in _COLOURS else what,
        )
    return table


def task_page(task: Task) -> Iterator[str]:
    """Yield what is known of a task, line by line."""
    row = task.row
    yield task.summary()
    yield f"day: {row['day']}" + (
        f", {row['start_at']:%H:%M} to {row['end_at']:%H:%M}" if row["start_at"] else ""
    )
    for name, label in (("rep_id", "for"), ("reason", "why"), ("note", "note"), ("run_id", "run")):
        if row[name]:
            yield f"{label}: {row[name]}"
    if row["value_eur"] is not None:
        yield f"expected gain: {row['value_eur']:,.2f}"
    if row["replaced_by"]:
        yield f"replaced by run {row['replaced_by']}"


def runs_table(runs: PlanRuns) -> Table:
    """Show what was published, and what became of it."""
    numbers = ("open", "done", "failed", "dropped")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("run", "days", "published", *numbers):
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name != "days")
    for row in runs.rows:
        first, last = row["first_day"], row["last_day"]
        dropped = row["cancelled"] + row["replaced"]
        table.add_row(
            row["run_id"],
            str(first) if first == last else f"{first} to {last}",
            f"{row['published_at']:%d %b %H:%M}",
            *(f"{count:,}" for count in (row["open"], row["done"], row["failed"], dropped)),
        )
    return table
