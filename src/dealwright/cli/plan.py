"""The command ``plan``: from accounts to everybody's next best action."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dealwright.cli.context import (
    Json,
    answer,
    console,
    notes,
    open_desk,
    read_time,
    say,
    settings_of,
    write_json,
)

if TYPE_CHECKING:
    from dealwright.plan.trace import Progress

_COLLECT_AFTER: Final = (20_000, 10, 50)  # objects, then collections of each younger generation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)
    app.command("report")(report)
    app.command("why")(why)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
    as_json: Json = False,
) -> None:
    """Write the report of a run again, from the files in its folder."""
    from dealwright.runs.output import write_report

    written = write_report(folder)
    answer({"report": str(written)}, f"Written to {written}", as_json=as_json)


def why(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, or its name.")],
    folder: Annotated[Path, typer.Option("--run", metavar="DIR", help="The folder of a run.")],
    as_json: Json = False,
) -> None:
    """Say what a run decided for an account, why, and why not something else."""
    from rich.table import Table
    from rich.text import Text

    from dealwright.report.cards import card_of, find_account, write_card
    from dealwright.runs.reading import read_run

    run = read_run(folder)
    card = card_of(run, find_account(run.accounts, account))
    if as_json:
        write_json({key: value for key, value in card.items() if value is not None})
        return
    name = card["account_name"]
    console().print(Text(f"{name} ({card['account_id']})" if name else card["account_id"], style="bold"))
    for title, lines in write_card(card, run):
        console().print(Text(f"\n{title}", style="bold"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        before = None
        for label, text in lines:
            table.add_row(Text("" if label == before else label), Text(text))
            before = label
        console().print(table)


_TABLES, _TRAVEL, _LOOK, _RUN = "Tables", "Travel and maps", "Look", "Run"


def _file(name: str, what: str, group: str = _TABLES) -> Any:
    return typer.Option(f"--{name}", metavar="FILE", help=what, rich_help_panel=group)


def plan(  # noqa: PLR0917  one parameter per option
    context: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the run; an earlier run is replaced.")
    ],
    directory: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The folder of the tables that the mapping names.")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            "--schema",
            metavar="FILE",
            help="TOML: which column is what; default DIR/company.toml.",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    accounts: Annotated[
        str | None, _file("accounts", "Accounts, one row each (Parquet, CSV, Excel …).")
    ] = None,
    orders: Annotated[str | None, _file("orders", "Orders: account, time, amount.")] = None,
    touches: Annotated[
        str | None, _file("touches", "Contacts: account, time, channel, action, response.")
    ] = None,
    reps: Annotated[str | None, _file("reps", "Representatives and their homes.")] = None,
    history: Annotated[str | None, _file("history", "Accounts as they were at earlier moments.")] = None,
    staff: Annotated[str | None, _file("staff", "People of the contact centre.")] = None,
    promises: Annotated[
        str | None, _file("promises", "Visits promised: account; must, representative, day, moment.")
    ] = None,
    frequencies: Annotated[
        str | None, _file("frequencies", "How often accounts are visited, and when next.")
    ] = None,
    call_backs: Annotated[str | None, _file("call-backs", "Calls promised: account, moment.")] = None,
    arrivals: Annotated[
        str | None, _file("arrivals", "Contacts expected: channel, start of the interval, number.")
    ] = None,
    osrm: Annotated[
        str | None,
        typer.Option(
            "--osrm", metavar="URL", help="Travel times by road from OSRM.", rich_help_panel=_TRAVEL
        ),
    ] = None,
    valhalla: Annotated[
        str | None,
        typer.Option(
            "--valhalla", metavar="URL", help="Travel times by road from Valhalla.", rich_help_panel=_TRAVEL
        ),
    ] = None,
    land: Annotated[
        str | None,
        _file(
            "land",
            "Land as GeoJSON polygons: the ground of the maps; an account elsewhere is not visited.",
            _TRAVEL,
        ),
    ] = None,
    tiles: Annotated[
        str | None,
        typer.Option(
            "--tiles",
            metavar="URL",
            help="Street tiles for the maps: URL with {z}/{x}/{y}, a .pmtiles file, or none.",
            rich_help_panel=_TRAVEL,
        ),
    ] = None,
    world: Annotated[
        str | None,
        typer.Option(
            "--world", metavar="NAME", help="A synthetic company instead: barcelona.", rich_help_panel=_TABLES
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n", metavar="NUMBER", help="Accounts of the synthetic company (3200).", rich_help_panel=_TABLES
        ),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            metavar="TIME",
            parser=read_time,
            help="The cut-off; by default the day after the latest row. May have an offset.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="NUMBER", min=0, help="Of every random draw (0).", rich_help_panel=_RUN
        ),
    ] = None,
    params: Annotated[
        str | None, _file("params", "Parameters; that of an earlier run repeats it.", _RUN)
    ] = None,
    catalogue: Annotated[
        str | None, _file("catalogue", "Action catalogue instead of the built-in one.", _RUN)
    ] = None,
    previous: Annotated[
        str | None,
        typer.Option(
            "--previous",
            metavar="DIR",
            help="The last run: drift, territories, waitlist, backlog.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models", metavar="DIR", help="Keep models here; a better champion stays.", rich_help_panel=_RUN
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", metavar="CODE", help="Of briefs and report: en or es.", rich_help_panel=_LOOK
        ),
    ] = None,
    locale: Annotated[
        str | None,
        typer.Option(
            "--locale",
            metavar="NAME",
            help="How figures and dates are written: en_GB, es_ES …",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(
            "--currency", metavar="CODE", help="Of all amounts: EUR, USD, JPY …", rich_help_panel=_LOOK
        ),
    ] = None,
    company: Annotated[
        str | None,
        typer.Option("--company", metavar="NAME", help="The name in the headings.", rich_help_panel=_LOOK),
    ] = None,
    wording: Annotated[
        str | None,
        typer.Option(
            "--wording", metavar="DIR", help="The company's own wording of the briefs.", rich_help_panel=_LOOK
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on in spite of the quality gate.", rich_help_panel=_RUN)
    ] = False,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Put the day's tasks on the desk when the run is complete.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    touches_from_desk: Annotated[
        bool | None,
        typer.Option(
            "--touches-from-desk/--no-touches-from-desk",
            help="Count the desk's finished tasks among the touches; with --publish they do by default.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="URL",
            help="Scheduler of dask.distributed for what can be divided, such as tcp://scheduler:8786.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    cluster_data: Annotated[
        str | None,
        typer.Option(
            "--cluster-data",
            metavar="PATH|URL",
            help="Folder or object store that this machine and all workers see, for what is large.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan the night: from accounts to everybody's next best action, visits, calls, briefs and a report."""
    # a night leaves few cycles, and imports many objects, which would be looked through again and again
    gc.set_threshold(*_COLLECT_AFTER)
    from dealwright.cli.plan_summary import plan_document, plan_tables
    from dealwright.runs.night import run_night
    from dealwright.runs.request import read_request

    request = read_request(
        out,
        {
            "directory": directory, "map": mapping, "accounts": accounts, "orders": orders,
            "touches": touches, "reps": reps, "history": history, "staff": staff, "promises": promises,
            "frequencies": frequencies, "call_backs": call_backs, "arrivals": arrivals, "world": world,
            "n": n, "as_of": as_of, "seed": seed, "force": force or None, "previous": previous,
            "models": models, "touches_from_desk": touches_from_desk, "osrm": osrm, "valhalla": valhalla,
            "land": land, "tiles": tiles, "publish": publish or None, "cluster": cluster,
            "cluster_data": cluster_data,
            "home": settings_of(context).home,
        },
        params=None if params is None else Path(params),
        catalogue=None if catalogue is None else Path(catalogue),
        language=language,
        wording=None if wording is None else Path(wording),
        locale=locale,
        currency=currency,
        company=company,
    )  # fmt: skip
    with show_progress(quiet=as_json) as progress:
        night = run_night(request, open_desk=lambda: open_desk(context), progress=progress)
    done = night.published
    if as_json:
        published = {} if done is None else {"published": done.to_dict()}
        write_json({"out": str(out), **plan_document(night.plan), **published})
        return
    for item in plan_tables(night.plan, out):
        console().print(item)
    if done is not None:
        say(f"Published: {done.summary()}")


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Show a bar on stderr while a night runs or is published; nothing where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=notes(), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage or "writing", completed=done, total=total)

        yield show
