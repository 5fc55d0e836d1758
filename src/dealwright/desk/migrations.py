"""Bring a database to the schema of this package: numbered migrations, and functions replaced in place.

See ``docs/decisions/record.md#upgrades-beside-work``:

* ``schema/NN_topic.sql`` builds the current tables and types in an empty database;
* ``migrations/NNNN_name.sql`` takes an existing database there, each file once;
* ``engine/topic.sql`` and ``api/topic.sql`` hold functions, ``views.sql`` and ``triggers.sql`` beside them
  what hangs on these. They are applied again whenever any of them changed. What an earlier version had and
  this one has not is dropped, never with ``CASCADE``: if something of the company's depends on it, the
  upgrade is refused and names it.

A run is one transaction: a database is either at the new schema or untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from psycopg import Connection

from dealwright.desk.edition import Edition, Script, find_vector, package_sql, run_scripts
from dealwright.desk.upgrade import (
    LEAVE_S,
    act_as_owner,
    beside_work,
    drop_retired,
    keep_grants,
    leave_to_owner,
    read_grants,
    retire,
    routines_in_place,
)
from dealwright.desk.waiting import Tell, log_wait
from dealwright.errors import ConflictError, DatabaseError

__all__ = ["MigrationResult", "check_versions", "migrate", "package_sql"]

_LOCK = 0x6465_616C  # "deal": one migrating process at a time in a database

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
ALTER TABLE dealwright.schema_functions
    ADD COLUMN IF NOT EXISTS triggers_checksum text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS objects text[] NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS retired text[] NOT NULL DEFAULT '{}';
COMMENT ON TABLE dealwright.schema_functions IS 'Which edition of the functions and triggers is installed';
COMMENT ON COLUMN dealwright.schema_functions.objects
    IS 'What it put there: the next edition drops what it no longer has';
COMMENT ON COLUMN dealwright.schema_functions.retired
    IS 'What an edition before had: dropped as soon as no call can still be in the middle of it';
"""

# version 0.1 had these; they are one file now
_VERSION_0_1 = (
    "968afd30e38b7741081074cb18637187fa192ebd73b8e1fcf906b292630fe036",
    "69f2e90a21327d973af9d1302fc07c99d6d5af898219b40f7c8ec6bdcf63f317",
    "cdf86869d4bf6e8e7cad3341afd13279cf778102b027d28dec1bd249980bca3a",
    "9231d20d602207fc0c75ddb726cf216f478692638f1652994040877d4fd714fd",
)


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
    ids_rebased
        Whether the desk came from another server, whose transaction ids new ones follow from now on.
    """

    before: int
    after: int
    applied: tuple[str, ...]
    functions_replaced: bool
    ids_rebased: bool = False

    @property
    def changed(self) -> bool:
        """Whether the database was touched at all."""
        return self.before != self.after or self.functions_replaced or self.ids_rebased

    def summary(self) -> str:
        """Say in one line what was done."""
        if not self.changed:
            return f"schema {self.after}: nothing to do"
        if self.before == 0:
            return f"schema {self.after} created"
        steps = []
        if self.applied:
            steps.append(f"migrated from schema {self.before} to {self.after} ({', '.join(self.applied)})")
        elif self.functions_replaced:
            steps.append(f"schema {self.after}: functions replaced")
        if self.ids_rebased:
            steps.append("came from another server: its events and decisions are carried on")
        return "; ".join(steps)


def migrate(
    connection: Connection[Any], sql: Traversable | None = None, *, tell: Tell = log_wait
) -> MigrationResult:
    """Bring the database to the current schema and functions, in one transaction.

    Safe when several processes start at once: one works, the others wait and find nothing to do. Safe beside
    a working desk: who places or settles meanwhile waits for the moment it takes.

    Parameters
    ----------
    connection
        Outside a transaction; its role owns the schema ``dealwright`` or may create it.
    sql
        Directory with ``schema``, ``migrations``, ``engine`` and ``api``; default the package's own.
    tell
        Is told, in one line, who is in the way of an upgrade for more than two seconds.

    Raises
    ------
    ConflictError
        The schema ``dealwright`` holds something that is no desk.
    DatabaseError
        The database is newer than the package, an applied migration was edited afterwards, something of the
        company's depends on what this version no longer has, or a file failed (with its name and line).
    """
    with connection.transaction():  # of its own: whoever waits for the lock below must hold none
        edition = Edition.read(sql or package_sql(), find_vector(connection))
        done, may_change = _up_to_date(connection, edition), _may_change(connection)
        if done is not None and not (may_change and _has_retired(connection)):
            return done
        if not may_change:
            raise _not_the_owner(connection)
    if done is not None:
        drop_retired(connection, within_s=0)
        return done
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        act_as_owner(connection)
        if not _has_books(connection):
            _refuse_somebody_elses(connection)
            connection.execute(_BOOKKEEPING)
        _fold_version_0_1(connection, edition.migrations)
        known = _applied(connection)
        _check(known, edition.migrations)
        pending = [script for script in edition.migrations if script.number not in known]
        installed = _installed(connection)
        replaced = bool(pending) or installed is None or installed[0] != edition.checksum
        # a migration may have rebuilt a table, which then has lost its triggers
        with_triggers = bool(pending) or installed is None or installed[1] != edition.triggers_checksum
        if replaced and known:
            beside_work(
                connection,
                lambda: _put_in_place(connection, edition, pending, pending, with_triggers=with_triggers),
                tell,
            )
        elif replaced:
            _put_in_place(connection, edition, edition.schema, pending, with_triggers=True)
        rebased = _rebase_ids(connection, edition, tell)
    drop_retired(connection, within_s=LEAVE_S if replaced else 0)
    names = tuple(script.name for script in pending) if known else ()
    return MigrationResult(max(known, default=0), len(edition.migrations), names, replaced, rebased)


def check_versions(versions: Sequence[tuple[int, str, str]]) -> None:
    """Check that this package can work with a desk that has these migrations (number, name, checksum).

    Raises
    ------
    DatabaseError
        A newer Dealwright has been there, or a migration differs.
    """
    if tuple(checksum for _, _, checksum in versions) != _VERSION_0_1:
        known = {version: (name, checksum) for version, name, checksum in versions}
        _check(known, Edition.read(package_sql(), "public").migrations)


def _may_change(connection: Connection[Any]) -> bool:
    """Return whether the user may change the desk, or build it."""
    row = connection.execute(
        "SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'dealwright'"
    ).fetchone()
    return row is None or bool(row[0])


def _not_the_owner(connection: Connection[Any]) -> DatabaseError:
    return DatabaseError(
        "the desk is of another version than this Dealwright, or was restored, and "
        f"{connection.info.user!r} may not upgrade it: let its owner run `dealwright init`, "
        "or install the version that the others use"
    )


def _knows_cluster(connection: Connection[Any], edition: Edition) -> bool:
    """Return whether the cluster's transaction ids follow those that are stored (``engine/cluster.sql``)."""
    if not edition.stores_ids:
        return True
    return connection.execute("SELECT dealwright.knows_cluster()").fetchone() == (True,)


