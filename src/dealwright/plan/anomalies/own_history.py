"""Departures of an account from its own order history: a spike, a drop, a regular buyer gone silent.

A forest over all accounts cannot see these: what is normal for one account is odd for another.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from dealwright.plan.partitions import by_account

RESIDUALS: Final = ("amount_spike", "order_burst", "order_drop", "silence")

# weight of the spread pooled over accounts, in orders: an account's own spread counts fully only with many
# orders
_POOLED_ORDERS: Final = 5.0
# spread of log amounts and log gaps assumed when no account has a history to learn it from
_DEFAULT_SPREAD: Final = 0.6
_SMALLEST_SPREAD: Final = 0.15
_DAY_US: Final = 86_400_000_000
_AMOUNT_PARTS: Final = 10_000  # of a EUR, in which amounts are added up


def history_departures(
    orders: pl.DataFrame, as_of: datetime, *, window_days: float, min_orders: int, news_days: float
) -> pl.DataFrame:
    """Standardise each account's recent orders against its own earlier ones.

    * ``amount_spike``: the largest log amount of the window against the account's earlier log amounts, less
      what the largest of several is expected to reach.
    * ``order_burst``, ``order_drop``: number of orders in the window against the account's own rate, as the
      difference of square roots, which makes Poisson counts nearly standard normal (Anscombe 1948), up and
      down.
    * ``silence``: days since the last order against the account's own gaps, taken as gamma distributed; the
      cube root makes that nearly normal (Wilson & Hilferty 1931). A silence that has been odd for more than
      `news_days` is an account that has left, not news, and counts as 0.

    Spreads are the account's own, shrunk towards the pooled one.

    Parameters
    ----------
    orders : columns ``account_id``, ``ordered_at``, ``amount_eur``; nothing after `as_of`.
    window_days : length of "recent".
    min_orders : earlier orders an account needs for a verdict.

    Returns
    -------
    One row per account with enough history: ``account_id``, the columns of `RESIDUALS` (0 is as usual;
    clipped at 0 from below) and, for the reasons, ``window_amount_eur``, ``usual_amount_eur``,
    ``window_orders``, ``usual_orders``, ``silent_days``, ``usual_gap_days``.
    """
    found = [_statistics(part, as_of, window_days) for part in by_account(orders)]
    stats = found[0] if len(found) == 1 else pl.concat(found).sort("account_id")
    spread = _pooled_spreads(stats, min_orders)
    shrunk = {
        kind: (
            ((pl.col(count) - 1).clip(0) * pl.col(var).fill_null(0.0) + _POOLED_ORDERS * spread[kind] ** 2)
            / ((pl.col(count) - 1).clip(0) + _POOLED_ORDERS)
        )
        .sqrt()
        .clip(_SMALLEST_SPREAD)
        for kind, count, var in (("log", "earlier_orders", "var_log"), ("gap", "gaps", "var_gap"))
    }
    history_days = (pl.col("oldest_days") - window_days).clip(1.0)
    burst = 2.0 * ((pl.col("window_orders") + 0.375).sqrt() - (pl.col("usual_orders") + 0.375).sqrt())
    # shape of the gamma whose log has this variance: trigamma(k) = v, with trigamma(k) close to 1/k + 1/(2
    # k^2)
    shape = (1.0 + (1.0 + 2.0 * pl.col("gap_spread") ** 2).sqrt()) / (2.0 * pl.col("gap_spread") ** 2)
    cube_root = (pl.col("silent_days") / pl.col("usual_gap_days")).pow(1.0 / 3.0)
    # the usual gap is itself a mean of few: that widens what is to be expected (delta method)
    silence = (
        (cube_root - 1.0 + 1.0 / (9.0 * shape))
        * 3.0
        * shape.sqrt()
        / (1.0 + cube_root**2 / pl.col("gaps")).sqrt()
    )
    # the gap that one in forty of the account's own exceeds: the silence is odd from then on
    longest_usual = pl.col("usual_gap_days") * (1.0 - 1.0 / (9.0 * shape) + 1.96 / (3.0 * shape.sqrt())).pow(
        3
    )
    overdue_days = pl.col("silent_days") - longest_usual
    spike = (pl.col("window_log") - pl.col("mean_log")) / (
        pl.col("log_spread") * (1.0 + 1.0 / pl.col("earlier_orders")).sqrt()
    )
    largest_of = 2.0 * pl.col("window_orders").clip(1).cast(pl.Float64).log()
    enough = pl.col("earlier_orders") >= min_orders
    return (
        stats.lazy()
        .filter(enough)
        .with_columns(
            usual_orders=pl.col("earlier_orders") / history_days * window_days,
            log_spread=shrunk["log"],
            gap_spread=shrunk["gap"],
        )
        .select(
            "account_id",
            amount_spike=(spike.fill_null(0.0).clip(0.0) ** 2 - largest_of).clip(0.0).sqrt(),
            order_burst=burst.clip(0.0),
            # an account that left long ago has been dropping for as long: no news either
            order_drop=pl.when(pl.col("silent_days") <= window_days + news_days)
            .then((-burst).clip(0.0))
            .otherwise(0.0),
            silence=pl.when((pl.col("gaps") >= min_orders - 1) & (overdue_days <= news_days))
            .then(silence.clip(0.0))
            .otherwise(0.0)
            .fill_null(0.0),
            window_amount_eur=pl.col("window_log").exp(),
            usual_amount_eur=pl.col("mean_log").exp(),
            window_orders=pl.col("window_orders").cast(pl.Int64),
            usual_orders="usual_orders",
            silent_days="silent_days",
            usual_gap_days="usual_gap_days",
        )
        .collect()
    )


def _statistics(orders: pl.DataFrame, as_of: datetime, window_days: float) -> pl.DataFrame:
    """Sum up each account's orders, the recent ones and those before."""
    amount = pl.when(pl.col("amount_eur") > 0).then(pl.col("amount_eur")).log()
    rows = (
        _purchases(orders, as_of)
        .lazy()
        .select("account_id", "days_ago", log_amount=amount)
        .sort("account_id", "days_ago", descending=[False, True])
        .with_columns(
            recent=pl.col("days_ago") < window_days,
            log_gap=(
                pl.when(pl.col("account_id") == pl.col("account_id").shift(1))
                .then(pl.col("days_ago").shift(1) - pl.col("days_ago"))
                .log()
            ),
        )
    )
    earlier = ~pl.col("recent")
    return (
        rows.group_by("account_id", maintain_order=True)
        .agg(
            silent_days=pl.col("days_ago").min(),
            oldest_days=pl.col("days_ago").max(),
            window_orders=pl.col("recent").sum(),
            earlier_orders=earlier.sum(),
            window_log=pl.col("log_amount").filter(pl.col("recent")).max(),
            mean_log=pl.col("log_amount").filter(earlier).mean(),
            var_log=pl.col("log_amount").filter(earlier).var(),
            gaps=pl.col("log_gap").count(),
            usual_gap_days=pl.col("log_gap").exp().mean(),
            var_gap=pl.col("log_gap").var(),
        )
        .collect()
    )


