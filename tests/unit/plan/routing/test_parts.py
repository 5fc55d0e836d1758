"""The parts of a routed day: its moments by trying every departure, requests and hours by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from dealwright.plan.inputs import working_days
from dealwright.plan.routing import RouteParams, route
from dealwright.plan.routing.problem import Lunch, Problem, Route, RoutePlan, Shift, leg_sum
from dealwright.plan.routing.requests import (
    Rep,
    open_during_shifts,
    read_reps,
    read_requests,
)
from dealwright.plan.routing.schedule import schedule, schedule_route
from dealwright.plan.routing.week import spread
from dealwright.plan.travel import TravelParams, drive_min, great_circle_km
from dealwright.schemas import VISIT_REQUEST_COLUMNS, AccountSchema, PlanInputs

AS_OF = datetime(2026, 6, 29)  # a Monday


def problem(seed: int, lunch: Lunch | None) -> Problem:
    """Return three visits in an hour of 60 ticks; the shift ends at another place than it starts."""
    rng = np.random.default_rng(seed)
    opens = rng.integers(0, 25, 3)
    return Problem(
        travel=rng.integers(1, 9, (5, 5)), cost_eur=rng.random((5, 5)), service=rng.integers(1, 6, 3),
        opens=opens, latest_start=opens + rng.integers(4, 30, 3), value_eur=np.ones(3),
        must=np.zeros(3, dtype=bool), allowed=np.ones((3, 1), dtype=bool),
        shifts=(Shift("s", 3, 4, 2, int(rng.integers(35, 60)), 3, lunch),),
    )  # fmt: skip


def driven(
    given: Problem, order: list[int], depart: int, leg: int | None
) -> tuple[int, int, int | None] | None:
    """Drive an order with the break on a leg; return when the first visit, the way back, the break begin."""
    shift = given.shifts[0]
    now, here, first, pause = depart, shift.start_place, None, None
    for k, place in enumerate([*order, shift.end_place]):
        reached = now + given.travel[here, place]
        if leg == k:
            assert shift.lunch is not None
            pause = max(now, shift.lunch.earliest)
            if pause > shift.lunch.latest:
                return None
            reached = max(reached, shift.lunch.earliest) + shift.lunch.length
        if k < len(order):
            reached = max(reached, given.opens[place])
            if reached > given.latest_start[place]:
                return None
            first = reached if first is None else first
            now = reached + given.service[place]
        else:
            now = reached
        here = place
    assert first is not None
    return int(first), int(now), pause


@pytest.mark.parametrize("lunch", [None, Lunch(10, 16, 5), Lunch(20, 24, 3), Lunch(0, 4, 6)])
@pytest.mark.parametrize("seed", range(25))
def test_the_moments_of_a_day_are_the_best_of_all_departures_and_places_of_the_break(
    seed: int, lunch: Lunch | None
) -> None:
    given = problem(seed, lunch)
    shift, order = given.shifts[0], [0, 1, 2]
    best = None
    for leg in [None] if lunch is None else [None, 0, 1, 2, 3]:
        earliest = driven(given, order, shift.start, leg)
        if earliest is None:
            continue
        # the latest departure that begins the first visit no later
        for depart in range(shift.end, shift.start - 1, -1):
            found = driven(given, order, depart, leg)
            at_home = lunch is not None and depart >= max(shift.start, lunch.earliest) + lunch.length
            if leg == 0 and at_home:
                without = driven(given, order, depart, None)
                if without is not None and without[0] == earliest[0]:
                    found = without
            if found is not None and found[0] == earliest[0]:
                break
        _, back, pause = found
        if back > shift.end or (lunch is not None and leg is None and back > lunch.latest):
            continue
        if best is None or (back, -depart) < (best[0], -best[1]):
            best = back, depart, pause
    mine = schedule_route(given, 0, order)
    assert (mine is None) == (best is None)
    if mine is None:
        assert schedule(given, [order], engine="x") is None
        return
    assert (mine.back, mine.depart) == best[:2]
    assert [
        leave - begin for begin, leave in zip(mine.begin, mine.leave, strict=True)
    ] == given.service.tolist()
    assert all(
        begin == max(reached, opens)
        for begin, reached, opens in zip(mine.begin, mine.arrive, given.opens, strict=True)
    )


def test_a_day_without_stops_begins_and_ends_with_the_shift_and_too_many_are_refused() -> None:
    given = problem(1, None)
    empty = schedule_route(given, 0, [])
    assert empty == Route(0, (), (), (), (), 2, 2)
    assert leg_sum(given, given.cost_eur, empty) == 0.0
    few = replace(
        given, shifts=(replace(given.shifts[0], max_visits=1, end=200),), latest_start=np.full(3, 99)
    )
    assert schedule_route(few, 0, [0]) is not None
    assert schedule_route(few, 0, [0, 1]) is None
    plan = RoutePlan((Route(0, (1, 0), (), (), (), 0, 0),))
    cost = given.cost_eur
    assert plan.cost_eur(given) == pytest.approx(cost[3, 1] + cost[1, 0] + cost[0, 4])
    assert plan.value_eur(given) == 2.0
    assert plan.summary()["stops"] == 2


def inputs(accounts: dict[str, list[object]], reps: dict[str, list[object]] | None = None) -> PlanInputs:
    frame = pl.DataFrame(accounts)
    names = ("visit_min", "opens_min", "closes_min", "rep_id")
    roles = {name: name for name in names if name in accounts}
    schema = AccountSchema(has_position=True, roles=roles)
    return PlanInputs(frame, schema, AS_OF, reps=None if reps is None else pl.DataFrame(reps))


def test_working_days_follow_the_cut_off() -> None:
    assert working_days(AS_OF, RouteParams(days=2)) == (date(2026, 6, 30), date(2026, 7, 1))
    weekend = RouteParams(days=3, weekdays=(0, 5))
    assert working_days(AS_OF, weekend) == (date(2026, 7, 4), date(2026, 7, 6), date(2026, 7, 11))
    today = RouteParams(first_day=datetime(2026, 6, 29))
    assert working_days(AS_OF, today) == (date(2026, 6, 29),)


def test_representatives_have_their_own_shift_or_the_default_and_nights_end_on_the_next_day() -> None:
    reps = {
        "rep_id": ["day", "night", "short", "half"], "home_lat_deg": [41.0] * 4, "home_lon_deg": [2.0] * 4,
        "shift_start_min": [None, 1320, 480, 1100], "shift_end_min": [None, 360, 420, None],
        "visits_per_day": [None, 3, 0, 5],
    }  # fmt: skip
    accounts = {"account_id": ["a"], "lat_deg": [41.0], "lon_deg": [2.0]}
    found = read_reps(inputs(accounts, reps), RouteParams())
    assert [(rep.shift_start_min, rep.shift_end_min, rep.visits_per_day) for rep in found] == [
        (510, 1050, 10), (1320, 1800, 3),
        (480, 480, 0),  # sixteen hours and more is no night: somebody who does not work
        (1100, 1100, 5),
    ]  # fmt: skip
    border = reps | {"shift_start_min": [481, 480, 0, 0], "shift_end_min": [1, 0, 960, 959]}
    ends = [rep.shift_end_min for rep in read_reps(inputs(accounts, border), RouteParams())]
    assert ends == [1441, 1440, 960, 959]


def requests(**changes: list[object]) -> pl.DataFrame:
    plain = {
        "row": [0], "account_id": ["a"], "rep_id": ["r"], "lat_deg": [41.0], "lon_deg": [2.0],
        "value_eur": [9.0], "visit_min": [30.0], "opens_min": [540.0], "closes_min": [1080.0],
        "must": [False],
    }  # fmt: skip
    return pl.DataFrame(
        [
            pl.Series(name, (plain | changes).get(name, [None]), dtype=kind, strict=False)
            for name, kind in VISIT_REQUEST_COLUMNS.items()
        ]
    )


@pytest.mark.parametrize(
    ("shift", "hours", "begin", "moved", "begins"),
    [
        ((510, 1050), (540.0, 1080.0), None, (540.0, 1080.0), None),
        ((1320, 1800), (180.0, 480.0), 200.0, (1620.0, 1920.0), 1640.0),  # opens in the morning of the night
        ((0, 300), (960.0, 1560.0), None, (-480.0, 120.0), None),  # has been open since the evening before
        ((0, 300), (0.0, 1440.0), 60.0, (0.0, 1440.0), 60.0),  # round the clock
        ((1320, 1800), (0.0, 1440.0), 60.0, (0.0, 1800.0), 1500.0),
        ((600, 900), (100.0, 200.0), 50.0, (100.0, 200.0), 50.0),  # on no day open during the shift
    ],
)
def test_hours_and_appointments_are_moved_to_the_day_of_the_shift(
    shift: tuple[int, int], hours: tuple[float, float], begin: float | None, moved: tuple[float, float],
    begins: float | None,
) -> None:  # fmt: skip
    asked = requests(opens_min=[hours[0]], closes_min=[hours[1]], begin_min=[begin])
    found = open_during_shifts(asked, (Rep("r", 41.0, 2.0, *shift, 10), Rep("r", 41.0, 2.0, 0, 1, 10)))
    assert found.columns == asked.columns
    assert found.select("opens_min", "closes_min", "begin_min").row(0) == (*moved, begins)
    stranger = open_during_shifts(asked.with_columns(rep_id=pl.lit("x")), (Rep("r", 41.0, 2.0, *shift, 10),))
    assert stranger.select("opens_min", "closes_min", "begin_min").row(0) == (*hours, begin)


def test_requests_are_the_accounts_of_the_field_and_those_promised_a_visit() -> None:
    given = inputs({
        "account_id": ["a", "b", "c", "d"], "lat_deg": [41.0] * 4, "lon_deg": [2.0] * 4,
        "visit_min": [45.0, None, 20.0, 20.0], "opens_min": [960.0, None, None, None],
        "closes_min": [60.0, None, None, None], "rep_id": ["r1", "r2", "r3", None],
    })  # fmt: skip
    decisions = pl.DataFrame({
        "account_id": ["d", "c", "b", "a"], "channel": ["ecom_self", "outbound_cc", "field", "field"],
        "expected_value_eur": [4.0, None, -2.0, 1.5], "urgent": [False, True, None, False],
        "due": [False, False, True, False],
    })  # fmt: skip
    promises = pl.DataFrame({"account_id": ["c"], "rep_id": ["r9"], "begin_min": [600.0]})
    params = RouteParams(visit_min=33.0, opens_min=500.0, closes_min=1000.0)
    found = read_requests(given, decisions, territories=None, promises=promises, params=params)
    rows = {row["account_id"]: row for row in found.iter_rows(named=True)}
    assert list(rows) == ["a", "b", "c"]
    assert [rows[name]["row"] for name in "abc"] == [0, 1, 2]
    assert [rows[name]["value_eur"] for name in "abc"] == [1.5, 0.0, 0.0]
    assert [rows[name]["visit_min"] for name in "abc"] == [45.0, 33.0, 20.0]
    assert [rows[name]["opens_min"] for name in "abc"] == [960.0, 500.0, 500.0]
    assert [rows[name]["closes_min"] for name in "abc"] == [1500.0, 1000.0, 1000.0]
    assert [rows[name]["rep_id"] for name in "abc"] == ["r1", "r2", "r9"]
    assert [rows[name]["pinned"] for name in "abc"] == [False, False, True]
    assert [rows[name]["must"] for name in "abc"] == [False, False, True]  # an appointment has to be kept
    assert [rows[name]["urgent"] for name in "abc"] == [False, True, True]
    drawn = pl.DataFrame({"account_id": ["a", "b", "c", "d"], "rep_id": ["t", None, "t", "t"]})
    found = read_requests(given, decisions, territories=drawn, promises=promises, params=params)
    assert found["rep_id"].to_list() == ["t", None, "r9"]
    loose = read_requests(
        given, decisions, territories=None, params=params,
        promises=promises.with_columns(must=pl.lit(value=False), rep_id=pl.lit(None, pl.String)),
    )  # fmt: skip
    assert loose.row(2, named=True)["must"] is False
    assert loose.row(2, named=True)["rep_id"] == "r3"


def test_visits_that_come_round_are_spread_over_days_of_their_own() -> None:
    days = tuple(date(2026, 7, day) for day in range(6, 11))
    asked = pl.concat(
        [requests(row=[k], account_id=[name], value_eur=[10.0]) for k, name in enumerate("abcd")]
    ).with_columns(day=pl.Series([None, None, None, days[3]]))
    frequencies = pl.DataFrame(
        {
            "account_id": ["a", "b", "c"], "every_days": [2.0, 30.0, 10.0],
            "last_visit": [date(2026, 7, 5), date(2026, 7, 1), date(2026, 6, 21)],
        }
    )  # fmt: skip
    visits, allowed, early = spread(asked, frequencies, days, RouteParams(overdue_factor=3.0))
    assert visits["account_id"].to_list() == ["a", "a", "c", "d"]
    # due on the 7th and the 9th, each on one day; five days of ten overdue: half of what lateness adds
    assert visits["value_eur"].to_list() == [10.0, 10.0, 20.0, 10.0]
    assert allowed.tolist() == [
        [False, True, False, False, False], [False, False, False, True, False], [True] * 5,
        [False, False, False, True, False],
    ]  # fmt: skip
    assert early.rows() == [(1, date(2026, 7, 31))]
    must = spread(asked.with_columns(must=pl.lit(value=True)), frequencies, days, RouteParams())
    assert must[0]["account_id"].to_list() == ["a", "a", "b", "c", "d"]
    assert must[1][2].all()


def test_the_tables_say_what_the_places_and_the_clock_say() -> None:
    """Two visits of one day: ways, kilometres, windows and worth recomputed from the positions."""
    accounts = pl.DataFrame(
        {
            "account_id": ["A", "B"], "lat_deg": [41.05, 41.1], "lon_deg": [2.0, 2.02], "rep_id": ["R", "R"],
            "expected_value_eur": [80.0, 90.0],
        }
    )  # fmt: skip
    reps = pl.DataFrame({"rep_id": ["R"], "home_lat_deg": [41.0], "home_lon_deg": [2.0]})
    travel = TravelParams(circuity=1.25, band_km=(), band_kmh=(50.0,), access_min=3.0)
    params = RouteParams(iterations=200, extra_hour=False, travel=travel, lunch_min=0, visit_min=40.0)
    schema = AccountSchema(has_position=True, roles={"rep_id": "rep_id"})
    found = route(accounts, reps, params, schema=schema, as_of=AS_OF)
    places = {"home": (41.0, 2.0), "A": (41.05, 2.0), "B": (41.1, 2.02)}

    def way(start: str, end: str) -> tuple[float, float]:
        lat, lon = np.array([places[start], places[end]]).T
        km = 1.25 * great_circle_km(lat[:1], lon[:1], lat[1:], lon[1:]).item()
        return km, float(drive_min(np.array(km), travel)) + 3.0

    order = ["home", *found.visits["account_id"], "home"]
    ways = [way(*pair) for pair in pairwise(order)]
    visits = found.visits.to_dicts()
    now = None
    for k, visit in enumerate(visits):
        assert visit["stop"] == k + 1
        assert visit["distance_km"] == pytest.approx(ways[k][0])
        assert visit["travel_min"] == pytest.approx(ways[k][1], abs=0.02)
        assert (visit["leave_at"] - visit["start_at"]).total_seconds() == 40 * 60
        assert visit["window_start"] == datetime(2026, 6, 30, 9)
        assert visit["window_end"] == datetime(2026, 6, 30, 18)
        assert visit["start_at"] == max(visit["arrive_at"], visit["window_start"])
        if now is not None:
            assert (visit["arrive_at"] - now).total_seconds() / 60 == pytest.approx(ways[k][1], abs=0.02)
        now = visit["leave_at"]
    day = found.days.row(0, named=True)
    assert day["stops"] == day["candidates"] == 2
    assert day["value_eur"] == 170.0
    assert day["distance_km"] == pytest.approx(sum(km for km, _ in ways))
    assert day["travel_min"] == pytest.approx(sum(minutes for _, minutes in ways), abs=0.05)
    assert (day["back_at"] - now).total_seconds() / 60 == pytest.approx(ways[-1][1], abs=0.02)
    # who is first is reached when the doors open
    assert visits[0]["arrive_at"] == datetime(2026, 6, 30, 9)
    assert (visits[0]["arrive_at"] - day["depart_at"]).total_seconds() / 60 == pytest.approx(
        ways[0][1], abs=0.02
    )
