"""Connections to the desk's database, embedded or the user's own; errors name the fix, never a password."""

from __future__ import annotations

import contextlib
import re
import selectors
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from dealwright.desk.server import start_server
from dealwright.desk.waiting import Tell, Watcher, log_wait
from dealwright.errors import DatabaseError, DatabaseUrlError

OLDEST_VERSION = 15
_CONNECT_TIMEOUT_S = 10
# a server that does not answer for half a minute is gone: without, a query would wait for it for hours.
# A proxy that takes everything and passes nothing on looks alive to the network: that the watcher sees
# (waiting.py).
_KEEPALIVE = {
    "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000,
}  # fmt: skip
_PROBE_S = 2.0
# how long one attempt to connect again is repeated: its pauses double, and the server may be back long before
_RECONNECT_S = 8.0


class Database:
    """The desk's database: where it is, and connections to it.

    Create it with :meth:`open`, which also checks that the database can hold a desk. As a context manager it
    closes its pool at the end; the embedded server goes on running for other clients.
    """

    def __init__(
        self, url: str, *, pool_size: int = 16, role: str | None = None, tell: Tell = log_wait
    ) -> None:
        self.url, self.prepares = _split_prepare(url)
        self._pool_size, self._role, self._tell = pool_size, role, tell
        self._watcher = Watcher(
            lambda: self.connect(autocommit=True), tell, lambda: self.prepares, _silence_s(self.url)
        )
        self._pool: ConnectionPool[Connection[Any]] | None = None
        self._pool_lock = threading.Lock()

    @classmethod
    def open(cls, url: str | None, home: Path, *, pool_size: int = 16, tell: Tell = log_wait) -> Database:
        """Open the database at ``url``, or the embedded one of ``home`` when there is none, and check it.

        Parameters
        ----------
        url
            A connection URL of PostgreSQL. With ``prepare=off`` among its options no statement is prepared:
            for a pooler that hands every transaction to another connection, such as pgbouncer.
        tell
            Is told in one line, from another thread, whom this program's work waits for, whenever that takes
            longer than two seconds; by default it goes to the log ``dealwright``.

        Raises
        ------
        DatabaseError
            It cannot be reached or started, is older than PostgreSQL 15, or lacks the extension ``vector``.
        """
        database = cls(url or start_server(home).url, pool_size=pool_size, tell=tell)
        with database.connect(autocommit=True) as connection:
            _check_version(connection)
            _check_encoding(connection)
            _ensure_vector(connection)
        return database

    def connect(self, *, autocommit: bool = False) -> Connection[Any]:
        """Open a connection of its own, outside the pool; times come and go in UTC.

        Raises
        ------
        DatabaseError
            The database cannot be reached; the message says why and what to do.
        """
        try:
            connection = psycopg.connect(self.url, autocommit=autocommit, **self._options())
            _configure(connection)
        except psycopg.Error as error:
            # not chained: the driver's own message may quote the URL with its password
            raise connection_error(self.url, error) from None
        return connection

    @property
    def pool(self) -> ConnectionPool[Connection[Any]]:
        """The connection pool, opened at its first use."""
        with self._pool_lock:
            if self._pool is None:
                try:
                    self._pool = ConnectionPool(
                        self.url,
                        kwargs=self._options(),
                        # of a role there may be nobody for hours
                        min_size=1 if self._role is None else 0,
                        max_size=self._pool_size,
                        open=True,
                        configure=_configure,
                        # a connection that died with a restarted server is replaced before anybody gets it
                        check=_check_alive,
                        reconnect_timeout=_RECONNECT_S,
                        name="dealwright",
                    )
                except psycopg.Error as error:
                    raise connection_error(self.url, error) from None
            return self._pool

    @contextlib.contextmanager
    def connection(self, *, autocommit: bool = False, timeout_s: float = 30.0) -> Iterator[Connection[Any]]:
        """Lend a pooled connection for a block; committed at its end, rolled back when it raises.

        With `autocommit` each statement is a transaction of its own: for commands that commit by themselves.

        Raises
        ------
        DatabaseError
            No connection was to be had in time.
        """
        borrowed = self._borrow(timeout_s)
        try:
            with borrowed:
                if autocommit:
                    borrowed.autocommit = True
                with self.watching(borrowed):
                    yield borrowed
        finally:
            if autocommit and borrowed.info.transaction_status == TransactionStatus.IDLE:
                borrowed.autocommit = False
            self.pool.putconn(borrowed)  # which replaces it where it is not idle any more

    def _borrow(self, timeout_s: float) -> Connection[Any]:
        """Wait for a pooled connection, but not for a database that is away."""
        soon = min(timeout_s, _PROBE_S)
        for patience_s in (soon, timeout_s - soon):
            if patience_s > 0:
                try:
                    return self.pool.getconn(timeout=patience_s)
                except PoolTimeout:
                    self.connect().close()  # when it is the database that fails, this says how
        raise DatabaseError(
            f"all {self._pool_size} connections to {redact(self.url)} were busy for {timeout_s:.0f} s: "
            "ask for less at once, or raise the size of the pool"
        )

    def acting(self, role: str, *, pool_size: int = 8) -> Database:
        """Return the same database for connections that have the rights of a role and no others.

        A pooler that works by transactions does not keep a connection's role.
        """
        acting = Database(self.url, pool_size=pool_size, role=role, tell=self._tell)
        acting.prepares = self.prepares
        return acting

    def watching(self, connection: Connection[Any]) -> contextlib.AbstractContextManager[None]:
        """Say for whom a connection waits, whenever that takes longer than two seconds in this block."""
        return self._watcher.watching(connection)

    def _options(self) -> dict[str, Any]:
        """Return what every connection asks for, unless the URL says otherwise."""
        wanted: dict[str, Any] = {
            "application_name": "dealwright", "connect_timeout": _CONNECT_TIMEOUT_S, **_KEEPALIVE,
        }  # fmt: skip
        given = _parts(self.url)
        options = {name: value for name, value in wanted.items() if name not in given}
        if self._role is not None:
            options["options"] = f"{given.get('options', '')} -c role={self._role}".strip()
        return options if self.prepares else {**options, "prepare_threshold": None}

    def close(self) -> None:
        """Close the pool."""
        self._watcher.close()
        with self._pool_lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Database({redact(self.url)!r})"


