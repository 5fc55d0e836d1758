"""Lead-only models: what a lead promises whoever serves it: a win probability and amounts of money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dealwright.learn.slots import gather_weights
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.glm import count_patterns, fit_glm

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIOR_SDS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Candidates for the standard deviation of the values' effects, all equally likely beforehand."""

PRIOR_OUTCOMES = 2.0
"""Outcomes that the prior of the win rate is worth, half of them won: a uniform distribution."""


@dataclass(frozen=True)
class LeadModel:
    """A bias and one weight per value of each dimension, on the logit or log scale.

    ``variance`` is the mean posterior variance of the linear predictor over the leads it was fitted to.
    """

    bias: float
    weights: tuple[Floats, ...]
    variance: float

    def predict_linear(self, codes: Ints) -> Floats:
        """Return bias plus weights of the values; an unknown value (-1) contributes 0."""
        return self.bias + gather_weights(codes, self.weights)


def design_matrix(codes: Ints, shares: Sequence[Floats]) -> Floats:
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
    codes: Ints, won: Floats, shares: Sequence[Floats], *, prior_sds: Sequence[float] = PRIOR_SDS
) -> LeadModel:
    """Fit a logistic regression of winning on the lead's values, as cautious as the outcomes are few.

    The win rate of an average lead has a uniform prior, given as `PRIOR_OUTCOMES` outcomes of an average
    lead, half of them won. The mode on the logit scale is then the mean on the scale of probabilities: n
    wins of n give ``(n + 1) / (n + 2)`` (Laplace's rule of succession; Greenland & Mansournia 2015,
    "Penalization, bias reduction, and default priors in logistic and related categorical and survival
    regressions", Statistics in Medicine 34).

    The values' effects have a normal prior. Its standard deviation is not chosen but averaged over, with the
    Laplace approximation of the marginal likelihood as the weight (MacKay 1992, "Bayesian Interpolation",
    section 4; Hoeting et al. 1999, "Bayesian Model Averaging", Statistical Science 14): noise in many rare
    values is shrunk away, clear effects are not, and two outcomes cannot make a strong effect likely.
    """
    patterns, row = count_patterns(codes, [len(share) for share in shares])
    count = np.bincount(row, minlength=len(patterns)).astype(np.float64)
    y = np.bincount(row, won, minlength=len(patterns)) / count
    X = design_matrix(patterns, shares)
    average_lead = np.eye(1, X.shape[1])
    X_and_prior = np.vstack([X, average_lead])
    y_and_prior, count_and_prior = np.append(y, 0.5), np.append(count, PRIOR_OUTCOMES)
    fits, evidence = [], []
    for sd in prior_sds:
        precision = np.full(X.shape[1], 1.0 / sd**2)
        precision[0] = 1e-9
        fit = fit_glm(
            X_and_prior, y_and_prior, family="binomial", count=count_and_prior, prior_precision=precision
        )
        _, log_determinant = np.linalg.slogdet(fit.covariance)
        fits.append(fit)
        evidence.append(fit.penalised_log_likelihood + 0.5 * np.log(precision).sum() + 0.5 * log_determinant)
    share = np.exp(np.array(evidence) - max(evidence))
    share /= share.sum()
    weights = share @ np.array([fit.weights for fit in fits])
    covariance = np.zeros((len(weights), len(weights)))
    for part, fit in zip(share, fits, strict=True):
        off = fit.weights - weights
        covariance += part * (fit.covariance + np.outer(off, off))
    variance = float(np.average(np.einsum("ij,jk,ik->i", X, covariance, X), weights=count))
    return _unpack(weights, shares, variance)


def fit_amount_model(codes: Ints, amount: Floats, shares: Sequence[Floats]) -> LeadModel:
    """Fit the expected amount given a win, as ``exp(bias + weights)``, by Poisson quasi-likelihood.

    The log link's score equations make the totals of the fitted amounts match the actual ones, whatever the
    amounts' distribution (Gourieroux, Monfort & Trognon 1984, "Pseudo Maximum Likelihood Methods"; zero
    amounts are fine). The prior on the effects is a normal one with a standard deviation of 1/2, in units
    of the data's dispersion.
    """
    scale = float(amount.mean()) if len(amount) else 0.0
    if scale <= 0:
        # nothing was ever earned: each win counts as one unit of base money, and a package adds nothing
        return LeadModel(0.0, tuple(np.zeros(len(share)) for share in shares), 0.0)
    patterns, row = count_patterns(codes, [len(share) for share in shares])
    count = np.bincount(row, minlength=len(patterns)).astype(np.float64)
    y = np.bincount(row, amount / scale, minlength=len(patterns)) / count
    X = design_matrix(patterns, shares)
    spread = float(np.mean((amount / scale - y[row]) ** 2 / np.maximum(y[row], 1e-6)))
    precision = np.full(X.shape[1], max(spread, 1e-4) * 4.0)
    precision[0] = 1e-9
    fit = fit_glm(X, y, family="poisson", count=count, prior_precision=precision)
    model = _unpack(fit.weights, shares, 0.0)
    return LeadModel(model.bias + float(np.log(scale)), model.weights, 0.0)


def _unpack(weights: Floats, shares: Sequence[Floats], variance: float) -> LeadModel:
    """Split the weights by dimension and centre them, so that the bias is that of an average lead."""
    parts = []
    start = 1
    for share in shares:
        part = weights[start : start + len(share)]
        parts.append(part - part @ share)
        start += len(share)
    return LeadModel(float(weights[0]), tuple(parts), variance)
