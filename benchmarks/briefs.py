"""Briefs of the day: seconds and memory for 1,000 to 100,000, in English and Spanish.

    python benchmarks/briefs.py
    python benchmarks/briefs.py --sizes 1000 10000 --languages es

A generated company (Barcelona) goes through the plan's own stages up to the chosen actions; these are not
measured. Everybody with an action then gets a visit, where the field is the best channel, or a call: ten
visits a day for each representative and a call every ten minutes for each of a hundred agents, over as many
days as it takes. What is measured is the stage *brief* as the plan calls it, from tables to Markdown and
HTML, in a process of its own; smaller sizes are the first tasks of the largest, with their accounts only.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import track
from rich.table import Table

import targets

TARGET_BRIEFS: Final = 100_000
TARGET_S: Final = 20.0
VISITS_A_DAY: Final = 10
CALL_MIN: Final = 10
CALLS_A_DAY: Final = 40
KM_PER_DEGREE: Final = 111.2
TABLES: Final = ("accounts", "orders", "touches", "reps")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="briefs")
    parser.add_argument("--languages", nargs="+", default=["en", "es"])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.prepare:
        prepare(args.prepare, args.sizes[0], args.seed)
    elif args.measure:
        print(json.dumps(measure(args.measure, args.sizes[0], args.languages[0])))
    else:
        compare(args)


def compare(args: argparse.Namespace) -> None:
    print(targets.machine())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        console = Console(stderr=True)
        with console.status(f"planning {max(args.sizes):,} accounts, which is not measured"):
            ask("--prepare", folder, "--sizes", str(max(args.sizes)), "--seed", str(args.seed))
        print(f"accounts planned in {time.perf_counter() - begin:.0f} s")
        steps = [(size, language) for size in args.sizes for language in args.languages]
        for size, language in track(steps, "briefs", console=console, transient=True):
            answer = ask("--measure", folder, "--sizes", str(size), "--languages", language)
            rows.append(json.loads(answer))
    show(rows)
    for row in rows:
        if row["briefs"] >= TARGET_BRIEFS:
            what = f"{row['briefs']:,} briefs, {row['language']}"
            print(targets.at_most(what, row["seconds"], TARGET_S, " s", digits=1))


def ask(*arguments: str) -> str:
    """Run this file in another process and return the last line it prints."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip().rpartition("\n")[2]


def prepare(folder: Path, size: int, seed: int) -> None:
    """Plan a company of `size` accounts and write down what the stage *brief* is given."""
    from dealwright.plan.pipeline import run_plan
    from dealwright.simulation.barcelona import BarcelonaParams, generate

    inputs = generate(BarcelonaParams(n=size), seed=seed).inputs
    reps = inputs.reps
    # without representatives there are no territories and routes, which would find room for some only
    plan = run_plan(replace(inputs, reps=None), seed=seed)
    checked = replace(plan.inputs, reps=reps)
    for name in TABLES:
        getattr(checked, name).write_parquet(folder / f"{name}.parquet")
    plan.accounts.write_parquet(folder / "planned.parquet")
    visits, calls = appointments(plan.actions.frame, checked, size)
    visits.write_parquet(folder / "visits.parquet")
    calls.write_parquet(folder / "calls.parquet")


