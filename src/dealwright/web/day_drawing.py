"""A day as time lines: where everything lies on a common axis, in the units of the drawing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from dealwright.runs.day_changes import DayAsChanged

WIDTH: Final = 1200
_COLOURS: Final = 8
_KEPT: Final = 16  # drawn days


@dataclass(frozen=True)
class Axis:
    """The hours that are drawn, in minutes after midnight."""

    first_min: int
    last_min: int

    @classmethod
    def of(cls, state: DayAsChanged) -> Axis:
        """Return the hours of all shifts, those of the contact centre included."""
        terms = state.changed.draft.terms
        reps = [terms.shift_of(rep) for rep in state.of_run.field_day.reps]
        first = min((rep.shift_start_min for rep in reps), default=480)
        last = max((rep.shift_end_min for rep in reps), default=1080)
        if state.centre is not None:
            shifts = state.centre.draft.shifts.values()
            first = min(first, *(shift.start_min for shift in shifts))
            last = max(last, *(shift.end_min for shift in shifts))
        return cls(first // 60 * 60, -(-last // 60) * 60)

    def x(self, minutes: float) -> float:
        """Return where a moment lies."""
        return round((minutes - self.first_min) * WIDTH / (self.last_min - self.first_min), 1)

    def long(self, minutes: float) -> float:
        """Return how long a drawn time is."""
        return round(minutes * WIDTH / (self.last_min - self.first_min), 1)

    @property
    def hours(self) -> list[int]:
        """The full hours that are drawn."""
        return list(range(self.first_min // 60, self.last_min // 60 + 1))


@dataclass(frozen=True)
class Stop:
    """A visit on a line."""

    account_id: str
    name: str
    stop: int
    begin_min: float
    long_min: float
    start_at: datetime
    leave_at: datetime
    window_start: datetime
    window_end: datetime
    value_eur: float
    pinned: bool
    at_moment: bool
    ways_x: tuple[float, float]


@dataclass(frozen=True)
class PersonLine:
    """One representative's day."""

    rep_id: str
    name: str
    colour: int
    shift: tuple[int, int]
    absent_min: int | None
    stops: tuple[Stop, ...]
    lunch: tuple[float, float] | None
    back: tuple[float, float] | None
    value_eur: float
    distance_km: float
    touched: bool


@dataclass(frozen=True)
class Call:
    """A call on a line."""

    account_id: str
    name: str
    begin_min: int
    long_min: float
    start_at: datetime
    pinned: bool


@dataclass(frozen=True)
class CentreLine:
    """One person's shift in the contact centre, in minutes after midnight."""

    rep_id: str
    name: str
    start_at: datetime
    end_at: datetime
    shift: tuple[int, int]
    absent_min: int | None
    pauses: tuple[tuple[float, float], ...]
    calls: tuple[Call, ...]
    touched: bool


@dataclass(frozen=True)
class Coverage:
    """An interval of a queue: who is needed, who is there, and how many are answered in time."""

    start_at: datetime
    begin_min: int
    contacts: float
    required: int
    scheduled: int
    planned: int
    service_level: float | None

    @property
    def short(self) -> int:
        """How many people are missing."""
        return max(self.required - self.scheduled, 0)


@lru_cache(maxsize=_KEPT)
def draw_people(state: DayAsChanged, axis: Axis) -> tuple[PersonLine, ...]:
    """Return the lines of the representatives, in their order."""
    field_day, changed = state.of_run.field_day, state.changed
    names, people = state.of_run.names, state.of_run.people
    visits: dict[str, list[dict[str, Any]]] = {}
    for row in changed.visits.iter_rows(named=True):
        visits.setdefault(row["rep_id"], []).append(row)
    days = {row["rep_id"]: row for row in changed.days.iter_rows(named=True)}
    lines = []
    for k, rep in enumerate(field_day.reps):
        now = changed.draft.terms.shift_of(rep)
        name, number = people.get(rep.rep_id, (rep.rep_id, k + 1))
        day = days.get(rep.rep_id, {})
        lunch = day.get("lunch_at")
        minutes = field_day.params.lunch_min
        back, home = day.get("back_at"), day.get("home_min") or 0.0
        lines.append(
            PersonLine(
                rep.rep_id, name, (number - 1) % _COLOURS + 1, (now.shift_start_min, now.shift_end_min),
                changed.draft.absent.get(rep.rep_id),
                tuple(_stop(row, axis, state, names) for row in visits.get(rep.rep_id, [])),
                None if lunch is None else (axis.x(_minute(lunch, field_day.day)), axis.long(minutes)),
                None if back is None else (axis.x(_minute(back, field_day.day) - home), axis.long(home)),
                day.get("value_eur") or 0.0, day.get("distance_km") or 0.0, rep.rep_id in changed.touched,
            )
        )  # fmt: skip
    return tuple(lines)


