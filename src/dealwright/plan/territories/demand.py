"""What the accounts ask for: minutes and visits a month, their representative so far, skills."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.plan.territories.params import TerritoryParams
from dealwright.plan.travel import EARTH_RADIUS_KM, drive_min
from dealwright.schemas import PlanInputs
from dealwright.stats.arrays import Floats, Ints


def workload_of(
    inputs: PlanInputs, params: TerritoryParams, predictions: pl.DataFrame | None
) -> tuple[Floats, Floats]:
    """Return minutes and visits a month by account.

    A visit takes its own minutes and its share of the travel from the nearest home and back: whoever makes it
    in the end drives at least as far.
    """
    accounts = inputs.accounts
    visits = np.ones(accounts.height)
    if params.visits_column is not None:
        if params.visits_column not in accounts.columns:
            raise InputError(
                f"territory.visits_column names {params.visits_column!r}, which the accounts do not have"
            )
        visits = (
            accounts[params.visits_column].cast(pl.Float64).fill_null(1.0).clip(lower_bound=0.0).to_numpy()
        )
    column = inputs.schema.role("visit_min")
    length = np.full(accounts.height, params.visit_min)
    if column is not None:
        length = accounts[column].cast(pl.Float64).fill_null(params.visit_min).to_numpy()
    minutes = visits * (length + _travel_per_visit(inputs, params))
    if params.value_weight > 0:
        if predictions is None:
            raise InputError(
                "territory.value_weight needs the predicted values: run *predict* first, or set it to 0"
            )
        known = predictions["predicted_value_eur"].clip(lower_bound=0.0)
        # who is not known counts as everybody else does on average
        value = known.fill_null(known.mean() or 0.0).to_numpy()
        if value.sum() > 0 and minutes.sum() > 0:
            mix = (
                1 - params.value_weight
            ) * minutes / minutes.mean() + params.value_weight * value / value.mean()
            minutes = mix * minutes.mean()
    return minutes, visits


def _travel_per_visit(inputs: PlanInputs, params: TerritoryParams) -> Floats:
    """Return each visit's minutes of travel from the nearest home and back; 0 where no place is known."""
    from scipy.spatial import cKDTree

    accounts, reps = inputs.accounts, inputs.reps
    share = np.zeros(accounts.height)
    lat, lon = (accounts[name].cast(pl.Float64).to_numpy() for name in ("lat_deg", "lon_deg"))
    placed = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon))
    if reps is None or reps.is_empty() or not params.visits_per_round or not placed.size:
        return share
    homes = _on_the_sphere(reps["home_lat_deg"].to_numpy(), reps["home_lon_deg"].to_numpy())
    chord = np.asarray(cKDTree(homes).query(_on_the_sphere(lat[placed], lon[placed]))[0])
    km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0)) * params.travel.circuity
    way = drive_min(km, params.travel) + np.where(km > 0, params.travel.access_min, 0.0)
    share[placed] = 2 * way / params.visits_per_round
    return share


def _on_the_sphere(lat_deg: Floats, lon_deg: Floats) -> Floats:
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return np.asarray(
        np.c_[np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], dtype=np.float64
    )


def shift_minutes(reps: pl.DataFrame, params: TerritoryParams) -> Floats:
    """Return how long each representative works on a day."""
    if not {"shift_start_min", "shift_end_min"} <= set(reps.columns):
        return np.full(reps.height, params.shift_min)
    length = (pl.col("shift_end_min") - pl.col("shift_start_min")).cast(pl.Float64)
    # 22:00 to 06:00: past midnight
    length = pl.when(length < 0).then(length + 1440).otherwise(length).fill_null(params.shift_min)
    return np.asarray(reps.select(length.alias("length"))["length"].to_numpy(), dtype=np.float64)


def own_rep(inputs: PlanInputs, reps: pl.DataFrame) -> Ints:
    """Return the representative of each account so far as a row of `reps`, -1 for none."""
    column = inputs.schema.role("rep_id")
    if column is None:
        return np.full(inputs.accounts.height, -1, dtype=np.int64)
    number = {name: k for k, name in enumerate(reps["rep_id"].to_list())}
    own = inputs.accounts[column].cast(pl.String)
    return own.replace_strict(number, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()


def skills_of(inputs: PlanInputs, reps: pl.DataFrame, rows: Ints, params: TerritoryParams) -> dict[str, Any]:
    """Return which skill each of the accounts `rows` asks for (-1: none), and who has which."""
    column = params.skill_column or inputs.schema.role("product_interest")
    if params.skill_column is not None and params.skill_column not in inputs.accounts.columns:
        raise InputError(
            f"territory.skill_column names {params.skill_column!r}, which the accounts do not have"
        )
    nothing = np.full(rows.size, -1, dtype=np.int64)
    if column is None or "skills" not in reps.columns:
        return {"wanted": nothing, "has_skill": np.zeros((reps.height, 1), dtype=np.bool_)}
    mine = [set(skills or ()) for skills in reps["skills"].to_list()]
    names = sorted(set().union(*mine))
    if not names:
        return {"wanted": nothing, "has_skill": np.zeros((reps.height, 1), dtype=np.bool_)}
    number = {name: k for k, name in enumerate(names)}
    asked = inputs.accounts[column].cast(pl.String)
    wanted = asked.replace_strict(number, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()[rows]
    return {"wanted": wanted, "has_skill": np.array([[name in has for name in names] for has in mine])}


def own_rep_id(inputs: PlanInputs) -> list[str | None]:
    """Return the representative of each account so far."""
    column = inputs.schema.role("rep_id")
    if column is None:
        return [None] * inputs.accounts.height
    return inputs.accounts[column].cast(pl.String).to_list()
