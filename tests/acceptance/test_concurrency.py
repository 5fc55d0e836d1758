"""Many clients at one desk: nobody past capacity, no lead lost or given twice, nobody waits in vain."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
import pytest
from engine import (
    DIMENSIONS,
    Row,
    add_agent,
    declare,
    lead_json,
    load_classic,
    load_model,
    random_model,
    rows,
    value,
)
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.migrations import migrate
from dealwright.desk.server import Server, find_server, start_server, stop_server
from dealwright.learn import MatchModel

CONNECTIONS = 16
LEADS = 5_000
TWICE = 500  # so many of them are sent by two clients at the same moment
POLICIES = ("value", "value", "workload", "fair", "classic")
# every other connection sends commands that commit by themselves
ASSIGN = ("select * from dealwright.assign_lead(%s, %s)", "call dealwright.assign(%s, %s)")
SETTLE = ("select * from dealwright.settle_booking(%s, %s, %s, %s)", "call dealwright.settle(%s, %s, %s, %s)")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that loses nothing, and knows when each transaction was committed."""
    home = tmp_path_factory.mktemp("durable")
    yield start_server(home, options={"track_commit_timestamp": "on"})
    stop_server(home)


def new_desk(server: Server, name: str) -> Database:
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    database = Database.open(server.url_of(name), server.home)
    with database.connect() as connection:
        migrate(connection)
    return database


def in_parallel(database: Database, work: Callable[[Connection[Any], int], None]) -> None:
    """Run the work on 16 connections at once; an error in one of them is the test's."""
    ready = threading.Barrier(CONNECTIONS)

    def run(number: int) -> None:
        with database.connect(autocommit=True) as connection:
            ready.wait()
            work(connection, number)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(run, range(CONNECTIONS)))


def draw_lead(rng: random.Random, key: str) -> Any:
    return lead_json(
        {dimension.name: rng.choice(dimension.values) for dimension in DIMENSIONS},
        idempotency_key=key,
        requirements="a luxury cabin" if rng.random() < 0.1 else None,
        priority=rng.randrange(3),
    )


def test_sixteen_connections_and_five_thousand_leads(durable: Server) -> None:
    database = new_desk(durable, "crowd")
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_classic(connection)
        for i in range(40):
            add_agent(
                connection,
                f"agent {i}",
                capacity=1 + i % 7,
                skills=["luxury"] if i % 4 == 0 else [],
                rating=3 + i / 20,
                years_of_service=float(i % 9),
            )
        model = random_model(np.random.default_rng(3))
        load_model(connection, model)
        # a base of outcomes, so that agents differ
        for i in range(60):
            settle_some(connection, random.Random(i), 1)
            rows(
                connection,
                "select * from dealwright.assign_lead(%s)",
                lead_json({"destination": "Mars", "lead_source": "Organic"}),
            )

    jobs = [(f"lead {i}", POLICIES[i % 5]) for i in range(LEADS)]
    jobs = list(
        itertools.chain.from_iterable([job, job] if i < TWICE else [job] for i, job in enumerate(jobs))
    )
    following = itertools.count()
    answers: list[tuple[str, Row]] = []

    def work(connection: Connection[Any], number: int) -> None:
        rng = random.Random(number)
        while (turn := next(following)) < len(jobs):
            key, policy = jobs[turn]
            answer = rows(connection, ASSIGN[number % 2], draw_lead(random.Random(key), key), policy)[0]
            answers.append((key, answer))
            if rng.random() < 0.96:  # a little less than comes in: the desk is full most of the time
                settle_some(connection, rng, 1)

    in_parallel(database, work)
    with database.connect(autocommit=True) as connection:
        assert {
            status for (status,) in connection.execute("select distinct status from dealwright.lead")
        } <= {
            "assigned",
            "waiting",
        }
        check_desk(connection, model)
        check_nobody_waited_in_vain(connection)
        check_answers(connection, answers)

    def drain(connection: Connection[Any], number: int) -> None:
        rng = random.Random(number)
        while value(connection, "select count(*) from dealwright.lead where status = 'waiting'"):
            settle_some(connection, rng, 5)

    in_parallel(database, drain)
    with database.connect(autocommit=True) as connection:
        tables = check_desk(connection, model)
        assert len(tables["assignment"]) == LEADS + 60
        assert len({row["lead_id"] for row in tables["assignment"]}) == LEADS + 60
        decisions = rows(connection, "select assignment_id, policy, from_queue from dealwright.decision")
        for row in random.Random(4).sample(decisions, 120):
            again = value(connection, "select dealwright.replay(%s)", row["assignment_id"])
            assert again["agrees"], again
    database.close()


