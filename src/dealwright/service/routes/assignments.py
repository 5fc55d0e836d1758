"""Assignments: who has which lead, why, and what the agent says of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from dealwright.desk.desk import Desk
from dealwright.desk.results import Row
from dealwright.service.answers import Json
from dealwright.service.endpoint import OwnAgent, TheDesk, Who, check_own, endpoint, name_of
from dealwright.service.routes.leads import After, Limit
from dealwright.service.shapes import (
    AcceptedOut,
    AssignmentOut,
    ContactIn,
    ContactOut,
    ExplanationOut,
    Page,
    PlacementOut,
    ReasonIn,
    ReassignIn,
    ReplayOut,
)

router = APIRouter(tags=["assignments"])
_READERS = ("agent", "manager", "planner")
_WORKERS = ("agent", "manager")


@endpoint(router, "GET", "/assignments", scopes=_READERS, answer=Page[AssignmentOut])
def list_assignments(
    desk: TheDesk,
    own: OwnAgent,
    *,
    agent: Annotated[str | None, Query(max_length=500)] = None,
    status: str | None = None,
    after: After = None,
    limit: Limit = 100,
) -> Json:
    """List assignments, newest first; an agent's key sees its own."""
    agent_id = own
    if agent is not None:
        agent_id = desk.book.find_agent(agent)
        check_own(own, agent_id, f"agent {agent}")
    page = desk.book.assignments(agent_id=agent_id, status=status, after=after, k=limit)
    return Json({"items": [_shown(row) for row in page.rows], "next": page.next})


@endpoint(router, "GET", "/assignments/{assignment_id}", scopes=_READERS, answer=AssignmentOut)
def get_assignment(desk: TheDesk, own: OwnAgent, assignment_id: str) -> Json:
    """Return one assignment with its lead and booking."""
    return Json(_shown(_find(desk, own, assignment_id)))


@endpoint(router, "GET", "/assignments/{assignment_id}/explanation", scopes=_READERS, answer=ExplanationOut)
def explain_assignment(
    desk: TheDesk,
    own: OwnAgent,
    who: Who,
    assignment_id: str,
    agent: Annotated[
        str | None, Query(max_length=500, description="Why not this agent: shown too, wherever ranked.")
    ] = None,
) -> Json:
    """Say why an assignment went to its agent and not to another, and what would have changed it."""
    _find(desk, own, assignment_id)
    if agent is not None and own is not None:
        check_own(own, desk.book.find_agent(agent), f"agent {agent}")
    answer = desk.explain(assignment_id, agent).to_dict()
    return Json(answer if own is None else _own_part(answer, who.own_agent_id))


@endpoint(
    router, "GET", "/assignments/{assignment_id}/replay", scopes=("manager", "planner"), answer=ReplayOut
)
def replay_assignment(desk: TheDesk, assignment_id: str) -> Json:
    """Recompute a decision from its record; `agrees` says whether it came out the same."""
    return Json(desk.replay(assignment_id).to_dict())


@endpoint(router, "POST", "/assignments/{assignment_id}/contact", scopes=_WORKERS, answer=ContactOut)
def record_contact(
    desk: TheDesk, own: OwnAgent, assignment_id: str, contact: Annotated[ContactIn | None, Body()] = None
) -> Json:
    """Record that the agent reached the customer; the first time counts."""
    row = _find(desk, own, assignment_id)
    first = desk.contact(assignment_id, contact.at if contact else None)
    return Json({"assignment_id": row["assignment_id"], "first_contact_at": first})


@endpoint(router, "POST", "/assignments/{assignment_id}/accept", scopes=_WORKERS, answer=AcceptedOut)
def accept_assignment(desk: TheDesk, own: OwnAgent, assignment_id: str) -> Json:
    """Take a lead that was offered; one that is not accepted in time goes to the next agent."""
    row = _find(desk, own, assignment_id)
    return Json({"assignment_id": row["assignment_id"], "accepted_at": desk.accept(assignment_id)})


@endpoint(router, "POST", "/assignments/{assignment_id}/decline", scopes=_WORKERS, answer=PlacementOut)
def decline_assignment(desk: TheDesk, own: OwnAgent, assignment_id: str, why: ReasonIn) -> Json:
    """Give a lead that its agent declines to the next one, or back to the queue."""
    _find(desk, own, assignment_id)
    answer = desk.decline(assignment_id, why.reason).to_dict()
    return Json(answer)


@endpoint(router, "POST", "/assignments/{assignment_id}/reassign", scopes=("manager",), answer=PlacementOut)
def reassign_assignment(desk: TheDesk, who: Who, assignment_id: str, why: ReassignIn) -> Json:
    """Give an open assignment's lead to the best other agent with room, or to the one that is named."""
    placement = desk.reassign(
        assignment_id, why.reason, agent=why.agent_id, override=why.override, by=name_of(who)
    )
    return Json(placement.to_dict())


def _find(desk: Desk, own: int | None, assignment_id: str) -> Row:
    row = desk.book.assignment(assignment_id)
    check_own(own, row["desk_agent_id"], f"assignment {assignment_id}")
    return row


def _shown(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("desk_agent_id", "position")}


def _own_part(answer: dict[str, Any], agent_id: int | str | None) -> dict[str, Any]:
    """Leave out of an explanation what it says of other agents."""

    def own(rows: Any) -> list[Any]:
        return [row for row in rows or () if row["agent_id"] == agent_id]

    owner = answer["owner"]
    return {
        **answer,
        "ranking": own(answer["ranking"]),
        "history": own(answer["history"]),
        "owner": owner if owner is not None and owner["agent_id"] == agent_id else None,
    }
