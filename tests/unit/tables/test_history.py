"""From tables to a history: what is read, cell by cell; what is rejected, and why; what is never guessed."""

# ruff: noqa: E501 - a table of one broken row per line reads best unbroken
from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import workbook

from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import GateError, InputError
from dealwright.schemas import (
    AGENT_COLUMNS,
    ASSIGNMENT_COLUMNS,
    BOOKING_COLUMNS,
    PROBLEM_COLUMNS,
    History,
    Intake,
    TableReport,
)
from dealwright.tables.history import read_history
from dealwright.tables.mapping import parse_mapping, read_mapping

MAP = """
[agents]
file = "people.csv"
id = "id"
name = "name"

[assignments]
file = "leads.csv"
id = "id"
agent = "who"
customer_name = "customer"
assigned_at = "day"

[bookings]
file = "deals.csv"
id = "no"
assignment = "lead"
status = "state"
completed_at = "closed"
cancelled_at = "closed"
total_revenue = "amount"

[bookings.statuses]
confirmed = "won"
cancelled = "lost"
pending = "open"
none = "never called"

[dimensions.source]
values = ["web", "shop"]
"""
PEOPLE = "id,name\na,Ann Lee\nb,Bob Ray\n"
LEADS = (
    "id,who,customer,day,source\n"
    "L1,a,Kim,2025-01-01 09:00,web\n"
    "L2,b,Sam,2025-01-02 09:00,shop\n"
    "L3,a,Ida,2025-01-03 09:00,web\n"
    "L4,b,Jo,2025-01-04 09:00,shop\n"
)
DEALS = (
    "no,lead,state,closed,amount\n"
    "D1,L1,won,2025-02-01 10:00,150\n"
    "D2,L2,lost,2025-02-02 10:00,\n"
    "D3,L3,open,,80\n"
)
FLAT = """
[agents]
from = "assignments"
id = "owner"
name = "owner"
[assignments]
file = "all.csv"
id = "nr"
agent = "owner"
customer_name = "customer"
assigned_at = "created"
[bookings]
id = "nr"
assignment = "nr"
status = "stage"
completed_at = "closed"
cancelled_at = "closed"
total_revenue = "amount"
statuses = { confirmed = "won", cancelled = "lost", pending = "open", none = "" }
"""
FLAT_HEADER = "nr,owner,customer,created,stage,closed,amount\n"


def read(
    folder: Path, mapping: str = MAP, people: str = PEOPLE, leads: str = LEADS, deals: str = DEALS, **more: str
) -> History:  # fmt: skip
    for name, text in {"people": people, "leads": leads, "deals": deals, **more}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return read_history(parse_mapping(mapping, "company.toml"), folder)


def read_flat(folder: Path, rows: str, mapping: str = FLAT, header: str = FLAT_HEADER) -> History:
    (folder / "all.csv").write_text(header + rows, encoding="utf-8")
    return read_history(parse_mapping(mapping, "company.toml"), folder)


def problems(history: History, level: str = "rejected") -> list[tuple[Any, ...]]:
    found = history.intake.problems.filter(pl.col("level") == level)
    return found.select("file", "line", "column", "value", "reason", "fix").rows()


def notes(history: History, level: str = "note") -> list[tuple[Any, ...]]:
    found = history.intake.problems.filter(pl.col("level") == level)
    return found.select("table", "column", "rows", "reason", "fix").rows()


def unknown(history: History) -> list[str]:
    """Return the assignments whose outcome is unknown."""
    return history.assignments.filter("outcome_unknown")["external_id"].to_list()


def moment(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2025, month, day, hour, minute, tzinfo=UTC)


# what is read


def test_a_company_is_read_whole(tmp_path: Path) -> None:
    history = read(tmp_path)
    assert history.agents.equals(
        pl.DataFrame(
            {
                "external_id": ["a", "b"], "name": ["Ann Lee", "Bob Ray"], "capacity": [10, 10],
                "active": [None, None], "skills": [[], []], "weight": [1.0, 1.0],
                **dict.fromkeys(("email", "job_title", "department", "manager", "years_of_service", "rating")),
            },
            schema_overrides=dict(AGENT_COLUMNS),
        ).select(list(AGENT_COLUMNS))
    )  # fmt: skip
    assert history.assignments.equals(
        pl.DataFrame(
            {
                "external_id": ["L1", "L2", "L3", "L4"], "agent_external_id": ["a", "b", "a", "b"],
                "customer_name": ["Kim", "Sam", "Ida", "Jo"],
                "assigned_at": [moment(1, day, 9) for day in (1, 2, 3, 4)],
                "requirements": [None] * 4, "customer_id": [None] * 4, "outcome_unknown": [False] * 4,
                "source": ["web", "shop", "web", "shop"],
            },
            schema={**ASSIGNMENT_COLUMNS, "source": pl.String},
        )
    )  # fmt: skip
    assert history.bookings.equals(
        pl.DataFrame(
            {
                "external_id": ["D1", "D2", "D3"], "assignment_external_id": ["L1", "L2", "L3"],
                "status": ["confirmed", "cancelled", "pending"],
                "completed_at": [moment(2, 1, 10), None, None],
                "cancelled_at": [None, moment(2, 2, 10), None],
                "base_revenue": [150.0, None, 80.0], "package_revenue": [0.0, None, 0.0],
                "total_revenue": [150.0, None, 80.0], "package": [None] * 3,
            },
            schema=dict(BOOKING_COLUMNS),
        )
    )  # fmt: skip
    assert history.dimensions == (Dimension("source", ("web", "shop")),)
    assert history.follow_up_days == 7.0
    assert problems(history) == []
    assert [(r.table, r.file, r.rows, r.kept) for r in history.intake.tables.values()] == [
        ("agents", "people.csv", 2, 2), ("assignments", "leads.csv", 4, 4), ("bookings", "deals.csv", 3, 3),
    ]  # fmt: skip


def test_every_field_of_an_agent_is_read(tmp_path: Path) -> None:
    mapping = """
    follow_up_days = 3.5
    default_capacity = 7
    [agents]
    file = "people.csv"
    id = "no"
    name = ["first", "last"]
    email = "mail"
    job_title = "title"
    department = { value = "Sales" }
    manager = { column = "boss", default = "Bo" }
    years_of_service = "years"
    rating = "stars"
    capacity = "room"
    active = "here"
    skills = { column = "can", separator = "|" }
    weight = "share"
    """
    people = (
        "no,first,last,mail,title,boss,years,stars,room,here,can,share\n"
        "1,Ann,Lee,ann@x.org,Lead,Eve,3,4.5,12,no,luxury | sea,0.5\n"
        "2,,Ray,,,,,,,,,\n"
    )
    history = read(tmp_path, mapping, people)
    assert history.agents.rows() == [
        ("1", "Ann Lee", "ann@x.org", "Lead", "Sales", "Eve", 3.0, 4.5, 12, False, ["luxury", "sea"], 0.5),
        ("2", "Ray", None, None, "Sales", "Bo", None, None, 7, None, [], 1.0),
    ]
    assert dict(history.agents.schema) == dict(AGENT_COLUMNS)
    assert history.follow_up_days == 3.5
    assert history.assignments.schema == pl.Schema(ASSIGNMENT_COLUMNS)
    assert history.bookings.schema == pl.Schema(BOOKING_COLUMNS)


CHANNELS = """
[agents]
file = "people.csv"
id = "id"
name = "name"
[agents.channels]
Phone = "calls"
"Video call" = { column = "videos", default = 2 }
[dimensions.communication_method]
values = ["Phone", "Video call", "Text"]
"""


def test_limits_of_channels_are_read_from_columns_of_the_agents(tmp_path: Path) -> None:
    people = "id,name,calls,videos\na,Ann,3,\nb,Bob,,0\nc,Cy,-1,1\nd,Di,some,1\n"
    history = read(tmp_path, CHANNELS, people)
    assert sorted(history.agent_channels.rows()) == [
        ("a", "Phone", 3), ("a", "Video call", 2), ("b", "Video call", 0),
    ]  # fmt: skip
    assert history.channel_dimension == "communication_method"
    fix = "write how many open leads of the channel fit, 0 or more; or leave it empty"
    assert problems(history) == [
        ("people.csv", 4, "calls", "-1", "not from 0 to 2,147,483,647", fix),
        ("people.csv", 5, "calls", "some", "not a whole number", fix),
    ]


def test_a_channel_is_a_value_of_the_one_dimension_that_has_it(tmp_path: Path) -> None:
    people = "id,name,calls,videos\na,Ann,3,1\n"
    other = CHANNELS.replace("communication_method", "medium")
    assert read(tmp_path, other, people).channel_dimension == "medium"
    assert read(tmp_path, MAP).channel_dimension is None
    twice = other + '[dimensions.way]\nvalues = ["Phone", "Video call"]\n'
    for mapping, message in (
        (
            twice,
            "company.toml: agents.channels: they are values of medium and of way: call the one that is the ",
        ),
        (
            CHANNELS.replace('Phone = "calls"', 'Phon = "calls"'),
            (
                "company.toml: agents.channels.Phon: it is no value of communication_method: unknown channel 'Phon': "
                "did you mean 'Phone'?"
            ),
        ),
        (CHANNELS.partition("[dim")[0], "company.toml: agents.channels.Phone: it is no value of a dimension"),
    ):
        with pytest.raises(InputError) as error:
            parse_mapping(mapping, "company.toml")
        assert str(error.value).startswith(message)
    with pytest.raises(InputError, match=r"people\.csv.*agents\.channels\.Phone"):
        read(tmp_path, CHANNELS, "id,name,videos\na,Ann,3\n")


