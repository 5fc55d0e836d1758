"""What holds the stages of a night together: traces, tasks, settled visits, joined frames; by hand."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.plan.actions.catalogue_file import default_catalogue
from dealwright.plan.channels import ChannelLimit, ChannelParams
from dealwright.plan.coordination import _limited, settle_visits
from dealwright.plan.drift import compare, measure_drift, profile
from dealwright.plan.kpis import GROUPS, Kpi, Kpis, as_shown, definition_of, judge
from dealwright.plan.one_more import _most, _with_another, _with_more
from dealwright.plan.params import PlanParams
from dealwright.plan.pipeline import _count, _hash_inputs, _names, join_results, with_costs
from dealwright.plan.routing import RouteParams
from dealwright.plan.tasks import day_tasks
from dealwright.plan.trace import StageRecord, Tracer, generator, hash_frame, hash_params, hash_text
from dealwright.schemas import (
    ACCOUNT_RESULT_COLUMNS,
    BRIEF_COLUMNS,
    CALL_COLUMNS,
    COMMITMENT_COLUMNS,
    LEFT_OUT_COLUMNS,
    TIMESTAMP,
    VISIT_COLUMNS,
    WORKING_DAY_COLUMNS,
    AccountSchema,
    Columns,
    PlanInputs,
)

AS_OF = datetime(2026, 6, 29)
DAY = date(2026, 6, 30)


def table(columns: Columns, *rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(columns), **row} for row in rows], schema=columns)


# traces


@dataclass(frozen=True)
class Found:
    """A stage's result: three rows, and what it drew."""

    drawn: float

    @property
    def frame(self) -> pl.DataFrame:
        return pl.DataFrame({"account_id": ["A", "B", "C"], "drawn": [self.drawn] * 3})

    def summary(self) -> dict[str, Any]:
        return {"drawn": self.drawn}


def draw(*_: Any, rng: np.random.Generator) -> Found:
    return Found(float(rng.random()))


def test_every_stage_draws_from_a_stream_of_its_own_and_leaves_a_record(caplog: Any) -> None:
    shown: list[tuple[str, int, int]] = []
    tracer = Tracer(7, "input", 2, lambda *step: shown.append(step))
    with caplog.at_level(logging.INFO, "dealwright.plan"):
        first = tracer.run("a", 5, draw, "frame", RouteParams())
        second, again = tracer.run("b", 5, draw), tracer.run("a", 5, draw)
    tracer.finish()
    assert first.drawn == again.drawn == float(generator(7, "a").random()) != second.drawn
    assert first.drawn != float(generator(8, "a").random())
    assert shown == [("a", 0, 2), ("b", 1, 2), ("a", 1, 2), ("", 2, 2)]
    records = tracer.records
    assert [(record.stage, record.rows_in, record.rows_out) for record in records] == [
        ("a", 5, 3), ("b", 5, 3), ("a", 5, 3),
    ]  # fmt: skip
    assert records[0].params_hash == hash_params(RouteParams()) != hash_params(RouteParams(days=2))
    assert records[1].params_hash == ""
    assert records[0].input_hash == hash_text("input")
    assert records[1].input_hash == hash_text(f"input|{records[0].output_hash}")
    assert records[0].output_hash == hash_frame(first.frame)
    assert records[0].summary == {"drawn": first.drawn}
    assert 0 <= records[0].seconds < 5
    line = json.loads(caplog.records[0].message)
    assert (line["event"], line["stage"], line["rows_out"]) == ("stage finished", "a", 3)
    assert "summary" not in line
    # tasks are those of a cluster: there are none
    assert list(json.loads(records[0].to_json())) == sorted(vars(records[0]).keys() - {"tasks"})
    quiet = Tracer(7, "input", 2, lambda *step: shown.append(step), quiet=True)
    assert quiet.run("a", 5, draw).drawn == first.drawn
    assert (quiet.records, len(shown)) == ([], 4)


