"""The page of a day in a real browser: a visit dragged, a shift moved by keyboard, undone, published."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import polars as pl
import pytest
from browsing import Opened, open_page
from engine import rows
from playwright.sync_api import Browser, Locator, Page, expect
from servers import TestServer
from serving import Serving, served_floor
from small_company import QUICK

from dealwright.report.format import format_of
from dealwright.runs.output import write_report

WIDE, PHONE = (1440, 900), (390, 844)
NOTE = re.compile("(?<=<!--changed-->).*?(?=<!--/changed-->)", re.DOTALL)
SETTINGS = '[night]\ntables = "."\nruns = "runs"\n'


@pytest.fixture(scope="module")
def service(
    browser: Browser, server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a service with a night that is done: two hundred accounts."""
    folder = tmp_path_factory.mktemp("day")
    (folder / "quick.toml").write_text(f"headcount = false\none_more = false\n{QUICK}")
    (folder / "dealwright.toml").write_text(SETTINGS)
    (folder / "runs").mkdir()
    subprocess.run(
        [sys.executable, "-m", "dealwright", "plan", "--world", "barcelona", "--n", "200", "--seed", "3",
         "--params", "quick.toml", "--currency", "CHF", "--out", "runs/000001"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    with served_floor(server, desk_template, folder, "--no-worker") as found:
        nights = found.desk.nights
        nights.request("n", "test")
        nights.begin("test", datetime.now(UTC) + timedelta(minutes=1))
        nights.end(1, "done", folder="000001", result={})
        yield found


@pytest.fixture(autouse=True)
def as_planned(service: Serving) -> Iterator[None]:
    """Undo what a test changed."""
    yield
    changes, day = service.desk.day_changes, day_of(service)
    while (record := changes.of(1, day)).counting:
        changes.undo(1, day, seen=record.seen, made_by="test")


def folder_of(service: Serving) -> Path:
    return service.log.parent / "runs" / "000001"


def table(service: Serving, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder_of(service) / f"{name}.parquet")


def day_of(service: Serving) -> date:
    day: date = table(service, "rep_days")["day"].min()  # type: ignore[assignment]
    return day


def address(service: Serving) -> str:
    return f"/nights/1/day/{day_of(service).isoformat()}"


def open_day(
    browser: Browser,
    service: Serving,
    size: tuple[int, int] = WIDE,
    scheme: Any = "light",
    role: str = "planner",
) -> Opened:
    opened = open_page(browser, f"{service.url}/auth/sign-in", size, offline=False, scheme=scheme)
    opened.page.fill("input[name=key]", service.keys[role])
    opened.page.click("main button")
    opened.page.wait_for_url(lambda url: "/auth/" not in url)
    opened.page.goto(service.url + address(service))
    return opened


def api(service: Serving, path: str = "", **body: Any) -> httpx.Response:
    with service.client("planner") as client:
        place = f"/api/v1/runs/1/day/{day_of(service).isoformat()}{path}"
        return client.post(place, json=body) if path else client.get(place)


def bar(page: Page, account: str) -> Locator:
    return page.locator(f'.visit[data-account="{account}"]')


def drag(page: Page, account: str, minutes: float) -> None:
    """Drag a visit along its line, as a hand does."""
    bar(page, account).scroll_into_view_if_needed()
    lines = page.locator("#lines")
    span = int(lines.get_attribute("data-last") or 0) - int(lines.get_attribute("data-first") or 0)
    line = page.locator("svg[data-rep]").first.bounding_box()
    box = bar(page, account).locator("rect").bounding_box()
    assert line is not None
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + minutes * line["width"] / span / 2, y, steps=4)
    page.mouse.move(x + minutes * line["width"] / span, y, steps=4)
    page.mouse.up()


def minute(moment: datetime) -> float:
    return moment.hour * 60 + moment.minute + moment.second / 60


def a_move_that_fits(service: Serving) -> tuple[dict[str, Any], int]:
    """Find, through the endpoint, a visit and by how many minutes it can be moved."""
    for row in table(service, "visits").sort("rep_id", "stop", descending=True).iter_rows(named=True):
        for by in (10, 15, 20, 30, 45, 60, 90, -10, -20, -30):
            begin = round((minute(row["start_at"]) + by) / 5) * 5
            found = api(
                service,
                "/try",
                kind="move",
                account_id=row["account_id"],
                rep_id=row["rep_id"],
                begin_min=begin,
            )
            if found.status_code == 200 and begin != round(minute(row["start_at"])):
                return row, begin
    raise AssertionError("no visit of the day can be moved")


def test_a_visit_is_dragged_refused_for_its_window_placed_priced_kept_undone_and_published(
    browser: Browser, service: Serving
) -> None:
    opened = open_day(browser, service)
    page, answer = opened.page, opened.page.locator("#answer")
    row, begin = a_move_that_fits(service)
    account, now = row["account_id"], minute(row["start_at"])
    # behind its window
    drag(page, account, minute(row["window_end"]) - now + 10)
    expect(answer).to_contain_text("Refused: opening hours")
    expect(answer).to_contain_text("it may begin from")
    expect(page.get_by_role("button", name="Keep it")).to_be_hidden()
    bar(page, account).press("Escape")
    # where there is room
    drag(page, account, begin - round(now))
    expect(answer).to_contain_text("It fits")
    said = api(service, "/try", kind="move", account_id=account, rep_id=row["rep_id"], begin_min=begin).json()
    km = said["difference"]["distance_km"]
    assert f"{km:+.1f} km".replace("+0.0", "0.0").replace("-0.0", "0.0") in answer.inner_text().replace(
        "-0.0", "0.0"
    )
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("status").filter(has_text="is kept")).to_be_visible()
    expect(bar(page, account)).to_have_class(re.compile("pinned"))
    assert bar(page, account).get_attribute("data-begin") == str(begin)
    kept = api(service).json()
    assert kept["difference"] == said["difference"]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text="undone")).to_be_visible()
    assert api(service).json()["difference"]["distance_km"] == 0
    page.get_by_role("button", name="Do again").click()
    expect(bar(page, account)).to_have_class(re.compile("pinned"))
    page.get_by_role("button", name="Publish the day").click()
    expect(page.get_by_role("status").filter(has_text="on the desk")).to_be_visible()
    with service.desk.database.connect() as connection:
        task = rows(
            connection,
            "select start_at at time zone 'Europe/Madrid' as at, rep_id from dealwright.task "
            "where account_id = %s and channel = 'field' and status = 'planned'",
            account,
        )[0]
        deeds = rows(
            connection, "select action from dealwright.change where object = 'night' order by change_id"
        )
    assert (minute(task["at"]), task["rep_id"]) == (begin, row["rep_id"])
    assert [deed["action"] for deed in deeds][-4:] == [
        "change_day", "undo_day_change", "redo_day_change", "publish_day",
    ]  # fmt: skip
    version = pl.read_parquet(folder_of(service) / "versions" / "1" / "visits.parquet")
    assert minute(version.filter(pl.col("account_id") == account)["start_at"].item()) == begin
    # and so does what the report's links lead to
    name = f"{row['rep_id']}-{day_of(service)}"
    at = f"{begin // 60:02d}:{begin % 60:02d}"
    assert at in (folder_of(service) / "days" / f"{name}.html").read_text("utf-8")
    calendar = (folder_of(service) / "calendars" / f"{name}.ics").read_text("utf-8")
    assert f":{day_of(service):%Y%m%d}T{at.replace(':', '')}00" in calendar
    # the plan itself stays
    assert (
        table(service, "visits").filter(pl.col("account_id") == account)["start_at"].item() == row["start_at"]
    )
    assert opened.complaints == []
    page.context.close()


