"""Offers: who is asked, what an acceptance, a contact or a deadline does, and what the record says of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from engine import (
    Row,
    add_agent,
    assign,
    declare,
    lead_json,
    load_classic,
    load_model,
    random_model,
    rows,
    value,
)
from floor import LEAD, POLICIES, holder, let_time_pass, placement, refused, return_all, set_minutes, staff
from ledger import check_desk
from psycopg import Connection
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database

ACCEPT = "select dealwright.accept(%s)"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        set_minutes(opened, accept_within_min=5)
        yield opened
        check_desk(opened)
        for row in rows(
            opened, "select assignment_id, dealwright.replay(assignment_id) as r from dealwright.decision"
        ):
            assert row["r"]["agrees"], row


def assignment(connection: Connection[Any], number: int) -> Row:
    return rows(connection, "select * from dealwright.assignment where assignment_id = %s", number)[0]


def kinds(connection: Connection[Any], number: int) -> list[str]:
    statement = "select kind from dealwright.event where assignment_id = %s order by position"
    return [row["kind"] for row in rows(connection, statement, number)]


@pytest.mark.parametrize("way", ["function", "plain", "many"])
def test_a_lead_is_offered_first_and_takes_a_place_meanwhile(connection: Connection[Any], way: str) -> None:
    staff(connection, "Ada", capacity=1)
    load_model(connection, random_model(np.random.default_rng(4)))
    if way == "function":
        placed = assign(connection, LEAD)
    elif way == "plain":
        lead_id = value(
            connection,
            "insert into dealwright.lead (customer_name, attributes) values ('K', %s) returning lead_id",
            Jsonb(LEAD),
        )
        placed = placement(connection, lead_id)
    else:
        rows(connection, "update dealwright.agent set capacity = 30")
        placed, *_ = rows(connection, "select * from dealwright.assign_many(%s)", [lead_json(LEAD)] * 30)
        assert len(rows(connection, "select * from dealwright_engine.response_due")) == 30
    row = assignment(connection, placed["assignment_id"])
    assert (row["status"], row["accepted_at"]) == ("open", None)
    assert 290 < (row["offered_until"] - row["assigned_at"]).total_seconds() < 310
    (notice,) = placed["notices"]
    assert notice == f"offered to Ada (1), who may accept until {row['offered_until'].strftime('%F %T')} UTC"
    assert placement(connection, placed["lead_id"])["notices"] == [notice]
    assert kinds(connection, placed["assignment_id"]) == ["offered"]
    # the place is taken: the next one waits
    assert assign(connection, LEAD)["status"] == "waiting"
    (due,) = rows(
        connection,
        "select due_at from dealwright_engine.response_due where assignment_id = %s",
        placed["assignment_id"],
    )
    assert due["due_at"] == row["offered_until"]


def test_whoever_accepts_keeps_the_lead_and_has_the_time_to_answer_it(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    set_minutes(connection, respond_within_min=30)
    placed = assign(connection, LEAD, "workload")
    number = placed["assignment_id"]
    accepted = value(connection, ACCEPT, number)
    assert value(connection, ACCEPT, number) == accepted  # said twice
    assert assignment(connection, number)["accepted_at"] == accepted
    assert kinds(connection, number) == ["offered", "accepted"]
    assert placement(connection, placed["lead_id"])["notices"] is None
    explained = value(connection, "select dealwright.explain(%s)", number)
    assert explained["offer"]["accepted_at"] is not None
    assert value(connection, "select dealwright.replay(%s)", number)["offer"] == explained["offer"]
    let_time_pass(connection, 29.9)
    assert return_all(connection) == 0
    let_time_pass(connection, 0.2)
    assert return_all(connection) == 1
    assert holder(connection, placed["lead_id"]) == "Ben"
    assert assignment(connection, number)["end_reason"] == "no contact within 30 minutes"
    assert "offer_expired" not in kinds(connection, number)


def test_an_offer_that_runs_out_goes_to_the_next_one_who_is_asked_in_turn(
    connection: Connection[Any],
) -> None:
    staff(connection, "Ada", "Ben", "Cleo", capacity=2)
    placed = assign(connection, LEAD, "workload")
    let_time_pass(connection, 4.9)
    assert return_all(connection) == 0
    let_time_pass(connection, 0.2)
    assert return_all(connection) == 1
    second = placement(connection, placed["lead_id"])
    assert (second["agent_name"], second["booking_id"]) == ("Ben", placed["booking_id"])
    assert kinds(connection, placed["assignment_id"]) == ["offered", "reassigned", "offer_expired"]
    assert assignment(connection, placed["assignment_id"])["end_reason"] == "not accepted within 5 minutes"
    assert value(connection, "select open from dealwright.agent where name = 'Ada'") == 0
    code, message = refused(connection, ACCEPT, placed["assignment_id"])
    assert code == "DW001"
    assert message == f"the offer of assignment {placed['assignment_id']} is over: it is reassigned"
    let_time_pass(connection, 5.1)
    assert return_all(connection) == 1
    assert holder(connection, placed["lead_id"]) == "Cleo"
    # everybody was asked: again to anybody but the last
    let_time_pass(connection, 5.1)
    assert return_all(connection) == 1
    assert holder(connection, placed["lead_id"]) == "Ada"
    history = rows(connection, "select agent_name from dealwright.holders_of(%s)", placed["lead_id"])
    assert [row["agent_name"] for row in history] == ["Ada", "Ben", "Cleo", "Ada"]


def test_an_offer_stands_while_nobody_else_can_take_the_lead(connection: Connection[Any]) -> None:
    staff(connection, "Ada", capacity=1)
    placed = assign(connection, LEAD)
    let_time_pass(connection, 6)
    assert return_all(connection) == 0
    assert kinds(connection, placed["assignment_id"]) == ["offered"]
    value(connection, ACCEPT, placed["assignment_id"])  # late, and better than nobody
    add_agent(connection, "Ben")
    let_time_pass(connection, 60)
    assert return_all(connection) == 0
    assert holder(connection, placed["lead_id"]) == "Ada"


def test_an_offer_to_somebody_who_left_goes_back_to_the_queue(connection: Connection[Any]) -> None:
    staff(connection, "Ada")
    placed = assign(connection, LEAD)
    rows(connection, "update dealwright.agent set active = false")
    let_time_pass(connection, 6)
    assert return_all(connection) == 1
    assert placement(connection, placed["lead_id"])["status"] == "waiting"
    add_agent(connection, "Ben")
    live = placement(connection, placed["lead_id"])
    assert live["agent_name"] == "Ben"
    assert kinds(connection, live["assignment_id"]) == ["offered"]  # from the queue, too


def test_a_declined_offer_goes_on_with_its_reason_and_never_comes_back(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, "workload")
    (second,) = rows(
        connection, "select * from dealwright.decline(%s, 'no Catalan')", placed["assignment_id"]
    )
    assert second["agent_name"] == "Ben"
    assert assignment(connection, placed["assignment_id"])["end_reason"] == "declined: no Catalan"
    let_time_pass(connection, 6)
    assert return_all(connection) == 0  # Ada declined it, so it stays with Ben
    assert holder(connection, placed["lead_id"]) == "Ben"


@pytest.mark.parametrize("how", ["contact", "settle"])
def test_whoever_reaches_the_customer_has_accepted(connection: Connection[Any], how: str) -> None:
    staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, "workload")
    number = placed["assignment_id"]
    if how == "contact":
        reached = value(connection, "select dealwright.contact(%s)", number)
        assert kinds(connection, number) == ["offered", "contacted", "accepted"]
    else:
        rows(connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", placed["booking_id"])
        reached = assignment(connection, number)["known_at"]
    assert assignment(connection, number)["accepted_at"] == reached
    let_time_pass(connection, 6)
    assert return_all(connection) == 0
    assert value(connection, "select count(*) from dealwright_engine.response_due") == 0


def test_what_was_not_offered_is_not_accepted(connection: Connection[Any]) -> None:
    staff(connection, "Ada")
    set_minutes(connection, accept_within_min=None)
    placed = assign(connection, LEAD)
    assert placed["notices"] is None
    assert kinds(connection, placed["assignment_id"]) == ["assigned"]
    assert refused(connection, ACCEPT, placed["assignment_id"])[0] == "DW001"
    assert refused(connection, ACCEPT, 99)[0] == "DW003"
    assert value(connection, "select dealwright.explain(1)")["offer"] is None


def test_nobody_accepts_by_writing_the_table(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, "workload")
    for change in ("accepted_at = now()", "offered_until = null"):
        statement = f"update dealwright.assignment set {change} where assignment_id = %s"
        assert refused(connection, statement, placed["assignment_id"])[0] == "DW001"
    # who is given a lead by hand has it at once
    rows(connection, "update dealwright.assignment set agent_id = 2")
    assert assignment(connection, placed["assignment_id"])["offered_until"] is None
    let_time_pass(connection, 6)
    assert return_all(connection) == 0


def test_an_acceptance_and_the_deadline_come_one_after_the_other(
    database: Database, connection: Connection[Any]
) -> None:
    staff(connection, "Ada", "Ben")
    for _ in range(10):
        placed = assign(connection, LEAD, "workload")
        let_time_pass(connection, 6)
        with database.connect(autocommit=True) as other, ThreadPoolExecutor(2) as pool:
            accepting = pool.submit(value, connection, ACCEPT, placed["assignment_id"])
            passing_on = pool.submit(return_all, other)
            moved = passing_on.result(timeout=30)
            error = accepting.exception(timeout=30)
        assert (moved == 1) == (error is not None), (moved, error)
        row = assignment(connection, placed["assignment_id"])
        assert (row["status"], row["accepted_at"] is None) == (
            ("reassigned", True) if moved else ("open", False)
        )
        rows(connection, "update dealwright.lead set status = 'withdrawn'")


@pytest.mark.parametrize("policy", POLICIES)
def test_the_record_of_offers_replays_and_is_sealed(connection: Connection[Any], policy: str) -> None:
    staff(connection, "Ada", "Ben", "Cleo", capacity=3)
    load_model(connection, random_model(np.random.default_rng(8)))
    load_classic(connection)
    for _ in range(4):
        assign(connection, LEAD, policy)
    let_time_pass(connection, 6)
    assert return_all(connection) == 4
    assert value(connection, "select dealwright.seal_decisions()") == 8
    assert [row["intact"] for row in rows(connection, "select * from dealwright.verify_decisions()")] == [
        True
    ]


def timers(connection: Connection[Any], **whose: int) -> list[tuple[int, bool]]:
    """Return what runs out, the soonest first: which assignment, and whether it is an offer."""
    found = rows(connection, "select * from dealwright.timers(agent_id => %s::bigint)", whose.get("agent_id"))
    return [(row["assignment_id"], row["is_offer"]) for row in found]


def test_the_deadlines_are_seen_until_the_customer_is_reached(connection: Connection[Any]) -> None:
    set_minutes(connection, respond_within_min=2)
    agents = staff(connection, "Ada", "Ben")
    first, second = (assign(connection, LEAD, "workload") for _ in range(2))
    assert [first["agent_id"], second["agent_id"]] == [agents["Ada"], agents["Ben"]]
    mine, theirs = first["assignment_id"], second["assignment_id"]
    assert timers(connection) == [(mine, True), (theirs, True)]
    assert timers(connection, agent_id=agents["Ben"]) == [(theirs, True)]
    rows(connection, ACCEPT, theirs)  # two minutes to reply end before the five of the offer
    assert timers(connection) == [(theirs, False), (mine, True)]
    (row,) = rows(connection, "select due_at from dealwright.timers(1)")
    accepted = value(
        connection, "select accepted_at from dealwright.assignment where assignment_id = %s", theirs
    )
    assert (row["due_at"] - accepted).total_seconds() == pytest.approx(120)
    rows(connection, "select dealwright.contact(%s)", theirs)
    assert timers(connection) == [(mine, True)]
    rows(connection, "select dealwright.decline(%s, 'ill')", mine)
    assert (mine, True) not in timers(connection)
