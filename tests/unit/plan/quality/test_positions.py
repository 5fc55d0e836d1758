"""Positions that cannot be right: what is emptied, what is only pointed out, and what is left alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.quality.positions import judge_positions
from dealwright.plan.travel import great_circle_km
from dealwright.schemas import Issue

HOMES = pl.DataFrame({"rep_id": ["R"], "home_lat_deg": [41.4], "home_lon_deg": [2.17]})
LAND = shapely.box(1.5, 41.0, 2.4, 42.0)


def accounts(places: list[tuple[float | None, float | None]]) -> pl.DataFrame:
    lat, lon = zip(*places, strict=True)
    return pl.DataFrame(
        {"account_id": [f"A{k}" for k in range(len(places))], "lat_deg": lat, "lon_deg": lon},
        schema_overrides={"lat_deg": pl.Float64, "lon_deg": pl.Float64},
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(36, 43), st.floats(-8, 3)), min_size=2, max_size=12))
def test_what_is_alone_is_found_as_by_measuring_every_pair(places: list[tuple[float, float]]) -> None:
    found = judge_positions(accounts(places), None, [], isolated_km=50.0)
    lat, lon = np.array(places).T
    km = great_circle_km(lat, lon, lat, lon)
    np.fill_diagonal(km, np.inf)
    nearest = km.min(axis=1)
    for note, away in zip(found["position_note"], nearest, strict=True):
        if abs(away - 50.0) > 3.0:  # positions are told apart to about a kilometre
            assert (note is not None) == (away > 50.0)
    assert found["lat_deg"].to_list() == lat.tolist()  # it is only pointed out


def test_certain_mistakes_lose_their_position_and_say_why() -> None:
    issues: list[Issue] = []
    places = [(41.4, 2.1), (41.5, 2.2), (0.0, 0.0), (2.17, 41.4), (None, None), (41.2, 2.7), (41.2, 2.405)]
    found = judge_positions(accounts(places), HOMES, issues, isolated_km=80.0, land=LAND)
    assert found["position_note"].to_list() == [
        None, None, "its position 0, 0 is in the Atlantic", "its latitude and longitude look swapped", None,
        "its position is not on land: is it in the sea?", None,
    ]  # fmt: skip
    assert found["lat_deg"].to_list() == [41.4, 41.5, None, None, None, None, 41.2]
    assert [(issue.rows, issue.level) for issue in issues] == [(1, "warning")] * 4
    assert issues[0].message == "no position: cannot be visited (A4)"


def test_columns_that_are_swapped_are_refused_and_a_company_where_both_are_alike_is_left_alone() -> None:
    with pytest.raises(InputError, match=r"look swapped in 2 of 2 positions .* in the schema file"):
        judge_positions(accounts([(2.1, 41.4), (2.2, 41.5)]), HOMES, [], isolated_km=50.0)
    issues: list[Issue] = []
    judge_positions(accounts([(40.0, 40.1), (40.2, 40.0)]), None, issues, isolated_km=50.0)
    assert issues == []


@pytest.mark.parametrize(("missing", "names"), [(1, "A1"), (3, "A1, A2, A3"), (4, "A1, A2, A3, …")])
def test_the_first_three_are_named(missing: int, names: str) -> None:
    issues: list[Issue] = []
    judge_positions(accounts([(41.4, 2.1), *[(None, None)] * missing]), HOMES, issues, isolated_km=50.0)
    assert [(issue.message, issue.rows) for issue in issues] == [
        (f"no position: cannot be visited ({names})", missing)
    ]


@pytest.mark.parametrize(("km", "alone"), [(49.9, False), (50.1, True)])
@pytest.mark.parametrize("of_home", [False, True])
def test_alone_is_who_is_further_than_the_limit_from_everybody_and_every_home(
    km: float, alone: bool, of_home: bool
) -> None:
    north = 41.4 + km / 111.195
    homes = HOMES if of_home else None
    places = [(north, 2.17)] if of_home else [(41.4, 2.17), (north, 2.17)]
    found = judge_positions(accounts(places), homes, [], isolated_km=50.0)
    note = "its position is 50 km from any other account or home" if alone else None
    assert found["position_note"].to_list() == [note] * len(places)
    # one account without any home, and nobody at all, have nothing to be far from
    for few in ([(41.4, 2.17)], [(None, None)]):
        assert judge_positions(accounts(few), None, [], isolated_km=50.0)["position_note"].to_list() == [None]


def test_swapped_is_what_is_far_from_the_company_and_near_it_the_other_way_round() -> None:
    """Far is more than 500 km, near is less than 100; half of the rows may be swapped, more are refused."""
    near, wide = (2.17 + 1.15, 41.4), (2.17 + 1.25, 41.4)
    found = judge_positions(accounts([near, wide, *[(41.4, 2.17)] * 3]), HOMES, [], isolated_km=1e5)
    assert found["position_note"].to_list()[:2] == ["its latitude and longitude look swapped", None]
    half = judge_positions(accounts([(2.17, 41.4), (41.4, 2.17)]), HOMES, [], isolated_km=1e5)
    assert half["position_note"].to_list() == ["its latitude and longitude look swapped", None]
