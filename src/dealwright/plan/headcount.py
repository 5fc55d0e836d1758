"""Why the contact centre needs so many people: its shifts planned again without each of its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from dealwright.errors import NoRosterError
from dealwright.parallel import parallel_map
from dealwright.plan.actions.catalogue import Channels
from dealwright.plan.params import PlanParams
from dealwright.plan.staffing import Schedule
from dealwright.plan.staffing.call_list import CALLING
from dealwright.plan.staffing.params import DAY_MIN, DEFAULT_WORK, ScheduleParams, ShiftPattern, Work
from dealwright.schemas import HEADCOUNT_COLUMNS, STAFF_COLUMNS, PlanInputs, conform

AS_PLANNED: Final = "as planned"
ONE_FEWER: Final = "one person fewer"
ANSWERING: Final = "answering level"
OCCUPANCY: Final = "occupancy at most"
BUSY_HOURS: Final = "busy and quiet hours"
DEADLINE: Final = "deadline of work that may wait"
CALL_TIMES: Final = "when customers may be called"
SHRINKAGE: Final = "training, meetings, absence"
BREAKS: Final = "breaks and lunch"
LENGTHS: Final = "length of shifts"
REST: Final = "rest between shifts"
_ANY_LEVEL: Final = 1e-9
# a shift may begin at any time of a day that never closes: a program of ten seconds, for each rule again
_LONGEST_DAY_MIN: Final = 16 * 60
_SHORTEST_MIN: Final = 60  # of the shifts that are worked where lengths do not matter

Restaff = Callable[[PlanInputs, PlanParams], Schedule]


@dataclass(frozen=True)
class _Lifted:
    """A rule, or one person, whose work it is about, and the inputs and parameters without it."""

    rule: str
    channel: str | None
    data: PlanInputs
    params: PlanParams


def find_headcount(planned: Schedule, data: PlanInputs, params: PlanParams, restaff: Restaff) -> pl.DataFrame:
    """Return `HEADCOUNT_COLUMNS`: the contact centre as planned, with one person fewer, without each rule.

    The contacts to make are those of the plan in every row; only the shifts are planned again. Rules are not
    lifted where the planned shifts may be too many already (`Schedule.proven`): the difference would be the
    solver's; nor where the centre is open for more than sixteen hours a day, which would take minutes. A rule
    without which no roster is found within ``schedule.max_seconds`` has no row.
    """
    rows: list[tuple[object, ...]] = []
    if not planned.shifts.is_empty():
        # the chance of keeping the levels takes most of the time, and is not asked for
        quick = replace(params, schedule=replace(params.schedule, runs=1, forecast_days=0))
        others = [_Lifted(ONE_FEWER, None, _with_one_fewer(planned, data), quick)]
        short_day = params.schedule.ends_min - params.schedule.opens_min <= _LONGEST_DAY_MIN
        others += _lift(planned, data, quick) if planned.proven and short_day else ()

        def without(other: _Lifted) -> tuple[object, ...] | None:
            # the figures alone are kept: a schedule has a row per account
            try:
                return _row(other.rule, other.channel, restaff(other.data, other.params), planned)
            except NoRosterError:  # a question that takes too long must not end the night
                return None

        found = parallel_map(without, others)
        rows = [_row(AS_PLANNED, None, planned, planned), *(row for row in found if row is not None)]
    return pl.DataFrame(rows, schema=HEADCOUNT_COLUMNS, orient="row")


def _row(rule: str, channel: str | None, found: Schedule, planned: Schedule) -> tuple[object, ...]:
    people, paid_h = _people(found), _paid_h(found)
    return (
        rule, channel, people, paid_h, _people(planned) - people, _paid_h(planned) - paid_h,
        found.unplaced.height, found.shortage_h, _answered_in_time(found.levels),
    )  # fmt: skip


def _answered_in_time(levels: pl.DataFrame) -> float | None:
    """Return the share of the contacts of queues that are answered in time, by formula; None without any."""
    queue = levels.filter(pl.col("service_level").is_not_null(), pl.col("contacts") > 0)
    came = float(queue["contacts"].sum())
    return float((queue["contacts"] * queue["service_level"]).sum()) / came if came else None


def _people(schedule: Schedule) -> int:
    return int(schedule.shifts["rep_id"].n_unique())


def _paid_h(schedule: Schedule) -> float:
    return float(schedule.shifts["paid_min"].sum()) / 60.0


def _with_one_fewer(planned: Schedule, data: PlanInputs) -> PlanInputs:
    """Leave out whoever is paid least of those at work; where no staff was given, the people are numbered."""
    worked = planned.shifts.group_by("rep_id").agg(pl.col("paid_min").sum()).sort("paid_min", "rep_id")
    gone = str(worked["rep_id"][0])
    staff = data.staff
    if staff is None:
        staff = conform(worked.select("rep_id").sort("rep_id"), STAFF_COLUMNS, "rep_id")
    return data.having(staff=staff.filter(pl.col("rep_id") != gone))


def _lift(planned: Schedule, data: PlanInputs, params: PlanParams) -> Iterator[_Lifted]:
    """Yield every rule that the planned work is under, and what is planned without it."""
    schedule = params.schedule
    busy = planned.levels.filter(pl.col("contacts") > 0)["channel"].unique()
    works = {name: schedule.work_of(name) for name in DEFAULT_WORK if name in busy}
    for name in works:
        yield from _lift_of_work(name, data, params)
    there = {name: replace(work, shrinkage=0.0) for name, work in works.items()}
    patterns = tuple(_without_breaks(pattern) for pattern in schedule.patterns)
    for rule, its in (
        (SHRINKAGE, replace(schedule, work={**schedule.work, **there})),
        (BREAKS, replace(schedule, patterns=patterns)),
        # with so many kinds of shifts, the workplaces alone would take as long as all other questions
        (LENGTHS, replace(schedule, patterns=schedule.patterns + _shorter(schedule), fewest_at_once=False)),
    ):
        yield _Lifted(rule, None, data, replace(params, schedule=its))
    if data.staff is not None and schedule.days > 1:
        yield _Lifted(REST, None, data, replace(params, schedule=replace(schedule, min_rest_h=0.0)))


def _lift_of_work(name: str, data: PlanInputs, params: PlanParams) -> Iterator[_Lifted]:
    """Yield the rules for the work of one channel."""
    schedule, work = params.schedule, params.schedule.work_of(name)

    def without(rule: str, other: Work) -> _Lifted:
        its = replace(schedule, work={**schedule.work, name: other})
        return _Lifted(rule, name, data, replace(params, schedule=its))

    if work.kind == "queue":
        yield without(ANSWERING, replace(work, target_share=_ANY_LEVEL))
        yield _without_peaks(name, data, params)
    else:
        yield without(DEADLINE, replace(work, drain_h=float(DAY_MIN)))
    yield without(OCCUPANCY, replace(work, max_occupancy=1.0))
    if name == CALLING:
        yield _at_any_time(data, params)


def _without_peaks(name: str, data: PlanInputs, params: PlanParams) -> _Lifted:
    """Let the customers of a queue come evenly over the day."""
    even = replace(params, schedule=replace(params.schedule, hours=(1.0,) * 24))
    arrivals = data.arrivals
    if arrivals is not None:
        own = pl.col("channel") == name
        mean = pl.col("contacts").mean().over("channel")
        arrivals = arrivals.with_columns(contacts=pl.when(own).then(mean).otherwise("contacts"))
    return _Lifted(BUSY_HOURS, name, data.having(arrivals=arrivals), even)


def _at_any_time(data: PlanInputs, params: PlanParams) -> _Lifted:
    """Let customers be called whenever the contact centre is open."""
    catalogue = params.action.catalogue
    channels = Channels(
        replace(item, quiet_hours=(), quiet_days=()) if item.name == CALLING else item
        for item in catalogue.channels
    )
    columns = [data.schema.role(role) for role in ("opens_min", "closes_min")]
    accounts = data.accounts.with_columns(
        pl.lit(None, data.accounts.schema[name]).alias(name) for name in columns if name is not None
    )
    action = replace(params.action, catalogue=replace(catalogue, channels=channels))
    return _Lifted(CALL_TIMES, CALLING, data.having(accounts=accounts), replace(params, action=action))


def _without_breaks(pattern: ShiftPattern) -> ShiftPattern:
    return replace(pattern, length_min=pattern.paid_min, lunch_min=0, lunch_window=(0, 0), break_windows=())


def _shorter(params: ScheduleParams) -> tuple[ShiftPattern, ...]:
    """Return shifts of whole hours, shorter than any there is."""
    shortest = min(pattern.length_min for pattern in params.patterns)
    return tuple(
        ShiftPattern(f"{minutes // 60} h", minutes) for minutes in range(_SHORTEST_MIN, shortest, 60)
    )
