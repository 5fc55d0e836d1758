"""Agents who are alike, with leads that are not: the test must not take the leads for the agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.dimensions import Dimension
from dealwright.learn.homogeneity import (
    _design_with_own_mix,
    _remove_agent_level,
    _shuffle,
    _win_sample,
    compare_agents,
)
from dealwright.learn.outcomes import OutcomeTable, tabulate_outcomes

SOURCE = Dimension("source", ("web", "fair"))


def table(agent: np.ndarray, won: np.ndarray, source: Sequence[str | None]) -> OutcomeTable:
    n = len(won)
    start = datetime(2080, 1, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "assignment_id": np.arange(1, n + 1),
            "agent_id": agent.astype(np.int64),
            "assigned_at": [start + timedelta(hours=i) for i in range(n)],
            "known_at": [start + timedelta(hours=i, minutes=30) for i in range(n)],
            "won": won.astype(bool),
            "contacted": np.ones(n, dtype=bool),
            "base_revenue": np.where(won, 100.0, np.nan),
            "package_revenue": np.where(won, 10.0, np.nan),
            "source": list(source),
        },
        schema_overrides={"source": pl.String},
    )
    return tabulate_outcomes(frame, [SOURCE])


def test_equal_agents_with_leads_of_unequal_variance_raise_no_alarm() -> None:
    """Two agents have leads that may go either way, eight have safe ones: only like is swapped with like."""
    alarms = 0
    agent = np.repeat(np.arange(1, 11), 100)
    source = np.where(agent <= 2, "web", "fair")
    for seed in range(100):
        rng = np.random.default_rng(seed)
        order = rng.permutation(1000)
        won = rng.random(1000) < np.where(source == "web", 0.5, 0.97)
        found = compare_agents(table(agent[order], won[order], source[order].tolist()), 119, rng)
        alarms += found.tests[0].p_value <= 0.05
    assert alarms <= 10  # 5 are to be expected


@pytest.mark.parametrize(
    ("reach", "mix", "win"),
    [
        ((0.5, 0.5), (0.95, 0.2), (0.1, 0.95)),
        ((0.5, 0.9), (0.9, 0.1), (0.5, 0.9)),
        ((0.3, 0.9), (0.9, 0.2), (0.5, 0.7)),
        ((0.9, 0.5), (0.9, 0.1), (0.4, 0.8)),
    ],
    ids=["reached alike", "harder to reach and to win", "harder to reach", "easier to reach, harder to win"],
)
def test_equal_agents_with_unlike_leads_that_are_unknown_when_lost_raise_no_alarm(
    reach: tuple[float, float], mix: tuple[float, float], win: tuple[float, float]
) -> None:
    """The source is known of leads that were reached only, and agents get them in other shares."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        agent = rng.integers(1, 9, 2000)
        share = np.where(agent <= 4, *mix) if seed % 2 else np.linspace(*mix, 8)[agent - 1]
        web = rng.random(2000) < share
        reached = rng.random(2000) < np.where(web, *reach)
        won = reached & (rng.random(2000) < np.where(web, *win))
        source = [("web" if x else "fair") if seen else None for x, seen in zip(web, reached, strict=True)]
        found = compare_agents(table(agent, won, source), 119, rng)
        alarms += found.tests[0].p_value <= 0.05
    assert alarms <= 9  # 3 are to be expected, 10 in one of 1,000 runs


def test_few_unknown_values_leave_the_test_as_it_was() -> None:
    """Two agents in three unlike: a handful of unknown sources must not explain that away."""
    rng = np.random.default_rng(1)
    agent = rng.integers(1, 10, 1200)
    won = rng.random(1200) < np.array([0.3, 0.5, 0.7])[agent % 3]
    whole = ["web" if x else "fair" for x in rng.random(1200) < 0.5]
    gaps = [None if i % 40 == 0 else value for i, value in enumerate(whole)]
    known, some = (compare_agents(table(agent, won, source), 119, rng) for source in (whole, gaps))
    assert known.p_value == some.p_value == pytest.approx(1 / 120)
    assert some.chi2 == pytest.approx(known.chi2, rel=0.05)


def test_an_unknown_value_is_the_average_of_the_same_agents_known_ones() -> None:
    agent = np.array([1, 1, 1, 1, 1, 2, 2, 2, 3])
    source = ["web", "web", "web", "fair", None, "fair", "fair", None, None]
    X = _design_with_own_mix(table(agent, np.ones(9), source), (np.array([0.5, 0.5]),))
    assert X[:, 0].tolist() == [1.0] * 9
    assert X[0] == pytest.approx([1, 0.5, -0.5, 0, 0])
    assert X[4] == pytest.approx([1, 0, 0, 0.25, -0.25])  # three of four from the web
    assert X[7] == pytest.approx([1, 0, 0, -0.5, 0.5])
    assert X[8].tolist() == [1, 0, 0, 0, 0]  # of whom nothing is known: everybody's
    everything = _design_with_own_mix(table(agent[:4], np.ones(4), source[:4]), (np.array([0.5, 0.5]),))
    assert everything.shape == (4, 3)


def test_the_statistic_weighs_agents_by_what_their_outcomes_tell() -> None:
    """The score against log-odds that spread by 0.3: of many outcomes an agent's sum counts for less."""
    agent = np.repeat([1, 2, 3], [20, 100, 400])
    won = np.concatenate([np.arange(n) < wins for n, wins in ((20, 15), (100, 40), (400, 205))])
    whole = table(agent, won, ["web"] * 520)
    statistics, (pearson, df) = _shuffle(_win_sample(whole), [-1], 0, np.random.default_rng(0))
    rate, n = 260 / 520, np.array([20.0, 100.0, 400.0])
    deviation, variance = np.array([15.0, 40.0, 205.0]) - rate * n, n * rate * (1 - rate)
    assert statistics[0, 0] == pytest.approx(np.sum(deviation**2 / (1 + 0.09 * variance)), rel=1e-4)
    assert (pearson, df) == (pytest.approx(np.sum(deviation**2 / variance), rel=1e-4), 2)


def test_what_is_left_by_value_says_nothing_of_the_agent() -> None:
    """Also of an agent with so few outcomes that their variance is far below 1, and of one with none."""
    variance = np.array([0.2, 0.1, 5.0, 15.0, 0.0, 0.0])
    left = _remove_agent_level(np.array([0.6, 0.3, -4.0, 8.0, 0.0, 0.0]), variance, 2)
    assert left == pytest.approx([0.0, 0.0, -5.0, 5.0, 0.0, 0.0])
