"""Who is kept waiting for more than two seconds says for whom, and nothing of the customers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
import pytest
from command_line import Command, dealwright
from engine import DIMENSIONS, add_agent, declare, load_model, random_model
from histories import random_history

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk

__all__ = ["dealwright"]

SOMEBODY = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}


@pytest.fixture
def desk(database: Database) -> Iterator[tuple[Desk, list[str]]]:
    """Return a desk with two agents and a model, and what it has said of waiting."""
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for name in ("Ada", "Ben"):
            add_agent(connection, name)
        load_model(connection, random_model(np.random.default_rng(1)))
    told: list[str] = []
    with Desk.open(database.url, tell=told.append) as opened:
        yield opened, told


@contextmanager
def open_transaction(database: Database, seconds: float) -> Iterator[int]:
    """Change the agents in a transaction that stays open for a while."""
    with psycopg.connect(database.url, application_name="month end") as connection:
        connection.execute("update dealwright.agent set job_title = 'Kate Nguyen' where name <> ''")
        end = threading.Timer(seconds, connection.rollback)
        end.start()
        yield connection.info.backend_pid
        end.join()


def _place(desk: Desk) -> object:
    return desk.assign(SOMEBODY)


def _import(desk: Desk) -> object:
    return desk.load(random_history(np.random.default_rng(2), DIMENSIONS, assignments=20))


def _promote(desk: Desk) -> object:
    return desk.promote(1)


@pytest.mark.parametrize("work", [_place, _import, _promote])
def test_who_waits_says_for_whom(
    work: Callable[[Desk], object], desk: tuple[Desk, list[str]], database: Database
) -> None:
    opened, told = desk
    with open_transaction(database, 4.5) as pid:
        begun = time.monotonic()
        work(opened)
        assert time.monotonic() - begun > 2
    assert len(told) == 1
    assert told[0].startswith(
        f"waiting for process {pid} (month end, user postgres, in a transaction since 2"
    )
    assert told[0].endswith("UTC, idle in transaction, last statement: UPDATE)")
    assert "Kate" not in told[0]


def test_a_desk_that_works_again_after_its_end_says_so_too(
    desk: tuple[Desk, list[str]], database: Database
) -> None:
    opened, told = desk
    opened.assign(SOMEBODY)
    opened.close()
    with open_transaction(database, 4.5) as pid:
        opened.assign(SOMEBODY)
    assert len(told) == 1
    assert told[0].startswith(f"waiting for process {pid} (")


def test_a_short_wait_is_not_worth_a_word(desk: tuple[Desk, list[str]], database: Database) -> None:
    opened, told = desk
    with open_transaction(database, 1.0):
        opened.assign(SOMEBODY)
    time.sleep(1.5)
    assert told == []


def test_it_goes_to_the_log_where_nobody_asked(
    database: Database, desk: tuple[Desk, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "dealwright"),
        open_transaction(database, 4.5) as pid,
        Desk.open(database.url) as other,
    ):
        other.assign(SOMEBODY)
    assert f"waiting for process {pid} (month end" in caplog.text


def test_a_command_says_it_on_stderr(
    database: Database, desk: tuple[Desk, list[str]], dealwright: Command
) -> None:
    with open_transaction(database, 8) as pid:
        answer = dealwright(
            "assign",
            "--customer",
            "Kate",
            "--set",
            "destination=Mars",
            "--set",
            "lead_source=Organic",
            "--json",
        )
    assert answer.json["status"] == "assigned"
    assert answer.err.startswith(f"dealwright: waiting for process {pid} (month end, user postgres")
