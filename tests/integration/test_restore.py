"""A restored desk goes on where it was, whichever cluster it is in and whichever program restored it."""

from __future__ import annotations

import itertools
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from engine import DIMENSIONS, add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from ledger import check_desk, read_tables
from psycopg import Connection

from dealwright.desk import backup, restore
from dealwright.desk.cluster import program
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.migrations import migrate, package_sql
from dealwright.desk.server import Server, find_server, start_server, stop_server
from dealwright.errors import ConflictError, DatabaseError, InputError, NotFoundError
from dealwright.learn import MatchModel

FAST_AND_LOOSE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
OUTBOX = "select e.xid::text, e.position from dealwright.event as e order by e.xid, e.position"
AGENTS = 14  # more than the head of a list of candidates has
POLICIES = ("value", "classic", "workload", "fair")
MIGRATE = """
import sys
from dealwright.desk.database import Database
from dealwright.desk.migrations import migrate
with Database(sys.argv[1]).connect() as connection:
    print(migrate(connection).ids_rebased)
"""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the server of another home: another cluster."""
    home = tmp_path_factory.mktemp("elsewhere")
    yield start_server(home, options=FAST_AND_LOOSE)
    stop_server(home)


@pytest.fixture
def create(server: Server) -> Iterator[Callable[[Server], Database]]:
    """Return a function that creates an empty database in a server."""
    made: list[tuple[Server, str, Database]] = []

    def make(place: Server) -> Database:
        name = f"moved_{next(_numbers)}"
        _administer(place, f"create database {name}")
        database = Database(place.url_of(name))
        made.append((place, name, database))
        return database

    yield make
    for place, name, database in made:
        database.close()
        _administer(place, f"drop database {name} with (force)")


def _administer(place: Server, statement: str) -> None:
    with psycopg.connect(place.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


def next_id(place: Server) -> int:
    with psycopg.connect(place.url_of("postgres")) as connection:
        return int(value(connection, "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))


def bring_past(place: Server, other: Server, by: int = 3000) -> None:
    """Use up transaction ids of a server until they are well past those of another."""
    missing = next_id(other) + by - next_id(place)
    if missing > 0:
        _administer(
            place,
            f"do $$ begin for i in 1..{missing} loop perform pg_current_xact_id(); commit; end loop; end $$",
        )


# how a desk may be carried over


def by_command(source: Database, target: Database, folder: Path) -> None:
    backup.back_up(source, folder / "desk.backup")
    Database.open(target.url, folder).close()
    restore.restore(target, folder / "desk.backup")


def by_pg_restore(source: Database, target: Database, folder: Path) -> None:
    _run("pg_dump", "--format=custom", f"--file={folder / 'all.dump'}", source.url)
    _run("pg_restore", "--exit-on-error", f"--dbname={target.url}", folder / "all.dump")


def by_jobs(source: Database, target: Database, folder: Path) -> None:
    _run("pg_dump", "--format=directory", "--jobs=2", f"--file={folder / 'all'}", source.url)
    _run("pg_restore", "--exit-on-error", "--jobs=2", f"--dbname={target.url}", folder / "all")


def by_script(source: Database, target: Database, folder: Path) -> None:
    _run("pg_dump", f"--file={folder / 'all.sql'}", source.url)
    _run(
        "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={folder / 'all.sql'}", target.url
    )


def without_the_view(source: Database, target: Database, folder: Path) -> None:
    """As a tool would that leaves materialized views empty: opening the desk has to notice."""
    _restore_without_the_view(source, target, folder)
    with target.connect() as connection:
        assert migrate(connection).ids_rebased
        assert not migrate(connection).changed


def _restore_without_the_view(source: Database, target: Database, folder: Path) -> None:
    _run("pg_dump", "--format=custom", f"--file={folder / 'all.dump'}", source.url)
    listed = _run("pg_restore", "--list", folder / "all.dump").splitlines()
    kept = [line for line in listed if " MATERIALIZED VIEW DATA " not in line]
    assert len(kept) == len(listed) - 1
    (folder / "list").write_text("\n".join(kept))
    _run(
        "pg_restore",
        "--exit-on-error",
        f"--use-list={folder / 'list'}",
        f"--dbname={target.url}",
        folder / "all.dump",
    )


def _run(name: str, *arguments: object) -> str:
    done = subprocess.run([program(name), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


WAYS = (by_command, by_pg_restore, by_jobs, by_script, without_the_view)


# a desk at work


@dataclass
class Consumer:
    """A program that reads the outbox and keeps how far it has come."""

    after: tuple[str, int] = ("0", 0)
    read: list[tuple[str, int]] = field(default_factory=list)

    def go_on(self, connection: Connection[Any], parts: int = 10_000, most: int = 7) -> None:
        for _ in range(parts):
            part = rows(
                connection,
                "select xid::text, position from dealwright.read_events(%s, %s, %s)",
                *self.after,
                most,
            )
            if not part:
                return
            self.read += [(row["xid"], row["position"]) for row in part]
            self.after = self.read[-1]


def build(connection: Connection[Any], rng: np.random.Generator) -> MatchModel:
    """Build a small company with both models."""
    declare(connection)
    for i in range(AGENTS):
        add_agent(
            connection,
            f"agent {i}",
            capacity=40 + i,
            weight=1 + i / 3,
            rating=3 + i / 4,
            years_of_service=i + 1.0,
        )
    load_classic(connection)
    model = random_model(rng)
    load_model(connection, model)
    return model


def work(database: Database, rng: np.random.Generator, leads: int = 18) -> None:
    """Place and settle, move agents, reassign; other transactions begin before and end after."""
    with database.connect(autocommit=True) as connection, database.connect() as other:
        for step in range(leads):
            if step % 5 == 0:
                other.commit()
                rows(other, "select pg_current_xact_id()")
            attributes = {name: str(rng.choice(values)) for name, values in _values()}
            policy = POLICIES[step % 4]
            first = ranked(connection, attributes, policy)[0]
            placed = assign(connection, attributes, policy)
            if policy in ("value", "workload"):  # in the others equals are drawn for each lead
                assert placed["agent_id"] == first, policy
            match step % 6:
                case 1:
                    rows(
                        connection,
                        "select dealwright.settle_booking(%s, 'confirmed', 900)",
                        placed["booking_id"],
                    )
                case 3:
                    rows(connection, "select * from dealwright.reassign(%s, 'ill')", placed["assignment_id"])
                case 4:  # another profile: no list of candidates may overlook it
                    rows(
                        connection,
                        "update dealwright.agent set rating = %s where agent_id = %s",
                        float(rng.normal(4, 2)),
                        1 + int(rng.integers(AGENTS)),
                    )


def check_lists(connection: Connection[Any], rng: np.random.Generator) -> None:
    """Assert that an agent who was the last and comes first is not overlooked by the lists of candidates."""
    assert value(connection, "select count(*) from dealwright_engine.candidate_list") > 0
    for _ in range(6):
        attributes = {name: str(rng.choice(values)) for name, values in _values()}
        last = ranked(connection, attributes)[-1]
        for rating in (60, -60):  # one of them is what the model likes
            rows(connection, "update dealwright.agent set rating = %s where agent_id = %s", rating, last)
            first = ranked(connection, attributes)[0]
            assert assign(connection, attributes, "value")["agent_id"] == first


def ranked(connection: Connection[Any], attributes: dict[str, str], policy: str = "value") -> list[int]:
    """Return the agents that could take such a lead, best first."""
    lead = psycopg.types.json.Jsonb({"customer_name": "Kate", "attributes": attributes})
    statement = "select agent_id from dealwright.rank_agents(%s, %s) where eligible order by rank"
    return [row["agent_id"] for row in rows(connection, statement, lead, policy)]


def _values() -> Sequence[tuple[str, Sequence[str]]]:
    return [(dimension.name, dimension.values) for dimension in DIMENSIONS]


def check_replays(connection: Connection[Any]) -> None:
    """Assert that each decision replays."""
    ids = [row["assignment_id"] for row in rows(connection, "select assignment_id from dealwright.decision")]
    disagreeing = [
        answer
        for number in ids
        if not (answer := value(connection, "select dealwright.replay(%s)", number))["agrees"]
    ]
    assert disagreeing == []


def check_record(connection: Connection[Any], model: MatchModel) -> None:
    """Assert that counters equal a recount, that each decision replays, and that the outbox is in order."""
    check_desk(connection, model)
    check_replays(connection)
    everything = rows(connection, OUTBOX)
    from_the_start = Consumer()
    from_the_start.go_on(connection)
    assert from_the_start.read == [(row["xid"], row["position"]) for row in everything]
    # what came later stands later
    positions = [position for _, position in from_the_start.read]
    assert max(positions) == positions[-1]


@pytest.mark.parametrize(
    ("way", "ids"), [*((way, "behind") for way in WAYS), (by_command, "ahead"), (by_pg_restore, "ahead")]
)
def test_a_restored_desk_goes_on_where_it_was(
    way: Callable[[Database, Database, Path], None],
    ids: str,
    database: Database,
    server: Server,
    elsewhere: Server,
    create: Callable[[Server], Database],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(4)
    bring_past(elsewhere, server) if ids == "ahead" else bring_past(server, elsewhere)
    source, target = database, create(elsewhere)
    consumer = Consumer()
    with source.connect(autocommit=True) as connection:
        model = build(connection, rng)
        work(source, rng)
        with source.connect() as early:  # sees ids far above those of its events
            rows(early, "select pg_current_xact_id()")
            bring_past(server, server, by=500)
            for policy in POLICIES:
                assign(early, {name: values[0] for name, values in _values()}, policy)
        rows(connection, "select dealwright.seal_decisions()")
        consumer.go_on(connection, parts=5)
        before = read_tables(connection)
        highest = value(connection, "select dealwright_engine.highest_id()")

    way(source, target, tmp_path)

    with target.connect(autocommit=True) as connection:
        offset = value(connection, "select xid_offset from dealwright_engine.cluster")
        assert (offset == 0) == (ids == "ahead")
        assert value(connection, "select dealwright_engine.xact_id()::text::bigint") > highest
        after = read_tables(connection)
        assert {name: after[name] for name in before} == before
        check_record(connection, model)
        work(target, rng)
        check_lists(connection, rng)
        lists = "select min(made_xmin::text::bigint) from dealwright_engine.candidate_list"
        assert value(connection, lists) > highest  # or each would have everybody as changed
        check_record(connection, model)
        consumer.go_on(connection)
        assert consumer.read == [(row["xid"], row["position"]) for row in rows(connection, OUTBOX)]
        rows(connection, "select dealwright.seal_decisions()")
        assert value(connection, "select array_agg(intact) from dealwright.verify_decisions()") == [
            True,
            True,
        ]
        assert not migrate(connection).changed


def test_a_desk_may_move_there_and_back(
    database: Database,
    server: Server,
    elsewhere: Server,
    create: Callable[[Server], Database],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(5)
    bring_past(server, elsewhere)
    desk = database
    consumer = Consumer()
    with desk.connect(autocommit=True) as connection:
        model = build(connection, rng)
    offsets = []
    for place in (elsewhere, server, None):
        work(desk, rng, leads=12)
        with desk.connect(autocommit=True) as connection:
            consumer.go_on(connection, parts=3)
            check_record(connection, model)
            offsets.append(value(connection, "select xid_offset from dealwright_engine.cluster"))
        if place is not None:
            folder = tmp_path / f"move {len(offsets)}"
            folder.mkdir()
            source, desk = desk, create(place)
            by_command(source, desk, folder)
    assert offsets[0] == 0 < offsets[1]
    with desk.connect(autocommit=True) as connection:
        consumer.go_on(connection)
        assert (
            len(consumer.read)
            == len(set(consumer.read))
            == value(connection, "select count(*) from dealwright.event")
        )


def test_who_was_at_work_in_the_other_database_of_a_cluster_does_no_harm(
    database: Database,
    server: Server,
    elsewhere: Server,
    create: Callable[[Server], Database],
    tmp_path: Path,
) -> None:
    """A transaction that stays open keeps its low id in every snapshot: also above what was restored."""
    rng = np.random.default_rng(6)
    bring_past(server, elsewhere, by=50)
    source, target = database, create(elsewhere)
    with source.connect(autocommit=True) as connection:
        model = build(connection, rng)
        work(source, rng)
    with psycopg.connect(elsewhere.url_of("postgres")) as old:
        rows(old, "select pg_current_xact_id()")
        bring_past(elsewhere, server, by=50)  # the ids are ahead, and one that runs is not
        by_pg_restore(source, target, tmp_path)
        with target.connect(autocommit=True) as connection:
            check_record(connection, model)  # which reads all that came along
        work(target, rng)
    with target.connect(autocommit=True) as connection:
        check_record(connection, model)


def test_an_upgrade_of_the_functions_keeps_the_offset(
    database: Database,
    server: Server,
    elsewhere: Server,
    create: Callable[[Server], Database],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(7)
    bring_past(server, elsewhere)
    source, target = database, create(elsewhere)
    with source.connect(autocommit=True) as connection:
        model = build(connection, rng)
        work(source, rng)
    by_command(source, target, tmp_path)
    with target.connect(autocommit=True) as connection:
        offset = value(connection, "select xid_offset from dealwright_engine.cluster")
        rows(
            connection,
            "update dealwright.schema_functions set checksum = 'an older edition', triggers_checksum = ''",
        )
        assert migrate(connection).functions_replaced
        raised = "select dealwright_engine.xact_id()::text::bigint - pg_current_xact_id()::text::bigint"
        assert value(connection, raised) == offset > 0
        work(target, rng)
        check_record(connection, model)


def test_processes_that_open_a_restored_desk_at_once_rebase_it_once(
    database: Database,
    server: Server,
    elsewhere: Server,
    create: Callable[[Server], Database],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(8)
    bring_past(server, elsewhere)
    source, target = database, create(elsewhere)
    with source.connect(autocommit=True) as connection:
        model = build(connection, rng)
        work(source, rng)
    by_pg_restore(source, target, tmp_path)
    with target.connect(autocommit=True) as connection:
        # as if nobody had noticed yet
        rows(connection, "update dealwright_engine.cluster set system_identifier = 1, xid_offset = 0")
        rows(connection, "select dealwright_engine.number_transactions()")
    command = [sys.executable, "-c", MIGRATE, target.url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["False"] * 3 + ["True"]
    work(target, rng)
    with target.connect(autocommit=True) as connection:
        check_record(connection, model)


def test_a_profile_that_changed_before_anybody_noticed_is_not_overlooked_afterwards(
    database: Database,
    server: Server,
    elsewhere: Server,
    create: Callable[[Server], Database],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(10)
    bring_past(server, elsewhere)
    target = create(elsewhere)
    with database.connect(autocommit=True) as connection:
        build(connection, rng)
    work(database, rng, leads=60)
    _restore_without_the_view(database, target, tmp_path)
    with target.connect(autocommit=True) as connection:
        assert value(connection, "select count(*) from dealwright_engine.candidate_list") > 3
        rows(connection, "update dealwright.agent set rating = 12 - 2 * rating")
        assert migrate(connection).ids_rebased
        work(target, rng, leads=60)  # which compares placements with the ranking
        check_lists(connection, rng)


def test_filling_the_view_again_changes_nothing(
    database: Database,
    server: Server,
    elsewhere: Server,
    create: Callable[[Server], Database],
    tmp_path: Path,
) -> None:
    bring_past(server, elsewhere)
    target = create(elsewhere)
    rng = np.random.default_rng(11)
    with database.connect(autocommit=True) as connection:
        build(connection, rng)
    by_pg_restore(database, target, tmp_path)
    for desk in (database, target):
        with desk.connect(autocommit=True) as connection:
            kept = rows(connection, "table dealwright_engine.cluster")
            assert (kept[0]["xid_offset"] > 0) == (desk is target)
            assign(connection, {name: values[0] for name, values in _values()})
            rows(connection, "refresh materialized view dealwright_engine.restored")
            assert rows(connection, "table dealwright_engine.cluster") == kept


def test_ids_that_this_cluster_has_not_given_out_yet_are_noticed_under_its_own_name(
    database: Database,
) -> None:
    """A copy of a cluster has the same system identifier, and its desk may have gone on elsewhere."""
    rng = np.random.default_rng(9)
    with database.connect(autocommit=True) as connection:
        model = build(connection, rng)
        assert not migrate(connection).changed
        rows(connection, "set session_replication_role = replica")
        rows(connection, "update dealwright.event set xid = (xid::text::bigint + 1000000)::text::xid8")
        rows(connection, "set session_replication_role = origin")
        result = migrate(connection)
        assert result.ids_rebased
        assert "another server" in result.summary()
        assert value(connection, "select xid_offset from dealwright_engine.cluster") > 900_000
        assert not migrate(connection).changed
    work(database, rng)
    with database.connect(autocommit=True) as connection:
        check_desk(connection, model)
        read = Consumer()
        read.go_on(connection)
        assert len(read.read) == value(connection, "select count(*) from dealwright.event")


def test_only_one_file_asks_for_ids_of_transactions() -> None:
    """What is stored must come from the functions that know of another cluster."""
    direct = re.compile(r"pg_current_(xact_id|snapshot) ?\(\)|txid_current")
    for folder in ("schema", "engine", "api"):
        for file in (package_sql() / folder).iterdir():
            found = direct.search(file.read_text(encoding="utf-8"))
            assert not found or file.name in ("cluster.sql", "00_engine.sql"), file.name


# the file, and what it replaces


@pytest.fixture
def worked(database: Database) -> Database:
    """Return a desk with a few decisions."""
    with database.connect(autocommit=True) as connection:
        build(connection, np.random.default_rng(1))
    work(database, np.random.default_rng(2), leads=4)
    return database


@pytest.fixture(scope="module")
def saved(server: Server, desk_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a backup of a desk with a few decisions."""
    _administer(server, f"create database saved template {desk_template}")
    file = tmp_path_factory.mktemp("saved") / "desk.backup"
    with Database(server.url_of("saved")) as database:
        with database.connect(autocommit=True) as connection:
            build(connection, np.random.default_rng(1))
        work(database, np.random.default_rng(2), leads=4)
        backup.back_up(database, file)
    yield file
    _administer(server, "drop database saved with (force)")


