"""Returns: an order with a negative amount is taken off the orders it gives back."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from dealwright.stats.arrays import Floats, Ints
from dealwright.tables.validation import Rows
from dealwright.wording import count_of

_CENT: Final = 0.005


def net_returns(orders: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Return the orders less what was given back; an order given back whole stays, with an amount of 0.

    A return is taken off the latest earlier order of the same account and amount, else off its latest orders
    before it. What exceeds them is left out, and noted.

    Parameters
    ----------
    orders
        ``account_id``, ``ordered_at``, ``amount_eur``, with returns as negative amounts.
    rows
        Where the notes go.
    """
    back = orders["amount_eur"] < 0
    count = int(back.sum())
    if not count:
        return orders
    label = rows.label("amount_eur")
    concerned = orders["account_id"].is_in(orders["account_id"].filter(back).unique().implode())
    indexed = orders.with_row_index("\0row")
    # returns of one moment: the largest first, so that the order of the rows does not matter
    part = indexed.filter(concerned).sort(
        "account_id", "ordered_at", pl.col("amount_eur") < 0, "amount_eur", maintain_order=True
    )
    starts = np.flatnonzero(part["account_id"].rle_id().diff().fill_null(1).to_numpy())
    before = part["amount_eur"].to_numpy()
    left, unmatched = _net(before, starts)
    amounts = orders["amount_eur"].to_numpy().copy()
    amounts[part["\0row"].to_numpy()] = left
    gone = int(((left < _CENT) & (before >= _CENT)).sum())
    rows.note(
        label, count,
        f"returns, taken off the orders they give back ({count_of(gone, 'order')} given back whole)",
        'nothing to do; returns = "reject" under [orders] refuses them',
    )  # fmt: skip
    if unmatched:
        rows.note(
            label, unmatched, "returns of more than was ordered before: the rest is left out",
            "bring the orders they belong to", level="warning",
        )  # fmt: skip
    return orders.with_columns(pl.Series("amount_eur", amounts)).filter(~back)


def _net(amounts: Floats, starts: Ints) -> tuple[Floats, int]:
    """Net the orders of each account, in the order of time; also say how many returns exceed its orders."""
    left = amounts.copy()
    bounds = [*starts.tolist(), len(amounts)]
    unmatched = 0
    for first, end in pairwise(bounds):
        kept: list[int] = []  # orders that are not given back, the latest last
        of_amount: dict[int, list[int]] = {}  # cents -> those of which as much is left, or was
        for row in range(first, end):
            if amounts[row] >= 0:
                kept.append(row)
                of_amount.setdefault(_cents(left[row]), []).append(row)
                continue
            rest = -amounts[row]
            same = of_amount.get(_cents(rest), [])
            while same and _cents(left[same[-1]]) != _cents(rest):
                same.pop()
            if same:
                left[same.pop()] = rest = 0.0
            while rest >= _CENT and kept:
                taken = min(rest, left[kept[-1]])
                left[kept[-1]] -= taken
                rest -= taken
                if left[kept[-1]] < _CENT:
                    kept.pop()
                else:
                    of_amount.setdefault(_cents(left[kept[-1]]), []).append(kept[-1])
            unmatched += rest >= _CENT
    return left, unmatched


def _cents(amount: float) -> int:
    return round(amount * 100)
