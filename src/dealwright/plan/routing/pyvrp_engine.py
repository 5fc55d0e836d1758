"""The second engine: PyVRP's iterated local search (Wouda, Lan & Kool 2024), for several homes jointly."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from dealwright.plan.routing.problem import Ints, Problem

# PyVRP counts in whole numbers. Values are worth a thousand of its units and a tick of the day one, which
# keeps days short at next to no loss of value: the best of the settings tried on Cordeau's instances.
UNITS_PER_EUR: Final = 1000
UNITS_PER_TICK: Final = 1
_NEVER: Final = 10_000_000  # ticks: longer than any day, small enough for sums


class ProcessorTime:
    """Stops PyVRP after so much processor time of this thread, as the kernel's clock does."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begin: float | None = None

    def __call__(self, best_cost: float) -> bool:
        """Tell whether to stop; the clock starts at the first call, as that of PyVRP's own criteria does."""
        del best_cost
        now = time.thread_time()
        if self._begin is None:
            self._begin = now
        return now - self._begin > self._seconds


def solve_with_pyvrp(
    problem: Problem, *, iterations: int, seconds: float | None, seed: int
) -> tuple[list[list[int]], int]:
    """Return the stops per shift and the iterations done; a break only shortens the shift."""
    import pyvrp
    from pyvrp.stop import MaxIterations

    n, m = problem.visits, len(problem.shifts)
    bonus = float(np.abs(problem.prize_eur).sum()) + float(problem.cost_eur.max(initial=0.0)) * (n + 1) + 1.0
    prizes = np.rint((problem.prize_eur + np.where(problem.must, bonus, 0.0)) * UNITS_PER_EUR).astype(
        np.int64
    )
    # depots come before the clients in PyVRP's results; locations are the places of the problem
    depots: list[Any] = []
    depot_of: dict[int, int] = {}
    for shift in problem.shifts:
        for place in (shift.start_place, shift.end_place):
            if place not in depot_of:
                depot_of[place] = len(depots)
                depots.append(pyvrp.Depot(place))
    clients = [
        pyvrp.Client(
            j, delivery=[1], service_duration=int(problem.service[j]), tw_early=max(0, int(problem.opens[j])),
            tw_late=int(max(problem.opens[j], problem.latest_start[j], 0)), prize=int(max(prizes[j], 0)),
            required=False,
        )
        for j in range(n)
    ]  # fmt: skip
    vehicles = []
    for r, shift in enumerate(problem.shifts):
        end = shift.end - (shift.lunch.length if shift.lunch else 0)
        vehicles.append(
            pyvrp.VehicleType(
                capacity=[min(shift.max_visits, n)], start_depot=depot_of[shift.start_place],
                end_depot=depot_of[shift.end_place], tw_early=shift.start, tw_late=max(shift.start, end),
                unit_distance_cost=1, unit_duration_cost=UNITS_PER_TICK, profile=r,
            )
        )  # fmt: skip
    places = [pyvrp.Location(0, 0) for _ in range(problem.travel.shape[0])]
    cost = np.rint(problem.cost_eur * UNITS_PER_EUR).astype(np.int64)
    np.fill_diagonal(cost, 0)
    data = pyvrp.ProblemData(
        places, clients, depots, vehicles, [cost] * m, [_travel(problem, r) for r in range(m)]
    )
    stop = MaxIterations(iterations) if seconds is None else ProcessorTime(seconds)
    result = pyvrp.solve(data, stop, seed=seed % 2**32, collect_stats=False, display=False)
    stops: list[list[int]] = [[] for _ in problem.shifts]
    if result.best.is_feasible():
        for route in result.best.routes():
            stops[route.vehicle_type()] = [act.idx for act in route.schedule() if act.is_client()]
    return stops, int(result.num_iterations)


def _travel(problem: Problem, r: int) -> Ints:
    """Return the travel times of a shift, with visits out of reach that it may not make."""
    travel = np.minimum(problem.travel, _NEVER)
    travel[:, np.flatnonzero(~problem.allowed[:, r] | (problem.latest_start < problem.opens))] = _NEVER
    np.fill_diagonal(travel, 0)
    return travel
