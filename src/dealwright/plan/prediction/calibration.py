"""Make probabilities mean what they say: a logistic correction of the log odds.

References
----------
.. [1] J. Platt (1999), Probabilistic outputs for support vector machines, in its form on log odds: D. R.
Cox (1958),
   Two further applications of a model for binary regression, Biometrika 45.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.prediction.candidates import inverse_logit
from dealwright.stats.links import logit

Floats = NDArray[np.float64]

_PRIOR_ROWS = 20.0  # rows' worth of trust in the probabilities as they are
_STEPS = 25


@dataclass(frozen=True, slots=True)
class Calibration:
    """New log odds = `shift` + `slope` × log odds; (0, 1) changes nothing."""

    shift: float = 0.0
    slope: float = 1.0

    def apply(self, probability: Floats) -> Floats:
        """Return the corrected probabilities; the order never changes (`slope` is positive)."""
        if self.shift == 0.0 and self.slope == 1.0:
            return probability
        return inverse_logit(self.shift + self.slope * logit(probability))

    @classmethod
    def fitted(cls, label: Floats, probability: Floats) -> Self:
        """Fit shift and slope by penalised maximum likelihood (Newton's method), drawn towards no change."""
        if label.min() == label.max():
            return cls()
        x = logit(probability)
        spread = max(float(x.std()), 1e-6)
        z = (x - x.mean()) / spread
        matrix = np.column_stack([np.ones_like(z), z])
        prior = np.array([float(x.mean()), spread])  # the identity, in these coordinates
        weights = prior.copy()
        precision = np.diag([0.0, _PRIOR_ROWS * 0.25])
        for _ in range(_STEPS):
            p = inverse_logit(matrix @ weights)
            gradient = matrix.T @ (label - p) - precision @ (weights - prior)
            curvature = (matrix * (p * (1 - p))[:, None]).T @ matrix + precision + 1e-9 * np.eye(2)
            step = np.linalg.solve(curvature, gradient)
            weights = weights + np.clip(step, -2.0, 2.0)
            if np.abs(step).max() < 1e-9:
                break
        slope = float(weights[1]) / spread
        if not np.isfinite(weights).all() or slope <= 0:
            return cls()
        return cls(float(weights[0] - weights[1] * x.mean() / spread), slope)

    @classmethod
    def ahead(cls, before: Self, label: Floats, probability: Floats) -> Self:
        """Return a calibration for later rows than any that were learned from.

        How far log odds spread is what earlier models showed on rows later than theirs (the slope of
        `before`); the level is that of the most recent rows, whose label and probability by the present model
        are given.
        """
        x = before.slope * logit(probability)
        shift = 0.0
        for _ in range(_STEPS):
            p = inverse_logit(shift + x)
            step = float((label - p).sum() / max(float((p * (1 - p)).sum()), 1e-9))
            shift += float(np.clip(step, -2.0, 2.0))
            if abs(step) < 1e-9:
                break
        n = len(label)
        return cls(shift * n / (n + _PRIOR_ROWS), before.slope)
