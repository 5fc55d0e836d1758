"""Territories in a real browser: one is drawn, compared and approved, and the next night keeps it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from browsing import Opened, open_page
from playwright.sync_api import Browser, Page, expect
from servers import TestServer
from serving import Serving, served_floor
from small_company import QUICK

from dealwright import Client

WIDE, PHONE = (1440, 900), (390, 844)
SETTINGS = """
[night]
params = "quick.toml"
retry_after_min = 0
retries = 0
"""
SHOTS = os.environ.get("TERRITORY_SHOTS")


@pytest.fixture(scope="module")
def service(
    browser: Browser, server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a service that has planned one night of a synthetic company."""
    folder = tmp_path_factory.mktemp("territories")
    (folder / "quick.toml").write_text(f"headcount = false\none_more = false\n{QUICK}")
    (folder / "dealwright.toml").write_text(SETTINGS)
    with served_floor(server, desk_template, folder) as found:
        plan(found)
        yield found


def plan(service: Serving) -> Path:
    """Plan a night, and return its folder."""
    with Client(service.url, service.keys["planner"]) as client:
        run = client.start_run(world="barcelona", n=600, seed=1, currency="CHF", publish=False)
        night = run["night_id"]
        done = client.wait_for_run(night, timeout_s=240, poll_s=0.2)
    assert done["status"] == "done", done
    return service.log.parent / "runs" / f"{night:06d}"


def sign_in(
    browser: Browser, service: Serving, size: tuple[int, int] = WIDE, scheme: str = "light"
) -> Opened:
    opened = open_page(browser, f"{service.url}/auth/sign-in", size, offline=False, scheme=scheme)  # type: ignore[arg-type]
    opened.page.fill("input[name=key]", service.keys["planner"])
    opened.page.click("main button")
    opened.page.wait_for_url(lambda url: "/auth/" not in url)
    return opened


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def make_scenario(page: Page, service: Serving, name: str) -> str:
    page.goto(f"{service.url}/territories")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Copy the plan").click()
    page.wait_for_url("**/territories/*")
    return page.url.split("?")[0]


def figure(page: Page, row: str) -> tuple[str, str]:
    """Return a measure of the standing plan and of the scenario."""
    cells = page.locator("section[aria-label='Compared with the standing plan'] tr", has_text=row).locator(
        "td"
    )
    return cells.nth(1).inner_text(), cells.nth(2).inner_text()


def ready(page: Page) -> None:
    expect(page.locator("#map")).to_have_attribute("data-ready", "yes", timeout=15_000)