def _purchases(orders: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Return what each account bought on each day: an invoice and its lines are one purchase.

    Days are counted back from the cut-off. Amounts are added up as whole numbers, so that the total does not
    depend on the order of the rows.
    """
    age = ((pl.lit(as_of) - pl.col("ordered_at")).dt.total_microseconds() - 1) // _DAY_US
    return (
        orders.lazy()
        .select(
            "account_id",
            days_ago=(age + 1).cast(pl.Float64),
            amount=pl.col("amount_eur").cast(pl.Float64).fill_nan(None),
        )
        .drop_nulls(["account_id", "days_ago"])
        .group_by("account_id", "days_ago")
        .agg(amount_eur=(pl.col("amount") * _AMOUNT_PARTS).round().cast(pl.Int64).sum() / _AMOUNT_PARTS)
        .collect(engine="streaming")
    )


def _pooled_spreads(stats: pl.DataFrame, min_orders: int) -> dict[str, float]:
    """Median over accounts of the own spread of log amounts and of log gaps."""
    with_history = stats.filter(pl.col("earlier_orders") >= min_orders)
    spreads = {}
    for kind, var in (("log", "var_log"), ("gap", "var_gap")):
        value = with_history.select(pl.col(var).sqrt().median()).item() if with_history.height else None
        spreads[kind] = float(value) if value else _DEFAULT_SPREAD
    return spreads
