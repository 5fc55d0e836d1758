"""What pages follow: the floor, drawn once for everybody who looks at it, and one lead or agent.

A browser never makes the database work: the events come from the one reader of the process, and the parts of
the floor are drawn once for each way to write figures, at most a few times a second, however many look.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from dealwright.desk.outbox import Event
from dealwright.errors import DatabaseError, DealwrightError, InputError, NotFoundError
from dealwright.report.format import Format
from dealwright.service.answers import encode
from dealwright.service.problems import RefusedError
from dealwright.web.asking import identify
from dealwright.web.floor import Drawer
from dealwright.web.view import EVERYBODY, READERS, Ask, whole_number

if TYPE_CHECKING:
    from dealwright.service.core import Service

_log = logging.getLogger("dealwright.web")
_PAUSE_S: Final = (
    0.35  # between two drawings: with what is drawn meanwhile an event is shown within half a second
)
_IDLE_S: Final = 5.0  # also without events: ages grow, and a database that is away is noticed
_CHECK_S: Final = 30.0
_TRY_AGAIN_S: Final = 1.0
_CHANGED: Final = b"event: changed\ndata: {}\n\n"


class _Drawn:
    """The floor in one way to write figures: each part's text, and how it is sent."""

    def __init__(self) -> None:
        self.version, self.listeners = 0, 0
        self.parts: dict[str, str] = {}
        self.whole, self.change = b"", b""


class FloorFeed:
    """The floor as it is now, for all browsers of a process."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._drawer = Drawer(service.desk)
        self._drawn: dict[Format, _Drawn] = {}
        self._stale = asyncio.Event()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def follow(self, form: Format, stopped: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        """Yield the whole floor, and then what changes."""
        mine = self._drawn.setdefault(form, _Drawn())
        mine.listeners += 1
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._draw())]
        seen = 0
        self._stale.set()
        try:
            while not stopped():
                news = self._news
                if mine.version > seen:
                    yield mine.change if seen and mine.version == seen + 1 else mine.whole
                    seen = mine.version
                    continue
                try:
                    await asyncio.wait_for(news.wait(), 1.0)
                except TimeoutError:
                    yield b": nothing new\n\n"
        finally:
            mine.listeners -= 1
            if not any(item.listeners for item in self._drawn.values()):
                self._rest()

    def _rest(self) -> None:
        """Draw nothing while nobody looks."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._drawn.clear()

    async def _listen(self) -> None:
        async for _ in self._service.events.follow(None, lambda _: True, self._service.is_stopping):
            self._stale.set()

    async def _draw(self) -> None:
        while not self._service.is_stopping():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), _IDLE_S)
            self._stale.clear()
            try:
                data = await run_in_threadpool(self._drawer.look)
            except DealwrightError as error:
                self._service.revive()
                _log.warning("the floor cannot be drawn at present: %s", error)
                self._publish({form: {"down": str(error)} for form in self._drawn})
                await asyncio.sleep(_TRY_AGAIN_S)
                self._stale.set()
                continue
            forms = list(self._drawn)
            self._publish({form: await run_in_threadpool(self._drawer.draw, form, data) for form in forms})
            await asyncio.sleep(_PAUSE_S)

    def _publish(self, drawn: dict[Format, dict[str, str]]) -> None:
        news = False
        for form, parts in drawn.items():
            item = self._drawn.get(form)
            if item is None:
                continue
            # while the database is away the floor stays as it was, and says so
            now = {**item.parts, **parts} if "down" in parts else {"down": "", **parts}
            changed = {name: text for name, text in now.items() if item.parts.get(name) != text}
            if changed:
                item.parts, item.version, news = now, item.version + 1, True
                item.whole, item.change = _sent(now), _sent(changed)
        if news:
            waiting, self._news = self._news, asyncio.Event()
            waiting.set()


def _sent(parts: dict[str, str]) -> bytes:
    digest = hashlib.sha256("".join(parts.values()).encode()).hexdigest()[:8]
    return b"id: %b\nevent: parts\ndata: %b\n\n" % (digest.encode(), encode(parts))


