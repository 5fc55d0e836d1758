"""Additive models: the splines are SciPy's, a curve follows what it is fitted to, missing values count."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline
from sklearn.linear_model import Ridge

from dealwright.plan.prediction.additive import AdditiveModel, _compression, _quantiles, _splines
from dealwright.plan.prediction.design import Design


@pytest.mark.parametrize("knots", [[0.0, 1.0, 3.0], [-2.0, -1.5, 0.0, 4.0, 5.0]])
def test_splines_are_those_of_scipy(knots):
    places = np.linspace(knots[0], knots[-1], 101)
    ours = np.empty((len(places), len(knots) + 2))
    _splines(places, np.array(knots), ours)
    first, last = knots[1] - knots[0], knots[-1] - knots[-2]
    every = [*(knots[0] - first * k for k in (3, 2, 1)), *knots, *(knots[-1] + last * k for k in (1, 2, 3))]
    theirs = BSpline.design_matrix(places, every, 3).toarray()
    assert ours == pytest.approx(theirs, abs=1e-12)
    assert ours.sum(axis=1) == pytest.approx(np.ones(101))


def test_quantiles_of_ordered_values_are_numpys():
    values = np.sort(np.random.default_rng(0).normal(size=37))
    shares = np.array([0.0, 0.02, 0.5, 0.77, 1.0])
    assert _quantiles(values, shares) == pytest.approx(np.quantile(values, shares))


def test_only_heavily_skewed_columns_of_many_values_are_compressed():
    rng = np.random.default_rng(1)
    normal, skewed = np.sort(rng.normal(size=500)), np.sort(rng.lognormal(sigma=2.0, size=500))
    assert _compression(normal.astype(np.float32)) == 0.0
    assert _compression(skewed.astype(np.float32)) == pytest.approx(np.median(skewed), rel=1e-6)
    assert _compression(np.sort(rng.choice([0, 0, 0, 1, 2, 3, 4, 50], 500)).astype(np.float32)) > 0.0
    assert _compression(np.sort(rng.choice([0, 0, 0, 1, 2, 3, 50], 500)).astype(np.float32)) == 0.0


def test_a_curve_follows_a_wave_and_missing_values_have_their_own_level():
    rng = np.random.default_rng(2)
    x = rng.uniform(-3.0, 3.0, 4_000)
    target = np.sin(x) + rng.normal(0.0, 0.1, x.size)
    x[:800] = np.nan
    target[:800] = 5.0
    design = Design(x[:, None].astype(np.float32), np.empty((x.size, 0), dtype=np.int16), ())
    model = AdditiveModel.fitted(design, target, loss="squared", penalty=1.0)
    probe = np.array([[-2.0], [0.0], [1.5], [np.nan]], dtype=np.float32)
    predicted = model.predict(Design(probe, np.empty((4, 0), dtype=np.int16), ()))
    assert predicted == pytest.approx([np.sin(-2.0), 0.0, np.sin(1.5), 5.0], abs=0.15)


def test_straight_lines_and_levels_are_a_ridge_regression_of_standardised_columns():
    rng = np.random.default_rng(3)
    numeric, codes = rng.normal(size=(900, 2)), rng.integers(0, 3, (900, 1))
    target = numeric @ [2.0, -1.0] + codes[:, 0] + rng.normal(size=900)
    design = Design(numeric.astype(np.float32), codes.astype(np.int16), (3,))
    ours = AdditiveModel.fitted(design, target, loss="squared", penalty=7.0, knots=2)
    columns = np.column_stack([numeric, codes == [0, 1, 2]])
    reference = Ridge(alpha=7.0).fit((columns - columns.mean(axis=0)) / columns.std(axis=0), target)
    expected = reference.predict((columns - columns.mean(axis=0)) / columns.std(axis=0))
    assert ours.predict(design) == pytest.approx(expected, abs=0.02)  # curves are read from tables


def test_a_column_in_tiny_or_huge_units_counts_as_much_as_in_ordinary_ones():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1_000, 1))
    label = (rng.random(1_000) < 1.0 / (1.0 + np.exp(-2.0 * x[:, 0]))).astype(np.float64)
    empty = np.empty((1_000, 0), dtype=np.int16)
    found = [
        AdditiveModel.fitted(
            Design((unit * x).astype(np.float32), empty, ()), label, loss="logistic", penalty=10.0,
            knots=2, plain=plain,
        ).predict(Design((unit * x).astype(np.float32), empty, ()))
        for unit in (1e-9, 1.0, 1e9)
        for plain in (False, True)
    ]  # fmt: skip
    for other in found[1:]:
        assert other == pytest.approx(found[0], abs=2e-3)
    assert found[0].std() > 0.2
