"""What is in force: policies, models, evidence, published runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from dealwright.desk.desk import NO_MODEL
from dealwright.service.answers import Json
from dealwright.service.endpoint import EVERYBODY, TheDesk, endpoint
from dealwright.service.routes.leads import Limit
from dealwright.service.shapes import EvidenceOut, ModelOut, ModelsOut, PoliciesOut, RunsOut

router = APIRouter(tags=["in force"])
_READERS = ("manager", "planner")
ModelId = Annotated[int, Path(ge=1, lt=2**63)]


@endpoint(router, "GET", "/policies", scopes=EVERYBODY, answer=PoliciesOut)
def list_policies(desk: TheDesk) -> Json:
    """List the policies; the first is used where none is named."""
    return Json({"policies": desk.book.policies()})


@endpoint(router, "GET", "/models", scopes=_READERS, answer=ModelsOut)
def list_models(desk: TheDesk) -> Json:
    """List the registered models, newest first."""
    return Json({"models": desk.models().rows})


@endpoint(router, "GET", "/models/{model_id}", scopes=_READERS, answer=ModelOut)
def get_model(desk: TheDesk, model_id: ModelId) -> Json:
    """Return one model whole."""
    return Json(desk.model(model_id))


@endpoint(router, "GET", "/evidence", scopes=EVERYBODY, answer=EvidenceOut)
def get_evidence(desk: TheDesk) -> Json:
    """Say what the data can support about differences between agents, as the model at work found it."""
    used = desk.used_policy("value")
    evidence = used["evidence"] or None
    text = str((evidence or {}).get("text") or (evidence or {}).get("verdict") or NO_MODEL)
    return Json({"model_id": used["model_id"], "text": text, "evidence": evidence})


@endpoint(router, "GET", "/plan-runs", scopes=_READERS, answer=RunsOut)
def list_plan_runs(desk: TheDesk, limit: Limit = 30) -> Json:
    """List the published nights, newest first, with what became of their tasks."""
    return Json({"runs": desk.tasks.runs(limit).rows})
