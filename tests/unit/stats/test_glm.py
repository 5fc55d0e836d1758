"""Generalised linear models agree with scikit-learn's, in every family, in double and in single precision."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from dealwright.stats.glm import fit_glm

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
