"""For whoever runs the service: is it alive, can it serve, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from dealwright import __version__
from dealwright.desk.database import redact
from dealwright.service.answers import Json
from dealwright.service.endpoint import TheDesk, endpoint, service_of
from dealwright.service.metrics import CONTENT_TYPE
from dealwright.service.problems import RefusedError
from dealwright.service.shapes import HealthOut, ReadyOut

router = APIRouter(tags=["operations"])
probes = APIRouter(tags=["operations"])


@endpoint(probes, "GET", "/health", scopes=None, answer=HealthOut)
async def health() -> Json:
    """Say that the process is alive; the database is not asked."""
    return Json({"status": "alive", "version": __version__})


@endpoint(probes, "GET", "/ready", scopes=None, answer=ReadyOut)
def ready(request: Request, desk: TheDesk) -> Json:
    """Say that requests can be served: the database answers, and the process is not about to end."""
    if service_of(request).is_draining():
        raise RefusedError(503, "this process is about to end: send requests to another one")
    desk.used_policy()
    return Json({"status": "ready", "database": redact(desk.database.url)})


@endpoint(router, "GET", "/metrics", scopes=("manager", "planner"), answer=None, media_type="text/plain")
def metrics(request: Request) -> Response:
    """Return counters and gauges in Prometheus' format."""
    service = service_of(request)
    text = service.metrics.text(
        event_listeners=service.listeners, events_held_back_s=service.events.held_back_s
    )
    return Response(text, media_type=CONTENT_TYPE)
