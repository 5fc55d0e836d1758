"""The command line ``dealwright``: parse, call, present. Commands import what they need when they run."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from dealwright import __version__
from dealwright.cli import (
    agents,
    audit,
    backup,
    demo,
    draft,
    leads,
    models,
    oversight,
    plan,
    proposals,
    service,
    setup,
    tasks,
    webhooks,
    worker,
)
from dealwright.cli.context import Globals
from dealwright.cli.help import App
from dealwright.errors import DealwrightError

_USAGE, _FAILED, _INTERRUPTED = 2, 1, 130
# options of the whole program, understood before and after the command
_GLOBAL_VALUES = ("--database-url", "--home")
_GLOBAL_FLAGS = ("--debug",)

app = App(
    name="dealwright",
    help="Decides who should sell to a customer, through which channel, when and in what order.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dealwright {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    context: typer.Context,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            metavar="URL",
            help="PostgreSQL to use instead of the embedded one (DATABASE_URL).",
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option("--home", metavar="DIR", help="Where the embedded database lives (DEALWRIGHT_HOME)."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an unexpected error comes from.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Globals(database_url, home, debug)


for _module in (
    setup,
    draft,
    leads,
    agents,
    models,
    audit,
    oversight,
    proposals,
    plan,
    tasks,
    worker,
    service,
    webhooks,
    backup,
    demo,
):
    _module.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0 fine, 1 a failed check, 2 bad usage or input."""
    given = _hoist(list(sys.argv[1:] if arguments is None else arguments))
    as_json, debug = "--json" in given, "--debug" in given
    if not debug:  # the pool would log each failed attempt to connect, before our one line that says why
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    try:
        result = app(given, prog_name="dealwright", standalone_mode=False)
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
    except DealwrightError as error:
        if debug:
            sys.stderr.write(_without_secrets(traceback.format_exc(), _urls(given)))
        code = _report(type(error).__name__, str(error), error.exit_code, as_json=as_json)
    except (Abort, KeyboardInterrupt):
        code = _report("Interrupted", "stopped; what was committed stays", _INTERRUPTED, as_json=as_json)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except TyperException as error:
        if as_json:
            message = getattr(error, "format_message", error.__str__)()
            code = _report("UsageError", message, _USAGE, as_json=True)
        else:
            error.show()  # type: ignore[attr-defined]  # every usage error has it
            code = _USAGE
    except Exception as error:  # noqa: BLE001 - the one place where the unexpected is turned into an apology
        if debug:
            sys.stderr.write(_without_secrets(traceback.format_exc(), _urls(given)))
        code = _report("UnexpectedError", _apology(error, given), _FAILED, as_json=as_json)
    sys.exit(code)


def _hoist(arguments: list[str]) -> list[str]:
    """Move the program's own options in front of the command, wherever they were written."""
    front: list[str] = []
    rest: list[str] = []
    items = iter(arguments)
    for item in items:
        if item == "--":
            rest += [item, *items]
        elif item in _GLOBAL_VALUES:
            front += [item, *([value] if (value := next(items, None)) is not None else [])]
        elif item in _GLOBAL_FLAGS or item.startswith(tuple(f"{name}=" for name in _GLOBAL_VALUES)):
            front.append(item)
        else:
            rest.append(item)
    return front + rest


def _report(kind: str, message: str, code: int, *, as_json: bool) -> int:
    """Say what went wrong on stderr; as JSON to a program."""
    if as_json:
        sys.stderr.write(json.dumps({"error": {"type": kind, "message": message}}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"dealwright: {message}\n")
    return code


def _apology(error: Exception, arguments: list[str]) -> str:
    """Write an unexpected error down and say where."""
    note = f"sorry, something went wrong that should not have ({type(error).__name__}: {error})"
    urls = _urls(arguments)
    note = _without_secrets(note, urls)
    try:
        log = Globals().settings().log
        for folder in (log.parents[1], log.parent):  # the mode is that of the last folder made
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(
            log, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)
        ) as stream:
            words = ["(a URL)" if any(url in word for url in urls) else word for word in arguments]
            text = f"{datetime.now(UTC).isoformat()} dealwright {' '.join(words)}\n{traceback.format_exc()}\n"
            stream.write(_without_secrets(text, urls))
    except (OSError, DealwrightError):
        return f"{note}; --debug shows where"
    return f"{note}; the details are in {log}, and --debug shows them"


def _urls(arguments: list[str]) -> list[str]:
    """Return the addresses of databases that a command may have been given: they may hold a password."""
    found = [word.partition("=")[2] if word.startswith("--") else word for word in arguments]
    given = [url for word, url in zip(arguments, found, strict=True) if "://" in url or "password=" in word]
    follow = [value for name, value in pairwise(arguments) if name == "--database-url"]
    with contextlib.suppress(DealwrightError):
        given.append(Globals().settings().database_url or "")
    return [url for url in dict.fromkeys([*given, *follow]) if url]


def _without_secrets(text: str, urls: list[str]) -> str:
    from dealwright.desk.database import hide_secrets

    for url in urls:
        text = hide_secrets(text, url)
    return text


if __name__ == "__main__":
    main()
