"""Who carries out the nights: one worker at a time, by a schedule and by a queue that both outlive it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.nights import NightRecord
from dealwright.errors import DatabaseError, DealwrightError
from dealwright.runs.logs import REQUEST_ID
from dealwright.runs.schedule import describe_schedule, due_nights
from dealwright.settings import NightSettings

_LEADS: Final = "SELECT pg_try_advisory_lock(hashtext('dealwright nights'), 0)"
_CHILD: Final = (sys.executable, "-m", "dealwright.runs.child")
_FOLDER: Final = re.compile(r"(\d{6,})(-\d+)?")
_GRACE_S: Final = 10.0
_log = logging.getLogger("dealwright")


@dataclass(frozen=True)
class NightPlace:
    """Where a night's process finds the desk, and how it is run."""

    # address of the database, or the home of the embedded one
    url: str | None
    home: Path
    settings: NightSettings  # where tables and runs are, and when nights are due


class NightWorker:
    """Carries out the nights that are due or were asked for, one after the other.

    Any number may run, on any machines that share the folders: one of them leads. Each night is a process of
    its own. If its worker is killed, the process ends as well, and the next worker begins the night anew:
    nothing of it was in its place.

    Parameters
    ----------
    clock
        What time it is, for the schedule.
    command
        The program that carries out a night.
    poll_s
        Seconds between two looks.
    """

    def __init__(
        self,
        desk: Desk,
        place: NightPlace,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        command: Sequence[str] = _CHILD,
        poll_s: float = 1.0,
    ) -> None:
        self._desk, self._place, self._settings = desk, place, place.settings
        self._clock, self._command, self._poll_s = clock, list(command), poll_s
        self._lead = _Lead(desk.database)
        self._seen: datetime | None = None  # up to when the schedule has been looked at
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; wait while the database is away or another worker leads."""
        try:
            while not stop.is_set():
                try:
                    self._round(stop)
                except DealwrightError as error:
                    _log.warning("no night at present: %s", error)
                except Exception:  # noqa: BLE001 - a thread that ended would carry out no night any more
                    _log.exception("the worker of the nights failed; it goes on")
                stop.wait(self._poll_s)
        finally:
            self._lead.leave()

    def _round(self, stop: threading.Event) -> None:
        if not self._lead.is_held():
            return
        if self._lead.is_new:
            self._recover()
            self._lead.is_new = False
            self._seen = None
        self._look_at_schedule()
        night = self._desk.nights.begin(self._name, self._clock())
        if night is not None:
            self._carry_out(night, stop)

    # the schedule

    def _look_at_schedule(self) -> None:
        """Ask for the night that is due; record those that nobody carried out in time."""
        if self._settings.at is None:
            return
        now, nights = self._clock(), self._desk.nights
        if self._seen is None:
            self._seen = nights.keep_schedule(describe_schedule(self._settings), now)
        due = due_nights(self._settings, self._seen, now)
        for night in due:
            late = now - night.at
            if night is due[-1] and late <= timedelta(hours=self._settings.catch_up_h):
                nights.request(night.key, "schedule", due_at=night.at, begin_at=night.at)
            elif nights.miss(night.key, night.at) is not None:
                _log.error(
                    "the night of %s was missed: no worker was there; start one with `dealwright worker`, "
                    "and ask for the night with POST /api/v1/runs if it is still of use",
                    night.at.isoformat(),
                )  # fmt: skip
        if due:
            self._seen = due[-1].at

    # one night

    def _recover(self) -> None:
        """See to what a worker left that is no more."""
        for night in self._desk.nights.list(status="running"):
            self._tidy(night)
            stage = f" in the stage {night.stage}" if night.stage else ""
            cause = f"the worker {night.worker} ended{stage}"
            if night.cancelled_by is not None:
                self._desk.nights.end(night.night_id, "cancelled", error=cause)
            else:
                self._again_or_fail(night, cause, again=True)

    def _carry_out(self, night: NightRecord, stop: threading.Event) -> None:
        token = REQUEST_ID.set(night.request_id)
        try:
            _log.info("a night begins", extra=_of(night))
            try:
                child = _Child(self._command, self._task(night))
            except (DealwrightError, OSError) as error:
                self._again_or_fail(night, f"it cannot begin: {error}", again=False, stop=stop)
            else:
                self._watch(night, child, stop)
        finally:
            REQUEST_ID.reset(token)

    def _watch(self, night: NightRecord, child: _Child, stop: threading.Event) -> None:
        """Wait until the process is over, and record how far it has come, also past a database's outage."""
        noted: tuple[str, float] | None = None
        try:
            while child.is_running():
                if stop.is_set():
                    child.end()
                    self._tidy(night)
                    self._desk.nights.end(
                        night.night_id, "queued", error="its worker was stopped", begin_at=self._clock(),
                        counts=False,
                    )  # fmt: skip
                    return
                held = self._lead.is_held()
                if held is False:
                    child.end()  # another worker has taken over, and begins the night anew
                    return
                # also when nothing is new: somebody may have called it off
                if held and not self._note(night, child.progress or noted or ("starting", 0.0)):
                    child.end()
                    self._tidy(night)
                    _log.info("a night was called off", extra=_of(night))
                    self._end(night, stop, "cancelled")
                    return
                noted = child.progress
                child.wait(self._poll_s)
        finally:
            child.end()
        self._record(night, child, stop)

    def _note(self, night: NightRecord, progress: tuple[str, float]) -> bool:
        try:
            return self._desk.nights.progress(night.night_id, *progress)
        except (DatabaseError, psycopg.OperationalError) as error:  # also one cut in the middle
            _log.warning("how far the night has come is not recorded at present: %s", error, extra=_of(night))
            return True

    def _record(self, night: NightRecord, child: _Child, stop: threading.Event) -> None:
        result = child.message.get("result")
        if result is not None and child.code == 0:
            self._note(night, child.progress or ("writing", 0.9))
            _log.info("a night is done", extra=_of(night))
            self._end(night, stop, "done", folder=_folder_name(night), result=result)
            self._forget_old_runs()
            return
        self._tidy(night)
        if "error" in child.message:
            # who asked for it reads what to mend; by the clock, the tables may be there a little later
            again = night.due_at is not None
            self._again_or_fail(night, str(child.message["error"]), again=again, stop=stop)
        else:
            stage = f" in the stage {child.progress[0]}" if child.progress else ""
            cause = f"its process ended{stage} with code {child.code}; was there enough memory?"
            self._again_or_fail(night, cause, again=True, stop=stop)

    def _again_or_fail(
        self, night: NightRecord, cause: str, *, again: bool, stop: threading.Event | None = None
    ) -> None:
        if again and night.attempts <= self._settings.retries:
            pause = timedelta(minutes=self._settings.retry_after_min) if stop is not None else timedelta()
            _log.warning("a night is tried again: %s", cause, extra=_of(night))
            self._end(night, stop, "queued", error=cause, begin_at=self._clock() + pause)
            return
        times = "" if night.attempts == 1 else f" (attempt {night.attempts}, the last)"
        _log.error("a night failed: %s%s", cause, times, extra={**_of(night), "alarm": True})
        self._end(night, stop, "failed", error=f"{cause}{times}")

    def _end(self, night: NightRecord, stop: threading.Event | None, status: str, **more: Any) -> None:
        """Record how an attempt ended, as soon as the database takes it."""
        while True:
            try:
                self._desk.nights.end(night.night_id, status, **more)
            except DatabaseError as error:
                if stop is None or stop.wait(self._poll_s) or self._lead.is_held() is False:
                    raise
                _log.warning("the end of the night is not recorded yet: %s", error, extra=_of(night))
            else:
                return

    def _task(self, night: NightRecord) -> dict[str, Any]:
        out = Path(self._settings.runs) / _folder_name(night)
        return {
            "night_id": night.night_id, "request_id": night.request_id, "options": dict(night.options),
            "url": self._place.url, "home": str(self._place.home), "settings": asdict(self._settings),
            "out": str(out), "previous": self._previous(night),
        }  # fmt: skip

    def _previous(self, night: NightRecord) -> str | None:
        """Return the folder of the run to compare with."""
        wanted = night.options.get("previous")
        if wanted == 0:
            return None
        before = self._desk.nights.latest_done() if wanted is None else self._desk.nights.get(int(wanted))
        folder = None if before is None or before.folder is None else Path(self._settings.runs, before.folder)
        # one that was asked for by its id must be there: the night says so
        return None if folder is None or (wanted is None and not folder.is_dir()) else str(folder)

    # folders

    def _tidy(self, night: NightRecord) -> None:
        """Remove what an attempt left half-written."""
        shutil.rmtree(Path(self._settings.runs) / f".{_folder_name(night)}.partial", ignore_errors=True)

    def _forget_old_runs(self) -> None:
        runs = Path(self._settings.runs)
        found = sorted(
            (int(match[1]), path)
            for path in runs.iterdir()
            if path.is_dir() and (match := _FOLDER.fullmatch(path.name))
        )
        kept = sorted({number for number, _ in found})[-self._settings.keep :]
        for number, path in found:
            if number not in kept:
                shutil.rmtree(path, ignore_errors=True)


