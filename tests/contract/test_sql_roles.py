"""What each role of a desk can do, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from command_line import Command
from engine import add_agent, assign, declare, load_classic, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.migrations import migrate
from dealwright.desk.roles import ROLES, make_roles
from dealwright.errors import DatabaseError

MODEL = random_model(np.random.default_rng(3))
LEAD = {"destination": "Mars", "lead_source": "Organic"}
ENQUIRY = '{"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}'
USERS = {
    "shop": "dealwright_app",
    "ann": "dealwright_agent",
    "night": "dealwright_planner",
    "chief": "dealwright_manager",
    "looker": "dealwright_reader",
    "boss": "dealwright_owner",
}
TASK = (
    "select dealwright.begin_publishing(); "
    "insert into published_task (account_id, day, action, channel, rep_id) "
    "values ('a', '2026-07-01', 'visit', 'field', 'A1'); "
    "select dealwright.publish_tasks('r2', '2026-06-30', 'UTC', '2026-07-01', '2026-07-01')"
)
IMPORT = (
    "select dealwright.begin_import(); insert into import_agent (external_id, name) values ('X', 'Xenia'); "
    "select dealwright.import_history()"
)
RANK = f"select * from dealwright.rank_agents('{ENQUIRY}')"
PLACE = f"select * from dealwright.assign_lead('{ENQUIRY}')"
PLACE_MANY = f"select * from dealwright.assign_many(array_fill('{ENQUIRY}'::jsonb, array[2]))"
INSERT = (
    "insert into dealwright.lead (customer_name, attributes) "
    f"select 'Ida', '{ENQUIRY}'::jsonb -> 'attributes'"
)
SETTLE = "select * from dealwright.settle_booking(1, 'confirmed', total_revenue => 500)"
READS = [
    "select * from dealwright.agent", "select * from dealwright.lead", "select * from dealwright.assignment",
    "select * from dealwright.booking", "select * from dealwright.outcome",
    "select * from dealwright.agent_stat",
    "select * from dealwright.event", "select * from dealwright.decision", "select * from dealwright.task",
    "select * from dealwright.touch", "select * from dealwright.model",
    "select * from dealwright.agent_profile",
    "select dealwright.explain(1)", "select dealwright.replay(1)",
    "select * from dealwright.holders_of(1)", "select * from dealwright.read_events()",
    "select * from dealwright.last_event()",
    "select * from dealwright.touches()", "select * from dealwright.verify_decisions()", RANK,
]  # fmt: skip
NIGHT = [
    IMPORT,
    TASK,
    "select dealwright.finish_task(1, 'responded')",
    "select dealwright.reopen_task(1, 'by mistake')",
    "select dealwright.start_task(1)",
    "select dealwright.cancel_task(1)",
    "select dealwright.seal_decisions()",
    "select dealwright.lapse_follow_ups()",
    "select dealwright.declare_dimension('destination', '{Pluto}')",
    "select dealwright.declare_open_values()",
    "select dealwright.promote_model(1)",
    "select dealwright.propose_model(1)",
    "select dealwright.load_model(kind, parameters, false) from dealwright.model where kind = 'value'",
]
NIGHT_BUT_TASKS = [each for each in NIGHT if "_task(" not in each]
TASKS = [
    f"select dealwright.{deed} from dealwright.agent"
    for deed in ("start_task(2)", "finish_task(2, 'responded')", "cancel_task(2)", "reopen_task(1, 'x')")
]
PEOPLE = [
    "select dealwright.deactivate_agent(2, true)",
    "select dealwright.deactivate_agent(2)",
    "select dealwright.activate_agent(2)",
    "select dealwright.set_availability(2, 50)",
    "select hash from dealwright.find_key('0123456789ab')",
    "select dealwright.return_unanswered()",
]
OWN = [
    "update dealwright.agent set capacity = 9 where agent_id = 1",
    "update dealwright.policy set params = '{}'",
    "select dealwright.set_default_policy('workload')",
    "select dealwright.propose_policy('workload', null, true)",
    "select dealwright.require_second_person(true, 'x')",
    "select dealwright.rebuild_statistics()",
    "delete from dealwright.lead where lead_id = 2",
    "insert into dealwright.agent (name) values ('Zoe')",
    "select dealwright.create_key('0123456789ab', 'x', '{ingest}', 'hash')",
    "select dealwright.replace_key('0123456789ab', 'ab0123456789', 'hash', '1 day')",
    "select * from dealwright.list_keys()",
    "select dealwright.revoke_key('0123456789ab')",
    "select dealwright.begin_session(sha256('x'), '1 hour', null, 'i', 's', 'n', '{admin}')",
    "select dealwright.agent_with_email('a@example.com')",
    "select dealwright.create_webhook('https://example.com', null, '0123456789abcdef', 'mark')",
    "select salt from dealwright.list_webhooks()",
]
WRITES = [
    "update dealwright.agent set open = 0",
    "update dealwright.agent_stat set revenue_cents = 0",
    "insert into dealwright.event (kind) values ('x')",
    "update dealwright.assignment set agent_id = 2",
    "truncate dealwright.lead cascade",
    "update dealwright.change set actor = 'x'",
    "delete from dealwright.change",
    "update dealwright.proposal set status = 'agreed'",
    "select dealwright.erase_customer('x', 'y')",
    "create table dealwright.mine (x integer)",
    "alter table dealwright.lead disable trigger all",
    "drop function dealwright.rank_agents",
    "set session_replication_role = replica",
]
ANY_OPEN = "(select * from dealwright.assignment where status = 'open' limit 1) as s".replace(
    "*", "assignment_id, lead_id, agent_id"
)
PRIVATE = [
    "select * from dealwright_engine.agent_day",
    "select * from dealwright_engine.rule",
    "select dealwright_engine.begin_own_writes()",
    "select dealwright_engine.writes_itself()",
    "select currval('dealwright_engine.writer')",
    "select * from dealwright_engine.api_key",
    "select * from dealwright_engine.web_session",
    "select secret from dealwright_engine.webhook",
    "update dealwright_engine.setting set follow_up_days = 1",
]
REVENUE = [
    "select total_revenue from dealwright.booking",
    "select base_revenue, package_revenue from dealwright.booking",
    "select total_revenue from dealwright.assignment", "select outcome from dealwright.assignment",
    "select revenue_cents from dealwright.agent_stat", "select base_ratio from dealwright.agent",
    "select parameters from dealwright.model", "select * from dealwright.outcome",
    "select dealwright.explain(1)",
    "update dealwright.booking set status = 'confirmed' returning total_revenue",
]  # fmt: skip
CAN: dict[str, list[str]] = {
    "shop": [
        RANK,
        PLACE,
        PLACE_MANY,
        INSERT,
        SETTLE,
        f"call dealwright.assign('{ENQUIRY}')",
        "call dealwright.settle(2, 'cancelled')",
        "select * from dealwright.reassign(3, 'ill')",
        *PEOPLE,
        "select dealwright.contact(1)",
        "select * from dealwright.decline(5, 'no time')",
        "select * from dealwright.duplicates_of(1)",
        "select dealwright.agent_named('A1')",
        f"select dealwright.reassign_to(assignment_id, 3 - agent_id, 'asked for') from {ANY_OPEN}",
        f"select * from dealwright.assign_to('{ENQUIRY}'::jsonb, 2, 'asked for')",
        f"select dealwright.assign_to(lead_id, 3 - agent_id, 'asked for') from {ANY_OPEN}",
        "select dealwright.why(1, 1), dealwright.own_rate(2)",
        f"select dealwright.standing(2, '{ENQUIRY}'::jsonb)",
        "select first_contact_at, held_by from dealwright.assignment",
        INSERT.replace("(customer_name,", "(customer_id, customer_name,").replace("'Ida',", "'C1', 'Ida',"),
        "select dealwright.fill_free_places()",
        "select * from dealwright.placement_of(1)",
        "update dealwright.lead set requirements = 'quiet' where lead_id = 3",
        "update dealwright.lead set status = 'withdrawn' where lead_id = 4",
        "select lead_id, customer_name from dealwright.lead",
        "select agent_id, name, open, capacity from dealwright.agent",
        "select * from dealwright.waiting_lead",
    ],
    "ann": [
        "select * from dealwright.lead",
        "update dealwright.booking set status = 'confirmed', total_revenue = 70",
        "select dealwright.contact(1)",
        "select dealwright.why(1, 1), dealwright.why(2, 1), dealwright.own_rate(1)",
        f"select dealwright.standing(1, '{ENQUIRY}'::jsonb)",
        "update dealwright.task set status = 'done', outcome = 'responded'",
        SETTLE,
        "call dealwright.settle(1, 'pending')",
        "select dealwright.explain(1)",
        "select dealwright.start_task(task_id) from dealwright.task where status = 'planned'",
        "select dealwright.deactivate_agent(1)",
        "select dealwright.activate_agent(1)",
    ],
    "chief": [
        PLACE,
        PLACE_MANY,
        INSERT,
        SETTLE,
        *PEOPLE,
        *READS,
        "select dealwright.contact(1)",
        "select * from dealwright.decline(5, 'no time')",
        "select * from dealwright.change",
        "select dealwright.pause_automation('x', 2)",
        "select dealwright.resume_automation('x', 2)",
        *NIGHT[2:6],
    ],
    "night": [*READS, *NIGHT],
    "looker": READS,
    "boss": [RANK, PLACE, INSERT, SETTLE, *READS, *NIGHT, *OWN, *PRIVATE[:1]],
}
CANNOT: dict[str, list[str]] = {
    "shop": [*REVENUE, *WRITES, *PRIVATE, *OWN, *NIGHT, "select * from dealwright.event"],
    "ann": [
        RANK, PLACE, INSERT, SETTLE.replace("(1,", "(2,"), "call dealwright.settle(2, 'confirmed')",
        "select * from dealwright.settle_booking('2', 'confirmed')",
        "select dealwright.explain(2)", "select dealwright.replay(1)",
        "select dealwright.deactivate_agent(1, true)",
        "select dealwright.decline(2, 'x')", "select dealwright.contest_outcome(2, 'x')",
        "select dealwright.pause_automation('x')", "select dealwright.resume_automation('x')",
        "select dealwright.resolve_contest(1, 'x')", "select * from dealwright.pause",
         "select dealwright.contact(2)", *TASKS,
        *WRITES, *PRIVATE, *OWN, *PEOPLE, *NIGHT_BUT_TASKS,
        *[each for each in REVENUE[4:9] if "explain" not in each],
        "select * from dealwright.reassign(1, 'x')",
        "select dealwright.reassign_to(1, 2, 'x', true)",
        "select dealwright.assign_to(2::bigint, 1, 'x', true)",
        f"select dealwright.assign_to('{ENQUIRY}'::jsonb, 1, 'x', true)",
        "update dealwright.assignment set accepted_at = now()",
        "update dealwright.assignment set first_contact_at = now()",
        "select * from dealwright.event", "select * from dealwright.decision",
        "update dealwright.agent set database_role = 'ann'",
        "update dealwright.booking set assignment_id = 1",
    ],
    "night": [
        PLACE, PLACE_MANY, INSERT, SETTLE, "select dealwright.reassign(3, 'x')", *PEOPLE, *WRITES, *PRIVATE,
        *OWN,
    ],
    "looker": [
        PLACE, PLACE_MANY, INSERT, SETTLE, "call dealwright.settle(1, 'confirmed')", *WRITES, *PRIVATE, *OWN,
        *PEOPLE, *NIGHT, "select dealwright.contact(1)", "select dealwright.decline(1, 'x')",
        "select dealwright.accept(1)", "select dealwright.reassign_to(1, 2, 'x')",
        "select dealwright.reassign(3, 'x')", "update dealwright.booking set status = 'confirmed'",
        "select * from dealwright.change",
    ],
    "chief": [*WRITES, *PRIVATE, *OWN, *NIGHT_BUT_TASKS],
    "boss": ["select pg_read_file('PG_VERSION')", "create role other", "update dealwright.agent set open = 0",
             "truncate dealwright.lead cascade"],
    "nobody": [RANK, PLACE, PLACE_MANY, *READS, *OWN, *PRIVATE, "select * from dealwright.schema_version"],
}  # fmt: skip
ALLOWED = {"42501", "42704"}  # no right; no such role


@pytest.fixture
def desk(database: Database) -> Iterator[Connection[Any]]:
    """Return the superuser's connection to a desk with roles, users, two agents, five leads and a task."""
    with database.connect(autocommit=True) as connection:
        declare(connection)
        load_model(connection, MODEL)
        load_classic(connection)
        for name in ("Ada", "Ben"):
            add_agent(connection, name, capacity=9, external_id=f"{name[0]}1")
        for _ in range(5):
            assign(connection, LEAD, "workload")
        rows(
            connection,
            "insert into dealwright.plan_run (run_id, as_of, time_zone, first_day, last_day, tasks) "
            "values ('r', '2026-06-29', 'UTC', '2026-06-30', '2026-06-30', 2)",
        )
        rows(
            connection,
            "insert into dealwright.task (run_id, day, account_id, rep_id, action, channel) "
            "select 'r', '2026-06-30', 'account ' || rep, rep, 'visit', 'field' "
            "from unnest('{A1,B1}'::text[]) as rep",
        )
        with database.connect() as other:
            make_roles(other)
        for user in (*USERS, "nobody"):
            rows(
                connection,
                f"do $$ begin create role {user} login; exception when duplicate_object then null; end $$",
            )
        for user, role in USERS.items():
            rows(connection, f"grant {role} to {user}")
        rows(connection, "update dealwright.agent set database_role = 'ann' where name = 'Ada'")
        yield connection


