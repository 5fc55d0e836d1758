"""Outcomes: one row per past assignment, what became of it, and since when that is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.learn.slots import encode_values
from dealwright.schemas import OUTCOME_COLUMNS
from dealwright.stats.arrays import Bools, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealwright.dimensions import Dimension
    from dealwright.schemas import History


TRAITS = ("rating", "years_of_service")


@dataclass(frozen=True)
class Outcomes:
    """A history as learning sees it."""

    frame: pl.DataFrame  # columns of `schemas.OUTCOME_COLUMNS` and one per dimension
    traits: pl.DataFrame  # `agent_id` and one numeric column per trait
    agents: pl.DataFrame  # `agent_id`, `external_id`, `name`


def build_outcomes(history: History, as_of: datetime | None = None) -> Outcomes:
    """Turn a history into outcomes, as they were known at a moment.

    A pending booking has no outcome yet, one that could not be read (``outcome_unknown``) none at all. An
    assignment without any booking is a failed contact: it is lost once its follow-up window has passed.

    Parameters
    ----------
    as_of
        What happened later is left out; by default everything counts, and the last event of the history is
        the moment at which follow-up windows are judged.
    """
    agents = history.agents.select("external_id", "name", *TRAITS).with_columns(
        _number("external_id").alias("agent_id")
    )
    # of several bookings of one assignment the confirmed one counts, then the pending one
    order = pl.col("status").replace_strict(
        {"confirmed": 0, "pending": 1, "cancelled": 2}, return_dtype=pl.Int8
    )
    bookings = history.bookings.sort(order, maintain_order=True).unique(
        "assignment_external_id", keep="first", maintain_order=True
    )
    assignments = history.assignments.with_columns(_number("external_id").alias("assignment_id"))
    if "outcome_unknown" not in assignments.columns:
        assignments = assignments.with_columns(outcome_unknown=pl.lit(value=False))
    joined = assignments.join(
        bookings.drop("external_id"), left_on="external_id", right_on="assignment_external_id", how="left"
    )
    if as_of is not None:
        joined = joined.filter(pl.col("assigned_at") <= as_of)
    now = (
        as_of
        or joined.select(
            pl.max_horizontal(pl.col("assigned_at", "completed_at", "cancelled_at").max())
        ).item()
    )
    lapsed_at = pl.col("assigned_at") + timedelta(days=history.follow_up_days)
    status, unknown = pl.col("status"), pl.col("outcome_unknown").fill_null(value=False)
    settled_at = (
        pl.when(unknown)
        .then(None)
        .when(status == "confirmed")
        .then(pl.coalesce("completed_at", "assigned_at"))
        .when(status == "cancelled")
        .then(pl.coalesce("cancelled_at", "assigned_at"))
        .when(status.is_null())
        .then(lapsed_at)
    )
    frame = (
        joined.join(
            agents.select("agent_id", pl.col("external_id").alias("agent_external_id")),
            on="agent_external_id",
            how="left",
        )
        .with_columns(known_at=pl.when(settled_at <= now).then(settled_at))
        .with_columns(
            won=pl.when(pl.col("known_at").is_not_null()).then(pl.coalesce(status == "confirmed", False))
        )
        .with_columns(
            contacted=status.is_not_null() | unknown,
            base_revenue=pl.when("won").then("base_revenue"),
            package_revenue=pl.when("won").then("package_revenue"),
        )
        .select(*OUTCOME_COLUMNS, *(dimension.name for dimension in history.dimensions))
        .sort("assigned_at", "assignment_id")
    )
    return Outcomes(
        frame=frame,
        traits=agents.select("agent_id", *TRAITS),
        agents=agents.select("agent_id", "external_id", "name"),
    )


def _number(column: str) -> pl.Expr:
    """Use the user's own ids where all are distinct whole numbers, else number the rows from 1."""
    number = pl.col(column).cast(pl.Int64, strict=False)
    usable = number.is_not_null().all() & (number.n_unique() == pl.len())
    return pl.when(usable).then(number).otherwise(pl.int_range(1, pl.len() + 1))


