"""The plan's tasks on the desk: published as a whole, settled one by one, read back as touches."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg import Connection, sql
from psycopg.rows import dict_row

from dealwright.desk.database import Database
from dealwright.desk.queries import answered_errors
from dealwright.desk.results import Row
from dealwright.desk.statements import query
from dealwright.desk.task_results import PlanRuns, Published, Task, Tasks
from dealwright.errors import InputError, NotFoundError, UnknownNameError
from dealwright.schemas import DAY_TASK_COLUMNS, DESK_TOUCH_COLUMNS, TIMESTAMP, DayTasks

if TYPE_CHECKING:
    import polars as pl

STATUSES = ("planned", "started", "done", "failed", "cancelled", "replaced")
OUTCOMES = ("responded", "no_response", "rejected", "not_reached")
CANCELLED = "cancelled"
_CHUNK_ROWS = 10_000
_MOMENTS = ("start_at", "end_at", "window_start", "window_end", "done_at")


@dataclass(frozen=True)
class TaskReport:
    """What somebody says came of a task.

    Attributes
    ----------
    task_id
        The desk's id.
    outcome
        One of `OUTCOMES`, or `CANCELLED`.
    done_at
        When; without an offset on the company's clock, now if not said.
    note, rep_id
        In their words; who it was, where it was not who it was planned for.
    """

    task_id: int
    outcome: str
    done_at: datetime | None = None
    note: str | None = None
    rep_id: str | None = None


class TaskBook:
    """The desk's tasks, `Desk.tasks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, tasks: DayTasks, progress: Callable[[int, int], None] | None = None) -> Published:
        """Put the tasks of a run on the desk, all of them or none.

        The same run twice changes nothing. A newer one for the same days takes the place of the older one's
        tasks that nobody has begun; those that were begun, finished or cancelled stand.

        Parameters
        ----------
        progress
            Told how many rows of how many were sent.

        Raises
        ------
        ConflictError
            The desk has a run for these days with a later cut-off.
        """
        parameters = {
            name: getattr(tasks, name) for name in ("run_id", "as_of", "time_zone", "first_day", "last_day")
        }
        with self._connection() as connection, connection.transaction():
            connection.execute("select dealwright.begin_publishing()")
            _copy(connection, tasks.frame, progress)
            row = connection.execute(query("publish_tasks"), parameters).fetchone()
        return Published(tasks.summary(), row[0] if row else {})

    def find(
        self,
        *,
        day: date | None = None,
        rep_id: str | None = None,
        account_id: str | None = None,
        status: str | None = None,
        run_id: str | None = None,
        k: int | None = None,
    ) -> Tasks:
        """Return tasks, by default those of the newest run's days; replaced ones only if asked for."""
        if status is not None and status not in STATUSES:
            raise UnknownNameError("status", status, STATUSES)
        rows = self._rows(
            day=day, rep_id=rep_id, account_id=account_id, status=status, run_id=run_id, k=k, task_id=None,
            with_brief=False,
        )  # fmt: skip
        return Tasks(tuple({name: value for name, value in row.items() if name != "brief"} for row in rows))

    def get(self, task_id: int) -> Task:
        """Return one task with its brief.

        Raises
        ------
        NotFoundError
            There is no such task.
        """
        with self._connection() as connection:
            return self._task(connection, task_id)

    def start(self, task_id: int, rep_id: str | None = None) -> Task:
        """Say that somebody is at it: no newer run takes it away."""
        return self._change("start_task", task_id=task_id, rep_id=rep_id)

    def finish(
        self,
        task_id: int,
        outcome: str,
        *,
        done_at: datetime | None = None,
        note: str | None = None,
        rep_id: str | None = None,
    ) -> Task:
        """Report a task's outcome (`OUTCOMES`); for a finished one this is a correction.

        Parameters
        ----------
        done_at
            Without an offset on the company's clock; now if not said.
        """
        if outcome not in OUTCOMES:
            raise UnknownNameError("outcome", outcome, OUTCOMES)
        return self._change(
            "finish_task", task_id=task_id, outcome=outcome, note=note, rep_id=rep_id, **_split(done_at)
        )

    def cancel(self, task_id: int, note: str | None = None) -> Task:
        """Say that a task is not to be done; no run of that day asks for it again."""
        return self._change("cancel_task", task_id=task_id, note=note)

    def reopen(self, task_id: int, reason: str) -> Task:
        """Take back that a task was finished; the reason goes into the record."""
        return self._change("reopen_task", task_id=task_id, reason=reason)

    def report(self, reports: Iterable[TaskReport]) -> int:
        """Take in many outcomes, all of them or none; return how many.

        Raises
        ------
        NotFoundError
            There is no such task.
        """
        given = list(reports)
        for item in given:
            if item.outcome not in (*OUTCOMES, CANCELLED):
                raise UnknownNameError(
                    f"outcome of task {item.task_id}", item.outcome, (*OUTCOMES, CANCELLED)
                )
        finished = [
            {
                "task_id": item.task_id, "outcome": item.outcome, "note": item.note, "rep_id": item.rep_id,
                **_split(item.done_at),
            }
            for item in given
            if item.outcome != CANCELLED
        ]  # fmt: skip
        cancelled = [
            {"task_id": item.task_id, "note": item.note} for item in given if item.outcome == CANCELLED
        ]
        with self._connection() as connection, connection.transaction():
            cursor = connection.cursor()
            cursor.executemany(query("finish_task"), finished)
            cursor.executemany(query("cancel_task"), cancelled)
        return len(given)

    def known(self, task_ids: Iterable[int]) -> set[int]:
        """Return those ids that are tasks."""
        with self._connection() as connection:
            rows = connection.execute(query("known_tasks"), {"task_ids": list(task_ids)}).fetchall()
        return {row[0] for row in rows}

    def touches(self, since: datetime | None = None, until: datetime | None = None) -> pl.DataFrame:
        """Return the finished tasks as `dealwright.schemas.DESK_TOUCH_COLUMNS`, by time.

        Parameters
        ----------
        since, until
            On the company's clock, both included.
        """
        content = io.BytesIO()
        with (
            self._connection() as connection,
            connection.cursor().copy(query("touches"), {"since": since, "until": until}) as copy,
        ):
            for part in copy:
                content.write(part)
        return _read_touches(content)

    def runs(self, k: int | None = None) -> PlanRuns:
        """Return the published runs, newest first."""
        with self._connection() as connection:
            rows = connection.cursor(row_factory=dict_row).execute(query("plan_runs"), {"k": k}).fetchall()
        return PlanRuns(tuple(_on_the_companys_clock(row, ("published_at",)) for row in rows))

    # inside

    @contextmanager
    def _connection(self) -> Iterator[Connection[Any]]:
        with self._database.connection() as connection, answered_errors(self._database.url):
            yield connection

    def _rows(self, connection: Connection[Any] | None = None, **parameters: Any) -> list[Row]:
        if connection is None:
            with self._connection() as borrowed:
                return self._rows(borrowed, **parameters)
        found = connection.cursor(row_factory=dict_row).execute(query("tasks"), parameters).fetchall()
        return [_on_the_companys_clock(row, _MOMENTS) for row in found]

    def _task(self, connection: Connection[Any], task_id: int) -> Task:
        nothing = dict.fromkeys(("day", "rep_id", "account_id", "status", "run_id", "k"))
        rows = self._rows(connection, **nothing, task_id=task_id, with_brief=True)
        if not rows:
            raise NotFoundError(f"there is no task {task_id}: `dealwright task list` shows the tasks")
        return Task(rows[0])

    def _change(self, action: str, *, task_id: int, **parameters: Any) -> Task:
        with self._connection() as connection, connection.transaction():
            connection.execute(query(action), {"task_id": task_id, **parameters})
            return self._task(connection, task_id)


