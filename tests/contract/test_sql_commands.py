"""The commands that commit by themselves: the functions' answers, durable, and others wait for less."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pytest
from engine import add_agent, assign, declare, lead_json, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database

MARS = {"destination": "Mars", "lead_source": "Organic"}


def call(connection: Connection[Any], lead: Any, policy: str | None = None) -> dict[str, Any]:
    (row,) = rows(connection, "call dealwright.assign(%s, %s)", lead, policy)
    return row


def build(connection: Connection[Any], capacity: int = 50) -> None:
    connection.execute("set synchronous_commit = on")  # the tests' server does without
    declare(connection)
    for i in range(4):
        add_agent(connection, f"agent {i}", capacity=capacity, years_of_service=float(i))


def test_the_answers_are_those_of_the_functions(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        build(connection)
        model = random_model(np.random.default_rng(1))
        load_model(connection, model)
        for policy in ("value", "workload", "fair", None):
            by_function = assign(connection, MARS, policy=policy)
            by_command = call(connection, lead_json(MARS), policy)
            (interval,) = rows(
                connection, "select * from dealwright.win_interval(%s)", by_command["assignment_id"]
            )
            assert set(by_command) == {*by_function, *interval}
            assert {name: by_command[name] for name in interval} == interval
            assert by_command["policy"] == by_function["policy"]
            assert by_command["status"] == "assigned"
            for name in ("lead_id", "assignment_id", "booking_id"):
                assert by_command[name] == by_function[name] + 1
        (stored,) = rows(connection, "select * from dealwright.placement_of(%s)", by_command["lead_id"])
        assert stored == {name: by_command[name] for name in stored}

        (settled,) = rows(
            connection, "call dealwright.settle(%s, 'confirmed', 100, 20)", by_command["booking_id"]
        )
        assert settled["status"] == "confirmed"
        assert settled["total_revenue"] == 120
        assert settled["agent_id"] == by_command["agent_id"]
        assert settled["open"] == value(
            connection, "select open from dealwright.agent where agent_id = %s", settled["agent_id"]
        )
        check_desk(connection, model)


def test_a_booking_is_settled_alike_by_number_by_name_by_command_and_by_function(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        build(connection, capacity=7)
        booking = call(connection, lead_json(MARS))["booking_id"]
        rows(connection, "update dealwright.agent set external_id = 'A-' || agent_id")
        rows(connection, "update dealwright.booking set external_id = 'B-1'")
        rows(connection, "update dealwright.assignment set external_id = 'S-1'")
        (answer,) = rows(connection, "call dealwright.settle(%s::bigint, 'confirmed', 100, 20)", booking)
        agent = answer["agent_id"]
        assert answer == {
            "booking_id": booking, "status": "confirmed", "total_revenue": 120, "assignment_id": 1,
            "agent_id": agent, "open": 0, "capacity": 7, "agent_name": f"agent {agent - 1}",
            "own_booking_id": "B-1", "own_assignment_id": "S-1", "own_agent_id": f"A-{agent}",
            "notices": None,
        }  # fmt: skip
        (named,) = rows(connection, "call dealwright.settle('B-1'::text, 'confirmed', 100, 20)")
        assert named == {
            ("booking" if name == "booking_id" else name): found for name, found in answer.items()
        } | {"booking": str(booking)}
        for identity in (booking, "B-1"):
            kind = "bigint" if identity == booking else "text"
            statement = f"select * from dealwright.settle_booking(%s::{kind}, 'confirmed', 100, 20)"
            assert rows(connection, statement, identity) == [answer]
        # with the desk's own number only what has no other name
        assert value(connection, "select dealwright.assignment_named('S-1')") == 1
        for statement in (
            "select dealwright.assignment_named('1')",
            "call dealwright.settle('1', 'pending')",
        ):
            with pytest.raises(psycopg.Error, match=r"there is no (booking|assignment) 1\n") as unknown:
                rows(connection, statement)
            assert unknown.value.sqlstate == "DW003"


def test_the_same_key_gives_the_same_answer_and_a_full_desk_lets_wait(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        build(connection, capacity=1)
        first = call(connection, lead_json(MARS, idempotency_key="one"))
        assert call(connection, lead_json(MARS, idempotency_key="one")) == first
        for _ in range(3):
            assert call(connection, lead_json(MARS))["status"] == "assigned"
        waiting = call(connection, lead_json(MARS))
        assert (waiting["status"], waiting["assignment_id"]) == ("waiting", None)
        (row,) = rows(connection, "call dealwright.settle(%s, 'cancelled')", first["booking_id"])
        assert row["open"] == 1, "the freed place took the lead that waited"
        check_desk(connection)


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (
            'call dealwright.assign(\'{"customer_name": "Kate", "attributes": {"destination": "Moon"}}\')',
            "DW002",
        ),
        ("call dealwright.assign('{\"customer_name\": \"Kate\"}', 'best')", "DW002"),
        ("call dealwright.settle(1, 'lost')", "DW002"),
        ("call dealwright.settle(99, 'confirmed')", "DW003"),
    ],
)
def test_a_refusal_leaves_nothing_behind(database: Database, command: str, state: str) -> None:
    with database.connect(autocommit=True) as connection:
        build(connection)
        with pytest.raises(psycopg.Error) as refused:
            connection.execute(command.encode())
        assert refused.value.sqlstate == state
        assert value(connection, "show synchronous_commit") == "on"
        assert value(connection, "select count(*) from dealwright.lead") == 0


def test_inside_a_transaction_it_is_refused(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        build(connection)
        with pytest.raises(psycopg.errors.InvalidTransactionTermination), connection.transaction():
            call(connection, lead_json(MARS))
        assert value(connection, "select count(*) from dealwright.lead") == 0


def test_who_has_the_answer_has_it_on_the_disk(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        build(connection, capacity=1_000)
        behind = 0
        for _ in range(60):
            answer = call(connection, lead_json(MARS))
            # now, before the server's own process, which writes five times a second, has come round
            behind += not value(
                connection, "select pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()"
            )
        assert answer["status"] == "assigned"
        # others on this server may write in between, but not nearly each time
        assert behind < 20
        assert value(connection, "show synchronous_commit") == "on"


def test_the_callers_own_choice_of_durability_stands(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        build(connection, capacity=1_000)
        connection.execute("set synchronous_commit = off")
        behind = 0
        for _ in range(60):
            call(connection, lead_json(MARS))
            behind += not value(
                connection, "select pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()"
            )
        assert behind > 20, "who asked not to wait for the disk was made to"
        assert value(connection, "show synchronous_commit") == "off"
