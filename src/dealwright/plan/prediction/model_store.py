"""How fitted models are kept between nights; where is the caller's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dealwright.errors import InputError


@dataclass(frozen=True)
class StoredModel:
    """A fitted model as a store keeps it; `card` is JSON-ready."""

    name: str
    version: str
    model: Any
    card: Mapping[str, Any]


class OutdatedModelError(InputError):
    """A kept model was written with other versions of the libraries: another one is trained."""


class ModelStore(Protocol):
    """Keeps fitted models by name and version; where and how is the caller's business, never a stage's."""

    def champion(self, name: str) -> StoredModel | None:
        """Return the promoted version, or ``None`` where there is none yet.

        Raises
        ------
        OutdatedModelError
            It was written with other versions of the libraries.
        """
        ...

    def save(self, name: str, model: Any, card: Mapping[str, Any]) -> str:
        """Keep a fitted model and return its version (a hash of its content, so equal models share it)."""
        ...

    def promote(self, name: str, version: str) -> None:
        """Make a saved version the champion."""
        ...
