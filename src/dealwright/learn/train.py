"""Training: outcomes in; the match model, its evidence, its metrics and what people want to see of it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.errors import EvidenceError
from dealwright.learn.backtest import PreparedTable, backtest, calibrate_forward, calibrated
from dealwright.learn.evidence import judge
from dealwright.learn.findings import (
    Reliability,
    check_reliability,
    describe_agents,
    draw_calibration_curve,
    rank_features,
)
from dealwright.learn.outcomes import tabulate_outcomes
from dealwright.learn.params import LearnParams
from dealwright.learn.verdict import Evidence
from dealwright.stats.metrics import ProbabilityMetrics, measure_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealwright.dimensions import Dimension
    from dealwright.learn.model import MatchModel


@dataclass(frozen=True)
class TrainResult:
    """A trained match model and how far to trust it."""

    model: MatchModel
    evidence: Evidence
    # metrics of the model on the outcomes it was fitted to, and on later ones (None where too few). It is
    # calibrated only where that has proved better on later outcomes, and is judged by predictions that were
    # calibrated by earlier outcomes only.
    in_time: ProbabilityMetrics
    out_of_time: ProbabilityMetrics | None
    # whether its probabilities held on later outcomes; None where they are too few
    reliability: Reliability | None
    # `feature, kind (lead, agent or trait), importance, low, high`: log loss lost when the feature is
    # shuffled, out of time, with a 90 % interval. Empty where there are too few outcomes.
    feature_importance: pl.DataFrame
    # `predicted, observed, low, high, outcomes`: ten bins of equally many out-of-time outcomes
    calibration_curve: pl.DataFrame
    # `agent_id, known, won, raw_rate, raw_low, raw_high, expected_rate, rate, low, high`: wins as counted
    # with Wilson's interval, what the agent's leads promised, and the shrunken rate on average leads with
    # its 90 % interval
    agents: pl.DataFrame
    seconds: float

    def summary(self) -> str:
        """Return the verdict, the metrics, whether probabilities held and what matters, a few lines."""
        lines = [
            self.evidence.summary(),
            f"Model in time: log loss {self.in_time.log_loss}, AUC {self.in_time.auc}",
        ]
        if self.out_of_time is not None:
            lines.append(
                f"Model out of time: log loss {self.out_of_time.log_loss}, AUC {self.out_of_time.auc}, "
                f"ECE {self.out_of_time.ece}"
            )
        lines.append(self.reliability_text)
        lines += [
            f"{row['feature']}: {row['importance']:.4f} [{row['low']:.4f}, {row['high']:.4f}] of log loss"
            for row in self.feature_importance.head(5).iter_rows(named=True)
        ]
        return "\n".join(lines)

    @property
    def reliability_text(self) -> str:
        """Whether the probabilities held on later outcomes, in a sentence."""
        if self.reliability is None:
            return "Whether the probabilities hold cannot be told yet: there are too few later outcomes."
        if self.reliability.held or self.model.calibration.is_identity:
            return self.reliability.text
        return f"{self.reliability.text} A calibration map that has helped on these outcomes is now at work."


def train(
    outcomes: pl.DataFrame,
    traits: pl.DataFrame,
    dimensions: Sequence[Dimension],
    params: LearnParams | None = None,
    *,
    seed: int = 0,
) -> TrainResult:
    """Learn the match model from outcomes.

    The evidence comes first; the model carries agent terms only where agents are found to differ, and its
    probabilities are calibrated on out-of-time predictions.

    Parameters
    ----------
    outcomes
        Columns of `schemas.OUTCOME_COLUMNS` and one per dimension.
    traits
        ``agent_id`` and one numeric column per trait, for all agents.

    Raises
    ------
    EvidenceError
        No outcome is known yet.
    InputError
        The outcomes lack a column or hold an undeclared value.
    """
    began = perf_counter()
    params = params or LearnParams()
    rng = np.random.default_rng(seed)
    table = tabulate_outcomes(outcomes, dimensions, traits["agent_id"].to_list())
    if not table.settled.any():
        raise EvidenceError(
            "there is nothing to learn from yet: no outcome is known. "
            "Import a history or settle some bookings first; where as_of names a moment, name a later one"
        )
    prepared = PreparedTable(table, rng)
    tested = backtest(prepared, traits, params)
    found = judge(prepared, tested, params, rng)
    own_test = tested if found.terms.win else None if tested is None else tested.without_agents()

    model = prepared.fit(traits, found.terms)
    won = probability = np.zeros(0)
    if own_test is not None:
        won = own_test.won
        probability, calibration = calibrate_forward(
            own_test.terms.full_logit, won, own_test.block_ends, model.calibration.logit_variance
        )
        model = replace(model, calibration=calibration)

    settled = np.flatnonzero(table.settled)
    fitted = calibrated(model.calibration, prepared.predict(model, traits).full_logit[settled])
    in_time = measure_probabilities(table.won[settled], fitted, params.bootstrap, rng)
    out_of_time, reliability, importance = None, None, pl.DataFrame()
    if own_test is not None:
        out_of_time = measure_probabilities(won, probability, params.bootstrap, rng, own_test.block)
        reliability = check_reliability(won, probability, rng)
        importance = rank_features(own_test, model.calibration, params, rng)
    model = replace(
        model,
        evidence=found.to_dict(),
        metrics={
            "in_time": in_time.to_dict(),
            "out_of_time": None if out_of_time is None else out_of_time.to_dict(),
            "reliability": None if reliability is None else reliability.to_dict(),
        },
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        as_of=_find_as_of(outcomes),
        outcomes=len(settled),
        seed=seed,
    )
    return TrainResult(
        model=model,
        evidence=found,
        in_time=in_time,
        out_of_time=out_of_time,
        reliability=reliability,
        feature_importance=importance,
        calibration_curve=draw_calibration_curve(won, probability),
        agents=describe_agents(table, model),
        seconds=perf_counter() - began,
    )


def _find_as_of(outcomes: pl.DataFrame) -> str | None:
    """Return the last moment the outcomes know of."""
    last = outcomes.select(pl.max_horizontal(pl.col("assigned_at", "known_at").max())).item()
    return None if last is None else str(last.isoformat())
