"""Runs of the plan that were asked for: a queue that outlives every process, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dealwright.desk.book import MOST_ROWS, Page
from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.errors import InputError, NotFoundError, UnknownNameError

_MANY: Final = 50
NIGHT_STATUSES: Final = ("queued", "running", "done", "failed", "cancelled", "missed")


@dataclass(frozen=True)
class NightRecord:
    """A run of the plan that was asked for, and how it stands.

    Attributes
    ----------
    key
        Whoever sends it twice gets the same night.
    requested_by
        The name of a key of the service, or ``schedule``.
    request_id
        Of the call that asked for it, which logs carry.
    due_at
        The moment of the schedule; None: somebody asked for it.
    options
        Fields of `runs.request.NightRequest`, and ``params``.
    status
        ``queued``, ``running``, ``done``, ``failed``, ``cancelled``, or ``missed``: no worker was there.
    begin_at
        When it may begin: after a failure, later than it was asked for.
    attempts
        How often it was begun.
    worker
        Host and process that carried it out last.
    stage, share
        How far it has come: what is being done, and the share of all stages that are over.
    cancelled_by
        Who called it off.
    folder
        The name of its folder among the runs, once it is done.
    result
        Its key figures, and what publishing did.
    error
        Why it failed, and what to do.
    """

    night_id: int
    key: str
    requested_by: str
    request_id: str | None
    requested_at: datetime
    due_at: datetime | None
    options: Mapping[str, Any]
    status: str
    begin_at: datetime
    attempts: int
    worker: str | None
    begun_at: datetime | None
    ended_at: datetime | None
    stage: str | None
    share: float
    cancelled_by: str | None
    folder: str | None
    result: Mapping[str, Any] | None
    error: str | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.ended_at is not None

    @property
    def what_if(self) -> int | None:
        """The night of which it is a variant; None: it stands for itself."""
        found = self.options.get("what_if")
        return None if found is None else int(found)

    def to_dict(self) -> Row:
        """Return it for JSON."""
        hidden = ("key", "folder")
        return {name: value for name, value in vars(self).items() if name not in hidden}


class Nights(Session):
    """The runs of the plan that were asked for, `Desk.nights`."""

    def request(
        self,
        key: str,
        requested_by: str,
        options: Mapping[str, Any] | None = None,
        *,
        due_at: datetime | None = None,
        begin_at: datetime | None = None,
        request_id: str | None = None,
    ) -> int:
        """Ask for a run of the plan and return its id; the same key twice is the same night.

        Raises
        ------
        ConflictError
            The key was used for another request.
        """
        row = self._rows(
            "request_night", key=key, requested_by=requested_by, options=json.dumps(dict(options or {})),
            due_at=due_at, begin_at=begin_at or due_at or datetime.now(UTC), request_id=request_id,
        )[0]  # fmt: skip
        return int(row["night_id"])

    def get(self, night_id: int) -> NightRecord:
        """Return one of them.

        Raises
        ------
        NotFoundError
            There is no such night.
        """
        found = self._page(night_id=night_id) if 0 < night_id < 2**63 else ()
        if not found:
            raise NotFoundError(f"there is no night {night_id}: the list of nights shows the ids")
        return found[0]

    def list(
        self, *, status: str | None = None, after: int | None = None, k: int = 100
    ) -> tuple[NightRecord, ...]:
        """Return them, newest first; `after`: those that follow this id."""
        if status is not None and status not in NIGHT_STATUSES:
            raise UnknownNameError("status of a night", status, NIGHT_STATUSES)
        if not 1 <= k <= MOST_ROWS + 1:
            raise InputError(f"a page has 1 to {MOST_ROWS} rows, not {k}")
        return self._page(status=status, before=after, k=k)

    def page(self, *, status: str | None = None, after: int | None = None, k: int = 100) -> Page:
        """Return a page of them for JSON."""
        found = self.list(status=status, after=after, k=k + 1)
        more = found[k - 1].night_id if len(found) > k else None
        return Page(tuple(night.to_dict() for night in found[:k]), more)

    def latest_done(self) -> NightRecord | None:
        """Return the newest one that was carried out, what-ifs apart: no night takes over from those."""
        before: int | None = None
        while found := self._page(status="done", before=before, k=_MANY):
            plain = next((night for night in found if night.what_if is None), None)
            if plain is not None:
                return plain
            before = found[-1].night_id
        return None

    def cancel(self, night_id: int, cancelled_by: str) -> NightRecord:
        """Call one off: one that waits at once, one that is under way as soon as its worker sees it.

        Raises
        ------
        ConflictError
            It is over.
        """
        self._rows("cancel_night", night_id=night_id, cancelled_by=cancelled_by)
        return self.get(night_id)

    # what the worker does

    def keep_schedule(self, schedule: str, now: datetime) -> datetime:
        """Say by which schedule nights are due; return since when that holds."""
        since: datetime = self._rows("keep_schedule", schedule=schedule, now=now)[0]["since"]
        return since

    def miss(self, key: str, due_at: datetime) -> int | None:
        """Record that nobody carried out a night; return its id, None where it is on record already."""
        night_id: int | None = self._rows("miss_night", key=key, due_at=due_at)[0]["night_id"]
        return night_id

    def begin(self, worker: str, now: datetime) -> NightRecord | None:
        """Take the next one to be carried out; None: there is none, or one is under way."""
        night_id = self._rows("begin_night", worker=worker, now=now)[0]["night_id"]
        return None if night_id is None else self.get(night_id)

    def progress(self, night_id: int, stage: str, share: float) -> bool:
        """Note how far it has come; return whether it is to go on."""
        row = self._rows("night_progress", night_id=night_id, stage=stage, share=share)[0]
        return bool(row["goes_on"])

    def end(
        self,
        night_id: int,
        status: str,
        *,
        folder: str | None = None,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
        begin_at: datetime | None = None,
        counts: bool = True,
    ) -> None:
        """Record how an attempt ended; ``queued``: another one follows, from `begin_at` on.

        Parameters
        ----------
        counts
            Whether it counts as an attempt: one that a worker gave up because it was stopped does not.
        """
        self._rows(
            "end_night", night_id=night_id, status=status, folder=folder,
            result=None if result is None else json.dumps(dict(result), default=str), error=error,
            begin_at=begin_at, counts=counts,
        )  # fmt: skip

    def _page(
        self,
        *,
        night_id: int | None = None,
        status: str | None = None,
        before: int | None = None,
        k: int = 1,
    ) -> tuple[NightRecord, ...]:
        rows = self._rows("nights", night_id=night_id, status=status, before=before, k=k)
        return tuple(NightRecord(**row) for row in rows)
