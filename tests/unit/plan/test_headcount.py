"""Why so many people: each line is what planning with that change gives."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from dealwright.errors import NoRosterError
from dealwright.plan.headcount import find_headcount
from dealwright.plan.params import PlanParams
from dealwright.plan.pipeline import run_plan
from dealwright.plan.prediction import PredictParams
from dealwright.plan.result import Plan
from dealwright.plan.routing import RouteParams
from dealwright.plan.staffing import Schedule, ScheduleParams, ShiftPattern, Work, schedule
from dealwright.schemas import PlanInputs
from dealwright.simulation.barcelona import BarcelonaParams, generate

WORKS = {
    "inbound_cc": Work(handle_min=5.0, shrinkage=0.2),
    "outbound_cc": Work(kind="drain", handle_min=12.0, max_occupancy=0.8, shrinkage=0.3),
    "ecom_assisted": Work(kind="drain", handle_min=10.0, drain_h=2.0, between_contacts=True),
}
PARAMS = PlanParams(
    predict=PredictParams(folds=3, reasons=1),
    route=RouteParams(iterations=200),
    schedule=ScheduleParams(
        interval_min=30, runs=10, forecast_days=0, work=WORKS,
        patterns=(
            ShiftPattern("full", 510, lunch_min=30, lunch_window=(180, 300), break_windows=((90, 120),)),
            ShiftPattern("five", 300, break_windows=((120, 180),)),
        ),
    ),
    one_more=False,
)  # fmt: skip
ARRIVALS = pl.DataFrame(
    {
        "channel": ["inbound_cc"] * 20,
        "start_min": [540 + 30 * k for k in range(20)],
        "contacts": [2.0, 5, 9, 24, 30, 26, 9, 5, 4, 4, 4, 4, 5, 6, 6, 5, 4, 3, 2, 1],
    }
)


def company() -> PlanInputs:
    return replace(generate(BarcelonaParams(n=240, reps=2), seed=9).inputs, arrivals=ARRIVALS)


def plan(params: PlanParams, inputs: PlanInputs | None = None) -> Plan:
    return run_plan(inputs or company(), params, seed=2)


@pytest.fixture(scope="module")
def night() -> Plan:
    return plan(PARAMS)


def with_work(channel: str, **changes: object) -> PlanParams:
    work = {**WORKS, channel: replace(WORKS[channel], **changes)}  # type: ignore[arg-type]
    return with_schedule(work=work)


def with_schedule(**changes: object) -> PlanParams:
    return replace(PARAMS, headcount=False, schedule=replace(PARAMS.schedule, **changes))  # type: ignore[arg-type]


def figures(people: Schedule) -> dict[str, float]:
    """Return what a user reads in the summary and in the service levels of a run."""
    summary = people.summary()
    levels = people.levels.filter(pl.col("channel") == "inbound_cc", pl.col("contacts") > 0)
    in_time = (levels["contacts"] * levels["service_level"]).sum() / levels["contacts"].sum()
    return {
        "people": summary["people"], "paid_h": summary["paid_h"], "calls_unplaced": summary["calls_unplaced"],
        "shortage_h": summary["shortage_h"], "answered_in_time": in_time,
    }  # fmt: skip


CHANGED = {
    ("as planned", None): PARAMS,
    ("answering level", "inbound_cc"): with_work("inbound_cc", target_share=1e-9),
    ("occupancy at most", "inbound_cc"): with_work("inbound_cc", max_occupancy=1.0),
    ("occupancy at most", "outbound_cc"): with_work("outbound_cc", max_occupancy=1.0),
    ("deadline of work that may wait", "outbound_cc"): with_work("outbound_cc", drain_h=100.0),
    ("training, meetings, absence", None): with_schedule(
        work={name: replace(work, shrinkage=0.0) for name, work in WORKS.items()}
    ),
    ("breaks and lunch", None): with_schedule(
        patterns=(ShiftPattern("full", 480), ShiftPattern("five", 300))
    ),
    ("length of shifts", None): with_schedule(
        patterns=(*PARAMS.schedule.patterns, *(ShiftPattern(f"{k} h", 60 * k) for k in (1, 2, 3, 4)))
    ),
}


@pytest.mark.parametrize(("rule", "channel"), CHANGED)
def test_each_line_is_what_planning_without_the_rule_gives(
    night: Plan, rule: str, channel: str | None
) -> None:
    table = night.tables["headcount"]
    row = table.row(
        by_predicate=(pl.col("rule") == rule) & pl.col("channel").eq_missing(pl.lit(channel)), named=True
    )
    again = figures(plan(CHANGED[rule, channel]).schedule)
    assert {name: row[name] for name in again} == pytest.approx(again, rel=0.01)
    now = figures(night.schedule)
    assert row["people_saved"] == now["people"] - again["people"]
    assert row["paid_h_saved"] == pytest.approx(now["paid_h"] - again["paid_h"])


def test_customers_who_come_evenly_need_fewer_people(night: Plan) -> None:
    mean = float(ARRIVALS["contacts"].sum()) / ARRIVALS.height
    even = replace(company(), arrivals=ARRIVALS.with_columns(contacts=pl.lit(mean)))
    again = figures(plan(replace(PARAMS, headcount=False), even).schedule)
    row = night.tables["headcount"].row(by_predicate=pl.col("rule") == "busy and quiet hours", named=True)
    assert {name: row[name] for name in again} == pytest.approx(again, rel=0.01)
    assert row["channel"] == "inbound_cc"
    assert row["paid_h_saved"] > 1


def test_one_person_fewer_is_the_staff_without_that_person(night: Plan) -> None:
    row = night.tables["headcount"].row(by_predicate=pl.col("rule") == "one person fewer", named=True)
    people = int(night.schedule.summary()["people"])
    staff = pl.DataFrame({"rep_id": [f"P{k}" for k in range(people - 1)]})
    data = night.inputs
    again = schedule(
        data.accounts, night.accounts, PARAMS.schedule, staff=staff, arrivals=data.arrivals,
        touches=data.touches, schema=data.schema, as_of=data.as_of,
    )  # fmt: skip
    expected = figures(again)
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=0.01)
    assert row["people_saved"] == 1
    assert row["calls_unplaced"] + row["shortage_h"] > 0  # all were needed


def test_a_question_without_an_answer_in_time_has_no_row_and_ends_nothing(night: Plan) -> None:
    def restaff(data: PlanInputs, params: PlanParams) -> Schedule:
        if data.staff is not None:  # one person fewer
            raise NoRosterError("too little time")
        return night.schedule

    table = find_headcount(night.schedule, night.inputs, PARAMS, restaff)
    assert "one person fewer" in night.tables["headcount"]["rule"]
    assert table["rule"].to_list() == [
        rule for rule in night.tables["headcount"]["rule"] if rule != "one person fewer"
    ]


def test_of_a_given_staff_whoever_is_paid_least_goes(night: Plan) -> None:
    gone: list[str] = []

    def restaff(data: PlanInputs, params: PlanParams) -> Schedule:
        assert data.staff is not None
        assert params.schedule.runs == 1
        gone.extend(sorted(set(shifts["rep_id"]) - set(data.staff["rep_id"])))
        return replace(night.schedule, shifts=shifts.filter(~pl.col("rep_id").is_in(gone)))

    shifts = night.schedule.shifts
    least = shifts.group_by("rep_id").agg(pl.col("paid_min").sum()).sort("paid_min", "rep_id")["rep_id"][0]
    unproven = replace(night.schedule, proven=False)
    table = find_headcount(unproven, night.inputs, PARAMS, restaff)
    assert gone == [least]
    # where the planned shifts may be too many already, no rule is blamed for it
    assert table["rule"].to_list() == ["as planned", "one person fewer"]


def test_customers_who_may_be_called_at_any_time_need_no_more_people(night: Plan) -> None:
    table = night.tables["headcount"]
    row = table.row(by_predicate=pl.col("rule") == "when customers may be called", named=True)
    assert row["channel"] == "outbound_cc"
    assert row["paid_h_saved"] >= 0


def test_where_nobody_works_nothing_is_planned_again(night: Plan) -> None:
    def restaff(data: PlanInputs, params: PlanParams) -> Schedule:
        raise AssertionError

    nobody = replace(night.schedule, shifts=night.schedule.shifts.head(0))
    assert find_headcount(nobody, night.inputs, PARAMS, restaff).is_empty()


def test_rules_are_lifted_up_to_sixteen_hours_a_day_also_past_midnight() -> None:
    params = replace(PARAMS, schedule=replace(PARAMS.schedule, opens_min=540, closes_min=60))
    assert len(set(plan(params).tables["headcount"]["rule"])) > 2


def test_round_the_clock_only_one_person_fewer_is_planned() -> None:
    params = replace(PARAMS, schedule=replace(PARAMS.schedule, opens_min=0, closes_min=1440))
    rules = plan(params).tables["headcount"]["rule"].to_list()
    assert rules == ["as planned", "one person fewer"]
