"""Linear scores and how they are fitted: ridge-penalised logistic and least-squares regression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.glm import fit_glm

PLAIN_C: Final = 1.0  # prior variance of a coefficient that is hardly shrunken
_SHARES_PENALTY: Final = 10.0
_SHARES_TOLERANCE: Final = 1e-4  # of the mean loss's gradient
_NEWTON_STEPS: Final = 12
_NEWTON_GAIN: Final = 1e-5  # stop when a step gains less than this per row


@dataclass(frozen=True)
class Linear:
    """A linear score over account columns, channels and whether the channel is the preferred one."""

    account: Floats
    channel: Floats
    preferred: float
    intercept: float

    def on_accounts(self, phi: NDArray[np.float32]) -> Floats:
        """Return the channel-free part."""
        return (phi @ self.account.astype(np.float32)).astype(np.float64) + self.intercept

    def on_channel(self, channel: Ints, preferred: Floats) -> Floats:
        """Return what the channel adds; channel −1 (none) adds nothing."""
        added = np.where(channel >= 0, np.append(self.channel, 0.0)[channel], 0.0)
        result: Floats = added + self.preferred * preferred
        return result


def fit_logistic(
    columns: NDArray[np.float32],
    response: Floats,
    *,
    channels: int,
    penalty_c: float = PLAIN_C,
    offset: tuple[Linear, float] | None = None,
) -> Linear:
    """Fit a logistic regression with a ridge penalty; with an offset, its deviation from another score.

    Some seventy of these are fitted in one run, in single precision.

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
    # the first column is the constant and is not penalised
    penalty = np.full(columns.shape[1], 1.0 / penalty_c)
    penalty[0] = 1e-8
    rate, start = response.mean(), np.zeros(columns.shape[1])
    start[0] = np.log(rate / (1 - rate)) - base.mean()
    weights = fit_glm(
        columns, response, family="binomial", offset=base, prior_precision=penalty, start=start,
        least_gain=_NEWTON_GAIN * response.size, max_iterations=_NEWTON_STEPS,
    ).weights  # fmt: skip
    account, intercept = weights[:width], 0.0
    if offset is not None:
        account = account + offset[0].account
        intercept = offset[0].intercept + offset[1]
    preferred = float(weights[width + channels]) if channels else 0.0
    return Linear(account, weights[width : width + channels], preferred, intercept)


def fit_shares(
    columns: NDArray[np.float32], chosen: Ints, count: int
) -> Callable[[NDArray[np.float32]], Floats]:
    """Fit a multinomial logistic regression with a ridge penalty; return a function of columns to shares.

    Parameters
    ----------
    columns : account columns.
    chosen : which of `count` possibilities was taken, by its number.
    """
    from scipy.optimize import minimize

    n, width = columns.shape
    matrix = np.column_stack([columns, np.ones(n, dtype=np.float32)])
    penalty = np.append(np.full(width, _SHARES_PENALTY / n), 0.0)[:, None]
    row = np.arange(n)

    def mean_loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(width + 1, count)
        shares, likelihood = _softmax(matrix @ weights.astype(np.float32))
        loss = -float(likelihood[row, chosen].mean()) + 0.5 * float((penalty * weights**2).sum())
        shares[row, chosen] -= 1.0
        gradient = (matrix.T @ shares.astype(np.float32)).astype(np.float64) / n + penalty * weights
        return loss, gradient.ravel()

    found = minimize(
        mean_loss, np.zeros((width + 1) * count), jac=True, method="L-BFGS-B",
        options={"gtol": _SHARES_TOLERANCE, "maxiter": 200},
    )  # fmt: skip
    weights = found.x.reshape(width + 1, count)

    def predicted(rows: NDArray[np.float32]) -> Floats:
        return _softmax(rows @ weights[:-1].astype(np.float32) + weights[-1].astype(np.float32))[0]

    return predicted


def _softmax(score: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return shares and their logarithms."""
    relative = score.astype(np.float64)
    relative -= relative.max(axis=1, keepdims=True)
    logarithm = relative - np.log(np.exp(relative).sum(axis=1, keepdims=True))
    return np.exp(logarithm), logarithm


@dataclass(frozen=True)
class RidgePath:
    """Normal equations of a ridge regression, set up once and solved for any penalty."""

    gram: Floats
    moment: Floats
    mean: Floats
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
    columns: NDArray[np.float32], target: Floats, *, channels: int, weight: Floats | None = None
) -> RidgePath:
    """Set up a (weighted) ridge regression of an effect on the columns."""
    if weight is None:
        ones = np.ones(target.size, dtype=np.float32)
        mean = (ones @ columns).astype(np.float64) / max(target.size, 1)
        target_mean = float(target.sum()) / max(target.size, 1)
        weighted, aim = columns - mean.astype(np.float32), (target - target_mean).astype(np.float32)
    else:
        total = max(float(weight.sum()), 1e-12)
        mean = (weight.astype(np.float32) @ columns).astype(np.float64) / total
        target_mean = float(weight @ target) / total
        root = np.sqrt(weight)
        weighted = columns - mean.astype(np.float32)
        weighted *= root.astype(np.float32)[:, None]
        aim = ((target - target_mean) * root).astype(np.float32)
    gram = (weighted.T @ weighted).astype(np.float64)
    moment = (weighted.T @ aim).astype(np.float64)
    return RidgePath(gram, moment, mean, target_mean, channels)
