"""The formulas of learning, each written out a second time: likelihoods on a grid, features by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.stats import betabinom, binom, norm

from dealwright.errors import EvidenceError
from dealwright.learn.backtest import calibrated, fit_calibration, is_above_zero
from dealwright.learn.classic import CLASSIC_WEIGHTS, classic_features, fit_classic_weights
from dealwright.learn.findings import check_reliability
from dealwright.learn.fit import _describe_traits
from dealwright.learn.lead_model import design_matrix, fit_amount_model, fit_win_model
from dealwright.learn.model import FIXED_RATIO, FULL_SHRINKAGE
from dealwright.learn.off_policy import estimate_policy_value
from dealwright.learn.shrinkage import (
    SPREADS,
    expect_spread,
    fit_prior_strength,
    fit_ratio_strength,
    fit_value_strength,
)


def counts(seed: int, strength: float, agents: int = 40) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    known = rng.integers(0, 60, agents).astype(float)
    mean = rng.uniform(0.2, 0.6, agents)
    rate = rng.beta(strength * mean, strength * (1 - mean))
    return known, rng.binomial(known.astype(int), rate).astype(float), mean


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("strength", [3.0, 15.0, 1e6])
def test_the_strength_of_the_prior_is_the_likeliest_of_all(seed: int, strength: float) -> None:
    known, won, mean = counts(seed, strength)
    grid = np.exp(np.linspace(np.log(2.0), np.log(1e5), 3_000))
    loss = [-betabinom.logpmf(won, known, m * mean, m * (1 - mean)).sum() for m in grid]
    alike = -binom.logpmf(won, known, mean).sum()
    found = fit_prior_strength(known, won, mean)
    if min(loss) > alike - 0.5:
        assert found == FULL_SHRINKAGE
    else:
        assert found == pytest.approx(grid[int(np.argmin(loss))], rel=0.02)
    assert fit_prior_strength(np.zeros(3), np.zeros(3), np.full(3, 0.5)) == FULL_SHRINKAGE


def test_the_expected_spread_weighs_the_spreads_by_their_likelihood() -> None:
    known, won, mean = counts(1, 6.0, agents=6)
    some = known > 0
    v = (known * mean * (1 - mean))[some]
    likelihood = np.array([
        norm.pdf(won[some], known[some] * mean[some], np.sqrt(v * (1 + s**2 * v))).prod() for s in SPREADS
    ])  # fmt: skip
    expected = likelihood @ np.square(SPREADS) / likelihood.sum()
    assert expect_spread(known, won, mean) == pytest.approx(expected)
    nothing = expect_spread(np.zeros(2), np.zeros(2), np.full(2, 0.5))
    assert nothing == pytest.approx(sum(s**2 for s in SPREADS) / 9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_the_strength_of_values_is_the_likeliest_given_each_agents_level(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    known = rng.integers(0, 40, (30, 3)).astype(float)
    mean = np.full((30, 3), 0.4)
    won = rng.binomial(known.astype(int), np.clip(0.4 + rng.normal(0, spread, (30, 3)), 0.02, 0.98))
    total = np.maximum(known.sum(axis=1, keepdims=True), 1e-12)
    s = total / (total + 20.0)
    left = 1 - known / total * (2 * s - s**2)
    rows = (known > 1) & (left > 0.02)
    k, factor = known[rows], left[rows]
    squared = (won[rows] - 0.4 * k) ** 2 / (k * 0.24)

    def loss(m: float) -> float:
        variance = factor * (1 + (k - 1) / (m + 1))
        return 0.5 * float((factor * (np.log(variance) + squared / variance)).sum())

    grid = np.exp(np.linspace(np.log(2.0), np.log(1e5), 3_000))
    losses = [loss(m) for m in grid]
    found = fit_value_strength(known, won.astype(float), mean, 20.0)
    if min(losses) > loss(1e12) - 0.5:
        assert found == FULL_SHRINKAGE
    else:
        assert found == pytest.approx(grid[int(np.argmin(losses))], rel=0.02)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_the_strength_of_ratios_is_the_likeliest(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    expected = rng.uniform(500.0, 20_000.0, 40)
    expected[0] = 0.0
    total = rng.normal(expected * rng.normal(1.0, spread, 40), np.sqrt(120.0 * expected))
    some = expected > 0

    def loss(t: float) -> float:
        e = expected[some]
        return -norm.logpdf(total[some], e, np.sqrt(120.0 * e + t * e**2)).sum()

    grid = np.exp(np.linspace(np.log(1e-8), np.log(4.0), 3_000))
    losses = [loss(t) for t in grid]
    found = fit_ratio_strength(total, expected, 120.0)
    if min(losses) > loss(0.0) - 0.5:
        assert found == FIXED_RATIO
    else:
        assert found == pytest.approx(120.0 / grid[int(np.argmin(losses))], rel=0.02)
    assert fit_ratio_strength(total[:2], expected[:2], 120.0) == FIXED_RATIO  # one agent with wins
    assert fit_ratio_strength(total, expected, 0.0) == FIXED_RATIO


@pytest.mark.parametrize("mean", [0.16, 0.17])
def test_above_zero_is_the_one_sided_test_at_five_per_cent(mean: float) -> None:
    """A hundred values with a standard deviation of 1: the mean's error is a tenth."""
    value = np.array([1.0, -1.0] * 50)
    value = mean + value / value.std(ddof=1)
    assert is_above_zero(value) == (mean > norm.ppf(0.95) / 10)


