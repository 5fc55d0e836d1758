"""Read an action catalogue from TOML; every mistake is reported with its file and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import time
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.actions.catalogue import Action, Catalogue, Channel, ContactCap
from dealwright.plan.actions.conditions import parse_expression
from dealwright.schemas import CHANNELS, NOTHING

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DEFAULT_SOURCE: Final = "the default catalogue"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def default_catalogue() -> Catalogue:
    """Return the catalogue that ships with the package."""
    return parse_catalogue(default_catalogue_text(), DEFAULT_SOURCE)


def default_catalogue_text() -> str:
    """Return the TOML text of the catalogue that ships with the package, a start for an own one."""
    return files("dealwright.plan.actions").joinpath("default.toml").read_text(encoding="utf-8")


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file; raises `InputError` naming the file and the key of a mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give an existing action catalogue (TOML)") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    return parse_catalogue(text, str(path))


def parse_catalogue(text: str, source: str) -> Catalogue:
    """Parse and check a catalogue.

    Parameters
    ----------
    text : the TOML.
    source : its file name, put before every message.

    Raises
    ------
    InputError
        For a syntax error, an unknown or missing key, an unknown channel, a value out of range or a bad
        condition.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML: {error}") from error
    top = _Table(raw, source, "")
    fatigue = top.table("fatigue")
    exploration = top.table("exploration")
    control = top.table("control")
    budget = top.table("budget")
    entries = top.tables("channels")
    for name, table in entries:
        if name not in CHANNELS:
            raise InputError(f"{source}: {table.path}: {UnknownNameError('channel', name, CHANNELS)}")
    channels = tuple(_channel(name, table) for name, table in entries)
    names = [channel.name for channel in channels]
    actions = tuple(_action(name, table, names) for name, table in top.tables("actions"))
    catalogue = Catalogue(
        channels=channels,
        actions=actions,
        caps=_caps(fatigue),
        min_gap_days=fatigue.whole("min_gap_days", 0),
        exploration_share=exploration.number("share", 0.05, 0.0, 1.0),
        exploration_max_cost_eur=exploration.optional_number("max_cost_eur"),
        control_share=control.number("share", 0.05, 0.0, 1.0),
        campaign=control.text("campaign", "default"),
        max_contacts=budget.optional_whole("max_contacts"),
        max_cost_eur=budget.optional_number("max_cost_eur"),
        time_zone=_time_zone(top),
        source=source,
    )
    for table in (fatigue, exploration, control, budget, top):
        table.finish()
    return catalogue


