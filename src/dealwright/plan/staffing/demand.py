"""How much work comes when: contacts per interval and channel, and the agents they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.plan.staffing.erlang import required_agents, scheduled_agents
from dealwright.plan.staffing.params import DAY_MIN, DEFAULT_WORK, ScheduleParams, Work
from dealwright.schemas import ARRIVAL_COLUMNS, PlanInputs, conform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_EPSILON: Final = 1e-9


@dataclass(frozen=True)
class ChannelDemand:
    """The work of one channel on one day, by interval."""

    channel: str
    work: Work
    # arriving in each interval; the plan's own and what was left over count in the first one
    contacts: Floats
    required: Ints  # agents to be scheduled, for a queue; zeros for work that may wait
    # scheduled agent-intervals of work that may wait which must be done by the end of each interval,
    # accumulated
    due: Floats
    arrived: Floats  # the same, that can have been done by then
    idle: Floats  # of the required agents of a queue, how many are left over for work that may be interrupted
    # of work that may be done only at certain times, how many agent-intervals at which; None where it does
    # not matter
    windows: tuple[tuple[float, Bools], ...] | None
    source: str  # where the numbers come from
    # of the contacts, those the plan itself makes: what is left of them the next night plans again
    own: float = 0.0


def forecast_contacts(
    inputs: PlanInputs,
    scheduled: Mapping[str, float],
    arrivals: pl.DataFrame | None,
    carried: Mapping[str, float],
    params: ScheduleParams,
    *,
    skipped: NDArray[np.bool_] | None = None,
) -> dict[str, tuple[Floats, float, str]]:
    """Return for each channel the contacts per interval, those the plan itself makes, and the source.

    Parameters
    ----------
    scheduled
        Channel -> contacts the plan itself makes on the day; they may be done at any time of it.
    arrivals
        `ARRIVAL_COLUMNS`: a forecast that counts instead of the accounts' own incoming calls.
    carried
        Channel -> contacts left over from before.
    skipped
        Intervals that are not there, because clocks go forward over them: nobody gets in touch then.

    Raises
    ------
    InputError
        Unknown channels, negative or missing numbers.
    """
    for name, number in carried.items():
        if name not in DEFAULT_WORK or not (np.isfinite(number) and number >= 0):
            raise InputError(
                f"carried-over work {name} = {number}: give a number of at least 0 for one of "
                f"{', '.join(DEFAULT_WORK)}"
            )
    given = _read_arrivals(arrivals, params)
    result = {}
    for channel in DEFAULT_WORK:
        contacts, source = np.zeros(params.intervals), "nothing is known to arrive"
        if channel in given:
            contacts, source = given[channel].copy(), "the forecast given"
        elif channel == "inbound_cc":
            daily = _calls_per_day(inputs, params)
            if daily is not None:
                contacts, source = daily * daily_profile(params), "the accounts' incoming calls"
        first = 0
        if skipped is not None:
            contacts[skipped] = 0.0
            first = int(np.argmin(skipped))
        own = scheduled.get(channel, 0.0) if params.work_of(channel).kind == "drain" else 0.0
        if own:
            source = (
                "the plan's own contacts" if source.startswith("nothing") else f"{source}, and the plan's own"
            )
        if carried.get(channel):
            contacts[first] += carried[channel]
            source += f", and {carried[channel]:g} carried over"
        result[channel] = contacts, own, source
    return result


def measure_demand(
    channel: str,
    contacts: Floats,
    own: float,
    source: str,
    *,
    params: ScheduleParams,
    windows: Sequence[tuple[float, Bools]] | None = None,
) -> ChannelDemand:
    """Turn contacts into the agents they need.

    A queue needs in each interval what Erlang's formulas say for its load. Work that may wait has to be done
    within `Work.drain_h` opening hours, and by the end of the day at the latest; the plan's own contacts by
    the end of the day.

    Parameters
    ----------
    own
        Contacts the plan itself makes, at any time of the day.
    windows
        Of these, how many can be made in which intervals; None where that does not matter.
    """
    work, count, length = params.work_of(channel), params.intervals, params.interval_min
    nothing = np.zeros(count)
    if work.kind == "queue":
        load = contacts / length * work.handle_min
        distinct, place = np.unique(load, return_inverse=True)
        agents = np.array([required_agents(float(item), work) for item in distinct], dtype=np.int64)
        required = scheduled_agents(agents, work.shrinkage)[place]
        busy = load / work.pace
        idle = np.maximum(required - busy, 0.0)
        return ChannelDemand(channel, work, contacts, required, nothing, nothing, idle, None, source)
    per_contact = work.handle_min / work.pace / length
    waiting = np.cumsum(contacts) * per_contact
    wait = drain_intervals(work, params)
    # arrived in interval t means due by the end of interval t + wait − 1
    due = np.concatenate([np.zeros(min(wait - 1, count)), waiting])[:count]
    if windows is None:
        ready, arrived = None, waiting + own * per_contact
    else:
        # nobody need come in for customers who cannot be called
        ready = tuple((calls * per_contact, permitted) for calls, permitted in windows if permitted.any())
        arrived = waiting + sum(amount for amount, _ in ready)
        if contacts.any():
            ready = (*ready, (float(waiting[-1]), np.ones(count, dtype=np.bool_)))
    due[-1] = arrived[-1]
    total = contacts + np.append(own, np.zeros(count - 1))
    return ChannelDemand(
        channel, work, total, np.zeros(count, dtype=np.int64), due, arrived, nothing, ready, source, own
    )


def drain_intervals(work: Work, params: ScheduleParams) -> int:
    """Return within how many intervals work that may wait is to be done, that of its arrival counted."""
    return max(round(work.drain_h * 60.0 / params.interval_min), 1)


def daily_profile(params: ScheduleParams) -> Floats:
    """Return the share of a day's contacts in each interval: the weights of the hours, smoothed."""
    middle = params.opens_min + (np.arange(params.intervals) + 0.5) * params.interval_min
    # hours past midnight are those of the next morning
    weight = np.interp(middle / 60.0, np.arange(48) + 0.5, params.hours * 2)
    total = float(weight.sum())
    return np.asarray(weight / total) if total > 0 else np.full(params.intervals, 1.0 / params.intervals)


