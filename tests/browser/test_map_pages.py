"""The maps in a real browser: drawn without a network, beside a list that says the same, for everybody."""

from __future__ import annotations

import base64
import gzip
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest
from browsing import DESKTOP, PHONE, Open, violations
from playwright.sync_api import Browser, Page
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from dealwright.report.maps import MapStyle, MapTables, write_maps

# one red pixel, which a tile layer stretches
RED = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
LAND = "rgb(246, 246, 240)", "rgb(31, 38, 44)"  # in light and in the dark
SHEET_PX = 1061, 733  # A4, landscape, less margins of 8 mm


@pytest.fixture(scope="module")
def visits(run_folder: Path) -> pl.DataFrame:
    return pl.read_parquet(run_folder / "visits.parquet")


@pytest.fixture
def address(run_folder: Path) -> Iterator[str]:
    """Serve the maps from this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=run_folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def own_map(run_folder: Path, rep_id: str) -> Path:
    (path,) = (run_folder / "maps").glob(f"{rep_id}-*.html")
    return path


def stops(page: Page) -> list[str]:
    """Return the numbers on the discs of the plan."""
    return page.locator(".leaflet-marker-pane .stop:not(.without)").all_inner_texts()


def ground_colour(page: Page) -> str | None:
    """Return the colour of the drawn ground in the middle of the map, None where there is none."""
    found: str | None = page.evaluate(
        """() => {
            const path = document.querySelector(".leaflet-ground-pane path");
            const box = document.getElementById("map").getBoundingClientRect();
            const middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
            const inside = path.isPointInFill(middle.matrixTransform(path.getScreenCTM().inverse()));
            const style = getComputedStyle(path);
            return inside && style.fillOpacity === "1" && path.checkVisibility() ? style.fill : null;
        }"""
    )
    return found


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("name", ["territories", "routes", "R001-2026-07-01"])
def test_every_map_is_drawn_without_a_network(
    run_folder: Path, visit: Open, name: str, size: tuple[int, int]
) -> None:
    opened = visit(run_folder / "maps" / f"{name}.html", size)
    opened.require_quiet()
    opened.require_no_sideways_scrolling()
    page = opened.page
    assert ground_colour(page) == LAND[0]
    assert "ground: land.geojson" in page.locator(".leaflet-control-attribution").inner_text()
    assert page.title()
    # nothing lies on the map but its own few controls, on a phone neither
    chart, beside = page.locator("#map").bounding_box(), page.locator(".beside").bounding_box()
    assert chart is not None
    assert beside is not None
    assert beside["x"] + beside["width"] <= chart["x"] or beside["y"] >= chart["y"] + chart["height"]
    assert chart["height"] > size[1] / 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("name", ["territories", "routes", "R001-2026-07-01"])
def test_maps_serve_everybody(
    run_folder: Path, visit: Open, name: str, size: tuple[int, int], scheme: Any
) -> None:
    page = visit(run_folder / "maps" / f"{name}.html", size).page
    page.emulate_media(color_scheme=scheme)
    assert ground_colour(page) == LAND[scheme == "dark"]
    assert violations(page) == []
    targets = page.locator("#map a:visible, #map [role=button]:visible, .beside button:visible")
    for box in targets.evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())"):
        if box["width"]:
            assert min(box["width"], box["height"]) >= 24 or box["height"] < 20, box  # a link within a text


def test_stops_are_numbered_named_and_lead_to_the_account(
    run_folder: Path, visit: Open, visits: pl.DataFrame
) -> None:
    for (rep_id,), day in visits.group_by("rep_id", maintain_order=True):
        opened = visit(own_map(run_folder, str(rep_id)))
        page = opened.page
        assert stops(page) == [str(stop) for stop in day["stop"]]
        assert page.locator(".stops li").count() == day.height
        last = day.row(-1, named=True)
        page.locator("[data-stop]").last.click()  # in the list
        popup = page.locator(".leaflet-popup-content")
        popup.wait_for(timeout=5_000)
        words = popup.inner_text()
        # the name as the data have it: nothing of it ran, nothing of it became part of the page
        assert (
            f"{last['stop']}. <script>alert(1)</script><img src=x onerror=alert(2)> `${{alert(3)}}`" in words
        )
        link = popup.locator("a").get_attribute("href")
        assert link is not None
        assert unquote(link) == f"../accounts.html#{last['account_id']}"
        assert page.locator("img[src='x']").count() == 0
        names = page.locator(".leaflet-marker-pane [role=button]").evaluate_all(
            "all => all.map(one => one.getAttribute('aria-label'))"
        )
        assert all(names)
        opened.require_quiet()


def test_the_way_without_value_begins_hidden_and_is_counted(
    run_folder: Path, visit: Open, visits: pl.DataFrame
) -> None:
    other = pl.read_parquet(run_folder / "distance_only_visits.parquet")
    days = {
        name: pl.read_parquet(run_folder / f"{name}.parquet").filter(rep_id="R001").row(0, named=True)
        for name in ("rep_days", "distance_only_days")
    }
    page = visit(own_map(run_folder, "R001")).page
    rows = [row.split("\t") for row in page.locator(".sums tbody tr").all_inner_texts()]
    told = {row[0].strip(): row[1:] for row in rows}
    for words, name in (("The plan", "rep_days"), ("Distance only", "distance_only_days")):
        day = days[name]
        assert told[words] == [str(day["stops"]), f"{day['distance_km']:,.1f}", f"€{day['value_eur']:,.0f}"]
    planned = visits.filter(rep_id="R001").height + 1  # and the home
    markers = page.locator(".leaflet-marker-pane > [role=button]")
    assert markers.count() == planned
    page.get_by_label("Distance only").check()
    assert markers.count() == planned + other.filter(rep_id="R001").height
    page.get_by_label("Distance only").uncheck()
    assert markers.count() == planned


def test_one_person_can_be_seen_alone_by_keyboard(
    run_folder: Path, visit: Open, visits: pl.DataFrame
) -> None:
    page = visit(run_folder / "maps" / "routes.html").page
    buttons = page.locator(".alone")
    assert buttons.count() == visits["rep_id"].n_unique()
    assert len(stops(page)) == visits.height
    first = visits["rep_id"][0]
    buttons.first.focus()
    page.keyboard.press("Enter")
    assert buttons.first.get_attribute("aria-pressed") == "true"
    assert len(stops(page)) == visits.filter(rep_id=first).height
    page.keyboard.press("Enter")
    assert len(stops(page)) == visits.height
    alone = visit(f"{(run_folder / 'maps' / 'routes.html').as_uri()}#{first}").page
    assert len(stops(alone)) == visits.filter(rep_id=first).height


def test_people_have_one_colour_on_every_map(run_folder: Path, visit: Open) -> None:
    def colours(name: str) -> dict[str, str]:
        page = visit(run_folder / "maps" / f"{name}.html").page
        found: dict[str, str] = page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll(".alone .disc")].map(
                disc => [disc.textContent, getComputedStyle(disc).borderTopColor]))"""
        )
        return found

    routes, territories = colours("routes"), colours("territories")
    assert len(set(routes.values())) == len(routes) == 4
    assert routes.items() <= territories.items()


