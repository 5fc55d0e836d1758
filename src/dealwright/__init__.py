"""Dealwright decides who should sell to a customer, through which channel, when and in what order."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dealwright.errors import DealwrightError

__version__ = "0.1.0"

# name -> module that defines it; imported at first use, so that `import dealwright` costs nothing
_PUBLIC = {
    "DealwrightError": "dealwright.errors",
}

__all__ = ["DealwrightError", "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    try:
        module = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'dealwright' has no attribute {name!r}") from None
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
