"""What was known of an account at a moment: at a past touch and, with the same meaning, tonight.

Nothing later than the moment is read. A column that holds the state at the cut-off describes an earlier
moment only through an older snapshot (`PlanInputs.history`); without one it is missing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.schemas import ALWAYS, NOTHING, PREFERRED_CHANNEL, TOUCH_COLUMNS, PlanInputs
from dealwright.stats.arrays import Floats, Ints

ORDER_FEATURES: Final = (
    "days since order", "orders so far", "mean gap in days", "overdue", "mean order", "orders in 90 days",
)  # fmt: skip
TOUCH_FEATURES: Final = ("days since contact", "contacts in 30 days")
_SPAN_S: Final = np.int64(1) << 33  # more seconds than any history has (272 years)
_DAY_S: Final = 86_400
_LONG_AGO_DAYS: Final = 3650.0
_PRIOR_GAPS: Final = 2.0
_DEFAULT_GAP_DAYS: Final = 30.0


@dataclass(frozen=True)
class PointInTimeFeatures:
    """Features of rows (account, moment)."""

    numbers: Floats  # shape (rows, numeric features), NaN where not known
    number_names: tuple[str, ...]  # their names
    categories: pl.DataFrame  # one String column per categorical feature
    preferred: pl.Series  # preferred channel, null where not known


@dataclass(frozen=True)
class _Events:
    """Events by account and time, as one sorted key ``account * span + second``."""

    key: Ints
    first: Ints
    at_s: Ints
    running_sum: Floats
    mean_gap: float

    def before(self, account: Ints, at_s: Ints) -> Ints:
        """Position after the account's last event strictly before a moment."""
        return np.searchsorted(self.key, account * _SPAN_S + at_s, side="left")


