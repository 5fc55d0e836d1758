"""TOML in and out, typed: settings, parameters, catalogues and mapping files are read and written here only.

A type with a form of its own reads and writes itself: ``from_toml(value, where)``, a class method, and
``to_toml()``.
"""

from __future__ import annotations

import operator
import re
import reprlib
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from math import inf
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec.inspect as mi
import tomli_w
from msgspec import Meta

from dealwright.errors import InputError, UnknownNameError

T = TypeVar("T")
Amount: TypeAlias = Annotated[float, Meta(ge=0)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1, description="a number between 0 and 1")]
Text: TypeAlias = Annotated[str, Meta(min_length=1, description="a text in quotes that is not empty")]

_LISTS: Final = {mi.ListType: list, mi.VarTupleType: tuple, mi.SetType: set, mi.FrozenSetType: frozenset}
_KINDS: Final[Mapping[type[mi.Type], tuple[tuple[type, ...], str]]] = {
    mi.StrType: ((str,), "a text in quotes"),
    mi.BoolType: ((bool,), "true or false"),
    mi.IntType: ((int,), "a whole number"),
    mi.FloatType: ((float, int), "a number"),
    mi.DateTimeType: ((datetime, date), "a date and time such as 2026-01-31 08:00:00"),
    mi.DateType: ((date,), "a date such as 2026-01-31"),
    mi.TimeType: ((time,), "a time such as 08:00:00"),
    mi.NoneType: ((type(None),), "nothing"),
    **dict.fromkeys(_LISTS, ((list,), "a list")),
    **dict.fromkeys((mi.DataclassType, mi.StructType, mi.DictType), ((dict,), "a table")),
}
_LIMITS: Final[Mapping[str, tuple[Callable[[Any, Any], Any], str]]] = {
    "ge": (operator.ge, "of at least"),
    "gt": (operator.gt, "above"),
    "le": (operator.le, "of at most"),
    "lt": (operator.lt, "below"),
    "min_length": (lambda value, least: len(value) >= least, "of length at least"),
    "max_length": (lambda value, most: len(value) <= most, "of length at most"),
    "pattern": (lambda value, pattern: re.search(pattern, value), "that matches"),
}


def read_toml(source: Path | str | bytes, label: str) -> dict[str, Any]:
    """Parse a TOML file, text or bytes; a mistake is an `InputError` that calls the document ``label``."""
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
        text = content if isinstance(content, str) else content.decode("utf-8")
        return tomllib.loads(text.removeprefix("\ufeff"))
    except FileNotFoundError:
        raise InputError(f"{label}: no such file; give the path of an existing TOML file") from None
    except OSError as error:
        raise InputError(f"{label}: cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{label}: line {line} is not UTF-8; save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{label}: not valid TOML: {error}; write key = value, texts in quotes") from None


def convert(raw: Any, kind: type[T], label: str, where: str = "") -> T:
    """Build a value of a type (dataclass, `msgspec.Struct`, tuple, mapping ...) from what TOML can say.

    A missing key takes its default; without one it becomes None where its type allows that. Limits stand in
    the type: ``Annotated[float, msgspec.Meta(ge=0, description="what to write instead")]``.

    Parameters
    ----------
    label, where
        What the document is called in messages, and the path of ``raw`` in it.

    Raises
    ------
    InputError
        A key is unknown or missing, or a value is wrong; the message names document, path and value.
    """
    result: T = _build(mi.type_info(kind), raw, _at(label, where) if where else label)
    return result


def to_toml(value: Any) -> str:
    """Write a dataclass or mapping as TOML from which `convert` builds the same again."""
    return tomli_w.dumps(_plain(value))


def _at(place: str, key: str) -> str:
    return f"{place}.{key}" if ": " in place else f"{place}: {key}"


