"""The report: one file without a network, from the files of a run alone, with nothing unescaped."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from dealwright.cli.main import main
from dealwright.errors import InputError
from dealwright.report.plan_report import render_report, write_report


@pytest.fixture
def run(tmp_path: Path) -> Path:
    names = ("segment", "churn", "recency", "potential", "digital_engagement", "support_friction")
    pl.DataFrame(
        {
            "account_id": ["A", "<b>B</b>"],
            "segment": ["Grow", "<i>x</i>"],
            "churn_probability": [0.1, None],
            "predicted_value_eur": [10.0, 20.0],
            "expected_value_eur": [1.0, 2.0],
            "action": ["visit", "nothing"],
            "channel": ["field", None],
            "is_anomaly": [False, True],
            "anomaly_score": [0.1, 0.9],
            "anomaly_reasons": [[], ["spend is <odd>"]],
            **{f"nba_{name}": [0.1, -0.2] for name in names},
        }
    ).write_parquet(tmp_path / "accounts.parquet")
    kpis = [
        {"name": "churn_auc", "value": 0.61, "at_least": 0.7, "at_most": None, "status": "missed"},
        {"name": "value_gini", "value": None, "at_least": 0.5, "at_most": None, "status": "unknown"},
    ]
    (tmp_path / "kpis.json").write_text(json.dumps({"kpis": kpis}))
    (tmp_path / "params.toml").write_text("[run]\nas_of = 2026-06-30T00:00:00\nseed = 3\n")
    (tmp_path / "trace.jsonl").write_text(
        json.dumps({"stage": "predict", "summary": {"churn_fallback": "too few rows"}}) + "\n"
    )
    return tmp_path


def test_a_run_without_representatives_has_a_report(run: Path) -> None:
    page = render_report(run)
    assert page.lstrip().startswith("<!doctype html>")
    assert "Missed: churn ranking (AUC)" in page
    assert "0.610" in page
    assert "too few rows" in page
    assert "&lt;b&gt;B&lt;/b&gt;" in page
    assert "<b>B</b>" not in page
    assert "<i>x</i>" not in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert page == render_report(run)


def test_tables_and_figures_are_shown_where_they_are(run: Path) -> None:
    channels = {
        "channel": ["field", "ecom_self"], "demand": [10, 5], "capacity": [4, None], "scheduled": [4, 5],
        "backlog": [6, 0], "sla_min": [60.0, None], "sla_met": [False, None], "price_eur": [192.0, 0.0],
    }  # fmt: skip
    pl.DataFrame(channels).write_parquet(run / "channels.parquet")
    levels = {
        "day": [datetime(2026, 7, 1).date()] * 2,
        "channel": ["inbound_cc"] * 2,
        "start_at": [datetime(2026, 7, 1, 9), datetime(2026, 7, 1, 9, 15)],
        "service_level": [0.8, 0.9],
    }
    pl.DataFrame(levels).write_parquet(run / "service_levels.parquet")
    before = render_report(run)
    assert "192.00" in before
    assert before.count("<svg") >= 2
    assert write_report(run).read_text() == before == render_report(run)


@pytest.mark.parametrize("missing", ["accounts.parquet", "kpis.json", "params.toml", "trace.jsonl"])
def test_a_folder_that_is_no_run_is_refused(run: Path, missing: str) -> None:
    (run / missing).unlink()
    with pytest.raises(InputError, match=re.escape(missing)):
        write_report(run)
    assert not (run / "report.html").exists()


def test_the_command_renders_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["report", str(run), "--json"])
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(run / "report.html")
    with pytest.raises(SystemExit) as left:
        main(["report", str(run / "nowhere")])
    assert left.value.code == 2
