"""Files of leads and of task outcomes: each good row as a document, each bad one with its line."""

# ruff: noqa: E501 - a table of one bad row per line reads best unbroken
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from workbooks import workbook

from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import ConflictError, InputError
from dealwright.tables.leads import LeadFile, read_leads, read_reports
from dealwright.tables.rejected import write_rejected

SOURCE = Dimension("source", ("web", "shop"))
GOAL = Dimension("goal", ("sea", "air", EMPTY), is_open=True, required=False)
SIZE = Dimension("size", ("up to 10", "above 10", EMPTY), required=False, edges=(10.0,))
ALL = (SOURCE, GOAL, SIZE)
HEADER = "customer_name,source,goal,size,priority,requirements,idempotency_key,received_at\n"


def read(folder: Path, text: str | bytes, *dimensions: Dimension, name: str = "leads.csv") -> LeadFile:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_leads(folder / name, dimensions or ALL)


def lines(*documents: dict[str, Any] | str) -> str:
    return "".join(
        (item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)) + "\n" for item in documents
    )


def problems(leads: LeadFile, level: str = "rejected") -> list[tuple[Any, ...]]:
    found = leads.intake().problems.filter(pl.col("level") == level)
    return found.select("line", "column", "value", "reason", "fix").rows()


# leads


def test_leads_of_a_table(tmp_path: Path) -> None:
    text = (
        HEADER + "Kim,web,sea,12.5,5,a quiet place,k1,2026-06-30 14:05\n"
        "\n"
        "Sam,shop,moon,,,,,2026-06-30T14:05:00+02:00\n"
        "Ida,web,,10,-1,NA,,\n"
    )
    leads = read(tmp_path, text)
    assert leads.leads == {
        0: {
            "customer_name": "Kim", "requirements": "a quiet place", "priority": 5, "idempotency_key": "k1",
            "received_at": "2026-06-30T14:05:00+00:00",
            "attributes": {"source": "web", "goal": "sea", "size": 12.5},
        },
        1: {
            "customer_name": "Sam", "received_at": "2026-06-30T12:05:00+00:00",
            "attributes": {"source": "shop", "goal": "moon"},
        },
        2: {"customer_name": "Ida", "priority": -1, "attributes": {"source": "web", "size": 10.0}},
    }  # fmt: skip
    assert problems(leads) == []
    report = leads.intake().tables["leads"]
    assert (report.table, report.file, report.rows, report.kept) == ("leads", "leads.csv", 3, 3)


def test_a_customer_id_is_a_text_whatever_it_looks_like(tmp_path: Path) -> None:
    table = "customer_name,customer_id,source,goal\nKim,0017,web,sea\nSam,,web,sea\n"
    found = read(tmp_path, table).leads
    assert [lead.get("customer_id") for lead in found.values()] == ["0017", None]
    documents = lines(
        {"customer_name": "Kim", "customer_id": 17, "attributes": {"source": "web", "goal": "sea"}},
        {"customer_name": "Sam", "customer_id": "C-1", "attributes": {"source": "web", "goal": "sea"}},
    )
    found = read(tmp_path, documents, name="leads.jsonl").leads
    assert [lead.get("customer_id") for lead in found.values()] == ["17", "C-1"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("received_at", "2200-01-01 00:00", "not from 1970 to 2199"),
        ("received_at", "1969-12-31 23:59", "not from 1970 to 2199"),
        ("customer_name", "K\x07", "holds a control character"),
        ("idempotency_key", "k" * 501, "longer than 500 characters"),
        ("requirements", "k" * 100_001, "longer than 100,000 characters"),
    ],
)
def test_a_value_out_of_the_desks_bounds_is_one_rejected_row(
    tmp_path: Path, name: str, value: str, reason: str
) -> None:
    sound = {"customer_name": "Kim", "received_at": "2199-12-31 23:59", "idempotency_key": "é" * 500}
    rows = [sound, {**sound, name: value}, {"customer_name": "Sam\nSecond", "requirements": "a\nb"}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "l.jsonl").write_text(text)
    leads = read_leads(tmp_path / "l.jsonl", ())
    assert sorted(leads.leads) == [0, 2]
    assert leads.leads[2]["customer_name"] == "Sam Second"
    assert leads.leads[2]["requirements"] == "a\nb"
    assert [(column, why) for _, column, _, why, _ in problems(leads)] == [(name, reason)]


