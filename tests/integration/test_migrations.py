"""Migrations: applied once, in order, all or nothing; a fresh schema and a migrated one are the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from schema_text import schema_of

from dealwright.desk.database import Database
from dealwright.desk.migrations import MigrationResult, migrate, package_sql
from dealwright.errors import ConflictError, DatabaseError

FIRST = "CREATE TABLE dealwright.agent (agent_id bigint PRIMARY KEY, name text NOT NULL);"
SECOND = "ALTER TABLE dealwright.agent ADD COLUMN rating numeric;\nUPDATE dealwright.agent SET rating = 0;"
CURRENT = "CREATE TABLE dealwright.agent (agent_id bigint PRIMARY KEY, name text NOT NULL, rating numeric);"
GREET = "CREATE OR REPLACE FUNCTION dealwright.greet() RETURNS text LANGUAGE sql AS $$ SELECT 'hello' $$;"
MIGRATE = """
import sys
from pathlib import Path
from dealwright.desk.database import Database
from dealwright.desk.migrations import migrate
with Database(sys.argv[1]).connect() as connection:
    print(migrate(connection, Path(sys.argv[2])).summary())
"""


class Files:
    """A directory of SQL files like the package's own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")


@pytest.fixture
def sql(tmp_path: Path) -> Files:
    """Return the files of a first edition: one table, one migration that makes it, one function."""
    files = Files(tmp_path)
    files.write("schema/01_agent.sql", FIRST)
    files.write("migrations/0001_first.sql", FIRST)
    files.write("engine/01_greet.sql", GREET)
    return files


def _second_edition(sql: Files) -> None:
    sql.write("schema/01_agent.sql", CURRENT)
    sql.write("migrations/0002_ratings.sql", SECOND)


def _run(database: Database, sql: Files) -> MigrationResult:
    with database.connect() as connection:
        return migrate(connection, sql.root)


def _rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def test_an_empty_database_gets_the_current_schema(empty_database: Database, sql: Files) -> None:
    _second_edition(sql)
    result = _run(empty_database, sql)
    assert result == MigrationResult(0, 2, (), functions_replaced=True)
    assert result.summary() == "schema 2 created"
    versions = _rows(empty_database, "SELECT version, name FROM dealwright.schema_version ORDER BY 1")
    assert versions == [(1, "0001_first"), (2, "0002_ratings")]
    assert _rows(empty_database, "SELECT dealwright.greet()") == [("hello",)]


@pytest.mark.parametrize("schema", ["dealwright", "dealwright_engine"])
def test_a_schema_of_somebody_else_is_left_alone_and_named(empty_database: Database, schema: str) -> None:
    with empty_database.connect(autocommit=True) as connection:
        connection.execute(f"create schema {schema} create table agent (x integer)".encode())
        with pytest.raises(
            ConflictError, match=rf"no desk \({schema}\.agent\): rename the schema, or use another"
        ):
            migrate(connection)
        found = connection.execute(
            "select table_name from information_schema.tables where table_schema like 'deal%'"
        )
        assert found.fetchall() == [("agent",)]


def test_a_second_run_does_nothing(empty_database: Database, sql: Files) -> None:
    _run(empty_database, sql)
    result = _run(empty_database, sql)
    assert not result.changed
    assert result.summary() == "schema 1: nothing to do"


def test_an_older_database_is_migrated_with_its_data(empty_database: Database, sql: Files) -> None:
    _run(empty_database, sql)
    with empty_database.connect() as connection:
        connection.execute("INSERT INTO dealwright.agent VALUES (1, 'Ada')")
    _second_edition(sql)
    result = _run(empty_database, sql)
    assert result == MigrationResult(1, 2, ("0002_ratings",), functions_replaced=True)
    assert "from schema 1 to 2 (0002_ratings)" in result.summary()
    assert _rows(empty_database, "SELECT name, rating FROM dealwright.agent") == [("Ada", 0)]


def test_changed_functions_are_replaced(empty_database: Database, sql: Files) -> None:
    _run(empty_database, sql)
    sql.write("engine/01_greet.sql", GREET.replace("hello", "good day"))
    result = _run(empty_database, sql)
    assert result == MigrationResult(1, 1, (), functions_replaced=True)
    assert result.summary() == "schema 1: functions replaced"
    assert _rows(empty_database, "SELECT dealwright.greet()") == [("good day",)]
    assert not _run(empty_database, sql).changed


