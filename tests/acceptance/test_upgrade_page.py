"""The page on upgrades: what it shows happens so, from a desk of version 0.1 on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Command
from engine import rows, value

from dealwright.desk.database import Database

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "upgrade.md").read_text(encoding="utf-8")


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"(?s)```{kind}\n(.*?)```", PAGE)


def _words(text: str) -> str:
    return " ".join(text.split())


def test_a_desk_of_version_0_1_is_upgraded_as_the_page_shows(
    dealwright: Command, version_0_1: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", version_0_1.url)
    depends, drop = _blocks("sql")
    _, refusal = _blocks("text")
    said = _blocks("console")[0].splitlines()[-1]
    with version_0_1.connect(autocommit=True) as connection:
        rows(connection, depends)
        assert _words(refusal) in _words(dealwright("init", expect=1).err)
        assert value(connection, "select max(version) from dealwright.schema_version") == 4
        rows(connection, drop)
        assert _words(said) in _words(dealwright("init").out)
        assert "nothing to do" in dealwright("init").out
        for name in re.findall(r"`(\w+)`", PAGE.split("is in `dealwright_engine` now:")[1].split(".")[0]):
            assert value(connection, "select to_regclass(%s) is not null", f"dealwright_engine.{name}"), name
