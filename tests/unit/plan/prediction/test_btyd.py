"""Buy-till-you-die: the published fit on CDNOW's sample law, recovery of known parameters, no overflow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import hyp2f1

from dealwright.errors import EvidenceError
from dealwright.plan.prediction.btyd import BgNbd, GammaGamma, OrderHistory, fit_buy_till_you_die


def simulated(n, rng, r=0.6, alpha=20.0, a=0.8, b=2.5, p=6.0, q=4.0, v=15.0, days=300.0):
    """Draw customers from the models themselves; also return what each orders in the 200 days after."""
    rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    unit = rng.gamma(q, 1 / v, n)
    columns = np.zeros((n, 4))
    later = np.zeros(n)
    for i in range(n):
        at, last, count, spend = 0.0, 0.0, 0, 0.0
        alive = True
        while alive:
            at += rng.exponential(1 / rate[i])
            if at > days + 200:
                break
            if at <= days:
                count, last = count + 1, at
                spend += rng.gamma(p, 1 / unit[i])
            else:
                later[i] += 1
            alive = rng.random() > leave[i]
        columns[i] = count, last, days, spend / count if count else 0.0
    return OrderHistory(*columns.T), later


def test_recovers_the_law_customers_follow():
    rng = np.random.default_rng(1)
    history, later = simulated(6_000, rng)
    model = fit_buy_till_you_die(history, rng)
    assert model.orders.r == pytest.approx(0.6, rel=0.15)
    assert model.orders.alpha == pytest.approx(20.0, rel=0.2)
    expected = model.orders.expected_orders(history, 200.0)
    assert expected.sum() == pytest.approx(later.sum(), rel=0.06)
    silent = model.orders.probability_silent(history, 200.0)
    assert silent.mean() == pytest.approx((later == 0).mean(), abs=0.02)
    for part in np.array_split(np.argsort(expected), 5):  # right by group, not in total only
        assert expected[part].mean() == pytest.approx(later[part].mean(), rel=0.15, abs=0.05)
    mean = model.value.expected_value(OrderHistory(*np.array([[0.0, 0.0, 300.0, 0.0]]).T))[0]
    assert mean == pytest.approx(6.0 * 15.0 / 3.0, rel=0.1)


def test_expected_orders_is_the_published_formula():
    model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie & Lee (2005), table 2, in weeks
    x, t_x, t_all, t = 2.0, 30.43, 38.86, 39.0
    z = t / (model.alpha + t_all + t)
    published = (
        (model.a + model.b + x - 1)
        / (model.a - 1)
        * (
            1
            - ((model.alpha + t_all) / (model.alpha + t_all + t)) ** (model.r + x)
            * hyp2f1(model.r + x, model.b + x, model.a + model.b + x - 1, z)
        )
        / (1 + model.a / (model.b + x - 1) * ((model.alpha + t_all) / (model.alpha + t_x)) ** (model.r + x))
    )
    history = OrderHistory(*np.array([[x, t_x, t_all, 10.0]]).T)
    assert model.expected_orders(history, t)[0] == pytest.approx(published)
    assert published == pytest.approx(1.226, abs=0.001)  # the paper's worked example


def test_busy_customers_and_the_edge_of_the_formula_stay_finite():
    history = OrderHistory(
        *np.array([[0, 0, 1, 0], [5_000, 364, 365, 9.0], [3, 10, 365, 2.0]], dtype=float).T
    )
    for a in (0.2, 1.0, 3.0):
        expected = BgNbd(0.5, 10.0, a, 2.0).expected_orders(history, 180.0)
        assert np.isfinite(expected).all()
        assert (expected >= 0).all()
        assert expected[1] > expected[2]
    silent = BgNbd(0.5, 10.0, 0.8, 2.0).probability_silent(history, 180.0)
    assert ((silent >= 0) & (silent <= 1)).all()


def test_more_own_orders_count_more_than_the_population():
    value = GammaGamma(6.0, 4.0, 15.0)
    history = OrderHistory(*np.array([[0, 0, 9, 0], [1, 5, 9, 90.0], [50, 5, 9, 90.0]], dtype=float).T)
    nobody, once, often = value.expected_value(history)
    assert nobody == pytest.approx(30.0)
    assert nobody < once < often < 90.0


@pytest.mark.parametrize("repeats", [np.zeros(100), np.array([1.0, 2.0, 3.0])])
def test_says_when_there_is_no_rhythm(repeats):
    n = len(repeats)
    history = OrderHistory(repeats, repeats * 10, np.full(n, 100.0), np.where(repeats > 0, 5.0, 0.0))
    with pytest.raises(EvidenceError, match="purchase rhythm"):
        fit_buy_till_you_die(history, np.random.default_rng(0))
