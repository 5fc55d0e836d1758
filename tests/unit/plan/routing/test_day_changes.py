"""A day changed by hand says what a plan made anew with the same visits pinned says."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.errors import NotFoundError, RefusedChangeError
from dealwright.plan.inputs import gather_inputs
from dealwright.plan.routing import RouteParams, route
from dealwright.plan.routing.changes import (
    Absent,
    Change,
    ChangedDay,
    LeaveOut,
    Move,
    NewShift,
    Overrun,
    Pin,
    change_day,
    figures_of,
)
from dealwright.plan.routing.day import FieldDay
from dealwright.plan.routing.replanning import plan_rest
from dealwright.plan.routing.requests import read_reps, read_requests
from dealwright.plan.travel import EstimatedTravel, TravelTable
from dealwright.stats.arrays import Floats

DAY, AS_OF = date(2026, 7, 1), datetime(2026, 6, 30)
PARAMS = RouteParams(iterations=400, extra_hour=False, cost_eur_per_h=20.0)


class WholeMinutes(EstimatedTravel):
    """Ways of whole minutes, so that every moment of a day can be promised."""

    def table(self, lat_deg: Floats, lon_deg: Floats) -> TravelTable:
        found = super().table(lat_deg, lon_deg)
        return replace(found, minutes=np.ceil(found.minutes))


TRAVEL = WholeMinutes(PARAMS.travel)


def company(seed: int, n: int = 60) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k:02d}" for k in range(n)],
            "lat_deg": 41.38 + rng.normal(0, 0.03, n),
            "lon_deg": 2.17 + rng.normal(0, 0.03, n),
            "rep_id": [f"R{k % 3 + 1}" for k in range(n)],
            "visit_min": rng.choice([20.0, 30.0, 40.0], n),
            "opens_min": rng.choice([540, 600, 660], n),
            "closes_min": rng.choice([840, 960, 1080], n),
            "expected_value_eur": rng.gamma(2.0, 30.0, n),
        }
    )
    reps = pl.DataFrame(
        {
            "rep_id": ["R1", "R2", "R3"], "home_lat_deg": [41.36, 41.40, 41.38],
            "home_lon_deg": [2.13, 2.17, 2.20], "shift_start_min": [510, 510, 480],
            "shift_end_min": [1050, 1020, 1020], "visits_per_day": [8, 8, 8],
        }
    )  # fmt: skip
    return accounts, reps


def planned(seed: int = 1) -> tuple[FieldDay, pl.DataFrame, pl.DataFrame]:
    accounts, reps = company(seed)
    routes = route(accounts, reps, PARAMS, travel=TRAVEL, as_of=AS_OF)
    inputs = gather_inputs(accounts, as_of=AS_OF, reps=reps)
    requests = read_requests(inputs, None, territories=None, promises=None, params=PARAMS)
    day = FieldDay(
        DAY, requests, read_reps(inputs, PARAMS), routes.visits, routes.days, PARAMS,
        TRAVEL, frozenset(routes.left_out["account_id"]),
    )  # fmt: skip
    return day, accounts, reps


def planned_anew(
    changed: ChangedDay, accounts: pl.DataFrame, reps: pl.DataFrame, rep_id: str, *, every: bool = False
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Plan a representative's day again, with what the changed one says promised: who, when, by whom."""
    visits = changed.visits.filter(pl.col("rep_id") == rep_id)
    minute = (pl.col("start_at") - pl.lit(datetime(2026, 7, 1))).dt.total_minutes()
    fixed = visits["account_id"].to_list() if every else list(changed.draft.terms.begin_s)
    promises = visits.select(
        "account_id", "rep_id", day=pl.lit(DAY), must=pl.lit(value=True),
        begin_min=pl.when(pl.col("account_id").is_in(fixed)).then(minute),
    )  # fmt: skip
    there = accounts.filter(pl.col("account_id").is_in(visits["account_id"].implode()))
    anew = route(there, reps, PARAMS, promises=promises, travel=TRAVEL, as_of=AS_OF)
    return anew.visits, anew.days.filter(pl.col("rep_id") == rep_id)


def last_of(day: FieldDay, rep_id: str) -> dict[str, Any]:
    return day.visits.filter(pl.col("rep_id") == rep_id).sort("stop").row(-1, named=True)


