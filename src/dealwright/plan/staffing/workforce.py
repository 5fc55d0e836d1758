"""The people at work: who is where in each interval of each day, and what that lets the contact centre do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.staffing.activities import assign_activities
from dealwright.plan.staffing.demand import ChannelDemand, Floats, Ints
from dealwright.plan.staffing.params import DEFAULT_WORK, ScheduleParams
from dealwright.plan.staffing.patterns import Shift
from dealwright.plan.staffing.roster import Person, Roster
from dealwright.plan.staffing.shifts import Cover

CHANNELS = tuple(DEFAULT_WORK)
_ROUNDING = 1e-3  # of a contact: what a solver allows, added up over the day


@dataclass(frozen=True)
class Workforce:
    """People and their activities."""

    # of every person
    rep_ids: tuple[str, ...]
    skills: tuple[frozenset[str], ...]
    people: tuple[Ints, ...]  # per day: the person of each row of `activity`
    # per day: channel (index of `CHANNELS`) by row and interval, `IDLE` when not at work
    activity: tuple[Ints, ...]
    # per day: people's worth of work done between the contacts of queues, by channel and interval
    between: tuple[Floats, ...]

    def rep_id(self, person: int) -> str:
        """Return the id of a person."""
        return self.rep_ids[person]

    def scheduled(self, day: int) -> Ints:
        """Return the people at work per channel and interval."""
        return np.stack([(self.activity[day] == c).sum(axis=0) for c in range(len(CHANNELS))])

    def channels_of(self, day: int) -> dict[int, list[str]]:
        """Return the channels that each person at work on a day works on."""
        busy = np.stack([(self.activity[day] == c).any(axis=1) for c in range(len(CHANNELS))], axis=1)
        return {
            person: [CHANNELS[c] for c in np.flatnonzero(on)]
            for person, on in zip(self.people[day].tolist(), busy, strict=True)
        }

    def contacts_per_day(self, day: int, params: ScheduleParams) -> dict[str, float]:
        """Return how many contacts those at work can make on each channel."""
        people = (self.scheduled(day) + self.between[day]).sum(axis=1) * params.interval_min
        result = {}
        for c, channel in enumerate(CHANNELS):
            work = params.work_of(channel)
            minutes = float(people[c]) * work.pace
            result[channel] = float(np.floor(minutes / work.handle_min + _ROUNDING))
        return result


def put_to_work(
    roster: Roster,
    covers: Sequence[Cover],
    members: Sequence[tuple[tuple[int, ...], ...]],
    staff: tuple[Person, ...] | None,
    *,
    shifts: Sequence[Sequence[Shift]],
    demand: Sequence[ChannelDemand],
    params: ScheduleParams,
) -> Workforce:
    """Give everybody on the roster their work in each interval.

    Parameters
    ----------
    demand
        In the order of the covers' channels.
    """
    queue = np.array([item.work.kind == "queue" for item in demand])
    people, activity = [], []
    for day, cover in enumerate(covers):
        assignments = [assignment for assignment in roster.assignments if assignment.day == day]
        worked = {shift: shifts[day][shift].works(params) for shift in {a.shift for a in assignments}}
        on = np.array([worked[a.shift] for a in assignments], dtype=np.bool_)
        can = np.array(
            [
                [staff is None or item.channel in staff[who[0]].channels for item in demand]
                for who in members[day]
            ],
            dtype=np.bool_,
        ).reshape(-1, len(demand))
        people.append(np.array([assignment.person for assignment in assignments], dtype=np.int64))
        activity.append(
            assign_activities(
                on.reshape(-1, params.intervals),
                np.array([assignment.group for assignment in assignments], dtype=np.int64),
                cover.assigned,
                can,
                queue,
            )
        )
    between = [
        cover.between * on_queues(there, cover.assigned[:, queue].sum(axis=(0, 1)), queue)
        for cover, there in zip(covers, activity, strict=True)
    ]
    count = 1 + max((int(item.max(initial=-1)) for item in people), default=-1)
    ids = (
        tuple(f"agent {k + 1:03d}" for k in range(count)) if staff is None else tuple(p.rep_id for p in staff)
    )
    skills = (frozenset(CHANNELS),) * count if staff is None else tuple(p.channels for p in staff)
    return Workforce(ids, skills, tuple(people), tuple(activity), tuple(between))


def callers(force: Workforce, channel: str) -> Mapping[int, tuple[Ints, Ints]]:
    """Return per day the people and whether they are on a channel in each interval."""
    index = CHANNELS.index(channel)
    return {day: (force.people[day], force.activity[day] == index) for day in range(len(force.people))}


def on_queues(activity: Ints, wanted: Floats, queue: NDArray[np.bool_]) -> Floats:
    """Return which share of those meant to be on queues is there, per interval: a shift may find nobody."""
    there = np.isin(activity, np.flatnonzero(queue)).sum(axis=0)
    share = np.divide(there, wanted, out=np.ones(wanted.size), where=wanted > 0)
    return np.asarray(np.minimum(share, 1.0))
