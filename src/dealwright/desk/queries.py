"""Running the desk's statements, and the errors that PostgreSQL answers them with."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, errors
from psycopg.rows import dict_row

from dealwright.desk.database import READ_ONLY, redact
from dealwright.desk.statements import query
from dealwright.errors import ConflictError, DatabaseError, DealwrightError, InputError, NotFoundError

_RAISED: dict[str, type[DealwrightError]] = {
    "DW001": ConflictError,
    "DW002": InputError,
    "DW003": NotFoundError,
}
_UNREADABLE = (
    errors.InvalidTextRepresentation,
    errors.NumericValueOutOfRange,
    errors.UntranslatableCharacter,
    errors.InvalidDatetimeFormat,
    errors.DatetimeFieldOverflow,
)
_TIMES = ("{table}: a time or day is not from 1970 to 2199", "look at the year, or leave it out")
_TEXTS = (
    "{table}: a text is empty, too long or holds a control character",
    "ids and names hold at most 500 characters, longer texts 100,000; send plain text",
)
_DOCUMENTS = ("{table}: a document is no JSON object, or nested deeper than 100", "send a plain object")
# constraints of sql/schema/06_bounds.sql and of the tables an import copies into: cause and fix
_BOUNDS: dict[str, tuple[str, str]] = {
    "dimension_texts": _TEXTS,
    "dimension_edges": ("an edge of a dimension is not a finite number", "write numbers alone"),
    "dimension_value_texts": _TEXTS,
    "requirement_term_texts": _TEXTS,
    "setting_texts": ("the currency is empty, too long or no plain text", 'write one, such as "EUR"'),
    "setting_numbers": ("follow_up_days is not a number of days up to 40,000", "write one, such as 30"),
    "policy_params": _DOCUMENTS,
    "model_documents": _DOCUMENTS,
    "model_times": _TIMES,
    "plan_run_times": _TIMES,
    "plan_run_texts": _TEXTS,
    "task_times": _TIMES,
    "task_numbers": (
        "task: stop, value, cost or propensity is not a number within bounds",
        "stop is at least 0, propensity from 0 to 1, an amount below 1e12",
    ),
    "task_texts": _TEXTS,
    "import_times": _TIMES,
    "api_key_texts": _TEXTS,
    "web_session_texts": _TEXTS,
    "webhook_texts": (
        "the webhook has no address or an empty list of kinds",
        "send https://…, and kinds or none",
    ),
    "night_texts": (
        "the request for a night has an empty or too long key, or options that are no plain object",
        "a key has at most 500 characters; options are a JSON object",
    ),
    "api_key_times": (
        "the key's time to expire is not from 1970 to 2199",
        "look at the year, or leave it out",
    ),
    "web_session_times": ("a session lasts up to 31 days", "give less"),
    "web_session_scopes": (
        "the scopes of a person are not ingest, agent, planner, manager or admin",
        "the scope agent comes with an agent, and no other scope does",
    ),
    "api_key_scopes": (
        "the scopes of a key are not ingest, agent, planner, manager or admin",
        "the scope agent comes with an agent, and no other scope does",
    ),
}
# chosen by PostgreSQL to give way to others; nothing of it was done
_GAVE_WAY = (errors.DeadlockDetected, errors.SerializationFailure)
# a prepared statement that is another connection's
_FORGOTTEN = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement, errors.ProtocolViolation)
_ATTEMPTS = 3
_PAUSE_S = 0.05
_OWN_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def run_command(
    connection: Connection[Any], name: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Run a command that commits by itself and return its rows; again, where it had to give way to others."""
    cursor = connection.cursor(row_factory=dict_row)
    for pause in range(1, _ATTEMPTS):
        try:
            return cursor.execute(query(name), parameters).fetchall()
        except _GAVE_WAY:
            time.sleep(_PAUSE_S * pause)  # or it is back before the one it gave way to has moved
    return cursor.execute(query(name), parameters).fetchall()


def own_id(name: str | None) -> int | str | None:
    """Return an id the way the user's own tables write it: as a number where it is one."""
    return int(name) if name is not None and _OWN_NUMBER.fullmatch(name) else name


@contextmanager
def answered_errors(url: str) -> Iterator[None]:
    """Turn what PostgreSQL raises inside the block into an error with a cause and a fix.

    Raises
    ------
    InputError, NotFoundError, ConflictError
        The desk's SQL functions refused, with their own words.
    DatabaseError
        Anything else that the database did not do.
    """
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, url) from error


def _words_of(error: errors.CheckViolation, message: str, hint: str) -> tuple[str, str]:
    """Return our words for a constraint of ours, and else those that there are."""
    cause, fix = _BOUNDS.get(error.diag.constraint_name or "", (None, ""))
    return (message, hint) if cause is None else (cause.format(table=error.diag.table_name), f": {fix}")


def translate(error: psycopg.Error, url: str) -> DealwrightError:
    """Return the error to show for one of the driver's."""
    message = error.diag.message_primary or " ".join(str(error).split())
    hint = f": {error.diag.message_hint}" if error.diag.message_hint else ""
    kind = _RAISED.get(error.sqlstate or "")
    if kind is not None:
        return kind(message + hint)
    if isinstance(error, errors.CheckViolation):
        message, hint = _words_of(error, message, hint)
    if isinstance(error, psycopg.DataError) and error.sqlstate is None:  # the driver's own: nothing was sent
        return InputError(f"{message}: send plain text, and numbers within bounds")
    if isinstance(error, (*_UNREADABLE, errors.CheckViolation)):
        return InputError(f"{message}{hint}")
    return _not_done(error, message, hint, url)


def _not_done(error: psycopg.Error, message: str, hint: str, url: str) -> DatabaseError:
    """Say what the database did not do, and what would help."""
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return DatabaseError(f"{redact(url)} {READ_ONLY}")
    if isinstance(error, errors.InsufficientPrivilege):
        return DatabaseError(f"{message}: let the owner of the schema dealwright grant it")
    if isinstance(error, errors.UndefinedTable | errors.UndefinedFunction | errors.InvalidSchemaName):
        return DatabaseError(f"{message}: run `dealwright init` to bring {redact(url)} up to date")
    if isinstance(error, _FORGOTTEN) and "prepared statement" in message:
        return DatabaseError(
            f"{message}: between this program and the server is a pooler that gives every transaction "
            "another connection; add prepare=off to the options of the database URL (?prepare=off)"
        )
    if isinstance(error, psycopg.OperationalError):
        return DatabaseError(
            f"the database stopped answering: {message}; try again, and see its log if it stays"
        )
    return DatabaseError(f"the database refused: {message}{hint}")
