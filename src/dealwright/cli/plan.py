"""The command ``plan``: from accounts to everybody's next best action."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealwright.cli.context import Json, console, notes, read_time, settings_of, write_json
from dealwright.cli.map_ground import read_ground, tiles_url
from dealwright.cli.plan_inputs import FILES, open_models, read_inputs, read_previous, road_service
from dealwright.cli.publish import publish_run, read_desk_touches
from dealwright.errors import GateError, UnknownNameError

if TYPE_CHECKING:
    from dealwright.plan.params import PlanParams
    from dealwright.plan.trace import Progress

_RUN_KEYS = (
    *FILES, "world", "n", "as_of", "seed", "force", "previous", "models", "touches_from_desk", "osrm",
    "valhalla", "land", "tiles",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)
    app.command("report")(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
    as_json: Json = False,
) -> None:
    """Write the report of a run again, from the files in its folder."""
    from dealwright.report.plan_report import write_report

    written = write_report(folder)
    if as_json:
        write_json({"report": str(written)})
    else:
        console().print(f"Written to {written}", markup=False)


def _file(name: str, what: str) -> Any:
    return typer.Option(f"--{name}", metavar="FILE", help=what)


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
            "--map", "--schema", metavar="FILE", help="TOML: which column is what; default DIR/company.toml."
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
        str | None, typer.Option("--osrm", metavar="URL", help="Travel times by road from OSRM.")
    ] = None,
    valhalla: Annotated[
        str | None, typer.Option("--valhalla", metavar="URL", help="Travel times by road from Valhalla.")
    ] = None,
    land: Annotated[
        str | None,
        _file(
            "land", "Land as GeoJSON polygons: the ground of the maps; an account elsewhere is not visited."
        ),
    ] = None,
    tiles: Annotated[
        str | None,
        typer.Option("--tiles", metavar="URL", help="Street tiles for the maps, with {z}/{x}/{y}; or none."),
    ] = None,
    world: Annotated[
        str | None, typer.Option("--world", metavar="NAME", help="A synthetic company instead: barcelona.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="Accounts of the synthetic company (3200).")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            metavar="TIME",
            parser=read_time,
            help="The cut-off; by default the day after the latest row. May have an offset.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of every random draw (0).")] = None,
    params: Annotated[str | None, _file("params", "Parameters; that of an earlier run repeats it.")] = None,
    catalogue: Annotated[
        str | None, _file("catalogue", "Action catalogue instead of the built-in one.")
    ] = None,
    previous: Annotated[
        str | None,
        typer.Option(
            "--previous", metavar="DIR", help="The last run: drift, territories, waitlist, backlog."
        ),
    ] = None,
    models: Annotated[
        str | None, typer.Option("--models", metavar="DIR", help="Keep models here; a better champion stays.")
    ] = None,
    language: Annotated[str | None, typer.Option("--language", help="Of the briefs: en or es.")] = None,
    wording: Annotated[
        str | None, typer.Option("--wording", metavar="DIR", help="The company's own wording of the briefs.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Go on in spite of the quality gate.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Put the day's tasks on the desk when the run is complete.")
    ] = False,
    touches_from_desk: Annotated[
        bool | None,
        typer.Option(
            "--touches-from-desk/--no-touches-from-desk",
            help="Count the desk's finished tasks among the touches; with --publish they do by default.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan the night: from accounts to everybody's next best action, visits, calls, briefs and a report."""
    from dealwright.plan.pipeline import run_plan
    from dealwright.report.plan_output import RunDirectory, check_output, write_plan, write_world
    from dealwright.report.plan_report import write_report
    from dealwright.tables.rejected import write_rejected

    check_output(out)
    settings, stages = _read_params(params, catalogue)
    stages = _word_briefs(stages, language, wording)
    given = {
        "directory": directory, "map": mapping, "accounts": accounts, "orders": orders,
        "touches": touches, "reps": reps,
        "history": history, "staff": staff, "world": world, "n": n, "as_of": as_of, "seed": seed,
        "previous": previous, "models": models, "force": force or None, "promises": promises,
        "frequencies": frequencies, "call_backs": call_backs, "arrivals": arrivals, "osrm": osrm,
        "valhalla": valhalla, "land": land, "tiles": tiles,
        "touches_from_desk": touches_from_desk if touches_from_desk is not None else publish or None,
    }  # fmt: skip
    kept = ("seed", "force", "models", "osrm", "valhalla", "tiles")
    if accounts or orders or directory or world:  # other data than in the parameter file: its own go
        settings = {key: value for key, value in settings.items() if key in kept}
    if osrm or valhalla:  # the option replaces whichever service the parameters name
        settings = {key: value for key, value in settings.items() if key not in ("osrm", "valhalla")}
    settings = {"seed": 0, **settings, **{key: value for key, value in given.items() if value is not None}}
    reported = None
    if publish or settings.get("touches_from_desk"):  # before the night begins: is there a desk?
        reported = read_desk_touches(context)
    travel = road_service(settings, stages.route, settings_of(context).home)
    inputs, drawn = read_inputs(settings, reported if settings.get("touches_from_desk") else None)
    settings["as_of"] = inputs.as_of
    ground, street = read_ground(settings, inputs.accounts), tiles_url(settings)
    read = [inputs]
    del inputs  # handed over below: the plan may let go of what it does not need
    try:
        with _progress(quiet=as_json) as progress, RunDirectory(out) as folder:
            result = run_plan(
                read.pop(), stages, seed=settings["seed"], force=settings.get("force", False),
                previous=read_previous(settings.get("previous")), store=open_models(settings.get("models")),
                progress=progress, travel=travel, land=None if ground is None else ground.shape,
            )  # fmt: skip
            run = {key: settings[key] for key in _RUN_KEYS if key in settings}
            write_plan(result, folder, run, land=ground, tiles=street)
            if drawn is not None:
                write_world(*drawn, folder)
            write_report(folder)
    except GateError as error:
        quality = getattr(error, "quality", None)
        if quality is None:
            raise
        with RunDirectory(out) as folder:
            write_rejected(quality.intake, folder / "rejected")
        raise GateError(f"{error} (the rows are in {out / 'rejected'})") from None
    published = publish_run(context, out, quiet=as_json) if publish else None
    if as_json:
        from dealwright.cli.plan_summary import plan_document

        done = {} if published is None else {"published": published.to_dict()}
        write_json({"out": str(out), **plan_document(result), **done})
    else:
        from dealwright.cli.plan_summary import plan_tables

        for item in plan_tables(result, out):
            console().print(item)
        if published is not None:
            console().print(f"Published: {published.summary()}", markup=False, soft_wrap=True)