def test_a_shift_is_moved_by_keyboard_and_a_visit_to_another_person(
    browser: Browser, service: Serving
) -> None:
    opened = open_day(browser, service)
    page, answer = opened.page, opened.page.locator("#answer")
    handle = page.locator("svg[data-rep] .handle").first
    end = int(handle.get_attribute("data-end") or 0)
    handle.focus()
    for _ in range(24):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    expect(answer).to_contain_text("It fits")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="is kept")).to_be_visible()
    assert page.locator("svg[data-rep] .handle").first.get_attribute("data-end") == str(end - 120)
    back = pl.DataFrame(api(service).json()["days"]).sort("rep_id")["back_at"][0]
    assert back is None or minute(datetime.fromisoformat(back)) <= end - 120
    # one visit to the next person: refused or placed, it is said; Escape leaves everything as it was
    visit = page.locator("svg[data-rep] .visit").first
    account, rep = (
        visit.get_attribute("data-account"),
        page.locator("svg[data-rep]").first.get_attribute("data-rep"),
    )
    visit.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(answer).to_have_attribute("data-placed", re.compile("yes|no"))
    page.keyboard.press("Escape")
    assert page.locator(f'svg[data-rep="{rep}"] .visit[data-account="{account}"]').count() == 1
    assert page.evaluate("document.activeElement.dataset.account") == account
    assert opened.complaints == []
    page.context.close()