def as_user(database: Database, user: str) -> Connection[Any]:
    """Connect as somebody."""
    return psycopg.connect(database.url, user=user, autocommit=True)


@pytest.mark.parametrize("user", CAN)
def test_what_a_role_can(database: Database, desk: Connection[Any], user: str) -> None:
    with as_user(database, user) as connection:
        for statement in CAN[user]:
            if statement.startswith("call"):
                rows(connection, statement)
            else:
                with connection.transaction():
                    rows(connection, statement)
        check_desk(desk, MODEL, queue=False)


@pytest.mark.parametrize("user", CANNOT)
def test_what_a_role_cannot(database: Database, desk: Connection[Any], user: str) -> None:
    before = check_desk(desk, MODEL)
    done, others = [], []
    with as_user(database, user) as connection:
        for statement in CANNOT[user]:
            try:
                rows(connection, statement)
            except psycopg.Error as error:
                # of an agent's user: what is somebody else's is not there
                ours = error.sqlstate in {"boss": ("DW001",), "ann": ("DW001", "DW003")}.get(user, ())
                if error.sqlstate not in ALLOWED and not ours:
                    others.append((statement, str(error)))
            else:
                done.append(statement)
    assert (done, others) == ([], [])
    assert check_desk(desk, MODEL) == before


