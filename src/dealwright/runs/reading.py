"""Read runs back: as a whole, or what the next night takes over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError
from dealwright.plan.kpis import Kpi, Kpis
from dealwright.plan.result import PreviousRun
from dealwright.plan.staffing.backlog import carried_over
from dealwright.plan.stages import TABLES
from dealwright.report.calendars import ENTRY_COLUMNS
from dealwright.report.run import Run
from dealwright.schemas import BACKLOG_COLUMNS, conform
from dealwright.toml import read_toml

_DAYS: Final = ("maps", "briefs", "calendars", "days")


def read_run(folder: Path | str) -> Run:
    """Read a run from its folder.

    Raises
    ------
    InputError
        The folder is not a run's; the message says which file is missing or broken.
    """
    folder = Path(folder)
    try:
        accounts = pl.read_parquet(folder / "accounts.parquet")
        kpis = json.loads((folder / "kpis.json").read_text(encoding="utf-8"))["kpis"]
        settings = read_toml(folder / "params.toml", "params.toml").get("run", {})
        tables = {
            name: pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=columns)
            for name, (_, _, columns) in TABLES.items()
            for path in [folder / f"{name}.parquet"]
        }
        lines = (folder / "trace.jsonl").read_text(encoding="utf-8").splitlines()
        return Run(
            folder, accounts, tables, Kpis(tuple(Kpi(**item) for item in kpis)), settings,
            stages={record["stage"]: record for record in map(json.loads, filter(None, lines))},
            issues=_read_csv(folder / "issues.csv"),
            drift=_read_csv(folder / "drift.csv"),
            notices=tuple(_read_json(folder / "notices.json") or ()),
            rejected={
                path.name: pl.scan_csv(path, infer_schema=False).select(pl.len()).collect().item()
                for path in sorted((folder / "rejected").glob("*.csv"))
            },
            ways=_read_json(folder / "maps/routes.geojson"),
            land=_read_json(folder / "land.geojson"),
            files=frozenset(f"{place}/{path.name}" for place in _DAYS for path in (folder / place).glob("*")),
        )  # fmt: skip
    except (InputError, OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{folder} is not the folder of a run, or is incomplete: {error}; name the --out of a plan"
        ) from None


def read_previous(folder: Path | str) -> PreviousRun:
    """Read what the next run takes over from the folder of an earlier one.

    Raises
    ------
    InputError
        The folder is not a run's.
    """
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


def read_calendar_entries(folder: Path | str) -> pl.DataFrame:
    """Read what calendars were told by a run; nothing where there is none, or one of an earlier version."""
    file = Path(folder) / "calendar.parquet"
    try:
        return (
            conform(pl.read_parquet(file), ENTRY_COLUMNS) if file.is_file() else conform(None, ENTRY_COLUMNS)
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{file}: cannot be read: {error}; delete it if its calendars may be told everything anew"
        ) from None


def _read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path) if path.exists() and path.stat().st_size else pl.DataFrame()


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
