"""The allocation with those who go first, and prices in money: what one more contact is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dealwright.plan.channels.allocation import allocate
from dealwright.plan.channels.certificate import Moves, certify
from dealwright.plan.channels.kernels import Floats, Ints, measure
from dealwright.plan.channels.option_values import OptionValues
from dealwright.plan.flow import NOBODY


@dataclass(frozen=True)
class Solution:
    """Who gets which channel."""

    choice: Ints  # channel per account, -1 for none
    weight_prices: Floats  # what one more unit of each capacity is worth, precedence included
    # what one contact more would bring in EUR, and what the last one brings: what the best allocation with
    # one place more or less is worth, without the bonus for a preferred channel, and after those who would
    # come from another channel have left it. 0 where a place would only serve a preference
    one_more: Floats
    last_one: Floats
    # how much more the accounts without precedence could be worth at most; 0 where proven optimal
    gap_cents: float
    contested: int  # accounts decided by a flow


def solve(values: OptionValues, capacity: Floats, use: Floats | None, unit: Floats) -> Solution:
    """Allocate all accounts.

    With one unit each, all are allocated at once, and proven. With minutes, whoever goes first is allocated
    first, so that the gap is one in money: a precedence outweighs any money and would hide the gap.

    Parameters
    ----------
    unit
        What one contact of usual length takes of each capacity.
    """
    some = np.isfinite(values.cents).any(axis=0)
    if use is None:
        rows = np.flatnonzero(some)
        result = allocate(values.weight[:, rows], capacity)
        proof = certify(np.ascontiguousarray(values.weight[:, rows]), np.floor(capacity), result.choice)
        if proof is None:
            raise AssertionError("an optimal allocation is not proven to be one")
        money = values.value_eur[:, rows]
        choice = np.full(some.size, NOBODY, dtype=np.int64)
        choice[rows] = result.choice
        return Solution(
            choice,
            result.prices,
            np.array([max(_gain(money, moves), 0.0) for moves in proof.moves_for_one_more]),
            np.where(
                np.isfinite(proof.last_one),
                [-_gain(money, moves) for moves in proof.moves_without_last],
                np.inf,
            ),
            result.gap,
            result.contested,
        )
    choice, prices, gap = _by_minutes(values, capacity, use)
    taken = measure(values.cents, use, choice)[0]
    one_more, last_one = np.zeros(len(capacity)), np.zeros(len(capacity))
    for c in np.flatnonzero(taken + unit > capacity):
        # prices per minute are only a bound here: what one contact more or less changes is tried
        step = np.where(np.arange(len(capacity)) == c, unit, 0.0)
        now = worth(values, choice)
        one_more[c] = max(worth(values, _by_minutes(values, capacity + step, use)[0]) - now, 0.0)
        fewer = np.maximum(capacity - step, 0.0)
        last_one[c] = max(now - worth(values, _by_minutes(values, fewer, use)[0]), 0.0)
    return Solution(choice, prices, one_more, np.where(taken > 0, last_one, np.inf), gap, 0)


def _by_minutes(values: OptionValues, capacity: Floats, use: Floats) -> tuple[Ints, Floats, float]:
    """Allocate whoever goes first, then the others; return the choice, the others' prices and gap."""
    some = np.isfinite(values.cents).any(axis=0)
    ahead = (values.weight > values.cents).any(axis=0)
    first, plain = np.flatnonzero(some & ahead), np.flatnonzero(some & ~ahead)
    choice = np.full(some.size, NOBODY, dtype=np.int64)
    choice[first] = allocate(values.weight[:, first], capacity, use[:, first]).choice
    left = np.maximum(capacity - measure(values.cents, use, choice)[0], 0.0)
    rest = allocate(values.cents[:, plain], left, use[:, plain])
    choice[plain] = rest.choice
    return choice, rest.prices, rest.gap


def worth(values: OptionValues, choice: Ints) -> float:
    """Return what a choice is worth in EUR, without the bonus for a preferred channel."""
    rows = np.flatnonzero(choice >= 0)
    return float(values.value_eur[choice[rows], rows].sum())


def _gain(money: Floats, moves: Moves) -> float:
    """Return what moves between channels bring in money."""
    return sum(
        (money[to, account] if to >= 0 else 0.0) - (money[start, account] if start >= 0 else 0.0)
        for account, start, to in moves
    )
