"""Figures of a day that nothing else holds: waiting beside lunch, the limit of visits, what lateness adds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.plan.routing import RouteParams, Routes, route
from dealwright.plan.routing.week import _allowed, _due_days
from dealwright.schemas import AccountSchema

PARAMS = RouteParams(iterations=200, extra_hour=False)
SCHEMA = AccountSchema(has_position=True, roles={"opens_min": "opens_min", "closes_min": "closes_min"})
WEEK = np.arange(739_000, 739_005)


def plan(
    opens: list[float], params: RouteParams = PARAMS, *, first_closes: float = 1080.0, **shift: Any
) -> Routes:
    """Plan the day of somebody who lives in one street with some accounts."""
    n = len(opens)
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(n)], "lat_deg": [41.0] * n,
            "lon_deg": [2.0 + 0.001 * k for k in range(n)], "rep_id": ["R1"] * n,
            "expected_value_eur": [100.0 + k for k in range(n)], "opens_min": opens,
            "closes_min": [1080.0 if opens[k] > 600 else first_closes for k in range(n)],
        }
    )  # fmt: skip
    reps = pl.DataFrame({"rep_id": ["R1"], "home_lat_deg": [41.0], "home_lon_deg": [2.0], **shift})
    known = AccountSchema(has_position=True, roles={**SCHEMA.roles, "rep_id": "rep_id"})
    return route(accounts, reps, params, schema=known, as_of=datetime(2026, 6, 29))


@pytest.mark.parametrize(("lunch_min", "lunch"), [(45, 45), (0, 0)])
def test_waiting_is_what_is_left_of_the_day_without_lunch(lunch_min: int, lunch: int) -> None:
    params = replace(PARAMS, lunch_min=lunch_min)
    found = plan([540.0, 960.0], params, first_closes=600.0)
    day = found.days.row(0, named=True)
    assert day["stops"] == 2
    assert (day["lunch_at"] is not None) == bool(lunch)
    away = (day["back_at"] - day["depart_at"]).total_seconds() / 60
    assert day["wait_min"] == pytest.approx(away - day["travel_min"] - 2 * 30 - lunch, abs=0.1)
    assert day["wait_min"] > 300


@pytest.mark.parametrize("most", [0, 1, 2])
def test_nobody_makes_more_visits_than_a_day_may_have(most: int) -> None:
    found = plan([540.0] * 4, visits_per_day=[most])
    assert set(found.visits["account_id"]) == set(["A3", "A2"][:most])
    assert found.left_out.height == 4 - most
    assert set(found.left_out["limit"]) == {"visits a day"}


@pytest.mark.parametrize(
    ("late_days", "factor"), [(0, 1.0), (1, 1.1), (5, 1.5), (10, 2.0), (11, 2.0), (300, 2.0)]
)
def test_lateness_adds_value_up_to_a_whole_interval(late_days: int, factor: float) -> None:
    params = RouteParams(overdue_factor=2.0)
    days, found = _allowed(float(WEEK[0] - late_days), 10.0, WEEK, params)
    assert found == pytest.approx(factor)
    assert days.all() == (late_days > 0)


@pytest.mark.parametrize(
    ("every", "slack", "allowed"),
    [
        (7.0, 2, [True, True, True, True, True]), (7.0, 1, [False, True, True, True, False]),
        (3.0, 2, [False, True, True, True, False]), (1.0, 2, [False, False, True, False, False]),
        (None, 2, [True, True, True, False, False]),
    ],
)  # fmt: skip
def test_a_visit_is_made_about_when_it_is_due(every: float | None, slack: int, allowed: list[bool]) -> None:
    days, factor = _allowed(float(WEEK[2]), every, WEEK, RouteParams(due_slack_days=slack))
    assert days.tolist() == allowed
    assert factor == 1.0


def test_a_rhythm_goes_on_after_the_visit_that_makes_up_for_a_late_one() -> None:
    assert _due_days(2.0, None, None, WEEK) == [739_000.0, 739_002.0, 739_004.0]
    late = datetime.fromordinal(738_990).date()
    assert _due_days(2.0, late, None, WEEK) == [738_992.0, 739_002.0, 739_004.0]
    later = datetime.fromordinal(738_999).date()
    assert _due_days(4.0, later, None, WEEK) == [739_003.0]


def round_of(middle_lon: float, rep: dict[str, list[Any]] | None = None, **hours: list[float]) -> Routes:
    """Plan four visits around somebody who lives at a longitude."""
    near = [(-17.0, -0.05), (-17.0, 0.05), (-17.05, -0.01), (-16.95, 0.01)]
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(4)], "lat_deg": [lat for lat, _ in near],
            "lon_deg": [(middle_lon + lon + 180) % 360 - 180 for _, lon in near], "rep_id": ["R1"] * 4,
            "expected_value_eur": [100.0] * 4, **hours,
        }
    )  # fmt: skip
    home = {"rep_id": ["R1"], "home_lat_deg": [-17.0], "home_lon_deg": [middle_lon]}
    roles = {"rep_id": "rep_id", **({"opens_min": "opens", "closes_min": "closes"} if hours else {})}
    known = AccountSchema(has_position=True, roles=roles)
    return route(
        accounts, pl.DataFrame(home | (rep or {})), PARAMS, schema=known, as_of=datetime(2026, 6, 29)
    )


@pytest.mark.parametrize("lon", [180.0, -180.0, 179.98, -179.97])
def test_a_round_across_the_antimeridian_is_as_long_as_anywhere(lon: float) -> None:
    here, there = round_of(0.0).days, round_of(lon).days
    assert there["stops"].to_list() == [4]
    assert there["distance_km"][0] == pytest.approx(here["distance_km"][0], abs=0.01)
    assert there["travel_min"][0] == pytest.approx(here["travel_min"][0], abs=0.1)


@pytest.mark.parametrize(
    ("shift", "hours", "first", "last"),
    [
        ((960, 0), (1080.0, 120.0), 18, 21),  # until midnight, written as 0
        ((960, 1440), (1080.0, 120.0), 18, 21),
        ((240, 720), (180.0, 540.0), 4, 7),  # a bakery, in the early morning
        ((1320, 360), (1320.0, 300.0), 22, 25),  # past midnight
        ((1320, 360), (60.0, 300.0), 25, 28),  # opens only after midnight
        ((0, 360), (1320.0, 300.0), 0, 3),  # has been open since the evening before
    ],
)
def test_hours_and_shifts_past_midnight_meet(
    shift: tuple[int, int], hours: tuple[float, float], first: int, last: int
) -> None:
    rep = {"shift_start_min": [shift[0]], "shift_end_min": [shift[1]]}
    found = round_of(0.0, rep, opens=[hours[0]] * 4, closes=[hours[1]] * 4)
    starts = [(at - datetime(2026, 6, 30)).total_seconds() / 3600 for at in found.visits["start_at"].sort()]
    assert len(starts) == 4
    assert int(starts[0]) == first
    assert int(starts[-1]) in {last - 1, last}