def test_a_service_acts_for_one_agent_at_a_time(database: Database, desk: Connection[Any]) -> None:
    wrong_filter = "select distinct agent_id from dealwright.assignment"  # of everybody: none is named
    with as_user(database, "shop") as service:
        rows(desk, "grant dealwright_agent to shop")
        rows(service, "set role dealwright_agent")
        assert rows(service, wrong_filter) == []
        for agent_id in (1, 2):
            rows(service, f"select set_config('dealwright.agent_id', '{agent_id}', false)")
            assert rows(service, wrong_filter) == [{"agent_id": agent_id}]
            assert value(service, "select count(*) from dealwright.agent") == 1
            assert {row["rep_id"] for row in rows(service, "select rep_id from dealwright.task")} == {
                {1: "A1", 2: "B1"}[agent_id]
            }
            with pytest.raises(psycopg.Error, match=r"no booking . of yours"):
                rows(service, f"select dealwright.settle_booking({3 - agent_id}, 'confirmed')")
            with pytest.raises(psycopg.Error, match=r"no assignment . of yours"):
                rows(service, f"select dealwright.explain({3 - agent_id})")
            with pytest.raises(psycopg.Error, match=r"no agent . of yours"):
                rows(service, f"select * from dealwright.timers(agent_id => {3 - agent_id})")
            for whose in ("", f"agent_id => {agent_id}"):
                seen = rows(service, f"select * from dealwright.timers({whose})")
                assert {row["agent_id_of_timer"] for row in seen} <= {agent_id}
            told = value(service, f"select dealwright.explain({agent_id})")
            assert [row["agent_id"] for row in told["ranking"]] == [agent_id]
            assert {row["agent_id"] for row in told["history"]} == {agent_id}
        rows(service, "select set_config('dealwright.agent_id', '', false)")
        assert rows(service, wrong_filter) == []
        rows(desk, "revoke dealwright_agent from shop")
    # an agent's own user cannot say that they are somebody else
    with as_user(database, "ann") as ann:
        rows(ann, "select set_config('dealwright.agent_id', '2', false)")
        assert rows(ann, wrong_filter) == [{"agent_id": 1}]
        rows(ann, "set role dealwright_agent")
        assert rows(ann, wrong_filter) == []
        with pytest.raises(psycopg.Error, match="no booking 2 of yours"):
            rows(ann, "select dealwright.settle_booking(2, 'confirmed')")


