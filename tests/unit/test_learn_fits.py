"""The statistical parts, each against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from dealwright.learn.evidence import find_needed_outcomes, find_power
from dealwright.learn.findings import wilson_interval
from dealwright.learn.lead_model import design_matrix, fit_amount_model, fit_win_model
from dealwright.learn.model import FIXED_RATIO, FULL_SHRINKAGE
from dealwright.learn.params import LearnParams
from dealwright.learn.shrinkage import fit_prior_strength, fit_ratio_strength, fit_value_strength
from dealwright.stats.glm import count_patterns, fit_glm
from dealwright.stats.metrics import area_under_curve, calibration_error, measure_probabilities


def test_logistic_fit_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = (rng.random(400) < 1 / (1 + np.exp(-(0.3 + X @ [1.0, -0.5, 0.0])))).astype(float)
    ours = fit_glm(
        np.column_stack([np.ones(400), X]),
        y,
        family="binomial",
        prior_precision=np.array([1e-9, 2.0, 2.0, 2.0]),
    )
    theirs = LogisticRegression(C=0.5, tol=1e-10).fit(X, y)
    assert ours.weights[0] == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert ours.weights[1:] == pytest.approx(theirs.coef_[0], abs=1e-4)


def test_counted_rows_give_the_same_fit_as_single_rows() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(-1, 3, size=(500, 2))
    y = (rng.random(500) < 0.4 + 0.1 * codes[:, 0]).astype(float)
    shares = (np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6]))
    patterns, row = count_patterns(codes, [3, 3])
    assert (patterns[row] == codes).all()
    count = np.bincount(row).astype(float)
    single = fit_glm(design_matrix(codes, shares), y, family="binomial", prior_precision=0.1)
    counted = fit_glm(
        design_matrix(patterns, shares),
        np.bincount(row, y) / count,
        family="binomial",
        count=count,
        prior_precision=0.1,
    )
    assert counted.weights == pytest.approx(single.weights, abs=1e-6)
    assert counted.covariance == pytest.approx(single.covariance, abs=1e-6)


def test_many_dimensions_keep_their_patterns_apart() -> None:
    codes = np.random.default_rng(2).integers(-1, 2000, size=(300, 12))
    patterns, row = count_patterns(codes, [2000] * 12)
    assert (patterns[row] == codes).all()
    assert len(patterns) == len(np.unique(codes, axis=0))


def test_a_value_known_only_with_the_booking_betrays_nothing() -> None:
    """Lost leads lack the value: the weights must compare values, not praise leads for having one."""
    rng = np.random.default_rng(3)
    n = 4000
    value = rng.integers(0, 2, n)
    contacted = rng.random(n) < 0.8
    won = (contacted & (rng.random(n) < np.where(value == 0, 0.6, 0.8))).astype(float)
    codes = np.where(contacted, value, -1)[:, None]
    model = fit_win_model(codes, won, (np.array([0.5, 0.5]),))
    assert 1 / (1 + np.exp(-model.bias)) == pytest.approx(won.mean(), abs=0.02)
    # of all leads with the value, reached or not, 0.8 x 0.8 and 0.8 x 0.6 are won
    difference = np.log(0.64 / 0.36) - np.log(0.48 / 0.52)
    assert model.weights[0][1] - model.weights[0][0] == pytest.approx(difference, abs=0.2)
    assert np.array([0.5, 0.5]) @ model.weights[0] == pytest.approx(0, abs=1e-9)


def test_effects_of_noise_are_shrunk_away_and_clear_ones_kept() -> None:
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 20, size=(2000, 1))
    shares = (np.full(20, 0.05),)
    noise = fit_win_model(codes, (rng.random(2000) < 0.5).astype(float), shares)
    assert np.abs(noise.weights[0]).max() < 0.15
    effect = np.linspace(-1.5, 1.5, 20)
    clear = fit_win_model(
        codes, (rng.random(2000) < 1 / (1 + np.exp(-effect[codes[:, 0]]))).astype(float), shares
    )
    assert np.corrcoef(clear.weights[0], effect)[0, 1] > 0.95
    assert np.ptp(clear.weights[0]) > 2.0


def test_expected_amounts_match_the_totals() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 3, size=(3000, 1))
    amount = np.array([100.0, 200.0, 400.0])[codes[:, 0]] * rng.lognormal(-0.02, 0.2, 3000)
    model = fit_amount_model(codes, amount, (np.full(3, 1 / 3),))
    expected = np.exp(model.predict_linear(codes))
    for value in range(3):
        own = codes[:, 0] == value
        assert expected[own].sum() == pytest.approx(amount[own].sum(), rel=0.005)


def test_amounts_of_nothing_are_harmless() -> None:
    model = fit_amount_model(np.zeros((0, 1), dtype=np.int64), np.zeros(0), (np.full(3, 1 / 3),))
    assert model.bias == 0
    assert np.exp(model.predict_linear(np.array([[0], [-1]]))) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("strength", [5.0, 20.0, 80.0])
def test_prior_strength_is_recovered(strength: float) -> None:
    rng = np.random.default_rng(6)
    known = np.full(2000, 60.0)
    mean = rng.uniform(0.3, 0.8, 2000)
    won = rng.binomial(60, rng.beta(strength * mean, strength * (1 - mean))).astype(float)
    assert fit_prior_strength(known, won, mean) == pytest.approx(strength, rel=0.15)


def test_chance_alone_is_shrunk_fully() -> None:
    rng = np.random.default_rng(7)
    mean = np.full(200, 0.6)
    # exactly as spread as chance on average; some draws look a little spread, none may look strongly so
    found = [
        fit_prior_strength(np.full(200, 50.0), rng.binomial(50, mean).astype(float), mean) for _ in range(20)
    ]
    assert np.median(found) > 500
    assert min(found) > 150
    assert fit_prior_strength(np.zeros(3), np.zeros(3), np.full(3, 0.5)) == FULL_SHRINKAGE


@pytest.mark.parametrize("values", [2, 5])
def test_strength_of_values_allows_for_the_agents_own_level(values: int) -> None:
    """Deviations from the agent's own rate are smaller than from the truth: the strength must not double."""
    rng = np.random.default_rng(8)
    agents, each, strength = 3000, 50, 40.0
    rate = rng.beta(strength * 0.6, strength * 0.4, (agents, values))
    known = np.full((agents, values), float(each))
    won = rng.binomial(each, rate).astype(float)
    level = won.sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
    found = fit_value_strength(known, won, np.broadcast_to(level, won.shape), 1e-6)
    assert found == pytest.approx(strength, rel=0.2)
    # where the level is shrunk fully, deviations are from the truth
    whole = fit_value_strength(known, won, np.full(won.shape, 0.6), FULL_SHRINKAGE)
    assert whole == pytest.approx(strength, rel=0.2)


