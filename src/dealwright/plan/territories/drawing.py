"""Drawing territories: anew, or from those of the last time, and which of the two pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from dealwright.plan.territories.balance import (
    Homes,
    assign_cells,
    draw_balanced,
    inertia,
    share_out,
    start_centres,
)
from dealwright.plan.territories.cells import Cells, Plane, gather
from dealwright.plan.travel import TravelParams
from dealwright.schemas import TERRITORY_CURVE_COLUMNS
from dealwright.stats.arrays import Floats, Ints

COARSER: Final = (
    2  # H3 resolutions by which the first rounds are coarser: an eighth of the time, same centres
)
LARGE: Final = 4_000  # cells from which that pays
STARTS: Final = 6
TOLERANCES: Final = (0.0, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class PlacedAccounts:
    """The accounts to be divided, on a plane and in cells."""

    plane: Plane
    # (n, 2) positions, (n,) minutes a month, (n,) visits a month
    km: Floats
    workload: Floats
    visits: Floats
    # the same accounts in cells, and in coarser ones
    cells: Cells
    coarse: Cells


@dataclass(frozen=True)
class Division:
    """A candidate division of the ground."""

    label: Ints  # (n,) territory of each account, `0 … k − 1`
    centre_km: Floats  # (k, 2) middles of the workload
    home_km: Floats | None = None  # (k, 2) where the representative of each territory lives, if that is known


def survey(
    lat_deg: Floats, lon_deg: Floats, workload: Floats, visits: Floats, *, resolution: int, territories: int
) -> PlacedAccounts:
    """Gather accounts in cells, and these in coarser cells for the first rounds."""
    plane = Plane.around(lat_deg, lon_deg)
    km = plane.project(lat_deg, lon_deg)
    cells = gather(lat_deg, lon_deg, km, workload, resolution=resolution, territories=territories)
    coarse = cells
    if len(cells.index) > LARGE and resolution > COARSER:
        lat, lon = plane.unproject(cells.km)
        coarse = gather(
            lat, lon, cells.km, cells.weight, resolution=resolution - COARSER, territories=territories
        )
    return PlacedAccounts(plane, km, workload, visits, cells, coarse)


def redraw(
    ground: PlacedAccounts, territories: int, tolerance: float, *, rounds: int, homes: Homes | None = None
) -> Division:
    """Draw territories that owe nothing to earlier ones; where cells are few, the best of several starts.

    The starts are compared after one round, and the best goes on: over all rounds most of them end within a
    third of a per cent of the best, and the bad ones show early.

    Parameters
    ----------
    homes
        Where those live who shall have the territories, one for each: each is drawn around a home.
    """
    starts = STARTS if len(ground.coarse.index) <= LARGE else 1
    centres = [start_centres(ground.coarse, territories, np.pi * start / STARTS) for start in range(starts)]
    if homes is not None:
        centres = [_nearest_homes(centre, homes) for centre in centres]
        # where one start has to do, it is the balanced one
        centres += [homes.km] if starts > 1 else []
    tried = [
        draw_balanced(ground.coarse, tolerance, rounds=min(rounds, 1), centre_km=centre, homes=homes)
        for centre in centres
    ]
    best = min(tried, key=lambda balance: inertia(ground.coarse, balance, homes))
    final = draw_balanced(
        ground.coarse, tolerance, rounds=max(rounds - 1, 0), centre_km=best.centre_km, homes=homes
    )
    if ground.coarse is not ground.cells:
        final = draw_balanced(ground.cells, tolerance, rounds=0, centre_km=final.centre_km, homes=homes)
    label = share_out(ground.cells, final, ground.km, ground.workload, homes)
    return divide(ground, label, final.centre_km, homes)


def _nearest_homes(centre_km: Floats, homes: Homes) -> Floats:
    """Return the centres in the order of the homes that they lie nearest to, in all."""
    from scipy.optimize import linear_sum_assignment

    minutes = homes.minutes(homes.km[:, None, :], centre_km[None])
    return np.asarray(centre_km[linear_sum_assignment(minutes)[1]])


def adjust(ground: PlacedAccounts, old: Division, tolerance: float, homes: Homes | None = None) -> Division:
    """Balance earlier territories again, each account held where it was by one typical radius."""
    k = len(old.centre_km)
    cells = ground.cells
    pair = cells.of_account * k + old.label
    held = np.bincount(pair, ground.workload + 1e-12, minlength=len(cells.index) * k).reshape(-1, k)
    share = held / held.sum(axis=1, keepdims=True)
    middle = old.centre_km[old.label]
    distance = ((ground.km - middle) ** 2).sum(axis=1) if homes is None else homes.minutes(ground.km, middle)
    sticky = (1.0 - share) * float(np.median(distance))
    balance = assign_cells(cells, old.centre_km, tolerance, sticky=sticky, homes=homes)
    label = share_out(cells, balance, ground.km, ground.workload, homes)
    return divide(ground, label, old.centre_km, homes)


def continue_old(ground: PlacedAccounts, known: Ints, territories: int) -> Division:
    """Keep every account where it was; new ones (-1) go to the nearest middle.

    At least one account must be known.
    """
    old = known >= 0
    centre = _middles(
        ground.km[old], ground.workload[old], known[old], territories, ground.km[old].mean(axis=0)
    )
    label = known.copy()
    if not old.all():
        from scipy.spatial import cKDTree

        occupied = np.unique(known[old])
        label[~old] = occupied[cKDTree(centre[occupied]).query(ground.km[~old])[1]]
    return divide(ground, label, centre)


def rename_like(division: Division, known: Ints) -> Division:
    """Number territories so that as many accounts as possible keep their number (-1: new, without one)."""
    from scipy.optimize import linear_sum_assignment

    k = len(division.centre_km)
    old = known >= 0
    overlap = np.bincount(division.label[old] * k + known[old], minlength=k * k).reshape(k, k)
    number = linear_sum_assignment(-overlap)[1]
    old_number = np.argsort(number)
    home = None if division.home_km is None else division.home_km[old_number]
    return Division(number[division.label], division.centre_km[old_number], home)


@dataclass(frozen=True)
class Price:
    """What a division costs a month, and what changing to it costs once."""

    travel_eur: float
    imbalance_eur: float
    moved: int
    move_eur: float

    @property
    def monthly_eur(self) -> float:
        """Return what a month costs."""
        return self.travel_eur + self.imbalance_eur

    def total_eur(self, months: float) -> float:
        """Return the whole over a number of months."""
        return self.monthly_eur * months + self.move_eur


def price(
    ground: PlacedAccounts,
    division: Division,
    known: Ints | None,
    *,
    km_eur: float,
    minute_eur: float,
    move_eur: float,
) -> Price:
    """Price a division: the drive from home or the middle, minutes off the mean, accounts that move."""
    loads = np.bincount(division.label, ground.workload, minlength=len(division.centre_km))
    begin_km = division.centre_km if division.home_km is None else division.home_km
    away = np.hypot(*(ground.km - begin_km[division.label]).T)
    moved = 0 if known is None else int(((known >= 0) & (known != division.label)).sum())
    imbalance = float(np.abs(loads - loads.mean()).sum()) / 2
    return Price(
        km_eur * 2 * float((away * ground.visits).sum()), minute_eur * imbalance, moved, move_eur * moved
    )


def trade_off(
    ground: PlacedAccounts, division: Division, tolerances: tuple[float, ...], travel: TravelParams
) -> pl.DataFrame:
    """Return what each tolerance would give around the final middles: balance against distance."""
    cells, k = ground.coarse, len(division.centre_km)
    homes = None if division.home_km is None else Homes(division.home_km, travel)
    rows = []
    for tolerance in tolerances:
        balance = assign_cells(cells, division.centre_km, tolerance, homes=homes)
        part = balance.share * cells.weight[:, None]
        loads = np.bincount(balance.choice.ravel(), part.ravel(), minlength=k)
        away = np.sqrt(((cells.km[:, None, :] - division.centre_km[balance.choice]) ** 2).sum(axis=2))
        mean = max(float(loads.mean()), 1e-12)
        rows.append((
            tolerance, 100 * float(np.abs(loads / mean - 1).max()), 100 * float(loads.std()) / mean,
            float((away * part).sum() / max(float(part.sum()), 1e-12)),
        ))  # fmt: skip
    return pl.DataFrame(rows, schema=TERRITORY_CURVE_COLUMNS, orient="row")


def divide(ground: PlacedAccounts, label: Ints, centre_km: Floats, homes: Homes | None = None) -> Division:
    """Divide: middles are those of the accounts; a territory without accounts keeps the middle it had."""
    middle = _middles(ground.km, ground.workload, label, len(centre_km), centre_km)
    return Division(label, middle, None if homes is None else homes.km)


def _middles(km: Floats, workload: Floats, label: Ints, k: int, otherwise: Floats) -> Floats:
    weight = workload + 1e-9 * max(float(workload.mean()), 1e-12)
    load = np.bincount(label, weight, minlength=k)
    middle = np.c_[np.bincount(label, weight * km[:, 0], k), np.bincount(label, weight * km[:, 1], k)]
    return np.where((load > 0)[:, None], middle / np.where(load > 0, load, 1.0)[:, None], otherwise)
