"""Who did what: one row for each deed, written with it, and changed by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.roles import make_roles

LEAD = {"destination": "Mars", "lead_source": "Organic"}
MODEL = random_model(np.random.default_rng(3))
SAYS = """select set_config('dealwright.actor',
    '{"id": "key 0123456789ab", "name": "Mona", "request_id": "r-1"}', false)"""


@pytest.fixture
def desk(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, MODEL)
        load_classic(connection)
        for name in ("Ada", "Ben", "Cleo"):
            add_agent(connection, name, capacity=9)
        for _ in range(6):
            assign(connection, LEAD, "workload")
        rows(connection, "select dealwright.begin_publishing(); "
             "insert into published_task (account_id, day, action, channel, rep_id) "
             "values ('a', '2026-07-01', 'visit', 'field', '1'); "
             "select dealwright.publish_tasks('r', '2026-06-30', 'UTC', '2026-07-01', '2026-07-01')"
             )  # fmt: skip
        yield connection


def newest(connection: Connection[Any]) -> dict[str, Any]:
    found = rows(connection, "select * from dealwright.change order by change_id desc limit 1")
    return found[0] if found else {}


def test_each_deed_leaves_one_row_with_what_was_before_and_after(desk: Connection[Any]) -> None:
    rows(desk, SAYS)
    deeds: list[tuple[str, tuple[str, str, str], Any, Any, str | None]] = [
        ("select dealwright.settle_booking(1, 'confirmed', total_revenue => 500)", ("settle", "booking", "1"),
         {"status": "pending", "total_revenue": None}, {"status": "confirmed", "total_revenue": 500}, None),
        ("call dealwright.settle('1', 'cancelled')", ("settle", "booking", "1"),
         {"status": "confirmed", "total_revenue": 500}, {"status": "cancelled", "total_revenue": 500}, None),
        ("select dealwright.reassign(2, 'ill')", ("reassign", "assignment", "2"), {"agent_id": 2}, ...,
         "ill"),
        ("select dealwright.decline(3, 'no time')", ("decline", "assignment", "3"), None, {"lead_id": 3},
         "no time"),
        ("select dealwright.assign_to(5, 1, 'asked for her')", ("assign_to", "lead", "5"), {"agent_id": 2},
         {"agent_id": 1, "assignment_id": 9}, "asked for her"),
        ("select dealwright.contact(4, '2026-07-01T10:00Z')", ("contact", "assignment", "4"), None,
         {"first_contact_at": "2026-07-01T10:00:00+00:00"}, None),
        ("select dealwright.deactivate_agent(1)", ("deactivate", "agent", "1"), {"active": True},
         {"active": False, "handed_over": 0, "waiting": 0}, None),
        ("select dealwright.activate_agent(1)", ("activate", "agent", "1"), {"active": False},
         {"active": True}, None),
        ("select dealwright.set_availability(1, 12)", ("set_availability", "agent", "1"),
         {"capacity": 9, "shifts": None}, {"capacity": 12, "shifts": None}, None),
        ("select dealwright.start_task(1)", ("start_task", "task", "1"),
         {"status": "planned", "outcome": None, "rep_id": "1"},
         {"status": "started", "outcome": None, "rep_id": "1"}, None),
        ("select dealwright.finish_task(1, 'responded', note => 'Kate said yes')",
         ("finish_task", "task", "1"),
         {"status": "started", "outcome": None, "rep_id": "1"},
         {"status": "done", "outcome": "responded", "rep_id": "1"}, None),
        ("select dealwright.reopen_task(1, 'by mistake')", ("reopen_task", "task", "1"),
         {"status": "done", "outcome": "responded", "rep_id": "1"}, ..., "by mistake"),
        ("select dealwright.cancel_task(1)", ("cancel_task", "task", "1"), ...,
         {"status": "cancelled", "outcome": None, "rep_id": "1"}, None),
        ("select dealwright.create_key('0123456789ab', 'x', '{ingest}', 'secret hash')",
         ("create_key", "key", "0123456789ab"), None,
         {"name": "x", "scopes": ["ingest"], "agent_id": None, "expires_at": None}, None),
        ("select dealwright.replace_key('0123456789ab', 'ab0123456789', 'hash', '1 day')",
         ("replace_key", "key", "0123456789ab"), None, {"replaced_by": "ab0123456789"}, None),
        ("select dealwright.revoke_key('ab0123456789')", ("revoke_key", "key", "ab0123456789"), None, ...,
         None),
        ("select dealwright.set_default_policy('workload')", ("change_policy", "policy", "workload"),
         {"params": {}, "is_default": False}, {"params": {}, "is_default": True}, None),
        ("update dealwright.policy set params = '{\"seed\": 7}' where name = 'fair'",
         ("change_policy", "policy", "fair"), {"params": {"seed": 1}, "is_default": False},
         {"params": {"seed": 7}, "is_default": False}, None),
    ]  # fmt: skip
    for statement, (action, kind, object_id), before, after, reason in deeds:
        rows(desk, statement)
        row = newest(desk)
        assert (row["action"], row["object"], row["object_id"]) == (action, kind, object_id), statement
        assert before is ... or row["before"] == before, statement
        assert after is ... or row["after"] == after, (statement, row["after"])
        assert row["reason"] == reason
        assert (row["actor"], row["actor_name"], row["request_id"]) == ("key 0123456789ab", "Mona", "r-1")
    text = value(desk, "select string_agg(c::text, ' ') from dealwright.change as c")
    assert "secret hash" not in text
    assert "Kate" not in text
    # what changes nothing is no deed
    count = value(desk, "select count(*) from dealwright.change")
    for statement in (
        "call dealwright.settle('1', 'cancelled')",
        "select dealwright.activate_agent(1)",
        "select dealwright.set_availability(1, 12)",
        "update dealwright.policy set params = params",
    ):
        rows(desk, statement)
    assert value(desk, "select count(*) from dealwright.change") == count


def test_models_are_put_to_work_by_somebody(desk: Connection[Any]) -> None:
    loaded, promoted = rows(
        desk,
        "select action, actor, after from dealwright.change where object = 'model' "
        "order by change_id limit 2",
    )
    assert (loaded["action"], promoted["action"]) == ("load_model", "promote_model")
    assert promoted["after"] == {"model_id": 1, "kind": "value"}
    assert loaded["actor"] == f"user {desk.info.user}"


def test_a_deed_that_fails_leaves_nothing(desk: Connection[Any]) -> None:
    count = value(desk, "select count(*) from dealwright.change")
    rows(desk, "begin")
    rows(desk, "select dealwright.settle_booking(1, 'confirmed')")
    assert value(desk, "select count(*) from dealwright.change") == count + 1
    rows(desk, "rollback")
    assert value(desk, "select count(*) from dealwright.change") == count


@pytest.mark.administrator
def test_nobody_changes_it_and_nobody_says_that_they_are_somebody_else(
    database: Database, desk: Connection[Any]
) -> None:
    rows(desk, "select dealwright.settle_booking(1, 'confirmed')")
    for statement in (
        "update dealwright.change set actor = 'x'",
        "delete from dealwright.change",
        "truncate dealwright.change",
        """insert into dealwright.change (actor, actor_name, action, object, object_id)
        values ('x', 'x', 'x', 'x', 'x')""",
    ):
        with pytest.raises(psycopg.Error) as refused:
            rows(desk, statement)
        assert refused.value.sqlstate == "DW001"
    with database.connect() as connection:
        make_roles(connection)
    for user, role in (("ann", "dealwright_agent"), ("shop", "dealwright_app")):
        rows(desk, f"do $$ begin create role {user} login; exception when duplicate_object then null; end $$")
        rows(desk, f"grant {role} to {user}")
    rows(desk, "update dealwright.agent set database_role = 'ann' where name = 'Ada'")
    with psycopg.connect(database.url, user="ann", autocommit=True) as ann:
        rows(ann, SAYS)
        rows(ann, "select dealwright.settle_booking(1, 'pending')")
    assert (newest(desk)["actor"], newest(desk)["request_id"]) == ("user ann", None)
    # an application, which settles for everybody, says for whom
    with psycopg.connect(database.url, user="shop", autocommit=True) as shop:
        rows(shop, "select dealwright.settle_booking(1, 'cancelled')")
        assert newest(desk)["actor"] == "user shop"
        rows(shop, SAYS)
        rows(shop, "select dealwright.settle_booking(1, 'confirmed')")
    assert newest(desk)["actor"] == "key 0123456789ab"


def test_the_log_is_read_page_by_page_and_by_what_it_is_about(
    database: Database, desk: Connection[Any]
) -> None:
    rows(desk, "update dealwright.agent set external_id = 'a-1' where agent_id = 1")
    for capacity in (5, 6, 7):
        rows(desk, f"select dealwright.set_availability(1, {capacity})")
        rows(desk, f"select dealwright.set_availability(2, {capacity})")
    book = Desk(database).book
    first = book.changes(kind="agent", k=4)
    second = book.changes(kind="agent", k=4, after=first.next)
    assert second.next is None
    found = [(row["object_id"], row["after"]["capacity"]) for row in (*first.rows, *second.rows)]
    assert found == [(2, 7), ("a-1", 7), (2, 6), ("a-1", 6), (2, 5), ("a-1", 5)]
    assert [row["after"]["capacity"] for row in book.changes(kind="agent", object_id="a-1").rows] == [7, 6, 5]
    assert {row["action"] for row in book.changes(action="load_model").rows} == {"load_model"}
    assert book.changes(actor="user nobody").rows == ()
