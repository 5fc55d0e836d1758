"""What the command ``plan`` needs before the night: tables, the last run, kept models, a road service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dealwright.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import polars as pl

    from dealwright.plan.result import PreviousRun
    from dealwright.plan.routing import RouteParams
    from dealwright.plan.routing.travel_service import RoadService, Service
    from dealwright.report.model_store import FolderModelStore
    from dealwright.schemas import PlanInputs
    from dealwright.world.barcelona import BarcelonaWorld

TABLES: Final = (
    "accounts", "orders", "touches", "reps", "history", "staff", "promises", "frequencies", "call_backs",
    "arrivals",
)  # fmt: skip
FILES: Final = ("directory", "map", *TABLES)
_DRAWN: Final = ("accounts", "orders", "touches", "reps", "history")  # by a synthetic company
_SERVICES: Final[tuple[Service, ...]] = ("osrm", "valhalla")

WorldFiles = tuple[dict[str, "pl.DataFrame | None"], str]


def read_inputs(run: dict[str, Any], reported: pl.DataFrame | None) -> tuple[PlanInputs, WorldFiles | None]:
    """Read or draw what the plan needs; a synthetic company's tables, with the truth, are handed on apart.

    Parameters
    ----------
    run
        The ``[run]`` table of the parameters; the number of accounts drawn is added where it is missing.
    reported
        Touches the desk knows of.

    Raises
    ------
    InputError
        Nothing to plan, options that exclude each other, or a table that cannot be read.
    """
    from dealwright.tables.mapping import parse_mapping
    from dealwright.tables.plan_inputs import read_plan_inputs

    tables: dict[str, Any] = {name: run[name] for name in TABLES if name in run}
    options: dict[str, Any] = {"as_of": run.get("as_of"), "further_touches": reported}
    if run.get("world") is not None:
        company = _draw_world(run)
        schema = parse_mapping(_world_files(company)[1], "the synthetic company")
        return read_plan_inputs(**{**company.tables, **tables}, schema=schema, **options), _world_files(
            company
        )
    directory, mapping = run.get("directory"), run.get("map")
    if directory is not None and mapping is None:
        mapping = str(Path(directory) / "company.toml")
    return read_plan_inputs(**tables, schema=mapping, directory=directory, **options), None


def _draw_world(run: dict[str, Any]) -> BarcelonaWorld:
    """Draw a synthetic company; tables it does not draw may be given beside it."""
    from dealwright.world.barcelona import BarcelonaParams, generate

    both = next((name for name in (*_DRAWN, "map", "directory") if run.get(name) is not None), None)
    if both is not None:
        raise InputError(f"give either --{both} or --world, not both")
    if run["world"] != "barcelona":
        raise UnknownNameError("world", run["world"], ["barcelona"])
    params = BarcelonaParams(n=run.setdefault("n", 3200))
    if run.get("as_of") is not None:
        if run["as_of"].tzinfo is not None:
            raise InputError(
                "the cut-off of a synthetic company is on its own clock: write --as-of without an offset"
            )
        params = replace(params, as_of=run["as_of"])
    return generate(params, seed=run["seed"])


def _world_files(company: BarcelonaWorld) -> WorldFiles:
    """Return a synthetic company's tables and their declaration, to be written."""
    from dealwright.report.schema_text import schema_toml

    return {**company.tables, "truth": company.truth}, schema_toml(company.inputs.schema)


def read_previous(folder: str | None) -> PreviousRun | None:
    """Read what the next run takes over from the folder of an earlier one.

    Raises
    ------
    InputError
        The folder is not a run's.
    """
    if folder is None:
        return None
    import json

    import polars as pl

    from dealwright.plan.result import PreviousRun
    from dealwright.plan.staffing.backlog import carried_over
    from dealwright.schemas import BACKLOG_COLUMNS

    path = Path(folder)

    def table(name: str) -> pl.DataFrame | None:
        """Return a table of the run; None where the stage did not run."""
        file = path / f"{name}.parquet"
        return pl.read_parquet(file) if file.exists() else None

    try:
        profile = json.loads((path / "profile.json").read_text(encoding="utf-8"))
        accounts = pl.scan_parquet(path / "accounts.parquet")
        drawn = "territory" in accounts.collect_schema().names()
        territories = accounts.select("account_id", "territory").drop_nulls().collect() if drawn else None
        waitlist, backlog = table("waitlist"), table("backlog")
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"--previous {folder}: cannot read the run there: {error}; name the folder of a run"
        ) from None
    # a run of an earlier version does not say what of its backlog came in
    carried = None
    if backlog is not None and set(BACKLOG_COLUMNS) <= set(backlog.columns):
        carried = carried_over(backlog)
    return PreviousRun(profile, territories, waitlist, carried)


def open_models(folder: str | None) -> FolderModelStore | None:
    """Return the store of kept models."""
    if folder is None:
        return None
    from dealwright.report.model_store import FolderModelStore

    return FolderModelStore(Path(folder))


def road_service(run: Mapping[str, Any], params: RouteParams, home: Path) -> RoadService | None:
    """Return the road service of the run, None where ways are estimated.

    Parameters
    ----------
    home
        Where its answers are kept between runs.

    Raises
    ------
    InputError
        Both services are named, or the address is none.
    """
    named = [name for name in _SERVICES if run.get(name) is not None]
    if not named:
        return None
    if len(named) > 1:
        raise InputError("give either --osrm or --valhalla, not both")
    from dealwright.plan.routing.travel_service import RoadService
    from dealwright.plan.travel import EstimatedTravel

    road = params.road
    return RoadService(
        run[named[0]], named[0], road.profile, road.block, road.timeout_s, road.max_snap_km,
        params.travel.access_min, home / "ways", EstimatedTravel(params.travel),
    )  # fmt: skip
