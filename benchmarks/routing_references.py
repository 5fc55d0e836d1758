"""The routing engines of the benchmark behind one question: ours, PyVRP, OR-Tools' routing library and VROOM.

Each takes a `Problem` without breaks. Of those the product does not use only the order of the stops is taken:
the project finds the moments and checks every rule, as it does for its own engines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from dealwright.plan.routing.checker import InfeasiblePlanError, require_feasible
from dealwright.plan.routing.engine import alone_feasible, solve
from dealwright.plan.routing.problem import NO_LIMIT, Problem, RoutePlan
from dealwright.plan.routing.schedule import schedule

Stops = list[list[int]]

# OR-Tools minimises whole numbers: penalties of visits left out, and ticks of travel, which its guided local
# search needs as a cost to work on. One unit of value is worth this many ticks: on two of Cordeau's instances
# 1,000 left gaps of 6 and 18 %, 10,000 of 15 and 21 %, 300 of 13 and 25 %; further operators for visits that
# may be left out, and other first solutions, did no better.
PENALTY_PER_UNIT: Final = 1_000
# VROOM's most thorough search; it ends by itself, often long before its time is over
EXPLORATION: Final = 5
HIGHEST_PRIORITY: Final = 100


@dataclass(frozen=True)
class Reference:
    """An engine in the table.

    Attributes
    ----------
    title
        Head of its column.
    module
        What must be installed.
    run
        Problem, seconds and seed -> a plan that the checker has passed.
    """

    title: str
    module: str
    run: Callable[[Problem, float, int], RoutePlan]

    @property
    def installed(self) -> bool:
        """Tell whether it can be measured here."""
        return find_spec(self.module) is not None


def by_ours(problem: Problem, seconds: float, seed: int) -> RoutePlan:
    """Run the kernel that the stage *route* uses, by processor time."""
    return solve(problem, engine="kernel", seconds=seconds, seed=seed)


def by_pyvrp(problem: Problem, seconds: float, seed: int) -> RoutePlan:
    """Run PyVRP as the stage *route* would, by processor time."""
    return solve(problem, engine="pyvrp", seconds=seconds, seed=seed)


def by_ortools(problem: Problem, seconds: float, seed: int) -> RoutePlan:
    """Run OR-Tools' routing library: disjunctions with penalties, time windows, guided local search."""
    return _checked(problem, solve_with_ortools(problem, seconds, seed), "ortools")


def by_vroom(problem: Problem, seconds: float, seed: int) -> RoutePlan:
    """Run VROOM, whose priorities are the visits' values; it draws nothing, so there is no seed."""
    del seed
    return _checked(problem, solve_with_vroom(problem, seconds), "vroom")


ENGINES: Final = {
    "ours": Reference("ours", "numba", by_ours),
    "pyvrp": Reference("PyVRP", "pyvrp", by_pyvrp),
    "ortools": Reference("OR-Tools", "ortools", by_ortools),
    "vroom": Reference("VROOM", "vroom", by_vroom),
}


def _checked(problem: Problem, stops: Stops, engine: str) -> RoutePlan:
    plan = schedule(problem, stops, engine=engine)
    if plan is None:
        raise InfeasiblePlanError(f"{engine} returned an order of stops that cannot be driven: {stops}")
    return require_feasible(problem, plan)


