"""Many browsers follow one floor: each hears of a lead at once, and none costs the database anything."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from asynchronous import finish
from engine import rows, value
from psycopg import Connection
from servers import TestServer
from serving import Serving, lead, served_floor

BROWSERS, LEADS = 200, 5
IDLE_S = 4.0


async def follow(client: httpx.AsyncClient, ready: asyncio.Semaphore, seen: list[dict[str, float]]) -> None:
    """Note when each lead's name came; the whole floor comes first."""
    mine: dict[str, float] = {}
    seen.append(mine)
    async with client.stream("GET", "/live/floor", headers={"accept-language": "en"}) as answer:
        assert answer.status_code == 200
        first = True
        async for line in answer.aiter_lines():
            if not line.startswith("data: "):
                continue
            if first:
                first = False
                ready.release()
            for number in range(LEADS):
                name = f"Burst {number}"
                if name not in mine and name in line:
                    mine[name] = time.monotonic()


def commits(connection: Connection) -> int:
    return int(
        value(connection, "select xact_commit from pg_stat_database where datname = current_database()")
    )


async def run(service: Serving) -> tuple[list[dict[str, float]], dict[str, float], int]:
    key = {"Authorization": f"Bearer {service.keys['planner']}"}
    limits = httpx.Limits(max_connections=BROWSERS + 5)
    ready, seen, sent = asyncio.Semaphore(0), [], {}
    async with httpx.AsyncClient(base_url=service.url, headers=key, timeout=60, limits=limits) as client:
        tasks = [asyncio.create_task(follow(client, ready, seen)) for _ in range(BROWSERS)]
        for _ in range(BROWSERS):
            await asyncio.wait_for(ready.acquire(), 60)
        with service.desk.database.connect(autocommit=True) as connection:
            await asyncio.sleep(11)  # sessions without work hand over their counts within ten seconds
            before = commits(connection)
            await asyncio.sleep(IDLE_S)
            while_idle = commits(connection) - before
        for number in range(LEADS):
            name = f"Burst {number}"
            await asyncio.to_thread(service.desk.assign, lead(name))
            sent[name] = time.monotonic()
            await asyncio.sleep(1.0)
        await asyncio.sleep(1.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return seen, sent, while_idle


@pytest.mark.alone
def test_two_hundred_browsers_hear_of_a_lead_within_half_a_second(
    server: TestServer, desk_template: str, tmp_path: Path
) -> None:
    with served_floor(server, desk_template, tmp_path, "--no-worker") as service:
        seen, sent, while_idle = finish(run(service))
        assert len(seen) == BROWSERS
        waits = [mine[name] - sent[name] for mine in seen for name in sent if name in mine]
        assert len(waits) == BROWSERS * LEADS  # nobody missed one
        assert np.quantile(waits, 0.95) < 0.5
        # the reader of the process looks ten times a second, whoever listens
        assert while_idle < 15 * IDLE_S
        with service.desk.database.connect() as connection:
            assert rows(connection, "select count(*) as n from dealwright.lead")[0]["n"] == LEADS
