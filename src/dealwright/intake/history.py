"""Read a user's tables as a mapping describes them: a clean history, and every row set aside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from dealwright.errors import InputError
from dealwright.intake.fields import Fields
from dealwright.intake.mapping import Mapping, TableMapping
from dealwright.intake.problems import PROBLEM_SCHEMA, ragged_problems
from dealwright.intake.read import RawTable, read_table
from dealwright.intake.tables import (
    Checked,
    assignment_columns,
    booking_columns,
    check_agents,
    check_assignments,
    check_bookings,
)
from dealwright.schemas import AGENT_COLUMNS, ASSIGNMENT_COLUMNS, BOOKING_COLUMNS, Dimension, History


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes
    ----------
    table
        What it holds: agents, assignments or bookings.
    file
        Its name.
    rows
        Rows read.
    kept
        Rows that are in the history.
    set_aside
        Rows that were rejected.
    rejected
        Those rows as they were, with the line, the column and the reason.
    """

    table: str
    file: str
    rows: int
    kept: int
    set_aside: int
    rejected: pl.DataFrame


@dataclass(frozen=True)
class Intake:
    """The user's tables, read and checked.

    Attributes
    ----------
    history
        All good rows.
    rejects
        One row per problem that set a row aside: file, line, column, value, reason, fix.
    warnings
        The same for rows that were kept.
    files
        What became of each file.
    """

    history: History
    rejects: pl.DataFrame
    warnings: pl.DataFrame
    files: tuple[FileReport, ...]

    @property
    def set_aside(self) -> int:
        """Number of rows that were rejected."""
        return sum(report.set_aside for report in self.files)

    def summary(self) -> str:
        """Say in a few lines what was read and what was set aside."""
        lines = [
            f"{report.kept:,} {report.table} from {report.file}"
            + (f" ({report.set_aside:,} of {report.rows:,} rows set aside)" if report.set_aside else "")
            for report in self.files
        ]
        for frame, title in ((self.rejects, "set aside"), (self.warnings, "kept, but look at them")):
            if frame.height:
                counts = (
                    frame.group_by("file", "reason", maintain_order=True).len().sort("len", descending=True)
                )
                lines.append(f"{title}:")
                lines += [
                    f"  {count:,} × {reason} ({file})" for file, reason, count in counts.head(8).iter_rows()
                ]
        return "\n".join(lines)


def read_history(mapping: Mapping, directory: Path) -> Intake:
    """Read and check the tables in a directory.

    Raises
    ------
    InputError
        A file cannot be used at all: missing, empty, not in its encoding, without a column of the mapping.
    """
    if not directory.is_dir():
        kind = "is a file, not a directory" if directory.exists() else "does not exist"
        raise InputError(f"the directory {directory} {kind}: give the directory that holds the tables")
    # every file is opened before any is checked: nothing is said about rows when a whole file is unusable
    raw: dict[str, RawTable] = {}
    for table in mapping.tables:
        path = _find(table, directory, mapping)
        found = read_table(path, table.format, _wanted(table, mapping))
        again = any(other.file == found.file for other in raw.values())
        # of a flat table that serves twice, ragged rows are reported once
        raw[table.table] = replace(found, ragged=()) if again else found
    agents = check_agents(Fields(mapping.agents, raw["agents"]), mapping)
    if not agents.frame.height and not raw["agents"].ragged:
        raise InputError(f"{mapping.agents.file} has a header and no rows: there must be at least one agent")
    checked = {"agents": agents}
    if mapping.assignments is not None:
        checked["assignments"] = check_assignments(
            Fields(mapping.assignments, raw["assignments"]), mapping, checked["agents"]
        )
    if mapping.bookings is not None:
        checked["bookings"] = check_bookings(
            Fields(mapping.bookings, raw["bookings"]), mapping, checked["assignments"]
        )
    rejects = pl.concat(
        frame
        for name, table in checked.items()
        for frame in (ragged_problems(raw[name]), table.fields.problems.rejects().drop("row"))
    )
    warnings = pl.concat(
        [table.fields.problems.warnings().drop("row") for table in checked.values()]
        + [_lost_outcomes(checked)]
    )
    return Intake(
        history=_history(mapping, checked),
        rejects=rejects,
        warnings=warnings,
        files=tuple(_report(table, checked[table.table], raw[table.table]) for table in mapping.tables),
    )


