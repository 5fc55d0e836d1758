"""Frames as somebody calls a stage with them, made into what its parts read."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

import polars as pl

from dealwright.errors import InputError
from dealwright.schemas import (
    ACCOUNT_ID,
    ACCOUNT_RESULT_COLUMNS,
    ACCOUNT_ROLES,
    CHANNELS,
    CHURNED,
    FUTURE_VALUE,
    PREFERRED_CHANNEL,
    TIMESTAMP,
    AccountSchema,
    PlanInputs,
    consent_column,
    to_polars,
)
from dealwright.stored import StoredTable

_POSITION: Final = ("lat_deg", "lon_deg")
_NO_FEATURES: Final = {
    *ACCOUNT_RESULT_COLUMNS, *_POSITION, CHURNED, FUTURE_VALUE, PREFERRED_CHANNEL, "position_note", "name",
    *(consent_column(channel) for channel in CHANNELS),
}  # fmt: skip
_MOMENTS: Final = {"orders": "ordered_at", "touches": "touched_at"}


def gather_inputs(
    accounts: Any, *, schema: AccountSchema | None = None, as_of: datetime | None = None, **tables: Any
) -> PlanInputs:
    """Put the frames of a stage together.

    Parameters
    ----------
    accounts
        One row per account, with ``account_id``; any data frame that narwhals knows.
    schema
        Which column is what; by default as `infer_schema` reads it from names and types.
    as_of
        The cut-off; by default the midnight after the latest order or touch, without any the last midnight.
    tables
        The other tables, by the names of `PlanInputs`; each may be ``None``, or stored.

    Raises
    ------
    InputError
        The accounts have no ``account_id``, or two rows with the same.
    """
    frame = to_polars(accounts)
    found: dict[str, Any] = {
        name: table if table is None or isinstance(table, StoredTable) else to_polars(table)
        for name, table in tables.items()
    }
    if schema is None:
        frame = _check_ids(frame)
        schema = infer_schema(frame)
        frame = _conform(frame, schema)
    return PlanInputs(frame, schema, as_of or _latest(found), **found)


def infer_schema(accounts: pl.DataFrame) -> AccountSchema:
    """Tell from names and types which column is what.

    Numbers, texts and dates are features; a column named like one of `ACCOUNT_ROLES` plays that role. What
    other stages find (`ACCOUNT_RESULT_COLUMNS`), labels, consents, positions and names are no features.
    """
    kinds = {name: kind for name, kind in accounts.schema.items() if name not in _NO_FEATURES}
    text = (pl.String, pl.Categorical, pl.Enum, pl.Boolean)
    return AccountSchema(
        numeric=tuple(name for name, kind in kinds.items() if kind.is_numeric()),
        categorical={name: None for name, kind in kinds.items() if kind.base_type() in text},
        dates=tuple(name for name, kind in kinds.items() if kind.base_type() in (pl.Date, pl.Datetime)),
        consent=tuple(channel for channel in CHANNELS if consent_column(channel) in accounts.columns),
        roles={role: role for role in ACCOUNT_ROLES if role in accounts.columns},
        has_position=all(name in accounts.columns for name in _POSITION),
        has_churn_label=CHURNED in accounts.columns,
        has_value_label=FUTURE_VALUE in accounts.columns,
        has_preferred_channel=PREFERRED_CHANNEL in accounts.columns,
    )


def align(frame: Any, account_id: pl.Series, *needed: str) -> pl.DataFrame:
    """Return a frame by account in the order of the accounts, null for those it does not have.

    Raises
    ------
    InputError
        It lacks a column that is needed, or has two rows for an account.
    """
    found = to_polars(frame)
    for name in (ACCOUNT_ID, *needed):
        if name not in found.columns:
            raise InputError(f"no column {name!r}: the frame by account needs it; it has {found.columns}")
    if found[ACCOUNT_ID].equals(account_id):
        return found
    if found[ACCOUNT_ID].is_duplicated().any():
        raise InputError("two rows for one account: give one row per account_id")
    return pl.DataFrame({ACCOUNT_ID: account_id}).join(
        found, on=ACCOUNT_ID, how="left", maintain_order="left"
    )


class PlannedDays(Protocol):
    """Which working days a stage plans."""

    @property
    def first_day(self) -> datetime | None:
        """The first one; by default the first working day after the cut-off."""
        ...

    @property
    def days(self) -> int:
        """How many."""
        ...

    @property
    def weekdays(self) -> tuple[int, ...]:
        """Which days of the week they are; Monday is 0."""
        ...


def working_days(as_of: datetime, params: PlannedDays) -> tuple[date, ...]:
    """Return the days to plan: working days from the first one on."""
    day = params.first_day.date() if params.first_day else (as_of + timedelta(days=1)).date()
    found: list[date] = []
    while len(found) < params.days:
        if day.weekday() in params.weekdays:
            found.append(day)
        day += timedelta(days=1)
    return tuple(found)


def _check_ids(accounts: pl.DataFrame) -> pl.DataFrame:
    if ACCOUNT_ID not in accounts.columns:
        raise InputError(f"the accounts have no column {ACCOUNT_ID!r}; they have {accounts.columns}")
    accounts = accounts.with_columns(pl.col(ACCOUNT_ID).cast(pl.String))
    twice = accounts.filter(pl.col(ACCOUNT_ID).is_duplicated() | pl.col(ACCOUNT_ID).is_null())
    if twice.height:
        raise InputError(
            f"account_id {twice[ACCOUNT_ID][0]!r} is missing or not unique: give every account one row"
        )
    return accounts


def _conform(accounts: pl.DataFrame, schema: AccountSchema) -> pl.DataFrame:
    """Give the columns the types that the stages read."""
    position = _POSITION if schema.has_position else ()
    return accounts.with_columns(
        pl.col([*schema.numeric, *position]).cast(pl.Float64).fill_nan(None),
        pl.col(list(schema.categorical)).cast(pl.String),
        pl.col(list(schema.dates)).cast(TIMESTAMP),
    )


def _latest(tables: dict[str, Any]) -> datetime:
    """Return the midnight after the latest row of orders and touches."""
    moments = [
        frame[column].max()
        for name, column in _MOMENTS.items()
        if isinstance(frame := tables.get(name), pl.DataFrame) and frame.height and column in frame.columns
    ]
    known = [moment for moment in moments if isinstance(moment, datetime)]
    day = max(known) + timedelta(days=1) if known else datetime.now()
    return day.replace(hour=0, minute=0, second=0, microsecond=0)
