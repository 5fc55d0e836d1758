"""The report in a real browser: complete without a network, on a desk, on a phone and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from browsing import DESKTOP, PHONE, Open

SECTIONS = (
    "In short", "Key figures against targets", "Segments", "Next best actions", "Channels",
    "What stands in the way", "Territories",
    "Routes on Wednesday 1 July 2026", "Contact centre", "Anomalies", "Data quality",
)  # fmt: skip
A4_INSIDE_PX = 695  # 210 mm less margins of 13 mm, at 96 pixels an inch


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_report_is_complete_without_a_network(
    run_folder: Path, visit: Open, size: tuple[int, int]
) -> None:
    opened = visit(run_folder / "report.html", size)
    opened.require_quiet()
    opened.require_no_sideways_scrolling()
    assert tuple(opened.texts("h2")) == SECTIONS
    # every section says something, and none is cut by the window
    for text in opened.texts("section"):
        assert len(text.splitlines()) > 1, text
    right = opened.page.evaluate(
        "Math.max(...[...document.querySelectorAll('section, h1, h2, h3, p, .bars, .tiles')]"
        ".map(part => part.getBoundingClientRect().right))"
    )
    assert right <= size[0]
    visits = pl.read_parquet(run_folder / "visits.parquet")
    tiles = dict(zip(opened.texts(".tiles span"), opened.texts(".tiles b"), strict=True))
    assert tiles["visits by representatives"] == str(visits.height)


def test_every_link_leads_somewhere(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "report.html").page
    links = page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))")
    assert len([link for link in links if link.startswith("maps/")]) == 2 + 4  # one a representative
    for link in links:
        if link.startswith("#"):
            assert page.locator(link).count() == 1, link
        else:
            assert (run_folder / link).is_file(), link


def test_what_the_data_say_is_text_and_never_runs(run_folder: Path, visit: Open) -> None:
    opened = visit(run_folder / "report.html")
    assert opened.page.locator("img, u:not(.bars u), main script").count() == 0
    waiting = pl.read_parquet(run_folder / "accounts.parquet").filter("is_anomaly")["account_id"]
    assert waiting.str.starts_with("<u>").all()
    shown = opened.page.locator("#odd td:first-child").first.inner_text()
    assert shown in waiting.to_list()
    opened.require_quiet()


def test_text_can_be_read_against_its_ground(run_folder: Path, visit: Open) -> None:
    # WCAG 2.2: a contrast of at least 4.5, for every text, whatever it stands on
    worst = visit(run_folder / "report.html").page.evaluate(
        """() => {
            const parse = text => text.match(/[\\d.]+/g).map(Number);
            const shine = ([r, g, b]) => [r, g, b].map(v => v / 255)
                .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
            let worst = [99, ""];
            for (const part of document.querySelectorAll("main *:not(svg *)")) {
                if (![...part.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
                let ground = part, back;
                while (ground && (back = parse(getComputedStyle(ground).backgroundColor))[3] === 0)
                    ground = ground.parentElement;
                const a = shine(parse(getComputedStyle(part).color));
                const b = shine(ground ? back : [255, 255, 255]);
                const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                if (contrast < worst[0]) worst = [contrast, part.textContent.slice(0, 40)];
            }
            return worst;
        }"""
    )
    assert worst[0] >= 4.5, worst


def test_on_paper_nothing_is_cut_and_nothing_to_click_on_is_left(run_folder: Path, visit: Open) -> None:
    page = visit(run_folder / "report.html", (A4_INSIDE_PX, 1000)).page
    paper = page.pdf(prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert 5 <= pages <= 12
    assert len(paper) > 20_000
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator(".links:visible").count() == 0
    widths = page.eval_on_selector_all(
        "table, svg, .bars, .tiles", "parts => parts.map(part => part.getBoundingClientRect().right)"
    )
    assert len(widths) > 10
    assert max(widths) <= A4_INSIDE_PX + 1
    # what scrolls on the screen must not hide anything on paper
    hidden = page.eval_on_selector_all(
        ".scroll", "parts => parts.filter(part => part.scrollWidth > part.clientWidth + 1).length"
    )
    assert hidden == 0
    # a heading never stands alone at the foot of a page
    assert page.eval_on_selector_all(
        "h2, h3", "all => all.every(h => getComputedStyle(h).breakAfter === 'avoid')"
    )


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
