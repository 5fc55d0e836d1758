"""Boosted symmetric trees: interactions with few rows, three losses, no leak through rare levels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss

from dealwright.plan.prediction.design import Design
from dealwright.plan.prediction.trees import Encoder, SymmetricTrees


def rows_with_an_interaction(n, seed):
    """Who is in group 0 with a small first number, or has both other numbers large, leaves."""
    rng = np.random.default_rng(seed)
    numeric, codes = rng.random((n, 4)), rng.integers(0, 3, (n, 1))
    rule = ((codes[:, 0] == 0) & (numeric[:, 0] < 0.4)) | ((numeric[:, 1] > 0.6) & (numeric[:, 2] > 0.7))
    chance = np.where(rule, 0.85, 0.05)
    return (
        Design(numeric.astype(np.float32), codes.astype(np.int16), (3,)),
        (rng.random(n) < chance).astype(np.float64),
        chance,
    )


def stacked(design):
    """Numbers, then codes, in one matrix (no code is missing here)."""
    return np.column_stack([design.numeric, design.codes])


def test_finds_interactions_that_leafwise_trees_need_more_rows_for():
    design, label, _ = rows_with_an_interaction(1_500, 1)
    later, actual, chance = rows_with_an_interaction(4_000, 2)
    ours = SymmetricTrees.fitted(design, label, "probability", np.random.default_rng(0)).predict(later)
    reference = HistGradientBoostingClassifier(random_state=0, categorical_features=[4]).fit(
        stacked(design), label
    )
    truth = log_loss(actual, chance)
    assert log_loss(actual, ours) < truth + 0.06
    assert log_loss(actual, ours) < log_loss(actual, reference.predict_proba(stacked(later))[:, 1])


@pytest.mark.parametrize("kind", ["spend", "amount"])
def test_means_are_right_on_their_own_scale(kind):
    rng = np.random.default_rng(3)
    numeric = rng.random((3_000, 2))
    mean = 2_000.0 * numeric[:, 0] + 500.0 if kind == "spend" else 3_000.0 * numeric[:, 0] - 1_000.0
    target = mean * rng.gamma(4.0, 0.25, 3_000) if kind == "spend" else mean + rng.normal(0, 300, 3_000)
    design = Design(numeric.astype(np.float32), np.empty((3_000, 0), dtype=np.int16), ())
    predicted = SymmetricTrees.fitted(design, target, kind, rng).predict(design)
    assert predicted.mean() == pytest.approx(target.mean(), rel=0.03)
    assert np.abs(predicted - mean).mean() < 0.1 * np.abs(mean).mean()


def test_missing_values_are_a_bin_of_their_own_and_unseen_levels_are_average():
    rng = np.random.default_rng(4)
    numeric = rng.random((2_000, 1))
    numeric[:600] = np.nan
    codes = rng.integers(0, 30, (2_000, 1)).astype(np.int16)
    label = (rng.random(2_000) < np.where(np.isnan(numeric[:, 0]), 0.9, 0.2)).astype(np.float64)
    design = Design(numeric.astype(np.float32), codes, (31,))
    model = SymmetricTrees.fitted(design, label, "probability", rng)
    probe = Design(
        np.array([[np.nan], [0.5]], dtype=np.float32), np.array([[31], [31]], dtype=np.int16), (31,)
    )
    missing, present = model.predict(probe)
    assert missing > 0.8 > 0.3 > present


def test_the_code_of_a_rare_level_does_not_hold_its_rows_own_label():
    rng = np.random.default_rng(5)
    n = 600
    codes = np.arange(n, dtype=np.int16)[:, None] % 300  # two rows per level
    design = Design(rng.random((n, 1)).astype(np.float32), codes, (300,))
    label = (rng.random(n) < 0.3).astype(np.float64)
    _, before = Encoder.fitted(design, label, np.random.default_rng(0))
    flipped = label.copy()
    flipped[17] = 1.0 - flipped[17]
    _, after = Encoder.fitted(design, flipped, np.random.default_rng(0))
    others_with_its_level = np.flatnonzero(codes[:, 0] == codes[17, 0])
    assert set(others_with_its_level) == {17, 317}
    # its own place may only move with everybody's
    assert abs(int(before[1, 17]) - int(after[1, 17])) <= 2


def test_the_same_seed_gives_the_same_trees_to_the_last_bit():
    design, label, _ = rows_with_an_interaction(20_000, 6)  # more rows than one tree takes
    first, again, other = (
        SymmetricTrees.fitted(design, label, "probability", np.random.default_rng(seed)).predict(design)
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()