def test_leads_of_json_lines(tmp_path: Path) -> None:
    text = lines(
        {"customer_name": "Kim", "priority": 5, "attributes": {"source": "web", "size": 12}},
        {"customer_name": "Sam", "attributes": {"source": "shop", "goal": None}, "requirements": "“quiet”"},
        {"customer_name": "Ida", "source": "web"},
        {"customer_name": "Jo", "attributes": {"source": "web"}, "idempotency_key": 7, "note": None},
    )
    assert read(tmp_path, text, name="leads.jsonl").leads == {
        0: {"customer_name": "Kim", "priority": 5, "attributes": {"source": "web", "size": 12.0}},
        1: {"customer_name": "Sam", "requirements": "“quiet”", "attributes": {"source": "shop"}},
        2: {"customer_name": "Ida", "attributes": {"source": "web"}},
        3: {"customer_name": "Jo", "idempotency_key": "7", "attributes": {"source": "web"}},
    }


def test_leads_of_a_workbook(tmp_path: Path) -> None:
    cells = [
        ["customer_name", "source", "size", "priority"],
        ["Kim", "web", 12.5, 3],
        ["Sam", "shop", "", ""],
    ]
    leads = read(tmp_path, workbook({"Leads": cells}), name="leads.xlsx").leads
    assert leads == {
        0: {"customer_name": "Kim", "priority": 3, "attributes": {"source": "web", "size": 12.5}},
        1: {"customer_name": "Sam", "attributes": {"source": "shop"}},
    }


def test_what_is_said_is_the_same_however_often_it_is_asked(tmp_path: Path) -> None:
    leads = read(tmp_path, "customer_name,source,goal\nKim,web,NA\n,shop,-\n")
    first = leads.intake().problems
    assert first.select("level", "rows").rows() == [("rejected", 1), ("note", 2)]
    assert leads.intake().problems.equals(first)


def test_without_dimensions_a_name_is_enough(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("customer_name\nKim\nTotal\n")
    assert read_leads(tmp_path / "leads.csv", ()).leads == {
        0: {"customer_name": "Kim", "attributes": {}},
        1: {"customer_name": "Total", "attributes": {}},  # a company of that name
    }


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (",web,,,,,,", (3, "customer_name", None, "empty")),
        ("Kim,,,,,,,", (3, "source", None, "empty", "fill it in")),
        (f"Kim,{EMPTY},,,,,,", (3, "source", None, "empty", "fill it in")),
        ("Kim,wob,,,,,,", (3, "source", "wob", "not a value of source", "did you mean 'web'?")),
        ("Kim,fair,,,,,,", (3, "source", "fair", "not a value of source", "use one of: web, shop")),
        ("Kim,web,,big,,,,", (3, "size", "big", "not a number", "write it like 1234.50")),
        (
            "Kim,web,,,high,,,",
            (3, "priority", "high", "not a whole number", "write a whole number, such as 5"),
        ),
        (
            "Kim,web,,,1.5,,,",
            (3, "priority", "1.5", "not a whole number", "write a whole number, such as 12"),
        ),
        (
            "Kim,web,,,2147483648,,,",
            (3, "priority", "2147483648", "not from -2,147,483,648 to 2,147,483,647"),
        ),
        (
            "Kim,web,,,-2147483649,,,",
            (3, "priority", "-2147483649", "not from -2,147,483,648 to 2,147,483,647"),
        ),
        ("Kim,web,,,,,,soon", (3, "received_at", "soon", "not a date or time that exists")),
        ("Kim,web", (3, "(row)", "Kim | web", "2 fields instead of 8")),
    ],
)
def test_a_bad_lead_is_named_and_the_others_are_placed(
    tmp_path: Path, row: str, expected: tuple[Any, ...]
) -> None:
    leads = read(tmp_path, HEADER + f"Ann,web,,,,,,\n{row}\nBob,shop,,,2147483647,,,\n")
    assert [lead["customer_name"] for lead in leads.leads.values()] == ["Ann", "Bob"]
    (found,) = problems(leads)
    assert found[: len(expected)] == expected
    report = leads.intake().tables["leads"]
    assert (report.rows, report.kept, report.rejected.height) == (3, 2, 1)


