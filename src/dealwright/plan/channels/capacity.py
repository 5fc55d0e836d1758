"""How much each channel can take in a day, and where that number comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import polars as pl

from dealwright.errors import InputError
from dealwright.plan.channels.params import DEFAULT_LIMITS, ChannelLimit
from dealwright.schemas import CHANNELS

MINUTES_PER_HOUR: Final = 60.0
FROM_ROUTES: Final = "what the routes hold"
FROM_STAFF: Final = "what the staff at work can do"


@dataclass(frozen=True)
class Capacity:
    """What a channel takes in a day; `contacts` is inf where nothing limits it."""

    channel: str
    contacts: float
    source: str
    limit: ChannelLimit

    @property
    def minutes(self) -> float:
        """Return the working minutes in a day."""
        return self.contacts * _given(self.limit.handle_min)


def derive_capacities(
    reps: pl.DataFrame | None,
    limits: Mapping[str, ChannelLimit],
    given: Mapping[str, float],
    visits_per_day: int,
) -> tuple[Capacity, ...]:
    """Return the capacity of every channel, in the order of `CHANNELS`.

    What the run found out (`given`) comes first, then what was declared, then what people and hours allow,
    then (in the field) what the representatives say they can visit.

    Raises
    ------
    InputError
        A negative number, a share outside [0, 1), or an unknown channel.
    """
    for name in (*limits, *given):
        if name not in CHANNELS:
            raise InputError(f"channel limits name {name!r}: use one of {', '.join(CHANNELS)}")
    return tuple(_derive(name, reps, _complete(name, limits), given, visits_per_day) for name in CHANNELS)


def _derive(
    name: str, reps: pl.DataFrame | None, limit: ChannelLimit, given: Mapping[str, float], visits_per_day: int
) -> Capacity:
    if name in given:
        if not given[name] >= 0:
            raise InputError(
                f"the capacity of {name} is {given[name]}: give a number of contacts of at least 0"
            )
        source = FROM_ROUTES if name == "field" else FROM_STAFF
        return Capacity(name, float(given[name]), source, limit)
    if limit.capacity is not None:
        return Capacity(name, float(limit.capacity), "declared", limit)
    if limit.people is not None:
        hours, shrinkage, occupancy = (
            _given(x) for x in (limit.hours_per_day, limit.shrinkage, limit.occupancy)
        )
        minutes = limit.people * hours * MINUTES_PER_HOUR * (1 - shrinkage) * occupancy
        source = f"{limit.people} people × {hours:g} h, {shrinkage:.0%} shrinkage, {occupancy:.0%} busy"
        return Capacity(name, math.floor(minutes / _given(limit.handle_min) + 1e-9), source, limit)
    if name == "field" and reps is not None:
        return _visits_of(reps, limit, visits_per_day)
    return Capacity(name, math.inf, "no limit is known", limit)


def _visits_of(reps: pl.DataFrame, limit: ChannelLimit, visits_per_day: int) -> Capacity:
    """Add up what the representatives say they can visit."""
    if "visits_per_day" in reps.columns:
        visits = reps["visits_per_day"].fill_null(visits_per_day).clip(lower_bound=0).sum()
    else:
        visits = reps.height * visits_per_day
    return Capacity("field", float(visits), f"visits per day of {reps.height} representatives", limit)


def _complete(name: str, limits: Mapping[str, ChannelLimit]) -> ChannelLimit:
    """Fill what was not declared with the defaults, and check what was."""
    own, default = limits.get(name, ChannelLimit()), DEFAULT_LIMITS[name]
    values = {}
    for item in fields(ChannelLimit):
        value = getattr(own, item.name)
        values[item.name] = getattr(default, item.name) if value is None else value
        where = f"channel.limits.{name}.{item.name} = {value}"
        if value is None:
            continue
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{where}: use a number of at least 0")
        if item.name == "shrinkage" and value >= 1:
            raise InputError(f"{where}: use a share from 0 to below 1, such as 0.3")
        if item.name == "occupancy" and not 0 < value <= 1:
            raise InputError(f"{where}: use a share above 0 and at most 1, such as 0.85")
        if item.name == "handle_min" and value == 0:
            raise InputError(f"{where}: use minutes above 0")
    return ChannelLimit(**values)


def _given(value: float | None) -> float:
    if value is None:
        raise AssertionError("a default is missing")
    return value
