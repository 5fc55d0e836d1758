"""A day that several people change: the run's folder and the desk's record of changes, joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dealwright.desk.day_changes import ERASED, DayRecord
from dealwright.desk.desk import Desk
from dealwright.desk.task_results import Published
from dealwright.errors import ConflictError, InputError, NotFoundError
from dealwright.plan.routing.changes import ChangedDay, Replan
from dealwright.plan.routing.replanning import plan_rest
from dealwright.plan.staffing.changes import CentreReplan, ChangedCentre
from dealwright.plan.staffing.replanning import plan_centre_rest
from dealwright.runs.day_changes import (
    CENTRE_KINDS,
    DayAsChanged,
    DayChange,
    DayOfRun,
    change_run_day,
    change_to_dict,
    read_change,
)
from dealwright.runs.day_publication import rewrite_days
from dealwright.runs.day_versions import write_version


@dataclass(frozen=True)
class DayState:
    """A day as it is now.

    Attributes
    ----------
    record
        What people did to it.
    as_changed
        What comes of it.
    """

    night_id: int
    record: DayRecord
    as_changed: DayAsChanged

    @property
    def of_run(self) -> DayOfRun:
        """As it was planned."""
        return self.as_changed.of_run

    @property
    def changes(self) -> tuple[DayChange, ...]:
        """Those that count."""
        return self.as_changed.changes

    @property
    def changed(self) -> ChangedDay:
        """What comes of them in the field."""
        return self.as_changed.changed

    @property
    def centre(self) -> ChangedCentre | None:
        """What comes of them in the contact centre; None where nothing is known of its day."""
        return self.as_changed.centre

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        changed, published = self.changed, self.record.published
        return {
            "night_id": self.night_id, "day": self.of_run.field_day.day, "seen": self.record.seen,
            "figures": vars(changed.figures), "planned": vars(changed.planned),
            "difference": vars(changed.difference),
            "visits": changed.visits.with_columns(
                pinned=pl.col("account_id").is_in(list(changed.pinned))
            ).to_dicts(),
            "days": changed.days.with_columns(
                pl.col("extra_hour_eur", "extra_visit_eur").fill_nan(None)
            ).to_dicts(),
            "not_made": changed.unplaced.to_dicts(), "pinned": sorted(changed.pinned),
            "pinned_moment": sorted(changed.pinned & changed.draft.terms.begin_s.keys()),
            "deeds": [vars(deed) for deed in self.record.deeds],
            "centre": None if self.centre is None else _centre_dict(self.centre),
            "version": None if published is None else (published.change or {}).get("version"),
        }  # fmt: skip


def _centre_dict(centre: ChangedCentre) -> dict[str, Any]:
    return {
        "figures": vars(centre.figures), "planned": vars(centre.planned),
        "difference": vars(centre.difference), "shifts": centre.shifts.to_dicts(),
        "calls": centre.calls.to_dicts(),
        "levels": centre.levels.to_dicts(), "not_made": centre.unplaced.to_dicts(),
        "pinned": sorted(centre.pinned), "moved": sorted(centre.moved), "lost": sorted(centre.lost),
        "absent": dict(centre.draft.absent),
    }  # fmt: skip


class DayBoard:
    """A day of a run, for people who change it.

    Parameters
    ----------
    desk
        With the rights of who changes it.
    folder
        Of the run.
    home
        Where answers of a road service are kept.
    """

    def __init__(self, desk: Desk, folder: Path, night_id: int, day: date, home: Path | None = None) -> None:
        self._desk, self._folder, self._night_id, self._day = desk, folder, night_id, day
        self._home = home

    def look(self, more: Sequence[DayChange] = ()) -> DayState:
        """Return the day as it is, or as it would be with `more` changes.

        Raises
        ------
        RefusedChangeError
            A limit does not allow them.
        """
        record = self._desk.day_changes.of(self._night_id, self._day)
        made = (deed.change or {} for deed in record.counting)
        # those of an account that was erased count no more
        changes = (*(read_change(change) for change in made if change.get("kind") != ERASED), *more)
        as_changed = change_run_day(self._folder, self._day, changes, self._home)
        return DayState(self._night_id, record, as_changed)

    def apply(self, change: DayChange, *, seen: int, made_by: str) -> DayState:
        """Make a change, after it was tried.

        Raises
        ------
        RefusedChangeError
            A limit does not allow it.
        ConflictError
            Somebody else has changed the day since `seen`.
        """
        self.look([change])
        self._desk.day_changes.add(
            self._night_id, self._day, change_to_dict(change), seen=seen, made_by=made_by
        )
        return self.look()

    def plan_again(self, from_min: int | None = None) -> Replan:
        """Plan the rest of the visits again, without keeping it."""
        state = self.look()
        return plan_rest(state.of_run.field_day, state.changed, from_min=from_min)

    def plan_centre_again(self, from_min: int | None = None, *, shifts: bool = False) -> CentreReplan:
        """Plan the rest of the contact centre's day again, without keeping it.

        Parameters
        ----------
        shifts
            Whether people may be asked to work other shifts.

        Raises
        ------
        InputError
            Nothing has been changed there, or nothing is left of the day.
        NotFoundError
            Nothing is known of the contact centre's day.
        """
        state = self.look()
        day, changed = state.of_run.centre, state.centre
        if day is None or changed is None:
            raise NotFoundError(
                "nobody works in the contact centre on this day: there is no rest to plan again"
            )
        if not any(isinstance(change, CENTRE_KINDS) for change in state.changes):
            raise InputError("nothing has been changed in the contact centre: there is no rest to plan again")
        return plan_centre_rest(day, changed, from_min=from_min, shifts=shifts)

    def undo(self, *, seen: int, made_by: str) -> DayState:
        """Take back the last change."""
        self._desk.day_changes.undo(self._night_id, self._day, seen=seen, made_by=made_by)
        return self.look()

    def redo(self, *, seen: int, made_by: str) -> DayState:
        """Make the change again that was taken back last."""
        self._desk.day_changes.redo(self._night_id, self._day, seen=seen, made_by=made_by)
        return self.look()

    def publish(self, *, seen: int, made_by: str) -> tuple[DayState, Published]:
        """Put the day on the desk as it is: its visits become tasks, and a version of the run.

        Raises
        ------
        ConflictError
            Nothing was changed since the last time, somebody else has changed the day since `seen`, or the
            desk has a later run for it.
        """
        state = self.look()
        if state.record.is_published:
            raise ConflictError("the day is on the desk as it is: change something first")
        if state.record.seen != seen:
            raise ConflictError(
                "somebody has changed this day meanwhile: look at the day as it is now, and try again"
            )
        version = write_version(
            self._folder, state.of_run, state.changes, state.changed, state.centre,
            changed_at=state.record.deeds[-1].made_at,
        )  # fmt: skip
        published = self._desk.tasks.publish(version.tasks)
        rewrite_days(self._folder, state.as_changed, version.tasks, version.concerned)
        self._desk.day_changes.note_published(
            self._night_id, self._day, version.number, version.tasks.run_id, seen=seen, made_by=made_by
        )
        return self.look(), published


def change_of(given: Mapping[str, Any]) -> DayChange:
    """Return a change as somebody sends it; one that plans the rest again is not sent but asked for."""
    return read_change({name: value for name, value in given.items() if name != "seen"})
