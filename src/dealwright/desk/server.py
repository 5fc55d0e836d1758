"""Start, stop and find the embedded PostgreSQL of one home directory.

The server outlives the process that started it, because other clients use its URL. Every function may be
called by many processes at once: a lock file in the home directory lets one of them do the work.

The wheel's own launcher is not used: it stops waiting after ten seconds, takes a dead server whose process
nobody has reaped for a running one, and as root opens every directory above the data for reading.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from psycopg.pq import PGconn, Ping

from dealwright.desk.cluster import (
    DATABASE,
    MAJOR_VERSION,
    SUPERUSER,
    bring_settings_up_to_date,
    create_cluster,
    own,
    run_program,
    server_account,
    tail,
    unwritable,
)
from dealwright.errors import DatabaseError, InputError

_LOG_LIMIT_BYTES = 16 * 2**20
_LOCK_TIMEOUT_S = 300.0
_START_TIMEOUT_S = 600.0  # recovery after a crash replays at most max_wal_size
_SOCKET_PATH_BYTES = 103  # sun_path of macOS; Linux allows 107


@dataclass(frozen=True)
class Server:
    """A running embedded server.

    Attributes
    ----------
    home
        The directory it belongs to (``DEALWRIGHT_HOME``).
    pid
        Process id of its postmaster.
    url
        Connection URL of the desk's database.
    """

    home: Path
    pid: int
    url: str

    @property
    def data(self) -> Path:
        """Its data directory."""
        return _data(self.home)

    @property
    def log(self) -> Path:
        """Its log file."""
        return _log(self.home)

    def url_of(self, database: str) -> str:
        """Return the connection URL of another database of this server."""
        return self.url.replace(f"/{DATABASE}?", f"/{quote(database, safe='')}?", 1)

    def summary(self) -> str:
        """Say in one line what runs where."""
        return f"PostgreSQL {MAJOR_VERSION} (process {self.pid}) with its data in {self.data}: {self.url}"


def start_server(home: Path, *, options: Mapping[str, str] | None = None) -> Server:
    """Start the server of ``home``, creating it when there is none, or find it already running.

    Parameters
    ----------
    home
        Directory that holds the data; created when missing.
    options
        PostgreSQL settings for this start only, for example ``{"fsync": "off"}``; not for one that runs.

    Raises
    ------
    InputError
        The path holds a line end or another control character.
    DatabaseError
        It cannot start; the message holds the reason, the end of the log and what to do.
    """
    home = home.expanduser().absolute()
    if re.search(r"[\x00-\x1f\x7f]", str(home)):  # the server's own files hold one path a line
        raise InputError(
            f"the path of the home {str(home)!r} holds a control character: name another directory"
        )
    if (running := find_server(home)) is not None:
        if bring_settings_up_to_date(running.data):
            run_program("pg_ctl", "reload", "-D", running.data.name, timeout_s=60, folder=home)
        return running
    with _locked(home):
        if (running := find_server(home)) is not None:  # another process started it while this one waited
            return running
        data = _data(home)
        if not data.exists():
            create_cluster(data)
        _check_version(data)
        bring_settings_up_to_date(data)
        _clear_stale_locks(data)
        _launch(home, options or {})
        server = find_server(home)
        if server is None:
            raise _start_failure(home, "it stopped again at once")
        return server


def find_server(home: Path) -> Server | None:
    """Return the server of ``home`` if it runs and accepts connections; nothing is changed."""
    home = home.expanduser().absolute()
    found = _read_pid_file(_data(home))
    if found is None:
        return None
    pid, host, port = found
    return Server(home, pid, _url(DATABASE, host, port)) if _ping(host, port) == Ping.OK else None


def stop_server(home: Path, *, timeout_s: float = 60.0) -> bool:
    """Stop the server of ``home``, closing its connections; return whether one was running.

    Raises
    ------
    DatabaseError
        It did not stop in time.
    """
    home = home.expanduser().absolute()
    if _read_pid_file(_data(home)) is None:
        return False
    with _locked(home):
        data = _data(home)
        _clear_stale_locks(data)
        if _read_pid_file(data) is None:
            return False
        seconds = str(max(1, round(timeout_s)))
        done = run_program(
            "pg_ctl", "stop", "-w", "-t", seconds, "-m", "fast", "-D", str(data), timeout_s=timeout_s + 10
        )
        if done.returncode and _read_pid_file(data) is not None:
            raise DatabaseError(f"the embedded PostgreSQL in {data} did not stop:\n{tail(done.stdout)}")
        return True


def _data(home: Path) -> Path:
    return home / "postgres"


def _log(home: Path) -> Path:
    return home / "postgres.log"


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the home's lock: one process at a time creates, starts or stops its server."""
    from fasteners import InterProcessLock

    path = home / "server.lock"
    lock = InterProcessLock(path)
    try:
        _make_private(home)
        held = lock.acquire(timeout=_LOCK_TIMEOUT_S, delay=0.005, max_delay=0.05)
    except OSError as error:
        raise unwritable(home, error) from error
    if not held:
        raise DatabaseError(
            f"another process has been starting or stopping the server for {_LOCK_TIMEOUT_S:.0f} s: "
            f"see which one holds {path}, end it, and try again"
        )
    try:
        yield
    finally:
        lock.release()


