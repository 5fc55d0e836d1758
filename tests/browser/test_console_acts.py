"""What people do at the console, in a real browser: accept, contest, ask why, make keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from console_windows import PHONE, WIDE, Window, live
from engine import load_model, random_model, rows
from floor import set_minutes
from numpy.random import default_rng
from playwright.sync_api import Browser, expect
from servers import TestServer
from serving import Serving, lead, served_floor

MARS = {"destination": "Mars", "lead_source": "Organic"}


@pytest.fixture(scope="module")
def service(
    browser: Browser, server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a service whose desk offers leads first, for ten minutes, and gives half an hour to reply."""
    with served_floor(server, desk_template, tmp_path_factory.mktemp("acts"), "--no-worker") as found:
        with found.desk.database.connect(autocommit=True) as connection:
            load_model(connection, random_model(default_rng(3)))
            set_minutes(connection, accept_within_min=10, respond_within_min=30)
        yield found


@pytest.fixture
def window(browser: Browser, service: Serving) -> Iterator[Any]:
    """Return a function that opens windows, closed after the test."""
    opened: list[Window] = []

    def make(role: str = "manager", *rest: Any) -> Window:
        opened.append(Window(browser, service, role, *rest))
        return opened[-1]

    yield make
    for item in opened:
        item.close()


def lead_of(service: Serving, agent: str, customer: str) -> dict[str, Any]:
    """Return a lead that is offered to an agent; until then some go to others."""
    while True:
        placed = service.desk.assign({"customer_name": customer, "attributes": MARS}).row
        if placed["agent_id"] == agent:
            return dict(placed)


def test_an_agent_accepts_an_offer_before_its_time_is_up(window: Any, service: Serving) -> None:
    offered = lead_of(service, "A1", "Offered")
    floor, day = window("planner"), window("A1")
    floor.go("/floor")
    live(floor.page)
    timer = floor.page.locator(f"#timers tr[data-row=t{offered['lead_id']}]")
    expect(timer).to_contain_text("to accept the offer")
    before = timer.locator("[data-left]").inner_text()
    assert re.fullmatch(r"9 min \d+ s|10 min", before)
    # it goes on counting without anything that happens
    expect(timer.locator("[data-left]")).not_to_have_text(before, timeout=3_000)
    row = day.page.locator(f"#in-hand tr[data-row=l{offered['lead_id']}]")
    expect(row).to_contain_text("offered")
    row.get_by_role("button", name="Accept Offered").click()
    day.page.wait_for_url("**/agents/A1?done=accepted")
    expect(day.page.get_by_role("status").filter(has_text="The lead is yours.")).to_be_visible()
    assert service.desk.book.assignment(offered["assignment_id"])["accepted_at"] is not None
    # now the clock of the reply runs
    expect(row).not_to_contain_text("offered")
    expect(row.locator("[data-left]")).to_have_text(re.compile(r"29 min|30 min"))
    expect(timer).to_contain_text("to reach the customer", timeout=3_000)
    # and ends with the contact
    row.get_by_role("button", name="Reached", exact=True).click()
    expect(row.locator("[data-left]")).to_have_count(0)
    assert floor.opened.complaints == day.opened.complaints == []


def test_a_lead_is_accepted_on_its_own_page_by_its_key(window: Any, service: Serving) -> None:
    offered = lead_of(service, "A1", "By key")
    mine = window("A1")
    page = mine.go(f"/leads/{offered['lead_id']}")
    assert "offered, until" in page.locator(".facts").inner_text()
    page.keyboard.press("a")
    page.wait_for_url("**?done=accepted")
    assert "to be reached by" in page.locator(".facts").inner_text()
    assert "accepted" in page.locator(".story").inner_text()


def test_an_agent_contests_an_outcome_and_a_manager_lets_it_count_again(
    window: Any, service: Serving
) -> None:
    lost = lead_of(service, "A1", "Lost & found")
    service.desk.settle(lost["booking_id"], "cancelled")
    agent, manager = window("A1"), window()
    row = agent.go("/agents/A1").locator("#done-lately tr", has_text="Lost & found").first
    row.get_by_text("Contest", exact=True).click()
    row.get_by_label("What is wrong with the outcome").fill("had booked before <i>I</i> got it")
    row.get_by_role("button", name="Contest the outcome").click()
    agent.page.wait_for_url("**/agents/A1?done=contested")
    expect(row.locator(".chip.warn")).to_have_text("contested")
    assert [item["reason"] for item in service.desk.oversight.contests()] == [
        "had booked before <i>I</i> got it"
    ]
    page = manager.go("/audit/contests")
    found = page.locator("tbody tr", has_text="Lost & found")
    assert "had booked before <i>I</i> got it" in found.inner_text()
    found.get_by_role("link", name="Lost & found").click()
    page.get_by_label("What you found").fill("asked the customer: it stands")
    page.get_by_role("button", name="Let it count again").click()
    page.wait_for_url("**?done=resolved")
    assert service.desk.oversight.contests() == ()
    changes = manager.go("/audit/changes?object=assignment").locator("tbody").inner_text()
    assert "asked the customer: it stands" in changes
    # an agent may not do that
    token = agent.go("/agents/A1").locator("input[name=csrf_token]").first.input_value()
    answer = agent.page.request.post(
        f"{service.url}/leads/{lost['lead_id']}/resolve",
        form={"csrf_token": token, "reason": "x"}, max_redirects=0,
    )  # fmt: skip
    assert answer.status == 403


