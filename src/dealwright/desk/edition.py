"""The SQL files of one version of the package, and how they are put in place."""

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

_VECTOR_SCHEMA = "@vector_schema@"
_NAME = re.compile(r"(\d+)_(\w+)\.sql")
_VIEW = re.compile(r"(?im)^create or replace view (\S+)")
_TRIGGER = re.compile(r"(?ims)^create or replace trigger (\w+)\s.*?\son\s+(\S+)")


@dataclass(frozen=True)
class Script:
    """One SQL file: its place in the order, its name without the suffix, and its text."""

    number: int
    name: str
    text: str = field(repr=False)

    @property
    def checksum(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Edition:
    """The SQL files of one version of the package."""

    schema: Sequence[Script]
    migrations: Sequence[Script]
    routines: Sequence[Script]
    views: Sequence[Script]
    triggers: Sequence[Script]
    vector_schema: str

    @classmethod
    def read(cls, root: Traversable, vector_schema: str) -> Edition:
        """Read a directory that holds ``schema``, ``migrations``, ``engine`` and ``api``.

        Parameters
        ----------
        vector_schema
            Where the database has the types of pgvector: what is repeated has it filled in, so that another
            place is another edition.

        Raises
        ------
        DatabaseError
            A file is not named as it should be, or the migrations are not numbered without gaps.
        """
        repeated = [
            Script(script.number, script.name, script.text.replace(_VECTOR_SCHEMA, vector_schema))
            for folder in ("engine", "api")
            for script in _read(root / folder)
        ]
        hanging = {
            kind: [script for script in repeated if script.name.endswith(f"/{kind}")]
            for kind in ("views", "triggers")
        }
        return cls(
            schema=_numbered(root / "schema"),
            migrations=_without_gaps(_numbered(root / "migrations")),
            routines=[script for script in repeated if script not in hanging["views"] + hanging["triggers"]],
            vector_schema=vector_schema,
            **hanging,
        )

    @property
    def stores_ids(self) -> bool:
        """Whether it knows how to follow transaction ids of another cluster."""
        return any(script.name == "api/cluster" for script in self.routines)

    @property
    def checksum(self) -> str:
        """Digest of all that is repeated."""
        return _combined([*self.routines, *self.views, *self.triggers])

    @property
    def triggers_checksum(self) -> str:
        """Digest of the triggers."""
        return _combined(self.triggers)

    @property
    def view_names(self) -> list[str]:
        """Names of the views, with their schemas."""
        return [name for script in (*self.routines, *self.views) for name in _VIEW.findall(script.text)]

    @property
    def trigger_names(self) -> list[str]:
        """Names of the triggers, as ``NAME on TABLE``."""
        return [
            f"{name} on {table}" for script in self.triggers for name, table in _TRIGGER.findall(script.text)
        ]


def package_sql() -> Traversable:
    """Return the directory of the SQL files this package ships."""
    return files("dealwright.desk") / "sql"


def find_vector(connection: Connection[Any]) -> str:
    """Return the schema that holds the types of pgvector."""
    row = connection.execute(
        "SELECT quote_ident(n.nspname) FROM pg_extension AS e "
        "JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
    ).fetchone()
    return str(row[0]) if row else "public"


def run_scripts(connection: Connection[Any], scripts: Sequence[Script], vector_schema: str) -> None:
    """Run files, with the schema of pgvector filled in.

    Raises
    ------
    DatabaseError
        One failed; the message has its name and line.
    """
    # functions name one another in any order
    connection.execute("SET LOCAL check_function_bodies = off")
    connection.execute(f"SET LOCAL search_path = dealwright, dealwright_engine, {vector_schema}".encode())
    for script in scripts:
        try:
            connection.execute(script.text.replace(_VECTOR_SCHEMA, vector_schema).encode())
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            raise  # to be tried again
        except psycopg.Error as error:
            raise _failure(script, error) from error


def _failure(script: Script, error: psycopg.Error) -> DatabaseError:
    if isinstance(error, psycopg.errors.DependentObjectsStillExist):
        return still_needed(error)
    diagnosis = error.diag
    position = int(diagnosis.statement_position or 0)
    line = f", line {script.text.count(chr(10), 0, position) + 1}" if position else ""
    hint = f" ({diagnosis.message_hint})" if diagnosis.message_hint else ""
    context = f"\n{diagnosis.context}" if diagnosis.context else ""
    message = diagnosis.message_primary or str(error)
    if isinstance(error, psycopg.errors.FeatureNotSupported):
        # such as a column of the company's that has a table's row type
        return DatabaseError(
            f"{script.name}.sql cannot change the desk's tables: {message}. Nothing was changed: change what "
            "it names (give a column a type of its own, such as jsonb), then start again"
        )
    return DatabaseError(f"{script.name}.sql{line}: {message}{hint}{context}")


def still_needed(error: psycopg.Error) -> DatabaseError:
    """Say what of the company's depends on something that this version no longer has."""
    return DatabaseError(
        "this version of Dealwright no longer has something that yours depends on: "
        f"{'; '.join((error.diag.message_detail or str(error)).splitlines())}. "
        "Nothing was changed: drop or rewrite what depends on it, then start again"
    )


def _combined(scripts: Sequence[Script]) -> str:
    digest = hashlib.sha256()
    for script in scripts:
        digest.update(f"{script.name}\0{script.text}\0".encode())
    return digest.hexdigest()


def _numbered(folder: Traversable) -> list[Script]:
    """Read the SQL files of a directory in the order of their numbers."""
    return sorted(_read(folder, numbered=True), key=lambda script: script.number)


def _read(folder: Traversable, *, numbered: bool = False) -> Iterator[Script]:
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
        yield Script(number, name, file.read_text(encoding="utf-8"))


def _without_gaps(scripts: Sequence[Script]) -> Sequence[Script]:
    for expected, script in enumerate(scripts, start=1):
        if script.number != expected:
            raise DatabaseError(
                f"migration {script.name} stands where number {expected} is due: "
                "migrations count 0001, 0002, … without gaps or doubles"
            )
    return scripts
