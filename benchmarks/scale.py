"""A whole night by size, 10,000 to 10,000,000 accounts: seconds, processor seconds and peak memory by stage.

``python3 do.py bench scale``, or ``python benchmarks/scale.py --sizes 10000 100000 --json scale.json``. The
company is drawn in blocks of at most 250,000 accounts, each by a process of its own, into folders of Parquet
files: ten million accounts need no more memory to draw than one block. The night (`run_night`: read, plan,
write, report) is a process of its own as well. One representative per 5,000 accounts, 200 at most; all
of them live in the first block's towns, as all blocks share the ground. A stage that runs twice counts twice.

Exponents are of the seconds between two sizes: 1 is as the accounts, 2 as their square. Peaks are of the
whole process while the stage ran.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import psutil

from targets import at_most, machine

TABLES: Final = ("accounts", "orders", "touches", "history")
BLOCK: Final = 250_000
SAMPLE_S: Final = 0.02
GB: Final = 1e9
# what the whole night may take: seconds and gigabytes, on two cores
LIMITS: Final = {1_000_000: (240.0, 4.0), 10_000_000: (2_700.0, 14.0)}
BEFORE, AFTER, ALL = "read", "write", "all"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where the figures go, for benchmarks/workers.py")
    parser.add_argument("--folder", type=Path, help="where companies are kept; drawn ones are used again")
    parser.add_argument("--block", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--night", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.night:
        night(options.night, options.seed)
    elif options.block is not None:
        draw_block(options.folder, options.sizes[0], options.block, options.seed)
    else:
        print(machine())
        with tempfile.TemporaryDirectory() as scratch:
            rows = [run(size, options.seed, options.folder or Path(scratch)) for size in options.sizes]
        show(rows)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def run(size: int, seed: int, folder: Path) -> dict[str, Any]:
    """Draw a company and plan its night, each in processes of its own."""
    place = folder / f"accounts-{size}"
    own = [sys.executable, __file__, "--seed", str(seed)]
    for block in range(-(-size // BLOCK)):
        if not (place / "accounts" / f"part-{block:05}.parquet").exists():
            step = ["--sizes", str(size), "--folder", str(place), "--block", str(block)]
            subprocess.run([*own, *step], check=True)
    load = os.getloadavg()[0]
    done = subprocess.run([*own, "--night", str(place)], check=True, stdout=subprocess.PIPE)
    return {"accounts": size, "load": load, **json.loads(done.stdout.splitlines()[-1])}


def draw_block(folder: Path, size: int, block: int, seed: int) -> None:
    """Draw one block of a company; the accounts of each have ids of their own."""
    import polars as pl

    from dealwright.runs.schema_text import schema_toml
    from dealwright.simulation.barcelona import BarcelonaParams, generate

    count = min(BLOCK, size - block * BLOCK)
    reps = min(max(size // 5_000, 2), 200)
    world = generate(BarcelonaParams(n=count, reps=reps), seed=seed + block)
    for name in TABLES:
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        own_ids = pl.format("{}-{}", pl.lit(f"{block:03}"), "account_id").alias("account_id")
        frame = world.tables[name].with_columns(own_ids)
        partial = target / f".part-{block:05}"
        frame.write_parquet(partial)
        partial.rename(target / f"part-{block:05}.parquet")
    if block == 0:
        world.tables["reps"].write_parquet(folder / "reps.parquet")
        (folder / "schema.toml").write_text(schema_toml(world.inputs.schema), encoding="utf-8")


@dataclass
class Meter:
    """Follows a night from stage to stage; told of each when it begins."""

    process: psutil.Process = field(default_factory=psutil.Process)
    stage: str = BEFORE
    since: tuple[float, float] = field(default_factory=lambda: (time.perf_counter(), time.process_time()))
    found: dict[str, dict[str, float]] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Close the stage that went on until now, and begin one; without a name, what is left."""
        del done, total
        now = (time.perf_counter(), time.process_time())
        row = self._row(self.stage)
        row["s"] += now[0] - self.since[0]
        row["cpu_s"] += now[1] - self.since[1]
        self.stage, self.since = stage or AFTER, now

    def watch(self) -> None:
        """Sample the memory for ever."""
        while True:
            row = self._row(self.stage)
            row["peak_gb"] = max(row["peak_gb"], self.process.memory_info().rss / GB)
            time.sleep(SAMPLE_S)

    def _row(self, stage: str) -> dict[str, float]:
        return self.found.setdefault(stage, {"s": 0.0, "cpu_s": 0.0, "peak_gb": 0.0})


