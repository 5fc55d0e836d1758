"""What a usable row of each table is: ids, times, amounts, positions and known values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import polars as pl

from dealwright.errors import InputError
from dealwright.plan.row_checks import (
    Accounts,
    check_account,
    check_ids,
    check_position,
    check_present,
    check_range,
    check_time,
    require,
    typed,
)
from dealwright.plan.sieve import Issue, Sieve
from dealwright.schemas import (
    CHANNELS,
    CHURNED,
    FUTURE_VALUE,
    NOTHING,
    ORDER_COLUMNS,
    PREFERRED_CHANNEL,
    REP_COLUMNS,
    REP_OPTIONAL,
    TIMESTAMP,
    TOUCH_COLUMNS,
    TOUCH_OPTIONAL,
    AccountSchema,
    PlanInputs,
    consent_column,
)


def sift_accounts(
    inputs: PlanInputs, issues: list[Issue], missing_note_share: float
) -> tuple[Sieve, AccountSchema]:
    """Check the accounts; the schema returned leaves out columns that say nothing."""
    schema = inputs.schema
    sieve = Sieve("accounts", inputs.accounts, issues)
    if inputs.accounts.is_empty():
        raise InputError("accounts has no rows: give at least one account")
    labels = [CHURNED] * schema.has_churn_label + [FUTURE_VALUE] * schema.has_value_label
    position = ["lat_deg", "lon_deg"] if schema.has_position else []
    preferred = [PREFERRED_CHANNEL] if schema.has_preferred_channel else []
    consents = [consent_column(name) for name in schema.consent]
    needed = dict.fromkeys(["account_id", *schema.features, *labels, *position, *preferred, *consents])
    require("accounts", inputs.accounts, (*needed, *schema.roles.values()))
    sieve.convert("account_id", "text")
    for name in (*schema.numeric, *position, *labels[-1:] * schema.has_value_label):
        sieve.convert(name, "number")
    for name in schema.dates:
        sieve.convert(name, "moment")
    for name in (*schema.categorical, *preferred):
        sieve.convert(name, "text")
    for name in (*consents, *labels[:1] * schema.has_churn_label):
        sieve.convert(name, "flag")
    check_ids(sieve, "account_id")
    for name in (*schema.numeric, *labels[-1:] * schema.has_value_label):
        sieve.reject(
            sieve.frame[name].is_infinite(), name, "infinite", "write a finite number or leave it empty"
        )
    _check_account_dates(sieve, inputs)
    if schema.has_position:
        check_position(sieve, "lat_deg", "lon_deg")
    _check_categories(sieve, schema)
    if schema.has_preferred_channel:
        _blank_unknown(sieve, PREFERRED_CHANNEL, CHANNELS)
    return sieve, _drop_silent_columns(sieve, schema, missing_note_share)


def sift_orders(frame: pl.DataFrame, inputs: PlanInputs, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check the orders: known account, a time not after the cut-off, a finite amount of at least zero."""
    sieve = typed("orders", frame, ORDER_COLUMNS, {}, issues)
    check_present(sieve, ORDER_COLUMNS)
    check_time(sieve, "ordered_at", inputs)
    amount = sieve.frame["amount_eur"]
    sieve.reject(amount.is_infinite(), "amount_eur", "infinite", "write a finite amount")
    sieve.reject(amount < 0, "amount_eur", "negative", "net returns off the order they belong to")
    check_account(sieve, accounts)
    return sieve


