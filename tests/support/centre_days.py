"""Days of a contact centre that the stage itself planned, to be changed, and what holds of each."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from dealwright.plan.actions.catalogue_file import default_catalogue
from dealwright.plan.staffing import Schedule, ScheduleParams, ShiftPattern, schedule
from dealwright.plan.staffing.centre_day import CentreDay
from dealwright.plan.staffing.changes import ChangedCentre

AS_OF, DAY = datetime(2026, 6, 30, 18), date(2026, 7, 1)
EIGHT = ShiftPattern("eight", 480, break_windows=((120, 120), (300, 300)))
PARAMS = ScheduleParams(interval_min=30, runs=20, forecast_days=0, patterns=(EIGHT,))
HANDLE_MIN = PARAMS.work_of("outbound_cc").handle_min


def staff(*hours: tuple[int, int], **more: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "rep_id": [f"C{k}" for k in range(len(hours))],
            "from_min": [first for first, _ in hours], "to_min": [last for _, last in hours],
            **more,
        }
    )  # fmt: skip


def planned(
    people: pl.DataFrame | None, calls: int = 0, inbound: float = 0.0, params: ScheduleParams = PARAMS
) -> tuple[CentreDay, Schedule]:
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k:03d}" for k in range(max(calls, 1))],
            "channel": ["outbound_cc" if calls else None] * max(calls, 1),
            "expected_value_eur": [float(200 - k) for k in range(max(calls, 1))],
            "opens_min": [540 if k % 2 else 720 for k in range(max(calls, 1))],
            "closes_min": [1140 if k % 2 else 1080 for k in range(max(calls, 1))],
        },
        schema_overrides={"channel": pl.String},
    )
    hours = range(params.opens_min, params.ends_min, 60)
    arrivals = pl.DataFrame({"channel": "inbound_cc", "start_min": list(hours), "contacts": inbound})
    found = schedule(
        accounts, None, params, as_of=AS_OF, staff=people, arrivals=arrivals if inbound else None
    )
    return day_of(found, people, params, {"outbound_cc": float(calls)}), found


def day_of(
    found: Schedule, people: pl.DataFrame | None, params: ScheduleParams, own: dict[str, float]
) -> CentreDay:
    on = pl.col("day") == DAY
    return CentreDay(
        DAY, found.shifts.filter(on), found.calls.filter(pl.col("start_at").dt.date() == DAY),
        found.levels.filter(on), found.work.filter(on), found.call_windows.filter(on), params,
        default_catalogue().time_zone, found.unplaced, found.shifts.filter(~on), people, own,
    )  # fmt: skip


def minutes(day: CentreDay) -> dict[str, tuple[int, int]]:
    return {rep: (shift.start_min, shift.end_min) for rep, shift in day.planned_shifts.items()}


def require_sound(day: CentreDay, changed: ChangedCentre) -> None:
    """Check what holds of every call list."""
    shifts = {row["rep_id"]: row for row in changed.shifts.iter_rows(named=True)}
    for (rep,), calls in changed.calls.sort("start_at").group_by("rep_id", maintain_order=True):
        shift = shifts[str(rep)]
        starts = calls["start_at"].to_list()
        assert all(b - a >= timedelta(minutes=HANDLE_MIN) for a, b in pairwise(starts))
        # as the stage has it, the last call before a pause may reach into it; one that was moved does not
        planned = day.calls.filter(pl.col("rep_id") == rep)["start_at"].to_list()
        for at in starts:
            assert shift["start_at"] <= at < shift["end_at"]
            if at in planned:
                continue
            assert at + timedelta(minutes=HANDLE_MIN) <= shift["end_at"]
            for pause in shift["breaks"]:
                assert at + timedelta(minutes=HANDLE_MIN) <= pause or at >= pause + timedelta(minutes=15)
    for account, at in changed.calls.select("account_id", "start_at").rows():
        assert any(first <= day.minute(at) < last for first, last in day.may_call[account])
    everybody = [*changed.calls["account_id"], *changed.unplaced["account_id"]]
    assert sorted(everybody) == sorted([*day.calls["account_id"], *day.unplaced["account_id"]])
