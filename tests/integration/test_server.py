"""The embedded PostgreSQL starts, is found, survives and says why when it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dealwright.desk.cluster import program, server_account
from dealwright.desk.database import Database
from dealwright.desk.server import Server, find_server, start_server, stop_server
from dealwright.errors import DatabaseError, InputError

START = """
import sys
from pathlib import Path
from dealwright.desk.server import start_server
print(start_server(Path(sys.argv[1])).url)
"""


@pytest.fixture(scope="module")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a home of this module's own, with the durability a user gets."""
    home = tmp_path_factory.mktemp("durable")
    yield home
    stop_server(home)


@pytest.fixture
def durable(template_home: Path) -> Server:
    return start_server(template_home)


def _start_in_a_process(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", START, str(home)], stdout=subprocess.PIPE, text=True)


def _setting(server: Server, name: str) -> str:
    with psycopg.connect(server.url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_is_durable_and_roomy_by_default(durable: Server) -> None:
    assert _setting(durable, "synchronous_commit") == "on"
    assert _setting(durable, "fsync") == "on"
    assert _setting(durable, "full_page_writes") == "on"
    assert int(_setting(durable, "max_connections")) >= 100
    assert _setting(durable, "jit") == "off"
    assert _setting(durable, "TimeZone") == "UTC"
    assert _setting(durable, "listen_addresses") == ""


def test_ends_transactions_that_do_nothing(durable: Server) -> None:
    name = "idle_in_transaction_session_timeout"
    assert _setting(durable, name) == "5min"
    settings = durable.data / "dealwright.conf"
    new = settings.read_text()
    old = "".join(line for line in new.splitlines(keepends=True) if name not in line)
    settings.write_text(old)  # as an older version wrote it
    start_server(durable.home)
    assert _setting(durable, name) == "5min"
    assert settings.read_text().startswith(old)
    settings.write_text(old + f"#{name} = 0\n")  # somebody's own decision
    start_server(durable.home)
    assert settings.read_text() == old + f"#{name} = 0\n"
    settings.write_text(new)


def test_is_found_running_and_started_once(durable: Server) -> None:
    assert start_server(durable.home) == durable
    assert find_server(durable.home) == durable


def test_keeps_data_over_a_stop(durable: Server) -> None:
    with psycopg.connect(durable.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert stop_server(durable.home)
    assert not stop_server(durable.home)
    assert find_server(durable.home) is None
    with psycopg.connect(start_server(durable.home).url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_keeps_what_was_committed_when_killed(durable: Server) -> None:
    with psycopg.connect(durable.url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS survivor")
        connection.execute("CREATE TABLE survivor AS SELECT 7 AS answer")
        os.kill(durable.pid, signal.SIGKILL)
        again = start_server(durable.home)
    assert again.pid != durable.pid
    with psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT answer FROM survivor").fetchone() == (7,)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_starts_though_an_unrelated_process_has_the_recorded_id(durable: Server) -> None:
    """After a reboot the id may belong to anybody; PostgreSQL itself would refuse to start."""
    os.kill(durable.pid, signal.SIGKILL)
    pid_file = durable.data / "postmaster.pid"
    deadline = time.monotonic() + 30
    while find_server(durable.home) and time.monotonic() < deadline:
        time.sleep(0.01)
    owner = server_account()
    other = subprocess.Popen(
        ["sleep", "60"], **({} if owner is None else {"user": owner[0], "group": owner[1]})
    )
    try:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        assert start_server(durable.home).pid != other.pid
    finally:
        other.kill()
        other.wait()


def test_outlives_the_process_that_started_it(durable: Server) -> None:
    stop_server(durable.home)
    url, _ = _start_in_a_process(durable.home).communicate(timeout=60)
    with psycopg.connect(url.strip()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("state", ["new", "stopped"])
def test_starts_once_when_many_processes_ask_at_once(state: str, tmp_path: Path) -> None:
    if state == "stopped":
        start_server(tmp_path)
        stop_server(tmp_path)
    try:
        processes = [_start_in_a_process(tmp_path) for _ in range(6)]
        urls = {process.communicate(timeout=60)[0].strip() for process in processes}
        assert urls == {start_server(tmp_path).url}
        with psycopg.connect(urls.pop()) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("dealwright",)
    finally:
        stop_server(tmp_path)


def test_takes_a_home_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long name with spaces and 'quotes' " * 3)
    try:
        with psycopg.connect(start_server(home).url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop_server(home)


def test_forgets_an_initialisation_that_was_cut_short(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    try:
        assert find_server(tmp_path) is None
        start_server(tmp_path)
        assert not half.exists()
    finally:
        stop_server(tmp_path)


def test_names_the_setting_that_keeps_it_from_starting(tmp_path: Path) -> None:
    start_server(tmp_path)
    stop_server(tmp_path)
    settings = tmp_path / "postgres" / "dealwright.conf"
    settings.write_text(settings.read_text() + "shared_buffers = plenty\n")
    with pytest.raises(
        DatabaseError, match=r"(?s)invalid value for parameter \"shared_buffers\".*DEALWRIGHT_HOME"
    ):
        start_server(tmp_path)


def test_refuses_the_data_of_another_major_version(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(DatabaseError, match="created by PostgreSQL 16"):
        start_server(tmp_path)


def test_says_when_its_home_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    with pytest.raises(DatabaseError, match=r"cannot write in .*: set DEALWRIGHT_HOME"):
        start_server(blocked / "home")


def test_has_the_programs_of_a_client() -> None:
    for name in ("psql", "pgbench", "pg_dump"):
        done = subprocess.run([program(name), "--version"], capture_output=True, text=True, check=True)
        assert " 18." in done.stdout
    with pytest.raises(DatabaseError, match="reinstall"):
        program("no_such_program")


@pytest.mark.parametrize("name", ["anna,ben", "anna@work", "50%20 ?a=1#b"])
def test_takes_a_home_with_signs_that_addresses_use(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    server = start_server(home)
    try:
        with Database.open(None, home).connect() as connection:
            found = connection.execute("show data_directory").fetchone()
            assert found == (str(home / "postgres"),)
        assert "@" not in server.url.partition("@")[2]
    finally:
        assert stop_server(home)


def test_refuses_a_home_with_a_line_end(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'.*a\\nb' holds a control character: name another directory"):
        start_server(tmp_path / "a\nb")
    assert not list(tmp_path.iterdir())


def test_what_a_path_holds_is_a_name_and_runs_nothing(tmp_path: Path) -> None:
    spot = tmp_path / "spot"
    spot.mkdir()
    spot.chmod(0o777)
    home = tmp_path / f"a `touch {spot.name}` $(touch ${{HOME}}x; touch '{spot.name}') \" ' b"
    server = start_server(home)
    try:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("show data_directory").fetchone() == (str(home / "postgres"),)
        assert server.log.stat().st_mode & 0o777 == 0o600
        assert home.stat().st_mode & 0o066 == 0
        assert (home / "postgres").stat().st_mode & 0o077 == 0
    finally:
        assert stop_server(home)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([home.name, "spot"])
    assert not list(spot.iterdir())
