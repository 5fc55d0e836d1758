"""Named people on the shifts of the plan: skills, contracts, days off, rest, and wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.errors import InputError, NoRosterError, UnknownNameError
from dealwright.plan.staffing.params import DAY_MIN, DEFAULT_WORK, ScheduleParams
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.shifts import Cover, Group
from dealwright.schemas import STAFF_COLUMNS, conform

_FULL_WEEK_H: Final = 40.0
_UNFILLED: Final = 100_000  # an empty shift is worse than any number of wishes not granted
_WORKERS: Final = 1  # one thread: the same roster each time


@dataclass(frozen=True)
class Person:
    """One member of the staff, with defaults filled in."""

    rep_id: str
    name: str
    channels: frozenset[str]
    patterns: frozenset[str]
    hours_per_week: float
    from_min: int
    to_min: int
    days_off: frozenset[date]
    wish_start_min: int | None

    def may_work(self, shift: Shift) -> bool:
        """Tell whether the contract allows a shift."""
        # from 22:00 to 06:00: the morning of the day, and its evening
        length = self.to_min - self.from_min + (DAY_MIN if self.to_min < self.from_min else 0)
        # a shift may begin the evening before, or after midnight where opening hours reach that far
        starts = (self.from_min + k * DAY_MIN for k in (-1, 0, 1))
        inside = length == DAY_MIN or any(
            start <= shift.start_min and shift.end_min <= start + length for start in starts
        )
        return inside and (not self.patterns or shift.pattern in self.patterns)


@dataclass(frozen=True)
class RosterShift:
    """One person (an index of the staff, or a number where nobody is named) on one shift of one day."""

    day: int
    person: int
    group: int
    shift: int


Assignments = tuple[RosterShift, ...]
Unfilled = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class Roster:
    """Who works what."""

    assignments: Assignments  # by day, shift and person
    unfilled: Unfilled  # shifts of the plan that nobody can take, as (day, group, shift, how many)
    # how many assignments had a wish, and how many got it within half an hour
    wishes: int
    granted: int
    proven: bool  # whether no better roster exists


def read_staff(staff: pl.DataFrame | None, params: ScheduleParams) -> tuple[Person, ...] | None:
    """Return the staff, or None where none is given.

    Raises
    ------
    InputError
        Somebody works a pattern that the parameters do not have.
    """
    if staff is None:
        return None
    table = conform(staff, STAFF_COLUMNS, "rep_id")
    known = {pattern.name for pattern in params.patterns}
    people = tuple(_person(row) for row in table.iter_rows(named=True))
    for person in people:
        for name in sorted(person.patterns - known):
            wrong = UnknownNameError("shift pattern", name, sorted(known))
            raise InputError(f"staff, {person.rep_id}: {wrong}")
    return people


def group_staff(
    staff: tuple[Person, ...] | None, day: date, shifts: Sequence[Shift], usable: Sequence[int] | None = None
) -> tuple[tuple[Group, ...], tuple[tuple[int, ...], ...]]:
    """Return people who can be exchanged for one another on a day, as groups, and who is in each.

    Without staff there is one group that can do everything, as large as it needs to be.

    Parameters
    ----------
    usable
        Indices of the shifts that may be worked on that day; by default all.
    """
    usable = range(len(shifts)) if usable is None else usable
    if staff is None:
        return (Group(frozenset(DEFAULT_WORK), tuple(usable), None),), ((),)
    members: dict[tuple[Any, ...], list[int]] = {}
    for index, person in enumerate(staff):
        if day not in person.days_off and person.hours_per_week > 0:
            key = (sorted(person.channels), sorted(person.patterns), person.from_min, person.to_min)
            members.setdefault((*map(tuple, key[:2]), *key[2:]), []).append(index)
    groups = []
    for people in members.values():
        first = staff[people[0]]
        allowed = tuple(k for k in usable if first.may_work(shifts[k]))
        groups.append(Group(first.channels, allowed, len(people)))
    return tuple(groups), tuple(tuple(people) for people in members.values())


def name_people(
    covers: Sequence[Cover],
    members: Sequence[tuple[tuple[int, ...], ...]],
    staff: tuple[Person, ...] | None,
    shifts: Sequence[Sequence[Shift]],
    *,
    params: ScheduleParams,
    gap_days: Sequence[int],
) -> Roster:
    """Put people on the shifts of all days.

    Parameters
    ----------
    covers, members
        Per day: the shifts, and the people of each group.
    shifts
        Per day: all shifts, with what is paid for them on that day.
    gap_days
        Calendar days from the first day to each day.
    """
    if staff is None:
        return _numbered(covers)
    if len(covers) == 1:
        assignments, unfilled = _match_day(covers[0], members[0], staff, shifts[0])
        proven = True
    else:
        assignments, unfilled, proven = _solve_days(
            covers, members, staff, shifts, params=params, gap_days=gap_days
        )
    asked = [(staff[p.person].wish_start_min, shifts[p.day][p.shift].start_min) for p in assignments]
    wishes = [(wish, start) for wish, start in asked if wish is not None]
    granted = sum(abs(wish - start) <= 30 for wish, start in wishes)
    order = sorted(assignments, key=lambda p: (p.day, shifts[p.day][p.shift].start_min, p.person))
    return Roster(tuple(order), unfilled, len(wishes), granted, proven)


def _match_day(
    cover: Cover, members: tuple[tuple[int, ...], ...], staff: tuple[Person, ...], shifts: Sequence[Shift]
) -> tuple[Assignments, Unfilled]:
    """Match people to the shifts of one day, which no other day ties.

    What CP-SAT finds costs the same, and loading it takes longer than all the rest.
    """
    assignments, unfilled = [], []
    for group, people in enumerate(members):
        empty = {int(shift): int(cover.count[group, shift]) for shift in cover.count[group].nonzero()[0]}
        places = [shift for shift, wanted in empty.items() for _ in range(wanted)]
        for row, column in _match(people, places, staff, shifts):
            assignments.append(RosterShift(0, people[row], group, places[column]))
            empty[places[column]] -= 1
        unfilled += [(0, group, shift, count) for shift, count in empty.items() if count]
    return tuple(assignments), tuple(unfilled)


def _match(
    people: Sequence[int], places: Sequence[int], staff: tuple[Person, ...], shifts: Sequence[Shift]
) -> list[tuple[int, int]]:
    """Return who takes which place, as indices of both: the wishes of most, and no shift beyond a contract.

    A table of all people and places has the square of a large centre's people, so it is made of the few kinds
    there are of both, and only where it matters who takes which.
    """
    from scipy.optimize import linear_sum_assignment

    kinds: dict[tuple[float, int | None], Person] = {}
    for person in people:
        kinds.setdefault((staff[person].hours_per_week, staff[person].wish_start_min), staff[person])
    wanted, column_of = np.unique(np.array(places, dtype=np.int64), return_inverse=True)
    cost = np.array(
        [
            [
                _displeasure(person, shifts[shift])
                if shifts[shift].paid_min <= int(person.hours_per_week * 60)
                else _UNFILLED
                for shift in wanted.tolist()
            ]
            for person in kinds.values()
        ],
        dtype=np.float64,
    ).reshape(len(kinds), wanted.size)
    if cost.size and cost.min() == cost.max():
        every = range(min(len(people), len(places))) if cost.max() < _UNFILLED else range(0)
        return [(k, k) for k in every]
    number = {kind: k for k, kind in enumerate(kinds)}
    row_of = [number[staff[person].hours_per_week, staff[person].wish_start_min] for person in people]
    whole = cost[np.ix_(np.array(row_of, dtype=np.int64), column_of)]
    return [
        (row, column)
        for row, column in np.transpose(linear_sum_assignment(whole)).tolist()
        if whole[row, column] < _UNFILLED
    ]


def _solve_days(
    covers: Sequence[Cover],
    members: Sequence[tuple[tuple[int, ...], ...]],
    staff: tuple[Person, ...],
    shifts: Sequence[Sequence[Shift]],
    *,
    params: ScheduleParams,
    gap_days: Sequence[int],
) -> tuple[Assignments, Unfilled, bool]:
    """Put people on the shifts of several days, which weekly hours and rest tie together.

    Raises
    ------
    InputError
        Nothing is found in time.
    """
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    on: dict[tuple[int, int, int, int], Any] = {}
    missing: dict[tuple[int, int, int], Any] = {}
    cost = []
    for day, cover in enumerate(covers):
        for group, people in enumerate(members[day]):
            for shift in map(int, cover.count[group].nonzero()[0]):
                wanted = int(cover.count[group, shift])
                takers = []
                for person in people:
                    taken = model.new_bool_var("")
                    on[day, person, group, shift] = taken
                    takers.append(taken)
                    cost.append(taken * _displeasure(staff[person], shifts[day][shift]))
                short = missing[day, group, shift] = model.new_int_var(0, wanted, "")
                model.add(sum(takers) + short == wanted)
                cost.append(short * _UNFILLED)
    _limit_people(model, on, staff, shifts, params=params, gap_days=gap_days)
    model.minimize(sum(cost))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = _WORKERS
    solver.parameters.random_seed = 0
    solver.parameters.max_time_in_seconds = params.max_seconds
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        raise NoRosterError(
            f"no roster was found within schedule.max_seconds = {params.max_seconds}: allow more "
            "time or fewer days"
        )
    assignments = tuple(
        RosterShift(day, person, group, shift)
        for (day, person, group, shift), taken in on.items()
        if solver.value(taken)
    )
    unfilled = tuple(
        (*key, int(solver.value(short))) for key, short in missing.items() if solver.value(short)
    )
    return assignments, unfilled, status == cp_model.OPTIMAL


def _limit_people(
    model: Any,
    on: dict[tuple[int, int, int, int], Any],
    staff: tuple[Person, ...],
    shifts: Sequence[Sequence[Shift]],
    *,
    params: ScheduleParams,
    gap_days: Sequence[int],
) -> None:
    """Add what a contract says: one shift a day, hours in a week, rest between shifts."""
    by_person: dict[int, dict[int, list[tuple[int, Any]]]] = {}
    for (day, person, _, shift), taken in on.items():
        by_person.setdefault(person, {}).setdefault(day, []).append((shift, taken))
    for person, days in by_person.items():
        weeks: dict[int, list[Any]] = {}
        for day, options in days.items():
            model.add_at_most_one(taken for _, taken in options)
            weeks.setdefault(gap_days[day] // 7, []).extend(
                shifts[day][shift].paid_min * taken for shift, taken in options
            )
        minutes = int(staff[person].hours_per_week * 60)
        for hours in weeks.values():
            model.add(sum(hours) <= minutes)
        for day, options in days.items():
            gap = gap_days[day + 1] - gap_days[day] if day + 1 < len(gap_days) else 0
            for shift, taken in options if gap else []:
                rested = shifts[day][shift].end_min + params.min_rest_h * 60 - gap * DAY_MIN
                for later, next_taken in days.get(day + 1, []):
                    if shifts[day + 1][later].start_min < rested:
                        model.add_at_most_one(taken, next_taken)


def _displeasure(person: Person, shift: Shift) -> int:
    """Return half hours between the wished and the given start; nothing where nothing is wished."""
    if person.wish_start_min is None:
        return 0
    return abs(person.wish_start_min - shift.start_min) // 30


def _numbered(covers: Sequence[Cover]) -> Roster:
    assignments = []
    for day, cover in enumerate(covers):
        person = 0
        for group, shift in zip(*cover.count.nonzero(), strict=True):
            for _ in range(int(cover.count[group, shift])):
                assignments.append(RosterShift(day, person, int(group), int(shift)))
                person += 1
    return Roster(tuple(assignments), (), 0, 0, proven=True)


def _person(row: dict[str, Any]) -> Person:
    rep_id, hours = row["rep_id"], row["hours_per_week"]
    start, end = row["from_min"] or 0, DAY_MIN if row["to_min"] is None else row["to_min"]
    return Person(
        rep_id, row["rep_name"] or rep_id, frozenset(row["skills"] or DEFAULT_WORK),
        frozenset(row["patterns"] or ()), _FULL_WEEK_H if hours is None else hours, start, end,
        frozenset(row["days_off"] or ()), row["wish_start_min"],
    )  # fmt: skip
