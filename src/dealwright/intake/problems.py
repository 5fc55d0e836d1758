"""Collect what is wrong with the rows of a table: where, what, why and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.intake.read import RawTable

PROBLEM_SCHEMA = {
    "file": pl.String,
    "line": pl.Int64,
    "column": pl.String,
    "value": pl.String,
    "reason": pl.String,
    "fix": pl.String,
}


@dataclass
class Problems:
    """The problems of one table, by row; a row with a problem is set aside unless it is only a warning.

    Attributes
    ----------
    file
        The table's file.
    lines
        Physical line of each row.
    bad
        Rows to be set aside so far.
    ignored
        Rows that are none of this table's records: nothing is said about them.
    """

    file: str
    lines: NDArray[np.int64]
    bad: NDArray[np.bool_] = field(init=False)
    ignored: NDArray[np.bool_] = field(init=False)
    _rejects: list[pl.DataFrame] = field(default_factory=list)
    _warnings: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bad = np.zeros(len(self.lines), dtype=np.bool_)
        self.ignored = np.zeros(len(self.lines), dtype=np.bool_)

    def ignore(self, mask: pl.Series) -> None:
        """Say nothing about the rows of `mask`, from here on."""
        self.ignored |= mask.to_numpy()

    def reject(
        self,
        mask: pl.Series,
        column: str,
        value: pl.Series | None,
        reason: pl.Series | str,
        fix: pl.Series | str,
    ) -> None:
        """Set the rows of `mask` aside; nulls in the mask count as fine."""
        frame = self._frame(mask, column, value, reason, fix)
        if frame is not None:
            self._rejects.append(frame)
            self.bad[frame["row"].to_numpy()] = True

    def warn(
        self,
        mask: pl.Series,
        column: str,
        value: pl.Series | None,
        reason: pl.Series | str,
        fix: pl.Series | str,
    ) -> None:
        """Report the rows of `mask` and keep them."""
        frame = self._frame(mask, column, value, reason, fix)
        if frame is not None:
            self._warnings.append(frame)

    def rejects(self) -> pl.DataFrame:
        """The problems of the rows set aside, in the order of the file, with the row's number."""
        return _stack(self._rejects)

    def warnings(self, *, of_bad_rows: bool = False) -> pl.DataFrame:
        """The warnings about the rows that were kept, or about those that were not."""
        found = _stack(self._warnings)
        bad = pl.Series(self.bad[found["row"].to_numpy()], dtype=pl.Boolean)
        return found.filter(bad if of_bad_rows else ~bad)

    def _frame(
        self,
        mask: pl.Series,
        column: str,
        value: pl.Series | None,
        reason: pl.Series | str,
        fix: pl.Series | str,
    ) -> pl.DataFrame | None:
        rows = (mask.fill_null(value=False) & ~pl.Series(self.ignored, dtype=pl.Boolean)).arg_true()
        if not len(rows):
            return None

        def chosen(item: pl.Series | str | None) -> pl.Series:
            if isinstance(item, pl.Series):
                return item.gather(rows).cast(pl.String)
            return pl.Series([item], dtype=pl.String).new_from_index(0, len(rows))

        return pl.DataFrame(
            {
                "row": rows.cast(pl.Int64),
                "file": chosen(self.file),
                "line": self.lines[rows.to_numpy()],
                "column": chosen(column),
                "value": chosen(value),
                "reason": chosen(reason),
                "fix": chosen(fix),
            }
        )


def ragged_problems(raw: RawTable) -> pl.DataFrame:
    """Say what is wrong with the rows that have too many or too few fields."""
    width = len(raw.header)
    return pl.DataFrame(
        [
            {
                "file": raw.file,
                "line": row.line,
                "column": "(row)",
                "value": raw.join(row.cells),
                "reason": f"{len(row.cells)} fields instead of {width}",
                "fix": "put a field that holds the delimiter in quotes, or add the missing ones",
            }
            for row in raw.ragged
        ],
        schema=PROBLEM_SCHEMA,
    )


def _stack(frames: list[pl.DataFrame]) -> pl.DataFrame:
    schema = {"row": pl.Int64, **PROBLEM_SCHEMA}
    if not frames:
        return pl.DataFrame(schema=schema)
    return pl.concat(frames).cast(schema).sort("row", maintain_order=True)  # type: ignore[arg-type]
