"""Restore of a desk from a backup, in one transaction: others see what was there before, or all of it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from psycopg import Connection

from dealwright.desk.backup import failure, is_backup, parameters_of, read_rows, say_amounts
from dealwright.desk.cluster import client_environment, program, tail
from dealwright.desk.database import Database, redact
from dealwright.desk.edition import find_vector
from dealwright.desk.migrations import check_versions, migrate
from dealwright.desk.queries import answered_errors
from dealwright.desk.statements import query
from dealwright.errors import ConflictError, DatabaseError, InputError

_FIRST_WITH_TRANSACTION_TIMEOUT = 17

# of a list of contents: "215; 1259 16398 TABLE dealwright agent anna", "5; 2615 16385 SCHEMA - dealwright a"
_OURS = re.compile(
    r"^\d+; \d+ \d+ (?!PUBLICATION |SUBSCRIPTION )[A-Z ]+ (- (SCHEMA )?)?(dealwright|dealwright_engine) "
)
# of a script
_BLOCK = re.compile(rb"^-- (?:Data for )?Name: .*; Type: ([A-Z ]+); Schema: ")
_ROLE = rb'(?:"(?:[^"]|"")+"|\w+)'
_VECTOR = re.compile(rb'(?:(?:\\\\)?"(?:[^"\\]|"")+(?:\\\\)?"|\w+)\.vector\b')
_GRANT = re.compile(rb"^(?:GRANT|REVOKE) .* (?:TO|FROM) (" + _ROLE + rb")(?: WITH GRANT OPTION)?;$")
_POLICY = re.compile(
    rb"^CREATE POLICY .*? TO (" + _ROLE + rb"(?:, " + _ROLE + rb")*)(?: USING \(| WITH CHECK \(|;)"
)


@dataclass(frozen=True)
class Restored:
    """A desk that was restored.

    Attributes
    ----------
    file
        The backup.
    schema
        Version of the desk's schema, now.
    ids_raised_by
        What is added to this server's transaction ids where they are stored; 0: they follow by themselves.
    agents, assignments, bookings, waiting
        How much of each is there.
    roles_missing
        Roles that had rights there and do not exist here: those rights were left out.
    """

    file: Path
    schema: int
    ids_raised_by: int
    agents: int
    assignments: int
    bookings: int
    waiting: int
    roles_missing: tuple[str, ...] = ()

    def summary(self) -> str:
        """Say in one line what is there now, and in a second one what is not."""
        amounts = say_amounts(self.agents, self.assignments, self.bookings)
        line = f"restored {amounts} from {self.file}"
        if not self.roles_missing:
            return line
        names = ", ".join(self.roles_missing)
        return f"{line}\nthis server has no {names}: create them, and give them their rights again"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**self.__dict__, "file": str(self.file), "roles_missing": list(self.roles_missing)}


def restore(database: Database, file: Path, *, overwrite: bool = False) -> Restored:
    """Put the desk of a backup into a database and bring it up to date; it goes on there as it was.

    Parameters
    ----------
    file
        From :func:`dealwright.desk.backup.back_up`, or from ``pg_dump --format=custom``: of a whole database
        only the desk is restored.
    overwrite
        Replace a desk that has data.

    Raises
    ------
    InputError
        The file is no such backup, or a newer Dealwright has written it.
    ConflictError
        The database has a desk with data, or something of the company's depends on the one to be replaced.
    DatabaseError
        PostgreSQL did not do it; nothing was changed, and the message has its words.
    """
    contents = _contents(file)
    _check_version(file)
    with database.connect() as connection, answered_errors(database.url):
        target = read_rows(connection, "restore_target")[0]
        _check_target(connection, target, overwrite=overwrite, url=database.url)
        connection.commit()
        script = _Script(
            roles={"public", *target["roles"]},
            may_create_roles=target["may_create_roles"],
            version=connection.info.server_version // 10_000,
            vector_schema=find_vector(connection).encode(),
        )
        _load(connection, file, contents, script, database.url)
        migration = migrate(connection)
        (offset,) = connection.execute("SELECT xid_offset FROM dealwright_engine.cluster").fetchall()[0]
        counts = read_rows(connection, "counts")[0]
    return Restored(file, migration.after, offset, **counts, roles_missing=tuple(sorted(script.missing)))


def _contents(file: Path) -> str:
    """Return the list of what is the desk's in a backup."""
    if not file.is_file():
        raise InputError(f"there is no file {file}: check its name")
    if not is_backup(file):
        raise InputError(
            f"{file} is no backup in PostgreSQL's custom format: `dealwright backup` writes one, and so does "
            "`pg_dump --format=custom`; a script in plain text is loaded with psql"
        )
    ours = [line for line in _read_backup(file, "--list").splitlines() if _OURS.match(line)]
    if not any(" TABLE DATA dealwright schema_version " in line for line in ours):
        raise InputError(f"{file} holds no desk: the rows of dealwright.schema_version are not in it")
    return "\n".join(ours) + "\n"


