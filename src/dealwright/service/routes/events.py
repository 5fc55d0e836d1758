"""What happens, as it happens: a stream of server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from dealwright.desk.outbox import Event, Position
from dealwright.service.endpoint import OwnAgent, endpoint, service_of
from dealwright.service.events import PREFIX, as_sent
from dealwright.service.problems import RefusedError

router = APIRouter(tags=["events"])
_CHECK_S = 30.0


@endpoint(
    router, "GET", "/events", scopes=("agent", "manager", "planner"), answer=None,
    media_type="text/event-stream",
)  # fmt: skip
async def stream_events(
    request: Request,
    own: OwnAgent,
    *,
    last_event_id: Annotated[
        str | None, Header(max_length=50, description="The id of the last event that was seen.")
    ] = None,
    after: Annotated[
        str | None, Query(max_length=50, description="The same, for clients that cannot send the header.")
    ] = None,
    kind: Annotated[
        list[str] | None, Query(max_length=50, description="Only these, for example assigned.")
    ] = None,
) -> StreamingResponse:
    """Follow the events from now on, or from the one that was seen last; an agent's key sees its own.

    Each is a CloudEvent. None is skipped and none comes twice for a client that comes back with
    `Last-Event-ID`, which a browser's EventSource does by itself.
    """
    service = service_of(request)
    seen = last_event_id or after
    place = None if seen is None else Position.parse(seen)
    kinds = {name.removeprefix(PREFIX) for name in kind or ()}
    if service.listeners >= service.params.most_listeners:
        raise RefusedError(
            429, f"{service.listeners:,} clients follow the events of this process: try again later",
            {"Retry-After": "10"},
        )  # fmt: skip

    def wanted(event: Event) -> bool:
        return (own is None or event.agent_id == own) and (not kinds or event.kind in kinds)

    async def lines() -> AsyncIterator[bytes]:
        service.listeners += 1
        try:
            checked = time.monotonic()
            yield b"retry: 1000\n\n"
            async for event in service.events.follow(place, wanted, service.is_stopping):
                yield b": nothing new\n\n" if event is None else as_sent(event)
                if time.monotonic() - checked > _CHECK_S:
                    checked = time.monotonic()
                    await service.guard.identify(request)  # or the key has been revoked meanwhile
        except RefusedError:
            yield b"event: end\ndata: the key is no longer valid\n\n"
        finally:
            service.listeners -= 1

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
