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
    """One person on one day."""

    name: str  # how messages call it, such as `"R007 on 1 July"`
    # rows of the travel matrices
    start_place: int
    end_place: int
    # earliest departure and latest return
    start: int
    end: int
    max_visits: int = NO_LIMIT  # the most visits of the day
    lunch: Lunch | None = None  # the break, or `None`


@dataclass(frozen=True)
class Problem:
    """Visits to choose from, shifts to make them in, and travel between any two places."""

    travel: Ints  # (N, N) ticks from place to place
    cost_eur: Floats  # (N, N) cost of travel from place to place; zeros where only the visits' values count
    # (n,) ticks: length of the visit, and between which moments it may begin
    service: Ints
    opens: Ints
    latest_start: Ints
    value_eur: Floats  # (n,) what a visit is worth
    must: Bools  # (n,) whether a visit has to be made; engines make it before any other
    allowed: Bools  # (n, m) which shift may make which visit: territories, pins and due dates
    shifts: tuple[Shift, ...]  # the m shifts
    # (n,) by how much an engine prefers a visit beyond what it is worth; none without
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
    """A shift's day: stops in order, with the moments of each."""

    shift: int  # index of the shift
    stops: tuple[int, ...]  # visits in order
    # one moment per stop
    arrive: tuple[int, ...]
    begin: tuple[int, ...]
    leave: tuple[int, ...]
    # leaving the place of the start, arriving at that of the end
    depart: int
    back: int
    lunch_at: int | None = None  # when the break begins, or `None` without one on the road


@dataclass(frozen=True)
class RoutePlan:
    """An engine's answer: one route per shift, in the order of the shifts."""

    routes: tuple[Route, ...]
    engine: str = ""  # what made it
    iterations: int = 0  # how much work it took

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