class PointInTimeReader:
    """Reads features out of the inputs of one run; sorts orders, touches and snapshots once.

    Parameters
    ----------
    inputs : the run's inputs.
    contacts : past touches that made contact: ``account_id``, ``touched_at``.
    """

    def __init__(self, inputs: PlanInputs, contacts: pl.DataFrame) -> None:
        self._inputs = inputs
        self._index = inputs.accounts.select("account_id").with_row_index("account")
        self._orders = self._events(inputs.scan("orders"), "ordered_at", "amount_eur")
        self._contacts = self._events(contacts if contacts.height else None, "touched_at", None)
        self._history, self._snapshots = self._read_history()
        self.left_out = self._unusable_columns()

    def tonight(self, part: slice = slice(None)) -> PointInTimeFeatures:
        """Describe accounts at the cut-off, by default all of them."""
        accounts = np.arange(self._inputs.accounts.height, dtype=np.int64)[part]
        at_s = np.full(accounts.size, _seconds(self._inputs.as_of), dtype=np.int64)
        return self._situations(accounts, at_s, self._inputs.accounts[part])

    def earlier(self, account: Ints, at: pl.Series) -> PointInTimeFeatures:
        """Describe accounts (by row number) at earlier moments, each with what was known then."""
        at_s = (at.cast(pl.Int64) // 1_000_000).to_numpy()
        columns = self._known_at(account, at_s)
        return self._situations(account, at_s, columns)

    def account_rows(self, account_ids: pl.Series) -> Ints:
        """Row numbers of account ids; −1 for an unknown one."""
        rows = (
            account_ids.rename("account_id")
            .to_frame()
            .join(self._index, on="account_id", how="left", maintain_order="left")
        )
        return rows["account"].cast(pl.Int64).fill_null(-1).to_numpy()

    def _events(
        self, frame: pl.DataFrame | pl.LazyFrame | None, time: str, amount: str | None
    ) -> _Events | None:
        if frame is None:
            return None
        sums = pl.col(amount).fill_null(0.0) if amount else pl.lit(0.0)
        table = (
            frame.lazy()
            .select(
                "account_id", s=pl.col(time).cast(pl.Datetime("us")).cast(pl.Int64) // 1_000_000, amount=sums
            )
            .join(self._index.lazy(), on="account_id", how="inner")
            .select(
                (pl.col("account").cast(pl.Int64) * int(_SPAN_S) + pl.col("s")).alias("key"), "s", "amount"
            )
            .drop_nulls("key")
            .sort("key")
            .collect()
        )
        key = table["key"].to_numpy()
        first = np.searchsorted(key, np.arange(self._index.height + 1, dtype=np.int64) * _SPAN_S)
        at_s = table["s"].to_numpy()
        within = np.diff(key) < _SPAN_S // 2
        gaps = np.diff(at_s)[within]
        mean_gap = float(gaps.mean()) / _DAY_S if gaps.size else _DEFAULT_GAP_DAYS
        running_sum = np.concatenate([[0.0], np.cumsum(table["amount"].to_numpy())])
        return _Events(key, first, at_s, running_sum, mean_gap)

    def _read_history(self) -> tuple[pl.DataFrame | None, _Events | None]:
        history = self._inputs.history
        if history is None or history.is_empty():
            return None, None
        ordered = history.join(self._index, on="account_id", how="inner").sort("account", "snapshot_at")
        return ordered, self._events(ordered, "snapshot_at", None)

    def _unusable_columns(self) -> tuple[str, ...]:
        """Feature columns that cannot describe any earlier moment."""
        known = self._inputs.schema.known_from
        held = set() if self._history is None else set(self._history.columns)
        return tuple(name for name in self._columns() if name not in known and name not in held)

    def _columns(self) -> tuple[str, ...]:
        schema = self._inputs.schema
        preferred = (PREFERRED_CHANNEL,) if schema.has_preferred_channel else ()
        return (*schema.features, *preferred)

    def _known_at(self, account: Ints, at_s: Ints) -> pl.DataFrame:
        """Content of the usable columns as known at each moment, null where it was not."""
        schema, accounts = self._inputs.schema, self._inputs.accounts
        snapshot = np.full(account.size, -1, dtype=np.int64)
        if self._snapshots is not None:
            # a snapshot of the very moment counts as known
            position = self._snapshots.before(account, at_s + 1)
            snapshot = np.where(position > self._snapshots.first[account], position - 1, -1)
        row = pl.Series(snapshot).replace(-1, None).cast(pl.UInt32)
        at = pl.Series(at_s * 1_000_000).cast(pl.Datetime("us"))
        columns = []
        for name in self._columns():
            since = schema.known_from.get(name)
            if since is None:
                if self._history is not None and name in self._history.columns:
                    columns.append(self._history[name].gather(row).alias(name))
                continue
            now = accounts[name].gather(account)
            if since != ALWAYS:
                start = pl.lit(since) if isinstance(since, datetime) else accounts[since].gather(account)
                now = pl.select(pl.when(pl.lit(at) >= start).then(now)).to_series()
            columns.append(now.alias(name))
        return pl.DataFrame(columns) if columns else pl.DataFrame({"__row": account}).select([])

    def _situations(self, account: Ints, at_s: Ints, columns: pl.DataFrame) -> PointInTimeFeatures:
        schema = self._inputs.schema
        usable = [name for name in self._columns() if name not in self.left_out]
        names = [name for name in schema.numeric if name in usable]
        parts = [columns[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names]
        for name in schema.dates:
            if name in usable:
                date_s = columns[name].cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64) / 1e6
                names.append(f"days since {name}")
                parts.append((at_s - date_s.fill_null(np.nan).to_numpy()) / _DAY_S)
        if self._orders is not None:
            names += ORDER_FEATURES
            parts += _order_features(self._orders, account, at_s)
        if self._contacts is not None:
            names += TOUCH_FEATURES
            parts += _contact_features(self._contacts, account, at_s)
        numbers = np.column_stack(parts) if parts else np.zeros((account.size, 0))
        texts = [columns[name].cast(pl.String).alias(name) for name in schema.categorical if name in usable]
        preferred = (
            columns[PREFERRED_CHANNEL].cast(pl.String)
            if PREFERRED_CHANNEL in usable
            else pl.Series([None], dtype=pl.String).new_from_index(0, account.size)
        )
        return PointInTimeFeatures(
            numbers, tuple(names), pl.DataFrame(texts), preferred.alias(PREFERRED_CHANNEL)
        )


def past_touches(inputs: PlanInputs) -> pl.DataFrame:
    """Touches with a known answer whose effect can be learned, doing nothing included."""
    touches = inputs.touches
    if touches is None:
        schema: dict[str, Any] = {**TOUCH_COLUMNS, "propensity": pl.Float64}
        return pl.DataFrame(schema=schema)
    propensity = pl.col("propensity") if "propensity" in touches.columns else pl.lit(None, pl.Float64)
    return touches.filter(
        pl.col("response").is_not_null()
        & pl.col("touched_at").is_not_null()
        & ((pl.col("action") == NOTHING) | pl.col("channel").is_not_null())
    ).select("account_id", "touched_at", "channel", "action", "response", propensity.alias("propensity"))


def _order_features(orders: _Events, account: Ints, at_s: Ints) -> list[Floats]:
    stop, start = orders.before(account, at_s), orders.first[account]
    count = (stop - start).astype(np.float64)
    some = count > 0
    last = orders.at_s[np.maximum(stop - 1, 0)]
    first = orders.at_s[np.minimum(start, orders.at_s.size - 1)]
    since = np.where(some, (at_s - last) / _DAY_S, np.nan)
    # with few orders the own rhythm is drawn towards everybody's, as if two of everybody's gaps had been seen
    # too
    span = np.where(some, (last - first) / _DAY_S, np.nan)
    gap = np.maximum((span + _PRIOR_GAPS * orders.mean_gap) / (np.maximum(count - 1, 0) + _PRIOR_GAPS), 1.0)
    spent = orders.running_sum[stop] - orders.running_sum[start]
    mean = np.where(some, spent / np.maximum(count, 1), np.nan)
    lately = stop - np.maximum(orders.before(account, at_s - 90 * _DAY_S), start)
    return [
        since,
        np.log1p(count),
        np.log(gap),
        np.minimum(since / gap, 20.0),
        np.log1p(np.maximum(mean, 0.0)),
        np.sqrt(lately),
    ]


def _contact_features(contacts: _Events, account: Ints, at_s: Ints) -> list[Floats]:
    stop, start = contacts.before(account, at_s), contacts.first[account]
    last = contacts.at_s[np.maximum(stop - 1, 0)]
    since = np.where(stop > start, (at_s - last) / _DAY_S, _LONG_AGO_DAYS)
    lately = stop - np.maximum(contacts.before(account, at_s - 30 * _DAY_S), start)
    return [np.log1p(since), lately.astype(np.float64)]


def _seconds(moment: datetime) -> int:
    return int(np.datetime64(moment.replace(tzinfo=None), "s").astype(np.int64))