def test_an_agent_sees_and_settles_own_work_only(database: Database, desk: Connection[Any]) -> None:
    mine = {
        "agent": "select agent_id from dealwright.agent where name = 'Ada'",
        "assignment": "select assignment_id from dealwright.assignment where agent_id = 1",
        "lead": "select lead_id from dealwright.assignment where agent_id = 1",
        "booking": "select booking_id from dealwright.booking where assignment_id in "
        "(select assignment_id from dealwright.assignment where agent_id = 1)",
        "task": "select task_id from dealwright.task where rep_id = 'A1'",
    }
    with as_user(database, "ann") as ann:
        for table, query in mine.items():
            all_of_them = value(desk, f"select count(*) from dealwright.{table}")
            own = sorted(row[f"{table}_id"] for row in rows(desk, query))
            seen = sorted(row["id"] for row in rows(ann, f"select {table}_id as id from dealwright.{table}"))
            assert seen == own
            assert 0 < len(own) < all_of_them
        rows(ann, "update dealwright.booking set status = 'confirmed', total_revenue = 70")
        settled = rows(desk, "select agent_id, b.status from dealwright.booking as b "
                             "join dealwright.assignment as s using (assignment_id)")  # fmt: skip
        assert {(row["agent_id"], row["status"]) for row in settled} == {(1, "confirmed"), (2, "pending")}
        check_desk(desk, MODEL)
        # what is given to somebody else is not theirs any more
        rows(desk, "update dealwright.booking set status = 'pending' where booking_id = 1")
        held = value(desk, "select agent_id from dealwright.assignment where assignment_id = 1")
        assert held == 1
        rows(desk, "select dealwright.reassign(1, 'ill')")
        assert rows(ann, "select from dealwright.lead where lead_id = 1") == []
        # nor does somebody without an agent see anything
        rows(desk, "update dealwright.agent set database_role = null")
        assert [value(ann, f"select count(*) from dealwright.{table}") for table in mine] == [0] * 5


