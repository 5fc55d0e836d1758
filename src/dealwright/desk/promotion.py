"""Whether a newly trained model takes over from the one at work: only if it does better on later outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.desk.outcomes import outcomes_known_at
from dealwright.dimensions import Dimension
from dealwright.learn import LearnParams, MatchModel, beats, count_statistics, score, train
from dealwright.wording import count_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_OUTCOMES = 50


@dataclass(frozen=True)
class Promotion:
    """The verdict on a new model.

    Attributes
    ----------
    promote
        Whether it takes over.
    reason
        Why, in words.
    champion_log_loss, challenger_log_loss
        Mean log loss on the outcomes compared, in nats; None where nothing could be compared.
    outcomes
        How many outcomes were compared.
    """

    promote: bool
    reason: str
    champion_log_loss: float | None = None
    challenger_log_loss: float | None = None
    outcomes: int = 0


def judge_promotion(
    outcomes: pl.DataFrame,
    traits: pl.DataFrame,
    dimensions: Sequence[Dimension],
    champion: MatchModel | None,
    params: LearnParams | None = None,
    *,
    seed: int = 0,
) -> Promotion:
    """Compare today's way of training with the model at work, on outcomes that neither has seen.

    The outcomes since the champion was trained are split in the middle. The challenger is trained on all that
    was known then; both predict the second half with the agents' statistics of that moment. It takes over
    when the interval of the paired difference of their log losses excludes 0 (`dealwright.learn.beats`).
    """
    if champion is None:
        return Promotion(promote=True, reason="there was no model at work")
    if not _speaks_of(champion, [dimension for dimension in dimensions if dimension.values]):
        return Promotion(promote=True, reason="the dimensions of leads have changed since the model at work")
    if champion.as_of is None:
        return Promotion(promote=True, reason="the model at work does not say what it was trained on")
    trained_until = datetime.fromisoformat(champion.as_of)
    fresh = outcomes.filter(pl.col("won").is_not_null() & (pl.col("assigned_at") > trained_until))
    if fresh.height < 2 * _LEAST_OUTCOMES:
        return Promotion(
            promote=False,
            reason=(
                f"only {count_of(fresh.height, 'outcome')} since the model at work was trained: "
                f"{2 * _LEAST_OUTCOMES} are needed to tell which is better"
            ),
        )
    middle = fresh["assigned_at"].sort()[fresh.height // 2 - 1]
    past = outcomes_known_at(outcomes, middle)
    judged = fresh.filter(pl.col("assigned_at") > middle)
    # only the model is wanted of the rehearsal, not the last digit of its p-value
    rehearsal = replace(params or LearnParams(), permutations=199, alpha=0.01, bootstrap=10)
    challenger = train(past, traits, dimensions, rehearsal, seed=seed).model
    won = judged["won"].to_numpy().astype(np.float64)
    old, new = (_win_probability(model, past, traits, judged) for model in (champion, challenger))
    verdict = beats(won, new, old, seed=seed)
    return Promotion(
        promote=verdict.beats,
        reason=verdict.summary(),
        champion_log_loss=verdict.champion_log_loss,
        challenger_log_loss=verdict.challenger_log_loss,
        outcomes=verdict.outcomes,
    )


def _speaks_of(champion: MatchModel, dimensions: Sequence[Dimension]) -> bool:
    """Whether a model's dimensions are today's, but for values that came to the open ones since."""
    return len(champion.dimensions) == len(dimensions) and all(
        old == new
        or (new.is_open and set(old.values) <= set(new.values) and replace(new, values=old.values) == old)
        for old, new in zip(champion.dimensions, dimensions, strict=True)
    )


def _win_probability(
    model: MatchModel, past: pl.DataFrame, traits: pl.DataFrame, judged: pl.DataFrame
) -> NDArray[np.float64]:
    """Return each outcome's chance of a win under a model, with the statistics of the past."""
    statistics = count_statistics(past, model, traits["agent_id"].to_list())
    scores = score(model, statistics, traits, judged)
    column = np.searchsorted(scores.agent_ids, judged["agent_id"].to_numpy())
    probability: NDArray[np.float64] = scores.win_probability[np.arange(judged.height), column]
    return probability
