"""The console when there is nothing yet, when the database is away, from right to left, by keyboard alone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from console_windows import PHONE, WIDE, Window, live
from engine import load_model, random_model
from floor import set_minutes
from numpy.random import default_rng
from playwright.sync_api import Browser, expect
from servers import TestServer
from serving import Serving, lead, make_floor, served_floor, serving

from dealwright.desk.desk import Desk
from dealwright.desk.server import start_server, stop_server

# address -> what an empty desk says there, and what to do next
EMPTY = {
    "/floor": ("This desk has no agents yet.", "dealwright import exports --map company.toml"),
    "/leads": ("No lead has come in yet.", "Enter one"),
    "/leads?show=won": ("No lead is in this list.", "all leads"),
    "/leads/new": ("No dimension is declared", "an import declares"),
    "/agents": ("There are no agents yet", "import"),
    "/queue": ("Nobody waits.", "accept_within_min"),
    "/evidence": ("No model has been trained yet", "dealwright train"),
    "/models": ("No model has been trained yet", "dealwright train"),
    "/audit": ("Nothing has been decided yet.", "Enter a lead"),
    "/audit/contests": ("No outcome is contested.", "on the page of the lead"),
    "/audit/chain": ("No block yet", "dealwright worker"),
    "/admin": ("No dimension is declared", "dealwright draft exports"),
    "/admin/people": ("There are no agents yet", "import"),
    "/admin/keys": ("A new key", "Make the key"),
}


@pytest.fixture(scope="module")
def service(
    browser: Browser, server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    with served_floor(server, desk_template, tmp_path_factory.mktemp("states"), "--no-worker") as found:
        with found.desk.database.connect(autocommit=True) as connection:
            load_model(connection, random_model(default_rng(3)))
            set_minutes(connection, respond_within_min=30)
        for number in range(12):
            found.desk.assign(lead(f"Customer {number}"))
        found.desk.settle(found.desk.book.lead(1)["booking_id"], "confirmed", total_revenue=1200)
        found.desk.oversight.contest(found.desk.book.lead(1)["assignment_id"], "not mine")
        yield found


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_each_page_of_an_empty_desk_says_what_to_do_next(
    browser: Browser, server: TestServer, desk_template: str, tmp_path: Path, size: tuple[int, int]
) -> None:
    name = f"empty_{time.monotonic_ns()}"
    server.create_database(name, desk_template)
    with serving(server.url_of(name), tmp_path, "--no-worker") as found:
        found.keys["admin"] = found.desk.keys.create("admin", ["admin"])
        mine = Window(browser, found, "admin", size)
        for path, words in EMPTY.items():
            answer = mine.page.goto(found.url + path)
            assert answer is not None
            assert answer.status == 200, path
            text = mine.page.locator("main").inner_text()
            for word in words:
                assert word in text, (path, word, text)
            mine.opened.require_accessible()
            mine.opened.require_no_sideways_scrolling()
        assert mine.opened.complaints == []
        mine.close()
    server.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.alone
def test_pages_say_that_the_database_is_away_and_come_back_by_themselves(
    browser: Browser, tmp_path: Path
) -> None:
    home = tmp_path / "database"
    url = start_server(home).url
    with Desk.open(url) as desk:
        make_floor(desk.database)
    with serving(url, tmp_path) as service:
        for role in ("manager", "planner"):
            service.keys[role] = service.desk.keys.create(role, [role])
        service.keys["A1"] = service.desk.keys.create("A1", ["agent"], agent="A1")
        service.desk.assign(lead("Before"))
        windows = [Window(browser, service, role) for role in ("manager", "A1", "planner")]
        floor, day, other = windows
        floor.go("/floor")
        for window in (floor, day):
            live(window.page)
            window.page.evaluate("window.kept = true")
        stop_server(home)
        for window in (floor, day):
            expect(window.page.locator(".down")).to_contain_text("connect", timeout=30_000)
            expect(window.page.locator(".live")).to_have_attribute("data-state", "again")
        assert "Before" in floor.page.locator("#arrivals").inner_text()  # the old figures stay
        page = other.go("/leads")
        assert page.locator("h1").inner_text() == "The database cannot be reached"
        assert "Leads that were accepted are safe" in page.locator("main").inner_text()
        other.opened.require_accessible()
        start_server(home)
        # nobody touches anything
        expect(page.locator("h1")).to_have_text("Leads", timeout=30_000)
        for window in (floor, day):
            expect(window.page.locator(".down")).to_have_text("", timeout=30_000)
            live(window.page)
        service.desk.assign(lead("Afterwards"))
        expect(floor.page.locator("#arrivals")).to_contain_text("Afterwards", timeout=10_000)
        for window in (floor, day):
            assert window.page.evaluate("window.kept") is True
            window.close()
        other.close()
    stop_server(home)


PAGES = (
    "/floor", "/queue", "/leads", "/leads/new?rank=1&d.destination=Mars", "/leads/1", "/leads/3", "/agents",
    "/agents/A1?lead=3&d.destination=Mars", "/evidence", "/models", "/models/1", "/audit", "/audit/changes",
    "/audit/contests", "/audit/chain", "/admin", "/admin/people", "/admin/keys",
)  # fmt: skip


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_pages_stand_from_right_to_left_and_are_not_wider_than_the_screen(
    browser: Browser, service: Serving, size: tuple[int, int]
) -> None:
    mine = Window(browser, service, "admin", size)
    for path in PAGES:
        page = mine.go(path)
        assert page.locator("html").get_attribute("dir") == "ltr"
        page.evaluate("document.documentElement.dir = 'rtl'")
        mine.opened.require_no_sideways_scrolling()
        # what begins at the left begins at the right now: the name at the top, and the content under it
        left = page.evaluate(
            "[...document.querySelectorAll('main > *, .top > b')].map(item => item.getBoundingClientRect())"
            ".filter(box => box.width > 0).map(box => [box.left, innerWidth - box.right])"
        )
        assert all(min(box) >= -1 for box in left), path
    page = mine.go("/floor")
    page.evaluate("document.documentElement.dir = 'rtl'")
    brand, button = (page.locator(part).bounding_box() for part in (".top > b", ".top [data-act]"))
    assert brand is not None
    assert button is not None
    assert brand["x"] > button["x"]
    if size == WIDE:
        first, last = (page.locator("#arrivals th").nth(place).bounding_box() for place in (0, -1))
        assert first is not None
        assert last is not None
        assert first["x"] > last["x"]
        aligned = page.locator("#arrivals th").first.evaluate("item => getComputedStyle(item).textAlign")
        assert aligned == "start"
    mine.close()


def test_each_page_is_walked_by_keyboard(browser: Browser, service: Serving) -> None:
    mine = Window(browser, service, "admin")
    for path in PAGES:
        page = mine.go(path)
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#help")).to_be_hidden()
        page.keyboard.press("Control+k")
        expect(page.locator("#palette input")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#palette")).to_be_hidden()
        if page.locator("main tbody tr [data-go]").count():
            page.keyboard.press("j")
            expect(page.locator("tr.at")).to_have_count(1)
            target = page.evaluate("document.activeElement.getAttribute('href')")
            assert target, path
        # from the beginning to the end: each stop can be seen, and the walk ends
        page.evaluate("document.activeElement.blur(); document.querySelector('.skip').focus()")
        stops = page.evaluate(
            "[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]')]"
            ".filter(item => item.checkVisibility() && item.type !== 'hidden').length"
        )
        for _ in range(min(stops, 60)):
            page.keyboard.press("Tab")
            seen = page.evaluate(
                "(() => { const item = document.activeElement, style = getComputedStyle(item);"
                " return item === document.body || style.outlineStyle !== 'none' })()"
            )
            assert seen, (path, page.evaluate("document.activeElement.outerHTML"))
    mine.close()


def test_a_key_just_after_a_window_closed_is_a_command(browser: Browser, service: Serving) -> None:
    mine = Window(browser, service, "admin")
    page = mine.go("/queue")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette input")).to_be_focused()
    press = "field.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}))"
    field = "const field = document.querySelector('#palette input');"
    page.evaluate(f"() => {{ {field} {press} }}")
    assert page.locator("tr.at").count() == 0, "a letter typed into a field"
    # the browser takes the focus from the field only after it has drawn the page without it
    page.evaluate(f"() => {{ {field} document.querySelector('#palette').close(); {press} }}")
    assert page.locator("tr.at").count() == 1
    mine.close()


def test_pages_are_light(service: Serving) -> None:
    with service.client("admin") as client:
        for path in PAGES:
            answer = client.get(path, headers={"accept-encoding": "gzip"})
            assert answer.status_code == 200, path
            sent = int(answer.headers["content-length"])
            for place in re.findall(r'(?:href|src)="(/assets/[^"]+)"', answer.text):
                asset = client.get(place, headers={"accept-encoding": "gzip"})
                sent += int(asset.headers["content-length"])
            assert sent < (120_000 if path == "/floor" else 450_000), (path, sent)


def test_every_page_says_the_same_without_scripts(browser: Browser, service: Serving) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{service.url}/auth/sign-in")
    page.fill("input[name=key]", service.keys["manager"])
    page.click("main button")
    for path in PAGES:
        if path == "/admin/keys":
            continue
        answer = page.goto(service.url + path)
        assert answer is not None
        assert answer.status == 200, path
        # what needs scripts is not shown, and nothing else is hidden
        assert (
            page.locator("button[data-open]:visible, [data-theme]:visible, [data-copy]:visible").count() == 0
        )
        shown = page.locator("main").inner_text()
        assert len(shown) > 40, path
    page.goto(f"{service.url}/leads/3")
    holder: Any = service.desk.book.lead(3)["agent_id"]
    other = "A2" if holder != "A2" else "A3"
    override = page.locator("form", has=page.get_by_role("button", name="Override"))
    override.get_by_label("Give to").select_option(other)
    override.get_by_label("Reason").fill("without a script")
    override.get_by_role("button", name="Override").click()
    assert page.url.endswith("done=overridden")
    assert service.desk.book.lead(3)["agent_id"] == other
    page.goto(f"{service.url}/leads?show=won")
    page.get_by_role("navigation", name="Filter").get_by_role("link", name="waiting").click()
    assert page.url.endswith("?show=waiting")
    context.close()
