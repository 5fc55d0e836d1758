"""Who asks, and whether they may: keys, remembered once they were valid, and people's sessions."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from dealwright.desk.keys import Caller, Key, KeyRegister, split_token
from dealwright.desk.web_sessions import Person, WebSessions
from dealwright.service.limits import RateLimit
from dealwright.service.params import ServiceParams
from dealwright.service.problems import RefusedError

_MOST_REMEMBERED = 10_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_FIELD = "csrf_token"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dealwright"'}


@dataclass(frozen=True)
class _Remembered:
    key: Key
    checked: float


class Cookies:
    """The cookie of a session; with https no page of another host, or without encryption, can set it."""

    def __init__(self, public_url: str | None) -> None:
        self._url = public_url

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Whether the browser came over https."""
        scheme = connection.url.scheme if self._url is None else self._url.partition(":")[0]
        return scheme in ("https", "wss")

    def token_of(self, connection: HTTPConnection) -> str | None:
        """Return the token of the session, if the browser sent one."""
        return connection.cookies.get(self._name(connection))

    def keep(self, response: Response, connection: HTTPConnection, token: str, until: datetime) -> None:
        """Let the browser send the token until the session ends."""
        response.set_cookie(
            self._name(connection),
            token,
            expires=until,
            path="/",
            httponly=True,
            samesite="lax",
            secure=self.is_secure(connection),
        )

    def drop(self, response: Response, connection: HTTPConnection) -> None:
        """Let the browser forget the token."""
        response.delete_cookie(
            self._name(connection), "/", secure=self.is_secure(connection), httponly=True, samesite="lax"
        )

    def _name(self, connection: HTTPConnection) -> str:
        return "__Host-dealwright" if self.is_secure(connection) else "dealwright"


class Guard:
    """Tells who a request comes from.

    Argon2 is slow on purpose. So a secret that matched is remembered by its SHA-256 digest, and only whether
    the key is still valid is asked again after a few seconds: ahead of time, so that requests of a key in use
    do not wait for it, and once for all of them.
    """

    def __init__(self, keys: KeyRegister, sessions: WebSessions, params: ServiceParams) -> None:
        self._keys, self._sessions, self._fresh_s = keys, sessions, params.key_fresh_s
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._looking_up: dict[bytes, asyncio.Task[Key | None]] = {}
        self._requests = RateLimit(params.rate_per_s, params.burst)
        self._attempts = RateLimit(params.attempts_per_min / 60, params.attempts_per_min)
        self._hashing = asyncio.Semaphore(1)  # a flood of wrong secrets takes one core at most
        self.cookies = Cookies(params.public_url)

    async def identify(self, request: Request) -> Caller:
        """Return whose key a request has or, without one, who is signed in with its cookie.

        Raises
        ------
        RefusedError
            There is neither, it is not valid, it was used too often, or a form has no token.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        caller: Caller
        if scheme.lower() == "bearer" and token:
            caller = await self.check_key(token, request)
        elif cookie := self.cookies.token_of(request):
            caller = await self._person(cookie, request)
        else:
            raise RefusedError(
                401,
                "send a key of the service: Authorization: Bearer dw_… (`dealwright key create`)",
                _CHALLENGE,
            )
        if wait_s := self._requests.wait_s(caller.caller_id):
            raise _too_often(wait_s)
        return caller

    async def check_key(self, token: str, connection: HTTPConnection) -> Key:
        """Return the key with this token.

        Raises
        ------
        RefusedError
            There is none, or too many wrong ones came from this address.
        """
        address = _address(connection)
        key = await self._valid(token, address)
        if key is None:
            self._attempts.wait_s(address)
            raise RefusedError(
                401, "the key is unknown, expired or revoked: `dealwright key list` shows the valid ones",
                _CHALLENGE,
            )  # fmt: skip
        return key

    def count_attempt(self, connection: HTTPConnection) -> None:
        """Count a sign-in that failed.

        Raises
        ------
        RefusedError
            There were too many from this address.
        """
        self._refuse_guessing(_address(connection))
        self._attempts.wait_s(_address(connection))

    async def _person(self, token: str, request: Request) -> Person:
        person = await run_in_threadpool(self._sessions.find, token)
        if person is None:
            raise RefusedError(401, "nobody is signed in any more: sign in again", _CHALLENGE)
        if request.method not in _SAFE:
            sent = request.headers.get("x-csrf-token") or await _form_token(request)
            if not hmac.compare_digest(sent.encode(), person.csrf_token.encode()):
                raise RefusedError(
                    403,
                    "the form does not come from a page of this service: load the page again, and send it",
                )
        return person

    async def _valid(self, token: str, address: str) -> Key | None:
        digest = hashlib.sha256(token.encode()).digest()
        known = self._remembered.get(digest)
        age_s = float("inf") if known is None else time.monotonic() - known.checked
        if known is not None and age_s < self._fresh_s / 2:
            return known.key
        parts = split_token(token)
        if parts is None:
            self._refuse_guessing(address)
            return None
        if known is None:
            self._refuse_guessing(address)
        look_up = self._looking_up.get(digest) or self._begin_look_up(digest, *parts)
        if known is not None and age_s < self._fresh_s:
            return known.key
        return await asyncio.shield(look_up)  # others wait for it, too, when this request is given up

    def _begin_look_up(self, digest: bytes, key_id: str, secret: str) -> asyncio.Task[Key | None]:
        task = asyncio.create_task(self._look_up(digest, key_id, secret))
        self._looking_up[digest] = task

        def end(done: asyncio.Task[Key | None]) -> None:
            del self._looking_up[digest]
            if not done.cancelled():
                done.exception()  # is raised where somebody waits for it, and is no news where nobody does

        task.add_done_callback(end)
        return task

    async def _look_up(self, digest: bytes, key_id: str, secret: str) -> Key | None:
        key = await run_in_threadpool(self._keys.find, key_id)
        if key is None or not key.is_valid:
            self._remembered.pop(digest, None)
            return None
        known = self._remembered.get(digest)
        if known is None or known.key.hash != key.hash:
            async with self._hashing:
                if not await run_in_threadpool(key.matches, secret):
                    return None
        self._remembered[digest] = _Remembered(key, time.monotonic())
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return key

    def _refuse_guessing(self, address: str) -> None:
        if self._attempts.is_empty(address):
            raise _too_often(60)


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "?"


async def _form_token(request: Request) -> str:
    """Return the token of a form; whoever answers the request can read the form again."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return ""
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=1000)
    except ValueError:
        return ""
    return fields.get(CSRF_FIELD, [""])[0]


def _too_often(wait_s: int) -> RefusedError:
    return RefusedError(429, f"too many requests: try again in {wait_s} s", {"Retry-After": str(wait_s)})
