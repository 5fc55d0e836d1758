"""Frozen parameter dataclasses to TOML text and back, so that a run can be repeated from its own file."""

from __future__ import annotations

import json
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.actions import catalogue
from dealwright.plan.actions.conditions import Expression, parse_expression

T = TypeVar("T")


def to_mapping(params: Any) -> dict[str, Any]:
    """Turn a dataclass into plain values; a field that is ``None``, as its default must be, is left out."""
    result = {}
    for item in fields(params):
        value = _plain(getattr(params, item.name))
        if value is not None:
            result[item.name] = value
        elif item.default is not None and item.default is not MISSING:
            raise TypeError(f"{type(params).__name__}.{item.name} is None, which TOML cannot say")
    return result


def from_mapping(kind: type[T], raw: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from plain values.

    Raises
    ------
    InputError
        An unknown key or a value of the wrong kind; the message names the key.
    """
    # the catalogue's types are imported for type checking only where parameters are defined
    hints = get_type_hints(kind, localns=vars(catalogue))
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    for name in raw:
        if name not in names:
            raise UnknownNameError(f"key in [{where}]", name, names)
    for item in fields(kind):  # type: ignore[arg-type]
        if item.name not in raw and item.default is MISSING and item.default_factory is MISSING:
            if type(None) not in get_args(hints[item.name]):
                raise InputError(f"[{where}] lacks {item.name}: give it, or leave the whole table out")
            raw = {**raw, item.name: None}
    return kind(**{name: _build(hints[name], value, f"{where}.{name}") for name, value in raw.items()})


def write_toml(tables: Mapping[str, Any]) -> str:
    """Write nested plain values (str, bool, int, float, date, list, mapping) as TOML 1.0."""
    lines: list[str] = []
    _write_table(lines, tables, ())
    return "\n".join(lines).strip() + "\n"


def read_toml(text: str, file: str) -> dict[str, Any]:
    """Read TOML text; a mistake in it is an `InputError` that names the file."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file} is not valid TOML: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Expression):
        return value.text
    if is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _build(hint: Any, value: Any, where: str) -> Any:  # noqa: C901, PLR0911, PLR0912  one case per kind of value
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Expression:
        return parse_expression(value, where)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        errors = []
        for option in inner:
            if option is not type(None):
                try:
                    return _build(option, value, where)
                except InputError as error:
                    errors.append(error)
        raise errors[0]
    if origin is Literal:
        if value not in inner:
            raise UnknownNameError(f"value of {where}", value, inner)
        return value
    if is_dataclass(hint) and isinstance(hint, type):
        return from_mapping(hint, _expect(value, dict, where, "a table"), where)
    if origin is tuple:
        items = _expect(value, list, where, "a list")
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_build(inner[0], item, where) for item in items)
        if len(items) != len(inner):
            raise InputError(f"{where} needs {len(inner)} values, not {len(items)}")
        return tuple(_build(each, item, where) for each, item in zip(inner, items, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        table = _expect(value, dict, where, "a table")
        return {key: _build(inner[1], item, f"{where}.{key}") for key, item in table.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is datetime and isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if hint in (str, bool, int, float, datetime, time):
        names = {str: "a text in quotes", bool: "true or false", int: "a whole number", float: "a number"}
        if isinstance(value, bool) and hint is not bool:
            raise InputError(f"{where} = {value!r}: write {names.get(hint, 'a date or time')}")
        return _expect(value, hint, where, names.get(hint, "a date or time"))
    return value


def _expect(value: Any, kind: type, where: str, what: str) -> Any:
    if not isinstance(value, kind):
        raise InputError(f"{where} = {value!r}: write {what}")
    return value


def _write_table(lines: list[str], table: Mapping[str, Any], path: tuple[str, ...]) -> None:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    arrays = {key: value for key, value in table.items() if _is_table_array(value)}
    for key, value in table.items():
        if key not in inner and key not in arrays:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in inner.items():
        lines += ["", f"[{'.'.join(map(_key, (*path, key)))}]"]
        _write_table(lines, value, (*path, key))
    for key, rows in arrays.items():
        for row in rows:
            lines += ["", f"[[{'.'.join(map(_key, (*path, key)))}]]"]
            _write_table(lines, row, (*path, key))


def _is_table_array(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_value(item)}' for key, item in value.items())} }}"
    raise TypeError(f"a {type(value).__name__} cannot be written as TOML")