def test_agents_are_needed_and_the_rest_may_be_missing(tmp_path: Path) -> None:
    agents = MAP[: MAP.index("[assignments]")]
    history = read(tmp_path, agents + '[dimensions.source]\nvalues = ["web"]')
    assert (history.agents.height, history.assignments.height, history.bookings.height) == (2, 0, 0)
    assert history.assignments.columns == [*ASSIGNMENT_COLUMNS, "source"]
    no_bookings = read(tmp_path, MAP[: MAP.index("[bookings]")])
    assert no_bookings.assignments["outcome_unknown"].to_list() == [False] * 4
    with pytest.raises(
        InputError, match=r"company\.toml: agents: missing: add an \[agents\] table with file, id"
    ):
        read(tmp_path, '[orders]\nfile = "o.csv"')
    with pytest.raises(
        InputError, match=r"people\.csv has a header and no rows: there must be at least one agent"
    ):
        read(tmp_path, people="id,name\n")
    with pytest.raises(InputError, match=r"people\.csv has no row that fulfils where under \[agents\]"):
        read(tmp_path, MAP.replace('id = "id"', "id = 'id'\nwhere = \"id = 'z'\"", 1))


def test_astra_is_read_whole(shared: Path) -> None:
    history = read_history(read_mapping("astra"), shared / "data" / "astra")
    assert problems(history) == []
    assert (history.agents.height, history.assignments.height, history.bookings.height) == (30, 450, 412)
    counts = dict(history.bookings.group_by("status").len().iter_rows())
    assert counts == {"confirmed": 297, "cancelled": 95, "pending": 20}
    assert history.assignments["destination"].null_count() == 38
    assert history.agents["name"][18] == "Calypso White"
    assert history.agents["external_id"].to_list() == [str(number) for number in range(1, 31)]
    assert history.bookings["total_revenue"][0] == 175_000
    assert history.assignments["assigned_at"][0] == datetime(2081, 2, 1, 9, tzinfo=UTC)
    warnings = history.intake.problems.filter(pl.col("level") == "warning")
    assert warnings.height == 18  # booked up to 40 minutes before the lead was filed


def test_columns_are_joined_and_constants_and_defaults_fill_what_is_missing(tmp_path: Path) -> None:
    mapping = MAP.replace('id = "no"', 'id = { columns = ["year", "no"], joined_by = "-" }')
    mapping = mapping.replace(
        'total_revenue = "amount"',
        'total_revenue = { column = "amount", default = 1.5 }\npackage = { value = "Gold" }',
    )
    history = read(
        tmp_path,
        '[format]\ndecimal = ","\n' + mapping,
        deals='year;no;lead;state;closed;amount\n2025;1;L1;won;2025-02-01;2,5\n2025;;L2;won;2025-02-01;\n;3;L3;won;2025-02-01;"1.000,5"\n',
    )
    # a default is written as TOML writes numbers, whatever the file's decimal sign
    assert history.bookings.select("external_id", "total_revenue", "package").rows() == [
        ("2025-1", 2.5, "Gold"), ("2025", 1.5, "Gold"), ("3", 1000.5, "Gold"),
    ]  # fmt: skip


def test_constants_of_every_kind_are_read_as_toml_writes_them(tmp_path: Path) -> None:
    mapping = MAP.replace(
        'name = "name"',
        'name = "name"\nyears_of_service = { value = 1.234 }\ncapacity = { value = 12 }\nactive = { value = false }\n'
        'skills = { value = "luxury; sea" }',
    )
    mapping = mapping.replace('assigned_at = "day"', "assigned_at = { value = 2025-01-01 }")
    declared = (
        '[format]\ndecimal = ","\nthousands = "."\ndate_formats = ["%d/%m/%Y"]\ntime_zone = "Europe/Madrid"\n'
    )
    deals = "no,lead,state,closed,amount\nD1,L1,won,05/02/2025,150\n"
    history = read(tmp_path, declared + mapping, deals=deals)
    assert history.agents.select("years_of_service", "capacity", "active", "skills").row(0) == (
        1.234, 12, False, ["luxury", "sea"],
    )  # fmt: skip
    assert history.assignments["assigned_at"].to_list() == [datetime(2024, 12, 31, 23, tzinfo=UTC)] * 4
    assert history.bookings["completed_at"].to_list() == [moment(2, 4, 23)]


def test_a_default_fills_dates_and_lists_and_one_that_cannot_be_read_is_rejected(tmp_path: Path) -> None:
    mapping = MAP.replace('"closed"', '{ column = "closed", default = 2025-03-01 }')
    mapping = mapping.replace(
        'name = "name"',
        'name = "name"\nskills = { column = "can", default = "sea; air" }\nrating = { column = "stars", default = "good" }',
    )
    deals = DEALS.replace("2025-02-01 10:00", "")
    people = "id,name,can,stars\na,Ann,,\nb,Bob,land,4\n"
    history = read(tmp_path, mapping, people, deals=deals)
    assert history.agents["skills"].to_list() == [["land"]]
    assert problems(history)[0] == ("people.csv", 2, "stars", None, "not a number", "write a number")
    history = read(tmp_path, mapping.replace('"good"', "3"), people, deals=deals)
    assert history.agents["skills"].to_list() == [["sea", "air"], ["land"]]
    assert history.agents["rating"].to_list() == [3.0, 4.0]
    assert history.bookings["completed_at"].to_list() == [moment(3, 1), None, None]
    assert history.bookings["cancelled_at"].to_list() == [None, moment(2, 2, 10), None]


# what is rejected


def change(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


A, L, D = (text.splitlines()[1] for text in (PEOPLE, LEADS, DEALS))
AMOUNT_FIX = "write an amount of at least 0, or leave it empty"
DATE_FIX = "write it like 2026-06-30 14:05"


@pytest.mark.parametrize(
    ("table", "old", "new", "expected"),
    [
        ("people", "b,Bob Ray", "a,Bob Ray", (3, "id", "a", "duplicate: line 2 has it already", "keep one row per id, or give it an id of its own")),
        ("people", "b,Bob Ray", "b,", (3, "name", None, "empty", 'fill it in, or give it a default: agents.name = { column = "name", default = … }')),
        ("people", "b,Bob Ray", ",Bob Ray", (3, "id", None, "empty", 'fill it in, or give it a default: agents.id = { column = "id", default = … }')),
        ("people", "b,Bob Ray", "b,Bob,Ray", (3, "(row)", "b | Bob | Ray", "3 fields instead of 2", "put a field that holds the separator in quotes, or add the missing ones")),
        ("leads", "L4,b", "L4,z", (5, "who", "z", "no such agent", "correct the id, or add the agent to people.csv")),
        ("leads", "L4,b", "L4,", (5, "who", None, "empty", 'fill it in, or give it a default: assignments.agent = { column = "who", default = … }')),
        ("leads", "L4", "L1", (5, "id", "L1", "duplicate: line 2 has it already", "keep one row per id, or give it an id of its own")),
        ("leads", "Jo", "", (5, "customer", None, "empty", 'fill it in, or give it a default: assignments.customer_name = { column = "customer", default = … }')),
        ("leads", "2025-01-04 09:00", "2025-02-30 09:00", (5, "day", "2025-02-30 09:00", "not a date or time that exists", DATE_FIX)),
        ("leads", "2025-01-04 09:00", "", (5, "day", None, "empty", 'fill it in, or give it a default: assignments.assigned_at = { column = "day", default = … }')),
        ("leads", "09:00,shop\nL3", "09:00,shoe\nL3", (3, "source", "shoe", "not a value of source", "did you mean 'shop'?")),
        ("leads", "09:00,shop\nL3", "09:00,fair\nL3", (3, "source", "fair", "not a value of source", "use one of: web, shop; or add it to dimensions.source.values")),
        ("leads", "09:00,shop\nL3", "09:00,\nL3", (3, "source", None, "empty source", "fill it in, or write required = false under [dimensions.source]")),
        ("leads", "L4,b,Jo", "L4,b", (5, "(row)", "L4 | b | 2025-01-04 09:00 | shop", "4 fields instead of 5", "put a field that holds the separator in quotes, or add the missing ones")),
        ("deals", "D3", "D1", (4, "no", "D1", "duplicate: line 2 has it already", "keep one row per id, or give it an id of its own")),
        ("deals", "D3", "", (4, "no", None, "empty", 'fill it in, or give it a default: bookings.id = { column = "no", default = … }')),
        ("deals", "D3,L3", "D3,L9", (4, "lead", "L9", "no such assignment", "correct the id, or add the assignment to leads.csv")),
        ("deals", "D3,L3", "D3,L1", (4, "lead", "L1", "duplicate: the assignment has a booking already, on line 2", "remove one of the two")),
        ("deals", "D3,L3", "D3,", (4, "lead", None, "empty", 'fill it in, or give it a default: bookings.assignment = { column = "lead", default = … }')),
        ("deals", "open", "", (4, "state", None, "empty", "fill it in; or map the empty word to none, if there is no booking")),
        ("deals", ",80", ",-80", (4, "amount", "-80", "negative", AMOUNT_FIX)),
        ("deals", ",80", ",1.5.0", (4, "amount", "1.5.0", "not a number", AMOUNT_FIX)),
        ("deals", ",80", ",1e15", (4, "amount", "1e15", "too large", AMOUNT_FIX)),
        ("deals", ",80", ",inf", (4, "amount", "inf", "not a number", AMOUNT_FIX)),
        ("deals", "lost,2025-02-02 10:00", "lost,2025-13-02", (3, "closed", "2025-13-02", "not a date or time that exists", DATE_FIX)),
        ("deals", "lost,2025-02-02 10:00", "lost,", (3, "closed", None, "cancelled without a date", "write when it was cancelled, or map its status to pending; its outcome counts as unknown")),
        ("deals", "lost,2025-02-02 10:00", "lost,2025-01-02 08:59", (3, "closed", "2025-01-02 08:59", "cancelled before it was assigned", "correct this date, or the assignment's")),
        ("deals", "open,,80", "won,,80", (4, "closed", None, "confirmed without a date", "write when it was completed, or map its status to pending; its outcome counts as unknown")),
        ("deals", "open,,80", "won,2025-02-01,", (4, "amount", None, "confirmed without an amount", 'write the revenue, or give a default: bookings.total_revenue = { column = "amount", default = 0 }')),
        ("deals", "open,,80", "won,2025-01-03 08:59,80", (4, "closed", "2025-01-03 08:59", "completed before it was assigned", "correct this date, or the assignment's")),
        ("deals", "D3,L3,open,,80", "D3,L3,open,,80,surplus", (4, "(row)", "D3 | L3 | open |  | 80 | surplus", "6 fields instead of 5", "put a field that holds the separator in quotes, or add the missing ones")),
    ],
)  # fmt: skip
def test_a_broken_row_is_named_and_the_others_are_kept(
    tmp_path: Path, table: str, old: str, new: str, expected: tuple[Any, ...]
) -> None:
    tables = {"people": PEOPLE, "leads": LEADS, "deals": DEALS}
    history = read(tmp_path, **{**tables, table: change(tables[table], old, new)})
    first, *others = [problem for problem in problems(history) if problem[0] == f"{table}.csv"]
    assert first == (f"{table}.csv", *expected)
    assert [problem[:5] for problem in others if problem[3] is not None] == []
    place = {"people": "agents", "leads": "assignments", "deals": "bookings"}[table]
    report = history.intake.tables[place]
    assert (report.rows, report.rejected.height) == (report.kept + 1, 1)
    assert getattr(history, place).height == report.kept
    assert report.follow_on == 0


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("years_of_service", "-1", "not from 0 to 100"),
        ("years_of_service", "101", "not from 0 to 100"),
        ("rating", "-1e12", "below -999,999,999,999"),
        ("rating", "1e12", "too large"),
        ("capacity", "-1", "not from 0 to 2,147,483,647"),
        ("capacity", "2147483648", "not from 0 to 2,147,483,647"),
        ("capacity", "1.5", "not a whole number"),
        ("capacity", "1e300", "not a whole number"),
        ("capacity", "-9.3e18", "not a whole number"),
        ("weight", "0", "not from 1e-09 to 1,000,000"),
        ("weight", "1000001", "not from 1e-09 to 1,000,000"),
        ("active", "perhaps", "not yes or no"),
    ],
)
def test_what_is_out_of_range_is_rejected_and_what_is_at_its_edge_is_not(
    tmp_path: Path, field: str, value: str, reason: str
) -> None:
    mapping = f'[agents]\nfile = "people.csv"\nid = "id"\nname = "id"\n{field} = "x"'
    history = read(tmp_path, mapping, people=f"id,x\na,{value}\nb,\n")
    assert [(line, column, said) for _, line, column, _, said, _ in problems(history)] == [(2, "x", reason)]
    assert history.agents["external_id"].to_list() == ["b"]
    edges = {"years_of_service": (0, 100), "capacity": (0, 2**31 - 1), "weight": (1e-6, 1e6),
             "rating": (-999_999_999_999.0, 999_999_999_999.0), "active": (True, False)}[field]  # fmt: skip
    people = "id,x\n" + "".join(
        f"{name},{str(edge).lower()}\n" for name, edge in zip("ab", edges, strict=True)
    )
    history = read(tmp_path, mapping, people=people)
    assert problems(history) == []
    assert history.agents[field].to_list() == list(edges)


