"""A proxy before a database that can fall silent: it takes what is sent, and passes nothing on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path


class SilentProxy:
    """Listens on a port of the loopback and passes on to a server's socket, as long as it is not silent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passes = threading.Event()
        self._passes.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        """Pass nothing on any more, and close nothing."""
        self._passes.clear()

    def go_on(self) -> None:
        """Pass on again, first what came meanwhile."""
        self._passes.set()

    def close(self) -> None:
        """Take no more connections."""
        self._passes.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._path))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                part = source.recv(65536)
                self._passes.wait()
                if not part:
                    break
                sink.sendall(part)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def silent_proxy(path: Path) -> Iterator[SilentProxy]:
    """Run a proxy beside the block."""
    proxy = SilentProxy(path)
    try:
        yield proxy
    finally:
        proxy.close()