def test_an_agent_asks_why_a_lead_went_to_somebody_else_and_learns_nothing_of_them(
    window: Any, service: Serving
) -> None:
    theirs = lead_of(service, "A2", "Secret Customer")
    mine = window("A1")
    page = mine.go("/agents/A1")
    page.get_by_label("Number of the lead").fill(str(theirs["lead_id"]))
    page.locator("form", has=page.get_by_label("Number of the lead")).get_by_role("button").click()
    page.wait_for_url(f"**/agents/A1?lead={theirs['lead_id']}")
    why = page.locator("section[aria-label='Why not me?']")
    assert "The lead went to somebody else." in why.inner_text()
    assert re.search(r"Rank \d of|Rank \d under the policy", why.inner_text())
    assert why.locator("li").count() > 0
    assert "Secret Customer" not in page.content()
    assert "Agent A2" not in why.inner_text()
    asked = page.request.get(f"{service.url}/agents/A1.json?lead={theirs['lead_id']}").json()["why"]
    assert (asked["came"], asked["agent_id"]) == (False, "A1")
    # and of a lead that is none
    assert "there is no lead 999999" in mine.go("/agents/A1?lead=999999").locator("main").inner_text()
    # neither accepts nor contests what is somebody else's
    token = mine.go("/agents/A1").locator("input[name=csrf_token]").first.input_value()
    for act in ("accept", "contest"):
        answer = page.request.post(
            f"{service.url}/leads/{theirs['lead_id']}/{act}",
            form={"csrf_token": token, "reason": "x"}, max_redirects=0,
        )  # fmt: skip
        assert answer.status == 404, act
    assert service.desk.book.assignment(theirs["assignment_id"])["accepted_at"] is None


def test_an_admin_makes_replaces_and_revokes_a_key(window: Any, service: Serving) -> None:
    mine = window("admin")
    page = mine.go("/admin/keys")
    page.get_by_label("Who has it").fill("Web site")
    page.get_by_role("checkbox", name="ingest").check()
    page.get_by_label("Valid for, days").fill("30")
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("#new-key").inner_text()

    def status(token: str) -> int:
        return httpx.get(f"{service.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code

    told = httpx.get(f"{service.url}/api/v1/me", headers={"Authorization": f"Bearer {key}"}).json()
    assert (told["name"], told["scopes"]) == ("Web site", ["ingest"])
    # it is shown this once
    page.get_by_role("link", name="I have it").click()
    assert key not in page.content()
    row = page.locator("tbody tr", has_text="Web site")
    assert told["key_id"] in row.inner_text()
    row.get_by_text("Replace", exact=True).click()
    row.get_by_label("old one works for, hours").fill("0")
    row.get_by_role("button", name="Replace the key of Web site").click()
    successor = page.locator("#new-key").inner_text()
    assert successor != key
    assert status(successor) == 200
    row = page.locator("tbody tr", has_text=successor[3:15])
    row.get_by_text("Revoke", exact=True).click()
    row.get_by_role("button", name="Revoke the key of Web site for good").click()
    page.wait_for_url("**/admin/keys?done=revoked")
    keys = {item["key_id"]: item for item in service.desk.keys.list() if item["name"] == "Web site"}
    assert [item["is_valid"] for item in keys.values()] == [False, False]
    # a key of nobody, and one for nothing, say what is missing; nobody else makes any
    page.get_by_label("Who has it").fill("Nobody")
    page.get_by_role("button", name="Make the key").click()
    assert "a key needs a scope" in page.locator("main").inner_text().lower()
    manager = window()
    answer = manager.page.goto(f"{service.url}/admin/keys")
    assert answer is not None
    assert answer.status == 403
    token = manager.go("/admin/people").locator("input[name=csrf_token]").first.input_value()
    sent = manager.page.request.post(
        f"{service.url}/admin/keys",
        form={"csrf_token": token, "name": "x", "scope.admin": "1"}, max_redirects=0,
    )  # fmt: skip
    assert sent.status == 403
    assert mine.opened.complaints == [
        "Failed to load resource: the server responded with a status of 422 ()"
    ] or all("422" in text for text in mine.opened.complaints)


def test_every_figure_of_the_floor_opens_the_rows_it_counts(window: Any, service: Serving) -> None:
    won = lead_of(service, "A1", "Won of today")
    service.desk.settle(won["booking_id"], "confirmed", total_revenue=100)
    mine = window()
    page = mine.go("/floor")
    count = page.locator("a.fact", has_text="Won today").inner_text()
    page.locator("a.fact", has_text="Won today").click()
    page.wait_for_url("**/leads?show=won_today")
    rows = page.locator("tbody tr")
    assert f"{rows.count()} booking" in count
    link = page.locator(f"main a[href='/leads/{won['lead_id']}']")
    expect(link).to_have_text("Won of today")
    page.get_by_role("navigation", name="Filter").get_by_role("link", name="not reached yet").click()
    assert page.url.endswith("?show=not_reached")
    expect(link).to_have_count(0)
    shown = page.request.get(f"{service.url}/leads.json?show=not_reached").json()["rows"]
    assert shown
    assert all(row["first_contact_at"] is None for row in shown)
    page.go_back()
    assert page.url.endswith("?show=won_today")
    answer = page.request.get(f"{service.url}/leads.json?show=best")
    assert answer.status == 422


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "dark"), (PHONE, "light")])
def test_acts_fit_and_are_accessible(window: Any, service: Serving, size: Any, scheme: str) -> None:
    lost = lead_of(service, "A1", "A customer with a name that is long enough to break a line")
    service.desk.settle(lost["booking_id"], "cancelled")
    service.desk.oversight.contest(service.desk.book.lead(lost["lead_id"])["assignment_id"], "not so")
    offered = lead_of(service, "A1", "Offer")
    mine = window("admin", size, scheme)
    paths = (
        "/floor", "/queue", "/agents/A1?lead=1", f"/leads/{lost['lead_id']}", f"/leads/{offered['lead_id']}",
        "/audit/contests?resolved=1", "/admin/keys", "/leads?show=won_today", "/leads?show=waiting",
    )  # fmt: skip
    for path in paths:
        page = mine.go(path)
        for item in page.locator("main details").all():
            item.evaluate("item => { item.open = true; }")
        page.wait_for_timeout(50)
        mine.opened.require_accessible()
        mine.opened.require_no_sideways_scrolling()
    assert mine.opened.complaints == []