@pytest.mark.parametrize("level_strength", [1e-6, FULL_SHRINKAGE])
def test_values_that_differ_by_chance_are_shrunk_fully(level_strength: float) -> None:
    rng = np.random.default_rng(8)
    strengths = []
    for _ in range(30):
        known = rng.integers(3, 20, (30, 2)).astype(float)
        won = rng.binomial(known.astype(int), 0.65).astype(float)
        own = won.sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
        mean = np.broadcast_to(own if level_strength < 1 else 0.65, won.shape)
        strengths.append(fit_value_strength(known, won, mean, level_strength))
    assert np.mean(np.array(strengths) == FULL_SHRINKAGE) > 0.75


def test_ratio_strength_is_recovered() -> None:
    rng = np.random.default_rng(9)
    expected = rng.uniform(50, 150, 4000)
    ratio = rng.normal(1.0, 0.2, 4000)
    total = ratio * expected + rng.normal(0, np.sqrt(3.0 * expected))
    assert fit_ratio_strength(total, expected, 3.0) == pytest.approx(3.0 / 0.04, rel=0.1)
    same = expected + rng.normal(0, np.sqrt(3.0 * expected))
    assert fit_ratio_strength(same, expected, 3.0) > 3.0 / 0.02**2
    assert fit_ratio_strength(np.array([1.0]), np.array([1.0]), 3.0) == FIXED_RATIO


def test_metrics_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(10)
    p = np.round(rng.random(3000), 2)  # with ties
    y = (rng.random(3000) < p).astype(float)
    found = measure_probabilities(y, p, 500, rng)
    assert found.log_loss.value == pytest.approx(log_loss(y, np.clip(p, 1e-9, 1 - 1e-9)))
    assert found.brier.value == pytest.approx(brier_score_loss(y, p))
    assert found.auc.value == pytest.approx(roc_auc_score(y, p))
    for estimate in (found.log_loss, found.brier, found.auc, found.ece):
        assert estimate.low <= estimate.value <= estimate.high or estimate is found.ece
    assert found.ece.value < 0.03
    assert calibration_error(y, np.clip(p + 0.2, 0, 1)) == pytest.approx(0.18, abs=0.03)


