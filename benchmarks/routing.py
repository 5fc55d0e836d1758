"""Routing engines side by side: Cordeau's instances, random companies, and a day in Barcelona.

    python benchmarks/routing.py --seconds 10
    python benchmarks/routing.py --seconds 2 --instances pr01,pr05 --vehicles 1,4 --engines ours,pyvrp --day 0
    python benchmarks/routing.py --only-companies --companies 30 --company-seconds 1

One thread and one process, one engine after the other, each with the same seconds for each instance. Seconds
are processor time, so that a busy machine costs no engine any work; only VROOM, which ends by itself, knows
no other limit than the clock on the wall. The gap is to the best known profit. The day in Barcelona is
planned beside nearest neighbours whose late visits do not count. Every route is checked again. Companies
are drawn (clusters, homes, costs of the way, opening hours) and judged by the value of the visits less the
cost of the way, which VROOM and OR-Tools do not know.

VROOM is measured where it is installed: uv pip install --python .venv pyvroom (then run this file itself:
`do.py bench` brings the environment up to date first when requirements have changed, which takes it out).
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import targets
from companies import draw_company
from dealwright.plan.routing import RouteParams, Routes, route
from dealwright.plan.routing.checker import check
from dealwright.plan.routing.insight import worth_eur
from dealwright.simulation.barcelona import BarcelonaParams, generate
from nearest import days_of, nearest_neighbour_eur
from routing_references import ENGINES
from toptw import best_known, read_instance

FOLDER: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "toptw"
CASES: Final = 40  # pr01 to pr10 with 1 to 4 vehicles: what the target is about
MEAN_GAP_PCT: Final = 0.4
LARGEST_GAP_PCT: Final = 2.0
TIMES_NEAREST: Final = 2.0
COMPANIES: Final = 300
BELOW_PYVRP_PCT: Final = 0.5  # in mean
NEVER_BELOW_PYVRP_PCT: Final = 3.0


@dataclass(frozen=True)
class Case:
    """One engine on one instance; plain values, so that it can go to another process."""

    folder: Path
    name: str
    vehicles: int
    engine: str
    seconds: float
    seed: int


@dataclass(frozen=True)
class Measured:
    """What came of a case."""

    case: Case
    profit: float
    cpu_s: float
    wall_s: float


def measure(case: Case) -> Measured:
    """Run a case and check its routes once more, here, against the problem."""
    problem = read_instance(case.folder / "instances" / f"{case.name}.txt", case.vehicles)
    # VROOM works in a thread of its own, so that the thread's clock would miss it
    clock, work = time.perf_counter(), time.process_time()
    plan = ENGINES[case.engine].run(problem, case.seconds, case.seed)
    cpu_s, wall_s = time.process_time() - work, time.perf_counter() - clock
    if broken := check(problem, plan):
        raise SystemExit(f"{case.engine} on {case.name} with {case.vehicles}: {broken}")
    return Measured(case, plan.value_eur(problem), cpu_s, wall_s)


def warm_up(folder: Path, engines: list[str]) -> None:
    """Import and compile what the first call of each engine would."""
    for engine in engines:
        measure(Case(folder, "pr01", 2, engine, 0.2, 0))


def measure_all(cases: list[Case], processes: int, engines: list[str]) -> Iterator[Measured]:
    """Run the cases in their order, here or in several processes."""
    folder = cases[0].folder
    if processes == 1:
        warm_up(folder, engines)
        yield from map(measure, cases)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, warm_up, (folder, engines)) as pool:
        yield from pool.map(measure, cases)


def compare_engines(args: argparse.Namespace) -> list[str]:
    """Print the tables; return the lines of the targets."""
    chosen = args.engines.split(",")
    if unknown := [engine for engine in chosen if engine not in ENGINES]:
        raise SystemExit(f"unknown engine {unknown[0]!r}: there are {', '.join(ENGINES)}")
    engines = [engine for engine in chosen if ENGINES[engine].installed]
    known = best_known(args.folder)
    instances = [(name, m) for name in args.instances.split(",") for m in map(int, args.vehicles.split(","))]
    if missing := [pair for pair in instances if pair not in known]:
        raise SystemExit(f"no best known profit of {missing[0][0]} with {missing[0][1]} vehicles")
    cases = [
        Case(args.folder, *pair, engine, args.seconds, args.seed) for pair in instances for engine in engines
    ]
    print(
        f"{args.seconds:g} s for each engine and instance, one thread, {args.processes} process(es), "
        f"seed {args.seed}"
    )
    print(
        f"{'instance':<9}{'m':>2}{'best':>6}",
        *(f"{ENGINES[e].title:>9}{'gap %':>7}{'cpu s':>7}" for e in chosen),
    )
    gaps: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    spent: dict[str, list[float]] = defaultdict(list)
    row: dict[str, str] = {}
    with progress_bar() as bar:
        task = bar.add_task("routing", total=len(cases))
        for found in measure_all(cases, args.processes, engines) if cases else ():
            case, best = found.case, known[found.case.name, found.case.vehicles]
            gap = 100 * (best - found.profit) / best
            gaps[case.engine][case.vehicles].append(gap)
            spent[case.engine].append(found.cpu_s)
            row[case.engine] = f"{found.profit:>9.0f}{gap:>7.2f}{found.cpu_s:>7.1f}"
            bar.advance(task)
            if case.engine == engines[-1]:
                cells = (row.pop(e, f"{'not installed':>23}") for e in chosen)
                print(f"{case.name:<9}{case.vehicles:>2}{best:>6.0f}", *cells, flush=True)
    print_gaps(chosen, gaps, spent)
    if "ours" not in gaps:
        return []
    found_gaps = overall(gaps["ours"])
    whole = "" if len(instances) == CASES else f", on {len(instances)} of {CASES} cases only"
    return [
        targets.at_most(
            f"mean gap of ours to the best known profit{whole}",
            statistics.mean(found_gaps),
            MEAN_GAP_PCT,
            " %",
        ),
        targets.at_most(f"largest gap of ours{whole}", max(found_gaps), LARGEST_GAP_PCT, " %"),
    ]


def compare_companies(args: argparse.Namespace) -> list[str]:
    """Plan the random companies with every engine; return the lines of the targets."""
    engines = [name for name in args.engines.split(",") if ENGINES[name].installed]
    if not {"ours", "pyvrp"} <= set(engines):
        return ["random companies need the engines ours and pyvrp"]
    worth: dict[str, list[float]] = {name: [] for name in engines}
    for name in engines:
        ENGINES[name].run(draw_company(0), 0.2, args.seed)  # imports and compiling are not measured
    with progress_bar() as bar:
        for company in bar.track(range(args.companies), description="companies"):
            problem = draw_company(company)
            for name in engines:
                plan = ENGINES[name].run(problem, args.company_seconds, args.seed)
                if broken := check(problem, plan):
                    raise SystemExit(f"{name} on company {company}: {broken}")
                worth[name].append(worth_eur(problem, plan))
    values = {name: np.array(found) for name, found in worth.items()}
    best = np.max(list(values.values()), axis=0)
    print(
        f"\n{args.companies} random companies, {args.company_seconds:g} s for each engine, seed {args.seed}"
    )
    print(f"{'':<10}{'mean below the best %':>24}{'largest %':>12}{'best or equal':>15}")
    for name, found in values.items():
        below = below_pct(found, best)
        share = np.mean(found >= best - 1e-6)
        print(f"{ENGINES[name].title:<10}{below.mean():>24.2f}{below.max():>12.2f}{share:>15.0%}")
    behind = below_pct(values["ours"], values["pyvrp"])
    whole = "" if args.companies >= COMPANIES else f", {args.companies} of {COMPANIES} companies only"
    return [
        targets.at_most(f"ours below PyVRP in mean{whole}", float(behind.mean()), BELOW_PYVRP_PCT, " %"),
        targets.at_most(
            f"ours below PyVRP in any company{whole}", float(behind.max()), NEVER_BELOW_PYVRP_PCT, " %"
        ),
    ]


def below_pct(found: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return by how many per cent of the larger each figure lies below another; below 0 where above."""
    # a day that is not worth leaving home for is worth nothing: a cent keeps the share defined
    return np.asarray(100 * (other - found) / np.maximum(np.maximum(other, found), 0.01))


