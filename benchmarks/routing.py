"""Routing engines side by side on Cordeau's instances, every route checked again.

    python benchmarks/routing.py --seconds 10
    python benchmarks/routing.py --seconds 2 --instances pr01,pr05 --vehicles 1,4
    python benchmarks/routing.py --day 3200

One thread per engine, one after the other on the same machine, by processor time; the gap is to the best
known profit. ``--day`` plans a day of the Barcelona company instead, beside nearest neighbours whose late
visits do not count.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dealwright.plan.route import RouteParams, route
from dealwright.plan.routing.checker import check
from dealwright.plan.routing.engine import ENGINES, solve
from dealwright.world.barcelona import BarcelonaParams, generate
from nearest import days_of, nearest_neighbour_eur
from toptw import best_known, read_instance

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "toptw"


def compare_day(accounts: int, seed: int) -> None:
    """Plan one day and compare its value with what people do without a plan."""
    world = generate(BarcelonaParams(n=accounts, broken_rows=False), seed=seed)
    worth = (pl.col("response_visit") * pl.col("mean_order_eur")).alias("expected_value_eur")
    actions = Actions(world.truth.select("account_id", pl.lit("field").alias("channel"), worth))
    params = RouteParams()
    route(world.inputs, actions, params, rng=np.random.default_rng(seed))
    clock = time.perf_counter()
    planned = route(world.inputs, actions, params, rng=np.random.default_rng(seed)).summary()
    seconds = time.perf_counter() - clock
    nearest = sum(map(nearest_neighbour_eur, days_of(world.inputs, actions, params)))
    print(f"{accounts:,} accounts, {planned['rep_days']} representatives, one day, seed {seed}")
    value = planned["visit_value_eur"]
    print(f"planned            {value:>10,.0f} EUR  {planned['visits']} visits  {seconds:.1f} s")
    print(f"nearest neighbours {nearest:>10,.0f} EUR  (without lunch, late visits do not count)")
    print(f"ratio              {value / nearest:>10.2f}")


@dataclass(frozen=True)
class Actions:
    """What the stage reads of the chosen actions."""

    frame: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """Return nothing more."""
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="per instance and engine")
    parser.add_argument("--instances", default=",".join(f"pr{k:02d}" for k in range(1, 11)))
    parser.add_argument("--vehicles", default="1,2,3,4")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="instances/ and best_known.csv")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", type=int, metavar="ACCOUNTS", help="a day in Barcelona, all to be visited")
    args = parser.parse_args()
    if args.day:
        compare_day(args.day, args.seed)
        return
    known = best_known(args.folder)
    engines = args.engines.split(",")
    for engine in engines:  # what is compiled or imported at the first call is not measured
        solve(read_instance(args.folder / "instances" / "pr01.txt", 2), engine=engine, seconds=0.2)
    print(f"{platform.processor() or platform.machine()}, one thread, seed {args.seed}")
    print(f"{args.seconds:g} s of processor time for each engine and instance")
    print(
        f"{'instance':<9}{'m':>2}{'visits':>8}{'best known':>12}",
        *(f"{e:>9}{'gap %':>7}{'s':>6}" for e in engines),
    )
    gaps: dict[str, list[float]] = {engine: [] for engine in engines}
    for name in args.instances.split(","):
        for vehicles in map(int, args.vehicles.split(",")):
            problem = read_instance(args.folder / "instances" / f"{name}.txt", vehicles)
            best = known[name, vehicles]
            cells = []
            for engine in engines:
                clock = time.thread_time()
                plan = solve(problem, engine=engine, seconds=args.seconds, seed=args.seed)
                seconds = time.thread_time() - clock
                broken = check(problem, plan)
                if broken:
                    raise SystemExit(f"{engine} on {name} with {vehicles}: {broken}")
                profit = plan.value_eur(problem)
                gaps[engine].append(100 * (best - profit) / best)
                cells.append(f"{profit:>9.0f}{gaps[engine][-1]:>7.2f}{seconds:>6.1f}")
            print(f"{name:<9}{vehicles:>2}{problem.visits:>8}{best:>12.0f}", *cells, flush=True)
    print(f"{'mean':<31}", *(f"{'':>9}{statistics.mean(gaps[e]):>7.2f}{'':>6}" for e in engines))
    print(f"{'median':<31}", *(f"{'':>9}{statistics.median(gaps[e]):>7.2f}{'':>6}" for e in engines))


if __name__ == "__main__":
    main()
