"""The mapping file: which of a company's tables, columns and words is what, for both loops.

One TOML file, ``company.toml``, describes the tables of the desk (agents, assignments, bookings, dimensions)
and of the nightly plan (accounts, orders, touches, …); each may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from dealwright.conditions import Expression
from dealwright.dimensions import BOOKING_STATUSES, EMPTY
from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import ACCOUNT_ROLES, ALWAYS, CHANNELS
from dealwright.tables.fields import ACCOUNT_FIELDS, TABLES
from dealwright.tables.reader import Format, column_name, composed
from dealwright.toml import Share, convert, read_toml

DESK_TABLES: Final = ("agents", "assignments", "bookings")
PLAN_TABLES: Final = ("accounts", *(name for name in TABLES if name not in DESK_TABLES))
ANY: Final = "any"
NO_BOOKING: Final = "none"
_CHANNEL: Final = (
    "communication_method"  # the channel of a lead, unless only another dimension has its values
)
_FORMAT_KEYS: Final = {**{item.name: item.name for item in fields(Format)}, "delimiter": "separator"}
RESERVED: Final = {
    "external_id", "agent_external_id", "known_at", "won", "contacted", "assignment_id", "agent_id",
    "attributes", "outcome_unknown", *(name for table in DESK_TABLES for name in TABLES[table].fields),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where the value of one field comes from: columns of the table, or a constant."""

    # the columns, joined with `joined_by` when there are several; empty for a constant. `lookup.column` names
    # the column of a lookup.
    columns: tuple[str, ...] = ()
    joined_by: str = " "
    constant: str | None = None  # the value of every row, as text
    default: str | None = None  # the value where the columns are empty, as text
    separator: str = ";"  # what separates the items of a list

    @property
    def label(self) -> str:
        """The columns as a person would call them."""
        return " + ".join(self.columns) if self.columns else f"constant {self.constant!r}"

    @classmethod
    def from_toml(cls, value: object, where: str) -> Source:
        """Read a column, a list of columns, or a table with a column, columns or a value."""
        if not isinstance(value, str | list | dict):
            raise InputError(f"{where} = {value!r}: name a column in quotes")
        said = value if isinstance(value, dict) else {"columns": [value] if isinstance(value, str) else value}
        written = convert(said, _Source, where)
        if sum(item is not None for item in (written.column, written.columns, written.value)) != 1:
            raise InputError(f"{where}: give exactly one of column, columns or value")
        columns = (written.column,) if written.column is not None else tuple(written.columns or ())
        if written.value is None and not (columns and all(columns)):
            raise InputError(f"{where} = {value!r}: name a column in quotes")
        return cls(columns, written.joined_by, written.value, written.default, written.separator)


class Cell(str):
    """A single value of any type, as the text that a cell would hold."""

    @classmethod
    def from_toml(cls, value: object, where: str) -> Cell:
        """Read a text, a number, yes or no, or a date."""
        if isinstance(value, list | dict):
            raise InputError(f"{where} = {value!r}: write a single value")
        return cls(str(value).lower() if isinstance(value, bool) else value)

    __slots__ = ()


class KnownFrom:
    """A moment, the name of a date column, or "always"."""

    @classmethod
    def from_toml(cls, value: object, where: str) -> datetime | str:
        """Read when a column is known from."""
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)
        if isinstance(value, date):
            return datetime.combine(value, time.min)
        if isinstance(value, str) and value:
            return value
        raise InputError(
            f'{where} = {value!r}: write a date (2026-06-30), the name of a date column, or "{ALWAYS}"'
        )


@dataclass(frozen=True)
class Label:
    """A label column, and the word that means yes (None: the column is yes/no, or a number)."""

    column: str
    positive: str | None = None

    @classmethod
    def from_toml(cls, value: object, where: str) -> Label:
        """Read a column, or a table with a column and the word."""
        written = convert({"column": value} if isinstance(value, str) else value, _Label, where)
        return cls(written.column, written.positive)


class _Source(msgspec.Struct):
    column: str | None = None
    columns: list[str] | None = None
    value: Cell | None = None
    default: Cell | None = None
    joined_by: str = " "
    separator: str = ";"


class _Label(msgspec.Struct, rename={"positive": "is"}):
    column: str
    positive: Cell | None = None


