"""Learners of the incremental effect of one action: S, T, X and doubly robust.

All of them end as linear scores over the same columns, so that applying them to a million accounts is one
matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.actions.linear_models import PLAIN_C, Linear, fit_logistic, ridge_path
from dealwright.stats.arrays import Bools, Floats, Ints
from dealwright.stats.links import sigmoid

# what is tried for each learner: prior variance of a deviation on the logit scale, or ridge penalty
SETTINGS: Final[Mapping[str, tuple[float, ...]]] = {
    "average": (0.0,),
    "S": (0.02, 0.2),
    "T": (PLAIN_C,),
    "X": (1e2, 1e3, 1e4),
    "doubly robust": (1e3, 1e4, 1e5),
}
FOLDS: Final = 3


@dataclass(frozen=True)
class Effect:
    """Incremental effect of an action: a difference of two response probabilities, or a linear effect."""

    learner: str
    # scores on the logit scale; for a linear effect `treated` is the effect and `control` None
    treated: Linear
    control: Linear | None

    def increment(self, phi: NDArray[np.float32], channel: Ints, preferred: Floats) -> Floats:
        """Return P(response | action) − P(response | nothing) per row."""
        return self.combine(self.account_scores(phi), channel, preferred)

    def account_scores(self, phi: NDArray[np.float32]) -> Floats:
        """Return the channel-free scores, shape (rows, 2); computed once and used for every channel."""
        control = self.control.on_accounts(phi) if self.control is not None else np.zeros(phi.shape[0])
        return np.column_stack([self.treated.on_accounts(phi), control])

    def combine(self, scores: Floats, channel: Ints, preferred: Floats) -> Floats:
        """Add the channel to the scores of `account_scores` and return the increment."""
        treated = scores[:, 0] + self.treated.on_channel(channel, preferred)
        if self.control is None:
            return np.clip(treated, -1.0, 1.0)
        return sigmoid(treated) - sigmoid(scores[:, 1])


@dataclass(frozen=True)
class Blend:
    """A weighted sum of effects."""

    parts: tuple[tuple[float, Effect], ...]

    def account_scores(self, phi: NDArray[np.float32]) -> list[Floats]:
        """Return the channel-free scores of every part."""
        return [effect.account_scores(phi) for _, effect in self.parts]

    def combine(self, scores: list[Floats], channel: Ints, preferred: Floats) -> Floats:
        """Add the channel and return the increment."""
        found = np.zeros(channel.size)
        for (weight, effect), score in zip(self.parts, scores, strict=True):
            found += weight * effect.combine(score, channel, preferred)
        return found


@dataclass(frozen=True)
class FoldRows:
    """What models of an effect read of the rows of a fold, and which rows these are."""

    rows: Bools
    phi: NDArray[np.float32]
    channel: Ints
    preferred: Floats


@dataclass(frozen=True)
class Trial:
    """Rows an action's effect is learned from: every touch, with the channel it used or would have used."""

    phi: NDArray[np.float32]  # account columns, shape (rows, columns); the first is 1
    # index of the channel; for rows on which the action was not tried, drawn as if it had been
    channel: Ints
    # whether that is the account's preferred channel; where that was not known, how likely it is
    preferred: Floats
    # which rows got the action, which got nothing (the others got something else)
    treated: Bools
    untouched: Bools
    response: Floats  # 0 or 1
    propensity: Floats  # probability with which what was done was chosen
    fold: Ints  # 0, 1 or 2, by account

    @cached_property
    def parts(self) -> tuple[FoldRows, ...]:
        """The rows of each fold: taken out once, not for every model that is applied to them."""
        masks = [self.fold == fold for fold in range(FOLDS)]
        return tuple(
            FoldRows(rows, self.phi[rows], self.channel[rows], self.preferred[rows]) for rows in masks
        )

    def columns(self, channels: int) -> NDArray[np.float32]:
        """Return account columns, channel indicators and the preferred flag side by side."""
        indicators = np.zeros((self.channel.size, channels + 1), dtype=np.float32)
        some = np.flatnonzero(self.channel >= 0)
        indicators[some, self.channel[some]] = 1.0
        indicators[:, channels] = self.preferred
        return np.hstack([self.phi, indicators])


def doubly_robust_scores(trial: Trial, treated: Floats, control: Floats, least_propensity: float) -> Floats:
    """Return one unbiased, noisy effect per row (Robins, Rotnitzky & Zhao 1994; Kennedy 2023, eq. 3).

    Parameters
    ----------
    treated, control : predicted response probabilities of models that did not see the row.
    least_propensity : smaller propensities count as this one.
    """
    weight = 1.0 / np.maximum(trial.propensity, least_propensity)
    return (
        treated
        - control
        + trial.treated * weight * (trial.response - treated)
        - trial.untouched * weight * (trial.response - control)
    )


@dataclass(frozen=True)
class Nuisance:
    """Response models of the treated and of the untouched rows, for the doubly robust scores and X."""

    # one pair (treated, untouched) per fold, fitted on the two other folds
    without: tuple[tuple[Linear, Linear], ...]
    only: tuple[tuple[Linear, Linear], ...]  # one pair per fold, fitted on that fold alone

    def predict(self, trial: Trial, left_out: int | None) -> tuple[Floats, Floats]:
        """Return both probabilities per row, by models that saw neither the row's fold nor the one left out.

        That nesting matters: with plain cross-fitting the training rows' scores carry the noise of the
        validation rows, and the learners that are fitted to scores win every comparison.
        """
        treated, control = np.empty(trial.fold.size), np.empty(trial.fold.size)
        for fold, part in enumerate(trial.parts):
            third = FOLDS - fold - left_out if left_out is not None and left_out != fold else None
            with_action, alone = self.without[fold] if third is None else self.only[third]
            score = with_action.on_accounts(part.phi)
            treated[part.rows] = sigmoid(score + with_action.on_channel(part.channel, part.preferred))
            control[part.rows] = sigmoid(alone.on_accounts(part.phi))
        return treated, control


