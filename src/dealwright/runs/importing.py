"""From a folder of tables to the desk's history: the checks that an import makes before it writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dealwright.errors import InputError
from dealwright.wording import count_of

if TYPE_CHECKING:
    from dealwright.desk.desk import Desk
    from dealwright.desk.results import Loaded
    from dealwright.schemas import History
    from dealwright.tables.mapping import CompanyMap


def check_import(
    company: CompanyMap,
    history: History,
    rejected: Sequence[Path],
    *,
    strict: bool = False,
    deactivate_missing: bool | None = None,
) -> bool | None:
    """Refuse a history that had better not be loaded; return what to do about agents who are missing.

    Parameters
    ----------
    rejected
        Where the rejected rows are.
    strict
        Not a single row may be rejected.
    deactivate_missing
        Whether agents who are not in the file get no more leads; None: as far as it is known.

    Raises
    ------
    InputError
        Too many rows were rejected, or no agent is left.
    """
    intake = history.intake
    if strict and intake.rejected:
        raise InputError(
            f"{count_of(intake.rejected, 'row')} rejected, and --strict allows none: nothing was imported; "
            f"they are in {rejected[0].parent}"
        )
    broken = intake.tables["agents"].rejected.height > 0
    if deactivate_missing is None and (broken or company.table("agents").file is None):
        deactivate_missing = False  # it is not known who is missing, or it means nothing
    if deactivate_missing and broken:
        raise InputError(
            f"{count_of(intake.tables['agents'].rejected.height, 'row')} of agents rejected, so it is not "
            "known who is missing: mend them first, or leave out --deactivate-missing; nothing was imported"
        )
    intake.check_share(company.max_rejected_share)
    if not history.agents.height:
        raise InputError("no agent is left after the checks: nothing was imported")
    return deactivate_missing


def import_folder(desk: Desk, directory: Path, mapping: str | None, rejected: Path) -> Loaded:
    """Load the agents, assignments and bookings of a folder; broken rows are rejected and written down.

    Raises
    ------
    InputError
        The tables cannot be read, or had better not be loaded.
    """
    from dealwright.tables.history import read_history
    from dealwright.tables.mapping import read_mapping
    from dealwright.tables.rejected import write_rejected

    company = read_mapping(mapping or directory / "company.toml")
    history = read_history(company, directory)
    paths = write_rejected(history.intake, rejected, directory)
    return desk.load(history, deactivate_missing=check_import(company, history, paths))
