"""The nightly plan at 10,000, 100,000 and 1,000,000 accounts: seconds per stage, memory, growth, and truth.

``python3 do.py bench plan``, or ``python benchmarks/plan.py --sizes 10000 100000``. Every size runs in a
process of its own that reads the tables from Parquet files, so that its peak memory is the plan's;
generating the company (with 18 months of orders and touches) is timed apart. Predictions are judged against
what then really happened, beside the true probabilities and expectations themselves, which no stage can
read.

``--beside`` compares whole processes instead, from the start of the interpreter to the last file: `dealwright
plan` and `reference/usual_pipeline.py` in turn on the same files, 3,200 accounts with 20 representatives and
50,000 with 50.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

FIVE = ("quality", "predict", "anomalies", "segment", "action")
TABLES = ("accounts", "orders", "touches", "reps", "history")
USUAL = Path(__file__).parent / "reference" / "usual_pipeline.py"
# accounts, representatives, and the share of the usual time that ours may take
COMPARED = ((3_200, 20, 1.0), (50_000, 50, 0.25))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--beside", action="store_true", help="beside the usual pipeline, as whole processes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each process runs, with --beside")
    parser.add_argument("--generate", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--reps", type=int, default=20, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.generate:
        generate_world(options.generate, options.sizes[0], options.seed, options.reps)
    elif options.beside:
        beside(options.rounds, options.seed)
    elif options.measure:
        measure(options.measure, options.seed)
    else:
        show([run(size, options.seed) for size in options.sizes])


def run(size: int, seed: int) -> dict[str, Any]:
    """Generate and plan one company, each in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        answers = []
        for step in ("--generate", "--measure"):
            done = subprocess.run(
                [sys.executable, __file__, step, folder, "--sizes", str(size), "--seed", str(seed)],
                check=True,
                stdout=subprocess.PIPE,
            )
            answers.append(json.loads(done.stdout.splitlines()[-1]))
        return {"accounts": size, **answers[0], **answers[1]}


def generate_world(folder: Path, size: int, seed: int, reps: int) -> None:
    from dealwright.runs.schema_text import schema_toml
    from dealwright.simulation.barcelona import BarcelonaParams, generate

    begin = time.perf_counter()
    world = generate(BarcelonaParams(n=size, reps=reps), seed=seed)
    seconds = time.perf_counter() - begin
    for name in TABLES:
        world.tables[name].write_parquet(folder / f"{name}.parquet")
    world.truth.write_parquet(folder / "truth.parquet")
    (folder / "schema.toml").write_text(schema_toml(world.inputs.schema), encoding="utf-8")
    print(
        json.dumps({"generate_s": seconds, "generate_gb": peak_gb(), "orders": world.tables["orders"].height})
    )


def measure(folder: Path, seed: int) -> None:
    from datetime import datetime

    from dealwright.plan.pipeline import run_plan
    from dealwright.tables.plan_inputs import read_plan_inputs

    begin = time.perf_counter()
    # without representatives there are no territories and routes
    files = {name: folder / f"{name}.parquet" for name in TABLES if name != "reps"}
    given = [read_plan_inputs(**files, schema=folder / "schema.toml", as_of=datetime(2026, 6, 30))]
    read_s = time.perf_counter() - begin
    plan = run_plan(given.pop(), seed=seed)  # handed over: the plan may let go of what it does not need
    five_s = read_s + sum(plan.seconds[name] for name in FIVE)
    figures = {"read": read_s, **plan.seconds, "five": five_s, "all": time.perf_counter() - begin}
    figures |= {"cpu": time.process_time(), "peak_gb": peak_gb()}
    print(json.dumps(figures | judge(plan.accounts, folder)))


def judge(accounts: Any, folder: Path) -> dict[str, float]:
    """Compare predictions with the future, beside the truth."""
    import polars as pl
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    truth = pl.read_parquet(folder / "truth.parquet").filter(pl.col("broken").is_null())
    both = accounts.select("account_id", "churn_probability", "predicted_value_eur").join(
        truth, on="account_id", suffix="_true"
    )
    churned, spend = both["churned"], both["future_spend_eur"]
    return {
        "auc": roc_auc_score(churned, both["churn_probability"]),
        "auc_truth": roc_auc_score(churned, both["churn_probability_true"]),
        "spearman": spearmanr(both["predicted_value_eur"], spend).statistic,
        "spearman_truth": spearmanr(both["future_value_eur"], spend).statistic,
    }


