"""The console in the application: its addresses, who may see what, and what surrounds every page."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from dealwright.report.format import LANGUAGES, Format, mark
from dealwright.service.answers import Json
from dealwright.service.endpoint import csrf_token_of
from dealwright.service.guard import CSRF_FIELD
from dealwright.service.problems import RefusedError
from dealwright.web import (
    admin,
    agents,
    audit,
    day,
    evidence,
    floor,
    leads,
    live,
    my_day,
    night_accounts,
    night_files,
    nights,
    territories,
    what_if,
)
from dealwright.web.asking import identify, read_form
from dealwright.web.pages import ASSETS, LANGUAGE_COOKIE, asset_bytes, find_format, write_page
from dealwright.web.view import (
    EVERYBODY,
    READERS,
    Ask,
    Done,
    Part,
    Shown,
    View,
    as_csv,
    csv_lines,
    json_lines,
)
from dealwright.web.words import HEADINGS

if TYPE_CHECKING:
    from fastapi import FastAPI

Endpoint = Callable[[Request], Awaitable[Response]]
_PACKED_FROM: Final = 1000  # bytes; less is not worth it
# nothing from elsewhere, nothing written into a page, no frame around it
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# key, address, word (translated in the template), who sees it
NAVIGATION: Final = (
    ("f", "/floor", mark("Floor"), READERS),
    ("l", "/leads", mark("Leads"), READERS),
    ("p", "/agents", mark("Agents"), READERS),
    ("n", "/nights", mark("Night"), READERS),
    ("t", "/territories", mark("Territories"), READERS),
    ("e", "/evidence", mark("Evidence"), READERS),
    ("a", "/audit", mark("Audit"), READERS),
    ("s", "/admin", mark("Admin"), READERS),
)
_PARTS: Final[Sequence[Part]] = (
    *floor.PARTS,
    *leads.PARTS,
    *agents.PARTS,
    *my_day.PARTS,
    *nights.PARTS,
    *night_accounts.PARTS,
    *what_if.PARTS,
    *territories.PARTS,
    *evidence.PARTS,
    *audit.PARTS,
    *day.PARTS,
    *admin.PARTS,
)


def add_console(app: FastAPI) -> None:
    """Add the console's addresses to an application; what is not the service's own is answered by pages."""
    routes = [
        Route("/", _home, name="console"),
        Route("/my-day", _my_day),
        Route("/assets/{digest}/{name}", _asset),
        Route("/language/{language}", _language),
        Route("/live/floor", live.follow_floor),
        Route("/live/{what}/{name}", live.follow_one),
        Route("/nights/{night_id:int}/files/{name:path}", night_files.send_file),
        Route("/find.json", _find),
        Route("/favicon.ico", _icon),
    ]
    for part in _PARTS:
        if isinstance(part, Shown):
            routes += [
                Route(part.path + form, _show(part, form), methods=["GET"]) for form in (".json", ".csv", "")
            ]
        else:
            routes.append(Route(part.path, _do(part), methods=["POST"]))
    app.router.routes.extend(routes)
    app.state.error_page = error_page
    app.state.sign_in_page = sign_in_page


def _show(part: Shown, form: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        _name_route(request, part.path + form)
        ask = await identify(request, part.scopes)
        return await run_in_threadpool(_answer, ask, part, form)

    return endpoint


def _answer(ask: Ask, part: Shown, form: str) -> Response:
    view = part.build(ask)
    if form == ".json" and view.export is not None:
        return StreamingResponse(json_lines(view.data, view.export()), media_type="application/json")
    if form == ".json":
        return Json(dict(view.data))
    if form == ".csv":
        name = ask.request.url.path.strip("/").replace("/", "-")
        kept = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
        if view.export is not None:
            return StreamingResponse(csv_lines(view.export()), media_type="text/csv", headers=kept)
        return Response(as_csv(view.data.get(view.table, [view.data])), media_type="text/csv", headers=kept)
    return page_response(ask.request, view.form or ask.form, view.template, _around(ask, view), 200)


def _around(ask: Ask, view: View) -> dict[str, Any]:
    """Return what a page's template needs, with what stands around the content."""
    path, query = view.path or ask.request.url.path, ask.request.url.query
    shown = ask.request.query_params.get
    navigation = _navigation(ask)
    return {
        **view.data,
        **view.extra,
        "title": view.title,
        "intro": view.lead,
        "live": view.live,
        "ask": ask,
        "who": ask.who,
        "here": path,
        "as_json": f"{path}.json" + (f"?{query}" if query else ""),
        "as_csv": f"{path}.csv" + (f"?{query}" if query else "") if view.table in view.data else "",
        "done": shown("done", ""),
        "csrf_field": Markup('<input type="hidden" name="{}" value="{}">').format(
            CSRF_FIELD, csrf_token_of(ask.request)
        ),
        "navigation": navigation,
        "current": max(
            (href for _, href, _ in navigation if path == href or path.startswith(f"{href}/")),
            key=len,
            default="",
        ),
    }


