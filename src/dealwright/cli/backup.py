"""Commands that carry a desk from one place to another: backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dealwright.cli.context import Json, answer, settings_of
from dealwright.cli.progress import working


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(back_up)
    app.command("restore")(restore)


def back_up(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the backup goes.")],
    as_json: Json = False,
) -> None:
    """Write the desk into a file that only you may read; placements go on meanwhile."""
    from dealwright.desk.backup import back_up as write_backup
    from dealwright.desk.database import Database
    from dealwright.errors import NotFoundError

    settings = settings_of(context)
    if settings.database_url is None and not (settings.home / "postgres").exists():
        raise NotFoundError(f"there is no desk under {settings.home}: check DEALWRIGHT_HOME or --home")
    # not by Desk.open: a backup may be wanted before an upgrade
    with (
        working(f"writing {file}"),
        Database.open(settings.database_url, settings.home) as database,
    ):
        written = write_backup(database, file)
    answer(written.to_dict(), written.summary(), as_json=as_json)


def restore(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a desk that has data; what is in it is lost.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put the desk of a backup into the database; it goes on there as it was."""
    from dealwright.desk.database import Database
    from dealwright.desk.restore import restore as restore_desk

    settings = settings_of(context)
    with (
        working(f"restoring {file}"),
        Database.open(settings.database_url, settings.home) as database,
    ):
        restored = restore_desk(database, file, overwrite=overwrite)
    answer(restored.to_dict(), restored.summary(), as_json=as_json)
