"""Buy till you die: BG/NBD for how often customers order, Gamma-Gamma for how much they spend.

Both are fitted by maximum likelihood from three numbers per customer: repeat orders `x`, the time of the
last one `t_x` and the time observed `T` (both counted from the first order). They know nothing but the
calendar, so they get the *level* of a horizon right that no supervised model has ever seen; see `levels`.

References
----------
.. [1] P. S. Fader, B. G. S. Hardie & K. L. Lee (2005), "Counting your customers" the easy way: an alternative
   to the Pareto/NBD model, Marketing Science 24(2), 275-284. Likelihood: equation (6); expectation: (10).
.. [2] P. S. Fader & B. G. S. Hardie (2013), The Gamma-Gamma model of monetary value, equations (1a) and (5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, gammaln, hyp2f1

from dealwright.errors import EvidenceError

Floats = NDArray[np.float64]

MIN_CUSTOMERS = 20
MIN_REPEATERS = 10
_MAX_FIT_ROWS = 50_000
_LOG_BOUND = 10.0  # parameters stay within exp(±10): beyond it the likelihood is flat
_STARTS = ((-1.0, 0.0, -0.5, 1.0), (0.7, 1.0, -1.0, 1.0))


@dataclass(frozen=True, slots=True)
class OrderHistory:
    """What BG/NBD and Gamma-Gamma need of each customer, one element each.

    Attributes
    ----------
    repeats
        Days with an order after the first one (`x`).
    last_day
        Days from the first order to the last (`t_x`).
    age_day
        Days from the first order to the cut-off (`T`).
    repeat_value
        Mean spend in EUR on a repeat day; 0 where there is none.
    """

    repeats: Floats
    last_day: Floats
    age_day: Floats
    repeat_value: Floats

    def __len__(self) -> int:
        return len(self.repeats)

    def take(self, rows: NDArray[Any]) -> OrderHistory:
        """Return the customers `rows` (indices or a mask) points at."""
        return OrderHistory(
            self.repeats[rows], self.last_day[rows], self.age_day[rows], self.repeat_value[rows]
        )


@dataclass(frozen=True, slots=True)
class BgNbd:
    """BG/NBD: customers order at random, and each order may be the last one.

    Rates are gamma(`r`, `alpha`), `alpha` in days; the chance of leaving after an order is beta(`a`, `b`).
    References: [1]_.
    """

    r: float
    alpha: float
    a: float
    b: float

    def probability_alive(self, history: OrderHistory) -> Floats:
        """Return P(alive at the cut-off) of each customer; 1 without a repeat order, as [1]_ has it."""
        x = history.repeats
        log_odds_dead = (
            np.log(self.a)
            - np.log(self.b + np.maximum(x, 1.0) - 1.0)
            + (self.r + x) * (np.log(self.alpha + history.age_day) - np.log(self.alpha + history.last_day))
        )
        return np.asarray(np.where(x > 0, expit(-log_odds_dead), 1.0))

    def expected_orders(self, history: OrderHistory, horizon_days: float) -> Floats:
        """Return the expected number of order days of each customer in the next `horizon_days`.

        Equation (10) of [1]_ after Euler's transformation of the hypergeometric function, which neither
        overflows nor slows down for customers with hundreds of orders.
        """
        a = self.a if abs(self.a - 1.0) > 1e-5 else 1.0 + 1e-5  # removable singularity at a = 1
        x, z = history.repeats, horizon_days / (self.alpha + history.age_day + horizon_days)
        c = a + self.b + x - 1.0
        series = hyp2f1(a + self.b - 1.0 - self.r, a - 1.0, c, z)
        orders = c / (a - 1.0) * (1.0 - (1.0 - z) ** (a - 1.0) * series)
        return np.asarray(np.maximum(orders, 0.0) * self.probability_alive(history), dtype=np.float64)

    def probability_silent(self, history: OrderHistory, horizon_days: float) -> Floats:
        """Return P(no order in the next `horizon_days`): dead, or alive and not ordering."""
        alive = self.probability_alive(history)
        base = self.alpha + history.age_day
        waits = np.exp((self.r + history.repeats) * (np.log(base) - np.log(base + horizon_days)))
        return np.asarray(1.0 - alive + alive * waits)


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Gamma-Gamma: a customer's orders vary around a mean that varies between customers. References: [2]_."""

    p: float
    q: float
    v: float

    def expected_value(self, history: OrderHistory) -> Floats:
        """Return the expected spend in EUR per order day, shrunk to the population's mean (equation 5)."""
        x = np.where(history.repeat_value > 0, history.repeats, 0.0)
        population = self.p * self.v / (self.q - 1.0)
        own = self.p * x / (self.p * x + self.q - 1.0)
        return np.asarray((1.0 - own) * population + own * history.repeat_value, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class BuyTillYouDie:
    """Both models together: who still orders, how often, for how much."""

    orders: BgNbd
    value: GammaGamma


def fit_buy_till_you_die(history: OrderHistory, rng: np.random.Generator) -> BuyTillYouDie:
    """Fit BG/NBD and Gamma-Gamma by maximum likelihood.

    Beyond 50,000 customers a random sample of that size is used: six and three parameters need no more.

    Raises
    ------
    EvidenceError
        Fewer than 20 customers, or fewer than 10 who ordered again: nothing to learn a rhythm from.
    """
    repeaters = int(np.count_nonzero(history.repeats > 0))
    if len(history) < MIN_CUSTOMERS or repeaters < MIN_REPEATERS:
        raise EvidenceError(
            f"{len(history)} customers with orders, {repeaters} of them with more than one: "
            f"a purchase rhythm needs at least {MIN_CUSTOMERS} and {MIN_REPEATERS}"
        )
    if len(history) > _MAX_FIT_ROWS:
        history = history.take(rng.choice(len(history), _MAX_FIT_ROWS, replace=False))
    return BuyTillYouDie(_fit_bg_nbd(history), _fit_gamma_gamma(history))


def _fit_bg_nbd(history: OrderHistory) -> BgNbd:
    scale = float(history.age_day.max()) or 1.0
    x, t_x, t_all = history.repeats, history.last_day / scale, history.age_day / scale

    def loss(log_params: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = params = np.exp(log_params)
        log_alive, log_dying = np.log(alpha + t_all), np.log(alpha + t_x)
        again = b + np.maximum(x, 1.0) - 1.0
        alive = -(r + x) * log_alive
        dying = np.where(x > 0, np.log(a) - np.log(again) - (r + x) * log_dying, -np.inf)
        either = np.logaddexp(alive, dying)
        dead = np.exp(dying - either)
        log_likelihood = (
            gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b) + either
        )
        gradient = np.array(
            [
                (
                    digamma(r + x) - digamma(r) + np.log(alpha) - (1 - dead) * log_alive - dead * log_dying
                ).mean(),
                (r / alpha - (r + x) * ((1 - dead) / (alpha + t_all) + dead / (alpha + t_x))).mean(),
                (digamma(a + b) - digamma(a + b + x) + dead / a).mean(),
                (digamma(b + x) - digamma(b) + digamma(a + b) - digamma(a + b + x) - dead / again).mean(),
            ]
        )
        return -float(log_likelihood.mean()), -gradient * params

    r, alpha, a, b = _minimum(loss, _STARTS)
    return BgNbd(r, alpha * scale, a, b)


def _fit_gamma_gamma(history: OrderHistory) -> GammaGamma:
    spending = (history.repeats > 0) & (history.repeat_value > 0)
    x, mean = history.repeats[spending], history.repeat_value[spending]
    if len(x) < MIN_REPEATERS:
        raise EvidenceError(
            f"only {len(x)} customers spent a positive amount on a repeat order: "
            f"spend per order needs at least {MIN_REPEATERS}"
        )
    scale = float(np.median(mean))
    z = mean / scale

    def loss(log_params: Floats) -> tuple[float, Floats]:
        p, q_over, v = params = np.exp(log_params)
        q = 1.0 + q_over  # q > 1, or the population's mean does not exist
        total = x * z + v
        log_likelihood = (
            gammaln(p * x + q) - gammaln(p * x) - gammaln(q)
            + q * np.log(v) + (p * x - 1.0) * np.log(z) + p * x * np.log(x) - (p * x + q) * np.log(total)
        )  # fmt: skip
        both = digamma(p * x + q)
        gradient = np.array(
            [
                (x * (both - digamma(p * x) + np.log(z) + np.log(x) - np.log(total))).mean(),
                (both - digamma(q) + np.log(v) - np.log(total)).mean(),
                (q / v - (p * x + q) / total).mean(),
            ]
        )
        return -float(log_likelihood.mean()), -gradient * params

    p, q_over, v = _minimum(loss, ((1.5, 1.0, 1.0), (0.0, 0.5, 0.0)))
    return GammaGamma(p, 1.0 + q_over, v * scale)


def _minimum(
    loss: Callable[[Floats], tuple[float, Floats]], starts: tuple[tuple[float, ...], ...]
) -> list[float]:
    """Return the parameters (not their logarithms) of the best of several quasi-Newton searches."""
    searches = [
        minimize(
            loss,
            np.array(start),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_LOG_BOUND, _LOG_BOUND)] * len(start),
            options={"maxiter": 300, "ftol": 1e-10, "gtol": 1e-6},
        )
        for start in starts
    ]
    best = min(searches, key=lambda search: float(search.fun))
    return [float(value) for value in np.exp(best.x)]
