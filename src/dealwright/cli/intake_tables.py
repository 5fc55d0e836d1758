"""What became of a company's tables when they were read, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from rich.table import Table

from dealwright.wording import count_of

if TYPE_CHECKING:
    from rich.console import Console

    from dealwright.desk.results import Loaded
    from dealwright.schemas import History, Intake

_SHOWN: Final = 12


def print_intake(out: Console, intake: Intake, paths: Sequence[Path]) -> None:
    """Say what was detected, and group what is wrong by kind: how many rows, one example, and the fix."""
    for report in intake.tables.values():
        if report.found:
            out.print(f"{report.file} ({report.table}): {', '.join(report.found)}", markup=False, style="dim")
    grouped = intake.grouped()
    for row in grouped.head(_SHOWN).iter_rows(named=True):
        kept = "rejected" if row["level"] == "rejected" else f"{row['level']}, kept"
        count = f"{row['rows']:,} × " if row["rows"] > 1 else ""
        line = "" if row["line"] is None else f", line {row['line']}"
        first = "" if row["value"] is None else f" {row['value']!r}"
        out.print(
            f"{row['file']}{line}, {row['column']}{first}: {count}{row['reason']} ({kept}); {row['fix']}",
            markup=False,
        )
    if grouped.height > _SHOWN:
        out.print(f"… and {grouped.height - _SHOWN:,} more kinds of problems (--json lists all)")
    for report in intake.tables.values():
        if report.left_out:
            out.print(
                f"{report.file}: {count_of(report.left_out, 'row')} left out by where under [{report.table}]",
                markup=False,
            )
    for file, columns in _undeclared(intake).items():
        out.print(f"{file}: columns that nobody declared: {', '.join(columns)}", markup=False, style="dim")
    if paths:
        out.print(f"{count_of(intake.rejected, 'row')} rejected: {', '.join(map(str, paths))}", markup=False)


def print_loaded(out: Console, history: History, loaded: Loaded) -> None:
    """Say what is on the desk now, and what to look at."""
    table = Table("table", "file", box=None, pad_edge=False)
    for name in ("rows", "imported", "rejected"):
        table.add_column(name, justify="right")
    for name, report in history.intake.tables.items():
        numbers = (report.rows, report.kept, report.rejected.height)
        table.add_row(name, report.file, *(f"{number:,}" for number in numbers))
    out.print(table)
    statuses = dict(history.bookings.group_by("status").len().sort("status").iter_rows())
    unknown = int(history.assignments["outcome_unknown"].sum())
    said = [f"{count:,} {status}" for status, count in statuses.items()]
    if said:
        out.print(
            f"bookings: {', '.join(said)}" + (f"; {unknown:,} with an unknown outcome" if unknown else "")
        )
    out.print(f"in the desk now: {loaded.summary()}", markup=False)
    missing = loaded.missing_agents
    if missing:
        names = ", ".join(f"{row['name']} ({row['agent_id']})" for row in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        done = (
            "deactivated: they get no more leads"
            if loaded.deactivated
            else "they get leads unless you --deactivate-missing"
        )
        out.print(f"on the desk but not in the file: {names}{more}: {done}", markup=False)
        for row in [row for row in missing if row["open"]][:_SHOWN]:
            leads = "1 open lead" if row["open"] == 1 else f"{row['open']:,} open leads"
            out.print(
                f"{row['name']} ({row['agent_id']}) has {leads}: "
                f"`dealwright agents deactivate {row['agent_id']} --hand-over` gives them to others",
                markup=False,
            )
    crowded = loaded.over_capacity
    if crowded:
        out.print(
            f"{crowded['agents']:,} of {crowded['of']:,} agents are over their capacity: "
            f"set default_capacity to about {crowded['suggested']:,}",
            markup=False,
        )


def intake_document(intake: Intake, paths: Sequence[Path]) -> dict[str, Any]:
    """Return the JSON shape of what became of the tables."""

    def of(level: str) -> list[dict[str, Any]]:
        return intake.problems.filter(pl.col("level") == level).drop("level").to_dicts()

    return {
        "files": [
            {
                "table": name,
                "file": report.file,
                "rows": report.rows,
                "kept": report.kept,
                "rejected": report.rejected.height,
                "left_out": report.left_out,
                "found": list(report.found),
            }
            for name, report in intake.tables.items()
        ],
        "rejects": of("rejected"),
        "warnings": of("warning"),
        "notes": of("note"),
        "undeclared": _undeclared(intake),
        "rejected_files": [str(path) for path in paths],
    }


def _undeclared(intake: Intake) -> dict[str, list[str]]:
    """Return the columns of each file that no table declares."""
    found: dict[str, list[str]] = {}
    for report in intake.tables.values():
        known = found.get(report.file)
        found[report.file] = [c for c in report.undeclared if known is None or c in known]
    return {file: columns for file, columns in found.items() if columns}
