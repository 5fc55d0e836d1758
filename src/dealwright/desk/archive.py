"""The archive: months of the record that are over, in Parquet files instead of in the database.

A month is written to files, read back into the database and compared there with what it was; only then is
it dropped, in the transaction that notes the files and their digests. Interrupted anywhere, the month is in
the database, in the archive, or in both, and the next run goes on.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from psycopg import Connection, errors, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database
from dealwright.desk.queries import answered_errors
from dealwright.desk.statements import query
from dealwright.errors import ConflictError, DatabaseError, InputError, NotFoundError
from dealwright.notebook import rows_table
from dealwright.wording import count_of

FILE_ROWS = 200_000  # of one file: what is in memory at once
_ORDER = {"decision": "decision_id", "event": "xid, position"}
_ID = {"decision": "decision_id", "event": "position"}
_ROOM = {"decision": "archived_decision", "event": "archived_event_row"}
_TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "bigint": pl.Int64,
    "integer": pl.Int32,
    "xid8": pl.Int64,
    "double precision": pl.Float64,
    "boolean": pl.Boolean,
    "timestamp with time zone": pl.Datetime("us", "UTC"),
}
_REPLAYED = (
    "xid", "position", "kind", "agent_id", "open", "capacity", "fair_count", "fair_compensation", "payload",
    "fair_until", "last_assigned_at",
)  # fmt: skip
_BATCH_DECISIONS = 100_000
_ATTEMPTS = 20
_SNAPSHOT = re.compile(r"(\d+):(\d+):.*")
Row = dict[str, Any]


@dataclass(frozen=True)
class Archived:
    """What went to the archive.

    Attributes
    ----------
    folder
        Where the archive is.
    months
        Each partition with its kind (``decision`` or ``event``), its times, its rows and its files.
    left
        Each partition that stayed, with the number of its decisions that are not sealed, and the webhooks
        that have not got all of its events.
    """

    folder: Path
    months: Sequence[Row]
    left: Sequence[Row] = ()

    def _rows_of(self, kind: str) -> int:
        return sum(int(month["rows"]) for month in self.months if month["kind"] == kind)

    def summary(self) -> str:
        """Say in one line what went where."""
        if not self.months:
            said = "nothing to archive: no month of the record that is over lies before that day"
        else:
            said = (
                f"{count_of(self._rows_of('decision'), 'decision')} and "
                f"{count_of(self._rows_of('event'), 'event')} are in {self.folder} now"
            )
        if self.left:
            if unsealed := sum(int(month["unsealed"]) for month in self.left):
                said += f"; {count_of(unsealed, 'decision')} not sealed yet: run it again later"
            if behind := sorted({number for month in self.left for number in month["webhooks_behind"]}):
                said += (
                    f"; events stayed that webhook {', '.join(map(str, behind))} has not got yet: "
                    "`dealwright webhook list` says why"
                )
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"folder": str(self.folder), "months": list(self.months), "left": list(self.left)}

    def _repr_html_(self) -> str:
        return rows_table(self.summary(), self.months)


def archive(database: Database, before: datetime, folder: Path) -> Archived:
    """Move the months of the record that ended before a time to Parquet files.

    Only whole months go, whose decisions are all sealed, and none that ended less than a day ago. Placing
    and settling go on; they wait for the moment in which a month is detached.

    Parameters
    ----------
    before
        No month that ends later is touched.
    folder
        Where the archive is; made when missing.

    Raises
    ------
    InputError
        The folder cannot be written.
    ConflictError
        What was read back from a file is not what was in the database; nothing was dropped.
    DatabaseError
        The user does not own the desk, or the database did not do it.
    """
    with (
        database.connect(autocommit=True) as connection,
        database.watching(connection),
        answered_errors(database.url),
    ):
        connection.execute(query("prepare_months"))
        while (sealed := connection.execute(query("seal_decisions")).fetchone()) and sealed[0]:
            pass
        months, left = [], []
        for month in _rows(connection, "closed_months", before=before):
            behind = (
                _rows(connection, "webhooks_behind", partition=month["partition"])[0]["webhook_ids"]
                if month["kind"] == "event"
                else []
            )
            if month["unsealed"] or behind:
                left.append({**month, "webhooks_behind": behind})
                continue
            files = _write_month(connection, month, folder)
            _release(connection, month, files)
            months.append(
                {
                    **{name: month[name] for name in ("kind", "partition", "from_time", "to_time")},
                    "rows": sum(file["rows"] for file in files),
                    "files": [file["file"] for file in files],
                }
            )
    return Archived(folder, months, left)


def _rows(connection: Connection[Any], name: str, **parameters: Any) -> list[Row]:
    return connection.cursor(row_factory=dict_row).execute(query(name), parameters).fetchall()


def _columns(connection: Connection[Any], kind: str) -> dict[str, pl.DataType | type[pl.DataType]]:
    found = _rows(connection, "record_columns", table=kind)
    return {row["name"]: _TYPES.get(row["type"], pl.String) for row in found}


# writing


def _write_month(connection: Connection[Any], month: Row, folder: Path) -> list[Row]:
    """Write a partition to files, and check that the database reads the same from them."""
    kind, partition = month["kind"], month["partition"]
    name = partition.removeprefix(f"{kind}_").replace("_", "-")
    try:
        place = _new_folder(folder / kind, name)
        draft = place.with_name(f".{place.name}.writing")
        shutil.rmtree(draft, ignore_errors=True)  # of a run that was interrupted
        draft.mkdir()
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read")
            columns = _columns(connection, kind)
            files = [
                _write_file(frame, draft / f"{number:04}.parquet", kind)
                for number, frame in enumerate(_frames(connection, kind, partition, columns))
            ]
            before = _rows(connection, "archived_digest", partition=partition)[0]
        if before != (found := _read_back(connection, kind, columns, [draft / row["file"] for row in files])):
            raise ConflictError(
                f"{draft} holds {found['rows']} rows, and reading them back does not give what the "
                f"{before['rows']} rows of {partition} are: look at the disk; nothing was dropped"
            )
        draft.rename(place)
        _sync(place.parent)
    except OSError as error:
        raise InputError(
            f"cannot write in {folder} ({error.strerror}): choose another place; nothing was dropped"
        ) from error
    return [{**row, "file": f"{kind}/{place.name}/{row['file']}"} for row in files]


def _new_folder(parent: Path, name: str) -> Path:
    """Return a folder that is not there: of a run that was interrupted, one may be, and it is left alone."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    number, place = 1, parent / name
    while place.exists():
        number += 1
        place = parent / f"{name}-{number}"
    return place


