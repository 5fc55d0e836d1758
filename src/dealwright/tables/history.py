"""A company's agents, assignments and bookings: a clean history, and every row that was rejected."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import InputError
from dealwright.schemas import (
    AGENT_CHANNEL_COLUMNS,
    AGENT_COLUMNS,
    ASSIGNMENT_COLUMNS,
    BOOKING_COLUMNS,
    PROBLEM_COLUMNS,
    History,
    Intake,
)
from dealwright.tables.fields import TABLES, Field
from dealwright.tables.mapping import NO_BOOKING, CompanyMap, DimensionMap, TableMap, channel_field
from dealwright.tables.reader import as_text
from dealwright.tables.sources import Sources
from dealwright.tables.validation import Rows
from dealwright.wording import count_of

_REVENUES: Final = ("base_revenue", "package_revenue", "total_revenue")
_SHOWN_WORDS: Final = 12
_CHANNEL_FIELD: Final = channel_field("")
_OF_A_CHANNEL: Final = Field(
    "whole",
    low=0,
    high=2**31 - 1,
    fix="write how many open leads of the channel fit, 0 or more; or leave it empty",
)
_DATES: Final = (("confirmed", "completed_at"), ("cancelled", "cancelled_at"))


def read_history(company: CompanyMap, directory: Path) -> History:
    """Read and check the tables of the desk.

    Raises
    ------
    InputError
        A file cannot be used at all (missing, empty, without a column of the mapping), a column is ambiguous,
        or what became of the leads cannot be told: words for a status that nobody mapped, wins without any
        date.
    """
    if "agents" not in company.tables:
        raise InputError(f"{company.path}: agents: missing: add an [agents] table with file, id and name")
    sources = Sources(company, directory)
    # every file is opened before any row is judged: nothing is said about rows when a whole file is unusable
    for name in _present(company):
        sources.raw(name)
    rows = {name: sources.rows(name, _dimension_columns(company, name)) for name in _present(company)}
    _read_agents(rows["agents"], company, derived=sources.shares("agents") is not None)
    if "assignments" in rows:
        _read_assignments(rows["assignments"], company, rows["agents"])
    if "bookings" in rows:
        flat = sources.raw("bookings") is sources.raw("assignments")
        _read_bookings(rows["bookings"], company, rows["assignments"], flat=flat)
    return _history(company, rows)


def _present(company: CompanyMap) -> list[str]:
    return [name for name in ("agents", "assignments", "bookings") if name in company.tables]


def _dimension_columns(company: CompanyMap, table: str) -> dict[str, str]:
    return {
        column: f"dimensions.{dimension.name}"
        for dimension in company.dimensions
        if dimension.table == table
        for column in dimension.source.columns
    }


def _read_fields(rows: Rows, *, leave: tuple[str, ...] = (), **changed: Field) -> None:
    for name, field in TABLES[rows.mapping.table].fields.items():
        if name not in leave:
            rows.read(name, changed.get(name, field))


def _read_agents(rows: Rows, company: CompanyMap, *, derived: bool) -> None:
    """Read the agents; those taken out of another table are one for each id, whatever the number of rows."""
    capacity = TABLES["agents"].fields["capacity"]
    capacity = Field("whole", low=0, high=capacity.high, default=company.default_capacity, fix=capacity.fix)
    table = TABLES["agents"]
    if derived or rows.mapping.fields["id"].constant is not None:
        rows.keep_first("id", ["name"])
    _read_fields(rows, capacity=capacity)
    for channel in _channels(rows):
        rows.read(channel, _OF_A_CHANNEL)
    rows.once("id", rows.frame["external_id"], table.again)
    if not rows.height and not rows.original.ragged:
        why = "no row that fulfils where under [agents]" if rows.left_out else "a header and no rows"
        raise InputError(f"{rows.original.file} has {why}: there must be at least one agent")


def _channels(agents: Rows) -> list[str]:
    return [name for name in agents.mapping.fields if name.startswith(_CHANNEL_FIELD)]


def _agent_channels(agents: Rows) -> pl.DataFrame:
    """Return the limits that agents have of channels, a row for each that is filled in."""
    names = _channels(agents)
    if not names:
        return pl.DataFrame(schema=AGENT_CHANNEL_COLUMNS)
    limits = agents.clean().select(pl.col("external_id").alias("agent_external_id"), *names)
    found = limits.unpivot(
        names, index="agent_external_id", variable_name="channel", value_name="capacity"
    ).drop_nulls("capacity")
    return found.with_columns(pl.col("channel").str.strip_prefix(_CHANNEL_FIELD))


def _read_assignments(rows: Rows, company: CompanyMap, agents: Rows) -> None:
    _read_fields(rows)
    rows.once("id", rows.frame["external_id"], TABLES["assignments"].again)
    rows.refer("agent", rows.frame["agent_external_id"], agents, "agent")
    _read_dimensions(rows, company)


def _read_dimensions(rows: Rows, company: CompanyMap) -> None:
    """Read the attributes of the leads that a table carries."""
    for dimension in company.dimensions:
        if dimension.table != rows.mapping.table:
            continue
        kind = "number" if dimension.bins else "text"
        values = rows.read(dimension.name, Field(kind), dimension.source)  # type: ignore[arg-type]
        label = dimension.source.label
        if dimension.required:
            empty = values.is_null() & ~pl.Series(rows.bad, dtype=pl.Boolean)
            rows.reject(
                empty, label, f"empty {dimension.name}",
                f"fill it in, or write required = false under [dimensions.{dimension.name}]",
            )  # fmt: skip
        if isinstance(dimension.values, tuple) and not dimension.bins:
            near = (
                f"use one of: {', '.join(dimension.values)}; or add it to dimensions.{dimension.name}.values"
            )
            what = f"not a value of {dimension.name}"
            kept = rows.choose(values, dimension.values, label, what=what, fix=near)
            rows.frame = rows.frame.with_columns(kept.alias(dimension.name))


def _read_bookings(rows: Rows, company: CompanyMap, assignments: Rows, *, flat: bool) -> None:
    """Read the bookings, each against its assignment."""
    text = _status_words(rows, company)
    word = text.str.to_lowercase()
    rows.ignore(word.fill_null("").is_in([w for w, s in company.statuses.items() if s == NO_BOOKING]))
    if flat:  # a row that is no good assignment has been reported already
        rows.defer()
        good = pl.DataFrame({"at": assignments.at, "good": assignments.good})
        here = pl.DataFrame({"at": rows.at}).join(good, on="at", how="left", maintain_order="left")["good"]
        rows.ignore(~here.fill_null(value=False))
    sources = rows.mapping.fields
    one_date = rows.has("completed_at") and sources.get("cancelled_at") == sources["completed_at"]
    _read_fields(rows, leave=("status", "cancelled_at") if one_date else ("status",))
    rows.once("id", rows.frame["external_id"], TABLES["bookings"].again)
    rows.refer("assignment", rows.frame["assignment_external_id"], assignments, "assignment")
    rows.once(
        "assignment", rows.frame["assignment_external_id"], "remove one of the two",
        "the assignment has a booking already, on line {}",
    )  # fmt: skip
    status = word.replace_strict(dict(company.statuses), default=None, return_dtype=pl.String)
    _refuse_unmapped_words(rows, text, status, company)
    label = rows.label("status")
    rows.reject(
        text.is_null(), label, "empty", "fill it in; or map the empty word to none, if there is no booking"
    )
    rows.frame = rows.frame.with_columns(status.alias("status"))
    if one_date:  # it is the day the booking was settled
        rows.frame = rows.frame.with_columns(
            pl.when(pl.col("status") == settled).then("completed_at").alias(column)
            for settled, column in _DATES
        )
    _complete_revenues(rows)
    _read_dimensions(rows, company)
    _check_outcome(rows, company)
    _check_order_of_times(rows, company, assignments)


def _status_words(rows: Rows, company: CompanyMap) -> pl.Series:
    """Return the words for the status; one that is mapped is a word, though it may mean missing elsewhere."""
    source = rows.mapping.fields["status"]
    text = rows.parsed("text", source)[0].values
    if len(source.columns) != 1 or not text.has_nulls():
        return text
    column = source.columns[0]
    as_it_came = as_text(rows.raw.frame[column]).str.strip_chars()
    mapped = as_it_came.str.to_lowercase().is_in([word for word in company.statuses if word])
    missing = rows.coercion.missing.pop(column, {})
    rows.coercion.missing |= {
        column: {word: count for word, count in missing.items() if word.lower() not in company.statuses}
    }
    return as_it_came.zip_with(mapped.fill_null(value=False), text)


def _refuse_unmapped_words(rows: Rows, text: pl.Series, status: pl.Series, company: CompanyMap) -> None:
    """Stop where status words are unknown: what became of those leads must not be guessed."""
    unknown = text.is_not_null() & status.is_null() & rows.good
    if not unknown.any():
        return
    words = text.filter(unknown).value_counts(sort=True)
    shown = ", ".join(f"{word!r} ({count:,})" for word, count in words.head(_SHOWN_WORDS).iter_rows())
    more = f" and {words.height - _SHOWN_WORDS:,} more" if words.height > _SHOWN_WORDS else ""
    line = rows.raw.lines.filter(unknown)[0]
    first = words[0, 0]
    raise InputError(
        f"{rows.original.file}, column {rows.label('status')!r}: {int(unknown.sum()):,} rows (the first is "
        f"line {line}) have a status that nobody mapped: {shown}{more}; add each word to [bookings.statuses] "
        f'in {company.path}, such as confirmed = ["{first}"], under pending, confirmed, cancelled, or none '
        "for rows that are no booking"
    )


def _complete_revenues(rows: Rows) -> None:
    """Let what the table does not say of the three amounts follow from the others."""
    base, package, total = map(pl.col, _REVENUES)
    rest = (total - package.fill_null(0)).clip(lower_bound=0)
    extra = (total.fill_null(base) - base).clip(lower_bound=0)
    rows.frame = (
        rows.frame.with_columns(base_revenue=pl.coalesce(base, rest))
        .with_columns(package_revenue=pl.coalesce(package, extra))
        .with_columns(total_revenue=pl.coalesce(total, base + package))
    )


def _check_outcome(rows: Rows, company: CompanyMap) -> None:
    """Check that a settled booking has its date, and a win its amount."""
    status = rows.frame["status"]
    good = rows.good
    for word, column in _DATES:
        undated = (status == word).fill_null(value=False) & rows.frame[column].is_null() & good
        if not undated.any():
            continue
        dated = int(((status == word).fill_null(value=False) & good).sum()) - int(undated.sum())
        if word == "confirmed" and not dated:
            missing = f"{rows.label(column)} is empty" if rows.has(column) else "no column says when"
            rows_undated = int(undated.sum())
            raise InputError(
                f"{rows.original.file}: {count_of(rows_undated, 'booking')} "
                f"{'is' if rows_undated == 1 else 'are'} confirmed, and {missing}: with "
                "losses alone a model would learn that nobody ever wins; map the column that says when a "
                f'deal was closed, such as bookings.completed_at = "closed" in {company.path}'
            )
        rows.reject(
            undated, rows.label(column), f"{word} without a date",
            f"write when it was {column.removesuffix('_at')}, or map its status to pending; its outcome "
            "counts as unknown",
        )  # fmt: skip
    amount = next((name for name in ("total_revenue", "base_revenue") if rows.has(name)), None)
    if amount is not None:
        empty = rows.frame["total_revenue"].is_null() & rows.frame["base_revenue"].is_null()
        rows.reject(
            (status == "confirmed") & empty & rows.good, rows.label(amount), "confirmed without an amount",
            f'write the revenue, or give a default: bookings.{amount} = {{ column = "{rows.label(amount)}", '
            "default = 0 }",
        )  # fmt: skip
    settled = rows.frame["completed_at"].is_not_null() | rows.frame["cancelled_at"].is_not_null()
    rows.reject(
        (status == "pending") & settled, rows.label("status"),
        "pending, though it has a date of completion or cancellation",
        "correct the status if it is settled; it is kept as pending", status, level="warning",
    )  # fmt: skip


def _check_order_of_times(rows: Rows, company: CompanyMap, assignments: Rows) -> None:
    """Check that nothing is settled before its lead was given to an agent.

    In the hour that comes twice when clocks are put back a time may be an hour later than it seems.
    """
    known = assignments.frame.filter(assignments.good & assignments.frame["external_id"].is_not_null())
    starts = known.select(pl.col("external_id").alias("id"), "assigned_at").unique("id", keep="first")
    ids = rows.frame["assignment_external_id"].to_frame("id")
    assigned_at = ids.join(starts, on="id", how="left", maintain_order="left")["assigned_at"]
    zone = rows.original.format.time_zone
    for status, name in _DATES:
        times = rows.frame.select(
            pl.when(pl.col("status") == status).then(pl.col(name)).alias("settled"),
            assigned_at.alias("start"),
        )
        local = pl.col("settled").dt.convert_time_zone(zone).dt.replace_time_zone(None)
        again = local.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
        latest = pl.max_horizontal("settled", again.dt.convert_time_zone("UTC"))
        early, too_early = times.select(
            early=latest < pl.col("start"),
            too_early=latest < pl.col("start") - pl.duration(seconds=60 * company.late_filing_min),
        )
        reason = f"{name.removesuffix('_at')} before it was assigned"
        fix = "correct this date, or the assignment's"
        given = rows.text_of(rows.mapping.fields[name]) if rows.has(name) else None
        rows.reject(too_early, rows.label(name), reason, fix, given)
        rows.reject(
            early & ~too_early,
            rows.label(name),
            reason,
            f"{fix}, unless it was filed late",
            given,
            level="warning",
        )


def _history(company: CompanyMap, rows: dict[str, Rows]) -> History:
    """Put the good rows together; an assignment whose booking was rejected is *unknown*, never lost."""
    names = [dimension.name for dimension in company.dimensions]
    texts = dict.fromkeys(names, pl.String)
    assignments = pl.DataFrame(schema={**ASSIGNMENT_COLUMNS, **texts})
    bookings = pl.DataFrame(schema=dict(BOOKING_COLUMNS))
    if "assignments" in rows:
        assignments = rows["assignments"].clean().with_columns(outcome_unknown=pl.lit(value=False))
    if "bookings" in rows:
        found = rows["bookings"]
        bookings = found.clean()
        booked = bookings["assignment_external_id"]
        broken = pl.Series(found.bad, dtype=pl.Boolean) & ~found.good
        ids = found.frame["assignment_external_id"].filter(broken).append(_ragged_ids(found))
        unknown = pl.col("external_id").is_in(ids.drop_nulls().implode()) & ~pl.col("external_id").is_in(
            booked.implode()
        )
        carried = [d.name for d in company.dimensions if d.table == "bookings"]
        assignments = assignments.with_columns(outcome_unknown=unknown).join(
            bookings.select(pl.col("assignment_external_id").alias("external_id"), *carried),
            on="external_id", how="left", maintain_order="left",
        )  # fmt: skip
        _say_unknown(found, int(assignments["outcome_unknown"].sum()))
    assignments, dimensions = _bin(assignments, company)
    problems = [table.problems() for table in rows.values()]
    return History(
        dimensions=dimensions,
        agents=rows["agents"].clean().select(list(AGENT_COLUMNS)),
        assignments=assignments.select(*ASSIGNMENT_COLUMNS, *names),
        bookings=bookings.select(list(BOOKING_COLUMNS)),
        follow_up_days=company.follow_up_days,
        currency=company.currency,
        agent_channels=_agent_channels(rows["agents"]),
        channel_dimension=company.channel_dimension,
        intake=Intake(
            {name: table.report() for name, table in rows.items()},
            pl.concat(problems) if problems else pl.DataFrame(schema=PROBLEM_COLUMNS),
        ),
    )


def _ragged_ids(bookings: Rows) -> pl.Series:
    """Return the assignments that rows with too many or too few fields may be about.

    A field too many moves those after it: the id is looked for in its place from either end of the row.
    """
    raw, source = bookings.original, bookings.mapping.fields["assignment"]
    names = raw.frame.columns
    if not set(source.columns) <= set(names):
        return pl.Series(dtype=pl.String)
    blank = [None] * len(names)
    rows = [[*row.cells, *blank][: len(names)] for row in raw.ragged]
    rows += [[*blank, *row.cells][-len(names) :] for row in raw.ragged]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    lines = pl.Series([row.line for row in raw.ragged] * 2, dtype=pl.Int64)
    shifted = replace(raw, frame=frame, lines=lines, ragged=())
    return Rows(TableMap("bookings"), shifted).parsed("text", source)[0].values


def _say_unknown(bookings: Rows, count: int) -> None:
    if not count:
        return
    won = (
        (bookings.frame["status"] == "confirmed") & ~bookings.good & pl.Series(bookings.bad, dtype=pl.Boolean)
    )
    wins = int(won.sum())
    some = f", {wins:,} of them wins" if wins else ""
    bookings.note(
        bookings.label("assignment"), count,
        f"the outcome of these assignments is unknown, because their booking was rejected{some}: they count "
        "neither as won nor as lost", "mend the bookings and import again", level="warning",
    )  # fmt: skip


def _bin(assignments: pl.DataFrame, company: CompanyMap) -> tuple[pl.DataFrame, tuple[Dimension, ...]]:
    """Turn numbers into bins of equal numbers of leads, and say which values every dimension has."""
    dimensions = []
    for said in company.dimensions:
        edges: tuple[float, ...] = ()
        if said.bins:
            edges = _edges(assignments[said.name], said.bins)
            values: tuple[str, ...] = _bin_names(edges)
            numbers = assignments[said.name].cast(pl.Float64)
            places = pl.Series(np.searchsorted(edges, numbers.to_numpy()))  # the first edge not below it
            binned = pl.Series(said.name, values).gather(places).set(numbers.is_null(), None)
            assignments = assignments.with_columns(binned)
        elif isinstance(said.values, tuple):
            values = said.values
        else:
            values = tuple(assignments[said.name].drop_nulls().unique().sort())
        dimension = _dimension(said, values, edges)
        dimensions.append(dimension)
    return assignments, tuple(dimensions)


def _dimension(said: DimensionMap, values: tuple[str, ...], edges: tuple[float, ...]) -> Dimension:
    found = Dimension(
        said.name, values, is_open=said.is_open and not said.bins, required=said.required,
        at_arrival=said.table == "assignments", edges=edges,
    )  # fmt: skip
    if not found.has_empty:
        return found
    return replace(found, values=(*(value for value in values if value != EMPTY), EMPTY))


def _edges(numbers: pl.Series, bins: int) -> tuple[float, ...]:
    """Return the distinct inner quantiles of a column, to three figures where that keeps them apart.

    There is one at least: by its edges a dimension is known to be a number.
    """
    known = numbers.drop_nulls().to_numpy()
    if not known.size:
        return (0.0,)
    edges = np.unique(np.quantile(known, np.arange(1, bins) / bins))
    if (edges < known.max()).any():
        edges = edges[edges < known.max()]
    rounded = np.array([float(f"{edge:.3g}") for edge in edges])
    apart = len(np.unique(rounded)) == len(edges) and rounded[-1] < known.max()
    chosen = rounded if apart else edges
    return tuple(float(edge) for edge in chosen)


def _bin_names(edges: tuple[float, ...]) -> tuple[str, ...]:
    figures = [repr(edge).removesuffix(".0") for edge in edges]
    inner = [f"{low} to {high}" for low, high in pairwise(figures)]
    return (f"up to {figures[0]}", *inner, f"above {figures[-1]}")
