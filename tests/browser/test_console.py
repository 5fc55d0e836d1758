"""The console in a real browser, as a person uses it: with two windows, by keyboard, on a phone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_windows import PHONE, WIDE, Window, live
from engine import assign, load_model, random_model, rows
from numpy.random import default_rng
from playwright.sync_api import Browser, Page, expect
from servers import TestServer
from serving import Serving, served_floor, wait_until_ready


@pytest.fixture(scope="module")
def service(
    browser: Browser, server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a service with a floor at work: three agents, a model, some leads, one of them settled."""
    with served_floor(server, desk_template, tmp_path_factory.mktemp("console")) as found:
        with found.desk.database.connect(autocommit=True) as connection:
            load_model(connection, random_model(default_rng(3)))
            for number in range(12):
                destination = ("Mars", "Titan", "Venus")[number % 3]
                assign(
                    connection,
                    {"destination": destination, "lead_source": "Organic"},
                    customer=f"Customer {number}",
                )
        found.desk.settle(found.desk.book.lead(1)["booking_id"], "confirmed", total_revenue=1200)
        found.desk.settle(found.desk.book.lead(2)["booking_id"], "cancelled")
        yield found


@pytest.fixture
def window(browser: Browser, service: Serving) -> Iterator[type]:
    """Return a function that opens windows, closed after the test."""
    opened: list[Window] = []

    def make(role: str = "manager", *rest: object) -> Window:
        opened.append(Window(browser, service, role, *rest))  # type: ignore[arg-type]
        return opened[-1]

    yield make  # type: ignore[misc]
    for item in opened:
        item.close()


def enter_lead(page: Page, customer: str) -> None:
    page.keyboard.press("a")
    page.wait_for_url("**/leads/new")
    page.get_by_label("Customer", exact=True).fill(customer)
    page.get_by_label("Destination").select_option("Mars")
    page.get_by_label("Lead source").select_option("Organic")
    page.get_by_role("button", name="Rank the agents").click()


def test_a_lead_entered_in_one_window_is_on_the_floor_of_another_within_a_second(window, service) -> None:
    ours, theirs = window(), window("planner")
    theirs.go("/floor")
    live(theirs.page)
    page = ours.page
    enter_lead(page, "Grace <b>Hopper</b>")
    # under every policy side by side; the classic one has no weights and says what to do
    assert page.locator(".side-by-side h2").all_inner_texts() == ["value", "classic", "workload", "fair"]
    assert "train --classic" in page.locator(".side-by-side section", has_text="classic").first.inner_text()
    first = page.locator("#ranking-value tbody tr").first.locator("td").nth(1).inner_text()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("a")
    page.wait_for_url(re.compile(r"/leads/\d+\?done=placed"))
    began = time.monotonic()
    expect(theirs.page.locator("#arrivals tbody tr").first).to_contain_text(
        "Grace <b>Hopper</b>", timeout=5_000
    )
    assert time.monotonic() - began < 1.0
    expect(page.get_by_role("status").filter(has_text="placed")).to_be_visible()
    assert first in page.locator(".facts").inner_text()
    assert ours.opened.complaints == theirs.opened.complaints == []


def test_settling_frees_the_place_and_moves_the_ranking(window, service) -> None:
    floor, day = window(), window("A1")
    floor.go("/floor")
    live(floor.page)
    assert day.page.url.endswith("/agents/A1")
    live(day.page)
    agent = service.desk.book.agent("A1")
    line = floor.page.locator("#line tr", has_text="Agent A1")
    expect(line).to_contain_text(f"{agent['open']}/40")
    score = line.locator("td").last.inner_text()
    row = day.page.locator("#in-hand tbody tr").first
    row.get_by_placeholder("Revenue").fill("900")
    row.get_by_role("button", name="Won").click()
    day.page.wait_for_url("**/agents/A1?done=settled")
    expect(line).to_contain_text(f"{agent['open'] - 1}/40", timeout=3_000)
    assert line.locator("td").last.inner_text() != score
    assert "€900" in day.page.locator("main").inner_text() or "900" in day.page.locator("main").inner_text()


