"""Routing engines side by side on Cordeau's instances, every route checked again.

    python benchmarks/routing.py --seconds 10
    python benchmarks/routing.py --seconds 2 --instances pr01,pr05 --vehicles 1,4

One thread per engine, one after the other on the same machine; the gap is to the best known profit.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from pathlib import Path

from dealwright.plan.routing.checker import check
from dealwright.plan.routing.engine import ENGINES, solve
from toptw import best_known, read_instance

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "toptw"


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
    args = parser.parse_args()
    known = best_known(args.folder)
    engines = args.engines.split(",")
    for engine in engines:  # what is compiled or imported at the first call is not measured
        solve(read_instance(args.folder / "instances" / "pr01.txt", 2), engine=engine, seconds=0.2)
    print(
        f"{platform.processor() or platform.machine()}, {args.seconds:g} s each, one thread, seed {args.seed}"
    )
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
                clock = time.perf_counter()
                plan = solve(problem, engine=engine, seconds=args.seconds, seed=args.seed)
                seconds = time.perf_counter() - clock
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
