"""Plan the rest of a changed day again: what was begun, moved, added or pinned stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.plan.routing.changes import CANCELLED, ChangedDay, Replan, begins_s
from dealwright.plan.routing.day import FieldDay, Question, ask
from dealwright.plan.routing.engine import solve
from dealwright.plan.routing.job import MINUTE
from dealwright.plan.routing.problem import Bools, Problem, Shift
from dealwright.plan.routing.requests import Rep
from dealwright.plan.travel import great_circle_km

_MOST_LEFT_OUT = 40  # accounts per representative that may come in: the most valuable
NEIGHBOURS = 4


def plan_rest(
    day: FieldDay,
    changed: ChangedDay,
    *,
    from_min: int | None = None,
    neighbours: int = NEIGHBOURS,
    seed: int = 0,
) -> Replan:
    """Plan again the days of the representatives that changes touch, together with those of their neighbours.

    Moved, added and pinned visits stay with their representative, and at their moment where they have one.
    Those of other representatives stand as they are.

    Parameters
    ----------
    from_min
        Visits that begin before this moment stand as they are; None: the day has not begun.
    neighbours
        How many representatives, those who live nearest, are planned with each one that is touched.

    Raises
    ------
    InputError
        Nothing has been changed.
    """
    draft = changed.draft
    touched = changed.touched | draft.absent.keys() | {rep for rep, _ in draft.unplaced.values()}
    touched |= {draft.rep_of(account) for account in draft.terms.added}
    if not touched:
        raise InputError("nothing has been changed: there is no rest to plan again")
    group = _with_neighbours(day, touched, neighbours)
    names = [rep.rep_id for rep in group]
    begun: dict[str, int] = {}
    prefixes: list[tuple[str, ...]] = []
    for name in names:
        at = begins_s(day, draft, name)
        order = draft.orders[name]
        prefix = tuple(a for a in order if from_min is not None and at[a] < from_min * MINUTE)
        begun |= {account: at[account] for account in prefix}
        prefixes.append(prefix)
    accounts = _accounts(day, changed, names)
    terms = replace(draft.terms, begin_s={**draft.terms.begin_s, **begun})
    question = ask(day, group, accounts, terms)
    problem = _rest(day, question, changed, prefixes, from_min)
    params = day.params
    plan = solve(problem, engine=params.engine, iterations=params.iterations * len(problem.shifts), seed=seed)
    orders = {
        name: (*prefix, *(accounts[stop] for stop in route.stops))
        for name, prefix, route in zip(names, prefixes, plan.routes, strict=True)
    }
    return Replan(orders, begun)


def _with_neighbours(day: FieldDay, touched: Iterable[str], neighbours: int) -> list[Rep]:
    reps = day.reps
    lat = np.array([rep.lat_deg for rep in reps])
    lon = np.array([rep.lon_deg for rep in reps])
    chosen: set[int] = set()
    for k, rep in enumerate(reps):
        if rep.rep_id in touched:
            km = great_circle_km(lat[k : k + 1], lon[k : k + 1], lat, lon)[0]
            km[k] = -1.0
            chosen |= set(np.lexsort((np.arange(km.size), km))[: neighbours + 1].tolist())
    return [rep for k, rep in enumerate(reps) if k in chosen]


def _accounts(day: FieldDay, changed: ChangedDay, names: list[str]) -> list[str]:
    """Return the accounts to choose from, in the order of the run's accounts."""
    draft = changed.draft
    visited = {account for order in draft.orders.values() for account in order}
    own = {account for name in names for account in draft.orders[name]}
    fallen = {account for account, (_, why) in draft.unplaced.items() if why.limit != CANCELLED}
    waiting = day.requests.filter(
        pl.col("account_id").is_in(list(day.candidates - visited - draft.unplaced.keys())),
        pl.col("rep_id").is_in(names),
        pl.col("lat_deg").is_not_null(),
    )
    best = waiting.sort("value_eur", "row", descending=[True, False]).group_by("rep_id").head(_MOST_LEFT_OUT)
    wanted = own | fallen | set(best["account_id"])
    return day.requests.filter(pl.col("account_id").is_in(list(wanted))).sort("row")["account_id"].to_list()


def _rest(
    day: FieldDay,
    question: Question,
    changed: ChangedDay,
    prefixes: list[tuple[str, ...]],
    from_min: int | None,
) -> Problem:
    """Return the problem without what stands: shifts begin where the last visit that was begun ends."""
    problem, draft = question.problem, changed.draft
    place = {account: k for k, account in enumerate(question.accounts)}
    allowed: Bools = problem.allowed.copy()
    must = problem.must.copy()
    shifts: list[Shift] = []
    now = None if from_min is None else datetime.combine(day.day, time()) + timedelta(minutes=from_min)
    eaten = {
        rep_id: now is not None and lunch_at is not None and lunch_at < now
        for rep_id, lunch_at in changed.days.select("rep_id", "lunch_at").rows()
    }
    for r, (shift, prefix) in enumerate(zip(problem.shifts, prefixes, strict=True)):
        rep_id = question.job.reps[r].rep_id
        if rep_id in draft.absent:
            allowed[:, r] = False
        start, at, lunch = shift.start, shift.start_place, shift.lunch
        if from_min is not None:
            start = max(start, from_min * MINUTE)
        if prefix:
            driven = question.time(r, prefix)
            route = None if driven is None else driven.routes[0]
            if route is not None:
                at, start = route.stops[-1], max(start, route.leave[-1])
        if lunch is not None and (start > lunch.latest or eaten.get(rep_id, False)):
            lunch = None
        shifts.append(
            replace(
                shift, start=start, start_place=at, max_visits=shift.max_visits - len(prefix), lunch=lunch
            )
        )
    for account in draft.terms.added & place.keys():
        rep_id = draft.rep_of(account)
        allowed[place[account]] &= np.array([rep.rep_id == rep_id for rep in question.job.reps])
    for prefix in prefixes:
        for account in prefix:
            allowed[place[account]] = False
            must[place[account]] = False
    return replace(problem, allowed=allowed, must=must, shifts=tuple(shifts))