def test_consequences_are_followed_to_the_end_and_are_no_faults_of_their_own(tmp_path: Path) -> None:
    history = read(tmp_path, people="id,name\na,\nb,Bob Ray\n")
    assert [problem[:5] for problem in problems(history)] == [
        ("people.csv", 2, "name", None, "empty"),
        ("leads.csv", 2, "who", "a", "its agent was rejected"),
        ("leads.csv", 4, "who", "a", "its agent was rejected"),
        ("deals.csv", 2, "lead", "L1", "its assignment was rejected"),
        ("deals.csv", 4, "lead", "L3", "its assignment was rejected"),
    ]
    fixes = [problem[5] for problem in problems(history)]
    assert fixes[1:] == ["mend line 2 of people.csv first"] * 2 + [
        "mend line 2 of leads.csv first",
        "mend line 4 of leads.csv first",
    ]
    assert {name: report.follow_on for name, report in history.intake.tables.items()} == {
        "agents": 0, "assignments": 2, "bookings": 2,
    }  # fmt: skip
    assert history.bookings["external_id"].to_list() == ["D2"]
    assert history.intake.rejected == 5


def test_a_row_that_follows_another_and_has_a_fault_of_its_own_counts_as_its_own(tmp_path: Path) -> None:
    deals = DEALS.replace("D1,L1,won,2025-02-01 10:00,150", "D1,L1,won,2025-02-01 10:00,-1")
    history = read(tmp_path, people="id,name\na,\nb,Bob Ray\n", deals=deals)
    assert history.intake.tables["bookings"].follow_on == 1
    assert history.intake.tables["bookings"].rejected.height == 2


def test_rows_are_told_by_their_line_in_the_file_and_empty_ones_are_none(tmp_path: Path) -> None:
    leads = 'id,who,customer,day,source\n\nL1,a,"Kim\nsenior",2025-01-01,web\n,,,,\nL2,z,Sam,2025-01-02,web\n'
    history = read(tmp_path, leads=leads, deals="no,lead,state,closed,amount\n,,,,\n")
    assert [problem[:3] for problem in problems(history)] == [("leads.csv", 6, "who")]
    assert history.assignments["customer_name"].to_list() == [
        "Kim senior"
    ]  # a line end within a name is a space
    assert (history.intake.tables["assignments"].rows, history.intake.tables["bookings"].rows) == (2, 0)


@pytest.mark.parametrize(
    "last",
    ["Total,,,,", "Grand total:,,,,", ",,Summe,,", " ,Gesamtsumme,,,12", "TOTAUX,,,,9", "subtotal,,,,"],
)
def test_a_row_of_totals_is_rejected_and_looked_at_no_further(tmp_path: Path, last: str) -> None:
    history = read(tmp_path, leads=LEADS + last + "\n")
    assert problems(history) == [
        ("leads.csv", 6, "(row)", None, "looks like a row of totals", "delete it; totals are not data")
    ]
    report = history.intake.tables["assignments"]
    assert (report.rows, report.kept, report.rejected.height) == (5, 4, 1)
    assert history.assignments.height == 4


@pytest.mark.parametrize("last", ["L5,a,Total,2025-01-01,web", "Total,a,Kim,2025-01-01,web"])
def test_a_customer_called_total_and_a_row_above_the_last_three_are_no_totals(
    tmp_path: Path, last: str
) -> None:
    assert problems(read(tmp_path, leads=LEADS + last + "\n")) == []
    high_up = read(tmp_path, leads=LEADS.replace("L1,", "Total,,,,\nL1,"))
    assert ("leads.csv", 2, "(row)") not in [problem[:3] for problem in problems(high_up)]


def test_totals_are_looked_for_in_the_last_three_rows_and_the_first_three_columns(tmp_path: Path) -> None:
    third = read(tmp_path, leads=LEADS.replace("L3,", "Total,,,,\nL3,"))
    assert ("leads.csv", 4, "(row)", None, "looks like a row of totals") in [p[:5] for p in problems(third)]
    fourth = read(tmp_path, leads=LEADS + ",,,Total,\n")
    assert ("looks like a row of totals") not in [problem[4] for problem in problems(fourth)]
    two = read(tmp_path, people=PEOPLE + "Total,2\n")
    assert [problem[:5] for problem in problems(two)] == [
        ("people.csv", 4, "(row)", None, "looks like a row of totals")
    ]
    only = read(tmp_path, MAP[: MAP.index("[assignments]")], people="id,name\nTotal,2\n")
    assert only.agents["external_id"].to_list() == ["Total"]


def test_a_stray_row_of_totals_and_a_ragged_one_are_reported_once_for_one_file(tmp_path: Path) -> None:
    rows = "1,Ann,Kim,2025-01-01,won,2025-02-01,5\n2,Ann\nTotal,,,,,,5\n"
    history = read_flat(tmp_path, rows)
    assert [problem[:3] for problem in problems(history)] == [
        ("all.csv", 3, "(row)"),
        ("all.csv", 4, "(row)"),
    ]
    assert {name: (r.rows, r.kept, r.rejected.height) for name, r in history.intake.tables.items()} == {
        "agents": (1, 1, 0), "assignments": (3, 1, 2), "bookings": (1, 1, 0),
    }  # fmt: skip


# no outcome is invented


