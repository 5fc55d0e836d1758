"""What the stage *territory* returns: who has which account, and how good the territories are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from dealwright.notebook import Point, Summarised, sketch
from dealwright.plan.territories import demand, drawing
from dealwright.plan.territories.drawing import Division, PlacedAccounts
from dealwright.plan.territories.measures import (
    KnownShapes,
    Shapes,
    SurveyedCells,
    measure_shapes,
    survey_cells,
)
from dealwright.plan.territories.params import TerritoryParams
from dealwright.plan.travel import drive_min, great_circle_km
from dealwright.schemas import (
    TERRITORY_COLUMNS,
    TERRITORY_CURVE_COLUMNS,
    TERRITORY_HOME_COLUMNS,
    TERRITORY_PLACE_COLUMNS,
    TERRITORY_TABLE_COLUMNS,
    PlanInputs,
)
from dealwright.stats.arrays import Floats, Ints


@dataclass(frozen=True)
class Territories(Summarised):
    """Result of *territory*.

    Attributes
    ----------
    frame
        `TERRITORY_COLUMNS`, in the order of the accounts; null for an account without a position.
    territories
        `TERRITORY_TABLE_COLUMNS`.
    curve
        `TERRITORY_CURVE_COLUMNS`.
    decision
        Whether last month's territories were kept, and why.
    notes
        What a reader must know.
    keeping_eur_per_month
        What driving and imbalance would cost more in a month if every account stayed where it was; ``None``
        where there was nothing before.
    places, homes
        `TERRITORY_PLACE_COLUMNS`, `TERRITORY_HOME_COLUMNS`: what `scenario.Standing` measures others with.
    """

    frame: pl.DataFrame
    territories: pl.DataFrame
    curve: pl.DataFrame
    decision: str
    notes: tuple[str, ...] = ()
    keeping_eur_per_month: float | None = None
    places: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TERRITORY_PLACE_COLUMNS))
    homes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TERRITORY_HOME_COLUMNS))

    def summary(self) -> Mapping[str, Any]:
        """Return the key figures."""
        table = self.territories
        load = table["workload_min"]
        mean = load.mean() if table.height else None
        spread = load.std(ddof=0)
        return {
            "territories": table.height,
            "accounts": int(table["accounts"].sum()),
            "max_deviation_pct": table["deviation_pct"].abs().max(),
            "workload_cv_pct": 100 * float(spread) / float(mean) if mean and spread is not None else None,  # type: ignore[arg-type]
            "mean_distance_km": _mean(table, "mean_distance_km"),
            "drive_min": _mean(table, "drive_min"),
            "polsby_popper": table["polsby_popper"].fill_nan(None).mean(),
            "contiguity": table["contiguity"].fill_nan(None).mean(),
            "moved": int(self.frame["moved"].fill_null(value=False).sum()),
            "keeping_eur_per_month": self.keeping_eur_per_month,
            "without_rep": int(table["rep_id"].is_null().sum()),
            "decision": self.decision,
            "notes": "; ".join(self.notes),
        }

    def _repr_html_(self) -> str:
        named = self.territories.drop_nulls("outline").select("territory", "outline")
        return super()._repr_html_() + sketch([], {name: _rings(text) for name, text in named.iter_rows()})

    def to_frame(self) -> pl.DataFrame:
        """Return `frame`."""
        return self.frame


def _mean(table: pl.DataFrame, column: str) -> float | None:
    """Return the mean by workload, or ``None`` without any."""
    known = table.filter(pl.col(column).is_not_null() & pl.col(column).is_not_nan())
    total = float(known["workload_min"].sum())
    return float((known[column] * known["workload_min"]).sum()) / total if total else None


@dataclass(frozen=True)
class NamedDivision:
    """What was decided: a division, its names, each territory's representative (``None``: nobody)."""

    division: Division
    names: list[str]
    rep_id: list[str | None]
    decision: str
    notes: tuple[str, ...]
    keeping_eur_per_month: float | None = None


def assemble(
    inputs: PlanInputs,
    ground: PlacedAccounts,
    *,
    rows: Ints,
    drawn: NamedDivision,
    params: TerritoryParams,
    own_rep: list[str | None],
) -> Territories:
    """Describe the territories; `rows` are the accounts with a position, `own_rep` everybody's so far."""
    frame, table = describe(inputs, ground, rows=rows, drawn=drawn, params=params, own_rep=own_rep)
    curve = drawing.trade_off(ground, drawn.division, params.tolerances, params.travel)
    places = pl.DataFrame(
        {
            "account_id": frame["account_id"].gather(rows),
            "lat_deg": inputs.accounts["lat_deg"].gather(rows),
            "lon_deg": inputs.accounts["lon_deg"].gather(rows),
            "workload_min": ground.workload,
            "visits": ground.visits,
            "own_rep_id": pl.Series(own_rep, dtype=pl.String).gather(rows),
        },
        schema=TERRITORY_PLACE_COLUMNS,
    )
    return Territories(
        frame, table, curve, drawn.decision, drawn.notes,
        keeping_eur_per_month=drawn.keeping_eur_per_month, places=places, homes=_homes(inputs, params),
    )  # fmt: skip


def _homes(inputs: PlanInputs, params: TerritoryParams) -> pl.DataFrame:
    """Return where the representatives live, and how long they work on a day."""
    if inputs.reps is None:
        return pl.DataFrame(schema=TERRITORY_HOME_COLUMNS)
    return inputs.reps.select(
        "rep_id", "home_lat_deg", "home_lon_deg",
        shift_min=pl.Series(demand.shift_minutes(inputs.reps, params), dtype=pl.Float64),
    ).cast(dict(TERRITORY_HOME_COLUMNS))  # type: ignore[arg-type]  # fmt: skip


