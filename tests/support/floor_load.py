"""Clients that send leads through HTTP whatever happens, and the account of what they were answered."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from engine import rows, value
from ledger import check_desk
from serving import Serving, lead

from dealwright.desk.desk import Desk

_PATIENCE_S = 60


@dataclass
class Load:
    """Clients at work.

    Attributes
    ----------
    sent
        The keys of the leads that were sent, answered or not.
    answers
        Key of a lead -> each answer that it got.
    settled
        Bookings that were answered as settled.
    refused
        Statuses of answers that were no success, in order.
    """

    url: str
    key: str
    sent: set[str] = field(default_factory=set)
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    settled: set[Any] = field(default_factory=set)
    refused: list[int] = field(default_factory=list)
    broken: int = 0
    failed: list[Exception] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, clients: int, name: str) -> None:
        for number in range(clients):
            thread = threading.Thread(target=self._try_work, args=(f"{name}-{number}",), daemon=True)
            thread.start()
            self._threads.append(thread)

    def progress(self, wanted: int, within_s: float = _PATIENCE_S) -> None:
        """Wait until so many more leads have been answered."""
        aim, deadline = len(self.answers) + wanted, time.monotonic() + within_s
        while len(self.answers) < aim:
            assert time.monotonic() < deadline, f"the clients stand still: {self.refused[-5:]}"
            time.sleep(0.01)

    def finish(self) -> None:
        """Let every client get the answer it waits for, and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)
            assert not thread.is_alive(), f"a client got no answer: {self.refused[-5:]}"
        assert not self.failed, self.failed

    def _try_work(self, client: str) -> None:
        try:
            self._work(client)
        except (AssertionError, ValueError, KeyError) as error:  # in its thread nobody would see it
            self.failed.append(error)

    def _work(self, client: str) -> None:
        rng, number = random.Random(client), 0
        http = self._connect()
        while not self._stop.is_set():
            key = f"{client}-{number}"
            number += 1
            self.sent.add(key)
            body = lead(f"Customer {key}", idempotency_key=key)
            while (answer := self._ask(http, "POST", "/leads", body)) is None:
                time.sleep(0.05)
            assert answer.status_code == 201, answer.text
            self.answers.setdefault(key, []).append(answer.json())
            if rng.random() < 0.1:  # as if the answer had been lost
                again = self._ask(http, "POST", "/leads", body)
                if again is not None:
                    self.answers[key].append(again.json())
            booking = answer.json()["booking_id"]
            if booking is not None and rng.random() < 0.9:
                change = {"status": "confirmed", "total_revenue": 100}
                if self._ask(http, "PUT", f"/bookings/{booking}", change) is not None:
                    self.settled.add(booking)

    def _connect(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=20)

    def _ask(self, http: httpx.Client, method: str, path: str, body: Any) -> httpx.Response | None:
        """Return the answer; None where there was none, or one that says to try again."""
        try:
            answer = http.request(method, path, json=body)
        except httpx.TransportError:
            self.broken += 1
            return None
        if answer.status_code in (429, 503):
            assert answer.headers["content-type"] == "application/problem+json"
            self.refused.append(answer.status_code)
            return None
        assert answer.status_code < 500, answer.text
        return answer


@contextmanager
def load(service: Serving, name: str, clients: int = 6) -> Iterator[Load]:
    """Run clients beside the block; afterwards nothing may be lost, doubled or over capacity."""
    found = Load(service.url, service.keys["ingest"])
    found.start(clients, name)
    try:
        yield found
    finally:
        found.finish()
    check_account(service.desk, found, name)


def check_account(desk: Desk, load: Load, name: str) -> None:
    """Compare the desk's tables with what its clients were answered, recount everything, verify the chain."""
    assert set(load.answers) == load.sent
    with desk.database.connect(autocommit=True) as connection:
        recorded = rows(
            connection,
            "select l.idempotency_key as key, l.lead_id, array_agg(a.assignment_id::text) as assignments "
            "from dealwright.lead as l left join dealwright.assignment as a using (lead_id) "
            "where l.idempotency_key like %s group by l.lead_id",
            f"{name}-%",
        )
        found = {row["key"]: row for row in recorded}
        assert len(found) == len(recorded)
        assert set(found) == load.sent
        for key, answers in load.answers.items():
            assert {answer["lead_id"] for answer in answers} == {found[key]["lead_id"]}
            for answer in answers:
                if answer["assignment_id"] is not None:
                    assert str(answer["assignment_id"]) in found[key]["assignments"]
        settled = value(
            connection,
            "select count(*) from dealwright.booking where status = 'confirmed' and booking_id = any(%s)",
            [int(booking) for booking in load.settled],
        )
        assert settled == len(load.settled)
        check_desk(connection)
        rows(connection, "select dealwright.seal_decisions()")
    assert desk.verify().intact
