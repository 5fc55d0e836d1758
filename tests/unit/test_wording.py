"""Figures for people: no sign on zero, no certainty by rounding, and what is not known says so."""

from __future__ import annotations

import pytest

from dealwright.wording import write_eur, write_number, write_share


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (None, 0, "not known"), (float("nan"), 1, "not known"), (0.0, 1, "0.0%"), (1.0, 1, "100.0%"),
        (0.9956, 0, ">99%"), (0.9956, 1, "99.6%"), (0.99975, 1, ">99.9%"), (0.0003, 1, "<0.1%"),
        (0.004, 0, "<1%"), (0.125, 1, "12.5%"), (-0.10, 1, "-10.0%"), (-0.0001, 1, "0.0%"),
        (1.5, 0, "150%"),
    ],
)  # fmt: skip
def test_shares(value, digits, written):
    assert write_share(value, digits) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, "not known"), (-0.3, "€0"), (-5.2, "−€5"), (1234.5, "€1,234"), (0.0, "€0")],
)
def test_amounts(value, written):
    assert write_eur(value) == written


def test_cents_keep_their_sign():
    assert write_eur(-0.3, 2) == "−€0.30"


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(None, 0, "not known"), (-0.4, 0, "0"), (-0.04, 1, "0.0"), (1e4, 0, "10,000")],
)
def test_numbers(value, digits, written):
    assert write_number(value, digits) == written
