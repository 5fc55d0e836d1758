"""A day of the contact centre changed by hand: whether a moved shift or call is allowed, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl

from dealwright.errors import InputError, NotFoundError, RefusedChangeError
from dealwright.notebook import Summarised
from dealwright.plan.staffing.activities import IDLE
from dealwright.plan.staffing.call_list import CALLING
from dealwright.plan.staffing.calls import cut_slots
from dealwright.plan.staffing.centre_day import CentreDay, PlacedCall
from dealwright.plan.staffing.centre_draft import LEFT_OUT, CentreDraft, draft_as_planned, people_on_queues
from dealwright.plan.staffing.centre_outcome import (
    CentreFigures,
    call_frame,
    figures_of_centre,
    level_frame,
    shift_frame,
    unplaced_frame,
)
from dealwright.plan.staffing.demand import Ints
from dealwright.plan.staffing.params import DAY_MIN
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.reshaping import BREAKS, clock, reshape
from dealwright.plan.staffing.workforce import CHANNELS

PINNED: Final = "pinned call"
CALLING_HOURS: Final = "calling hours"
OFF_WORK: Final = "shift"
SKILLS: Final = "skills"
BUSY: Final = "another call"
AGENT_HOURS: Final = "hours of agents"
ABSENCE: Final = "absence"
_CALLING: Final = CHANNELS.index(CALLING)
_STEP_MIN: Final = 5  # between the moments that are tried for a call that has to move
_OFF: Final = "-"  # in the activity of a replan: not at work
NO_PLACE: Final = "no agent has a free moment at which the account may be called"


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


@dataclass(frozen=True)
class AgentAbsent:
    """Somebody is not in the contact centre from a moment on, such as who is ill; the shift is paid."""

    rep_id: str
    from_min: int = 0


@dataclass(frozen=True)
class CallOverrun:
    """A call takes longer than planned."""

    account_id: str
    extra_min: int


@dataclass(frozen=True)
class CentreReplan:
    """The rest of the day was planned again: what differs from the day before that.

    Attributes
    ----------
    shifts
        Person -> a shift at other times.
    activity
        Person -> for each interval the place of their channel in `CHANNELS`, a dash where they do not work.
    between
        Channel -> people's worth of work done between the contacts of queues, by interval.
    calls
        Account -> its call, where it is a new one, or made at another moment or by somebody else.
    dropped
        Accounts that are called no more.
    """

    shifts: Mapping[str, Shift] = field(default_factory=dict)
    activity: Mapping[str, str] = field(default_factory=dict)
    between: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    calls: Mapping[str, PlacedCall] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


CentreChange: TypeAlias = (
    MoveShift | MoveCall | PinCall | LeaveOutCall | AgentAbsent | CallOverrun | CentreReplan
)


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
    moved, lost
        Accounts that are called at another moment or by somebody else than planned, and those that were to
        be called and are not.
    """

    shifts: pl.DataFrame
    calls: pl.DataFrame
    levels: pl.DataFrame
    unplaced: pl.DataFrame
    pinned: frozenset[str]
    touched: frozenset[str]
    moved: frozenset[str]
    lost: frozenset[str]
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
    planned = draft_as_planned(day)
    draft = planned
    for change in changes:
        draft = _STEPS[type(change)](day, draft, change)
    touched = frozenset(
        rep_id
        for rep_id in draft.shifts
        if draft.shifts[rep_id] != planned.shifts[rep_id]
        or (draft.activity[rep_id] != planned.activity[rep_id]).any()
        or draft.calls_of(rep_id) != planned.calls_of(rep_id)
    ) | {draft.calls[account].rep_id for account in draft.extra_min if account in draft.calls}
    return ChangedCentre(
        shift_frame(day, draft, touched),
        call_frame(day, draft),
        level_frame(day, draft),
        unplaced_frame(day, draft),
        draft.pinned,
        touched,
        frozenset(name for name, call in draft.calls.items() if planned.calls.get(name, call) != call),
        frozenset(planned.calls.keys() - draft.calls.keys()),
        figures_of_centre(day, draft),
        figures_of_centre(day, planned),
        draft,
    )


# shifts


def _move_shift(day: CentreDay, draft: CentreDraft, change: MoveShift) -> CentreDraft:
    rep_id = change.rep_id
    day.person(rep_id)
    if rep_id in draft.absent:
        raise RefusedChangeError(ABSENCE, f"{rep_id} is absent from {clock(draft.absent[rep_id])}")
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
    lack = day.required - others.scheduled(day.params)
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
            unplaced[name] = (AGENT_HOURS, NO_PLACE)
        else:
            kept = {**kept, name: place}
    return replace(draft, calls=kept, unplaced=unplaced)


def _is_on_calls(day: CentreDay, draft: CentreDraft, call: PlacedCall) -> bool:
    t = day.interval(call.begin_min)
    return 0 <= t < day.params.intervals and int(draft.activity[call.rep_id][t]) == _CALLING


def _slots(day: CentreDay, draft: CentreDraft) -> int:
    """Return how many calls the people on calls can make, with the rests that their work demands."""
    work = day.params.work_of(CALLING)
    longer = sum(draft.extra_min.values()) * work.pace / work.handle_min
    rows = [row == _CALLING for row in draft.activity.values()]
    if not rows:
        return 0
    slots = cut_slots([np.stack(rows)], work.handle_min / work.pace, work.handle_min, day.params)
    return max(slots.day.size - int(np.ceil(longer)), 0)


