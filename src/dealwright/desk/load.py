"""Copy a history into the database and take it in, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from psycopg import Connection, sql

from dealwright.desk.statements import query
from dealwright.dimensions import EMPTY, Dimension
from dealwright.schemas import (
    AGENT_CHANNEL_COLUMNS,
    AGENT_COLUMNS,
    ASSIGNMENT_COLUMNS,
    BOOKING_COLUMNS,
    History,
)

_CHUNK_ROWS = 100_000
# as many of an open dimension as the desk takes (dealwright_engine.most_values): better the common ones
_MOST_OPEN_VALUES = 250


def load_history(
    connection: Connection[Any], history: History, *, deactivate_missing: bool | None = False
) -> dict[str, Any]:
    """Take in a history; returns how many rows were new, changed and unchanged, and what is odd of agents."""
    assignments = history.assignments
    if "outcome_unknown" not in assignments.columns:
        assignments = assignments.with_columns(outcome_unknown=pl.lit(value=False))
    if "customer_id" not in assignments.columns:
        assignments = assignments.with_columns(customer_id=pl.lit(None, pl.String))
    names = [item.name for item in history.dimensions]
    # the attributes of a few hundred kinds of leads, not of a million leads
    kinds = assignments.select(pl.lit(0).alias("kind"), *names).unique(maintain_order=True)
    if names:
        kinds = kinds.with_columns(kind=pl.int_range(pl.len()))
        assignments = assignments.join(kinds, on=names, how="left", nulls_equal=True, maintain_order="left")
    else:
        assignments = assignments.with_columns(kind=0)
    with connection.transaction():
        connection.execute("select dealwright.begin_import()")
        connection.cursor().executemany(
            "insert into import_dimension values (%s, %s, %s, %s, %s, %s, %s)",
            _dimensions(history.dimensions, assignments),
        )
        _copy(connection, "import_agent", list(AGENT_COLUMNS), _agents(history.agents))
        _copy(
            connection,
            "import_agent_channel",
            [*AGENT_CHANNEL_COLUMNS, "dimension"],
            history.agent_channels.with_columns(dimension=pl.lit(history.channel_dimension, pl.String)),
        )
        _copy(connection, "import_kind", ["kind", "attributes"], kinds.with_columns(_attributes(names)))
        _copy(connection, "import_assignment", [*ASSIGNMENT_COLUMNS, "kind"], assignments)
        _copy(connection, "import_booking", list(BOOKING_COLUMNS), history.bookings)
        row = connection.execute(
            query("import_history"),
            {
                "follow_up_days": history.follow_up_days,
                "deactivate_missing": deactivate_missing,
                "currency": history.currency,
            },
        ).fetchone()
    counts: dict[str, Any] = row[0] if row else {}
    return counts


def _dimensions(dimensions: Sequence[Dimension], assignments: pl.DataFrame) -> Iterable[tuple[Any, ...]]:
    for place, item in enumerate(dimensions):
        values = [value for value in item.values if value != EMPTY]
        if item.is_open and len(values) > _MOST_OPEN_VALUES:
            counted = assignments[item.name].drop_nulls().value_counts(sort=True)
            common = set(counted[item.name].head(_MOST_OPEN_VALUES))
            values = [value for value in values if value in common]
        yield item.name, place, values, item.is_open, item.required, item.at_arrival, list(item.edges)


def _agents(agents: pl.DataFrame) -> pl.DataFrame:
    """Write the skills as PostgreSQL writes an array."""
    quoted = (
        pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    )
    items = pl.col("skills").list.eval('"' + quoted + '"').list.join(",")
    return agents.with_columns(skills="{" + items + "}")


def _attributes(names: Sequence[str]) -> pl.Expr:
    """The values of the dimensions as one JSON object, null where unknown."""
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