def _find(table: TableMapping, directory: Path, mapping: Mapping) -> Path:
    path = directory / table.file
    if path.is_file():
        return path
    present = sorted(item.name for item in directory.iterdir() if item.is_file())
    near = get_close_matches(table.file, present, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it holds {', '.join(present[:10]) or 'no files'}"
    raise InputError(f"{directory} has no file {table.file!r} ({mapping.path}: {table.table}.file): {hint}")


def _wanted(table: TableMapping, mapping: Mapping) -> dict[str, str]:
    """Name the columns to read, and the key of the mapping that asks for each."""
    wanted: dict[str, str] = {}
    for name, source in table.fields.items():
        wanted.update(dict.fromkeys(source.columns, f"{table.table}.{name}"))
    for dimension in mapping.dimensions:
        if dimension.table == table.table:
            wanted.update(dict.fromkeys(dimension.source.columns, f"dimensions.{dimension.name}"))
    return wanted


def _history(mapping: Mapping, checked: dict[str, Checked]) -> History:
    agents = checked["agents"].frame.filter(checked["agents"].good)
    assignments = _empty(ASSIGNMENT_COLUMNS, mapping)
    bookings = _empty(BOOKING_COLUMNS, None)
    if "assignments" in checked:
        assignments = checked["assignments"].frame.filter(checked["assignments"].good)
    if "bookings" in checked:
        found = checked["bookings"].frame.filter(checked["bookings"].good)
        names = [dimension.name for dimension in mapping.dimensions if dimension.table == "bookings"]
        carried = found.select(pl.col("assignment_external_id").alias("external_id"), *names)
        assignments = assignments.join(carried, on="external_id", how="left", maintain_order="left")
        bookings = found.select(booking_columns())
    assignments = assignments.select(assignment_columns(mapping))
    dimensions = tuple(
        Dimension(
            dimension.name,
            dimension.values
            if dimension.values is not None
            else tuple(assignments[dimension.name].drop_nulls().unique().sort()),
        )
        for dimension in mapping.dimensions
    )
    return History(
        dimensions, agents.select(list(AGENT_COLUMNS)), assignments, bookings, mapping.follow_up_days
    )


def _empty(columns: dict[str, str], mapping: Mapping | None) -> pl.DataFrame:
    types: dict[str, pl.DataType | type[pl.DataType]] = {
        "String": pl.String,
        "Float64": pl.Float64,
        "Datetime[us, UTC]": pl.Datetime("us", "UTC"),
    }
    schema: dict[str, pl.DataType | type[pl.DataType]] = {name: types[kind] for name, kind in columns.items()}
    if mapping is not None:
        schema.update({dimension.name: pl.String for dimension in mapping.dimensions})
    return pl.DataFrame(schema=schema)


def _lost_outcomes(checked: dict[str, Checked]) -> pl.DataFrame:
    """Warn about assignments whose booking was set aside: they would silently count as failed contacts."""
    if "bookings" not in checked:
        return pl.DataFrame(schema=PROBLEM_SCHEMA)
    bookings, assignments = checked["bookings"], checked["assignments"]
    bad = bookings.present & ~bookings.good
    ids = bookings.frame["assignment_external_id"]
    kept = assignments.frame["external_id"].filter(assignments.good)
    booked = ids.filter(bookings.good)
    lost = bad & ids.is_in(kept.implode()) & ~ids.is_in(booked.implode())
    fields = bookings.fields
    fields.problems.warn(
        lost,
        fields.label("assignment"),
        ids,
        "the booking is set aside, so its assignment counts as one without a booking",
        "mend the booking and import again",
    )
    return fields.problems.warnings(of_bad_rows=True).drop("row")


def _report(table: TableMapping, checked: Checked, raw: RawTable) -> FileReport:
    bad = checked.fields.problems.bad
    rows = raw.frame.height + len(raw.ragged)
    return FileReport(
        table=table.table,
        file=table.file,
        rows=rows,
        kept=int(checked.good.sum()),
        set_aside=int(bad.sum()) + len(raw.ragged),
        rejected=rejected_rows(checked, raw),
    )


def rejected_rows(checked: Checked, raw: RawTable) -> pl.DataFrame:
    """The rows set aside as they are in the file, with line, column and reason, in the order of the file."""
    problems = checked.fields.problems.rejects()
    by_row = problems.group_by("row", maintain_order=True).agg(
        pl.col("line").first(),
        pl.col("column").unique(maintain_order=True).str.join("; "),
        pl.format("{}: {} ({})", "column", "reason", "fix").str.join("; ").alias("reason"),
    )
    width = len(raw.header)
    rows = [(*raw.cells(row), line, column, reason) for row, line, column, reason in by_row.iter_rows()]
    for ragged, problem in zip(raw.ragged, ragged_problems(raw).iter_rows(named=True), strict=True):
        cells = [*ragged.cells[: width - 1], raw.join(ragged.cells[width - 1 :])]
        cells += [""] * (width - len(cells))
        rows.append((*cells, ragged.line, problem["column"], f"{problem['reason']} ({problem['fix']})"))
    rows.sort(key=lambda row: row[width])
    names = _unique_names([*raw.header, *("line", "column", "reason")])
    schema = {name: pl.Int64 if position == width else pl.String for position, name in enumerate(names)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _unique_names(names: list[str]) -> list[str]:
    result: list[str] = []
    for name in names:
        unique = name
        while unique in result:
            unique = f"{unique}_"
        result.append(unique)
    return result