@dataclass(frozen=True)
class TableMap:
    """One table: its file, and where each field comes from."""

    table: str
    # its name in the directory of the tables; None where it follows from another table
    file: str | None = None
    # the table whose rows it is taken out of; each record once, whatever the number of rows
    taken_from: str | None = None
    fields: Mapping[str, Source] = field(default_factory=dict)
    format: Format = field(default_factory=Format)
    where: Expression | None = None  # which rows are meant at all
    # field -> the user's word in lower case -> ours
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # of orders: whether negative amounts are taken off what they give back
    returns: Literal["net", "reject"] = "net"


class _Table(msgspec.Struct, kw_only=True, rename={"taken_from": "from"}):
    file: str | None = None
    taken_from: str | None = None
    where: Expression | None = None
    format: Format = msgspec.field(default_factory=Format)


class AccountMap(_Table, kw_only=True, rename={"taken_from": "from"}):
    """What the columns of the accounts are; `_Table` says which file they come from."""

    id: Source | None = None
    latitude: Source | None = None
    longitude: Source | None = None
    preferred_channel: Source | None = None
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = {}
    dates: tuple[str, ...] = ()
    dates_ahead: tuple[str, ...] = ()
    labels: dict[Literal["churned", "future_value_eur"], Label] = {}
    consent: dict[Literal[CHANNELS], Source] = {}  # type: ignore[valid-type]
    roles: dict[Literal[ACCOUNT_ROLES], Source] = {}  # type: ignore[valid-type]
    known_from: dict[str, KnownFrom] = {}

    @property
    def allowed(self) -> dict[str, tuple[str, ...] | None]:
        """Return every categorical column -> its allowed values, None where any is a category."""
        return {
            name: self.categories.get(name) for name in dict.fromkeys([*self.categorical, *self.categories])
        }

    @property
    def moments(self) -> tuple[str, ...]:
        """Return the columns of dates, those that may lie ahead among them."""
        return tuple(dict.fromkeys([*self.dates, *self.dates_ahead]))

    @property
    def features(self) -> tuple[str, ...]:
        """Return the columns that models may learn from."""
        return (*self.numeric, *self.allowed, *self.moments)


class DimensionMap(_Source, kw_only=True):
    """One attribute of a lead, and the column it comes from."""

    table: Literal["assignments", "bookings"] = "assignments"
    values: tuple[str, ...] | Literal["any"] | None = None
    required: bool = True
    bins: Annotated[int, msgspec.Meta(ge=0, le=50)] = 0
    name: str = ""

    @property
    def source(self) -> Source:
        """The column it comes from, by default the one of its own name."""
        columns = (self.column,) if self.column is not None else tuple(self.columns or ())
        if self.value is None:
            columns = columns or (self.name,)
        return Source(columns, self.joined_by, self.value, self.default, self.separator)

    @property
    def is_open(self) -> bool:
        """Whether other values than those of today may come."""
        return self.values == ANY


class Lookup(msgspec.Struct, kw_only=True):
    """Columns of another file, found by a key: ``on`` in the table, ``key`` in the file."""

    name: str = ""
    file: str
    key: str
    on: str = ""
    table: str = "assignments"
    format: Format = msgspec.field(default_factory=Format)


_Channel: Any = Literal[CHANNELS]
_Status = Literal["pending", "confirmed", "cancelled", "none"]
_MORE: Final[Mapping[str, list[tuple[str, Any, Any]]]] = {
    "agents": [("channels", dict[str, Source], {})],
    "bookings": [("statuses", dict[_Status, str | tuple[str, ...]], {})],
    "orders": [("returns", Literal["net", "reject"], "net")],
    "touches": [("channels", dict[str, _Channel], {}), ("actions", dict[str, str], {})],
}
_KINDS: Final[dict[str, Any]] = {
    **{
        name: msgspec.defstruct(
            f"_{name}", [*((item, Source | None, None) for item in table.fields), *_MORE.get(name, [])],
            bases=(_Table,), kw_only=True, rename={"taken_from": "from"},
        )
        for name, table in TABLES.items()
    },
    "accounts": AccountMap,
}  # fmt: skip


