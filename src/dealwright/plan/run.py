"""The nightly plan, from accounts to everybody's day; reads top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

import polars as pl

from dealwright.inputs import PlanInputs
from dealwright.plan.action import ActionParams, Actions, choose_actions
from dealwright.plan.anomalies import Anomalies, AnomalyParams, detect
from dealwright.plan.channel import ChannelParams, allocate_channels, reach_of_routes
from dealwright.plan.drift import Drift, compare, profile
from dealwright.plan.frames import ModelStore, StageResult
from dealwright.plan.kpis import KpiParams, Kpis, judge
from dealwright.plan.predict import Predictions, PredictParams, predict
from dealwright.plan.quality import Quality, QualityParams, check
from dealwright.plan.route import RouteParams, route
from dealwright.plan.segment import SegmentParams, Segments, segment
from dealwright.plan.territory import Territories, TerritoryParams, territory
from dealwright.plan.toml import to_mapping
from dealwright.plan.trace import FIELD_STAGES, STAGES, Progress, StageRecord, Tracer, hash_frame, hash_text

# the columns of `Plan.accounts` that outside clients rely on come first
_LEADING: Final = (
    "account_id", "churn_probability", "predicted_value_eur", "anomaly_score", "is_anomaly", "segment",
    "nba_score", "action", "expected_value_eur", "channel", "channel_confidence", "territory", "rep_id",
)  # fmt: skip
# table of the run directory -> the stage whose result holds it, and where
TABLES: Final = {
    "territories": ("territory", "territories"),
    "territory_curve": ("territory", "curve"),
    "channels": ("channel", "table"),
    "waitlist": ("channel", "waitlist"),
    "visits": ("route", "visits"),
    "rep_days": ("route", "days"),
    "left_out": ("route", "left_out"),
}
# key figure -> the stage in whose summary it stands, and under which name
_LATER_FIGURES: Final = {
    "territory_max_deviation_pct": ("territory", "max_deviation_pct"),
    "territory_mean_distance_km": ("territory", "mean_distance_km"),
    "contacts_scheduled": ("channel", "reached"),
    "backlog": ("channel", "waiting"),
    "channel_gap_share": ("channel", "gap_share"),
    "visits": ("route", "visits"),
    "visit_value_eur": ("route", "visit_value_eur"),
    "distance_km": ("route", "distance_km"),
    "travel_min": ("route", "travel_min"),
}
# of all measures in the model card, those that judge what is used; the baselines' stay in the card
_MEASURES: Final = (
    "churn_auc", "churn_pr_auc", "churn_log_loss", "churn_brier", "churn_ece", "churn_lift", "value_rmse",
    "value_mae", "value_spearman", "value_gini", "value_total_bias",
)  # fmt: skip
_SCORES: Final = ("churn_probability", "predicted_value_eur", "anomaly_score", "nba_score")


@dataclass(frozen=True)
class PlanParams:
    """Parameters of every stage, each with defaults.

    Attributes
    ----------
    field_rounds
        How often channels and routes are planned at most: where routing shows that representatives reach
        fewer accounts than the channel *field* was given, both are planned again with what they reach.
    """

    quality: QualityParams = field(default_factory=QualityParams)
    predict: PredictParams = field(default_factory=PredictParams)
    anomalies: AnomalyParams = field(default_factory=AnomalyParams)
    segment: SegmentParams = field(default_factory=SegmentParams)
    action: ActionParams = field(default_factory=ActionParams)
    territory: TerritoryParams = field(default_factory=TerritoryParams)
    channel: ChannelParams = field(default_factory=ChannelParams)
    route: RouteParams = field(default_factory=RouteParams)
    field_rounds: int = 2
    kpis: KpiParams = field(default_factory=KpiParams)

    def to_mapping(self) -> dict[str, Any]:
        """Return them as plain nested values, ready for TOML."""
        return to_mapping(self)


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
    """

    profile: Mapping[str, Any] | None = None
    territories: pl.DataFrame | None = None
    waitlist: pl.DataFrame | None = None


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
        """The tables that are not by account, such as visits: each is written as ``NAME.parquet``."""
        return {
            name: getattr(self.results[stage], attribute)
            for name, (stage, attribute) in TABLES.items()
            if stage in self.results
        }

    def as_previous(self) -> PreviousRun:
        """Return what the next run takes over."""
        known = "territory" in self.accounts.columns
        territories = self.accounts.select("account_id", "territory").drop_nulls() if known else None
        return PreviousRun(self.profile, territories, self.tables.get("waitlist"))

    def summary(self) -> dict[str, Any]:
        """Return the key figures and the stages' seconds."""
        seconds: dict[str, float] = {}
        for record in self.trace:
            name = f"{record.stage}_s"
            seconds[name] = round(seconds.get(name, 0.0) + record.seconds, 4)
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

    Raises
    ------
    InputError
        The inputs cannot be used; the message names the column and the fix.
    GateError
        Too many rows were set aside.
    """
    params = params or PlanParams()
    last = previous or PreviousRun()
    in_the_field = inputs.schema.has_position and inputs.reps is not None and not inputs.reps.is_empty()
    names = STAGES if in_the_field else tuple(name for name in STAGES if name not in FIELD_STAGES)
    stages = Tracer(seed, _hash_inputs(inputs, seed), len(names), progress)
    rows = inputs.accounts.height

    # a new stage: its parameters in `PlanParams`, one line here, and its tables in `TABLES`
    quality = stages.run("quality", rows, check, inputs, params.quality, force=force)
    data = quality.inputs
    rows = data.accounts.height
    predictions = stages.run("predict", rows, predict, data, params.predict, store=store)
    anomalies = stages.run("anomalies", rows, detect, data, params.anomalies)
    segments = stages.run("segment", rows, segment, predictions, data, params.segment)
    actions = stages.run(
        "action", rows, choose_actions, data, predictions, segments, anomalies, params.action
    )
    if in_the_field:
        territories = stages.run(
            "territory", rows, territory, data, params.territory,
            predictions=predictions, previous=last.territories,
        )  # fmt: skip
        _serve_in_the_field(stages, data, actions, territories, params, waitlist=last.waitlist)
    else:
        stages.run("channel", rows, allocate_channels, data, actions, params.channel, waiting=last.waitlist)

    stages.finish()
    accounts = _side_by_side(data.accounts["account_id"], stages.results)
    drift, seen = _measure_drift(
        data, accounts, predictions.metrics, last.profile, params.quality.metric_worse_by
    )
    figures = _figures(quality, predictions, anomalies, actions, drift)
    for name, (stage, key) in _LATER_FIGURES.items():
        if stage in stages.results:
            figures[name] = stages.results[stage].summary().get(key)
    return Plan(
        data, accounts, quality, predictions, anomalies, segments, actions, stages.results,
        judge(figures, params.kpis.targets), drift, tuple(stages.records), seen, params, seed,
    )  # fmt: skip


def _serve_in_the_field(
    stages: Tracer,
    data: PlanInputs,
    actions: Actions,
    territories: Territories,
    params: PlanParams,
    *,
    waitlist: pl.DataFrame | None,
) -> None:
    """Allocate channels and plan routes, again with fewer visits where the routes cannot reach so many."""
    rows = data.accounts.height
    reach: dict[str, float] = {}
    for _ in range(max(params.field_rounds, 1)):
        channels = stages.run(
            "channel", rows, allocate_channels, data, actions, params.channel,
            capacities=reach, waiting=waitlist,
        )  # fmt: skip
        routes = stages.run(
            "route", rows, route, data, actions, params.route, territories=territories, channels=channels
        )
        given = channels.table.filter(pl.col("channel") == "field")["capacity"].item()
        if given is None or routes.days.is_empty():
            return
        found = reach_of_routes(routes.days, given)
        if found >= given:
            return
        reach = {"field": found}


def _hash_inputs(inputs: PlanInputs, seed: int) -> str:
    tables = (inputs.accounts, inputs.orders, inputs.touches, inputs.reps, inputs.history)
    parts = [hash_frame(frame) for frame in tables]
    return hash_text("|".join([*parts, repr(inputs.schema), inputs.as_of.isoformat(), str(seed)]))


def _side_by_side(account_id: pl.Series, results: Mapping[str, StageResult]) -> pl.DataFrame:
    """Put the results of the stages beside each other; where two name a column, the later stage's counts."""
    columns = {"account_id": account_id}
    for name, result in results.items():
        frame = result.frame
        if not frame["account_id"].equals(account_id):
            raise AssertionError(f"the stage {name} returned other accounts, or in another order")
        columns |= {column.name: column for column in frame}
    leading = [name for name in _LEADING if name in columns]
    return pl.DataFrame([columns[name] for name in (*leading, *(n for n in columns if n not in leading))])


