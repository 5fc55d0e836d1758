"""Key figures of a run against their targets; one that misses its target is shown as missed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal


@dataclass(frozen=True)
class Target:
    """What a key figure should be: at least, at most, or both."""

    kpi: str
    at_least: float | None = None
    at_most: float | None = None


DEFAULT_TARGETS: Final = (
    Target("rejected_share", at_most=0.02),
    Target("orders_age_days", at_most=7.0),
    Target("churn_auc", at_least=0.70),
    Target("churn_ece", at_most=0.05),
    Target("value_spearman", at_least=0.30),
    Target("value_gini", at_least=0.50),
    Target("value_total_bias", at_least=-0.10, at_most=0.10),
    Target("anomaly_share", at_most=0.05),
    Target("expected_value_eur", at_least=0.0),
)


@dataclass(frozen=True)
class KpiParams:
    """The targets; a figure without one is shown without judgement."""

    targets: tuple[Target, ...] = DEFAULT_TARGETS


@dataclass(frozen=True)
class Kpi:
    """One key figure; `value` is ``None`` where the data could not give it."""

    name: str
    value: float | None
    at_least: float | None
    at_most: float | None
    status: Literal["met", "missed", "shown", "unknown"]


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

    def to_json(self) -> str:
        """Write them as JSON."""
        return json.dumps({"kpis": [vars(item) for item in self.items]}, indent=2) + "\n"


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
        status = "met" if (low is None or number >= low) and (high is None or number <= high) else "missed"
    return Kpi(name, number, low, high, status)
