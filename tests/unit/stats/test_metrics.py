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
