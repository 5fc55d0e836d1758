"""A role with every right on the tables fires statements at random: the recount holds after each.

``DEALWRIGHT_INTRUDER_STATEMENTS=100000`` fires as many, ``DEALWRIGHT_INTRUDER_SEED`` others.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import add_agent, declare, load_classic, load_model, random_model, rows, value
from intruder import Intruder
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database

STATEMENTS = int(os.environ.get("DEALWRIGHT_INTRUDER_STATEMENTS", "400"))
SEED = int(os.environ.get("DEALWRIGHT_INTRUDER_SEED", "1"))
LEADS_AT_MOST = 80
DIFFERENCES = """
with kept as (
    select agent_id, assigned, known, confirmed, expected_ppm, revenue_cents, base_cents, package_cents,
           base_expected_cents, package_expected_cents
    from dealwright.agent_stat
), days as (
    select day, agent_id, confirmed from dealwright_engine.agent_day where confirmed <> 0
), agents as (
    select agent_id, open, fair_count from dealwright.agent
)
select (select count(*) from (table kept except all table dealwright_engine.recounted_stat) as a)
     + (select count(*) from (table dealwright_engine.recounted_stat except all table kept) as a)
     + (select count(*) from (table days except all table dealwright_engine.recounted_day) as a)
     + (select count(*) from (table dealwright_engine.recounted_day except all table days) as a)
     + (select count(*) from (table agents except all table dealwright_engine.recounted_agent) as a)
     + (select count(*) from (table dealwright_engine.recounted_agent except all table agents) as a)
"""


@pytest.fixture
def intruder(database: Database) -> Iterator[Connection[Any]]:
    """Return a connection of a role that may write every table and call every function."""
    with database.connect(autocommit=True) as owner:
        name = "intruder"
        rows(
            owner,
            "do $$ begin create role intruder login; exception when duplicate_object then null; end $$",
        )
        rows(owner, f"grant usage on schema dealwright to {name}")
        rows(
            owner,
            f"grant select, insert, update, delete, truncate on all tables in schema dealwright to {name}",
        )
        rows(owner, f"grant usage, select, update on all sequences in schema dealwright to {name}")
        rows(owner, f"grant execute on all routines in schema dealwright to {name}")
    with psycopg.connect(database.url, user="intruder", autocommit=True) as connection:
        rows(connection, "set statement_timeout = '20s'")
        yield connection


@pytest.mark.timeout(max(600, STATEMENTS / 10))
def test_the_recount_holds_after_every_statement(database: Database, intruder: Connection[Any]) -> None:
    model = random_model(np.random.default_rng(SEED))
    outcomes: Counter[str] = Counter()
    with database.connect(autocommit=True) as owner:
        declare(owner)
        load_classic(owner)
        load_model(owner, model)
        for i in range(5):
            add_agent(owner, f"agent {i}", capacity=3 + i, rating=float(i))
        draws = Intruder(owner, SEED)
        for count in range(1, STATEMENTS + 1):
            statement = draws.statement()
            outcomes[_fire(intruder, statement)] += 1
            assert value(owner, DIFFERENCES) == 0, (count, statement)
            if count % 10 == 0:
                draws.look(owner)
            if count % 100 == 0:
                since = value(owner, "select coalesce(max(position), 0) from dealwright.event")
                check_desk(owner, model, since=since)
                _keep_small(owner)
            if count % 10_000 == 0 or count == STATEMENTS:
                sys.stdout.write(f"\n{count:,} statements: {dict(outcomes.most_common())}" + "\n")
    assert outcomes["done"] > STATEMENTS / 10
    assert outcomes["DW001"] > STATEMENTS / 20


def _fire(intruder: Connection[Any], statement: str) -> str:
    """Run a statement; return done, or the code of an error that is no crash."""
    try:
        rows(intruder, statement)
    except psycopg.Error as error:
        intruder.rollback()  # of several in one transaction
        code = error.sqlstate or "XX"
        if code.startswith(("XX", "57", "08")):
            raise
        return code
    return "done"


def _keep_small(owner: Connection[Any]) -> None:
    rows(
        owner,
        "delete from dealwright.lead where lead_id in "
        "(select lead_id from dealwright.lead order by lead_id desc offset %s)",
        LEADS_AT_MOST,
    )
    rows(
        owner,
        "delete from dealwright.agent as a where a.agent_id in "
        "(select agent_id from dealwright.agent order by agent_id offset 12) "
        "and not exists (select from dealwright.assignment as s where s.agent_id = a.agent_id)",
    )
