"""Runs of the plan: asked for, watched, called off, looked into, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import FileResponse, Response

from dealwright.desk.desk import Desk
from dealwright.extras import require_extra
from dealwright.service.answers import Json, page_answer
from dealwright.service.endpoint import TheDesk, Who, endpoint, service_of
from dealwright.service.night_requests import request_night, what_if_options
from dealwright.service.routes.leads import After, Limit
from dealwright.service.run_folders import night_settings, run_folder
from dealwright.service.shapes import (
    ComparisonOut,
    FilesOut,
    KpisOut,
    NightOut,
    Page,
    RunAccountOut,
    RunIn,
    TextPage,
)
from dealwright.settings import NightSettings

if TYPE_CHECKING:
    from dealwright.runs.results import RunFolder

router = APIRouter(tags=["runs"])
_PLANNERS = ("manager", "planner")
_BYTES = "application/octet-stream"
NightId = Annotated[int, Path(ge=1, lt=2**63)]
Filter = Annotated[str | None, Query(max_length=500)]
AfterText = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]


@endpoint(router, "POST", "/runs", scopes=_PLANNERS, answer=NightOut, status=202)
def start_run(
    request: Request,
    desk: TheDesk,
    who: Who,
    run: RunIn,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=400)] = None,
) -> Json:
    """Ask for a run of the plan; the worker carries out one at a time, in their order.

    With `what_if`, it is that run with `changes` of its people and `params`: never published, for comparison.
    """
    service = service_of(request)
    options = run.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    if run.what_if is not None:
        options = what_if_options(service, desk, options)
    night_id = request_night(service, desk, who, options, idempotency_key)
    return Json(desk.nights.get(night_id).to_dict(), 202)


@endpoint(router, "GET", "/runs", scopes=_PLANNERS, answer=Page[NightOut])
def list_runs(desk: TheDesk, *, status: Filter = None, after: After = None, limit: Limit = 100) -> Json:
    """List the runs that were asked for, by the clock or by somebody, newest first."""
    return page_answer(desk.nights.page(status=status, after=after, k=limit))


@endpoint(router, "GET", "/runs/{night_id}", scopes=_PLANNERS, answer=NightOut)
def get_run(desk: TheDesk, night_id: NightId) -> Json:
    """Return one run: how far it has come, and how it ended.

    The same as events: `/api/v1/events?kind=night_stage&kind=night_done&kind=night_failed`.
    """
    return Json(desk.nights.get(night_id).to_dict())


@endpoint(router, "POST", "/runs/{night_id}/cancel", scopes=_PLANNERS, answer=NightOut)
def cancel_run(desk: TheDesk, who: Who, night_id: NightId) -> Json:
    """Call a run off: one that waits at once, one that is under way within seconds."""
    return Json(desk.nights.cancel(night_id, who.name).to_dict())


@endpoint(router, "GET", "/runs/{night_id}/kpis", scopes=_PLANNERS, answer=KpisOut)
def get_run_kpis(request: Request, desk: TheDesk, night_id: NightId) -> Json:
    """Return the key figures of a run with their targets."""
    return Json({"kpis": _run(request, desk, night_id).kpis()})


@endpoint(router, "GET", "/runs/{night_id}/accounts", scopes=_PLANNERS, answer=TextPage[RunAccountOut])
def list_run_accounts(
    request: Request,
    desk: TheDesk,
    night_id: NightId,
    *,
    search: Filter = None,
    action: Filter = None,
    channel: Filter = None,
    segment: Filter = None,
    territory: Filter = None,
    rep_id: Filter = None,
    after: AfterText = None,
    limit: Limit = 100,
) -> Json:
    """List the accounts of a run, highest expected gain first; `search`: a part of id or name."""
    items, following = _run(request, desk, night_id).accounts(
        search=search, after=after, k=limit, action=action, channel=channel, segment=segment,
        territory=territory, rep_id=rep_id,
    )  # fmt: skip
    return Json({"items": items, "next": following})


@endpoint(router, "GET", "/runs/{night_id}/accounts/{account_id}", scopes=_PLANNERS, answer=RunAccountOut)
def get_run_account(
    request: Request, desk: TheDesk, night_id: NightId, account_id: Annotated[str, Path(max_length=500)]
) -> Json:
    """Return the card of an account: what was decided, why, and why not something else."""
    require_extra("plan", "an account's card")
    return Json(_run(request, desk, night_id).card(account_id))


@endpoint(router, "GET", "/runs/{night_id}/tasks", scopes=_PLANNERS, answer=Page[dict[str, object]])
def list_run_tasks(
    request: Request, desk: TheDesk, night_id: NightId, *, after: After = None, limit: Limit = 100
) -> Json:
    """List the tasks that a run planned, published or not."""
    items, following = _run(request, desk, night_id).table("tasks", after=after or 0, k=limit)
    return Json({"items": items, "next": following})


@endpoint(router, "GET", "/runs/{night_id}/limits", scopes=_PLANNERS, answer=Page[dict[str, object]])
def list_run_limits(
    request: Request, desk: TheDesk, night_id: NightId, *, after: After = None, limit: Limit = 100
) -> Json:
    """List what holds a run back, and what one more of it would bring."""
    items, following = _run(request, desk, night_id).table("limits", after=after or 0, k=limit)
    return Json({"items": items, "next": following})


@endpoint(router, "GET", "/runs/{night_id}/files", scopes=_PLANNERS, answer=FilesOut)
def list_run_files(request: Request, desk: TheDesk, night_id: NightId) -> Json:
    """List the files of a run: report, maps, calendars, briefs, tables."""
    return Json({"files": _run(request, desk, night_id).files()})


@endpoint(
    router, "GET", "/runs/{night_id}/files/{name:path}", scopes=_PLANNERS, answer=None, media_type=_BYTES
)
def get_run_file(
    request: Request, desk: TheDesk, night_id: NightId, name: Annotated[str, Path(max_length=500)]
) -> Response:
    """Return a file of a run."""
    path = _run(request, desk, night_id).file(name)
    return FileResponse(path, media_type=_BYTES, filename=path.name)


@endpoint(router, "GET", "/runs/{night_id}/comparison", scopes=_PLANNERS, answer=ComparisonOut)
def compare_runs(
    request: Request,
    desk: TheDesk,
    night_id: NightId,
    *,
    before: Annotated[int, Query(ge=1, lt=2**63, description="The run to compare with.")],
    after: AfterText = None,
    limit: Limit = 100,
) -> Json:
    """Say what differs between two runs: figures, and accounts with another action, channel or agent."""
    run = _run(request, desk, night_id)
    found = run.compare(_run(request, desk, before), after=after, k=limit)
    return Json({"night_id": night_id, "before": before, **found})


def _settings(request: Request) -> NightSettings:
    return night_settings(service_of(request))


def _run(request: Request, desk: Desk, night_id: int) -> RunFolder:
    return run_folder(_settings(request), desk, night_id)
