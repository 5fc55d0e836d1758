"""Write a plan's run directory: all or nothing, the same bytes for the same inputs, parameters and seed.

Only ``trace.jsonl`` holds wall-clock seconds; every other file is reproducible byte for byte (on the same
versions of the libraries).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError
from dealwright.parallel import parallel_map
from dealwright.plan.notices import notices
from dealwright.plan.result import Plan
from dealwright.plan.stages import TABLES
from dealwright.plan.tasks import day_tasks
from dealwright.report.accounts_page import reads_files, write_accounts
from dealwright.report.centre_page import CENTRE_PAGE, render_centre
from dealwright.report.comparison import changes_since, outcomes_of, recent_events, stored_events, trend_with
from dealwright.report.day_files import people_of_plan, write_days
from dealwright.report.land import Land
from dealwright.report.plan_metrics import metrics_text
from dealwright.report.plan_report import render_report
from dealwright.runs.day_file import CENTRE_FILES, REP_FILE, REQUEST_FILE, write_day_files
from dealwright.runs.reading import company_called, read_earlier, read_run
from dealwright.runs.task_file import LOW_LEVEL, TASK_FILE, compression_level, write_tasks
from dealwright.schemas import PlanInputs
from dealwright.stored import StoredTable, write_parts
from dealwright.tables.rejected import write_rejected
from dealwright.toml import to_toml

# everything a run may write: a directory that holds something else is not replaced
RUN_FILES: Final = frozenset(
    {
        *(f"{name}.parquet" for name in ("accounts", "calendar", *TABLES)),
        "assets", "briefs", "maps", "calendars", "days", "rejected", "world", "kpis.json", "trace.jsonl",
        "params.toml", "report.html", "land.geojson", "model_card.json", "issues.csv", "drift.csv",
        "profile.json", "metrics.prom", "notices.json",
        "accounts.html", "accounts", CENTRE_PAGE, "people.parquet", "changes.parquet", "outcomes.parquet",
        "account_history.parquet", "trend.json",
        TASK_FILE, REQUEST_FILE, REP_FILE, *CENTRE_FILES,
    }
)  # fmt: skip

# who reads one row decodes its group alone
_GROUP_ROWS: Final = 20_000
_EVENT_ROWS: Final = 250_000  # of events, which are read in their order


# what is written into a run's folder later on: versions of a day that was changed by hand
LATER_FILES: Final = frozenset({"versions"})


def check_output(out: Path) -> None:
    """Refuse an output directory that holds anything but an earlier run.

    Raises
    ------
    InputError
        It is a file, or holds files a run does not write.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    found = [path.name for path in out.iterdir()] if out.exists() else []
    foreign = sorted(name for name in found if name not in RUN_FILES | LATER_FILES)
    if foreign:
        raise InputError(
            f"--out {out} holds {foreign[0]!r}, which no run wrote; name another folder, or an earlier run's"
        )


