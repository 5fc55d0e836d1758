"""What results look like in a notebook: escaped, short, and there for every public result."""

from __future__ import annotations

import re
from typing import Any

import pytest

import dealwright
from dealwright.notebook import COLOURS, figures_table, rows_table, sketch


def _cells(html: str) -> list[str]:
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


def test_every_public_result_with_a_summary_shows_itself() -> None:
    results = [
        item
        for name in dealwright.__all__
        if isinstance(item := getattr(dealwright, name), type) and hasattr(item, "summary")
    ]
    assert len(results) > 20
    assert [item.__name__ for item in results if not hasattr(item, "_repr_html_")] == []


def test_texts_are_escaped() -> None:
    evil = "<script>alert('x')</script>"
    for html in (
        rows_table(evil, [{evil: evil}]),
        rows_table(evil, [{evil: [evil]}, {evil: {"a": evil}}]),
        figures_table(evil, {evil: evil, "notes": evil}),
        sketch([(41.0, 2.0)], {evil: [[(41.0, 2.0), (41.1, 2.1)]]}),
    ):
        assert "<script" not in html
        assert "&lt;script&gt;" in html


def test_one_row_is_written_as_names_and_values() -> None:
    html = rows_table(
        "placed", [{"agent_id": 12345, "open": 12345, "score": 76.123, "won": True, "note": None}]
    )
    assert _cells(html) == ["agent id", "12345", "open", "12,345", "score", "76.12", "won", "yes", "note", ""]


def test_rows_beyond_the_limit_are_counted() -> None:
    html = rows_table("many", [{"k": k} for k in range(1_014)])
    assert _cells(html) == [str(k) for k in range(10)]
    assert "… and 1,004 more" in html
    assert "more" not in rows_table("few", [{"k": k} for k in range(10)])
    assert "<table" not in rows_table("none", [])


def test_whoever_it_is_about_comes_first() -> None:
    html = rows_table(
        "", [{"open": 1, "agent_name": "A", "rank": 1}, {"open": 2, "agent_name": "B", "rank": 2}]
    )
    assert re.findall(r"<th>(.*?)</th>", html) == ["rank", "agent name", "open"]


def test_figures_beyond_twelve_are_folded_and_notes_stand_below() -> None:
    html = figures_table("Routes", {**{f"f_{k}": k for k in range(15)}, "notes": "no road service"})
    first, folded = html.split("<details>")
    assert len(_cells(first)) == 24
    assert "3 more" in folded
    assert folded.endswith("<p>no road service</p>")
    assert "<details>" not in figures_table("Routes", {f"f_{k}": k for k in range(12)})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456, "0.1235"),
        (12345.678, "12,346"),
        (-5.7e-14, "0"),
        ([{"reason": "overall record", "contribution": 0.4}, {"reason": "rating"}], "overall record; rating"),
        ({"seed": 1, "share": None}, "seed: 1, share: "),
        ("x" * 200, "x" * 119 + "…"),
    ],
)
def test_a_value_is_written_short(value: Any, shown: str) -> None:
    assert _cells(rows_table("", [{"value": value}]))[1] == shown


def test_a_sketch_keeps_north_up_and_shapes_true() -> None:
    """At 60 degrees north a degree of longitude is half as long as one of latitude."""
    corners = [(60.0, 10.0), (60.5, 10.0), (60.0, 11.0)]
    html = sketch(corners, {})
    places = [tuple(map(float, at)) for at in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', html)]
    (west, south), (_, north), (east, _) = places
    assert north < south
    assert east - west == pytest.approx(south - north, rel=0.01)


def test_lines_beyond_the_colours_differ_by_pattern() -> None:
    html = sketch([], {f"R{k:02d}": [[(41.0, 2.0), (41.0 + k, 2.1)]] for k in range(len(COLOURS) + 1)})
    lines = re.findall(r"<polyline.*?>", html)
    assert len({re.sub(r'points=".*?"', "", line) for line in lines}) == len(COLOURS) + 1
    assert sketch([], {}) == ""
