"""How accounts are described at a moment, and which cases follow: contacts, dates and history by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.prediction.cases import OrderTask, _sampled, _subset, order_cases
from dealwright.plan.prediction.features import _touch_columns, known_columns, snapshot
from dealwright.plan.prediction.ledger import Ledger
from dealwright.plan.prediction.order_features import order_columns
from dealwright.schemas import TIMESTAMP, AccountSchema, PlanInputs

AS_OF = datetime(2026, 7, 1)


def days_ago(*days: float | None) -> pl.Series:
    return pl.Series([None if day is None else AS_OF - timedelta(days=day) for day in days], dtype=TIMESTAMP)


def test_contacts_are_counted_and_answers_drawn_to_everybodys() -> None:
    """Of the six contacts before the moment, four have a known answer, of which three are yes."""
    touches = pl.DataFrame(
        {
            "account_id": ["a", "a", "a", "b", "b", "b", "c", "c"],
            "touched_at": days_ago(0.0, 30.0, 200.0, 29.5, 95.0, 5.0, -0.1, 3.0),
            "action": ["call", "call", "visit", "call", "call", "nothing", "call", "call"],
            "response": [True, False, True, True, None, True, False, None],
        }
    )
    found = _touch_columns(touches, pl.Series(["a", "b", "c", "d"]), AS_OF)
    assert found["touches.count"].to_list() == [3, 2, 1, 0]
    assert found["touches.days_since_last"].to_list() == [0.0, 29.5, 3.0, None]
    assert found["touches.count_30d"].to_list() == [1, 1, 1, 0]
    assert found["touches.count_90d"].to_list() == [2, 1, 1, 0]
    assert found["touches.count_180d"].to_list() == [2, 2, 1, 0]
    # two contacts more with everybody's rate of three quarters
    assert found["touches.response_share"].to_list() == [
        pytest.approx((2 + 1.5) / 5), pytest.approx((1 + 1.5) / 3), pytest.approx(0.75), None,
    ]  # fmt: skip
    unanswered = touches.with_columns(response=pl.lit(None, pl.Boolean))
    assert _touch_columns(unanswered, pl.Series(["a"]), AS_OF)["touches.response_share"].to_list() == [0.0]


def company(**tables: Any) -> PlanInputs:
    accounts = pl.DataFrame(
        {
            "account_id": ["a", "b", "c"], "size": [1.0, 2.0, 3.0], "since": days_ago(10.0, 100.0, None),
            "ends": days_ago(-20.0, 5.0, None), "told": ["x", "y", "z"], "told_at": days_ago(3.0, 60.0, None),
            "preferred_channel": ["field", None, "field"],
        }
    )  # fmt: skip
    schema = AccountSchema(
        numeric=("size",), categorical={"told": None}, dates=("since", "ends"), dates_ahead=("ends",),
        known_from={"since": "always", "ends": AS_OF - timedelta(days=50), "told": "told_at"},
        has_preferred_channel=True,
    )  # fmt: skip
    return PlanInputs(accounts, schema, AS_OF, **tables)


def test_columns_are_known_always_from_a_day_or_row_by_row() -> None:
    schema = company().schema
    everything = {"size", "told", "since", "ends", "preferred_channel"}
    assert known_columns(schema, AS_OF, AS_OF) == dict.fromkeys(everything)
    day = timedelta(days=1)
    assert known_columns(schema, AS_OF - 50 * day, AS_OF) == {
        "since": None, "ends": None, "told": "told_at",
    }  # fmt: skip
    assert "ends" not in known_columns(schema, AS_OF - 51 * day, AS_OF)


def test_an_account_is_described_as_it_was() -> None:
    rng = np.random.default_rng(0)
    today = snapshot(company(), None, AS_OF, 30, rng)
    assert today.features["days_since_since"].to_list() == [10.0, 100.0, None]
    assert today.features["days_until_ends"].to_list() == [20.0, -5.0, None]
    assert today.known.tolist() == [True] * 3
    history = pl.DataFrame(
        {
            "account_id": ["a", "a", "b", "a"], "snapshot_at": days_ago(45.0, 40.0, 39.0, 70.0),
            "size": [7.0, 8.0, 9.0, 6.0],
        }
    )  # fmt: skip
    before = snapshot(company(history=history), None, AS_OF - timedelta(days=40), 30, rng)
    assert before.features["size"].to_list() == [8.0, None, None]
    assert before.features["told"].to_list() == [None, "y", None]
    assert before.features["days_since_since"].to_list() == [None, 60.0, None]
    assert before.features["days_until_ends"].to_list() == [60.0, 35.0, None]
    assert before.refused == ("preferred_channel",)
    assert before.known.tolist() == [True, False, False]
    touches = pl.DataFrame(
        {"account_id": ["c"], "touched_at": days_ago(41.0), "action": ["call"], "response": [None]},
        schema_overrides={"response": pl.Boolean},
    )
    assert snapshot(
        company(history=history, touches=touches), None, AS_OF - timedelta(days=40), 30, rng
    ).known.tolist() == [True, False, True]


def ledger(*orders: tuple[str, float, float], accounts: str = "abc") -> Ledger:
    frame = pl.DataFrame(
        {
            "account_id": [name for name, _, _ in orders],
            "ordered_at": days_ago(*(day for _, day, _ in orders)),
            "amount_eur": [amount for _, _, amount in orders],
        },
        schema_overrides={"account_id": pl.String, "amount_eur": pl.Float64},
    )
    return Ledger.of(frame, pl.Series("account_id", list(accounts)))


def test_where_nobody_came_again_a_gap_is_a_horizon() -> None:
    found = order_columns(ledger(("a", 20.5, 5.0), ("b", 10.5, 5.0)).by_day(AS_OF), 40)
    assert found["orders.own_gap_days"].to_list() == [40.0, 40.0, None]
    assert found["orders.silence_in_own_gaps"].to_list() == [0.5, 0.25, None]
    assert found["orders.orders_by_own_gap"].to_list() == [1.0, 1.0, None]


# cases


TASK = OrderTask(60, "silence", 1.0, None, 100, 100)


def cases(reach: float, task: OrderTask = TASK) -> Any:
    """Return cases of three accounts, the first of which has ordered for so many days."""
    book = ledger(("a", reach, 5.0), ("b", 130.0, 9.0), ("a", 20.0, 7.0), ("b", 20.0, -8.0), ("c", 10.0, 3.0))
    return order_cases(company(), book, task, np.random.default_rng(0))


def test_cases_are_labelled_by_the_horizon_after_an_earlier_moment() -> None:
    found = cases(400.0)
    assert found.cut_off == AS_OF - timedelta(days=60)
    assert found.churn.rows.tolist() == [0, 1]  # the third one had not ordered yet
    assert found.churn.target.tolist() == [0.0, 1.0]
    # a refund is no spend
    assert found.value.target.tolist() == [7.0, 0.0]
    assert found.notes[-1] == "1 account was refunded more than was spent: that value counts as 0"
    assert found.refused == ("size", "ends", "preferred_channel")
    with pytest.raises(InputError, match="end after"):
        cases(400.0, replace(TASK, cut_off=AS_OF - timedelta(days=59)))
    assert cases(400.0, replace(TASK, cut_off=AS_OF - timedelta(days=60))).cut_off == found.cut_off


def test_orders_must_reach_back_four_weeks_before_the_horizon() -> None:
    young = company()
    book = ledger(("a", 88.0, 5.0), ("a", 20.0, 7.0))
    assert not isinstance(order_cases(young, book, TASK, np.random.default_rng(0)), str)
    younger = ledger(("a", 87.9, 5.0), ("a", 20.0, 7.0))
    said = order_cases(young, younger, TASK, np.random.default_rng(0))
    assert str(said).startswith("orders begin on 2026-04-04: a horizon of 60 days needs them from 2026-04-04")
    assert order_cases(young, ledger(), TASK, np.random.default_rng(0)) == (
        "there are no orders before the cut-off"
    )


@pytest.mark.parametrize(
    ("reach", "days", "later"),
    [
        (148.0, 60, 60),  # a whole horizon and four weeks before the trained one
        (147.9, 49, 49),  # otherwise a third of what there is
        (130.0, 43, 43),
    ],
)
def test_candidates_prove_themselves_over_a_horizon_or_a_third_of_the_time(
    reach: float, days: int, later: int
) -> None:
    trial = cases(reach).churn_trial
    earlier_cut, later_cut = (AS_OF - timedelta(days=n) for n in (later + days, later))
    assert trial.description == (
        f"fitted at {earlier_cut:%Y-%m-%d}, tested on the {days} days after {later_cut:%Y-%m-%d}"
    )
    assert trial.since == later_cut


def test_large_companies_are_sampled_with_their_tables() -> None:
    assert _sampled(3, 3, np.random.default_rng(0)).tolist() == [0, 1, 2]
    few = _sampled(9, 4, np.random.default_rng(0))
    assert len(few) == 4
    assert (np.diff(few) > 0).all()
    touches = pl.DataFrame({"account_id": ["c", "a", "c"], "n": [1, 2, 3]})
    given = company(touches=touches)
    book = ledger(("a", 5.0, 1.0), ("c", 5.0, 2.0))
    assert _subset(given, book, np.arange(3)) == (given, book)
    part, orders = _subset(given, book, np.array([1, 2]))
    assert part.accounts["account_id"].to_list() == ["b", "c"]
    assert part.touches is not None
    assert part.touches["n"].to_list() == [1, 3]
    assert (orders.accounts, orders.row.tolist(), orders.amount_eur.tolist()) == (2, [1], [2.0])
