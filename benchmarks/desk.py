"""The desk under load: rankings and durable assignments per second, beside two references in plain SQL.

``python3 do.py bench desk`` prints the whole table (about half an hour; a history of a million assignments
is loaded three times). Smaller: ``python benchmarks/desk.py --agents 1000 --history 450 100000 --repeats 1``.

The load comes from pgbench (C clients, prepared statements), so that the server is measured and not Python.
Every assignment is answered when it is on the disk: fsync and synchronous_commit are on, and the table says
so. The first two seconds of a measurement, in which every connection plans its statements, are left out.
Everything is measured several times, one after the other and then all again in a fresh copy of the loaded
desk, and the table has the medians: a machine that is shared with others is not as fast in every minute.
How fast it was, a row that does nothing but store a number durably tells.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table

from dealwright.desk.cluster import program
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.migrations import migrate
from dealwright.desk.server import Server, start_server, stop_server
from dealwright.learn import build_outcomes, train
from dealwright.simulation.astra import AstraParams, AstraWorld, generate_astra

REFERENCE = Path(__file__).parent / "reference"
CLASSIC = {
    "rating_score": -0.7,
    "experience_score": -9.3,
    "revenue_score": 92.2,
    "dest_expertise_score": -5.3,
    "lead_conversion_score": 1.9,
    "communication_score": 0.1,
    "requirements_score": -9.6,
    "recency_score": -5.9,
    "availability_score": 0.1,
}
CUSTOMERS = 10_000
# connections live long: their first transactions, which compile and plan, are left out
WARM_UP_S = 2.0
PICK = "\\set i random(1, 10000)\n"
FILLING_UP = "assign, agents filling up"
# ranks counted agent by agent, as published; the kinder one ranks them all at once
REBUILDING = "assign, rebuilding triggers"
REBUILDING_BY_WINDOW = "assign, rebuilding by a window"
# per second, by the number of agents
TARGETS = {
    1_000: {"assign, then settle": 1_200, FILLING_UP: 2_000},
    10_000: {FILLING_UP: 1_000},
}
# counting takes time as the square of the agents: of more than these, one connection tells enough
MOST_COUNTED = 1_000
SCRIPTS = {
    "store a number": "insert into bench_number values (1);",
    "rank": PICK
    + "select count(*) from bench_lead, dealwright.rank_agents(payload, 'value', 10) where id = :i;",
    "rank, history scan": PICK
    + "select count(*) from bench_lead, "
    + f"reference.rank_by_history(payload -> 'attributes', false, '{json.dumps(CLASSIC)}') where id = :i;",
    # as Desk.assign does it: answered when it is on the disk
    "assign": PICK + "call dealwright.assign(bench_payload(:i));",
    # the function, as in a transaction of the caller's own: all who want that agent wait for the disk as well
    "assign, by the function": PICK + "select status from dealwright.assign_lead(bench_payload(:i));",
    # two transactions: a lead is placed, and its booking settled, which moves counters and profile
    "assign, then settle": PICK
    + "call dealwright.assign(bench_payload(:i)) \\gset\n"
    + "call dealwright.settle(:booking_id, 'confirmed', 100000 + :i, 20000);",
    FILLING_UP: PICK + "call dealwright.assign(bench_payload(:i));",
    REBUILDING: "select reference.assign('a customer', false);",
    REBUILDING_BY_WINDOW: "select reference.assign('a customer', true);",
}


@dataclass(frozen=True)
class Measured:
    """One row of the table: what ran, how often per second, and its latency."""

    what: str
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    # of the single measurements, where the above are their medians
    slowest: float
    fastest: float


def main() -> None:
    arguments = parse()
    console = Console(width=110)
    home = Path(tempfile.mkdtemp(prefix="dealwright-bench-"))
    server = start_server(home)
    try:
        with psycopg.connect(server.url_of("postgres")) as connection:
            settings = {
                name: connection.execute("select current_setting(%s)", [name]).fetchone()[0]  # type: ignore[index]
                for name in (
                    "server_version",
                    "fsync",
                    "synchronous_commit",
                    "full_page_writes",
                    "shared_buffers",
                    "jit",
                )
            }
        console.print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
            f"load average before the run {os.getloadavg()[0]:.2f}"
        )
        console.print("PostgreSQL " + ", ".join(f"{name} {value}" for name, value in settings.items()))
        model = fit_model()
        results: dict[tuple[int, int], list[Measured]] = {}
        for agents in arguments.agents:
            for history in arguments.history:
                results[agents, history] = measure_desk(server, model, agents, history, arguments)
                console.print(table_of(agents, history, results[agents, history]))
        console.print(verdicts(results))
    finally:
        stop_server(home)
        shutil.rmtree(home, ignore_errors=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", type=int, nargs="+", default=[30, 1_000, 10_000])
    parser.add_argument("--history", type=int, nargs="+", default=[450, 100_000, 1_000_000])
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--seconds", type=float, default=4.0, help="per measurement (default 4)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each (default 3)")
    parser.add_argument(
        "--only", nargs="+", choices=SCRIPTS, metavar="WHAT", help="of the table's rows only these"
    )
    return parser.parse_args()


def fit_model() -> dict[str, Any]:
    """Train the match model every desk is given: strong effects, 20,000 outcomes."""
    history = generate_astra(
        AstraParams(n_agents=100, n_assignments=20_000, effects="strong", seed=1)
    ).history()
    outcomes = build_outcomes(history)
    return train(outcomes.frame, outcomes.traits, history.dimensions, seed=1).model.to_dict()


def create_database(server: Server, name: str) -> None:
    copy_database(server, name, "template1")
    with Database.open(server.url_of(name), server.home).connect() as connection:
        migrate(connection)


def copy_database(server: Server, name: str, template: str) -> None:
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)')
        connection.execute(f'create database "{name}" template "{template}"')
        connection.execute("checkpoint")


def measure_desk(
    server: Server, model: dict[str, Any], agents: int, history: int, arguments: argparse.Namespace
) -> list[Measured]:
    loaded, name = "loaded", "bench"
    create_database(server, loaded)
    world = generate_astra(AstraParams(n_agents=agents, n_assignments=history, effects="strong", seed=1))
    started = time.perf_counter()
    with Desk(Database.open(server.url_of(loaded), server.home)) as desk:
        desk.load(world.history())
        loaded_s = time.perf_counter() - started
        desk.load_model("value", model)
        desk.load_classic(CLASSIC)
    print(f"{agents:,} agents, {history:,} assignments: loaded in {loaded_s:.1f} s", file=sys.stderr)
    with psycopg.connect(server.url_of(loaded), autocommit=True) as connection:
        # room for every lead of the run, so that it measures placing and not waiting
        connection.execute("update dealwright.agent set capacity = 1000000")
        prepare_leads(connection, world)
        connection.execute("create table bench_number (number integer)")
        connection.execute("create schema reference")
        for file in ("history_scan.sql", "rebuilding_triggers.sql"):
            run_script(server, loaded, (REFERENCE / file).read_text())
        connection.execute("vacuum analyze")
    single: dict[tuple[str, int], list[Measured]] = {}
    for _ in range(arguments.repeats):
        copy_database(server, name, loaded)
        for what in arguments.only or SCRIPTS:
            if what == FILLING_UP:
                fill_up(server, name, max(20, 50_000 // agents))
            for connections in arguments.connections:
                slow = what == "rank, history scan" or (what == REBUILDING and agents > MOST_COUNTED)
                if slow and connections > 1:
                    continue
                single.setdefault((what, connections), []).append(
                    run_pgbench(server, name, what, connections, arguments.seconds)
                )
    return [median_of(rows) for rows in single.values()]


def fill_up(server: Server, name: str, room: int) -> None:
    """Let the best agents get full during the run: a look at the few who stand highest is not enough then."""
    with psycopg.connect(server.url_of(name), autocommit=True) as connection:
        connection.execute("update dealwright.agent set capacity = open + %s", [room])
        connection.execute("vacuum analyze dealwright.agent")


def median_of(rows: list[Measured]) -> Measured:
    """Return the medians of measurements of the same, and how far they lie apart."""
    speeds = [row.per_second for row in rows]
    return Measured(
        rows[0].what,
        rows[0].connections,
        statistics.median(speeds),
        statistics.median(row.p50_ms for row in rows),
        statistics.median(row.p99_ms for row in rows),
        min(speeds),
        max(speeds),
    )


def prepare_leads(connection: psycopg.Connection[Any], world: AstraWorld) -> None:
    """Store the leads pgbench draws from: real combinations of the world's dimensions."""
    leads = world.leads(CUSTOMERS, np.random.default_rng(2))
    names = [dimension.name for dimension in world.truth.dimensions]
    connection.execute("create table bench_lead (id integer primary key, payload jsonb not null)")
    with connection.cursor().copy("copy bench_lead from stdin") as copy:
        for number, row in enumerate(leads.frame.select(names).iter_rows(named=True), start=1):
            copy.write_row((number, json.dumps({"customer_name": f"Customer {number}", "attributes": row})))
    connection.execute(
        "create function bench_payload(number integer) returns jsonb language sql stable "
        "as 'select payload from bench_lead where id = number'"
    )


