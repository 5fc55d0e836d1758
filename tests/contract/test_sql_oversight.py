"""People over the machine: pause it, contest what it learns from, take a customer out of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command
from engine import add_agent, declare, load_classic, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.errors import ConflictError, InputError, NotFoundError

LEAD = {"destination": "Mars", "lead_source": "Organic"}
MODEL = random_model(np.random.default_rng(5))
DAY = date(2026, 7, 1)
POLICIES = ("value", "classic", "workload", "fair")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as found:
        declare(found)
        load_model(found, MODEL)
        load_classic(found)
        for name, department in (("Ada", "Luxury"), ("Ben", "Luxury"), ("Cleo", "Families")):
            add_agent(found, name, capacity=20, external_id=f"{name[0]}1", department=department)
        yield found


@pytest.fixture
def desk(database: Database, connection: Connection[Any]) -> Desk:
    return Desk(database)


def enquiry(customer: str = "Kate", **more: Any) -> dict[str, Any]:
    return {"customer_name": customer, "attributes": LEAD, **more}


def test_a_paused_agent_gets_nothing_and_a_paused_desk_lets_all_wait(
    desk: Desk, connection: Connection[Any]
) -> None:
    desk.deactivate("B1")
    assert desk.oversight.pause("odd scores", team="Luxury") == 2
    for _ in range(4):
        assert desk.assign(enquiry()).row["agent_id"] == "C1"
    with pytest.raises(ConflictError, match="paused for agent 1"):
        desk.activate("A1")
    with pytest.raises(ConflictError, match="nobody was paused"):
        desk.oversight.pause("again", agent="A1")
    assert desk.oversight.pause("all of it") == 1
    for _ in range(3):
        assert desk.assign(enquiry()).row["status"] == "waiting"
    assert [(row["agent_id"], row["reason"]) for row in desk.oversight.pauses()] == [
        ("A1", "odd scores"), ("B1", "odd scores"), ("C1", "all of it"),
    ]  # fmt: skip
    # who was away before is still away; the others get what waits
    assert desk.oversight.resume("looked into it", team="Luxury") == 2
    assert [(row["agent_id"], row["open"], row["active"]) for row in desk.book.agents().rows] == [
        ("A1", 3, True), ("B1", 0, False), ("C1", 4, False),
    ]  # fmt: skip
    assert desk.oversight.resume("all is well") == 1
    assert desk.oversight.pauses() == ()
    with pytest.raises(ConflictError, match="nobody is paused"):
        desk.oversight.resume("again")
    told = [(row["action"], row["object"], row["object_id"], row["after"], row["reason"])
            for row in desk.book.changes().rows if row["action"] in ("pause", "resume")]  # fmt: skip
    assert told == [
        ("resume", "desk", "all", {"agents": 1}, "all is well"),
        ("resume", "team", "Luxury", {"agents": 2}, "looked into it"),
        ("pause", "desk", "all", {"agents": 1}, "all of it"),
        ("pause", "team", "Luxury", {"agents": 2}, "odd scores"),
    ]
    check_desk(connection, MODEL)
    with pytest.raises(InputError, match="needs a reason"):
        desk.oversight.pause("  ")


def test_a_contested_outcome_leaves_training_and_nothing_else(
    desk: Desk, connection: Connection[Any]
) -> None:
    placed = [desk.assign(enquiry(), "workload").row for _ in range(4)]
    with pytest.raises(ConflictError, match="no outcome to contest"):
        desk.oversight.contest(placed[0]["assignment_id"], "not mine")
    for row in placed:
        desk.settle(row["booking_id"], "cancelled")
    learned = "select array_agg(assignment_id order by assignment_id) from dealwright.outcome"
    everything = value(connection, learned)
    assert everything == [row["assignment_id"] for row in placed]
    desk.oversight.contest(everything[1], "the customer never asked for me")
    assert value(connection, learned) == [everything[0], *everything[2:]]
    assert all(desk.replay(each).agrees for each in everything)
    check_desk(connection, MODEL)
    assert [(row["assignment_id"], row["outcome"]) for row in desk.oversight.contests()] == [
        (everything[1], "lost")
    ]
    desk.oversight.resolve(everything[1], "asked, and it stands")
    assert value(connection, learned) == everything
    assert desk.oversight.contests() == ()
    assert len(desk.oversight.contests(with_resolved=True)) == 1
    with pytest.raises(ConflictError, match="is not contested"):
        desk.oversight.resolve(everything[1], "again")
    # who contests it again, does
    desk.oversight.contest(everything[1], "no, really")
    assert value(connection, learned) == [everything[0], *everything[2:]]


SECRET = "Kate Nguyen of Orchard Road, luxury, ring in the evening"


def everything_the_desk_holds(connection: Connection[Any]) -> str:
    """Return all rows of all tables as text."""
    tables = rows(
        connection,
        "select c.oid::regclass::text as name from pg_class as c where c.relkind = 'r' "
        "and c.relnamespace in ('dealwright'::regnamespace, 'dealwright_engine'::regnamespace)",
    )
    return "\n".join(
        str(value(connection, f"select string_agg(t::text, ' ') from {row['name']} as t")) for row in tables
    )


def change_plans(desk: Desk) -> None:
    """Change a day and territories of a night, for two customers."""
    nights = desk.nights
    nights.request("n", "test")
    nights.begin("test", datetime.now(UTC) + timedelta(minutes=1))
    nights.end(1, "done", folder="000001", result={})
    orders = {"kind": "replan", "orders": {"R1": ["C-Kate", "C-Max"]}, "begun_s": {"C-Kate": 1, "C-Max": 2}}
    seen = 0
    for change in ({"kind": "pin", "account_id": "C-Kate"}, {"kind": "pin", "account_id": "C-Max"}, orders):
        seen = desk.day_changes.add(1, DAY, change, seen=seen, made_by="Ann")
    scenarios = desk.territory_scenarios
    made = scenarios.create("autumn", 1, "Ann").scenario_id
    for accounts in (["C-Kate"], ["C-Kate", "C-Max"]):
        edit = {"kind": "move_accounts", "accounts": accounts, "territory": "T1"}
        scenarios.edit(made, edit, "Ann")
    scenarios.approve(
        made,
        DAY,
        "Ann",
        edits=2,
        figures={},
        holders={"T1": "R1"},
        accounts=[("C-Kate", "T1"), ("C-Max", "T1")],
    )


def require_plans_without(desk: Desk) -> None:
    """Check that what was said of the other customer goes on to count."""
    first, second, third = desk.day_changes.of(1, DAY).counting
    assert (first.change, second.change) == ({"kind": "erased"}, {"kind": "pin", "account_id": "C-Max"})
    assert third.change == {"kind": "replan", "orders": {"R1": ["C-Max"]}, "begun_s": {"C-Max": 2}}
    edits = desk.territory_scenarios.edits(1)
    assert [row["edit"]["accounts"] for row in edits] == [[], ["C-Max"]]
    assert [row["undone_by"] for row in edits] == ["erased", None]


def test_an_erased_customer_is_nowhere_and_the_chain_verifies(
    desk: Desk, connection: Connection[Any], tmp_path: Path
) -> None:
    placed = []
    for number, policy in enumerate(POLICIES * 2):
        mine = enquiry(
            "Kate Nguyen", customer_id="C-Kate", external_id="crm-kate", requirements=SECRET,
            idempotency_key=f"kate-{number}",
        )  # fmt: skip
        del mine["external_id"]
        placed.append(desk.assign(mine, policy).row)
        placed.append(desk.assign(enquiry("Max", customer_id="C-Max", requirements="luxury"), policy).row)
        if number in (2, 5):
            rows(connection, "select dealwright.seal_decisions()")
    rows(
        connection,
        "select dealwright.begin_publishing(); insert into published_task "
        "(account_id, day, action, channel, rep_id, account_name, brief) values "
        "('C-Kate', '2026-07-01', 'visit', 'field', 'A1', 'Kate Nguyen', 'Ask Kate Nguyen');"
        "select dealwright.publish_tasks('r', '2026-06-30', 'UTC', '2026-07-01', '2026-07-01');"
        "select dealwright.finish_task(task_id, 'responded') from dealwright.task",
    )
    change_plans(desk)
    with pytest.raises(ConflictError, match="still at work"):
        desk.oversight.erase("C-Kate", "asked for it")
    for row in placed:
        desk.settle(row["booking_id"], "confirmed", total_revenue=100)
    counters = value(connection, "select jsonb_agg(s order by agent_id) from dealwright.agent_stat as s")
    seals = (
        "select decision_id, hash from dealwright.decision_seal "
        "join dealwright.decision_block using (block_id) order by 1"
    )
    before = rows(connection, seals)
    # one that is named beside is there, and nobody else's
    with pytest.raises(NotFoundError, match="there is no lead 999: nothing was erased"):
        desk.oversight.erase("C-Kate", "asked for it", leads=[placed[0]["lead_id"], 999])
    with pytest.raises(ConflictError, match="is of customer C-Max, not of C-Kate: nothing was erased"):
        desk.oversight.erase("C-Kate", "asked for it", leads=[placed[1]["lead_id"]])
    done = desk.oversight.erase("C-Kate", "the customer asked for it")
    changed = {"leads": 8, "tasks": 1, "changes": 5, "decisions": 8}
    assert done == {**changed, "archived": 0, "archived_files": [], "kept_decisions": []}
    require_plans_without(desk)
    held = everything_the_desk_holds(connection)
    for word in ("Nguyen", "Orchard", "C-Kate", "kate-", "crm-kate"):
        assert word not in held, word
    assert "C-Max" in held
    # the seals are those of before; what was erased is sealed too, and so is what follows
    assert rows(connection, seals) == before
    desk.assign(enquiry())
    rows(connection, "select dealwright.seal_decisions()")
    assert desk.verify().intact
    assert value(connection, "select count(*) from dealwright.decision_erasure") == 2
    assert all(desk.replay(row["assignment_id"]).agrees for row in placed)
    after = value(connection, "select jsonb_agg(s order by agent_id) from dealwright.agent_stat as s")
    assert [row["confirmed"] for row in after] == [row["confirmed"] for row in counters]
    check_desk(connection, MODEL)
    row = desk.book.changes(action="erase").rows[0]
    assert (row["reason"], row["after"]["tasks"]) == ("the customer asked for it", 1)
    # a second one, on top of the first
    assert desk.oversight.erase("C-Max", "asked for it as well")["decisions"] == 8
    assert desk.verify().intact
    with pytest.raises(NotFoundError, match="nothing of customer"):
        desk.oversight.erase("C-Kate", "again")


@pytest.mark.administrator
def test_what_is_changed_after_an_erasure_breaks_the_chain(desk: Desk, connection: Connection[Any]) -> None:
    for customer in ("C-Kate", "C-Max"):
        placed = desk.assign(enquiry(customer_id=customer, requirements="luxury")).row
        desk.settle(placed["booking_id"], "cancelled")
    rows(connection, "select dealwright.seal_decisions()")
    desk.oversight.erase("C-Kate", "asked for it")
    assert desk.verify().intact
    for forgery in (
        "update dealwright.decision set requirements = 'quiet' where requirements = 'luxury'",
        "update dealwright.decision set requirements = null",
        "update dealwright.decision_erasure set content_hash = repeat('0', 64)",
        "update dealwright.decision_erasure set decision_ids = '{1,2}'",
        "delete from dealwright.decision_erasure",
        "update dealwright.decision_block set hash = repeat('0', 64) where decisions = 0",
    ):
        rows(connection, "begin; set local session_replication_role = replica")
        rows(connection, forgery)
        assert not value(connection, "select bool_and(intact) from dealwright.verify_decisions()"), forgery
        rows(connection, "rollback")
    assert desk.verify().intact


def test_the_commands_say_what_they_did(dealwright: Command, desk: Desk) -> None:
    assert "needs a reason" in dealwright("pause", "--reason", " ", expect=2).err
    assert "2 agents paused" in dealwright("pause", "--team", "Luxury", "--reason", "odd scores").out
    assert "1 agent paused" in dealwright("pause", "--agent", "C1", "--reason", "new here").out
    told = dealwright("resume", "--agent", "C1", "--reason", "trained", "--json").json
    assert told == {"agents": 1}
    dealwright("resume", "--reason", "all is well")
    row = desk.assign(enquiry("Kate", customer_id="C-9")).row
    desk.settle(row["booking_id"], "cancelled")
    number = row["assignment_id"]
    assert "leaves assignment" in dealwright("contest", number, "--reason", "not mine").out
    assert "counts again" in dealwright("contest", number, "--resolve", "--reason", "it stands").out
    assert dealwright("erase", "C-9", "--reason", "asked", "--json").json["leads"] == 1
    assert "nothing of customer C-9" in dealwright("erase", "C-9", "--reason", "asked", expect=2).err
    log = dealwright("audit", "--top", "3").out.splitlines()
    assert [line.split("  ")[2] for line in log] == [
        "erase customer erased: asked",
        f"resolve_contest assignment {number}: it stands",
        f"contest assignment {number}: not mine",
    ]
    assert "nobody has done such a thing" in dealwright("audit", "--action", "fly").err