class _Table:
    """A TOML table that knows its place and which of its keys were read, so that none is ignored silently."""

    def __init__(self, values: Mapping[str, Any], source: str, path: str) -> None:
        self.values = values
        self.source = source
        self.path = path
        self.known: list[str] = []

    def at(self, key: str) -> str:
        return f"{self.source}: {self.path}.{key}" if self.path else f"{self.source}: {key}"

    def take(self, key: str, default: Any = None) -> Any:
        self.known.append(key)
        return self.values.get(key, default)

    def finish(self) -> None:
        for key in self.values:
            if key not in self.known:
                raise InputError(f"{self.at(key)}: {UnknownNameError('key', key, self.known)}")

    def table(self, key: str) -> _Table:
        value = self.take(key, {})
        if not isinstance(value, dict):
            raise InputError(f"{self.at(key)}: expected a table, got {value!r}")
        return _Table(value, self.source, f"{self.path}.{key}" if self.path else key)

    def tables(self, key: str) -> list[tuple[str, _Table]]:
        parent = self.table(key)
        if not parent.values:
            raise InputError(f"{self.at(key)}: at least one is needed, for example [{key}.visit]")
        for name in parent.values:
            if not _NAME.fullmatch(name) or name == NOTHING:
                raise InputError(
                    f"{parent.at(name)}: a name is lower-case letters, digits and _, starting with a "
                    f"letter, and not {NOTHING!r}"
                )
            parent.take(name)
        return [(name, parent.table(name)) for name in parent.values]

    def text(self, key: str, default: str | None = None) -> str:
        value = self.take(key, default)
        if not isinstance(value, str) or not value:
            raise InputError(f"{self.at(key)}: expected a text, got {value!r}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise InputError(f"{self.at(key)}: expected true or false, got {value!r}")
        return value

    def items(self, key: str) -> list[Any]:
        value = self.take(key, [])
        if not isinstance(value, list):
            raise InputError(f"{self.at(key)}: expected a list, got {value!r}")
        return value

    def number(self, key: str, default: float | None, low: float, high: float = float("inf")) -> float:
        value = self.take(key, default)
        if value is None:
            raise InputError(f"{self.at(key)}: is missing; give a number of at least {low:g}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            bound = f"between {low:g} and {high:g}" if high < float("inf") else f"of at least {low:g}"
            raise InputError(f"{self.at(key)}: expected a number {bound}, got {value!r}")
        if value == float("inf"):
            raise InputError(f"{self.at(key)}: expected a finite number")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        return self.number(key, None, 0.0) if key in self.values else self.take(key)

    def whole(self, key: str, default: int | None, low: int = 0) -> int:
        value = self.number(key, default, low)
        if value != int(value):
            raise InputError(f"{self.at(key)}: expected a whole number, got {value!r}")
        return int(value)

    def optional_whole(self, key: str) -> int | None:
        return self.whole(key, None) if key in self.values else self.take(key)


def _channel(name: str, table: _Table) -> Channel:
    contact = table.flag("contact", True)
    channel = Channel(
        name=name,
        cost_eur=table.number("cost_eur", None, 0.0),
        consent=table.flag("consent", contact),
        contact=contact,
        caps=_caps(table),
        quiet_hours=tuple(_hours(item, table.at("quiet_hours")) for item in table.items("quiet_hours")),
        quiet_days=tuple(_weekday(item, table.at("quiet_days")) for item in table.items("quiet_days")),
        prior_factor=table.number("prior_factor", 1.0, 0.0),
    )
    if len(channel.quiet_days) == len(DAYS):
        raise InputError(
            f"{table.at('quiet_days')}: every day is quiet: leave at least one day, or remove the channel"
        )
    table.finish()
    return channel


def _action(name: str, table: _Table, channel_names: Collection[str]) -> Action:
    channels = table.items("channels")
    if not channels:
        raise InputError(f"{table.at('channels')}: name at least one of: {', '.join(channel_names)}")
    for channel in channels:
        if channel not in channel_names:
            raise InputError(f"{table.at('channels')}: {UnknownNameError('channel', channel, channel_names)}")
    if len(set(channels)) != len(channels):
        raise InputError(f"{table.at('channels')}: a channel is named twice")
    suppress = table.table("suppress")
    action = Action(
        name=name,
        label=table.text("label", name.replace("_", " ").capitalize()),
        channels=tuple(channels),
        value=parse_expression(table.take("value", "predicted_value_eur"), table.at("value")),
        lever=table.number("lever", None, 0.0),
        cost_eur=table.number("cost_eur", 0.0, 0.0),
        requires=tuple(
            parse_expression(item, table.at(f"requires[{index}]"))
            for index, item in enumerate(table.items("requires"))
        ),
        cooldown_days=table.whole("cooldown_days", 0),
        rejections=suppress.whole("rejections", 0),
        suppress_days=suppress.whole("days", 0),
        prior_response=table.number("prior_response", None, 0.0, 1.0),
        prior_uplift=table.number("prior_uplift", None, -1.0, 1.0),
        optional=table.flag("optional", False),
    )
    if action.prior_uplift > action.prior_response:
        raise InputError(
            f"{table.at('prior_uplift')}: {action.prior_uplift:g} is more than prior_response "
            f"({action.prior_response:g}); "
            "the increment is a part of the response rate"
        )
    if (action.rejections == 0) != (action.suppress_days == 0):
        raise InputError(f"{table.at('suppress')}: give both rejections and days, each at least 1")
    suppress.finish()
    table.finish()
    return action


def _caps(table: _Table) -> tuple[ContactCap, ...]:
    caps = []
    for index, item in enumerate(table.items("caps")):
        where = f"caps[{index}]"
        if not isinstance(item, dict):
            raise InputError(
                f"{table.at(where)}: expected for example {{ contacts = 2, days = 7 }}, got {item!r}"
            )
        entry = _Table(item, table.source, f"{table.path}.{where}")
        caps.append(ContactCap(entry.whole("contacts", None), entry.whole("days", None, 1)))
        entry.finish()
    return tuple(caps)


def _hours(item: object, where: str) -> tuple[time, time]:
    match = _HOURS.fullmatch(item) if isinstance(item, str) else None
    if match is None:
        raise InputError(f"{where}: expected hours such as '20:00-09:00', got {item!r}")
    first, last, third, fourth = (int(part) for part in match.groups())
    until = time(0) if third == 24 else time(third, fourth)
    if time(first, last) == until:
        raise InputError(f"{where}: {item!r} has no length; to close a day use quiet_days")
    return time(first, last), until


def _weekday(item: object, where: str) -> int:
    if item not in DAYS:
        raise InputError(f"{where}: {UnknownNameError('day', item, DAYS)}")
    return DAYS.index(str(item))


def _time_zone(top: _Table) -> str:
    name = top.text("time_zone", "UTC")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"{top.at('time_zone')}: {name!r} is not a time zone; use for example 'Europe/Madrid'"
        ) from error
    return name
