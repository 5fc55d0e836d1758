"""Break a few rows of a synthetic company, as real exports have them."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from dealwright.schemas import TIMESTAMP


def break_rows(
    accounts: pl.DataFrame,
    orders: pl.DataFrame,
    truth: pl.DataFrame,
    as_of: datetime,
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Break one account in 2,000 in each of five ways, and a few orders; none below 100 accounts.

    Returns
    -------
    tuple of DataFrame
        Accounts, orders, and the truth with the kind of damage of each account in ``broken``.
    """
    n = accounts.height
    if n < 100:
        return accounts, orders, truth
    each = max(1, round(n * 0.0005))
    rows = rng.choice(np.arange(1, n), size=5 * each, replace=False).reshape(5, each)
    kinds = ("duplicate id", "no id", "position", "infinite value", "future date")
    broken = np.full(n, -1)
    for kind, which in enumerate(rows):
        broken[which] = kind
    kind_of = pl.Series("broken", broken)
    # a duplicate takes the id of the last whole account above it
    donor = np.maximum.accumulate(np.where(broken < 0, np.arange(n), 0))
    accounts = accounts.with_columns(
        account_id=pl.when(kind_of == 0)
        .then(accounts["account_id"].gather(donor))
        .when(kind_of == 1)
        .then(pl.lit(None, pl.String))
        .otherwise(pl.col("account_id")),
        lat_deg=pl.when(kind_of == 2).then(pl.col("lat_deg") * 10).otherwise(pl.col("lat_deg")),
        lifetime_value_eur=pl.when(kind_of == 3).then(pl.lit(np.inf)).otherwise(pl.col("lifetime_value_eur")),
        customer_since=pl.when(kind_of == 4)
        .then(pl.lit(as_of + timedelta(days=400), TIMESTAMP))
        .otherwise(pl.col("customer_since")),
    )
    truth = truth.with_columns(
        pl.when(kind_of >= 0).then(pl.Series(list(kinds)).gather(np.maximum(broken, 0))).alias("broken")
    )
    if orders.height < 10:
        return accounts, orders, truth
    wrong = rng.choice(orders.height, size=(3, max(1, round(orders.height * 0.0001))), replace=True)
    index = pl.int_range(orders.height)
    orders = orders.with_columns(
        account_id=pl.when(index.is_in(wrong[0].tolist()))
        .then(pl.lit("X000"))
        .otherwise(pl.col("account_id")),
        amount_eur=pl.when(index.is_in(wrong[1].tolist()))
        .then(-pl.col("amount_eur"))
        .otherwise(pl.col("amount_eur")),
        ordered_at=pl.when(index.is_in(wrong[2].tolist()))
        .then(pl.col("ordered_at") + pl.duration(days=3650))
        .otherwise(pl.col("ordered_at")),
    )
    return accounts, orders, truth
