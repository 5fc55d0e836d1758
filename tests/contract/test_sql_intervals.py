"""Intervals of scores, few outcomes, and explanations: the same in SQL, in Python and on the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine import DIMENSIONS, lead_json, load_classic, load_model, random_model, rows, value
from histories import START, frame, random_history

from dealwright import Desk
from dealwright.cli.tables import explanation_table, placements_table, ranking_table
from dealwright.desk.database import Database
from dealwright.dimensions import Dimension
from dealwright.errors import InputError, NotFoundError, UnknownNameError
from dealwright.learn import LearnParams, MatchModel, count_statistics, score
from dealwright.schemas import AGENT_COLUMNS, ASSIGNMENT_COLUMNS, BOOKING_COLUMNS, History

SOURCE = Dimension("source", ("web", "fair"))
LEAD = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}


def sales(won: list[bool]) -> History:
    """Return a history of three agents with these outcomes, from the web and the fair in turn."""
    agents = [
        {
            "external_id": str(i),
            "name": name,
            "capacity": 9,
            "active": True,
            "skills": [],
            "weight": 1.0,
        }
        for i, name in ((1, "Ada Moss"), (2, "Ben Ruiz"), (3, "Cleo Tan"))
    ]
    assignments, bookings = [], []
    for i, win in enumerate(won):
        at = START + timedelta(hours=i)
        assignments.append(
            {
                "external_id": str(i + 1),
                "agent_external_id": str(1 + i % 3),
                "customer_name": f"C{i}",
                "assigned_at": at,
                "outcome_unknown": False,
                "source": SOURCE.values[i % 2],
            }
        )
        bookings.append(
            {
                "external_id": str(i + 1),
                "assignment_external_id": str(i + 1),
                "status": "confirmed" if win else "cancelled",
                "completed_at": at + timedelta(minutes=5) if win else None,
                "cancelled_at": None if win else at + timedelta(minutes=5),
                "base_revenue": 100.0 if win else None,
                "total_revenue": 100.0 if win else None,
            }
        )
    return History(
        dimensions=(SOURCE,),
        agents=frame(agents, AGENT_COLUMNS),
        assignments=frame(assignments, {**ASSIGNMENT_COLUMNS, "source": pl.String}),
        bookings=frame(bookings, BOOKING_COLUMNS),
        currency="EUR",
    )


@pytest.mark.parametrize("won", [[True], [True] * 2, [True] * 4, [True] * 10, [False] * 4])
def test_few_outcomes_score_near_the_middle_in_sql_as_in_python(database: Database, won: list[bool]) -> None:
    desk = Desk(database)
    desk.load(sales(won))
    desk.train(LearnParams(permutations=199, bootstrap=20), promote=True)
    found = desk.promoted_model("value")
    assert found is not None
    model = MatchModel.from_dict(found[1])
    traits = desk.agent_traits()
    statistics = count_statistics(desk.outcomes(), model, traits["agent_id"].to_list())
    expected = score(model, statistics, traits, pl.DataFrame({"source": ["web"]}))
    mean = (sum(won) + 1) / (len(won) + 2)
    for row in desk.rank({"customer_name": "Kate", "attributes": {"source": "web"}}).ranking:
        assert row["win_probability"] == pytest.approx(mean, abs=2e-3)
        assert row["win_probability"] == pytest.approx(expected.win_probability[0, 0], abs=1e-6)
        assert row["match_score"] == pytest.approx(100 * mean, abs=0.25)
        assert row["win_low"] == pytest.approx(expected.low[0, 0], abs=1e-4)
        assert row["win_high"] == pytest.approx(expected.high[0, 0], abs=1e-4)


@pytest.fixture
def busy(database: Database) -> Desk:
    """Return a desk whose model tells fourteen agents apart."""
    rng = np.random.default_rng(4)
    desk = Desk(database)
    history = random_history(rng, DIMENSIONS, agents=14, capacity=(200, 300))
    desk.load(History(**{**vars(history), "currency": "CHF"}))
    with database.connect(autocommit=True) as connection:
        load_model(connection, random_model(rng, DIMENSIONS))
        load_classic(connection)
    return desk


def test_a_placement_has_the_interval_of_its_ranking_for_good(busy: Desk) -> None:
    ranked = {row["agent_id"]: row for row in busy.rank(LEAD).ranking}
    assert len({round(row["win_high"] - row["win_low"], 6) for row in ranked.values()}) > 5
    placed = busy.assign(LEAD)
    first = ranked[placed.row["agent_id"]]
    wanted = pytest.approx((first["win_low"], first["win_high"]), abs=1e-6)
    assert (placed.row["win_low"], placed.row["win_high"]) == wanted
    low, high = (f"{100 * first[name]:.0f}" for name in ("win_low", "win_high"))
    assert f"(90 % interval {low}–{high})" in placed.summary()
    assert placed.to_frame()["win_low"].to_list() == [placed.row["win_low"]]
    # what happens afterwards does not change what was decided then
    with busy.database.connect(autocommit=True) as connection:
        rows(connection, "select dealwright.settle_booking(%s, 'confirmed', 900)", placed.booking_id)
        load_model(connection, random_model(np.random.default_rng(5), DIMENSIONS))
        rows(connection, "select dealwright.declare_dimension('destination', array['Pluto'])")
        again = rows(connection, "select * from dealwright.win_interval(%s)", placed.assignment_id)[0]
        assert (again["win_low"], again["win_high"]) == wanted
        nobody = rows(connection, "select * from dealwright.win_interval(0)")[0]
        assert (nobody["win_low"], nobody["win_high"]) == (None, None)
    answer = busy.explain(placed.row["assignment_id"]).to_dict()
    assert (answer["win_low"], answer["win_high"]) == wanted
    replayed = busy.replay(placed.row["assignment_id"])
    for row in replayed.table_rows():
        assert (row["win_low"], row["win_high"]) == wanted
    moved = busy.reassign(busy.assign(LEAD).row["assignment_id"], "ill")
    assert moved.row["win_low"] < moved.row["win_probability"] < moved.row["win_high"]


@pytest.mark.parametrize("policy", ["workload", "classic", "fair"])
def test_what_is_no_chance_has_no_interval(busy: Desk, policy: str) -> None:
    placed = busy.assign(LEAD, policy)
    assert (placed.row["win_low"], placed.row["win_high"]) == (None, None)
    assert "interval" not in placed.summary()


def test_without_a_model_there_is_no_interval(database: Database) -> None:
    desk = Desk(database)
    desk.load(sales([True, False]))
    placed = desk.assign({"customer_name": "Kate", "attributes": {"source": "web"}})
    assert (placed.row["match_score"], placed.row["win_low"]) == (None, None)
    assert "match score –," in placed.summary()
    explanation = desk.explain(placed.row["assignment_id"])
    assert "match score" not in explanation.summary()
    assert explanation.currency == "EUR"


def cells(table: Any) -> dict[str, list[str]]:
    return {column.header: list(column.cells) for column in table.columns}


def test_every_table_of_scores_shows_their_interval(busy: Desk) -> None:
    ranking = busy.rank(LEAD)
    shown = cells(ranking_table(ranking))
    expected = [f"{100 * row['win_low']:.0f}–{100 * row['win_high']:.0f}" for row in ranking.ranking]
    assert shown["90 %"] == expected
    assert list(shown)[3:6] == ["score", "90 %", "worth"]
    other = cells(ranking_table(busy.rank(LEAD, "workload")))
    assert list(other)[3:6] == ["score", "win", "90 %"]
    assert sorted(other["90 %"]) == sorted(expected)
    placed = [busy.assign(LEAD), busy.assign(LEAD, "workload")]
    listed = cells(placements_table([LEAD, LEAD], placed))
    assert listed["90 %"] == [
        f"{100 * placed[0].row['win_low']:.0f}–{100 * placed[0].row['win_high']:.0f}",
        "–",
    ]
    explained = cells(explanation_table(busy.explain(placed[0].row["assignment_id"])))
    assert explained["90 %"] == expected[:10]
    assert explained["worth, CHF"] == [f"{row['expected_value']:,.0f}" for row in ranking.ranking[:10]]
    agents = busy.agents().to_frame()
    assert (
        (agents["win_low"] < agents["win_probability"]) & (agents["win_probability"] < agents["win_high"])
    ).all()


def test_explain_shows_worth_and_currency_under_any_policy(busy: Desk) -> None:
    """Under the classic policy there is none: the record names the classic model, not the match model."""
    ranked = {row["agent_id"]: row for row in busy.rank(LEAD).ranking}
    for policy in ("value", "workload", "classic", "fair"):
        placed = busy.assign(LEAD, policy)
        explanation = busy.explain(placed.row["assignment_id"])
        assert explanation.answer["currency"] == "CHF"
        for row in explanation.answer["ranking"]:
            then = ranked[row["agent_id"]]
            if policy == "classic":
                assert (row["expected_value"], row["win_low"]) == (None, None)
                continue
            assert row["expected_value"] == pytest.approx(then["expected_value"], rel=1e-5)
            assert row["win_probability"] == pytest.approx(then["win_probability"], abs=1e-6)
            assert row["win_low"] == pytest.approx(then["win_low"], abs=1e-5)
    worth = busy.explain(busy.assign(LEAD).row["assignment_id"])
    assert f"worth {worth.answer['expected_value']:,.0f} CHF" in worth.summary()


def test_explain_shows_any_one_agent(busy: Desk) -> None:
    placed = busy.assign(LEAD)
    everybody = [row["agent_id"] for row in busy.rank(LEAD).ranking]
    usual = busy.explain(placed.row["assignment_id"])
    assert [row["agent_id"] for row in usual.answer["ranking"]] == everybody[:10]
    last = everybody[-1]
    for name in (last, str(last), f"Agent {last}", f" agent {last}"):
        asked = busy.explain(placed.row["assignment_id"], name).answer["ranking"]
        assert [row["agent_id"] for row in asked] == [*everybody[:10], last]
        assert asked[-1]["rank"] == 14
        assert asked[-1]["would_have_got_it"]
    with pytest.raises(UnknownNameError, match="unknown agent 'agnt 14': did you mean 'Agent 14'"):
        busy.explain(placed.row["assignment_id"], "agnt 14")
    with pytest.raises(NotFoundError, match=r"no agent 'zzz': `dealwright agents` shows them"):
        busy.explain(placed.row["assignment_id"], "zzz")
    with busy.database.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set name = 'Agent 2' where name = 'Agent 3'")
        rows(
            connection, "insert into dealwright.agent (external_id, name, capacity) values ('new', 'Nina', 1)"
        )
        with_ten = value(connection, "select dealwright.explain(%s) -> 'ranking'", placed.assignment_id)
        assert len(with_ten) == 10
    with pytest.raises(InputError, match="2 agents are called 'Agent 2': give one of their ids, 2, 3"):
        busy.explain(placed.row["assignment_id"], "Agent 2")
    assert busy.explain(placed.row["assignment_id"], 2).answer["ranking"]
    with pytest.raises(NotFoundError, match="Nina was not there yet"):
        busy.explain(placed.row["assignment_id"], "Nina")


def test_an_import_that_does_not_say_the_currency_keeps_it(busy: Desk, database: Database) -> None:
    rng = np.random.default_rng(4)
    busy.load(random_history(rng, DIMENSIONS, agents=14, prefix="x"))
    placed = busy.assign(LEAD)
    assert busy.explain(placed.row["assignment_id"]).currency == "CHF"
    with database.connect(autocommit=True) as connection:
        answer = rows(
            connection,
            "select * from dealwright.assign_lead(%s)",
            lead_json({"destination": "Mars", "lead_source": "Organic"}),
        )[0]
        assert answer["status"] == "assigned"
