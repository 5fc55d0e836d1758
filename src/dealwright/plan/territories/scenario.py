"""Territories as they might be: the standing plan's, edited by hand, and measured as the stage does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.inputs import align
from dealwright.plan.territories import drawing
from dealwright.plan.territories.drawing import Division, PlacedAccounts
from dealwright.plan.territories.measures import KnownShapes, SurveyedCells, survey_cells
from dealwright.plan.territories.params import TerritoryParams
from dealwright.plan.territories.result import NamedDivision, describe
from dealwright.plan.travel import drive_min, great_circle_km
from dealwright.schemas import (
    APPROVED_TERRITORY_COLUMNS,
    SCENARIO_TABLE_COLUMNS,
    TERRITORY_HOME_COLUMNS,
    TERRITORY_PLACE_COLUMNS,
    TERRITORY_TABLE_COLUMNS,
    AccountSchema,
    PlanInputs,
    conform,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MIN_PER_H: Final = 60.0
_SCHEMA: Final = AccountSchema(has_position=True, roles={"rep_id": "own_rep_id"})


@dataclass(frozen=True)
class Scenario:
    """Who would have which account."""

    label: Ints  # (n,) the territory of each account of the standing plan that has a position, `0 … k − 1`
    # (k,) names of the territories, and who has each; `None`: nobody
    names: tuple[str, ...]
    rep_id: tuple[str | None, ...]
    homes: pl.DataFrame  # `TERRITORY_HOME_COLUMNS` of everybody who may have one

    def number(self, territory: str) -> int:
        """Return the number of a territory, given by its name or its representative.

        Raises
        ------
        UnknownNameError
            There is none of that name.
        """
        if territory in self.names:
            return self.names.index(territory)
        if territory in self.rep_id:
            return self.rep_id.index(territory)
        known = [*self.names, *(rep for rep in self.rep_id if rep is not None)]
        raise UnknownNameError("territory or representative", territory, known)

    def without_territory(self) -> list[str]:
        """Return the representatives who have none."""
        return [rep for rep in self.homes["rep_id"].to_list() if rep not in self.rep_id]


@dataclass(frozen=True)
class ScenarioFigures:
    """How good the territories of a scenario are, and what changing to them moves."""

    territories: pl.DataFrame  # `SCENARIO_TABLE_COLUMNS`
    # `account_id, from_territory, from_rep_id, territory, rep_id, value_eur` of each account whose
    # representative is another one in the standing plan
    moved: pl.DataFrame
    monthly_eur: float  # what driving and imbalance cost in a month, as the stage counts them
    move_eur: float  # what it costs, once, to hand over the accounts that move

    def summary(self) -> dict[str, Any]:
        """Return the key figures; each is a sum, mean or extreme of a column."""
        table = self.territories
        load = table["workload_min"]
        mean = float(load.sum()) / table.height if table.height else 0.0

        def share(value: Any) -> float | None:
            return 100 * float(value) / mean if mean else None

        return {
            "territories": table.height,
            "accounts": int(table["accounts"].sum()),
            "workload_h": float(load.sum()) / _MIN_PER_H,
            "mean_workload_h": mean / _MIN_PER_H,
            "lowest_workload_pct": share(load.min()),
            "highest_workload_pct": share(load.max()),
            "km": float(table["km"].sum()),
            "moved": self.moved.height,
            "moved_value_eur": float(self.moved["value_eur"].sum()),
            "move_eur": self.move_eur,
            "monthly_eur": self.monthly_eur,
            "unreachable": int(table["unreachable"].sum()),
            "polsby_popper": table["polsby_popper"].mean(),
            "contiguity": table["contiguity"].mean(),
            "without_rep": int(table.filter(pl.col("rep_id").is_null() & (pl.col("accounts") > 0)).height),
        }


@dataclass(frozen=True, eq=False)
class Standing:
    """The territories that a night planned, and what it takes to measure others against them."""

    # `TERRITORY_PLACE_COLUMNS`, `TERRITORY_HOME_COLUMNS`, `TERRITORY_TABLE_COLUMNS` of the night
    places: pl.DataFrame
    homes: pl.DataFrame
    territories: pl.DataFrame
    territory: pl.Series  # the territory of each of the places
    value_eur: Floats  # predicted, of each of the places; NaN where it is not known
    params: TerritoryParams

    @classmethod
    def read(
        cls,
        accounts: pl.DataFrame,
        places: pl.DataFrame,
        homes: pl.DataFrame,
        territories: pl.DataFrame,
        params: TerritoryParams | None = None,
    ) -> Standing:
        """Take it from the tables of a night.

        Parameters
        ----------
        accounts
            ``account_id``, ``territory`` and, where it is known, ``predicted_value_eur``.

        Raises
        ------
        InputError
            The night drew no territories, or an account with a place has none.
        """
        places = conform(places, TERRITORY_PLACE_COLUMNS, *TERRITORY_PLACE_COLUMNS)
        homes = conform(homes, TERRITORY_HOME_COLUMNS, *TERRITORY_HOME_COLUMNS)
        territories = conform(territories, TERRITORY_TABLE_COLUMNS, *TERRITORY_TABLE_COLUMNS)
        known = align(accounts, places["account_id"], "territory")
        unknown = known.filter(
            ~pl.col("territory").is_in(territories["territory"].implode()).fill_null(False)
        )
        if places.is_empty() or territories.is_empty() or unknown.height:
            raise InputError(
                "the night drew no territories that could be changed: plan one whose accounts have positions "
                "and that has representatives"
            )
        value = (
            known["predicted_value_eur"].cast(pl.Float64).fill_null(np.nan).to_numpy()
            if "predicted_value_eur" in known.columns
            else np.full(places.height, np.nan)
        )
        return cls(places, homes, territories, known["territory"], value, params or TerritoryParams())

    @cached_property
    def ground(self) -> PlacedAccounts:
        """The accounts on a plane and in cells, as the stage surveyed them."""
        lat, lon, load, visits = (
            self.places[name].to_numpy() for name in ("lat_deg", "lon_deg", "workload_min", "visits")
        )
        return drawing.survey(
            lat, lon, load, visits, resolution=self.params.resolution, territories=self.territories.height
        )

    @cached_property
    def scenario(self) -> Scenario:
        """A copy of the standing plan."""
        names = self.territories["territory"].to_list()
        number = {name: k for k, name in enumerate(names)}
        label = self.territory.replace_strict(number, return_dtype=pl.Int64).to_numpy()
        return Scenario(label, tuple(names), tuple(self.territories["rep_id"].to_list()), self.homes)

    @cached_property
    def surveyed(self) -> SurveyedCells:
        """The cells on which shapes are measured."""
        return survey_cells(self.ground, self.params.resolution)

    @cached_property
    def known_shapes(self) -> KnownShapes:
        """Shapes that need not be measured again: at first, those of the night."""
        owner, _ = self.surveyed.owners(self.ground, self.division(self.scenario))
        shapes = self.territories.select("polsby_popper", "outline").iter_rows()
        return {
            np.flatnonzero(owner == k).tobytes(): (compact, outline)
            for k, (compact, outline) in enumerate(shapes)
            if compact is not None and outline is not None
        }

    @cached_property
    def _cells(self) -> dict[int, Ints]:
        return {}

    def cells(self, resolution: int) -> Ints:
        """Return the H3 cell of each account."""
        from h3.api.basic_int import latlng_to_cell

        if resolution not in self._cells:
            places = self.places.select("lat_deg", "lon_deg").iter_rows()
            found = (latlng_to_cell(lat, lon, resolution) for lat, lon in places)
            self._cells[resolution] = np.fromiter(found, dtype=np.int64, count=self.places.height)
        return self._cells[resolution]

    def rep_of(self, scenario: Scenario) -> NDArray[Any]:
        """Return the representative of each account."""
        return np.array(scenario.rep_id, dtype=object)[scenario.label]

    def division(self, scenario: Scenario) -> Division:
        """Return a scenario as the stage divides the ground."""
        homes = {row[0]: row[1:3] for row in scenario.homes.iter_rows()}
        old = {
            row[0]: row[1:] for row in self.territories.select("territory", "lat_deg", "lon_deg").iter_rows()
        }
        middle = (self.ground.plane.lat_deg, self.ground.plane.lon_deg)
        otherwise = np.array(
            [
                homes.get(rep, old.get(name, middle))
                for name, rep in zip(scenario.names, scenario.rep_id, strict=True)
            ]
        )
        plane = self.ground.plane
        division = drawing.divide(
            self.ground, scenario.label, plane.project(otherwise[:, 0], otherwise[:, 1])
        )
        if not all(rep in homes for rep in scenario.rep_id):
            return division
        at = np.array([homes[str(rep)] for rep in scenario.rep_id])
        return Division(division.label, division.centre_km, plane.project(at[:, 0], at[:, 1]))

    def measure(self, scenario: Scenario) -> ScenarioFigures:
        """Measure a scenario as the stage *territory* measures its own result."""
        division, k = self.division(scenario), len(scenario.names)
        drawn = NamedDivision(division, list(scenario.names), list(scenario.rep_id), "", ())
        inputs = PlanInputs(self.places, _SCHEMA, datetime.min, reps=scenario.homes)
        own = self.places["own_rep_id"].to_list()
        rows = np.arange(self.places.height)
        _, table = describe(
            inputs, self.ground, rows=rows, drawn=drawn, params=self.params, own_rep=own,
            cells=self.surveyed, known=self.known_shapes,
        )  # fmt: skip
        km, minutes = self._way_home(scenario)
        now, was = self.rep_of(scenario), self.rep_of(self.scenario)
        moved = now != was
        value = np.nan_to_num(self.value_eur)
        shift = {row[0]: row[1] for row in scenario.homes.select("rep_id", "shift_min").iter_rows()}
        shifts = np.array([shift.get(str(rep), self.params.shift_min) for rep in scenario.rep_id])
        beyond = 2 * minutes + self.params.visit_min > shifts[scenario.label]
        per_round = max(self.params.visits_per_round, 1.0)
        table = table.with_columns(
            km=pl.Series(np.bincount(scenario.label, 2 * km * self.ground.visits / per_round, k)),
            value_eur=pl.Series(np.bincount(scenario.label, value, k)),
            unreachable=pl.Series(np.bincount(scenario.label, beyond, k).astype(np.int64)),
            moved_in=pl.Series(np.bincount(scenario.label, moved, k).astype(np.int64)),
            moved_in_eur=pl.Series(np.bincount(scenario.label, value * moved, k)),
        ).select(*SCENARIO_TABLE_COLUMNS)
        price = drawing.price(
            self.ground, division, None, km_eur=self.params.km_eur,
            minute_eur=self.params.imbalance_eur_per_min, move_eur=self.params.move_eur,
        )  # fmt: skip
        at = np.flatnonzero(moved)
        names = np.array(scenario.names, dtype=object)
        moves = pl.DataFrame(
            {
                "account_id": self.places["account_id"].gather(at),
                "from_territory": self.territory.gather(at),
                "from_rep_id": pl.Series(was[at].tolist(), dtype=pl.String),
                "territory": pl.Series(names[scenario.label[at]].tolist(), dtype=pl.String),
                "rep_id": pl.Series(now[at].tolist(), dtype=pl.String),
                "value_eur": pl.Series(self.value_eur[at]).fill_nan(None),
            }
        )
        return ScenarioFigures(table, moves, price.monthly_eur, self.params.move_eur * moves.height)

    def assignment(self, scenario: Scenario) -> pl.DataFrame:
        """Return `APPROVED_TERRITORY_COLUMNS`: who has which account."""
        names = np.array(scenario.names, dtype=object)[scenario.label]
        return pl.DataFrame(
            {
                "account_id": self.places["account_id"],
                "territory": pl.Series(names.tolist(), dtype=pl.String),
                "rep_id": pl.Series(self.rep_of(scenario).tolist(), dtype=pl.String),
            },
            schema=APPROVED_TERRITORY_COLUMNS,
        )

    def _way_home(self, scenario: Scenario) -> tuple[Floats, Floats]:
        """Return each account's kilometres and minutes from its representative's home; 0 for nobody's."""
        km, params = np.zeros(self.places.height), self.params.travel
        lat, lon = self.places["lat_deg"].to_numpy(), self.places["lon_deg"].to_numpy()
        homes = {row[0]: row[1:3] for row in scenario.homes.iter_rows()}
        order = np.argsort(scenario.label, kind="stable")
        begin = np.searchsorted(scenario.label[order], np.arange(len(scenario.names) + 1))
        for number, rep in enumerate(scenario.rep_id):
            if rep in homes:
                mine, at = order[begin[number] : begin[number + 1]], np.array(homes[str(rep)])
                km[mine] = great_circle_km(lat[mine], lon[mine], at[:1], at[1:])[:, 0]
        km *= params.circuity
        return km, drive_min(km, params) + np.where(km > 0, params.access_min, 0.0)
