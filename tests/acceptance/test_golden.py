"""The golden results, through the command line and through plain SQL, on the tables of the Astra agency."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import Command

from dealwright.desk.cluster import program
from dealwright.desk.database import Database

DIMENSIONS = ("communication_method", "lead_source", "destination", "launch_location")


def golden(shared: Path, name: str) -> dict[str, Any]:
    return json.loads((shared / "golden" / name).read_text())


def settings_of(lead: dict[str, str]) -> list[str]:
    return [part for name in DIMENSIONS for part in ("--set", f"{name}={lead[name]}")]


@pytest.fixture
def astra(dealwright: Command, shared: Path) -> Command:
    dealwright("import", "--map", "astra", shared / "data" / "astra")
    return dealwright


def test_the_classic_match_score_comes_out_exactly(astra: Command, shared: Path) -> None:
    expected = golden(shared, "classic_match_score.json")
    astra("model", "load", shared / "golden" / "classic_match_score.json")
    lead = expected["lead"]
    arguments = ["--policy", "classic", *settings_of(lead), "--requirements", lead["requirements"]]
    answer = astra("rank", *arguments, "--customer", lead["customer_name"], "--json").json
    found = [
        {
            "agent_id": row["agent_id"],
            "agent_name": row["agent_name"],
            "match_score": round(row["match_score"], 1),
        }
        for row in answer["ranking"]
    ]
    assert found == expected["ranking"]
    assert answer["policy"] == "classic"
    first = expected["ranking"][0]
    table = astra("rank", *arguments, "--top", 1).out
    assert first["agent_name"] in table
    assert f"{first['match_score']:.1f}" in table


def ranks(dealwright: Command) -> list[list[int]]:
    return [
        [row["agent_id"], row["rank"]] for row in dealwright("agents", "--policy", "workload", "--json").json
    ]


def check_start(dealwright: Command, expected: dict[str, Any]) -> None:
    rows = dealwright("agents", "--policy", "workload", "--json").json
    found = {str(row["agent_id"]): row["open"] for row in rows if row["open"]}
    assert found == expected["initial_open"]
    assert ranks(dealwright)[:8] == expected["initial_top"]


def check_after_assigning(dealwright: Command, expected: dict[str, Any]) -> None:
    found = ranks(dealwright)
    assert found[:8] == expected["after_assign_top"]
    assert {
        str(agent): rank for agent, rank in found if str(agent) in expected["after_assign_rank_of"]
    } == expected["after_assign_rank_of"]


def test_workload_first_by_command(astra: Command, shared: Path) -> None:
    expected = golden(shared, "workload_first.json")
    check_start(astra, expected)
    answers = [
        astra(
            "assign",
            "--policy",
            "workload",
            "--customer",
            lead["customer_name"],
            *settings_of(lead),
            "--json",
        ).json
        for lead in expected["assign"]
    ]
    for lead, answer in zip(expected["assign"], answers, strict=True):
        assert answer["status"] == "assigned"
        assert answer["agent_id"] == lead["expected_agent_id"]
        assert answer["assignment_id"] == lead["expected_assignment_id"]
        assert answer["open"] == 1
    check_after_assigning(astra, expected)
    settled = astra("settle", answers[1]["booking_id"], "cancelled", "--json").json
    assert settled["assignment_id"] == 452
    assert ranks(astra)[:8] == expected["after_cancel_top"]


def test_workload_first_by_plain_sql(astra: Command, shared: Path, database: Database) -> None:
    """Any client that writes rows gets the same: here psql inserts leads and updates a booking."""
    expected = golden(shared, "workload_first.json")
    check_start(astra, expected)
    for lead in expected["assign"]:
        attributes = json.dumps({name: lead[name] for name in DIMENSIONS})
        run_psql(
            database.url,
            "insert into dealwright.lead (customer_name, attributes, policy) "
            f"values ('{lead['customer_name']}', '{attributes}', 'workload')",
        )
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "select assignment_id, agent_id from dealwright.assignment where assignment_id > 450 order by 1"
        ).fetchall()
    assert rows == [
        (lead["expected_assignment_id"], lead["expected_agent_id"]) for lead in expected["assign"]
    ]
    check_after_assigning(astra, expected)
    run_psql(database.url, "update dealwright.booking set status = 'cancelled' where assignment_id = 452")
    assert ranks(astra)[:8] == expected["after_cancel_top"]


def run_psql(url: str, statement: str) -> None:
    done = subprocess.run(
        [program("psql"), url, "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--command", statement],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_default_policy_may_be_set_in_sql(astra: Command, shared: Path, database: Database) -> None:
    expected = golden(shared, "workload_first.json")
    run_psql(database.url, "select dealwright.set_default_policy('workload')")
    rows = astra("agents", "--json").json
    assert [[row["agent_id"], row["rank"]] for row in rows][:8] == expected["initial_top"]


def test_importing_twice_changes_nothing(astra: Command, shared: Path) -> None:
    before = astra("agents", "--policy", "workload", "--json").json
    again = astra("import", "--map", "astra", shared / "data" / "astra", "--json").json
    for table, rows in (("agents", 30), ("assignments", 450), ("bookings", 412)):
        assert again[table] == {"new": 0, "changed": 0, "unchanged": rows}
    assert again["rejects"] == []
    assert astra("agents", "--policy", "workload", "--json").json == before
    assert not Path("rejected").exists()


def test_the_evidence_on_astra_is_that_there_is_none(astra: Command) -> None:
    answer = astra("evidence", "--no-pictures", "--json").json
    assert answer["verdict"] == "no evidence that agents differ"
    assert round(answer["plain_chi2"], 1) == 17.2
    assert answer["plain_df"] == 29
    assert answer["plain_p_value"] == pytest.approx(0.96, abs=0.005)


def test_revenue_alone_may_tell_agents_apart(astra: Command) -> None:
    """One agent of Astra sells at half the price; that is used when asked for, and only then."""
    usual = astra("train", "--no-pictures", "--json").json
    assert usual["agents_differ"] is False
    asked = astra("train", "--no-pictures", "--revenue-alone", "--promote", "--json").json
    assert asked["agents_differ"] is True
    ranking = astra("rank", "--set", "destination=Mars", "--json").json["ranking"]
    assert len({round(row["expected_value"]) for row in ranking}) > 1
    assert len({round(row["win_probability"], 6) for row in ranking}) == 1
