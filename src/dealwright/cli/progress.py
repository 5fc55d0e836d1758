"""Tell people on stderr what is going on while they wait; programs that read stderr are spared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from dealwright.cli.context import notes

Item = TypeVar("Item")


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show a spinner with the time that has passed, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TextColumn(what), TimeElapsedColumn(), console=notes(), transient=True
    ) as progress:
        progress.add_task(what, total=None)
        yield


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items on with a progress bar, on a terminal only."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import track

    yield from track(items, description=what, total=total, console=notes(), transient=True)
