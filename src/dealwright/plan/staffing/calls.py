"""The call list: who calls which account when, within consent hours and time zones, call-backs first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.actions.catalogue import DAYS, Catalogue, Channel
from dealwright.plan.staffing.call_flow import fit_calls
from dealwright.plan.staffing.clock import interval_of, on_clock_of, skipped_intervals
from dealwright.plan.staffing.demand import Floats, Ints
from dealwright.plan.staffing.params import DAY_MIN, ScheduleParams
from dealwright.schemas import PlanInputs

_STEP_MIN: Final = 5  # no interval of a schedule is shorter


@dataclass(frozen=True)
class Slots:
    """Moments at which somebody can begin a call; parallel arrays, by time and person."""

    day: Ints
    start_min: Ints
    person: Ints


@dataclass(frozen=True)
class Callees:
    """The accounts to call, the most important first."""

    row: Ints  # of the accounts
    value_eur: Floats  # what a call is worth
    window: Ints  # index of each account's permitted times into `permitted`
    permitted: NDArray[np.bool_]  # window, day, interval -> whether a call may begin


def cut_slots(
    activity: Sequence[NDArray[np.bool_]], spacing_min: float, handle_min: float, params: ScheduleParams
) -> Slots:
    """Cut the time people spend on calls into calls, with the rests that shrinkage and occupancy demand.

    Parameters
    ----------
    activity
        Per day: who is on calls in which interval, shape (people, intervals).
    """
    length, rest = params.interval_min, 0.0
    # people of the same shift have the same moments
    known: dict[tuple[bytes, int], Ints] = {}
    parts: list[Ints] = []
    of_whom: list[tuple[int, int, int]] = []
    for day, on in enumerate(activity):
        of_person = (np.count_nonzero(on, axis=1) * length).tolist()
        for person, (present, minutes) in enumerate(zip(on, of_person, strict=True)):
            # time on calls adds up over the day, wherever it lies, and over people: what is too short for one
            # more call of one of them is made good by another, who rests less between calls
            fair = minutes / spacing_min
            count = int(fair + 1e-9)
            rest += fair - count
            if rest >= 1.0 - 1e-9 and (count + 1) * handle_min <= minutes:
                count, rest = count + 1, rest - 1.0
            if not count:
                continue
            key = (present.tobytes(), count)
            if key not in known:
                known[key] = _begins(present, count, min(spacing_min, minutes / count), handle_min, params)
            parts.append(known[key])
            of_whom.append((day, person, count))
    begins = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    days, people, counts = np.array(of_whom, dtype=np.int64).reshape(-1, 3).T
    days, people = np.repeat(days, counts), np.repeat(people, counts)
    order = np.lexsort((people, begins, days))
    return Slots(days[order], begins[order], people[order])


def _begins(
    present: NDArray[np.bool_], count: int, apart_min: float, handle_min: float, params: ScheduleParams
) -> Ints:
    """Return when somebody begins each of a number of calls, in minutes after midnight."""
    length, places = params.interval_min, np.flatnonzero(present)
    since = np.arange(count) * apart_min
    place = places[np.minimum((since // length).astype(np.int64), places.size - 1)]
    begin = (params.opens_min + place * length + since % length).astype(np.int64)
    # a call ends before other work begins, if it can
    goes_on = np.append(present[1:], False)[place]
    latest = (params.opens_min + (place + 1) * length - handle_min).astype(np.int64)
    begin = np.where(goes_on, begin, np.maximum(np.minimum(begin, latest), params.opens_min + place * length))
    # and none begins before the one before it has ended
    ended = np.arange(count) * math.ceil(handle_min)
    return np.asarray(np.maximum.accumulate(begin - ended) + ended)


def find_windows(
    inputs: PlanInputs,
    rows: Ints,
    catalogue: Catalogue,
    channel: str,
    *,
    days: Sequence[date],
    params: ScheduleParams,
) -> tuple[Ints, NDArray[np.bool_], pl.Series]:
    """Return each account's kind of window, when such calls may begin, and its time zone.

    A call may begin outside the channel's quiet hours and days on the account's own clock, and within its
    own opening hours where these are known.
    """
    zone = _text(inputs, "time_zone", rows, catalogue.time_zone)
    opens, closes = (
        _minutes(inputs, role, rows, other) for role, other in (("opens_min", 0), ("closes_min", DAY_MIN))
    )
    kinds = pl.DataFrame({"zone": zone, "opens": opens, "closes": closes})
    distinct = kinds.unique(maintain_order=True).with_row_index("window")
    window = kinds.join(distinct, on=["zone", "opens", "closes"], how="left", maintain_order="left")["window"]
    rules = next((item for item in catalogue.channels if item.name == channel), None)
    permitted = np.zeros((distinct.height, len(days), params.intervals), dtype=np.bool_)
    known: dict[tuple[str, date], tuple[Ints, NDArray[np.bool_]]] = {}
    for index, name, first, last in distinct.iter_rows():
        for d, day in enumerate(days):
            if (name, day) not in known:
                known[name, day] = _their_day(
                    day, rules, company=catalogue.time_zone, zone=name, params=params
                )
            minute, allowed = known[name, day]
            # who opens at 16:00 and closes at 01:00 is open until 25:00: as is the first hour of the day
            until = last + DAY_MIN if last < first else last
            inside = [(first <= m) & (m + params.interval_min <= until) for m in (minute, minute + DAY_MIN)]
            permitted[index, d] = allowed & (inside[0] | inside[1])
    return window.to_numpy().astype(np.int64), permitted, zone


def _their_day(
    day: date, rules: Channel | None, *, company: str, zone: str, params: ScheduleParams
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return for each interval what the account's clock shows, and whether calls are allowed in all of it."""
    minute = np.zeros(params.intervals, dtype=np.int64)
    allowed = ~skipped_intervals(day, params, company)
    for t in np.flatnonzero(allowed):
        start = datetime.combine(day, time()) + timedelta(
            minutes=int(params.opens_min + t * params.interval_min)
        )
        local = on_clock_of(start, company, zone)
        minute[t] = local.hour * 60 + local.minute
        if rules is not None:
            # clocks differ by quarters of an hour: quiet hours may begin within an interval
            later = (local + timedelta(minutes=k) for k in range(0, params.interval_min, _STEP_MIN))
            allowed[t] = not any(is_quiet(moment, rules) for moment in later)
    return minute, allowed


