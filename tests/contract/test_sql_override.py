"""A person gives a lead to an agent, past any policy: with a reason, within capacity, on the record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from engine import Row, add_agent, assign, declare, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database

LEAD = {"destination": "Mars", "lead_source": "Organic"}


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        yield opened
        check_desk(opened)
        for row in rows(
            opened, "select dealwright.replay(assignment_id) ->> 'agrees' as agrees from dealwright.decision"
        ):
            assert row["agrees"] == "true"


@pytest.fixture
def staff(connection: Connection[Any]) -> tuple[int, int]:
    """Add two agents with one place each; Ada comes first under workload."""
    return (
        add_agent(connection, "Ada", capacity=1, years_of_service=9.0),
        add_agent(connection, "Ben", capacity=1, years_of_service=1.0),
    )


def override(connection: Connection[Any], lead: int, agent: int, reason: str = "asked for him") -> Row:
    return rows(
        connection, "select * from dealwright.override_lead(%s, %s, %s, %s)", lead, agent, reason, "M. Ortega"
    )[0]


def opened(connection: Connection[Any]) -> list[int]:
    return [row["open"] for row in rows(connection, "select open from dealwright.agent order by agent_id")]


def test_lead_and_booking_go_to_the_named_agent_and_the_reason_stays(connection, staff) -> None:
    ada, ben = staff
    placed = assign(connection, LEAD, "workload")
    assert placed["agent_id"] == ada
    answer = override(connection, placed["lead_id"], ben, "  asked for him ")
    assert (answer["agent_id"], answer["status"], answer["booking_id"]) == (
        ben,
        "assigned",
        placed["booking_id"],
    )
    assert opened(connection) == [0, 1]
    history = rows(connection, "select * from dealwright.holders_of(%s)", placed["lead_id"])
    assert [(row["agent_id"], row["status"], row["end_reason"]) for row in history] == [
        (ada, "reassigned", "override: asked for him"),
        (ben, "open", None),
    ]
    event = rows(connection, "select agent_id, payload from dealwright.event where kind = 'overridden'")
    assert [row["agent_id"] for row in event] == [ben]
    assert event[0]["payload"] == {"reason": "asked for him", "by": "M. Ortega", "former_agent_id": ada}
    # the desk decided for Ada, and the record goes on saying so
    assert (
        value(connection, "select dealwright.explain(%s) ->> 'agent_id'", placed["assignment_id"])
        == str(ada)
    )  # fmt: skip
    with pytest.raises(psycopg.Error, match="did not decide it"):
        rows(connection, "select dealwright.explain(%s)", answer["assignment_id"])


def test_the_freed_place_takes_who_waits(connection, staff) -> None:
    _, ben = staff
    first = assign(connection, LEAD, "workload")
    rows(connection, "update dealwright.agent set capacity = 0 where agent_id = %s", ben)
    waiting = assign(connection, LEAD, "workload", customer="Second")
    assert waiting["agent_id"] is None
    with pytest.raises(psycopg.Error, match="no free place: 0 of 0 are taken"):
        override(connection, first["lead_id"], ben)
    assert opened(connection) == [1, 0]
    rows(connection, "update dealwright.agent set active = false where agent_id = %s", ben)
    rows(connection, "update dealwright.agent set capacity = 1 where agent_id = %s", ben)
    with pytest.raises(psycopg.Error, match=r"Ben \(\d+\) is not active"):
        override(connection, first["lead_id"], ben)


def test_a_waiting_lead_can_be_given_to_somebody_past_its_requirements(connection, staff) -> None:
    _, ben = staff
    rows(connection, "insert into dealwright.requirement_term values ('skill', 'catalan', 'catalan')")
    waiting = assign(connection, LEAD, requirements="speaks Catalan")
    assert waiting["agent_id"] is None
    answer = override(connection, waiting["lead_id"], ben, "learns it")
    assert (answer["agent_id"], answer["status"]) == (ben, "assigned")
    assert answer["booking_id"] is not None
    assert opened(connection) == [0, 1]
    assert value(connection, "select count(*) from dealwright.waiting_lead") == 0


def test_what_makes_no_sense_is_refused_and_changes_nothing(connection, staff) -> None:
    ada, ben = staff
    placed = assign(connection, LEAD, "workload")
    for agent, reason, cause in (
        (ben, " ", "needs a reason"),
        (ada, "x", "already"),
        (999, "x", "there is no agent 999"),
    ):
        with pytest.raises(psycopg.Error, match=cause):
            override(connection, placed["lead_id"], agent, reason)
    with pytest.raises(psycopg.Error, match="there is no lead 77"):
        override(connection, 77, ben)
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", placed["booking_id"])
    with pytest.raises(psycopg.Error, match="is settled, not open"):
        override(connection, placed["lead_id"], ben)
    assert opened(connection) == [0, 0]
    assert value(connection, "select count(*) from dealwright.assignment") == 1
