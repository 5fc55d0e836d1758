"""Sort the rows of one table into usable ones and those set aside, each with column, reason and fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from dealwright.errors import InputError
from dealwright.plan.coercion import as_flag, as_moment, as_number, as_text

Kind = Literal["number", "moment", "flag", "text"]
_KINDS: dict[Kind, tuple[Callable[[pl.Series], tuple[pl.Series, pl.Series]], str, str]] = {
    "number": (as_number, "a number", "write 1234.5 without units or thousands separators"),
    "moment": (as_moment, "a date or time", "write 2026-06-30 or 2026-06-30 14:05"),
    "flag": (as_flag, "yes or no", "write true/false, yes/no or 1/0"),
    "text": (
        lambda column: (as_text(column), pl.Series([False]).new_from_index(0, len(column))),
        "text",
        "write text",
    ),
}


@dataclass(frozen=True)
class Issue:
    """Something a person should know about a column; no row was lost by it unless it says so."""

    table: str
    column: str
    level: Literal["note", "warning"]
    rows: int
    message: str
    fix: str


@dataclass
class Sieve:
    """One table on its way through the checks.

    Attributes
    ----------
    table
        Its name, for messages.
    frame
        The rows, converted so far; none is removed before `clean`.
    issues
        Where notes are collected.
    """

    table: str
    frame: pl.DataFrame
    issues: list[Issue]
    original: pl.DataFrame = field(init=False)
    _bad: list[tuple[pl.Series, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.original = self.frame

    def convert(self, column: str, kind: Kind) -> None:
        """Convert a column; rows whose cell cannot be read are set aside.

        Raises
        ------
        InputError
            More than half of the cells cannot be read: then the declaration is wrong, not the rows.
        """
        function, what, fix = _KINDS[kind]
        before = self.frame[column]
        after, failed = function(before)
        count = int(failed.sum())
        if count:
            row = int(failed.arg_true()[0])
            sample = f"row {row + 1} holds {str(before[row])!r}"
            if count > 0.5 * (len(before) - before.null_count()):
                raise InputError(
                    f"{self.table}: column {column!r} is declared as {what}, but {count:,} of its "
                    f"{len(before):,} cells are not ({sample}); {fix}, or declare it as something else"
                )
            self.reject(failed, column, f"not {what}", fix)
        if after.dtype != before.dtype or after is not before:
            self.frame = self.frame.with_columns(after.alias(column))

    def reject(self, mask: pl.Series, column: str, reason: str, fix: str) -> None:
        """Set the rows of a mask aside; a null in the mask is fine."""
        mask = mask.fill_null(value=False)
        if mask.any():
            self._bad.append((mask, column, reason, fix))

    def note(self, column: str, rows: int, message: str, fix: str, *, warning: bool = False) -> None:
        """Tell something about a column without setting rows aside."""
        self.issues.append(Issue(self.table, column, "warning" if warning else "note", rows, message, fix))

    def clean(self) -> pl.DataFrame:
        """Return the rows that passed every check."""
        return self.frame.filter(~self._any()) if self._bad else self.frame

    def rejected(self) -> pl.DataFrame:
        """Return the rows set aside as they came, with ``row`` (from 1), ``column``, ``reason``, ``fix``."""
        why = {"row": pl.UInt32, "column": pl.String, "reason": pl.String, "fix": pl.String}
        if not self._bad:
            return pl.DataFrame(
                schema={**why, **{f"given_{name}": kind for name, kind in self.original.schema.items()}}
            )
        rows = self._any().arg_true()
        said: list[pl.Series] = []
        for part in range(1, 4):
            chosen = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
            for found in reversed(self._bad):  # the first reason found is the one told
                hit = found[0].gather(rows)
                chosen = chosen.zip_with(~hit, pl.Series([found[part]]))
            said.append(chosen.alias(("column", "reason", "fix")[part - 1]))
        given = self.original[rows].rename(lambda name: f"given_{name}")
        return pl.DataFrame([(rows + 1).cast(pl.UInt32).alias("row"), *said]).hstack(given)

    def reasons(self) -> list[tuple[str, str, int, str]]:
        """Return (column, reason, rows, fix) of everything that set rows aside."""
        return [(column, reason, int(mask.sum()), fix) for mask, column, reason, fix in self._bad]

    def told(self, most: int) -> str:
        """Say what set rows aside, the most frequent first, each with its first row (from 1) and the fix."""
        ranked = sorted(self._bad, key=lambda item: -int(item[0].sum()))[:most]
        parts = []
        for mask, column, reason, fix in ranked:
            first, rows = int(mask.arg_true()[0]) + 1, int(mask.sum())
            where = f"row {first}" if rows == 1 else f"{rows:,} rows, the first is row {first}"
            parts.append(f"{column} {reason} in {where}: {fix}")
        return "; ".join(parts)

    def _any(self) -> pl.Series:
        bad = self._bad[0][0]
        for mask, *_ in self._bad[1:]:
            bad = bad | mask
        return bad
