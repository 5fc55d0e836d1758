"""Leads that arrive together are placed together: one transaction for all that came during the last one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dealwright.desk.desk import Desk
from dealwright.desk.results import Placement
from dealwright.errors import ConflictError, InputError

Document = Mapping[str, Any]

_LONGEST_WAIT_S = 0.05  # for clients to ask again, however long the last batch took


class Intake:
    """Places single leads of many clients; each gets the answer it would have got alone.

    A lead waits for the batch that is being placed and then goes with all that came meanwhile, so under load
    a transaction, and the wait for the disk, is shared by many. Clients who were answered together ask again
    together, and are waited for: until as many wait as were in the last batch, for as long as it took and a
    twentieth of a second at most. A lead that comes alone is placed at once.

    Parameters
    ----------
    most
        Leads in one batch.
    observe
        Is told of the placements of each batch.
    """

    def __init__(
        self, desk: Desk, most: int, observe: Callable[[list[Placement]], None] = lambda _: None
    ) -> None:
        self._desk, self._most, self._observe = desk, most, observe
        self._waiting: deque[tuple[Document, str | None, asyncio.Future[Placement]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._awaited, self._gathered = 1, asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "dealwright-intake")

    async def place(self, document: Document, policy: str | None) -> Placement:
        """Place a lead, durably."""
        future: asyncio.Future[Placement] = asyncio.get_running_loop().create_future()
        self._waiting.append((document, policy, future))
        if len(self._waiting) >= self._awaited:
            self._gathered.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        """Place what is waiting and stop."""
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def _work(self) -> None:
        try:
            while self._waiting:
                began = time.monotonic()
                placed = await self._place_next()
                await self._gather(placed, time.monotonic() - began)
        finally:
            self._task = None

    async def _gather(self, number: int, most_s: float) -> None:
        """Wait until so many leads wait again, unless one came alone."""
        if number == 1 or len(self._waiting) >= number:
            return
        self._awaited = number
        self._gathered.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(most_s, _LONGEST_WAIT_S)):
                await self._gathered.wait()

    async def _place_next(self) -> int:
        """Place those that wait and ask for the same policy, give each its answer; return how many."""
        policy = self._waiting[0][1]
        batch: list[tuple[Document, asyncio.Future[Placement]]] = []
        while self._waiting and len(batch) < self._most and self._waiting[0][1] == policy:
            document, _, future = self._waiting.popleft()
            batch.append((document, future))
        documents = [document for document, _ in batch]
        outcomes = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._place, documents, policy
        )
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():  # whoever asked has gone; the lead is placed all the same
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self._observe([outcome for outcome in outcomes if isinstance(outcome, Placement)])
        return len(batch)

    def _place(self, documents: list[Document], policy: str | None) -> list[Placement | Exception]:
        if len(documents) > 1:
            try:
                return list(self._desk.assign_many(documents, policy))
            except (InputError, ConflictError):
                pass  # one of them cannot be placed, and nothing was: each gets an answer of its own
            except Exception as error:  # noqa: BLE001 - handed on to those who sent the leads
                return [error] * len(documents)
        return [self._place_one(document, policy) for document in documents]

    def _place_one(self, document: Document, policy: str | None) -> Placement | Exception:
        try:
            return self._desk.assign(document, policy)
        except Exception as error:  # noqa: BLE001 - handed on to whoever sent the lead
            return error
