"""The call list of the day: accounts, promises, slots and people brought together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np
import polars as pl

from dealwright.plan.actions.catalogue import Catalogue
from dealwright.plan.staffing.activities import IDLE
from dealwright.plan.staffing.calls import (
    Callees,
    Slots,
    cut_slots,
    find_windows,
    place_calls,
    reserve_call_backs,
)
from dealwright.plan.staffing.clock import on_clock_of
from dealwright.plan.staffing.demand import Floats, Ints
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.workforce import CHANNELS, Workforce, callers
from dealwright.schemas import CALL_COLUMNS, UNPLACED_CALL_COLUMNS, PlanInputs

CALLING: Final = "outbound_cc"
_ALL_GIVEN: Final = (
    "all calls of the day are given to accounts worth more, or at hours when a call is not allowed"
)


@dataclass(frozen=True)
class CallList:
    """`CALL_COLUMNS` by time, and `UNPLACED_CALL_COLUMNS` by importance."""

    calls: pl.DataFrame
    unplaced: pl.DataFrame


def list_calls(
    inputs: PlanInputs,
    chosen: pl.DataFrame,
    catalogue: Catalogue,
    promised: pl.DataFrame,
    *,
    force: Workforce,
    days: Sequence[date],
    params: ScheduleParams,
) -> CallList:
    """Place promised calls first, then the accounts allocated to the calling channel by their worth."""
    work = params.work_of(CALLING)
    spacing = work.handle_min / ((1.0 - work.shrinkage) * work.max_occupancy)
    on_calls = callers(force, CALLING)
    slots = cut_slots(
        [on_calls[day][1].astype(np.bool_) for day in range(len(days))], spacing, work.handle_min, params
    )

    def rep_of(day: int, place: int) -> str:
        """Return who works in a row of a day's activities."""
        return force.rep_id(int(on_calls[day][0][place]))

    reserved, reasons = reserve_call_backs(
        promised, slots, days, rep_of, tolerance_min=params.call_back_tolerance_min
    )
    taken = np.zeros(slots.day.size, dtype=np.bool_)
    taken[reserved[reserved >= 0]] = True
    row_of = {name: row for row, name in enumerate(inputs.accounts["account_id"])} if promised.height else {}
    promised_rows = np.array([row_of[name] for name in promised["account_id"]], dtype=np.int64)
    wanted = chosen["channel"].eq(CALLING).fill_null(value=False).to_numpy()
    wanted[promised_rows] = False
    rows = _by_importance(chosen, np.flatnonzero(wanted))
    both = np.concatenate([promised_rows, rows])
    value = chosen["expected_value_eur"].fill_null(0.0).to_numpy()
    window, permitted, zone = find_windows(inputs, both, catalogue, CALLING, days=days, params=params)
    callees = Callees(rows, value[rows], window[promised_rows.size :], permitted)
    slot = np.concatenate([reserved, place_calls(callees, slots, taken, params)])
    calls = _calls(
        inputs.accounts["account_id"].gather(both), value[both], slot, slots, zone.to_list(),
        promised=promised.height, rep_of=rep_of, days=days, handle_min=work.handle_min,
        company=catalogue.time_zone,
    )  # fmt: skip
    left = np.flatnonzero(slot < 0)
    closed = permitted.sum(axis=(1, 2)) == 0
    able = any(CALLING in skills for skills in force.skills)
    why = [
        ("promised time", reasons[k]) if k < promised.height
        else ("calling hours", "no hour in which a call is allowed while the contact centre is open")
        if closed[window[k]]
        else ("hours of agents" if able else "skills", "nobody is on calls") if not slots.day.size
        else ("hours of agents", _ALL_GIVEN)
        for k in left
    ]  # fmt: skip
    unplaced = pl.DataFrame(
        {
            "account_id": inputs.accounts["account_id"].gather(both[left]),
            "channel": [CALLING] * left.size,
            "value_eur": value[both[left]],
            "call_back": left < promised.height,
            "limit": [limit for limit, _ in why],
            "reason": [reason for _, reason in why],
        },
        schema=UNPLACED_CALL_COLUMNS,
    )
    return CallList(calls, unplaced)


def count_callable(
    inputs: PlanInputs,
    chosen: pl.DataFrame,
    catalogue: Catalogue,
    days: Sequence[date],
    params: ScheduleParams,
) -> Ints:
    """Return how many of the accounts to call may be called in each interval of each day."""
    rows = np.flatnonzero(chosen["channel"].eq(CALLING).fill_null(value=False).to_numpy())
    window, permitted, _ = find_windows(inputs, rows, catalogue, CALLING, days=days, params=params)
    weight = np.bincount(window, minlength=len(permitted))
    return np.asarray(np.tensordot(weight, permitted.astype(np.int64), axes=1))


def honour_call_backs(
    force: Workforce, promised: pl.DataFrame, days: Sequence[date], params: ScheduleParams
) -> Workforce:
    """Put somebody on calls at each promised moment: who promised, else who does work that may wait."""
    calling = CHANNELS.index(CALLING)
    activity = [item.copy() for item in force.activity]
    for _, at, promised_by in promised.sort("at").iter_rows():
        place = (at.hour * 60 + at.minute - params.opens_min) // params.interval_min
        if at.date() not in days or not 0 <= place < params.intervals:
            continue
        day = days.index(at.date())
        now = activity[day][:, place]
        able = np.array([CALLING in force.skills[person] for person in force.people[day]], dtype=np.bool_)
        here = np.flatnonzero((now != IDLE) & able)
        own = [k for k in here if force.rep_id(int(force.people[day][k])) == promised_by]
        if own or not (now[here] == calling).any():
            waits = np.array(
                [now[k] != IDLE and params.work_of(CHANNELS[now[k]]).kind == "drain" for k in here]
            )
            chosen = own or here[np.argsort(~waits.astype(np.bool_), kind="stable")].tolist()
            for k in chosen[:1]:
                now[k] = calling
    return replace(force, activity=tuple(activity))


def _by_importance(chosen: pl.DataFrame, rows: Ints) -> Ints:
    """Sort rows: urgent ones first, then the most valuable."""
    value = chosen["expected_value_eur"].fill_null(0.0).to_numpy()[rows]
    urgent = chosen["urgent"].to_numpy()[rows]
    return rows[np.lexsort((rows, -value, ~urgent))]


def _calls(
    names: pl.Series,
    value: Floats,
    slot: Ints,
    slots: Slots,
    zone: Sequence[str],
    *,
    promised: int,
    rep_of: Callable[[int, int], str],
    days: Sequence[date],
    handle_min: float,
    company: str,
) -> pl.DataFrame:
    """Return `CALL_COLUMNS` of the calls that have a slot; the first `promised` ones are call-backs."""
    rows = []
    for k in map(int, np.flatnonzero(slot >= 0)):
        day, minute = int(slots.day[slot[k]]), int(slots.start_min[slot[k]])
        start = datetime.combine(days[day], time()) + timedelta(minutes=minute)
        local = on_clock_of(start, company, zone[k])
        end = start + timedelta(minutes=handle_min)
        rep = rep_of(day, int(slots.person[slot[k]]))
        rows.append((rep, names[k], CALLING, start, end, local, k + 1, float(value[k]), k < promised))
    return pl.DataFrame(rows, schema=CALL_COLUMNS, orient="row").sort("start_at", "rep_id")
