"""Faults in the middle of a floor's work, with real processes: nothing lost, nothing twice, back alone."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from engine import rows, value
from floor_load import load
from psycopg.conninfo import conninfo_to_dict
from receivers import free_port
from serving import ROOT, Serving, lead, make_floor, serving
from silent_proxy import silent_proxy

from dealwright.desk.desk import Desk
from dealwright.desk.server import find_server, stop_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught"),
]
AGENTS = {f"A{number}": 5 for number in range(6)}
RESPOND_SOON = """
update dealwright.policy set params = params || '{"respond_within_min": 0.01}'
"""
SCRIPT = """
import sys
from pathlib import Path

from dealwright.service.params import ServiceParams
from dealwright.service.server import Place, serve

serve(
    Place(None, Path(sys.argv[1])), ServiceParams(stall_s=3, heartbeat_s=0.2, worker=False),
    host="127.0.0.1", port=int(sys.argv[2]),
)
"""


@contextlib.contextmanager
def floor(folder: Path, *options: str) -> Iterator[Serving]:
    """Serve a small floor on an embedded database of its own, with the durability a user gets."""
    home = folder / "home"
    with Desk.open(home=home) as desk:
        make_floor(desk.database, AGENTS)
        keys = {role: desk.keys.create(role, [role]) for role in ("ingest", "manager")}
    try:
        with serving(None, folder, *options) as found:
            found.keys |= keys
            yield found
    finally:
        stop_server(home)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Return a service of two processes, each of which may do the worker's part."""
    with floor(tmp_path_factory.mktemp("faults"), "--processes", "2") as found:
        yield found


