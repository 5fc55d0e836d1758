"""People with a browser: sign in with a key or at an OpenID provider, and sign out."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dealwright.errors import NotFoundError
from dealwright.service.core import Service
from dealwright.service.endpoint import service_of
from dealwright.service.openid import Identity, OpenIdClient, Pending
from dealwright.service.problems import RefusedError

router = APIRouter(prefix="/auth", include_in_schema=False)
HOME = "/"
_PENDING = "dealwright-sign-in"
_PENDING_S = 600
_LONGEST_FORM = 10_000
# who signs in: the page itself, what went wrong, where to go afterwards, and whether there is a provider
SignInPage = Callable[[Request, str | None, str, bool], str]


def plain_page(request: Request, error: str | None, to: str, has_provider: bool) -> str:  # noqa: ARG001
    """Return the page where people sign in, as plain as can be; a console puts its own in its place."""
    said = f'<p role="alert">{html.escape(error)}</p>' if error else ""
    place = html.escape(to, quote=True)
    provider = (
        f'<p><a href="/auth/openid?{urlencode({"to": to})}">Sign in with your account</a></p>'
        if has_provider
        else ""
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Sign in to Dealwright</title><main><h1>Sign in</h1>{said}{provider}"
        f'<form method="post" action="/auth/sign-in"><input type="hidden" name="to" value="{place}">'
        '<label>Key <input type="password" name="key" autocomplete="current-password" required></label> '
        "<button>Sign in</button></form></main></html>"
    )


@router.get("/sign-in")
async def show_sign_in(request: Request, to: str = HOME) -> Response:
    """Show the page where people sign in."""
    return _page(request, None, to)


@router.post("/sign-in")
async def sign_in_with_key(request: Request) -> Response:
    """Begin a session with the key that was typed in."""
    service = service_of(request)
    _refuse_other_sites(request, service)
    form = parse_qs((await request.body())[:_LONGEST_FORM].decode(errors="replace"), max_num_fields=20)
    to = form.get("to", [HOME])[0]
    try:
        key = await service.guard.check_key(form.get("key", [""])[0].strip(), request)
    except RefusedError as error:
        said = "This key is unknown, expired or revoked." if error.status == 401 else str(error)
        return _page(request, said, to, error.status)
    return await _begin(
        request, to, lambda lasts: service.desk.web_sessions.begin_with_key(str(key.key_id), lasts)
    )


@router.get("/openid")
async def sign_in_with_openid(request: Request, to: str = HOME) -> Response:
    """Send the browser to the OpenID provider."""
    service = service_of(request)
    try:
        address, pending = await run_in_threadpool(_provider(service).begin, _back(service), own_path(to))
    except RefusedError as error:
        return _page(request, str(error), to, error.status)
    response = RedirectResponse(address, 303)
    response.set_cookie(
        _PENDING,
        pending.to_cookie(),
        max_age=_PENDING_S,
        path="/auth",
        httponly=True,
        samesite="lax",
        secure=service.guard.cookies.is_secure(request),
    )
    return response


@router.get("/callback")
async def come_back(request: Request) -> Response:
    """Begin a session for whom the OpenID provider names."""
    service = service_of(request)
    provider = _provider(service)
    pending = Pending.from_cookie(request.cookies.get(_PENDING, ""))
    to = HOME if pending is None else pending.to
    try:
        found = await run_in_threadpool(provider.finish, _back(service), pending, dict(request.query_params))
        agent_id = await run_in_threadpool(_agent_id, service, found)
    except RefusedError as error:
        service.guard.count_attempt(request)
        response = _page(request, str(error), to, error.status)
    else:
        response = await _begin(
            request,
            to,
            lambda lasts: service.desk.web_sessions.begin_with_person(
                found.issuer, found.subject, lasts, name=found.name, scopes=found.scopes, agent_id=agent_id
            ),
        )
    response.delete_cookie(_PENDING, "/auth", httponly=True, samesite="lax")
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session; its cookie is worth nothing from now on."""
    service = service_of(request)
    try:
        await service.guard.identify(request)
    except RefusedError as error:
        if error.status != 401:  # of whom is signed in only a form of ours signs out
            raise
    token = service.guard.cookies.token_of(request)
    if token:
        await run_in_threadpool(service.desk.web_sessions.end, token)
    response = RedirectResponse("/auth/sign-in", 303)
    service.guard.cookies.drop(response, request)
    return response


def own_path(to: str) -> str:
    """Return a path of this service; whatever leads to another site becomes the home page."""
    parts = urlsplit(to)
    leads_away = parts.scheme or parts.netloc or not to.startswith("/") or to.startswith(("//", "/\\"))
    return HOME if leads_away or not to.isprintable() or len(to) > 2000 else to


async def _begin(request: Request, to: str, begin: Callable[[timedelta], Any]) -> Response:
    """Begin a session, end the one before it, and go where the person wanted to go."""
    service = service_of(request)
    cookies = service.guard.cookies
    token, until = await run_in_threadpool(begin, timedelta(hours=service.params.session_hours))
    if former := cookies.token_of(request):
        await run_in_threadpool(service.desk.web_sessions.end, former)
    response = RedirectResponse(own_path(to), 303)
    cookies.keep(response, request, token, until)
    return response


def _page(request: Request, error: str | None, to: str, status: int = 200) -> Response:
    page: SignInPage = request.app.state.sign_in_page
    has_provider = service_of(request).openid is not None
    policy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    return HTMLResponse(
        page(request, error, own_path(to), has_provider),
        status,
        {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"},
    )


def _refuse_other_sites(request: Request, service: Service) -> None:
    """Refuse a form of another site, which would sign somebody in as somebody else."""
    said = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if said is not None:
        is_own = said in ("same-origin", "none")
    elif origin is not None:
        is_own = origin == (
            service.params.public_url or f"{request.url.scheme}://{request.url.netloc}"
        ).rstrip("/")
    else:
        is_own = True  # no browser
    if not is_own:
        raise RefusedError(
            403, "the form does not come from this service: open /auth/sign-in and sign in there"
        )


def _provider(service: Service) -> OpenIdClient:
    if service.openid is None:
        raise NotFoundError(
            "no OpenID provider is set up: write [oidc] into dealwright.toml, or sign in with a key"
        )
    return service.openid


def _back(service: Service) -> str:
    return f"{(service.params.public_url or '').rstrip('/')}/auth/callback"


def _agent_id(service: Service, found: Identity) -> int | None:
    if found.agent is None:
        return None
    refused = RefusedError(403, f"no agent of this desk is {found.agent}: ask who runs it")
    if found.is_email:
        agent_id = service.desk.web_sessions.agent_with_email(found.agent)
        if agent_id is None:
            raise refused
        return agent_id
    try:
        return service.desk.book.find_agent(found.agent)
    except NotFoundError:
        raise refused from None
