"""Oversight: who did what, pause the automation, contest an outcome, erase a customer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from dealwright.service.answers import Json, page_answer
from dealwright.service.endpoint import OwnAgent, TheDesk, check_own, endpoint
from dealwright.service.routes.leads import After, Limit
from dealwright.service.shapes import (
    ChangeOut,
    ContestedOut,
    ContestsOut,
    ErasedOut,
    EraseIn,
    Page,
    PausedOut,
    PauseIn,
    PausesOut,
    ReasonIn,
    ResolvedOut,
)

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


@endpoint(router, "GET", "/automation/pauses", scopes=("manager",), answer=PausesOut)
def list_pauses(desk: TheDesk) -> Json:
    """List to whom the desk gives no leads, and why."""
    return Json({"pauses": desk.oversight.pauses()})


@endpoint(router, "POST", "/automation/pause", scopes=("manager",), answer=PausedOut)
def pause_automation(desk: TheDesk, whom: PauseIn) -> Json:
    """Give no leads to an agent, a team or, with neither, to anybody: what comes goes to others or waits."""
    return Json({"agents": desk.oversight.pause(whom.reason, agent=whom.agent_id, team=whom.team)})


@endpoint(router, "POST", "/automation/resume", scopes=("manager",), answer=PausedOut)
def resume_automation(desk: TheDesk, whom: PauseIn) -> Json:
    """Give leads again, at once those that wait."""
    return Json({"agents": desk.oversight.resume(whom.reason, agent=whom.agent_id, team=whom.team)})


@endpoint(router, "GET", "/contests", scopes=("manager",), answer=ContestsOut)
def list_contests(desk: TheDesk, *, with_resolved: bool = False) -> Json:
    """List the outcomes that their agents contest, newest first."""
    return Json({"contests": desk.oversight.contests(with_resolved=with_resolved)})


@endpoint(
    router, "POST", "/assignments/{assignment_id}/contest", scopes=("agent", "manager"), answer=ContestedOut
)
def contest_outcome(desk: TheDesk, own: OwnAgent, assignment_id: str, why: ReasonIn) -> Json:
    """Contest an outcome: training leaves it out until that is resolved."""
    row = desk.book.assignment(assignment_id)
    check_own(own, row["desk_agent_id"], f"assignment {assignment_id}")
    at = desk.oversight.contest(assignment_id, why.reason)
    return Json({"assignment_id": row["assignment_id"], "contested_at": at})


@endpoint(
    router, "POST", "/assignments/{assignment_id}/contest/resolve", scopes=("manager",), answer=ResolvedOut
)
def resolve_contest(desk: TheDesk, assignment_id: str, why: ReasonIn) -> Json:
    """Let a contested outcome stand, perhaps corrected: training takes it in again."""
    row = desk.book.assignment(assignment_id)
    at = desk.oversight.resolve(assignment_id, why.reason)
    return Json({"assignment_id": row["assignment_id"], "resolved_at": at})


@endpoint(router, "POST", "/customers/{customer_id}/erase", scopes=(), answer=ErasedOut)
def erase_customer(
    desk: TheDesk, customer_id: Annotated[str, Path(min_length=1, max_length=500)], how: EraseIn
) -> Json:
    """Take out of the desk who a customer was and what they wrote; the record stays verifiable."""
    return Json(desk.oversight.erase(customer_id, how.reason, leads=how.lead_ids))
