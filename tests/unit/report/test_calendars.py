"""Calendars: an entry that moves stays the same entry, what falls away is cancelled, nothing is doubled."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from dealwright.report.calendars import (
    CALL,
    ENTRY_COLUMNS,
    EVENT_COLUMNS,
    VISIT,
    Words,
    calendar_entries,
    shift_events,
    to_five,
    write_calendars,
)
from dealwright.schemas import conform

AS_OF = datetime(2026, 7, 1)
LATER = AS_OF + timedelta(hours=9)
DAY = date(2026, 7, 2)
DAYS = DAY, date(2026, 7, 3)
MADRID = ZoneInfo("Europe/Madrid")


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute)


def event(rep_id: str, account_id: str, start_at: datetime, **more: Any) -> dict[str, Any]:
    end_at = start_at + timedelta(minutes=30)
    return {"rep_id": rep_id, "account_id": account_id, "start_at": start_at, "end_at": end_at,
            "kind": VISIT, "title": "visit", **more}  # fmt: skip


def entries(
    *events: dict[str, Any], told: pl.DataFrame | None = None, as_of: datetime = AS_OF
) -> pl.DataFrame:
    frame = conform(pl.DataFrame(events, infer_schema_length=None) if events else None, EVENT_COLUMNS)
    return calendar_entries(frame, [] if told is None else [told], DAYS, as_of)


def versions(frame: pl.DataFrame) -> dict[str, tuple[int, str]]:
    """Return the sequence and status of each entry, by its UID without our name."""
    rows = frame.select("uid", "sequence", "status").rows()
    return {uid.removesuffix("@dealwright"): (sequence, status) for uid, sequence, status in rows}


class Imported:
    """A calendar application that follows RFC 5546: one entry for each UID, the latest version of it."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def read(self, folder: Path) -> dict[str, tuple[datetime, str]]:
        for path in sorted(folder.glob("*.ics")):
            calendar = Calendar.from_ical(path.read_bytes())
            assert calendar["METHOD"] == ("CANCEL" if "-cancelled" in path.name else "PUBLISH")
            for found in calendar.walk("VEVENT"):
                uid, old = str(found["UID"]), self.entries.get(str(found["UID"]))
                if old is None or int(found["SEQUENCE"]) >= int(old["SEQUENCE"]):
                    self.entries[uid] = found
        return {
            uid: (found.start, str(found["SUMMARY"]))
            for uid, found in self.entries.items()
            if found["STATUS"] != "CANCELLED"
        }


def test_an_entry_keeps_its_uid_and_grows_when_it_moves_within_its_day() -> None:
    before = entries(event("R1", "A", at(9)), event("R1", "B", at(11)))
    assert versions(before) == {
        "20260702-R1-A": (0, "CONFIRMED"), "20260702-R1-B": (0, "CONFIRMED"),
    }  # fmt: skip
    after = entries(event("R1", "A", at(15)), event("R1", "B", at(11)), told=before, as_of=LATER)
    assert versions(after) == {
        "20260702-R1-A": (1, "CONFIRMED"), "20260702-R1-B": (0, "CONFIRMED"),
    }  # fmt: skip
    assert after.sort("account_id")["changed_at"].to_list() == [LATER, AS_OF]


def test_the_same_plan_again_says_the_same() -> None:
    events = [event("R1", "A", at(9)), event("R1", "A", at(12)), event("R2", "Ü-1", at(9), location="x")]
    before = entries(*events)
    assert entries(*events, told=before, as_of=LATER).equals(before)
    assert entries(*reversed(events), told=before, as_of=LATER).equals(before)


@pytest.mark.parametrize(
    "changed",
    [{"title": "x"}, {"text": "x"}, {"location": "x"}, {"url": "x"}, {"alarm_min": 5}, {"lat_deg": 1.0}],
)
def test_whatever_is_shown_makes_a_new_version(changed: dict[str, Any]) -> None:
    after = entries(event("R1", "A", at(9), **changed), told=entries(event("R1", "A", at(9))))
    assert versions(after) == {"20260702-R1-A": (1, "CONFIRMED")}


