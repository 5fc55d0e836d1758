"""Generalised linear models agree with scikit-learn's, in every family, in double and in single precision."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from dealwright.stats.glm import count_patterns, fit_glm

REFERENCES = {
    "poisson": PoissonRegressor,
    "gamma": GammaRegressor,
    "tweedie": lambda **options: TweedieRegressor(power=1.5, link="log", **options),
}


@pytest.mark.parametrize("family", list(REFERENCES))
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_amounts_on_a_log_scale_are_fitted_like_scikit_learns(family, precision):
    rng = np.random.default_rng(0)
    n = 9_000  # more than one block
    X = rng.normal(size=(n, 3))
    mean = np.exp(3.0 + X @ [0.5, -0.3, 0.0])
    y = mean * rng.gamma(2.0, 0.5, n)
    if family != "gamma":
        y[rng.random(n) < 0.4] = 0.0
    reference = REFERENCES[family](alpha=5.0 / n, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = fit_glm(
        np.column_stack([np.ones(n), X]).astype(precision), y, family=family,
        start=np.array([np.log(y.mean()), 0.0, 0.0, 0.0]), prior_precision=np.array([0.0, 5.0, 5.0, 5.0]),
    )  # fmt: skip
    close = 1e-4 if precision is np.float64 else 1e-3
    assert ours.weights[0] == pytest.approx(reference.intercept_, abs=close)
    assert ours.weights[1:] == pytest.approx(reference.coef_, abs=close)
    assert ours.mean == pytest.approx(reference.predict(X), rel=10 * close)


def test_the_search_may_begin_anywhere_and_end_early():
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(2_000), rng.normal(size=(2_000, 2))])
    y = rng.poisson(np.exp(X @ [1.0, 0.4, -0.2])).astype(np.float64)
    exact = fit_glm(X, y, family="poisson")
    elsewhere = fit_glm(X, y, family="poisson", start=np.array([3.0, -1.0, 1.0]))
    assert elsewhere.weights == pytest.approx(exact.weights, abs=1e-5)
    early = fit_glm(X, y, family="poisson", least_gain=1e9)
    assert early.penalised_log_likelihood < exact.penalised_log_likelihood - 1.0


def test_the_covariance_is_that_of_least_squares_where_both_are_the_same():
    X = np.column_stack([np.ones(50), np.linspace(-1.0, 1.0, 50)])
    fit = fit_glm(X, np.ones(50), family="gamma", prior_precision=1e-9)  # a mean of 1: every row counts 1
    assert fit.covariance == pytest.approx(np.linalg.inv(X.T @ X), rel=1e-6)


@pytest.mark.parametrize("family", ["binomial", "poisson", "gamma", "tweedie"])
def test_counts_offsets_and_the_prior_are_as_stated(family):
    """The weights are the best of the penalised likelihood, written out and climbed by SciPy."""
    rng = np.random.default_rng(2)
    X = np.column_stack([np.ones(60), rng.normal(size=(60, 2))])
    offset, count = rng.normal(0, 0.5, 60), rng.integers(1, 9, 60).astype(float)
    y = rng.random(60) if family == "binomial" else rng.gamma(2.0, 1.0, 60)
    centre, precision = np.array([0.3, -0.5, 0.8]), np.array([2.0, 20.0, 0.5])

    def badness(w):
        eta = offset + X @ w
        mean = 1 / (1 + np.exp(-eta)) if family == "binomial" else np.exp(eta)
        likelihood = {
            "binomial": lambda: y * np.log(mean) + (1 - y) * np.log(1 - mean),
            "poisson": lambda: y * np.log(mean) - mean,
            "gamma": lambda: -y / mean - np.log(mean),
            "tweedie": lambda: y * mean**-0.5 / -0.5 - mean**0.5 / 0.5,
        }[family]()
        return -(count @ likelihood - 0.5 * precision @ (w - centre) ** 2)

    best = minimize(badness, centre, method="BFGS", options={"gtol": 1e-8})
    fit = fit_glm(
        X, y, family=family, count=count, offset=offset, prior_mean=centre, prior_precision=precision
    )
    assert fit.weights == pytest.approx(best.x, abs=1e-5)
    assert fit.penalised_log_likelihood == pytest.approx(-best.fun, abs=1e-8)
    # the curvature of what is climbed, by differences
    step = 1e-4 * np.eye(3)
    curvature = [
        [
            (badness(best.x + a + b) - badness(best.x + a) - badness(best.x + b) + badness(best.x)) / 1e-8
            for a in step
        ]
        for b in step
    ]
    assert fit.information == pytest.approx(np.array(curvature), rel=1e-2, abs=1e-2)


@pytest.mark.parametrize("dimensions", [1, 2, 9])
def test_patterns_are_the_distinct_rows(dimensions):
    """Codes begin at -1, which stands for unknown."""
    rng = np.random.default_rng(dimensions)
    widths = [2] * dimensions
    codes = rng.integers(-1, 2, (60, dimensions))
    patterns, place = count_patterns(codes, widths)
    assert (patterns[place] == codes).all()
    assert len(patterns) == len({tuple(row) for row in codes.tolist()})
