"""What the evidence says: true sentences in every corner, with the right numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dealwright.dimensions import Dimension
from dealwright.learn import Evidence, LearnParams, evidence
from dealwright.learn.evidence import find_needed_outcomes, find_power
from dealwright.wording import count_of, describe_p

SOURCE = Dimension("source", ("web", "fair"))
TRAITS = pl.DataFrame({"agent_id": range(1, 11)})


def outcomes(agent: np.ndarray, won: np.ndarray, source: np.ndarray | None = None) -> pl.DataFrame:
    n = len(won)
    start = datetime(2080, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "assignment_id": np.arange(1, n + 1),
            "agent_id": agent.astype(np.int64),
            "assigned_at": [start + timedelta(hours=i) for i in range(n)],
            "known_at": [start + timedelta(hours=i, minutes=30) for i in range(n)],
            "won": won.astype(bool),
            "contacted": np.ones(n, dtype=bool),
            "base_revenue": np.where(won, 100.0, np.nan),
            "package_revenue": np.where(won, 10.0, np.nan),
            "source": (
                source if source is not None else np.array(["web", "fair"])[np.arange(n) % 2]
            ).tolist(),
        },
        schema_overrides={"source": pl.String, "won": pl.Boolean},
    )


def found(agent: np.ndarray, won: np.ndarray, params: LearnParams | None = None) -> Evidence:
    quick = params or LearnParams(permutations=199, bootstrap=20)
    return evidence(outcomes(agent, won), TRAITS, [SOURCE], quick)


def test_one_agent_has_nobody_to_be_compared_with() -> None:
    n = 30
    result = found(np.ones(n), np.arange(n) % 3 > 0)
    assert (result.verdict, result.agents, result.outcomes, result.wins) == ("too little data", 1, 30, 20)
    assert result.needed_outcomes is None
    assert result.power == 0
    assert result.text == (
        "Too little data: all 30 outcomes are of one agent, and there is nobody to compare with. "
        "It takes outcomes of other agents: more of the same agent show nothing."
    )
    assert "chi2" not in result.summary()
    # however many there are
    many = found(np.ones(4000), np.arange(4000) % 3 > 0)
    assert many.text == result.text.replace("30", "4,000")


@pytest.mark.parametrize("n", [40, 4000])
def test_wins_alone_ask_for_the_losses(n: int) -> None:
    result = found(1 + np.arange(n) % 4, np.ones(n))
    assert (result.verdict, result.needed_outcomes, result.power) == ("too little data", None, 0)
    assert result.text == (
        f"Too little data: all {n:,} outcomes are wins, and no loss is among them, as in a table of sales. "
        "It takes the losses as well: more wins show nothing."
    )
    lost = found(1 + np.arange(n) % 4, np.zeros(n))
    assert f"all {n:,} outcomes are losses, and no win is among them. It takes the wins" in lost.text


def test_one_outcome_and_none_are_said_in_the_singular() -> None:
    one = found(np.ones(1), np.ones(1))
    assert one.text.startswith("Too little data: the only outcome is of one agent, and there is nobody")
    assert "And the only outcome is a win, and no loss is among them" in one.text
    nothing = outcomes(np.ones(1), np.ones(1)).with_columns(
        won=pl.lit(None, pl.Boolean), known_at=pl.lit(None, pl.Datetime("us", "UTC"))
    )
    assert evidence(nothing, TRAITS, [SOURCE]).text == "Too little data: no outcome is known yet."


def test_a_number_of_outcomes_is_named_only_where_it_helps() -> None:
    result = found(1 + np.arange(20) % 2, np.arange(20) % 3 > 0)
    assert result.text.startswith(
        "Too little data: 20 outcomes of 2 agents cannot show whether agents differ. "
    )
    assert result.needed_outcomes is not None
    assert (
        f"takes about {result.needed_outcomes:,} outcomes, shared by the same agents as now." in result.text
    )
    enough = found(1 + np.arange(6000) % 10, np.random.default_rng(1).random(6000) < 0.5)
    assert enough.verdict == "no evidence that agents differ"
    assert "There are enough outcomes to have found a spread worth acting on" in enough.text


def test_outcomes_of_one_agent_do_not_make_up_for_those_of_the_other() -> None:
    """Two agents, one with nearly everything: thousands of outcomes, and yet no power."""
    agent = np.where(np.arange(6000) % 1000 == 0, 2, 1)
    won = np.random.default_rng(2).random(6000) < 0.5
    result = found(agent, won)
    assert result.power < 0.05
    assert result.verdict == "too little data"
    assert result.needed_outcomes is not None
    assert result.needed_outcomes > 100_000
    assert "enough outcomes" not in result.text


def test_who_has_no_outcome_is_no_agent_of_the_test() -> None:
    result = found(1 + 2 * (np.arange(40) % 2), np.arange(40) % 3 > 0)
    assert result.agents == 2


@pytest.mark.parametrize(
    "share", [(1, 1, 1, 1), (20, 1, 1, 1), (5, 4, 3, 2, 1), (30, 1), tuple(range(1, 51)), (1, 4) * 75]
)
def test_power_is_that_of_the_test_itself(share: tuple[int, ...]) -> None:
    """Simulated with the test's own statistic, for agents who share the outcomes unequally."""
    each = np.array(share) * max(400, 3 * sum(share)) // sum(share)
    power = find_power(0.6, each * 0.25, 0.05)
    rng = np.random.default_rng(3)

    def statistics(sd: float) -> np.ndarray:
        p = 1 / (1 + np.exp(-rng.normal(0, sd, (20_000, len(each)))))
        won = rng.binomial(each, p)
        residual = won - each * won.sum(axis=1, keepdims=True) / each.sum()
        result: np.ndarray = (residual**2 / (1 + 0.3**2 * each * 0.25)).sum(axis=1)
        return result

    limit = np.quantile(statistics(0.0), 0.95)
    assert power == pytest.approx((statistics(0.6) > limit).mean(), abs=0.04)


