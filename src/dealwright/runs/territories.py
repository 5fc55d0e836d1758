"""Territories between a run and the desk: what was approved for a night, and scenarios of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from dealwright.errors import InputError, NotFoundError
from dealwright.plan.territories import ApprovedTerritories, TerritoryParams
from dealwright.plan.territories.edits import apply_edits, read_edit
from dealwright.plan.territories.scenario import Scenario, ScenarioFigures, Standing
from dealwright.report.format import DEFAULT_CURRENCY
from dealwright.schemas import APPROVED_TERRITORY_COLUMNS
from dealwright.toml import convert, read_toml

if TYPE_CHECKING:  # with the database's client, which a night without a desk spares
    from dealwright.desk.desk import Desk
    from dealwright.desk.territory_scenarios import TerritoryScenario

_FINEST: Final = 8  # an H3 cell of some 1 km
_MOST_CELLS: Final = 2000  # on a map: more are neither seen nor sent
_PLACES: Final = 100_000  # a degree in whole numbers
Row = dict[str, Any]


def read_approved(desk: Desk, day: date) -> ApprovedTerritories | None:
    """Return the territories that were approved for a day."""
    found = desk.territory_scenarios.in_force(day)
    if found is None:
        return None
    rows = list(desk.territory_scenarios.approved(found.scenario_id))
    frame = pl.DataFrame(rows, schema=APPROVED_TERRITORY_COLUMNS)
    return ApprovedTerritories(found.name, found.effective_from, frame)


@dataclass(frozen=True, eq=False)
class StandingRun:
    """The territories of a run, with how people and accounts are called."""

    standing: Standing
    account_name: pl.Series
    rep_name: Mapping[str, str]
    ground: Mapping[str, Any] | None
    currency: str

    @cached_property
    def resolution(self) -> int:
        """The finest H3 resolution at which the cells are not too many for a map."""
        return next(
            (
                resolution
                for resolution in range(_FINEST, 0, -1)
                if np.unique(self.standing.cells(resolution)).size <= _MOST_CELLS
            ),
            0,
        )

    @cached_property
    def cells(self) -> tuple[list[str], list[list[int]], np.ndarray[Any, Any]]:
        """Names of the cells of the map, their corners in 1/100,000 degrees, and the cell of each account.

        The first corner is a place, each of the others what is added to the one before.
        """
        from h3.api.basic_int import cell_to_boundary, int_to_str

        index, of_account = np.unique(self.standing.cells(self.resolution), return_inverse=True)
        rings = []
        for cell in index.tolist():
            corners = np.rint(np.array(cell_to_boundary(cell)) * _PLACES).astype(int)
            steps = np.diff(corners, axis=0)
            # across the antimeridian a step goes on eastwards or westwards
            steps[:, 1] = (steps[:, 1] + 180 * _PLACES) % (360 * _PLACES) - 180 * _PLACES
            rings.append([*corners[0].tolist(), *steps.ravel().tolist()])
        return [int_to_str(cell) for cell in index.tolist()], rings, of_account

    def name_of(self, rep_id: str | None) -> str | None:
        """Return how a representative is called."""
        return None if rep_id is None else self.rep_name.get(rep_id, rep_id)


@dataclass(frozen=True)
class DrawnScenario:
    """A scenario as it is after its edits, measured."""

    run: StandingRun
    scenario: Scenario
    figures: ScenarioFigures

    def summary(self) -> Row:
        """Return the key figures."""
        return self.figures.summary()

    @cached_property
    def territories(self) -> list[Row]:
        """One row for each territory, in their order; colours are numbers from 1 to 8."""
        rows = self.figures.territories.drop("outline").to_dicts()
        return [
            {
                **row, "rep_name": self.run.name_of(row["rep_id"]), "workload_h": row["workload_min"] / 60,
                "colour": 1 + number % 8,
            }
            for number, row in enumerate(rows)
        ]  # fmt: skip

    @cached_property
    def cells(self) -> list[Row]:
        """One row for each cell of the map: its accounts, and the territory that has most of them."""
        names, rings, of_account = self.run.cells
        k = len(self.scenario.names)
        pair = of_account * k + self.scenario.label
        count = np.bincount(pair, minlength=len(names) * k).reshape(-1, k)
        load = np.bincount(of_account, self.run.standing.ground.workload, len(names))
        owner, total = count.argmax(axis=1), count.sum(axis=1)
        return [
            {
                "cell": names[b], "territory": int(owner[b]), "accounts": int(total[b]),
                "others": int(total[b] - count[b, owner[b]]), "workload_h": round(float(load[b]) / 60, 1),
                "ring": rings[b],
            }
            for b in range(len(names))
        ]  # fmt: skip

    def accounts(
        self, *, search: str = "", territory: str = "", cell: str = "", moved: bool = False,
        start: int = 0, k: int = 100,
    ) -> tuple[list[Row], int]:  # fmt: skip
        """Return a page of the accounts, and how many there are in all."""
        frame = self._accounts
        if search:
            texts = (pl.col(name).str.to_lowercase() for name in ("account_id", "account_name"))
            frame = frame.filter(
                pl.any_horizontal(text.str.contains(search.lower(), literal=True) for text in texts)
            )
        if territory:
            frame = frame.filter(pl.col("territory") == self.scenario.names[self.scenario.number(territory)])
        if cell:
            names, _, of_account = self.run.cells
            if cell not in names:
                raise NotFoundError(f"the map has no cell {cell!r}: the list of cells shows them")
            here = self._accounts.filter(pl.Series(of_account == names.index(cell)))["account_id"]
            frame = frame.filter(pl.col("account_id").is_in(here.implode()))
        if moved:
            frame = frame.filter("moved")
        return frame.slice(start, k).to_dicts(), frame.height

    @cached_property
    def _accounts(self) -> pl.DataFrame:
        standing = self.run.standing
        return (
            standing.assignment(self.scenario)
            .with_columns(
                account_name=self.run.account_name,
                value_eur=pl.Series(standing.value_eur).fill_nan(None),
                workload_h=standing.places["workload_min"] / 60,
                standing_rep_id=pl.Series(standing.rep_of(standing.scenario).tolist(), dtype=pl.String),
            )
            .with_columns(moved=pl.col("rep_id").ne_missing(pl.col("standing_rep_id")))
        )


def read_standing(folder: Path) -> StandingRun:
    """Read the territories of a run; what was read is kept for the next one who asks.

    Raises
    ------
    NotFoundError
        The folder is not there, or holds no territories that could be changed.
    """
    try:
        changed = (folder / "accounts.parquet").stat().st_mtime_ns
    except OSError as error:
        raise _unusable(folder, error) from None
    return _read_standing(folder, changed)


@lru_cache(maxsize=4)
def _read_standing(folder: Path, changed: int) -> StandingRun:
    del changed
    try:
        scan = pl.scan_parquet(folder / "accounts.parquet")
        wanted = ("account_id", "account_name", "territory", "predicted_value_eur")
        names = scan.collect_schema().names()
        accounts = scan.select(name for name in wanted if name in names).collect()
        places, homes, territories = (
            pl.read_parquet(folder / f"{name}.parquet")
            for name in ("territory_places", "territory_homes", "territories")
        )
        params = read_toml(folder / "params.toml", "params.toml")
        settings = convert(params.get("territory", {}), TerritoryParams, "params.toml")
        standing = Standing.read(accounts, places, homes, territories, settings)
        known = standing.places.select("account_id").join(
            accounts, on="account_id", how="left", maintain_order="left"
        )
        name = known["account_name"] if "account_name" in known.columns else known["account_id"].alias("x")
        people = folder / "people.parquet"
        reps = pl.read_parquet(people).select("rep_id", "name").iter_rows() if people.exists() else ()
        land = folder / "land.geojson"
        ground = json.loads(land.read_text("utf-8")) if land.exists() else None
    except (OSError, ValueError, InputError, pl.exceptions.PolarsError) as error:
        raise _unusable(folder, error) from None
    currency = params.get("report", {}).get("currency", DEFAULT_CURRENCY)
    return StandingRun(standing, name.fill_null(known["account_id"]), dict(reps), ground, currency)


def draw_scenario(folder: Path, edits: Sequence[Mapping[str, Any]] = ()) -> DrawnScenario:
    """Return the plan of a run after some edits, measured; what was drawn is kept for the next one who asks.

    Raises
    ------
    NotFoundError
        The run is not there any more.
    InputError
        An edit names what there is not, or changes nothing.
    """
    return _draw(read_standing(folder), json.dumps([dict(edit) for edit in edits], sort_keys=True))


@lru_cache(maxsize=64)
def _draw(run: StandingRun, edits: str) -> DrawnScenario:
    scenario = apply_edits(run.standing, [read_edit(edit) for edit in json.loads(edits)])
    return DrawnScenario(run, scenario, run.standing.measure(scenario))


def standing_edits(desk: Desk, scenario_id: int) -> list[Mapping[str, Any]]:
    """Return the edits of a scenario that were not undone."""
    rows = desk.territory_scenarios.edits(scenario_id)
    return [row["edit"] for row in rows if row["undone_at"] is None]


def edit_scenario(
    desk: Desk, folder: Path, scenario: TerritoryScenario, edit: Mapping[str, Any], *, who: str,
    after: int | None = None,
) -> DrawnScenario:  # fmt: skip
    """Change a scenario, once it has been seen that the edit does something; return it as it is then.

    Raises
    ------
    InputError
        The edit names what there is not, or changes nothing.
    ConflictError
        It is no draft any more, or somebody else has changed it meanwhile.
    """
    before = standing_edits(desk, scenario.scenario_id)
    drawn = draw_scenario(folder, [*before, edit])
    desk.territory_scenarios.edit(
        scenario.scenario_id, edit, who, scenario.last_edit if after is None else after
    )
    return drawn


def approve_scenario(
    desk: Desk, folder: Path, scenario: TerritoryScenario, effective_from: date, who: str
) -> TerritoryScenario:
    """Put a scenario in force from a day on: nights that plan that day or a later one keep it.

    Raises
    ------
    ConflictError
        It is no draft any more, was changed meanwhile, or another one is approved from that day on.
    """
    drawn = draw_scenario(folder, standing_edits(desk, scenario.scenario_id))
    assignment = drawn.run.standing.assignment(drawn.scenario)
    return desk.territory_scenarios.approve(
        scenario.scenario_id, effective_from, who, edits=scenario.last_edit, figures=drawn.summary(),
        holders=dict(zip(drawn.scenario.names, drawn.scenario.rep_id, strict=True)),
        accounts=list(assignment.select("account_id", "territory").iter_rows()),
    )  # fmt: skip


def _unusable(folder: Path, error: Exception) -> NotFoundError:
    return NotFoundError(
        f"the territories of the run {folder.name} cannot be read: {error}; make a scenario of a later night"
    )
