"""Read the outcomes of many tasks from a file; mistakes name their line before anything is changed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dealwright.errors import InputError

if TYPE_CHECKING:
    from dealwright.desk.task_book import TaskBook, TaskReport


def read_task_reports(path: Path, book: TaskBook) -> list[TaskReport]:
    """Read a table of ``task_id`` and ``outcome``, and perhaps ``done_at``, ``note``, ``rep_id``.

    Raises
    ------
    InputError
        The file cannot be read, or a line cannot be used; nothing has been changed then.
    """
    from dealwright.desk.task_book import CANCELLED, OUTCOMES, TaskReport
    from dealwright.tables.leads import read_reports

    lines: dict[int, int] = {}
    reports = []
    for line, found in read_reports(path, (*OUTCOMES, CANCELLED)):
        lines[found["task_id"]] = line
        reports.append(
            TaskReport(**{**found, "done_at": _moment(found["done_at"], f"{path.name}, line {line}")})
        )
    known = book.known(lines)
    for task_id, line in lines.items():
        if task_id not in known:
            raise InputError(
                f"{path.name}, line {line}, task_id: there is no task {task_id}; "
                "`dealwright task list` shows the tasks"
            )
    return reports


def _moment(text: str | None, place: str) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{place}, done_at: {text!r} is no time like 2026-07-01 10:30") from None
