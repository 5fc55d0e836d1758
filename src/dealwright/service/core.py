"""What one process of the service shares among its requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from dealwright.desk.desk import Desk
from dealwright.desk.server import find_server, start_server
from dealwright.desk.worker import Worker
from dealwright.errors import DealwrightError
from dealwright.extras import missing_modules
from dealwright.service.courier import Courier
from dealwright.service.desks import Desks
from dealwright.service.events import EventLog
from dealwright.service.guard import Guard
from dealwright.service.intake import Intake
from dealwright.service.metrics import Metrics
from dealwright.service.openid import OpenIdClient
from dealwright.service.params import ServiceParams
from dealwright.settings import NightSettings

_GRACE_S = 15.0  # a night that is under way has ten seconds to end
_log = logging.getLogger("dealwright.service")


class Service:
    """The desk, who may use it, and what runs beside the requests.

    Parameters
    ----------
    desk
        Open; closed with the service.
    home
        Of the embedded database, which is started again when it is gone; None: a database of one's own.
    night
        Where tables and runs of the plan are, and when it runs; None: it does not run here.
    """

    def __init__(
        self,
        desk: Desk,
        params: ServiceParams,
        home: Path | None = None,
        night: NightSettings | None = None,
    ) -> None:
        self.desk, self.params, self._home, self.night = desk, params, home, night
        self.desks = Desks(desk)
        self.metrics = Metrics(desk)
        self.guard = Guard(desk.keys, desk.web_sessions, params)
        self.openid = None if params.oidc is None else OpenIdClient(params.oidc, params.oidc_secret)
        self.intake = Intake(self.desks.for_scope("ingest"), params.batch, self.metrics.observe_batch)
        self.events = EventLog(desk.outbox, params)
        self.listeners = 0
        self._stop, self._drain = threading.Event(), threading.Event()
        self._at_work: list[threading.Thread] = []
        self._reviving = threading.Lock()

    def start(self) -> None:
        """Begin what runs beside the requests, in the thread of the event loop."""
        self.events.start(self.is_stopping)
        if self.params.worker:
            worker = Worker(self.desk.database, self.params.upkeep)
            self._begin("dealwright-worker", lambda: worker.run(self._stop))
            courier = Courier(self.desk, self.params)
            self._begin("dealwright-courier", lambda: courier.run(self._stop))
            if self.night is not None:
                self._begin_nights(self.night)

    def _begin_nights(self, settings: NightSettings) -> None:
        if missing := missing_modules("plan"):
            _log.error("no night is carried out here: the extra `plan` is not installed (%s)", missing[0])
            return
        from dealwright.runs.night_worker import NightPlace, NightWorker

        url = None if self._home is not None else self.desk.database.url
        nights = NightWorker(self.desk, NightPlace(url, self._home or Path.home() / ".dealwright", settings))
        self._begin("dealwright-nights", lambda: nights.run(self._stop))

    def is_stopping(self) -> bool:
        """Whether the service has to end."""
        return self._stop.is_set()

    def is_draining(self) -> bool:
        """Whether nobody should send anything any more."""
        return self._drain.is_set() or self._stop.is_set()

    def drain(self) -> None:
        """Say that the service is not ready, and go on serving."""
        self._drain.set()

    def stop(self) -> None:
        """Let what is under way come to its end; safe to call from a signal handler."""
        self._stop.set()

    async def close(self) -> None:
        """Stop, place the leads that were accepted, and close the desk."""
        self.stop()
        await self.events.close()
        await self.intake.close()
        for thread in self._at_work:
            thread.join(timeout=_GRACE_S)
        self.desks.close()
        self.desk.close()

    def revive(self) -> None:
        """Start the embedded database again when it is gone; a request that failed asks for it."""
        if self._home is None or self._stop.is_set() or not self._reviving.acquire(blocking=False):
            return
        home = self._home

        def start() -> None:
            try:
                if find_server(home) is None:
                    start_server(home)
                    _log.warning("the embedded database was gone and has been started again")
            except DealwrightError as error:
                _log.error("the embedded database does not start: %s", error)
            finally:
                self._reviving.release()

        threading.Thread(target=start, name="dealwright-revive", daemon=True).start()

    def _begin(self, name: str, work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._at_work.append(thread)
