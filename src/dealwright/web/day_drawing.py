"""A day as time lines: where everything lies on a common axis, in the units of the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from dealwright.runs.day_board import DayState

WIDTH: Final = 1200
_COLOURS: Final = 8


@dataclass(frozen=True)
class Axis:
    """The hours that are drawn, in minutes after midnight."""

    first_min: int
    last_min: int

    @classmethod
    def of(cls, state: DayState, centre: tuple[float, float] | None = None) -> Axis:
        """Return the hours of all shifts, those of the contact centre included."""
        terms = state.changed.draft.terms
        reps = [terms.shift_of(rep) for rep in state.of_run.field_day.reps]
        first = min((rep.shift_start_min for rep in reps), default=480)
        last = max((rep.shift_end_min for rep in reps), default=1080)
        if centre is not None:
            first, last = min(first, int(centre[0])), max(last, int(centre[1]))
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
class CentreLine:
    """One person's shift in the contact centre."""

    rep_id: str
    name: str
    start_at: datetime
    end_at: datetime
    shift: tuple[float, float]
    pauses: tuple[tuple[float, float], ...]
    calls: tuple[tuple[float, float], ...]


def draw_people(state: DayState, axis: Axis) -> list[PersonLine]:
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
    return lines


def _stop(row: dict[str, Any], axis: Axis, state: DayState, names: Any) -> Stop:
    day, account = row["day"], row["account_id"]
    begin, end = _minute(row["start_at"], day), _minute(row["leave_at"], day)
    travel = row["travel_min"]
    way = axis.x(_minute(row["arrive_at"], day) - travel), axis.long(travel)
    return Stop(
        account, names.get(account, account), row["stop"], begin, end - begin, row["start_at"],
        row["leave_at"], row["window_start"], row["window_end"], row["value_eur"],
        account in state.changed.pinned, way,
    )  # fmt: skip


def _minute(moment: datetime, day: date) -> float:
    return (moment - datetime.combine(day, time())).total_seconds() / 60


def centre_hours(folder: Path, day: date) -> tuple[float, float] | None:
    """Return when the first shift of the contact centre begins and the last one ends."""
    path = folder / "shifts.parquet"
    return _centre_hours(path, day, path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=8)
def _centre_hours(path: Path, day: date, _stamp: int) -> tuple[float, float] | None:
    shifts = pl.scan_parquet(path).filter(pl.col("day") == day)
    first, last = shifts.select(first=pl.col("start_at").min(), last=pl.col("end_at").max()).collect().row(0)
    return None if first is None else (_minute(first, day), _minute(last, day))


def draw_centre(folder: Path, day: date, axis: Axis) -> Sequence[CentreLine]:
    """Return the shifts of the contact centre with their calls, as they were planned."""
    path = folder / "shifts.parquet"
    if not path.is_file():
        return ()
    return _draw_centre(folder, day, axis, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _draw_centre(folder: Path, day: date, axis: Axis, _stamp: int) -> tuple[CentreLine, ...]:
    shifts = (
        pl.read_parquet(folder / "shifts.parquet").filter(pl.col("day") == day).sort("start_at", "rep_id")
    )
    calls = pl.read_parquet(folder / "calls.parquet").filter(pl.col("start_at").dt.date() == day)
    of_person: dict[str, list[tuple[float, float]]] = {}
    for rep_id, start, end in calls.select("rep_id", "start_at", "end_at").rows():
        begin = _minute(start, day)
        of_person.setdefault(rep_id, []).append((axis.x(begin), axis.long(_minute(end, day) - begin)))
    lines = []
    for row in shifts.head(40).iter_rows(named=True):
        start, end = _minute(row["start_at"], day), _minute(row["end_at"], day)
        pauses = [(axis.x(_minute(at, day)), axis.long(row["break_min"] or 0)) for at in row["breaks"] or []]
        if row["lunch_start_at"] is not None:
            begin = _minute(row["lunch_start_at"], day)
            pauses.append((axis.x(begin), axis.long(_minute(row["lunch_end_at"], day) - begin)))
        lines.append(
            CentreLine(
                row["rep_id"], row["rep_name"] or row["rep_id"], row["start_at"], row["end_at"],
                (axis.x(start), axis.long(end - start)), tuple(pauses),
                tuple(of_person.get(row["rep_id"], ())),
            )
        )  # fmt: skip
    return tuple(lines)
