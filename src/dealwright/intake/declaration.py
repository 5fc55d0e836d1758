"""The TOML file in which a user declares which column of the plan's tables is what."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import (
    ACCOUNT_ROLES,
    ALWAYS,
    ARRIVAL_COLUMNS,
    CALL_BACK_COLUMNS,
    CHANNELS,
    FREQUENCY_COLUMNS,
    ORDER_COLUMNS,
    PROMISE_COLUMNS,
    REP_COLUMNS,
    REP_OPTIONAL,
    STAFF_COLUMNS,
    TOUCH_COLUMNS,
    TOUCH_OPTIONAL,
)

_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "orders": tuple(ORDER_COLUMNS),
    "touches": (*TOUCH_COLUMNS, *TOUCH_OPTIONAL),
    "reps": (*REP_COLUMNS, *REP_OPTIONAL),
    "history": ("account_id", "snapshot_at"),
    "staff": tuple(STAFF_COLUMNS),
    "promises": tuple(PROMISE_COLUMNS),
    "frequencies": tuple(FREQUENCY_COLUMNS),
    "call_backs": tuple(CALL_BACK_COLUMNS),
    "arrivals": tuple(ARRIVAL_COLUMNS),
}
_ACCOUNT_KEYS: Final = (
    "id", "latitude", "longitude", "numeric", "categorical", "categories", "dates", "dates_ahead", "labels",
    "consent", "preferred_channel", "roles", "known_from", "separator", "columns",
)  # fmt: skip


@dataclass(frozen=True)
class Label:
    """A label column, and the value that means yes (None: the column is yes/no, or a number)."""

    column: str
    positive: str | None = None


@dataclass(frozen=True)
class TableDeclaration:
    """One further table: canonical name -> the user's column, words to translate, how its text is split."""

    columns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    separator: str = ","
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declaration:
    """What the user says about the columns, in the user's own column names.

    Attributes
    ----------
    file
        Where it came from, for messages.
    categorical
        Column -> allowed values, or ``None`` for any.
    labels
        ``churned`` and ``future_value_eur`` -> where they are.
    consent, roles
        Channel, or role -> column.
    tables
        ``orders``, ``touches``, ``reps``, ``history``, ``staff``, ``promises``, ``frequencies``,
        ``call_backs``, ``arrivals``.
    """

    file: str
    id: str
    latitude: str | None = None
    longitude: str | None = None
    numeric: tuple[str, ...] = ()
    categorical: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    dates_ahead: tuple[str, ...] = ()
    labels: Mapping[str, Label] = field(default_factory=dict)
    consent: Mapping[str, str] = field(default_factory=dict)
    preferred_channel: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    known_from: Mapping[str, datetime | str] = field(default_factory=dict)
    separator: str = ","
    header: tuple[str, ...] = ()
    tables: Mapping[str, TableDeclaration] = field(default_factory=dict)
    as_of: datetime | None = None

    def table(self, name: str) -> TableDeclaration:
        """Return what is said of a table, or the canonical names where nothing is."""
        return self.tables.get(name, TableDeclaration())


