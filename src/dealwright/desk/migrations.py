"""Bring a database to the schema of this package: numbered migrations, and functions replaced in place.

See ``docs/decisions/0003-migrations-and-repeatable-functions.md``:

* ``schema/NN_topic.sql`` builds the current tables and types in an empty database;
* ``migrations/NNNN_name.sql`` takes an existing database there, each file once;
* ``engine/topic.sql`` and ``api/topic.sql`` hold functions, ``views.sql`` and ``triggers.sql`` beside them
  what hangs on these. They are applied again whenever any of them changed. What an earlier version had and
  this one has not is dropped, never with ``CASCADE``: if something of the company's depends on it, the
  upgrade is refused and names it.

A run is one transaction: a database is either at the new schema or untouched.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
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
_VIEW = re.compile(r"(?im)^create or replace view (\S+)")
_TRIGGER = re.compile(r"(?ims)^create or replace trigger (\w+)\s.*?\son\s+(\S+)")

# whoever places, settles or corrects locks one of these first
_WRITTEN = ("dealwright.lead", "dealwright.booking", "dealwright.assignment", "dealwright.agent")
_ATTEMPTS = 200

# the routines that this transaction has put in place
_REPLACED = b"""
SELECT p.oid::regprocedure::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname IN ('dealwright', 'dealwright_engine') AND p.xmin = pg_current_xact_id()::xid
ORDER BY 1
"""
# new routines, which everybody may run unless somebody says otherwise; what the company granted stays
_REVOKED = b"""
SELECT p.oid::regprocedure::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname IN ('dealwright', 'dealwright_engine') AND p.proacl IS NULL
  AND p.xmin = pg_current_xact_id()::xid
"""
_OWNER = b"""
SELECT quote_ident(r.rolname) FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner
WHERE n.nspname = 'dealwright' AND r.rolname = 'dealwright_owner' AND pg_has_role(r.oid, 'MEMBER')
"""
_TRIGGERS = b"""
SELECT t.tgname, t.tgrelid::regclass::text FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid JOIN pg_namespace AS f ON f.oid = p.pronamespace
JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal
  AND f.nspname IN ('dealwright', 'dealwright_engine') AND n.nspname IN ('dealwright', 'dealwright_engine')
"""

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
    ADD COLUMN IF NOT EXISTS objects text[] NOT NULL DEFAULT '{}';
COMMENT ON TABLE dealwright.schema_functions IS 'Which edition of the functions and triggers is installed';
COMMENT ON COLUMN dealwright.schema_functions.objects
    IS 'What it put there: the next edition drops what it no longer has';
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
        Whether the desk came from another cluster, whose transaction ids the new ones now follow.
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


@dataclass(frozen=True)
class _Script:
    """One SQL file: its place in the order, its name without the suffix, and its text."""

    number: int
    name: str
    text: str = field(repr=False)

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class _Edition:
    """The SQL files of one version of the package."""

    schema: Sequence[_Script]
    migrations: Sequence[_Script]
    routines: Sequence[_Script]
    views: Sequence[_Script]
    triggers: Sequence[_Script]

    @classmethod
    def read(cls, root: Traversable) -> _Edition:
        repeated = [*_read(root / "engine"), *_read(root / "api")]
        hanging = {
            kind: [script for script in repeated if script.name.endswith(f"/{kind}")]
            for kind in ("views", "triggers")
        }
        return cls(
            schema=_scripts(root / "schema"),
            migrations=_numbered_without_gaps(_scripts(root / "migrations")),
            routines=[script for script in repeated if script not in hanging["views"] + hanging["triggers"]],
            **hanging,
        )

    @property
    def stores_ids(self) -> bool:
        """Whether it knows how to follow transaction ids of another cluster."""
        return any(script.name == "engine/cluster" for script in self.routines)

    @property
    def checksum(self) -> str:
        return _combined([*self.routines, *self.views, *self.triggers])

    @property
    def triggers_checksum(self) -> str:
        return _combined(self.triggers)


def package_sql() -> Traversable:
    """Return the directory of the SQL files this package ships."""
    return files("dealwright.desk") / "sql"


def migrate(connection: Connection[Any], sql: Traversable | None = None) -> MigrationResult:
    """Bring the database to the current schema and functions, in one transaction.

    Safe when several processes start at once: one works, the others wait and find nothing to do. Safe beside
    a working desk: who places or settles meanwhile waits for the moment it takes.

    Parameters
    ----------
    connection
        Outside a transaction; its role owns the schema ``dealwright`` or may create it.
    sql
        Directory with ``schema``, ``migrations``, ``engine`` and ``api``; default the package's own.

    Raises
    ------
    DatabaseError
        The database is newer than the package, an applied migration was edited afterwards, something of the
        company's depends on what this version no longer has, or a file failed (with its name and line).
    """
    edition = _Edition.read(sql or package_sql())
    with connection.transaction():  # of its own: whoever waits for the lock below must hold none
        if (done := _up_to_date(connection, edition)) is not None:
            return done
        _check_owner(connection)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        act_as_owner(connection)
        if not _has_books(connection):
            connection.execute(_BOOKKEEPING)
        _fold_version_0_1(connection, edition.migrations)
        known = _applied(connection)
        _check(known, edition.migrations)
        pending = [script for script in edition.migrations if script.number not in known]
        installed = _installed(connection)
        replaced = bool(pending) or installed is None or installed[0] != edition.checksum
        if replaced:
            run = _Runner(connection)
            if known:
                hold_desk(connection, exclusively=bool(pending))
            run.all(pending if known else edition.schema)
            _record_migrations(connection, pending)
            # a migration may have rebuilt a table, which then has lost its triggers
            with_triggers = bool(pending) or installed is None or installed[1] != edition.triggers_checksum
            run.all([*edition.routines, *edition.views, *(edition.triggers if with_triggers else ())])
            _retire(connection, edition)
            _revoke_from_everybody(connection)
        rebased = _rebase_ids(connection, edition)
    names = tuple(script.name for script in pending) if known else ()
    return MigrationResult(max(known, default=0), len(edition.migrations), names, replaced, rebased)


def _check_owner(connection: Connection[Any]) -> None:
    """Refuse somebody who may use the desk but not change it, in better words than the server's."""
    row = connection.execute(
        "SELECT current_user, pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'dealwright'"
    ).fetchone()
    if row is not None and not row[1]:
        raise DatabaseError(
            f"the desk is of another version than this Dealwright, and {row[0]!r} may not upgrade it: "
            "let its owner run `dealwright init`, or install the version that the others use"
        )


