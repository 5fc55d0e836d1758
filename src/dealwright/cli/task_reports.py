"""Read what came of many tasks from a CSV file; mistakes name their line before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dealwright.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from dealwright.desk.task_book import TaskBook, TaskReport

_NEEDED: Final = ("task_id", "outcome")
_OPTIONAL: Final = ("done_at", "note", "rep_id")


def read_task_reports(path: Path, book: TaskBook) -> list[TaskReport]:
    """Read a CSV with the columns ``task_id`` and ``outcome``, and perhaps ``done_at``, ``note``, ``rep_id``.

    Raises
    ------
    InputError
        The file cannot be read, or a line cannot be used; nothing has been changed then.
    """
    from dealwright.intake.mapping import FileFormat
    from dealwright.intake.read import read_header, read_table

    if not path.is_file():
        raise InputError(f"there is no file {path}: give the outcomes in a .csv file")
    header = read_header(path, FileFormat())
    for name in header:
        if name not in (*_NEEDED, *_OPTIONAL):
            raise InputError(
                f"{path.name}, line 1: {UnknownNameError('column', name, (*_NEEDED, *_OPTIONAL))}"
            )
    wanted = [*_NEEDED, *(name for name in _OPTIONAL if name in header)]
    table = read_table(path, FileFormat(), dict.fromkeys(wanted, "reports"))
    for row in table.ragged:
        raise InputError(
            f"{path.name}, line {row.line}: {len(row.cells)} fields instead of {len(table.header)}"
        )
    reports: list[TaskReport] = []
    lines: dict[int, int] = {}
    for line, cells in zip(table.lines.tolist(), table.frame.iter_rows(), strict=True):
        values = {
            name: cell.strip() or None if cell else None for name, cell in zip(wanted, cells, strict=True)
        }
        report = _parse(f"{path.name}, line {line}", values)
        if report.task_id in lines:
            raise InputError(
                f"{path.name}, line {line}: task {report.task_id} stands on line {lines[report.task_id]} "
                "already; keep one of the two"
            )
        lines[report.task_id] = line
        reports.append(report)
    if not reports:
        raise InputError(f"{path.name} holds no rows")
    known = book.known(lines)
    for task_id, line in lines.items():
        if task_id not in known:
            raise InputError(
                f"{path.name}, line {line}, task_id: there is no task {task_id}; "
                "`dealwright task list` shows the tasks"
            )
    return reports


def _parse(place: str, values: Mapping[str, str | None]) -> TaskReport:
    from dealwright.desk.task_book import CANCELLED, OUTCOMES, TaskReport

    number, outcome, moment = values["task_id"], values["outcome"], values.get("done_at")
    if number is None or not number.isdecimal() or len(number) > 18:
        raise InputError(
            f"{place}, task_id: {number or 'empty'!r} is no id as `dealwright task list` shows it"
        )
    if outcome not in (*OUTCOMES, CANCELLED):
        raise InputError(f"{place}: {UnknownNameError('outcome', outcome or '', (*OUTCOMES, CANCELLED))}")
    try:
        done_at = None if moment is None else datetime.fromisoformat(moment)
    except ValueError:
        raise InputError(f"{place}, done_at: {moment!r} is no time like 2026-07-01 10:30") from None
    return TaskReport(int(number), outcome, done_at, values.get("note"), values.get("rep_id"))
