"""From prices to an allocation that fits: who leaves a full channel, and who takes what is left."""

from __future__ import annotations

from typing import Final

import numpy as np

from dealwright.plan.channels.kernels import Floats, Ints, measure
from dealwright.plan.flow import NOBODY

_ROUNDS: Final = 20
_SINGLES: Final = 1000  # looked at one by one when the next in line no longer fits


def repair(value: Floats, use: Floats, capacity: Floats, prices: Floats, choice: Ints) -> Ints:
    """Make a choice fit into the capacities and use up what it leaves.

    Who loses least per unit leaves first (for the best channel with room, or none); then whoever gains most
    per unit moves in where there is room.
    """
    choice = choice.copy()
    for _ in range(_ROUNDS):
        moved = _shed(value, use, capacity, prices, choice)
        moved |= _fill(value, use, capacity, choice)
        if not moved:
            return choice
    _shed(value, use, capacity, prices, choice, to_none=True)
    return choice


def _shed(
    value: Floats, use: Floats, capacity: Floats, prices: Floats, choice: Ints, *, to_none: bool = False
) -> bool:
    """Move accounts out of overfull channels, in place; tell whether any moved."""
    moved = False
    load, _ = measure(value, use, choice)
    for c in np.flatnonzero(load > capacity):
        rows = np.flatnonzero(choice == c)
        after = np.zeros((len(value) + 1, rows.size))
        for other in range(len(value)):
            closed = other == c or load[other] >= capacity[other] or to_none
            worth = value[other, rows]
            # what is worth nothing is no better than no channel
            offered = (worth > 0) & (not closed)
            after[other] = np.where(offered, worth - _charge(use, prices, other, rows), -np.inf)
        best = after.argmax(axis=0)
        take = use[c, rows] if use.size else np.ones(rows.size)
        loss = (
            value[c, rows] - _charge(use, prices, int(c), rows) - after[best, np.arange(rows.size)]
        ) / take
        order = np.argsort(loss, kind="stable")
        freed = np.cumsum(take[order])
        leaving = order[: int(np.searchsorted(freed, load[c] - capacity[c])) + 1]
        choice[rows[leaving]] = np.where(best[leaving] == len(value), NOBODY, best[leaving])
        load, _ = measure(value, use, choice)
        moved = True
    return moved


def _fill(value: Floats, use: Floats, capacity: Floats, choice: Ints) -> bool:
    """Let accounts move in where there is room and they gain, in place; tell whether any moved."""
    moved = False
    for c in range(len(value)):
        load, _ = measure(value, use, choice)
        room = capacity[c] - load[c]
        if room <= 0:
            continue
        now = np.where(choice == NOBODY, 0.0, value[choice, np.arange(choice.size)])
        gain = value[c] - now
        rows = np.flatnonzero((gain > 0) & (choice != c))
        take = use[c, rows] if use.size else np.ones(rows.size)
        order = np.argsort(-gain[rows] / take, kind="stable")
        if np.isfinite(room):
            order = _fitting(take, order, room)
        choice[rows[order]] = c
        moved |= order.size > 0
    return moved


def _fitting(take: Floats, order: Ints, room: float) -> Ints:
    """Return the longest start of an order that fits, and after it whatever single ones still do."""
    filled = np.cumsum(take[order])
    count = int(np.searchsorted(filled, room, side="right"))
    left = room - (filled[count - 1] if count else 0.0)
    extra = []
    for index in order[count : count + _SINGLES]:
        if take[index] <= left:
            extra.append(index)
            left -= take[index]
    return np.append(order[:count], np.array(extra, dtype=np.int64))


def _charge(use: Floats, prices: Floats, channel: int, rows: Ints) -> Floats | float:
    return prices[channel] * use[channel, rows] if use.size else float(prices[channel])
