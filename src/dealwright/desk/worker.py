"""What a desk has to do by the clock: a process that does it, of any number of which one leads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.queries import answered_errors
from dealwright.desk.statements import query
from dealwright.errors import DatabaseError, DealwrightError, InputError
from dealwright.notebook import rows_table
from dealwright.wording import count_of

_LEADS = "SELECT pg_try_advisory_lock(hashtext('dealwright worker'), 0)"
_MOST_RETURNED = 1000  # of one round, so that the queue is not forgotten over them
# what the database's clock and this process's may differ by, between two looks, before the clock has jumped
_JUMP_S = 5.0
_SLOW_S = 1.0  # a look at the clock that takes longer says too little
_log = logging.getLogger("dealwright")


@dataclass(frozen=True)
class WorkerParams:
    """How often a worker looks.

    Attributes
    ----------
    every_s
        Seconds between two looks at shifts that begin and contacts that are due.
    lapse_every_s, seal_every_s, months_every_s, retention_every_s
        Seconds between two looks at follow-up times that are over, between two seals of the record, between
        two looks whether it has room for the months to come, and between two at what its time is over for.
    texts_days
        Who a customer was and what they wrote is erased after so many days; None: it is not.
    archive_days, archive_folder
        Months of the record that ended so many days ago go to the archive, in this folder; None: they stay.

    Raises
    ------
    InputError
        One of them is not above 0.
    """

    every_s: float = 1.0
    lapse_every_s: float = 60.0
    seal_every_s: float = 10.0
    months_every_s: float = 600.0
    retention_every_s: float = 3600.0
    texts_days: float | None = None
    archive_days: float | None = None
    archive_folder: Path | None = None

    def __post_init__(self) -> None:
        for name, seconds in asdict(self).items():
            if name.endswith("_s") and not 0 < seconds <= 86_400:
                raise InputError(f"{name} must be above 0 and at most 86400 seconds (a day), not {seconds}")


@dataclass(frozen=True)
class WorkDone:
    """What a worker did.

    Attributes
    ----------
    placed
        Waiting leads that got a place which a shift had opened.
    returned
        Leads that went to the next agent because the first did not reach the customer in time.
    lapsed
        Assignments that ended because their follow-up time was over.
    sealed
        Decisions that were sealed.
    months
        Partitions of the record that were made for months to come.
    erased
        Leads and tasks from which the customer was taken out because their time was over.
    archived
        Partitions of the record that went to the archive.
    """

    placed: int = 0
    returned: int = 0
    lapsed: int = 0
    sealed: int = 0
    months: int = 0
    erased: int = 0
    archived: int = 0

    def __add__(self, other: WorkDone) -> WorkDone:
        mine, theirs = asdict(self), asdict(other)
        return WorkDone(**{name: mine[name] + theirs[name] for name in mine})

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def summary(self) -> str:
        """Say it in a line."""
        parts = [
            (self.placed, "lead", "placed from the queue"),
            (self.returned, "lead", "given to the next agent"),
            (self.lapsed, "assignment", "lapsed"),
            (self.sealed, "decision", "sealed"),
            (self.months, "partition", "made for the months to come"),
            (self.erased, "customer record", "erased because their time was over"),
            (self.archived, "partition", "archived"),
        ]
        said = [f"{count_of(number, noun)} {what}" for number, noun, what in parts if number]
        return ", ".join(said) or "nothing to do"

    def to_dict(self) -> dict[str, int]:
        """Return it for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        return rows_table(self.summary(), [self.to_dict()])


