"""Who asks, and whether they may: API keys, found valid once and remembered for seconds."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from dealwright.desk.keys import Key, KeyRegister, split_token
from dealwright.service.limits import RateLimit
from dealwright.service.params import ServiceParams
from dealwright.service.problems import RefusedError

_MOST_REMEMBERED = 10_000
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dealwright"'}


@dataclass(frozen=True)
class _Remembered:
    key: Key
    checked: float


class Guard:
    """Tells who a request comes from.

    Argon2 is slow on purpose. So a secret that matched is remembered by its SHA-256 digest, and only whether
    the key is still valid is asked again after a few seconds: ahead of time, so that requests of a key in use
    do not wait for it, and once for all of them.
    """

    def __init__(self, keys: KeyRegister, params: ServiceParams) -> None:
        self._keys, self._fresh_s = keys, params.key_fresh_s
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._looking_up: dict[bytes, asyncio.Task[Key | None]] = {}
        self._requests = RateLimit(params.rate_per_s, params.burst)
        self._attempts = RateLimit(params.attempts_per_min / 60, params.attempts_per_min)
        self._hashing = asyncio.Semaphore(1)  # a flood of wrong secrets takes one core at most

    async def identify(self, connection: HTTPConnection) -> Key:
        """Return the key of a request.

        Raises
        ------
        RefusedError
            There is none, it is not valid, or it was used too often.
        """
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        address = connection.client.host if connection.client else "?"
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise RefusedError(
                401,
                "send a key of the service: Authorization: Bearer dw_… (`dealwright key create`)",
                _CHALLENGE,
            )
        key = await self._valid(token, address)
        if key is None:
            self._attempts.wait_s(address)
            raise RefusedError(
                401, "the key is unknown, expired or revoked: `dealwright key list` shows the valid ones",
                _CHALLENGE,
            )  # fmt: skip
        if wait_s := self._requests.wait_s(key.key_id):
            raise _too_often(wait_s)
        return key

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


def _too_often(wait_s: int) -> RefusedError:
    return RefusedError(429, f"too many requests: try again in {wait_s} s", {"Retry-After": str(wait_s)})