class Identified(Database):
    """A database whose connections carry settings of ours as long as they are lent: who asks, and for whom.

    The pool is the other's.
    """

    def __init__(self, database: Database, settings: Mapping[str, str]) -> None:
        super().__init__(database.url)
        self.prepares = database.prepares
        self._lender, self._settings = database, settings

    @contextlib.contextmanager
    def connection(self, *, autocommit: bool = False, timeout_s: float = 30.0) -> Iterator[Connection[Any]]:
        """Lend a connection; before anybody else gets it, its settings are empty again."""
        with self._lender.connection(autocommit=autocommit, timeout_s=timeout_s) as borrowed:
            # those of a transaction end with it; a command that commits by itself needs those of a session
            _set(borrowed, self._settings, for_transaction=not autocommit)
            try:
                yield borrowed
            finally:
                if autocommit:
                    self._forget(borrowed)

    def _forget(self, borrowed: Connection[Any]) -> None:
        try:
            _set(borrowed, dict.fromkeys(self._settings, ""), for_transaction=False)
        except psycopg.Error:
            borrowed.close()  # the pool puts another in its place

    def close(self) -> None:
        """Leave the pool to whose it is."""


def _silence_s(url: str) -> float | None:
    """Return after how long without an answer a server is gone; None: it is waited for, as the URL says."""
    try:
        given = str(_parts(url).get("tcp_user_timeout", _KEEPALIVE["tcp_user_timeout"]))
    except DatabaseError:
        return None
    return int(given) / 1000 if given.isdecimal() and int(given) > 0 else None


