"""Additive models: one smooth curve per numeric feature, one value per category, summed.

A spline logistic regression and a spline Tweedie regression in one: penalised B-splines on robustly
transformed columns, fitted by Newton's method, then tabulated. What is kept is a table per
feature, so a prediction is a few look-ups, a million rows take seconds, and each feature's contribution is
exact.

References
----------
.. [1] T. Hastie & R. Tibshirani (1990), Generalized Additive Models, chapter 6.
.. [2] B. Jørgensen (1987), Exponential dispersion models, JRSS B 49(2): Tweedie variance mu^p, 1 < p < 2 for
   amounts that are often exactly zero.
.. [3] C. de Boor (2001), A Practical Guide to Splines, chapter X: the recurrence of B-splines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.compiled import compiled_lean
from dealwright.plan.prediction.design import Design
from dealwright.stats.arrays import Floats
from dealwright.stats.glm import Family, fit_glm

Loss = Literal["logistic", "tweedie", "gamma", "squared"]

_GRID = 256  # steps of a tabulated curve
_KNOTS = 5
_CHUNK = 2_048
_FIRST_STEPS = 8
_FIRST_ROWS = 1_000
# how far a straight line goes on beyond what was seen, in ranges of it
_NEAR, _FAR = 0.5, 1_000.0
_DEGREE = 3
_NO_SPREAD = 1e-8  # of a basis function, whose values are within ±1
_LEAST_GAIN = 1e-6  # in log likelihood per row: far below what a candidate can gain over another
_FAMILIES: dict[Loss, Family] = {"logistic": "binomial", "tweedie": "tweedie", "gamma": "gamma"}
_SKEW = 1.5  # upper to lower spread beyond which a column is compressed
_FEW_VALUES = 5  # with no more distinct values, a column is not compressed


@dataclass(frozen=True, slots=True)
class AdditiveModel:
    """A fitted additive model on the link scale (logit for `logistic`, log for `tweedie` and `gamma`)."""

    loss: Loss
    intercept: float
    scale: Floats  # per numeric column: 0 reads it as it is, otherwise `asinh(x / scale)`
    # range of the tables on the transformed scale; beyond it a curve stays flat
    low: Floats
    high: Floats
    curves: Floats  # numeric columns × grid: centred contribution at equidistant points from `low` to `high`
    absent: Floats  # contribution of a missing number, per numeric column
    # per categorical column: contribution by code; the last one, also reached by code −1, is for missing
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
        found = np.empty((len(design), len(self.scale) + len(self.levels)))
        for start in range(0, len(design), _CHUNK):
            rows = slice(start, start + _CHUNK)
            self._look_up(design.take(rows), found[rows])
        return found

    def _look_up(self, design: Design, found: Floats) -> None:
        """Write the contributions of a few rows: what is worked out on the way stays in the cache."""
        x = _transformed(design.numeric, self.scale)
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        position = np.clip((x - self.low) / span, 0.0, 1.0) * _GRID
        missing = np.isnan(position)
        position[missing] = 0.0
        cell = np.minimum(position.astype(np.intp), _GRID - 1)
        columns = np.arange(len(self.scale))
        left, right = self.curves[columns, cell], self.curves[columns, cell + 1]
        count = len(self.scale)
        found[:, :count] = np.where(missing, self.absent, left + (right - left) * (position - cell))
        for j, table in enumerate(self.levels):
            found[:, count + j] = table[design.codes[:, j]]

    @classmethod
    def fitted(
        cls,
        design: Design,
        target: Floats,
        *,
        loss: Loss,
        penalty: float,
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
        knots
            Per numeric column; 2 gives straight lines on the transformed scale.
        plain
            Whether columns are read as they are, and lines go on far beyond what was seen: a trend that
            a column follows (an interest rate, an index) is expected to go on.
        """
        ordered = np.sort(design.numeric, axis=0)  # missing values last
        present = [column[: np.searchsorted(column, np.nan)] for column in ordered.T]
        scale = np.array([0.0 if plain else _compression(column) for column in present], dtype=np.float64)
        x = _transformed(design.numeric, scale)
        bases = [
            _Basis.of(_transformed_column(column, factor), knots, _FAR if plain else _NEAR)
            for column, factor in zip(present, scale, strict=True)
        ]
        counts = design.level_counts
        widths = [*(basis.width for basis in bases), *(count + 2 for count in counts), 1]
        edges = np.cumsum([0, *widths])
        matrix = np.ones((len(design), edges[-1]), dtype=np.float32)  # the last column is the intercept's
        for basis, column, (a, b) in zip(bases, x.T, pairwise(edges), strict=False):
            basis.write(column, matrix[:, a:b])
        for j, count in enumerate(counts):
            a, b = edges[len(bases) + j : len(bases) + j + 2]
            matrix[:, a:b] = _one_hot(design.codes[:, j], count)
        mean = np.ones(len(matrix), dtype=np.float32) @ matrix / len(matrix)
        mean[-1] = 0.0
        matrix -= mean
        spread = np.sqrt(np.einsum("ij,ij->j", matrix, matrix) / len(matrix))
        spread[spread < _NO_SPREAD] = np.inf  # a basis function without rows gets no weight
        matrix /= spread
        mean, spread = mean.astype(np.float64), spread.astype(np.float64)
        weights, intercept = _solved(matrix, target, loss, penalty)
        weights = weights / spread[:-1]
        parts = [(weights[a:b], mean[a:b]) for a, b in pairwise(edges[:-1])]
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


