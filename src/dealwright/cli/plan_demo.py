"""The nightly plan's part of the demo: a synthetic company, planned, and what a manager would read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dealwright.cli.plan_summary import plan_tables
from dealwright.runs.night import run_night
from dealwright.runs.request import NightRequest

if TYPE_CHECKING:
    from rich.console import Console

    from dealwright.desk.desk import Desk

_ACCOUNTS: Final = 2000


def show_plan(page: Console, out: Path, desk: Desk, seed: int = 7) -> None:
    """Plan a night for a generated company, write the run directory, and note the night on the desk."""
    from dealwright.cli.progress import working
    from dealwright.runs.child import figures_of

    options = {"world": "barcelona", "n": _ACCOUNTS, "seed": seed, "publish": False}
    number = desk.nights.request("demo", "demo", options)
    desk.nights.begin("demo", datetime.now(UTC))

    page.print(
        f"A field-sales company around Barcelona: {_ACCOUNTS:,} accounts, their orders and the "
        "contacts of 18 months; some rows are broken, as they are in life."
    )
    with working("predicting, choosing actions, writing briefs, maps and the report"):
        night = run_night(NightRequest(out, world="barcelona", n=_ACCOUNTS, seed=seed))
    desk.nights.end(number, "done", folder=out.name, result=figures_of(night))
    for item in plan_tables(night.plan, out):
        page.print(item)
    page.print(f"A map of each day is in [bold]{out / 'maps'}[/bold]")
