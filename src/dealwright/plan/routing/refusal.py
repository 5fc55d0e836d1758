"""Why a route that somebody asks for cannot be driven: the limit, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dealwright.plan.routing.day import Question, Terms, ticks_clock
from dealwright.plan.routing.job import MINUTE, NO_WAY
from dealwright.plan.routing.limits import NO_ROAD, PROMISE, SHIFT, VISITS_A_DAY, WINDOW, Obstacle
from dealwright.plan.routing.problem import NO_LIMIT

EARLIER_VISIT: Final = "the visit before"
BREAK: Final = "break"
ABSENCE: Final = "absence"
NOT_VISITED: Final = "no visit"
OTHER_DAY: Final = "another day"
CHANGE_LIMITS: Final = (
    WINDOW, SHIFT, VISITS_A_DAY, NO_ROAD, EARLIER_VISIT, BREAK, ABSENCE, NOT_VISITED, PROMISE, OTHER_DAY,
)  # fmt: skip


def find_obstacle(question: Question, r: int, order: Sequence[str], terms: Terms) -> Obstacle:
    """Say which limit a route breaks that cannot be driven: the first one on the way.

    The route is driven as if nobody could come too late.
    """
    problem, names = question.problem, question.accounts
    shift = problem.shifts[r]
    who = question.job.reps[r].rep_id
    if len(order) > shift.max_visits:
        most = min(shift.max_visits, NO_LIMIT)
        return Obstacle(VISITS_A_DAY, f"{who} would make {len(order)} visits, and makes {most} a day at most")
    place, left = shift.start_place, None
    before = "the way from home"
    for account in order:
        stop = names.index(account)
        way = int(problem.travel[place, stop])
        if way >= NO_WAY:
            return Obstacle(NO_ROAD, f"no road leads to {account}")
        reached = max(shift.start, int(problem.opens[stop]) - way) + way if left is None else left + way
        begin = max(reached, int(problem.opens[stop]))
        if begin > problem.latest_start[stop]:
            latest = ticks_clock(problem.latest_start[stop] - MINUTE + 1)
            told = f"{who} can be at {account} at {ticks_clock(begin)}, and no earlier than {before} allows"
            if account in terms.begin_s:
                return Obstacle(
                    EARLIER_VISIT if left is not None else SHIFT, f"{told}: it was to begin at {latest}"
                )
            return Obstacle(WINDOW, f"{told}: the visit has to begin by {latest}")
        left = begin + int(problem.service[stop])
        before, place = f"the visit at {account}", stop
    home = int(problem.travel[place, shift.end_place])
    back = (shift.start if left is None else left) + home
    if back > shift.end:
        return Obstacle(
            SHIFT,
            f"{who} would be back at {ticks_clock(back)}, and the shift ends at {ticks_clock(shift.end)}",
        )
    minutes = 0 if shift.lunch is None else shift.lunch.length // MINUTE
    return Obstacle(BREAK, f"no room is left for the break of {who} ({minutes} min)")