def _nearest_place(day: CentreDay, draft: CentreDraft, account: str, call: PlacedCall) -> PlacedCall | None:
    """Return the free moment nearest to that of a call, with its own agent if they have one."""
    length = day.params.work_of(CALLING).handle_min
    best: tuple[bool, float, str, int] | None = None
    for rep_id, activity in draft.activity.items():
        if not (activity == _CALLING).any():
            continue
        taken = [(begin, draft.ends_min(name, day.params)) for begin, name in draft.calls_of(rep_id)]
        for first, last in day.may_call.get(account, ()):
            for begin in range(-(-first // _STEP_MIN) * _STEP_MIN, last, _STEP_MIN):
                key = rep_id != call.rep_id, abs(begin - call.begin_min), rep_id, begin
                if best is not None and key >= best:
                    continue
                clash = any(at < begin + length and begin < ends for at, ends in taken)
                if clash or not _works(day, activity, begin, on_calls=True):
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
    gone = draft.absent.get(rep_id)
    if gone is not None and begin + length > gone:
        raise RefusedChangeError(ABSENCE, f"{rep_id} is absent from {clock(gone)}")
    if begin < shift.start_min or begin + length > shift.end_min:
        raise RefusedChangeError(
            OFF_WORK,
            f"the shift of {rep_id} is from {clock(shift.start_min)} to {clock(shift.end_min)}: a call at "
            f"{clock(begin)} is outside it",
        )
    if not _works(day, draft.activity[rep_id], begin):
        raise RefusedChangeError(BREAKS, f"{rep_id} has a break within a call at {clock(begin)}")
    for at, name in draft.calls_of(rep_id):
        if name != account and at < begin + length and begin < draft.ends_min(name, day.params):
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


# what simply is the case: it is not refused, and the calls that no longer fit fall out


def _absent(day: CentreDay, draft: CentreDraft, change: AgentAbsent) -> CentreDraft:
    rep_id, gone = change.rep_id, change.from_min
    day.person(rep_id)
    activity = draft.activity[rep_id].copy()
    activity[max(day.interval(gone), 0) :] = IDLE
    lost = [name for begin, name in draft.calls_of(rep_id) if begin >= gone]
    now = _without(draft, lost, (ABSENCE, f"{rep_id} is absent from {clock(gone)}"))
    return replace(now, activity={**draft.activity, rep_id: activity}, absent={**draft.absent, rep_id: gone})


def _overrun(day: CentreDay, draft: CentreDraft, change: CallOverrun) -> CentreDraft:
    account = change.account_id
    if not 0 < change.extra_min <= DAY_MIN:
        raise InputError(
            f"extra_min = {change.extra_min}: say by how many minutes (1 to {DAY_MIN}) it is longer"
        )
    call = draft.call_of(account)
    extra = draft.extra_min.get(account, 0) + change.extra_min
    now = replace(draft, extra_min={**draft.extra_min, account: extra}, pinned=draft.pinned | {account})
    ends = now.ends_min(account, day.params)
    lost = [name for at, name in now.calls_of(call.rep_id) if call.begin_min < at < ends]
    until = clock(int(np.ceil(ends)))
    return _without(now, lost, (BUSY, f"{call.rep_id} calls {account} until {until}"))


def _without(draft: CentreDraft, accounts: Sequence[str], why: tuple[str, str]) -> CentreDraft:
    return replace(
        draft,
        calls={name: call for name, call in draft.calls.items() if name not in accounts},
        unplaced={**draft.unplaced, **dict.fromkeys(accounts, why)},
        pinned=draft.pinned.difference(accounts),
        extra_min={name: longer for name, longer in draft.extra_min.items() if name not in accounts},
    )


def _replan(day: CentreDay, draft: CentreDraft, change: CentreReplan) -> CentreDraft:
    for rep_id in (*change.shifts, *change.activity, *(call.rep_id for call in change.calls.values())):
        day.person(rep_id)
    rows = {rep_id: read_activity(text) for rep_id, text in change.activity.items()}
    between = np.zeros_like(draft.between)
    for channel, people in change.between.items():
        between[CHANNELS.index(channel)] = people
    lost = [name for name in change.dropped if name in draft.calls]
    now = _without(draft, lost, (AGENT_HOURS, NO_PLACE))
    calls = {**now.calls, **change.calls}
    now = replace(
        now,
        shifts={**draft.shifts, **change.shifts},
        activity={**draft.activity, **rows},
        calls=calls,
        unplaced={name: why for name, why in now.unplaced.items() if name not in calls},
        between=between,
    )
    for rep_id in now.shifts:
        _require_one_at_a_time(day, now, rep_id)
    on_queues = people_on_queues(now.scheduled(day.params), day.params)
    return replace(now, on_queues=on_queues)


def _require_one_at_a_time(day: CentreDay, draft: CentreDraft, rep_id: str) -> None:
    calls = draft.calls_of(rep_id)
    for (_, name), (begin, other) in pairwise(calls):
        if begin < draft.ends_min(name, day.params):
            raise RefusedChangeError(BUSY, f"{rep_id} calls {other} at {clock(begin)}")


def write_activity(row: Ints) -> str:
    """Return what somebody does in each interval as `CentreReplan.activity` has it."""
    return "".join(_OFF if channel == IDLE else str(channel) for channel in row.tolist())


def read_activity(text: str) -> Ints:
    """Return what `write_activity` wrote."""
    return np.array([IDLE if sign == _OFF else int(sign) for sign in text], dtype=np.int64)


_STEPS: Final[Mapping[type[Any], Callable[[CentreDay, CentreDraft, Any], CentreDraft]]] = {
    MoveShift: _move_shift, MoveCall: _move_call, PinCall: _pin_call, LeaveOutCall: _leave_out,
    AgentAbsent: _absent, CallOverrun: _overrun, CentreReplan: _replan,
}  # fmt: skip
