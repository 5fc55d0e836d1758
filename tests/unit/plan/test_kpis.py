"""Key figures: what they are held against by default, and that each is what the frames say."""

from __future__ import annotations

from dataclasses import replace
from math import isclose

import polars as pl
import pytest

from dealwright.plan.channels import ChannelLimit, ChannelParams
from dealwright.plan.kpis import DEFAULT_TARGETS, KPIS, Target, judge
from dealwright.plan.params import PlanParams
from dealwright.plan.pipeline import run_plan
from dealwright.plan.prediction import PredictParams
from dealwright.plan.result import Plan
from dealwright.plan.routing import RouteParams
from dealwright.plan.staffing import ScheduleParams
from dealwright.simulation.barcelona import BarcelonaParams, generate

PARAMS = PlanParams(
    predict=PredictParams(folds=3, reasons=1),
    channel=ChannelParams(limits={"ecom_self": ChannelLimit(capacity=9)}),
    route=RouteParams(iterations=200, visits_per_day=3),
    schedule=ScheduleParams(interval_min=30, runs=10, forecast_days=0),
    one_more=False,
)


def test_the_default_targets() -> None:
    assert set(DEFAULT_TARGETS) == {
        Target("rejected_share", None, 0.02),
        Target("orders_age_days", None, 7.0),
        Target("churn_auc", 0.7, None),
        Target("churn_ece", None, 0.05),
        Target("value_spearman", 0.3, None),
        Target("value_gini", 0.5, None),
        Target("value_total_bias", -0.1, 0.1),
        Target("anomaly_share", None, 0.05),
        Target("expected_value_eur", 0.0, None),
    }


def test_names_are_told_apart_and_every_direction_is_one() -> None:
    assert len({item.name for item in KPIS}) == len(KPIS)
    assert {item.direction for item in KPIS} == {"higher", "lower", "zero", ""}


@pytest.fixture(scope="module")
def night() -> Plan:
    inputs = generate(BarcelonaParams(n=240, reps=2), seed=9).inputs
    assert inputs.reps is not None
    return run_plan(replace(inputs, reps=inputs.reps.drop("visits_per_day", strict=False)), PARAMS, seed=2)


def test_each_figure_is_what_the_tables_say(night: Plan) -> None:
    accounts, tables, figures = night.accounts, night.tables, night.kpis.summary()
    today = accounts.filter(pl.col("channel").is_not_null())
    wait = accounts.filter(pl.col("action") != "nothing", pl.col("channel").is_null())
    assert wait.height > 0
    days, visits = tables["rep_days"], tables["visits"]
    expected = {
        "accounts": accounts.height,
        "accounts_with_action": int((accounts["action"] != "nothing").sum()),
        "expected_value_eur": accounts["expected_value_eur"].sum(),
        "contacts_scheduled": today.height,
        "contacts_value_eur": today["expected_value_eur"].sum(),
        "contacts_cost_eur": today["cost_eur"].sum(),
        "waiting_value_eur": wait["expected_value_eur"].sum(),
        "backlog": wait.height,
        "anomaly_share": accounts["is_anomaly"].mean(),
        "mean_churn_probability": accounts["churn_probability"].mean(),
        "predicted_value_eur": accounts["predicted_value_eur"].sum(),
        "explore_share": accounts["explore"].mean(),
        "control_share": accounts["control"].mean(),
        "visits": visits.height,
        "visit_value_eur": visits["value_eur"].sum(),
        "distance_km": days["distance_km"].sum(),
        "travel_min": days["travel_min"].sum(),
        "calls": tables["calls"].height,
        "calls_unplaced": tables["calls_unplaced"].height,
    }
    for name, value in expected.items():
        assert isclose(figures[name], float(value), rel_tol=1e-6, abs_tol=1e-6), name


def test_only_large_drift_counts(night: Plan) -> None:
    levels = night.drift.frame["level"]
    assert night.kpis.summary()["columns_drifted"] == levels.to_list().count("large")
    params = replace(PARAMS, headcount=False)
    same = run_plan(night.inputs, params, seed=2, previous=night.as_previous())
    assert same.kpis.summary()["columns_drifted"] == 0
    grown = night.inputs.accounts.with_columns(pl.col(pl.Float64).exclude("lat_deg", "lon_deg") * 50)
    moved = run_plan(replace(night.inputs, accounts=grown), params, seed=2, previous=night.as_previous())
    large = moved.drift.frame["level"].to_list().count("large")
    assert large > 0
    assert moved.kpis.summary()["columns_drifted"] == large


@pytest.mark.parametrize(
    ("value", "low", "high", "status"),
    [
        (0.7, 0.7, None, "met"), (0.6996, 0.7, None, "met"), (0.6994, 0.7, None, "missed"),
        (0.05, None, 0.05, "met"), (0.0504, None, 0.05, "met"), (0.0506, None, 0.05, "missed"),
        (0.5, 0.4, 0.6, "met"), (0.3, 0.4, 0.6, "missed"), (0.7, 0.4, 0.6, "missed"),
        (None, 0.4, None, "unknown"), (float("nan"), 0.4, None, "unknown"),
        (float("inf"), None, 1.0, "unknown"), (True, 0.4, None, "unknown"), ("much", 0.4, None, "unknown"),
        (2, 1.0, None, "met"),
    ],
)  # fmt: skip
def test_a_figure_is_judged_as_it_is_shown(
    value: object, low: float | None, high: float | None, status: str
) -> None:
    """Scores have three digits: .6996 is shown as .700, which meets .7."""
    name = "churn_ece" if low is None else "churn_auc"
    (found,) = judge({name: value}, [Target(name, low, high)]).items
    assert found.status == status
    assert (found.value is None) == (status == "unknown")


def test_a_figure_without_a_target_is_shown_and_a_target_without_a_figure_is_unknown() -> None:
    shown, unknown = judge({"churn_auc": 0.8}, [Target("value_gini", 0.5, None)]).items
    assert (shown.name, shown.status, shown.value) == ("churn_auc", "shown", 0.8)
    assert (unknown.name, unknown.status, unknown.value) == ("value_gini", "unknown", None)


def test_a_table_that_is_not_there_has_no_age(night: Plan) -> None:
    assert night.kpis.summary()["orders_age_days"] >= 0
    without = run_plan(replace(night.inputs, orders=None, touches=None), PARAMS, seed=2)
    (unknown,) = [item for item in without.kpis.items if item.name.endswith("_age_days")]
    assert (unknown.name, unknown.value, unknown.status) == ("orders_age_days", None, "unknown")
