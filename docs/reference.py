"""Writes ``commands.md`` from the command line's own declarations: ``python docs/reference.py``.

The page is committed, so that it can be read in the repository; a test fails when the two differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("commands.md")
HEAD = """\
# Commands

<!-- written by docs/reference.py; change the command line, then run it again -->

Options of the whole program, such as `--home`, may stand before or after the command. Progress and warnings
go to the standard error, answers to the standard output; `--json` answers in JSON. Exit codes: 0 fine,
1 a failed check or nothing done, 2 bad usage or input.
"""


def command_reference() -> str:
    """Return the page."""
    from typer.main import get_command

    from dealwright.cli.help import GROUPS
    from dealwright.cli.main import app

    program: Any = get_command(app)
    parts = [HEAD, *_contents(GROUPS), "## The whole program\n", *_parameters(program)]
    for group, names in GROUPS.items():
        parts.append(f"## {group}\n")
        for name in names:
            parts += _describe(name, program.commands[name])
    return "\n".join(parts)


def _contents(groups: Any) -> Iterator[str]:
    yield "| | |\n|---|---|"
    for group, names in groups.items():
        links = ", ".join(f"[{name}](#dealwright-{name})" for name in names)
        yield f"| {group} | {links} |"
    yield ""


def _describe(path: str, command: Any) -> Iterator[str]:
    from dealwright.cli.help import EXAMPLES

    children = getattr(command, "commands", {})
    yield f"### dealwright {path}\n\n{_paragraphs(command.help)}\n"
    if path in EXAMPLES:
        yield "```sh\n" + "\n".join(EXAMPLES[path]) + "\n```\n"
    yield from _parameters(command)
    for name, child in children.items():
        yield from _describe(f"{path} {name}", child)


def _parameters(command: Any) -> Iterator[str]:
    """Yield the table of arguments and options, the groups of options in the order of the help."""
    items = [item for item in command.params if not getattr(item, "hidden", False)]
    if not items:
        return
    yield "| | |\n|---|---|"
    arguments = [item for item in items if item.param_type_name == "argument"]
    for item in sorted(items, key=lambda item: item not in arguments):
        name = _placeholder(item) if item in arguments else _spelled(item)
        yield f"| `{name}` | {_line(item.help)}{_facts(item)} |"
    yield ""


def _facts(item: Any) -> str:
    required = item.required and item.param_type_name == "option"
    return " **Required.**" if required else ""


def _placeholder(argument: Any) -> str:
    shown = argument.metavar or argument.name.upper()
    return shown if argument.required else f"[{shown}]"


def _spelled(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return f"{names} {option.metavar}" if option.metavar else names


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _line(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(command_reference(), encoding="utf-8")
