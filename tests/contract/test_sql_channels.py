"""Capacity and work weight per channel: they hold for every way in which an agent gets a lead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from engine import add_agent, assign, declare, lead_json, load_classic, load_model, random_model, rows, value
from floor import POLICIES, holder, placement, refused, staff
from ledger import check_desk
from psycopg import Connection
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database

MARS = {"destination": "Mars", "lead_source": "Organic"}
TITAN = {"destination": "Titan", "lead_source": "Organic"}
MODEL = random_model(np.random.default_rng(2))
GIVE = "select * from dealwright.assign_to(%s::bigint, %s, %s, %s)"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        yield opened
        promoted = value(opened, "select count(*) from dealwright.model where kind = 'value'")
        check_desk(opened, MODEL if promoted else None)
        for row in rows(
            opened, "select assignment_id, dealwright.replay(assignment_id) as r from dealwright.decision"
        ):
            assert row["r"]["agrees"], row


def set_channel(connection: Connection[Any], name: str, capacity: int | None = None, places: int = 1) -> None:
    rows(
        connection,
        "select dealwright.set_channel(%s, %s, %s, 'destination')",
        name,
        capacity,
        places,
    )


def limit(connection: Connection[Any], agent_id: int, name: str, capacity: int | None) -> None:
    rows(connection, "select dealwright.set_agent_channel(%s, %s, %s)", agent_id, name, capacity)


@pytest.mark.parametrize("policy", POLICIES)
def test_nobody_gets_more_of_a_channel_than_agreed(connection: Connection[Any], policy: str) -> None:
    agents = staff(connection, "Ada", "Ben")
    load_model(connection, MODEL)
    load_classic(connection)
    set_channel(connection, "Mars", 2)
    limit(connection, agents["Ben"], "Mars", 1)
    placed = [assign(connection, MARS, policy, idempotency_key=str(n)) for n in range(5)]
    assert sorted(str(row["agent_name"]) for row in placed) == ["Ada", "Ada", "Ben", "None", "None"]
    ranked = rows(connection, "select * from dealwright.rank_agents(%s, %s)", lead_json(MARS), policy)
    assert {row["agent_name"]: row["eligible"] for row in ranked} == {"Ada": False, "Ben": False}
    assert ranked[0]["reasons"][0] == {"reason": "not eligible: no free place for Mars"}
    # the others have room
    assert assign(connection, TITAN, policy)["status"] == "assigned"
    check_desk(connection, MODEL)
    # and who waits gets the place that is freed, in turn
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed[0]["booking_id"])
    assert holder(connection, placed[3]["lead_id"]) == placed[0]["agent_name"]
    assert placement(connection, placed[4]["lead_id"])["status"] == "waiting"
    limit(connection, agents["Ben"], "Mars", 2)
    assert holder(connection, placed[4]["lead_id"]) == "Ben"


def test_work_weighs_as_many_places_as_its_channel_says(connection: Connection[Any]) -> None:
    staff(connection, "Ada", capacity=5)
    set_channel(connection, "Mars", places=3)
    first = assign(connection, MARS)
    second = assign(connection, MARS)
    assert (first["agent_name"], second["agent_name"]) == ("Ada", None)  # 3 of 5 taken: 3 more do not fit
    light = [assign(connection, TITAN) for _ in range(3)]
    assert [row["agent_name"] for row in light] == ["Ada", "Ada", None]
    check_desk(connection)
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", first["booking_id"])
    # the heavy one came first, and fits again
    assert holder(connection, second["lead_id"]) == "Ada"
    assert placement(connection, light[2]["lead_id"])["status"] == "waiting"
    told = value(connection, "select dealwright.channels_of(1)")
    assert told == [{"channel": "Mars", "open": 1, "capacity": None, "places": 3, "own": False}]


def test_whoever_is_named_is_held_to_it_unless_it_is_overridden(connection: Connection[Any]) -> None:
    agents = staff(connection, "Ada", "Ben", capacity=4)
    set_channel(connection, "Mars", 1, 2)
    assign(connection, MARS)
    assign(connection, MARS)
    waiting = assign(connection, MARS)["lead_id"]
    message = refused(connection, GIVE, waiting, agents["Ada"], "asked for", False)
    assert message == ("DW001", "Ada (1) has no free place for Mars (1 of 1 open)")
    (placed,) = rows(connection, GIVE, waiting, agents["Ada"], "asked for", True)
    assert placed["agent_name"] == "Ada"
    overridden = "select overridden from dealwright.decision where assignment_id = %s"
    assert value(connection, overridden, placed["assignment_id"]) == ["channel"]
    check_desk(connection)
    # four places are taken: a lead of another channel finds none, and is told so
    light = assign(connection, TITAN)
    assert light["agent_name"] == "Ben"
    message = refused(connection, GIVE, light["lead_id"], agents["Ada"], "asked for", False)
    assert message == ("DW001", "Ada (1) has 4 of 4 places taken, and this lead takes 1")


def test_reopened_work_goes_to_somebody_with_room_for_its_channel(connection: Connection[Any]) -> None:
    staff(connection, "Ada")
    set_channel(connection, "Mars", 1)
    placed = assign(connection, MARS)
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed["booking_id"])
    assert assign(connection, MARS)["agent_name"] == "Ada"
    add_agent(connection, "Ben", external_id="B")
    (answer,) = rows(
        connection, "select * from dealwright.settle_booking(%s::bigint, 'pending')", placed["booking_id"]
    )
    assert answer["notices"] == ["Ada (1) has no free place: handed over to Ben (B)"]
    assert holder(connection, placed["lead_id"]) == "Ben"


def test_a_lead_that_is_handed_over_asks_for_room_in_its_channel(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", "Cleo")
    set_channel(connection, "Mars", 1)
    first, second, _ = (assign(connection, MARS, "workload") for _ in range(3))
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", second["booking_id"])
    (moved,) = rows(connection, "select * from dealwright.reassign(%s, 'ill')", first["assignment_id"])
    assert moved["agent_name"] == "Ben"  # Cleo has one
    check_desk(connection)
    told = value(connection, "select dealwright.explain(%s)", moved["assignment_id"])
    reasons = {row["agent_name"]: row["reasons"][0]["reason"] for row in told["ranking"]}
    assert reasons["Cleo"] == "not eligible: no free place for Mars"
    assert reasons["Ada"] == "not eligible: excluded"
    again = refused(
        connection, "update dealwright.assignment set agent_id = 3 where assignment_id = %s",
        moved["assignment_id"],
    )  # fmt: skip
    assert again == ("DW001", "agent 3 has no free place for Mars (1 of 1 open)")


def test_a_lead_that_changes_its_channel_is_counted_there(connection: Connection[Any]) -> None:
    agents = staff(connection, "Ada")
    set_channel(connection, "Mars", 1)
    set_channel(connection, "Titan", 1)
    placed = assign(connection, MARS)
    waiting = assign(connection, MARS)
    rows(
        connection,
        "update dealwright.lead set attributes = %s where lead_id = %s",
        Jsonb({**MARS, "destination": "Venus"}),
        placed["lead_id"],
    )
    assert holder(connection, waiting["lead_id"]) == "Ada"
    rows(connection, "delete from dealwright.assignment where assignment_id = %s", placed["assignment_id"])
    check_desk(connection)
    rows(connection, "select dealwright.rebuild_statistics()")
    check_desk(connection)
    assert value(connection, "select count(*) from dealwright_engine.channel_open where open = 1") == 1
    added = add_agent(connection, "Ben")
    assert (
        value(connection, "select count(*) from dealwright_engine.channel_open where agent_id = %s", added)
        == 2
    )
    rows(connection, "select dealwright.remove_channel('Mars')")
    assert value(connection, "select dealwright.channels_of(%s)", agents["Ada"]) == [
        {"channel": "Titan", "open": 0, "capacity": 1, "places": 1, "own": False}
    ]


def test_many_leads_at_once_keep_the_limits(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", "Cleo", capacity=20)
    load_model(connection, MODEL)
    set_channel(connection, "Mars", 4)
    leads = [lead_json(MARS, f"M{n}") for n in range(20)] + [lead_json(TITAN, f"T{n}") for n in range(20)]
    placed = rows(connection, "select * from dealwright.assign_many(%s)", leads)
    assert [row["status"] for row in placed] == ["assigned"] * 12 + ["waiting"] * 8 + ["assigned"] * 20


def test_many_clients_at_once_keep_the_limits(database: Database, connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", "Cleo")
    set_channel(connection, "Mars", 3, 2)

    def send(client: int) -> None:
        with database.connect(autocommit=True) as own:
            for n in range(12):
                assign(own, MARS if (client + n) % 3 else TITAN, "workload")

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(send, range(4)))
    taken = rows(connection, "select a.open, c.open as mars from dealwright.agent as a "
                             "join dealwright_engine.channel_open as c using (agent_id)")  # fmt: skip
    # how many of each it is, depends on who comes first; that nobody waits beside room, check_desk sees
    assert [row for row in taken if row["mars"] > 3 or row["open"] + row["mars"] > 10] == []
    assert sum(row["open"] for row in taken) >= 21


def test_what_makes_no_limit_is_refused(connection: Connection[Any]) -> None:
    staff(connection, "Ada")
    call = "select dealwright.set_channel(%s, %s, %s, %s)"
    assert refused(connection, call, "Pluto", 1, 1, "destination") == (
        "DW003", "destination has no value 'Pluto'",
    )  # fmt: skip
    assert refused(connection, call, "Mars", 1, 1, None) == (
        "DW003", "there is no dimension 'communication_method'",
    )  # fmt: skip
    assert refused(connection, call, "Mars", -1, 1, "destination")[0] == "DW002"
    assert refused(connection, call, "Mars", 1, 0, "destination")[0] == "DW002"
    set_channel(connection, "Mars", 1)
    assert refused(connection, call, "Organic", 1, 1, "lead_source") == (
        "DW001", "'destination' is the channel of this desk, not 'lead_source'",
    )  # fmt: skip
    one = "select dealwright.set_agent_channel(%s, %s, %s)"
    assert refused(connection, one, 1, "Titan", 1) == ("DW003", "there is no channel 'Titan' with a limit")
    assert refused(connection, one, 7, "Mars", 1)[0] == "DW003"
    assert refused(connection, one, 1, "Mars", -1)[0] == "DW002"
