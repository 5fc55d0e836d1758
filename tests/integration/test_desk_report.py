"""The desk's pictures and summary, for thirty agents, a thousand, and next to no data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dealwright.learn import LearnParams, TrainResult, build_outcomes, train
from dealwright.report.desk_summary import write_desk_report
from dealwright.world.astra import AstraParams, generate_astra


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
        "feature_importance.png",
        "calibration.png",
        "agents_with_intervals.png",
        "summary.md",
        "summary.html",
    ]
    for path in paths[:3]:
        header = path.read_bytes()[:24]
        assert header.startswith(b"\x89PNG")
        width, height = (int.from_bytes(header[start : start + 4], "big") for start in (16, 20))
        assert 600 < width < 2000
        assert 300 < height < 2500
    page = paths[4].read_text()
    assert result.evidence.text.split("(")[0] in page
    assert len(re.findall(r'src="data:image/png;base64,', page)) == 3
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # one file, nothing fetched
    assert "![" in paths[3].read_text()


def test_the_same_numbers_give_the_same_pictures(tmp_path: Path) -> None:
    result, names = result_of(AstraParams(5, 100, seed=1))
    first, second = (write_desk_report(result, names, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_names_are_escaped(tmp_path: Path) -> None:
    result, names = result_of(AstraParams(5, 100, seed=1))
    paths = write_desk_report(result, dict.fromkeys(names, "<b>$\\frac$ & Co"), tmp_path)
    assert paths[2].stat().st_size > 1000
