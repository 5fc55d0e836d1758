"""Parameters of the stage *channel*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from dealwright.errors import InputError


@dataclass(frozen=True)
class ChannelParams:
    """How accounts are allocated to channels.

    Attributes
    ----------
    limits
        Channel -> what limits it; what is not given has a default or is derived.
    consumption
        ``"unit"``: every contact takes one of the channel's contacts of the day (solved exactly).
        ``"minutes"``: a contact takes the account's own minutes of the channel's minutes of the day (the gap
        to the best is certified).
    actions
        ``"chosen"``: only channels of the chosen action. ``"any"``: an account may get another action whose
        channel has room.
    preference_factor
        Multiplies the value of the account's preferred channel.
    sla_by_action_min
        Action -> minutes within which it is to happen, where that is other than its channel's.
    visits_per_day
        Of representatives without their own.
    way_min
        With ``"minutes"``: the way to an account, added to its own visit time.
    exploration_share
        Accounts drawn for exploration go first up to this share of a capacity; beyond it they compete by
        value.
    exploration_of_gain
        What exploration may give up, as a share of what the day would bring without it: what the stage
        *action* gave up counts, and fewer go first where the places they take are dear. None: as the
        catalogue of actions says in a plan, else 0.02.
    """

    limits: Mapping[str, ChannelLimit] = field(default_factory=dict)
    consumption: Literal["unit", "minutes"] = "unit"
    actions: Literal["chosen", "any"] = "chosen"
    preference_factor: float = 1.1
    sla_by_action_min: Mapping[str, float] = field(default_factory=lambda: {"service_recovery": 480.0})
    visits_per_day: int = 8
    way_min: float = 20.0
    exploration_share: float = 0.2
    exploration_of_gain: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming them."""
        if not self.preference_factor >= 1:
            raise InputError(f"preference_factor = {self.preference_factor}: use 1 (no effect) or more")
        if not 0 <= self.exploration_share <= 1:
            raise InputError(f"exploration_share = {self.exploration_share}: use a share from 0 to 1")
        if self.exploration_of_gain is not None and not 0 <= self.exploration_of_gain <= 1:
            raise InputError(f"exploration_of_gain = {self.exploration_of_gain}: use a share from 0 to 1")
        if self.visits_per_day < 0 or self.way_min < 0:
            raise InputError("visits_per_day and way_min: use 0 or more")
        for name, minutes in self.sla_by_action_min.items():
            if not minutes > 0:
                raise InputError(f"sla_by_action_min.{name} = {minutes}: use minutes above 0")


@dataclass(frozen=True)
class ChannelLimit:
    """What limits one channel; what is None is Dealwright's default, or unknown.

    Attributes
    ----------
    capacity
        Contacts per day.
    people, hours_per_day, shrinkage, occupancy
        From which the capacity follows where it is not given: people at work, their paid hours, the share of
        these lost to breaks, training and absence, and the share of the rest that may be spent on contacts.
    handle_min
        Minutes one contact takes, its after-work (and, in the field, the way to it) included.
    sla_min
        Minutes within which a contact is to be made once it has been decided.
    """

    capacity: int | None = None
    people: int | None = None
    hours_per_day: float | None = None
    shrinkage: float | None = None
    occupancy: float | None = None
    handle_min: float | None = None
    sla_min: float | None = None


DEFAULT_LIMITS: Final[Mapping[str, ChannelLimit]] = {
    "field": ChannelLimit(hours_per_day=8.0, shrinkage=0.15, occupancy=1.0, handle_min=50.0, sla_min=7200.0),
    "outbound_cc": ChannelLimit(
        hours_per_day=8.0, shrinkage=0.30, occupancy=0.85, handle_min=8.0, sla_min=2880.0
    ),
    "inbound_cc": ChannelLimit(
        hours_per_day=8.0, shrinkage=0.30, occupancy=0.85, handle_min=6.0, sla_min=1440.0
    ),
    "ecom_assisted": ChannelLimit(
        hours_per_day=8.0, shrinkage=0.25, occupancy=0.90, handle_min=10.0, sla_min=1440.0
    ),
    "ecom_self": ChannelLimit(
        hours_per_day=24.0, shrinkage=0.0, occupancy=1.0, handle_min=0.5, sla_min=1440.0
    ),
}
