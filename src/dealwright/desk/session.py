"""A desk's database and the statements that are sent to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from dealwright.desk.database import Database
from dealwright.desk.queries import answered_errors, query


class Session:
    """Sends statements of ``sql/queries.sql`` by name; errors come back with a cause and a fix."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @contextmanager
    def _connection(self, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
        with (
            self.database.connection(autocommit=autocommit) as connection,
            answered_errors(self.database.url),
        ):
            yield connection

    def _rows(self, query_name: str, **parameters: Any) -> list[dict[str, Any]]:
        with self._connection() as connection:
            return self._fetch(connection, query_name, parameters)

    def _fetch(
        self, connection: Connection[Any], name: str, parameters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        with answered_errors(self.database.url):
            return connection.cursor(row_factory=dict_row).execute(query(name), parameters).fetchall()
