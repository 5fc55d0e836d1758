"""Tells addresses of events: signed, in order, until they take them, and never into one's own network."""

from __future__ import annotations

import ipaddress
import logging
import random
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from standardwebhooks import Webhook as Signer

from dealwright.desk.desk import Desk
from dealwright.desk.outbox import Event, Position
from dealwright.desk.queries import answered_errors
from dealwright.desk.webhooks import Webhook
from dealwright.errors import DatabaseError, DealwrightError, InputError
from dealwright.service.answers import encode
from dealwright.service.events import cloud_event
from dealwright.service.params import ServiceParams

_LEADS = "SELECT pg_try_advisory_lock(hashtext('dealwright courier'), 0)"
_PAGE = 200
_SKIPPED = 100  # events that do not concern an address, before its place is noted all the same
_AT_ONCE = 64  # addresses that may hang at once and delay no other
# what would be refused in the same way the next time, unlike these
_LATER = frozenset({408, 425, 429})
_GONE = 410
_LONGEST_PAUSE = timedelta(hours=1)
_NO_SUBJECT = dict.fromkeys(("assignment_id", "booking_id", "lead_id", "agent_id"))
# NAT64: the last four bytes are an address of IPv4
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_log = logging.getLogger("dealwright.service")


def find_address(url: str, *, allow_private: bool) -> str:
    """Return the address to call for a URL.

    Raises
    ------
    InputError
        The name is unknown, or one of its addresses is private, of this machine or otherwise not public.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InputError(
            f"{url} is no address to call ({error}): write https://host:port/path, "
            "with a port from 1 to 65535"
        ) from None
    if parts.scheme != "https" and not allow_private:
        raise InputError(f"{url} is not encrypted: use https, or serve with --private-webhooks")
    try:
        found = socket.getaddrinfo(host, port or parts.scheme, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{host} has no address ({error}): check the name") from None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        number = ipaddress.ip_address(address.partition("%")[0])
        if not allow_private and not _is_public(number):
            raise InputError(
                f"{host} is {address}, which is not public: serve with --private-webhooks to allow it"
            )
    return addresses[0]


def _is_public(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is on the public internet, also one of IPv4 that is written as one of IPv6."""
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour
        if number in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if number.teredo is not None:
            return False
    return number.is_global and not number.is_multicast


def _wished_pause_s(retry_after: str | None, now: datetime) -> float:
    """Read the header ``Retry-After``: seconds, or a time; never longer than any pause."""
    if retry_after is None:
        return 0.0
    try:
        seconds = (
            float(retry_after)
            if retry_after.strip().isdigit()
            else (parsedate_to_datetime(retry_after) - now).total_seconds()
        )
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_PAUSE.total_seconds())


@dataclass(frozen=True)
class _Trouble:
    """What an address has not taken: how often this event, whether for too long, whether others before it."""

    attempts: int = 0
    lasts: bool = False
    gave_up: bool = False

    @classmethod
    def of(cls, webhook: Webhook, now: datetime, params: ServiceParams) -> _Trouble:
        since = webhook.failing_since
        lasts = since is not None and now - since >= timedelta(seconds=params.webhook_give_up_s)
        # it has failed, and not at this event: the one before it was put aside
        return cls(webhook.failures, lasts, gave_up=since is not None and webhook.failures == 0)


