"""Prices that prove an allocation optimal, where it is: shortest paths between the channels.

Moving one account from channel c to channel d changes the total by v_id − v_ic, so that among channels (and
"none") only the best such move of each pair matters. No chain of moves gains exactly when this small graph
has no negative cycle (Ahuja, Magnanti & Orlin 1993, *Network Flows*, section 9.3), and then its shortest
distances are optimal prices: those to "none" the smallest, what one more place is worth; those from "none"
the largest, what the last place is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dealwright.plan.channels.kernels import Floats, Ints, cheapest_moves, measure
from dealwright.plan.channels.prices import ONE_EACH


@dataclass(frozen=True)
class Certificate:
    """Optimal prices of an optimal allocation.

    Attributes
    ----------
    one_more
        What one more place of each channel would add.
    last_one
        What the last place of each channel adds; inf where nobody has one.
    """

    one_more: Floats
    last_one: Floats


def certify(value: Floats, capacity: Floats, choice: Ints) -> Certificate | None:
    """Return the prices that prove a choice (one unit each) optimal, or None where moves would gain."""
    channels = len(value)
    # length[d, c]: λ_c ≤ λ_d + length[d, c] keeps everybody in c content; "none" is the last index, its
    # price 0
    length = cheapest_moves(value, choice)
    room = measure(value, ONE_EACH, choice)[0] < capacity
    length[channels, :channels][room] = np.minimum(length[channels, :channels][room], 0.0)
    length[:channels, channels] = np.minimum(length[:channels, channels], 0.0)
    np.fill_diagonal(length, 0.0)
    for middle in range(channels + 1):
        np.minimum(length, length[:, middle, None] + length[None, middle, :], out=length)
    if (np.diagonal(length) < 0).any():
        return None
    return Certificate(-length[:channels, channels] + 0.0, length[channels, :channels] + 0.0)
