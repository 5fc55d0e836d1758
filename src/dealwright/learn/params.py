"""Parameters of learning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from dealwright.errors import InputError


@dataclass(frozen=True)
class LearnParams:
    """How the match model is fitted and judged.

    Attributes
    ----------
    alpha
        Level of the test whether agents differ. Well below 5 %, so that the false alarm rate is below 5 %
        with certainty and a model that is trained every night does not see differences every third week.
    permutations
        How often outcomes are shuffled among comparable leads; fewer when there are very many outcomes.
    worthwhile_sd
        Spread of the agents' log-odds worth finding; ``needed_outcomes`` is for this one.
    large_sd, least_power
        Where not even a spread of ``large_sd`` would be found with at least this probability, there is too
        little data.
    target_power
        Probability with which ``needed_outcomes`` would find a spread of ``worthwhile_sd``.
    revenue_alone
        Let the model tell agents apart by revenue per win where it cannot by win rate. Off by default: the
        desk then keeps all agents alike, and the evidence still reports the difference.
    first_share, folds
        Out-of-time evaluation: the model is first fitted to this share of the outcomes, then again before
        each of as many further blocks, and predicts each block from what was known before.
    bootstrap
        Resamples for the intervals of metrics.
    """

    alpha: float = 0.01
    permutations: int = 999
    worthwhile_sd: float = 0.3
    large_sd: float = 0.6
    least_power: float = 0.5
    target_power: float = 0.8
    revenue_alone: bool = False
    first_share: float = 0.5
    folds: int = 5
    bootstrap: int = 1000

    def __post_init__(self) -> None:
        for name in ("alpha", "least_power", "target_power", "first_share"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        if self.permutations < 1 / self.alpha:
            raise InputError(
                f"{self.permutations} permutations cannot show a p-value below alpha = {self.alpha}: "
                f"take at least {int(1 / self.alpha)}"
            )
        if self.folds < 1 or self.bootstrap < 10:
            raise InputError("folds must be at least 1 and bootstrap at least 10")
