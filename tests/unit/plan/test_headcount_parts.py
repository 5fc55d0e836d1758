"""Which rules are lifted to ask why so many people are needed, and how rows are counted: by hand."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from dealwright.errors import NoRosterError
from dealwright.plan.headcount import find_headcount
from dealwright.plan.params import PlanParams
from dealwright.plan.staffing import ScheduleParams
from dealwright.schemas import ARRIVAL_COLUMNS, STAFF_COLUMNS, AccountSchema, PlanInputs, conform

QUEUE, CALLS = "inbound_cc", "outbound_cc"


def planned(paid: list[tuple[str, int]], *, busy: tuple[str, ...] = (QUEUE, CALLS), **more: Any) -> Any:
    """Return a schedule of shifts (who, paid minutes); nine in ten incoming calls are answered in time."""
    levels = pl.DataFrame(
        {
            "channel": [*busy, "ecom_assisted"],
            "contacts": [100.0 - 40 * k for k in range(len(busy))] + [0.0],
            "service_level": [0.9 if name == QUEUE else None for name in busy] + [None],
        },
        schema_overrides={"service_level": pl.Float64},
    )  # fmt: skip
    given = {
        "shifts": pl.DataFrame(paid, schema={"rep_id": pl.String, "paid_min": pl.Int64}, orient="row"),
        "levels": levels, "proven": True, "unplaced": pl.DataFrame({"account_id": ["x", "y"]}),
        "shortage_h": 1.5,
    }  # fmt: skip
    return SimpleNamespace(**(given | more))


PLANNED = planned([("a", 480), ("b", 240), ("c", 480), ("b", 240)])


def company(**tables: Any) -> PlanInputs:
    accounts = pl.DataFrame({"account_id": ["1"], "opens_min": [600.0], "closes_min": [900.0]})
    roles = {"opens_min": "opens_min", "closes_min": "closes_min"}
    return PlanInputs(accounts, AccountSchema(roles=roles), datetime(2026, 7, 1), **tables)


def asked(data: PlanInputs, now: Any = PLANNED, **schedule: Any) -> dict[tuple[str, str | None], Any]:
    """Return each question with what would be planned: inputs and parameters."""
    questions: list[Any] = []

    def restaff(its: PlanInputs, params: PlanParams) -> Any:
        questions.append((its, params))
        return now

    with pytest.MonkeyPatch.context() as patch:  # one after the other, so that they are told apart
        patch.setattr("dealwright.plan.headcount.parallel_map", lambda ask, others, **_: [*map(ask, others)])
        table = find_headcount(now, data, PlanParams(schedule=ScheduleParams(**schedule)), restaff)
    return dict(zip(table.select("rule", "channel").rows()[1:], questions, strict=True))


def test_every_rule_of_the_planned_work_is_lifted_alone() -> None:
    found = asked(company())
    assert set(found) == {
        ("one person fewer", None), ("answering level", QUEUE), ("busy and quiet hours", QUEUE),
        ("occupancy at most", QUEUE), ("deadline of work that may wait", CALLS),
        ("occupancy at most", CALLS), ("when customers may be called", CALLS),
        ("training, meetings, absence", None), ("breaks and lunch", None), ("length of shifts", None),
    }  # fmt: skip
    params = {rule: its.schedule for (rule, _), (_, its) in found.items()}
    assert all((its.runs, its.forecast_days) == (1, 0) for its in params.values())
    assert params["answering level"].work_of(QUEUE).target_share == pytest.approx(0.0, abs=1e-6)
    assert params["answering level"].work_of(CALLS) == ScheduleParams().work_of(CALLS)
    assert found["occupancy at most", CALLS][1].schedule.work_of(CALLS).max_occupancy == 1.0
    assert params["deadline of work that may wait"].work_of(CALLS).drain_h == 1440.0
    lost = params["training, meetings, absence"]
    assert [lost.work_of(name).shrinkage for name in (QUEUE, CALLS)] == [0.0, 0.0]
    assert set(params["busy and quiet hours"].hours) == {1.0}
    assert [pattern.length_min for pattern in params["breaks and lunch"].patterns] == [480, 360, 240]
    assert {pattern.lunch_min for pattern in params["breaks and lunch"].patterns} == {0}
    added = params["length of shifts"].patterns[3:]
    lengths = [(pattern.name, pattern.length_min) for pattern in added]
    assert lengths == [("1 h", 60), ("2 h", 120), ("3 h", 180)]
    data, its = found["when customers may be called", CALLS]
    assert data.accounts.row(0) == ("1", None, None)
    rules = {item.name: item for item in its.action.catalogue.channels}
    assert rules[CALLS].quiet_hours == ()
    assert rules[QUEUE] == {item.name: item for item in PlanParams().action.catalogue.channels}[QUEUE]


def test_rules_are_lifted_only_where_the_plan_is_proven_and_the_day_not_too_long() -> None:
    only = {("one person fewer", None)}
    assert set(asked(company(), planned([("a", 60)], proven=False))) == only
    assert set(asked(company(), opens_min=0, closes_min=975, interval_min=15)) == only
    assert len(asked(company(), opens_min=0, closes_min=960)) == 10
    staff = conform(pl.DataFrame({"rep_id": ["a", "b", "c", "d"]}), STAFF_COLUMNS, "rep_id")
    assert ("rest between shifts", None) not in asked(company(staff=staff))
    week = asked(company(staff=staff), days=2)
    assert week["rest between shifts", None][1].schedule.min_rest_h == 0.0
    assert ("rest between shifts", None) not in asked(company(), days=2)
    assert ("answering level", QUEUE) not in asked(company(), planned([("a", 60)], busy=(CALLS,)))


def test_who_is_paid_least_is_left_out() -> None:
    fewer, _ = asked(company())["one person fewer", None]
    assert fewer.staff is not None
    assert fewer.staff["rep_id"].to_list() == ["b", "c"]  # a and b are paid as much
    staff = conform(pl.DataFrame({"rep_id": ["d", "c", "b"]}), STAFF_COLUMNS, "rep_id")
    now = planned([("b", 480), ("c", 300)])
    fewer, _ = asked(company(staff=staff), now)["one person fewer", None]
    assert fewer.staff is not None
    assert fewer.staff["rep_id"].to_list() == ["d", "b"]
    arrivals = pl.DataFrame({"channel": [QUEUE, QUEUE, CALLS], "contacts": [2.0, 6.0, 5.0]})
    even, _ = asked(company(arrivals=conform(arrivals, ARRIVAL_COLUMNS)))["busy and quiet hours", QUEUE]
    assert even.arrivals is not None
    assert even.arrivals["contacts"].to_list() == [4.0, 4.0, 5.0]


def test_rows_compare_with_what_is_planned() -> None:
    less = planned([("a", 480)], shortage_h=4.0, unplaced=pl.DataFrame({"account_id": ["x"] * 5}))

    def restaff(data: PlanInputs, params: PlanParams) -> Any:
        del data
        if params.schedule.work_of(QUEUE).max_occupancy == 1.0:
            raise NoRosterError("none was found")
        return less

    rows = find_headcount(PLANNED, company(), PlanParams(), restaff).rows()
    assert rows[0] == ("as planned", None, 3, 24.0, 0, 0.0, 2, 1.5, 0.9)
    assert rows[1] == ("one person fewer", None, 1, 8.0, 2, 16.0, 5, 4.0, 0.9)
    assert len(rows) == 10  # a question without an answer has no row
    nobody = planned([])
    assert find_headcount(nobody, company(), PlanParams(), restaff).is_empty()
    quiet = planned([("a", 60)], busy=(CALLS,), proven=False)
    assert find_headcount(quiet, company(), PlanParams(), lambda *_: quiet)["answered_in_time"].to_list() == [
        None, None,
    ]  # fmt: skip
