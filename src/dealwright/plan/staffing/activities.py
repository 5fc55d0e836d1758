"""Who works on what in each interval, as steadily as the plan allows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.staffing.demand import Floats, Ints

IDLE: Final = -1
_NOBODY: Final = 1e-4  # people: a matter of rounding in a solver


def assign_activities(
    on_duty: NDArray[np.bool_],
    group: Ints,
    wanted: Floats,
    can: NDArray[np.bool_],
    queue: NDArray[np.bool_],
    *,
    before: Ints | None = None,
) -> Ints:
    """Return the channel of each person in each interval, `IDLE` when not at work; shape (people, intervals).

    Everybody keeps the channel they have while the plan wants somebody of their group there. Who is at work
    beyond what is wanted does work that may wait, or helps a queue.

    Parameters
    ----------
    on_duty
        Shape (people, intervals).
    group
        Of each person.
    wanted
        People per group, channel and interval, as the shift plan has it; may be fractions for work that may
        wait.
    can
        Which groups can work on which channels.
    queue
        Which channels are queues.
    before
        What each person did before the first interval; by default nothing.
    """
    people, times = on_duty.shape
    activity = np.full((people, times), IDLE, dtype=np.int64)
    before = np.full(people, IDLE, dtype=np.int64) if before is None else before.copy()
    # what rounding to whole people has left undone, or done too early
    owed = np.zeros((len(can), len(queue)))
    for t in range(times):
        for g in range(len(can)):
            present = np.flatnonzero(on_duty[:, t] & (group == g))
            due = np.where(wanted[g, :, t] > _NOBODY, owed[g] + wanted[g, :, t], 0.0)
            whole = np.where(queue, np.floor(wanted[g, :, t] + _NOBODY), _nearest(due, present.size, queue))
            left = whole.astype(np.int64)
            owed[g] += np.where(queue, 0.0, wanted[g, :, t] - left)
            if not present.size:
                continue
            now = np.full(present.size, IDLE, dtype=np.int64)
            # queues first: a customer on the line cannot wait
            for c in np.argsort(~queue, kind="stable"):
                keep = np.flatnonzero((now == IDLE) & (before[present] == c))[: left[c]]
                now[keep] = c
                left[c] -= keep.size
            for c in np.argsort(~queue, kind="stable"):
                fill = np.flatnonzero(now == IDLE)[: left[c]]
                now[fill] = c
                left[c] -= fill.size
            owed[g] += np.where(queue, 0.0, left)
            now[now == IDLE] = _spare(int((now == IDLE).sum()), due - whole, can[g], queue)
            activity[present, t] = now
            before[present] = now
    return activity


def _nearest(due: Floats, people: int, queue: NDArray[np.bool_]) -> Floats:
    """Round the people that work which may wait is due, to no more than there are: the most overdue first."""
    whole = np.where(queue, 0.0, np.maximum(np.floor(due + 0.5), 0.0))
    while whole.sum() > people:
        whole[np.where(whole > 0, due - whole, np.inf).argmin()] -= 1.0
    return whole


def _spare(count: int, fraction: Floats, can: NDArray[np.bool_], queue: NDArray[np.bool_]) -> Ints:
    """Give the others to the channels in turn: those with a fraction left first, then work that may wait."""
    channels = np.flatnonzero(can)
    if not channels.size:
        return np.full(count, IDLE, dtype=np.int64)
    order = channels[np.lexsort((channels, queue[channels], -fraction[channels]))]
    order = order[~queue[order]] if (~queue[order]).any() else order
    return order[np.arange(count) % order.size]