def test_another_day_representative_account_kind_or_second_contact_is_another_entry() -> None:
    found = entries(
        event("R1", "A", at(9)),
        event("R1", "A", at(16)),
        event("R1", "A", at(9, day=DAYS[1])),
        event("R2", "A", at(9)),
        event("R1", "B", at(9)),
        event("R1", "A", at(8), kind=CALL),
        event("R1-A", "B", at(9)),
        event("R1", "A-B", at(9)),
    )
    assert set(versions(found)) == {
        "20260702-R1-A", "20260702-R1-A-2", "20260703-R1-A", "20260702-R2-A", "20260702-R1-B",
        "20260702-R1-A-call", "20260702-R1%2DA-B", "20260702-R1-A%2DB",
    }  # fmt: skip


def test_a_visit_that_goes_to_somebody_else_is_cancelled_for_who_had_it() -> None:
    before = entries(event("R1", "A", at(9)))
    after = entries(event("R2", "A", at(9)), told=before)
    assert versions(after) == {
        "20260702-R1-A": (1, "CANCELLED"), "20260702-R2-A": (0, "CONFIRMED"),
    }  # fmt: skip


def test_what_was_cancelled_stays_so_without_growing_and_grows_when_it_comes_back() -> None:
    before = entries(event("R1", "A", at(9)))
    gone = entries(told=before, as_of=LATER)
    assert versions(gone) == {"20260702-R1-A": (1, "CANCELLED")}
    assert entries(told=gone, as_of=LATER + timedelta(hours=1)).equals(gone)
    back = entries(event("R1", "A", at(9)), told=gone)
    assert versions(back) == {"20260702-R1-A": (2, "CONFIRMED")}


def test_days_that_are_over_are_forgotten_and_days_not_planned_again_stay() -> None:
    told = entries(event("R1", "A", at(9)), event("R1", "B", at(9, day=DAYS[1])))
    late = told.with_columns(day=pl.lit(date(2026, 7, 9)), uid=pl.lit("later-") + pl.col("uid")).tail(1)
    past = told.with_columns(day=pl.lit(date(2026, 7, 1)), uid=pl.lit("past-") + pl.col("uid")).tail(1)
    after = entries(told=pl.concat([told, late, past]))
    assert versions(after) == {
        "20260702-R1-A": (1, "CANCELLED"), "20260703-R1-B": (1, "CANCELLED"),
        "later-20260703-R1-B": (0, "CONFIRMED"),
    }  # fmt: skip


def test_of_two_earlier_runs_the_latest_version_counts() -> None:
    first = entries(event("R1", "A", at(9)))
    second = entries(event("R1", "A", at(10)), told=first)
    events = conform(pl.DataFrame([event("R1", "A", at(11))]), EVENT_COLUMNS)
    for told in ([first, second], [second, first]):
        assert versions(calendar_entries(events, told, DAYS, LATER)) == {"20260702-R1-A": (2, "CONFIRMED")}


def test_a_plan_that_is_imported_again_moves_and_removes_and_doubles_nothing(tmp_path: Path) -> None:
    calendar = Imported()
    before = entries(event("R1", "A", at(9)), event("R1", "B", at(11)), event("R1", "C", at(13)))
    write_calendars(before, tmp_path / "a", AS_OF, zone="Europe/Madrid")
    assert len(calendar.read(tmp_path / "a")) == 3
    assert not list((tmp_path / "a").glob("*cancelled*"))
    after = entries(event("R1", "A", at(9)), event("R1", "B", at(16)), event("R2", "C", at(13)), told=before)
    write_calendars(after, tmp_path / "b", LATER, zone="Europe/Madrid")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        "R1-2026-07-02-cancelled.ics", "R1-2026-07-02.ics", "R2-2026-07-02.ics",
    ]  # fmt: skip
    assert {uid.split("@")[0]: start for uid, (start, _) in calendar.read(tmp_path / "b").items()} == {
        "20260702-R1-A": at(9).replace(tzinfo=MADRID),
        "20260702-R1-B": at(16).replace(tzinfo=MADRID),
        "20260702-R2-C": at(13).replace(tzinfo=MADRID),
    }
    gone = calendar.entries["20260702-R1-C@dealwright"]
    assert gone["SUMMARY"] == "Cancelled: visit"
    assert gone["TRANSP"] == "TRANSPARENT"
    assert not gone.walk("VALARM")