def _transformed_column(column: NDArray[np.float32], factor: float) -> Floats:
    """Return one column as `_transformed` does, without choosing among columns."""
    x = column.astype(np.float64)
    return np.asarray(np.arcsinh(x / factor)) if factor > 0 else x


def _compression(present: NDArray[np.float32]) -> float:
    """Return the scale of ``asinh`` for a heavily skewed column (sorted), 0 for one that is read as it is."""
    if len(present) == 0:
        return 0.0
    low, middle, high = _quantiles(present, np.array([0.02, 0.5, 0.98]))
    below, above = middle - low, high - middle
    if max(above, below) <= _SKEW * min(above, below):
        return 0.0
    # binary and few-valued columns have nothing to compress
    if np.count_nonzero(np.diff(present)) < _FEW_VALUES:
        return 0.0
    return float(np.median(np.abs(present[present != 0]).astype(np.float64)))


def _quantiles(ordered: NDArray[Any], shares: Floats) -> Floats:
    """Return quantiles of values that are in order, by linear interpolation."""
    places = shares * (len(ordered) - 1)
    before = np.floor(places).astype(np.intp)
    low, high = (ordered[k].astype(np.float64) for k in (before, np.minimum(before + 1, len(ordered) - 1)))
    return np.asarray(low + (high - low) * (places - before))


@dataclass(frozen=True, slots=True)
class _Basis:
    """Basis of one column: B-splines or a straight line, and a last element that marks missing values."""

    low: float
    high: float
    knots: Floats | None  # of B-splines; None for a straight line

    @classmethod
    def of(cls, present: Floats, knots: int, beyond: float) -> Self:
        """Choose the basis by the values that are not missing, in their order."""
        if len(present) == 0:
            return cls(0.0, 0.0, None)
        places = np.unique(_quantiles(present, np.linspace(0.0, 1.0, knots)))
        low, high = float(present[0]), float(present[-1])
        if len(places) < 3 or knots < 3:
            margin = (high - low) * beyond
            return cls(low - margin, high + margin, None)
        return cls(low, high, places)  # a curve stays flat: its slope at the edge rests on few rows

    @property
    def width(self) -> int:
        """Number of elements."""
        return 2 if self.knots is None else len(self.knots) + _DEGREE - 1

    def rows(self, column: Floats) -> Floats:
        """Return the elements of each row."""
        basis = np.empty((len(column), self.width))
        self.write(column, basis)
        return basis

    def write(self, column: Floats, basis: NDArray[Any]) -> None:
        """Write the elements of each row."""
        missing = np.isnan(column)
        x = np.clip(np.where(missing, self.low, column), self.low, self.high)
        if self.knots is None:
            basis[:, 0] = (x - 0.5 * (self.low + self.high)) / ((self.high - self.low) or 1.0)
        else:
            _splines(x, self.knots, basis)
            basis[missing] = 0.0
        # all splines add up to 1 everywhere: the intercept stands for the last one, this column is free
        basis[:, -1] = missing