def test_many_bad_leads_are_many_rejected_rows(tmp_path: Path) -> None:
    leads = read(tmp_path, "customer_name,source,priority\nAnn,web,1\n" + "Kim,web,high\n" * 9)
    assert len(leads.leads) == 1
    assert [problem[:4] for problem in problems(leads)] == [
        (line, "priority", "high", "not a whole number") for line in range(3, 12)
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"customer_name": "Bea", "priority": NaN}', ("(row)", "no JSON: NaN; write null, or a number", "mend the line, or leave it out")),
        ('{"customer_name": "Bea", "priority": -Infinity}', ("(row)", "no JSON: -Infinity; write null, or a number", "mend the line, or leave it out")),
        ('{"customer_name": "Bea"', ("(row)", "no JSON: Expecting ',' delimiter at character 24", "mend the line, or leave it out")),
        ('["Bea"]', ("(row)", "no JSON: not an object {…} with the names of the columns: write one a line", "mend the line, or leave it out")),
        ('{"customer_name": "Bea", "attributes": {"sourc": "web", "source": "web"}}', ("attributes.sourc", "unknown column 'sourc'", "did you mean 'source'?")),
        ('{"customer_name": "Bea", "source": "web", "prioritty": 1}', ("prioritty", "unknown column 'prioritty'", "did you mean 'priority'?")),
        ('{"customer_name": "Bea", "source": "web", "attributes": {"priority": 1}}', ("attributes.priority", "unknown column 'priority'", "did you mean 'priority'?")),
        ('{"customer_name": "Bea", "source": "web", "attributes": "web"}', ("attributes", "not an object", 'write attributes as {"name": "value"}')),
        ('{"customer_name": "Bea", "source": "web", "attributes": {"source": "shop"}}', ("source", "not a value of source", "did you mean 'shop'?")),
        ('{"customer_name": "Bea", "source": "web", "priority": 1e999}', ("priority", "not a whole number", "write a whole number, such as 5")),
        ('{"source": "web"}', ("customer_name", "empty", "fill it in")),
    ],
)  # fmt: skip
def test_a_bad_line_of_json_is_one_rejected_row(tmp_path: Path, line: str, expected: tuple[str, ...]) -> None:
    good = {"customer_name": "Ann", "attributes": {"source": "web"}}
    text = lines(good, "", line, {**good, "customer_name": "Dora"})
    leads = read(tmp_path, text, name="leads.jsonl")
    assert [lead["customer_name"] for lead in leads.leads.values()] == ["Ann", "Dora"]
    (found,) = problems(leads)
    assert (found[0], found[1], *found[3:]) == (3, *expected)
    (path,) = write_rejected(leads.intake(), tmp_path / "rejected", tmp_path)
    assert path.name == "leads.csv"
    assert "line 3" in path.read_text(encoding="utf-8").splitlines()[1]


