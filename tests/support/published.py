"""Small runs of tasks for tests of the desk, without a plan behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from dealwright.schemas import DAY_TASK_COLUMNS, DayTasks

DAY = date(2026, 7, 1)
ZONE = "Europe/Madrid"


def task(account_id: str, action: str = "visit", channel: str = "field", **more: Any) -> dict[str, Any]:
    """Return one task; columns that are not given are empty."""
    return {
        **dict.fromkeys(DAY_TASK_COLUMNS), "account_id": account_id, "action": action, "channel": channel,
        "day": DAY, **more,
    }  # fmt: skip


def run_of(
    tasks: Iterable[Mapping[str, Any]],
    run_id: str = "run 1",
    *,
    day: date = DAY,
    last_day: date | None = None,
    as_of: datetime | None = None,
) -> DayTasks:
    """Return a run for a day (or several), planned the evening before."""
    evening = datetime.combine(day, time(22)) - timedelta(days=1)
    frame = pl.DataFrame([dict(item) for item in tasks], schema=DAY_TASK_COLUMNS)
    return DayTasks(run_id, as_of or evening, ZONE, day, last_day or day, frame)
