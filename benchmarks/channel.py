"""Channel allocation: by prices and flow, beside OR-Tools' minimum-cost flow over all accounts.

    python benchmarks/channel.py
    python benchmarks/channel.py --sizes 10000 100000 --runs 5

Five channels, four of them scarce; values in cents, 12 % of the pairs forbidden. The second table has values
rounded to EUR 10, so that many accounts tie; the third has minutes per account, where the gap is certified.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

import targets
from dealwright.plan.channels.allocation import Allocation, allocate
from dealwright.plan.channels.kernels import Floats, measure
from dealwright.plan.channels.prices import ONE_EACH
from dealwright.plan.channels.repair import NOBODY
from dealwright.plan.flow import allocate_by_flow

TARGET_ACCOUNTS: Final = 1_000_000
TARGET_S: Final = 3.0
TARGET_GAP_PCT: Final = 0.001
SAME_AS_FLOW_AT: Final = 100_000
SCARCE = np.array([0.02, 0.10, 0.08, 0.20, np.inf])  # places per account


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3, help="of which the median is printed")
    parser.add_argument(
        "--flow-up-to", type=int, default=100_000, help="accounts for the flow over everybody"
    )
    arguments = parser.parse_args()
    console = Console(width=110)
    console.print(f"{targets.machine()}; median of {arguments.runs}")
    draw_values(1_000, ties=False)
    allocate(*draw_values(1_000, ties=False))  # what is compiled at the first call is not measured
    lines: list[str] = []
    for title, ties, minutes in (
        ("one unit each", False, False), ("one unit each, values in steps of EUR 10", True, False),
        ("minutes per account", False, True),
    ):  # fmt: skip
        table, found = measure_all(title, arguments, ties=ties, minutes=minutes)
        console.print(table)
        lines += found
    console.print("", *lines or ["no target is about these sizes"], sep="\n", highlight=False, soft_wrap=True)


def draw_values(accounts: int, *, ties: bool) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    fit = np.array([2.2, 1.2, 0.9, 0.7, 0.4])[:, None] * np.exp(rng.normal(0, 0.5, (5, accounts)))
    cost = np.array([45.0, 6.0, 4.0, 2.0, 0.2])[:, None]
    value = np.floor((rng.lognormal(3, 1, accounts) * fit - cost) * 100)
    if ties:
        value = np.round(value / 1000) * 1000
    value[rng.random(value.shape) < 0.12] = -np.inf
    return value, np.floor(SCARCE * accounts)


def measure_all(
    title: str, arguments: argparse.Namespace, *, ties: bool, minutes: bool
) -> tuple[Table, list[str]]:
    """Return the table and the lines of the targets, which are about contacts of one unit."""
    table, lines = Table(title=title), []
    for name in ("accounts", "method", "value EUR", "gap %", "seconds", "one more is worth EUR", "by flow"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for accounts in arguments.sizes:
        value, capacity = draw_values(accounts, ties=ties)
        use = np.random.default_rng(2).uniform(3.0, 30.0, value.shape) if minutes else None
        room = capacity * 12 if minutes else capacity
        seconds, result = timed(lambda v=value, r=room, u=use: allocate(v, r, u), arguments.runs)
        check(value, room, use, result)
        prices = " ".join(f"{price / 100 * (16 if minutes else 1):.2f}" for price in result.prices)
        gap = 100 * result.gap / result.bound
        table.add_row(
            f"{accounts:,}", "prices, repair, flow", f"{result.value / 100:,.2f}", f"{gap:.6f}",
            f"{seconds:.2f}", prices, f"{result.contested:,}",
        )  # fmt: skip
        what = f"{title}, {accounts:,} accounts x 5"
        if accounts >= TARGET_ACCOUNTS and not minutes:
            lines += [
                targets.at_most(what, seconds, TARGET_S, " s"),
                targets.at_most(f"{what}, gap", gap, TARGET_GAP_PCT, " %", digits=6),
            ]
        if minutes or accounts > arguments.flow_up_to:
            continue
        seconds, choice = timed(lambda v=value, r=room: allocate_by_flow(v, r), arguments.runs)
        best = measure(value, ONE_EACH, choice)[1]
        if accounts >= SAME_AS_FLOW_AT or best != result.value:
            found = f"{result.value / 100:,.2f} against {best / 100:,.2f} EUR"
            lines.append(
                targets.holds(f"{what}, equal to OR-Tools' flow", met=best == result.value, found=found)
            )
        table.add_row(
            f"{accounts:,}", "OR-Tools flow, all", f"{best / 100:,.2f}", "0", f"{seconds:.2f}", "", ""
        )
        greedy = best_first(value, capacity)
        table.add_row(
            f"{accounts:,}", "greedy, best first", f"{greedy / 100:,.2f}",
            f"{100 * (best - greedy) / best:.4f}", "", "", "",
        )  # fmt: skip
    return table, lines


def timed(function, runs: int):  # type: ignore[no-untyped-def]
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def check(value: Floats, capacity: Floats, use: Floats | None, result: Allocation) -> None:
    load, total = measure(value, ONE_EACH if use is None else use, result.choice)
    if (load > capacity + 1e-6).any() or total != result.value:
        raise SystemExit("the allocation does not fit, or its value is not what it says")


def best_first(value: Floats, capacity: Floats) -> float:
    """Give each pair of account and channel its place in the order of value, while there is one."""
    channel, account = np.nonzero(value > 0)
    order = np.argsort(-value[channel, account], kind="stable")
    left, choice = capacity.copy(), np.full(value.shape[1], NOBODY)
    for c, i in zip(channel[order].tolist(), account[order].tolist(), strict=True):
        if choice[i] == NOBODY and left[c] > 0:
            choice[i] = c
            left[c] -= 1
    return measure(value, ONE_EACH, choice)[1]


if __name__ == "__main__":
    main()
