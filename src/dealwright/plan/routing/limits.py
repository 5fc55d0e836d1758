"""Which limit keeps a visit from being made, in words that can be counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.routing.engine import begin_with, empty_insertions, empty_state, kernel_data
from dealwright.plan.routing.problem import NO_LIMIT, Ints, Problem, RoutePlan, sequences

VISITS_A_DAY: Final = "visits a day"
SHIFT: Final = "shift"
VISITS_AND_SHIFT: Final = "visits a day and shift"
WINDOW: Final = "opening hours"
WORTH: Final = "worth less than its way"
CANDIDATES: Final = "number of candidates"
TERRITORY: Final = "territory"
POSITION: Final = "position"
NO_ROAD: Final = "no road"
PROMISE: Final = "promised day or representative"
NOT_DUE: Final = "not due yet"
NO_AGENT: Final = "no representative"
LIMITS: Final = (
    VISITS_A_DAY, SHIFT, VISITS_AND_SHIFT, WINDOW, WORTH, CANDIDATES, TERRITORY, POSITION, NO_ROAD, PROMISE,
    NOT_DUE, NO_AGENT,
)  # fmt: skip


class Obstacle(NamedTuple):
    """Why a visit is not made: the limit that binds, and the whole reason."""

    limit: str
    reason: str


def binding_limits(problem: Problem, plan: RoutePlan, visits: Ints) -> dict[int, str]:
    """Find, for visits that would have to displace others, which limit has to give way so that they fit in.

    The days stay as they are planned; one limit after the other is lifted. What fits only with more visits
    and a longer shift together is held by both; what fits even then not, by when the account is open.
    """
    found: dict[int, str] = {}
    left = visits
    for limit, relaxed in _relaxed(problem):
        if not left.size:
            break
        fits = _insertable(relaxed, plan, left)
        found |= dict.fromkeys(left[fits].tolist(), limit)
        left = left[~fits]
    return found | dict.fromkeys(left.tolist(), WINDOW)


def _relaxed(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield limits, and the problem without them."""
    horizon = int(problem.latest_start.max(initial=0)) + int(problem.service.max(initial=0))
    longest = max((shift.end for shift in problem.shifts), default=0)
    late = 2 * max(horizon, longest) + int(problem.travel.max(initial=0))
    more = tuple(replace(shift, max_visits=NO_LIMIT) for shift in problem.shifts)
    yield VISITS_A_DAY, replace(problem, shifts=more)
    yield SHIFT, replace(problem, shifts=tuple(replace(shift, end=late) for shift in problem.shifts))
    yield VISITS_AND_SHIFT, replace(problem, shifts=tuple(replace(shift, end=late) for shift in more))


def _insertable(problem: Problem, plan: RoutePlan, visits: Ints) -> NDArray[np.bool_]:
    """Tell which visits fit in beside all planned stops."""
    from dealwright.plan.routing.kernel import LEG, rate_route

    data, _ = kernel_data(problem)
    state, known = empty_state(data), empty_insertions(data)
    begin_with(data, state, known, sequences(plan))
    fits = np.zeros(visits.size, dtype=np.bool_)
    for r in range(len(problem.shifts)):
        rate_route(data, state, known, r)
        fits |= known.leg[r, LEG, visits] >= 0
    return fits
