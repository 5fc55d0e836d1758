"""The outbox and the record of decisions: nothing is skipped, nothing is changed unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from histories import random_history
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk

LEAD = {"destination": "Mars", "lead_source": "Organic"}


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        for i in range(4):
            add_agent(opened, f"agent {i}", capacity=8, skills=["luxury"] if i < 2 else [])
        yield opened


def read_all(
    connection: Connection[Any], after: tuple[str, int] = ("0", 0), most: int = 3
) -> list[tuple[str, int]]:
    """Read the outbox to its end, a few events at a time."""
    read = []
    while part := rows(
        connection, "select xid::text, position from dealwright.read_events(%s, %s, %s)", *after, most
    ):
        read += [(row["xid"], row["position"]) for row in part]
        after = read[-1]
    return read


def test_a_late_commit_is_never_skipped(database: Database, connection: Connection[Any]) -> None:
    read = read_all(connection)
    with database.connect() as early, database.connect() as late:
        assign(early, LEAD)  # begins first, is committed last
        assign(late, LEAD, "workload")
        late.commit()
        read += read_all(connection, read[-1])
        early.commit()
    read += read_all(connection, read[-1])
    everything = rows(
        connection, "select e.xid::text, e.position from dealwright.event as e order by e.xid, e.position"
    )
    assert read == [(row["xid"], row["position"]) for row in everything]


def test_what_was_read_is_there_to_stay(database: Database, connection: Connection[Any]) -> None:
    read = read_all(connection)
    with database.connect(autocommit=True) as careless, database.connect() as looker:
        rows(careless, "set synchronous_commit = off")
        rows(connection, "set synchronous_commit = on")
        seen = []
        for _ in range(40):
            assign(careless, LEAD, "workload")
            before = value(connection, "select pg_current_wal_insert_lsn()")
            read += read_all(connection, read[-1], most=100)
            seen.append(value(connection, "select pg_current_wal_flush_lsn() >= %s::pg_lsn", before))
        assert all(seen)
        # who may only read is told as well
        rows(looker, "set transaction read only")
        assert read_all(looker) == read


def test_a_reassignment_is_replayed_as_it_was_ranked(connection: Connection[Any]) -> None:
    for weight in (2, 0.5, 3):
        add_agent(connection, f"weight {weight}", capacity=50, weight=weight)
    for _ in range(40):
        first = assign(connection, LEAD, "fair")
        (second,) = rows(connection, "select * from dealwright.reassign(%s, 'ill')", first["assignment_id"])
        again = value(connection, "select dealwright.replay(%s)", second["assignment_id"])
        assert again["agrees"], again


def test_a_change_that_was_taken_back_is_no_event(database: Database, connection: Connection[Any]) -> None:
    before = value(connection, "select count(*) from dealwright.event")
    with database.connect() as undone:
        assign(undone, LEAD)
        undone.rollback()
    assert value(connection, "select count(*) from dealwright.event") == before
    check_desk(connection)


@pytest.mark.parametrize("table", ["decision", "decision_block", "decision_seal"])
def test_the_record_is_append_only(connection: Connection[Any], table: str) -> None:
    assign(connection, LEAD)
    assert value(connection, "select dealwright.seal_decisions()") == 1
    column = {"decision": "match_score", "decision_block": "decisions", "decision_seal": "block_id"}[table]
    for statement in (
        f"update dealwright.{table} set {column} = 7",
        f"delete from dealwright.{table}",
        f"truncate dealwright.{table} cascade",
    ):
        with pytest.raises(psycopg.Error) as refused:
            rows(connection, statement)
        assert refused.value.sqlstate == "DW001"


@pytest.mark.parametrize(
    "tampering",
    [
        "update dealwright.decision set agent_id = agent_id + 1 where decision_id = 3",
        "update dealwright.decision set features = '{1}' where decision_id = 3",
        "update dealwright.decision set excluded_agent_ids = '{1}' where decision_id = 3",
        "update dealwright.decision set excluded_agent_id = 1 where decision_id = 3",
        "update dealwright.decision set owner_agent_id = 1 where decision_id = 3",
        "delete from dealwright.decision where decision_id = 3",
        "delete from dealwright.decision_seal where decision_id = 3",
        "update dealwright.decision_block set hash = previous_hash where block_id = 1",
    ],
)
@pytest.mark.administrator
def test_a_seal_shows_what_an_administrator_changed(connection: Connection[Any], tampering: str) -> None:
    for _ in range(4):
        assign(connection, LEAD)
    assert value(connection, "select dealwright.seal_decisions()") == 4
    for _ in range(2):
        assign(connection, LEAD)
    assert value(connection, "select dealwright.seal_decisions()") == 2
    assert value(connection, "select dealwright.seal_decisions()") == 0
    verify = "select array_agg(intact order by block_id) from dealwright.verify_decisions()"
    assert value(connection, verify) == [True, True]
    rows(
        connection, "set session_replication_role = replica"
    )  # switches the triggers off, as a superuser can
    rows(connection, tampering)
    assert False in value(connection, verify)


@pytest.mark.administrator
def test_a_block_put_aside_breaks_the_chain(connection: Connection[Any]) -> None:
    for _ in range(3):
        assign(connection, LEAD)
        rows(connection, "select dealwright.seal_decisions()")
    rows(connection, "set session_replication_role = replica")
    rows(connection, "delete from dealwright.decision_seal where block_id = 2")
    rows(connection, "delete from dealwright.decision where decision_id = 2")
    rows(connection, "delete from dealwright.decision_block where block_id = 2")
    assert [row["intact"] for row in rows(connection, "select * from dealwright.verify_decisions()")] == [
        True,
        False,
    ]


def test_a_decision_still_under_way_is_sealed_later(database: Database, connection: Connection[Any]) -> None:
    with database.connect() as other:
        assign(other, LEAD)
        assign(connection, LEAD, "workload")
        assert value(connection, "select dealwright.seal_decisions()") == 0
        other.commit()
    assert value(connection, "select dealwright.seal_decisions()") == 2


def test_seals_do_not_depend_on_how_a_client_shows_times(connection: Connection[Any]) -> None:
    assign(connection, LEAD)
    rows(connection, "select dealwright.seal_decisions()")
    for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'German'", "extra_float_digits = -5"):
        rows(connection, f"set {setting}")
    assert value(connection, "select intact from dealwright.verify_decisions()")


# replay and explain ----------------------------------------------------------------------------------


@pytest.mark.parametrize("modelled", [True, False, None])
@pytest.mark.parametrize("fairness", [0, 0.5])
def test_decisions_replay_after_everything_has_changed(
    database: Database, connection: Connection[Any], modelled: bool | None, fairness: float
) -> None:
    rng = np.random.default_rng(7)
    rows(
        connection,
        "update dealwright.policy set params = jsonb_build_object('seed', 3, 'fairness', %s::float8) "
        "where name = 'value'",
        fairness,
    )
    load_classic(connection)
    if modelled is not None:
        load_model(connection, random_model(rng, agents_differ=modelled))
    given = []
    for turn in range(24):
        answer = assign(
            connection,
            {
                "destination": ("Mars", "Titan", "Venus")[turn % 3],
                "lead_source": ("Organic", "Bought")[turn % 2],
            },
            ("value", "classic", "workload", "fair")[turn % 4],
            requirements="luxury" if turn % 5 == 0 else None,
        )
        given.append(answer)
        if turn % 3 == 0:
            status = "confirmed" if turn % 2 else "cancelled"
            rows(connection, "select dealwright.settle_booking(%s, %s, 900)", answer["booking_id"], status)
        if turn == 13:
            rows(connection, "select dealwright.reassign(%s, 'ill')", answer["assignment_id"])
    rows(connection, "update dealwright.agent set capacity = 0")
    waiting = assign(connection, LEAD)
    rows(connection, "update dealwright.agent set capacity = 9")
    assert (
        rows(connection, "select * from dealwright.placement_of(%s)", waiting["lead_id"])[0]["status"]
        == "assigned"
    )
    idle = add_agent(connection, "idle", capacity=3)
    last = assign(connection, LEAD, "workload")

    replay_all = (
        "select policy, from_queue, dealwright.replay(assignment_id) as again from dealwright.decision"
    )

    def check() -> None:
        answers = rows(connection, replay_all)
        assert len(answers) == len(given) + 3
        assert {row["policy"] for row in answers} == {"value", "classic", "workload", "fair"}
        assert any(row["from_queue"] for row in answers)
        assert all(row["again"]["agrees"] for row in answers), [
            row for row in answers if not row["again"]["agrees"]
        ]

    check()
    before = rows(
        connection, "select dealwright.explain(assignment_id) as e from dealwright.decision order by 1"
    )
    for answer in given[10:20]:
        rows(connection, "select dealwright.settle_booking(%s, 'confirmed', 5000, 100)", answer["booking_id"])
    load_model(connection, random_model(rng, agents_differ=True))
    load_classic(
        connection,
        dict.fromkeys(
            value(
                connection,
                "select parameters -> 'weights' from dealwright.model where kind = 'classic' limit 1",
            ),
            0.5,
        ),
    )
    rows(connection, "select dealwright.declare_dimension('destination', array['Pluto'])")
    rows(connection, "select dealwright.declare_dimension('season', array['summer', 'winter'])")
    rows(connection, 'update dealwright.policy set params = \'{"seed": 9, "fairness": 1}\'')
    rows(
        connection,
        "update dealwright.agent set capacity = 1, skills = '{}', rating = 1, years_of_service = 40, "
        "weight = 5, "
        "department = 'x', shifts = '{}'",
    )
    rows(connection, "update dealwright.agent set active = false where agent_id = 1")
    assert last["agent_id"] == idle
    rows(connection, "delete from dealwright.lead where lead_id = %s", last["lead_id"])
    rows(connection, "delete from dealwright.agent where agent_id = %s", idle)
    Desk(database).load(
        random_history(rng, Desk(database).dimensions(), agents=5, assignments=60, prefix="x")
    )
    with pytest.raises(psycopg.Error) as gone:
        value(connection, "select dealwright.replay(%s)", 10**9)
    assert gone.value.sqlstate == "DW003"
    check()
    after = rows(
        connection, "select dealwright.explain(assignment_id) as e from dealwright.decision order by 1"
    )
    for old, new in zip(
        sorted((row["e"] for row in before), key=lambda e: e["assignment_id"]),
        sorted((row["e"] for row in after), key=lambda e: e["assignment_id"]),
        strict=True,
    ):
        assert [(r["rank"], r["agent_id"], r["match_score"], r["open"]) for r in old["ranking"]] == [
            (r["rank"], r["agent_id"], r["match_score"], r["open"]) for r in new["ranking"]
        ]


def test_explain_says_what_would_have_changed_it(connection: Connection[Any]) -> None:
    first, second = assign(connection, LEAD, "workload"), assign(connection, LEAD, "workload")
    assert (first["agent_id"], second["agent_id"]) == (1, 2)
    ranking = {
        row["agent_id"]: row
        for row in value(connection, "select dealwright.explain(%s)", second["assignment_id"])["ranking"]
    }
    assert ranking[2]["would_have_got_it"] is None
    assert ranking[1]["would_have_got_it"] == "with 0 open instead of 1"
    assert ranking[3]["would_have_got_it"] == "not by a smaller workload alone"
    assert ranking[1]["reasons"][0] == {"reason": "open assignments", "value": 1}


@pytest.mark.administrator
def test_a_decision_that_does_not_follow_is_shown(connection: Connection[Any]) -> None:
    answer = assign(connection, LEAD, "workload")
    rows(connection, "set session_replication_role = replica")
    rows(connection, "update dealwright.decision set agent_id = 3")
    assert not value(connection, "select dealwright.replay(%s)", answer["assignment_id"])["agrees"]


@pytest.mark.administrator
@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        ("match_score = match_score + 0.1", False),
        ("match_score = null", False),
        ("win_probability = win_probability + 1e-4", False),
        ("win_probability = win_probability - 1e-4", False),
        ("win_probability = null", False),
        # as much as a sum of reals in another order may make
        ("win_probability = win_probability + 1e-8", True),
    ],
)
def test_a_decision_agrees_only_with_its_own_figures(
    connection: Connection[Any], change: str, *, agrees: bool
) -> None:
    load_model(connection, random_model(np.random.default_rng(7)))
    answer = assign(connection, LEAD, "value")
    rows(connection, "set session_replication_role = replica")
    rows(connection, f"update dealwright.decision set {change}")
    assert value(connection, "select dealwright.replay(%s)", answer["assignment_id"])["agrees"] is agrees


def test_explain_has_the_first_ten_and_whom_one_asks_for(connection: Connection[Any]) -> None:
    for i in range(12):
        add_agent(connection, f"junior {i}", years_of_service=0.5, rating=1.0 - i / 100)
    answer = assign(connection, LEAD, "workload")
    explained = value(connection, "select dealwright.explain(%s)", answer["assignment_id"])["ranking"]
    assert len(explained) == 10
    last = value(connection, "select max(agent_id) from dealwright.agent")
    asked = value(connection, "select dealwright.explain(%s, %s)", answer["assignment_id"], last)["ranking"]
    assert asked[:10] == explained
    assert [row["agent_id"] for row in asked[10:]] == [last]


def test_imported_assignments_carry_no_decision(database: Database, connection: Connection[Any]) -> None:
    desk = Desk(database)
    desk.load(random_history(np.random.default_rng(1), desk.dimensions(), assignments=20, prefix="x"))
    some = value(connection, "select assignment_id from dealwright.assignment limit 1")
    with pytest.raises(psycopg.Error) as refused:
        value(connection, "select dealwright.explain(%s)", some)
    assert refused.value.sqlstate == "DW003"
