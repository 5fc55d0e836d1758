"""A run as people look at it: its tables, figures, and what there is to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dealwright.notebook import Summarised
from dealwright.plan.kpis import Kpis


@dataclass(frozen=True)
class Run(Summarised):
    """What a run decided, as it was written.

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
    files
        The files of maps, briefs and calendars, by their places in the folder.
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

    def summary(self) -> dict[str, Any]:
        """Return the key figures."""
        return self.kpis.summary()

    def to_frame(self) -> pl.DataFrame:
        """Return `accounts`."""
        return self.accounts