def overall(by_vehicles: dict[int, list[float]]) -> list[float]:
    """Return the gaps of all cases."""
    return [gap for found in by_vehicles.values() for gap in found]


def print_gaps(
    chosen: list[str], gaps: dict[str, dict[int, list[float]]], spent: dict[str, list[float]]
) -> None:
    """Print mean gaps by vehicles and over all cases, and the processor time really used."""
    vehicles = sorted({m for found in gaps.values() for m in found})
    lines: dict[str, dict[str, float]] = {
        f"mean gap %, {m} vehicle{'s' if m > 1 else ''}": {e: statistics.mean(gaps[e][m]) for e in gaps}
        for m in vehicles
    }
    lines["mean gap %, overall"] = {e: statistics.mean(overall(gaps[e])) for e in gaps}
    lines["median gap %, overall"] = {e: statistics.median(overall(gaps[e])) for e in gaps}
    lines["largest gap %"] = {e: max(overall(gaps[e])) for e in gaps}
    lines["mean cpu s"] = {e: statistics.mean(spent[e]) for e in gaps}
    print(f"\n{'':<24}", *(f"{ENGINES[e].title:>14}" for e in chosen))
    for name, figures in lines.items():
        print(
            f"{name:<24}",
            *(f"{figures[e]:>14.2f}" if e in figures else f"{'not installed':>14}" for e in chosen),
        )


