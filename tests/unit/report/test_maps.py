"""Maps: complete without a network, escaped, the same every time."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely

from dealwright.report.areas import disjoint, territory_features
from dealwright.report.format import format_of
from dealwright.report.land import land_of
from dealwright.report.map_page import SIGNS
from dealwright.report.maps import MapStyle, MapTables, write_maps
from dealwright.schemas import ACTIONS

DAY = datetime(2026, 7, 1, 9)
ACCOUNTS = pl.DataFrame(
    {
        "account_id": ["A", "B", "C"],
        "lat_deg": [41.40, 41.41, None],
        "lon_deg": [2.15, 2.16, None],
        "name": ["<img src=x onerror=alert(1)> `${1}`", None, "nowhere"],
        "territory": ["T1", "T1", None],
        "action": ["visit", None, None],
        "expected_value_eur": [12.346, None, 3.0],
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
HOMES = pl.DataFrame(
    {"rep_id": ["R1"], "rep_name": ["Laia"], "home_lat_deg": [41.39], "home_lon_deg": [2.14]}
)
ALL = MapTables(ACCOUNTS, TERRITORIES, VISITS, DAYS, OTHER, DAYS.with_columns(distance_km=pl.lit(3.0)), HOMES)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def drawn(page: Path) -> dict[str, Any]:
    """Return what a page hands to its script."""
    pattern = r'<script type="application/json" id="map-data">(.*?)</script>'
    found = re.search(pattern, page.read_text(), re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_maps_need_no_network_and_repeat_and_share_one_leaflet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_maps(tmp_path / name / "maps", ALL)
    made = files(tmp_path / "one" / "maps")
    assert made == files(tmp_path / "two" / "maps")
    assert set(made) == {
        "territories.html", "territories.geojson", "routes.html", "routes.geojson", "R1-2026-07-01.html",
    }  # fmt: skip
    shared = files(tmp_path / "one" / "assets")
    assert set(shared) == {
        "leaflet.css", "leaflet.js", "leaflet.LICENSE.txt", "map.css", "map.js", "page.css", "page.js",
    }  # fmt: skip
    assert b"Leaflet 1.9.4" in shared["leaflet.js"]
    assert b"url(images/" not in shared["leaflet.css"]
    for name, content in made.items():
        if name.endswith(".html"):
            text = content.decode()
            assert len(content) < 60_000
            asked = re.findall(r"""<(?:script|link)[^>]+(?:src|href)=["']?([^"' >]+)""", text)
            assert asked == [
                "../assets/leaflet.css", "../assets/map.css", "../assets/page.css", "../assets/leaflet.js",
                "../assets/map.js", "../assets/page.js",
            ]  # fmt: skip
            assert "<img src=x" not in text
            assert drawn(tmp_path / "one" / "maps" / name)["source"] == "ground: the area of the accounts"


def test_a_name_cannot_leave_its_place(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>&<!--"
    accounts = ACCOUNTS.with_columns(name=pl.lit(evil), account_id=pl.lit(evil) + pl.col("account_id"))
    visits = VISITS.with_columns(account_id=pl.lit(evil) + pl.col("account_id"))
    homes = HOMES.with_columns(rep_name=pl.lit(evil))
    write_maps(tmp_path / "maps", MapTables(accounts, TERRITORIES, visits, DAYS, homes=homes))
    for name in ("territories", "routes", "R1-2026-07-01"):
        text = (tmp_path / "maps" / f"{name}.html").read_text()
        assert evil not in text
        assert text.count("</script>") == 5  # the data, Leaflet, ours, that of all pages, the page's own
    assert drawn(tmp_path / "maps" / "routes.html")["people"][0]["stops"][0]["name"] == evil


def test_geojson_holds_the_way_from_home_and_back_in_the_order_of_the_stops(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", MapTables(ACCOUNTS, visits=VISITS, homes=HOMES))
    way, first, second = json.loads((tmp_path / "maps" / "routes.geojson").read_text())["features"]
    assert way["geometry"]["coordinates"] == [[2.14, 41.39], [2.15, 41.4], [2.16, 41.41], [2.14, 41.39]]
    assert [first["properties"]["stop"], second["properties"]["stop"]] == [1, 2]
    assert first["geometry"] == {"type": "Point", "coordinates": [2.15, 41.4]}
    assert not (tmp_path / "maps" / "territories.html").exists()


@pytest.mark.parametrize("homes", [None, HOMES.with_columns(home_lat_deg=pl.lit(None, pl.Float64))])
def test_one_account_and_no_home_still_give_a_map(tmp_path: Path, homes: pl.DataFrame | None) -> None:
    write_maps(tmp_path / "maps", MapTables(ACCOUNTS.head(1), TERRITORIES, VISITS.tail(1), homes=homes))
    assert drawn(tmp_path / "maps" / "routes.html")["people"][0]["home"] is None
    write_maps(tmp_path / "none" / "maps", MapTables(ACCOUNTS.tail(1), TERRITORIES, VISITS, homes=homes))
    assert not list((tmp_path / "none" / "maps").iterdir())


def test_the_list_beside_a_map_says_what_the_map_shows(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", ALL)
    page = (tmp_path / "maps" / "R1-2026-07-01.html").read_text()
    assert "<h1>Laia · Wednesday, 1 July 2026</h1>" in page
    assert '<html lang="en">' in page
    assert [stop["n"] for stop in drawn(tmp_path / "maps" / "R1-2026-07-01.html")["people"][0]["stops"]] == [
        1,
        2,
    ]
    assert re.findall(r"<b>(\d)</b><span>([^<]+)<small class=\"muted\">([^<]+)</small>", page) == [
        ("1", "&lt;img src=x onerror=alert(1)&gt; `${1}`", "09:00–10:00 · visit · €7"),
        ("2", "B", "11:00–12:00 · visit · €5"),
    ]
    routes = (tmp_path / "maps" / "routes.html").read_text()
    assert "Routes of 1 representative</h1>" in routes
    assert "<td>2</td><td>12.3</td><td>€12</td>" in routes  # visits, km, gain of the plan


def test_accounts_are_drawn_by_action_and_value_with_a_sign_for_each(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", ALL)
    data = drawn(tmp_path / "maps" / "territories.html")
    assert data["accounts"] == [
        [41.4, 2.15, "A", "<img src=x onerror=alert(1)> `${1}`", 1, 0, 12.35],
        [41.41, 2.16, "B", "B", 0, 0, None],
    ]  # fmt: skip
    assert [action[:2] for action in data["actions"]] == [["nothing", "no action"], ["visit", "visit"]]
    assert set(ACTIONS) < set(SIGNS)
    assert len(set(SIGNS.values())) == len(SIGNS)
    (area,) = data["people"]
    assert (area["territory"], area["name"], area["number"], area["colour"]) == ("T1", "Laia", 1, 1)
    assert area["facts"] == "2 accounts"
    assert area["more"] == "workload +0.1% of the mean"


def test_a_person_has_one_colour_on_every_map_and_a_pattern_beyond_eight(tmp_path: Path) -> None:
    ids = [f"R{k:02d}" for k in range(1, 18)]
    homes = pl.DataFrame({"rep_id": ids, "home_lat_deg": 41.39, "home_lon_deg": 2.14})
    visits = pl.concat(VISITS.tail(1).with_columns(rep_id=pl.lit(rep)) for rep in ids)
    write_maps(tmp_path / "maps", MapTables(ACCOUNTS, visits=visits, homes=homes))
    people = drawn(tmp_path / "maps" / "routes.html")["people"]
    assert [who["number"] for who in people] == list(range(1, 18))
    assert [who["colour"] for who in people] == [*range(1, 9), *range(1, 9), 1]
    assert [who["pattern"] for who in people] == [0] * 8 + [1] * 8 + [2]
    assert len({(who["colour"], who["pattern"]) for who in people}) == 17
    own = drawn(tmp_path / "maps" / "R11-2026-07-01.html")["people"][0]
    assert (own["colour"], own["number"]) == (3, 11)


def test_a_day_is_compared_with_the_day_without_value(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", ALL)
    for name in ("R1-2026-07-01", "routes"):
        page = (tmp_path / "maps" / f"{name}.html").read_text()
        assert "<td>1</td><td>3.0</td><td>€0</td>" in page
        assert '<input type="checkbox" id="other">' in page  # not checked: it begins hidden
        assert "as many visits as fit on the shortest way" in page
    kinds = [
        (feature["geometry"]["type"], feature["properties"]["kind"])
        for feature in json.loads((tmp_path / "maps" / "routes.geojson").read_text())["features"]
    ]
    assert kinds == [
        ("LineString", "planned"), ("Point", "planned"), ("Point", "planned"),
        ("LineString", "distance_only"), ("Point", "distance_only"),
    ]  # fmt: skip
    write_maps(tmp_path / "alone" / "maps", MapTables(ACCOUNTS, visits=VISITS, days=DAYS, homes=HOMES))
    assert 'id="other"' not in (tmp_path / "alone" / "maps" / "routes.html").read_text()


def test_tiles_are_asked_for_as_the_user_says(tmp_path: Path) -> None:
    def asked(tiles: str | None) -> Any:
        write_maps(tmp_path / "maps", MapTables(ACCOUNTS, visits=VISITS), style=MapStyle(tiles=tiles))
        return drawn(tmp_path / "maps" / "routes.html")["tiles"]

    own = "https://tiles.example.com/{z}/{x}/{y}.png"
    found = asked(own)
    assert (found["url"], found["own"], found["credit"]) == (own, True, "")  # from wherever it is opened
    assert asked("")["url"] == ""
    standard = asked(None)
    assert (standard["url"], standard["own"]) == ("https://tile.openstreetmap.org/{z}/{x}/{y}.png", False)
    assert "OpenStreetMap" in standard["credit"]


def test_maps_speak_the_language_of_the_run(tmp_path: Path) -> None:
    style = MapStyle(format_of("es_ES", "USD"), "Acme", files=("maps/routes.html",))
    write_maps(tmp_path / "maps", ALL, style=style)
    page = (tmp_path / "maps" / "R1-2026-07-01.html").read_text()
    assert '<html lang="es">' in page
    assert "<h1>Laia · miércoles, 1 de julio de 2026</h1>" in page
    assert '<a href="../report.html">Informe</a>' in re.sub(r"\s+", " ", page).replace('" >', '">')
    assert "Ganancia esperada" in page
    data = drawn(tmp_path / "maps" / "R1-2026-07-01.html")
    assert (data["locale"], data["currency"]) == ("es-ES", "USD")
    assert data["people"][0]["stops"][0]["gain"] == "7\xa0US$"


def square(west: float, east: float) -> str:
    return f"POLYGON (({west} 41, {east} 41, {east} 42, {west} 42, {west} 41))"


def test_outlines_do_not_lie_over_each_other(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "territory": ["T1", "T2", "T3"], "rep_id": ["R1", "R2", "R3"], "accounts": [3, 3, 0],
            "deviation_pct": [0.0] * 3, "outline": [square(0, 3), square(2, 6), square(2.5, 2.75)],
        }
    )  # fmt: skip
    accounts = pl.DataFrame(
        {
            "lat_deg": [41.5] * 6, "lon_deg": [1.0, 1.5, 2.2, 2.3, 5.0, 5.5],
            "territory": ["T1", "T1", "T1", "T2", "T2", "T2"],
        }
    )  # fmt: skip
    shapes = [
        shapely.geometry.shape(item["geometry"]) for item in disjoint(territory_features(frame), accounts)
    ]
    for k, one in enumerate(shapes):
        for other in shapes[:k]:
            assert one.intersection(other).area < 1e-9
    assert shapely.union_all(shapes).area == pytest.approx(6)  # nothing is lost
    # as many accounts of both where the first two meet: the smaller one keeps it; T3 is the smallest
    assert [round(shape.area, 6) for shape in shapes] == [2.75, 3.0, 0.25]
    more = pl.concat([accounts, accounts.filter(territory="T2").with_columns(lon_deg=pl.lit(2.4))])
    won = [shapely.geometry.shape(item["geometry"]) for item in disjoint(territory_features(frame), more)]
    assert [round(shape.area, 6) for shape in won] == [2.0, 3.75, 0.25]


def test_territories_end_at_the_shore(tmp_path: Path) -> None:
    coast = {"type": "Polygon", "coordinates": [[[2, 41.35], [3, 41.35], [3, 42], [2, 42], [2, 41.35]]]}
    write_maps(tmp_path / "maps", MapTables(ACCOUNTS, TERRITORIES), land_of(coast, "land", "a coast"))
    data = drawn(tmp_path / "maps" / "territories.html")
    assert (data["source"], data["coast"]) == ("ground: a coast", True)
    corners = shapely.get_coordinates(shapely.geometry.shape(data["people"][0]["area"]))
    assert corners[:, 1].min() == 41.35  # the corner of the territory at 41.3 lies in the water
