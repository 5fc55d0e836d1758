"""The pages Night and What if in a real browser, as a planner uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browsing import Opened, open_page
from nights import served_nights
from playwright.sync_api import Browser, Page, expect
from servers import TestServer
from serving import Serving

WIDE, PHONE = (1440, 900), (390, 844)
_END_MS = 180_000


@pytest.fixture(scope="module")
def service(
    browser: Browser, server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    with served_nights(server, desk_template, tmp_path_factory.mktemp("nights")) as found:
        yield found


def sign_in(browser: Browser, service: Serving, role: str, size: tuple[int, int] = WIDE,
            scheme: str = "light") -> Opened:  # fmt: skip
    opened = open_page(browser, f"{service.url}/auth/sign-in", size, offline=False, scheme=scheme)  # type: ignore[arg-type]
    opened.page.fill("input[name=key]", service.keys[role])
    opened.page.click("main button")
    opened.page.wait_for_url(lambda url: "/auth/" not in url)
    return opened


def watch_to_the_end(page: Page) -> None:
    """Wait for the first screen of a night that is looked at, without a reload."""
    page.evaluate("window.kept = true")
    expect(page.locator(".night .lead")).to_contain_text("Scheduled:", timeout=_END_MS)
    assert page.evaluate("window.kept") is True


@pytest.fixture(scope="module")
def night(browser: Browser, service: Serving) -> int:
    """Start a night by the form, watch it to its end, and return it."""
    opened = sign_in(browser, service, "planner")
    page = opened.page
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url("**/nights")
    expect(page.locator("main")).to_contain_text("No night has run yet")
    page.locator("select[name=source]").select_option("tables")
    page.get_by_label("Publish the day's tasks").check()
    page.get_by_role("button", name="Start the night").click()
    page.wait_for_url(re.compile(r"/nights/\d+\?done=asked"))
    # a stage and a share are shown while it is under way
    expect(page.locator(".night .facts")).to_contain_text("under way", timeout=30_000)
    expect(page.locator("progress")).to_be_visible()
    watch_to_the_end(page)
    assert opened.complaints == []
    page.context.close()
    return int(service.desk.nights.list(k=1)[0].night_id)


def test_a_number_leads_to_its_accounts_and_an_account_to_its_card(browser, service, night) -> None:
    opened = sign_in(browser, service, "manager")
    page = opened.page
    page.goto(f"{service.url}/nights")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/nights/{night}")
    waiting = page.locator(".fact", has_text="Waiting")
    number = re.search(r"(\d+) account", waiting.inner_text())
    assert number is not None
    waiting.click()
    page.wait_for_url("**/accounts?state=waiting")
    expect(page.locator("h2").nth(0)).to_contain_text(f"{number[1]} account")
    assert page.locator("#accounts tbody tr").count() == int(number[1])
    name = page.locator("#accounts tbody a").first.inner_text()
    page.locator("select[name=state]").select_option("")
    page.get_by_label("Name or id").fill(name.lower())
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"search="))
    expect(page.locator("#accounts tbody tr").first).to_contain_text(name)
    page.locator("#accounts tbody a").first.click()
    page.wait_for_url(re.compile(r"/accounts/[^?]+$"))
    assert page.locator("h1").inner_text() == name
    expect(page.locator("main")).to_contain_text("What stands in the way")
    assert opened.complaints == []
    page.context.close()


def test_the_pages_of_the_run_work_from_within_the_console(browser, service, night) -> None:
    opened = sign_in(browser, service, "planner")
    page = opened.page
    for name in ("report.html", "accounts.html", "contact-centre.html", "maps/territories.html"):
        page.goto(f"{service.url}/nights/{night}/files/{name}")
        page.wait_for_timeout(300)
    assert [text for text in opened.complaints if "tile.openstreetmap.org" not in text] == []
    page.goto(f"{service.url}/nights/{night}/files/accounts.html")
    expect(page.locator("tbody tr").first).to_be_visible()
    # a script that is not the run's does not run
    page.evaluate("const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
                  "document.body.append(s)")  # fmt: skip
    assert page.evaluate("window.ran") is None
    page.context.close()


@pytest.fixture(scope="module")
def what_if(browser: Browser, service: Serving, night: int) -> int:
    """Ask for a what-if by the form, and return its night."""
    opened = sign_in(browser, service, "planner")
    page = opened.page
    page.goto(f"{service.url}/nights/{night}")
    page.get_by_role("link", name="Try a what-if").click()
    page.get_by_label("Representatives, more or fewer").fill("+1")
    page.get_by_role("button", name="Plan it").click()
    page.wait_for_url(re.compile(r"/nights/\d+\?done=asked"))
    expect(page.locator("h1")).to_contain_text(f"a what-if of night {night}")
    watch_to_the_end(page)
    assert opened.complaints == []
    page.context.close()
    return int(service.desk.nights.list(k=1)[0].night_id)


def test_a_what_if_is_shown_side_by_side_with_its_night(browser, service, night, what_if) -> None:
    opened = sign_in(browser, service, "planner")
    page = opened.page
    page.goto(f"{service.url}/nights/{what_if}")
    page.get_by_role("link", name=f"Side by side with night {night}").click()
    page.wait_for_url(f"**/nights/{what_if}/compare/{night}")
    expect(page.locator("main")).to_contain_text("1 more in the field, like R00")
    visits = page.locator("#figures tr", has_text="Visits").locator("td").all_inner_texts()
    assert int(visits[2]) - int(visits[1]) == int(visits[3].lstrip("+"))
    assert int(visits[3]) > 0
    expect(page.locator("#changed-table tbody tr").first).to_contain_text("visit")
    page.goto(f"{service.url}/what-if")
    expect(page.locator("#what-ifs tbody tr")).to_have_count(1)
    # another comparison, by the form of a night's page
    page.goto(f"{service.url}/nights/{night}")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**/nights/{night}/compare/{what_if}")
    assert opened.complaints == []
    page.context.close()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_the_pages_are_accessible_fit_and_are_light(browser, service, night, what_if, size, scheme) -> None:
    opened = sign_in(browser, service, "manager", size, scheme)
    with service.client("manager") as client:
        account = client.get(f"/nights/{night}/accounts.json").json()["rows"][0]["account_id"]
        for path in (
            "/nights", f"/nights/{night}", f"/nights/{what_if}", f"/nights/{night}/accounts",
            f"/nights/{night}/accounts/{account}", f"/nights/{what_if}/compare/{night}", "/what-if",
        ):  # fmt: skip
            opened.page.goto(service.url + path)
            opened.require_accessible()
            opened.require_no_sideways_scrolling()
            sent = client.get(path, headers={"accept-encoding": "gzip"})
            assert int(sent.headers["content-length"]) < 60_000, path  # style and script are another 40 KB
    assert opened.complaints == []
    opened.page.context.close()


def test_the_pages_speak_spanish(browser, service, night) -> None:
    context = browser.new_context(locale="es-ES")
    page = context.new_page()
    page.goto(f"{service.url}/auth/sign-in?to=/nights/{night}")
    page.fill("input[name=key]", service.keys["planner"])
    page.click("main button")
    page.wait_for_url(f"**/nights/{night}")
    assert "Qué pide una decisión" in page.locator("main").inner_text()
    context.close()
