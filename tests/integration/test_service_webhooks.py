"""Webhooks: signed, in order, again until they are taken, none lost, and not into one's own network."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from engine import rows
from serving import lead, make_floor
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from dealwright import InputError, NotFoundError
from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.service import courier as module
from dealwright.service.courier import Courier, find_address
from dealwright.service.params import ServiceParams
from dealwright.settings import find_webhook_key, load_settings

KEY = "k" * 44
FAST = ServiceParams(
    webhook_key=KEY,
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
        self.retry_after = ""

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
        if self.server.retry_after:
            self.send_header("retry-after", self.server.retry_after)
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
    ids = {
        path: desk.webhooks.create(receiver.url(path, answer), ["assigned", "contacted"], key=KEY)
        for path, answer in paths.items()
    }
    few, _ = desk.webhooks.create(receiver.url("/few"), ["contacted"], key=KEY)
    with delivering(desk):
        placed = [desk.assign(lead(f"Told {number}")) for number in range(5)]
        desk.contact(placed[2].row["assignment_id"])
        wanted = [
            str(event.position)
            for event in desk.outbox.read(start)
            if event.kind in ("assigned", "contacted")
        ]
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
    # what was refused alone, once: nothing else is sent, and what is refused again stays
    picky = states[ids["/picky"][0]]
    receiver.heard["/picky"].clear()
    courier = Courier(desk, FAST)
    receiver.answers["/picky"] = lambda _: 400
    assert courier.send_dead(picky, wanted[1]) == "it answered 400"
    assert [letter["event"] for letter in desk.webhooks.dead_letters(picky.webhook_id)] == [wanted[1]]
    receiver.answers["/picky"] = lambda _: 204
    assert courier.send_dead(picky, wanted[1]) is None
    assert receiver.events("/picky") == [wanted[1]] * 2
    assert desk.webhooks.dead_letters(picky.webhook_id) == ()
    with pytest.raises(NotFoundError, match="was not put aside"):
        courier.send_dead(picky, wanted[1])
    refused = next(event for event in desk.outbox.read(start) if str(event.position) == wanted[1])
    desk.webhooks.gave_up(picky, refused, "as before")
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
    for url in ("https://127.0.0.1:99999/", "https://[::1/", "https://crm.example.com:80a/"):
        with pytest.raises(InputError, match="is no address to call"):
            find_address(url, allow_private=True)
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
    desk.webhooks.create(receiver.url("/inside"), key=KEY)
    with delivering(desk, ServiceParams(webhook_poll_s=0.02, webhook_pause_s=60)):
        desk.assign(lead())
        until(lambda: desk.webhooks.list()[0].failures == 1)
    assert "not encrypted" in (desk.webhooks.list()[0].last_error or "")
    assert receiver.heard == {}


def test_an_event_that_is_not_taken_for_days_is_put_aside_and_the_next_is_told(
    database: Database, receiver: Receiver
) -> None:
    make_floor(database)
    desk = Desk(database)
    start = desk.outbox.last()
    bad: list[str] = []
    webhook, _ = desk.webhooks.create(
        receiver.url("/picky", lambda ids: 500 if ids[-1] in bad else 200), ["assigned"], key=KEY
    )
    for number in range(3):
        desk.assign(lead(f"Told {number}"))
    wanted = [str(event.position) for event in desk.outbox.read(start) if event.kind == "assigned"]
    bad.append(wanted[1])
    with delivering(desk, replace(FAST, webhook_give_up_s=0.5)):
        until(lambda: receiver.events("/picky")[-1:] == wanted[-1:])
        until(lambda: desk.webhooks.list()[0].failing_since is None)
    assert receiver.events("/picky").count(wanted[1]) > 3  # 5xx: not after three attempts, but by the clock
    assert list(dict.fromkeys(receiver.events("/picky"))) == wanted
    (dead,) = desk.webhooks.dead_letters(webhook)
    assert (dead["event"], dead["error"]) == (wanted[1], "it answered 500")
    assert desk.webhooks.list()[0].disabled_at is None


def test_an_address_that_takes_nothing_for_days_is_disabled_and_others_hear_of_it(
    database: Database, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    make_floor(database)
    desk = Desk(database)
    start = desk.outbox.last()
    away = [True]
    webhook, _ = desk.webhooks.create(
        receiver.url("/away", lambda _: 503 if away[0] else 200), ["assigned"], key=KEY
    )
    desk.webhooks.create(receiver.url("/alarm"), ["webhook_disabled"], key=KEY)
    for number in range(3):
        desk.assign(lead(f"Told {number}"))
    wanted = [str(event.position) for event in desk.outbox.read(start) if event.kind == "assigned"]
    with delivering(desk, replace(FAST, webhook_give_up_s=0.3)):
        until(lambda: len(receiver.heard["/alarm"]) == 1)
    told = json.loads(receiver.heard["/alarm"][0][1])
    assert told["data"]["webhook_id"] == webhook
    assert told["data"]["error"] == "it answered 503"
    assert [record.alarm for record in caplog.records if hasattr(record, "alarm")] == [True]
    # one event was put aside; what followed it waits, and is not tried any more
    assert [letter["event"] for letter in desk.webhooks.dead_letters(webhook)] == wanted[:1]
    assert wanted[2] not in receiver.events("/away")
    assert desk.book.floor()["webhooks_disabled"] == 1
    away[0] = False
    receiver.heard["/away"].clear()
    assert desk.webhooks.resume(webhook) is None
    assert desk.book.floor()["webhooks_disabled"] == 0
    with delivering(desk):
        until(lambda: receiver.events("/away")[-1:] == wanted[-1:])
    assert receiver.events("/away") == wanted[1:]
    receiver.heard["/away"].clear()
    desk.webhooks.again(webhook)
    with delivering(desk):
        until(lambda: receiver.events("/away")[-1:] == wanted[-1:])
    assert receiver.events("/away") == wanted


def test_a_paused_address_is_told_nothing_and_later_everything(
    database: Database, receiver: Receiver
) -> None:
    make_floor(database)
    desk = Desk(database)
    start = desk.outbox.last()
    paused, _ = desk.webhooks.create(receiver.url("/paused"), ["assigned"], key=KEY)
    desk.webhooks.create(receiver.url("/good"), ["assigned"], key=KEY)
    desk.webhooks.pause(paused)
    desk.assign(lead())
    wanted = [str(event.position) for event in desk.outbox.read(start) if event.kind == "assigned"]
    with delivering(desk):
        until(lambda: receiver.events("/good") == wanted)
        time.sleep(0.2)
        assert receiver.heard["/paused"] == []
        desk.webhooks.resume(paused)
        until(lambda: receiver.events("/paused") == wanted)
    done = [row["action"] for row in desk.book.changes(kind="webhook").rows]
    assert done == ["resume_webhook", "pause_webhook", "create_webhook", "create_webhook"]


def test_an_address_that_asks_for_a_pause_gets_it(database: Database, receiver: Receiver) -> None:
    make_floor(database)
    desk = Desk(database)
    desk.webhooks.create(receiver.url("/busy", lambda _: 429), ["assigned"], key=KEY)
    desk.assign(lead())
    for asked, wait_s in (("90", 90), (format_datetime(datetime.now(UTC) + timedelta(seconds=90)), 90),
                          ("86400", 3600), ("nonsense", 0), ("-5", 0)):  # fmt: skip
        receiver.retry_after = asked
        number = desk.webhooks.list()[0].webhook_id
        desk.webhooks.resume(number)
        began = datetime.now(UTC)
        with delivering(desk, replace(FAST, webhook_pause_s=1)):
            until(lambda: desk.webhooks.list()[0].retry_at is not None)
        retry_at = desk.webhooks.list()[0].retry_at
        assert retry_at is not None
        assert -2 <= (retry_at - began).total_seconds() - wait_s < 5, asked


def test_no_secret_is_in_the_database_and_a_new_one_takes_over_from_the_old(
    database: Database, receiver: Receiver
) -> None:
    make_floor(database)
    desk = Desk(database)
    webhook, old = desk.webhooks.create(receiver.url("/signed"), ["assigned"], key=KEY)
    other, another = desk.webhooks.create(receiver.url("/other"), ["assigned"], key=KEY)
    assert old != another
    with database.connect() as connection:
        stored = str(rows(connection, "select * from dealwright_engine.webhook"))
        change = str(rows(connection, "select * from dealwright.change"))
    assert not any(part in stored + change for part in (old.removeprefix("whsec_"), KEY))
    new = desk.webhooks.rotate(webhook, key=KEY)
    with delivering(desk):
        desk.assign(lead())
        until(lambda: len(receiver.heard["/signed"]) == 1)
    headers, body = receiver.heard["/signed"][0]
    for secret in (old, new):
        Signer(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Signer(another).verify(body, headers)
    newest = desk.webhooks.rotate(webhook, key=KEY, keep_s=0)
    with delivering(desk):
        desk.assign(lead())
        until(lambda: len(receiver.heard["/signed"]) == 2)
    headers, body = receiver.heard["/signed"][1]
    Signer(newest).verify(body, headers)
    for secret in (old, new):
        with pytest.raises(WebhookVerificationError):
            Signer(secret).verify(body, headers)
    # a process with another key signs nothing, and says what to do
    desk.webhooks.remove(other)
    desk.assign(lead())
    for key, said in (
        ("x" * 44, f"webhook rotate {webhook}"),
        ("", "set DEALWRIGHT_WEBHOOK_KEY"),
        ("short", "of 5"),
    ):
        desk.webhooks.resume(webhook)
        with delivering(desk, replace(FAST, webhook_key=key)):
            until(lambda: desk.webhooks.list()[0].failures > 0)
        assert said in (desk.webhooks.list()[0].last_error or "")
    assert len(receiver.heard["/signed"]) == 2
    with pytest.raises(InputError, match="openssl rand"):
        desk.webhooks.create("https://example.com/", key="")
    with pytest.raises(InputError, match="31 days"):
        desk.webhooks.rotate(webhook, key=KEY, keep_s=-1)
    with pytest.raises(NotFoundError):
        desk.webhooks.rotate(10**6, key=KEY)


def test_the_key_of_secrets_is_the_environments_or_a_file_of_the_home(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", environment={}, directory=tmp_path)
    with ThreadPoolExecutor(8) as pool:  # whoever begins at once gets the same
        (key,) = set(pool.map(find_webhook_key, [settings] * 16))
    assert len(key) == 44
    file = tmp_path / "home" / "webhook.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["webhook.key"]
    named = load_settings(environment={"DEALWRIGHT_WEBHOOK_KEY": f" {KEY}\n"}, directory=tmp_path)
    assert find_webhook_key(named) == KEY
    assert KEY not in repr(named)
    (tmp_path / "taken").write_text("")
    nowhere = load_settings(home=tmp_path / "taken" / "home", environment={}, directory=tmp_path)
    assert find_webhook_key(nowhere) == ""


def test_how_long_an_address_is_tried_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "dealwright.toml").write_text("[webhooks]\ngive_up_days = 2\n")
    assert load_settings(environment={}, directory=tmp_path).webhooks.give_up_days == 2
    (tmp_path / "dealwright.toml").write_text("[webhooks]\ngive_up_days = 0\n")
    with pytest.raises(InputError, match="above 0"):
        load_settings(environment={}, directory=tmp_path)


def test_a_pause_longer_than_any_is_the_clocks_fault_and_is_not_waited_for(
    database: Database, receiver: Receiver
) -> None:
    make_floor(database)
    desk = Desk(database)
    for path, wait_s in (("/put-back", 86_400), ("/paused", 1_800)):
        desk.webhooks.create(receiver.url(path), key=KEY)
        # as if the database's clock had been a day ahead when it failed
        desk.webhooks.failed(desk.webhooks.list()[-1], "away", wait_s)
    desk.assign(lead())
    with delivering(desk):
        until(lambda: len(receiver.heard["/put-back"]) >= 1)
    assert receiver.heard["/paused"] == []


@pytest.mark.parametrize("url", ["ftp://x/", "https://", "https://u:p@example.com/", "https://x:port/"])
def test_what_is_no_address_is_refused(database: Database, url: str) -> None:
    with pytest.raises(InputError):
        Desk(database).webhooks.create(url, key=KEY)
