"""A desk is upgraded while sixty-four clients work at it: nobody sees an error, nobody waits for long."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from editions import Edition
from engine import (
    DIMENSIONS,
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
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.errors import ConflictError
from dealwright.learn import MatchModel

pytestmark = pytest.mark.slow

CLIENTS = 64
POLICIES = ("value", "value", "workload", "fair", "classic")
MIGRATE = """
import sys
from pathlib import Path
from dealwright.desk.database import Database
from dealwright.desk.migrations import migrate
with Database(sys.argv[1]).connect() as connection:
    print(migrate(connection, Path(sys.argv[2])).summary())
"""
Work = Callable[[random.Random], None]


@dataclass
class Log:
    """When each call of the clients began and ended, and what went wrong."""

    calls: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def longest_silence(self) -> float:
        """Return the longest time in which nobody got an answer."""
        ended = sorted(end for _, end in [*self.calls])
        return max(later - earlier for earlier, later in pairwise(ended))


def attributes(rng: random.Random) -> dict[str, str]:
    return {dimension.name: rng.choice(dimension.values) for dimension in DIMENSIONS}


def by_command(connection: Connection[Any]) -> Work:
    def work(rng: random.Random) -> None:
        lead = lead_json(attributes(rng))
        row = rows(connection, "call dealwright.assign(%s, %s)", lead, rng.choice(POLICIES))[0]
        if row["booking_id"] is not None:
            settle = "call dealwright.settle(%s, %s, 100.5, 10)"
            rows(connection, settle, row["booking_id"], rng.choice(("confirmed", "cancelled")))

    return work


def by_function(connection: Connection[Any]) -> Work:
    def work(rng: random.Random) -> None:
        with connection.transaction():
            place = "select * from dealwright.assign_lead(%s, %s)"
            row = rows(connection, place, lead_json(attributes(rng)), rng.choice(POLICIES))[0]
            if row["booking_id"] is not None:
                rows(
                    connection, "select * from dealwright.settle_booking(%s, 'cancelled')", row["booking_id"]
                )

    return work


def by_insert(connection: Connection[Any]) -> Work:
    def work(rng: random.Random) -> None:
        lead_id = value(
            connection,
            "insert into dealwright.lead (customer_name, attributes) values ('Kate', %s) returning lead_id",
            Jsonb(attributes(rng)),
        )
        rows(
            connection,
            "update dealwright.booking set status = 'confirmed', base_revenue = 10 where assignment_id = "
            "(select assignment_id from dealwright.assignment where lead_id = %s)",
            lead_id,
        )

    return work


def by_reading(connection: Connection[Any]) -> Work:
    def work(rng: random.Random) -> None:
        rows(
            connection,
            "select * from dealwright.rank_agents(%s, %s, 5)",
            lead_json(attributes(rng)),
            rng.choice(POLICIES),
        )
        rows(connection, "select * from dealwright.waiting_lead limit 3")
        found = rows(
            connection, "select assignment_id from dealwright.decision order by decision_id desc limit 1"
        )
        for row in found:
            rows(connection, "select dealwright.explain(%s)", row["assignment_id"])

    return work


def by_desk(desk: Desk) -> Work:
    def work(rng: random.Random) -> None:
        desk.rank({"customer_name": "Kate", "attributes": attributes(rng)}, k=3)
        placed = desk.assign({"customer_name": "Kate", "attributes": attributes(rng)}, rng.choice(POLICIES))
        if placed.to_dict()["booking_id"] is None:
            return
        with suppress(ConflictError):  # nobody else has room
            desk.reassign(placed.to_dict()["assignment_id"], "holiday")
        desk.settle(placed.to_dict()["booking_id"], "confirmed", base_revenue=20)

    return work


class Clients:
    """Sixty-four clients at work until the block ends."""

    def __init__(self, database: Database) -> None:
        self.log = Log()
        self._done = threading.Event()
        self._stack = ExitStack()
        desks = [self._stack.enter_context(Desk(Database(database.url))) for _ in range(2)]
        kinds = (by_command, by_function, by_insert, by_reading)
        self._works = [by_desk(desks[i % 2]) for i in range(CLIENTS // 4)]
        for number in range(CLIENTS - len(self._works)):
            connection = self._stack.enter_context(database.connect(autocommit=True))
            self._works.append(kinds[number % len(kinds)](connection))

    def __enter__(self) -> Clients:
        self._pool = self._stack.enter_context(ThreadPoolExecutor(CLIENTS))
        self._futures = [self._pool.submit(self._work, *item) for item in enumerate(self._works)]
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for future in self._futures:
            future.result()
        self._stack.close()

    def _work(self, number: int, work: Work) -> None:
        rng = random.Random(number)
        while not self._done.wait(rng.uniform(0, 0.3)):
            begin = time.monotonic()
            try:
                work(rng)
            except Exception as error:  # noqa: BLE001 - whatever it is, no client may see it
                self.log.errors.append(f"{type(error).__name__}: {error}")
            else:
                self.log.calls.append((begin, time.monotonic()))


@pytest.fixture
def busy_desk(database: Database) -> Database:
    """Return a desk with agents and models, some of whom soon have no room."""
    rng = np.random.default_rng(5)
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for number in range(20):
            add_agent(
                connection,
                f"Agent {number}",
                capacity=4 if number % 2 else 200,
                rating=float(rng.uniform(2, 5)),
            )
        load_classic(connection)
        load_model(connection, random_model(rng))
    return database


def upgrade_at_once(database: Database, edition: Edition, processes: int = 2) -> list[str]:
    """Let several processes of the new version start at the same moment; return what each said."""
    command = [sys.executable, "-c", MIGRATE, database.url, str(edition.root)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    said = []
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        said.append(out.strip())
    return said


COLOUR = "alter table dealwright.lead add column colour text;"


@pytest.mark.alone
def test_nobody_notices_an_upgrade(busy_desk: Database, tmp_path: Path) -> None:
    """Every routine of the engine gets another name, then a table another column, then all names return."""
    renamed, migrated, returned = (Edition(tmp_path / name) for name in ("renamed", "migrated", "returned"))
    renamed.rename_engine("_2")
    migrated.rename_engine("_3")
    for edition in (migrated, returned):
        added = edition.add_migration("colour", COLOUR)
        edition.edit(
            "schema/02_people_and_leads.sql", "    priority integer", "    colour text,\n    priority integer"
        )
    after = int(added[:4])
    with Clients(busy_desk) as clients:
        time.sleep(2)
        usual = clients.log.longest_silence()  # of a machine that is slow, or busy with something else
        for edition, said in (
            (renamed, f"schema {after - 1}: functions replaced"),
            (migrated, f"migrated from schema {after - 1} to {after} ({added})"),
            (returned, f"schema {after}: functions replaced"),
        ):
            assert upgrade_at_once(busy_desk, edition).count(said) == 1
            time.sleep(0.5)
    assert sorted({error[:500] for error in clients.log.errors}) == []
    assert len(clients.log.calls) > 100
    assert clients.log.longest_silence() < max(1.0, 10 * usual)
    # what no call could be in the middle of is gone already, on a slow machine with the next start
    upgrade_at_once(busy_desk, returned)
    with busy_desk.connect(autocommit=True) as connection:
        model = value(connection, "select parameters from dealwright.model where promoted and kind = 'value'")
        check_desk(connection, MatchModel.from_dict(model), queue=False)
        left = "select count(*) from pg_proc where proname ~ '_[23]$' and pronamespace = %s::regnamespace"
        assert value(connection, left, "dealwright_engine") == 0
        assert value(connection, "select retired from dealwright.schema_functions") == []
