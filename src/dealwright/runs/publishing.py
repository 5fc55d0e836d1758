"""From the folder of a run to the desk; needs nothing of the plan, so that a desk alone can do it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dealwright.desk.task_results import Published
from dealwright.errors import DatabaseError
from dealwright.runs.task_file import read_tasks
from dealwright.settings import load_settings

if TYPE_CHECKING:
    from dealwright.desk.desk import Desk  # with the database's client, which a night without a desk spares

OpenDesk = Callable[[], "AbstractContextManager[Desk]"]


class Progress(Protocol):
    """Told what is going on, and how much of it is done."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show it."""
        ...


def publish_run(
    folder: Path, *, open_desk: OpenDesk | None = None, progress: Progress | None = None
) -> Published:
    """Publish the tasks in the folder of a run.

    Raises
    ------
    InputError
        The folder is not a run's.
    DatabaseError
        The desk cannot be reached; the run stays as it is.
    """
    tasks = read_tasks(folder)

    def show(done: int, total: int) -> None:
        """Say how many tasks were sent."""
        if progress is not None:
            progress("publishing" if done < total else "arranging", done, total)

    try:
        with (open_desk or open_own_desk)() as desk:
            return desk.tasks.publish(tasks, show)
    except DatabaseError as error:
        raise DatabaseError(
            f"{error} (nothing was published; the run is complete: dealwright task publish {folder})"
        ) from None


def open_own_desk() -> AbstractContextManager[Desk]:
    """Open the desk of the settings."""
    from dealwright.desk.desk import Desk

    settings = load_settings()
    return Desk.open(settings.database_url, settings.home, read_url=settings.database_url_read)
