"""Write everybody's day of a plan: briefs, calendars and maps, from the plan's tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dealwright.plan.run import Plan
from dealwright.report.brief_files import write_briefs
from dealwright.report.calendars import write_calendars
from dealwright.report.maps import write_maps


def write_days(plan: Plan, folder: Path) -> None:
    """Write ``briefs/``, ``calendars/`` and ``maps/`` into a run's folder, as far as there is anything."""
    tables, data = plan.tables, plan.inputs
    write_briefs(tables["briefs"], folder / "briefs", plan.params.brief.language)
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
        if table in tables and not tables[table].is_empty()
    ]
    if ends:
        titles = tables["briefs"].select("account_id", "rep_id", "start_at", "title", note="action")
        events = pl.concat(ends).join(titles, on=["account_id", "rep_id", "start_at"], how="left")
        events = events.join(accounts, on="account_id", how="left").with_columns(
            title=pl.coalesce("title", "name", "account_id")
        )
        write_calendars(events, folder / "calendars", data.as_of)
    if data.schema.has_position:
        columns = [column for column in ("territory", "action") if column in plan.accounts.columns]
        known = accounts.join(plan.accounts.select("account_id", *columns), on="account_id", how="left")
        missing = [pl.lit(None, pl.String).alias(c) for c in ("territory", "action") if c not in columns]
        homes = data.reps.select("rep_id", "home_lat_deg", "home_lon_deg") if data.reps is not None else None
        drawn = tables.get("territories")
        write_maps(folder / "maps", known.with_columns(missing), drawn, tables.get("visits"), homes)
