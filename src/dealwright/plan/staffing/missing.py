"""Which staff a day lacks: of queues in every interval, of work that may wait what is left at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dealwright.plan.staffing.demand import ChannelDemand, Floats
from dealwright.plan.staffing.params import ScheduleParams

_ROUNDING: Final = 1e-3  # of an agent-interval: what a solver allows, added up over the day


def missing_min(demand: Sequence[ChannelDemand], at_work: Floats, params: ScheduleParams) -> float:
    """Return the minutes of staff that a day lacks, in whole intervals of one agent, as shifts are planned.

    Parameters
    ----------
    at_work
        People's worth of work by channel, in the order of the demand, and interval; what is done between the
        contacts of queues included.
    """
    missing = 0.0
    for item, there in zip(demand, at_work, strict=True):
        if item.work.kind == "queue":
            missing += float(np.ceil(np.maximum(item.required - there, 0.0) - _ROUNDING).sum())
        else:
            missing += float(np.ceil(max(item.due[-1] - work_done(item, there), 0.0) - _ROUNDING))
    return missing * params.interval_min


def work_done(item: ChannelDemand, at_work: Floats) -> float:
    """Return how much of the work that may wait can be done, in agent-intervals.

    It is done once it has arrived; a call while its customer may be called.
    """
    if item.windows is None:
        done = 0.0
        for there, arrived in zip(at_work.tolist(), item.arrived.tolist(), strict=True):
            done = min(done + there, arrived)
        return done
    return _calls_made(item, at_work) if item.windows and at_work.any() else 0.0


def _calls_made(item: ChannelDemand, at_work: Floats) -> float:
    """Return the most that can be done: a flow from the customers through the hours at which they answer."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    times = at_work.size
    kinds = item.windows or ()
    pairs = [(k, int(t)) for k, (_, permitted) in enumerate(kinds) for t in np.flatnonzero(permitted)]
    kind, at = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    column = np.arange(kind.size)
    # of each kind, at each moment, and of what has arrived until then
    rows = np.concatenate([kind, len(kinds) + at])
    columns = np.concatenate([column, column])
    limits = np.concatenate([[amount for amount, _ in kinds], at_work])
    for t in np.flatnonzero(item.arrived < item.arrived[-1]):
        before = column[at <= t]
        rows = np.concatenate([rows, np.full(before.size, limits.size)])
        columns = np.concatenate([columns, before])
        limits = np.append(limits, item.arrived[t])
    # SciPy's stubs do not know sparse rows here
    matrix: object = csr_array((np.ones(rows.size), (rows, columns)), shape=(limits.size, kind.size))
    found = linprog(-np.ones(kind.size), A_ub=matrix, b_ub=limits, method="highs-ds")  # type: ignore[call-overload]
    return float(min(-found.fun, at_work.sum())) if times and found.fun is not None else 0.0
