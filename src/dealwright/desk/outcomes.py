"""Read the outcomes for learning as a frame, fast."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from dealwright.desk.queries import query
from dealwright.dimensions import EMPTY, Dimension
from dealwright.learn.slots import UNKNOWN
from dealwright.schemas import MOMENT, OUTCOME_COLUMNS

if TYPE_CHECKING:
    import polars as pl


def read_outcomes(
    connection: Connection[Any], dimensions: Sequence[Dimension], *, with_requirements: bool = False
) -> pl.DataFrame:
    """Return the view ``dealwright.outcome`` with one column per dimension, and the leads' requirements.

    A value is what the desk understood of the lead's attributes, and counts: the name of the bin, and not the
    number. Null means that nothing was given; where that is a value of its own, one that has no slot is
    ``UNKNOWN``.
    """
    import polars as pl

    columns = sql.SQL(", ").join(
        [
            *(sql.Identifier("o", name) for name in (*OUTCOME_COLUMNS, "slots")),
            *([sql.SQL("l.requirements")] if with_requirements else []),
        ]
    )
    source = sql.SQL(
        "dealwright.outcome as o join dealwright.assignment as a using (assignment_id) "
        "join dealwright.lead as l using (lead_id)"
        if with_requirements
        else "dealwright.outcome as o"
    )
    # a million rows as text in one piece are several times faster than as Python objects
    statement = sql.SQL(
        "copy (select {} from {} order by o.assignment_id) to stdout (format csv, header true)"
    ).format(columns, source)
    content = io.BytesIO()
    with connection.cursor().copy(statement) as copy:
        for part in copy:
            content.write(part)
    content.seek(0)
    frame = pl.read_csv(content, infer_schema=False)
    values = _values_by_kind(connection, frame["slots"].unique(), dimensions)
    return frame.join(values, on="slots", how="left", maintain_order="left").select(
        *(
            _moment(name)
            if kind == MOMENT
            else (pl.col(name) == "t")
            if kind == pl.Boolean
            else pl.col(name).cast(kind)
            for name, kind in OUTCOME_COLUMNS.items()
        ),
        *(dimension.name for dimension in dimensions),
        *(["requirements"] if with_requirements else []),
    )


def _values_by_kind(
    connection: Connection[Any], kinds: pl.Series, dimensions: Sequence[Dimension]
) -> pl.DataFrame:
    """Say what each set of slots, written as PostgreSQL writes an array, means in every dimension."""
    import polars as pl

    meaning = {slot: (name, value) for slot, name, value in connection.execute(query("slots"))}
    rows = []
    for kind in kinds:
        given = dict(meaning[int(slot)] for slot in kind.strip("{}").split(",") if int(slot) in meaning)
        rows.append({"slots": kind})
        for dimension in dimensions:
            value = given.get(dimension.name, UNKNOWN if dimension.has_empty else None)
            rows[-1][dimension.name] = None if value == EMPTY else value
    return pl.DataFrame(rows, schema={"slots": pl.String, **{item.name: pl.String for item in dimensions}})


def outcomes_known_at(outcomes: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Return the outcomes as they were known at a moment: what came later is pending, or not there yet."""
    import polars as pl

    later = pl.col("known_at") > moment
    hidden = ("known_at", "won", "base_revenue", "package_revenue")
    return outcomes.filter(pl.col("assigned_at") <= moment).with_columns(
        pl.when(later.fill_null(value=True)).then(None).otherwise(pl.col(name)).alias(name) for name in hidden
    )


def _moment(name: str) -> pl.Expr:
    """Parse PostgreSQL's way of writing a time in UTC."""
    import polars as pl

    return pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")
