"""What an agent sees: why a lead came or did not, and the own rate; nothing of the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from engine import (
    Row,
    add_agent,
    assign,
    declare,
    lead_json,
    load_classic,
    load_model,
    random_model,
    rows,
    value,
)
from floor import LEAD, POLICIES, refused, staff
from psycopg import Connection
from scipy.optimize import brentq

from dealwright.desk.database import Database


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        yield opened


def why(connection: Connection[Any], lead_id: int, agent_id: int) -> Row:
    answer: Row = value(connection, "select dealwright.why(%s, %s)", lead_id, agent_id)
    return answer


@pytest.mark.parametrize("policy", POLICIES)
def test_each_agent_sees_their_own_line_of_the_ranking_and_no_other(
    connection: Connection[Any], policy: str
) -> None:
    agents = staff(connection, "Ada", "Ben", "Cleo", capacity=3)
    load_model(connection, random_model(np.random.default_rng(6)))
    load_classic(connection)
    placed = assign(connection, LEAD, policy)
    told = value(connection, "select dealwright.explain(%s)", placed["assignment_id"])
    lines = {row["agent_id"]: row for row in told["ranking"]}
    for name, agent_id in agents.items():
        seen = why(connection, placed["lead_id"], agent_id)
        assert seen["came"] == (agent_id == placed["agent_id"])
        for key in ("rank", "eligible", "match_score", "win_probability", "reasons", "would_have_got_it"):
            assert seen[key] == lines[agent_id][key], key
        assert (seen["agent_id"], seen["policy"], seen["named"]) == (agent_id, policy, False)
        text = json.dumps(seen)
        assert not [other for other in agents if other != name and other in text]
        assert "agent_name" not in seen
        assert "Kate" not in text  # nor whose lead it is


def test_a_lead_that_waits_says_what_keeps_the_agent_from_it(connection: Connection[Any]) -> None:
    ada, ben = staff(connection, "Ada", "Ben", capacity=1).values()
    cleo = add_agent(connection, "Cleo", active=False)
    for _ in range(2):
        assign(connection, LEAD, "workload")
    waiting = assign(connection, LEAD, "workload")
    for agent_id, reason in (
        (ada, "not eligible: no free place"),
        (ben, "not eligible: no free place"),
        (cleo, "not eligible: not active"),
    ):
        seen = why(connection, waiting["lead_id"], agent_id)
        assert (seen["status"], seen["came"], seen["eligible"], seen["decided_at"]) == (
            "waiting", False, False, None,
        )  # fmt: skip
        assert seen["reasons"][0]["reason"] == reason


def test_a_lead_that_went_on_says_who_had_it_and_who_declined_it(connection: Connection[Any]) -> None:
    ada, ben, cleo = staff(connection, "Ada", "Ben", "Cleo").values()
    placed = assign(connection, LEAD, "workload")
    (second,) = rows(connection, "select * from dealwright.decline(%s, 'no')", placed["assignment_id"])
    rows(connection, "select dealwright.reassign_to(%s, %s, 'asked for')", second["assignment_id"], cleo)
    seen = {agent: why(connection, placed["lead_id"], agent) for agent in (ada, ben, cleo)}
    assert [(row["came"], row["had_before"], row["declined"]) for row in seen.values()] == [
        (False, True, True),
        (False, True, False),
        (True, False, False),
    ]
    assert all(row["named"] for row in seen.values())
    assert seen[ben]["would_have_got_it"] == "not by the ranking: somebody named the agent"
    late = add_agent(connection, "Dan")
    assert refused(connection, "select dealwright.why(%s, %s)", placed["lead_id"], late) == (
        "DW003",
        f"agent {late} was not there yet when lead {placed['lead_id']} was given away",
    )
    for lead_id, agent_id in ((99, ada), (placed["lead_id"], 99)):
        assert refused(connection, "select dealwright.why(%s, %s)", lead_id, agent_id)[0] == "DW003"


@pytest.mark.parametrize(("won", "lost"), [(3, 7), (0, 4), (5, 0), (0, 0)])
def test_the_own_rate_has_the_interval_of_wilson(connection: Connection[Any], won: int, lost: int) -> None:
    ada, ben = staff(connection, "Ada", "Ben", capacity=100).values()
    for number, agent_id in enumerate([ada] * (won + lost) + [ben] * 3):
        (placed,) = rows(
            connection, "select * from dealwright.assign_to(%s::jsonb, %s, 'x')", lead_json(LEAD), agent_id
        )
        status = "confirmed" if number < won else "cancelled"
        rows(connection, "select dealwright.settle_booking(%s::bigint, %s)", placed["booking_id"], status)
    rows(connection, "select dealwright.assign_to(%s::jsonb, %s, 'open')", lead_json(LEAD), ada)
    (seen,) = rows(connection, "select * from dealwright.own_rate(%s)", ada)
    n = won + lost
    assert (seen["known"], seen["won"]) == (n, won)
    if n == 0:
        assert (seen["rate"], seen["rate_low"], seen["rate_high"]) == (None, None, None)
        return
    assert seen["rate"] == won / n

    def surprise(p: float) -> float:
        """Of a true rate: by how many standard deviations the observed one is off, against 1.645."""
        return abs(won / n - p) - 1.6448536269514722 * float(np.sqrt(p * (1 - p) / n))

    low = 0.0 if won == 0 else brentq(surprise, 1e-12, won / n - 1e-9)
    high = 1.0 if lost == 0 else brentq(surprise, won / n + 1e-9, 1 - 1e-12)
    assert seen["rate_low"] == pytest.approx(low, abs=1e-9)
    assert seen["rate_high"] == pytest.approx(high, abs=1e-9)
    assert refused(connection, "select * from dealwright.own_rate(99)")[0] == "DW003"


@pytest.mark.parametrize("policy", POLICIES)
def test_what_would_have_been_needed_is_the_least_change_of_the_workload(
    connection: Connection[Any], policy: str
) -> None:
    agents = staff(connection, *"ABCDEF", capacity=9)
    load_model(connection, random_model(np.random.default_rng(9)))
    load_classic(connection)
    # what each has open differs, and one is full
    for agent_id, leads in zip(agents.values(), (9, 1, 7, 4, 2, 5), strict=True):
        for _ in range(leads):
            rows(
                connection,
                "select dealwright.assign_to(%s::jsonb, %s, 'asked for')",
                lead_json(LEAD),
                agent_id,
            )
    placed = assign(connection, LEAD, policy)
    with connection.transaction():
        told = value(connection, "select dealwright.explain(%s)", placed["assignment_id"])
        # the state that the decision saw stands in front of the live one until the transaction ends
        rows(connection, "set local search_path = pg_temp, dealwright, dealwright_engine, public, extensions")
        needed = {}
        for agent_id in agents.values():
            present = value(connection, "select open from pg_temp.agent where agent_id = %s", agent_id)
            needed[agent_id] = "not by a smaller workload alone"
            for fewer in range(present):
                rows(connection, "update pg_temp.agent set open = %s where agent_id = %s", fewer, agent_id)
                first = value(
                    connection,
                    "select (dealwright_engine.rank_by(d.policy, dealwright_engine.past_enquiry(d),"
                    " d.policy_params, 1, true)).agent_id from dealwright.decision as d"
                    " where d.assignment_id = %s",
                    placed["assignment_id"],
                )
                if first == agent_id:  # the most that does is the last one found
                    needed[agent_id] = f"with {fewer} open instead of {present}"
            rows(connection, "update pg_temp.agent set open = %s where agent_id = %s", present, agent_id)
    del needed[placed["agent_id"]]
    said = {row["agent_id"]: row["would_have_got_it"] for row in told["ranking"]}
    assert said == {**needed, placed["agent_id"]: None}
    if policy in ("value", "workload"):
        assert any(text.startswith("with") for text in needed.values()), needed


@pytest.mark.parametrize("policy", POLICIES)
def test_a_standing_is_the_own_line_of_the_ranking_and_the_first_one_s_score(
    connection: Connection[Any], policy: str
) -> None:
    agents = staff(connection, "Ada", "Ben", "Cleo", capacity=3)
    load_model(connection, random_model(np.random.default_rng(6)))
    load_classic(connection)
    for _ in range(4):
        assign(connection, LEAD, policy)
    ranking = rows(connection, "select * from dealwright.rank_agents(%s::jsonb, %s)", lead_json(LEAD), policy)
    first, lines = ranking[0], {row["agent_id"]: row for row in ranking}
    for agent_id in agents.values():
        (own,) = rows(
            connection,
            "select * from dealwright.standing(%s, %s::jsonb, %s)",
            agent_id,
            lead_json(LEAD),
            policy,
        )
        assert own == {
            "agents": len(ranking),
            **{
                key: lines[agent_id][key]
                for key in (
                    "rank",
                    "match_score",
                    "win_probability",
                    "win_low",
                    "win_high",
                    "eligible",
                    "reasons",
                )
            },
            "is_first": agent_id == first["agent_id"],
            "first_score": first["match_score"],
            "first_open": first["open"],
        }
        assert own["reasons"]
    code, message = refused(connection, "select dealwright.standing(999, %s::jsonb)", lead_json(LEAD))
    assert (code, message) == ("DW003", "there is no agent 999")
