"""Buy till you die: MBG/CNBD-k for how often customers order, Gamma-Gamma for how much they spend.

Both are fitted by maximum likelihood from three numbers per customer: repeat orders `x`, the time of the
last one `t_x` and the time observed `T` (both counted from the first order). They know nothing but the
calendar, so they get the *level* of a horizon right that no supervised model has ever seen; see `level`.

References
----------
.. [1] P. S. Fader, B. G. S. Hardie & K. L. Lee (2005), "Counting your customers" the easy way: an alternative
   to the Pareto/NBD model, Marketing Science 24(2), 275-284.
.. [2] P. S. Fader & B. G. S. Hardie (2013), The Gamma-Gamma model of monetary value, equations (1a) and (5).
.. [3] E. P. Batislam, M. Denizel & A. Filiztekin (2007), Empirical validation and comparison of models for
   customer base analysis, International Journal of Research in Marketing 24(3): customers may also leave
   after their first order.
.. [4] M. Platzer & T. Reutterer (2016), Ticking away the moments: timing regularity helps to better predict
   customer activity, Marketing Science 35(5): Erlang-k times between orders.
.. [5] R. D. Wheat & D. G. Morrison (1990), Estimating purchase regularity with two interpurchase times,
   Journal of Marketing Research 27(1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaincinv, betaln, digamma, expit, gammaln

from dealwright.errors import EvidenceError
from dealwright.stats.arrays import Floats

Loss = Callable[[Floats], tuple[float, Floats]]

MIN_CUSTOMERS = 20
MIN_REPEATERS = 10
_MAX_FIT_ROWS = 30_000
_FIRST_STEPS = 8
_FIRST_ROWS = 500
_LOG_BOUND = 10.0  # parameters stay within exp(±10): beyond it the likelihood is flat
MOST_REGULAR = 12
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)
_QUANTILES, _QUANTILE_WEIGHTS = (_NODES + 1.0) / 2.0, _NODE_WEIGHTS / 2.0
_STARTS = ((-1.0, 0.0, -0.5, 1.0), (0.7, 1.0, -1.0, 1.0))


@dataclass(frozen=True, slots=True)
class OrderHistory:
    """What BG/NBD and Gamma-Gamma need of each customer, one element each."""

    repeats: Floats  # days with an order after the first one (`x`)
    last_day: Floats  # days from the first order to the last (`t_x`)
    age_day: Floats  # days from the first order to the cut-off (`T`)
    repeat_value: Floats  # mean spend in EUR on a repeat day; 0 where there is none
    # of the last two gaps between orders, the share of the earlier one; NaN with fewer gaps
    gap_share: Floats

    def __len__(self) -> int:
        return len(self.repeats)

    def take(self, rows: NDArray[Any]) -> OrderHistory:
        """Return the customers `rows` (indices or a mask) points at."""
        return OrderHistory(
            self.repeats[rows], self.last_day[rows], self.age_day[rows], self.repeat_value[rows],
            self.gap_share[rows],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderTiming:
    """MBG/CNBD-k: times between orders are Erlang-`k`, and each order, the first too, may be the last one.

    Rates of the Erlang stages are gamma(`r`, `alpha`), `alpha` in days; the chance of leaving after an order
    is beta(`a`, `b`). With `k` = 1 customers order at random: MBG/NBD [3]_. The more regular they are, the
    larger is `k`, and the sooner silence means that they left [4]_.
    """

    r: float
    alpha: float
    a: float
    b: float
    k: int = 1

    def probability_alive(self, history: OrderHistory) -> Floats:
        """Return P(alive at the cut-off) of each customer."""
        dead, stages = self._log_terms(history, 0.0)
        return np.asarray(expit(_log_sum(stages) - dead))

    def expected_orders(self, history: OrderHistory, horizon_days: float) -> Floats:
        """Return the expected number of order days of each customer in the next `horizon_days`.

        Who is alive orders at some rate and leaves after each order with chance p, which makes
        (1 - exp(-rate p t)) / p orders in t. Its mean over the gamma law of the rate is in closed form; over
        the beta law of p it is taken at 24 quantiles, which neither overflows nor slows down for customers
        with hundreds of orders.
        """
        dead, stages = self._log_terms(history, 0.0)
        log_alive = _log_sum(stages)
        begun = np.exp(stages - log_alive).T @ np.arange(self.k)  # stages passed since the last order
        shape = self.r + self.k * history.repeats + begun
        growth = horizon_days / (self.k * (self.alpha + history.age_day))
        # customers with equally many orders share the quantiles
        x, place = np.unique(history.repeats, return_inverse=True)
        leave = np.maximum(betaincinv(self.a, self.b + x[:, None] + 1.0, _QUANTILES), 1e-12)
        orders = np.zeros(len(history))
        for q, weight in enumerate(_QUANTILE_WEIGHTS):
            p = leave[place, q]
            orders += weight * -np.expm1(-shape * np.log1p(p * growth)) / p
        return np.asarray(orders * expit(log_alive - dead), dtype=np.float64)

    def probability_silent(self, history: OrderHistory, horizon_days: float) -> Floats:
        """Return P(no order in the next `horizon_days`): dead, or alive and not ordering."""
        dead, now = self._log_terms(history, 0.0)
        _, later = self._log_terms(history, horizon_days)
        known = np.logaddexp(dead, _log_sum(now))
        return np.asarray(np.exp(np.logaddexp(dead, _log_sum(later)) - known))

    def _log_terms(self, history: OrderHistory, wait_days: float) -> tuple[Floats, Floats]:
        """Return the log likelihood of having left after the last order, and of waiting for the next one.

        The latter is by stage of the wait (first axis), `wait_days` after the cut-off, without orders in
        between. What both have in common is left out.
        """
        x, m = history.repeats, self.r + self.k * history.repeats
        until = history.age_day + wait_days
        dead = np.log(self.a) - m * np.log(self.alpha + history.last_day)
        alive = np.log(self.b + x) - m * np.log(self.alpha + until)
        return dead, alive + _stages(m, until - history.last_day, self.alpha + until, self.k)


def _log_sum(logs: Floats) -> Floats:
    """Return the logarithm of the sum over the first axis, of which something is finite."""
    if len(logs) == 1:
        return np.asarray(logs[0])
    top = logs.max(axis=0)
    return np.asarray(top + np.log(np.exp(logs - top).sum(axis=0)))


def _stages(m: Floats, waited: Floats, total: Floats, k: int) -> Floats:
    """Return the log weight of each Erlang stage relative to the first, stages × customers."""
    logs = np.zeros((k, len(m)))
    with np.errstate(divide="ignore"):
        step = np.log(waited) - np.log(total)
    for j in range(1, k):
        logs[j] = logs[j - 1] + step + np.log(m + j - 1.0) - np.log(j)
    return logs


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

    orders: OrderTiming
    value: GammaGamma

    def expected_spend(self, history: OrderHistory, horizon_days: float) -> Floats:
        """Return the expected spend in EUR of each customer in the next `horizon_days`."""
        return self.orders.expected_orders(history, horizon_days) * self.value.expected_value(history)


def fit_buy_till_you_die(history: OrderHistory, rng: np.random.Generator) -> BuyTillYouDie:
    """Fit MBG/CNBD-k and Gamma-Gamma by maximum likelihood.

    Beyond 30,000 customers a random sample of that size is used: six and three parameters need no more.

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
    return BuyTillYouDie(_fit_timing(history), _fit_gamma_gamma(history))


