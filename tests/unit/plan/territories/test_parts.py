"""The parts of drawing territories, on a plane where every number can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import permutations, product

import numpy as np
import polars as pl
import pytest
import shapely

from dealwright.errors import InputError
from dealwright.plan.territories.balance import (
    Homes,
    assign_cells,
    draw_balanced,
    inertia,
    recentre,
    share_out,
    start_centres,
)
from dealwright.plan.territories.cells import Cells, Plane, gather
from dealwright.plan.territories.demand import own_rep, shift_minutes, skills_of, workload_of
from dealwright.plan.territories.drawing import (
    Division,
    PlacedAccounts,
    adjust,
    continue_old,
    price,
    redraw,
    rename_like,
    survey,
    trade_off,
)
from dealwright.plan.territories.matching import Fit, match, measure_fit
from dealwright.plan.territories.measures import Shapes, measure_shapes, survey_cells
from dealwright.plan.territories.params import TerritoryParams
from dealwright.plan.territories.result import NamedDivision, _rings, _table
from dealwright.plan.territories.stage import _known, _names
from dealwright.plan.travel import TravelParams, drive_min, great_circle_km
from dealwright.schemas import AccountSchema, PlanInputs

# a straight line at 60 km/h, and nothing for parking
EVEN = TravelParams(circuity=1.0, band_km=(), band_kmh=(60.0,), access_min=0.0)
PLANE = Plane(40.0, 3.0)


def cells_at(
    km: list[tuple[float, float]], weight: list[float], of_account: list[int] | None = None
) -> Cells:
    n = len(km)
    return Cells(
        np.arange(n), np.array(of_account if of_account is not None else range(n)),
        np.array(weight, dtype=float), np.array(km, dtype=float),
    )  # fmt: skip


def ground_at(km: list[tuple[float, float]], workload: list[float], visits: list[float] | None = None):
    cells = cells_at(km, workload)
    return PlacedAccounts(
        PLANE, np.array(km, dtype=float), np.array(workload, dtype=float),
        np.array(visits if visits is not None else np.ones(len(km)), dtype=float), cells, cells,
    )  # fmt: skip


def test_a_place_is_where_it_was_after_a_projection_and_true_to_distance() -> None:
    plane = Plane.around(np.array([40.0, 42.0]), np.array([179.0, -179.0]))
    assert (plane.lat_deg, abs(plane.lon_deg)) == pytest.approx((41.0, 180.0))
    lat, lon = np.array([40.9, 41.2]), np.array([179.9, -179.8])
    km = plane.project(lat, lon)
    assert np.column_stack(plane.unproject(km)) == pytest.approx(np.column_stack([lat, lon]))
    apart = great_circle_km(lat[:1], lon[:1], lat[1:], lon[1:]).item()
    assert np.hypot(*(km[1] - km[0])) == pytest.approx(apart, rel=2e-3)


def test_dense_cells_are_cut_until_none_holds_a_tenth_of_a_territory() -> None:
    rng = np.random.default_rng(0)
    lat, lon = 41.4 + rng.normal(0, 0.004, 400), 2.1 + rng.normal(0, 0.004, 400)
    workload = rng.uniform(1.0, 3.0, 400)
    km = Plane.around(lat, lon).project(lat, lon)
    cells = gather(lat, lon, km, workload, resolution=7, territories=4)
    assert cells.weight.max() <= 0.1 * workload.sum() / 4
    assert cells.weight == pytest.approx(
        [workload[cells.of_account == k].sum() for k in range(len(cells.km))]
    )
    for k in (0, len(cells.km) - 1):
        mine = cells.of_account == k
        assert cells.km[k] == pytest.approx(np.average(km[mine], axis=0, weights=workload[mine]))
    # as coarse as asked for where nothing is dense
    few = gather(lat, lon, km, np.zeros(400), resolution=5, territories=1)
    assert len(few.index) <= 2


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("at_home", [False, True])
def test_the_assignment_is_the_best_of_all_with_loads_within_the_tolerance(seed: int, at_home: bool) -> None:
    """Six cells of one workload, three territories: all ways of giving each two are tried."""
    rng = np.random.default_rng(seed)
    km, centre, home = (rng.uniform(0, 60, (n, 2)) for n in (6, 3, 3))
    cells = cells_at(km.tolist(), [4.0] * 6)
    homes = Homes(home, EVEN) if at_home else None
    sticky = rng.uniform(0, 300.0 if not at_home else 20.0, (6, 3))

    def cost(cell: int, territory: int) -> float:
        middle = np.hypot(*(km[cell] - centre[territory]))
        if not at_home:
            return middle**2
        return np.hypot(*(km[cell] - home[territory])) ** 0.9 + 0.02 * middle

    for held in (None, sticky):
        best = min(
            (sum(cost(c, t) + (0 if held is None else held[c, t]) for c, t in enumerate(way)), way)
            for way in set(permutations((0, 0, 1, 1, 2, 2)))
        )
        balance = assign_cells(cells, centre, 0.0, sticky=held, homes=homes)
        assert balance.territory.tolist() == list(best[1])
        wanted = sum(4.0 * cost(c, t) for c, t in enumerate(best[1]))
        assert inertia(cells, balance, homes) == pytest.approx(wanted)
    # with one and a half of the mean allowed, a territory may have three cells or one
    free = min(
        (sum(cost(c, t) for c, t in enumerate(way)), way)
        for way in product(range(3), repeat=6)
        if all(1 <= way.count(t) <= 3 for t in range(3))
    )
    balance = assign_cells(cells, centre, 0.5, homes=homes)
    assert inertia(cells, balance, homes) == pytest.approx(4.0 * free[0], rel=1e-4)


def test_cells_go_further_than_the_nearest_centres_where_balance_asks_for_it() -> None:
    """All cells lie beside two of four centres."""
    cells = cells_at([(k / 10, 0.0) for k in range(8)], [1.0] * 8)
    centre = np.array([[0.0, 0.0], [1.0, 0.0], [500.0, 0.0], [600.0, 0.0]])
    balance = assign_cells(cells, centre, 0.0, reach=2)
    assert np.bincount(balance.territory, minlength=4).tolist() == [2, 2, 2, 2]


def test_centres_move_to_the_middle_of_the_workload_and_stay_without_any() -> None:
    cells = cells_at([(0.0, 0.0), (10.0, 0.0), (0.0, 20.0)], [1.0, 3.0, 2.0])
    balance = assign_cells(cells, np.array([[2.0, 0.0], [0.0, 19.0], [900.0, 900.0]]), 9.0)
    assert balance.territory.tolist() == [0, 0, 1]
    assert recentre(cells, balance).tolist() == [[7.5, 0.0], [0.0, 20.0], [900.0, 900.0]]
    moved = draw_balanced(cells, 9.0, rounds=5, centre_km=balance.centre_km)
    assert moved.centre_km.tolist() == [[7.5, 0.0], [0.0, 20.0], [900.0, 900.0]]
    assert moved.rounds == 3  # assigned, assigned around the new middles, and those stand still
    assert draw_balanced(cells, 9.0, rounds=0, centre_km=balance.centre_km).rounds == 1


def test_the_ground_is_halved_by_workload_across_its_longer_side() -> None:
    cells = cells_at([(x, y) for x in (0.0, 1.0, 8.0, 9.0) for y in (0.0, 1.0)], [1.0] * 8)
    two = start_centres(cells, 2, 0.0)
    assert sorted(two.round(6).tolist()) == [[0.5, 0.5], [8.5, 0.5]]
    across = start_centres(cells, 2, np.pi / 2)
    assert sorted(across.round(6).tolist()) == [[4.5, 0.0], [4.5, 1.0]]
    # of three territories one gets a third
    line = cells_at([(float(k), 0.0) for k in range(9)], [1.0] * 9)
    assert sorted(start_centres(line, 3, 0.0)[:, 0].round(6)) == [1.0, 4.0, 7.0]
    heavy = cells_at([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)], [6.0, 3.0, 3.0])
    assert sorted(start_centres(heavy, 2, 0.0)[:, 0].round(6)) == [0.0, 1.5]


@pytest.mark.parametrize("at_home", [False, True])
def test_a_split_cell_goes_part_by_part_to_whom_its_accounts_are_relatively_nearest(at_home: bool) -> None:
    """One cell of eight accounts in a row between two territories that get three quarters and a quarter."""
    km = np.array([[float(k), 0.0] for k in range(8)])
    cells = Cells(np.arange(1), np.zeros(8, dtype=np.int64), np.array([8.0]), np.array([[3.5, 0.0]]))
    balance = assign_cells(cells, np.array([[0.0, 0.0], [7.0, 0.0]]), 0.0)
    quarter = type(balance)(balance.centre_km, np.array([[0, 1]]), np.array([[0.75, 0.25]]), 1)
    homes = Homes(np.array([[7.0, 0.0], [0.0, 0.0]]), EVEN) if at_home else None
    label = share_out(cells, quarter, km, np.ones(8), homes)
    assert label.tolist() == ([1, 1, 0, 0, 0, 0, 0, 0] if at_home else [0, 0, 0, 0, 0, 0, 1, 1])
    half = type(balance)(balance.centre_km, np.array([[0, 1]]), np.array([[0.45, 0.55]]), 1)
    # one side gets 3.6 of eight: the fourth account, half of which fits, is its
    assert share_out(cells, half, km, np.ones(8)).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_division_costs_its_ways_its_imbalance_and_what_moves() -> None:
    ground = ground_at([(0.0, 0.0), (3.0, 4.0), (10.0, 0.0)], [60.0, 30.0, 30.0], [1.0, 2.0, 4.0])
    division = Division(np.array([0, 0, 1]), np.array([[0.0, 0.0], [10.0, 3.0]]))
    cost = price(ground, division, np.array([0, 1, -1]), km_eur=0.5, minute_eur=0.2, move_eur=25.0)
    assert cost.travel_eur == pytest.approx(0.5 * 2 * (2 * 5 + 4 * 3))
    assert cost.imbalance_eur == pytest.approx(0.2 * 30)  # 90 and 30: half an hour is on the wrong side
    assert (cost.moved, cost.move_eur) == (1, 25.0)
    assert cost.monthly_eur == pytest.approx(22.0 + 6.0)
    assert cost.total_eur(6.0) == pytest.approx(28.0 * 6 + 25.0)
    from_home = Division(division.label, division.centre_km, np.array([[0.0, 3.0], [10.0, 0.0]]))
    ways = 0.5 * 2 * (3.0 + 2 * np.hypot(3, 1))
    assert price(ground, from_home, None, km_eur=0.5, minute_eur=0.2, move_eur=9.0).travel_eur == ways
    assert price(ground, from_home, None, km_eur=0.5, minute_eur=0.2, move_eur=9.0).moved == 0


def test_the_trade_off_is_between_loads_and_ways() -> None:
    """Three cells at one middle, one at the other: balance takes one of them 10 km."""
    ground = ground_at([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (10.0, 0.0)], [1.0] * 4)
    division = Division(np.array([0, 0, 0, 1]), np.array([[0.0, 0.0], [10.0, 0.0]]))
    curve = trade_off(ground, division, (0.0, 0.5), EVEN)
    assert curve["tolerance"].to_list() == [0.0, 0.5]
    assert curve.row(1)[1:] == pytest.approx((50.0, 50.0, 2 / 4))
    assert curve.row(0)[1:] == pytest.approx((0.0, 0.0, (1.0 + 9.0) / 4))


def test_last_months_territories_go_on_and_keep_their_numbers() -> None:
    ground = ground_at(
        [(0.0, 0.0), (2.0, 0.0), (10.0, 0.0), (11.0, 0.0), (9.0, 0.0)], [1.0, 3.0, 1.0, 1.0, 1.0]
    )
    old = continue_old(ground, np.array([0, 0, 2, -1, -1]), 3)
    assert old.label.tolist() == [0, 0, 2, 2, 2]
    assert old.centre_km[[0, 2]].tolist() == pytest.approx(np.array([[1.5, 0.0], [10.0, 0.0]]))
    anew = Division(np.array([1, 1, 0, 0, 2]), np.array([[10.5, 0.0], [1.5, 0.0], [9.0, 0.0]]), np.eye(3, 2))
    named = rename_like(anew, np.array([0, 0, 2, 2, -1]))
    assert named.label.tolist() == [0, 0, 2, 2, 1]
    assert named.centre_km.tolist() == [[1.5, 0.0], [9.0, 0.0], [10.5, 0.0]]
    assert named.home_km is not None
    assert named.home_km.tolist() == [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
    # the first territory is one like any other
    only_first = rename_like(replace(anew, label=np.array([2, 2, 0, 0, 1])), np.array([0, 0, -1, -1, -1]))
    assert only_first.label[:2].tolist() == [0, 0]
    nobody_yet = continue_old(ground, np.array([0, -1, -1, -1, -1]), 1)
    assert nobody_yet.label.tolist() == [0] * 5


def test_territories_keep_last_months_names_and_get_new_ones_beside_them() -> None:
    def previous(**territory: str | None) -> pl.DataFrame:
        return pl.DataFrame({"account_id": list(territory), "territory": list(territory.values())})

    five = TerritoryParams(territories=5)
    assert _names(five, 9, None) == ["T001", "T002", "T003", "T004", "T005"]
    assert _names(TerritoryParams(), 2, None) == ["T001", "T002"]
    last = previous(a="west", b="T002", c="west", d=None, e="east", f="T002", g="T002")
    assert _names(five, 9, last) == ["T002", "east", "west", "T001", "T003"]
    # of too many the largest ones
    assert _names(TerritoryParams(territories=2), 9, last) == ["T002", "west"]
    ids = pl.Series("account_id", ["x", "a", "e", "d", "b"])
    assert _known(ids, ["T002", "west"], None) is None
    known = _known(ids, ["T002", "west"], last)
    assert known is not None
    assert known.tolist() == [-1, 1, -1, -1, 0]
    assert _known(ids, ["gone"], last) is None


def test_a_territory_in_the_table_by_hand() -> None:
    """Loads of 4, 1 and nothing; the first one's work lies 30 km north and 15 km east of its middle."""
    ground = ground_at([(0.0, 30.0), (15.0, 0.0), (60.0, 0.0)], [1.0, 3.0, 1.0])
    division = Division(np.array([0, 0, 1]), np.array([[0.0, 0.0], [60.0, 0.0], [9.0, 9.0]]))
    lat, lon = PLANE.unproject(np.array([[0.0, 0.0]]))
    reps = pl.DataFrame({"rep_id": ["r", "s"], "home_lat_deg": [lat[0]] * 2, "home_lon_deg": [lon[0]] * 2})
    given = inputs(reps, **PLACES)
    drawn = NamedDivision(division, ["T1", "T2", "T3"], ["s", None, None], "kept", ())
    shapes = Shapes(np.ones(3), np.ones(3), ("a", "b", "c"))
    travel = TravelParams(circuity=1.5, band_km=(), band_kmh=(60.0,), access_min=4.0)
    table = _table(
        ground, drawn, shapes, TerritoryParams(travel=travel), given, moved=np.array([2, 0, 0])
    ).to_dict(as_series=False)
    assert table["accounts"] == [2, 1, 0]
    assert table["workload_min"] == [4.0, 1.0, 0.0]
    assert table["deviation_pct"] == pytest.approx([140.0, -40.0, -100.0])
    assert table["mean_distance_km"] == [pytest.approx((30 + 3 * 15) / 4), 0.0, None]
    assert table["drive_min"] == [pytest.approx(1.5 * 75 / 4 + 4.0, rel=5e-3), None, None]
    assert table["moved"] == [2, 0, 0]
    assert _rings("POLYGON ((2 41, 3 42, 2 41), (0.5 1, 2 3, 0.5 1))") == [
        [(41.0, 2.0), (42.0, 3.0), (41.0, 2.0)], [(1.0, 0.5), (3.0, 2.0), (1.0, 0.5)],
    ]  # fmt: skip


