"""Key figures in words: what each is called, how its number is written, and which ones a manager is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_FORMS: Final[Mapping[str, Callable[[float], str]]] = {
    "share": lambda value: f"{value:.1%}",
    "percent": lambda value: f"{value:,.1f}%",
    "eur": lambda value: f"{'-' if round(value) < 0 else ''}€{abs(value):,.0f}",
    "count": lambda value: f"{value:,.0f}",
    "hours": lambda value: f"{value:,.1f} h",
    "days": lambda value: f"{value:,.1f} days",
    "km": lambda value: f"{value:,.0f} km",
    "score": lambda value: f"{value:.3f}",
    "number": lambda value: f"{value:,.4g}",
}


@dataclass(frozen=True)
class KpiLabel:
    """How a key figure is told.

    Attributes
    ----------
    words
        Its name for people.
    form
        One of ``share``, ``percent``, ``eur``, ``count``, ``hours``, ``days``, ``km``, ``score``, ``number``.
    group
        Under which heading it stands; empty for figures that are only in the full list.
    """

    words: str
    form: str
    group: str = ""

    def write(self, value: float | None) -> str:
        """Write a value; a dash where there is none."""
        return "–" if value is None else _FORMS[self.form](value)


_DAY: Final = "the day"
_GAIN: Final = "what it brings"
_TRUST: Final = "can it be trusted"

LABELS: Final[Mapping[str, KpiLabel]] = {
    "accounts_with_action": KpiLabel("accounts with an action", "count", _GAIN),
    "expected_value_eur": KpiLabel("expected gain of the actions", "eur", _GAIN),
    "contacts_value_eur": KpiLabel("expected gain of the contacts scheduled", "eur", _GAIN),
    "visit_value_eur": KpiLabel("expected gain of the visits", "eur", _GAIN),
    "predicted_value_eur": KpiLabel("expected spend in the horizon", "eur", _GAIN),
    "mean_churn_probability": KpiLabel("mean churn probability", "share", _GAIN),
    "contacts_scheduled": KpiLabel("contacts scheduled", "count", _DAY),
    "backlog": KpiLabel("accounts waiting for a channel", "count", _DAY),
    "visits": KpiLabel("visits planned", "count", _DAY),
    "must_visits_missed": KpiLabel("promised visits that cannot be made", "count", _DAY),
    "distance_km": KpiLabel("kilometres driven", "km", _DAY),
    "territory_max_deviation_pct": KpiLabel("largest deviation of a territory's workload", "percent", _DAY),
    "calls": KpiLabel("calls on the list", "count", _DAY),
    "calls_unplaced": KpiLabel("calls that found no place", "count", _DAY),
    "people": KpiLabel("people in the contact centre", "count", _DAY),
    "shortage_h": KpiLabel("hours of missing staff", "hours", _DAY),
    "inbound_cc_sla_probability": KpiLabel("chance of keeping the service level", "share", _DAY),
    "rejected_share": KpiLabel("accounts rejected", "share", _TRUST),
    "orders_age_days": KpiLabel("age of the newest order", "days", _TRUST),
    "churn_auc": KpiLabel("churn ranking (AUC)", "score", _TRUST),
    "churn_ece": KpiLabel("churn calibration error", "score", _TRUST),
    "value_spearman": KpiLabel("value ranking (Spearman)", "score", _TRUST),
    "value_gini": KpiLabel("value ranking (Gini)", "score", _TRUST),
    "value_total_bias": KpiLabel("bias of the total value", "share", _TRUST),
    "anomaly_share": KpiLabel("accounts flagged as odd", "share", _TRUST),
    "columns_drifted": KpiLabel("columns that drifted", "count", _TRUST),
    "accounts": KpiLabel("accounts", "count"),
    "value_rmse": KpiLabel("value error (RMSE)", "eur"),
    "value_mae": KpiLabel("value error (mean absolute)", "eur"),
    "touches_age_days": KpiLabel("age of the newest contact", "days"),
    "explore_share": KpiLabel("accounts drawn for exploration", "share"),
    "control_share": KpiLabel("accounts in the control group", "share"),
    "territory_mean_distance_km": KpiLabel("mean distance to a territory's centre", "km"),
    "travel_min": KpiLabel("minutes on the way", "count"),
}
GROUPS: Final = (_GAIN, _DAY, _TRUST)


def label_of(name: str) -> KpiLabel:
    """Return how a figure is told; one that is not known here under its own name."""
    return LABELS.get(name, KpiLabel(name.replace("_", " "), "number"))


def write_target(name: str, at_least: float | None, at_most: float | None) -> str:
    """Write the target of a figure; nothing where it has none."""
    label = label_of(name)
    if at_least is not None and at_most is not None:
        return f"{label.write(at_least)} to {label.write(at_most)}"
    if at_least is not None:
        return f"at least {label.write(at_least)}"
    return f"at most {label.write(at_most)}" if at_most is not None else ""
