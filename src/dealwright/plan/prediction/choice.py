"""Which candidate may predict: the best one, if it beats every baseline and chance.

References
----------
.. [1] B. Phipson & G. K. Smyth (2010), Permutation p-values should never be zero, Statistical Applications in
   Genetics and Molecular Biology 9(1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dealwright.plan.prediction.candidates import CandidateSet
from dealwright.plan.prediction.validation import Comparison
from dealwright.stats.arrays import Floats
from dealwright.stats.links import logit
from dealwright.stats.metrics import Target

PERMUTATIONS = 199
SIGNIFICANCE = 0.01
_BEATS_Z = 1.645  # one-sided 95 %


@dataclass(frozen=True, slots=True)
class Improvement:
    """How much less loss per row one model has than another, with its standard error over the rows."""

    mean: float
    error: float

    @property
    def is_real(self) -> bool:
        """Whether the gain is larger than chance at one-sided 95 %."""
        return self.mean > _BEATS_Z * self.error


def improvement(loss: Floats, reference: Floats) -> Improvement:
    """Compare two models by their losses on the same rows."""
    difference = reference - loss
    error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else float("inf")
    return Improvement(float(difference.mean()), error)


@dataclass(frozen=True)
class Choice:
    """The candidate that may predict, and why."""

    best: str  # the candidate with the least loss, baselines apart
    champion: str  # the one that is used: `best`, or a baseline where `best` does not earn its place
    fallback: str | None  # why it is a baseline, else `None`
    table: Mapping[str, Mapping[str, float]]  # candidate -> mean loss and gain over the base rate
    p_value: float  # probability of the champion's fit to the labels under shuffled labels

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as plain values."""
        return {
            "best": self.best,
            "champion": self.champion,
            "fallback": self.fallback,
            "permutation_p_value": self.p_value,
            "candidates": {name: dict(row) for name, row in self.table.items()},
        }


def choose(comparison: Comparison, line: CandidateSet, rng: np.random.Generator) -> Choice:
    """Choose the candidate with the least loss; a baseline unless it is beaten beyond chance."""
    losses = comparison.losses(line)
    base = losses["base_rate"]
    table = {}
    for name, loss in losses.items():
        over_base = improvement(loss, base)
        table[name] = {
            "loss": float(loss.mean()),
            "gain_over_base_rate": over_base.mean,
            "gain_error": over_base.error,
        }
    contenders = [name for name in losses if name not in line.baselines]
    baseline = min(line.baselines, key=lambda name: table[name]["loss"])
    best = min(contenders, key=lambda name: table[name]["loss"]) if contenders else baseline
    reasons: list[str] = []
    # the baseline is the strongest one, and the base rate is among them
    for name, rival in ((best, baseline), (baseline, "base_rate")):
        if name == rival:
            continue
        edge = improvement(losses[name], losses[rival])
        p_value = permutation_p_value(comparison.target, comparison.predictions[name], line.kind, rng)
        if edge.is_real and p_value <= SIGNIFICANCE:
            return Choice(best, name, "; ".join(reasons) or None, table, p_value)
        reasons.append(
            f"{name} does not beat {rival} beyond chance "
            f"(gain {edge.mean:.4g} ± {edge.error:.2g} per row, permutation p = {p_value:.3f})"
        )
    return Choice(best, "base_rate", "; ".join(reasons) or "only the base rate can be used", table, 1.0)


def permutation_p_value(target: Floats, predicted: Floats, kind: Target, rng: np.random.Generator) -> float:
    """Return the share of shuffled labels these predictions fit as well as the true ones.

    The true labels count as one shuffle [1]_. Every loss here is linear in the label but for a term without
    the prediction, so one inner product per shuffle is enough.
    """
    if kind == "probability":
        weight = logit(predicted)
    elif kind == "spend":
        weight = -1.0 / np.sqrt(np.maximum(predicted, 1e-3 * max(float(target.mean()), 1e-12)))
    else:
        weight = predicted
    if np.ptp(weight) == 0:
        return 1.0
    actual = float(target @ weight)
    shuffled = np.array([rng.permutation(target) @ weight for _ in range(PERMUTATIONS)])
    # sums in another order differ in the last digits
    return float((1 + np.count_nonzero(shuffled >= actual - 1e-9 * abs(actual))) / (1 + PERMUTATIONS))
