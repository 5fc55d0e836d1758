"""The day played through many times: whether the service level will really be met.

Erlang's formulas take each interval by itself in its steady state. The simulation takes the day as it comes:
callers left from the interval before, agents who finish a call before their break, and luck. First come,
first served; arrivals are Poisson in each interval, handling and patience exponential.
"""

# ruff: noqa: NPY002  numba compiles only this generator; every call seeds it
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.compiled import compiled
from dealwright.plan.staffing.demand import Floats, Ints

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Simulated:
    """What happened in the simulated days of one queue."""

    share: Floats  # share of each day's contacts answered in time, per run
    # contacts answered in time, and all, by interval of arrival, over all runs
    in_time: Floats
    came: Floats
    abandoned: float  # share of all contacts that hung up
    mean_wait_min: float  # over those answered

    def kept(self, target: float) -> Bools:
        """Return on which of the days the service level is met."""
        return np.asarray(self.share >= target - 1e-12)


def chance(kept: Bools) -> float:
    """Return how probable what happened on some of the simulated days is.

    It is estimated by Jeffreys' rule, (met + ½) / (days + 1): however many days all go well, the next one is
    not certain to.
    """
    return (float(np.count_nonzero(kept)) + 0.5) / (kept.size + 1.0)


def chance_error(kept: Bools) -> float:
    """Return the standard error of `chance`."""
    share = chance(kept)
    return math.sqrt(share * (1.0 - share) / (kept.size + 1.0))


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
    everybody = float(total.sum())
    return Simulated(
        share,
        in_time.sum(axis=0),
        came.sum(axis=0),
        lost / everybody if everybody else 0.0,
        waited / answered if answered else 0.0,
    )


def simulate_backlog(
    contacts: Floats,
    own: float,
    capacity_min: Floats,
    *,
    handle_min: float,
    drain_intervals: int,
    runs: int,
    seed: int,
) -> Floats:
    """Play the day of work that may wait; return the share of it done in time, per run.

    Arrivals are Poisson, handling times exponential; first come, first served, the plan's own contacts last.

    Parameters
    ----------
    contacts
        Expected to arrive per interval, the plan's own not among them.
    own
        Contacts the plan makes itself.
    capacity_min
        Minutes that can be spent on contacts, per interval.
    drain_intervals
        Within how many intervals what arrives is to be done, its own one counted; by the end of the day at
        the latest.
    """
    rng = np.random.default_rng(seed)
    came = rng.poisson(contacts, (runs, contacts.size)).astype(np.float64)
    work = rng.standard_gamma(came) * handle_min
    left = np.zeros(runs)
    # what has been done by the end of each interval: whatever was there and could be
    done = np.zeros((runs, contacts.size))
    total = np.zeros(runs)
    for t in range(contacts.size):
        made = np.minimum(left + work[:, t], capacity_min[t])
        left += work[:, t] - made
        total += made
        done[:, t] = total
    spare = np.maximum(capacity_min.sum() - total, 0.0)
    arrived = np.cumsum(work, axis=1)
    until = np.minimum(np.arange(contacts.size) + drain_intervals - 1, contacts.size - 1)
    # of what an interval brought, the part beyond what was done when it fell due
    late = np.minimum(np.maximum(arrived - done[:, until], 0.0), work)
    share = np.clip(np.divide(late, work, out=np.zeros_like(late), where=work > 0), 0.0, 1.0)
    calls = rng.standard_gamma(own, runs) * handle_min if own > 0 else np.zeros(runs)
    made_own = np.divide(np.minimum(calls, spare), calls, out=np.ones(runs), where=calls > 0) * own
    all_of_it = came.sum(axis=1) + own
    in_time = (came * (1.0 - share)).sum(axis=1) + made_own
    return np.asarray(np.divide(in_time, all_of_it, out=np.ones(runs), where=all_of_it > 0))


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
def _play(  # noqa: C901, PLR0912, PLR0917  one loop over events; compiled code takes no keyword-only arguments
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
    begins = np.empty(most)  # when each agent can begin with the next contact, if it is there by then
    last = 0
    for run in range(runs):
        begins[:] = back[:, 0]
        for t in range(times):
            count = np.random.poisson(contacts[t])
            came[run, t] = count
            at = _moments(count) * interval + t * interval
            for i in range(count):
                best, chosen = np.inf, -1
                # beginning with the next one in turn finds somebody idle soon; who it is changes nothing
                k = last
                for _ in range(most):
                    k = k + 1 if k + 1 < most else 0
                    ready = begins[k]
                    if ready <= at[i]:
                        ready = max(at[i], back[k, t])
                    if ready < best:
                        best, chosen = ready, k
                        if ready <= at[i]:
                            break
                wait = best - at[i]
                if chosen < 0 or (patience > 0.0 and wait > np.random.exponential(patience)):
                    lost += 1.0
                    continue
                last = chosen
                free = best + np.random.exponential(handle)
                place = int(free // interval)
                if place < times:
                    free = max(free, back[chosen, place])
                elif chosen >= agents[times - 1]:
                    free = np.inf  # after closing, those still there answer who is left in the queue
                begins[chosen] = free
                waited += wait
                answered += 1.0
                if wait <= within:
                    in_time[run, t] += 1.0
    return in_time, came, lost, waited, answered