def test_a_failing_file_is_named_and_leaves_nothing_behind(empty_database: Database, sql: Files) -> None:
    _run(empty_database, sql)
    sql.write("migrations/0002_ratings.sql", SECOND)
    sql.write("migrations/0003_typo.sql", "SELECT 1;\n\nALTER TABLE dealwright.agnet ADD COLUMN x int;")
    with pytest.raises(DatabaseError, match=r'0003_typo\.sql.*relation "dealwright\.agnet" does not exist'):
        _run(empty_database, sql)
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'agent'"
    assert _rows(empty_database, columns) == [(2,)]
    assert _rows(empty_database, "SELECT version FROM dealwright.schema_version") == [(1,)]


def test_a_failing_file_is_named_with_its_line(empty_database: Database, sql: Files) -> None:
    sql.write("engine/02_broken.sql", "-- a comment: ä\n\nSELECT nothing_like_it();")
    with pytest.raises(
        DatabaseError, match=r"02_broken\.sql, line 3: function nothing_like_it\(\) does not exist"
    ):
        _run(empty_database, sql)
    assert _rows(empty_database, "SELECT to_regclass('dealwright.agent')") == [(None,)]


def test_an_edited_migration_is_detected(empty_database: Database, sql: Files) -> None:
    _run(empty_database, sql)
    sql.write("migrations/0001_first.sql", FIRST.replace("text", "varchar"))
    with pytest.raises(DatabaseError, match=r"0001_first was changed .*: restore the file"):
        _run(empty_database, sql)


def test_other_line_ends_are_no_edit(empty_database: Database, sql: Files) -> None:
    sql.write("migrations/0001_first.sql", FIRST + "\n-- end\n")
    _run(empty_database, sql)
    sql.write("migrations/0001_first.sql", FIRST + "\r\n-- end\r\n")
    assert not _run(empty_database, sql).changed


def test_a_newer_database_is_refused(empty_database: Database, sql: Files) -> None:
    _second_edition(sql)
    _run(empty_database, sql)
    (sql.root / "migrations/0002_ratings.sql").unlink()
    with pytest.raises(
        DatabaseError, match=r"has schema 2, and this Dealwright knows 1: .*upgrade the package"
    ):
        _run(empty_database, sql)


@pytest.mark.parametrize(
    ("name", "message"),
    [("0003_gap.sql", "number 2 is due"), ("0001_double.sql", "number 2 is due"), ("oops.sql", "rename it")],
)
def test_misnumbered_files_are_refused(name: str, message: str, empty_database: Database, sql: Files) -> None:
    sql.write(f"migrations/{name}", "SELECT 1")
    with pytest.raises(DatabaseError, match=message):
        _run(empty_database, sql)


def test_processes_that_start_at_once_migrate_once(empty_database: Database, sql: Files) -> None:
    _run(empty_database, sql)
    sql.write("migrations/0002_slow.sql", SECOND + "\nSELECT pg_sleep(0.5);")
    command = [sys.executable, "-c", MIGRATE, empty_database.url, str(sql.root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["migrated from schema 1 to 2 (0002_slow)"] + ["schema 2: nothing to do"] * 3


def test_the_package_migrates_to_its_own_fresh_schema(
    empty_database: Database, database: Database, tmp_path: Path
) -> None:
    """Run every migration from the first on, and compare with the schema a new desk gets."""
    first, *later = _package_files("migrations")
    steps = Files(tmp_path)
    steps.write("schema/01_first.sql", first[1])  # what the first edition created
    steps.write(f"migrations/{first[0]}", first[1])
    _run(empty_database, steps)
    for name, text in later:
        steps.write(f"migrations/{name}", text)
    for folder in ("engine", "api"):  # today's, which may need today's tables
        for name, text in _package_files(folder):
            steps.write(f"{folder}/{name}", text)
    _run(empty_database, steps)
    assert schema_of(empty_database) == schema_of(database)


def test_the_packages_functions_replace_themselves(database: Database) -> None:
    """An upgrade finds the functions of the edition before; what hangs on a view must not stop it."""
    before = schema_of(database)
    with database.connect() as connection:
        connection.execute(
            "UPDATE dealwright.schema_functions SET checksum = 'an older edition', triggers_checksum = ''"
        )
        connection.commit()
        assert migrate(connection).functions_replaced
    assert schema_of(database) == before


def _package_files(folder: str) -> list[tuple[str, str]]:
    """Return name and text of the package's files in a directory, in order."""
    found = (package_sql() / folder).iterdir()
    return sorted(
        (file.name, file.read_text(encoding="utf-8")) for file in found if file.name.endswith(".sql")
    )
