"""The desk behind pgbouncer in transaction mode, where every transaction may have another connection."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psycopg
import pytest
from engine import DIMENSIONS, add_agent, declare, value
from histories import random_history
from ledger import check_desk
from pooler import pooler

from dealwright.desk.database import Database, redact
from dealwright.desk.desk import Desk
from dealwright.errors import DatabaseError
from dealwright.learn import MatchModel

SOMEBODY = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}


@pytest.fixture
def through(empty_database: Database, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty database behind a pooler with two connections."""
    with pooler(empty_database.url, tmp_path) as url:
        yield url


def test_a_desk_is_built_filled_trained_and_worked_at(through: str, empty_database: Database) -> None:
    with Desk.open(f"{through}?prepare=off") as desk:
        assert desk.migration is not None
        assert desk.migration.before == 0
        desk.load(random_history(np.random.default_rng(1), DIMENSIONS, assignments=200))
        desk.train(promote=True)
        with empty_database.connect(autocommit=True) as connection:
            connection.execute("update dealwright.agent set capacity = 500")

        def work(number: int) -> str:
            # more often than psycopg would wait before it prepares a statement
            for _ in range(8):
                placed = desk.assign({**SOMEBODY, "idempotency_key": None}).to_dict()
                desk.settle(placed["booking_id"], "confirmed", base_revenue=100)
                assert desk.rank(SOMEBODY, k=2).to_dict()["ranking"]
            return str(placed["status"])

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(work, range(8))) == {"assigned"}
        assert desk.replay(placed_last(desk)).to_dict()["agrees"]
    with empty_database.connect(autocommit=True) as connection:
        found = value(connection, "select parameters from dealwright.model where promoted")
        check_desk(connection, MatchModel.from_dict(found))


def placed_last(desk: Desk) -> int:
    with desk.database.connection() as connection:
        return int(value(connection, "select max(assignment_id) from dealwright.decision"))


def test_times_are_in_utc_whatever_others_set(through: str) -> None:
    with (
        Database(f"{through}?prepare=off") as database,
        psycopg.connect(through, prepare_threshold=None, autocommit=True) as other,
    ):
        for _ in range(20):
            other.execute("set time zone 'Asia/Kathmandu'")
            with database.connection() as connection:
                assert value(connection, "show timezone") == "UTC"
            assert value(other, "show timezone") == "Asia/Kathmandu"


def test_prepared_statements_are_said_to_be_the_trouble(through: str) -> None:
    with Desk.open(f"{through}?prepare=off") as desk, desk.database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "Ada", capacity=1000)
    with Desk.open(through) as desk, ThreadPoolExecutor(8) as threads:
        found = [threads.submit(desk.rank, SOMEBODY) for _ in range(400)]
        failures = [future.exception() for future in found if future.exception() is not None]
    if not failures:
        pytest.skip("this pgbouncer follows prepared statements")
    for failure in failures:
        assert isinstance(failure, DatabaseError)
        assert "prepare=off" in str(failure)


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("postgresql://u@h/d?prepare=off", "postgresql://u@h/d"),
        ("postgresql://u@h/d?prepare=off&sslmode=require", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://u@h/d?sslmode=require&prepare=off", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://u@h/d?a=1&prepare=off&b=2", "postgresql://u@h/d?a=1&b=2"),
        ("host=h dbname=d prepare=off user=u", "host=h dbname=d user=u"),
        ("prepare = off host=h", "host=h"),
    ],
)
def test_prepare_is_taken_out_of_the_address(url: str, rest: str) -> None:
    database = Database(url)
    assert (database.url, database.prepares) == (rest, False)
    assert "prepare" not in redact(url)


def test_prepare_is_on_unless_it_says_off() -> None:
    assert Database("postgresql://u@h/d").prepares
    assert Database("postgresql://u@h/d?prepare=on").prepares
    with pytest.raises(DatabaseError, match=r"prepare=0: write prepare=off behind a pooler") as refused:
        Database("postgresql://u:geheim@h/d?prepare=0")
    assert "geheim" not in str(refused.value)
