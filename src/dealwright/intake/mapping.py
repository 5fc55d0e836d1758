"""What a mapping file says, as frozen types: which column of the user's tables is what.

The file itself is read by `dealwright.intake.mapping_file`.
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnlyDict
from dataclasses import dataclass, field
from typing import Literal

TableName = Literal["agents", "assignments", "bookings"]


@dataclass(frozen=True)
class Source:
    """Where the value of one field comes from: columns of the table, or a constant.

    Attributes
    ----------
    columns
        The columns, joined with `joined_by` when there are several; empty for a constant.
    joined_by
        What stands between joined columns.
    constant
        The value of every row, as text.
    default
        The value where the columns are empty, as text.
    separator
        What separates the items of a list (only for skills).
    """

    columns: tuple[str, ...] = ()
    joined_by: str = " "
    constant: str | None = None
    default: str | None = None
    separator: str = ";"

    @property
    def label(self) -> str:
        """The columns as a person would call them."""
        return " + ".join(self.columns) if self.columns else f"constant {self.constant!r}"


@dataclass(frozen=True)
class FileFormat:
    """How the text of a file is to be read.

    Attributes
    ----------
    encoding
        A Python codec name.
    delimiter
        One character between the fields of a row.
    decimal, thousands
        The decimal sign, and the sign between thousands (empty for none).
    date_formats
        strptime patterns, tried in this order; ISO 8601 in its usual spellings when empty.
    time_zone
        IANA name of the zone of times that carry none.
    null_values
        Words that mean "nothing here" besides the empty field.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    date_formats: tuple[str, ...] = ()
    time_zone: str = "UTC"
    null_values: tuple[str, ...] = ("NULL", r"\N")


@dataclass(frozen=True)
class TableMapping:
    """One table of the user: its file, and where each field comes from."""

    table: TableName
    file: str
    fields: ReadOnlyDict[str, Source]
    format: FileFormat


@dataclass(frozen=True)
class DimensionMapping:
    """One declared attribute of a lead.

    Attributes
    ----------
    name
        What leads call it.
    values
        The allowed values; None takes those found in the data.
    table
        Which table's rows carry it (a booking's value is carried over to its assignment).
    source
        The column.
    required
        Whether an empty field is a mistake; otherwise it means unknown.
    """

    name: str
    values: tuple[str, ...] | None
    table: Literal["assignments", "bookings"]
    source: Source
    required: bool = True


@dataclass(frozen=True)
class Mapping:
    """A user's tables, described: the content of a mapping file.

    Attributes
    ----------
    path
        The mapping file, for messages.
    statuses
        The user's word for a status, casefolded, to ours; ``none`` marks rows that are no booking at all.
    follow_up_days
        Days after which an assignment without a booking counts as not won.
    default_capacity
        Open assignments an agent may have at once where the table does not say.
    currency
        ISO 4217 code of the revenues, for display.
    late_filing_min
        How long a lead may be filed after its own booking was settled: such rows are kept and reported.
    """

    path: str
    agents: TableMapping
    assignments: TableMapping | None
    bookings: TableMapping | None
    dimensions: tuple[DimensionMapping, ...]
    statuses: ReadOnlyDict[str, str] = field(default_factory=dict)
    follow_up_days: float = 7.0
    default_capacity: int = 10
    currency: str = "USD"
    late_filing_min: float = 0.0

    @property
    def tables(self) -> tuple[TableMapping, ...]:
        """The tables that are mapped, in the order in which they refer to each other."""
        return tuple(table for table in (self.agents, self.assignments, self.bookings) if table is not None)