def test_an_agent_reaches_and_declines_own_work_only(database: Database, desk: Connection[Any]) -> None:
    with as_user(database, "ann") as ann:
        for statement in (
            "select dealwright.contact(2)",
            "select dealwright.accept(2)",
            "select * from dealwright.decline(2, 'x')",
        ):
            with pytest.raises(psycopg.Error, match="no assignment 2 of yours") as refused:
                rows(ann, statement)
            assert refused.value.sqlstate == "DW003"
        for statement in (
            "select dealwright.why(1, 2)",
            "select dealwright.own_rate(2)",
            f"select dealwright.standing(2, '{ENQUIRY}'::jsonb)",
        ):
            with pytest.raises(psycopg.Error, match="no agent 2 of yours"):
                rows(ann, statement)
        rows(ann, "select dealwright.contact(1)")
        assert value(ann, "select count(first_contact_at) from dealwright.assignment") == 1
        assert rows(ann, "select * from dealwright.decline(3, 'x')")[0]["agent_name"] == "Ben"
        # whoever is nobody's agent has no work
        rows(desk, "update dealwright.agent set database_role = null")
        with pytest.raises(psycopg.Error, match="no assignment 1 of yours"):
            rows(ann, "select dealwright.contact(1)")
        # in another role they are somebody else
        rows(desk, "grant dealwright_app to ann")
        rows(ann, "select dealwright.contact(2)")
        rows(desk, "revoke dealwright_app from ann")
    check_desk(desk, MODEL)


