"""Webhooks: addresses that receive events by a signed call."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from dealwright.service.answers import Json
from dealwright.service.endpoint import TheDesk, endpoint, service_of
from dealwright.service.events import PREFIX
from dealwright.service.shapes import DeadLettersOut, NewWebhookOut, WebhookIn, WebhooksOut

router = APIRouter(tags=["webhooks"])
WebhookId = Annotated[int, Path(ge=1, lt=2**63)]


@endpoint(router, "GET", "/webhooks", scopes=(), answer=WebhooksOut)
def list_webhooks(desk: TheDesk) -> Json:
    """List the webhooks, how far each has heard, and what keeps it."""
    return Json({"webhooks": [webhook.to_dict() for webhook in desk.webhooks.list()]})


@endpoint(router, "POST", "/webhooks", scopes=(), answer=NewWebhookOut, status=201)
def create_webhook(request: Request, desk: TheDesk, webhook: WebhookIn) -> Json:
    """Register an address that receives events from now on; the secret of its signatures is shown once."""
    from dealwright.service.courier import find_address

    find_address(webhook.url, allow_private=service_of(request).params.private_webhooks)
    kinds = None if webhook.kinds is None else [kind.removeprefix(PREFIX) for kind in webhook.kinds]
    webhook_id, secret = desk.webhooks.create(webhook.url, kinds)
    return Json({"webhook_id": webhook_id, "secret": secret}, 201)


@endpoint(router, "DELETE", "/webhooks/{webhook_id}", scopes=(), answer=None, status=204)
def remove_webhook(desk: TheDesk, webhook_id: WebhookId) -> Response:
    """Forget an address, with what it refused."""
    desk.webhooks.remove(webhook_id)
    return Response(status_code=204)


@endpoint(router, "GET", "/webhooks/{webhook_id}/dead-letters", scopes=(), answer=DeadLettersOut)
def list_dead_letters(desk: TheDesk, webhook_id: WebhookId) -> Json:
    """List the events that an address refused for good."""
    return Json({"dead_letters": desk.webhooks.dead_letters(webhook_id)})


@endpoint(router, "POST", "/webhooks/{webhook_id}/retry", scopes=(), answer=None, status=204)
def retry_webhook(desk: TheDesk, webhook_id: WebhookId) -> Response:
    """Put an address to work again, from the first event that it refused on: it hears of all since."""
    desk.webhooks.again(webhook_id)
    return Response(status_code=204)