def test_who_is_ill_is_said_by_a_form_without_scripts_and_the_rest_is_planned_again(
    browser: Browser, service: Serving
) -> None:
    opened = open_day(browser, service)
    page = opened.page
    rep = table(service, "visits")["rep_id"].mode()[0]
    field = page.locator("section", has=page.get_by_role("heading", name="Field", exact=True))
    form = field.locator("form", has=page.get_by_role("button", name="Is ill"))
    form.locator("select").select_option(rep)
    form.get_by_label("From").fill("00:05")
    form.get_by_role("button").click()
    expect(page.locator("#answer")).to_contain_text("Not made any more")
    page.get_by_role("button", name="Keep it").click()
    planned = table(service, "visits").filter(pl.col("rep_id") == rep).height
    assert page.locator("#not-made tbody tr").count() == planned
    field.get_by_role("button", name="Plan the rest again").click()
    expect(page.get_by_role("status").filter(has_text="planned again")).to_be_visible(timeout=60_000)
    after = api(service).json()
    assert {row["rep_id"] for row in after["visits"]}.isdisjoint({rep})
    assert len(after["not_made"]) <= planned
    assert after["deeds"][-1]["change"]["kind"] == "replan"
    assert opened.complaints == []
    page.context.close()


def agent_line(page: Page, rep: str) -> Locator:
    return page.locator(f'#centre svg[data-rep="{rep}"]')


def a_shift(service: Serving) -> tuple[str, int, int]:
    """Return who begins first in the contact centre, and when."""
    row = table(service, "shifts").sort("start_at", "rep_id").row(0, named=True)
    return row["rep_id"], round(minute(row["start_at"])), round(minute(row["end_at"]))


