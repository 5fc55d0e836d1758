"""Many leads at once are placed as one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import Row, add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb
from servers import TestServer

from dealwright.desk.database import Database
from dealwright.learn import MatchModel

DESTINATIONS = ("Mars", "Venus", "Titan")
SOURCES = ("Organic", "Bought")


@pytest.fixture
def copy(server: TestServer, database: Database) -> Iterator[Callable[[], Database]]:
    """Return a function that copies the desk as it is, while nobody is connected to it."""
    with ExitStack() as stack:

        def make() -> Database:
            server.create_database("other_desk", str(conninfo_to_dict(database.url)["dbname"]))
            stack.callback(server.administer, "DROP DATABASE other_desk WITH (FORCE)")
            return stack.enter_context(Database(server.url_of("other_desk")))

        yield make


def many(
    connection: Connection[Any], leads: Sequence[dict[str, Any]], policy: str | None = None
) -> list[Row]:
    return rows(
        connection,
        "select * from dealwright.assign_many(%s::jsonb[], %s)",
        [Jsonb(lead) for lead in leads],
        policy,
    )


def one_by_one(
    connection: Connection[Any], leads: Sequence[dict[str, Any]], policy: str | None = None
) -> list[Row]:
    return [
        rows(connection, "select * from dealwright.assign_lead(%s, %s)", Jsonb(lead), policy)[0]
        for lead in leads
    ]


def disagreeing(connection: Connection[Any], since: int = 0) -> list[Row]:
    """Return the decisions, from one on, that do not come out the same from the record."""
    return rows(
        connection,
        "select d.decision_id, r from dealwright.decision as d, dealwright.replay(d.assignment_id) as r "
        "where d.decision_id >= %s and not (r ->> 'agrees')::boolean",
        since,
    )


def recorded(connection: Connection[Any]) -> dict[str, list[Row]]:
    """Return what the desk has written down, but for times, positions and transactions."""
    keys = {"lead": "lead_id", "assignment": "assignment_id", "booking": "booking_id", "agent": "agent_id",
            "decision": "decision_id", "event": "position", "agent_stat": "agent_id"}  # fmt: skip
    passing = ("_at", "_until", "position", "xid", "snapshot")
    return {
        table: [
            {name: v for name, v in row.items() if not f"_{name}".endswith(passing)}
            for row in rows(connection, f"select * from dealwright.{table} order by {key}")
        ]
        for table, key in keys.items()
    }


def desk(
    connection: Connection[Any],
    seed: int,
    *,
    agents: int,
    capacity: int,
    alike: bool = False,
    history: bool = True,
) -> MatchModel:
    """Fill a desk; the same seed gives the same one, with a history, so that profiles differ."""
    rng = np.random.default_rng(seed)
    declare(connection)
    model = random_model(rng)
    load_model(connection, model)
    load_classic(connection)
    for i in range(agents):
        columns: dict[str, Any] = (
            {} if alike else {"rating": float(rng.normal(4, 1)), "years_of_service": float(rng.uniform(0, 9))}
        )
        if rng.random() < 0.2:
            columns["skills"] = ["luxury"]
        if rng.random() < 0.1:
            columns["shifts"] = "{[2020-01-01,2021-01-01)}"
        if rng.random() < 0.1:
            columns["active"] = False
        add_agent(connection, f"agent {i}", capacity=int(rng.integers(capacity + 1)), **columns)
    for _ in range(min(2 * agents, 150) if history and not alike else 0):
        placed = assign(connection, attributes(rng), policy="fair")
        if placed["booking_id"] is not None:
            rows(
                connection,
                "select dealwright.settle_booking(%s, %s, 900)",
                placed["booking_id"],
                rng.choice(("confirmed", "cancelled")),
            )
    rows(connection, "update dealwright.lead set status = 'withdrawn' where is_waiting")
    return model


def attributes(rng: np.random.Generator) -> dict[str, str]:
    return {"destination": str(rng.choice(DESTINATIONS)), "lead_source": str(rng.choice(SOURCES))}


def random_leads(rng: np.random.Generator, number: int, odd: float) -> list[dict[str, Any]]:
    """Leads of which a share asks for what a batch does not place itself."""
    leads = []
    for i in range(number):
        lead: dict[str, Any] = {"customer_name": f"customer {i}", "attributes": attributes(rng)}
        if rng.random() < 0.1:
            lead |= {
                "idempotency_key": f"key {rng.integers(10**12)}",
                "priority": 3,
                "received_at": "2026-01-05T10:00:00+00:00",
            }
        if rng.random() < 0.1:
            lead["attributes"]["destination"] += " "
        if rng.random() < odd:
            lead |= [
                {"requirements": "something with luxury"},
                {"customer_id": f"C{rng.integers(9)}"},
                {"external_id": f"E{i}"},
                {"skills": ["luxury"]},
                {"policy": "fair"},
            ][int(rng.integers(5))]
        leads.append(lead)
    return leads


@pytest.mark.parametrize(
    ("seed", "agents", "capacity", "number", "odd", "policy"),
    [
        (1, 40, 12, 150, 0.0, None),
        (2, 40, 4, 150, 0.03, None),
        (3, 200, 4, 250, 0.0, "value"),
        (4, 12, 30, 250, 0.2, None),
        (5, 400, 2, 200, 0.01, None),
        (6, 12, 6, 60, 0.1, "fair"),
        (7, 12, 6, 60, 0.1, "workload"),
        (8, 12, 6, 60, 0.1, "classic"),
    ],
)
def test_a_batch_places_what_one_after_the_other_does(
    database: Database,
    copy: Callable[[], Database],
    seed: int,
    agents: int,
    capacity: int,
    number: int,
    odd: float,
    policy: str | None,
) -> None:
    answers, records = [], []
    with database.connect(autocommit=True) as connection:
        model = desk(connection, seed, agents=agents, capacity=capacity)
        history = value(connection, "select max(decision_id) from dealwright.decision")
    for place, place_all in ((database, one_by_one), (copy(), many)):
        with place.connect(autocommit=True) as connection:
            leads = random_leads(np.random.default_rng(seed), number, odd)
            answers.append(place_all(connection, leads, policy))
            records.append(recorded(connection))
            check_desk(connection, model)
            # what came before is the same in both: it comes out as it did also after the batch
            assert disagreeing(connection, 0 if place_all is many else history + 1) == []
    assert answers[0] == answers[1]
    for table, alone in records[0].items():
        assert alone == records[1][table], table


def test_small_batches_place_what_one_after_the_other_does(
    database: Database, copy: Callable[[], Database]
) -> None:
    """From three leads on they go by the short way, of more of them where agents are many."""
    answers: list[list[Row]] = []
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 9, agents=40, capacity=6)
    for place, place_all in ((database, one_by_one), (copy(), many)):
        rng = np.random.default_rng(9)
        answers.append([])
        with place.connect(autocommit=True) as connection:
            for size in (2, 3, 5, 1, 8, 4, 3, 7, 2, 6):
                answers[-1] += place_all(connection, random_leads(rng, size, 0.02))
            check_desk(connection, model)
            assert disagreeing(connection) == []
    assert answers[0] == answers[1]


def test_agents_who_are_alike_are_drawn_as_one_after_the_other(
    database: Database, copy: Callable[[], Database]
) -> None:
    answers = []
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 3, agents=300, capacity=5, alike=True)
        rows(connection, "update dealwright.agent set capacity = 5")
    for place, place_all in ((database, one_by_one), (copy(), many)):
        with place.connect(autocommit=True) as connection:
            answers.append(place_all(connection, random_leads(np.random.default_rng(3), 60, 0)))
            check_desk(connection, model)
            assert disagreeing(connection) == []
    assert answers[0] == answers[1]
    assert len({answer["agent_id"] for answer in answers[1]}) > 40


def test_a_batch_looks_as_far_down_the_list_as_it_takes(
    database: Database, copy: Callable[[], Database]
) -> None:
    """Nobody's profile changes: so only the second and third look find who is not at the head of the list."""
    answers = []
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 5, agents=180, capacity=1, history=False)
        rows(connection, "update dealwright.agent set capacity = 1")
    for place, place_all in ((database, one_by_one), (copy(), many)):
        with place.connect(autocommit=True) as connection:
            answers.append(place_all(connection, random_leads(np.random.default_rng(5), 150, 0)))
            check_desk(connection, model)
            assert disagreeing(connection) == []
    assert answers[0] == answers[1]
    assert len({answer["agent_id"] for answer in answers[1]}) > 128


