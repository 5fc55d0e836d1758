"""Learners of the incremental effect of one action: S, T, X and doubly robust.

All of them end as linear scores over the same columns, so that applying them to a million accounts is one
matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BASE_C: Final = 1.0
# what is tried for each learner: prior variance of a deviation on the logit scale, or ridge penalty
SETTINGS: Final[Mapping[str, tuple[float, ...]]] = {
    "average": (0.0,),
    "S": (0.02, 0.2),
    "T": (_BASE_C,),
    "X": (1e2, 1e3, 1e4),
    "doubly robust": (1e3, 1e4, 1e5),
}
FOLDS: Final = 3
_NEWTON_STEPS: Final = 12
_NEWTON_GAIN: Final = 1e-6  # stop when a step gains less than this per row


@dataclass(frozen=True)
class Linear:
    """A linear score over account columns, channels and whether the channel is the preferred one."""

    account: NDArray[np.float64]
    channel: NDArray[np.float64]
    preferred: float
    intercept: float

    def on_accounts(self, phi: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the channel-free part."""
        return (phi @ self.account.astype(np.float32)).astype(np.float64) + self.intercept

    def on_channel(self, channel: NDArray[np.int64], preferred: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the channel adds; channel −1 (none) adds nothing."""
        added = np.where(channel >= 0, np.append(self.channel, 0.0)[channel], 0.0)
        result: NDArray[np.float64] = added + self.preferred * preferred
        return result


@dataclass(frozen=True)
class Effect:
    """Incremental effect of an action: a difference of two response probabilities, or a linear effect.

    Attributes
    ----------
    treated, control : scores on the logit scale; for a linear effect `treated` is the effect and `control`
        None.
    """

    learner: str
    treated: Linear
    control: Linear | None

    def increment(
        self, phi: NDArray[np.float32], channel: NDArray[np.int64], preferred: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return P(response | action) − P(response | nothing) per row."""
        return self.combine(self.account_scores(phi), channel, preferred)

    def account_scores(self, phi: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the channel-free scores, shape (rows, 2); computed once and used for every channel."""
        control = self.control.on_accounts(phi) if self.control is not None else np.zeros(phi.shape[0])
        return np.column_stack([self.treated.on_accounts(phi), control])

    def combine(
        self, scores: NDArray[np.float64], channel: NDArray[np.int64], preferred: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Add the channel to the scores of `account_scores` and return the increment."""
        treated = scores[:, 0] + self.treated.on_channel(channel, preferred)
        if self.control is None:
            return np.clip(treated, -1.0, 1.0)
        return sigmoid(treated) - sigmoid(scores[:, 1])


@dataclass(frozen=True)
class Blend:
    """A weighted sum of effects."""

    parts: tuple[tuple[float, Effect], ...]

    def account_scores(self, phi: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Return the channel-free scores of every part."""
        return [effect.account_scores(phi) for _, effect in self.parts]

    def combine(
        self, scores: list[NDArray[np.float64]], channel: NDArray[np.int64], preferred: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Add the channel and return the increment."""
        found = np.zeros(channel.size)
        for (weight, effect), score in zip(self.parts, scores, strict=True):
            found += weight * effect.combine(score, channel, preferred)
        return found


@dataclass(frozen=True)
class Trial:
    """Rows an action's effect is learned from: every touch, with the channel it used or would have used.

    Attributes
    ----------
    phi : account columns, shape (rows, columns); the first is 1.
    channel : index of the channel; for rows on which the action was not tried, drawn as if it had been.
    preferred : whether that is the account's preferred channel; where that was not known, how likely it is.
    treated, untouched : which rows got the action, which got nothing (the others got something else).
    response : 0 or 1.
    propensity : probability with which what was done was chosen.
    fold : 0, 1 or 2, by account.
    """

    phi: NDArray[np.float32]
    channel: NDArray[np.int64]
    preferred: NDArray[np.float64]
    treated: NDArray[np.bool_]
    untouched: NDArray[np.bool_]
    response: NDArray[np.float64]
    propensity: NDArray[np.float64]
    fold: NDArray[np.int64]

    def columns(self, channels: int) -> NDArray[np.float32]:
        """Return account columns, channel indicators and the preferred flag side by side."""
        indicators = np.zeros((self.channel.size, channels + 1), dtype=np.float32)
        some = np.flatnonzero(self.channel >= 0)
        indicators[some, self.channel[some]] = 1.0
        indicators[:, channels] = self.preferred
        return np.hstack([self.phi, indicators])


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(−x))."""
    result: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result


def fit_logistic(
    columns: NDArray[np.float32],
    response: NDArray[np.float64],
    *,
    channels: int,
    penalty_c: float = _BASE_C,
    offset: tuple[Linear, float] | None = None,
) -> Linear:
    """Fit a logistic regression with a ridge penalty; with an offset, its deviation from another score.

    Some seventy of these are fitted in one run. scikit-learn's knows no offset, and its Newton solver forms
    the Hessian in double precision only; in single precision, with the small system solved in double, the
    same fit takes a third of the time.

    Parameters
    ----------
    columns : account columns (the first is 1), `channels` indicators and the preferred flag; with 0 channels
        only account columns.
    penalty_c : prior variance of a coefficient, on the logit scale.
    offset : a score that is a part of the model, and a constant to be added to it.
    """
    tail = channels + 1 if channels else 0
    width = columns.shape[1] - tail
    if response.size == 0 or response.min() == response.max():
        # only one outcome was ever seen: the rate, pulled half an observation towards the middle
        rate = (response.sum() + 0.5) / (response.size + 1.0)
        return Linear(np.zeros(width), np.zeros(channels), 0.0, float(np.log(rate / (1 - rate))))
    base = (
        offset[0].on_accounts(columns[:, :width]) + offset[1]
        if offset is not None
        else np.zeros(response.size)
    )
    weights = _newton(columns, response, base, penalty_c).astype(np.float64)
    account, intercept = weights[:width], 0.0
    if offset is not None:
        account = account + offset[0].account
        intercept = offset[0].intercept + offset[1]
    preferred = float(weights[width + channels]) if channels else 0.0
    return Linear(account, weights[width : width + channels], preferred, intercept)


def _newton(
    columns: NDArray[np.float32], response: NDArray[np.float64], base: NDArray[np.float64], penalty_c: float
) -> NDArray[np.float64]:
    """Minimise the penalised logistic loss; the first column is the constant and is not penalised."""
    penalty = np.full(columns.shape[1], 1.0 / penalty_c)
    penalty[0] = 1e-8
    rate = response.mean()
    weights = np.zeros(columns.shape[1])
    weights[0] = np.log(rate / (1 - rate)) - base.mean()
    score = base + weights[0]
    loss = _loss(score, response, weights, penalty)
    for _ in range(_NEWTON_STEPS):
        probability = sigmoid(score)
        curvature = np.maximum(probability * (1.0 - probability), 1e-6)
        scaled = columns * np.sqrt(curvature).astype(np.float32)[:, None]
        hessian = (scaled.T @ scaled).astype(np.float64) + np.diag(penalty)
        gradient = ((probability - response).astype(np.float32) @ columns).astype(
            np.float64
        ) + penalty * weights
        step = np.linalg.solve(hessian, gradient)
        change = (columns @ step.astype(np.float32)).astype(np.float64)
        length = 1.0
        for _ in range(10):
            new_loss = _loss(score - length * change, response, weights - length * step, penalty)
            if new_loss <= loss:
                break
            length /= 2.0
        else:
            break
        weights, score = weights - length * step, score - length * change
        if loss - new_loss < _NEWTON_GAIN * response.size:
            break
        loss = new_loss
    return weights


def _loss(
    score: NDArray[np.float64],
    response: NDArray[np.float64],
    weights: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> float:
    return float((np.logaddexp(0.0, score) - response * score).sum() + 0.5 * (penalty * weights) @ weights)


@dataclass(frozen=True)
class RidgePath:
    """Normal equations of a ridge regression.

    Set up once and solved for any penalty (scikit-learn would redo them).
    """

    gram: NDArray[np.float64]
    moment: NDArray[np.float64]
    mean: NDArray[np.float64]
    target_mean: float
    channels: int

    def solve(self, alpha: float) -> Linear:
        """Return the regression with this penalty; the intercept is not penalised."""
        system = self.gram + alpha * np.eye(self.moment.size)
        weights = np.asarray(np.linalg.solve(system, self.moment), dtype=np.float64)
        width = weights.size - self.channels - 1
        intercept = self.target_mean - float(self.mean @ weights)
        return Linear(weights[:width], weights[width:-1], float(weights[-1]), intercept)


def ridge_path(
    columns: NDArray[np.float32],
    target: NDArray[np.float64],
    *,
    channels: int,
    weight: NDArray[np.float64] | None = None,
) -> RidgePath:
    """Set up a (weighted) ridge regression of an effect on the columns."""
    share = np.full(target.size, 1.0) if weight is None else weight
    total = max(float(share.sum()), 1e-12)
    mean = (share.astype(np.float32) @ columns).astype(np.float64) / total
    target_mean = float(share @ target) / total
    centred = columns - mean.astype(np.float32)
    weighted = centred * np.sqrt(share).astype(np.float32)[:, None]
    gram = (weighted.T @ weighted).astype(np.float64)
    moment = (weighted.T @ ((target - target_mean) * np.sqrt(share)).astype(np.float32)).astype(np.float64)
    return RidgePath(gram, moment, mean, target_mean, channels)


def doubly_robust_scores(
    trial: Trial, treated: NDArray[np.float64], control: NDArray[np.float64], least_propensity: float
) -> NDArray[np.float64]:
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
    """Response models of the treated and of the untouched rows, for the doubly robust scores and X.

    Attributes
    ----------
    without : one pair (treated, untouched) per fold, fitted on the two other folds.
    only : one pair per fold, fitted on that fold alone.
    """

    without: tuple[tuple[Linear, Linear], ...]
    only: tuple[tuple[Linear, Linear], ...]

    def predict(self, trial: Trial, left_out: int | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both probabilities per row, by models that saw neither the row's fold nor the one left out.

        That nesting matters: with plain cross-fitting the training rows' scores carry the noise of the
        validation rows, and the learners that are fitted to scores win every comparison.
        """
        treated, control = np.empty(trial.fold.size), np.empty(trial.fold.size)
        for fold in range(FOLDS):
            rows = trial.fold == fold
            third = FOLDS - fold - left_out if left_out is not None and left_out != fold else None
            with_action, alone = self.without[fold] if third is None else self.only[third]
            score = with_action.on_accounts(trial.phi[rows])
            treated[rows] = sigmoid(
                score + with_action.on_channel(trial.channel[rows], trial.preferred[rows])
            )
            control[rows] = sigmoid(alone.on_accounts(trial.phi[rows]))
        return treated, control


@dataclass(frozen=True)
class Material:
    """What the learners of one action share; lists by left-out fold have a last element with none left out.

    Attributes
    ----------
    columns : account, channel and preferred columns of every row.
    scores : doubly robust scores by left-out fold: of the models that did not see that fold either.
    predicted : the response probabilities they are made of, with the action and without.
    nuisance : the models that predicted them.
    pooled : response model over all actions, with this action's constant added.
    control : response model without any action, by left-out fold.
    prior, prior_sd : stated increment and how sure it is.
    """

    trial: Trial
    channels: int
    columns: NDArray[np.float32]
    scores: tuple[NDArray[np.float64], ...]
    predicted: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    nuisance: Nuisance
    pooled: tuple[tuple[Linear, float], ...]
    control: tuple[Linear, ...]
    prior: float
    prior_sd: float


def fit_effects(
    learner: str, material: Material, left_out: int | None, settings: tuple[float, ...] | None = None
) -> list[Effect]:
    """Fit one learner, with each of its settings, without the rows of a fold (None: on all rows).

    ``average``: one increment for all, the mean of the doubly robust scores drawn towards the stated prior by
    its error.
    ``S``: one pooled logistic model of the response, and per action a shrunken deviation from it.
    ``T``: two separate logistic models. ``X``: imputed effects of both groups, averaged (Künzel et al. 2019).
    ``doubly robust``: ridge regression of the doubly robust scores (Kennedy 2023).
    """
    trial = material.trial
    used = np.ones(trial.fold.size, dtype=bool) if left_out is None else trial.fold != left_out
    slot = FOLDS if left_out is None else left_out
    fits = {
        "average": _fit_average,
        "S": _fit_s,
        "T": _fit_t,
        "X": _fit_x,
        "doubly robust": _fit_doubly_robust,
    }
    return fits[learner](material, used, slot, SETTINGS[learner] if settings is None else settings)


def _fit_average(
    material: Material, used: NDArray[np.bool_], slot: int, settings: tuple[float, ...]
) -> list[Effect]:
    del settings
    scores = material.scores[slot][used]
    error = float(scores.var()) / max(scores.size, 1) + 1e-12
    precision = 1.0 / error + 1.0 / material.prior_sd**2
    mean = (float(scores.mean()) / error + material.prior / material.prior_sd**2) / precision
    flat = Linear(np.zeros(material.trial.phi.shape[1]), np.zeros(material.channels), 0.0, mean)
    return [Effect("average", flat, None)]


def _fit_s(
    material: Material, used: NDArray[np.bool_], slot: int, settings: tuple[float, ...]
) -> list[Effect]:
    rows = np.flatnonzero(used & material.trial.treated)
    columns, response = material.columns[rows], material.trial.response[rows]
    return [
        Effect(
            "S",
            fit_logistic(
                columns, response, channels=material.channels, penalty_c=c, offset=material.pooled[slot]
            ),
            material.control[slot],
        )
        for c in settings
    ]


def _fit_t(
    material: Material, used: NDArray[np.bool_], slot: int, settings: tuple[float, ...]
) -> list[Effect]:
    del settings
    if slot < FOLDS:
        return [Effect("T", *material.nuisance.without[slot])]
    trial = material.trial
    treated, untouched = used & trial.treated, used & trial.untouched
    with_action = fit_logistic(material.columns[treated], trial.response[treated], channels=material.channels)
    without = fit_logistic(trial.phi[untouched], trial.response[untouched], channels=0)
    return [Effect("T", with_action, without)]


def _fit_x(
    material: Material, used: NDArray[np.bool_], slot: int, settings: tuple[float, ...]
) -> list[Effect]:
    trial, channels = material.trial, material.channels
    treated, untouched = np.flatnonzero(used & trial.treated), np.flatnonzero(used & trial.untouched)
    with_action, without = material.predicted[slot]
    on_treated = ridge_path(
        material.columns[treated], trial.response[treated] - without[treated], channels=channels
    )
    on_untouched = ridge_path(
        material.columns[untouched], with_action[untouched] - trial.response[untouched], channels=channels
    )
    share = treated.size / (treated.size + untouched.size)
    return [
        Effect("X", _mix(on_treated.solve(alpha), on_untouched.solve(alpha), share), None)
        for alpha in settings
    ]


def _fit_doubly_robust(
    material: Material, used: NDArray[np.bool_], slot: int, settings: tuple[float, ...]
) -> list[Effect]:
    trial = material.trial
    told = trial.treated | trial.untouched
    # rows with another action only add what the models predict for them: a quarter of them, counted four
    # times, will do
    rows = np.flatnonzero(used & (told | (np.arange(used.size) % 4 == 0)))
    weight = np.where(told[rows], 1.0, 4.0)
    path = ridge_path(
        material.columns[rows], material.scores[slot][rows], channels=material.channels, weight=weight
    )
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