def sift_touches(frame: pl.DataFrame, inputs: PlanInputs, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check the touches: known account and channel, a time not after the cut-off, a propensity in (0, 1]."""
    sieve = typed("touches", frame, TOUCH_COLUMNS, TOUCH_OPTIONAL, issues)
    check_present(sieve, ("account_id", "touched_at", "action", "response"))
    check_time(sieve, "touched_at", inputs)
    channel = sieve.frame["channel"]
    sieve.reject(
        channel.is_null() & (sieve.frame["action"] != NOTHING), "channel", "missing",
        f"name the channel; only the action {NOTHING!r} has none",
    )  # fmt: skip
    sieve.reject(~channel.is_in(CHANNELS), "channel", "not a channel", f"use one of: {', '.join(CHANNELS)}")
    if "propensity" in sieve.frame.columns:
        outside = ~sieve.frame["propensity"].is_between(0.0, 1.0, closed="right")
        sieve.reject(
            outside, "propensity", "not above 0 and at most 1", "log the probability of the action taken"
        )
    check_account(sieve, accounts)
    return sieve


def sift_history(frame: pl.DataFrame, inputs: PlanInputs, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check earlier snapshots: features as of the accounts, a known account, a time before the cut-off."""
    schema = inputs.schema
    require("history", frame, ("account_id", "snapshot_at"))
    columns: dict[str, Any] = {"account_id": pl.String, "snapshot_at": TIMESTAMP}
    columns |= dict.fromkeys(schema.numeric, pl.Float64) | dict.fromkeys(schema.categorical, pl.String)
    columns |= dict.fromkeys(schema.dates, TIMESTAMP)
    absent = [name for name in columns if name not in frame.columns]
    sieve = typed("history", frame, {k: v for k, v in columns.items() if k not in absent}, {}, issues)
    if absent:
        sieve.note(
            absent[0],
            0,
            f"not in the history: {', '.join(absent)}",
            "add the column to learn from it",
            warning=True,
        )
    for name in schema.numeric:
        if name not in absent:
            sieve.reject(sieve.frame[name].is_infinite(), name, "infinite", "write a finite number")
    check_present(sieve, ("account_id", "snapshot_at"))
    check_time(sieve, "snapshot_at", inputs)
    check_account(sieve, accounts)
    return sieve


def sift_reps(frame: pl.DataFrame, issues: list[Issue]) -> Sieve:
    """Check the representatives: unique ids and homes on the map."""
    if "skills" in frame.columns and frame["skills"].dtype == pl.String:
        split = pl.col("skills").str.split(";").list.eval(pl.element().str.strip_chars())
        frame = frame.with_columns(split.fill_null([]))
    sieve = typed("reps", frame, REP_COLUMNS, REP_OPTIONAL, issues)
    check_ids(sieve, "rep_id")
    check_present(sieve, ("home_lat_deg", "home_lon_deg"))
    check_position(sieve, "home_lat_deg", "home_lon_deg")
    zero = (sieve.frame["home_lat_deg"] == 0) & (sieve.frame["home_lon_deg"] == 0)
    sieve.reject(zero, "home_lat_deg", "position 0, 0 is in the Atlantic", "give the position of the home")
    for name in ("shift_start_min", "shift_end_min"):
        check_range(sieve, name, 0, 1440, "write minutes after midnight, such as 540 for nine o'clock")
    check_range(sieve, "visits_per_day", 0, math.inf, "write how many visits a day are possible, 0 or more")
    if {"shift_start_min", "shift_end_min"} <= set(sieve.frame.columns):
        sieve.reject(
            sieve.frame["shift_end_min"] < sieve.frame["shift_start_min"], "shift_end_min",
            "the shift ends before it starts", "correct shift_start_min or shift_end_min",
        )  # fmt: skip
    return sieve


def _check_account_dates(sieve: Sieve, inputs: PlanInputs) -> None:
    for name in inputs.schema.dates:
        if name in inputs.schema.dates_ahead:
            continue
        late = (sieve.frame[name] > inputs.as_of).fill_null(value=False)
        if late.sum() > 0.5 * len(late):
            raise InputError(
                f"accounts: column {name!r} lies after the cut-off {inputs.as_of:%Y-%m-%d} in "
                f"{int(late.sum()):,} of {len(late):,} rows; if it may (such as the end of a contract), "
                "add it to dates_ahead, else set --as-of"
            )
        sieve.reject(
            late, name, "in the future", "mend the date; dates that may lie ahead belong to dates_ahead"
        )


def _check_categories(sieve: Sieve, schema: AccountSchema) -> None:
    for name, allowed in schema.categorical.items():
        if allowed is not None:
            _blank_unknown(sieve, name, allowed)


def _blank_unknown(sieve: Sieve, name: str, allowed: Iterable[str]) -> None:
    """Treat values outside the declared ones as missing, and say which they were."""
    column = sieve.frame[name]
    unknown = ~column.is_in(list(allowed)) & column.is_not_null()
    if unknown.any():
        values = column.filter(unknown).unique().sort().head(3).to_list()
        sieve.frame = sieve.frame.with_columns(column.set(unknown, None))
        sieve.note(
            name, int(unknown.sum()), f"unknown category {', '.join(map(repr, values))}: treated as missing",
            "add it to the declared categories, or mend the spelling", warning=True,
        )  # fmt: skip


def _drop_silent_columns(sieve: Sieve, schema: AccountSchema, missing_note_share: float) -> AccountSchema:
    """Exclude features that are empty or always the same; note those that are mostly empty."""
    silent = set()
    for name in schema.features:
        column = sieve.frame[name]
        empty = column.null_count()
        if empty == len(column):
            silent.add(name)
            sieve.note(
                name, empty, "empty in every row: not used", "fill it in, or do not declare it", warning=True
            )
        elif len(column) > 1 and column.drop_nulls().n_unique() == 1 and empty == 0:
            silent.add(name)
            sieve.note(name, 0, "the same in every row: not used", "nothing to do, or do not declare it")
        elif empty > missing_note_share * len(column):
            sieve.note(
                name, empty, f"empty in {empty / len(column):.0%} of the rows", "fill it in if you can"
            )
    if schema.has_churn_label and sieve.frame[CHURNED].drop_nulls().n_unique() == 1:
        only = sieve.frame[CHURNED].drop_nulls()[0]
        sieve.note(
            CHURNED,
            0,
            f"every label is {only}: nothing to learn from it",
            "label both outcomes",
            warning=True,
        )
    return replace(
        schema,
        numeric=tuple(name for name in schema.numeric if name not in silent),
        categorical={name: values for name, values in schema.categorical.items() if name not in silent},
        dates=tuple(name for name in schema.dates if name not in silent),
    )