def test_profiles_that_change_between_batches_are_looked_at(
    database: Database, copy: Callable[[], Database]
) -> None:
    answers: list[list[Row]] = []
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 4, agents=60, capacity=20)
    for place, place_all in ((database, one_by_one), (copy(), many)):
        rng = np.random.default_rng(4)
        answers.append([])
        with place.connect(autocommit=True) as connection:
            for _ in range(4):
                answers[-1] += place_all(connection, random_leads(rng, 40, 0))
                for answer in answers[-1][-40::3]:
                    rows(
                        connection,
                        "select dealwright.settle_booking(%s, %s, 5000)",
                        answer["booking_id"],
                        rng.choice(("confirmed", "cancelled")),
                    )
                rows(
                    connection,
                    "update dealwright.agent set rating = 5 where agent_id = %s",
                    int(rng.integers(60)),
                )
            check_desk(connection, model)
            assert disagreeing(connection) == []
    assert answers[0] == answers[1]


def test_a_batch_that_cannot_be_placed_whole_is_not_placed_and_names_the_lead(database: Database) -> None:
    good = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 1, agents=20, capacity=9)
        many(connection, [{**good, "idempotency_key": "taken", "external_id": "E 1"}])
        before = rows(connection, "select lead_id from dealwright.lead order by 1")
        for wrong, words in (
            ({**good, "attributes": {"destination": "Pluto", "lead_source": "Organic"}}, "Pluto"),
            ({**good, "customer_name": " "}, "customer_name is missing"),
            ({**good, "customer_name": "Kate\n"}, "control character"),
            ({**good, "received_at": "1950-01-01T00:00:00Z"}, "1970"),
            ({**good, "priority": "high"}, "priority must be a whole number"),
            ({**good, "policy": "cheapest"}, "unknown policy"),
            ({**good, "colour": "red"}, "no key 'colour'"),
            ({**good, "customer_name": "Ben", "idempotency_key": "taken"}, "belongs to another enquiry"),
            ({**good, "external_id": "E 1"}, "external id 'E 1' already"),
            ({**good, "external_id": ""}, "external_id of the lead is empty"),
        ):
            with pytest.raises(psycopg.Error, match=f"lead 31 of the batch: .*{words}") as refused:
                many(connection, [good] * 30 + [wrong] + [good] * 30)
            assert refused.value.sqlstate in ("DW001", "DW002")
            assert "nothing of the batch was placed" in str(refused.value.diag.message_hint)
        twice = [{**good, "external_id": f"E {2 + i % 30}"} for i in range(31)]
        with pytest.raises(psycopg.Error, match=r"lead 31 of the batch: .*external id 'E 2' already"):
            many(connection, twice)
        with pytest.raises(psycopg.Error, match="lead 2 of the batch: a lead is a JSON object"):
            rows(connection, "select dealwright.assign_many(array[%s, null]::jsonb[])", Jsonb(good))
        with pytest.raises(psycopg.Error, match="unknown policy 'cheapest'"):
            many(connection, [], "cheapest")
        assert rows(connection, "select lead_id from dealwright.lead order by 1") == before
        assert many(connection, []) == []
        assert rows(connection, "select * from dealwright.assign_many(null)") == []
        check_desk(connection, model)


