"""Buy-till-you-die: recovery of known parameters, agreement with the published formula, no overflow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import hyp2f1

from dealwright.errors import EvidenceError
from dealwright.plan.prediction.btyd import (
    GammaGamma,
    OrderHistory,
    OrderTiming,
    fit_buy_till_you_die,
    regularity,
)


def history_of(rows):
    """Return customers given as (repeats, last day, age, repeat value), without two gaps to compare."""
    columns = np.array(rows, dtype=np.float64).T
    return OrderHistory(*columns, np.full(len(rows), np.nan))


def simulated(n, rng, k=1, r=0.6, alpha=20.0, a=0.8, b=2.5, p=6.0, q=4.0, v=15.0, days=300.0):
    """Draw customers from the models themselves; also return what each orders in the 200 days after."""
    rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    unit = rng.gamma(q, 1 / v, n)
    columns = np.full((n, 5), np.nan)
    later = np.zeros(n)
    for i in range(n):
        at, times, spend = 0.0, [0.0], 0.0
        while rng.random() > leave[i]:
            at += rng.gamma(k, 1 / rate[i])
            if at > days + 200:
                break
            if at <= days:
                times.append(at)
                spend += rng.gamma(p, 1 / unit[i])
            else:
                later[i] += 1
        count = len(times) - 1
        share = (times[-2] - times[-3]) / (times[-1] - times[-3]) if count > 1 else np.nan
        columns[i] = count, times[-1], days, spend / count if count else 0.0, share
    return OrderHistory(*columns.T), later


@pytest.mark.parametrize(("k", "alpha"), [(1, 20.0), (6, 3.0)])
def test_recovers_the_law_customers_follow(k, alpha):
    rng = np.random.default_rng(1)
    history, later = simulated(6_000, rng, k=k, alpha=alpha)
    model = fit_buy_till_you_die(history, rng)
    assert abs(model.orders.k - k) <= (k > 1)
    assert model.orders.r == pytest.approx(0.6, rel=0.15)
    assert model.orders.alpha * k / model.orders.k == pytest.approx(alpha, rel=0.25)
    assert model.orders.a / (model.orders.a + model.orders.b) == pytest.approx(0.8 / 3.3, abs=0.03)
    expected = model.orders.expected_orders(history, 200.0)
    assert expected.sum() == pytest.approx(later.sum(), rel=0.06)
    silent = model.orders.probability_silent(history, 200.0)
    assert silent.mean() == pytest.approx((later == 0).mean(), abs=0.02)
    for part in np.array_split(np.argsort(expected), 5):  # right by group, not in total only
        assert expected[part].mean() == pytest.approx(later[part].mean(), rel=0.15, abs=0.05)
    mean = model.value.expected_value(history_of([[0.0, 0.0, 300.0, 0.0]]))[0]
    assert mean == pytest.approx(6.0 * 15.0 / 3.0, rel=0.1)


def test_expected_orders_is_the_published_formula():
    model = OrderTiming(
        r=0.243, alpha=4.414, a=0.793, b=2.426
    )  # Fader, Hardie & Lee (2005), table 2, in weeks
    t = 39.0
    for x, t_x, t_all in ((2.0, 30.43, 38.86), (0.0, 0.0, 38.86), (26.0, 38.0, 38.86)):
        # as in the paper's equation (10), for customers who may leave after their first order too
        shape, rate, stay = model.r + x, model.alpha + t_all, model.b + x + 1.0
        total = model.a + stay - 1.0
        left = model.a / (model.b + x) * (rate / (model.alpha + t_x)) ** shape
        series = hyp2f1(shape, stay, total, t / (rate + t))
        published = total / (model.a - 1) * (1 - (rate / (rate + t)) ** shape * series) / (1 + left)
        found = model.expected_orders(history_of([[x, t_x, t_all, 10.0]]), t)[0]
        assert found == pytest.approx(published, rel=1e-3)


def test_silence_of_regular_customers_means_that_they_left():
    # an order every ten days, then forty days of silence
    history = history_of([[20, 200, 240, 9.0], [20, 200, 205, 9.0]])
    late, due = OrderTiming(8.0, 10.0, 0.5, 20.0, k=8).probability_alive(history)
    at_random, _ = OrderTiming(8.0, 80.0, 0.5, 20.0, k=1).probability_alive(history)
    assert late < 0.05 < 0.4 < at_random
    assert due > 0.95


@pytest.mark.parametrize("k", [1, 4, 12])
def test_regularity_is_read_off_two_gaps_whatever_the_rates(k):
    rng = np.random.default_rng(2)
    first, second = rng.gamma(k, 1 / rng.gamma(0.5, 1.0, 4_000), (2, 4_000))
    history = OrderHistory(*np.ones((4, 4_000)), first / (first + second))
    assert regularity(history) == pytest.approx(k, abs=k / 8)


def test_a_few_who_spend_most_do_not_lift_everybody():
    rng = np.random.default_rng(3)
    n = 2_000
    value = rng.lognormal(3.0, 1.6, n)  # tails that the gamma laws do not have
    repeats = rng.integers(0, 4, n).astype(np.float64)
    history = OrderHistory(
        repeats, repeats * 40.0, np.full(n, 200.0), np.where(repeats > 0, value, 0.0), np.full(n, np.nan)
    )
    expected = fit_buy_till_you_die(history, rng).value.expected_value(history)
    assert expected[repeats == 0][0] == pytest.approx(value[repeats > 0].mean(), rel=1e-6)


def test_busy_customers_and_the_edge_of_the_formula_stay_finite():
    history = history_of([[0, 0, 0, 0], [5_000, 364, 365, 9.0], [3, 10, 365, 2.0], [4, 365, 365, 2.0]])
    for a in (1e-4, 0.2, 1.0, 3.0):
        for k in (1, 12):
            model = OrderTiming(0.5, 10.0, a, 2.0, k)
            expected = model.expected_orders(history, 180.0)
            assert np.isfinite(expected).all()
            assert (expected >= 0).all()
            if k == 1:  # thirteen orders a day, then a whole day without: the regular one has left
                assert expected[1] > expected[2]
            silent = model.probability_silent(history, 180.0)
            assert ((silent >= 0) & (silent <= 1)).all()


def test_more_own_orders_count_more_than_the_population():
    value = GammaGamma(6.0, 4.0, 15.0)
    history = history_of([[0, 0, 9, 0], [1, 5, 9, 90.0], [50, 5, 9, 90.0]])
    nobody, once, often = value.expected_value(history)
    assert nobody == pytest.approx(30.0)
    assert nobody < once < often < 90.0


@pytest.mark.parametrize("repeats", [np.zeros(100), np.array([1.0, 2.0, 3.0])])
def test_says_when_there_is_no_rhythm(repeats):
    n = len(repeats)
    history = OrderHistory(
        repeats, repeats * 10, np.full(n, 100.0), np.where(repeats > 0, 5.0, 0.0), np.full(n, np.nan)
    )
    with pytest.raises(EvidenceError, match="purchase rhythm"):
        fit_buy_till_you_die(history, np.random.default_rng(0))