def _frames(
    connection: Connection[Any],
    kind: str,
    partition: str,
    columns: Mapping[str, pl.DataType | type[pl.DataType]],
) -> Iterator[pl.DataFrame]:
    """Read a partition in its order, as many rows at a time as go into a file."""
    statement = sql.SQL("copy (select {} from {} order by {}) to stdout").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier("dealwright_engine", partition),
        sql.SQL(_ORDER[kind]),
    )
    # as the digests are made
    connection.execute(
        "set local timezone = 'UTC'; set local datestyle = 'ISO'; set local extra_float_digits = 1"
    )
    part: list[tuple[Any, ...]] = []
    with connection.cursor().copy(statement) as copy:
        for row in copy.rows():
            part.append(row)
            if len(part) == FILE_ROWS:
                yield _typed(part, columns)
                part = []
    if part:
        yield _typed(part, columns)


def _typed(
    rows: Sequence[tuple[Any, ...]], columns: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.DataFrame:
    """Turn rows of PostgreSQL's texts into columns; what Parquet has no type for stays a text."""
    texts = pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String), orient="row")
    return texts.select(_from_text(name, kind) for name, kind in columns.items())


def _from_text(name: str, kind: pl.DataType | type[pl.DataType]) -> pl.Expr:
    column = pl.col(name)
    if kind == pl.Boolean:
        return column == "t"
    if isinstance(kind, pl.Datetime):
        parts = column.str.strip_suffix("+00")
        return parts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us").dt.replace_time_zone("UTC")
    return column.cast(kind)


def _write_file(frame: pl.DataFrame, file: Path, kind: str) -> Row:
    with file.open("wb") as stream:
        frame.write_parquet(stream, compression="zstd")
        stream.flush()
        os.fsync(stream.fileno())
    ids = frame[_ID[kind]]
    return {
        "file": file.name,
        "rows": frame.height,
        "first_id": ids.min(),
        "last_id": ids.max(),
        "sha256": _digest(file),
    }


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Have new names on the disk, where the system can do that for a directory."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read_back(
    connection: Connection[Any],
    kind: str,
    columns: Mapping[str, pl.DataType | type[pl.DataType]],
    files: Sequence[Path],
) -> Row:
    """Add up what the database reads from the files, a file at a time."""
    found = {"rows": 0, "digest": 0}
    for file in files:
        with connection.transaction(force_rollback=True):
            connection.execute(query("open_archive"))
            _copy(connection, _ROOM[kind], pl.read_parquet(file).select(*columns))
            part = _rows(connection, "archived_digest", partition=_ROOM[kind])[0]
        found = {name: found[name] + part[name] for name in found}
    return found


def _copy(connection: Connection[Any], table: str, frame: pl.DataFrame) -> None:
    """Copy a frame into one of the temporary tables of ``open_archive``."""
    statement = sql.SQL("copy pg_temp.{} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    texts = frame.select(
        pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00")
        if isinstance(kind, pl.Datetime)
        else pl.col(name).cast(pl.String)
        for name, kind in frame.schema.items()
    )
    with connection.cursor().copy(statement) as copy:
        for row in texts.iter_rows():
            copy.write_row(row)


