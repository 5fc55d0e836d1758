"""The stage *territory*: balance, compactness, representatives, last month's territories, edge cases."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.territories import Territories, TerritoryParams, draw_territories
from dealwright.plan.territories.balance import assign_cells, share_out
from dealwright.plan.territories.cells import Plane, gather
from dealwright.plan.travel import TravelParams, drive_min
from dealwright.schemas import TERRITORY_COLUMNS, AccountSchema, PlanInputs

SCHEMA = AccountSchema(has_position=True, roles={"visit_min": "visit_min"})


def company(accounts: int, reps: int, seed: int = 1, *, own: bool = False) -> PlanInputs:
    """Draw three towns of different size."""
    rng = np.random.default_rng(seed)
    towns = np.array([[41.4, 2.15], [41.55, 2.1], [41.6, 2.3]])
    town = rng.choice(3, accounts, p=[0.6, 0.3, 0.1])
    at = towns[town] + rng.normal(0, 0.03, (accounts, 2))
    homes = towns[rng.choice(3, reps)] + rng.normal(0, 0.05, (reps, 2))
    frame = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(accounts)],
            "lat_deg": pl.Series(at[:, 0], dtype=pl.Float64),
            "lon_deg": pl.Series(at[:, 1], dtype=pl.Float64),
            "visit_min": pl.Series(rng.choice([20.0, 30.0, 60.0], accounts), dtype=pl.Float64),
            "rep": pl.Series([f"R{k}" for k in rng.integers(0, max(reps, 1), accounts)], dtype=pl.String),
        }
    )
    schema = SCHEMA if not own else AccountSchema(has_position=True, roles={**SCHEMA.roles, "rep_id": "rep"})
    return PlanInputs(frame, schema, datetime(2026, 6, 30), reps=rep_frame(homes))


def rep_frame(homes: np.ndarray, skills: list[list[str]] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "rep_id": pl.Series([f"R{k}" for k in range(len(homes))], dtype=pl.String),
            "home_lat_deg": pl.Series(homes[:, 0], dtype=pl.Float64),
            "home_lon_deg": pl.Series(homes[:, 1], dtype=pl.Float64),
        }
    )
    return frame if skills is None else frame.with_columns(pl.Series("skills", skills))


def draw(inputs: PlanInputs, params: TerritoryParams | None = None, **kwargs: Any) -> Territories:
    return draw_territories(inputs.accounts, inputs.reps, params, schema=inputs.schema, **kwargs)


def test_territories_are_balanced_compact_and_staffed() -> None:
    inputs = company(2_000, 8)
    result = draw(inputs)
    assert tuple(result.frame.columns) == tuple(TERRITORY_COLUMNS)
    assert result.frame["account_id"].equals(inputs.accounts["account_id"])
    figures = result.summary()
    assert figures["max_deviation_pct"] < 1
    assert figures["without_rep"] == 0
    assert figures["contiguity"] > 0.9
    assert 0.2 < figures["polsby_popper"] <= 1
    load = result.frame.group_by("territory").agg(pl.col("workload_min").sum()).sort("territory")
    assert load["workload_min"].to_list() == pytest.approx(result.territories["workload_min"].to_list())
    assert result.territories["rep_id"].n_unique() == 8
    # closer than dealing the accounts out at random
    km = Plane(41.45, 2.15).project(*inputs.accounts.select("lat_deg", "lon_deg").to_numpy().T)
    assert figures["mean_distance_km"] < 0.7 * np.hypot(*(km - km.mean(axis=0)).T).mean()


def test_outlines_hold_the_accounts() -> None:
    inputs = company(500, 3)
    result = draw(inputs)
    outline = {
        name: shapely.from_wkt(text) for name, text in result.territories["territory", "outline"].iter_rows()
    }
    inside = [
        outline[name].buffer(0.02).contains(shapely.Point(lon, lat))
        for name, lat, lon in zip(
            result.frame["territory"], inputs.accounts["lat_deg"], inputs.accounts["lon_deg"], strict=True
        )
    ]
    assert np.mean(inside) > 0.95


def test_a_notebook_shows_the_outlines_with_north_up() -> None:
    nowhere = "MULTIPOLYGON (((2 41, 3 41, 3 43, 2 41)), ((5 41, 5 42, 6 42, 5 41)))"
    result = draw(company(60, 2))
    table = result.territories.head(1).with_columns(territory=pl.lit("<T>"), outline=pl.lit(nowhere))
    html = replace(result, territories=table)._repr_html_()
    rings = re.findall(r'points="([^"]+)"', html)
    first = [tuple(map(float, at.split(","))) for at in rings[0].split()]
    assert len(rings) == 2
    assert first[2][1] < first[1][1]  # 43 degrees north above 41
    assert first[1][0] == first[2][0]  # both at 3 degrees east
    assert "&lt;T&gt;" in html
    assert draw(company(60, 2))._repr_html_().count("<polyline") >= 2


def test_the_same_inputs_give_the_same_territories() -> None:
    inputs = company(600, 4)
    assert draw(inputs).frame.equals(draw(inputs).frame)


def test_tolerance_trades_balance_for_distance() -> None:
    result = draw(company(1_500, 6))
    curve = result.curve
    assert (curve["max_deviation_pct"] <= 100 * curve["tolerance"] + 0.5).all()
    assert curve["mean_distance_km"].is_sorted(descending=True)
    loose = draw(company(1_500, 6), TerritoryParams(tolerance=0.3)).summary()
    tight = result.summary()
    assert loose["max_deviation_pct"] <= 31
    assert loose["mean_distance_km"] < tight["mean_distance_km"]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000), accounts=st.integers(1, 120), k=st.integers(1, 12),
    tolerance=st.sampled_from([0.0, 0.1, 0.5]),
)  # fmt: skip
def test_cells_are_shared_out_whole_and_balanced(seed: int, accounts: int, k: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(41, 42, accounts), rng.uniform(1, 3, accounts)
    workload = rng.uniform(10, 60, accounts)
    km = Plane.around(lat, lon).project(lat, lon)
    cells = gather(lat, lon, km, workload, resolution=6, territories=k)
    assert np.allclose(np.bincount(cells.of_account, workload), cells.weight)
    balance = assign_cells(cells, rng.uniform(-50, 50, (k, 2)), tolerance)
    assert np.allclose(balance.share.sum(axis=1), 1)
    load = np.bincount(balance.choice.ravel(), (balance.share * cells.weight[:, None]).ravel(), minlength=k)
    assert (np.abs(load / load.mean() - 1) <= tolerance + 1e-3).all()
    assert ((balance.share > 0).sum(axis=1) > 1).sum() <= k - 1
    label = share_out(cells, balance, km, workload)
    shared = np.bincount(label, workload, minlength=k)
    # an account is never cut: each split cell may be off by one account
    assert np.abs(shared - load).max() <= workload.max() * k


def test_representatives_live_near_their_territories() -> None:
    inputs = company(900, 3)
    homes = np.array([[41.60, 2.30], [41.40, 2.15], [41.55, 2.10]])
    result = draw(PlanInputs(inputs.accounts, SCHEMA, inputs.as_of, reps=rep_frame(homes)))
    at = {f"R{k}": home for k, home in enumerate(homes)}
    apart = [
        np.hypot(lat - at[rep][0], lon - at[rep][1])
        for rep, lat, lon in result.territories["rep_id", "lat_deg", "lon_deg"].iter_rows()
    ]
    # no exchange of two would be shorter
    table = result.territories
    for i in range(3):
        for j in range(3):
            swapped = [*apart]
            for a, b in ((i, j), (j, i)):
                home = at[table["rep_id"][b]]
                swapped[a] = np.hypot(table["lat_deg"][a] - home[0], table["lon_deg"][a] - home[1])
            assert sum(swapped) >= sum(apart) - 0.02


def test_skills_decide_between_equal_homes() -> None:
    n = 40
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(n)],
            "lat_deg": [41.0] * 20 + [41.5] * 20,
            "lon_deg": [2.0] * n,
            "interest": ["core"] * 20 + ["premium"] * 20,
        }
    )
    schema = AccountSchema(has_position=True, roles={"product_interest": "interest"})
    reps = rep_frame(np.array([[41.25, 2.0], [41.25, 2.0]]), [["premium"], ["core"]])
    result = draw(PlanInputs(accounts, schema, datetime(2026, 6, 30), reps=reps))
    assert result.frame["rep_id"].to_list() == ["R1"] * 20 + ["R0"] * 20


def test_last_months_territories_are_kept_unless_a_change_pays() -> None:
    inputs = company(1_200, 5)
    first = draw(inputs)
    previous = first.frame.select("account_id", "territory")
    again = draw(inputs, previous=previous, rng=np.random.default_rng(99))
    assert again.decision.startswith("kept as they were")
    assert again.frame["territory"].equals(first.frame["territory"])
    # a third of the accounts in the first territory: far from balanced
    skewed = previous.with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0)
        .then(pl.lit("T001"))
        .otherwise("territory")
        .alias("territory")
    )
    assert not draw(inputs, previous=skewed).decision.startswith("kept as they were")
    dear = draw(inputs, TerritoryParams(move_eur=100_000), previous=skewed)
    assert dear.decision.startswith("kept as they were")


def test_new_accounts_join_the_nearest_of_last_months_territories() -> None:
    inputs = company(800, 4)
    first = draw(inputs)
    previous = first.frame.select("account_id", "territory").head(780)
    again = draw(inputs, TerritoryParams(move_eur=100_000), previous=previous)
    assert again.frame["territory"].null_count() == 0
    assert again.frame["territory"].head(780).equals(first.frame["territory"].head(780))


def test_own_representatives_count_as_last_months() -> None:
    inputs = company(600, 4, own=True)
    kept = draw(inputs, TerritoryParams(move_eur=1e6))
    assert kept.decision.startswith("kept as they were")
    assert kept.frame["rep_id"].equals(inputs.accounts["rep"].alias("rep_id"))
    assert kept.summary()["moved"] == 0


def test_value_can_be_part_of_the_workload() -> None:
    inputs = company(800, 4)
    value = np.random.default_rng(2).lognormal(5, 1, 800)
    predictions = pl.DataFrame({"account_id": inputs.accounts["account_id"], "predicted_value_eur": value})
    result = draw(inputs, TerritoryParams(value_weight=1.0), predictions=predictions)
    by_value = (
        result.frame.with_columns(value=pl.Series(value)).group_by("territory").agg(pl.col("value").sum())
    )
    assert (by_value["value"] / by_value["value"].mean() - 1).abs().max() < 0.1
    with pytest.raises(InputError, match="predict"):
        draw(inputs, TerritoryParams(value_weight=0.5))


def test_edge_cases() -> None:
    one = draw(company(1, 3))
    assert one.frame["rep_id"].null_count() == 0
    assert one.summary()["territories"] == 3
    nobody = draw(company(10, 0))
    assert nobody.frame["territory"].null_count() == 10
    assert "no representative" in nobody.notes[0]
    numbered = draw(company(10, 0), TerritoryParams(territories=2))
    assert numbered.frame["territory"].null_count() == 0
    assert numbered.summary()["without_rep"] == 2
    assert draw(company(0, 2)).summary()["accounts"] == 0
    more = draw(company(300, 3), TerritoryParams(territories=5))
    assert more.summary()["without_rep"] == 2


def test_identical_and_missing_positions() -> None:
    inputs = company(100, 4)
    same = inputs.accounts.with_columns(lat_deg=pl.lit(41.0), lon_deg=pl.lit(2.0), visit_min=pl.lit(30.0))
    result = draw(PlanInputs(same, SCHEMA, inputs.as_of, reps=inputs.reps))
    assert result.territories["accounts"].to_list() == [25] * 4
    missing = inputs.accounts.with_columns(
        lat_deg=pl.when(pl.int_range(pl.len()) < 5).then(None).otherwise("lat_deg")
    )
    result = draw(PlanInputs(missing, SCHEMA, inputs.as_of, reps=inputs.reps))
    assert result.frame["territory"].is_null().to_list() == [True] * 5 + [False] * 95
    assert "5 accounts without a position" in result.notes[0]


def test_positions_across_the_date_line() -> None:
    lat, lon = np.array([-17.0, -17.0]), np.array([179.9, -179.9])
    plane = Plane.around(lat, lon)
    km = plane.project(lat, lon)
    assert np.hypot(*(km[0] - km[1])) == pytest.approx(21.3, abs=0.2)
    assert np.allclose(plane.unproject(km)[1], lon)


@pytest.mark.parametrize(
    ("name", "value"),
    [("territories", 0), ("resolution", 15), ("tolerance", 1.0), ("value_weight", 2.0), ("move_eur", -1.0)],
)
def test_wrong_parameters_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} = {value}: use"):
        TerritoryParams(**{name: value})


@pytest.mark.parametrize("name", ["visits_column", "skill_column"])
def test_columns_that_the_accounts_do_not_have_are_named(name: str) -> None:
    with pytest.raises(InputError, match=rf"territory\.{name} names 'no'"):
        draw(company(20, 2), TerritoryParams(**{name: "no"}))


def test_wrong_previous_territories_are_refused() -> None:
    with pytest.raises(InputError, match="no column 'territory'"):
        draw(company(20, 2), previous=pl.DataFrame({"account_id": ["A0"]}))


def towns_in_a_row(
    sizes: tuple[int, ...], apart_km: float, seed: int = 3
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return towns along a line with accounts, and somebody who lives in the middle of each."""
    rng = np.random.default_rng(seed)
    east = np.arange(len(sizes)) * apart_km / 85.2
    town = np.repeat(np.arange(len(sizes)), sizes)
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k:03d}" for k in range(town.size)],
            "lat_deg": 40 + rng.normal(0, 0.015, town.size),
            "lon_deg": east[town] + rng.normal(0, 0.015, town.size),
            "town": town,
        }
    )
    return accounts, rep_frame(np.c_[np.full(len(sizes), 40.0), east])


