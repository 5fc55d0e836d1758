"""Isolation Forest: how few random cuts set a row apart from the others.

All trees grow together, level by level, as arrays; a tree is a complete binary tree of its cuts.

References
----------
.. [1] F. T. Liu, K. M. Ting & Z.-H. Zhou (2008), Isolation Forest, ICDM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.compiled import compiled
from dealwright.stats.arrays import Floats, Ints

_TREE_ROWS: Final = 256
_EULER: Final = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class IsolationForest:
    """Fitted trees."""

    # trees × inner nodes: a row goes right where this feature is above the threshold. The children of node
    # `k` are `2 k + 1` and `2 k + 2`; where a node is not cut, all rows go left.
    features: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    # trees × leaves: the length of the path to each leaf, with what the rows left in it would add
    lengths: Floats
    usual: float  # the mean length of a path, by which lengths are measured

    @classmethod
    def fitted(cls, rows: NDArray[np.float32], trees: int, rng: np.random.Generator) -> Self:
        """Grow trees, each on at most 256 of the rows, drawn anew."""
        n, count = rows.shape
        few = min(n, _TREE_ROWS)
        depth = int(np.ceil(np.log2(max(few, 2))))
        chosen = np.concatenate([rng.choice(n, few, replace=False) for _ in range(trees)])
        inner = 2**depth - 1
        features = np.zeros((trees, inner), dtype=np.int32)
        thresholds = np.full((trees, inner), np.inf, dtype=np.float32)
        cuts = np.zeros((trees, 2 * inner + 1), dtype=np.intp)  # on the way to each node
        tree, node = np.repeat(np.arange(trees), few), np.zeros(trees * few, dtype=np.intp)
        for _ in range(depth):
            # rows of one node stand next to each other; nodes are numbered in that order
            place = np.argsort(tree * 2**depth + node, kind="stable")
            tree, node, chosen = tree[place], node[place], chosen[place]
            begins = np.flatnonzero(np.diff(tree * 2**depth + node, prepend=-1))
            owner = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(node)))
            low = np.minimum.reduceat(rows[chosen], begins)
            high = np.maximum.reduceat(rows[chosen], begins)
            # a feature at random among those that differ, and a threshold at random between its ends
            feature = np.where(high > low, rng.random((len(begins), count)), -1.0).argmax(axis=1)
            at = np.arange(len(begins))
            low, high = low[at, feature], high[at, feature]
            threshold = (low + (high - low) * rng.random(len(begins), dtype=np.float32)).astype(np.float32)
            threshold = np.where(high > low, np.minimum(threshold, np.nextafter(high, low)), np.inf)
            of, number = tree[begins], node[begins]
            features[of, number], thresholds[of, number] = feature, threshold
            cuts[of, 2 * number + 1] = cuts[of, 2 * number + 2] = cuts[of, number] + (high > low)
            right = rows[chosen, feature[owner]] > threshold[owner]
            node = 2 * node + 1 + right
        leaves = np.zeros((trees, inner + 1), dtype=np.int64)
        np.add.at(leaves, (tree, node - inner), 1)
        lengths = cuts[:, inner:] + _mean_length(leaves)
        return cls(features, thresholds, lengths, float(_mean_length(np.array([few]))[0]))

    def scores(self, rows: NDArray[np.float32]) -> Floats:
        """Return how odd each row is: 0.5 is usual, towards 1 it takes few cuts to set the row apart."""
        total = np.zeros(len(rows))
        _add_lengths(rows, self.features, self.thresholds, self.lengths, total)
        return np.asarray(2.0 ** (-total / len(self.features) / self.usual))


def _mean_length(rows: Ints) -> Floats:
    """Return the mean path of a tree that sets so many rows apart (equation 1 of [1]_)."""
    some = np.maximum(rows, 3).astype(np.float64)
    many = 2.0 * (np.log(some - 1.0) + _EULER) - 2.0 * (some - 1.0) / some
    return np.where(rows > 2, many, np.where(rows == 2, 1.0, 0.0))


@compiled
def _add_lengths(rows: Any, features: Any, thresholds: Any, lengths: Any, total: Any) -> None:
    inner = features.shape[1]
    for tree in range(len(features)):
        for row in range(len(rows)):
            node = 0
            while node < inner:
                above = rows[row, features[tree, node]] > thresholds[tree, node]
                node = 2 * node + (2 if above else 1)
            total[row] += lengths[tree, node - inner]
