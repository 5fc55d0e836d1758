"""A day of the contact centre changed by hand: whether a moved shift or call is allowed, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl

from dealwright.errors import NotFoundError, RefusedChangeError
from dealwright.notebook import Summarised
from dealwright.plan.staffing.activities import IDLE
from dealwright.plan.staffing.call_list import CALLING
from dealwright.plan.staffing.calls import cut_slots
from dealwright.plan.staffing.centre_day import CentreDay, PlacedCall
from dealwright.plan.staffing.clock import on_clock_of
from dealwright.plan.staffing.demand import Floats, Ints
from dealwright.plan.staffing.levels import steady_levels
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.reshaping import BREAKS, clock, reshape
from dealwright.plan.staffing.workforce import CHANNELS
from dealwright.schemas import CALL_COLUMNS, SERVICE_LEVEL_COLUMNS, SHIFT_COLUMNS, UNPLACED_CALL_COLUMNS

LEFT_OUT: Final = "left out"
NO_CALL: Final = "no call"
PINNED: Final = "pinned call"
CALLING_HOURS: Final = "calling hours"
OFF_WORK: Final = "shift"
SKILLS: Final = "skills"
BUSY: Final = "another call"
AGENT_HOURS: Final = "hours of agents"
_CALLING: Final = CHANNELS.index(CALLING)
_STEP_MIN: Final = 5  # between the moments that are tried for a call that has to move


@dataclass(frozen=True)
class MoveShift:
    """A shift of the contact centre is at other times."""

    rep_id: str
    start_min: int
    end_min: int


@dataclass(frozen=True)
class MoveCall:
    """A call is made by somebody else, or at another moment; of an account without one, it is added."""

    account_id: str
    rep_id: str
    begin_min: int


@dataclass(frozen=True)
class PinCall:
    """A call stays with its agent and at its moment when shifts are moved."""

    account_id: str


@dataclass(frozen=True)
class LeaveOutCall:
    """A call is not made."""

    account_id: str


CentreChange: TypeAlias = MoveShift | MoveCall | PinCall | LeaveOutCall


@dataclass(frozen=True)
class CentreFigures:
    """What a day of the contact centre costs and keeps.

    Attributes
    ----------
    cost_eur
        Of paid time.
    short_min
        Minutes of staff missing: of a queue in every interval, of work that may wait what is left over.
    service_level
        Share of a queue's contacts answered in time, by Erlang's formulas; None where nobody waits on a line.
    """

    paid_h: float
    cost_eur: float
    short_min: float
    service_level: float | None
    calls: int
    value_eur: float

    def minus(self, other: CentreFigures) -> CentreFigures:
        """Return the difference."""
        level = None
        if self.service_level is not None and other.service_level is not None:
            level = self.service_level - other.service_level
        return CentreFigures(
            self.paid_h - other.paid_h, self.cost_eur - other.cost_eur, self.short_min - other.short_min,
            level, self.calls - other.calls, self.value_eur - other.value_eur,
        )  # fmt: skip


@dataclass(frozen=True)
class CentreDraft:
    """A day under change: the shifts, who works on what, the calls, and those that are not made."""

    shifts: Mapping[str, Shift]
    activity: Mapping[str, Ints]
    calls: Mapping[str, PlacedCall]
    unplaced: Mapping[str, tuple[str, str]]
    pinned: frozenset[str] = frozenset()

    def call_of(self, account_id: str) -> PlacedCall:
        """Return who calls an account, and when.

        Raises
        ------
        RefusedChangeError
            Nobody does.
        """
        if account_id not in self.calls:
            raise RefusedChangeError(NO_CALL, f"nobody calls {account_id} on this day: add the call first")
        return self.calls[account_id]

    def scheduled(self, params_intervals: int) -> Ints:
        """Return the people at work by channel and interval."""
        rows = list(self.activity.values())
        table = np.stack(rows) if rows else np.full((0, params_intervals), IDLE)
        return np.stack([(table == c).sum(axis=0) for c in range(len(CHANNELS))])


@dataclass(frozen=True)
class ChangedCentre(Summarised):
    """Result of `change_centre`.

    Attributes
    ----------
    shifts, calls, levels
        `SHIFT_COLUMNS`, `CALL_COLUMNS` and `SERVICE_LEVEL_COLUMNS` of the day; nothing is simulated.
    unplaced
        `UNPLACED_CALL_COLUMNS`: calls that are not made.
    pinned
        Accounts whose call stays where it is when a shift is moved.
    touched
        People whose shift or calls differ from the plan.
    """

    shifts: pl.DataFrame
    calls: pl.DataFrame
    levels: pl.DataFrame
    unplaced: pl.DataFrame
    pinned: frozenset[str]
    touched: frozenset[str]
    figures: CentreFigures
    planned: CentreFigures
    draft: CentreDraft

    @property
    def difference(self) -> CentreFigures:
        """What the changes bring and take."""
        return self.figures.minus(self.planned)

    def summary(self) -> Mapping[str, Any]:
        """Return the key figures, and how they differ from the plan's."""
        return {**vars(self.figures), **{f"{name}_more": x for name, x in vars(self.difference).items()}}

    def to_frame(self) -> pl.DataFrame:
        """Return `shifts`."""
        return self.shifts