def _splines(x: Floats, knots: Floats, basis: NDArray[Any]) -> None:
    """Write the cubic B-splines over `knots` at each place between them.

    Beyond both ends the knots go on at the distance of the outermost two.
    """
    steps = np.arange(1, _DEGREE + 1)
    below = knots[0] - (knots[1] - knots[0]) * steps[::-1]
    above = knots[-1] + (knots[-1] - knots[-2]) * steps
    interval = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    _recur(x, np.concatenate([below, knots, above]), interval, basis)


@compiled_lean
def _recur(x: Any, knots: Any, interval: Any, basis: Any) -> None:
    """Write the splines by de Boor's recurrence [3]_: at each place, the four that are not 0 there."""
    for i in range(len(x)):
        for k in range(basis.shape[1]):
            basis[i, k] = 0.0
        at = interval[i] + _DEGREE
        first, second, third, fourth = 1.0, 0.0, 0.0, 0.0
        for degree in range(1, _DEGREE + 1):
            carried = 0.0
            for r in range(degree):
                value = first if r == 0 else (second if r == 1 else third)
                left, right = x[i] - knots[at - degree + 1 + r], knots[at + 1 + r] - x[i]
                share = value / (right + left)
                raised = carried + right * share
                carried = left * share
                if r == 0:
                    first = raised
                elif r == 1:
                    second = raised
                else:
                    third = raised
            if degree == 1:
                second = carried
            elif degree == 2:
                third = carried
            else:
                fourth = carried
        basis[i, interval[i]] = first
        basis[i, interval[i] + 1] = second
        basis[i, interval[i] + 2] = third
        basis[i, interval[i] + 3] = fourth


def _one_hot(codes: NDArray[Any], count: int) -> Floats:
    """Return indicator columns for the codes ``0 … count`` (*other*) and for missing (−1)."""
    return np.asarray(codes[:, None] == np.append(np.arange(count + 1), -1), dtype=np.float64)


def _solved(matrix: NDArray[np.float32], target: Floats, loss: Loss, penalty: float) -> tuple[Floats, float]:
    """Return the weights of standardised columns and, of the last column, the intercept."""
    mean = float(target.mean())
    if matrix.shape[1] == 1:
        return np.zeros(0), _link(mean, loss)
    columns = matrix[:, :-1]
    if loss == "squared":
        gram = (columns.T @ columns).astype(np.float64) + penalty * np.eye(columns.shape[1])
        moment = (columns.T @ (target - mean).astype(np.float32)).astype(np.float64)
        return np.asarray(np.linalg.solve(gram, moment)), mean
    precision = np.append(np.full(columns.shape[1], penalty), 0.0)
    start = np.append(np.zeros(columns.shape[1]), _link(mean, loss))
    # half of Newton's steps find the neighbourhood of the optimum: for these every eighth row does
    few = slice(None, None, _FIRST_STEPS)
    for rows in (few, slice(None)) if _enough(target[few], loss) else (slice(None),):
        start = fit_glm(
            matrix[rows], target[rows], family=_FAMILIES[loss], start=start,
            least_gain=_LEAST_GAIN * len(target[rows]),
            prior_precision=precision * (len(target[rows]) / len(target)),
        ).weights  # fmt: skip
    return start[:-1], float(start[-1])


def _enough(target: NDArray[Any], loss: Loss) -> bool:
    """Tell whether a part of the rows determines a fit well enough to start from."""
    some = int(np.count_nonzero(target))
    fewest = min(some, len(target) - some) if loss == "logistic" else some
    return len(target) >= _FIRST_ROWS and fewest >= _FIRST_ROWS // 10


def _link(mean: float, loss: Loss) -> float:
    if loss == "logistic":
        return float(np.log(mean / (1.0 - mean)))
    return mean if loss == "squared" else float(np.log(mean))
