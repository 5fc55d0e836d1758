"""What a night needs before it begins: tables, read or drawn, and a road service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.routing.travel_service import RoadService, Service
from dealwright.plan.travel import EstimatedTravel
from dealwright.runs.request import DRAWN_ACCOUNTS, NightRequest
from dealwright.runs.schema_text import schema_toml
from dealwright.schemas import PlanInputs
from dealwright.settings import load_settings
from dealwright.simulation.barcelona import BarcelonaParams, BarcelonaWorld, generate
from dealwright.tables.mapping import parse_mapping
from dealwright.tables.plan_inputs import read_plan_inputs

TABLES: Final = (
    "accounts", "orders", "touches", "reps", "history", "staff", "promises", "frequencies", "call_backs",
    "arrivals",
)  # fmt: skip
_DRAWN: Final = ("accounts", "orders", "touches", "reps", "history")  # by a synthetic company
_SERVICES: Final[tuple[Service, ...]] = ("osrm", "valhalla")

WorldFiles = tuple[dict[str, "pl.DataFrame | None"], str]


def read_inputs(request: NightRequest, reported: pl.DataFrame | None) -> tuple[PlanInputs, WorldFiles | None]:
    """Read or draw what the plan needs, with the touches that the desk reported.

    A synthetic company's tables, with the truth, are handed on apart.

    Raises
    ------
    InputError
        Nothing to plan, options that exclude each other, or a table that cannot be read.
    """
    if request.inputs is not None:
        return request.inputs, None
    tables: dict[str, Any] = {name: path for name in TABLES if (path := getattr(request, name)) is not None}
    options: dict[str, Any] = {"as_of": request.as_of, "further_touches": reported}
    if request.world is not None:
        company = _draw_world(request)
        files = _world_files(company)
        schema = parse_mapping(files[1], "the synthetic company")
        return read_plan_inputs(**{**company.tables, **tables}, schema=schema, **options), files
    mapping = request.map
    if request.directory is not None and mapping is None:
        mapping = str(Path(request.directory) / "company.toml")
    return read_plan_inputs(**tables, schema=mapping, directory=request.directory, **options), None


def _draw_world(request: NightRequest) -> BarcelonaWorld:
    """Draw a synthetic company; tables it does not draw may be given beside it."""
    both = next((name for name in (*_DRAWN, "map", "directory") if getattr(request, name) is not None), None)
    if both is not None:
        raise InputError(f"give either --{both} or --world, not both")
    if request.world != "barcelona":
        raise UnknownNameError("world", request.world, ["barcelona"])
    params = BarcelonaParams(n=DRAWN_ACCOUNTS if request.n is None else request.n)
    if request.as_of is not None:
        if request.as_of.tzinfo is not None:
            raise InputError(
                "the cut-off of a synthetic company is on its own clock: write --as-of without an offset"
            )
        params = replace(params, as_of=request.as_of)
    return generate(params, seed=request.seed)


def _world_files(company: BarcelonaWorld) -> WorldFiles:
    """Return a synthetic company's tables and their declaration, to be written."""
    return {**company.tables, "truth": company.truth}, schema_toml(company.inputs.schema)


def road_service(request: NightRequest) -> RoadService | None:
    """Return the road service of the night, ``None`` where ways are estimated.

    Raises
    ------
    InputError
        Both services are named, or the address is none.
    """
    named = [name for name in _SERVICES if getattr(request, name) is not None]
    if not named:
        return None
    if len(named) > 1:
        raise InputError("give either --osrm or --valhalla, not both")
    params, home = request.params.route, request.home or load_settings().home
    road = params.road
    return RoadService(
        getattr(request, named[0]), named[0], road.profile, road.block, road.timeout_s, road.max_snap_km,
        params.travel.access_min, home / "ways", EstimatedTravel(params.travel),
    )  # fmt: skip
