"""The commands of tasks: the JSON that programs read, and what a slip is answered with."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from command_line import Command
from published import run_of, task

from dealwright.desk.database import Database
from dealwright.runs.task_file import write_tasks

LISTED = {
    "task_id", "day", "account_id", "account_name", "rep_id", "action", "channel", "stop", "start_at",
    "end_at", "window_start", "window_end", "value_eur", "cost_eur", "propensity", "reason", "status",
    "outcome", "done_at", "note", "run_id", "replaced_by", "time_zone", "card",
}  # fmt: skip
NOWHERE = ["--database-url", "postgresql://localhost:1/x"]
NINE = datetime(2026, 7, 1, 9)


@pytest.fixture
def desk(dealwright: Command, tmp_path: Path) -> Command:
    """A desk on which the run in ``run/`` was published: tasks 1 to 3."""
    (tmp_path / "run").mkdir()
    rows = [
        task("A1", rep_id="R1", start_at=NINE, end_at=NINE.replace(hour=10), account_name="[Bar] Nil",
             value_eur=100.0, reason="why not", brief="## Visit"),
        task("A2", rep_id="R1", start_at=NINE.replace(hour=11)),
        task("A3", "cross_sell", "ecom_self"),
    ]  # fmt: skip
    write_tasks(run_of(rows), tmp_path / "run")
    dealwright("task", "publish", "run")
    return dealwright


def test_publish_says_what_it_did(desk: Command) -> None:
    again = desk("task", "publish", "run", "--json").json
    assert again == {
        "run_id": "run 1", "as_of": "2026-06-30T22:00:00", "first_day": "2026-07-01",
        "last_day": "2026-07-01", "tasks": 3, "published": False, "new": 0, "kept": 3, "replaced": 0,
        "settled": 0,
    }  # fmt: skip
    assert "nothing changed" in desk("task", "publish", "run").out


def test_list_and_show(desk: Command) -> None:
    rows = desk("task", "list", "--json").json
    assert [set(row) for row in rows] == [LISTED] * 3
    assert [row["account_id"] for row in rows] == ["A1", "A2", "A3"]
    assert rows[0]["start_at"] == "2026-07-01T09:00:00+02:00"
    shown = desk("task", "show", 1, "--json").json
    assert set(shown) == LISTED | {"brief"}
    assert shown["brief"] == "## Visit"
    page = desk("task", "show", 1).out
    assert "[Bar] Nil (A1)" in page
    assert "09:00 to 10:00" in page
    assert "why not" in page
    table = desk("task", "list").out
    assert "[Bar] Nil A1" in table
    assert max(map(len, table.splitlines())) <= 80
    assert "3 tasks: 3 planned" in table


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--rep", "R1"], [1, 2]),
        (["--account", "A3"], [3]),
        (["--status", "planned", "--top", "1"], [1]),
        (["--day", "2026-07-02"], []),
        (["--run", "run 1"], [1, 2, 3]),
    ],
)
def test_list_takes_filters(desk: Command, options: list[str], found: list[int]) -> None:
    assert [row["task_id"] for row in desk("task", "list", *options, "--json").json] == found


def test_settling(desk: Command) -> None:
    done = desk("task", "done", 1, "responded", "--at", "2026-07-01T09:40", "--note", "ok", "--json").json
    assert (done["status"], done["outcome"], done["done_at"]) == (
        "done",
        "responded",
        "2026-07-01T09:40:00+02:00",
    )
    assert desk("task", "done", 1, "no_response", "--json").json["outcome"] == "no_response"
    assert desk("task", "start", 2, "--rep", "R9", "--json").json["rep_id"] == "R9"
    assert (
        desk("task", "failed", 2, "--at", "2026-07-01T12:00:00Z", "--json").json["outcome"] == "not_reached"
    )
    assert desk("task", "cancel", 3, "--note", "closed", "--json").json["status"] == "cancelled"
    assert desk("task", "reopen", 3, "--reason", "open again", "--json").json["status"] == "planned"
    runs = desk("task", "runs", "--json").json
    assert [(row["run_id"], row["open"], row["done"], row["failed"]) for row in runs] == [("run 1", 1, 1, 1)]
    assert "run 1" in desk("task", "runs").out


def test_a_file_of_outcomes_in_json_lines(desk: Command) -> None:
    lines = [
        {"task_id": 1, "outcome": "responded", "done_at": "2026-07-01T08:00:00Z"},
        {"task_id": 3, "outcome": "cancelled"},
    ]
    Path("o.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert desk("task", "report", "o.jsonl", "--json").json == {"reported": 2}
    assert desk("task", "show", 1, "--json").json["done_at"] == "2026-07-01T10:00:00+02:00"
    Path("o.jsonl").write_text('{"task_id": 2, "outcome": "responded"}\n{"task_id": NaN}\n')
    assert "o.jsonl, line 2, (row)" in desk("task", "report", "o.jsonl", expect=2).err
    assert desk("task", "show", 2, "--json").json["status"] == "planned"


def test_a_file_of_outcomes(desk: Command, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text(
        'task_id,outcome,done_at,note,rep_id\n1,responded,2026-07-01 10:00,"yes, twice",R2\n'
        "2,not_reached,,,\n3,cancelled,,,\n"
    )
    assert desk("task", "report", "o.csv", "--json").json == {"reported": 3}
    rows = desk("task", "list", "--json").json
    assert Counter(row["status"] for row in rows) == {"done": 1, "failed": 1, "cancelled": 1}
    one = desk("task", "show", 1, "--json").json
    assert (one["note"], one["rep_id"], one["done_at"]) == ("yes, twice", "R2", "2026-07-01T10:00:00+02:00")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_export(desk: Command, tmp_path: Path, ending: str) -> None:
    desk("task", "done", 1, "responded", "--at", "2026-07-01 10:00")
    desk("task", "done", 2, "rejected", "--at", "2026-07-02 10:00")
    file = f"touches.{ending}"
    assert desk("task", "export", file, "--json").json == {"file": file, "touches": 2}
    read = pl.read_csv(file, try_parse_dates=True) if ending == "csv" else pl.read_parquet(file)
    assert read["touched_at"].to_list() == [datetime(2026, 7, 1, 10), datetime(2026, 7, 2, 10)]
    assert read["response"].to_list() == [True, False]
    assert desk("task", "export", file, "--since", "2026-07-02", "--json").json["touches"] == 1


REPORTS = {
    "task,outcome\n1,responded\n": "o.csv: unknown column 'task': did you mean 'task_id'?",
    "task_id\n1\n": "o.csv: no column 'outcome': the columns are task_id",
    "task_id,outcome\nA1,responded\n": "o.csv, line 2, task_id 'A1': not a whole number; write the id as",
    "task_id,outcome\n,responded\n": "o.csv, line 2, task_id: empty; fill it in",
    "task_id,outcome\n1,respnded\n": "line 2, outcome 'respnded': not an outcome; did you mean 'responded'?",
    "task_id,outcome\n1,responded\n2,\n": "o.csv, line 3, outcome: empty; fill it in",
    "task_id,outcome\n1,responded\n99,responded\n": "o.csv, line 3, task_id: there is no task 99",
    "task_id,outcome\n1,responded\n1,rejected\n": "line 3, task_id '1': duplicate: line 2 has it already",
    "task_id,outcome,done_at\n1,responded,yesterday\n": "o.csv, line 2, done_at: 'yesterday' is no time like",
    "task_id,outcome\n1,responded,x\n": "o.csv, line 2, (row) '1 | responded | x': 3 fields instead of 2",
    "task_id,outcome\n": "holds no rows",
    "": "is empty",
}


@pytest.mark.parametrize("text", list(REPORTS))
def test_a_slip_in_a_file_of_outcomes_names_its_line_and_changes_nothing(
    desk: Command, tmp_path: Path, text: str
) -> None:
    (tmp_path / "o.csv").write_text(text)
    answer = desk("task", "report", "o.csv", expect=2)
    assert REPORTS[text] in " ".join(answer.err.split())
    assert Counter(row["status"] for row in desk("task", "list", "--json").json) == {"planned": 3}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["task", "done", "99", "responded"], 2, "there is no task 99"),
        (["task", "done", "1", "responed"], 2, "did you mean 'responded'?"),
        (["task", "done", "0", "responded"], 2, "TASK"),
        (["task", "done", "1", "responded", "--at", "noon"], 2, "'noon' is no time like"),
        (["task", "done", "99999999999999999999", "responded"], 2, "out of range"),
        (["task", "show", "99"], 2, "there is no task 99"),
        (["task", "start", "99"], 2, "there is no task 99"),
        (["task", "reopen", "1", "--reason", "x"], 1, "is planned, not finished"),
        (["task", "list", "--status", "open"], 2, "unknown status 'open'"),
        (["task", "list", "--day", "monday"], 2, "no day like"),
        (["task", "report", "nowhere.csv"], 2, "there is no file nowhere.csv"),
        (["task", "export", "touches.xlsx"], 2, "name a .csv or .parquet file"),
        (["task", "export", "nowhere/touches.csv"], 2, "cannot write"),
        (["task", "publish", "nowhere"], 2, "holds no tasks.parquet"),
        (["task", "publish", "run", *NOWHERE], 1, "nothing was published"),
        (["plan", "--world", "barcelona", "--out", "r", "--publish", *NOWHERE], 1, "cannot connect"),
    ],
)  # fmt: skip
def test_errors(desk: Command, arguments: list[str], code: int, message: str) -> None:
    answer = desk(*arguments, "--json", expect=code)
    assert answer.out == ""
    assert message in json.loads(answer.err)["error"]["message"]
    assert message in " ".join(desk(*arguments, expect=code).err.replace("│", " ").split())
    assert not Path("r").exists()


def test_a_database_without_a_desk_gets_one(
    dealwright: Command, empty_database: Database, tmp_path: Path
) -> None:
    write_tasks(run_of([task("A1", rep_id="whom the desk never heard of")]), tmp_path)
    answer = dealwright("--database-url", empty_database.url, "task", "publish", ".", "--json")
    assert answer.json["new"] == 1


def test_an_empty_desk_says_where_tasks_come_from(dealwright: Command) -> None:
    answer = dealwright("task", "list")
    assert "no tasks" in answer.out
    assert "--publish" in answer.err
    assert "no run has been published yet" in dealwright("task", "runs").out
