"""Scenarios of territories on the desk: edited in turn, undone, approved from a day on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from engine import rows

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.errors import ConflictError, InputError, NotFoundError

EDIT = {"kind": "accounts", "accounts": ["A1"], "to": "R2"}


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def done_night(desk: Desk) -> int:
    night = desk.nights.request("k", "Ann", {}, begin_at=datetime(2026, 1, 1, tzinfo=UTC))
    desk.nights.begin("w", datetime(2026, 1, 2, tzinfo=UTC))
    desk.nights.end(night, "done", folder="000001", result={})
    return night


def approve(desk: Desk, scenario_id: int, day: date, *, edits: int = 0) -> Any:
    return desk.territory_scenarios.approve(
        scenario_id, day, "Ben", edits=edits, figures={"moved": 1},
        holders={"T001": "R1", "T002": None}, accounts=[("A1", "T001"), ("A2", "T001")],
    )  # fmt: skip


def test_a_scenario_is_a_copy_of_a_night_that_is_done(desk: Desk) -> None:
    with pytest.raises(NotFoundError, match="night 7 is not done"):
        desk.territory_scenarios.create("North", 7, "Ann")
    made = desk.territory_scenarios.create("  North   2027 ", done_night(desk), "Ann")
    assert (made.name, made.status, made.edits, made.last_edit) == ("North 2027", "draft", 0, 0)
    with pytest.raises(ConflictError, match="North 2027"):
        desk.territory_scenarios.create("North 2027", made.night_id, "Ann")
    with pytest.raises(InputError, match="needs a name"):
        desk.territory_scenarios.create("  ", made.night_id, "Ann")
    assert desk.territory_scenarios.list() == (made,)
    with pytest.raises(NotFoundError, match="no scenario 99"):
        desk.territory_scenarios.get(99)


def test_edits_are_kept_when_they_are_undone(desk: Desk) -> None:
    book = desk.territory_scenarios
    made = book.create("North", done_night(desk), "Ann")
    with pytest.raises(ConflictError, match="no edit to undo"):
        book.undo(made.scenario_id, "Ann")
    assert [book.edit(made.scenario_id, EDIT, "Ann") for _ in range(2)] == [1, 2]
    assert book.undo(made.scenario_id, "Ben") == 2
    assert book.edit(made.scenario_id, EDIT, "Cleo", after=1) == 3
    found = book.edits(made.scenario_id)
    assert [(row["number"], row["made_by"], row["undone_by"]) for row in found] == [
        (1, "Ann", None), (2, "Ann", "Ben"), (3, "Cleo", None),
    ]  # fmt: skip
    assert (book.get(made.scenario_id).edits, book.get(made.scenario_id).last_edit) == (2, 3)


def test_who_has_not_seen_the_last_edit_is_refused(desk: Desk) -> None:
    book = desk.territory_scenarios
    made = book.create("North", done_night(desk), "Ann")
    book.edit(made.scenario_id, EDIT, "Ann", after=0)
    with pytest.raises(ConflictError, match="somebody else has changed"):
        book.edit(made.scenario_id, EDIT, "Ben", after=0)
    with pytest.raises(ConflictError, match="somebody else has changed"):
        approve(desk, made.scenario_id, date(2026, 2, 1))
    assert book.get(made.scenario_id).status == "draft"


def test_one_scenario_is_in_force_at_a_date(desk: Desk) -> None:
    book = desk.territory_scenarios
    night = done_night(desk)
    ids = [book.create(name, night, "Ann").scenario_id for name in ("North", "South", "West")]
    approve(desk, ids[0], date(2026, 2, 1))
    approve(desk, ids[1], date(2026, 3, 1))
    with pytest.raises(ConflictError, match='"South" is approved from that day on'):
        approve(desk, ids[2], date(2026, 3, 1))

    def in_force(day: date) -> str | None:
        found = book.in_force(day)
        return None if found is None else found.name

    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1), date(2027, 1, 1)]
    assert [in_force(day) for day in days] == [None, "North", "North", "South", "South"]
    assert book.retire(ids[1]).status == "retired"
    assert in_force(date(2027, 1, 1)) == "North"
    with pytest.raises(ConflictError, match="retired already"):
        book.retire(ids[1])


def test_an_approval_is_on_record_and_stays_as_it_is(desk: Desk) -> None:
    book = desk.territory_scenarios
    made = book.create("North", done_night(desk), "Ann")
    book.edit(made.scenario_id, EDIT, "Ann")
    found = approve(desk, made.scenario_id, date(2026, 2, 1), edits=1)
    assert (found.status, found.approved_by, found.effective_from) == ("approved", "Ben", date(2026, 2, 1))
    assert found.figures == {"moved": 1}
    assert list(book.approved(made.scenario_id)) == [
        {"account_id": "A1", "territory": "T001", "rep_id": "R1"},
        {"account_id": "A2", "territory": "T001", "rep_id": "R1"},
        {"account_id": None, "territory": "T002", "rep_id": None},
    ]
    for change in (
        lambda: book.edit(made.scenario_id, EDIT, "Ann"),
        lambda: book.undo(made.scenario_id, "Ann"),
    ):
        with pytest.raises(ConflictError, match="it stays as it is"):
            change()
    with desk.database.connect() as connection:
        changes = rows(
            connection, "select action, object_id, after from dealwright.change order by change_id"
        )
    assert [row["action"] for row in changes][-2:] == ["create_scenario", "approve_scenario"]
    assert changes[-1]["after"] == {"effective_from": "2026-02-01", "edits": 1, "accounts": 2, "moved": 1}


@pytest.mark.parametrize(("role", "may"), [("dealwright_planner", True), ("dealwright_reader", False)])
def test_planners_draw_territories_and_readers_read_them(desk: Desk, role: str, may: bool) -> None:
    night = done_night(desk)
    desk.make_roles()
    with desk.database.connect(autocommit=True) as connection:
        connection.execute(f"set role {role}")
        assert rows(connection, "select * from dealwright.territory_scenarios()") == []
        if may:
            connection.execute("select dealwright.create_territory_scenario('North', %s, 'Ann')", [night])
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select dealwright.create_territory_scenario('North', %s, 'Ann')", [night])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from dealwright_engine.territory_scenario")
