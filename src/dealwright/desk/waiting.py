"""Who keeps others waiting, and whether the server still answers: seen on a connection of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from dealwright.desk.statements import query
from dealwright.errors import DealwrightError

Tell = Callable[[str], None]

PATIENCE_S = 2.0
_LOOK_S = 0.5
_ATTEMPTS = 10  # within one look: who holds all writers lets go and tries again, several times a second
_LINGER_S = 5.0  # the watcher sleeps when nothing has been watched for so long
_QUIET_S = 10.0  # after a word


def log_wait(message: str) -> None:
    """Say it where nobody asked to be told: in the log."""
    logging.getLogger("dealwright").warning("%s", message)


@dataclass(frozen=True)
class Holder:
    """A process of the server that others wait for.

    Attributes
    ----------
    pid
        Its process id on the server; 0 for a prepared transaction.
    application, user
        What it calls itself, and its role; None where the server does not say.
    since
        When its transaction began; None where the server does not say, or it has none.
    state
        ``active``, ``idle in transaction``, …
    statement
        The first word of its last statement: the rest may hold customers' data.
    """

    pid: int
    application: str | None
    user: str | None
    since: datetime | None
    state: str | None
    statement: str | None

    def __str__(self) -> str:
        if self.pid == 0:
            return "a prepared transaction (pg_prepared_xacts shows it)"
        known = [self.application or "no application name"]
        if self.user:
            known.append(f"user {self.user}")
        if self.since:
            known.append(f"in a transaction since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
        if self.state:
            known.append(self.state)
        if self.statement:
            known.append(f"last statement: {self.statement.upper()}")
        return f"process {self.pid} ({', '.join(known)})"


def name_holders(holders: Iterable[Holder], most: int = 3) -> str:
    """Name the first few."""
    found = [str(holder) for holder in holders]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(found[:most]) + more


def read_holders(connection: Connection[Any], name: str, **parameters: Any) -> list[Holder]:
    """Return what a statement of ``sql/queries.sql`` finds, longest transaction first."""
    rows = connection.cursor(row_factory=dict_row).execute(query(name), parameters).fetchall()
    return [Holder(**row) for row in rows]


class Watcher:
    """Tells who is waited for whenever a connection at work has been kept waiting for two seconds.

    It also ends the wait for a server that is silent. A proxy that takes what is sent and passes nothing on
    looks alive to the network, and a query would wait for it for ever. Whether the server is silent, the
    watcher's own questions show, however long the work itself takes.

    Parameters
    ----------
    connect
        Opens the connection on which it looks.
    tell
        Is called with one line, from a thread of the watcher's own.
    names_processes
        Whether the process of a connection is known; behind some poolers it is not, and nobody is named.
    silence_s
        After so long without an answer, connections that wait are cut off; None: never.
    """

    def __init__(
        self,
        connect: Callable[[], Connection[Any]],
        tell: Tell,
        names_processes: Callable[[], bool] = lambda: True,
        silence_s: float | None = None,
    ) -> None:
        self._connect, self._tell = connect, tell
        self._names_processes, self._silence_s = names_processes, silence_s
        self._watched: dict[object, tuple[Connection[Any], int, float]] = {}
        self._answered_at = 0.0
        self._working = threading.Event()
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: Connection[Any] | None = None
        self._quiet_until = 0.0

    @contextlib.contextmanager
    def watching(self, connection: Connection[Any]) -> Iterator[None]:
        """Watch a connection for a block: what is added to each piece of work is a microsecond."""
        key = object()
        self._watched[key] = (connection, connection.info.backend_pid, time.monotonic())
        if self._closed.is_set() or not self._working.is_set():
            self._wake()
        try:
            yield
        finally:
            del self._watched[key]

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
        self._working.set()

    def _wake(self) -> None:
        with self._starting:
            self._closed.clear()  # a desk may be used again after its end
            self._working.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="dealwright-waiting", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        """Look every half second as long as there is work, and sleep when there has been none for a while."""
        kept: set[int] = set()
        last_work = time.monotonic()
        while not self._closed.is_set():
            now = time.monotonic()
            watched = list(self._watched.values())
            if watched:
                last_work = now
            elif now - last_work > _LINGER_S:
                self._sleep()
                last_work = time.monotonic()
            late = {pid for _, pid, since in watched if now - since >= PATIENCE_S - _LOOK_S}
            if late:
                self._answered_at = max(self._answered_at, min(since for _, _, since in watched))
                kept = self._look_at(late, kept)
                self._cut_off_the_silent()
            else:
                kept = set()
            self._closed.wait(_LOOK_S)
        self._disconnect()
        self._working.clear()  # who works again after the end starts another thread

    def _sleep(self) -> None:
        self._disconnect()
        self._working.clear()
        if not self._watched:  # or somebody came in this moment
            self._working.wait()

    def _look_at(self, late: set[int], kept_before: set[int]) -> set[int]:
        """Tell for whom one waits who was kept waiting at the last look too; return who is now."""
        kept: set[int] = set()
        too_long = threading.Event()
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._no_longer_than_silence(self._connection, too_long):
                if self._names_processes():
                    rows = self._connection.execute(query("waiting"), {"pids": list(late)}).fetchall()
                    kept = {pid for (pid,) in rows}
                else:
                    self._connection.execute("SELECT 1")
            self._answered_at = time.monotonic()
            if self._answered_at >= self._quiet_until:
                with self._no_longer_than_silence(self._connection, too_long):
                    self._tell_about(self._connection, kept & kept_before)
        except (psycopg.Error, DealwrightError) as error:  # a look that fails is not worth a word
            self._disconnect()
            if not too_long.is_set() and "timeout" not in str(error):
                self._answered_at = time.monotonic()  # a refusal is an answer
            return set()
        return kept

    @contextlib.contextmanager
    def _no_longer_than_silence(
        self, connection: Connection[Any], too_long: threading.Event
    ) -> Iterator[None]:
        if self._silence_s is None:
            yield
            return

        def give_up() -> None:
            too_long.set()
            _cut_off(connection)

        timer = threading.Timer(self._silence_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut_off_the_silent(self) -> None:
        """End the waits for a server that has answered nothing, not even the watcher, for too long."""
        now = time.monotonic()
        if self._silence_s is None or now - self._answered_at < self._silence_s:
            return
        for connection, _, since in list(self._watched.values()):
            if now - since >= PATIENCE_S:
                _cut_off(connection)

    def _tell_about(self, connection: Connection[Any], pids: set[int]) -> None:
        for attempt in range(_ATTEMPTS if pids else 0):
            for pid in sorted(pids):
                if holders := read_holders(connection, "holders_of", pid=pid):
                    self._quiet_until = time.monotonic() + _QUIET_S
                    self._tell(f"waiting for {name_holders(holders)}")
                    return
            if attempt < _ATTEMPTS - 1:
                self._closed.wait(_LOOK_S / _ATTEMPTS)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _cut_off(connection: Connection[Any]) -> None:
    """Shut a connection's socket down: whoever waits on it gets an error at once, from whichever thread."""
    with (
        contextlib.suppress(psycopg.Error, OSError),
        socket.socket(fileno=os.dup(connection.fileno())) as own,
    ):
        own.shutdown(socket.SHUT_RDWR)
