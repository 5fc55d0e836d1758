"""Additive models: one smooth curve per numeric feature, one value per category, summed.

A spline logistic regression and a spline Tweedie regression in one: penalised B-splines on robustly
transformed columns, fitted by scikit-learn's Newton solver, then tabulated. What is kept is a table per
feature, so a prediction is a few look-ups, a million rows take seconds, and each feature's contribution is
exact.

References
----------
.. [1] T. Hastie & R. Tibshirani (1990), Generalized Additive Models, chapter 6.
.. [2] B. Jørgensen (1987), Exponential dispersion models, JRSS B 49(2): Tweedie variance mu^p, 1 < p < 2 for
   amounts that are often exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.prediction.design import Design

Floats = NDArray[np.float64]
Loss = Literal["logistic", "tweedie", "gamma", "squared"]

_GRID = 256  # steps of a tabulated curve
_KNOTS = 5
_CHUNK = 65_536
_FIRST_STEPS = 8
_FIRST_ROWS = 1_000
# how far a straight line goes on beyond what was seen, in ranges of it
_NEAR, _FAR = 0.5, 1_000.0
_SKEW = 1.5  # upper to lower spread beyond which a column is compressed


@dataclass(frozen=True, slots=True)
class AdditiveModel:
    """A fitted additive model on the link scale (logit for `logistic`, log for `tweedie` and `gamma`).

    Attributes
    ----------
    scale
        Per numeric column: 0 reads it as it is, otherwise ``asinh(x / scale)``.
    low, high
        Range of the tables on the transformed scale; beyond it a curve stays flat.
    curves
        Numeric columns × grid: centred contribution at equidistant points from `low` to `high`.
    absent
        Contribution of a missing number, per numeric column.
    levels
        Per categorical column: contribution by code; the last one, also reached by code −1, is for missing.
    """

    loss: Loss
    intercept: float
    scale: Floats
    low: Floats
    high: Floats
    curves: Floats
    absent: Floats
    levels: tuple[Floats, ...]

    def score(self, design: Design) -> Floats:
        """Return the additive score (link scale) of each row."""
        out = np.empty(len(design))
        for start in range(0, len(design), _CHUNK):
            rows = slice(start, start + _CHUNK)
            out[rows] = self.intercept + self.contributions(design.take(rows)).sum(axis=1)
        return out

    def predict(self, design: Design) -> Floats:
        """Return probabilities (`logistic`), means (`squared`) or positive means of each row."""
        score = self.score(design)
        if self.loss == "logistic":
            return np.asarray(1.0 / (1.0 + np.exp(-score)))
        return score if self.loss == "squared" else np.asarray(np.exp(np.clip(score, -50.0, 50.0)))

    def contributions(self, design: Design) -> Floats:
        """Return rows × features on the link scale; with `intercept` they add up to the score."""
        x = _transformed(design.numeric, self.scale)
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        position = np.clip((x - self.low) / span, 0.0, 1.0) * _GRID
        missing = np.isnan(position)
        position[missing] = 0.0
        cell = np.minimum(position.astype(np.intp), _GRID - 1)
        columns = np.arange(len(self.scale))
        left, right = self.curves[columns, cell], self.curves[columns, cell + 1]
        curves = np.where(missing, self.absent, left + (right - left) * (position - cell))
        tables = [table[design.codes[:, j]] for j, table in enumerate(self.levels)]
        return np.column_stack([curves, *tables])

    @classmethod
    def fitted(
        cls,
        design: Design,
        target: Floats,
        *,
        loss: Loss,
        penalty: float,
        power: float = 1.5,
        knots: int = _KNOTS,
        plain: bool = False,
    ) -> Self:
        """Fit by penalised maximum likelihood.

        Parameters
        ----------
        target
            0/1 for `logistic`, ≥ 0 for `tweedie`, > 0 for `gamma`, anything for `squared`.
        penalty
            Strength of the ridge penalty on standardised basis functions, in rows: the weight of the penalty
            does not depend on how many rows there are.
        power
            Of the Tweedie variance.
        knots
            Per numeric column; 2 gives straight lines on the transformed scale.
        plain
            Whether columns are read as they are, and lines go on far beyond what was seen: a trend that
            a column follows (an interest rate, an index) is expected to go on.
        """
        scale = np.array([_compression(column) for column in design.numeric.T], dtype=np.float64)
        if plain:
            scale[:] = 0.0
        x = _transformed(design.numeric, scale)
        bases = [_Basis.of(column, knots, _FAR if plain else _NEAR) for column in x.T]
        counts = design.level_counts
        blocks = [basis.rows(column) for basis, column in zip(bases, x.T, strict=True)]
        blocks += [_one_hot(design.codes[:, j], count) for j, count in enumerate(counts)]
        matrix = np.column_stack([np.empty((len(design), 0)), *blocks])
        mean = matrix.mean(axis=0)
        spread = matrix.std(axis=0)
        spread[spread < 1e-9] = np.inf  # a basis function without rows gets no weight
        matrix -= mean
        matrix /= spread
        weights, intercept = _solved(matrix, target, loss, penalty, power)
        weights = weights / spread
        edges = np.cumsum([0, *(block.shape[1] for block in blocks)])
        parts = [(weights[a:b], mean[a:b]) for a, b in pairwise(edges)]
        low = np.array([basis.low for basis in bases], dtype=np.float64)
        high = np.array([basis.high for basis in bases], dtype=np.float64)
        curves = np.zeros((len(bases), _GRID + 1))
        absent = np.zeros(len(bases))
        for j, basis in enumerate(bases):
            weight, centre = parts[j]
            curves[j] = (basis.rows(np.linspace(basis.low, basis.high, _GRID + 1)) - centre) @ weight
            absent[j] = float((basis.rows(np.array([np.nan]))[0] - centre) @ weight)
        levels = []
        for j, count in enumerate(counts):
            weight, centre = parts[len(bases) + j]
            table = (_one_hot(np.append(np.arange(count + 1), -1), count) - centre) @ weight
            table[centre == 0.0] = 0.0  # never seen: like the average row
            levels.append(table)
        return cls(loss, intercept, scale, low, high, curves, absent, tuple(levels))


def _transformed(numeric: NDArray[np.float32], scale: Floats) -> Floats:
    x = numeric.astype(np.float64)
    skewed = scale > 0
    x[:, skewed] = np.arcsinh(x[:, skewed] / scale[skewed])
    return x


def _compression(column: NDArray[np.float32]) -> float:
    """Return the scale of ``asinh`` for a heavily skewed column, 0 for one that is read as it is."""
    present = column[np.isfinite(column)].astype(np.float64)
    if len(present) == 0:
        return 0.0
    low, middle, high = np.quantile(present, [0.02, 0.5, 0.98])
    below, above = middle - low, high - middle
    if max(above, below) <= _SKEW * min(above, below):
        return 0.0
    sizes = np.abs(present[present != 0])
    # binary and few-valued columns have nothing to compress
    return float(np.median(sizes)) if len(sizes) and len(np.unique(present[:10_000])) > 5 else 0.0


@dataclass(frozen=True, slots=True)
class _Basis:
    """Basis of one column: B-splines or a straight line, and a last element that marks missing values."""

    low: float
    high: float
    splines: Any  # SplineTransformer, or None for a straight line

    @classmethod
    def of(cls, column: Floats, knots: int, beyond: float) -> Self:
        from sklearn.preprocessing import SplineTransformer

        present = column[np.isfinite(column)]
        if len(present) == 0:
            return cls(0.0, 0.0, None)
        places = np.unique(np.quantile(present, np.linspace(0.0, 1.0, knots)))
        low, high = float(present.min()), float(present.max())
        if len(places) < 3 or knots < 3:
            margin = (high - low) * beyond
            return cls(low - margin, high + margin, None)
        splines = SplineTransformer(
            degree=3, knots=places.reshape(-1, 1), extrapolation="linear", include_bias=False
        ).fit(places.reshape(-1, 1))
        return cls(low, high, splines)  # a curve stays flat: its slope at the edge rests on few rows

    def rows(self, column: Floats) -> Floats:
        missing = np.isnan(column)
        x = np.clip(np.where(missing, self.low, column), self.low, self.high).reshape(-1, 1)
        basis = x - self.low if self.splines is None else self.splines.transform(x)
        return np.column_stack([np.where(missing[:, None], 0.0, basis), missing])


def _one_hot(codes: NDArray[Any], count: int) -> Floats:
    """Return indicator columns for the codes ``0 … count`` (*other*) and for missing (−1)."""
    return np.asarray(codes[:, None] == np.append(np.arange(count + 1), -1), dtype=np.float64)


def _solved(matrix: Floats, target: Floats, loss: Loss, penalty: float, power: float) -> tuple[Floats, float]:
    from sklearn.linear_model import GammaRegressor, LogisticRegression, Ridge, TweedieRegressor

    if matrix.shape[1] == 0:
        return np.zeros(0), _link(float(target.mean()), loss)
    if loss == "squared":
        model = Ridge(alpha=penalty, solver="cholesky").fit(matrix, target)
        return np.asarray(model.coef_), float(model.intercept_)
    options: dict[str, Any] = {"solver": "newton-cholesky", "max_iter": 100, "warm_start": True}
    strength = penalty / len(target)
    if loss == "logistic":
        target, model = target.astype(np.int8), LogisticRegression(**options)
    elif loss == "gamma":
        model = GammaRegressor(alpha=strength, **options)
    else:
        model = TweedieRegressor(power=power, link="log", alpha=strength, **options)
    # half of Newton's steps find the neighbourhood of the optimum: for these every eighth row does
    few = slice(None, None, _FIRST_STEPS)
    for rows in (few, slice(None)) if _enough(target[few], loss) else (slice(None),):
        if loss == "logistic":
            model.C = len(target) / (len(target[rows]) * penalty)
        model.fit(matrix[rows], target[rows])
    return np.asarray(model.coef_).ravel(), float(np.ravel(model.intercept_)[0])


def _enough(target: NDArray[Any], loss: Loss) -> bool:
    """Tell whether a part of the rows determines a fit well enough to start from."""
    some = int(np.count_nonzero(target))
    fewest = min(some, len(target) - some) if loss == "logistic" else some
    return len(target) >= _FIRST_ROWS and fewest >= _FIRST_ROWS // 10


def _link(mean: float, loss: Loss) -> float:
    if loss == "logistic":
        return float(np.log(mean / (1.0 - mean)))
    return mean if loss == "squared" else float(np.log(mean))
