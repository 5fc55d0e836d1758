"""Reading and checking a sales history: seconds by size, beside reading alone and a plain Python loop.

The files are a generated agency's, through the shipped mapping. References, on the same files in the same
run: Polars' CSV reader, and Python's csv module with a dictionary per row, both without any check.

Run it with ``python benchmarks/intake.py [--rows 10000 100000 1000000] [--repeat 3]``.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from dealwright.intake.history import read_history
from dealwright.intake.mapping_file import load_mapping
from dealwright.world.astra import AstraParams, generate_astra


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Polars {pl.__version__}; medians of {options.repeat}"
    )
    header = ("assignments", "bookings", "MB", "read + checked s", "rows/s", "Polars alone s", "csv module s")
    print(("{:>16} " * len(header)).format(*header))
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            files, bookings = write_agency(folder, rows)
            megabytes = sum(path.stat().st_size for path in files) / 1e6
            ours, polars, plain = (
                seconds(partial(work, folder), options.repeat)
                for work in (read_checked, read_alone, read_plainly)
            )
        speed = (rows + bookings) / ours
        print(
            f"{rows:>16,} {bookings:>16,} {megabytes:>16.1f} {ours:>16.2f} {speed:>16,.0f} {polars:>16.2f} "
            f"{plain:>16.2f}"
        )


def write_agency(folder: Path, rows: int) -> tuple[list[Path], int]:
    """Write an agency's files; returns them and the number of bookings."""
    world = generate_astra(AstraParams(n_agents=max(30, rows // 1000), n_assignments=rows, seed=1))
    return world.write(folder), world.bookings.height


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Median wall time of a piece of work."""
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def read_checked(folder: Path) -> object:
    """Read and check the history."""
    return read_history(load_mapping("astra"), folder)


def read_alone(folder: Path) -> object:
    """Read the files with Polars, checking nothing."""
    return [pl.read_csv(path, infer_schema=False) for path in folder.iterdir()]


def read_plainly(folder: Path) -> object:
    """Read the files into one dictionary per row."""
    rows = 0
    for path in folder.iterdir():
        with path.open(encoding="utf-8", newline="") as stream:
            rows += sum(1 for _ in csv.DictReader(stream))
    return rows


if __name__ == "__main__":
    main()