def test_a_territory_is_drawn_compared_approved_and_kept_by_the_next_night(
    browser: Browser, service: Serving
) -> None:
    opened = sign_in(browser, service)
    page = opened.page
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/territories")
    address = make_scenario(page, service, "North to Laia")
    ready(page)
    assert figure(page, "Accounts that change hands") == ("0", "0")
    assert figure(page, "Driving, km a month")[0] == figure(page, "Driving, km a month")[1]

    # an area is drawn around a good part of the map, corner by corner
    page.get_by_role("button", name="Draw an area").click()
    box = page.locator("#map").bounding_box()
    assert box is not None
    for across, down in ((0.3, 0.25), (0.7, 0.25), (0.7, 0.6), (0.3, 0.6)):
        page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    expect(page.locator("#chosen")).to_have_text("Chosen: corners 4")
    shoot(page, "drawing-1440-light")
    target = page.locator("#move select[name=to] option").nth(1).get_attribute("value")
    assert target is not None
    page.locator("#move select[name=to]").select_option(target)
    page.locator("#move").get_by_role("button", name="Move").click()
    expect(page.get_by_role("status").filter(has_text="The change is made")).to_be_visible()
    ready(page)
    moved = int(figure(page, "Accounts that change hands")[1])
    assert moved > 0
    assert figure(page, "Driving, km a month")[0] != figure(page, "Driving, km a month")[1]
    shoot(page, "scenario-1440-light")

    # one cell more by a click, and back again
    page.locator("#map path.cell").first.dispatch_event("click")
    expect(page.locator("#chosen")).to_contain_text("cells 1")
    other = page.locator("#move select[name=to] option").nth(2).get_attribute("value")
    page.locator("#move select[name=to]").select_option(other)
    page.locator("#move").get_by_role("button", name="Move").click()
    page.wait_for_url("**done=edited")
    page.get_by_role("button", name="Undo the last one").click()
    page.wait_for_url("**done=undone")
    assert int(figure(page, "Accounts that change hands")[1]) == moved

    page.goto(f"{service.url}/territories")
    expect(page.locator("section[aria-label='Side by side']")).to_contain_text("North to Laia")
    page.goto(address)
    page.get_by_label("Effective from").fill("2026-07-01")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**done=approved")
    expect(page.locator("main")).to_contain_text("keep these territories")
    assert page.locator("#move").count() == 0
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith((service.url, "data:", "blob:"))] == []

    wanted = {}
    with service.client("planner") as client:
        number = address.rsplit("/", 1)[1]
        after: int | None = 0
        while after is not None:
            answer = client.get(
                f"/api/v1/territory-scenarios/{number}/accounts", params={"after": after}
            ).json()
            wanted |= {row["account_id"]: row["rep_id"] for row in answer["items"]}
            after = answer["next"]
    folder = plan(service)
    kept = pl.read_parquet(folder / "accounts.parquet").drop_nulls("territory")
    assert dict(kept.select("account_id", "rep_id").iter_rows()) == wanted
    assert sum(row for row in kept["moved"].fill_null(value=False)) > 0
    notices = json.loads((folder / "notices.json").read_text())
    assert 'the territories are those approved as "North to Laia", in force since 2026-07-01' in notices
    page.context.close()


def test_lists_do_what_the_map_does_without_scripts(browser: Browser, service: Serving) -> None:
    opened = sign_in(browser, service)
    cookies = opened.page.context.cookies()
    opened.page.context.close()
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 900})
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    address = make_scenario(page, service, "By list")
    page.goto(f"{address}/accounts")
    row = page.locator("tbody tr").first
    account = row.locator("small").inner_text()
    holder = row.locator("td").nth(1).inner_text().split(" · ")[0]
    options = [item.get_attribute("value") for item in page.locator("section select[name=to] option").all()]
    target = next(value for value in options if value and value != holder)
    row.locator("input[type=checkbox]").check()
    page.get_by_label("Move the chosen ones to").select_option(target)
    page.get_by_role("button", name="Move").click()
    page.wait_for_url("**done=edited")
    page.goto(f"{address}/accounts?moved=yes")
    assert page.locator("tbody small").all_inner_texts() == [account]
    page.goto(f"{address}/cells")
    cell = page.locator("tbody tr a").first.inner_text()
    page.get_by_label("Cells, by their names").fill(cell)
    page.get_by_label("Move to").select_option(target)
    page.get_by_role("button", name="Move").click()
    # whether or not they are all there already, it is said
    page.goto(address)
    page.locator("select[name=territory]").select_option(target)
    page.locator("select[name=into]").select_option(holder)
    page.get_by_role("button", name="Merge").click()
    page.wait_for_url("**done=edited")
    page.goto(f"{address}/accounts")
    assert not any(f"{target} ·" in text for text in page.locator("tbody td:nth-child(2)").all_inner_texts())
    context.close()


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit_the_screen(
    browser: Browser, service: Serving, size: tuple[int, int], scheme: str
) -> None:
    opened = sign_in(browser, service, size, scheme)
    page = opened.page
    address = make_scenario(page, service, f"Looks {size[0]} {scheme}")
    for path in ("", "/accounts", "/cells"):
        page.goto(address + path)
        if not path:
            ready(page)
        opened.require_accessible()
        opened.require_no_sideways_scrolling()
        assert "€" not in page.content()  # the run's currency, not the desk's
        shoot(page, f"scenario{path.replace('/', '-')}-{size[0]}-{scheme}")
    page.goto(f"{service.url}/territories")
    opened.require_accessible()
    opened.require_no_sideways_scrolling()
    shoot(page, f"list-{size[0]}-{scheme}")
    assert opened.complaints == []
    page.context.close()
