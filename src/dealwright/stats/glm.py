"""Penalised generalised linear models by Newton's method, on rows that are first counted together.

Leads have few distinct combinations of values, so a million outcomes shrink to some hundred binomial rows.
Offsets, a prior per weight and the weights' covariance are needed together, which scikit-learn's models do
not give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.links import sigmoid

Family = Literal["binomial", "poisson", "gamma", "tweedie"]

_BLOCK_ROWS: Final = 8_192  # what is weighted at a time fits into the processor's cache


@dataclass(frozen=True)
class GlmFit:
    """Weights, the penalised information, and the fitted means per row."""

    weights: Floats
    information: Floats
    mean: Floats
    penalised_log_likelihood: float

    @cached_property
    def covariance(self) -> Floats:
        """Covariance of the weights: the inverse of the penalised information."""
        return np.linalg.inv(self.information).astype(np.float64)


def _binomial(eta: Floats, y: Floats) -> tuple[Floats, Floats]:
    return sigmoid(eta), y * eta - np.logaddexp(0.0, eta)


def _poisson(eta: Floats, y: Floats) -> tuple[Floats, Floats]:
    mean = np.exp(eta)
    return mean, y * eta - mean


def _gamma(eta: Floats, y: Floats) -> tuple[Floats, Floats]:
    mean = np.exp(eta)
    return mean, -y / mean - eta


def _tweedie(eta: Floats, y: Floats) -> tuple[Floats, Floats]:
    root = np.exp(0.5 * eta)
    return root**2, -2.0 * (y / root + root)


# family -> the mean and the log likelihood (less what does not depend on the mean) of each row; its slope
# and curvature by eta
_LIKELIHOOD: Final[dict[Family, Callable[[Floats, Floats], tuple[Floats, Floats]]]] = {
    "binomial": _binomial,
    "poisson": _poisson,
    "gamma": _gamma,
    "tweedie": _tweedie,
}


def _slope_and_curvature(family: Family, y: Floats, mean: Floats) -> tuple[Floats, Floats]:
    if family == "gamma":
        return y / mean - 1.0, y / mean
    if family == "tweedie":
        root = np.sqrt(mean)
        return y / root - root, 0.5 * (y / root + root)
    return y - mean, mean * (1.0 - mean) if family == "binomial" else mean


def fit_glm(
    X: npt.NDArray[np.floating],
    y: Floats,
    *,
    family: Family,
    count: Floats | None = None,
    offset: Floats | None = None,
    prior_mean: Floats | None = None,
    prior_precision: Floats | float = 1e-6,
    start: Floats | None = None,
    least_gain: float = 0.0,
    max_iterations: int = 100,
) -> GlmFit:
    """Fit by Newton's method with step halving; the losses are convex, so that it always converges.

    Source: McCullagh & Nelder (1989), "Generalized Linear Models", section 2.5 (iteratively reweighted
    least squares, here with the observed information); the normal prior on the weights is ridge regression's.

    Parameters
    ----------
    X
        Shape (rows, weights); include a column of ones for a bias. The information is formed in its
        precision: in single precision, with the small system solved in double, a fit to many rows takes a
        third of the time.
    y
        Shape (rows,): mean outcome of the row: a share for ``binomial`` (logit link), an amount otherwise
        (log link): at least 0 for ``poisson`` and ``tweedie`` (variance mean^1.5), above 0 for ``gamma``.
    count
        How many outcomes the row stands for; 1 by default.
    prior_mean, prior_precision
        Of each weight, shape (weights,) or one number.
    start
        Weights to begin with; by default the prior's mean.
    least_gain
        Log likelihood below which a step is the last one.
    """
    n, k = X.shape
    count = np.ones(n) if count is None else count
    offset = np.zeros(n) if offset is None else offset
    centre = np.zeros(k) if prior_mean is None else prior_mean
    precision = np.broadcast_to(np.asarray(prior_precision, dtype=np.float64), (k,))

    def evaluate(w: Floats) -> tuple[Floats, float]:
        eta = np.clip(offset + X @ w.astype(X.dtype), -30.0, 30.0)
        mean, likelihood = _LIKELIHOOD[family](eta, y)
        return mean, float(count @ likelihood - 0.5 * precision @ (w - centre) ** 2)

    w = (centre if start is None else start).astype(np.float64)
    mean, value = evaluate(w)
    information = np.diag(precision)
    for _ in range(max_iterations):
        slope, curvature = _slope_and_curvature(family, y, mean)
        information = _weighted_gram(X, count * curvature) + np.diag(precision)
        gradient = X.T @ (count * slope).astype(X.dtype) - precision * (w - centre)
        step = np.linalg.solve(information, gradient)
        if float(gradient @ step) < 1e-10 * max(1.0, abs(value)):
            break
        size = 1.0
        while size > 1e-6:
            candidate, better = evaluate(w + size * step)
            if better >= value:
                break
            size /= 2.0
        gain = better - value
        w, mean, value = w + size * step, candidate, better
        if gain < least_gain:
            break
    return GlmFit(w, information, mean, value)


def _weighted_gram(X: npt.NDArray[np.floating], weight: Floats) -> Floats:
    """Return Xᵀ diag(weight) X for weights of at least 0, block by block."""
    gram = np.zeros((X.shape[1], X.shape[1]))
    root = np.sqrt(weight).astype(X.dtype)
    for begin in range(0, len(X), _BLOCK_ROWS):
        rows = slice(begin, begin + _BLOCK_ROWS)
        scaled = X[rows] * root[rows, None]
        gram += scaled.T @ scaled  # NumPy knows this product to be symmetric: half the work
    return gram


def count_patterns(codes: Ints, widths: list[int]) -> tuple[Ints, Ints]:
    """Find the distinct rows of codes.

    Returns
    -------
    The distinct rows, shape (patterns, dimensions), and for each row the position of its pattern, shape
    (rows,).
    """
    key = np.zeros(len(codes), dtype=np.int64)
    for j, width in enumerate(widths):
        key = key * (width + 1) + (codes[:, j] + 1)
        if j and len(widths) > 8:  # keep the key small, whatever the number of dimensions
            _, key = np.unique(key, return_inverse=True)
    _, first, pattern = np.unique(key, return_index=True, return_inverse=True)
    return codes[first], pattern
