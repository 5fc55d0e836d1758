"""What an account's orders until a cut-off say: recency, frequency, money, rhythm, trend, expectation."""

from __future__ import annotations

import numpy as np
import polars as pl

from dealwright.errors import EvidenceError
from dealwright.plan.prediction.btyd import BuyTillYouDie, fit_buy_till_you_die
from dealwright.plan.prediction.labels import shrunk_gap_days
from dealwright.plan.prediction.ledger import OrderDays
from dealwright.plan.prediction.level import Season
from dealwright.stats.arrays import Floats

WINDOWS_DAYS = (30, 90, 180, 365)
ORDER_DAYS = "orders.order_days"
RFM_COLUMNS = ("orders.days_since_last_order", ORDER_DAYS, "orders.spend_per_order_day_eur")
LAST_PERIOD = "orders.spend_last_period_eur"
EXPECTED_ORDERS = "orders.expected_orders"
EXPECTED_SPEND = "orders.expected_spend_eur"
PROBABILITY_SILENT = "orders.probability_silent"
PROBABILITY_DEAD = "orders.probability_dead"


def order_columns(book: OrderDays, horizon_days: int) -> pl.DataFrame:
    """Return one row per account (position = row); null for accounts without orders.

    A window longer than the orders reach back says the same as the total today and something else tomorrow:
    such windows are left out.
    """
    age, spend = book.age_day, book.spend_eur
    count = book.counts.astype(np.float64)
    oldest, newest = age[book.starts], age[book.last_lines]
    reach_day = float(oldest.max()) if len(book) else 0.0
    total = book.total(spend)
    mean = total / count
    gap = -np.diff(age, prepend=age[:1])
    gap[book.starts] = 0.0
    gaps = count - 1.0
    own_gap = shrunk_gap_days(gaps, oldest - newest)
    own_gap = np.maximum(np.where(own_gap > 0, own_gap, horizon_days), 1e-3)
    gap_variance = (
        book.total(gap**2) / np.maximum(gaps, 1.0) - ((oldest - newest) / np.maximum(gaps, 1.0)) ** 2
    )
    last_period = book.total(np.where(age < horizon_days, spend, 0.0))
    columns: dict[str, Floats] = {
        "orders.days_since_last_order": newest,
        "orders.days_since_first_order": oldest,
        ORDER_DAYS: count,
        "orders.spend_eur": total,
        "orders.spend_per_order_day_eur": mean,
        "orders.largest_order_day_eur": book.largest(spend),
        "orders.last_order_day_eur": spend[book.last_lines],
        "orders.longest_gap_days": np.where(gaps > 0, book.largest(gap), np.nan),
        "orders.own_gap_days": own_gap,
        "orders.gap_irregularity": np.where(
            gaps > 1, np.sqrt(np.maximum(gap_variance, 0.0)) / own_gap, np.nan
        ),
        "orders.silence_in_own_gaps": newest / own_gap,
        "orders.orders_by_own_gap": horizon_days / own_gap,
        "orders.spend_by_own_gap_eur": horizon_days / own_gap * mean,
        LAST_PERIOD: last_period,
    }
    if reach_day >= 1.5 * horizon_days:
        before = book.total(np.where((age >= horizon_days) & (age < 2 * horizon_days), spend, 0.0))
        change = np.maximum(last_period, 0.0) + 1.0
        columns["orders.spend_trend"] = np.log(change / (np.maximum(before, 0.0) + 1.0))
    for days in WINDOWS_DAYS:
        if days < 0.9 * reach_day:
            recent = age < days
            columns[f"orders.spend_{days}d_eur"] = book.total(np.where(recent, spend, 0.0))
            columns[f"orders.order_days_{days}d"] = book.total(recent.astype(np.float64))
    return _for_everyone(columns, book)


def rhythm_columns(
    book: OrderDays, horizon_days: int, season: Season, rng: np.random.Generator
) -> tuple[pl.DataFrame, BuyTillYouDie | None, str | None]:
    """Return what buy-till-you-die expects of each account in the horizon, the model, or why there is none.

    Columns are null for accounts without orders, and all null without a model.
    """
    history = book.order_history()
    unknown = np.full(len(book), np.nan)
    columns = dict.fromkeys((EXPECTED_ORDERS, EXPECTED_SPEND, PROBABILITY_DEAD, PROBABILITY_SILENT), unknown)
    try:
        model = fit_buy_till_you_die(history, rng)
    except EvidenceError as error:
        return _for_everyone(columns, book), None, f"no buy-till-you-die model: {error}"
    orders = model.orders.expected_orders(history, horizon_days)
    orders *= season.factors(history.age_day, horizon_days)
    columns = {
        EXPECTED_ORDERS: orders,
        EXPECTED_SPEND: orders * model.value.expected_value(history),
        PROBABILITY_DEAD: 1.0 - model.orders.probability_alive(history),
        PROBABILITY_SILENT: model.orders.probability_silent(history, horizon_days),
    }
    return _for_everyone(columns, book), model, None


def _for_everyone(columns: dict[str, Floats], book: OrderDays) -> pl.DataFrame:
    series = []
    for name, values in columns.items():
        everyone = np.full(book.accounts, np.nan)
        everyone[book.rows] = values
        series.append(pl.Series(name, everyone).fill_nan(None))
    return pl.DataFrame(series)