def _release(connection: Connection[Any], month: Row, files: Sequence[Row]) -> None:
    """Drop the month and note its files; again, where somebody is in the middle of reading it."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _rows(
                connection,
                "release_month",
                kind=month["kind"],
                partition=month["partition"],
                files=Jsonb(list(files)),
            )
        except errors.LockNotAvailable as error:
            if attempt == _ATTEMPTS:
                raise DatabaseError(
                    f"a long transaction is using the table {month['kind']}: let it end, and try again"
                ) from error
            time.sleep(0.1 * attempt)
        else:
            return


# reading


@dataclass(frozen=True)
class Archive:
    """An archive, read for a desk.

    Parameters
    ----------
    folder
        Where it is.
    files
        What the desk has noted of its files.
    """

    folder: Path
    files: Sequence[Row]

    @contextmanager
    def decision_on(self, connection: Connection[Any], assignment_id: int) -> Iterator[bool]:
        """Put the decision on an assignment, with all it saw, before the transaction of the block.

        Yields whether there is one. What was put there is gone with the transaction, which is rolled back.
        """
        found = self._scan("decision").filter(pl.col("assignment_id") == assignment_id).collect()
        if found.is_empty():
            yield False
            return
        with connection.transaction(force_rollback=True):
            connection.execute(query("open_archive"))
            _copy(connection, "archived_decision", found)
            _copy(connection, "archived_event", self._events_before(found))
            connection.execute(query("join_archived_events"))
            yield True

    def verify(self, connection: Connection[Any], blocks: Sequence[Row]) -> list[Row]:
        """Check blocks of which decisions are in the archive."""
        checked: list[Row] = []
        for part in _batches(blocks):
            first = min(block["first_decision_id"] for block in part)
            last = max(block["last_decision_id"] for block in part)
            decisions = self._scan("decision").filter(pl.col("decision_id").is_between(first, last)).collect()
            with connection.transaction(force_rollback=True):
                connection.execute(query("open_archive"))
                _copy(connection, "archived_decision", decisions)
                checked += _rows(
                    connection, "verify_archived", first=part[0]["block_id"], last=part[-1]["block_id"]
                )
        return checked

    def changed_files(self) -> list[str]:
        """Return the files that are not what they were when they were written."""
        return [
            row["file"]
            for row in self.files
            if not (path := self.folder / row["file"]).is_file() or _digest(path) != row["sha256"]
        ]

    def _scan(self, kind: str) -> pl.LazyFrame:
        """Read the noted files of a kind.

        Raises
        ------
        NotFoundError
            One of them is not there.
        """
        paths = [self.folder / row["file"] for row in self.files if row["kind"] == kind]
        for path in paths:
            if not path.is_file():
                raise NotFoundError(
                    f"{path} is not there: it is a part of the archive; say where that is, or bring it back"
                )
        # a company's own columns may be in some of them
        return pl.scan_parquet(paths, missing_columns="insert", extra_columns="ignore")

    def _events_before(self, decisions: pl.DataFrame) -> pl.DataFrame:
        """Return the events that a decision saw: of what came before its snapshot, the last of each agent."""
        if not any(row["kind"] == "event" for row in self.files):
            return pl.DataFrame(schema=dict.fromkeys(_REPLAYED, pl.String))
        own, seen = decisions["xid"].item(), _SNAPSHOT.fullmatch(decisions["snapshot"].item())
        oldest, newest = (int(seen[1]), int(seen[2])) if seen else (0, own)
        events = (
            self._scan("event")
            .select(_REPLAYED)
            .filter(
                pl.col("xid") <= max(own, newest),
                pl.col("open").is_not_null() | pl.col("kind").str.starts_with("agent_"),
            )
        )
        settled, traits = pl.col("xid") < oldest, pl.col("kind").is_in(["agent_added", "agent_changed"])
        state = pl.col("open").is_not_null() | (pl.col("kind") == "agent_deleted")
        last = [
            events.filter(settled, which).group_by("agent_id").agg(pl.all().sort_by("position").last())
            for which in (state, traits)
        ]
        parts = [events.filter(~settled), *(part.select(_REPLAYED) for part in last)]
        return pl.concat(parts).unique(["xid", "position"]).collect()


def _batches(blocks: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Take blocks together as long as they are few decisions, one after the other."""
    part: list[Row] = []
    for block in blocks:
        if part and (
            sum(row["decisions"] for row in part) + block["decisions"] > _BATCH_DECISIONS
            or block["block_id"] != part[-1]["block_id"] + 1
        ):
            yield part
            part = []
        part.append(block)
    if part:
        yield part
