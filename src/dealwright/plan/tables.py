"""What a usable row of each table is: ids, times, amounts, positions and known values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.inputs import (
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
from dealwright.plan.sieve import Issue, Kind, Sieve

_KIND_OF: Final[dict[Any, Kind]] = {
    pl.String: "text",
    pl.Float64: "number",
    pl.Int64: "number",
    pl.Boolean: "flag",
    TIMESTAMP: "moment",
}


@dataclass(frozen=True)
class Accounts:
    """Ids of the accounts that passed, and of all that were given."""

    usable: pl.Series
    given: pl.Series


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
    _require("accounts", inputs.accounts, (*needed, *schema.roles.values()))
    sieve.convert("account_id", "text")
    for name in (*schema.numeric, *position, *labels[-1:] * schema.has_value_label):
        sieve.convert(name, "number")
    for name in schema.dates:
        sieve.convert(name, "moment")
    for name in (*schema.categorical, *preferred):
        sieve.convert(name, "text")
    for name in (*consents, *labels[:1] * schema.has_churn_label):
        sieve.convert(name, "flag")
    _check_ids(sieve, "account_id")
    for name in (*schema.numeric, *labels[-1:] * schema.has_value_label):
        sieve.reject(
            sieve.frame[name].is_infinite(), name, "infinite", "write a finite number or leave it empty"
        )
    _check_account_dates(sieve, inputs)
    if schema.has_position:
        _check_position(sieve, "lat_deg", "lon_deg")
    _check_categories(sieve, schema)
    if schema.has_preferred_channel:
        _blank_unknown(sieve, PREFERRED_CHANNEL, CHANNELS)
    return sieve, _drop_silent_columns(sieve, schema, missing_note_share)


def sift_orders(frame: pl.DataFrame, inputs: PlanInputs, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check the orders: known account, a time not after the cut-off, a finite amount of at least zero."""
    sieve = _typed("orders", frame, ORDER_COLUMNS, {}, issues)
    _check_present(sieve, ORDER_COLUMNS)
    _check_time(sieve, "ordered_at", inputs)
    amount = sieve.frame["amount_eur"]
    sieve.reject(amount.is_infinite(), "amount_eur", "infinite", "write a finite amount")
    sieve.reject(amount < 0, "amount_eur", "negative", "net returns off the order they belong to")
    _check_account(sieve, accounts)
    return sieve