def _navigation(ask: Ask) -> list[tuple[str, str, str]]:
    """Return key, address and word of the pages that somebody may see."""
    found = [(key, href, word) for key, href, word, who in NAVIGATION if ask.may(*who)]
    if not found:
        own = f"/agents/{quote(str(ask.who.own_agent_id), safe='')}"
        found = [("f", own, mark("My leads")), ("d", f"{own}/day", mark("My day"))]
    return found


def _do(part: Done) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        _name_route(request, part.path)
        ask = await identify(request, part.scopes)
        ask = replace(ask, fields=await read_form(request))
        answer = await run_in_threadpool(part.act, ask)
        if isinstance(answer, View):  # what is shown this once
            return await run_in_threadpool(
                page_response, request, ask.form, answer.template, _around(ask, answer), 200
            )
        return RedirectResponse(answer, 303)

    return endpoint


async def _home(request: Request) -> Response:
    _name_route(request, "/")
    ask = await identify(request, (*READERS, "agent", "ingest"))
    if ask.may(*READERS):
        return RedirectResponse("/floor", 303)
    if ask.who.agent_id is not None:
        return RedirectResponse(f"/agents/{quote(str(ask.who.own_agent_id), safe='')}", 303)
    raise RefusedError(
        403, "the key is for a program that sends leads: sign in with one of a manager or an agent"
    )


async def _my_day(request: Request) -> Response:
    """Lead somebody to their own day."""
    _name_route(request, "/my-day")
    ask = await identify(request, EVERYBODY)
    own = ask.who.own_agent_id
    return RedirectResponse("/agents" if own is None else f"/agents/{quote(str(own), safe='')}/day", 303)


async def _asset(request: Request) -> Response:
    _name_route(request, "/assets")
    name = request.path_params["name"]
    if name not in ASSETS:
        return error_page(request, 404, "there is no such file")
    plain, packed = asset_bytes(name)
    kept = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=kind, headers={**kept, "Content-Encoding": "gzip"})
    return Response(plain, media_type=kind, headers=kept)


async def _icon(request: Request) -> Response:
    """Say that there is no picture, once, so that browsers do not ask again and again."""
    _name_route(request, "/favicon.ico")
    return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})


async def _language(request: Request) -> Response:
    _name_route(request, "/language")
    language = request.path_params["language"]
    if language not in LANGUAGES:
        return error_page(request, 404, f"the console speaks {' and '.join(LANGUAGES)}")
    back = urlsplit(request.headers.get("referer", ""))
    target = back.path + (f"?{back.query}" if back.query else "") if back.path.startswith("/") else "/"
    answer = RedirectResponse("/" + target.lstrip("/"), 303)
    answer.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, httponly=True, samesite="lax")
    return answer


async def _find(request: Request) -> Response:
    """Answer what the palette looks for."""
    _name_route(request, "/find.json")
    ask = await identify(request, READERS)
    text = ask.asked("q")
    found: dict[str, Any] = {"agents": [], "leads": []}
    if text:
        found = await run_in_threadpool(ask.desk.floor.find, text[:100])
    return Json(found)


def page_response(
    request: Request, form: Format, template: str, values: dict[str, Any], status: int
) -> Response:
    """Return a page with the headers every page has, compressed where the browser takes it."""
    body = write_page(form, template, values).encode()
    headers = {**_HEADERS, "Vary": "Accept-Encoding, Cookie, Accept-Language"}
    if len(body) >= _PACKED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = gzip.compress(body, 5, mtime=0), "gzip"
    return Response(body, status, headers, "text/html; charset=utf-8")


def error_page(request: Request, status: int, detail: str) -> Response:
    """Return the page that says what went wrong and what to do next."""
    form = find_format(request, None)
    # what is asked for again by itself is asked for only: a form is sent by whoever wrote it
    again = "/ready" if status == 503 and request.method == "GET" else ""
    values = {
        "again": again,
        "status": status,
        "detail": detail,
        "heading": HEADINGS.get(status, mark("The request failed")),
    }
    return page_response(request, form, "error.html", values, status)


def sign_in_page(request: Request, error: str | None, to: str, has_provider: bool) -> str:
    """Return the page where people sign in."""
    values = {"error": error, "to": to, "has_provider": has_provider}
    return write_page(find_format(request, None), "sign_in.html", values)


def _name_route(request: Request, path: str) -> None:
    """Give the log and the metrics the address of a page without what is in it."""
    request.scope["route"] = _Named(path)


class _Named:
    """What the log takes from a route."""

    def __init__(self, path_format: str) -> None:
        self.path_format = path_format
