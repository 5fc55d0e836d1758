"""The maps in a real browser: drawn without a network, to be clicked on, and honest about the other way."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from browsing import DESKTOP, PHONE, Open
from playwright.sync_api import Browser, Page

from dealwright.report import territory_maps
from dealwright.report.maps import MapTables, write_maps

# one red pixel, which a tile layer stretches
RED = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
LAND = "rgb(244, 245, 238)"
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

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=run_folder / "maps")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def own_map(run_folder: Path, rep_id: str) -> Path:
    (path,) = (run_folder / "maps").glob(f"{rep_id}-*.html")
    return path


def stops(page: Page) -> list[str]:
    """Return the numbers on the discs of the plan."""
    return page.locator(".leaflet-marker-pane div[style*='border-radius:50%']").all_inner_texts()


def ground_colour(page: Page) -> str | None:
    """Return the colour of the drawn ground in the middle of the window, None where there is none."""
    found: str | None = page.evaluate(
        """() => {
            const path = document.querySelector(".leaflet-ground-pane path");
            const middle = new DOMPoint(innerWidth / 2, innerHeight / 2);
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
    assert ground_colour(page) == LAND
    assert "ground: land.geojson" in page.locator(".leaflet-control-attribution").inner_text()
    assert page.title()
    # neither the legend nor the controls lie over each other
    boxes = [
        box
        for part in (
            ".legend",
            ".leaflet-control-attribution",
            ".leaflet-control-layers",
            ".leaflet-control-zoom",
        )
        if (box := page.locator(part).bounding_box()) is not None
    ]
    assert len(boxes) == 4
    for k, one in enumerate(boxes):
        assert one["x"] >= 0
        assert one["x"] + one["width"] <= size[0]
        for other in boxes[:k]:
            apart = (
                one["x"] >= other["x"] + other["width"]
                or other["x"] >= one["x"] + one["width"]
                or one["y"] >= other["y"] + other["height"]
                or other["y"] >= one["y"] + one["height"]
            )
            assert apart, (one, other)


def test_stops_are_numbered_and_tell_when_one_arrives(
    run_folder: Path, visit: Open, visits: pl.DataFrame
) -> None:
    for (rep_id,), day in visits.group_by("rep_id", maintain_order=True):
        opened = visit(own_map(run_folder, str(rep_id)))
        page = opened.page
        assert stops(page) == [str(stop) for stop in day["stop"]]
        last = day.row(-1, named=True)
        page.locator(
            ".leaflet-marker-pane .leaflet-marker-icon", has_text=str(last["stop"])
        ).first.dispatch_event("click")
        popup = page.locator(".leaflet-popup-content")
        popup.wait_for(timeout=5_000)
        words = popup.inner_text()
        assert f"arrives {last['arrive_at']:%H:%M}, begins {last['start_at']:%H:%M}" in words
        # the name as the data have it: nothing of it ran, nothing of it became part of the page
        assert (
            f"{last['stop']}. <script>alert(1)</script><img src=x onerror=alert(2)> `${{alert(3)}}`" in words
        )
        assert page.locator("img[src='x']").count() == 0
        opened.require_quiet()


def test_both_ways_are_told_apart_counted_and_taken_away(
    run_folder: Path, visit: Open, visits: pl.DataFrame
) -> None:
    other = pl.read_parquet(run_folder / "distance_only_visits.parquet")
    days = {
        name: pl.read_parquet(run_folder / f"{name}.parquet").filter(rep_id="R001").row(0, named=True)
        for name in ("rep_days", "distance_only_days")
    }
    page = visit(own_map(run_folder, "R001")).page
    rows = [row.split("\t") for row in page.locator(".legend tr").all_inner_texts()]
    told = {row[0].strip(): row[1:] for row in rows}
    for words, name in (("planned by value", "rep_days"), ("distance only", "distance_only_days")):
        day = days[name]
        assert told[words] == [str(day["stops"]), f"{day['distance_km']:,.1f}", f"€{day['value_eur']:,.0f}"]
    planned = visits.filter(rep_id="R001").height + 1  # and the home
    markers = page.locator(".leaflet-marker-pane > *")
    assert markers.count() == planned + other.filter(rep_id="R001").height
    boxes = page.locator(".leaflet-control-layers-overlays label")
    assert [text.strip() for text in boxes.all_inner_texts()] == ["planned by value", "distance only"]
    boxes.nth(1).click()
    assert markers.count() == planned
    boxes.nth(0).click()
    assert markers.count() == 0
    boxes.nth(1).click()
    assert markers.count() == other.filter(rep_id="R001").height


def test_the_common_map_has_a_layer_for_everybody(
    run_folder: Path, visit: Open, visits: pl.DataFrame
) -> None:
    page = visit(run_folder / "maps" / "routes.html").page
    boxes = page.locator(".leaflet-control-layers-overlays label")
    reps = visits["rep_id"].n_unique()
    assert boxes.count() == reps + 1
    assert "distance only" in boxes.first.inner_text()
    assert not boxes.first.locator("input").is_checked()
    assert len(stops(page)) == visits.height
    boxes.nth(1).click()
    assert len(stops(page)) == visits.height - visits.filter(rep_id=visits["rep_id"][0]).height


def test_places_are_named_as_soon_as_there_is_room(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "maps" / "territories.html").page
    names = page.locator(".place:visible")
    assert "Barcelona" in names.all_inner_texts()
    assert "Gràcia" not in names.all_inner_texts()
    for _ in range(4):
        page.locator(".leaflet-control-zoom-in").click()
        page.wait_for_timeout(350)
    assert "Gràcia" in names.all_inner_texts()


def test_many_accounts_are_clusters_that_open(
    run_folder: Path, visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(territory_maps, "CLUSTER_FROM", 100)
    accounts = pl.read_parquet(run_folder.parent / "accounts.parquet")
    placed = accounts.select(
        "account_id", "lat_deg", "lon_deg", "name", territory=pl.lit("T001"), action=pl.lit("visit")
    )
    write_maps(tmp_path, MapTables(placed, pl.read_parquet(run_folder / "territories.parquet")))
    opened = visit(tmp_path / "territories.html")
    clusters = opened.page.locator(".marker-cluster")
    before = clusters.count()
    assert before > 1
    assert sum(int(text) for text in clusters.all_inner_texts()) <= placed.height
    clusters.first.dispatch_event("click")
    opened.page.wait_for_timeout(800)
    assert clusters.all_inner_texts()[:before] != [str(placed.height)]
    opened.require_quiet()
    assert (
        "ground: the area of the accounts" in opened.page.locator(".leaflet-control-attribution").inner_text()
    )


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
    page.goto(f"{address}/territories.html")
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
    page.goto(f"{address}/routes.html")
    page.wait_for_timeout(300)
    assert ground_colour(page) == LAND
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
    assert not page.locator(".leaflet-control-layers").is_visible()
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
