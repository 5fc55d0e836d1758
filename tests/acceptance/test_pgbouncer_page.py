"""The page on pgbouncer: its settings, with the addresses of a test, are enough for the commands it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Command
from engine import add_agent, declare
from pooler import pooler

from dealwright.desk.database import Database

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pgbouncer.md").read_text(encoding="utf-8")


def _settings() -> str:
    """Return the page's settings for a server that asks nobody for a password."""
    (shown,) = re.findall(r"(?s)```ini\n(.*?)```", PAGE)
    shown = re.sub(r"(?m)^sales = .*$", "* = host={host} port={port} user={user}", shown)
    shown = re.sub(r"(?m)^auth_type = .*\n^auth_file = .*$", "auth_type = any", shown)
    return re.sub(r"(?m)^listen_port = .*$", "listen_port = {listen_port}", shown)


def test_the_commands_of_the_page_work_behind_its_settings(
    dealwright: Command, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pooler"
    folder.mkdir()
    (option,) = re.findall(r"postgresql://anna\S*\?(\S+)'", PAGE)
    commands = [line.split()[2:] for line in re.findall(r"(?m)^\$ dealwright .*$", PAGE)]
    with pooler(database.url, folder, _settings()) as url:
        monkeypatch.setenv("DATABASE_URL", f"{url}?{option}")
        with database.connect(autocommit=True) as connection:
            declare(connection)
            add_agent(connection, "Ada")
        assert commands == [["init"], ["agents"]]
        assert "the desk is ready" in dealwright("init").out
        assert "Ada" in dealwright("agents").out
        lead = ("--customer", "Kate", "--set", "destination=Mars", "--set", "lead_source=Organic")
        for _ in range(8):  # the driver would have prepared the statements by then
            placed = dealwright("assign", *lead, "--json").json
        assert dealwright("settle", placed["booking_id"], "confirmed", "--json").json["status"] == "confirmed"