@pytest.mark.parametrize(("apart", "moves"), [(0.5, False), (1.5, True)])
def test_an_account_is_held_where_it_was_by_a_typical_radius(apart: float, moves: bool) -> None:
    """The fifth account lies `apart` km nearer to the other territory; loads may differ freely.

    The radius is 10 km: it is held by 100 square kilometres, and 100 times `apart` would be gained.
    """
    km = [(0.0, 0.0), (20.0, 0.0), (100.0, 0.0), (120.0, 0.0), (60.0 + apart / 2, 0.0)]
    ground = ground_at(km, [1.0] * 5)
    old = Division(np.array([0, 0, 1, 1, 0]), np.array([[10.0, 0.0], [110.0, 0.0]]))
    found = adjust(ground, old, 1.0)
    assert found.label.tolist() == [0, 0, 1, 1, int(moves)]


def test_drawn_anew_towns_are_not_cut_and_each_is_somebodys_home() -> None:
    towns = [(0.0, 0.0), (50.0, 0.0), (25.0, 40.0)]
    km = [(x + dx, y + dy) for x, y in towns for dx in (0.0, 1.0) for dy in (0.0, 1.0)]
    ground = ground_at(km, [1.0] * 12)
    alone = redraw(ground, 3, 0.0, rounds=5)
    assert [len(set(alone.label[k : k + 4])) for k in (0, 4, 8)] == [1, 1, 1]
    assert sorted(alone.centre_km.round(6).tolist()) == sorted([x + 0.5, y + 0.5] for x, y in towns)
    homes = Homes(np.array([towns[2], towns[0], towns[1]]), EVEN)
    lived = redraw(ground, 3, 0.0, rounds=5, homes=homes)
    assert lived.label.tolist() == [1] * 4 + [2] * 4 + [0] * 4
    assert lived.home_km is homes.km


