"""My day on a telephone, as a representative works through it: with and without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from browsing import Opened, open_page
from playwright.sync_api import Browser, Page, expect
from published import ZONE, run_of, task
from servers import TestServer
from serving import Serving, served_floor

PHONE, WIDE = (390, 844), (1440, 900)
CARD = (
    '{"address": "Carrer de Mallorca 21", "contact": "Marta Pons", "phone": "+34 93 123 45 67", '
    '"lat_deg": 41.39, "lon_deg": 2.16, "why": "They order <i>less</i>.", "what": "Ask what changed.", '
    '"careful": "A complaint is open.", "more": ["Worth €160 after costs."]}'
)


def planned(now: datetime) -> list[dict[str, Any]]:
    """Return a day of four visits and a call of A1's, one of A2's, around now."""
    start = now.replace(tzinfo=None, second=0, microsecond=0)
    times = {name: start + timedelta(minutes=20 * place) for place, name in enumerate("abcd", 1)}
    visits = [
        task(
            name, rep_id="A1", account_name=f"Shop {name.upper()}", stop=place, day=start.date(), card=CARD,
            start_at=at, end_at=at + timedelta(minutes=15), reason="reasons",
        )
        for place, (name, at) in enumerate(times.items(), 1)
    ]  # fmt: skip
    call = task("e", "upsell", "outbound_cc", rep_id="A1", day=start.date(), account_name="Shop E")
    other = task("f", rep_id="A2", day=start.date(), account_name="Somebody else's")
    return [*visits, call, other]


@pytest.fixture(scope="module")
def service(
    browser: Browser, server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    with served_floor(server, desk_template, tmp_path_factory.mktemp("days")) as found:
        yield found


@pytest.fixture
def published(service: Serving) -> datetime:
    """Publish the day anew; what tests before have reported is taken back."""
    now = datetime.now(ZoneInfo(ZONE))
    for row in service.desk.tasks.find(k=100).rows:
        if row["status"] in ("done", "failed"):
            service.desk.tasks.reopen(row["task_id"], "a test is over")
    tasks = planned(now)
    service.desk.tasks.publish(run_of(tasks, f"run {now}", day=now.date(), as_of=now.replace(tzinfo=None)))
    return now


@pytest.fixture
def telephone(browser: Browser, service: Serving, published: datetime) -> Iterator[Any]:
    """Return a function that opens somebody's day."""
    contexts: list[Opened] = []

    def make(
        role: str = "A1", size: tuple[int, int] = PHONE, path: str = "/my-day", scheme: str = "light"
    ) -> Page:
        opened = open_page(browser, f"{service.url}/auth/sign-in", size, offline=False, scheme=scheme)
        contexts.append(opened)
        opened.page.fill("input[name=key]", service.keys[role])
        opened.page.click("main button")
        opened.page.wait_for_url(lambda url: "/auth/" not in url)
        opened.page.goto(service.url + path)
        page: Page = opened.page
        return page

    yield make
    for opened in contexts:
        assert [line for line in opened.complaints if "ERR_INTERNET_DISCONNECTED" not in line] == []
        opened.page.context.close()


def live(page: Page) -> None:
    expect(page.locator(".live")).to_have_attribute("data-state", "live", timeout=10_000)


def names(page: Page) -> list[str]:
    return page.locator(".contact h2").all_inner_texts()


def outcomes(service: Serving) -> dict[str, str | None]:
    return {row["account_id"]: row["outcome"] for row in service.desk.tasks.find(rep_id="A1", k=100).rows}


def test_the_next_contact_comes_first_with_all_it_needs(telephone: Any, published: datetime) -> None:
    page = telephone()
    assert re.search(r"/agents/A1/day$", page.url)
    assert names(page) == ["Shop A", "Shop B", "Shop C", "Shop D", "Shop E"]
    first = page.locator(".contact").first
    assert first.locator("time").inner_text() == f"{published + timedelta(minutes=20):%H:%M}"
    assert first.get_by_role("link", name="Call").get_attribute("href") == "tel:+34931234567"
    assert "41.390000,2.160000" in (first.get_by_role("link", name="Navigate").get_attribute("href") or "")
    text = first.inner_text()
    assert "Carrer de Mallorca 21 · Marta Pons" in text
    assert "They order <i>less</i>." in text
    assert "Careful: A complaint is open." in text
    assert "0 of 5" in page.locator(".facts").inner_text()
    # nothing is wider than the screen, and thumbs hit the buttons
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    heights = first.locator("button, .button").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert len(heights) >= 6
    assert min(heights) >= 44


