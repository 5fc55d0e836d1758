"""The tasks of a run as a file, so that a run can be looked at first and published later."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from dealwright.errors import InputError
from dealwright.schemas import DAY_TASK_COLUMNS, DayTasks

TASK_FILE: Final = "tasks.parquet"
_KEY: Final = "dealwright.run"
LOW_LEVEL: Final = 3
_VALUE_BYTES: Final = 8
_LARGE_BYTES: Final = 20_000_000
_HUGE_BYTES: Final = 120_000_000
_LARGE_ROWS: Final = 50_000
_GROUP_ROWS: Final = 20_000


def compression_level(table: pl.DataFrame) -> int:
    """Return how much a table of a run is compressed.

    12 makes it a sixth smaller than the default, and takes six to ten times as long: seconds for a small
    table. 6 is a tenth larger than 12 and takes a third of the time; the default (`LOW_LEVEL`) is a tenth
    larger again and takes less than half of it. A large night has no minute for that.
    """
    size = table.height * table.width * _VALUE_BYTES + sum(
        int(table[name].str.len_bytes().sum()) for name, kind in table.schema.items() if kind == pl.String
    )
    return 12 if size <= _LARGE_BYTES else 6 if size <= _HUGE_BYTES else LOW_LEVEL


def write_tasks(tasks: DayTasks, folder: Path) -> None:
    """Write ``tasks.parquet`` into a run's folder; the run itself stands in the file's metadata."""
    run = {
        "run_id": tasks.run_id,
        "as_of": tasks.as_of.isoformat(),
        "time_zone": tasks.time_zone,
        "first_day": tasks.first_day.isoformat(),
        "last_day": tasks.last_day.isoformat(),
    }
    tasks.frame.write_parquet(
        folder / TASK_FILE,
        compression_level=compression_level(tasks.frame),
        # the texts of many tasks at a time, and those of few whole
        row_group_size=_GROUP_ROWS if tasks.frame.height > _LARGE_ROWS else None,
        metadata={_KEY: json.dumps(run)},
    )


def read_tasks(folder: Path) -> DayTasks:
    """Read the tasks of a run.

    Raises
    ------
    InputError
        The folder is not a run's, or the file is not as a run wrote it.
    """
    path = folder / TASK_FILE
    if not path.is_file():
        raise InputError(f"{folder} holds no {TASK_FILE}: name the --out folder of `dealwright plan`")
    try:
        run = json.loads(pl.read_parquet_metadata(path)[_KEY])
        frame = pl.read_parquet(path)
        tasks = DayTasks(
            run["run_id"],
            datetime.fromisoformat(run["as_of"]),
            run["time_zone"],
            date.fromisoformat(run["first_day"]),
            date.fromisoformat(run["last_day"]),
            frame.with_columns(*_missing(frame)).select(list(DAY_TASK_COLUMNS)),
        )
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{path}: not as a run wrote it ({type(error).__name__}: {error}); plan again"
        ) from None
    return tasks


def _missing(frame: pl.DataFrame) -> list[pl.Expr]:
    """Return what runs of an earlier version did not write."""
    return [] if "card" in frame.columns else [pl.lit(None, DAY_TASK_COLUMNS["card"]).alias("card")]
