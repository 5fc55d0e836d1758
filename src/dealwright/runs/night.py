"""One night from its request to the desk: read, plan, write, publish."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dealwright.desk.task_results import Published
from dealwright.errors import GateError
from dealwright.notebook import Summarised
from dealwright.plan.briefs.stage import check_wording
from dealwright.plan.inputs import working_days
from dealwright.plan.pipeline import run_plan
from dealwright.plan.quality import QualityGateError
from dealwright.plan.result import Plan
from dealwright.plan.trace import Progress, return_memory
from dealwright.runs.cluster import open_cluster
from dealwright.runs.ground import read_ground, tiles_url
from dealwright.runs.inputs import read_inputs, road_service
from dealwright.runs.model_store import FolderModelStore
from dealwright.runs.output import RunDirectory, check_output, write_plan, write_report, write_world
from dealwright.runs.publishing import OpenDesk, open_own_desk, publish_run
from dealwright.runs.reading import read_calendar_entries, read_previous
from dealwright.runs.request import NightRequest
from dealwright.runs.territories import read_approved
from dealwright.runs.what_if import with_changes
from dealwright.tables.rejected import write_rejected


@dataclass(frozen=True)
class Night(Summarised):
    """The result of a night.

    Attributes
    ----------
    request
        As it was carried out, with the cut-off that was found.
    plan
        What was decided.
    published
        What publishing did; ``None`` where that was not asked for.
    """

    request: NightRequest
    plan: Plan
    published: Published | None = None

    @property
    def out(self) -> Path:
        """The folder of the run."""
        return self.request.out

    def summary(self) -> dict[str, Any]:
        """Return the key figures, and what publishing did."""
        done = {} if self.published is None else {"published": self.published.to_dict()}
        return {"out": str(self.out), **self.plan.summary(), **done}


def run_night(
    request: NightRequest, *, open_desk: OpenDesk | None = None, progress: Progress | None = None
) -> Night:
    """Read the tables, plan, write the run's folder with its report, and publish where that is asked for.

    Parameters
    ----------
    open_desk
        Opens the desk, where one is needed; by default that of the settings.
    progress
        Called when a stage begins.

    Raises
    ------
    InputError
        A file, column, value or option cannot be used; the message names the fix.
    GateError
        Too many rows were rejected; they are in the folder of the run.
    DatabaseError
        The desk cannot be reached; a run that was complete stays.
    ClusterError
        The cluster cannot be used, or is lost; nothing is written.
    """
    check_output(request.out)
    check_wording(request.params.brief)
    desk = open_desk or open_own_desk
    touches = approved = None
    if request.publish or request.touches_from_desk:  # before the night begins: is there a desk?
        with desk() as opened:
            touches = opened.tasks.touches()
    with _workers(request) as executor:  # before the night begins: is there a cluster?
        travel = road_service(request)
        inputs, drawn = read_inputs(request, touches if request.touches_from_desk else None)
        if request.changes is not None:
            inputs = with_changes(inputs, request.changes, request.params.route)
        request = replace(request, as_of=inputs.as_of, inputs=None)
        if request.territories_from_desk:
            first_day = working_days(inputs.as_of, request.params.route)[0]
            with desk() as opened:
                approved = read_approved(opened, first_day)
        land, tiles = read_ground(request, inputs.accounts), tiles_url(request)
        told = [
            read_calendar_entries(place) for place in (request.previous, request.out) if place is not None
        ]
        read = [inputs]
        del inputs  # handed over below: the plan may let go of what it does not need
        try:
            with RunDirectory(request.out) as folder:
                plan = run_plan(
                    read.pop(), request.params, seed=request.seed, force=request.force,
                    previous=None if request.previous is None else read_previous(request.previous),
                    store=None if request.models is None else FolderModelStore(Path(request.models)),
                    progress=progress, travel=travel, land=None if land is None else land.shape,
                    approved=approved, executor=executor,
                )  # fmt: skip
                write_plan(
                    plan, folder, request.table(), land=land, tiles=tiles, told=told,
                    previous=None if request.previous is None else Path(request.previous),
                )  # fmt: skip
                if drawn is not None:
                    write_world(*drawn, folder)
                return_memory()
                write_report(folder, plan)
        except QualityGateError as error:
            with RunDirectory(request.out) as folder:
                write_rejected(error.quality.intake, folder / "rejected")
            raise GateError(f"{error} (the rows are in {request.out / 'rejected'})") from None
    if not request.publish:
        return Night(request, plan)
    return Night(request, plan, publish_run(request.out, open_desk=desk, progress=progress))


def _workers(request: NightRequest) -> AbstractContextManager[Executor | None]:
    """Return where the work that can be divided is done: ``None`` for the cores of this machine."""
    return nullcontext() if request.cluster is None else open_cluster(request.cluster, request.cluster_data)