def _make_private(home: Path) -> None:
    """Create a home that only its owner may read; one that holds a desk already is closed to others."""
    home.parent.mkdir(parents=True, exist_ok=True)
    fresh = False
    with contextlib.suppress(FileExistsError):
        home.mkdir(mode=0o700)
        fresh = True
    # the server's account passes through, where it is another one (see cluster.own), and does not list it
    if os.name != "nt" and not fresh and home.stat().st_mode & 0o066 and (home / "postgres").exists():
        home.chmod(home.stat().st_mode & 0o711)


def _read_pid_file(data: Path) -> tuple[int, str, int] | None:
    """Process id, host (or socket directory) and port from postmaster.pid, once written."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        host = lines[4].strip() or lines[5].strip()
        return int(lines[0]), host, int(lines[3])
    except (OSError, IndexError, ValueError):
        return None


def _url(database: str, host: str, port: int) -> str:
    return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(host, safe='')}&port={port}"


def _ping(host: str, port: int) -> Ping:
    return Ping(PGconn.ping(f"{_url('postgres', host, port)}&connect_timeout=5".encode()))


def _check_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except OSError as error:
        raise DatabaseError(
            f"{data} is not a PostgreSQL data directory ({error.strerror}): "
            "move it away, or set DEALWRIGHT_HOME to another directory"
        ) from error
    if version != str(MAJOR_VERSION):
        raise DatabaseError(
            f"{data} was created by PostgreSQL {version}, and this package brings {MAJOR_VERSION}: "
            "dump it with the older package and load it into a new DEALWRIGHT_HOME"
        )


def _clear_stale_locks(data: Path) -> None:
    """Remove the lock files of a server that is gone where PostgreSQL itself could not be sure of it.

    PostgreSQL takes any process with the recorded id for a running server, also one killed but not yet reaped
    (usual in containers) and an unrelated one that got the same id. Every process of a server works in its
    data directory, so when none does, nobody can be using it; as long as one does, the files stay.
    """
    import psutil

    locks = [data / "postmaster.pid"]
    if os.name != "nt":
        locks.append(_socket_folder(data) / ".s.PGSQL.5432.lock")
    deadline = time.monotonic() + 30
    while recorded := {pid for path in locks if (pid := _recorded_pid(path)) is not None}:
        living = {
            process.pid
            for process in psutil.process_iter(["name", "cwd", "status"])
            if process.info["name"] in {"postgres", "postgres.exe"}
            and process.info["status"] != psutil.STATUS_ZOMBIE
            and process.info["cwd"] == str(data.resolve())
        }
        if recorded & living:
            return  # starting up or shutting down
        if not living:
            if any(psutil.pid_exists(pid) for pid in recorded):  # otherwise PostgreSQL sees it for itself
                for path in locks:
                    path.unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            pids = ", ".join(map(str, sorted(living)))
            raise DatabaseError(
                f"processes {pids} of a killed server still use {data}: end them and try again"
            )
        time.sleep(0.05)  # backends notice the death of their server within moments


def _recorded_pid(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _launch(home: Path, options: Mapping[str, str]) -> None:
    """Run pg_ctl and wait until the server answers."""
    data, log = _data(home), _log(home)
    try:
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        log.touch(mode=0o600)
        log.chmod(0o600)
        own(log)
    except OSError as error:
        raise unwritable(home, error) from error
    if os.name == "nt":
        arguments = ["-p", str(_free_port()), "-h", "127.0.0.1"]
    else:
        arguments = ["-p", "5432", "-k", str(_socket_folder(data))]
    for name, value in options.items():
        arguments += ["-c", f"{name}={value}"]
    line = " ".join(f'"{part}"' if os.name == "nt" else shlex.quote(part) for part in arguments)
    # pg_ctl writes -D and -l into a line for the shell, which would run what a path holds: so they are names
    # within the home
    done = run_program(
        *("pg_ctl", "start", "-w", "-t", "60", "-D", data.name, "-l", log.name, "-o", line),
        timeout_s=90,
        folder=home,
    )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while done.returncode and find_server(home) is None:
        # pg_ctl gives up before a long recovery ends: go on waiting as long as the server says it is starting
        if (found := _read_pid_file(data)) is None or time.monotonic() > deadline:
            raise _start_failure(home, done.stdout)
        if _ping(found[1], found[2]) == Ping.NO_RESPONSE:
            raise _start_failure(home, done.stdout)
        time.sleep(0.2)


def _start_failure(home: Path, reason: str) -> DatabaseError:
    try:
        text = _log(home).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return DatabaseError(
        f"the embedded PostgreSQL in {_data(home)} did not start:\n{tail(reason, 4)}\n"
        f"The end of its log, {_log(home)}:\n{tail(text)}\n"
        "Mend what it names (disk space, a setting in dealwright.conf), set DEALWRIGHT_HOME to another "
        "directory, or give a database of your own with DATABASE_URL"
    )


def _socket_folder(data: Path) -> Path:
    """Directory of the server's socket: its data directory (private), or a private one with a short name."""
    # PostgreSQL takes a comma for the end of one of several directories; in a URL @ ends a password
    if len(os.fsencode(data / ".s.PGSQL.5432")) <= _SOCKET_PATH_BYTES and not set(",@") & set(str(data)):
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"dealwright-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    own(folder)
    expected = (server_account() or (os.getuid(), 0))[0]
    status = folder.lstat()
    if status.st_uid != expected or status.st_mode & 0o077:
        raise DatabaseError(
            f"{folder} belongs to somebody else, so the server's socket would not be private: "
            "remove it, or set DEALWRIGHT_HOME to a directory with a shorter path"
        )
    return folder


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
