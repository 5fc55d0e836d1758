"""From solved problems to the frames that people and other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from dealwright.plan.routing.insight import Insight
from dealwright.plan.routing.job import MINUTE, Job, JobResult
from dealwright.plan.routing.limits import NOT_DUE, Obstacle
from dealwright.plan.routing.problem import Route, leg_places
from dealwright.schemas import LEFT_OUT_COLUMNS, VISIT_COLUMNS, WORKING_DAY_COLUMNS


@dataclass(frozen=True)
class PlannedDays:
    """The days of a job as rows of the frames: what is kept of it once it is solved."""

    # rows of `VISIT_COLUMNS`, `WORKING_DAY_COLUMNS` and `LEFT_OUT_COLUMNS`
    visits: list[tuple[Any, ...]]
    days: list[tuple[Any, ...]]
    left_out: list[tuple[Any, ...]]
    source: str  # where its travel times come from


def read_result(job: Job, result: JobResult) -> PlannedDays:
    """Translate a solved job into rows."""
    days = [date.fromisoformat(day) for day in job.days]
    visits: list[tuple[Any, ...]] = []
    totals: list[tuple[Any, ...]] = []
    for route in result.plan.routes:
        rep, day = job.reps[route.shift // len(days)], days[route.shift % len(days)]
        visits += _stops(job, result, route, rep.rep_id, day)
        totals.append(_day(result, route, rep.rep_id, day))
    left_out: list[tuple[Any, ...]] = []
    for visit, obstacle in result.reasons.items():
        crowded = visit in result.outnumbered
        left_out.append((*_who(job, visit), *obstacle, crowded, None, None, None, None, None, [], None))
    left_out += [_insight_row(job, result, insight, days) for insight in result.insights]
    return PlannedDays(visits, totals, left_out, result.source)


def collect(found: Sequence[PlannedDays]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the visits and the days."""
    visits = [row for planned in found for row in planned.visits]
    days = [row for planned in found for row in planned.days]
    return (
        pl.DataFrame(visits, schema=VISIT_COLUMNS, orient="row").sort("rep_id", "day", "stop"),
        pl.DataFrame(days, schema=WORKING_DAY_COLUMNS, orient="row").sort("rep_id", "day"),
    )


def _stops(job: Job, result: JobResult, route: Route, rep_id: str, day: date) -> list[tuple[Any, ...]]:
    rows = []
    places = leg_places(result.problem, route)
    for k, stop in enumerate(route.stops):
        visit = job.visits.row(int(result.considered[stop]), named=True)
        opens, closes = visit["opens_min"] * MINUTE, visit["closes_min"] * MINUTE
        rows.append((
            rep_id, day, k + 1, visit["account_id"], _moment(day, route.arrive[k]),
            _moment(day, route.begin[k]), _moment(day, route.leave[k]),
            result.problem.travel[places[k], places[k + 1]] / MINUTE,
            float(result.km[places[k], places[k + 1]]), _moment(day, opens), _moment(day, closes),
            visit["value_eur"], visit["must"],
        ))  # fmt: skip
    return rows


def _day(result: JobResult, route: Route, rep_id: str, day: date) -> tuple[Any, ...]:
    problem = result.problem
    worth = result.hour_worth_eur[route.shift], result.visit_worth_eur[route.shift]
    candidates = int(problem.allowed[:, route.shift].sum())
    if not route.stops:
        nothing = (None, None, None, 0.0, 0.0)
        return (rep_id, day, 0, candidates, 0.0, 0.0, 0.0, 0.0, *nothing, *worth)
    places = leg_places(problem, route)
    minutes = problem.travel[places[:-1], places[1:]] / MINUTE
    km = result.km[places[:-1], places[1:]]
    stops = list(route.stops)
    lunch = problem.shifts[route.shift].lunch
    pause = 0 if lunch is None or route.lunch_at is None else lunch.length / MINUTE
    busy = float(minutes.sum() + problem.service[stops].sum() / MINUTE + pause)
    return (
        rep_id, day, len(stops), candidates, float(problem.value_eur[stops].sum()), float(minutes.sum()),
        float(km.sum()), (route.back - route.depart) / MINUTE - busy, _moment(day, route.depart),
        None if route.lunch_at is None else _moment(day, route.lunch_at), _moment(day, route.back),
        float(minutes[-1]), float(km[-1]), *worth,
    )  # fmt: skip