def test_lines_without_any_good_one_and_files_that_are_no_leads(tmp_path: Path) -> None:
    for text, name, message in (
        ('{"customer_name": NaN}\n', "leads.jsonl", "leads.jsonl, line 1: no JSON: NaN"),
        ("customer_name,source\n", "leads.csv", "leads.csv holds no leads"),
        ("", "leads.csv", "leads.csv is empty"),
        ("customer_name,comunication\nKim,Text\n", "leads.csv", "leads.csv: unknown column 'comunication'"),
        ("customer_name,sorce\nKim,web\n", "leads.csv", "unknown column 'sorce': did you mean 'source'?"),
        ("customer,source\nKim,web\n", "leads.csv", "unknown column 'customer': did you mean 'customer_name'?"),
        ("customer_name,goal\nKim,sea\n", "leads.csv", "leads.csv: no column 'source': the columns are customer_name, goal"),
        ("source\nweb\n", "leads.csv", "leads.csv: no column 'customer_name': the columns are source"),
        ('{"customer_name": "Kim"}\n', "leads.jsonl", "leads.jsonl: no column 'source': the columns are customer_name"),
    ):  # fmt: skip
        with pytest.raises(InputError) as error:
            read(tmp_path, text, name=name)
        assert message in str(error.value)
    with pytest.raises(
        InputError, match=r"there is no file .*nowhere\.csv: give leads in a \.csv, \.xlsx or"
    ):
        read_leads(tmp_path / "nowhere.csv", ALL)


def test_a_file_with_ragged_rows_only_is_reported_row_by_row(tmp_path: Path) -> None:
    leads = read(tmp_path, "customer_name,source\nKim,web,now\n")
    assert leads.leads == {}
    assert problems(leads)[0][:4] == (2, "(row)", "Kim | web | now", "3 fields instead of 2")


@pytest.mark.parametrize(
    ("dimension", "given", "expected"),
    [
        (Dimension("x", ("a", "b")), "a", "a"),
        (Dimension("x", ("a", "b")), "c", "not a value of x"),
        (Dimension("x", ("a", "b")), "A", "not a value of x"),
        (Dimension("x", ("a", "b")), "", "empty"),
        (Dimension("x", ("a", "b"), at_arrival=False), "", "empty"),
        (Dimension("x", ("a", EMPTY), required=False), "", None),
        (Dimension("x", ("a", EMPTY), required=False), EMPTY, None),
        (Dimension("x", ("a",), is_open=True), "new", "new"),
        (Dimension("x", ("a",), is_open=True), "", "empty"),
        (Dimension("x", ("up to 1", "above 1"), edges=(1.0,)), "0.5", 0.5),
        (Dimension("x", ("up to 1", "above 1"), edges=(1.0,)), "", "empty"),
        (Dimension("x", ("up to 1", "above 1"), is_open=True, edges=(1.0,)), "z", "not a number"),
    ],
)
def test_what_a_dimension_takes(
    tmp_path: Path, dimension: Dimension, given: str, expected: float | str | None
) -> None:
    leads = read(tmp_path, f'customer_name,x\nKim,"{given}"\n', dimension)
    if problems(leads):
        assert [problem[3] for problem in problems(leads)] == [expected]
        assert leads.leads == {}
    else:
        assert leads.leads[0]["attributes"] == ({} if expected is None else {"x": expected})


def test_a_dimension_that_is_not_required_may_be_left_out(tmp_path: Path) -> None:
    leads = read(tmp_path, "customer_name,source\nKim,web\n")
    assert leads.leads == {0: {"customer_name": "Kim", "attributes": {"source": "web"}}}


def test_a_lead_that_the_desk_refuses_is_rejected_too(tmp_path: Path) -> None:
    leads = read(tmp_path, "customer_name,source\nKim,web\nSam,shop\n")
    leads.reject(1, ConflictError("the key was used before"))
    assert problems(leads) == [
        (3, "(row)", None, "the key was used before", "mend the row, and assign it again")
    ]
    assert leads.intake().tables["leads"].rejected.rows() == [
        ("Sam", "shop", "line 3, (row): the key was used before (mend the row, and assign it again)")
    ]  # fmt: skip


