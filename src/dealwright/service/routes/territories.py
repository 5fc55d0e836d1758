"""Scenarios of territories: copied from a run's plan, edited, compared with it, approved from a day on."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from dealwright.desk.desk import Desk
from dealwright.desk.territory_scenarios import TerritoryScenario
from dealwright.errors import ConflictError
from dealwright.extras import require_extra
from dealwright.service.answers import Json
from dealwright.service.core import Service
from dealwright.service.endpoint import TheDesk, Who, endpoint, name_of, service_of
from dealwright.service.routes.leads import Limit
from dealwright.service.routes.runs import Filter
from dealwright.service.run_folders import night_settings, run_folder
from dealwright.service.shapes import (
    Page,
    ScenarioAccountOut,
    ScenarioApprovalIn,
    ScenarioEditIn,
    ScenarioIn,
    ScenarioListOut,
    ScenarioOut,
)

if TYPE_CHECKING:
    from dealwright.runs.territories import DrawnScenario

router = APIRouter(tags=["territories"])
_PLANNERS = ("manager", "planner")
ScenarioId = Annotated[int, Path(ge=1, lt=2**63)]


@endpoint(router, "GET", "/territory-scenarios", scopes=_PLANNERS, answer=ScenarioListOut)
def list_territory_scenarios(desk: TheDesk) -> Json:
    """List the scenarios of territories, newest first."""
    return Json({"scenarios": [item.to_dict() for item in desk.territory_scenarios.list()]})


@endpoint(
    router, "POST", "/territory-scenarios", scopes=_PLANNERS, answer=ScenarioOut, status=201
)  # fmt: skip
def create_territory_scenario(request: Request, desk: TheDesk, who: Who, scenario: ScenarioIn) -> Json:
    """Copy the territories that a run planned, to be edited."""
    service = service_of(request)
    made = make_scenario(service, desk, scenario.name, scenario.night_id, name_of(who))
    return Json(_whole(service, desk, made), 201)


@endpoint(router, "GET", "/territory-scenarios/{scenario_id}", scopes=_PLANNERS, answer=ScenarioOut)
def get_territory_scenario(request: Request, desk: TheDesk, scenario_id: ScenarioId) -> Json:
    """Return a scenario with its figures, those of the standing plan, its territories and its edits."""
    return Json(_whole(service_of(request), desk, desk.territory_scenarios.get(scenario_id)))


@endpoint(router, "POST", "/territory-scenarios/{scenario_id}/edits", scopes=_PLANNERS, answer=ScenarioOut)
def edit_territory_scenario(
    request: Request, desk: TheDesk, who: Who, scenario_id: ScenarioId, edit: ScenarioEditIn
) -> Json:
    """Move accounts, cells or an area to a territory, merge two, let a representative leave or join."""
    from dealwright.runs.territories import edit_scenario

    service, scenario = service_of(request), desk.territory_scenarios.get(scenario_id)
    given = edit.model_dump(exclude_none=True, exclude={"after"})
    folder = scenario_folder(service, desk, scenario)
    edit_scenario(desk, folder, scenario, given, who=name_of(who), after=edit.after)
    return Json(_whole(service, desk, desk.territory_scenarios.get(scenario_id)))


@endpoint(router, "POST", "/territory-scenarios/{scenario_id}/undo", scopes=_PLANNERS, answer=ScenarioOut)
def undo_territory_edit(request: Request, desk: TheDesk, who: Who, scenario_id: ScenarioId) -> Json:
    """Take back the last edit that stands."""
    desk.territory_scenarios.undo(scenario_id, name_of(who))
    return Json(_whole(service_of(request), desk, desk.territory_scenarios.get(scenario_id)))


@endpoint(router, "POST", "/territory-scenarios/{scenario_id}/approve", scopes=_PLANNERS, answer=ScenarioOut)
def approve_territory_scenario(
    request: Request, desk: TheDesk, who: Who, scenario_id: ScenarioId, approval: ScenarioApprovalIn
) -> Json:
    """Put a scenario in force: runs that plan that day or a later one keep its territories."""
    from dealwright.runs.territories import approve_scenario

    service, scenario = service_of(request), desk.territory_scenarios.get(scenario_id)
    folder = scenario_folder(service, desk, scenario)
    approved = approve_scenario(desk, folder, scenario, approval.effective_from, name_of(who))
    return Json(_whole(service, desk, approved))


@endpoint(router, "POST", "/territory-scenarios/{scenario_id}/retire", scopes=_PLANNERS, answer=ScenarioOut)
def retire_territory_scenario(request: Request, desk: TheDesk, scenario_id: ScenarioId) -> Json:
    """Have no run keep a scenario any more; one approved for an earlier day is in force again."""
    return Json(_whole(service_of(request), desk, desk.territory_scenarios.retire(scenario_id)))


@endpoint(
    router, "GET", "/territory-scenarios/{scenario_id}/accounts", scopes=_PLANNERS,
    answer=Page[ScenarioAccountOut],
)  # fmt: skip
def list_scenario_accounts(
    request: Request,
    desk: TheDesk,
    scenario_id: ScenarioId,
    *,
    search: Filter = None,
    territory: Filter = None,
    cell: Filter = None,
    moved: bool = False,
    after: Annotated[int, Query(ge=0, lt=2**31, description="`next` of the page before.")] = 0,
    limit: Limit = 100,
) -> Json:
    """List the accounts of a scenario; `search`: a part of id or name, `moved`: only those that move."""
    drawn = drawn_scenario(service_of(request), desk, desk.territory_scenarios.get(scenario_id))
    items, count = drawn.accounts(
        search=search or "", territory=territory or "", cell=cell or "", moved=moved, start=after, k=limit
    )
    following = after + limit
    return Json({"items": items, "next": following if following < count else None})


def make_scenario(
    service: Service, desk: Desk, name: str, night_id: int | None, who: str
) -> TerritoryScenario:
    """Copy the territories of a run, by default the last one.

    Raises
    ------
    ConflictError
        No run is done yet.
    NotFoundError
        The run has no territories that could be changed.
    """
    require_extra("plan", "scenarios of territories")
    from dealwright.runs.territories import read_standing

    settings = night_settings(service)
    if night_id is None:
        latest = desk.nights.latest_done()
        if latest is None:
            raise ConflictError("no run is done yet: start one, then make a scenario of its territories")
        night_id = latest.night_id
    read_standing(run_folder(settings, desk, night_id).folder)
    return desk.territory_scenarios.create(name, night_id, who)


def scenario_folder(service: Service, desk: Desk, scenario: TerritoryScenario) -> FilePath:
    """Return the folder of the run that a scenario is a copy of."""
    require_extra("plan", "scenarios of territories")
    return run_folder(night_settings(service), desk, scenario.night_id).folder


def drawn_scenario(service: Service, desk: Desk, scenario: TerritoryScenario) -> DrawnScenario:
    """Return a scenario as it is after its edits, measured."""
    folder = scenario_folder(service, desk, scenario)
    from dealwright.runs.territories import draw_scenario, standing_edits

    return draw_scenario(folder, standing_edits(desk, scenario.scenario_id))


def _whole(service: Service, desk: Desk, scenario: TerritoryScenario) -> dict[str, Any]:
    folder = scenario_folder(service, desk, scenario)
    from dealwright.runs.territories import draw_scenario

    drawn = drawn_scenario(service, desk, scenario)
    return {
        **scenario.to_dict(),
        "figures": drawn.summary(),
        "standing": draw_scenario(folder).summary(),
        "territories": drawn.territories,
        "without_territory": drawn.scenario.without_territory(),
        "history": list(desk.territory_scenarios.edits(scenario.scenario_id)),
    }
