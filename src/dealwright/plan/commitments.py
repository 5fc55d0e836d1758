"""What is settled about an account's channel before it is allocated: promises, visits that come round."""

from __future__ import annotations

import numpy as np
import polars as pl

from dealwright.plan.inputs import working_days
from dealwright.plan.routing import RouteParams
from dealwright.plan.routing.week import spread
from dealwright.plan.staffing import ScheduleParams
from dealwright.schemas import (
    CLOSED,
    COMMITMENT_COLUMNS,
    DUE,
    PROMISED,
    VISIT_REQUEST_COLUMNS,
    PlanInputs,
    conform,
)


def find_commitments(inputs: PlanInputs, visits: RouteParams, calls: ScheduleParams) -> pl.DataFrame:
    """Return `COMMITMENT_COLUMNS`, one row per account: promises of the planned days, then what is due."""
    parts = [_promised_visits(inputs, visits), _promised_calls(inputs, calls), _rhythm(inputs, visits)]
    return pl.concat(parts).unique("account_id", keep="first", maintain_order=True)


def _promised_visits(inputs: PlanInputs, params: RouteParams) -> pl.DataFrame:
    promises = inputs.promises
    if promises is None or promises.is_empty():
        return pl.DataFrame(schema=COMMITMENT_COLUMNS)
    if "day" in promises.columns:
        days = pl.Series(working_days(inputs.as_of, params), dtype=pl.Date)
        promises = promises.filter(pl.col("day").is_null() | pl.col("day").is_in(days.implode()))
    return commitment_frame(promises["account_id"], "field", PROMISED)


def _promised_calls(inputs: PlanInputs, params: ScheduleParams) -> pl.DataFrame:
    call_backs = inputs.call_backs
    if call_backs is None or call_backs.is_empty():
        return pl.DataFrame(schema=COMMITMENT_COLUMNS)
    days = pl.Series(working_days(inputs.as_of, params), dtype=pl.Date)
    today = call_backs.filter(pl.col("at").dt.date().is_in(days.implode()))
    return commitment_frame(today["account_id"], "outbound_cc", PROMISED)


def _rhythm(inputs: PlanInputs, params: RouteParams) -> pl.DataFrame:
    """Say which visits that come round are due in the planned days, and when the others are."""
    frequencies = inputs.frequencies
    if frequencies is None or frequencies.is_empty():
        return pl.DataFrame(schema=COMMITMENT_COLUMNS)
    accounts = frequencies["account_id"]
    asked = pl.DataFrame({"row": np.arange(accounts.len()), "account_id": accounts})
    asked = conform(asked, VISIT_REQUEST_COLUMNS)
    asked = asked.with_columns(value_eur=pl.lit(0.0), must=pl.lit(value=False))
    days = working_days(inputs.as_of, params)
    visits, _, early = spread(asked, frequencies, days, params)
    if "due" in frequencies.columns:  # a last day beyond the planned ones is no reason to come tonight
        every = pl.col("every_days").is_null() if "every_days" in frequencies.columns else pl.lit(value=True)
        later = frequencies.filter(every & (pl.col("due") > days[-1]))["account_id"]
        visits = visits.filter(~pl.col("account_id").is_in(later.implode()))
    due = commitment_frame(visits.unique("row", maintain_order=True)["account_id"], "field", DUE)
    later_ones = asked.select("row", "account_id").join(early, on="row", maintain_order="left")
    why = pl.select(pl.format("its visit is not due before {}", later_ones["due"])).to_series()
    return pl.concat([due, commitment_frame(later_ones["account_id"], "field", CLOSED, why)])


def commitment_frame(
    account_id: pl.Series, channel: str, kind: str, why: pl.Series | None = None
) -> pl.DataFrame:
    """Return `COMMITMENT_COLUMNS` with the same channel and kind for some accounts."""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, account_id.len())
    return pl.DataFrame({"account_id": account_id, "why": nothing if why is None else why}).select(
        "account_id", pl.lit(channel).alias("channel"), pl.lit(kind).alias("kind"), "why"
    )