def _build(info: Any, value: Any, place: str, noun: str = "value") -> Any:  # noqa: C901, PLR0911  one case per kind
    fits, what = _rule(info)
    if not fits(value):
        what = what.replace("a number", "a finite number") if value == inf else what
        raise InputError(f"{place} = {reprlib.repr(value)}: write {what}")
    if hasattr(getattr(info, "cls", None), "from_toml"):
        return info.cls.from_toml(value, place)
    match info:
        case mi.Metadata():
            return _build(info.type, value, place)
        case mi.UnionType():
            *others, last = [kind for kind in info.types if _rule(kind)[0](value)]
            for kind in others:
                with suppress(InputError):
                    return _build(kind, value, place)
            return _build(last, value, place)
        case mi.LiteralType() if value not in info.values:
            raise InputError(f"{place}: {UnknownNameError(noun, value, info.values)}")
        case mi.TupleType():
            pairs = zip(info.item_types, value, strict=True)
            return tuple(_build(kind, item, f"{place}[{k}]") for k, (kind, item) in enumerate(pairs))
        case mi.CollectionType():
            items = [_build(info.item_type, item, f"{place}[{k}]") for k, item in enumerate(value)]
            return _LISTS[type(info)](items)
        case mi.DictType():
            names = [_build(info.key_type, key, _at(place, key), "key") for key in value]
            items = [_build(info.value_type, item, _at(place, key)) for key, item in value.items()]
            return dict(zip(names, items, strict=True))
        case mi.DataclassType() | mi.StructType():
            return _build_table(info, value, place)
        case mi.FloatType():
            return float(value)
        case mi.DateTimeType() if not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day)
    return value


def _build_table(info: Any, value: Mapping[str, Any], place: str) -> Any:
    names = {field.encode_name: field for field in info.fields}
    for key in value:
        if key not in names:
            raise InputError(f"{_at(place, key)}: {UnknownNameError('key', key, names)}")
    given = {}
    for key, field in names.items():
        fits, what = _rule(field.type)
        if key in value:
            given[field.name] = _build(field.type, value[key], _at(place, key))
        elif field.required and isinstance(field.type, mi.UnionType) and fits(None):
            given[field.name] = None
        elif field.required:
            raise InputError(f"{_at(place, key)}: is missing; write {what}")
    try:
        return info.cls(**given)
    except (InputError, ValueError) as error:
        raise InputError(f"{place}: {error}") from error


def _rule(info: Any) -> tuple[Callable[[Any], bool], str]:
    """Return whether a value is of a kind and within its limits, contents aside, and what to write."""
    match info:
        case mi.Metadata():
            fits, what = _rule(info.type)
            return fits, (info.extra_json_schema or {}).get("description", what)
        case mi.UnionType():
            rules = [_rule(kind) for kind in info.types]
            what = " or ".join(what for _, what in rules if what != "nothing")
            return lambda value: any(fits(value) for fits, _ in rules), what
        case mi.LiteralType():
            what = f"one of {', '.join(map(repr, info.values))}"
            return lambda value: type(value) in map(type, info.values), what
        case mi.TupleType():
            count = len(info.item_types)
            return lambda value: type(value) is list and len(value) == count, f"a list of {count} values"
    if isinstance(info, mi.AnyType) or hasattr(getattr(info, "cls", None), "from_toml"):
        return lambda _: True, "a value"
    if type(info) not in _KINDS:
        raise TypeError(f"{info} cannot be read from TOML; give it a from_toml")
    kinds, what = _KINDS[type(info)]
    keys = [field.encode_name for field in getattr(info, "fields", ()) if field.required]
    what += f" with {', '.join(keys)}" if keys else ""
    limits = [(*_LIMITS[name], limit) for name in _LIMITS if (limit := getattr(info, name, None)) is not None]
    what += " and".join(f" {words} {limit}" for _, words, limit in limits)

    def within(value: Any) -> bool:
        if type(value) not in kinds:
            return False
        # a number with limits is finite; an integer has to find a place among the floats
        finite = isinstance(info, mi.FloatType) and (limits or isinstance(value, int))
        if finite and not abs(value) <= sys.float_info.max:
            return False
        return all(fits(value, limit) for fits, _, limit in limits)

    return within, what


def _plain(value: Any) -> Any:
    if hasattr(value, "to_toml"):
        return _plain(value.to_toml())
    if is_dataclass(value):
        for field in fields(value):
            default = field.default_factory if field.default is MISSING else field.default
            if getattr(value, field.name) is None and default not in (None, MISSING):
                raise TypeError(f"{type(value).__name__}.{field.name} is None, which TOML cannot say")
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