def test_who_suits_a_territory_is_measured_by_workload() -> None:
    """Two territories; the first person lives at the first account, the second nowhere near."""
    lat, lon = PLANE.unproject(np.array([[0.0, 0.0], [30.0, 0.0], [60.0, 0.0]]))
    ground = ground_at([(0.0, 0.0), (30.0, 0.0), (60.0, 0.0)], [1.0, 3.0, 4.0])
    division = Division(np.array([0, 0, 1]), np.zeros((2, 2)))
    travel = TravelParams(circuity=1.2, band_km=(), band_kmh=(60.0,), access_min=5.0)
    fit = measure_fit(
        ground, division, np.array([lat[0], lat[2]]), np.array([lon[0], lon[2]]), travel,
        own_rep=np.array([0, 1, -1]), wanted=np.array([1, -1, 0]),
        has_skill=np.array([[True, False], [False, True]]), shift_min=np.array([120.0, 480.0]),
        visit_min=np.array([40.0, 40.0]),
    )  # fmt: skip
    way = 1.2 * 30.0 + 5.0
    # nothing is parked at the own door
    assert fit.drive_min[0] == pytest.approx([3 / 4 * way, (2 * way - 5 + 3 * way) / 4], rel=2e-3)
    assert fit.drive_min[1] == pytest.approx([2 * way - 5, 0.0], rel=2e-3)
    assert fit.theirs.tolist() == pytest.approx(np.array([[0.25, 0.75], [0.0, 0.0]]))
    assert fit.skilled == pytest.approx(np.array([[0.0, 0.25], [1.0, 0.0]]))
    # two hours hold a visit 30 km away (82 minutes there and back) only just not; from home itself they do
    assert fit.out_of_reach == pytest.approx(np.array([[0.75, 0.0], [1.0, 0.0]]))
    assert fit.reach == pytest.approx([1 / 8, 1.0])


