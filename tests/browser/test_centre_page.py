"""The contact centre's page in a real browser: legible on a phone, for everybody, and leading on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from browsing import DESKTOP, PHONE, Open, violations


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_contact_centre_serves_everybody(
    run_folder: Path, visit: Open, size: tuple[int, int], scheme: Any
) -> None:
    opened = visit(run_folder / "contact-centre.html", size)
    page = opened.page
    page.emulate_media(color_scheme=scheme)
    opened.require_quiet()
    opened.require_no_sideways_scrolling()
    assert violations(page) == []
    # figures in a picture are as large as they are drawn for: no text of a chart below eight pixels
    sizes = page.locator("svg.chart text").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(sizes) > 8


def test_the_contact_centre_shows_the_roster_and_leads_to_everybodys_day(
    run_folder: Path, visit: Open
) -> None:
    shifts = pl.read_parquet(run_folder / "shifts.parquet")
    levels = pl.read_parquet(run_folder / "service_levels.parquet")
    page = visit(run_folder / "contact-centre.html").page
    assert page.locator(".roster .who").count() == shifts.height
    assert page.locator(".channel").count() == levels["channel"].n_unique()  # all of them
    assert page.locator(".roster .break").count() == shifts["breaks"].list.len().sum()
    bar, shift = page.locator(".bar-line").first.bounding_box(), page.locator(".shift").first.bounding_box()
    assert bar is not None
    assert shift is not None
    assert bar["x"] - 1 <= shift["x"] <= shift["x"] + shift["width"] <= bar["x"] + bar["width"] + 1
    page.locator(".roster .who a").first.click()
    assert "/days/" in page.url
    page.get_by_role("link", name="Report").click()
    assert page.url.endswith("report.html")
