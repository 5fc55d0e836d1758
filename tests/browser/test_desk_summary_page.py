"""The summary of a training in a real browser: on a desk, on a phone and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, Open
from playwright.sync_api import Browser

from dealwright.learn import LearnParams, build_outcomes, train
from dealwright.report.desk_summary import write_desk_report
from dealwright.simulation.astra import AstraParams, generate_astra


@pytest.fixture(scope="module")
def summary(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = generate_astra(AstraParams(30, 450, effects="none", seed=5))
    outcomes = build_outcomes(world.history())
    params = LearnParams(permutations=100, bootstrap=10)
    result = train(outcomes.frame, outcomes.traits, world.truth.dimensions, params)
    names = {agent: f"<b>{name}</b> $x$" for agent, name in outcomes.agents.select("agent_id", "name").rows()}
    folder = tmp_path_factory.mktemp("desk")
    write_desk_report(result, names, folder)
    return folder / "summary.html"


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_summary_is_complete_without_a_network(summary: Path, visit: Open, size: tuple[int, int]) -> None:
    opened = visit(summary, size)
    opened.require_quiet()
    opened.require_no_sideways_scrolling()
    # the pictures are part of the page, and none is wider than the window
    widths = opened.page.eval_on_selector_all(
        "svg", "all => all.map(one => one.getBoundingClientRect().width)"
    )
    assert len(widths) >= 3
    assert all(200 < width <= size[0] for width in widths)
    assert opened.page.locator("table tr").count() > 2


def test_the_summary_prints(summary: Path, visit: Open) -> None:
    page = visit(summary, (688, 1000)).page
    paper = page.pdf(prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 4
    page.emulate_media(media="print")
    widths = page.eval_on_selector_all(
        "table, svg", "all => all.map(one => one.getBoundingClientRect().right)"
    )
    assert max(widths) <= 689