def test_an_app_is_told_no_revenue_it_did_not_give(database: Database, desk: Connection[Any]) -> None:
    rows(desk, "select dealwright.settle_booking(1, 'confirmed', 300, 40)")
    for statement in (
        "select total_revenue from dealwright.settle_booking(1, 'confirmed')",
        "select total_revenue from dealwright.settle_booking(1, 'confirmed', base_revenue => 1)",
        "call dealwright.settle(1, 'confirmed')",
    ):
        with as_user(database, "shop") as shop:
            assert rows(shop, statement)[0]["total_revenue"] is None
        # also where one user puts on the role of another
        with database.connect(autocommit=True) as connection:
            rows(connection, "set role shop")
            assert rows(connection, statement)[0]["total_revenue"] is None
    assert value(desk, "select total_revenue from dealwright.settle_booking(1, 'confirmed')") == 41


def test_the_desk_in_python_works_for_an_app_and_a_reader(database: Database, desk: Connection[Any]) -> None:
    lead = {"customer_name": "Kate", "attributes": LEAD}
    with Desk.open(database.url.replace("postgres@", "shop@", 1)) as shop:
        assert shop.rank(lead).ranking
        placed = shop.assign(lead)
        assert placed.row["agent_id"] in ("A1", "B1")
        assert shop.settle(placed.row["booking_id"], "confirmed", total_revenue=9).row["agent_id"] in (
            "A1",
            "B1",
        )
        assert shop.queue().rows == ()
        with pytest.raises(DatabaseError, match="permission denied"):
            shop.explain(placed.row["assignment_id"])
    with Desk.open(database.url.replace("postgres@", "looker@", 1)) as looker:
        assert looker.explain(placed.row["assignment_id"])
        assert looker.agents()
        with pytest.raises(DatabaseError, match="permission denied"):
            looker.assign(lead)
    check_desk(desk, MODEL)


def test_everybody_without_an_agents_role_sees_as_much_as_before(
    database: Database, desk: Connection[Any]
) -> None:
    rows(
        desk,
        "do $$ begin create role roles_test_clerk login; exception when duplicate_object then null; end $$",
    )
    rows(desk, "grant usage on schema dealwright to roles_test_clerk")
    rows(desk, "grant select, update on dealwright.booking to roles_test_clerk")
    with as_user(database, "roles_test_clerk") as clerk:
        assert value(clerk, "select count(*) from dealwright.booking") == 5
        rows(clerk, "update dealwright.booking set status = 'cancelled'")
    check_desk(desk, MODEL)


def test_every_public_routine_belongs_to_a_role_or_to_the_owner(
    database: Database, desk: Connection[Any]
) -> None:
    with database.connect() as connection:
        granted = {grant.object for grant in make_roles(connection).grants if grant.privilege == "execute"}
    public = {
        row["proname"]
        for row in rows(desk, "select proname from pg_proc where pronamespace = 'dealwright'::regnamespace")
    }
    assert public - granted == {
        "rebuild_statistics", "set_default_policy", "propose_policy", "require_second_person",
        "create_key", "list_keys", "replace_key", "revoke_key",
        "create_webhook", "remove_webhook", "list_webhooks", "dead_letters", "dead_letter_taken",
        "webhook_done", "webhook_failed", "webhook_gave_up", "webhook_passed", "webhooks_behind",
        "rotate_webhook", "pause_webhook", "resume_webhook", "webhook_again", "begin_session",
        "agent_with_email", "erase_customer", "erase_older", "closed_months", "archived_digest",
        "release_month",
    }  # fmt: skip
    assert granted <= public


def test_functions_run_with_their_owners_rights_on_a_fixed_path(desk: Connection[Any]) -> None:
    strangers = rows(
        desk,
        """
        select p.oid::regprocedure::text as name, p.prosecdef, p.proconfig, p.prokind::text as kind,
               p.prorettype = 'trigger'::regtype as is_trigger, n.nspname as schema,
               has_function_privilege('nobody', p.oid, 'execute') as open,
               pg_get_userbyid(p.proowner) as owner
        from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname in ('dealwright', 'dealwright_engine')
        """,
    )
    assert len(strangers) > 100
    for row in strangers:
        # the ids of transactions are what tables have for a default
        assert row["open"] == (row["name"] == "dealwright_engine.xact_id()"), row
        assert row["owner"] == "dealwright_owner"
        public = row["schema"] == "dealwright" and row["kind"] == "f"
        # keep_books asks who writes
        if (public or row["is_trigger"]) and row["name"] != "dealwright_engine.keep_books()":
            assert row["prosecdef"], row
            if row["name"] == "dealwright_engine.written_by_engine()":
                continue  # writes out every name: the test below
            assert any(item.startswith("search_path=") for item in row["proconfig"]), row
        else:
            assert not row["prosecdef"], row


