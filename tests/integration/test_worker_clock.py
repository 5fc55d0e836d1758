"""A clock that jumps: nobody loses minutes, nothing is handed over twice, nothing lapses at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from engine import assign, declare, rows, value
from floor import LEAD, holder, set_minutes, staff
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.worker import Worker

HOUR_S = 3600.0


class Stopwatch:
    """Seconds that pass evenly, as a test wants them to."""

    def __init__(self) -> None:
        self.now = 100_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def desk(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        staff(opened, "Ada", "Ben")
        yield opened
        check_desk(opened)


def jump(desk: Connection[Any], watch: Stopwatch, seconds: float) -> None:
    """Let the database's clock jump: seen from it, all that was before is earlier, and nothing passed."""
    rows(desk, "set session_replication_role = replica")
    rows(
        desk,
        "update dealwright.assignment set assigned_at = assigned_at - make_interval(secs => %s), "
        "offered_until = offered_until - make_interval(secs => %s), "
        "accepted_at = accepted_at - make_interval(secs => %s)",
        *[seconds] * 3,
    )
    rows(
        desk,
        "update dealwright_engine.response_due set due_at = due_at - make_interval(secs => %s)",
        seconds,
    )
    rows(desk, "set session_replication_role = origin")
    watch.now -= seconds  # the worker compares the two clocks: this one stayed behind


def left_s(desk: Connection[Any], lead_id: int) -> float:
    """Return how many seconds an agent has left for a lead."""
    seconds: float = value(
        desk,
        "select extract(epoch from r.due_at - clock_timestamp())::float8 from dealwright_engine.response_due "
        "as r join dealwright.assignment as s using (assignment_id) "
        "where s.lead_id = %s and s.status = 'open'",
        lead_id,
    )
    return seconds


@pytest.mark.parametrize("seconds", [HOUR_S, 400 * 24 * HOUR_S, -HOUR_S])
def test_everybody_keeps_the_minutes_that_were_left(
    database: Database, desk: Connection[Any], seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    set_minutes(desk, accept_within_min=5, respond_within_min=20)
    watch = Stopwatch()
    worker = Worker(database, clock=watch)
    offered, accepted = assign(desk, LEAD, "workload"), assign(desk, LEAD, "workload")
    value(desk, "select dealwright.accept(%s)", accepted["assignment_id"])
    worker.work()
    jump(desk, watch, seconds)
    fresh = assign(desk, LEAD, "workload")
    with caplog.at_level(logging.WARNING, "dealwright"):
        assert worker.work().returned == 0
    assert f"jumped by {seconds:+.0f} s" in caplog.text
    assert holder(desk, offered["lead_id"]) == offered["agent_name"]
    assert left_s(desk, offered["lead_id"]) == pytest.approx(300, abs=30)
    assert left_s(desk, accepted["lead_id"]) == pytest.approx(1200, abs=30)
    if seconds > 0:  # of a clock that went back, this watch would have to
        assert left_s(desk, fresh["lead_id"]) == pytest.approx(300, abs=30)
    (row,) = rows(desk, "select * from dealwright.assignment where lead_id = %s", offered["lead_id"])
    assert (row["offered_until"] - row["assigned_at"]).total_seconds() == pytest.approx(300 + seconds, abs=30)
    (event,) = rows(desk, "select payload from dealwright.event where kind = 'clock_jumped'")
    assert event["payload"]["jumped_s"] == pytest.approx(seconds, abs=30)
    assert event["payload"]["timers"] >= 2
    # noticed once, and time goes on
    assert worker.work().returned == 0
    assert len(rows(desk, "select 1 from dealwright.event where kind = 'clock_jumped'")) == 1
    rows(desk, "update dealwright_engine.response_due set due_at = due_at - interval '6 minutes'")
    assert worker.work().returned >= 1


def test_a_clock_that_goes_back_hands_nothing_over_twice(database: Database, desk: Connection[Any]) -> None:
    set_minutes(desk, respond_within_min=20)
    watch = Stopwatch()
    worker = Worker(database, clock=watch)
    placed = assign(desk, LEAD, "workload")
    worker.work()
    rows(desk, "update dealwright_engine.response_due set due_at = due_at - interval '21 minutes'")
    assert worker.work().returned == 1
    assert holder(desk, placed["lead_id"]) == "Ben"
    jump(desk, watch, -HOUR_S)
    assert worker.work().returned == 0
    assert holder(desk, placed["lead_id"]) == "Ben"
    assert left_s(desk, placed["lead_id"]) == pytest.approx(1200, abs=30)


def test_follow_ups_do_not_lapse_by_a_jump(database: Database, desk: Connection[Any]) -> None:
    rows(desk, "update dealwright_engine.setting set follow_up_days = 14")
    watch = Stopwatch()
    worker = Worker(database, clock=watch)
    for _ in range(3):
        assign(desk, LEAD, "workload")
    rows(desk, "set session_replication_role = replica")
    rows(desk, "delete from dealwright.booking")
    rows(desk, "set session_replication_role = origin")
    worker.work()
    jump(desk, watch, 20 * 24 * HOUR_S)
    assert worker.work().lapsed == 0
    # who starts later cannot know of the jump
    assert Worker(database, clock=watch).work().lapsed == 3


def test_a_slow_clock_says_nothing(database: Database, desk: Connection[Any]) -> None:
    set_minutes(desk, respond_within_min=20)
    # the second look would see an hour, and takes one
    ticks = iter([0.0, 0.0, -HOUR_S, 0.0])
    worker = Worker(database, clock=lambda: next(ticks))
    assign(desk, LEAD, "workload")
    worker.work()
    worker.work()
    assert rows(desk, "select 1 from dealwright.event where kind = 'clock_jumped'") == []
