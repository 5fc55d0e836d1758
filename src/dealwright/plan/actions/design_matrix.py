"""Turn features into the matrix of a linear model.

Piecewise linear in every number, one column per category.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.actions.point_in_time import PointInTimeFeatures
from dealwright.stats.arrays import Floats, Ints

_KNOTS: Final = (0.2, 0.5, 0.8)
_MAX_LEVELS: Final = 20
_SMALL_SHARE: Final = 0.005


@dataclass(frozen=True)
class DesignMatrix:
    """Fitted encoding; a row's encoding depends on that row only."""

    kept: Ints  # which numeric features vary
    # per kept feature, after clipping to the 0.5 % and 99.5 % quantiles
    low: Floats
    high: Floats
    centre: Floats
    scale: Floats
    knots: tuple[tuple[float, ...], ...]  # per kept feature, where the slope may change (standardised)
    gaps: Ints  # kept features with enough missing values to deserve a column saying so
    levels: tuple[tuple[str, tuple[str, ...]], ...]  # per categorical feature its frequent values

    @property
    def width(self) -> int:
        """Number of columns, the constant included."""
        hinges = sum(len(knots) for knots in self.knots)
        return 1 + self.kept.size + hinges + self.gaps.size + sum(len(values) for _, values in self.levels)

    def encode(self, features: PointInTimeFeatures) -> NDArray[np.float32]:
        """Return the matrix, shape (rows, `width`); its first column is 1."""
        rows = features.numbers.shape[0]
        matrix = np.empty((rows, self.width), dtype=np.float32)
        raw = features.numbers[:, self.kept]
        missing = ~np.isfinite(raw)
        standard = (np.clip(raw, self.low, self.high) - self.centre) / self.scale
        standard[missing] = 0.0
        matrix[:, 0] = 1.0
        at = 1 + self.kept.size
        matrix[:, 1:at] = standard
        for feature, knots in enumerate(self.knots):
            for knot in knots:
                matrix[:, at] = np.maximum(standard[:, feature] - knot, 0.0)
                at += 1
        matrix[:, at : at + self.gaps.size] = missing[:, self.gaps]
        at += self.gaps.size
        for name, values in self.levels:
            column = features.categories[name]
            for value in values:
                matrix[:, at] = (column == value).fill_null(value=False).to_numpy()
                at += 1
        return matrix


def fit_design_matrix(features: PointInTimeFeatures) -> DesignMatrix:
    """Fit clipping, scales, knots and category levels."""
    kept: list[int] = []
    gaps: list[int] = []
    low, high, centre, scale, knots = [], [], [], [], []
    for column in range(features.numbers.shape[1]):
        values = features.numbers[:, column]
        known = values[np.isfinite(values)]
        if not known.size:
            continue
        bottom, top = np.quantile(known, [0.005, 0.995])
        clipped = np.clip(known, bottom, top)
        spread = clipped.std()
        if not spread > 1e-12 * max(1.0, abs(top)):
            continue
        middle = float(np.median(clipped))
        distinct = np.unique((np.quantile(clipped, _KNOTS) - middle) / spread)
        edges = ((bottom - middle) / spread, (top - middle) / spread)
        if known.size < values.size * (1 - _SMALL_SHARE):
            gaps.append(len(kept))
        kept.append(column)
        low.append(bottom)
        high.append(top)
        centre.append(middle)
        scale.append(spread)
        knots.append(tuple(float(knot) for knot in distinct if edges[0] < knot < edges[1]))
    levels = []
    for name in features.categories.columns:
        counts = features.categories[name].drop_nulls().value_counts(sort=True).head(_MAX_LEVELS)
        frequent = counts.filter(pl.col("count") >= _SMALL_SHARE * features.numbers.shape[0])[name].to_list()
        levels.append((name, tuple(sorted(frequent))))
    return DesignMatrix(
        np.array(kept, dtype=np.int64),
        np.array(low),
        np.array(high),
        np.array(centre),
        np.array(scale),
        tuple(knots),
        np.array(gaps, dtype=np.int64),
        tuple(levels),
    )
