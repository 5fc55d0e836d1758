"""Contact-centre staffing: shifts proven optimal, Erlang beside pyworkforce, and the day simulated.

    python benchmarks/schedule.py
    python benchmarks/schedule.py --calls 2000 20000 --skip-explicit

The shifts are also found with one column per shift in CP-SAT, the usual way, under the same time limit. HiGHS
here is SciPy's own: ``highspy`` beside ``ortools`` in one process crashes.
"""

from __future__ import annotations

import argparse
import time
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

import targets
from dealwright.plan.staffing import ScheduleParams
from dealwright.plan.staffing.demand import ChannelDemand, daily_profile, measure_demand
from dealwright.plan.staffing.erlang import available_agents, required_agents, service_level
from dealwright.plan.staffing.params import DEFAULT_WORK
from dealwright.plan.staffing.patterns import Shift, expand_patterns
from dealwright.plan.staffing.shifts import Cover, Group, cover_demand
from dealwright.plan.staffing.simulation import chance, simulate_queue

TARGET_PEOPLE: Final = 450
TARGET_S: Final = 1.5  # "about one second"
SAME_SHARE: Final = 1e-6  # service levels as close as this are equal
PARAMS = ScheduleParams(opens_min=480, closes_min=1200)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--calls", type=int, nargs="+", default=[1_000, 9_000, 13_000], help="a day, incoming"
    )
    parser.add_argument("--skip-explicit", action="store_true", help="without CP-SAT on explicit shifts")
    parser.add_argument("--seconds", type=float, default=30.0, help="limit for either solver")
    arguments = parser.parse_args()
    console = Console(width=120)
    console.print(targets.machine())
    shifts, lines = shift_table(arguments)
    console.print(shifts)
    erlang, same = erlang_table()
    console.print(erlang)
    console.print("", *lines, same, sep="\n", highlight=False, soft_wrap=True)


def shift_table(arguments: argparse.Namespace) -> tuple[Table, list[str]]:
    """Return the table and the lines of the target."""
    lines = []
    shifts = expand_patterns(PARAMS)
    table = Table(
        title=f"one day of 12 hours, {PARAMS.interval_min}-minute intervals, {len(shifts)} possible shifts"
    )
    for name in (
        "calls",
        "peak staff",
        "method",
        "people",
        "paid h",
        "proven",
        "seconds",
        "cpu s",
        "P(SLA)",
        "simulated s",
    ):
        table.add_column(name, justify="left" if name == "method" else "right")
    everybody = (Group(frozenset(DEFAULT_WORK), tuple(range(len(shifts))), None),)
    cover_demand(demand_of(50), everybody, shifts, PARAMS)  # imports and compiling are not measured
    played_of(demand_of(50)[0], np.full(PARAMS.intervals, 3))
    for calls in arguments.calls:
        demand = demand_of(calls)
        started, work = time.perf_counter(), time.process_time()
        cover = cover_demand(demand, everybody, shifts, PARAMS)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - work
        every = f"shifts of {cover.count.sum():,} people, three channels at once"
        lines += judge(every, cover, seconds) if not lines else []
        on_calls = np.round(cover.assigned[0, 0]).astype(np.int64)
        started = time.perf_counter()
        share = played_of(demand[0], on_calls)
        table.add_row(
            f"{calls:,}", str(demand[0].required.max()), "HiGHS, implicit breaks", f"{cover.count.sum():,}",
            f"{cover.paid_min / 60:,.0f}", str(cover.proven), f"{seconds:.2f}", f"{cpu_s:.2f}",
            f"{share:.2f}", f"{time.perf_counter() - started:.2f}",
        )  # fmt: skip
        if not arguments.skip_explicit:
            people, paid, proven, seconds = explicit(demand[0], shifts, arguments.seconds)
            started, work = time.perf_counter(), time.process_time()
            alone = cover_demand(demand[:1], everybody, shifts, PARAMS)
            alone_s, alone_cpu_s = time.perf_counter() - started, time.process_time() - work
            people_alone = f"shifts of {alone.count.sum():,} people, calls only"
            lines += judge(people_alone, alone, alone_s) if len(lines) <= 2 else []
            table.add_row(
                "", "", "  calls only: HiGHS", f"{alone.count.sum():,}", f"{alone.paid_min / 60:,.0f}",
                str(alone.proven), f"{alone_s:.2f}", f"{alone_cpu_s:.2f}", "", "",
            )  # fmt: skip
            table.add_row(
                "", "", "  calls only: CP-SAT, explicit", f"{people:,}", f"{paid / 60:,.0f}", str(proven),
                f"{seconds:.2f}", "", "", "",
            )  # fmt: skip
    return table, lines or [f"nobody needs {TARGET_PEOPLE} people or more: no target is about these sizes"]


