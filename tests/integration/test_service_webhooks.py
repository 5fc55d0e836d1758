"""Webhooks: signed, in order, again until they are taken, none lost, and not into one's own network."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from serving import lead, make_floor
from standardwebhooks import Webhook as Signer

from dealwright import InputError
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.service import courier as module
from dealwright.service.courier import Courier, find_address
from dealwright.service.params import ServiceParams

FAST = ServiceParams(
    private_webhooks=True,
    webhook_attempts=3,
    webhook_pause_s=0.02,
    webhook_timeout_s=2,
    webhook_poll_s=0.02,
)


class Receiver(ThreadingHTTPServer):
    """Answers by path, and keeps what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: dict[str, list[tuple[dict[str, str], str]]] = defaultdict(list)
        self.answers: dict[str, Callable[[list[str]], int]] = {}

    def url(self, path: str, answer: Callable[[list[str]], int] = lambda _: 204) -> str:
        """Return an address; `answer` gives the status, seeing the ids of all calls up to this one."""
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.server_port}{path}"

    def events(self, path: str) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.heard[path]]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        calls = self.server.heard[self.path]
        calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answers[self.path](self.server.events(self.path)))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
    yield found
    found.shutdown()


@contextmanager
def delivering(desk: Desk, params: ServiceParams = FAST) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Courier(desk, params).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_address_hears_in_order_whatever_becomes_of_the_others(
    database: Database, receiver: Receiver
) -> None:
    make_floor(database)
    desk = Desk(database)
    start = desk.outbox.last()

    def when(place: int, status: int, times: int) -> Callable[[list[str]], int]:
        """Answer so, the first times that the event of this place comes."""

        def answer(ids: list[str]) -> int:
            here = len(dict.fromkeys(ids)) == place and ids.count(ids[-1]) <= times
            return status if here else 200

        return answer

    def hang(ids: list[str]) -> int:
        if len(ids) == 1:
            time.sleep(3)
        return 200

    paths: dict[str, Callable[[list[str]], int]] = {
        "/good": lambda _: 204,
        # away for a while in the middle, and then back
        "/flaky": when(3, 503, 4),
        "/picky": when(2, 400, 3),
        "/gone": when(2, 410, 1),
        "/hang": hang,
    }
    ids = {path: desk.webhooks.create(receiver.url(path, answer)) for path, answer in paths.items()}
    few, _ = desk.webhooks.create(receiver.url("/few"), ["contacted"])
    with delivering(desk):
        placed = [desk.assign(lead(f"Told {number}")) for number in range(5)]
        desk.contact(placed[2].row["assignment_id"])
        wanted = [str(event.position) for event in desk.outbox.read(start)]
        for path in ("/good", "/hang"):
            until(lambda path=path: receiver.events(path)[-1:] == wanted[-1:])
        until(lambda: receiver.events("/flaky")[-1:] == wanted[-1:])
        until(lambda: receiver.events("/picky")[-1:] == wanted[-1:])
        until(lambda: len(receiver.events("/few")) == 1)
        time.sleep(0.1)
    assert receiver.events("/good") == wanted
    assert list(dict.fromkeys(receiver.events("/flaky"))) == wanted  # none lost, in order, some again
    assert receiver.events("/flaky").count(wanted[2]) == 5
    assert list(dict.fromkeys(receiver.events("/hang"))) == wanted
    assert receiver.events("/hang").count(wanted[0]) == 2
    # refused three times: put aside, and on with the next
    assert receiver.events("/picky") == [wanted[0], *[wanted[1]] * 3, *wanted[2:]]
    (dead,) = desk.webhooks.dead_letters(ids["/picky"][0])
    assert (dead["event"], dead["error"]) == (wanted[1], "it answered 400")
    assert receiver.events("/gone") == wanted[:2]
    states = {webhook.webhook_id: webhook for webhook in desk.webhooks.list()}
    assert states[ids["/gone"][0]].disabled_at is not None
    assert states[few].failures == states[ids["/flaky"][0]].failures == 0
    headers, body = receiver.heard["/good"][0]
    told = Signer(ids["/good"][1]).verify(body, headers)
    assert told["id"] == wanted[0]
    assert told["specversion"] == "1.0"
    assert headers["content-type"] == "application/cloudevents+json"
    assert '"dealwright.contacted"' in receiver.heard["/few"][0][1]
    # put to work again: from what was refused on
    desk.webhooks.again(ids["/picky"][0])
    receiver.heard["/picky"].clear()
    receiver.answers["/picky"] = lambda _: 204
    with delivering(desk):
        until(lambda: receiver.events("/picky")[-1:] == wanted[-1:])
    assert receiver.events("/picky") == wanted[1:]
    assert desk.webhooks.dead_letters(ids["/picky"][0]) == ()
    desk.webhooks.remove(few)
    assert few not in {webhook.webhook_id for webhook in desk.webhooks.list()}


def test_a_webhook_does_not_lead_into_ones_own_network(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.1.2.3/",
                "https://169.254.169.254/", "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/",
                "https://[fd00::1]/", "https://224.0.0.1/"):  # fmt: skip
        with pytest.raises(InputError, match="not public"):
            find_address(url, allow_private=False)
    with pytest.raises(InputError, match="not encrypted"):
        find_address("http://192.0.2.1/", allow_private=False)
    assert find_address("https://1.1.1.1/", allow_private=False) == "1.1.1.1"

    def resolve(host: str, port: Any, **_: Any) -> list[Any]:
        assert host == "crm.example.com"
        return [(None, None, None, "", (address, port)) for address in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(module.socket, "getaddrinfo", resolve)
    with pytest.raises(InputError, match=r"10\.0\.0\.1"):  # one of its addresses is enough
        find_address("https://crm.example.com/", allow_private=False)
    monkeypatch.undo()
    # and what was registered when it was allowed is not called any more
    make_floor(database)
    desk = Desk(database)
    desk.webhooks.create(receiver.url("/inside"))
    with delivering(desk, ServiceParams(webhook_poll_s=0.02, webhook_pause_s=60)):
        desk.assign(lead())
        until(lambda: desk.webhooks.list()[0].failures == 1)
    assert "not encrypted" in (desk.webhooks.list()[0].last_error or "")
    assert receiver.heard == {}


def test_a_pause_longer_than_any_is_the_clocks_fault_and_is_not_waited_for(
    database: Database, receiver: Receiver
) -> None:
    make_floor(database)
    desk = Desk(database)
    for path, wait_s in (("/put-back", 86_400), ("/paused", 1_800)):
        desk.webhooks.create(receiver.url(path))
        # as if the database's clock had been a day ahead when it failed
        desk.webhooks.failed(desk.webhooks.list()[-1], "away", wait_s)
    desk.assign(lead())
    with delivering(desk):
        until(lambda: len(receiver.heard["/put-back"]) >= 1)
    assert receiver.heard["/paused"] == []


@pytest.mark.parametrize("url", ["ftp://x/", "https://", "https://u:p@example.com/", "https://x:port/"])
def test_what_is_no_address_is_refused(database: Database, url: str) -> None:
    with pytest.raises(InputError):
        Desk(database).webhooks.create(url)
