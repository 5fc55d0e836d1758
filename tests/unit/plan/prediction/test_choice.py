"""Which candidate may predict: one that beats the strongest baseline and chance, by tables made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dealwright.plan.prediction import choice
from dealwright.plan.prediction.candidates import CandidateSet
from dealwright.plan.prediction.choice import Choice, choose, permutation_p_value
from dealwright.plan.prediction.validation import Comparison

AMOUNTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0] * 4)
NOISE = np.array([1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0] * 4)


def chosen(predictions: dict[str, np.ndarray], baselines: tuple[str, ...] = ("base_rate", "rules")) -> Choice:
    """Choose among predictions of `AMOUNTS`, whose loss is their squared error."""
    predictions = {"base_rate": np.full(len(AMOUNTS), AMOUNTS.mean()), **predictions}
    line = CandidateSet("amount", dict.fromkeys(predictions, None), {}, baselines)
    return choose(Comparison(AMOUNTS, predictions), line, np.random.default_rng(0))


def test_the_candidate_with_the_least_loss_is_used_where_it_beats_the_best_baseline() -> None:
    found = chosen(
        {"rules": AMOUNTS + 2.0 * NOISE, "curves": AMOUNTS + 0.5 * NOISE, "trees": AMOUNTS + NOISE}
    )
    assert (found.best, found.champion, found.fallback) == ("curves", "curves", None)
    assert found.p_value == pytest.approx(1 / 200)
    base = (AMOUNTS - 4.5) ** 2
    assert found.table["base_rate"] == {"loss": 5.25, "gain_over_base_rate": 0.0, "gain_error": 0.0}
    assert found.table["trees"] == {
        "loss": pytest.approx(1.0),
        "gain_over_base_rate": pytest.approx(4.25),
        "gain_error": pytest.approx((base - 1).std(ddof=1) / np.sqrt(32)),
    }
    assert found.to_dict() == {
        "best": "curves",
        "champion": "curves",
        "fallback": None,
        "permutation_p_value": found.p_value,
        "candidates": found.table,
    }


def test_the_best_baseline_is_used_where_no_candidate_beats_it() -> None:
    found = chosen({"rules": AMOUNTS + 0.5 * NOISE, "curves": AMOUNTS + NOISE})
    assert (found.best, found.champion) == ("curves", "rules")
    assert found.fallback is not None
    assert found.fallback.startswith("curves does not beat rules beyond chance (gain -0.75 ± 0 per row")
    assert found.p_value == pytest.approx(1 / 200)
    # without candidates the baseline is all there is
    alone = chosen({"rules": AMOUNTS + NOISE})
    assert (alone.best, alone.champion, alone.fallback) == ("rules", "rules", None)


def test_the_base_rate_is_used_where_nothing_beats_it() -> None:
    found = chosen({"rules": 9.0 - AMOUNTS, "curves": AMOUNTS + 3.0 * NOISE})
    assert (found.best, found.champion, found.p_value) == ("curves", "base_rate", 1.0)
    assert found.fallback is not None
    assert found.fallback.startswith("curves does not beat base_rate beyond chance (gain -3.75")
    weak = chosen({"rules": AMOUNTS + 3.0 * NOISE, "curves": AMOUNTS + 4.0 * NOISE})
    assert weak.champion == "base_rate"
    assert chosen({}, ("base_rate",)) == Choice(
        "base_rate", "base_rate", "only the base rate can be used", weak_table(), 1.0
    )


def weak_table() -> dict[str, dict[str, float]]:
    return {"base_rate": {"loss": 5.25, "gain_over_base_rate": 0.0, "gain_error": 0.0}}


@pytest.mark.parametrize(("p_value", "used"), [(0.01, True), (0.0101, False)])
def test_a_gain_counts_where_at_most_one_shuffle_in_a_hundred_is_as_good(monkeypatch, p_value, used) -> None:
    monkeypatch.setattr(choice, "permutation_p_value", lambda *_: p_value)
    found = chosen({"rules": AMOUNTS + 2.0 * NOISE, "curves": AMOUNTS + NOISE})
    assert (found.champion == "curves") is used


def test_a_gain_counts_only_beyond_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thirds of the rows gain 1, the others lose 1: a mean of 1/3, with errors by how many there are."""
    monkeypatch.setattr(choice, "permutation_p_value", lambda *_: 0.0)
    for rows, real in ((21, False), (24, True)):
        gain = np.array([1.0, 1.0, -1.0] * (rows // 3))
        error = np.std(gain, ddof=1) / np.sqrt(rows)
        assert bool(1.645 * error < 1 / 3) is real
        assert choice.improvement(np.full(rows, 5.0), 5.0 + gain).is_real is real
    assert not choice.improvement(np.ones(9), np.ones(9)).is_real
    two = choice.improvement(np.array([1.0, 3.0]), np.array([2.0, 6.0]))
    assert (two.mean, two.error) == pytest.approx((2.0, 1.0))


def test_predictions_that_are_all_equal_fit_shuffled_labels_as_well() -> None:
    rng = np.random.default_rng(0)
    assert permutation_p_value(AMOUNTS, np.full(32, 3.0), "amount", rng) == 1.0
    # those that differ by exactly one unit do not
    upper = (AMOUNTS > 4).astype(float)
    assert permutation_p_value(AMOUNTS, upper, "amount", rng) == pytest.approx(1 / 200)


def test_a_spend_of_nothing_counts_as_a_thousandth_of_the_mean() -> None:
    """The inner product is with −1 / √prediction; here both orders are as likely, by a hand's choice."""
    target = np.array([3.0, 1.0, 1.0, 1.0])
    predicted = np.array([1.5e-3 / 4, 0.0, 0.0, 0.0])  # all below 1.5 / 1000: nothing is told apart
    assert permutation_p_value(target, predicted, "spend", np.random.default_rng(0)) == 1.0
    # the floor is low enough to tell twice of it from nothing
    predicted[0] = 3e-3
    shares = [
        permutation_p_value(target, predicted, "spend", np.random.default_rng(seed)) for seed in range(20)
    ]
    assert np.mean(shares) == pytest.approx((1 + 199 / 4) / 200, abs=0.03)
    # far more than it is predicted for who spends least: every other order fits as well or better
    assert permutation_p_value(target, predicted[::-1], "spend", np.random.default_rng(0)) == 1.0
