"""What the SQL interface refuses, it refuses with a code, a cause and a fix, and nothing has changed."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from engine import add_agent, assign, declare, rows, value
from ledger import check_desk
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database

LEAD = {"destination": "Mars", "lead_source": "Organic"}
ENQUIRY = (
    '{"customer_name": "K", "external_id": "E", '
    '"attributes": {"destination": "Mars", "lead_source": "Organic"}}'
)
REFUSALS = [
    ("DW001", f"select * from dealwright.assign_lead('{ENQUIRY}')"),
    ("DW001", "update dealwright.lead set status = 'waiting' where lead_id = 1"),
    ("DW001", "update dealwright.lead set status = 'new' where lead_id = 1"),
    ("DW001", "update dealwright.lead set status = 'assigned' where lead_id = 3"),
    ("DW001", "update dealwright.assignment set agent_id = 2 where assignment_id = 1"),
    ("DW001", "select dealwright.reassign(1, 'nobody has room')"),
    ("DW002", "update dealwright.assignment set status = 'reassigned' where assignment_id = 1"),
    ("DW002", "update dealwright.assignment set lead_id = 3 where assignment_id = 1"),
    ("DW002", 'update dealwright.lead set attributes = \'{"destination": "Nowhere"}\' where lead_id = 1'),
    ("DW002", "insert into dealwright.lead (customer_name, status) values ('K', 'waiting')"),
    ("DW002", "insert into dealwright.lead (customer_name) values ('K')"),
    ("DW002", "insert into dealwright.lead (customer_name, attributes) values ('K', '[]')"),
    ("DW002", "select * from dealwright.rank_agents('{}', 'value', 0)"),
    ("DW002", "select * from dealwright.rank_agents('{}', 'best')"),
    ("DW002", 'select * from dealwright.rank_agents(\'{"skills": "luxury"}\')'),
    ("DW002", 'select * from dealwright.assign_lead(\'{"customer_name": ""}\')'),
    ("DW002", 'select * from dealwright.assign_lead(\'{"customer_name": "K", "colour": 1}\')'),
    ("DW002", "select * from dealwright.rank_agents('{}', 'classic')"),
    ("DW002", "select * from dealwright.settle_booking(1, 'won')"),
    ("DW002", "select * from dealwright.settle_booking(1, null)"),
    ("DW002", "select * from dealwright.settle_booking(1, 'confirmed', -1)"),
    ("DW002", "select * from dealwright.settle_booking(1, 'confirmed', 'NaN')"),
    ("DW002", "update dealwright.booking set base_revenue = 'NaN'"),
    ("DW002", "select dealwright.set_default_policy('best')"),
    ("DW002", "select dealwright.set_default_policy('classic')"),
    ("DW002", "select dealwright.set_default_policy('value', '{\"fairness\": 2}')"),
    ("DW002", "select dealwright.set_default_policy('value', '{\"fairness\": \"much\"}')"),
    ("DW002", "select dealwright.set_default_policy('value', '{\"objective\": \"fame\"}')"),
    ("DW002", "select dealwright.set_default_policy('fair', '{\"seed\": 0.5}')"),
    ("DW002", "select dealwright.set_default_policy('fair', '{\"window_start\": \"soon\"}')"),
    ("DW002", "update dealwright.policy set params = '[]'"),
    ("DW002", "select dealwright.load_model('value', '{}')"),
    ("DW002", "select dealwright.load_model('classic', '{\"weights\": {\"rating_score\": 1}}')"),
    ("DW002", "select dealwright.load_model('other', '{}')"),
    ("DW003", "select * from dealwright.settle_booking(99, 'confirmed')"),
    ("DW003", "select dealwright.reassign(99, 'x')"),
    ("DW003", "select dealwright.promote_model(99)"),
    ("DW003", "select dealwright.replay(99)"),
    ("DW003", "select dealwright.explain(99)"),
    ("DW003", "insert into dealwright.assignment (lead_id, agent_id) values (99, 1)"),
]


@pytest.mark.parametrize(("code", "statement"), REFUSALS, ids=[statement for _, statement in REFUSALS])
def test_a_refusal_names_the_cause_and_changes_nothing(database: Database, code: str, statement: str) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "one", capacity=2)
        add_agent(connection, "two", capacity=0)
        assign(connection, LEAD, external_id="E")
        assign(connection, LEAD)
        assert assign(connection, LEAD)["status"] == "waiting"
        before: Any = check_desk(connection)
        with pytest.raises(psycopg.Error) as refused:
            rows(connection, statement)
        assert refused.value.sqlstate == code, refused.value
        assert len(refused.value.diag.message_primary or "") > 10
        assert check_desk(connection) == before


def test_a_booking_for_what_was_given_away_is_refused(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for name in ("one", "two"):
            add_agent(connection, name)
        first = assign(connection, LEAD)["assignment_id"]
        second = rows(connection, "select * from dealwright.reassign(%s, 'ill')", first)[0]
        for statement in (
            "insert into dealwright.booking (assignment_id, status) values (%s, 'confirmed')",
            "update dealwright.assignment set status = 'open' where assignment_id = %s",
            "update dealwright.booking set assignment_id = %s",
        ):
            with pytest.raises(psycopg.Error) as refused:
                rows(connection, statement, first)
            assert refused.value.sqlstate == "DW001"
        assert second["booking_id"] == 1
        check_desk(connection)


def test_deleting_an_assignment_withdraws_its_lead_until_it_is_renewed(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "one", capacity=1)
        answer = assign(connection, LEAD)
        rows(connection, "delete from dealwright.assignment")
        check_desk(connection)
        lead = "select status from dealwright.lead where lead_id = %s"
        assert rows(connection, lead, answer["lead_id"]) == [{"status": "withdrawn"}]
        rows(connection, "update dealwright.lead set status = 'new' where lead_id = %s", answer["lead_id"])
        assert rows(connection, lead, answer["lead_id"]) == [{"status": "assigned"}]
        check_desk(connection)


def test_an_agent_with_assignments_stays(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        busy, idle = (add_agent(connection, name) for name in ("busy", "idle"))
        rows(connection, "update dealwright.agent set active = agent_id = %s", busy)
        assign(connection, LEAD)
        with pytest.raises(psycopg.Error) as refused, connection.transaction():
            rows(connection, "delete from dealwright.agent where agent_id = %s", busy)
        assert refused.value.sqlstate == "DW001"
        assert "active" in str(refused.value.diag.message_hint)
        rows(connection, "delete from dealwright.agent where agent_id = %s", idle)
        check_desk(connection)


def test_the_same_enquiry_with_both_ids_gets_the_same_answer(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "one")
        first, again = (assign(connection, LEAD, external_id="E", idempotency_key="k") for _ in range(2))
        assert first == again


def test_an_external_id_is_refused_where_another_enquiry_has_it(database: Database) -> None:
    insert = (
        "insert into dealwright.lead (customer_name, attributes, external_id, idempotency_key) "
        "values ('Kate', %s, %s, %s) on conflict (idempotency_key) do nothing returning lead_id"
    )
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "one")
        for external_id, key in (("E1", None), ("E2", None), ("E3", "k")):
            assert rows(connection, insert, Jsonb(LEAD), external_id, key) != []
        assert rows(connection, insert, Jsonb(LEAD), "E3", "k") == []  # the same enquiry once more
        for external_id, key in (("E1", None), ("E2", "k2"), ("E3", "k3")):
            with pytest.raises(psycopg.Error, match=f"lead with the external id '{external_id}'") as refused:
                rows(connection, insert, Jsonb(LEAD), external_id, key)
            assert refused.value.sqlstate == "DW001"
        assert value(connection, "select count(*) from dealwright.assignment where status = 'open'") == 3
        check_desk(connection)
