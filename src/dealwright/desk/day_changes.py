"""What people changed of the days of a run: in order, undone and done again, each change on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from dealwright.desk.session import Session
from dealwright.errors import ConflictError

ERASED: Final = "erased"  # the kind of a change whose account was erased


@dataclass(frozen=True)
class DayDeed:
    """A row of the record of a day.

    Attributes
    ----------
    kind
        ``change``, ``undo``, ``redo`` or ``publish``.
    change
        What was asked for; of a publication, the version it became.
    of_change
        Which change was undone, or done again.
    counts
        Whether it is a change that has not been undone.
    """

    change_id: int
    day: date
    kind: str
    change: Mapping[str, Any] | None
    of_change: int | None
    made_at: datetime
    made_by: str
    counts: bool


@dataclass(frozen=True)
class DayRecord:
    """All that was done to a day, in order."""

    deeds: tuple[DayDeed, ...]

    @property
    def seen(self) -> int:
        """The newest change, 0 without any: whoever changes the day says which one they saw."""
        return self.deeds[-1].change_id if self.deeds else 0

    @property
    def counting(self) -> tuple[DayDeed, ...]:
        """The changes that count."""
        return tuple(deed for deed in self.deeds if deed.counts)

    @property
    def undone(self) -> DayDeed | None:
        """The change that `redo` would do again."""
        last = max((deed.change_id for deed in self.counting), default=0)
        later = (deed for deed in self.deeds if deed.kind == "change" and deed.change_id > last)
        return next((deed for deed in later if not deed.counts), None)

    @property
    def published(self) -> DayDeed | None:
        """The last publication."""
        return next((deed for deed in reversed(self.deeds) if deed.kind == "publish"), None)

    @property
    def is_published(self) -> bool:
        """Whether nothing was changed since the last publication, or ever."""
        return not self.deeds or self.deeds[-1].kind == "publish"


class DayChanges(Session):
    """What people changed of the days of a run, `Desk.day_changes`."""

    def of(self, night_id: int, day: date) -> DayRecord:
        """Return all that was done to a day of a run."""
        rows = self._rows("day_changes", night_id=night_id, day=day)
        return DayRecord(tuple(DayDeed(**row) for row in rows))

    def add(self, night_id: int, day: date, change: Mapping[str, Any], *, seen: int, made_by: str) -> int:
        """Write down a change and return its id.

        Raises
        ------
        ConflictError
            Somebody else has changed the day since `seen`.
        """
        return self._add(night_id, day, "change", seen=seen, made_by=made_by, change=change)

    def undo(self, night_id: int, day: date, *, seen: int, made_by: str) -> int:
        """Take back the last change that counts.

        Raises
        ------
        ConflictError
            There is none, or somebody else has changed the day since `seen`.
        """
        counting = self.of(night_id, day).counting
        if not counting:
            raise ConflictError("there is nothing to undo: the day is as it was planned")
        last = counting[-1].change_id
        return self._add(night_id, day, "undo", seen=seen, made_by=made_by, of_change=last)

    def redo(self, night_id: int, day: date, *, seen: int, made_by: str) -> int:
        """Do again what was undone last.

        Raises
        ------
        ConflictError
            There is nothing, or somebody else has changed the day since `seen`.
        """
        undone = self.of(night_id, day).undone
        if undone is None:
            raise ConflictError("there is nothing to do again: nothing was undone since the last change")
        return self._add(night_id, day, "redo", seen=seen, made_by=made_by, of_change=undone.change_id)

    def note_published(
        self, night_id: int, day: date, version: int, run_id: str, *, seen: int, made_by: str
    ) -> int:
        """Write down that the day is on the desk as it is now.

        Raises
        ------
        ConflictError
            Somebody else has changed the day since `seen`.
        """
        told = {"version": version, "run_id": run_id}
        return self._add(night_id, day, "publish", seen=seen, made_by=made_by, change=told)

    def _add(
        self,
        night_id: int,
        day: date,
        kind: str,
        *,
        seen: int,
        made_by: str,
        change: Mapping[str, Any] | None = None,
        of_change: int | None = None,
    ) -> int:
        row = self._rows(
            "change_day", night_id=night_id, day=day, kind=kind, of_change=of_change, seen=seen,
            made_by=made_by, change=None if change is None else json.dumps(dict(change)),
        )[0]  # fmt: skip
        return int(row["change_id"])
