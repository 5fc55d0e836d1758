"""Maps: complete without a network, escaped, the same every time."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from dealwright.report import territory_maps
from dealwright.report.land import land_of
from dealwright.report.maps import MapTables, write_maps
from dealwright.report.territory_maps import COLOURS, territory_colours, territory_features

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
DAYS = pl.DataFrame({"rep_id": ["R1"], "day": [date(2026, 7, 1)], "distance_km": [12.345]})
# without value only the far account is visited, so that the totals differ
OTHER = VISITS.head(1).with_columns(stop=pl.lit(1, pl.Int64), value_eur=pl.lit(0.0))
HOMES = pl.DataFrame({"rep_id": ["R1"], "home_lat_deg": [41.39], "home_lon_deg": [2.14]})
ALL = MapTables(ACCOUNTS, TERRITORIES, VISITS, DAYS, OTHER, DAYS.with_columns(distance_km=pl.lit(3.0)), HOMES)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_maps_need_no_network_and_repeat(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_maps(tmp_path / name, ALL)
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
            assert "ground: the area of the accounts" in text
    assert "arrives 11:00" in made["R1-2026-07-01.html"].decode()


def test_geojson_holds_the_way_from_home_and_back_in_the_order_of_the_stops(tmp_path: Path) -> None:
    write_maps(tmp_path, MapTables(ACCOUNTS, visits=VISITS, homes=HOMES))
    way, first, second = json.loads((tmp_path / "routes.geojson").read_text())["features"]
    assert way["geometry"]["coordinates"] == [[2.14, 41.39], [2.15, 41.4], [2.16, 41.41], [2.14, 41.39]]
    assert [first["properties"]["stop"], second["properties"]["stop"]] == [1, 2]
    assert first["geometry"] == {"type": "Point", "coordinates": [2.15, 41.4]}
    assert not (tmp_path / "territories.html").exists()


@pytest.mark.parametrize("homes", [None, HOMES.with_columns(home_lat_deg=pl.lit(None, pl.Float64))])
def test_one_account_and_no_home_still_give_a_map(tmp_path: Path, homes: pl.DataFrame | None) -> None:
    write_maps(tmp_path, MapTables(ACCOUNTS.head(1), TERRITORIES, VISITS.tail(1), homes=homes))
    assert (tmp_path / "routes.html").exists()
    write_maps(tmp_path / "none", MapTables(ACCOUNTS.tail(1), TERRITORIES, VISITS, homes=homes))
    assert not list((tmp_path / "none").iterdir())


def test_many_accounts_are_drawn_as_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(territory_maps, "CLUSTER_FROM", 1)
    write_maps(tmp_path, MapTables(ACCOUNTS, TERRITORIES))
    page = (tmp_path / "territories.html").read_text()
    assert "L.markerClusterGroup(" in page
    assert "cdnjs" not in page


def test_a_day_is_compared_with_the_day_without_value(tmp_path: Path) -> None:
    write_maps(tmp_path, ALL)
    for name in ("R1-2026-07-01", "routes"):
        page = (tmp_path / f"{name}.html").read_text()
        assert "<td>2</td><td>12.3</td><td>&#8364;12</td>" in page  # visits, km, gain of the plan
        assert "<td>1</td><td>3.0</td><td>&#8364;0</td>" in page
        assert "as many visits as fit on the shortest way" in page
    kinds = [
        (feature["geometry"]["type"], feature["properties"]["kind"])
        for feature in json.loads((tmp_path / "routes.geojson").read_text())["features"]
    ]
    assert kinds == [
        ("LineString", "planned"), ("Point", "planned"), ("Point", "planned"),
        ("LineString", "distance_only"), ("Point", "distance_only"),
    ]  # fmt: skip
    write_maps(tmp_path / "alone", MapTables(ACCOUNTS, visits=VISITS, days=DAYS, homes=HOMES))
    assert "distance only" not in (tmp_path / "alone" / "routes.html").read_text()


def test_tiles_are_asked_for_as_the_user_says(tmp_path: Path) -> None:
    def asked(tiles: str | None) -> tuple[str, str]:
        write_maps(tmp_path, MapTables(ACCOUNTS, visits=VISITS), tiles=tiles)
        call = re.search(r'addTiles\([^,]+, ("[^"]*"), (true|false)', (tmp_path / "routes.html").read_text())
        assert call is not None
        return call[1], call[2]

    own = "https://tiles.example.com/{z}/{x}/{y}.png"
    assert asked(own) == (f'"{own}"', "true")  # from wherever the page is opened
    assert asked("") == ('""', "false")
    assert asked(None) == ('"https://tile.openstreetmap.org/{z}/{x}/{y}.png"', "false")


def test_territories_end_at_the_shore_and_neighbours_differ_in_colour(tmp_path: Path) -> None:
    squares = [(east, north) for east in range(4) for north in range(4)]
    wkt = "POLYGON (({0} {1}, {2} {1}, {2} {3}, {0} {3}, {0} {1}))"
    frame = pl.DataFrame(
        {
            "territory": [f"T{k}" for k in range(16)],
            "rep_id": [None] * 16,
            "accounts": [1] * 16,
            "deviation_pct": [0.0] * 16,
            "outline": [wkt.format(east, north, east + 1, north + 1) for east, north in squares],
        },
        schema_overrides={"rep_id": pl.String},
    )
    shapes = territory_features(frame)
    colours = territory_colours(shapes)
    assert set(colours.values()) <= set(COLOURS)
    for k, (east, north) in enumerate(squares):
        for m, (other_east, other_north) in enumerate(squares):
            if k != m and abs(east - other_east) <= 1 and abs(north - other_north) <= 1:
                assert colours[f"T{k}"] != colours[f"T{m}"]
    coast = {"type": "Polygon", "coordinates": [[[2, 41.35], [3, 41.35], [3, 42], [2, 42], [2, 41.35]]]}
    land = land_of(coast, "land", "a coast")
    write_maps(tmp_path, MapTables(ACCOUNTS, TERRITORIES), land)
    page = (tmp_path / "territories.html").read_text()
    assert "ground: a coast" in page
    assert "[2.2, 41.3]" not in page  # the corner of the territory that lies in the water
    assert "41.35" in page


def test_white_figures_can_be_read_on_every_colour() -> None:
    # WCAG 2.2, relative luminance and contrast ratio
    for colour in COLOURS:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5, colour