def describe(
    inputs: PlanInputs,
    ground: PlacedAccounts,
    *,
    rows: Ints,
    drawn: NamedDivision,
    params: TerritoryParams,
    own_rep: list[str | None],
    cells: SurveyedCells | None = None,
    known: KnownShapes | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `Territories.frame` and `Territories.territories` of a division, whoever has decided it.

    Parameters
    ----------
    cells, known
        On which shapes are measured, and those that were measured on them before.
    """
    accounts, division = inputs.accounts, drawn.division
    territory = np.full(accounts.height, None, dtype=object)
    rep = np.full(accounts.height, None, dtype=object)
    territory[rows] = np.array(drawn.names, dtype=object)[division.label]
    rep[rows] = np.array(drawn.rep_id, dtype=object)[division.label]
    minutes = np.full(accounts.height, np.nan)
    minutes[rows] = ground.workload
    frame = pl.DataFrame(
        {
            "account_id": accounts["account_id"],
            "territory": pl.Series(territory.tolist(), dtype=pl.String),
            "rep_id": pl.Series(rep.tolist(), dtype=pl.String),
            "workload_min": pl.Series(minutes).fill_nan(None),
            "own": pl.Series(own_rep, dtype=pl.String),
        }
    )
    frame = frame.with_columns(moved=pl.col("own") != pl.col("rep_id")).select(*TERRITORY_COLUMNS)
    cells = cells or survey_cells(ground, params.resolution)
    shapes = measure_shapes(ground, division, cells, known)
    moved = np.bincount(
        division.label, frame["moved"].fill_null(value=False).to_numpy()[rows], len(drawn.names)
    )
    table = _table(ground, drawn, shapes, params, inputs, moved=moved)
    return frame, table


def _table(
    ground: PlacedAccounts, drawn: NamedDivision, shapes: Shapes, params: TerritoryParams, inputs: PlanInputs,
    *, moved: Ints,
) -> pl.DataFrame:  # fmt: skip
    division, k = drawn.division, len(drawn.names)
    load = np.bincount(division.label, ground.workload, minlength=k)
    weight = np.where(load > 0, load, np.nan)
    away = np.hypot(*(ground.km - division.centre_km[division.label]).T)
    distance = np.bincount(division.label, away * ground.workload, minlength=k) / weight
    lat, lon = ground.plane.unproject(division.centre_km)
    mean = max(float(load.mean()), 1e-12)
    values = {
        "territory": drawn.names, "rep_id": drawn.rep_id,
        "accounts": np.bincount(division.label, minlength=k), "workload_min": load,
        "deviation_pct": 100 * (load / mean - 1), "mean_distance_km": distance,
        "drive_min": _drive(ground, drawn, params, inputs), "polsby_popper": shapes.polsby_popper,
        "contiguity": shapes.contiguity, "moved": moved.astype(np.int64), "lat_deg": lat, "lon_deg": lon,
        "outline": list(shapes.outline),
    }  # fmt: skip
    return pl.DataFrame(values, schema=TERRITORY_TABLE_COLUMNS).with_columns(
        pl.selectors.float().fill_nan(None)
    )


def _drive(
    ground: PlacedAccounts, drawn: NamedDivision, params: TerritoryParams, inputs: PlanInputs
) -> Floats:
    """Return the mean minutes from each representative's home to the territory's workload."""
    k = len(drawn.names)
    minutes = np.full(k, np.nan)
    if inputs.reps is None:
        return minutes
    home = {
        row[0]: row[1:] for row in inputs.reps.select("rep_id", "home_lat_deg", "home_lon_deg").iter_rows()
    }
    lat, lon = ground.plane.unproject(ground.km)
    order = np.argsort(drawn.division.label, kind="stable")
    begin = np.searchsorted(drawn.division.label[order], np.arange(k + 1))
    for number, rep in enumerate(drawn.rep_id):
        mine = order[begin[number] : begin[number + 1]]
        total = float(ground.workload[mine].sum())
        if rep is None or total <= 0:
            continue
        at = np.array(home[rep])
        km = params.travel.circuity * great_circle_km(lat[mine], lon[mine], at[:1], at[1:])[:, 0]
        drive = drive_min(km, params.travel) + np.where(km > 0, params.travel.access_min, 0.0)
        minutes[number] = float((drive * ground.workload[mine]).sum()) / total
    return minutes


def nothing(account_id: pl.Series, notes: tuple[str, ...]) -> Territories:
    """Return a result in which nobody has a territory, with the reason."""
    frame = pl.DataFrame({"account_id": account_id}).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in TERRITORY_COLUMNS.items() if name != "account_id"
    )
    curve = pl.DataFrame(schema=TERRITORY_CURVE_COLUMNS)
    return Territories(frame, pl.DataFrame(schema=TERRITORY_TABLE_COLUMNS), curve, "nothing to draw", notes)


def _rings(outline: str) -> list[list[Point]]:
    """Return the rings of polygons in WKT, which writes longitude first, as (latitude, longitude)."""
    rings = (ring.split(",") for ring in re.findall(r"\(([^()]+)\)", outline))
    return [[(float(lat), float(lon)) for lon, lat in map(str.split, ring)] for ring in rings]