def test_without_changes_a_day_is_as_planned() -> None:
    day, *_ = planned()
    changed = change_day(day, [])
    assert changed.visits.equals(day.visits)
    assert (changed.difference.value_eur, changed.difference.distance_km, changed.difference.visits) == (
        0,
        0,
        0,
    )
    # driven again by hand, every route comes out to the second as the engine had it
    pinned = change_day(
        day, [NewShift(rep.rep_id, rep.shift_start_min, rep.shift_end_min) for rep in day.reps]
    )
    assert pinned.touched == {"R1", "R2", "R3"}
    assert pinned.visits.equals(day.visits)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_moved_visit_costs_what_a_plan_made_anew_with_it_pinned_costs(seed: int) -> None:
    day, accounts, reps = planned(seed)
    for rep_id in ("R1", "R2", "R3"):
        with suppress(AssertionError):
            _, row, _, changed = a_move_that_fits(day, rep_id)
            break
    # free in the order of the visits that have no moment, a plan made anew costs no more
    visits, days = planned_anew(changed, accounts, reps, rep_id)
    mine = changed.days.filter(pl.col("rep_id") == rep_id)
    assert set(visits["account_id"]) >= {row["account_id"]}
    assert days["value_eur"].item() == pytest.approx(mine["value_eur"].item())
    assert figures_of(days, day).cost_eur <= figures_of(mine, day).cost_eur + 0.02
    # and with every visit at its moment it is the same day
    visits, days = planned_anew(changed, accounts, reps, rep_id, every=True)
    compared = ["account_id", "start_at", "leave_at", "travel_min", "distance_km", "value_eur"]
    ours = changed.visits.filter(pl.col("rep_id") == rep_id).sort("stop")
    assert ours.select(compared).equals(visits.sort("stop").select(compared))
    assert (mine["back_at"].item(), mine["home_km"].item()) == (
        days["back_at"].item(),
        days["home_km"].item(),
    )


def a_move_that_fits(
    day: FieldDay, rep_id: str
) -> tuple[list[Change], dict[str, Any], dict[str, Any], ChangedDay]:
    """Leave out the least valuable visit of a representative and bring in one of another's."""
    out = day.visits.filter(pl.col("rep_id") == rep_id).sort("value_eur").row(0, named=True)
    for row in day.visits.filter(pl.col("rep_id") != rep_id).iter_rows(named=True):
        changes = [LeaveOut(out["account_id"]), Move(row["account_id"], rep_id)]
        with suppress(RefusedChangeError):
            return changes, row, out, change_day(day, changes)
    raise AssertionError("nothing fits")


