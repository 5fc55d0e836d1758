"""Why a visit was left out, what it would displace, and what an hour or a visit more would be worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dealwright.plan.routing.engine import (
    anneal_problem,
    begin_with,
    empty_insertions,
    empty_state,
    kernel_data,
)
from dealwright.plan.routing.limits import WORTH, binding_limits
from dealwright.plan.routing.problem import Floats, Problem, RoutePlan, Shift, sequences
from dealwright.plan.routing.schedule import schedule

MOST_DISPLACED = 2  # neighbouring stops: more would be another day rather than an exchange


@dataclass(frozen=True)
class Insight:
    """What it would take to make a visit that was left out."""

    visit: int  # the visit
    shift: int | None  # the shift it would fit best, or `None` where not even two stops make room for it
    after: int | None = None  # the stop it would follow; `None` for the first of the day
    delay: int = 0  # ticks by which the next stop would begin to be reached later
    cost_eur: float = 0.0  # what travel would cost more, the displaced stops taken into account
    # stops that would have to go; none where only the cost of travel speaks against the visit
    displaced: tuple[int, ...] = ()
    displaced_eur: float = 0.0  # what these are worth
    limit: str = WORTH  # which limit binds: one of `limits.LIMITS`


def explain_left_out(problem: Problem, plan: RoutePlan) -> tuple[Insight, ...]:
    """Find the cheapest way to fit in each visit that was left out.

    It goes beside all stops, or in place of one or two. Cheapest is what loses least: value of the displaced
    stops plus the added cost of travel. A must-visit is displaced by nothing.
    """
    left_out = np.setdiff1d(np.arange(problem.visits), plan.served())
    if not left_out.size or not problem.shifts:
        return ()
    from dealwright.plan.routing.kernel import (
        ADDED,
        DELAY,
        LEG,
        LENGTH,
        VALUE,
        copy_state,
        place_lunch,
        rate_route,
        remove_stops,
        touch,
    )

    data, _ = kernel_data(problem)
    state, saved = empty_state(data), empty_state(data)
    known = empty_insertions(data)
    begin_with(data, state, known, sequences(plan))
    copy_state(state, saved)
    best: dict[int, tuple[float, Insight]] = {}
    for r in range(len(problem.shifts)):
        count = int(saved.head[r, LENGTH])
        trials = [
            (0, 0),
            *((first, k) for k in range(1, MOST_DISPLACED + 1) for first in range(count - k + 1)),
        ]
        for first, number in trials:
            gone = tuple(int(stop) for stop in saved.stop[r, first : first + number])
            if problem.must[list(gone)].any():
                continue
            saving = 0.0
            if number:
                lost = float(remove_stops(data, state, r, first, number))
                fine = place_lunch(data, state, r)
                touch(state, r)
                saving = float(data.visit[VALUE, list(gone)].sum()) - lost
                if not fine:
                    copy_state(saved, state)
                    continue
            rate_route(data, state, known, r)
            value = float(problem.value_eur[list(gone)].sum())
            for j in left_out[known.leg[r, LEG, left_out] >= 0]:
                cost = float(known.effect[r, ADDED, j]) - saving
                if int(j) not in best or value + cost < best[int(j)][0] - 1e-9:
                    leg = int(known.leg[r, LEG, j])
                    after = int(state.stop[r, leg - 1]) if leg else None
                    found = Insight(int(j), r, after, int(known.effect[r, DELAY, j]), cost, gone, value)
                    best[int(j)] = value + cost, found
            copy_state(saved, state)
    insights = [best[int(j)][1] if int(j) in best else Insight(int(j), None) for j in left_out]
    crowded = np.array(
        [item.visit for item in insights if item.displaced or item.shift is None], dtype=np.int64
    )
    limits = binding_limits(problem, plan, crowded)
    return tuple(replace(item, limit=limits.get(item.visit, WORTH)) for item in insights)


def hour_worth_eur(problem: Problem, plan: RoutePlan, ticks: int, iterations: int, seed: int) -> Floats:
    """Return what each shift would gain if it ended later by `ticks`: value less cost, never below 0.

    The number of visits allowed stays.
    """
    return _worth_of(
        problem, plan, [replace(shift, end=shift.end + ticks) for shift in problem.shifts], iterations, seed
    )


def visit_worth_eur(problem: Problem, plan: RoutePlan, iterations: int, seed: int) -> Floats:
    """Return what each shift would gain from one visit more; 0 where it has room for another already."""
    full = {
        route.shift for route in plan.routes if len(route.stops) >= problem.shifts[route.shift].max_visits
    }
    more = [
        replace(shift, max_visits=shift.max_visits + 1) if r in full else None
        for r, shift in enumerate(problem.shifts)
    ]
    return _worth_of(problem, plan, more, iterations, seed)


def _worth_of(
    problem: Problem, plan: RoutePlan, relaxed: Sequence[Shift | None], iterations: int, seed: int
) -> Floats:
    """Return what each shift would gain if it were the relaxed one: planned again from the present plan."""
    now = worth_eur(problem, plan)
    worth = np.zeros(len(problem.shifts))
    for r, shift in enumerate(relaxed):
        if shift is None or not problem.visits:
            continue
        roomier = replace(problem, shifts=(*problem.shifts[:r], shift, *problem.shifts[r + 1 :]))
        stops, _ = anneal_problem(
            roomier, iterations=iterations, seconds=None, seed=seed, start=sequences(plan)
        )
        better = schedule(roomier, stops, engine="kernel")
        if better is not None and problem.must[plan.served()].sum() <= problem.must[better.served()].sum():
            worth[r] = max(0.0, worth_eur(roomier, better) - now)
    return worth


def worth_eur(problem: Problem, plan: RoutePlan) -> float:
    """Return the value of the visits less the cost of travel."""
    return plan.value_eur(problem) - plan.cost_eur(problem)