@pytest.mark.parametrize("slope", [-3.0, 0.6, 9.0])
def test_calibration_is_platts_with_its_priors(slope: float) -> None:
    rng = np.random.default_rng(3)
    logit = rng.normal(0.0, 1.5, 4_000)
    won = (rng.random(4_000) < 1 / (1 + np.exp(-(0.4 + slope * logit)))).astype(float)

    def badness(w: np.ndarray) -> float:
        eta = w[0] * logit + w[1]
        return -(won * eta - np.logaddexp(0, eta)).sum() + 0.5 * (((w - [1.0, 0.0]) / [0.25, 0.5]) ** 2).sum()

    best = minimize(badness, [1.0, 0.0]).x
    found = fit_calibration(logit, won, 0.07)
    assert found.slope == pytest.approx(np.clip(best[0], 0.2, 2.0), abs=1e-3)
    assert found.intercept == pytest.approx(best[1], abs=1e-3)
    assert found.logit_variance == 0.07
    line = found.intercept + found.slope * 0.5
    assert calibrated(found, np.array([0.5])) == pytest.approx([1 / (1 + np.exp(-line))])


def test_a_value_counts_as_its_difference_from_the_average_lead() -> None:
    design = design_matrix(
        np.array([[0, 1], [1, -1], [-1, 0]]), [np.array([0.75, 0.25]), np.array([0.6, 0.4])]
    )
    assert design.tolist() == pytest.approx(
        np.array([
            [1.0, 0.25, -0.25, -0.6, 0.6],
            [1.0, -0.75, 0.75, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.4, -0.4],
        ])
    )  # fmt: skip


def test_the_lead_model_averages_over_how_much_values_may_differ() -> None:
    """Each prior's weight is its marginal likelihood, by quadrature over bias and effect."""
    codes = np.array([[0]] * 12 + [[1]] * 8)
    won = np.array([1.0] * 9 + [0.0] * 3 + [1.0] * 2 + [0.0] * 6)
    share = [np.array([0.5, 0.5])]
    bias, effect = np.meshgrid(np.linspace(-4, 4, 401), np.linspace(-4, 4, 401), indexing="ij")
    # two values with opposite effects: their difference is what matters
    likelihood = np.exp(
        9 * (bias + effect) - 12 * np.logaddexp(0, bias + effect)
        + 2 * (bias - effect) - 8 * np.logaddexp(0, bias - effect)
        + bias - 2 * np.logaddexp(0, bias)
    )  # fmt: skip
    evidence = []
    for sd in (0.1, 1.0):
        prior = norm.pdf(effect, 0, sd / np.sqrt(2))
        evidence.append((likelihood * prior).sum() / prior[0].sum())
    # what each alone would say
    alone = [fit_win_model(codes, won, share, prior_sds=(sd,)) for sd in (0.1, 1.0)]
    both = fit_win_model(codes, won, share, prior_sds=(0.1, 1.0))
    part = evidence[0] / sum(evidence)
    mixed = part * alone[0].weights[0][0] + (1 - part) * alone[1].weights[0][0]
    assert both.weights[0][0] == pytest.approx(mixed, abs=0.02)
    assert both.weights[0] @ share[0] == pytest.approx(0.0, abs=1e-12)
    off = np.array([item.weights[0][0] for item in alone]) - both.weights[0][0]
    # the spread between the two adds to the variance of each
    between = part * off[0] ** 2 + (1 - part) * off[1] ** 2
    assert both.variance == pytest.approx(
        part * alone[0].variance + (1 - part) * alone[1].variance + between, abs=0.02
    )
    assert between > 0.02


