"""Which calls fit into a day's free moments, and when: a flow from kinds of callees to intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.staffing.demand import Ints


def fit_calls(kind: Ints, possible: NDArray[np.bool_], room: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Return which callees can be called, and how many calls of each kind are made when.

    Callees come in the order of their importance. Sets of callees that fit are those of a transversal
    matroid, so that taking each who still fits gives the most important ones (Edmonds, 1971, *Matroids and
    the greedy algorithm*), and once one of a kind does not fit, no later one of that kind does. Calls are
    made as early as they can be.

    Parameters
    ----------
    kind
        For each callee: index into `possible`.
    possible
        For each kind: in which intervals a call may begin, shape (kinds, intervals).
    room
        How many calls each interval has room for.

    Returns
    -------
    Whether each callee is called, and the number of calls, shape (kinds, intervals).
    """
    kinds = len(possible)
    called = np.ones(kind.size, dtype=np.bool_)
    first = 0
    # each turn closes a kind: nobody else of it fits
    while not _fits(_count(kind, called, kind.size, kinds), possible, room):
        low, high = first, kind.size  # those before `low` fit, those before `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            if _fits(_count(kind, called, middle, kinds), possible, room):
                low = middle
            else:
                high = middle
        first = low
        full = np.count_nonzero(called[:first]) == room.sum()
        called[first:] &= (kind[first:] != kind[first]) & (not full)
    return called, _earliest(_count(kind, called, kind.size, kinds), possible, room)


def _count(kind: Ints, called: NDArray[np.bool_], until: int, kinds: int) -> Ints:
    """Return how many of each kind are called among the first callees."""
    return np.bincount(kind[:until][called[:until]], minlength=kinds).astype(np.int64)


def _fits(number: Ints, possible: NDArray[np.bool_], room: Ints) -> bool:
    """Tell whether so many calls of each kind find a moment."""
    from ortools.graph.python import max_flow

    if not number.any():
        return True
    kinds, intervals = possible.shape
    source, sink = kinds + intervals, kinds + intervals + 1
    who, when = np.nonzero(possible)
    flow = max_flow.SimpleMaxFlow()
    flow.add_arcs_with_capacity(
        np.concatenate([who, np.full(kinds, source), kinds + np.arange(intervals)]),
        np.concatenate([kinds + when, np.arange(kinds), np.full(intervals, sink)]),
        np.concatenate([number[who], number, room]),
    )
    flow.solve(source, sink)
    return int(flow.optimal_flow()) == int(number.sum())


def _earliest(number: Ints, possible: NDArray[np.bool_], room: Ints) -> Ints:
    """Return how many calls of each kind are made when, as early as possible together."""
    from ortools.graph.python import min_cost_flow

    kinds, intervals = possible.shape
    who, when = np.nonzero(possible)
    sink = kinds + intervals
    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(
        np.concatenate([who, kinds + np.arange(intervals)]),
        np.concatenate([kinds + when, np.full(intervals, sink)]),
        np.concatenate([number[who], room]),
        np.concatenate([when, np.zeros(intervals, dtype=np.int64)]),
    )
    flow.set_nodes_supplies(np.append(np.arange(kinds), sink), np.append(number, -number.sum()))
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise RuntimeError(f"the minimum-cost flow ended with {status.name}")
    found = np.zeros((kinds, intervals), dtype=np.int64)
    found[who, when] = flow.flows(arcs)[: who.size]
    return found
