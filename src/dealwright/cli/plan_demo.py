"""The nightly plan's part of the demo: a synthetic company, planned, and what a manager would read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dealwright.cli.plan_summary import plan_tables
from dealwright.runs.night import run_night
from dealwright.runs.request import NightRequest

if TYPE_CHECKING:
    from rich.console import Console

_ACCOUNTS: Final = 2000


def show_plan(page: Console, out: Path, seed: int = 7) -> None:
    """Plan a night for a generated company and write the run directory."""
    from dealwright.cli.progress import working

    page.print(
        f"A field-sales company around Barcelona: {_ACCOUNTS:,} accounts, their orders and the "
        "contacts of 18 months; some rows are broken, as they are in life."
    )
    with working("predicting, choosing actions, writing briefs, maps and the report"):
        night = run_night(NightRequest(out, world="barcelona", n=_ACCOUNTS, seed=seed))
    for item in plan_tables(night.plan, out):
        page.print(item)
    page.print(f"A map of each day is in [bold]{out / 'maps'}[/bold]")
