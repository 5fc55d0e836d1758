"""What touches all accounts is done some accounts at a time, so that no step needs memory for all of them.

Where a stage is *fit* it sees a sample or sums; where it is *applied*, a row needs no other row. The parts do
not depend on the machine: the same rows stand in the same part everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Final, TypeVar

import polars as pl

from dealwright.parallel import parallel_map

T = TypeVar("T")
R = TypeVar("R")
# more of them make one plan at a time, and the sentences about each account stay on disk
MANY_ACCOUNTS: Final = 200_000
APPLY_ROWS: Final = 100_000
LOG_ROWS: Final = 1_000_000


def partitions(rows: int) -> list[slice]:
    """Return the slices of so many rows; without rows, one that is empty."""
    return [slice(start, min(start + APPLY_ROWS, rows)) for start in range(0, max(rows, 1), APPLY_ROWS)]


def apply(work: Callable[[T], R], parts: Sequence[T], executor: Executor | None = None) -> list[R]:
    """Do the same for every part: one after the other, or on the workers of an executor.

    A single part is done here, for there is nothing to divide.
    """
    if executor is None or len(parts) == 1:
        return [work(part) for part in parts]
    return parallel_map(work, parts, executor=executor)


def by_account(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield a log, such as orders, some accounts at a time: all rows of an account stand in one part."""
    parts = -(-table.height // LOG_ROWS)
    if parts <= 1:
        yield table
        return
    part = (table["account_id"].hash(seed=0) % parts).cast(pl.UInt16)
    for number in range(parts):
        yield table.filter(part == number)