class Courier:
    """Delivers what happens to every webhook; of several processes one leads.

    An address hears of events one after the other. One that does not answer, or answers that it cannot at
    present, holds its place and is tried again after a pause that grows, or that it asks for. What it refuses
    again and again, or does not take for days, is put aside (a dead letter), and it hears of the next; if it
    does not take that either, it is disabled, with an event and an alarm. After a crash the last event may
    come a second time, with the same ``webhook-id``.
    """

    def __init__(self, desk: Desk, params: ServiceParams) -> None:
        self._desk, self._params = desk, params

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; wait while the database is away or another process leads."""
        while not stop.is_set():
            try:
                with (
                    self._desk.database.connect(autocommit=True) as connection,
                    answered_errors(self._desk.database.url),
                ):
                    while not stop.is_set():
                        row = connection.execute(_LEADS).fetchone()
                        if row is not None and row[0]:
                            self._lead(connection, stop)
                        stop.wait(1)
            except (DealwrightError, psycopg.Error) as error:
                _log.warning("no webhook is called at present: %s", error)
                stop.wait(1)

    def _lead(self, connection: psycopg.Connection[Any], stop: threading.Event) -> None:
        under_way: dict[int, Future[None]] = {}
        with ThreadPoolExecutor(_AT_ONCE, "dealwright-courier") as pool:
            while not stop.is_set():
                # whoever has lost the lock with the connection stops; this clock has set `retry_at`
                now = connection.execute("SELECT clock_timestamp()").fetchall()[0][0]
                # before the list is read: of who ends meanwhile it may say what was
                busy = {number for number, work in under_way.items() if not work.done()}
                hooks = self._desk.webhooks.list()
                last = self._desk.outbox.last() if hooks else None
                for webhook in hooks:
                    retry = webhook.retry_at
                    # later than the longest pause: that clock was put back meanwhile
                    due = retry is None or not now < retry <= now + _LONGEST_PAUSE
                    due = due and last is not None and webhook.heard < last
                    at_work = webhook.disabled_at is None and webhook.paused_at is None
                    if at_work and due and webhook.webhook_id not in busy:
                        under_way[webhook.webhook_id] = pool.submit(self._serve, webhook, now, stop.is_set)
                stop.wait(self._params.webhook_poll_s)

    def _serve(self, webhook: Webhook, now: datetime, stopped: Callable[[], bool]) -> None:
        """Tell one address of what it has not heard of yet, until it does not take one."""
        try:
            self._deliver_new(webhook, now, stopped)
        except DatabaseError as error:
            _log.warning("webhook %d: %s", webhook.webhook_id, error)
        except Exception:  # noqa: BLE001 - of one address, which must not end the others
            _log.exception("webhook %d failed", webhook.webhook_id)
            self._desk.webhooks.failed(webhook, "an unexpected error: see the log", 60)

    def _deliver_new(self, webhook: Webhook, now: datetime, stopped: Callable[[], bool]) -> None:
        skipped, trouble = 0, _Trouble.of(webhook, now, self._params)
        with httpx.Client(timeout=self._params.webhook_timeout_s, trust_env=False) as http:
            for event in self._desk.outbox.read(webhook.heard, _PAGE):
                if stopped():
                    return
                if webhook.kinds is not None and event.kind not in webhook.kinds:
                    skipped += 1
                    if skipped % _SKIPPED == 0:
                        self._desk.webhooks.passed(webhook, event)
                    continue
                if not self._deliver(http, webhook, event, trouble):
                    return
                trouble = _Trouble()

    def _deliver(self, http: httpx.Client, webhook: Webhook, event: Event, trouble: _Trouble) -> bool:
        """Tell an address of an event; return whether it may hear of the next one at once."""
        hooks, attempt = self._desk.webhooks, trouble.attempts + 1
        wished_s = 0.0
        try:
            status, wished_s = self._call(http, webhook, event)
        except (httpx.HTTPError, OSError, InputError) as error:
            status, said = None, f"{type(error).__name__}: {error}"
        else:
            said = f"it answered {status}"
        if status is not None and 200 <= status < 300:
            hooks.done(webhook, event)
            return True
        if status == _GONE or (trouble.lasts and trouble.gave_up):
            self._disable(webhook, "it answered 410: gone" if status == _GONE else said)
            return False
        refused = status is not None and 300 <= status < 500 and status not in _LATER
        if trouble.lasts or (refused and attempt >= self._params.webhook_attempts):
            hooks.gave_up(webhook, event, said)
            _log.error("webhook %d: event %s was put aside: %s", webhook.webhook_id, event.position, said)
            return False  # the next time it is read anew, with no attempt behind it
        longest_s = min(
            self._params.webhook_pause_s * 2.0 ** min(attempt - 1, 20), _LONGEST_PAUSE.total_seconds()
        )
        wait_s = max(random.uniform(longest_s / 2, longest_s), wished_s)  # noqa: S311
        hooks.failed(webhook, said, wait_s)
        _log.warning(
            "webhook %d: event %s, attempt %d: %s", webhook.webhook_id, event.position, attempt, said
        )
        return False

    def _disable(self, webhook: Webhook, said: str) -> None:
        """Tell an address nothing more, with an event that others hear and an alarm in the log."""
        self._desk.webhooks.failed(webhook, said, 0, disable=True)
        _log.error(
            "webhook %d is disabled (%s): `dealwright webhook resume %d` when it is back",
            webhook.webhook_id, said, webhook.webhook_id, extra={"alarm": True},
        )  # fmt: skip

    def _call(self, http: httpx.Client, webhook: Webhook, event: Event) -> tuple[int, float]:
        """Send an event to the address that was checked, whatever its name says a moment later.

        Returns
        -------
        tuple
            The status of the answer, and for how many seconds the address asks to be left alone.
        """
        address = find_address(webhook.url, allow_private=self._params.private_webhooks)
        url = httpx.URL(webhook.url)
        body = encode(cloud_event(event))
        number, now = str(event.position), datetime.now(UTC)
        signers = [Signer(secret) for secret in webhook.secrets(self._params.webhook_key, now)]
        headers = {
            "host": url.netloc.decode(),
            "content-type": "application/cloudevents+json",
            "webhook-id": number,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(number, now, body.decode()) for signer in signers),
        }
        # the client's time limit is that of one read: an answer that comes byte by byte never meets it
        late = threading.Timer(self._params.webhook_timeout_s, http.close)
        late.daemon = True
        late.start()
        try:
            with http.stream(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers=headers,
                extensions={"sni_hostname": url.host},
            ) as answer:
                return answer.status_code, _wished_pause_s(answer.headers.get("retry-after"), now)
        finally:
            late.cancel()

    def test(self, webhook: Webhook) -> str | None:
        """Send an event of kind ``test``, once; return what went wrong."""
        now = datetime.now(UTC)
        return self._send_once(
            webhook, Event(Position(0, int(now.timestamp() * 1000)), "test", now, None, _NO_SUBJECT)
        )

    def send_dead(self, webhook: Webhook, number: str) -> str | None:
        """Send one event that was put aside, once, with the id it had; return what went wrong.

        What followed it is not sent again, and the place of the address among the events stays where it is.
        """
        event = self._desk.webhooks.letter(webhook.webhook_id, number)
        if (error := self._send_once(webhook, event)) is None:
            self._desk.webhooks.letter_taken(webhook, event)
        return error

    def _send_once(self, webhook: Webhook, event: Event) -> str | None:
        with httpx.Client(timeout=self._params.webhook_timeout_s, trust_env=False) as http:
            try:
                status, _ = self._call(http, webhook, event)
            except (httpx.HTTPError, OSError, InputError) as error:
                return f"{type(error).__name__}: {error}"
        return None if 200 <= status < 300 else f"it answered {status}"