def test_the_mended_file_of_rejected_leads_can_be_assigned(tmp_path: Path) -> None:
    leads = read(tmp_path, HEADER + "Kim,wob,,,,=now,,\nAnn,web,,,,,,\n")
    (path,) = write_rejected(leads.intake(), tmp_path / "rejected", tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "'=now" in text
    path.write_text(text.replace("wob", "web"), encoding="utf-8")
    assert read_leads(path, ALL).leads == {
        0: {"customer_name": "Kim", "requirements": "=now", "attributes": {"source": "web"}}
    }
    path.write_text(text, encoding="utf-8")
    (again,) = write_rejected(read_leads(path, ALL).intake(), tmp_path / "again")
    assert again.read_text(encoding="utf-8").splitlines()[0].endswith("received_at,reason,reason_")
    again.write_text(again.read_text(encoding="utf-8").replace("wob", "web"), encoding="utf-8")
    assert read_leads(again, ALL).leads[0]["requirements"] == "=now"


# task outcomes

OUTCOMES = ("responded", "rejected", "not_reached")


def reports(folder: Path, text: str | bytes, name: str = "o.csv") -> list[tuple[int, dict[str, Any]]]:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_reports(folder / name, OUTCOMES))


def test_reports_of_tasks(tmp_path: Path) -> None:
    text = (
        'outcome,task_id,done_at,note,rep_id\nresponded,1,2026-07-01 10:00,"yes, twice",R2\n\nrejected,2,,,\n'
    )
    assert reports(tmp_path, text) == [
        (2, {"task_id": 1, "outcome": "responded", "done_at": "2026-07-01 10:00", "note": "yes, twice", "rep_id": "R2"}),
        (4, {"task_id": 2, "outcome": "rejected", "done_at": None, "note": None, "rep_id": None}),
    ]  # fmt: skip
    found = reports(tmp_path, '{"task_id": 3, "outcome": "not_reached", "note": "Total"}\n', "o.jsonl")
    assert found == [
        (1, {"task_id": 3, "outcome": "not_reached", "done_at": None, "note": "Total", "rep_id": None})
    ]
    book = workbook({"x": [["task_id", "outcome", "reason"], [4, "responded", ""]]})
    assert [report["task_id"] for _, report in reports(tmp_path, book, "o.xlsx")] == [4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task,outcome\n1,responded\n", "o.csv: unknown column 'task': did you mean 'task_id'?"),
        ("task_id\n1\n", "o.csv: no column 'outcome': the columns are task_id"),
        ("task_id,outcome\nA1,responded\n", "o.csv, line 2, task_id 'A1': not a whole number; write the id as `task list` shows it"),
        ("task_id,outcome\n0,responded\n", "o.csv, line 2, task_id '0': below 1; write the id as `task list` shows it"),
        ("task_id,outcome\n1.5,responded\n", "o.csv, line 2, task_id '1.5': not a whole number"),
        ("task_id,outcome\n,responded\n", "o.csv, line 2, task_id: empty; fill it in"),
        ("task_id,outcome\n1,respnded\n", "o.csv, line 2, outcome 'respnded': not an outcome; did you mean 'responded'?"),
        ("task_id,outcome\n1,responded\n2,\n", "o.csv, line 3, outcome: empty; fill it in"),
        ("task_id,outcome\n1,responded\n1,rejected\n", "o.csv, line 3, task_id '1': duplicate: line 2 has it already; keep one of the two"),
        ("task_id,outcome\n1,responded,x\n", "o.csv, line 2, (row) '1 | responded | x': 3 fields instead of 2"),
        ("task_id,outcome\n", "o.csv holds no rows"),
        ("", "o.csv is empty"),
    ],
)  # fmt: skip
def test_a_slip_in_a_file_of_reports_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        reports(tmp_path, text)
    assert message in str(error.value)
    with pytest.raises(InputError, match=r"there is no file .*: give reports in a"):
        list(read_reports(tmp_path / "nowhere.csv", OUTCOMES))
