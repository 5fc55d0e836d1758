"""Totals to expect: right for companies of many kinds, bounded by the past, with intervals that cover."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from order_books import AS_OF, FAMILY, Company, generate_orders

from dealwright.plan.prediction import PredictParams, predict
from dealwright.plan.prediction.btyd import fit_buy_till_you_die
from dealwright.plan.prediction.labels import labels_from_orders
from dealwright.plan.prediction.ledger import Ledger
from dealwright.plan.prediction.level import (
    Level,
    Season,
    Window,
    expected_spend,
    learn_level,
    monthly_totals,
)
from dealwright.schemas import TIMESTAMP, AccountSchema

HORIZON = 180


def foreseen(company, seed):
    """Return the expected total with its interval, the actual one, and the level."""
    accounts, orders = generate_orders(company, HORIZON, seed)
    ledger = Ledger.of(orders, accounts["account_id"])
    _, later = ledger.spend_between(AS_OF, AS_OF + timedelta(days=HORIZON))
    past, rng = ledger.until(AS_OF), np.random.default_rng(seed)
    book = past.by_day(AS_OF)
    model = fit_buy_till_you_die(book.order_history(), rng)
    expected = expected_spend(book, HORIZON, Season.of(past, AS_OF), model).sum()
    level = learn_level(past, AS_OF, HORIZON, rng)
    return np.array(level.total(expected)), later.sum(), level


@pytest.mark.parametrize("name", [name for name in FAMILY if name not in ("seasons, one year", "growing")])
def test_a_total_is_right_within_a_tenth_and_its_interval_covers(name):
    # one-time buyers and rare orders: a thousand accounts make few orders, whose sum is itself a draw
    (value, low, high), actual, _ = foreseen(replace(FAMILY[name], accounts=1_000), seed=1)
    assert value == pytest.approx(actual, rel=0.1)
    assert low <= actual <= high


@pytest.mark.parametrize("name", ["seasons, one year", "growing"])
def test_what_the_past_cannot_show_is_in_the_interval(name):
    (_, low, high), actual, _ = foreseen(replace(FAMILY[name], accounts=500), seed=1)
    assert low <= actual <= high


@pytest.mark.parametrize("name", ["clockwork with a clock", "random", "returns"])
def test_intervals_of_sixty_accounts_cover(name):
    found = [foreseen(replace(FAMILY[name], accounts=60), seed)[:2] for seed in range(6)]
    assert sum(low <= actual <= high for (_, low, high), actual in found) >= 5
    biases = [value / actual - 1.0 for (value, _, _), actual in found]
    assert abs(np.mean(biases)) < 0.15


def test_the_time_of_day_changes_a_total_by_next_to_nothing():
    company = Company(accounts=60, regularity=1_000.0, joining=0.0)
    by_day, by_clock = (foreseen(replace(company, clock=clock), seed=2)[0][0] for clock in (False, True))
    assert by_clock == pytest.approx(by_day, rel=0.03)


def test_an_order_at_the_very_cut_off_has_no_negative_age():
    moments = [AS_OF, AS_OF - timedelta(hours=3), AS_OF - timedelta(days=1), AS_OF - timedelta(days=40)]
    orders = pl.DataFrame(
        {"account_id": ["A"] * 4, "ordered_at": moments, "amount_eur": [1.0, 2.0, 4.0, 8.0]}
    ).with_columns(pl.col("ordered_at").cast(TIMESTAMP))
    book = Ledger.of(orders, pl.Series(["A"])).by_day(AS_OF)
    assert book.age_day.tolist() == [39.0, 0.0]
    assert book.spend_eur.tolist() == [8.0, 7.0]


def test_what_is_given_back_is_no_order_but_lowers_the_spend():
    days_before = [100, 90, 60, 40, 20]
    orders = pl.DataFrame(
        {
            "account_id": ["A"] * 5,
            "ordered_at": [AS_OF - timedelta(days=d) for d in days_before],
            "amount_eur": [50.0, 60.0, -60.0, 80.0, 40.0],
        }
    ).with_columns(pl.col("ordered_at").cast(TIMESTAMP))
    ledger = Ledger.of(orders, pl.Series(["A"]))
    history = ledger.by_day(AS_OF).order_history()
    assert (history.repeats[0], history.last_day[0]) == (3, 80)
    assert history.repeat_value[0] == pytest.approx((60 - 60 + 80 + 40) / 3)
    assert history.gap_share[0] == pytest.approx(50 / 70)
    # only a return in the horizon: no order, so this account was silent
    cut_off = AS_OF - timedelta(days=70)
    known = np.array([True])
    labels = labels_from_orders(ledger, cut_off, 25, known, definition="silence", rhythm_factor=0.0)
    assert (labels.churned[0], labels.value_eur[0]) == (1.0, -60.0)


def test_a_season_is_found_in_thirty_months_and_not_in_noise():
    accounts, orders = generate_orders(replace(FAMILY["seasons"], accounts=800), HORIZON, 3)
    past = Ledger.of(orders, accounts["account_id"]).until(AS_OF)
    season = Season.of(past, AS_OF)
    assert season.waves
    # the best time is sixty days before the cut-off, and so is every year's
    ahead, behind = season.factors(np.array([730.0]), 90), season.factors(np.array([730.0]), 90, 180.0)
    assert ahead[0] == pytest.approx(0.894, rel=0.06)  # by integration of the wave orders are drawn from
    assert behind[0] == pytest.approx(1.126, rel=0.06)
    accounts, orders = generate_orders(Company(accounts=800, days=900, regularity=3.0), HORIZON, 3)
    assert Season.of(Ledger.of(orders, accounts["account_id"]).until(AS_OF), AS_OF).waves == ()


def test_months_are_counted_back_from_the_cut_off_and_end_where_one_is_empty():
    days = [1, 29, 31, 62, 200]
    orders = pl.DataFrame(
        {"account_id": "A", "ordered_at": [AS_OF - timedelta(days=d) for d in days], "amount_eur": 10.0}
    ).with_columns(pl.col("ordered_at").cast(TIMESTAMP))
    totals = monthly_totals(Ledger.of(orders, pl.Series(["A"])), AS_OF)
    assert np.exp(totals).tolist() == pytest.approx([20.0, 10.0, 10.0])


def test_a_total_is_never_several_times_what_was_ever_spent():
    level = Level(1.0, 0.1, 500.0)
    assert level.total(4_000.0)[0] == 500.0
    value, low, high = level.total(100.0)
    assert (value, high / value) == (100.0, pytest.approx(np.exp(0.196)))
    assert low * high == pytest.approx(value**2)
    window = Window(AS_OF, 100.0, 120.0, 0.01, 0.5, 90)
    assert window.miss == pytest.approx(np.log(1.2))


def test_the_plan_scales_to_the_total_and_the_card_says_what_it_rests_on():
    accounts, orders = generate_orders(replace(FAMILY["regular"], accounts=200), HORIZON, 5)
    past = orders.filter(pl.col("ordered_at") <= AS_OF)
    result = predict(
        accounts, PredictParams(reasons=0), orders=past, schema=AccountSchema(), as_of=AS_OF,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    total = result.card["value"]["total"]
    assert total["low"] < total["value"] < total["high"]
    assert result.frame["predicted_value_eur"].sum() == pytest.approx(total["value"])
    level = result.card["value"]["level"]
    assert [w["cut_off"] for w in level["windows"]] == [
        (AS_OF - timedelta(days=HORIZON * k)).isoformat() for k in (1, 2)
    ]
    assert datetime.fromisoformat(level["windows"][0]["cut_off"]) < AS_OF