def read_declaration(path: Path) -> Declaration:
    """Read a declaration.

    Raises
    ------
    InputError
        The file cannot be read, is not TOML, or says something unknown; the message names the key and the
        fix.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"no schema file {path}: write one (see docs/plan.md), or leave --schema out"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the schema file {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not valid TOML: {error}") from None
    return parse_declaration(raw, path.name)


def parse_declaration(raw: Mapping[str, Any], file: str) -> Declaration:
    """Check a parsed declaration, as `read_declaration` does."""
    _known(raw, ("as_of", "accounts", *_TABLES), f"{file}: table")
    accounts = raw.get("accounts")
    if not isinstance(accounts, dict) or not isinstance(accounts.get("id"), str):
        raise InputError(
            f'{file}: [accounts] must say which column is the id, such as id = "customer_number"'
        )
    _known(accounts, _ACCOUNT_KEYS, f"{file}: [accounts] key")
    where = f"{file}: [accounts]"
    latitude, longitude = (_text(accounts, key, where) for key in ("latitude", "longitude"))
    if (latitude is None) != (longitude is None):
        raise InputError(f"{where} needs both latitude and longitude, or neither")
    categories = {
        name: _texts({"values": values}, "values", f"{where} categories.{name}")
        for name, values in _mapping(accounts, "categories", where).items()
    }
    plain = _texts(accounts, "categorical", where)
    dates, ahead = _texts(accounts, "dates", where), _texts(accounts, "dates_ahead", where)
    declaration = Declaration(
        file=file,
        id=accounts["id"],
        latitude=latitude,
        longitude=longitude,
        numeric=_texts(accounts, "numeric", where),
        categorical={
            name: categories.get(name) for name in (*plain, *(n for n in categories if n not in plain))
        },
        dates=(*dates, *(name for name in ahead if name not in dates)),
        dates_ahead=ahead,
        labels=_labels(_mapping(accounts, "labels", where), where),
        consent=_named(accounts, "consent", CHANNELS, where),
        preferred_channel=_text(accounts, "preferred_channel", where),
        roles=_named(accounts, "roles", ACCOUNT_ROLES, where),
        known_from={
            name: _moment(value, f"{where} known_from.{name}")
            for name, value in _mapping(accounts, "known_from", where).items()
        },
        separator=_text(accounts, "separator", where) or ",",
        header=_texts(accounts, "columns", where),
        tables={name: _table(raw[name], name, file) for name in _TABLES if name in raw},
        as_of=_as_of(raw.get("as_of"), file),
    )
    _check_features(declaration, where)
    return declaration


def _check_features(declaration: Declaration, where: str) -> None:
    """Refuse columns declared twice, and labels among the features."""
    features = [*declaration.numeric, *declaration.categorical, *declaration.dates]
    for name in features:
        if features.count(name) > 1:
            raise InputError(
                f"{where} declares the column {name!r} twice; keep it in one of numeric, categorical, dates"
            )
    for role, label in declaration.labels.items():
        if label.column in features:
            raise InputError(
                f"{where} column {label.column!r} is the label {role} and also a feature, so the model would "
                "read its own answer; take it out of the features"
            )
    for name in declaration.known_from:
        if name not in features:
            raise InputError(f"{where} known_from: {UnknownNameError('feature', name, features)}")


def _labels(raw: Mapping[str, Any], where: str) -> dict[str, Label]:
    _known(raw, ("churned", "future_value_eur"), f"{where} labels")
    result = {}
    for name, value in raw.items():
        if isinstance(value, str):
            result[name] = Label(value)
        elif isinstance(value, dict) and isinstance(value.get("column"), str):
            _known(value, ("column", "is"), f"{where} labels.{name}")
            result[name] = Label(value["column"], None if "is" not in value else str(value["is"]))
        else:
            raise InputError(f'{where} labels.{name}: write "column", or {{ column = "Churn", is = "Yes" }}')
    return result


def _table(raw: Any, name: str, file: str) -> TableDeclaration:
    where = f"{file}: [{name}]"
    if not isinstance(raw, dict):
        raise InputError(f"{where} must be a table of name = column")
    words = {key: value for key, value in raw.items() if isinstance(value, dict)}
    _known(raw, (*_TABLES[name], "separator", "columns", "channels", "actions"), f"{where} key")
    columns = {key: _text(raw, key, where) or key for key in raw if key in _TABLES[name]}
    translated = {"channels": "channel", "actions": "action"}
    return TableDeclaration(
        columns,
        {translated[key]: {str(k): str(v) for k, v in value.items()} for key, value in words.items()},
        _text(raw, "separator", where) or ",",
        _texts(raw, "columns", where),
    )


def _known(raw: Mapping[str, Any], allowed: tuple[str, ...], kind: str) -> None:
    for name in raw:
        if name not in allowed:
            raise UnknownNameError(kind, name, allowed)


def _named(raw: Mapping[str, Any], key: str, allowed: tuple[str, ...], where: str) -> dict[str, str]:
    inner = _mapping(raw, key, where)
    _known(inner, allowed, f"{where} {key}")
    return {name: _text(inner, name, f"{where} {key}") or name for name in inner}


def _mapping(raw: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"{where} {key} must be a table of name = value")
    return value


def _text(raw: Mapping[str, Any], key: str, where: str) -> str | None:
    value = raw.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise InputError(
            f'{where} {key} = {value!r}: write the name of a column in quotes, such as {key} = "name"'
        )
    return value


def _texts(raw: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f'{where} {key} = {value!r}: write a list of texts, such as {key} = ["a", "b"]')
    return tuple(value)


def _moment(value: Any, where: str) -> datetime | str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime.combine(value, time.min)
    if isinstance(value, str) and value:
        return value
    raise InputError(
        f'{where} = {value!r}: write a date (2026-06-30), the name of a date column, or "{ALWAYS}"'
    )


def _as_of(value: Any, file: str) -> datetime | None:
    moment = None if value is None else _moment(value, f"{file}: as_of")
    if isinstance(moment, str):
        raise InputError(
            f"{file}: as_of = {value!r}: write a date without quotes, such as as_of = 2026-06-30"
        )
    return moment
