"""The passes over all accounts, compiled: one read of the values each.

`use` of shape (0, 0) stands for one unit each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def surplus_over_alternatives(value: Floats, use: Floats, prices: Floats, channel: int) -> Floats:
    """Return what a channel (without its price) is worth to each account above its best other choice."""
    channels, accounts = value.shape
    found = np.empty(accounts)
    for i in range(accounts):
        best = 0.0
        for c in range(channels):
            if c != channel:
                after = value[c, i] - prices[c] * (use[c, i] if use.size else 1.0)
                best = max(best, after)
        found[i] = value[channel, i] - best
    return found


@compiled
def decide(value: Floats, use: Floats, prices: Floats) -> tuple[Ints, Floats, Floats]:
    """Return each account's best channel after prices (-1: none is worth anything), its worth, and its lead.

    The lead is over the second choice; doing nothing, worth 0, is one.
    """
    channels, accounts = value.shape
    choice = np.empty(accounts, dtype=np.int64)
    worth = np.empty(accounts)
    lead = np.empty(accounts)
    for i in range(accounts):
        best, second, chosen = 0.0, -np.inf, -1
        for c in range(channels):
            after = value[c, i] - prices[c] * (use[c, i] if use.size else 1.0)
            if after > best:
                second, best, chosen = best, after, c
            else:
                second = max(second, after)
        choice[i], worth[i], lead[i] = chosen, best, best - second
    return choice, worth, lead


@compiled
def measure(value: Floats, use: Floats, choice: Ints) -> tuple[Floats, float]:
    """Return what a choice takes of each capacity, and its total value."""
    taken = np.zeros(value.shape[0])
    total = 0.0
    for i in range(choice.size):
        c = choice[i]
        if c >= 0:
            taken[c] += use[c, i] if use.size else 1.0
            total += value[c, i]
    return taken, total


@compiled
def cheapest_moves(value: Floats, choice: Ints) -> tuple[Floats, Ints]:
    """Return per pair (d, c) the least that moving one account from c to d loses, and which account that is.

    The last place of either axis is "none"; -1 stands where nobody could move.
    """
    channels, accounts = value.shape
    loss = np.full((channels + 1, channels + 1), np.inf)
    mover = np.full((channels + 1, channels + 1), -1)
    for i in range(accounts):
        c = choice[i] if choice[i] >= 0 else channels
        now = value[c, i] if c < channels else 0.0
        for d in range(channels + 1):
            lost = now - (value[d, i] if d < channels else 0.0)
            if lost < loss[d, c]:
                loss[d, c], mover[d, c] = lost, i
    return loss, mover
