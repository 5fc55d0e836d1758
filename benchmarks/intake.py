"""Reading and judging a company's tables: seconds and memory by size, beside Polars' own reader.

Three tables: the orders of a shop (id, time, amount) through `read_plan_inputs`; a generated agency's agents,
assignments and bookings through the shipped mapping; and the same agency imported into a desk (embedded
PostgreSQL, every commit durable). Each work runs in a process of its own, so that its peak memory is its own.
Polars' reader reads the same files in the same run and checks nothing.

Run it with ``python benchmarks/intake.py [--rows 10000 100000 1000000] [--repeat 3] [--no-desk]``.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from dealwright.desk.desk import Desk
from dealwright.desk.server import stop_server
from dealwright.simulation.astra import AstraParams, generate_astra
from dealwright.tables.history import read_history
from dealwright.tables.mapping import read_mapping
from dealwright.tables.plan_inputs import read_plan_inputs
from targets import at_most, machine

ALLOWED = 1.5  # times Polars' own reader, …
BESIDE_S = 3.0  # … plus this many seconds
LARGEST = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, LARGEST])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-desk", action="store_true", help="leave the import into PostgreSQL out")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(*WORKS[options.work[0]](Path(options.work[1])))
        return
    print(f"{machine()}; Polars {pl.__version__}; medians of {options.repeat}")
    header = ("table", "rows", "MB", "judged s", "peak MB", "Polars alone s", "allowed s")
    print(("{:>16} " * len(header)).format(*header))
    targets = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_orders(folder / "shop", rows)
            written = write_agency(folder / "agency", rows)
            for table, count, place in (("orders", rows, "shop"), ("history", written, "agency")):
                megabytes = sum(path.stat().st_size for path in (folder / place).iterdir()) / 1e6
                alone, _ = measure("polars", folder / place, options.repeat)
                ours, peak = measure(table, folder / place, options.repeat)
                allowed = ALLOWED * alone + BESIDE_S
                print(f"{table:>16} {count:>16,} {megabytes:>16.1f} {ours:>16.2f} {peak:>16,.0f}", end="")
                print(f" {alone:>16.2f} {allowed:>16.2f}")
                if table == "orders" and rows == LARGEST:
                    targets.append(at_most("1,000,000 orders read and judged", ours, allowed, " s"))
                    targets.append(at_most("their peak memory", peak, 1200.0, " MB", 0))
            if not options.no_desk:
                seconds, peak = measure("desk", folder / "agency", 1)
                print(f"{'into the desk':>16} {written:>16,} {'':>16} {seconds:>16.2f} {peak:>16,.0f}")
                if rows == LARGEST:
                    targets.append(at_most("1,000,000 assignments into the desk", seconds, 60.0, " s"))
    print(*targets, sep="\n")


def write_orders(folder: Path, rows: int) -> None:
    """Write the orders of a shop: an id, a time to the minute and an amount with cents."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    minutes = pl.Series(rng.integers(0, 60 * 24 * 700, rows))
    frame = pl.DataFrame(
        {
            "account_id": pl.Series(rng.integers(1, max(rows // 18, 2), rows)),
            "ordered_at": minutes,
            "amount_eur": np.round(rng.gamma(2.0, 40.0, rows), 2),
        }
    ).with_columns(
        pl.format("K{}", "account_id").alias("account_id"),
        (pl.lit(datetime(2024, 1, 1)) + pl.duration(minutes="ordered_at"))
        .dt.to_string("%Y-%m-%d %H:%M")
        .alias("ordered_at"),
    )
    frame.write_csv(folder / "orders.csv")


def write_agency(folder: Path, rows: int) -> int:
    """Write an agency's files; returns the number of assignments and bookings."""
    folder.mkdir()
    world = generate_astra(AstraParams(n_agents=max(30, rows // 1000), n_assignments=rows, seed=1))
    world.write(folder)
    return rows + world.bookings.height


def measure(work: str, folder: Path, repeat: int) -> tuple[float, float]:
    """Return the median seconds and the largest peak memory in MB of a piece of work."""
    found = []
    for _ in range(repeat):
        command = [sys.executable, __file__, "--work", work, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append([float(item) for item in done.stdout.split()])
    return statistics.median(seconds for seconds, _ in found), max(peak for _, peak in found)


def orders(folder: Path) -> tuple[float, float]:
    began = time.perf_counter()
    read_plan_inputs(orders=folder / "orders.csv")
    return _done(began)


def history(folder: Path) -> tuple[float, float]:
    began = time.perf_counter()
    read_history(read_mapping("astra"), folder)
    return _done(began)


def polars(folder: Path) -> tuple[float, float]:
    began = time.perf_counter()
    for path in folder.iterdir():
        pl.read_csv(path)
    return _done(began)


def desk(folder: Path) -> tuple[float, float]:
    """Read an agency and import it into a fresh desk; the server's memory is not counted."""
    with tempfile.TemporaryDirectory() as home, Desk.open(home=Path(home)) as opened:
        began = time.perf_counter()
        opened.load(read_history(read_mapping("astra"), folder))
        done = _done(began)
        stop_server(Path(home))
    return done


def _done(began: float) -> tuple[float, float]:
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WORKS = {"orders": orders, "history": history, "polars": polars, "desk": desk}

if __name__ == "__main__":
    main()
