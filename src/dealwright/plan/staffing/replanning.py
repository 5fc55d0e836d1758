"""Plan the rest of a changed day of the contact centre again: what was done and what is pinned stands.

The parts of the stage itself, with what is left of the day: the shifts of those present (or those they may
work instead), the work that is still to be done, and the calls that are still to be made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.plan.staffing.activities import IDLE, assign_activities
from dealwright.plan.staffing.call_list import CALLING, honour_call_backs
from dealwright.plan.staffing.calls import Callees, Slots, cut_slots, place_calls, reserve_call_backs
from dealwright.plan.staffing.centre_day import CentreDay, PlacedCall
from dealwright.plan.staffing.centre_draft import CentreDraft
from dealwright.plan.staffing.changes import CentreReplan, ChangedCentre, write_activity
from dealwright.plan.staffing.clock import shifts_of_day
from dealwright.plan.staffing.demand import Bools, ChannelDemand, Ints
from dealwright.plan.staffing.missing import work_done
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.patterns import Shift, expand_patterns
from dealwright.plan.staffing.reshaping import may_work
from dealwright.plan.staffing.roster import Person, name_people
from dealwright.plan.staffing.shifts import Cover, Group, cover_demand
from dealwright.plan.staffing.workforce import CHANNELS, Workforce, on_queues
from dealwright.schemas import CALL_BACK_COLUMNS

_MOST_SECONDS: Final = 5.0  # for the shifts: somebody waits for the answer
_MOST_CHOOSING: Final = 40  # people whose shift may change at once: more make it slow
_Number = TypeVar("_Number", bound=np.generic)
_CALLING: Final = CHANNELS.index(CALLING)
_WEEK_H: Final = 7 * 24.0  # of the hours of a contract each shift has been checked before


@dataclass(frozen=True)
class _Rest:
    """What is left of a day."""

    day: CentreDay
    draft: CentreDraft
    first: int  # the interval from which the day is open to change
    people: tuple[str, ...]  # who is there from then on
    stands: Mapping[str, PlacedCall]  # calls that were begun, or are pinned
    free: tuple[str, ...]  # accounts that are still to be called, the most important first

    @property
    def params(self) -> ScheduleParams:
        """Return the parameters, with little time for the shifts."""
        return replace(self.day.params, max_seconds=min(self.day.params.max_seconds, _MOST_SECONDS))

    @property
    def first_min(self) -> int:
        """Return the minute from which the day is open to change."""
        return self.day.params.opens_min + self.first * self.day.params.interval_min

    def span(self, account: str) -> slice:
        """Return the intervals that a call which stands touches, from `first` on."""
        begin, end = self.stands[account].begin_min, self.draft.ends_min(account, self.day.params)
        last = self.day.interval(int(np.ceil(end)) - 1) + 1
        return slice(max(self.day.interval(begin), self.first), max(last, 0))


def plan_centre_rest(
    day: CentreDay, changed: ChangedCentre, *, from_min: int | None = None, shifts: bool = False
) -> CentreReplan:
    """Plan again who works on what, and the calls, for everybody who is there.

    Calls that are pinned stand with their agent at their moment.

    Parameters
    ----------
    from_min
        Work and calls before the interval that begins then, or next, stand as they are; None: the day has
        not begun.
    shifts
        Whether people may be asked to work other shifts: those their contract allows them, from their start
        where they have begun, and none that begins before `from_min`; of a large centre, forty people.

    Raises
    ------
    InputError
        Nothing is left of the day.
    """
    rest = _what_is_left(day, changed.draft, from_min)
    demand = _demand(rest)
    known, groups, members = _groups(rest, shifts=shifts)
    cover = cover_demand(demand, groups, known, rest.params)
    staff = tuple(_at_will(rest, name) for name in rest.people)
    shift_of = {name: rest.draft.shifts[name] for name in rest.people}
    if cover.count.any():
        roster = name_people([cover], [members], staff, [known], params=rest.params, gap_days=[0])
        if shifts:
            shift_of |= {rest.people[item.person]: known[item.shift] for item in roster.assignments}
    queue = np.array([item.work.kind == "queue" for item in demand], dtype=np.bool_)
    activity = _activity(rest, cover, queue, groups, members, shift_of=shift_of)
    between = rest.draft.work_between(day.params)
    wanted = cover.assigned[:, queue].sum(axis=(0, 1))
    there = np.stack([activity[name] for name in rest.people]) if rest.people else np.zeros((0, wanted.size))
    later = cover.between * on_queues(there.astype(np.int64), wanted, queue)
    between[:, rest.first :] = later[:, rest.first :]
    calls = {**rest.stands, **_place_calls(rest, activity)}
    draft = rest.draft
    return CentreReplan(
        {name: shift for name, shift in shift_of.items() if shift != draft.shifts[name]},
        {name: write_activity(row) for name, row in activity.items() if (row != draft.activity[name]).any()},
        {
            channel: tuple(round(float(people), 4) for people in row)
            for channel, row in zip(CHANNELS, between, strict=True)
            if row.any()
        },
        {name: call for name, call in calls.items() if draft.calls.get(name) != call},
        tuple(name for name in draft.calls if name not in calls),
    )


def _what_is_left(day: CentreDay, draft: CentreDraft, from_min: int | None) -> _Rest:
    params = day.params
    since = params.opens_min if from_min is None else from_min
    first = max(-(-(since - params.opens_min) // params.interval_min), 0)
    if first >= params.intervals:
        raise InputError("nothing is left of the day of the contact centre by then: name an earlier time")
    first_min = params.opens_min + first * params.interval_min
    gone = {name: at for name, at in draft.absent.items() if at <= first_min}
    people = tuple(
        name for name, shift in draft.shifts.items() if name not in gone and shift.end_min > first_min
    )
    stands = {
        name: call for name, call in draft.calls.items() if call.begin_min < first_min or name in draft.pinned
    }
    # calls of other days of the plan are neither made nor missed on this one
    ours = [
        name
        for name in (*draft.calls, *draft.unplaced)
        if name not in stands and name not in draft.left_out and day.may_call.get(name)
    ]
    ours.sort(key=lambda name: (day.priority.get(name, 0), name))
    return _Rest(day, draft, first, people, stands, tuple(ours))


def _demand(rest: _Rest) -> tuple[ChannelDemand, ...]:
    """Return the work that is left, as the stage measures it, less what was done."""
    day, draft, first = rest.day, rest.draft, rest.first
    later = [name for name, call in rest.stands.items() if call.begin_min >= rest.first_min]
    whole = day.demand_of([*rest.free, *later], first)
    at_work = draft.scheduled(day.params) + draft.work_between(day.params)
    at_work[:, first:] = 0.0
    found = []
    for item, there in zip(whole, at_work, strict=True):
        if item.work.kind == "queue":
            found.append(replace(item, required=_from(item.required, first), idle=_from(item.idle, first)))
            continue
        done = work_done(replace(item, windows=None), there)
        if item.windows is not None:
            # calls that were made are no part of it, but for the time of those begun that is still to come;
            # of calls that came in, what the time was enough for
            begun = (len(rest.stands) - len(later)) * item.work.handle_min / item.work.pace
            ahead = begun / day.params.interval_min - float(there.sum())
            done = max(min(-ahead, float(item.contacts[:first].sum() - (item.own if first else 0.0))), 0.0)
            if ahead > 0:
                item = _with_more(item, ahead, first)  # noqa: PLW2901  the same work, and what is behind
        due = _from(np.maximum(item.due - done, 0.0), first)
        arrived = _from(np.maximum(item.arrived - done, 0.0), first)
        found.append(replace(item, due=due, arrived=arrived))
    return tuple(found)


def _with_more(item: ChannelDemand, amount: float, first: int) -> ChannelDemand:
    """Add agent-intervals that are worked from an interval on, while anybody may be called."""
    due = item.due.copy()
    due[-1] += amount
    windows = item.windows or ()
    moments = np.arange(due.size) >= first
    if windows:
        moments &= np.stack([permitted for _, permitted in windows]).any(axis=0)
    return replace(item, due=due, arrived=item.arrived + amount, windows=(*windows, (amount, moments)))


def _from(numbers: NDArray[_Number], first: int) -> NDArray[_Number]:
    kept = numbers.copy()
    kept[:first] = 0
    return kept


def _groups(
    rest: _Rest, *, shifts: bool
) -> tuple[tuple[Shift, ...], tuple[Group, ...], tuple[tuple[int, ...], ...]]:
    """Return the shifts that may be worked, people who can be exchanged for one another, and who they are.

    Everybody works one of the shifts: nobody is sent home.
    """
    day = rest.day
    others = shifts_of_day(day.day, expand_patterns(day.params), day.time_zone) if shifts else ((), ())
    possible = [(others[0][k], others[0][k].works(rest.params)) for k in others[1]]
    choosing = _choosing(rest) if shifts else ()
    index: dict[Shift, int] = {}
    # who has no choice is there with everybody else of the same skills
    members: dict[tuple[tuple[str, ...], tuple[int, ...]], list[int]] = {}
    allowed: dict[tuple[object, ...], list[Shift]] = {}
    for k, name in enumerate(rest.people):
        own, choice = rest.draft.shifts[name], []
        if name in choosing:
            pins = tuple(sorted(a for a, call in rest.stands.items() if call.rep_id == name))
            key = (day.person(name), own, pins)
            if key not in allowed:
                allowed[key] = [
                    item for item, works in possible if _may_change(rest, name, own, item, works, pins=pins)
                ]
            choice = [own, *(item for item in allowed[key] if item != own)]
        places = tuple(index.setdefault(option, len(index)) for option in choice) if len(choice) > 1 else ()
        members.setdefault((tuple(sorted(day.person(name).channels)), places), []).append(k)
    groups = []
    for (channels, places), people in members.items():
        if places:
            groups.append(Group(frozenset(channels), places, len(people), len(people)))
        else:
            there = sum(_on_duty(rest, rest.people[k], rest.draft.shifts[rest.people[k]]) for k in people)
            groups.append(Group(frozenset(channels), (), 0, present=tuple(np.asarray(there).tolist())))
    return tuple(index), tuple(groups), tuple(tuple(people) for people in members.values())


def _on_duty(rest: _Rest, name: str, shift: Shift) -> Ints:
    """Return 1 for each interval in which somebody works until they go."""
    on = shift.works(rest.day.params).astype(np.int64)
    if name in rest.draft.absent:
        on[max(rest.day.interval(rest.draft.absent[name]), 0) :] = 0
    return np.asarray(on)


def _choosing(rest: _Rest) -> frozenset[str]:
    """Return whose shift may change: of a large centre, those with most of their shift before them."""
    there = [name for name in rest.people if name not in rest.draft.absent]
    since = {name: max(rest.draft.shifts[name].start_min, rest.first_min) for name in there}
    there.sort(key=lambda name: (since[name] - rest.draft.shifts[name].end_min, name))
    return frozenset(there[:_MOST_CHOOSING])


def _may_change(
    rest: _Rest, name: str, own: Shift, other: Shift, works: Bools, *, pins: Sequence[str]
) -> bool:
    """Tell whether somebody may work another shift from now on, given what they have worked."""
    begun = own.start_min < rest.first_min
    if begun and other.start_min != own.start_min:
        return False
    if begun:
        same = (works[: rest.first] == own.works(rest.params)[: rest.first]).all()
        if not same or other.end_min <= rest.first_min:
            return False
    elif other.start_min < rest.first_min:
        return False
    return all(works[rest.span(account)].all() for account in pins) and may_work(rest.day, name, other)


def _at_will(rest: _Rest, name: str) -> Person:
    """Return somebody who would like to begin when they do, and whose shifts have been checked."""
    start = rest.draft.shifts[name].start_min
    return replace(rest.day.person(name), hours_per_week=_WEEK_H, wish_start_min=start)


def _activity(
    rest: _Rest,
    cover: Cover,
    queue: Bools,
    groups: Sequence[Group],
    members: Sequence[Sequence[int]],
    *,
    shift_of: Mapping[str, Shift],
) -> dict[str, Ints]:
    """Return what everybody does in each interval: until now as it was, then as the shifts have it."""
    day, draft, first = rest.day, rest.draft, rest.first
    found = {name: row.copy() for name, row in draft.activity.items()}
    if not rest.people:
        return found
    on = np.array([_on_duty(rest, name, shift_of[name]) for name in rest.people], dtype=np.bool_)
    can = np.array([[name in group.channels for name in CHANNELS] for group in groups], dtype=np.bool_)
    group_of = np.zeros(len(rest.people), dtype=np.int64)
    for g, people in enumerate(members):
        group_of[list(people)] = g
    before = np.array([draft.activity[name][first - 1] if first else IDLE for name in rest.people])
    later = assign_activities(
        on[:, first:], group_of, cover.assigned[:, :, first:], can, queue, before=before
    )
    rows = np.stack([found[name] for name in rest.people])
    rows[:, first:] = later
    skills = tuple(day.person(name).channels for name in rest.people)
    force = Workforce(
        rest.people,
        skills,
        (np.arange(len(rest.people)),),
        (rows,),
        (np.zeros((len(CHANNELS), on.shape[1])),),
    )
    promised = _promised(rest)
    rows = honour_call_backs(force, promised, [day.day], day.params).activity[0]
    place = {name: k for k, name in enumerate(rest.people)}
    for account, call in rest.stands.items():
        if call.rep_id in place:
            _put_on_calls(rows, place[call.rep_id], rest.span(account), skills)
    return {**found, **dict(zip(rest.people, rows, strict=True))}


def _put_on_calls(rows: Ints, k: int, span: slice, skills: Sequence[frozenset[str]]) -> None:
    """Let somebody make a call that stands; who called then does that instead, if they can."""
    for t in range(span.start, min(span.stop, rows.shape[1])):
        now = int(rows[k, t])
        if now in {_CALLING, IDLE}:
            continue
        able = (j for j in np.flatnonzero(rows[:, t] == _CALLING).tolist() if CHANNELS[now] in skills[j])
        other = next(able, None)
        if other is not None:
            rows[other, t] = now
        rows[k, t] = _CALLING


def _promised(rest: _Rest) -> pl.DataFrame:
    """Return `CALL_BACK_COLUMNS` of the promised calls that are still to be made."""
    day = rest.day
    midnight = datetime.combine(day.day, time())
    rows = []
    for name in rest.free:
        if name in day.promised:
            at = day.may_call[name][0][0] + day.params.call_back_tolerance_min
            planned = day.planned_calls.get(name)
            rows.append((name, midnight + timedelta(minutes=at), None if planned is None else planned.rep_id))
    return pl.DataFrame(rows, schema=CALL_BACK_COLUMNS, orient="row")


# calls


def _place_calls(rest: _Rest, activity: Mapping[str, Ints]) -> dict[str, PlacedCall]:
    """Return the calls that find a place: the promised ones first, then those worth most, as in the stage."""
    day, params = rest.day, rest.day.params
    names = list(activity)
    slots = _free_slots(rest, names, activity)
    promised = _promised(rest)
    reserved, _ = reserve_call_backs(promised, slots, [day.day], lambda _, person: names[person], params)
    taken = np.zeros(slots.day.size, dtype=np.bool_)
    taken[reserved[reserved >= 0]] = True
    others = [name for name in rest.free if name not in day.promised]
    kinds: dict[bytes, int] = {}
    rows = [day.permitted(name) for name in others]
    window = np.array([kinds.setdefault(row.tobytes(), len(kinds)) for row in rows], dtype=np.int64)
    permitted = np.array([np.frombuffer(key, dtype=np.bool_) for key in kinds], dtype=np.bool_)
    callees = Callees(
        np.arange(len(others)), np.array([day.value_eur.get(name, 0.0) for name in others]), window,
        permitted.reshape(len(kinds), 1, params.intervals),
    )  # fmt: skip
    chosen = place_calls(callees, slots, taken, params)
    keep_places(chosen, _former_slots(rest, others, slots, names), slots, permitted[window], params)
    found = {}
    for name, slot in zip((*promised["account_id"], *others), (*reserved, *chosen), strict=True):
        if slot >= 0:
            found[name] = PlacedCall(names[slots.person[slot]], int(slots.start_min[slot]))
    return found


def _free_slots(rest: _Rest, names: Sequence[str], activity: Mapping[str, Ints]) -> Slots:
    """Return the moments at which a call can begin from now on, beside the calls that stand.

    Who goes on with what they did keeps the moments of their calls.
    """
    params = rest.day.params
    work = params.work_of(CALLING)
    begins: list[list[int]] = [[] for _ in names]
    same = [bool(rest.first) and (activity[name] == rest.draft.activity[name]).all() for name in names]
    for kept in (True, False):
        rows = [
            np.where(kept | (np.arange(params.intervals) >= rest.first), activity[name] == _CALLING, False)
            if goes_on == kept
            else np.zeros(params.intervals, dtype=np.bool_)
            for name, goes_on in zip(names, same, strict=True)
        ]
        if rows:
            slots = cut_slots([np.stack(rows)], work.handle_min / work.pace, work.handle_min, params)
            for begin, person in zip(slots.start_min.tolist(), slots.person.tolist(), strict=True):
                if begin >= rest.first_min:
                    begins[person].append(begin)
    busy: dict[str, list[tuple[float, float]]] = {}
    for account, call in rest.stands.items():
        ends = rest.draft.ends_min(account, params)
        if ends > rest.first_min:
            busy.setdefault(call.rep_id, []).append((float(call.begin_min), ends))
    for k, name in enumerate(names):
        if name in busy:
            begins[k] = beside(begins[k], busy[name], work.handle_min, rest.first_min)
    table = np.array([(begin, k) for k, own in enumerate(begins) for begin in own], dtype=np.int64)
    table = table.reshape(-1, 2)
    table = table[np.lexsort(table.T[::-1])]
    return Slots(np.zeros(len(table), dtype=np.int64), table[:, 0], table[:, 1])


def beside(
    begins: Sequence[int], busy: Sequence[tuple[float, float]], handle_min: float, first_min: int
) -> list[int]:
    """Return when somebody can begin a call beside calls that stand, each of which takes the place of one.

    Parameters
    ----------
    begins
        Their moments if nothing stood.
    busy
        Begin and end of each call that stands.
    first_min
        One that began before it takes no moment after it, unless it lasts.
    """
    kept = list(begins)
    for begin, end in sorted(busy):
        hit = [at for at in kept if at < end and begin < at + handle_min]
        if not hit and kept and begin >= first_min:
            hit = [min(kept, key=lambda at: abs(at - begin))]
        kept = [at for at in kept if at not in hit]
        # of two that it gets in the way of, one can be made a little earlier or later; after a call that was
        # begun, the next one when it ends
        takes = max(1, int((end - begin) // handle_min))
        if begin < first_min:
            takes = int((end - first_min) // handle_min)
        spare = max(len(hit) - takes, 0)
        for at in hit[:spare]:
            places = (int(np.floor(begin - handle_min)), int(np.ceil(end)))
            for place in sorted(places, key=lambda moment: abs(moment - at)):
                clear = all(abs(place - other) >= handle_min for other in kept) and all(
                    place >= ends or place + handle_min <= starts for starts, ends in busy
                )
                if clear and min(begins) <= place <= max(begins):
                    kept.append(place)
                    break
    return sorted(kept)


def _former_slots(rest: _Rest, accounts: Sequence[str], slots: Slots, names: Sequence[str]) -> Ints:
    """Return the slot that is the former moment of each call, -1 where there is none."""
    place = {
        (names[person], begin): k
        for k, (begin, person) in enumerate(zip(slots.start_min.tolist(), slots.person.tolist(), strict=True))
    }
    calls = (rest.draft.calls.get(name) for name in accounts)
    return np.array(
        [-1 if call is None else place.get((call.rep_id, call.begin_min), -1) for call in calls],
        dtype=np.int64,
    )


def keep_places(chosen: Ints, former: Ints, slots: Slots, permitted: Bools, params: ScheduleParams) -> None:
    """Let calls that are made anyway be made when they were, where another one can be moved instead.

    Which accounts are called, and at which moments, stays the same.

    Parameters
    ----------
    chosen, former
        The slot of each account now and before, -1 for none; `chosen` is changed.
    permitted
        When each account may be called, shape (accounts, intervals).
    """
    interval = np.minimum((slots.start_min - params.opens_min) // params.interval_min, params.intervals - 1)
    holder = {int(slot): k for k, slot in enumerate(chosen) if slot >= 0}
    for k, slot in enumerate(former.tolist()):
        now = int(chosen[k])
        if slot < 0 or now < 0 or slot == now:
            continue
        other = holder.get(slot)
        if other is not None:
            if former[other] == slot or not permitted[other, interval[now]]:
                continue
            chosen[other], holder[now] = now, other
        else:
            del holder[now]
        chosen[k], holder[slot] = slot, k
