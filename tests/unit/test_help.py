"""What ``--help`` shows is whole, and its examples are understood."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from dealwright.cli.help import EXAMPLES, GROUPS
from dealwright.cli.main import _hoist, app, main

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROOT: Any = typer.main.get_command(app)


def commands(command: Any = ROOT, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command and group below the program, by its path."""
    for name, child in getattr(command, "commands", {}).items():
        yield f"{path} {name}".strip(), child
        yield from commands(child, f"{path} {name}".strip())


COMMANDS = dict(commands())


def help_of(path: str, capsys: pytest.CaptureFixture[str], option: str = "--help") -> str:
    with pytest.raises(SystemExit) as ended:
        main([*path.split(), option])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_command_stands_in_one_group() -> None:
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(ROOT.commands)


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_no_name_is_cut_and_both_examples_stand_there(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = help_of(path, capsys)
    assert "…" not in re.sub(r"(CSV, Excel|es_ES|JPY|jsonl) …", "", shown)
    for parameter in COMMANDS[path].params:
        if parameter.param_type_name == "option":
            assert all(re.search(rf"(^|\s){name}(\s|,|$)", shown, re.MULTILINE) for name in parameter.opts), (
                path
            )
    assert len(EXAMPLES[path]) >= 2
    assert all(f"\n  {example}\n" in f"{shown}\n" for example in EXAMPLES[path])
    assert shown == help_of(path, capsys, "-h")


@pytest.mark.parametrize("line", sorted({line for lines in EXAMPLES.values() for line in lines}))
def test_an_example_is_understood(line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "dealwright"
    words = _hoist(words)
    ROOT.make_context("dealwright", list(words), resilient_parsing=False)
    while words and words[0].startswith("--"):  # options of the whole program and their values
        words = words[2:]
    command = ROOT
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    command.make_context("dealwright", words)


def test_examples_belong_to_commands() -> None:
    assert set(EXAMPLES) == {"", *COMMANDS}


def _reference() -> Any:
    found = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert found is not None
    assert found.loader is not None
    reference = importlib.util.module_from_spec(found)
    found.loader.exec_module(reference)
    return reference


def test_the_reference_in_the_documentation_is_the_command_lines_own() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert page == _reference().command_reference(), "run `python docs/reference.py`"
    assert all(f"### dealwright {path}\n" in page for path in COMMANDS)


def test_the_description_of_the_http_interface_is_the_services_own() -> None:
    document = (DOCS / "openapi.json").read_text(encoding="utf-8")
    assert document == _reference().openapi_document(), "run `python docs/reference.py`"


def test_the_page_of_parameters_has_each_default_of_the_code() -> None:
    page = (DOCS / "parameters.md").read_text(encoding="utf-8")
    assert page == _reference().parameter_reference(), "run `python docs/reference.py`"
    # each parameter says what it is for
    assert not re.findall(r"^\| `\w+` \| .* \|  \|$", page, re.MULTILINE)