def change_centre(day: CentreDay, changes: Sequence[CentreChange]) -> ChangedCentre:
    """Change a day as planned, one change after the other, each checked on what those before it left.

    A person whose shift is moved goes on with what they did, and does in the time that is new what of their
    skills lacks people most. Calls that no longer have their agent go to the nearest free moment at which
    the account may be called, with the same agent before others; what finds none is not made, and named.

    Raises
    ------
    RefusedChangeError
        A limit does not allow a change.
    NotFoundError
        An account is not on the call list, or nobody of this id is at work.
    """
    planned = _as_planned(day)
    draft = planned
    for change in changes:
        draft = _STEPS[type(change)](day, draft, change)
    touched = frozenset(
        rep_id
        for rep_id in draft.shifts
        if draft.shifts[rep_id] != planned.shifts[rep_id]
        or (draft.activity[rep_id] != planned.activity[rep_id]).any()
        or _calls_of(draft, rep_id) != _calls_of(planned, rep_id)
    )
    return ChangedCentre(
        _shift_frame(day, draft, touched), _call_frame(day, draft), _level_frame(day, draft),
        _unplaced_frame(day, draft), draft.pinned, touched, _figures(day, draft), _figures(day, planned),
        draft,
    )  # fmt: skip


def _as_planned(day: CentreDay) -> CentreDraft:
    unplaced = {
        account: (limit, reason)
        for account, limit, reason in day.unplaced.select("account_id", "limit", "reason").rows()
    }
    return CentreDraft(day.planned_shifts, day.planned_activity, day.planned_calls, unplaced)


def _calls_of(draft: CentreDraft, rep_id: str) -> list[tuple[int, str]]:
    return sorted((call.begin_min, name) for name, call in draft.calls.items() if call.rep_id == rep_id)


# shifts


def _move_shift(day: CentreDay, draft: CentreDraft, change: MoveShift) -> CentreDraft:
    rep_id = change.rep_id
    day.person(rep_id)
    shift = reshape(day, rep_id, change.start_min, change.end_min, draft.shifts[rep_id])
    now = replace(
        draft,
        shifts={**draft.shifts, rep_id: shift},
        activity={**draft.activity, rep_id: _new_activity(day, draft, rep_id, shift)},
    )
    return _settle_calls(day, now, rep_id)


def _new_activity(day: CentreDay, draft: CentreDraft, rep_id: str, shift: Shift) -> Ints:
    """Return what somebody does in each interval of a shift that is new to them."""
    before, on = draft.activity[rep_id], shift.works(day.params)
    skills = [c for c, name in enumerate(CHANNELS) if name in day.person(rep_id).channels]
    others = replace(draft, activity={name: row for name, row in draft.activity.items() if name != rep_id})
    lack = day.required - others.scheduled(day.params.intervals)
    done = [int((before == c).sum()) for c in skills]
    usual = skills[int(np.argmax(done))]
    found = np.where(on & (before != IDLE), before, IDLE)
    for t in np.flatnonzero(on & (before == IDLE)):
        most = max(skills, key=lambda c: (lack[c, t], c == usual))
        found[t] = most if lack[most, t] > 0 else usual
    return np.asarray(found)