def progress_bar() -> Progress:
    """Return a bar on the error channel, so that tables can go to a file."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())


def compare_day(accounts: int, reps: int, seed: int) -> str:
    """Plan one day and compare its value with what people do without a plan."""
    world = generate(BarcelonaParams(n=accounts, reps=reps), seed=seed)
    data, params = world.inputs, RouteParams()
    worth = world.truth.select(
        "account_id", expected_value_eur=pl.col("response_visit") * pl.col("mean_order_eur")
    )

    def plan_day() -> Routes:
        return route(
            data.accounts, data.reps, params, decisions=worth, schema=data.schema, as_of=data.as_of,
            rng=np.random.default_rng(seed),
        )  # fmt: skip

    plan_day()  # what is compiled at the first call is not measured
    clock = time.perf_counter()
    # the stage has every route checked, and returns none that breaks a rule
    planned = plan_day().summary()
    seconds = time.perf_counter() - clock
    nearest = sum(map(nearest_neighbour_eur, days_of(data, worth, params)))
    print(f"\nBarcelona: {accounts:,} accounts, {planned['rep_days']} representatives, one day, seed {seed}")
    value = planned["visit_value_eur"]
    print(f"planned            {value:>10,.0f} EUR  {planned['visits']} visits  {seconds:.1f} s")
    print(f"nearest neighbours {nearest:>10,.0f} EUR  (without lunch, late visits do not count)")
    times = value / nearest if nearest else float("inf")
    return targets.at_least(
        f"value of the Barcelona day of {reps} over nearest neighbours", times, TIMES_NEAREST, " times"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="per instance and engine")
    parser.add_argument("--instances", default=",".join(f"pr{k:02d}" for k in range(1, 11)))
    parser.add_argument("--vehicles", default="1,2,3,4")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="instances/ and best_known.csv")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        help="cases at once: quicker, but engines then share memory and caches",
    )
    parser.add_argument(
        "--day", type=int, metavar="ACCOUNTS", default=3200, help="of the Barcelona day; 0 for none"
    )
    parser.add_argument("--reps", type=int, default=20, help="representatives of the Barcelona day")
    parser.add_argument("--companies", type=int, default=COMPANIES, help="how many are drawn; 0 for none")
    parser.add_argument("--company-seconds", type=float, default=1.0, help="per company and engine")
    parser.add_argument("--only-companies", action="store_true", help="nothing else")
    parser.add_argument("--only-day", action="store_true", help="without Cordeau's instances")
    args = parser.parse_args()
    if args.seconds <= 0 or args.processes < 1:
        parser.error("--seconds must be above 0 and --processes 1 or more")
    print(targets.machine())
    lines = []
    if args.only_companies:
        print("", *compare_companies(args), sep="\n")
        return
    if not args.only_day and not (args.folder / "best_known.csv").exists():
        print(f"no instances in {args.folder}: name their folder with --folder")
    elif not args.only_day:
        lines += compare_engines(args)
    if args.companies and not args.only_day:
        lines += compare_companies(args)
    if args.day:
        lines.append(compare_day(args.day, args.reps, args.seed))
    print("", *lines, sep="\n")


if __name__ == "__main__":
    main()
