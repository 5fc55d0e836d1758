"""The promotion rule."""

from __future__ import annotations

import numpy as np
import pytest

from dealwright.errors import InputError
from dealwright.learn.promotion import beats


def test_a_better_model_takes_over_and_a_worse_one_does_not() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.2, 0.9, 2000)
    won = (rng.random(2000) < truth).astype(float)
    flat = np.full(2000, won.mean())
    assert beats(won, truth, flat).beats
    assert not beats(won, flat, truth).beats
    found = beats(won, truth, flat)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(found.challenger_log_loss - found.champion_log_loss)
    assert "challenger is better" in found.summary()


def test_equal_models_hardly_ever_replace_each_other() -> None:
    taken = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(0.2, 0.9, 400)
        won = (rng.random(400) < truth).astype(float)
        noise = rng.normal(0, 0.05, (2, 400))
        taken += beats(
            won, np.clip(truth + noise[0], 0.01, 0.99), np.clip(truth + noise[1], 0.01, 0.99), resamples=200
        ).beats
    assert taken <= 13  # 2.5 % expected, one-sided


def test_few_outcomes_keep_the_champion() -> None:
    found = beats(np.ones(10), np.full(10, 0.99), np.full(10, 0.01))
    assert not found.beats
    assert "only 10 later outcomes" in found.summary()
    with pytest.raises(InputError, match="same outcomes"):
        beats(np.ones(10), np.ones(9), np.ones(10))
