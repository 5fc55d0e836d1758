"""A read replica: what only reads asks it, training waits for it, and it takes over without a loss."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from engine import add_agent, assign, declare, load_model, random_model, rows, value
from ledger import check_desk
from standbys import follow_synchronously, lose, make_standby, promote

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.server import Server, find_server, start_server, stop_server
from dealwright.errors import DatabaseUrlError

LEAD = {"destination": "Mars", "lead_source": "Organic"}
MODEL = random_model(np.random.default_rng(1))
# places leads until it is stopped, or its server is gone; says of each what it was told
CLERK = """
import json, sys
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk

desk, clerk = Desk(Database(sys.argv[1])), sys.argv[2]
for number in range(100_000):
    key = f"{clerk}-{number}"
    print(json.dumps({"sent": key}), flush=True)
    placed = desk.assign(
        {
            "customer_name": key,
            "attributes": {"destination": "Mars", "lead_source": "Organic"},
            "idempotency_key": key,
        }
    ).to_dict()
    told = {"key": key, "assignment_id": placed["assignment_id"], "agent_id": placed["agent_id"]}
    print(json.dumps(told), flush=True)
    if number % 3 == 0:
        desk.settle(placed["booking_id"], "confirmed", base_revenue=100)
        print(json.dumps({"settled": placed["booking_id"]}), flush=True)
"""

RESUME = """
import sys, time, psycopg
time.sleep(1.5)
psycopg.connect(sys.argv[1], autocommit=True).execute("select pg_wal_replay_resume()")
"""


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Server]:
    """Return a server of this test's own that holds a desk, with the durability a user gets."""
    server = start_server(tmp_path / "primary")
    with Desk.open(server.url) as desk, desk.database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, MODEL)
        for i in range(6):
            add_agent(connection, f"agent {i}", capacity=100_000, rating=float(i))
    yield server
    if find_server(server.home) is not None:  # not lost
        stop_server(server.home)


@pytest.fixture
def standby(primary: Server, tmp_path: Path) -> Iterator[Server]:
    server = make_standby(primary, tmp_path / "standby")
    yield server
    if find_server(server.home) is not None:  # not lost
        stop_server(server.home)


