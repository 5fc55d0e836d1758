"""Queues with several agents: Erlang B, C and A.

Sources: Erlang B by its recursion, and C from B (Cooper 1981, *Introduction to Queueing Theory*, sections
3.4 and 3.5); Erlang A, with exponential patience, from the virtual wait of M/M/n+G (Zeltyn & Mandelbaum
2005, "Call centers with impatient customers: many-server asymptotics of the M/M/n+G queue", section 4, after
Baccelli & Hebuterne 1981).

Load is offered work in erlangs: contacts per minute times minutes per contact. Times are in the unit of
`handle`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.staffing.params import Work

_GRID: Final = 4001
_NEGLIGIBLE: Final = 45.0  # e^-45 is nothing beside 1


def erlang_b(agents: int, load: float) -> float:
    """Return the probability that all agents of a group without a queue are busy."""
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def service_level(
    agents: int, load: float, handle: float, within: float, patience: float | None = None
) -> float:
    """Return the share of all contacts answered within a time; a contact that hangs up is not answered.

    Parameters
    ----------
    load
        In erlangs.
    handle, within, patience
        In one unit of time; no patience for customers who never hang up.
    """
    if load <= 0:
        return 1.0
    if agents <= 0:
        return 0.0
    if patience is not None:
        return _answered_with_patience(agents, load, handle, within, patience)[0]
    return _answered(agents, load, within / handle, erlang_b(agents, load))


def required_agents(load: float, work: Work) -> int:
    """Return the fewest available agents that keep service level and occupancy, before shrinkage."""
    if load <= 0:
        return 0
    within = work.within_s / 60.0
    least = max(1, math.ceil(load / work.max_occupancy - 1e-9))
    if work.patience_min is None:
        least = max(least, math.floor(load) + 1)
        n, blocked = least, erlang_b(least, load)
        while _answered(n, load, within / work.handle_min, blocked) < work.target_share:
            n += 1
            blocked = load * blocked / (n + load * blocked)
        return n
    n = least
    while service_level(n, load, work.handle_min, within, work.patience_min) < work.target_share:
        n += 1
    return n


def scheduled_agents(available: NDArray[np.int64], shrinkage: float) -> NDArray[np.int64]:
    """Return how many must be scheduled so that so many are available."""
    return np.asarray(np.ceil(available / (1.0 - shrinkage) - 1e-9), dtype=np.int64)


def available_agents(scheduled: NDArray[np.int64], shrinkage: float) -> NDArray[np.int64]:
    """Return how many of those scheduled can be counted on."""
    return np.asarray(np.floor(scheduled * (1.0 - shrinkage) + 1e-9), dtype=np.int64)


def _waits(agents: int, load: float, blocked: float) -> float:
    """Return the probability that a contact has to wait (Erlang C); 1 where the agents cannot keep up."""
    if load >= agents:
        return 1.0
    return agents * blocked / (agents - load * (1.0 - blocked))


def _answered(agents: int, load: float, within_handles: float, blocked: float) -> float:
    if load >= agents:
        return 0.0
    return 1.0 - _waits(agents, load, blocked) * math.exp(-(agents - load) * within_handles)


def _answered_with_patience(
    agents: int, load: float, handle: float, within: float, patience: float
) -> tuple[float, float]:
    """Return the shares answered in time and hung up, by integrating the density of the virtual wait."""
    rate, service, quits = load / handle, 1.0 / handle, 1.0 / patience

    def exponent(x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithm of the density of the virtual wait, without its constant."""
        return np.asarray(-rate * np.expm1(-quits * x) / quits - agents * service * x)

    # the exponent is concave: from its peak it falls ever faster
    peak = max(math.log(rate / (agents * service)) / quits, 0.0)
    reach = 1.0 / (agents * service)
    while exponent(np.array([peak + reach]))[0] > exponent(np.array([peak]))[0] - _NEGLIGIBLE:
        reach *= 2.0
    limit = peak + reach
    # dense where the density is large; the two parts meet at the time that matters
    early = np.linspace(0.0, min(within, limit), _GRID)
    late = np.linspace(min(within, limit), limit, 4 * _GRID)
    top = float(max(exponent(early).max(), exponent(late).max()))
    density_early, density_late = np.exp(exponent(early) - top), np.exp(exponent(late) - top)
    whole = np.trapezoid(density_early, early) + np.trapezoid(density_late, late)
    idle = math.exp(-top) / erlang_b(agents - 1, load)
    total = idle + rate * whole
    answered = idle + rate * np.trapezoid(density_early * np.exp(-quits * early), early)
    lost = math.exp(-top) + (rate - agents * service) * whole
    return float(answered / total), float(max(lost, 0.0) / total)
