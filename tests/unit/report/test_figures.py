"""Figures: where things stand in them, and that nothing of the data becomes markup."""

from __future__ import annotations

import re
from datetime import date, datetime

import polars as pl

from dealwright.report.figures import day_line, day_span, staffing, territories_and_routes
from dealwright.report.format import Format
from dealwright.report.people import Person

NASTY = "<script>alert(1)</script>"


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 7, 1, hour, minute)


STOPS = pl.DataFrame({"start_at": [at(9), at(12)], "leave_at": [at(9, 30), at(13)]})
DAYS = pl.DataFrame({"depart_at": [at(8, 40)], "back_at": [at(13, 20)], "lunch_at": [at(11)]})


def test_a_day_is_drawn_to_its_hours() -> None:
    assert day_span(STOPS, DAYS) == (480.0, 840.0)
    line = day_line(STOPS, DAYS.row(0, named=True), 3, (480.0, 840.0))
    # 540 wide for 360 minutes: 1.5 a minute
    assert '<rect x="60.0" y="9" width="420.0"' in line
    assert re.findall(r'x="([\d.]+)" y="3" width="([\d.]+)"', line) == [("90.0", "45.0"), ("360.0", "90.0")]
    assert 'x="270.0" y="5"' in line
    assert "var(--c3)" in line
    assert day_span(STOPS.clear(), DAYS.clear()) == (480.0, 1080.0)


def test_staff_is_drawn_by_channel_and_only_where_it_is_known() -> None:
    levels = pl.DataFrame(
        {
            "day": [date(2026, 7, 1)] * 4, "channel": ["outbound_cc"] * 2 + [NASTY] * 2,
            "start_at": [at(9), at(10)] * 2, "required": [2, 4, 1, 1], "scheduled": [3, 4, 1, 2],
        }
    )  # fmt: skip
    drawn = staffing(levels, Format())
    assert drawn is not None
    assert drawn.count("<path") == 4
    assert ">call<" in drawn
    assert "<script" not in drawn
    assert staffing(levels.drop("required"), Format()) is None
    assert staffing(levels.clear(), Format()) is None


def test_territories_have_the_colour_and_the_number_of_their_person() -> None:
    outline = "POLYGON ((2.1 41.3, 2.2 41.3, 2.2 41.5, 2.1 41.5, 2.1 41.3))"
    table = pl.DataFrame(
        [("T1", "R9", 5, 0.0, outline)],
        schema=["territory", "rep_id", "accounts", "deviation_pct", "outline"], orient="row",
    )  # fmt: skip
    people = {"R9": Person("R9", NASTY, "field", 9)}
    route = {
        "geometry": {"type": "LineString", "coordinates": [[2.1, 41.3], [2.15, 41.4], [2.2, 41.5]]},
        "properties": {"rep_id": "R9", "kind": "planned"},
    }
    other = {**route, "properties": {"rep_id": "R9", "kind": "distance_only"}}
    drawn = territories_and_routes(table, [route, other], None, people, Format())
    assert drawn is not None
    assert "var(--c1)" in drawn
    assert ">9</text>" in drawn
    assert "<script" not in drawn
    assert len(re.findall('stroke-width="1.4"', drawn)) == 1  # the other day is not drawn
    assert territories_and_routes(table.clear(), [], None, people, Format()) is None
