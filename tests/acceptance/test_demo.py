"""The demo: one command from nothing to settled bookings and a plan, leaving the user's own desk alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Command

from dealwright.cli import demo, plan_demo


@pytest.mark.slow
def test_demo(dealwright: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "_ASSIGNMENTS", 600)
    monkeypatch.setattr(plan_demo, "_ACCOUNTS", 250)
    answer = dealwright("demo", "--home", tmp_path / "home")
    for words in (
        "600 new assignments",
        "policy value",
        "policy workload",
        "50 assigned",
        "8 bookings are settled",
        "open assignments, before and after",
        "comes out the same",
        "accounts get an action",
        "Before you act",
        "demo-output/desk/summary.html",
    ):
        assert words in " ".join(answer.out.split()), words
    assert Path("demo-output/desk/agents_with_intervals.svg").stat().st_size > 5_000
    assert Path("demo-output/plan/accounts.parquet").is_file()
    assert "<h1>" in Path("demo-output/plan/report.html").read_text(encoding="utf-8")
    assert Path("demo-output/plan/maps/routes.html").is_file()
    assert not (tmp_path / "home" / "demo").exists()
    # the user's own desk is as empty as before
    assert dealwright("init", "--json").json["agents"] == 0
