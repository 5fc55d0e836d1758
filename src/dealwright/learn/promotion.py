"""The promotion rule: a challenger takes over only if it predicts later outcomes better, beyond chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dealwright.errors import InputError
from dealwright.stats.arrays import Floats
from dealwright.stats.metrics import Estimate, mean_with_interval, row_log_losses
from dealwright.wording import count_of

_LEAST_OUTCOMES = 50


@dataclass(frozen=True)
class Comparison:
    """Challenger against champion on the same later outcomes."""

    # the challenger's log loss is lower, and the 95 % interval of the paired difference excludes 0
    beats: bool
    outcomes: int
    # challenger's mean log loss minus champion's, in nats; None where there are too few outcomes
    difference: Estimate | None
    # mean log losses, in nats
    champion_log_loss: float
    challenger_log_loss: float

    def summary(self) -> str:
        """Say in a sentence whether the challenger wins, and by how much."""
        if self.difference is None:
            seen = count_of(self.outcomes, "later outcome")
            return f"only {seen}: {_LEAST_OUTCOMES} are needed to compare models"
        verdict = "better" if self.beats else "not clearly better"
        return (
            f"on {count_of(self.outcomes, 'later outcome')} the challenger is {verdict}: log loss "
            f"{self.challenger_log_loss:.4f} against {self.champion_log_loss:.4f}, "
            f"difference {self.difference}"
        )


def beats(
    won: Floats, challenger: Floats, champion: Floats, *, seed: int = 0, resamples: int = 1000
) -> Comparison:
    """Compare two models' win probabilities on outcomes that neither was trained on.

    Paired, so that what makes an outcome hard to predict cancels out; the interval is the bootstrap's.

    Parameters
    ----------
    won, challenger, champion
        Shape (outcomes,): 1 or 0, and each model's probability.

    Raises
    ------
    InputError
        The three are not equally long.
    """
    if not len(won) == len(challenger) == len(champion):
        raise InputError(
            f"the models must be compared on the same outcomes: {len(won)} outcomes, {len(challenger)} and "
            f"{len(champion)} probabilities"
        )
    new, old = row_log_losses(won, challenger), row_log_losses(won, champion)
    enough = len(won) >= _LEAST_OUTCOMES
    difference = mean_with_interval(new - old, resamples, np.random.default_rng(seed)) if enough else None
    return Comparison(
        beats=difference is not None and difference.high < 0,
        outcomes=len(won),
        difference=difference,
        champion_log_loss=float(old.mean()) if len(won) else float("nan"),
        challenger_log_loss=float(new.mean()) if len(won) else float("nan"),
    )
