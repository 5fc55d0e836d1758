"""Calendars (iCalendar, RFC 5545): everybody's visits, calls, shifts and breaks, one file per person and day.

An entry has the same UID in every run that plans it: who, on which day, with which account. What changes in
it raises its SEQUENCE, what falls away is cancelled, so that a calendar that reads the files of a later run
moves and removes its entries and doubles none. What was said is kept as ``calendar.parquet`` in the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl

from dealwright.report.brief_files import file_name
from dealwright.schemas import TIMESTAMP, Columns, conform

VISIT: Final = "visit"
CALL: Final = "call"
SHIFT: Final = "shift"
LUNCH: Final = "lunch"
BREAK: Final = "break"
CONFIRMED: Final = "CONFIRMED"
CANCELLED: Final = "CANCELLED"
FLOATING: Final = "UTC"  # a company that names no clock of its own: times stand as they are everywhere
PRODUCT: Final = "-//dealwright//plan//EN"
_LINE_BYTES: Final = 74  # a folded line begins with a blank, which counts

# what an entry shows; a change of any of these is a new version of it
SHOWN: Final[Columns] = {
    "start_at": TIMESTAMP, "end_at": TIMESTAMP, "title": pl.String, "text": pl.String, "location": pl.String,
    "lat_deg": pl.Float64, "lon_deg": pl.Float64, "url": pl.String, "alarm_min": pl.Int64,
}  # fmt: skip
EVENT_COLUMNS: Final[Columns] = {
    "rep_id": pl.String, "day": pl.Date, "kind": pl.String, "account_id": pl.String, **SHOWN,
}  # fmt: skip
_VERSION: Final = ("status", "sequence", "changed_at")
ENTRY_COLUMNS: Final[Columns] = {
    "uid": pl.String, **EVENT_COLUMNS,
    "status": pl.String,
    "sequence": pl.Int64,
    "changed_at": TIMESTAMP,  # the cut-off of the run that said so first
}  # fmt: skip


@dataclass(frozen=True)
class Words:
    """What calendars say in the language of the run; by default in English."""

    text: Callable[[str], str] = str  # translates a word
    channel: Callable[[str], str] = str  # how people call a channel
    # `rep_id` -> how people call them, where it is not the id
    names: Mapping[str, str] = field(default_factory=dict)

    def cancelled(self, title: str) -> str:
        """Mark the title of what fell away, for a calendar that goes on showing it."""
        return f"{self.text('Cancelled')}: {title}"


def to_five(column: str) -> pl.Expr:
    """Return times rounded to five minutes, as people make appointments."""
    return pl.col(column).dt.offset_by("150s").dt.truncate("5m").alias(column)


def shift_events(shifts: pl.DataFrame, words: Words) -> pl.DataFrame:
    """Return the shifts (`SHIFT_COLUMNS`), lunches and breaks of the contact centre as `EVENT_COLUMNS`."""
    rows = []
    for row in shifts.iter_rows(named=True):
        who = {"rep_id": row["rep_id"], "day": row["day"]}
        worked = ", ".join(words.channel(name) for name in row["channels"] or ())
        title = words.text("Shift") + (f": {worked}" if worked else "")
        rows.append(
            {**who, "kind": SHIFT, "title": title, "start_at": row["start_at"], "end_at": row["end_at"]}
        )
        if row["lunch_start_at"] is not None:
            rows.append(
                {**who, "kind": LUNCH, "title": words.text("Lunch"),
                 "start_at": row["lunch_start_at"], "end_at": row["lunch_end_at"]}
            )  # fmt: skip
        length = timedelta(minutes=row["break_min"] or 0)
        rows += [
            {**who, "kind": BREAK, "title": words.text("Break"), "start_at": start, "end_at": start + length}
            for start in row["breaks"] or ()
        ]
    return conform(pl.DataFrame(rows, infer_schema_length=None) if rows else None, EVENT_COLUMNS)


def calendar_entries(
    events: pl.DataFrame, earlier: Iterable[pl.DataFrame], days: tuple[date, date], as_of: datetime
) -> pl.DataFrame:
    """Return what calendars are to say, given what they were told before, as `ENTRY_COLUMNS`.

    Parameters
    ----------
    events
        `EVENT_COLUMNS`: all of these days.
    earlier
        The entries of earlier runs; of one entry, its latest version counts.
    days
        The first and the last day that is planned: what was said of them and is not among the events is
        cancelled. What was said of later days stays as it is; days that are over are forgotten.
    as_of
        When what changed was changed.
    """
    named = conform(events, EVENT_COLUMNS).drop_nulls(["rep_id", "start_at", "end_at"])
    named = named.with_columns(day=pl.coalesce("day", pl.col("start_at").dt.date()))
    now = named.sort("rep_id", "day", "start_at", "kind", "account_id", nulls_last=True)
    now = now.with_columns(number=pl.int_range(pl.len()).over("rep_id", "day", "kind", "account_id"))
    now = now.with_columns(
        uid=pl.Series([_uid(row) for row in now.iter_rows(named=True)], dtype=pl.String)
    ).drop("number")
    told = _latest(earlier).filter(pl.col("day") >= days[0])
    joined = now.join(
        told.select("uid", *(pl.col(name).alias(f"old_{name}") for name in (*SHOWN, *_VERSION))),
        on="uid", how="left", maintain_order="left",
    )  # fmt: skip
    same = pl.all_horizontal(
        pl.col("old_status") == CONFIRMED, *(pl.col(name).eq_missing(pl.col(f"old_{name}")) for name in SHOWN)
    ).fill_null(value=False)
    current = joined.with_columns(
        status=pl.lit(CONFIRMED),
        sequence=pl.when(same).then("old_sequence").otherwise(pl.col("old_sequence") + 1).fill_null(0),
        changed_at=pl.when(same).then("old_changed_at").otherwise(pl.lit(as_of)),
    ).select(pl.col(name).cast(kind) for name, kind in ENTRY_COLUMNS.items())
    gone = told.join(now, on="uid", how="anti", maintain_order="left")
    fell_away = (pl.col("day") <= days[1]) & (pl.col("status") == CONFIRMED)
    gone = gone.with_columns(
        status=pl.when(fell_away).then(pl.lit(CANCELLED)).otherwise("status"),
        sequence=pl.col("sequence") + fell_away.cast(pl.Int64),
        changed_at=pl.when(fell_away).then(pl.lit(as_of, TIMESTAMP)).otherwise("changed_at"),
    )
    return pl.concat([current, gone]).sort("rep_id", "day", "start_at", "uid")


def _latest(earlier: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the latest version of each entry."""
    parts = [conform(frame, ENTRY_COLUMNS, "uid", "day", "sequence", "status") for frame in earlier]
    frame = pl.concat(parts) if parts else pl.DataFrame(schema=ENTRY_COLUMNS)
    return frame.sort("uid", "sequence", descending=[False, True], maintain_order=True).unique(
        "uid", keep="first", maintain_order=True
    )