@dataclass(frozen=True)
class CompanyMap:
    """A company's tables, described."""

    path: str = "the mapping"  # the mapping file, for messages
    as_of: datetime | None = None
    tables: Mapping[str, TableMap] = field(default_factory=dict)  # role -> its table
    accounts: AccountMap = field(default_factory=AccountMap)
    dimensions: tuple[DimensionMap, ...] = ()
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    # the dimension whose values are the channels that agents have limits of; None where none has
    channel_dimension: str | None = None
    # the user's word for a status in lower case -> ours; `none` marks rows that are no booking at all
    statuses: Mapping[str, str] = field(default_factory=dict)
    format: Format = field(default_factory=Format)
    follow_up_days: float = 7.0
    default_capacity: int = 10
    currency: str | None = None
    # how long a lead may be filed after its own booking was settled: such rows are kept and reported
    late_filing_min: float = 0.0
    max_rejected_share: float = 0.5  # an import of which more than this share of a table is rejected stops

    def table(self, name: str) -> TableMap:
        """Return what is said of a table; its canonical names where nothing is."""
        return self.tables.get(name) or TableMap(name, format=self.format)


# settings at the top of the file; their defaults are those of `CompanyMap`
_SETTINGS: Final[Mapping[str, Any]] = {
    "as_of": datetime | None,
    "follow_up_days": Annotated[float, msgspec.Meta(ge=0, le=40_000)],
    "default_capacity": Annotated[int, msgspec.Meta(ge=0, lt=2**31)],
    "currency": str | None,
    "late_filing_min": Annotated[float, msgspec.Meta(ge=0, le=1e7)],
    "max_rejected_share": Share,
}
_Document: Any = msgspec.defstruct(
    "_Document",
    [
        *((name, kind | None, None) for name, kind in _KINDS.items()),
        *((name, kind, getattr(CompanyMap, name)) for name, kind in _SETTINGS.items()),
        ("format", Format, msgspec.field(default_factory=Format)),
        ("dimensions", dict[str, DimensionMap], {}), ("lookup", dict[str, Lookup], {}),
    ],
)  # fmt: skip


def packaged_maps() -> list[str]:
    """Name the mapping files that ship with the package."""
    folder = files("dealwright.tables").joinpath("maps")
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_mapping(name_or_path: str | Path) -> CompanyMap:
    """Read a mapping, by the name of one that ships with the package (``astra``) or by path.

    Raises
    ------
    InputError
        The file does not exist or cannot be used; the message names the file, the key and the fix.
    """
    name, path = str(name_or_path), Path(name_or_path)
    if name in packaged_maps():
        content = files("dealwright.tables").joinpath("maps", f"{name}.toml").read_bytes()
        return parse_mapping(content, f"{name}.toml (shipped)")
    if path.is_file():
        return parse_mapping(path.read_bytes(), name)
    if "/" not in name and "." not in name:
        raise UnknownNameError("mapping", name, packaged_maps())
    beside = [item.name for item in path.parent.glob("*.toml")] if path.parent.is_dir() else []
    near = get_close_matches(path.name, beside, n=1)
    hint = f"did you mean {str(path.parent / near[0])!r}?" if near else "`dealwright draft DIR` writes one"
    raise InputError(f"the mapping file {name} does not exist: {hint}")


def parse_mapping(content: bytes | str, label: str = "the mapping") -> CompanyMap:
    """Turn the text of a mapping file, called `label` in messages, into a `CompanyMap`.

    Raises
    ------
    InputError
        It says something unknown or impossible; the message names the key and the fix.
    """
    raw = _composed(read_toml(content, label))
    _inherit_formats(raw)
    said = convert(raw, _Document, label)

    def fail(key: str, message: str) -> InputError:
        return InputError(f"{label}: {key}: {message}")

    given = {name: its for name in (*DESK_TABLES, *PLAN_TABLES) if (its := getattr(said, name)) is not None}
    tables = {name: _table(name, its, given, fail) for name, its in given.items()}
    _check_tables(tables, fail)
    for name, lookup in said.lookup.items():
        lookup.name, lookup.on = name, lookup.on or lookup.key
        if lookup.table not in tables:
            raise fail(f"lookup.{name}.table", str(UnknownNameError("table", lookup.table, tables)))
    for name, dimension in said.dimensions.items():
        _complete_dimension(name, dimension, tables, fail)
    if said.accounts is not None:
        _check_accounts(said.accounts, fail)
    return CompanyMap(
        path=label,
        tables=tables,
        accounts=said.accounts or AccountMap(),
        dimensions=tuple(said.dimensions.values()),
        lookups=said.lookup,
        channel_dimension=_channel_dimension(getattr(said.agents, "channels", {}), said.dimensions, fail),
        statuses=_statuses(getattr(said.bookings, "statuses", {}), fail),
        format=said.format,
        **{name: getattr(said, name) for name in _SETTINGS},
    )