def test_the_calibration_error_is_that_of_bins_of_equally_many() -> None:
    """Within a bin too high and too low cancel out, between bins they do not."""
    p, won = np.array([0.1, 0.3, 0.45, 0.5, 0.6, 0.8]), np.array([0.0, 1.0, 0.0, 0.0, 1.0, 1.0])
    misses = p - won  # 0.1, -0.7, 0.45, 0.5, -0.4, -0.2
    assert calibration_error(won, p, bins=1) == pytest.approx(abs(misses.sum()) / 6)
    assert calibration_error(won, p, bins=2) == pytest.approx((0.15 + 0.1) / 6)
    assert calibration_error(won, p, bins=3) == pytest.approx((0.6 + 0.95 + 0.6) / 6)
    order = np.array([4, 0, 5, 2, 1, 3])
    assert calibration_error(won[order], p[order], bins=3) == pytest.approx(2.15 / 6)


def test_intervals_cover_at_their_level() -> None:
    rng = np.random.default_rng(11)
    covered = {"log_loss": 0, "auc": 0}
    truth_p = np.linspace(0.05, 0.95, 20_000)
    truth_loss = float(np.mean(-truth_p * np.log(truth_p) - (1 - truth_p) * np.log1p(-truth_p)))
    y = (np.random.default_rng(0).random(20_000) < truth_p).astype(float)
    truth_auc = roc_auc_score(y, truth_p)
    for _ in range(200):
        p = rng.uniform(0.05, 0.95, 300)
        found = measure_probabilities((rng.random(300) < p).astype(float), p, 200, rng)
        covered["log_loss"] += found.log_loss.low <= truth_loss <= found.log_loss.high
        covered["auc"] += found.auc.low <= truth_auc <= found.auc.high
    assert all(168 <= count <= 192 for count in covered.values()), covered


@pytest.mark.parametrize(("wins", "losses"), [(1, 1), (2, 1), (1, 3), (2, 2), (7, 5)])
def test_the_interval_of_an_auc_is_that_of_delong(wins: int, losses: int) -> None:
    """By its definition: each win against each loss; of a single one the variance is a coin's."""
    rng = np.random.default_rng(wins + 10 * losses)
    high, low = rng.integers(3, 7, wins) / 8, rng.integers(1, 5, losses) / 8  # with ties
    pairs = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    variance = sum(
        part.var(ddof=1) / len(part) if len(part) > 1 else 0.25
        for part in (pairs.mean(axis=1), pairs.mean(axis=0))
    )
    found = area_under_curve(np.repeat([1.0, 0.0], [wins, losses]), np.concatenate([high, low]))
    half = 1.644854 * np.sqrt(variance)
    assert found.value == pytest.approx(pairs.mean())
    assert found.low == pytest.approx(max(0.0, pairs.mean() - half))
    assert found.high == pytest.approx(min(1.0, pairs.mean() + half))


def test_one_class_has_no_auc() -> None:
    found = measure_probabilities(np.ones(5), np.full(5, 0.7), 50, np.random.default_rng(0))
    assert (found.auc.value, found.auc.low, found.auc.high) == (0.5, 0.0, 1.0)


@given(st.integers(0, 50), st.integers(0, 50))
@settings(deadline=None)
def test_wilson_interval_holds_the_rate(won: int, lost: int) -> None:
    low, high = wilson_interval(float(won), float(won + lost))
    assert 0 <= low <= high <= 1
    if won + lost:
        assert low - 1e-9 <= won / (won + lost) <= high + 1e-9


def test_power_is_that_of_a_simulation() -> None:
    """The needed number of outcomes gives the promised power, when the test is simulated."""
    params = LearnParams()
    agents, rate = 30, 0.7
    needed = find_needed_outcomes(params, np.full(agents, 20), rate)
    assert needed is not None
    each = needed // agents
    assert find_power(0.3, np.full(agents, each * rate * (1 - rate)), params.alpha) == pytest.approx(
        0.8, abs=0.02
    )
    rng = np.random.default_rng(12)
    found = 0
    for _ in range(400):
        p = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + rng.normal(0, 0.3, agents))))
        won = rng.binomial(each, p)
        found += chi2_contingency(np.array([won, each - won]), correction=False).pvalue <= params.alpha
    assert found / 400 == pytest.approx(0.8, abs=0.07)