def test_hashes_tell_frames_apart() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert hash_text("x") == hashlib.sha256(b"x").hexdigest()[:16]
    assert hash_frame(None) == ""
    assert hash_frame(frame.clear()) == hash_text("a,b")
    others = (frame.reverse(), frame.rename({"b": "c"}), frame.with_columns(a=pl.Series([1, 3])), frame)
    assert len({hash_frame(other) for other in others}) == 4
    nested = frame.with_columns(c=pl.Series([[1], [2]]))
    assert hash_frame(nested) == hash_frame(frame)
    given = PlanInputs(frame, AccountSchema(), AS_OF)
    other = [
        replace(given, as_of=datetime(2026, 6, 30)), replace(given, schema=AccountSchema(numeric=("a",))),
        *(
            replace(given, **{name: frame})
            for name in (
                "orders", "touches", "reps", "history", "staff", "promises", "frequencies", "call_backs",
                "arrivals",
            )
        ),
    ]  # fmt: skip
    land = SimpleNamespace(wkb_hex="00")
    hashes = [_hash_inputs(one, 1, None) for one in (given, *other)]
    hashes += [_hash_inputs(given, 2, None), _hash_inputs(given, 1, land)]
    assert len(set(hashes)) == len(hashes)


# frames


def test_of_results_with_the_same_column_the_later_one_counts() -> None:
    ids = pl.Series("account_id", ["A", "B"])
    first = SimpleNamespace(frame=pl.DataFrame({"account_id": ids, "channel": ["x", "y"], "own": [1, 2]}))
    later = SimpleNamespace(frame=pl.DataFrame({"account_id": ids, "channel": ["z", None]}))
    found = join_results(ids, first, None, later)
    assert found["channel"].to_list() == ["z", None]
    assert found["own"].to_list() == [1, 2]
    assert found.columns == [*ACCOUNT_RESULT_COLUMNS, "own"]
    assert found["nba_score"].null_count() == 2
    swapped = SimpleNamespace(frame=first.frame.reverse())
    with pytest.raises(AssertionError, match="SimpleNamespace holds other accounts"):
        join_results(ids, swapped)


def test_a_contact_costs_its_action_and_its_channel_and_waiting_nothing() -> None:
    catalogue = default_catalogue()
    action, channel = catalogue.actions[0], catalogue.channels[0]
    assert action.cost_eur + channel.cost_eur > 0
    accounts = pl.DataFrame(
        {
            "action": [action.name, action.name, "call_back"],
            "channel": [channel.name, None, channel.name],
        }
    )
    found = with_costs(accounts, catalogue)["cost_eur"].to_list()
    assert found == pytest.approx([action.cost_eur + channel.cost_eur, 0.0, channel.cost_eur])


def test_accounts_are_called_as_their_column_says() -> None:
    accounts = pl.DataFrame({"account_id": ["A", "B"], "shop": [1, 2]})
    named = PlanInputs(accounts, AccountSchema(roles={"name": "shop"}), AS_OF)
    assert (_names(named).name, _names(named).to_list()) == ("account_name", ["1", "2"])
    nameless = _names(PlanInputs(accounts, AccountSchema(), AS_OF))
    assert (nameless.name, nameless.to_list()) == ("account_name", [None, None])
    assert (_count(None), _count(accounts)) == (0, 2)


# visits that are settled


def test_what_the_routes_hold_is_settled_and_what_they_refuse_is_closed() -> None:
    before = table(
        COMMITMENT_COLUMNS,
        {"account_id": "P", "channel": "field", "kind": "promised"},
        {"account_id": "D", "channel": "field", "kind": "due"},
        {"account_id": "E", "channel": "field", "kind": "due"},
        {"account_id": "C", "channel": "outbound_cc", "kind": "promised"},
        {"account_id": "R", "channel": "field", "kind": "due"},
    )
    visits = table(VISIT_COLUMNS, *({"account_id": name} for name in ("D", "V", "D", "C")))
    left_out = table(
        LEFT_OUT_COLUMNS,
        {"account_id": "P", "reason": "too far", "no_room": False},
        {"account_id": "Q", "reason": "no road", "no_room": False},
        {"account_id": "Q", "reason": "a second time", "no_room": False},
        {"account_id": "R", "reason": "full", "no_room": True},
    )
    found = settle_visits(before, SimpleNamespace(visits=visits, left_out=left_out))
    assert found.rows() == [
        ("P", "field", "promised", None), ("C", "outbound_cc", "promised", None),
        ("D", "field", "planned", "its visit was due"), ("V", "field", "planned", None),
        ("Q", "field", "closed", "no road"), ("E", "field", "due", None), ("R", "field", "due", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, False), ({"outbound_cc": ChannelLimit(capacity=4)}, False),
        ({"field": ChannelLimit(capacity=0)}, True),
        ({"field": ChannelLimit(people=2, handle_min=30)}, True),
    ],
)  # fmt: skip
def test_visits_are_limited_where_the_parameters_say_how_many(
    limits: dict[str, ChannelLimit], said: bool
) -> None:
    assert _limited(ChannelParams(limits=limits)) is said


