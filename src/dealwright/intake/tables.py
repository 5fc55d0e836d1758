"""Check one table after the other: what each row must hold, and what it must agree with elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dealwright.intake.fields import Fields
from dealwright.intake.mapping import DimensionMapping, Mapping
from dealwright.schemas import AGENT_COLUMNS, ASSIGNMENT_COLUMNS, BOOKING_COLUMNS


@dataclass(frozen=True)
class Checked:
    """A table after its checks.

    Attributes
    ----------
    fields
        The table as it was, with the problems found.
    frame
        The typed rows, good and bad, in the order of the file.
    present
        Rows that are meant to be records at all (a flat export has rows without a booking).
    """

    fields: Fields
    frame: pl.DataFrame
    present: pl.Series

    @property
    def good(self) -> pl.Series:
        """Which rows are kept."""
        return self.present & ~pl.Series(self.fields.problems.bad, dtype=pl.Boolean)


def check_agents(fields: Fields, mapping: Mapping) -> Checked:
    """Check the agents."""
    ids = fields.text("id", required=True)
    fields.unique("id", ids)
    weight = fields.number("weight", default=1.0)
    fields.problems.reject(
        weight <= 0, fields.label("weight"), weight, "not above 0", "write 1 for a full share"
    )
    frame = pl.DataFrame(
        {
            "external_id": ids,
            "name": fields.text("name", required=True),
            "email": fields.text("email"),
            "job_title": fields.text("job_title"),
            "department": fields.text("department"),
            "manager": fields.text("manager"),
            "years_of_service": fields.number("years_of_service", at_least=0),
            "rating": fields.number("rating"),
            "capacity": fields.number(
                "capacity", default=mapping.default_capacity, at_least=0, at_most=2**31 - 1, whole=True
            ).cast(pl.Int64, strict=False),
            "active": fields.flag("active", default=True),
            "skills": fields.items("skills"),
            "weight": weight,
        }
    )
    return Checked(fields, frame.select(list(AGENT_COLUMNS)), _all(fields))


def check_assignments(fields: Fields, mapping: Mapping, agents: Checked) -> Checked:
    """Check the assignments, each against its agent."""
    ids = fields.text("id", required=True)
    fields.unique("id", ids)
    agent_ids = fields.text("agent", required=True)
    _refer(fields, "agent", agent_ids, agents, "agent")
    columns = {
        "external_id": ids,
        "agent_external_id": agent_ids,
        "customer_name": fields.text("customer_name", required=True),
        "assigned_at": fields.moment("assigned_at", required=True),
        "requirements": fields.text("requirements"),
    }
    for dimension in mapping.dimensions:
        if dimension.table == "assignments":
            columns[dimension.name] = _dimension(fields, dimension)
    return Checked(fields, pl.DataFrame(columns), _all(fields))


def check_bookings(fields: Fields, mapping: Mapping, assignments: Checked) -> Checked:
    """Check the bookings, each against its assignment."""
    present = _is_booking(fields, mapping)
    if fields.raw.file == assignments.fields.raw.file:
        # one flat table: a row that is no good assignment has been reported already
        present &= assignments.good
        fields.problems.ignore(~present)
    ids = fields.text("id", required=True)
    fields.unique("id", ids)
    assignment_ids = fields.text("assignment", required=True)
    _refer(fields, "assignment", assignment_ids, assignments, "assignment")
    fields.unique("assignment", assignment_ids, what="the assignment has a booking already, on line {}")
    status = _status(fields, mapping)
    completed_at, cancelled_at = fields.moment("completed_at"), fields.moment("cancelled_at")
    if (
        fields.has("completed_at")
        and fields.mapping.fields.get("cancelled_at") == fields.mapping.fields["completed_at"]
    ):
        # one column for both: the day the booking was settled
        completed_at = _where(status == "confirmed", completed_at)
        cancelled_at = _where(status == "cancelled", cancelled_at)
    base, package, total = _revenues(fields)
    columns = {
        "external_id": ids,
        "assignment_external_id": assignment_ids,
        "status": status,
        "completed_at": completed_at,
        "cancelled_at": cancelled_at,
        "base_revenue": base,
        "package_revenue": package,
        "total_revenue": total,
        "package": fields.text("package"),
    }
    for dimension in mapping.dimensions:
        if dimension.table == "bookings":
            columns[dimension.name] = _dimension(fields, dimension)
    frame = pl.DataFrame(columns)
    _check_outcome(fields, frame)
    _check_order_of_times(fields, frame, mapping, assignments)
    return Checked(fields, frame, present)


def assignment_columns(mapping: Mapping) -> list[str]:
    """Name the columns of the finished assignments."""
    return [*ASSIGNMENT_COLUMNS, *(dimension.name for dimension in mapping.dimensions)]


def booking_columns() -> list[str]:
    """Name the columns of the finished bookings."""
    return list(BOOKING_COLUMNS)


def _all(fields: Fields) -> pl.Series:
    return pl.Series([True], dtype=pl.Boolean).new_from_index(0, fields.height)


def _where(condition: pl.Series, value: pl.Series) -> pl.Series:
    return pl.select(pl.when(condition).then(value)).to_series()


def _refer(fields: Fields, name: str, ids: pl.Series, target: Checked, kind: str) -> None:
    """Reject the rows that refer to a record that does not exist, or that was itself set aside."""
    known = target.frame["external_id"].filter(target.good)
    missing = ids.is_not_null() & ~ids.is_in(known.implode())
    if not missing.any():
        return
    column, file = fields.label(name), target.fields.raw.file
    first_line = (
        pl.DataFrame({"id": target.frame["external_id"], "line": target.fields.raw.lines})
        .filter(pl.col("id").is_not_null() & ~target.good)
        .unique("id", keep="first")
    )
    line = pl.DataFrame({"id": ids}).join(first_line, on="id", how="left", maintain_order="left")["line"]
    fields.problems.reject(
        missing & line.is_null(),
        column,
        ids,
        f"unknown {kind}",
        f"correct the id, or add the {kind} to {file}",
    )
    lines = line.fill_null(0)
    fields.problems.reject(
        missing & line.is_not_null(),
        column,
        ids,
        pl.select(pl.format("its {} was set aside", pl.lit(kind))).to_series().new_from_index(0, len(ids)),
        pl.select(pl.format("mend line {} of {} first", lines, pl.lit(file))).to_series(),
    )


def _dimension(fields: Fields, dimension: DimensionMapping) -> pl.Series:
    text = fields.raw_text(dimension.source)
    column = dimension.source.label
    if dimension.required:
        fields.problems.reject(
            text.is_null(),
            column,
            None,
            f"empty {dimension.name}",
            "fill it in, or set required = false in the mapping",
        )
    if dimension.values is None:
        return text
    fix = (
        f"use one of: {', '.join(dimension.values)}; or add it to dimensions.{dimension.name} in the mapping"
    )
    return fields.choice(text, dimension.values, column, f"a value of {dimension.name}", fix)


def _is_booking(fields: Fields, mapping: Mapping) -> pl.Series:
    """Tell the bookings from the rows whose status means that there is none; those are not looked at."""
    words = [word for word, status in mapping.statuses.items() if status == "none"]
    text = fields.raw_text(fields.mapping.fields["status"]).fill_null("")
    present = ~text.str.to_lowercase().is_in(words)
    fields.problems.ignore(~present)
    return present


def _status(fields: Fields, mapping: Mapping) -> pl.Series:
    text = fields.text("status", required=True)
    word = text.str.to_lowercase()
    status = word.replace_strict(dict(mapping.statuses), default=None, return_dtype=pl.String)
    known = ", ".join(sorted(mapping.statuses))
    fields.problems.reject(
        text.is_not_null() & status.is_null(),
        fields.label("status"),
        text,
        "unknown status",
        f"use one of: {known}; or add the word to [bookings.statuses] in the mapping",
    )
    return status


def _revenues(fields: Fields) -> tuple[pl.Series, pl.Series, pl.Series]:
    """The three amounts; what the table does not say follows from the others."""
    base = fields.number("base_revenue", at_least=0)
    package = fields.number("package_revenue", at_least=0)
    total = fields.number("total_revenue", at_least=0)
    amounts = pl.DataFrame({"base": base, "package": package, "total": total})
    base_or_rest = pl.coalesce("base", (pl.col("total") - pl.col("package").fill_null(0)).clip(lower_bound=0))
    amounts = amounts.with_columns(base_or_rest.alias("base"))
    amounts = amounts.with_columns(
        pl.coalesce("package", pl.when(pl.col("base").is_not_null()).then(0.0)).alias("package"),
    )
    amounts = amounts.with_columns(pl.coalesce("total", pl.col("base") + pl.col("package")).alias("total"))
    return amounts["base"], amounts["package"], amounts["total"]


def _check_outcome(fields: Fields, frame: pl.DataFrame) -> None:
    """Check that a settled booking has its date, and a sale its amount."""
    status = frame["status"]
    for word, column, verb in (
        ("confirmed", "completed_at", "completed"),
        ("cancelled", "cancelled_at", "cancelled"),
    ):
        fields.problems.reject(
            (status == word) & frame[column].is_null() & fields.text(column).is_null(),
            fields.label(column),
            None,
            f"{word} without a date",
            f"write when it was {verb}, or set the status to pending",
        )
    mapped = next((name for name in ("total_revenue", "base_revenue") if fields.has(name)), None)
    if mapped is not None:
        empty = fields.text("total_revenue").is_null() & fields.text("base_revenue").is_null()
        fields.problems.reject(
            (status == "confirmed") & empty,
            fields.label(mapped),
            None,
            "confirmed without an amount",
            "write the revenue",
        )
    fields.problems.warn(
        (status == "pending") & (frame["completed_at"].is_not_null() | frame["cancelled_at"].is_not_null()),
        fields.label("status"),
        status,
        "pending, though it has a date of completion or cancellation",
        "correct the status if it is settled; it is kept as pending",
    )


def _check_order_of_times(
    fields: Fields, frame: pl.DataFrame, mapping: Mapping, assignments: Checked
) -> None:
    """Check that nothing is settled before its lead was given to an agent."""
    known = assignments.frame.filter(assignments.good & assignments.frame["external_id"].is_not_null())
    starts = known.select(pl.col("external_id").alias("id"), "assigned_at").unique("id", keep="first")
    assigned_at = pl.DataFrame({"id": frame["assignment_external_id"]}).join(
        starts, on="id", how="left", maintain_order="left"
    )["assigned_at"]
    latest = pl.select(assigned_at - pl.duration(minutes=mapping.late_filing_min)).to_series()
    for status, name, verb in (
        ("cancelled", "cancelled_at", "cancelled"),
        ("confirmed", "completed_at", "completed"),
    ):
        settled_at = _where(frame["status"] == status, frame[name])
        early, too_early = settled_at < assigned_at, settled_at < latest
        reason, shown = f"{verb} before it was assigned", fields.text(name)
        fix = "correct this date, or the assignment's"
        fields.problems.reject(too_early, fields.label(name), shown, reason, fix)
        fields.problems.warn(
            early & ~too_early, fields.label(name), shown, reason, f"{fix}, unless it was filed late"
        )
