"""One function in front of both engines: `solve`."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, Literal

import numpy as np

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.routing.checker import InfeasiblePlanError, require_feasible
from dealwright.plan.routing.kernel import Data, Insertions, State
from dealwright.plan.routing.problem import Bools, Floats, Lunch, Problem, RoutePlan, Shift
from dealwright.plan.routing.schedule import schedule

Engine = Literal["kernel", "pyvrp"]
ENGINES: Final = ("kernel", "pyvrp")
ITERATIONS: Final = 20_000
MOST_RUNS: Final = 4  # among which a day's work is divided
LEAST_RUN: Final = 40_000  # iterations of each
LEAST_RUN_S: Final = 2.5  # seconds of each
_LONGEST: Final = 1 << 30  # ticks of a drive: longer than any day
_NO_GAIN: Final = 1e-9
SEEDS: Final = 40  # visits that pay only in company, from each of which a greedy plan is built


def solve(
    problem: Problem,
    *,
    engine: Engine = "kernel",
    iterations: int = ITERATIONS,
    seconds: float | None = None,
    seed: int = 0,
    start: Sequence[Sequence[int]] | None = None,
) -> RoutePlan:
    """Choose and order visits: must-visits first, then the largest value less the cost of travel.

    Parameters
    ----------
    engine
        ``"kernel"``: ruin and recreate, compiled, for one or several shifts, with breaks. ``"pyvrp"``:
        PyVRP's iterated local search; days with a break are then finished by the kernel, since PyVRP has
        none.
    iterations
        Work of the kernel; the same problem, seed and iterations give the same plan.
    seconds
        Stop after so much processor time of this thread instead (not repeatable): on a busy machine, as much
        work as on an idle one.
    start
        Stops per shift to begin with.

    Raises
    ------
    InfeasiblePlanError
        The checker refuses what the engine returned.
    """
    if engine not in ENGINES:
        raise UnknownNameError("routing engine", engine, ENGINES)
    if (seconds is not None and seconds <= 0) or iterations < 1:
        raise InputError(
            f"iterations = {iterations}, seconds = {seconds}: give the routing engine something to do"
        )
    if not problem.shifts or not alone_feasible(problem).any():
        empty: list[list[int]] = [[] for _ in problem.shifts]
        return require_feasible(problem, _timed(problem, empty, engine, 0))
    if engine == "pyvrp":
        from dealwright.plan.routing.pyvrp_engine import solve_with_pyvrp

        stops, done = solve_with_pyvrp(problem, iterations=iterations, seconds=seconds, seed=seed)
        if all(shift.lunch is None for shift in problem.shifts):
            return require_feasible(problem, _timed(problem, stops, engine, done))
        start = stops
        iterations, seconds = max(1, iterations // 4), None if seconds is None else seconds / 4
    stops, done = anneal_problem(problem, iterations=iterations, seconds=seconds, seed=seed, start=start)
    return require_feasible(problem, _timed(problem, stops, engine, done))


@cache
def compile_kernel() -> None:
    """Compile the kernel, or read what an earlier process compiled, by planning one visit; once per process.

    Compiling makes a million objects, all of which stay: the collector, which would look through them again
    and again, waits until it is done.
    """
    one, no = np.ones(1), np.zeros((2, 2), dtype=np.int64)
    shifts = (Shift("", 1, 1, 0, 9, 1, Lunch(4, 5, 1)),)
    problem = Problem(
        no, no.astype(np.float64), no[0, :1], no[0, :1], no[0, :1] + 9, one, one < 0, one[:, None] > 0,
        shifts, np.zeros(1),
    )  # fmt: skip
    collects = gc.isenabled()
    gc.disable()
    try:
        solve(problem, iterations=1)
    finally:
        if collects:
            gc.enable()


def _timed(problem: Problem, stops: Sequence[Sequence[int]], engine: str, iterations: int) -> RoutePlan:
    plan = schedule(problem, stops, engine=engine, iterations=iterations)
    if plan is None:
        raise InfeasiblePlanError(
            f"the routing engine {engine!r} returned an order of stops that cannot be driven: {stops}. "
            "Choose the other engine and report this as a fault"
        )
    return plan


def alone_feasible(problem: Problem) -> Bools:
    """Tell which visit each shift could make if it made no other, shape (n, m)."""
    n = problem.visits
    fits = np.zeros((n, len(problem.shifts)), dtype=np.bool_)
    for r, shift in enumerate(problem.shifts):
        out = problem.travel[shift.start_place, :n]
        home = problem.travel[:n, shift.end_place]
        begin = np.maximum(shift.start + out, problem.opens)
        fine = (begin <= problem.latest_start) & (begin + problem.service + home <= shift.end)
        if shift.lunch is not None:
            fine &= _fits_with_lunch(problem, r)
        fits[:, r] = fine & problem.allowed[:, r] & (shift.max_visits > 0)
    return fits


def _fits_with_lunch(problem: Problem, r: int) -> Bools:
    shift, n = problem.shifts[r], problem.visits
    lunch = shift.lunch
    assert lunch is not None  # noqa: S101  asked by the caller
    out, home = problem.travel[shift.start_place, :n], problem.travel[:n, shift.end_place]
    first = np.maximum(shift.start + out, lunch.earliest) + lunch.length
    begin = np.maximum(first, problem.opens)
    before = (shift.start <= lunch.latest) & (begin <= problem.latest_start)
    before &= begin + problem.service + home <= shift.end
    begin = np.maximum(shift.start + out, problem.opens)
    left = begin + problem.service
    after = (left <= lunch.latest) & (begin <= problem.latest_start)
    after &= np.maximum(left + home, lunch.earliest) + lunch.length <= shift.end
    at_home = (left + home <= min(lunch.latest, shift.end)) & (begin <= problem.latest_start)
    return np.asarray(before | after | at_home)


def anneal_problem(
    problem: Problem,
    *,
    iterations: int,
    seconds: float | None,
    seed: int,
    start: Sequence[Sequence[int]] | None = None,
) -> tuple[list[list[int]], int]:
    """Run the kernel; return the stops per shift and the iterations done.

    Where there is work enough, it is divided between several runs from the same start: on large days the luck
    of a run counts for more than its length.
    """
    from dealwright.plan.routing.kernel import anneal, copy_state

    data, bonus = kernel_data(problem)
    first, state, saved, best = (empty_state(data) for _ in range(4))
    worth, score, touched = np.zeros(2), empty_score(data), np.zeros(len(problem.shifts), np.bool_)
    known = empty_insertions(data)
    begun = begin_with(data, state, known, start)
    if start is None:
        begun = begin_with(data, state, known, _seeded(data, known))
    copy_state(state, first)
    copy_state(state, best)
    worth[1] = begun
    positive = problem.value_eur[problem.value_eur > 0]
    mean = float(positive.mean()) if positive.size else max(bonus, 1.0)
    hot, cold = 0.5 * mean, 0.02 * mean
    seeds = np.random.SeedSequence(seed)

    def run(count: int, begin: float, end: float) -> None:
        """Anneal over a part of the cooling."""
        part = int(seeds.spawn(1)[0].generate_state(1)[0])
        anneal(
            data, state, saved, best, known, score, worth, touched, count, part, hot, cold, begin, end
        )  # fmt: skip

    def begin_again() -> None:
        copy_state(first, state)
        worth[0] = begun

    done = 0
    if seconds is None:
        runs = min(max(iterations // LEAST_RUN, 1), MOST_RUNS)
        for k in range(runs):
            begin_again()
            run((iterations + k) // runs, 0.0, 1.0)
        done = iterations
    else:
        runs = min(max(int(seconds / LEAST_RUN_S), 1), MOST_RUNS)
        for _ in range(runs):
            begin_again()
            done += _cool_down(run, seconds / runs)
    return routes_of(best), done


def _cool_down(run: Callable[[int, float, float], None], seconds: float) -> int:
    """Anneal for so much processor time of this thread; return the iterations done."""
    clock, count, spent, done = time.thread_time(), 20, 0.0, 0
    while spent < seconds:
        run(count, spent / seconds, min(1.0, spent / seconds + 0.02))
        done += count
        spent = time.thread_time() - clock
        count = max(10, min(int(done / spent * seconds / 50), int(done / spent * (seconds - spent)) + 1))
    return done


def _seeded(data: Data, known: Insertions) -> list[list[int]]:
    """Return the best of greedy plans: two from nothing, others begun with a visit that pays only in company.

    Single insertion never opens a cluster that costs more to reach than any of its visits brings: one of
    them is inserted first, and the others follow.
    """
    from dealwright.plan.routing.kernel import (
        LEG,
        RATIO,
        VALUE,
        anneal,
        insert,
        place_lunch,
        rate_route,
        touch,
    )

    m = data.allowed.shape[0]
    state, score, touched = empty_state(data), empty_score(data), np.zeros(m, np.bool_)
    worth = np.zeros(2)

    def empty() -> None:
        state.route_of[:] = -1
        state.head[:-1, 0] = 0
        for r in range(m):
            place_lunch(data, state, r)
            touch(state, r)
            rate_route(data, state, known, r)

    empty()
    # by route: who fits, but is not worth the detour; of many, every nth, the dearest first
    value = data.visit[VALUE]
    unpaid = (known.leg[:, LEG] >= 0) & (known.effect[:, RATIO] <= 0) & (value > 0)
    route = unpaid.argmax(axis=0)
    lone = np.flatnonzero(unpaid.any(axis=0))
    lone = lone[np.lexsort((lone, -value[lone]))]
    seeds = lone[:: max(1, -(-lone.size // SEEDS))]
    best = -np.inf
    found: list[list[int]] = [[] for _ in range(m)]
    for seed in (-1, *seeds.tolist()):
        empty()
        worth[0] = insert(data, state, known, seed, int(route[seed])) if seed >= 0 else 0.0
        anneal(data, state, state, state, known, score, worth, touched, 0, 0, 1.0, 1.0, 0.0, 1.0)
        if worth[0] > best + 1e-9:
            best, found = float(worth[0]), routes_of(state)
    empty()
    if _insert_by_gain(data, state, known) > best + 1e-9:
        found = routes_of(state)
    known.version[:] = -1
    return found


def _insert_by_gain(data: Data, state: State, known: Insertions) -> float:
    """Insert whoever gains most where it costs least, until nobody gains anything; return the gain.

    The kernel weighs a gain against the time it takes, which is better in all but a few cases.
    """
    from dealwright.plan.routing.kernel import ADDED, CHEAPEST_EVERY, LEG, VALUE, VERSION, insert, rate_route

    total, changed = 0.0, list(range(data.allowed.shape[0]))
    while True:
        for r in changed:
            # this version looks for the cheapest leg
            state.head[-1, VERSION] += CHEAPEST_EVERY - state.head[-1, VERSION] % CHEAPEST_EVERY
            state.head[r, VERSION] = state.head[-1, VERSION]
            rate_route(data, state, known, r)
        fits = (known.leg[:, LEG] >= 0) & (state.route_of < 0)
        gain = np.where(fits, data.visit[VALUE] - known.effect[:, ADDED], 0.0)
        r, j = map(int, np.unravel_index(gain.argmax(), gain.shape))
        if gain[r, j] <= _NO_GAIN:
            return total
        total += insert(data, state, known, j, r)
        changed = [r]


def kernel_data(problem: Problem) -> tuple[Data, float]:
    """Translate a problem for the kernel; a must-visit gets a bonus above all the others together."""
    from dealwright.plan.routing.kernel import Data

    n, shifts = problem.visits, problem.shifts
    bonus = float(
        np.abs(problem.prize_eur).sum() + np.abs(problem.cost_eur).max(initial=0.0) * 2 * (n + 1) + 1.0
    )
    value: Floats = problem.prize_eur + np.where(problem.must, bonus, 0.0)
    lunches = [(s.lunch.earliest, s.lunch.latest, s.lunch.length) if s.lunch else (0, 0, -1) for s in shifts]
    times = [(s.start, s.end, *lunch) for s, lunch in zip(shifts, lunches, strict=True)]
    travel = np.minimum(problem.travel, _LONGEST).astype(np.int32)
    visit = (problem.service, problem.opens, problem.latest_start, np.maximum(value, 0.0))
    data = Data(
        np.stack([travel, travel.T]),
        np.stack([problem.cost_eur, problem.cost_eur.T]).astype(np.float64),
        np.stack(visit).astype(np.float64).reshape(4, n),
        np.ascontiguousarray(alone_feasible(problem).T),
        np.argsort(problem.travel[:n, :n], axis=1, kind="stable"),
        np.array(times, dtype=np.float64).reshape(-1, 5),
        np.array([(s.start_place, s.end_place, s.max_visits) for s in shifts], dtype=np.int64).reshape(-1, 3),
    )
    return data, bonus


def empty_state(data: Data) -> State:
    """Return routes without stops."""
    from dealwright.plan.routing.kernel import LUNCH_LEG, MOST_VISITS, State, place_lunch

    m, n = data.allowed.shape
    longest = int(min(n, max(int(data.place[:, MOST_VISITS].max()), 0)))
    head = np.zeros((m + 1, 3), np.int64)
    head[:, LUNCH_LEG] = -1
    state = State(
        np.zeros((m, longest + 1), np.int64), np.zeros((m, 3, longest + 1)), head, np.full(n, -1, np.int64)
    )
    for r in range(m):
        place_lunch(data, state, r)
    return state


def empty_insertions(data: Data) -> Insertions:
    """Return a table of insertions in which nothing is valid yet."""
    from dealwright.plan.routing.kernel import Insertions

    m, n = data.allowed.shape
    return Insertions(np.zeros((m, 2, n), np.int64), np.zeros((m, 3, n)), np.full(m, -1, np.int64))


def empty_score(data: Data) -> Floats:
    """Return room for the scores of `kernel.recreate`."""
    m, n = data.allowed.shape
    return np.zeros((m + 1, n + 2))


def routes_of(state: State) -> list[list[int]]:
    """Return the stops of each route."""
    return [state.stop[r, : state.head[r, 0]].tolist() for r in range(len(state.head) - 1)]


def begin_with(data: Data, state: State, known: Insertions, start: Sequence[Sequence[int]] | None) -> float:
    """Build given routes; return value less cost of what was built.

    Where one cannot be driven as it is, each of its stops goes where it fits best, or is left out.
    """
    from dealwright.plan.routing.kernel import (
        LENGTH,
        MOST_VISITS,
        RATIO,
        VALUE,
        insert,
        place_lunch,
        rate_route,
        route_cost,
        touch,
    )

    for r, sequence in enumerate(start or ()):
        stops = [j for j in sequence if data.allowed[r, j] and state.route_of[j] < 0][
            : state.stop.shape[1] - 1
        ]
        state.stop[r, : len(stops)] = stops
        state.head[r, LENGTH] = len(stops)
        if len(stops) <= data.place[r, MOST_VISITS] and place_lunch(data, state, r):
            state.route_of[stops] = r
            touch(state, r)
            continue
        state.head[r, LENGTH] = 0
        place_lunch(data, state, r)
        touch(state, r)
        for j in stops:
            rate_route(data, state, known, r)
            if known.effect[r, RATIO, j] > 0:
                insert(data, state, known, j, r)
    made = state.route_of >= 0
    travel = sum(route_cost(data, state, r) for r in range(data.allowed.shape[0]))
    return float(data.visit[VALUE, made].sum() - travel)
