"""Calendars (iCalendar, RFC 5545) of the day's visits and calls, one file per representative."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from dealwright.report.brief_files import file_name

_LINE_OCTETS = 75  # RFC 5545, section 3.1


def write_calendars(events: pl.DataFrame, folder: Path, as_of: datetime) -> None:
    """Write ``REP-DAY.ics`` into `folder`, which is made.

    Parameters
    ----------
    events
        ``rep_id, account_id, title, start_at, end_at, lat_deg, lon_deg, note``; times are the company's own
        clock, written as floating times (section 3.3.5): every calendar shows them as they are.
    as_of
        The stamp of every entry, so that a run repeats byte for byte.
    """
    known = events.drop_nulls(["rep_id", "start_at", "end_at"])
    folder.mkdir(parents=True, exist_ok=True)
    ordered = known.sort("rep_id", "start_at", "account_id")
    for (rep_id, day), part in ordered.group_by("rep_id", pl.col("start_at").dt.date(), maintain_order=True):
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//dealwright//plan//EN", "CALSCALE:GREGORIAN"]
        lines.append(f"X-WR-CALNAME:{_escape(f'{rep_id} {day}')}")
        for row, number in zip(part.iter_rows(named=True), _times_before(part["account_id"]), strict=True):
            lines += _event(row, as_of, number)
        lines.append("END:VCALENDAR")
        text = "".join(f"{piece}\r\n" for line in lines for piece in _fold(line))
        (folder / f"{file_name(rep_id, day)}.ics").write_bytes(text.encode("utf-8"))


def _times_before(account_id: pl.Series) -> list[int]:
    """Return how often each account has come before in a day."""
    return account_id.to_frame("account").select(pl.int_range(pl.len()).over("account")).to_series().to_list()


def _event(row: dict[str, Any], as_of: datetime, number: int) -> Iterator[str]:
    # not the hour: an entry that moves within its day stays the same entry, and the calendar moves it
    again = f"-{number + 1}" if number else ""
    uid = f"{row['start_at']:%Y%m%d}-{row['rep_id']}-{row['account_id']}{again}@dealwright"
    yield "BEGIN:VEVENT"
    yield f"UID:{_escape(uid)}"
    yield f"DTSTAMP:{as_of:%Y%m%dT%H%M%S}Z"
    yield f"DTSTART:{row['start_at']:%Y%m%dT%H%M%S}"
    yield f"DTEND:{row['end_at']:%Y%m%dT%H%M%S}"
    yield f"SUMMARY:{_escape(row['title'])}"
    if row["note"]:
        yield f"DESCRIPTION:{_escape(row['note'])}"
    if row["lat_deg"] is not None and row["lon_deg"] is not None:
        yield f"GEO:{row['lat_deg']:.6f};{row['lon_deg']:.6f}"
    yield "END:VEVENT"


def _escape(text: str) -> str:
    """Escape a text value (section 3.3.11)."""
    clean = "".join(sign for sign in text.replace("\r\n", "\n") if sign == "\n" or sign.isprintable())
    return clean.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _fold(line: str) -> Iterator[str]:
    """Break a line so that none is longer than 75 octets, never inside a character."""
    piece, size = "", 0
    for sign in line:
        octets = len(sign.encode("utf-8"))
        if size + octets > _LINE_OCTETS:
            yield piece
            piece, size = " ", 1
        piece, size = piece + sign, size + octets
    yield piece
