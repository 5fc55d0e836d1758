"""The days without value: values do not matter, rules do, and nothing shorter does as much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.routing import (
    DistanceBaseline,
    DistanceBaselineParams,
    RouteParams,
    find_visitable,
    plan_distance_baseline,
)
from dealwright.plan.travel import EstimatedTravel, TravelTable
from dealwright.schemas import VISIT_COLUMNS


@dataclass
class Company:
    """Accounts around one home; `worth` is what a visit brings, None where none is permitted."""

    places: Sequence[tuple[float, float]]  # km to the east and to the north
    worth: Sequence[float | None]
    planned: Sequence[int] = ()  # accounts that channel sends somebody to
    control: Sequence[int] = ()
    most: int = 3

    def plan(self, params: DistanceBaselineParams | None = None, **kwargs: Any) -> DistanceBaseline:
        n = len(self.places)
        ids = pl.Series([f"A{k}" for k in range(n)], dtype=pl.String)
        accounts = pl.DataFrame(
            {
                "account_id": ids,
                "lat_deg": [41.0 + north / 111.2 for _, north in self.places],
                "lon_deg": [2.0 + east / 83.9 for east, _ in self.places],
                "rep_id": ["R1"] * n,
            }
        )
        reps = pl.DataFrame(
            {
                "rep_id": ["R1"], "home_lat_deg": [41.0], "home_lon_deg": [2.0],
                "shift_start_min": [540], "shift_end_min": [1020], "visits_per_day": [self.most],
            }
        )  # fmt: skip
        options = pl.DataFrame(
            {
                "account_id": ids,
                "visit/field": pl.Series(self.worth, dtype=pl.Float64),
                "call/outbound_cc": [50.0] * n,
            }
        )
        actions = pl.DataFrame({"account_id": ids, "control": [k in self.control for k in range(n)]})
        channels = pl.DataFrame(
            {
                "channel": ["field" if k in self.planned else "outbound_cc" for k in range(n)],
                "expected_value_eur": [7.0] * n,
            }
        )
        return plan_distance_baseline(
            accounts, reps, params, decisions=find_visitable(actions, options, channels),
            as_of=datetime(2026, 6, 29), rng=np.random.default_rng(1), **kwargs,
        )  # fmt: skip


def visited(result: DistanceBaseline) -> list[str]:
    return result.visits["account_id"].to_list()


def test_the_nearest_are_visited_whatever_they_are_worth() -> None:
    places = [(1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (30.0, 0.0)]
    result = Company(places, [1.0, -5.0, 0.0, 900.0]).plan()
    assert sorted(visited(result)) == ["A0", "A1", "A2"]
    assert dict(result.visits.schema) == VISIT_COLUMNS
    # a visit that costs more than it brings counts as nothing, not as a loss
    assert result.summary()["visit_value_eur"] == pytest.approx(1.0)
    assert result.summary()["visits_that_pay"] == 1
    assert result.frame["account_id"].to_list() == ["A0", "A1", "A2", "A3"]
    assert result.frame["distance_only_stop"].null_count() == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-100, 5000), min_size=8, max_size=8))
def test_values_change_no_way(worth: list[float]) -> None:
    places = [(3.0 * (k % 3), 4.0 * (k // 3)) for k in range(8)]
    one, other = Company(places, [10.0] * 8).plan(), Company(places, worth).plan()
    assert visited(one) == visited(other)
    assert one.days["distance_km"].equals(other.days["distance_km"])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=3, max_size=6, unique=True),
)
def test_no_shorter_way_makes_as_many_visits(places: list[tuple[float, float]]) -> None:
    company = Company(places, [1.0] * len(places))
    result = company.plan()
    assert result.visits.height == 3  # eight hours are enough for three visits within 30 km
    lat = np.array([41.0] + [41.0 + north / 111.2 for _, north in places])
    lon = np.array([2.0] + [2.0 + east / 83.9 for east, _ in places])
    km = EstimatedTravel().table(lat, lon).km
    ways = permutations(range(1, len(places) + 1), 3)
    best = min(sum(km[a, b] for a, b in pairwise((0, *way, 0))) for way in ways)
    assert result.days["distance_km"][0] == pytest.approx(best, abs=1e-6)


def test_who_may_not_be_visited_is_not_and_who_is_planned_to_be_may_be() -> None:
    places = [(1.0, 0.0), (1.5, 0.0), (2.0, 0.0), (2.5, 0.0)]
    company = Company(places, [5.0, None, 5.0, None], planned=[3], control=[0], most=9)
    result = company.plan()
    assert sorted(visited(result)) == ["A2", "A3"]
    # the plan's own visit counts with what the plan expects of it
    assert result.visits.filter(account_id="A3")["value_eur"].to_list() == [7.0]


def test_promised_visits_are_made_here_too() -> None:
    promises = pl.DataFrame({"account_id": ["A3"], "must": [True]})
    places = [(1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (30.0, 0.0)]
    far = Company(places, [1.0] * 4).plan(DistanceBaselineParams(max_candidates=2), promises=promises)
    assert sorted(visited(far)) == ["A0", "A3"]


def test_a_place_without_a_road_is_left_out() -> None:
    class Island:
        def table(self, lat_deg: Any, lon_deg: Any) -> TravelTable:
            table = EstimatedTravel().table(lat_deg, lon_deg)
            alone = np.arange(lat_deg.size) == 0
            return TravelTable(table.minutes, table.km, alone, "map")

    result = Company([(1.0, 0.0), (2.0, 0.0)], [1.0, 1.0]).plan(travel=Island())
    assert visited(result) == ["A1"]


def test_it_says_why_there_is_nothing_to_compare_with() -> None:
    company = Company([(1.0, 0.0)], [1.0])
    result = company.plan(DistanceBaselineParams(most_reps=0))
    assert result.visits.is_empty()
    assert dict(result.visits.schema) == VISIT_COLUMNS
    assert "at most 0 representatives (distance_only.most_reps), there are 1" in str(
        result.summary()["notes"]
    )
    assert result.frame["distance_only_stop"].null_count() == 1
    with pytest.raises(InputError, match="iterations = 0: use 1 or more"):
        DistanceBaselineParams(iterations=0)


def test_several_days_visit_nobody_twice() -> None:
    company = Company([(float(k), 0.0) for k in range(1, 8)], [1.0] * 7)
    result = company.plan(route=RouteParams(days=2))
    assert sorted(visited(result)) == [f"A{k}" for k in range(6)]
    assert result.days["stops"].to_list() == [3, 3]


def test_who_may_be_visited_where_no_action_is_a_visit() -> None:
    ids = pl.DataFrame({"account_id": ["A", "B"]})
    actions = ids.with_columns(control=pl.Series([False, False]))
    channels = pl.DataFrame({"channel": ["field", None], "expected_value_eur": [7.0, 0.0]})
    found = find_visitable(actions, ids.with_columns(pl.lit(3.0).alias("call/outbound_cc")), channels)
    assert found.rows() == [("A", "field", 7.0), ("B", None, 0.0)]
    visits = ids.with_columns(
        pl.Series("call/field", [2.0, None], dtype=pl.Float32), pl.Series("visit/field", [1.0, 4.0])
    )
    nobody = channels.with_columns(channel=pl.lit(None, pl.String))
    assert find_visitable(actions, visits, nobody)["expected_value_eur"].to_list() == [2.0, 4.0]