@pytest.mark.parametrize("apart_km", [60.0, 120.0, 250.0])
@pytest.mark.parametrize("sizes", [(30, 10, 6, 14), (5, 25, 10), (40, 8, 8, 8, 16), (12, 12)])
def test_who_lives_in_a_town_has_its_accounts(sizes: tuple[int, ...], apart_km: float) -> None:
    accounts, reps = towns_in_a_row(sizes, apart_km)
    result = draw_territories(accounts, reps)
    assert result.territories["deviation_pct"].abs().max() < 10
    frame = result.frame.join(accounts, on="account_id")
    mean = sum(sizes) / len(sizes)
    for town, size in enumerate(sizes):
        theirs = frame.filter(pl.col("town") == town, pl.col("rep_id") == f"R{town}").height
        assert theirs >= min(size, mean) * 0.9


def test_nobody_is_sent_far_from_accounts_at_the_own_door() -> None:
    """Two people per town would do as well: nobody of eight drives to another town."""
    rng = np.random.default_rng(8)
    middles = np.array([[41.4, 2.15], [41.65, -0.9], [39.47, -0.38], [40.4, -3.7]])
    town = np.repeat(np.arange(4), 98)
    at = middles[town] + rng.normal(0, 0.05, (town.size, 2))
    accounts = pl.DataFrame(
        {"account_id": [f"A{k}" for k in range(town.size)], "lat_deg": at[:, 0], "lon_deg": at[:, 1]}
    )
    homes = np.repeat(middles, 2, axis=0) + rng.normal(0, 0.02, (8, 2))
    result = draw_territories(accounts, rep_frame(homes))
    assert result.territories["drive_min"].max() < 40
    assert result.territories["deviation_pct"].abs().max() < 3


