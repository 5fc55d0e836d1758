"""The one independent checker: it trusts no engine, and refuses what cannot be driven."""

from __future__ import annotations

from collections import Counter

from dealwright.errors import DealwrightError
from dealwright.plan.routing.problem import Problem, Route, RoutePlan, Shift, leg_places


class InfeasiblePlanError(DealwrightError):
    """An engine returned a plan that breaks a rule of the problem; the message names the stops."""


def require_feasible(problem: Problem, plan: RoutePlan) -> RoutePlan:
    """Return the plan, or raise `InfeasiblePlanError` with the first broken rules and the engine."""
    broken = check(problem, plan)
    if broken:
        more = f" (and {len(broken) - 3} more)" if len(broken) > 3 else ""
        raise InfeasiblePlanError(
            f"the routing engine {plan.engine!r} returned a plan that cannot be driven: "
            f"{'; '.join(broken[:3])}{more}. Choose the other engine and report this as a fault"
        )
    return plan


def check(problem: Problem, plan: RoutePlan) -> list[str]:
    """Return every rule that a plan breaks, in words; an empty list for a plan that holds.

    Checked against the problem alone: each visit at most once and only in an allowed shift; begun inside its
    window and not before arrival; left no earlier than its length after it began; travel between two places
    long enough, the break included; the break inside its window; departure, return and number of visits
    inside the shift. Whether must-visits are made is not a matter of feasibility.
    """
    broken = [
        f"visit {stop} is made {times} times"
        for stop, times in Counter(stop for route in plan.routes for stop in route.stops).items()
        if times > 1
    ]
    if [route.shift for route in plan.routes] != list(range(len(problem.shifts))):
        broken.append("the routes are not those of the shifts, one each, in order")
        return broken
    for route in plan.routes:
        malformed = _check_form(problem, route)
        broken += malformed or [*_check_stops(problem, route), *_check_legs(problem, route)]
    return broken


def _check_form(problem: Problem, route: Route) -> list[str]:
    name = problem.shifts[route.shift].name
    if not len(route.arrive) == len(route.begin) == len(route.leave) == len(route.stops):
        return [f"{name}: {len(route.stops)} stops, but not as many times"]
    return [f"{name}: there is no visit {stop}" for stop in route.stops if not 0 <= stop < problem.visits]


def _check_stops(problem: Problem, route: Route) -> list[str]:
    name = problem.shifts[route.shift].name
    broken = []
    for k, stop in enumerate(route.stops):
        begin = route.begin[k]
        if not problem.allowed[stop, route.shift]:
            broken.append(f"{name} may not make visit {stop}")
        if not problem.opens[stop] <= begin <= problem.latest_start[stop]:
            window = f"{problem.opens[stop]}-{problem.latest_start[stop]}"
            broken.append(f"{name}: visit {stop} begins at {begin}, outside {window}")
        if begin < route.arrive[k]:
            broken.append(f"{name}: visit {stop} begins before the arrival")
        if route.leave[k] < begin + problem.service[stop]:
            broken.append(f"{name}: visit {stop} is cut short")
    return broken


def _check_legs(problem: Problem, route: Route) -> list[str]:
    shift = problem.shifts[route.shift]
    if not route.stops:
        return []
    broken = _check_lunch_window(shift, route)
    if not shift.start <= route.depart <= route.back <= shift.end:
        day = f"{route.depart}-{route.back}"
        broken.append(f"{shift.name}: the day {day} leaves the shift {shift.start}-{shift.end}")
    if len(route.stops) > shift.max_visits:
        broken.append(f"{shift.name}: {len(route.stops)} visits, at most {shift.max_visits} allowed")
    places = leg_places(problem, route)
    times = zip((route.depart, *route.leave), (*route.arrive, route.back), strict=True)
    pauses = 0
    for k, (left, reached) in enumerate(times):
        needed = int(problem.travel[places[k], places[k + 1]])
        # the same moment can end one leg and begin another of no length: the break counts once
        if not pauses and _lunch_within(shift, route, left, reached):
            needed += shift.lunch.length if shift.lunch else 0
            pauses = 1
        if reached - left < needed:
            broken.append(f"{shift.name}: leg {k + 1} takes {needed}, the plan gives it {reached - left}")
    if shift.lunch is not None and route.lunch_at is not None and not pauses:
        broken.append(f"{shift.name}: lunch does not lie between two stops")
    return broken


def _lunch_within(shift: Shift, route: Route, left: int, reached: int) -> bool:
    if shift.lunch is None or route.lunch_at is None:
        return False
    return left <= route.lunch_at and route.lunch_at + shift.lunch.length <= reached


def _check_lunch_window(shift: Shift, route: Route) -> list[str]:
    if shift.lunch is None:
        return []
    if route.lunch_at is None:
        # whoever is at home when the break may begin, before or after the round, takes it there
        after_it = route.depart >= max(shift.start, shift.lunch.earliest) + shift.lunch.length
        return [] if route.back <= shift.lunch.latest or after_it else [f"{shift.name}: no lunch"]
    if not shift.lunch.earliest <= route.lunch_at <= shift.lunch.latest:
        return [
            f"{shift.name}: lunch at {route.lunch_at}, not in {shift.lunch.earliest}-{shift.lunch.latest}"
        ]
    return []
