"""Drift is measured against the last run, and an alarm needs a labelled metric that got worse."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealwright.plan.drift import compare, population_stability, profile
from dealwright.plan.kpis import Target, judge


def frame(shift: float = 0.0, gold: float = 0.5, n: int = 4000) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {"spend": rng.normal(shift, 1, n), "tier": np.where(rng.random(n) < gold, "gold", "silver").tolist()}
    )


def seen(auc: float = 0.8) -> dict[str, object]:
    made = {
        "columns": profile(frame(), ["spend"], ["tier"]),
        "metrics": {"churn_auc": auc, "value_spearman": None},
    }
    return json.loads(json.dumps(made))


def test_the_same_data_do_not_drift() -> None:
    drift = compare(seen(), frame(), {"churn_auc": 0.8}, 0.02)
    assert drift.frame["psi"].max() == pytest.approx(0.0, abs=1e-9)
    assert set(drift.frame["level"]) == {"stable"}
    assert not drift.alarm


def test_large_drift_is_shown_and_alarms_only_with_a_worse_metric() -> None:
    moved = frame(shift=1.0, gold=0.9)
    calm = compare(seen(), moved, {"churn_auc": 0.79}, 0.02)
    assert calm.frame.filter(pl.col("level") == "large").height == 2
    assert not calm.alarm
    assert "not an alarm" in calm.message
    alarm = compare(seen(), moved, {"churn_auc": 0.70}, 0.02)
    assert alarm.alarm
    assert "churn_auc fell from 0.800 to 0.700" in alarm.message
    assert not compare(seen(), frame(), {"churn_auc": 0.70}, 0.02).alarm


def test_missing_values_new_categories_and_no_last_run() -> None:
    gaps = frame().with_columns(spend=pl.when(pl.int_range(pl.len()) % 2 == 0).then("spend"))
    other = gaps.with_columns(tier=pl.lit("new"))
    drift = compare(seen(), other, {}, 0.02)
    assert set(drift.frame["level"]) == {"large"}
    assert compare({}, frame(), {}, 0.02).message == "no last run to compare with"


shares = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(shares, shares)
def test_the_index_is_never_negative_and_symmetric(p: list[float], q: list[float]) -> None:
    assert population_stability(p, q) >= 0
    assert population_stability(p, q) == pytest.approx(population_stability(q, p))


def test_the_index_equals_a_hand_computed_one() -> None:
    # (.5 − .4)·ln(.5/.4) + (.5 − .6)·ln(.5/.6)
    assert population_stability([0.4, 0.6], [0.5, 0.5]) == pytest.approx(0.0405465, abs=1e-6)


def test_figures_are_judged_by_their_targets() -> None:
    targets = (
        Target("auc", at_least=0.7),
        Target("bias", at_least=-0.1, at_most=0.1),
        Target("absent", at_most=1),
    )
    kpis = judge({"auc": 0.6999, "bias": 0.05, "free": 3, "broken": float("nan"), "flag": True}, targets)
    status = {item.name: item.status for item in kpis.items}
    assert status == {
        "auc": "missed", "bias": "met", "free": "shown", "broken": "unknown", "flag": "unknown",
        "absent": "unknown",
    }  # fmt: skip
    assert [item.name for item in kpis.missed] == ["auc"]
    assert json.loads(kpis.to_json())["kpis"][3]["value"] is None


def test_figures_are_compared_with_targets_as_they_are_shown() -> None:
    # a share has one digit behind the point in per cent, an amount none
    targets = (
        Target("rejected_share", at_most=0.05),
        Target("anomaly_share", at_most=0.05),
        Target("expected_value_eur", at_least=100.0),
        Target("contacts_value_eur", at_least=100.0),
        Target("sla_probability", at_least=0.9),
    )
    values = {
        "rejected_share": 0.0504, "anomaly_share": 0.0506, "expected_value_eur": 99.6,
        "contacts_value_eur": 99.4, "sla_probability": 0.896,
    }  # fmt: skip
    kpis = judge(values, targets)
    assert [(item.name, item.status) for item in kpis.items] == [
        ("rejected_share", "met"), ("anomaly_share", "missed"), ("expected_value_eur", "met"),
        ("contacts_value_eur", "missed"), ("sla_probability", "met"),
    ]  # fmt: skip
    assert kpis.items[0].value == 0.0504
