"""The forest agrees with scikit-learn's about who is odd, and with arithmetic about how long paths are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import IsolationForest as Reference

from dealwright.plan.anomalies.forest import IsolationForest, _mean_length


def cloud(n, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 6))
    rows[: n // 50] += rng.normal(0.0, 5.0, (n // 50, 6))
    return rows.astype(np.float32)


def test_scores_are_those_of_scikit_learn_but_for_the_draw():
    rows = cloud(3_000, 1)
    ours = IsolationForest.fitted(rows, 100, np.random.default_rng(0)).scores(rows)
    first, second = (-Reference(random_state=seed).fit(rows).score_samples(rows) for seed in (1, 2))
    alike = spearmanr(first, second).statistic  # as much as two draws of the reference
    assert spearmanr(ours, first).statistic > alike - 0.01
    assert ours.mean() == pytest.approx(first.mean(), abs=0.01)
    assert ours.std() == pytest.approx(first.std(), abs=0.01)


def test_the_oddest_rows_are_the_planted_ones():
    rows = cloud(3_000, 2)
    scores = IsolationForest.fitted(rows, 100, np.random.default_rng(0)).scores(rows)
    assert np.mean(np.argsort(-scores)[:60] < 60) > 0.7


def test_a_path_is_as_long_as_cutting_at_random_takes_on_average():
    harmonic = sum(1.0 / k for k in range(1, 256))
    assert _mean_length(np.array([0, 1, 2])).tolist() == [0.0, 0.0, 1.0]
    assert _mean_length(np.array([256]))[0] == pytest.approx(2.0 * harmonic - 2.0 * 255 / 256, abs=0.01)


def test_two_rows_are_set_apart_by_one_cut():
    forest = IsolationForest.fitted(np.array([[0.0], [1.0]], dtype=np.float32), 5, np.random.default_rng(0))
    assert forest.lengths.tolist() == [[1.0, 1.0]] * 5
    assert forest.scores(np.array([[0.0], [1.0]], dtype=np.float32)).tolist() == [0.5, 0.5]


def test_equal_rows_cannot_be_set_apart_and_constant_columns_are_never_cut():
    rng = np.random.default_rng(3)
    rows = np.column_stack([np.full(400, 7.0), rng.normal(size=400)]).astype(np.float32)
    forest = IsolationForest.fitted(rows, 20, rng)
    cut = np.isfinite(forest.thresholds)
    assert (forest.features[cut] == 1).all()
    same = IsolationForest.fitted(np.ones((300, 2), dtype=np.float32), 5, rng)
    assert not np.isfinite(same.thresholds).any()
    assert same.scores(np.ones((2, 2), dtype=np.float32)) == pytest.approx([0.5, 0.5])


def test_the_same_draw_gives_the_same_forest():
    rows = cloud(1_000, 4)
    first, again, other = (
        IsolationForest.fitted(rows, 10, np.random.default_rng(seed)).scores(rows) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()