@pytest.mark.parametrize("seed", range(5))
def test_the_match_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.random((3, 4)) for _ in range(4)]
    fit = Fit(60 * parts[0], parts[1], parts[2], parts[3], np.ones(4))

    def cost(territory: int, rep: int) -> float:
        new, lacking = 1 - parts[1][territory, rep], 1 - parts[2][territory, rep]
        return fit.drive_min[territory, rep] + 120 * parts[3][territory, rep] + 70 * new + 40 * lacking

    best = min(permutations(range(4), 3), key=lambda way: sum(cost(t, r) for t, r in enumerate(way)))
    assert match(fit, continuity_min=70.0, skill_min=40.0).tolist() == list(best)
    more = Fit(
        *(getattr(fit, name).T for name in ("drive_min", "theirs", "skilled", "out_of_reach")), np.ones(3)
    )
    found = match(more, continuity_min=70.0, skill_min=40.0)
    assert sorted(found.tolist()) == [-1, 0, 1, 2]


def inputs(reps: pl.DataFrame | None = None, **columns: list[object]) -> PlanInputs:
    accounts = pl.DataFrame({"account_id": ["a", "b", "c"], **columns})
    roles = {name: name for name in ("visit_min", "rep_id", "product_interest") if name in columns}
    schema = AccountSchema(has_position=True, roles=roles)
    return PlanInputs(accounts, schema, datetime(2026, 6, 30), reps=reps)


