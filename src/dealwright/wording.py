"""Numbers in sentences, said the same way everywhere."""

from __future__ import annotations

import math
from typing import Final

NOT_KNOWN: Final = "not known"


def write_number(value: float | None, digits: int = 0) -> str:
    """Write a number; what rounds to zero has no sign, what is not known says so."""
    return NOT_KNOWN if value is None or math.isnan(value) else f"{value:z,.{digits}f}"


def write_eur(value: float | None, digits: int = 0) -> str:
    """Write an amount: ``€1,200``, ``−€5``, ``not known``."""
    if value is None or math.isnan(value):
        return NOT_KNOWN
    amount = f"{abs(value):,.{digits}f}"
    return f"−€{amount}" if value < 0 and float(amount.replace(",", "")) else f"€{amount}"


def write_share(value: float | None, digits: int = 0) -> str:
    """Write a share in per cent; only nothing is 0 %, and only all is 100 %.

    Anything between that rounds to one of them is written as a bound: ``<1%``, ``>99.9%``.
    """
    if value is None or math.isnan(value):
        return NOT_KNOWN
    step = 10.0**-digits
    shown = round(100.0 * value, digits)
    if value > 0 and shown <= 0:
        return f"<{step:.{digits}f}%"
    if value < 1 and shown >= 100:
        return f">{100.0 - step:.{digits}f}%"
    return f"{shown:z,.{digits}f}%"


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
