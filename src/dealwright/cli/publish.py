"""What ``plan`` has to do with the desk: outcomes read before the night, tasks published after it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dealwright.cli.context import notes, open_desk
from dealwright.errors import DatabaseError

if TYPE_CHECKING:
    import polars as pl

    from dealwright.desk.task_results import Published


def read_desk_touches(context: typer.Context) -> pl.DataFrame:
    """Read what came of earlier tasks; that shows, before the night begins, that the desk is there."""
    with open_desk(context) as desk:
        return desk.tasks.touches()


def publish_run(context: typer.Context, folder: Path, *, quiet: bool = False) -> Published:
    """Publish the tasks in the folder of a run.

    Raises
    ------
    InputError
        The folder is not a run's.
    """
    from dealwright.report.task_file import read_tasks

    tasks = read_tasks(folder)
    try:
        with open_desk(context) as desk, _progress(quiet=quiet) as progress:
            return desk.tasks.publish(tasks, progress)
    except DatabaseError as error:
        raise DatabaseError(
            f"{error} (nothing was published; the run is complete: dealwright task publish {folder})"
        ) from None


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show on a terminal how many tasks were sent."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes(), transient=True) as bar:
        task = bar.add_task("publishing", total=None)

        def show(done: int, total: int) -> None:
            bar.update(
                task, completed=done, total=total, description="publishing" if done < total else "arranging"
            )

        yield show