def kill_all(pid: int) -> None:
    """Kill a process with all its children at once, as a power cut does."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)


def serving_processes(service: Serving) -> list[psutil.Process]:
    """Return the processes that answer requests."""
    return [
        child
        for child in psutil.Process(service.process.pid).children()
        if "resource_tracker" not in " ".join(child.cmdline())
    ]


def test_a_killed_api_process_loses_nothing_and_is_replaced(service: Serving) -> None:
    with load(service, "api") as clients:
        clients.progress(60)
        for process in serving_processes(service):
            process.send_signal(signal.SIGKILL)  # one of them has the worker's lock
            clients.progress(60)
        assert clients.broken >= 1
        deadline = time.monotonic() + 60
        while service.log.read_text("utf-8").count(" serves") < 4:
            assert time.monotonic() < deadline, "the killed processes were not replaced"
            time.sleep(0.05)
        clients.progress(60)
    with service.desk.database.connect(autocommit=True) as connection:
        held = rows(
            connection,
            "select pid from pg_locks where locktype = 'advisory' and granted "
            "and classid = (hashtext('dealwright worker')::bigint & 4294967295)::oid",
        )
        assert len(held) == 1  # somebody does the worker's part


def test_a_killed_database_loses_nothing_and_is_started_again(service: Serving) -> None:
    home = service.log.parent / "home"
    with load(service, "database") as clients:
        clients.progress(60)
        with service.desk.database.connect(autocommit=True) as connection:
            backend = value(
                connection,
                "select pid from pg_stat_activity where pid <> pg_backend_pid() "
                "and backend_type = 'client backend' order by state_change desc limit 1",
            )
        os.kill(backend, signal.SIGKILL)  # the server throws all clients out and recovers
        clients.progress(60)
        server = find_server(home)
        assert server is not None
        kill_all(server.pid)
        clients.progress(60)
        assert find_server(home) is not None
        assert 503 in clients.refused


def test_connections_cut_in_the_middle_of_transactions_lose_nothing(service: Serving) -> None:
    rng = random.Random(1)
    with load(service, "cut") as clients, service.desk.database.connect(autocommit=True) as connection:
        clients.progress(30)
        ended = 0
        while ended < 20:
            ended += len(
                rows(
                    connection,
                    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
                    "and datname = current_database() and state = 'active'",
                )
            )
            time.sleep(rng.uniform(0, 0.1))
        clients.progress(60)
        assert 503 in clients.refused


def test_a_network_that_falls_silent_is_told_and_loses_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Desk.open(home=home) as desk:
        make_floor(desk.database, AGENTS)
        ingest = desk.keys.create("ingest", ["ingest"])
        place = conninfo_to_dict(desk.database.url)
    try:
        with silent_proxy(Path(place["host"]) / f".s.PGSQL.{place.get('port', 5432)}") as proxy:
            url = (
                f"postgresql://{place['user']}@127.0.0.1:{proxy.port}/{place['dbname']}"
                "?tcp_user_timeout=3000&connect_timeout=2"
            )
            with serving(url, tmp_path) as service:
                service.keys["ingest"] = ingest
                with load(service, "silent") as clients:
                    clients.progress(30)
                    proxy.fall_silent()
                    began = time.monotonic()
                    with httpx.Client(timeout=60) as other:
                        answer = other.post(
                            f"{service.url}/api/v1/leads",
                            json=lead("Other", idempotency_key="silent-other"),
                            headers={"Authorization": f"Bearer {ingest}"},
                        )
                    # the wait, a look that fails, and what the machine is slow
                    assert (answer.status_code, time.monotonic() - began < 25) == (503, True), answer.text
                    assert answer.headers["retry-after"] == "1"
                    told = answer.json()["detail"]
                    assert "timeout" in told or "closed the connection" in told, told
                    proxy.go_on()
                    clients.progress(60)
                    assert 503 in clients.refused
                    clients.sent.add("silent-other")
                    again = service.desk.assign(lead("Other", idempotency_key="silent-other"))
                    clients.answers["silent-other"] = [again.to_dict()]
    finally:
        stop_server(home)


def test_a_killed_worker_is_replaced_by_the_next_and_does_nothing_twice(tmp_path: Path) -> None:
    def worker() -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, "DATABASE_URL": "", "DEALWRIGHT_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(ROOT / "src"),
        }  # fmt: skip
        command = [sys.executable, "-m", "dealwright", "worker", "--every", "0.05"]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    with floor(tmp_path, "--no-worker") as service:
        workers = [worker(), worker(), worker()]
        try:
            # customers that nobody reaches in time go to the next agent, again and again
            with service.desk.database.connect(autocommit=True) as connection:
                rows(connection, RESPOND_SOON)
            with load(service, "worker", 3):
                for number in (0, 1):
                    wait_until_more_return(service)
                    workers[number].send_signal(signal.SIGKILL)
                    workers[number].wait()
                wait_until_more_return(service)
        finally:
            for process in workers:
                process.kill()
                process.wait()


def wait_until_more_return(service: Serving) -> None:
    """Wait until some more leads have gone on to the next agent."""

    def returned() -> int:
        with service.desk.database.connect(autocommit=True) as connection:
            return int(
                value(connection, "select count(*) from dealwright.assignment where status = 'reassigned'")
            )

    aim, deadline = returned() + 3, time.monotonic() + 60
    while returned() < aim:
        assert time.monotonic() < deadline, "no worker returns what nobody answers"
        time.sleep(0.1)


def test_a_full_disk_refuses_and_goes_on_by_itself_once_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "home"
    disk.mkdir()
    size = "260m"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with floor(tmp_path) as service, load(service, "disk") as clients:
            clients.progress(60)
            ballast = disk / "ballast"
            fill(ballast)
            deadline = time.monotonic() + 60
            while clients.refused.count(503) < 10:
                assert time.monotonic() < deadline, "the disk is full, and nobody notices"
                if free_bytes(disk):  # a file of the server's went away
                    fill(ballast)
                time.sleep(0.01)
            ballast.unlink()
            clients.progress(60)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def fill(file: Path) -> None:
    """Let a file take all the room that there is."""
    with contextlib.suppress(OSError), file.open("ab", buffering=0) as stream:
        while stream.write(bytes(2**20)) or True:
            pass


def test_listeners_that_never_read_hold_no_memory_and_are_cut_off(service: Serving, tmp_path: Path) -> None:
    for part in range(4):
        service.desk.assign_many([lead(f"Crowd {part} {number}") for number in range(200)])
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    headers = {"Authorization": f"Bearer {service.keys['manager']}"}
    url = f"http://127.0.0.1:{port}/api/v1"
    home = service.log.parent / "home"
    with (tmp_path / "second.log").open("wb") as log:
        second = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(home), str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        wait_until_answers(port)
        before = psutil.Process(second.pid).memory_info().rss
        asked = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        deaf = []
        for _ in range(60):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(f"GET /api/v1/events?after=0-0 HTTP/1.1\r\nHost: x\r\n{asked}\r\n".encode())
            deaf.append(connection)
        # one that reads hears everything beside them
        with httpx.stream("GET", f"{url}/events?after=0-0", headers=headers, timeout=20) as answer:
            heard = 0
            for line in answer.iter_lines():
                heard += line.startswith("data: {")
                if heard == 800:
                    break
        # each holds a page of events, and what its socket took
        grown = psutil.Process(second.pid).memory_info().rss - before
        assert grown < 60 * 2**20, f"{grown / 2**20:.0f} MB for 60 listeners that do not read"
        deadline = time.monotonic() + 30
        while listeners(url, headers) > 0:  # cut off, though their sockets are open here
            assert time.monotonic() < deadline, "listeners that read nothing are kept for ever"
            time.sleep(0.2)
        for connection in deaf:
            connection.close()
    finally:
        second.terminate()
        second.wait(20)


def wait_until_answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
        assert time.monotonic() < deadline


def listeners(url: str, headers: dict[str, str]) -> float:
    """Return how many clients follow the events of a process, as it counts them."""
    text = httpx.get(f"{url}/metrics", headers=headers, timeout=20).text
    line = next(line for line in text.splitlines() if line.startswith("dealwright_event_listeners"))
    return float(line.split()[-1])