def _wait_until_same(primary: Server, standby: Server) -> None:
    with psycopg.connect(primary.url) as first, psycopg.connect(standby.url, autocommit=True) as second:
        lsn = value(first, "select pg_current_wal_insert_lsn()::text")
        end = time.monotonic() + 30
        while not value(second, "select pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn):
            assert time.monotonic() < end
            time.sleep(0.02)


def test_what_only_reads_asks_the_replica(
    primary: Server, standby: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Desk.open(primary.url, read_url=standby.url) as desk:
        placed = desk.assign({"customer_name": "Kate", "attributes": LEAD}).to_dict()
        desk.settle(placed["booking_id"], "confirmed", base_revenue=100)
        with desk.database.connect(autocommit=True) as connection:
            rows(connection, "select dealwright.seal_decisions()")
        _wait_until_same(primary, standby)
        assert desk.counts()["assignments"] == 1  # from here on it is known to be ours

        def refuse(*_: object, **__: object) -> None:
            pytest.fail("the primary was asked")

        assert [row["lead_id"] for row in desk.book.leads().rows] == [placed["lead_id"]]  # ours, too
        monkeypatch.setattr(desk.database, "connection", refuse)
        assert len(desk.book.leads().rows) == 1
        assert [row["assignment_id"] for row in desk.book.assignments().rows] == [placed["assignment_id"]]
        assert [row["open"] for row in desk.book.agents().rows] == [0] * 6
        assert desk.book.queue().rows == ()
        assert len(desk.book.policies()) == 4
        assert desk.used_policy("value")["model_id"] == 1
        assert [row["open"] for row in desk.agents().table_rows()] == [0] * 6
        assert desk.queue().table_rows() == ()
        assert desk.counts()["bookings"] == 1
        assert len(desk.models().table_rows()) == 1
        assert desk.outcomes().height == 1
        assert desk.agent_traits().height == len(desk.agent_names()) == 6
        assert desk.verify().summary() == "the record is intact: 1 decision in 1 block"


def test_a_single_row_is_read_where_it_was_written(primary: Server, standby: Server) -> None:
    with (
        Desk.open(primary.url, read_url=standby.url) as desk,
        psycopg.connect(standby.url, autocommit=True) as replica,
    ):
        rows(replica, "select pg_wal_replay_pause()")
        placed = desk.assign({"customer_name": "Kate", "attributes": LEAD}).to_dict()
        assert desk.book.lead(placed["lead_id"])["agent_id"] == placed["agent_id"]
        assert desk.book.assignment(placed["assignment_id"])["customer_name"] == "Kate"
        assert desk.book.leads().rows == ()  # a replica is behind
        rows(replica, "select pg_wal_replay_resume()")


def test_training_reads_what_was_written_before_it(primary: Server, standby: Server) -> None:
    with (
        Desk.open(primary.url, read_url=standby.url) as desk,
        psycopg.connect(standby.url, autocommit=True) as replica,
    ):
        placed = desk.assign({"customer_name": "Kate", "attributes": LEAD}).to_dict()
        _wait_until_same(primary, standby)
        assert desk.outcomes()["won"].to_list() == [None]
        rows(replica, "select pg_wal_replay_pause()")
        desk.settle(placed["booking_id"], "confirmed", base_revenue=100)
        assert desk.outcomes()["won"].to_list() == [None]  # a replica is behind
        desk.catch_up()
        waiter = subprocess.Popen(
            [
                sys.executable, "-c",
                RESUME,
                standby.url,
            ]
        )  # fmt: skip
        assert desk.outcomes()["won"].to_list() == [True]
        assert waiter.wait() == 0


def test_a_replica_that_is_away_is_done_without(
    primary: Server, standby: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with Desk.open(primary.url, read_url=standby.url) as desk:
        assert len(desk.agents().table_rows()) == 6
        lose(standby)
        with caplog.at_level(logging.WARNING, logger="dealwright"):
            assert len(desk.agents().table_rows()) == 6
            begun = time.monotonic()
            assert len(desk.agents().table_rows()) == 6  # it is not tried again at once
        assert time.monotonic() - begun < 2
        assert sum("did not answer" in record.message for record in caplog.records) == 1


def test_another_desk_is_no_replica(primary: Server, database: Database) -> None:
    with (
        Desk.open(primary.url, read_url=database.url) as desk,
        pytest.raises(DatabaseUrlError, match=r"which does not follow .*: give the address of its standby"),
    ):
        desk.agents()


def test_a_promotion_in_the_middle_of_work_loses_nothing_that_was_answered(
    primary: Server, standby: Server, tmp_path: Path
) -> None:
    follow_synchronously(primary)
    clerks, files = [], []
    for name in ("ann", "ben", "cleo"):
        files.append(tmp_path / f"{name}.jsonl")
        with files[-1].open("w") as out:
            clerks.append(
                subprocess.Popen(
                    [sys.executable, "-c", CLERK, primary.url, name], stdout=out, stderr=subprocess.DEVNULL
                )
            )
    end = time.monotonic() + 120
    while any(len(file.read_text().splitlines()) < 60 for file in files):
        assert time.monotonic() < end
        time.sleep(0.05)
    lose(primary)
    for clerk in clerks:
        assert clerk.wait(timeout=60) != 0
    promote(standby)
    said = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    answered = {row["key"]: row for row in said if "key" in row}
    assert len(answered) > 60
    with Desk.open(standby.url) as desk, desk.database.connect(autocommit=True) as connection:
        found = {
            row["key"]: row
            for row in rows(
                connection,
                "select l.idempotency_key as key, s.assignment_id, s.agent_id "
                "from dealwright.lead as l join dealwright.assignment as s using (lead_id)",
            )
        }
        lost = {key: row for key, row in answered.items() if found.get(key) != row}
        assert not lost
        settled = [row["settled"] for row in said if "settled" in row]
        assert len(settled) > 15
        assert value(
            connection,
            "select bool_and(status = 'confirmed') from dealwright.booking where booking_id = any (%s)",
            settled,
        )
        check_desk(connection, MODEL)
        # who was not answered asks again, under the same key, and is placed once
        for key in sorted({row["sent"] for row in said if "sent" in row} - answered.keys()):
            assign(connection, LEAD, customer=key, idempotency_key=key)
        keys = {row["sent"] for row in said if "sent" in row}
        assert value(connection, "select count(*) from dealwright.lead") == len(keys)
        for key in list(answered)[-5:]:
            assert desk.replay(answered[key]["assignment_id"]).agrees
        rows(connection, "select dealwright.seal_decisions()")
        assert desk.verify().intact
