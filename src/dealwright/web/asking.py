"""Who asks for a page, and what a form says; a form of another site is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool

from dealwright.service.problems import RefusedError
from dealwright.web.pages import find_format
from dealwright.web.view import Ask, check_scopes

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
    who = await service.guard.identify(request)
    request.state.key = who
    check_scopes(who, scopes)
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


def check_origin(request: Request) -> None:
    """Refuse a form that another site sent in the name of who is signed in here.

    Raises
    ------
    RefusedError
        A browser says that the form comes from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    elsewhere = site is not None and site not in ("same-origin", "none")
    if elsewhere or (origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")):
        raise RefusedError(403, "this form was sent by another site: open the page here and send it again")
