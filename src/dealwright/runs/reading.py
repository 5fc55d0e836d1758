"""Read runs back: as a whole, or what the next night takes over."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError
from dealwright.plan.kpis import Kpi, Kpis
from dealwright.plan.result import Plan, PreviousRun
from dealwright.plan.staffing.backlog import carried_over
from dealwright.plan.stages import TABLES
from dealwright.report.calendars import ENTRY_COLUMNS
from dealwright.report.centre_page import CENTRE_PAGE
from dealwright.report.comparison import CHANGE_COLUMNS, HISTORY_COLUMNS, OUTCOME_COLUMNS
from dealwright.report.format import DEFAULT_CURRENCY, DEFAULT_LOCALE, format_of
from dealwright.report.people import people_of, people_table
from dealwright.report.run import ChangedDayNote, Run
from dealwright.runs.task_file import TASK_FILE, read_tasks
from dealwright.schemas import BACKLOG_COLUMNS, Columns, conform
from dealwright.toml import read_toml

VERSIONS: Final = "versions"  # below the run's folder: days that were changed and published
_DAYS: Final = ("maps", "briefs", "calendars", "days")


def read_run(
    folder: Path | str,
    plan: Plan | None = None,
    *,
    columns: Collection[str] | None = None,
    events: bool = True,
) -> Run:
    """Read a run from its folder.

    Parameters
    ----------
    plan
        What was written there, where it is still at hand: its tables are not read again.
    columns
        Of the accounts, where these are enough: then the events of the accounts are not read either.
    events
        Whether they are read.

    Raises
    ------
    InputError
        The folder is not a run's; the message says which file is missing or broken.
    """
    folder = Path(folder)
    try:
        accounts = _read_accounts(folder, columns) if plan is None else plan.accounts
        kpis = json.loads((folder / "kpis.json").read_text(encoding="utf-8"))["kpis"]
        params = read_toml(folder / "params.toml", "params.toml")
        settings, told = params.get("run", {}), params.get("report", {})
        tables = {
            name: pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=columns)
            for name, (_, _, columns) in TABLES.items()
            for path in [folder / f"{name}.parquet"]
        } if plan is None else plan.tables  # fmt: skip
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
            people=people_of(_read_people(folder / "people.parquet", tables)),
            changes=_read_table(folder / "changes.parquet", CHANGE_COLUMNS),
            outcomes=_read_table(folder / "outcomes.parquet", OUTCOME_COLUMNS),
            history=pl.DataFrame(schema=HISTORY_COLUMNS) if columns is not None or not events
            else _read_table(folder / "account_history.parquet", HISTORY_COLUMNS),
            trend=tuple(_read_json(folder / "trend.json") or ()),
            first_day=_first_day(folder, tables),
            card=_read_json(folder / "model_card.json") or {},
            form=format_of(told.get("locale", DEFAULT_LOCALE), told.get("currency", DEFAULT_CURRENCY)),
            company=told.get("company") or company_called(settings),
            changed=read_changed_days(folder),
            files=frozenset(
                [*(f"{place}/{path.name}" for place in _DAYS for path in (folder / place).glob("*")),
                 *([] if tables["shifts"].is_empty() else [CENTRE_PAGE])]
            ),
        )  # fmt: skip
    except (InputError, OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{folder} is not the folder of a run, or is incomplete: {error}; name the --out of a plan"
        ) from None


@dataclass(frozen=True)
class EarlierRun:
    """What a report compares a run with; each part may be missing."""

    # its tables
    accounts: pl.DataFrame | None
    tasks: pl.DataFrame | None
    as_of: datetime | None  # its cut-off
    trend: list[dict[str, Any]]  # key figures of the runs until then, that one last


def read_earlier(folder: Path) -> EarlierRun:
    """Read what a report compares a run with; a run of an earlier version may lack some of it.

    Raises
    ------
    InputError
        The folder is not a run's.
    """
    try:
        accounts, tasks = (
            pl.read_parquet(path) if path.exists() else None
            for path in (folder / "accounts.parquet", folder / TASK_FILE)
        )
        as_of = read_toml(folder / "params.toml", "params.toml").get("run", {}).get("as_of")
        trend = _read_json(folder / "trend.json")
        if trend is None and as_of is not None:
            kpis = json.loads((folder / "kpis.json").read_text(encoding="utf-8"))["kpis"]
            values = {item["name"]: item["value"] for item in kpis}
            trend = [{"as_of": as_of.isoformat(), "kpis": values}]
    except (InputError, OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"--previous {folder}: cannot read the run there: {error}; name the folder of a run"
        ) from None
    return EarlierRun(accounts, tasks, as_of, trend or [])


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


def read_changed_days(folder: Path) -> tuple[ChangedDayNote, ...]:
    """Return the days that were changed and published since, by day; of each the newest version."""
    newest: dict[str, tuple[int, dict[str, Any]]] = {}
    for path in folder.glob(f"{VERSIONS}/*/changes.json"):
        told = _read_json(path)
        if path.parent.name.isdigit():
            number = int(path.parent.name)
            newest[told["day"]] = max(newest.get(told["day"], (0, told)), (number, told), key=lambda v: v[0])
    return tuple(
        ChangedDayNote(
            date.fromisoformat(day),
            datetime.fromisoformat(told["changed_at"]) if told.get("changed_at") else None,
            tuple(told.get("people", ())),
        )
        for day, (_, told) in sorted(newest.items())
        if told.get("people")
    )


def _first_day(folder: Path, tables: Mapping[str, pl.DataFrame]) -> date | None:
    """Return the first day that is planned; ``None`` where the run does not say."""
    if (folder / TASK_FILE).exists():
        return read_tasks(folder).first_day
    days = [tables[name]["day"].min() for name in ("rep_days", "shifts") if not tables[name].is_empty()]
    return min((day for day in days if isinstance(day, date)), default=None)


def company_called(settings: Mapping[str, Any]) -> str:
    """Return what to call a company that nobody named, by the folder of its tables in the ``[run]`` table."""
    if settings.get("world"):
        return f"{str(settings['world']).capitalize()} field sales"
    given = settings.get("accounts") or settings.get("orders")
    folder = settings.get("directory") or (Path(str(given)).parent if given else "")
    return Path(str(folder)).resolve().name.replace("_", " ") if str(folder) not in ("", ".") else ""


def _read_accounts(folder: Path, columns: Collection[str] | None) -> pl.DataFrame:
    """Read the accounts, or those of their columns that a run of any version has."""
    if columns is None:
        return pl.read_parquet(folder / "accounts.parquet")
    frame = pl.scan_parquet(folder / "accounts.parquet")
    return frame.select(name for name in frame.collect_schema().names() if name in columns).collect()


def _read_people(path: Path, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Read who sells; a run of an earlier version names only who has a day or a shift."""
    return pl.read_parquet(path) if path.exists() else people_table(tables["rep_days"], tables["shifts"])


def _read_table(path: Path, columns: Columns) -> pl.DataFrame:
    return pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=columns)


def _read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path) if path.exists() and path.stat().st_size else pl.DataFrame()


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
