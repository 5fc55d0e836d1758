"""Keys of the service are looked up once for many requests, and ahead of time for those in use."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
from asynchronous import finish
from starlette.requests import HTTPConnection

from dealwright.desk.keys import Key
from dealwright.errors import DatabaseError
from dealwright.service.guard import Guard
from dealwright.service.params import ServiceParams
from dealwright.service.problems import RefusedError

TOKEN = f"dw_{'0' * 12}_{'a' * 43}"


class Register:
    """The keys of a desk; it counts how often it is asked and how often a secret is hashed."""

    def __init__(self) -> None:
        self.asked = self.hashed = 0
        self.is_valid, self.is_away = True, False
        self.open = threading.Event()
        self.open.set()

    def find(self, key_id: str) -> Key | None:
        self.asked += 1
        assert self.open.wait(10)
        if self.is_away:
            raise DatabaseError("away")
        return _CountedKey(self, key_id, self.is_valid)


class _CountedKey(Key):
    def __init__(self, register: Register, key_id: str, valid: bool) -> None:
        super().__init__(key_id, "web form", frozenset({"ingest"}), None, None, "hash", None, valid)
        object.__setattr__(self, "register", register)

    def matches(self, secret: str) -> bool:
        self.register.hashed += 1  # type: ignore[attr-defined]
        time.sleep(0.01)
        return secret == "a" * 43


def connection(token: str = TOKEN) -> HTTPConnection:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return HTTPConnection({"type": "http", "headers": headers, "client": ("192.0.2.1", 1)})


def guarding(work: Callable[[Register, Guard], Awaitable[None]], **params: float) -> None:
    async def run() -> None:
        register = Register()
        guard = Guard(register, None, ServiceParams(**params))  # type: ignore[arg-type]
        await work(register, guard)

    finish(run())


def test_requests_that_come_together_wait_for_one_look_up() -> None:
    async def work(register: Register, guard: Guard) -> None:
        keys = await asyncio.gather(*(guard.identify(connection()) for _ in range(50)))
        assert {key.key_id for key in keys} == {"0" * 12}
        assert (register.asked, register.hashed) == (1, 1)

    guarding(work)


def test_one_request_that_is_given_up_takes_the_look_up_from_no_other() -> None:
    async def work(register: Register, guard: Guard) -> None:
        register.open.clear()
        first, second = (asyncio.create_task(guard.identify(connection())) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        register.open.set()
        assert (await second).key_id == "0" * 12
        assert register.asked == 1

    guarding(work)


def test_a_key_in_use_is_looked_up_ahead_of_time_and_nobody_waits() -> None:
    async def work(register: Register, guard: Guard) -> None:
        await guard.identify(connection())
        await asyncio.sleep(0.6)
        register.open.clear()
        began = time.monotonic()
        for _ in range(20):
            await guard.identify(connection())
        assert time.monotonic() - began < 0.2
        register.open.set()
        await asyncio.sleep(0.1)
        assert (register.asked, register.hashed) == (2, 1)
        register.is_valid = False
        await asyncio.sleep(1.1)
        with pytest.raises(RefusedError) as caught:
            await guard.identify(connection())
        assert caught.value.status == 401

    guarding(work, key_fresh_s=1.0)


def test_a_database_that_is_away_fails_who_waits_for_it_and_no_other() -> None:
    async def work(register: Register, guard: Guard) -> None:
        await guard.identify(connection())
        register.is_away = True
        await asyncio.sleep(0.3)
        await guard.identify(connection())  # looked up beside it, in vain
        await asyncio.sleep(0.3)
        with pytest.raises(DatabaseError):
            await guard.identify(connection())
        register.is_away = False
        assert (await guard.identify(connection())).key_id == "0" * 12

    guarding(work, key_fresh_s=0.5)


def test_wrong_secrets_that_come_together_count_as_often_as_they_came() -> None:
    async def work(register: Register, guard: Guard) -> None:
        wrong = f"dw_{'0' * 12}_{'b' * 43}"
        answers = await asyncio.gather(
            *(guard.identify(connection(wrong)) for _ in range(5)), return_exceptions=True
        )
        assert [getattr(answer, "status", None) for answer in answers] == [401] * 5
        assert register.hashed == 1
        with pytest.raises(RefusedError) as caught:
            await guard.identify(connection(wrong))
        assert caught.value.status == 429

    guarding(work, attempts_per_min=5)
