"""What a user of `Desk` may rely on: one trip, own ids, nothing half done, connections left as they were."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from engine import value

from dealwright import Desk
from dealwright.desk.database import Database
from dealwright.errors import ConflictError, InputError, NotFoundError, UnknownNameError

LEAD = {"customer_name": "Kate", "attributes": {"destination": "Mars"}}


@pytest.fixture
def desk(database: Database) -> Desk:
    with database.connect(autocommit=True) as connection:
        connection.execute("select dealwright.declare_dimension('destination', array['Mars', 'Titan'])")
        connection.execute(
            "insert into dealwright.agent (external_id, name, capacity, skills) values "
            "('A-7', 'Ada', 2, '{luxury}'), (null, 'Ben', 2, '{quiet}')"
        )
    return Desk(database)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the statements that are sent from now on."""
    statements: list[bytes] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        if query != "SET TIME ZONE 'UTC'":  # of the pool, which opens its spare connection whenever it likes
            statements.append(query)
        return execute(self, query, *more, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    return statements


def test_assign_and_settle_take_one_trip_and_answer_under_the_users_ids(
    desk: Desk, sent: list[bytes]
) -> None:
    desk.counts()  # opens a connection
    sent.clear()
    placed = [desk.assign(LEAD, "workload").row for _ in range(2)]
    settled = desk.settle(placed[0]["booking_id"], "confirmed", base_revenue=Decimal("100.50"))
    assert len(sent) == 3, sent
    assert {row["agent_id"] for row in placed} == {"A-7", 2}
    assert {(row["open"], row["capacity"]) for row in placed} == {(1, 2)}
    assert settled.row["agent_id"] == placed[0]["agent_id"]
    assert settled.row["agent_name"] == placed[0]["agent_name"]
    assert (settled.row["open"], settled.row["capacity"], settled.row["total_revenue"]) == (0, 2, 100.5)


def test_a_booking_is_named_by_the_users_id(desk: Desk) -> None:
    placed = desk.assign(LEAD)
    with desk.database.connect(autocommit=True) as connection:
        connection.execute("update dealwright.booking set external_id = 'B/9'")
    settled = desk.settle("B/9", "confirmed", total_revenue=0)
    assert settled.row["booking_id"] == "B/9"
    assert settled.row["total_revenue"] == 0
    with pytest.raises(NotFoundError, match=f"there is no booking {placed.booking_id}"):
        desk.settle(placed.booking_id or 0, "cancelled")  # it has another name


def test_a_revenue_of_nothing_is_an_amount(desk: Desk) -> None:
    booking = desk.assign(LEAD).booking_id
    assert booking is not None
    assert desk.settle(booking, "confirmed", base_revenue=0).row["total_revenue"] == 0
    with desk.database.connect() as connection:
        assert value(connection, "select base_revenue from dealwright.booking") == 0


def test_what_was_meant_is_said_when_a_lead_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean.*destination"):
        desk.assign({"customer_name": "Kate", "attributes": {"destinatoin": "Mars"}})
    with pytest.raises(UnknownNameError, match=r"did you mean.*Titan"):
        desk.rank({"attributes": {"destination": "Titn"}})
    with pytest.raises(InputError, match="nothing about destination"):
        desk.assign({"customer_name": "Kate"})
    assert desk.counts()["assignments"] == 0


def test_of_a_batch_with_a_bad_lead_nothing_is_placed(desk: Desk) -> None:
    with pytest.raises(UnknownNameError):
        list(desk.assign_all([LEAD, {"customer_name": "Bo", "attributes": {"destination": "Pluto"}}]))
    assert desk.counts()["assignments"] == 0


def test_a_batch_is_placed_in_one_trip_in_the_order_of_its_leads(desk: Desk, sent: list[bytes]) -> None:
    desk.counts()
    sent.clear()
    placed = desk.assign_many([LEAD | {"customer_name": name} for name in "abcde"], "workload")
    assert len(sent) == 1, sent
    assert [placement.row["status"] for placement in placed] == ["assigned"] * 4 + ["waiting"]
    assert {placement.row["agent_id"] for placement in placed} == {"A-7", 2, None}
    with desk.database.connect() as connection:
        names = value(connection, "select array_agg(customer_name order by lead_id) from dealwright.lead")
    assert names == list("abcde")
    assert [placement.row["lead_id"] for placement in placed] == [1, 2, 3, 4, 5]
    assert desk.assign_many([]) == ()


def test_a_batch_with_a_lead_that_is_refused_is_not_placed(desk: Desk) -> None:
    keyed = LEAD | {"idempotency_key": "k"}
    desk.assign(keyed)
    with pytest.raises(ConflictError, match=r"lead 2 of the batch.*belongs to another enquiry.*was placed"):
        desk.assign_many([LEAD, keyed | {"customer_name": "Bo"}])
    with pytest.raises(UnknownNameError):
        desk.assign_many([LEAD], "cheapest")
    assert desk.counts()["assignments"] == 1


def test_all_are_assigned_in_batches_up_to_the_one_that_is_refused(
    desk: Desk, sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealwright.desk.desk.BATCH_SIZE", 2)
    keyed = LEAD | {"idempotency_key": "k"}
    desk.assign(keyed)
    sent.clear()
    assert [placed.assigned for placed in desk.assign_all([keyed] * 5)] == [True] * 5
    assert len(sent) == 1 + 3, sent  # the dimensions, and three batches
    placements = desk.assign_all([LEAD, keyed, LEAD, keyed | {"customer_name": "Bo"}, LEAD])
    placed = [next(placements).row["lead_id"] for _ in range(3)]
    with pytest.raises(ConflictError, match=r"^idempotency_key"):
        next(placements)
    assert len(set(placed)) == 3
    assert desk.counts()["assignments"] == 3


def test_a_refused_command_leaves_a_connection_as_it_was(desk: Desk) -> None:
    desk.assign(LEAD)
    with pytest.raises(NotFoundError):
        desk.settle(99, "confirmed")
    with desk.database.connection() as connection:
        assert not connection.autocommit
        connection.execute("insert into dealwright.agent (name) values ('Cleo')")
        connection.rollback()
    with pytest.raises(psycopg.errors.DivisionByZero), desk.database.connection() as connection:
        connection.execute(
            "with hired as (insert into dealwright.agent (name) values ('Cleo') returning 1) "
            "select 1 / (count(*) - 1) from hired"
        )
    assert desk.counts()["agents"] == 2


def test_skills_of_a_corrected_text_go_with_it(desk: Desk) -> None:
    for _ in range(2):
        desk.assign({**LEAD, "requirements": "a luxury cabin"})
    waiting = desk.assign({**LEAD, "requirements": "a luxury cabin"})
    assert waiting.row["status"] == "waiting"
    with desk.database.connect(autocommit=True) as connection:
        connection.execute(
            "update dealwright.lead set requirements = 'quiet, please' where lead_id = %s",
            [waiting.row["lead_id"]],
        )
        name = (
            "select g.name from dealwright.placement_of(%s) as p join dealwright.agent as g using (agent_id)"
        )
        assert value(connection, name, waiting.row["lead_id"]) == "Ben"


def test_reassigning_says_why_it_cannot(desk: Desk) -> None:
    placed = desk.assign({**LEAD, "requirements": "a luxury cabin"})
    with pytest.raises(ConflictError, match="nobody else eligible has a free place"):
        desk.reassign(placed.assignment_id or 0, "ill")
