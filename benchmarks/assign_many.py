"""Many leads at once: leads placed per second by batches, beside one by one, every commit on the disk.

Two desks of 1,000 agents whom the match model tells apart: one with room without end, where the best agent
of a kind of lead stays the best, and one that the leads nearly fill up, where nearly every lead goes to
another agent than the one before. Each measurement starts from a fresh copy of the loaded desk, and the
table has the medians. On a machine that is shared with others the time on the clock says little; beside it
stands the processor time of the server's process per lead.

Run it with ``python benchmarks/assign_many.py [--leads 100000] [--batch 1000 2000] [--repeats 3]``.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import psycopg

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.server import Server, start_server, stop_server
from dealwright.simulation.astra import AstraParams, generate_astra
from desk import CUSTOMERS, copy_database, create_database, fit_model, prepare_leads
from targets import machine

AGENTS = 1_000
HISTORY = 100_000
ENDLESS = 1_000_000
TARGET = 6_000  # leads per second
ONE_BY_ONE = 0  # as the size of a batch


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--batch", type=int, nargs="+", default=[1_000, 2_000])
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each (default 3)")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="dealwright-bench-"))
    server = start_server(home)
    try:
        load(server)
        with psycopg.connect(server.url_of("loaded")) as connection:
            modes = ", ".join(
                f"{name} {connection.execute('select current_setting(%s)', [name]).fetchone()[0]}"  # type: ignore[index]
                for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes")
            )
        print(f"{machine()}; PostgreSQL {modes}; {AGENTS:,} agents, {HISTORY:,} past assignments")
        print(f"{'room':>9} {'leads':>9} {'batch':>10} {'per second':>10} {'CPU us':>7}  slowest to fastest")
        for room in (ENDLESS, round(1.2 * options.leads / AGENTS)):
            for batch in (ONE_BY_ONE, *options.batch):
                leads = options.leads if batch else min(options.leads, 2_000)
                found = [measure(server, room, batch, leads) for _ in range(options.repeats)]
                speeds = [speed for speed, _ in found]
                speed, used = statistics.median(speeds), statistics.median(cpu for _, cpu in found)
                verdict = f"{TARGET:,}/s {'met' if speed >= TARGET else 'missed'}" if batch else ""
                print(
                    f"{'endless' if room == ENDLESS else room:>9} {leads:>9,} {batch or 'one by one':>10} "
                    f"{speed:>10,.0f} {used:>7.0f}  {min(speeds):,.0f} to {max(speeds):,.0f} {verdict}"
                )
    finally:
        stop_server(home)
        shutil.rmtree(home, ignore_errors=True)


def load(server: Server) -> None:
    """Load the desk that every measurement gets a copy of."""
    create_database(server, "loaded")
    world = generate_astra(AstraParams(n_agents=AGENTS, n_assignments=HISTORY, effects="strong", seed=1))
    with Desk(Database.open(server.url_of("loaded"), server.home)) as desk:
        desk.load(world.history())
        desk.load_model("value", fit_model())
    with psycopg.connect(server.url_of("loaded"), autocommit=True) as connection:
        prepare_leads(connection, world)
        connection.execute("update dealwright.agent set capacity = 1000000")
        connection.execute("vacuum analyze")


def measure(server: Server, room: int, batch: int, leads: int) -> tuple[float, float]:
    """Return leads per second, and microseconds of the server's processor time per lead."""
    copy_database(server, "bench", "loaded")
    with psycopg.connect(server.url_of("bench"), autocommit=True) as connection:
        connection.execute("update dealwright.agent set capacity = open + %s", [room])
        connection.execute("vacuum analyze dealwright.agent")
        used = cpu_us(connection.info.backend_pid)
        began = time.perf_counter()
        if batch == ONE_BY_ONE:
            for number in range(leads):
                connection.execute("call dealwright.assign(bench_payload(%s))", [number % CUSTOMERS + 1])
        else:
            for first in range(0, leads, batch):
                numbers = [n % CUSTOMERS + 1 for n in range(first, min(first + batch, leads))]
                connection.execute(
                    "select count(*) from dealwright.assign_many(array("
                    "select bench_payload(n) from unnest(%s::integer[]) with ordinality as u (n, place) "
                    "order by place))",
                    [numbers],
                )
        elapsed = time.perf_counter() - began
        used = cpu_us(connection.info.backend_pid) - used
        placed = connection.execute(
            "select count(*) from dealwright.decision"  # of the history there is none
        ).fetchone()
    if placed != (leads,):
        raise SystemExit(f"{placed} of {leads} leads were placed")
    return leads / elapsed, used / leads


def cpu_us(pid: int) -> float:
    """Return the processor time of a process so far; Linux only, nan elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) * 1e4  # in hundredths of a second


if __name__ == "__main__":
    main()
