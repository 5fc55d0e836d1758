"""Read values out of a TOML document; a mistake names the file and the key."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from dealwright.errors import InputError


@dataclass(frozen=True)
class TomlReader:
    """Takes values of the expected kind out of a document.

    Attributes
    ----------
    label
        What the file is called, for messages.
    """

    label: str

    def fail(self, key: str, message: str) -> InputError:
        """Return the error for a mistake at a key."""
        return InputError(f"{self.label}: {key}: {message}")

    def known(self, key: str, given: dict[str, Any], allowed: tuple[str, ...] | list[str]) -> None:
        """Refuse keys that mean nothing."""
        for name in given:
            if name not in allowed:
                near = get_close_matches(name, allowed, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(allowed)}"
                raise self.fail(f"{key}.{name}".strip("."), f"unknown key: {hint}")

    def table(self, key: str, value: object) -> dict[str, Any]:
        """Return a table."""
        if not isinstance(value, dict):
            raise self.fail(key, f"must be a table ([{key}]), not {value!r}")
        return value

    def text(self, key: str, value: object) -> str:
        """Return a text that is not empty."""
        if not isinstance(value, str) or not value:
            raise self.fail(key, f"must be a text in quotes, not {value!r}")
        return value

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        """Return one or more texts."""
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not value:
            raise self.fail(key, f'must be a list of texts like ["A", "B"], not {value!r}')
        return tuple(self.text(key, item) for item in value)

    def number(self, key: str, value: object, *, at_least: float) -> float:
        """Return a finite number that is large enough."""
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not at_least <= value < float("inf")
        ):
            raise self.fail(key, f"must be a number of at least {at_least:g}, not {value!r}")
        return float(value)
