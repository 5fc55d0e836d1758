"""Commands that look back: explain, replay, verify, audit, and the one that makes room: archive."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dealwright.cli.context import (
    Assignment,
    Json,
    answer,
    console,
    note,
    open_desk,
    read_time,
    say,
    settings_of,
    write_json,
)

ArchiveFolder = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        metavar="DIR",
        help="Folder of the archive; by default DEALWRIGHT_ARCHIVE, else archive in the home.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("explain")(explain)
    app.command("replay")(replay)
    app.command("verify")(verify)
    app.command("dossier")(dossier)
    app.command("archive")(archive)
    app.command("audit")(audit)


def audit(
    context: typer.Context,
    *,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="ACTOR", help="Only of this key, person or user.")
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="ACTION", help="Only this kind of deed.")
    ] = None,
    about: Annotated[
        str | None, typer.Option("--about", metavar="KIND", help="Only of a kind of thing, such as agent.")
    ] = None,
    object_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Only about the one with this id.")
    ] = None,
    top: Annotated[
        int, typer.Option("--top", metavar="NUMBER", min=1, max=1000, help="How many, newest first.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """Show who did what: people, and programs with a key."""
    with open_desk(context) as desk:
        found = desk.book.changes(actor=actor, action=action, kind=about, object_id=object_id, k=top)
    if as_json:
        write_json([dict(row) for row in found.rows])
        return
    if not found.rows:
        note("nobody has done such a thing")
    for row in found.rows:
        reason = f": {row['reason']}" if row["reason"] else ""
        say(
            f"{row['changed_at']:%Y-%m-%d %H:%M:%S}  {row['actor_name']} ({row['actor']})  {row['action']} "
            f"{row['object']} {row['object_id']}{reason}"
        )


def dossier(
    context: typer.Context,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Where it goes: a file that ends in .html or in .md."),
    ],
    as_json: Json = False,
) -> None:
    """Write from the live desk what the EU AI Act asks of a system that allocates work.

    Each line has the query or test behind it and its figure at this moment; it says as plainly what is not
    known and what is the employer's job.
    """
    from dealwright import __version__
    from dealwright.errors import InputError
    from dealwright.report.dossier import build_dossier

    kind = out.suffix.lower()
    if kind not in (".html", ".md"):
        raise InputError(f"--out {out}: name a file that ends in .html or in .md")
    with open_desk(context) as desk:
        found = build_dossier(desk, __version__)
    try:
        out.write_text(found.to_html() if kind == ".html" else found.to_markdown(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {out} cannot be written ({error.strerror}): name another file") from None
    answer({"out": str(out), **found.to_dict()}, f"Written to {out}", as_json=as_json)


def archive(
    context: typer.Context,
    *,
    before: Annotated[
        datetime,
        typer.Option(
            "--before",
            metavar="DATE",
            parser=read_time,
            help="No month that ends later is touched, and none that ended less than a day ago.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder of the archive; by default DEALWRIGHT_ARCHIVE, else archive in the home.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Move whole months of the record, decisions and events, from the database to Parquet files."""
    from dealwright.cli.progress import working

    folder = out or settings_of(context).archive_folder
    with open_desk(context) as desk, working("archiving"):
        # months are those of UTC
        done = desk.archive(before if before.tzinfo else before.replace(tzinfo=UTC), folder)
    answer(done.to_dict(), done.summary(), as_json=as_json)
    if not done.months:
        raise typer.Exit(1)


def _archive_of(context: typer.Context, named: Path | None) -> Path | None:
    """Return where the archive is, if there is one."""
    folder = named or settings_of(context).archive_folder
    return folder if named or folder.is_dir() else None


def explain(
    context: typer.Context,
    *,
    assignment: Assignment,
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="NAME", help="Show this agent too, wherever ranked: name or id."),
    ] = None,
    archive: ArchiveFolder = None,
    as_json: Json = False,
) -> None:
    """Say why an assignment went to this agent and not to another, and what would change it."""
    with open_desk(context) as desk:
        explanation = desk.explain(assignment, agent, archive=_archive_of(context, archive))
    if as_json:
        write_json(explanation.to_dict())
        return
    from dealwright.cli.tables import common_notices, explanation_table

    out = console()
    out.print(explanation.summary(), soft_wrap=True, markup=False)
    out.print(explanation_table(explanation))
    for notice in common_notices(explanation.table_rows()):
        out.print(notice, markup=False)
    evidence = explanation.answer.get("evidence")
    if evidence:
        out.print(f"evidence behind the model: {evidence}", markup=False)


def replay(
    context: typer.Context, assignment: Assignment, archive: ArchiveFolder = None, as_json: Json = False
) -> None:
    """Recompute a decision from its record; exit code 1 if it comes out differently."""
    from dealwright.desk.results import write_score

    with open_desk(context) as desk:
        found = desk.replay(assignment, archive=_archive_of(context, archive))
    if as_json:
        write_json(found.to_dict())
    else:
        out = console()
        out.print(found.summary(), soft_wrap=True, markup=False)
        for row in found.table_rows():
            score = write_score(row, found.answer["policy"])
            out.print(f"  {row['what']}: agent {row['agent_id']}, match score {score}", markup=False)
    if not found.agrees:
        raise typer.Exit(1)


def verify(context: typer.Context, archive: ArchiveFolder = None, as_json: Json = False) -> None:
    """Check the sealed record of decisions; exit code 1 if one was altered, added or removed."""
    from dealwright.cli.progress import working

    with open_desk(context) as desk, working("checking the record"):
        found = desk.verify(archive=_archive_of(context, archive))
    answer(found.to_dict(), found.summary(), as_json=as_json)
    if not found.intact:
        raise typer.Exit(1)