@pytest.mark.parametrize(
    ("deal", "because", "win"),
    [
        ("D1,L1,won,,150", "confirmed without a date", True),
        ("D1,L1,won,2025-02-30,150", "not a date or time that exists", True),
        ("D1,L1,lost,,", "cancelled without a date", False),
        ("D1,L1,won,2025-02-01,-1", "negative", True),
        ("D1,L1,won,2025-02-01,", "confirmed without an amount", True),
        ("D1,L1,won,2024-12-31,9", "completed before it was assigned", True),
        ("D1,L1,,2025-02-01,9", "empty", False),
        (",L1,won,2025-02-01,9", "empty", True),
        ("D1,L1,won,2025-02-01,1,234.50", "6 fields instead of 5", False),
        ("D1,x,L1,won,2025-02-01,9", "6 fields instead of 5", False),
        ("D1,L1", "2 fields instead of 5", False),
        ("D1, L1 ", "2 fields instead of 5", False),
    ],
)
def test_an_assignment_whose_booking_is_rejected_is_unknown(
    tmp_path: Path, deal: str, because: str, win: bool
) -> None:
    deals = DEALS.replace("D1,L1,won,2025-02-01 10:00,150", deal) + "D4,L4,won,2025-03-01,20\n"
    history = read(tmp_path, deals=deals)
    assert [problem[4] for problem in problems(history)] == [because]
    assert unknown(history) == ["L1"]
    assert history.bookings["assignment_external_id"].to_list() == ["L2", "L3", "L4"]
    reason = "the outcome of these assignments is unknown, because their booking was rejected"
    reason += f"{', 1 of them wins' if win else ''}: they count neither as won nor as lost"
    assert notes(history, "warning") == [
        ("bookings", "lead", 1, reason, "mend the bookings and import again")
    ]


def test_an_assignment_with_another_good_booking_is_known(tmp_path: Path) -> None:
    history = read(tmp_path, deals=DEALS + "D8,L1,won,2025-02-01,7\nD9,L1,won,2025-02-01,8\nD9,L1\n")
    assert [problem[1] for problem in problems(history)] == [5, 6, 7]
    assert unknown(history) == []
    assert notes(history, "warning") == []


def test_an_assignment_that_is_no_booking_of_the_file_stays_as_it_is(tmp_path: Path) -> None:
    # the numbers of a broken row may look like ids: only those in the assignment's place count
    leads = LEADS.replace("L4", "150").replace("L3", "D1")
    deals = "no,lead,state,closed,amount\nD1,L2,won,2025-02-01,150,00\nD2,L1,won,2025-02-01,5\n"
    history = read(tmp_path, leads=leads, deals=deals)
    assert unknown(history) == ["L2"]


def test_the_assignment_of_a_ragged_booking_may_be_put_together_of_columns(tmp_path: Path) -> None:
    mapping = MAP.replace(
        'assignment = "lead"', 'assignment = { columns = ["kind", "lead"], joined_by = "" }'
    )
    deals = "no,kind,lead,state,closed,amount\nD1,L,1,won,2025-02-01,1,5\nD2,L,2,won,2025-02-01,5\nD3,L,3\n"
    assert unknown(read(tmp_path, mapping, deals=deals)) == ["L1", "L3"]


def test_words_that_nobody_mapped_stop_the_import_with_all_of_them_and_their_counts(tmp_path: Path) -> None:
    deals = DEALS.replace(",won,", ",Won!,").replace(",open,", ",parked,") + "D4,L4,won!,2025-02-01,9\n"
    with pytest.raises(InputError) as error:
        read(tmp_path, deals=deals.replace("D2,L2,lost", "D2,L2,Won!"))
    said = str(error.value)
    assert said.startswith(
        "deals.csv, column 'state': 4 rows (the first is line 2) have a status that nobody mapped: 'Won!' (2), '"
    )
    assert ("'parked' (1)" in said, "'won!' (1)" in said) == (True, True)
    assert said.endswith(
        "; add each word to [bookings.statuses] in company.toml, such as "
        'confirmed = ["Won!"], under pending, confirmed, cancelled, or none for rows that are no booking'
    )


def test_of_many_words_the_commonest_are_shown(tmp_path: Path) -> None:
    rare = DEALS.replace(",won,", ",rare,").replace(",lost,", ",often,").replace(",open,", ",often,")
    with pytest.raises(
        InputError, match=r"nobody mapped: 'often' \(2\), 'rare' \(1\); add .* = \[\"often\"\]"
    ):
        read(tmp_path, deals=rare)
    leads = LEADS + "".join(f"M{n},a,Kim,2025-01-01,web\n" for n in range(14))
    deals = DEALS + "".join(f"E{n},M{n},word {n:02},2025-02-01,9\n" for n in range(14))
    with pytest.raises(InputError, match=r"14 rows \(the first is line 5\) .* and 2 more; add each word"):
        read(tmp_path, leads=leads, deals=deals)
    with pytest.raises(InputError, match=r"12 rows \(the first is line 7\) .*\(1\); add each word"):
        read(tmp_path, leads=leads, deals=deals.replace("word 00", "won").replace("word 01", "WON"))


def test_unmapped_words_in_rows_that_are_rejected_anyhow_stop_nothing(tmp_path: Path) -> None:
    history = read(tmp_path, deals=DEALS + "D4,L9,parked,2025-02-01,9\n")
    assert [problem[4] for problem in problems(history)] == ["no such assignment"]


def test_wins_without_any_date_stop_the_import(tmp_path: Path) -> None:
    undated = DEALS.replace("2025-02-01 10:00", "")
    with pytest.raises(InputError) as error:
        read(tmp_path, deals=undated)
    assert str(error.value) == (
        "deals.csv: 1 booking is confirmed, and closed is empty: with losses alone a model would learn that "
        "nobody ever wins; map the column that says when a deal was closed, such as bookings.completed_at = "
        '"closed" in company.toml'
    )
    with pytest.raises(
        InputError, match=r"1 booking is confirmed, and no column says when: with losses alone"
    ):
        read(tmp_path, MAP.replace('completed_at = "closed"\n', ""))
    # a single win with a date is enough, and losses without any stop nothing
    assert unknown(read(tmp_path, deals=undated + "D4,L4,won,2025-03-01,20\n")) == ["L1"]
    assert unknown(read(tmp_path, deals=DEALS.replace("2025-02-02 10:00", ""))) == ["L2"]


def test_a_word_for_none_marks_rows_that_are_no_booking(tmp_path: Path) -> None:
    deals = "no,lead,state,closed,amount\n,L1,Never called,soon,much\nD1,L1,won,2025-02-01,5\nD1,L1, NEVER CALLED ,,\n"
    history = read(tmp_path, deals=deals + "D2,L2,,,\n")
    assert history.bookings["external_id"].to_list() == ["D1"]
    # what stands in such a row is no concern, and it is no other row's duplicate
    assert [problem[:5] for problem in problems(history)] == [("deals.csv", 5, "state", None, "empty")]
    assert history.intake.tables["bookings"].rows == 2
    empty = read(tmp_path, MAP.replace('"never called"', '["never called", ""]'), deals=deals + "D2,L2,,,\n")
    assert problems(empty) == []
    assert unknown(empty) == []


def test_a_word_that_usually_means_missing_may_be_mapped(tmp_path: Path) -> None:
    mapping = MAP.replace('none = "never called"', 'none = ["-", "None"]')
    deals = DEALS.replace("D2,L2,lost", "D2,L2,-").replace("open", "none") + "D4,L4,N/A,2025-02-01,9\n"
    history = read(tmp_path, mapping, deals=deals)
    assert history.bookings["external_id"].to_list() == ["D1"]
    assert [problem[:5] for problem in problems(history)] == [("deals.csv", 5, "state", None, "empty")]
    assert notes(history) == [
        ("bookings", "state", 1, "read as missing: N/A (1)", "set null_values if it is not")
    ]


# times


def test_one_column_for_both_dates_is_the_day_of_the_outcome(tmp_path: Path) -> None:
    history = read(tmp_path, deals=DEALS.replace("open,,", "open,2025-02-03,"))
    assert history.bookings.select("completed_at", "cancelled_at").rows() == [
        (moment(2, 1, 10), None), (None, moment(2, 2, 10)), (None, None),
    ]  # fmt: skip
    assert notes(history, "warning") == []


def test_a_pending_booking_with_a_date_of_its_own_is_kept_with_a_warning(tmp_path: Path) -> None:
    mapping = MAP.replace('cancelled_at = "closed"', 'cancelled_at = "off"')
    deals = "no,lead,state,closed,off,amount\nD1,L1,won,2025-02-01,,5\nD2,L2,open,2025-02-01,,5\nD3,L3,open,,2025-02-01,5\nD4,L4,open,,,5\n"
    history = read(tmp_path, mapping, deals=deals)
    assert history.bookings["status"].to_list() == ["confirmed", "pending", "pending", "pending"]
    assert problems(history, "warning") == [
        (
            "deals.csv", line, "state", "pending", "pending, though it has a date of completion or cancellation",
            "correct the status if it is settled; it is kept as pending",
        )
        for line in (3, 4)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("closed", "late_filing_min", "level"),
    [
        ("2025-01-01 09:00", 0, None),
        ("2025-01-01 08:59", 0, "rejected"),
        ("2025-01-01 08:00", 60, "warning"),
        ("2025-01-01 07:59", 60, "rejected"),
        ("2025-01-01 08:59", 0.5, "rejected"),
        ("2025-01-01 08:59", 1, "warning"),
    ],
)
def test_late_filing(tmp_path: Path, closed: str, late_filing_min: float, level: str | None) -> None:
    for word, verb in (("won", "completed"), ("lost", "cancelled")):
        deals = f"no,lead,state,closed,amount\nD1,L1,{word},{closed},5\nD2,L2,won,2025-02-01,5\n"
        history = read(tmp_path, f"late_filing_min = {late_filing_min}\n" + MAP, deals=deals)
        said = history.intake.problems.filter(pl.col("column") == "closed")
        assert said.select("level", "line", "value", "reason").rows() == (
            [] if level is None else [(level, 2, closed, f"{verb} before it was assigned")]
        )
        assert history.bookings.height == (1 if level == "rejected" else 2)
        if level == "warning":
            assert said["fix"][0] == "correct this date, or the assignment's, unless it was filed late"


