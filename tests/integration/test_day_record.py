"""What people change of a day is on record, in one order, and can be undone and done again."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from engine import rows

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.errors import ConflictError, InputError, NotFoundError

DAY = date(2026, 7, 1)


@pytest.fixture
def desk(database: Database) -> Desk:
    found = Desk(database)
    found.nights.request("n", "somebody")
    return found


def leave_out(account: str) -> dict[str, str]:
    return {"kind": "leave_out", "account_id": account}


def test_changes_count_until_they_are_undone_and_again_when_they_are_done_again(desk: Desk) -> None:
    changes = desk.day_changes
    first = changes.add(1, DAY, leave_out("A"), seen=0, made_by="Ann")
    second = changes.add(1, DAY, leave_out("B"), seen=first, made_by="Ben")
    undone = changes.undo(1, DAY, seen=second, made_by="Ann")
    record = changes.of(1, DAY)
    assert [deed.change_id for deed in record.counting] == [first]
    assert record.undone is not None
    assert (record.undone.change_id, record.seen, record.is_published) == (second, undone, False)
    again = changes.undo(1, DAY, seen=undone, made_by="Ann")
    assert changes.of(1, DAY).counting == ()
    with pytest.raises(ConflictError, match="nothing to undo"):
        changes.undo(1, DAY, seen=again, made_by="Ann")
    # in the order in which they were made
    done = changes.redo(1, DAY, seen=again, made_by="Ann")
    assert [deed.change_id for deed in changes.of(1, DAY).counting] == [first]
    done = changes.redo(1, DAY, seen=done, made_by="Ann")
    assert [deed.change_id for deed in changes.of(1, DAY).counting] == [first, second]
    undone = changes.undo(1, DAY, seen=done, made_by="Ann")
    new = changes.add(1, DAY, leave_out("C"), seen=undone, made_by="Ann")
    with pytest.raises(ConflictError, match="nothing to do again"):
        changes.redo(1, DAY, seen=new, made_by="Ann")
    # another day has a record of its own
    assert changes.of(1, date(2026, 7, 2)).deeds == ()


def test_who_has_not_seen_the_last_change_is_told_so_and_one_of_two_at_once_wins(desk: Desk) -> None:
    changes = desk.day_changes
    first = changes.add(1, DAY, leave_out("A"), seen=0, made_by="Ann")
    with pytest.raises(ConflictError, match="Ann has changed this day meanwhile"):
        changes.add(1, DAY, leave_out("B"), seen=0, made_by="Ben")
    ends: list[str] = []

    def change(name: str) -> None:
        try:
            changes.add(1, DAY, leave_out(name), seen=first, made_by=name)
            ends.append("done")
        except ConflictError:
            ends.append("refused")

    threads = [threading.Thread(target=change, args=(name,)) for name in "BCDE"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["done", "refused", "refused", "refused"]
    with pytest.raises(NotFoundError, match="no night 9"):
        changes.add(9, DAY, leave_out("A"), seen=0, made_by="Ann")


def test_every_deed_is_in_the_record_of_changes_and_nothing_but_known_kinds_is_stored(desk: Desk) -> None:
    changes = desk.day_changes
    seen = changes.add(1, DAY, leave_out("A"), seen=0, made_by="Ann")
    seen = changes.undo(1, DAY, seen=seen, made_by="Ann")
    changes.note_published(1, DAY, 1, "run", seen=seen, made_by="Ann")
    assert changes.of(1, DAY).is_published
    with desk.database.connect() as connection:
        found = rows(
            connection,
            "select action, object, object_id, after from dealwright.change where action like '%day%' "
            "order by change_id",
        )
    assert [row["action"] for row in found] == ["change_day", "undo_day_change", "publish_day"]
    assert {(row["object"], row["object_id"]) for row in found} == {("night", "1")}
    assert found[0]["after"]["change"] == "leave_out"
    assert found[2]["after"]["version"] == 1
    with pytest.raises(InputError, match="day_change_words"):
        changes._add(1, DAY, "erase", seen=changes.of(1, DAY).seen, made_by="Ann", change={})
