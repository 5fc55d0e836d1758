"""Python's and NumPy's values in a lead: taken as they are meant, or refused by name."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import typer

from dealwright.cli.context import read_time
from dealwright.cli.models import _utc
from dealwright.desk.desk import _amount
from dealwright.desk.lead import Lead, plain_values
from dealwright.errors import InputError

MOMENT = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
TAKEN: list[tuple[Any, Any]] = [
    (MOMENT, "2026-07-01T12:30:00+00:00"),
    (date(2026, 7, 1), "2026-07-01"),
    (np.datetime64("2026-07-01T12:30:00", "ns"), "2026-07-01T12:30:00"),
    (np.datetime64("NaT"), None),
    (Decimal("12.5"), 12.5),
    (np.float32(0.5), 0.5),
    (np.int64(7), 7),
    (np.bool_(True), True),
    (np.str_("Mars"), "Mars"),
    (np.array(3), 3),
    (None, None),
    ("Mars", "Mars"),
    ((1, "a"), [1, "a"]),
    ({"size": np.int8(3)}, {"size": 3}),
]
REFUSED: list[tuple[Any, str]] = [
    (float("nan"), "must be a number, not"),
    (np.float64("inf"), "must be a number, not"),
    (Decimal("NaN"), "must be a number, not"),
    (np.array([1, 2]), "array of NumPy"),
    (timedelta(1), "timedelta"),
    (b"Mars", "bytes"),
    (1j, "complex"),
    (Fraction(1, 3), "Fraction"),
    ({"size": {1: 2}}, "the key 1"),
    ("a\0b", "null character"),
    ("\ud800", "surrogate"),
    (object(), "object"),
]


@pytest.mark.parametrize(("given", "plain"), TAKEN, ids=[repr(given)[:40] for given, _ in TAKEN])
def test_a_usual_value_is_taken(given: Any, plain: Any) -> None:
    found = plain_values({"attributes": {"x": given}}, "lead")["attributes"]["x"]
    assert found == plain
    assert type(found) is type(plain)
    json.dumps(found)


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_another_value_is_refused_by_name(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        plain_values({"attributes": {"colour": given}}, "lead")
    assert "colour" in str(refused.value)


def test_a_text_is_sent_with_accents_as_one_letter() -> None:
    assert plain_values({"name": "Ko\u0308ln"}, "the lead") == {"name": "K\u00f6ln"}


def test_a_value_without_end_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["x"] = circle
    with pytest.raises(InputError, match="nested deeper than 10"):
        plain_values(circle, "lead")


def test_a_lead_may_have_a_date_too() -> None:
    lead = Lead("Ann", received_at=MOMENT)
    assert plain_values(lead.to_dict(), "lead")["received_at"] == "2026-07-01T12:30:00+00:00"


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        (None, None), (0, "0"), (12, "12"), (12.34, "12.34"), (np.float64(12.5), "12.5"), (np.int32(3), "3"),
        (Decimal("999999999999.99"), "999999999999.99"),
    ],
)  # fmt: skip
def test_an_amount_is_any_number(given: Any, exact: str | None) -> None:
    assert _amount(given, "revenue") == (None if exact is None else Decimal(exact))


@pytest.mark.parametrize(
    "given",
    [
        -1,
        1e12,
        1e13,
        float("nan"),
        Decimal("NaN"),
        Decimal("-0.01"),
        "12",
        True,
        np.array([1.0]),
        date(2026, 1, 1),
    ],
)
def test_another_amount_is_refused_by_name(given: Any) -> None:
    with pytest.raises(InputError, match="revenue"):
        _amount(given, "revenue")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T00:00:00+02:00", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-07-01T00:00Z", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01 08:30", datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_time_may_have_an_offset(text: str, moment: datetime) -> None:
    read = _utc(read_time(text))
    assert read == moment
    assert read is not None
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["soon", "", "20226-07-01", "1969-12-31", "2200-01-01"])
def test_another_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"write it like|look at the year"):
        read_time(text)
