"""Writes ``commands.md``, ``parameters.md`` and ``openapi.json`` from the code: ``python docs/reference.py``.

They are committed, so that they can be read in the repository; a test fails when they differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from inspect import getdoc
from pathlib import Path
from typing import Any

COMMANDS_PAGE = Path(__file__).with_name("commands.md")
PARAMETERS_PAGE = Path(__file__).with_name("parameters.md")
OPENAPI = Path(__file__).with_name("openapi.json")
HEAD = """\
# Commands

<!-- written by docs/reference.py; change the command line, then run it again -->

Options of the whole program, such as `--home`, may stand before or after the command. Progress and warnings
go to the standard error, answers to the standard output; `--json` answers in JSON. Exit codes: 0 fine,
1 a failed check or nothing done, 2 bad usage or input.
"""

PARAMETERS_HEAD = """\
# Parameters

<!-- written by docs/reference.py; change the parameters, then run it again -->

Every run writes all of them to its `params.toml`; `dealwright plan --params FILE` takes a file with those
that are to differ. A table below is a table of that file; from Python it is an attribute of
`dealwright.PlanParams`. The catalogue of actions, `[action.catalogue]`, has [its own page](actions.md).
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


def openapi_document() -> str:
    """Return the description of the HTTP interface, as the service gives it at `/api/v1/openapi.json`."""
    from dealwright.service.app import create_app
    from dealwright.service.core import Service
    from dealwright.service.params import ServiceParams

    def open_service() -> Service:
        raise AssertionError("nothing is served")

    document = create_app(open_service, ServiceParams()).openapi()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


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


def parameter_reference() -> str:
    """Return the page of the parameters of a plan, each with its default."""
    from dealwright import PlanParams
    from dealwright.learn.params import LearnParams
    from dealwright.plan.channels.params import DEFAULT_LIMITS
    from dealwright.plan.staffing.params import DEFAULT_WORK

    defaults = {
        "What limits a channel where nothing is declared": {"channel": {"limits": DEFAULT_LIMITS}},
        "The work of a channel where nothing is declared": {"schedule": {"work": DEFAULT_WORK}},
    }
    parts = [PARAMETERS_HEAD, *_parameter_tables(PlanParams(), "")]
    for title, document in defaults.items():
        parts += [f"## {title}\n", *_toml(document)]
    parts += ["# Parameters of learning\n", "Passed from Python: `Desk.train(LearnParams(…))`.\n"]
    return "\n".join([*parts, *_parameter_tables(LearnParams(), "LearnParams")])


def _parameter_tables(params: Any, place: str) -> Iterator[str]:
    """Yield the table of one class of parameters, and after it those of the classes it holds."""
    values = {item.name: getattr(params, item.name) for item in fields(params)}
    simple = {name: value for name, value in values.items() if not is_dataclass(value)}
    listed = {name: value for name, value in simple.items() if value and _holds_tables(value)}
    summary, _, attributes = (getdoc(params) or "").partition("Attributes\n----------\n")
    meanings = dict(_meanings(attributes))
    yield f"## {f'`{place}`' if place else 'The plan'}\n\n{_paragraphs(summary.strip())}\n"
    yield "| | default | |\n|---|---|---|"
    for name, value in simple.items():
        default = "below" if name in listed else "none" if value is None else f"`{_in_toml(value)}`"
        yield f"| `{name}` | {default} | {_sentence(meanings.get(name))} |"
    yield ""
    if listed:
        yield from _toml({place.strip("[]"): listed})
    for name, value in values.items():
        if is_dataclass(value) and name != "catalogue":
            yield from _parameter_tables(value, f"{place.rstrip(']')}.{name}]" if place else f"[{name}]")


def _holds_tables(value: Any) -> bool:
    return isinstance(value, tuple) and is_dataclass(value[0])


def _meanings(attributes: str) -> Iterator[tuple[str, str]]:
    """Yield what each attribute means; names that share a sentence each get it."""
    for part in re.split(r"\n(?=\w)", attributes.partition("\n\n")[0]):
        head = re.match(r"(\w+(?:, \w+)*)\s*:?\s+(.*)", part, re.DOTALL)
        if head:
            for name in head[1].split(", "):
                yield name, head[2].replace("``", "`")


def _sentence(text: str | None) -> str:
    line = _line(text)
    return line if line.startswith("`") else line[:1].upper() + line[1:]


def _toml(document: Any) -> Iterator[str]:
    from dealwright.toml import to_toml

    yield f"```toml\n{_one_line_lists(to_toml(document).strip())}\n```\n"


def _in_toml(value: Any) -> str:
    from dealwright.toml import to_toml

    text = _one_line_lists(to_toml({"x": value}).strip())
    if isinstance(value, dict):
        return "{" + ", ".join(text.splitlines()[1:]) + "}"
    return text.removeprefix("x = ")


def _one_line_lists(text: str) -> str:
    """Write each list of plain values on one line."""
    text = re.sub(r"\[\s+(?=[^{\s])", "[", text)
    text = re.sub(r"(?<=[^}]),\s+\]", "]", text)
    return re.sub(r"(?<=[^}]),\n\s+", ", ", text)


if __name__ == "__main__":
    COMMANDS_PAGE.write_text(command_reference(), encoding="utf-8")
    PARAMETERS_PAGE.write_text(parameter_reference(), encoding="utf-8")
    OPENAPI.write_text(openapi_document(), encoding="utf-8")
