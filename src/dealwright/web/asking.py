"""Who asks for a page, and what a form says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool

from dealwright.desk.keys import Caller
from dealwright.service.endpoint import page_needs
from dealwright.service.problems import RefusedError
from dealwright.web.pages import find_format
from dealwright.web.view import Ask

if TYPE_CHECKING:
    from starlette.requests import Request

    from dealwright.service.core import Service

_MOST_FIELDS: Final = 200


async def identify(request: Request, scopes: Sequence[str], fields: dict[str, str] | None = None) -> Ask:
    """Find out who asks, and whether they may.

    Raises
    ------
    RefusedError
        Nobody we know, or somebody who may not.
    """
    service: Service = request.app.state.service
    await page_needs(*scopes)(request)
    who: Caller = request.state.caller
    currency = await run_in_threadpool(_currency, service)
    return Ask(request, service, who, find_format(request, currency), fields or {})


def _currency(service: Service) -> str | None:
    return service.desk.floor.currency()


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form.

    Raises
    ------
    RefusedError
        It is none, or has more fields than any of ours.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise RefusedError(415, "send the form as the page has it")
    text = (await request.body()).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise RefusedError(400, "the form has more fields than the page gave it") from error
    return {name: value.strip() for name, value in pairs}
