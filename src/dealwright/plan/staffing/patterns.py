"""From the patterns of shifts to every shift that may be worked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.plan.staffing.params import DAY_MIN, ScheduleParams, ShiftPattern

_MOST_SHIFTS: Final = 20_000


@dataclass(frozen=True)
class Shift:
    """One shift of a day, in minutes after midnight; `lunch` is None where there is none.

    `gap` are the minutes of that day over which clocks go forward, None on any other day.
    """

    pattern: str
    start_min: int
    end_min: int
    paid_min: int
    lunch: tuple[int, int] | None
    breaks: tuple[tuple[int, int], ...]
    gap: tuple[int, int] | None = None

    def works(self, params: ScheduleParams) -> NDArray[np.bool_]:
        """Return in which intervals the shift is at work: those it spans without touching a break."""
        start = params.opens_min + np.arange(params.intervals) * params.interval_min
        end = start + params.interval_min
        on = (start >= self.start_min) & (end <= self.end_min)
        for begin, finish in (*self.breaks, *(pause for pause in (self.lunch, self.gap) if pause)):
            on &= (end <= begin) | (start >= finish)
        return on


def expand_patterns(params: ScheduleParams) -> tuple[Shift, ...]:
    """Return every shift the patterns allow within the opening hours, those of equal working time once.

    Raises
    ------
    InputError
        An impossible pattern, or too many shifts.
    """
    found: dict[tuple[bytes, int], Shift] = {}
    for pattern in params.patterns:
        _check(pattern, params)
        for shift in _of_pattern(pattern, params):
            found.setdefault((shift.works(params).tobytes(), shift.paid_min), shift)
            if len(found) > _MOST_SHIFTS:
                raise InputError(
                    f"schedule.patterns allow more than {_MOST_SHIFTS:,} shifts: give longer steps or "
                    "narrower windows"
                )
    if not found:
        raise InputError(
            f"no shift of schedule.patterns fits into the opening hours {params.opens_min} to "
            f"{params.closes_min}: "
            "give a shorter pattern or longer opening hours"
        )
    return tuple(found.values())


def _of_pattern(pattern: ShiftPattern, params: ScheduleParams) -> list[Shift]:
    step = params.interval_min
    first, last, by = pattern.starts
    lunches = (
        range(pattern.lunch_window[0], pattern.lunch_window[1] + 1, step) if pattern.lunch_min else [None]
    )
    places: list[tuple[int, ...]] = [()]
    for window in pattern.break_windows:
        places = [(*done, at) for done in places for at in range(window[0], window[1] + 1, step)]
    found = []
    last = params.ends_min if last == DAY_MIN else last
    for start in range(first, last + 1, by):
        if start < params.opens_min or start + pattern.length_min > params.ends_min:
            continue
        for lunch in lunches:
            for place in places:
                breaks = tuple((start + at, start + at + pattern.break_min) for at in place)
                meal = None if lunch is None else (start + lunch, start + lunch + pattern.lunch_min)
                spans = sorted([*breaks, *([meal] if meal else [])])
                if all(before[1] <= after[0] for before, after in pairwise(spans)):
                    end = start + pattern.length_min
                    found.append(Shift(pattern.name, start, end, pattern.paid_min, meal, breaks))
    return found


def _check(pattern: ShiftPattern, params: ScheduleParams) -> None:
    where = f"the shift pattern {pattern.name!r}"
    if pattern.length_min <= 0 or pattern.paid_min <= 0 or pattern.lunch_min < 0 or pattern.break_min < 0:
        raise InputError(f"{where} has no paid time: correct length_min, lunch_min or break_min")
    if pattern.starts[2] <= 0:
        raise InputError(f"{where} has the step {pattern.starts[2]} between starts: use a number above 0")
    windows = [*pattern.break_windows, *([pattern.lunch_window] if pattern.lunch_min else [])]
    for early, late in windows:
        if not 0 <= early <= late <= pattern.length_min:
            raise InputError(
                f"{where} has a break between {early} and {late} minutes: keep it within the shift"
            )
    if any(value % params.interval_min for value in (pattern.starts[2], pattern.length_min)):
        raise InputError(
            f"{where}: its length and the step between its starts must be multiples of "
            f"{params.interval_min} minutes"
        )
