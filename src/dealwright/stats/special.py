"""The few special functions and searches that learning needs, so that a desk does without SciPy (143 MB).

Each is compared with SciPy's in a test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from dealwright.stats.arrays import Floats

_GOLDEN: Final = 0.5 * (3.0 - math.sqrt(5.0))
_STIRLING_FROM: Final = 10.0
_ITERATIONS: Final = 500
_ROUNDING: Final = math.sqrt(np.finfo(np.float64).eps)


def log_gamma(x: Floats) -> Floats:
    """Return ln Γ(x) for x > 0: Stirling's series, smaller arguments moved up by ``Γ(x + 1) = x Γ(x)``."""
    x = np.asarray(x, dtype=np.float64)
    steps = np.maximum(np.ceil(_STIRLING_FROM - x), 0.0)
    shift = np.zeros_like(x)
    for k in range(int(steps.max(initial=0.0))):
        shift += np.where(k < steps, np.log(x + k), 0.0)
    y = x + steps
    z = 1.0 / y**2
    series = (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z / 1188)))) / y
    result: Floats = (y - 0.5) * np.log(y) - y + 0.5 * math.log(2.0 * math.pi) + series - shift
    return result


def log_beta(a: Floats, b: Floats) -> Floats:
    """Return ln B(a, b)."""
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b)


def chi2_tail(statistic: float, df: float) -> float:
    """Return P(χ² ≥ statistic): the upper incomplete gamma function, by its series or continued fraction.

    Source: Press et al. (2007), "Numerical Recipes", section 6.2.
    """
    a, x = df / 2.0, statistic / 2.0
    if x <= 0.0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        n = a
        while abs(term) > abs(total) * 1e-16:
            n += 1.0
            term *= x / n
            total += term
        return max(0.0, 1.0 - total * scale)
    b, c, tiny = x + 1.0 - a, 1e300, 1e-300
    d = 1.0 / b
    fraction = d
    for i in range(1, 100_000):
        an = -i * (i - a)
        b += 2.0
        d = 1.0 / (an * d + b or tiny)
        c = b + an / c or tiny
        fraction *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return scale * fraction


def chi2_quantile(tail: float, df: float) -> float:
    """Return the statistic that χ² exceeds with a probability."""
    high = max(df, 1.0)
    while chi2_tail(high, df) > tail:
        high *= 2.0
    return find_root(lambda x: tail - chi2_tail(x, df), 0.0, high, 1e-12 * high)


def midranks(x: Floats) -> Floats:
    """Return ranks from 1; ties share their mean rank."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    last: Floats = np.cumsum(counts).astype(np.float64)
    return np.asarray((last - 0.5 * (counts - 1))[place])


def find_root(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Return where a function changes its sign, by bisection.

    Raises
    ------
    ValueError
        It has the same sign at both ends.
    """
    at_low = function(low)
    if at_low * function(high) > 0:
        raise ValueError("the function has the same sign at both ends")
    while high - low > tolerance:
        middle = 0.5 * (low + high)
        if middle in {low, high}:
            break
        if at_low * function(middle) > 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


class Minimum(NamedTuple):
    """Where a function is least, and its value there."""

    x: float
    value: float


def minimise(function: Callable[[float], float], low: float, high: float, tolerance: float) -> Minimum:
    """Find a local minimum between two bounds.

    Golden sections, and parabolas where they converge faster (Brent 1973, "Algorithms for Minimization
    without Derivatives", chapter 5).
    """
    x = w = v = low + _GOLDEN * (high - low)
    fx = fw = fv = function(x)
    step = before = 0.0
    for _ in range(_ITERATIONS):
        middle = 0.5 * (low + high)
        least = _ROUNDING * abs(x) + tolerance / 3.0
        if abs(x - middle) <= 2.0 * least - 0.5 * (high - low):
            break
        golden = True
        if abs(before) > least:
            r, q = (x - w) * (fx - fv), (x - v) * (fx - fw)
            p, q = (x - v) * q - (x - w) * r, 2.0 * (q - r)
            p, q = (-p, q) if q > 0 else (p, -q)
            if abs(p) < abs(0.5 * q * before) and q * (low - x) < p < q * (high - x):
                before, step, golden = step, p / q, False
                if min(x + step - low, high - x - step) < 2.0 * least:
                    step = math.copysign(least, middle - x)
        if golden:
            before = (low if x >= middle else high) - x
            step = _GOLDEN * before
        u = x + (step if abs(step) >= least else math.copysign(least, step))
        fu = function(u)
        if fu <= fx:
            low, high = (x, high) if u >= x else (low, x)
            v, fv, w, fw, x, fx = w, fw, x, fx, u, fu
        else:
            low, high = (u, high) if u < x else (low, u)
            if fu <= fw or w == x:
                v, fv, w, fw = w, fw, u, fu
            elif fu <= fv or v in {x, w}:
                v, fv = u, fu
    return Minimum(x, fx)
