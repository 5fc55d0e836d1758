"""A day of a run, changed by hand: looked at, tried, changed, undone, planned again, and published."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from dealwright.desk.desk import Desk
from dealwright.extras import require_extra
from dealwright.service.answers import Json
from dealwright.service.endpoint import TheDesk, Who, endpoint, name_of, service_of
from dealwright.service.routes.runs import NightId
from dealwright.service.run_folders import night_settings, run_folder
from dealwright.service.shapes import DayChangeIn, DayOut, DayReplanIn, DaySeenIn

if TYPE_CHECKING:
    from dealwright.runs.day_board import DayBoard
    from dealwright.runs.day_changes import DayChange

router = APIRouter(tags=["runs"])
_PLANNERS = ("manager", "planner")
Day = Annotated[date, Path(description="A day that the run plans.")]


def board_of(request: Request, desk: Desk, night_id: int, day: date) -> DayBoard:
    """Return what changes a day of a run.

    Raises
    ------
    NotFoundError
        There is no such run, or it has no visits on that day.
    """
    require_extra("plan", "changing a day")
    from dealwright.runs.day_board import DayBoard

    return DayBoard(
        desk, run_folder(night_settings(service_of(request)), desk, night_id).folder, night_id, day
    )


def _board(request: Request, desk: TheDesk, night_id: NightId, day: Day) -> Any:
    return board_of(request, desk, night_id, day)


Board = Annotated[Any, Depends(_board)]


@endpoint(router, "GET", "/runs/{night_id}/day/{day}", scopes=_PLANNERS, answer=DayOut)
def get_day(board: Board) -> Json:
    """Return a day as people have changed it: visits, what is not made and why, what it costs."""
    return Json(board.look().to_dict())


@endpoint(router, "POST", "/runs/{night_id}/day/{day}/try", scopes=_PLANNERS, answer=DayOut)
def try_day_change(board: Board, change: DayChangeIn) -> Json:
    """Say what a change would bring, without making it; one that a limit forbids is refused by name."""
    return Json(board.look([_change(change)]).to_dict())


@endpoint(router, "POST", "/runs/{night_id}/day/{day}/changes", scopes=_PLANNERS, answer=DayOut)
def change_run_day(board: Board, who: Who, change: DayChangeIn) -> Json:
    """Change a day; refused where somebody else has changed it since it was read."""
    return Json(board.apply(_change(change), seen=change.seen, made_by=name_of(who)).to_dict())


@endpoint(router, "POST", "/runs/{night_id}/day/{day}/undo", scopes=_PLANNERS, answer=DayOut)
def undo_day_change(board: Board, who: Who, given: DaySeenIn) -> Json:
    """Take back the last change."""
    return Json(board.undo(seen=given.seen, made_by=name_of(who)).to_dict())


@endpoint(router, "POST", "/runs/{night_id}/day/{day}/redo", scopes=_PLANNERS, answer=DayOut)
def redo_day_change(board: Board, who: Who, given: DaySeenIn) -> Json:
    """Make the change again that was taken back last."""
    return Json(board.redo(seen=given.seen, made_by=name_of(who)).to_dict())


@endpoint(router, "POST", "/runs/{night_id}/day/{day}/replan", scopes=_PLANNERS, answer=DayOut)
def replan_day(board: Board, who: Who, given: DayReplanIn) -> Json:
    """Plan the rest of a changed day again: what was begun, moved, added or pinned stands."""
    if given.part == "centre":
        again = board.plan_centre_again(given.from_min, shifts=given.shifts)
    else:
        again = board.plan_again(given.from_min)
    return Json(board.apply(again, seen=given.seen, made_by=name_of(who)).to_dict())


@endpoint(router, "POST", "/runs/{night_id}/day/{day}/publish", scopes=("planner",), answer=DayOut)
def publish_day(board: Board, who: Who, given: DaySeenIn) -> Json:
    """Put a changed day on the desk, and into the run's folder as its next version."""
    state, _ = board.publish(seen=given.seen, made_by=name_of(who))
    return Json(state.to_dict())


def _change(given: DayChangeIn) -> DayChange:
    from dealwright.runs.day_board import change_of

    return change_of(given.model_dump(exclude_none=True))
