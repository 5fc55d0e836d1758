"""The compiled parts of the search, one by one: each number against driving the whole route again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dealwright.plan.routing.engine import (
    anneal_problem,
    begin_with,
    empty_insertions,
    empty_state,
    kernel_data,
    routes_of,
)
from dealwright.plan.routing.kernel import (
    ADDED,
    ARRIVE,
    BEGIN,
    CHEAPEST_EVERY,
    DELAY,
    LEG,
    LENGTH,
    LUNCH_LEG,
    RATIO,
    SLACK,
    VERSION,
    copy_state,
    insert,
    rate_route,
    remove_stops,
    route_cost,
)
from dealwright.plan.routing.problem import Lunch, Problem, Shift

FIRST, LAST = 7, 8  # places where the shift begins and ends


def problem(seed: int, lunch: Lunch | None) -> Problem:
    """Return seven visits around a round of 200 ticks; ways and costs differ by direction."""
    rng = np.random.default_rng(seed)
    opens = rng.integers(0, 60, 7)
    return Problem(
        travel=rng.integers(1, 25, (9, 9)), cost_eur=rng.uniform(0, 4, (9, 9)),
        service=rng.integers(3, 20, 7),
        opens=opens, latest_start=opens + rng.integers(20, 140, 7), value_eur=rng.uniform(1, 9, 7),
        must=np.zeros(7, dtype=bool), allowed=np.ones((7, 1), dtype=bool),
        shifts=(Shift("s", FIRST, LAST, 5, int(rng.integers(90, 200)), 7, lunch),),
    )  # fmt: skip


def drive(
    given: Problem, order: list[int], leg: int, wait: tuple[int, float] = (-1, 0.0)
) -> tuple[list[float], list[float]] | None:
    """Drive an order with the break on a leg; return arrivals (the end's last) and begins, if it can be.

    `wait` begins a stop later than it could.
    """
    (shift,), now, here = given.shifts, 5.0, FIRST
    arrive, begin = [], []
    for k, place in enumerate([*order, LAST]):
        reached = now + given.travel[here, place]
        home = k == len(order)
        if k == leg and shift.lunch is not None and not (home and reached <= shift.lunch.latest):
            if now > shift.lunch.latest:
                return None
            reached = max(reached, shift.lunch.earliest) + shift.lunch.length
        arrive.append(float(reached))
        if home:
            break
        begin.append(max(reached, given.opens[place]) + (wait[1] if wait[0] == k else 0.0))
        if begin[-1] > given.latest_start[place]:
            return None
        now, here = begin[-1] + given.service[place], place
    return (arrive, begin) if arrive[-1] <= shift.end else None


LUNCHES = [None, Lunch(40, 70, 12), Lunch(60, 66, 20), Lunch(100, 140, 5)]


@pytest.mark.parametrize("lunch", LUNCHES)
def test_moments_slacks_and_insertions_are_those_of_driving_again(lunch: Lunch | None) -> None:
    built = 0
    for seed in range(25):
        given = problem(seed, lunch)
        order = np.random.default_rng(seed).permutation(7)[: 1 + seed % 4].tolist()
        data, _ = kernel_data(given)
        state, known = empty_state(data), empty_insertions(data)
        begin_with(data, state, known, [order])
        order = routes_of(state)[0]
        leg, n = int(state.head[0, LUNCH_LEG]), len(order)
        driven = drive(given, order, leg)
        assert driven is not None
        built += n
        assert state.time[0, ARRIVE, : n + 1].tolist() == driven[0]
        assert state.time[0, BEGIN, :n].tolist() == driven[1]
        # the break is where the day ends earliest
        if lunch is not None:
            ends = [found[0][-1] for k in range(n + 1) if (found := drive(given, order, k)) is not None]
            assert driven[0][-1] == min(ends)
        for k in range(n):
            most = max(d for d in range(200) if drive(given, order, leg, (k, d)) is not None)
            assert state.time[0, SLACK, k] == most
        for by_cost in (False, True):
            version = CHEAPEST_EVERY * 1_000 + (0 if by_cost else 1)
            state.head[0, VERSION] = version
            rate_route(data, state, known, 0)
            for j in set(range(7)) - set(order):
                check_insertion(given, data, (state, known), order, j, by_cost=by_cost)
    assert built > 30


def check_insertion(given, data, found, order: list[int], j: int, *, by_cost: bool) -> None:
    """Compare what is known of an insertion with trying every leg, and the break on either side."""
    state, known = found
    leg, n = int(state.head[0, LUNCH_LEG]), len(order)
    now = state.time[0, ARRIVE]
    cost = given.cost_eur
    tried = []
    for k in range(n + 1):
        before, after = (order[k - 1] if k else FIRST), (order[k] if k < n else LAST)
        added = cost[before, j] + cost[j, after] - (cost[before, after] if n else 0.0)
        for break_leg in {leg + (leg > k), leg + (leg >= k)} if leg >= 0 else {-1}:
            driven = drive(given, [*order[:k], j, *order[k:]], break_leg)
            if driven is not None and data.allowed[0, j]:
                delay = driven[0][k + 1] - now[k]
                tried.append(((added, delay) if by_cost else (delay, 0.0), k, delay, added))
    if not tried:
        assert known.leg[0, LEG, j] == -1
        assert known.effect[0, RATIO, j] == 0.0
        return
    best = min(tried)
    assert known.leg[0, LEG, j] in {k for key, k, _, _ in tried if key == pytest.approx(best[0])}
    if by_cost:
        assert known.effect[0, ADDED, j] == pytest.approx(best[3])
    assert known.effect[0, DELAY, j] == pytest.approx(best[2])
    added = float(known.effect[0, ADDED, j])
    gain = max(given.value_eur[j] - added, 0.0)
    assert known.effect[0, RATIO, j] == pytest.approx(gain / (max(best[2], 0.0) + 1.0))


@pytest.mark.parametrize("lunch", LUNCHES[:2])
def test_what_is_inserted_and_removed_is_worth_its_value_less_its_way(lunch: Lunch | None) -> None:
    for seed in range(12):
        given = problem(seed, lunch)
        data, _ = kernel_data(given)
        state, known = empty_state(data), empty_insertions(data)
        begin_with(data, state, known, [[]])
        worth, kept = 0.0, empty_state(data)
        while True:
            rate_route(data, state, known, 0)
            ratio = np.where(state.route_of < 0, known.effect[0, RATIO], 0.0)
            if ratio.max() <= 0:
                break
            j = int(ratio.argmax())
            worth += insert(data, state, known, j, 0)
            (order,) = routes_of(state)
            assert order[known.leg[0, LEG, j]] == j
            driven = drive(given, order, int(state.head[0, LUNCH_LEG]))
            assert driven is not None
            assert state.time[0, ARRIVE, : len(order) + 1].tolist() == driven[0]
            assert worth == pytest.approx(value_of(given, order))
            assert (state.route_of >= 0).sum() == len(order) == state.head[0, LENGTH]
        copy_state(state, kept)
        n = len(order)
        for first in range(n):
            for number in range(1, n - first + 1):
                lost = remove_stops(data, state, 0, first, number)
                left = [*order[:first], *order[first + number :]]
                assert routes_of(state)[0] == left
                assert lost == pytest.approx(value_of(given, order) - value_of(given, left))
                assert np.flatnonzero(state.route_of >= 0).tolist() == sorted(left)
                assert route_cost(data, state, 0) == pytest.approx(
                    given.value_eur[left].sum() - value_of(given, left)
                )
                state.head[0, VERSION] += 1
                copy_state(kept, state)


def value_of(given: Problem, order: list[int]) -> float:
    places = [FIRST, *order, LAST]
    way = sum(given.cost_eur[a, b] for a, b in pairwise(places)) if order else 0.0
    return float(given.value_eur[order].sum() - way)


def test_a_start_that_cannot_be_driven_keeps_what_fits() -> None:
    given = problem(3, None)
    late = replace(given, shifts=(replace(given.shifts[0], max_visits=2),))
    data, _ = kernel_data(late)
    state, known = empty_state(data), empty_insertions(data)
    worth = begin_with(data, state, known, [[0, 1, 2, 3, 1]])
    (order,) = routes_of(state)
    assert len(order) == 2
    assert worth == pytest.approx(value_of(late, order))
    assert drive(late, order, -1) is not None


def town(seed: int) -> Problem:
    """Return forty visits for three people, one of whom has no break."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 60, (43, 2))
    travel = np.ceil(np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))).astype(np.int64)
    opens = rng.integers(0, 250, 40)
    breaks = (Lunch(150, 220, 30), None, Lunch(150, 220, 30))
    return Problem(
        travel=travel, cost_eur=travel * 0.2, service=rng.integers(5, 25, 40), opens=opens,
        latest_start=opens + rng.integers(30, 150, 40), value_eur=np.round(rng.uniform(1, 30, 40)),
        must=np.arange(40) == 7, allowed=rng.random((40, 3)) < 0.8,
        shifts=tuple(Shift(str(r), 40 + r, 40 + r, 0, 400, 9, breaks[r]) for r in range(3)),
    )  # fmt: skip


