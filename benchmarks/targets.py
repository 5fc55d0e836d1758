"""What benchmarks print around their tables: the machine and how busy it is, and targets met or missed."""

from __future__ import annotations

import os
import platform


def machine() -> str:
    """Return processor, cores, Python and the load average of the last minute, before the run."""
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "not known here"
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load average before the run {load}"
    )


def at_most(what: str, found: float, limit: float, unit: str, digits: int = 2) -> str:
    """Return the line of a target that something must not exceed."""
    return _line(
        met=found <= limit, what=what, found=f"{found:,.{digits}f}{unit}", want=f"at most {limit:g}{unit}"
    )


def at_least(what: str, found: float, limit: float, unit: str, digits: int = 2) -> str:
    """Return the line of a target that something must reach."""
    return _line(
        met=found >= limit, what=what, found=f"{found:,.{digits}f}{unit}", want=f"at least {limit:g}{unit}"
    )


def holds(what: str, *, met: bool, found: str) -> str:
    """Return the line of a target that is so or not."""
    return _line(met=met, what=what, found=found, want="")


def _line(*, met: bool, what: str, found: str, want: str) -> str:
    wanted = f" (target: {want})" if want else ""
    return f"target {'met   ' if met else 'MISSED'}  {what}: {found}{wanted}"