def test_places_are_named_as_soon_as_there_is_room(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "maps" / "territories.html").page
    names = page.locator(".place:visible")
    assert "Barcelona" in names.all_inner_texts()
    assert "Gràcia" not in names.all_inner_texts()
    for _ in range(5):
        page.locator(".leaflet-control-zoom-in").click()
        page.wait_for_timeout(350)
    page.evaluate("document.querySelectorAll('.place').length")
    assert page.locator(".place:not([hidden])", has_text="Gràcia").count() == 1


def test_accounts_answer_where_they_are_clicked_and_in_the_list(run_folder: Path, visit: Open) -> None:
    opened = visit(run_folder / "maps" / "territories.html")
    page = opened.page
    page.locator("[data-accounts] summary").first.click()
    rows = page.locator("[data-accounts] .rows a")
    territories = pl.read_parquet(run_folder / "territories.parquet")
    assert rows.count() == territories["accounts"][0]
    page.locator(".alone").first.click()
    # somewhere on the canvas there is an account: look for its picture, and click on it
    place = page.evaluate(
        """() => {
            const canvas = document.querySelector("#map canvas"), pen = canvas.getContext("2d");
            const { width, height } = canvas, marks = pen.getImageData(0, 0, width, height).data;
            for (let y = Math.floor(height / 3); y < height; y++) for (let x = 0; x < width; x++)
                if (marks[4 * (y * width + x) + 3] === 255) return [x, y];
            return null;
        }"""
    )
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    words = page.locator(".leaflet-popup-content").inner_text()
    assert "Why, and what else" in words
    assert "T001" in words
    opened.require_quiet()


