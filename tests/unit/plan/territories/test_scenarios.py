"""Territories edited by hand: the copy is the plan, every edit does what it says, and the figures follow."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from h3 import latlng_to_cell
from polars.testing import assert_frame_equal

from dealwright.errors import InputError
from dealwright.plan.territories import ApprovedTerritories, Territories, TerritoryParams, draw_territories
from dealwright.plan.territories.edits import apply_edits, read_edit
from dealwright.plan.territories.scenario import Scenario, Standing
from dealwright.plan.travel import drive_min, great_circle_km
from dealwright.schemas import AccountSchema

TOWNS = np.array([[41.4, 2.15], [41.55, 2.1], [41.6, 2.3]])


def planned(own: bool = True, params: TerritoryParams | None = None) -> tuple[Territories, Standing]:
    """Draw the territories of three towns for three people."""
    rng = np.random.default_rng(3)
    at = TOWNS[rng.choice(3, 300, p=[0.6, 0.3, 0.1])] + rng.normal(0, 0.03, (300, 2))
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(300)],
            "lat_deg": at[:, 0],
            "lon_deg": at[:, 1],
            "rep_id": [f"R{k}" for k in rng.integers(0, 3, 300)],
        }
    ).with_columns(lat_deg=pl.when(pl.col("account_id") == "A7").then(None).otherwise("lat_deg"))
    reps = pl.DataFrame(
        {
            "rep_id": ["R0", "R1", "R2"],
            "home_lat_deg": TOWNS[:, 0],
            "home_lon_deg": TOWNS[:, 1],
            "shift_start_min": [540, 540, 540],
            "shift_end_min": [1020, 1020, 1020],
        }
    )
    schema = AccountSchema(has_position=True, roles={"rep_id": "rep_id"} if own else {})
    found = draw_territories(accounts, reps, params, schema=schema)
    known = found.frame.with_columns(predicted_value_eur=pl.Series(rng.uniform(100, 900, 300)))
    return found, Standing.read(known, found.places, found.homes, found.territories, params)


def after(standing: Standing, *edits: dict[str, Any]) -> Scenario:
    return apply_edits(standing, [read_edit(edit) for edit in edits])


def who(standing: Standing, scenario: Scenario) -> dict[str, str]:
    return dict(standing.assignment(scenario).select("account_id", "rep_id").iter_rows())


@pytest.mark.parametrize("params", [TerritoryParams(), TerritoryParams(territories=5, tolerance=0.1)])
def test_the_copy_has_exactly_the_figures_of_the_plan(params: TerritoryParams) -> None:
    found, standing = planned(params=params)
    assert standing.known_shapes
    standing.known_shapes.clear()  # so that shapes are measured as well
    figures = standing.measure(standing.scenario)
    assert_frame_equal(
        figures.territories.select(found.territories.columns), found.territories, check_exact=True
    )
    assert figures.moved.is_empty()
    assert figures.move_eur == 0
    assert_frame_equal(
        standing.assignment(standing.scenario),
        found.frame.drop_nulls("territory").select("account_id", "territory", "rep_id"),
    )


def test_moved_accounts_and_their_value_are_counted() -> None:
    _, standing = planned()
    before = who(standing, standing.scenario)
    mine = [account for account, rep in before.items() if rep != "R1"][:3]
    scenario = after(standing, {"kind": "accounts", "accounts": mine, "to": "R1"})
    figures = standing.measure(scenario)
    assert {a for a, rep in who(standing, scenario).items() if rep != before[a]} == set(mine)
    assert sorted(figures.moved["account_id"]) == sorted(mine)
    rows = standing.places["account_id"].is_in(mine).to_numpy()
    summary = figures.summary()
    assert summary["moved_value_eur"] == pytest.approx(standing.value_eur[rows].sum())
    assert summary["move_eur"] == 3 * TerritoryParams().move_eur
    table = figures.territories.filter(pl.col("rep_id") == "R1")
    assert table["moved_in"].item() == 3
    assert table["moved_in_eur"].item() == pytest.approx(summary["moved_value_eur"])


def test_kilometres_balance_and_reach_are_those_of_a_plain_loop() -> None:
    _, standing = planned()
    mine = standing.places["account_id"].to_list()[:120]
    scenario = after(standing, {"kind": "accounts", "accounts": mine, "to": "R2"})
    figures = standing.measure(scenario)
    travel, homes = standing.params.travel, {row[0]: row[1:3] for row in standing.homes.iter_rows()}
    km, load = dict.fromkeys(homes, 0.0), dict.fromkeys(homes, 0.0)
    far = dict.fromkeys(homes, 0)
    for row, rep in zip(standing.places.iter_rows(named=True), standing.rep_of(scenario), strict=True):
        away = travel.circuity * great_circle_km(
            np.array([row["lat_deg"]]), np.array([row["lon_deg"]]),
            np.array([homes[rep][0]]), np.array([homes[rep][1]]),
        )  # fmt: skip
        km[rep] += float(away[0, 0]) * 2 / 4
        load[rep] += row["workload_min"]
        far[rep] += float(drive_min(away, travel)[0, 0]) * 2 + 2 * travel.access_min + 30 > 480
    table = {row["rep_id"]: row for row in figures.territories.iter_rows(named=True)}
    assert {rep: row["km"] for rep, row in table.items()} == pytest.approx(km)
    assert {rep: row["unreachable"] for rep, row in table.items()} == far
    summary = figures.summary()
    mean = sum(load.values()) / 3
    assert summary["lowest_workload_pct"] == pytest.approx(100 * min(load.values()) / mean)
    assert summary["highest_workload_pct"] == pytest.approx(100 * max(load.values()) / mean)
    assert summary["km"] == pytest.approx(sum(km.values()))


def test_a_shift_too_short_for_the_way_makes_accounts_unreachable() -> None:
    _, standing = planned()
    far = {"kind": "join", "rep_id": "R9", "home_lat_deg": 48.0, "home_lon_deg": 2.0}
    mine = standing.places["account_id"].to_list()[:5]
    scenario = after(standing, far, {"kind": "accounts", "accounts": mine, "to": "R9"})
    assert standing.measure(scenario).summary()["unreachable"] == 5


def test_cells_move_with_all_their_accounts_and_nothing_else() -> None:
    _, standing = planned()
    before = who(standing, standing.scenario)
    row = next(r for r in standing.places.iter_rows(named=True) if before[r["account_id"]] != "R1")
    cell = latlng_to_cell(row["lat_deg"], row["lon_deg"], 7)
    inside = {
        r["account_id"]
        for r in standing.places.iter_rows(named=True)
        if latlng_to_cell(r["lat_deg"], r["lon_deg"], 7) == cell
    }
    found = who(standing, after(standing, {"kind": "cells", "cells": [cell], "to": "R1"}))
    assert all(found[account] == ("R1" if account in inside else before[account]) for account in before)


def test_an_area_moves_what_lies_in_it() -> None:
    _, standing = planned()
    before = who(standing, standing.scenario)
    box = {"south": 41.52, "north": 41.58, "west": 2.05, "east": 2.2}
    corners = [[41.52, 2.05], [41.58, 2.05], [41.58, 2.2], [41.52, 2.2]]
    found = who(standing, after(standing, {"kind": "area", "area": corners, "to": "R2"}))
    for row in standing.places.iter_rows(named=True):
        inside = box["south"] < row["lat_deg"] < box["north"] and box["west"] < row["lon_deg"] < box["east"]
        assert found[row["account_id"]] == ("R2" if inside else before[row["account_id"]])


def test_merged_territories_have_one_representative() -> None:
    _, standing = planned()
    before = who(standing, standing.scenario)
    scenario = after(standing, {"kind": "merge", "territory": "R0", "into": "R1"})
    assert who(standing, scenario) == {a: "R1" if rep == "R0" else rep for a, rep in before.items()}
    assert len(scenario.names) == 2
    assert scenario.without_territory() == ["R0"]


def test_who_leaves_hands_each_account_to_the_nearest_middle() -> None:
    found, standing = planned()
    before = who(standing, standing.scenario)
    scenario = after(standing, {"kind": "leave", "rep_id": "R0"})
    middles = {
        row["rep_id"]: (row["lat_deg"], row["lon_deg"]) for row in found.territories.iter_rows(named=True)
    }
    plane, now = standing.ground.plane, who(standing, scenario)
    for row in standing.places.iter_rows(named=True):
        if before[row["account_id"]] != "R0":
            assert now[row["account_id"]] == before[row["account_id"]]
            continue
        at = plane.project(np.array([row["lat_deg"]]), np.array([row["lon_deg"]]))
        away = {
            rep: np.hypot(*(plane.project(np.array([lat]), np.array([lon])) - at)[0])
            for rep, (lat, lon) in middles.items()
            if rep != "R0"
        }
        assert now[row["account_id"]] == min(away, key=lambda rep: away[rep])
    assert "R0" not in scenario.homes["rep_id"].to_list()


def test_who_joins_has_an_empty_territory_of_a_new_name() -> None:
    _, standing = planned()
    merged = {"kind": "merge", "territory": "R0", "into": "R1"}
    join = {"kind": "join", "rep_id": "R9", "home_lat_deg": 41.5, "home_lon_deg": 2.2}
    scenario = after(standing, merged, join)
    assert scenario.names[-1] not in standing.scenario.names
    table = standing.measure(scenario).territories
    assert table.filter(pl.col("rep_id") == "R9")["accounts"].to_list() == [0]
    assert (table["workload_min"].sum(), table.height) == (
        pytest.approx(standing.places["workload_min"].sum()),
        3,
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"kind": "moves"}, "kind of an edit"),
        ({"kind": "accounts", "accounts": ["A7"], "to": "R1"}, "no account 'A7' with a position"),
        ({"kind": "accounts", "accounts": ["A1"], "to": "R8"}, "R8"),
        ({"kind": "cells", "cells": ["none"], "to": "R1"}, "no H3 cell"),
        ({"kind": "area", "area": [[0, 0], [1, 1]], "to": "R1"}, "3 corners"),
        ({"kind": "area", "area": [[0, 0], [1, 1], [0, 1]], "to": "R1"}, "no account lies there"),
        ({"kind": "area", "area": [[95, 0], [1, 1], [0, 1]], "to": "R1"}, "degrees from -90 to 90"),
        ({"kind": "merge", "territory": "R0", "into": "R0"}, "name two"),
        ({"kind": "leave", "rep_id": "R8"}, "R8"),
        ({"kind": "join", "rep_id": "R8"}, "home_lat_deg"),
        ({"kind": "join", "rep_id": "R1"}, "has a territory already"),
    ],
)  # fmt: skip
def test_an_edit_that_cannot_be_says_why(edit: dict[str, Any], message: str) -> None:
    _, standing = planned()
    with pytest.raises(InputError, match=message):
        after(standing, edit)


def test_the_last_one_cannot_leave() -> None:
    _, standing = planned()
    leave = [{"kind": "leave", "rep_id": rep} for rep in ("R0", "R1", "R2")]
    with pytest.raises(InputError, match="nobody else has a territory"):
        after(standing, *leave)


def night_after(standing: Standing, scenario: Scenario, reps: list[str]) -> Territories:
    """Draw the next night with what was approved, one account more, and some of the representatives."""
    accounts = standing.places.select("account_id", "lat_deg", "lon_deg", rep_id="own_rep_id")
    new = accounts.head(1).with_columns(account_id=pl.lit("new"))
    frame = standing.assignment(scenario)
    approved = ApprovedTerritories("North", date(2026, 2, 1), frame)
    homes = standing.homes.filter(pl.col("rep_id").is_in(reps)).drop("shift_min")
    return draw_territories(
        pl.concat([accounts, new]), homes,
        previous=pl.DataFrame({"account_id": ["A1"], "territory": ["old"]}),
        approved=approved, schema=AccountSchema(has_position=True, roles={"rep_id": "rep_id"}),
    )  # fmt: skip


def test_a_night_keeps_what_was_approved_and_places_who_is_new() -> None:
    _, standing = planned()
    mine = standing.places["account_id"].to_list()[:40]
    scenario = after(standing, {"kind": "accounts", "accounts": mine, "to": "R2"})
    found = night_after(standing, scenario, ["R0", "R1", "R2"])
    got = {row["account_id"]: row["rep_id"] for row in found.frame.iter_rows(named=True)}
    new = got.pop("new")
    assert got == who(standing, scenario)
    assert new in {"R0", "R1", "R2"}
    assert found.notes[:2] == (
        'the territories are those approved as "North", in force since 2026-02-01',
        "1 account is not among the approved territories and went to the nearest of them",
    )
    assert found.decision == 'kept as approved as "North", in force since 2026-02-01'


def test_the_territory_of_somebody_who_is_gone_goes_to_who_has_none() -> None:
    _, standing = planned()
    scenario = after(standing, {"kind": "merge", "territory": "R0", "into": "R1"})
    found = night_after(standing, scenario, ["R0", "R2"])
    before = who(standing, scenario)
    got = {row["account_id"]: row["rep_id"] for row in found.frame.iter_rows(named=True)}
    assert all(got[account] == ("R0" if rep == "R1" else rep) for account, rep in before.items())
    assert any(note.startswith("R1 has an approved territory") for note in found.notes)


def test_approved_territories_of_other_accounts_are_not_kept() -> None:
    found, standing = planned()
    frame = pl.DataFrame({"account_id": ["x"], "territory": ["T009"], "rep_id": ["R1"]})
    approved = ApprovedTerritories("Elsewhere", date(2026, 2, 1), frame)
    accounts = standing.places.select("account_id", "lat_deg", "lon_deg")
    drawn = draw_territories(accounts, standing.homes, approved=approved)
    assert 'the territories approved as "Elsewhere" name no account of this night: not kept' in drawn.notes
    assert drawn.territories.height == found.territories.height
