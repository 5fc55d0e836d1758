"""Tables that are too large to stay in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

import polars as pl


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
