"""What a monitor sees of the service, in Prometheus' format."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from dealwright.desk.desk import Desk
from dealwright.desk.results import Placement

CONTENT_TYPE = CONTENT_TYPE_LATEST
# processes of one service add their counters up in files of this folder
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """Counts what the service does; what the desk holds is asked of it when somebody looks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "dealwright_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "dealwright_http_request_seconds",
            "Time to an answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        # looked up once: finding a counter by its labels costs more than to count
        self._of_requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._leads = Counter("dealwright_leads_placed", "Leads placed.", ("status",), registry=registry)
        self._batch = Histogram(
            "dealwright_lead_batch_size",
            "Leads placed in one transaction.",
            buckets=_SIZES,
            registry=registry,
        )

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        counters = self._of_requests.get((method, route, status))
        if counters is None:
            counters = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
            self._of_requests[method, route, status] = counters
        counted, timed = counters
        counted.inc()
        timed.observe(seconds)

    def observe_batch(self, placements: list[Placement]) -> None:
        """Count the leads of a transaction."""
        self._batch.observe(len(placements))
        for placement in placements:
            self._leads.labels(placement.row["status"]).inc()

    def text(self, **more: float) -> bytes:
        """Return everything, with what the desk holds at this moment and what the process knows of itself."""
        shown = CollectorRegistry()
        if FOLDER_VARIABLE in os.environ:
            MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        figures = {**self._desk.book.floor(), **more}
        for name, value in figures.items():
            # of a registry of its own: a gauge of this moment is nothing to add up over processes
            if value is not None:
                Gauge(f"dealwright_{name}", name.replace("_", " "), registry=own).set(float(value))
        counted = generate_latest(shown if FOLDER_VARIABLE in os.environ else self._registry)
        return counted + generate_latest(own)
