"""A lead: one enquiry of one prospect."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dealwright.errors import InputError


@dataclass(frozen=True)
class Lead:
    """One enquiry of one prospect.

    Attributes
    ----------
    customer_name
        Who asks.
    attributes
        What is known of the declared dimensions, for example ``{"destination": "Mars", "employees": 35}``.
    requirements
        What the customer wants, in words; skills and departments named in it are required of the agent.
    priority
        Higher comes first in the waiting queue.
    idempotency_key
        The same key sent twice gives the same assignment.
    received_at
        When the enquiry came in; default now.
    customer_id
        What your own tables call the customer: who comes back goes to the former agent.
    """

    customer_name: str
    attributes: Mapping[str, str | float | None] = field(default_factory=dict)
    requirements: str | None = None
    priority: int = 0
    idempotency_key: str | None = None
    received_at: datetime | None = None
    customer_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape that the SQL functions take."""
        return {
            "customer_name": self.customer_name,
            "attributes": dict(self.attributes),
            "requirements": self.requirements,
            "priority": self.priority,
            "idempotency_key": self.idempotency_key,
            "received_at": self.received_at,
            "customer_id": self.customer_id,
        }


def plain_values(document: Mapping[Any, Any], what: str) -> dict[str, Any]:
    """Return a document whose values JSON has: moments as ISO 8601, decimals and NumPy's scalars as numbers.

    Raises
    ------
    InputError
        A key is no text, or a value is of another type, not finite or nested too deep; the message names it.
    """
    for name in document:
        if not isinstance(name, str):
            raise InputError(f"{what}: the key {name!r} is of type {type(name).__name__}: use a text")
    return {name: _plain(value, name, 0) for name, value in document.items()}


def _plain(value: Any, name: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise InputError(f"{name} is nested deeper than {_DEEPEST}: send a flat value")
    if isinstance(value, Mapping):
        return plain_values(
            {key: _plain(item, f"{name}.{key}", depth + 1) for key, item in value.items()}, name
        )
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, name, depth + 1) for item in value]
    return plain_scalar(value, name)


def plain_scalar(value: Any, name: str) -> Any:
    """Return a single value as JSON has it; see :func:`plain_values`."""
    if type(value).__module__ == "numpy":
        value = _from_numpy(value, name)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        _check_text(value, name)
        return unicodedata.normalize("NFC", value)  # as files are read: é is one letter, however it was typed
    if isinstance(value, date):  # a datetime is one
        try:
            return value.isoformat()
        except ValueError:  # pandas.NaT
            return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise InputError(f"{name} must be a number, not {value}: leave it out if it is not known")
        return float(value)
    raise InputError(
        f"{name} is of type {type(value).__name__}, which cannot be sent: "
        "use a text, a number, a date, a datetime or None"
    )


def _from_numpy(value: Any, name: str) -> Any:
    """Return a scalar of NumPy as Python has it; NaT is None."""
    if getattr(value, "ndim", 1) != 0:
        raise InputError(f"{name} is an array of NumPy: give one value, such as array[0]")
    if getattr(value, "dtype", None) is not None and value.dtype.kind == "M":
        value = value.astype("datetime64[us]")
    return value.item()


def _check_text(value: str, name: str) -> None:
    if "\0" in value:
        raise InputError(f"{name} holds a null character: send plain text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name} holds half a character (a surrogate): send text in UTF-8") from None


_DEEPEST = 10
