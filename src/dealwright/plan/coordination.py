"""Who is reached tonight: channels, routes and shifts, coordinated with one another.

Channels are allocated as if representatives could visit everybody, so that routing chooses among all who are
worth a visit: only it knows what is on the way. What the routes hold is then settled, and whoever they leave
out gets another channel, or waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from dealwright.plan.actions import Actions
from dealwright.plan.channels import ChannelParams, Channels, allocate_channels
from dealwright.plan.commitments import commitment_frame, find_commitments
from dealwright.plan.params import PlanParams
from dealwright.plan.routing import Routes, route
from dealwright.plan.routing.stage import SolvedDays
from dealwright.plan.staffing import Schedule, schedule
from dealwright.plan.staffing.shifts import SolvedCovers
from dealwright.plan.territories import Territories
from dealwright.plan.trace import Tracer, hash_frame, hash_params, hash_text
from dealwright.plan.travel import TravelTimes
from dealwright.schemas import CLOSED, DUE, PLANNED, PROMISED, PlanInputs

_FIELD: Final = "field"


class Reach(NamedTuple):
    """Channels and routes that fit one another and the people there are.

    `roster` is the schedule for these channels, where they were found with it.
    """

    channels: Channels
    routes: Routes | None
    roster: Schedule | None


class Coordination(NamedTuple):
    """Channels, routes and shifts that fit one another; `routes` is ``None`` where nobody can be visited."""

    channels: Channels
    routes: Routes | None
    schedule: Schedule


@dataclass(frozen=True)
class Solved:
    """What was found for one night: a plan with one more of something takes over what stays."""

    days: SolvedDays = field(default_factory=dict)  # of representatives; see `route`
    # allocations of the plan itself, by what they depend on
    channels: dict[str, Channels] = field(default_factory=dict)
    covers: SolvedCovers = field(default_factory=dict)  # of the contact centre's days; see `schedule`

    def clear(self) -> None:
        """Forget all of it: an allocation holds a row per account."""
        self.days.clear()
        self.channels.clear()
        self.covers.clear()


@dataclass(frozen=True)
class Night:
    """What is known before channels, routes and shifts are coordinated.

    Attributes
    ----------
    territories
        ``None`` where nobody can be visited: without positions or representatives.
    waitlist, carried
        Of the last run.
    solved
        What was found before: taken over where nothing it depends on has changed.
    executor
        Where days are planned and simulated; by default threads.
    """

    stages: Tracer
    data: PlanInputs
    actions: Actions
    territories: Territories | None
    params: PlanParams
    waitlist: pl.DataFrame | None = None
    carried: Mapping[str, float] | None = None
    travel: TravelTimes | None = None
    solved: Solved = field(default_factory=Solved)
    executor: Executor | None = None

    def coordinate(self) -> Coordination:
        """Run *channel*, *route* and *schedule* until they agree."""
        channels, routes, roster = self.find_reach()
        return Coordination(channels, routes, roster or self.staff(channels))

    def find_reach(self) -> Reach:
        """Run them only so far that it is known who is reached: the shifts may not be needed for that."""
        data, params = self.data, self.params
        commitments = find_commitments(data, params.route, params.schedule)
        capacities: dict[str, float] = {}
        if self.territories is not None and not _limited(params.channel):
            capacities[_FIELD] = np.inf
        channels = self._allocate(commitments, capacities)
        roster: Schedule | None = None  # the schedule for `channels`, once it is known
        for _ in range(params.capacity_rounds if data.staff is not None else 0):
            roster = self.staff(channels)
            short = {
                name: most for name, most in roster.capacities.items() if most < _scheduled(channels, name)
            }
            if not short:
                break
            capacities |= short
            channels, roster = self._allocate(commitments, capacities), None
        if self.territories is None:
            return Reach(channels, None, roster)
        routes = self.stages.run(
            "route", data.accounts.height, route, data.accounts, data.reps, params.route,
            decisions=channels.frame, territories=self.territories.frame, promises=data.promises,
            frequencies=data.frequencies, travel=self.travel, schema=data.schema, as_of=data.as_of,
            solved=self.solved.days, executor=self.executor,
        )  # fmt: skip
        commitments = settle_visits(commitments, routes)
        visits = commitments.filter(pl.col("channel") == _FIELD, pl.col("kind").is_in([PROMISED, PLANNED]))
        capacities[_FIELD] = float(visits.height)
        channels = self._allocate(commitments, capacities, days={_FIELD: params.route.days})
        return Reach(channels, routes, None)

    def _allocate(
        self,
        commitments: pl.DataFrame,
        capacities: Mapping[str, float],
        days: Mapping[str, int] | None = None,
    ) -> Channels:
        """Run *channel*, unless a plan with one more did before with the same capacities and commitments."""
        data, known, params = self.data, self.solved.channels, self.params.channel
        if params.exploration_of_gain is None:
            of_gain = self.params.action.catalogue.exploration.of_gain
            params = replace(params, exploration_of_gain=of_gain)
        # representatives count where the field has no capacity yet
        reps = None if _FIELD in capacities else hash_frame(data.reps)
        given = (sorted(capacities.items()), sorted((days or {}).items()), reps, hash_params(params))
        key = hash_text(f"{given!r}|{hash_frame(commitments)}")
        if key in known and self.stages.quiet:
            return known[key]
        found = self.stages.run(
            "channel", data.accounts.height, allocate_channels, data.accounts, self.actions.frame,
            params, options=self.actions.options, reps=data.reps, capacities=dict(capacities),
            waiting=self.waitlist, commitments=commitments, days=days,
            schema=data.schema, as_of=data.as_of,
        )  # fmt: skip
        # what a plan with one more finds differs from what any other finds, and is a row per account
        if not self.stages.quiet:
            known[key] = found
        return found

    def staff(self, channels: Channels) -> Schedule:
        """Run *schedule* for the contacts that the channels hold."""
        data = self.data
        return self.stages.run(
            "schedule", data.accounts.height, schedule, data.accounts, channels.frame, self.params.schedule,
            staff=data.staff, arrivals=data.arrivals, call_backs=data.call_backs, carried=self.carried,
            touches=data.logs()["touches"], catalogue=self.params.action.catalogue,
            schema=data.schema, as_of=data.as_of,
            # days that are planned again to see what changes are hardly simulated
            executor=None if self.stages.quiet else self.executor,
            solved=self.solved.covers,
        )  # fmt: skip


def settle_visits(commitments: pl.DataFrame, routes: Routes) -> pl.DataFrame:
    """Return `COMMITMENT_COLUMNS` with the visits that the routes hold, and those that will not be made.

    An account left out for lack of room stays in the queue for a visit; to one left out for any other reason
    the field is closed tonight.
    """
    visited = routes.visits["account_id"].unique(maintain_order=True)
    was_due = visited.is_in(commitments.filter(pl.col("kind") == DUE)["account_id"].implode())
    why = pl.select(pl.when(was_due).then(pl.lit("its visit was due"))).to_series()
    held = commitment_frame(visited, _FIELD, PLANNED, why)
    never = routes.left_out.filter(~pl.col("no_room")).unique("account_id", keep="first", maintain_order=True)
    closed = commitment_frame(never["account_id"], _FIELD, CLOSED, never["reason"])
    promised = commitments.filter(pl.col("kind") == PROMISED)
    # a promise stays one, kept or not; what the routes say comes before what was only due
    return pl.concat([promised, held, closed, commitments]).unique(
        "account_id", keep="first", maintain_order=True
    )


def _limited(params: ChannelParams) -> bool:
    """Tell whether the user said how many visits there may be."""
    limit = params.limits.get(_FIELD)
    return limit is not None and (limit.capacity is not None or limit.people is not None)


def _scheduled(channels: Channels, name: str) -> float:
    """Return how many accounts a channel was given."""
    return float(channels.table.filter(pl.col("channel") == name)["scheduled"].item())
