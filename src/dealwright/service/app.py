"""The application: what surrounds every request, and the endpoints."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dealwright import __version__
from dealwright.desk.keys import Caller
from dealwright.errors import DatabaseError, DealwrightError
from dealwright.runs.logs import REQUEST_ID
from dealwright.service.core import Service
from dealwright.service.params import ServiceParams
from dealwright.service.problems import RefusedError, problem, problem_of, status_of
from dealwright.service.routes import (
    agents,
    assignments,
    days,
    events,
    keys,
    leads,
    operations,
    oversight,
    people,
    proposals,
    reading,
    runs,
    tasks,
    territories,
    webhooks,
)
from dealwright.service.shapes import Problem
from dealwright.service.tracing import Tracing, start_tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_log = logging.getLogger("dealwright.service")
# what a log can show without harm
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS_ID, _COUNT = secrets.token_hex(6), itertools.count(1)
ErrorPage = Callable[[Request, int, str], Response]
# what programs ask for: answered by problem documents, whatever pages there are
_PROGRAMS = ("/api/", "/health", "/ready")
_PAGE_DETAILS = {404: "no such page: the links at the top lead to those that there are"}
_DESCRIPTION = """\
Decides who should sell to a customer. Every request carries a key (`Authorization: Bearer dw_…`); `x-scopes`
of an operation says which keys it takes. Every error is a problem document whose `detail` names the fix.
Lists are read page by page: send `next` of an answer as `after`.

A lead is safe to send again with the same `idempotency_key`: it is placed once.
"""


def create_app(
    open_service: Callable[[], Service],
    params: ServiceParams,
    *,
    started: Callable[[Service], None] = lambda _: None,
    extend: Callable[[FastAPI], None] = lambda _: None,
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    open_service
        Is called when the application starts; what it returns is closed when it ends.
    started
        Is told of it, in the thread of the event loop.
    extend
        Adds addresses of its own; ``app.state.error_page``, where it sets that, answers what went wrong at
        these.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = params.threads
        service = await anyio.to_thread.run_sync(open_service)
        app.state.service = service
        service.start()
        started(service)
        try:
            yield {"service": service}
        finally:
            await service.close()

    app = FastAPI(
        title="Dealwright",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        servers=[{"url": "/"}],  # some generators of clients do not take it for granted
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        # its spans have the path and the query, which may hold customers' data: `tracing` makes ours
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.params = params
    for module in (
        leads,
        assignments,
        agents,
        events,
        reading,
        runs,
        days,
        tasks,
        territories,
        oversight,
        proposals,
        webhooks,
        keys,
        operations,
    ):
        app.include_router(module.router, prefix="/api/v1")
    app.include_router(operations.probes)
    app.include_router(people.router)
    app.state.sign_in_page = people.plain_page
    app.add_exception_handler(DealwrightError, _refuse)
    app.add_exception_handler(RefusedError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_values)
    app.add_exception_handler(HTTPException, _refuse_request)
    app.openapi = lambda: _with_problem(app)  # type: ignore[method-assign]  # as its documentation says
    app.add_middleware(Envelope, most_body_bytes=params.most_body_bytes, tracing=start_tracing())
    extend(app)
    return app


def _with_problem(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document; the shape of errors stands in it once."""
    document = FastAPI.openapi(app)
    document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    return document


