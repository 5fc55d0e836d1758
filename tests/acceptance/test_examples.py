"""The examples in README.md and docs/ do what the text beside them says.

A fenced block whose info string says ``console test`` or ``python test`` is run, those of a page in order,
in one temporary directory with a home of its own. In a console block a line with ``$`` is run by the shell,
and the rest is what it must print (``...`` stands for anything). Python blocks share their names.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from dealwright.cli.main import app
from dealwright.desk.server import stop_server

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(r"(?ms)^(?P<mark>`{3,})(?P<kind>console|python) test\n(?P<text>.*?)^(?P=mark)$")
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Example:
    """One block of a page."""

    page: Path
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def _examples(page: Path) -> list[Example]:
    text = page.read_text(encoding="utf-8")
    return [
        Example(page, text.count("\n", 0, match.start()) + 1, match["kind"], match["text"])
        for match in FENCE.finditer(text)
    ]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a temporary home, with the project's own programs first in the path and no colours."""
    home = tmp_path / "home"
    monkeypatch.setenv("DEALWRIGHT_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    yield home
    for running in tmp_path.rglob("postmaster.pid"):  # of an example that opens a desk of its own, too
        stop_server(running.parents[1])


@pytest.mark.parametrize("page", [page for page in PAGES if _examples(page)], ids=lambda page: page.name)
def test_the_examples_of_a_page_hold(page: Path, home: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for example in _examples(page):
        if example.kind == "console":
            _run_console(example)
        else:
            _run_python(example, names)


def _run_console(example: Example) -> None:
    for command, expected in _commands(example):
        done = subprocess.run(
            command,
            shell=True,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{example.place}: {command}\n{done.stdout}{done.stderr}"
        _compare(example, command, expected, done.stdout)


def _commands(example: Example) -> Iterator[tuple[str, str]]:
    """Return each command (a trailing backslash continues it) with what it must print."""
    blocks = re.split(r"(?m)^\$ ", example.text)
    assert blocks[0].strip() == "", f"{example.place}: output before the first command"
    for block in blocks[1:]:
        match = re.match(r"(?s)((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", block)
        assert match is not None
        yield match[1], match[2]


def _run_python(example: Example, names: dict[str, object]) -> None:
    if ">>>" not in example.text:
        exec(compile("\n" * example.line + example.text, str(example.page), "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(
        example.text, names, example.place, str(example.page), example.line
    )
    runner = doctest.DocTestRunner(optionflags=LOOSE)
    report: list[str] = []
    runner.run(test, out=report.append, clear_globs=False)
    names.update(test.globs)
    assert runner.failures == 0, "".join(report)


def _compare(example: Example, command: str, expected: str, printed: str) -> None:
    if not expected.strip():
        return  # the page does not show what it prints
    checker = doctest.OutputChecker()
    wanted = doctest.Example(command, expected)
    if not checker.check_output(wanted.want, printed, LOOSE):
        pytest.fail(f"{example.place}: $ {command}\n{checker.output_difference(wanted, printed, LOOSE)}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), (
                f"{page.relative_to(ROOT)} links to {target}, which is not there"
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    code = re.findall(r"(?ms)^```\w*.*?^```$", text) + re.findall(r"`[^`\n]+`", text)
    for block in code:
        for name in re.findall(r"(?m)(?:^|[`$|]\s*)dealwright ([a-z][a-z-]*)(?= |`|$)", block):
            assert name in _commands_of_the_program(), f"{page.relative_to(ROOT)} names `dealwright {name}`"


def test_every_command_and_option_says_what_it_does() -> None:
    for name, command in _commands_of_the_program().items():
        assert command.help, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"


@cache
def _commands_of_the_program() -> dict[str, Any]:
    commands: dict[str, Any] = getattr(get_command(app), "commands")  # noqa: B009 - untyped in typer
    return commands


def test_a_wrong_example_is_caught(tmp_path: Path) -> None:
    """The checks above notice an output that drifted, a command that fails, Python that raises."""
    page = ROOT / "README.md"
    with pytest.raises(pytest.fail.Exception, match="Expected"):
        _run_console(Example(page, 1, "console", "$ echo one\ntwo\n"))
    with pytest.raises(AssertionError, match="README"):
        _run_console(Example(page, 1, "console", "$ exit 3\n"))
    with pytest.raises(AssertionError, match="Expected"):
        _run_python(Example(page, 1, "python", ">>> 1 + 1\n3\n"), {})
    with pytest.raises(ZeroDivisionError):
        _run_python(Example(page, 1, "python", "1 / 0\n"), {})
    _run_console(
        Example(page, 1, "console", "$ printf 'a\\n%s\\nb\\n' \\\n    x\na\n...\nb\n$ echo fine\nfine\n")
    )
    text = (
        "before\n```console test\n$ echo hi\nhi\n```\n````python test\nx = '```'\n````\n```console\n$ no\n```"
    )
    (tmp_path / "page.md").write_text(text)
    found = _examples(tmp_path / "page.md")
    assert [(example.line, example.kind) for example in found] == [(2, "console"), (6, "python")]
