"""Lists of sentences about every account: on disk, where there are many accounts.

Such columns are more than half of what a night finds, and hardly any stage reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import polars as pl

from dealwright.stored import StoredColumns

R = TypeVar("R")


class Listed:
    """Columns of the accounts that are on disk, in the order of the accounts.

    Parameters
    ----------
    kept
        Whether they are kept in memory after all: there are not so many accounts.
    """

    def __init__(self, *, kept: bool = True) -> None:
        self.kept = kept
        self.columns: list[StoredColumns] = []
        self.order: tuple[str, ...] = ()  # of all columns of the accounts, those in memory too

    def part_with(self, result: R, *names: str) -> R:
        """Return a stage's result with some columns of its frame on the disk: they are null in the frame."""
        if self.kept:
            return result
        found: Any = result
        empty = [pl.lit(None, found.frame.schema[name]).alias(name) for name in names]
        self.columns.append(StoredColumns(found.frame.select(names)))
        less: R = replace(found, frame=found.frame.with_columns(empty))
        return less

    def without(self, accounts: pl.DataFrame) -> pl.DataFrame:
        """Return the accounts without the columns that are on disk."""
        self.order = tuple(accounts.columns)
        return accounts.drop(name for stored in self.columns for name in stored.names)

    def of(self, accounts: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
        """Return the accounts with these columns, filled for those that are wanted only."""
        if self.kept:
            return accounts
        names = [name for stored in self.columns for name in stored.names]
        here = pl.col("account_id").is_in(wanted.implode())
        told = pl.concat(part.filter(here) for part in self._beside(accounts.select("account_id")))
        full = accounts.drop(names).join(told, on="account_id", how="left", maintain_order="left")
        return full.select(accounts.columns)

    def parts(self, accounts: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the accounts that are `without` these columns with them, some at a time."""
        if self.kept:
            yield accounts
            return
        for part in self._beside(accounts):
            yield part.select(self.order)

    def _beside(self, accounts: pl.DataFrame) -> Iterator[pl.DataFrame]:
        first, *others = self.columns
        for part, *more in zip(first.beside(accounts), *(stored.parts() for stored in others), strict=True):
            yield part.hstack([column for table in more for column in table.get_columns()])
