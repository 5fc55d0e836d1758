"""Processes that serve: one or several on one socket, each with a desk of its own."""

from __future__ import annotations

import functools
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from dealwright.desk.desk import Desk
from dealwright.errors import InputError
from dealwright.runs.logs import log_as_json
from dealwright.service.app import create_app
from dealwright.service.core import Service
from dealwright.service.metrics import FOLDER_VARIABLE
from dealwright.service.params import ServiceParams
from dealwright.settings import NightSettings

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
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are answered first.

    Parameters
    ----------
    port
        0 takes one that is free.
    ready
        Is told the address as soon as clients can connect; they are answered when a process has started.

    Raises
    ------
    InputError
        The address is in use or not this machine's.
    """
    listener = _listen(host, port)
    with tempfile.TemporaryDirectory(prefix="dealwright-metrics-") as folder:
        if processes > 1:
            os.environ[FOLDER_VARIABLE] = folder
        config = uvicorn.Config(
            functools.partial(_build, place, params),
            factory=True,
            workers=processes,
            http="httptools",
            loop="auto",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=30,
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


def _build(place: Place, params: ServiceParams) -> FastAPI:
    """Build the application in the process that serves."""
    _log_as_json()

    def open_service() -> Service:
        desk = Desk.open(place.url, None if place.url else place.home, read_url=place.read_url)
        return Service(desk, params, None if place.url else place.home, place.night)

    return create_app(open_service, params, started=_stop_with_server)


def _stop_with_server(service: Service) -> None:
    """Tell the service when it has to stop, so that streams without an end come to one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        of_server = signal.getsignal(number)

        def leave(sig: int, frame: FrameType | None, then: Any = of_server) -> None:
            service.stop()
            then(sig, frame)

        if callable(of_server):
            signal.signal(number, leave)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
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
