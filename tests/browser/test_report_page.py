"""The report in a real browser: it adds up, and every headline leads to its reasons and back."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pytest
from browsing import DESKTOP, PHONE, Open, Opened
from playwright.sync_api import Page

from dealwright.report.people import people_of, people_table
from dealwright.report.plan_report import render_report
from dealwright.runs.reading import read_run

SECTIONS = [
    "What holds the day back", "Before you act", "Since the last run", "Actions", "Segments", "Channels",
    "Territories", "Routes", "Contact centre", "Unusual accounts", "Data quality", "Key figures",
]  # fmt: skip
A4_INSIDE_PX = 695  # 210 mm less margins of 13 mm, at 96 pixels an inch
# what a person would add up: every figure of a column that has a total, as it is written
SUMS = """() => [...document.querySelectorAll('table')].filter(table => table.tFoot).flatMap(table => {
    const figure = cell => Number(cell.textContent.replace(/[^0-9.-]/g, ''));
    return [...table.tFoot.rows[0].cells].flatMap((total, place) => {
        if (total.dataset.sum === undefined || total.dataset.sum === '') return [];
        const rows = [...table.tBodies].flatMap(body => [...body.rows]).map(row => row.cells[place]);
        const shown = rows.filter(cell => cell.dataset.v !== '').map(figure);
        return [[table.id, place, shown.reduce((sum, value) => sum + value, 0), figure(total)]];
    });
})"""


def follow(page: Page, selector: str) -> None:
    page.locator(selector).first.click()
    page.wait_for_timeout(150)


def settled(opened: Opened) -> None:
    """Wait until the accounts are there."""
    opened.page.wait_for_selector("#rows table, #card h1, #rows .empty")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_report_is_whole_readable_and_accessible(
    run_folder: Path, visit: Open, size: tuple[int, int], scheme: str
) -> None:
    opened = visit(run_folder / "report.html", size, scheme=scheme)
    opened.require_quiet()
    opened.require_no_sideways_scrolling()
    assert opened.texts("h2") == SECTIONS
    assert opened.texts("h1")[0].startswith("Wednesday, 1 July 2026")
    opened.require_accessible()


def test_every_total_is_the_sum_of_what_is_shown(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "report.html").page
    sums = page.evaluate(SUMS)
    assert len(sums) > 20
    assert [item for item in sums if item[2] != item[3]] == []
    # and the headlines are totals
    for fact in page.locator(".fact[data-of]").all():
        table, column = str(fact.get_attribute("data-of")).split(":")
        place = {"scheduled_eur": 5, "waiting_eur": 6}[column]
        total = page.locator(f"#{table} tfoot td").nth(place).text_content()
        assert fact.locator("b").inner_text() == total


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_headline_leads_to_accounts_to_a_reason_and_back(
    run_folder: Path, visit: Open, size: tuple[int, int]
) -> None:
    opened = visit(run_folder / "report.html", size)
    page = opened.page
    follow(page, ".fact[href='#actions']")
    top = page.locator("#actions").bounding_box()
    assert top is not None
    assert top["y"] < size[1]
    cell = page.locator("#actions-table tbody tr").first.locator("a").nth(1)
    promised = int(cell.inner_text().replace(",", ""))
    cell.click()
    settled(opened)
    assert page.locator("#count").get_attribute("data-rows") == str(promised)
    assert page.evaluate("document.title").startswith("Accounts")
    follow(page, "#rows a.account")
    page.wait_for_selector("#card h1")
    assert "Expected gain" in page.locator("#card").inner_text()
    page.go_back()
    page.wait_for_selector("#rows table")
    assert page.locator("#count").get_attribute("data-rows") == str(promised)
    page.go_back()
    page.wait_for_selector("#actions-table")
    opened.require_quiet()


def test_the_walk_needs_no_mouse(run_folder: Path, visit: Open) -> None:
    opened = visit(run_folder / "report.html")
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "fact"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#actions"
    page.keyboard.press("/")
    page.goto((run_folder / "accounts.html").as_uri())
    settled(opened)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    wanted = pl.read_parquet(run_folder / "accounts.parquet")["account_id"][7]
    page.keyboard.type(wanted)
    page.wait_for_function("document.getElementById('count').dataset.rows === '1'")
    page.keyboard.press("Enter")
    page.wait_for_selector("#card h1")
    assert wanted in page.locator("#card").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("#rows table")


def test_tables_are_sorted_and_filtered(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "report.html").page
    table = page.locator("#left-out-table")
    table.locator("th button", has_text="Worth").click()
    figures = [
        float(text.strip("€").replace(",", "")) for text in table.locator("td:nth-child(2)").all_inner_texts()
    ]
    assert figures == sorted(figures, reverse=True)
    assert table.locator("th[aria-sort=descending]").inner_text() == "Worth"
    table.locator("th button", has_text="Worth").click()
    assert [
        float(text.strip("€").replace(",", "")) for text in table.locator("td:nth-child(2)").all_inner_texts()
    ] == sorted(figures)


def test_long_tables_are_filtered(run_folder: Path, visit: Open, tmp_path: Path) -> None:
    run = read_run(run_folder)
    shifts = run.tables["shifts"].head(1)
    staff = pl.DataFrame({"rep_id": [f"agent {k:03}" for k in range(12)]})
    many = pl.concat([shifts.with_columns(rep_id=pl.lit(name)) for name in staff["rep_id"]])
    busy = replace(run, tables={**run.tables, "shifts": many}, people=people_of(people_table(None, staff)))
    (tmp_path / "report.html").write_text(render_report(busy))
    page = visit(tmp_path / "report.html").page
    rows = page.locator("#shifts-table tbody tr")
    assert rows.count() == 12
    page.locator("#centre .tools input").fill("AGENT 007")
    assert page.locator("#shifts-table tbody tr:visible").count() == 1
    assert page.locator("#centre .tools [role=status]").inner_text() == "1 / 12"
    page.locator("#centre .tools input").fill("")
    assert page.locator("#shifts-table tbody tr:visible").count() == 12


def test_every_link_leads_somewhere(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "report.html").page
    links = page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))")
    accounts = set(pl.read_parquet(run_folder / "accounts.parquet")["account_id"])
    assert len([link for link in links if re.match(r"maps/R\d+", link)]) == 4  # one a representative
    assert any(link.startswith("accounts.html#?") for link in links)
    for link in links:
        file, _, anchor = link.partition("#")
        if not file:
            assert page.locator(f"[id='{anchor}']").count() == 1, link
            continue
        assert (run_folder / file).is_file(), link
        if file == "accounts.html" and anchor and not anchor.startswith("?"):
            assert unquote(anchor) in accounts


def test_what_the_data_say_is_text_and_never_runs(run_folder: Path, visit: Open) -> None:
    opened = visit(run_folder / "report.html")
    assert opened.page.locator("img, main script, main u:not(.channel-bar u)").count() == 0
    ids = pl.read_parquet(run_folder / "accounts.parquet")["account_id"]
    assert ids.str.starts_with("<u>").all()
    assert opened.page.locator("#left-out-table td:first-child small").first.inner_text() in ids.to_list()
    opened.require_quiet()


def test_light_and_dark_can_be_chosen_and_are_kept(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "report.html").page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("button.theme").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark


def test_on_paper_nothing_is_cut_and_nothing_to_click_on_is_left(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "report.html", (A4_INSIDE_PX, 1000), scheme="dark").page
    paper = page.pdf(prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert 5 <= pages <= 20
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".top, .contents, .tools").first.is_visible()
    hidden = page.eval_on_selector_all(
        ".scroll",
        "parts => parts.filter(part => part.scrollWidth > part.clientWidth + 1).map(part => part.innerText)",
    )
    assert hidden == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_briefs_open_without_a_network_and_show_names_as_they_are(
    run_folder: Path, visit: Open, size: tuple[int, int]
) -> None:
    path = min((run_folder / "briefs").glob("R*.html"))
    opened = visit(path, size)
    opened.require_quiet()
    opened.require_no_sideways_scrolling()
    assert "<script>alert(1)</script>" in opened.page.locator("h2").first.inner_text()
    assert "{{ 7 * 7 }}" in opened.page.locator("h2").first.inner_text()
    # the day at a glance leads to each brief
    links = opened.page.locator(".day a")
    assert links.count() == opened.page.locator("article").count() > 1
    links.last.click()
    top = opened.page.locator("article").last.bounding_box()
    assert top is not None
    assert top["y"] < size[1]