def _composed(said: Any, key: str = "") -> Any:
    """Write the names of columns and the words of cells as the reader does; those of files stay."""
    if isinstance(said, dict):
        return {composed(name): _composed(its, name) for name, its in said.items()}
    if isinstance(said, list):
        return [
            composed(item) if isinstance(item, str) and key != "file" else _composed(item, key)
            for item in said
        ]
    if not isinstance(said, str) or key == "file":
        return said
    # a query has lines, and a comment in it ends with one
    return composed(said) if key in ("query", "where") else column_name(said)


def _inherit_formats(raw: dict[str, Any]) -> None:
    """Let every table and lookup have a format of its own: what is said of it, else what is said of all."""

    def named(said: Any) -> Any:
        return (
            {_FORMAT_KEYS.get(key, key): its for key, its in said.items()} if isinstance(said, dict) else said
        )

    shared = named(raw.get("format", {}))
    lookups = raw.get("lookup", {})
    tables = [raw.get(name) for name in _KINDS]
    for table in [*tables, *(lookups.values() if isinstance(lookups, dict) else ())]:
        if isinstance(table, dict) and isinstance(said := named(table.get("format", {})), dict):
            own = named({key: table.pop(key) for key in _FORMAT_KEYS if key in table})
            table["format"] = {**(shared if isinstance(shared, dict) else {}), **said, **own}
    raw["format"] = shared


def _table(name: str, said: Any, given: Mapping[str, Any], fail: Any) -> TableMap:
    """Return one table; a table of the desk must say where its needed fields are."""
    known = ACCOUNT_FIELDS if name == "accounts" else TABLES[name].fields
    file, origin = said.file, said.taken_from
    others = [other for other in given if other != name]
    if origin is not None and origin not in others:
        raise fail(f"{name}.from", str(UnknownNameError("table", origin, others)))
    if origin is not None and file is not None:
        raise fail(
            f"{name}.from", f"give either file or from; the rows come from {file!r}, or out of {origin}"
        )
    if name == "bookings" and file is None and origin is None and "assignments" in given:
        origin = "assignments"  # one flat table
    sources = _sources(name, said, known)
    if name == "agents" and "id" in sources:
        sources.setdefault("name", sources["id"])
    if name == "bookings" and origin == "assignments" and given[origin].id is not None:
        sources = {"id": given[origin].id, "assignment": given[origin].id, **sources}
    if name == "accounts" and "id" not in sources:
        raise fail("accounts.id", 'say which column is the id, such as id = "customer_number"')
    if name in DESK_TABLES and file is None and origin is None:
        raise fail(f"{name}.file", 'missing: name the file, such as file = "people.csv"')
    for item, spec in known.items():
        if name in DESK_TABLES and spec.needed and item not in sources:
            raise fail(f"{name}.{item}", f"missing: say which column of {file or origin!r} it is")
    words = {
        item: _words(
            ((f"{name}.{key}.{word}", word, ours) for word, ours in getattr(said, key).items()), fail
        )
        for key, item in (("channels", "channel"), ("actions", "action"))
        if name == "touches" and getattr(said, key)
    }
    returns: Literal["net", "reject"] = getattr(said, "returns", "net")
    return TableMap(name, file, origin, sources, said.format, said.where, words, returns)


def _sources(name: str, said: Any, known: Iterable[str]) -> dict[str, Source]:
    """Return where the fields of a table are, the limits of channels that agents have among them."""
    sources = {item: source for item in known if (source := getattr(said, item)) is not None}
    if name == "agents":
        sources |= {channel_field(channel): source for channel, source in said.channels.items()}
    return sources


def _check_tables(tables: Mapping[str, TableMap], fail: Any) -> None:
    """Check that the tables of the desk are complete, and that every table's rows come out of a file."""
    for name, needs in (("bookings", "assignments"), ("assignments", "agents")):
        if name in tables and needs not in tables:
            raise fail(name, f"{name} refer to {needs}: add an [{needs}] table")
    for name in tables:
        chain = [name]
        while (origin := tables[chain[-1]].taken_from) is not None:
            if origin in chain:
                raise fail(f"{name}.from", f"{' from '.join([*chain, origin])}: one of them needs a file")
            chain.append(origin)


