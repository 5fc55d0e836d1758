"""One price per scarce capacity: the Lagrangian dual of the allocation, minimised one coordinate at a time.

With values v, consumption u and capacities b, every price vector λ ≥ 0 gives an upper bound on what any
allocation of each account to at most one channel can be worth (Everett 1963; Fisher 1981, "The Lagrangian
relaxation method for solving integer programming problems", section 2)::

    g(λ) = Σ_c λ_c b_c + Σ_i max(0, max_c (v_ic − λ_c u_ic))

In one coordinate g is piecewise linear with a breakpoint per account: the most the account would pay for the
channel over its best alternative. Its minimum is a (weighted) quantile of those breakpoints, found by
selection in O(n).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dealwright.plan.channels.kernels import Floats, Ints, decide, surplus_over_alternatives

__all__ = ["ONE_EACH", "Floats", "Ints", "settle_prices", "upper_bound"]

ONE_EACH: Final[Floats] = np.empty((0, 0))
"""Stands for a consumption of one unit by everybody."""


def settle_prices(
    value: Floats, use: Floats, capacity: Floats, start: Floats, *, sweeps: int = 60, tolerance: float = 0.0
) -> Floats:
    """Return prices that no single change improves, from `start` on.

    Parameters
    ----------
    value
        Shape (channels, accounts), −inf where the channel is forbidden.
    use
        What an account takes of a channel's capacity, same shape, or `ONE_EACH`.
    capacity
        Per channel; inf for no limit.
    sweeps, tolerance
        Stop after so many rounds over the channels, or when no price moved by more.
    """
    prices = start.copy()
    scarce = [
        c for c in range(len(value)) if _could_exceed(value[c], use[c] if use.size else use, capacity[c])
    ]
    prices[[c for c in range(len(value)) if c not in scarce]] = 0.0
    for _ in range(sweeps):
        before = prices.copy()
        for c in scarce:
            surplus = surplus_over_alternatives(value, use, prices, c)
            prices[c] = _clearing_price(surplus, use[c] if use.size else use, capacity[c])
        # with a single scarce channel the first round is final
        if len(scarce) < 2 or np.abs(prices - before).max() <= tolerance:
            break
    return prices


def upper_bound(value: Floats, use: Floats, capacity: Floats, prices: Floats) -> float:
    """Return g(λ): no allocation is worth more."""
    scarce = prices > 0
    return float(prices[scarce] @ capacity[scarce]) + float(decide(value, use, prices)[1].sum())


def _could_exceed(value: Floats, use: Floats, capacity: float) -> bool:
    wanted = value > 0
    demand = float(use[wanted].sum()) if use.size else float(np.count_nonzero(wanted))
    return demand > capacity


def _clearing_price(surplus: Floats, use: Floats, capacity: float) -> float:
    """Return the smallest price at or above 0 at which those who would pay more fit into the capacity."""
    if not use.size:
        places = int(capacity)
        if places >= surplus.size:
            return 0.0
        rank = surplus.size - places - 1
        return max(0.0, float(np.partition(surplus, rank)[rank]))
    eager = surplus > 0
    return _weighted_threshold(surplus[eager] / use[eager], use[eager], capacity)


def _weighted_threshold(rate: Floats, take: Floats, capacity: float) -> float:
    """Return the smallest threshold above which no more than the capacity is taken, by halving."""
    above = 0.0
    while rate.size:
        middle = rate.size // 2
        pivot = np.partition(rate, middle)[middle]
        higher, lower = rate > pivot, rate < pivot
        taken = above + float(take[higher].sum())
        if taken > capacity:
            rate, take = rate[higher], take[higher]
            continue
        above = taken + float(take[rate == pivot].sum())
        if above > capacity:
            return float(pivot)
        rate, take = rate[lower], take[lower]
    return 0.0
