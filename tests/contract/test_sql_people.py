"""People come and go: leads that are given on, agents who leave, customers who return, contacts in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import Row, add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database

LEAD = {"destination": "Mars", "lead_source": "Organic"}
POLICIES = ("workload", "fair", "value", "classic")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        yield opened
        check_desk(opened)
        for row in rows(
            opened, "select assignment_id, dealwright.replay(assignment_id) as r from dealwright.decision"
        ):
            assert row["r"]["agrees"], row


def staff(connection: Connection[Any], *names: str, capacity: int = 10) -> dict[str, int]:
    """Add agents, the first with the most years of service: the first of an idle floor under workload."""
    return {
        name: add_agent(connection, name, capacity=capacity, years_of_service=20.0 - place)
        for place, name in enumerate(names)
    }


def reassign(connection: Connection[Any], placed: Row, reason: str = "ill") -> Row:
    return rows(connection, "select * from dealwright.reassign(%s, %s)", placed["assignment_id"], reason)[0]


def decline(connection: Connection[Any], placed: Row, reason: str = "no time") -> Row:
    return rows(connection, "select * from dealwright.decline(%s, %s)", placed["assignment_id"], reason)[0]


def deactivate(connection: Connection[Any], agent_id: int, *, hand_over: bool = True) -> Row:
    answer: Row = value(connection, "select dealwright.deactivate_agent(%s, %s)", agent_id, hand_over)
    return answer


def holder(connection: Connection[Any], lead_id: int) -> str | None:
    """Return who has a lead."""
    name: str | None = value(connection, "select agent_name from dealwright.placement_of(%s)", lead_id)
    return name


def refused(connection: Connection[Any], statement: str, *parameters: Any) -> tuple[str | None, str]:
    with pytest.raises(psycopg.Error) as error:
        rows(connection, statement, *parameters)
    return error.value.sqlstate, error.value.diag.message_primary or ""


# giving on


@pytest.mark.parametrize("policy", POLICIES)
def test_a_lead_goes_round_everybody_before_it_comes_back(connection: Connection[Any], policy: str) -> None:
    names = ("Ada", "Ben", "Cleo", "Dan", "Eve")
    staff(connection, *names)
    load_model(connection, random_model(np.random.default_rng(3)))
    load_classic(connection)
    for _ in range(3):
        placed = assign(connection, LEAD, policy)
        path = [placed["agent_name"]]
        for _ in names[1:]:
            placed = reassign(connection, placed)
            path.append(placed["agent_name"])
        assert set(path) == set(names)
        # everybody has had it: again to anybody but the last
        assert reassign(connection, placed)["agent_name"] in path[:-1]


def test_who_had_the_lead_gets_it_again_when_nobody_else_has_room(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", "Cleo")
    first = assign(connection, LEAD, "workload")
    second = reassign(connection, first)
    assert (first["agent_name"], second["agent_name"]) == ("Ada", "Ben")
    rows(connection, "update dealwright.agent set capacity = 0 where name = 'Cleo'")
    third = reassign(connection, second)
    assert third["agent_name"] == "Ada"
    (notice,) = third["notices"]
    assert notice == "had the lead before: Ada (1), Ben (2)"
    assert value(
        connection,
        "select excluded_agent_ids from dealwright.decision where assignment_id = %s",
        third["assignment_id"],
    ) == [2]
    # the one who has it, and is there, keeps it rather than nobody
    rows(connection, "update dealwright.agent set capacity = 0 where name = 'Ben'")
    code, message = refused(connection, "select dealwright.reassign(%s, 'x')", third["assignment_id"])
    assert (code, "stays with agent 1" in message) == ("DW001", True)
    assert holder(connection, third["lead_id"]) == "Ada"


def test_a_move_by_hand_counts_as_having_had_the_lead(connection: Connection[Any]) -> None:
    agents = staff(connection, "Ada", "Ben", "Cleo")
    placed = assign(connection, LEAD, "workload")
    rows(connection, "update dealwright.assignment set agent_id = %s", agents["Cleo"])
    assert reassign(connection, placed)["agent_name"] == "Ben"
    assert value(connection, "select held_by from dealwright.assignment where status = 'open'") == [1, 3]


def test_the_history_says_who_had_it_and_why_it_went_on(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", "Cleo")
    placed = assign(connection, LEAD, "workload")
    decline(connection, reassign(connection, placed, "customer asked"))
    history = rows(connection, "select * from dealwright.holders_of(%s)", placed["lead_id"])
    assert [(row["agent_name"], row["status"], row["end_reason"]) for row in history] == [
        ("Ada", "reassigned", "customer asked"),
        ("Ben", "reassigned", "declined: no time"),
        ("Cleo", "open", None),
    ]
    told = value(connection, "select dealwright.explain(%s)", history[-1]["assignment_id"])
    assert [row["agent_name"] for row in told["history"]] == ["Ada", "Ben", "Cleo"]


def test_explain_tells_the_history_from_the_first_agent_on(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", "Cleo")
    placed = assign(connection, LEAD, "workload")
    for _ in range(2):
        placed = reassign(connection, placed)
    explained = value(connection, "select dealwright.explain(%s)", placed["assignment_id"])
    assert [holder["agent_name"] for holder in explained["history"]] == ["Ada", "Ben", "Cleo"]


def test_a_declined_lead_never_goes_back_to_who_declined_it(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", capacity=3)
    placed = assign(connection, LEAD, "workload")
    second = decline(connection, placed)
    assert second["agent_name"] == "Ben"
    assert second["booking_id"] == placed["booking_id"]
    third = decline(connection, second)
    assert (third["status"], third["agent_id"]) == ("waiting", None)
    assert third["notices"] == ["had the lead before: Ada (1), Ben (2)"]
    # though both have room, and get others
    assert assign(connection, LEAD, "workload")["agent_name"] == "Ada"
    assert value(connection, "select agents_who_could from dealwright.waiting_lead") == 0
    rows(connection, "select dealwright.fill_free_places()")
    rows(connection, "update dealwright.lead set priority = 5 where lead_id = %s", placed["lead_id"])
    assert holder(connection, placed["lead_id"]) is None
    cleo = add_agent(connection, "Cleo")
    assert holder(connection, placed["lead_id"]) == "Cleo"
    (live,) = rows(connection, "select * from dealwright.placement_of(%s)", placed["lead_id"])
    assert (live["booking_id"], live["agent_id"]) == (placed["booking_id"], cleo)
    assert live["match_score"] == 100  # the first of those who may have it
    # not even when nobody else is there, until the floor manager says so
    again = decline(connection, live)
    assert again["status"] == "waiting"
    rows(connection, "update dealwright.lead set declined_by = null where lead_id = %s", placed["lead_id"])
    assert holder(connection, placed["lead_id"]) is not None


# who leaves


def test_a_lead_of_somebody_who_left_waits_and_takes_its_booking_along(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", capacity=1)
    hers, his = assign(connection, LEAD, "workload"), assign(connection, LEAD, "workload")
    rows(connection, "update dealwright.agent set active = false where name = 'Ada'")
    rows(
        connection,
        "update dealwright.booking set package = 'suite' where booking_id = %s",
        hers["booking_id"],
    )
    waiting = reassign(connection, hers, "Ada has left")
    assert (waiting["status"], waiting["booking_id"]) == ("waiting", None)
    assert value(connection, "select open from dealwright.agent where name = 'Ada'") == 0
    # nobody has it, so nobody can settle it
    code, message = refused(
        connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", hers["booking_id"]
    )
    assert code == "DW001"
    assert (
        message
        == f"booking {hers['booking_id']} waits in the queue with lead {hers['lead_id']}: nobody has it"
    )
    check_desk(connection)
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", his["booking_id"])
    (live,) = rows(connection, "select * from dealwright.placement_of(%s)", hers["lead_id"])
    assert (live["agent_name"], live["booking_id"]) == ("Ben", hers["booking_id"])
    assert (
        value(connection, "select package from dealwright.booking where booking_id = %s", hers["booking_id"])
        == "suite"
    )
    assert value(connection, "select count(*) from dealwright.booking") == 2


def test_a_place_that_is_freed_meanwhile_is_not_overlooked(
    database: Database, connection: Connection[Any]
) -> None:
    staff(connection, "Ada", "Ben", capacity=1)
    hers, his = assign(connection, LEAD, "workload"), assign(connection, LEAD, "workload")
    rows(connection, "update dealwright.agent set active = false where name = 'Ada'")
    with database.connect() as settling, ThreadPoolExecutor(1) as pool:
        rows(settling, "select dealwright.settle_booking(%s::bigint, 'confirmed')", his["booking_id"])
        moved = pool.submit(reassign, connection, hers)
        waits = "select count(*) from pg_locks where not granted and relation = %s::regclass"
        while not value(settling, waits, "dealwright_engine.queue_gate"):
            assert not moved.done()
            time.sleep(0.01)
        settling.commit()
        assert moved.result(timeout=30)["agent_name"] == "Ben"


def test_a_lead_from_the_queue_goes_before_one_that_came_later(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", capacity=1)
    hers, his = assign(connection, LEAD, "workload"), assign(connection, LEAD, "workload")
    late = assign(connection, LEAD)
    assert late["status"] == "waiting"
    deactivate(connection, 1)
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", his["booking_id"])
    assert holder(connection, hers["lead_id"]) == "Ben"
    assert holder(connection, late["lead_id"]) is None


def test_a_withdrawn_lead_cancels_the_booking_that_waits_with_it(connection: Connection[Any]) -> None:
    staff(connection, "Ada", capacity=1)
    placed = assign(connection, LEAD)
    assert deactivate(connection, 1)["waiting"] == [{"lead_id": placed["lead_id"], "customer_name": "Kate"}]
    rows(connection, "update dealwright.lead set status = 'withdrawn'")
    assert value(connection, "select status from dealwright.booking") == "cancelled"
    check_desk(connection)
    # should the customer change their mind, the lead gets a booking of its own
    rows(connection, "update dealwright.agent set active = true")
    rows(connection, "update dealwright.lead set status = 'new'")
    (live,) = rows(connection, "select * from dealwright.placement_of(%s)", placed["lead_id"])
    assert live["agent_name"] == "Ada"
    assert live["booking_id"] not in (None, placed["booking_id"])


def test_a_lead_that_had_no_booking_gets_one_from_the_queue(connection: Connection[Any]) -> None:
    waiting = assign(connection, LEAD)
    ada = add_agent(connection, "Ada", active=False)
    # by hand, and so without a booking
    rows(
        connection,
        "insert into dealwright.assignment (lead_id, agent_id) values (%s, %s)",
        waiting["lead_id"],
        ada,
    )
    (hers,) = rows(connection, "select * from dealwright.placement_of(%s)", waiting["lead_id"])
    assert (hers["agent_name"], hers["booking_id"]) == ("Ada", None)
    assert decline(connection, hers)["status"] == "waiting"
    add_agent(connection, "Ben")
    (live,) = rows(connection, "select * from dealwright.placement_of(%s)", waiting["lead_id"])
    assert live["agent_name"] == "Ben"
    assert value(
        connection, "select status from dealwright.booking where booking_id = %s", live["booking_id"]
    ) == ("pending")


@pytest.mark.parametrize("status", ["open", "lapsed"])
def test_a_hand_written_assignment_takes_over_what_waits(connection: Connection[Any], status: str) -> None:
    staff(connection, "Ada", capacity=1)
    placed = assign(connection, LEAD)
    deactivate(connection, 1)
    ben = add_agent(connection, "Ben", skills=["x"], capacity=0)
    rows(connection, "update dealwright.lead set required_skills = '{y}'")
    rows(connection, "update dealwright.agent set capacity = 1 where agent_id = %s", ben)
    rows(
        connection,
        "insert into dealwright.assignment (lead_id, agent_id, status) values (%s, %s, %s)",
        placed["lead_id"],
        ben,
        status,
    )
    if status == "lapsed":
        assert value(connection, "select status from dealwright.booking") == "cancelled"
        return
    (live,) = rows(connection, "select * from dealwright.placement_of(%s)", placed["lead_id"])
    assert (live["agent_name"], live["booking_id"]) == ("Ben", placed["booking_id"])
    assert value(connection, "select held_by from dealwright.assignment where status = 'open'") == [1]


@pytest.mark.parametrize("policy", POLICIES)
def test_handing_over_follows_the_ranking_and_leaves_nothing(
    connection: Connection[Any], policy: str
) -> None:
    agents = staff(connection, "Ada")
    load_classic(connection)
    placed = [assign(connection, LEAD, policy, priority=priority) for priority in (0, 0, 2, 1)]
    for name, capacity in (("Ben", 2), ("Cleo", 1)):
        agents[name] = add_agent(connection, name, capacity=capacity, years_of_service=3)
    answer = deactivate(connection, agents["Ada"])
    assert (answer["was_active"], answer["active"], answer["open"]) == (True, False, 0)
    # the most urgent first; for the last one there is no room
    assert [row["lead_id"] for row in answer["handed_over"]] == [placed[i]["lead_id"] for i in (2, 3, 0)]
    assert sorted(row["agent_name"] for row in answer["handed_over"]) == ["Ben", "Ben", "Cleo"]
    assert [row["lead_id"] for row in answer["waiting"]] == [placed[1]["lead_id"]]
    assert value(
        connection, "select array_agg(distinct end_reason) from dealwright.assignment where agent_id = 1"
    ) == ["Ada (1) is not active"]
    # she comes back and has room: the lead that waits is hers
    answer = value(connection, "select dealwright.activate_agent(%s)", agents["Ada"])
    assert (answer["was_active"], answer["from_queue"], answer["open"]) == (False, 1, 1)
    assert holder(connection, placed[1]["lead_id"]) == "Ada"


def test_without_handing_over_the_open_leads_stay(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, "workload")
    answer = deactivate(connection, 1, hand_over=False)
    assert (answer["open"], answer["handed_over"], answer["waiting"]) == (1, [], [])
    assert holder(connection, placed["lead_id"]) == "Ada"
    assert assign(connection, LEAD, "workload")["agent_name"] == "Ben"
    # and can be handed over later
    assert deactivate(connection, 1)["was_active"] is False
    assert holder(connection, placed["lead_id"]) == "Ben"


def test_unknown_people_are_refused(connection: Connection[Any]) -> None:
    add_agent(connection, "Ada", external_id="A-1")
    assert value(connection, "select dealwright.agent_named('A-1')") == 1
    for statement in (
        "select dealwright.agent_named('1')",  # Ada is called otherwise
        "select dealwright.agent_named('Bob')",
        "select dealwright.activate_agent(9)",
        "select dealwright.deactivate_agent(9, true)",
        "select dealwright.deactivate_agent(9)",
        "select dealwright.contact(9)",
        "select dealwright.decline(9, 'x')",
    ):
        assert refused(connection, statement)[0] == "DW003", statement


@pytest.mark.parametrize("way", ["function", "command", "plain"])
@pytest.mark.parametrize("room", [1, 0])
def test_a_reopened_booking_of_somebody_who_left_goes_to_others(
    connection: Connection[Any], way: str, room: int
) -> None:
    staff(connection, "Ada")
    placed = assign(connection, LEAD)
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed["booking_id"])
    add_agent(connection, "Ben", capacity=room, external_id="B")
    rows(connection, "update dealwright.agent set active = false where name = 'Ada'")
    statement = {
        "function": "select * from dealwright.settle_booking(%s::bigint, 'pending')",
        "command": "call dealwright.settle(%s::bigint, 'pending')",
        "plain": "update dealwright.booking set status = 'pending' where booking_id = %s",
    }[way]
    answer = rows(connection, statement, placed["booking_id"])
    (live,) = rows(connection, "select * from dealwright.placement_of(%s)", placed["lead_id"])
    assert (live["status"], live["agent_name"]) == (("assigned", "Ben") if room else ("waiting", None))
    if way != "plain":
        assert answer[0]["notices"] == [
            "Ada (1) is not active: handed over to Ben (B)"
            if room
            else "Ada (1) is not active and nobody else has room: the lead waits in the queue"
        ]
        if room:
            assert (answer[0]["agent_name"], answer[0]["open"]) == ("Ben", 1)
    if room:
        assert live["booking_id"] == placed["booking_id"]


def test_a_reopened_booking_of_somebody_present_stays_there(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, "workload")
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed["booking_id"])
    (answer,) = rows(
        connection, "select * from dealwright.settle_booking(%s::bigint, 'pending')", placed["booking_id"]
    )
    assert (answer["agent_name"], answer["notices"]) == ("Ada", None)


# customers who return


@pytest.mark.parametrize("policy", POLICIES)
def test_a_returning_customer_goes_to_the_former_agent(connection: Connection[Any], policy: str) -> None:
    staff(connection, "Ada", "Ben", "Cleo", capacity=30)
    load_model(connection, random_model(np.random.default_rng(5)))
    load_classic(connection)
    for customer in range(6):
        first = assign(connection, LEAD, policy, customer_id=f"C{customer}")
        assign(connection, LEAD, policy)
        second = assign(connection, LEAD, policy, customer_id=f"C{customer}")
        assert second["agent_id"] == first["agent_id"]
        assert second["notices"][0] == f"{first['agent_name']} ({first['agent_id']}) had this customer before"
        told = value(connection, "select dealwright.explain(%s)", second["assignment_id"])
        assert told["owner"]["agent_id"] == first["agent_id"]


@pytest.mark.parametrize(
    "change",
    [
        "active = false",
        "capacity = 1",
        "shifts = '{}'",
        "skills = '{}'",
    ],
)
def test_a_former_agent_who_cannot_take_the_lead_is_named(connection: Connection[Any], change: str) -> None:
    staff(connection, "Ada", "Ben")
    rows(connection, "update dealwright.agent set skills = '{luxury}'")
    lead = {"customer_id": "C1", "requirements": "a luxury cabin"}
    first = assign(connection, LEAD, "workload", **lead)
    assert first["agent_name"] == "Ada"
    rows(connection, f"update dealwright.agent set {change} where name = 'Ada'")
    second = assign(connection, LEAD, "workload", **lead)
    assert second["agent_name"] == "Ben"
    assert second["notices"][0] == "Ada (1), who had this customer before, could not take the lead"


def test_the_latest_agent_is_the_former_one(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    first = assign(connection, LEAD, "workload", customer_id="C1")
    assert reassign(connection, first)["agent_name"] == "Ben"
    assert assign(connection, LEAD, "workload", customer_id="C1")["agent_name"] == "Ben"  # Ada gave it on
    assert assign(connection, LEAD, "workload", customer_id="C2")["agent_name"] == "Ada"  # not the same one


def test_the_former_agent_is_that_of_the_latest_lead(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    assert assign(connection, LEAD, "workload", customer_id="C1")["agent_name"] == "Ada"
    rows(connection, "update dealwright.agent set active = false where name = 'Ada'")
    assert assign(connection, LEAD, "workload", customer_id="C1")["agent_name"] == "Ben"
    rows(connection, "update dealwright.agent set active = true, years_of_service = 99 where name = 'Ada'")
    assert assign(connection, LEAD, "workload", customer_id="C1")["agent_name"] == "Ben"


def test_whoever_gave_a_lead_back_is_not_the_former_agent(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    rows(connection, "update dealwright.agent set skills = '{luxury}' where name = 'Ben'")
    assert assign(connection, LEAD, "workload", customer_id="C1")["agent_name"] == "Ada"
    second = assign(connection, LEAD, "workload", customer_id="C1", skills=["luxury"])
    assert second["agent_name"] == "Ben"
    assert decline(connection, second)["status"] == "waiting"
    # by the workload it would be Ben
    assert assign(connection, LEAD, "workload", customer_id="C1")["agent_name"] == "Ada"


@pytest.mark.parametrize("policy", ["value", "workload"])
def test_a_ranking_names_the_former_agent(connection: Connection[Any], policy: str) -> None:
    staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, policy, customer_id="C1")
    said = "had this customer before: gets the lead if able to"
    for customer, named in (("C1", [placed["agent_id"]]), ("C2", [])):
        ranking = rows(
            connection,
            "select * from dealwright.rank_agents(%s, %s)",
            psycopg.types.json.Jsonb({"customer_id": customer, "attributes": LEAD}),
            policy,
        )
        assert [row["agent_id"] for row in ranking if {"reason": said} in row["reasons"]] == named


def test_owner_ignore_leaves_the_ranking_alone(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    rows(
        connection, "update dealwright.policy set params = '{\"owner\": \"ignore\"}' where name = 'workload'"
    )
    assert assign(connection, LEAD, "workload", customer_id="C1")["agent_name"] == "Ada"
    second = assign(connection, LEAD, "workload", customer_id="C1")
    assert second["agent_name"] == "Ben"
    assert not any("had this customer" in notice for notice in second["notices"])
    assert value(connection, "select max(owner_agent_id) from dealwright.decision") is None


def test_who_gives_a_customer_on_does_not_get_them_back_as_the_former_agent(
    connection: Connection[Any],
) -> None:
    staff(connection, "Ada", "Ben")
    assign(connection, LEAD, "workload", customer_id="C1")
    second = assign(connection, LEAD, "workload", customer_id="C1")
    assert second["agent_name"] == "Ada"
    third = decline(connection, second)
    assert third["agent_name"] == "Ben"
    # Ada could have taken it, and did not want to
    assert [notice for notice in third["notices"] if "this customer before" in notice] == []


def test_leads_without_a_customer_id_go_where_they_went(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    for _ in range(4):
        placed = assign(connection, LEAD, "workload")
        assert (placed["duplicates"], placed["notices"]) == (None, None)
    assert value(connection, "select array_agg(open order by agent_id) from dealwright.agent") == [2, 2]


def test_possible_duplicates_are_said(connection: Connection[Any]) -> None:
    staff(connection, "Ada", capacity=3)
    settled = assign(connection, LEAD, customer_id="C1")
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", settled["booking_id"])
    form = assign(connection, LEAD, customer="kate ")
    other = assign(connection, {**LEAD, "destination": "Titan"}, customer_id="C1")
    assert other["duplicates"] is None  # what is settled is over
    answer = assign(connection, LEAD, customer_id="C1")
    assert answer["duplicates"] == [form["lead_id"], other["lead_id"]]
    assert answer["notices"][1:] == [
        f"may be the same enquiry as lead {form['lead_id']} (with Ada (1)): the same name and attributes",
        f"may be the same enquiry as lead {other['lead_id']} (with Ada (1)): the same customer",
    ]
    waiting = assign(connection, LEAD, customer_id="C2")
    assert waiting["duplicates"] == [form["lead_id"]]  # C1 is somebody else
    found = rows(connection, "select * from dealwright.duplicates_of(%s)", form["lead_id"])
    assert [(row["lead_id"], row["agent_name"]) for row in found] == [
        (answer["lead_id"], "Ada"),
        (waiting["lead_id"], None),
    ]


def test_the_same_form_is_looked_for_among_a_thousand_leads_around(connection: Connection[Any]) -> None:
    staff(connection, "Ada")
    first = assign(connection, LEAD)["lead_id"]
    duplicates = "select array_agg(lead_id) from dealwright.duplicates_of(%s)"
    for later, found in ((1000, True), (2001, False)):
        rows(connection, "select setval('dealwright.lead_lead_id_seq', %s)", first + later - 1)
        lead = assign(connection, LEAD)["lead_id"]
        assert lead == first + later
        assert value(connection, duplicates, lead) == ([first] if found else None)
    assert value(connection, duplicates, first) == [first + 1000]


def test_a_key_that_comes_again_with_another_customer_id_is_a_conflict(connection: Connection[Any]) -> None:
    staff(connection, "Ada")
    first = assign(connection, LEAD, customer_id="C1", idempotency_key="k")
    assert assign(connection, LEAD, customer_id="C1", idempotency_key="k")["lead_id"] == first["lead_id"]
    assert assign(connection, LEAD, idempotency_key="k")["lead_id"] == first["lead_id"]
    with pytest.raises(psycopg.Error, match="its customer differs"):
        assign(connection, LEAD, customer_id="C2", idempotency_key="k")


def test_a_customer_id_has_bounds(connection: Connection[Any]) -> None:
    insert = "insert into dealwright.lead (customer_name, customer_id, attributes) values ('K', %s, %s)"
    for wrong in ("", "x" * 501, "a\tb"):
        assert refused(connection, insert, wrong, psycopg.types.json.Jsonb(LEAD))[0] == "DW002"
    assert assign(connection, LEAD, customer_id="")["status"] == "waiting"
    assert value(connection, "select customer_id from dealwright.lead") is None


# contacts in time


def answer_within(connection: Connection[Any], minutes: float | None) -> None:
    rows(
        connection,
        "update dealwright.policy set params = case when %s::float8 is null "
        "then params - 'respond_within_min' "
        "else params || jsonb_build_object('respond_within_min', %s::float8) end",
        minutes,
        minutes,
    )


def let_time_pass(connection: Connection[Any], minutes: float) -> None:
    rows(
        connection,
        "update dealwright_engine.response_due set due_at = due_at - make_interval(secs => 60 * %s::float8)",
        minutes,
    )


def return_all(connection: Connection[Any]) -> int:
    """Call it until it returns 0, as the worker does."""
    returned = 0
    while value(connection, "select dealwright.return_unanswered()"):
        returned += 1
    return returned


def test_an_unanswered_lead_goes_to_the_next_agent(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben", "Cleo")
    before = assign(connection, LEAD, "workload")  # nothing was asked of it
    answer_within(connection, 15)
    silent = assign(connection, LEAD, "workload")
    answered = assign(connection, LEAD, "workload")
    settled = assign(connection, LEAD, "workload")
    assert [p["agent_name"] for p in (before, silent, answered, settled)] == ["Ada", "Ben", "Cleo", "Ada"]
    first = value(connection, "select dealwright.contact(%s)", answered["assignment_id"])
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", settled["booking_id"])
    let_time_pass(connection, 14.9)
    assert return_all(connection) == 0
    let_time_pass(connection, 0.2)
    assert return_all(connection) == 1
    # Ada has one open and is the first by years of service; Cleo has one open, too
    assert holder(connection, silent["lead_id"]) == "Ada"
    for placed, name in ((before, "Ada"), (answered, "Cleo"), (settled, "Ada")):
        assert holder(connection, placed["lead_id"]) == name
    history = rows(connection, "select * from dealwright.holders_of(%s)", silent["lead_id"])
    assert [(row["agent_name"], row["end_reason"]) for row in history] == [
        ("Ben", "no contact within 15 minutes"),
        ("Ada", None),
    ]
    assert (
        value(
            connection,
            "select first_contact_at from dealwright.assignment where assignment_id = %s",
            answered["assignment_id"],
        )
        == first
    )
    # the next one has as long, and then it goes on to who has not had it
    let_time_pass(connection, 15.1)
    assert return_all(connection) == 1
    assert holder(connection, silent["lead_id"]) == "Cleo"


def test_an_unanswered_lead_stays_where_nobody_else_has_room(connection: Connection[Any]) -> None:
    staff(connection, "Ada", capacity=2)
    answer_within(connection, 5)
    placed = [assign(connection, LEAD) for _ in range(2)]
    let_time_pass(connection, 6)
    assert return_all(connection) == 0
    assert [holder(connection, p["lead_id"]) for p in placed] == ["Ada", "Ada"]
    add_agent(connection, "Ben", capacity=1)
    assert return_all(connection) == 0  # it is looked at again after a minute
    let_time_pass(connection, 1.1)
    assert return_all(connection) == 1
    assert sorted(str(holder(connection, p["lead_id"])) for p in placed) == ["Ada", "Ben"]


def test_an_unanswered_lead_of_somebody_who_left_goes_back_to_the_queue(connection: Connection[Any]) -> None:
    staff(connection, "Ada")
    answer_within(connection, 5)
    placed = assign(connection, LEAD)
    rows(connection, "update dealwright.agent set active = false")
    let_time_pass(connection, 6)
    assert return_all(connection) == 1
    assert value(connection, "select status from dealwright.lead") == "waiting"
    rows(connection, "update dealwright.agent set active = true")
    assert holder(connection, placed["lead_id"]) == "Ada"


def test_the_rule_can_be_taken_back(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    answer_within(connection, 5)
    assign(connection, LEAD)
    answer_within(connection, None)
    let_time_pass(connection, 6)
    assert return_all(connection) == 0
    assert value(connection, "select count(*) from dealwright_engine.response_due") == 0


def test_a_settled_booking_was_answered(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    answer_within(connection, 5)
    placed = assign(connection, LEAD, "workload")
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'cancelled')", placed["booking_id"])
    rows(connection, "select dealwright.settle_booking(%s::bigint, 'pending')", placed["booking_id"])
    let_time_pass(connection, 6)
    assert return_all(connection) == 0
    assert holder(connection, placed["lead_id"]) == "Ada"


def test_the_first_contact_is_the_earliest(connection: Connection[Any]) -> None:
    staff(connection, "Ada", "Ben")
    placed = assign(connection, LEAD, "workload")
    contact = "select dealwright.contact(%s, %s::timestamptz)"
    number = placed["assignment_id"]
    late = value(connection, contact, number, None)
    assert value(connection, contact, number, "2026-01-02 10:00Z").isoformat()[:16] == "2026-01-02T10:00"
    early = value(connection, contact, number, late)
    assert early.isoformat()[:10] == "2026-01-02"
    assert refused(connection, contact, number, "2101-01-01 10:00Z")[0] == "DW002"
    event = rows(connection, "select * from dealwright.event where kind = 'contacted'")
    assert [row["assignment_id"] for row in event] == [number] * 3
    reassign(connection, placed)
    code, message = refused(connection, contact, number, None)
    assert (code, message) == ("DW001", f"assignment {number} was given to somebody else")
    # the next agent has to reach the customer anew
    assert (
        value(connection, "select first_contact_at from dealwright.assignment where status = 'open'") is None
    )


@pytest.mark.parametrize(
    "params",
    [
        '{"owner": "perhaps"}',
        '{"owner": true}',
        '{"respond_within_min": 0}',
        '{"respond_within_min": "15"}',
        '{"respond_within_min": 1e9}',
        '{"accept_within_min": 0}',
        '{"accept_within_min": "5"}',
    ],
)
def test_wrong_parameters_are_refused(connection: Connection[Any], params: str) -> None:
    code, message = refused(connection, "update dealwright.policy set params = %s", params)
    assert code == "DW002"
    assert " must be " in message