def test_a_shift_of_the_contact_centre_is_moved_by_keyboard_and_mouse_refused_priced_and_published(
    browser: Browser, service: Serving
) -> None:
    opened = open_day(browser, service)
    page, answer = opened.page, opened.page.locator("#answer")
    rep, start, end = a_shift(service)
    handle = agent_line(page, rep).locator(".handle")
    handle.focus()
    for _ in range(8):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    expect(answer).to_contain_text("It fits")
    said = api(service, "/try", kind="centre_shift", rep_id=rep, start_min=start, end_min=end - 120).json()
    more = said["centre"]["difference"]
    assert more["cost_eur"] < 0
    assert f"{more['short_min']:+.0f} min of staff missing".replace("+0", "0") in answer.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="is kept")).to_be_visible()
    assert handle.get_attribute("data-end") == str(end - 120)
    kept = api(service).json()["centre"]
    assert kept["difference"] == more
    lead = page.get_by_text("1 change, against the plan")
    expect(lead).to_contain_text(f"{more['short_min']:+.0f} min of staff missing".replace("+0", "0"))
    expect(lead).not_to_contain_text("km")
    short = sum(
        30 * max(row["required"] - row["scheduled"], 0)
        for row in kept["levels"]
        if row["required"] is not None
    )
    assert short <= kept["figures"]["short_min"] + 1e-6
    # its end is taken by the mouse, and let go behind the hour at which the centre closes
    handle.scroll_into_view_if_needed()
    box = handle.locator("rect").bounding_box()
    line = agent_line(page, rep).bounding_box()
    assert box is not None
    assert line is not None
    x, y = box["x"] + box["width"] - 3, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=3)
    page.mouse.move(line["x"] + line["width"] - 1, y, steps=3)
    page.mouse.up()
    expect(answer).to_contain_text(re.compile("Refused: (contract|opening hours)"))
    page.get_by_role("button", name="Publish the day").click()
    expect(page.get_by_role("status").filter(has_text="on the desk")).to_be_visible()
    versions = sorted((folder_of(service) / "versions").iterdir(), key=lambda path: int(path.name))
    shifts = pl.read_parquet(versions[-1] / "shifts.parquet").filter(pl.col("rep_id") == rep)
    assert minute(shifts["end_at"].item()) == end - 120
    assert opened.complaints == []
    page.context.close()


def test_a_call_is_moved_by_a_form_refused_outside_its_hours_and_its_task_goes_with_it(
    browser: Browser, service: Serving
) -> None:
    opened = open_day(browser, service)
    page, answer = opened.page, opened.page.locator("#answer")
    calls = table(service, "calls").filter(pl.col("start_at").dt.date() == day_of(service))
    row = calls.sort("start_at").row(-1, named=True)
    form = page.locator("form", has=page.get_by_role("button", name="Move or add the call"))

    def ask(at: str) -> None:
        form.get_by_label("Account").fill(row["account_id"])
        form.locator("select").select_option(row["rep_id"])
        form.get_by_label("At").fill(at)
        form.get_by_role("button").click()

    ask("03:00")
    expect(answer).to_contain_text("Refused: calling hours")
    begin = next(
        at
        for at in range(round(minute(row["start_at"])) - 1, 540, -1)
        if api(
            service, "/try", kind="move_call", account_id=row["account_id"], rep_id=row["rep_id"],
            begin_min=at,
        ).status_code == 200
    )  # fmt: skip
    ask(f"{begin // 60:02d}:{begin % 60:02d}")
    expect(answer).to_contain_text("It fits")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator(f'.call[data-account="{row["account_id"]}"]')).to_have_class(re.compile("pinned"))
    page.get_by_role("button", name="Publish the day").click()
    expect(page.get_by_role("status").filter(has_text="on the desk")).to_be_visible()
    with service.desk.database.connect() as connection:
        task = rows(
            connection,
            "select start_at at time zone 'Europe/Madrid' as at from dealwright.task "
            "where account_id = %s and channel = 'outbound_cc' and status = 'planned'",
            row["account_id"],
        )[0]
    assert minute(task["at"]) == begin
    assert opened.complaints == []
    page.context.close()


