"""What more workers would bring a night of 100,000,000 accounts: simulated from measured costs and overhead.

``python benchmarks/scale.py --json scale.json``, then ``python benchmarks/workers.py scale.json``. From the
processor seconds by size each stage gets a constant (its fit) and a cost per account (its application), by
least squares. The scheduler's time per task is measured on this machine, with `dask.distributed`.
A night of any size and number of workers is then simulated: the scheduler hands tasks out one after the
other, a worker takes the next when it is free, and tasks differ in length (lognormal, seeded). Two
nights are shown: as it is today, with every kind of task that ``--cluster`` sends (`TODAY`), and one in which
every stage that is linear in the accounts is applied by partition. What is not divided is done by one
machine. Of a stage that is divided today, what grows with the accounts counts as divided, though the
planning machine prepares some of it: today's nights are that much too short.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from targets import machine

PARTITION: Final = 100_000  # accounts in a task: `dealwright.plan.partitions`
REP: Final = 5_000  # accounts of a representative, as in scale.py
BRIEFED: Final = 0.16  # share of the accounts with a brief, as scale.py finds it
BRIEFS: Final = 10_000  # in a task: `dealwright.plan.briefs.stage`


@dataclass(frozen=True)
class Kind:
    """A kind of task that is sent to a cluster: what one is, and how many there are of so many accounts."""

    each: str
    tasks: Callable[[int], int]


def _partitions(accounts: int) -> int:
    return math.ceil(accounts / PARTITION)


def _reps(accounts: int) -> int:
    return math.ceil(accounts / REP)


# stage -> what it sends today; tests/integration/test_cluster.py sees tasks of the same stages
TODAY: Final[dict[str, Kind]] = {
    "predict": Kind("partition and target: scores, then reasons", lambda n: 4 * _partitions(n)),
    "anomalies": Kind("partition", _partitions),
    "action": Kind("partition", _partitions),
    "route": Kind("representative", _reps),
    # no more representatives than `distance_only.most_reps` are compared
    "distance_only": Kind("representative, up to 40", lambda n: _reps(n) if _reps(n) <= 40 else 0),
    # two channels of work that may wait, and a queue of which so large a centre plays 20 days
    "schedule": Kind("channel: days simulated, 2,000 at a time", lambda _: 3),
    "brief": Kind("10,000 briefs", lambda n: math.ceil(BRIEFED * n / BRIEFS)),
}
# what of a stage grows with the accounts and could be applied by partition; the schedule's simulations do not
LINEAR: Final = (TODAY.keys() - {"schedule"}) | {"read", "quality", "segment", "write"}
SPREAD: Final = 0.3  # of the logarithm of a task's length
TASKS: Final = 400  # to measure the overhead with


@dataclass(frozen=True)
class Cost:
    """Processor seconds of a stage: once, and for each account."""

    once_s: float
    each_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", type=Path, nargs="+", help="of benchmarks/scale.py --json")
    parser.add_argument("--accounts", type=int, default=100_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1_000])
    parser.add_argument("--overhead-ms", type=float, help="per task; measured by default")
    options = parser.parse_args()
    print(machine())
    rows = [row for path in options.figures for row in json.loads(path.read_text(encoding="utf-8"))]
    costs = learn_costs(rows)
    overhead = overhead_s() if options.overhead_ms is None else options.overhead_ms / 1e3
    print(f"\nscheduler: {1e3 * overhead:.2f} ms a task; {PARTITION:,} accounts a task\n")
    print("| stage | once, s | a million accounts, s |\n| --- | ---: | ---: |")
    for name, cost in costs.items():
        print(f"| {name} | {cost.once_s:.1f} | {1e6 * cost.each_s:.0f} |")
    show_tasks(costs, options.accounts)
    print(
        f"\n{options.accounts:,} accounts\n\n| workers | today, h | by partition, h | of its workers busy |"
    )
    print("| ---: | ---: | ---: | ---: |")
    for workers in options.workers:
        now = {name: kind.tasks(options.accounts) for name, kind in TODAY.items() if name in LINEAR}
        linear = {name: now.get(name) or _partitions(options.accounts) for name in LINEAR}
        today = simulate(costs, options.accounts, workers, overhead, now)
        all_of_it = simulate(costs, options.accounts, workers, overhead, linear)
        print(f"| {workers:,} | {today[0] / 3600:.1f} | {all_of_it[0] / 3600:.1f} | {all_of_it[1]:.0%} |")


def show_tasks(costs: dict[str, Cost], accounts: int) -> None:
    """Print how many tasks of which kind a night sends today, and what one takes."""
    print("\n| stage | a task is a | tasks | s a task |\n| --- | --- | ---: | ---: |")
    total = 0
    for name, kind in TODAY.items():
        count = kind.tasks(accounts)
        total += count
        grows = name in LINEAR and name in costs and count
        length = f"{costs[name].each_s * accounts / count:.2f}" if grows else ""
        print(f"| {name} | {kind.each} | {count:,} | {length} |")
    print(f"| all | | {total:,} | |")


def learn_costs(rows: list[dict[str, Any]]) -> dict[str, Cost]:
    """Fit a line to the processor seconds of every stage; neither part is negative."""
    from scipy.optimize import nnls

    sizes = np.array([row["accounts"] for row in rows], dtype=np.float64)
    stages = dict.fromkeys(name for row in rows for name in row["stages"] if name != "all")
    costs = {}
    for name in stages:
        seconds = np.array([row["stages"].get(name, {"cpu_s": 0.0})["cpu_s"] for row in rows])
        weight = 1.0 / np.maximum(seconds, 0.1)  # relative errors
        design = np.column_stack([np.ones_like(sizes), sizes / 1e6])
        (once, each), _ = nnls(design * weight[:, None], seconds * weight)
        costs[name] = Cost(float(once), float(each) / 1e6)
    return costs


def overhead_s() -> float:
    """Measure what a task costs that does nothing, beyond the work itself."""
    from distributed import Client, LocalCluster

    make_cluster: Any = LocalCluster
    make_client: Any = Client
    with (
        make_cluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        make_client(cluster) as client,
    ):
        client.gather(client.map(nothing, range(TASKS), pure=False))  # connections, imports
        begin = time.perf_counter()
        client.gather(client.map(nothing, range(TASKS), pure=False))
        return (time.perf_counter() - begin) / TASKS


def nothing(number: int) -> int:
    return number


def simulate(
    costs: dict[str, Cost], accounts: int, workers: int, overhead: float, divided: Mapping[str, int]
) -> tuple[float, float]:
    """Return the seconds of a night, and the share of the workers' time in which they work.

    Parameters
    ----------
    divided
        Stage -> tasks that it is divided into.
    """
    rng = np.random.default_rng(0)
    total = work = 0.0
    for name, cost in costs.items():
        tasks = divided.get(name, 0)
        if not tasks:
            total += cost.once_s + cost.each_s * accounts
            continue
        lengths = cost.each_s * accounts / tasks * rng.lognormal(-(SPREAD**2) / 2, SPREAD, tasks)
        total += cost.once_s + makespan(lengths, workers, overhead)
        work += float(lengths.sum())
    return total, work / (total * workers)


def makespan(lengths: np.ndarray[Any, Any], workers: int, overhead: float) -> float:
    """Return when the last task ends: the scheduler hands out one at a time, to whoever is free first."""
    free = [0.0] * min(workers, len(lengths))
    handed_out = end = 0.0
    for length in lengths.tolist():
        handed_out = max(handed_out, free[0]) + overhead
        finished = handed_out + length
        heapq.heapreplace(free, finished)
        end = max(end, finished)
    return end


if __name__ == "__main__":
    main()