def test_one_more_is_added_to_one_person_only() -> None:
    reps = pl.DataFrame({"rep_id": ["R2", "R1", "R3"], "visits_per_day": [4, None, 6]})
    found = _with_more(reps, "R1", {"visits_per_day": (10, 1), "shift_end_min": (1050, 60)})
    assert found["visits_per_day"].to_list() == [4, 11, 6]
    assert found["shift_end_min"].to_list() == [None, 1110, None]
    again = _with_another(found, "R3")
    assert again["rep_id"].to_list() == ["R2", "R1", "R3", "R3 (one more)"]
    assert again.row(3)[1:] == found.row(2)[1:]
    worth = pl.DataFrame({"rep_id": ["R2", "R1", "R3"], "eur": [5.0, 5.0, None]})
    assert _most(worth, "eur") == "R1"
    assert _most(worth.with_columns(eur=pl.Series([7.0, 5.0, None])), "eur") == "R2"


# tasks


def night(**parts: Any) -> Any:
    """Return a plan with a visit, a call on a later day, a call back, and contacts without a time."""
    accounts = pl.DataFrame(
        {
            "account_id": ["V", "C", "B", "E", "L", "W", "N"],
            "account_name": ["Vera", None, "Bea", "Eva", "Lea", "Wim", "Nil"],
            "action": ["visit", "call", "nothing", "offer", "offer", "offer", "nothing"],
            "channel": ["field", "outbound_cc", None, "ecom_self", "ecom_self", None, "ecom_self"],
            "rep_id": ["R1"] * 7,
            "contact_from": pl.Series([None] * 4 + [datetime(2026, 7, 2, 8)] + [None] * 2, dtype=TIMESTAMP),
            "expected_value_eur": [9.0, 8.0, 0.0, 7.0, 6.0, 5.0, 0.0],
        }
    )
    drawn = pl.DataFrame(
        {
            "account_id": accounts["account_id"],
            "action": ["visit", "call", "nothing", "other", "offer", "offer", "nothing"],
            "channel": ["field", "field", None, "ecom_self", "ecom_self", "field", None],
            "cost_eur": [1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 0.0],
            "option_propensity": [0.1, 0.2, 1.0, 0.3, 0.4, 0.5, 1.0],
            "reasons": [["a", "b", "c", "d"], [], ["x"], ["y"], None, ["z"], []],
        }
    )
    visit = {
        "account_id": "V", "rep_id": "R1", "day": DAY, "stop": 1, "start_at": datetime(2026, 6, 30, 9),
        "leave_at": datetime(2026, 6, 30, 10), "value_eur": 9.0,
    }  # fmt: skip
    calls = [
        {"account_id": "C", "rep_id": "A1", "start_at": datetime(2026, 7, 1, 9), "value_eur": 8.0},
        {"account_id": "C", "rep_id": "A2", "start_at": datetime(2026, 7, 1, 11), "value_eur": 8.0},
        {"account_id": "B", "rep_id": "A1", "start_at": datetime(2026, 6, 30, 11), "value_eur": 0.0},
    ]  # fmt: skip
    calls = [{"channel": "outbound_cc", **call} for call in calls]
    brief = {
        "account_id": "V",
        "start_at": datetime(2026, 6, 30, 9),
        "markdown": "## Vera",
        "why": "Grows.",
        "careful": "",
        "more": ["Tier: gold."],
    }
    tables = {
        "visits": table(VISIT_COLUMNS, visit), "calls": table(CALL_COLUMNS, *calls),
        "rep_days": table(WORKING_DAY_COLUMNS, {"day": date(2026, 7, 1)}),
        "briefs": table(BRIEF_COLUMNS, brief, {**brief, "markdown": "twice"}),
    }  # fmt: skip
    given = {
        "accounts": accounts, "actions": SimpleNamespace(frame=drawn), "tables": tables, "routes": object(),
        "account_parts": lambda: accounts.with_columns(drawn["reasons"]).iter_slices(3),
        "briefs": SimpleNamespace(parts=lambda: tables["briefs"].iter_slices(1)),
        "inputs": PlanInputs(
            pl.DataFrame({"account_id": ["V"], "street": ["Main 1"], "tel": [123456], "lat_deg": [41.5],
                          "lon_deg": [2.5]}),
            AccountSchema(roles={"address": "street", "phone": "tel"}, has_position=True), AS_OF,
        ), "params": PlanParams(),
    }  # fmt: skip
    return SimpleNamespace(**(given | parts))