def _rebase_ids(connection: Connection[Any], edition: Edition, tell: Tell) -> bool:
    """Let new transaction ids follow those that the desk has brought along from another cluster."""
    if _knows_cluster(connection, edition):
        return False
    beside_work(connection, lambda: connection.execute("SELECT dealwright_engine.rebase_ids()"), tell)
    return True


def _put_in_place(
    connection: Connection[Any],
    edition: Edition,
    tables: Sequence[Script],
    recorded: Sequence[Script],
    *,
    with_triggers: bool,
) -> None:
    """Change the tables, then put all that is repeated in place, and retire what is gone."""
    grants = read_grants(connection)
    run_scripts(connection, tables, edition.vector_schema)
    before = routines_in_place(connection)
    _record_migrations(connection, recorded)
    repeated = [*edition.routines, *edition.views, *(edition.triggers if with_triggers else ())]
    run_scripts(connection, repeated, edition.vector_schema)
    keep_grants(connection, grants)
    leave_to_owner(connection, before)
    retire(connection, edition, before)


def _up_to_date(connection: Connection[Any], edition: Edition) -> MigrationResult | None:
    """Return the result when there is nothing to do, found without the lock: the cost of every start."""
    if not _has_books(connection):
        return None
    known = _applied(connection)
    row = connection.execute("SELECT checksum FROM dealwright.schema_functions").fetchone()
    if row is None or row[0] != edition.checksum:
        return None
    _check(known, edition.migrations)
    if len(known) < len(edition.migrations) or not _knows_cluster(connection, edition):
        return None
    return MigrationResult(len(known), len(known), (), functions_replaced=False)


def _has_retired(connection: Connection[Any]) -> bool:
    row = connection.execute("SELECT retired <> '{}' FROM dealwright.schema_functions").fetchone()
    return row is not None and bool(row[0])


def _refuse_somebody_elses(connection: Connection[Any]) -> None:
    row = connection.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('dealwright', 'dealwright_engine') AND c.relkind NOT IN ('i', 'I', 't') "
        "AND to_regclass('dealwright.schema_version') IS NULL ORDER BY c.oid LIMIT 1"
    ).fetchone()
    if row is not None:
        raise ConflictError(
            f"the schema of the desk holds something that is no desk ({row[0]}): rename the schema, or use "
            "another database"
        )


def _has_books(connection: Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_attribute "
        "WHERE attrelid = to_regclass('dealwright.schema_functions') AND attname = 'retired'"
    ).fetchone()
    return row is not None


def _fold_version_0_1(connection: Connection[Any], migrations: Sequence[Script]) -> None:
    """Let a database of version 0.1 have the one migration behind it that its four have become."""
    found = connection.execute("SELECT checksum FROM dealwright.schema_version ORDER BY version").fetchall()
    if tuple(checksum for (checksum,) in found) == _VERSION_0_1:
        connection.execute("DELETE FROM dealwright.schema_version")
        _record_migrations(connection, migrations[:1])


def _record_migrations(connection: Connection[Any], scripts: Sequence[Script]) -> None:
    for script in scripts:
        connection.execute(
            "INSERT INTO dealwright.schema_version (version, name, checksum) VALUES (%s, %s, %s)",
            [script.number, script.name, script.checksum],
        )


def _applied(connection: Connection[Any]) -> dict[int, tuple[str, str]]:
    rows = connection.execute("SELECT version, name, checksum FROM dealwright.schema_version")
    return {version: (name, checksum) for version, name, checksum in rows}


def _installed(connection: Connection[Any]) -> tuple[str, str] | None:
    """Return the checksums of all that is repeated and of the triggers in it."""
    row = connection.execute("SELECT checksum, triggers_checksum FROM dealwright.schema_functions").fetchone()
    return None if row is None else (str(row[0]), str(row[1]))


def _check(known: dict[int, tuple[str, str]], migrations: Sequence[Script]) -> None:
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
