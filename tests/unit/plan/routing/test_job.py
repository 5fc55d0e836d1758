"""One job: problems in ticks, who is considered, and why somebody never can be; figures by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.plan.routing import RouteParams
from dealwright.plan.routing.insight import Insight, visit_worth_eur
from dealwright.plan.routing.job import (
    NO_WAY,
    Job,
    JobResult,
    _candidates,
    _shift,
    _why_never,
    build_problem,
    run_job,
)
from dealwright.plan.routing.limits import Obstacle, binding_limits
from dealwright.plan.routing.outcome import (
    PlannedDays,
    _insight_row,
    by_account,
    collect_left_out,
    read_result,
)
from dealwright.plan.routing.problem import Lunch, Problem, Route, RoutePlan, Shift
from dealwright.plan.routing.requests import Rep
from dealwright.plan.routing.schedule import schedule
from dealwright.plan.routing.stage import Routes, _jobs, _neighbours, _split_unplaceable
from dealwright.plan.travel import EstimatedTravel, TravelTable
from dealwright.schemas import LEFT_OUT_COLUMNS, VISIT_COLUMNS, VISIT_REQUEST_COLUMNS, WORKING_DAY_COLUMNS

LAIA = Rep("R1", 41.0, 2.0, 540, 1020, 5)
DAY = date(2026, 6, 30)


def asked(count: int, **columns: list[Any]) -> pl.DataFrame:
    """Return visits; what is not given is the same for all."""
    plain: dict[str, list[Any]] = {
        "row": list(range(count)), "account_id": [f"A{k}" for k in range(count)], "rep_id": ["R1"] * count,
        "lat_deg": [41.0] * count, "lon_deg": [2.0] * count, "value_eur": [10.0] * count,
        "visit_min": [30.0] * count, "opens_min": [540.0] * count, "closes_min": [1080.0] * count,
        "must": [False] * count, "urgent": [False] * count, "pinned": [False] * count,
        **columns,
    }  # fmt: skip
    return pl.DataFrame(
        [
            pl.Series(name, plain.get(name, [None] * count), dtype=kind)
            for name, kind in VISIT_REQUEST_COLUMNS.items()
        ]
    )


def job(visits: pl.DataFrame, reps: tuple[Rep, ...] = (LAIA,), days: int = 1, **params: Any) -> Job:
    names = tuple(f"2026-06-{30 - days + 1 + k}" for k in range(days))
    allowed = np.ones((visits.height, days), dtype=bool)
    settings = RouteParams(**{"lunch_min": 0, "extra_hour": False, "iterations": 50, **params})
    return Job(visits, allowed, reps, names, settings, EstimatedTravel(), 1)


def table(minutes: list[list[float]]) -> TravelTable:
    ways = np.array(minutes)
    km = np.minimum(ways, 99.0) / 2
    return TravelTable(ways, km, np.zeros(len(ways), dtype=bool), "made")


def test_a_problem_counts_in_seconds_and_rounds_against_itself() -> None:
    visits = asked(
        3, visit_min=[30.0, 20.01, 10.0], opens_min=[540.0, 600.001, 0.0], closes_min=[1080.0, 700.001, 99.0],
        begin_min=[None, None, 630], value_eur=[5.0, 6.0, 7.0], urgent=[True, False, False],
        must=[False, False, True], pinned=[False, True, False], rep_id=["R1", "R2", "R1"],
    )  # fmt: skip
    ways = np.full((5, 5), 10.001)
    ways[0, 1], ways[2, 4] = np.inf, 60.0
    two = (LAIA, replace(LAIA, rep_id="R2", shift_start_min=600))
    found = build_problem(
        job(visits, two, days=2, cost_eur_per_km=0.5, cost_eur_per_h=6.0), np.arange(3), table(ways.tolist())
    )
    assert found.travel[0, 2] == 601  # 600.06 seconds
    assert found.travel[2, 4] == 3600
    assert found.travel[0, 1] == NO_WAY
    assert found.cost_eur[0, 2] == pytest.approx(10.001 / 2 * 0.5 + 10.001 / 60 * 6.0)
    assert found.service.tolist() == [1800, 1201, 600]
    assert found.opens.tolist() == [32_400, 36_001, 37_800]
    # a visit ends before its account closes; an appointment begins when it begins
    assert found.latest_start.tolist() == [64_800 - 1800, 42_000 - 1201, 37_800]
    assert [shift.name for shift in found.shifts] == [
        f"{rep} on 2026-06-{day}" for rep in ("R1", "R2") for day in (29, 30)
    ]
    assert [shift.start_place for shift in found.shifts] == [3, 3, 4, 4]
    assert [shift.start for shift in found.shifts] == [32_400, 32_400, 36_000, 36_000]
    assert {shift.end for shift in found.shifts} == {61_200}
    # who is pinned to a representative is visited by nobody else
    assert found.allowed.tolist() == [[True] * 4, [False, False, True, True], [True] * 4]
    assert found.must.tolist() == [False, False, True]
    # the urgent one counts for more than any that is not
    assert found.prize_eur.tolist() == [5.0 + 7.0, 6.0, 7.0]
    midnight = build_problem(
        job(visits.with_columns(begin_min=pl.lit(0, pl.Int64))), np.arange(3), table(ways.tolist())
    )
    assert (midnight.opens.tolist(), midnight.latest_start.tolist()) == ([0, 0, 0], [0, 0, 0])
    part = build_problem(job(visits, two), np.array([2, 0]), table(ways.tolist()))
    assert part.service.tolist() == [600, 1800]
    assert part.travel[0, 3] == 3600
    everybody = build_problem(job(visits.with_columns(urgent=True)), np.arange(3), table(ways.tolist()))
    assert everybody.prize_eur.tolist() == [5.0, 6.0, 7.0]


@pytest.mark.parametrize(
    ("shift", "lunch"),
    [((750, 915), True), ((751, 915), False), ((750, 914), False), ((0, 1440), True)],
)
def test_a_shift_that_spans_the_break_and_its_moments_has_one(shift: tuple[int, int], lunch: bool) -> None:
    params = RouteParams(lunch_from_min=750, lunch_to_min=870, lunch_min=45)
    rep = Rep("R1", 41.0, 2.0, *shift, 2_000_000)
    found = _shift(rep, "name", 7, params)
    assert found == Shift(
        "name", 7, 7, shift[0] * 60, shift[1] * 60, 1_000_000, Lunch(45_000, 52_200, 2_700) if lunch else None
    )
    assert _shift(rep, "name", 7, replace(params, lunch_min=0)).lunch is None


def test_of_many_those_are_considered_that_are_worth_most_for_their_time() -> None:
    """A visit takes its own time and a quarter of the way; must-visits and urgent ones come first."""
    travel = np.zeros((9, 9), dtype=np.int64)
    travel[7, :7] = [400, 0, 0, 0, 0, 0, 0]
    travel[8, :7] = [800, 0, 0, 0, 0, 0, 0]
    problem = Problem(
        travel, np.zeros((9, 9)), np.array([99, 199, 99, 99, 99, 99, 99]), np.zeros(7, np.int64),
        np.full(7, 900), np.array([30.0, 30.0, 29.0, 1.0, 2.0, 50.0, 10.0]),
        np.array([False] * 3 + [True] + [False] * 3), np.ones((7, 2), dtype=bool),
        (Shift("a", 7, 7, 0, 900), Shift("b", 8, 8, 0, 900)),
    )  # fmt: skip
    visits = asked(7, urgent=[False] * 4 + [True] + [False] * 2)
    alone = np.ones((7, 2), dtype=bool)
    alone[5] = [False, False]
    # for a second: .15 (way of 400 counts a quarter), .15, .29, -, -, cannot be made, .1
    for most, kept in ((1, [3, 4]), (2, [0, 2, 3, 4]), (3, [0, 1, 2, 3, 4, 6]), (4, [0, 1, 2, 3, 4, 6])):
        assert _candidates(job(visits, max_candidates=most), problem, alone).tolist() == kept
    alone[2] = [True, False]
    assert _candidates(job(visits, max_candidates=2), problem, alone).tolist() == [0, 2, 3, 4]
    # the nearer home counts: from the farther one it would be 99 + 200 + 1 seconds, and .1
    slower = replace(problem, value_eur=np.array([30.0, 25.0, 29.0, 1.0, 2.0, 50.0, 10.0]))
    assert _candidates(job(visits, max_candidates=2), slower, alone).tolist() == [0, 2, 3, 4]


def lone(**changes: Any) -> Problem:
    """Return one visit of 600 ticks, 300 away, in a shift from 0 to 1,200."""
    ways = np.array([[0, 300], [300, 0]])
    shift = Shift("Laia", 1, 1, 0, 1200, 5)
    given = {
        "travel": ways, "cost_eur": np.zeros((2, 2)), "service": np.array([600]), "opens": np.array([0]),
        "latest_start": np.array([900]), "value_eur": np.ones(1), "must": np.zeros(1, dtype=bool),
        "allowed": np.ones((1, 1), dtype=bool), "shifts": (shift,),
    }  # fmt: skip
    return Problem(**(given | changes))


def test_why_a_visit_never_can_be_made() -> None:
    shift = lone().shifts[0]
    closed = lone(opens=np.array([901]))
    assert _why_never(closed, 0) == (
        "opening hours",
        "the account is open for less time than the visit takes",
    )
    nobody = lone(allowed=np.zeros((1, 1), dtype=bool))
    assert _why_never(nobody, 0).limit == "promised day or representative"
    idle = lone(shifts=(replace(shift, max_visits=0),))
    assert _why_never(idle, 0).limit == "visits a day"
    off = lone(shifts=(replace(shift, end=0),))
    assert _why_never(off, 0) == (
        "shift",
        "its representative does not work that day (a shift of no length)",
    )
    for there, back, limit in ((NO_WAY, 300, "no road"), (300, NO_WAY, "no road"), (999_999, 0, "shift")):
        assert _why_never(lone(travel=np.array([[0, back], [there, 0]])), 0).limit == limit
    short = lone(shifts=(replace(shift, end=1140),))
    assert _why_never(short, 0) == (
        "shift",
        "travel there and back with the visit takes 0 h 20 min, the shift has 0 h 19 min",
    )
    assert _why_never(lone(shifts=(replace(shift, end=1141),)), 0).reason.endswith("has 0 h 20 min")
    break_too = lone(shifts=(replace(shift, end=4800, lunch=Lunch(0, 10, 3660)),))
    assert _why_never(break_too, 0).reason == (
        "travel there and back with the visit, and lunch, takes 1 h 21 min, the shift has 1 h 20 min"
    )
    early = lone(latest_start=np.array([200]))
    assert _why_never(early, 0) == (
        "opening hours",
        "the account is not open while the representative can be there",
    )
    # of several shifts the one that comes nearest is told, and one is enough
    two = lone(
        travel=np.array([[0, 300, 300], [300, 0, 0], [300, 0, 0]]), cost_eur=np.zeros((3, 3)),
        allowed=np.ones((1, 2), dtype=bool),
        shifts=(replace(shift, end=600), replace(shift, start_place=2, end_place=2, end=1100, max_visits=0)),
    )  # fmt: skip
    assert _why_never(two, 0).reason.endswith("the shift has 0 h 19 min")
    apart = replace(two, travel=np.array([[0, NO_WAY, 300], [NO_WAY, 0, 0], [300, 0, 0]]))
    assert _why_never(apart, 0).limit == "shift"


def test_a_job_says_who_was_considered_and_what_an_hour_and_a_visit_more_bring() -> None:
    visits = asked(6, value_eur=[60.0, 50.0, 40.0, 30.0, 20.0, 10.0], closes_min=[1080.0] * 5 + [550.0])
    found = run_job(job(visits, (replace(LAIA, visits_per_day=2),), max_candidates=4, extra_hour=True))
    assert found.considered.tolist() == [0, 1, 2, 3]
    assert found.outnumbered == {4}
    assert found.reasons[4] == (
        "number of candidates", "not among the 4 candidates worth most for the time they take",
    )  # fmt: skip
    assert found.reasons[5].limit == "opening hours"
    assert sorted(found.plan.served().tolist()) == [0, 1]
    assert found.hour_worth_eur.tolist() == [0.0]
    assert found.visit_worth_eur.tolist() == [40.0]
    assert np.isnan(run_job(job(visits)).hour_worth_eur).all()
    rows = read_result(job(visits), found)
    left = {row[0]: row for row in rows.left_out}
    names = list(LEFT_OUT_COLUMNS)
    assert {name: left[name][names.index("no_room")] for name in ("A2", "A3", "A4", "A5")} == {
        "A2": True, "A3": True, "A4": True, "A5": False,
    }  # fmt: skip
    assert left["A2"][names.index("limit")] == "visits a day"


def test_one_visit_more_is_worth_something_only_to_a_full_day() -> None:
    n = 3
    travel = np.full((n + 2, n + 2), 1)
    problem = Problem(
        travel, np.zeros((5, 5)), np.full(n, 10), np.zeros(n, np.int64), np.full(n, 50),
        np.array([9.0, 8.0, 7.0]), np.zeros(n, dtype=bool),
        np.array([[True, False], [True, True], [True, False]]),
        (Shift("a", 3, 3, 0, 60, 1), Shift("b", 4, 4, 0, 60, 2)),
    )  # fmt: skip
    plan = schedule(problem, [[0], [1]], engine="test")
    assert plan is not None
    assert visit_worth_eur(problem, plan, 50, 1).tolist() == [7.0, 0.0]
    assert binding_limits(problem, plan, np.array([2])) == {2: "visits a day"}
    tight = replace(problem, shifts=tuple(replace(shift, end=22) for shift in problem.shifts))
    assert binding_limits(tight, plan, np.array([2])) == {2: "visits a day and shift"}


def test_the_same_days_are_planned_again_only_where_something_has_changed() -> None:
    visits = asked(2)
    first = job(visits)
    assert first.fingerprint() == replace(first, travel=EstimatedTravel()).fingerprint()
    assert first.fingerprint() == job(visits, extra_hour=True).fingerprint()
    others = (
        replace(first, seed=2), replace(first, days=("2026-07-01",)), job(visits, iterations=51),
        replace(first, reps=(replace(LAIA, visits_per_day=4),)), job(asked(2, value_eur=[10.0, 11.0])),
        replace(first, allowed=np.array([[True], [False]])),
    )  # fmt: skip
    assert len({first.fingerprint(), *(other.fingerprint() for other in others)}) == 7


# who and where


def test_neighbours_are_the_first_one_left_and_the_nearest_to_it() -> None:
    reps = tuple(Rep(f"R{k}", 41.0, lon, 540, 1020, 5) for k, lon in enumerate([2.0, 5.0, 2.3, 5.1, 2.1]))
    names = [[rep.rep_id for rep in group] for group in _neighbours(reps, 2)]
    assert names == [["R0", "R4"], ["R1", "R3"], ["R2"]]
    assert [len(group) for group in _neighbours(reps, 1)] == [1] * 5
    assert [rep.rep_id for rep in _neighbours(reps, 3)[0]] == ["R0", "R2", "R4"]


def test_every_job_has_the_visits_of_its_group_and_a_seed_of_its_own() -> None:
    reps = tuple(Rep(f"R{k}", 41.0, lon, 540, 1020, 5) for k, lon in enumerate([2.0, 5.0, 2.1]))
    visits = asked(4, rep_id=["R0", "R1", "R2", "R0"])
    allowed = np.array([[True, False], [False, True], [True, True], [False, False]])
    found = _jobs(
        visits, allowed, reps, (date(2026, 6, 29), DAY), params=RouteParams(joint=2),
        travel=EstimatedTravel(), seed=40,
    )  # fmt: skip
    assert [one.visits["account_id"].to_list() for one in found] == [["A0", "A2", "A3"], ["A1"]]
    assert [one.seed for one in found] == [40, 41]
    assert found[0].allowed.tolist() == [[True, False], [True, True], [False, False]]
    assert found[0].days == ("2026-06-29", "2026-06-30")


def test_whom_nobody_can_be_sent_to_has_the_first_reason_that_holds() -> None:
    visits = asked(
        6, lat_deg=[None, 41.0, 41.0, 41.0, 41.0, 41.0], lon_deg=[2.0, None, 2.0, 2.0, 2.0, 2.0],
        rep_id=["R1", "R1", "R1", None, "R9", "R1"], position_note=["in the sea"] + [None] * 5,
        day=[date(2026, 7, 9), None, date(2026, 7, 9), None, None, DAY],
    )  # fmt: skip
    placed, aside = _split_unplaceable(visits, (LAIA,), (DAY,))
    assert placed["account_id"].to_list() == ["A5"]
    assert placed.columns == visits.columns
    assert aside == {
        0: ("position", "in the sea"),
        1: ("position", "its position is not known"),
        2: ("promised day or representative", "promised for 2026-07-09, a day that is not planned"),
        3: ("territory", "it has no representative"),
        4: ("territory", "its representative R9 is not among the representatives"),
    }
    _, nobody = _split_unplaceable(visits, (), (DAY,))
    assert {row: found.limit for row, found in nobody.items()} == {
        0: "position", 1: "position", 2: "promised day or representative",
        **dict.fromkeys((3, 4, 5), "no representative"),
    }  # fmt: skip


# frames


def solved() -> tuple[Job, JobResult]:
    """Return two days of one representative: A2 and A0 on the second, A1 left out."""
    visits = asked(4, value_eur=[30.0, 20.0, 10.0, 0.0])
    work = job(visits, days=2)
    ways = np.array([[0, 5, 4, 3], [5, 0, 2, 1], [4, 2, 0, 6], [3, 1, 6, 0]]) * 60
    considered = np.array([2, 0, 1])
    problem = Problem(
        ways, ways * 0.01, np.array([600, 1200, 900]), np.full(3, 32_400), np.full(3, 60_000),
        np.array([10.0, 30.0, 20.0]), np.zeros(3, dtype=bool), np.ones((3, 2), dtype=bool),
        (Shift("Mo", 3, 3, 32_000, 61_200), Shift("Tu", 3, 3, 32_000, 61_200, 5, Lunch(33_000, 34_000, 300))),
    )  # fmt: skip
    plan = schedule(problem, [[], [0, 1]], engine="test")
    assert plan is not None
    km = ways / 120
    nan = np.array([1.5, np.nan])
    reasons = {3: Obstacle("shift", "too far")}
    insights = (Insight(2, 1, 0, 90, 2.5, (1,), 30.0, "shift"),)
    return work, JobResult(
        considered, problem, plan, km, "made", reasons, insights, nan, nan + 1, frozenset({3})
    )


def test_a_solved_day_in_rows() -> None:
    work, result = solved()
    found = read_result(work, result)
    visits = pl.DataFrame(found.visits, schema=VISIT_COLUMNS, orient="row").to_dicts()
    days = pl.DataFrame(found.days, schema=WORKING_DAY_COLUMNS, orient="row").to_dicts()
    assert [(row["account_id"], row["stop"], row["day"]) for row in visits] == [
        ("A2", 1, DAY),
        ("A0", 2, DAY),
    ]
    assert [row["travel_min"] for row in visits] == [3.0, 5.0]
    assert [row["distance_km"] for row in visits] == [1.5, 2.5]
    assert [row["value_eur"] for row in visits] == [10.0, 30.0]
    first = visits[0]
    assert (first["window_start"], first["window_end"]) == (
        datetime(2026, 6, 30, 9), datetime(2026, 6, 30, 18),
    )  # fmt: skip
    assert first["start_at"] == datetime(2026, 6, 30, 9)
    empty, full = days
    assert (empty["stops"], empty["candidates"], empty["value_eur"], empty["depart_at"]) == (0, 3, 0.0, None)
    assert (empty["extra_hour_eur"], full["candidates"]) == (1.5, 3)
    assert (full["stops"], full["value_eur"], full["travel_min"], full["distance_km"]) == (
        2, 40.0, 9.0, 4.5,
    )  # fmt: skip
    route = result.plan.routes[1]
    assert route.lunch_at is not None
    length = (route.back - route.depart) / 60
    assert full["wait_min"] == pytest.approx(length - 9.0 - 30.0 - 5.0)
    assert (full["home_min"], full["home_km"]) == (1.0, 0.5)
    left = pl.DataFrame(found.left_out, schema=LEFT_OUT_COLUMNS, orient="row").to_dicts()
    assert left[0] == {
        "account_id": "A3", "rep_id": "R1", "value_eur": 0.0, "must": False, "limit": "shift",
        "reason": "too far", "no_room": True, "would_fit_rep_id": None, "would_fit_day": None,
        "after_account_id": None, "extra_min": None, "extra_cost_eur": None, "displaces": [],
        "displaced_eur": None,
    }  # fmt: skip
    assert left[1] == {
        "account_id": "A1", "rep_id": "R1", "value_eur": 20.0, "must": False, "limit": "shift",
        "reason": "would displace A0 (30.00 EUR) and change the cost of travel by +2.50 EUR", "no_room": True,
        "would_fit_rep_id": "R1", "would_fit_day": DAY, "after_account_id": "A2", "extra_min": 1.5,
        "extra_cost_eur": 2.5, "displaces": ["A0"], "displaced_eur": 30.0,
    }  # fmt: skip


def test_why_a_visit_is_left_out_in_words() -> None:
    work, result = solved()
    days = [date(2026, 6, 29), DAY]
    dear = _insight_row(work, result, Insight(2, 0, None, -5, 21.5), days)
    names = list(LEFT_OUT_COLUMNS)
    assert dear[names.index("reason")] == "its way costs 21.50 EUR, more than it is worth"
    assert (dear[names.index("no_room")], dear[names.index("extra_min")]) == (False, 0.0)
    assert dear[names.index("would_fit_day")] == date(2026, 6, 29)
    assert dear[names.index("after_account_id")] is None
    nothing = replace(work, visits=work.visits.with_columns(value_eur=pl.lit(0.0)))
    assert _insight_row(nothing, result, Insight(2, 0), days)[5] == "its visit is expected to bring nothing"
    never = _insight_row(work, result, Insight(2, None), days)
    assert never[5:8] == ("does not fit: not even two stops of any day make room for it", True, None)


def test_who_is_left_out_by_worth_and_who_is_not_due() -> None:
    work, result = solved()
    planned = read_result(work, result)
    found = collect_left_out(
        [planned], requests=asked(9, value_eur=[25.0] * 9, must=[False] * 8 + [True]),
        unplaced={7: Obstacle("position", "where?"), 8: Obstacle("territory", "nobody's")},
        early=pl.DataFrame({"row": [6], "due": [date(2026, 8, 1)]}),
    )  # fmt: skip
    assert found.select("account_id", "limit", "reason", "no_room").rows() == [
        ("A8", "territory", "nobody's", False),
        ("A6", "not due yet", "not due before 2026-08-01", False),
        ("A7", "position", "where?", False),
        ("A1", "shift", planned.left_out[1][5], True),
        ("A3", "shift", "too far", True),
    ]
    accounts = pl.Series("account_id", ["A3", "A0", "Z"])
    visits = pl.DataFrame(
        [
            ("R1", date(2026, 7, 1), 1, "A0", None, datetime(2026, 7, 1, 9)),
            ("R2", DAY, 2, "A0", None, datetime(2026, 6, 30, 12)),
        ],
        schema={name: VISIT_COLUMNS[name] for name in list(VISIT_COLUMNS)[:6]}, orient="row",
    )  # fmt: skip
    frame = by_account(accounts, visits, found)
    assert frame.rows() == [
        ("A3", None, None, None, None, "too far"),
        ("A0", "R2", DAY, 2, datetime(2026, 6, 30, 12), None),
        ("Z", None, None, None, None, None),
    ]


def test_the_key_figures_are_those_of_the_tables() -> None:
    work, result = solved()
    planned = read_result(work, result)
    visits = pl.DataFrame(planned.visits, schema=VISIT_COLUMNS, orient="row")
    days = pl.DataFrame(planned.days, schema=WORKING_DAY_COLUMNS, orient="row")
    left = collect_left_out(
        [planned], requests=asked(5, must=[False] * 4 + [True]), unplaced={4: Obstacle("shift", "x")},
        early=pl.DataFrame(schema={"row": pl.Int64, "due": pl.Date}),
    )  # fmt: skip
    found = Routes(pl.DataFrame(), visits, days, left, "made", ("one", "two")).summary()
    assert found["wait_min"] == pytest.approx(days["wait_min"].sum())
    assert {name: value for name, value in found.items() if name != "wait_min"} == {
        "visits": 2, "left_out": 3, "must_visits_missed": 1, "rep_days": 2, "visit_value_eur": 40.0,
        "distance_km": 4.5, "travel_min": 9.0, "visits_per_rep_day": 1.0, "extra_hour_eur": 1.5,
        "travel_source": "made", "notes": "one; two",
    }  # fmt: skip
    none = Routes(pl.DataFrame(), visits.clear(), days.clear(), left, "none")
    assert none.summary()["visits_per_rep_day"] is None
    assert PlannedDays([], [], [], "made").visits == []
    assert RoutePlan((Route(0, (), (), (), (), 0, 0),)).summary()["routes"] == 1