COURSES = {
    (5, 1): (
        "22 28 16 7 38 0 29 36",
        "33 1 5 3 23 8 18 17 21",
        "27 4 19 32 25 24 13 35 6",
    ),
    (5, 12): (
        "22 28 16 7 38 0 29 36",
        "33 1 5 3 23 8 18 17 21",
        "27 4 19 32 25 24 13 35 6",
    ),
    (6, 15): (
        "9 19 31 7 32 30 38 11 29",
        "15 35 12 3 18 28 10 23 24",
        "37 5 21 20 16 13 25 1 17",
    ),
    (7, 25): (
        "20 2 3 23 16 26 12 24",
        "25 6 5 18 31 1 19 35 32",
        "30 7 21 9 22 38 8 29",
    ),
    (8, 60): (
        "10 16 28 1 39 0 34 18 29",
        "25 31 13 11 32 30 6 17 22",
        "37 5 21 19 2 7 36 38 9",
    ),
}


@pytest.mark.parametrize(("seed", "iterations"), COURSES)
def test_the_search_takes_the_course_it_took(seed: int, iterations: int) -> None:
    """Whoever changes the search on purpose writes down its new course; nobody changes it by mistake."""
    stops, done = anneal_problem(town(seed), iterations=iterations, seconds=None, seed=seed)
    assert done == iterations
    assert tuple(" ".join(map(str, order)) for order in stops) == COURSES[seed, iterations]
