"""Positions that cannot be right: at 0, 0, swapped, in the sea, far from all others.

A position that is certainly wrong is emptied, so that nobody is sent there and no territory is bent by it;
the account stays, and ``position_note`` says why it cannot be visited.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.plan.travel import EARTH_RADIUS_KM, great_circle_km
from dealwright.schemas import Issue
from dealwright.stats.arrays import Bools, Floats, Ints

POSITION_NOTE: Final = "position_note"
_FAR_KM: Final = 500.0  # a position this far from the company …
_NEAR_KM: Final = 100.0  # … that is this near to it the other way round is taken for swapped
_COAST_DEG: Final = 0.01  # about a kilometre: quays and coarse coast lines
_KM_PER_DEG: Final = 111.2  # of latitude; a degree of longitude is shorter
_DIGITS: Final = 2  # of a degree, about a kilometre: precise enough to tell what is alone


def judge_positions(
    accounts: pl.DataFrame,
    reps: pl.DataFrame | None,
    issues: list[Issue],
    *,
    isolated_km: float,
    land: Any = None,
) -> pl.DataFrame:
    """Empty positions that cannot be right, and say why in ``position_note``.

    Parameters
    ----------
    accounts
        With ``lat_deg`` and ``lon_deg``, in their ranges.
    reps
        Their homes tell where the company is; without them the accounts do.
    issues
        Where warnings are collected.
    isolated_km
        An account further than this from every other account and home is pointed out; it stays where it is.
    land
        Where there is land, as a Shapely polygon in degrees, longitude first; unknown without.

    Raises
    ------
    InputError
        Most positions are swapped: then the columns are, not the rows.
    """
    lat, lon = accounts["lat_deg"].to_numpy().copy(), accounts["lon_deg"].to_numpy().copy()
    homes = np.empty((0, 2)) if reps is None else reps.select("home_lat_deg", "home_lon_deg").to_numpy()
    note = np.full(lat.size, None, dtype=object)
    missing = np.isnan(lat)
    _tell(issues, accounts, missing, "no position: cannot be visited", "geocode the address")
    zero = (lat == 0) & (lon == 0)
    note[zero] = "its position 0, 0 is in the Atlantic"
    _tell(
        issues, accounts, zero, "position 0, 0 is in the Atlantic: treated as unknown",
        "give the position, or leave it empty",
    )  # fmt: skip
    swapped = _find_swapped(lat, lon, homes, missing | zero)
    note[swapped] = "its latitude and longitude look swapped"
    _tell(
        issues, accounts, swapped, "latitude and longitude look swapped: treated as unknown", "swap the two"
    )
    gone = missing | zero | swapped
    sea = _find_at_sea(lat, lon, gone, land)
    note[sea] = "its position is not on land: is it in the sea?"
    _tell(issues, accounts, sea, "not on land: treated as unknown", "give the position of the door")
    gone |= sea
    lat[gone], lon[gone] = np.nan, np.nan
    away = _isolated(lat, lon, homes, isolated_km)
    alone = ~np.isnan(away)
    note[alone] = [f"its position is {km:,.0f} km from any other account or home" for km in away[alone]]
    _tell(
        issues, accounts, alone, f"more than {isolated_km:g} km from any other account or home",
        "check the position: is it mistyped, or in the sea?",
    )  # fmt: skip
    return accounts.with_columns(
        pl.Series("lat_deg", lat).fill_nan(None),
        pl.Series("lon_deg", lon).fill_nan(None),
        pl.Series(POSITION_NOTE, note.tolist(), dtype=pl.String),
    )


def _tell(issues: list[Issue], accounts: pl.DataFrame, rows: Bools, message: str, fix: str) -> None:
    """Warn of some accounts, naming the first ones."""
    found = int(rows.sum())
    if found:
        names = ", ".join(map(str, accounts["account_id"].filter(pl.Series(rows)).head(3)))
        more = ", …" if found > 3 else ""
        issues.append(Issue("accounts", "lat_deg", "warning", found, f"{message} ({names}{more})", fix))


def _find_swapped(lat: Floats, lon: Floats, homes: Floats, unknown: Bools) -> Bools:
    """Return the places that lie far from the company, and near it with latitude and longitude swapped."""
    known = ~unknown
    nothing = np.zeros(lat.size, dtype=np.bool_)
    if not known.any():
        return nothing
    places = homes if len(homes) else np.column_stack([lat[known], lon[known]])
    centre = np.median(places, axis=0)
    possible = known & (np.abs(lon) <= 90)
    with np.errstate(invalid="ignore"):
        far = great_circle_km(lat, lon, centre[:1], centre[1:])[:, 0] > _FAR_KM
        near = great_circle_km(lon, lat, centre[:1], centre[1:])[:, 0] < _NEAR_KM
    swapped = possible & far & near
    if swapped.sum() > 0.5 * known.sum():
        row = int(np.flatnonzero(swapped)[0])
        raise InputError(
            f"accounts: lat_deg and lon_deg look swapped in {int(swapped.sum()):,} of {int(known.sum()):,} "
            f"positions (one is {lat[row]:g}, {lon[row]:g}; the company is near {centre[0]:.2f}, "
            f"{centre[1]:.2f}): swap latitude and longitude in the schema file"
        )
    return swapped


def _find_at_sea(lat: Floats, lon: Floats, unknown: Bools, land: Any) -> Bools:
    """Return the places further from land than a coarse coast line is wrong."""
    sea = np.zeros(lat.size, dtype=np.bool_)
    if land is None:
        return sea
    import shapely

    shapely.prepare(land)
    rows = np.flatnonzero(~unknown)
    outside = rows[~shapely.contains_xy(land, lon[rows], lat[rows])]
    sea[outside] = ~shapely.dwithin(land, shapely.points(lon[outside], lat[outside]), _COAST_DEG)
    return sea


def _isolated(lat: Floats, lon: Floats, homes: Floats, limit_km: float) -> Floats:
    """Return the distance to the nearest other account or home where it exceeds a limit, else NaN."""
    away = np.full(lat.size, np.nan)
    known = np.flatnonzero(~np.isnan(lat))
    if not known.size or known.size + len(homes) < 2:
        return away
    every = np.vstack([np.column_stack([lat[known], lon[known]]), homes])
    _, first, of, count = np.unique(
        _numbered(every, 10.0**-_DIGITS), return_index=True, return_inverse=True, return_counts=True
    )
    places, of = every[first], of[: known.size]
    # who shares a cell whose diagonal is shorter than the limit is not alone
    width_deg = limit_km / _KM_PER_DEG / np.sqrt(2.0)
    _, cell, shared = np.unique(_numbered(places, width_deg), return_inverse=True, return_counts=True)
    lonely = np.flatnonzero((count[of] == 1) & (shared[cell][of] == 1))
    if not lonely.size or len(places) < 2:
        return away
    from scipy.spatial import cKDTree

    angle = np.radians(places)
    x, y = np.cos(angle[:, 0]) * np.cos(angle[:, 1]), np.cos(angle[:, 0]) * np.sin(angle[:, 1])
    points = np.column_stack([x, y, np.sin(angle[:, 0])])
    chord = np.asarray(cKDTree(points).query(points[of[lonely]], k=2)[0])[:, 1]
    km = 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2, 0.0, 1.0))
    away[known[lonely]] = np.where(km > limit_km, km, np.nan)
    return away


def _numbered(places: Floats, width_deg: float) -> Ints:
    """Return the number of the cell of a grid in which each place lies."""
    row, column = np.floor((places + 360.0) / width_deg).astype(np.int64).T
    return np.asarray(row * np.int64(10_000_000) + column)
