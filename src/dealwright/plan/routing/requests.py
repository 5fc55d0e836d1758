"""From frames to visits that could be made: who, where, worth what, when, by whom and on which days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.plan.inputs import align
from dealwright.plan.routing.params import RouteParams
from dealwright.schemas import (
    PROMISE_COLUMNS,
    REP_COLUMNS,
    REP_OPTIONAL,
    VISIT_REQUEST_COLUMNS,
    PlanInputs,
    conform,
)

DAY_MIN: Final = 1440
LONGEST_NIGHT_MIN: Final = (
    960  # a shift that ends before it starts is one of the night, if not of 16 hours and more
)
_SHIFT: Final = ("shift_start_min", "shift_end_min", "visits_per_day")


@dataclass(frozen=True)
class Rep:
    """A representative, with defaults filled in."""

    rep_id: str
    lat_deg: float
    lon_deg: float
    shift_start_min: int
    shift_end_min: int
    visits_per_day: int


def read_reps(inputs: PlanInputs, params: RouteParams) -> tuple[Rep, ...]:
    """Return the representatives; a shift of no length is that of somebody who does not work.

    A shift that ends before it starts ends on the next day, such as one from 22:00 to 06:00.
    """
    columns = {**REP_COLUMNS, **{name: REP_OPTIONAL[name] for name in _SHIFT}}
    start, end = pl.col("shift_start_min"), pl.col("shift_end_min")
    night = (end < start) & (end + DAY_MIN - start <= LONGEST_NIGHT_MIN)
    table = (
        conform(inputs.reps, columns, *REP_COLUMNS)
        .with_columns(shift_end_min=pl.when(night).then(end + DAY_MIN).otherwise(end))
        .with_columns(pl.col(name).fill_null(getattr(params, name)) for name in _SHIFT)
    )
    # where only one end is given, the other may lie on the wrong side of it
    late = table.with_columns(pl.max_horizontal("shift_start_min", "shift_end_min").alias("shift_end_min"))
    return tuple(Rep(*row) for row in late.iter_rows())


def open_during_shifts(requests: pl.DataFrame, reps: tuple[Rep, ...]) -> pl.DataFrame:
    """Move opening hours and appointments by a day where the shift of the account's representative needs it.

    Hours repeat every day: to a shift from 22:00 to 06:00 who opens at 03:00 opens at 27:00, and to one from
    00:00 to 05:00 the bar that opens at 16:00 has been open since 8 hours before midnight.
    """
    shifts = pl.DataFrame(
        [(rep.rep_id, float(rep.shift_start_min), float(rep.shift_end_min)) for rep in reps],
        schema={"rep_id": pl.String, "from": pl.Float64, "until": pl.Float64},
        orient="row",
    ).unique("rep_id", keep="first", maintain_order=True)
    opens, closes, begin = pl.col("opens_min"), pl.col("closes_min"), pl.col("begin_min")
    start, end = pl.col("from"), pl.col("until")

    def hours_shared(days: int) -> pl.Expr:
        return pl.min_horizontal(closes + days * DAY_MIN, end) - pl.max_horizontal(
            opens + days * DAY_MIN, start
        )

    def inside(days: int) -> pl.Expr:
        return (begin + days * DAY_MIN).is_between(start, end)

    today, tomorrow, yesterday = (hours_shared(days) for days in (0, 1, -1))
    moved = (
        pl.when(start.is_null() | ((today >= tomorrow) & (today >= yesterday)))
        .then(0)
        .when(tomorrow >= yesterday)
        .then(DAY_MIN)
        .otherwise(-DAY_MIN)
    )
    always = (closes - opens >= DAY_MIN) & start.is_not_null()
    return (
        requests.join(shifts, on="rep_id", how="left", maintain_order="left")
        .with_columns(
            opens_min=pl.when(always).then(pl.min_horizontal(opens, start)).otherwise(opens + moved),
            closes_min=pl.when(always).then(pl.max_horizontal(closes, end)).otherwise(closes + moved),
            begin_min=pl.when(~inside(0) & inside(1)).then(begin + DAY_MIN).otherwise(begin),
        )
        .select(requests.columns)
    )


def read_requests(
    inputs: PlanInputs,
    decisions: pl.DataFrame | None,
    *,
    territories: pl.DataFrame | None,
    promises: pl.DataFrame | None,
    params: RouteParams,
) -> pl.DataFrame:
    """Return `VISIT_REQUEST_COLUMNS`: the accounts of the field channel, and those promised a visit.

    The representative is the one of the territory, of the promise (which pins), or the account's own.
    """
    accounts, schema = inputs.accounts, inputs.schema
    if not schema.has_position:
        raise InputError(
            "routes need the positions of the accounts: map lat_deg and lon_deg in the schema file"
        )
    account_id = accounts["account_id"]
    chosen = align(accounts if decisions is None else decisions, account_id, "expected_value_eur")
    visited = (
        chosen["channel"].eq("field").fill_null(value=False)
        if "channel" in chosen.columns
        else pl.repeat(value=True, n=accounts.height, dtype=pl.Boolean, eager=True)
    )
    rep = _rep_of(accounts, schema.role("rep_id"), territories)
    table = pl.DataFrame(
        {
            "row": pl.Series(np.arange(accounts.height)),
            "account_id": account_id,
            "own_rep": rep,
            "lat_deg": accounts["lat_deg"],
            "lon_deg": accounts["lon_deg"],
            "value_eur": chosen["expected_value_eur"].cast(pl.Float64).fill_null(0.0).clip(lower_bound=0.0),
            "visit_min": _role(inputs, "visit_min", params.visit_min),
            "opens_min": _role(inputs, "opens_min", params.opens_min),
            "closes_min": _role(inputs, "closes_min", params.closes_min),
            "position_note": accounts.get_column(
                "position_note", default=pl.repeat(None, accounts.height, dtype=pl.String, eager=True)
            ),
            "urgent": _flag(chosen, "urgent") | _flag(chosen, "due"),
            "field": visited,
        }
    )
    closes = pl.col("closes_min")
    # who opens at 16:00 and closes at 01:00 closes at 25:00
    table = table.with_columns(pl.when(closes < pl.col("opens_min")).then(closes + DAY_MIN).otherwise(closes))
    promised = conform(promises, PROMISE_COLUMNS, "account_id").with_columns(promised=pl.lit(value=True))
    table = table.join(promised, on="account_id", how="left", maintain_order="left").with_columns(
        pinned=pl.col("rep_id").is_not_null(),
        # an appointment is a promise that has to be kept
        must=pl.col("must").fill_null(pl.col("begin_min").is_not_null()),
        rep_id=pl.coalesce("rep_id", "own_rep"),
    )
    wanted = pl.col("field") | pl.col("promised").fill_null(value=False)
    return table.filter(wanted).select(
        pl.col(name).cast(kind) for name, kind in VISIT_REQUEST_COLUMNS.items()
    )


def _rep_of(accounts: pl.DataFrame, own: str | None, territories: pl.DataFrame | None) -> pl.Series:
    if territories is not None:
        return align(territories, accounts["account_id"], "rep_id")["rep_id"]
    if own is not None:
        return accounts[own].cast(pl.String)
    return pl.Series([None] * accounts.height, dtype=pl.String)


def _flag(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a yes/no column, no where it is missing."""
    no = pl.repeat(value=False, n=frame.height, dtype=pl.Boolean, eager=True)
    return frame.get_column(name, default=no).fill_null(value=False)


def _role(inputs: PlanInputs, role: str, default: float) -> pl.Series:
    column = inputs.schema.role(role)
    if column is None:
        return pl.repeat(default, inputs.accounts.height, dtype=pl.Float64, eager=True)
    return inputs.accounts[column].cast(pl.Float64).fill_null(default)
