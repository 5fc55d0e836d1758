"""The exact answer for accounts that prices leave contested: a flow over groups of equal accounts."""

from __future__ import annotations

from typing import Final

import numpy as np

from dealwright.stats.arrays import Floats, Ints

NOBODY: Final = -1
"""Index of no channel."""


def allocate_by_flow(value: Floats, capacity: Floats) -> Ints:
    """Return the most valuable choice for each account (one unit each) within whole capacities.

    Accounts with the same values are one node (the flow says how many of them go where), so that ties cost
    nothing.

    Parameters
    ----------
    value
        Whole numbers, shape (channels, accounts), −inf where forbidden.
    capacity
        Whole numbers or inf, per channel.
    """
    from ortools.graph.python import min_cost_flow

    channels, accounts = value.shape
    if not accounts:
        return np.full(0, NOBODY, dtype=np.int64)
    # what is not worth having is as good as forbidden: accounts then differ in fewer ways
    rows, group, count = np.unique(
        np.where(value > 0, value, -1.0).T, axis=0, return_inverse=True, return_counts=True
    )
    group = group.reshape(-1)
    groups = len(rows)
    wanted_by, wanted = np.nonzero(rows > 0)
    sink = groups + channels
    limit = np.where(np.isfinite(capacity), capacity, accounts).clip(0, accounts).astype(np.int64)
    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(
        np.concatenate([wanted_by, np.arange(groups), groups + np.arange(channels)]),
        np.concatenate([groups + wanted, np.full(groups + channels, sink)]),
        np.concatenate([count[wanted_by], count, limit]),
        np.concatenate(
            [-rows[wanted_by, wanted].astype(np.int64), np.zeros(groups + channels, dtype=np.int64)]
        ),
    )
    flow.set_nodes_supplies(np.append(np.arange(groups), sink), np.append(count, -accounts))
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise RuntimeError(f"the minimum-cost flow ended with {status.name}")
    sent = flow.flows(arcs)
    goes = np.concatenate([wanted, np.full(groups, NOBODY)])
    source = np.concatenate([wanted_by, np.arange(groups)])
    amount = sent[: source.size]
    # the members of a group in order take the group's destinations in order
    by_group = np.argsort(source, kind="stable")
    destination = np.repeat(goes[by_group], amount[by_group])
    choice = np.empty(accounts, dtype=np.int64)
    choice[np.argsort(group, kind="stable")] = destination
    return choice
