"""Read a mapping file (TOML) into a `Mapping`; every mistake is reported with the file and the key."""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast
from zoneinfo import available_timezones

from dealwright.errors import InputError, UnknownNameError
from dealwright.intake.mapping import (
    DimensionMapping,
    FileFormat,
    Mapping,
    Source,
    TableMapping,
    TableName,
)
from dealwright.intake.toml_reader import TomlReader
from dealwright.schemas import BOOKING_STATUSES

# field -> required
TABLE_FIELDS: dict[TableName, dict[str, bool]] = {
    "agents": {
        "id": True,
        "name": True,
        "email": False,
        "job_title": False,
        "department": False,
        "manager": False,
        "years_of_service": False,
        "rating": False,
        "capacity": False,
        "active": False,
        "skills": False,
        "weight": False,
    },
    "assignments": {
        "id": True,
        "agent": True,
        "customer_name": True,
        "assigned_at": True,
        "requirements": False,
    },
    "bookings": {
        "id": True,
        "assignment": True,
        "status": True,
        "completed_at": False,
        "cancelled_at": False,
        "base_revenue": False,
        "package_revenue": False,
        "total_revenue": False,
        "package": False,
    },
}
_TOP_KEYS = (
    "agents",
    "assignments",
    "bookings",
    "dimensions",
    "format",
    "follow_up_days",
    "default_capacity",
    "currency",
    "late_filing_min",
)
_SOURCE_KEYS = ("column", "columns", "joined_by", "value", "default", "separator")
_DIMENSION_KEYS = ("table", "column", "columns", "joined_by", "default", "values", "required")
_RESERVED_DIMENSIONS = {
    "external_id",
    "agent_external_id",
    "customer_name",
    "assigned_at",
    "requirements",
    "known_at",
    "won",
    "contacted",
    "base_revenue",
    "package_revenue",
    "total_revenue",
    "assignment_id",
    "agent_id",
    "attributes",
}
_ANY = "any"


def packaged_maps() -> list[str]:
    """Name the mapping files that ship with the package."""
    return sorted(
        item.name.removesuffix(".toml")
        for item in files("dealwright.intake").joinpath("maps").iterdir()
        if item.name.endswith(".toml")
    )


def load_mapping(name_or_path: str | Path) -> Mapping:
    """Read a mapping, by the name of one that ships with the package (``astra``) or by path.

    Raises
    ------
    InputError
        The file does not exist or cannot be used; the message names the file, the key and the fix.
    """
    name = str(name_or_path)
    if name in packaged_maps():
        label = f"{name}.toml (shipped)"
        content = files("dealwright.intake").joinpath("maps", f"{name}.toml").read_bytes()
    else:
        path = Path(name_or_path)
        if not path.is_file():
            if "/" not in name and "." not in name:
                raise UnknownNameError("mapping", name, packaged_maps())
            near = get_close_matches(path.name, _neighbours(path), n=1)
            hint = (
                f"did you mean {str(path.parent / near[0])!r}?"
                if near
                else f"give the path of a .toml file, or a shipped name: {', '.join(packaged_maps())}"
            )
            raise InputError(f"the mapping file {name} does not exist: {hint}")
        label, content = name, path.read_bytes()
    return parse_mapping(content, label)


def parse_mapping(content: bytes, label: str) -> Mapping:
    """Turn the bytes of a mapping file, called `label` in messages, into a `Mapping`."""
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{label}, line {line}: not UTF-8; save the mapping file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{label}: not valid TOML: {error}") from None
    return _Parser(label).mapping(document)


def _neighbours(path: Path) -> list[str]:
    return [item.name for item in path.parent.glob("*.toml")] if path.parent.is_dir() else []


