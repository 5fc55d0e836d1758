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
