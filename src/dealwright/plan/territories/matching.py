"""Which representative gets which territory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dealwright.plan.territories.drawing import Division, PlacedAccounts
from dealwright.plan.travel import TravelParams, drive_min, great_circle_km
from dealwright.stats.arrays import Bools, Floats, Ints

# minutes that work weighs more for somebody who is not back from it within a shift. From four hours on,
# people would leave the accounts at the own door to each other so that a few far ones come within reach
_BEYOND_MIN: Final = 120.0


@dataclass(frozen=True)
class Fit:
    """How well each representative suits each territory; all arrays are (territories, representatives)."""

    drive_min: Floats  # mean minutes of a single drive from home to the territory's workload
    theirs: Floats  # share of the territory's workload that is the representative's already
    skilled: Floats  # share of the territory's workload that asks for one of the representative's skills
    # share of the territory's workload that the representative cannot visit within a shift
    out_of_reach: Floats
    reach: Floats  # (representatives,) share of all workload that each can


def measure_fit(
    ground: PlacedAccounts, division: Division, home_lat: Floats, home_lon: Floats, travel: TravelParams,
    *, own_rep: Ints, wanted: Ints, has_skill: Bools, shift_min: Floats, visit_min: float,
) -> Fit:  # fmt: skip
    """Measure every pair of territory and representative.

    Parameters
    ----------
    own_rep
        (n,) the representative of each account so far, -1 for none.
    wanted
        (n,) the skill each account asks for, -1 for none.
    has_skill
        (representatives, skills).
    shift_min, visit_min
        (representatives,) length of a shift, and of a visit.
    """
    k, reps, cells = len(division.centre_km), len(home_lat), ground.cells
    weight = ground.workload + 1e-12
    load = np.bincount(division.label, weight, minlength=k)
    load = np.where(load > 0, load, 1.0)[:, None]
    pair = cells.of_account * k + division.label
    shared = np.bincount(pair, weight, minlength=len(cells.index) * k).reshape(-1, k)
    lat, lon = ground.plane.unproject(cells.km)
    km = travel.circuity * great_circle_km(lat, lon, home_lat, home_lon)
    way = drive_min(km, travel) + np.where(km > 0, travel.access_min, 0.0)
    minutes = shared.T @ way / load
    beyond = (2 * way + visit_min > shift_min).astype(np.float64)
    everything = shared.sum(axis=1)
    reach = 1.0 - everything @ beyond / everything.sum()
    known = own_rep >= 0
    theirs = np.bincount(division.label[known] * reps + own_rep[known], weight[known], minlength=k * reps)
    asked = wanted >= 0
    skills = has_skill.shape[1]
    by_skill = np.bincount(
        division.label[asked] * skills + wanted[asked], weight[asked], minlength=k * skills
    )
    skilled = by_skill.reshape(k, skills) @ has_skill.T.astype(np.float64)
    return Fit(minutes, theirs.reshape(k, reps) / load, skilled / load, shared.T @ beyond / load, reach)


def match(fit: Fit, *, continuity_min: float, skill_min: float, given: Ints | None = None) -> Ints:
    """Return the representative of each territory (-1: none left), at the least total of equivalent minutes.

    Work from which somebody is not back within a shift counts as two hours more of driving. A territory whose
    accounts are all new to somebody costs `continuity_min` more than one they know, and one for whose needs
    they have no skill `skill_min` more than one where they have all. Solved exactly as a linear sum
    assignment (Crouse 2016, "On implementing 2D rectangular assignment algorithms").

    Parameters
    ----------
    given
        (territories,) the representative of each that has one already, -1 for one that is to get one.
    """
    from scipy.optimize import linear_sum_assignment

    cost = fit.drive_min + _BEYOND_MIN * fit.out_of_reach
    cost += continuity_min * (1 - fit.theirs) + skill_min * (1 - fit.skilled)
    found = np.full(cost.shape[0], -1, dtype=np.int64) if given is None else given.copy()
    open_rows = np.flatnonzero(found < 0)
    free = np.setdiff1d(np.arange(cost.shape[1]), found)
    rows, columns = linear_sum_assignment(cost[np.ix_(open_rows, free)])
    found[open_rows[rows]] = free[columns]
    return found