def test_everything_an_entry_says_can_be_read_by_two_libraries(tmp_path: Path) -> None:
    title = "Café, ünï; \\ " + "é" * 80 + "\r\nsecond \x07line"
    told = entries(
        event("R1", "A", at(9, 5), title=title, text="why\nwhat", location="Carrer de Mallorca 21, 2n; dreta",
              lat_deg=41.12345678, lon_deg=-2.5, url="../accounts.html#A%2C1", alarm_min=25)
    )  # fmt: skip
    words = Words(names={"R1": "Laia"})
    write_calendars(told, tmp_path, AS_OF, zone="Europe/Madrid", words=words)
    raw = (tmp_path / "R1-2026-07-02.ics").read_bytes()
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.decode()  # no line is broken inside a character
    clean = "Café, ünï; \\ " + "é" * 80 + "\nsecond line"

    ours = Calendar.from_ical(raw)
    assert ours["X-WR-CALNAME"] == "Laia · 2026-07-02"
    (found,) = ours.walk("VEVENT")
    assert (found["SUMMARY"], found["DESCRIPTION"]) == (clean, "why\nwhat")
    assert found["LOCATION"] == "Carrer de Mallorca 21, 2n; dreta"
    assert (found["GEO"].latitude, found["GEO"].longitude) == (41.123457, -2.5)
    assert found["URL"] == "../accounts.html#A%2C1"
    assert found.start == at(9, 5).replace(tzinfo=MADRID)
    assert found["DTSTART"].params["TZID"] == "Europe/Madrid"
    assert found["DTSTAMP"].dt == datetime(2026, 6, 30, 22, tzinfo=ZoneInfo("UTC"))
    (alarm,) = found.walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(minutes=-25)

    assert ours.to_ical() == raw  # the library writes what it read in the same order, with the same folds

    theirs = vobject.readOne(raw.decode()).vevent
    assert (theirs.summary.value, theirs.description.value) == (clean, "why\nwhat")
    assert theirs.location.value == "Carrer de Mallorca 21, 2n; dreta"
    assert theirs.sequence.value == "0"
    assert theirs.dtstart.value.utcoffset() == timedelta(hours=2)
    assert theirs.dtend.value - theirs.dtstart.value == timedelta(minutes=30)
    assert theirs.valarm.trigger.value == timedelta(minutes=-25)


@given(text=st.text(st.sampled_from("a é\U0001f600\\;,^\n:"), min_size=60, max_size=400))
def test_any_text_is_folded_and_escaped_as_the_library_does(text: str) -> None:
    with TemporaryDirectory() as folder:
        told = entries(event("R1", "A", at(9), title=text, text=text or None))
        write_calendars(told, Path(folder), AS_OF, zone="Europe/Madrid")
        raw = (Path(folder) / "R1-2026-07-02.ics").read_bytes()
    read = Calendar.from_ical(raw)
    (found,) = read.walk("VEVENT")
    assert str(found["DESCRIPTION"]) == text
    assert read.to_ical() == raw
    assert max(map(len, raw.split(b"\r\n"))) <= 75


