"""Read many leads from a CSV or JSON-lines file; mistakes name their line before anything is assigned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import Dimension

_FIELDS = ("customer_name", "requirements", "priority", "idempotency_key", "received_at")


def read_leads(path: Path, dimensions: Sequence[Dimension]) -> list[Mapping[str, Any]]:
    """Read leads in the JSON shape of the SQL functions.

    A CSV has the columns ``customer_name`` and one per dimension, and may have ``requirements``,
    ``priority``, ``idempotency_key`` and ``received_at``.

    Raises
    ------
    InputError
        The file cannot be read, or a lead is not complete; nothing has been assigned then.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}: give leads in a .csv or .jsonl file")
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        leads = _read_json_lines(path)
    elif suffix == ".csv":
        leads = _read_csv(path, dimensions)
    else:
        raise InputError(f"{path}: a file of leads ends in .csv or .jsonl")
    if not leads:
        raise InputError(f"{path.name} holds no leads")
    for line, lead in leads:
        _check(f"{path.name}, line {line}", lead, dimensions)
    return [lead for _, lead in leads]


def _read_json_lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    leads = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path.name} is not UTF-8: save it as UTF-8") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                lead = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path.name}, line {number}: not JSON: {error}") from None
            if not isinstance(lead, dict):
                raise InputError(
                    f'{path.name}, line {number}: a lead is an object like {{"customer_name": "Kate"}}'
                )
            leads.append((number, lead))
    return leads


def _read_csv(path: Path, dimensions: Sequence[Dimension]) -> list[tuple[int, dict[str, Any]]]:
    from dealwright.intake.mapping import FileFormat
    from dealwright.intake.read import read_header, read_table

    names = [dimension.name for dimension in dimensions]
    header = read_header(path, FileFormat())
    for name in header:
        if name not in (*_FIELDS, *names):
            raise InputError(f"{path.name}, line 1: {UnknownNameError('column', name, (*_FIELDS, *names))}")
    wanted = ["customer_name", *names, *(name for name in _FIELDS[1:] if name in header)]
    table = read_table(path, FileFormat(), dict.fromkeys(wanted, "leads"))
    for row in table.ragged:
        raise InputError(
            f"{path.name}, line {row.line}: {len(row.cells)} fields instead of {len(table.header)}"
        )
    leads = []
    for line, cells in zip(table.lines.tolist(), table.frame.iter_rows(), strict=True):
        values = {
            name: cell.strip() or None if cell else None for name, cell in zip(wanted, cells, strict=True)
        }
        lead: dict[str, Any] = {name: values[name] for name in _FIELDS if values.get(name) is not None}
        lead["attributes"] = {name: values[name] for name in names if values[name] is not None}
        if "priority" in lead:
            try:
                lead["priority"] = int(lead["priority"])
            except ValueError:
                raise InputError(
                    f"{path.name}, line {line}, priority: {lead['priority']!r} is not a whole number"
                ) from None
        leads.append((line, lead))
    return leads


def _check(place: str, lead: Mapping[str, Any], dimensions: Sequence[Dimension]) -> None:
    if not str(lead.get("customer_name") or "").strip():
        raise InputError(f"{place}: customer_name is empty")
    attributes = lead.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise InputError(f'{place}: attributes must be an object like {{"destination": "Mars"}}')
    known = {dimension.name: dimension.values for dimension in dimensions}
    for name, value in attributes.items():
        if name not in known:
            raise InputError(f"{place}: {UnknownNameError('dimension', name, known)}")
        if value not in known[name]:
            raise InputError(f"{place}, {name}: {UnknownNameError(f'value of {name}', value, known[name])}")
    for name in known:
        if name not in attributes:
            raise InputError(f"{place}: {name} is empty")
    received_at = lead.get("received_at")
    if received_at is not None:
        try:
            datetime.fromisoformat(str(received_at))
        except ValueError:
            raise InputError(
                f"{place}, received_at: {received_at!r} is no time like 2025-03-31T14:05:00Z"
            ) from None