def test_the_same_key_twice_in_a_batch_is_one_lead(database: Database) -> None:
    lead = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 1, agents=20, capacity=9)
        leads = [{**lead, "idempotency_key": f"key {i % 25}"} for i in range(40)]
        first = many(connection, leads)
        assert [answer["lead_id"] for answer in first[25:]] == [answer["lead_id"] for answer in first[:15]]
        again = many(connection, leads)
        assert [answer["assignment_id"] for answer in again] == [answer["assignment_id"] for answer in first]
        check_desk(connection, model)


def test_a_batch_goes_on_in_the_queue_where_the_last_place_is_taken(database: Database) -> None:
    lead = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 1, agents=20, capacity=9)
        rows(connection, "update dealwright.agent set capacity = open + 2 where active and shifts is null")
        rows(connection, "update dealwright.agent set capacity = open where not active or shifts is not null")
        free = value(connection, "select sum(capacity - open) from dealwright.agent")
        status = [answer["status"] for answer in many(connection, [lead] * (free + 30))]
        assert status == ["assigned"] * free + ["waiting"] * 30
        check_desk(connection, model)


def test_an_answer_is_due_for_each_lead_of_a_batch(database: Database) -> None:
    lead = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}
    with database.connect(autocommit=True) as connection:
        desk(connection, 1, agents=20, capacity=9)
        rows(
            connection,
            "update dealwright.policy set params = params || %s where name = 'value'",
            Jsonb({"respond_within_min": 60}),
        )
        answers = many(connection, [lead] * 20)
        due = rows(
            connection,
            "select assignment_id, round(extract(epoch from due_at - now()) / 60) as minutes "
            "from dealwright_engine.response_due order by 1",
        )
        assert due == [{"assignment_id": answer["assignment_id"], "minutes": 60} for answer in answers]


def test_batches_single_leads_and_settlements_at_once(database: Database) -> None:
    """Nobody waits for each other in a circle, nothing is lost, and every decision can be recomputed."""
    with database.connect(autocommit=True) as connection:
        model = desk(connection, 1, agents=30, capacity=60)

    def place_batches(seed: int) -> int:
        rng = np.random.default_rng(seed)
        with database.connect(autocommit=True) as connection:
            return sum(len(many(connection, random_leads(rng, 60, 0))) for _ in range(4))

    def place_and_settle(seed: int) -> int:
        rng = np.random.default_rng(seed)
        with database.connect(autocommit=True) as connection:
            for _ in range(60):
                answer = assign(connection, attributes(rng))
                if answer["booking_id"] is not None:
                    rows(
                        connection,
                        "select dealwright.settle_booking(%s, 'confirmed', 700)",
                        answer["booking_id"],
                    )
        return 60

    with ThreadPoolExecutor(4) as pool:
        before = [
            pool.submit(place, seed)
            for seed, place in enumerate((place_batches, place_batches, place_and_settle, place_and_settle))
        ]
        assert [done.result() for done in before] == [240, 240, 60, 60]
    with database.connect(autocommit=True) as connection:
        check_desk(connection, model)
        assert disagreeing(connection) == []