def test_a_hundred_thousand_accounts_are_drawn_at_once(visit: Open, tmp_path: Path) -> None:
    many = 100_000
    accounts = pl.DataFrame({"row": range(many)}).select(
        account_id=pl.format("A{}", "row"), name=pl.format("Shop {}", "row"),
        lat_deg=41.0 + pl.col("row") % 317 / 317, lon_deg=2.0 + pl.col("row") % 1009 / 1009,
        territory=pl.lit("T1"), action=pl.lit("visit"), expected_value_eur=pl.col("row") % 100 * 1.0,
    )  # fmt: skip
    territories = pl.DataFrame(
        {"territory": ["T1"], "rep_id": ["R1"], "accounts": [many], "deviation_pct": [0.0],
         "outline": ["POLYGON ((2 41, 3 41, 3 42, 2 42, 2 41))"]}
    )  # fmt: skip
    write_maps(tmp_path / "maps", MapTables(accounts, territories))
    opened = visit(tmp_path / "maps" / "territories.html")
    metrics = opened.page.context.new_cdp_session(opened.page)
    metrics.send("Performance.enable")
    opened.page.reload()
    opened.page.locator("#map canvas").wait_for(state="attached")
    found = {item["name"]: item["value"] for item in metrics.send("Performance.getMetrics")["metrics"]}
    assert found["ProcessTime"] < 4  # seconds of the processor, for both times it was opened
    assert opened.page.locator("#map canvas").count() == 1
    opened.require_quiet()


def test_street_tiles_cover_the_drawn_ground_and_only_a_served_page_asks_openstreetmap(
    browser: Browser, address: str
) -> None:
    asked: list[str] = []
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})

    def answer(route: Any) -> None:
        asked.append(route.request.header_value("referer") or "")
        route.fulfill(body=RED, content_type="image/png")

    context.route("https://tile.openstreetmap.org/**", answer)
    page = context.new_page()
    page.goto(f"{address}/maps/territories.html")
    page.wait_for_function("document.querySelectorAll('.leaflet-tile-loaded').length > 4")
    # without a referrer OpenStreetMap sends a picture that says "access blocked"
    assert set(asked) == {f"{address}/"}
    order = page.evaluate(
        "['ground', 'tile', 'overlay'].map(n => +getComputedStyle("
        "document.querySelector(`.leaflet-${n}-pane`)).zIndex)"
    )
    assert order == sorted(order)
    assert "OpenStreetMap" in page.locator(".leaflet-control-attribution").inner_text()
    context.close()