def test_needed_outcomes_reach_the_power_they_promise() -> None:
    params = LearnParams()
    for each in (np.array([30, 30, 30]), np.array([300, 20, 5]), np.full(150, 7)):
        needed = find_needed_outcomes(params, each, 0.3)
        assert needed is not None
        information = needed * 0.21 * each / each.sum()
        assert find_power(params.worthwhile_sd, information, params.alpha) == pytest.approx(0.8, abs=0.001)
    assert find_needed_outcomes(params, np.array([30, 0]), 0.3) is None
    assert find_needed_outcomes(params, np.array([30, 30]), 1.0) is None
    assert find_power(0.3, np.zeros(5), 0.01) == 0
    # with very many agents it is computed another way, and comes out the same
    assert find_power(0.3, np.full(101, 12.0), 0.01) == pytest.approx(
        find_power(0.3, np.full(100, 12.0), 0.01), abs=0.02
    )


def test_where_the_shuffles_end_p_is_a_bound() -> None:
    agent = 1 + np.arange(400) // 2 % 2
    result = found(agent, agent == 1, LearnParams(bootstrap=20))
    assert result.verdict == "agents differ"
    assert result.p_value == 0.001
    assert result.text.startswith(
        "Agents differ beyond chance (p ≤ 0.001, 400 outcomes of 2 agents) in: win rate"
    )
    assert "overall: p ≤ 0.001, corrected for 2 tests p ≤ 0.001 (400 outcomes)" in result.summary()
    assert "(p < 0.001" in result.summary()  # the textbook's p-value has no end
    assert not re.search(r"p [=≤] 0\.000|p [=≤] 0\.0010", result.summary())


@pytest.mark.parametrize(
    ("p", "draws", "text"),
    [
        (0.001, 999, "p ≤ 0.001"),
        (0.002, 999, "p = 0.002"),
        (0.0004, None, "p < 0.001"),
        (0.001, None, "p ≤ 0.001"),
        (1 / 120, 119, "p ≤ 0.009"),
        (2 / 120, 119, "p = 0.017"),
        (0.0432, 999, "p = 0.043"),
        (0.957, 999, "p = 0.96"),
        (1.0, None, "p = 1.00"),
    ],
)
def test_p_values_are_written_one_way(p: float, draws: int | None, text: str) -> None:
    assert describe_p(p, draws) == text


def test_a_number_agrees_with_its_noun() -> None:
    assert [count_of(n, "outcome") for n in (0, 1, 2, 1200)] == [
        "0 outcomes", "1 outcome", "2 outcomes", "1,200 outcomes",
    ]  # fmt: skip
    assert count_of(2, "lead waits", "leads wait") == "2 leads wait"


def test_the_summary_has_the_plain_table_that_people_compute_by_hand() -> None:
    """Two agents: 30 of 40 won by one, 18 of 40 by the other, so 6 more and 6 fewer than the 24 expected."""
    agent = np.tile([1, 2], 40)
    won = np.where(agent == 1, np.arange(80) // 2 < 30, np.arange(80) // 2 < 18)
    result = found(agent, won)
    assert (result.plain_chi2, result.plain_df) == (pytest.approx(2 * 6**2 / 24 + 2 * 6**2 / 16), 1)
    lines = result.summary().splitlines()
    by_hand = "chi2 = 7.5 on 1 df (p = 0.006, 80 bookings)."
    assert f"Confirmed against cancelled bookings, leads ignored: {by_hand}" in lines
    assert f"Wins against those expected from the leads: chi2 = {result.chi2:.1f} on 1 df" in result.summary()
