"""Everybody's day through the command line, as a user starts it: seconds per stage, memory, targets.

``python3 do.py bench night``, or ``python benchmarks/night.py --lines demo``. Two lines:

* ``demo``: ``dealwright plan --world barcelona --n 3200``, which has 20 representatives;
* ``large``: 100,000 accounts and 100 representatives, from Parquet files drawn beforehand.

All time counts, from the start of the interpreter to the last file. Peak memory is that of the program and of
every process it starts, together. `benchmarks/plan.py` measures the first five stages at larger sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import psutil

TABLES: Final = ("accounts", "orders", "touches", "reps", "history")
SAMPLE_S: Final = 0.05
GB: Final = 1e9


@dataclass(frozen=True)
class Line:
    """A size, and what it may take.

    Attributes
    ----------
    drawn
        Whether the command itself draws the company; otherwise it reads it from files.
    """

    name: str
    accounts: int
    reps: int
    most_s: float
    most_gb: float
    drawn: bool


LINES: Final = {
    # the issue sets no limit of memory for the demonstration; what the large line may take is kept
    line.name: line
    for line in (Line("demo", 3_200, 20, 60.0, 6.0, True), Line("large", 100_000, 100, 300.0, 6.0, False))
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", nargs="+", choices=list(LINES), default=list(LINES))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="folder for the runs; by default they are deleted")
    parser.add_argument("--cold", action="store_true", help="with an empty cache of compiled kernels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        rows = [
            measure(LINES[name], options.seed, folder, Path(scratch) / "compiled" if options.cold else None)
            for name in options.lines
        ]
    show(rows)
    return 0 if all(row["met"] for row in rows) else 1


def measure(line: Line, seed: int, folder: Path, cache: Path | None) -> dict[str, Any]:
    """Run the command once and read what it wrote."""
    out = folder / line.name
    out.parent.mkdir(parents=True, exist_ok=True)
    if line.drawn:
        given = ["--world", "barcelona", "--n", str(line.accounts), "--seed", str(seed)]
    else:
        given = [*draw(line, seed, folder / f"{line.name}-tables"), "--seed", str(seed)]
    environment = {**os.environ, **({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})}
    load_before = os.getloadavg()[0]
    clock, began = time.perf_counter(), time.time()
    command = [str(Path(sys.executable).with_name("dealwright")), "plan", *given, "--out", str(out)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as run:
        peak = Peak(run.pid)
        printed = run.stdout.read() if run.stdout else b""
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    wall_s, peak_gb = time.perf_counter() - clock, peak.stop()
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {run.returncode}")
    unit = 1 if platform.system() == "Darwin" else 1024  # of ru_maxrss
    peak_gb = max(peak_gb, used.ru_maxrss * unit / GB)
    stages: dict[str, float] = {}
    for record in map(json.loads, (out / "trace.jsonl").read_text(encoding="utf-8").splitlines()):
        stages[record["stage"]] = stages.get(record["stage"], 0.0) + record["seconds"]
    # the run's first file is written as soon as the last stage is over
    written_from = (out / "accounts.parquet").stat().st_mtime - began
    known = pl.read_parquet(out / "accounts.parquet", columns=["account_id"]).height
    return {
        "line": line.name, "accounts": known, "rep_days": pl.read_parquet(out / "rep_days.parquet").height,
        "visits": pl.read_parquet(out / "visits.parquet").height,
        "files": sum(path.is_file() for path in out.rglob("*")), "summary_lines": printed.count(b"\n"),
        "start and read": written_from - sum(stages.values()), **stages, "write": wall_s - written_from,
        "wall_s": wall_s, "most_s": line.most_s, "cpu_s": used.ru_utime + used.ru_stime,
        "peak_gb": peak_gb, "most_gb": line.most_gb,
        "load_before": load_before, "load_after": os.getloadavg()[0], "stages": list(stages),
        "met": wall_s < line.most_s and peak_gb < line.most_gb,
    }  # fmt: skip


def draw(line: Line, seed: int, folder: Path) -> list[str]:
    """Draw a company's tables in a process of its own, so that they are not in this one's memory."""
    code = (
        "import sys; from pathlib import Path\n"
        "from dealwright.runs.schema_text import schema_toml\n"
        "from dealwright.simulation.barcelona import BarcelonaParams, generate\n"
        "n, reps, seed, folder = *map(int, sys.argv[1:4]), Path(sys.argv[4])\n"
        "world = generate(BarcelonaParams(n=n, reps=reps), seed=seed)\n"
        "for name in sys.argv[5:]: world.tables[name].write_parquet(folder / f'{name}.parquet')\n"
        "(folder / 'schema.toml').write_text(schema_toml(world.inputs.schema), encoding='utf-8')\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [str(number) for number in (line.accounts, line.reps, seed)]
    subprocess.run([sys.executable, "-c", code, *numbers, str(folder), *TABLES], check=True)
    options = ["--schema", str(folder / "schema.toml")]
    for name in TABLES:
        options += [f"--{name}", str(folder / f"{name}.parquet")]
    return options


class Peak:
    """Watches the resident memory of a process and of all it starts, together."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._most, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_S):
            resident = 0
            try:
                for process in (self._root, *self._root.children(recursive=True)):
                    resident += process.memory_info().rss
            except psutil.Error:  # one has just ended
                continue
            self._most = max(self._most, resident)

    def stop(self) -> float:
        """Return the peak in GB."""
        self._over.set()
        self._thread.join()
        return self._most / GB


def show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"everybody's day; {os.cpu_count()} cores, Python {platform.python_version()}")
    table.add_column("")
    for row in rows:
        table.add_column(row["line"], justify="right")
    stages = dict.fromkeys(stage for row in rows for stage in row["stages"])
    for name in ("accounts", "rep_days", "visits", "files", "summary_lines"):
        table.add_row(name.replace("_", " "), *(f"{row[name]:,}" for row in rows))
    for name in ("start and read", *stages, "write"):
        table.add_row(name, *(f"{row.get(name, 0.0):.1f} s" for row in rows))
    table.add_section()
    table.add_row("by the clock", *(_judged(row, "wall_s", "most_s", "s") for row in rows))
    table.add_row("processor", *(f"{row['cpu_s']:.1f} s" for row in rows))
    table.add_row("peak memory", *(_judged(row, "peak_gb", "most_gb", "GB") for row in rows))
    table.add_row("load", *(f"{row['load_before']:.1f} to {row['load_after']:.1f}" for row in rows))
    Console().print(table)
    print(json.dumps(rows))


def _judged(row: dict[str, Any], value: str, most: str, unit: str) -> str:
    met = "met" if row[value] < row[most] else "missed"
    return f"{row[value]:.3g} {unit}, under {row[most]:g}: {met}"


if __name__ == "__main__":
    sys.exit(main())
