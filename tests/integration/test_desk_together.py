"""What changes the whole desk (promotion, import, new values, follow-up) while others work at it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psycopg
import pytest
from desk_machine import FURTHER
from engine import DIMENSIONS, add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from histories import random_history
from ledger import check_desk
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk

STAFF = (("Ada", 9.0), ("Ben", 1.0))


def work(database: Database, done: threading.Event, number: int) -> None:
    """Assign, settle, give on, correct, move, leave and come back until told to stop.

    What is refused has a reason.
    """
    rng = random.Random(number)
    with database.connect(autocommit=True) as connection:
        while not done.is_set():
            try:
                answer = assign(
                    connection,
                    {dimension.name: rng.choice(dimension.values) for dimension in DIMENSIONS}
                    | {"channel": rng.choice(("web", None, f"campaign {rng.randrange(60)}")), "size": number},
                    rng.choice(("value", "workload", "fair", "classic")),
                    requirements=rng.choice((None, None, "luxury")),
                    customer_id=rng.choice((None, None, f"C{rng.randrange(9)}")),
                )
                for row in rows(
                    connection,
                    "select booking_id, assignment_id from dealwright.assignment join dealwright.booking "
                    "using (assignment_id) "
                    "where assignment_id %% 6 = %s order by assignment_id desc limit 3",
                    number,
                ):
                    act(connection, rng, row["booking_id"], row["assignment_id"])
                if answer["assignment_id"] is None and rng.random() < 0.3:
                    rows(
                        connection,
                        "update dealwright.lead set priority = 3 where lead_id = %s",
                        answer["lead_id"],
                    )
            except psycopg.Error as error:
                if error.sqlstate not in {"DW001", "DW003"}:
                    raise


def act(connection: Connection[Any], rng: random.Random, booking: int, assignment: int) -> None:
    match rng.randrange(12):
        case 0:
            rows(connection, "select dealwright.settle_booking(%s, 'pending')", booking)
        case 1:
            rows(connection, "select dealwright.reassign(%s, 'busy')", assignment)
        case 2:
            rows(
                connection,
                "update dealwright.booking set base_revenue = %s where booking_id = %s",
                rng.randrange(500),
                booking,
            )
        case 3:
            rows(
                connection,
                "update dealwright.assignment set agent_id = %s where assignment_id = %s",
                rng.randint(1, 8),
                assignment,
            )
        case 4:
            rows(
                connection,
                "update dealwright.agent set capacity = %s where agent_id = %s",
                rng.randint(1, 9),
                rng.randint(1, 8),
            )
        case 5:  # followed up, without a booking so far
            rows(connection, "delete from dealwright.booking where booking_id = %s", booking)
            rows(
                connection,
                "update dealwright.assignment set status = 'open' where assignment_id = %s",
                assignment,
            )
        case 6 | 7 | 8:
            act_on_people(connection, rng, assignment)
        case _:
            rows(
                connection,
                "select dealwright.settle_booking(%s, %s, %s)",
                booking,
                rng.choice(("confirmed", "cancelled")),
                rng.randrange(9000),
            )


def act_on_people(connection: Connection[Any], rng: random.Random, assignment: int) -> None:
    match rng.randrange(4):
        case 0:
            rows(connection, "select dealwright.decline(%s, 'busy')", assignment)
        case 1:
            rows(connection, "select dealwright.contact(%s)", assignment)
        case 2:
            rows(
                connection,
                "update dealwright_engine.response_due set due_at = now() where assignment_id in (select r."
                "assignment_id from dealwright_engine.response_due as r limit 9 for update skip locked)",
            )
            while value(connection, "select dealwright.return_unanswered()"):
                pass
        case _:
            agent = rng.randint(1, 8)
            rows(connection, "select dealwright.deactivate_agent(%s, %s)", agent, rng.random() < 0.5)
            rows(connection, "select dealwright.activate_agent(%s)", agent)


@pytest.mark.slow
def test_promotion_import_and_new_values_while_the_desk_works(database: Database) -> None:
    rng = np.random.default_rng(6)
    with database.connect(autocommit=True) as connection:
        declare(connection, (*DIMENSIONS, *FURTHER))
        load_classic(connection)
        for i in range(8):
            add_agent(connection, f"agent {i}", capacity=6, skills=["luxury"] if i < 3 else [], rating=i / 2)
        model = random_model(rng)
        load_model(connection, model)
        rows(connection, "update dealwright.policy set params = params || '{\"respond_within_min\": 10}'")
        done, lapsed = threading.Event(), 0
        with ThreadPoolExecutor(6) as pool:
            workers = [pool.submit(work, database, done, number) for number in range(6)]
            try:
                for turn in range(3):
                    model = random_model(rng, agents_differ=turn != 1)
                    load_model(connection, model)
                    rows(
                        connection,
                        "select dealwright.declare_dimension('destination', array[%s])",
                        f"Moon {turn}",
                    )
                    add_agent(connection, f"new {turn}", capacity=2)
                    Desk(database).load(
                        random_history(
                            rng,
                            Desk(database).dimensions(),
                            agents=4,
                            assignments=30,
                            first=1 + 30 * turn,
                            prefix="x",
                        )
                    )
                    rows(connection, "select dealwright.declare_open_values()")
                    rows(connection, "update dealwright_engine.setting set follow_up_days = 0")
                    lapsed += value(connection, "select dealwright.lapse_follow_ups()")
                    rows(connection, "select dealwright.fill_free_places()")
                    rows(
                        connection,
                        "update dealwright.policy set params = jsonb_build_object('seed', 1, "
                        "'window_start', now()::text) "
                        "where name = 'fair'",
                    )
            finally:
                done.set()
            for worker in workers:
                worker.result(timeout=60)
        assert lapsed > 0
        rows(connection, "select dealwright.declare_open_values()")
        check_desk(connection, model)
        assert value(connection, "select count(*) from dealwright.decision") > 50
        for row in rows(
            connection,
            "select assignment_id from dealwright.decision where assignment_id in "
            "(select assignment_id from dealwright.assignment) order by random() limit 60",
        ):
            again = value(connection, "select dealwright.replay(%s)", row["assignment_id"])
            assert again["agrees"], again


def together(database: Database, *works: Callable[[Connection[Any]], None]) -> None:
    """Run each piece of work on a connection of its own, at the same moment."""
    ready = threading.Barrier(len(works))

    def run(piece: Callable[[Connection[Any]], None]) -> None:
        with database.connect(autocommit=True) as connection:
            ready.wait()
            piece(connection)

    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(run, works))


def test_a_settlement_and_a_reassignment_of_one_booking_do_not_block_each_other(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        for i in range(3):
            add_agent(connection, f"agent {i}", capacity=100)
        for _ in range(25):
            answer = assign(connection, {})

            def settle(other: Connection[Any], booking: int = answer["booking_id"]) -> None:
                rows(other, "select dealwright.settle_booking(%s, 'confirmed', 5)", booking)

            def hand_on(other: Connection[Any], assignment: int = answer["assignment_id"]) -> None:
                try:
                    rows(other, "select dealwright.reassign(%s, 'x')", assignment)
                except psycopg.Error as error:
                    if error.sqlstate != "DW001":
                        raise

            together(database, settle, hand_on)
        check_desk(connection)


def test_a_correction_and_an_assignment_of_one_agent_do_not_block_each_other(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        add_agent(connection, "one", capacity=1000)
        model = random_model(np.random.default_rng(1), ())
        load_model(connection, model)
        booking = assign(connection, {})["booking_id"]
        rows(connection, "select dealwright.settle_booking(%s, 'confirmed', 5, 5)", booking)

        def correct(other: Connection[Any]) -> None:
            for i in range(60):
                rows(
                    other, "update dealwright.booking set base_revenue = %s where booking_id = %s", i, booking
                )

        def take(other: Connection[Any]) -> None:
            for _ in range(60):
                assign(other, {})

        def rate(other: Connection[Any]) -> None:
            for i in range(60):
                rows(other, "update dealwright.agent set rating = %s", i / 20)

        together(database, correct, take, rate)
        check_desk(connection, model)


def test_who_moves_a_lead_waits_for_the_first_agent_and_holds_no_other(database: Database) -> None:
    """Two moves in opposite directions lock the agents in the same order."""
    with (
        database.connect(autocommit=True) as moving,
        database.connect() as holding,
        database.connect(autocommit=True) as looker,
        ThreadPoolExecutor(1) as pool,
    ):
        ada, ben = (add_agent(moving, name, years_of_service=seniority) for name, seniority in STAFF)
        given = assign(moving, {}, "workload")
        assert given["agent_id"] == ada
        rows(holding, "select from dealwright.agent where agent_id = %s for no key update", ada)
        move = "update dealwright.assignment set agent_id = %s where assignment_id = %s"
        moved = pool.submit(rows, moving, move, ben, given["assignment_id"])
        waits = "select count(*) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        while not value(looker, waits, moving.info.backend_pid):
            assert not moved.done()
        free = "select agent_id from dealwright.agent where agent_id = %s for no key update nowait"
        assert value(looker, free, ben) == ben
        holding.rollback()
        moved.result(timeout=30)
        assert value(moving, "select array_agg(open order by agent_id) from dealwright.agent") == [0, 1]
        check_desk(moving)


def test_a_settlement_that_had_to_give_way_is_done_all_the_same(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        agent = add_agent(connection, "Ann", capacity=3)
        booking = assign(connection, {"destination": "Mars", "lead_source": "Bought"})["booking_id"]
    # of two that wait for each other, PostgreSQL makes that one give way which asks first
    hasty = Database(make_conninfo(database.url, options="-c deadlock_timeout=50ms"))
    with database.connect() as other, Desk(hasty) as desk, ThreadPoolExecutor(1) as pool:
        rows(other, "set deadlock_timeout = '20s'")
        rows(other, "select from dealwright.agent where agent_id = %s for update", agent)
        settled = pool.submit(desk.settle, booking, "confirmed", base_revenue=100.0)
        with database.connect(autocommit=True) as watcher:
            while not value(
                watcher,
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and wait_event_type = 'Lock' and query like '%%call dealwright.settle%%'",
            ):
                assert not settled.done(), "it should wait for the agent"
        rows(other, "select from dealwright.booking where booking_id = %s for update", booking)
        other.commit()
        assert settled.result(timeout=30).row["status"] == "confirmed"
    with database.connect(autocommit=True) as connection:
        check_desk(connection)
        assert value(connection, "select deadlocks from pg_stat_database where datname = current_database()")