@pytest.mark.parametrize("seed", [1, 2])
def test_the_rest_planned_again_is_the_plan_made_anew_with_what_was_changed_pinned(seed: int) -> None:
    day, accounts, reps = planned(seed)
    changes, row, out, changed = a_move_that_fits(day, "R2")
    # all three together, as `joint` of the plan; the same luck
    again = plan_rest(day, changed, neighbours=2, seed=int(np.random.default_rng(0).integers(2**31)))
    replanned = change_day(day, [*changes, again])
    promises = pl.DataFrame(
        {"account_id": [row["account_id"]], "must": [True], "rep_id": ["R2"], "day": [DAY]}
    )
    there = accounts.filter(pl.col("account_id") != out["account_id"])
    anew = route(there, reps, replace(PARAMS, joint=3), promises=promises, travel=TRAVEL, as_of=AS_OF)
    assert replanned.visits["account_id"].to_list() == anew.visits["account_id"].to_list()
    assert replanned.visits.drop("must").equals(anew.visits.drop("must"))
    assert replanned.figures.value_eur == pytest.approx(anew.visits["value_eur"].sum())
    assert replanned.figures.distance_km == pytest.approx(anew.days["distance_km"].sum())
    assert replanned.draft.rep_of(row["account_id"]) == "R2"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_rest_planned_again_from_noon_is_a_plan_made_anew_with_what_was_done_promised(seed: int) -> None:
    day, accounts, reps = planned(seed)
    noon = datetime(2026, 7, 1, 12)
    later = day.visits.filter(pl.col("start_at") > noon).sort("value_eur")
    out, kept = later.row(0, named=True), later.row(-1, named=True)
    changes: list[Change] = [LeaveOut(out["account_id"]), Pin(kept["account_id"])]
    changed = change_day(day, changes)
    again = plan_rest(
        day, changed, from_min=720, neighbours=2, seed=int(np.random.default_rng(0).integers(2**31))
    )
    replanned = change_day(day, [*changes, again])
    # field by field: each day planned anew with every visit promised at its moment
    compared = ["account_id", "start_at", "leave_at", "arrive_at", "travel_min", "distance_km", "value_eur"]
    for rep_id in ("R1", "R2", "R3"):
        visits, days = planned_anew(replanned, accounts, reps, rep_id, every=True)
        ours = replanned.visits.filter(pl.col("rep_id") == rep_id).sort("stop")
        assert ours.select(compared).equals(visits.sort("stop").select(compared))
        mine = replanned.days.filter(pl.col("rep_id") == rep_id)
        told = ["stops", "travel_min", "distance_km", "value_eur", "back_at", "home_min", "home_km"]
        assert mine.select(told).equals(days.select(told))
    # and as a whole: the done visits promised by whom and when, the pinned one by whom, the others free
    done = set(day.visits.filter(pl.col("start_at") < noon)["account_id"])
    assert set(again.begun_s) == done
    minute = (pl.col("start_at") - pl.lit(datetime(2026, 7, 1))).dt.total_minutes()
    promises = day.visits.filter(pl.col("account_id").is_in([*done, kept["account_id"]])).select(
        "account_id", "rep_id", day=pl.lit(DAY), must=pl.lit(value=True),
        begin_min=pl.when(pl.col("account_id").is_in(list(done))).then(minute),
    )  # fmt: skip
    there = accounts.filter(pl.col("account_id") != out["account_id"])
    anew = route(there, reps, replace(PARAMS, joint=3), promises=promises, travel=TRAVEL, as_of=AS_OF)
    whole = figures_of(anew.days, day)
    assert replanned.figures.value_eur == pytest.approx(whole.value_eur)
    # the same visits; two searches from different beginnings may drive them by ways that differ by little
    assert replanned.figures.net_eur == pytest.approx(whole.net_eur, rel=5e-3)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_pin_of_who_and_when_is_kept_by_a_replan_and_one_of_who_leaves_the_moment_open(seed: int) -> None:
    day, *_ = planned(seed)
    out, second = (
        day.visits.filter(pl.col("rep_id") == "R1").sort("stop").row(k, named=True) for k in (0, 2)
    )
    account = second["account_id"]
    kept: list[tuple[str, datetime]] = []
    for pin in (Pin(account), Pin(account, with_moment=True)):
        changes: list[Change] = [pin, LeaveOut(out["account_id"])]
        again = plan_rest(day, change_day(day, changes), neighbours=2)
        replanned = change_day(day, [*changes, again])
        kept += replanned.visits.filter(pl.col("account_id") == account).select("rep_id", "start_at").rows()
    assert [rep_id for rep_id, _ in kept] == ["R1", "R1"]
    assert kept[1] == ("R1", second["start_at"])
    # a shift that ends before the moment lets it fall out, and names it
    early = change_day(day, [Pin(account, with_moment=True), NewShift("R1", 510, 530)])
    assert account in set(early.unplaced["account_id"])


def test_a_visit_is_refused_for_its_window_its_shift_and_the_visits_of_a_day() -> None:
    day, *_ = planned()
    row = last_of(day, "R1")
    closes = (row["window_end"] - datetime(2026, 7, 1)).total_seconds() / 60
    with pytest.raises(RefusedChangeError, match="may begin from") as refused:
        change_day(day, [Move(row["account_id"], "R1", int(closes))])
    assert refused.value.limit == "opening hours"
    short = [NewShift("R1", 510, 600)]
    with pytest.raises(RefusedChangeError) as refused:
        change_day(day, [*short, Move(row["account_id"], "R1", 660)])
    assert refused.value.limit == "shift"
    full = next(rep for rep in ("R2", "R3") if day.visits.filter(pl.col("rep_id") == rep).height == 8)
    with pytest.raises(RefusedChangeError, match="8 a day") as refused:
        change_day(day, [Move(row["account_id"], full)])
    assert refused.value.limit == "visits a day"
    with pytest.raises(NotFoundError, match="no account 'nobody'"):
        change_day(day, [Move("nobody", "R1")])
    with pytest.raises(NotFoundError, match="no representative 'R9'"):
        change_day(day, [Move(row["account_id"], "R9")])


