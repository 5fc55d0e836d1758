"""An upgrade keeps what the desk holds and what the company hung on it, or is refused and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psycopg
import pytest
from editions import Edition
from engine import add_agent, assign, declare, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection
from schema_text import schema_of

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.migrations import MigrationResult, migrate
from dealwright.desk.upgrade import beside_work
from dealwright.errors import DatabaseError
from dealwright.learn import MatchModel

ROLE = "upgrade_test_clerk"
SOMEBODY = {"destination": "Mars", "lead_source": "Organic"}


def _upgrade(database: Database, sql: Path | None = None) -> MigrationResult:
    with database.connect() as connection:
        return migrate(connection, sql)


def _run(database: Database, *statements: str) -> list[list[dict[str, object]]]:
    with database.connect(autocommit=True) as connection:
        return [rows(connection, statement) for statement in statements]


def _model(connection: Connection) -> MatchModel:
    found = value(connection, "select parameters from dealwright.model where promoted and kind = 'value'")
    return MatchModel.from_dict(found)


# a desk of version 0.1


def test_a_desk_of_version_0_1_comes_along_whole(version_0_1: Database, database: Database) -> None:
    with version_0_1.connect(autocommit=True) as connection:
        tables = {
            name: value(connection, f"select count(*) from dealwright.{name}")
            for name in ("agent", "lead", "assignment", "booking", "decision", "event", "model", "task")
        }
        result = migrate(connection)
        assert result == MigrationResult(
            1,
            16,
            (
                "0002_house",
                "0003_people",
                "0004_fair",
                "0005_candidates",
                "0006_service",
                "0007_months",
                "0008_webhooks",
                "0009_guard",
                "0010_offers",
                "0011_nights",
                "0012_cards",
                "0013_duties",
                "0014_day_changes",
                "0015_territories",
                "0016_channels",
            ),
            functions_replaced=True,
        )
        assert not migrate(connection).changed
        for name, count in tables.items():
            assert value(connection, f"select count(*) from dealwright.{name}") == count > 0, name
        check_desk(connection, _model(connection))
    assert schema_of(version_0_1) == schema_of(database)


def test_every_decision_of_version_0_1_still_replays(version_0_1: Database) -> None:
    _upgrade(version_0_1)
    with version_0_1.connect(autocommit=True) as connection:
        replayed = rows(
            connection,
            "select d.policy, d.from_queue, count(*) as decisions, "
            "count(*) filter (where (dealwright.replay(d.assignment_id) ->> 'agrees')::boolean) as agree "
            "from dealwright.decision as d group by d.policy, d.from_queue",
        )
        assert {row["policy"] for row in replayed} == {"value", "classic", "workload", "fair"}
        assert any(row["from_queue"] for row in replayed)
        for row in replayed:
            assert row["agree"] == row["decisions"], row
        assert all(row["intact"] for row in rows(connection, "select * from dealwright.verify_decisions()"))


def test_a_desk_of_version_0_1_works_on(version_0_1: Database) -> None:
    with version_0_1.connect(autocommit=True) as connection:
        newest = value(connection, "select max(assignment_id) from dealwright.assignment")
    with Desk.open(version_0_1.url) as desk, version_0_1.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set capacity = 50")
        lead = {"customer_name": "Kate", "attributes": SOMEBODY}
        placed = [desk.assign(lead, policy).to_dict() for policy in ("value", "classic", "workload", "fair")]
        desk.settle(placed[0]["booking_id"], "confirmed", base_revenue=100)
        placed.append(desk.reassign(placed[1]["assignment_id"], "holiday").to_dict())
        for row in placed:
            assert row["assignment_id"] > newest
            assert desk.replay(row["assignment_id"]).to_dict()["agrees"]
            assert desk.explain(row["assignment_id"]).to_dict()["ranking"]
        check_desk(connection, _model(connection))
        repeated = assign(connection, SOMEBODY, idempotency_key="after")
        assert assign(connection, SOMEBODY, idempotency_key="after") == repeated


# what the company hung on it

KEPT = {
    "a view": (
        "create view public.mine as select lead_id, customer_name from dealwright.waiting_lead",
        "select count(*) > 0 as fine from public.mine",
    ),
    "a view of a counter": (
        "create view public.mine as select agent_id, confirmed from dealwright.agent_day",
        "select count(*) > 0 as fine from public.mine",
    ),
    "a materialized view": (
        "create materialized view public.mine as select * from dealwright.outcome",
        "refresh materialized view public.mine; select count(*) > 0 as fine from public.mine",
    ),
    "a column of a row type": (
        (
            "create table public.mine (id int, p dealwright.placement, s dealwright.settlement); "
            "insert into public.mine select 1, p from dealwright.placement_of(1) as p"
        ),
        "select (p).lead_id = 1 as fine from public.mine",
    ),
    "a function": (
        (
            "create function public.mine() returns bigint language sql as "
            '$$ select count(*) from dealwright.rank_agents(\'{"customer_name": "Kate"}\') $$'
        ),
        "select public.mine() > 0 as fine",
    ),
    "a function that depends on it": (
        (
            "create function public.mine() returns bigint language sql begin atomic "
            'select count(*) from dealwright.rank_agents(\'{"customer_name": "Kate"}\'); end'
        ),
        "select public.mine() > 0 as fine",
    ),
    "a trigger": (
        (
            "create table public.log (lead_id bigint); "
            "create function public.note() returns trigger language plpgsql as "
            "$$ begin insert into public.log values (new.lead_id); return null; end $$; "
            "create trigger zz_note after insert on dealwright.lead for each row "
            "execute function public.note()"
        ),
        (
            'select dealwright.assign_lead(\'{"customer_name": "Kate", "attributes": '
            '{"destination": "Mars", "lead_source": "Organic"}}\'); '
            "select count(*) = 1 as fine from public.log"
        ),
    ),
    "a foreign key": (
        (
            "create table public.mine (agent_id bigint references dealwright.agent); "
            "insert into public.mine select min(agent_id) from dealwright.agent"
        ),
        "select bool_or(conrelid = 'public.mine'::regclass) as fine from pg_constraint where contype = 'f'",
    ),
    "a trigger on the outbox, for the months to come as well": (
        (
            "create table public.log (kind text); "
            "create function public.note() returns trigger language plpgsql as "
            "$$ begin insert into public.log values (new.kind); return null; end $$; "
            "create trigger zz_note after insert on dealwright.event for each row "
            "execute function public.note()"
        ),
        (
            "insert into dealwright.agent (name) values ('Zoe'); "
            "select count(*) = 1 as fine from public.log where kind = 'agent_added'"
        ),
    ),
    "an index of the outbox, for the months to come as well": (
        "create index my_index on dealwright.event (booking_id)",
        (
            "select count(*) > 5 as fine from pg_indexes "
            "where indexdef like '% USING btree (booking_id)' and tablename like 'event%'"
        ),
    ),
    "an index": (
        "create index my_index on dealwright.lead (customer_name)",
        "select to_regclass('dealwright.my_index') is not null as fine",
    ),
    "a column of its own": (
        "alter table dealwright.agent add column crm_id text; update dealwright.agent set crm_id = 'x'",
        "select bool_and(crm_id = 'x') as fine from dealwright.agent",
    ),
    "a function in our schema": (
        "create function dealwright.mine() returns integer language sql as 'select 1'",
        "select dealwright.mine() = 1 as fine",
    ),
    "a publication": (
        "create publication mine for table dealwright.lead, dealwright.agent_day",
        "select count(*) = 2 as fine from pg_publication_tables where pubname = 'mine'",
    ),
    "a default": (
        "create table public.other (id int default nextval('dealwright.lead_lead_id_seq'))",
        "insert into public.other default values; select id > 0 as fine from public.other",
    ),
}


@pytest.mark.parametrize("thing", KEPT)
def test_what_hangs_on_the_desk_goes_on_working(thing: str, version_0_1: Database) -> None:
    before, question = KEPT[thing]
    _run(version_0_1, before)
    _upgrade(version_0_1)
    *_, answer = _run(version_0_1, *question.split("; "))
    assert answer == [{"fine": True}]


REFUSED = {
    "view public.mine depends on table event": "create view public.mine as select kind from dealwright.event",
    "publication mine publishes table decision": "create publication mine for table dealwright.decision",
    "constraint mine_x_position_fkey of table public.mine depends on table event": (
        "create table public.mine (x xid8, position bigint, "
        "foreign key (x, position) references dealwright.event (xid, position))"
    ),
    "view public.mine": "create view public.mine as select dealwright.psi(0.5, 20) as share",
    "materialized view public.mine": "create materialized view public.mine as select dealwright.slot_count()",
    "default value for column share of table public.mine": (
        "create table public.mine (share double precision default dealwright.psi(0.5, 20))"
    ),
    "function public.mine()": (
        "create function public.mine() returns integer language sql "
        "begin atomic select dealwright.slot_count(); end"
    ),
    "column e of table public.mine": "create table public.mine (e dealwright.enquiry)",
    "trigger mine on table public.other": (
        "create table public.other (id int); create trigger mine before update on public.other "
        "for each row execute function dealwright.refuse_change()"
    ),
    'column "mine.d" uses its row type': "create table public.mine (d dealwright.dimension)",
}


@pytest.mark.parametrize("thing", REFUSED)
def test_what_can_not_go_on_is_named_and_nothing_is_changed(thing: str, version_0_1: Database) -> None:
    _run(version_0_1, REFUSED[thing])
    before = schema_of(version_0_1)
    with pytest.raises(DatabaseError) as refused:
        _upgrade(version_0_1)
    message = str(refused.value)
    assert thing.replace("public.", "") in message.replace("public.", "")
    assert "Nothing was changed: " in message
    assert schema_of(version_0_1) == before
    assert _run(version_0_1, "select max(version) as version from dealwright.schema_version") == [
        [{"version": 4}]
    ]


# grants


@pytest.fixture
def clerk(version_0_1: Database) -> Iterator[str]:
    """Return a role of the company's, with the rights that it was given under version 0.1."""
    _run(
        version_0_1,
        f"create role {ROLE}",
        f"grant usage on schema dealwright to {ROLE}",
        f"grant select on dealwright.lead, dealwright.waiting_lead to {ROLE} with grant option",
        "revoke execute on all functions in schema dealwright from public",
        f"grant execute on function dealwright.rank_agents, dealwright.declare_dimension to {ROLE}",
    )
    yield ROLE
    _run(version_0_1, f"drop owned by {ROLE}", f"drop role {ROLE}")


