"""The nightly plan, from accounts to everybody's day; reads top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import polars as pl

from dealwright.plan.action import ActionParams, Actions, choose_actions
from dealwright.plan.anomalies import Anomalies, AnomalyParams, detect
from dealwright.plan.assembly import TABLES, figures, measure_drift, side_by_side
from dealwright.plan.brief import BriefParams, brief
from dealwright.plan.channel import ChannelParams
from dealwright.plan.distance_only import DistanceOnlyParams, plan_distance_only
from dealwright.plan.drift import Drift
from dealwright.plan.frames import ModelStore, StageResult
from dealwright.plan.kpis import KpiParams, Kpis, judge
from dealwright.plan.predict import Predictions, PredictParams, predict
from dealwright.plan.quality import Quality, QualityParams, check
from dealwright.plan.route import RouteParams
from dealwright.plan.routing.travel import TravelTimes
from dealwright.plan.schedule import ScheduleParams
from dealwright.plan.segment import SegmentParams, Segments, segment
from dealwright.plan.serving import serve
from dealwright.plan.staffing.backlog import carried_over
from dealwright.plan.territory import TerritoryParams, territory
from dealwright.plan.trace import FIELD_STAGES, STAGES, Progress, StageRecord, Tracer, hash_frame, hash_text
from dealwright.schemas import PlanInputs


@dataclass(frozen=True)
class PlanParams:
    """Parameters of every stage, each with defaults.

    Attributes
    ----------
    capacity_rounds
        How often channels are allocated again at most where the staff can do less than they were given.
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
    distance_only: DistanceOnlyParams = field(default_factory=DistanceOnlyParams)
    brief: BriefParams = field(default_factory=BriefParams)
    capacity_rounds: int = 2
    kpis: KpiParams = field(default_factory=KpiParams)


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
class Plan:
    """What a run decided, and everything it rests on.

    Attributes
    ----------
    inputs
        The usable rows the stages read.
    accounts
        One row per account: the results of all stages side by side, `accounts.parquet` of the run directory.
    results
        Stage -> its result, in the order they ran.
    trace
        Stage by stage: rows, seconds, hashes.
    profile
        What the next run compares itself with: bins of features and scores, and this run's metrics.
    """

    inputs: PlanInputs
    accounts: pl.DataFrame
    quality: Quality
    predictions: Predictions
    anomalies: Anomalies
    segments: Segments
    actions: Actions
    results: Mapping[str, StageResult]
    kpis: Kpis
    drift: Drift
    trace: tuple[StageRecord, ...]
    profile: Mapping[str, Any]
    params: PlanParams
    seed: int

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables that are not by account, such as visits; empty where a stage had nothing to do.

        Each is written as ``NAME.parquet``.
        """
        return {
            name: getattr(self.results[stage], attribute)
            if stage in self.results
            else pl.DataFrame(schema=columns)
            for name, (stage, attribute, columns) in TABLES.items()
        }

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
        """Show the key figures in a notebook."""
        rows = "".join(
            f"<tr><td>{escape(kpi.name)}</td><td>{'' if kpi.value is None else f'{kpi.value:,.4g}'}</td>"
            f"<td>{kpi.status}</td></tr>"
            for kpi in self.kpis.items
        )
        return f"<table><tr><th>figure</th><th>value</th><th>target</th></tr>{rows}</table>"


def run_plan(
    inputs: PlanInputs,
    params: PlanParams | None = None,
    *,
    seed: int = 0,
    force: bool = False,
    previous: PreviousRun | None = None,
    store: ModelStore | None = None,
    progress: Progress | None = None,
    travel: TravelTimes | None = None,
    land: Any = None,
) -> Plan:
    """Plan one night: from accounts to the next best action of each.

    Parameters
    ----------
    inputs
        From `dealwright.read_plan_inputs`, a synthetic world, or built by hand.
    seed
        The same inputs, parameters and seed give the same plan.
    force
        Go on in spite of the quality gate.
    previous
        What to take over from the last run (`Plan.as_previous`).
    store
        Where models are kept between runs; a champion kept there is only replaced by a better challenger.
    progress
        Told when a stage begins.
    travel
        A road service (`routing.travel_service.RoadService`); by default times are estimated.
    land
        Where there is land, as a Shapely polygon in degrees, longitude first: an account elsewhere is not
        visited, and the reason says so.

    Raises
    ------
    InputError
        The inputs cannot be used; the message names the column and the fix.
    GateError
        Too many rows were rejected.
    """
    params = params or PlanParams()
    last = previous or PreviousRun()
    in_the_field = inputs.schema.has_position and inputs.reps is not None and not inputs.reps.is_empty()
    names = STAGES if in_the_field else tuple(name for name in STAGES if name not in FIELD_STAGES)
    stages = Tracer(seed, _hash_inputs(inputs, seed, land), len(names), progress)
    rows = inputs.accounts.height

    # a new stage: its parameters in `PlanParams`, one line here, and its tables in `TABLES`
    quality = stages.run("quality", rows, check, inputs, params.quality, force=force, land=land)
    data = quality.inputs
    del inputs  # what was given may be large, and is not needed any more
    rows = data.accounts.height
    predictions = stages.run("predict", rows, predict, data, params.predict, store=store)
    anomalies = stages.run("anomalies", rows, detect, data, params.anomalies)
    segments = stages.run("segment", rows, segment, predictions, data, params.segment)
    actions = stages.run(
        "action", rows, choose_actions, data, predictions, segments, anomalies, params.action
    )
    territories = None
    if in_the_field:
        territories = stages.run(
            "territory", rows, territory, data, params.territory,
            predictions=predictions, previous=last.territories,
        )  # fmt: skip
    serve(stages, data, actions, territories, params, last=last, travel=travel)
    if territories is not None:
        stages.run(
            "distance_only", rows, plan_distance_only, data, actions, stages.results["channel"],
            params.distance_only, route=params.route, territories=territories, promises=data.promises,
            frequencies=data.frequencies, travel=travel,
        )  # fmt: skip
    so_far = side_by_side(data.accounts["account_id"], stages.results)
    routes, calls = stages.results.get("route"), stages.results["schedule"]
    stages.run(
        "brief", rows, brief, data, so_far, params.brief,
        visits=getattr(routes, "visits", None), calls=getattr(calls, "calls", None),
    )  # fmt: skip

    stages.finish()
    accounts = side_by_side(data.accounts["account_id"], stages.results)
    drift, seen = measure_drift(
        data, accounts, predictions.metrics, last.profile, params.quality.metric_worse_by
    )
    found = figures(quality, predictions, anomalies, actions, drift, results=stages.results)
    return Plan(
        data, accounts, quality, predictions, anomalies, segments, actions, stages.results,
        judge(found, params.kpis.targets), drift, tuple(stages.records), seen, params, seed,
    )  # fmt: skip


def _hash_inputs(inputs: PlanInputs, seed: int, land: Any) -> str:
    tables = (
        inputs.accounts, inputs.orders, inputs.touches, inputs.reps, inputs.history, inputs.staff,
        inputs.promises, inputs.frequencies, inputs.call_backs, inputs.arrivals,
    )  # fmt: skip
    parts = [hash_frame(frame) for frame in tables]
    parts += [] if land is None else [hash_text(land.wkb_hex)]
    return hash_text("|".join([*parts, repr(inputs.schema), inputs.as_of.isoformat(), str(seed)]))