class RunDirectory:
    """A run directory in the making: written beside its place, and moved there when it is complete.

    Parameters
    ----------
    out
        Where it is to be; an earlier run there is replaced.
    """

    def __init__(self, out: Path) -> None:
        check_output(out)
        self.out = out
        self.partial = out.with_name(f".{out.name}.partial")

    def __enter__(self) -> Path:
        """Return the folder to write into."""
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        return self.partial

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Move the complete folder to its place, or throw the half one away."""
        if kind is not None:
            shutil.rmtree(self.partial, ignore_errors=True)
            return
        check_output(self.out)
        earlier = self.out.with_name(f".{self.out.name}.earlier")
        shutil.rmtree(earlier, ignore_errors=True)
        if self.out.exists():
            self.out.rename(earlier)
        self.partial.rename(self.out)
        shutil.rmtree(earlier, ignore_errors=True)


def write_plan(
    plan: Plan,
    folder: Path,
    run: Mapping[str, Any],
    *,
    land: Land | None = None,
    tiles: str | None = None,
    told: Iterable[pl.DataFrame] = (),
    previous: Path | None = None,
) -> None:
    """Write the files of a plan.

    Parameters
    ----------
    folder
        An empty folder, from `RunDirectory`.
    run
        How to repeat it: the ``[run]`` table of ``params.toml``.
    land, tiles
        The ground of the maps, and the URL of street tiles (`map_page.ground_data`).
    told
        What calendars were told by earlier runs.
    """
    (folder / "rejected").mkdir()
    write_rejected(plan.quality.intake, folder / "rejected")
    company = plan.params.report.company or company_called(run)

    def write_tables() -> None:
        _write_tables(plan, folder)
        write_tasks(day_tasks(plan), folder)
        write_day_files(plan, folder)
        _write_comparison(plan, folder, previous)

    def write_pages() -> None:
        write_days(plan, folder, land, company=company, tiles=tiles, told=told)

    # pages are steps of the interpreter; most of what tables take is not, and goes on beside them
    parallel_map(lambda write: write(), (write_tables, write_pages))
    plan.quality.issues.write_csv(folder / "issues.csv")
    plan.drift.frame.write_csv(folder / "drift.csv")
    _write_json(folder / "notices.json", list(notices(plan)))
    _write_json(folder / "profile.json", plan.profile)
    _write_json(folder / "model_card.json", plan.predictions.card)
    (folder / "kpis.json").write_text(plan.kpis.to_json(), encoding="utf-8")
    (folder / "metrics.prom").write_text(metrics_text(plan, wall_clock=False), encoding="utf-8")
    (folder / "params.toml").write_text(to_toml({"run": run, **vars(plan.params)}), encoding="utf-8")
    lines = [record.to_json() for record in plan.trace]
    (folder / "trace.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_tables(plan: Plan, folder: Path) -> None:
    """Write what the stages found as Parquet."""
    tables = {"accounts": plan.accounts, **plan.tables}
    # some of their columns may be on disk
    in_parts = {
        **({} if plan.listed.kept else {"accounts": plan.account_parts}),
        **({} if plan.briefs.texts is None else {"briefs": plan.briefs.parts}),
    }
    parallel_map(
        lambda name: tables[name].write_parquet(
            folder / f"{name}.parquet",
            compression_level=compression_level(tables[name]),
            row_group_size=_GROUP_ROWS,
        ),
        [name for name in tables if name not in in_parts],
    )
    for name, parts in in_parts.items():
        write_parts(parts(), folder / f"{name}.parquet", LOW_LEVEL, _GROUP_ROWS)


def _write_comparison(plan: Plan, folder: Path, previous: Path | None) -> None:
    """Write who the people are, what changed, the outcomes of the last tasks, and how the figures moved."""
    data, before = plan.inputs, None if previous is None else read_earlier(previous)
    people_of_plan(plan).write_parquet(folder / "people.parquet")
    changes = changes_since(None if before is None else before.accounts, plan.accounts)
    changes.write_parquet(folder / "changes.parquet")
    outcomes = outcomes_of(
        None if before is None else before.tasks, data.scan("touches"), data.scan("orders"),
        None if before is None else before.as_of, data.as_of,
    )  # fmt: skip
    outcomes.write_parquet(folder / "outcomes.parquet")
    _write_events(data, folder / "account_history.parquet")
    trend = trend_with(() if before is None else before.trend, data.as_of, plan.kpis.summary())
    _write_json(folder / "trend.json", trend)


def _write_events(data: PlanInputs, target: Path) -> None:
    """Write what happened lately; where the orders are on disk, without having all of it in memory."""
    if isinstance(data.logs()["orders"], StoredTable):
        events = stored_events(data.parts("orders"), data.parts("touches"), data.accounts["account_id"])
        write_parts(events, target, LOW_LEVEL, _EVENT_ROWS)
        return
    history = recent_events(data.parts("orders"), data.parts("touches"))
    history.write_parquet(target, compression_level=compression_level(history))


def write_report(folder: Path, plan: Plan | None = None) -> Path:
    """Render the report, the accounts and the contact centre of a run directory, replacing earlier ones.

    Parameters
    ----------
    plan
        What was written there, where it is still at hand.

    Raises
    ------
    InputError
        The folder is not a run's; the message says which file is missing or broken.
    """
    many = plan is not None and reads_files(folder, plan.accounts.height)
    run = read_run(folder, plan, events=not many)
    page = render_report(run)
    centre = None if run.tables["shifts"].is_empty() else render_centre(run)
    target, partial = folder / "report.html", folder / ".report.html.partial"
    try:
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, target)  # noqa: PTH105  atomic on every system
        write_accounts(run, folder)
        if centre is not None:
            (folder / CENTRE_PAGE).write_text(centre, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {target}: {error}") from None
    return target


def write_world(frames: Mapping[str, pl.DataFrame | None], schema: str, folder: Path) -> None:
    """Write a synthetic company: its tables, their declaration, and the truth in a file of its own."""
    target = folder / "world"
    target.mkdir()
    for name, frame in frames.items():
        if frame is not None:
            frame.write_parquet(target / f"{name}.parquet")
    (target / "schema.toml").write_text(schema, encoding="utf-8")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")