def feed_of(app: Any) -> FloorFeed:
    """Return the feed of the process."""
    found: FloorFeed | None = getattr(app.state, "floor_feed", None)
    if found is None:
        found = app.state.floor_feed = FloorFeed(app.state.service)
    return found


async def follow_floor(request: Request) -> StreamingResponse:
    """Follow the floor."""
    ask = await identify(request, READERS)
    return _stream(ask, feed_of(request.app).follow(ask.form, ask.service.is_stopping))


async def follow_one(request: Request) -> StreamingResponse:
    """Say that something happened with a lead, an agent or a day: the page asks for the rest."""
    ask = await identify(request, EVERYBODY)
    what, name = ask.part("what"), ask.part("name")
    if what == "days":
        if ask.own_agent is not None and name != str(ask.who.own_agent_id):
            raise NotFoundError(f"there is no day of {name} of yours: your own is at /my-day")
        return _stream(ask, _changes(ask, lambda event: _is_of_day(event, name)))
    if what == "agents":
        agent_id = await run_in_threadpool(ask.desk.book.find_agent, name)
        ask.check_own(agent_id, f"agent {name}")
        return _stream(ask, _changes(ask, lambda event: event.agent_id == agent_id))
    if what == "nights":
        return await _follow_nights(ask, name)
    lead_id = whole_number(name, "the number of a lead")
    if what != "leads" or lead_id is None:
        raise InputError("what can be followed is the floor, a lead, an agent, a day, a night, or all nights")
    own = ask.own_agent
    return _stream(
        ask,
        _changes(
            ask,
            lambda event: event.data.get("lead_id") == lead_id and (own is None or event.agent_id == own),
        ),
    )


def _is_of_day(event: Event, rep_id: str) -> bool:
    """Whether the list of somebody's contacts may be another one after an event."""
    return event.kind == "plan_published" or (
        event.kind.startswith("task_") and event.data.get("rep_id") == rep_id
    )


async def _follow_nights(ask: Ask, name: str) -> StreamingResponse:
    """Say that something happened with a night, or with any."""
    if not ask.may(*READERS):
        raise RefusedError(403, "the nights are a planner's and a manager's to see")
    night_id = None if name == "all" else whole_number(name, "the number of a night")

    def wanted(event: Event) -> bool:
        return event.kind.startswith("night_") and night_id in (None, event.data.get("night_id"))

    return _stream(ask, _changes(ask, wanted))


async def _changes(ask: Ask, wanted: Callable[[Event], bool]) -> AsyncGenerator[bytes, None]:
    log, problem = ask.service.events, ""
    async for event in log.follow(None, wanted, ask.service.is_stopping):
        if event is not None:
            yield _CHANGED
        elif log.problem == problem:
            yield b": nothing new\n\n"
        else:
            problem = log.problem
            if problem:
                ask.service.revive()
            # once it is back, the page asks for itself again
            yield _sent({"down": problem})


def _stream(ask: Ask, lines: AsyncGenerator[bytes, None]) -> StreamingResponse:
    service = ask.service
    if service.listeners >= service.params.most_listeners:
        raise RefusedError(
            429,
            f"{service.listeners:,} follow the events of this process: try again later",
            {"Retry-After": "10"},
        )

    async def sent() -> AsyncIterator[bytes]:
        service.listeners += 1
        try:
            checked = time.monotonic()
            yield b"retry: 1000\n\n"
            async with aclosing(lines):
                async for line in lines:
                    yield line
                    if time.monotonic() - checked > _CHECK_S:
                        checked = time.monotonic()
                        with suppress(DatabaseError):  # it is away, and so is all there is to see
                            await service.guard.identify(ask.request)  # or the key has been revoked meanwhile
        except RefusedError:
            yield b"event: end\ndata: {}\n\n"
        finally:
            service.listeners -= 1

    return StreamingResponse(sent(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
