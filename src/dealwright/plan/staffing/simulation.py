"""The day played through many times: whether the service level will really be met.

Erlang's formulas take each interval by itself in its steady state. The simulation takes the day as it comes:
callers left from the interval before, agents who finish a call before their break, and luck. First come,
first served; arrivals are Poisson in each interval, handling and patience exponential.
"""

# ruff: noqa: NPY002  numba compiles only this generator; every call seeds it
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dealwright.plan.compiled import compiled
from dealwright.plan.staffing.demand import Floats, Ints


@dataclass(frozen=True)
class Simulated:
    """What happened in the simulated days of one queue.

    Attributes
    ----------
    share
        Share of each day's contacts answered in time, per run.
    by_interval
        The same by interval of arrival, over all runs; NaN where nobody arrived.
    abandoned
        Share of all contacts that hung up.
    mean_wait_min
        Over those answered.
    """

    share: Floats
    by_interval: Floats
    abandoned: float
    mean_wait_min: float

    def probability(self, target: float) -> float:
        """Return how probable it is that the service level is met on a day.

        It is estimated from the simulated days by Jeffreys' rule, (met + ½) / (days + 1): however many days
        all go well, the next one is not certain to.
        """
        met = np.count_nonzero(self.share >= target - 1e-12)
        return (float(met) + 0.5) / (self.share.size + 1.0)


def simulate_queue(
    contacts: Floats,
    agents: Ints,
    *,
    interval_min: float,
    handle_min: float,
    within_min: float,
    patience_min: float | None,
    runs: int,
    seed: int,
) -> Simulated:
    """Play the day of one queue `runs` times.

    Parameters
    ----------
    contacts
        Expected per interval.
    agents
        Available per interval.
    """
    in_time, came, lost, waited, answered = _play(
        np.ascontiguousarray(contacts, dtype=np.float64), agents.astype(np.int64), float(interval_min),
        float(handle_min), float(within_min), -1.0 if patience_min is None else float(patience_min), runs,
        seed,
    )  # fmt: skip
    total = came.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # a day on which nobody calls keeps every promise
        share = np.where(total > 0, in_time.sum(axis=1) / total, 1.0)
        by_interval = in_time.sum(axis=0) / came.sum(axis=0)
    everybody = float(total.sum())
    return Simulated(
        share, by_interval, lost / everybody if everybody else 0.0, waited / answered if answered else 0.0
    )


@compiled
def _moments(count: int) -> Floats:
    """Return uniform moments in order: exponential gaps over their sum (a sort would compile long)."""
    at = np.empty(count + 1)
    total = 0.0
    for i in range(count + 1):
        total += np.random.exponential(1.0)
        at[i] = total
    return at / total


@compiled
def _play(  # noqa: C901, PLR0917  one loop over events; compiled code takes no keyword-only arguments
    contacts: Floats,
    agents: Ints,
    interval: float,
    handle: float,
    within: float,
    patience: float,
    runs: int,
    seed: int,
) -> tuple[Floats, Floats, float, float, float]:
    """Return per run and interval who was answered in time and who came; totals lost, waited, answered."""
    np.random.seed(seed)
    times = contacts.size
    most = max(agents.max(), 1)
    in_time, came = np.zeros((runs, times)), np.zeros((runs, times))
    lost = waited = answered = 0.0
    # when an agent who is away at an interval is back; the day's end counts as never
    back = np.full((most, times + 1), np.inf)
    for k in range(most):
        for t in range(times - 1, -1, -1):
            back[k, t] = t * interval if k < agents[t] else back[k, t + 1]
    free = np.zeros(most)
    last = 0
    for run in range(runs):
        free[:] = 0.0
        for t in range(times):
            count = np.random.poisson(contacts[t])
            came[run, t] = count
            at = _moments(count) * interval + t * interval
            for i in range(count):
                best, chosen = np.inf, -1
                # beginning with the next one in turn finds somebody idle soon; who it is changes nothing
                for step in range(most):
                    k = (last + 1 + step) % most
                    ready = max(at[i], free[k])
                    place = int(ready // interval)
                    if place < times:
                        ready = max(ready, back[k, place])
                    elif k >= agents[times - 1]:
                        ready = np.inf  # after closing, those still there answer who is left in the queue
                    if ready < best:
                        best, chosen = ready, k
                        if ready <= at[i]:
                            break
                wait = best - at[i]
                if chosen < 0 or (patience > 0.0 and wait > np.random.exponential(patience)):
                    lost += 1.0
                    continue
                last = chosen
                free[chosen] = best + np.random.exponential(handle)
                waited += wait
                answered += 1.0
                if wait <= within:
                    in_time[run, t] += 1.0
    return in_time, came, lost, waited, answered
