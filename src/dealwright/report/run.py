"""A run as people look at it: its tables, figures, and what there is to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dealwright.notebook import Summarised
from dealwright.plan.kpis import Kpis
from dealwright.report.format import Format
from dealwright.report.people import Person


@dataclass(frozen=True)
class ChangedDayNote:
    """A day that was changed by hand and published since."""

    day: date
    changed_at: datetime | None  # on the company's clock; None of a version that did not write it down
    people: tuple[str, ...]  # whose day differs from the plan


@dataclass(frozen=True)
class Run(Summarised):
    """A run as it was written to its folder.

    Attributes
    ----------
    folder
        Where it lies.
    accounts
        One row per account.
    tables
        The other tables by name, such as ``visits``; empty where a stage had nothing to do.
    kpis
        Its key figures with their targets.
    settings
        How it was started: the ``[run]`` table of ``params.toml``.
    stages
        Stage -> its record in the trace.
    issues, drift
        What was noted of the data, and how far columns moved since the run before.
    notices
        What to know before acting on it.
    rejected
        File -> number of rows that were rejected.
    ways, land
        Routes and ground of the maps, as GeoJSON; ``None`` without.
    people
        Who sells, by id.
    changes, outcomes, history, trend
        What `comparison` found: changes since the run before, outcomes of its tasks, recent events of the
        accounts, and the key figures of the last runs.
    first_day
        The day that is planned, or the first of several; ``None`` where the run does not say.
    card
        What the models are and how they were tested (``model_card.json``).
    form
        How figures are written.
    company
        Whose run it is.
    files
        The files of maps, briefs and calendars, by their places in the folder.
    changed
        Days that were changed by hand and published since, as they are now.
    """

    folder: Path
    accounts: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    kpis: Kpis
    settings: Mapping[str, Any]
    stages: Mapping[str, Mapping[str, Any]]
    issues: pl.DataFrame
    drift: pl.DataFrame
    notices: tuple[str, ...]
    rejected: Mapping[str, int]
    ways: Mapping[str, Any] | None
    land: Mapping[str, Any] | None
    files: frozenset[str]
    people: Mapping[str, Person]
    changes: pl.DataFrame
    outcomes: pl.DataFrame
    history: pl.DataFrame
    trend: tuple[Mapping[str, Any], ...]
    first_day: date | None
    card: Mapping[str, Any]
    form: Format
    company: str
    changed: tuple[ChangedDayNote, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return the key figures."""
        return self.kpis.summary()

    def to_frame(self) -> pl.DataFrame:
        """Return `accounts`."""
        return self.accounts
