"""What a person changes of territories: accounts, cells or an area moved, people come and gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Protocol, TypeAlias

import numpy as np
import polars as pl
from msgspec import Meta
from numpy.typing import NDArray

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.territories.scenario import Scenario, Standing
from dealwright.schemas import TERRITORY_HOME_COLUMNS
from dealwright.toml import Text, convert

Ints = NDArray[np.int64]
Lat: TypeAlias = Annotated[float, Meta(ge=-90, le=90, description="degrees from -90 to 90")]
Lon: TypeAlias = Annotated[float, Meta(ge=-180, le=180, description="degrees from -180 to 180")]

_CORNERS: Final = 3


class Edit(Protocol):
    """A change of a scenario."""

    def apply(self, standing: Standing, scenario: Scenario) -> Scenario:
        """Return the scenario after it.

        Raises
        ------
        InputError
            It names what there is not, or changes nothing.
        """
        ...


@dataclass(frozen=True)
class MoveAccounts:
    """Accounts go to a territory, which is named by itself or by its representative."""

    accounts: tuple[Text, ...]
    to: Text

    def apply(self, standing: Standing, scenario: Scenario) -> Scenario:
        """Return the scenario after it."""
        known = standing.places["account_id"]
        unknown = sorted(set(self.accounts) - set(known.to_list()))
        if unknown:
            raise InputError(f"the night has no account {unknown[0]!r} with a position: the list shows them")
        return _move(scenario, known.is_in(list(self.accounts)).to_numpy(), self.to)


@dataclass(frozen=True)
class MoveCells:
    """All accounts within H3 cells go to a territory."""

    cells: tuple[Text, ...]
    to: Text

    def apply(self, standing: Standing, scenario: Scenario) -> Scenario:
        """Return the scenario after it."""
        from h3.api.basic_int import get_resolution, is_valid_cell, str_to_int

        wanted: dict[int, list[int]] = {}
        for text in self.cells:
            try:
                cell = str_to_int(text)
            except ValueError:
                cell = 0
            if not 0 <= cell < 2**63 or not is_valid_cell(cell):
                raise InputError(f"{text!r} is no H3 cell: take cells as the map names them")
            wanted.setdefault(get_resolution(cell), []).append(cell)
        chosen = np.zeros(scenario.label.size, dtype=np.bool_)
        for resolution, cells in wanted.items():
            chosen |= np.isin(standing.cells(resolution), np.array(cells, dtype=np.int64))
        return _move(scenario, chosen, self.to)


@dataclass(frozen=True)
class MoveArea:
    """All accounts within a polygon go to a territory."""

    area: tuple[tuple[Lat, Lon], ...]  # corners as (latitude, longitude); the last one is joined to the first
    to: Text

    def apply(self, standing: Standing, scenario: Scenario) -> Scenario:
        """Return the scenario after it."""
        import shapely

        if len(set(self.area)) < _CORNERS:
            raise InputError(f"an area needs {_CORNERS} corners or more, not {len(set(self.area))}")
        ground = standing.ground
        lat, lon = np.array(self.area).T
        # on the plane, so that an area across the antimeridian is one
        polygon = shapely.make_valid(shapely.Polygon(ground.plane.project(lat, lon)))
        return _move(scenario, shapely.intersects_xy(polygon, *ground.km.T), self.to)


@dataclass(frozen=True)
class Merge:
    """A territory becomes part of another one, and its representative has none any more."""

    territory: Text
    into: Text

    def apply(self, standing: Standing, scenario: Scenario) -> Scenario:
        """Return the scenario after it."""
        del standing
        gone, kept = scenario.number(self.territory), scenario.number(self.into)
        if gone == kept:
            raise InputError(f"{self.territory} and {self.into} are one territory: name two")
        return _without(scenario, gone, np.where(scenario.label == gone, kept, scenario.label))


@dataclass(frozen=True)
class Leave:
    """A representative leaves: each account goes to the territory whose middle is nearest."""

    rep_id: Text

    def apply(self, standing: Standing, scenario: Scenario) -> Scenario:
        """Return the scenario after it."""
        from scipy.spatial import cKDTree

        people = scenario.homes["rep_id"].to_list()
        if self.rep_id not in people and self.rep_id not in scenario.rep_id:
            raise UnknownNameError("representative", self.rep_id, people)
        left = replace(scenario, homes=scenario.homes.filter(pl.col("rep_id") != self.rep_id))
        if self.rep_id not in scenario.rep_id:
            return left
        gone = scenario.rep_id.index(self.rep_id)
        mine = scenario.label == gone
        others = np.setdiff1d(np.unique(scenario.label), [gone])
        if mine.any() and not others.size:
            raise InputError(f"nobody else has a territory: let somebody join before {self.rep_id} leaves")
        label = scenario.label.copy()
        if mine.any():
            middle = standing.division(scenario).centre_km[others]
            label[mine] = others[cKDTree(middle).query(standing.ground.km[mine])[1]]
        return _without(left, gone, label)


@dataclass(frozen=True)
class Join:
    """A representative joins, or gets a territory, which is empty at first."""

    rep_id: Text
    # needed for somebody whom the night does not know
    home_lat_deg: Lat | None = None
    home_lon_deg: Lon | None = None

    def apply(self, standing: Standing, scenario: Scenario) -> Scenario:
        """Return the scenario after it."""
        if self.rep_id in scenario.rep_id:
            raise InputError(
                f"{self.rep_id} has a territory already: {scenario.names[scenario.number(self.rep_id)]}"
            )
        homes = scenario.homes
        if self.rep_id not in homes["rep_id"].to_list():
            if self.home_lat_deg is None or self.home_lon_deg is None:
                raise InputError(f"the night does not know {self.rep_id}: give home_lat_deg and home_lon_deg")
            row = (self.rep_id, self.home_lat_deg, self.home_lon_deg, standing.params.shift_min)
            homes = pl.concat([homes, pl.DataFrame([row], schema=TERRITORY_HOME_COLUMNS, orient="row")])
        # a name that nothing has or had: a later night would take it for the old one
        used = {*scenario.names, *standing.scenario.names}
        name = next(text for k in range(1, len(used) + 2) if (text := f"T{k:03d}") not in used)
        return Scenario(scenario.label, (*scenario.names, name), (*scenario.rep_id, self.rep_id), homes)


EDITS: Final[Mapping[str, type[Any]]] = {
    "accounts": MoveAccounts, "cells": MoveCells, "area": MoveArea, "merge": Merge, "leave": Leave,
    "join": Join,
}  # fmt: skip


def read_edit(raw: Mapping[str, Any]) -> Edit:
    """Read an edit from JSON: its ``kind``, and the attributes of that kind.

    Raises
    ------
    InputError
        It is none; the message says where.
    """
    kind = str(raw.get("kind"))
    if kind not in EDITS:
        raise UnknownNameError("kind of an edit", kind, EDITS)
    edit: Edit = convert(
        {key: _listed(value) for key, value in raw.items() if key != "kind"}, EDITS[kind], "edit"
    )
    return edit


def apply_edits(standing: Standing, edits: Iterable[Edit]) -> Scenario:
    """Return the standing plan after some edits, one after the other."""
    scenario = standing.scenario
    for edit in edits:
        scenario = edit.apply(standing, scenario)
    return scenario


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _move(scenario: Scenario, chosen: NDArray[np.bool_], to: str) -> Scenario:
    number = scenario.number(to)
    if not (chosen & (scenario.label != number)).any():
        some = "all of them are there already" if chosen.any() else "no account lies there"
        raise InputError(f"nothing moves to {to}: {some}")
    return replace(scenario, label=np.where(chosen, number, scenario.label))


def _without(scenario: Scenario, gone: int, label: Ints) -> Scenario:
    """Return a scenario without a territory that has no accounts any more."""
    kept = [k for k in range(len(scenario.names)) if k != gone]
    return replace(
        scenario, label=label - (label > gone), names=tuple(scenario.names[k] for k in kept),
        rep_id=tuple(scenario.rep_id[k] for k in kept),
    )  # fmt: skip
