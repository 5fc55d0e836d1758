"""Orders by account number instead of account name: read once, then cut at any moment in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.prediction.btyd import OrderHistory
from dealwright.stats.arrays import Bools, Floats, Ints

_EPOCH = datetime(1970, 1, 1)
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Ledger:
    """Orders of all accounts, sorted by account and time."""

    row: NDArray[np.uint32]  # position of the account in the accounts frame, per order
    at: Ints  # microseconds since the epoch
    amount_eur: Floats  # of the order; a refund is negative
    accounts: int  # how many accounts there are

    @classmethod
    def of(cls, orders: pl.DataFrame | pl.LazyFrame, account_ids: pl.Series) -> Self:
        """Number the orders' accounts; orders of unknown accounts are none of this stage's business."""
        places = pl.DataFrame(
            {"account_id": account_ids, "row": pl.int_range(len(account_ids), dtype=pl.UInt32, eager=True)}
        )
        numbered = (
            orders.lazy()
            .select("account_id", pl.col("ordered_at").to_physical().alias("at"), "amount_eur")
            .join(places.lazy(), on="account_id", how="inner")
            .select("row", "at", "amount_eur")
            # the amount too: sums must not depend on the order of orders of one moment
            .sort("row", "at", "amount_eur")
            .collect()
        )
        return cls(
            numbered["row"].to_numpy(),
            numbered["at"].to_numpy(),
            numbered["amount_eur"].cast(pl.Float64).to_numpy(),
            len(account_ids),
        )

    def until(self, cut_off: datetime) -> Self:
        """Return the ledger as it was at a cut-off: nothing later."""
        return self._where(self.at <= microseconds(cut_off))

    def restricted(self, rows: NDArray[np.intp]) -> Self:
        """Return the orders of some accounts, given in ascending order and numbered anew in it."""
        place = np.full(self.accounts, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        new = place[self.row]
        kept = new >= 0
        return type(self)(new[kept].astype(np.uint32), self.at[kept], self.amount_eur[kept], len(rows))

    @property
    def first(self) -> datetime | None:
        """Moment of the first order of all, ``None`` where there is none."""
        return _EPOCH + timedelta(microseconds=int(self.at.min())) if len(self.at) else None

    def spend_between(self, after: datetime, until: datetime) -> tuple[Floats, Floats]:
        """Return each account's number of orders and spend after one moment and not after another.

        What is given back lowers the spend, and is no order.
        """
        window = self._where((self.at > microseconds(after)) & (self.at <= microseconds(until)))
        count = np.bincount(window.row[window.amount_eur >= 0], minlength=self.accounts)
        spend = np.bincount(window.row, weights=window.amount_eur, minlength=self.accounts)
        return count.astype(np.float64), spend.astype(np.float64)

    def span(self) -> tuple[Floats, Floats, Floats]:
        """Return each account's number of orders, and the moments of the first and the last (NaN: none)."""
        count = np.bincount(self.row, minlength=self.accounts)
        ends = np.cumsum(count)
        first, last = np.full(self.accounts, np.nan), np.full(self.accounts, np.nan)
        some = count > 0
        first[some] = self.at[(ends - count)[some]]
        last[some] = self.at[ends[some] - 1]
        return count.astype(np.float64), first, last

    def by_day(self, cut_off: datetime) -> OrderDays:
        """Return the orders until a cut-off, one line per account and day.

        Days are counted back from the cut-off in whole days, so that the last day before it is a whole one.
        """
        past = self.until(cut_off)
        # an order of which only the day is known counts as of its midnight: exactly a day ago is still today,
        # and so is an order at the very cut-off
        age = microseconds(cut_off) - 1 - past.at
        np.maximum(age, 0, out=age)
        age //= DAY_US
        if len(age) == 0:
            empty = np.empty(0)
            return OrderDays(
                np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), empty, empty, self.accounts
            )
        new_day = np.ones(len(age), dtype=np.bool_)
        new_day[1:] = (past.row[1:] != past.row[:-1]) | (age[1:] != age[:-1])
        starts = np.flatnonzero(new_day)
        row, day_age = past.row[starts], age[starts].astype(np.float64)
        spend = np.add.reduceat(past.amount_eur, starts)
        first_line = np.flatnonzero(np.concatenate([[True], np.diff(row) != 0]))
        return OrderDays(row[first_line].astype(np.intp), first_line, day_age, spend, self.accounts)

    def _where(self, kept: Bools) -> Self:
        if kept.all():
            return self
        return type(self)(self.row[kept], self.at[kept], self.amount_eur[kept], self.accounts)


@dataclass(frozen=True)
class OrderDays:
    """One line per account and day with an order, oldest first within each account."""

    rows: NDArray[np.intp]  # positions of the accounts that have ordered
    starts: NDArray[np.intp]  # first line of each of them
    # per line: whole days before the cut-off, and the day's total
    age_day: Floats
    spend_eur: Floats
    accounts: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Lines per account."""
        return np.diff(self.starts, append=len(self.age_day))

    @property
    def last_lines(self) -> NDArray[np.intp]:
        """Each account's newest line."""
        return self.starts + self.counts - 1

    def total(self, per_line: NDArray[Any]) -> Floats:
        """Sum a value per line by account."""
        if len(self.rows) == 0:
            return np.empty(0)
        return np.asarray(np.add.reduceat(per_line, self.starts), dtype=np.float64)

    def largest(self, per_line: Floats) -> Floats:
        """Return the largest value per account."""
        return np.asarray(np.maximum.reduceat(per_line, self.starts)) if len(self.rows) else np.empty(0)

    def order_history(self) -> OrderHistory:
        """Return the sufficient statistics of buy-till-you-die models, one element per account in `rows`.

        A day on which more was given back than bought is no order; what was given back lowers the spend of
        the other days. An account with nothing but returns has one order of no value.
        """
        bought = self.spend_eur > 0
        bought[self.starts] |= ~(self.total(bought) > 0)
        line = np.flatnonzero(bought)
        owner = np.repeat(np.arange(len(self)), self.counts)[line]
        count = np.bincount(owner, minlength=len(self))
        last = np.cumsum(count) - 1
        first = last - count + 1
        age = self.age_day[line]
        repeats = count.astype(np.float64) - 1.0
        later_spend = self.total(self.spend_eur) - self.spend_eur[line[first]]
        repeat_value = np.where(repeats > 0, np.maximum(later_spend, 0.0) / np.maximum(repeats, 1.0), 0.0)
        share = np.full(len(self), np.nan)
        two = count > 2
        newest, middle, oldest = (age[last[two] - back] for back in range(3))
        share[two] = (oldest - middle) / (oldest - newest)
        return OrderHistory(repeats, age[first] - age[last], age[first], repeat_value, share)


def microseconds(at: datetime) -> int:
    """Return a naive moment as microseconds since the epoch, as Polars stores it."""
    return (at - _EPOCH) // timedelta(microseconds=1)