def _stop(row: dict[str, Any], axis: Axis, state: DayAsChanged, names: Any) -> Stop:
    day, account = row["day"], row["account_id"]
    begin, end = _minute(row["start_at"], day), _minute(row["leave_at"], day)
    travel = row["travel_min"]
    way = axis.x(_minute(row["arrive_at"], day) - travel), axis.long(travel)
    return Stop(
        account, names.get(account, account), row["stop"], begin, end - begin, row["start_at"],
        row["leave_at"], row["window_start"], row["window_end"], row["value_eur"],
        account in state.changed.pinned, account in state.changed.draft.terms.begin_s, way,
    )  # fmt: skip


def _minute(moment: datetime, day: date) -> float:
    return (moment - datetime.combine(day, time())).total_seconds() / 60


@lru_cache(maxsize=_KEPT)
def draw_centre(state: DayAsChanged) -> tuple[CentreLine, ...]:
    """Return the shifts of the contact centre with their calls; nothing where nothing is known of its day."""
    day, changed = state.of_run.centre, state.centre
    if day is None or changed is None:
        return ()
    names = state.of_run.names
    of_person: dict[str, list[Call]] = {}
    for account, rep_id, start, end in changed.calls.select(
        "account_id", "rep_id", "start_at", "end_at"
    ).iter_rows():
        long_min = (end - start).total_seconds() / 60
        call = Call(
            account, names.get(account, account), day.minute(start), long_min, start,
            account in changed.pinned,
        )  # fmt: skip
        of_person.setdefault(rep_id, []).append(call)
    lines = []
    midnight = datetime.combine(day.day, time())
    # who is absent has a line, too
    for rep_id, shift in sorted(changed.draft.shifts.items(), key=lambda item: (item[1].start_min, item[0])):
        pauses = [*shift.breaks, *([] if shift.lunch is None else [shift.lunch])]
        start, end = (midnight + timedelta(minutes=m) for m in (shift.start_min, shift.end_min))
        lines.append(
            CentreLine(
                rep_id, day.people[rep_id].name, start, end, (shift.start_min, shift.end_min),
                changed.draft.absent.get(rep_id), tuple(pauses), tuple(of_person.get(rep_id, ())),
                rep_id in changed.touched,
            )
        )  # fmt: skip
    return tuple(lines)


@lru_cache(maxsize=_KEPT)
def coverage_of(state: DayAsChanged) -> tuple[tuple[str, list[Coverage]], ...]:
    """Return for each queue of the contact centre its intervals."""
    day, changed = state.of_run.centre, state.centre
    if day is None or changed is None:
        return ()
    planned = day.levels.select("channel", "start_at", planned="scheduled")
    levels = changed.levels.filter(pl.col("required").is_not_null()).join(
        planned, on=["channel", "start_at"], how="left"
    )
    found: dict[str, list[Coverage]] = {}
    for row in levels.sort("channel", "start_at").iter_rows(named=True):
        found.setdefault(row["channel"], []).append(
            Coverage(
                row["start_at"], day.minute(row["start_at"]), row["contacts"], row["required"],
                row["scheduled"], row["planned"] or 0, row["service_level"],
            )
        )  # fmt: skip
    return tuple(found.items())
