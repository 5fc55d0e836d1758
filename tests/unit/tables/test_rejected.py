"""Files of rejected rows: as they came, with the reason, safe in a spreadsheet, and readable again."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import workbook

from dealwright.errors import InputError
from dealwright.schemas import Intake, TableReport
from dealwright.tables.history import read_history
from dealwright.tables.mapping import parse_mapping
from dealwright.tables.reader import read_table
from dealwright.tables.rejected import check_place, write_rejected

AGENTS = '[agents]\nfile = "people.csv"\nid = "id"\nname = "name"\n'
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
assigned_at = "day"
[bookings]
id = "nr"
assignment = "nr"
status = "stage"
completed_at = "closed"
total_revenue = "amount"
statuses = { confirmed = "won", none = "" }
"""


def intake(folder: Path, mapping: str = AGENTS, **files: str) -> Intake:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return read_history(parse_mapping(mapping), folder).intake


def report(rows: list[dict[str, str | None]], file: str = "t.csv", table: str = "orders") -> Intake:
    frame = pl.DataFrame(rows, schema_overrides=dict.fromkeys(rows[0], pl.String))
    return Intake({table: TableReport(table, file, 9, 9 - len(rows), rejected=frame)})


def written(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_cells_stand_as_they_came_with_the_reason_beside_them(tmp_path: Path) -> None:
    people = 'id,name,memo,stars\na,Ann,"one, ""two""\nthree",x\nb,, 007 ,4\n\nc,Cy,d,1,2\nd,Di,,3\n'
    found = intake(tmp_path, AGENTS + 'rating = "stars"', people=people)
    (path,) = write_rejected(found, tmp_path / "rejected", tmp_path)
    assert path == tmp_path / "rejected" / "people.csv"
    empty = 'fill it in, or give it a default: agents.name = { column = "name", default = … }'
    assert written(path) == [
        ["id", "name", "memo", "stars", "reason"],
        ["a", "Ann", 'one, "two"\nthree', "x", "line 2, stars: not a number (write a number)"],
        ["b", "", " 007 ", "4", f"line 4, name: empty ({empty})"],
        ["c", "Cy", "d", "1 | 2", "line 6: 5 fields instead of 4"],
    ]


def test_a_short_row_is_filled_up_and_a_second_reason_joins_the_first(tmp_path: Path) -> None:
    people = "id,name,stars\na\nb,,x\nc,Cy,1\n"
    found = intake(tmp_path, AGENTS + 'rating = "stars"', people=people)
    (path,) = write_rejected(found, tmp_path / "rejected")
    rows = written(path)
    assert rows[1] == ["a", "", "", "line 2: 1 fields instead of 3"]
    assert rows[2][:3] == ["b", "", "x"]
    assert rows[2][3].startswith("line 3, name: empty (fill it in")
    assert rows[2][3].endswith("); line 3, stars: not a number (write a number)")


def test_what_a_workbook_holds_is_written_as_a_person_would(tmp_path: Path) -> None:
    cells = [["id", "name", "stars"], [1, "", 4.5], [2, "Bo", 3]]
    (tmp_path / "people.xlsx").write_bytes(workbook({"Agents": cells}))
    found = intake(tmp_path, AGENTS.replace("people.csv", "people.xlsx") + 'rating = "stars"')
    (path,) = write_rejected(found, tmp_path / "rejected")
    assert path.name == "people.csv"
    assert written(path)[1][:3] == ["1", "", "4.5"]


def test_a_column_of_the_users_own_called_reason_stays(tmp_path: Path) -> None:
    found = intake(tmp_path, people="id,name,reason,reason_\na,,lost,x\n")
    (path,) = write_rejected(found, tmp_path / "rejected")
    assert [row[:4] for row in written(path)] == [["id", "name", "reason", "reason_"], ["a", "", "lost", "x"]]
    assert [row[4][:12] for row in written(path)] == ["reason__", "line 2, name"]


# spreadsheets


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("+cmd|'/C calc'!A0", "'+cmd|'/C calc'!A0"),
        ("-2+3+cmd", "'-2+3+cmd"), ("\tx", "'\tx"), ("\rx", "'\rx"), ("-A1", "'-A1"),
        ("'=1", "''=1"), ("'-5", "''-5"), ("''@x", "'''@x"),
        ("-12.50", "-12.50"), ("+34 93 (4) 12-3/4", "+34 93 (4) 12-3/4"), ("-1,5", "-1,5"), ("+", "+"),
        ("a=b", "a=b"), ("'x", "'x"), ("'", "'"), (" =1", " =1"), ("", ""), (None, ""), ("1", "1"),
    ],
)  # fmt: skip
def test_a_cell_that_would_be_run_as_a_formula_has_an_apostrophe(
    tmp_path: Path, cell: str | None, safe: str
) -> None:
    (path,) = write_rejected(report([{"x": cell, "=y": "1", "reason": "line 2: no"}]), tmp_path)
    assert written(path) == [["x", "'=y", "reason"], [safe, "1", "line 2: no"]]


