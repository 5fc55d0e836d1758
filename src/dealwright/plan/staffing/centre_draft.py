"""A day of the contact centre under change: who works when on what, who is called, and on which terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from dealwright.errors import RefusedChangeError
from dealwright.plan.staffing.activities import IDLE
from dealwright.plan.staffing.call_list import CALLING
from dealwright.plan.staffing.centre_day import CentreDay, PlacedCall
from dealwright.plan.staffing.demand import Floats, Ints
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.workforce import CHANNELS

LEFT_OUT: Final = "left out"
NO_CALL: Final = "no call"


@dataclass(frozen=True)
class CentreDraft:
    """The shifts, who works on what, the calls, and those that are not made.

    Attributes
    ----------
    absent
        Who is not there, from which minute after midnight on.
    extra_min
        Account -> by how much its call takes longer.
    between
        People's worth of work done between the contacts of queues, by channel and interval.
    on_queues
        The people on queues, by interval, for whom `between` was found.
    """

    shifts: Mapping[str, Shift]
    activity: Mapping[str, Ints]
    calls: Mapping[str, PlacedCall]
    unplaced: Mapping[str, tuple[str, str]]
    between: Floats
    on_queues: Ints
    pinned: frozenset[str] = frozenset()
    absent: Mapping[str, int] = field(default_factory=dict)
    extra_min: Mapping[str, int] = field(default_factory=dict)

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

    def calls_of(self, rep_id: str) -> list[tuple[int, str]]:
        """Return when somebody calls whom, by time."""
        return self._calls_by_rep.get(rep_id, [])

    @cached_property
    def _calls_by_rep(self) -> Mapping[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {}
        for begin, name, rep_id in sorted(
            (call.begin_min, name, call.rep_id) for name, call in self.calls.items()
        ):
            found.setdefault(rep_id, []).append((begin, name))
        return found

    def ends_min(self, account_id: str, params: ScheduleParams) -> float:
        """Return when a call ends, in minutes after midnight."""
        length = params.work_of(CALLING).handle_min + self.extra_min.get(account_id, 0)
        return self.calls[account_id].begin_min + length

    def scheduled(self, params: ScheduleParams) -> Ints:
        """Return the people at work by channel and interval."""
        rows = list(self.activity.values())
        table = np.stack(rows) if rows else np.full((0, params.intervals), IDLE)
        return np.stack([(table == c).sum(axis=0) for c in range(len(CHANNELS))])

    def work_between(self, params: ScheduleParams) -> Floats:
        """Return what is done between the contacts of queues: less where fewer are on the line than were."""
        now = people_on_queues(self.scheduled(params), params)
        share = np.divide(now, self.on_queues, out=np.ones(params.intervals), where=self.on_queues > 0)
        return np.asarray(self.between * np.minimum(share, 1.0))

    @property
    def left_out(self) -> frozenset[str]:
        """Accounts that somebody decided not to call."""
        return frozenset(name for name, (limit, _) in self.unplaced.items() if limit == LEFT_OUT)


def people_on_queues(scheduled: Ints, params: ScheduleParams) -> Ints:
    """Return the people on queues by interval."""
    queues = [c for c, name in enumerate(CHANNELS) if params.work_of(name).kind == "queue"]
    return np.asarray(scheduled[queues].sum(axis=0))


def draft_as_planned(day: CentreDay) -> CentreDraft:
    """Return a day before anybody changed it."""
    unplaced = {
        account: (limit, reason)
        for account, limit, reason in day.unplaced.select("account_id", "limit", "reason").rows()
    }
    nobody = np.zeros(day.params.intervals, dtype=np.int64)
    draft = CentreDraft(
        day.planned_shifts, day.planned_activity, day.planned_calls, unplaced, day.planned_between, nobody
    )
    return replace(draft, on_queues=people_on_queues(draft.scheduled(day.params), day.params))
