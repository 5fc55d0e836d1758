"""The page of a day in a real browser: on a phone with one thumb, in the dark, and on one sheet of paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from browsing import DESKTOP, PHONE, Open, violations

from dealwright.report.day_pages import DayTables, write_day_pages
from dealwright.schemas import BRIEF_COLUMNS, CALL_COLUMNS, SHIFT_COLUMNS, conform


def pages(run_folder: Path) -> list[Path]:
    """Return the page of a representative, and of an agent who has calls."""
    found = [
        path for path in sorted((run_folder / "days").glob("*.html")) if 'class="contact"' in path.read_text()
    ]
    return [found[0], next(path for path in found if not path.name.startswith("R0"))]


@pytest.fixture(scope="module")
def ten_visits(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a day of ten visits with all that may be said of each."""
    visits = pl.read_parquet(run_folder / "visits.parquet")
    days = pl.read_parquet(run_folder / "rep_days.parquet")
    first = visits.filter(rep_id="R001").row(0, named=True)
    longest = "Show what fits their interest in accessories; ask what they buy elsewhere and why they do so."
    rows = pl.DataFrame(
        [{**first, "stop": k + 1, "account_id": f"A{k}"} for k in range(10)], schema=visits.schema
    )
    rows = rows.with_columns(
        (pl.col(name) + pl.duration(minutes=40 * pl.int_range(10))).alias(name)
        for name in ("arrive_at", "start_at", "leave_at")
    )
    facts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(10)], "name": "Tallers Vidal i Fills 123",
            "address": "Avinguda Diagonal 123, 08018 Barcelona", "contact": "Maria Antònia Pons",
            "phone": "+34 000 123 456", "lat_deg": 41.4, "lon_deg": 2.1,
        }
    )  # fmt: skip
    lines = {"why": longest, "what": longest, "careful": longest, "more": [longest] * 6}
    told = pl.DataFrame([lines] * 10, schema={name: BRIEF_COLUMNS[name] for name in lines})
    briefs = conform(pl.concat([rows, told], how="horizontal"), BRIEF_COLUMNS)
    folder = tmp_path_factory.mktemp("day") / "days"
    write_day_pages(folder, DayTables(
        facts, rows, days.filter(rep_id="R001"), conform(None, CALL_COLUMNS), conform(None, SHIFT_COLUMNS),
        briefs, 45,
    ))  # fmt: skip
    (page,) = folder.iterdir()
    return page


def test_ten_visits_fill_at_most_five_screens_and_one_sheet(ten_visits: Path, visit: Open) -> None:
    opened = visit(ten_visits, PHONE)
    opened.require_quiet()
    opened.require_no_sideways_scrolling()
    page = opened.page
    assert page.locator(".contact").count() == 10
    assert page.evaluate("document.documentElement.scrollHeight / innerHeight") <= 5
    paper = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    page.emulate_media(media="print")
    assert page.get_by_text("Maria Antònia Pons").first.is_visible()
    assert not page.locator(".act").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_days_serve_everybody(run_folder: Path, visit: Open, size: tuple[int, int], scheme: Any) -> None:
    for path in pages(run_folder):
        opened = visit(path, size)
        page = opened.page
        page.emulate_media(color_scheme=scheme)
        opened.require_quiet()
        opened.require_no_sideways_scrolling()
        page.locator("summary").first.click()
        assert violations(page) == []
        boxes = page.locator(".act a:visible, .act summary:visible, .ways a:visible").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().toJSON())"
        )
        assert boxes
        assert min(min(box["width"], box["height"]) for box in boxes) >= 44


def test_a_visit_can_be_called_navigated_to_and_read_up(run_folder: Path, visit: Open) -> None:
    visits = pl.read_parquet(run_folder / "visits.parquet").filter(rep_id="R001")
    page = visit(next((run_folder / "days").glob("R001-*.html")), PHONE).page
    times = page.locator(".contact > time").all_inner_texts()
    assert len(times) == visits.height
    assert all(int(time[-2:]) % 5 == 0 for time in times)
    # the browser of these tests is no telephone: it gets an address on the web instead of geo:
    link = page.get_by_role("link", name=re.compile("^Navigate")).first.get_attribute("href")
    assert link is not None
    assert link.startswith("https://www.openstreetmap.org/directions?route=%3B41.")
    page.locator("summary").first.click()
    card = page.get_by_role("link", name="Card of the account").first.get_attribute("href")
    assert card is not None
    assert card.startswith("../accounts.html#")
    page.get_by_role("link", name="Whole brief").first.click()
    assert page.url.split("#")[0].endswith("/briefs/R001-2026-07-01.html") or "/briefs/" in page.url
    assert page.locator(".brief").count() == visits.height


def test_nobody_is_told_of_models(run_folder: Path, visit: Open) -> None:
    for path in pages(run_folder):
        text = visit(path).page.locator("main").inner_text()
        assert not re.search(
            r"\bodds\b|prior|robust|propensity|\bAUC\b|model|_cc\b|_eur\b", text, re.IGNORECASE
        )
