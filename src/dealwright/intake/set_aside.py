"""Write the rows that were set aside, one CSV per input file, so that they can be mended."""

from __future__ import annotations

from pathlib import Path

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
        for report in intake.files:
            path = directory / Path(report.file).name
            if report.rejected.height:
                directory.mkdir(parents=True, exist_ok=True)
                report.rejected.write_csv(path)
                written.append(path)
            elif path.is_file() and _is_ours(path):
                path.unlink()
    except OSError as error:
        raise InputError(f"cannot write the rejected rows into {directory}: {error.strerror}") from None
    return written


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().rstrip("\n").split(",")[-len(_ADDED) :] == list(_ADDED)
