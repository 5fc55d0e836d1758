"""The command ``draft``: from the files in a folder to a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealwright.cli.context import Json, console, write_json

if TYPE_CHECKING:
    from dealwright.tables.draft import Draft

_SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("draft")(draft)


def draft(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds your tables.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write; default DIR/company.toml.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing mapping.")] = False,
    as_json: Json = False,
) -> None:
    """Look at the tables in a folder and write company.toml: which column is what, with the doubts marked."""
    from dealwright.cli.progress import working
    from dealwright.errors import InputError
    from dealwright.tables.draft import draft as draft_mapping

    target = out or directory / "company.toml"
    if target.exists() and not force:
        raise InputError(f"{target} exists: --force overwrites it, --out FILE writes elsewhere")
    with working(f"looking at {directory}"):
        found = draft_mapping(directory)
    try:
        target.write_text(found.text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}; name another place with --out") from None
    following = _next(found, directory, target)
    if as_json:
        files = [vars(file) for file in found.files]
        write_json(
            {
                "out": str(target),
                "runs": found.runs,
                "files": files,
                "unread": list(found.unread),
                "doubts": list(found.doubts),
                "next": following,
            }
        )
    else:
        _print(found, target, following)


def _next(found: Draft, directory: Path, target: Path) -> list[str]:
    """Return the commands to go on with."""
    mapping = "" if target == directory / "company.toml" else f" --map {target}"
    commands = {
        "import": f"dealwright import {directory}{mapping}",
        "plan": f"dealwright plan {directory}{mapping} --out plan",
    }
    return [commands[loop] for loop in found.loops]


def _print(found: Draft, target: Path, following: list[str]) -> None:
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False)
    for header in ("file", "taken for", "rows", "fields"):
        table.add_column(header, justify="right" if header == "rows" else "left", overflow="fold")
    for file in found.files:
        name = file.file if file.sheet is None else f"{file.file} ({file.sheet})"
        table.add_row(name, ", ".join(file.roles) or "not used", f"{file.rows:,}", ", ".join(file.fields))
    out.print(table)
    for reason in found.unread:
        out.print(f"not read: {reason}", markup=False, soft_wrap=True)
    for doubt in found.doubts[:_SHOWN]:
        out.print(f"DOUBT {doubt}", markup=False, soft_wrap=True)
    if len(found.doubts) > _SHOWN:
        out.print(f"… and {len(found.doubts) - _SHOWN} more, marked in the file")
    out.print(f"written to {target}", markup=False, soft_wrap=True)
    first = "look through it" if found.runs else "settle the doubts in it: it does not run yet"
    out.print(f"next: {first}; then {', '.join(following)}", markup=False, soft_wrap=True)
