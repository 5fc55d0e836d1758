"""Every error in one shape: problem details as of RFC 9457, with a cause and a fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from dealwright.errors import (
    ConflictError,
    DatabaseError,
    DealwrightError,
    EvidenceError,
    InputError,
    MissingExtraError,
    NotFoundError,
)
from dealwright.service.answers import encode

# the first that fits: a subclass stands before its base
_STATUSES: tuple[tuple[type[DealwrightError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (EvidenceError, 409),
    (MissingExtraError, 501),
    (DatabaseError, 503),
    (InputError, 422),
)
TITLES: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "No valid key",
    403: "This key may not do that",
    404: "There is no such thing",
    405: "This address does not know the method",
    409: "The desk says otherwise",
    413: "The request is too large",
    415: "The request is not JSON",
    422: "The request cannot be used",
    429: "Too many requests",
    500: "Something went wrong that should not have",
    501: "Not installed here",
    503: "The desk cannot answer at present",
}


class RefusedError(Exception):
    """A request that the service itself refuses: who asks, how often, how much.

    Attributes
    ----------
    status
        Of HTTP.
    headers
        What goes with it, such as when to try again.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def status_of(error: DealwrightError) -> int:
    """Return the status of HTTP that says what kind of error it is."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 409)


def problem(
    status: int,
    detail: str,
    path: str,
    *,
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Build the answer to a request that failed."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "The request failed"),
        "status": status,
        "detail": detail,
        "instance": path,
    }
    if errors:
        body["errors"] = list(errors)
    extra = {"Retry-After": "1", **(headers or {})} if status == 503 else headers
    return Response(encode(body), status, headers=dict(extra or {}), media_type="application/problem+json")


def problem_of(error: DealwrightError | RefusedError, path: str) -> Response:
    """Build the answer to a request that was refused with one of our errors."""
    if isinstance(error, RefusedError):
        return problem(error.status, str(error), path, headers=error.headers)
    return problem(status_of(error), str(error), path)
