"""Off-policy estimates against policies whose true value is known."""

from __future__ import annotations

import numpy as np
import pytest

from dealwright.errors import EvidenceError, InputError
from dealwright.learn.off_policy import estimate_policy_value


def logged_decisions(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Three agents with win rates .3, .5, .7, chosen .5, .3, .2 of the time; the other policy: .1, .2, .7."""
    rng = np.random.default_rng(seed)
    logging, target, rate = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7]), np.array([0.3, 0.5, 0.7])
    agent = rng.choice(3, size=n, p=logging)
    reward = (rng.random(n) < rate[agent]).astype(float)
    wrong_model = np.array([0.5, 0.5, 0.5])
    return (
        reward,
        logging[agent],
        target[agent],
        wrong_model[agent],
        np.full(n, target @ wrong_model),
        np.full(n, target @ rate),
    )


def test_estimators_find_the_value_even_with_a_wrong_model() -> None:
    covered = np.zeros(3)
    for seed in range(100):
        reward, logging, target, at_choice, under_policy, truth = logged_decisions(1500, seed)
        found = estimate_policy_value(
            reward, logging, target, predicted_logged=at_choice, predicted_policy=under_policy, resamples=200
        )
        assert found.doubly_robust is not None
        estimates = (found.ips, found.snips, found.doubly_robust)
        covered += [e.low <= truth[0] <= e.high for e in estimates]
        assert all(e.value == pytest.approx(truth[0], abs=0.12) for e in estimates)
    assert (covered >= 87).all()


def test_the_logged_policy_is_worth_what_it_earned() -> None:
    reward, logging, _, _, _, _ = logged_decisions(500, 1)
    found = estimate_policy_value(reward, logging, logging)
    assert found.ips.value == found.snips.value == pytest.approx(reward.mean())
    assert found.effective_outcomes == pytest.approx(500)
    assert found.doubly_robust is None
    assert "500 outcomes, worth 500" in found.summary()


def test_what_cannot_be_said_is_refused() -> None:
    ones = np.ones(5)
    with pytest.raises(EvidenceError, match="never have chosen"):
        estimate_policy_value(ones, ones, np.zeros(5))
    with pytest.raises(InputError, match="logged propensity"):
        estimate_policy_value(ones, np.zeros(5), ones)
    with pytest.raises(InputError, match="equally long"):
        estimate_policy_value(ones, np.ones(4), ones)
    with pytest.raises(InputError, match="policy propensity"):
        estimate_policy_value(ones, ones, ones * 2)
