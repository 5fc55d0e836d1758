"""Numbers in sentences, said the same way everywhere."""

from __future__ import annotations

import math


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun: ``1 outcome``, ``2,000 outcomes``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def describe_p(p_value: float, draws: int | None = None) -> str:
    """Write a p-value: ``p = 0.04``.

    Parameters
    ----------
    draws
        Shuffles or redraws it was counted from, if it was: at its least possible value it is a bound.
    """
    least = 1e-3 if draws is None else 1.0 / (draws + 1)
    if draws is None and p_value < least:
        return "p < 0.001"
    if p_value <= least * (1 + 1e-9):
        return f"p ≤ {math.ceil(round(least * 1e3, 6)) / 1e3:.3f}"
    return f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"
