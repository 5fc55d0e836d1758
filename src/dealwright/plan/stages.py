"""What the stages of a night found, each under its name, and the tables that a run keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from dealwright.plan.actions import Actions
from dealwright.plan.anomalies import Anomalies
from dealwright.plan.briefs import Briefs
from dealwright.plan.channels import Channels
from dealwright.plan.limits import Limits
from dealwright.plan.prediction import Predictions
from dealwright.plan.quality import Quality
from dealwright.plan.routing import DistanceBaseline, Routes
from dealwright.plan.segments import Segments
from dealwright.plan.staffing import Schedule
from dealwright.plan.territories import Territories
from dealwright.schemas import (
    BACKLOG_COLUMNS,
    BRIEF_COLUMNS,
    CALL_COLUMNS,
    CHANNEL_COLUMNS,
    DISTANCE_ONLY_DAY_COLUMNS,
    HEADCOUNT_COLUMNS,
    LEFT_OUT_COLUMNS,
    LIMIT_COLUMNS,
    ONE_MORE_COLUMNS,
    SERVICE_LEVEL_COLUMNS,
    SHIFT_COLUMNS,
    STAFF_HOURS_COLUMNS,
    TERRITORY_CURVE_COLUMNS,
    TERRITORY_HOME_COLUMNS,
    TERRITORY_PLACE_COLUMNS,
    TERRITORY_TABLE_COLUMNS,
    UNPLACED_CALL_COLUMNS,
    VISIT_COLUMNS,
    WAITLIST_COLUMNS,
    WORKING_DAY_COLUMNS,
    Columns,
)

# table of the run directory -> the stage whose result holds it, where, and its columns
TABLES: Final[Mapping[str, tuple[str, str, Columns]]] = {
    "territories": ("territories", "territories", TERRITORY_TABLE_COLUMNS),
    "territory_curve": ("territories", "curve", TERRITORY_CURVE_COLUMNS),
    "territory_places": ("territories", "places", TERRITORY_PLACE_COLUMNS),
    "territory_homes": ("territories", "homes", TERRITORY_HOME_COLUMNS),
    "channels": ("channels", "table", CHANNEL_COLUMNS),
    "waitlist": ("channels", "waitlist", WAITLIST_COLUMNS),
    "visits": ("routes", "visits", VISIT_COLUMNS),
    "rep_days": ("routes", "days", WORKING_DAY_COLUMNS),
    "left_out": ("routes", "left_out", LEFT_OUT_COLUMNS),
    "distance_only_visits": ("distance_baseline", "visits", VISIT_COLUMNS),
    "distance_only_days": ("distance_baseline", "days", DISTANCE_ONLY_DAY_COLUMNS),
    "shifts": ("schedule", "shifts", SHIFT_COLUMNS),
    "calls": ("schedule", "calls", CALL_COLUMNS),
    "calls_unplaced": ("schedule", "unplaced", UNPLACED_CALL_COLUMNS),
    "service_levels": ("schedule", "levels", SERVICE_LEVEL_COLUMNS),
    "staff_hours": ("schedule", "hours", STAFF_HOURS_COLUMNS),
    "headcount": ("limits", "headcount", HEADCOUNT_COLUMNS),
    "backlog": ("schedule", "backlog", BACKLOG_COLUMNS),
    "limits": ("limits", "table", LIMIT_COLUMNS),
    "one_more": ("limits", "one_more", ONE_MORE_COLUMNS),
    "briefs": ("briefs", "briefs", BRIEF_COLUMNS),
}


@dataclass(frozen=True)
class StageResults:
    """The result of every stage of a night.

    Attributes
    ----------
    territories, routes, distance_baseline
        ``None`` where nobody can be visited: without positions or representatives.
    """

    quality: Quality
    predictions: Predictions
    anomalies: Anomalies
    segments: Segments
    actions: Actions
    territories: Territories | None
    channels: Channels
    routes: Routes | None
    schedule: Schedule
    distance_baseline: DistanceBaseline | None
    limits: Limits
    briefs: Briefs

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables that are not by account, such as visits; empty where a stage had nothing to do.

        Each is written as ``NAME.parquet``.
        """
        found = {}
        for name, (stage, attribute, columns) in TABLES.items():
            result = getattr(self, stage)
            found[name] = pl.DataFrame(schema=columns) if result is None else getattr(result, attribute)
        return found
