"""Publishing and settling tasks: seconds for a run of many tasks, durable, in an embedded server of its own.

``python3 do.py bench publish``; ``python benchmarks/publish.py --tasks 1000000`` for another size.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from dealwright.desk.desk import Desk
from dealwright.desk.server import stop_server
from dealwright.desk.task_book import TaskReport
from dealwright.schemas import DAY_TASK_COLUMNS as COLUMNS
from dealwright.schemas import DayTasks

DAY = date(2026, 7, 1)
REPORTS = 10_000
BRIEF = "- a sentence of some eighty characters, as they stand in the brief of a visit.\n" * 13


def tasks(count: int, action: str, run_id: str) -> DayTasks:
    """Return a run of visits with a kilobyte of brief each."""
    number = pl.int_range(count)
    frame = pl.select(
        account_id=pl.format("A{}", number), day=pl.lit(DAY), action=pl.lit(action), channel=pl.lit("field"),
        rep_id=pl.format("R{}", number // 12), stop=number % 12, start_at=pl.lit(datetime(2026, 7, 1, 9)),
        value_eur=number % 500 + 0.5, cost_eur=pl.lit(45.0), propensity=pl.lit(0.9), brief=pl.lit(BRIEF),
    )  # fmt: skip
    missing = [pl.lit(None, kind).alias(name) for name, kind in COLUMNS.items() if name not in frame.columns]
    whole = frame.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())
    return DayTasks(run_id, datetime(2026, 6, 30, 22), "Europe/Madrid", DAY, DAY, whole)


def measure(desk: Desk, count: int) -> list[tuple[str, int, float]]:
    """Return what was done, with how many rows, in how many seconds."""
    measured: list[tuple[str, int, float]] = []

    def timed(what: str, rows: int, work: Callable[[], object]) -> None:
        begin = time.perf_counter()
        work()
        measured.append((what, rows, time.perf_counter() - begin))

    def settle() -> None:
        with desk.database.connect() as connection:
            connection.execute(
                "update dealwright.task set status = 'done', outcome = 'no_response' where status = 'planned'"
            )

    book = desk.tasks
    first, second = tasks(count, "visit", "first"), tasks(count, "win_back", "second")
    timed("a new run", count, lambda: book.publish(first))
    timed("the same run again", count, lambda: book.publish(first))
    timed("a newer run that asks for the same", count, lambda: book.publish(tasks(count, "visit", "again")))
    timed("a newer run that asks for something else", count, lambda: book.publish(second))
    ids = [row["task_id"] for row in book.find(k=REPORTS).rows]
    timed("outcomes from a file", len(ids), lambda: book.report(TaskReport(n, "responded") for n in ids))
    timed("the others in one update", count - len(ids), settle)
    timed("read back as touches", count, book.touches)
    return measured


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="dealwright-bench-"))
    try:
        with Desk.open(home=home) as desk:
            measured = measure(desk, arguments.tasks)
    finally:
        stop_server(home)
        shutil.rmtree(home, ignore_errors=True)
    table = Table("what", title="tasks on the desk, every commit durable, 1 KB of brief each")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    for what, rows, seconds in measured:
        table.add_row(what, f"{rows:,}", f"{seconds:.2f}")
    console = Console(width=110)
    console.print(table)
    console.print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
