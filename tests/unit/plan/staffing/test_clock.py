"""Days on which clocks change: paid minutes, shifts, and whose clock shows what."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from dealwright.plan.actions.catalogue_file import parse_catalogue
from dealwright.plan.staffing import ScheduleParams, schedule
from dealwright.plan.staffing.clock import elapsed_min, on_clock_of, shifts_of_day, skipped_intervals
from dealwright.plan.staffing.patterns import Shift, expand_patterns

SPRING, AUTUMN, OTHER = date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)
MADRID = "Europe/Madrid"
CALL = """
[channels.outbound_cc]
cost_eur = 1.0
quiet_hours = ["20:00-09:00"]
quiet_days = []

[actions.call]
channels = ["outbound_cc"]
value = "100"
lever = 1.0
prior_response = 0.3
prior_uplift = 0.1
"""
DAY_AND_NIGHT = ScheduleParams(opens_min=0, closes_min=1440, weekdays=tuple(range(7)))


@pytest.mark.parametrize(
    ("day", "start", "end", "zone", "minutes"),
    [
        (SPRING, 0, 240, MADRID, 180),
        (AUTUMN, 0, 240, MADRID, 300),
        (OTHER, 0, 240, MADRID, 240),
        (SPRING, 180, 420, MADRID, 240),
        (AUTUMN, 180, 420, MADRID, 240),
        (SPRING, 0, 240, "UTC", 240),
        (date(2026, 4, 5), 0, 240, "Australia/Lord_Howe", 270),  # clocks go back by half an hour
    ],
)
def test_an_hour_that_is_not_there_is_not_counted(
    day: date, start: int, end: int, zone: str, minutes: int
) -> None:
    assert elapsed_min(day, start, end, zone) == minutes


def test_intervals_that_are_not_there() -> None:
    assert np.flatnonzero(skipped_intervals(SPRING, DAY_AND_NIGHT, MADRID)).tolist() == [8, 9, 10, 11]
    assert not skipped_intervals(AUTUMN, DAY_AND_NIGHT, MADRID).any()
    assert not skipped_intervals(OTHER, DAY_AND_NIGHT, MADRID).any()
    # in Cairo clocks go forward at midnight
    cairo = skipped_intervals(date(2026, 4, 24), DAY_AND_NIGHT, "Africa/Cairo")
    assert np.flatnonzero(cairo).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("day", "start", "end", "pause", "fine"),
    [
        (SPRING, 0, 240, None, True),
        (SPRING, 120, 360, None, False),  # begins in the hour that is skipped
        (SPRING, 180, 420, None, True),
        (SPRING, 0, 120, None, True),
        (SPRING, 0, 150, None, False),
        (SPRING, 0, 300, (150, 180), False),  # its pause would be of no length
        (SPRING, 0, 300, (180, 210), True),
        (AUTUMN, 120, 360, None, True),  # begins with the first of the two hours
        (AUTUMN, 150, 390, None, False),
        (AUTUMN, 0, 180, None, True),
        (AUTUMN, 0, 300, (105, 135), False),
        (OTHER, 150, 390, (160, 170), True),
    ],
)
def test_no_shift_begins_ends_or_pauses_in_the_hour_of_the_change(
    day: date, start: int, end: int, pause: tuple[int, int] | None, fine: bool
) -> None:
    shift = Shift("any", start, end, end - start, None, (pause,) if pause else ())
    _, usable = shifts_of_day(day, [shift], MADRID)
    assert usable == ((0,) if fine else ())


@pytest.mark.parametrize("day", [SPRING, AUTUMN, OTHER])
def test_every_shift_is_paid_for_the_minutes_that_pass(day: date) -> None:
    arrivals = pl.DataFrame(
        {"channel": "inbound_cc", "start_min": [60 * hour for hour in range(24)], "contacts": 3.0}
    )
    params = ScheduleParams(
        opens_min=0, closes_min=1440, weekdays=tuple(range(7)), first_day=datetime.combine(day, time()),
        interval_min=30, runs=5, forecast_days=0, max_seconds=5.0,
    )  # fmt: skip
    catalogue = parse_catalogue('time_zone = "Europe/Madrid"\n' + CALL, "a test")
    nobody = pl.DataFrame(
        {"account_id": ["A"], "channel": [None], "expected_value_eur": [None]},
        schema_overrides={"channel": pl.String, "expected_value_eur": pl.Float64},
    )
    found = schedule(nobody, None, params, arrivals=arrivals, catalogue=catalogue)
    zone = ZoneInfo(MADRID)
    assert found.shifts.height
    for row in found.shifts.iter_rows(named=True):
        lunch = (row["lunch_end_at"] - row["lunch_start_at"]).seconds // 60 if row["lunch_start_at"] else 0
        begin, end = (row[name].replace(tzinfo=zone).timestamp() for name in ("start_at", "end_at"))
        assert row["paid_min"] == (end - begin) / 60 - lunch
    assert found.shortage_h == 0
    if day == SPRING:
        skipped = found.levels.filter(
            pl.col("start_at") >= datetime(2026, 3, 29, 2), pl.col("start_at") < datetime(2026, 3, 29, 3)
        )
        assert skipped.height
        assert skipped["contacts"].sum() == 0
        assert skipped["scheduled"].sum() == 0


@pytest.mark.parametrize(
    ("moment", "tokyo"),
    [
        (datetime(2026, 10, 25, 1, 45), datetime(2026, 10, 25, 8, 45)),  # an hour before the change in Madrid
        (datetime(2026, 10, 25, 4), datetime(2026, 10, 25, 12)),
        (datetime(2026, 10, 25, 12), datetime(2026, 10, 25, 20)),
    ],
)
def test_the_clock_of_another_zone_is_read_at_that_moment(moment: datetime, tokyo: datetime) -> None:
    assert on_clock_of(moment, MADRID, "Asia/Tokyo") == tokyo


@pytest.mark.parametrize(
    ("zone", "interval_min"),
    [("Asia/Tokyo", 15), ("Asia/Kathmandu", 30), ("America/New_York", 30), (MADRID, 15)],
)
@pytest.mark.parametrize("day", [SPRING, AUTUMN, date(2026, 11, 1)])
def test_no_call_is_made_in_quiet_hours_of_the_customer(day: date, zone: str, interval_min: int) -> None:
    catalogue = parse_catalogue('time_zone = "Europe/Madrid"\n' + CALL, "a test")
    params = ScheduleParams(
        opens_min=0, closes_min=1440, weekdays=tuple(range(7)), first_day=datetime.combine(day, time()),
        interval_min=interval_min, runs=1, forecast_days=0, max_seconds=5.0,
    )  # fmt: skip
    accounts = pl.DataFrame(
        {
            "account_id": [f"K{k:02d}" for k in range(40)],
            "time_zone": [zone] * 40,
            "channel": ["outbound_cc"] * 40,
            "expected_value_eur": [10.0] * 40,
        }
    )
    calls = schedule(accounts, None, params, catalogue=catalogue).calls
    assert calls.height
    for start, local in calls.select("start_at", "local_start_at").iter_rows():
        there = start.replace(tzinfo=ZoneInfo(MADRID)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert local == there
        assert 9 <= there.hour < 20


def test_patterns_keep_their_families_on_a_day_of_change() -> None:
    shifts = expand_patterns(DAY_AND_NIGHT)
    on_day, usable = shifts_of_day(SPRING, shifts, MADRID)
    assert 0 < len(usable) < len(shifts)
    assert {on_day[k].paid_min - shifts[k].paid_min for k in usable} == {0, -60}
