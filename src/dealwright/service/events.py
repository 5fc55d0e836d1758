"""Events for many listeners: one reader of the outbox in a process, and a place in the log for each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool

from dealwright.desk.outbox import Event, Outbox, Position
from dealwright.desk.waiting import name_holders
from dealwright.errors import DatabaseError
from dealwright.service.answers import encode
from dealwright.service.params import ServiceParams

SOURCE = "/dealwright/desk"
PREFIX = "dealwright."
_PAGE = 1000
_OLD_PAGE = 100  # of older events, which a slow listener holds alone while it takes them
_LOOK_S = 10.0
_log = logging.getLogger("dealwright.service")


def cloud_event(event: Event) -> dict[str, Any]:
    """Return an event in the envelope of CloudEvents 1.0."""
    subjects = {name: event.data[f"{name}_id"] for name in ("assignment", "booking", "lead", "agent")}
    subject = next((f"{name}/{value}" for name, value in subjects.items() if value is not None), None)
    return {
        "specversion": "1.0",
        "id": str(event.position),
        "source": SOURCE,
        "type": f"{PREFIX}{event.kind}",
        "time": event.at,
        **({"subject": subject} if subject else {}),
        "datacontenttype": "application/json",
        "data": event.data,
    }


class EventLog:
    """The latest events of the outbox, and older ones from the database for whoever comes back late.

    It is read while somebody listens. Nothing is kept for a listener but its place in the log: a slow one
    costs no memory, and reads from the database what has left it. The order is that of the outbox, so whoever
    goes on from the id of the last event they saw misses none and sees none twice, in whatever process.
    """

    def __init__(self, outbox: Outbox, params: ServiceParams) -> None:
        self._outbox, self._params = outbox, params
        self._events: list[Event] = []
        self._positions: list[Position] = []
        # the log holds every event after this one
        self._floor = Position(0, 0)
        self._head = Position(0, 0)
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self._listeners = 0
        self._wanted = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self.problem = ""  # why the database cannot be read at present
        self._looked = time.monotonic()
        self.held_back_s = 0.0

    def start(self, stopped: Callable[[], bool]) -> None:
        """Begin to read; `stopped` says that the service has to end."""
        self._task = asyncio.create_task(self._read(stopped))

    async def close(self) -> None:
        """Stop, and let every listener come to its end."""
        self._stopping = True
        self._wake()
        self._wanted.set()
        if self._task is not None:
            await self._task

    async def follow(
        self, after: Position | None, wanted: Callable[[Event], bool], stopped: Callable[[], bool]
    ) -> AsyncIterator[Event | None]:
        """Yield the events after a position, or from now on; None when there was none for a while.

        None also comes when the database has gone away or come back (`problem`).

        Parameters
        ----------
        wanted
            Which events the listener may see and asks for.
        stopped
            Says that the service has to end.
        """
        self._listeners += 1
        self._wanted.set()
        try:
            await self._begun.wait()
            place, problem = self._head if after is None else after, self.problem
            while not (self._stopping or stopped()):
                news = self._news  # before the look: what comes after it sets this one
                if place < self._floor:
                    found = list(await run_in_threadpool(self._outbox.read, place, _OLD_PAGE))
                else:
                    found = self._after(place)
                for event in found:
                    place = event.position
                    if wanted(event):
                        yield event
                if not found and problem != self.problem:
                    problem = self.problem
                    yield None
                elif not found:
                    try:
                        await asyncio.wait_for(news.wait(), self._params.heartbeat_s)
                    except TimeoutError:
                        yield None
        finally:
            self._listeners -= 1

    def _after(self, place: Position) -> list[Event]:
        return self._events[bisect_right(self._positions, place) :][:_PAGE]

    async def _read(self, stopped: Callable[[], bool]) -> None:
        """Look for what is new while somebody listens; while the database is away, wait for it."""
        while not self._stopping:
            found: tuple[Event, ...] = ()
            try:
                if time.monotonic() - self._looked > _LOOK_S:
                    await run_in_threadpool(self._look_who_holds_back)
                if not self._listeners:
                    await self._rest()
                    continue
                if not self._begun.is_set():
                    self._floor = self._head = await run_in_threadpool(self._outbox.last)
                    self._begun.set()
                found = await run_in_threadpool(self._outbox.read, self._head, _PAGE)
                self._say_problem("")
            except DatabaseError as error:
                _log.warning("no events at present: %s", error)
                self._say_problem(str(error))
                await asyncio.sleep(1)
            if found:
                self._events += found
                self._positions += [event.position for event in found]
                self._head = found[-1].position
                self._forget()
                self._wake()
            if len(found) < _PAGE:
                if stopped():
                    self._wake()
                await asyncio.sleep(self._params.poll_s)

    async def _rest(self) -> None:
        """Forget the log and wait for somebody who listens, or until it is time to look who holds back."""
        self._begun.clear()
        self._events, self._positions = [], []
        self._wanted.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), _LOOK_S)

    def _say_problem(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._wake()

    def _forget(self) -> None:
        """Drop the oldest once there are twice as many as are to be kept."""
        if len(self._events) >= 2 * self._params.recent_events:
            dropped = len(self._events) - self._params.recent_events
            self._floor = self._positions[dropped - 1]
            self._events, self._positions = self._events[dropped:], self._positions[dropped:]

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _look_who_holds_back(self) -> None:
        """Raise an alarm when a transaction that was left open delays everybody who reads events."""
        self._looked = time.monotonic()
        holder = self._outbox.held_back_by()
        since = holder.since if holder is not None else None
        self.held_back_s = 0.0 if since is None else (datetime.now(UTC) - since).total_seconds()
        if holder is not None and self.held_back_s > self._params.held_back_alarm_s:
            _log.error(
                "events wait for a transaction that has been open for %.0f s: %s; end it "
                "(select pg_terminate_backend(%d)), and nothing is lost",
                self.held_back_s, name_holders([holder]), holder.pid,
            )  # fmt: skip


def as_sent(event: Event) -> bytes:
    """Return an event as a server-sent event."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        str(event.position).encode(),
        f"{PREFIX}{event.kind}".encode(),
        encode(cloud_event(event)),
    )