def night(folder: Path, seed: int) -> None:
    """Plan one night and print what each stage took."""
    from dealwright.runs.night import run_night
    from dealwright.runs.request import NightRequest

    begin, meter = time.perf_counter(), Meter()
    threading.Thread(target=meter.watch, daemon=True).start()
    out = folder / "run"
    tables: Any = {name: str(folder / name) for name in TABLES}
    request = NightRequest(
        out=out, **tables, reps=str(folder / "reps.parquet"),
        map=str(folder / "schema.toml"), as_of=datetime(2026, 6, 30), seed=seed,
    )  # fmt: skip
    plan = run_night(request, progress=meter).plan
    meter("", 0, 0)
    every = {
        "s": time.perf_counter() - begin,
        "cpu_s": time.process_time(),
        "peak_gb": max(row["peak_gb"] for row in meter.found.values()),
    }
    orders = plan.inputs.orders
    print(
        json.dumps(
            {
                "orders": 0 if orders is None else orders.height,
                "reps": 0 if plan.inputs.reps is None else plan.inputs.reps.height,
                "days": plan.tables["rep_days"].height,
                "briefs": plan.briefs.briefs.height,
                "report_mb": (out / "report.html").stat().st_size / 1e6,
                "accounts_page_mb": (out / "accounts.html").stat().st_size / 1e6,
                "run_mb": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6,
                "files": sum(1 for path in out.rglob("*") if path.is_file()),
                "stages": {**meter.found, ALL: every},
            }
        )
    )


def exponent(first: dict[str, Any], second: dict[str, Any], stage: str) -> float | None:
    """Return with which power of the accounts the seconds of a stage grow from one size to the next."""
    times = [row["stages"].get(stage, {"cpu_s": 0.0})["cpu_s"] for row in (first, second)]
    if min(times) < 0.05:  # noise
        return None
    return math.log(times[1] / times[0]) / math.log(second["accounts"] / first["accounts"])


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table as Markdown, and the targets."""
    stages = list(dict.fromkeys(name for row in rows for name in row["stages"]))
    head = [f"{row['accounts']:,}" for row in rows] + [
        f"to {second['accounts']:,}" for _, second in pairwise(rows)
    ]
    print(f"\nPython {platform.python_version()}; seconds / processor seconds / peak GB, then exponents\n")
    print(line("", head))
    print(line("---", ["---:"] * len(head)))
    print(line("orders", [f"{row['orders']:,}" for row in rows]))
    print(line("load before", [f"{row['load']:.1f}" for row in rows]))
    for name in stages:
        cells = []
        for row in rows:
            its = row["stages"].get(name)
            cells.append("" if its is None else f"{its['s']:.1f} / {its['cpu_s']:.1f} / {its['peak_gb']:.2f}")
        powers = [exponent(first, second, name) for first, second in pairwise(rows)]
        print(line(name, cells + ["" if power is None else f"{power:.2f}" for power in powers]))
    for name, what in (("report_mb", "report, MB"), ("run_mb", "whole run, MB"), ("files", "files")):
        print(line(what, [f"{row[name]:,.1f}" for row in rows]))
    print()
    for row in rows:
        if row["accounts"] in LIMITS:
            most_s, most_gb = LIMITS[row["accounts"]]
            size = f"{row['accounts']:,} accounts"
            print(at_most(f"{size}, the whole night", row["stages"][ALL]["s"], most_s, " s", 0))
            print(at_most(f"{size}, peak memory", row["stages"][ALL]["peak_gb"], most_gb, " GB"))
        print(at_most(f"{row['accounts']:,} accounts, report", row["report_mb"], 2.0, " MB"))


def line(first: str, cells: Iterable[str]) -> str:
    return "| " + " | ".join([first, *cells]) + " |"


if __name__ == "__main__":
    main()