def _split(done_at: datetime | None) -> dict[str, datetime | None]:
    """Tell a moment with an offset from one on the company's clock."""
    naive = done_at is not None and done_at.tzinfo is None
    return {"done_at": None if naive else done_at, "local_done_at": done_at if naive else None}


def _on_the_companys_clock(row: Mapping[str, Any], names: Iterable[str]) -> Row:
    zone = ZoneInfo(row["time_zone"])
    moments = {name: row[name].astimezone(zone) for name in names if row[name] is not None}
    return {**row, **moments}


def _copy(
    connection: Connection[Any], frame: pl.DataFrame, progress: Callable[[int, int], None] | None
) -> None:
    missing = [name for name in DAY_TASK_COLUMNS if name not in frame.columns]
    if missing:
        raise InputError(
            f"the tasks have no column {missing[0]}: publish what the plan wrote (tasks.parquet)"
        )
    statement = sql.SQL("copy published_task ({}) from stdin (format csv)").format(
        sql.SQL(", ").join(map(sql.Identifier, DAY_TASK_COLUMNS))
    )
    sent = 0
    with connection.cursor().copy(statement) as copy:
        for part in frame.select(list(DAY_TASK_COLUMNS)).iter_slices(_CHUNK_ROWS):
            copy.write(part.write_csv(include_header=False))
            sent += part.height
            if progress is not None:
                progress(sent, frame.height)


def _read_touches(content: io.BytesIO) -> pl.DataFrame:
    """Parse PostgreSQL's CSV: empty is null, t and f are yes and no."""
    import polars as pl

    content.seek(0)
    text = pl.read_csv(content, infer_schema=False)
    return text.select(
        pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us")
        if kind == TIMESTAMP
        else (pl.col(name) == "t")
        if kind == pl.Boolean
        else pl.col(name).cast(kind)
        for name, kind in DESK_TOUCH_COLUMNS.items()
    )
