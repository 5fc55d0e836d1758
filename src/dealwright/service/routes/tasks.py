"""Tasks of the nightly plan: who does what today, and what came of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from dealwright.desk.desk import Desk
from dealwright.desk.keys import Caller
from dealwright.errors import NotFoundError
from dealwright.service.answers import Json
from dealwright.service.endpoint import OwnAgent, TheDesk, Who, endpoint
from dealwright.service.routes.leads import Limit
from dealwright.service.shapes import NoteIn, ReasonIn, TaskDoneIn, TaskOut, TasksOut

router = APIRouter(tags=["tasks"])
_READERS = ("agent", "manager", "planner")
TaskId = Annotated[int, Path(ge=1, lt=2**63)]
Filter = Annotated[str | None, Query(max_length=500)]


@endpoint(router, "GET", "/tasks", scopes=_READERS, answer=TasksOut)
def list_tasks(
    desk: TheDesk,
    own: OwnAgent,
    who: Who,
    *,
    day: date | None = None,
    rep_id: Filter = None,
    account_id: Filter = None,
    status: Filter = None,
    limit: Limit = 100,
) -> Json:
    """List tasks, by default those of the newest run's days; an agent's key sees its own."""
    wanted = rep_id if own is None else str(who.own_agent_id)
    found = desk.tasks.find(day=day, rep_id=wanted, account_id=account_id, status=status, k=limit)
    return Json({"tasks": found.rows})


@endpoint(router, "GET", "/tasks/{task_id}", scopes=_READERS, answer=TaskOut)
def get_task(desk: TheDesk, own: OwnAgent, who: Who, task_id: TaskId) -> Json:
    """Return one task with its brief."""
    _check_own(desk, own, who, task_id)
    return Json(desk.tasks.get(task_id).to_dict())


@endpoint(router, "POST", "/tasks/{task_id}/start", scopes=_READERS, answer=TaskOut)
def start_task(desk: TheDesk, own: OwnAgent, who: Who, task_id: TaskId) -> Json:
    """Say that somebody is at it: no newer run takes it away."""
    _check_own(desk, own, who, task_id)
    return Json(desk.tasks.start(task_id).to_dict())


@endpoint(router, "POST", "/tasks/{task_id}/finish", scopes=_READERS, answer=TaskOut)
def finish_task(desk: TheDesk, own: OwnAgent, who: Who, task_id: TaskId, done: TaskDoneIn) -> Json:
    """Report the outcome of a task; for a finished one this is a correction."""
    _check_own(desk, own, who, task_id)
    return Json(desk.tasks.finish(task_id, done.outcome, done_at=done.done_at, note=done.note).to_dict())


@endpoint(router, "POST", "/tasks/{task_id}/cancel", scopes=_READERS, answer=TaskOut)
def cancel_task(
    desk: TheDesk, own: OwnAgent, who: Who, task_id: TaskId, remark: Annotated[NoteIn | None, Body()] = None
) -> Json:
    """Say that a task is not to be done; no run of that day asks for it again."""
    _check_own(desk, own, who, task_id)
    return Json(desk.tasks.cancel(task_id, remark.note if remark else None).to_dict())


@endpoint(router, "POST", "/tasks/{task_id}/reopen", scopes=("manager", "planner"), answer=TaskOut)
def reopen_task(desk: TheDesk, task_id: TaskId, why: ReasonIn) -> Json:
    """Take back that a task was finished."""
    return Json(desk.tasks.reopen(task_id, why.reason).to_dict())


def _check_own(desk: Desk, own: int | None, who: Caller, task_id: int) -> None:
    """Refuse an agent's key that names somebody else's task."""
    if own is None:
        return
    try:
        of_agent = desk.tasks.get(task_id).row["rep_id"]
    except NotFoundError:
        of_agent = None
    if of_agent != str(who.own_agent_id):
        raise NotFoundError(f"there is no task {task_id} of yours: your list shows those that are")
