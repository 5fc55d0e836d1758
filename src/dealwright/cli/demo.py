"""The command ``demo``: a generated agency from import to settled bookings, in a database of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealwright.cli.context import Globals, console
from dealwright.extras import missing_modules

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from dealwright.desk.desk import Desk
    from dealwright.desk.results import Placement, Row
    from dealwright.simulation.astra import AstraWorld

_AGENTS, _ASSIGNMENTS, _LEADS, _SETTLED = 30, 9_000, 50, 8
_LUXURY_LEAD: dict[str, Any] = {
    "customer_name": "Kate Nguyen",
    "attributes": {
        "communication_method": "Phone Call",
        "lead_source": "Organic",
        "destination": "Mars",
        "launch_location": "Dallas-Fort Worth Launch Complex",
    },
    "requirements": "Luxury Dome Stay",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where pictures and files go.")] = Path(
        "demo-output"
    ),
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the demo's database running, to play with it.")
    ] = False,
    show: Annotated[
        bool,
        typer.Option("--open", help="Open the console at the end, with this floor alive, until Ctrl-C."),
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="NUMBER", min=0, help="Another seed makes another agency.")
    ] = 7,
) -> None:
    """Show Dealwright at work on a generated travel agency; your own data are not touched."""
    from dealwright.desk.desk import Desk

    began = perf_counter()
    page = console()
    with _home(context, keep=keep) as home, Desk.open(home=home) as desk:
        world = show_desk(page, desk, out, seed)
        if keep:
            page.print(f"\nthe database stays: dealwright --home {home} agents", soft_wrap=True)
            page.print(f"or any PostgreSQL client at {desk.database.url}", soft_wrap=True)
        _heading(page, "5. The nightly plan")
        if missing_modules("plan"):
            page.print("pip install 'dealwright[plan]' shows the nightly plan here", markup=False)
        else:
            from dealwright.cli.plan_demo import show_plan

            show_plan(page, out / "plan", desk, seed)
        page.print(f"\n[dim]{perf_counter() - began:.0f} s in all[/dim]")
        _heading(page, "6. The console")
        if missing_modules("service"):
            page.print("pip install 'dealwright[service]' shows this floor in your browser", markup=False)
        elif show:
            from dealwright.cli.live_demo import open_console

            open_console(page, desk, home, world, out=out, seed=seed)
        else:
            page.print("dealwright demo --open shows this floor in your browser, alive")


@contextmanager
def _home(context: typer.Context, *, keep: bool) -> Iterator[Path]:
    """A home of the demo's own, never the user's: below the one asked for, or temporary."""
    from dealwright.desk.server import stop_server

    asked = (context.find_object(Globals) or Globals()).home
    home = asked / "demo" if asked else Path(tempfile.mkdtemp(prefix="dealwright-demo-"))
    if asked and home.exists():
        stop_server(home)
        shutil.rmtree(home)
    try:
        yield home
    finally:
        if not keep:
            stop_server(home)
            shutil.rmtree(home, ignore_errors=True)


def show_desk(page: Console, desk: Desk, out: Path, seed: int) -> AstraWorld:
    """Import, learn, rank, assign and settle, telling the reader what is going on."""
    import numpy as np

    from dealwright.report.desk_summary import write_desk_report
    from dealwright.simulation.astra import AstraParams, generate_astra

    rng = np.random.default_rng(seed)
    _heading(page, "1. A travel agency and its past")
    # few bookings pending: there is room for fifty more
    params = AstraParams(_AGENTS, _ASSIGNMENTS, effects="strong", seed=seed, pending_share=0.008)
    world = generate_astra(params)
    _import(page, desk, world, out / "agency")

    _heading(page, "2. What can be learned from it")
    training = desk.train(seed=seed)
    page.print(f"[bold]{training.result.evidence.verdict}[/bold]: {training.result.evidence.text}")
    paths = write_desk_report(training.result, training.agent_names, out / "desk")

    _heading(page, "3. Who should take Kate's luxury trip to Mars?")
    _rank_twice(page, desk)

    _heading(page, f"4. {_LEADS} leads come in")
    before = {row["agent_id"]: row for row in desk.agents().rows}
    placements = _assign(page, desk, world, rng)
    _settle(page, desk, placements, rng)
    _show_workloads(page, before, {row["agent_id"]: row for row in desk.agents().rows})
    example = placements[0].row["assignment_id"]
    page.print(f"\nevery decision can be recomputed: {desk.replay(example).summary()}")

    page.print(f"\npictures and a summary: {paths[-1]}", soft_wrap=True)
    page.print(f"the tables that were imported: {out / 'agency'}", soft_wrap=True)
    return world


def _heading(page: Console, text: str) -> None:
    page.print(f"\n[bold cyan]{text}[/bold cyan]")


def _import(page: Console, desk: Desk, world: AstraWorld, folder: Path) -> None:
    from dealwright.tables.history import read_history
    from dealwright.tables.mapping import read_mapping

    folder.mkdir(parents=True, exist_ok=True)
    files = world.write(folder)
    began = perf_counter()
    history = read_history(read_mapping("astra"), folder)
    loaded = desk.load(history)
    page.print(
        f"three CSV files ({', '.join(path.name for path in files)}) read through the mapping `astra`:\n"
        f"{loaded.summary()}, {history.intake.rejected} rows rejected, in {perf_counter() - began:.1f} s"
    )


def _rank_twice(page: Console, desk: Desk) -> None:
    from dealwright.cli.tables import ranking_table

    for policy, what in (
        ("value", "most expected money, spread by free places"),
        ("workload", "fewest open assignments, then experience"),
    ):
        ranking = desk.rank(_LUXURY_LEAD, policy, 5)
        page.print(f"\npolicy [bold]{policy}[/bold]: {what}")
        page.print(ranking_table(ranking))


def _assign(page: Console, desk: Desk, world: AstraWorld, rng: np.random.Generator) -> list[Placement]:
    """Assign fifty leads, and say what it was worth: in a generated world the truth is known."""
    import numpy as np

    from dealwright.cli.progress import counted

    leads = world.leads(_LEADS, rng)
    names = [dimension.name for dimension in world.truth.dimensions]
    documents = [
        {"customer_name": row["customer_name"], "attributes": {name: row[name] for name in names}}
        for row in leads.frame.iter_rows(named=True)
    ]
    began = perf_counter()
    placements = list(counted(desk.assign_all(documents), len(documents), "assigning"))
    seconds = perf_counter() - began
    assigned = [place for place, placement in enumerate(placements) if placement.assigned]
    busy = {placements[place].row["agent_id"] for place in assigned}
    page.print(
        f"{len(assigned)} assigned to {len(busy)} agents, {len(placements) - len(assigned)} waiting, "
        f"{1000 * seconds / len(placements):.1f} ms each"
    )
    # agents of a generated agency are numbered from 1
    agents = np.array([int(placements[place].row["agent_id"]) - 1 for place in assigned])
    codes = leads.codes[assigned]
    worth = world.truth.win_probability(codes) * world.truth.expected_revenue(codes)
    chosen = worth[np.arange(len(agents)), agents].sum()
    in_turn, at_best = worth.mean(axis=1).sum(), worth.max(axis=1).sum()
    page.print(
        f"truly worth (the truth is known here): [bold]{chosen:,.0f}[/bold]; dealt out in turn "
        f"{in_turn:,.0f}; each lead to its best agent, never busy, {at_best:,.0f}"
    )
    return placements


def _settle(page: Console, desk: Desk, placements: list[Placement], rng: np.random.Generator) -> None:
    """Settle a few bookings; a freed place counts at once."""
    page.print(f"\n{_SETTLED} bookings are settled:")
    for placement in [item for item in placements if item.assigned][:_SETTLED]:
        won = bool(rng.random() < (placement.row["win_probability"] or 0.7))
        if won:
            revenue = round(float(rng.uniform(120_000, 190_000)), -3)
            settlement = desk.settle(
                placement.row["booking_id"], "confirmed", base_revenue=revenue, package_revenue=25_000
            )
        else:
            settlement = desk.settle(placement.row["booking_id"], "cancelled")
        page.print(f"  {settlement.summary()}")


def _show_workloads(page: Console, before: dict[Any, Row], after: dict[Any, Row]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("agent", "before", "after", ""):
        table.add_column(name, justify="right" if name in ("before", "after") else "left")
    changed = [row for agent_id, row in after.items() if row["open"] != before[agent_id]["open"]]
    for row in sorted(changed, key=lambda row: -row["open"])[:10]:
        was = before[row["agent_id"]]["open"]
        bar = "█" * min(was, row["open"]) + "[green]" + "█" * max(row["open"] - was, 0) + "[/green]"
        table.add_row(
            f"{row['agent_name']} ({row['agent_id']})",
            f"{was}/{row['capacity']}",
            f"{row['open']}/{row['capacity']}",
            bar + "·" * max(row["capacity"] - row["open"], 0),
        )
    page.print("\nopen assignments, before and after:")
    page.print(table)
    if len(changed) > 10:
        page.print(f"[dim]… and {len(changed) - 10} more agents[/dim]")