def test_the_hour_that_comes_twice_is_not_before_it_was_assigned(tmp_path: Path) -> None:
    # in Madrid clocks went from 03:00 back to 02:00: assigned at 02:50, completed at 02:10 of the second hour
    zone = '[format]\ntime_zone = "Europe/Madrid"\n'
    leads = LEADS.replace("2025-01-01 09:00", "2025-10-26 02:50").replace(
        "2025-01-02 09:00", "2025-10-26 01:50"
    )
    deals = "no,lead,state,closed,amount\nD1,L1,won,2025-10-26 02:10,5\nD2,L2,won,2025-10-26 01:40,5\n"
    history = read(tmp_path, zone + MAP, leads=leads, deals=deals)
    assert [problem[:3] for problem in problems(history)] == [("deals.csv", 3, "closed")]
    assert history.bookings["completed_at"].to_list() == [moment(10, 26, 0, 10)]
    assert history.assignments["assigned_at"][0] == moment(10, 26, 0, 50)
    # the same clocks an hour later come once
    later = deals.replace("2025-10-26 02:10", "2025-10-26 03:10")
    history = read(tmp_path, zone + MAP, leads=leads.replace("02:50", "03:20"), deals=later)
    assert len(problems(history)) == 2


def test_an_hour_that_is_skipped_does_not_exist(tmp_path: Path) -> None:
    leads = LEADS.replace("2025-01-01 09:00", "2025-03-30 02:30")
    history = read(tmp_path, '[format]\ntime_zone = "Europe/Madrid"\n' + MAP, leads=leads)
    assert problems(history)[0][:5] == (
        "leads.csv", 2, "day", "2025-03-30 02:30", "not a date or time that exists",
    )  # fmt: skip


# money


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("100,25,", (100.0, 25.0, 125.0)),
        ("100,,125", (100.0, 25.0, 125.0)),
        (",25,125", (100.0, 25.0, 125.0)),
        (",,125", (125.0, 0.0, 125.0)),
        ("100,,", (100.0, 0.0, 100.0)),
        (",25,20", (0.0, 25.0, 20.0)),
        ("100,,90", (100.0, 0.0, 90.0)),
        ("100,30,125", (100.0, 30.0, 125.0)),
        ("0,,", (0.0, 0.0, 0.0)),
        (",25,", None),
        (",,", None),
    ],
)
def test_amounts_follow_from_each_other(
    tmp_path: Path, given: str, expected: tuple[float, float, float] | None
) -> None:
    mapping = MAP.replace('"amount"', '"all"\nbase_revenue = "base"\npackage_revenue = "extra"')
    deals = f"no,lead,state,closed,base,extra,all\nD1,L1,won,2025-02-01,{given}\nD2,L2,won,2025-02-01,1,1,2\n"
    history = read(tmp_path, mapping, deals=deals)
    amounts = history.bookings.select("base_revenue", "package_revenue", "total_revenue").rows()
    assert amounts == [expected, (1.0, 1.0, 2.0)][expected is None :]
    if expected is None:
        fix = 'write the revenue, or give a default: bookings.total_revenue = { column = "all", default = 0 }'
        assert problems(history) == [("deals.csv", 2, "all", None, "confirmed without an amount", fix)]


def test_without_any_column_of_amounts_a_win_has_none(tmp_path: Path) -> None:
    history = read(tmp_path, MAP.replace('total_revenue = "amount"\n', ""))
    assert problems(history) == []
    assert history.bookings["total_revenue"].null_count() == 3
    base = read(tmp_path, MAP.replace("total_revenue", "base_revenue"), deals=DEALS.replace("150", ""))
    assert problems(base)[0][5].endswith('bookings.base_revenue = { column = "amount", default = 0 }')


# flat tables


def test_agents_and_bookings_out_of_the_assignments_file(tmp_path: Path) -> None:
    rows = (
        "1,Ann,Kim,2025-01-01,won,2025-02-01,5\n"
        "2, ann ,Sam,2025-01-02,lost,2025-02-02,\n"
        "3,Ann,Ida,2025-01-03,,,\n"
        "4,Bob,Jo,2025-01-04,open,,9\n"
        "5,,Lee,2025-01-05,won,2025-02-03,8\n"
        "6,Bob,Max,2025-01-06,won,2025-02-03,much\n"
    )
    history = read_flat(tmp_path, rows)
    assert history.agents.select("external_id", "name").rows() == [
        ("Ann", "Ann"),
        ("ann", "ann"),
        ("Bob", "Bob"),
    ]
    assert history.assignments["external_id"].to_list() == ["1", "2", "3", "4", "6"]
    assert history.bookings.select("external_id", "status", "total_revenue").rows() == [
        ("1", "confirmed", 5.0), ("2", "cancelled", None), ("4", "pending", 9.0),
    ]  # fmt: skip
    assert [problem[:5] for problem in problems(history)] == [
        ("all.csv", 6, "owner", None, "empty"),
        ("all.csv", 7, "amount", "much", "not a number"),
    ]
    assert unknown(history) == ["6"]
    assert {name: (r.rows, r.kept, r.rejected.height) for name, r in history.intake.tables.items()} == {
        "agents": (3, 3, 0), "assignments": (6, 5, 1), "bookings": (4, 3, 1),
    }  # fmt: skip


def test_agents_of_the_same_file_by_name_are_taken_out_of_it_too(tmp_path: Path) -> None:
    mapping = FLAT.replace('from = "assignments"', 'file = "all.csv"')
    rows = "1,Ann,Kim,2025-01-01,won,2025-02-01,5\n2,Ann,Sam,2025-01-02,lost,2025-02-02,\n"
    history = read_flat(tmp_path, rows, mapping)
    assert (history.agents["external_id"].to_list(), problems(history)) == (["Ann"], [])


def test_the_first_row_with_a_name_stands_for_an_agent(tmp_path: Path) -> None:
    mapping = FLAT.replace('id = "owner"\nname = "owner"', 'id = "owner"\nname = "called"\nemail = "mail"', 1)
    rows = (
        "1,a,Kim,2025-01-01,won,2025-02-01,5,,a@x.org\n"
        "2,a,Sam,2025-01-02,lost,2025-02-02,,Ann,b@x.org\n"
        "3,a,Ida,2025-01-03,,,,Anna,c@x.org\n"
        "4,b,Jo,2025-01-04,,,,,\n"
    )
    history = read_flat(tmp_path, rows, mapping, FLAT_HEADER.strip() + ",called,mail\n")
    assert history.agents.select("external_id", "name", "email").rows() == [("a", "Ann", "b@x.org")]
    assert [problem[:5] for problem in problems(history)] == [
        ("all.csv", 5, "called", None, "empty"),
        ("all.csv", 5, "owner", "b", "its agent was rejected"),
    ]