def _measure_drift(
    data: PlanInputs,
    accounts: pl.DataFrame,
    metrics: Mapping[str, float | None],
    previous: Mapping[str, Any] | None,
    worse_by: float,
) -> tuple[Drift, dict[str, Any]]:
    """Compare this run's features and scores with the last run's, and describe them for the next."""
    numeric = data.schema.numeric
    features = data.accounts.select("account_id", *numeric, *data.schema.categorical)
    table = features.hstack(accounts.select(_SCORES))
    drift = compare(previous or {}, table, metrics, worse_by)
    watched = {name: metrics.get(name) for name in ("churn_auc", "value_spearman")}
    columns = profile(table, [*numeric, *_SCORES], list(data.schema.categorical))
    return drift, {"columns": columns, "metrics": watched}


def _figures(
    quality: Quality, predictions: Predictions, anomalies: Anomalies, actions: Actions, drift: Drift
) -> dict[str, Any]:
    """Collect the key figures of a run; nothing that depends on the clock."""
    chosen = actions.frame
    accounts = chosen.height
    return {
        "accounts": accounts,
        "rejected_share": quality.rejected_share["accounts"],
        **{f"{name}_age_days": days for name, days in quality.freshness.items()},
        **{name: predictions.metrics.get(name) for name in _MEASURES},
        "mean_churn_probability": predictions.frame["churn_probability"].mean(),
        "predicted_value_eur": predictions.frame["predicted_value_eur"].sum(),
        "anomaly_share": anomalies.frame["is_anomaly"].mean(),
        "accounts_with_action": int((chosen["action"] != "nothing").sum()),
        "expected_value_eur": chosen["expected_value_eur"].sum(),
        "explore_share": chosen["explore"].mean(),
        "control_share": chosen["control"].mean(),
        "columns_drifted": int((drift.frame["level"] == "large").sum()),
    }
