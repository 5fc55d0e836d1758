"""Territories as they might be: scenarios that people edit, approve from a day on, and retire."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.errors import InputError, NotFoundError

_LONGEST: Final = 200


@dataclass(frozen=True)
class TerritoryScenario:
    """A copy of a night's territories that is edited.

    Attributes
    ----------
    night_id
        The night whose plan it is a copy of.
    status
        ``draft``, ``approved`` or ``retired``.
    effective_from
        Nights that plan this day or a later one keep it, once it is approved.
    figures
        What it came to when it was approved.
    last_edit, edits
        The number of the last edit that stands, and how many stand.
    """

    scenario_id: int
    name: str
    night_id: int
    status: str
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    effective_from: date | None
    retired_at: datetime | None
    figures: Mapping[str, Any] | None
    last_edit: int
    edits: int

    def to_dict(self) -> Row:
        """Return it for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class ScenarioInForce:
    """The scenario that was approved for a day."""

    scenario_id: int
    name: str
    effective_from: date


class TerritoryScenarios(Session):
    """The scenarios of territories, `Desk.territory_scenarios`."""

    def create(self, name: str, night_id: int, created_by: str) -> TerritoryScenario:
        """Copy the territories that a night planned.

        Raises
        ------
        ConflictError
            Another one has that name.
        NotFoundError
            There is no such night, or it is not done.
        """
        name = " ".join(name.split())
        if not name or len(name) > _LONGEST or not name.isprintable():
            raise InputError(f"a scenario needs a name of 1 to {_LONGEST} characters")
        row = self._rows("create_territory_scenario", name=name, night_id=night_id, created_by=created_by)[0]
        return self.get(row["scenario_id"])

    def get(self, scenario_id: int) -> TerritoryScenario:
        """Return one of them.

        Raises
        ------
        NotFoundError
            There is none of that id.
        """
        found = self._rows("territory_scenarios", scenario_id=scenario_id) if 0 < scenario_id < 2**63 else []
        if not found:
            raise NotFoundError(f"there is no scenario {scenario_id}: the list of scenarios shows the ids")
        return TerritoryScenario(**found[0])

    def list(self) -> tuple[TerritoryScenario, ...]:
        """Return them, newest first."""
        rows = self._rows("territory_scenarios", scenario_id=None)
        return tuple(TerritoryScenario(**row) for row in rows)

    def edits(self, scenario_id: int) -> tuple[Row, ...]:
        """Return what was changed of one, in its order, with what was undone."""
        return tuple(self._rows("territory_edits", scenario_id=scenario_id))

    def edit(self, scenario_id: int, edit: Mapping[str, Any], made_by: str, after: int | None = None) -> int:
        """Add an edit and return its number.

        Parameters
        ----------
        after
            The edit that stood last when it was thought of; None: whichever.

        Raises
        ------
        ConflictError
            It is no draft any more, or somebody else has changed it meanwhile.
        """
        row = self._rows(
            "edit_territory_scenario", scenario_id=scenario_id, edit=json.dumps(dict(edit)), made_by=made_by,
            after=after,
        )[0]  # fmt: skip
        return int(row["number"])

    def undo(self, scenario_id: int, undone_by: str) -> int:
        """Take back the last edit that stands, and return its number.

        Raises
        ------
        ConflictError
            It is no draft any more, or has none.
        """
        row = self._rows("undo_territory_edit", scenario_id=scenario_id, undone_by=undone_by)[0]
        return int(row["number"])

    def approve(
        self,
        scenario_id: int,
        effective_from: date,
        approved_by: str,
        *,
        edits: int,
        figures: Mapping[str, Any],
        holders: Mapping[str, str | None],
        accounts: Sequence[tuple[str, str]],
    ) -> TerritoryScenario:
        """Put one in force from a day on.

        Parameters
        ----------
        edits
            The number of the last edit that is approved.
        holders
            Territory -> representative.
        accounts
            (account, territory) of each.

        Raises
        ------
        ConflictError
            It is no draft any more, was changed meanwhile, or another one is approved from that day on.
        """
        self._rows(
            "approve_territory_scenario", scenario_id=scenario_id, effective_from=effective_from,
            approved_by=approved_by, edits=edits, figures=json.dumps(dict(figures)),
            territories=list(holders), rep_ids=list(holders.values()),
            account_ids=[account for account, _ in accounts],
            account_territories=[territory for _, territory in accounts],
        )  # fmt: skip
        return self.get(scenario_id)

    def retire(self, scenario_id: int) -> TerritoryScenario:
        """Have no night keep one any more; one approved for an earlier day is in force again.

        Raises
        ------
        ConflictError
            It is retired already.
        """
        self._rows("retire_territory_scenario", scenario_id=scenario_id)
        return self.get(scenario_id)

    def in_force(self, day: date) -> ScenarioInForce | None:
        """Return the one that was approved for a day."""
        rows = self._rows("territories_in_force", day=day)
        return ScenarioInForce(**rows[0]) if rows else None

    def approved(self, scenario_id: int) -> tuple[Row, ...]:
        """Return ``account_id, territory, rep_id`` of one that was approved; no account where it is empty."""
        return tuple(self._rows("approved_territories", scenario_id=scenario_id))
