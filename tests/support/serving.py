"""A service as a process of its own, in front of a small desk, and keys of every kind for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from engine import add_agent, declare
from servers import TestServer

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk

ROOT = Path(__file__).resolve().parents[2]
MARS = {"destination": "Mars", "lead_source": "Organic"}
AGENTS = {"A1": 40, "A2": 40, "A3": 40}
# the service speaks plain HTTP here: to read the machine's certificates takes each new client 40 ms
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Serving:
    """A service that runs."""

    url: str
    desk: Desk
    process: subprocess.Popen[bytes]
    log: Path
    keys: dict[str, str] = field(default_factory=dict)
    start: Callable[[], subprocess.Popen[bytes]] | None = None

    def restart(self) -> None:
        """Kill the service as a power cut would, and start it again at the same address."""
        assert self.start is not None
        self.process.kill()
        self.process.wait()
        self.process = self.start()

    def client(self, role: str | None = "admin", **settings: Any) -> httpx.Client:
        """Return a client with the key of a role."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.keys[role]}"}
        settings = {"timeout": 30, "verify": NO_CERTIFICATES, **settings}
        return httpx.Client(base_url=self.url, headers=headers, **settings)

    def lines(self) -> list[dict[str, Any]]:
        """Return what the service has logged."""
        text = self.log.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def lead(customer: str = "Kate", **more: Any) -> dict[str, Any]:
    """Return a lead as it is sent."""
    return {"customer_name": customer, "attributes": MARS, **more}


def make_floor(database: Database, agents: Mapping[str, int] = AGENTS) -> None:
    """Declare the dimensions and add some agents."""
    with database.connect(autocommit=True) as connection:
        declare(connection)
        for name, capacity in agents.items():
            add_agent(connection, f"Agent {name}", external_id=name, capacity=capacity)


@contextmanager
def serving(url: str | None, folder: Path, *options: str) -> Iterator[Serving]:
    """Run the service for a desk, or for the embedded one under the folder's ``home``; stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / f"serve-{port}.log"
    environment = {
        **os.environ,
        "DATABASE_URL": url or "",
        "DEALWRIGHT_HOME": str(folder / "home"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    with log.open("wb") as stream, Desk.open(url, None if url else folder / "home") as desk:

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-m", "dealwright", "serve", "--port", str(port), *options],
                stderr=stream,
                stdout=stream,
                env=environment,
                cwd=folder,
            )

        found = Serving(f"http://127.0.0.1:{port}", desk, start(), log, start=start)
        try:
            wait_until_ready(found)
            yield found
        finally:
            found.process.send_signal(signal.SIGTERM)
            try:
                found.process.wait(20)
            except subprocess.TimeoutExpired:
                found.process.kill()
                found.process.wait()


def wait_until_ready(service: Serving, within_s: float = 120) -> None:
    """Wait until the service answers."""
    deadline = time.monotonic() + within_s
    with service.client(None, timeout=5) as client:
        while time.monotonic() < deadline:
            assert service.process.poll() is None, service.log.read_text("utf-8")
            try:
                if client.get("/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise AssertionError(f"not ready within {within_s} s: {service.log.read_text('utf-8')}")


@contextmanager
def served_floor(server: TestServer, template: str, folder: Path, *options: str) -> Iterator[Serving]:
    """Serve a new desk with three agents, with a key for every role and one for each of two agents."""
    name = f"served_{os.getpid()}_{time.monotonic_ns()}"
    server.create_database(name, template)
    with Database(server.url_of(name)) as database:
        make_floor(database)
        with Desk(database) as desk:
            desk.make_roles()
    with serving(server.url_of(name), folder, *options) as found:
        for role in ("ingest", "planner", "manager", "admin"):
            found.keys[role] = found.desk.keys.create(role, [role])
        for agent in ("A1", "A2"):
            found.keys[agent] = found.desk.keys.create(agent, ["agent"], agent=agent)
        yield found
    server.administer(f"DROP DATABASE {name} WITH (FORCE)")
