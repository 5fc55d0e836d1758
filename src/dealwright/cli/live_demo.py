"""The demo's floor in a browser, alive: leads go on coming, and agents go on settling."""

from __future__ import annotations

import logging
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dealwright.errors import DealwrightError
from dealwright.extras import missing_modules
from dealwright.settings import NightSettings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from rich.console import Console

    from dealwright.desk.desk import Desk
    from dealwright.simulation.astra import AstraWorld

LEAD_EVERY_S = 4.0
_SETTLED = 0.9
_HOURS = 500


def open_console(page: Console, desk: Desk, home: Path, world: AstraWorld, *, out: Path, seed: int) -> None:
    """Serve the console for the demo's desk and its nights, and open it, until Ctrl-C."""
    from dealwright.service.params import ServiceParams
    from dealwright.service.server import Place, serve

    key = desk.keys.create("demo", ["admin"])

    def ready(address: str) -> None:
        console = address.removesuffix("/api/v1")
        page.print(f"the console is at {console}; Ctrl-C ends the demo", soft_wrap=True, markup=False)
        page.print(f"sign in with the key {key}", soft_wrap=True, markup=False)
        webbrowser.open(console)

    ended = threading.Event()
    floor = threading.Thread(
        target=live, args=(desk, world, seed, ended, LEAD_EVERY_S), name="demo-floor", daemon=True
    )
    floor.start()
    try:
        nights = NightSettings(runs=str(out.resolve()), publish=False)
        place = Place(None, home, night=None if missing_modules("plan") else nights)
        serve(place, ServiceParams(), host="127.0.0.1", port=0, ready=ready, extend=add_pages)
    finally:
        ended.set()
        floor.join(timeout=5)


def add_pages(app: FastAPI) -> None:
    """Add the console; of what is logged, show warnings alone."""
    from dealwright.web import add_console

    add_console(app)
    logging.getLogger("dealwright").setLevel(logging.WARNING)


def live(desk: Desk, world: AstraWorld, seed: int, ended: threading.Event, every_s: float) -> None:
    """Let leads come and bookings be settled, at about the same pace, until the end."""
    rng = np.random.default_rng(seed + 1)
    names = [dimension.name for dimension in world.truth.dimensions]
    leads: list[dict[str, Any]] = []
    while not ended.wait(float(rng.exponential(every_s))):
        leads = leads or world.leads(_HOURS, rng).frame.to_dicts()
        row = leads.pop()
        try:
            desk.assign(
                {"customer_name": row["customer_name"], "attributes": {name: row[name] for name in names}}
            )
            if rng.random() < _SETTLED:
                _settle_one(desk, rng)
        except DealwrightError as error:  # such as somebody at the console who was quicker
            logging.getLogger("dealwright").info("%s", error)


def _settle_one(desk: Desk, rng: np.random.Generator) -> None:
    """Settle one of the latest open bookings."""
    opened = [
        row for row in desk.book.assignments(status="open", k=100).rows if row["booking_id"] is not None
    ]
    if not opened:
        return
    row = opened[int(rng.integers(len(opened)))]
    if rng.random() < (row["match_score"] or 60.0) / 100:
        desk.settle(
            row["booking_id"], "confirmed", total_revenue=round(float(rng.uniform(120_000, 190_000)), -3)
        )
    else:
        desk.settle(row["booking_id"], "cancelled")
