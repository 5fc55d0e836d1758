"""Tasks for any client: what plain SQL may write, what it may not, and what it reads back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from engine import Row, rows, value
from psycopg import Connection
from published import run_of, task

from dealwright.desk.database import Database
from dealwright.desk.task_book import TaskBook

UNFINISHED = "status = 'planned', outcome = null, done_at = null"
TEN = datetime(2026, 7, 1, 8, tzinfo=UTC)  # ten o'clock in Barcelona


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    """A desk with four tasks, 1 to 4."""
    TaskBook(database).publish(
        run_of(
            [
                task("A1", rep_id="R1", start_at=datetime(2026, 7, 1, 9), cost_eur=45.0, propensity=0.9),
                task("A2", rep_id="R1", start_at=datetime(2026, 7, 1, 11)),
                task("A3", "upsell", "outbound_cc", rep_id="nobody the desk knows"),
                task("A4", "cross_sell", "ecom_self"),
            ]
        )
    )
    with database.connect(autocommit=True) as connection:
        yield connection


def one(connection: Connection[Any], task_id: int) -> Row:
    return rows(connection, "select * from dealwright.task where task_id = %s", task_id)[0]


def events(connection: Connection[Any]) -> list[Row]:
    return rows(connection, "select kind, payload from dealwright.event order by position")


def test_a_task_is_finished_by_writing_its_row(connection: Connection[Any]) -> None:
    connection.execute("update dealwright.task set status = 'done', outcome = 'responded' where task_id = 1")
    connection.execute("update dealwright.task set status = 'failed' where task_id = 2")
    first, second = one(connection, 1), one(connection, 2)
    assert abs((datetime.now(UTC) - first["done_at"]).total_seconds()) < 60
    assert second["outcome"] == "not_reached"
    assert [event["kind"] for event in events(connection)] == ["plan_published", "task_done", "task_failed"]
    assert events(connection)[1]["payload"]["account_id"] == "A1"


def test_and_by_the_functions(connection: Connection[Any]) -> None:
    finished = rows(
        connection, "select * from dealwright.finish_task(1, 'rejected', %s, 'not now', 'R2')", TEN
    )[0]
    assert (finished["status"], finished["outcome"], finished["done_at"]) == ("done", "rejected", TEN)
    assert (finished["note"], finished["rep_id"]) == ("not now", "R2")
    assert rows(connection, "select * from dealwright.finish_task(2, 'not_reached')")[0]["status"] == "failed"
    assert rows(connection, "select * from dealwright.start_task(3, 'R7')")[0]["rep_id"] == "R7"
    assert rows(connection, "select * from dealwright.cancel_task(4, 'closed')")[0]["status"] == "cancelled"


def test_finished_tasks_are_touches_on_the_companys_clock(connection: Connection[Any]) -> None:
    rows(connection, "select dealwright.finish_task(1, 'responded', %s)", TEN)
    rows(connection, "select dealwright.finish_task(2, 'rejected', %s)", TEN)
    rows(connection, "select dealwright.finish_task(3, 'not_reached', %s)", TEN)
    rows(connection, "select dealwright.cancel_task(4)")
    seen = rows(connection, "select * from dealwright.touches() order by account_id")
    assert [row["account_id"] for row in seen] == ["A1", "A2", "A3"]  # what was called off touched nobody
    assert {row["touched_at"] for row in seen} == {datetime(2026, 7, 1, 10)}
    assert [(row["response"], row["rejected"]) for row in seen] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip
    assert (seen[0]["cost_eur"], seen[0]["propensity"], seen[0]["rep_id"]) == (45.0, 0.9, "R1")
    assert value(connection, "select count(*) from dealwright.touches(%s)", TEN) == 3
    assert value(connection, "select count(*) from dealwright.touches('-infinity', '2026-06-30')") == 0


def test_an_outcome_may_be_corrected_and_that_is_on_record(connection: Connection[Any]) -> None:
    rows(connection, "select dealwright.finish_task(1, 'no_response', %s)", TEN)
    rows(connection, "select dealwright.finish_task(1, 'no_response')")  # said twice: nothing
    assert len(events(connection)) == 2
    rows(connection, "select dealwright.finish_task(1, 'responded', null, 'ordered a week later')")
    row = one(connection, 1)
    assert (row["outcome"], row["done_at"], row["note"]) == ("responded", TEN, "ordered a week later")
    last = events(connection)[-1]
    assert last["kind"] == "task_corrected"
    assert last["payload"]["was"]["outcome"] == "no_response"


def test_a_finished_task_is_reopened_only_with_a_reason(connection: Connection[Any]) -> None:
    rows(connection, "select dealwright.finish_task(1, 'responded', %s)", TEN)
    with pytest.raises(psycopg.DatabaseError, match="needs a reason"):
        rows(connection, "select dealwright.reopen_task(1, ' ')")
    rows(connection, "select dealwright.reopen_task(1, 'the wrong customer')")
    row = one(connection, 1)
    assert (row["status"], row["outcome"], row["done_at"]) == ("planned", None, None)
    last = events(connection)[-1]
    assert (last["kind"], last["payload"]["reason"]) == ("task_reopened", "the wrong customer")
    assert last["payload"]["was"]["outcome"] == "responded"
    assert value(connection, "select count(*) from dealwright.touch") == 0
    with pytest.raises(psycopg.DatabaseError, match="is planned, not finished"):
        rows(connection, "select dealwright.reopen_task(1, 'again')")


def test_reopening_one_task_opens_no_other(connection: Connection[Any]) -> None:
    for number in (1, 2):
        rows(connection, "select dealwright.finish_task(%s, 'responded')", number)
    with connection.transaction():
        rows(connection, "select dealwright.reopen_task(1, 'a slip')")
        with pytest.raises(psycopg.DatabaseError), connection.transaction():
            connection.execute(f"update dealwright.task set {UNFINISHED} where task_id in (1, 2)".encode())
    assert [one(connection, number)["status"] for number in (1, 2)] == ["planned", "done"]


SET = "update dealwright.task set"
SECOND = (
    "insert into dealwright.task (run_id, day, account_id, action, channel) "
    "values ('run 1', '2026-07-01', 'A2', 'win_back', 'field')"
)
REFUSED = {
    "done without an outcome": (f"{SET} status = 'done' where task_id = 2", "DW002"),
    "an outcome without done": (f"{SET} outcome = 'responded' where task_id = 2", "23514"),
    "an unknown outcome": ("select dealwright.finish_task(2, 'delighted')", "DW002"),
    "no outcome": ("select dealwright.finish_task(2, null)", "DW002"),
    "an unknown status": (f"{SET} status = 'lost' where task_id = 2", "23514"),
    "never": ("select dealwright.finish_task(2, 'responded', 'infinity')", "DW002"),
    "unfinished by hand": (f"{SET} {UNFINISHED} where task_id = 1", "DW001"),
    "replaced by hand": (f"{SET} {UNFINISHED.replace('planned', 'replaced')} where task_id = 1", "DW001"),
    "called off afterwards": ("select dealwright.cancel_task(1)", "DW001"),
    "given to another account": (f"{SET} account_id = 'A9' where task_id = 1", "DW001"),
    "begun again": ("select dealwright.start_task(1)", "DW001"),
    "deleted when done": ("delete from dealwright.task where task_id = 1", "DW001"),
    "deleted when begun": ("delete from dealwright.task where task_id = 3", "DW001"),
    "truncated": ("truncate dealwright.task", "DW001"),
    "no such task": ("select dealwright.finish_task(99, 'responded')", "DW003"),
    "two open ones": (SECOND, "23505"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_would_break_the_record_is_refused(connection: Connection[Any], case: str) -> None:
    rows(connection, "select dealwright.finish_task(1, 'responded', %s)", TEN)
    rows(connection, "select dealwright.start_task(3)")
    before = rows(connection, "select * from dealwright.task order by task_id")
    statement, code = REFUSED[case]
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(statement.encode())
    assert refused.value.sqlstate == code
    assert rows(connection, "select * from dealwright.task order by task_id") == before


def test_what_nobody_began_may_be_deleted(connection: Connection[Any]) -> None:
    rows(connection, "select dealwright.cancel_task(2)")
    connection.execute("delete from dealwright.task where task_id in (2, 4)")
    assert value(connection, "select count(*) from dealwright.task") == 2


def test_a_cancelled_task_that_was_done_after_all_is_a_touch(connection: Connection[Any]) -> None:
    rows(connection, "select dealwright.cancel_task(1, 'ill')")
    cancelled = one(connection, 1)["done_at"]
    rows(connection, "select dealwright.finish_task(1, 'responded')")
    assert one(connection, 1)["done_at"] > cancelled
    assert value(connection, "select count(*) from dealwright.touch") == 1
