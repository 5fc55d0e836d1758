"""Commands that prepare the desk: init, import, stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealwright.cli.context import Json, console, notes, open_desk, settings_of, write_json

if TYPE_CHECKING:
    from dealwright.intake.history import Intake

_SHOWN_PROBLEMS = 10


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(init)
    app.command("import")(import_tables)
    app.command("stop")(stop)


def init(context: typer.Context, as_json: Json = False) -> None:
    """Start or reach the database, build the desk in it, and say where it is."""
    with open_desk(context) as desk:
        counts = desk.counts()
        if as_json:
            write_json(
                {
                    "database_url": desk.database.url,
                    "schema": None if desk.migration is None else desk.migration.after,
                    "embedded": settings_of(context).database_url is None,
                    **counts,
                }
            )
            return
        out = console()
        out.print(f"the desk is ready ({desk.migration.summary() if desk.migration else 'up to date'})")
        out.print(f"database: {desk.database.url}", soft_wrap=True)
        out.print(", ".join(f"{counts[name]:,} {name}" for name in ("agents", "assignments", "bookings")))
        if not counts["agents"]:
            out.print(
                "next: dealwright import --map astra DIR, with your own mapping file for your own tables"
            )


def import_tables(
    context: typer.Context,
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory that holds the tables.")],
    mapping: Annotated[
        str,
        typer.Option(
            "--map", metavar="FILE", help="Mapping file (TOML), or the name of a shipped one: astra."
        ),
    ],
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", metavar="DIR", help="Where rows set aside go; default ./rejected."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing at all when a single row has to be set aside.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import agents, assignments and bookings; broken rows are set aside and named."""
    from dealwright.cli.progress import working
    from dealwright.errors import InputError
    from dealwright.intake.history import read_history
    from dealwright.intake.mapping_file import load_mapping
    from dealwright.intake.set_aside import write_rejected

    described = load_mapping(mapping)
    with working(f"reading {directory}"):
        intake = read_history(described, directory)
    paths = write_rejected(intake, rejected or settings_of(context).rejected, directory)
    if not as_json:
        _show_problems(intake, paths)
    if strict and intake.set_aside:
        raise InputError(
            f"{intake.set_aside:,} rows had to be set aside, and --strict allows none: nothing was imported; "
            f"they are in {paths[0].parent}"
        )
    if not intake.history.agents.height:
        raise InputError("no agent is left after the checks: nothing was imported")
    with working("importing"), open_desk(context) as desk:
        loaded = desk.load(intake.history)
    if as_json:
        write_json(
            {
                **loaded.to_dict(),
                "files": [
                    {
                        "table": item.table,
                        "file": item.file,
                        "rows": item.rows,
                        "kept": item.kept,
                        "rejected": item.set_aside,
                    }
                    for item in intake.files
                ],
                "rejects": intake.rejects.to_dicts(),
                "warnings": intake.warnings.to_dicts(),
                "rejected_files": [str(path) for path in paths],
            }
        )
    else:
        _show_counts(intake, loaded.summary())


def stop(context: typer.Context, as_json: Json = False) -> None:
    """Stop the embedded database."""
    from dealwright.desk.server import stop_server

    settings = settings_of(context)
    stopped = stop_server(settings.home)
    if as_json:
        write_json({"stopped": stopped, "home": str(settings.home)})
    else:
        console().print("stopped" if stopped else f"nothing runs under {settings.home}", soft_wrap=True)
    if not stopped:
        raise typer.Exit(1)


def _show_problems(intake: Intake, paths: list[Path]) -> None:
    """Name the first rows that were set aside, on stderr, and say where all of them are."""
    out = notes()
    for row in intake.rejects.head(_SHOWN_PROBLEMS).iter_rows(named=True):
        value = "" if row["value"] is None else f" {row['value']!r}"
        out.print(
            f"{row['file']}, line {row['line']}, {row['column']}{value}: {row['reason']}; {row['fix']}",
            markup=False,
        )
    more = intake.rejects.height - _SHOWN_PROBLEMS
    if more > 0:
        out.print(f"… and {more:,} more problems")
    if paths:
        out.print(
            f"{intake.set_aside:,} rows set aside: {', '.join(str(path) for path in paths)}", markup=False
        )
    counts = intake.warnings.group_by("file", "reason", maintain_order=True).len()
    for file, reason, count in counts.iter_rows():
        out.print(f"note: {count:,} × {reason} ({file}); kept", markup=False)


def _show_counts(intake: Intake, summary: str) -> None:
    from rich.table import Table

    table = Table("table", "file", box=None, pad_edge=False)
    for name in ("rows", "imported", "set aside"):
        table.add_column(name, justify="right")
    for item in intake.files:
        table.add_row(item.table, item.file, f"{item.rows:,}", f"{item.kept:,}", f"{item.set_aside:,}")
    out = console()
    out.print(table)
    statuses = dict(intake.history.bookings.group_by("status").len().sort("status").iter_rows())
    if statuses:
        out.print("bookings: " + ", ".join(f"{count:,} {status}" for status, count in statuses.items()))
    out.print(f"in the desk now: {summary}")
