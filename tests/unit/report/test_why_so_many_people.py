"""The report says what holds the number of people in the contact centre up."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl

from dealwright.report.plan_report import render_report
from dealwright.runs.reading import read_run
from dealwright.schemas import HEADCOUNT_COLUMNS, SHIFT_COLUMNS


def test_each_line_has_its_figures(tmp_path: Path) -> None:
    accounts = {
        "account_id": ["A"], "segment": ["Grow"], "churn_probability": [0.1], "predicted_value_eur": [10.0],
        "expected_value_eur": [1.0], "action": ["nothing"], "channel": [None], "cost_eur": [0.0],
        "is_anomaly": [False], "anomaly_score": [0.1], "anomaly_reasons": [[]],
    }  # fmt: skip
    names = ("segment", "churn", "recency", "potential", "digital_engagement", "support_friction")
    scores = {f"nba_{name}": [0.1] for name in names}
    pl.DataFrame(
        accounts | scores, schema_overrides={"channel": pl.String, "anomaly_reasons": pl.List(pl.String)}
    ).write_parquet(tmp_path / "accounts.parquet")
    (tmp_path / "kpis.json").write_text(json.dumps({"kpis": []}))
    (tmp_path / "params.toml").write_text("[run]\nas_of = 2026-06-30T00:00:00\nseed = 3\n")
    (tmp_path / "trace.jsonl").write_text("")
    shift = {"rep_id": "agent 001", "rep_name": "agent 001", "pattern": "full", "paid_min": 480}
    pl.DataFrame([shift], schema=SHIFT_COLUMNS).with_columns(
        day=pl.date(2026, 7, 1), start_at=pl.datetime(2026, 7, 1, 9), end_at=pl.datetime(2026, 7, 1, 17)
    ).write_parquet(tmp_path / "shifts.parquet")
    rows = [
        ("as planned", None, 13, 102.0, 0, 0.0, 0, 0.0, 0.8614),
        ("one person fewer", None, 12, 96.0, 1, 6.0, 25, 5.5, 0.8512),
        ("answering level", "outbound_cc", 11, 90.5, 2, 11.5, 0, 0.0, None),
    ]
    pl.DataFrame(rows, schema=HEADCOUNT_COLUMNS, orient="row").write_parquet(tmp_path / "headcount.parquet")
    page = render_report(read_run(tmp_path))
    table = page[page.index('id="headcount-table"') :]
    lines = [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", line)]
        for line in re.findall(r"<tr>(<td.*?)</tr>", table)[:3]
    ]
    assert lines[0] == ["as planned", "–", "13", "102.0", "0.0", "0", "0.0", "86%"]
    assert lines[1] == ["one person fewer", "–", "12", "96.0", "6.0", "25", "5.5", "85%"]
    assert lines[2] == ["without: answering level", "call", "11", "90.5", "11.5", "0", "0.0", "not known"]
