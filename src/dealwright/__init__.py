"""Dealwright decides who should sell to a customer, through which channel, when and in what order.

What is listed in ``__all__`` is the public part: the desk and its answers, the nightly plan, each of its
stages with parameters and result, and every error.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dealwright.desk.desk import Desk
    from dealwright.desk.lead import Lead
    from dealwright.desk.results import (
        Agents,
        Explanation,
        Loaded,
        Models,
        Placement,
        Presence,
        Queue,
        Ranking,
        Replay,
        Settlement,
        Verification,
    )
    from dealwright.desk.worker import WorkDone, Worker, WorkerParams
    from dealwright.errors import (
        ClusterError,
        ConflictError,
        DatabaseError,
        DatabaseUrlError,
        DealwrightError,
        EvidenceError,
        GateError,
        InputError,
        MissingExtraError,
        NoRosterError,
        NotFoundError,
        RefusedChangeError,
        ServiceError,
        UnknownNameError,
    )
    from dealwright.learn.params import LearnParams
    from dealwright.plan.actions import ActionParams, Actions, choose_actions
    from dealwright.plan.anomalies import Anomalies, AnomalyParams, detect_anomalies
    from dealwright.plan.briefs import BriefParams, Briefs, write_briefs
    from dealwright.plan.channels import ChannelLimit, ChannelParams, Channels, allocate_channels
    from dealwright.plan.kpis import Kpi, KpiParams, Kpis, Target
    from dealwright.plan.params import PlanParams
    from dealwright.plan.pipeline import run_plan
    from dealwright.plan.prediction import Predictions, PredictParams, predict
    from dealwright.plan.prediction.model_store import OutdatedModelError
    from dealwright.plan.quality import Quality, QualityGateError, QualityParams, check_quality
    from dealwright.plan.result import Plan, PreviousRun
    from dealwright.plan.routing import (
        DistanceBaseline,
        DistanceBaselineParams,
        RouteParams,
        Routes,
        find_visitable,
        plan_distance_baseline,
        route,
    )
    from dealwright.plan.routing.checker import InfeasiblePlanError
    from dealwright.plan.segments import SegmentParams, Segments, segment
    from dealwright.plan.staffing import Schedule, ScheduleParams, ShiftPattern, Work, schedule
    from dealwright.plan.territories import (
        ApprovedTerritories,
        Territories,
        TerritoryParams,
        draw_territories,
    )
    from dealwright.report.run import Run
    from dealwright.runs.model_store import FolderModelStore
    from dealwright.runs.night import Night, run_night
    from dealwright.runs.publishing import publish_run
    from dealwright.runs.reading import read_previous, read_run
    from dealwright.runs.request import NightRequest
    from dealwright.schemas import AccountSchema, PlanInputs
    from dealwright.service.client import Client
    from dealwright.tables.coercion import AmbiguousError
    from dealwright.tables.plan_inputs import read_plan_inputs

__version__ = "0.1.0"

# module -> the public names it defines; imported at first use, so that `import dealwright` costs nothing
_MODULES = {
    "dealwright.desk.desk": ("Desk",),
    "dealwright.desk.lead": ("Lead",),
    "dealwright.desk.results": (
        "Agents",
        "Explanation",
        "Loaded",
        "Models",
        "Placement",
        "Presence",
        "Queue",
        "Ranking",
        "Replay",
        "Settlement",
        "Verification",
    ),
    "dealwright.desk.worker": (
        "WorkDone",
        "Worker",
        "WorkerParams",
    ),
    "dealwright.errors": (
        "ClusterError",
        "ConflictError",
        "DatabaseError",
        "DatabaseUrlError",
        "DealwrightError",
        "EvidenceError",
        "GateError",
        "InputError",
        "MissingExtraError",
        "NoRosterError",
        "NotFoundError",
        "RefusedChangeError",
        "ServiceError",
        "UnknownNameError",
    ),
    "dealwright.learn.params": ("LearnParams",),
    "dealwright.plan.actions": (
        "ActionParams",
        "Actions",
        "choose_actions",
    ),
    "dealwright.plan.anomalies": (
        "Anomalies",
        "AnomalyParams",
        "detect_anomalies",
    ),
    "dealwright.plan.briefs": (
        "BriefParams",
        "Briefs",
        "write_briefs",
    ),
    "dealwright.plan.channels": (
        "ChannelLimit",
        "ChannelParams",
        "Channels",
        "allocate_channels",
    ),
    "dealwright.plan.kpis": (
        "Kpi",
        "KpiParams",
        "Kpis",
        "Target",
    ),
    "dealwright.plan.params": ("PlanParams",),
    "dealwright.plan.pipeline": ("run_plan",),
    "dealwright.plan.prediction": (
        "PredictParams",
        "Predictions",
        "predict",
    ),
    "dealwright.plan.prediction.model_store": ("OutdatedModelError",),
    "dealwright.plan.quality": (
        "Quality",
        "QualityGateError",
        "QualityParams",
        "check_quality",
    ),
    "dealwright.plan.result": (
        "Plan",
        "PreviousRun",
    ),
    "dealwright.plan.routing": (
        "DistanceBaseline",
        "DistanceBaselineParams",
        "RouteParams",
        "Routes",
        "find_visitable",
        "plan_distance_baseline",
        "route",
    ),
    "dealwright.plan.routing.checker": ("InfeasiblePlanError",),
    "dealwright.plan.segments": (
        "SegmentParams",
        "Segments",
        "segment",
    ),
    "dealwright.plan.staffing": (
        "Schedule",
        "ScheduleParams",
        "ShiftPattern",
        "Work",
        "schedule",
    ),
    "dealwright.plan.territories": (
        "ApprovedTerritories",
        "Territories",
        "TerritoryParams",
        "draw_territories",
    ),
    "dealwright.report.run": ("Run",),
    "dealwright.runs.model_store": ("FolderModelStore",),
    "dealwright.runs.night": ("Night", "run_night"),
    "dealwright.runs.publishing": ("publish_run",),
    "dealwright.runs.reading": ("read_previous", "read_run"),
    "dealwright.runs.request": ("NightRequest",),
    "dealwright.schemas": (
        "AccountSchema",
        "PlanInputs",
    ),
    "dealwright.service.client": ("Client",),
    "dealwright.tables.coercion": ("AmbiguousError",),
    "dealwright.tables.plan_inputs": ("read_plan_inputs",),
}
_PUBLIC = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AccountSchema",
    "ActionParams",
    "Actions",
    "Agents",
    "AmbiguousError",
    "Anomalies",
    "AnomalyParams",
    "ApprovedTerritories",
    "BriefParams",
    "Briefs",
    "ChannelLimit",
    "ChannelParams",
    "Channels",
    "Client",
    "ClusterError",
    "ConflictError",
    "DatabaseError",
    "DatabaseUrlError",
    "DealwrightError",
    "Desk",
    "DistanceBaseline",
    "DistanceBaselineParams",
    "EvidenceError",
    "Explanation",
    "FolderModelStore",
    "GateError",
    "InfeasiblePlanError",
    "InputError",
    "Kpi",
    "KpiParams",
    "Kpis",
    "Lead",
    "LearnParams",
    "Loaded",
    "MissingExtraError",
    "Models",
    "Night",
    "NightRequest",
    "NoRosterError",
    "NotFoundError",
    "OutdatedModelError",
    "Placement",
    "Plan",
    "PlanInputs",
    "PlanParams",
    "PredictParams",
    "Predictions",
    "Presence",
    "PreviousRun",
    "Quality",
    "QualityGateError",
    "QualityParams",
    "Queue",
    "Ranking",
    "RefusedChangeError",
    "Replay",
    "RouteParams",
    "Routes",
    "Run",
    "Schedule",
    "ScheduleParams",
    "SegmentParams",
    "Segments",
    "ServiceError",
    "Settlement",
    "ShiftPattern",
    "Target",
    "Territories",
    "TerritoryParams",
    "UnknownNameError",
    "Verification",
    "Work",
    "WorkDone",
    "Worker",
    "WorkerParams",
    "__version__",
    "allocate_channels",
    "check_quality",
    "choose_actions",
    "detect_anomalies",
    "draw_territories",
    "find_visitable",
    "plan_distance_baseline",
    "predict",
    "publish_run",
    "read_plan_inputs",
    "read_previous",
    "read_run",
    "route",
    "run_night",
    "run_plan",
    "schedule",
    "segment",
    "write_briefs",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    try:
        module = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'dealwright' has no attribute {name!r}") from None
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
