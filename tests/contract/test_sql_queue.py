"""The queue keeps its order: a place that a shift opens goes to who waits, and nobody overtakes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from engine import Row, add_agent, assign, lead_json, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database

SOON = timedelta(seconds=1)


@pytest.fixture
def desk(database: Database) -> Iterator[Connection[Any]]:
    """Return a connection to a desk that declares no dimension."""
    with database.connect(autocommit=True) as connection:
        yield connection


def add_shift(desk: Connection[Any], name: str, begin: datetime, **columns: Any) -> int:
    """Add an agent who begins work at a moment."""
    return add_agent(desk, name, shifts=f"{{[{begin.isoformat()},)}}", **columns)


def wait_until(desk: Connection[Any], moment: datetime) -> None:
    rows(desk, "select pg_sleep_until(%s)", moment + timedelta(milliseconds=20))


def placed(desk: Connection[Any]) -> list[str]:
    """Return who has an agent, in the order in which they got one."""
    return [
        row["customer_name"]
        for row in rows(
            desk,
            "select l.customer_name from dealwright.assignment as a "
            "join dealwright.lead as l using (lead_id) where a.status = 'open' order by a.assignment_id",
        )
    ]


@pytest.mark.parametrize("policy", ["value", "workload", "fair"])
@pytest.mark.parametrize("how", ["function", "insert", "command"])
def test_no_later_lead_overtakes_one_that_waits(desk: Connection[Any], policy: str, how: str) -> None:
    begin = datetime.now(UTC) + SOON
    add_shift(desk, "Ada", begin, capacity=3)
    for name in ("first", "second", "third"):
        assert assign(desk, {}, policy, customer=name)["status"] == "waiting"
    wait_until(desk, begin)
    if how == "function":
        late = assign(desk, {}, policy, customer="late")["status"]
    elif how == "command":
        late = rows(desk, "call dealwright.assign(%s, %s)", lead_json({}, "late"), policy)[0]["status"]
    else:
        rows(desk, "insert into dealwright.lead (customer_name, policy) values ('late', %s)", policy)
        late = value(desk, "select status from dealwright.lead where customer_name = 'late'")
    assert late == "waiting"
    assert placed(desk) == ["first", "second", "third"]
    check_desk(desk)


def test_the_more_urgent_first_then_the_older(desk: Connection[Any]) -> None:
    begin = datetime.now(UTC) + SOON
    add_shift(desk, "Ada", begin, capacity=2)
    assign(desk, {}, customer="old")
    assign(desk, {}, customer="urgent", priority=5)
    assign(desk, {}, customer="young")
    wait_until(desk, begin)
    assert assign(desk, {}, customer="late", priority=9)["status"] == "waiting"  # too late for these two
    assert placed(desk) == ["urgent", "old"]


def test_the_record_says_who_came_from_the_queue(desk: Connection[Any]) -> None:
    """A lead that finds a place at once did not, whatever wrote it: its replay ranks all agents anew."""
    add_agent(desk, "Ada", capacity=3)
    assign(desk, {}, customer="function")
    rows(desk, "insert into dealwright.lead (customer_name) values ('insert')")
    rows(desk, "call dealwright.assign(%s)", lead_json({}, "command"))
    assert assign(desk, {}, customer="late")["status"] == "waiting"
    rows(desk, "update dealwright.agent set capacity = 4")
    recorded = rows(
        desk,
        "select l.customer_name, d.from_queue from dealwright.decision as d join dealwright.lead as l "
        "using (lead_id) order by d.decision_id",
    )
    assert [(row["customer_name"], row["from_queue"]) for row in recorded] == [
        ("function", False),
        ("insert", False),
        ("command", False),
        ("late", True),
    ]


def test_who_has_other_rights_does_not_wait_behind(desk: Connection[Any]) -> None:
    """One who needs French waits for French; the next one, who does not, gets the free place."""
    begin = datetime.now(UTC) + SOON
    add_shift(desk, "Ada", begin, capacity=1)
    assert assign(desk, {}, customer="French", skills=["french"])["status"] == "waiting"
    wait_until(desk, begin)
    assert assign(desk, {}, customer="any")["status"] == "assigned"
    add_agent(desk, "Chloe", skills=["french"])
    assert placed(desk) == ["any", "French"]


def test_places_left_over_go_to_the_next_lead(desk: Connection[Any]) -> None:
    begin = datetime.now(UTC) + SOON
    add_shift(desk, "Ada", begin, capacity=2)
    assign(desk, {}, customer="waits")
    wait_until(desk, begin)
    assert assign(desk, {}, customer="next")["status"] == "assigned"
    assert placed(desk) == ["waits", "next"]


def test_each_shift_anew(desk: Connection[Any]) -> None:
    """A second shift of the same agent is noticed as the first was."""
    now = datetime.now(UTC)
    first, second = now - SOON, now + 2 * SOON
    shifts = f"{{[{first.isoformat()},{(now + SOON).isoformat()}),[{second.isoformat()},)}}"
    add_agent(desk, "Ada", shifts=shifts, capacity=2)
    assign(desk, {}, customer="in the first")
    wait_until(desk, now + SOON)
    assert assign(desk, {}, customer="between")["status"] == "waiting"
    wait_until(desk, second)
    assert assign(desk, {}, customer="late")["status"] == "waiting"
    assert placed(desk) == ["in the first", "between"]


def test_the_sweep_of_the_worker(desk: Connection[Any]) -> None:
    begin = datetime.now(UTC) + SOON
    add_shift(desk, "Ada", begin, capacity=1)
    for name in ("first", "second"):
        assign(desk, {}, customer=name)
    assert value(desk, "select dealwright.fill_free_places()") == 0
    wait_until(desk, begin)
    assert value(desk, "select dealwright.fill_free_places()") == 1
    assert value(desk, "select dealwright.fill_free_places()") == 0
    assert placed(desk) == ["first"]


def wait_for_lock(desk: Connection[Any], other: Connection[Any], work: Future[Any]) -> None:
    """Wait until what another connection does waits for a lock."""
    waits = "select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
    while not value(desk, waits, other.info.backend_pid):
        assert not work.done()
        time.sleep(0.01)


def settle(desk: Connection[Any], placed: Row) -> None:
    rows(desk, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed["booking_id"])


def by_function(desk: Connection[Any]) -> None:
    assign(desk, {}, customer="late")


def by_insert(desk: Connection[Any]) -> None:
    rows(desk, "insert into dealwright.lead (customer_name) values ('late')")


@pytest.mark.parametrize("come", [by_function, by_insert])
def test_a_lead_that_finds_no_place_waits_for_one_that_is_being_freed(
    database: Database, desk: Connection[Any], come: Callable[[Connection[Any]], None]
) -> None:
    add_agent(desk, "Ada", capacity=1)
    first = assign(desk, {}, customer="first")
    with database.connect(autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        with desk.transaction():
            settle(desk, first)
            late = pool.submit(come, other)
            wait_for_lock(desk, other, late)
        late.result(timeout=30)
    assert placed(desk) == ["late"]
    check_desk(desk)


@pytest.mark.parametrize("come", [by_function, by_insert])
def test_a_place_that_is_freed_waits_for_a_lead_that_is_about_to_wait(
    database: Database, desk: Connection[Any], come: Callable[[Connection[Any]], None]
) -> None:
    add_agent(desk, "Ada", capacity=1)
    first = assign(desk, {}, customer="first")
    with database.connect(autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        with desk.transaction():
            come(desk)
            freed = pool.submit(settle, other, first)
            wait_for_lock(desk, other, freed)
        freed.result(timeout=30)
    assert placed(desk) == ["late"]
    check_desk(desk)


def test_two_places_freed_at_once_take_two_leads(database: Database, desk: Connection[Any]) -> None:
    for name in ("Ada", "Ben"):
        add_agent(desk, name, capacity=1)
    hers, his = assign(desk, {}, "workload"), assign(desk, {}, "workload")
    for name in ("first", "second"):
        assert assign(desk, {}, "workload", customer=name)["status"] == "waiting"
    with database.connect(autocommit=True) as other:
        rows(other, "set lock_timeout = '5s'")
        with desk.transaction():
            settle(desk, hers)
            settle(other, his)  # does not wait
            assert placed(other)[-1] == "second"
    assert sorted(placed(desk)) == ["first", "second"]
    # for each of them it was one agent's place alone
    taken = rows(desk, "select from_queue, propensity from dealwright.decision where from_queue")
    assert taken == [{"from_queue": True, "propensity": 1}] * 2
    check_desk(desk)


@pytest.mark.parametrize("policy", ["fair", "value"])
def test_of_equal_agents_each_may_have_got_the_lead(desk: Connection[Any], policy: str) -> None:
    for name in ("Ada", "Ben", "Cleo", "Dan"):
        add_agent(desk, name)
    for equals in (4, 3, 2, 1, 4):
        decision = assign(desk, {}, policy)["assignment_id"]
        chance = "select propensity from dealwright.{} where assignment_id = %s"
        assert value(desk, chance.format("decision"), decision) == pytest.approx(1 / equals)
        assert value(desk, chance.format("assignment"), decision) == pytest.approx(1 / equals)
