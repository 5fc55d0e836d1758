"""Whatever a session's search path: plain SQL and the functions do the same, to the desk's own tables."""

from __future__ import annotations

import json

import numpy as np
import pytest
from engine import add_agent, assign, declare, load_model, random_model, rows, value
from ledger import check_desk
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database

ATTRIBUTES = {"destination": "Mars", "lead_source": "Organic"}
RETURNING = {"customer_name": "Ida", "customer_id": "C", "attributes": ATTRIBUTES}
LEAD = {"customer_name": "Ida", "attributes": ATTRIBUTES}
STATEMENTS = [
    "update dealwright.booking set status = 'confirmed', base_revenue = 900 where booking_id = 1",
    "update dealwright.booking set status = 'pending' where booking_id = 1",
    "select * from dealwright.settle_booking(2, 'confirmed', 700, 20)",
    "select * from dealwright.settle_booking(3, 'cancelled')",
    "delete from dealwright.booking where booking_id = 3",
    "select * from dealwright.reassign(1, 'ill')",
    "select * from dealwright.decline(6, 'no')",
    "select dealwright.contact(4)",
    "select dealwright.deactivate_agent(4, true)",
    "select dealwright.activate_agent(4)",
    "update dealwright.policy set params = params || '{\"respond_within_min\": 9}'",
    f"select * from dealwright.assign_lead('{json.dumps(RETURNING)}')",
    "update dealwright_engine.response_due set due_at = now()",
    "select dealwright.return_unanswered()",
    "select * from dealwright.duplicates_of(1)",
    "select * from dealwright.holders_of(1)",
    "update dealwright.assignment set agent_id = 3 where assignment_id = 4",
    "delete from dealwright.assignment where assignment_id = 5",
    "update dealwright.agent set rating = 4.5, capacity = 9, skills = '{french}' where agent_id = 1",
    "insert into dealwright.agent (name, rating) values ('Eve', 4)",
    "update dealwright.agent set active = false where agent_id = 2",
    "update dealwright.lead set status = 'withdrawn' where lead_id = 2",
    'update dealwright.lead set attributes = attributes || \'{"destination": "Venus"}\' where lead_id = 4',
    'select * from dealwright.rank_agents(\'{"attributes": {"destination": "Mars"}}\')',
    "select * from dealwright.rank_agents('{}', 'fair')",
    "select dealwright.explain(4)",
    "select dealwright.replay(4)",
    "select dealwright_engine.lapse_overdue(now(), interval '1 hour')",
    "select dealwright.set_default_policy('workload')",
    "select dealwright.set_default_policy('value', '{\"seed\": 3}')",
    "update dealwright.policy set params = '{\"window_start\": \"2026-01-01\"}' where name = 'fair'",
    "select dealwright.declare_dimension('destination', array['Pluto'])",
    "select dealwright.declare_dimension('channel', '{web}', is_open => true, required => false)",
    "select dealwright.declare_dimension('size', '{small,large}', false, false, false, '{10}')",
    'update dealwright.lead set attributes = attributes || \'{"channel": "podcast", "size": 12}\'',
    'select * from dealwright.rank_agents(\'{"attributes": {"channel": "radio", "size": "3"}}\')',
    "select dealwright.declare_dimension('size', '{tiny,huge}', edges => '{3}')",
    "select dealwright.declare_open_values()",
    "update dealwright_engine.setting set follow_up_days = 0",
    "select dealwright.lapse_follow_ups()",
    "select dealwright.promote_model(1)",
    "select * from dealwright.verify_decisions()",
    "select dealwright.rebuild_statistics()",
    "update dealwright.agent set capacity = 99 where active",
    f"select * from dealwright.assign_many(array_fill('{json.dumps(LEAD)}'::jsonb, array[20]), 'value')",
]


@pytest.mark.parametrize("path", ["''", "elsewhere", "elsewhere, public"])
def test_every_statement_works_under_any_search_path(database: Database, path: str) -> None:
    rng = np.random.default_rng(4)
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for agent in ("Ada", "Ben", "Cleo", "Dan"):
            add_agent(connection, agent, capacity=5)
        model = random_model(rng)
        rows(connection, "create schema elsewhere")
        for table in ("agent", "lead", "assignment", "booking", "agent_stat", "policy"):
            rows(connection, f"create table elsewhere.{table} (nothing boolean)")
        rows(connection, f"set search_path = {path}")
        load_model(connection, model)
        for _ in range(3):
            rows(
                connection,
                "insert into dealwright.lead (customer_name, attributes) values ('Kate', %s)",
                Jsonb(ATTRIBUTES),
            )
            assert assign(connection, ATTRIBUTES)["status"] == "assigned"
        assert value(connection, "select count(*) from dealwright.assignment") == 6
        for statement in STATEMENTS:
            rows(connection, statement)
            check_desk(connection, model)
