"""Who is reached tonight: channels, routes and shifts, each told what the others found.

Channels are allocated as if representatives could visit everybody, so that routing chooses among all who are
worth a visit: only it knows what is on the way. What the routes hold is then settled, and whoever they leave
out gets another channel, or waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from dealwright.plan.action import Actions
from dealwright.plan.agreed import CLOSED, DUE, PLANNED, PROMISED, agreed_frame, agreements
from dealwright.plan.channel import ChannelParams, Channels, allocate_channels
from dealwright.plan.route import Routes, route
from dealwright.plan.routing.travel import TravelTimes
from dealwright.plan.schedule import Schedule, schedule
from dealwright.plan.territory import Territories
from dealwright.plan.trace import Tracer
from dealwright.schemas import PlanInputs

if TYPE_CHECKING:
    from dealwright.plan.run import PlanParams, PreviousRun

_FIELD: Final = "field"


def serve(
    stages: Tracer,
    data: PlanInputs,
    actions: Actions,
    territories: Territories | None,
    params: PlanParams,
    *,
    last: PreviousRun,
    travel: TravelTimes | None,
) -> None:
    """Run *channel*, *route* and *schedule*; their last results are the plan's.

    Parameters
    ----------
    territories
        None where nobody can be visited: without positions or representatives.
    """
    night = _Night(stages, data, actions, params, last, agreements(data, params.route, params.schedule))
    capacities: dict[str, float] = {}
    if territories is not None and not _limited(params.channel):
        capacities[_FIELD] = np.inf
    channels = night.allocate(capacities)
    staffed = False
    for _ in range(params.capacity_rounds if data.staff is not None else 0):
        found = night.staff(channels).capacities
        short = {name: most for name, most in found.items() if most < _scheduled(channels, name)}
        staffed = not short
        if staffed:
            break
        capacities |= short
        channels = night.allocate(capacities)
    if territories is not None:
        routes = stages.run(
            "route", data.accounts.height, route, data, actions, params.route,
            territories=territories, channels=channels, promises=data.promises,
            frequencies=data.frequencies, travel=travel,
        )  # fmt: skip
        night = replace(night, agreed=settle_visits(night.agreed, routes))
        visits = night.agreed.filter(pl.col("channel") == _FIELD, pl.col("kind").is_in([PROMISED, PLANNED]))
        capacities[_FIELD] = float(visits.height)
        channels = night.allocate(capacities, days={_FIELD: params.route.days})
        staffed = False
    if not staffed:
        night.staff(channels)


@dataclass(frozen=True)
class _Night:
    """What does not change while channels and shifts are tried."""

    stages: Tracer
    data: PlanInputs
    actions: Actions
    params: PlanParams
    last: PreviousRun
    agreed: pl.DataFrame

    def allocate(self, capacities: Mapping[str, float], days: Mapping[str, int] | None = None) -> Channels:
        """Run *channel*."""
        return self.stages.run(
            "channel", self.data.accounts.height, allocate_channels, self.data, self.actions,
            self.params.channel, capacities=dict(capacities), waiting=self.last.waitlist, agreed=self.agreed,
            days=days,
        )  # fmt: skip

    def staff(self, channels: Channels) -> Schedule:
        """Run *schedule*."""
        data = self.data
        return self.stages.run(
            "schedule", data.accounts.height, schedule, data, self.actions, channels, self.params.schedule,
            staff=data.staff, arrivals=data.arrivals, call_backs=data.call_backs, carried=self.last.carried,
        )  # fmt: skip


def settle_visits(agreed: pl.DataFrame, routes: Routes) -> pl.DataFrame:
    """Return `COMMITMENT_COLUMNS` with the visits that the routes hold, and those that will not be made.

    An account left out for lack of room stays in the queue for a visit; to one left out for any other reason
    the field is closed tonight.
    """
    visited = routes.visits["account_id"].unique(maintain_order=True)
    was_due = visited.is_in(agreed.filter(pl.col("kind") == DUE)["account_id"].implode())
    told = pl.select(pl.when(was_due).then(pl.lit("its visit was due"))).to_series()
    held = agreed_frame(visited, _FIELD, PLANNED, told)
    never = routes.left_out.filter(~pl.col("no_room")).unique("account_id", keep="first", maintain_order=True)
    closed = agreed_frame(never["account_id"], _FIELD, CLOSED, never["reason"])
    promised = agreed.filter(pl.col("kind") == PROMISED)
    # a promise stays one, kept or not; what the routes say comes before what was only due
    return pl.concat([promised, held, closed, agreed]).unique("account_id", keep="first", maintain_order=True)


def _limited(params: ChannelParams) -> bool:
    """Tell whether the user said how many visits there may be."""
    limit = params.limits.get(_FIELD)
    return limit is not None and (limit.capacity is not None or limit.people is not None)


def _scheduled(channels: Channels, name: str) -> float:
    """Return how many accounts a channel was given."""
    return float(channels.table.filter(pl.col("channel") == name)["scheduled"].item())