def test_one_agent_for_all_as_a_constant(tmp_path: Path) -> None:
    mapping = FLAT.replace('from = "assignments"', 'file = "all.csv"').replace(
        '"owner"', '{ value = "Inside Sales" }'
    )
    rows = "1,,Kim,2025-01-01,won,2025-02-01,5\n2,,Sam,2025-01-02,lost,2025-02-02,\n"
    history = read_flat(tmp_path, rows, mapping)
    assert history.agents.select("external_id", "name").rows() == [("Inside Sales", "Inside Sales")]
    assert history.assignments["agent_external_id"].to_list() == ["Inside Sales"] * 2
    assert problems(history) == []


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    for folder, text in (("new", LEADS.replace("L3,a", "L3,z")), ("old", DEALS)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text(text)
    mapping = MAP.replace('"leads.csv"', '"new/t.csv"').replace('"deals.csv"', '"old/t.csv"')
    history = read(tmp_path, mapping)
    assert history.bookings["external_id"].to_list() == ["D1", "D2"]
    assert [problem[4] for problem in problems(history)] == ["no such agent", "its assignment was rejected"]


def test_two_sheets_of_a_workbook_are_two_tables(tmp_path: Path) -> None:
    texts = {"people": PEOPLE + "a,Eve\n", "leads": LEADS, "deals": DEALS}
    sheets = {name: [line.split(",") for line in text.splitlines()] for name, text in texts.items()}
    (tmp_path / "crm.xlsx").write_bytes(workbook(sheets))
    mapping = MAP
    for name in sheets:
        mapping = mapping.replace(f'file = "{name}.csv"', f'file = "crm.xlsx"\nsheet = "{name}"')
    history = read(tmp_path, mapping)
    assert [problem[:5] for problem in problems(history)] == [
        ("crm.xlsx", 4, "id", "a", "duplicate: line 2 has it already")
    ]
    assert history.bookings["external_id"].to_list() == ["D1", "D2", "D3"]


# lookups, conditions


LOOKUP = '\n[dimensions.region]\ncolumn = "places.region"\nvalues = "any"\nrequired = false\n[lookup.places]\nfile = "places.csv"\nkey = "code"\non = "place"\n'
PLACED = (
    "id,who,customer,day,source,place\n"
    "L1,a,Kim,2025-01-01 09:00,web,N\n"
    "L2,b,Sam,2025-01-02 09:00,shop,X\n"
    "L3,a,Ida,2025-01-03 09:00,web,\n"
    "L4,b,Jo,2025-01-04 09:00,shop, S \n"
)


def test_columns_of_another_file_are_looked_up_by_a_key(tmp_path: Path) -> None:
    places = "code,region,city\nN,North,Oslo\nS,South,Bari\nN,Twice,Rome\n,Nowhere,None\n"
    history = read(tmp_path, MAP + LOOKUP, leads=PLACED, places=places)
    assert history.assignments["region"].to_list() == ["North", None, None, "South"]
    assert history.dimensions[1] == Dimension(
        "region", ("North", "South", EMPTY), is_open=True, required=False
    )
    assert problems(history) == []
    assert history.intake.tables["assignments"].undeclared == ()
    agents = (
        MAP.replace('name = "name"', 'name = "staff.full"')
        + '[lookup.staff]\nfile = "staff.csv"\nkey = "id"\ntable = "agents"\n'
    )
    history = read(tmp_path, agents, people="id\na\nb\n", staff="id,full\na,Ann\nb,Bob\n")
    assert history.agents["name"].to_list() == ["Ann", "Bob"]


def test_what_was_looked_up_is_no_part_of_the_file_and_its_rejected_rows(tmp_path: Path) -> None:
    places = "code,region\nN,North\nS,South\n"
    leads = PLACED.replace("L1,a", "L1,z") + "L5,a,Ed\n"
    history = read(tmp_path, MAP + LOOKUP, leads=leads, places=places)
    rejected = history.intake.tables["assignments"].rejected
    assert rejected.columns == ["id", "who", "customer", "day", "source", "place", "reason"]
    assert [p[:5] for p in problems(history)][1] == (
        "leads.csv",
        6,
        "(row)",
        "L5 | a | Ed",
        "3 fields instead of 6",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('on = "place"', 'on = "plaice"', r"leads\.csv: no column 'plaice' \(lookup\.places\.on in the mapping\): did you mean 'place'\?"),
        ('key = "code"', 'key = "cod"', r"places\.csv: no column 'cod' \(lookup\.places\.key in the mapping\): did you mean 'code'\?"),
        ('"places.region"', '"places.regoin"', r"places\.csv: no column 'regoin' \(lookup\.places in the mapping\): did you mean 'region'\?"),
        ('file = "places.csv"', 'file = "place.csv"', r"there is no file '.*place\.csv' \(company\.toml: lookup\.places\): did you mean 'places\.csv'\?"),
        ('"places.region"', '"sites.region"', r"leads\.csv: no column 'sites\.region' \(dimensions\.region in the mapping\)"),
    ],
)  # fmt: skip
def test_a_lookup_that_cannot_be_made_says_why(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, change(MAP + LOOKUP, old, new), leads=PLACED, places="code,region\nN,North\n")


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("source = 'web'", ["L1", "L3"]),
        ("source <> 'web'", ["L2", "L4"]),
        ("size > 5", ["L1", "L4"]),
        ("size >= 5 and who = 'b'", ["L2", "L4"]),
        ("note is null", ["L1", "L4"]),
        ("note is not null", ["L2", "L3"]),
        ("note = 'call'", ["L2"]),
        ("note in ('call', 'mail') or size < 6", ["L2", "L3"]),
        ("phone = '0123'", ["L1"]),
    ],
)
def test_where_says_which_rows_are_meant(tmp_path: Path, where: str, kept: list[str]) -> None:
    leads = (
        "id,who,customer,day,source,size,note,phone\n"
        "L1,a,Kim,2025-01-01 09:00,web,10,,0123\n"
        "L2,b,Sam,2025-01-02 09:00,shop,5,call,1\n"
        "L3,a,Ida,2025-01-03 09:00,web,,mail,2\n"
        "L4,b,Jo,2025-01-04 09:00,shop,6.5,,3\n"
    )
    mapping = MAP[: MAP.index("[bookings]")].replace(
        'id = "id"\nagent', f'where = "{where}"\nid = "id"\nagent'
    )
    history = read(tmp_path, mapping, leads=leads)
    assert history.assignments["external_id"].to_list() == kept
    report = history.intake.tables["assignments"]
    assert (report.rows, report.kept, report.left_out) == (len(kept), len(kept), 4 - len(kept))


def test_rows_left_out_are_judged_by_nobody_and_keep_their_lines(tmp_path: Path) -> None:
    leads = LEADS.replace("L1,a,Kim", "L1,a,").replace("L3,a", "L3,z")
    mapping = MAP.replace('id = "id"\nagent', 'where = "id <> \'L1\'"\nid = "id"\nagent')
    history = read(tmp_path, mapping, leads=leads)
    assert [problem[:4] for problem in problems(history)] == [
        ("leads.csv", 4, "who", "z"), ("deals.csv", 2, "lead", "L1"), ("deals.csv", 4, "lead", "L3"),
    ]  # fmt: skip
    assert [problem[4] for problem in problems(history)][1:] == [
        "no such assignment",
        "its assignment was rejected",
    ]


def test_what_follows_from_a_rejected_assignment_is_not_judged_further(tmp_path: Path) -> None:
    deals = (
        DEALS.replace("D1,L1,won,2025-02-01 10:00", "D1,L1,won,2024-01-01 10:00") + "D4,L4,won,2025-02-01,1\n"
    )
    history = read(tmp_path, leads=LEADS.replace("L1,a", "L1,z"), deals=deals)
    assert [problem[1:5] for problem in problems(history)] == [
        (2, "who", "z", "no such agent"), (2, "lead", "L1", "its assignment was rejected"),
    ]  # fmt: skip


def test_a_row_that_is_rejected_takes_no_id(tmp_path: Path) -> None:
    leads = LEADS.replace("L2,b,Sam", "L1,b,Sam").replace("L1,a,Kim", "L1,a,")
    history = read(tmp_path, leads=leads, deals="no,lead,state,closed,amount\nD1,L1,won,2025-02-01,1\n")
    assert [problem[1:3] for problem in problems(history)] == [(2, "customer")]
    assert history.assignments["customer_name"].to_list() == ["Sam", "Ida", "Jo"]
    assert history.bookings.height == 1


def test_nearest_names_are_looked_for_a_hundred_wrong_values(tmp_path: Path) -> None:
    rows = "".join(f"L{n},a,Kim,2025-01-01,web{n}\n" for n in range(101))
    history = read(
        tmp_path,
        MAP[: MAP.index("[bookings]")] + MAP[MAP.index("[dimensions") :],
        leads="id,who,customer,day,source\n" + rows,
    )
    fixes = [problem[5] for problem in problems(history)]
    assert fixes[:100] == ["did you mean 'web'?"] * 100
    assert fixes[100] == "use one of: web, shop; or add it to dimensions.source.values"


def test_a_where_that_cannot_be_used_names_its_column(tmp_path: Path) -> None:
    def where(text: str) -> str:
        return MAP.replace('id = "id"\nagent', f'where = "{text}"\nid = "id"\nagent')

    with pytest.raises(
        InputError,
        match=r"leads\.csv: no column 'sorce' \(assignments\.where in the mapping\): did you mean 'source'\?",
    ):
        read(tmp_path, where("sorce = 'web'"))
    with pytest.raises(InputError, match=r"company\.toml: assignments\.where: 'source > 3'"):
        read(tmp_path, where("source > 3"))
    with pytest.raises(InputError, match="is not true or false"):
        read(tmp_path, where("3"))


# dimensions


def dimension(text: str) -> str:
    return MAP[: MAP.index("values =")] + text


def test_without_dimensions_there_are_none(tmp_path: Path) -> None:
    history = read(tmp_path, MAP[: MAP.index("[dimensions.source]")])
    assert history.dimensions == ()
    assert history.assignments.columns == list(ASSIGNMENT_COLUMNS)


def test_an_open_dimension_has_the_values_of_the_data(tmp_path: Path) -> None:
    history = read(tmp_path, dimension('values = "any"'), leads=LEADS.replace("shop\nL3", "Fair \nL3"))
    assert history.dimensions == (Dimension("source", ("Fair", "shop", "web"), is_open=True),)
    assert history.assignments["source"].to_list() == ["web", "Fair", "web", "shop"]


def test_a_dimension_that_may_be_empty_has_a_value_for_it(tmp_path: Path) -> None:
    leads = LEADS.replace("shop\nL3", "\nL3").replace("09:00,web\nL4", f"09:00,{EMPTY}\nL4")
    history = read(tmp_path, dimension('values = "any"\nrequired = false'), leads=leads)
    assert history.dimensions == (Dimension("source", ("shop", "web", EMPTY), is_open=True, required=False),)
    assert history.assignments["source"].to_list() == ["web", None, EMPTY, "shop"]
    assert problems(history) == []
    closed = read(
        tmp_path,
        dimension('values = ["web", "shop"]\nrequired = false'),
        leads=LEADS.replace(",shop\nL3", ",\nL3"),
    )
    assert closed.dimensions == (Dimension("source", ("web", "shop", EMPTY), required=False),)
    assert closed.assignments["source"].to_list() == ["web", None, "web", "shop"]


def test_a_dimension_of_the_bookings_is_unknown_where_there_is_none(tmp_path: Path) -> None:
    deals = "no,lead,state,closed,amount,goal\nD1,L1,won,2025-02-01,5,sea\nD2,L2,open,,,\nD3,L3,lost,2025-02-01,,air\n"
    text = '\n[dimensions.goal]\ntable = "bookings"\nvalues = ["sea", "air"]\n'
    history = read(tmp_path, MAP + text, deals=deals)
    assert history.assignments["goal"].to_list() == ["sea", None, "air", None]
    assert history.dimensions[1] == Dimension("goal", ("sea", "air"), at_arrival=False)
    assert problems(history) == [
        (
            "deals.csv",
            3,
            "goal",
            None,
            "empty goal",
            "fill it in, or write required = false under [dimensions.goal]",
        )
    ]
    assert unknown(history) == ["L2"]
    free = read(tmp_path, MAP + text + "required = false\n", deals=deals)
    assert free.dimensions[1] == Dimension("goal", ("sea", "air"), required=False, at_arrival=False)
    assert (problems(free), unknown(free)) == ([], [])