def settle_one(connection: Connection[Any], rng: random.Random, booking: int) -> None:
    won = rng.random() < 0.6
    rows(
        connection,
        rng.choice(SETTLE),
        booking,
        "confirmed" if won else "cancelled",
        rng.randrange(1000, 5000) if won else None,
        rng.randrange(200) if won else None,
    )


def settle_some(connection: Connection[Any], rng: random.Random, count: int) -> None:
    """Settle open bookings of some agent."""
    for row in rows(
        connection,
        "select b.booking_id from dealwright.assignment as a join dealwright.booking as b using "
        "(assignment_id) "
        "where a.agent_id = %s and a.status = 'open' limit %s",
        rng.randint(1, 40),
        count,
    ):
        settle_one(connection, rng, row["booking_id"])


def check_answers(connection: Connection[Any], answers: list[tuple[str, Row]]) -> None:
    """Each key has one lead, and everybody who sent it got that one, with the agent it went to."""
    assert len(answers) == LEADS + TWICE
    leads = {
        row["idempotency_key"]: row
        for row in rows(
            connection,
            "select l.idempotency_key, l.lead_id, a.assignment_id, d.agent_id from dealwright.lead as l "
            "left join dealwright.assignment as a using (lead_id) "
            "left join dealwright.decision as d using (assignment_id) where l.idempotency_key is not null",
        )
    }
    assert len(leads) == LEADS
    for key, answer in answers:
        assert answer["lead_id"] == leads[key]["lead_id"]
        if answer["status"] == "assigned":
            assert (answer["assignment_id"], answer["agent_id"]) == (
                leads[key]["assignment_id"],
                leads[key]["agent_id"],
            )


def check_nobody_waited_in_vain(connection: Connection[Any]) -> None:
    """Play the events in the order of the commits: whoever was let wait found every able agent full."""
    skilled = {
        row["agent_id"]: set(row["skills"])
        for row in rows(connection, "select agent_id, skills from dealwright.agent")
    }
    events = rows(
        connection,
        "select e.*, l.required_skills, pg_xact_commit_timestamp(e.xid::xid) as committed from "
        "dealwright.event as e "
        "left join dealwright.lead as l using (lead_id) order by committed, e.xid, e.position",
    )
    state: dict[int, tuple[int, int]] = {}
    waited = 0
    for event in events:
        if event["open"] is not None:
            state[event["agent_id"]] = (event["open"], event["capacity"])
        elif event["kind"] == "waiting":
            waited += 1
            needs = set(event["required_skills"] or ())
            free = [i for i, (taken, most) in state.items() if taken < most and needs <= skilled[i]]
            assert not free, f"lead {event['lead_id']} was let wait while {free} had room"
    assert waited > 100, "too few leads had to wait for this to prove anything"


def test_a_fixed_order_is_kept_as_if_leads_came_one_by_one(durable: Server) -> None:
    database = new_desk(durable, "in_order")
    agents: dict[int, list[float]] = {}
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for i in range(12):
            years, rating = float(i % 3), 3.0 + (i % 2)
            agents[
                add_agent(
                    connection, f"agent {i}", capacity=5 * (i + 1), years_of_service=years, rating=rating
                )
            ] = [
                0,
                -years,
                -rating,
                5 * (i + 1),
            ]

    def work(connection: Connection[Any], number: int) -> None:
        for i in range(30):
            rows(connection, ASSIGN[number % 2], draw_lead(random.Random(i), f"{number} {i}"), "workload")

    with database.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set skills = '{luxury}'")
    in_parallel(database, work)
    with database.connect(autocommit=True) as connection:
        check_desk(connection)
        given = rows(
            connection, "select agent_id from dealwright.event where kind = 'assigned' order by position"
        )
        waiting = value(connection, "select count(*) from dealwright.lead where status = 'waiting'")
    assert len(given) == sum(capacity for *_, capacity in agents.values()) == 390
    assert waiting == 16 * 30 - 390
    for row in given:
        room = {i: key for i, key in agents.items() if key[0] < key[3]}
        best = min(room, key=lambda i: (*room[i][:3], i))
        assert row["agent_id"] == best
        agents[best][0] += 1
    database.close()


