"""What one more visit, hour, representative, agent or contact brings is what the plan with it brings more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from dealwright.plan.actions import ActionParams
from dealwright.plan.channels import ChannelLimit, ChannelParams
from dealwright.plan.kpis import WAITING
from dealwright.plan.params import PlanParams
from dealwright.plan.pipeline import run_plan
from dealwright.plan.prediction import PredictParams
from dealwright.plan.result import Plan
from dealwright.plan.routing import RouteParams
from dealwright.plan.staffing import ScheduleParams
from dealwright.schemas import STAFF_COLUMNS, PlanInputs, conform
from dealwright.simulation.barcelona import BarcelonaParams, generate

PARAMS = PlanParams(
    predict=PredictParams(folds=3, reasons=1),
    action=ActionParams(exploration_share=0.0, control_share=0.0),
    channel=ChannelParams(
        limits={"inbound_cc": ChannelLimit(capacity=9), "ecom_self": ChannelLimit(people=1, handle_min=200)}
    ),
    route=RouteParams(iterations=400, visits_per_day=4),
    schedule=ScheduleParams(interval_min=30, runs=10, forecast_days=0),
)


def company() -> PlanInputs:
    inputs = generate(BarcelonaParams(n=240, reps=2), seed=9).inputs
    assert inputs.reps is not None
    reps = inputs.reps.drop("visits_per_day", strict=False)
    staff = conform(
        pl.DataFrame({"rep_id": ["A1", "A2"], "skills": [["outbound_cc"], ["inbound_cc"]]}),
        STAFF_COLUMNS, "rep_id",
    )  # fmt: skip
    return replace(inputs, reps=reps, staff=staff)


def plan(inputs: PlanInputs, params: PlanParams) -> Plan:
    return run_plan(inputs, params, seed=2)


@pytest.fixture(scope="module")
def night() -> Plan:
    return plan(company(), PARAMS)


def worth(found: Plan) -> dict[str, float]:
    """Return what the tables a user reads say: contacts of today, their value, and the cost of travel."""
    cost = found.params.route.cost_eur_per_km
    kpis = found.kpis.summary()
    way = float(found.tables["rep_days"]["distance_km"].sum()) * cost
    return {
        "contacts": kpis["contacts_scheduled"],
        "contacts_value_eur": kpis["contacts_value_eur"],
        "way_cost_eur": way,
        "gain_eur": kpis["contacts_value_eur"] - way,
    }


def with_one_more(row: dict[str, Any]) -> tuple[PlanInputs, PlanParams]:
    """Change what a user would change to have one more."""
    inputs, whose = company(), pl.col("rep_id") == row["whose"]
    assert inputs.reps is not None
    assert inputs.staff is not None
    reps, staff, params = inputs.reps, inputs.staff, replace(PARAMS, one_more=False, headcount=False)
    if row["resource"] == "visit a day":
        reps = reps.with_columns(visits_per_day=pl.when(whose).then(5).cast(pl.Int64))
    elif row["resource"] == "hour of shift":
        end = pl.col("shift_end_min").fill_null(1050) if "shift_end_min" in reps.columns else pl.lit(1050)
        reps = reps.with_columns(shift_end_min=pl.when(whose).then(end + 60).otherwise(end).cast(pl.Int64))
    elif row["resource"] == "representative":
        reps = pl.concat([reps, reps.filter(whose).with_columns(rep_id=pl.lit(f"{row['whose']} (one more)"))])
    elif row["whose"] in params.channel.limits:
        limits = dict(params.channel.limits)
        if row["resource"] == "agent":
            limits[row["whose"]] = ChannelLimit(people=2, handle_min=200)
        else:
            limits[row["whose"]] = ChannelLimit(capacity=10)
        params = replace(params, channel=ChannelParams(limits=limits))
    else:
        staff = pl.concat([staff, staff.filter(whose).with_columns(rep_id=pl.lit("A1 (one more)"))])
    return replace(inputs, reps=reps, staff=staff), params


def test_each_line_is_what_planning_with_one_more_brings(night: Plan) -> None:
    table = night.tables["one_more"]
    assert table.select("resource", "whose").rows() == [
        ("visit a day", table["whose"][0]), ("hour of shift", table["whose"][1]),
        ("representative", table["whose"][2]), ("agent", "A1"), ("contact a day", "inbound_cc"),
        ("agent", "ecom_self"),
    ]  # fmt: skip
    before = worth(night)
    for row in table.iter_rows(named=True):
        after = worth(plan(*with_one_more(row)))
        for name, value in after.items():
            assert row[name] == pytest.approx(value - before[name], rel=0.01, abs=0.01), (row, name)
    assert table.filter(pl.col("resource") != "hour of shift")["gain_eur"].min() > 0.5


def test_who_is_left_out_adds_up_to_who_waits(night: Plan) -> None:
    table, accounts = night.tables["limits"], night.accounts
    waits = table.filter(state="waits")
    waiting = accounts.filter(WAITING)
    assert waits["accounts"].sum() == waiting.height == night.tables["waitlist"].height > 0
    assert waits["value_eur"].sum() == pytest.approx(waiting["expected_value_eur"].sum())
    assert waits.filter(channel="ecom_assisted")["limit"].to_list() == ["skills"]
    assert accounts.filter(WAITING & pl.col("limit").is_null()).is_empty()
    named = accounts.filter(pl.col("left_out").is_not_null())
    assert table["accounts"].sum() == named.height
    counted = table.group_by("limit").agg(pl.col("accounts").sum().cast(pl.UInt32)).sort("limit")
    assert counted.equals(named.group_by("limit").agg(accounts=pl.len()).sort("limit"))