def _may(database: Database, what: str) -> bool:
    return bool(_run(database, f"select {what} as may")[0][0]["may"])


def test_grants_and_revokes_stay(version_0_1: Database, clerk: str) -> None:
    _upgrade(version_0_1)
    for table in ("lead", "waiting_lead"):
        assert _may(
            version_0_1, f"has_table_privilege('{clerk}', 'dealwright.{table}', 'select with grant option')"
        )
        assert not _may(version_0_1, f"has_table_privilege('{clerk}', 'dealwright.{table}', 'delete')")
    for routine, may in (
        ("rank_agents(jsonb, text, integer)", True),
        # it takes more parameters now
        ("declare_dimension(text, text[], boolean, boolean, boolean, double precision[])", True),
        ("assign_lead(jsonb, text)", False),
    ):
        assert (
            _may(version_0_1, f"has_function_privilege('{clerk}', 'dealwright.{routine}', 'execute')") == may
        ), routine


def test_grants_on_what_a_migration_makes_anew_stay(
    version_0_1: Database, clerk: str, tmp_path: Path
) -> None:
    _upgrade(version_0_1)
    edition = Edition(tmp_path)
    edition.add_migration(
        "anew",
        "drop view dealwright.waiting_lead; drop function dealwright.rank_agents(jsonb, text, integer);",
    )
    _upgrade(version_0_1, tmp_path)
    assert _may(
        version_0_1, f"has_table_privilege('{clerk}', 'dealwright.waiting_lead', 'select with grant option')"
    )
    rank = "dealwright.rank_agents(jsonb, text, integer)"
    assert _may(version_0_1, f"has_function_privilege('{clerk}', '{rank}', 'execute')")
    assert not _may(version_0_1, f"has_function_privilege('public', '{rank}', 'execute')")


