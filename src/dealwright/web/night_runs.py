"""Open the run of a night for a page: its record, its folder in memory, and how its amounts are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dealwright.errors import DealwrightError
from dealwright.extras import require_extra
from dealwright.report.format import Format
from dealwright.service.run_folders import night_settings, run_folder

if TYPE_CHECKING:
    from dealwright.desk.nights import NightRecord
    from dealwright.runs.run_view import RunShelf, RunView
    from dealwright.web.view import Ask


@dataclass(frozen=True)
class OpenNight:
    """A night with its run.

    Attributes
    ----------
    record
        How it was asked for, and how it ended.
    view
        What it decided.
    form
        The reader's language, with the currency of the run.
    """

    record: NightRecord
    view: RunView
    form: Format

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/nights/{self.record.night_id}"


def open_night(ask: Ask, night_id: int) -> OpenNight:
    """Open a night that is done.

    Raises
    ------
    ConflictError
        The service was started without nights.
    NotFoundError
        There is no such night, it is not done, or its folder is not here any more.
    """
    require_extra("plan", "the pages of a night")
    record = ask.desk.nights.get(night_id)
    view = _shelf(ask).open(run_folder(night_settings(ask.service), ask.desk, night_id))
    return OpenNight(record, view, Format(ask.form.locale, view.run.form.currency))


def open_if_there(ask: Ask, night_id: int) -> tuple[OpenNight | None, str]:
    """Open a night, or say why its results cannot be shown."""
    try:
        return open_night(ask, night_id), ""
    except DealwrightError as error:
        return None, str(error)


def _shelf(ask: Ask) -> RunShelf:
    """Return the runs that this process has in memory."""
    from dealwright.runs.run_view import RunShelf

    state = ask.request.app.state
    found: RunShelf | None = getattr(state, "run_shelf", None)
    if found is None:
        found = state.run_shelf = RunShelf()
    return found
