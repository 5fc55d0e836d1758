"""Commands that prepare the desk: init, roles, import, stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dealwright.cli.context import Json, answer, console, note, notes, open_desk, settings_of, write_json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(init)
    app.command("roles")(roles)
    app.command("import")(import_tables)
    app.command("stop")(stop)


def init(
    context: typer.Context,
    *,
    show_password: Annotated[
        bool, typer.Option("--show-password", help="Give the address whole, with the password in it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start or reach the database, build the desk in it, and say where it is."""
    from dealwright.desk.database import without_password

    with open_desk(context) as desk:
        counts = desk.counts()
        url = desk.database.url if show_password else without_password(desk.database.url)
        if as_json:
            write_json(
                {
                    "database_url": url,
                    "schema": None if desk.migration is None else desk.migration.after,
                    "embedded": settings_of(context).database_url is None,
                    **counts,
                }
            )
            return
        out = console()
        out.print(f"the desk is ready ({desk.migration.summary() if desk.migration else 'up to date'})")
        out.print(f"database: {url}", soft_wrap=True, markup=False)
        out.print(", ".join(f"{counts[name]:,} {name}" for name in ("agents", "assignments", "bookings")))
        if not counts["agents"]:
            out.print(
                "next: dealwright draft DIR writes a mapping of your tables; then dealwright import DIR"
            )


def roles(context: typer.Context, as_json: Json = False) -> None:
    """Make the database roles of the desk, and say what each may do; safe to repeat."""
    from dealwright.desk.roles import ROLES

    with open_desk(context) as desk:
        made = desk.make_roles()
    if as_json:
        write_json(made.to_dict())
        return
    out = console()
    for name, purpose in ROLES.items():
        people = ", ".join(made.members.get(name, ())) or "nobody"
        out.print(f"{name}: {purpose} (members: {people})", markup=False, soft_wrap=True)
        whole: dict[str, list[str]] = {}
        for grant in (grant for grant in made.grants if grant.role == name):
            columns = f" ({', '.join(grant.columns)})" if grant.columns else ""
            whole.setdefault(grant.privilege, []).append(grant.object + columns)
        for privilege, things in whole.items():
            out.print(f"  {privilege:8} {', '.join(things)}", markup=False, soft_wrap=True)
    for danger in made.dangers:
        note(f"warning: {danger}")


def import_tables(
    context: typer.Context,
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory that holds the tables.")],
    mapping: Annotated[
        str,
        typer.Option(
            "--map", metavar="FILE",
            help="Mapping file, or the name of a shipped one (astra); default DIR/company.toml.",
        ),
    ] = "",
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", metavar="DIR", help="Where rejected rows go; default ./rejected."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing at all when a single row is rejected.")
    ] = False,
    deactivate_missing: Annotated[
        bool | None,
        typer.Option(
            "--deactivate-missing/--keep-missing",
            help="Deactivate agents who are not in the file any more, or do not; left out: if agents have a "
            "file of their own, and fewer are missing than are in it.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Import agents, assignments and bookings; broken rows are rejected and named, all others go in."""
    from dealwright.cli.intake_tables import intake_document, print_intake, print_loaded
    from dealwright.cli.progress import working
    from dealwright.runs.importing import check_import
    from dealwright.tables.history import read_history
    from dealwright.tables.mapping import read_mapping
    from dealwright.tables.rejected import write_rejected

    company = read_mapping(mapping or directory / "company.toml")
    with working(f"reading {directory}"):
        history = read_history(company, directory)
    intake = history.intake
    paths = write_rejected(intake, rejected or settings_of(context).rejected, directory)
    if not as_json:
        print_intake(notes(), intake, paths)
    deactivate_missing = check_import(
        company, history, paths, strict=strict, deactivate_missing=deactivate_missing
    )
    with working("importing"), open_desk(context) as desk:
        loaded = desk.load(history, deactivate_missing=deactivate_missing)
    if as_json:
        write_json({**loaded.to_dict(), **intake_document(intake, paths)})
    else:
        print_loaded(console(), history, loaded)


def stop(context: typer.Context, as_json: Json = False) -> None:
    """Stop the embedded database."""
    from dealwright.desk.server import stop_server

    settings = settings_of(context)
    stopped = stop_server(settings.home)
    answer(
        {"stopped": stopped, "home": str(settings.home)},
        "stopped" if stopped else f"nothing runs under {settings.home}",
        as_json=as_json,
    )
    if not stopped:
        raise typer.Exit(1)