@dataclass(frozen=True)
class LearningTask:
    """What the learners of one action share; lists by left-out fold end with an element of none left out."""

    trial: Trial
    channels: int
    columns: NDArray[np.float32]  # account, channel and preferred columns of every row
    # doubly robust scores by left-out fold: of the models that did not see that fold either
    scores: tuple[Floats, ...]
    # the response probabilities they are made of, with the action and without
    predicted: tuple[tuple[Floats, Floats], ...]
    nuisance: Nuisance  # the models that predicted them
    # response model over all actions, with this action's constant added
    pooled: tuple[tuple[Linear, float], ...]
    control: tuple[Linear, ...]  # response model without any action, by left-out fold
    # stated increment and how sure it is
    prior: float
    prior_sd: float


def fit_effects(
    learner: str, task: LearningTask, left_out: int | None, settings: tuple[float, ...] | None = None
) -> list[Effect]:
    """Fit one learner, with each of its settings, without the rows of a fold (None: on all rows).

    ``average``: one increment for all, the mean of the doubly robust scores drawn towards the stated prior by
    its error.
    ``S``: one pooled logistic model of the response, and per action a shrunken deviation from it.
    ``T``: two separate logistic models. ``X``: imputed effects of both groups, averaged (Künzel et al. 2019).
    ``doubly robust``: ridge regression of the doubly robust scores (Kennedy 2023).
    """
    trial = task.trial
    used = np.ones(trial.fold.size, dtype=bool) if left_out is None else trial.fold != left_out
    slot = FOLDS if left_out is None else left_out
    fits = {
        "average": _fit_average,
        "S": _fit_s,
        "T": _fit_t,
        "X": _fit_x,
        "doubly robust": _fit_doubly_robust,
    }
    return fits[learner](task, used, slot, SETTINGS[learner] if settings is None else settings)


def _fit_average(task: LearningTask, used: Bools, slot: int, settings: tuple[float, ...]) -> list[Effect]:
    del settings
    scores = task.scores[slot][used]
    error = float(scores.var()) / max(scores.size, 1) + 1e-12
    precision = 1.0 / error + 1.0 / task.prior_sd**2
    mean = (float(scores.mean()) / error + task.prior / task.prior_sd**2) / precision
    flat = Linear(np.zeros(task.trial.phi.shape[1]), np.zeros(task.channels), 0.0, mean)
    return [Effect("average", flat, None)]


def _fit_s(task: LearningTask, used: Bools, slot: int, settings: tuple[float, ...]) -> list[Effect]:
    rows = np.flatnonzero(used & task.trial.treated)
    columns, response = task.columns[rows], task.trial.response[rows]
    return [
        Effect(
            "S",
            fit_logistic(columns, response, channels=task.channels, penalty_c=c, offset=task.pooled[slot]),
            task.control[slot],
        )
        for c in settings
    ]


def _fit_t(task: LearningTask, used: Bools, slot: int, settings: tuple[float, ...]) -> list[Effect]:
    del settings
    if slot < FOLDS:
        return [Effect("T", *task.nuisance.without[slot])]
    trial = task.trial
    treated, untouched = used & trial.treated, used & trial.untouched
    with_action = fit_logistic(task.columns[treated], trial.response[treated], channels=task.channels)
    without = fit_logistic(trial.phi[untouched], trial.response[untouched], channels=0)
    return [Effect("T", with_action, without)]


def _fit_x(task: LearningTask, used: Bools, slot: int, settings: tuple[float, ...]) -> list[Effect]:
    trial, channels = task.trial, task.channels
    treated, untouched = np.flatnonzero(used & trial.treated), np.flatnonzero(used & trial.untouched)
    with_action, without = task.predicted[slot]
    on_treated = ridge_path(
        task.columns[treated], trial.response[treated] - without[treated], channels=channels
    )
    on_untouched = ridge_path(
        task.columns[untouched], with_action[untouched] - trial.response[untouched], channels=channels
    )
    share = treated.size / (treated.size + untouched.size)
    return [
        Effect("X", _mix(on_treated.solve(alpha), on_untouched.solve(alpha), share), None)
        for alpha in settings
    ]


def _fit_doubly_robust(
    task: LearningTask, used: Bools, slot: int, settings: tuple[float, ...]
) -> list[Effect]:
    trial = task.trial
    informative = trial.treated | trial.untouched
    # rows with another action only add what the models predict for them: a quarter of them, counted four
    # times, will do
    rows = np.flatnonzero(used & (informative | (np.arange(used.size) % 4 == 0)))
    weight = np.where(informative[rows], 1.0, 4.0)
    path = ridge_path(task.columns[rows], task.scores[slot][rows], channels=task.channels, weight=weight)
    return [Effect("doubly robust", path.solve(alpha), None) for alpha in settings]


def _mix(first: Linear, second: Linear, share: float) -> Linear:
    """Average the effects imputed on the treated (first) and the untouched.

    The larger group's model imputes better.
    """
    other = 1.0 - share
    return Linear(
        other * first.account + share * second.account,
        other * first.channel + share * second.channel,
        other * first.preferred + share * second.preferred,
        other * first.intercept + share * second.intercept,
    )
