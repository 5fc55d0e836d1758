"""The command line's frame: help, version, global options anywhere, apologies instead of stack traces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dealwright.cli import leads, main


def leave(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main.main(arguments)
    return int(left.value.code or 0)


def test_global_options_may_stand_anywhere() -> None:
    given = ["rank", "--database-url", "URL", "--set", "a=b", "--home=H", "--debug"]
    assert main._hoist(given) == ["--database-url", "URL", "--home=H", "--debug", "rank", "--set", "a=b"]
    assert main._hoist(["settle", "--", "--home"]) == ["settle", "--", "--home"]


def test_a_night_without_a_desk_spares_the_database_client() -> None:
    script = (
        "import sys\n"
        "import dealwright.cli.plan_summary, dealwright.runs.night\n"
        "sys.exit(','.join(sorted({'psycopg', 'psycopg_pool', 'asyncio'} & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from dealwright.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'polars', 'numpy', 'psycopg', 'sklearn', 'scipy', 'matplotlib', 'numba', 'ortools'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in (
        "init",
        "import",
        "train",
        "model",
        "rank",
        "assign",
        "settle",
        "explain",
        "task",
        "demo",
    ):
        assert command in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(["--version"]) == 0
    assert capsys.readouterr().out.startswith("dealwright ")


def test_an_unexpected_error_is_an_apology(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault of our own")

    monkeypatch.setenv("DEALWRIGHT_HOME", str(tmp_path))
    monkeypatch.setattr(leads, "open_desk", fail)
    assert leave(["queue", "--database-url", "postgresql://user:secret@host/db"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("dealwright: sorry")
    assert "Traceback" not in said
    log = (tmp_path / "log" / "dealwright.log").read_text()
    assert "ZeroDivisionError: a fault of our own" in log
    assert "secret" not in log
    assert leave(["queue", "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["error"]["type"] == "UnexpectedError"
    assert leave(["queue", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