def test_what_came_of_a_contact_is_in_the_next_runs_touches(telephone: Any, service: Serving) -> None:
    page = telephone()
    live(page)
    first = page.locator(".contact").first
    first.get_by_role("button", name="Begin with Shop A").click()
    expect(page.locator(".contact").first).to_contain_text("under way")
    page.locator(".contact").first.get_by_label("Note on Shop A").fill("wants an offer")
    page.locator(".contact").first.get_by_role("button", name="responded").click()
    expect(page.locator(".contact h2").first).to_have_text("Shop B")
    expect(page.locator(".facts")).to_contain_text("1 of 5")
    second = page.locator(".contact").first
    second.get_by_role("button", name="not reached").click()
    expect(page.locator(".facts")).to_contain_text("2 of 5")
    touches = service.desk.tasks.touches().filter(rep_id="A1").sort("account_id")
    assert touches.select("account_id", "channel", "response").rows() == [
        ("a", "field", True),
        ("b", "field", False),
    ]
    noted = next(row for row in service.desk.tasks.find(rep_id="A1").rows if row["account_id"] == "a")
    assert noted["note"] == "wants an offer"
    # a slip of the thumb is corrected where it is shown
    page.locator(".over > summary").click()
    row = page.locator(".over li", has_text="Shop B")
    row.get_by_text("Correct it").click()
    row.get_by_role("button", name="said no").click()
    expect(page.locator(".over li", has_text="Shop B").locator(".chip")).to_have_text("said no")
    assert outcomes(service)["b"] == "rejected"


def test_a_report_without_a_network_is_kept_and_sent_once(telephone: Any, service: Serving) -> None:
    page = telephone()
    live(page)
    page.context.set_offline(True)
    tapped = datetime.now(ZoneInfo(ZONE))
    page.locator(".contact").first.get_by_role("button", name="said no").click()
    over = datetime.now(ZoneInfo(ZONE))
    expect(page.locator(".contact").first.locator(".kept")).to_have_text(
        "Kept on this telephone; it is sent when there is a network."
    )
    assert outcomes(service)["a"] is None
    page.wait_for_timeout(1200)
    page.context.set_offline(False)
    expect(page.locator(".contact h2").first).to_have_text("Shop B", timeout=15_000)
    row = next(row for row in service.desk.tasks.find(rep_id="A1").rows if row["account_id"] == "a")
    assert row["outcome"] == "rejected"
    # when it was tapped, not when it was sent
    assert tapped - timedelta(milliseconds=1) <= row["done_at"] <= over
    assert page.evaluate("Object.keys(localStorage).every((key) => localStorage[key] === '[]')")
    with service.desk.database.connect() as connection:
        told = connection.execute(
            "select count(*) from dealwright.event where kind like 'task_%%' "
            "and payload ->> 'account_id' = 'a' and at > %s",
            [tapped],
        ).fetchone()
    assert told == (1,)


def test_a_change_of_the_plan_appears_without_reload(
    telephone: Any, service: Serving, published: datetime
) -> None:
    page = telephone()
    live(page)
    page.evaluate("window.same = true")
    tasks = [one for one in planned(published) if one["account_id"] != "c"]
    tasks.append(task("g", rep_id="A1", day=published.date(), account_name="New shop"))
    now = published.replace(tzinfo=None)
    service.desk.tasks.publish(
        run_of(tasks, "a newer run", day=published.date(), as_of=now + timedelta(seconds=1))
    )
    expect(page.locator(".contact h2", has_text="New shop")).to_be_visible()
    assert "Shop C" not in names(page)
    assert page.evaluate("window.same === true")


def test_nobody_sees_or_reports_another_ones_day(telephone: Any, service: Serving) -> None:
    page = telephone()
    theirs = next(row for row in service.desk.tasks.find(rep_id="A2").rows)
    token = page.locator("main input[name=csrf_token]").first.get_attribute("value")
    for path in ("/agents/A2/day", "/agents/A2/day.json", "/agents/A2/day.csv", "/live/days/A2"):
        answer = page.context.request.get(service.url + path)
        assert answer.status == 404, path
        assert "Somebody" not in answer.text()
    answer = page.context.request.post(
        f"{service.url}/my-day/tasks/{theirs['task_id']}",
        form={"outcome": "responded", "csrf_token": token or ""},
    )
    assert answer.status == 404
    assert service.desk.tasks.get(theirs["task_id"]).row["status"] == "planned"
    own = page.context.request.get(f"{service.url}/agents/A1/day.json").json()
    assert {row["account_id"] for row in own["rows"]} == set("abcde")
    assert own["rows"][0]["phone"] == "+34 93 123 45 67"


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(telephone: Any, size: tuple[int, int], scheme: str) -> None:
    page = telephone("A1", size, "/my-day", scheme)
    page.locator(".contact summary").first.click()
    opened = Opened(page)
    opened.require_accessible()
    opened.require_no_sideways_scrolling()


def test_it_works_by_keyboard_and_without_scripts(telephone: Any, browser: Browser, service: Serving) -> None:
    page = telephone()
    button = page.locator(".contact").first.get_by_role("button", name="no answer yet")
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".contact h2").first).to_have_text("Shop B")
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(f"{service.url}/my-day")
    plain.locator(".contact").first.get_by_role("button", name="responded").click()
    assert "done=task" in plain.url
    assert plain.locator(".contact h2").first.inner_text() == "Shop C"
    context.close()


def test_a_planner_sees_everybodys_day_in_their_language(telephone: Any, service: Serving) -> None:
    page = telephone("planner", WIDE, "/agents/A2/day")
    assert names(page) == ["Somebody else's"]
    page.goto(f"{service.url}/language/es")
    page.goto(f"{service.url}/agents/A2/day")
    assert "0 de 1" in page.locator(".facts").inner_text()
    answer = page.context.request.get(f"{service.url}/agents/nobody/day")
    assert answer.status == 404