@pytest.mark.parametrize(
    ("moment", "offset_h"),
    [
        (datetime(2026, 3, 29, 1, 59), 1),
        (datetime(2026, 3, 29, 3, 1), 2),
        (datetime(2026, 3, 29, 9), 2),
        (datetime(2026, 10, 25, 1, 59), 2),
        (datetime(2026, 10, 25, 3, 1), 1),
        (datetime(2026, 10, 24, 23), 2),
    ],
)
def test_hours_are_right_on_days_when_clocks_change(tmp_path: Path, moment: datetime, offset_h: int) -> None:
    events = conform(pl.DataFrame([event("R1", "A", moment)]), EVENT_COLUMNS)
    days = moment.date(), moment.date()
    write_calendars(calendar_entries(events, [], days, AS_OF), tmp_path, AS_OF, zone="Europe/Madrid")
    (path,) = tmp_path.iterdir()
    # this library reads the clock's changes from the file, whatever it knows of Madrid itself
    vobject.icalendar.registerTzid("Europe/Madrid", None)
    read = vobject.readOne(path.read_text(encoding="utf-8")).vevent.dtstart.value
    assert read.replace(tzinfo=None) == moment
    assert read.utcoffset() == timedelta(hours=offset_h)


def test_a_company_without_a_clock_of_its_own_has_times_that_stand_as_they_are(tmp_path: Path) -> None:
    write_calendars(entries(event("R1", "A", at(9))), tmp_path, AS_OF)
    text = (tmp_path / "R1-2026-07-02.ics").read_text(encoding="utf-8")
    assert "DTSTART:20260702T090000\n" in text
    assert "VTIMEZONE" not in text
    assert "DTSTAMP:20260701T000000Z" in text


def test_shifts_lunch_and_breaks_are_entries_of_everybody_on_the_roster(tmp_path: Path) -> None:
    shifts = pl.DataFrame(
        {
            "rep_id": ["C1", "C2"], "day": [DAY, DAY], "start_at": [at(9), at(22)],
            "end_at": [at(17, 30), at(6, day=DAYS[1])],
            "lunch_start_at": [at(13), None], "lunch_end_at": [at(13, 30), None],
            "breaks": [[at(10, 30), at(15, 15)], []], "break_min": [15, 15],
            "channels": [["inbound_cc", "outbound_cc"], []],
        },
        schema_overrides={"breaks": pl.List(pl.Datetime("us")), "channels": pl.List(pl.String)},
    )  # fmt: skip
    words = Words(text={"Shift": "Turno", "Lunch": "Comida", "Break": "Descanso"}.__getitem__,
                  channel={"inbound_cc": "when they call", "outbound_cc": "call"}.__getitem__)  # fmt: skip
    made = calendar_entries(shift_events(shifts, words), [], DAYS, AS_OF)
    assert made.select("uid", "title", "start_at", "end_at").rows() == [
        ("20260702-C1--shift@dealwright", "Turno: when they call, call", at(9), at(17, 30)),
        ("20260702-C1--break@dealwright", "Descanso", at(10, 30), at(10, 45)),
        ("20260702-C1--lunch@dealwright", "Comida", at(13), at(13, 30)),
        ("20260702-C1--break-2@dealwright", "Descanso", at(15, 15), at(15, 30)),
        ("20260702-C2--shift@dealwright", "Turno", at(22), at(6, day=DAYS[1])),
    ]
    write_calendars(made, tmp_path, AS_OF)
    (night,) = Calendar.from_ical((tmp_path / "C2-2026-07-02.ics").read_bytes()).walk("VEVENT")
    assert (night.start, night.end, night["TRANSP"]) == (at(22), at(6, day=DAYS[1]), "TRANSPARENT")


def test_nobody_and_no_time_are_no_entries(tmp_path: Path) -> None:
    nobody = entries({**event("R1", "A", at(9)), "rep_id": None}, {**event("R1", "B", at(9)), "end_at": None})
    assert nobody.is_empty()
    assert nobody.schema == ENTRY_COLUMNS
    write_calendars(nobody, tmp_path / "none", AS_OF)
    assert not list((tmp_path / "none").iterdir())


def test_visits_begin_at_whole_five_minutes() -> None:
    times = pl.DataFrame({"at": [at(9, 2), at(9, 3), at(9, 58), at(23, 58)]})
    assert times.select(to_five("at"))["at"].to_list() == [at(9), at(9, 5), at(10), at(0, day=DAYS[1])]
