"""A changed day as a version of its run: beside the plan, with the tasks of the run as they are then."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from dealwright.plan.routing.changes import ChangedDay
from dealwright.plan.staffing.call_list import CALLING
from dealwright.plan.staffing.changes import ChangedCentre
from dealwright.plan.trace import hash_frame, hash_text
from dealwright.runs.day_changes import DayChange, DayOfRun, change_to_dict, open_hours
from dealwright.runs.reading import VERSIONS
from dealwright.runs.task_file import read_tasks, write_tasks
from dealwright.schemas import DAY_TASK_COLUMNS, DayTasks, conform

_FIELD: Final = "field"


@dataclass(frozen=True)
class Version:
    """A changed day that was published.

    Attributes
    ----------
    tasks
        All tasks of the run, those of the day as changed.
    number
        Counted from 1 within the run.
    concerned
        Whose day differs from the plan, or did in an earlier version.
    """

    tasks: DayTasks
    number: int
    concerned: frozenset[str]


def write_version(
    folder: Path,
    day: DayOfRun,
    changes: Sequence[DayChange],
    changed: ChangedDay,
    centre: ChangedCentre | None = None,
    *,
    changed_at: datetime,
) -> Version:
    """Write a changed day beside the plan, as the next version of the run: visits, shifts, calls and tasks.

    The plan's own tables stay as they are. Versions of other days of the run go on to count.

    Parameters
    ----------
    changed_at
        When the last change was made.
    """
    root = folder / VERSIONS
    root.mkdir(exist_ok=True)
    number = 1 + max((int(path.name) for path in root.iterdir() if path.name.isdigit()), default=0)
    planned = read_tasks(folder)
    before = planned if number == 1 else read_tasks(root / str(number - 1))
    tasks = _tasks(planned, before, day, changed, centre)
    partial = root / f".{number}.{os.getpid()}.partial"
    partial.mkdir()
    changed.visits.write_parquet(partial / "visits.parquet")
    changed.days.write_parquet(partial / "rep_days.parquet")
    changed.unplaced.write_parquet(partial / "unplaced.parquet")
    if centre is not None:
        centre.shifts.write_parquet(partial / "shifts.parquet")
        centre.calls.write_parquet(partial / "calls.parquet")
        centre.unplaced.write_parquet(partial / "calls_unplaced.parquet")
    touched = changed.touched | (frozenset() if centre is None else centre.touched)
    told = {
        "day": day.field_day.day.isoformat(), "changes": [change_to_dict(change) for change in changes],
        "people": sorted(touched),
        "changed_at": changed_at.astimezone(ZoneInfo(planned.time_zone)).replace(tzinfo=None).isoformat(),
    }  # fmt: skip
    (partial / "changes.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    write_tasks(tasks, partial)
    concerned = touched | _told_before(root, day.field_day.day)
    partial.rename(root / str(number))
    return Version(tasks, number, concerned)


def _told_before(root: Path, day: date) -> frozenset[str]:
    """Return whose day an earlier version of the run changed: it may be as planned again."""
    found: set[str] = set()
    for path in root.glob("*/changes.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["day"] == day.isoformat():
            found |= set(told.get("people", ()))
    return frozenset(found)


def _tasks(
    planned: DayTasks, before: DayTasks, day: DayOfRun, changed: ChangedDay, centre: ChangedCentre | None
) -> DayTasks:
    """Return the tasks of a run with the visits and calls of a changed day.

    Of an account that an earlier version left out, the plan says what its task holds.
    """
    on = day.field_day.day
    visits = changed.visits.with_columns(channel=pl.lit(_FIELD), end_at=pl.col("leave_at"))
    parts = [(_FIELD, "visit", visits, pl.col("day") == on)]
    if centre is not None and day.centre is not None:
        calls = centre.calls.with_columns(day=pl.col("start_at").dt.date())
        # those after midnight are of this day's centre, too
        hours = open_hours(on, day.centre.params)
        parts.append((CALLING, "call", calls, pl.col("start_at").is_between(*hours, closed="left")))
    frame = before.frame
    for channel, action, contacts, here in parts:
        timed = (pl.col("channel") == channel) & here & pl.col("start_at").is_not_null()
        ours = timed.fill_null(value=False)
        known = pl.concat([frame.filter(ours), planned.frame.filter(pl.col("channel") == channel)])
        new = _as_tasks(contacts, known, action, day.names)
        frame = pl.concat([frame.filter(~ours), new])
    frame = frame.unique(["day", "account_id", "channel"], keep="last", maintain_order=True).sort(
        "day", "rep_id", "start_at", "account_id", nulls_last=True
    )
    content = (hash_frame(frame), before.run_id, before.as_of.isoformat())
    return DayTasks(
        hash_text("|".join(content)), before.as_of, before.time_zone, before.first_day, before.last_day, frame
    )


def _as_tasks(
    contacts: pl.DataFrame, former: pl.DataFrame, action: str, names: Mapping[str, str]
) -> pl.DataFrame:
    """Return visits or calls as tasks: what a task of the same account said goes on to hold."""
    timed = ("account_id", "channel", "day", "rep_id", "stop", "start_at", "end_at", "window_start",
             "window_end", "value_eur")  # fmt: skip
    kept = ("account_id", "action", "account_name", "cost_eur", "propensity", "reason", "brief", "card")
    known = former.unique("account_id", keep="first", maintain_order=True).select(kept)
    new = conform(contacts, {name: DAY_TASK_COLUMNS[name] for name in timed}).join(
        known, on="account_id", how="left", maintain_order="left"
    )
    called = pl.Series("called", [names.get(name) for name in new["account_id"]], dtype=pl.String)
    return new.with_columns(
        action=pl.coalesce("action", pl.lit(action)),
        account_name=pl.coalesce(pl.col("account_name"), called),
        reason=pl.when(pl.col("action").is_null()).then(pl.lit("added by hand")).otherwise("reason"),
    ).select(pl.col(name).cast(kind) for name, kind in DAY_TASK_COLUMNS.items())
