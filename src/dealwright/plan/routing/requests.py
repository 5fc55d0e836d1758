"""From frames to visits that could be made: who, where, worth what, when, by whom and on which days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.plan.frames import StageResult
from dealwright.plan.routing.params import RouteParams
from dealwright.schemas import PROMISE_COLUMNS, VISIT_REQUEST_COLUMNS, PlanInputs


@dataclass(frozen=True)
class Rep:
    """A representative, with defaults filled in."""

    rep_id: str
    lat_deg: float
    lon_deg: float
    shift_start_min: int
    shift_end_min: int
    visits_per_day: int


def working_days(inputs: PlanInputs, params: RouteParams) -> tuple[date, ...]:
    """Return the days to plan: working days from the first one on."""
    day = params.first_day.date() if params.first_day else (inputs.as_of + timedelta(days=1)).date()
    found: list[date] = []
    while len(found) < params.days:
        if day.weekday() in params.weekdays:
            found.append(day)
        day += timedelta(days=1)
    return tuple(found)


def read_reps(inputs: PlanInputs, params: RouteParams) -> tuple[Rep, ...]:
    """Return the representatives who have a home.

    Raises
    ------
    InputError
        A shift that ends before it starts; one of no length is that of somebody who does not work.
    """
    if inputs.reps is None:
        return ()
    found = []
    for row in inputs.reps.iter_rows(named=True):
        if row["home_lat_deg"] is None or row["home_lon_deg"] is None:
            continue
        start = _given(row, "shift_start_min", params.shift_start_min)
        end = _given(row, "shift_end_min", params.shift_end_min)
        if start > end:
            raise InputError(
                f"the shift of representative {row['rep_id']} ends ({end} min after midnight) before it "
                f"starts ({start} min): correct shift_start_min or shift_end_min"
            )
        most = _given(row, "visits_per_day", params.visits_per_day)
        found.append(Rep(row["rep_id"], row["home_lat_deg"], row["home_lon_deg"], start, end, max(most, 0)))
    return tuple(found)


def _given(row: dict[str, Any], name: str, default: int) -> int:
    value = row.get(name)
    return default if value is None else int(value)


def read_requests(
    inputs: PlanInputs,
    actions: StageResult,
    *,
    territories: StageResult | None,
    channels: StageResult | None,
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
    chosen = (channels or actions).frame
    # a visit may be worth something else than the action on the channel it would have liked best
    value = (chosen if "expected_value_eur" in chosen.columns else actions.frame)["expected_value_eur"]
    rep = _rep_of(accounts, schema.role("rep_id"), territories)
    table = pl.DataFrame(
        {
            "row": pl.Series(np.arange(accounts.height)),
            "account_id": accounts["account_id"],
            "own_rep": rep,
            "lat_deg": accounts["lat_deg"],
            "lon_deg": accounts["lon_deg"],
            "value_eur": value.fill_null(0.0).clip(lower_bound=0.0),
            "visit_min": _role(inputs, "visit_min", params.visit_min),
            "opens_min": _role(inputs, "opens_min", params.opens_min),
            "closes_min": _role(inputs, "closes_min", params.closes_min),
            "position_note": accounts.get_column(
                "position_note", default=pl.repeat(None, accounts.height, dtype=pl.String, eager=True)
            ),
            "urgent": _flag(chosen, "urgent") | _flag(chosen, "due"),
            "field": chosen["channel"].eq("field").fill_null(value=False),
        }
    )
    promised = _read_promises(promises, accounts, inputs.reps)
    table = table.join(promised, on="account_id", how="left", maintain_order="left").with_columns(
        pinned=pl.col("rep_id").is_not_null(),
        must=pl.col("must").fill_null(value=False),
        rep_id=pl.coalesce("rep_id", "own_rep"),
    )
    wanted = pl.col("field") | pl.col("promised").fill_null(value=False)
    return table.filter(wanted).select(
        pl.col(name).cast(kind) for name, kind in VISIT_REQUEST_COLUMNS.items()
    )


def _rep_of(accounts: pl.DataFrame, own: str | None, territories: StageResult | None) -> pl.Series:
    if territories is not None:
        return territories.frame["rep_id"]
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


def _read_promises(
    promises: pl.DataFrame | None, accounts: pl.DataFrame, reps: pl.DataFrame | None
) -> pl.DataFrame:
    """Check the promises and complete their columns."""
    empty = pl.DataFrame(schema={**PROMISE_COLUMNS, "promised": pl.Boolean})
    if promises is None or promises.height == 0:
        return empty
    if "account_id" not in promises.columns:
        raise InputError("the promised visits have no column account_id: name the account of each")
    table = promises.select(
        (pl.col(name) if name in promises.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in PROMISE_COLUMNS.items()
    ).with_columns(promised=pl.lit(value=True))
    unknown = table.filter(~pl.col("account_id").is_in(accounts["account_id"].implode()))
    if unknown.height:
        raise InputError(
            f"promised visits name {unknown.height} unknown account(s), such as "
            f"{unknown['account_id'][0]!r}: correct the ids or leave the rows out"
        )
    known_reps = [] if reps is None else reps["rep_id"].to_list()
    strange = table.filter(pl.col("rep_id").is_not_null() & ~pl.col("rep_id").is_in(known_reps))
    if strange.height:
        raise InputError(
            f"the promised visit to {strange['account_id'][0]!r} names the unknown representative "
            f"{strange['rep_id'][0]!r}: correct the id or leave it empty"
        )
    twice = table.filter(pl.col("account_id").is_duplicated())
    if twice.height:
        raise InputError(
            f"the account {twice['account_id'][0]!r} is promised more than once: keep one row, and give the "
            "number of visits as a frequency"
        )
    # an appointment is a promise that has to be kept
    return table.with_columns(must=pl.col("must").fill_null(pl.col("begin_min").is_not_null()))
