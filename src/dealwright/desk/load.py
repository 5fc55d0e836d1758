"""Copy a history into the database and take it in, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from psycopg import Connection, sql

from dealwright.desk.queries import query
from dealwright.schemas import AGENT_COLUMNS, ASSIGNMENT_COLUMNS, BOOKING_COLUMNS, History

_CHUNK_ROWS = 100_000


def load_history(connection: Connection[Any], history: History) -> dict[str, Any]:
    """Take in a history; returns how many rows were new, changed and unchanged."""
    with connection.transaction():
        connection.execute("select dealwright.begin_import()")
        connection.cursor().executemany(
            "insert into import_dimension (name, position, allowed_values) values (%s, %s, %s)",
            [(item.name, place, list(item.values)) for place, item in enumerate(history.dimensions)],
        )
        _copy(connection, "import_agent", list(AGENT_COLUMNS), _agents(history.agents))
        names = [item.name for item in history.dimensions]
        assignments = history.assignments.with_columns(_attributes(names))
        if "outcome_unknown" not in assignments.columns:
            assignments = assignments.with_columns(outcome_unknown=pl.lit(value=False))
        _copy(connection, "import_assignment", [*ASSIGNMENT_COLUMNS, "attributes"], assignments)
        _copy(connection, "import_booking", list(BOOKING_COLUMNS), history.bookings)
        row = connection.execute(
            query("import_history"), {"follow_up_days": history.follow_up_days}
        ).fetchone()
    counts: dict[str, Any] = row[0] if row else {}
    return counts


def _agents(agents: pl.DataFrame) -> pl.DataFrame:
    """Write the skills as PostgreSQL writes an array."""
    quoted = (
        pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    )
    items = pl.col("skills").list.eval('"' + quoted + '"').list.join(",")
    return agents.with_columns(skills="{" + items + "}")


def _attributes(names: Sequence[str]) -> pl.Expr:
    """The values of the dimensions as one JSON object, unknown ones left out."""
    if not names:
        return pl.lit("{}").alias("attributes")
    return pl.struct(names).struct.json_encode().alias("attributes")


def _copy(connection: Connection[Any], table: str, columns: list[str], frame: pl.DataFrame) -> None:
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor().copy(statement) as copy:
        for part in frame.select(columns).iter_slices(_CHUNK_ROWS):
            copy.write(part.write_csv(include_header=False))
