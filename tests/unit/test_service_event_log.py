"""One reader of the outbox for all who listen, and none while nobody does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from asynchronous import finish

from dealwright.desk.outbox import Event, Position
from dealwright.desk.waiting import Holder
from dealwright.service import events as module
from dealwright.service.events import EventLog
from dealwright.service.params import ServiceParams


class Outbox:
    """Events that a test lets happen; it counts how often it is read."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reads = 0
        self.holder: Holder | None = None

    def happen(self) -> None:
        position = Position(len(self.events) + 1, len(self.events) + 1)
        self.events.append(Event(position, "assigned", datetime.now(UTC), None, {}))

    def last(self) -> Position:
        return self.events[-1].position if self.events else Position(0, 0)

    def read(self, after: Position, most: int) -> tuple[Event, ...]:
        self.reads += 1
        return tuple(event for event in self.events if event.position > after)[:most]

    def held_back_by(self) -> Holder | None:
        return self.holder


def following(work: Callable[[Outbox, EventLog], Awaitable[None]]) -> None:
    async def run() -> None:
        outbox = Outbox()
        log = EventLog(outbox, ServiceParams(poll_s=0.01, heartbeat_s=10))  # type: ignore[arg-type]
        log.start(lambda: False)
        await work(outbox, log)
        await asyncio.wait_for(log.close(), 2)

    finish(run())


def test_the_outbox_is_read_once_for_all_and_not_at_all_when_nobody_listens() -> None:
    async def work(outbox: Outbox, log: EventLog) -> None:
        outbox.happen()
        await asyncio.sleep(0.1)
        assert outbox.reads == 0
        streams = [log.follow(None, lambda _: True, lambda: False) for _ in range(50)]
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await asyncio.sleep(0.1)
        before = outbox.reads
        outbox.happen()
        heard = await asyncio.wait_for(asyncio.gather(*waiting), 2)
        assert {event and event.position for event in heard} == {Position(2, 2)}
        assert outbox.reads - before < 20
        for stream in streams:
            await stream.aclose()
        await asyncio.sleep(0.1)
        before = outbox.reads
        await asyncio.sleep(0.1)
        assert outbox.reads == before
        # what happened meanwhile is there for who comes back
        outbox.happen()
        outbox.happen()
        again = log.follow(Position(2, 2), lambda _: True, lambda: False)
        assert [event and event.position.number for event in [await anext(again), await anext(again)]] == [
            3,
            4,
        ]
        outbox.happen()
        last = await asyncio.wait_for(anext(again), 2)
        assert last is not None
        assert last.position.number == 5
        await again.aclose()

    following(work)


def test_a_listener_that_is_there_when_the_service_ends_comes_to_its_end() -> None:
    async def work(outbox: Outbox, log: EventLog) -> None:
        stream = log.follow(None, lambda _: True, lambda: False)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0.05)
        await log.close()
        assert await asyncio.wait_for(waiting, 2) is None

    following(work)


def test_a_transaction_left_open_raises_an_alarm_with_and_without_listeners(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.02)

    async def work(outbox: Outbox, log: EventLog) -> None:
        since = datetime.now(UTC) - timedelta(minutes=10)
        outbox.holder = Holder(**{**dict.fromkeys(Holder.__dataclass_fields__), "pid": 4711, "since": since})
        await asyncio.sleep(0.2)
        assert 600 <= log.held_back_s < 605
        outbox.holder = None
        stream = log.follow(None, lambda _: True, lambda: False)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0.2)
        assert log.held_back_s == 0
        waiting.cancel()

    with caplog.at_level(logging.ERROR, logger="dealwright.service"):
        following(work)
    assert "open for 600 s" in caplog.text
    assert "pg_terminate_backend(4711)" in caplog.text
