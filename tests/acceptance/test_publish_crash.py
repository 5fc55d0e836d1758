"""A publication that dies midway leaves the desk as it was; the next one is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from engine import rows, value
from psycopg import Connection
from published import run_of, task

from dealwright.desk.database import Database
from dealwright.desk.task_book import TaskBook
from dealwright.runs.task_file import write_tasks

TASKS = 3_000
# what holds a publication up: before it looks at anything, or when only its last row and the commit are left
STAGES = {"at the beginning": "dealwright.plan_run", "at the end": "dealwright.event"}


@pytest.fixture
def folder(database: Database, tmp_path: Path) -> Path:
    """A desk with an older run, of which something was done, and a newer run in a folder."""
    book = TaskBook(database)
    book.publish(run_of([task(f"A{n}") for n in range(100)]))
    for row in book.find(k=10).rows:
        book.finish(row["task_id"], "responded", done_at=datetime(2026, 7, 1, 12))
    write_tasks(run_of([task(f"A{n}", "upsell") for n in range(TASKS)], "run 2"), tmp_path)
    return tmp_path


@pytest.fixture
def other(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as connection:
        yield connection


def content(connection: Connection[Any]) -> list[dict[str, Any]]:
    return [
        *rows(connection, "select * from dealwright.task order by task_id"),
        *rows(connection, "select * from dealwright.plan_run order by run_id"),
        *rows(connection, "select position, kind from dealwright.event order by position"),
    ]


def publish(database: Database, folder: Path) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    command = [sys.executable, "-m", "dealwright.cli.main", "task", "publish", str(folder)]
    environment = {**os.environ, "DATABASE_URL": database.url}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("waited for a minute in vain")


def held_up(connection: Connection[Any]) -> list[int]:
    """Return the backends that publish and wait for a lock."""
    found = rows(
        connection,
        "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' "
        "and query like '%%publish_tasks%%' and pid <> pg_backend_pid()",
    )
    return [row["pid"] for row in found]


def publishers(connection: Connection[Any]) -> int:
    return int(
        value(
            connection,
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and query like '%%publish_tasks%%' and state <> 'idle'",
        )
    )


@pytest.mark.parametrize("stage", list(STAGES))
@pytest.mark.parametrize("victim", ["process", "backend"])
def test_a_publication_killed_midway_leaves_nothing(
    database: Database, folder: Path, other: Connection[Any], stage: str, victim: str
) -> None:
    before = content(other)
    with database.connect() as blocker:
        blocker.execute(f"lock table {STAGES[stage]} in share mode".encode())
        process = publish(database, folder)
        backend = wait_for(lambda: held_up(other))[0]
        assert content(other) == before  # nobody sees half of it
        if victim == "process":
            process.send_signal(signal.SIGKILL)
        else:
            other.execute("select pg_terminate_backend(%s)", [backend])
        out, err = process.communicate(timeout=60)
        blocker.rollback()
    wait_for(lambda: publishers(other) == 0)
    assert content(other) == before
    if victim == "process":
        assert process.returncode == -signal.SIGKILL
    else:
        assert (process.returncode, out) == (1, "")
        assert "nothing was published; the run is complete" in err
        assert "Traceback" not in err

    again = publish(database, folder)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert "run 2 for 2026-07-01: 3,000 tasks (2,990 new, 90 of older runs replaced, 10 not asked" in out
    counts = rows(other, "select status, count(*) from dealwright.task group by status order by status")
    assert [tuple(row.values()) for row in counts] == [
        ("done", 10), ("planned", TASKS - 10), ("replaced", 90),
    ]  # fmt: skip
