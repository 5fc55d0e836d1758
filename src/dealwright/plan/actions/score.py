"""The composite score that orders accounts: six z-scores with published weights.

Contributions add up to the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.stats.arrays import Floats

COMPONENTS: Final = ("segment", "churn", "recency", "potential", "digital_engagement", "support_friction")
WEIGHTS: Final[Mapping[str, float]] = {
    "segment": 0.10,
    "churn": 0.30,
    "recency": 0.10,
    "potential": 0.30,
    "digital_engagement": 0.10,
    "support_friction": 0.10,
}
# what each component is made of: fact and sign. Amounts and days enter as logarithms: their tails would drown
# the rest
_PARTS: Final[Mapping[str, tuple[tuple[str, float, bool], ...]]] = {
    "segment": (("value_bucket", 1.0, False), ("potential_bucket", 1.0, False)),
    "churn": (("churn_probability", 1.0, False),),
    "recency": (("days_since_contact", 1.0, True),),
    "potential": (("potential_eur", 1.0, True),),
    "digital_engagement": (("digital_engagement", 1.0, False),),
    "support_friction": (("support_tickets", 1.0, True), ("csat", -1.0, False), ("recent_issue", 1.0, False)),
}


@dataclass(frozen=True)
class ScoreParams:
    """Weights of the components, and where z-scores are cut off.

    Attributes
    ----------
    weights : one per component; need not add up to 1.
    most_z : z-scores beyond this count as this.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    most_z: float = 4.0


@dataclass(frozen=True)
class ScoreScale:
    """Mean and standard deviation of every fact the score reads and of every component.

    What is absent is not in it.
    """

    facts: Mapping[str, tuple[float, float]]
    components: Mapping[str, tuple[float, float]]


def contribution_column(component: str) -> str:
    """Name the column that holds a component's contribution."""
    return f"nba_{component}"


def fit_score(facts: pl.DataFrame, params: ScoreParams) -> ScoreScale:
    """Fit the scales, once; stored with the run they score any account the same way whoever else is there.

    Raises
    ------
    InputError
        For weights of unknown components.
    """
    for name in params.weights:
        if name not in COMPONENTS:
            raise InputError(f"nba_score weights: {UnknownNameError('component', name, COMPONENTS)}")
    scale = {}
    for parts in _PARTS.values():
        for name, _, logarithm in parts:
            values = _fact(facts, name, logarithm=logarithm)
            if values is not None:
                moments = _moments(values)
                if moments is not None:
                    scale[name] = moments
    components = {}
    for component in COMPONENTS:
        raw = _raw_component(facts, component, scale, params.most_z)
        moments = _moments(raw) if raw is not None else None
        if moments is not None:
            components[component] = moments
    return ScoreScale(scale, components)


def apply_score(facts: pl.DataFrame, scale: ScoreScale, params: ScoreParams) -> pl.DataFrame:
    """Return ``nba_score`` and one contribution per component: their sum, in this order, exactly.

    A component whose facts are missing for an account counts as the average (0).
    """
    columns: dict[str, Floats] = {}
    total = np.zeros(facts.height)
    for component in COMPONENTS:
        raw = _raw_component(facts, component, scale.facts, params.most_z)
        moments = scale.components.get(component)
        z = np.zeros(facts.height)
        if raw is not None and moments is not None:
            z = _standardise(raw, moments, params.most_z)
        contribution = params.weights.get(component, 0.0) * z
        columns[contribution_column(component)] = contribution
        total = total + contribution
    return pl.DataFrame({"nba_score": total, **columns})


def missing_components(scale: ScoreScale) -> tuple[str, ...]:
    """Components the data say nothing of."""
    return tuple(component for component in COMPONENTS if component not in scale.components)


def _fact(facts: pl.DataFrame, name: str, *, logarithm: bool) -> Floats | None:
    if name not in facts.columns:
        return None
    values = facts[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.log1p(np.maximum(values, 0.0)) if logarithm else values


def _moments(values: Floats) -> tuple[float, float] | None:
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    mean, deviation = float(known.mean()), float(known.std())
    return (mean, deviation) if deviation > 1e-12 * max(1.0, abs(mean)) else None


def _standardise(values: Floats, moments: tuple[float, float], most_z: float) -> Floats:
    z = np.clip((values - moments[0]) / moments[1], -most_z, most_z)
    return np.where(np.isfinite(z), z, 0.0)


def _raw_component(
    facts: pl.DataFrame, component: str, scale: Mapping[str, tuple[float, float]], most_z: float
) -> Floats | None:
    """Add up the z-scores of a component's facts; None where the data have none of them."""
    found = None
    for name, sign, logarithm in _PARTS[component]:
        values = _fact(facts, name, logarithm=logarithm)
        if values is None or name not in scale:
            continue
        z = sign * _standardise(values, scale[name], most_z)
        found = z if found is None else found + z
    return found
