"""The console's pages: how long the server takes for each, and what a page weighs.

    python benchmarks/console.py [--agents N] [--history N] [--accounts N] [--reps N] [--times N]

A generated agency with its history and some thousand leads that the desk decided, and a night of a generated
company. One client asks for one page after the other, as a planner, on the embedded database; compressed as a
browser would have it. The first answer of a page, for which a run is read, has a column of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx
import numpy as np

from dealwright.desk.desk import Desk
from dealwright.desk.server import stop_server
from dealwright.simulation.astra import AstraParams, generate_astra
from desk import fit_model
from targets import at_most, machine

ROOT = Path(__file__).resolve().parents[1]
DECIDED = 3_000
TABLES = ("accounts", "orders", "touches", "reps", "history")
LIMIT_MS, LIMIT_KB = 150.0, 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=1_000)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=100_000, help="of the night; 0: no night")
    parser.add_argument("--reps", type=int, default=100)
    parser.add_argument("--times", type=int, default=30)
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="dealwright-bench-") as name:
        home = Path(name)
        try:
            key, pages = make_floor(home, args.agents, args.history)
            if args.accounts:
                make_night(home, args.accounts, args.reps)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            command = [sys.executable, "-m", "dealwright", "--home", str(home), "serve", "--port", str(port)]
            with (home / "serve.log").open("wb") as log:
                service = subprocess.Popen(
                    command,
                    stderr=log,
                    stdout=log,
                    cwd=home,
                    env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
                )
                try:
                    with httpx.Client(
                        base_url=f"http://127.0.0.1:{port}",
                        headers={"Authorization": f"Bearer {key}"},
                        timeout=60,
                    ) as client:
                        wait_until_ready(client)
                        more = pages_of_night(client) if args.accounts else []
                        measure(client, [*pages, *more], args.times)
                finally:
                    service.send_signal(signal.SIGTERM)
                    service.wait(30)
        finally:
            stop_server(home)


def make_floor(home: Path, agents: int, history: int) -> tuple[str, list[str]]:
    """Load an agency, let the desk decide some leads; return a key and the pages to ask for."""
    world = generate_astra(AstraParams(agents, history, effects="strong", seed=3, pending_share=0.002))
    names = [dimension.name for dimension in world.truth.dimensions]
    leads = world.leads(DECIDED, np.random.default_rng(1)).frame.to_dicts()
    with Desk.open(home=home) as desk:
        desk.load(world.history())
        desk.load_model("value", fit_model())
        with desk.database.connect(autocommit=True) as connection:
            connection.execute("update dealwright.agent set capacity = 40")
            connection.execute("vacuum analyze")
        documents = [
            {"customer_name": row["customer_name"], "attributes": {name: row[name] for name in names}}
            for row in leads
        ]
        placed = [placement.row for placement in desk.assign_all(documents) if placement.assigned][-1]
        desk.make_roles()
        key = desk.keys.create("bench", ["planner"])
    kind = urlencode({f"d.{name}": value for name, value in documents[-1]["attributes"].items()})
    lead, agent = placed["lead_id"], placed["agent_id"]
    return key, [
        "/floor", "/queue", "/leads", f"/leads?after={max(2, history // 2)}", f"/leads/{lead}", "/leads/1",
        f"/leads/new?rank=1&{kind}", "/agents", f"/agents/{agent}", f"/agents/{agent}?{kind}", "/evidence",
        "/models", "/audit", "/admin", "/admin/people", "/find.json?q=ross",
    ]  # fmt: skip


def make_night(home: Path, accounts: int, reps: int) -> None:
    """Plan a night of a generated company, publish it, and put it on record as the service's worker would."""
    tables, runs = home / "tables", home / "runs"
    for folder in (tables, runs):
        folder.mkdir()
    make = [sys.executable, str(ROOT / "benchmarks" / "plan.py"), "--generate", str(tables)]
    subprocess.run(
        [*make, "--sizes", str(accounts), "--reps", str(reps)], check=True, stdout=subprocess.DEVNULL
    )
    given = [f"--{name}={tables / f'{name}.parquet'}" for name in TABLES]
    given += [f"--schema={tables / 'schema.toml'}", "--as-of=2026-06-30", f"--out={runs / '000001'}"]
    began = time.perf_counter()
    command = [sys.executable, "-m", "dealwright", "--home", str(home), "plan", *given, "--publish"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    print(f"a night of {accounts:,} accounts and {reps} representatives: {time.perf_counter() - began:.0f} s")
    (home / "dealwright.toml").write_text(f'[night]\nruns = "{runs}"\n', "utf-8")
    with Desk.open(home=home) as desk:
        night_id = desk.nights.request("bench", "bench", {"publish": True})
        desk.nights.begin("bench", datetime.now(UTC))
        desk.nights.end(night_id, "done", folder="000001", result={"accounts": accounts})


def pages_of_night(client: httpx.Client) -> list[str]:
    """Return the addresses of a night, its days, its territories and somebody's tasks."""
    made = client.post("/api/v1/territory-scenarios", json={"name": "a copy", "night_id": 1})
    made.raise_for_status()
    scenario = made.json()["scenario_id"]
    return [
        "/nights", "/nights/1", "/nights/1/accounts", "/nights/1/accounts?search=hotel",
        "/nights/1/accounts?state=nothing&from=500", "/nights/1/accounts/A0001132", "/what-if?night=1",
        "/nights/1/day/2026-07-01", "/agents/R001/day", "/territories", f"/territories/{scenario}",
        f"/territories/{scenario}/accounts", f"/territories/{scenario}/cells",
    ]  # fmt: skip


def wait_until_ready(client: httpx.Client) -> None:
    """Wait until the service answers."""
    while True:
        try:
            if client.get("/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)


def measure(client: httpx.Client, pages: list[str], times: int) -> None:
    """Ask for each page again and again; print how long it took and what it weighs."""
    print("| page | first ms | median ms | p95 ms | KB compressed |\n|---|---:|---:|---:|---:|")
    worst = 0.0
    for page in pages:
        took = []
        began = time.perf_counter()
        client.get(page).raise_for_status()
        first = 1000 * (time.perf_counter() - began)
        for _ in range(times):
            began = time.perf_counter()
            answer = client.get(page)
            took.append(1000 * (time.perf_counter() - began))
        p95 = float(np.quantile(took, 0.95))
        worst = max(worst, p95)
        size = int(answer.headers["content-length"]) / 1000
        print(f"| {page} | {first:.0f} | {np.median(took):.0f} | {p95:.0f} | {size:.1f} |", flush=True)
    print(at_most("slowest page, 95th percentile", worst, LIMIT_MS, " ms", 0))
    floor = client.get("/floor")
    places = re.findall(r'(?:href|src)="(/assets/[^"]+)"', floor.text)
    whole = sum(int(item.headers["content-length"]) for item in (floor, *(client.get(p) for p in places)))
    print(at_most("the floor with style and script", whole / 1000, LIMIT_KB, " KB", 1))


if __name__ == "__main__":
    main()
