"""Who sells, as every page shows them: one name, one number and one colour for each person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from dealwright import notebook

COLOURS: Final = notebook.COLOURS
"""Beyond eight, the number tells people apart."""

FIELD: Final = "field"
CENTRE: Final = "contact centre"
PEOPLE_COLUMNS: Final = {"rep_id": pl.String, "name": pl.String, "role": pl.String, "number": pl.Int64}


@dataclass(frozen=True)
class Person:
    """A person as pages show them."""

    rep_id: str  # the company's own id
    name: str  # how colleagues call them; the id where no name is known or two people share one
    role: str  # `field` or `contact centre`
    number: int  # counted from 1 within the role, in the order of the ids

    @property
    def colour(self) -> int:
        """The number of the colour, from 1 to 8: ``var(--c1)`` in pages, `COLOURS` in pictures."""
        return (self.number - 1) % len(COLOURS) + 1

    @property
    def hex(self) -> str:
        """The colour in light pages."""
        return COLOURS[self.colour - 1]


def people_table(reps: pl.DataFrame | None, staff: pl.DataFrame | None) -> pl.DataFrame:
    """Return `PEOPLE_COLUMNS` of representatives and of the people of the contact centre.

    Parameters
    ----------
    reps, staff
        ``rep_id`` and, where they have names, ``rep_name``.
    """
    parts = [
        _numbered(frame, role)
        for frame, role in ((reps, FIELD), (staff, CENTRE))
        if frame is not None and "rep_id" in frame.columns
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=PEOPLE_COLUMNS)


def people_of(table: pl.DataFrame) -> dict[str, Person]:
    """Return the people of `people_table` by their ids."""
    return {row[0]: Person(*row) for row in table.select(*PEOPLE_COLUMNS).iter_rows()}


def person(people: Mapping[str, Person], rep_id: str | None) -> Person | None:
    """Return a person; one that no table names is called by the id, ``None`` stays nobody."""
    if rep_id is None:
        return None
    return people.get(rep_id) or Person(rep_id, rep_id, FIELD, len(people) + 1)


def names_of(people: Iterable[Person]) -> dict[str, str]:
    """Return id -> name."""
    return {item.rep_id: item.name for item in people}


def _numbered(frame: pl.DataFrame, role: str) -> pl.DataFrame:
    name = pl.col("rep_name") if "rep_name" in frame.columns else pl.lit(None, pl.String)
    known = frame.select(pl.col("rep_id").cast(pl.String), name=name.cast(pl.String)).unique("rep_id")
    shared = pl.col("name").is_duplicated() & (pl.col("name") != pl.col("rep_id"))
    return (
        known.drop_nulls("rep_id")
        .sort("rep_id")
        .with_columns(name=pl.coalesce("name", "rep_id"))
        .select(
            "rep_id",
            # people with the same name are distinguished by their ids
            name=pl.when(shared).then(pl.format("{} ({})", "name", "rep_id")).otherwise("name"),
            role=pl.lit(role),
            number=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        )
    )