def test_a_moved_visit_begins_when_it_was_put_and_nobody_is_in_two_places() -> None:
    day, *_ = planned()
    placed = 0
    for row in day.visits.iter_rows(named=True):
        begin = (row["start_at"] - datetime(2026, 7, 1)).total_seconds() // 60 + 5
        try:
            changed = change_day(day, [Move(row["account_id"], row["rep_id"], int(begin))])
        except RefusedChangeError:
            continue
        placed += 1
        now = changed.visits.filter(pl.col("account_id") == row["account_id"]).row(0, named=True)
        assert (now["start_at"] - datetime(2026, 7, 1)).total_seconds() == begin * 60
        ours = changed.visits.filter(pl.col("rep_id") == row["rep_id"]).sort("stop")
        assert (ours["arrive_at"].slice(1) >= ours["leave_at"].head(-1)).all()
        assert (ours["start_at"] >= ours["window_start"]).all()
        assert (ours["leave_at"] <= ours["window_end"]).all()
    assert placed > 3


def test_who_is_ill_makes_no_visit_from_then_on_and_others_take_what_they_can() -> None:
    day, *_ = planned()
    changed = change_day(day, [Absent("R2", 720)])
    noon = datetime(2026, 7, 1, 12)
    ours = day.visits.filter(pl.col("rep_id") == "R2")
    gone = set(ours.filter(pl.col("start_at") >= noon)["account_id"])
    assert set(changed.unplaced["account_id"]) == gone != set()
    assert changed.unplaced["limit"].unique().to_list() == ["absence"]
    assert changed.difference.value_eur == pytest.approx(-changed.unplaced["value_eur"].sum())
    again = change_day(day, [Absent("R2", 720), plan_rest(day, changed, from_min=720)])
    # those that were begun stand, to the second
    begun = day.visits.filter(pl.col("start_at") < noon).select("account_id", "rep_id", "start_at")
    assert begun.join(again.visits, on=["account_id", "rep_id", "start_at"], how="semi").equals(begun)
    assert again.visits.filter(pl.col("rep_id") == "R2", pl.col("start_at") >= noon).is_empty()
    assert again.figures.net_eur >= changed.figures.net_eur - 1e-6
    with pytest.raises(RefusedChangeError) as refused:
        change_day(day, [Absent("R2", 720), Move(next(iter(gone)), "R2")])
    assert refused.value.limit == "absence"


def test_an_overrun_lets_the_least_valuable_visits_fall_out_and_stays_itself() -> None:
    day, *_ = planned()
    first = day.visits.filter(pl.col("rep_id") == "R3").sort("stop").row(0, named=True)
    changed = change_day(day, [Overrun(first["account_id"], 180)])
    now = changed.visits.filter(pl.col("account_id") == first["account_id"]).row(0, named=True)
    assert now["start_at"] == first["start_at"]
    assert (now["leave_at"] - first["leave_at"]).total_seconds() == 180 * 60
    assert changed.unplaced.height > 0
    assert set(changed.unplaced["rep_id"]) == {"R3"}
    kept = changed.visits.filter(pl.col("rep_id") == "R3")
    assert kept.height + changed.unplaced.height == day.visits.filter(pl.col("rep_id") == "R3").height


def test_a_shift_that_ends_earlier_ends_earlier_and_pins_outlast_it() -> None:
    day, *_ = planned()
    least = day.visits.filter(pl.col("rep_id") == "R1").sort("value_eur").row(0, named=True)["account_id"]
    changed = change_day(day, [Pin(least), NewShift("R1", 510, 840)])
    back = changed.days.filter(pl.col("rep_id") == "R1")["back_at"].item()
    assert back <= datetime(2026, 7, 1, 14)
    assert changed.unplaced.height > 0
    assert least not in set(changed.unplaced["account_id"])
    assert least in changed.pinned
