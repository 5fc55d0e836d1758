"""A day of a run, changed: read from the folder, tried, planned again, and written as a version of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, NotFoundError, UnknownNameError
from dealwright.plan.routing.changes import (
    Absent,
    Change,
    ChangedDay,
    LeaveOut,
    Move,
    NewShift,
    Overrun,
    Pin,
    Replan,
    change_day,
)
from dealwright.plan.routing.day import FieldDay
from dealwright.plan.routing.limits import WORTH
from dealwright.plan.routing.requests import Rep
from dealwright.plan.trace import hash_frame, hash_text
from dealwright.plan.travel import EstimatedTravel
from dealwright.runs.day_file import REP_FILE, REQUEST_FILE
from dealwright.runs.inputs import road_service
from dealwright.runs.request import read_request
from dealwright.runs.task_file import read_tasks, write_tasks
from dealwright.schemas import DAY_TASK_COLUMNS, DayTasks
from dealwright.toml import convert

KINDS: Final[Mapping[str, type[Any]]] = {
    "move": Move, "leave_out": LeaveOut, "pin": Pin, "absent": Absent, "overrun": Overrun, "shift": NewShift,
    "replan": Replan,
}  # fmt: skip
VERSIONS: Final = "versions"  # of days changed by hand, below the run's folder
_FIELD: Final = "field"
_MOST_LEFT_OUT: Final = 40  # per representative: who may come in when the rest is planned again


@dataclass(frozen=True)
class DayOfRun:
    """A day of a run, before anybody changed it.

    Attributes
    ----------
    names
        Account -> what it is called.
    people
        Representative -> what they are called, and the number that gives them their colour.
    all_days
        The days with visits that the run plans.
    """

    field_day: FieldDay
    names: Mapping[str, str]
    people: Mapping[str, tuple[str, int]]
    all_days: tuple[date, ...]


def read_change(raw: Mapping[str, Any]) -> Change:
    """Return a change as it is sent and stored: its ``kind`` with the fields of that kind.

    Raises
    ------
    InputError
        There is no such kind, or it has other fields.
    """
    given = {name: value for name, value in raw.items() if name != "kind" and value is not None}
    kind = str(raw.get("kind"))
    if kind not in KINDS:
        raise UnknownNameError("kind of change", kind, list(KINDS))
    missing = [item.name for item in fields(KINDS[kind]) if item.name not in given and _is_needed(item)]
    if missing:
        raise InputError(f"a change of the kind {kind!r} needs {missing[0]}: say it")
    change: Change = convert(given, KINDS[kind], "change")
    return change


def _is_needed(item: Any) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def change_to_dict(change: Change) -> dict[str, Any]:
    """Return a change as it is stored."""
    kind = next(name for name, known in KINDS.items() if type(change) is known)
    return {"kind": kind, **json.loads(json.dumps(asdict(change)))}


def read_day(folder: Path, day: date, changes: Sequence[Change] = (), home: Path | None = None) -> DayOfRun:
    """Read what changing a day of a run takes.

    Parameters
    ----------
    changes
        Those that are to be made: the accounts they name are read as well.
    home
        Where answers of a road service are kept.

    Raises
    ------
    NotFoundError
        The run has no visits on this day, or was made by a version that did not keep what it takes.
    """
    path = folder / REQUEST_FILE
    if not path.is_file():
        raise NotFoundError(
            f"the run {folder.name} plans no visits, or is of a version that kept no {REQUEST_FILE}: "
            "ask for another night"
        )
    named = frozenset(change.account_id for change in changes if isinstance(change, Move))
    known = _read_day(folder, day, frozenset(), path.stat().st_mtime_ns, home)
    further = named - set(known.field_day.requests["account_id"])
    return _read_day(folder, day, further, path.stat().st_mtime_ns, home) if further else known


@lru_cache(maxsize=16)
def _read_day(folder: Path, day: date, further: frozenset[str], _stamp: int, home: Path | None) -> DayOfRun:
    request = read_request(folder, {}, params=folder / "params.toml")
    all_visits = pl.read_parquet(folder / "visits.parquet")
    visits = all_visits.filter(pl.col("day") == day)
    all_days = pl.read_parquet(folder / "rep_days.parquet")
    days = all_days.filter(pl.col("day") == day)
    if days.is_empty():
        planned = ", ".join(item.isoformat() for item in all_days["day"].unique().sort()) or "none"
        raise NotFoundError(f"the run plans no visits on {day.isoformat()}: its days are {planned}")
    elsewhere = dict(
        all_visits.filter(pl.col("day") != day, ~pl.col("account_id").is_in(visits["account_id"].implode()))
        .select("account_id", "day")
        .rows()
    )
    candidates = frozenset(
        pl.scan_parquet(folder / "left_out.parquet")
        .filter(pl.col("no_room") | (pl.col("limit") == WORTH))
        .sort("value_eur", descending=True)
        .group_by("rep_id")
        .head(_MOST_LEFT_OUT)
        .collect()["account_id"]
    )
    wanted = [*visits["account_id"], *candidates, *further]
    requests = pl.scan_parquet(folder / REQUEST_FILE).filter(pl.col("account_id").is_in(wanted)).collect()
    names = dict(
        pl.scan_parquet(folder / "accounts.parquet")
        .filter(pl.col("account_id").is_in(wanted))
        .select("account_id", pl.coalesce("account_name", "account_id"))
        .collect()
        .rows()
    )
    people = pl.read_parquet(folder / "people.parquet").filter(pl.col("role") == _FIELD)
    reps = tuple(Rep(**row) for row in pl.read_parquet(folder / REP_FILE).to_dicts())
    travel = road_service(_at_home(request, home)) or EstimatedTravel(request.params.route.travel)
    return DayOfRun(
        FieldDay(day, requests, reps, visits, days, request.params.route, travel, candidates, elsewhere),
        names,
        {rep_id: (name, number) for rep_id, name, number in people.select("rep_id", "name", "number").rows()},
        tuple(all_days["day"].unique().sort()),
    )


def _at_home(request: Any, home: Path | None) -> Any:
    return request if home is None else replace(request, home=home)


@dataclass(frozen=True)
class Version:
    """A changed day that was published.

    Attributes
    ----------
    tasks
        All tasks of the run, those of the day as changed.
    number
        Counted from 1 within the run.
    """

    tasks: DayTasks
    number: int


def write_version(folder: Path, day: DayOfRun, changes: Sequence[Change], changed: ChangedDay) -> Version:
    """Write a changed day beside the plan, as the next version of the run: its visits, days and tasks.

    The plan's own tables stay as they are. Versions of other days of the run go on to count.
    """
    root = folder / VERSIONS
    root.mkdir(exist_ok=True)
    number = 1 + max((int(path.name) for path in root.iterdir() if path.name.isdigit()), default=0)
    before = read_tasks(folder if number == 1 else root / str(number - 1))
    tasks = _tasks(before, day, changed)
    partial = root / f".{number}.{os.getpid()}.partial"
    partial.mkdir()
    changed.visits.write_parquet(partial / "visits.parquet")
    changed.days.write_parquet(partial / "rep_days.parquet")
    changed.unplaced.write_parquet(partial / "unplaced.parquet")
    told = {"day": day.field_day.day.isoformat(), "changes": [change_to_dict(change) for change in changes]}
    (partial / "changes.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    write_tasks(tasks, partial)
    partial.rename(root / str(number))
    return Version(tasks, number)


def _tasks(before: DayTasks, day: DayOfRun, changed: ChangedDay) -> DayTasks:
    """Return the tasks of a run with the visits of a changed day."""
    on = day.field_day.day
    ours = (pl.col("channel") == _FIELD) & (pl.col("day") == on) & pl.col("start_at").is_not_null()
    former = before.frame.filter(ours).unique("account_id", keep="first")
    visits = changed.visits.select(
        "account_id", "day", "rep_id", "stop", "start_at", "window_start", "window_end", "value_eur",
        channel=pl.lit(_FIELD), end_at=pl.col("leave_at"),
    )  # fmt: skip
    kept = ("account_id", "action", "account_name", "cost_eur", "propensity", "reason", "brief", "card")
    new = visits.join(former.select(kept), on="account_id", how="left", maintain_order="left")
    called = pl.Series("called", [day.names.get(name) for name in new["account_id"]], dtype=pl.String)
    new = new.with_columns(
        action=pl.coalesce("action", pl.lit("visit")),
        account_name=pl.coalesce(pl.col("account_name"), called),
        reason=pl.when(pl.col("action").is_null()).then(pl.lit("added by hand")).otherwise("reason"),
    )
    frame = (
        pl.concat(
            [
                before.frame.filter(~ours.fill_null(value=False)),
                new.select(pl.col(name).cast(kind) for name, kind in DAY_TASK_COLUMNS.items()),
            ]
        )
        .unique(["day", "account_id", "channel"], keep="last", maintain_order=True)
        .sort("day", "rep_id", "start_at", "account_id", nulls_last=True)
    )
    content = (hash_frame(frame), before.run_id, before.as_of.isoformat())
    return DayTasks(
        hash_text("|".join(content)), before.as_of, before.time_zone, before.first_day, before.last_day, frame
    )


def change_day_of(day: DayOfRun, changes: Sequence[Change]) -> ChangedDay:
    """Return a day of a run with changes made to it."""
    return change_day(day.field_day, changes)


def read_day_name(text: str) -> date:
    """Read a day of an address.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise InputError(f"{text!r} is no day: write it as 2026-01-31") from None
