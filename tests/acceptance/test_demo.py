"""The demo: one command from nothing to settled bookings and a plan, leaving the user's own desk alone."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

from dealwright.cli import demo, live_demo, plan_demo
from dealwright.desk.desk import Desk


@pytest.mark.slow
def test_demo(dealwright: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "_ASSIGNMENTS", 600)
    monkeypatch.setattr(plan_demo, "_ACCOUNTS", 250)
    shown: dict[str, Any] = {}

    def serve(place: Any, params: Any, *, ready: Any, extend: Any, **rest: Any) -> None:
        """Stand in for the service: look at the floor for as long as somebody might."""
        ready("http://127.0.0.1:1/api/v1")
        with Desk.open(home=place.home) as desk:
            before = desk.floor.facts(datetime.now().astimezone())["leads_10_min"]
            deadline = time.monotonic() + 30
            while desk.floor.facts(datetime.now().astimezone())["leads_10_min"] < before + 3:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            night = desk.nights.latest_done()
            assert night is not None
            assert (night.folder, night.options["world"]) == ("plan", "barcelona")
            assert (Path(place.night.runs) / night.folder / "report.html").is_file()
            shown["keys"] = [key["scopes"] for key in desk.keys.list()]

    monkeypatch.setattr(live_demo, "LEAD_EVERY_S", 0.2)
    monkeypatch.setattr("dealwright.service.server.serve", serve)
    monkeypatch.setattr("webbrowser.open", lambda address: shown.update(opened=address))
    answer = dealwright("demo", "--open", "--home", tmp_path / "home")
    assert shown == {"keys": [["admin"]], "opened": "http://127.0.0.1:1"}
    assert "sign in with the key dw_" in answer.out
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