# the next edition


def test_a_migration_that_takes_away_what_is_used_is_refused_with_names(
    database: Database, tmp_path: Path
) -> None:
    _run(database, "create view public.mine as select job_title from dealwright.agent")
    edition = Edition(tmp_path)
    edition.add_migration(
        "short",
        "drop trigger within_bounds on dealwright.agent; alter table dealwright.agent drop column job_title;",
    )
    with pytest.raises(
        DatabaseError, match=r"view mine depends on column job_title of table agent\. Nothing"
    ):
        _upgrade(database, tmp_path)
    assert _run(database, "select * from public.mine") == [[]]


def test_triggers_are_put_in_place_only_when_they_changed(database: Database, tmp_path: Path) -> None:
    edition = Edition(tmp_path)
    triggers = (
        "select array_agg(xmin::text || ctid::text order by oid) from pg_trigger where not tgisinternal"
    )
    before = _run(database, triggers)
    edition.edit("api/events.sql", "-- What was seen", "-- What has been seen")
    assert _upgrade(database, tmp_path).functions_replaced
    assert _run(database, triggers) == before
    edition.edit("engine/triggers.sql", "-- What holds whatever writes.", "-- Holds whatever writes.")
    _upgrade(database, tmp_path)
    assert _run(database, triggers) != before


