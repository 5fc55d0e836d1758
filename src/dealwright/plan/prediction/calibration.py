"""Make probabilities mean what they say: a logistic correction of the log odds.

References
----------
.. [1] J. Platt (1999), Probabilistic outputs for support vector machines, in its form on log odds: D. R.
Cox (1958),
   Two further applications of a model for binary regression, Biometrika 45.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from dealwright.plan.prediction.candidates import inverse_logit
from dealwright.stats.arrays import Floats
from dealwright.stats.glm import fit_glm
from dealwright.stats.links import logit

_BIN_ROWS: Final = 60  # rows a bin needs to say something
_MOST_BINS: Final = 10
_Z_90: Final = 1.6448536269514722
_PRIOR_ROWS = 20.0  # rows' worth of trust in the probabilities as they are


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
        """Fit shift and slope by penalised maximum likelihood drawn towards no change."""
        if label.min() == label.max():
            return cls()
        x = logit(probability)
        spread = max(float(x.std()), 1e-6)
        z = (x - x.mean()) / spread
        matrix = np.column_stack([np.ones_like(z), z])
        prior = np.array([float(x.mean()), spread])  # the identity, in these coordinates
        fit = fit_glm(
            matrix,
            label,
            family="binomial",
            prior_mean=prior,
            prior_precision=np.array([1e-9, _PRIOR_ROWS / 4]),
        )
        weights = fit.weights
        slope = float(weights[1]) / spread
        if not np.isfinite(weights).all() or slope <= 0:
            return cls()
        return cls(float(weights[0] - weights[1] * x.mean() / spread), slope)

    @classmethod
    def ahead(cls, before: Self, label: Floats, probability: Floats) -> Self:
        """Return a calibration for later rows than any that were learned from.

        How far log odds spread is what earlier models showed on rows later than theirs (the slope of
        `before`), but no farther than they do: an earlier model may have been shrunk more than the present
        one. The level is that of the most recent rows, whose label and probability by the present model are
        given.
        """
        slope = min(before.slope, 1.0)
        x = slope * logit(probability)
        fit = fit_glm(
            np.ones((len(x), 1)), label, family="binomial", offset=x, prior_precision=_PRIOR_ROWS / 4
        )
        return cls(float(fit.weights[0]), slope)


def reliability(target: Floats, predicted: Floats) -> list[dict[str, float]]:
    """Say what became of rows with about the same predicted probability, which no model had seen.

    Returns
    -------
    Bins of equally many rows, in the order of the prediction: ``until`` (its largest prediction), ``rows``,
    ``share`` (of them with the outcome), and its 90 % interval ``low``, ``high`` (Wilson 1927).
    """
    known = np.isfinite(predicted)
    target, predicted = target[known], predicted[known]
    order = np.argsort(predicted, kind="stable")
    bins = min(_MOST_BINS, max(len(order) // _BIN_ROWS, 1)) if len(order) else 0
    found: list[dict[str, float]] = []
    for part in np.array_split(order, bins) if bins else ():
        rows, share = len(part), float(target[part].mean())
        centre = (share + _Z_90**2 / (2 * rows)) / (1 + _Z_90**2 / rows)
        half = (
            _Z_90 * math.sqrt(share * (1 - share) / rows + (_Z_90 / (2 * rows)) ** 2) / (1 + _Z_90**2 / rows)
        )
        found.append({
            "until": float(predicted[part].max()), "rows": rows, "share": share,
            "low": max(centre - half, 0.0), "high": min(centre + half, 1.0),
        })  # fmt: skip
    return found
