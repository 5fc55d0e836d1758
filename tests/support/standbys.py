"""A standby of an embedded server: real streaming replication, over the primary's own socket."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import psycopg

from dealwright.desk.cluster import own, program
from dealwright.desk.server import Server, start_server


def make_standby(primary: Server, home: Path, *, name: str = "standby") -> Server:
    """Copy the primary's cluster into a home of its own, and let it follow from there."""
    home.mkdir(mode=0o700)
    data = home / "postgres"
    subprocess.run(
        [
            program("pg_basebackup"), "--checkpoint=fast", "--write-recovery-conf", "--create-slot",
            f"--slot={name}", f"--pgdata={data}", f"--dbname={primary.url}&application_name={name}",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    own(home)
    for path in (data, *data.rglob("*")):
        if not path.is_symlink():
            _hand_over(path, primary.data)
    return start_server(home)


def _hand_over(path: Path, like: Path) -> None:
    owner = like.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def follow_synchronously(primary: Server, name: str = "standby") -> None:
    """Let the primary answer only what the standby shows."""
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute(f"alter system set synchronous_standby_names = '{name}'")
        connection.execute("alter system set synchronous_commit = 'remote_apply'")
        connection.execute("select pg_reload_conf()")


def lose(server: Server) -> None:
    """Let the machine of a server be gone: every process of it is killed at once."""
    postmaster = psutil.Process(server.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()  # so that nobody answers while others die
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=30)


def promote(server: Server) -> None:
    """Let a standby take over."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        row = connection.execute("select pg_promote()").fetchone()
    assert row == (True,)