@pytest.mark.administrator
def test_a_desk_follows_when_vector_moves_to_another_schema(database: Database) -> None:
    _run(database, "create schema elsewhere", "alter extension vector set schema elsewhere")
    assert _upgrade(database).functions_replaced
    assert not _upgrade(database).changed
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "Ada")
        load_model(connection, random_model(np.random.default_rng(1)))
        placed = assign(connection, SOMEBODY)
        assert value(connection, "select dealwright.replay(%s)", placed["assignment_id"])["agrees"]


def test_what_is_gone_is_dropped_when_nobody_can_be_in_the_middle_of_it(
    database: Database, tmp_path: Path
) -> None:
    edition = Edition(tmp_path)
    edition.write(
        "api/extra.sql",
        "create or replace function dealwright.extra() returns integer language sql as 'select 1';",
    )
    _upgrade(database, tmp_path)
    (tmp_path / "api" / "extra.sql").unlink()
    there = "select to_regprocedure('dealwright.extra()') is not null as there"
    with database.connect() as reader:
        value(reader, "select 1")  # its transaction is older than the upgrade
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dealwright.desk.migrations.LEAVE_S", 0.2)
            _upgrade(database, tmp_path)
        assert value(reader, "select dealwright.extra()") == 1
    assert _run(database, there) == [[{"there": True}]]
    assert not _upgrade(database, tmp_path).changed  # the next start
    assert _run(database, there) == [[{"there": False}]]