def _folder_name(night: NightRecord) -> str:
    """Return the folder of an attempt: no two processes ever write into the same."""
    again = "" if night.attempts == 1 else f"-{night.attempts}"
    return f"{night.night_id:06d}{again}"


def _of(night: NightRecord) -> dict[str, Any]:
    return {"night_id": night.night_id, "attempt": night.attempts}


class _Lead:
    """The lock of the database that one worker has, and the session that holds it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None
        self.is_new = False

    def is_held(self) -> bool | None:
        """Whether this worker leads; None: the database cannot be reached, so nobody knows."""
        try:
            if self._connection is not None:
                self._connection.execute("SELECT 1")
                return True
            connection = self._database.connect(autocommit=True)
        except (psycopg.Error, DealwrightError):
            self.leave()
            return None
        try:
            row = connection.execute(_LEADS).fetchone()
        except psycopg.Error:
            connection.close()
            return None
        if row != (True,):
            connection.close()
            return False
        self._connection, self.is_new = connection, True
        return True

    def leave(self) -> None:
        """Let another worker lead."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _Child:
    """The process of a night, and what it has said last."""

    def __init__(self, command: Sequence[str], task: dict[str, Any]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            start_new_session=True,
        )  # fmt: skip
        self.progress: tuple[str, float] | None = None
        self.message: dict[str, Any] = {}
        self._reader = threading.Thread(target=self._read, name="dealwright-night", daemon=True)
        self._reader.start()
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            self._process.stdin.write(json.dumps(task, default=str) + "\n")
            self._process.stdin.flush()  # and is left open: its end says that the worker is gone
        except OSError:
            pass  # it has ended already, and its code says how

    @property
    def code(self) -> int | None:
        """How it ended."""
        return self._process.returncode

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def wait(self, seconds: float) -> None:
        """Wait for its end, for so long at most."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def end(self) -> None:
        """End it and all that it has started, if it still runs; what it has said stays."""
        if self.is_running():
            self._signal(signal.SIGTERM)
            self.wait(_GRACE_S)
        if self.is_running():
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self._process.wait()
        self._reader.join(timeout=_GRACE_S)
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _signal(self, number: int) -> None:
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.terminate()
        except ProcessLookupError:
            pass

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if "stage" in message:
                self.progress = (str(message["stage"]), float(message["share"]))
            else:
                self.message = message
