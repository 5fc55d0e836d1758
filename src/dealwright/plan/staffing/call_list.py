"""The call list of the day: accounts, promises, slots and people brought together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
from dealwright.plan.staffing.clock import interval_of, on_clock_of
from dealwright.plan.staffing.demand import Floats, Ints
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.workforce import CHANNELS, Workforce, callers
from dealwright.schemas import CALL_COLUMNS, CALL_WINDOW_COLUMNS, UNPLACED_CALL_COLUMNS, PlanInputs

CALLING: Final = "outbound_cc"
_ALL_GIVEN: Final = (
    "all calls of the day are given to accounts worth more, or at hours when a call is not allowed"
)
# told apart in the model of the shifts: more make it slow
_MOST_WINDOWS: Final = 40

# when calls may be made, shape (kinds, intervals), and how many of each kind
CallWindows: TypeAlias = tuple[NDArray[np.bool_], Floats]


@dataclass(frozen=True)
class CallList:
    """The calls of the plan."""

    # `CALL_COLUMNS` by time, and `UNPLACED_CALL_COLUMNS` by importance
    calls: pl.DataFrame
    unplaced: pl.DataFrame
    # for each call without a place: when it may be made, shape (days, intervals)
    possible: tuple[NDArray[np.bool_], ...] = ()
    # `CALL_WINDOW_COLUMNS`: when each of them may begin; a promised one about its moment
    windows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CALL_WINDOW_COLUMNS))


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
    spacing = work.handle_min / work.pace
    on_calls = callers(force, CALLING)
    slots = cut_slots(
        [on_calls[day][1].astype(np.bool_) for day in range(len(days))], spacing, work.handle_min, params
    )

    def rep_of(day: int, place: int) -> str:
        """Return who works in a row of a day's activities."""
        return force.rep_id(int(on_calls[day][0][place]))

    reserved, reasons = reserve_call_backs(promised, slots, days, rep_of, params)
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
        inputs.accounts["account_id"].gather(both), value[both], slot, slots, zone,
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
    return CallList(
        calls,
        unplaced,
        tuple(_possible(int(k), promised, permitted[window[k]], days, params) for k in left),
        _window_frame(
            inputs.accounts["account_id"].gather(both),
            window,
            permitted,
            promised,
            zone,
            days=days,
            params=params,
        ),
    )


