"""Prior strengths by maximum likelihood: how many outcomes it takes before an agent's own history counts."""

from __future__ import annotations

import numpy as np

from dealwright.learn.model import FIXED_RATIO, FULL_SHRINKAGE
from dealwright.stats.arrays import Floats
from dealwright.stats.special import log_beta, minimise

SPREADS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Standard deviations of agents' log-odds that are thought possible where nothing is known of them."""

LEAST_STRENGTH = 2.0
"""Prior strength of a uniform prior: few agents who win all or nothing do not show that most do."""

_WORTH_A_PARAMETER = 0.5
"""Log likelihood by which differences must beat their absence: half of what Akaike (1974) asks."""


def fit_prior_strength(known: Floats, won: Floats, mean: Floats) -> float:
    """Fit the strength m of the beta prior of beta-binomial counts whose prior means are given.

    ``won_i`` of ``known_i`` are binomial with a rate drawn from Beta(m mean_i, m (1 - mean_i)); m maximises
    the marginal likelihood (Casella & Berger 2002, "Statistical Inference", section 4.4; Griffiths 1973,
    Biometrics 29). Counts may be fractions. When the counts vary no more than chance makes them, the
    likelihood rises for ever with m: then it is `FULL_SHRINKAGE`.
    """
    some = known > 0
    if not some.any():
        return FULL_SHRINKAGE
    k, w, mu = known[some], np.minimum(won, known)[some], np.clip(mean[some], 1e-6, 1 - 1e-6)

    def loss(log_m: float) -> float:
        m = np.exp(log_m)
        return -float(np.sum(log_beta(w + m * mu, k - w + m * (1 - mu)) - log_beta(m * mu, m * (1 - mu))))

    binomial = -float(np.sum(w * np.log(mu) + (k - w) * np.log1p(-mu)))
    found = minimise(loss, np.log(LEAST_STRENGTH), np.log(1e5), 1e-3)
    # at the upper end the two likelihoods agree up to rounding: no variation beyond chance
    if found.x > np.log(5e4) or found.value > binomial - _WORTH_A_PARAMETER:
        return FULL_SHRINKAGE
    return float(np.exp(found.x))


def expect_spread(known: Floats, won: Floats, mean: Floats) -> float:
    """Return the variance of agents' log-odds to be expected, given counts whose prior means are given.

    The posterior mean over `SPREADS`, all equally likely beforehand; ``won - known mean`` is taken as normal
    with the variance ``v (1 + spread^2 v)``, ``v = known mean (1 - mean)``. Where agents cannot be told
    apart, this is what they may differ by nevertheless: few outcomes do not show that they are alike.
    """
    some = known > 0
    if not some.any():
        return float(np.mean(np.square(SPREADS)))
    k, mu = known[some], np.clip(mean[some], 1e-6, 1 - 1e-6)
    v = k * mu * (1 - mu)
    variance = v * (1.0 + np.square(SPREADS)[:, None] * v)
    log_likelihood = -0.5 * (np.log(variance) + (won[some] - k * mu) ** 2 / variance).sum(axis=1)
    likely = np.exp(log_likelihood - log_likelihood.max())
    return float(likely @ np.square(SPREADS) / likely.sum())


def fit_value_strength(known: Floats, won: Floats, mean: Floats, level_strength: float) -> float:
    """Fit the prior strength of a dimension's values, (agents, values), given each agent's overall level.

    As `fit_prior_strength`, but each agent's level, shrunk by the weight ``s = n / (n + level_strength)``,
    was estimated from the same outcomes: a value that makes up the share f of them deviates from it only
    with ``1 - f (2 s - s^2)`` of its variance. Taking that for a lack of differences would shrink twice too
    much where a dimension has two values. So the deviations ``(won - known mean) / sqrt(known mean (1 -
    mean))`` are fitted as normal with the beta-binomial variance ``1 + (known - 1) / (m + 1)``, reduced by
    that factor (the idea of restricted maximum likelihood: Patterson & Thompson 1971, Biometrika 58).
    """
    total = np.maximum(known.sum(axis=1, keepdims=True), 1e-12)
    weight = total / (total + level_strength)
    left = 1.0 - known / total * (2.0 * weight - weight**2)
    some = (known > 1) & (left > 0.02)
    if not some.any():
        return FULL_SHRINKAGE
    k, mu, factor = known[some], np.clip(mean[some], 1e-6, 1 - 1e-6), left[some]
    squared = (won[some] - k * mu) ** 2 / (k * mu * (1 - mu))

    def loss(log_m: float) -> float:
        variance = factor * (1.0 + (k - 1.0) / (np.exp(log_m) + 1.0))
        # a value's weight is its share of free variation, so that two values of one agent count as one
        return 0.5 * float(np.sum(factor * (np.log(variance) + squared / variance)))

    found = minimise(loss, np.log(LEAST_STRENGTH), np.log(1e5), 1e-3)
    if found.x > np.log(5e4) or found.value > loss(np.log(1e12)) - _WORTH_A_PARAMETER:
        return FULL_SHRINKAGE
    return float(np.exp(found.x))


def fit_ratio_strength(total: Floats, expected: Floats, noise_per_unit: float) -> float:
    """Fit the strength k, in units of money, with which an agent's revenue ratio is shrunk towards 1.

    An agent's total is normal around ``ratio * expected`` with the variance ``noise_per_unit * expected``,
    and the ratios around 1 with the variance ``t``; then the posterior mean is ``(total + k) / (expected +
    k)`` with ``k = noise_per_unit / t`` (Buhlmann & Gisler 2005, "A Course in Credibility Theory", chapter
    4). ``t`` maximises the marginal likelihood; 0 gives `FIXED_RATIO`.
    """
    some = expected > 0
    if some.sum() < 2 or noise_per_unit <= 0:
        return FIXED_RATIO
    e, deviation = expected[some], total[some] - expected[some]

    def loss(log_t: float) -> float:
        variance = noise_per_unit * e + np.exp(log_t) * e**2
        return 0.5 * float(np.sum(np.log(variance) + deviation**2 / variance))

    none = 0.5 * float(np.sum(np.log(noise_per_unit * e) + deviation**2 / (noise_per_unit * e)))
    found = minimise(loss, np.log(1e-8), np.log(4.0), 1e-3)
    if found.x < np.log(2e-8) or found.value > none - _WORTH_A_PARAMETER:
        return FIXED_RATIO
    return float(noise_per_unit / np.exp(found.x))
