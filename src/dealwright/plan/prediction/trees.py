"""Boosted symmetric trees: every level of a tree asks one question of all rows.

A symmetric tree is a small table: its depth in questions, and a value per combination of answers. It meets
interactions with few rows better than trees that grow leaf by leaf, because no leaf can be cut out for a
handful of rows; that is what CatBoost [1]_ is known for. Here are its trees with Newton leaves and Bayesian
bootstrap weights, on features in at most 64 bins, for the three losses this package needs.

References
----------
.. [1] L. Prokhorenkova et al. (2018), CatBoost: unbiased boosting with categorical features, NeurIPS.
.. [2] D. B. Rubin (1981), The Bayesian bootstrap, Annals of Statistics 9(1).
.. [3] J. H. Friedman (2001), Greedy function approximation: a gradient boosting machine, Annals of Statistics
   29(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.compiled import compiled
from dealwright.plan.prediction.design import Design
from dealwright.stats.arrays import Floats
from dealwright.stats.links import logit, sigmoid
from dealwright.stats.metrics import Target

_BINS = 64
_DEPTH = 6
_LEAVES = 2**_DEPTH
_TREES = 300
_RATE = 0.04
_RIDGE = 3.0
_TREE_ROWS = 8_000  # a tree is grown on at most so many rows, drawn anew
_TREE_FEATURES = 32  # and on half of the features, but no fewer than these
_INDICATORS = 10  # categories with more levels become one number each: the shrunken mean label of the level
_LEVEL_ROWS = 20.0
_ENCODING_FOLDS = 10
_MOST_SCORE = 30.0


@dataclass(frozen=True, slots=True)
class Encoder:
    """From a design to bins."""

    edges: tuple[Floats, ...]  # upper edges of the bins of each column: numbers first, then categories
    # per category column with many levels: mean label by code, the last one for missing; else empty
    means: tuple[Floats, ...]

    @classmethod
    def fitted(
        cls, design: Design, target: Floats, rng: np.random.Generator
    ) -> tuple[Self, NDArray[np.uint8]]:
        """Learn bins and levels' means; return also the bins of the rows learned from.

        A row's own label is not in the mean of its level: else a level of few rows would give it away.
        """
        fold = rng.permutation(len(design)) % _ENCODING_FOLDS
        means, columns = [], [_numbers_and_indicators(design)]
        for j, count in enumerate(design.level_counts):
            if count + 2 <= _INDICATORS:
                means.append(np.empty(0))
                continue
            codes = design.codes[:, j].astype(np.intp)
            means.append(_level_means(codes, target, count))
            own = np.empty(len(design))
            for k in range(_ENCODING_FOLDS):
                others = fold != k
                own[~others] = _level_means(codes[others], target[others], count)[codes[~others]]
            columns.append(own[:, None])
        encoder = cls((), tuple(means))
        matrix = np.column_stack(columns)
        edges = tuple(_edges(column) for column in matrix.T)
        return cls(edges, encoder.means), _binned(matrix, edges)

    def bins(self, design: Design) -> NDArray[np.uint8]:
        """Return the bins of rows, features × rows; 0 is missing."""
        encoded = [
            mean[design.codes[:, j].astype(np.intp)][:, None]
            for j, mean in enumerate(self.means)
            if len(mean)
        ]
        return _binned(np.column_stack([_numbers_and_indicators(design), *encoded]), self.edges)


@dataclass(frozen=True, slots=True)
class SymmetricTrees:
    """Fitted trees on the link scale: logit of a probability, log of a spend, an amount as it is."""

    kind: Target
    base: float
    encoder: Encoder
    # trees × depth: the question of each level is whether a feature's bin is above a threshold
    features: NDArray[np.int32]
    thresholds: NDArray[np.uint8]
    leaves: Floats  # trees × 2^depth: what each combination of answers adds to the score

    @classmethod
    def fitted(cls, design: Design, target: Floats, kind: Target, rng: np.random.Generator) -> Self:
        """Fit by gradient boosting [3]_ of log loss, Poisson deviance (a mean of spend ≥ 0) or squares."""
        encoder, bins = Encoder.fitted(design, target, rng)
        mean = float(target.mean())
        # a spend is learned in multiples of its mean, an amount in standard deviations: one ridge fits all
        scale = {"probability": 1.0, "spend": mean, "amount": max(float(target.std()), 1e-12)}[kind]
        base = {"probability": float(logit(mean)), "spend": 0.0, "amount": mean / scale}[kind]
        features, thresholds, leaves = _grown(bins, target / scale, kind, base, rng)
        if kind == "spend":
            base += float(np.log(scale))
        elif kind == "amount":
            base, leaves = base * scale, leaves * scale
        return cls(kind, base, encoder, features, thresholds, leaves)

    def predict(self, design: Design) -> Floats:
        """Return the probability of label 1, or the mean."""
        bins = self.encoder.bins(design)
        score = np.full(len(design), self.base)
        for tree in zip(self.features, self.thresholds, self.leaves, strict=True):
            _add(bins, *tree, score)
        if self.kind == "probability":
            return sigmoid(score)
        return np.asarray(np.exp(np.clip(score, -50.0, 50.0))) if self.kind == "spend" else score


def _numbers_and_indicators(design: Design) -> Floats:
    """Return the numbers, and an indicator per level of the categories with few of them."""
    columns = [design.numeric.astype(np.float64)]
    for j, count in enumerate(design.level_counts):
        if count + 2 <= _INDICATORS:
            columns.append(
                np.asarray(
                    design.codes[:, j][:, None] == np.append(np.arange(count + 1), -1), dtype=np.float64
                )
            )
    return np.column_stack(columns)


def _level_means(codes: NDArray[np.intp], target: Floats, count: int) -> Floats:
    """Return the mean label by code, shrunk to the overall mean; the last one, at −1, is of missing."""
    places = np.where(codes < 0, count + 1, codes)
    rows = np.bincount(places, minlength=count + 2)
    total = np.bincount(places, weights=target, minlength=count + 2)
    return np.asarray((total + _LEVEL_ROWS * target.mean()) / (rows + _LEVEL_ROWS))


def _edges(column: Floats) -> Floats:
    present = column[np.isfinite(column)]
    if len(present) == 0:
        return np.empty(0)
    values = np.unique(present)
    if len(values) >= _BINS:
        values = np.unique(np.quantile(present, np.linspace(0.0, 1.0, _BINS)))
    return np.asarray((values[:-1] + values[1:]) / 2.0)


def _binned(matrix: Floats, edges: tuple[Floats, ...]) -> NDArray[np.uint8]:
    bins = np.empty((matrix.shape[1], len(matrix)), dtype=np.uint8)
    for j, edge in enumerate(edges):
        column = matrix[:, j]
        bins[j] = np.where(np.isnan(column), 0, np.searchsorted(edge, column, side="left") + 1)
    return bins


def _grown(
    bins: NDArray[np.uint8], target: Floats, kind: Target, base: float, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.uint8], Floats]:
    """Return the questions and leaves of all trees, each grown on what the ones before it left."""
    count, n = bins.shape
    widths = bins.max(axis=1, initial=0).astype(np.intp) + 1
    sums = np.empty((min(count, max(_TREE_FEATURES, count // 2)), _BINS + 1, 2, _LEAVES // 2))
    features = np.zeros((_TREES, _DEPTH), dtype=np.int32)
    thresholds = np.full((_TREES, _DEPTH), _BINS, dtype=np.uint8)
    leaves = np.zeros((_TREES, _LEAVES))
    score = np.full(n, base)
    rows, tried = np.arange(n), np.arange(count)
    for t in range(_TREES):
        if n > _TREE_ROWS:
            rows = np.sort(rng.choice(n, _TREE_ROWS, replace=False))
        if count > _TREE_FEATURES:
            tried = np.sort(rng.choice(count, max(_TREE_FEATURES, count // 2), replace=False))
        weight = rng.standard_exponential(len(rows))  # the Bayesian bootstrap [2]_
        mean, curve = _mean_and_curve(score[rows], kind)
        slope = weight * (target[rows] - mean)
        place = _questions(bins, rows, slope, weight, tried, widths, sums, features[t], thresholds[t])
        total = np.bincount(place, weights=slope, minlength=_LEAVES)
        leaves[t] = _RATE * total / (np.bincount(place, weights=weight * curve, minlength=_LEAVES) + _RIDGE)
        _add(bins, features[t], thresholds[t], leaves[t], score)
        if kind != "amount":
            np.clip(score, -_MOST_SCORE, _MOST_SCORE, out=score)
    return features, thresholds, leaves


def _mean_and_curve(score: Floats, kind: Target) -> tuple[Floats, Floats]:
    """Return the mean that a score says, and its slope there."""
    if kind == "probability":
        mean = sigmoid(score)
        return mean, mean * (1.0 - mean)
    mean = np.exp(score) if kind == "spend" else score
    return mean, mean if kind == "spend" else np.ones(len(score))


@compiled
def _questions(  # noqa: C901, PLR0917
    bins: Any,
    rows: Any,
    slope: Any,
    weight: Any,
    tried: Any,
    widths: Any,
    sums: Any,
    features: Any,
    thresholds: Any,
) -> Any:
    """Find the questions of one tree, write them down, and return each row's leaf.

    `sums` (features × bins × 2 × leaves) is where slopes and weights are added up. A question parts every
    leaf in two: the rows of the smaller side are added up, the other side is what they leave of the whole.
    """
    n, depth = len(rows), len(features)
    leaf = np.zeros(n, dtype=np.int64)
    total = np.empty((2, 1 << (depth - 1)))
    # the rows to add up, and into which of the new leaves: at first all of them into the only one
    count, low_side = n, False
    # (unsigned, so that no index is looked at for being negative: most of the time goes into these sums)
    row, new, added = rows.astype(np.uint32), np.zeros(n, dtype=np.uint32), np.empty((n, 2))
    added[:, 0], added[:, 1] = slope, weight
    for level in range(depth):
        leaves = 1 << level
        total[:] = 0.0
        for i in range(n):
            total[0, leaf[i]] += slope[i]
            total[1, leaf[i]] += weight[i]
        best, feature, threshold = 0.0, -1, 0
        for t in range(len(tried)):
            _clear(sums[t, : widths[tried[t]]], leaves >> 1)
        _add_up(bins, row[:count], new, added, tried, sums)
        for t in range(len(tried)):
            f = tried[t]
            if level > 0:
                _leave_the_rest(sums[t, : widths[f]], leaves >> 1, low_side)
            gain, edge = _best_edge(sums[t, : widths[f]], total, leaves)
            if gain > best * (1.0 + 1e-12):
                best, feature, threshold = gain, f, edge
        if feature < 0:
            break
        features[level], thresholds[level] = feature, threshold
        high = 0
        for i in range(n):
            high += bins[feature, rows[i]] > threshold
        count, low_side = 0, 2 * high > n
        for i in range(n):
            above = bins[feature, rows[i]] > threshold
            if above != low_side:
                row[count], new[count] = rows[i], leaves + leaf[i]
                added[count, 0], added[count, 1] = slope[i], weight[i]
                count += 1
            if above:
                leaf[i] += leaves
    return leaf


@compiled
def _clear(sums: Any, first: Any) -> None:
    """Forget the sums of the leaves from `first` on."""
    for b in range(len(sums)):
        for k in range(first, max(2 * first, 1)):
            sums[b, 0, k] = sums[b, 1, k] = 0.0


@compiled
def _add_up(  # noqa: PLR0917
    bins: Any, rows: Any, leaf: Any, added: Any, tried: Any, sums: Any
) -> None:
    """Add up slopes and weights of every feature tried by bin and leaf."""
    fours = len(tried) - len(tried) % 4
    for t in range(0, fours, 4):
        _add_up_four(bins, rows, leaf, added, tried[t : t + 4], sums[t : t + 4])
    for t in range(fours, len(tried)):
        column, cells = bins[tried[t]], sums[t]
        for i in range(len(rows)):
            b, k = np.uintp(column[np.uintp(rows[i])]), np.uintp(leaf[i])
            cells[b, 0, k] += added[i, 0]
            cells[b, 1, k] += added[i, 1]


@compiled
def _add_up_four(  # noqa: PLR0917
    bins: Any, rows: Any, leaf: Any, added: Any, tried: Any, sums: Any
) -> None:
    """Add up four features at once.

    Rows that follow each other often share a sum, which then waits for itself: four at once wait together.
    """
    column_0, column_1, column_2, column_3 = bins[tried[0]], bins[tried[1]], bins[tried[2]], bins[tried[3]]
    sums_0, sums_1, sums_2, sums_3 = sums[0], sums[1], sums[2], sums[3]
    for i in range(len(rows)):
        r, k = np.uintp(rows[i]), np.uintp(leaf[i])
        slope, weight = added[i, 0], added[i, 1]
        b_0, b_1 = np.uintp(column_0[r]), np.uintp(column_1[r])
        b_2, b_3 = np.uintp(column_2[r]), np.uintp(column_3[r])
        sums_0[b_0, 0, k] += slope
        sums_0[b_0, 1, k] += weight
        sums_1[b_1, 0, k] += slope
        sums_1[b_1, 1, k] += weight
        sums_2[b_2, 0, k] += slope
        sums_2[b_2, 1, k] += weight
        sums_3[b_3, 0, k] += slope
        sums_3[b_3, 1, k] += weight


@compiled
def _leave_the_rest(sums: Any, half: Any, low_side: Any) -> None:
    """Part the sums of each leaf in two: one side stands in the second half, both together in the first."""
    for b in range(len(sums)):
        for j in range(2):
            cells = sums[b, j]
            if low_side:
                for k in range(half):
                    one = cells[half + k]
                    cells[half + k] = cells[k] - one
                    cells[k] = one
            else:
                for k in range(half):
                    cells[k] -= cells[half + k]


@compiled
def _best_edge(sums: Any, total: Any, leaves: Any) -> Any:
    """Return the best threshold of a feature when it parts all leaves, and how good it is.

    Rows count by their weight, not by the curve of the loss, which is flat where it is nearly certain.
    """
    low_g, low_h, part = np.zeros(leaves), np.full(leaves, _RIDGE), np.empty(leaves)
    all_g, all_h = total[0], total[1] + 2.0 * _RIDGE
    best, edge = 0.0, 0
    for b in range(len(sums) - 1):
        g, h = sums[b, 0], sums[b, 1]
        for k in range(leaves):
            low_g[k] += g[k]
            low_h[k] += h[k]
        for k in range(leaves):
            high_g, high_h = all_g[k] - low_g[k], all_h[k] - low_h[k]
            gain = low_g[k] * low_g[k] * high_h + high_g * high_g * low_h[k]
            part[k] = gain / (low_h[k] * high_h)
        gain = 0.0
        for k in range(leaves):
            gain += part[k]
        if gain > best:
            best, edge = gain, b
    return best, edge


@compiled
def _add(bins: Any, features: Any, thresholds: Any, leaves: Any, score: Any) -> None:
    """Add one tree's answer to each row's score."""
    for row in range(len(score)):
        place = 0
        for level in range(len(features)):
            if bins[features[level], row] > thresholds[level]:
                place |= 1 << level
        score[row] += leaves[place]
