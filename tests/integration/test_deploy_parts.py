"""What the image and the compose file run, started by hand: the wheel, its commands, a PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from servers import TestServer

from dealwright import Client

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the wheel installs, and nothing else of the project."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_commands_of_the_compose_file_make_a_floor(
    package: Path, server: TestServer, empty_template: str, tmp_path: Path
) -> None:
    services: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))[
        "services"
    ]
    name = f"compose_{os.getpid()}"
    server.create_database(name, empty_template)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    def environment(service: str) -> dict[str, str]:
        """Return the variables of a service, with the address of this server in the place of the other."""
        asked = services[service]["environment"]
        assert asked.keys() in ({"DATABASE_URL"}, {"DATABASE_URL", "DEALWRIGHT_WEBHOOK_KEY"})
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        return {**kept, "DATABASE_URL": server.url_of(name), "PYTHONPATH": str(package)}

    def start(service: str) -> subprocess.Popen[bytes]:
        command = [port if part == "8000" else part for part in services[service]["command"]]
        with (tmp_path / f"{service}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "dealwright", *command], env=environment(service), cwd=tmp_path,
                stdout=log, stderr=log,
            )  # fmt: skip

    assert start("init").wait(60) == 0, (tmp_path / "init.log").read_text("utf-8")
    running = [start("serve"), start("worker")]
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", running, tmp_path)
        made = subprocess.run(
            [sys.executable, "-P", "-m", "dealwright", "key", "create", "admin", "--scope", "admin"],
            env=environment("serve"), cwd=tmp_path, check=True, capture_output=True, text=True,
        )  # fmt: skip
        with Client(f"http://127.0.0.1:{port}", made.stdout.strip()) as client:
            assert (
                client.assign({"customer_name": "Kate"}).row["status"] == "waiting"
            )  # there is no agent yet
            figures = httpx.get(
                f"http://127.0.0.1:{port}/api/v1/metrics",
                headers={"Authorization": f"Bearer {made.stdout.strip()}"},
            ).text
        # the worker is the one of its own container: the service was told not to
        assert "--no-worker" in services["serve"]["command"]
        assert "dealwright_worker_leads 1.0" in figures
        health = services["serve"]["healthcheck"]["test"]
        assert health[:3] == ["CMD", "python", "-c"]
        subprocess.run([sys.executable, "-c", health[3].replace("8000", port)], check=True, timeout=30)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in running]
    assert codes == [0, 0]
    server.administer(f"DROP DATABASE {name} WITH (FORCE)")


def _wait_until_ready(url: str, running: list[subprocess.Popen[bytes]], folder: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert [process.poll() for process in running] == [None, None], [
            path.read_text("utf-8") for path in folder.glob("*.log")
        ]
        try:
            if httpx.get(f"{url}/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("not ready in time")