def _uid(row: Mapping[str, Any]) -> str:
    """Name an entry by who, when and with whom: not by the hour, which may change."""
    parts = [f"{row['day']:%Y%m%d}", _part(row["rep_id"]), _part(row["account_id"] or "")]
    if row["kind"] != VISIT:
        parts.append(row["kind"])
    if row["number"]:
        parts.append(str(row["number"] + 1))
    return f"{'-'.join(parts)}@dealwright"


def _part(text: str) -> str:
    """Write an id so that it cannot run into the next one."""
    return quote(text, safe=" ").replace("-", "%2D")


def write_calendars(
    entries: pl.DataFrame,
    folder: Path,
    as_of: datetime,
    *,
    zone: str = FLOATING,
    days: tuple[date, date] | None = None,
    words: Words | None = None,
) -> None:
    """Write ``REP-DAY.ics`` into `folder`, which is made, and ``REP-DAY-cancelled.ics`` where needed.

    The first file says it all, what was cancelled included (``METHOD:PUBLISH``); the second one asks
    calendars that only follow ``METHOD:CANCEL`` to take those entries out.

    Parameters
    ----------
    entries
        From `calendar_entries`.
    as_of
        The stamp of every file, so that a run repeats byte for byte.
    zone
        The company's clock; with `FLOATING`, times stand as they are.
    days
        The first and the last day to write; by default all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = words or Words()
    writer = _Writer(words, _Clock(zone), as_of)
    if days is not None:
        entries = entries.filter(pl.col("day").is_between(*days))
    for (rep_id, day), part in entries.group_by("rep_id", "day", maintain_order=True):
        name = file_name(rep_id, day)
        called = f"{words.names.get(str(rep_id), str(rep_id))} · {day}"
        rows = part.to_dicts()
        (folder / f"{name}.ics").write_bytes(writer.calendar(called, "PUBLISH", rows))
        if gone := [row for row in rows if row["status"] == CANCELLED]:
            (folder / f"{name}-cancelled.ics").write_bytes(writer.calendar(called, "CANCEL", gone))


@dataclass(frozen=True)
class _Clock:
    """The company's clock."""

    zone: str

    @property
    def floating(self) -> bool:
        return self.zone == FLOATING

    def local(self, name: str, value: datetime) -> str:
        """Return a line with a time on the clock's wall."""
        return f"{name}{'' if self.floating else f';TZID={self.zone}'}:{value:%Y%m%dT%H%M%S}"

    def stamp(self, name: str, value: datetime) -> str:
        """Return a line with a moment, in UTC."""
        there = UTC if self.floating else ZoneInfo(self.zone)
        return f"{name}:{value.replace(tzinfo=there).astimezone(UTC):%Y%m%dT%H%M%SZ}"


