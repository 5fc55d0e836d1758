"""Clocks that change: which minutes of a day are there, how long a shift is, what another zone's clock shows.

Moments are minutes after midnight on the company's clock. A minute that comes twice on the night when
clocks go back is its first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.staffing.params import DAY_MIN, ScheduleParams
from dealwright.plan.staffing.patterns import Shift

Bools = NDArray[np.bool_]

_STEP_MIN = 5  # every change of a clock since 1970 is of whole steps, and happens at one


def elapsed_min(day: date, start_min: int, end_min: int, zone: str) -> int:
    """Return how many minutes pass between two moments of a day; an hour less when clocks go forward."""
    return int((_instant(day, end_min, zone) - _instant(day, start_min, zone)).total_seconds() // 60)


def interval_of(moment: datetime, day: date, params: ScheduleParams) -> int | None:
    """Return in which interval of a day's opening hours a moment lies; None for one outside of them.

    The hours of a centre that is open past midnight belong to the day on which they begin.
    """
    minute = int((moment - datetime.combine(day, time())).total_seconds() // 60)
    place = (minute - params.opens_min) // params.interval_min
    return place if 0 <= place < params.intervals else None


def on_clock_of(moment: datetime, zone: str, other: str) -> datetime:
    """Return what the clock of another zone shows at a moment of the company's clock."""
    if zone == other:
        return moment
    return (
        moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(other)).replace(tzinfo=None)
    )


def skipped_intervals(day: date, params: ScheduleParams, zone: str) -> Bools:
    """Return which intervals of a day are not there, because clocks go forward over them."""
    gap = _change(day, zone)[0]
    start = params.opens_min + np.arange(params.intervals) * params.interval_min
    if gap is None:
        return np.zeros(params.intervals, dtype=np.bool_)
    return np.asarray((start < gap[1]) & (start + params.interval_min > gap[0]))


def shifts_of_day(day: date, shifts: Sequence[Shift], zone: str) -> tuple[tuple[Shift, ...], tuple[int, ...]]:
    """Return the shifts with what they are paid on that day, and the indices of those that may be worked.

    On a day when clocks change no shift begins, ends or pauses within the hour that is skipped or comes
    twice: its time would be none, or one of two.
    """
    gap, twice = _change(day, zone)
    odd = gap or twice
    if odd is None:
        return tuple(shifts), tuple(range(len(shifts)))
    found = []
    for shift in shifts:
        longer = elapsed_min(day, shift.start_min, shift.end_min, zone) - (shift.end_min - shift.start_min)
        found.append(replace(shift, paid_min=shift.paid_min + longer, gap=gap))
    usable = tuple(
        index for index, shift in enumerate(found) if _keeps_clear(shift, odd, skipped=gap is not None)
    )
    return tuple(found), usable


def _keeps_clear(shift: Shift, odd: tuple[int, int], *, skipped: bool) -> bool:
    first, last = odd
    pauses = (*shift.breaks, *([shift.lunch] if shift.lunch else []))
    begins = first <= shift.start_min < last if skipped else first < shift.start_min < last
    ends = first < shift.end_min < last
    return not begins and not ends and not any(begin < last and end > first for begin, end in pauses)


def _change(day: date, zone: str) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return the minutes that the clock skips, and those it shows twice, on a day and the one after it."""
    here = ZoneInfo(zone)
    midnight = datetime.combine(day, time())
    # opening hours may reach into the next day
    if (midnight - timedelta(minutes=1)).replace(tzinfo=here).utcoffset() == (
        midnight + timedelta(minutes=2 * DAY_MIN)
    ).replace(tzinfo=here).utcoffset():
        return None, None
    skipped: list[int] = []
    twice: list[int] = []
    for minute in range(0, 2 * DAY_MIN, _STEP_MIN):
        local = midnight + timedelta(minutes=minute)
        first, second = (local.replace(tzinfo=here, fold=fold).utcoffset() for fold in (0, 1))
        if first != second:
            there = local.replace(tzinfo=here).astimezone(UTC).astimezone(here).replace(tzinfo=None)
            (twice if there == local else skipped).append(minute)
    return _span(skipped), _span(twice)


def _span(minutes: list[int]) -> tuple[int, int] | None:
    return (minutes[0], minutes[-1] + _STEP_MIN) if minutes else None


def _instant(day: date, minute: int, zone: str) -> datetime:
    local = datetime.combine(day, time()) + timedelta(minutes=minute)
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
