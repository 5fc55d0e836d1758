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
from dealwright.plan.channels.capacity import FROM_ROUTES
from dealwright.report.plan_report import render_report
from dealwright.runs.output import write_report
from dealwright.runs.reading import read_run
from dealwright.schemas import LIMIT_COLUMNS, ONE_MORE_COLUMNS


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
            "cost_eur": [45.0, 0.0],
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
    page = render_report(read_run(run))
    assert page.lstrip().startswith("<!doctype html>")
    assert "Missed: churn ranking (AUC)" in page
    assert "0.610" in page
    assert "too few rows" in page
    assert "&lt;b&gt;B&lt;/b&gt;" in page
    assert "<b>B</b>" not in page
    assert "<i>x</i>" not in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert page == render_report(read_run(run))


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
    before = render_report(read_run(run))
    assert "192.00" in before
    assert "4 of 10" in before  # visits that are scheduled, of those that are wanted
    assert "left:40.0%" in before  # the capacity, against the longest bar
    assert "6 accounts wait for the channel “visit”; one more contact there would bring €192.00." in before
    assert before.count("<svg") == 1  # the service level
    assert write_report(run).read_text() == before == render_report(read_run(run))


def test_limits_and_what_one_more_would_bring_are_shown(run: Path) -> None:
    rows = [("waits", "field", "visits a day", 15, 264.0), ("no action", None, "consent", 3, 12.4)]
    pl.DataFrame(rows, schema=LIMIT_COLUMNS, orient="row").write_parquet(run / "limits.parquet")
    rows = [("visit a day", "R<6>", 1, 50.0, 3.25, 46.75), ("agent", "outbound_cc", 31, 81.5, 0.0, 81.5)]
    pl.DataFrame(rows, schema=ONE_MORE_COLUMNS, orient="row").write_parquet(run / "one_more.parquet")
    page = render_report(read_run(run))
    assert re.search(r"visits a day</td><td>waits</td><td>visit</td><td>15</td><td>264<", page)
    assert re.search(r"consent</td><td>no action</td><td>–</td><td>3</td><td>12<", page)
    assert "R&lt;6&gt;</td><td>1</td><td>50.00</td><td>3.25</td><td>46.75<" in page
    assert "one more agent (call) would bring most: €82" in page
    channels = {
        "channel": ["field"], "demand": [10], "capacity": [4], "scheduled": [4], "backlog": [6],
        "sla_min": [60.0], "sla_met": [True], "price_eur": [192.0], "capacity_source": [FROM_ROUTES],
    }  # fmt: skip
    pl.DataFrame(channels).write_parquet(run / "channels.parquet")
    page = render_report(read_run(run))
    assert "6 accounts wait for a visit." in page  # which price no allocation alone can tell


def days(rows: list[tuple[str, int, float, float]]) -> pl.DataFrame:
    """Return a table of days: representative, stops, value, kilometres."""
    moment = datetime(2026, 7, 1, 9)
    return pl.DataFrame(
        [
            {
                "rep_id": rep, "day": moment.date(), "stops": stops, "candidates": 9, "value_eur": value,
                "travel_min": 60.0, "distance_km": km, "depart_at": moment, "back_at": None,
                "extra_hour_eur": float("nan"),
            }
            for rep, stops, value, km in rows
        ],
        schema_overrides={"back_at": pl.Datetime("us")},
    )  # fmt: skip


def test_routes_are_compared_with_the_days_without_value(run: Path) -> None:
    days([("R<1>", 3, 900.0, 50.0), ("R2", 1, 100.0, 10.0)]).write_parquet(run / "rep_days.parquet")
    alone = render_report(read_run(run))
    assert "Routes on Wednesday 1 July 2026" in alone
    assert "R&lt;1&gt;" in alone
    assert "distance only" not in alone
    other = days([("R<1>", 5, 0.0, 8.0), ("R2", 4, 250.0, 7.0)]).drop("extra_hour_eur")
    other.write_parquet(run / "distance_only_days.parquet")
    visits = pl.DataFrame({"value_eur": [0.0] * 7 + [100.0, 150.0]})
    visits.write_parquet(run / "distance_only_visits.parquet")
    pl.DataFrame(
        {
            "account_id": ["A", "B", "C", "D"],
            "value_eur": [70.0, 0.0, 0.0, -1.0],
            "must": [False] * 4,
            "limit": ["shift", "worth less than its way", "worth less than its way", "shift"],
            "reason": ["would displace Z", "brings nothing", "brings nothing", "too far"],
        }
    ).write_parquet(run / "left_out.parquet")
    (run / "maps").mkdir()
    (run / "maps" / "R2-2026-07-01.html").write_text("")
    page = render_report(read_run(run))
    assert re.search(r">all</td>.*>4<.*>1,000<.*>60\.0<.*>9<.*>250<.*>15\.0<", page)
    assert "only 2 of the 9 bring more" in page
    assert '<a href="maps/R2-2026-07-01.html">map</a>' in page
    assert "briefs/" not in page  # there are none
    assert "would displace Z" in page
    assert re.search(r"brings nothing</td><td>2</td>", page)
    assert re.search(r"other reasons, see left_out.parquet</td><td>1</td>", page)


def test_the_map_shows_territories_routes_and_land(run: Path) -> None:
    outline = "POLYGON ((2.1 41.3, 2.2 41.3, 2.2 41.5, 2.1 41.5, 2.1 41.3))"
    row = {
        "territory": "T$1", "rep_id": "R1", "accounts": 2, "workload_min": 60.0, "deviation_pct": 0.0,
        "mean_distance_km": 1.0, "polsby_popper": 0.7, "moved": 0, "outline": outline,
    }  # fmt: skip
    table = pl.DataFrame([row, {**row, "territory": "T2", "rep_id": None, "outline": None}])
    table.write_parquet(run / "territories.parquet")
    plain = render_report(read_run(run))
    assert "T$1" in plain
    assert plain == render_report(read_run(run))
    ring = [[2, 41.35], [3, 41.35], [3, 42], [2, 42], [2, 41.35]]
    land = {"type": "Polygon", "coordinates": [ring]}
    (run / "land.geojson").write_text(json.dumps(land), encoding="utf-8")
    way = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[2.12, 41.4], [2.18, 41.45]]},
        "properties": {"rep_id": "R1", "kind": "planned"},
    }
    (run / "maps").mkdir()
    (run / "maps" / "routes.geojson").write_text(json.dumps({"features": [way]}), encoding="utf-8")
    drawn = render_report(read_run(run))
    assert "#cfdfe9" in drawn  # the sea
    assert len(drawn) > len(plain)


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
