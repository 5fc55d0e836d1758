"""Write everybody's day of a plan: briefs, calendars and maps, from the plan's tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dealwright.plan.result import Plan
from dealwright.report.brief_files import write_brief_files
from dealwright.report.calendars import write_calendars
from dealwright.report.land import Land, around
from dealwright.report.map_page import write_geojson
from dealwright.report.maps import MapTables, write_maps


def write_days(plan: Plan, folder: Path, land: Land | None = None, *, tiles: str | None = None) -> None:
    """Write ``briefs/``, ``calendars/`` and ``maps/`` into a run's folder.

    Parameters
    ----------
    land
        The ground of the maps, kept as ``land.geojson``; without it, the hull of the accounts is drawn.
    tiles
        See `map_page.new_map`.
    """
    tables, data = plan.tables, plan.inputs
    write_brief_files(tables["briefs"], folder / "briefs", plan.params.brief.language)
    name = data.schema.role("name")
    shown = pl.col(name).cast(pl.String) if name else pl.lit(None, pl.String)
    place = [
        pl.col(column) if data.schema.has_position else pl.lit(None, pl.Float64).alias(column)
        for column in ("lat_deg", "lon_deg")
    ]
    accounts = data.accounts.select("account_id", *place, name=shown)
    ends = [
        tables[table].select("rep_id", "account_id", "start_at", end_at=pl.col(end))
        for table, end in (("visits", "leave_at"), ("calls", "end_at"))
    ]
    titles = tables["briefs"].select("account_id", "rep_id", "start_at", "title", note="action")
    events = pl.concat(ends).join(titles, on=["account_id", "rep_id", "start_at"], how="left")
    events = events.join(accounts, on="account_id", how="left").with_columns(
        title=pl.coalesce("title", "name", "account_id")
    )
    write_calendars(events, folder / "calendars", data.as_of)
    drawn = MapTables(
        accounts.join(plan.accounts.select("account_id", "territory", "action"), on="account_id", how="left"),
        tables["territories"], tables["visits"], tables["rep_days"], tables["distance_only_visits"],
        tables["distance_only_days"], data.reps,
    )  # fmt: skip
    placed = accounts.drop_nulls(["lat_deg", "lon_deg"])
    if land is not None and not placed.is_empty():
        write_geojson(folder / "land.geojson", around(land, placed).features())
    write_maps(folder / "maps", drawn, land, tiles=tiles)
