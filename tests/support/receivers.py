"""A webhook's receiver as a process of its own: `python receivers.py PORT FILE BEHAVIOUR SECONDS`.

It writes a line of JSON for every request before it answers. Behaviours: ``ok``; ``hang`` (never answers);
``drip`` (a byte of the answer now and then); ``slow`` (answers after a while); ``500,200`` (these in turn,
then the last for ever); ``redirect``; ``die`` (exits at the first request, before it answers).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Receiver:
    """A receiver that runs."""

    port: int
    file: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=desk"

    def requests(self) -> list[dict[str, Any]]:
        """Return what came, in order."""
        lines = self.file.read_text("utf-8").splitlines(keepends=True) if self.file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def ids(self) -> list[str]:
        """Return the ids of what came, in order."""
        return [request["headers"]["webhook-id"] for request in self.requests()]


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def receiving(folder: Path, behaviour: str = "ok", seconds: float = 0.3, port: int = 0) -> Iterator[Receiver]:
    """Run a receiver; end it with the block."""
    port = port or free_port()
    file = folder / f"received-{port}.jsonl"
    process = subprocess.Popen([sys.executable, __file__, str(port), str(file), behaviour, str(seconds)])
    try:
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < end, "the receiver does not listen"
                time.sleep(0.02)
        yield Receiver(port, file, process)
    finally:
        process.kill()
        process.wait()


def _serve(port: int, file: Path, behaviour: str, seconds: float) -> None:
    codes = [int(part) for part in behaviour.split(",")] if behaviour[0].isdigit() else []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            line = {
                "path": self.path, "body": body, "at": time.time(),
                "headers": {name.lower(): value for name, value in self.headers.items()},
            }  # fmt: skip
            with file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
            if behaviour == "hang":
                time.sleep(600)
            if behaviour == "die":
                os._exit(1)
            if behaviour == "drip":
                self.connection.sendall(b"HTTP/1.1 200 OK\r\n")
                for _ in range(600):
                    self.connection.sendall(b"x-more: 1\r\n")
                    time.sleep(0.1)
            if behaviour == "slow":
                time.sleep(seconds)
            code = codes.pop(0) if len(codes) > 1 else codes[0] if codes else 200
            self.send_response(302 if behaviour == "redirect" else code)
            if behaviour == "redirect":
                self.send_header("Location", f"http://127.0.0.1:{port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
