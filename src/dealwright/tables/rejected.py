"""Write the rows that were rejected, one CSV for each file they came from, so that they can be mended."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from dealwright.errors import InputError
from dealwright.schemas import Intake, TableReport
from dealwright.tables.reader import GUARDED

# a spreadsheet runs cells that begin so as formulas; numbers, dates and telephone numbers are not meant. What
# looks as if it had an apostrophe of ours gets one too, so that the reader takes off what was put before it
_FORMULA: Final = re.compile(rf"[=@\t\r]|[+-](?![\d\s.,()/-]*$)|{GUARDED[1:]}")
_REASON: Final = "reason"


def write_rejected(intake: Intake, directory: Path, source: Path | None = None) -> list[Path]:
    """Write the rejected rows of each file into `directory`; remove those of an earlier import.

    The cells are as they came, with the reason in one more column; a cell that a spreadsheet would run as a
    formula has an apostrophe before it.

    Parameters
    ----------
    source
        The folder that holds the tables themselves.

    Raises
    ------
    InputError
        `directory` is the one that holds the tables, has a file of that name that is not ours, or cannot be
        written.
    """
    written = []
    by_file: dict[str, list[TableReport]] = {}
    for report in intake.tables.values():
        stem = Path(report.file).stem or report.table
        others = by_file.get(f"{stem}.csv", [report])
        if others[0].rejected.columns != report.rejected.columns:  # such as another sheet of a workbook
            stem = f"{stem}-{report.table}"
        by_file.setdefault(f"{stem}.csv", []).append(report)
    rejected = {
        name: _merged([r.rejected for r in its if r.rejected.height]) for name, its in by_file.items()
    }
    check_place(directory, source, [name for name, rows in rejected.items() if rows is not None])
    try:
        for name, rows in rejected.items():
            path = directory / name
            if rows is not None:
                directory.mkdir(parents=True, exist_ok=True)
                _write(rows, path)
                written.append(path)
            elif path.is_file() and _is_ours(path):
                path.unlink()
    except OSError as error:
        raise InputError(f"cannot write the rejected rows into {directory}: {error.strerror}") from None
    return written


def check_place(directory: Path, source: Path | None, names: Iterable[str] = ()) -> None:
    """Refuse the folder that holds the tables themselves, and to write over a file that is not ours."""
    if source is not None and directory.resolve() == source.resolve():
        raise InputError(f"{directory} holds the tables themselves: choose another directory for --rejected")
    for path in (directory / name for name in names):
        if path.exists() and not _is_ours(path):
            raise InputError(
                f"{path} is no file of rejected rows: move it, or choose another directory for --rejected"
            )


def _merged(frames: list[pl.DataFrame]) -> pl.DataFrame | None:
    """Return the rows of one file once each, even if it holds several tables."""
    if not frames:
        return None
    cells, reason = frames[0].columns[:-1], frames[0].columns[-1]
    line = pl.col(reason).str.extract(r"^line (\d+)").cast(pl.Int64).alias("\0line")
    return (
        pl.concat(frames)
        .group_by(*cells, line, maintain_order=True)
        .agg(pl.col(reason).unique(maintain_order=True).str.join("; "))
        .sort("\0line", maintain_order=True)
        .drop("\0line")
    )


def _write(rows: pl.DataFrame, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_safe(rows.columns))
        writer.writerows(_safe(row) for row in rows.iter_rows())


def _safe(cells: Iterable[str | None]) -> list[str]:
    return [f"'{cell}" if cell and _FORMULA.match(cell) else cell or "" for cell in cells]


def _is_ours(path: Path) -> bool:
    """Tell whether a file holds rejected rows: its last column is the reason, and that names a line."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = itertools.islice(csv.reader(stream), 2)
    except (OSError, ValueError, csv.Error):  # a folder, no text, nothing at all
        return False
    named = header[-1].rstrip("_") == _REASON if header else False
    return named and all(row and row[-1].startswith("line ") for row in rows)
