"""Changes of a model or a policy, and the second person who agrees to them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from starlette.responses import Response

from dealwright.service.answers import Json
from dealwright.service.endpoint import TheDesk, endpoint
from dealwright.service.routes.reading import ModelId
from dealwright.service.shapes import (
    ChangeReasonIn,
    Policy,
    PolicyIn,
    ProposalsOut,
    ProposedOut,
    ReasonIn,
    SecondPersonIn,
)

router = APIRouter(tags=["a second person"])
ProposalId = Annotated[int, Path(ge=1, lt=2**63)]
Status = Literal["waiting", "agreed", "refused", "withdrawn"]


@endpoint(router, "POST", "/models/{model_id}/promote", scopes=(), answer=ProposedOut)
def promote_model(desk: TheDesk, model_id: ModelId, why: ChangeReasonIn) -> Json:
    """Put a registered model to work, or ask for it where a second person has to agree."""
    return Json({"proposal_id": desk.promote(model_id, why.reason)})


@endpoint(router, "PUT", "/policies/{name}", scopes=(), answer=ProposedOut)
def change_policy(desk: TheDesk, name: Policy, change: PolicyIn) -> Json:
    """Change a policy, or ask for it where a second person has to agree."""
    waits = desk.proposals.change_policy(
        name, change.params, make_default=change.make_default, reason=change.reason
    )
    return Json({"proposal_id": waits})


@endpoint(router, "PUT", "/second-person", scopes=(), answer=ProposedOut)
def require_second_person(desk: TheDesk, change: SecondPersonIn) -> Json:
    """Require a second person for changes of models and policies; to end that takes one as well."""
    return Json({"proposal_id": desk.proposals.require(change.reason, required=change.required)})


@endpoint(router, "GET", "/proposals", scopes=("manager", "planner"), answer=ProposalsOut)
def list_proposals(desk: TheDesk, status: Status | None = None) -> Json:
    """List the changes that were asked for, newest first; with a status only these."""
    return Json({"required": desk.proposals.required, "proposals": desk.proposals.list(status=status)})


@endpoint(router, "POST", "/proposals/{proposal_id}/agree", scopes=("manager",), answer=None, status=204)
def agree_to_proposal(desk: TheDesk, proposal_id: ProposalId, why: ChangeReasonIn) -> Response:
    """Let a change take effect that another person asked for."""
    desk.proposals.agree(proposal_id, why.reason)
    return Response(status_code=204)


@endpoint(router, "POST", "/proposals/{proposal_id}/refuse", scopes=("manager",), answer=None, status=204)
def refuse_proposal(desk: TheDesk, proposal_id: ProposalId, why: ReasonIn) -> Response:
    """Turn a change down, or take back what one has asked for."""
    desk.proposals.refuse(proposal_id, why.reason)
    return Response(status_code=204)