def sift_touches(frame: pl.DataFrame, inputs: PlanInputs, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check the touches: known account and channel, a time not after the cut-off, a propensity in (0, 1]."""
    sieve = _typed("touches", frame, TOUCH_COLUMNS, TOUCH_OPTIONAL, issues)
    _check_present(sieve, ("account_id", "touched_at", "action", "response"))
    _check_time(sieve, "touched_at", inputs)
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
    _check_account(sieve, accounts)
    return sieve


def sift_history(frame: pl.DataFrame, inputs: PlanInputs, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check earlier snapshots: features as of the accounts, a known account, a time before the cut-off."""
    schema = inputs.schema
    _require("history", frame, ("account_id", "snapshot_at"))
    columns: dict[str, Any] = {"account_id": pl.String, "snapshot_at": TIMESTAMP}
    columns |= dict.fromkeys(schema.numeric, pl.Float64) | dict.fromkeys(schema.categorical, pl.String)
    columns |= dict.fromkeys(schema.dates, TIMESTAMP)
    absent = [name for name in columns if name not in frame.columns]
    sieve = _typed("history", frame, {k: v for k, v in columns.items() if k not in absent}, {}, issues)
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
    _check_present(sieve, ("account_id", "snapshot_at"))
    _check_time(sieve, "snapshot_at", inputs)
    _check_account(sieve, accounts)
    return sieve


def sift_reps(frame: pl.DataFrame, issues: list[Issue]) -> Sieve:
    """Check the representatives: unique ids and homes on the map."""
    if "skills" in frame.columns and frame["skills"].dtype == pl.String:
        split = pl.col("skills").str.split(";").list.eval(pl.element().str.strip_chars())
        frame = frame.with_columns(split.fill_null([]))
    sieve = _typed("reps", frame, REP_COLUMNS, REP_OPTIONAL, issues)
    _check_ids(sieve, "rep_id")
    _check_present(sieve, ("home_lat_deg", "home_lon_deg"))
    _check_position(sieve, "home_lat_deg", "home_lon_deg")
    whole = [name for name, kind in REP_OPTIONAL.items() if kind == pl.Int64 and name in sieve.frame.columns]
    sieve.frame = sieve.frame.with_columns(pl.col(name).cast(pl.Int64, strict=False) for name in whole)
    return sieve


def _require(table: str, frame: pl.DataFrame, names: Iterable[str]) -> None:
    for name in names:
        if name not in frame.columns:
            raise InputError(f"{table}: {UnknownNameError('column', name, frame.columns)}")


def _typed(
    table: str,
    frame: pl.DataFrame,
    columns: Mapping[str, Any],
    optional: Mapping[str, Any],
    issues: list[Issue],
) -> Sieve:
    """Require some columns, and convert them and those optional ones that are there."""
    _require(table, frame, columns)
    sieve = Sieve(table, frame, issues)
    for name, kind in {**columns, **optional}.items():
        if (
            name in frame.columns
            and kind in _KIND_OF
            and not (name in optional and frame[name].dtype == kind)
        ):
            sieve.convert(name, _KIND_OF[kind])
    return sieve


def _check_present(sieve: Sieve, names: Iterable[str]) -> None:
    for name in names:
        sieve.reject(sieve.frame[name].is_null(), name, "missing", "fill it in")


def _check_ids(sieve: Sieve, name: str) -> None:
    column = sieve.frame[name]
    sieve.reject(column.is_null(), name, "missing", "give every row an id")
    repeated = ~column.is_first_distinct() & column.is_not_null()
    sieve.reject(repeated, name, "id of an earlier row", "keep one row per id (the first one was kept)")


def _check_time(sieve: Sieve, name: str, inputs: PlanInputs) -> None:
    late = sieve.frame[name] > inputs.as_of
    sieve.reject(late, name, "after the cut-off", f"mend the date, or set --as-of later than {inputs.as_of}")


def _check_account(sieve: Sieve, accounts: Accounts) -> None:
    """Set rows of unknown accounts aside, and say apart when the account itself was set aside."""
    column = sieve.frame["account_id"]
    unusable = ~column.is_in(accounts.usable.implode()) & column.is_not_null()
    if unusable.any():
        known = column.is_in(accounts.given.drop_nulls().implode())
        sieve.reject(
            unusable & ~known, "account_id", "no such account", "add the account to the accounts table"
        )
        sieve.reject(unusable & known, "account_id", "of an account set aside", "mend the account's row")


def _check_position(sieve: Sieve, lat: str, lon: str) -> None:
    for name, limit in ((lat, 90.0), (lon, 180.0)):
        outside = ~sieve.frame[name].is_between(-limit, limit)
        sieve.reject(
            outside, name, f"not within ±{limit:.0f} degrees", "write decimal degrees, such as 41.3874"
        )
    half = sieve.frame[lat].is_null() != sieve.frame[lon].is_null()
    sieve.reject(half, lat, "only half a position", "give both latitude and longitude, or neither")
    nowhere = int((sieve.frame[lat].is_null() & sieve.frame[lon].is_null()).sum())
    if nowhere:
        sieve.note(lat, nowhere, "no position: cannot be visited", "geocode the address", warning=True)
    zero = int(((sieve.frame[lat] == 0) & (sieve.frame[lon] == 0)).sum())
    if zero:
        sieve.note(
            lat, zero, "position 0, 0 is in the Atlantic", "leave unknown positions empty", warning=True
        )


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