CLIENT = textwrap.dedent(
    """
    import os, sys, time
    import psycopg
    from psycopg.rows import dict_row
    from psycopg.types.json import Jsonb

    url, name, path, assign, settle = sys.argv[1:]
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    connection, i = None, 0
    while True:
        lead = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Bought"},
                "idempotency_key": f"{name} {i}"}
        try:
            if connection is None:
                connection = psycopg.connect(url, autocommit=True, connect_timeout=5, row_factory=dict_row)
            answer = connection.execute(assign, [Jsonb(lead), None]).fetchone()
        except psycopg.OperationalError:
            connection = None
            time.sleep(0.05)
            continue
        os.write(log, f"{name} {i}\\t{answer['lead_id']}\\n".encode())
        i += 1
        try:
            if answer["booking_id"] is not None and i % 10:
                connection.execute(settle, [answer["booking_id"], "confirmed", 10_001, None])
        except psycopg.OperationalError:
            connection = None
    """
)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_whatever_dies_an_acknowledged_lead_is_there_exactly_once(durable: Server, tmp_path: Path) -> None:
    database = new_desk(durable, "mortal")
    url, home = database.url, durable.home
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for i in range(10):
            add_agent(connection, f"agent {i}", capacity=3)
        model: MatchModel = random_model(np.random.default_rng(1))
        load_model(connection, model)

    def acknowledged() -> dict[str, int]:
        lines = [line for path in tmp_path.glob("*.log") for line in path.read_text().splitlines()]
        return {key: int(lead) for key, lead in (line.split("\t") for line in lines)}

    def progress(wanted: int) -> None:
        aim, deadline = len(acknowledged()) + wanted, time.monotonic() + 60
        while len(acknowledged()) < aim:
            assert time.monotonic() < deadline, "the clients stand still"
            time.sleep(0.02)

    clients = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                CLIENT,
                url,
                f"client{n}",
                str(tmp_path / f"{n}.log"),
                ASSIGN[n % 2],
                SETTLE[n % 2],
            ]
        )
        for n in range(6)
    ]
    try:
        progress(200)
        clients[0].send_signal(signal.SIGKILL)  # a client in the middle of its work
        progress(50)
        clients[1].send_signal(signal.SIGKILL)
        with psycopg.connect(url, autocommit=True) as connection:
            (backend,) = connection.execute(
                "select pid from pg_stat_activity where datname = 'mortal' and pid <> pg_backend_pid() "
                "limit 1"
            ).fetchone()  # type: ignore[misc]
        os.kill(backend, signal.SIGKILL)  # a process of the server: it throws all clients out and recovers
        progress(200)
        server = find_server(home)
        assert server is not None
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        for process in family:  # the whole server at once, as in a power cut
            with contextlib.suppress(psutil.NoSuchProcess):  # a worker that has just ended by itself
                process.kill()
        psutil.wait_procs(family, timeout=10)
        start_server(home, options={"track_commit_timestamp": "on"})
        progress(200)
    finally:
        for client in clients:
            client.kill()
            client.wait()

    sent = acknowledged()
    assert len(sent) >= 650
    with Database(url).connect(autocommit=True) as connection:
        tables = check_desk(connection, model)
        leads = {lead["idempotency_key"]: lead for lead in tables["lead"]}
        assert len(leads) == len(tables["lead"])
        for key, lead_id in sent.items():
            assert leads[key]["lead_id"] == lead_id
            assert leads[key]["status"] in ("assigned", "waiting")
        # what was not acknowledged is at most the last lead of each client
        assert len(leads) - len(sent) <= len(clients)
    database.close()