def beside(rounds: int, seed: int) -> None:
    """Run our pipeline and the usual one in turn, each as a user starts it."""
    for size, reps, share in COMPARED:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            tables = folder / "tables"
            tables.mkdir()
            step = [sys.executable, __file__, "--generate", str(tables), "--sizes", str(size)]
            subprocess.run(
                [*step, "--seed", str(seed), "--reps", str(reps)], check=True, stdout=subprocess.PIPE
            )
            given = [f"--{name}={tables / f'{name}.parquet'}" for name in TABLES]
            given += [f"--schema={tables / 'schema.toml'}", "--as-of=2026-06-30", f"--out={folder / 'ours'}"]
            commands = {
                "ours": [sys.executable, "-m", "dealwright", "plan", *given],
                "usual": [sys.executable, str(USUAL), str(tables), str(folder / "usual")],
            }
            timed(commands["ours"])  # compiles the kernels where that was not done before
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
            for _ in range(rounds):
                for name, command in commands.items():
                    taken[name].append(timed(command))
            row: dict[str, Any] = {"accounts": size, "most_share": share, "load": os.getloadavg()[0]}
            for name, pairs in taken.items():
                row[f"{name}_s"] = statistics.median(wall for wall, _ in pairs)
                row[f"{name}_cpu_s"] = statistics.median(cpu for _, cpu in pairs)
            # of each round: what else the machine does changes from one to the next
            shares = [a[0] / b[0] for a, b in zip(taken["ours"], taken["usual"], strict=True)]
            show_beside({**row, "share": statistics.median(shares)}, rounds)


def timed(command: list[str]) -> tuple[float, float]:
    """Return the seconds of a whole process by the clock and by the processor."""
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, cpu


def show_beside(row: dict[str, Any], rounds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"whole processes, medians of {rounds}; {os.cpu_count()} cores")
    for name in ("accounts", "ours", "processor", "usual pipeline", "processor", "share", "target", "load"):
        table.add_column(name, justify="right")
    met = "met" if row["share"] <= row["most_share"] else "missed"
    table.add_row(
        f"{row['accounts']:,}", f"{row['ours_s']:.1f} s", f"{row['ours_cpu_s']:.1f} s",
        f"{row['usual_s']:.1f} s", f"{row['usual_cpu_s']:.1f} s", f"{row['share']:.2f}",
        f"{row['most_share']:g}: {met}", f"{row['load']:.1f}",
    )  # fmt: skip
    Console().print(table)
    print(json.dumps(row), flush=True)


def peak_gb() -> float:
    """Return the peak resident memory of this process."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"nightly plan; five: to the action; {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    table.add_column("")
    for row in rows:
        table.add_column(f"{row['accounts']:,}", justify="right")
    lines = {
        "orders": "{:,.0f}", "generate_s": "{:.1f} s", "generate_gb": "{:.2f} GB", "read": "{:.1f} s",
        "quality": "{:.1f} s", "predict": "{:.1f} s", "anomalies": "{:.1f} s", "segment": "{:.1f} s",
        "action": "{:.1f} s", "five": "{:.1f} s", "channel": "{:.1f} s", "schedule": "{:.1f} s",
        "all": "{:.1f} s", "cpu": "{:.1f} s", "peak_gb": "{:.2f} GB", "auc": "{:.4f}", "auc_truth": "{:.4f}",
        "spearman": "{:.4f}", "spearman_truth": "{:.4f}",
    }  # fmt: skip
    for name, style in lines.items():
        table.add_row(name, *(style.format(row[name]) for row in rows))
    for first, second in pairwise(rows):
        power = math.log(second["five"] / first["five"]) / math.log(second["accounts"] / first["accounts"])
        table.caption = f"{table.caption or ''} time grows as rows^{power:.2f} to {second['accounts']:,};"
    Console().print(table)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