def act_as_owner(connection: Connection[Any]) -> None:
    """Let what this transaction makes belong to the owner of the desk, whoever of its members connects."""
    for (owner,) in connection.execute(_OWNER).fetchall():
        connection.execute(f"SET LOCAL ROLE {owner}".encode())


def _revoke_from_everybody(connection: Connection[Any]) -> None:
    """Leave routines that are new to their owner, until somebody grants them."""
    if names := [name for (name,) in connection.execute(_REVOKED).fetchall()]:
        connection.execute(f"REVOKE EXECUTE ON ROUTINE {', '.join(names)} FROM PUBLIC".encode())


def _up_to_date(connection: Connection[Any], edition: _Edition) -> MigrationResult | None:
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


def _has_books(connection: Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT 1 FROM pg_attribute "
        "WHERE attrelid = to_regclass('dealwright.schema_functions') AND attname = 'objects'"
    ).fetchone()
    return row is not None


def _fold_version_0_1(connection: Connection[Any], migrations: Sequence[_Script]) -> None:
    """Let a database of version 0.1 have the one migration behind it that its four have become."""
    found = connection.execute("SELECT checksum FROM dealwright.schema_version ORDER BY version").fetchall()
    if tuple(checksum for (checksum,) in found) == _VERSION_0_1:
        connection.execute("DELETE FROM dealwright.schema_version")
        _record_migrations(connection, migrations[:1])


def _record_migrations(connection: Connection[Any], scripts: Sequence[_Script]) -> None:
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


def _knows_cluster(connection: Connection[Any], edition: _Edition) -> bool:
    """Return whether the cluster's transaction ids follow those that are stored (``engine/cluster.sql``)."""
    if not edition.stores_ids:
        return True
    return connection.execute("SELECT dealwright.knows_cluster()").fetchone() == (True,)


def _rebase_ids(connection: Connection[Any], edition: _Edition) -> bool:
    """Let new transaction ids follow those that the desk has brought along from another cluster."""
    if _knows_cluster(connection, edition):
        return False
    hold_desk(connection, exclusively=False)
    connection.execute("SELECT dealwright_engine.rebase_ids()")
    return True