def _set(connection: Connection[Any], settings: Mapping[str, str], *, for_transaction: bool) -> None:
    calls = ", ".join(["set_config(%s, %s, %s)"] * len(settings))
    values = [item for name, value in settings.items() for item in (name, value, for_transaction)]
    connection.execute(f"SELECT {calls}".encode(), values)


def redact(url: str) -> str:
    """Return a connection URL that can be shown: user, host, port and database, never a password."""
    try:
        parts = _parts(url)
    except DatabaseError:
        return "(a database URL that cannot be read)"
    user, port = parts.get("user"), parts.get("port")
    host = parts.get("host") or parts.get("hostaddr") or ""
    socket = f"?host={host}" if str(host).startswith("/") else ""
    secret = ":***" if parts.get("password") else ""
    account = f"{user}{secret}@" if user else ""
    place = f"{'' if socket else host}{f':{port}' if port and not socket else ''}"
    return f"postgresql://{account}{place}/{parts.get('dbname') or ''}{socket}"


def without_password(url: str) -> str:
    """Return a connection URL as it was given where it holds no password; otherwise as it can be shown."""
    try:
        parts = _parts(url)
    except DatabaseError:
        return redact(url)
    return redact(url) if any(parts.get(name) for name in _SECRETS) else url


def hide_secrets(text: str, url: str) -> str:
    """Return a text without the secrets of a connection URL, as they are and as the URL writes them."""
    try:
        parts = conninfo_to_dict(_split_prepare(url)[0])
    except (psycopg.Error, DatabaseError):
        parts = {}
    found = {str(parts[name]) for name in _SECRETS if parts.get(name)}
    # of a URL that cannot be read, all between the account and the last @ may be the password
    if account := re.match(r"[a-z]+://[^:@/?]*:(.*)@", url):
        found |= {account[1], *account[1].split("@")}
    found |= set(re.findall(r"(?:ssl)?password=([^&\s]+)", url))
    found |= {quote(secret, safe="") for secret in found} | {unquote(secret) for secret in found}
    for secret in sorted(found - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


_SECRETS = ("password", "sslpassword", "oauth_client_secret")


def connection_error(url: str, error: psycopg.Error) -> DatabaseError:
    """Turn a driver's connection error into one that names the fix and holds no password."""
    try:
        _parts(url)
    except DatabaseError as unreadable:
        return unreadable
    said = re.sub(r"\s+Is the server running [^?]*\?", "", str(error))  # libpq's words for what we say below
    shown, reason = redact(url), hide_secrets(" ".join(said.split()), url)
    if "Servname not supported" in reason:
        return DatabaseUrlError(f"cannot connect to {shown}: its port is no number: write HOST:5432")
    for sign, fix in _FIXES.items():
        if sign in reason:
            return DatabaseError(f"cannot connect to {shown}: {reason}. {fix}")
    # libpq's words for an option that makes no sense: the URL is to be mended, not the server
    kind = (
        DatabaseUrlError if re.search(r"\binvalid\b.*(port|value|option|integer)", reason) else DatabaseError
    )
    return kind(f"cannot connect to {shown}: {reason}. Check DATABASE_URL or --database-url")


READ_ONLY = "takes no writes (a standby, or default_transaction_read_only): give the address of the primary"
_FIXES = {
    "password authentication failed": "Check the user and the password in the URL",
    "no password supplied": "Put the password into the URL, or into PGPASSWORD or ~/.pgpass",
    "no pg_hba.conf entry": "Let the server accept this user and address, or try ?sslmode=require",
    "does not exist": "Create it with `createdb` or `createuser`, or correct the URL",
    "too many clients": "Close other clients, or raise max_connections of the server",
    "remaining connection slots": "Close other clients, or raise max_connections of the server",
    "Connection refused": "Is the server running, and are host and port right?",
    "No such file or directory": "Is the server running? `dealwright init` starts the embedded one",
    "could not translate host name": "Check the host in the URL",
    "failed to resolve host": "Check the host in the URL",
    "timeout": "Is the host right, and does a firewall let the port through?",
}


def _parts(url: str) -> dict[str, Any]:
    """Return the parts of a connection URL; an unescaped @ in a password is told from a strange host name."""
    try:
        parts = conninfo_to_dict(_split_prepare(url)[0])
    except (psycopg.ProgrammingError, ValueError):  # ValueError: of a null character
        parts = {"host": "@"}
    if "@" in str(parts.get("host")):
        raise DatabaseUrlError(
            "the database URL cannot be read: write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "with special characters in the password percent-encoded (@ is %40, : is %3A, / is %2F)"
        )
    return parts


def _split_prepare(url: str) -> tuple[str, bool]:
    """Take the option ``prepare``, which libpq does not know, out of a URL; return the rest and what it says.

    Raises
    ------
    DatabaseUrlError
        It says neither ``on`` nor ``off``.
    """
    pattern = r"([?&])prepare=([^&#]*)(&?)" if "://" in url else r"(^|\s)prepare\s*=\s*(\S*)(\s?)"
    found = re.search(pattern, url)
    if found is None:
        return url, True
    if found[2] not in ("on", "off"):
        raise DatabaseUrlError(
            f"the database URL says prepare={found[2]}: write prepare=off behind a pooler that works by "
            "transactions, or leave it out"
        )
    return url[: found.start()] + (found[1] if found[3] else "") + url[found.end() :], found[2] == "on"


def _configure(connection: Connection[Any]) -> None:
    connection.execute("SET TIME ZONE 'UTC'")
    if not connection.autocommit:
        connection.commit()


def _check_alive(connection: Connection[Any]) -> None:
    """Raise when the server has closed an idle connection: its socket then has something to read.

    No round trip, so that lending a connection costs microseconds.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        while selector.select(0):
            connection.pgconn.consume_input()  # notices are fine, the end of the stream is an error


def _check_version(connection: Connection[Any]) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST_VERSION:
        raise DatabaseError(
            f"the server is PostgreSQL {version}, and Dealwright needs {OLDEST_VERSION} or newer: "
            "upgrade it, or leave DATABASE_URL unset to use the embedded one"
        )


def _check_encoding(connection: Connection[Any]) -> None:
    """Refuse to build a desk where a name of another script, or a sign of ours, has no place."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding == "UTF8" or connection.execute("SELECT to_regnamespace('dealwright')").fetchone() != (None,):
        return
    raise DatabaseError(
        f"the database {connection.info.dbname!r} has the encoding {encoding}, and a desk needs UTF8: make "
        "one with `createdb --template=template0 --encoding=UTF8`"
    )


def _ensure_vector(connection: Connection[Any]) -> None:
    """Create the extension ``vector`` where it is missing."""
    found = connection.execute(
        "SELECT quote_ident(n.nspname), has_schema_privilege(n.oid, 'usage') FROM pg_extension AS e "
        "JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'"
    ).fetchone()
    if found is not None and not found[1]:
        raise DatabaseError(
            f"the extension 'vector' is in the schema {found[0]}, which the user {connection.info.user!r} "
            f"may not use: let an administrator run GRANT USAGE ON SCHEMA {found[0]} "
            f"TO {connection.info.user}; in {connection.info.dbname!r}"
        )
    if found is not None:
        return
    version = connection.info.server_version // 10_000
    if not connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone():
        raise DatabaseError(
            f"the server has no pgvector: install it there (Debian, Ubuntu: apt install "
            f"postgresql-{version}-pgvector; managed services: enable the extension 'vector')"
        )
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.errors.UniqueViolation:
        return  # another process created it in the same moment
    except psycopg.errors.ReadOnlySqlTransaction:
        raise DatabaseError(f"the database {connection.info.dbname!r} {READ_ONLY}") from None
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(
            f"the user {connection.info.user!r} may not create the extension 'vector': "
            f"let an administrator run CREATE EXTENSION vector; once in {connection.info.dbname!r}"
        ) from None