CELLS = st.text(alphabet="'=+-@1a ,\"\n", max_size=6)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_the_mended_file_is_read_as_what_was_rejected(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    found = report(
        [{"id": f"{n}", "x": x, "=y": y, "reason": f"line {n + 2}: no"} for n, (x, y) in enumerate(rows)]
    )
    (path,) = write_rejected(found, tmp_path / "rejected")
    again = read_table(path).frame
    assert again.columns == ["id", "x", "=y", "reason"]
    assert [tuple(cell or "" for cell in row) for row in again.select("x", "=y").iter_rows()] == rows


def test_a_mended_file_can_be_imported(tmp_path: Path) -> None:
    found = intake(tmp_path, people="id,name,stars\n=a,,1\nb,-Bo-,x\n", mapping=AGENTS + 'rating = "stars"')
    (path,) = write_rejected(found, tmp_path / "rejected", tmp_path)
    text = path.read_text(encoding="utf-8").replace("'=a,,", "'=a,@nn,").replace(",x,", ",2,")
    path.write_text(text, encoding="utf-8")
    history = read_history(parse_mapping(AGENTS + 'rating = "stars"'), tmp_path / "rejected")
    assert history.agents.select("external_id", "name", "rating").rows() == [
        ("=a", "@nn", 1.0), ("b", "-Bo-", 2.0),
    ]  # fmt: skip


# files


def test_a_flat_table_has_one_file_with_each_row_once(tmp_path: Path) -> None:
    rows = (
        "nr,owner,customer,day,stage,closed,amount\n"
        "1,Ann,Kim,2025-01-01,won,2025-02-01,much\n"
        "2,Ann,,2025-01-01,won,2025-02-01,much\n"
        "3,Ann\n"
        "4,Ann,Kim,2025-01-01,won,2025-02-01,5\n"
        "4,Ann,Kim,2025-01-01,won,2025-02-01,5\n"
        "4,Ann,Kim,2025-01-01,won,2025-02-01,5\n"
    )
    found = intake(tmp_path, FLAT, all=rows)
    (path,) = write_rejected(found, tmp_path / "rejected", tmp_path)
    assert [(row[0], row[-1].split(" (")[0]) for row in written(path)[1:]] == [
        ("1", "line 2, amount: not a number"),
        ("2", "line 3, customer: empty"),
        ("3", "line 4: 2 fields instead of 7"),
        ("4", "line 6, nr: duplicate: line 5 has it already"),
        ("4", "line 7, nr: duplicate: line 5 has it already"),
    ]


def test_a_row_that_two_tables_reject_has_both_reasons(tmp_path: Path) -> None:
    rows = {"id": ["1", "2"], "reason": ["line 2: a", "line 3: b"]}
    tables = {
        "bookings": TableReport("bookings", "t.csv", 2, 0, rejected=pl.DataFrame(rows)[1:]),
        "assignments": TableReport("assignments", "t.csv", 2, 0, rejected=pl.DataFrame(rows)),
        "agents": TableReport(
            "agents", "t.csv", 2, 1, rejected=pl.DataFrame({"id": ["2"], "reason": ["line 3: c"]})
        ),
    }  # fmt: skip
    (path,) = write_rejected(Intake(tables), tmp_path)
    assert written(path) == [["id", "reason"], ["1", "line 2: a"], ["2", "line 3: b; line 3: c"]]


def test_two_sheets_of_a_workbook_have_a_file_each(tmp_path: Path) -> None:
    sheets = {
        "people": [["id", "name"], ["a", "Ann"], ["a", "Eve"]],
        "deals": [["nr", "who", "customer", "day"], *([n, w, "Kim", "2025-01-01"] for n, w in ("1a", "2z"))],
    }  # fmt: skip
    (tmp_path / "crm.xlsx").write_bytes(workbook(sheets))
    mapping = """
    agents = { file = "crm.xlsx", sheet = "people", id = "id", name = "name" }
    [assignments]
    file = "crm.xlsx"
    sheet = "deals"
    id = "nr"
    agent = "who"
    customer_name = "customer"
    assigned_at = "day"
    """
    paths = write_rejected(intake(tmp_path, mapping), tmp_path / "rejected")
    assert [path.name for path in paths] == ["crm.csv", "crm-assignments.csv"]
    assert [written(path)[1][0] for path in paths] == ["a", "2"]


def test_an_earlier_file_of_ours_is_removed_and_a_strangers_is_not(tmp_path: Path) -> None:
    aside = tmp_path / "rejected"
    good = intake(tmp_path, people="id,name\na,Ann\n")
    assert write_rejected(good, aside, tmp_path) == []
    assert not aside.exists()
    write_rejected(intake(tmp_path, people="id,name\na,\n"), aside, tmp_path)
    (aside / "other.csv").write_text("id,reason\n1,line 2: x\n")
    assert write_rejected(good, aside, tmp_path) == []
    assert [path.name for path in aside.iterdir()] == ["other.csv"]
    for text in ("id,name\n1,Ann\n", "id,reason\n1,too dear\n", "id,reason_why\n1,line 2\n", "", "\n"):
        (aside / "people.csv").write_text(text)
        assert write_rejected(good, aside, tmp_path) == []
        assert (aside / "people.csv").read_text() == text
    (aside / "people.csv").write_bytes(b"id,reason\n\xff,line 2\n")
    write_rejected(good, aside, tmp_path)
    assert (aside / "people.csv").exists()
    (aside / "people.csv").write_text("id,name,reason_\n")
    write_rejected(good, aside, tmp_path)
    assert not (aside / "people.csv").exists()


def test_a_strangers_file_is_not_written_over_and_ours_is(tmp_path: Path) -> None:
    bad = intake(tmp_path, people="id,name\na,\n")
    aside = tmp_path / "rejected"
    write_rejected(bad, aside)
    write_rejected(bad, aside)
    assert len(written(aside / "people.csv")) == 2
    (aside / "people.csv").write_text("id,name\n1,Ann\n")
    with pytest.raises(
        InputError, match=r"people\.csv is no file of rejected rows: move it, or choose another"
    ):
        write_rejected(bad, aside)
    assert (aside / "people.csv").read_text() == "id,name\n1,Ann\n"


def test_the_folder_of_the_tables_and_one_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    bad = intake(tmp_path, people="id,name\na,\n")
    inside = tmp_path / "x" / ".."
    with pytest.raises(
        InputError, match=r"holds the tables themselves: choose another directory for --rejected"
    ):
        write_rejected(bad, inside, tmp_path)
    with pytest.raises(InputError, match="holds the tables themselves"):
        check_place(tmp_path, tmp_path)
    check_place(tmp_path, tmp_path / "x", ["people2.csv"])
    with pytest.raises(InputError, match=r"people\.csv is no file of rejected rows"):
        check_place(tmp_path, None, ["x.csv", "people.csv"])
    with pytest.raises(InputError, match=r"cannot write the rejected rows into .*people\.csv: File exists"):
        write_rejected(bad, tmp_path / "people.csv")
    assert write_rejected(bad, tmp_path / "deep" / "er")[0].parent.name == "er"


def test_a_table_without_a_file_is_called_by_its_role(tmp_path: Path) -> None:
    (path,) = write_rejected(report([{"x": "1", "reason": "line 1: no"}], file=""), tmp_path)
    assert path.name == "orders.csv"
