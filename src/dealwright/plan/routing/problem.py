"""What a routing engine is asked, and what it answers: plain frozen data, whole units of time.

Time is counted in whole *ticks* of any length (the stage uses seconds after midnight); money is a float. The
places of the travel matrices are the visits, ``0 … n − 1``, and after them the places where shifts start and
end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dealwright.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class Lunch:
    """A break of `length` ticks between two stops that begins between `earliest` and `latest`.

    It belongs to a leg, not to a place: it is taken on leaving a stop, or further down the road once the time
    has come, or while waiting in front of the next customer. Who is back before `latest` takes it at home, as
    does who leaves only after `earliest` and the `length` of it.
    """

    earliest: int
    latest: int
    length: int


@dataclass(frozen=True)
class Shift:
    """One person on one day.

    Attributes
    ----------
    name
        How messages call it, such as ``"R007 on 1 July"``.
    start_place, end_place
        Rows of the travel matrices.
    start, end
        Earliest departure and latest return.
    max_visits
        The most visits of the day.
    lunch
        The break, or ``None``.
    """

    name: str
    start_place: int
    end_place: int
    start: int
    end: int
    max_visits: int = NO_LIMIT
    lunch: Lunch | None = None


@dataclass(frozen=True)
class Problem:
    """Visits to choose from, shifts to make them in, and travel between any two places.

    Attributes
    ----------
    travel
        (N, N) ticks from place to place.
    cost_eur
        (N, N) cost of travel from place to place; zeros where only the visits' values count.
    service, opens, latest_start
        (n,) ticks: length of the visit, and between which moments it may begin.
    value_eur
        (n,) what a visit is worth.
    must
        (n,) whether a visit has to be made; engines make it before any other.
    allowed
        (n, m) which shift may make which visit: territories, pins and due dates.
    shifts
        The m shifts.
    precedence_eur
        (n,) by how much an engine prefers a visit beyond what it is worth; none without.
    """

    travel: Ints
    cost_eur: Floats
    service: Ints
    opens: Ints
    latest_start: Ints
    value_eur: Floats
    must: Bools
    allowed: Bools
    shifts: tuple[Shift, ...]
    precedence_eur: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        n, m, places = self.visits, len(self.shifts), self.travel.shape[0]
        shapes = {
            "travel": (places, places), "cost_eur": (places, places), "service": (n,), "opens": (n,),
            "latest_start": (n,), "must": (n,), "allowed": (n, m),
        }  # fmt: skip
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"{name} has the shape {getattr(self, name).shape}: it must be {shape}")
        if places < n:
            raise InputError(
                f"there are {n} visits but only {places} places: each visit needs a row of `travel`"
            )
        if n and (int(self.travel.min()) < 0 or int(self.service.min()) < 0):
            raise InputError("travel and service times must not be negative")
        if not np.isfinite(self.value_eur).all() or not np.isfinite(self.cost_eur).all():
            raise InputError("values and costs must be finite numbers")
        for shift in self.shifts:
            for place in (shift.start_place, shift.end_place):
                if not 0 <= place < places:
                    raise InputError(f"{shift.name} starts or ends at place {place}: there are {places}")

    @property
    def prize_eur(self) -> Floats:
        """Return what an engine is to gather, must-visits apart."""
        return self.value_eur if self.precedence_eur is None else self.value_eur + self.precedence_eur

    @property
    def visits(self) -> int:
        """Return how many visits there are to choose from."""
        return int(self.value_eur.shape[0])


@dataclass(frozen=True)
class Route:
    """A shift's day: stops in order, with the moments of each.

    Attributes
    ----------
    shift
        Index of the shift.
    stops
        Visits in order.
    arrive, begin, leave
        One moment per stop.
    depart, back
        Leaving the place of the start, arriving at that of the end.
    lunch_at
        When the break begins, or ``None`` without one on the road.
    """

    shift: int
    stops: tuple[int, ...]
    arrive: tuple[int, ...]
    begin: tuple[int, ...]
    leave: tuple[int, ...]
    depart: int
    back: int
    lunch_at: int | None = None


@dataclass(frozen=True)
class RoutePlan:
    """An engine's answer: one route per shift, in the order of the shifts.

    Attributes
    ----------
    engine
        What made it.
    iterations
        How much work it took.
    """

    routes: tuple[Route, ...]
    engine: str = ""
    iterations: int = 0

    def served(self) -> Ints:
        """Return the visits that are made, in the order of routes and stops."""
        return np.array([stop for route in self.routes for stop in route.stops], dtype=np.int64)

    def value_eur(self, problem: Problem) -> float:
        """Sum what the visits are worth."""
        return float(problem.value_eur[self.served()].sum())

    def cost_eur(self, problem: Problem) -> float:
        """Sum what travel costs."""
        return float(sum(leg_sum(problem, problem.cost_eur, route) for route in self.routes))

    def summary(self) -> dict[str, Any]:
        """Count routes and stops."""
        stops = [len(route.stops) for route in self.routes]
        return {
            "engine": self.engine,
            "routes": len(stops),
            "stops": sum(stops),
            "iterations": self.iterations,
        }


def leg_places(problem: Problem, route: Route) -> Ints:
    """Return the places of a route in order, its start and end included."""
    shift = problem.shifts[route.shift]
    return np.array([shift.start_place, *route.stops, shift.end_place], dtype=np.int64)


def leg_sum(problem: Problem, matrix: NDArray[Any], route: Route) -> float:
    """Sum a matrix over the legs of a route; a route without stops has none."""
    if not route.stops:
        return 0.0
    places = leg_places(problem, route)
    return float(matrix[places[:-1], places[1:]].sum())


def sequences(plan: RoutePlan) -> tuple[tuple[int, ...], ...]:
    """Return only who is visited in which order."""
    return tuple(route.stops for route in plan.routes)
