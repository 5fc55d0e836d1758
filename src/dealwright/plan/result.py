"""What a night decided, and what the next one takes over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dealwright.notebook import sketch
from dealwright.plan.drift import Drift
from dealwright.plan.kpis import Kpis
from dealwright.plan.listed import Listed
from dealwright.plan.params import PlanParams
from dealwright.plan.staffing.backlog import carried_over
from dealwright.plan.stages import StageResults
from dealwright.plan.trace import StageRecord
from dealwright.schemas import PlanInputs


@dataclass(frozen=True)
class PreviousRun:
    """What a run takes over from the last one; each part may be missing.

    Attributes
    ----------
    profile
        `Plan.profile`, to measure drift against.
    territories
        ``account_id, territory``: kept unless a change pays.
    waitlist
        `Channels.waitlist`: who has waited since when.
    carried
        `Schedule.carry_over`: what came in at the contact centre and was not done.
    """

    profile: Mapping[str, Any] | None = None
    territories: pl.DataFrame | None = None
    waitlist: pl.DataFrame | None = None
    carried: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Plan(StageResults):
    """What a run decided, and everything it rests on: the results of its stages and what follows from them.

    Attributes
    ----------
    inputs
        The usable rows the stages read.
    accounts
        One row per account: the results of all stages side by side, `accounts.parquet` of the run directory.
        Of more than 200,000 accounts the longest lists of reasons are on disk: `account_parts` has them.
    trace
        Stage by stage: rows, seconds, hashes.
    profile
        What the next run compares itself with: bins of features and scores, and this run's metrics.
    listed
        The columns that are on disk.
    """

    inputs: PlanInputs
    accounts: pl.DataFrame
    kpis: Kpis
    drift: Drift
    trace: tuple[StageRecord, ...]
    profile: Mapping[str, Any]
    params: PlanParams
    seed: int
    listed: Listed = field(default_factory=Listed)

    def account_parts(self) -> Iterator[pl.DataFrame]:
        """Yield the accounts with all their columns, those on disk too, some at a time."""
        yield from self.listed.parts(self.accounts)

    def as_previous(self) -> PreviousRun:
        """Return what the next run takes over."""
        tables = self.tables
        territories = self.accounts.select("account_id", "territory").drop_nulls()
        return PreviousRun(self.profile, territories, tables["waitlist"], carried_over(tables["backlog"]))

    @property
    def seconds(self) -> dict[str, float]:
        """Stage -> wall-clock seconds; a stage that ran twice counts twice."""
        result: dict[str, float] = {}
        for record in self.trace:
            result[record.stage] = round(result.get(record.stage, 0.0) + record.seconds, 4)
        return result

    def summary(self) -> dict[str, Any]:
        """Return the key figures and the stages' seconds."""
        seconds = {f"{name}_s": value for name, value in self.seconds.items()}
        return {**self.kpis.summary(), "drift": self.drift.message, **seconds}

    def to_frame(self) -> pl.DataFrame:
        """Return `accounts`."""
        return self.accounts

    def _repr_html_(self) -> str:
        return self.kpis._repr_html_() + self._sketch()

    def _sketch(self) -> str:
        """Draw the accounts and the first day of every representative."""
        needed = {"account_id", "lat_deg", "lon_deg"}
        if self.routes is None or self.inputs.reps is None or not needed <= set(self.inputs.accounts.columns):
            return ""
        places = self.inputs.accounts.select(sorted(needed)).drop_nulls()
        where = {name: (lat, lon) for name, lat, lon in places.iter_rows()}
        homes = {
            row["rep_id"]: (row["home_lat_deg"], row["home_lon_deg"])
            for row in self.inputs.reps.iter_rows(named=True)
        }
        visits = self.routes.visits
        first = visits.filter(pl.col("day") == pl.col("day").min()).sort("rep_id", "stop")
        lines = {
            str(rep): [[homes[rep], *(where[name] for name in day["account_id"]), homes[rep]]]
            for (rep,), day in first.group_by("rep_id", maintain_order=True)
        }
        return sketch(where.values(), lines)
