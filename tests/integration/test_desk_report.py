"""The desk's pictures and summary, for thirty agents, a thousand, and next to no data."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dealwright.learn import LearnParams, TrainResult, build_outcomes, train
from dealwright.report.desk_figures import agents_by_record, agents_picture, tell_apart
from dealwright.report.desk_summary import what_to_do, write_desk_report
from dealwright.simulation.astra import AstraParams, generate_astra

SVG = "{http://www.w3.org/2000/svg}"


def result_of(params: AstraParams) -> tuple[TrainResult, dict[int, str]]:
    world = generate_astra(params)
    outcomes = build_outcomes(world.history())
    result = train(
        outcomes.frame, outcomes.traits, world.truth.dimensions, LearnParams(permutations=199, bootstrap=20)
    )
    return result, dict(outcomes.agents.select("agent_id", "name").iter_rows())


@pytest.mark.parametrize(
    ("agents", "assignments", "effects"),
    [(30, 450, "none"), (1000, 6000, "strong"), (3, 12, "none"), (1, 5, "none")],
)
def test_pictures_and_summary(tmp_path: Path, agents: int, assignments: int, effects: str) -> None:
    result, names = result_of(AstraParams(agents, assignments, effects=effects, seed=5))  # type: ignore[arg-type]
    paths = write_desk_report(result, names, tmp_path / "out")
    assert [path.name for path in paths] == [
        "agents_with_intervals.svg",
        "feature_importance.svg",
        "calibration.svg",
        "summary.md",
        "summary.html",
    ]
    for path in paths[:3]:
        picture = ET.fromstring(path.read_text())
        assert picture.get("viewBox", "").startswith("0 0 420 ")  # no wider than a phone: legible there
        assert picture.get("font-size") == "12.5"
    page = paths[4].read_text()
    assert result.evidence.text.split("(")[0] in page
    assert page.count('class="picture"') == 3
    assert not re.findall(r'(?:src|href)="(?!#)', page)  # one file, nothing fetched
    assert page.index("What to do") < page.index("What was found")
    text = paths[3].read_text()
    assert "![" in text
    assert text.index("What to do") < text.index(result.evidence.text)


def test_what_to_do_follows_from_the_verdict() -> None:
    differ, _ = result_of(AstraParams(12, 6000, effects="strong", seed=5))
    assert differ.evidence.agents_differ
    assert "train --promote" in what_to_do(differ)[0]
    alike, _ = result_of(AstraParams(30, 450, effects="none", seed=6))
    assert "fair" in what_to_do(alike)[0]
    missing = (alike.evidence.needed_outcomes or 0) - alike.evidence.outcomes
    assert any(f"{missing:,} outcomes more" in line for line in what_to_do(alike))


def test_two_people_of_one_name_are_told_apart() -> None:
    assert tell_apart({1: "Ada King", 2: "Ada King", 3: "Bo"}) == {
        1: "Ada King (1)", 2: "Ada King (2)", 3: "Bo",
    }  # fmt: skip


def test_an_interval_is_drawn_where_it_lies() -> None:
    """The bar of an agent reaches from its low to its high on the axis from 0 to 100 %."""
    result, names = result_of(AstraParams(5, 400, effects="strong", seed=1))
    first = agents_by_record(result).row(0, named=True)
    picture = ET.fromstring(str(agents_picture(result, names)))
    bar = next(path for path in picture.iter(f"{SVG}path") if path.get("stroke-width") == "3")
    left, right = (float(point.split()[0]) for point in bar.get("d", "")[1:].split("L"))
    axis = {
        float((text.text or "").rstrip("%")) / 100: float(text.get("x", "nan"))
        for text in picture.iter(f"{SVG}text")
        if text.get("text-anchor") == "middle"
    }
    one, other = min(axis), max(axis)
    unit = (axis[other] - axis[one]) / (other - one)
    assert left == pytest.approx(axis[one] + unit * (first["low"] - one), abs=0.6)
    assert right == pytest.approx(axis[one] + unit * (first["high"] - one), abs=0.6)


def test_the_same_numbers_give_the_same_pictures(tmp_path: Path) -> None:
    result, names = result_of(AstraParams(5, 100, seed=1))
    first, second = (write_desk_report(result, names, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_names_are_escaped(tmp_path: Path) -> None:
    result, names = result_of(AstraParams(5, 100, seed=1))
    page = write_desk_report(result, dict.fromkeys(names, "<b>& Co"), tmp_path)[-1].read_text()
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp; Co (1)" in page