def test_who_is_ill_in_the_contact_centre_is_said_without_scripts_and_the_rest_is_planned_again(
    browser: Browser, service: Serving
) -> None:
    opened = open_day(browser, service)
    page = opened.page
    centre = page.locator("section", has=page.get_by_role("heading", name="Contact centre", exact=True))
    again = centre.get_by_role("button", name="Plan the rest again")
    expect(again).to_be_disabled()
    calls = table(service, "calls").filter(pl.col("start_at").dt.date() == day_of(service))
    rep, account = calls.sort("start_at").select("rep_id", "account_id").row(0)
    ill = next(name for name in table(service, "shifts")["rep_id"] if name != rep)
    form = centre.locator("form", has=page.get_by_role("button", name="Is ill"))
    form.locator("select").select_option(ill)
    form.get_by_label("From").fill("11:00")
    form.get_by_role("button").click()
    expect(page.locator("#answer")).to_contain_text("It fits")
    page.get_by_role("button", name="Keep it").click()
    form = centre.locator("form", has=page.get_by_role("button", name="Takes longer"))
    form.locator("select").select_option(account)
    form.get_by_label("Minutes").fill("20")
    form.get_by_role("button").click()
    page.get_by_role("button", name="Keep it").click()
    before = api(service).json()["centre"]
    form = centre.locator("form", has=page.get_by_role("button", name="Plan the rest again"))
    form.get_by_label("Calls before this stand").fill("11:00")
    form.get_by_label("Shifts may change").check()
    again.click()
    expect(page.get_by_role("status").filter(has_text="planned again")).to_be_visible(timeout=60_000)
    after = api(service).json()["centre"]
    assert after["absent"] == {ill: 660}
    eleven = f"{day_of(service)}T11:00:00"
    assert [row for row in after["calls"] if row["start_at"] < eleven] == [
        row for row in before["calls"] if row["start_at"] < eleven
    ]
    assert all(row["start_at"] < eleven for row in after["calls"] if row["rep_id"] == ill)
    longer = next(row for row in after["calls"] if row["account_id"] == account)
    assert (longer["rep_id"], account in after["pinned"]) == (rep, True)
    assert after["figures"]["short_min"] <= before["figures"]["short_min"]
    counted = f"{len(after['moved'])} call"
    if after["moved"] or after["lost"]:
        expect(centre).to_contain_text(counted)
    expect(agent_line(page, ill).locator(".gone")).to_have_count(1)
    assert api(service).json()["deeds"][-1]["change"]["kind"] == "centre_replan"
    # as a program does it, without shifts; and nothing without a change there
    seen = api(service, "/undo", seen=api(service).json()["seen"]).json()["seen"]
    assert api(service).json()["centre"] == before
    told = api(service, "/replan", seen=seen, part="centre", from_min=660).json()["centre"]
    assert told["figures"]["paid_h"] == before["figures"]["paid_h"]
    assert opened.complaints == []
    page.context.close()


def test_a_day_that_is_published_cancels_what_calendars_were_told_and_an_undone_one_tells_it_again(
    service: Serving,
) -> None:
    rep, day = table(service, "visits")["rep_id"].mode()[0], day_of(service)
    planned = table(service, "visits").filter(pl.col("rep_id") == rep)
    files = {
        kind: folder_of(service) / place / f"{rep}-{day}{end}"
        for kind, place, end in (
            ("told", "calendars", ".ics"), ("gone", "calendars", "-cancelled.ics"), ("page", "days", ".html"),
        )
    }  # fmt: skip
    before = files["page"].read_text("utf-8")
    planned_pages = {
        name: NOTE.sub("", (folder_of(service) / name).read_text("utf-8"))
        for name in ("report.html", "accounts.html", "contact-centre.html", f"maps/{rep}-{day}.html",
                     "maps/routes.html", f"briefs/{rep}-{day}.html")
    }  # fmt: skip
    seen = api(service, "/changes", kind="absent", rep_id=rep, from_min=0, seen=api(service).json()["seen"])
    assert api(service, "/publish", seen=seen.json()["seen"]).status_code == 200
    assert files["gone"].read_text("utf-8").count("BEGIN:VEVENT") == planned.height
    assert all(name not in files["page"].read_text("utf-8") for name in planned["account_id"])
    # what stays as it was planned says so, when the day was changed, and leads to how it is now
    record = service.desk.day_changes.of(1, day)
    moment = next(deed.made_at for deed in record.deeds if deed.counts).astimezone(ZoneInfo("Europe/Madrid"))
    for name, text in planned_pages.items():
        now = (folder_of(service) / name).read_text("utf-8")
        note = now.partition("<!--changed-->")[2].partition("<!--/changed-->")[0]
        assert f"was changed by hand on {format_of('en').moment(moment)}." in note
        assert f'href="{"../" if "/" in name else ""}days/{rep}-{day}.html"' in note
        assert NOTE.sub("", now) == text
    told = (folder_of(service) / "report.html").read_text("utf-8")
    write_report(folder_of(service))
    assert (folder_of(service) / "report.html").read_text("utf-8") == told
    undone = api(service, "/undo", seen=api(service).json()["seen"]).json()
    assert api(service, "/publish", seen=undone["seen"]).status_code == 200
    assert files["told"].read_text("utf-8").count("STATUS:CONFIRMED") == planned.height
    assert "SEQUENCE:2" in files["told"].read_text("utf-8")
    assert not files["gone"].exists()
    assert files["page"].read_text("utf-8") == before
    for name, text in planned_pages.items():
        now = (folder_of(service) / name).read_text("utf-8")
        assert NOTE.sub("", now) == text
        assert "<!--changed--><!--/changed-->" in now