def test_the_floor_shows_who_moves_up_as_bookings_settle(window: Any, service: Serving) -> None:
    with service.desk.database.connect(autocommit=True) as connection:
        rows(connection, "select dealwright.set_default_policy('workload')")
    most = max(row["open"] for row in service.desk.floor.records())
    while service.desk.book.agent("A1")["open"] <= most:
        service.desk.assign(lead("Busy"), agent="A1", reason="to be the last in line")
    mine = window()
    page = mine.go("/floor")
    live(page)
    line = page.locator("#line tr[data-row=aA1]")
    expect(line).to_have_attribute("data-rank", "3")
    expect(line.locator(".moved")).to_have_text("")
    for row in service.desk.book.assignments(agent_id=service.desk.book.find_agent("A1"), status="open").rows:
        service.desk.settle(row["booking_id"], "cancelled")
    expect(line).to_have_attribute("data-rank", "1", timeout=10_000)
    expect(line.locator(".moved")).to_have_text(re.compile(r"▲[12]"))
    # those who only make room for it are not marked
    expect(page.locator("#line .moved").filter(has_text="▼")).to_have_count(0)


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_a_manager_limits_a_channel_gives_an_agent_more_of_it_and_takes_the_limit_away(
    window: Any, service: Serving, size: Any, scheme: str
) -> None:
    mine, book = window("manager", size, scheme), service.desk.book
    page = mine.go("/admin/people")
    limits = page.locator("section", has=page.get_by_role("heading", name="Limits per channel"))
    limits.get_by_role("combobox", name="Channel").select_option("destination:Mars")
    limits.get_by_label("Capacity", exact=True).fill("3")
    limits.get_by_role("button", name="Limit the channel").click()
    page.wait_for_url("**?done=channel")
    assert [(row["channel"], row["capacity"], row["places"]) for row in book.channels()] == [("Mars", 3, 1)]
    name = next(row["agent_name"] for row in book.agents().rows if row["agent_id"] == "A1")
    own = page.get_by_label(f"Capacity of {name} for Mars")
    assert own.get_attribute("placeholder") == "3"
    mine.opened.require_accessible()
    mine.opened.require_no_sideways_scrolling()

    own.fill("5")
    own.press("Enter")
    page.wait_for_url("**?done=*")
    assert {row["agent_id"]: row["channels"][0]["capacity"] for row in book.agents().rows} == {
        row["agent_id"]: 5 if row["agent_id"] == "A1" else 3 for row in book.agents().rows
    }
    expect(own).to_have_value("5")

    assert mine.opened.complaints == []
    # what is no number is refused with the fix, and nothing is changed
    page.get_by_label("Capacity of each agent for Mars").fill("many")
    page.get_by_label("Capacity of each agent for Mars").press("Enter")
    expect(page.locator("main")).to_contain_text("whole number")
    assert book.channels()[0]["capacity"] == 3

    page = mine.go("/admin/people")
    page.get_by_role("button", name="Remove the limits of Mars").click()
    page.wait_for_url("**?done=no_channel")
    assert not book.channels()
    expect(own).to_have_count(0)
