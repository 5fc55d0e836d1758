"""The dossier says what the live desk says, line by line, and names tests that exist."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest
from engine import add_agent, assign, declare, rows
from serving import MARS

from dealwright.cli.main import main
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.report.dossier import Dossier, Line, _log_line, build_dossier

ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(database: Database) -> Desk:
    """Return a desk with two departments: eight enquiries went to one agent, two to another."""
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "Ada", external_id="A1", capacity=8, department="Luxury", years_of_service=12.0)
        for number in range(8):
            assign(connection, MARS, customer=f"c{number}")
        add_agent(connection, "Ben", external_id="A2", capacity=2, department="Basic", years_of_service=1.0)
        for number in range(2):
            assign(connection, MARS, customer=f"d{number}")
    desk = Desk(database)
    for booking in [row["booking_id"] for row in desk.book.assignments(k=10).rows][:4]:
        desk.settle(booking, "confirmed", total_revenue=100)
    return desk


def line_of(dossier: Dossier, part: str) -> Line:
    (found,) = [line for section in dossier.sections for line in section.lines if part in line.text]
    return found


def test_every_line_has_the_figure_of_the_live_desk(desk: Desk) -> None:
    made = build_dossier(desk, "1.2.3")
    assert [section.article.split()[1] for section in made.sections] == [
        "6,", "9", "10", "11", "12", "13", "14", "15", "26",
    ]  # fmt: skip
    assert "Dealwright 1.2.3" in line_of(made, "describes every formula").text
    assert line_of(made, "Whose work").rows == ({"agents": 2, "active": 2},)
    assert line_of(made, "more open work").rows[0]["agents_with_more_open_leads_than_capacity"] == 0
    assert (
        line_of(made, "counts is what there is").rows[0]["agents_whose_counter_differs_from_a_recount"] == 0
    )
    missing = {row["attribute"]: row["not_known"] for row in line_of(made, "How often it is missing").rows}
    assert missing == dict.fromkeys(missing, 0)
    assert {"destination", "lead_source"} <= missing.keys()
    of = {row["department"]: row for row in line_of(made, "Work by department").rows}
    assert (of["Luxury"]["leads"], of["Basic"]["leads"]) == (8, 2)
    won = {name: row["won"] for name, row in of.items()}
    assert sum(won.values()) == 4
    known = next(row for row in of.values() if row["known"])
    assert 0 < known["low"] < known["share_won"] <= 1
    assert "0.25 times" in line_of(made, "per agent by department").text
    assert "below four fifths" in line_of(made, "per agent by years of service").text
    assert line_of(made, "Every decision is recorded").rows[0]["decisions"] == 10
    assert line_of(made, "recomputed from the record").rows == ({"recomputed": 10, "agree": 10},)
    assert "10 of 10" in line_of(made, "recomputed from the record").text
    assert "less than the six months" in line_of(made, "records go back").text
    assert line_of(made, "Nobody has altered").rows[0]["intact"] is True


def test_what_was_altered_and_what_went_wrong_is_in_it(desk: Desk) -> None:
    desk.nights.request("n", "Ann")
    with desk.database.connect(autocommit=True) as connection:
        rows(connection, "select dealwright.seal_decisions()")
        rows(connection, "alter table dealwright.decision disable trigger all")
        rows(connection, "update dealwright.decision set match_score = 1 where decision_id = 3")
    made = build_dossier(desk, "1.2.3")
    assert line_of(made, "Nobody has altered").rows[0]["intact"] is False
    nights = {row["status"]: row["nights"] for row in line_of(made, "Nightly plans").rows}
    assert nights == {"queued": 1}


def test_tests_and_unknowns_are_named(desk: Desk) -> None:
    made = build_dossier(desk, "1.2.3")
    named = {line.test for section in made.sections for line in section.lines if line.test}
    assert len(named) >= 7
    assert all((ROOT / name).is_file() for name in named)
    unknown = [
        line
        for section in made.sections
        for line in section.lines
        if "not known to the software" in line.text
    ]
    assert len(unknown) >= 10
    assert not any(line.rows for line in unknown)


def test_six_months_of_records_are_recognised() -> None:
    from datetime import UTC, datetime, timedelta

    def said(days: int) -> str:
        return _log_line([{"kept_since": datetime.now(UTC) - timedelta(days=days, hours=1)}]).text

    assert "182 days: less than" in said(182)
    assert "183 days: the six months" in said(183)
    assert "no decision yet" in _log_line([{"kept_since": None}]).text


@pytest.mark.parametrize("name", ["dossier.html", "dossier.md"])
def test_the_command_writes_both_forms(
    name: str, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with desk.database.connect(autocommit=True) as connection:
        add_agent(connection, "<Eve>", department="<b>|x")
    monkeypatch.setenv("DATABASE_URL", desk.database.url)
    assert run(["dossier", "--out", str(tmp_path / name), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    text = (tmp_path / name).read_text("utf-8")
    for section in document["sections"]:
        assert html.escape(section["title"]) in text or section["title"] in text
    assert "select count(*) as agents" in text
    assert "<b>|x" not in text
    assert run(["dossier", "--out", str(tmp_path / "dossier.pdf")]) == 2
    assert ".html or in .md" in capsys.readouterr().err


def run(arguments: list[str]) -> Any:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return left.value.code or 0
