"""Leads of clients who ask again and again are placed together; one that comes alone waits for nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from asynchronous import finish

from dealwright.desk.desk import Desk
from dealwright.service.intake import Intake

BATCH_S = 0.04


class SlowDesk:
    """Notes how many leads come together, and takes a while for each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def assign(self, document: Mapping[str, Any], policy: str | None) -> object:
        del document, policy
        return self.assign_many([{}], None)[0]

    def assign_many(self, documents: Sequence[Mapping[str, Any]], policy: str | None) -> list[object]:
        del policy
        self.batches.append(len(documents))
        time.sleep(BATCH_S)
        return [object() for _ in documents]


def place(clients: Sequence[int]) -> list[int]:
    """Let each client place so many leads, and return the size of each batch."""
    desk = SlowDesk()

    async def client(number: int, leads: int, intake: Intake) -> None:
        # the first lead is under way when the others come
        while number and not desk.batches:
            await asyncio.sleep(0.001)
        for _ in range(leads):
            await intake.place({}, None)

    async def run() -> None:
        intake = Intake(cast(Desk, desk), 100)
        async with asyncio.timeout(30):
            await asyncio.gather(*(client(number, leads, intake) for number, leads in enumerate(clients)))
            await intake.close()

    finish(run())
    return desk.batches


def test_clients_who_were_answered_together_are_placed_together_again() -> None:
    batches = place([6] * 8)
    assert sum(batches) == 48
    # the first one came alone, and asks again while the others are placed; the last ones are fewer
    assert batches[0] == 1
    assert min(batches[1:-2]) >= 7


def test_nobody_waits_for_long_for_those_who_do_not_ask_again() -> None:
    began = time.monotonic()
    batches = place([1, 1, 1, 1, 5])
    assert sum(batches) == 9
    assert time.monotonic() - began < 10


def test_a_lead_that_comes_alone_is_placed_at_once() -> None:
    assert place([4]) == [1] * 4
