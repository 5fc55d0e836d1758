"""Totals of generated companies, for the predict benchmark: expected, and what then happened."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from rich.table import Table

from dealwright.plan.prediction.btyd import fit_buy_till_you_die
from dealwright.plan.prediction.ledger import Ledger
from dealwright.plan.prediction.level import Season, expected_spend, learn_level
from predict_references import CONSOLE

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from order_books import AS_OF, FAMILY, Company, generate_orders

HORIZON_DAYS = 180


def companies(seed: int, sizes: tuple[tuple[int, int], ...] = ((60, 10), (1_000, 5), (20_000, 1))) -> None:
    """Print the mean bias, its spread, and how often the interval covered, per kind of company and size.

    Parameters
    ----------
    sizes
        Accounts, and how many companies of that size.
    """
    table = Table(title=f"expected totals of {HORIZON_DAYS} days against what then happened")
    for column in (
        "company",
        "accounts",
        "bias",
        "spread",
        "repeat the last period",
        "covered",
        "half width",
        "s",
    ):
        table.add_column(column, justify="right")
    for name, company in FAMILY.items():
        for accounts, repeats in sizes:
            begin = time.perf_counter()
            found = [_foreseen(replace(company, accounts=accounts), seed + k) for k in range(repeats)]
            seconds = (time.perf_counter() - begin) / repeats
            value, low, high, last, actual = np.array(found).T
            bias = value / actual - 1.0
            table.add_row(
                name, f"{accounts:,}", f"{bias.mean():+.1%}", f"{bias.std():.1%}",
                f"{(last / actual).mean() - 1:+.1%}",
                f"{int(((low <= actual) & (actual <= high)).sum())} of {repeats}",
                f"{np.median(high / value) - 1:.0%}", f"{seconds:.1f}",
            )  # fmt: skip
    CONSOLE.print(table)


def _foreseen(company: Company, seed: int) -> tuple[float, float, float, float, float]:
    accounts, orders = generate_orders(company, HORIZON_DAYS, seed)
    ledger = Ledger.of(orders, accounts["account_id"])
    horizon = timedelta(days=HORIZON_DAYS)
    _, later = ledger.spend_between(AS_OF, AS_OF + horizon)
    _, before = ledger.spend_between(AS_OF - horizon, AS_OF)
    past, rng = ledger.until(AS_OF), np.random.default_rng(seed)
    book = past.by_day(AS_OF)
    model = fit_buy_till_you_die(book.order_history(), rng)
    expected = expected_spend(book, HORIZON_DAYS, Season.of(past, AS_OF), model).sum()
    total = learn_level(past, AS_OF, HORIZON_DAYS, rng).total(float(expected))
    return *total, float(before.sum()), float(later.sum())
