"""Who did what, for whoever runs the floor."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from dealwright.service.answers import Json, page_answer
from dealwright.service.endpoint import TheDesk, endpoint
from dealwright.service.routes.leads import After, Limit
from dealwright.service.shapes import ChangeOut, Page

router = APIRouter(tags=["oversight"])
Filter = Annotated[str | None, Query(max_length=1000)]


@endpoint(router, "GET", "/audit", scopes=("manager",), answer=Page[ChangeOut])
def list_changes(
    desk: TheDesk,
    *,
    actor: Filter = None,
    action: Filter = None,
    object: Filter = None,  # noqa: A002 - the name of the parameter
    object_id: Filter = None,
    after: After = None,
    limit: Limit = 100,
) -> Json:
    """List who did what, newest first: with a key, signed in, or as a user of the database."""
    return page_answer(
        desk.book.changes(actor=actor, action=action, kind=object, object_id=object_id, after=after, k=limit)
    )