def _moment(day: date, ticks: float) -> datetime:
    return datetime.combine(day, time()) + timedelta(seconds=float(ticks))


def collect_left_out(
    found: Sequence[PlannedDays],
    *,
    requests: pl.DataFrame,
    unplaced: dict[int, Obstacle],
    early: pl.DataFrame,
) -> pl.DataFrame:
    """Return the visits that are not made, with the reason and the cheapest place for each."""
    rows = [row for planned in found for row in planned.left_out]
    others = dict(unplaced)
    others.update(
        (row, Obstacle(NOT_DUE, f"not due before {due.isoformat()}")) for row, due in early.iter_rows()
    )
    if others:
        aside = requests.filter(pl.col("row").is_in(list(others)))
        for account in aside.iter_rows(named=True):
            who = account["account_id"], account["rep_id"], account["value_eur"], account["must"]
            rows.append((*who, *others[account["row"]], False, None, None, None, None, None, [], None))
    frame = pl.DataFrame(rows, schema=LEFT_OUT_COLUMNS, orient="row")
    return frame.sort("must", "value_eur", "account_id", descending=[True, True, False])


def _who(job: Job, visit: int) -> tuple[Any, ...]:
    row = job.visits.row(visit, named=True)
    return row["account_id"], row["rep_id"], row["value_eur"], row["must"]


def _insight_row(job: Job, result: JobResult, insight: Insight, days: Sequence[date]) -> tuple[Any, ...]:
    who = _who(job, int(result.considered[insight.visit]))
    if insight.shift is None:
        reason = "does not fit: not even two stops of any day make room for it"
        return (*who, insight.limit, reason, True, None, None, None, None, None, [], None)
    ids = job.visits["account_id"]
    names = [ids[int(result.considered[stop])] for stop in insight.displaced]
    after = None if insight.after is None else ids[int(result.considered[insight.after])]
    minutes = max(insight.delay, 0) / MINUTE
    rep, day = job.reps[insight.shift // len(days)], days[insight.shift % len(days)]
    if names:
        reason = (
            f"would displace {' and '.join(names)} ({insight.displaced_eur:,.2f} EUR) and change the cost of "
            f"travel by {insight.cost_eur:+,.2f} EUR"
        )
    elif who[2] <= 0:
        reason = "its visit is expected to bring nothing"
    else:
        reason = f"its way costs {insight.cost_eur:,.2f} EUR, more than it is worth"
    return (
        *who, insight.limit, reason, bool(names), rep.rep_id, day, after, minutes, insight.cost_eur, names,
        insight.displaced_eur,
    )  # fmt: skip


def by_account(account_id: pl.Series, visits: pl.DataFrame, left_out: pl.DataFrame) -> pl.DataFrame:
    """Return the first visit of every account, or why there is none, in the order of the accounts."""
    first = visits.sort("day", "start_at").group_by("account_id", maintain_order=True).first()
    notes = left_out.group_by("account_id", maintain_order=True).agg(pl.col("reason").first())
    return (
        pl.DataFrame({"account_id": account_id})
        .join(first, on="account_id", how="left", maintain_order="left")
        .join(notes, on="account_id", how="left", maintain_order="left")
        .select(
            "account_id",
            pl.col("rep_id").alias("visit_rep_id"),
            pl.col("day").alias("visit_day"),
            pl.col("stop").alias("visit_stop"),
            pl.col("start_at").alias("visit_at"),
            pl.when(pl.col("stop").is_null()).then("reason").alias("visit_note"),
        )
    )
