"""A real pgbouncer in front of a test's server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from dealwright.desk.cluster import own, server_account

SETTINGS = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
"""


@contextmanager
def pooler(url: str, folder: Path, settings: str = SETTINGS) -> Iterator[str]:
    """Run pgbouncer in front of the server of a URL; yields the URL of the same database through it."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("there is no pgbouncer on this machine (Debian, Ubuntu: apt-get install pgbouncer)")
    target = conninfo_to_dict(url)
    listen_port = _free_port()
    file = folder / "pgbouncer.ini"
    file.write_text(
        settings.format(
            host=target["host"], port=target["port"], user=target["user"], listen_port=listen_port
        )
    )
    own(file)
    # it refuses to be root, and has to reach the server's socket
    account: dict[str, Any] = {}
    if (owner := server_account()) is not None:
        account = {"user": owner[0], "group": owner[1], "extra_groups": []}
    log = (folder / "pgbouncer.log").open("w")
    process = subprocess.Popen([program, str(file)], stdout=log, stderr=log, **account)
    through = f"postgresql://{target['user']}@127.0.0.1:{listen_port}{urlsplit(url).path}"
    try:
        _wait_for(through, process, Path(log.name))
        yield through
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=5, prepare_threshold=None).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