# calls


def _settle_calls(day: CentreDay, draft: CentreDraft, rep_id: str) -> CentreDraft:
    """Give calls that no longer have their agent another moment, the most important first."""
    lost = [
        (name, call)
        for name, call in draft.calls.items()
        if call.rep_id == rep_id and not _is_on_calls(day, draft, call)
    ]
    for name, call in lost:
        if name in draft.pinned:
            raise RefusedChangeError(
                PINNED, f"the call of {name} at {clock(call.begin_min)} is pinned: {rep_id} has to be there"
            )
    kept = {name: call for name, call in draft.calls.items() if (name, call) not in lost}
    unplaced = dict(draft.unplaced)
    slots = _slots(day, draft)
    for name, call in sorted(lost, key=lambda item: (day.priority.get(item[0], 0), item[0])):
        now = replace(draft, calls=kept)
        place = _nearest_place(day, now, name, call) if len(kept) < slots else None
        if place is None:
            unplaced[name] = (AGENT_HOURS, "no agent has a free moment at which the account may be called")
        else:
            kept = {**kept, name: place}
    return replace(draft, calls=kept, unplaced=unplaced)


def _is_on_calls(day: CentreDay, draft: CentreDraft, call: PlacedCall) -> bool:
    t = day.interval(call.begin_min)
    return 0 <= t < day.params.intervals and int(draft.activity[call.rep_id][t]) == _CALLING


def _slots(day: CentreDay, draft: CentreDraft) -> int:
    """Return how many calls the people on calls can make, with the rests that their work demands."""
    work = day.params.work_of(CALLING)
    rows = [row == _CALLING for row in draft.activity.values()]
    if not rows:
        return 0
    return int(cut_slots([np.stack(rows)], work.handle_min / work.pace, work.handle_min, day.params).day.size)


