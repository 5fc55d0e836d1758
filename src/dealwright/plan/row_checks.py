"""Checks that several tables share: columns that must be there, ids, times, known accounts, positions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.sieve import Issue, Kind, Sieve
from dealwright.schemas import TIMESTAMP, PlanInputs

_KIND_OF: Final[dict[Any, Kind]] = {
    pl.String: "text",
    pl.Float64: "number",
    pl.Int64: "number",
    pl.Boolean: "flag",
    TIMESTAMP: "moment",
    pl.Date: "moment",
}


@dataclass(frozen=True)
class Accounts:
    """Ids of the accounts that passed, and of all that were given."""

    usable: pl.Series
    given: pl.Series


def require(table: str, frame: pl.DataFrame, names: Iterable[str]) -> None:
    """Refuse a table that lacks a column, naming the nearest one it has."""
    for name in names:
        if name not in frame.columns:
            raise InputError(f"{table}: {UnknownNameError('column', name, frame.columns)}")


def typed(
    table: str,
    frame: pl.DataFrame,
    columns: Mapping[str, Any],
    optional: Mapping[str, Any],
    issues: list[Issue],
) -> Sieve:
    """Require some columns, and convert them and those optional ones that are there.

    Lists come as lists, or as text with semicolons between the items.
    """
    require(table, frame, columns)
    sieve = Sieve(table, frame, issues)
    for name, kind in {**columns, **optional}.items():
        if name not in frame.columns or (name in optional and frame[name].dtype == kind):
            continue
        if kind in _KIND_OF:
            sieve.convert(name, _KIND_OF[kind])
            _narrow(sieve, name, kind)
        elif kind in (pl.List(pl.String), pl.List(pl.Date)):
            _split(sieve, name, kind)
    return sieve


def _narrow(sieve: Sieve, name: str, kind: Any) -> None:
    """Make whole numbers of numbers and days of moments."""
    column = sieve.frame[name]
    if kind == pl.Int64:
        broken = (column != column.round(0)) | column.is_infinite()
        sieve.reject(broken, name, "not a whole number", "write a whole number, such as 540")
    if kind in (pl.Int64, pl.Date):
        sieve.frame = sieve.frame.with_columns(column.cast(kind, strict=False))


def _split(sieve: Sieve, name: str, kind: Any) -> None:
    """Make lists of text with semicolons; items that are no days set their row aside."""
    column = sieve.frame[name]
    if not isinstance(column.dtype, pl.List):
        text = column.cast(pl.String).str.strip_chars()
        column = pl.select(
            pl.when(text == "")
            .then(None)
            .otherwise(text.str.split(";").list.eval(pl.element().str.strip_chars()))
        ).to_series()
    made = column.cast(pl.List(pl.String)).fill_null([])
    if kind == pl.List(pl.Date):
        given = made.list.len()
        made = made.list.eval(pl.element().str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False))
        unread = made.list.eval(pl.element().is_null()).list.any() & (given > 0)
        sieve.reject(unread, name, "not a list of days", "write 2026-07-01; 2026-07-02")
    sieve.frame = sieve.frame.with_columns(made.cast(kind).alias(name))


def check_present(sieve: Sieve, names: Iterable[str]) -> None:
    """Set rows with an empty cell aside."""
    for name in names:
        sieve.reject(sieve.frame[name].is_null(), name, "missing", "fill it in")


def check_ids(sieve: Sieve, name: str) -> None:
    """Set rows without an id, and rows with the id of an earlier one, aside."""
    column = sieve.frame[name]
    sieve.reject(column.is_null(), name, "missing", "give every row an id")
    repeated = ~column.is_first_distinct() & column.is_not_null()
    sieve.reject(repeated, name, "id of an earlier row", "keep one row per id (the first one was kept)")


def check_time(sieve: Sieve, name: str, inputs: PlanInputs) -> None:
    """Set rows after the cut-off aside."""
    late = sieve.frame[name] > inputs.as_of
    sieve.reject(late, name, "after the cut-off", f"mend the date, or set --as-of later than {inputs.as_of}")


def check_range(sieve: Sieve, name: str, low: float, high: float, fix: str) -> None:
    """Set rows with a number outside [low, high] aside; nothing happens where the column is missing."""
    if name in sieve.frame.columns:
        told = f"not from {low:g} to {high:g}" if math.isfinite(high) else f"below {low:g} or infinite"
        outside = ~sieve.frame[name].is_between(low, high) | sieve.frame[name].cast(pl.Float64).is_infinite()
        sieve.reject(outside, name, told, fix)


def check_account(sieve: Sieve, accounts: Accounts) -> None:
    """Set rows of unknown accounts aside, and say apart when the account itself was set aside."""
    column = sieve.frame["account_id"]
    unusable = ~column.is_in(accounts.usable.implode()) & column.is_not_null()
    if unusable.any():
        known = column.is_in(accounts.given.drop_nulls().implode())
        sieve.reject(
            unusable & ~known, "account_id", "no such account", "add the account to the accounts table"
        )
        sieve.reject(unusable & known, "account_id", "of an account set aside", "mend the account's row")


def check_position(sieve: Sieve, lat: str, lon: str) -> None:
    """Set positions off the globe and half positions aside."""
    for name, limit in ((lat, 90.0), (lon, 180.0)):
        outside = ~sieve.frame[name].is_between(-limit, limit)
        sieve.reject(
            outside, name, f"not within ±{limit:.0f} degrees", "write decimal degrees, such as 41.3874"
        )
    half = sieve.frame[lat].is_null() != sieve.frame[lon].is_null()
    sieve.reject(half, lat, "only half a position", "give both latitude and longitude, or neither")
