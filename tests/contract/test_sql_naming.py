"""An agent whom somebody names, and work that is reopened: the limits hold unless somebody overrides them."""

from __future__ import annotations

from collections.abc import Iterator
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
from floor import LEAD, POLICIES, holder, placement, refused, set_minutes, staff
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database

NEW = "select * from dealwright.assign_to(%s::jsonb, %s, %s, %s)"
GIVE = "select * from dealwright.assign_to(%s::bigint, %s, %s, %s)"
MOVE = "select * from dealwright.reassign_to(%s, %s, %s, %s)"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        yield opened
        check_desk(opened)
        for row in rows(
            opened, "select assignment_id, dealwright.replay(assignment_id) as r from dealwright.decision"
        ):
            assert row["r"]["agrees"], row


def decision(connection: Connection[Any], assignment_id: int) -> Row:
    return rows(connection, "select * from dealwright.decision where assignment_id = %s", assignment_id)[0]


def event(connection: Connection[Any], assignment_id: int) -> Row:
    return rows(
        connection,
        "select * from dealwright.event where kind in ('assigned', 'offered') and assignment_id = %s",
        assignment_id,
    )[0]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_lead_goes_to_whoever_was_named(connection: Connection[Any], policy: str) -> None:
    agents = staff(connection, "Ada", "Ben", "Cleo")
    load_model(connection, random_model(np.random.default_rng(2)))
    load_classic(connection)
    set_minutes(connection, accept_within_min=5)  # who is named has it at once
    ranked = rows(connection, "select * from dealwright.rank_agents(%s, %s)", lead_json(LEAD), policy)
    last = ranked[-1]
    (placed,) = rows(
        connection,
        "select * from dealwright.assign_to(%s::jsonb, %s, 'speaks Catalan', policy => %s)",
        lead_json(LEAD, idempotency_key="k", customer_id="C1"),
        last["agent_id"],
        policy,
    )
    assert (placed["agent_id"], placed["status"], placed["open"]) == (last["agent_id"], "assigned", 1)
    assert placed["match_score"] == last["match_score"]
    me = value(connection, "select session_user::text")
    assert placed["notices"] == [f"named by {me}: speaks Catalan"]
    record = decision(connection, placed["assignment_id"])
    assert (record["named_by"], record["named_reason"], record["overridden"]) == (me, "speaks Catalan", None)
    assert record["propensity"] is None  # nothing was drawn
    assert event(connection, placed["assignment_id"])["payload"] == {
        "named_by": me, "reason": "speaks Catalan", "overridden": None,
    }  # fmt: skip
    told = value(connection, "select dealwright.explain(%s)", placed["assignment_id"])
    assert told["named"] == {"by": me, "reason": "speaks Catalan", "overridden": None}
    others = [row for row in told["ranking"] if row["agent_id"] != last["agent_id"]]
    assert {row["would_have_got_it"] for row in others} == {"not by the ranking: somebody named the agent"}
    # the same key gives the same answer, whoever is named now
    (again,) = rows(
        connection,
        "select * from dealwright.assign_to(%s::jsonb, %s, 'again', policy => %s)",
        lead_json(LEAD, idempotency_key="k", customer_id="C1"),
        agents["Ada"],
        policy,
    )
    assert again == placed