def _window_frame(
    names: pl.Series,
    window: Ints,
    permitted: NDArray[np.bool_],
    promised: pl.DataFrame,
    zone: pl.Series,
    *,
    days: Sequence[date],
    params: ScheduleParams,
) -> pl.DataFrame:
    """Return `CALL_WINDOW_COLUMNS` of accounts; the first ones are promised a call at a moment."""
    rows: list[tuple[str, date, str, list[int], list[int]]] = []
    for k, at in enumerate(promised["at"]):
        open_on = (day for day in days if interval_of(at, day, params) is not None)
        day = next(open_on, at.date())
        minute = int((at - datetime.combine(day, time())).total_seconds() // 60)
        away = params.call_back_tolerance_min
        rows.append((names[k], day, zone[k], [minute - away], [minute + away + 1]))
    first = pl.DataFrame(rows, schema=CALL_WINDOW_COLUMNS, orient="row")
    kinds = pl.DataFrame(
        [
            (index, day, *_spans(permitted[index, d], params))
            for index in range(len(permitted))
            for d, day in enumerate(days)
        ],
        schema={"window": pl.Int64, **{n: CALL_WINDOW_COLUMNS[n] for n in ("day", "from_min", "to_min")}},
        orient="row",
    )
    others = pl.DataFrame({"account_id": names, "window": window, "zone": zone})[promised.height :]
    joined = others.join(kinds, on="window", how="inner", maintain_order="left_right")
    return pl.concat([first, joined.select(list(CALL_WINDOW_COLUMNS))])


def _spans(permitted: NDArray[np.bool_], params: ScheduleParams) -> tuple[list[int], list[int]]:
    """Return where runs of permitted intervals begin and end, in minutes after midnight."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], permitted, [False]]).astype(np.int64)))
    minutes = params.opens_min + edges * params.interval_min
    return minutes[::2].tolist(), minutes[1::2].tolist()


def _possible(
    k: int, promised: pl.DataFrame, permitted: NDArray[np.bool_], days: Sequence[date], params: ScheduleParams
) -> NDArray[np.bool_]:
    """Return when a call may be made; a promised one when it is promised."""
    if k >= promised.height:
        return permitted
    found = np.zeros_like(permitted)
    for day, name in enumerate(days):
        place = interval_of(promised["at"][k], name, params)
        if place is not None:
            found[day, place] = True
    return found


def find_call_windows(
    inputs: PlanInputs,
    chosen: pl.DataFrame,
    catalogue: Catalogue,
    promised: pl.DataFrame,
    *,
    days: Sequence[date],
    params: ScheduleParams,
) -> tuple[CallWindows, ...]:
    """Return per day how many of the calls may be made in which intervals.

    A call is counted on the first day on which it may be made. A promised one is made when it is promised.
    """
    row_of = {name: row for row, name in enumerate(inputs.accounts["account_id"])} if promised.height else {}
    wanted = chosen["channel"].eq(CALLING).fill_null(value=False).to_numpy()
    wanted[[row_of[name] for name in promised["account_id"]]] = False
    rows = np.flatnonzero(wanted)
    window, permitted, _ = find_windows(inputs, rows, catalogue, CALLING, days=days, params=params)
    calls = np.bincount(window, minlength=len(permitted)).astype(np.float64)
    found = []
    for day in range(len(days)):
        here = permitted[:, day].any(axis=1) & (calls > 0)
        kinds, number = permitted[here, day], calls[here]
        calls = np.where(here, 0.0, calls)
        moments = [
            place for at in promised["at"] if (place := interval_of(at, days[day], params)) is not None
        ]
        own = np.zeros((len(moments), params.intervals), dtype=np.bool_)
        own[np.arange(len(moments)), moments] = True
        found.append(distinct_windows(np.concatenate([kinds, own]), np.append(number, np.ones(len(moments)))))
    return tuple(found)


def missed_calls(
    windows: Sequence[CallWindows], left: Sequence[NDArray[np.bool_]]
) -> tuple[CallWindows, ...] | None:
    """Return the windows with a call more for each one that found no place; None where all have one.

    Parameters
    ----------
    left
        For each such call: when it may be made, shape (days, intervals).
    """
    now = [(kinds, number.copy()) for kinds, number in windows]
    more = False
    for permitted in left:
        for day in np.flatnonzero(permitted.any(axis=1))[:1]:
            kinds, number = now[day]
            # only the most frequent kinds are kept apart: another counts with the one most like it
            number[int((kinds & permitted[day]).sum(axis=1).argmax())] += 1.0
            more = True
    return tuple(now) if more else None


def distinct_windows(kinds: NDArray[np.bool_], number: Floats) -> CallWindows:
    """Add up equal windows, and rare ones with that of the frequent ones they have most in common with."""
    if not len(kinds):
        return kinds, number
    distinct, place = np.unique(kinds, axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), weights=number).astype(np.float64)
    order = np.lexsort((np.arange(total.size), -total))
    frequent, rare = order[:_MOST_WINDOWS], order[_MOST_WINDOWS:]
    common = (distinct[rare].astype(np.int64) @ distinct[frequent].astype(np.int64).T).argmax(axis=1)
    np.add.at(total, frequent[common], total[rare])
    return distinct[frequent], total[frequent]


def honour_call_backs(
    force: Workforce, promised: pl.DataFrame, days: Sequence[date], params: ScheduleParams
) -> Workforce:
    """Put somebody on calls at each promised moment: who promised, else who does work that may wait."""
    calling = CHANNELS.index(CALLING)
    activity = [item.copy() for item in force.activity]
    kept: Counter[tuple[int, int]] = Counter()
    for _, at, promised_by in promised.sort("at").iter_rows():
        moments = [(day, interval_of(at, name, params)) for day, name in enumerate(days)]
        for day, place in moments:
            if place is None:
                continue
            kept[day, place] += 1
            now = activity[day][:, place]
            able = np.array([CALLING in force.skills[person] for person in force.people[day]], dtype=np.bool_)
            here = np.flatnonzero((now != IDLE) & able)
            own = [k for k in here if force.rep_id(int(force.people[day][k])) == promised_by]
            # one for each promise of that moment
            if own or (now[here] == calling).sum() < kept[day, place]:
                waits = np.array(
                    [now[k] != IDLE and params.work_of(CHANNELS[now[k]]).kind == "drain" for k in here]
                )
                idle = here[now[here] != calling]
                others = idle[np.argsort(~waits[now[here] != calling].astype(np.bool_), kind="stable")]
                for k in (own or others.tolist())[:1]:
                    now[k] = calling
    return replace(force, activity=tuple(activity))


def _by_importance(chosen: pl.DataFrame, rows: Ints) -> Ints:
    """Sort rows: urgent ones first, then the most valuable."""
    value = chosen["expected_value_eur"].fill_null(0.0).to_numpy()[rows]
    urgent = chosen["urgent"].to_numpy()[rows]
    return rows[np.lexsort((rows, -value, ~urgent))]


def _people(day: Ints, place: Ints, rep_of: Callable[[int, int], str]) -> pl.Series:
    """Return who makes each call: few people make many."""
    pairs, of_pair = np.unique(np.column_stack([day, place]), axis=0, return_inverse=True)
    return pl.Series([rep_of(*pair) for pair in pairs.tolist()], dtype=pl.String).gather(of_pair.ravel())


def _calls(
    names: pl.Series,
    value: Floats,
    slot: Ints,
    slots: Slots,
    zone: pl.Series,
    *,
    promised: int,
    rep_of: Callable[[int, int], str],
    days: Sequence[date],
    handle_min: float,
    company: str,
) -> pl.DataFrame:
    """Return `CALL_COLUMNS` of the calls that have a slot; the first `promised` ones are call-backs."""
    k = np.flatnonzero(slot >= 0)
    day, minute, person = (item[slot[k]] for item in (slots.day, slots.start_min, slots.person))
    midnights = np.array(days, dtype="datetime64[us]")
    frame = pl.DataFrame(
        {
            "rep_id": _people(day, person, rep_of),
            "account_id": names.gather(k),
            "channel": [CALLING] * k.size,
            "start_at": midnights[day] + minute.astype("timedelta64[m]"),
            "zone": zone.gather(k),
            "priority": k + 1,
            "value_eur": value[k],
            "call_back": k < promised,
        }
    )
    clocks = frame.select("start_at", "zone").unique()
    local = [on_clock_of(start, company, name) for start, name in clocks.iter_rows()]
    clocks = clocks.with_columns(pl.Series("local_start_at", local, CALL_COLUMNS["local_start_at"]))
    return (
        frame.join(clocks, on=["start_at", "zone"], how="left", maintain_order="left")
        .with_columns(end_at=pl.col("start_at") + timedelta(minutes=handle_min))
        .select(pl.col(name).cast(kind) for name, kind in CALL_COLUMNS.items())
        .sort("start_at", "rep_id")
    )