def hold_desk(connection: Connection[Any], *, exclusively: bool) -> None:
    """Let nobody begin to place or settle until the transaction ends, and wait until nobody is at it.

    In short attempts: whoever comes meanwhile goes on after each, and nobody's transaction is ended as the
    victim of a deadlock.
    """
    mode = "ACCESS EXCLUSIVE" if exclusively else "SHARE ROW EXCLUSIVE"
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", [list(_WRITTEN)]
    )
    tables = [name for (name,) in rows.fetchall()]
    if not tables:
        return
    patience = connection.execute("SELECT current_setting('lock_timeout')").fetchone()
    for attempt in range(_ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '200ms'")
                # placing and settling take these in different orders: one, then the other
                order = tables if attempt % 2 else tables[::-1]
                connection.execute(f"LOCK TABLE {', '.join(order)} IN {mode} MODE".encode())
        except psycopg.errors.LockNotAvailable:
            time.sleep(0.05 * random.random())  # noqa: S311
        else:
            connection.execute("SELECT set_config('lock_timeout', %s, true)", patience)
            return
    raise DatabaseError(
        "the desk is too busy to be upgraded: a transaction stays open that has changed leads or bookings "
        "(pg_stat_activity shows it); end it, or try again at a quieter time; nothing was changed"
    )


def _retire(connection: Connection[Any], edition: _Edition) -> None:
    """Drop what the edition before had and this one has not, and note what this one has."""
    connection.execute("SET LOCAL search_path = pg_catalog")
    row = connection.execute("SELECT objects FROM dealwright.schema_functions").fetchone()
    views = [name for script in (*edition.routines, *edition.views) for name in _VIEW.findall(script.text)]
    triggers = [
        f"{name} on {table}" for script in edition.triggers for name, table in _TRIGGER.findall(script.text)
    ]
    present = [f"routine {name}" for (name,) in connection.execute(_REPLACED)] + [
        f"view {name}" for name in views
    ]
    gone = set(row[0] if row else ()) - set(present)
    try:
        for name, table in connection.execute(_TRIGGERS).fetchall():
            if f"{name} on {table}" not in triggers:
                connection.execute(f'DROP TRIGGER "{name}" ON {table}'.encode())
        for kind in ("view", "routine", "type"):
            # in one statement: what of it hangs together goes together
            if names := [
                item.removeprefix(f"{kind} ") for item in sorted(gone) if item.startswith(f"{kind} ")
            ]:
                connection.execute(f"DROP {kind} IF EXISTS {', '.join(names)}".encode())
    except psycopg.errors.DependentObjectsStillExist as error:
        raise DatabaseError(
            "this version of Dealwright no longer has something that yours depends on: "
            f"{'; '.join((error.diag.message_detail or str(error)).splitlines())}. "
            "Nothing was changed: drop or rewrite what depends on it, then start again"
        ) from error
    connection.execute(
        "INSERT INTO dealwright.schema_functions (checksum, triggers_checksum, objects) VALUES (%s, %s, %s) "
        "ON CONFLICT (only_row) DO UPDATE SET checksum = excluded.checksum, "
        "triggers_checksum = excluded.triggers_checksum, objects = excluded.objects, applied_at = now()",
        [edition.checksum, edition.triggers_checksum, present],
    )


def check_versions(versions: Sequence[tuple[int, str, str]]) -> None:
    """Check that this package can work with a desk that has these migrations (number, name, checksum).

    Raises
    ------
    DatabaseError
        A newer Dealwright has been there, or a migration differs.
    """
    if tuple(checksum for _, _, checksum in versions) != _VERSION_0_1:
        known = {version: (name, checksum) for version, name, checksum in versions}
        _check(known, _Edition.read(package_sql()).migrations)


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
    return sorted(_read(folder, numbered=True), key=lambda script: script.number)


def _read(folder: Traversable, *, numbered: bool = False) -> Iterator[_Script]:
    if not folder.is_dir():
        return
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        name = file.name.removesuffix(".sql")
        number = 0
        if numbered:
            match = _NAME.fullmatch(file.name)
            if match is None:
                raise DatabaseError(f"{file.name} is not named like 0001_what_it_does.sql: rename it")
            number = int(match[1])
        else:
            name = f"{folder.name}/{name}"
        # text mode: a checkout with other line ends has the same checksum
        yield _Script(number, name, file.read_text(encoding="utf-8"))


def _numbered_without_gaps(scripts: Sequence[_Script]) -> Sequence[_Script]:
    for expected, script in enumerate(scripts, start=1):
        if script.number != expected:
            raise DatabaseError(
                f"migration {script.name} stands where number {expected} is due: "
                "migrations count 0001, 0002, … without gaps or doubles"
            )
    return scripts


class _Runner:
    """Runs files, with the schema where this database has the types of pgvector filled in."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        row = connection.execute(
            "SELECT quote_ident(n.nspname) FROM pg_extension AS e "
            "JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
        ).fetchone()
        self._vector_schema = row[0] if row else "public"
        # functions name one another in any order
        connection.execute("SET LOCAL check_function_bodies = off")
        connection.execute(
            self._filled("SET LOCAL search_path = dealwright, dealwright_engine, @vector_schema@")
        )

    def all(self, scripts: Sequence[_Script]) -> None:
        for script in scripts:
            self._run(script)

    def _filled(self, text: str) -> bytes:
        return text.replace("@vector_schema@", self._vector_schema).encode()

    def _run(self, script: _Script) -> None:
        try:
            self._connection.execute(self._filled(script.text))
        except psycopg.Error as error:
            diagnosis = error.diag
            position = int(diagnosis.statement_position or 0)
            line = f", line {script.text.count(chr(10), 0, position) + 1}" if position else ""
            hint = f" ({diagnosis.message_hint})" if diagnosis.message_hint else ""
            context = f"\n{diagnosis.context}" if diagnosis.context else ""
            message = diagnosis.message_primary or str(error)
            raise DatabaseError(f"{script.name}.sql{line}: {message}{hint}{context}") from error
