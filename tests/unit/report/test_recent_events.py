"""What happened lately is the same however many rows and accounts are looked at together."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.report import comparison
from dealwright.report.comparison import HISTORY_COLUMNS, recent_events, stored_events

DAY = datetime(2026, 6, 1)


def test_the_latest_events_of_each_account_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    ids = [f"A{k:02}" for k in range(20)]
    hours = rng.permutation(900)  # no two events at one moment
    bought = [(ids[k % 17], DAY + timedelta(hours=int(hours[k])), float(k)) for k in range(400)]
    met = [
        (ids[k % 13 + 7], DAY + timedelta(hours=int(hour)), "field" if k % 9 else None, "visit", k % 2 < 1)
        for k, hour in enumerate(hours[400:700])
    ]  # fmt: skip
    orders = pl.DataFrame(bought, schema=["account_id", "ordered_at", "amount_eur"], orient="row")
    names = ["account_id", "touched_at", "channel", "action", "response"]
    touches = pl.DataFrame(met, schema=names, orient="row")
    expected = []
    for account in ids:
        events = [(at, "order", None, None, None, amount) for name, at, amount in bought if name == account]
        events += [
            (at, "contact", channel, action, answered, None)
            for name, at, channel, action, answered in met
            if name == account and channel is not None
        ]
        for at, *what in sorted(events, reverse=True)[:6]:
            expected.append((account, at.replace(hour=0), *what))
    for rows, accounts, pending in ((1_000, 100, 1_000), (37, 3, 50)):
        monkeypatch.setattr(comparison, "_ACCOUNTS", accounts)
        monkeypatch.setattr(comparison, "_PENDING", pending)
        found = recent_events(orders.iter_slices(rows), touches.iter_slices(rows))
        assert dict(found.schema) == dict(HISTORY_COLUMNS)
        assert found.rows() == expected
        stored = stored_events(
            orders.iter_slices(rows), touches.iter_slices(rows), pl.Series("account_id", ids[::-1])
        )
        assert_frame_equal(pl.concat(stored), found)


def test_without_a_log_there_are_no_events() -> None:
    found = recent_events([], [])
    assert found.is_empty()
    assert dict(found.schema) == dict(HISTORY_COLUMNS)
    assert_frame_equal(pl.concat(stored_events([], [], pl.Series("account_id", ["A1"]))), found)
