"""Off-policy evaluation: what another policy would have earned, from the decisions that were made.

Every assignment's propensity (the probability with which the policy at work chose that agent) is on record;
where it was 1 throughout, nothing can be said about other choices, and the effective sample size shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dealwright.errors import EvidenceError, InputError
from dealwright.stats.arrays import Floats
from dealwright.stats.metrics import Estimate, mean_with_interval


@dataclass(frozen=True)
class PolicyValue:
    """Estimated mean reward per lead of a policy, by three estimators, with what was actually earned."""

    outcomes: int
    logged: Estimate  # mean reward under the policy that was at work
    # inverse propensity scoring, and self-normalised
    ips: Estimate
    snips: Estimate
    # reward model corrected by inverse propensity scoring: right if either of the two is; None without a
    # model
    doubly_robust: Estimate | None
    # `(sum w)^2 / sum w^2` of the importance weights: how many outcomes the estimate is really based on
    effective_outcomes: float

    def summary(self) -> str:
        """Say what the policy would have earned against what was earned."""
        best = self.doubly_robust or self.snips
        return (
            f"earned per lead: {self.logged}; the policy would have earned {best} "
            f"({self.outcomes:,} outcomes, worth {self.effective_outcomes:,.0f} for this policy)"
        )


def estimate_policy_value(
    reward: Floats,
    logged_propensity: Floats,
    policy_propensity: Floats,
    *,
    predicted_logged: Floats | None = None,
    predicted_policy: Floats | None = None,
    largest_weight: float = 20.0,
    resamples: int = 1000,
    seed: int = 0,
) -> PolicyValue:
    """Estimate a policy's value from logged decisions.

    Source: Dudik, Langford & Li (2011), "Doubly Robust Policy Evaluation and Learning"; self-normalised:
    Swaminathan & Joachims (2015). Weights are clipped at ``largest_weight`` (Ionides 2008), which trades a
    little bias towards the logged policy for much less variance.

    Parameters
    ----------
    reward
        Shape (outcomes,): won, or money.
    logged_propensity, policy_propensity
        Shape (outcomes,): probability of the agent that was chosen, under the policy at work and under the
        other one.
    predicted_logged
        Shape (outcomes,): the reward a model predicts for the agent that was chosen.
    predicted_policy
        Shape (outcomes,): the reward it predicts under the other policy, averaged over that policy's choices.

    Raises
    ------
    InputError
        Lengths differ, or a propensity is not above 0 and at most 1.
    EvidenceError
        The other policy never makes a choice that was made.
    """
    parts = [logged_propensity, policy_propensity, predicted_logged, predicted_policy]
    if any(part is not None and len(part) != len(reward) for part in parts) or len(reward) == 0:
        raise InputError("rewards, propensities and predictions must be equally long, and there must be some")
    if not ((logged_propensity > 0) & (logged_propensity <= 1)).all():
        raise InputError(
            "every logged propensity must be above 0 and at most 1: it is that of the choice that was made"
        )
    if not ((policy_propensity >= 0) & (policy_propensity <= 1)).all():
        raise InputError("every policy propensity must lie between 0 and 1")
    weight = np.minimum(policy_propensity / logged_propensity, largest_weight)
    if not weight.any():
        raise EvidenceError(
            "the policy would never have chosen as was chosen: nothing can be said about its value"
        )
    rng = np.random.default_rng(seed)
    snips_value = float((weight * reward).sum() / weight.sum())
    # linearised around the ratio, so that its interval is that of a mean
    influence = snips_value + weight * (reward - snips_value) / weight.mean()
    robust = None
    if predicted_logged is not None and predicted_policy is not None:
        robust = mean_with_interval(predicted_policy + weight * (reward - predicted_logged), resamples, rng)
    return PolicyValue(
        outcomes=len(reward),
        logged=mean_with_interval(reward, resamples, rng),
        ips=mean_with_interval(weight * reward, resamples, rng),
        snips=mean_with_interval(influence, resamples, rng),
        doubly_robust=robust,
        effective_outcomes=float(weight.sum() ** 2 / (weight**2).sum()),
    )