def test_a_person_overrides_with_a_reason_that_stays_on_the_record(window, service) -> None:
    found = service.desk.assign(
        {"customer_name": "Ada", "attributes": {"destination": "Mars", "lead_source": "Bought"}}
    )
    other = "A2" if found.row["agent_id"] != "A2" else "A3"
    mine = window()
    page = mine.go(f"/leads/{found.row['lead_id']}")
    override = page.locator("form", has=page.get_by_role("button", name="Override"))
    override.get_by_label("Give to").select_option(other)
    override.get_by_label("Reason").fill("asked for them")
    override.get_by_role("button", name="Override").click()
    page.wait_for_url("**?done=overridden")
    story = page.locator(".story").inner_text()
    assert "asked for them (manager)" in story
    assert f"Agent {other}" in page.locator(".facts").inner_text()
    # what the desk had decided is still explained, and still comes out the same
    page.get_by_role("link", name="Recompute the decision").click()
    expect(page.locator("main")).to_contain_text("the same comes out")
    with service.desk.database.connect() as connection:
        event = rows(
            connection,
            "select payload from dealwright.event where payload ? 'named_by' and lead_id = %s",
            found.row["lead_id"],
        )[0]["payload"]
    assert event["reason"] == "asked for them"
    assert event["named_by"] == "manager"
    # and who did it
    page = mine.go("/audit/changes?action=assign_to")
    assert "manager" in page.locator("tbody tr").first.inner_text()
    assert "asked for them" in page.locator("tbody tr").first.inner_text()


def test_an_agent_sees_and_changes_their_own_work_alone(window, service) -> None:
    theirs = service.desk.book.assignments(
        agent_id=service.desk.book.find_agent("A2"), status="open", k=1
    ).rows[0]
    mine = window("A1")
    for path, status in (
        ("/floor", 403), ("/agents/A2", 404), (f"/leads/{theirs['lead_id']}", 404), ("/audit", 403),
        ("/admin/keys", 403), ("/evidence", 403),
    ):  # fmt: skip
        answer = mine.page.goto(service.url + path)
        assert answer is not None
        assert answer.status == status, path
        assert theirs["customer_name"] not in mine.page.content()
    mine.go("/agents/A1")
    token = mine.page.locator("input[name=csrf_token]").first.input_value()
    for act in ("contact", "settle", "decline"):
        answer = mine.page.request.post(
            f"{service.url}/leads/{theirs['lead_id']}/{act}",
            form={"csrf_token": token, "status": "confirmed", "reason": "x"}, max_redirects=0,
        )  # fmt: skip
        assert answer.status == 404, act
    assert service.desk.book.assignment(theirs["assignment_id"])["booking_status"] == "pending"
    # a form without the token, as another site would send it
    answer = mine.page.request.post(
        f"{service.url}/agents/A1/availability", form={"status": "away"}, max_redirects=0
    )
    assert answer.status == 403
    assert service.desk.book.agent("A1")["active"]


PAGES = (
    "/floor", "/leads", "/leads/3", "/leads/3?agent=A2", "/agents", "/agents/A1?d.destination=Mars", "/queue",
    "/leads/new?rank=1&customer_name=Ada&d.destination=Mars", "/evidence", "/models", "/models/1", "/audit",
    "/audit/changes", "/audit/chain?check=1", "/admin", "/admin/people", "/admin/keys", "/nowhere",
)  # fmt: skip


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_every_page_is_accessible_fits_and_violates_no_policy(window, size, scheme) -> None:
    mine = window("admin", size, scheme)
    mine.page.evaluate("0")
    for path in PAGES:
        page = mine.go(path)
        page.wait_for_timeout(50)
        mine.opened.require_accessible()
        mine.opened.require_no_sideways_scrolling()
    assert [text for text in mine.opened.complaints if "404" not in text] == []
    outside = [url for url in mine.opened.asked if not url.startswith((mine.service.url, "data:"))]
    assert outside == []


def test_a_violation_of_the_policy_would_be_noticed(window) -> None:
    mine = window()
    mine.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    mine.page.wait_for_timeout(100)
    assert any("Content Security Policy" in text or "Content-Security-Policy" in text
               for text in mine.opened.complaints)  # fmt: skip


