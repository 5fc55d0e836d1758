"""The server that tests run against: the embedded one, or another that ``DEALWRIGHT_TEST_SERVER`` asks for.

It may say ``16`` (PostgreSQL 16, from the wheel ``pgserver``), ``owner`` (a desk whose owner is no superuser,
in a database that has ``vector`` in a schema of its own), or both: ``16,owner``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from dealwright.desk import cluster
from dealwright.desk.cluster import DATABASE, own, run_program
from dealwright.desk.server import Server, find_server, start_server, stop_server

OWNER = "desk_owner"
VECTOR_SCHEMA = "extensions"
_KNOWN = {"16", "owner"}


@dataclass(frozen=True)
class TestServer:
    """A server with the databases of tests.

    Attributes
    ----------
    server
        As the package finds it.
    owner
        Role that owns the databases; the superuser unless asked otherwise.
    """

    __test__ = False

    server: Server
    owner: str = cluster.SUPERUSER

    @property
    def home(self) -> Path:
        return self.server.home

    def url_of(self, database: str) -> str:
        """Return the URL of a database, for its owner."""
        url = self.server.url_of(database)
        return url.replace(f"//{cluster.SUPERUSER}@", f"//{self.owner}@", 1)

    def administer(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.server.url_of(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, name: str, template: str = "template1") -> None:
        """Create a database for its owner, with the extension ``vector`` where that may not create it."""
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {self.owner} STRATEGY file_copy")
        if template == "template1" and self.owner != cluster.SUPERUSER:
            self.administer(
                f"CREATE SCHEMA {VECTOR_SCHEMA}; GRANT USAGE ON SCHEMA {VECTOR_SCHEMA} TO {self.owner}; "
                f"CREATE EXTENSION vector SCHEMA {VECTOR_SCHEMA}",
                name,
            )


def _wanted() -> set[str]:
    wanted = {word for word in os.environ.get("DEALWRIGHT_TEST_SERVER", "").split(",") if word}
    if not wanted <= _KNOWN:
        raise pytest.UsageError(f"DEALWRIGHT_TEST_SERVER may say {_KNOWN}, not {wanted}")
    return wanted


def owner_is_no_superuser() -> bool:
    """Whether the tests' desks belong to a role without special rights."""
    return "owner" in _wanted()


def start_test_server(home: Path, options: Mapping[str, str]) -> TestServer:
    """Start the server that the environment asks for."""
    wanted = _wanted()
    server = _start_16(home, options) if "16" in wanted else start_server(home, options=options)
    if "owner" not in wanted:
        return TestServer(server)
    found = TestServer(server, OWNER)
    found.administer(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
    return found


def stop_test_server(found: TestServer) -> None:
    """Stop it again."""
    stop_server(found.home)


def _start_16(home: Path, options: Mapping[str, str]) -> Server:
    """Run the programs of the wheel ``pgserver`` in place of the embedded server's."""
    spec = find_spec("pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("the wheel pgserver, which brings PostgreSQL 16, is not installed")
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    embedded = cluster.program
    try:
        cluster.program = lambda name: programs / name
        data = home / "postgres"
        data.mkdir(mode=0o700)
        own(data)
        arguments = (
            "-D",
            data.name,
            "-U",
            cluster.SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
        )
        done = run_program("initdb", *arguments, timeout_s=120, folder=home)
        assert done.returncode == 0, done.stdout
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(data),
            "max_connections": "200",
            **options,
        }
        log = home / "postgres.log"
        log.touch()
        own(log)
        with (data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        done = run_program(
            *("pg_ctl", "start", "-w", "-D", data.name, "-l", log.name), timeout_s=120, folder=home
        )
        assert done.returncode == 0, done.stdout
    finally:
        cluster.program = embedded
    server = find_server(home)
    assert server is not None
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    return server
