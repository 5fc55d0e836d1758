"""What stands in for SciPy on a desk agrees with SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats

from dealwright.stats.special import (
    chi2_quantile,
    chi2_tail,
    find_root,
    log_beta,
    log_gamma,
    midranks,
    minimise,
)


def test_the_gamma_and_beta_functions_agree_from_tiny_to_huge() -> None:
    x = np.exp(np.linspace(math.log(1e-6), math.log(1e7), 4_001))
    assert log_gamma(x) == pytest.approx(special.gammaln(x), rel=1e-12, abs=1e-12)
    assert log_gamma(np.empty(0)).shape == (0,)
    a, b = np.meshgrid(x[::200], x[::200])
    assert log_beta(a, b) == pytest.approx(special.betaln(a, b), rel=1e-8, abs=1e-8)


@given(st.floats(0.0, 3_000.0), st.floats(0.05, 2_000.0))
def test_the_tail_of_chi_squared_agrees(statistic: float, df: float) -> None:
    expected = float(stats.chi2.sf(statistic, df))
    assert chi2_tail(statistic, df) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("df", [0.3, 1.0, 2.5, 29.0, 800.0])
@pytest.mark.parametrize("tail", [0.999, 0.5, 0.05, 0.001])
def test_quantiles_of_chi_squared_agree(tail: float, df: float) -> None:
    assert chi2_quantile(tail, df) == pytest.approx(float(stats.chi2.isf(tail, df)), rel=1e-8, abs=1e-9)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_ties_share_their_mean_rank(values: list[int]) -> None:
    x = np.array(values, dtype=np.float64)
    assert midranks(x).tolist() == stats.rankdata(x).tolist()


def test_a_minimum_is_found_as_scipy_finds_it() -> None:
    functions = [
        lambda x: (x - 1.3) ** 2, lambda x: math.cosh(x - 4.0), lambda x: -x, lambda x: abs(x - 0.2) ** 1.5,
        lambda x: math.sin(3 * x) + 0.1 * x, lambda _: 1.0,
    ]  # fmt: skip
    for function in functions:
        found = minimise(function, -1.0, 5.0, 1e-3)
        theirs = optimize.minimize_scalar(
            function, bounds=(-1.0, 5.0), method="bounded", options={"xatol": 1e-3}
        )
        assert found.x == pytest.approx(float(theirs.x), abs=1e-9)
        assert found.value == pytest.approx(float(theirs.fun), abs=1e-12)


def test_a_root_lies_where_the_sign_changes() -> None:
    assert find_root(lambda x: x**3 - 2.0, 0.0, 4.0, 1e-12) == pytest.approx(2.0 ** (1 / 3), abs=1e-11)
    with pytest.raises(ValueError, match="same sign"):
        find_root(lambda x: x**2 + 1.0, -1.0, 1.0, 1e-6)