def test_everything_is_reached_by_keyboard(window) -> None:
    mine = window()
    page = mine.go("/floor")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    chosen = page.locator("tr.at")
    expect(chosen).to_have_count(1)
    name = chosen.locator("[data-go]").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/leads/*")
    assert page.locator("h1").inner_text() == name
    for key, path in (("e", "/evidence"), ("a", "/audit"), ("p", "/agents"), ("f", "/floor")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**{path}")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("Agent A3")
    expect(page.locator("#found li")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/A3")
    # a walk: every focus is visible, and the first stop skips to the content
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        shown = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert shown != "none"


def test_pages_work_without_scripts(browser: Browser, service: Serving) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{service.url}/leads/new")
    page.fill("input[name=key]", service.keys["manager"])
    page.click("main button")
    assert page.url.endswith("/leads/new")  # where they wanted to go
    page.get_by_label("Customer", exact=True).fill("Linus")
    page.get_by_label("Destination").select_option("Mars")
    page.get_by_label("Lead source").select_option("Bought")
    page.get_by_role("button", name="Rank the agents").click()
    page.get_by_role("button", name="Assign").click()
    assert "done=placed" in page.url
    page.get_by_role("button", name="Customer reached").click()
    assert "The contact is recorded." in page.locator("main").inner_text()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{service.url}/floor")
    assert "/auth/sign-in?to=%2Ffloor" in page.url
    context.close()


def test_pages_speak_the_browser_s_language_and_the_chosen_one(browser: Browser, service: Serving) -> None:
    context = browser.new_context(locale="es-ES")
    page = context.new_page()
    page.goto(f"{service.url}/auth/sign-in?to=/floor")
    page.fill("input[name=key]", service.keys["planner"])
    page.click("main button")
    assert page.locator("html").get_attribute("lang") == "es"
    assert "Oportunidades de hoy" in page.locator("main").inner_text()
    page.get_by_role("link", name="English").click()
    assert page.url.endswith("/floor")
    assert "Leads today" in page.locator("main").inner_text()
    context.close()


def test_the_floor_is_light_and_every_view_is_data_too(service: Serving) -> None:
    with service.client("manager") as client:
        sent = 0
        answer = client.get("/floor", headers={"accept-encoding": "gzip"})
        sent += int(answer.headers["content-length"])
        for place in re.findall(r'(?:href|src)="(/assets/[^"]+)"', answer.text):
            asset = client.get(place, headers={"accept-encoding": "gzip"})
            assert "immutable" in asset.headers["cache-control"]
            sent += int(asset.headers["content-length"])
        assert sent < 120_000
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert client.get("/floor.json").json()["facts"]["agents"] == 3
        table = client.get("/leads.csv").text.splitlines()
        assert table[0].startswith("lead_id,")
        assert client.get("/agents.json?show=free").json()["rows"][0]["rate_low"] is not None
        assert client.get("/leads/1.json").json()["explanation"]["agent_id"] is not None
        refused = client.get("/nowhere.json")
        assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.alone
def test_the_floor_comes_back_by_itself_after_the_server_was_killed(
    browser: Browser, server: TestServer, desk_template: str, tmp_path: Path
) -> None:
    with served_floor(server, desk_template, tmp_path) as service:
        mine = Window(browser, service, "manager")
        mine.go("/floor")
        live(mine.page)
        assert "No lead has come in yet" in mine.page.locator("[data-part=arrivals]").inner_text()
        mine.page.evaluate("window.kept = true")
        service.process.kill()
        service.process.wait()
        expect(mine.page.locator(".live")).to_have_attribute("data-state", "again", timeout=10_000)
        service.desk.assign(
            {"customer_name": "Meanwhile", "attributes": {"destination": "Mars", "lead_source": "Bought"}}
        )
        service.restart()
        wait_until_ready(service)
        expect(mine.page.locator("#arrivals")).to_contain_text("Meanwhile", timeout=15_000)
        live(mine.page)
        assert mine.page.evaluate("window.kept") is True
        mine.close()
