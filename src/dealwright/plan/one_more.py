"""What one more visit, hour, representative, agent or contact would bring: planned again with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from dealwright.plan.channels.capacity import FROM_STAFF
from dealwright.plan.coordination import Coordination, Reach
from dealwright.plan.limits import able_to
from dealwright.plan.params import PlanParams
from dealwright.plan.routing.params import RouteParams
from dealwright.schemas import ONE_MORE_COLUMNS, REP_OPTIONAL, PlanInputs

VISIT: Final = "visit a day"
HOUR: Final = "hour of shift"
REPRESENTATIVE: Final = "representative"
AGENT: Final = "agent"
CONTACT: Final = "contact a day"
MORE: Final = " (one more)"  # follows the id of whom the added person is like
_HOUR_MIN: Final = 60

Replan = Callable[[PlanInputs, PlanParams], Reach]


@dataclass(frozen=True)
class _Change:
    """One more of a resource: whose, and the inputs and parameters with it."""

    resource: str
    whose: str
    data: PlanInputs
    params: PlanParams


def find_one_more(now: Coordination, data: PlanInputs, params: PlanParams, replan: Replan) -> pl.DataFrame:
    """Return `ONE_MORE_COLUMNS`: each resource where one more brings most, planned again with it.

    Where it brings most is estimated: for a visit and an hour by each representative's own day, for a
    representative by what is left out for lack of room, for an agent by the prices of the channels. What it
    brings is not: it is what the plan with it brings more than the plan without, over all channels, less what
    travel costs more.
    """
    before = _measure(now, params.route)
    rows = []
    for change in _changes(now, data, params):
        # what more would be worth to a day is estimated once
        route = replace(change.params.route, extra_hour=False)
        after = _measure(replan(change.data, replace(change.params, route=route)), route)
        contacts, value, way = (b - a for a, b in zip(before, after, strict=True))
        rows.append((change.resource, change.whose, int(contacts), value, way, value - way))
    return pl.DataFrame(rows, schema=ONE_MORE_COLUMNS, orient="row")


def _measure(found: Coordination | Reach, params: RouteParams) -> tuple[float, float, float]:
    """Return the contacts of the day on all channels, what they bring, and what travel costs."""
    reached = found.channels.frame.filter(pl.col("channel").is_not_null())
    way = 0.0
    if found.routes is not None:
        km, minutes = (float(found.routes.days[name].sum()) for name in ("distance_km", "travel_min"))
        way = km * params.cost_eur_per_km + minutes / _HOUR_MIN * params.cost_eur_per_h
    return float(reached.height), float(reached["expected_value_eur"].sum()), way


def _changes(now: Coordination, data: PlanInputs, params: PlanParams) -> Iterator[_Change]:
    if now.routes is not None and data.reps is not None and not data.reps.is_empty():
        yield from _in_the_field(now, data, data.reps, params)
    if data.staff is not None:
        yield from _in_the_centre(now, data, data.staff, params)
    yield from _declared(now, data, params)


def _in_the_field(
    now: Coordination, data: PlanInputs, reps: pl.DataFrame, params: PlanParams
) -> Iterator[_Change]:
    """Yield one visit, one hour and one representative more, each where it brings most."""
    assert now.routes is not None  # noqa: S101  asked by the caller
    days, route = now.routes.days, params.route
    visits = {"visits_per_day": (route.visits_per_day, 1)}
    hours = {"shift_end_min": (route.shift_end_min, _HOUR_MIN)}
    for resource, column, more in ((VISIT, "extra_visit_eur", visits), (HOUR, "extra_hour_eur", hours)):
        worth = days.with_columns(pl.col(column).fill_nan(None)).group_by("rep_id").agg(pl.col(column).sum())
        whose = _most(worth, column)
        yield _Change(resource, whose, data.having(reps=_with_more(reps, whose, more)), params)
    crowded = now.routes.left_out.filter("no_room", pl.col("rep_id").is_in(reps["rep_id"].implode()))
    waiting = crowded.group_by("rep_id").agg(pl.col("value_eur").sum())
    whose = _most(waiting, "value_eur") if waiting.height else str(reps["rep_id"].min())
    yield _Change(REPRESENTATIVE, whose, data.having(reps=_with_another(reps, whose)), params)


def _in_the_centre(
    now: Coordination, data: PlanInputs, staff: pl.DataFrame, params: PlanParams
) -> Iterator[_Change]:
    """Yield one agent more, like somebody who works where the next contact that staff can make is worth most.

    Where the staff limits nothing, any agent serves to show that one more brings nothing.
    """
    short = now.channels.table.filter(pl.col("capacity_source") == FROM_STAFF, pl.col("price_eur") > 0)
    by_price = short.sort("price_eur", "channel", descending=[True, False])["channel"]
    able = (able_to(channel, staff) for channel in by_price)
    like = next((people for people in able if not people.is_empty()), staff.sort("rep_id"))
    if not like.is_empty():
        whose = str(like["rep_id"][0])
        yield _Change(AGENT, whose, data.having(staff=_with_another(staff, whose)), params)


def _declared(now: Coordination, data: PlanInputs, params: PlanParams) -> Iterator[_Change]:
    """Yield one agent or contact more on each full channel whose capacity the parameters declare."""
    full = now.channels.table.filter(
        pl.col("capacity") <= pl.col("scheduled"),
        pl.col("backlog") > 0,
        pl.col("capacity_source") != FROM_STAFF,
    )
    for channel in full["channel"]:
        limit = params.channel.limits.get(channel)
        if limit is None or (limit.capacity is None and limit.people is None):
            continue
        if limit.capacity is not None:
            resource, more = CONTACT, replace(limit, capacity=limit.capacity + 1)
        else:
            resource, more = AGENT, replace(limit, people=(limit.people or 0) + 1)
        limits = {**params.channel.limits, channel: more}
        yield _Change(
            resource, channel, data, replace(params, channel=replace(params.channel, limits=limits))
        )


def _most(table: pl.DataFrame, column: str) -> str:
    """Return the representative with the largest figure, the first by id of several."""
    return str(table.sort(column, "rep_id", descending=[True, False], nulls_last=True)["rep_id"][0])


def _with_more(reps: pl.DataFrame, whose: str, more: dict[str, tuple[int, int]]) -> pl.DataFrame:
    """Add to figures of one representative; who has none of their own has the default."""
    for name, (default, amount) in more.items():
        own = pl.col(name) if name in reps.columns else pl.lit(None, REP_OPTIONAL[name])
        added = pl.when(pl.col("rep_id") == whose).then(own.fill_null(default) + amount).otherwise(own)
        reps = reps.with_columns(added.cast(REP_OPTIONAL[name]).alias(name))
    return reps


def _with_another(people: pl.DataFrame, whose: str) -> pl.DataFrame:
    """Add somebody like one of the people."""
    like = people.filter(pl.col("rep_id") == whose).head(1)
    return pl.concat([people, like.with_columns(rep_id=pl.lit(f"{whose}{MORE}"))])