HOME = pl.DataFrame({"rep_id": ["r"], "home_lat_deg": [40.0], "home_lon_deg": [3.0]})
PLACES = {"lat_deg": [40.0, 40.5, None], "lon_deg": [3.0, 3.0, None]}


def test_the_workload_mixes_minutes_and_value_each_relative_to_its_mean() -> None:
    given = inputs(HOME, **PLACES, visits=[1.0, None, -2.0], visit_min=[40.0, None, 20.0])
    params = TerritoryParams(visits_column="visits", visit_min=30.0, visits_per_round=2.0, travel=EVEN)
    minutes, visits = workload_of(given, params, None)
    way = great_circle_km(np.array([40.0]), np.array([3.0]), np.array([40.5]), np.array([3.0])).item()
    assert visits.tolist() == [1.0, 1.0, 0.0]
    assert minutes == pytest.approx([40.0, 30.0 + 2 * way / 2.0, 0.0])
    predicted = pl.DataFrame({"account_id": ["a", "b", "c"], "predicted_value_eur": [100.0, None, -50.0]})
    mixed, _ = workload_of(given, replace(params, value_weight=0.25), predicted)
    value = np.array([100.0, 50.0, 0.0])
    mix = 0.75 * minutes / minutes.mean() + 0.25 * value / value.mean()
    assert mixed == pytest.approx(mix * minutes.mean())
    assert workload_of(given, replace(params, visits_per_round=0.0), None)[0].tolist() == [40.0, 30.0, 0.0]
    assert workload_of(replace(given, reps=None), params, None)[0].tolist() == [40.0, 30.0, 0.0]
    parked = TravelParams(circuity=1.3, band_km=(), band_kmh=(60.0,), access_min=4.0)
    minutes = workload_of(given, replace(params, travel=parked), None)[0]
    # at the own door nothing is parked
    assert minutes == pytest.approx([40.0, 30.0 + float(drive_min(np.array(1.3 * way), parked)) + 4.0, 0.0])


