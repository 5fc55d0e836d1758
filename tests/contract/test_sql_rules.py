"""What a placement goes by follows the policies and the promoted models, whoever changes them and when."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from psycopg import Connection

from dealwright.desk.database import Database

DERIVED = """
select w.wanted, p.name,
       case when p.name in ('fair', 'value')
           then p.params || '{"share": "available"}' else p.params end as params,
       coalesce((p.params ->> 'seed')::bigint, 1) as seed,
       coalesce((p.params ->> 'sharpness')::float8, 20) as sharpness,
       p.name = 'value' and coalesce(p.params ->> 'objective', 'revenue') = 'revenue'
           and coalesce((p.params ->> 'fairness')::float8, 0) = 0 as by_worth,
       (select m.model_id from dealwright.model as m
        where m.promoted and (m.kind = 'classic') = (p.name = 'classic')) as model_id,
       (select coalesce((f.params ->> 'window_start')::timestamptz, '-infinity')::text
        from dealwright.policy as f where f.name = 'fair') as fair_window_start
from dealwright.policy as p
cross join lateral (
    select p.name as wanted union all select ''
    where p.is_default
       or p.name = 'value' and not exists (select from dealwright.policy as d where d.is_default)
) as w
order by w.wanted
"""
KEPT = (
    "select wanted, name, params, seed, sharpness, by_worth, model_id, fair_window_start::text "
    "from dealwright_engine.rule order by wanted"
)
CHANGES = [
    "select dealwright.set_default_policy('value', '{\"seed\": 7, \"sharpness\": 3}')",
    "select dealwright.set_default_policy('fair', '{\"window_start\": \"2026-03-01T00:00:00Z\"}')",
    "update dealwright.policy set params = '{\"fairness\": 0.5}' where name = 'value'",
    "update dealwright.policy set params = '{\"objective\": \"booking\"}' where name = 'value'",
    "select dealwright.set_default_policy('workload')",
    "update dealwright.policy set is_default = false",
]


def as_derived(connection: Connection[Any]) -> list[dict[str, Any]]:
    derived = rows(connection, DERIVED)
    assert rows(connection, KEPT) == derived
    return derived


def test_the_rules_follow_every_change(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        seen = [as_derived(connection)]
        load_classic(connection)
        seen.append(as_derived(connection))
        load_model(connection, random_model(np.random.default_rng(1)))
        seen.append(as_derived(connection))
        for change in CHANGES:
            rows(connection, change)
            seen.append(as_derived(connection))
        assert all(a != b for a, b in pairwise(seen))  # each change was one
        with pytest.raises(psycopg.Error, match="sharpness must be a number"):
            rows(connection, "select dealwright.set_default_policy('value', '{\"sharpness\": 0}')")
        assert as_derived(connection) == seen[-1]


def test_a_placement_goes_by_the_policy_as_it_is_now(database: Database) -> None:
    attributes = {"destination": "Mars", "lead_source": "Organic"}
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "Ada")
        assert assign(connection, attributes)["policy"] == "value"
        rows(connection, "select dealwright.set_default_policy('workload')")
        assert assign(connection, attributes)["policy"] == "workload"
        model = load_model(connection, random_model(np.random.default_rng(2)))
        rows(connection, "select dealwright.set_default_policy('value')")
        assert assign(connection, attributes)["model_id"] == model


def test_of_two_changes_at_the_same_time_none_is_lost(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        first = load_model(connection, random_model(np.random.default_rng(3)))
        second = load_model(connection, random_model(np.random.default_rng(4)))

        def promote() -> None:
            with database.connect(autocommit=True) as other:
                rows(other, "select dealwright.promote_model(%s)", first)

        with connection.transaction():
            rows(connection, "update dealwright.policy set params = '{\"seed\": 99}' where name = 'value'")
            promotion = threading.Thread(target=promote)
            promotion.start()
            promotion.join(0.5)
            assert promotion.is_alive()  # it waits, or the two would not have met
        promotion.join(30)
        kept = {row["wanted"]: row for row in as_derived(connection)}
        assert (kept["value"]["seed"], kept["value"]["model_id"]) == (99, first)
        assert value(connection, "select promoted from dealwright.model where model_id = %s", second) is False
