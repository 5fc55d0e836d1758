"""Whom a placement finds by the candidate list is whom the general ranking puts first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import add_agent, assign, declare, load_model, random_model, rows, value
from psycopg import Connection
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database

DESTINATIONS = ("Mars", "Venus")
SOURCES = ("Organic", "Bought")
FIRST_BOTH_WAYS = """
select (dealwright_engine.first_agent(r.rule, e.ask, s.list)).*, (s.list).agents as listed,
       g.agent_id as general_id, g.match_score as general_score, g.expected_value as general_value
from (select dealwright_engine.policy_for('value') as rule offset 0) as r
cross join lateral (
    select a.attributes, dealwright_engine.candidates_for(r.rule, a.attributes) as list
    from (select %s::jsonb as attributes) as a offset 0
) as s
cross join lateral (
    select row (dealwright_engine.slots_of(s.attributes), null, %s::text[], null, %s, clock_timestamp(),
                %s::bigint[], null, null, null, null, null)::dealwright_engine.enquiry as ask offset 0
) as e
left join lateral dealwright_engine.rank_by('value', e.ask, (r.rule).params, 1, true) as g on true
"""


def first_both_ways(
    connection: Connection[Any], rng: np.random.Generator, attributes: dict[str, str]
) -> dict[str, Any]:
    skills = ["luxury"] if rng.random() < 0.15 else None
    excluded = rng.integers(1, 20, 3).tolist() if rng.random() < 0.1 else None
    connection.execute("set search_path = dealwright, public, extensions")
    (row,) = rows(
        connection, FIRST_BOTH_WAYS, Jsonb(attributes), skills, int(rng.integers(1_000_000)), excluded
    )
    return row


def change(connection: Connection[Any], rng: np.random.Generator, agents: int) -> None:
    """Something that moves workloads, profiles or eligibility."""
    agent = int(rng.integers(1, agents + 1))
    match int(rng.integers(8)):
        case 0:
            rows(connection, "update dealwright.agent set capacity = %s where agent_id = %s", 3, agent)
        case 1:
            rows(connection, "update dealwright.agent set active = not active where agent_id = %s", agent)
        case 2:
            rows(
                connection,
                "update dealwright.agent set rating = %s where agent_id = %s",
                float(rng.normal(4, 1)),
                agent,
            )
        case _:
            rows(
                connection,
                "select dealwright.settle_booking(booking_id, %s, 900) from dealwright.booking "
                "where status = 'pending' order by random() limit %s",
                rng.choice(("confirmed", "cancelled")),
                int(rng.integers(1, 5)),
            )


@pytest.mark.parametrize(
    ("agents", "steps", "seed"), [(12, 150, 1), (60, 250, 2), (60, 250, 3), (2_700, 60, 4)]
)
def test_the_candidates_lead_to_the_same_one_as_a_look_at_all(
    database: Database, agents: int, steps: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    listed = 0
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, random_model(rng))
        rows(
            connection,
            "insert into dealwright.agent (name, capacity, rating, years_of_service, skills) "
            "select 'agent ' || i, 1 + i %% 7, 3 + 2 * random(), 10 * random(), "
            "case when i %% 3 = 0 then array['luxury'] else '{}' end from generate_series(1, %s) as i",
            agents,
        )
        for step in range(steps):
            attributes = {
                "destination": str(rng.choice(DESTINATIONS)),
                "lead_source": str(rng.choice(SOURCES)),
            }
            row = first_both_ways(connection, rng, attributes)
            assert row["agent_id"] == row["general_id"], (step, row)
            assert row["match_score"] == row["general_score"]
            if row["agent_id"] is not None:
                assert row["expected_value"] == pytest.approx(row["general_value"], rel=1e-12)
            listed += row["listed"] is not None
            answer = assign(connection, attributes)
            if answer["status"] == "waiting":
                rows(connection, "update dealwright.lead set status = 'withdrawn' where is_waiting")
            if rng.random() < 0.4:
                change(connection, rng, agents)
            if step == steps // 2:
                load_model(connection, random_model(rng))
            if step == steps // 3:
                rows(
                    connection,
                    "update dealwright.policy set params = params || %s where name = 'value'",
                    Jsonb({"sharpness": 1}),
                )
        assert listed > steps // 2  # or nothing was tested
        assert value(connection, "select count(*) from dealwright_engine.candidate_list") == 4


def test_who_stands_far_down_the_list_is_found_all_the_same(database: Database) -> None:
    rng = np.random.default_rng(8)
    attributes = {"destination": "Mars", "lead_source": "Organic"}
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, random_model(rng))
        rows(
            connection,
            "insert into dealwright.agent (name, capacity, rating) "
            "select 'agent ' || i, 1, 5.0 * i / 1200 from generate_series(1, 1200) as i",
        )
        chosen = [assign(connection, attributes)["agent_id"]]
        (kept,) = rows(connection, "select agent_ids from dealwright_engine.candidate_list")
        # nobody of the head has room; nobody of the list; the last one alone
        for leads in (20, 300):
            chosen += [assign(connection, attributes)["agent_id"] for _ in range(leads)]
            assert chosen[:257] == kept["agent_ids"][: len(chosen)]
            assert len(set(chosen)) == len(chosen)
        rows(connection, "update dealwright.agent set capacity = open where agent_id <> 600")
        rows(connection, "update dealwright.agent set capacity = open + 1 where agent_id = 600")
        assert assign(connection, attributes)["agent_id"] == 600
        assert assign(connection, attributes)["status"] == "waiting"


def test_a_list_is_made_anew_when_many_profiles_have_changed(database: Database) -> None:
    rng = np.random.default_rng(5)
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, random_model(rng))
        rows(
            connection,
            "insert into dealwright.agent (name, capacity) "
            "select 'agent ' || i, 100 from generate_series(1, 100) as i",
        )

        def made_after_assigning(leads: int) -> int:
            # one lead in sixteen counts the changes
            for _ in range(leads):
                assign(connection, {"destination": "Mars", "lead_source": "Organic"})
            return int(
                value(connection, "select made_xmin::text::bigint from dealwright_engine.candidate_list")
            )

        before = made_after_assigning(1)
        rows(connection, "update dealwright.agent set rating = 3 where agent_id <= 60")
        assert made_after_assigning(200) == before
        rows(connection, "update dealwright.agent set rating = 4 where agent_id > 60")
        assert made_after_assigning(200) > before


def test_a_value_renamed_by_the_engine_is_read_anew(database: Database) -> None:
    rng = np.random.default_rng(6)
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, random_model(rng))
        add_agent(connection, "Ada")
        assign(connection, {"destination": "Mars", "lead_source": "Organic"})
        with connection.transaction():
            rows(connection, "select dealwright_engine.begin_own_writes()")
            rows(
                connection, "update dealwright.dimension_value set value = 'Red Planet' where value = 'Mars'"
            )
        with pytest.raises(Exception, match="Red Planet"):
            assign(connection, {"destination": "Mars", "lead_source": "Organic"})


def test_a_transaction_that_stays_open_keeps_its_agent_and_nobody_else(database: Database) -> None:
    attributes = {"destination": "Mars", "lead_source": "Organic"}
    with database.connect(autocommit=True) as one, database.connect(autocommit=True) as other:
        declare(one)
        add_agent(one, "Ada", capacity=20)
        add_agent(one, "Ben", capacity=20, skills=["luxury"])
        with one.transaction():
            held = assign(one, attributes, policy="workload")
            assert held["agent_name"] == "Ada"
            rows(other, "set lock_timeout = '2s'")
            assert assign(other, attributes, policy="workload", skills=["luxury"])["agent_name"] == "Ben"
            with pytest.raises(psycopg.errors.LockNotAvailable):
                assign(other, attributes, policy="workload")
        assert value(one, "select count(*) from dealwright.lead where status = 'assigned'") == 2


def test_who_has_room_again_is_looked_at_though_no_list_has_the_agent(database: Database) -> None:
    """The place is freed without an outcome, so the profile stays what it was."""
    attributes = {"destination": "Mars", "lead_source": "Organic"}
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for name in ("Ada", "Ben"):
            add_agent(connection, name, capacity=20, rating=2.0 if name == "Ada" else 4.5)
        model = random_model(np.random.default_rng(3))
        load_model(connection, model)
        placed = assign(connection, attributes)
        first = placed["agent_id"]
        rows(connection, "update dealwright.agent set capacity = 1 where agent_id = %s", first)
        load_model(connection, model)  # forgets the lists; the next one is made without who is full
        assert assign(connection, attributes)["agent_id"] != first
        rows(connection, "select dealwright.reassign(%s, 'ill')", placed["assignment_id"])
        assert assign(connection, attributes)["agent_id"] == first


@pytest.mark.parametrize(("policy", "listed"), [("value", False), ("value", True), ("workload", False)])
def test_who_waited_for_an_agent_looks_again_at_who_comes_first(
    database: Database, policy: str, *, listed: bool
) -> None:
    """While a lead waits for the row of the first agent, somebody else comes to be the first."""
    attributes = {"destination": "Mars", "lead_source": "Organic"}
    with database.connect(autocommit=True) as one, database.connect(autocommit=True) as other:
        declare(one)
        load_model(one, random_model(np.random.default_rng(3)))
        rows(one, "select dealwright.set_default_policy('value', '{\"sharpness\": 1}')")
        for name, seniority in (("Ada", 5.1), ("Ben", 5.0)):
            add_agent(one, name, capacity=4, rating=4, years_of_service=seniority)
        if listed:
            warm = assign(one, attributes, policy)
            rows(one, "delete from dealwright.booking where booking_id = %s", warm["booking_id"])
            rows(one, "delete from dealwright.assignment where assignment_id = %s", warm["assignment_id"])
        lists = value(one, "select count(*) from dealwright_engine.candidate_list")
        assert lists == listed
        with ThreadPoolExecutor(1) as pool:
            with one.transaction():
                first = assign(one, attributes, policy)["agent_name"]
                late = pool.submit(assign, other, attributes, policy)
                waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and pid = %s"
                while not value(one, waits, other.info.backend_pid):
                    assert not late.done()
                    time.sleep(0.01)
            second = late.result(timeout=30)["agent_name"]
        assert {first, second} == {"Ada", "Ben"}
