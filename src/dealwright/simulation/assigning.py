"""Policy simulation: leads meet agents with limited places; the truth tells what a policy is worth."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dealwright.errors import InputError
from dealwright.extras import require_extra

if TYPE_CHECKING:
    from dealwright.simulation.astra_truth import FloatArray, IntArray

Rule = Literal["random", "workload", "score"]


@dataclass(frozen=True)
class AssignmentRun:
    """Who got which lead.

    ``agent`` has one element per lead: the agent's position, or -1 where nobody had a free place.
    """

    agent: IntArray

    @property
    def unassigned(self) -> int:
        """How many leads found no free place."""
        return int((self.agent < 0).sum())

    def total(self, value: FloatArray) -> float:
        """Sum a value, (leads, agents), over the assignments made; a lead without an agent brings nothing."""
        made = np.flatnonzero(self.agent >= 0)
        return float(value[made, self.agent[made]].sum())

    def summary(self) -> str:
        """Say how many leads were assigned, in a line."""
        return f"{len(self.agent) - self.unassigned} of {len(self.agent)} leads assigned"


def assign_leads(
    rule: Rule,
    capacity: IntArray,
    arrival_h: FloatArray,
    duration_h: FloatArray,
    *,
    rng: np.random.Generator,
    score: FloatArray | None = None,
    sharpness: float = 1.0,
) -> AssignmentRun:
    """Assign leads one by one, as they arrive, to agents with a free place.

    Parameters
    ----------
    rule
        ``random``; ``workload``, fewest open assignments first; ``score``, the highest score first, ties at
        random.
    capacity
        Shape (agents,): assignments an agent may have open at once.
    arrival_h, duration_h
        Shape (leads,): when each lead arrives, ascending, and how long it keeps a place; in hours.
    score
        Shape (leads, agents); only for the rule ``score``.
    sharpness
        Scores are multiplied by ``(1 - e^(-k x)) / (1 - e^-k)``, with x the agent's free share of places
        and k the sharpness (inventory balancing: Golrezaei, Nazerzadeh & Rusmevichientong 2014, "Real-Time
        Optimization of Personalized Assortments", with k = 1). Infinity does not balance at all.
    """
    if rule == "score" and score is None:
        raise InputError("the rule 'score' needs scores, one per lead and agent")
    n_leads, n_agents = len(arrival_h), len(capacity)
    open_count = np.zeros(n_agents)
    places = np.maximum(capacity.astype(np.float64), 1e-9)
    busy: list[tuple[float, int]] = []
    chosen = np.full(n_leads, -1, dtype=np.int64)
    luck = rng.random((n_leads, n_agents))
    for i in range(n_leads):
        while busy and busy[0][0] <= arrival_h[i]:
            open_count[heapq.heappop(busy)[1]] -= 1
        free = open_count < capacity
        if not free.any():
            continue
        if rule == "random":
            key = luck[i]
        elif rule == "workload":
            key = -open_count + 1e-6 * luck[i]
        else:
            own = np.asarray(score)[i]
            key = own * -np.expm1(sharpness * (open_count / places - 1.0)) if np.isfinite(sharpness) else own
            key = key + 1e-12 * np.abs(key) * luck[i]
        agent = int(np.argmax(np.where(free, key, -np.inf)))
        chosen[i] = agent
        open_count[agent] += 1
        heapq.heappush(busy, (float(arrival_h[i] + duration_h[i]), agent))
    return AssignmentRun(chosen)


def assign_batches_optimally(value: FloatArray, capacity: IntArray, batch: IntArray) -> AssignmentRun:
    """Find the best assignment of each batch, all its leads known beforehand: no policy can do better.

    Exact (Hungarian method by `scipy.optimize.linear_sum_assignment`), for leads that keep their place
    until the end of their batch.

    Parameters
    ----------
    value
        Shape (leads, agents), the true value of each pairing.
    batch
        Shape (leads,): for example the day of arrival.
    """
    require_extra("plan", "the assignment that is best in hindsight")
    from scipy.optimize import linear_sum_assignment

    chosen = np.full(len(value), -1, dtype=np.int64)
    place_of = np.repeat(np.arange(len(capacity)), capacity)
    for label in np.unique(batch):
        leads = np.flatnonzero(batch == label)
        rows, columns = linear_sum_assignment(value[leads][:, place_of], maximize=True)
        chosen[leads[rows]] = place_of[columns]
    return AssignmentRun(chosen)
