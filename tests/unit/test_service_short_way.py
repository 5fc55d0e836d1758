"""Requests of which there are many are read by a shorter way, and answered as FastAPI answers them."""

from __future__ import annotations

import hashlib
import json
import time
from types import SimpleNamespace
from typing import Annotated, Any, cast

import pytest
from asynchronous import finish
from fastapi import APIRouter, FastAPI, Header, Request
from hypothesis import given
from hypothesis import strategies as st
from malformed import Malformed
from starlette.types import Message

from dealwright.desk.keys import Key
from dealwright.service.answers import Json
from dealwright.service.app import create_app
from dealwright.service.core import Service
from dealwright.service.endpoint import endpoint
from dealwright.service.guard import Guard, _Remembered
from dealwright.service.metrics import Metrics
from dealwright.service.params import ServiceParams
from dealwright.service.shapes import LeadIn, Policy

TOKEN = "dw_plenty"
LEAD = b'{"customer_name": "Ada", "attributes": {"destination": "Mars", "crew": 3}, "priority": 2}'
JSON = (b"content-type", b"application/json")
KEY = (b"authorization", f"Bearer {TOKEN}".encode())


_SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "scheme": "http",
    "root_path": "",
    "method": "POST",
    "path": "/taken",
    "raw_path": b"/taken",
    "client": ("192.0.2.1", 1),
    "server": ("192.0.2.2", 80),
}


@pytest.fixture(scope="module")
def usual() -> FastAPI:
    """Return the application whose endpoint FastAPI serves."""
    return app(None)


@pytest.fixture(scope="module")
def short() -> FastAPI:
    """Return the same with the shorter way."""
    return app(LeadIn)


def app(often: type[LeadIn] | None, *, scope: str = "ingest") -> FastAPI:
    """Return an application with an endpoint that answers what it was given."""
    router = APIRouter()

    @endpoint(router, "POST", "/taken", scopes=("ingest",), answer=None, often=often)
    async def take(
        request: Request,
        lead: LeadIn,
        policy: Policy | None = None,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=500)] = None,
    ) -> Json:
        """Answer what was sent."""
        return Json({"lead": repr(lead), "policy": policy, "key": idempotency_key})

    params = ServiceParams(rate_per_s=1e9, burst=1e9)
    guard = Guard(cast("Any", None), cast("Any", None), params)
    key = Key("0" * 12, "web form", frozenset({scope}), None, None, "hash", None, True)
    guard._remembered[hashlib.sha256(TOKEN.encode()).digest()] = _Remembered(key, time.monotonic() + 1e6)
    service = cast("Service", SimpleNamespace(guard=guard, metrics=Metrics(cast("Any", None))))
    made = create_app(lambda: service, params, extend=lambda app: app.include_router(router))
    made.state.service = service
    return made


async def ask(
    app: FastAPI, headers: list[tuple[bytes, bytes]], body: bytes, query: str = ""
) -> tuple[Any, ...]:
    """Return status, kind and content of the answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = _SCOPE | {"query_string": query.encode("latin-1"), "headers": headers, "state": {}}
    await app(scope, receive, send)
    kind = next((value for name, value in sent[0]["headers"] if name == b"content-type"), None)
    return sent[0]["status"], kind, b"".join(message.get("body", b"") for message in sent[1:])


def test_each_request_is_answered_as_by_the_usual_way(usual: FastAPI, short: FastAPI) -> None:
    requests = Malformed(
        usual.openapi() | {"paths": {"/taken": usual.openapi()["paths"]["/taken"]}}, TOKEN, 27
    )
    statuses: dict[int, int] = {}

    async def compare() -> None:
        for _ in range(400):
            _, path, headers, body = requests.draw()
            query = path.partition("?")[2]
            answer = await ask(usual, headers, body, query)
            assert await ask(short, headers, body, query) == answer, (headers, body, query)
            statuses[answer[0]] = statuses.get(answer[0], 0) + 1

    finish(compare())
    assert min(statuses[status] for status in (200, 400, 401, 422)) > 2, statuses


@pytest.mark.parametrize(
    ("headers", "body", "query", "status"),
    [
        ([JSON, KEY], LEAD, "", 200),
        ([KEY, (b"content-type", b"application/json; charset=utf-8")], LEAD, "", 200),
        ([JSON, KEY], LEAD, "policy=value", 200),
        ([JSON, KEY, (b"idempotency-key", b"k-1")], LEAD, "", 200),
        ([JSON, KEY, (b"idempotency-key", b"k" * 501)], LEAD, "", 422),
        ([JSON, KEY], LEAD.decode().encode("utf-16"), "", 200),  # as JSON may be written
        ([JSON, KEY], LEAD.replace(b"customer_name", b"customer"), "", 422),
        ([JSON, KEY], b'{"customer_name": "Ada", "customer_name": "Bea"}', "", 200),
        ([JSON, KEY], b"{", "", 400),
        ([KEY], LEAD, "", 422),
        ([JSON], LEAD, "", 401),
        ([JSON], b"{", "", 400),
    ],
)
def test_whatever_is_not_plain_goes_the_usual_way(
    usual: FastAPI, short: FastAPI, headers: list[tuple[bytes, bytes]], body: bytes, query: str, status: int
) -> None:
    answer = finish(ask(short, headers, body, query))
    assert answer[0] == status
    assert answer == finish(ask(usual, headers, body, query))


def test_a_key_without_the_scope_is_refused() -> None:
    status, _, content = finish(ask(app(LeadIn, scope="planner"), [JSON, KEY], LEAD))
    assert status == 403
    assert "this takes the scope admin or ingest" in json.loads(content)["detail"]


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str)
_NAMES = st.sampled_from(
    (
        "customer_name",
        "attributes",
        "requirements",
        "priority",
        "idempotency_key",
        "received_at",
        "customer_id",
    )
)


@given(st.dictionaries(_NAMES, _VALUES | st.dictionaries(st.text(max_size=3), _VALUES)))
def test_what_is_read_from_the_text_is_read_from_its_values(document: dict[str, Any]) -> None:
    text = json.dumps({"customer_name": "Ada", **document})
    try:
        found = LeadIn.model_validate_json(text)
    except ValueError:
        return  # the usual way reads it again
    assert repr(found) == repr(LeadIn.model_validate(json.loads(text)))