def test_the_limits_hold_for_whoever_is_named(connection: Connection[Any]) -> None:
    agents = staff(connection, "Ada", capacity=1)
    agents["Ben"] = add_agent(connection, "Ben", capacity=0)
    agents["Cleo"] = add_agent(connection, "Cleo", shifts="{[2020-01-01,2020-01-02)}")
    agents["Dan"] = add_agent(connection, "Dan", department="Sales", skills=["french"], capacity=0)
    agents["Eve"] = add_agent(connection, "Eve", active=False)
    lead = lead_json(LEAD, department="Luxury", skills=["french", "golf"])
    before = check_desk(connection)
    for name, words in (
        ("Ben", "has no free place (0 of 0 open), lacks french, golf, is not in Luxury"),
        ("Cleo", "is off shift, lacks french, golf, is not in Luxury"),
        ("Dan", "has no free place (0 of 0 open), lacks golf, is not in Luxury"),
        ("Eve", "is not active, lacks french, golf, is not in Luxury"),
    ):
        message = refused(connection, NEW, lead, agents[name], "because", False)
        assert message == ("DW001", f"{name} ({agents[name]}) {words}")
    # who is not there gets nothing, whoever wishes it
    assert refused(connection, NEW, lead, agents["Eve"], "because", True)[0] == "DW001"
    assert check_desk(connection) == before
    (placed,) = rows(connection, NEW, lead, agents["Ben"], "the customer insists", True)
    assert (placed["agent_name"], placed["open"], placed["capacity"]) == ("Ben", 1, 0)
    record = decision(connection, placed["assignment_id"])
    assert record["overridden"] == ["capacity", "skills", "department"]
    assert event(connection, placed["assignment_id"])["payload"]["overridden"] == record["overridden"]
    assert placed["notices"][0].endswith("the customer insists (overridden: capacity, skills, department)")
    # what was not in the way is not overridden
    (plain,) = rows(connection, NEW, lead_json(LEAD), agents["Ada"], "asked for", True)
    assert decision(connection, plain["assignment_id"])["overridden"] is None
    assert value(connection, "select dealwright.seal_decisions()") == 2
    assert value(connection, "select intact from dealwright.verify_decisions()") is True


@pytest.mark.parametrize("reason", ["", "  ", None, "a\x01b"])
def test_nobody_is_named_without_a_reason(connection: Connection[Any], reason: str | None) -> None:
    staff(connection, "Ada")
    assert refused(connection, NEW, lead_json(LEAD), 1, reason, True)[0] == "DW002"
    assert value(connection, "select count(*) from dealwright.lead") == 0


def test_a_lead_moves_to_whoever_was_named_with_all_that_belongs_to_it(connection: Connection[Any]) -> None:
    agents = staff(connection, "Ada", "Ben", capacity=1)
    first, second = assign(connection, LEAD, "workload"), assign(connection, LEAD, "workload")
    assert (first["agent_name"], second["agent_name"]) == ("Ada", "Ben")
    third = assign(connection, LEAD, "workload")
    assert refused(connection, MOVE, first["assignment_id"], agents["Ben"], "x", False) == (
        "DW001", f"Ben ({agents['Ben']}) has no free place (1 of 1 open)",
    )  # fmt: skip
    (moved,) = rows(connection, MOVE, first["assignment_id"], agents["Ben"], "knows the customer", True)
    assert (moved["agent_name"], moved["booking_id"], moved["open"]) == ("Ben", first["booking_id"], 2)
    assert value(
        connection,
        "select held_by from dealwright.assignment where assignment_id = %s",
        moved["assignment_id"],
    ) == [agents["Ada"]]
    history = rows(connection, "select end_reason from dealwright.holders_of(%s)", first["lead_id"])
    assert [row["end_reason"] for row in history] == ["knows the customer", None]
    # the place she freed went to who waited
    assert holder(connection, third["lead_id"]) == "Ada"
    assert refused(connection, MOVE, first["assignment_id"], agents["Ben"], "x", True)[0] == "DW001"
    assert refused(connection, MOVE, moved["assignment_id"], agents["Ben"], "x", True)[0] == "DW001"
    assert refused(connection, MOVE, 99, agents["Ben"], "x", True)[0] == "DW003"
    assert refused(connection, MOVE, moved["assignment_id"], 99, "x", True)[0] == "DW003"


