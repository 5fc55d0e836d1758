"""Fixtures that every test may use: an embedded server, a fresh desk in it, and the shared example data."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from old_desk import restore_version_0_1

from dealwright.desk.database import Database
from dealwright.desk.migrations import migrate
from dealwright.desk.server import Server, start_server, stop_server

ROOT = Path(__file__).resolve().parents[1]
# a test's data need not survive a power cut; tests of durability start a server of their own
FAST_AND_LOOSE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return one embedded server for the whole run."""
    home = tmp_path_factory.mktemp("desk")
    yield start_server(home, options=FAST_AND_LOOSE)
    stop_server(home)


@pytest.fixture(scope="session")
def empty_template(server: Server) -> str:
    """Return the name of a database that a desk can be built in, with no desk in it."""
    _create_database(server, "template_empty")
    Database.open(server.url_of("template_empty"), server.home).close()
    return "template_empty"


@pytest.fixture(scope="session")
def desk_template(server: Server, empty_template: str) -> str:
    """Return the name of a migrated database without data."""
    _create_database(server, "template_desk", empty_template)
    with Database(server.url_of("template_desk")).connect() as connection:
        migrate(connection)
    return "template_desk"


@pytest.fixture
def empty_database(server: Server, empty_template: str) -> Iterator[Database]:
    """Return a database without a desk, dropped after the test."""
    yield from _copy(server, empty_template)


@pytest.fixture
def database(server: Server, desk_template: str) -> Iterator[Database]:
    """Return a freshly migrated desk, dropped after the test."""
    yield from _copy(server, desk_template)


@pytest.fixture(scope="session")
def template_of_version_0_1(server: Server, empty_template: str) -> str:
    """Return the name of a database that version 0.1 left."""
    _create_database(server, "template_0_1", empty_template)
    with Database(server.url_of("template_0_1")) as database:
        restore_version_0_1(database)
    return "template_0_1"


@pytest.fixture
def version_0_1(server: Server, template_of_version_0_1: str) -> Iterator[Database]:
    """Return the desk that version 0.1 left, dropped after the test."""
    yield from _copy(server, template_of_version_0_1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the directory of the example data that stands beside the project, or skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the example data (../shared) is not on this machine")
    return folder


def _copy(server: Server, template: str) -> Iterator[Database]:
    name = f"test_{next(_numbers)}"
    _create_database(server, name, template)
    with Database(server.url_of(name)) as database:
        yield database
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _create_database(server: Server, name: str, template: str = "template1") -> None:
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")


def _administer(server: Server, statement: str) -> None:
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())