def test_tasks_are_what_has_a_place_once_a_day_with_what_was_decided() -> None:
    found = day_tasks(night())
    assert (found.first_day, found.last_day, found.as_of) == (DAY, date(2026, 7, 1), AS_OF)
    rows = found.frame.select(
        "account_id", "day", "action", "channel", "rep_id", "account_name", "value_eur", "cost_eur",
        "propensity", "reason", "brief",
    ).rows()  # fmt: skip
    first, second, later = DAY, date(2026, 7, 1), date(2026, 7, 2)
    assert rows == [
        # a promised call to somebody for whom nothing was chosen
        ("B", first, "call_back", "outbound_cc", "A1", "Bea", 0.0, None, None, "x", None),
        ("V", first, "visit", "field", "R1", "Vera", 9.0, 1.0, 0.1, "a; b; c", "## Vera"),
        # another action than the one drawn: with what probability nobody knows
        ("E", first, "offer", "ecom_self", None, "Eva", 7.0, None, None, "y", None),
        ("C", second, "call", "outbound_cc", "A1", None, 8.0, None, None, None, None),
        ("L", later, "offer", "ecom_self", None, "Lea", 6.0, 4.0, 0.4, None, None),
    ]
    visit = found.frame.row(1, named=True)
    assert (visit["stop"], visit["end_at"]) == (1, datetime(2026, 6, 30, 10))
    # what is not known is not there
    assert json.loads(visit["card"]) == {
        "address": "Main 1",
        "phone": "123456",
        "lat_deg": 41.5,
        "lon_deg": 2.5,
        "why": "Grows.",
        "more": ["Tier: gold."],
    }
    assert found.frame["card"].null_count() == found.frame.height - 1
    late = found.frame.row(4, named=True)
    assert late["window_start"] == datetime(2026, 7, 2, 8)
    assert day_tasks(night()).run_id == found.run_id
    # where nobody plans routes, visits have no time, but somebody who makes them
    without = night(routes=None)
    without.tables["visits"] = without.tables["visits"].clear()
    (visit,) = day_tasks(without).frame.filter(channel="field").to_dicts()
    assert (visit["rep_id"], visit["start_at"], visit["day"]) == ("R1", None, DAY)


# figures and drift


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("rejected_share", 0.05149, 0.051), ("sla_probability", 0.896, 0.9), ("churn_auc", 0.71449, 0.714),
        ("expected_value_eur", 99.5, 100.0), ("shortage_h", 1.25, 1.2), ("churn_lift", 1.23456, 1.23456),
        ("territory_max_deviation_pct", 5.06, 5.1), ("made_up", 1.23456, 1.23456), ("churn_auc", None, None),
    ],
)  # fmt: skip
def test_a_figure_is_rounded_as_it_is_written(name: str, value: float | None, shown: float | None) -> None:
    assert as_shown(name, value) == shown


def test_figures_stand_under_their_heading_in_the_order_they_are_read() -> None:
    names = ("churn_auc", "visits", "expected_value_eur", "accounts_with_action", "rejected_share", "made_up")
    kpis = judge(dict.fromkeys(names, 0.5), ())
    assert [item.name for item in kpis.in_group(GROUPS[0])] == ["accounts_with_action", "expected_value_eur"]
    assert [item.name for item in kpis.in_group(GROUPS[2])] == ["churn_auc", "rejected_share"]
    assert definition_of("made_up").label == "made up"
    page = Kpis((*kpis.items, Kpi("people", None, None, None, "unknown")))._repr_html_()
    assert "no target is missed" in page
    assert "churn ranking (AUC)" in page
    assert "people" not in page
    missed = Kpis((Kpi("visits", 1.0, 2.0, None, "missed"),))
    assert "missed: visits planned" in missed._repr_html_()
    assert missed.summary() == {"visits": 1.0}
    assert missed.to_json().startswith('{\n  "kpis": [\n    {\n      "name": "visits",\n      "value": 1.0,')