def _check_version(file: Path) -> None:
    """Refuse a backup that a newer Dealwright has written, before anything is changed for it."""
    rows = "--data-only", "--schema=dealwright", "--table=schema_version"
    script = _read_backup(file, *rows, "--file=-")
    found = re.search(r"(?ms)^COPY dealwright\.schema_version \((.*?)\) FROM stdin;\n(.*?)^\\\.$", script)
    columns, lines = (found[1].split(", "), found[2].splitlines()) if found else ([], [])
    applied = [dict(zip(columns, line.split("\t"), strict=True)) for line in lines]
    try:
        check_versions(sorted((int(row["version"]), row["name"], row["checksum"]) for row in applied))
    except DatabaseError as error:
        raise InputError(f"{file} cannot be restored: {error}") from error


def _read_backup(file: Path, *options: str) -> str:
    done = subprocess.run(  # noqa: S603 - the wheel's own program
        [program("pg_restore"), *options, str(file.absolute())],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InputError(
            f"{file} cannot be read as a backup: take another one, or copy it again; pg_restore says:\n"
            f"{tail(done.stderr, 4)}"
        )
    return done.stdout


def _check_target(connection: Connection[Any], target: dict[str, Any], *, overwrite: bool, url: str) -> None:
    """Refuse to replace what somebody may want to keep."""
    if not target["has_objects"]:
        return
    if not target["has_desk"]:
        raise ConflictError(
            f"the schema dealwright in {redact(url)} holds something that is no desk: rename or drop it first"
        )
    data = read_rows(connection, "desk_data")[0]
    if data["used"] and not overwrite:
        raise ConflictError(
            f"{redact(url)} has a desk with {data['agents']:,} agents and {data['leads']:,} leads: restore "
            "into another DEALWRIGHT_HOME or database, or replace that desk with --overwrite"
        )
    if others := [row["name"] for row in read_rows(connection, "desk_dependents")]:
        raise ConflictError(
            f"the desk in {redact(url)} cannot be replaced: something depends on it that is not its own "
            f"({', '.join(others)}); drop that first, and create it again afterwards"
        )


@dataclass
class _Script:
    """The script of a backup on its way to the server, line by line.

    Roles are a server's, not a database's, so a backup names them and does not hold them: those of Dealwright
    are created where they are missing, and rights of others that are missing are left out.

    Attributes
    ----------
    roles
        The roles there are.
    may_create_roles
        Whether those of Dealwright can be created.
    version
        Major version of the server.
    vector_schema
        Where it has the types of pgvector, as an identifier: the backup names the schema they were in.
    missing
        The roles whose rights were left out.
    """

    roles: set[str]
    may_create_roles: bool
    version: int
    vector_schema: bytes = b"public"
    missing: set[str] = field(default_factory=set)
    _kind: bytes = b""
    _copying: bool = False
    _names_types: bool = True  # not in a table's rows, but for those that say which functions there are

    def passed(self, line: bytes) -> bytes:
        """Return what is sent for a line."""
        if self._names_types and b".vector" in line:
            quote = b'\\\\"' if self._copying else b'"'  # in a list of texts
            line = _VECTOR.sub(lambda _: self.vector_schema.replace(b'"', quote) + b".vector", line)
        if self._copying:
            self._copying = line.rstrip() != b"\\."
            self._names_types = self._names_types or not self._copying
            return line
        if block := _BLOCK.match(line):
            self._kind = block[1]
        elif self._kind == b"TABLE DATA":
            self._copying = line.startswith(b"COPY ")
            self._names_types = not self._copying or line.startswith(b"COPY dealwright.schema_functions ")
        elif self._kind in (b"ACL", b"DEFAULT ACL"):
            return self._grant(line)
        elif self._kind == b"POLICY" and (policy := _POLICY.match(line)):
            return b"".join(self._creation(name) for name in policy[1].split(b", ")) + line
        elif not self._kind and self.version < _FIRST_WITH_TRANSACTION_TIMEOUT:
            return b"" if line.startswith(b"SET transaction_timeout") else line
        return line

    def _grant(self, line: bytes) -> bytes:
        grant = _GRANT.match(line)
        if grant is None:
            return b"" if b"SESSION AUTHORIZATION" in line else line  # by whom, does not matter here
        creation = self._creation(grant[1])
        if _name(grant[1]) in self.roles:
            return creation + line
        self.missing.add(_name(grant[1]))
        return b""

    def _creation(self, identifier: bytes) -> bytes:
        """Return the statement for a role of Dealwright's that is not there yet, once."""
        name = _name(identifier)
        if name in self.roles or not self.may_create_roles or not name.startswith("dealwright_"):
            return b""
        self.roles.add(name)
        return b"CREATE ROLE " + identifier + b" NOLOGIN;\n"


def _name(identifier: bytes) -> str:
    """Return the name that an identifier stands for."""
    text = identifier.decode()
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()


def _load(connection: Connection[Any], file: Path, contents: str, script: _Script, url: str) -> None:
    """Run pg_restore into psql, with the script in between."""
    with (
        client_environment(parameters_of(connection)) as environment,
        tempfile.TemporaryDirectory(prefix="dealwright-") as folder,
        tempfile.TemporaryFile() as reader_words,
        tempfile.TemporaryFile() as writer_words,
    ):
        listed = Path(folder) / "contents"
        listed.write_text(contents, encoding="utf-8")
        options = ["--no-owner", f"--use-list={listed}", "--file=-", str(file.absolute())]
        # terse: the details of an error may quote a customer's row
        settings = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse"]
        with (
            subprocess.Popen(  # noqa: S603 - the wheel's own program
                [str(program("pg_restore")), *options],
                stdout=subprocess.PIPE,
                stderr=reader_words,
            ) as reader,
            subprocess.Popen(  # noqa: S603 - the wheel's own program
                [str(program("psql")), *settings, "--no-password", "--dbname=service=desk"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=writer_words,
                env=environment,
            ) as writer,
        ):
            _send(reader, writer, script)
        for process, words in ((writer, writer_words), (reader, reader_words)):
            if process.returncode:
                raise failure(f"{file} was not restored, and nothing was changed", _text(words), url)


def _send(reader: subprocess.Popen[bytes], writer: subprocess.Popen[bytes], script: _Script) -> None:
    """Send a script in a transaction that is committed only when all of it has been read."""
    if reader.stdout is None or writer.stdin is None:
        raise TypeError("both ends are pipes")
    with suppress(BrokenPipeError):  # the server has refused something, and its words say what
        writer.stdin.write(query("restore_begins"))
        for line in reader.stdout:
            writer.stdin.write(script.passed(line))
        if reader.wait() == 0:  # otherwise the server undoes it when the connection ends
            writer.stdin.write(query("restore_ends"))
    with suppress(BrokenPipeError):
        writer.stdin.close()
    reader.stdout.close()


def _text(words: IO[bytes]) -> str:
    words.seek(0)
    return words.read().decode(errors="replace")
