"""Two versions of the engine beside one another: instructions of a placement, a settlement and a batch.

    python benchmarks/engines.py --before FOLDER    # another checkout of Dealwright

Seconds cannot tell one percent apart on a machine that others use; what a backend executes, valgrind counts
to within some thousandths (`apt install valgrind`; Linux). Each version loads a desk with its own code: the
same agents, model and history. Then PostgreSQL, as one process (`postgres --single`), places the same leads
one after the other, settles their bookings and places leads in batches of ten, for a copy of the data each
time; what it takes to start and to plan the statements is in two runs of different length alike, and goes
away with their difference.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from dealwright.desk.cluster import program, server_account
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.migrations import migrate
from dealwright.desk.server import Server, start_server, stop_server
from dealwright.simulation.astra import AstraParams, generate_astra
from targets import at_most, machine

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 60
BATCH = 10
COUNTED = re.compile(r"Collected : (\d+)")
Statements = Mapping[str, Sequence[str]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, required=True, help="checkout of the version to compare with")
    parser.add_argument("--leads", type=int, default=100)
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--history", type=int, default=5_000)
    parser.add_argument("--load", nargs=3, metavar=("URL", "AGENTS", "HISTORY"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        load(args.load[0], int(args.load[1]), int(args.load[2]))
        return
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind counts the instructions, and is not installed: apt install valgrind")
    print(machine())
    sources = {"before": args.before.resolve() / "src", "now": ROOT / "src"}
    home = Path(tempfile.mkdtemp(prefix="dealwright-bench-"))
    try:
        server = start_server(home)
        try:
            statements = make_desks(server, sources, args)
        finally:
            stop_server(home)
        found = {version: measure(server, version, statements) for version in sources}
        again = measure(server, "now", {"place": statements["place"]})
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print("| what | before | now | ratio |")
    print("|---|---:|---:|---:|")
    ratios = {what: found["now"][what] / found["before"][what] for what in statements}
    for what, ratio in ratios.items():
        print(f"| {what} | {found['before'][what]:,.0f} | {found['now'][what]:,.0f} | {ratio:.4f} |")
    print(f"counted again: {again['place'] / found['now']['place']:.4f}")
    for what, ratio in ratios.items():
        print(at_most(f"{what}: more than before", 100 * (ratio - 1), 1, " %"))


def make_desks(server: Server, sources: Mapping[str, Path], args: argparse.Namespace) -> Statements:
    """Load the desk of each version with its own code, and return what both are to do."""
    found: Statements = {}
    for version, source in sources.items():
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f'create database "{version}" template template1')
        subprocess.run(
            [sys.executable, __file__, "--before", ".", "--load", server.url_of(version), str(args.agents),
             str(args.history)],
            env={**os.environ, "PYTHONPATH": str(source), "DEALWRIGHT_HOME": str(server.home)}, check=True,
        )  # fmt: skip
        with psycopg.connect(server.url_of(version), autocommit=True) as connection:
            connection.execute("vacuum freeze analyze")
            rows = connection.execute(
                "select l.attributes from dealwright.lead as l where not exists (select from "
                "dealwright.dimension as d where d.required and l.attributes ->> d.name is null) "
                "order by l.lead_id limit %s", [args.leads + WARM_UP]
            ).fetchall()  # fmt: skip
            last = connection.execute("select last_value from dealwright.booking_booking_id_seq").fetchone()
            connection.execute("checkpoint")
        assert last is not None
        leads = [json.dumps({"customer_name": "A customer", "attributes": row[0]}) for row in rows]
        literals = [f"'{lead.replace(chr(39), 2 * chr(39))}'::jsonb" for lead in leads]
        asked = [f"call dealwright.assign({lead})" for lead in literals]
        settled = [
            f"call dealwright.settle({last[0] + number}, 'confirmed', 1000, 200)"
            for number, _ in enumerate(leads, start=1)
        ]
        given = [
            f"select count(*) from dealwright.assign_many(array[{','.join(some)}])"
            for some in batched(literals)
        ]
        found_now = {"place": asked, "settle": settled, "batch": given}
        assert not found or found_now == found, "the two desks differ"
        found = found_now
    return found


def batched(leads: Sequence[str]) -> list[Sequence[str]]:
    """Return as many batches as there are leads, each of the leads that follow one."""
    return [[leads[(first + k) % len(leads)] for k in range(BATCH)] for first in range(len(leads))]


def load(url: str, agents: int, history: int) -> None:
    from desk import fit_model

    world = generate_astra(AstraParams(n_agents=agents, n_assignments=history, effects="strong", seed=1))
    with Desk(Database.open(url, Path(os.environ["DEALWRIGHT_HOME"]))) as desk:
        with desk.database.connect() as connection:
            migrate(connection)
        desk.load(world.history())
        desk.load_model("value", fit_model())
        with desk.database.connect(autocommit=True) as connection:
            connection.execute("update dealwright.agent set capacity = 1000000")


def measure(server: Server, version: str, statements: Statements) -> dict[str, float]:
    """Return how many instructions each of the statements of a kind takes, those of a warm-up left out."""
    before: list[str] = []
    found: dict[str, float] = {}
    for what, texts in statements.items():
        short = count(server, version, [*before, *texts[:WARM_UP]])
        whole = count(server, version, [*before, *texts])
        found[what] = (whole - short) / (len(texts) - WARM_UP)
        before += texts
    return found


def count(server: Server, version: str, statements: Sequence[str]) -> int:
    """Return how many instructions PostgreSQL takes for statements, in a copy of its data."""
    copy = server.home / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(server.data, copy)
    options = {}
    if (owner := server_account()) is not None:
        options = {"user": owner[0], "group": owner[1]}
        for path in [copy, *copy.rglob("*")]:
            os.chown(path, *owner)
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program("postgres")),
         "--single", "-D", str(copy), "-c", "fsync=off", "-c", "shared_buffers=64MB", version],
        input="\n".join([*statements, ""]), capture_output=True, text=True, check=False, cwd="/",
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, **options,
    )  # fmt: skip
    counted = COUNTED.search(done.stderr)
    if counted is None or "ERROR" in done.stderr:
        raise SystemExit(f"PostgreSQL failed on {version}:\n{done.stderr[-2000:]}")
    return int(counted[1])


if __name__ == "__main__":
    main()