def regularity(history: OrderHistory) -> int:
    """Return the Erlang shape of the times between orders, by the method of Wheat and Morrison [5]_.

    Of two successive gaps of one customer the first takes a share whose variance is 1 / (4 (2k + 1)),
    whatever the customer's rate; 1 where too few customers have two gaps.
    """
    share = history.gap_share[np.isfinite(history.gap_share)]
    if len(share) < MIN_REPEATERS:
        return 1
    spread = float(((share - 0.5) ** 2).mean())
    return int(np.clip(round((1.0 / max(4.0 * spread, 1e-3) - 1.0) / 2.0), 1, MOST_REGULAR))


def _fit_timing(history: OrderHistory) -> OrderTiming:
    k = regularity(history)
    scale = float(history.age_day.max()) or 1.0
    r, alpha, a, b = _minimum(lambda part: _timing_loss(part, scale, k), history, _STARTS)
    return OrderTiming(r, alpha * scale, a, b, k)


def _timing_loss(history: OrderHistory, scale: float, k: int) -> Loss:
    """Return the mean negative log likelihood, and its gradient, by the logarithms of r, alpha, a and b."""
    t_x, t_all = history.last_day / scale, history.age_day / scale
    # many customers ordered equally often: what depends on that alone is worked out once
    often, of = np.unique(history.repeats, return_inverse=True)
    x = history.repeats
    j = np.arange(k)[:, None]

    def loss(log_params: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = params = np.exp(log_params)
        m = r + k * x
        m_often = r + k * often
        log_alive, log_dying = np.log(alpha + t_all), np.log(alpha + t_x)
        dying = np.log(a) - m * log_dying
        stages = np.log(b + x) - m * log_alive + _stages(m, t_all - t_x, alpha + t_all, k)
        alive = _log_sum(stages)
        either = np.logaddexp(alive, dying)
        dead = np.exp(dying - either)
        stage = np.exp(stages - either)
        by_often = gammaln(m_often) + betaln(a, b + often) - np.log(a + b + often)
        log_likelihood = by_often[of] - gammaln(r) + r * np.log(alpha) - betaln(a, b) + either
        spread = digamma(a + b) - digamma(a + b + often + 1.0)
        more = np.cumsum(1.0 / (m + j), axis=0) - 1.0 / (m + j)  # digamma(m + j) - digamma(m)
        gradient = np.array(
            [
                (
                    digamma(m_often)[of] - digamma(r) + np.log(alpha)
                    - dead * log_dying - (1 - dead) * log_alive + (stage * more).sum(axis=0)
                ).mean(),
                (
                    r / alpha - dead * m / (alpha + t_x) - (stage * (m + j)).sum(axis=0) / (alpha + t_all)
                ).mean(),
                (spread[of] + dead / a).mean(),
                ((spread + digamma(b + often) - digamma(b))[of] + (1 - dead) / (b + x)).mean(),
            ]
        )  # fmt: skip
        return -float(log_likelihood.mean()), -gradient * params

    return loss


def _fit_gamma_gamma(history: OrderHistory) -> GammaGamma:
    spending = (history.repeats > 0) & (history.repeat_value > 0)
    buyers = int(np.count_nonzero(spending))
    if buyers < MIN_REPEATERS:
        raise EvidenceError(
            f"only {buyers} customers spent a positive amount on a repeat order: "
            f"spend per order needs at least {MIN_REPEATERS}"
        )
    # the population's mean is what was seen: free, it grows beyond all bounds where few customers spend most
    scale = float(history.repeat_value[spending].mean())
    starts = ((1.5, 1.0), (0.0, 0.5))
    p, q_over = _minimum(lambda part: _value_loss(part, scale), history.take(spending), starts)
    return GammaGamma(p, 1.0 + q_over, q_over / p * scale)


def _value_loss(history: OrderHistory, scale: float) -> Loss:
    """Return the mean negative log likelihood, and its gradient, by the logarithms of p and q - 1."""
    x, z = history.repeats, history.repeat_value / scale
    often, of = np.unique(x, return_inverse=True)

    def loss(log_params: Floats) -> tuple[float, Floats]:
        p, q_over = params = np.exp(log_params)
        q, v = 1.0 + q_over, q_over / p  # q > 1, or the population's mean does not exist
        total = x * z + v
        log_likelihood = (
            (gammaln(p * often + q) - gammaln(p * often))[of] - gammaln(q)
            + q * np.log(v) + (p * x - 1.0) * np.log(z) + p * x * np.log(x) - (p * x + q) * np.log(total)
        )  # fmt: skip
        both, own = digamma(p * often + q)[of], digamma(p * often)[of]
        by_v = q / v - (p * x + q) / total
        gradient = np.array(
            [
                (x * (both - own + np.log(z) + np.log(x) - np.log(total)) - by_v * v / p).mean(),
                (both - digamma(q) + np.log(v) - np.log(total) + by_v * v / q_over).mean(),
            ]
        )
        return -float(log_likelihood.mean()), -gradient * params

    return loss


def _minimum(
    loss_of: Callable[[OrderHistory], Loss], history: OrderHistory, starts: tuple[tuple[float, ...], ...]
) -> list[float]:
    """Return the parameters (not their logarithms) of the best of several quasi-Newton searches.

    Of many customers every eighth is enough to find out which start leads to the best optimum, and where that
    is about; the search over all of them begins there.
    """

    def search(loss: Loss, start: tuple[float, ...]) -> Any:
        return minimize(
            loss,
            np.array(start),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_LOG_BOUND, _LOG_BOUND)] * len(start),
            options={"maxiter": 300, "ftol": 1e-10, "gtol": 1e-6},
        )

    few = len(history) >= _FIRST_STEPS * _FIRST_ROWS
    rough = loss_of(history.take(np.arange(0, len(history), _FIRST_STEPS)) if few else history)
    best = min((search(rough, start) for start in starts), key=lambda found: float(found.fun))
    if few:
        best = search(loss_of(history), tuple(best.x))
    return [float(value) for value in np.exp(best.x)]
