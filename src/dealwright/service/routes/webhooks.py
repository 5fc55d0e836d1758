"""Webhooks: addresses that receive events by a signed call."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from dealwright.errors import NotFoundError
from dealwright.service.answers import Json
from dealwright.service.endpoint import TheDesk, endpoint, service_of
from dealwright.service.events import PREFIX
from dealwright.service.shapes import (
    DeadLetterSentOut,
    DeadLettersOut,
    NewWebhookOut,
    WebhookIn,
    WebhookResumedOut,
    WebhooksOut,
)

router = APIRouter(tags=["webhooks"])
WebhookId = Annotated[int, Path(ge=1, lt=2**63)]
EventId = Annotated[str, Path(pattern="^[0-9]{1,20}-[0-9]{1,19}$")]


@endpoint(router, "GET", "/webhooks", scopes=(), answer=WebhooksOut)
def list_webhooks(desk: TheDesk) -> Json:
    """List the webhooks, how far each has heard, and what keeps it."""
    return Json({"webhooks": [webhook.to_dict() for webhook in desk.webhooks.list()]})


@endpoint(router, "POST", "/webhooks", scopes=(), answer=NewWebhookOut, status=201)
def create_webhook(request: Request, desk: TheDesk, webhook: WebhookIn) -> Json:
    """Register an address that receives events from now on; the secret of its signatures is shown once."""
    from dealwright.service.courier import find_address

    params = service_of(request).params
    find_address(webhook.url, allow_private=params.private_webhooks)
    kinds = None if webhook.kinds is None else [kind.removeprefix(PREFIX) for kind in webhook.kinds]
    webhook_id, secret = desk.webhooks.create(webhook.url, kinds, key=params.webhook_key)
    return Json({"webhook_id": webhook_id, "secret": secret}, 201)


@endpoint(router, "DELETE", "/webhooks/{webhook_id}", scopes=(), answer=None, status=204)
def remove_webhook(desk: TheDesk, webhook_id: WebhookId) -> Response:
    """Forget an address, with what it did not take."""
    desk.webhooks.remove(webhook_id)
    return Response(status_code=204)


@endpoint(router, "GET", "/webhooks/{webhook_id}/dead-letters", scopes=(), answer=DeadLettersOut)
def list_dead_letters(desk: TheDesk, webhook_id: WebhookId) -> Json:
    """List the events that were put aside because an address did not take them."""
    return Json({"dead_letters": desk.webhooks.dead_letters(webhook_id)})


@endpoint(
    router, "POST", "/webhooks/{webhook_id}/dead-letters/{event}/send", scopes=(), answer=DeadLetterSentOut
)
def send_dead_letter(request: Request, desk: TheDesk, webhook_id: WebhookId, event: EventId) -> Json:
    """Send one event that was put aside, once, and nothing that followed it."""
    from dealwright.service.courier import Courier

    found = next((each for each in desk.webhooks.list() if each.webhook_id == webhook_id), None)
    if found is None:
        raise NotFoundError(f"there is no webhook {webhook_id}: the list of webhooks shows those there are")
    error = Courier(desk, service_of(request).params).send_dead(found, event)
    return Json({"webhook_id": webhook_id, "event": event, "error": error})


@endpoint(router, "POST", "/webhooks/{webhook_id}/retry", scopes=(), answer=WebhookResumedOut)
def retry_webhook(desk: TheDesk, webhook_id: WebhookId) -> Json:
    """Tell an address again, from the first event that was put aside on: it hears of all since."""
    return Json({"webhook_id": webhook_id, "archived_until": desk.webhooks.again(webhook_id)})


@endpoint(router, "POST", "/webhooks/{webhook_id}/rotate", scopes=(), answer=NewWebhookOut)
def rotate_webhook(request: Request, desk: TheDesk, webhook_id: WebhookId) -> Json:
    """Give an address a new secret, shown this once; for a day the former one signs as well."""
    secret = desk.webhooks.rotate(webhook_id, key=service_of(request).params.webhook_key)
    return Json({"webhook_id": webhook_id, "secret": secret})


@endpoint(router, "POST", "/webhooks/{webhook_id}/pause", scopes=(), answer=None, status=204)
def pause_webhook(desk: TheDesk, webhook_id: WebhookId) -> Response:
    """Tell an address nothing until it is resumed; no event is lost."""
    desk.webhooks.pause(webhook_id)
    return Response(status_code=204)


@endpoint(router, "POST", "/webhooks/{webhook_id}/resume", scopes=(), answer=WebhookResumedOut)
def resume_webhook(desk: TheDesk, webhook_id: WebhookId) -> Json:
    """Tell an address that was paused or disabled of events again, from where it stopped."""
    return Json({"webhook_id": webhook_id, "archived_until": desk.webhooks.resume(webhook_id)})