def _nearest_place(day: CentreDay, draft: CentreDraft, account: str, call: PlacedCall) -> PlacedCall | None:
    """Return the free moment nearest to that of a call, with its own agent if they have one."""
    length = day.params.work_of(CALLING).handle_min
    best: tuple[bool, float, str, int] | None = None
    for rep_id, activity in draft.activity.items():
        if not (activity == _CALLING).any():
            continue
        taken = np.array([begin for begin, _ in _calls_of(draft, rep_id)], dtype=np.int64)
        for first, last in day.may_call.get(account, ()):
            for begin in range(-(-first // _STEP_MIN) * _STEP_MIN, last, _STEP_MIN):
                key = rep_id != call.rep_id, abs(begin - call.begin_min), rep_id, begin
                if best is not None and key >= best:
                    continue
                if (np.abs(taken - begin) < length).any() or not _works(day, activity, begin, on_calls=True):
                    continue
                best = key
    return None if best is None else PlacedCall(best[2], best[3])


def _works(day: CentreDay, activity: Ints, begin_min: int, *, on_calls: bool = False) -> bool:
    """Tell whether somebody is at work, or on calls, for as long as a call takes."""
    length = day.params.work_of(CALLING).handle_min
    first, last = day.interval(begin_min), day.interval(int(np.ceil(begin_min + length)) - 1)
    if first < 0 or last >= day.params.intervals:
        return False
    during = activity[first : last + 1]
    return bool((during == _CALLING).all() if on_calls else (during != IDLE).all())


def _move_call(day: CentreDay, draft: CentreDraft, change: MoveCall) -> CentreDraft:
    account, rep_id, begin = change.account_id, change.rep_id, change.begin_min
    _require_callable(day, draft, change)
    activity = draft.activity[rep_id].copy()
    length = day.params.work_of(CALLING).handle_min
    # who does something else lays it aside for the call
    activity[day.interval(begin) : day.interval(int(np.ceil(begin + length)) - 1) + 1] = _CALLING
    now = replace(
        draft,
        activity={**draft.activity, rep_id: activity},
        calls={**draft.calls, account: PlacedCall(rep_id, begin)},
        unplaced={name: why for name, why in draft.unplaced.items() if name != account},
        pinned=draft.pinned | {account},
    )
    slots = _slots(day, now)
    if account not in draft.calls and len(now.calls) > slots:
        raise RefusedChangeError(
            AGENT_HOURS, f"the agents on calls can make {slots} calls, and this would be one more"
        )
    return now


def _require_callable(day: CentreDay, draft: CentreDraft, change: MoveCall) -> None:
    account, rep_id, begin = change.account_id, change.rep_id, change.begin_min
    person = day.person(rep_id)
    if account not in day.may_call:
        raise NotFoundError(f"{account!r} is not on the call list of this run: name an account that is")
    spans = day.may_call[account]
    if not any(first <= begin < last for first, last in spans):
        hours = ", ".join(f"{clock(first)}–{clock(last)}" for first, last in spans) or "at no time"
        what = "was promised a call" if account in day.promised else "may be called"
        raise RefusedChangeError(CALLING_HOURS, f"{account} {what} {hours}, not at {clock(begin)}")
    if CALLING not in person.channels:
        raise RefusedChangeError(SKILLS, f"{rep_id} makes no calls")
    shift = draft.shifts[rep_id]
    length = day.params.work_of(CALLING).handle_min
    if begin < shift.start_min or begin + length > shift.end_min:
        raise RefusedChangeError(
            OFF_WORK,
            f"the shift of {rep_id} is from {clock(shift.start_min)} to {clock(shift.end_min)}: a call at "
            f"{clock(begin)} is outside it",
        )
    if not _works(day, draft.activity[rep_id], begin):
        raise RefusedChangeError(BREAKS, f"{rep_id} has a break within a call at {clock(begin)}")
    for at, name in _calls_of(draft, rep_id):
        if name != account and abs(at - begin) < length:
            raise RefusedChangeError(BUSY, f"{rep_id} calls {name} at {clock(at)}")


def _pin_call(_day: CentreDay, draft: CentreDraft, change: PinCall) -> CentreDraft:
    draft.call_of(change.account_id)
    return replace(draft, pinned=draft.pinned | {change.account_id})


def _leave_out(_day: CentreDay, draft: CentreDraft, change: LeaveOutCall) -> CentreDraft:
    draft.call_of(change.account_id)
    return replace(
        draft,
        calls={name: call for name, call in draft.calls.items() if name != change.account_id},
        unplaced={**draft.unplaced, change.account_id: (LEFT_OUT, "somebody decided so")},
        pinned=draft.pinned - {change.account_id},
    )


# what comes of it


def _figures(day: CentreDay, draft: CentreDraft) -> CentreFigures:
    params, scheduled = day.params, draft.scheduled(day.params.intervals)
    short = in_time = came = 0.0
    between = _between(day, scheduled)
    for c, channel in enumerate(CHANNELS):
        work, contacts = params.work_of(channel), day.contacts[c]
        if work.kind == "queue":
            short += float(np.maximum(day.required[c] - scheduled[c], 0).sum()) * params.interval_min
            levels = steady_levels(contacts, scheduled[c], work, params)[2]
            in_time += float((contacts * levels).sum())
            came += float(contacts.sum())
        else:
            # nobody is missing for a customer who cannot be called at all
            closed = sum(limit == CALLING_HOURS for limit, _ in draft.unplaced.values()) * (c == _CALLING)
            asked = max(float(contacts.sum()) - closed, 0.0) * work.handle_min / work.pace
            short += max(asked - float((scheduled[c] + between[c]).sum()) * params.interval_min, 0.0)
    paid_h = sum(shift.paid_min for shift in draft.shifts.values()) / 60.0
    return CentreFigures(
        paid_h, paid_h * params.cost_eur_per_h, short, in_time / came if came > 0 else None, len(draft.calls),
        sum(day.value_eur.get(account, 0.0) for account in draft.calls),
    )  # fmt: skip


def _between(day: CentreDay, scheduled: Ints) -> Floats:
    """Return what is done between the contacts of queues: as planned, less where fewer are on the line."""
    queues = [c for c, name in enumerate(CHANNELS) if day.params.work_of(name).kind == "queue"]
    planned = _as_planned(day).scheduled(day.params.intervals)[queues].sum(axis=0)
    share = np.divide(
        scheduled[queues].sum(axis=0), planned, out=np.ones(day.params.intervals), where=planned > 0
    )
    return np.asarray(day.planned_between * np.minimum(share, 1.0))


def _at(day: CentreDay, minute: float) -> datetime:
    return datetime.combine(day.day, time()) + timedelta(minutes=minute)


def _shift_frame(day: CentreDay, draft: CentreDraft, touched: frozenset[str]) -> pl.DataFrame:
    rows = []
    for row in day.shifts.filter(pl.col("rep_id").is_in(list(touched))).iter_rows(named=True):
        shift, activity = draft.shifts[row["rep_id"]], draft.activity[row["rep_id"]]
        lunch = [None, None] if shift.lunch is None else [_at(day, minute) for minute in shift.lunch]
        length = shift.breaks[0][1] - shift.breaks[0][0] if shift.breaks else 0
        rows.append((
            row["rep_id"], row["rep_name"], day.day, shift.pattern, _at(day, shift.start_min),
            _at(day, shift.end_min), *lunch, [_at(day, begin) for begin, _ in shift.breaks], length,
            shift.paid_min, [name for c, name in enumerate(CHANNELS) if (activity == c).any()],
        ))  # fmt: skip
    changed = pl.DataFrame(rows, schema=SHIFT_COLUMNS, orient="row")
    return pl.concat([day.shifts.filter(~pl.col("rep_id").is_in(list(touched))), changed]).sort(
        "start_at", "rep_id"
    )


def _call_frame(day: CentreDay, draft: CentreDraft) -> pl.DataFrame:
    """Return `CALL_COLUMNS`; a call that was not moved is as it was planned."""
    same = [name for name, call in draft.calls.items() if day.planned_calls.get(name) == call]
    length = timedelta(minutes=day.params.work_of(CALLING).handle_min)
    rows = []
    for name, call in draft.calls.items():
        if name in same:
            continue
        start = _at(day, call.begin_min)
        local = on_clock_of(start, day.time_zone, day.zone_of.get(name, day.time_zone))
        rows.append((
            call.rep_id, name, CALLING, start, start + length, local, day.priority.get(name, 0),
            day.value_eur.get(name), name in day.promised,
        ))  # fmt: skip
    moved = pl.DataFrame(rows, schema=CALL_COLUMNS, orient="row")
    return pl.concat([day.calls.filter(pl.col("account_id").is_in(same)), moved]).sort("start_at", "rep_id")


def _unplaced_frame(day: CentreDay, draft: CentreDraft) -> pl.DataFrame:
    rows = [
        (name, CALLING, day.value_eur.get(name), name in day.promised, *why)
        for name, why in draft.unplaced.items()
    ]
    return pl.DataFrame(rows, schema=UNPLACED_CALL_COLUMNS, orient="row")


def _level_frame(day: CentreDay, draft: CentreDraft) -> pl.DataFrame:
    params, scheduled = day.params, draft.scheduled(day.params.intervals)
    moments = [_at(day, params.opens_min + t * params.interval_min) for t in range(params.intervals)]
    frames = []
    for c, channel in enumerate(CHANNELS):
        work, contacts = params.work_of(channel), day.contacts[c]
        if not contacts.any() and not scheduled[c].any():
            continue
        available, busy, levels = steady_levels(contacts, scheduled[c], work, params)
        nobody = [None] * params.intervals
        frames.append(
            pl.DataFrame(
                {
                    "day": [day.day] * params.intervals, "channel": [channel] * params.intervals,
                    "start_at": moments, "contacts": contacts,
                    "required": day.required[c].astype(np.int64) if work.kind == "queue" else nobody,
                    "scheduled": scheduled[c], "available": available, "occupancy": busy,
                    "service_level": levels, "simulated_service_level": nobody,
                },
                schema=SERVICE_LEVEL_COLUMNS,
            ).with_columns(pl.col(pl.Float64).fill_nan(None))
        )  # fmt: skip
    return pl.concat(frames) if frames else pl.DataFrame(schema=SERVICE_LEVEL_COLUMNS)


_STEPS: Final[Mapping[type[Any], Callable[[CentreDay, CentreDraft, Any], CentreDraft]]] = {
    MoveShift: _move_shift, MoveCall: _move_call, PinCall: _pin_call, LeaveOutCall: _leave_out,
}  # fmt: skip
