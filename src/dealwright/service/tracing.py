"""Traces of requests (OpenTelemetry), where the standard variables ask for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from dealwright.errors import InputError
from dealwright.extras import require_extra

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP: Final = "http/protobuf"


class Tracing:
    """Makes a span of each request, a part of its caller's trace where it has a `traceparent`."""

    def __init__(self, tracer: Tracer) -> None:
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, StatusCode, format_trace_id

        self._tracer, self._extract, self._kind = tracer, extract, SpanKind.SERVER
        self._error, self._written = StatusCode.ERROR, format_trace_id

    @contextmanager
    def request(self, scope: Mapping[str, Any]) -> Iterator[Span]:
        """Trace what happens inside the block; no path, query or body, which may hold customers' data."""
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"]
        with self._tracer.start_as_current_span(
            method, self._extract(carrier), self._kind, {"http.request.method": method}
        ) as span:
            yield span

    def finish(self, span: Span, method: str, route: str, status: int, request_id: str) -> str:
        """Say what is known when a request is answered; return the trace's number."""
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("dealwright.request_id", request_id)
        if status >= 500 or status == 0:
            span.set_status(self._error)
        return self._written(span.get_span_context().trace_id)


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return bool(exporter) or any(environment.get(name, "").strip() for name in _ENDPOINTS)


def start_tracing(environment: Mapping[str, str] | None = None) -> Tracing | None:
    """Set up what the standard variables ask for; None: nothing.

    Raises
    ------
    MissingExtraError
        The extra ``tracing`` is not installed.
    InputError
        A variable asks for what is not there.
    """
    variables = os.environ if environment is None else environment
    if not is_asked_for(variables):
        return None
    require_extra("tracing", "traces (OTEL_… asks for them)")
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    protocol = next((variables[name].strip() for name in _PROTOCOLS if variables.get(name)), _HTTP)
    if exporter not in ("otlp", "console"):
        raise InputError(f"OTEL_TRACES_EXPORTER={exporter} is not known here: use otlp, console or none")
    if protocol != _HTTP:
        raise InputError(f"{_PROTOCOLS[1]}={protocol} is not known here: use {_HTTP}")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

    from dealwright import __version__

    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count more
    own = Resource({"service.name": "dealwright", "service.version": __version__})
    named = bool(variables.get("OTEL_SERVICE_NAME"))
    provider = TracerProvider(
        resource=own.merge(Resource.create()) if named else Resource.create().merge(own)
    )
    if exporter == "console":
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider.get_tracer("dealwright", __version__))
