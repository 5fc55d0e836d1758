"""The console's own arithmetic and manners: intervals, amounts, CSV, reasons in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from dealwright.errors import InputError
from dealwright.report.format import Format
from dealwright.web.agents import win_rate
from dealwright.web.evidence import calibration_bins, shares_of
from dealwright.web.leads import bars_of
from dealwright.web.view import address_with, amount, as_csv, csv_lines, json_lines, whole_number
from dealwright.web.words import brief_reasons, change_text, reason_text, tell_apart, waited

EN, ES = Format(), Format("es_ES")


def test_a_win_rate_comes_with_wilson_s_interval() -> None:
    assert win_rate(0, 0) is None
    # by hand: z = 1.6449, 8 of 10
    assert win_rate(8, 10) == pytest.approx((0.5408, 0.8, 0.9314), abs=2e-4)
    low, rate, high = win_rate(0, 5) or (0, 0, 0)
    assert (low, rate) == (0, 0)
    assert high == pytest.approx(0.3511, abs=2e-4)
    low, rate, high = win_rate(5, 5) or (0, 0, 0)
    assert (low, high) == pytest.approx((0.6489, 1.0), abs=2e-4)
    # more outcomes, a narrower interval
    few, many = win_rate(5, 10), win_rate(50, 100)
    assert few is not None
    assert many is not None
    assert many[2] - many[0] < few[2] - few[0]


def test_calibration_holds_what_was_thought_against_what_came() -> None:
    (row,) = calibration_bins([{"bin": 7, "outcomes": 10, "won": 8, "predicted": 0.66}])
    assert (row["from"], row["to"], row["predicted"], row["observed"]) == (0.6, 0.7, 0.66, 0.8)
    assert (row["low"], row["high"]) == pytest.approx((0.5408, 0.9314), abs=2e-4)


def test_what_is_due_follows_the_weights() -> None:
    rows = [
        {"agent_id": 1, "received": 6, "weight": 1.0, "price": 2},
        {"agent_id": 2, "received": 3, "weight": 2.0, "price": None},
    ]
    assert [(row["due"], row["price"]) for row in shares_of(rows)] == [(3.0, 2.0), (6.0, 0.0)]
    assert shares_of([]) == []


def test_contributions_are_bars_from_the_middle() -> None:
    ranking = [
        {"agent_id": 1, "reasons": [{"reason": "a", "contribution": 0.4},
                                    {"reason": "b", "contribution": -0.1}]},
        {"agent_id": 2, "reasons": [{"reason": "free places", "value": 3}]},
    ]  # fmt: skip
    bars = bars_of({"ranking": ranking})
    assert [(item["left"], item["width"]) for item in bars[1]] == [(50.0, 50.0), (37.5, 12.5)]
    assert bars[2] == []
    assert bars_of(None) == {}


def test_a_spreadsheet_runs_nothing_of_what_a_customer_wrote() -> None:
    at = datetime(2026, 7, 1, 9, tzinfo=UTC)
    text = as_csv(
        [{"name": "=1+1", "n": -2, "at": at, "nested": {"a": None}}, {"name": 'a "b", c', "late": 1}]
    )
    assert text.splitlines() == [
        "name,n,at,nested,late",
        '\'=1+1,-2,2026-07-01T09:00:00+00:00,"{""a"": null}",',
        '"a ""b"", c",,,,1',
    ]


def test_fields_are_numbers_or_say_what_is_wrong() -> None:
    assert (amount("", "x"), amount("2,400.50", "x"), whole_number("7", "x"), whole_number("", "x")) == (
        None, 2400.5, 7, None,
    )  # fmt: skip
    for text in ("-1", "1.5", "x", "9" * 30, "٣"):
        with pytest.raises(InputError, match="the capacity must be a whole number"):
            whole_number(text, "the capacity")
    with pytest.raises(InputError, match="such as 2400"):
        amount("lots", "the revenue")
    assert address_with("/a", after=None, show="", k=3) == "/a?k=3"


def test_reasons_are_said_in_the_reader_s_language() -> None:
    reasons = (
        {"reason": "destination = Mars", "contribution": 0.4},
        {"reason": "overall record", "contribution": 0.1},
        {"reason": "rating", "contribution": -0.2},
        {"reason": "free places", "value": 3},
    )
    assert brief_reasons(EN, reasons) == "Mars, overall record, free places 3"
    assert brief_reasons(ES, reasons) == "Mars, resultados en general, plazas libres 3"
    assert reason_text(EN, {"reason": "not eligible: lacks Catalan, luxury"}) == "lacks Catalan, luxury"
    assert reason_text(ES, {"reason": "not eligible: not in Sales"}) == "no es de Sales"
    assert change_text(ES, "with 2 open instead of 5") == "2 abiertas en lugar de 5"
    assert change_text(EN, None) == ""


def test_agents_of_one_name_are_told_apart() -> None:
    rows = [
        {"agent_id": 1, "agent_name": "Ada"},
        {"agent_id": 2, "agent_name": "Ada"},
        {"agent_id": 3, "agent_name": "Ben"},
    ]
    assert [row["agent_name"] for row in tell_apart(rows)] == ["Ada (1)", "Ada (2)", "Ben"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (27.9, "27 s"), (250, "4 min 10 s"), (3000, "50 min"), (5400, "1 h 30 min"),
     (260_000, "3 days"), (None, "not known")],
)  # fmt: skip
def test_waits_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert waited(EN, seconds) == text


def test_an_export_of_many_rows_has_one_heading_and_every_row() -> None:
    rows = [{"n": number, "name": "=x" if number == 1500 else "é"} for number in range(2500)]
    lines = "".join(csv_lines(iter(rows))).split("\r\n")
    assert lines[0] == "n,name"
    assert lines[1501] == "1500,'=x"
    assert len([line for line in lines if line]) == 2501
    assert json.loads("".join(json_lines({"total": 2500, "rows": rows[:3]}, iter(rows)))) == {
        "total": 2500, "rows": rows,
    }  # fmt: skip
    assert json.loads("".join(json_lines({"rows": []}, iter([])))) == {"rows": []}
    assert "".join(csv_lines(iter([]))) == ""
