"""A day of the contact centre changed by hand says what a plan made anew with the same shifts says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from centre_days import DAY, EIGHT, PARAMS, minutes, planned, require_sound, staff

from dealwright.errors import NotFoundError, RefusedChangeError
from dealwright.plan.staffing import Schedule
from dealwright.plan.staffing.centre_day import CentreDay
from dealwright.plan.staffing.changes import (
    LeaveOutCall,
    MoveCall,
    MoveShift,
    PinCall,
    change_centre,
)
from dealwright.report.format import format_of
from dealwright.web.day_words import limit_text, reason_text


@cache
def on_the_line() -> tuple[CentreDay, Schedule]:
    """Return six people who may work at any time, and more calls that come in than they can take."""
    return planned(staff(*[(0, 1440)] * 6), inbound=15.0)


@cache
def on_calls() -> tuple[CentreDay, Schedule]:
    """Return two people and more accounts than they can call."""
    return planned(staff((540, 1140), (540, 1140)), calls=90)


def test_an_unchanged_day_is_what_was_planned() -> None:
    for day, found in (on_the_line(), on_calls()):
        same = change_centre(day, [])
        assert same.touched == frozenset()
        assert same.shifts.equals(day.shifts)
        assert same.calls.sort("start_at", "rep_id").equals(day.calls.sort("start_at", "rep_id"))
        plain = pl.exclude("simulated_service_level")
        assert same.levels.select(plain).equals(day.levels.select(plain))
        assert same.figures.cost_eur == pytest.approx(found.cost_eur)
        assert 0 < same.figures.short_min <= 60 * found.shortage_h + 0.01
        assert {value or 0 for value in vars(same.difference).values()} == {0}


@pytest.mark.parametrize("by_min", [30, 60, 90])
def test_a_moved_shift_brings_and_costs_what_a_plan_made_anew_with_it_says(by_min: int) -> None:
    day, _ = on_the_line()
    now = minutes(day)
    rep = next(
        name for name, (start, end) in sorted(now.items()) if start + by_min >= 540 and end + by_min <= 1140
    )
    start, end = now[rep]
    changed = change_centre(day, [MoveShift(rep, start + by_min, end + by_min)])
    hours = {**now, rep: (start + by_min, end + by_min)}
    # everybody's contract allows the shift they have, and no other
    _, anew = planned(staff(*(hours[f"C{k}"] for k in range(6))), inbound=15.0)
    plain = pl.exclude("simulated_service_level")
    assert changed.levels.select(plain).equals(anew.levels.select(plain))
    order = ["rep_id"]
    assert changed.shifts.sort(order).drop("rep_name").equals(anew.shifts.sort(order).drop("rep_name"))
    assert changed.figures.short_min == pytest.approx(60 * anew.shortage_h, abs=0.01)
    assert changed.figures.cost_eur == pytest.approx(anew.cost_eur)
    assert changed.touched == {rep}
    # it was the best that six people can do
    assert changed.figures.short_min >= changed.planned.short_min - 1e-9


def test_a_shorter_shift_costs_less_and_keeps_the_breaks_that_end_within_it() -> None:
    day, _ = on_the_line()
    rep, (start, _) = min(minutes(day).items())
    changed = change_centre(day, [MoveShift(rep, start, start + 240)])
    row = changed.shifts.filter(pl.col("rep_id") == rep).row(0, named=True)
    assert (row["paid_min"], len(row["breaks"])) == (240, 1)
    assert changed.difference.cost_eur == pytest.approx(-4 * PARAMS.cost_eur_per_h)
    # on the line for four hours less, but for the break that would have been then
    assert changed.difference.short_min == pytest.approx(240 - 30)
    assert changed.difference.service_level is not None
    assert changed.difference.service_level < 0


@pytest.mark.parametrize(
    ("start_min", "end_min", "limit", "message"),
    [
        (510, 990, "opening hours", "open from 09:00 to 19:00"),
        (540, 1080, "contract", "works 480 min at most"),
        (570, 1050, "contract", "from 09:00 to 17:00 only"),
    ],
)
def test_what_rules_do_not_allow_is_refused_with_the_rule(
    start_min: int, end_min: int, limit: str, message: str
) -> None:
    people = staff((540, 1020), (540, 1140))
    day, _ = planned(people, inbound=15.0)
    with pytest.raises(RefusedChangeError, match=message) as refused:
        change_centre(day, [MoveShift("C0", start_min, end_min)])
    assert refused.value.limit == limit


def test_rest_weekly_hours_and_the_start_of_shifts_are_kept() -> None:
    day, _ = on_the_line()
    rep, (start, end) = min(minutes(day).items())
    row = day.shifts.filter(pl.col("rep_id") == rep)
    # they worked the night before until 02:30 of this day
    night = row.with_columns(
        day=pl.lit(DAY - timedelta(days=1)),
        start_at=pl.lit(datetime(2026, 6, 30, 18, 30)), end_at=pl.lit(datetime(2026, 7, 1, 2, 30)),
    )  # fmt: skip
    tired = replace(day, other_shifts=night)
    with pytest.raises(RefusedChangeError, match="11 h of rest") as refused:
        change_centre(tired, [MoveShift(rep, 780, 1140)])
    assert refused.value.limit == "rest"
    change_centre(tired, [MoveShift(rep, 810, 1140)])
    assert day.staff is not None
    few = replace(day, staff=day.staff.with_columns(hours_per_week=pl.lit(6.0)))
    with pytest.raises(RefusedChangeError, match=r"6\.5 h in the week") as refused:
        change_centre(few, [MoveShift(rep, 540, 540 + 390)])
    assert refused.value.limit == "weekly hours"
    late = replace(day, params=replace(PARAMS, patterns=(replace(EIGHT, starts=(600, 660, 30)),)))
    with pytest.raises(RefusedChangeError, match="begins from 10:00 to 11:00") as refused:
        change_centre(late, [MoveShift(rep, 540, 1020)])
    assert refused.value.limit == "start of shifts"
    with pytest.raises(NotFoundError, match="nobody called 'X'"):
        change_centre(day, [MoveShift("X", start, end)])


def test_calls_that_lose_their_agent_find_another_moment_or_are_named() -> None:
    day, _ = on_calls()
    require_sound(day, change_centre(day, []))
    rng = np.random.default_rng(3)
    moved = 0
    for _ in range(12):
        rep = str(rng.choice(["C0", "C1"]))
        start = int(rng.choice([540, 600, 660, 750]))
        changed = change_centre(day, [MoveShift(rep, start, start + int(rng.choice([240, 360, 390])))])
        require_sound(day, changed)
        same = set(changed.calls.join(day.calls, on=["account_id", "rep_id", "start_at"])["account_id"])
        moved += changed.calls.height - len(same)
        # the other one's calls stand
        others = day.calls.filter(pl.col("rep_id") != rep)
        assert set(others["account_id"]) <= same
        assert changed.difference.value_eur == pytest.approx(
            changed.calls["value_eur"].sum() - day.calls["value_eur"].sum()
        )
    assert moved > 0


def test_a_pinned_call_keeps_a_shift_from_moving_away() -> None:
    day, _ = on_calls()
    last = day.calls.sort("start_at").row(-1, named=True)
    rep, account = last["rep_id"], last["account_id"]
    start, end = minutes(day)[rep]
    change_centre(day, [MoveShift(rep, start, end - 120)])
    with pytest.raises(RefusedChangeError, match=f"the call of {account}") as refused:
        change_centre(day, [PinCall(account), MoveShift(rep, start, end - 120)])
    assert refused.value.limit == "pinned call"


def test_a_call_is_moved_to_an_agent_and_moment_within_shift_breaks_and_calling_hours() -> None:
    day, _ = on_calls()
    row = day.calls.filter(pl.col("account_id").str.tail(1).cast(pl.Int64) % 2 == 0).row(0, named=True)
    account, rep = row["account_id"], row["rep_id"]
    other = next(name for name in day.planned_shifts if name != rep)
    with pytest.raises(
        RefusedChangeError, match="may be called 12:00–14:00, 16:00–18:00, not at 11:00"
    ) as refused:
        change_centre(day, [MoveCall(account, rep, 660)])
    assert refused.value.limit == "calling hours"
    shift = day.planned_shifts[other]
    odd = next(name for name in day.calls["account_id"] if int(name[1:]) % 2)
    pause = shift.breaks[0][0]
    with pytest.raises(RefusedChangeError, match="has a break") as refused:
        change_centre(day, [LeaveOutCall(account), MoveCall(odd, other, pause + 5)])
    taken = day.calls.filter(pl.col("rep_id") == other, pl.col("start_at").dt.hour() >= 14).row(0, named=True)
    begin = day.minute(taken["start_at"])
    with pytest.raises(RefusedChangeError, match=f"calls {taken['account_id']} at") as refused:
        change_centre(day, [MoveCall(account, other, begin + 3)])
    assert refused.value.limit == "another call"
    # once that one is left out there is room
    changed = change_centre(day, [LeaveOutCall(taken["account_id"]), MoveCall(account, other, begin)])
    require_sound(day, changed)
    placed = changed.calls.filter(pl.col("account_id") == account).row(0, named=True)
    assert (placed["rep_id"], day.minute(placed["start_at"])) == (other, begin)
    assert changed.pinned == {account}
    assert changed.difference.calls == -1
    assert changed.unplaced.filter(pl.col("account_id") == taken["account_id"])["limit"].item() == "left out"
    # and for somebody who had no call; for one more there is none
    waiting = next(name for name in day.unplaced["account_id"] if int(name[1:]) % 2)
    added = change_centre(day, [LeaveOutCall(taken["account_id"]), MoveCall(waiting, other, begin)])
    require_sound(day, added)
    assert added.difference.calls == 0
    with pytest.raises(NotFoundError, match="not on the call list"):
        change_centre(day, [MoveCall("nobody", other, begin)])


def test_who_lays_aside_the_line_for_a_call_is_missing_there() -> None:
    day, _ = planned(staff((540, 1140), (540, 1140)), calls=4, inbound=8.0)
    line = day.work.filter(pl.col("channel") == "inbound_cc", pl.col("start_at").dt.hour().is_between(16, 17))
    rep, at = line.select("rep_id", "start_at").row(0)
    waiting = next(iter(day.may_call))
    changed = change_centre(day, [MoveCall(waiting, rep, day.minute(at))])
    here = pl.col("start_at") == at, pl.col("channel") == "inbound_cc"
    before, after = (frame.filter(*here)["scheduled"].item() for frame in (day.levels, changed.levels))
    assert after == before - 1
    assert changed.difference.service_level is not None
    assert changed.difference.service_level < 0


def test_what_is_refused_is_said_in_the_language_of_who_reads_it() -> None:
    line, calls = on_the_line()[0], on_calls()[0]
    rep, (start, end) = min(minutes(line).items())
    account, begin, mine = calls.calls.select("account_id", "start_at", "rep_id").row(0)
    other = next(name for name in calls.planned_shifts if name != mine)
    few = replace(line, staff=staff(*[(0, 1440)] * 6, hours_per_week=[1.0] * 6))
    said = [
        (line, [MoveShift(rep, 480, 900)]), (line, [MoveShift(rep, 540, 1140)]),
        (few, [MoveShift(rep, start, end - 60)]), (calls, [MoveCall(account, mine, 1079)]),
        (calls, [PinCall(account), MoveShift(mine, 720, 960)]), (calls, [LeaveOutCall("X")]),
        (calls, [MoveCall(account, other, calls.minute(begin))]),
    ]  # fmt: skip
    spanish = set()
    for day, changes in said:
        with pytest.raises(RefusedChangeError) as refused:
            change_centre(day, changes)
        shown = SimpleNamespace(of_run=SimpleNamespace(names={}, people={}, centre=day))
        text = reason_text(format_of("es"), refused.value.reason, shown)  # type: ignore[arg-type]
        assert text != refused.value.reason
        assert "%" not in text
        assert limit_text(format_of("es"), refused.value.limit) != refused.value.limit
        spanish.add(text)
    assert len(spanish) == len(said)
