"""Maps and calendars: complete without a network, escaped, the same every time."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from dealwright.report import maps
from dealwright.report.calendars import write_calendars
from dealwright.report.maps import write_maps

DAY = datetime(2026, 7, 1, 9)
ACCOUNTS = pl.DataFrame(
    {
        "account_id": ["A", "B", "C"],
        "lat_deg": [41.40, 41.41, None],
        "lon_deg": [2.15, 2.16, None],
        "name": ["<img src=x onerror=alert(1)> `${1}`", None, "nowhere"],
        "territory": ["T1", "T1", None],
        "action": ["visit", None, None],
    }
)
TERRITORIES = pl.DataFrame(
    {
        "territory": ["T1", "T2"],
        "rep_id": ["R1", None],
        "accounts": [2, 0],
        "deviation_pct": [0.1, -0.1],
        "outline": ["POLYGON ((2.1 41.3, 2.2 41.3, 2.2 41.5, 2.1 41.3))", None],
    }
)
VISITS = pl.DataFrame(
    {
        "rep_id": ["R1", "R1"],
        "day": [date(2026, 7, 1)] * 2,
        "stop": [2, 1],
        "account_id": ["B", "A"],
        "arrive_at": [DAY.replace(hour=11), DAY],
        "start_at": [DAY.replace(hour=11), DAY],
        "leave_at": [DAY.replace(hour=12), DAY.replace(hour=10)],
        "value_eur": [5.0, 7.0],
    }
)
HOMES = pl.DataFrame({"rep_id": ["R1"], "home_lat_deg": [41.39], "home_lon_deg": [2.14]})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_maps_need_no_network_and_repeat(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_maps(tmp_path / name, ACCOUNTS, TERRITORIES, VISITS, HOMES)
    made = files(tmp_path / "one")
    assert made == files(tmp_path / "two")
    assert set(made) == {
        "territories.html", "territories.geojson", "routes.html", "routes.geojson", "R1-2026-07-01.html",
    }  # fmt: skip
    for name, content in made.items():
        if name.endswith(".html"):
            text = content.decode()
            assert "L.Map=" in text or "Leaflet 1.9.4" in text
            assert not re.search(r"""<(?:script|link)[^>]+(?:src|href)=["']?(?:https?:)?//""", text)
            assert "<img src=x" not in text
            assert "`${1}`" not in text
    assert "arrives 11:00" in made["R1-2026-07-01.html"].decode()


def test_geojson_holds_the_way_from_home_and_back_in_the_order_of_the_stops(tmp_path: Path) -> None:
    write_maps(tmp_path, ACCOUNTS, None, VISITS, HOMES)
    way, first, second = json.loads((tmp_path / "routes.geojson").read_text())["features"]
    assert way["geometry"]["coordinates"] == [[2.14, 41.39], [2.15, 41.4], [2.16, 41.41], [2.14, 41.39]]
    assert [first["properties"]["stop"], second["properties"]["stop"]] == [1, 2]
    assert first["geometry"] == {"type": "Point", "coordinates": [2.15, 41.4]}
    assert not (tmp_path / "territories.html").exists()


@pytest.mark.parametrize("homes", [None, HOMES.with_columns(home_lat_deg=pl.lit(None, pl.Float64))])
def test_one_account_and_no_home_still_give_a_map(tmp_path: Path, homes: pl.DataFrame | None) -> None:
    write_maps(tmp_path, ACCOUNTS.head(1), TERRITORIES, VISITS.tail(1), homes)
    assert (tmp_path / "routes.html").exists()
    write_maps(tmp_path / "none", ACCOUNTS.tail(1), TERRITORIES, VISITS, homes)
    assert not (tmp_path / "none").exists()


def test_many_accounts_are_drawn_as_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "CLUSTER_FROM", 1)
    write_maps(tmp_path, ACCOUNTS, TERRITORIES, None, None)
    page = (tmp_path / "territories.html").read_text()
    assert "L.markerClusterGroup(" in page
    assert "cdnjs" not in page


def test_calendars_follow_the_standard(tmp_path: Path) -> None:
    events = pl.DataFrame(
        {
            "rep_id": ["R1", "R1", None], "account_id": ["A", "B", "C"],
            "title": ["Café, ünï; \\ " + "é" * 80, "short\nline", "x"],
            "start_at": [DAY.replace(hour=11), DAY, DAY], "end_at": [DAY.replace(hour=12)] * 3,
            "lat_deg": [41.4, None, None], "lon_deg": [2.1, None, None], "note": ["visit", None, None],
        }
    )  # fmt: skip
    write_calendars(events, tmp_path / "c", DAY)
    (path,) = (tmp_path / "c").iterdir()
    assert path.name == "R1-2026-07-01.ics"
    raw = path.read_bytes()
    lines = raw.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    unfolded = raw.replace(b"\r\n ", b"").decode()
    assert "SUMMARY:Café\\, ünï\\; \\\\ " + "é" * 80 + "\r\n" in unfolded
    assert "SUMMARY:short\\nline\r\n" in unfolded
    assert unfolded.count("BEGIN:VEVENT") == unfolded.count("END:VEVENT") == 2
    assert unfolded.index("DTSTART:20260701T090000") < unfolded.index("DTSTART:20260701T110000")
    write_calendars(events.clear(), tmp_path / "d", DAY)
    assert not (tmp_path / "d").exists()