def test_tiles_that_do_not_come_leave_the_drawn_ground(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    context.route("https://tile.openstreetmap.org/**", lambda route: route.abort())
    page = context.new_page()
    page.goto(f"{address}/maps/routes.html")
    page.wait_for_timeout(300)
    assert ground_colour(page) == LAND[0]
    assert page.locator(".leaflet-tile-loaded").count() == 0
    context.close()


def test_a_printed_map_has_the_whole_day_on_one_sheet(run_folder: Path, visit: Open) -> None:
    page = visit(own_map(run_folder, "R001"), PHONE).page
    before = page.evaluate(_PLACES)
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    assert len(paper) > 10_000
    assert page.evaluate(_PLACES) == before  # the window is as it was
    page.emulate_media(media="print")
    assert not page.locator(".leaflet-control-zoom").is_visible()
    assert not page.locator(".people").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    places = page.evaluate(_PLACES)
    assert len(places) == len(before) > 3
    for left, top in places:
        assert 0 < left < SHEET_PX[0]
        assert 0 < top < SHEET_PX[1]


_PLACES = """() => [...document.querySelectorAll(".leaflet-marker-pane > *")].map(stop => {
    const box = stop.getBoundingClientRect();
    return [Math.round(box.left + box.width / 2), Math.round(box.top + box.height / 2)];
})"""


def _varint(value: int) -> bytes:
    return bytes([value & 127 | 128]) + _varint(value >> 7) if value > 127 else bytes([value])


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _road_tile() -> bytes:
    """Return a vector tile with one road from its upper left to its lower right corner."""
    way = b"".join(_varint(value) for value in (9, 0, 0, 10, 8192, 8192))  # move to 0 0, line to 4096 4096
    feature = _field(2, b"\x00\x00") + _varint(3 << 3) + _varint(2) + _field(4, way)
    layer = _field(1, b"roads") + _field(2, feature) + _field(3, b"kind") + _field(4, _field(1, b"highway"))
    return _field(3, layer + _varint(5 << 3) + _varint(4096) + _varint(15 << 3) + _varint(2))


def test_streets_of_a_file_are_drawn_from_a_disk(run_folder: Path, visit: Open, tmp_path: Path) -> None:
    tiles = {(zoom, x, y): gzip.compress(_road_tile())
             for zoom in (9, 10) for x in range(2**zoom // 2, 2**zoom // 2 + 12)
             for y in range(int(2**zoom * 0.365), int(2**zoom * 0.38))}  # fmt: skip
    with (tmp_path / "streets.pmtiles").open("wb") as file:
        writer = Writer(file)
        for tile in sorted(tiles, key=lambda key: zxy_to_tileid(*key)):
            writer.write_tile(zxy_to_tileid(*tile), tiles[tile])
        writer.finalize(
            {"tile_type": TileType.MVT, "tile_compression": Compression.GZIP, "min_zoom": 9, "max_zoom": 10,
             **dict.fromkeys(("min_lon_e7", "min_lat_e7", "max_lon_e7", "max_lat_e7", "center_zoom",
                              "center_lon_e7", "center_lat_e7"), 0)},
            {"attribution": "Streets & Co"},
        )  # fmt: skip
    accounts = pl.read_parquet(run_folder.parent / "accounts.parquet")
    placed = accounts.select(
        "account_id", "lat_deg", "lon_deg", "name", territory=pl.lit("T001"), action=pl.lit("visit"),
        expected_value_eur=pl.lit(1.0),
    )  # fmt: skip
    tables = MapTables(placed, pl.read_parquet(run_folder / "territories.parquet"))
    write_maps(tmp_path / "maps", tables, style=MapStyle(tiles=str(tmp_path / "streets.pmtiles")))
    opened = visit(tmp_path / "maps" / "territories.html")
    opened.page.wait_for_function("document.querySelectorAll('.leaflet-tile-loaded').length > 0")
    opened.require_quiet()
    inked = opened.page.evaluate(
        """() => [...document.querySelectorAll("canvas.leaflet-tile-loaded")].map(tile => {
            const pen = tile.getContext("2d"), half = tile.width / 2;
            const ink = (x, y) => pen.getImageData(x, y, 1, 1).data[3];
            return [ink(half, half) > 0, ink(half, 4) > 0];
        })"""
    )
    assert inked  # each tile has its road from corner to corner, and nothing beside it
    assert set(map(tuple, inked)) == {(True, False)}
    assert "Streets & Co" in opened.page.locator(".leaflet-control-attribution").inner_text()
