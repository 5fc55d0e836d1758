"""Train the match model on the desk's own outcomes, register it, and put it to work if it is better."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dealwright.desk.outcomes import outcomes_known_at
from dealwright.desk.promotion import Promotion, judge_promotion
from dealwright.learn import LearnParams, MatchModel, TrainResult, train
from dealwright.learn.classic import ClassicResult, fit_classic_weights

if TYPE_CHECKING:
    import polars as pl

    from dealwright.desk.desk import Desk


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
        return self.to_frame()._repr_html_()

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


def train_desk(
    desk: Desk,
    *,
    as_of: datetime | None = None,
    promote: bool | None = None,
    params: LearnParams | None = None,
    seed: int = 0,
) -> Training:
    """Train on the desk's outcomes and register the model.

    Parameters
    ----------
    as_of
        Only what was known at this moment counts.
    promote
        Put it to work, or not; None lets the outcomes decide.
    """
    desk.catch_up(as_of)
    outcomes, traits, dimensions = desk.outcomes(), desk.agent_traits(), desk.dimensions()
    if as_of is not None:
        outcomes = outcomes_known_at(outcomes, as_of)
    result = train(outcomes, traits, dimensions, params, seed=seed)
    if promote is None:
        found = desk.promoted_model("value")
        champion = MatchModel.from_dict(found[1]) if found else None
        promotion = judge_promotion(outcomes, traits, dimensions, champion, params, seed=seed)
    else:
        promotion = Promotion(promote=promote, reason="as asked for")
    model_id = desk.load_model("value", result.model.to_dict(), promote=promotion.promote)
    return Training(result, model_id, promotion, desk.agent_names())


def train_classic(
    desk: Desk, *, as_of: datetime | None = None, promote: bool = True
) -> tuple[int, ClassicResult]:
    """Learn the classic Match Score's weights and register them; returns the model's id and the weights."""
    desk.catch_up(as_of)
    outcomes, agents = desk.outcomes(with_requirements=True), desk.agent_workloads()
    if as_of is not None:
        outcomes = outcomes_known_at(outcomes, as_of)
    result = fit_classic_weights(outcomes, agents)
    return desk.load_classic(result.weights, promote=promote), result


def examine_desk(desk: Desk, *, as_of: datetime | None = None, seed: int = 0) -> Training:
    """Find out what the desk's outcomes can support, without registering anything."""
    desk.catch_up(as_of)
    outcomes = desk.outcomes()
    if as_of is not None:
        outcomes = outcomes_known_at(outcomes, as_of)
    result = train(outcomes, desk.agent_traits(), desk.dimensions(), seed=seed)
    return Training(result, None, Promotion(promote=False, reason="only examined"), desk.agent_names())
