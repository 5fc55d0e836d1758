"""How the service begins and ends: soon ready; before it ends it says so, and what is under way ends well."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import psutil
from ledger import check_desk
from servers import TestServer
from serving import lead, served_floor


def test_a_service_says_that_it_ends_and_answers_until_then(
    server: TestServer, desk_template: str, tmp_path: Path
) -> None:
    with served_floor(server, desk_template, tmp_path, "--drain", "4") as service:
        # three seconds by the clock on a quiet machine (docs/measured.md); this does not depend on others
        times = psutil.Process(service.process.pid).cpu_times()
        assert times.user + times.system < 6
        heard: list[str] = []
        begun, ended = threading.Event(), threading.Event()

        def listen() -> None:
            with service.client("manager") as client, client.stream("GET", "/api/v1/events") as answer:
                for line in answer.iter_lines():
                    if line.startswith("retry"):
                        begun.set()
                    if line.startswith("event: dealwright.assigned"):
                        heard.append(line)
            ended.set()  # and not by a broken connection

        threading.Thread(target=listen, daemon=True).start()
        assert begun.wait(20)
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        with service.client("ingest") as client:
            deadline = time.monotonic() + 3
            while (ready := client.get("/ready")).status_code == 200:
                assert time.monotonic() < deadline
            assert ready.status_code == 503
            assert "about to end" in ready.json()["detail"]
            assert client.get("/health").status_code == 200
            # what arrives all the same is done, and those who listen hear of it
            assert client.post("/api/v1/leads", json=lead("Late")).status_code == 201
            assert service.process.poll() is None
        assert ended.wait(20)
        assert service.process.wait(20) == -signal.SIGTERM  # raised again when all is done
        assert heard == ["event: dealwright.assigned"]
        with service.desk.database.connect(autocommit=True) as connection:
            check_desk(connection)


def test_a_second_signal_ends_the_service_at_once(
    server: TestServer, desk_template: str, tmp_path: Path
) -> None:
    with served_floor(server, desk_template, tmp_path, "--drain", "600") as service:
        service.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while httpx.get(f"{service.url}/ready").status_code == 200:
            assert time.monotonic() < deadline
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == -signal.SIGTERM  # raised again when all is done
