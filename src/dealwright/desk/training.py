"""A training on the desk's own outcomes: the model, its evidence, and whether it goes to work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dealwright.desk.promotion import Promotion, judge_promotion
from dealwright.dimensions import Dimension
from dealwright.learn import LearnParams, MatchModel, TrainResult, train
from dealwright.notebook import rows_table

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Training:
    """A training and what became of its model.

    Attributes
    ----------
    result
        The model with its evidence, metrics and findings.
    model_id
        Id in the register; None when it was not registered.
    promotion
        Whether it was put to work, and why.
    agent_names
        Name of each agent, by the desk's agent_id.
    """

    result: TrainResult
    model_id: int | None
    promotion: Promotion
    agent_names: dict[int, str]

    def summary(self) -> str:
        """Say what was found, and whether the model is at work."""
        verdict = "is at work" if self.promotion.promote else "is registered, not at work"
        return f"{self.result.summary()}\nmodel {self.model_id} {verdict}: {self.promotion.reason}"

    def to_frame(self) -> pl.DataFrame:
        """Return where every agent stands."""
        return self.result.agents

    def _repr_html_(self) -> str:
        return rows_table(self.summary(), self.to_frame().to_dicts())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of ``dealwright train --json``."""
        return {
            "model_id": self.model_id,
            "promoted": self.promotion.promote,
            "reason": self.promotion.reason,
            "outcomes": self.result.model.outcomes,
            "agents_differ": self.result.model.agents_differ,
            "evidence": self.result.evidence.to_dict(),
            "metrics": dict(self.result.model.metrics),
            "feature_importance": self.result.feature_importance.to_dicts(),
            "calibration_curve": self.result.calibration_curve.to_dicts(),
        }


def train_and_judge(
    outcomes: pl.DataFrame,
    traits: pl.DataFrame,
    dimensions: Sequence[Dimension],
    champion: dict[str, Any] | None,
    params: LearnParams | None = None,
    *,
    promote: bool | None = None,
    seed: int = 0,
) -> tuple[TrainResult, Promotion]:
    """Train a model, and judge whether it takes over from the one at work, unless that is decided.

    Parameters
    ----------
    champion
        The parameters of the model at work, if there is one.
    promote
        The decision, if it was taken already.
    """
    result = train(outcomes, traits, dimensions, params, seed=seed)
    if promote is not None:
        return result, Promotion(promote=promote, reason="as asked for")
    model = MatchModel.from_dict(champion) if champion else None
    return result, judge_promotion(outcomes, traits, dimensions, model, params, seed=seed)


def examine(
    outcomes: pl.DataFrame,
    traits: pl.DataFrame,
    dimensions: Sequence[Dimension],
    agent_names: dict[int, str],
    *,
    seed: int = 0,
) -> Training:
    """Find out what outcomes can support; nothing is registered."""
    result = train(outcomes, traits, dimensions, seed=seed)
    return Training(result, None, Promotion(promote=False, reason="only examined"), agent_names)