def test_a_callers_search_path_brings_nothing_into_the_engine(
    database: Database, desk: Connection[Any]
) -> None:
    rows(desk, "create schema evil")
    rows(desk, "grant create on schema evil to night")
    rows(desk, "grant usage on schema evil to public")
    rows(desk, "grant insert on dealwright.event to night")
    shadows = {
        "lower(text)": "text",
        "current_setting(text, boolean)": "text",
        "current_setting(text)": "text",
        "currval(regclass)": "bigint",
        "to_jsonb(anyelement)": "jsonb",
        "clock_timestamp()": "timestamptz",
        "evil.same(text, text)": "boolean",
        "evil.same(bigint, bigint)": "boolean",
    }
    with as_user(database, "night") as night:
        rows(night, "set search_path = evil, pg_catalog")
        for name, kind in shadows.items():
            body = "begin raise exception 'run by %', current_user; end"
            rows(night, f"create function {name} returns {kind} language plpgsql as $$ {body} $$")
        for sign in ("=", "<>"):
            for kind in ("text", "bigint"):
                rows(night, f"create operator {sign} (function = same, leftarg = {kind}, rightarg = {kind})")
        with pytest.raises(psycopg.Error, match="kept by the desk itself"):
            rows(night, "insert into dealwright.event (kind) values ('x')")
        with night.transaction():
            rows(night, IMPORT)
        rows(night, "select dealwright.finish_task(1, 'responded')")
        rows(night, RANK)
        rows(night, "select dealwright.explain(1)")
    check_desk(desk, MODEL)


def test_roles_are_made_once_and_grants_of_the_companys_stay(
    database: Database, desk: Connection[Any]
) -> None:
    rows(desk, "grant select on dealwright.lead to nobody")
    with database.connect() as connection:
        again = make_roles(connection)
    assert again.created == ()
    assert set(again.members) == set(ROLES)
    assert value(desk, "select has_table_privilege('nobody', 'dealwright.lead', 'select')")
    # an upgrade by its members may have a schema to make, and an import makes temporary tables
    for right in ("create", "temporary"):
        assert value(
            desk, f"select has_database_privilege('dealwright_owner', current_database(), '{right}')"
        ), right
    assert again.dangers == ()


def test_an_upgrade_keeps_grants_revokes_and_the_owner(database: Database, desk: Connection[Any]) -> None:
    rows(desk, "revoke execute on function dealwright.reassign from dealwright_app")
    rows(desk, "grant execute on function dealwright.explain to nobody")
    rows(desk, "grant execute on function dealwright.replay to public")
    rows(desk, "drop function dealwright.touches")  # stands for one that is new
    before = rows(desk, GRANTS)
    rows(desk, "update dealwright.schema_functions set checksum = 'an older edition', triggers_checksum = ''")
    with as_user(database, "night") as night, pytest.raises(DatabaseError, match="may not upgrade it"):
        migrate(night)
    with as_user(database, "boss") as boss:
        assert migrate(boss).functions_replaced
    after = rows(desk, GRANTS)
    fresh = [row for row in after if row["name"].startswith("dealwright.touches")]
    assert [row for row in after if row not in fresh] == before
    assert fresh == [
        {
            "name": fresh[0]["name"],
            "acl": "{dealwright_owner=X/dealwright_owner}",
            "owner": "dealwright_owner",
        }
    ]
    with as_user(database, "shop") as shop:
        assert not migrate(shop).changed


GRANTS = """
select p.oid::regprocedure::text as name, p.proacl::text as acl, pg_get_userbyid(p.proowner) as owner
from pg_proc as p
where p.pronamespace in ('dealwright'::regnamespace, 'dealwright_engine'::regnamespace)
order by 1
"""


