"""Who works which shift: wishes, hours of a week, rest, and shifts that nobody can take."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linear_sum_assignment

from dealwright.plan.staffing import ScheduleParams
from dealwright.plan.staffing import roster as roster_module
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.roster import Roster, group_staff, name_people, read_staff
from dealwright.plan.staffing.shifts import Cover

PARAMS = ScheduleParams(opens_min=420, closes_min=1320, interval_min=60)
EARLY, LATE = Shift("four", 480, 720, 240, None, ()), Shift("four", 1080, 1320, 240, None, ())
SHIFTS = (EARLY, LATE)
MONDAY = date(2026, 7, 6)


def roster(
    counts: list[list[int]], gap_days: list[int], params: ScheduleParams = PARAMS, **staff: Any
) -> Roster:
    """Name people for so many early and late shifts on each day."""
    people = None if not staff else read_staff(pl.DataFrame(staff), params)
    members = [group_staff(people, MONDAY, SHIFTS)[1] for _ in counts]
    nothing = np.zeros((1, params.intervals))
    covers = [
        Cover(np.array([count]), nothing[None], nothing, nothing, 0, proven=True, objective=0.0, bound=0.0)
        for count in counts
    ]
    return name_people(covers, members, people, [SHIFTS] * len(counts), params=params, gap_days=gap_days)


def who(found: Roster) -> dict[tuple[int, int], list[int]]:
    """Return the people by day and shift."""
    table: dict[tuple[int, int], list[int]] = {}
    for item in found.assignments:
        table.setdefault((item.day, item.shift), []).append(item.person)
    return table


@pytest.mark.parametrize("wishes", [(480, 1080), (1080, 480)])
def test_wishes_decide_between_people_who_could_work_either(wishes: tuple[int, int]) -> None:
    found = roster([[1, 1]], [0], rep_id=["a", "b"], wish_start_min=list(wishes))
    early = wishes.index(480)
    assert who(found) == {(0, 0): [early], (0, 1): [1 - early]}
    assert (found.wishes, found.granted, found.proven) == (2, 2, True)


def test_a_wish_is_granted_within_half_an_hour_and_never_empties_a_shift() -> None:
    found = roster([[1, 1]], [0], rep_id=["a", "b"], wish_start_min=[510, 480])
    assert len(found.assignments) == 2
    assert found.granted == 1
    assert found.unfilled == ()
    near = roster([[1, 0]], [0], rep_id=["a"], wish_start_min=[510])
    assert near.granted == 1
    far = roster([[1, 0]], [0], rep_id=["a"], wish_start_min=[511])
    assert (far.wishes, far.granted) == (1, 0)


@pytest.mark.parametrize(("hours", "days"), [(8.0, 2), (7.9, 1), (12.0, 3), (4.0, 1)])
def test_the_hours_of_a_week_may_be_used_up_and_not_passed(hours: float, days: int) -> None:
    found = roster([[1, 0]] * 3, [0, 1, 2], rep_id=["a"], hours_per_week=[hours])
    assert len(found.assignments) == days
    assert sum(count for *_, count in found.unfilled) == 3 - days


def test_every_week_has_its_own_hours() -> None:
    found = roster([[1, 0]] * 3, [0, 4, 7], rep_id=["a"], hours_per_week=[8.0])
    assert len(found.assignments) == 3  # two days of the first week, one of the second
    same = roster([[1, 0]] * 3, [0, 4, 6], rep_id=["a"], hours_per_week=[8.0])
    assert len(same.assignments) == 2


@pytest.mark.parametrize(("rest_h", "next_day", "both"), [(10.0, 1, True), (10.1, 1, False), (11.0, 2, True)])
def test_between_a_late_and_an_early_shift_there_is_rest(rest_h: float, next_day: int, both: bool) -> None:
    params = ScheduleParams(opens_min=420, closes_min=1320, interval_min=60, min_rest_h=rest_h)
    found = roster([[0, 1], [1, 0]], [0, next_day], params, rep_id=["a"])
    assert len(found.assignments) == (2 if both else 1)
    other = roster([[0, 1], [1, 0]], [0, next_day], params, rep_id=["a", "b"])
    assert not other.unfilled


def test_nobody_works_two_shifts_of_a_day() -> None:
    found = roster([[1, 1]], [0], rep_id=["a"])
    assert len(found.assignments) == 1
    assert [count for *_, count in found.unfilled] == [1]


def test_without_staff_the_people_are_numbered_from_the_first_on_each_day() -> None:
    found = roster([[2, 1], [0, 1]], [0, 1])
    assert who(found) == {(0, 0): [0, 1], (0, 1): [2], (1, 1): [0]}
    assert (found.unfilled, found.wishes, found.granted, found.proven) == ((), 0, 0, True)


def test_a_contract_says_which_shifts_somebody_works() -> None:
    params = ScheduleParams(opens_min=420, closes_min=1320, interval_min=60)
    staff = {"rep_id": ["a", "b"], "patterns": [["six"], []], "from_min": [None, 480], "to_min": [None, 720]}
    people = read_staff(pl.DataFrame(staff), params)
    assert people is not None
    six = Shift("six", 480, 840, 360, None, ())
    may = [[person.may_work(shift) for shift in (EARLY, LATE, six)] for person in people]
    assert may == [[False, False, True], [True, False, False]]


@pytest.mark.parametrize("seed", range(8))
def test_one_day_is_matched_as_well_as_by_constraint_programming(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    people = int(rng.integers(1, 6))
    staff: dict[str, Any] = {
        "rep_id": [f"p{k}" for k in range(people)],
        "wish_start_min": [
            None if rng.random() < 0.3 else int(30 * rng.integers(14, 40)) for _ in range(people)
        ],
        "hours_per_week": [float(rng.choice([3.9, 4.0, 40.0])) for _ in range(people)],
    }
    counts = [rng.integers(0, 4, 2).tolist()]

    def cost(found: Roster) -> int:
        wishes = staff["wish_start_min"]
        moved = [
            abs(wishes[item.person] - SHIFTS[item.shift].start_min) // 30
            for item in found.assignments
            if wishes[item.person] is not None
        ]
        return int(sum(moved)) + 100_000 * sum(count for *_, count in found.unfilled)

    matched = roster(counts, [0], **staff)
    monkeypatch.setattr(
        roster_module,
        "_match_day",
        lambda cover, members, people, shifts: roster_module._solve_days(
            [cover], [members], people, [shifts], params=PARAMS, gap_days=[0]
        )[:2],
    )
    solved = roster(counts, [0], **staff)
    assert cost(matched) == cost(solved)
    assert len(matched.assignments) == len({item.person for item in matched.assignments})
    assert len(matched.assignments) + sum(count for *_, count in matched.unfilled) == sum(counts[0])


@pytest.mark.parametrize("seed", range(6))
def test_a_table_of_kinds_matches_the_same_people_as_a_table_of_everybody(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people, alike = int(rng.integers(1, 30)), seed % 3 == 0  # then no table is needed at all
    wishes = [None if alike or rng.random() < 0.5 else int(60 * rng.integers(7, 20)) for _ in range(people)]
    staff = read_staff(
        pl.DataFrame(
            {
                "rep_id": [f"p{k}" for k in range(people)],
                "wish_start_min": pl.Series(wishes, dtype=pl.Int64),
                "hours_per_week": [40.0 if alike else float(rng.choice([3.9, 40.0])) for _ in range(people)],
            }
        ),
        PARAMS,
    )
    assert staff is not None
    places = rng.integers(0, 2, int(rng.integers(1, 30))).tolist()
    empty = 100_000

    def cost(person: roster_module.Person, shift: Shift) -> int:
        if shift.paid_min > person.hours_per_week * 60:
            return empty
        return 0 if person.wish_start_min is None else abs(person.wish_start_min - shift.start_min) // 30

    table = np.array([[cost(person, SHIFTS[place]) for place in places] for person in staff])
    pairs = np.transpose(linear_sum_assignment(table)).tolist()
    everybody = [(row, column) for row, column in pairs if table[row, column] < empty]
    assert roster_module._match(range(people), places, staff, SHIFTS) == everybody
