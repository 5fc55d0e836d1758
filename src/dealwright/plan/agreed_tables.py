"""What a usable row is of the tables that say what was agreed, who answers, and what will come in.

Promised visits, visit frequencies, call-backs; staff of the contact centre; forecast contacts. A broken row
is set aside like any other, so that the quality gate stops the run rather than let a promise be forgotten.
"""

from __future__ import annotations

import math
from typing import Final

import polars as pl

from dealwright.plan.row_checks import (
    Accounts,
    check_account,
    check_ids,
    check_present,
    check_range,
    typed,
)
from dealwright.plan.sieve import Issue, Sieve
from dealwright.schemas import (
    ARRIVAL_COLUMNS,
    CALL_BACK_COLUMNS,
    CENTRE_CHANNELS,
    FREQUENCY_COLUMNS,
    PROMISE_COLUMNS,
    STAFF_COLUMNS,
)

_DAY_MIN: Final = 1440
_CLOCK: Final = "write minutes after midnight, such as 540 for nine o'clock"


def sift_promises(
    frame: pl.DataFrame, issues: list[Issue], accounts: Accounts, reps: pl.DataFrame | None
) -> Sieve:
    """Check the promised visits: known accounts, one row each, known representatives, moments of a day."""
    sieve = typed("promises", frame, {"account_id": pl.String}, PROMISE_COLUMNS, issues)
    _check_once(sieve, accounts, "keep one row, and give the number of visits as a frequency")
    if "rep_id" in sieve.frame.columns:
        known = [] if reps is None else reps["rep_id"].to_list()
        strange = ~sieve.frame["rep_id"].is_in(known)
        sieve.reject(strange, "rep_id", "no such representative", "correct the id, or leave it empty")
    check_range(sieve, "begin_min", 0, _DAY_MIN - 1, _CLOCK)
    return sieve


def sift_frequencies(frame: pl.DataFrame, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check the visit frequencies: known accounts, one row each, and at least an interval or a due date."""
    sieve = typed("frequencies", frame, {"account_id": pl.String}, FREQUENCY_COLUMNS, issues)
    _check_once(sieve, accounts, "keep one row")
    columns = sieve.frame.columns
    if "every_days" in columns:
        every = sieve.frame["every_days"]
        sieve.reject(
            (every <= 0) | every.is_infinite(), "every_days", "not above 0",
            "give the days between two visits, such as 7",
        )  # fmt: skip
    given = [sieve.frame[name].is_not_null() for name in ("every_days", "due") if name in columns]
    empty = pl.Series([True]).new_from_index(0, sieve.frame.height)
    for column in given:
        empty &= ~column
    sieve.reject(empty, "every_days", "missing, as is due", "give every_days, or the day when it is due")
    return sieve


def sift_call_backs(frame: pl.DataFrame, issues: list[Issue], accounts: Accounts) -> Sieve:
    """Check the promised calls: known accounts, one row each, a moment."""
    needed = {name: CALL_BACK_COLUMNS[name] for name in ("account_id", "at")}
    sieve = typed("call_backs", frame, needed, CALL_BACK_COLUMNS, issues)
    _check_once(sieve, accounts, "keep one row for each account")
    check_present(sieve, ("at",))
    return sieve


def sift_arrivals(frame: pl.DataFrame, issues: list[Issue]) -> Sieve:
    """Check the forecast of contacts: a channel of the contact centre, a moment, a number of at least 0."""
    sieve = typed("arrivals", frame, ARRIVAL_COLUMNS, {}, issues)
    check_present(sieve, ARRIVAL_COLUMNS)
    unknown = ~sieve.frame["channel"].is_in(CENTRE_CHANNELS)
    names = ", ".join(CENTRE_CHANNELS)
    sieve.reject(unknown, "channel", "no channel of the contact centre", f"use one of: {names}")
    check_range(sieve, "start_min", 0, _DAY_MIN - 1, _CLOCK)
    check_range(sieve, "contacts", 0, math.inf, "write the contacts expected in the interval, 0 or more")
    return sieve


def sift_staff(frame: pl.DataFrame, issues: list[Issue]) -> Sieve:
    """Check the people of the contact centre: unique ids, known channels, possible hours."""
    sieve = typed("staff", frame, {"rep_id": pl.String}, STAFF_COLUMNS, issues)
    check_ids(sieve, "rep_id")
    columns = sieve.frame.columns
    if "skills" in columns:
        known = list(CENTRE_CHANNELS)
        other = sieve.frame["skills"].list.eval(~pl.element().is_in(known)).list.any()
        sieve.reject(other, "skills", "not channels of the contact centre", f"use: {'; '.join(known)}")
    for name in ("from_min", "to_min", "wish_start_min"):
        check_range(sieve, name, 0, _DAY_MIN, _CLOCK)
    check_range(sieve, "hours_per_week", 0, 168, "write hours, 0 or more")
    if {"from_min", "to_min"} <= set(columns):
        sieve.reject(
            sieve.frame["to_min"] <= sieve.frame["from_min"], "to_min", "not after from_min",
            "correct from_min or to_min",
        )  # fmt: skip
    return sieve


def _check_once(sieve: Sieve, accounts: Accounts, fix: str) -> None:
    """Set rows without a known account, and further rows of the same one, aside."""
    check_present(sieve, ("account_id",))
    check_account(sieve, accounts)
    column = sieve.frame["account_id"]
    sieve.reject(~column.is_first_distinct() & column.is_not_null(), "account_id", "named before", fix)
