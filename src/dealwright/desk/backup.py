"""Backup of a desk: one file in PostgreSQL's custom format; whole, or not there at all."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection, IsolationLevel
from psycopg.rows import dict_row

from dealwright.desk.cluster import client_environment, program, tail
from dealwright.desk.database import Database, hide_secrets, redact
from dealwright.desk.queries import answered_errors
from dealwright.desk.statements import query
from dealwright.errors import DatabaseError, InputError, NotFoundError

SCHEMAS = ("dealwright", "dealwright_engine")
_MAGIC = b"PGDMP"  # what the custom format begins with
_HINTS = {
    "server version mismatch": "The server is newer than the programs of the embedded PostgreSQL: "
    "use its own pg_dump with --format=custom",
    "lock timeout": "Somebody is at work in the desk that would be replaced: let them end, and try again",
    "read-only transaction": "This server is a standby: restore into the server that it follows",
    "No space left": "Make room, and try again",
}


@dataclass(frozen=True)
class Backup:
    """A backup that was written.

    Attributes
    ----------
    file
        Where it is.
    size_bytes
        How large it is.
    schema
        Version of the desk's schema.
    agents, assignments, bookings, waiting
        How much of each is in it.
    """

    file: Path
    size_bytes: int
    schema: int
    agents: int
    assignments: int
    bookings: int
    waiting: int

    def summary(self) -> str:
        """Say in one line what was written."""
        amounts = say_amounts(self.agents, self.assignments, self.bookings)
        return f"{self.file}: {amounts} in {self.size_bytes / 2**20:,.1f} MiB"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**self.__dict__, "file": str(self.file)}


def back_up(database: Database, file: Path) -> Backup:
    """Write the desk of a database into a file that only its owner may read.

    Others go on working meanwhile; the file has what was committed when it was begun. A backup that is there
    under that name is replaced when the new one is complete.

    Raises
    ------
    NotFoundError
        The database holds no desk.
    InputError
        The file cannot be written there, or another kind of file has that name.
    DatabaseError
        PostgreSQL did not do it; the message has its words.
    """
    _check_place(file)
    with database.connect() as connection, answered_errors(database.url):
        if not read_rows(connection, "restore_target")[0]["has_desk"]:
            raise NotFoundError(f"there is no desk in {redact(database.url)}: check the address")
        connection.commit()
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        versions = read_rows(connection, "backup_versions")
        counts = read_rows(connection, "counts")[0]
        with _draft_of(file) as draft:
            _dump(connection, draft, database.url)
        return Backup(file, file.stat().st_size, versions[-1]["version"], **counts)


def _check_place(file: Path) -> None:
    """Refuse a place where a backup cannot stand, before anything is read."""
    if file.is_dir():
        raise InputError(f"{file} is a directory: name a file in it, such as {file / 'desk.backup'}")
    if not file.parent.is_dir():
        raise InputError(f"{file.parent} is no directory: create it, or choose another")
    if file.exists() and file.stat().st_size and not is_backup(file):
        raise InputError(f"{file} is there and is no backup: choose another name, or remove it first")


@contextmanager
def _draft_of(file: Path) -> Iterator[Path]:
    """Lend a private file to write to; it gets its name when all went well, and is gone otherwise."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # with mode 0600
    except OSError as error:
        raise InputError(f"cannot write in {file.parent} ({error.strerror}): choose another place") from error
    os.close(handle)
    draft = Path(name)
    try:
        yield draft  # pg_dump has it on the disk before it ends
        draft.replace(file)
    except OSError as error:
        raise DatabaseError(f"cannot write {file} ({error.strerror}): make room, and try again") from error
    finally:
        draft.unlink(missing_ok=True)
    _sync(file.parent)


def _sync(folder: Path) -> None:
    """Have a new name on the disk, where the system can do that for a directory."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _dump(connection: Connection[Any], draft: Path, url: str) -> None:
    """Run pg_dump, with what the connection's transaction sees."""
    (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchall()[0]
    # in a file that it opens itself, it can go back and note where each table begins
    options = ["--format=custom", f"--file={draft}", f"--snapshot={snapshot}"]
    options += [f"--schema={name}" for name in SCHEMAS]
    with client_environment(parameters_of(connection)) as environment:
        done = subprocess.run(  # noqa: S603 - the wheel's own program
            [program("pg_dump"), "--no-password", *options, "--dbname=service=desk"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
    if done.returncode:
        raise failure("the backup was not written", done.stderr, url)


# shared with restore


def say_amounts(agents: int, assignments: int, bookings: int) -> str:
    """Say how much is in a desk."""
    amounts = {"agent": agents, "assignment": assignments, "booking": bookings}
    return ", ".join(f"{many:,} {name}{'' if many == 1 else 's'}" for name, many in amounts.items())


def is_backup(file: Path) -> bool:
    """Return whether a file begins like one in PostgreSQL's custom format.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise InputError(f"cannot read {file} ({error.strerror}): check its name and its rights") from error


def read_rows(connection: Connection[Any], name: str) -> list[dict[str, Any]]:
    """Run a statement of ``sql/queries.sql``."""
    return connection.cursor(row_factory=dict_row).execute(query(name)).fetchall()


def parameters_of(connection: Connection[Any]) -> dict[str, str]:
    """Return what a connection was made with, its password included."""
    found = connection.info.get_parameters() | {"application_name": "dealwright backup"}
    if connection.info.password:
        found["password"] = connection.info.password
    # a service has been looked up already
    return {name: value for name, value in found.items() if name not in ("service", "servicefile")}


def failure(what: str, words: str, url: str) -> DatabaseError:
    """Return the error for a program that failed, with its words and what to do."""
    words = hide_secrets(words, url)
    hint = next((f"\n{hint}" for sign, hint in _HINTS.items() if sign in words), "")
    return DatabaseError(f"{what}; PostgreSQL says:\n{tail(words, 4)}{hint}")