def test_shifts_skills_and_own_representatives_are_read_from_their_columns() -> None:
    params = TerritoryParams(shift_min=500.0)
    reps = pl.DataFrame(
        {"rep_id": ["r", "s", "t"], "shift_start_min": [480, 1320, None], "shift_end_min": [1000, 360, 900]}
    )
    assert shift_minutes(reps, params).tolist() == [520.0, 480.0, 500.0]
    assert shift_minutes(reps.select("rep_id"), params).tolist() == [500.0] * 3
    given = inputs(HOME, **PLACES, rep_id=["s", None, "gone"], product_interest=["x", "z", None])
    assert own_rep(given, reps).tolist() == [1, -1, -1]
    skilled = reps.with_columns(skills=pl.Series([["y", "x"], None, ["x"]]))
    found = skills_of(given, skilled, np.array([2, 0]), params)
    assert found["wanted"].tolist() == [-1, 0]
    assert found["has_skill"].tolist() == [[True, True], [False, False], [True, False]]
    for none in (reps, reps.with_columns(skills=pl.Series([[], None, []], dtype=pl.List(pl.String)))):
        found = skills_of(given, none, np.array([0, 1]), params)
        assert found["wanted"].tolist() == [-1, -1]
        assert found["has_skill"].tolist() == [[False]] * 3