def judge(what: str, cover: Cover, seconds: float) -> list[str]:
    """Return the lines of the target, if there are as many people as it is about."""
    if cover.count.sum() < TARGET_PEOPLE:
        return []
    return [
        targets.at_most(what, seconds, TARGET_S, " s"),
        targets.holds(f"{what}, proven optimal", met=cover.proven, found="yes" if cover.proven else "no"),
    ]


def demand_of(calls: int) -> tuple[ChannelDemand, ...]:
    """Incoming calls, a fifth as many calls to make, and a quarter as many messages."""
    profile = daily_profile(PARAMS)
    return (
        measure_demand("inbound_cc", profile * calls, 0.0, "", params=PARAMS),
        measure_demand("outbound_cc", profile * 0, calls / 5, "", params=PARAMS),
        measure_demand("ecom_assisted", profile * calls / 4, 0.0, "", params=PARAMS),
    )


def played_of(demand: ChannelDemand, scheduled: np.ndarray) -> float:
    work = demand.work
    played = simulate_queue(
        demand.contacts, available_agents(scheduled, work.shrinkage), interval_min=PARAMS.interval_min,
        handle_min=work.handle_min, within_min=work.within_s / 60, patience_min=None, runs=200, seed=1,
    )  # fmt: skip
    return chance(played.kept(work.target_share))


def explicit(
    demand: ChannelDemand, shifts: tuple[Shift, ...], seconds: float
) -> tuple[int, int, bool, float]:
    """One column per shift, as in most staffing libraries, in CP-SAT."""
    from ortools.sat.python import cp_model

    started = time.perf_counter()
    model = cp_model.CpModel()
    people = [model.new_int_var(0, int(demand.required.max()), "") for _ in shifts]
    on = np.array([shift.works(PARAMS) for shift in shifts])
    for t in range(PARAMS.intervals):
        model.add(sum(people[s] for s in np.flatnonzero(on[:, t])) >= int(demand.required[t]))
    model.minimize(sum(shift.paid_min * count for shift, count in zip(shifts, people, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    total = sum(solver.value(count) for count in people)
    return total, int(solver.objective_value), status == cp_model.OPTIMAL, time.perf_counter() - started


def erlang_table() -> tuple[Table, str]:
    """Return the table and whether both agree everywhere."""
    from pyworkforce.queuing import ErlangC

    table = Table(title="agents for 80/20, 85 % busy at most, 3 minutes a call, per half hour")
    for name in (
        "calls",
        "ours",
        "pyworkforce",
        "service level",
        "pyworkforce's",
        "ours µs",
        "pyworkforce µs",
    ):
        table.add_column(name, justify="right")
    work = DEFAULT_WORK["inbound_cc"].__class__(handle_min=3.0)
    apart, counts = 0.0, []
    for calls in (5, 50, 500, 5_000):
        load = calls * 3.0 / 30
        started = time.perf_counter()
        ours = required_agents(load, work)
        middle = time.perf_counter()
        oracle = ErlangC(transactions=calls, aht=3, asa=20 / 60, interval=30)
        theirs = oracle.required_positions(service_level=0.8, max_occupancy=0.85)
        ended = time.perf_counter()
        reached = service_level(ours, load, 3.0, 1 / 3)
        table.add_row(
            f"{calls:,}", str(ours), str(theirs["raw_positions"]),
            f"{reached:.6f}",
            f"{theirs['service_level']:.6f}",
            f"{1e6 * (middle - started):,.0f}", f"{1e6 * (ended - middle):,.0f}",
        )  # fmt: skip
        counts.append(ours == theirs["raw_positions"])
        apart = max(apart, abs(reached - theirs["service_level"]))
    same = targets.holds(
        "Erlang C equal to pyworkforce", met=all(counts) and apart <= SAME_SHARE,
        found=f"{sum(counts)} of {len(counts)} numbers of agents, service levels at most {apart:.1e} apart",
    )  # fmt: skip
    return table, same


if __name__ == "__main__":
    main()
