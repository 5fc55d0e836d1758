"""A day of a run, changed: read from its folder, and what comes of the changes people made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import polars as pl

from dealwright.errors import InputError, NotFoundError, UnknownNameError
from dealwright.plan.params import PlanParams
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
from dealwright.plan.staffing.centre_day import CentreDay
from dealwright.plan.staffing.changes import (
    AgentAbsent,
    CallOverrun,
    CentreChange,
    CentreReplan,
    ChangedCentre,
    LeaveOutCall,
    MoveCall,
    MoveShift,
    PinCall,
    change_centre,
)
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.travel import EstimatedTravel
from dealwright.runs.day_file import CENTRE_FILES, REP_FILE, REQUEST_FILE
from dealwright.runs.inputs import road_service
from dealwright.runs.request import read_request
from dealwright.schemas import CENTRE_CHANNELS
from dealwright.toml import convert

KINDS: Final[Mapping[str, type[Any]]] = {
    "move": Move, "leave_out": LeaveOut, "pin": Pin, "absent": Absent, "overrun": Overrun, "shift": NewShift,
    "replan": Replan, "centre_shift": MoveShift, "move_call": MoveCall, "pin_call": PinCall,
    "leave_out_call": LeaveOutCall, "centre_absent": AgentAbsent, "call_overrun": CallOverrun,
    "centre_replan": CentreReplan,
}  # fmt: skip
CENTRE_KINDS: Final = (
    MoveShift, MoveCall, PinCall, LeaveOutCall, AgentAbsent, CallOverrun, CentreReplan,
)  # fmt: skip
REPLANS: Final = (Replan, CentreReplan)
DayChange: TypeAlias = Change | CentreChange
_FIELD: Final = "field"
_MOST_LEFT_OUT: Final = 40  # per representative: who may come in when the rest is planned again


@dataclass(frozen=True, eq=False)
class DayOfRun:
    """A day of a run, before anybody changed it; the same only as itself, so that what comes of it is kept.

    Attributes
    ----------
    names
        Account -> what it is called.
    people
        Representative -> what they are called, and the number that gives them their colour.
    all_days
        The days with visits that the run plans.
    currency
        Of its figures, which need not be the desk's.
    centre
        The contact centre's day; None where nobody works there, or the run is of a version that did not keep
        what changing it takes.
    """

    field_day: FieldDay
    names: Mapping[str, str]
    people: Mapping[str, tuple[str, int]]
    all_days: tuple[date, ...]
    currency: str
    centre: CentreDay | None = None


def read_change(raw: Mapping[str, Any]) -> DayChange:
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
    change: DayChange = convert(given, KINDS[kind], "change")
    return change


def _is_needed(item: Any) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def change_to_dict(change: DayChange) -> dict[str, Any]:
    """Return a change as it is stored."""
    kind = next(name for name, known in KINDS.items() if type(change) is known)
    return {"kind": kind, **json.loads(json.dumps(asdict(change)))}


def read_day(
    folder: Path, day: date, changes: Sequence[DayChange] = (), home: Path | None = None
) -> DayOfRun:
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
    centre = _read_centre(folder, day, request.params)
    requests = pl.scan_parquet(folder / REQUEST_FILE).filter(pl.col("account_id").is_in(wanted)).collect()
    named = [*wanted, *(() if centre is None else centre.may_call)]
    names = dict(
        pl.scan_parquet(folder / "accounts.parquet")
        .filter(pl.col("account_id").is_in(named))
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
        request.params.report.currency,
        centre,
    )


def open_hours(day: date, params: ScheduleParams) -> tuple[datetime, datetime]:
    """Return when the contact centre opens and closes; one that is open past midnight closes the next day."""
    midnight = datetime.combine(day, time())
    opens, closes = (midnight + timedelta(minutes=m) for m in (params.opens_min, params.ends_min))
    return opens, closes


def _read_centre(folder: Path, day: date, params: PlanParams) -> CentreDay | None:
    if not all((folder / name).is_file() for name in CENTRE_FILES):
        return None
    shifts = pl.read_parquet(folder / "shifts.parquet")
    on = pl.col("day") == day
    if shifts.filter(on).is_empty():
        return None
    work, windows, staff = (pl.read_parquet(folder / name) for name in CENTRE_FILES)
    levels = pl.read_parquet(folder / "service_levels.parquet").filter(on)
    before = windows.filter(pl.col("day") < day, pl.col("from_min").list.len() > 0)
    is_first = day == shifts["day"].min()
    calls = pl.read_parquet(folder / "calls.parquet")
    calls = calls.filter(pl.col("start_at").is_between(*open_hours(day, params.schedule), closed="left"))
    return CentreDay(
        day, shifts.filter(on), calls, levels, work.filter(on), windows.filter(on), params.schedule,
        params.action.catalogue.time_zone, pl.read_parquet(folder / "calls_unplaced.parquet"),
        shifts.filter(~on), None if staff.is_empty() else staff, _own(folder) if is_first else {},
        frozenset(before["account_id"]),
    )  # fmt: skip


def _own(folder: Path) -> dict[str, float]:
    """Return how many contacts the plan itself makes on each channel, as the contact centre was staffed."""
    counts = pl.scan_parquet(folder / "accounts.parquet").group_by("channel").len().collect()
    return {channel: float(number) for channel, number in counts.rows() if channel in CENTRE_CHANNELS}


def _at_home(request: Any, home: Path | None) -> Any:
    return request if home is None else replace(request, home=home)


@dataclass(frozen=True, eq=False)
class DayAsChanged:
    """A day of a run with changes made to it; what is drawn of it is kept with it.

    Attributes
    ----------
    of_run
        As it was planned.
    changes
        Those that were made.
    changed
        What comes of them in the field.
    centre
        What comes of them in the contact centre; None where nothing is known of its day.
    """

    of_run: DayOfRun
    changes: tuple[DayChange, ...]
    changed: ChangedDay
    centre: ChangedCentre | None


def change_run_day(
    folder: Path, day: date, changes: Sequence[DayChange], home: Path | None = None
) -> DayAsChanged:
    """Return a day of a run with changes made to it; the last ones that were asked for are kept.

    Raises
    ------
    RefusedChangeError
        A limit does not allow a change.
    NotFoundError
        The run has no visits on this day, or a change is of the contact centre, and nothing is known of its
        day.
    """
    of_run = read_day(folder, day, changes, home)
    made = json.dumps([change_to_dict(change) for change in changes])
    return _change(of_run, made)


@lru_cache(maxsize=32)
def _change(of_run: DayOfRun, made: str) -> DayAsChanged:
    changes = tuple(read_change(raw) for raw in json.loads(made))
    inside: list[CentreChange] = [change for change in changes if isinstance(change, CENTRE_KINDS)]
    outside: list[Change] = [change for change in changes if not isinstance(change, CENTRE_KINDS)]
    if inside and of_run.centre is None:
        raise NotFoundError(
            "nobody works in the contact centre on this day, or the run is of a version that kept no "
            f"{CENTRE_FILES[0]}: ask for another night"
        )
    centre = None if of_run.centre is None else change_centre(of_run.centre, inside)
    return DayAsChanged(of_run, changes, change_day(of_run.field_day, outside), centre)


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
