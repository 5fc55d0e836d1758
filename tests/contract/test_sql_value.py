"""The value policy in SQL against the reference in `learn`, on random models, histories and leads."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine import DIMENSIONS, assign, lead_json, load_model, random_model, rows, seen_as, value
from histories import random_history
from psycopg import Connection
from shares import shares_owed

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.dimensions import Dimension
from dealwright.learn import MatchModel, count_statistics, score
from dealwright.learn.score import Scores

# the desk declares the dimensions and their values in another order than the model, and more values
DECLARED = (
    Dimension("lead_source", ("Bought", "Referral", "Organic")),
    Dimension("destination", ("Venus", "Mars", "Pluto", "Titan")),
)


LEAD = {"destination": "Mars", "lead_source": "Organic"}


def reference(desk: Desk, model: MatchModel, leads: list[dict[str, str | None]]) -> Scores:
    extended = seen_as(model, DECLARED)
    traits = desk.agent_traits()
    outcomes = desk.outcomes()
    statistics = count_statistics(outcomes, extended, traits["agent_id"].to_list())
    schema = {dimension.name: pl.String() for dimension in DECLARED}
    return score(extended, statistics, traits, pl.DataFrame(leads, schema=schema))


def draw_leads(rng: np.random.Generator, count: int) -> list[dict[str, str | None]]:
    return [
        {
            dimension.name: None
            if rng.random() < 0.2
            else dimension.values[int(rng.integers(len(dimension.values)))]
            for dimension in DECLARED
        }
        for _ in range(count)
    ]


def ranking(
    connection: Connection[Any], lead: dict[str, str | None], policy: str = "value"
) -> list[dict[str, Any]]:
    given = {name: v for name, v in lead.items() if v is not None}
    return rows(connection, "select * from dealwright.rank_agents(%s, %s)", lead_json(given), policy)


def psi(share: float, sharpness: float = 20) -> float:
    return (1 - math.exp(-sharpness * share)) / (1 - math.exp(-sharpness))


@pytest.mark.parametrize("seed", range(3))
def test_probability_interval_and_revenue_equal_the_reference(database: Database, seed: int) -> None:
    rng = np.random.default_rng(seed)
    desk = Desk(database)
    desk.load(random_history(rng, DECLARED))
    model = random_model(rng, DIMENSIONS)
    leads = draw_leads(rng, 12)
    with database.connect(autocommit=True) as connection:
        load_model(connection, model)
        scores = reference(desk, model, leads)
        place = {agent: i for i, agent in enumerate(scores.agent_ids.tolist())}
        for k, lead in enumerate(leads):
            table = ranking(connection, lead)
            assert [row["rank"] for row in table] == list(range(1, len(place) + 1))
            worth = []
            for row in table:
                i = place[row["agent_id"]]
                p = scores.win_probability[k, i]
                assert row["win_probability"] == pytest.approx(p, abs=2e-6)
                assert row["match_score"] == pytest.approx(100 * p, abs=0.0501)
                assert row["win_low"] == pytest.approx(scores.low[k, i], abs=5e-5)
                assert row["win_high"] == pytest.approx(scores.high[k, i], abs=5e-5)
                assert row["expected_value"] == pytest.approx(scores.value[k, i], rel=2e-5)
                free = 1 - row["open"] / row["capacity"]
                worth.append((row["eligible"], scores.value[k, i] * psi(free) if row["eligible"] else 0.0))
            # in the reference's order, where it is not a tie for single precision
            for better, worse in itertools.pairwise(worth):
                assert better[0] >= worse[0]
                if better[0] == worse[0]:
                    assert better[1] >= worse[1] * (1 - 1e-4)


def test_reasons_add_up_to_the_agents_part_of_the_log_odds(database: Database) -> None:
    rng = np.random.default_rng(5)
    desk = Desk(database)
    desk.load(random_history(rng, DECLARED))
    model = random_model(rng, DIMENSIONS)
    lead: dict[str, str | None] = {"destination": "Mars", "lead_source": "Organic"}
    with database.connect(autocommit=True) as connection:
        load_model(connection, model)
        table = ranking(connection, lead)
        scores = reference(desk, model, [lead])
    lead_only = seen_as(model, DECLARED)
    logit = (
        model.lead_bias
        + model.lead_weights["destination"]["Mars"]
        + model.lead_weights["lead_source"]["Organic"]
    )
    base = lead_only.calibration.intercept + lead_only.calibration.slope * logit
    place = {agent: i for i, agent in enumerate(scores.agent_ids.tolist())}
    for row in table:
        p = scores.win_probability[0, place[row["agent_id"]]]
        total = sum(reason["contribution"] for reason in row["reasons"] if "contribution" in reason)
        assert total == pytest.approx(math.log(p / (1 - p)) - base, abs=1e-3)


def test_without_evidence_agents_are_alike_and_the_fair_share_decides(database: Database) -> None:
    rng = np.random.default_rng(8)
    desk = Desk(database)
    desk.load(random_history(rng, DECLARED))
    model = random_model(rng, DIMENSIONS, agents_differ=False)
    leads = draw_leads(rng, 4)
    with database.connect(autocommit=True) as connection:
        load_model(connection, model)
        # equal free shares, so that only the shortfall is left to decide
        rows(connection, "update dealwright.agent set capacity = greatest(open * 4, 1)")
        scores = reference(desk, model, leads)
        for _ in range(7):
            assign(connection, LEAD, "fair")
        rows(connection, "update dealwright.agent set capacity = open * 4")
        turns = shares_owed(rows(connection, "select * from dealwright.agent"))[1]
        assert len(set(turns.values())) > 2
        for k, lead in enumerate(leads):
            table = ranking(connection, lead)
            for row in table:
                assert row["win_probability"] == pytest.approx(scores.win_probability[k, 0], abs=2e-6)
                assert row["expected_value"] == pytest.approx(scores.value[k, 0], rel=1e-5)
                assert any("no evidence that agents differ" in reason["reason"] for reason in row["reasons"])
            order = [turns[row["agent_id"]] for row in table]
            assert order == sorted(order, reverse=True)


@pytest.mark.parametrize(("objective", "fairness"), [("booking", 0.0), ("revenue", 0.4), ("revenue", 1.0)])
def test_objective_and_fairness_dial(database: Database, objective: str, fairness: float) -> None:
    rng = np.random.default_rng(11)
    desk = Desk(database)
    desk.load(random_history(rng, DECLARED))
    model = random_model(rng, DIMENSIONS)
    leads = draw_leads(rng, 5)
    with database.connect(autocommit=True) as connection:
        load_model(connection, model)
        rows(
            connection,
            "update dealwright.policy set params = jsonb_build_object('seed', 1, 'objective', %s::text, "
            "'fairness', %s::float8) "
            "where name = 'value'",
            objective,
            fairness,
        )
        scores = reference(desk, model, leads)
        for _ in range(11):
            assign(connection, LEAD, "fair")
        scores = reference(desk, model, leads)
        short = shares_owed(rows(connection, "select * from dealwright.agent"))[0]
        place = {agent: i for i, agent in enumerate(scores.agent_ids.tolist())}
        for k, lead in enumerate(leads):
            table = ranking(connection, lead)
            worth = {
                row["agent_id"]: scores.win_probability[k, place[row["agent_id"]]]
                * (scores.expected_revenue[k, place[row["agent_id"]]] if objective == "revenue" else 1)
                * (psi(1 - row["open"] / row["capacity"]) if row["open"] < row["capacity"] else 0)
                for row in table
            }
            low, high, most = float(min(short.values())), float(max(short.values())), max(worth.values())
            weight = [
                worth[row["agent_id"]]
                if fairness == 0
                else (1 - fairness) * worth[row["agent_id"]] / most
                + fairness * (float(short[row["agent_id"]]) - low) / (high - low)
                for row in table
                if row["eligible"]
            ]
            assert all(a >= b - 1e-4 * abs(b) for a, b in itertools.pairwise(weight))


def test_the_dial_reports_its_price(database: Database) -> None:
    rng = np.random.default_rng(12)
    desk = Desk(database)
    desk.load(random_history(rng, DECLARED, capacity=(80, 90)))
    with database.connect(autocommit=True) as connection:
        load_model(connection, random_model(rng, DIMENSIONS))
        rows(
            connection,
            "update dealwright.policy set params = '{\"seed\": 1, \"fairness\": 1}' where name = 'value'",
        )
        prices = []
        for _ in range(12):
            answer = rows(
                connection,
                "select * from dealwright.assign_lead(%s)",
                lead_json({"destination": "Mars", "lead_source": "Organic"}),
            )[0]
            prices.append(
                value(
                    connection,
                    "select fairness_price from dealwright.decision where assignment_id = %s",
                    answer["assignment_id"],
                )
            )
    assert min(prices) >= 0
    assert max(prices) > 0  # a full dial gives somebody else than the best now and then


def test_psi_is_golrezaeis_at_sharpness_one_and_guards_the_last_places_by_default(database: Database) -> None:
    with database.connect() as connection:
        for share in (0.0, 0.1, 0.5, 1.0):
            golrezaei = value(connection, "select dealwright_engine.psi(%s, 1)", share)
            assert golrezaei == pytest.approx((1 - math.exp(-share)) / (1 - math.exp(-1)), abs=1e-15)
            assert value(connection, "select dealwright_engine.psi(%s)", share) == pytest.approx(
                psi(share), abs=1e-15
            )
