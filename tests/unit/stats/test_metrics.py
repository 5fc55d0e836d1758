"""Measures agree with scikit-learn's and SciPy's where those exist, count ties fairly, and have intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from dealwright.plan.prediction.calibration import Calibration
from dealwright.plan.prediction.candidates import inverse_logit
from dealwright.plan.prediction.choice import improvement, permutation_p_value
from dealwright.stats import metrics
from dealwright.stats.links import logit


@st.composite
def labelled(draw):
    n = draw(st.integers(8, 60))
    label = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=float)
    label[:2] = 0.0, 1.0  # both classes
    levels = draw(st.lists(st.integers(1, 9), min_size=n, max_size=n))  # many ties
    return label, np.array(levels) / 10.0


@given(labelled())
@settings(max_examples=80, deadline=None)
def test_probability_measures_agree_with_scikit_learn(case):
    label, p = case
    assert metrics.auc(label, p) == pytest.approx(reference.roc_auc_score(label, p))
    assert metrics.average_precision(label, p) == pytest.approx(reference.average_precision_score(label, p))
    assert metrics.log_loss(label, p) == pytest.approx(reference.log_loss(label, p))
    assert metrics.brier(label, p) == pytest.approx(reference.brier_score_loss(label, p))


@given(labelled())
@settings(max_examples=50, deadline=None)
def test_measures_do_not_depend_on_the_order_of_rows(case):
    label, p = case
    turn = np.random.default_rng(0).permutation(len(label))
    for measure in (*metrics.CHURN_MEASURES.values(), *metrics.VALUE_MEASURES.values()):
        assert measure(label, p) == pytest.approx(measure(label[turn], p[turn]), nan_ok=True)


def test_spend_measures():
    rng = np.random.default_rng(1)
    spend, predicted = rng.gamma(1.0, 50.0, 500) * (rng.random(500) < 0.4), 1.0 + rng.gamma(1.0, 20.0, 500)
    assert metrics.spearman(spend, predicted) == pytest.approx(stats.spearmanr(spend, predicted)[0])
    assert metrics.normalised_gini(spend, spend) == pytest.approx(1.0)
    assert metrics.normalised_gini(spend, -spend) < -0.5
    assert metrics.total_bias(spend, np.full(500, spend.mean() * 1.1)) == pytest.approx(0.1)
    losses = metrics.row_losses(spend, predicted, "spend")
    assert losses.mean() == pytest.approx(reference.mean_tweedie_deviance(spend, predicted, power=1.5))


def test_a_constant_prediction_says_nothing():
    label = np.array([0.0, 1.0] * 20)
    same = np.full(40, 0.5)
    assert metrics.auc(label, same) == 0.5
    assert metrics.lift(label, same) == pytest.approx(1.0)
    assert metrics.normalised_gini(label, same) == pytest.approx(0.0)
    assert metrics.calibration_error(label, same) == pytest.approx(0.0)
    assert np.isnan(metrics.auc(np.ones(40), same))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(60):
        score = rng.normal(size=400)
        label = (rng.random(400) < inverse_logit(score)).astype(float)
        found = metrics.estimates(label, inverse_logit(score), "probability", rng)["auc"]
        covered += found.low <= 0.7613 <= found.high  # by quadrature: the AUC of a standard normal score
    assert 50 <= covered <= 60
    assert np.isnan(metrics.estimates(label[:30], inverse_logit(score[:30]), "probability", rng)["auc"].low)


def test_calibration_undoes_overconfidence_and_keeps_the_order():
    rng = np.random.default_rng(4)
    score = rng.normal(-1.0, 1.0, 5_000)
    label = (rng.random(5_000) < inverse_logit(score)).astype(float)
    overconfident = inverse_logit(2.5 * score + 1.0)
    fitted = Calibration.fitted(label, overconfident)
    mended = fitted.apply(overconfident)
    assert fitted.slope == pytest.approx(0.4, abs=0.05)
    assert (
        metrics.calibration_error(label, overconfident)
        > 0.1
        > 0.03
        > metrics.calibration_error(label, mended)
    )
    assert (np.argsort(mended) == np.argsort(overconfident)).all()
    assert Calibration.fitted(np.ones(10), np.full(10, 0.3)) == Calibration()
    assert inverse_logit(logit(np.array([0.0, 1.0]))) == pytest.approx([0.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("kind", ["probability", "spend", "amount"])
def test_shuffled_labels_tell_signal_from_noise(kind):
    rng = np.random.default_rng(5)
    x = rng.random(400)
    target = (rng.random(400) < x).astype(float) * (1.0 if kind == "probability" else 30.0)
    assert permutation_p_value(target, 0.05 + 0.9 * x, kind, rng) == pytest.approx(0.005)
    p_values = [permutation_p_value(target, rng.random(400), kind, rng) for _ in range(20)]
    assert 0.2 < np.mean(p_values) < 0.8
    assert permutation_p_value(target, np.full(400, 0.3), kind, rng) == 1.0


def test_a_gain_is_real_only_beyond_chance():
    rng = np.random.default_rng(6)
    loss = rng.gamma(1.0, 1.0, 2_000)
    assert improvement(loss - 0.1 - rng.normal(0, 0.3, 2_000), loss).is_real
    assert not improvement(loss, loss).is_real
    assert not improvement(loss + 0.1, loss).is_real


def test_lift_and_calibration_error_by_hand():
    """Twenty rows: two places in the top tenth, three rows tied at its edge; bins of two rows each."""
    predicted = np.array([0.95, *[0.9] * 3, *np.linspace(0.8, 0.05, 16)])
    label = np.array([1.0, 1.0, 0.0, 0.0, *[0.0] * 14, 1.0, 1.0])
    # the first row, and one of three that are alike: a third of a hit
    assert metrics.lift(label, predicted) == pytest.approx((1 + 1 / 3) / 2 / 0.2)
    assert metrics.lift(label[:5], predicted[:5]) == pytest.approx(1 / 0.4)  # at least one place
    assert np.isnan(metrics.lift(np.zeros(20), predicted))
    p = np.repeat([0.1, 0.3, 0.5, 0.7], 5)
    bins = metrics.bin_equally(p, 4)
    assert bins.tolist() == np.repeat([0, 1, 2, 3], 5).tolist()
    hits = np.array([0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1], dtype=float)
    # 0.1 against 0, 0.3 against 0.4, 0.5 against 0.6, 0.7 against 1
    assert metrics.calibration_error(hits, p, 4) == pytest.approx((0.1 + 0.1 + 0.1 + 0.3) / 4)
    ten = metrics.bin_equally(np.arange(100.0))
    assert np.bincount(ten).tolist() == [10] * 10


def test_losses_of_amounts_and_errors_in_their_unit():
    target, predicted = np.array([0.0, 10.0, 20.0]), np.array([1.0, 7.0, 24.0])
    assert metrics.rmse(target, predicted) == pytest.approx(np.sqrt((1 + 9 + 16) / 3))
    assert metrics.mae(target, predicted) == pytest.approx(8 / 3)
    assert metrics.total_bias(target, predicted) == pytest.approx(32 / 30 - 1)
    assert np.isnan(metrics.total_bias(np.zeros(3), predicted))
    assert np.isnan(metrics.spearman(target, np.ones(3)))
    assert np.isnan(metrics.normalised_gini(np.ones(3), predicted))
    assert np.isnan(metrics.average_precision(np.ones(3), predicted))
    # a probability of 0 or 1 costs as much as one of a millionth
    sure = metrics.row_log_losses(np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    assert sure == pytest.approx([np.log(1e6), 1e-6, np.log(1e6)], rel=1e-3)
    # the range of a correlation bounds its interval
    reverse = metrics.estimates(np.arange(40.0), -np.arange(40.0), "amount", np.random.default_rng(0))
    assert (reverse["spearman"].low, reverse["spearman"].value) == (-1.0, pytest.approx(-1.0))


def test_rankings_are_compared_within_the_rows_of_one_model():
    """A constant fitted anew to each block ranks nothing; a ranking is the mean over blocks, by size."""
    rng = np.random.default_rng(7)
    block = np.repeat([0, 1, 2], [30, 50, 20])
    label = (rng.random(100) < np.array([0.2, 0.5, 0.8])[block]).astype(float)
    level = np.array([0.2, 0.5, 0.8])[block]
    constant = metrics.estimates(label, level, "probability", rng, block)
    assert constant["auc"].value == 0.5
    assert constant["lift"].value == pytest.approx(1.0)
    assert constant["brier"].value == pytest.approx(reference.brier_score_loss(label, level))
    score = level + rng.normal(0, 0.2, 100).round(1)
    found = metrics.estimates(label, score, "probability", rng, block)["auc"].value
    parts = [reference.roc_auc_score(label[block == k], score[block == k]) for k in range(3)]
    assert found == pytest.approx(np.average(parts, weights=[30, 50, 20]))
    # a block of one class has no ranking and does not count
    label[block == 2] = 1.0
    found = metrics.estimates(label, score, "probability", rng, block)["auc"].value
    parts = [reference.roc_auc_score(label[block == k], score[block == k]) for k in range(2)]
    assert found == pytest.approx(np.average(parts, weights=[30, 50]))
    assert np.isnan(metrics.estimates(np.ones(100), score, "probability", rng, block)["auc"].value)


@pytest.mark.parametrize("rows", [40, 40_000])
def test_the_interval_of_a_mean_is_students(rows):
    """Of a mean the jackknife without each of 20 groups is the error of the group means."""
    rng = np.random.default_rng(rows)
    target, predicted = rng.normal(200.0, 9.0, rows), np.full(rows, 195.0)
    found = metrics.estimates(target, predicted, "amount", rng)["mae"]
    error = np.abs(target - predicted)
    assert found.value == pytest.approx(error.mean())
    half = stats.t.ppf(0.975, 19) * error.std(ddof=1) / np.sqrt(rows)
    assert found.high - found.value == pytest.approx(half, rel=0.5)
    assert found.high + found.low == pytest.approx(2 * found.value)
    exact = []
    for seed in range(12):
        found = metrics.estimates(target, predicted, "amount", np.random.default_rng(seed))["mae"]
        exact.append((found.high - found.value) ** 2)
    assert np.sqrt(np.mean(exact)) == pytest.approx(half, rel=0.12)


def test_an_interval_stays_where_the_measure_can_be():
    label = np.array([0.0, 1.0] * 20)
    found = metrics.estimates(label, 0.01 + 0.98 * label, "probability", np.random.default_rng(0))
    assert (found["auc"].low, found["auc"].value, found["auc"].high) == (1.0, 1.0, 1.0)
    assert found["ece"].low >= 0.0
    assert metrics.estimates(label[:39], label[:39], "amount", np.random.default_rng(0))["mae"].high != 0.0


def delong(won, p):
    """Return the AUC and its error, counting each pair of a win and a loss."""
    pair = np.array([[(a > b) + 0.5 * (a == b) for b in p[won == 0]] for a in p[won == 1]])
    by_win, by_loss = pair.mean(axis=1), pair.mean(axis=0)
    return pair.mean(), by_win.var(ddof=1) / len(by_win) + by_loss.var(ddof=1) / len(by_loss), pair.size


def test_the_interval_of_the_area_under_the_curve_is_delongs():
    rng = np.random.default_rng(8)
    won = (rng.random(80) < 0.4).astype(float)
    p = (0.3 * won + rng.random(80)).round(1)
    value, variance, _ = delong(won, p)
    found = metrics.area_under_curve(won, p)
    half = stats.norm.ppf(0.95) * np.sqrt(variance)
    assert [found.value, found.low, found.high] == pytest.approx(
        [value, value - half, value + half], abs=1e-6
    )
    block = np.repeat([0, 1], [30, 50])
    parts = [delong(won[block == k], p[block == k]) for k in range(2)]
    share = np.array([part[2] for part in parts]) / sum(part[2] for part in parts)
    found = metrics.area_under_curve(won, p, block)
    assert found.value == pytest.approx(share @ [part[0] for part in parts])
    half = stats.norm.ppf(0.95) * np.sqrt(share**2 @ [part[1] for part in parts])
    assert found.high - found.value == pytest.approx(half, abs=1e-6)
    alone = metrics.area_under_curve(np.ones(5), np.arange(5.0))
    assert (alone.value, alone.low, alone.high) == (0.5, 0.0, 1.0)
    # one win: what its place says is worth a quarter of variance
    one = metrics.area_under_curve(np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.4, 0.6]))
    half = stats.norm.ppf(0.95) * np.sqrt(0.25 + 0.5 / 2)
    assert (one.value, one.low, one.high) == pytest.approx((0.5, max(0.5 - half, 0), min(0.5 + half, 1)))


@pytest.mark.parametrize("rows", [400, 4_000])
def test_bootstrap_intervals_are_as_wide_as_the_mean_is_uncertain(rows):
    rng = np.random.default_rng(9)
    p = rng.uniform(0.05, 0.95, rows)
    won = (rng.random(rows) < p).astype(float)
    found = metrics.measure_probabilities(won, p, 2_000, rng)
    assert found.outcomes == rows
    for estimate, losses in ((found.log_loss, metrics.row_log_losses(won, p)), (found.brier, (won - p) ** 2)):
        assert estimate.value == pytest.approx(losses.mean())
        half = stats.norm.ppf(0.95) * losses.std() / np.sqrt(rows)
        assert [estimate.low, estimate.high] == pytest.approx(
            [losses.mean() - half, losses.mean() + half], abs=half / 8
        )
    assert found.ece.value == pytest.approx(metrics.calibration_error(won, p))
    assert found.ece.low <= found.ece.value <= found.ece.high
    wider = metrics.mean_with_interval(won - p, 2_000, rng)
    half = stats.norm.ppf(0.975) * (won - p).std() / np.sqrt(rows)
    assert wider.high - wider.low == pytest.approx(2 * half, rel=0.1)


@pytest.mark.parametrize("kind", ["probability", "spend"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_intervals_are_those_of_every_measure_without_each_group(kind, blocks):
    """What is worked out for all groups at once is what the measure says of the rows that are left."""
    draw = np.random.default_rng(8)
    predicted = (0.05 + 0.9 * draw.random(130)).round(1)
    target = (draw.random(130) < predicted) * (1.0 if kind == "probability" else draw.gamma(2.0, 30.0, 130))
    block = draw.permutation(130) % blocks
    group = np.empty(130, dtype=int)
    group[np.random.default_rng(9).permutation(130)] = np.arange(130) % 20
    found = metrics.estimates(
        target, predicted, kind, np.random.default_rng(9), None if blocks == 1 else block
    )
    for name, measure in metrics.measures_for(kind).items():
        ranked = name in {"auc", "pr_auc", "lift", "spearman", "gini"}
        parts = [block == k for k in range(blocks)] if ranked else [block >= 0]
        left = []
        for g in range(20):
            rows = [part & (group != g) for part in parts]
            values = [measure(target[part], predicted[part]) for part in rows]
            left.append(np.average(values, weights=[part.sum() for part in rows]))
        error = np.sqrt(19 / 20 * ((left - np.mean(left)) ** 2).sum())
        least = -np.inf if name in {"spearman", "gini", "total_bias"} else 0.0
        assert found[name].low == pytest.approx(max(least, found[name].value - 2.093024 * error)), name
