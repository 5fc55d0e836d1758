"""The action catalogue: what may be done with an account, how, at what cost and under which rules.

Doing nothing is always possible and is not listed: it costs nothing and is what every other action is
measured against.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import time
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    TypeVar,
    get_args,
)
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from dealwright.conditions import Expression, parse_expression
from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.actions.arbitration import Budget
from dealwright.schemas import CHANNELS, NOTHING
from dealwright.toml import Amount, Count, Share, Text, convert

Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = get_args(Day)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


class QuietHours(NamedTuple):
    """Local times without contact; may run over midnight."""

    start: time
    end: time

    @classmethod
    def from_toml(cls, value: object, where: str) -> Self:
        """Read ``'20:00-09:00'``."""
        match = _HOURS.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise InputError(f"{where} = {value!r}: write hours such as '20:00-09:00'")
        hour, minute, until, past = (int(part or 0) for part in match.groups())
        if (hour, minute) == (until, past):
            raise InputError(f"{where} = {value!r} has no length; to close a day use quiet_days")
        return cls(time(hour, minute), time(until, past))

    def to_toml(self) -> str:
        """Write them the same way."""
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True)
class ContactCap:
    """At most ``contacts`` contacts in any ``days`` days, the new one included."""

    contacts: Count
    days: Annotated[int, Meta(ge=1)]


@dataclass(frozen=True)
class Channel:
    """One way to reach an account."""

    name: str
    cost_eur: Amount  # cost of one contact, whatever the action
    # whether it is the company that makes contact; only such channels tire the customer and obey quiet hours
    contact: bool = True
    # whether the account must have consented to being reached this way; by default as `contact`
    consent: bool | None = None
    caps: tuple[ContactCap, ...] = ()  # contact caps of this channel, beside those of all channels together
    # times without contact
    quiet_hours: tuple[QuietHours, ...] = ()
    quiet_days: tuple[Day, ...] = ()
    prior_factor: Amount = 1.0  # multiplies the actions' stated increments on this channel

    def __post_init__(self) -> None:
        if self.consent is None:
            object.__setattr__(self, "consent", self.contact)
        if self.name not in CHANNELS:
            raise UnknownNameError("channel", self.name, CHANNELS)
        if len(set(self.quiet_days)) == len(DAYS):
            raise InputError("quiet_days: every day is quiet: leave at least one day, or remove the channel")


@dataclass(frozen=True)
class Suppression:
    """After so many refusals in a row an action rests for so many days (0: never)."""

    rejections: Count = 0
    days: Count = 0

    def __post_init__(self) -> None:
        if (self.rejections == 0) != (self.days == 0):
            raise InputError("give both rejections and days, each at least 1")


@dataclass(frozen=True)
class Action:
    """One thing that can be done with an account."""

    name: str
    channels: Annotated[tuple[str, ...], Meta(min_length=1, description="a list of at least one channel")]
    lever: Amount  # share of `value` that one response brings or saves
    # P(response | action) and its increment over doing nothing, used until data say better
    prior_response: Share
    prior_uplift: Annotated[float, Meta(ge=-1, le=1, description="a number between -1 and 1")]
    label: Text | None = None
    # what a response is worth before the lever, in EUR, per account
    value: Expression = field(default_factory=lambda: parse_expression("predicted_value_eur", "value"))
    cost_eur: Amount = 0.0  # cost of the action (an incentive, a sample) beside the channel's
    requires: tuple[Expression, ...] = ()  # conditions that must all hold
    # days since the same action was last tried with the account before it may be tried again
    cooldown_days: Count = 0
    suppress: Suppression = field(default_factory=Suppression)
    # left out, with a note, where the data lack a column it reads; otherwise that is an error
    optional: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == NOTHING:
            raise InputError(
                "a name is lower-case letters, digits and _, starting with a letter, and not 'nothing'"
            )
        if self.label is None:
            object.__setattr__(self, "label", self.name.replace("_", " ").capitalize())
        if len(set(self.channels)) != len(self.channels):
            raise InputError("channels: a channel is named twice")
        if self.prior_uplift > self.prior_response:
            raise InputError(
                f"prior_uplift = {self.prior_uplift:g} is more than prior_response = "
                f"{self.prior_response:g}; the increment is a part of the response rate"
            )

    @property
    def columns(self) -> frozenset[str]:
        """Account columns the action reads."""
        return self.value.columns.union(*(condition.columns for condition in self.requires))


T = TypeVar("T", Channel, Action)


class _Tables(tuple[T, ...], Generic[T]):
    """Things with a name, in order; in TOML a table each, such as ``[channels.field]``."""

    kind: ClassVar[type[Any]]

    @classmethod
    def from_toml(cls, value: object, where: str) -> Self:
        """Read the tables."""
        tables = convert(value, dict[str, dict[str, Any]], where)
        for name, table in tables.items():
            if "name" in table:
                raise InputError(f"{where}.{name}.name: remove it; the name is that of the table")
        return cls(convert({"name": name, **table}, cls.kind, where, name) for name, table in tables.items())

    def find(self, name: str) -> T:
        """Return the one of that name."""
        for item in self:
            if item.name == name:
                return item
        raise UnknownNameError(self.kind.__name__.lower(), name, [item.name for item in self])

    def to_toml(self) -> dict[str, Any]:
        """Write the tables."""
        return {
            item.name: {key: value for key, value in vars(item).items() if key != "name"} for item in self
        }


class Channels(_Tables[Channel]):
    """The channels of a catalogue."""

    kind = Channel


class ActionList(_Tables[Action]):
    """The actions of a catalogue."""

    kind = Action


@dataclass(frozen=True)
class Fatigue:
    """Contact caps over all channels together, and days between two contacts of any kind."""

    caps: tuple[ContactCap, ...] = ()
    min_gap_days: Count = 0


@dataclass(frozen=True)
class Exploration:
    """Who gets a random choice, so that effects stay measurable, and what that may cost."""

    share: Share = 0.05  # of the accounts outside the control group, at most
    # exploration may give up at most this share of what the night would bring without it; where nothing is to
    # be gained, nobody explores
    of_gain: Share = 0.02
    # on which options are drawn; visits are not among them unless they are named here
    channels: tuple[str, ...] = tuple(name for name in CHANNELS if name != "field")
    max_cost_eur: Amount | None = None  # what one option drawn may cost

    def __post_init__(self) -> None:
        for name in self.channels:
            if name not in CHANNELS:
                raise UnknownNameError("channel", name, CHANNELS)

    def admits(self, action: Action, channel: Channel) -> bool:
        """Tell whether an option may be drawn."""
        cost = action.cost_eur + channel.cost_eur
        return channel.name in self.channels and (self.max_cost_eur is None or cost <= self.max_cost_eur)


@dataclass(frozen=True)
class Control:
    """Share of all accounts never contacted, and the name that draws them."""

    share: Share = 0.05
    campaign: Text = "default"


@dataclass(frozen=True)
class Catalogue:
    """Channels, actions and the rules they share, as they stand in a catalogue file."""

    channels: Channels = field(default_factory=Channels)
    actions: ActionList = field(default_factory=ActionList)
    fatigue: Fatigue = field(default_factory=Fatigue)
    exploration: Exploration = field(default_factory=Exploration)
    control: Control = field(default_factory=Control)
    budget: Budget = field(default_factory=Budget)
    time_zone: Text = "UTC"
    source: str = "a catalogue"  # where the catalogue came from

    def __post_init__(self) -> None:
        if not self.channels or not self.actions:
            raise InputError("channels, actions: at least one of each is needed, such as [channels.field]")
        for action in self.actions:
            for name in action.channels:
                try:
                    self.channel(name)
                except UnknownNameError as error:
                    raise InputError(f"actions.{action.name}.channels: {error}") from None
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InputError(
                f"time_zone: {self.time_zone!r} is not a time zone; use for example 'Europe/Madrid'"
            ) from error

    def channel(self, name: str) -> Channel:
        """Return the channel of that name."""
        return self.channels.find(name)

    def action(self, name: str) -> Action:
        """Return the action of that name."""
        return self.actions.find(name)

    @property
    def options(self) -> tuple[tuple[Action, Channel], ...]:
        """Every (action, channel) pair in the catalogue's order."""
        return tuple((action, self.channel(name)) for action in self.actions for name in action.channels)
