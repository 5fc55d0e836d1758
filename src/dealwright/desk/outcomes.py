"""Read the outcomes for learning as a frame, fast."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg import Connection, sql

from dealwright.schemas import MOMENT, OUTCOME_COLUMNS

if TYPE_CHECKING:
    import polars as pl


def read_outcomes(
    connection: Connection[Any], dimensions: Sequence[str], *, with_requirements: bool = False
) -> pl.DataFrame:
    """Return the view ``dealwright.outcome`` with one column per dimension, and the leads' requirements."""
    import polars as pl

    columns = sql.SQL(", ").join(
        [
            *(sql.Identifier("o", name) for name in OUTCOME_COLUMNS),
            *(
                sql.SQL("o.attributes ->> {} as {}").format(sql.Literal(name), sql.Identifier(name))
                for name in dimensions
            ),
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
    return frame.with_columns(
        _moment(name)
        if kind == MOMENT
        else (pl.col(name) == "t")
        if kind == pl.Boolean
        else pl.col(name).cast(kind)
        for name, kind in OUTCOME_COLUMNS.items()
    )


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
