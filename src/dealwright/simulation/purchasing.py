r"""Customers who buy in their own rhythm until they leave: simulation, and the truth that follows from it.

Orders of a living customer form a renewal process with Erlang-`k` intervals of mean 1/rate (k = 1: at random,
k = 4: like clockwork); the customer leaves for good with a hazard that is constant within a period. Time is
*business time* (days stretched by the season). Given the rate, the hazards and the days since the last
order, the probability of being alive, of ordering in the horizon and the expected number of orders all have
closed forms: with stage rate :math:`\beta = k \cdot rate`, an Erlang interval is a chain of `k` exponential
stages (Cox, *Renewal Theory*, 1962, sections 1.4 and 4.4); for k = 1 and one hazard the first is
Pareto/NBD's P(alive) of Schmittlein, Morrison & Colombo (1987) with known rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rhythm:
    """How each customer buys and leaves; all arrays have one element per customer.

    Attributes
    ----------
    rate
        Orders per business day while alive.
    stages
        Erlang shape `k` of the intervals: 1, 2 or 4.
    hazard
        Shape (n, 3): leaving per business day before the first boundary, between the boundaries, and after.
    start
        Business time of the first order.
    """

    rate: Floats
    stages: Ints
    hazard: Floats
    start: Floats


@dataclass(frozen=True)
class Purchases:
    """Simulated orders, flat: `customer` (sorted) and business time `at`; and each customer's last moment."""

    customer: Ints
    at: Floats
    death: Floats


def draw_deaths(rhythm: Rhythm, first: float, second: float, rng: np.random.Generator) -> Floats:
    """Draw when each customer leaves: hazards act from its first order on and change at two moments."""
    budget = rng.exponential(size=rhythm.rate.size)
    begin = rhythm.start
    spent_1 = rhythm.hazard[:, 0] * np.maximum(first - begin, 0.0)
    spent_2 = rhythm.hazard[:, 1] * (second - np.clip(begin, first, second))
    in_1 = begin + budget / rhythm.hazard[:, 0]
    in_2 = np.maximum(begin, first) + (budget - spent_1) / rhythm.hazard[:, 1]
    in_3 = np.maximum(begin, second) + (budget - spent_1 - spent_2) / rhythm.hazard[:, 2]
    return np.where(budget <= spent_1, in_1, np.where(budget <= spent_1 + spent_2, in_2, in_3))


def simulate(rhythm: Rhythm, death: Floats, end: float, rng: np.random.Generator) -> Purchases:
    """Simulate every order until the customer leaves or business time `end`."""
    until = np.minimum(death, end)
    expected = np.maximum(until - rhythm.start, 0.0) * rhythm.rate
    # five standard deviations of the count above its mean: no customer is cut short
    intervals = np.ceil(expected + 5.0 * np.sqrt(expected / rhythm.stages + 1.0) + 2.0).astype(np.int64)
    customer = np.repeat(np.arange(rhythm.rate.size), intervals + 1)
    first = np.concatenate([[0], np.cumsum(intervals + 1)[:-1]])
    step = rng.standard_gamma(rhythm.stages.astype(np.float64)[customer])
    step /= (rhythm.stages * rhythm.rate)[customer]
    step[first] = 0.0
    at = np.cumsum(step)
    at += (rhythm.start - at[first])[customer]
    kept = at <= until[customer]
    return Purchases(customer[kept], at[kept], death)


def _poisson_sum(terms: Ints, y: Floats) -> Floats:
    """Sum y^j / j! for j below each row's `terms` (1 to 4)."""
    total = np.ones_like(y)
    power = np.ones_like(y)
    for j in (1, 2, 3):
        power = power * y / j
        total = total + np.where(terms > j, power, 0.0)
    return total


def _silent_while_alive(rate: Floats, stages: Ints, hazard: Floats, upto: Floats) -> Floats:
    r"""Integrate :math:`e^{-hazard \cdot u} P(\text{interval} > u)` over u from 0 to `upto`."""
    beta = rate * stages
    total = np.zeros_like(rate)
    for j in range(4):
        y = (beta + hazard) * upto
        left = -np.expm1(np.log(_poisson_sum(np.full_like(stages, j + 1), y)) - y)
        total += np.where(stages > j, beta**j / (beta + hazard) ** (j + 1) * left, 0.0)
    return total


def alive_probability(rhythm: Rhythm, silent: Floats, since_boundary: float) -> Floats:
    """Return the probability of not having left, given business days since the last order.

    Parameters
    ----------
    rhythm
        How each customer buys and leaves.
    silent
        Business days since the last order, shape (n,).
    since_boundary
        Business days since the first boundary: before it the first hazard acted, after it the second.
    """
    rate, stages = rhythm.rate, rhythm.stages
    early, late = rhythm.hazard[:, 0], rhythm.hazard[:, 1]
    before = np.maximum(silent - since_boundary, 0.0)
    left_before = early * _silent_while_alive(rate, stages, early, before)
    left_after = (
        late
        * np.exp(-(early - late) * before)
        * (_silent_while_alive(rate, stages, late, silent) - _silent_while_alive(rate, stages, late, before))
    )
    beta_s = rate * stages * silent
    alive = _poisson_sum(stages, beta_s) * np.exp(-beta_s - early * before - late * (silent - before))
    return alive / (alive + np.maximum(left_before + left_after, 0.0) + 1e-300)


def order_probability(rhythm: Rhythm, silent: Floats, horizon: float) -> Floats:
    """Return the probability that a customer who is alive orders within `horizon` business days."""
    beta, hazard = rhythm.rate * rhythm.stages, rhythm.hazard[:, 2]
    total = beta + hazard
    rest = np.exp(-total * horizon) * _poisson_sum(rhythm.stages, total * (silent + horizon))
    share = (_poisson_sum(rhythm.stages, total * silent) - rest) / _poisson_sum(rhythm.stages, beta * silent)
    return np.clip((beta / total) ** rhythm.stages * share, 0.0, 1.0)


def expected_orders(rhythm: Rhythm, silent: Floats, horizon: float) -> Floats:
    """Return how many orders a customer who is alive is expected to place within `horizon` business days."""
    result = np.empty_like(rhythm.rate)
    for k in np.unique(rhythm.stages):
        rows = rhythm.stages == k
        beta, hazard, s = k * rhythm.rate[rows], rhythm.hazard[rows, 2], silent[rows]
        # probability of having passed j stages since the last order, given that the interval is not over
        weight = np.array([(beta * s) ** j for j in range(k)])
        weight /= np.array([1.0, 1.0, 2.0, 6.0])[:k, None]
        weight /= weight.sum(axis=0)
        total = np.zeros(beta.size)
        for root in np.exp(2j * np.pi * np.arange(k) / k):
            decay = hazard + beta * (1.0 - root)
            flow = beta * (1.0 - np.exp(-decay * horizon)) / decay / k
            for j in range(k):
                total += np.real(weight[j] * root ** (j + 1 - k) * flow)
        result[rows] = total
    return result
