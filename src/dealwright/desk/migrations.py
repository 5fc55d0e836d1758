"""Bring a database to the schema of this package: numbered migrations, and functions replaced as a whole.

Three directories of SQL files, see ``docs/decisions/0003-migrations-and-repeatable-functions.md``:

* ``schema/NN_topic.sql`` builds the current tables in an empty database;
* ``migrations/NNNN_name.sql`` takes an existing database there, each file once;
* ``functions/NN_topic.sql`` (functions, triggers) is applied again, all of it, whenever any of it changed.

A run is one transaction: a database is either at the new schema or untouched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import psycopg
from psycopg import Connection

from dealwright.errors import DatabaseError

_LOCK = 0x6465_616C  # "deal": one migrating process at a time in a database
_NAME = re.compile(r"(\d+)_(\w+)\.sql")

_BOOKKEEPING = b"""
CREATE SCHEMA IF NOT EXISTS dealwright;
CREATE TABLE IF NOT EXISTS dealwright.schema_version (
    version integer PRIMARY KEY CHECK (version > 0),
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    checksum text NOT NULL
);
COMMENT ON TABLE dealwright.schema_version IS 'Migrations this database has behind it';
CREATE TABLE IF NOT EXISTS dealwright.schema_functions (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    applied_at timestamptz NOT NULL DEFAULT now(),
    checksum text NOT NULL
);
COMMENT ON TABLE dealwright.schema_functions IS 'Which edition of the functions and triggers is installed';
"""


@dataclass(frozen=True)
class MigrationResult:
    """What a run did.

    Attributes
    ----------
    before, after
        Schema version before (0: empty database) and after the run.
    applied
        Names of the migrations that were run; none for a new database, which gets today's tables at once.
    functions_replaced
        Whether functions and triggers were applied again.
    """

    before: int
    after: int
    applied: tuple[str, ...]
    functions_replaced: bool

    @property
    def changed(self) -> bool:
        """Whether the database was touched at all."""
        return self.before != self.after or self.functions_replaced

    def summary(self) -> str:
        """Say in one line what was done."""
        if not self.changed:
            return f"schema {self.after}: nothing to do"
        if self.before == 0:
            return f"schema {self.after} created"
        steps = f"migrated from schema {self.before} to {self.after} ({', '.join(self.applied)})"
        return steps if self.applied else f"schema {self.after}: functions replaced"


@dataclass(frozen=True)
class _Script:
    """One SQL file: its place in the order, its name without the suffix, and its text."""

    number: int
    name: str
    text: str = field(repr=False)

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def package_sql() -> Traversable:
    """Return the directory of the SQL files this package ships."""
    return files("dealwright.desk") / "sql"


def migrate(connection: Connection[Any], sql: Traversable | None = None) -> MigrationResult:
    """Bring the database to the current schema and functions, in one transaction.

    Safe when several processes start at once: one works, the others wait and find nothing to do.

    Parameters
    ----------
    connection
        Outside a transaction; its role owns the schema ``dealwright`` or may create it.
    sql
        Directory with ``schema``, ``migrations`` and ``functions``; default the package's own.

    Raises
    ------
    DatabaseError
        The database is newer than the package, an applied migration was edited afterwards, or a file failed
        (with its name and line).
    """
    root = sql or package_sql()
    migrations = _numbered_without_gaps(_scripts(root / "migrations"))
    functions = _scripts(root / "functions")
    with connection.transaction():
        if (done := _up_to_date(connection, migrations, functions)) is not None:
            return done
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute(_BOOKKEEPING)
        known = _applied(connection)
        _check(known, migrations)
        before = max(known, default=0)
        pending = [script for script in migrations if script.number not in known]
        for script in pending if known else _scripts(root / "schema"):
            _run(connection, script)
        for script in pending:
            connection.execute(
                "INSERT INTO dealwright.schema_version (version, name, checksum) VALUES (%s, %s, %s)",
                [script.number, script.name, script.checksum],
            )
        # after a migration always: it may have rebuilt a table and lost its triggers
        replaced = bool(pending) or _functions_applied(connection) != _combined(functions)
        if replaced:
            for script in functions:
                _run(connection, script)
            connection.execute(
                "INSERT INTO dealwright.schema_functions (checksum) VALUES (%s) "
                "ON CONFLICT (only_row) DO UPDATE SET checksum = excluded.checksum, applied_at = now()",
                [_combined(functions)],
            )
    names = tuple(script.name for script in pending) if known else ()
    return MigrationResult(before, len(migrations), names, replaced)


def _up_to_date(
    connection: Connection[Any], migrations: Sequence[_Script], functions: Sequence[_Script]
) -> MigrationResult | None:
    """Return the result when there is nothing to do, found without the lock: the cost of every start."""
    row = connection.execute("SELECT to_regclass('dealwright.schema_functions')").fetchone()
    if row is None or row[0] is None:
        return None
    known = _applied(connection)
    _check(known, migrations)
    if len(known) < len(migrations) or _functions_applied(connection) != _combined(functions):
        return None
    return MigrationResult(len(known), len(known), (), functions_replaced=False)


def _applied(connection: Connection[Any]) -> dict[int, tuple[str, str]]:
    rows = connection.execute("SELECT version, name, checksum FROM dealwright.schema_version")
    return {version: (name, checksum) for version, name, checksum in rows}


def _functions_applied(connection: Connection[Any]) -> str | None:
    row = connection.execute("SELECT checksum FROM dealwright.schema_functions").fetchone()
    return None if row is None else str(row[0])


def _check(known: dict[int, tuple[str, str]], migrations: Sequence[_Script]) -> None:
    """Refuse a database that is newer than the package, or whose past differs from the files."""
    newest = max(known, default=0)
    if newest > len(migrations):
        raise DatabaseError(
            f"the database has schema {newest}, and this Dealwright knows {len(migrations)}: "
            "a newer one has been here; upgrade the package"
        )
    for script in migrations:
        if script.number in known and known[script.number][1] != script.checksum:
            raise DatabaseError(
                f"migration {script.name} was changed after it had been applied to this database: "
                "restore the file, and put the change into a new migration"
            )


def _combined(scripts: Sequence[_Script]) -> str:
    digest = hashlib.sha256()
    for script in scripts:
        digest.update(f"{script.name}\0{script.text}\0".encode())
    return digest.hexdigest()


def _scripts(folder: Traversable) -> list[_Script]:
    """Read the SQL files of a directory in the order of their numbers."""
    return sorted(_read(folder), key=lambda script: script.number)


def _read(folder: Traversable) -> Iterator[_Script]:
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise DatabaseError(f"{file.name} is not named like 0001_what_it_does.sql: rename it")
        # text mode: a checkout with other line ends has the same checksum
        yield _Script(int(match[1]), file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))


def _numbered_without_gaps(scripts: Sequence[_Script]) -> Sequence[_Script]:
    for expected, script in enumerate(scripts, start=1):
        if script.number != expected:
            raise DatabaseError(
                f"migration {script.name} stands where number {expected} is due: "
                "migrations count 0001, 0002, … without gaps or doubles"
            )
    return scripts


def _run(connection: Connection[Any], script: _Script) -> None:
    try:
        connection.execute(script.text.encode())
    except psycopg.Error as error:
        diagnosis = error.diag
        position = int(diagnosis.statement_position or 0)
        line = f", line {script.text.count(chr(10), 0, position) + 1}" if position else ""
        hint = f" ({diagnosis.message_hint})" if diagnosis.message_hint else ""
        context = f"\n{diagnosis.context}" if diagnosis.context else ""
        message = diagnosis.message_primary or str(error)
        raise DatabaseError(f"{script.name}.sql{line}: {message}{hint}{context}") from error
