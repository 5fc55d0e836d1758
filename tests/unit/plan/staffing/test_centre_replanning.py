"""The rest of a changed day of the contact centre, planned again, is a plan made anew with what stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from centre_days import AS_OF, DAY, EIGHT, HANDLE_MIN, PARAMS, minutes, planned, require_sound, staff

from dealwright.errors import InputError, RefusedChangeError
from dealwright.plan.staffing import Schedule, ShiftPattern, schedule
from dealwright.plan.staffing.centre_day import CentreDay
from dealwright.plan.staffing.changes import (
    AgentAbsent,
    CallOverrun,
    CentreChange,
    ChangedCentre,
    LeaveOutCall,
    MoveCall,
    MoveShift,
    PinCall,
    change_centre,
)
from dealwright.plan.staffing.replanning import beside, plan_centre_rest
from dealwright.runs.day_changes import change_to_dict, read_change

NOON = 720
FOUR = ShiftPattern("four", 240, break_windows=((90, 90),))
PLAIN = pl.exclude("simulated_service_level")


@cache
def mixed() -> CentreDay:
    """Return five people for a queue, and more calls than they can make beside it."""
    return planned(staff(*[(540, 1140)] * 5), calls=90, inbound=6.0)[0]


def replanned(
    day: CentreDay, changes: Sequence[CentreChange], from_min: int | None = None, *, shifts: bool = False
) -> ChangedCentre:
    again = plan_centre_rest(day, change_centre(day, changes), from_min=from_min, shifts=shifts)
    # as it is kept and read again
    found = change_centre(day, [*changes, read_change(change_to_dict(again))])  # type: ignore[list-item]
    require_sound(day, found)
    return found


def those_there(day: CentreDay, ill: str) -> pl.DataFrame:
    """Return the staff without one of them, each with a contract for the shift they have and no other."""
    now = {name: hours for name, hours in minutes(day).items() if name != ill}
    return staff(*now.values()).with_columns(rep_id=pl.Series(list(now)))


@pytest.mark.parametrize("ill", ["C1", "C3"])
def test_a_day_without_somebody_is_a_plan_made_anew_without_them(ill: str) -> None:
    day = mixed()
    found = replanned(day, [AgentAbsent(ill)])
    _, anew = planned(those_there(day, ill), calls=90, inbound=6.0)
    assert found.levels.select(PLAIN).equals(anew.levels.select(PLAIN))
    assert found.figures.short_min == pytest.approx(60 * anew.shortage_h)
    # who makes them may be another one, and each rounds down what is too little for one more call
    assert abs(found.figures.calls - anew.calls.height) <= 1
    # who is ill is paid all the same
    paid_h = day.planned_shifts[ill].paid_min / 60
    assert found.figures.cost_eur == pytest.approx(anew.cost_eur + paid_h * PARAMS.cost_eur_per_h)
    assert ill not in set(found.shifts["rep_id"])
    assert ill not in set(found.calls["rep_id"])
    assert len(found.lost) == day.calls.height - found.calls.height + len(found.calls) - len(
        set(found.calls["account_id"]) & set(day.calls["account_id"])
    )


def planned_from_noon(day: CentreDay, ill: str, left: Sequence[str]) -> Schedule:
    """Plan the afternoon as a day of its own: what is left of each shift, and of the calls."""
    patterns, whose = {}, {}
    for name, shift in day.planned_shifts.items():
        start = max(shift.start_min, NOON)
        breaks = tuple((at - start, at - start) for at, _ in shift.breaks if at >= NOON)
        pattern = ShiftPattern(
            f"from {shift.start_min}", shift.end_min - start, starts=(start, start, 30), break_windows=breaks
        )
        patterns[pattern.name], whose[name] = pattern, [pattern.name]
    params = replace(PARAMS, opens_min=NOON, patterns=tuple(patterns.values()))
    people = staff(*[(0, 1440)] * 5, patterns=[whose[f"C{k}"] for k in range(5)])
    number = [int(name[1:]) for name in left] or [0]
    accounts = pl.DataFrame(
        {
            "account_id": list(left) or ["A000"], "channel": "outbound_cc" if left else None,
            "expected_value_eur": [float(200 - k) for k in number],
            "opens_min": [540 if k % 2 else 720 for k in number],
            "closes_min": [1140 if k % 2 else 1080 for k in number],
        },
        schema_overrides={"channel": pl.String},
    )  # fmt: skip
    hours = range(NOON, params.ends_min, 60)
    arrivals = pl.DataFrame({"channel": "inbound_cc", "start_min": list(hours), "contacts": 6.0})
    return schedule(
        accounts, None, params, as_of=AS_OF, staff=people.filter(pl.col("rep_id") != ill), arrivals=arrivals
    )


@pytest.mark.parametrize("ill", ["C0", "C2", "C4"])
@pytest.mark.parametrize("calls", [0, 90])
def test_the_rest_from_noon_is_what_is_left_of_the_day_planned_anew(ill: str, calls: int) -> None:
    day = mixed() if calls else planned(staff(*[(540, 1140)] * 5), inbound=6.0)[0]
    found = replanned(day, [AgentAbsent(ill, NOON)], NOON)
    noon = datetime.combine(DAY, time(12))
    # what was done stands
    before = pl.col("start_at") < noon
    used = before, (pl.col("contacts") > 0) | (pl.col("scheduled") > 0)
    assert found.levels.filter(*used).select(PLAIN).equals(day.levels.filter(*used).select(PLAIN))
    assert found.calls.filter(before).equals(day.calls.filter(before))
    left = [name for name in day.priority if name not in set(day.calls.filter(before)["account_id"])]
    anew = planned_from_noon(day, ill, sorted(left, key=lambda name: day.priority[name]))
    queue = pl.col("channel") == "inbound_cc"
    told = ("start_at", "required", "scheduled", "service_level")
    after, wanted = (frame.filter(queue, ~before).select(told) for frame in (found.levels, anew.levels))
    morning = day.levels.filter(before, queue)
    short = float((morning["required"] - morning["scheduled"]).clip(lower_bound=0).sum()) * 30
    if calls:
        # fractions of people on calls are rounded, at most by half an hour of one, and the calls of it; and
        # calls under way at noon end after it
        under_way = found.calls.filter(before, pl.col("end_at") > noon).height
        assert (after["scheduled"] - wanted["scheduled"]).abs().sum() <= 1
        assert found.figures.short_min == pytest.approx(60 * anew.shortage_h + short, abs=30.1)
        assert abs(found.calls.filter(~before).height - anew.calls.height) <= 30 / HANDLE_MIN + under_way
    else:
        assert after.equals(wanted)
        assert found.figures.short_min == pytest.approx(60 * anew.shortage_h + short)


def test_shifts_that_may_change_are_those_a_plan_made_anew_would_have() -> None:
    params = replace(PARAMS, patterns=(EIGHT, FOUR))
    people = staff(*[(540, 1140)] * 5, patterns=[["eight", "four"]] * 5)
    day, _ = planned(people, inbound=6.0, params=params)
    ill = min(minutes(day))
    kept, found = (replanned(day, [AgentAbsent(ill)], shifts=shifts) for shifts in (False, True))
    _, anew = planned(people.filter(pl.col("rep_id") != ill), inbound=6.0, params=params)
    assert found.figures.short_min == pytest.approx(60 * anew.shortage_h)
    assert found.figures.short_min <= kept.figures.short_min
    paid_h = day.planned_shifts[ill].paid_min / 60
    assert found.figures.paid_h == pytest.approx(anew.cost_eur / params.cost_eur_per_h + paid_h)
    # who has begun keeps their start, and nobody is asked to come before the moment
    later = replanned(day, [AgentAbsent(ill, NOON)], NOON, shifts=True)
    for name, shift in later.draft.shifts.items():
        before = day.planned_shifts[name]
        assert shift.start_min == before.start_min if before.start_min < NOON else shift.start_min >= NOON
    assert later.figures.short_min <= replanned(day, [AgentAbsent(ill, NOON)], NOON).figures.short_min


def test_pinned_moved_and_begun_calls_stand_and_what_was_left_out_stays_out() -> None:
    day = planned(staff((540, 1140), (540, 1140)), calls=90)[0]
    rng = np.random.default_rng(5)
    for _ in range(4):
        shuffled = rng.permutation(day.calls.height)
        pinned, out, longer = (day.calls.row(int(k), named=True) for k in shuffled[:3])
        changes: list[CentreChange] = [
            PinCall(pinned["account_id"]), LeaveOutCall(out["account_id"]),
            CallOverrun(longer["account_id"], 25),
        ]  # fmt: skip
        changed = change_centre(day, changes)
        since = int(rng.choice([600, 700, 810]))
        found = replanned(day, changes, since)
        stands = {
            name: call for name, call in changed.draft.calls.items()
            if call.begin_min < since or name in changed.pinned
        }  # fmt: skip
        assert {pinned["account_id"], longer["account_id"]} <= stands.keys()
        assert {name: found.draft.calls[name] for name in stands} == stands
        assert out["account_id"] not in found.draft.calls
        row = found.calls.filter(pl.col("account_id") == longer["account_id"]).row(0, named=True)
        assert row["end_at"] - row["start_at"] == timedelta(minutes=HANDLE_MIN + 25)
        # nobody is in two calls at once, and no call of those that could be made is forgotten
        for (_,), calls in found.calls.sort("start_at").group_by("rep_id"):
            assert (calls["start_at"].slice(1) >= calls["end_at"].head(-1)).all()
        assert found.figures.calls >= changed.figures.calls


def test_who_goes_home_is_missing_and_paid_and_what_an_overrun_runs_into_falls_out() -> None:
    day = mixed()
    changed = change_centre(day, [AgentAbsent("C3", 900)])
    at_work = pl.col("start_at") >= datetime.combine(DAY, time(15))
    assert changed.levels.filter(at_work)["scheduled"].sum() < day.levels.filter(at_work)["scheduled"].sum()
    assert changed.difference.paid_h == 0
    row = changed.shifts.filter(pl.col("rep_id") == "C3").row(0, named=True)
    assert row["end_at"] == datetime.combine(DAY, time(15))
    assert all(
        limit == "absence" for name, (limit, _) in changed.draft.unplaced.items() if name in changed.lost
    )
    with pytest.raises(RefusedChangeError, match="C3 is absent from 15:00"):
        change_centre(day, [AgentAbsent("C3", 900), MoveShift("C3", 660, 1140)])
    account = day.calls["account_id"][0]
    with pytest.raises(RefusedChangeError, match="C3 is absent from 15:00") as refused:
        change_centre(day, [AgentAbsent("C3", 900), MoveCall(account, "C3", 1000)])
    assert refused.value.limit == "absence"
    for calls in day.calls.sort("start_at").partition_by("rep_id"):
        names, starts = calls["account_id"].to_list(), [day.minute(at) for at in calls["start_at"]]
        longer = change_centre(day, [CallOverrun(names[0], 40)])
        hit = {
            name for name, at in zip(names[1:], starts[1:], strict=True) if at < starts[0] + HANDLE_MIN + 40
        }
        assert longer.lost == hit
        assert {longer.draft.unplaced[name][0] for name in hit} <= {"another call"}
        assert names[0] in longer.pinned
    with pytest.raises(InputError, match="extra_min = 0"):
        change_centre(day, [CallOverrun(account, 0)])
    with pytest.raises(InputError, match="nothing is left of the day"):
        plan_centre_rest(day, changed, from_min=1131)


def test_minutes_short_count_the_hours_in_which_customers_may_be_called() -> None:
    # nobody may be called before noon, and one of the two goes home at one o'clock
    day, found = planned(staff((540, 1140), (660, 1140)), calls=2)
    assert day.planned_demand[1].windows is not None
    changed = change_centre(day, [])
    assert changed.figures.short_min == pytest.approx(60 * found.shortage_h)
    early = replace(
        day,
        windows=day.windows.with_columns(
            from_min=pl.lit([540], dtype=pl.List(pl.Int64)), to_min=pl.lit([570], dtype=pl.List(pl.Int64))
        ),
    )
    # two calls take 27 minutes of agents: one is there for the half hour in which they may be made
    assert change_centre(early, []).figures.short_min == 0
    late = change_centre(early, [MoveShift("C0", 600, 1080)])
    assert late.figures.short_min == 30
    assert late.figures.short_min - change_centre(day, [MoveShift("C0", 600, 1080)]).figures.short_min == 30


def test_a_call_that_stands_takes_the_place_of_one() -> None:
    assert beside([600, 614, 628], [(614.0, 622.0)], 8.0, 540) == [600, 628]
    # in the way of two: one of them is made a little earlier
    assert beside([600, 614, 625], [(620.0, 628.0)], 8.0, 540) == [600, 612]
    # a begun call that lasts takes what it covers
    assert beside([600, 614, 628], [(590.0, 625.0)], 8.0, 600) == [628]
    assert beside([600, 614, 628], [(590.0, 598.0)], 8.0, 600) == [600, 614, 628]
    # one that ends soon only delays the next
    assert beside([600, 614, 628], [(596.0, 604.0)], 8.0, 600) == [604, 614, 628]