def test_all_won_of_few_is_laplaces_rule() -> None:
    codes = np.full((5, 1), -1)
    found = fit_win_model(codes, np.ones(5), [np.array([1.0])])
    assert 1 / (1 + np.exp(-found.predict_linear(codes))) == pytest.approx(np.full(5, 6 / 7), abs=1e-4)


def test_amounts_of_values_are_shrunk_by_their_dispersion() -> None:
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 2, (300, 1))
    amount = 1000.0 * np.exp(0.5 * codes[:, 0]) * rng.gamma(2.0, 0.5, 300)
    share = [np.array([0.5, 0.5])]
    found = fit_amount_model(codes, amount, share)
    scaled, x = amount / amount.mean(), codes[:, 0] - 0.5
    by_value = np.array([scaled[codes[:, 0] == k].mean() for k in range(2)])[codes[:, 0]]
    dispersion = np.mean((scaled - by_value) ** 2 / by_value)

    def badness(w: np.ndarray) -> float:
        eta = w[0] + x * w[1]
        # two weights of opposite sign, each with a standard deviation of a half: together 1/√2
        return -(scaled * eta - np.exp(eta)).sum() + 0.5 * dispersion * 4 * 2 * (w[1] / 2) ** 2

    best = minimize(badness, [0.0, 0.0], options={"gtol": 1e-8}).x
    assert found.weights[0] == pytest.approx([-best[1] / 2, best[1] / 2], abs=1e-4)
    assert found.bias == pytest.approx(best[0] + np.log(amount.mean()), abs=1e-4)


def test_another_policys_value_by_hand() -> None:
    """Weights 2, 0.5, 0 and 3, where 40 is clipped."""
    reward = np.array([1.0, 0.0, 1.0, 1.0])
    logged, policy = np.array([0.25, 0.8, 0.5, 0.02]), np.array([0.5, 0.4, 0.0, 0.8])
    found = estimate_policy_value(
        reward, logged, policy, largest_weight=3.0, predicted_logged=np.full(4, 0.5),
        predicted_policy=np.full(4, 0.6),
    )  # fmt: skip
    assert found.outcomes == 4
    assert found.logged.value == 0.75
    assert found.ips.value == pytest.approx((2 + 3) / 4)
    assert found.snips.value == pytest.approx(5 / 5.5)
    assert found.doubly_robust is not None
    assert found.doubly_robust.value == pytest.approx(0.6 + (2 * 0.5 - 0.5 * 0.5 + 3 * 0.5) / 4)
    assert found.effective_outcomes == pytest.approx(5.5**2 / (4 + 0.25 + 9))
    unclipped = estimate_policy_value(reward, logged, policy)
    assert unclipped.ips.value == pytest.approx((2 + 20) / 4)


def past(**columns: list[object]) -> pl.DataFrame:
    """Return six assignments of two agents: the first won two of four, the second one of two."""
    day = datetime(2026, 6, 30)
    known = [day, day - timedelta(days=30), day, None, day - timedelta(days=31), day]
    return pl.DataFrame(
        {
            "agent_id": [1, 1, 1, 1, 2, 2],
            "won": [True, True, False, False, True, False],
            "known_at": known,
            "base_revenue": [100.0, None, 7.0, None, 60.0, None],
            "package_revenue": [20.0, 5.0, None, None, None, None],
            "destination": ["Mars", "Moon", "Mars", None, "Mars", "Moon"],
            "lead_source": ["Ad", "Ad", "Ad", "Web", None, "Web"],
            "requirements": ["LUXURY suite", None, "no luxury", "quiet", "luxury", "luxury"],
            **columns,
        }
    )


AGENTS = pl.DataFrame(
    {
        "agent_id": [1, 2], "rating": [4.5, None], "years_of_service": [3, 8],
        "department": ["Luxury Voyages", "Interplanetary"], "open": [3, 1], "capacity": [10, 0],
    }
)  # fmt: skip


