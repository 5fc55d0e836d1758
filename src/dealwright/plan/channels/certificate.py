"""Prices that prove an allocation optimal, where it is: shortest paths between the channels.

Moving one account from channel c to channel d changes the total by v_id − v_ic, so that among channels (and
"none") only the best such move of each pair matters. No chain of moves gains exactly when this small graph
has no negative cycle (Ahuja, Magnanti & Orlin 1993, *Network Flows*, section 9.3), and then its shortest
distances are optimal prices: those to "none" the smallest, what one more place is worth; those from "none"
the largest, what the last place is worth. The paths say who would move, and so what that is worth in money.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dealwright.plan.channels.kernels import Floats, Ints, cheapest_moves, measure
from dealwright.plan.channels.prices import ONE_EACH

Moves: TypeAlias = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Certificate:
    """Optimal prices of an optimal allocation."""

    one_more: Floats  # what one more place of each channel would add
    last_one: Floats  # what the last place of each channel adds; inf where nobody has one
    # channel by channel, what a place more or less would change: account, from, to (-1 is no channel)
    moves_for_one_more: tuple[Moves, ...] = ()
    moves_without_last: tuple[Moves, ...] = ()


def certify(value: Floats, capacity: Floats, choice: Ints) -> Certificate | None:
    """Return the prices that prove a choice (one unit each) optimal, or None where moves would gain."""
    channels = len(value)
    # length[d, c]: λ_c ≤ λ_d + length[d, c] keeps everybody in c content; "none" is the last index, its
    # price 0
    length, mover = cheapest_moves(value, choice)
    free = np.eye(channels + 1, dtype=np.bool_)  # what changes without anybody moving
    free[channels, :channels] = measure(value, ONE_EACH, choice)[0] < capacity
    free[:channels, channels] = True
    free &= length >= 0
    length[free], mover[free] = 0.0, -1
    following = np.tile(np.arange(channels + 1), (channels + 1, 1))
    for middle in range(channels + 1):
        over = length[:, middle, None] + length[None, middle, :]
        shorter = over < length
        length = np.where(shorter, over, length)
        following = np.where(shorter, following[:, middle, None], following)
    if (np.diagonal(length) < 0).any():
        return None
    return Certificate(
        -length[:channels, channels] + 0.0,
        length[channels, :channels] + 0.0,
        tuple(_moves(c, channels, following, mover) for c in range(channels)),
        tuple(_moves(channels, c, following, mover) for c in range(channels)),
    )


def _moves(start: int, end: int, following: Ints, mover: Ints) -> Moves:
    """Return who moves on the shortest path from one channel to another, the last place being no channel."""
    none = len(mover) - 1
    moves = []
    while start != end:
        source = int(following[start, end])
        if mover[start, source] >= 0:
            account = int(mover[start, source])
            moves.append((account, -1 if source == none else source, -1 if start == none else start))
        start = source
    return tuple(moves)
