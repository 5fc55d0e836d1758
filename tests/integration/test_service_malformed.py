"""Whatever arrives, the service answers with what was asked for or with a problem document, and goes on.

More of them, and others: ``MALFORMED=20000 MALFORMED_SEED=1 pytest -s`` of this file.
What arrives as files, options and words: test_malformed_inputs.py.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from asynchronous import finish
from engine import value
from ledger import check_desk
from malformed import Malformed, Request
from servers import TestServer
from serving import served_floor

REQUESTS = int(os.environ.get("MALFORMED", "1500"))
SEED = 1_000 * int(os.environ.get("MALFORMED_SEED", "0"))
CONNECTIONS = 8


def test_malformed_requests_end_in_clear_errors(
    server: TestServer, desk_template: str, tmp_path: Path
) -> None:
    with served_floor(server, desk_template, tmp_path) as service:
        with service.client() as client:
            document = client.get("/api/v1/openapi.json").json()
        port = urlsplit(service.url).port
        assert port is not None
        counted: Counter[int] = Counter()
        refused: set[int] = set()

        async def send(seed: int) -> None:
            source = Malformed(document, service.keys["admin"], seed)
            connection = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(REQUESTS // CONNECTIONS):
                request = source.draw()
                status, headers, body = await asyncio.wait_for(ask(connection, request), 60)
                counted[status] += 1
                if status >= 400:
                    refused.add(hash((*request[:2], *request[2], request[3])))
                check(request, status, headers, body)
                if headers.get(b"connection") == b"close" or b"content-length" not in headers:
                    connection[1].close()
                    connection = await asyncio.open_connection("127.0.0.1", port)

        async def send_all() -> None:
            await asyncio.gather(*(send(seed) for seed in range(SEED, SEED + CONNECTIONS)))

        finish(send_all())
        assert sum(counted.values()) >= REQUESTS - CONNECTIONS
        # neither is everything refused at the door, nor does everything pass
        assert counted[422] > REQUESTS / 10
        assert counted[400] > REQUESTS / 100
        assert sum(number for status, number in counted.items() if status < 400) > REQUESTS / 50
        print(dict(sorted(counted.items())), len(refused), "refused, all different")  # noqa: T201 - for who runs it by hand
        assert httpx.get(f"{service.url}/ready").status_code == 200
        enquiry = {"customer_name": "Kate", "attributes": {"destination": "Mars", "lead_source": "Organic"}}
        with service.client() as client:
            assert client.post("/api/v1/leads", json=enquiry).status_code == 201
        with service.desk.database.connect(autocommit=True) as connection:
            assert value(connection, "select count(*) from dealwright.lead") > 0
            check_desk(connection, queue=False)
        assert not [line for line in service.lines() if line["level"] == "error"]


async def ask(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: Request
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send a request as it is and return status, headers and body of the answer."""
    method, path, headers, body = request
    lines = [f"{method} {path} HTTP/1.1".encode("latin-1", "replace")]
    lines += [name + b": " + text for name, text in (*headers, (b"content-length", b"%d" % len(body)))]
    reader, writer = connection
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    found = {
        name.lower(): text.strip() for name, _, text in (line.partition(b":") for line in head[1:] if line)
    }
    length = found.get(b"content-length")
    if method == "HEAD":
        return int(head[0].split()[1]), found, b""
    content = await (reader.readexactly(int(length)) if length is not None else reader.read())
    return int(head[0].split()[1]), found, content


def check(request: Request, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
    """Fail where an answer is no answer: an error of the server's, or one in another shape."""
    shown: Any = (request[0], request[1][:300], request[2], request[3][:500], status, body[:500])
    assert 200 <= status < 500, shown
    if status < 400 or request[0] == "HEAD":
        return
    if b"x-request-id" not in headers:  # what cannot be read as HTTP does not reach the application
        assert status == 400, shown
        return
    assert headers[b"content-type"] == b"application/problem+json", shown
    told = json.loads(body)
    assert told["status"] == status, shown
    assert told["detail"], shown
