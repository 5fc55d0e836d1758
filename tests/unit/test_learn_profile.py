"""Statistics, profiles and scores against formulas computed one agent at a time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.dimensions import Dimension
from dealwright.errors import InputError, UnknownNameError
from dealwright.learn import (
    AmountModel,
    Calibration,
    MatchModel,
    RevenueModel,
    Trait,
    build_profiles,
    count_statistics,
    score,
)

DIMENSIONS = (Dimension("destination", ("Mars", "Titan")), Dimension("lead_source", ("Organic", "Bought")))
MODEL = MatchModel(
    dimensions=DIMENSIONS,
    lead_bias=0.4,
    lead_weights={
        "destination": {"Mars": 0.3, "Titan": -0.2},
        "lead_source": {"Organic": 0.1, "Bought": -0.5},
    },
    traits=(Trait("rating", 4.0, 0.5, 0.2), Trait("years_of_service", 8.0, 5.0, -0.1)),
    prior_strength=(20.0, 30.0, 30.0, 50.0, 50.0),
    value_share=(1.0, 0.75, 0.25, 0.5, 0.5),
    affinity_weight=(1.0, 0.8, 0.8, 0.6, 0.6),
    calibration=Calibration(0.9, 0.05, 0.01),
    revenue=RevenueModel(
        AmountModel(7.0, {"destination": {"Mars": 0.5}}),
        AmountModel(5.0, {"lead_source": {"Bought": 0.2}}),
        3000.0,
        500.0,
    ),
    agents_differ=True,
)
TRAITS = pl.DataFrame(
    {"agent_id": [1, 2, 3], "rating": [4.5, None, 3.0], "years_of_service": [3.0, 8.0, 18.0]}
)


def make_outcomes(
    rows: list[tuple[int, bool | None, str | None, str | None, float | None, float | None]],
) -> pl.DataFrame:
    start = datetime(2081, 2, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "assignment_id": list(range(len(rows))),
            "agent_id": [row[0] for row in rows],
            "assigned_at": [start + timedelta(hours=i) for i in range(len(rows))],
            "known_at": [
                start + timedelta(hours=i + 1) if row[1] is not None else None for i, row in enumerate(rows)
            ],
            "won": [row[1] for row in rows],
            "contacted": [True] * len(rows),
            "base_revenue": [row[4] for row in rows],
            "package_revenue": [row[5] for row in rows],
            "destination": pl.Series([row[2] for row in rows], dtype=pl.String),
            "lead_source": pl.Series([row[3] for row in rows], dtype=pl.String),
        }
    )


OUTCOMES = make_outcomes(
    [
        (1, True, "Mars", "Organic", 1500.0, 100.0),
        (1, True, "Mars", "Bought", 1900.0, 260.0),
        (1, False, "Titan", "Organic", None, None),
        (1, None, "Titan", "Organic", None, None),
        (2, False, None, "Bought", None, None),
        (2, True, "Titan", None, 900.0, 0.0),
        (2, True, "Mars", "Organic", None, None),
    ]
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_statistics_count_known_outcomes_only() -> None:
    statistics = count_statistics(OUTCOMES, MODEL, [1, 2, 3])
    assert statistics.agent_ids.tolist() == [1, 2, 3]
    assert statistics.known.tolist() == [[3, 2, 1, 2, 1], [3, 1, 1, 1, 1], [0] * 5]
    assert statistics.won.tolist() == [[2, 2, 0, 1, 1], [2, 1, 1, 1, 0], [0] * 5]
    mars_organic, mars_bought, titan_organic = sigmoid(0.8), sigmoid(0.2), sigmoid(0.3)
    assert statistics.expected[0] == pytest.approx(
        [
            mars_organic + mars_bought + titan_organic,
            mars_organic + mars_bought,
            titan_organic,
            mars_organic + titan_organic,
            mars_bought,
        ]
    )
    # unknown values contribute 0 to the logit, and no slot of their dimension
    assert statistics.expected[1] == pytest.approx(
        [sigmoid(-0.1) + sigmoid(0.2) + mars_organic, mars_organic, sigmoid(0.2), mars_organic, sigmoid(-0.1)]
    )
    # the last win of agent 2 has no amount: it says nothing about the ratio
    assert statistics.base_sum.tolist() == [3400.0, 900.0, 0.0]
    assert statistics.base_expected == pytest.approx([2 * math.exp(7.5), math.exp(7.0), 0.0])
    assert statistics.package_sum.tolist() == [360.0, 0.0, 0.0]
    assert statistics.package_expected == pytest.approx([math.exp(5.0) + math.exp(5.2), math.exp(5.0), 0.0])


def test_profile_follows_the_formula() -> None:
    statistics = count_statistics(OUTCOMES, MODEL, [1, 2, 3])
    profiles = build_profiles(MODEL, statistics, TRAITS)
    for i in range(2):
        known, won, expected = (
            list(counted[i]) for counted in (statistics.known, statistics.won, statistics.expected)
        )
        mu = expected[0] / known[0]
        overall = logit((won[0] + 20 * mu) / (known[0] + 20)) - logit(mu)
        wanted, variance = [overall], [1 / ((known[0] + 20) * mu * (1 - mu))]
        for s in range(1, 5):
            own = (1, 2) if s < 3 else (3, 4)
            # outcomes without a value in this dimension count by the agent's own mix of values
            with_value = known[own[0]] + known[own[1]]
            mix = (known[s] + 10 * MODEL.value_share[s]) / (with_value + 10)
            n, w, e = (
                counted[s] + mix * (counted[0] - counted[own[0]] - counted[own[1]])
                for counted in (known, won, expected)
            )
            m = MODEL.prior_strength[s]
            mu = sigmoid(logit(e / n) + overall)
            wanted.append(logit((w + m * mu) / (n + m)) - logit(mu))
            variance.append(1 / ((n + m) * mu * (1 - mu)))
        assert profiles.vector[i, 2:] == pytest.approx(wanted)
        assert profiles.variance[i] == pytest.approx(variance)
    assert profiles.vector[:, :2].tolist() == [[1.0, -1.0], [0.0, 0.0], [-2.0, 2.0]]
    assert profiles.vector[2, 2:].tolist() == [0.0] * 5
    mu = sigmoid(0.4)
    assert profiles.variance[2] == pytest.approx([1 / (m * mu * (1 - mu)) for m in MODEL.prior_strength])
    assert profiles.base_ratio == pytest.approx(
        [(3400 + 3000) / (2 * math.exp(7.5) + 3000), (900 + 3000) / (math.exp(7.0) + 3000), 1.0]
    )


def test_score_is_the_inner_product_with_its_interval() -> None:
    statistics = count_statistics(OUTCOMES, MODEL, [1, 2, 3])
    profiles = build_profiles(MODEL, statistics, TRAITS)
    leads = pl.DataFrame({"destination": ["Mars", None], "lead_source": ["Bought", "Organic"]})
    scores = score(MODEL, statistics, TRAITS, leads)
    query = np.array([0.2, -0.1, 1.0, 0.8, 0.0, 0.0, 0.6])
    final = 0.05 + 0.9 * (0.4 + 0.3 - 0.5 + profiles.vector @ query)
    assert scores.win_probability[0] == pytest.approx([sigmoid(x) for x in final])
    half = 1.6449 * np.sqrt(0.01 + 0.81 * (profiles.variance @ query[2:] ** 2))
    assert scores.low[0] == pytest.approx([sigmoid(x) for x in final - half])
    assert scores.high[0] == pytest.approx([sigmoid(x) for x in final + half])
    assert scores.expected_revenue[0] == pytest.approx(
        math.exp(7.5) * profiles.base_ratio + math.exp(5.2) * profiles.package_ratio
    )
    assert scores.value == pytest.approx(scores.win_probability * scores.expected_revenue)


def test_agent_terms_are_zero_when_agents_do_not_differ() -> None:
    model = MatchModel.from_dict({**MODEL.to_dict(), "agents_differ": False})
    statistics = count_statistics(OUTCOMES, model, [1, 2, 3])
    scores = score(model, statistics, TRAITS, OUTCOMES)
    assert np.ptp(scores.win_probability, axis=1).max() == 0
    assert np.ptp(scores.expected_revenue, axis=1).max() == 0
    assert np.all(scores.low < scores.win_probability)


def test_model_survives_a_round_trip_through_json() -> None:
    import json

    again = MatchModel.from_dict(json.loads(json.dumps(MODEL.to_dict())))
    assert again.to_dict() == MODEL.to_dict()
    assert again == MODEL


def test_bad_input_names_the_cause() -> None:
    with pytest.raises(InputError, match="not a match model"):
        MatchModel.from_dict({"weights": {}})
    broken = MODEL.to_dict()
    del broken["lead_bias"]
    with pytest.raises(InputError, match="lead_bias"):
        MatchModel.from_dict(broken)
    with pytest.raises(InputError, match="prior_strength has 2 elements"):
        MatchModel.from_dict({**MODEL.to_dict(), "prior_strength": [1.0, 2.0]})
    statistics = count_statistics(OUTCOMES, MODEL)
    with pytest.raises(UnknownNameError, match="did you mean 'Mars'"):
        score(MODEL, statistics, TRAITS, pl.DataFrame({"destination": ["Marss"], "lead_source": ["Organic"]}))
    with pytest.raises(InputError, match="'lead_source' is missing"):
        score(MODEL, statistics, TRAITS, pl.DataFrame({"destination": ["Mars"]}))
