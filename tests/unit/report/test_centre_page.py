"""The page of the contact centre: its figures are those of the tables, and uncertainty is shown."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealwright.report.centre_page import (
    centre_days,
    chance_of,
    day_span,
    render_centre,
    staff_hours,
    staffing_picture,
)
from dealwright.report.format import Format
from dealwright.runs.output import write_report
from dealwright.runs.reading import read_run
from dealwright.schemas import (
    CALL_COLUMNS,
    HEADCOUNT_COLUMNS,
    SERVICE_LEVEL_COLUMNS,
    SHIFT_COLUMNS,
    STAFF_HOURS_COLUMNS,
    UNPLACED_CALL_COLUMNS,
    conform,
)

DAY, NEXT = date(2026, 7, 1), date(2026, 7, 2)


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute)


SHIFTS: list[dict[str, Any]] = [
    {"rep_id": "C1", "rep_name": "Ada <b>", "day": DAY, "start_at": at(9), "end_at": at(17),
     "lunch_start_at": at(13), "lunch_end_at": at(13, 30), "breaks": [at(10, 30)], "break_min": 15,
     "paid_min": 450, "channels": ["inbound_cc"]},
    {"rep_id": "C2", "rep_name": None, "day": DAY, "start_at": at(22), "end_at": at(6, day=NEXT),
     "breaks": [], "break_min": 15, "paid_min": 480, "channels": []},
]  # fmt: skip
LEVELS: list[dict[str, Any]] = [
    {"day": DAY, "channel": "inbound_cc", "start_at": at(9), "contacts": 10.0, "required": 2, "scheduled": 1,
     "available": 1, "occupancy": 0.9, "service_level": 0.5, "simulated_service_level": 0.45},
    {"day": DAY, "channel": "inbound_cc", "start_at": at(9, 15), "contacts": 30.0, "required": 1,
     "scheduled": 3, "available": 3, "occupancy": 0.5, "service_level": 0.9, "simulated_service_level": None},
    {"day": DAY, "channel": "outbound_cc", "start_at": at(9), "contacts": 5.0, "required": None,
     "scheduled": 2, "available": 1, "occupancy": None, "service_level": None},
]  # fmt: skip
HOURS = pl.DataFrame(
    {"channel": ["inbound_cc", None, "inbound_cc"], "used_for": ["contacts", "breaks", "ready"],
     "hours": [1.0, 0.5, 2.5]},
    schema=STAFF_HOURS_COLUMNS,
)  # fmt: skip
CALLS = [{"rep_id": "C1", "account_id": "A", "start_at": at(9), "end_at": at(9, 8)},
         {"rep_id": "C2", "account_id": "B", "start_at": at(1, day=NEXT),
          "end_at": at(1, 8, day=NEXT)}]  # fmt: skip
UNPLACED = [
    {"account_id": "A", "channel": "outbound_cc", "value_eur": 5.0, "call_back": False,
     "limit": "quiet hours", "reason": "may not be called <then>"},
    {"account_id": "B", "channel": "outbound_cc", "value_eur": 7.0, "call_back": True,
     "limit": "quiet hours", "reason": "nor this one"},
    {"account_id": "C", "channel": "outbound_cc", "value_eur": 30.0, "call_back": False, "limit": "shift",
     "reason": "nobody is there"},
]  # fmt: skip


def frame(rows: list[dict[str, Any]], columns: Any) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, infer_schema_length=None) if rows else None, columns)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    pl.DataFrame(
        {
            "account_id": ["A", "B", "C"], "segment": ["Grow"] * 3, "churn_probability": [0.1] * 3,
            "predicted_value_eur": [10.0] * 3, "expected_value_eur": [1.0] * 3, "action": ["upsell"] * 3,
            "channel": ["outbound_cc"] * 3, "cost_eur": [6.0] * 3, "is_anomaly": [False] * 3,
            "anomaly_score": [0.1] * 3, "anomaly_reasons": [["odd"]] * 3,
        }
    ).write_parquet(tmp_path / "accounts.parquet")  # fmt: skip
    kpis = {"people": 2.0, "paid_h": 15.5, "work_h": 3.25, "staff_cost_eur": 387.6, "occupancy": 0.8591,
            "calls": 2.0, "shortage_h": 0.26}  # fmt: skip
    shown = [{"name": name, "value": value, "at_least": None, "at_most": None, "status": "shown"}
             for name, value in kpis.items()]  # fmt: skip
    (tmp_path / "kpis.json").write_text(json.dumps({"kpis": shown}))
    (tmp_path / "params.toml").write_text("[run]\nas_of = 2026-06-30T00:00:00\n")
    summary = {"sla_probability": 0.8, "sla_probability_error": 0.02, "inbound_cc_sla_probability": 0.9}
    (tmp_path / "trace.jsonl").write_text(json.dumps({"stage": "schedule", "summary": summary}) + "\n")
    frame(SHIFTS, SHIFT_COLUMNS).write_parquet(tmp_path / "shifts.parquet")
    frame(LEVELS, SERVICE_LEVEL_COLUMNS).write_parquet(tmp_path / "service_levels.parquet")
    frame(CALLS, CALL_COLUMNS).write_parquet(tmp_path / "calls.parquet")
    frame(UNPLACED, UNPLACED_CALL_COLUMNS).write_parquet(tmp_path / "calls_unplaced.parquet")
    HOURS.write_parquet(tmp_path / "staff_hours.parquet")
    fewer = [
        {"rule": "as planned", "channel": None, "people": 2, "paid_h": 15.5, "people_saved": 0,
         "paid_h_saved": 0.0, "calls_unplaced": 3, "shortage_h": 0.26, "answered_in_time": None},
        {"rule": "one person fewer", "channel": None, "people": 1, "paid_h": 8.0, "people_saved": 1,
         "paid_h_saved": 7.5, "calls_unplaced": 9, "shortage_h": 2.5, "answered_in_time": 0.4},
    ]  # fmt: skip
    frame(fewer, HEADCOUNT_COLUMNS).write_parquet(tmp_path / "headcount.parquet")
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "C1-2026-07-01.html").touch()
    return tmp_path


def test_every_channel_says_what_comes_who_is_there_and_how_sure_the_level_is(run: Path) -> None:
    (day,) = centre_days(read_run(run))
    inbound, outbound = day.channels
    assert (inbound.contacts, inbound.waits) == (40.0, False)
    assert inbound.level == pytest.approx((10 * 0.5 + 30 * 0.9) / 40)  # by contacts
    assert inbound.occupancy == pytest.approx((1 * 0.9 + 3 * 0.5) / 4)  # by people
    # 0.8 with an error of 0.02 was played on 400 days; 0.9 on as many has an error of 0.015
    assert inbound.chance is not None
    assert inbound.chance.low == pytest.approx(0.9 - 1.645 * 0.015)
    assert inbound.chance.high == pytest.approx(0.9 + 1.645 * 0.015)
    assert (outbound.contacts, outbound.waits, outbound.level, outbound.chance) == (5.0, True, None, None)


def test_the_roster_has_everybody_with_breaks_calls_and_ways_on(run: Path) -> None:
    (day,) = centre_days(read_run(run))
    assert day.span == (540.0, 1800.0)  # from nine to six in the next morning
    assert day.ticks[0] == (0.0, 9)
    assert day.ticks[-1][1] in (5, 6)
    ada, night = day.roster
    assert [(block.kind, block.left, block.width) for block in ada.blocks] == [
        ("shift", 0.0, 38.095), ("lunch", 19.048, 2.381), ("break", 7.143, 1.19),
    ]  # fmt: skip
    assert ada.blocks[1].words == "Lunch 13:00–13:30"
    assert (ada.who.name, ada.calls, ada.page, ada.calendar) == ("Ada <b>", 1, "days/C1-2026-07-01.html", "")
    assert (night.who.name, night.calls, night.page) == ("C2", 1, "")  # its call is after midnight
    assert [(block.left, block.width) for block in night.blocks] == [(61.905, 38.095)]


def test_the_page_adds_up_and_says_why_calls_have_no_place(run: Path) -> None:
    page = render_centre(read_run(run))
    text = re.sub(r"\s+", " ", page)
    assert (
        "2 people work 15.5 paid hours for €388." in text or "2 people work 15.5 paid hours for €387." in text
    )
    assert "between 76.7% and 83.3%" in text
    assert "0.3 hours of staff are missing" in text
    limits = re.findall(
        r'<tr><td>([^<]+)</td><td class="num" data-v="(\d+)">[^<]*</td><td class="num" data-v="([\d.]+)">',
        page,
    )
    assert limits == [("shift", "1", "30.0"), ("quiet hours", "2", "12.0")]
    assert "may not be called &lt;then&gt;" in page
    assert "Ada &lt;b&gt;" in page
    assert "Ada <b>" not in page
    assert 'href="accounts.html#C"' in page
    assert 'href="days/C1-2026-07-01.html"' in page
    assert "Why so many people" in page
    (fewer,) = re.findall(r"<tr><td>one person fewer</td>.*?</tr>", page)
    assert re.findall(r'data-v="([\d.]+)"', fewer) == ["1", "8.0", "7.5", "9", "2.5", "0.4"]
    assert page == render_centre(read_run(run))


def test_the_report_is_written_with_the_page_where_somebody_works(run: Path) -> None:
    write_report(run)
    assert (run / "contact-centre.html").read_text().startswith("<!doctype html>")
    assert "contact-centre.html" in read_run(run).files
    (run / "shifts.parquet").unlink()
    assert "contact-centre.html" not in read_run(run).files


def test_hours_are_in_order_and_their_shares_add_up() -> None:
    rows = staff_hours(HOURS)
    assert [(row["channel"], row["used_for"], row["share"]) for row in rows] == [
        ("inbound_cc", "ready", 0.625), ("inbound_cc", "contacts", 0.25), (None, "breaks", 0.125),
    ]  # fmt: skip
    assert staff_hours(HOURS.clear()) == []


def test_a_chance_stays_a_chance() -> None:
    almost = chance_of(0.99, 0.02)
    assert almost is not None
    assert (almost.low, almost.high) == (pytest.approx(0.9571), 1.0)
    assert chance_of(None, 0.1) is None
    certain = chance_of(1.0, None)
    assert certain is not None
    assert (certain.low, certain.high) == (1.0, 1.0)


def test_what_is_missing_is_drawn_from_what_is_there_to_what_is_needed() -> None:
    part = frame(LEVELS, SERVICE_LEVEL_COLUMNS).filter(channel="inbound_cc")
    picture = str(staffing_picture(part, DAY, (540.0, 600.0), Format()))
    red = re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="var\(--bad\)"', picture)
    # of at most 3 people on 76 pixels, one is missing in the first quarter, none in the second
    assert [(float(top), float(high)) for top, high in red] == [(33.3, pytest.approx(25.4, abs=0.11))]
    assert picture.count("stroke-dasharray") == 1
    nobody = frame(LEVELS, SERVICE_LEVEL_COLUMNS).filter(channel="outbound_cc")
    assert "stroke-dasharray" not in str(staffing_picture(nobody, DAY, (540.0, 600.0), Format()))


def test_a_day_without_shifts_spans_what_comes_in() -> None:
    empty, levels = frame([], SHIFT_COLUMNS), frame(LEVELS, SERVICE_LEVEL_COLUMNS)
    assert day_span(empty, levels, DAY) == (540.0, 600.0)
    assert day_span(empty, levels.clear(), DAY) == (0.0, 1440.0)
