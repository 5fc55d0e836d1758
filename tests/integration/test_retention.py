"""Retention: what its time is over for goes, by the clock, and the record still verifies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine import add_agent, declare, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright import InputError
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.worker import Worker, WorkerParams
from dealwright.settings import load_settings

pytestmark = pytest.mark.administrator  # only a superuser may let time pass
MODEL = random_model(np.random.default_rng(5))
AGES = (
    ("lead", "received_at"), ("assignment", "assigned_at"), ("assignment", "ended_at"),
    ("assignment", "known_at"), ("assignment", "completed_at"), ("booking", "completed_at"),
    ("decision", "decided_at"), ("event", "at"),
)  # fmt: skip
TASKS = """
select dealwright.begin_publishing();
insert into published_task (account_id, day, action, channel, rep_id, brief)
values ('ACC-7', '2024-07-01', 'visit', 'field', 'A1', 'likes window seats'),
       ('ACC-8', '2024-07-01', 'visit', 'field', 'A1', 'calls back');
select dealwright.publish_tasks('r1', '2024-06-30', 'UTC', '2024-07-01', '2024-07-01');
select dealwright.finish_task(task_id, 'responded') from dealwright.task where account_id = 'ACC-7'
"""
WORDS = ("Kate", "C-7", "CRM-1", "form-1", "a window seat", "ACC-7", "likes window seats")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as found:
        declare(found)
        load_model(found, MODEL)
        add_agent(found, "Ada", capacity=20, external_id="A1")
        yield found


def place(desk: Desk, number: int, *, settle: bool = True) -> int:
    row = desk.assign(
        {
            "customer_name": f"Kate {number}", "customer_id": f"C-7{number}", "external_id": f"CRM-1{number}",
            "idempotency_key": f"form-1{number}", "requirements": f"a window seat, {number}",
            "attributes": {"destination": "Mars", "lead_source": "Organic"},
        }
    ).row  # fmt: skip
    if settle:
        desk.settle(row["booking_id"], "confirmed", total_revenue=100)
    return int(row["lead_id"])


def age(connection: Connection[Any], days: int) -> None:
    """Let everything so far have been so many days earlier."""
    with connection.transaction():
        rows(connection, "set local session_replication_role = replica")
        for table, column in AGES:
            rows(
                connection,
                f"update dealwright.{table} set {column} = {column} - make_interval(days => {days})",
            )
    rows(connection, "select dealwright.prepare_months(), dealwright.rebuild_statistics()")


def text_of(connection: Connection[Any]) -> str:
    tables = ("lead", "decision", "task", "change")
    return "\n".join(str(rows(connection, f"select * from dealwright.{table}")) for table in tables)


def test_who_a_customer_was_goes_after_its_time_and_the_chain_verifies(
    database: Database, connection: Connection[Any]
) -> None:
    desk = Desk(database)
    old = [place(desk, number) for number in range(3)]
    open_still = place(desk, 3, settle=False)
    rows(connection, TASKS)
    Worker(database).work()  # seals
    age(connection, 400)
    new = place(desk, 4)
    before = text_of(connection)
    assert all(word in before for word in WORDS)
    assert Worker(database).work().erased == 0  # nobody said so
    done = Worker(database, WorkerParams(texts_days=365)).work()
    assert done.erased == 4  # three leads, one task
    assert "4 customer records erased" in done.summary()
    kept = rows(connection, "select lead_id, customer_name, external_id from dealwright.lead order by 1")
    assert [row["lead_id"] for row in kept if row["customer_name"] == "erased"] == old
    assert {row["lead_id"] for row in kept if row["external_id"] is not None} == {open_still, new}
    after = text_of(connection)
    assert "likes window seats" not in after
    assert "ACC-7" not in after
    assert "calls back" in after  # was not done: it stays
    for number in range(3):
        assert not any(f"{word}{number}" in after for word in ("Kate ", "C-7", "CRM-1", "form-1", "seat, "))
    for number in (3, 4):
        assert f"a window seat, {number}" in after
    assert value(connection, "select bool_and(intact) from dealwright.verify_decisions()")
    (change,) = desk.book.changes(action="erase").rows
    assert (change["object"], change["after"]["leads"], change["after"]["tasks"]) == ("retention", 3, 1)
    assert Worker(database, WorkerParams(texts_days=365)).work().erased == 0
    check_desk(connection, MODEL)


def test_the_worker_archives_after_it_has_erased(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    desk = Desk(database)
    for number in range(3):
        place(desk, number)
    age(connection, 400)
    params = WorkerParams(texts_days=365, archive_days=390, archive_folder=tmp_path / "archive")
    done = Worker(database, params).work()
    assert (done.erased, done.archived) == (3, 2)
    assert value(connection, "select count(*) from dealwright.decision") == 0
    import polars as pl

    found = pl.read_parquet(tmp_path / "archive" / "decision" / "*" / "*.parquet")
    assert found["requirements"].null_count() == found.height == 3
    checked = desk.verify(archive=tmp_path / "archive")
    assert checked.intact
    assert checked.archived == 0  # all of them were looked at


def test_a_worker_that_may_not_says_so_and_goes_on(
    database: Database, connection: Connection[Any], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    place(Desk(database), 1)
    age(connection, 400)
    done = Worker(database, WorkerParams(archive_days=1, archive_folder=blocked)).work()
    assert done.archived == 0
    assert any(getattr(record, "alarm", False) for record in caplog.records)
    assert value(connection, "select count(*) from dealwright.decision") == 1


def test_retention_is_a_setting(tmp_path: Path) -> None:
    file = tmp_path / "dealwright.toml"
    file.write_text("[retention]\ntexts_days = 730\narchive_days = 365\n")
    found = load_settings(environment={}, directory=tmp_path).retention
    assert (found.texts_days, found.archive_days) == (730, 365)
    assert load_settings(environment={}, directory=tmp_path / "none").retention.texts_days is None
    file.write_text("[retention]\ntexts_days = 0\n")
    with pytest.raises(InputError, match="from 1 to 36500"):
        load_settings(environment={}, directory=tmp_path)