class Worker:
    """Places waiting leads when a shift begins, ends what is over, seals the record and makes room for it.

    Any number may run, on any machines: the one that holds an advisory lock of the database works, and the
    others wait to take over. Each piece of work is a transaction of its own, so a worker that dies leaves
    nothing half done, and the next one goes on.

    Parameters
    ----------
    database
        Where the desk is. The lock belongs to a session: behind pgbouncer in transaction mode, give the
        worker the address of the server itself.
    params
        How often it looks.
    clock
        Seconds that pass evenly, whatever happens to the time of day.
    """

    def __init__(
        self,
        database: Database,
        params: WorkerParams | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.database = database
        self.params = params or WorkerParams()
        self._clock = clock
        # when this process and the database last looked at their clocks, and by how much the latter is ahead
        self._seen: tuple[float, float] | None = None
        self._ahead_s = 0.0
        self._due = dict.fromkeys(("lapse", "seal", "months", "retention"), 0.0)

    def work(self) -> WorkDone:
        """Do what is due now; what another worker is doing is left to it.

        Raises
        ------
        DatabaseError
            The database cannot be reached, or the user may not do this.
        """
        self._due = dict.fromkeys(self._due, 0.0)
        with self.database.connect(autocommit=True) as connection, answered_errors(self.database.url):
            return self._round(connection)

    def run(
        self,
        stop: threading.Event,
        tell: Callable[[WorkDone], None] = lambda _: None,
        *,
        on_lead: Callable[[], None] = lambda: None,
    ) -> WorkDone:
        """Work until `stop` is set; wait while the database cannot be reached.

        Parameters
        ----------
        tell
            Is told of every round in which something was done.
        on_lead
            Is called when this worker begins to lead.

        Returns
        -------
        WorkDone
            What was done in all.
        """
        done = WorkDone()
        pause_s = self.params.every_s
        while not stop.is_set():
            try:
                with (
                    self.database.connect(autocommit=True) as connection,
                    answered_errors(self.database.url),
                ):
                    pause_s = self.params.every_s
                    if self._lead(connection, stop):
                        on_lead()
                    while not stop.is_set():
                        now = self._round(connection)
                        if now:
                            tell(now)
                        done += now
                        stop.wait(self.params.every_s)
            except (DatabaseError, psycopg.Error) as error:
                _log.warning("the worker tries again in %.0f s: %s", pause_s, error)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, 30.0)
        return done

    def _lead(self, connection: Connection[Any], stop: threading.Event) -> bool:
        """Wait until no other worker leads."""
        while not stop.is_set():
            row = connection.execute(_LEADS).fetchone()
            if row is not None and row[0]:
                return True
            stop.wait(self.params.every_s)
        return False

    def _round(self, connection: Connection[Any]) -> WorkDone:
        """Look once at everything that is due; each piece is a transaction of its own."""
        self._keep_timers(connection)
        done = WorkDone(placed=_number(connection, "serve_queue"))
        while done.returned < _MOST_RETURNED and _number(connection, "return_unanswered"):
            done = replace(done, returned=done.returned + 1)
        if self._is_due("lapse", self.params.lapse_every_s):
            done = replace(done, lapsed=_number(connection, "lapse_follow_ups", ahead_s=self._ahead_s))
        if self._is_due("seal", self.params.seal_every_s):
            done = replace(done, sealed=_number(connection, "seal_decisions"))
        if self._is_due("months", self.params.months_every_s):
            try:
                done = replace(done, months=_number(connection, "prepare_months"))
            except psycopg.errors.InsufficientPrivilege as error:
                _log.warning(
                    "the months to come are not prepared: %s; run `dealwright roles`",
                    error.diag.message_primary,
                )
        if self._is_due("retention", self.params.retention_every_s):
            done = self._retain(connection, done)
        return done

    def _retain(self, connection: Connection[Any], done: WorkDone) -> WorkDone:
        """Take out of the desk what its time is over for: texts first, so that no archive holds them."""
        params = self.params
        try:
            if params.texts_days is not None:
                while erased := _number(connection, "erase_older", age_s=params.texts_days * 86_400):
                    done = replace(done, erased=done.erased + erased)
            if params.archive_days is not None and params.archive_folder is not None:
                from dealwright.desk.archive import archive

                before = datetime.now(UTC) - timedelta(days=params.archive_days)
                moved = archive(self.database, before, params.archive_folder)
                done = replace(done, archived=len(moved.months))
        except (DealwrightError, psycopg.errors.InsufficientPrivilege) as error:
            _log.error(
                "what its time is over for stays: %s; a worker of the desk's owner may do it",
                str(error).splitlines()[0],
                extra={"alarm": True},
            )
        return done

    def _keep_timers(self, connection: Connection[Any]) -> None:
        """Notice a database clock that jumped: what has not passed is not counted against anybody.

        A jump while no worker runs cannot be told from time that passed.
        """
        asked = self._clock()
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        if row is None or self._clock() - asked > _SLOW_S:
            return
        seen, self._seen = self._seen, (asked, float(row[0]))
        if seen is None:
            return
        elapsed_s = asked - seen[0]
        jumped_s = self._seen[1] - seen[1] - elapsed_s
        if abs(jumped_s) <= _JUMP_S:
            return
        self._ahead_s = max(self._ahead_s + jumped_s, 0.0)
        moved = _number(connection, "keep_timers", jumped_s=jumped_s, elapsed_s=max(elapsed_s, 0.0) + _SLOW_S)
        _log.warning(
            "the database's clock jumped by %+.0f s: %s moved along; set the clock by NTP",
            jumped_s,
            count_of(moved, "timer"),
        )

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every_s
        return True


def _number(connection: Connection[Any], name: str, **parameters: float) -> int:
    row = connection.execute(query(name), parameters or None).fetchone()
    return int(row[0]) if row is not None else 0