def test_who_lives_in_one_place_has_compact_territories_too() -> None:
    rng = np.random.default_rng(2)
    at = np.array([41.4, 2.15]) + rng.uniform(-0.5, 0.5, (600, 2))
    accounts = pl.DataFrame(
        {"account_id": [f"A{k}" for k in range(600)], "lat_deg": at[:, 0], "lon_deg": at[:, 1]}
    )
    result = draw_territories(accounts, rep_frame(np.tile([41.4, 2.15], (4, 1))))
    assert result.territories["contiguity"].min() > 0.9
    assert result.territories["mean_distance_km"].max() < 30
    assert result.territories["deviation_pct"].abs().max() < 3


@pytest.mark.parametrize("lat", [-17.0, 66.0])
def test_outlines_across_the_antimeridian_are_cut_there(lat: float) -> None:
    rng = np.random.default_rng(5)
    east = 180 + rng.uniform(-0.4, 0.4, 80)
    north = lat + rng.uniform(-0.2, 0.2, 80)

    def drawn(shift: float) -> Territories:
        lon = (east + shift + 180.0) % 360.0 - 180.0
        accounts = pl.DataFrame(
            {"account_id": [f"A{k}" for k in range(80)], "lat_deg": north, "lon_deg": lon}
        )
        homes = np.array([[lat, 179.8 + shift], [lat, -179.8 + shift]])
        return draw_territories(accounts, rep_frame(homes), TerritoryParams(resolution=5))

    table = drawn(0.0).territories
    shapes = shapely.from_wkt(table["outline"].to_numpy())
    parts = shapely.get_parts(shapes)
    assert all(part.is_valid for part in parts)
    assert all(part.bounds[2] - part.bounds[0] < 1.5 for part in parts)
    assert min(part.bounds[0] for part in parts) == -180
    assert max(part.bounds[2] for part in parts) == 180
    # as many square degrees as the same ground has elsewhere, but for the cells' other places there
    elsewhere = shapely.from_wkt(drawn(-120.0).territories["outline"].to_numpy())
    assert shapely.area(shapes).sum() == pytest.approx(shapely.area(elsewhere).sum(), rel=0.35)


