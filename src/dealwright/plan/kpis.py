"""Key figures of a run: what each is called, where it comes from, how it is written, and its target.

A figure that misses its target is shown as missed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import polars as pl

from dealwright.notebook import rows_table
from dealwright.plan.drift import Drift
from dealwright.plan.stages import StageResults
from dealwright.schemas import NOTHING

Unit: TypeAlias = Literal["share", "percent", "eur", "count", "hours", "days", "km", "score", "number"]
Direction: TypeAlias = Literal["higher", "lower", "zero", ""]
Source: TypeAlias = "tuple[str, str] | Callable[[Findings], Any]"

# digits behind the point; a figure without a unit is written with as many as it needs
_PLACES: Final[Mapping[Unit, int]] = {
    "share": 3, "percent": 1, "eur": 0, "count": 0, "hours": 1, "days": 1, "km": 0, "score": 3,
}  # fmt: skip
_DAY: Final = "the day"
_GAIN: Final = "what it brings"
_TRUST: Final = "can it be trusted"
# which accounts are contacted today, and which are to be and wait
SCHEDULED: Final = pl.col("channel").is_not_null()
WAITING: Final = (pl.col("action") != NOTHING) & pl.col("channel").is_null()
GROUPS: Final = (_GAIN, _DAY, _TRUST)


@dataclass(frozen=True)
class Findings:
    """What figures are taken from."""

    results: StageResults
    accounts: pl.DataFrame  # `Plan.accounts`: headline and tables add up because both come from it
    drift: Drift


@dataclass(frozen=True)
class Target:
    """What a key figure should be: at least, at most, or both."""

    kpi: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class KpiDefinition:
    """One key figure, whatever its value."""

    name: str  # in `kpis.json` and in targets
    label: str  # its name for people
    unit: Unit  # how its number is written
    direction: Direction  # which way is better: `higher`, `lower`, `zero` (near it), or neither
    # the attribute of `StageResults` in whose summary it stands, and under which key; or how it is found. A
    # figure of a stage that did not run is left out.
    source: Source
    # the default target
    at_least: float | None = None
    at_most: float | None = None
    group: str = ""  # under which heading it stands; empty for figures that are only in the full list
    digits: int | None = None  # of a share in per cent, after the point; by default one


def _total(frame: pl.DataFrame, column: str) -> float | None:
    """Add up a column; what nobody knows of any account has no total."""
    known = frame[column].drop_nulls()
    return float(known.sum()) if known.len() or frame.is_empty() else None


def _age(table: str) -> Source:
    return lambda night: night.results.quality.freshness.get(table)


def _measure(name: str) -> Source:
    return lambda night: night.results.predictions.metrics.get(name)


KPIS: Final = (
    KpiDefinition("accounts", "accounts", "count", "", lambda night: night.results.actions.frame.height),
    KpiDefinition(
        "rejected_share", "accounts rejected", "share", "lower",
        lambda night: night.results.quality.rejected_share.get("accounts", 0.0), at_most=0.02, group=_TRUST,
    ),
    KpiDefinition(
        "orders_age_days", "age of the newest order", "days", "lower", _age("orders"), at_most=7.0,
        group=_TRUST,
    ),
    KpiDefinition("touches_age_days", "age of the newest contact", "days", "lower", _age("touches")),
    KpiDefinition(
        "churn_auc", "churn ranking (AUC)", "score", "higher", _measure("churn_auc"), at_least=0.70,
        group=_TRUST,
    ),
    KpiDefinition(
        "churn_pr_auc", "churn pr auc", "number", "higher", _measure("churn_pr_auc")
    ),
    KpiDefinition("churn_log_loss", "churn log loss", "number", "lower", _measure("churn_log_loss")),
    KpiDefinition("churn_brier", "churn brier", "number", "lower", _measure("churn_brier")),
    KpiDefinition(
        "churn_ece", "churn calibration error", "score", "lower", _measure("churn_ece"), at_most=0.05,
        group=_TRUST,
    ),
    KpiDefinition("churn_lift", "churn lift", "number", "higher", _measure("churn_lift")),
    KpiDefinition("value_rmse", "value error (RMSE)", "eur", "lower", _measure("value_rmse")),
    KpiDefinition("value_mae", "value error (mean absolute)", "eur", "lower", _measure("value_mae")),
    KpiDefinition(
        "value_spearman", "value ranking (Spearman)", "score", "higher", _measure("value_spearman"),
        at_least=0.30, group=_TRUST,
    ),
    KpiDefinition(
        "value_gini", "value ranking (Gini)", "score", "higher", _measure("value_gini"), at_least=0.50,
        group=_TRUST,
    ),
    KpiDefinition(
        "value_total_bias", "bias of the total value", "share", "zero", _measure("value_total_bias"),
        at_least=-0.10, at_most=0.10, group=_TRUST,
    ),
    KpiDefinition(
        "mean_churn_probability", "mean churn probability", "share", "lower",
        lambda night: night.accounts["churn_probability"].mean(), group=_GAIN,
    ),
    KpiDefinition(
        "predicted_value_eur", "expected spend in the horizon", "eur", "higher",
        lambda night: _total(night.accounts, "predicted_value_eur"),
        group=_GAIN,
    ),
    KpiDefinition(
        "anomaly_share", "accounts flagged as odd", "share", "lower",
        lambda night: night.results.anomalies.frame["is_anomaly"].mean(), at_most=0.05, group=_TRUST,
    ),
    KpiDefinition(
        "accounts_with_action", "accounts with an action", "count", "",
        lambda night: int((night.accounts["action"] != NOTHING).sum()), group=_GAIN,
    ),
    KpiDefinition(
        "expected_value_eur", "expected gain of the actions", "eur", "higher",
        lambda night: _total(night.accounts, "expected_value_eur"), at_least=0.0, group=_GAIN,
    ),
    KpiDefinition(
        "exploration_cost_eur", "what exploration gives up", "eur", "lower",
        lambda night: (_total(night.accounts, "exploration_cost_eur") or 0.0)
        + night.results.channels.exploration_cost_eur,
        group=_GAIN,
    ),
    KpiDefinition(
        "explore_share", "accounts drawn for exploration", "share", "",
        lambda night: night.results.actions.frame["explore"].mean(),
    ),
    KpiDefinition(
        "control_share", "accounts in the control group", "share", "",
        lambda night: night.results.actions.frame["control"].mean(),
    ),
    KpiDefinition(
        "columns_drifted", "columns that drifted", "count", "lower",
        lambda night: int((night.drift.frame["level"] == "large").sum()), group=_TRUST,
    ),
    KpiDefinition(
        "territory_max_deviation_pct", "largest deviation of a territory's workload", "percent", "lower",
        ("territories", "max_deviation_pct"), group=_DAY,
    ),
    KpiDefinition(
        "territory_mean_distance_km", "mean distance to a territory's centre", "km", "lower",
        ("territories", "mean_distance_km"),
    ),
    KpiDefinition(
        "contacts_scheduled", "contacts scheduled", "count", "higher",
        lambda night: night.accounts.filter(SCHEDULED).height, group=_DAY,
    ),
    KpiDefinition(
        "contacts_value_eur", "of it, of the contacts scheduled", "eur", "higher",
        lambda night: _total(night.accounts.filter(SCHEDULED), "expected_value_eur"), group=_GAIN,
    ),
    KpiDefinition(
        "waiting_value_eur", "of it, of accounts that wait", "eur", "lower",
        lambda night: _total(night.accounts.filter(WAITING), "expected_value_eur"), group=_GAIN,
    ),
    KpiDefinition(
        "contacts_cost_eur", "cost of the contacts scheduled", "eur", "lower",
        lambda night: _total(night.accounts.filter(SCHEDULED), "cost_eur"), group=_GAIN,
    ),
    KpiDefinition(
        "backlog", "accounts waiting for a channel", "count", "lower", ("channels", "waiting"), group=_DAY
    ),
    KpiDefinition("channel_gap_share", "channel gap share", "number", "lower", ("channels", "gap_share")),
    KpiDefinition(
        "accounts_moved", "accounts that get another representative", "count", "lower",
        ("territories", "moved"), group=_DAY,
    ),
    KpiDefinition("visits", "visits planned", "count", "higher", ("routes", "visits"), group=_DAY),
    KpiDefinition(
        "must_visits_missed", "promised visits that cannot be made", "count", "lower",
        ("routes", "must_visits_missed"), group=_DAY,
    ),
    KpiDefinition(
        "visit_value_eur", "expected gain of the visits", "eur", "higher", ("routes", "visit_value_eur"),
        group=_GAIN,
    ),
    KpiDefinition(
        "distance_km", "kilometres driven", "km", "lower", ("routes", "distance_km"), group=_DAY
    ),
    KpiDefinition("travel_min", "minutes of travel", "count", "lower", ("routes", "travel_min")),
    KpiDefinition("calls", "calls on the list", "count", "higher", ("schedule", "calls"), group=_DAY),
    KpiDefinition(
        "calls_unplaced", "calls that found no place", "count", "lower", ("schedule", "calls_unplaced"),
        group=_DAY,
    ),
    KpiDefinition("people", "people in the contact centre", "count", "", ("schedule", "people"), group=_DAY),
    KpiDefinition(
        "shortage_h", "hours of missing staff", "hours", "lower", ("schedule", "shortage_h"), group=_DAY
    ),
    KpiDefinition(
        "sla_probability", "chance of keeping all service levels", "share", "higher",
        ("schedule", "sla_probability"), group=_DAY, digits=0,
    ),
    KpiDefinition(
        "inbound_cc_sla_probability", "of it, that of incoming calls", "share", "higher",
        ("schedule", "inbound_cc_sla_probability"), group=_DAY, digits=0,
    ),
    KpiDefinition(
        "paid_h", "hours paid in the contact centre", "hours", "", ("schedule", "paid_h"), group=_DAY
    ),
    KpiDefinition("work_h", "of it, spent on contacts", "hours", "", ("schedule", "work_h"), group=_DAY),
    KpiDefinition(
        "occupancy", "occupancy of the contact centre", "share", "", ("schedule", "occupancy"), group=_DAY
    ),
    KpiDefinition(
        "staff_cost_eur", "cost of the contact centre's hours", "eur", "lower",
        ("schedule", "staff_cost_eur"), group=_DAY,
    ),
    KpiDefinition("workplaces", "most people at work at once", "count", "", ("schedule", "workplaces")),
)  # fmt: skip
"""Every figure, in the order of ``kpis.json``."""

# the order in which a manager reads them, under the headings of `GROUPS`
_SHOWN: Final = (
    "accounts_with_action", "expected_value_eur", "contacts_value_eur", "waiting_value_eur",
    "visit_value_eur", "contacts_cost_eur", "exploration_cost_eur", "predicted_value_eur",
    "mean_churn_probability", "contacts_scheduled", "backlog", "visits",
    "must_visits_missed", "distance_km", "accounts_moved", "territory_max_deviation_pct", "calls",
    "calls_unplaced",
    "people", "paid_h", "work_h", "occupancy", "staff_cost_eur", "shortage_h", "sla_probability",
)  # fmt: skip
_BY_NAME: Final = {definition.name: definition for definition in KPIS}
DEFAULT_TARGETS: Final = tuple(
    Target(item.name, item.at_least, item.at_most)
    for item in KPIS
    if item.at_least is not None or item.at_most is not None
)


@dataclass(frozen=True)
class KpiParams:
    """The targets; a figure without one is shown without judgement.

    Attributes
    ----------
    targets
        The figure, and what it is to be at least or at most; a list given in a file takes the place of this
        whole one.
    """

    targets: tuple[Target, ...] = DEFAULT_TARGETS


@dataclass(frozen=True)
class Kpi:
    """One key figure; `value` is ``None`` where the data could not give it."""

    name: str
    value: float | None
    at_least: float | None
    at_most: float | None
    status: Literal["met", "missed", "shown", "unknown"]

    @property
    def definition(self) -> KpiDefinition:
        """What the figure is."""
        return definition_of(self.name)


@dataclass(frozen=True)
class Kpis:
    """The key figures of a run."""

    items: tuple[Kpi, ...]

    def summary(self) -> dict[str, Any]:
        """Return name -> value."""
        return {item.name: item.value for item in self.items}

    @property
    def missed(self) -> tuple[Kpi, ...]:
        """Those that missed their target."""
        return tuple(item for item in self.items if item.status == "missed")

    def in_group(self, group: str) -> tuple[Kpi, ...]:
        """Return the figures under a heading of `GROUPS`, in the order they are read."""
        found = [item for item in self.items if item.definition.group == group]
        rank = {name: place for place, name in enumerate(_SHOWN)}
        return tuple(sorted(found, key=lambda item: rank.get(item.name, len(rank))))

    def _repr_html_(self) -> str:
        rows = [
            {
                "figure": item.definition.label,
                "value": item.value,
                "at least": item.at_least,
                "at most": item.at_most,
                "status": item.status,
            }
            for item in self.items
            if item.value is not None
        ]
        missed = ", ".join(item.definition.label for item in self.missed)
        return rows_table(f"missed: {missed}" if missed else "no target is missed", rows, limit=len(rows))

    def to_json(self) -> str:
        """Write them as JSON."""
        return json.dumps({"kpis": [vars(item) for item in self.items]}, indent=2) + "\n"


def definition_of(name: str) -> KpiDefinition:
    """Return what a figure is; one that is not known here is called by its own name."""
    unknown = KpiDefinition(name, name.replace("_", " "), "number", "", lambda *_: None)
    return _BY_NAME.get(name, unknown)


def as_shown(name: str, value: float | None) -> float | None:
    """Return a figure rounded as it is written."""
    known = definition_of(name)
    places = _PLACES.get(known.unit)
    if value is None or places is None:
        return value
    if known.unit == "share":
        places = 2 + (1 if known.digits is None else known.digits)
    return round(value, places)


def measure(night: Findings) -> dict[str, Any]:
    """Collect the key figures of a run; nothing that depends on the clock."""
    found: dict[str, Any] = {}
    results = night.results
    for item in KPIS:
        if (
            item.name.endswith("_age_days")
            and item.name[: -len("_age_days")] not in results.quality.freshness
        ):
            continue  # there is no such table
        if callable(item.source):
            found[item.name] = item.source(night)
            continue
        stage, key = item.source
        result = getattr(results, stage)
        if result is not None:
            found[item.name] = result.summary().get(key)
    return found


def judge(values: Mapping[str, Any], targets: Iterable[Target]) -> Kpis:
    """Compare figures with their targets; a target without a figure is listed as unknown."""
    wanted = {target.kpi: target for target in targets}
    names = [*values, *(name for name in wanted if name not in values)]
    return Kpis(tuple(_judge(name, values.get(name), wanted.get(name)) for name in names))


def _judge(name: str, value: Any, target: Target | None) -> Kpi:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    number = round(float(value), 6) if usable else None
    low, high = (target.at_least, target.at_most) if target else (None, None)
    if number is None:
        status: Literal["met", "missed", "shown", "unknown"] = "unknown"
    elif target is None:
        status = "shown"
    else:
        # compared as shown: 5.0 % never misses a target of 5.0 %
        shown, least, most = (as_shown(name, item) for item in (number, low, high))
        below = shown is not None and least is not None and shown < least
        above = shown is not None and most is not None and shown > most
        status = "missed" if below or above else "met"
    return Kpi(name, number, low, high, status)
