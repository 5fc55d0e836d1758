"""What the client repeats, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from dealwright import Client, ServiceError
from dealwright.service import client as module

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_pause", lambda *_: None)


def talking_to(handler: Handler) -> Client:
    client = Client("http://desk.example", "dw_key", attempts=3)
    client._http = httpx.Client(base_url="http://desk.example/api/v1", transport=httpx.MockTransport(handler))
    return client


def test_a_lead_is_sent_again_with_the_key_it_had() -> None:
    keys = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(json.loads(request.content)["idempotency_key"])
        if len(keys) == 1:
            raise httpx.ReadError("gone", request=request)  # the answer is lost
        return (
            httpx.Response(503, json={"detail": "away"}) if len(keys) == 2 else httpx.Response(201, json={})
        )

    with talking_to(answer) as client:
        client.assign({"customer_name": "Kate"})
        client.assign({"customer_name": "Kate"})
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert all(keys)


@pytest.mark.parametrize(
    ("error", "sent"), [(httpx.ReadError("gone"), 1), (httpx.ConnectError("refused"), 3)]
)
def test_what_would_do_harm_twice_is_repeated_only_if_it_cannot_have_arrived(
    error: httpx.TransportError, sent: int
) -> None:
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        raise error

    with talking_to(answer) as client, pytest.raises(ServiceError, match=r"desk\.example"):
        client.decline(1, "busy")
    assert len(requests) == sent


def test_a_busy_service_is_asked_again_and_a_stream_goes_on_where_it_was() -> None:
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        if len(asked) == 2:
            return httpx.Response(429, json={"detail": "busy"})
        number = len(asked)
        return httpx.Response(200, text=f'retry: 1\n\nid: 7-{number}\ndata: {{"id": "7-{number}"}}\n\n')

    with talking_to(answer) as client:
        events = client.events("7-0")
        assert [next(events)["id"] for _ in range(2)] == ["7-1", "7-3"]
    assert asked == ["7-0", "7-1", "7-1"]
