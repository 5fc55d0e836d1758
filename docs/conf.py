"""Sphinx settings: Markdown pages, numpydoc docstrings, the furo theme, nothing fetched from anywhere.

The page ``commands.md`` is filled in from the command line's own declarations, and cannot drift from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version as installed_version
from typing import Any

project = "Dealwright"
author = "The Dealwright authors"
release = version = installed_version("dealwright")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True  # an attribute described in a class's text is not listed a second time

html_theme = "furo"
html_title = f"Dealwright {release}"
html_copy_source = False

COMMANDS_MARK = "<!-- the commands -->"


def setup(app: Any) -> None:
    """Fill in the command reference when its page is read."""
    app.connect("source-read", _fill_in_commands)


def _fill_in_commands(_app: Any, _page: str, source: list[str]) -> None:
    if COMMANDS_MARK in source[0]:
        source[0] = source[0].replace(COMMANDS_MARK, command_reference())


def command_reference() -> str:
    """Return the reference of every command as Markdown."""
    from typer.main import get_command

    from dealwright.cli.main import app

    return "\n".join(_describe("dealwright", get_command(app)))


def _describe(name: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", {})
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option" and not item.hidden]
    usage = [
        name,
        *["[OPTIONS]"] * bool(options),
        *map(_placeholder, arguments),
        *["COMMAND …"] * bool(children),
    ]
    yield f"## `{name}`\n\n{_text(command.help)}\n\n```text\n{' '.join(usage)}\n```\n"
    if command.params:
        yield "| | |\n|---|---|"
        yield from (f"| `{_placeholder(item)}` | {_text(item.help)} |" for item in arguments)
        yield from (f"| `{_spelled(item)}` | {_text(item.help)} |" for item in options)
        yield ""
    for child, its_command in children.items():
        yield from _describe(f"{name} {child}", its_command)


def _placeholder(argument: Any) -> str:
    shown = argument.metavar or argument.name.upper()
    return shown if argument.required else f"[{shown}]"


def _spelled(option: Any) -> str:
    names = " / ".join([*option.opts, *option.secondary_opts])
    return f"{names} {option.metavar}" if option.metavar else names


def _text(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").split())
