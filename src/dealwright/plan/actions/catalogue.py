"""The action catalogue: what may be done with an account, how, at what cost and under which rules.

Doing nothing is always possible and is not listed: it costs nothing and is what every other action is
measured against.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from dealwright.errors import UnknownNameError
from dealwright.plan.actions.conditions import Expression


@dataclass(frozen=True)
class ContactCap:
    """At most ``contacts`` contacts in any ``days`` days, the new one included."""

    contacts: int
    days: int


@dataclass(frozen=True)
class Channel:
    """One way to reach an account.

    Attributes
    ----------
    cost_eur : cost of one contact, whatever the action.
    consent : whether the account must have consented to being reached this way.
    contact : whether it is the company that makes contact; only such channels tire the customer and obey
        quiet hours.
    caps : contact caps of this channel, beside those of all channels together.
    quiet_hours : pairs of local times (from, until) without contact; may run over midnight.
    quiet_days : weekdays without contact, 0 is Monday.
    prior_factor : multiplies the actions' stated increments on this channel.
    """

    name: str
    cost_eur: float
    consent: bool
    contact: bool
    caps: tuple[ContactCap, ...]
    quiet_hours: tuple[tuple[time, time], ...]
    quiet_days: tuple[int, ...]
    prior_factor: float


@dataclass(frozen=True)
class Action:
    """One thing that can be done with an account.

    Attributes
    ----------
    value : what a response is worth before the lever, in EUR, per account.
    lever : share of ``value`` that one response brings or saves.
    cost_eur : cost of the action (an incentive, a sample) beside the channel's.
    requires : conditions that must all hold.
    cooldown_days : days since the same action was last tried with the account before it may be tried again.
    rejections, suppress_days : after so many refusals in a row the action rests for so many days (0: never).
    prior_response, prior_uplift : P(response | action) and its increment over doing nothing, used until data
        say better.
    optional : left out, with a note, where the data lack a column it reads; otherwise that is an error.
    """

    name: str
    label: str
    channels: tuple[str, ...]
    value: Expression
    lever: float
    cost_eur: float
    requires: tuple[Expression, ...]
    cooldown_days: int
    rejections: int
    suppress_days: int
    prior_response: float
    prior_uplift: float
    optional: bool

    @property
    def columns(self) -> frozenset[str]:
        """Account columns the action reads."""
        return self.value.columns.union(*(condition.columns for condition in self.requires))


@dataclass(frozen=True)
class Catalogue:
    """Channels, actions and the rules they share.

    Attributes
    ----------
    caps : contact caps over all channels together.
    min_gap_days : days between two contacts of any kind.
    exploration_share : share of the accounts outside the control group that get a random permitted choice.
    exploration_max_cost_eur : choices dearer than this are not explored.
    control_share, campaign : share of all accounts never contacted, and the name that draws them.
    max_contacts, max_cost_eur : budget of one run, None for none.
    source : where the catalogue came from.
    """

    channels: tuple[Channel, ...]
    actions: tuple[Action, ...]
    caps: tuple[ContactCap, ...]
    min_gap_days: int
    exploration_share: float
    exploration_max_cost_eur: float | None
    control_share: float
    campaign: str
    max_contacts: int | None
    max_cost_eur: float | None
    time_zone: str
    source: str

    def channel(self, name: str) -> Channel:
        """Return the channel of that name."""
        for channel in self.channels:
            if channel.name == name:
                return channel
        raise UnknownNameError("channel", name, [channel.name for channel in self.channels])

    def action(self, name: str) -> Action:
        """Return the action of that name."""
        for action in self.actions:
            if action.name == name:
                return action
        raise UnknownNameError("action", name, [action.name for action in self.actions])

    @property
    def options(self) -> tuple[tuple[Action, Channel], ...]:
        """Every (action, channel) pair in the catalogue's order."""
        return tuple((action, self.channel(name)) for action in self.actions for name in action.channels)
