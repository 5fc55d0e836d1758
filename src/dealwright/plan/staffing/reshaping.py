"""A shift at other times than planned: its breaks, and whether rules and contract allow it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Final

import polars as pl

from dealwright.errors import RefusedChangeError
from dealwright.plan.staffing.centre_day import CentreDay
from dealwright.plan.staffing.clock import shifts_of_day
from dealwright.plan.staffing.params import DAY_MIN, ShiftPattern
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.roster import Person

OPENING: Final = "opening hours"
CONTRACT: Final = "contract"
STARTS: Final = "start of shifts"
BREAKS: Final = "break"
WEEK: Final = "weekly hours"
REST: Final = "rest"
CLOCKS: Final = "change of clocks"


def reshape(day: CentreDay, rep_id: str, start_min: int, end_min: int, former: Shift) -> Shift:
    """Return a shift from one moment to another, by the rules that the stage itself keeps.

    It is of the shortest kind that is at least as long and that the contract allows; it has the breaks of
    that kind that end before it does, each as near as its limits allow to where it was in the shift before.

    Raises
    ------
    RefusedChangeError
        Opening hours, the contract, the breaks or the rest between two shifts do not allow it.
    """
    params, person = day.params, day.person(rep_id)
    if not params.opens_min <= start_min < end_min <= params.ends_min:
        raise RefusedChangeError(
            OPENING,
            f"the contact centre is open from {clock(params.opens_min)} to {clock(params.ends_min)}: a shift "
            f"from {clock(start_min)} to {clock(end_min)} is not within it",
        )
    pattern = _pattern(day, person, end_min - start_min)
    first, last, _ = pattern.starts
    if not first <= start_min <= (params.ends_min if last == DAY_MIN else last):
        raise RefusedChangeError(
            STARTS,
            f"a shift of the kind {pattern.name} begins from {clock(first)} to {clock(last)}, not at "
            f"{clock(start_min)}",
        )
    found = _with_breaks(pattern, start_min, end_min, former, params.interval_min)
    (found,), usable = shifts_of_day(day.day, [found], day.time_zone)
    if not usable:
        raise RefusedChangeError(CLOCKS, "clocks change while the shift begins, ends or pauses")
    if not person.may_work(found):
        raise RefusedChangeError(
            CONTRACT,
            f"{rep_id} works from {clock(person.from_min)} to {clock(person.to_min)} only, and not from "
            f"{clock(start_min)} to {clock(end_min)}",
        )
    _require_rest(day, rep_id, found)
    _require_hours(day, person, found)
    return found


def may_work(day: CentreDay, rep_id: str, shift: Shift) -> bool:
    """Tell whether contract, weekly hours and the rest between two shifts allow somebody a shift."""
    person = day.person(rep_id)
    try:
        _require_rest(day, rep_id, shift)
        _require_hours(day, person, shift)
    except RefusedChangeError:
        return False
    return person.may_work(shift)


def _pattern(day: CentreDay, person: Person, length_min: int) -> ShiftPattern:
    """Return the shortest kind of shift of a contract that is at least so long."""
    allowed = [item for item in day.params.patterns if not person.patterns or item.name in person.patterns]
    enough = [item for item in allowed if item.length_min >= length_min]
    if not enough:
        longest = max(item.length_min for item in allowed)
        raise RefusedChangeError(
            CONTRACT,
            f"{person.rep_id} works {longest} min at most, lunch included, and not {length_min} min",
        )
    return min(enough, key=lambda item: item.length_min)


def _with_breaks(pattern: ShiftPattern, start: int, end: int, former: Shift, step: int) -> Shift:
    length = end - start
    pauses = [(window, pattern.break_min) for window in pattern.break_windows]
    before = [begin - former.start_min for begin, _ in former.breaks]
    if pattern.lunch_min:
        pauses.append((pattern.lunch_window, pattern.lunch_min))
        before.append(pattern.lunch_window[0] if former.lunch is None else former.lunch[0] - former.start_min)
    # a pause that could not even begin early enough to end with the shift falls away
    kept = [k for k, (window, minutes) in enumerate(pauses) if window[0] + minutes <= length]
    wished = before if len(before) == len(pauses) else [window[0] for window, _ in pauses]
    best: tuple[int, tuple[int, ...]] | None = None
    places = [_places(pauses[k][0], wished[k], step) for k in kept]
    for chosen in product(*places):
        spans = sorted((at, at + pauses[k][1]) for k, at in zip(kept, chosen, strict=True))
        if any(finish > length for _, finish in spans) or any(a[1] > b[0] for a, b in pairwise(spans)):
            continue
        away = sum(abs(at - wished[k]) for k, at in zip(kept, chosen, strict=True))
        if best is None or away < best[0]:
            best = away, chosen
    if best is None:
        raise RefusedChangeError(
            BREAKS, f"no room is left for the breaks of a shift from {clock(start)} to {clock(end)}"
        )
    at_of = dict(zip(kept, best[1], strict=True))
    meal = at_of.get(len(pattern.break_windows)) if pattern.lunch_min else None
    lunch = None if meal is None else (start + meal, start + meal + pattern.lunch_min)
    breaks = tuple(
        (start + at_of[k], start + at_of[k] + pattern.break_min)
        for k in range(len(pattern.break_windows))
        if k in at_of
    )
    paid_min = length - (0 if lunch is None else pattern.lunch_min)
    return Shift(pattern.name, start, end, paid_min, lunch, breaks)


def _places(window: tuple[int, int], wished: int, step: int) -> Sequence[int]:
    """Return where in its limits a pause may begin, where it was before included."""
    found = set(range(window[0], window[1] + 1, step))
    return sorted(found | {min(max(wished, window[0]), window[1])})


def _require_rest(day: CentreDay, rep_id: str, shift: Shift) -> None:
    rest_min = day.params.min_rest_h * 60
    for at, ends in day.other_shifts.filter(pl.col("rep_id") == rep_id).select("start_at", "end_at").rows():
        begin, end = day.minute(at), day.minute(ends)
        if begin < shift.end_min + rest_min and end + rest_min > shift.start_min:
            raise RefusedChangeError(
                REST,
                f"{rep_id} needs {day.params.min_rest_h:g} h of rest between two shifts, and works from "
                f"{at:%d/%m %H:%M} to {ends:%d/%m %H:%M}",
            )


def _require_hours(day: CentreDay, person: Person, shift: Shift) -> None:
    others = day.other_shifts.filter(pl.col("rep_id") == person.rep_id)
    first = min([day.day, *day.other_shifts["day"]])
    week = (day.day - first).days // 7
    paid = shift.paid_min + sum(
        minutes for on, minutes in others.select("day", "paid_min").rows() if (on - first).days // 7 == week
    )
    if paid > person.hours_per_week * 60:
        raise RefusedChangeError(
            WEEK,
            f"{person.rep_id} would be paid {paid / 60:g} h in the week, and works "
            f"{person.hours_per_week:g} h",
        )


def clock(minutes: int) -> str:
    """Return minutes after midnight as a time of day; the end of the day as 24:00."""
    whole = minutes if minutes == DAY_MIN else minutes % DAY_MIN
    return f"{whole // 60:02d}:{whole % 60:02d}"
