"""What every command needs: the settings of this run, the desk, and where answers go."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealwright.errors import InputError
from dealwright.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from dealwright.desk.desk import Desk

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Policy = Annotated[
    str | None,
    typer.Option(
        "--policy", metavar="NAME", help="value, classic, workload or fair; the desk's own by default."
    ),
]

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
Assignment = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="Id of the assignment.")]


def read_time(text: str) -> datetime:
    """Read a moment as an option has it: ISO 8601, with an offset or without.

    Raises
    ------
    BadParameter
        It is none, or not from 1970 to 2199.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time: write it like 2026-06-30, 2026-06-30T14:05 or 2026-06-30T14:05:00+02:00"
        ) from None
    if not 1970 <= moment.year < 2200:
        raise typer.BadParameter(f"{text!r} is not from 1970 to 2199: look at the year")
    return moment


@dataclass(frozen=True)
class Globals:
    """The options that stand before the command."""

    # which database
    database_url: str | None = None
    home: Path | None = None
    debug: bool = False  # show where an unexpected error comes from

    def settings(self) -> Settings:
        """Return the settings of this run."""
        return load_settings(database_url=self.database_url, home=self.home)


def settings_of(context: typer.Context) -> Settings:
    """Return the settings of this run."""
    found = context.find_object(Globals) or Globals()
    return found.settings()


@contextmanager
def open_desk(context: typer.Context) -> Iterator[Desk]:
    """Open the desk for a command."""
    from dealwright.desk.desk import Desk

    settings = settings_of(context)
    with Desk.open(
        settings.database_url, settings.home, read_url=settings.database_url_read, tell=_say_wait
    ) as desk:
        yield desk


def _say_wait(message: str) -> None:
    """Say on stderr who keeps a command waiting; a line of its own, also to a program."""
    sys.stderr.write(f"dealwright: {message}\n")
    sys.stderr.flush()


def console() -> Console:
    """Return a console for answers."""
    from rich.console import Console

    return Console(highlight=False)


def notes() -> Console:
    """Return a console for progress and notices, on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def say(text: str) -> None:
    """Answer in words."""
    console().print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Say on stderr what belongs to no answer."""
    notes().print(text, markup=False, soft_wrap=True)


def answer(document: Any, text: str, *, as_json: bool) -> None:
    """Answer a program with the document, a person with the text."""
    if as_json:
        write_json(document)
    else:
        say(text)


def write_json(value: Any) -> None:
    """Write a value to stdout as JSON; times in ISO 8601, numbers as numbers."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__float__"):
        return float(value)
    return str(value)


def parse_pairs(pairs: Sequence[str] | None) -> dict[str, str]:
    """Read ``--set dimension=value`` options.

    Raises
    ------
    InputError
        One of them has no ``=``, or a dimension is given twice.
    """
    result: dict[str, str] = {}
    for pair in pairs or ():
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise InputError(
                f"--set {pair}: write it as --set dimension=value, for example --set destination=Mars"
            )
        if result.setdefault(name.strip(), value.strip()) != value.strip():
            raise InputError(f"--set {name.strip()} is given twice")
    return result


def lead_document(
    customer: str | None,
    pairs: Sequence[str] | None,
    requirements: str | None,
    priority: int = 0,
    *,
    idempotency_key: str | None = None,
    customer_id: str | None = None,
) -> Mapping[str, Any]:
    """Build a lead in the JSON shape of the SQL functions."""
    return {
        "customer_name": customer,
        "attributes": parse_pairs(pairs),
        "requirements": requirements,
        "priority": priority,
        "idempotency_key": idempotency_key,
        "received_at": None,
        "customer_id": customer_id,
    }
