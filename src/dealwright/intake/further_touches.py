"""Put the desk's finished tasks beside the touches of the user's own systems."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Final

import polars as pl

from dealwright.schemas import TIMESTAMP, TOUCH_COLUMNS, TOUCH_OPTIONAL, PlanInputs

# how the desk's touches are written as text, in a file that is exported and beside a CSV file's own rows
MOMENT_FORMAT: Final = "%Y-%m-%d %H:%M:%S%.6f"
_SAME: Final = ("account_id", "touched_at", "channel", "action")


def add_touches(inputs: PlanInputs, touches: pl.DataFrame) -> PlanInputs:
    """Add touches that are canonical in names and types to whatever the user's table has.

    Rows later than the cut-off are left out: they are not known yet. Rows that the user's table has as well
    (because it was exported from the desk) count once.

    Parameters
    ----------
    touches
        `dealwright.schemas.TOUCH_COLUMNS` and optional ones.
    """
    names = [*TOUCH_COLUMNS, *(name for name in TOUCH_OPTIONAL if name in touches.columns)]
    known = touches.filter(pl.col("touched_at") <= inputs.as_of).select(names)
    own = inputs.touches
    if own is None:
        return replace(inputs, touches=known)
    if not set(_SAME) <= set(own.columns):  # a column is missing: the plan says so, better than a join would
        return inputs
    own = own.with_columns(  # types that could not hold ours
        pl.col(name).cast(known.schema[name])
        for name in _SAME
        if own.schema[name] == pl.Date or (own.schema[name].is_integer() and known.schema[name] == pl.String)
    )
    as_theirs = known.with_columns(
        _cast(name, kind, own.schema[name]) for name, kind in known.schema.items() if name in own.columns
    )
    fresh = as_theirs.join(own.select(_SAME).unique(), on=_SAME, how="anti", maintain_order="left")
    return replace(inputs, touches=pl.concat([own, fresh], how="diagonal"))


def latest_touch(touches: pl.DataFrame) -> datetime | None:
    """Return the moment of the latest touch that is not dated after today."""
    past = touches["touched_at"].filter(touches["touched_at"].dt.date() <= date.today())
    latest = past.max()
    return latest if isinstance(latest, datetime) else None


def _cast(name: str, kind: pl.DataType, theirs: pl.DataType) -> pl.Expr:
    """Write a column the way the user's table has it; text where that is text."""
    column = pl.col(name)
    if theirs == kind:
        return column
    if kind == TIMESTAMP and theirs == pl.String:
        return column.dt.to_string(MOMENT_FORMAT)
    if kind == TIMESTAMP and isinstance(theirs, pl.Datetime) and theirs.time_zone is not None:
        return column.dt.replace_time_zone(theirs.time_zone, ambiguous="earliest", non_existent="null").cast(
            theirs
        )
    return column.cast(theirs, strict=False)
