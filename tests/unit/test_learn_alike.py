"""Agents who are alike, with leads that are not: the test must not take the leads for the agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.dimensions import Dimension
from dealwright.learn.homogeneity import _fill_with_own_mix, compare_agents
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


def test_equal_agents_with_unlike_leads_that_are_unknown_when_lost_raise_no_alarm() -> None:
    """A lead that was not reached has no source: what its agent usually gets stands in for it."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        agent = rng.integers(1, 9, 2000)
        source = np.where(rng.random(2000) < np.where(agent <= 4, 0.9, 0.1), "web", "fair")
        reached = rng.random(2000) < 0.6
        won = reached & (rng.random(2000) < np.where(source == "web", 0.3, 0.9))
        known = [value if seen else None for value, seen in zip(source.tolist(), reached, strict=True)]
        found = compare_agents(table(agent, won, known), 119, rng)
        alarms += found.tests[0].p_value <= 0.05
    assert alarms <= 8  # 3 are to be expected


def test_an_unknown_value_is_the_average_of_the_same_agents_known_ones() -> None:
    agent = np.array([1, 1, 1, 1, 1, 2, 2, 2, 3])
    source = ["web", "web", "web", "fair", None, "fair", "fair", None, None]
    X = _fill_with_own_mix(table(agent, np.ones(9), source), (np.array([0.5, 0.5]),))
    assert X[:, 0].tolist() == [1.0] * 9
    assert X[4, 1:] == pytest.approx([0.25, -0.25])  # three of four from the web
    assert X[7, 1:] == pytest.approx([-0.5, 0.5])
    assert X[8, 1:].tolist() == [0.0, 0.0]  # of whom nothing is known: everybody's
    assert X[0, 1:] == pytest.approx([0.5, -0.5])
