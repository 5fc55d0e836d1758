"""Fixtures that every test may use: an embedded server, a fresh desk in it, and the shared example data."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from old_desk import restore_version_0_1
from servers import TestServer, owner_is_no_superuser, start_test_server, stop_test_server

from dealwright.desk.database import Database
from dealwright.desk.migrations import migrate

ROOT = Path(__file__).resolve().parents[1]
# a test's data need not survive a power cut; tests of durability start a server of their own
FAST_AND_LOOSE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """Return one server for the whole run: the embedded one, unless the environment asks for another."""
    found = start_test_server(tmp_path_factory.mktemp("desk"), FAST_AND_LOOSE)
    yield found
    stop_test_server(found)


@pytest.fixture(autouse=True)
def _only_for_administrators(request: pytest.FixtureRequest) -> None:
    """Skip what only a superuser may do where the desk's owner is none."""
    if request.node.get_closest_marker("administrator") and owner_is_no_superuser():
        pytest.skip("the owner of this desk is no superuser")


@pytest.fixture(scope="session")
def empty_template(server: TestServer) -> str:
    """Return the name of a database that a desk can be built in, with no desk in it."""
    server.create_database("template_empty")
    Database.open(server.url_of("template_empty"), server.home).close()
    return "template_empty"


@pytest.fixture(scope="session")
def desk_template(server: TestServer, empty_template: str) -> str:
    """Return the name of a migrated database without data."""
    server.create_database("template_desk", empty_template)
    with Database(server.url_of("template_desk")).connect() as connection:
        migrate(connection)
    return "template_desk"


@pytest.fixture
def empty_database(server: TestServer, empty_template: str) -> Iterator[Database]:
    """Return a database without a desk, dropped after the test."""
    yield from _copy(server, empty_template)


@pytest.fixture
def database(server: TestServer, desk_template: str) -> Iterator[Database]:
    """Return a freshly migrated desk, dropped after the test."""
    yield from _copy(server, desk_template)


@pytest.fixture(scope="session")
def template_of_version_0_1(server: TestServer, empty_template: str) -> str:
    """Return the name of a database that version 0.1 left."""
    server.create_database("template_0_1", empty_template)
    with Database(server.url_of("template_0_1")) as database:
        restore_version_0_1(database)
    return "template_0_1"


@pytest.fixture
def version_0_1(server: TestServer, template_of_version_0_1: str) -> Iterator[Database]:
    """Return the desk that version 0.1 left, dropped after the test."""
    yield from _copy(server, template_of_version_0_1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the directory of the example data that stands beside the project, or skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the example data (../shared) is not on this machine")
    return folder


def _copy(server: TestServer, template: str) -> Iterator[Database]:
    name = f"test_{next(_numbers)}"
    server.create_database(name, template)
    with Database(server.url_of(name)) as database:
        yield database
    server.administer(f"DROP DATABASE {name} WITH (FORCE)")