def _words(said: Iterable[tuple[str, str, str]], fail: Any) -> dict[str, str]:
    """Return the user's word in lower case -> ours, of (key, their word, ours)."""
    words: dict[str, str] = {}
    for key, word, ours in said:
        already = words.setdefault(word.strip().lower(), ours)
        if already != ours:
            raise fail(key, f"the word {word!r} already means {already}")
    return words


def _statuses(said: Mapping[str, str | tuple[str, ...]], fail: Any) -> dict[str, str]:
    """Return the user's words for the statuses; ours where nothing is said."""
    if not said:
        return {status: status for status in BOOKING_STATUSES}
    listed = {status: [items] if isinstance(items, str) else items for status, items in said.items()}
    words = _words(
        ((f"bookings.statuses.{s}", word, s) for s, items in listed.items() for word in items), fail
    )
    if "confirmed" not in words.values():
        raise fail("bookings.statuses.confirmed", "missing: which words mean that the customer bought?")
    return words


def channel_field(channel: str) -> str:
    """Return what the limit of a channel is called among the fields of the agents."""
    return f"channels.{channel}"


def _channel_dimension(
    channels: Iterable[str], dimensions: Mapping[str, DimensionMap], fail: Any
) -> str | None:
    """Return the dimension whose values the channels are: communication_method, or else the only one."""
    names = list(channels)
    if not names:
        return None
    plain = {name: its for name, its in dimensions.items() if not its.bins}
    fitting = [
        name
        for name, its in plain.items()
        if its.is_open or (isinstance(its.values, tuple) and set(names) <= set(its.values))
    ]
    if _CHANNEL in fitting or len(fitting) == 1:
        return _CHANNEL if _CHANNEL in fitting else fitting[0]
    if fitting:
        raise fail(
            "agents.channels",
            f"they are values of {' and of '.join(fitting)}: call the one that is the channel {_CHANNEL}",
        )
    known = plain.get(_CHANNEL) or next(iter(plain.values()), None)
    values = known.values if known is not None and isinstance(known.values, tuple) else ()
    wrong = next((name for name in names if name not in values), names[0])
    raise fail(
        f"agents.channels.{wrong}",
        f"it is no value of {'a dimension' if known is None else known.name}: "
        f"{UnknownNameError('channel', wrong, values)}",
    )


def _complete_dimension(name: str, said: DimensionMap, tables: Mapping[str, TableMap], fail: Any) -> None:
    """Check one attribute of a lead, and give it its name and source."""
    key = f"dimensions.{name}"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in RESERVED:
        raise fail(key, "a dimension's name has lower-case letters, digits and _, and is no word of our own")
    listed = isinstance(said.values, tuple)
    if said.table not in tables and (said.table == "bookings" or not listed):
        raise fail(f"{key}.table", f"there is no [{said.table}] table to take its values from")
    if said.bins == 1 or (said.bins and listed):
        raise fail(f"{key}.bins", "a number has at least two bins, and then no list of values")
    if said.values is None and not said.bins:
        raise fail(
            f"{key}.values",
            f'missing: list the allowed values, or write values = "{ANY}", or bins = 4',
        )
    if listed:
        values = [value.strip() for value in said.values or ()]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None or not values:
            raise fail(f"{key}.values", "is empty" if twice is None else f"{twice!r} is listed twice")
        if EMPTY in values:
            raise fail(f"{key}.values", f"{EMPTY!r} stands for nothing given: write required = false instead")
        said.values = tuple(values)
    said.name = name


def _check_accounts(said: AccountMap, fail: Any) -> None:
    if (said.latitude is None) != (said.longitude is None):
        raise fail("accounts", "give both latitude and longitude, or neither")
    features = said.features
    for name in features:
        if [*said.numeric, *said.allowed, *said.moments].count(name) > 1:
            raise fail(
                "accounts",
                f"the column {name!r} is declared twice; keep it in one of numeric, categorical, dates",
            )
    for role, label in said.labels.items():
        if label.column in features:
            raise fail(
                f"accounts.labels.{role}",
                f"the column {label.column!r} is also a feature, so the model would read its own answer; "
                "take it out of the features",
            )
    for name in said.known_from:
        if name not in features:
            raise fail("accounts.known_from", str(UnknownNameError("feature", name, features)))