def two_accounts(km: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one account at home's door and one so far to the north, and the home."""
    north = np.degrees(km / 6371.0088)
    accounts = pl.DataFrame(
        {
            "account_id": ["near", "far"], "lat_deg": [41.0, 41.0 + north], "lon_deg": [2.0, 2.0],
            "visits": [1.0, 3.0], "length": [30.0, 20.0],
        }
    )  # fmt: skip
    return accounts, rep_frame(np.array([[41.0, 2.0]]))


def test_the_workload_is_visits_times_their_length_and_share_of_the_way() -> None:
    accounts, reps = two_accounts(40.0)
    schema = AccountSchema(has_position=True, roles={"visit_min": "length"})
    travel = TravelParams()
    way = float(drive_min(np.array([40.0 * travel.circuity]), travel)[0]) + travel.access_min
    params = TerritoryParams(visits_column="visits", visits_per_round=5.0)
    found = draw_territories(accounts, reps, params, schema=schema).frame["workload_min"].to_list()
    assert found == pytest.approx([30.0, 3 * (20.0 + 2 * way / 5)])
    without = TerritoryParams(visits_column="visits", visits_per_round=0.0)
    assert draw_territories(accounts, reps, without, schema=schema).frame["workload_min"].to_list() == [
        30.0,
        60.0,
    ]


def test_who_reaches_nobody_and_what_nobody_reaches_is_named() -> None:
    accounts, reps = two_accounts(600.0)
    notes = draw_territories(accounts, reps).notes
    assert len(notes) == 1
    assert re.fullmatch(
        r"R0 reaches only \d+% of the work of the territory T001 within a shift; nobody else reaches more",
        notes[0],
    )
    island = rep_frame(np.array([[41.0, 2.0], [28.0, -15.0]]))
    said = draw_territories(accounts, island).notes
    assert "R1 reaches no account within a shift of 9 h: check the home, or give longer shifts" in said
    near = draw_territories(two_accounts(20.0)[0], reps)
    assert near.notes == ()
    # three hours are too short for 100 km and back with a visit
    accounts = two_accounts(100.0)[0]
    assert draw_territories(accounts, reps).notes == ()
    short = reps.with_columns(shift_start_min=pl.lit(540), shift_end_min=pl.lit(660))
    assert draw_territories(accounts, short).notes != ()


def test_the_price_of_keeping_every_account_is_what_the_comparison_says() -> None:
    inputs = company(900, 5, own=True)
    drawn = draw(inputs)
    monthly = {
        name: float(number.replace(",", ""))
        for name, number in re.findall(
            r"(kept as they were|drawn anew): ([\d,]+) EUR a month", drawn.decision
        )
    }
    assert drawn.decision.startswith("drawn anew")
    assert drawn.keeping_eur_per_month == pytest.approx(
        monthly["kept as they were"] - monthly["drawn anew"], abs=1.01
    )
    assert drawn.summary()["moved"] > 0
    assert draw(company(300, 3)).keeping_eur_per_month is None


def town(lat: float, lon: float, accounts: int, seed: int = 0) -> np.ndarray:
    return np.array([lat, lon]) + np.random.default_rng(seed).normal(0, 0.02, (accounts, 2))


def at_places(*places: np.ndarray) -> pl.DataFrame:
    at = np.concatenate(places)
    return pl.DataFrame(
        {
            "account_id": [f"A{k:03d}" for k in range(len(at))],
            "lat_deg": at[:, 0],
            "lon_deg": at[:, 1],
            "town": np.repeat(np.arange(len(places)), [len(place) for place in places]),
        }
    )


def with_shifts(homes: list[tuple[float, float]], hours: list[float]) -> pl.DataFrame:
    ends = [540 + int(60 * length) for length in hours]
    return rep_frame(np.array(homes)).with_columns(shift_start_min=pl.lit(540), shift_end_min=pl.Series(ends))


# half of all work lies at the door, half 130 km away
NEAR_AND_FAR = TerritoryParams(visits_per_round=0.0)


@pytest.mark.parametrize("half", [0, 1])
def test_who_works_half_a_day_has_the_half_that_fits_into_it(half: int) -> None:
    accounts = at_places(town(40, 0, 20), town(40, 1.5, 20, 1))
    hours = [3.0 if k == half else 9.0 for k in range(2)]
    found = draw_territories(accounts, with_shifts([(40.0, 0.1), (40.0, 0.1)], hours), NEAR_AND_FAR)
    theirs = found.frame.join(accounts, on="account_id").group_by("rep_id").agg(pl.col("town").mean())
    assert dict(theirs.iter_rows()) == {f"R{half}": 0.0, f"R{1 - half}": 1.0}
    assert found.notes == ()


def test_reach_decides_and_not_the_mean_way() -> None:
    """R0 lives nearest to both towns, but is back from neither within an hour."""
    accounts = at_places(town(40, 0, 20), town(40, 1.0, 20, 1))
    homes = [(40.0, 0.5), (40.0, -0.2), (40.0, 1.2)]
    params = replace(NEAR_AND_FAR, territories=2)
    everybody = draw_territories(accounts, with_shifts(homes, [9.0, 9.0, 9.0]), params)
    assert set(everybody.territories["rep_id"]) == {"R1", "R2"}
    # from here it is 60 km to the one, 155 km to the other
    homes[1:] = [(40.0, -0.6), (40.0, 1.75)]
    assert "R0" in draw_territories(accounts, with_shifts(homes, [9.0] * 3), params).territories["rep_id"]
    short = draw_territories(accounts, with_shifts(homes, [1.0, 9.0, 9.0]), params)
    assert set(short.territories["rep_id"]) == {"R1", "R2"}
    assert any(note.startswith("R0 reaches no account within a shift of 1 h") for note in short.notes)


def test_an_account_on_an_island_that_nobody_reaches_is_named() -> None:
    accounts = at_places(town(40, 0, 40), np.array([[38.0, 5.0]]))
    found = draw_territories(accounts, rep_frame(np.array([[40.0, 0.0], [40.0, 0.1]])), NEAR_AND_FAR)
    whose = found.frame["territory"][40]
    assert [note for note in found.notes if f"the territory {whose}" in note and "nobody else" in note]
    assert found.territories["deviation_pct"].abs().max() < 3
    assert len(found.notes) == 1


@pytest.mark.parametrize("homes", [[(40.0, 0.0)] * 3, [(40.0, 0.0), (40.01, 0.0), (40.0, 0.01)]])
def test_homes_in_one_place_share_three_towns(homes: list[tuple[float, float]]) -> None:
    accounts = at_places(town(40, 0, 30), town(40, 0.6, 30, 1), town(40.5, 0, 30, 2))
    found = draw_territories(accounts, rep_frame(np.array(homes)), NEAR_AND_FAR)
    assert found.territories["deviation_pct"].abs().max() < 4
    frame = found.frame.join(accounts, on="account_id")
    in_one = frame.group_by("territory", "town").len().group_by("territory").agg(pl.col("len").max())
    assert in_one["len"].min() >= 28
    assert set(found.territories["rep_id"]) == {"R0", "R1", "R2"}


def test_one_representative_and_more_of_them_than_accounts() -> None:
    one = draw_territories(at_places(town(40, 0, 5)), rep_frame(np.array([[41.0, 0.0]])))
    assert one.frame["rep_id"].to_list() == ["R0"] * 5
    homes = np.array([[40.0, 0.0], [40.0, 0.1], [40.0, 0.2], [41.0, 0.0]])
    many = draw_territories(at_places(np.array([[40.0, 0.01], [40.0, 0.11]])), rep_frame(homes))
    assert many.frame["rep_id"].to_list() == ["R0", "R1"]
    assert many.territories.height == 4
    assert sorted(many.territories["accounts"]) == [0, 0, 1, 1]


@pytest.mark.parametrize("lat", [None, float("nan"), float("inf")])
def test_a_representative_without_a_home_is_named(lat: float | None) -> None:
    reps = rep_frame(np.array([[40.0, 0.0], [40.0, 1.0]])).with_columns(
        home_lat_deg=pl.Series([40.0, lat], dtype=pl.Float64)
    )
    with pytest.raises(InputError, match="the home of R1 is not known: give home_lat_deg"):
        draw_territories(at_places(town(40, 0, 5)), reps)