def test_who_is_in_the_way_is_named_and_then_the_upgrade_refused(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealwright.desk.upgrade._ATTEMPTS", 12)
    edition = Edition(tmp_path)
    edition.edit("api/events.sql", "-- What was seen", "-- What has been seen")
    told: list[str] = []
    with psycopg.connect(database.url, application_name="month end") as clerk:
        pid = clerk.info.backend_pid
        clerk.execute("update dealwright.lead set priority = 1 where customer_name = 'Kate Nguyen'")
        with database.connect() as connection, pytest.raises(DatabaseError) as refused:
            migrate(connection, tmp_path, tell=told.append)
    message = str(refused.value)
    for text in (told[0], message):
        assert f"process {pid} (month end" in text
        assert "(month end, user postgres, in a transaction since 2" in text
        assert "idle in transaction, last statement: UPDATE)" in text
        assert "Kate" not in text
    assert "nothing was changed" in message
    assert _upgrade(database, tmp_path).functions_replaced


def test_a_desk_that_is_always_busy_is_held_up_longer_in_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that take longer than half a second, of many clients on a slow machine, still end in time."""
    waits: list[float] = []

    def hold(connection: Connection, tables: Sequence[str], *, within_s: float) -> None:
        waits.append(within_s)
        if len(waits) <= 12:
            raise psycopg.errors.LockNotAvailable

    monkeypatch.setattr("dealwright.desk.upgrade._hold", hold)
    with database.connect() as connection:
        beside_work(connection, lambda: None, print)
        assert len(waits) == 13
        assert waits == sorted(waits)
        assert max(waits[:10]) == 0.5
        assert waits[-1] == 0.8
        rows(connection, "set deadlock_timeout = '500ms'")
        waits.clear()
        beside_work(connection, lambda: None, print)
        assert len(waits) == 13
    assert max(waits) <= 0.4  # past the server's own time, somebody else would be the victim


def test_the_tables_are_taken_in_either_order(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Placing and settling take them in different orders: one that never fits would wait for ever."""
    monkeypatch.setattr("dealwright.desk.upgrade._ATTEMPTS", 8)
    orders: list[Sequence[str]] = []

    def hold(connection: Connection, tables: Sequence[str], *, within_s: float) -> None:
        orders.append(tables)
        assert 0.2 <= within_s <= 0.5  # longer, and somebody at work would notice
        raise psycopg.errors.LockNotAvailable

    monkeypatch.setattr("dealwright.desk.upgrade._hold", hold)
    with database.connect() as connection, pytest.raises(DatabaseError, match="too busy to be upgraded"):
        beside_work(connection, lambda: None, print)
    one = ["dealwright.lead", "dealwright.booking", "dealwright.assignment", "dealwright.agent"]
    assert len(orders) == 8
    assert sorted(map(tuple, orders), reverse=True) == [tuple(one)] * 6 + [tuple(reversed(one))] * 2


def test_every_function_that_works_on_the_desk_waits_for_an_upgrade(database: Database) -> None:
    """A call that began before the upgrade ends before it, a later one waits: no call mixes two versions."""
    calls = """
        select p.oid::regprocedure::text as name,
            format('%s %s(%s)', case p.prokind when 'p' then 'call' else 'select' end, p.oid::regproc,
                (select string_agg(format('null::%s', t.type::regtype), ', ' order by t.n)
                 from unnest(p.proargtypes) with ordinality as t (type, n))) as call
        from pg_proc as p
        where p.pronamespace = 'dealwright'::regnamespace and p.prorettype <> 'trigger'::regtype
          and p.provolatile = 'v' and p.proname <> 'read_events'  -- which is one look
        order by 1
    """
    through = []
    with database.connect() as upgrade, database.connect(autocommit=True) as clerk:
        rows(clerk, "set lock_timeout = '50ms'")
        found = rows(clerk, calls)
        upgrade.execute("select pg_advisory_xact_lock(hashtext('dealwright upgrade'), 0)")
        for call in found:
            try:
                rows(clerk, call["call"])
            except psycopg.errors.LockNotAvailable:
                continue
            except psycopg.Error as error:
                through.append(f"{call['name']}: {error}")
            else:
                through.append(call["name"])
    assert not through, through
    assert len(found) > 20
