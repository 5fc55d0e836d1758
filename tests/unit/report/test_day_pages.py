"""The page of a day: a time line right to five minutes, three lines a visit, ways to reach people."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealwright.report.day_pages import (
    DayStyle,
    DayTables,
    PersonDay,
    about,
    dial,
    five,
    navigation,
    person_days,
    write_day_pages,
)
from dealwright.report.format import format_of
from dealwright.report.people import Person
from dealwright.schemas import (
    BRIEF_COLUMNS,
    CALL_COLUMNS,
    SHIFT_COLUMNS,
    VISIT_COLUMNS,
    WORKING_DAY_COLUMNS,
    conform,
)

DAY, NEXT = date(2026, 7, 1), date(2026, 7, 2)


def at(hour: int, minute: int = 0, second: int = 0, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second)


ACCOUNTS = pl.DataFrame(
    {
        "account_id": ["A", "B", "C"],
        "name": ["Tallers <Vidal>", None, "Mercat Pujol"],
        "address": ["Carrer de Mallorca 21", None, None],
        "contact": ["Marta Pons", None, None],
        "phone": ["+34 (93) 123-45-67 ext. 12", None, "93 222"],
        "lat_deg": [41.39, None, 41.4],
        "lon_deg": [2.16, None, 2.17],
    }
)
ROADS = [
    {"rep_id": "R1", "day": DAY, "stop": 1, "account_id": "A", "start_at": at(9, 2, 31),
     "leave_at": at(9, 32), "travel_min": 7.6, "distance_km": 1.5, "window_end": at(18), "must": True},
    {"rep_id": "R1", "day": DAY, "stop": 2, "account_id": "C", "start_at": at(13, 20), "leave_at": at(14, 5),
     "travel_min": 12.4, "distance_km": 3.04, "window_end": at(15), "must": False},
]  # fmt: skip
WAYS = [
    {"rep_id": "R1", "day": DAY, "travel_min": 28.0, "depart_at": at(8, 54), "lunch_at": at(12, 31),
     "back_at": at(14, 13), "home_min": 8.0, "home_km": 12.34}
]  # fmt: skip
BRIEFS = [
    {"account_id": "A", "rep_id": "R1", "start_at": at(9, 2, 31), "why": "Wants premium.", "what": "Show it.",
     "careful": "Ask first & listen.", "more": ["4 in 10 answer.", "Worth €124."]},
    {"account_id": "B", "rep_id": "C1", "start_at": at(10), "why": "Silent.", "what": "Ask why.", "more": []},
]  # fmt: skip
SHIFTS = [
    {"rep_id": "C1", "day": DAY, "start_at": at(9), "end_at": at(17),
     "lunch_start_at": at(13), "lunch_end_at": at(13, 30), "breaks": [at(10, 30)], "break_min": 15,
     "channels": ["outbound_cc"]},
    {"rep_id": "C2", "day": DAY, "start_at": at(22), "end_at": at(6, day=NEXT), "breaks": [],
     "break_min": 15},
]  # fmt: skip
CALLS = [
    {"rep_id": "C1", "account_id": "B", "channel": "outbound_cc", "start_at": at(10), "end_at": at(10, 8),
     "call_back": True},
    {"rep_id": "C2", "account_id": "C", "channel": "outbound_cc", "start_at": at(1, day=NEXT),
     "end_at": at(1, 8, day=NEXT), "call_back": False},
]  # fmt: skip


def tables(**more: list[dict[str, Any]]) -> DayTables:
    given = {"visits": ROADS, "rep_days": WAYS, "briefs": BRIEFS, "shifts": SHIFTS, "calls": CALLS, **more}
    columns = {"visits": VISIT_COLUMNS, "rep_days": WORKING_DAY_COLUMNS, "briefs": BRIEF_COLUMNS,
               "shifts": SHIFT_COLUMNS, "calls": CALL_COLUMNS}  # fmt: skip
    frames = {
        name: conform(pl.DataFrame(rows, infer_schema_length=None) if rows else None, columns[name])
        for name, rows in given.items()
    }
    return DayTables(ACCOUNTS, lunch_min=45, **frames)


def days(**more: list[dict[str, Any]]) -> dict[str, PersonDay]:
    return {day.rep_id: day for day in person_days(tables(**more))}


def outline(day: PersonDay) -> list[tuple[Any, ...]]:
    return [(line.kind, line.at, line.minutes, line.km) for line in day.lines]


def test_a_day_on_the_road_goes_from_home_by_lunch_and_back() -> None:
    day = days()["R1"]
    assert outline(day) == [
        ("leave", at(8, 55), None, None),
        ("drive", None, 10, 1.5),
        ("contact", at(9, 5), None, None),
        ("lunch", at(12, 30), 45, None),
        ("drive", None, 10, 3.04),
        ("contact", at(13, 20), None, None),
        ("drive", None, 10, 12.34),
        ("back", at(14, 15), None, None),
    ]
    assert (day.travel_min, day.back_at, day.drives) == (30, at(14, 15), True)
    first, second = day.contacts
    assert (first.minutes, first.promised, first.closes_at) == (30, True, None)
    assert (second.minutes, second.promised, second.closes_at) == (45, False, at(15))
    assert (second.why, second.careful, second.more) == (None, None, [])


def test_lunch_after_the_last_visit_comes_before_the_way_back() -> None:
    late = [{**WAYS[0], "lunch_at": at(14, 5), "back_at": at(15)}]
    assert [line.kind for line in days(rep_days=late)["R1"].lines][-3:] == ["lunch", "drive", "back"]
    none = [{**WAYS[0], "lunch_at": None}]
    assert "lunch" not in [line.kind for line in days(rep_days=none)["R1"].lines]


def test_a_day_at_the_desk_has_shift_calls_breaks_and_lunch_in_order() -> None:
    found = days()
    assert outline(found["C1"]) == [
        ("begin", at(9), None, None), ("contact", at(10), None, None), ("break", at(10, 30), 15, None),
        ("lunch", at(13), 30, None), ("end", at(17), None, None),
    ]  # fmt: skip
    assert found["C1"].contacts[0].promised  # they asked to be called back
    # a call after midnight belongs to the shift that began before
    assert (found["C2"].day, [one.start_at for one in found["C2"].contacts]) == (DAY, [at(1, day=NEXT)])
    without = days(shifts=[])
    assert (without["C2"].day, without["C2"].shift) == (NEXT, None)


def test_a_page_says_who_where_why_and_how_to_reach_them(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "R1-2026-07-01.html").touch()
    people = {"R1": Person("R1", "Laia", "field", 3)}
    write_day_pages(tmp_path / "days", tables(), DayStyle(people=people, files=("contact-centre.html",)))
    assert sorted(path.name for path in (tmp_path / "days").iterdir()) == [
        "C1-2026-07-01.html", "C2-2026-07-01.html", "R1-2026-07-01.html",
    ]  # fmt: skip
    page = (tmp_path / "days" / "R1-2026-07-01.html").read_text()
    assert "Laia&#39;s day" in page
    assert "Tallers &lt;Vidal&gt;" in page
    assert "<Vidal>" not in page
    assert "Carrer de Mallorca 21 · Marta Pons · +34 (93) 123-45-67 ext. 12 · 30 min" in page
    assert 'href="tel:+34931234567"' in page
    assert 'href="geo:41.390000,2.160000?q=41.390000,2.160000(Tallers%20%3CVidal%3E)"' in page
    assert "<b>Careful:</b> Ask first &amp; listen." in page
    assert "4 in 10 answer." in page
    assert "closes 15:00" in page
    assert 'href="../accounts.html#A"' in page
    assert 'href="../maps/R1-2026-07-01.html"' in page
    assert "calendars/" not in page  # there is none
    assert "drive 10 min, 1.5 km" in re.sub(r"\s+", " ", page)
    assert "drive 10 min, 12 km" in re.sub(r"\s+", " ", page)
    desk = (tmp_path / "days" / "C1-2026-07-01.html").read_text()
    assert 'href="geo:' not in desk  # nobody drives to a call
    assert 'href="tel:' not in desk  # and B has no number
    assert "<h2>B <span" in desk


def test_pages_of_days_speak_spanish(tmp_path: Path) -> None:
    write_day_pages(
        tmp_path, tables(), DayStyle(format_of("es_ES"), people={"R1": Person("R1", "Laia", "field", 1)})
    )
    page = (tmp_path / "R1-2026-07-01.html").read_text()
    assert '<html lang="es">' in page
    for words in ("Día de Laia", "miércoles, 1 de julio de 2026", "Llamar", "Ir", "comida, 45 min", "vuelta",
                  "cierra a las 15:00", "Cuidado:"):  # fmt: skip
        assert words in re.sub(r"\s+", " ", page), words


@pytest.mark.parametrize(
    ("phone", "dialled"),
    [
        ("+34 93 123 45 67", "+34931234567"),
        ("(0049) 30/1234-567", "0049301234567"),
        ("93.222.33.44 ext. 5", "932223344"),
        ("+1 (212) 555-0100 x12", "+12125550100"),
        ("javascript:alert(1)", ""),
        ("unknown", ""),
        (None, ""),
        ("112", "112"),
    ],
)
def test_a_telephone_dials_figures_and_nothing_else(phone: str | None, dialled: str) -> None:
    assert dial(phone) == dialled


def test_navigation_goes_to_the_position_or_looks_for_the_address() -> None:
    assert navigation(-33.5, 151.25, "x", "A & B") == (
        "geo:-33.500000,151.250000?q=-33.500000,151.250000(A%20%26%20B)", "-33.500000,151.250000",
    )  # fmt: skip
    assert navigation(None, None, "Carrer 1, Vic", "x") == (
        "geo:0,0?q=Carrer%201%2C%20Vic",
        "Carrer%201%2C%20Vic",
    )
    assert navigation(None, 2.0, None, "x") is None


def test_times_are_told_to_five_minutes() -> None:
    assert [five(at(9, minute)) for minute in (0, 2, 3, 7, 58)] == [at(9), at(9), at(9, 5), at(9, 5), at(10)]
    assert five(at(23, 58)) == at(0, day=NEXT)
    assert [about(minutes) for minutes in (0.0, 1.0, 7.4, 7.5, 62.4)] == [5, 5, 5, 10, 60]
