"""The notebooks in examples/ run from first cell to last, and show what they are there to show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from notebooks import code_cells, read_notebook, run_notebook

from dealwright.desk.server import stop_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _html(outputs: list[list[dict[str, Any]]]) -> str:
    return "".join(
        "".join(output["data"].get("text/html", []))
        for cell in outputs
        for output in cell
        if "data" in output
    )


def test_the_floor_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    try:
        html = _html(run_notebook(EXAMPLES / "floor.ipynb"))
    finally:
        for running in tmp_path.rglob("postmaster.pid"):
            stop_server(running.parents[1])
    assert "Agents differ beyond chance" in html
    assert re.search(r"comes first of 5 under the policy value, match score \d+\.\d", html)
    assert re.search(r"booking \d+ is confirmed with 150,000\.00", html)
    assert "nobody waits" in html


def test_the_night_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    html = _html(run_notebook(EXAMPLES / "night.ipynb"))
    assert html.count("<polyline") >= 6  # a day and a territory of each representative
    assert html.count("<circle") > 350
    for title in ("Predictions", "Segments", "Actions", "Territories", "Routes"):
        assert f"<b>{title}</b>" in html


@pytest.mark.parametrize("name", ["floor.ipynb", "night.ipynb"])
def test_a_notebook_is_committed_with_its_outputs_and_without_traces(name: str) -> None:
    path = EXAMPLES / name
    notebook = read_notebook(path)
    assert notebook["nbformat"] == 4
    assert any(cell["outputs"] for cell in code_cells(notebook))
    assert all(cell["execution_count"] is None for cell in code_cells(notebook))
    assert not re.search(r"/(?:tmp|home|root)/", json.dumps(notebook))
