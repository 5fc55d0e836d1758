"""Lead-only models: what a lead promises whoever serves it: a win probability and amounts of money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dealwright.learn.slots import FloatArray, IntArray, gather_weights
from dealwright.stats.glm import count_patterns, fit_glm

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIOR_SDS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Candidates for the standard deviation of the values' effects; the one with most evidence is taken."""


@dataclass(frozen=True)
class LeadModel:
    """A bias and one weight per value of each dimension, on the logit or log scale.

    ``variance`` is the mean sampling variance of the linear predictor over the leads it was fitted to.
    """

    bias: float
    weights: tuple[FloatArray, ...]
    variance: float
    prior_sd: float

    def predict_linear(self, codes: IntArray) -> FloatArray:
        """Return bias plus weights of the values; an unknown value (-1) contributes 0."""
        return self.bias + gather_weights(codes, self.weights)


def design_matrix(codes: IntArray, shares: Sequence[FloatArray]) -> FloatArray:
    """Return a column of ones and one per value, centred by its share; an unknown value is an average one.

    Centring keeps "it is known at all" out of the weights: a value that is only recorded with the booking
    would otherwise betray that there was one.
    """
    columns = [np.ones((len(codes), 1))]
    for j, share in enumerate(shares):
        code = codes[:, j]
        block = (code[:, None] == np.arange(len(share))) - share
        columns.append(np.where(code[:, None] >= 0, block, 0.0))
    return np.hstack(columns)


def fit_win_model(
    codes: IntArray,
    won: FloatArray,
    shares: Sequence[FloatArray],
    *,
    prior_sds: Sequence[float] = PRIOR_SDS,
) -> LeadModel:
    """Fit a logistic regression of winning on the lead's values.

    The values' effects have a normal prior whose standard deviation is chosen by the Laplace approximation
    of the marginal likelihood (MacKay 1992, "Bayesian Interpolation", section 4), so that noise in many
    rare values is shrunk away and clear effects are not.
    """
    patterns, row = count_patterns(codes, [len(share) for share in shares])
    count = np.bincount(row, minlength=len(patterns)).astype(np.float64)
    y = np.bincount(row, won, minlength=len(patterns)) / count
    X = design_matrix(patterns, shares)
    rate = (won.sum() + 0.5) / (len(won) + 1.0)
    start = np.zeros(X.shape[1])
    start[0] = np.log(rate / (1 - rate))
    best = None
    for sd in prior_sds:
        precision = np.full(X.shape[1], 1.0 / sd**2)
        precision[0] = 0.01
        fit = fit_glm(
            X,
            y,
            family="binomial",
            count=count,
            prior_mean=start,
            prior_precision=precision,
        )
        _, log_determinant = np.linalg.slogdet(fit.covariance)
        evidence = fit.penalised_log_likelihood + 0.5 * np.log(precision).sum() + 0.5 * log_determinant
        if best is None or evidence > best[0]:
            best = (evidence, sd, fit)
    if best is None:
        raise ValueError("prior_sds is empty")
    _, sd, fit = best
    variance = float(np.average(np.einsum("ij,jk,ik->i", X, fit.covariance, X), weights=count))
    return _unpack(fit.weights, shares, variance, sd)


def fit_amount_model(codes: IntArray, amount: FloatArray, shares: Sequence[FloatArray]) -> LeadModel:
    """Fit the expected amount given a win, as ``exp(bias + weights)``, by Poisson quasi-likelihood.

    The log link's score equations make the totals of the fitted amounts match the actual ones, whatever the
    amounts' distribution (Gourieroux, Monfort & Trognon 1984, "Pseudo Maximum Likelihood Methods"; zero
    amounts are fine). The prior on the effects is a normal one with a standard deviation of 1/2, in units
    of the data's dispersion.
    """
    scale = float(amount.mean()) if len(amount) else 0.0
    if scale <= 0:
        # nothing was ever earned: each win counts as one unit of base money, and a package adds nothing
        return LeadModel(0.0, tuple(np.zeros(len(share)) for share in shares), 0.0, 0.0)
    patterns, row = count_patterns(codes, [len(share) for share in shares])
    count = np.bincount(row, minlength=len(patterns)).astype(np.float64)
    y = np.bincount(row, amount / scale, minlength=len(patterns)) / count
    X = design_matrix(patterns, shares)
    spread = float(np.mean((amount / scale - y[row]) ** 2 / np.maximum(y[row], 1e-6)))
    precision = np.full(X.shape[1], max(spread, 1e-4) * 4.0)
    precision[0] = 1e-9
    fit = fit_glm(X, y, family="poisson", count=count, prior_precision=precision)
    model = _unpack(fit.weights, shares, 0.0, 0.5)
    return LeadModel(model.bias + float(np.log(scale)), model.weights, 0.0, 0.5)


def _unpack(weights: FloatArray, shares: Sequence[FloatArray], variance: float, prior_sd: float) -> LeadModel:
    """Split the weights by dimension and centre them, so that the bias is that of an average lead."""
    parts = []
    start = 1
    for share in shares:
        part = weights[start : start + len(share)]
        parts.append(part - part @ share)
        start += len(share)
    return LeadModel(float(weights[0]), tuple(parts), variance, prior_sd)
