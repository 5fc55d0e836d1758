"""How accounts of the synthetic company respond to each action, and what was tried on them so far.

The probability of responding (an order credited to the touch within 30 days) is logistic in what a company
knows of an account at that moment; "nothing" has one too, so that the *effect* of an action differs from
its response rate. Responses are drawn on their own and do not change the order process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dealwright.schemas import ACTIONS, CHANNELS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# the channels each action can use, best first
ACTION_CHANNELS: Final = {
    "visit": ("field",),
    "retention_call": ("outbound_cc", "inbound_cc"),
    "upsell": ("outbound_cc", "ecom_assisted"),
    "cross_sell": ("ecom_assisted", "ecom_self", "outbound_cc"),
    "win_back": ("outbound_cc", "field"),
    "service_recovery": ("inbound_cc", "outbound_cc"),
    "reorder_reminder": ("ecom_self", "ecom_assisted"),
}
CHANNEL_COST_EUR: Final = dict(zip(CHANNELS, (45.0, 6.0, 4.0, 2.0, 0.2), strict=True))
PREFERRED_BONUS_LOGIT: Final = 0.35
RANDOMISED_SHARE: Final = 0.25


@dataclass(frozen=True)
class Situation:
    """What is known of each account at the moment of an action; arrays of equal length.

    Attributes
    ----------
    tier
        0 bronze to 3 platinum.
    log_size
        Logarithm of the number of employees over 20.
    engagement
        Digital engagement, centred: (score − 50) / 20.
    risk
        Logarithm of the hazard of leaving over its typical value.
    issue, tickets
        Whether there was a recent issue; support tickets in 90 days.
    interest
        Index of the product the account is interested in: 0 core, 1 premium, 2 services, 3 accessories.
    overdue
        Days since the last order in units of the account's own mean interval.
    rate
        Orders per day while alive.
    """

    tier: Ints
    log_size: Floats
    engagement: Floats
    risk: Floats
    issue: Bools
    tickets: Floats
    interest: Ints
    overdue: Floats
    rate: Floats

    def rows(self, index: Ints) -> Situation:
        """Return the situation of some rows (with repeats)."""
        return Situation(**{name: values[index] for name, values in vars(self).items()})


def _sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def response_probabilities(now: Situation) -> Floats:
    """Return the probability of responding to each of `ACTIONS`, (n, 8), without the channel's bonus."""
    late = np.clip(now.overdue, 0.0, 6.0)
    base = -2.1 + 0.35 * np.log(now.rate * 30.0) - 0.25 * late + 0.12 * now.tier - 0.2 * now.issue
    effect = {
        "nothing": np.zeros_like(base),
        "visit": 0.1 + 0.35 * now.tier + 0.22 * now.log_size - 0.3 * now.engagement,
        "retention_call": -0.25 + 0.75 * now.risk + 0.15 * late * (late < 4),
        "upsell": -0.15 + 0.5 * now.engagement + 0.55 * (now.interest == 1),
        "cross_sell": -0.1 + 0.7 * (now.interest >= 2) + 0.25 * now.engagement - 0.2 * now.issue,
        "win_back": -0.9 + 0.45 * late,
        "service_recovery": -0.7 + 1.5 * now.issue + 0.3 * np.minimum(now.tickets, 3.0),
        "reorder_reminder": -0.1 + 0.9 * ((late > 0.8) & (late < 2.5)) + 0.15 * now.engagement,
    }
    return _sigmoid(np.stack([base + effect[action] for action in ACTIONS], axis=1))


def with_channel(probability: Floats, preferred: Bools) -> Floats:
    """Add the bonus of being approached through the preferred channel to a probability of responding."""
    odds = probability / (1.0 - probability) * np.where(preferred, np.exp(PREFERRED_BONUS_LOGIT), 1.0)
    return odds / (1.0 + odds)


def usual_channel(preferred: Ints, consent: Bools) -> Ints:
    """Choose the channel for each action: the preferred one if the action can use it, else its best allowed.

    Parameters
    ----------
    preferred
        Index into `CHANNELS`, shape (n,).
    consent
        Shape (n, 5).

    Returns
    -------
    ndarray
        Shape (n, 8): index into `CHANNELS`; −1 for "nothing" and where no channel has consent.
    """
    chosen = np.full((preferred.size, len(ACTIONS)), -1)
    for column, action in enumerate(ACTIONS[1:], start=1):
        for name in reversed(ACTION_CHANNELS[action]):
            channel = CHANNELS.index(name)
            chosen[:, column] = np.where(consent[:, channel], channel, chosen[:, column])
        usable = np.isin(preferred, [CHANNELS.index(name) for name in ACTION_CHANNELS[action]])
        usable &= consent[np.arange(preferred.size), preferred]
        chosen[:, column] = np.where(usable, preferred, chosen[:, column])
    return chosen


def historical_policy(now: Situation, possible: Bools) -> Floats:
    """Return the probability with which the company's sales people took each action, shape (n, 8).

    They followed rules of thumb (big customers are visited, issues answered, silent ones called), except
    for a quarter of the touches, drawn evenly among the possible actions; so every possible action has a
    propensity.
    """
    late = np.clip(now.overdue, 0.0, 6.0)
    score = np.stack(
        [
            np.full_like(late, 0.9),
            -0.6 + 0.6 * now.tier,
            -0.3 + 0.5 * now.risk,
            0.3 * now.engagement,
            np.full_like(late, 0.1),
            -1.2 + 0.4 * late,
            -0.8 + 1.2 * now.issue,
            -0.2 + 0.5 * (late > 1.0),
        ],
        axis=1,
    )
    weight = np.where(possible, np.exp(score), 0.0)
    even = possible / possible.sum(axis=1, keepdims=True)
    rules = weight / weight.sum(axis=1, keepdims=True)
    return np.asarray((1.0 - RANDOMISED_SHARE) * rules + RANDOMISED_SHARE * even)


@dataclass(frozen=True)
class Touches:
    """Drawn touches: indices into `ACTIONS` and `CHANNELS` (−1: none), propensities, outcomes."""

    action: Ints
    channel: Ints
    propensity: Floats
    response: Bools
    rejected: Bools


def draw_touches(now: Situation, preferred: Ints, consent: Bools, rng: np.random.Generator) -> Touches:
    """Draw an action by the historical policy for each row of a situation, and the account's answer."""
    channels = usual_channel(preferred, consent)
    possible = channels >= 0
    possible[:, 0] = True
    policy = historical_policy(now, possible)
    draw = rng.random((preferred.size, 1))
    action = np.minimum((np.cumsum(policy, axis=1) < draw).sum(axis=1), len(ACTIONS) - 1)
    rows = np.arange(preferred.size)
    channel = channels[rows, action]
    answer = with_channel(response_probabilities(now)[rows, action], channel == preferred)
    response = rng.random(preferred.size) < answer
    # a plain no is said to a person, and more often by those who are content to be left alone
    rejected = ~response & (channel >= 0) & (rng.random(preferred.size) < 0.10)
    return Touches(action, channel, policy[rows, action], response, rejected)
