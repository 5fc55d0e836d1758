"""One planned day of the contact centre: who works on what, what comes in, and who may be called when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from dealwright.errors import NotFoundError
from dealwright.plan.staffing.activities import IDLE
from dealwright.plan.staffing.call_list import CALLING, distinct_windows
from dealwright.plan.staffing.demand import Bools, ChannelDemand, Floats, Ints, measure_demand
from dealwright.plan.staffing.params import DAY_MIN, DEFAULT_WORK, ScheduleParams
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.roster import Person, read_staff
from dealwright.plan.staffing.workforce import CHANNELS

_NOTHING: Final = 1e-9  # contacts: what is left of a sum of fractions


@dataclass(frozen=True)
class PlacedCall:
    """Who makes a call, and when it begins, in minutes after midnight."""

    rep_id: str
    begin_min: int


@dataclass(frozen=True)
class CentreDay:
    """A day as it was planned, and what is needed to change it.

    Attributes
    ----------
    shifts, calls, levels, work, windows
        `SHIFT_COLUMNS`, `CALL_COLUMNS`, `SERVICE_LEVEL_COLUMNS`, `CENTRE_WORK_COLUMNS` and
        `CALL_WINDOW_COLUMNS` of this day alone.
    other_shifts
        Those of the other days that were planned.
    own
        Channel -> contacts that the plan itself makes, at any time of the day; of the first day only.
    earlier
        Accounts that may be called on an earlier day of the plan: it is that day's work.
    unplaced
        `UNPLACED_CALL_COLUMNS`.
    staff
        `STAFF_COLUMNS`; without it the people are numbered, and no contract binds them.
    time_zone
        The company's.
    """

    day: date
    shifts: pl.DataFrame
    calls: pl.DataFrame
    levels: pl.DataFrame
    work: pl.DataFrame
    windows: pl.DataFrame
    params: ScheduleParams
    time_zone: str
    unplaced: pl.DataFrame
    other_shifts: pl.DataFrame
    staff: pl.DataFrame | None = None
    own: Mapping[str, float] = field(default_factory=dict)
    earlier: frozenset[str] = frozenset()

    @cached_property
    def people(self) -> Mapping[str, Person]:
        """Everybody at work on this day, with what their contract says."""
        staff = {person.rep_id: person for person in read_staff(self.staff, self.params) or ()}
        return {
            rep_id: staff.get(rep_id) or _unbound(rep_id, name)
            for rep_id, name in self.shifts.select("rep_id", "rep_name").rows()
        }

    def person(self, rep_id: str) -> Person:
        """Return somebody at work.

        Raises
        ------
        NotFoundError
            Nobody of this id works on this day.
        """
        if rep_id not in self.people:
            raise NotFoundError(f"nobody called {rep_id!r} works in the contact centre on this day")
        return self.people[rep_id]

    def minute(self, moment: datetime) -> int:
        """Return a moment in minutes after the midnight before this day."""
        return int((moment - datetime.combine(self.day, time())).total_seconds() // 60)

    @cached_property
    def planned_shifts(self) -> Mapping[str, Shift]:
        """The shifts as planned."""
        return {row["rep_id"]: self.shift_of(row) for row in self.shifts.iter_rows(named=True)}

    def shift_of(self, row: Mapping[str, object]) -> Shift:
        """Return a row of `SHIFT_COLUMNS` as a shift of this day."""
        begin, end = self.minute(row["start_at"]), self.minute(row["end_at"])  # type: ignore[arg-type]
        lunch = None
        if row["lunch_start_at"] is not None:
            lunch = self.minute(row["lunch_start_at"]), self.minute(row["lunch_end_at"])  # type: ignore[arg-type]
        starts = [self.minute(at) for at in row["breaks"] or ()]  # type: ignore[attr-defined]
        breaks = tuple((at, at + int(row["break_min"] or 0)) for at in starts)  # type: ignore[call-overload]
        return Shift(str(row["pattern"]), begin, end, int(row["paid_min"]), lunch, breaks)  # type: ignore[call-overload]

    @cached_property
    def planned_activity(self) -> Mapping[str, Ints]:
        """Who works on which channel (index of `CHANNELS`) in each interval, `IDLE` when not at work."""
        found = {rep_id: np.full(self.params.intervals, IDLE, dtype=np.int64) for rep_id in self.people}
        for rep_id, at, channel in self.work.select("rep_id", "start_at", "channel").rows():
            if rep_id is not None:
                found[rep_id][self.interval(self.minute(at))] = CHANNELS.index(channel)
        return found

    @cached_property
    def planned_between(self) -> Floats:
        """People's worth of work done between the contacts of queues, by channel and interval."""
        found = np.zeros((len(CHANNELS), self.params.intervals))
        rows = self.work.filter(pl.col("rep_id").is_null()).select("start_at", "channel", "people").rows()
        for at, channel, people in rows:
            found[CHANNELS.index(channel), self.interval(self.minute(at))] = people
        return found

    @cached_property
    def contacts(self) -> Floats:
        """Expected contacts by channel and interval."""
        return self._of_levels("contacts")

    @cached_property
    def required(self) -> Floats:
        """People a queue needs by channel and interval; 0 of work that may wait."""
        return self._of_levels("required")

    def _of_levels(self, name: str) -> Floats:
        found = np.zeros((len(CHANNELS), self.params.intervals))
        for channel, at, number in self.levels.select("channel", "start_at", name).rows():
            found[CHANNELS.index(channel), self.interval(self.minute(at))] = number or 0.0
        return found

    @cached_property
    def planned_calls(self) -> Mapping[str, PlacedCall]:
        """The calls as planned, by account."""
        rows = self.calls.select("account_id", "rep_id", "start_at").rows()
        return {account: PlacedCall(rep_id, self.minute(at)) for account, rep_id, at in rows}

    @cached_property
    def may_call(self) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """When each account of the call list may be called: from, and before."""
        rows = self.windows.select("account_id", "from_min", "to_min").rows()
        return {account: tuple(zip(first, last, strict=True)) for account, first, last in rows}

    @cached_property
    def zone_of(self) -> Mapping[str, str]:
        """The clock of each account of the call list."""
        return dict(self.windows.select("account_id", "zone").rows())

    @cached_property
    def promised(self) -> frozenset[str]:
        """Accounts that were promised a call."""
        both = (frame.filter("call_back")["account_id"] for frame in (self.calls, self.unplaced))
        return frozenset(name for names in both for name in names)

    @cached_property
    def priority(self) -> Mapping[str, int]:
        """The place of each account on the call list, 1 first."""
        placed = dict(self.calls.select("account_id", "priority").rows())
        left = self.unplaced["account_id"].to_list()
        free = sorted(set(range(1, len(placed) + len(left) + 1)) - set(placed.values()))
        if len(free) != len(left):  # calls of other days are between them: who found no place comes last
            last = max(placed.values(), default=0)
            free = [last + 1 + k for k in range(len(left))]
        return {**dict(zip(left, free, strict=True)), **placed}

    @cached_property
    def value_eur(self) -> Mapping[str, float]:
        """What each call is worth."""
        both = (frame.select("account_id", "value_eur").rows() for frame in (self.unplaced, self.calls))
        return {account: value or 0.0 for rows in both for account, value in rows}

    def permitted(self, account: str) -> Bools:
        """Return in which intervals a call of an account may begin; a promised one in that of its moment."""
        found = np.zeros(self.params.intervals, dtype=np.bool_)
        for first, last in self.may_call.get(account, ()):
            if account in self.promised:
                at = self.interval(first + self.params.call_back_tolerance_min)
                if 0 <= at < found.size:
                    found[at] = True
            else:
                found[self.interval(first) : self.interval(last)] = True
        return found

    @cached_property
    def planned_demand(self) -> tuple[ChannelDemand, ...]:
        """The work of every channel, as the stage measures it."""
        return self.demand_of([name for name in self.may_call if name not in self.earlier])

    def demand_of(self, accounts: Collection[str], first: int = 0) -> tuple[ChannelDemand, ...]:
        """Return the work of every channel, with calls to these accounts from an interval on."""
        kinds = np.array([self.permitted(name) for name in accounts], dtype=np.bool_)
        kinds = kinds.reshape(-1, self.params.intervals)
        kinds[:, :first] = False
        windows = distinct_windows(kinds[kinds.any(axis=1)], np.ones(int(kinds.any(axis=1).sum())))
        found = []
        for c, channel in enumerate(CHANNELS):
            own, contacts = self.own.get(channel, 0.0), self.contacts[c].copy()
            contacts[0] = max(contacts[0] - own, 0.0)
            contacts[contacts < _NOTHING] = 0.0
            found.append(
                measure_demand(
                    channel, contacts, own, "the plan", params=self.params,
                    windows=list(zip(windows[1].tolist(), windows[0], strict=True))
                    if channel == CALLING else None,
                )
            )  # fmt: skip
        return tuple(found)

    def interval(self, minute: int) -> int:
        """Return in which interval of the opening hours a minute lies; outside of them a number beyond."""
        return (minute - self.params.opens_min) // self.params.interval_min


def _unbound(rep_id: str, name: str | None) -> Person:
    """Return somebody whom no contract binds."""
    everything = frozenset(DEFAULT_WORK)
    return Person(rep_id, name or rep_id, everything, frozenset(), 7 * 24.0, 0, DAY_MIN, frozenset(), None)
