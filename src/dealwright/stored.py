"""Tables that are too large to stay in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Final
from weakref import finalize

import polars as pl
from polars._typing import SchemaDict

_PART_ROWS: Final = 100_000


def write_parts(parts: Iterable[pl.DataFrame], target: Path, level: int, group_rows: int) -> None:
    """Write a table that is never whole in memory as one Parquet file.

    Parameters
    ----------
    parts
        Its rows, some at a time: at least one part, all with the same columns.
    level
        Of compression.
    group_rows
        Who reads one row decodes so many.
    """
    from polars.io.plugins import register_io_source

    remaining = iter(parts)
    first = next(remaining)

    def read(
        columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        for part in chain((first,), remaining):
            yield part if columns is None else part.select(columns)

    table = register_io_source(read, schema=first.schema)
    table.sink_parquet(target, compression_level=level, row_group_size=group_rows)


class StoredTable:
    """A table on disk, in a folder of its own that goes when nobody needs it any more.

    Rows are added part by part, and read whenever they are asked for.

    Parameters
    ----------
    folder
        Where its folder is made; by default where the system keeps what is temporary.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Path(mkdtemp(prefix="dealwright-", dir=folder))
        self.height = 0
        self._files: list[Path] = []
        finalize(self, rmtree, self.folder, ignore_errors=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Write further rows."""
        file = self.folder / f"part-{len(self._files):05}.parquet"
        rows.write_parquet(file, compression="lz4", statistics=False)
        self._files.append(file)
        self.height += rows.height

    def scan(self) -> pl.LazyFrame:
        """Return all rows, in the order in which they were added, to take from them what is needed."""
        return pl.scan_parquet(self._files)

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield the rows as they were added, some at a time."""
        for file in self._files:
            yield pl.read_parquet(file)

    def collect(self) -> pl.DataFrame:
        """Read all rows."""
        return self.scan().collect()


class StoredColumns(StoredTable):
    """Some columns of a table on disk, beside others that stay in memory.

    Parameters
    ----------
    columns
        To store, or the first rows of them; further ones follow by `add`.
    """

    def __init__(self, columns: pl.DataFrame) -> None:
        super().__init__()
        self.names = tuple(columns.columns)
        for part in columns.iter_slices(_PART_ROWS):
            self.add(part)

    def beside(self, table: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the rows of the table with these columns, some at a time."""
        start = 0
        for part in self.parts():
            yield table.slice(start, part.height).hstack(part.get_columns())
            start += part.height


class PartitionedTable:
    """A table on disk whose rows are read again by the number of a partition, such as a range of accounts.

    Parameters
    ----------
    partitions
        How many there are, numbered from 0.
    schema
        Of the rows.
    """

    def __init__(self, partitions: int, schema: SchemaDict) -> None:
        self.schema = schema
        self._tables: list[StoredTable | None] = [None] * partitions

    def __len__(self) -> int:
        """Return how many partitions there are."""
        return len(self._tables)

    def add(self, rows: pl.DataFrame, number: pl.Series) -> None:
        """Write further rows, each with the number of its partition; in one, rows keep their order."""
        numbered = rows.with_columns(_partition=number)
        for (place,), part in numbered.partition_by(
            "_partition", maintain_order=True, include_key=False, as_dict=True
        ).items():
            table = self._tables[place] = self._tables[place] or StoredTable()
            table.add(part)

    def take(self, number: int) -> pl.DataFrame:
        """Read the rows of a partition, for the last time: its place on the disk is given back."""
        table, self._tables[number] = self._tables[number], None
        return pl.DataFrame(schema=self.schema) if table is None else table.collect()