def solve_with_ortools(problem: Problem, seconds: float, seed: int) -> Stops:
    """Return the stops per shift after so much processor time of this thread."""
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    n, m = problem.visits, len(problem.shifts)
    manager = pywrapcp.RoutingIndexManager(
        problem.travel.shape[0], m, [s.start_place for s in problem.shifts],
        [s.end_place for s in problem.shifts],
    )  # fmt: skip
    model = pywrapcp.RoutingModel(manager)
    taken = problem.travel.copy()
    taken[:n] += problem.service[:, None]
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(problem.travel.tolist()))
    longest = max(shift.end for shift in problem.shifts)
    model.AddDimension(model.RegisterTransitMatrix(taken.tolist()), longest, longest, False, "time")
    moment = model.GetDimensionOrDie("time")
    model.AddConstantDimension(1, max(s.max_visits for s in problem.shifts) + 1, True, "visits")
    for r, shift in enumerate(problem.shifts):
        moment.CumulVar(model.Start(r)).SetRange(shift.start, shift.end)
        moment.CumulVar(model.End(r)).SetRange(shift.start, shift.end)
        if shift.max_visits < NO_LIMIT:
            model.GetDimensionOrDie("visits").CumulVar(model.End(r)).SetMax(shift.max_visits + 1)
    feasible = alone_feasible(problem)
    for j in range(n):
        index = manager.NodeToIndex(j)
        penalty = int(max(0, np.rint(problem.prize_eur[j] * PENALTY_PER_UNIT)))
        model.AddDisjunction([index], penalty)
        able = np.flatnonzero(feasible[j]).tolist()
        if not able:
            model.ActiveVar(index).SetValue(0)
            continue
        moment.CumulVar(index).SetRange(int(problem.opens[j]), int(problem.latest_start[j]))
        if len(able) < m:
            model.VehicleVar(index).SetValues([-1, *able])  # -1: nobody
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    begin = time.thread_time()
    # OR-Tools' own limit is by the clock on the wall, which a busy machine would cut short
    model.AddSearchMonitor(model.solver().CustomLimit(lambda: time.thread_time() - begin > seconds))
    parameters.time_limit.seconds = int(100 * seconds) + 1
    model.solver().ReSeed(seed)
    found = model.SolveWithParameters(parameters)
    stops: Stops = [[] for _ in range(m)]
    for r in range(m if found is not None else 0):
        index = found.Value(model.NextVar(model.Start(r)))
        while not model.IsEnd(index):
            stops[r].append(manager.IndexToNode(index))
            index = found.Value(model.NextVar(index))
    return stops


def solve_with_vroom(problem: Problem, seconds: float) -> Stops:
    """Return the stops per shift after at most so many seconds.

    VROOM maximises the sum of priorities, whole numbers to 100, before it looks at the way.
    """
    import vroom

    n = problem.visits
    top = float(problem.prize_eur.max(initial=0.0))
    scale = 1.0 if top <= HIGHEST_PRIORITY else HIGHEST_PRIORITY / top
    priority = np.rint(np.maximum(problem.prize_eur, 0) * scale).astype(int).tolist()
    model: Any = vroom.Input()
    model.set_durations_matrix("car", problem.travel)
    # a job needs all the skills it names, so "one of these shifts" is a skill that just these shifts have
    feasible = alone_feasible(problem)
    groups = [tuple(np.flatnonzero(row).tolist()) for row in feasible]
    skill = {able: number for number, able in enumerate(sorted(set(groups)))}
    for r, shift in enumerate(problem.shifts):
        limit = {} if shift.max_visits >= NO_LIMIT else {"max_tasks": shift.max_visits}
        window = vroom.TimeWindow(shift.start, shift.end)
        model.add_vehicle(
            vroom.Vehicle(
                r, start=shift.start_place, end=shift.end_place, profile="car", time_window=window,
                skills={number for able, number in skill.items() if r in able}, **limit,
            )
        )  # fmt: skip
    for j in np.flatnonzero(feasible.any(axis=1)).tolist():
        window = vroom.TimeWindow(int(problem.opens[j]), int(problem.latest_start[j]))
        model.add_job(
            vroom.Job(
                j, location=j, default_service=int(problem.service[j]), priority=priority[j],
                time_windows=[window], skills={skill[groups[j]]},
            )
        )  # fmt: skip
    found = model.solve(EXPLORATION, nb_threads=1, timeout=timedelta(seconds=seconds)).to_dict()
    stops: Stops = [[] for _ in problem.shifts]
    for route in found["routes"]:
        stops[route["vehicle"]] = [step["id"] for step in route["steps"] if step["type"] == "job"]
    assert all(0 <= j < n for route in stops for j in route)
    return stops
