"""`dealwright backup` and `dealwright restore`: what they print, what they refuse, the JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Command
from engine import add_agent, assign, rows

from dealwright.desk.database import Database

SAVED = {"file", "size_bytes", "schema", "agents", "assignments", "bookings", "waiting"}
RESTORED = SAVED - {"size_bytes"} | {"ids_raised_by", "roles_missing"}


@pytest.fixture
def worked(database: Database) -> Database:
    """Return the desk of the commands, with two agents and three leads."""
    with database.connect(autocommit=True) as connection:
        for name in ("Ada", "Ben"):
            add_agent(connection, name)
        for _ in range(3):
            assign(connection, {})
    return database


@pytest.mark.usefixtures("worked")
def test_they_say_what_was_saved_and_what_is_there(
    dealwright: Command, tmp_path: Path, empty_database: Database
) -> None:
    answer = dealwright("backup", "desk.backup")
    assert answer.out.startswith("desk.backup: 2 agents, 3 assignments, 3 bookings in ")
    answer = dealwright("restore", "desk.backup", "--database-url", empty_database.url)
    assert answer.out == "restored 2 agents, 3 assignments, 3 bookings from desk.backup\n"
    assert [path.name for path in tmp_path.iterdir()] == ["desk.backup"]


@pytest.mark.usefixtures("worked")
def test_programs_get_json(dealwright: Command, tmp_path: Path, empty_database: Database) -> None:
    saved = dealwright("backup", "desk.backup", "--json").json
    assert set(saved) == SAVED
    assert saved["size_bytes"] == (tmp_path / "desk.backup").stat().st_size
    restored = dealwright("restore", "desk.backup", "--database-url", empty_database.url, "--json").json
    assert set(restored) == RESTORED
    assert {name: restored[name] for name in SAVED & RESTORED} == {
        name: saved[name] for name in SAVED & RESTORED
    }
    assert (restored["ids_raised_by"], restored["roles_missing"]) == (0, [])  # the same server


def test_a_desk_is_replaced_only_on_demand(dealwright: Command, worked: Database) -> None:
    dealwright("backup", "desk.backup")
    with worked.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set name = 'Zoe'")
        refused = dealwright("restore", "desk.backup", "--json", expect=1)
        error = json.loads(refused.err)["error"]
        assert error["type"] == "ConflictError"
        assert "has a desk with 2 agents and 3 leads" in error["message"]
        assert rows(connection, "select distinct name from dealwright.agent") == [{"name": "Zoe"}]
        dealwright("restore", "desk.backup", "--overwrite")
        names = rows(connection, "select name from dealwright.agent order by name")
        assert [row["name"] for row in names] == ["Ada", "Ben"]


def test_a_home_without_a_desk_is_not_given_one_by_a_backup(
    dealwright: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    answer = dealwright("backup", "desk.backup", "--home", tmp_path / "nowhere", expect=2)
    assert "there is no desk under" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_backup_is_named(dealwright: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "notes.txt is no backup" in dealwright("restore", "notes.txt", expect=2).err
    assert "no file absent.backup" in dealwright("restore", "absent.backup", expect=2).err
    assert "notes.txt is there and is no backup" in dealwright("backup", "notes.txt", expect=2).err
    assert (tmp_path / "notes.txt").read_text() == "hello"
