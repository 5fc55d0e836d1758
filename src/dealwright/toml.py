"""TOML in and out, typed: settings, parameters, catalogues and mapping files are read and written here only.

A type that is one value in TOML reads and writes itself: ``from_toml(value, where)``, a class method, and
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
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec.inspect as mi
import tomli_w

from dealwright.errors import InputError, UnknownNameError

T = TypeVar("T")
_MOST: Final = sys.float_info.max
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
    **dict.fromkeys((mi.TupleType, *_LISTS), ((list,), "a list")),
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


def convert(
    raw: Any,
    kind: type[T],
    label: str,
    where: str = "",
    dec_hook: Callable[[type[Any], Any, str], Any] | None = None,
) -> T:
    """Build a value of a type (dataclass, `msgspec.Struct`, tuple, mapping ...) from what TOML can say.

    A missing key takes its default; without one it becomes None where its type allows that. Limits stand in
    the type: ``Annotated[float, msgspec.Meta(ge=0, description="what to write instead")]``.

    Parameters
    ----------
    label, where
        What the document is called in messages, and the path of ``raw`` in it.
    dec_hook
        Builds a value of a type that is not known here from the type, the raw value and its place.

    Raises
    ------
    InputError
        A key is unknown or missing, or a value is wrong; the message names document, path and value.
    """
    result: T = _Converter(label, dec_hook).build(mi.type_info(kind), raw, where)
    return result


def to_toml(value: Any) -> str:
    """Write a dataclass, `msgspec.Struct` or mapping as TOML from which `convert` builds the same again."""
    return tomli_w.dumps(_plain(value))


class _Converter:
    def __init__(self, label: str, dec_hook: Callable[[type[Any], Any, str], Any] | None) -> None:
        self.label = label
        self.dec_hook = dec_hook

    def at(self, path: str) -> str:
        return f"{self.label}: {path}" if path else self.label

    def build(self, info: Any, value: Any, path: str) -> Any:  # noqa: C901, PLR0911, PLR0912  one case per kind
        if not _accepts(info, value):
            raise InputError(f"{self.at(path)} = {reprlib.repr(value)}: write {_words(info)}")
        match info:
            case mi.Metadata():
                return self.build(info.type, value, path)
            case mi.UnionType():
                return self.first([kind for kind in info.types if _accepts(kind, value)], value, path)
            case mi.LiteralType() if value not in info.values:
                raise InputError(f"{self.at(path)}: {UnknownNameError('value', value, info.values)}")
            case mi.TupleType():
                kinds = enumerate(zip(info.item_types, value, strict=True))
                return tuple(self.build(kind, item, f"{path}[{index}]") for index, (kind, item) in kinds)
            case mi.CollectionType():
                kind = info.item_type
                items = (self.build(kind, item, f"{path}[{index}]") for index, item in enumerate(value))
                return _LISTS[type(info)](items)
            case mi.DictType():
                places = ((key, item, _join(path, key)) for key, item in value.items())
                keys, kind = info.key_type, info.value_type
                return {self.build(keys, key, at): self.build(kind, item, at) for key, item, at in places}
            case mi.DataclassType() | mi.StructType() | mi.CustomType() if hasattr(info.cls, "from_toml"):
                return info.cls.from_toml(value, self.at(path))
            case mi.DataclassType() | mi.StructType():
                return self.table(info, value, path)
            case mi.CustomType() if self.dec_hook is not None:
                return self.dec_hook(info.cls, value, self.at(path))
            case mi.FloatType():
                return float(value)
            case mi.DateTimeType() if not isinstance(value, datetime):
                return datetime(value.year, value.month, value.day)
            case _ if type(info) in _KINDS or isinstance(info, mi.LiteralType | mi.AnyType):
                return value
        raise TypeError(f"{self.at(path)}: no way to build {info} without a dec_hook")

    def first(self, kinds: list[Any], value: Any, path: str) -> Any:
        """Build the first kind that fits; where none does, the first one's message is the nearest."""
        try:
            return self.build(kinds[0], value, path)
        except InputError:
            for kind in kinds[1:]:
                with suppress(InputError):
                    return self.build(kind, value, path)
            raise

    def table(self, info: Any, value: Mapping[str, Any], path: str) -> Any:
        names = {field.encode_name: field for field in info.fields}
        for key in value:
            if key not in names:
                raise InputError(f"{self.at(_join(path, key))}: {UnknownNameError('key', key, names)}")
        given = {}
        for key, field in names.items():
            if key in value:
                given[field.name] = self.build(field.type, value[key], _join(path, key))
            elif field.required:
                if not isinstance(field.type, mi.UnionType) or not _accepts(field.type, None):
                    raise InputError(f"{self.at(_join(path, key))}: is missing; write {_words(field.type)}")
                given[field.name] = None
        try:
            return info.cls(**given)
        except (InputError, ValueError) as error:
            raise InputError(f"{self.at(path)}: {error}") from error


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _accepts(info: Any, value: Any) -> bool:  # noqa: PLR0911  one case per kind
    """Whether the value is of the kind and within its limits; what a list or table holds is not looked at."""
    match info:
        case mi.Metadata():
            return _accepts(info.type, value)
        case mi.UnionType():
            return any(_accepts(kind, value) for kind in info.types)
        case mi.LiteralType():
            return type(value) in map(type, info.values)
        case mi.TupleType():
            return isinstance(value, list) and len(value) == len(info.item_types)
        case _ if type(info) not in _KINDS or hasattr(getattr(info, "cls", None), "from_toml"):
            return True
    limits = [name for name in _LIMITS if getattr(info, name, None) is not None]
    if type(value) not in _KINDS[type(info)][0]:
        return False
    if isinstance(info, mi.FloatType) and (limits or isinstance(value, int)) and not abs(value) <= _MOST:
        return False
    return all(_LIMITS[name][0](value, getattr(info, name)) for name in limits)


def _words(info: Any) -> str:
    """Say what is to be written."""
    match info:
        case mi.Metadata():
            return (info.extra_json_schema or {}).get("description") or _words(info.type)
        case mi.UnionType():
            return " or ".join(_words(kind) for kind in info.types if not isinstance(kind, mi.NoneType))
        case mi.LiteralType():
            return f"one of {', '.join(map(repr, info.values))}"
        case mi.TupleType():
            return f"a list of {len(info.item_types)} values"
        case _ if type(info) not in _KINDS:
            return "a value"
    keys = [field.encode_name for field in getattr(info, "fields", ()) if field.required]
    bounds = [(text, getattr(info, name, None)) for name, (_, text) in _LIMITS.items()]
    more = [f"with {', '.join(keys)}"] if keys else []
    more += [" and ".join(f"{text} {bound}" for text, bound in bounds if bound is not None)]
    return " ".join(filter(None, [_KINDS[type(info)][1], *more]))


def _plain(value: Any) -> Any:
    if hasattr(value, "to_toml"):
        return value.to_toml()
    if is_dataclass(value):
        for field in fields(value):
            default = field.default_factory if field.default is MISSING else field.default
            if getattr(value, field.name) is None and default not in (None, MISSING):
                raise TypeError(f"{type(value).__name__}.{field.name} is None, which TOML cannot say")
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif hasattr(value, "__struct_fields__"):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        value = {key: getattr(value, name) for key, name in names}
    elif isinstance(value, set | frozenset):
        value = sorted(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
