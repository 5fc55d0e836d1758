"""No bad value stops others: whatever writes, it is refused in our words, and the desk works on."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from engine import add_agent, assign, declare, rows, value
from ledger import check_desk

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.migrations import migrate, package_sql
from dealwright.desk.queries import translate
from dealwright.errors import ConflictError, InputError
from dealwright.learn.classic import CLASSIC_WEIGHTS

LEAD = {"destination": "Mars", "lead_source": "Organic"}
ENQUIRY = '{"customer_name": "K", "attributes": {"destination": "Mars", "lead_source": "Organic"}, %s}'
AGENT, BOOKING = "update dealwright.agent set ", "update dealwright.booking set "
DONE = "update dealwright.task set status = 'done', outcome = 'responded'"
TASK = (
    "insert into dealwright.task (run_id, day, account_id, action, channel, {}) "
    "values ('r', '2026-07-01', 'A', 'call', 'phone', {})"
)
BLANKS = ("''", "'  '", "e'\\u00a0'", "e' \\u200b\\ufeff'")
WEIGHTS = json.dumps({"weights": dict.fromkeys(CLASSIC_WEIGHTS, 0)})
REFUSED: list[tuple[str, str]] = [
    *((f"{AGENT} weight = '{bad}'", "weight") for bad in ("NaN", "Infinity", "0", "-1", "1e300", "1e-300")),
    *((f"{AGENT} rating = '{bad}'", "rating") for bad in ("NaN", "-Infinity", "1e13")),
    (f"{AGENT} years_of_service = 201", "years_of_service"),
    (f"{AGENT} capacity = -1", "capacity"),
    (f"{AGENT} name = ''", "name of agent"),
    (f"{AGENT} name = e'A\\tB'", "control character"),
    (f"{AGENT} external_id = repeat('x', 501)", "501 characters"),
    (f"{AGENT} traits = '[]'", "traits"),
    (f"{AGENT} traits = '{{\"a\": {{\"b\": 1}}}}'", "flat JSON object"),
    (f"{AGENT} traits = '{{\"a\": 1e400}}'", "flat JSON object"),
    (f"{AGENT} shifts = '{{[-infinity, 2026-01-01)}}'", "shifts"),
    (f"{AGENT} shifts = '{{[2026-01-01, 2200-01-02)}}'", "shifts"),
    *(
        (f"select dealwright.assign_lead('{ENQUIRY}')" % f'"received_at": "{bad}"', "received_at")
        for bad in (
            "infinity", "-infinity", "20226-07-01", "0044-03-15 BC", "1969-12-31T23:59Z", "2200-01-01T00:00Z",
        )
    ),
    (f"select dealwright.assign_lead('{ENQUIRY}')" % f'"idempotency_key": "{"k" * 9000}"', "9000 characters"),
    (f"select dealwright.assign_lead('{ENQUIRY}')" % '"idempotency_key": "a\\u0007"', "control character"),
    (f"select dealwright.assign_lead('{ENQUIRY}')" % f'"requirements": "{"k" * 100_001}"', "100001 char"),
    ("update dealwright.lead set idempotency_key = ''", "idempotency_key of the lead is empty"),
    ("update dealwright.lead set external_id = repeat('x', 9000)", "9000 characters"),
    ("update dealwright.lead set received_at = '-infinity'", "received_at"),
    ("update dealwright.lead set customer_name = e'K\\x01'", "control character"),
    ("update dealwright.assignment set assigned_at = 'infinity'", "assigned_at"),
    ("update dealwright.assignment set assigned_at = '1950-01-01'", "assigned_at"),
    ("update dealwright.assignment set assigned_at = '2200-01-01 00:00Z'", "assigned_at"),
    *(
        (f"update dealwright.assignment set propensity = '{bad}'", "propensity")
        for bad in ("NaN", "1.01", "-0.01")
    ),
    *(
        (f"update dealwright.assignment set match_score = '{bad}'", "match_score")
        for bad in ("NaN", "1000000001", "-1000000001")
    ),
    ("update dealwright.assignment set external_id = ''", "external_id"),
    ("update dealwright.assignment set status = null", "unknown status of an assignment null"),
    ("update dealwright.lead set status = null", "unknown status of a lead null"),
    ("insert into dealwright.lead (customer_name, attributes) values ('K', '[]')", "must be a JSON object"),
    *(
        (f"update dealwright.lead set attributes = {bad}", f'such as {{"destination": "Mars"}}, not {kind}')
        for bad, kind in (("'[]'", "array"), ("'5'", "number"), ("null", "null"))
    ),
    (f"{BOOKING} status = null", "unknown booking status null"),
    ("select dealwright.settle_booking(1::bigint, null)", "unknown booking status null"),
    (f"{BOOKING} base_revenue = 6e11, package_revenue = 4e11", "total_revenue of booking 1 would not be"),
    ("select dealwright.settle_booking(1::bigint, 'confirmed', 6e11, 4e11)", "below 1e12, not 1000000000000"),
    ("select dealwright.settle_booking(1::bigint, 'confirmed', 1, 1, -1)", "revenue cannot be negative"),
    (f"{BOOKING} package_revenue = -1", "revenue cannot be negative"),
    *(
        (f"{BOOKING} status = 'confirmed', completed_at = '{bad}'", "completed_at")
        for bad in ("infinity", "-infinity", "20226-07-01", "0044-03-15 BC")
    ),
    (f"{BOOKING} status = 'cancelled', cancelled_at = '2200-01-01T00:00Z'", "cancelled_at"),
    (f"{BOOKING} base_revenue = 9e11, package_revenue = 9e11, total_revenue = null", "1e12"),
    ("select dealwright.settle_booking(1, 'confirmed', 1e13)", "below 1e12"),
    ("select dealwright.settle_booking(1, 'confirmed', 9e11, 9e11)", "below 1e12"),
    *(
        (f"select dealwright.finish_task(1, 'responded', '{bad}')", "done_at")
        for bad in ("infinity", "20226-07-01", "0044-03-15 BC", "1969-12-31T23:59Z")
    ),
    (f"{DONE}, done_at = '20226-07-01'", "done_at of task 1"),
]  # fmt: skip
# further values of the same kinds, tried one after the other on one desk
MORE: list[tuple[str, str]] = [
    (
        f"{AGENT} weight = 1e-320",
        "weight of agent 1 must be a number from 0.000000001 to 1000000000, not 1.00e-320",
    ),
    *((f"{AGENT} name = {blank}", "name of agent 1 is empty") for blank in BLANKS),
    *((f"{AGENT} external_id = {blank}", "external_id of agent 1 is empty") for blank in BLANKS),
    (f"{AGENT} skills = array_fill('x'::text, array[1001])", "at most 1000 skills"),
    (f"{AGENT} skills = array[repeat('x', 501)]", "at most 1000 skills of 500 characters"),
    (f"{AGENT} skills = array[e'a\\x07']", "control character"),
    *(
        (f"update dealwright.lead set customer_name = {blank}", "customer_name is missing")
        for blank in BLANKS
    ),
    *(
        (f"update dealwright.lead set idempotency_key = {blank}", "idempotency_key of the lead")
        for blank in BLANKS
    ),
    *((f"update dealwright.lead set policy = '{name}'", f"unknown policy '{name}'") for name in ("", "best")),
    *(
        (
            f"select dealwright.assign_lead('{ENQUIRY}')" % f'"{key}": {value}',
            f"{key} must be a text or a number",
        )
        for key in ("customer_id", "requirements", "priority", "received_at", "idempotency_key", "department")
        for value in ("[1]", "{}", "true")
    ),
    *(
        (
            f"select dealwright.assign_lead('{ENQUIRY}')" % f'"skills": {value}',
            "skills must be a list of texts",
        )
        for value in ("[null]", '["french", 1]', '"french"', "{}")
    ),
    (
        f"select dealwright.assign_lead('{ENQUIRY}')" % '"priority": 1.5',
        "priority must be a whole number, not 1.5",
    ),
    (
        f"select dealwright.assign_lead('{ENQUIRY}')" % '"received_at": "soon"',
        "received_at must be a time, not",
    ),
    (f"select dealwright.assign_lead('{ENQUIRY}')" % '"policy": ""', "unknown policy ''"),
    *(
        (
            f"select dealwright.load_model('classic', '{WEIGHTS.replace('0', weight, 1)}')",
            "above 1000000000: rating",
        )
        for weight in ("1e400", "-1.1e9")
    ),
    *(
        (
            f"select dealwright.set_default_policy('fair', '{{\"window_start\": \"{time}\"}}')",
            "from 1970 to now",
        )
        for time in ("infinity", "-infinity", "20226-01-01", "2199-01-01", "1969-12-31T23:59Z")
    ),
    (
        "select dealwright.set_default_policy('value', '{\"fairnes\": 0.5}')",
        "unknown key 'fairnes': use one of",
    ),
    *(
        (f"insert into dealwright.policy (name) values ('{name}')", f"unknown policy '{name}'")
        for name in ("", "best")
    ),
    *(
        (f"select dealwright.erase_older({time})", "must lie from 1970 to 2199")
        for time in ("'infinity'", "'20226-01-01'", "null")
    ),
]
# constraints hold also where the owner leaves out the triggers
UNWATCHED = "set session_replication_role = replica;"
CONSTRAINED: list[tuple[str, str]] = [
    (TASK.format("start_at", "'infinity'"), "1970 to 2199"),
    (TASK.format("propensity", "'NaN'"), "propensity"),
    (TASK.format("propensity", "1.5"), "propensity"),
    (TASK.format("value_eur", "'NaN'"), "amount"),
    (TASK.format("rep_id", "repeat('x', 9000)"), "at most 500"),
    (TASK.format("note", "e'a\\x07'"), "control character"),
    ("update dealwright.plan_run set as_of = 'infinity'", "1970 to 2199"),
    ("update dealwright.plan_run set last_day = '20226-07-01'", "1970 to 2199"),
    (f"{UNWATCHED} update dealwright.dimension set edges = array['NaN'::float8]", "finite"),
    (
        f"{UNWATCHED} update dealwright.dimension set name = repeat('x', 501) where position = 1",
        "at most 500",
    ),
    ("update dealwright_engine.setting set follow_up_days = 'NaN'", "follow_up_days"),
    ("update dealwright_engine.setting set follow_up_days = -1", "follow_up_days"),
    (
        UNWATCHED
        + " update dealwright.policy set params = (repeat('{\"a\":', 101) || '1' || repeat('}', 101))::jsonb",
        "deeper than 100",
    ),
]


@pytest.fixture
def desk(database: Database) -> Any:
    """Return a connection to a desk with an agent, an open booking and a task."""
    with database.connect(autocommit=True) as connection:
        declare(connection)
        add_agent(connection, "one")
        assign(connection, LEAD)
        rows(
            connection,
            "insert into dealwright.plan_run (run_id, as_of, time_zone, first_day, last_day, tasks) "
            "values ('r', '2026-07-01', 'UTC', '2026-07-01', '2026-07-01', 1)",
        )
        rows(connection, TASK.format("stop", "1"))
        yield connection


@pytest.mark.parametrize(("statement", "words"), REFUSED, ids=[text[:90] for text, _ in REFUSED])
def test_a_value_out_of_bounds_is_refused_in_our_words(desk: Any, statement: str, words: str) -> None:
    before: Any = check_desk(desk)
    with pytest.raises(psycopg.Error) as refused:
        rows(desk, statement.replace("%", "%%"))
    assert refused.value.sqlstate == "DW002", refused.value
    assert words in str(refused.value)
    assert isinstance(translate(refused.value, ""), InputError)
    assert check_desk(desk) == before
    assert assign(desk, LEAD)["status"] == "assigned"


def test_no_value_of_these_kinds_comes_in(desk: Any) -> None:
    before: Any = check_desk(desk)
    for statement, words in MORE:
        with pytest.raises(psycopg.Error) as refused, desk.transaction():
            rows(desk, statement.replace("%", "%%"))
        assert refused.value.sqlstate == "DW002", (statement, refused.value)
        assert words in str(refused.value), statement
    assert check_desk(desk) == before
    assert assign(desk, LEAD)["status"] == "assigned"


def test_blank_and_missing_skills_are_no_skills(desk: Any) -> None:
    rows(desk, f"{AGENT} skills = array[null, ' French ', '', e'\\u00a0', 'luxury']")
    assert value(desk, "select skills from dealwright.agent") == ["french", "luxury"]
    asked = assign(desk, LEAD, skills=["FRENCH", " "])
    found = "insert into dealwright.lead (customer_name, attributes, required_skills) values ('L', %s, %s)"
    rows(desk, found, json.dumps(LEAD), [None, "", "luxury"])
    assert value(desk, "select required_skills from dealwright.lead where customer_name = 'L'") == ["luxury"]
    assert asked["status"] == "assigned"


@pytest.mark.parametrize("key", ["", "  ", "\u00a0", "\u200b\ufeff"])
def test_a_blank_key_is_no_key(desk: Any, key: str) -> None:
    first, second = (assign(desk, LEAD, idempotency_key=key, customer=name) for name in ("Ann", "Bob"))
    assert first["lead_id"] != second["lead_id"]
    assert value(desk, "select count(*) from dealwright.lead where idempotency_key is not null") == 0


def test_what_an_earlier_version_took_for_a_policy_stays(desk: Any) -> None:
    rows(desk, "alter table dealwright.policy disable trigger user")
    old = '{"fairnes": 0.5, "window_start": "2199-01-01"}'
    rows(desk, "update dealwright.policy set params = %s where name = 'fair'", old)
    rows(desk, "alter table dealwright.policy enable trigger user")
    rows(desk, "select dealwright.set_default_policy('fair')")
    assert assign(desk, LEAD)["status"] == "assigned"


@pytest.mark.parametrize(("statement", "words"), CONSTRAINED, ids=[text[:90] for text, _ in CONSTRAINED])
def test_a_constraint_is_told_in_our_words(desk: Any, statement: str, words: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        rows(desk, statement.replace("%", "%%"))
    told = translate(refused.value, "")
    assert isinstance(told, InputError)
    assert words in str(told)
    assert ": " in str(told)
    assert assign(desk, LEAD)["status"] == "assigned"


def test_who_keeps_the_counters_is_bound_too(desk: Any) -> None:
    for statement, word in (
        (f"{AGENT} weight = 'NaN'", "weight"),
        (f"{BOOKING} completed_at = 'infinity'", "completed_at"),
    ):
        with desk.transaction(force_rollback=True):
            rows(desk, "select dealwright_engine.begin_own_writes()")
            with pytest.raises(psycopg.Error, match=word):
                rows(desk, statement)


def test_values_at_the_bounds_are_taken(desk: Any) -> None:
    rows(
        desk, f"{AGENT} weight = 1e-9, rating = -1e12, years_of_service = 200, shifts = null, traits = '{{}}'"
    )
    rows(desk, f"{AGENT} shifts = '{{[2026-01-01,)}}'")
    rows(desk, f"{AGENT} weight = 1e9, shifts = '{{[1970-01-01 00:00Z, 2200-01-01 00:00Z)}}'")
    rows(
        desk,
        f"{BOOKING} status = 'confirmed', completed_at = '2199-12-31T23:59:59Z', total_revenue = 1e12 - 0.01",
    )
    assert value(desk, "select total_revenue from dealwright.assignment") == Decimal("999999999999.99")
    for moment, chance, score in (("1970-01-01 00:00Z", 0, -1e9), ("2199-12-31 23:59:59Z", 1, 1e9)):
        rows(
            desk,
            "update dealwright.assignment set assigned_at = %s, propensity = %s, match_score = %s",
            moment,
            chance,
            score,
        )
    rows(desk, "select dealwright.settle_booking(1::bigint, 'confirmed', 399999999999.99, 6e11)")
    for moment in ("1970-01-01T00:00:00Z", "2081-07-01T00:00:00Z", "2199-12-31T23:59:59Z"):
        assign(
            desk,
            LEAD,
            received_at=moment,
            idempotency_key=moment.ljust(500, "é"),
            requirements="line\nline\t",
        )
    rows(desk, "select dealwright.finish_task(1, 'responded', '1970-01-01T00:00Z')")
    check_desk(desk)


CONTENT: list[tuple[dict[str, Any], str]] = [
    ({"customer_name": "Bob"}, "customer"),
    ({"attributes": {**LEAD, "destination": "Titan"}}, "attributes"),
    ({"requirements": "a quiet place"}, "requirements"),
]


@pytest.mark.parametrize(("change", "word"), CONTENT, ids=[word for _, word in CONTENT])
def test_a_key_sent_again_with_another_content_is_a_conflict(
    database: Database, desk: Any, change: dict[str, Any], word: str
) -> None:
    enquiry: dict[str, Any] = {"customer_name": "Ann", "attributes": LEAD, "idempotency_key": "enquiry 17"}
    client = Desk(database)
    first = client.assign(enquiry)
    assert client.assign({**enquiry, "priority": 3}) == first
    with pytest.raises(ConflictError, match=rf"'enquiry 17'.*its {word}.*: send a key of its own"):
        client.assign({**enquiry, **change})
    assert value(desk, "select count(*) from dealwright.lead where idempotency_key is not null") == 1
    assert client.assign(enquiry) == first
    client.close()


def test_of_a_long_key_the_conflict_quotes_the_beginning(desk: Any) -> None:
    key = "".join(chr(ord("a") + i % 26) for i in range(300))
    assign(desk, LEAD, idempotency_key=key)
    with pytest.raises(psycopg.Error, match=f"idempotency_key '{key[:100]}' belongs to another enquiry"):
        assign(desk, LEAD, idempotency_key=key, customer="Bob")


def test_the_same_content_in_other_order_is_the_same_enquiry(desk: Any) -> None:
    first = assign(desk, LEAD, idempotency_key="k")
    again = assign(desk, dict(reversed([*LEAD.items()])), idempotency_key="k", requirements="")
    assert again == first


def test_an_older_database_keeps_its_values_and_is_mended_where_they_stop_others(
    empty_database: Database, tmp_path: Path
) -> None:
    start = (package_sql() / "migrations" / "0001_start.sql").read_text(encoding="utf-8")
    for folder in ("migrations", "schema"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0001_start.sql").write_text(start, encoding="utf-8")
    with empty_database.connect() as connection:
        migrate(connection, tmp_path)
        rows(connection, "insert into dealwright.agent (name, weight) values ('A', 'NaN'), ('B', 2)")
        rows(
            connection,
            "insert into dealwright.lead (customer_name, status, received_at, idempotency_key) values "
            "('K', 'withdrawn', 'infinity', ''), ('L', 'withdrawn', '2081-01-01Z', 'l')",
        )
        rows(
            connection,
            "insert into dealwright.plan_run (run_id, as_of, time_zone, first_day, last_day, tasks) "
            "values ('r', '0044-01-01 BC', 'UTC', '2026-07-01', '2026-07-01', 1)",
        )
        connection.commit()
        assert migrate(connection).applied[:4] == (
            "0002_house",
            "0003_people",
            "0004_fair",
            "0005_candidates",
        )
        assert rows(connection, "select name, weight from dealwright.agent order by 1") == [
            {"name": "A", "weight": 1.0}, {"name": "B", "weight": 2.0},
        ]  # fmt: skip
        found = rows(
            connection, "select idempotency_key, received_at = '2081-01-01Z' as kept from dealwright.lead"
        )
        assert sorted(found, key=str) == [
            {"idempotency_key": "l", "kept": True}, {"idempotency_key": None, "kept": False},
        ]  # fmt: skip
        assert rows(connection, "select run_id from dealwright.plan_run where as_of < '1900-01-01'")
        assert rows(connection, 'select * from dealwright.assign_lead(\'{"customer_name": "M"}\')')
