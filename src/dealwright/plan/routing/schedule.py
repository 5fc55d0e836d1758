"""The moments of a day whose order of stops is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dealwright.plan.routing.problem import Lunch, Problem, Route, RoutePlan, Shift


def schedule(
    problem: Problem, stops: Sequence[Sequence[int]], *, engine: str, iterations: int = 0
) -> RoutePlan | None:
    """Give every stop its moments: leave home no earlier than needed, then be early everywhere.

    The break goes onto the leg that lets the day end earliest. A day that is over while the break could still
    begin has none on the road, nor has one that begins after a break at home.

    Returns
    -------
    RoutePlan or None
        ``None`` if an order cannot be driven.
    """
    routes = []
    for r, sequence in enumerate(stops):
        route = schedule_route(problem, r, sequence)
        if route is None:
            return None
        routes.append(route)
    return RoutePlan(tuple(routes), engine, iterations)


def schedule_route(problem: Problem, r: int, sequence: Sequence[int]) -> Route | None:
    """Give the moments of one route, or ``None`` if it cannot be driven."""
    shift = problem.shifts[r]
    if not sequence:
        return Route(r, (), (), (), (), shift.start, shift.start)
    legs = [*range(len(sequence) + 1), None] if shift.lunch else [None]
    tried = [_drive(problem, r, shift, [int(stop) for stop in sequence], leg) for leg in legs]
    driven = (route for route in tried if route is not None)
    # of days that end at the same moment the one that begins last
    return min(driven, key=lambda route: (route.back, -route.depart), default=None)


def _drive(
    problem: Problem, r: int, shift: Shift, sequence: list[int], lunch_leg: int | None
) -> Route | None:
    places = [shift.start_place, *sequence, shift.end_place]
    depart, way_out = shift.start, int(problem.travel[shift.start_place, sequence[0]])
    if lunch_leg != 0:
        # waiting at home is better than in front of the first customer
        depart = max(depart, int(problem.opens[sequence[0]]) - way_out)
    left, lunch_at = depart, None
    arrive: list[int] = []
    begin: list[int] = []
    leave: list[int] = []
    for leg, (place, to) in enumerate(pairwise(places)):
        reached = left + int(problem.travel[place, to])
        if shift.lunch is not None and leg == lunch_leg:
            lunch_at = max(left, shift.lunch.earliest)
            if lunch_at > shift.lunch.latest:
                return None
            reached = max(reached, shift.lunch.earliest) + shift.lunch.length
        if leg == len(sequence):
            break
        arrive.append(reached)
        begin.append(max(reached, int(problem.opens[to])))
        if begin[-1] > problem.latest_start[to]:
            return None
        left = begin[-1] + int(problem.service[to])
        leave.append(left)
    if reached > shift.end or len(sequence) > shift.max_visits:
        return None
    if shift.lunch is not None and lunch_leg is None and reached > shift.lunch.latest:
        return None
    if shift.lunch is not None and lunch_leg == 0:
        depart, lunch_at = _leave_after_lunch(shift.lunch, shift.start, begin[0] - way_out)
        pause = (
            0 if lunch_at is None else max(0, shift.lunch.earliest - depart - way_out) + shift.lunch.length
        )
        arrive[0] = depart + way_out + pause
    return Route(r, tuple(sequence), tuple(arrive), tuple(begin), tuple(leave), depart, reached, lunch_at)


def _leave_after_lunch(lunch: Lunch, start: int, latest_departure: int) -> tuple[int, int | None]:
    """Return the last departure that begins the first visit no later, and the break before it, if any.

    Parameters
    ----------
    latest_departure
        When to leave for the first visit if there were no break.
    """
    if latest_departure >= max(start, lunch.earliest) + lunch.length:
        return latest_departure, None
    depart = max(start, min(lunch.latest, latest_departure - lunch.length))
    return depart, max(depart, lunch.earliest)
