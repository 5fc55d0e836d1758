"""Traces of requests: only where they are asked for, part of the caller's, with nothing of a customer."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from asynchronous import finish

from dealwright.errors import InputError
from dealwright.service.app import Envelope
from dealwright.service.tracing import Tracing, is_asked_for, start_tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "desk"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_the_standard_variables_ask_for_traces(variables: dict[str, str], *, asked: bool) -> None:
    assert is_asked_for(variables) == asked


def test_nothing_is_imported_unless_it_is_asked_for() -> None:
    program = (
        # its interface alone comes with libraries of the service
        "import sys, dealwright.service.app; from dealwright.service.tracing import start_tracing; "
        "assert start_tracing({}) is None; assert 'opentelemetry.sdk' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "use otlp, console or none"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "use http/protobuf",
        ),
    ],
)
def test_what_is_not_there_is_refused(variables: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        start_tracing(variables)


async def answer(tracing: Tracing, status: int) -> None:
    async def app(scope: Any, _: Any, send: Any) -> None:
        scope["route"] = type("Route", (), {"path_format": "/api/v1/leads/{lead_id}"})
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(_: Any) -> None:
        return None

    scope: Any = {
        "type": "http", "method": "GET", "path": "/api/v1/leads/7", "query_string": b"name=Kate",
        "headers": [(b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()), (b"x-request-id", b"r-1")],
    }  # fmt: skip
    await Envelope(app, 1000, tracing)(scope, receive, send)


def test_a_span_joins_its_callers_trace_and_names_no_customer() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing = Tracing(provider.get_tracer("test"))
    finish(answer(tracing, 200))
    finish(answer(tracing, 503))
    fine, failed = kept.get_finished_spans()
    assert fine.name == "GET /api/v1/leads/{lead_id}"
    assert f"{fine.get_span_context().trace_id:032x}" == TRACE
    assert fine.parent is not None
    assert f"{fine.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert dict(fine.attributes or {}) == {
        "http.request.method": "GET", "http.route": "/api/v1/leads/{lead_id}",
        "http.response.status_code": 200, "dealwright.request_id": "r-1",
    }  # fmt: skip
    assert (fine.status.is_ok, failed.status.is_ok) == (True, False)
    assert "Kate" not in json.dumps([json.loads(span.to_json()) for span in (fine, failed)])


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Return the address of a collector, and what it got."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.path.encode() + self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def test_spans_reach_the_collector_that_the_variables_name(
    collector: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, got = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    tracing = start_tracing()
    assert tracing is not None
    finish(answer(tracing, 200))
    end = threading.Event()
    for _ in range(200):
        if got:
            break
        end.wait(0.05)
    (sent,) = got
    assert sent.startswith(b"/v1/traces")
    assert b"GET /api/v1/leads/{lead_id}" in sent
    assert b"dealwright" in sent
    assert bytes.fromhex(TRACE) in sent