def _calls_per_day(inputs: PlanInputs, params: ScheduleParams) -> float | None:
    column = inputs.schema.role("inbound_calls")
    if column is None:
        return None
    calls = float(inputs.accounts[column].cast(pl.Float64).fill_null(0.0).clip(lower_bound=0.0).sum())
    # all calls come in opening hours of working days
    return calls / params.inbound_days * 7.0 / len(set(params.weekdays))


def _read_arrivals(arrivals: pl.DataFrame | None, params: ScheduleParams) -> dict[str, Floats]:
    """Spread a forecast over the plan's intervals, each of its rows over the time until the next row."""
    table = conform(arrivals, ARRIVAL_COLUMNS, *ARRIVAL_COLUMNS)
    edges = params.opens_min + np.arange(params.intervals + 1) * params.interval_min
    found = {}
    for (channel,), rows in table.group_by("channel", maintain_order=True):
        by_start = rows.group_by("start_min").agg(pl.col("contacts").sum()).sort("start_min")
        start = by_start["start_min"].to_numpy().astype(np.float64)
        # where the centre is open past midnight, 30 is half past twelve of that night
        start = np.where(
            (start < params.opens_min) & (start + DAY_MIN < params.ends_min), start + DAY_MIN, start
        )
        order = np.argsort(start, kind="stable")
        start, number = start[order], by_start["contacts"].to_numpy()[order]
        step = float(np.diff(start).min()) if start.size > 1 else float(params.interval_min)
        outside = (start + _EPSILON < params.opens_min) | (start + _EPSILON > params.ends_min - step + 1)
        if outside.any():
            raise InputError(
                f"the forecast of {channel} has contacts at {int(start[outside][0])} minutes after "
                f"midnight, outside "
                f"the opening hours {params.opens_min} to {params.closes_min}: "
                "correct schedule.opens_min or closes_min"
            )
        ends = np.unique(np.concatenate([start, start + step]))
        total = np.zeros(ends.size)
        np.add.at(total, np.searchsorted(ends, start + step), number)
        found[str(channel)] = np.diff(np.interp(edges, ends, np.cumsum(total)))
    return found
