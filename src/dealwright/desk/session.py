"""A desk's database, its read replica, and the statements that are sent to them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from dealwright.desk.database import Database, redact
from dealwright.desk.queries import answered_errors
from dealwright.desk.statements import query
from dealwright.errors import DatabaseError, DatabaseUrlError, DealwrightError

T = TypeVar("T")
_log = logging.getLogger("dealwright")
_LEND_S = 3.0  # a replica that answers later than that does not help
_AWAY_S = 30.0  # how long one that did not answer is left alone
_FOLLOW_S = 10.0


class Session:
    """Sends statements of ``sql/queries.sql`` by name; errors come back with a cause and a fix.

    Parameters
    ----------
    database
        Where the desk is.
    replica
        A server that follows it, for what only reads. Where it does not answer, `database` does.
    """

    def __init__(self, database: Database, replica: Database | None = None) -> None:
        self.database = database
        self.replica = replica
        self._away_until = 0.0
        self._is_ours = False
        self._read_after: str | None = None

    @contextmanager
    def _connection(self, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
        # outside: to lend a connection, and to commit, are questions to the server as well
        with (
            answered_errors(self.database.url),
            self.database.connection(autocommit=autocommit) as connection,
        ):
            yield connection

    def _rows(self, query_name: str, **parameters: Any) -> list[dict[str, Any]]:
        with self._connection() as connection:
            return self._fetch(connection, query_name, parameters)

    def _read_rows(self, query_name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a statement that only reads."""
        return self._read(lambda connection: self._fetch(connection, query_name, parameters))

    def _read(self, look: Callable[[Connection[Any]], T]) -> T:
        """Look at the replica, or at the database where there is none, or where it does not answer.

        Raises
        ------
        DatabaseUrlError
            What should be a replica is another desk.
        """
        replica = self.replica
        if replica is not None and time.monotonic() >= self._away_until:
            try:
                with replica.connection(timeout_s=_LEND_S) as connection:
                    self._check_replica(replica, connection)
                    if self._has_caught_up(connection):
                        return look(connection)
            except DatabaseUrlError:
                raise
            except (psycopg.OperationalError, DatabaseError) as error:
                # it is away, or it had to cancel a long query to go on following
                _log.warning(
                    "the read replica %s did not answer, the primary is read: %s", redact(replica.url), error
                )
                self._away_until = time.monotonic() + _AWAY_S
            except (psycopg.Error, DealwrightError):
                pass  # what is wrong with the question, the database says as well
        with self._connection() as connection:
            return look(connection)

    def _must_be_seen(self) -> None:
        """Have the replica asked only when it shows what was written up to now."""
        if self.replica is not None:
            self._read_after = self._rows("written_up_to")[0]["lsn"]

    def _check_replica(self, replica: Database, connection: Connection[Any]) -> None:
        """Refuse a server that follows another one: its answers would be another desk's."""
        if self._is_ours:
            return
        if self._rows("which_server")[0] != self._fetch(connection, "which_server", {})[0]:
            raise DatabaseUrlError(
                f"DATABASE_URL_READ names {redact(replica.url)}, which does not follow "
                f"{redact(self.database.url)}: give the address of its standby, or unset it"
            )
        self._is_ours = True

    def _has_caught_up(self, connection: Connection[Any]) -> bool:
        """Return whether a replica shows what has to be seen; it is given some seconds."""
        deadline = time.monotonic() + _FOLLOW_S
        while self._read_after is not None:
            if self._fetch(connection, "has_replayed", {"lsn": self._read_after})[0]["has"]:
                self._read_after = None
            elif time.monotonic() > deadline:
                _log.warning("the read replica is more than %.0f s behind: the primary is read", _FOLLOW_S)
                self._away_until = time.monotonic() + _AWAY_S
                return False
            else:
                time.sleep(0.02)
        return True

    def _fetch(
        self, connection: Connection[Any], name: str, parameters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        with answered_errors(self.database.url):
            return connection.cursor(row_factory=dict_row).execute(query(name), parameters).fetchall()
