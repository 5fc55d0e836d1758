"""Broken tables through the command line: what is said, what is kept, and that nothing is half imported."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from command_line import Command

Edit = Callable[[str], str]


@pytest.fixture
def tables(shared: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    shutil.copytree(shared / "data" / "astra", folder)
    return folder


def change(path: Path, edit: Edit) -> None:
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")


def imported(dealwright: Command) -> tuple[int, ...]:
    answer = dealwright("init", "--json").json
    return answer["agents"], answer["assignments"], answer["bookings"]


def test_broken_rows_are_set_aside_and_all_others_imported(dealwright: Command, tables: Path) -> None:
    lines = (tables / "bookings.csv").read_text().splitlines()
    settled = [number for number, line in enumerate(lines) if line.endswith(",Confirmed")]
    cancelled = [number for number, line in enumerate(lines) if line.endswith(",Cancelled")]
    first, second, third = settled[:3]
    lines[first] = lines[first].replace(lines[first].split(",")[2], "", 1)  # confirmed without a date
    lines[second] = ",".join([*lines[second].split(",")[:7], "-1", *lines[second].split(",")[8:]])
    lines[third] = ",".join([*lines[third].split(",")[:4], "Pluto", *lines[third].split(",")[5:]])
    row = lines[cancelled[1]].split(",")
    lines[cancelled[1]] = ",".join([*row[:3], "2080-12-31 00:00:00", *row[4:]])
    lines.append(lines[-1])  # a duplicate
    (tables / "bookings.csv").write_text("\n".join(lines) + "\n")
    change(tables / "assignment_history.csv", lambda text: text.replace("\n2,14,", "\n2,1400,"))
    answer = dealwright("import", "--map", "astra", tables, "--rejected", "aside")
    for line, words in (
        (first + 1, "confirmed without a date"),
        (second + 1, "'-1': negative"),
        (third + 1, "'Pluto': not a value of destination"),
        (cancelled[1] + 1, "cancelled before it was assigned"),
        (len(lines), "duplicate"),
    ):
        found = [text for text in answer.err.splitlines() if f"bookings.csv, line {line}," in text]
        assert any(words in text for text in found), (line, words, answer.err)
    assert "assignment_history.csv, line 3, AgentID '1400': unknown agent" in answer.err
    aside = pl.read_csv("aside/bookings.csv", infer_schema=False)
    # the booking of the assignment that was set aside is one of them, if it is none of the others
    orphan = next(number for number, text in enumerate(lines) if text.split(",")[1] == "2")
    broken = {first, second, third, cancelled[1], len(lines) - 1, orphan}
    assert aside["line"].to_list() == [str(number + 1) for number in sorted(broken)]
    assert imported(dealwright) == (30, 449, 413 - len(broken))


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("bookings.csv", lambda text: "", "bookings.csv is empty"),
        (
            "bookings.csv",
            lambda text: text.replace("BookingStatus", "Status"),
            "line 1: no column 'BookingStatus'",
        ),
        ("space_travel_agents.csv", lambda text: text.splitlines()[0] + "\n", "no rows"),
        ("assignment_history.csv", lambda text: text + '451,1,"Kim', "line 452: a quote"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    dealwright: Command, tables: Path, file: str, edit: Edit, message: str
) -> None:
    change(tables / file, edit)
    answer = dealwright("import", "--map", "astra", tables, expect=2)
    assert message in answer.err
    assert imported(dealwright) == (0, 0, 0)
    assert not Path("rejected").exists()


def test_not_utf8(dealwright: Command, tables: Path) -> None:
    path = tables / "assignment_history.csv"
    path.write_bytes(path.read_bytes().replace(b"Evelyn", b"\xc9velyn", 1))
    answer = dealwright("import", "--map", "astra", tables, expect=2)
    assert "assignment_history.csv, line 2, byte 5 of the line: not UTF-8" in answer.err
    assert imported(dealwright) == (0, 0, 0)


def test_a_missing_file(dealwright: Command, tables: Path) -> None:
    (tables / "bookings.csv").rename(tables / "booking.csv")
    answer = dealwright("import", "--map", "astra", tables, expect=2)
    assert "did you mean 'booking.csv'?" in answer.err


def test_strict_imports_nothing_when_a_row_is_broken(dealwright: Command, tables: Path) -> None:
    change(tables / "bookings.csv", lambda text: text.replace("Mars", "Marz", 1))
    answer = dealwright("import", "--map", "astra", tables, "--strict", expect=2)
    assert "nothing was imported" in answer.err
    assert imported(dealwright) == (0, 0, 0)
    assert Path("rejected/bookings.csv").is_file()


def test_a_mended_row_is_imported_later(dealwright: Command, tables: Path) -> None:
    change(tables / "bookings.csv", lambda text: text.replace("Mars", "Marz", 1))
    dealwright("import", "--map", "astra", tables)
    change(tables / "bookings.csv", lambda text: text.replace("Marz", "Mars", 1))
    again = dealwright("import", "--map", "astra", tables, "--json").json
    assert again["bookings"] == {"new": 1, "changed": 0, "unchanged": 411}
    assert not list(Path("rejected").iterdir())
    expected = {
        str(row["agent_id"]): row["open"] for row in dealwright("agents", "--json").json if row["open"]
    }
    assert sum(expected.values()) == 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("customer_name,communication_method\nKim,Text\n", "no column 'lead_source'"),
        ("customer_name,comunication_method\nKim,Text\n", "did you mean 'communication_method'"),
        ("", "is empty"),
    ],
)
def test_a_broken_file_of_leads(
    dealwright: Command, tables: Path, tmp_path: Path, content: str, message: str
) -> None:
    dealwright("import", "--map", "astra", tables)
    path = tmp_path / "leads.csv"
    path.write_text(content)
    assert message in dealwright("assign", "--file", path, expect=2).err


def test_one_broken_lead_stops_the_whole_file(dealwright: Command, tables: Path, tmp_path: Path) -> None:
    dealwright("import", "--map", "astra", tables)
    path = tmp_path / "leads.csv"
    header = "customer_name,communication_method,lead_source,destination,launch_location,priority\n"
    good = "Kim,Text,Organic,Mars,Sydney Stellar Port,1\n"
    for bad, message in (
        ("Kim,Text,Organic,Marz,Sydney Stellar Port,1\n", "leads.csv, line 3, destination"),
        ("Kim,Text,Organic,,Sydney Stellar Port,1\n", "leads.csv, line 3: destination is empty"),
        ("Kim,Text,Organic,Mars,Sydney Stellar Port,high\n", "leads.csv, line 3, priority"),
        (",Text,Organic,Mars,Sydney Stellar Port,1\n", "leads.csv, line 3: customer_name is empty"),
        ("Kim,Text,Organic\n", "leads.csv, line 3: 3 fields instead of 6"),
    ):
        path.write_text(header + good + bad)
        assert message in dealwright("assign", "--file", path, expect=2).err
    lines = tmp_path / "leads.jsonl"
    lines.write_text('{"customer_name": "Kim"\n')
    assert "leads.jsonl, line 1: not JSON" in dealwright("assign", "--file", lines, expect=2).err
    assert imported(dealwright) == (30, 450, 412)