def test_a_waiting_lead_goes_to_whoever_was_named(connection: Connection[Any]) -> None:
    agents = staff(connection, "Ada", capacity=1)
    placed = assign(connection, LEAD)
    waiting = assign(connection, LEAD)
    assert waiting["status"] == "waiting"
    (given,) = rows(connection, GIVE, waiting["lead_id"], agents["Ada"], "urgent", True)
    assert (given["agent_name"], given["open"], given["capacity"]) == ("Ada", 2, 1)
    assert value(connection, "select count(*) from dealwright.waiting_lead") == 0
    # the booking of a lead that came back to the queue goes along
    rows(connection, "select dealwright.deactivate_agent(%s, true)", agents["Ada"])
    ben = add_agent(connection, "Ben", capacity=0)
    (given,) = rows(connection, GIVE, placed["lead_id"], ben, "the last one here", True)
    assert (given["agent_name"], given["booking_id"]) == ("Ben", placed["booking_id"])
    rows(connection, "update dealwright.lead set status = 'withdrawn' where lead_id = %s", placed["lead_id"])
    assert refused(connection, GIVE, placed["lead_id"], ben, "x", True)[0] == "DW001"
    assert refused(connection, GIVE, 99, ben, "x", True)[0] == "DW003"


def test_what_somebody_declined_comes_back_to_them_by_an_override_only(connection: Connection[Any]) -> None:
    agents = staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, "workload")
    (second,) = rows(connection, "select * from dealwright.decline(%s, 'no')", placed["assignment_id"])
    give = (second["assignment_id"], agents["Ada"], "she has time now")
    assert refused(connection, MOVE, *give, False) == ("DW001", f"Ada ({agents['Ada']}) declined this lead")
    (third,) = rows(connection, MOVE, *give, True)
    assert third["agent_name"] == "Ada"
    assert decision(connection, third["assignment_id"])["overridden"] == ["declined"]


# reopened work


@pytest.mark.parametrize("way", ["function", "command", "plain"])
@pytest.mark.parametrize("room", [1, 0])
def test_reopened_work_of_whoever_is_full_goes_to_somebody_with_room(
    connection: Connection[Any], way: str, room: int
) -> None:
    agents = staff(connection, "Ada", capacity=1)
    placed = assign(connection, LEAD)
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed["booking_id"])
    assert assign(connection, LEAD)["agent_name"] == "Ada"
    agents["Ben"] = add_agent(connection, "Ben", capacity=room, external_id="B")
    statement = {
        "function": "select * from dealwright.settle_booking(%s::bigint, 'pending')",
        "command": "call dealwright.settle(%s::bigint, 'pending')",
        "plain": "update dealwright.booking set status = 'pending' where booking_id = %s",
    }[way]
    answer = rows(connection, statement, placed["booking_id"])
    live = placement(connection, placed["lead_id"])
    assert (live["status"], live["agent_name"]) == (("assigned", "Ben") if room else ("waiting", None))
    assert value(connection, "select open from dealwright.agent where name = 'Ada'") == 1
    if way != "plain":
        (notice,) = answer[0]["notices"]
        assert notice == (
            "Ada (1) has no free place: handed over to Ben (B)"
            if room
            else "Ada (1) has no free place and nobody else has room: the lead waits in the queue"
        )
    # she who knows the customer may have it all the same: that is an override like any other
    (back,) = rows(connection, GIVE, placed["lead_id"], agents["Ada"], "her customer", True)
    assert (back["agent_name"], back["open"], back["booking_id"]) == ("Ada", 2, placed["booking_id"])
    assert decision(connection, back["assignment_id"])["overridden"] == ["capacity"]


def test_reopened_work_comes_back_to_whoever_has_room(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", capacity=1)
    placed = assign(connection, LEAD, "workload")
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed["booking_id"])
    rows(connection, "update dealwright.booking set status = 'pending'")
    assert holder(connection, placed["lead_id"]) == "Ada"
    assert value(connection, "select count(*) from dealwright.assignment") == 1


def test_an_assignment_without_a_booking_is_not_reopened_past_capacity(connection: Connection[Any]) -> None:
    staff(connection, "Ada", capacity=1)
    placed = assign(connection, LEAD)
    rows(connection, "delete from dealwright.booking")
    assert value(connection, "select status from dealwright.assignment") == "lapsed"
    other = assign(connection, LEAD)
    reopen = "update dealwright.assignment set status = 'open' where assignment_id = %s"
    assert refused(connection, reopen, placed["assignment_id"])[0] == "DW001"
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", other["booking_id"])
    rows(connection, reopen, placed["assignment_id"])
    assert holder(connection, placed["lead_id"]) == "Ada"
