"""The model card's numbers: measures with intervals, champion beside baselines, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dealwright.plan.prediction.learning import Learned
from dealwright.plan.prediction.metrics import Estimate

_DRIFT = 0.03  # lost between shuffled folds and forward in time: worth a warning


def measures_table(measures: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    """Return model -> measure -> value and interval."""
    return {
        model: {
            name: {"value": estimate.value, "low": estimate.low, "high": estimate.high}
            for name, estimate in row.items()
        }
        for model, row in measures.items()
    }


def metrics_of(learned: Learned) -> dict[str, float]:
    """Return the champion's measures by name; baselines' with their name, forward ones with ``_forward``."""
    champion = learned.card["champion"]
    flat: dict[str, float] = {}
    for model, row in learned.measures.items():
        suffix = "" if model == champion else f"_{model}"
        flat |= {f"{name}{suffix}": estimate.value for name, estimate in row.items()}
    for name, estimate in learned.forward_measures.get(champion, {}).items():
        flat[f"{name}_forward"] = estimate.value
    return flat


def skill_of(learned: Learned) -> float:
    """Return the share of the base rate's loss the champion saved on unseen rows when it was chosen."""
    if learned.choice is None:
        return 0.0
    base = learned.choice.table["base_rate"]["loss"]
    return 1.0 - learned.choice.table[learned.choice.champion]["loss"] / base if base > 0 else 0.0


def finite(value: Any) -> Any:
    """Return `value` with NaN and infinities, which JSON does not know, as ``None``."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def drift_notes(target: str, learned: Learned) -> list[str]:
    """Warn where the champion is clearly worse forward in time than in shuffled folds."""
    key = "auc" if target == "churn" else "gini"
    champion = learned.card["champion"]
    inside = learned.measures.get(champion, {}).get(key)
    ahead = learned.forward_measures.get(champion, {}).get(key)
    if inside is None or ahead is None or inside.value - ahead.value < _DRIFT:
        return []
    warning = (
        f"{target}: forward in time the {key} is {ahead.value:.3f}, in shuffled folds {inside.value:.3f}: "
        "expect the former"
    )
    return [warning]
