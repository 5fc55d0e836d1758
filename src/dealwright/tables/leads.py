"""A file of leads, and a file of task outcomes: read and judged like any other table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import Intake
from dealwright.tables.fields import Field, Table
from dealwright.tables.mapping import Source, TableMap
from dealwright.tables.reader import JSON_LINES, read_table
from dealwright.tables.validation import Rows, find_columns

_LEAD: Final = Table(
    {
        "customer_name": Field(needed=True),
        "customer_id": Field(),
        "requirements": Field(),
        "priority": Field("whole", low=-(2**31), high=2**31 - 1, fix="write a whole number, such as 5"),
        "idempotency_key": Field(),
        "received_at": Field("moment"),
    }
)
_ATTRIBUTES: Final = "attributes."  # of a lead as JSON


@dataclass
class LeadFile:
    """The leads of a file."""

    # row -> the lead in the JSON shape of the SQL functions, for every row that is fine so far
    leads: dict[int, dict[str, Any]]
    rows: Rows  # the rows, to reject further ones

    def reject(self, row: int, error: Exception) -> None:
        """Reject a lead that the desk refused."""
        mask = pl.int_range(self.rows.height, eager=True) == row
        self.rows.reject(mask, "(row)", str(error), "mend the row, and assign it again")

    def intake(self) -> Intake:
        """Say what became of the rows."""
        return Intake({"leads": self.rows.report()}, self.rows.problems())


def read_leads(path: Path, dimensions: Sequence[Dimension]) -> LeadFile:
    """Read leads from any table, or from JSON lines in the shape of the SQL functions.

    A table has the columns ``customer_name`` and one per dimension, and may have ``customer_id``,
    ``requirements``, ``priority``, ``idempotency_key`` and ``received_at``.

    Raises
    ------
    InputError
        The file cannot be read at all, or has a column that means nothing.
    """
    names = [dimension.name for dimension in dimensions]
    needed = [dimension.name for dimension in dimensions if dimension.required]
    rows = _open(path, "leads", _LEAD, names, needed)
    for name, field in _LEAD.fields.items():
        rows.read(name, field)
    for dimension in dimensions:
        _read_attribute(rows, dimension)
    if not rows.height and not rows.original.ragged:
        raise InputError(f"{path.name} holds no leads")
    good = rows.good.arg_true()
    fields = rows.frame[good].iter_rows(named=True)
    return LeadFile({row: _document(found, names) for row, found in zip(good, fields, strict=True)}, rows)


def _read_attribute(rows: Rows, dimension: Dimension) -> None:
    values = rows.read(dimension.name, Field("number" if dimension.edges else "text"))
    if not dimension.edges:  # as the desk has it
        values = values.set(values == EMPTY, None)
        rows.frame = rows.frame.with_columns(values)
    if dimension.required:
        rows.reject(values.is_null() & rows.good, dimension.name, "empty", "fill it in")
    if not dimension.is_open and not dimension.edges:
        allowed = [value for value in dimension.values if value != EMPTY]
        kept = rows.choose(values, allowed, dimension.name, what=f"not a value of {dimension.name}")
        rows.frame = rows.frame.with_columns(kept)


def _document(found: dict[str, Any], dimensions: Iterable[str]) -> dict[str, Any]:
    lead = {name: found[name] for name in _LEAD.fields if found[name] is not None}
    if "received_at" in lead:
        lead["received_at"] = lead["received_at"].isoformat()
    return {**lead, "attributes": {name: found[name] for name in dimensions if found[name] is not None}}


def read_reports(path: Path, outcomes: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read task outcomes: ``task_id`` and ``outcome``, and perhaps ``done_at``, ``note``, ``rep_id``.

    Yields
    ------
    tuple
        The line, and the cells by name.

    Raises
    ------
    InputError
        The file cannot be read, or a row cannot be used.
    """
    table = Table(
        {
            "task_id": Field(
                "whole", needed=True, low=1, high=1e18, fix="write the id as `task list` shows it"
            ),
            "outcome": Field(needed=True, one_of=tuple(outcomes)),
            "done_at": Field(),  # with an offset, or on the company's clock: the desk knows it
            "note": Field(),
            "rep_id": Field(),
        }
    )
    rows = _open(path, "reports", table, [], [])
    for name, field in table.fields.items():
        rows.read(name, field)
    rows.once("task_id", rows.frame["task_id"], "keep one of the two")
    problems = Intake(problems=rows.problems()).messages(1)
    if problems:
        raise InputError(problems[0])
    if not rows.height:
        raise InputError(f"{path.name} holds no rows")
    yield from zip(rows.raw.lines, rows.frame.iter_rows(named=True), strict=True)


def _open(path: Path, name: str, table: Table, further: Sequence[str], needed: Sequence[str]) -> Rows:
    """Open a file whose columns have our own names; others are refused by name, in JSON line by line."""
    if not path.is_file():
        raise InputError(f"there is no file {path}: give {name} in a .csv, .xlsx or .jsonl file")
    raw = read_table(path)
    names = [*table.fields, *further]
    found: dict[str, tuple[str, ...]] = {}
    strange = {}
    for column in raw.frame.columns:
        field = column.removeprefix(_ATTRIBUTES) if column.startswith(_ATTRIBUTES) else column
        if field in (names if field == column else further):
            found[field] = (*found.get(field, ()), column)
        elif column.rstrip("_") != "reason":  # of rejected rows, mended
            # where the name is missing, "customer" means it
            nameless = "customer_name" not in raw.frame.columns
            meant = [known for known in names if not (nameless and known == "customer_id")]
            strange[column] = UnknownNameError("column", field, meant)
    if strange and path.suffix.lower() not in JSON_LINES:
        raise InputError(f"{path.name}: {next(iter(strange.values()))}")
    needed = [*(field for field, spec in table.fields.items() if spec.needed), *needed]
    find_columns(raw, {field: "" for field in needed if field not in found})
    mapping = TableMap(name, fields={field: Source(columns) for field, columns in found.items()})
    rows = Rows(mapping, raw, totals=False)
    for column, error in strange.items():
        reason, _, fix = str(error).partition(": ")
        if column == _ATTRIBUTES[:-1]:
            reason, fix = "not an object", 'write attributes as {"name": "value"}'
        rows.reject(rows.raw.frame[column].is_not_null(), column, reason, fix, column)
    return rows
