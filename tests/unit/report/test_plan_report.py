"""The report: one file without a network, from the files of a run alone, with nothing unescaped."""

from __future__ import annotations

import json
import re
from datetime import datetime
from html import unescape
from pathlib import Path

import polars as pl
import pytest

from dealwright.cli.main import main
from dealwright.errors import InputError
from dealwright.report.comparison import CHANGE_COLUMNS, OUTCOME_COLUMNS
from dealwright.report.people import PEOPLE_COLUMNS
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


def render(folder: Path) -> str:
    return render_report(read_run(folder))


class Table:
    """A table of a page: its rows as people read them, and its totals."""

    def __init__(self, page: str, name: str) -> None:
        found = re.search(rf'<table id="{name}".*?</table>', page, re.DOTALL)
        assert found is not None, f"no table {name}"
        self.html = found[0]
        body, _, foot = self.html.partition("<tfoot>")
        self.heads = [self._text(cell) for cell in re.findall(r"<th[^>]*>(.*?)</th>", body, re.DOTALL)]
        self.rows = [self._cells(row) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)[1:]]
        self.total = self._cells(foot)

    @staticmethod
    def _text(html: str) -> str:
        return unescape(re.sub(r"<[^>]+>", "", html)).strip()

    def _cells(self, row: str) -> list[str]:
        return [self._text(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]

    def column(self, head: str) -> list[str]:
        return [row[self.heads.index(head)] for row in self.rows]


def amount(text: str) -> float:
    """Read a figure as a person would."""
    return float(re.sub(r"[^0-9.-]", "", text))


def test_a_run_without_representatives_has_a_report(run: Path) -> None:
    page = render(run)
    assert page.lstrip().startswith("<!doctype html>")
    assert "churn ranking (AUC)" in page
    assert "0.610" in page
    assert "Too few rows" in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert page == render(run)


def test_title_and_heading_name_the_planned_day_and_the_company(run: Path) -> None:
    days([("R1", 3, 900.0, 50.0)]).write_parquet(run / "rep_days.parquet")
    with (run / "params.toml").open("a") as file:
        file.write('[report]\ncompany = "Acme & Sons"\n')
    page = render(run)
    assert "<title>Wednesday, 1 July 2026 · Acme &amp; Sons</title>" in page
    heading = re.search(r"<h1>(.*?)</h1>", page)
    assert heading is not None
    assert Table._text(heading[1]) == "Wednesday, 1 July 2026 · Acme & Sons"


def test_nothing_of_the_data_becomes_markup(run: Path) -> None:
    accounts = pl.read_parquet(run / "accounts.parquet").with_columns(
        account_name=pl.lit("<script>alert(1)</script>"), account_id=pl.format("<b>{}</b>", "account_id")
    )
    accounts.write_parquet(run / "accounts.parquet")
    page = render(run)
    assert "<script>alert" not in page
    assert "<i>x</i>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "accounts.html#%3Cb%3E%3Cb%3EB%3C%2Fb%3E%3C%2Fb%3E" in page


def test_totals_are_the_sums_of_what_is_shown_and_the_headline_is_the_total(run: Path) -> None:
    # cents that would be lost or won where every row is rounded by itself
    gains = [10.4, 10.4, 10.4, -2.3, 0.49, 7.77]
    accounts = pl.DataFrame(
        {
            "account_id": list("ABCDEF"), "segment": ["Grow", "Protect", "Maintain", "Grow", None, "Protect"],
            "action": ["visit", "upsell", "win_back", "cross_sell", "nothing", "visit"],
            "channel": ["field", "outbound_cc", "ecom_self", "ecom_self", None, None],
            "expected_value_eur": gains, "cost_eur": [45.0, 5.5, 0.4, 0.4, 0.0, 0.0],
            "churn_probability": [0.1, None, 0.3, 0.4, None, 0.5], "predicted_value_eur": [1.5] * 6,
            "is_anomaly": [False] * 6, "anomaly_score": [0.0] * 6, "anomaly_reasons": [[]] * 6,
        }, schema_overrides={"anomaly_reasons": pl.List(pl.String)},
    )  # fmt: skip
    accounts.write_parquet(run / "accounts.parquet")
    page = render(run)
    for name in ("actions-table", "segments-table"):
        table = Table(page, name)
        for place, total in enumerate(table.total[1:], 1):
            if total:
                shown = [amount(row[place]) for row in table.rows if row[place] != "–"]
                assert sum(shown) == amount(total), (name, table.heads[place])
    actions = Table(page, "actions-table")
    assert amount(actions.total[actions.heads.index("Expected gain")]) == round(sum(gains)) == 37
    facts = dict(re.findall(r"<small>([^<]+)</small><b[^>]*>([^<]+)</b>", page))
    assert facts["Scheduled today"] == actions.total[actions.heads.index("Scheduled today")] == "€29"
    assert facts["Waiting"] == actions.total[actions.heads.index("Waiting, gain")] == "€8"
    # a number opens the accounts it counts
    assert 'href="accounts.html#?action=visit&amp;state=waits">1<' in page


def test_an_empty_company_has_a_report_that_says_so(run: Path) -> None:
    pl.read_parquet(run / "accounts.parquet").clear().write_parquet(run / "accounts.parquet")
    page = render(run)
    assert "Scheduled: 0 visits, 0 calls and 0 other contacts." in page
    assert "No account is unusual." in page
    assert "No channels were allocated in this run." in page
    assert Table(page, "actions-table").rows == []


def test_what_is_not_known_is_not_called_nothing(run: Path) -> None:
    accounts = pl.read_parquet(run / "accounts.parquet").with_columns(
        churn_probability=pl.lit(None, pl.Float64), predicted_value_eur=pl.lit(None, pl.Float64)
    )
    accounts.write_parquet(run / "accounts.parquet")
    segments = Table(render(run), "segments-table")
    assert set(segments.column("Mean probability of leaving")) == {"not known"}
    assert set(segments.column("Expected spend")) == {"–"}
    assert segments.total[segments.heads.index("Expected spend")] == "–"


def test_a_run_speaks_its_language_and_its_currency(run: Path) -> None:
    settings = (run / "params.toml").read_text()
    (run / "params.toml").write_text(settings + '[report]\nlocale = "es_ES"\ncurrency = "USD"\n')
    page = render(run)
    assert '<html lang="es">' in page
    assert "Programado hoy" in page
    assert "1\xa0US$" in page
    assert "Scheduled" not in page
    (run / "params.toml").write_text(settings + '[report]\nlocale = "en_US"\ncurrency = "JPY"\n')
    page = render(run)
    assert "¥1" in page
    assert "€" not in page


def test_no_column_and_no_option_is_named(run: Path) -> None:
    kept = "where it was would cost"
    told = [
        "no staff was given: the people are numbered, as many as are needed",
        "no limit is known for outbound_cc: give --staff, or [channel.limits] in the parameters",
        f"3 accounts get another representative; to keep them {kept} €1,200 a month more (a.csv)",
        "2 calls have no place: no time left (calls_unplaced.parquet)",
        "drift: no column moved much since the last run",
    ]
    (run / "notices.json").write_text(json.dumps(told))
    page = render(run)
    notices = re.findall(r"<li>(.*?)</li>", page)
    assert notices[1:] == [
        "No roster of the contact centre is known: as many numbered people are planned as are needed.",
        "Some channels have no known limit: as many contacts are scheduled as pay.",
        "3 accounts get a new representative; keeping the old one costs €1,200 a month.",
        "2 calls have no place: no time left",
    ]
    words = re.sub(r"<(script|style)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert not re.findall(r"--[a-z]\w+|\b[a-z]+_[a-z_]+\b|\w+\.parquet", words)


def test_what_changed_and_what_came_of_the_tasks_is_shown(run: Path) -> None:
    changes = [("A", "representative", "R1", "R2", 5.0), ("<b>B</b>", "action", "visit", "upsell", 2.0)]
    pl.DataFrame(changes, schema=CHANGE_COLUMNS, orient="row").write_parquet(run / "changes.parquet")
    outcomes = [("field", 10, 7, 3, 100.4, 70.4, 55.0), ("outbound_cc", 4, 4, 1, 20.4, 20.4, 0.0)]
    pl.DataFrame(outcomes, schema=OUTCOME_COLUMNS, orient="row").write_parquet(run / "outcomes.parquet")
    people = [("R1", "Laia", "field", 1), ("R2", "Jordi", "field", 2)]
    pl.DataFrame(people, schema=PEOPLE_COLUMNS, orient="row").write_parquet(run / "people.parquet")
    trend = [
        {"as_of": day, "kpis": {"churn_auc": value}}
        for day, value in (("2026-06-29", 0.6), ("2026-06-30", 0.61))
    ]
    (run / "trend.json").write_text(json.dumps(trend))
    page = render(run)
    moved = Table(page, "moved-table")
    assert moved.rows == [["A", "1Laia", "2Jordi", "€5.00"]]
    assert Table(page, "changes-table").column("Accounts") == ["1", "1"]
    table = Table(page, "outcomes-table")
    assert table.total[1:4] == ["14", "11", "4"]
    assert table.total[4] == "€121"
    assert sum(amount(text) for text in table.column("Expected")) == 121
    assert "<b>11 of 14</b>" in page
    assert "churn ranking (AUC) over the last runs: 0.600, 0.610" in page


def test_a_day_that_is_planned_again_is_compared_with_the_plan_before(run: Path) -> None:
    assert "There is no earlier run to compare with." in render(run)
    settings = (run / "params.toml").read_text()
    (run / "params.toml").write_text(settings + 'previous = "last-night"\n')
    page = render(run)
    assert "There is no earlier run" not in page
    assert "Nothing changed for any account." in page


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
        "required": [2, 3], "scheduled": [2, 2], "service_level": [0.8, 0.9],
    }  # fmt: skip
    pl.DataFrame(levels).write_parquet(run / "service_levels.parquet")
    calls = {"rep_id": ["a1"], "account_id": ["A"], "start_at": [datetime(2026, 7, 1, 9)]}
    pl.DataFrame(calls).write_parquet(run / "calls.parquet")
    page = render(run)
    table = Table(page, "channels-table")
    assert table.rows[0][2:5] == ["10", "4", "4"]
    assert table.rows[0][-2:] == ["€192.00", "no"]
    assert table.rows[1][3] == "no limit"
    assert table.total[2:6] == ["15", "", "9", "6"]
    assert "left:40.0%" in page  # the capacity, against the longest bar
    assert page.count('<svg class="chart"') == 1  # the people needed and there
    write_report(run)
    assert (run / "report.html").read_text() == page == render(run)


def test_limits_and_what_one_more_would_bring_are_shown(run: Path) -> None:
    rows = [("waits", "field", "visits a day", 15, 264.0), ("no action", None, "consent", 3, 12.4)]
    pl.DataFrame(rows, schema=LIMIT_COLUMNS, orient="row").write_parquet(run / "limits.parquet")
    rows = [("visit a day", "R<6>", 1, 50.0, 3.25, 46.75), ("agent", "outbound_cc", 31, 81.5, 0.0, 81.5)]
    pl.DataFrame(rows, schema=ONE_MORE_COLUMNS, orient="row").write_parquet(run / "one_more.parquet")
    page = render(run)
    limits = Table(page, "limits-table")
    assert limits.rows[0] == ["visits a day", "waits", "visit", "15", "€264"]
    assert limits.rows[1] == ["consent", "no action", "–", "3", "€12"]
    assert limits.total[-2:] == ["18", "€276"]
    assert Table(page, "one-more-table").rows == [
        ["agent", "call", "€81.50", "31 contacts more, worth €82"],
        ["visit a day", "R<6>", "€46.75", "1 contact more, worth €50; travel costs €3 more"],
    ]


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


def test_routes_are_compared_with_the_days_without_value_in_a_section_of_its_own(run: Path) -> None:
    days([("R<1>", 3, 900.4, 50.0), ("R2", 1, 100.4, 10.0)]).write_parquet(run / "rep_days.parquet")
    alone = render(run)
    routes = Table(alone, "routes-table")
    assert [row[0] for row in routes.rows] == ["1R2", "2R<1>"]
    assert routes.total[2] == "4"
    assert routes.total[4] == "€1,001"
    assert sum(amount(text) for text in routes.column("Gain")) == 1001
    assert "by distance" not in alone
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
            "reason": [
                "would displace Z (5.50 EUR) and change the cost of travel by +2.00 EUR",
                *["brings nothing"] * 2, "too far",
            ],
        }
    ).write_parquet(run / "left_out.parquet")  # fmt: skip
    (run / "maps").mkdir()
    (run / "maps" / "R2-2026-07-01.html").write_text("")
    page = render(run)
    table = Table(page, "baseline-table")
    assert table.total[1:] == ["4", "€1,001", "60", "9", "€250", "15"]
    assert "Of 9 such visits, 2 bring more than they cost." in page
    assert page.index('id="baseline"') > page.index('id="figures"')
    assert '<a href="maps/R2-2026-07-01.html">Map</a>' in page
    assert "briefs/" not in page  # there are none
    assert Table(page, "left-out-table").rows == [
        ["A", "€70.00", "shift", "would take the place of Z (€5.50); cost of travel +€2.00"]
    ]
    assert "The first 1 of 4." in page


def test_the_map_shows_territories_routes_and_land(run: Path) -> None:
    outline = "POLYGON ((2.1 41.3, 2.2 41.3, 2.2 41.5, 2.1 41.5, 2.1 41.3))"
    row = {
        "territory": "T$1", "rep_id": "R1", "accounts": 2, "workload_min": 60.0, "deviation_pct": 0.0,
        "mean_distance_km": 1.0, "polsby_popper": 0.7, "moved": 0, "outline": outline,
    }  # fmt: skip
    table = pl.DataFrame([row, {**row, "territory": "T2", "rep_id": None, "outline": None}])
    table.write_parquet(run / "territories.parquet")
    plain = render(run)
    assert "T$1" in plain
    assert "var(--sea)" not in plain
    assert plain == render(run)
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
    drawn = render(run)
    assert "var(--sea)" in drawn
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