@dataclass(frozen=True)
class _Parser(TomlReader):
    """Walks a mapping document."""

    def mapping(self, document: dict[str, Any]) -> Mapping:
        self.known("", document, _TOP_KEYS)
        if "agents" not in document:
            raise self.fail("agents", "missing: every mapping needs an [agents] table with file, id and name")
        shared = self.file_format("format", document.get("format", {}), FileFormat())
        bookings = document.get("bookings")
        statuses: dict[str, str] = {}
        if bookings is not None:
            bookings = dict(self.table("bookings", bookings))
            statuses = self.statuses(bookings.pop("statuses", None))
            if "assignments" not in document:
                raise self.fail("bookings", "bookings refer to assignments: add an [assignments] table")
        capacity = self.number("default_capacity", document.get("default_capacity", 10), at_least=0)
        if capacity != int(capacity):
            raise self.fail("default_capacity", f"must be a whole number, not {capacity:g}")
        dimensions = self.dimensions(document.get("dimensions", {}), with_bookings=bookings is not None)
        return Mapping(
            path=self.label,
            agents=self.table_mapping("agents", document["agents"], shared),
            assignments=self.table_mapping("assignments", document["assignments"], shared)
            if "assignments" in document
            else None,
            bookings=self.table_mapping("bookings", bookings, shared) if bookings is not None else None,
            dimensions=dimensions if "assignments" in document else self.declared_only(dimensions),
            statuses=statuses,
            follow_up_days=self.number("follow_up_days", document.get("follow_up_days", 7.0), at_least=0),
            default_capacity=int(capacity),
            currency=self.text("currency", document.get("currency", "USD")),
            late_filing_min=self.number("late_filing_min", document.get("late_filing_min", 0.0), at_least=0),
        )

    def declared_only(self, dimensions: tuple[DimensionMapping, ...]) -> tuple[DimensionMapping, ...]:
        for dimension in dimensions:
            if dimension.values is None:
                raise self.fail(
                    f"dimensions.{dimension.name}.values",
                    'values = "any" needs an [assignments] table to take them from',
                )
        return dimensions

    def file_format(self, key: str, value: object, inherited: FileFormat) -> FileFormat:
        given = self.table(key, value)
        self.known(key, given, [item.name for item in fields(FileFormat)])
        changes: dict[str, Any] = {}
        for name, item in given.items():
            if name == "date_formats":
                changes[name] = self.texts(f"{key}.{name}", item)
            elif name == "null_values":
                if not isinstance(item, list) or not all(isinstance(word, str) for word in item):
                    raise self.fail(f"{key}.{name}", f'must be a list of texts like ["N/A"], not {item!r}')
                changes[name] = tuple(item)
            elif name == "thousands" and item == "":
                changes[name] = ""
            else:
                changes[name] = self.text(f"{key}.{name}", item)
        result = replace(inherited, **changes)
        self.check_format(key, result)
        return result

    def check_format(self, key: str, given: FileFormat) -> None:
        try:
            codecs.lookup(given.encoding)
        except LookupError:
            raise self.fail(
                f"{key}.encoding",
                f"unknown encoding {given.encoding!r}: use utf-8, latin-1, cp1252 or utf-16",
            ) from None
        if len(given.delimiter) != 1 or given.delimiter in '"\r\n' or ord(given.delimiter) > 127:
            raise self.fail(
                f"{key}.delimiter", f"must be one character such as , ; | or \\t, not {given.delimiter!r}"
            )
        if given.decimal not in (".", ","):
            raise self.fail(f"{key}.decimal", f'must be "." or ",", not {given.decimal!r}')
        if len(given.thousands) > 1 or given.thousands == given.decimal:
            raise self.fail(
                f"{key}.thousands",
                f"must be one character other than the decimal sign, not {given.thousands!r}",
            )
        if given.time_zone != "UTC" and given.time_zone not in available_timezones():
            raise self.fail(
                f"{key}.time_zone", str(UnknownNameError("time zone", given.time_zone, available_timezones()))
            )
        for pattern in given.date_formats:
            if "%" not in pattern:
                raise self.fail(
                    f"{key}.date_formats",
                    f'{pattern!r} is no date format; write for example "%d.%m.%Y %H:%M"',
                )

    def table_mapping(self, table: TableName, value: object, shared: FileFormat) -> TableMapping:
        given = self.table(table, value)
        known = TABLE_FIELDS[table]
        self.known(table, given, ["file", "format", *known])
        for name in ("file", *(name for name, required in known.items() if required)):
            if name not in given:
                raise self.fail(
                    f"{table}.{name}",
                    "missing: "
                    + (
                        "the CSV file"
                        if name == "file"
                        else f"say which column of {given.get('file', 'the file')!r} it is"
                    ),
                )
        return TableMapping(
            table=table,
            file=self.text(f"{table}.file", given["file"]),
            fields={name: self.source(f"{table}.{name}", given[name]) for name in known if name in given},
            format=self.file_format(f"{table}.format", given.get("format", {}), shared),
        )

    def source(self, key: str, value: object, allowed: tuple[str, ...] = _SOURCE_KEYS) -> Source:
        if isinstance(value, (str, list)):
            return Source(columns=self.texts(key, value))
        given = self.table(key, value)
        self.known(key, given, allowed)
        if sum(name in given for name in ("column", "columns", "value")) != 1:
            raise self.fail(key, "give exactly one of column, columns or value")
        source = Source(
            joined_by=given.get("joined_by", " "),
            separator=self.text(f"{key}.separator", given.get("separator", ";")),
            default=None if "default" not in given else _scalar_text(given["default"]),
        )
        if "value" in given:
            return replace(source, constant=_scalar_text(given["value"]))
        return replace(source, columns=self.texts(key, given.get("columns", given.get("column"))))

    def statuses(self, value: object) -> dict[str, str]:
        allowed = (*BOOKING_STATUSES, "none")
        if value is None:
            return {status: status for status in BOOKING_STATUSES}
        given = self.table("bookings.statuses", value)
        self.known("bookings.statuses", given, allowed)
        words: dict[str, str] = {}
        for status, items in given.items():
            if not isinstance(items, (str, list)):
                raise self.fail(
                    f"bookings.statuses.{status}", f'must be a list of words like ["Won"], not {items!r}'
                )
            for word in [items] if isinstance(items, str) else items:
                key = str(word).strip().casefold()
                if words.setdefault(key, status) != status:
                    raise self.fail(
                        f"bookings.statuses.{status}", f"the word {word!r} already means {words[key]}"
                    )
        if "confirmed" not in words.values():
            raise self.fail(
                "bookings.statuses.confirmed", "missing: which words mean that the customer bought?"
            )
        return words

    def dimensions(self, value: object, *, with_bookings: bool) -> tuple[DimensionMapping, ...]:
        result = []
        for name, item in self.table("dimensions", value).items():
            key = f"dimensions.{name}"
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in _RESERVED_DIMENSIONS:
                raise self.fail(
                    key,
                    "a dimension's name has lower-case letters, digits and _, and is no word of our own",
                )
            given = self.table(key, item)
            self.known(key, given, _DIMENSION_KEYS)
            table = given.get("table", "assignments")
            if table not in ("assignments", "bookings"):
                raise self.fail(f"{key}.table", f'must be "assignments" or "bookings", not {table!r}')
            if table == "bookings" and not with_bookings:
                raise self.fail(f"{key}.table", "there is no [bookings] table")
            required = given.get("required", True)
            if not isinstance(required, bool):
                raise self.fail(f"{key}.required", f"must be true or false, not {required!r}")
            column = {
                name: given[name] for name in ("column", "columns", "joined_by", "default") if name in given
            }
            result.append(
                DimensionMapping(
                    name=name,
                    values=self.dimension_values(f"{key}.values", given.get("values")),
                    table=cast(Literal["assignments", "bookings"], table),
                    source=self.source(key, column or {"column": name}),
                    required=required,
                )
            )
        return tuple(result)

    def dimension_values(self, key: str, value: object) -> tuple[str, ...] | None:
        if value == _ANY:
            return None
        if value is None:
            raise self.fail(
                key, f'missing: list the allowed values, or write values = "{_ANY}" to take those in the data'
            )
        values = tuple(item.strip() for item in self.texts(key, value))
        repeated = sorted({item for item in values if values.count(item) > 1})
        if repeated:
            raise self.fail(key, f"{repeated[0]!r} is listed twice")
        return values


def _scalar_text(value: object) -> str:
    """Write a TOML value the way a CSV field would hold it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
