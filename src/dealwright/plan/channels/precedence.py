"""The allocation with those who go first, and prices in money: what one more contact is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dealwright.plan.channels.allocation import allocate
from dealwright.plan.channels.certificate import certify
from dealwright.plan.channels.kernels import Floats, Ints, measure
from dealwright.plan.channels.option_values import OptionValues
from dealwright.plan.channels.prices import ONE_EACH
from dealwright.plan.flow import NOBODY


@dataclass(frozen=True)
class Solution:
    """Who gets which channel.

    Attributes
    ----------
    choice
        Channel per account, -1 for none.
    weight_prices
        What one more unit of each capacity is worth, precedence included.
    one_more, last_one
        What one more and the last unit are worth in cents, among accounts without precedence.
    gap_cents
        How much more the accounts without precedence could be worth at most; 0 where proven optimal.
    contested
        Accounts decided by a flow.
    """

    choice: Ints
    weight_prices: Floats
    one_more: Floats
    last_one: Floats
    gap_cents: float
    contested: int


def solve(values: OptionValues, capacity: Floats, use: Floats | None) -> Solution:
    """Allocate all accounts.

    With one unit each, all are allocated at once, and proven. With minutes, whoever goes first is allocated
    first, so that the gap is one in money: a precedence outweighs any money and would hide the gap.
    """
    some = np.isfinite(values.cents).any(axis=0)
    ahead = (values.weight > values.cents).any(axis=0)
    plain = np.flatnonzero(some & ~ahead)
    choice = np.full(some.size, NOBODY, dtype=np.int64)
    if use is None:
        rows = np.flatnonzero(some)
        result = allocate(values.weight[:, rows], capacity)
        choice[rows] = result.choice
        # given whoever goes first, the others' allocation is optimal too: its own prices are money
        left = capacity - measure(values.cents, ONE_EACH, np.where(ahead, choice, NOBODY))[0]
        proof = certify(np.ascontiguousarray(values.cents[:, plain]), np.floor(left), choice[plain])
        if proof is None:
            raise AssertionError("a part of an optimal allocation is not optimal")
        return Solution(choice, result.prices, proof.one_more, proof.last_one, result.gap, result.contested)
    first = np.flatnonzero(some & ahead)
    choice[first] = allocate(values.weight[:, first], capacity, use[:, first]).choice
    left = np.maximum(capacity - measure(values.cents, use, choice)[0], 0.0)
    rest = allocate(values.cents[:, plain], left, use[:, plain])
    choice[plain] = rest.choice
    return Solution(choice, rest.prices, rest.prices, rest.last_prices, rest.gap, 0)
