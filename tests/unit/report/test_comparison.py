"""What changed since the last run, the outcomes of its tasks, and how figures moved."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from dealwright.report.comparison import changes_since, outcomes_of, recent_events, trend_with

OLD, NEW = datetime(2026, 6, 29), datetime(2026, 6, 30)
KINDS = {"account_id": pl.String, "rep_id": pl.String, "action": pl.String, "channel": pl.String,
         "expected_value_eur": pl.Float64}  # fmt: skip


def accounts(*rows: tuple[str, str | None, str, str | None, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=KINDS, orient="row")


def test_who_moved_comes_first_and_every_change_is_named_once() -> None:
    before = accounts(
        ("A", "R1", "visit", "field", 1.0), ("B", "R1", "visit", "field", 2.0),
        ("C", "R1", "upsell", None, 3.0),
        ("D", "R1", "visit", "field", 4.0), ("E", None, "visit", "field", 5.0),
    )  # fmt: skip
    now = accounts(
        ("A", "R2", "upsell", "ecom_self", 10.0), ("B", "R1", "visit", "outbound_cc", 20.0),
        ("C", "R1", "upsell", None, 30.0), ("E", "R1", "visit", "field", 50.0),
        ("F", "R1", "visit", "field", 60.0),
    )  # fmt: skip
    assert changes_since(before, now).rows() == [
        ("E", "representative", None, "R1", 50.0),
        ("A", "representative", "R1", "R2", 10.0),
        ("A", "action", "visit", "upsell", 10.0),
        ("B", "channel", "field", "outbound_cc", 20.0),
        ("F", "new", None, "visit", 60.0),
        ("D", "gone", "visit", None, 4.0),
    ]
    assert changes_since(before, before).is_empty()
    assert changes_since(None, now).is_empty()


def test_tasks_are_done_where_their_account_was_contacted_on_their_channel() -> None:
    day = date(2026, 6, 29)
    tasks = pl.DataFrame(
        [("A", day, "field", 100.0), ("B", day, "field", 50.0), ("C", day, "outbound_cc", 9.0),
         ("D", date(2026, 6, 30), "field", 1000.0)],
        schema=["account_id", "day", "channel", "value_eur"], orient="row",
    )  # fmt: skip
    touches = pl.DataFrame(
        [("A", datetime(2026, 6, 29, 9), "field", True), ("A", datetime(2026, 6, 29, 15), "field", False),
         ("B", datetime(2026, 6, 28, 9), "field", True), ("C", datetime(2026, 6, 29, 9), "field", True)],
        schema=["account_id", "touched_at", "channel", "response"], orient="row",
    )  # fmt: skip
    orders = pl.DataFrame(
        [("A", datetime(2026, 6, 29, 18), 70.0), ("A", datetime(2026, 6, 29, 19), 5.0),
         ("B", datetime(2026, 6, 20), 999.0), ("C", datetime(2026, 6, 30), 999.0)],
        schema=["account_id", "ordered_at", "amount_eur"], orient="row",
    )  # fmt: skip
    found = outcomes_of(tasks, touches, orders, OLD, NEW)
    assert found.rows() == [("field", 2, 1, 1, 150.0, 100.0, 75.0), ("outbound_cc", 1, 0, 0, 9.0, 0.0, 0.0)]
    assert outcomes_of(tasks, None, None, OLD, NEW)["done"].to_list() == [0, 0]
    assert outcomes_of(None, touches, orders, OLD, NEW).is_empty()


def test_an_accounts_history_is_its_latest_events_the_latest_first() -> None:
    orders = pl.DataFrame({
        "account_id": ["A"] * 4, "ordered_at": [datetime(2026, 6, day, 17, 30) for day in (1, 9, 5, 3)],
        "amount_eur": [1.0, 9.0, 5.0, 3.0],
    })  # fmt: skip
    touches = pl.DataFrame({
        "account_id": ["A", "A", "B"],
        "touched_at": [datetime(2026, 6, day) for day in (7, 8, 2)],
        "channel": ["field", None, "field"], "action": ["visit", "nothing", "visit"],
        "response": [True, False, False],
    })  # fmt: skip
    found = recent_events([orders], [touches], each=3)
    assert found.select("account_id", pl.col("at").dt.day(), "what").rows() == [
        ("A", 9, "order"), ("A", 7, "contact"), ("A", 5, "order"), ("B", 2, "contact"),
    ]  # fmt: skip
    assert found["at"][0] == datetime(2026, 6, 9)
    assert recent_events([], []).is_empty()


def test_the_trend_ends_with_this_run_and_a_repeated_run_is_there_once() -> None:
    first = trend_with([], OLD, {"x": 1.0})
    second = trend_with(first, NEW, {"x": 2.0})
    assert [item["kpis"]["x"] for item in second] == [1.0, 2.0]
    assert trend_with(second, NEW, {"x": 3.0}) == [first[0], {"as_of": NEW.isoformat(), "kpis": {"x": 3.0}}]
    many = [{"as_of": f"2026-05-{day:02}T00:00:00", "kpis": {}} for day in range(1, 31)]
    assert len(trend_with(many, NEW, {})) == 12
