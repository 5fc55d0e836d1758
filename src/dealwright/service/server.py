"""Processes that serve: one or several on one socket, each with a desk of its own."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import Multiprocess

from dealwright.desk.desk import Desk
from dealwright.errors import DatabaseError, DatabaseUrlError, InputError
from dealwright.runs.logs import log_as_json
from dealwright.service.collection import Collection
from dealwright.service.metrics import FOLDER_VARIABLE
from dealwright.service.params import ServiceParams
from dealwright.settings import NightSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from dealwright.service.core import Service

_log = logging.getLogger("dealwright.service")
_GRACE_S = 10
_BACKLOG = 2048


@dataclass(frozen=True)
class Place:
    """Where the desk is: an address with perhaps that of a standby, or the home of the embedded database.

    Attributes
    ----------
    night
        Where tables and runs of the plan are, and when it runs.
    """

    url: str | None
    home: Path
    read_url: str | None = None
    night: NightSettings | None = None


def serve(
    place: Place,
    params: ServiceParams,
    *,
    host: str,
    port: int,
    processes: int = 1,
    ready: Callable[[str], None] = lambda _: None,
    extend: Callable[[FastAPI], None] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are answered first.

    Parameters
    ----------
    port
        0 takes one that is free.
    ready
        Is told the address as soon as clients can connect; they are answered when a process has started.
    extend
        Adds addresses to the application of each process, so a function of a module.

    Raises
    ------
    InputError
        The address is in use or not this machine's.
    """
    listener = _listen(host, port, params.stall_s)
    with tempfile.TemporaryDirectory(prefix="dealwright-metrics-") as folder:
        if processes > 1:
            os.environ[FOLDER_VARIABLE] = folder
        config = uvicorn.Config(
            functools.partial(_build, place, params, extend),
            factory=True,
            workers=processes,
            http="httptools",
            loop="auto",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=30,
            # a process that does not answer the parent for so long is replaced; one that is busy is not
            timeout_worker_healthcheck=30,
            proxy_headers=False,
        )
        _log_as_json()
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{listener.getsockname()[1]}/api/v1")
        try:
            if processes > 1:
                Multiprocess(config, sockets=[listener]).run()
            else:
                uvicorn.Server(config).run(sockets=[listener])
        finally:
            listener.close()


def _build(place: Place, params: ServiceParams, extend: Callable[[FastAPI], None] | None = None) -> FastAPI:
    """Build the application in the process that serves; the parent of several does without all it needs."""
    from dealwright.service.app import create_app
    from dealwright.service.core import Service

    _log_as_json()
    ending = _Ending(params.drain_s)
    ending.take_signals()

    def open_service() -> Service:
        while True:
            try:
                desk = Desk.open(place.url, None if place.url else place.home, read_url=place.read_url)
                return Service(desk, params, None if place.url else place.home, place.night)
            except DatabaseUrlError:
                raise
            except DatabaseError as error:
                # a process that takes the place of one that died waits for the database as all others do
                if ending.begun.is_set():
                    raise
                _log.warning("the service waits for the database: %s", error)
                ending.begun.wait(1)

    return create_app(open_service, params, started=ending.serve, extend=extend or (lambda _: None))


class _Ending:
    """Ends a process that serves: what is under way is answered, streams without an end come to one.

    Until it ends it may go on answering for a while and say that it is not ready, so that a load balancer
    sends nobody any more.
    """

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s
        self._service: Service | None = None
        self.begun = threading.Event()

    def serve(self, service: Service) -> None:
        self._service = service
        Collection().begin()
        _log.info("process %d serves", os.getpid())

    def take_signals(self) -> None:
        """Be asked before the server, which has taken the signals already."""
        for number in (signal.SIGTERM, signal.SIGINT):
            of_server = signal.getsignal(number)
            if callable(of_server):
                signal.signal(number, functools.partial(self._leave, of_server))

    def _leave(self, of_server: Callable[[int, FrameType | None], object], number: int, _: object) -> None:
        again = self.begun.is_set()
        self.begun.set()
        service = self._service
        if service is None or again or self._drain_s == 0:
            self._end(of_server, number)
            return
        service.drain()
        asyncio.get_running_loop().call_later(self._drain_s, self._end, of_server, number)

    def _end(self, of_server: Callable[[int, FrameType | None], object], number: int) -> None:
        if self._service is not None:
            self._service.stop()
        of_server(number, None)


def _listen(host: str, port: int, stall_s: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # a client that takes nothing for so long is cut off, however it holds the connection open
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * stall_s))
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen at {host}:{port} ({error.strerror}): give another --port or --host"
        ) from error
    listener.set_inheritable(True)
    return listener


def _log_as_json() -> None:
    """Write what is logged to stderr, a line of JSON each."""
    log_as_json("dealwright")
    log_as_json("uvicorn", level=logging.WARNING)