def _read_params(path: str | None, catalogue: str | None) -> tuple[dict[str, Any], PlanParams]:
    """Read the parameters of the stages and, apart, how the run was started."""
    from dealwright.plan.params import PlanParams
    from dealwright.toml import convert, read_toml

    run: dict[str, Any] = {}
    stages = PlanParams()
    if path is not None:
        raw = read_toml(Path(path), path)
        run = convert(raw.pop("run", {}), dict[str, Any], path, "run")
        if "schema" in run:  # as a mapping was called before
            run["map"] = run.pop("schema")
        for key in run:
            if key not in _RUN_KEYS:
                raise UnknownNameError(f"key in {path} [run]", key, _RUN_KEYS)
        stages = convert(raw, PlanParams, path)
    if catalogue is not None:
        from dealwright.plan.actions.catalogue_file import read_catalogue

        stages = replace(stages, action=replace(stages.action, catalogue=read_catalogue(Path(catalogue))))
    return run, stages


def _word_briefs(stages: PlanParams, language: str | None, wording: str | None) -> PlanParams:
    """Take over how the briefs are to be worded, and refuse what cannot be used before anything runs."""
    from dealwright.plan.briefs.stage import check_wording
    from dealwright.report.brief_files import read_wording

    chosen = stages.brief
    if language is not None:
        chosen = replace(chosen, language=language)
    if wording is not None:
        chosen = replace(chosen, wording=read_wording(Path(wording)))
    check_wording(chosen)
    return replace(stages, brief=chosen)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Show a bar on stderr while the stages run; nothing where nobody watches."""
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
