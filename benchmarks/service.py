"""Leads through HTTP: how many a second, how long each takes, and whether all are there exactly once.

    python benchmarks/service.py [--leads N] [--clients N] [--processes N] [--batch N]
    python benchmarks/service.py --events 200    # listeners of one process, and how soon they hear

An agency of 1,000 agents whom the match model tells apart. Clients, service and PostgreSQL share this
machine. The clients are one process that writes bare HTTP on connections that stay open, so that little of
the time is theirs; each lead has an idempotency key, and each answer is awaited. Commits are durable (fsync
and synchronous_commit on).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.migrations import migrate
from dealwright.desk.server import start_server, stop_server
from dealwright.simulation.astra import AstraParams, generate_astra
from desk import fit_model

ROOT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-m", "dealwright", "serve")
HISTORY = 20_000
ENDLESS = 1_000_000
EVENT_LEADS, EVENT_PAUSE_S = 200, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leads", type=int, default=50_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1, help="leads in one request")
    parser.add_argument("--agents", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=0, help="follow events on so many connections instead")
    args = parser.parse_args()
    if args.events:
        args.processes, args.leads = 1, EVENT_LEADS
    with tempfile.TemporaryDirectory(prefix="dealwright-bench-") as name:
        home = Path(name)
        server = start_server(home)
        try:
            key, attributes = _make_floor(server.url, home, args.agents)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            environment = {**os.environ, "DATABASE_URL": server.url, "PYTHONPATH": str(ROOT / "src")}
            with (home / "serve.log").open("wb") as log:
                began = time.perf_counter()
                service = subprocess.Popen(
                    [*COMMAND, "--port", str(port), "--processes", str(args.processes)],
                    env=environment, stderr=log, stdout=log, cwd=home,
                )  # fmt: skip
                try:
                    asyncio.run(_ready(port))
                    print(f"ready in {time.perf_counter() - began:.2f} s")
                    _wait_for_all(home / "serve.log", args.processes)
                    if args.events:
                        asyncio.run(_follow(args.events, port, key, attributes))
                        _count_connections(server.url)
                    else:
                        _measure(args, port, key, attributes, (service.pid, server.pid))
                finally:
                    service.send_signal(signal.SIGTERM)
                    service.wait(30)
            _check(server.url, args.leads)
        finally:
            stop_server(home)


def _make_floor(url: str, home: Path, agents: int) -> tuple[str, list[dict[str, Any]]]:
    """Load an agency whose agents the model tells apart; return a key and what its leads were like."""
    world = generate_astra(AstraParams(n_agents=agents, n_assignments=HISTORY, effects="strong", seed=1))
    with Desk(Database.open(url, home)) as desk:
        with desk.database.connect() as connection:
            migrate(connection)
        desk.load(world.history())
        desk.load_model("value", fit_model())
        with desk.database.connect(autocommit=True) as connection:
            connection.execute("update dealwright.agent set capacity = %s", [ENDLESS])
            found = connection.execute(
                "select l.attributes from dealwright.lead as l where not exists (select from "
                "dealwright.dimension as d where d.required and l.attributes ->> d.name is null) "
                "order by l.lead_id limit 5000"
            )
            attributes = [row[0] for row in found]
            connection.execute("vacuum analyze")
        desk.make_roles()  # so that requests have the rights of their role alone, as in service
        return desk.keys.create("bench", ["manager"]), attributes


async def _ready(port: int) -> None:
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            if b" 200 " in await reader.readline():
                return
            writer.close()
        except OSError:
            pass
        await asyncio.sleep(0.02)


def _wait_for_all(log: Path, processes: int) -> None:
    """Wait until every process serves: the first one would get all the connections."""
    while log.read_text("utf-8").count(" serves") < processes:
        time.sleep(0.02)


def _measure(
    args: argparse.Namespace, port: int, key: str, attributes: list[dict[str, Any]], pids: tuple[int, int]
) -> None:
    service, database = pids
    groups = {
        "service": [psutil.Process(service), *psutil.Process(service).children(recursive=True)],
        "PostgreSQL": [psutil.Process(database)],
        "clients": [psutil.Process()],
    }
    before = {name: _cpu_s(found) for name, found in groups.items()}
    began = time.perf_counter()
    seconds = asyncio.run(_send_all(args, port, key, attributes))
    took = time.perf_counter() - began
    requests = len(seconds)
    p50, p99, most = np.percentile(np.array(seconds) * 1000, [50, 99, 100])
    print(
        f"{args.leads:,} leads in {requests:,} requests from {args.clients} clients through {args.processes} "
        f"processes: {args.leads / took:,.0f} leads a second, {took:.1f} s; request p50 {p50:.1f} ms, "
        f"p99 {p99:.1f} ms, longest {most:.0f} ms"
    )
    for name, found in groups.items():
        print(f"  {name}: {_cpu_s(found) - before[name]:.1f} s of processor time")


def _cpu_s(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        # a backend that ended counts with its postmaster
        for one in [process, *(process.children() if process.name() == "postgres" else [])]:
            times = one.cpu_times()
            total += times.user + times.system
    return total


async def _send_all(
    args: argparse.Namespace, port: int, key: str, attributes: list[dict[str, Any]]
) -> list[float]:
    numbers = iter(range(0, args.leads, args.batch))
    seconds: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for first in numbers:
            leads = [
                _lead(number, attributes) for number in range(first, min(first + args.batch, args.leads))
            ]
            path = "/leads" if args.batch == 1 else "/leads/batch"
            content: Any = leads[0] if args.batch == 1 else {"leads": leads}
            began = time.perf_counter()
            await _send(reader, writer, key, path, content)
            seconds.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client() for _ in range(args.clients)))
    return seconds


async def _follow(listeners: int, port: int, key: str, attributes: list[dict[str, Any]]) -> None:
    """Send leads one by one, and note for every listener how long after each the event arrived."""
    late: list[float] = []
    request = f"GET /api/v1/events?kind=assigned HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"

    async def listen(begun: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        heard = 0
        while heard < EVENT_LEADS:
            line = await reader.readline()
            if line.startswith(b"retry"):
                begun.set()
            elif line.startswith(b"data: "):
                at = datetime.fromisoformat(json.loads(line[6:])["time"])
                late.append((datetime.now(UTC) - at).total_seconds())
                heard += 1
        writer.close()

    begun = [asyncio.Event() for _ in range(listeners)]
    following = [asyncio.create_task(listen(event)) for event in begun]
    for event in begun:
        await event.wait()
    await asyncio.sleep(1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(EVENT_LEADS):
        await _send(reader, writer, key, "/leads", _lead(number, attributes))
        await asyncio.sleep(EVENT_PAUSE_S)
    await asyncio.gather(*following)
    p50, p95, most = np.percentile(np.array(late) * 1000, [50, 95, 100])
    print(
        f"{EVENT_LEADS} events to {listeners} listeners of one process: from the event to the client "
        f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, longest {most:.0f} ms"
    )


def _count_connections(url: str) -> None:
    with Database(url) as database, database.connect() as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where backend_type = 'client backend' "
            "and pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    print(f"{row[0]} connections to the database")


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str, path: str, content: Any
) -> None:
    body = json.dumps(content).encode()
    head = (
        f"POST /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    text = await reader.readexactly(length)
    assert b" 201 " in answer[:20], (answer, text)


def _lead(number: int, attributes: list[dict[str, Any]]) -> dict[str, object]:
    return {
        "customer_name": f"Customer {number}",
        "attributes": attributes[number % len(attributes)],
        "idempotency_key": f"bench-{number}",
    }


def _check(url: str, leads: int) -> None:
    """Recount from scratch: every lead once, nobody over capacity, every counter right."""
    with Database(url) as database, database.connect() as connection:
        row = connection.execute(
            "select (select count(*) from dealwright.lead where idempotency_key like 'bench-%'), "
            "(select count(distinct idempotency_key) from dealwright.lead), "
            "(select count(*) from dealwright.lead as l join dealwright.assignment as s using (lead_id) "
            " where s.status <> 'reassigned' and l.idempotency_key like 'bench-%'), "
            "(select count(*) from dealwright.lead where is_waiting), "
            "(select count(*) from dealwright.agent as a where a.open > a.capacity or a.open <> "
            " (select count(*) from dealwright.assignment as s "
            "  where s.agent_id = a.agent_id and s.status = 'open'))"
        ).fetchone()
    assert row is not None
    recorded, keys, placed, waiting, wrong = row
    assert recorded == keys == leads, row
    assert placed + waiting == leads, row
    assert wrong == 0, row
    print(
        f"recounted: {recorded:,} leads, each once; {placed:,} placed, {waiting:,} wait; nobody is too full"
    )


if __name__ == "__main__":
    main()