def test_classic_features_by_hand() -> None:
    table = past().join(AGENTS, on="agent_id", maintain_order="left")
    found = classic_features(table).to_dict(as_series=False)
    assert set(found) == set(CLASSIC_WEIGHTS)
    assert found["rating_score"] == [4.5] * 4 + [-np.inf] * 2
    assert found["experience_score"] == [3.0] * 4 + [8.0] * 2
    assert found["revenue_score"] == [120.0, 5.0, 0.0, 0.0, 60.0, 0.0]
    # of the agent's wins, those with the destination
    assert found["dest_expertise_score"] == [0.5, 0.5, 0.5, 0.0, 1.0, 0.0]
    # of its assignments from the source, those won
    assert found["lead_conversion_score"] == pytest.approx([2 / 3] * 3 + [0.0] * 3)
    assert found["communication_score"] == [0.0] * 6  # there is no such column
    # in any case, also negated, as published; only in one department
    assert found["requirements_score"] == [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    # of its wins, those of the 30 days before the latest
    assert found["recency_score"] == [1.0] * 4 + [0.0] * 2
    assert found["availability_score"] == pytest.approx([0.7] * 4 + [1.0] * 2)


def test_classic_weights_are_those_of_a_penalised_regression_on_ranks() -> None:
    rng = np.random.default_rng(5)
    n = 200
    outcomes = pl.DataFrame(
        {
            "agent_id": rng.integers(1, 9, n), "won": rng.random(n) < 0.4,
            "known_at": [datetime(2026, 1, 1) + timedelta(days=int(k)) for k in rng.integers(0, 90, n)],
            "base_revenue": rng.gamma(2.0, 100.0, n), "package_revenue": rng.gamma(2.0, 10.0, n),
            "destination": rng.choice(["Mars", "Moon"], n), "lead_source": rng.choice(["Ad", "Web"], n),
        }
    )  # fmt: skip
    agents = pl.DataFrame(
        {
            "agent_id": range(1, 9), "rating": rng.uniform(3, 5, 8), "years_of_service": range(8),
            "department": ["Luxury Voyages"] * 8, "open": [2] * 8, "capacity": range(3, 11),
        }
    )  # fmt: skip
    found = fit_classic_weights(outcomes, agents)
    assert (found.assignments, found.won) == (n, int(outcomes["won"].sum()))
    features = classic_features(outcomes.join(agents, on="agent_id", maintain_order="left"))
    below = {name: [(features[name] < value).sum() for value in features[name]] for name in CLASSIC_WEIGHTS}
    X = np.array([below[name] for name in CLASSIC_WEIGHTS]).T / (n - 1)
    won = outcomes["won"].to_numpy().astype(float)

    def badness(w: np.ndarray) -> float:
        return -(won * (X @ w) - np.logaddexp(0, X @ w)).sum() + 0.5 * (w**2).sum()

    best = minimize(badness, np.zeros(9), options={"gtol": 1e-8}).x
    assert list(found.weights.values()) == pytest.approx(best.tolist(), abs=1e-4)
    assert found.summary().splitlines()[0] == f"{n} assignments, {found.won} won"
    for nobody in (outcomes.with_columns(won=False), outcomes.with_columns(won=True)):
        with pytest.raises(EvidenceError, match="won and others that were not"):
            fit_classic_weights(nobody, agents)


@pytest.mark.parametrize("n", [90, 30_000])
def test_probabilities_hold_where_their_error_is_one_that_chance_makes(n: int) -> None:
    """In each of ten bins as many are won as were expected but for a stated gap."""
    p = np.repeat(np.linspace(0.1, 0.9, 10), n // 10)
    many = np.round((np.linspace(0.1, 0.9, 10) + 0.02) * n / 10)
    won = (np.arange(n // 10) < many[:, None]).astype(float).ravel()
    found = check_reliability(won, p, np.random.default_rng(0))
    gaps = [won[p == level].mean() - level for level in np.linspace(0.1, 0.9, 10)]
    assert found.ece == pytest.approx(np.abs(gaps).mean())
    assert (found.outcomes, found.predicted, found.observed) == (
        n,
        pytest.approx(0.5),
        pytest.approx(won.mean()),
    )
    drawn = np.random.default_rng(1).binomial(n // 10, np.linspace(0.1, 0.9, 10), (20_000, 10)) / (n // 10)
    errors = np.abs(drawn - np.linspace(0.1, 0.9, 10)).mean(axis=1)
    assert found.p_value == pytest.approx(np.mean(errors >= found.ece - 1e-9), abs=0.04)


def test_traits_that_vary_are_described_by_mean_and_deviation_over_agents() -> None:
    traits = pl.DataFrame(
        {"agent_id": [1, 2, 3], "rating": [1.0, None, 4.0], "same": [2, 2, 2], "name": ["x", "y", "z"]}
    )
    (rating,) = _describe_traits(traits)
    assert (rating.name, rating.mean, rating.sd, rating.weight) == (
        "rating",
        2.5,
        pytest.approx(3 / 2**0.5),
        0.0,
    )
    assert _describe_traits(traits.head(1)) == ()