def appointments(actions: pl.DataFrame, inputs: Any, size: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `size` tasks as the tables of *route* and *schedule*.

    Who has an action comes in the order of the accounts, and again on later days until there are enough.
    """
    acted = actions.filter(pl.col("action") != "nothing").select(
        "account_id", "channel", value_eur="expected_value_eur"
    )
    rounds = -(-size // acted.height)
    places = inputs.accounts.select(
        "account_id", "lat_deg", "lon_deg", "visit_min", "opens_min", "closes_min", rep="rep_id"
    )
    tasks = pl.concat([acted] * rounds).head(size).with_row_index("task")
    tasks = tasks.join(places, on="account_id", how="left", maintain_order="left")
    field = pl.col("channel").eq("field").fill_null(value=False) & pl.col("rep").is_not_null()
    return visits_of(tasks.filter(field), inputs), calls_of(tasks.filter(~field), inputs)


def visits_of(tasks: pl.DataFrame, inputs: Any) -> pl.DataFrame:
    """Give each representative ten visits a day, ways between them as *route* estimates them."""
    from dealwright.plan.travel import TravelParams, drive_min
    from dealwright.schemas import VISIT_COLUMNS

    ordered = tasks.sort("rep", "task").with_columns(turn=pl.int_range(pl.len()).over("rep"))
    at = ordered.select("lat_deg", "lon_deg").to_numpy()
    step = np.diff(at, axis=0, prepend=at[:1]) * KM_PER_DEGREE
    step[:, 1] *= np.cos(np.radians(at[:, 0]))
    travel = TravelParams()
    km = travel.circuity * np.nan_to_num(np.hypot(*step.T))
    first = pl.lit(inputs.as_of + timedelta(days=1)).dt.truncate("1d")
    midnight = first + pl.duration(days=pl.col("turn") // VISITS_A_DAY)
    start = midnight + pl.duration(minutes=540 + 50 * (pl.col("turn") % VISITS_A_DAY))
    table = ordered.with_columns(
        rep_id="rep",
        day=midnight.dt.date(),
        stop=pl.col("turn") % VISITS_A_DAY + 1,
        arrive_at=start,
        start_at=start,
        leave_at=start + pl.duration(minutes=pl.col("visit_min").fill_null(30.0)),
        distance_km=pl.Series(km),
        travel_min=pl.Series(drive_min(km, travel) + travel.access_min),
        window_start=midnight + pl.duration(minutes=pl.col("opens_min").fill_null(540.0)),
        window_end=midnight + pl.duration(minutes=pl.col("closes_min").fill_null(1080.0)),
        must=pl.lit(value=False),
    )
    return table.select(pl.col(name).cast(kind) for name, kind in VISIT_COLUMNS.items())


def calls_of(tasks: pl.DataFrame, inputs: Any) -> pl.DataFrame:
    """Give a hundred agents a call every ten minutes."""
    from dealwright.schemas import CALL_COLUMNS

    turn = pl.int_range(pl.len()) // 100
    first = pl.lit(inputs.as_of + timedelta(days=1)).dt.truncate("1d")
    start = first + pl.duration(days=turn // CALLS_A_DAY, minutes=540 + CALL_MIN * (turn % CALLS_A_DAY))
    table = tasks.with_columns(
        rep_id=pl.format("agent {}", pl.int_range(pl.len()) % 100 + 1),
        channel=pl.lit("outbound_cc"),
        start_at=start,
        end_at=start + pl.duration(minutes=CALL_MIN),
        local_start_at=start,
        priority=pl.int_range(pl.len()) + 1,
        call_back=pl.lit(value=False),
    )
    return table.select(pl.col(name).cast(kind) for name, kind in CALL_COLUMNS.items())


def measure(folder: Path, size: int, language: str) -> dict[str, Any]:
    """Write the first `size` briefs in one language."""
    from dealwright.plan.briefs import BriefParams, write_briefs
    from dealwright.simulation.barcelona import BarcelonaParams, barcelona_schema

    read = {path.stem: pl.read_parquet(path) for path in folder.glob("*.parquet")}
    visits, calls = (read.pop(name) for name in ("visits", "calls"))
    met = round(size * visits.height / (visits.height + calls.height))
    visits, calls = visits.head(met), calls.head(size - met)
    wanted = pl.concat([visits.select("account_id"), calls.select("account_id")]).unique()
    for name in ("accounts", "orders", "touches", "planned"):
        read[name] = read[name].join(wanted, on="account_id", how="semi", maintain_order="left")
    before = peak_mb()
    clock, work = time.perf_counter(), time.process_time()
    found = write_briefs(
        read["accounts"], read["planned"], BriefParams(language), visits=visits, calls=calls,
        orders=read["orders"], touches=read["touches"], reps=read["reps"], schema=barcelona_schema(),
        as_of=BarcelonaParams().as_of,
    )  # fmt: skip
    seconds, cpu_s = time.perf_counter() - clock, time.process_time() - work
    made = found.briefs
    if made.height != size or made.select((pl.col("markdown", "html").str.len_bytes() < 100).any()).row(
        0
    ) != (
        False,
        False,
    ):
        raise SystemExit(f"{made.height:,} briefs of {size:,} were written, or some are empty")
    return {
        "briefs": size, "language": language, "accounts": wanted.height, "visits": visits.height,
        "seconds": seconds, "cpu_s": cpu_s, "before_mb": before, "peak_mb": peak_mb(),
        "characters": made["markdown"].str.len_chars().mean(),
        "html_characters": made["html"].str.len_chars().mean(),
        "kinds": made.select("action", "channel").n_unique(),
    }  # fmt: skip


def peak_mb() -> float:
    """Return the peak resident memory of this process."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="briefs, as Markdown and HTML")
    heads = {
        "briefs": "{:,}", "language": "{}", "accounts": "{:,}", "visits": "{:,}", "kinds": "{}",
        "characters": "{:,.0f}", "seconds": "{:.2f}", "cpu_s": "{:.2f}", "per second": "{:,.0f}",
        "peak_mb": "{:,.0f}", "before_mb": "{:,.0f}",
    }  # fmt: skip
    for name in heads:
        words = {"cpu_s": "cpu s", "peak_mb": "peak MB", "before_mb": "of which tables", "kinds": "templates"}
        table.add_column(words.get(name, name), justify="left" if name == "language" else "right")
    for row in rows:
        figures = {**row, "per second": row["briefs"] / row["seconds"]}
        table.add_row(*(style.format(figures[name]) for name, style in heads.items()))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
