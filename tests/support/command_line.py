"""Run the command line inside the test's process, as a user would from a shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dealwright.cli.main import main
from dealwright.desk.database import Database


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture
def dealwright(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command against a fresh desk, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DEALWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DEALWRIGHT_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object, expect: int = 0) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        answer = Answer(int(left.value.code or 0), captured.out, captured.err)
        assert answer.code == expect, answer
        assert "Traceback" not in answer.out + answer.err
        return answer

    return run
