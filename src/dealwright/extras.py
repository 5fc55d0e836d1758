"""What is installed on request: the libraries of each extra, and the error that names a missing one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from dealwright.errors import MissingExtraError

# extra -> the modules it installs beside the desk and learning
EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "cluster": ("distributed",),
    "plan": (
        "h3", "icalendar", "numba", "ortools", "prometheus_client", "pyvrp", "scipy", "shapely",
        "threadpoolctl",
    ),
    "service": (
        "argon2", "authlib", "fastapi", "httptools", "httpx", "mcp", "prometheus_client",
        "standardwebhooks", "uvicorn", *(() if sys.platform == "win32" else ("uvloop",)),
    ),
    "tracing": ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"),
}  # fmt: skip


def missing_modules(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed; nothing is imported."""
    return [name for name in EXTRAS[extra] if not _installed(name)]


def require_extra(extra: str, purpose: str) -> None:
    """Make sure that an extra is installed.

    Parameters
    ----------
    purpose
        What needs it, as the subject of a sentence.

    Raises
    ------
    MissingExtraError
        A module of the extra is missing; the message says how to install it.
    """
    if missing := missing_modules(extra):
        raise MissingExtraError(extra, purpose, missing)


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
