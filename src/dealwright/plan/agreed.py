"""What was agreed with accounts before tonight: contacts that come before anything is allocated."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from dealwright.inputs import PlanInputs
from dealwright.plan.routing.params import RouteParams
from dealwright.plan.routing.requests import REQUEST_COLUMNS
from dealwright.plan.routing.requests import working_days as visiting_days
from dealwright.plan.routing.week import spread
from dealwright.plan.staffing.demand import working_days as calling_days
from dealwright.plan.staffing.params import ScheduleParams

AGREED_COLUMNS: Final = {
    "account_id": pl.String,
    "channel": pl.String,
    "firm": pl.Boolean,  # promised; otherwise due, and done before others if there is room
    "not_before": pl.Date,  # of a visit that comes round and is not due yet: not on this channel tonight
}


def agreements(inputs: PlanInputs, visits: RouteParams, calls: ScheduleParams) -> pl.DataFrame:
    """Return `AGREED_COLUMNS`, one row per account: promises of the planned days first, then what is due.

    Parameters
    ----------
    visits, calls
        Say which days are planned.
    """
    parts = [_promised_visits(inputs, visits), _promised_calls(inputs, calls), _rhythm(inputs, visits)]
    return pl.concat(parts).unique("account_id", keep="first", maintain_order=True)


def _promised_visits(inputs: PlanInputs, params: RouteParams) -> pl.DataFrame:
    promises = inputs.promises
    if promises is None or promises.is_empty():
        return pl.DataFrame(schema=AGREED_COLUMNS)
    if "day" in promises.columns:
        days = pl.Series(visiting_days(inputs, params), dtype=pl.Date)
        promises = promises.filter(pl.col("day").is_null() | pl.col("day").is_in(days.implode()))
    return _agreed(promises, "field", firm=True)


def _promised_calls(inputs: PlanInputs, params: ScheduleParams) -> pl.DataFrame:
    call_backs = inputs.call_backs
    if call_backs is None or call_backs.is_empty():
        return pl.DataFrame(schema=AGREED_COLUMNS)
    days = pl.Series(calling_days(inputs.as_of, params), dtype=pl.Date)
    return _agreed(call_backs.filter(pl.col("at").dt.date().is_in(days.implode())), "outbound_cc", firm=True)


def _rhythm(inputs: PlanInputs, params: RouteParams) -> pl.DataFrame:
    """Say which visits that come round are due in the planned days, and when the others are."""
    frequencies = inputs.frequencies
    if frequencies is None or frequencies.is_empty():
        return pl.DataFrame(schema=AGREED_COLUMNS)
    accounts = frequencies["account_id"]
    asked = pl.DataFrame({"row": np.arange(accounts.len()), "account_id": accounts}).select(
        (pl.col(name) if name in ("row", "account_id") else pl.lit(None)).cast(kind).alias(name)
        for name, kind in REQUEST_COLUMNS.items()
    )
    asked = asked.with_columns(value_eur=pl.lit(0.0), must=pl.lit(value=False))
    visits, _, early = spread(asked, frequencies, visiting_days(inputs, params), params)
    due = _agreed(visits.unique("row", maintain_order=True), "field", firm=False)
    later = _agreed(asked.join(early, on="row"), "field", firm=False, not_before=pl.col("due"))
    return pl.concat([due, later])


def _agreed(
    frame: pl.DataFrame, channel: str, *, firm: bool, not_before: pl.Expr | None = None
) -> pl.DataFrame:
    columns = {
        "account_id": pl.col("account_id"),
        "channel": pl.lit(channel),
        "firm": pl.lit(firm),
        "not_before": pl.lit(None) if not_before is None else not_before,
    }
    return frame.select(columns[name].cast(kind).alias(name) for name, kind in AGREED_COLUMNS.items())