def test_shapes_of_two_blocks_and_a_distant_account() -> None:
    """A block of cells is nearly round and connected; three quarters of the other territory's work is."""
    from h3.api.basic_int import cell_to_latlng, grid_disk, latlng_to_cell

    middle = latlng_to_cell(40.0, 3.0, 7)
    disk = list(grid_disk(middle, 2))
    ring = [cell for cell in grid_disk(middle, 9) if cell not in grid_disk(middle, 8)]
    far = [ring[0]]
    beside = [ring[len(ring) // 2]]
    lat, lon = np.array([cell_to_latlng(cell) for cell in [*disk, *beside, *far]]).T
    workload = np.array([1.0] * len(disk) + [3.0, 1.0])
    label = np.array([0] * len(disk) + [1, 1])
    ground = survey(lat, lon, workload, np.ones(lat.size), resolution=7, territories=2)
    shapes = measure_shapes(ground, Division(label, np.zeros((3, 2))), survey_cells(ground, 7))
    assert shapes.contiguity[:2] == pytest.approx([1.0, 0.75])
    assert np.isnan([shapes.contiguity[2], shapes.polsby_popper[2]]).all()
    assert shapes.outline[2] == "MULTIPOLYGON EMPTY"
    block = shapely.from_wkt(shapes.outline[0])
    assert block.contains(shapely.points(lon[: len(disk)], lat[: len(disk)])).all()
    assert shapely.from_wkt(shapes.outline[1]).intersection(block).area == pytest.approx(0.0, abs=1e-6)
    # 19 hexagons: 4 π A / P² with 30 outer edges s, A = 19 · 3√3/2 · s², and as if its edge were straight
    ragged, straight = 4 * np.pi * 19 * 1.5 * np.sqrt(3) / 30**2, np.pi / (2 * np.sqrt(3))
    assert ragged + 0.1 < shapes.polsby_popper[0] < straight
    # a territory of two cells far apart is half as compact as a hexagon
    assert shapes.polsby_popper[1] == pytest.approx(straight / 2, abs=0.02)
    assert len(shapely.get_parts(shapely.from_wkt(shapes.outline[1]))) == 2


def test_the_finest_cells_are_those_of_resolution_ten_and_nobodys_worth_changes_nothing() -> None:
    assert TerritoryParams(resolution=10).resolution == 10
    assert TerritoryParams(resolution=0).resolution == 0
    for wrong in (-1, 11):
        with pytest.raises(InputError, match="resolution"):
            TerritoryParams(resolution=wrong)
    given = inputs(HOME, **PLACES)
    nothing = pl.DataFrame({"account_id": ["a", "b", "c"], "predicted_value_eur": [0.0, None, -3.0]})
    params = TerritoryParams(value_weight=0.5, visits_per_round=0.0)
    assert workload_of(given, params, nothing)[0].tolist() == [30.0] * 3
