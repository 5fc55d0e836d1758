"""Events through HTTP: each once and in order, to whom they may go, whatever breaks off or is late."""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from asynchronous import finish
from engine import rows, value
from ledger import check_desk
from servers import TestServer
from serving import Serving, lead, make_floor, served_floor

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.outbox import Event, Position
from dealwright.service.events import EventLog
from dealwright.service.params import ServiceParams

Heard = dict[str, Any]


@pytest.fixture(scope="module")
def service(
    server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a service of two processes."""
    folder = tmp_path_factory.mktemp("events")
    with served_floor(server, desk_template, folder, "--processes", "2") as found:
        yield found


def listen(client: httpx.Client, after: str | None = None, **asked: Any) -> Iterator[Heard]:
    """Yield the events of one connection, until the service ends it."""
    headers = {} if after is None else {"Last-Event-ID": after}
    with client.stream("GET", "/api/v1/events", headers=headers, params=asked) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        event: Heard = {}
        for line in answer.iter_lines():
            if not line and "data" in event:
                yield {**json.loads(event["data"]), "sent_as": (event["id"], event["event"])}
                event = {}
            name, colon, text = line.partition(": ")
            if colon and name:
                event[name] = text


@contextmanager
def listening(service: Serving, role: str, **asked: Any) -> Iterator[queue.Queue[Heard]]:
    """Listen beside the block, from now on."""
    heard: queue.Queue[Heard] = queue.Queue()
    client = service.client(role)
    begun = threading.Event()

    def work() -> None:
        try:
            with client.stream("GET", "/api/v1/events", params=asked) as answer:
                for line in answer.iter_lines():
                    if line.startswith("retry"):
                        begun.set()
                    if line.startswith("data: "):
                        heard.put(json.loads(line.removeprefix("data: ")))
        except httpx.TransportError:
            pass  # the block is over

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert begun.wait(20)
    time.sleep(0.3)  # until the listener has its place in the log
    yield heard
    client.close()


def place(service: Serving, customer: str) -> dict[str, Any]:
    with service.client("ingest") as client:
        answer = client.post("/api/v1/leads", json=lead(customer))
    assert answer.status_code == 201
    return answer.json()


def recorded(service: Serving) -> list[str]:
    with service.desk.database.connect(autocommit=True) as connection:
        found = rows(
            connection, "select xid::text as xid, position from dealwright.event order by event.xid, position"
        )
    return [f"{row['xid']}-{row['position']}" for row in found]


def test_an_event_arrives_as_a_cloud_event_soon_after_it_happened(service: Serving) -> None:
    with listening(service, "manager", kind="dealwright.assigned") as heard:
        began = time.monotonic()
        placed = place(service, "Ada")
        event = heard.get(timeout=10)
        took = time.monotonic() - began
    assert took < 5  # half a second on a machine that does nothing else; benchmarks/service.py measures it
    assert event["specversion"] == "1.0"
    assert event["type"] == "dealwright.assigned"
    assert event["subject"] == f"assignment/{placed['assignment_id']}"
    assert event["data"]["agent_id"] == placed["agent_id"]
    assert event["data"]["lead_id"] == placed["lead_id"]
    assert event["id"] in recorded(service)


def hear(client: httpx.Client, seen: list[str], number: int) -> list[str]:
    """Listen for so many events after those that were seen, on a connection of its own."""
    stream = listen(client, seen[-1] if seen else "0-0")
    events = [next(stream) for _ in range(number)]
    stream.close()
    assert [event["sent_as"] for event in events] == [(event["id"], event["type"]) for event in events]
    return [event["id"] for event in events]


def test_who_comes_back_misses_nothing_and_sees_nothing_twice(service: Serving) -> None:
    with service.client() as client, ThreadPoolExecutor(4) as pool:
        work = [pool.submit(place, service, f"Crowd {number}") for number in range(60)]
        seen: list[str] = []
        # every connection breaks off after seven events, in the middle of what was sent
        while len(seen) < 56:
            seen += hear(client, seen, 7)
        for job in work:
            job.result()
        wanted = recorded(service)
        while len(seen) < len(wanted):
            seen += hear(client, seen, min(7, len(wanted) - len(seen)))
    assert seen == wanted


def test_an_agent_hears_of_own_work_only(service: Serving) -> None:
    place(service, "Bea")
    with service.client("A1") as client, service.client() as admin:
        total = len(recorded(service))
        everything = listen(admin, "0-0")
        mine = [event["id"] for event in (next(everything) for _ in range(total))
                if event["data"]["agent_id"] == "A1"]  # fmt: skip
        everything.close()
        own = listen(client, "0-0")
        heard = [next(own) for _ in range(len(mine))]
        own.close()
        assert mine
        assert [event["id"] for event in heard] == mine
        assert {event["data"]["agent_id"] for event in heard} == {"A1"}
    with service.client("ingest") as client:
        assert client.get("/api/v1/events").status_code == 403
    with service.client() as client:
        for wrong in ("x", "1", "1-", "-1-2", "99999999999999999999999-1"):
            assert client.get("/api/v1/events", headers={"Last-Event-ID": wrong}).status_code == 422


def test_an_open_transaction_delays_events_and_loses_none(service: Serving) -> None:
    first, second = (place(service, name)["assignment_id"] for name in ("Late", "Early"))
    with listening(service, "manager", kind="contacted") as heard, service.client() as client:
        with service.desk.database.connect() as late:
            rows(late, "select dealwright.contact(%s)", first)
            # begun later, committed first
            assert client.post(f"/api/v1/assignments/{second}/contact").status_code == 200
            assert service.desk.outbox.held_back_by() is not None
            with pytest.raises(queue.Empty):
                heard.get(timeout=1)
            late.commit()
        both = [heard.get(timeout=10)["data"]["assignment_id"] for _ in range(2)]
    assert both == [first, second]
    assert service.desk.outbox.held_back_by() is None


def test_who_is_slow_reads_from_the_database_what_has_left_the_log(database: Database) -> None:
    make_floor(database)
    desk = Desk(database)
    params = ServiceParams(recent_events=2, poll_s=0.01, heartbeat_s=0.2)

    async def follow() -> list[str]:
        log = EventLog(desk.outbox, params)
        log.start(lambda: False)
        stream = log.follow(None, lambda _: True, lambda: False)
        heard: list[str] = []
        assert await anext(stream) is None  # nothing happens
        for number in range(40):
            await asyncio.to_thread(desk.assign, lead(f"Slow {number}"))
            if number % 10 == 9:  # and then it listens again
                await asyncio.sleep(0.1)
                heard += [
                    str(event.position) for event in [await anext(stream), await anext(stream)] if event
                ]
        while (event := await anext(stream)) is not None:
            heard.append(str(event.position))
        assert len(log._events) < 4
        await log.close()
        assert [item async for item in stream] == []
        return heard

    start = desk.outbox.last()
    heard = finish(follow())
    wanted: list[Event] = []
    while found := desk.outbox.read(wanted[-1].position if wanted else start, 7):
        assert len(found) <= 7
        wanted += found
    assert heard == [str(event.position) for event in wanted]
    assert len(heard) >= 40
    assert Position.parse(heard[0]) > start


def test_several_processes_count_together_and_end_on_request(service: Serving) -> None:
    with service.desk.database.connect(autocommit=True) as connection:
        placed = value(connection, "select count(*) from dealwright.lead where status <> 'new'")
    with service.client() as client:
        text = client.get("/api/v1/metrics").text
        # the counters of both, whichever was asked
        total = [line for line in text.splitlines() if line.startswith("dealwright_leads_placed_total")]
        assert sum(float(line.split()[-1]) for line in total) == placed
        stream = listen(client, "0-0")
        next(stream)
        service.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert len(list(stream)) >= placed  # what there was is sent, then the stream ends
        assert service.process.wait(20) == 0
        assert time.monotonic() - began < 9  # without waiting for the listeners' patience
    with service.desk.database.connect(autocommit=True) as connection:
        check_desk(connection)