def test_dangers_are_told_with_what_ends_them(database: Database, desk: Connection[Any]) -> None:
    rows(desk, "grant create on schema public to public")
    rows(desk, "grant all on dealwright.lead to nobody")
    rows(desk, "update dealwright.agent set database_role = 'no such user' where name = 'Ben'")
    with database.connect() as connection:
        found = make_roles(connection).dangers
    fixes = [danger.rsplit(": ", 1)[1] for danger in found]
    assert fixes == [
        'grant dealwright_agent to "no such user"',
        "revoke create on schema public from public",
        "revoke trigger on dealwright.lead from nobody",
    ]
    for fix in fixes[1:]:
        rows(desk, fix)
    with database.connect() as connection:
        assert len(make_roles(connection).dangers) == 1


def test_who_may_not_make_roles_is_told_who_may(database: Database, desk: Connection[Any]) -> None:
    with as_user(database, "night") as night, pytest.raises(DatabaseError, match="does not own this desk"):
        make_roles(night)


def test_a_desk_of_somebody_without_the_right_to_make_roles(empty_database: Database) -> None:
    with empty_database.connect(autocommit=True) as admin:
        rows(admin, "do $$ begin create role plain login; exception when duplicate_object then null; end $$")
        rows(admin, f"grant create on database {admin.info.dbname} to plain")
    with as_user(empty_database, "plain") as plain:
        migrate(plain)
        with empty_database.connect(autocommit=True) as admin:
            for role in ROLES:
                rows(
                    admin,
                    f"do $$ begin create role {role}; exception when duplicate_object then null; end $$",
                )
        with pytest.raises(DatabaseError, match="GRANT dealwright_owner TO plain") as refused:
            make_roles(plain)
        assert "let an administrator run" in str(refused.value)
        with empty_database.connect(autocommit=True) as admin:
            rows(admin, "grant dealwright_owner to plain")
            rows(admin, f"grant create, temporary on database {admin.info.dbname} to dealwright_owner")
        make_roles(plain)
        declare(plain)
        add_agent(plain, "Ada")
        assert assign(plain, LEAD)["status"] == "assigned"
        assert not migrate(plain).changed
        check_desk(plain)
    with empty_database.connect(autocommit=True) as admin:
        rows(admin, "revoke dealwright_owner from plain")


@pytest.mark.administrator
def test_who_may_use_the_schema_of_vectors_but_not_pass_it_on_is_told(empty_database: Database) -> None:
    with empty_database.connect(autocommit=True) as admin:
        rows(admin, "do $$ begin create role plain login; exception when duplicate_object then null; end $$")
        rows(admin, f"grant create on database {admin.info.dbname} to plain")
        rows(admin, "drop extension if exists vector")
        rows(admin, "create schema vectors; create extension vector schema vectors")
        rows(admin, "grant usage on schema vectors to plain")
    with as_user(empty_database, "plain") as plain:
        migrate(plain)
        with empty_database.connect(autocommit=True) as admin:
            for role in ROLES:
                rows(
                    admin,
                    f"do $$ begin create role {role}; exception when duplicate_object then null; end $$",
                )
            rows(admin, "grant dealwright_owner to plain")
            rows(admin, f"grant create, temporary on database {admin.info.dbname} to dealwright_owner")
        # the server only warns that nothing was granted
        with pytest.raises(DatabaseError, match="GRANT USAGE ON SCHEMA vectors TO dealwright_owner"):
            make_roles(plain)
        with empty_database.connect(autocommit=True) as admin:
            rows(admin, "grant usage on schema vectors to dealwright_owner")
        make_roles(plain)
        declare(plain)
        add_agent(plain, "Ada")
        assert assign(plain, LEAD)["status"] == "assigned"
    with empty_database.connect(autocommit=True) as admin:
        rows(admin, "revoke dealwright_owner from plain")


def test_the_command_prints_the_grants(dealwright: Command) -> None:
    said = dealwright("roles").out
    for role in ROLES:
        assert f"\n{role}: " in f"\n{said}"
    assert "execute  accept, activate_agent, agent_named, assign, assign_lead, assign_many" in said
    told = dealwright("roles", "--json").json
    assert [role["name"] for role in told["roles"]] == list(ROLES)
    app = {(g["privilege"], g["object"]): g["columns"] for g in told["roles"][0]["grants"]}
    assert app["execute", "rank_agents"] is None
    assert "total_revenue" not in app["select", "booking"]
    assert told["created"] == []
