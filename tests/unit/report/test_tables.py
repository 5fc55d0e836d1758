"""The tables behind the report: rows that add up, and counts that mean what their heading says."""

from __future__ import annotations

import math
from datetime import date, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dealwright.report.tables import (
    add_up,
    by_action,
    by_channel,
    by_segment,
    drivers,
    rostered,
    trend_of,
    unusual,
)
from dealwright.schemas import CALL_COLUMNS, SHIFT_COLUMNS, conform

amounts = st.one_of(st.none(), st.just(math.nan), st.floats(-1e6, 1e6, allow_nan=False))


@given(st.lists(amounts, max_size=30))
def test_rows_add_up_to_the_rounded_sum_and_stay_within_a_unit(values: list[float | None]) -> None:
    rows = [{"x": value} for value in values]
    total = add_up(rows, ("x",))["x"]
    known = [value for value in values if value is not None and math.isfinite(value)]
    shown = [row["x"] for row in rows]
    for value, seen in zip(values, shown, strict=True):
        if value is None or not math.isfinite(value):
            assert seen is None
        else:
            assert seen is not None
            assert abs(seen - value) < 1
            assert seen == int(seen)
    if known:
        assert total == sum(seen for seen in shown if seen is not None) == round(math.fsum(known))
    else:
        assert total == (None if values else 0.0)


def test_the_largest_remainders_are_rounded_up() -> None:
    rows = [{"x": value} for value in (1.4, 2.7, 3.6, 0.5)]
    assert add_up(rows, ("x",)) == {"x": 8.0}
    assert [row["x"] for row in rows] == [1.0, 3.0, 4.0, 0.0]


ACCOUNTS = pl.DataFrame(
    {
        "account_id": list("ABCDE"), "account_name": ["a", "b", "c", None, "e"],
        "segment": ["Grow", "Grow", "Protect", None, "Protect"],
        "action": ["visit", "visit", "upsell", "nothing", "visit"],
        "channel": ["field", None, "outbound_cc", None, "field"],
        "waiting_for": [None, "field", None, None, None],
        "expected_value_eur": [10.0, 5.0, 2.0, 0.0, -1.0], "cost_eur": [45.0, 45.0, 5.0, 0.0, 45.0],
        "churn_probability": [0.1, 0.3, None, None, 0.5],
        "predicted_value_eur": [100.0, None, 50.0, None, 25.0],
        "is_anomaly": [True, False, True, False, False], "anomaly_score": [0.7, 0.1, 0.9, 0.0, 0.2],
        "anomaly_reasons": [["x"], [], ["y", "z"], [], []],
        "nba_churn": [0.5, -0.5, 0.1, 0.1, 0.3], "nba_segment": [0.1, 0.1, 0.1, 0.1, -0.1],
    }
)  # fmt: skip


def test_actions_say_how_many_when_and_in_money() -> None:
    rows = {row["action"]: row for row in by_action(ACCOUNTS).to_dicts()}
    assert list(rows) == ["visit", "upsell", "nothing"]
    assert rows["visit"] == {
        "action": "visit", "accounts": 3, "scheduled": 2, "waiting": 1, "gain_eur": 14.0,
        "scheduled_eur": 9.0, "waiting_eur": 5.0, "cost_eur": 90.0, "channel": "field",
    }  # fmt: skip
    assert rows["nothing"]["waiting"] == rows["nothing"]["scheduled"] == 0


def test_segments_have_means_of_what_is_known() -> None:
    rows = {row["segment"]: row for row in by_segment(ACCOUNTS).to_dicts()}
    assert list(rows) == ["Grow", "Protect", None]
    assert rows["Grow"]["churn"] == 0.2
    assert rows["Grow"]["spend_eur"] == rows["Grow"]["value_eur"] == 100.0
    assert rows["Protect"]["acted"] == 2
    assert rows["Protect"]["scheduled_eur"] == 1.0
    assert rows[None]["churn"] is rows[None]["spend_eur"] is None


def test_channels_have_what_is_scheduled_and_what_waits_for_them() -> None:
    channels = pl.DataFrame({"channel": ["field", "outbound_cc", "ecom_self"], "demand": [3, 1, 0]})
    rows = by_channel(ACCOUNTS, channels).select("channel", "scheduled_eur", "waiting_eur").rows()
    assert rows == [("field", 9.0, 5.0), ("outbound_cc", 2.0, 0.0), ("ecom_self", 0.0, 0.0)]


def test_the_most_unusual_come_first() -> None:
    assert unusual(ACCOUNTS, 5).select("account_id", "account_name", "why").rows() == [
        ("C", "c", ["y", "z"]), ("A", "a", ["x"]),
    ]  # fmt: skip
    assert unusual(ACCOUNTS, 1).height == 1


def test_drivers_are_mean_sizes_the_largest_first() -> None:
    found = drivers(ACCOUNTS)
    assert [(row["name"], round(row["size"], 6), round(row["share"], 6)) for row in found] == [
        ("churn", 0.3, 1.0), ("segment", 0.1, 0.333333),
    ]  # fmt: skip


def test_a_trend_keeps_gaps() -> None:
    assert trend_of([{"kpis": {"x": 1.0}}, {"kpis": {}}, {"kpis": {"x": 3.0}}], "x") == [1.0, None, 3.0]


def test_places_nobody_is_named_for_are_one_row_for_each_kind_of_shift() -> None:
    day, early, late = date(2026, 7, 1), datetime(2026, 7, 1, 9), datetime(2026, 7, 1, 10)
    five, night, morning = datetime(2026, 7, 1, 17), datetime(2026, 7, 1, 22), datetime(2026, 7, 2, 6)
    shifts = pl.DataFrame({
        "rep_id": ["agent 1", "agent 2", "agent 3", "Ada", "agent 4"], "day": [day] * 5,
        "start_at": [early, early, early, early, night], "end_at": [five, five, five, five, morning],
        "breaks": [[late], [late], [], [late], []], "channels": [["outbound_cc"]] * 5,
    })  # fmt: skip
    calls = [("agent 1", early), ("agent 1", late), ("agent 2", late), ("Ada", late),
             ("agent 4", datetime(2026, 7, 2, 1)), ("agent 4", datetime(2026, 7, 2, 6))]  # fmt: skip
    made = rostered(
        conform(shifts, SHIFT_COLUMNS),
        conform(pl.DataFrame(calls, schema=["rep_id", "start_at"], orient="row"), CALL_COLUMNS),
        {"Ada"},
    )
    shown = [
        (row["rep_id"], row["calls"], [tuple(place.values()) for place in row["places"]]) for row in made
    ]
    assert shown == [
        ("Ada", 1, []),
        ("agent 1", 3, [("agent 1", 2), ("agent 2", 1)]),
        ("agent 3", 0, [("agent 3", 0)]),
        ("agent 4", 1, [("agent 4", 1)]),  # a call after midnight is its own, one after the shift is not
    ]
