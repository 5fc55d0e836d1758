"""What stands behind the question mark of an address: nothing that its endpoint does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant

from dealwright.errors import InputError, UnknownNameError


async def check_query(request: Request) -> None:
    """Refuse a parameter that the endpoint has not, or one that is given twice where one counts.

    A filter with a slip in its name would answer with everybody's rows.

    Raises
    ------
    InputError
        There is one.
    """
    if not request.query_params:
        return
    known = dict(_query_of(request.scope["route"].dependant))
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            raise UnknownNameError("query parameter", name, known)
        if not known[name] and given.count(name) > 1:
            raise InputError(f"the query parameter {name!r} is given {given.count(name)} times: give it once")


def _query_of(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield the name of each query parameter, and whether it may come more than once."""
    for field in dependant.query_params:
        kind = field.field_info.annotation
        yield field.alias, any(get_origin(part) is list for part in (kind, *get_args(kind)))
    for inner in dependant.dependencies:
        yield from _query_of(inner)