@pytest.fixture
def empty(elsewhere: Server, create: Callable[[Server], Database], tmp_path: Path) -> Database:
    """Return a database elsewhere that a desk may be restored into."""
    database = create(elsewhere)
    Database.open(database.url, tmp_path).close()
    return database


def test_a_backup_is_its_owners_only_and_has_what_it_says(worked: Database, tmp_path: Path) -> None:
    file = tmp_path / "desk.backup"
    written = backup.back_up(worked, file)
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert written.size_bytes == file.stat().st_size
    assert (written.agents, written.assignments) == (AGENTS, 5)
    assert str(file) in written.summary()
    assert f"{AGENTS} agents, 5 assignments" in written.summary()
    assert written.summary().endswith(f" bookings in {file.stat().st_size / 1_048_576:.1f} MiB")
    assert written.to_dict()["file"] == str(file)
    assert [path.name for path in tmp_path.iterdir()] == ["desk.backup"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed on Linux")
def test_a_backup_has_its_name_on_the_disk_and_leaves_nothing_open(
    worked: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").resolve()))
    before = sorted(Path("/proc/self/fd").iterdir())
    backup.back_up(worked, tmp_path / "desk.backup")
    assert synced == [tmp_path.resolve()]
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_backup_that_fails_leaves_the_one_before(
    worked: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "desk.backup"
    backup.back_up(worked, file)
    before = file.read_bytes()
    monkeypatch.setattr(backup, "SCHEMAS", ("no_such_schema",))
    with pytest.raises(DatabaseError, match=r"was not written.*\n.*no matching schemas"):
        backup.back_up(worked, file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["desk.backup"]


def test_a_backup_stands_where_it_can(worked: Database, empty: Database, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory: name a file in it"):
        backup.back_up(worked, tmp_path)
    with pytest.raises(InputError, match="is no directory: create it"):
        backup.back_up(worked, tmp_path / "no" / "desk.backup")
    (tmp_path / "company.toml").write_text("[agents]")
    with pytest.raises(InputError, match="is no backup: choose another name"):
        backup.back_up(worked, tmp_path / "company.toml")
    with pytest.raises(NotFoundError, match="there is no desk in"):
        backup.back_up(empty, tmp_path / "desk.backup")


def test_no_program_is_called_with_a_password(
    worked: Database, empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    start = subprocess.Popen.__init__

    def spy(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        called.extend([*map(str, args), *map(str, (options.get("env") or {}).values())])
        start(self, args, *rest, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    secret = "hush 4711"
    source, target = (Database(f"{one.url}&password=hush%204711") for one in (worked, empty))
    backup.back_up(source, tmp_path / "desk.backup")
    restore.restore(target, tmp_path / "desk.backup")
    assert {"pg_dump", "pg_restore", "psql"} <= {Path(word).name for word in called}
    assert not [word for word in called if secret in word or "4711" in word]


def test_a_desk_with_data_is_kept_unless_told_otherwise(saved: Path, empty: Database) -> None:
    with empty.connect() as connection:
        migrate(connection)  # a new desk has nothing to lose
    restore.restore(empty, saved)
    with empty.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set name = 'Zoe'")
        with pytest.raises(
            ConflictError, match=rf"has a desk with {AGENTS} agents and 4 leads: .*--overwrite"
        ):
            restore.restore(empty, saved)
        assert value(connection, "select min(name) from dealwright.agent") == "Zoe"
        assert restore.restore(empty, saved, overwrite=True).agents == AGENTS
        assert value(connection, "select min(name) from dealwright.agent") == "agent 0"


def test_nothing_of_the_companys_goes_with_a_desk_that_is_replaced(saved: Path, empty: Database) -> None:
    restore.restore(empty, saved)
    with empty.connect(autocommit=True) as connection:
        rows(connection, "create view public.busy as select name from dealwright.agent")
        rows(connection, "create table public.bonus (agent bigint references dealwright.agent)")
        with pytest.raises(ConflictError, match=r"not its own \(table bonus, view busy\); drop that first"):
            restore.restore(empty, saved, overwrite=True)
        rows(connection, "drop view public.busy; drop table public.bonus")
    restore.restore(empty, saved, overwrite=True)


def test_somebody_elses_schema_is_not_taken_for_a_desk(saved: Path, empty: Database) -> None:
    with empty.connect(autocommit=True) as connection:
        rows(connection, "create schema dealwright")
        restored = restore.restore(empty, saved)  # an empty schema is nobody's
        assert restored.assignments == 5
        rows(connection, "drop schema dealwright, dealwright_engine cascade")
        rows(connection, "create schema dealwright; create table dealwright.price (a int)")
        with pytest.raises(ConflictError, match="holds something that is no desk: rename or drop it first"):
            restore.restore(empty, saved, overwrite=True)


def test_a_file_cut_short_changes_nothing(saved: Path, empty: Database, tmp_path: Path) -> None:
    restore.restore(empty, saved)
    whole, short = saved.read_bytes(), tmp_path / "short"
    with empty.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set name = 'Zoe'")
        for length in (len(whole) // 5, len(whole) - 2000, len(whole) - 1):
            short.write_bytes(whole[:length])
            with pytest.raises(
                (InputError, DatabaseError), match=r"cannot be read as a backup|nothing was changed"
            ):
                restore.restore(empty, short, overwrite=True)
            assert value(connection, "select min(name) from dealwright.agent") == "Zoe"


def test_what_the_server_refuses_changes_nothing(worked: Database, empty: Database, tmp_path: Path) -> None:
    file = tmp_path / "desk.backup"
    with worked.connect(autocommit=True) as connection:
        rows(connection, "create schema extra; create domain extra.word as text")
        rows(connection, "alter table dealwright.agent add column motto extra.word")
    backup.back_up(worked, file)
    with empty.connect() as connection:
        migrate(connection)
        with pytest.raises(DatabaseError, match=r'(?s)nothing was changed; .*"extra" does not exist'):
            restore.restore(empty, file)
        assert value(connection, "select count(*) from dealwright.agent") == 0


def test_other_files_are_refused(worked: Database, empty: Database, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        restore.restore(empty, tmp_path / "nothing")
    (tmp_path / "script.sql").write_text(_run("pg_dump", worked.url), encoding="utf-8")
    with pytest.raises(InputError, match=r"no backup in PostgreSQL's custom format: .*psql"):
        restore.restore(empty, tmp_path / "script.sql")
    _run("pg_dump", "--format=custom", f"--file={tmp_path / 'other'}", empty.url)
    with pytest.raises(InputError, match="holds no desk"):
        restore.restore(empty, tmp_path / "other")


def test_a_newer_desk_is_refused_before_anything_is_changed(
    worked: Database, empty: Database, tmp_path: Path
) -> None:
    with worked.connect(autocommit=True) as connection:
        rows(
            connection,
            "insert into dealwright.schema_version (version, name, checksum) values (99, 'later', 'x')",
        )
    backup.back_up(worked, tmp_path / "desk.backup")
    with pytest.raises(InputError, match=r"cannot be restored: .* schema 99.*upgrade the package"):
        restore.restore(empty, tmp_path / "desk.backup")
    with empty.connect() as connection:
        assert value(connection, "select to_regclass('dealwright.agent')") is None


def test_rights_come_along_where_their_roles_are(
    worked: Database, empty: Database, elsewhere: Server, tmp_path: Path
) -> None:
    with worked.connect(autocommit=True) as connection:
        for role in ("dealwright_tester", '"Odd, name"', "archivist"):
            rows(connection, f"create role {role}")
            rows(connection, f"grant usage on schema dealwright to {role}")
            rows(connection, f"grant select on dealwright.agent to {role}")
        rows(connection, "alter table dealwright.booking enable row level security")
        rows(
            connection, "create policy own on dealwright.booking for select to dealwright_tester using (true)"
        )
        rows(connection, "revoke execute on function dealwright.read_events from public")
    _administer(elsewhere, "create role archivist")
    try:
        backup.back_up(worked, tmp_path / "desk.backup")
        restored = restore.restore(empty, tmp_path / "desk.backup")
        assert restored.roles_missing == ("Odd, name",)
        assert "this server has no Odd, name: create them" in restored.summary()
        with empty.connect(autocommit=True) as connection:
            for role in ("archivist", "dealwright_tester"):
                assert value(connection, "select has_table_privilege(%s, 'dealwright.agent', 'select')", role)
                assert not value(
                    connection, "select has_table_privilege(%s, 'dealwright.lead', 'select')", role
                )
            assert (
                value(connection, "select polroles::regrole[]::text from pg_policy") == "{dealwright_tester}"
            )
            events = "dealwright.read_events(xid8, bigint, integer)"
            assert not value(connection, "select has_function_privilege('archivist', %s, 'execute')", events)
    finally:
        with worked.connect(autocommit=True) as connection:
            rows(connection, 'drop owned by archivist, dealwright_tester, "Odd, name"')
            rows(connection, 'drop role archivist, dealwright_tester, "Odd, name"')
        with empty.connect(autocommit=True) as connection:
            rows(connection, "drop owned by archivist, dealwright_tester")
            rows(connection, "drop role archivist, dealwright_tester")


def test_a_fresh_home_takes_a_backup(saved: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    try:
        with Database.open(None, home) as database:
            restore.restore(database, saved)
        with Desk.open(home=home) as desk:
            assert desk.counts()["agents"] == AGENTS
            assert desk.migration is not None
            assert not desk.migration.changed
            assert desk.replay(1).agrees
    finally:
        assert find_server(home) is not None
        stop_server(home)


def test_a_setting_that_an_older_server_does_not_know_is_left_out() -> None:
    line = b"SET transaction_timeout = 0;\n"
    for version, passed in ((16, b""), (17, line)):
        script = restore._Script(roles=set(), may_create_roles=False, version=version)
        assert script.passed(line) == passed
        assert script.passed(b"SET lock_timeout = 0;\n") == b"SET lock_timeout = 0;\n"
        script.passed(b"-- Data for Name: lead; Type: TABLE DATA; Schema: dealwright; Owner: -\n")
        script.passed(b"COPY dealwright.lead (customer_name) FROM stdin;\n")
        for row in (line, b"-- Name: x; Type: ACL; Schema: -\n", b"GRANT ALL ON TABLE x TO nobody;\n"):
            assert script.passed(row) == row  # a customer may have any name


def test_who_granted_a_right_does_not_matter() -> None:
    script = restore._Script(roles={"archivist"}, may_create_roles=False, version=18)
    script.passed(b"-- Name: TABLE agent; Type: ACL; Schema: dealwright; Owner: -\n")
    assert script.passed(b"SET SESSION AUTHORIZATION anna;\n") == b""
    right = b"GRANT SELECT ON TABLE dealwright.agent TO archivist WITH GRANT OPTION;\n"
    assert script.passed(right) == right
    assert script.passed(b"RESET SESSION AUTHORIZATION;\n") == b""
    assert script.passed(b"GRANT SELECT ON TABLE dealwright.agent TO anna;\n") == b""
    assert script.missing == {"anna"}


@pytest.mark.parametrize("schema", ["extra", '"Our types"'])
def test_the_types_of_pgvector_may_be_in_another_schema_than_they_were(
    saved: Path, empty: Database, schema: str
) -> None:
    with empty.connect(autocommit=True) as connection:
        rows(connection, f"create schema {schema}; alter extension vector set schema {schema}")
        assert restore.restore(empty, saved).agents == AGENTS
        kinds = "select distinct format_type(atttypid, null) from pg_attribute where attname = 'profile'"
        assert value(connection, kinds + " and atttypid::regtype::text like '%%vector'") == f"{schema}.vector"
        check_replays(connection)
        names = "select array_to_string(objects, ' ') from dealwright.schema_functions"
        assert f"scaled({schema}.vector," in value(connection, names)
        assert "public.vector" not in value(connection, names)
        again = saved.with_name("again.backup")
        backup.back_up(empty, again)
        rows(connection, "drop schema dealwright, dealwright_engine cascade")
        rows(connection, "alter extension vector set schema public")
    assert restore.restore(empty, again).agents == AGENTS
    with empty.connect(autocommit=True) as connection:
        check_replays(connection)
        assert assign(connection, {name: values[0] for name, values in _values()})["status"] == "assigned"


def test_a_customer_may_be_called_like_the_type() -> None:
    script = restore._Script(roles=set(), may_create_roles=False, version=18, vector_schema=b"extra")
    assert script.passed(b"    profile public.vector,\n") == b"    profile extra.vector,\n"
    script.passed(b"-- Data for Name: lead; Type: TABLE DATA; Schema: dealwright; Owner: -\n")
    script.passed(b"COPY dealwright.lead (lead_id, customer_name) FROM stdin;\n")
    assert script.passed(b"1\tpublic.vector\n") == b"1\tpublic.vector\n"
    script.passed(b"\\.\n")
    assert script.passed(b"CREATE FUNCTION f(v public.vector);\n") == b"CREATE FUNCTION f(v extra.vector);\n"