def test_two_people_at_once_do_not_overwrite_each_other(browser: Browser, service: Serving) -> None:
    first, second = open_day(browser, service), open_day(browser, service, role="manager")
    account = table(service, "visits")["account_id"][0]
    for number, opened in enumerate((first, second)):
        page = opened.page
        form = page.locator("form", has=page.get_by_role("button", name="Is cancelled"))
        form.locator("select").select_option(account)
        form.get_by_role("button", name="Pin who", exact=True).click()
        expect(page.locator("#answer")).to_contain_text("It fits")
        if number:
            first.page.get_by_role("button", name="Keep it").click()
            expect(first.page.get_by_role("status").filter(has_text="is kept")).to_be_visible()
    second.page.get_by_role("button", name="Keep it").click()
    expect(second.page.locator("main")).to_contain_text("has changed this day meanwhile")
    for opened in (first, second):
        opened.page.context.close()


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_fits_and_is_light(
    browser: Browser, service: Serving, size: tuple[int, int], scheme: str
) -> None:
    rep = table(service, "visits")["rep_id"].mode()[0]
    api(service, "/changes", kind="absent", rep_id=rep, from_min=720, seen=api(service).json()["seen"])
    opened = open_day(browser, service, size, scheme)
    opened.require_accessible()
    opened.require_no_sideways_scrolling()
    text = opened.page.content()
    assert len(text) < 450_000
    assert "CHF" in text  # the run's currency, not the desk's
    assert "€" not in text
    assert opened.complaints == []
    opened.page.context.close()


def test_what_cannot_be_used_is_said_and_nothing_is_changed(service: Serving) -> None:
    before = api(service).json()["seen"]
    nobody = api(service, "/try", kind="move", account_id="nobody", rep_id="R001")
    assert (nobody.status_code, "no account 'nobody'" in nobody.json()["detail"]) == (404, True)
    assert api(service, "/try", kind="move", account_id="A").status_code == 422
    assert api(service, "/try", kind="replan").status_code == 422
    stale = api(service, "/changes", kind="absent", rep_id="R001", seen=before + 1)
    assert (stale.status_code, "meanwhile" in stale.json()["detail"] or stale.json()["detail"]) == (409, True)
    assert api(service).json()["seen"] == before
    with service.client("planner") as client:
        assert client.get("/api/v1/runs/1/day/2001-01-01").status_code == 404
        assert client.get("/nights/1/day/yesterday.json").status_code == 422
    with service.client("A1") as client:
        assert client.get(f"/api/v1/runs/1/day/{day_of(service)}").status_code == 403
    with service.client("manager") as client:
        place = f"/api/v1/runs/1/day/{day_of(service)}/publish"
        assert client.post(place, json={"seen": before}).status_code == 403
