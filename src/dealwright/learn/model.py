"""The match model: everything the desk needs to rank agents for a lead, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dealwright.dimensions import Dimension
from dealwright.errors import InputError
from dealwright.learn.slots import slot_groups, slot_names

FULL_SHRINKAGE = 1e9
"""A prior strength, in outcomes, at which no history moves an agent's affinity."""

FIXED_RATIO = 1e18
"""A prior strength, in units of money, at which no history moves an agent's revenue ratio."""

Weights = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Trait:
    """A numeric trait of an agent; its profile element is ``(value - mean) / sd``, 0 when unknown."""

    name: str
    mean: float
    sd: float
    weight: float


@dataclass(frozen=True)
class Calibration:
    """Final logit = ``intercept + slope * (lead logit + profile . query)``.

    ``logit_variance`` is the variance of the lead part and, where agents are not told apart, of what they
    may differ by all the same; for the interval.
    """

    slope: float = 1.0
    intercept: float = 0.0
    logit_variance: float = 0.0

    @property
    def is_identity(self) -> bool:
        """Whether it leaves logits as they are."""
        return self.slope == 1.0 and self.intercept == 0.0


@dataclass(frozen=True)
class AmountModel:
    """Expected money given that the lead is won: ``exp(bias + sum of the weights of its values)``."""

    bias: float
    weights: Weights


@dataclass(frozen=True)
class RevenueModel:
    """Base and package revenue given won, and how strongly an agent's ratio to them is shrunk towards 1.

    The prior strengths are in units of expected money: an agent's ratio is ``(sum + k) / (expected + k)``.
    """

    base: AmountModel
    package: AmountModel
    base_prior_strength: float = FIXED_RATIO
    package_prior_strength: float = FIXED_RATIO


@dataclass(frozen=True)
class MatchModel:
    """The model behind the ``value`` policy; `to_dict` gives the JSON the desk stores and its SQL reads."""

    # slot 0 is the agent overall; then come all values of the first dimension, of the second, and so on
    dimensions: tuple[Dimension, ...]
    # lead-only logit: bias plus the weights of the lead's values; an unknown value contributes 0
    lead_bias: float
    lead_weights: Weights
    traits: tuple[Trait, ...]  # numeric traits of agents with their standardisation and query weight
    # per slot: how many outcomes the prior is worth; the slots of one dimension share a value
    prior_strength: tuple[float, ...]
    # per slot: share of the value among the leads whose value is known (1 overall). Outcomes of leads with an
    # unknown value are spread over the slots of that dimension, see `profile.spread_unknown`.
    value_share: tuple[float, ...]
    affinity_weight: tuple[float, ...]  # per slot: the weight of that element in a lead's query
    calibration: Calibration
    revenue: RevenueModel
    agents_differ: bool  # False: agent terms are zero, and ties go to the `fair` policy
    evidence: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained_at: str | None = None
    as_of: str | None = None
    outcomes: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        slots = len(slot_names(self.dimensions))
        for name in ("prior_strength", "value_share", "affinity_weight"):
            if len(getattr(self, name)) != slots:
                raise InputError(
                    f"the match model's {name} has {len(getattr(self, name))} elements, "
                    f"its dimensions need {slots}: "
                    "train the model again with these dimensions"
                )

    @property
    def slots(self) -> tuple[str, ...]:
        """Name of each slot, in order."""
        return slot_names(self.dimensions)

    @property
    def groups(self) -> tuple[slice, ...]:
        """The slots of the overall group and of each dimension."""
        return slot_groups(self.dimensions)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as JSON-serialisable values, with the keys the desk's SQL reads."""
        return {
            "kind": "value",
            "dimensions": {dimension.name: list(dimension.values) for dimension in self.dimensions},
            # PostgreSQL's jsonb keeps no order of keys, and the order of the slots hangs on it
            "dimension_order": [dimension.name for dimension in self.dimensions],
            "dimension_rules": {
                dimension.name: {
                    "is_open": dimension.is_open,
                    "required": dimension.required,
                    "at_arrival": dimension.at_arrival,
                    "edges": list(dimension.edges),
                }
                for dimension in self.dimensions
            },
            "lead_bias": self.lead_bias,
            "lead_weights": _plain(self.lead_weights),
            "traits": [
                {"name": trait.name, "mean": trait.mean, "sd": trait.sd, "weight": trait.weight}
                for trait in self.traits
            ],
            "prior_strength": list(self.prior_strength),
            "value_share": list(self.value_share),
            "affinity_weight": list(self.affinity_weight),
            "calibration": {
                "slope": self.calibration.slope,
                "intercept": self.calibration.intercept,
                "logit_variance": self.calibration.logit_variance,
            },
            "revenue": {
                "base": {"bias": self.revenue.base.bias, "weights": _plain(self.revenue.base.weights)},
                "package": {
                    "bias": self.revenue.package.bias,
                    "weights": _plain(self.revenue.package.weights),
                },
                "base_prior_strength": self.revenue.base_prior_strength,
                "package_prior_strength": self.revenue.package_prior_strength,
            },
            "agents_differ": self.agents_differ,
            "evidence": dict(self.evidence),
            "metrics": dict(self.metrics),
            "trained_at": self.trained_at,
            "as_of": self.as_of,
            "outcomes": self.outcomes,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MatchModel:
        """Read a model back from `to_dict`.

        Raises
        ------
        InputError
            It is not a match model, or a part of it is missing.
        """
        if data.get("kind") != "value":
            raise InputError(
                f"this is a model of kind {data.get('kind')!r}, not a match model (kind 'value')"
            )
        try:
            order = data.get("dimension_order", list(data["dimensions"]))
            rules = data.get("dimension_rules", {})  # models of before: closed, required, no number
            dimensions = tuple(
                Dimension(name, tuple(data["dimensions"][name]), **_rules(rules.get(name, {})))
                for name in order
            )
            revenue = data["revenue"]
            return cls(
                dimensions=dimensions,
                lead_bias=float(data["lead_bias"]),
                lead_weights=_plain(data["lead_weights"]),
                traits=tuple(Trait(**trait) for trait in data["traits"]),
                prior_strength=_floats(data["prior_strength"]),
                value_share=_floats(data["value_share"]),
                affinity_weight=_floats(data["affinity_weight"]),
                calibration=Calibration(**data["calibration"]),
                revenue=RevenueModel(
                    base=AmountModel(float(revenue["base"]["bias"]), _plain(revenue["base"]["weights"])),
                    package=AmountModel(
                        float(revenue["package"]["bias"]), _plain(revenue["package"]["weights"])
                    ),
                    base_prior_strength=float(revenue["base_prior_strength"]),
                    package_prior_strength=float(revenue["package_prior_strength"]),
                ),
                agents_differ=bool(data["agents_differ"]),
                evidence=dict(data.get("evidence", {})),
                metrics=dict(data.get("metrics", {})),
                trained_at=data.get("trained_at"),
                as_of=data.get("as_of"),
                outcomes=int(data.get("outcomes", 0)),
                seed=int(data.get("seed", 0)),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"the match model lacks or garbles {error}: train it again with `dealwright train`"
            ) from None


def _rules(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "edges": tuple(data.get("edges", ()))}


def _plain(weights: Weights) -> dict[str, dict[str, float]]:
    return {name: {value: float(w) for value, w in by_value.items()} for name, by_value in weights.items()}


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