def sized(*numbers: str) -> str:
    rows = [f"L{n},a,Kim,2025-01-01,web,{number}" for n, number in enumerate(numbers)]
    return "id,who,customer,day,source,size\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("numbers", "bins", "edges", "values"),
    [
        (("1", "2", "3", "4"), 2, (2.5,), ("up to 2.5", "above 2.5")),
        (("1", "2", "3", "4", "5", "6", "7", "8", "9"), 4, (3.0, 5.0, 7.0), ("up to 3", "3 to 5", "5 to 7", "above 7")),
        (("1234567", "2345678", "3456789"), 2, (2350000.0,), ("up to 2350000", "above 2350000")),
        # rounded, the edges would be one
        (("1000001", "1000002", "1000003", "1000004", "1000005"), 4, (1000002.0, 1000003.0, 1000004.0), ("up to 1000002", "1000002 to 1000003", "1000003 to 1000004", "above 1000004")),
        # rounded, nothing would be above the edge
        (("999.6", "999.8"), 2, (999.7,), ("up to 999.7", "above 999.7")),
        (("0.1", "0.2", "0.30", "0.4"), 2, (0.25,), ("up to 0.25", "above 0.25")),
        (("5", "5", "5"), 3, (5.0,), ("up to 5", "above 5")),
        (("1", "5", "5", "5"), 4, (4.0,), ("up to 4", "above 4")),
        (("", ""), 3, (0.0,), ("up to 0", "above 0")),
        (("-2", "-1"), 2, (-1.5,), ("up to -1.5", "above -1.5")),
    ],
)  # fmt: skip
def test_numbers_become_bins_of_equal_numbers_of_leads(
    tmp_path: Path, numbers: tuple[str, ...], bins: int, edges: tuple[float, ...], values: tuple[str, ...]
) -> None:
    text = f"\n[dimensions.size]\nbins = {bins}\nrequired = false\n"
    history = read(tmp_path, MAP + text, leads=sized(*numbers), deals="no,lead,state,closed,amount\n")
    assert history.dimensions[1] == Dimension("size", (*values, EMPTY), required=False, edges=edges)
    for number, name in zip(numbers, history.assignments["size"], strict=True):
        place = sum(edge < float(number) for edge in edges) if number else None
        assert name == (None if place is None else values[place])


def test_bins_may_come_from_the_bookings_and_what_is_no_number_is_rejected(tmp_path: Path) -> None:
    text = '\n[dimensions.size]\ntable = "bookings"\nbins = 2\nvalues = "any"\n'
    deals = "no,lead,state,closed,amount,size\nD1,L1,won,2025-02-01,5,10\nD2,L2,won,2025-02-01,5,big\nD3,L3,open,,,20\nD4,L4,open,,,\n"
    history = read(tmp_path, MAP + text, deals=deals)
    assert history.assignments["size"].to_list() == ["up to 15", None, "above 15", None]
    assert history.dimensions[1] == Dimension(
        "size", ("up to 15", "above 15"), at_arrival=False, edges=(15.0,)
    )
    assert [problem[1:5] for problem in problems(history)] == [
        (3, "size", "big", "not a number"), (5, "size", None, "empty size"),
    ]  # fmt: skip
    assert unknown(history) == ["L2", "L4"]


# files that cannot be used at all


def test_two_files_that_are_swapped(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, leads=DEALS, deals=LEADS)
    assert str(error.value) == (
        "leads.csv: no column 'id' (assignments.id in the mapping): the columns are no, lead, state, closed, "
        "amount (deals.csv has it: are the two files swapped?)"
    )
    # a name that is much like another does not hide it
    with pytest.raises(InputError, match=r"deals\.csv has it: are the two files swapped\?\)$"):
        read(tmp_path, leads=DEALS.replace("no,", "ids,", 1), deals=LEADS)
    with pytest.raises(
        InputError, match=r"no column 'id' .* the columns are no, lead, state, closed, amount$"
    ):
        read(tmp_path, leads=DEALS)


def test_a_wrong_column(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"^leads\.csv: no column 'customer' \(assignments\.customer_name in the mapping\): did you mean 'Customer'\?$",
    ):
        read(tmp_path, leads=LEADS.replace("customer", "Customer"))
    with pytest.raises(
        InputError,
        match=r"^people\.csv: no column 'name' \(agents\.name in the mapping\): the columns are id, wer$",
    ):
        read(tmp_path, people="id,wer\na,Ann\n")
    with pytest.raises(
        InputError, match=r"^leads\.csv: no column 'source' \(dimensions\.source in the mapping\)"
    ):
        read(tmp_path, leads=LEADS.replace("source", "herkunft"))


def test_a_wrong_separator(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"people\.csv, line 1: .*'\|'.*header.*separator = \",\""):
        read(tmp_path, '[format]\nseparator = "|"\n' + MAP)
    with pytest.raises(InputError, match="the whole header was read as one column: set separator under"):
        read(tmp_path, people='"id;name"\n"1;Ann"\n')


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    read(tmp_path)
    company = parse_mapping(MAP, "company.toml")
    with pytest.raises(
        InputError, match=r"the directory .*nowhere does not exist: give the directory that holds the tables"
    ):
        read_history(company, tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"the directory .*leads\.csv is a file, not a directory"):
        read_history(company, tmp_path / "leads.csv")
    (tmp_path / "deals.csv").rename(tmp_path / "deal.csv")
    with pytest.raises(
        InputError,
        match=r"there is no file '.*/deals\.csv' \(company\.toml: bookings\.file\): did you mean 'deal\.csv'\?",
    ):
        read_history(company, tmp_path)
    (tmp_path / "deal.csv").unlink()
    (tmp_path / "zz").mkdir()
    company = parse_mapping(MAP.replace("deals.csv", "XYZ"), "company.toml")
    with pytest.raises(
        InputError,
        match=r"no file '.*/XYZ' \(company\.toml: bookings\.file\): .* holds leads\.csv, people\.csv$",
    ):
        read_history(company, tmp_path)
    # a file that is missing is said before any row
    (tmp_path / "people.csv").write_text("id,name\na,\n")
    with pytest.raises(InputError, match="there is no file"):
        read_history(company, tmp_path)


def test_most_cells_unreadable_mean_a_wrong_column(tmp_path: Path) -> None:
    def leads(bad: int, good: int) -> str:
        days = ["soon"] * bad + ["2025-01-01"] * good + [""]
        return "id,who,customer,day,source\n" + "".join(
            f"L{n},a,Kim,{day},web\n" for n, day in enumerate(days)
        )

    mapping = MAP[: MAP.index("[bookings]")]
    with pytest.raises(InputError) as error:
        read(tmp_path, mapping, leads=leads(5, 4))
    assert str(error.value) == (
        "leads.csv, column 'day': it is mapped to assignments.assigned_at, but 5 of its 9 cells are not a date "
        "or time that exists (line 2 holds 'soon'): write it like 2026-06-30 14:05, name another column in the "
        "mapping, or declare how it is written under [format]"
    )
    assert len(problems(read(tmp_path, mapping, leads=leads(5, 5)))) == 6
    assert len(problems(read(tmp_path, mapping, leads=leads(4, 0)))) == 5


# what is said


def test_words_for_missing_are_counted_and_columns_nobody_declared_are_listed(tmp_path: Path) -> None:
    deals = "no,lead,state,closed,amount,memo\nD1,L1,won,2025-02-01,5,x\nD2,L2,open,NA,-,y\nD3,L3,open,n/a,-,\nD4,L4,open,NA,,\n"
    history = read(tmp_path, deals=deals)
    assert notes(history) == [
        ("bookings", "closed", 3, "read as missing: NA (2), n/a (1)", "set null_values if it is not"),
        ("bookings", "amount", 2, "read as missing: - (2)", "set null_values if it is not"),
    ]
    assert {name: report.undeclared for name, report in history.intake.tables.items()} == {
        "agents": (), "assignments": (), "bookings": ("memo",),
    }  # fmt: skip
    declared = read(
        tmp_path, "[bookings.format]\nnull_values = ['n/a', '-']\n" + MAP, deals=deals.replace("NA", "")
    )
    assert [note[3] for note in notes(declared)] == ["read as missing: n/a (1)", "read as missing: - (2)"]


def test_what_was_detected_is_said(tmp_path: Path) -> None:
    deals = "no;lead;state;closed;amount\nD1;L1;won;13.02.2025;1.000,5\n"
    found = read(tmp_path, deals=deals).intake.tables["bookings"].found
    assert found[:2] == ("encoding utf-8", "separator ;")
    assert set(found[2:]) == {"closed: dd.mm.yyyy", "amount: 1.234,56"}


