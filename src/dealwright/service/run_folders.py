"""Where the runs of the plan are: the settings of the nights, and the folder of one that is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dealwright.desk.desk import Desk
from dealwright.errors import ConflictError, NotFoundError
from dealwright.settings import NightSettings

if TYPE_CHECKING:
    from dealwright.runs.results import RunFolder
    from dealwright.service.core import Service


def night_settings(service: Service) -> NightSettings:
    """Return where tables and runs are.

    Raises
    ------
    ConflictError
        The service was started without.
    """
    if service.night is None:
        raise ConflictError(
            "no night is configured: write a table [night] into the service's dealwright.toml, "
            "and start the service and its worker again"
        )
    return service.night


def run_folder(night: NightSettings, desk: Desk, night_id: int) -> RunFolder:
    """Find the folder of a run that is done.

    Raises
    ------
    NotFoundError
        It is not done, or its folder is not on this machine.
    """
    from dealwright.runs.results import RunFolder

    found = desk.nights.get(night_id)
    if found.folder is None:
        raise NotFoundError(
            f"night {night_id} is {found.status} and has no results: look at one that is done"
        )
    folder = Path(night.runs) / found.folder
    if not folder.is_dir():
        raise NotFoundError(
            f"the folder of night {night_id} is not on this machine: the last {night.keep} are kept, and a "
            f"service elsewhere than its worker needs the same [night] runs"
        )
    return RunFolder(folder)