def is_quiet(moment: datetime, channel: Channel) -> bool:
    """Tell whether a channel makes no contact at a local moment."""
    if DAYS[moment.weekday()] in channel.quiet_days:
        return True
    clock = moment.time()
    return any(
        (start <= clock < end) if start < end else (clock >= start or clock < end)
        for start, end in channel.quiet_hours
    )


def place_calls(callees: Callees, slots: Slots, taken: NDArray[np.bool_], params: ScheduleParams) -> Ints:
    """Return the slot of each account, -1 for none: the most important calls that fit, as early as can be.

    Accounts with the same window keep their order of importance through the day.
    """
    slot_of = np.full(callees.row.size, -1, dtype=np.int64)
    free = np.flatnonzero(~taken)
    interval = np.minimum((slots.start_min - params.opens_min) // params.interval_min, params.intervals - 1)
    cell = slots.day * params.intervals + interval
    cells, room = np.unique(cell[free], return_counts=True)
    if not cells.size or not callees.row.size:
        return slot_of
    # windows that differ on the clock may be the same intervals
    possible, kind_of = np.unique(
        callees.permitted.reshape(len(callees.permitted), -1)[:, cells], axis=0, return_inverse=True
    )
    kind = kind_of.reshape(-1)[callees.window]
    called, number = fit_calls(kind, possible, room)
    chosen = np.flatnonzero(called)
    chosen = chosen[np.argsort(kind[chosen], kind="stable")]
    kinds, places = np.nonzero(number)
    place = np.repeat(places, number[kinds, places])
    # the calls of an interval take its slots in turn
    order = np.argsort(place, kind="stable")
    begins = np.cumsum(np.append(0, np.bincount(place, minlength=cells.size)[:-1]))
    turn = np.empty(place.size, dtype=np.int64)
    turn[order] = np.arange(place.size) - begins[place[order]]
    by_cell = free[np.argsort(cell[free], kind="stable")]
    slot_of[chosen] = by_cell[np.cumsum(np.append(0, room[:-1]))[place] + turn]
    return slot_of


def reserve_call_backs(
    call_backs: pl.DataFrame,
    slots: Slots,
    days: Sequence[date],
    rep_ids: Callable[[int, int], str],
    params: ScheduleParams,
) -> tuple[Ints, list[str]]:
    """Return the slot of each promised call (-1 for none) and why it has none.

    The nearest free slot within the tolerance counts; among equally near ones that of whoever promised.
    """
    taken = np.zeros(slots.day.size, dtype=np.bool_)
    found = np.full(call_backs.height, -1, dtype=np.int64)
    reasons = [""] * call_backs.height
    for index in np.argsort(call_backs["at"].to_physical().to_numpy(), kind="stable"):
        at, promised_by = call_backs["at"][int(index)], call_backs["rep_id"][int(index)]
        # the night hours of a centre that is open past midnight belong to the day before
        open_on = [day for day in days if interval_of(at, day, params) is not None]
        if not open_on and at.date() not in days:
            reasons[index] = f"promised for {at:%Y-%m-%d}, a day that is not planned"
            continue
        day = open_on[0] if open_on else at.date()
        minute = int((at - datetime.combine(day, time())).total_seconds() // 60)
        away = np.abs(slots.start_min - minute)
        near = np.flatnonzero(
            ~taken & (slots.day == days.index(day)) & (away <= params.call_back_tolerance_min)
        )
        if not near.size:
            tolerance = params.call_back_tolerance_min
            reasons[index] = f"nobody is free within {tolerance} minutes of {at:%Y-%m-%d %H:%M}"
            continue
        own = np.array([rep_ids(int(slots.day[k]), int(slots.person[k])) == promised_by for k in near])
        best = near[np.lexsort((near, away[near], ~own))[0]]
        taken[best], found[index] = True, best
    return found, reasons


def _text(inputs: PlanInputs, role: str, rows: Ints, default: str) -> pl.Series:
    column = inputs.schema.role(role)
    if column is None:
        return pl.Series([default] * rows.size, dtype=pl.String)
    return inputs.accounts[column].cast(pl.String).gather(rows).fill_null(default)


def _minutes(inputs: PlanInputs, role: str, rows: Ints, default: int) -> pl.Series:
    column = inputs.schema.role(role)
    if column is None:
        return pl.Series([float(default)] * rows.size, dtype=pl.Float64)
    return inputs.accounts[column].cast(pl.Float64).gather(rows).fill_null(float(default))
