"""What a policy would have earned on logged decisions: the doubly robust estimate, with its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PolicyValue:
    """Mean outcome per row under a policy, and the standard error of that."""

    value: float
    error: float


def policy_value(
    outcome: NDArray[np.float64],
    done: NDArray[np.int64],
    propensity: NDArray[np.float64],
    predicted: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> PolicyValue:
    """Estimate what a deterministic policy would have earned (Dudík, Langford & Li 2011, eq. 3).

    Unbiased when either the propensities or the predictions are right.

    Parameters
    ----------
    outcome : what was earned, shape (rows,).
    done : index of what was done.
    propensity, predicted : shape (rows, choices): probability that the log chose it; predicted outcome of it,
        by a model that did not see the row.
    chosen : index of what the policy would do.
    """
    rows = np.arange(outcome.size)
    direct = predicted[rows, chosen]
    matched = done == chosen
    weight = np.where(matched, 1.0 / np.where(matched, propensity[rows, chosen], 1.0), 0.0)
    scores = direct + weight * (outcome - direct)
    return PolicyValue(float(scores.mean()), float(scores.std() / np.sqrt(max(scores.size, 1))))