def test_problems_of_one_kind_are_grouped_rejections_and_the_commonest_first(tmp_path: Path) -> None:
    leads = (
        LEADS.replace("L1,a,Kim", "L1,z,Kim").replace("L3,a", "L3,y").replace("web\nL4", "webb\nL4")
        + "L5,a,,2025-01-01,NA\n"
    )
    history = read(tmp_path, MAP[: MAP.index("[bookings]")] + MAP[MAP.index("[dimensions") :], leads=leads)
    grouped = history.intake.grouped().select("table", "column", "level", "rows", "line", "value", "reason")
    assert grouped.rows() == [
        ("assignments", "who", "rejected", 2, 2, "z", "no such agent"),
        ("assignments", "source", "rejected", 1, 4, "webb", "not a value of source"),
        ("assignments", "customer", "rejected", 1, 6, None, "empty"),
        ("assignments", "source", "note", 1, None, None, "read as missing: NA (1)"),
    ]
    assert history.intake.messages(1) == [
        "leads.csv, line 2, who 'z': no such agent; correct the id, or add the agent to people.csv"
    ]
    assert len(history.intake.messages(9)) == 4
    assert history.intake.messages(9, "note") == [
        "leads.csv, source: read as missing: NA (1); set null_values if it is not"
    ]
    assert history.intake.problems.schema == pl.Schema(PROBLEM_COLUMNS)
    assert history.intake.problems["line"].to_list() == [2, 4, 4, 6, None]
    assert history.intake.common_reasons("assignments") == (
        "who no such agent in 2 rows, the first is line 2: correct the id, or add the agent to people.csv; "
        "source not a value of source in line 4: did you mean 'web'?; customer empty in line 6: fill it in, or "
        'give it a default: assignments.customer_name = { column = "customer", default = … }'
    )
    assert history.intake.common_reasons("assignments", most=1).count(";") == 0


def report(rows: int, rejected: int, follow_on: int = 0) -> Intake:
    found = TableReport(
        "orders", "o.csv", rows, rows - rejected, 0, follow_on, pl.DataFrame({"id": ["x"] * rejected})
    )
    line = {"table": "orders", "file": "o.csv", "line": 2, "column": "sum", "value": "x", "level": "rejected",
            "rows": rejected, "reason": "not a number", "fix": "write it like 1234.50"}  # fmt: skip
    return Intake({"orders": found}, pl.DataFrame([line], schema=dict(PROBLEM_COLUMNS)))


def test_more_than_a_share_rejected_stops(tmp_path: Path) -> None:
    report(10, 5).check_share(0.5)
    with pytest.raises(GateError) as error:
        report(10, 6).check_share(0.5)
    assert str(error.value) == (
        "too many rows were rejected: 60.0% of orders (sum not a number in 6 rows, the first is line 2: write it "
        "like 1234.50); at most 50% of a table may be"
    )
    assert error.value.exit_code == 1
    # a single row stops nothing, nor do rows that only follow from another table's
    report(1, 1).check_share(0.0)
    with pytest.raises(GateError):
        report(2, 2).check_share(0.0)
    report(10, 9, follow_on=8).check_share(0.0)
    with pytest.raises(GateError, match=r"10\.0% of orders"):
        report(100, 19, follow_on=9).check_share(0.05)
    report(0, 0).check_share(0.0)


def test_what_was_rejected_counts_in_every_table(tmp_path: Path) -> None:
    history = read(tmp_path, people="id,name\na,\nb,\n")
    assert history.intake.rejected == 2 + 4 + 3
    with pytest.raises(
        GateError, match=r"100\.0% of agents \(name empty in 2 rows, the first is line 2: fill it in"
    ):
        history.intake.check_share(0.5)


def test_a_note_may_be_added() -> None:
    noted = report(10, 1).noted("touches", "the desk", "account_id", 3, "of nobody", "add them")
    assert noted.problems.drop("line", "value").row(1) == (
        "touches",
        "the desk",
        "account_id",
        "note",
        3,
        "of nobody",
        "add them",
    )
    assert noted.rejected == 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60))
def test_kept_and_rejected_add_up(tmp_path: Path, seed: int, count: int) -> None:
    """Whatever is broken, no row vanishes, what is kept refers only to what is kept, and no outcome is made up."""
    rng = random.Random(seed)

    def mix(good: str, *bad: str) -> str:
        return rng.choice([good] * 4 + list(bad))

    unreadable = {"soon": 0, "x": 0}

    def few(good: str, bad: str) -> str:
        """Return a bad cell now and then, but never so many that the whole column is refused."""
        unreadable[bad] += (chosen := mix(good, bad)) == bad
        return chosen if unreadable[bad] < 5 else good

    people = [f"{mix(str(n), '1', '')},{mix('Ann', 'NA')}" + mix("", ",surplus") for n in range(1, 6)]
    leads = [
        f"{mix(str(n), '3')},{mix(str(rng.randint(1, 5)), '77')},C,{few('2025-01-01', 'soon')},{mix('web', 'wob', '')}"
        for n in range(count)
    ]
    deals = [
        f"{n},{mix(str(n), '999')},{mix('open', 'never called', '')},,{few(mix('1', '-1'), 'x')}"
        + mix("", ",surplus")
        for n in range(count)
    ]
    texts = {"people": people, "leads": leads, "deals": deals}
    given = {
        name: "\n".join([header.splitlines()[0], *texts[name], ""])
        for name, header in (("people", PEOPLE), ("leads", LEADS), ("deals", DEALS))
    }
    history = read(tmp_path, **given)
    said = history.intake.tables
    none = sum("never called" in deal and not deal.endswith("surplus") for deal in deals)
    for table, rows, no_record in (
        ("agents", people, 0),
        ("assignments", leads, 0),
        ("bookings", deals, none),
    ):
        assert said[table].rows == len(rows) - no_record == said[table].kept + said[table].rejected.height
        assert getattr(history, table).height == said[table].kept
    assert history.assignments["agent_external_id"].is_in(history.agents["external_id"].implode()).all()
    booked = history.bookings["assignment_external_id"]
    assert booked.is_in(history.assignments["external_id"].implode()).all()
    assert booked.is_unique().all()
    named = {deal.split(",")[1] for deal in deals if "never called" not in deal or deal.endswith("surplus")}
    expected = [name for name in history.assignments["external_id"] if name in named - set(booked)]
    assert unknown(history) == expected


def test_what_looks_the_same_is_the_same(tmp_path: Path) -> None:
    """Letters in two parts (macOS writes them), and blanks that nobody sees, in cells, headers and the mapping."""
    composed, split = "\u00e9", "e\u0301"
    for here, there in ((composed, split), (split, composed)):
        mapping = MAP.replace('"won"', f'"gagn{here}"').replace('"who"', f'"employ{here}"')
        mapping = mapping.replace('"web", "shop"', f'"caf{here}", "shop"')
        history = read(
            tmp_path,
            mapping,
            people=f"id,name\na{there},Ann Lee\nb,Bob Ray\n",
            leads=LEADS.replace("who", f"employ{there}")
            .replace(",a,", f",a{here},")
            .replace("web", f"caf{there}\u200b"),
            deals=DEALS.replace("won", f"gagn{there}\ufeff"),
        )
        assert problems(history) == []
        assert history.bookings["status"].to_list() == ["confirmed", "cancelled", "pending"]
        assert history.assignments["source"].to_list() == [f"caf{composed}", "shop"] * 2
        assert history.agents["external_id"].to_list() == [f"a{composed}", "b"]


def test_a_cell_of_blanks_that_nobody_sees_is_empty(tmp_path: Path) -> None:
    history = read(tmp_path, leads=LEADS.replace("Kim", "\u200b \ufeff\u00a0"))
    assert problems(history)[0][:4] == ("leads.csv", 2, "customer", None)
    assert problems(history)[0][4] == "empty"


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ("1e-320,", "weight", "not from 1e-09 to 1,000,000"),
        ("2e6,", "weight", "not from 1e-09 to 1,000,000"),
        (f"1,{'x' * 501}", "skills", "an item is longer than 500 characters or holds a control character"),
        ("1,a\x07", "skills", "an item is longer than 500 characters or holds a control character"),
        (f"1,{';'.join(map(str, range(1001)))}", "skills", "more than 1,000 items"),
    ],
)
def test_what_the_desk_would_refuse_of_an_agent_costs_one_row(
    tmp_path: Path, cells: str, column: str, reason: str
) -> None:
    mapping = MAP.replace('name = "name"', 'name = "name"\nweight = "weight"\nskills = "skills"')
    people = f"id,name,weight,skills\na,Ann Lee,{cells}\nb,Bob Ray,1e-9,{'x' * 500};y\n"
    history = read(tmp_path, mapping, people=people)
    assert [(row[0], row[1], row[2], row[4]) for row in problems(history)][:1] == [
        ("people.csv", 2, column, reason)
    ]
    assert history.agents.select("external_id", "weight", "skills").rows() == [("b", 1e-9, ["x" * 500, "y"])]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("By,the,CRM\n" + DEALS, "line 2 looks like the header: delete the lines above it"),
        (DEALS.replace(",", ":"), "the whole header was read as one column: set separator under [format]"),
    ],
)
def test_a_header_that_is_not_where_it_should_be_is_found(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, deals=text)
    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize(
    ("text", "line"), [("Deals of May\n\n" + DEALS, 3), ("# by the CRM\n" + DEALS.replace(",", ";"), 2)]
)
def test_a_title_above_the_header_is_left_out_and_said(tmp_path: Path, text: str, line: int) -> None:
    history = read(tmp_path, deals=text)
    assert history.bookings.equals(read(tmp_path).bookings)
    assert f"header in line {line}" in history.intake.tables["bookings"].found


def test_a_duration_is_no_date_and_no_fault(tmp_path: Path) -> None:
    days = [timedelta(1), timedelta(2), None]
    deals = {
        "no": ["D1", "D2", "D3"],
        "lead": ["L1", "L2", "L3"],
        "state": ["won", "lost", "open"],
        "closed": days,
        "amount": [1, 2, 3],
    }
    pl.DataFrame(deals).write_parquet(tmp_path / "deals.parquet")
    history = read(tmp_path, MAP.replace("deals.csv", "deals.parquet"))
    assert [(row[1], row[3], row[4]) for row in problems(history)] == [
        (1, "1 day, 0:00:00", "not a date or time that exists"),
        (2, "2 days, 0:00:00", "not a date or time that exists"),
    ]
    assert unknown(history) == ["L1", "L2"]