@dataclass(frozen=True)
class _Writer:
    """Writes the calendars of a run: line by line, in the order and with the folds of the library icalendar.

    The library makes an object of every value, which takes five times as long; it still describes the clock,
    and the tests read with it what is written here.
    """

    words: Words
    clock: _Clock
    as_of: datetime

    def calendar(self, called: str, method: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Return one calendar as its file is to be."""
        head = [
            "BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN", f"METHOD:{method}",
            f"X-WR-CALNAME:{_escape(called)}",
        ]  # fmt: skip
        described = b""
        if not self.clock.floating:
            head.append(f"X-WR-TIMEZONE:{self.clock.zone}")
            # a year around: the changes that matter, and calendars that expect both of a year find them
            margin = timedelta(days=366)
            described = _time_zone(self.clock.zone, rows[0]["day"] - margin, rows[-1]["day"] + margin)
        events = (line for row in rows for line in self._event(row))
        return b"".join(
            [_fold(head), described, _fold(events), b"END:VCALENDAR\r\n"],
        )

    def _event(self, row: Mapping[str, Any]) -> Iterator[str]:
        gone, clock = row["status"] == CANCELLED, self.clock
        title = _escape(row["title"])
        yield "BEGIN:VEVENT"
        yield f"SUMMARY:{_escape(self.words.cancelled(row['title'])) if gone else title}"
        yield clock.local("DTSTART", row["start_at"])
        yield clock.local("DTEND", row["end_at"])
        yield clock.stamp("DTSTAMP", self.as_of)
        yield f"UID:{_escape(row['uid'])}"
        yield f"SEQUENCE:{row['sequence']}"
        if row["text"]:
            yield f"DESCRIPTION:{_escape(row['text'])}"
        if row["lat_deg"] is not None and row["lon_deg"] is not None:
            yield f"GEO:{round(row['lat_deg'], 6)};{round(row['lon_deg'], 6)}"
        yield clock.stamp("LAST-MODIFIED", row["changed_at"])
        if row["location"]:
            yield f"LOCATION:{_escape(row['location'])}"
        if gone:
            yield "ORGANIZER:invalid:nomail"  # who takes it back has to be named: RFC 5546, 3.2.5
        yield f"STATUS:{row['status']}"
        # a shift holds calls and breaks, which take the time; what was cancelled takes none
        yield f"TRANSP:{'TRANSPARENT' if gone or row['kind'] == SHIFT else 'OPAQUE'}"
        if row["url"]:
            yield f"URL:{row['url']}"
        if not gone and row["alarm_min"] is not None:
            yield "BEGIN:VALARM"
            yield "ACTION:DISPLAY"
            yield f"DESCRIPTION:{title}"
            yield f"TRIGGER:-PT{row['alarm_min']}M"
            yield "END:VALARM"
        yield "END:VEVENT"


def _escape(text: str) -> str:
    """Write text as the value of a line (RFC 5545, section 3.3.11)."""
    clean = _clean(text).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return clean.replace("\n", "\\n")


def _fold(lines: Iterable[str]) -> bytes:
    """End lines, and fold those longer than 75 bytes (RFC 5545, section 3.1).

    A fold never stands inside a character or behind the sign that escapes the next one.
    """
    folded = []
    for line in lines:
        rest = line.encode()
        while len(rest) > _LINE_BYTES:
            cut = _LINE_BYTES
            while rest[cut] & 0xC0 == 0x80:
                cut -= 1
            cut -= rest[cut - 1] in b"\\^"
            folded += [rest[:cut], b"\r\n "]
            rest = rest[cut:]
        folded += [rest, b"\r\n"]
    return b"".join(folded)


@lru_cache(maxsize=64)
def _time_zone(zone: str, first: date, last: date) -> bytes:
    """Describe a clock's changes from a day to another one (RFC 5545, section 3.6.5).

    The library's own description tells the beginning of summer time an hour late.
    """
    from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

    clock = ZoneInfo(zone)
    described = Timezone()
    described.add("tzid", zone)
    before = datetime.combine(first, time(), UTC)
    for moment in _changes(clock, before, datetime.combine(last, time(), UTC)):
        after = moment.astimezone(clock)
        was = (moment - timedelta(seconds=1)).astimezone(clock).utcoffset() or timedelta()
        part = TimezoneDaylight() if after.dst() else TimezoneStandard()
        part.add("dtstart", (moment + was).replace(tzinfo=None))  # on the clock as it was until then
        part.add("tzoffsetfrom", was)
        part.add("tzoffsetto", after.utcoffset() or timedelta())
        part.add("tzname", after.tzname() or zone)
        described.add_component(part)
    return bytes(described.to_ical())


def _changes(clock: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the first moment, and then each at which the clock is changed."""
    yield first
    low = first
    while low < last:
        high = low + timedelta(days=1)
        if high.astimezone(clock).utcoffset() != low.astimezone(clock).utcoffset():
            inside, outside = low, high
            while outside - inside > timedelta(minutes=1):
                middle = inside + (outside - inside) / 2
                middle -= timedelta(seconds=middle.second, microseconds=middle.microsecond)
                if (
                    inside < middle
                    and middle.astimezone(clock).utcoffset() == low.astimezone(clock).utcoffset()
                ):
                    inside = middle
                else:
                    outside = middle
            yield outside
        low = high


def _clean(text: str) -> str:
    """Leave out characters that no text of a calendar may hold."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if lines.replace("\n", "").isprintable():
        return lines
    return "".join(sign for sign in lines if sign == "\n" or sign.isprintable())