@dataclass(frozen=True)
class OutcomeTable:
    """Outcomes as arrays, one element per row, sorted by assignment time."""

    dimensions: tuple[Dimension, ...]  # what the columns of `codes` mean
    agent_ids: Ints  # shape (agents,), ascending; `agent` holds positions in it
    agent: Ints
    codes: Ints  # shape (rows, dimensions), -1 where unknown
    # microseconds since 1970; an outcome is never known before its lead was assigned. Pending: the largest
    # integer.
    assigned_us: Ints
    known_us: Ints
    settled: Bools
    won: Floats  # 1.0 or 0.0; 0.0 while pending, see `settled`
    contacted: Bools
    # NaN where there is none
    base_revenue: Floats
    package_revenue: Floats

    def __len__(self) -> int:
        return len(self.agent)

    def take(self, rows: Ints | Bools) -> OutcomeTable:
        """Return some of the rows, with the same agents."""
        return OutcomeTable(
            self.dimensions,
            self.agent_ids,
            self.agent[rows],
            self.codes[rows],
            self.assigned_us[rows],
            self.known_us[rows],
            self.settled[rows],
            self.won[rows],
            self.contacted[rows],
            self.base_revenue[rows],
            self.package_revenue[rows],
        )


def tabulate_outcomes(
    outcomes: pl.DataFrame, dimensions: Sequence[Dimension], agent_ids: Sequence[int] | Ints | None = None
) -> OutcomeTable:
    """Check outcomes and turn them into arrays.

    A dimension without any value yet is left out: there is nothing to learn about it.

    Parameters
    ----------
    agent_ids
        All agents, also those without outcomes; by default those that occur.

    Raises
    ------
    InputError
        A column is missing, an id or time is null, or a value is not declared.
    """
    missing = [name for name in OUTCOME_COLUMNS if name not in outcomes.columns]
    if missing:
        raise InputError(
            f"the outcomes lack the column {missing[0]!r}: they need {', '.join(OUTCOME_COLUMNS)}"
        )
    for name in ("agent_id", "assigned_at"):
        if outcomes[name].null_count():
            raise InputError(
                f"the outcomes have {outcomes[name].null_count()} rows without {name}: set them aside first"
            )
    dimensions = tuple(dimension for dimension in dimensions if dimension.values)
    frame = outcomes.sort("assigned_at", "assignment_id")
    ids = np.unique(
        np.concatenate(
            [
                frame["agent_id"].to_numpy(),
                np.asarray(agent_ids if agent_ids is not None else [], dtype=np.int64),
            ]
        )
    )
    settled = frame["won"].is_not_null() & frame["known_at"].is_not_null()
    assigned_us = frame["assigned_at"].dt.epoch("us").to_numpy()
    known_us = frame["known_at"].dt.epoch("us").fill_null(np.iinfo(np.int64).max).to_numpy()
    return OutcomeTable(
        dimensions=dimensions,
        agent_ids=ids,
        agent=np.searchsorted(ids, frame["agent_id"].to_numpy()),
        codes=encode_values(frame, dimensions),
        assigned_us=assigned_us,
        known_us=np.maximum(known_us, assigned_us),
        settled=settled.to_numpy(),
        won=(frame["won"].fill_null(value=False) & settled).to_numpy().astype(np.float64),
        contacted=frame["contacted"].fill_null(value=True).to_numpy(),
        base_revenue=frame["base_revenue"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        package_revenue=frame["package_revenue"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
    )


def value_shares(table: OutcomeTable) -> tuple[Floats, ...]:
    """Share of each value among the rows where it is known, per dimension; equal shares where none is."""
    shares = []
    for j, dimension in enumerate(table.dimensions):
        code = table.codes[:, j]
        count = np.bincount(code[code >= 0], minlength=len(dimension.values)).astype(np.float64)
        shares.append(count / count.sum() if count.sum() > 0 else np.full(len(count), 1.0 / len(count)))
    return tuple(shares)


def fill_unknown(table: OutcomeTable, shares: Sequence[Floats], rng: np.random.Generator) -> Ints:
    """Fill each unknown value with one drawn from the same agent's known ones (hot-deck imputation).

    Where a value is only recorded with the booking, all leads that were never reached lack it, and are
    lost. Scored as they stand, every lead with a value would look luckier than it was when the agent had to
    be chosen. An agent without any known value draws from everybody's.
    """
    filled = table.codes.copy()
    n_agents = len(table.agent_ids)
    for j, share in enumerate(shares):
        donors = np.flatnonzero(table.codes[:, j] >= 0)
        donors = donors[np.argsort(table.agent[donors], kind="stable")]
        count = np.bincount(table.agent[donors], minlength=n_agents)
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        unknown = np.flatnonzero(table.codes[:, j] < 0)
        filled[unknown, j] = rng.choice(len(share), size=len(unknown), p=share)
        unknown = unknown[count[table.agent[unknown]] > 0]
        agent = table.agent[unknown]
        pick = first[agent] + (rng.random(len(unknown)) * count[agent]).astype(np.int64)
        filled[unknown, j] = table.codes[donors[pick], j]
    return filled
