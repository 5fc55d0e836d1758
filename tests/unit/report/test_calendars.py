"""Calendars: an entry that moves stays the same entry."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import polars as pl

from dealwright.report.calendars import write_calendars

AS_OF = datetime(2026, 7, 1)


def uids(folder: Path, *rows: tuple[str, str, datetime]) -> list[str]:
    events = pl.DataFrame(
        {
            "rep_id": [row[0] for row in rows],
            "account_id": [row[1] for row in rows],
            "title": ["visit"] * len(rows),
            "start_at": [row[2] for row in rows],
            "end_at": [row[2].replace(minute=59) for row in rows],
            "lat_deg": [41.0] * len(rows),
            "lon_deg": [2.0] * len(rows),
            "note": [None] * len(rows),
        }
    )
    write_calendars(events, folder, AS_OF)
    texts = [path.read_text().replace("\r\n ", "") for path in sorted(folder.glob("*.ics"))]
    return [uid for text in texts for uid in re.findall(r"UID:(\S+)", text)]


def test_an_entry_keeps_its_uid_at_another_hour_of_its_day(tmp_path: Path) -> None:
    before = uids(tmp_path / "a", ("R1", "A", datetime(2026, 7, 2, 9)), ("R1", "B", datetime(2026, 7, 2, 11)))
    after = uids(tmp_path / "b", ("R1", "A", datetime(2026, 7, 2, 15)), ("R1", "B", datetime(2026, 7, 2, 10)))
    assert before == ["20260702-R1-A@dealwright", "20260702-R1-B@dealwright"]
    assert sorted(after) == before


def test_another_day_representative_account_or_second_contact_is_another_entry(tmp_path: Path) -> None:
    found = uids(
        tmp_path,
        ("R1", "A", datetime(2026, 7, 2, 9)),
        ("R1", "A", datetime(2026, 7, 2, 16)),
        ("R1", "A", datetime(2026, 7, 3, 9)),
        ("R2", "A", datetime(2026, 7, 2, 9)),
        ("R1", "B", datetime(2026, 7, 2, 9)),
    )
    assert len(set(found)) == 5
    assert "20260702-R1-A-2@dealwright" in found