def test_a_profile_is_tenths_and_shares_with_what_is_missing() -> None:
    frame = pl.DataFrame(
        {
            "x": [*map(float, range(1, 21)), None], "none": pl.Series([None] * 21, dtype=pl.Float64),
            "tier": ["a"] * 10 + ["b"] * 5 + ["c"] * 5 + [None],
        }
    )  # fmt: skip
    found = profile(frame, ["x", "none"], ["tier"])
    assert list(found) == ["x", "tier"]
    assert found["x"]["edges"] == pytest.approx(np.quantile(np.arange(1, 21), np.arange(1, 10) / 10))
    assert found["x"]["shares"] == pytest.approx([2 / 21] * 10 + [1 / 21])
    assert found["tier"]["values"] == ["a", "b", "c"]
    assert found["tier"]["shares"] == pytest.approx([10 / 21, 5 / 21, 5 / 21, 0.0, 1 / 21])
    many = pl.DataFrame({"city": [f"{k:02}" for k in range(52) for _ in range(1 + (k == 51))]})
    kept = profile(many, [], ["city"])["city"]
    assert kept["values"] == ["51", *(f"{k:02}" for k in range(49))]
    assert kept["shares"][-2:] == pytest.approx([2 / 53, 0.0])
    # a value at an edge belongs to the bin below it
    was = {"columns": {"x": {"edges": [2.0], "shares": [0.5, 0.5, 0.0]}}}
    now = compare(was, pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]}), {}, 0.1)
    assert now.frame["psi"].item() == pytest.approx(0.0)


@pytest.mark.parametrize(("gold", "level"), [(0.65, "stable"), (0.66, "moderate"), (0.75, "large")])
def test_drift_is_moderate_from_a_tenth_and_large_from_a_quarter(gold: float, level: str) -> None:
    """(p − q) · ln(p / q) summed over half and half: .0929, .1061 and .2747."""
    was = {"columns": {"tier": {"values": ["gold"], "shares": [0.5, 0.5, 0.0]}}}
    n = round(100 * gold)
    found = compare(was, pl.DataFrame({"tier": ["gold"] * n + ["tin"] * (100 - n)}), {}, 0.1).frame
    assert found["level"].item() == level
    assert found["psi"].item() == pytest.approx((2 * gold - 1) / 2 * np.log(gold / (1 - gold)) * 1.0)


def test_a_metric_got_worse_by_more_than_what_is_allowed() -> None:
    was = {
        "columns": {
            "tier": {"values": ["gold"], "shares": [1.0, 0.0, 0.0]},
            "x": {"edges": [0.0], "shares": [1.0, 0.0, 0.0]}, "gone": {"edges": [0.0], "shares": [1, 0, 0]},
        },
        "metrics": {"churn_auc": 0.75, "value_spearman": 0.5},
    }  # fmt: skip
    frame = pl.DataFrame({"tier": ["tin"], "x": [-1.0]})
    same = compare(was, frame, {"churn_auc": 0.5, "value_spearman": 0.5}, 0.25)
    assert not same.alarm
    assert same.frame["column"].to_list() == ["tier", "x"]
    assert same.message == "tier moved, but no labelled metric got worse: shown, not an alarm"
    worse = compare(was, frame, {"churn_auc": 0.499, "value_spearman": None}, 0.25)
    assert worse.message == (
        "tier moved and churn_auc fell from 0.750 to 0.499: look at the data before using the plan"
    )
    calm = compare(was, frame.with_columns(tier=pl.lit("gold")), {"churn_auc": 0.1}, 0.25)
    assert (calm.alarm, calm.message) == (False, "no column moved much since the last run")


def test_features_and_scores_are_watched() -> None:
    accounts = pl.DataFrame({"account_id": ["A", "B"], "spend": [1.0, 2.0], "tier": ["x", "y"]})
    schema = AccountSchema(numeric=("spend",), categorical={"tier": None})
    scores = ("churn_probability", "predicted_value_eur", "anomaly_score", "nba_score")
    drift, kept = measure_drift(
        PlanInputs(accounts, schema, AS_OF), pl.DataFrame({name: [0.1, 0.2] for name in scores}),
        {"churn_auc": 0.8, "other": 1.0}, None, 0.1,
    )  # fmt: skip
    assert set(kept["columns"]) == {"spend", "tier", *scores}
    assert kept["metrics"] == {"churn_auc": 0.8, "value_spearman": None}
    assert drift.message == "no last run to compare with"
    assert StageRecord("a", 1, 1, 0.0, "", "", "", {}).to_json().startswith('{"input_hash"')
