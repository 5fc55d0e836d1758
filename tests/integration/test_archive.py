"""The archive: what is in it explains, replays and verifies as before; nothing is lost in between."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg
import pytest
from command_line import Command, dealwright
from engine import add_agent, assign, declare, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright.desk import archive as archive_module
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.errors import ConflictError, InputError, NotFoundError

__all__ = ["dealwright"]
pytestmark = pytest.mark.administrator  # only a superuser may let time pass
FIRST_MONTHS = "select parent, partition from dealwright_engine.months() where from_time = '-infinity'"
NOW = datetime.now(UTC)
MODEL = random_model(np.random.default_rng(1))
LEADS = (
    {"destination": "Mars", "lead_source": "Organic"},
    {"destination": "Titan", "lead_source": "Bought"},
    {"destination": "Venus", "lead_source": "Organic"},
)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        declare(opened)
        load_model(opened, MODEL)
        for i in range(4):
            add_agent(opened, f"agent {i}", capacity=200, skills=["luxury"] if i < 2 else [], rating=float(i))
        yield opened


def age(connection: Connection[Any], months: int) -> None:
    """Let what was recorded this month have been recorded some months earlier."""
    with connection.transaction():
        rows(connection, "set local session_replication_role = replica")
        for table, column in (("decision", "decided_at"), ("event", "at")):
            rows(
                connection,
                f"update dealwright.{table} set {column} = {column} - make_interval(months => %s) "
                f"where {column} >= date_trunc('month', now())",
                months,
            )
    rows(connection, "select dealwright.prepare_months()")


def work(connection: Connection[Any], n: int = 6) -> list[int]:
    """Place leads under every policy, settle some, change the agents; return the assignments."""
    made = []
    for i in range(n):
        placed = assign(connection, LEADS[i % 3], ("value", "workload", "fair")[i // 3 % 3])
        made.append(placed["assignment_id"])
        if i % 2:
            rows(
                connection,
                "select dealwright.settle_booking(%s, 'confirmed', 900, 100, 1000)",
                placed["booking_id"],
            )
    rows(
        connection,
        "update dealwright.agent set rating = rating + 0.5, skills = skills || '{\"x\"}' where agent_id = 2",
    )
    return made


def explained(desk: Desk, ids: list[int], **where: Any) -> list[dict[str, Any]]:
    return [{**desk.explain(i, **where).to_dict(), "history": None} for i in ids]


# the months


def test_what_is_written_goes_to_the_partition_of_its_month(connection: Connection[Any]) -> None:
    work(connection)
    for table in ("decision", "event"):
        found = rows(connection, f"select distinct tableoid::regclass::text as name from dealwright.{table}")
        assert [row["name"] for row in found] == [f"dealwright_engine.{table}_{NOW:%Y_%m}"]


def test_partitions_are_made_ahead_and_once(connection: Connection[Any]) -> None:
    made = rows(connection, "select parent, to_time from dealwright_engine.months()")
    assert len(made) == 8
    assert max(row["to_time"] for row in made) > NOW + timedelta(days=80)
    assert value(connection, "select dealwright.prepare_months()") == 0
    assert value(connection, "select dealwright.prepare_months(5)") == 4
    assert len(rows(connection, "select * from dealwright_engine.months()")) == 12


@pytest.mark.parametrize("table", ["decision", "event"])
def test_a_partition_is_guarded_like_its_table(connection: Connection[Any], table: str) -> None:
    work(connection)
    age(connection, 2)
    work(connection)
    parts = rows(connection, "select partition from dealwright_engine.months() where parent = %s", table)
    names = [*(row["partition"] for row in parts), f"{table}_default"]
    assert len(names) == 6
    for name in names:
        for statement in (
            f"delete from dealwright_engine.{name}",
            f"update dealwright_engine.{name} set xid = xid",
            f"truncate dealwright_engine.{name}",
            f"insert into dealwright_engine.{name} overriding system value select * from dealwright.{table}",
        ):
            with pytest.raises(psycopg.Error) as refused:
                rows(connection, statement)
            assert refused.value.sqlstate == "DW001", statement


def test_without_months_nothing_fails_and_they_are_made_afterwards(connection: Connection[Any]) -> None:
    for row in rows(connection, "select parent, partition from dealwright_engine.months()"):
        rows(
            connection,
            f"alter table dealwright.{row['parent']} detach partition dealwright_engine.{row['partition']}",
        )
        rows(
            connection, f"alter table dealwright_engine.{row['partition']} rename to gone_{row['partition']}"
        )
    ids = work(connection)
    assert value(connection, "select count(*) from dealwright_engine.decision_default") == len(ids)
    assert (
        value(connection, "select dealwright.prepare_months()") == 6
    )  # this month's are what was the default ones
    assert value(connection, "select count(*) from dealwright_engine.decision_default") == 0
    assert value(connection, f"select count(*) from dealwright_engine.decision_{NOW:%Y_%m}") == len(ids)


# there and back


def test_the_archive_answers_as_the_database_did(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    old = work(connection, 9)
    age(connection, 5)
    middle = work(connection, 9)
    age(connection, 2)
    new = work(connection, 9)
    desk, where = Desk(database), {"archive": tmp_path / "archive"}
    before = explained(desk, old + middle + new)
    position = rows(
        connection, "select e.xid::text, e.position from dealwright.event as e order by e.xid, e.position"
    )
    counts = {
        name: value(connection, f"select count(*) from dealwright.{name}") for name in ("decision", "event")
    }
    done = desk.archive(NOW - timedelta(days=100), where["archive"])
    assert {month["kind"] for month in done.months} == {"decision", "event"}
    assert done.months[0]["rows"] == 9
    assert done.summary().startswith("9 decisions and ")
    assert not desk.archive(NOW - timedelta(days=100), where["archive"]).months
    assert value(connection, "select count(*) from dealwright.decision") == 18

    assert explained(desk, old + middle + new, **where) == before
    assert all(desk.replay(i, **where).agrees for i in old + middle + new)
    assert all(desk.replay(i).agrees for i in middle + new)
    with pytest.raises(
        NotFoundError, match=r"the desk did not decide it: or its decision is in the archive.*--archive"
    ):
        desk.replay(old[0])

    done = desk.archive(NOW, where["archive"])
    assert value(connection, "select count(*) from dealwright.decision") == 9
    assert all(desk.replay(i, **where).agrees for i in old + middle)
    assert all(desk.replay(i).agrees for i in new)
    assert explained(desk, old + middle + new, **where) == before
    # both are whole
    for name, ids in (("decision", ["decision_id"]), ("event", ["xid", "position"])):
        kept = pl.read_parquet(where["archive"] / name / "*" / "*.parquet")
        assert kept.height + value(connection, f"select count(*) from dealwright.{name}") == counts[name]
        assert not kept.select(ids).is_duplicated().any()
    left = rows(connection, "select xid::text, position from dealwright.read_events(most => 100000)")
    assert left == position[-len(left) :]
    # of the archived events only what is needed stays: of each agent its state, its traits
    assert value(connection, "select count(*) from dealwright_engine.event_kept") <= 2 * 4


def test_a_decision_that_could_not_see_what_was_archived_replays(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    """A snapshot of the month before is older than events that go to the archive with it."""
    work(connection)
    with database.connect() as other:
        add_agent(other, "not seen yet", capacity=200, skills=["luxury"], rating=9.0)
        for policy in ("value", "workload", "fair"):
            assign(connection, LEADS[0], policy, requirements="a yacht")
    ids = [
        row["assignment_id"]
        for row in rows(connection, "select assignment_id from dealwright.decision order by 1")
    ]
    # all events but no decision is of the past
    with connection.transaction():
        rows(connection, "set local session_replication_role = replica")
        rows(connection, "update dealwright.event set at = at - interval '3 months'")
    rows(connection, "select dealwright.prepare_months()")
    desk = Desk(database)
    before = explained(desk, ids)
    assert [month["kind"] for month in desk.archive(NOW, tmp_path).months] == ["event"]
    assert explained(desk, ids) == before
    assert all(desk.replay(i).agrees for i in ids)


def test_what_is_archived_is_verified(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    desk = Desk(database)
    work(connection, 5)
    age(connection, 5)
    value(connection, "select dealwright.seal_decisions()")
    work(connection, 4)
    age(connection, 2)
    work(connection, 3)  # in one block with those of two months ago
    value(connection, "select dealwright.seal_decisions()")
    work(connection, 2)
    value(connection, "select dealwright.seal_decisions()")
    assert desk.archive(NOW, tmp_path).months
    found = desk.verify()
    assert [block["intact"] for block in found.blocks] == [None, None, True]
    assert (found.intact, found.archived, found.unsealed) == (True, 12, 0)
    assert "12 of them not checked: they are in the archive (--archive)" in found.summary()
    found = desk.verify(archive=tmp_path)
    assert [block["intact"] for block in found.blocks] == [True, True, True]
    assert found.summary() == "the record is intact: 14 decisions in 3 blocks"
    # the block that is here in part is checked with what is here
    with connection.transaction():
        rows(connection, "set local session_replication_role = replica")
        rows(connection, "update dealwright.decision set agent_id = 1 + agent_id % 4 where decision_id = 10")
    found = desk.verify(archive=tmp_path)
    assert [block["intact"] for block in found.blocks] == [True, False, True]


def test_an_erasure_names_the_files_that_may_hold_what_was_written(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    desk = Desk(database)
    words = {"customer_id": "C1", "requirements": "a luxury cabin"}
    placed = assign(connection, LEADS[0], **words)
    age(connection, 3)
    with connection.transaction():
        rows(connection, "set local session_replication_role = replica")
        rows(connection, "update dealwright.assignment set assigned_at = assigned_at - interval '3 months'")
    later = assign(connection, LEADS[0], **{**words, "customer_id": "C2"})
    for row in (placed, later):
        rows(connection, "select dealwright.settle_booking(%s::bigint, 'confirmed')", row["booking_id"])
    months = desk.archive(NOW, tmp_path).months
    (files,) = [month["files"] for month in months if month["kind"] == "decision"]
    done = desk.oversight.erase("C1", "asked for it")
    assert done["archived_files"] == files
    assert pl.read_parquet(tmp_path / files[0])["requirements"].to_list() == ["a luxury cabin"]
    assert desk.oversight.erase("C2", "asked for it")["archived_files"] == []
    assert desk.verify(archive=tmp_path).intact


def test_an_erasure_names_the_files_that_may_hold_the_events_of_tasks(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    desk = Desk(database)
    publish = (
        "select dealwright.begin_publishing(); insert into published_task (account_id, day, action, channel, "
        "rep_id) values (%(account)s, '2026-07-01', 'visit', 'field', 'A1'); "
        "select dealwright.publish_tasks(%(run)s, '2026-06-30', 'UTC', '2026-07-01', '2026-07-01')"
    )
    for account, months in (("old", 5), ("later", 3), ("new", 0)):
        with psycopg.ClientCursor(connection) as cursor, connection.transaction():
            cursor.execute(publish, {"account": account, "run": account})
        rows(
            connection,
            "update dealwright.task set status = 'done', outcome = 'responded' where account_id = %s",
            account,
        )
        if months:
            age(connection, months)
        with connection.transaction():
            rows(connection, "set local session_replication_role = replica")
            rows(
                connection,
                "update dealwright.plan_run set published_at = published_at - make_interval(months => %s) "
                "where run_id = %s",
                months, account,
            )  # fmt: skip
    months = desk.archive(NOW, tmp_path).months
    oldest, later = (month["files"] for month in months if month["kind"] == "event")
    assert "old" in str(pl.read_parquet(tmp_path / oldest[0])["payload"].to_list())
    erased = {name: desk.oversight.erase(name, "asked for it") for name in ("new", "later", "old")}
    assert {name: done["archived_files"] for name, done in erased.items()} == {
        "new": [], "later": later, "old": [*oldest, *later],
    }  # fmt: skip


def test_an_altered_archive_is_told(database: Database, connection: Connection[Any], tmp_path: Path) -> None:
    desk = Desk(database)
    work(connection, 5)
    age(connection, 5)
    assert desk.archive(NOW, tmp_path).months
    (file,) = (tmp_path / "decision").glob("*/*.parquet")
    whole = file.read_bytes()
    frame = pl.read_parquet(file)
    frame.with_columns(agent_id=1 + pl.col("agent_id") % 4).write_parquet(file)
    found = desk.verify(archive=tmp_path)
    name = str(file.relative_to(tmp_path))
    assert (found.intact, list(found.changed_files)) == (False, [name])
    assert found.summary().startswith(
        f"the archive was CHANGED after it was written, or is not whole: {name}"
    )
    # who alters what the database has noted of the file as well is given away by the seals
    digest = archive_module._digest(file)
    with connection.transaction():
        rows(connection, "set local session_replication_role = replica")
        rows(connection, "update dealwright.archive_file set sha256 = %s where file = %s", digest, name)
    assert [block["intact"] for block in desk.verify(archive=tmp_path).blocks] == [False]
    file.unlink()
    assert list(desk.verify(archive=tmp_path).changed_files) == [name]
    with pytest.raises(NotFoundError, match="is not there: it is a part of the archive"):
        desk.replay(1, archive=tmp_path)
    assert whole


def test_what_version_0_1_left_goes_to_the_archive(version_0_1: Database, tmp_path: Path) -> None:
    with Desk.open(version_0_1.url) as desk, version_0_1.connect(autocommit=True) as connection:
        with connection.transaction():  # as if it were some months later
            rows(connection, "set local session_replication_role = replica")
            for row in rows(connection, FIRST_MONTHS):
                parent, part = row["parent"], row["partition"]
                column = {"event": "at", "decision": "decided_at"}[parent]
                rows(connection, f"alter table dealwright.{parent} detach partition dealwright_engine.{part}")
                rows(
                    connection,
                    f"update dealwright_engine.{part} set {column} = {column} - interval '3 months'",
                )
                rows(
                    connection,
                    f"alter table dealwright.{parent} attach partition dealwright_engine.{part} "
                    f"for values from (minvalue) to ('{NOW:%Y-%m}-01 00:00:00+00')",
                )
        rows(connection, "select dealwright.prepare_months()")
        ids = [row["id"] for row in rows(connection, "select assignment_id as id from dealwright.decision")]
        before = explained(desk, ids)
        done = desk.archive(NOW + timedelta(days=1), tmp_path)
        if NOW.day > 1:  # a month that ended less than a day ago stays
            assert [(month["kind"], month["from_time"]) for month in done.months] == [
                ("decision", None),
                ("event", None),
            ]
            assert value(connection, "select count(*) from dealwright.decision") == 0
        assert explained(desk, ids, archive=tmp_path) == before
        assert all(desk.replay(i, archive=tmp_path).agrees for i in ids)


# interrupted, refused


def test_nothing_is_dropped_that_reads_back_differently(
    database: Database, connection: Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(connection)
    age(connection, 5)
    typed = archive_module._typed

    def flawed(*arguments: Any) -> pl.DataFrame:
        frame = typed(*arguments)
        return frame.with_columns(xid=pl.when(pl.int_range(pl.len()) == 1).then(7).otherwise(pl.col("xid")))

    monkeypatch.setattr(archive_module, "_typed", flawed)
    before = value(connection, "select count(*) from dealwright.decision")
    with pytest.raises(ConflictError, match=r"reading them back does not give what .* nothing was dropped"):
        Desk(database).archive(NOW, tmp_path)
    assert value(connection, "select count(*) from dealwright.decision") == before
    monkeypatch.undo()
    assert len(Desk(database).archive(NOW, tmp_path).months) == 2


def test_a_month_that_was_written_to_meanwhile_stays(connection: Connection[Any]) -> None:
    work(connection)
    age(connection, 5)
    value(connection, "select dealwright.seal_decisions()")
    (month, *_) = rows(connection, "select * from dealwright.closed_months(now())")
    files = '[{"file": "x", "rows": 5, "first_id": 1, "last_id": 5, "sha256": ""}]'
    with pytest.raises(psycopg.Error, match="has 6 rows, and 5 of them were archived"):
        rows(connection, "select dealwright.release_month('decision', %s, %s)", month["partition"], files)
    assert value(connection, "select count(*) from dealwright.archive_file") == 0


def test_a_month_that_is_not_sealed_stays(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    work(connection)
    age(connection, 5)
    with database.connect() as working:
        rows(working, "select pg_current_xact_id()")  # what came after this one began can not be sealed
        with connection.transaction():
            rows(connection, "set local session_replication_role = replica")
            rows(
                connection,
                "update dealwright.decision set xid = (select pg_current_xact_id()) where decision_id = 6",
            )
        done = Desk(database).archive(NOW, tmp_path)
    assert [(month["kind"], month["unsealed"]) for month in done.left] == [("decision", 1)]
    assert done.summary().endswith("; 1 decision not sealed yet: run it again later")
    assert len(Desk(database).archive(NOW, tmp_path).months) >= 1


@pytest.mark.parametrize("point", ["_write_file", "_read_back", "_release"])
def test_a_run_that_is_killed_loses_nothing(
    point: str, database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    ids = work(connection)
    age(connection, 5)
    program = (
        "import os, signal, sys\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from dealwright.desk import archive\n"
        "from dealwright.desk.database import Database\n"
        f"inner, calls = archive.{point}, []\n"
        "def dies(*arguments):\n"
        "    calls.append(1)\n"
        "    done = inner(*arguments)\n"
        "    if len(calls) == int(sys.argv[3]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return done\n"
        f"archive.{point} = dies\n"
        "archive.archive(Database(sys.argv[1]), datetime.now(UTC), Path(sys.argv[2]))\n"
    )
    folder = tmp_path / "archive"
    for call in ("1", "1"):
        killed = subprocess.run(
            [sys.executable, "-c", program, database.url, str(folder), call], timeout=120, check=False
        )
        assert killed.returncode == -signal.SIGKILL
    desk = Desk(database)
    assert all(desk.replay(i, archive=folder).agrees for i in ids)
    desk.archive(NOW, folder)
    assert value(connection, "select count(*) from dealwright.decision") == 0
    assert all(desk.replay(i, archive=folder).agrees for i in ids)
    assert desk.verify(archive=folder).intact
    noted = {row["file"] for row in rows(connection, "select file from dealwright.archive_file")}
    parts = [pl.read_parquet(folder / name) for name in noted if name.startswith("decision/")]
    assert sorted(pl.concat(parts)["assignment_id"]) == sorted(ids)


def test_a_folder_that_can_not_be_written_is_told(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    work(connection)
    age(connection, 5)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write in .*: choose another place; nothing was dropped"):
        Desk(database).archive(NOW, tmp_path / "file")


def test_placing_goes_on_while_a_month_is_archived(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    work(connection, 30)
    age(connection, 5)
    stop, placed, failures = threading.Event(), [], []

    def place() -> None:
        with database.connect(autocommit=True) as own:
            while not stop.is_set():
                try:
                    placed.append(assign(own, LEADS[0], "workload")["assignment_id"])
                except psycopg.Error as error:
                    failures.append(str(error))
                rows(own, "select count(*) from dealwright.read_events(most => 50)")

    threads = [threading.Thread(target=place) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        done = Desk(database).archive(NOW, tmp_path)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [month["kind"] for month in done.months] == ["decision", "event"]
    assert not failures
    assert value(connection, "select count(*) from dealwright.decision") == len(placed) > 0
    check_desk(connection, MODEL)


# the command


def test_the_command(
    database: Database, connection: Connection[Any], dealwright: Command, tmp_path: Path
) -> None:
    ids = work(connection)
    age(connection, 5)
    answer = dealwright("archive", "--before", f"{NOW:%Y-%m-%d}", "--out", "old")
    assert answer.out.startswith("6 decisions and ")
    again = dealwright("archive", "--before", f"{NOW:%Y-%m-%d}", "--out", "old", "--json", expect=1)
    assert again.json["months"] == []
    dealwright("replay", ids[0], expect=2)
    dealwright("replay", ids[0], "--archive", "old")
    dealwright("explain", ids[0], "--archive", "old")
    found = dealwright("verify", "--archive", "old", "--json").json
    assert (found["intact"], found["archived"], found["decisions"]) == (True, 0, 6)
    assert dealwright("verify", "--json").json["archived"] == 6


# webhooks


def test_a_month_of_events_that_a_webhook_has_not_got_stays_and_its_place_outlives_the_archive(
    database: Database, connection: Connection[Any], tmp_path: Path
) -> None:
    desk = Desk(database)
    kept, _ = desk.webhooks.create("https://example.com/", ["assigned"], key="k" * 44)
    desk.webhooks.create("https://example.com/other", ["clock_jumped"], key="k" * 44)  # nothing concerns it
    work(connection)
    age(connection, 5)
    done = desk.archive(NOW, tmp_path)
    assert [month["kind"] for month in done.months] == ["decision"]
    assert [month["webhooks_behind"] for month in done.left] == [[kept]]
    assert f"events stayed that webhook {kept} has not got yet" in done.summary()
    # given up: it holds nothing back, and goes on with what is in the database
    webhook = next(each for each in desk.webhooks.list() if each.webhook_id == kept)
    desk.webhooks.failed(webhook, "it answered 410: gone", 0, disable=True)
    assert [month["kind"] for month in desk.archive(NOW, tmp_path).months] == ["event"]
    work(connection, 1)
    until = desk.webhooks.resume(kept)
    assert until is not None
    assert until < NOW
    (event,) = [each for each in desk.outbox.read(webhook.heard) if each.kind == "assigned"]
    desk.webhooks.done(webhook, event)
    assert desk.webhooks.resume(kept) is None
