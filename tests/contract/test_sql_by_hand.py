"""What follows from leads and bookings is not written by hand, whoever tries: refused, with the fix."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import add_agent, assign, declare, load_model, random_model, rows, value
from ledger import check_desk

from dealwright.desk.database import Database

MODEL = random_model(np.random.default_rng(3))
LEAD = {"destination": "Mars", "lead_source": "Organic"}
BLOCK = "first_decision_id, last_decision_id, decisions, previous_hash, hash"
PROFILE = "agent_id, model_id, profile, variance, base_ratio, package_ratio"
DECISION = "decided_at, lead_id, policy, policy_params, snapshot, slots, draw_seed"
BY_HAND = [
    "update dealwright.agent set open = 5",
    "update dealwright.agent set open = open + 1 where agent_id = 2",
    "update dealwright.agent set fair_count = 0",
    "update dealwright.agent set fair_compensation = 1e6",
    "update dealwright.agent set active = false, fair_compensation = 1e6 where agent_id = 1",
    "update dealwright.agent set active = false, open = 0 where agent_id = 1",
    "update dealwright.agent set profile = null",
    "update dealwright.agent set profile = profile * profile",
    "update dealwright.agent set variance = null, profile_model_id = null",
    "update dealwright.agent set base_ratio = 2",
    "update dealwright.agent set package_ratio = 2",
    "update dealwright.agent set profile_xid = '3'",
    "update dealwright.agent set agent_id = 77 where agent_id = 2",
    "update dealwright.agent_stat set revenue_cents = 0",
    "delete from dealwright.agent_stat",
    "insert into dealwright.agent_stat (agent_id) values (2) on conflict do nothing",
    "update dealwright.lead set lead_id = 77 where lead_id = 1",
    "update dealwright.assignment set assignment_id = 77 where assignment_id = 1",
    "update dealwright.booking set booking_id = 77 where booking_id = 1",
    "update dealwright.model set promoted = false",
    "update dealwright.model set parameters = '{}'",
    "delete from dealwright.model",
    "insert into dealwright.model (kind, parameters, promoted) values ('classic', '{}', true)",
    "delete from dealwright.policy where name = 'fair'",
    "update dealwright.policy set name = 'classic' where name = 'fair'",
    "delete from dealwright.dimension_value where value = 'Mars'",
    "update dealwright.dimension_value set value = 'Red Planet' where value = 'Mars'",
    "update dealwright.dimension_value set slot = 99 where value = 'Mars'",
    "insert into dealwright.dimension_value (slot, dimension_id, value) values (99, 1, 'Pluto')",
    "delete from dealwright.dimension where name = 'destination'",
    "update dealwright.dimension set name = 'place' where name = 'destination'",
    "update dealwright.dimension set required = false",
    "insert into dealwright.dimension (name, position) values ('x', 9)",
    "insert into dealwright.event (kind, agent_id, open) values ('recounted', 1, 0)",
    "update dealwright.event set open = 0",
    "delete from dealwright.event",
    f"insert into dealwright.decision ({DECISION}) select now(), 1, 'fair', '{{}}', '1:1:', '{{1}}', 1",
    "update dealwright.decision set agent_id = 2",
    "delete from dealwright.decision",
    f"insert into dealwright.decision_block ({BLOCK}) values (1, 1, 1, '', '')",
    "insert into dealwright.decision_seal values (1, 1)",
]  # fmt: skip
PUBLISH = "select dealwright.publish_tasks('r', '2026-01-01', 'UTC', '2026-01-01', '2026-01-01')"
TABLES = (
    "agent", "lead", "assignment", "booking", "agent_stat", "model", "policy", "dimension", "dimension_value",
    "event", "decision", "decision_block", "decision_seal", "requirement_term", "plan_run", "task",
)  # fmt: skip
TRUNCATED = [f"truncate dealwright.{table}{how}" for table in TABLES for how in ("", " cascade")]
PRIVATE = [
    "update dealwright_engine.agent_day set confirmed = 9",
    "delete from dealwright_engine.agent_day",
    "truncate dealwright_engine.agent_day",
    "insert into dealwright_engine.agent_day values ('2026-01-01', 1, 1)",
    "update dealwright_engine.agent_profile_log set base_ratio = 9",
    "delete from dealwright_engine.agent_profile_log",
    "truncate dealwright_engine.agent_profile_log",
    f"insert into dealwright_engine.agent_profile_log ({PROFILE}) values (1, 1, '[1]', '[1]', 1, 1)",
]
BOOKS = [
    "delete from dealwright.schema_version",
    "truncate dealwright.schema_version",
    "update dealwright.schema_functions set objects = '{table dealwright.lead}'",
    "update dealwright_engine.setting set follow_up_days = 0",
    "delete from dealwright_engine.rule",
    "select setval('dealwright_engine.writer', 1)",
    "select currval('dealwright_engine.writer')",
    "select last_value from dealwright_engine.writer",
    "select dealwright_engine.begin_own_writes()",
    "select lastval()",
]


@pytest.fixture
def desk(database: Database) -> Any:
    """Return a connection of the owner to a desk with a model, agents, a won and an open booking."""
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, MODEL)
        for name in ("Ada", "Ben"):
            add_agent(connection, name, capacity=5)
        first = assign(connection, LEAD)["booking_id"]
        assign(connection, LEAD)
        rows(connection, "select dealwright.settle_booking(%s, 'confirmed', 900)", first)
        yield connection


@pytest.fixture
def writer(desk: Any, database: Database) -> Any:
    """Return a connection of somebody who has every right on the tables and may call the functions."""
    rows(desk, "do $$ begin create role intruder login; exception when duplicate_object then null; end $$")
    rows(desk, "grant usage on schema dealwright to intruder")
    rows(desk, "grant all on all tables in schema dealwright to intruder")
    rows(desk, "grant execute on all routines in schema dealwright to intruder")
    rows(desk, "grant all on all sequences in schema dealwright to intruder")
    with psycopg.connect(database.url, user="intruder", autocommit=True) as connection:
        yield connection


def refusals(connection: Any, statements: list[str]) -> list[tuple[str, str | None, str | None]]:
    """Run each statement; what refused it: its code and its hint."""
    found: list[tuple[str, str | None, str | None]] = []
    for statement in statements:
        try:
            rows(connection, statement)
        except psycopg.Error as error:
            found.append((statement, error.sqlstate, error.diag.message_hint))
        else:
            found.append((statement, None, None))
    return found


def test_what_the_desk_keeps_is_refused_to_its_owner(desk: Any) -> None:
    before = check_desk(desk, MODEL)
    found = refusals(desk, [*BY_HAND, *TRUNCATED, *PRIVATE])
    # where a table that refers to it is not named too, the server is quicker to refuse the truncate
    assert [
        f for f in found if f[1] not in ("DW001", "DW002", "0A000") or (f[1] != "0A000" and not f[2])
    ] == []
    assert [f for f in found if f[1] == "0A000" and "cascade" in f[0]] == []
    assert check_desk(desk, MODEL) == before


def test_what_the_desk_keeps_is_refused_to_a_role_with_all_rights(desk: Any, writer: Any) -> None:
    before = check_desk(desk, MODEL)
    # a cascade may come to a private table first
    assert [f for f in refusals(writer, BY_HAND) if f[1] not in ("DW001", "DW002")] == []
    assert [f for f in refusals(writer, TRUNCATED) if f[1] not in ("DW001", "0A000", "42501")] == []
    assert [f for f in refusals(writer, PRIVATE) if f[1] != "42501"] == []
    assert [f for f in refusals(writer, BOOKS) if f[1] not in ("42501", "DW001", "55000")] == []
    assert check_desk(desk, MODEL) == before


@pytest.mark.parametrize("drawn", [False, True], ids=["in a new session", "after a placement"])
def test_nobody_is_believed_to_be_the_engine(desk: Any, writer: Any, *, drawn: bool) -> None:
    mark = value(desk, "select last_value from dealwright_engine.writer")
    if drawn:
        assign(writer, LEAD)
        assert value(writer, "select current_setting('dealwright.writer', true)") in (None, "")
    before = check_desk(desk, MODEL)
    for guess in (mark, mark + 1, "x", f"1 {mark}", f"2 {mark}"):
        for name in ("writer", "counted_by", "reassigning", "reopening", "settling"):
            rows(writer, f"set dealwright.{name} = '{guess}'")
        found = refusals(
            writer,
            [
                "update dealwright.agent set open = 0",
                "insert into dealwright.event (kind) values ('x')",
                "update dealwright.assignment set status = 'reassigned' where assignment_id = 2",
            ],
        )
        # 55000: in a session in which the engine never was at work
        assert [f for f in found if f[1] not in ("DW001", "DW002", "55000")] == []
        # overruled: its booking is pending
        with contextlib.suppress(psycopg.errors.ObjectNotInPrerequisiteState):
            rows(writer, "update dealwright.assignment set status = 'settled' where assignment_id = 2")
    assert check_desk(desk, MODEL) == before


ENQUIRY = '{"customer_name": "K", "attributes": {"destination": "Mars", "lead_source": "Organic"}, %s}'
DEEDS = [
    f"select dealwright.assign_lead('{ENQUIRY}')" % '"priority": 1',
    f"select dealwright.assign_lead('{ENQUIRY}')" % '"customer_id": "C"',
    f"select dealwright.assign_lead('{ENQUIRY}')" % '"skills": ["none has it"]',
    f"insert into dealwright.lead (customer_name, attributes) select 'K', '{ENQUIRY}'::jsonb -> 'attributes'"
    % '"x": 1',
    "select dealwright.settle_booking(2::bigint, 'confirmed', 5)",
    "select dealwright.settle_booking(1::bigint, 'pending')",
    "update dealwright.booking set status = 'cancelled' where booking_id = 1",
    "delete from dealwright.booking where booking_id = 2",
    "select dealwright.reassign(2, 'ill')",
    "select dealwright.contact(2)",
    "select dealwright.decline(2, 'no time')",
    "select dealwright.deactivate_agent(agent_id, true) from dealwright.assignment where assignment_id = 2",
    "select dealwright.activate_agent(1)",
    "update dealwright.lead set status = 'withdrawn' where lead_id = 2",
    "update dealwright.lead set attributes = attributes || '{\"destination\": \"Titan\"}' where lead_id = 2",
    "update dealwright.assignment set agent_id = 3 - agent_id where assignment_id = 2",
    "update dealwright.assignment set status = 'lapsed' where assignment_id = 2",
    "delete from dealwright.assignment where assignment_id = 2",
    "insert into dealwright.agent (name) values ('Cleo')",
    "update dealwright.agent set rating = 1",
    "update dealwright.agent set shifts = '{}'",
    "select dealwright.lapse_follow_ups()",
    "select dealwright.return_unanswered()",
    "select dealwright.fill_free_places()",
    "select dealwright.seal_decisions()",
    "select dealwright.rebuild_statistics()",
    "select dealwright.declare_dimension('destination', array['Pluto'])",
    "select dealwright.set_default_policy('fair')",
    "select dealwright.promote_model(1)",
]  # fmt: skip


def test_the_engine_has_put_its_mark_away_when_it_is_done(desk: Any) -> None:
    """Whoever goes on in the same transaction is no more believed than before."""
    for deed in DEEDS:
        with desk.transaction(force_rollback=True):
            rows(desk, deed.replace("%", "%%"))
            assert value(desk, "select current_setting('dealwright.writer', true)") in (None, ""), deed
            with pytest.raises(psycopg.Error) as refused, desk.transaction():
                rows(desk, "update dealwright.agent set open = open + 1")
            assert refused.value.sqlstate == "DW001", deed


def test_what_is_written_beside_a_new_agent_is_overruled(desk: Any) -> None:
    rows(
        desk,
        "insert into dealwright.agent (name, open, fair_count, base_ratio, profile_xid) "
        "values ('Cleo', 4, 9, 3, '1')",
    )
    check_desk(desk, MODEL)
    assert rows(desk, "select open, fair_count from dealwright.agent where name = 'Cleo'") == [
        {"open": 0, "fair_count": 0}
    ]
    assert value(desk, "select profile_xid::text::bigint from dealwright.agent where name = 'Cleo'") > 1


def test_what_a_lead_means_is_read_from_what_it_says(desk: Any) -> None:
    before = check_desk(desk, MODEL)
    for statement in (
        "update dealwright.lead set slots = '{1}', is_waiting = true",
        "update dealwright.lead set last_assignment_id = 1",
        "update dealwright.assignment set slots = '{1,2,3}'",
    ):
        rows(desk, statement)
        after = check_desk(desk, MODEL)
        assert [after[name] for name in ("lead", "assignment", "stat")] == [
            before[name] for name in ("lead", "assignment", "stat")
        ]


def test_only_the_desk_says_from_whom_a_lead_came_back(desk: Any) -> None:
    rows(
        desk,
        "insert into dealwright.lead (customer_name, attributes, last_assignment_id) "
        """values ('Ida', '{"destination": "Mars", "lead_source": "Organic"}', 1)""",
    )
    rows(desk, "update dealwright.lead set status = status, last_assignment_id = 1")
    assert value(desk, "select count(*) from dealwright.lead where last_assignment_id is not null") == 0
    check_desk(desk, MODEL)


def test_agents_leave_with_their_counters(desk: Any) -> None:
    add_agent(desk, "Cleo")
    rows(desk, "delete from dealwright.agent where name = 'Cleo'")
    check_desk(desk, MODEL)


def test_without_a_default_the_policy_is_value(desk: Any) -> None:
    rows(desk, "update dealwright.policy set is_default = false")
    assert assign(desk, LEAD)["policy"] == "value"


@pytest.mark.parametrize("what", ["view", "table"])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("agent", "select dealwright.replay(1)"),
        ("assignment", "select dealwright.explain(1)"),
        ("vector", "select dealwright.replay(1)"),
        ("import_agent", "select dealwright.import_history()"),
        ("published_task", PUBLISH),
    ],
)  # fmt: skip
def test_something_temporary_of_a_callers_does_not_run_as_the_engine(
    desk: Any, writer: Any, name: str, call: str, what: str
) -> None:
    rows(writer, "create function pg_temp.who() returns bigint language plpgsql as "
                 "$$ begin raise exception 'run by %', current_user; end $$")  # fmt: skip
    if what == "view":
        rows(writer, f"create temporary view {name} as select pg_temp.who() as agent_id, 1 as decision_id")
    else:
        rows(writer, f"create temporary table {name} (agent_id bigint default pg_temp.who())")
    with pytest.raises(psycopg.Error) as refused:
        rows(writer, call)
    assert "run by" not in str(refused.value)
    assert refused.value.sqlstate in ("DW001", "DW002", "42P07"), refused.value


def test_what_a_pending_booking_may_bring_decides_nothing(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "Ada")
        placed = assign(connection, LEAD)
        events = value(connection, "select count(*) from dealwright.event")
        rows(connection, "update dealwright.booking set base_revenue = 900, package_revenue = 50")
        (booking,) = rows(connection, "select status, total_revenue from dealwright.booking")
        assert (booking["status"], booking["total_revenue"]) == ("pending", 950)
        (held,) = rows(connection, "select * from dealwright.placement_of(%s)", placed["lead_id"])
        assert held["agent_name"] == "Ada"
        assert value(connection, "select status from dealwright.assignment") == "open"
        assert value(connection, "select count(*) from dealwright.event") == events
        check_desk(connection)


@pytest.mark.parametrize(
    ("base", "package", "total", "expected"),
    [
        (700, None, None, 700),
        (None, 50, None, 50),
        (700, 50, None, 750),
        (700, 50, 900, 900),
        (None, None, 900, 900),
        (0, None, None, 0),
        (None, None, None, None),
    ],
)
def test_a_booking_without_a_total_brings_what_its_parts_do(
    database: Database, base: int | None, package: int | None, total: int | None, expected: int | None
) -> None:
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "Ada")
        assign(connection, LEAD)
        update = (
            "update dealwright.booking set status = 'confirmed', base_revenue = %s, package_revenue = %s, "
            "total_revenue = coalesce(%s, total_revenue) returning total_revenue"
        )
        assert value(connection, update, base, package, total) == expected
        # another amount is another total, unless that is given as well
        assert value(connection, update, 300, package, None) == 300 + (package or 0)
        assert value(connection, update, 300, 20, 444) == 444
        assert value(connection, "select total_revenue from dealwright.assignment") == 444
        check_desk(connection)
