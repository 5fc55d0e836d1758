"""Broken tables through the command line: what is said, what is kept, and that nothing is half imported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psycopg
import pytest
from command_line import Command

Edit = Callable[[str], str]
ROOT = Path(__file__).resolve().parents[2]


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


def test_broken_rows_are_rejected_and_all_others_imported(dealwright: Command, tables: Path) -> None:
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
        (first + 1, "confirmed without a date (rejected)"),
        (second + 1, "'-1': negative (rejected)"),
        (third + 1, "'Pluto': not a value of destination (rejected)"),
        (cancelled[1] + 1, "cancelled before it was assigned (rejected)"),
        (len(lines), "duplicate: line"),
    ):
        found = [text for text in answer.err.splitlines() if f"bookings.csv, line {line}," in text]
        assert any(words in text for text in found), (line, words, answer.err)
    assert (
        "assignment_history.csv, line 3, AgentID '1400': no such agent (rejected); correct the id, or add "
        "the agent to space_travel_agents.csv" in answer.err
    )
    aside = pl.read_csv("aside/bookings.csv", infer_schema=False)
    # the booking of the assignment that was rejected is one of them, if it is none of the others
    orphan = next(number for number, text in enumerate(lines) if text.split(",")[1] == "2")
    broken = sorted({first, second, third, cancelled[1], len(lines) - 1, orphan})
    assert aside.columns == [*lines[0].split(","), "reason"]
    assert [reason.split(",")[0] for reason in aside["reason"]] == [f"line {n + 1}" for n in broken]
    assert aside["BookingID"].to_list() == [lines[number].split(",")[0] for number in broken]
    assert imported(dealwright) == (30, 449, 413 - len(broken))
    assert f"{len(broken) + 1} rows rejected: aside/assignment_history.csv, aside/bookings.csv" in answer.err
    counted = answer.out.splitlines()
    assert counted[1].split() == ["agents", "space_travel_agents.csv", "30", "30", "0"]
    assert counted[2].split() == ["assignments", "assignment_history.csv", "450", "449", "1"]
    assert counted[3].split()[2:] == ["413", str(413 - len(broken)), str(len(broken))]
    unknown = broken[:-1].copy()  # the duplicate's assignment has a booking
    assert f"; {len(set(unknown) - {orphan}):,} with an unknown outcome" in answer.out


def test_no_outcome_is_made_up_of_a_rejected_booking(dealwright: Command, tables: Path) -> None:
    lines = (tables / "bookings.csv").read_text().splitlines()
    wins = [number for number, line in enumerate(lines) if line.endswith(",Confirmed")]
    for number in wins[:5]:
        lines[number] = lines[number].removesuffix("Confirmed") + "Confirmed,x"
    (tables / "bookings.csv").write_text("\n".join(lines) + "\n")
    answer = dealwright("import", "--map", "astra", tables, "--json").json
    assert [item["rows"] for item in answer["warnings"] if "is unknown" in item["reason"]] == [5]
    with psycopg.connect(dealwright("init", "--json").json["database_url"]) as connection:
        counted = connection.execute(
            "select count(*) filter (where won), count(*) filter (where not won) from dealwright.outcome"
        ).fetchone()
    assert counted is not None
    assert counted[0] == len(wins) - 5
    whole = [line for line in lines[1:] if line.endswith(",Cancelled")]
    assert counted[1] == len(whole) + (450 - 412)  # cancelled, and never booked


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("bookings.csv", lambda text: "", "bookings.csv is empty"),
        (
            "bookings.csv",
            lambda text: text.replace("BookingStatus", "State"),
            "bookings.csv: no column 'BookingStatus' (bookings.status in the mapping)",
        ),
        ("bookings.csv", lambda text: text.replace("Pending", "Parked"), "nobody mapped: 'Parked' (20)"),
        ("space_travel_agents.csv", lambda text: text.splitlines()[0] + "\n", "no rows"),
        ("assignment_history.csv", lambda text: text.replace("\n5,", '\n5,"', 1), "line 6: a quote"),
        ("assignment_history.csv", lambda text: text.replace(",", ";"), 'write separator = ";"'),
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
    assert "assignment_history.csv, line 2, byte 5 of the line (0xc9): not UTF-8" in answer.err
    assert imported(dealwright) == (0, 0, 0)


def test_a_missing_file(dealwright: Command, tables: Path) -> None:
    (tables / "bookings.csv").rename(tables / "booking.csv")
    answer = dealwright("import", "--map", "astra", tables, expect=2)
    assert "(astra.toml (shipped): bookings.file): did you mean 'booking.csv'?" in answer.err


def test_the_mapping_stands_beside_the_tables(dealwright: Command, tables: Path) -> None:
    answer = dealwright("import", tables, expect=2)
    assert "company.toml does not exist: `dealwright draft DIR` writes one" in answer.err.replace("\n", " ")
    (tables / "company.toml").write_bytes((ROOT / "src/dealwright/tables/maps/astra.toml").read_bytes())
    dealwright("import", tables)
    assert imported(dealwright) == (30, 450, 412)


def test_strict_imports_nothing_when_a_row_is_broken(dealwright: Command, tables: Path) -> None:
    change(tables / "bookings.csv", lambda text: text.replace("Mars", "Marz", 1))
    answer = dealwright("import", "--map", "astra", tables, "--strict", expect=2)
    assert "1 row rejected, and --strict allows none: nothing was imported; they are in" in answer.err
    assert imported(dealwright) == (0, 0, 0)
    assert Path("rejected/bookings.csv").is_file()
    change(tables / "bookings.csv", lambda text: text.replace("Marz", "Mars", 1))
    dealwright("import", "--map", "astra", tables, "--strict")
    assert imported(dealwright) == (30, 450, 412)


def test_too_many_broken_rows_stop_the_import(dealwright: Command, tables: Path) -> None:
    change(tables / "bookings.csv", lambda text: text.replace("Mars", "Marz").replace("Titan", "Titian"))
    limit = "max_rejected_share = 0.1\n" + (ROOT / "src/dealwright/tables/maps/astra.toml").read_text()
    (tables / "company.toml").write_text(limit)
    answer = dealwright("import", tables, expect=1)
    assert "too many rows were rejected: " in answer.err
    assert "% of bookings (Destination not a value of destination in " in answer.err
    assert "at most 10% of a table may be" in answer.err
    assert imported(dealwright) == (0, 0, 0)
    assert Path("rejected/bookings.csv").is_file()
    dealwright("import", "--map", "astra", tables)
    assert imported(dealwright)[:2] == (30, 450)


def test_a_mended_row_is_imported_later(dealwright: Command, tables: Path) -> None:
    change(tables / "bookings.csv", lambda text: text.replace("Mars", "Marz", 1))
    dealwright("import", "--map", "astra", tables)
    change(tables / "bookings.csv", lambda text: text.replace("Marz", "Mars", 1))
    again = dealwright("import", "--map", "astra", tables, "--json").json
    assert again["bookings"] == {"new": 1, "changed": 0, "unchanged": 411}
    assert (again["rejects"], again["rejected_files"]) == ([], [])
    assert not list(Path("rejected").iterdir())
    expected = {
        str(row["agent_id"]): row["open"] for row in dealwright("agents", "--json").json if row["open"]
    }
    assert sum(expected.values()) == 20


def test_rejected_rows_are_written_over_no_file_of_the_user(dealwright: Command, tables: Path) -> None:
    change(tables / "bookings.csv", lambda text: text.replace("Mars", "Marz", 1))
    answer = dealwright("import", "--map", "astra", tables, "--rejected", tables, expect=2)
    assert "holds the tables themselves: choose another directory for --rejected" in answer.err
    Path("aside").mkdir()
    Path("aside/bookings.csv").write_text("mine\n1\n")
    answer = dealwright("import", "--map", "astra", tables, "--rejected", "aside", expect=2)
    assert "aside/bookings.csv is no file of rejected rows: move it" in answer.err
    assert Path("aside/bookings.csv").read_text() == "mine\n1\n"
    assert imported(dealwright) == (0, 0, 0)


def test_agents_who_are_not_in_the_file_are_named_and_deactivated(dealwright: Command, tables: Path) -> None:
    def active() -> int:
        with psycopg.connect(dealwright("init", "--json").json["database_url"]) as connection:
            row = connection.execute("select count(*) from dealwright.agent where active").fetchone()
        return row[0] if row else -1

    assignments, agents = tables / "assignment_history.csv", tables / "space_travel_agents.csv"
    dealwright("import", "--map", "astra", tables)
    whole = agents.read_text()
    leaver = next(line for line in whole.splitlines() if line.startswith("7,"))
    change(agents, lambda text: text.replace(leaver + "\n", ""))
    change(assignments, lambda text: "".join(x for x in text.splitlines(True) if x.split(",")[1] != "7"))
    name = " ".join(leaver.split(",")[1:3])
    answer = dealwright("import", "--map", "astra", tables, "--keep-missing")
    said = f"on the desk but not in the file: {name} (7): they get leads unless you --deactivate-missing"
    assert said in " ".join(answer.out.split())
    assert active() == 30
    # a broken row is not a missing one
    change(agents, lambda text: text.replace("\n8,", "\n,", 1))
    refused = dealwright("import", "--map", "astra", tables, "--deactivate-missing", expect=2)
    assert "1 row of agents rejected, so it is not known who is missing" in refused.err.replace("\n", " ")
    dealwright("import", "--map", "astra", tables)
    assert active() == 30
    agents.write_text(whole.replace(leaver + "\n", ""))
    answer = dealwright("import", "--map", "astra", tables)
    assert f"{name} (7): deactivated: they get no more leads" in " ".join(answer.out.split())
    assert active() == 29
    agents.write_text(whole)
    document = dealwright("import", "--map", "astra", tables, "--deactivate-missing", "--json").json
    assert (document["missing_agents"], document["deactivated"]) == ([], 0)
    assert active() == 30


# files of leads


HEADER = "customer_name,communication_method,lead_source,destination,launch_location,priority\n"
GOOD = "{},Text,Organic,Mars,Sydney Stellar Port,1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("customer_name,communication_method\nKim,Text\n", "no column 'lead_source'"),
        ("customer_name,comunication_method\nKim,Text\n", "did you mean 'communication_method'"),
        ("", "is empty"),
        (HEADER, "holds no leads"),
    ],
)
def test_a_broken_file_of_leads(
    dealwright: Command, tables: Path, tmp_path: Path, content: str, message: str
) -> None:
    dealwright("import", "--map", "astra", tables)
    path = tmp_path / "leads.csv"
    path.write_text(content)
    assert message in dealwright("assign", "--file", path, expect=2).err
    assert imported(dealwright) == (30, 450, 412)


BROKEN_LEADS = {
    "Kim,Text,Organic,Marz,Sydney Stellar Port,1\n": (
        "leads.csv, line 3, destination 'Marz': not a value of destination (rejected); did you mean 'Mars'?"
    ),
    "Kim,Text,Organic,,Sydney Stellar Port,1\n": "line 3, destination: empty (rejected); fill it in",
    "Kim,Text,Organic,Mars,Sydney Stellar Port,high\n": "line 3, priority 'high': not a whole number",
    ",Text,Organic,Mars,Sydney Stellar Port,1\n": "line 3, customer_name: empty (rejected); fill it in",
    "Kim,Text,Organic\n": "line 3, (row) 'Kim | Text | Organic': 3 fields instead of 6 (rejected)",
}


def test_the_good_leads_of_a_file_are_placed_and_the_bad_ones_named_and_kept(
    dealwright: Command, tables: Path
) -> None:
    dealwright("import", "--map", "astra", tables)
    Path("in").mkdir()
    for number, (bad, message) in enumerate(BROKEN_LEADS.items(), 1):
        Path("in/leads.csv").write_text(HEADER + GOOD.format("Ann") + bad + GOOD.format("Bob"))
        answer = dealwright("assign", "--file", "in/leads.csv")
        assert message in answer.err
        assert "2 of 2 leads assigned" in answer.out
        assert "1 row rejected: " in answer.err
        rejected = pl.read_csv("rejected/leads.csv", infer_schema=False)
        assert rejected.height == 1
        assert rejected["reason"][0].startswith("line 3")
        assert imported(dealwright)[1] == 450 + 2 * number
    # the bad ones, mended, can be assigned from where they were written
    text = (
        Path("rejected/leads.csv")
        .read_text()
        .replace("Kim,Text,Organic,,,,", GOOD.format("Kim").strip() + ",")
    )
    Path("mended.csv").write_text(text)
    assert "1 of 1 leads assigned" in dealwright("assign", "--file", "mended.csv").out
    assert "holds the tables themselves" in (
        dealwright("assign", "--file", "rejected/leads.csv", expect=2).err.replace("\n", " ")
    )


def test_strict_assigns_all_leads_of_a_file_or_none(dealwright: Command, tables: Path) -> None:
    dealwright("import", "--map", "astra", tables)
    Path("in").mkdir()
    for bad, message in BROKEN_LEADS.items():
        Path("in/leads.csv").write_text(HEADER + GOOD.format("Ann") + bad)
        answer = dealwright("assign", "--file", "in/leads.csv", "--strict", expect=2)
        assert message.replace(" (rejected)", "").split(";")[0] in answer.err
        assert "(--strict: nothing was assigned)" in answer.err.replace("\n", " ")
    assert imported(dealwright) == (30, 450, 412)
    assert not Path("rejected").exists()
    Path("in/leads.csv").write_text(HEADER + GOOD.format("Ann") + GOOD.format("Bob"))
    dealwright("assign", "--file", "in/leads.csv", "--strict")
    assert imported(dealwright)[1] == 452


def test_lines_that_are_no_json_are_named_and_the_others_placed(dealwright: Command, tables: Path) -> None:
    dealwright("import", "--map", "astra", tables)
    Path("in").mkdir()
    lead = {
        "customer_name": "Ann",
        "attributes": {
            "communication_method": "Text", "lead_source": "Organic", "destination": "Mars",
            "launch_location": "Sydney Stellar Port",
        },
    }  # fmt: skip
    lines = [
        json.dumps(lead),
        json.dumps({**lead, "priority": float("nan")}),
        '{"customer_name": "Kim"',
        json.dumps(lead),
    ]
    Path("in/leads.jsonl").write_text("\n".join(lines))
    answer = dealwright("assign", "--file", "in/leads.jsonl", "--json").json
    assert [item["status"] for item in answer] == ["assigned", "assigned", "rejected", "rejected"]
    assert [(item.get("line"), item.get("reason", "")[:12]) for item in answer[2:]] == [
        (2, "no JSON: NaN"), (3, "no JSON: Exp"),
    ]  # fmt: skip
    Path("in/leads.jsonl").write_text(lines[2])
    answer = dealwright("assign", "--file", "in/leads.jsonl", expect=2)
    assert "leads.jsonl, line 1: no JSON: Expecting ',' delimiter at character 24" in answer.err
    rejected = HEADER + GOOD.format("Ann").replace("Mars", "Marz")
    Path("in/leads.csv").write_text(rejected)
    dealwright("assign", "--file", "in/leads.csv", expect=1)


def test_leads_that_the_desk_refuses_are_rejected_with_their_line(dealwright: Command) -> None:
    Path("in").mkdir()
    Path("in/people.csv").write_text("id,name\na,Ann\n")
    Path("in/deals.csv").write_text("id,who,customer,day,source\n1,a,Kim,2025-01-01,web\n")
    Path("in/company.toml").write_text(
        """
        agents = { file = "people.csv", id = "id", name = "name" }
        [assignments]
        file = "deals.csv"
        id = "id"
        agent = "who"
        customer_name = "customer"
        assigned_at = "day"
        [dimensions.source]
        values = "any"
        """
    )
    dealwright("import", "in")
    Path("in/leads.csv").write_text(f"customer_name,source\nKim,new\nSam,{'x' * 201}\nIda,web\n")
    answer = dealwright("assign", "--file", "in/leads.csv")
    assert "2 of 2 leads assigned" in answer.out
    assert (
        "leads.csv, line 3, (row): a value of source has 200 characters at most, not 201 (rejected)"
        in answer.err
    )
    assert pl.read_csv("rejected/leads.csv")["customer_name"].to_list() == ["Sam"]
