"""What is left over at the end of a day, and how it will develop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from dealwright.plan.staffing.demand import ChannelDemand
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.workforce import Workforce
from dealwright.schemas import BACKLOG_COLUMNS, PlanInputs

_LOOK_BACK_DAYS: Final = 28


def forecast_backlog(
    inputs: PlanInputs,
    demands: Sequence[tuple[ChannelDemand, ...]],
    force: Workforce,
    days: Sequence[date],
    params: ScheduleParams,
) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return `BACKLOG_COLUMNS`, and what is left of each channel for the day after the first.

    What came in is done before the plan's own contacts; of these nothing is handed on, because the accounts
    are planned again.

    Beyond the plan a channel's contacts arrive as they did in the last four weeks of touches, or, where
    there are none, as on the last planned day.
    """
    usual = _usual_contacts(inputs, params) if params.forecast_days else {}  # else nothing is asked of it
    rows, carry_over = [], {}
    for c, first in enumerate(demands[0]):
        if first.work.kind == "queue":
            continue
        left, own = 0.0, 0.0
        later = usual.get(first.channel, float(demands[-1][c].contacts.sum()) if len(days) > 1 else 0.0)
        for index, (day, planned) in enumerate(_calendar(days, params)):
            known = min(index, len(days) - 1)
            arriving = float(demands[index][c].contacts.sum()) if planned else later
            capacity = force.contacts_per_day(known, params)[first.channel]
            left = max(left + arriving - capacity, 0.0)
            own = min(own + (demands[index][c].own if planned else 0.0), left)
            if index == 0:
                carry_over[first.channel] = left - own
            wait = left / capacity if capacity > 0 else (0.0 if left == 0 else None)
            rows.append((first.channel, day, planned, arriving, capacity, left, own, wait))
    return pl.DataFrame(rows, schema=BACKLOG_COLUMNS, orient="row"), carry_over


def carried_over(backlog: pl.DataFrame) -> dict[str, float]:
    """Return the second result of `forecast_backlog` from the first."""
    first = backlog.filter("planned").sort("day").group_by("channel", maintain_order=True).first()
    left = first.select("channel", pl.col("backlog") - pl.col("of_plan"))
    return dict(left.iter_rows())


def _calendar(days: Sequence[date], params: ScheduleParams) -> list[tuple[date, bool]]:
    found = [(day, True) for day in days]
    day = days[-1]
    while len(found) < len(days) + params.forecast_days:
        day += timedelta(days=1)
        if day.weekday() in params.weekdays:
            found.append((day, False))
    return found


def _usual_contacts(inputs: PlanInputs, params: ScheduleParams) -> dict[str, float]:
    """Return the contacts per working day of each channel in the last four weeks of touches."""
    touches = inputs.scan("touches")
    if touches is None:
        return {}
    since = inputs.as_of - timedelta(days=_LOOK_BACK_DAYS)
    recent = touches.filter(pl.col("touched_at") > since).select("channel").drop_nulls().collect()["channel"]
    working = float(np.floor(_LOOK_BACK_DAYS / 7.0 * len(set(params.weekdays))))
    return {str(name): count / working for name, count in recent.value_counts().iter_rows()}
