"""Write the rows that were set aside, one CSV per input file, so that they can be mended."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dealwright.errors import InputError
from dealwright.intake.history import Intake

_ADDED = ("line", "column", "reason")


def write_rejected(intake: Intake, directory: Path, source: Path) -> list[Path]:
    """Write the rejected rows of each file of `source` into `directory`; remove those of an earlier import.

    Raises
    ------
    InputError
        The directory is the one that holds the tables, or cannot be written.
    """
    if directory.resolve() == source.resolve():
        raise InputError(f"{directory} holds the tables themselves: choose another directory for --rejected")
    written = []
    try:
        for file in dict.fromkeys(report.file for report in intake.files):
            path = directory / Path(file).name
            rejected = _rows_of(intake, file)
            if rejected.height:
                directory.mkdir(parents=True, exist_ok=True)
                rejected.write_csv(path)
                written.append(path)
            elif path.is_file() and _is_ours(path):
                path.unlink()
    except OSError as error:
        raise InputError(f"cannot write the rejected rows into {directory}: {error.strerror}") from None
    return written


def _rows_of(intake: Intake, file: str) -> pl.DataFrame:
    """The rejected rows of a file, each once, even if it holds two tables."""
    rows = pl.concat(report.rejected for report in intake.files if report.file == file)
    line, column, reason = rows.columns[-len(_ADDED) :]
    return (
        rows.group_by(rows.columns[: -len(_ADDED) + 1], maintain_order=True)
        .agg(pl.col(column).str.join("; "), pl.col(reason).str.join("; "))
        .sort(line)
    )


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().rstrip("\n").split(",")[-len(_ADDED) :] == list(_ADDED)
