"""Every error Dealwright raises on purpose; each message names the cause and the fix.

Each class carries the exit code of the command line: 2 for bad usage or input, 1 for a failed check.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class DealwrightError(Exception):
    """Base of all errors a caller may want to catch; ``str(error)`` is ready to be shown to a person."""

    exit_code = 1


class InputError(DealwrightError):
    """What the user gave (file, column, value, option) cannot be used; the message says what to change."""

    exit_code = 2


class UnknownNameError(InputError):
    """A name is not one of those allowed; the message proposes the nearest one."""

    def __init__(self, kind: str, name: object, allowed: Iterable[object]) -> None:
        names = [str(item) for item in allowed]
        near = get_close_matches(str(name), names, n=1, cutoff=0.5)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(names) or '(there are none)'}"
        )
        super().__init__(f"unknown {kind} {str(name)!r}: {hint}")


class DatabaseError(DealwrightError):
    """The database cannot be reached, or it is not what Dealwright needs; the message says how to fix it."""


class DatabaseUrlError(DatabaseError, InputError):
    """The URL of the database cannot be read or makes no sense; the message says how to write it."""


class NotFoundError(InputError):
    """A record that was asked for by id does not exist."""


class ConflictError(DealwrightError):
    """A request contradicts the state of the book of record (for example an agent who is full)."""


class RefusedChangeError(ConflictError):
    """A change of a planned day that a limit does not allow.

    Attributes
    ----------
    limit
        Which one, in two or three words.
    """

    def __init__(self, limit: str, reason: str) -> None:
        super().__init__(f"{reason} ({limit})")
        self.limit = limit
        self.reason = reason


class MissingExtraError(DealwrightError):
    """Something needs libraries that are installed on request; the message names the extra."""

    exit_code = 2

    def __init__(self, extra: str, purpose: str, missing: Sequence[str]) -> None:
        super().__init__(
            f"{purpose} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            f"installed: pip install 'dealwright[{extra}]'"
        )


class ServiceError(DealwrightError):
    """The service cannot be reached, or it refuses the key; the message says what to do."""


class ClusterError(DealwrightError):
    """The cluster cannot be reached, is lost, or has workers that would compute something else."""


class NoRosterError(InputError):
    """No roster of the contact centre was found in the time that was allowed."""


class EvidenceError(DealwrightError):
    """The data cannot support what was asked of it."""


class GateError(DealwrightError):
    """A quality gate stopped the run; ``--force`` goes on in spite of it."""