class Envelope:
    """Surrounds every request: its number, its size, its time, and what nobody foresaw."""

    def __init__(self, app: ASGIApp, most_body_bytes: int, tracing: Tracing | None = None) -> None:
        self._app, self._most, self._tracing = app, most_body_bytes, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._tracing is None:
            await self._answer(scope, receive, send)
        else:
            with self._tracing.request(scope) as span:
                await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: Span | None = None) -> None:
        began = time.perf_counter()
        request_id = scope["dealwright.request_id"] = _request_id(scope)
        token = REQUEST_ID.set(request_id)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                kept = any(name == b"cache-control" for name, _ in message["headers"])
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    *([] if kept else [(b"cache-control", b"no-store")]),
                ]
            await send(message)

        try:
            if _announced_bytes(scope) > self._most:
                await self._too_large(scope["path"])(scope, receive, answer)
            else:
                await self._app(scope, self._limited(receive), answer)
        except Exception:
            _log.exception("request %s failed", request_id)
            if status == 0:
                detail = f"the log of the service has the details of request {request_id}"
                page = _page(Request(scope), 500, detail) if "app" in scope else None
                await (page or problem(500, detail, scope["path"]))(scope, receive, answer)
            else:
                raise
        finally:
            more = {}
            if self._tracing is not None and span is not None:
                what = (scope["method"], _route(scope), status, request_id)
                more["trace_id"] = self._tracing.finish(span, *what)
            _write_down(scope, status, time.perf_counter() - began, more)
            REQUEST_ID.reset(token)

    def _limited(self, receive: Receive) -> Receive:
        """Refuse a body that grows too large on its way."""
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise HTTPException(413, self._words())
            return message

        return limited

    def _too_large(self, path: str) -> Response:
        return problem(413, self._words(), path, headers={"Connection": "close"})

    def _words(self) -> str:
        return f"a request may have {self._most:,} bytes: send less at a time"


def _announced_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _request_id(scope: Scope) -> str:
    """Return the number a request came with, from a proxy or a program, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return f"{_PROCESS_ID}{next(_COUNT):06x}"


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path_format", None) or "(unknown)"


def _write_down(scope: Scope, status: int, seconds: float, more: Mapping[str, str]) -> None:
    """Log and count a request: its route, and no path, query or body, which may hold customers' data."""
    state: MutableMapping[str, Any] = scope.get("state") or {}
    # that of a request is a copy, to which a dependency may have added the key
    route = _route(scope)
    service: Service | None = getattr(scope["app"].state, "service", None) if "app" in scope else None
    if service is not None:
        service.metrics.observe_request(scope["method"], route, status, seconds)
    caller: Caller | None = state.get("caller")
    _log.info(
        "request",
        extra={
            "method": scope["method"],
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 2),
            "caller": caller.caller_id if caller is not None else None,
            **more,
        },
    )


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, DealwrightError | RefusedError)  # noqa: S101 - registered for these
    if isinstance(error, DatabaseError) and status_of(error) == 503:
        service: Service = request.app.state.service
        service.revive()
        _log.error("%s", error)
    status = error.status if isinstance(error, RefusedError) else status_of(error)
    headers = error.headers if isinstance(error, RefusedError) else None
    return _page(request, status, str(error), headers) or problem_of(error, request.url.path)


def _page(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None
) -> Response | None:
    """Return the page of an error, where somebody looks at pages."""
    write: ErrorPage | None = getattr(request.app.state, "error_page", None)
    if (
        write is None
        or request.url.path.startswith(_PROGRAMS)
        or request.url.path.endswith((".json", ".csv"))
    ):
        return None
    answer = write(request, status, detail)
    answer.headers.update(headers or {})
    return answer


async def _refuse_values(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these
    found = [
        {"at": ".".join(str(part) for part in item["loc"]), "message": item["msg"]} for item in error.errors()
    ]
    unreadable = any(item["type"] == "json_invalid" for item in error.errors())
    first = found[0]
    detail = f"{first['at']}: {first['message']}"
    return problem(400 if unreadable else 422, detail, request.url.path, errors=found[:100])


async def _refuse_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these
    details = {
        404: "no such address: /api/v1/openapi.json lists all of them",
        405: f"the address does not know {request.method}: /api/v1/openapi.json says what it knows",
    }
    detail = details.get(error.status_code, str(error.detail))
    if page := _page(request, error.status_code, _PAGE_DETAILS.get(error.status_code, detail)):
        return page
    return problem(error.status_code, detail, request.url.path, headers=error.headers)
