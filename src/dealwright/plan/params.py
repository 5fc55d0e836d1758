"""Parameters of the nightly plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dealwright.plan.actions import ActionParams
from dealwright.plan.actions.catalogue_file import DEFAULT_SOURCE
from dealwright.plan.anomalies import AnomalyParams
from dealwright.plan.briefs import BriefParams
from dealwright.plan.channels import ChannelParams
from dealwright.plan.kpis import KpiParams
from dealwright.plan.prediction import PredictParams
from dealwright.plan.quality import QualityParams
from dealwright.plan.routing import DistanceBaselineParams, RouteParams
from dealwright.plan.segments import SegmentParams
from dealwright.plan.staffing import ScheduleParams
from dealwright.plan.territories import TerritoryParams


@dataclass(frozen=True)
class ReportParams:
    """How pages, maps, calendars and the printed summary speak; nothing of it changes a decision.

    Attributes
    ----------
    company
        The name in the headings; by default that of the folder of its tables.
    locale
        How numbers and dates are written, and the language of the words: ``en_GB``, ``en_US``, ``es_ES`` …
    currency
        ISO code of what the tables' amounts are in; amounts are not converted.
    """

    company: str = ""
    locale: str = "en_GB"
    currency: str = "EUR"


@dataclass(frozen=True)
class PlanParams:
    """Parameters of every stage, each with defaults.

    Attributes
    ----------
    capacity_rounds
        How often channels are allocated again at most where the staff can do less than they were given.
    one_more
        Whether to find out, by planning again, what one more visit, hour, representative, agent or contact
        would bring.
    headcount
        Whether to find out, by planning its shifts again, what holds the number of people in the contact
        centre up, and what one person fewer would cost.
    """

    quality: QualityParams = field(default_factory=QualityParams)
    predict: PredictParams = field(default_factory=PredictParams)
    anomalies: AnomalyParams = field(default_factory=AnomalyParams)
    segment: SegmentParams = field(default_factory=SegmentParams)
    action: ActionParams = field(default_factory=ActionParams)
    territory: TerritoryParams = field(default_factory=TerritoryParams)
    channel: ChannelParams = field(default_factory=ChannelParams)
    route: RouteParams = field(default_factory=RouteParams)
    schedule: ScheduleParams = field(default_factory=ScheduleParams)
    distance_only: DistanceBaselineParams = field(default_factory=DistanceBaselineParams)
    brief: BriefParams = field(default_factory=BriefParams)
    capacity_rounds: int = 2
    one_more: bool = True
    headcount: bool = True
    kpis: KpiParams = field(default_factory=KpiParams)
    report: ReportParams = field(default_factory=ReportParams)


def on_the_companys_clock(params: PlanParams, time_zone: str | None) -> PlanParams:
    """Return parameters with the clock that the company's mapping names, where no catalogue names another."""
    catalogue = params.action.catalogue
    if time_zone is None or catalogue.source != DEFAULT_SOURCE or catalogue.time_zone == time_zone:
        return params
    return replace(params, action=replace(params.action, catalogue=replace(catalogue, time_zone=time_zone)))