def run_script(server: Server, name: str, text: str) -> None:
    subprocess.run(
        [program("psql"), "-q", "-v", "ON_ERROR_STOP=1", server.url_of(name)],
        input=text,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def run_pgbench(server: Server, name: str, what: str, connections: int, seconds: float) -> Measured:
    """Run one script with pgbench and read the latencies from its log."""
    address = conninfo_to_dict(server.url_of(name))
    environment = os.environ | {
        "PGHOST": str(address["host"]),
        "PGPORT": str(address.get("port", 5432)),
        "PGUSER": str(address["user"]),
        "PGDATABASE": name,
    }
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.sql"
        script.write_text(SCRIPTS[what])
        command = [
            program("pgbench"),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={connections}",
            "--jobs=2",
            f"--time={max(1, round(WARM_UP_S + seconds))}",
            f"--file={script}",
            "--log",
            f"--log-prefix={folder}/log",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode or "number of failed transactions: 0 " not in done.stdout:
            raise SystemExit(f"pgbench failed on {what}: {done.stdout}{done.stderr}")
        # of each transaction its latency and when it ended, both in microseconds
        logs = [np.loadtxt(log, usecols=(2, 4, 5), ndmin=2) for log in Path(folder).glob("log*")]
    latency_us, ended_s, ended_us = np.concatenate([log for log in logs if log.size]).T
    ended = ended_s + ended_us / 1e6
    begun = (ended - latency_us / 1e6).min()
    warm = ended > begun + WARM_UP_S
    if not warm.any():  # a reference that takes seconds
        warm[:] = True
        begun -= WARM_UP_S
    latency_ms = latency_us[warm] / 1000
    elapsed_s = ended.max() - begun - WARM_UP_S
    speed = len(latency_ms) / elapsed_s
    p50_ms, p99_ms = np.percentile(latency_ms, [50, 99])
    return Measured(what, connections, speed, float(p50_ms), float(p99_ms), speed, speed)


def table_of(agents: int, history: int, measured: list[Measured]) -> Table:
    table = Table(title=f"{agents:,} agents, {history:,} past assignments")
    for heading in ("what", "connections", "per second", "p50 ms", "p99 ms", "slowest to fastest"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in measured:
        table.add_row(
            row.what,
            str(row.connections),
            f"{row.per_second:,.1f}",
            f"{row.p50_ms:,.2f}",
            f"{row.p99_ms:,.2f}",
            f"{row.slowest:,.0f} to {row.fastest:,.0f}/s",
        )
    return table


def find(
    results: dict[tuple[int, int], list[Measured]], agents: int, history: int, what: str, connections: int
) -> Measured | None:
    """Return one measurement, if it was made."""
    rows = results.get((agents, history), [])
    return next((row for row in rows if row.what == what and row.connections == connections), None)


def steadiness(results: dict[tuple[int, int], list[Measured]]) -> Iterator[tuple[str, str, bool]]:
    """Say by how much a ranking depends on the length of the history."""
    for agents in sorted({agents for agents, _ in results}):
        medians = [
            row.p50_ms
            for (n, _), rows in results.items()
            if n == agents
            for row in rows
            if row.what == "rank" and row.connections == 1
        ]
        if len(medians) > 1:
            spread = max(medians) / min(medians) - 1
            yield (
                f"ranking independent of history, +-20 % ({agents:,} agents)",
                f"slowest {spread:+.0%} over fastest",
                spread <= 0.4,
            )


def verdicts(results: dict[tuple[int, int], list[Measured]]) -> Table:
    """Hold the measurements against the targets."""
    table = Table(title="Targets")
    for heading in ("target", "measured", ""):
        table.add_column(heading)

    def judge(target: str, shown: str, met: bool) -> None:
        table.add_row(target, shown, "met" if met else "missed")

    for (agents, history), rows in results.items():
        many = max(row.connections for row in rows)
        if agents == 1_000 and (row := find(results, agents, history, "assign", many)):
            judge(
                f"2,500 durable assignments/s, p99 < 20 ms ({many} connections, {history:,} past)",
                f"{row.per_second:,.0f}/s, p99 {row.p99_ms:.1f} ms",
                row.per_second >= 2_500 and row.p99_ms < 20,
            )
        for what, target in TARGETS.get(agents, {}).items():
            if row := find(results, agents, history, what, many):
                judge(
                    f"{target:,}/s: {what} ({many} connections, {agents:,} agents, {history:,} past)",
                    f"{row.per_second:,.0f}/s",
                    row.per_second >= target,
                )
        if (
            agents == 1_000
            and (rebuilt := find(results, agents, history, REBUILDING, many))
            and (row := find(results, agents, history, "assign", many))
        ):
            ratio = row.per_second / rebuilt.per_second
            judge(f"100 x the rebuilding triggers ({history:,} past)", f"{ratio:,.0f} x", ratio >= 100)
        if (
            history == 1_000_000
            and (scan := find(results, agents, history, "rank, history scan", 1))
            and (row := find(results, agents, history, "rank", 1))
        ):
            ratio = scan.p50_ms / row.p50_ms
            judge(
                f"1,000 x the history scan ({agents:,} agents, {history:,} past)",
                f"{ratio:,.0f} x",
                ratio >= 1_000,
            )
    for target, shown, met in steadiness(results):
        judge(target, shown, met)
    return table


if __name__ == "__main__":
    main()
