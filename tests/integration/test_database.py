"""Connections: pooled and single, and errors that name the fix and never show a password."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from servers import TestServer

from dealwright.desk.database import Database, redact
from dealwright.errors import DatabaseError

SECRET = "s3cr3t-w0rd"


def test_opens_a_desk_with_vectors_in_utc(server: TestServer, empty_database: Database) -> None:
    with Database.open(empty_database.url, server.home) as database, database.connect() as connection:
        row = connection.execute(
            "SELECT '[1,2]'::vector <#> '[3,4]'::vector, current_setting('TimeZone'), "
            "current_setting('application_name')"
        ).fetchone()
    assert row == (-11.0, "UTC", "dealwright")


def test_opening_twice_changes_nothing(server: TestServer, empty_database: Database) -> None:
    extension = "SELECT oid, extversion FROM pg_extension WHERE extname = 'vector'"
    found = []
    for _ in range(2):
        with Database.open(empty_database.url, server.home) as database, database.connect() as connection:
            found.append(connection.execute(extension).fetchall())
    assert len(found[0]) == 1
    assert found[0] == found[1]


def test_many_may_open_an_empty_database_at_once(server: TestServer, empty_database: Database) -> None:
    with empty_database.connect(autocommit=True) as connection:
        connection.execute("DROP EXTENSION vector")
    with ThreadPoolExecutor(8) as threads:
        opened = threads.map(lambda _: Database.open(empty_database.url, server.home), range(8))
        assert len(list(opened)) == 8


def test_pool_commits_rolls_back_and_is_shared(empty_database: Database) -> None:
    with empty_database.connection() as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    with pytest.raises(psycopg.errors.DivisionByZero):
        _insert_and_fail(empty_database)
    with empty_database.connection() as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        assert connection.execute("SHOW TimeZone").fetchone() == ("UTC",)
    assert empty_database.pool is empty_database.pool


def _insert_and_fail(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
        connection.execute("SELECT 1 / 0")


def test_pool_replaces_connections_that_died(empty_database: Database) -> None:
    with empty_database.connection() as connection:
        pid = connection.info.backend_pid
    with empty_database.connect(autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])  # returns when it is gone
    with empty_database.connection() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_pool_says_when_it_is_exhausted(empty_database: Database) -> None:
    small = Database(empty_database.url, pool_size=1)
    with (
        small,
        small.connection(),
        pytest.raises(DatabaseError, match="all 1 connections"),
        small.connection(timeout_s=0.05),
    ):
        pass


def test_a_missing_database_is_named_with_its_fix(server: TestServer) -> None:
    with pytest.raises(DatabaseError, match=r'"nowhere" does not exist.*createdb'):
        Database.open(server.url_of("nowhere"), server.home)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            f"postgresql://anna:{SECRET}@127.0.0.1:1/desk",
            r"postgresql://anna:\*\*\*@127.0.0.1:1/desk.*running",
        ),
        (f"postgresql://anna:{SECRET}@no-such-host.invalid/desk", "Check the host"),
        (f"postgresql://anna:{SECRET}@extra@127.0.0.1:x/desk", "percent-encoded"),
        (f"host=127.0.0.1 port=1 user=anna password={SECRET}", r"anna:\*\*\*"),
        (f"postgresql://127.0.0.1:1/desk?user=anna&password={SECRET}", r"anna:\*\*\*"),
        (f"postgresql://anna:part@{SECRET}@127.0.0.1/desk", "percent-encoded"),
        (f"mysql://anna:{SECRET}@localhost/desk", "cannot be read"),
    ],
)
def test_passwords_stay_out_of_errors(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        Database.open(url, tmp_path)
    shown = "".join(traceback.format_exception(caught.value)) + repr(Database(url)) + redact(url)
    assert SECRET not in shown.replace(repr(url), "").replace(url, "")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://anna@localhost/desk", 2),
        ("postgresql://anna@127.0.0.1:99999/desk", 2),
        ("postgresql://anna@127.0.0.1:1/desk?sslmode=perhaps", 2),
        ("postgresql://anna@127.0.0.1:1/desk?prepare=perhaps", 2),
        ("postgresql://anna@127.0.0.1:1/desk", 1),
        ("postgresql://anna@no-such-host.invalid/desk", 1),
    ],
)
def test_a_url_that_makes_no_sense_is_bad_input(url: str, code: int, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        Database.open(url, tmp_path)
    assert caught.value.exit_code == code


def test_pool_error_is_the_connection_error() -> None:
    database = Database(f"postgresql://anna:{SECRET}@127.0.0.1:1/desk")
    with (
        database,
        pytest.raises(DatabaseError, match="Connection refused"),
        database.connection(timeout_s=0.2),
    ):
        pass


@pytest.mark.administrator
def test_vectors_that_may_not_be_used_are_asked_for_by_name(
    server: TestServer, empty_database: Database, tmp_path: Path
) -> None:
    with empty_database.connect(autocommit=True) as connection:
        for statement in (
            "CREATE SCHEMA hidden",
            "ALTER EXTENSION vector SET SCHEMA hidden",
            "CREATE ROLE newcomer LOGIN",
        ):
            connection.execute(statement.encode())
    try:
        url = empty_database.url.replace("//postgres@", "//newcomer@")
        with pytest.raises(
            DatabaseError, match=r"in the schema hidden.*GRANT USAGE ON SCHEMA hidden TO newcomer;"
        ):
            Database.open(url, tmp_path)
    finally:
        with empty_database.connect(autocommit=True) as connection:
            connection.execute("DROP ROLE newcomer")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_name_is_refused(server: TestServer, encoding: str) -> None:
    name = f"narrow_{encoding.lower()}"
    server.administer(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    try:
        with pytest.raises(DatabaseError, match=f"has the encoding {encoding}, and a desk needs UTF8"):
            Database.open(server.url_of(name), server.home)
    finally:
        server.administer(f"DROP DATABASE {name}")


def test_a_database_that_takes_no_writes_is_refused(server: TestServer, empty_database: Database) -> None:
    with psycopg.connect(empty_database.url, autocommit=True) as connection:
        connection.execute("DROP EXTENSION vector")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET default_transaction_read_only = on")
    with pytest.raises(DatabaseError, match=r"takes no writes \(a standby.*address of the primary"):
        Database.open(empty_database.url, server.home)


def test_a_server_without_pgvector_is_refused(server: TestServer, empty_database: Database) -> None:
    with psycopg.connect(empty_database.url, autocommit=True) as connection:
        connection.execute("DROP EXTENSION vector")
        connection.execute("DROP ROLE IF EXISTS clerk")
        connection.execute("CREATE ROLE clerk LOGIN")
    url = empty_database.url.replace("//postgres@", "//clerk@")
    with pytest.raises(DatabaseError, match=r"clerk.*CREATE EXTENSION vector"):
        Database.open(url, server.home)
