"""Additive models: the splines are SciPy's, a curve follows what it is fitted to, missing values count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import BSpline
from sklearn.linear_model import Ridge

from dealwright.plan.prediction import additive
from dealwright.plan.prediction.additive import AdditiveModel, _compression, _enough, _quantiles, _splines
from dealwright.plan.prediction.design import Design
from dealwright.stats.glm import fit_glm


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


def designed(numeric: np.ndarray, codes: np.ndarray | None = None, counts: tuple[int, ...] = ()) -> Design:
    numeric = np.asarray(numeric, dtype=np.float32)
    if codes is None:
        codes = np.empty((len(numeric), 0))
    return Design(numeric, np.asarray(codes, dtype=np.int16), counts)


def hand_made(loss: str) -> AdditiveModel:
    """One number read as it is, one compressed, one category of two levels; curves that are straight."""
    grid = np.linspace(0.0, 1.0, 257)
    curves = np.array([10.0 * grid - 5.0, 2.0 * grid])
    return AdditiveModel(
        loss, 0.5, np.array([0.0, 2.0]), np.array([0.0, 0.0]), np.array([4.0, 3.0]), curves,
        np.array([7.0, -1.0]), (np.array([0.1, 0.2, 0.3, 0.4]),),
    )  # fmt: skip


ROWS = designed(
    [[1.0, 2.0 * np.sinh(1.5)], [-3.0, 0.0], [9.0, 1e6], [np.nan, np.nan], [3.99, 2.0 * np.sinh(0.3)]],
    [[0], [1], [2], [-1], [0]],
    (2,),
)
PARTS = [[-2.5, 1.0, 0.1], [-5.0, 0.0, 0.2], [5.0, 2.0, 0.3], [7.0, -1.0, 0.4], [4.975, 0.2, 0.1]]


def test_contributions_are_read_from_tables_and_beyond_them_stay():
    model = hand_made("squared")
    assert model.contributions(ROWS) == pytest.approx(np.array(PARTS), abs=1e-6)
    assert model.score(ROWS) == pytest.approx(0.5 + np.sum(PARTS, axis=1), abs=1e-5)
    assert model.predict(ROWS) == pytest.approx(model.score(ROWS))
    # many rows are looked up in several goes
    many = ROWS.take(np.arange(5_000) % 5)
    assert model.score(many) == pytest.approx(model.score(ROWS)[np.arange(5_000) % 5])
    bent = replace(model, curves=model.curves**2)
    position = 0.3 * 256
    between = np.interp(position, np.arange(257), bent.curves[0])
    assert bent.contributions(designed([[1.2, 0.0]], [[0]], (2,)))[0, 0] == pytest.approx(between)
    one_value = replace(model, low=np.array([2.0, 0.0]), high=np.array([2.0, 3.0]))
    seen = one_value.contributions(designed([[2.0, 0.0], [1.5, 0.0], [2.5, 0.0]], [[0]] * 3, (2,)))[:, 0]
    assert seen == pytest.approx([-5.0, -5.0, 0.0])


def test_scores_become_what_the_loss_speaks_of():
    score = hand_made("squared").score(ROWS)
    assert hand_made("logistic").predict(ROWS) == pytest.approx(1 / (1 + np.exp(-score)))
    for loss in ("tweedie", "gamma"):
        assert hand_made(loss).predict(ROWS) == pytest.approx(np.exp(score))
        huge = replace(hand_made(loss), intercept=1e3)
        assert huge.predict(ROWS) == pytest.approx(np.full(5, np.exp(50.0)))
        assert replace(huge, intercept=-1e3).predict(ROWS) == pytest.approx(np.full(5, np.exp(-50.0)))


@pytest.mark.parametrize("loss", ["logistic", "tweedie", "gamma", "squared"])
def test_without_columns_everybody_gets_the_mean(loss):
    target = np.array([1.0, 0.0, 0.0, 1.0, 1.0]) + (loss == "gamma")
    nothing = designed(np.empty((5, 0)))
    model = AdditiveModel.fitted(nothing, target, loss=loss, penalty=1.0)
    assert model.predict(nothing) == pytest.approx(np.full(5, target.mean()))


def test_lines_go_on_half_a_range_and_plain_ones_far():
    x = np.array([0.0, 1.0] * 40 + [0.0])
    target = 3.0 * x + 1.0
    for plain, beyond in ((False, 1.5), (True, 1_001.0)):
        model = AdditiveModel.fitted(designed(x[:, None]), target, loss="squared", penalty=1e-6, plain=plain)
        probe = [[-beyond + 1.0], [0.5], [beyond], [beyond + 1.0], [-beyond]]
        expected = [3.0 * (1.0 - beyond) + 1.0, 2.5, 3.0 * beyond + 1.0]
        assert model.predict(designed(probe)) == pytest.approx(
            [*expected, expected[2], expected[0]], rel=1e-4, abs=1e-3
        )
    # three different values are enough for a curve, where one is asked for
    three = np.array([0.0, 1.0, 2.0] * 40)
    bent = AdditiveModel.fitted(designed(three[:, None]), (three - 1) ** 2, loss="squared", penalty=1e-3)
    assert bent.predict(designed([[0.0], [1.0], [2.0], [9.0]])) == pytest.approx([1, 0, 1, 1], abs=0.05)
    straight = AdditiveModel.fitted(
        designed(three[:, None]), (three - 1) ** 2, loss="squared", penalty=1e-3, knots=2
    )
    assert straight.predict(designed([[0.0], [1.0]])) == pytest.approx([2 / 3, 2 / 3], abs=1e-3)


def test_plain_columns_are_not_compressed():
    rng = np.random.default_rng(5)
    x = rng.lognormal(sigma=2.0, size=(400, 1))
    options = {"loss": "squared", "penalty": 1.0, "knots": 2}
    assert AdditiveModel.fitted(designed(x), x[:, 0], **options).scale[0] == pytest.approx(
        np.median(x), rel=1e-5
    )
    plain = AdditiveModel.fitted(designed(x), x[:, 0], plain=True, **options)
    assert plain.scale[0] == 0.0
    assert plain.predict(designed([[20.0]])) == pytest.approx([20.0], rel=0.02)


def test_columns_without_values_or_differences_say_nothing():
    target = np.arange(60.0)
    numeric = np.column_stack([np.full(60, np.nan), np.full(60, 4.0)])
    model = AdditiveModel.fitted(designed(numeric), target, loss="squared", penalty=1.0)
    assert model.predict(designed([[np.nan, 4.0], [3.0, 9.0]])) == pytest.approx([29.5, 29.5])
    assert _compression(np.empty(0, dtype=np.float32)) == 0.0


def test_a_column_is_compressed_where_one_side_is_half_as_wide_again():
    """Quantiles at 2, 50 and 98 % of 0 … 100; the upper ones are moved away from the middle."""
    for side in (1.0, -1.0):
        for stretch, compressed in ((1.49, False), (1.51, True)):
            values = np.arange(101.0) - 50.0
            values[values > 0] *= stretch
            found = _compression(np.sort(side * values).astype(np.float32))
            assert found == pytest.approx(np.median(np.abs(values[values != 0])) if compressed else 0.0)
    few = np.sort(np.repeat([0.0, 1.0, 2.0, 3.0, 30.0], 20)).astype(np.float32)
    assert _compression(few) == 0.0
    assert _compression(np.sort(np.append(few, np.full(20, 40.0))).astype(np.float32)) == 2.5 + 0.5


def test_a_start_from_some_of_the_rows_ends_at_the_same_fit(monkeypatch):
    rng = np.random.default_rng(8)
    x = rng.normal(size=(8_000, 1))
    label = (rng.random(8_000) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.float64)
    seen = []
    monkeypatch.setattr(
        additive,
        "fit_glm",
        lambda *given, **options: seen.append(len(given[1])) or fit_glm(*given, **options),
    )
    model = AdditiveModel.fitted(designed(x), label, loss="logistic", penalty=5.0, knots=2)
    assert seen == [1_000, 8_000]
    monkeypatch.setattr(additive, "_FIRST_ROWS", 1_001)
    again = AdditiveModel.fitted(designed(x), label, loss="logistic", penalty=5.0, knots=2)
    assert seen == [1_000, 8_000, 8_000]
    assert model.predict(designed(x)) == pytest.approx(again.predict(designed(x)), abs=1e-3)


def test_some_rows_are_enough_with_a_tenth_of_a_thousand_in_each_class():
    rare = np.zeros(1_000)
    rare[:100] = 1.0
    assert _enough(rare, "logistic")
    assert _enough(1.0 - rare, "logistic")
    assert _enough(rare, "tweedie")
    assert _enough(np.ones(1_000), "gamma")
    assert not _enough(np.ones(1_000), "logistic")
    assert not _enough(np.append(rare[1:], 0.0), "tweedie")
    assert not _enough(rare[:999], "logistic")
