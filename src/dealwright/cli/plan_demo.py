"""The nightly plan's part of the demo: a synthetic company, planned, and what a manager would read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dealwright.cli.map_ground import read_ground
from dealwright.cli.plan_inputs import read_inputs
from dealwright.cli.plan_summary import plan_tables
from dealwright.plan.pipeline import run_plan
from dealwright.report.plan_output import RunDirectory, write_plan, write_world
from dealwright.report.plan_report import write_report

if TYPE_CHECKING:
    from rich.console import Console

_ACCOUNTS: Final = 2000


def show_plan(page: Console, out: Path, seed: int = 7) -> None:
    """Plan a night for a generated company and write the run directory."""
    from dealwright.cli.progress import working

    run = {"world": "barcelona", "n": _ACCOUNTS, "seed": seed}
    inputs, drawn = read_inputs(run, None)
    run["as_of"] = inputs.as_of
    page.print(
        f"A field-sales company around Barcelona: {inputs.accounts.height:,} accounts, their orders and the "
        "contacts of 18 months; some rows are broken, as they are in life."
    )
    with working("predicting, segmenting, choosing actions"):
        plan = run_plan(inputs, seed=seed)
    with working("writing briefs, maps and the report"), RunDirectory(out) as folder:
        write_plan(plan, folder, run, land=read_ground(run, inputs.accounts))
        if drawn is not None:
            write_world(*drawn, folder)
        write_report(folder)
    for item in plan_tables(plan, out):
        page.print(item)
    page.print(f"A map of each day is in [bold]{out / 'maps'}[/bold]")
