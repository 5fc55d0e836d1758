"""Balanced territories: rounds of flow between cells and centres.

Hess, Weaver, Siegfeldt, Whelan & Zitlau 1965 ("Nonpartisan political redistricting by computer"): assign
cells to centres at least moment of inertia with equal loads, move each centre to the middle of its cells,
repeat. Where it is known who lives where, the drive from home to a cell counts instead, in minutes, and the
drive from the middle a little, so that people who live in one place have compact territories too.
The assignment is a transportation problem, solved exactly as a minimum-cost flow (George, Lamar &
Wallace 1997, "Political district determination using large-scale network optimization"); at most one cell
less than there are territories is split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dealwright.plan.territories.cells import Cells
from dealwright.plan.travel import TravelParams, drive_min
from dealwright.stats.arrays import Floats, Ints

UNITS: Final = 10_000_000  # the whole workload in whole numbers
COSTS: Final = 1_000_000  # the largest squared distance in whole numbers
NEIGHBOURS: Final = 16  # centres a cell may go to, at first
# what a minute from the middle of a territory weighs against one from home: little, so that it decides only
# between people who live side by side
MIDDLE_SHARE: Final = 0.02
# more visits share a long drive than a short one: one account far away costs less than two half as far, and
# nobody hands over the accounts at their own door to make room for those of a neighbour
WAY_POWER: Final = 0.9


@dataclass(frozen=True)
class Homes:
    """Where the representative of each territory lives, and how distance becomes time."""

    km: Floats  # (k, 2) places on the plane
    travel: TravelParams

    def minutes(self, km: Floats, place_km: Floats) -> Floats:
        """Return the minutes of driving between points, both of shape (…, 2)."""
        away = np.sqrt(((km - place_km) ** 2).sum(axis=-1))
        return drive_min(away * self.travel.circuity, self.travel)


@dataclass(frozen=True)
class Balance:
    """How cells are shared out."""

    centre_km: Floats  # (k, 2) middles of the territories
    choice: Ints  # (B, K) the territories each cell may go to
    share: Floats  # (B, K) the part of a cell's workload that goes to each of them
    rounds: int  # rounds of assignment and recentring

    @property
    def territory(self) -> Ints:
        """Return where most of each cell goes."""
        return np.asarray(self.choice[np.arange(len(self.choice)), self.share.argmax(axis=1)])


def draw_balanced(
    cells: Cells, tolerance: float, *, rounds: int, centre_km: Floats, homes: Homes | None = None
) -> Balance:
    """Assign cells and move the centres, for some rounds or until the centres stand still."""
    balance = assign_cells(cells, centre_km, tolerance, homes=homes)
    still = 1e-3 * _spread_km(cells, len(centre_km))
    done = 0
    while done < rounds:
        centre = recentre(cells, balance)
        done += 1
        if float(np.hypot(*(centre - balance.centre_km).T).max()) < still:
            break
        # as many candidates as were needed before: fewer would be tried in vain
        reach = balance.choice.shape[1]
        balance = assign_cells(cells, centre, tolerance, homes=homes, reach=reach)
    return Balance(recentre(cells, balance), balance.choice, balance.share, done + 1)


def start_centres(cells: Cells, territories: int, angle: float) -> Floats:
    """Return where to begin: the ground halved by workload, again and again, across its longer side.

    Such regions are balanced from the start (recursive bisection, Berger & Bokhari 1987, "A partitioning
    strategy for nonuniform problems on multiprocessors"); `angle` (radians) turns the cuts: another start.
    """
    centre = np.empty((territories, 2))
    weight = cells.weight + 1e-9 * max(float(cells.weight.max()), 1e-9)
    todo = [(np.arange(len(cells.index)), territories, 0)]
    while todo:
        mine, k, first = todo.pop()
        middle = np.average(cells.km[mine], axis=0, weights=weight[mine])
        if k == 1 or mine.size == 1:
            centre[first : first + k] = middle
            continue
        away = cells.km[mine] - middle
        spread = (away * weight[mine, None]).T @ away
        longest = np.linalg.eigh(spread)[1][:, 1]
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ longest
        order = mine[np.argsort(away @ turned, kind="stable")]
        load = np.cumsum(weight[order])
        # a cell goes to the side on which most of it lies
        cut = int(np.searchsorted(load - weight[order] / 2, load[-1] * (k // 2) / k))
        cut = min(max(cut, 1), mine.size - 1)
        todo += [(order[:cut], k // 2, first), (order[cut:], k - k // 2, first + k // 2)]
    return centre


def inertia(cells: Cells, balance: Balance, homes: Homes | None = None) -> float:
    """Return the workload's moment of inertia around the centres; with homes, its minutes of driving."""
    cost = _costs(cells, balance.centre_km, balance.choice, homes)
    return float((cost * balance.share * cells.weight[:, None]).sum())


def _costs(cells: Cells, centre_km: Floats, choice: Ints, homes: Homes | None) -> Floats:
    """Return what it costs to give each cell to each of its candidates."""
    here = cells.km[:, None, :]
    if homes is None:
        return np.asarray(((here - centre_km[choice]) ** 2).sum(axis=2))
    from_home, from_middle = homes.minutes(here, homes.km[choice]), homes.minutes(here, centre_km[choice])
    return np.asarray(from_home**WAY_POWER + MIDDLE_SHARE * from_middle)


def assign_cells(
    cells: Cells,
    centre_km: Floats,
    tolerance: float,
    *,
    sticky: Floats | None = None,
    homes: Homes | None = None,
    reach: int = NEIGHBOURS,
) -> Balance:
    """Assign cells to centres at least cost, every load within (1 ± tolerance) of the mean.

    The cost is the moment of inertia; where homes are given, the minutes from home, and a share of those from
    the centre.

    Each cell may go to its nearest centres; where that leaves no balanced assignment, to twice as many, and
    so on.

    Parameters
    ----------
    sticky
        (B, k) squared kilometres (with homes: minutes) added to the cost of giving a cell to a territory.
    reach
        How many nearest centres a cell may go to, at first.
    """
    from scipy.spatial import cKDTree

    k = len(centre_km)
    reach = min(k, reach)
    # with homes: nearest to home and centre together, by the sum of their squared distances
    places = centre_km if homes is None else np.c_[homes.km, centre_km]
    points = cells.km if homes is None else np.c_[cells.km, cells.km]
    tree = cKDTree(places)
    units = _whole_units(cells.weight)
    while True:
        choice = np.asarray(tree.query(points, k=reach)[1], dtype=np.int64).reshape(-1, reach)
        cost = _costs(cells, centre_km, choice, homes)
        if sticky is not None:
            cost = cost + np.take_along_axis(sticky, choice, axis=1)
        flow = _solve_flow(units, choice, cost, k, tolerance)
        if flow is not None:
            total = np.maximum(flow.sum(axis=1, keepdims=True), 1)
            return Balance(centre_km, choice, flow / total, 1)
        if reach == k:
            raise AssertionError("a flow from every cell to every territory is always possible")
        reach = min(k, 2 * reach)


def _whole_units(weight: Floats) -> Ints:
    if weight.sum() <= 0:
        return np.ones(weight.shape[0], dtype=np.int64)
    return np.asarray(np.maximum(1, np.rint(weight / weight.sum() * UNITS)), dtype=np.int64)


def _solve_flow(units: Ints, choice: Ints, cost: Floats, k: int, tolerance: float) -> Ints | None:
    """Return the flow from every cell to its candidates, or ``None`` where there is none."""
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

    cells, reach = choice.shape
    total = int(units.sum())
    mean = total / k
    least = int(np.floor(mean * max(0.0, 1.0 - tolerance)))
    most = int(np.ceil(mean * (1.0 + tolerance)))
    whole = np.rint(cost * (COSTS / max(float(cost.max()), 1e-12))).astype(np.int64)
    flow = SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(
        np.repeat(np.arange(cells), reach), cells + choice.ravel(), np.repeat(units, reach), whole.ravel()
    )
    places, sink = cells + np.arange(k), np.full(k, cells + k)
    # a load below the least is worth more than any distance: those arcs are filled first
    flow.add_arcs_with_capacity_and_unit_cost(
        places, sink, np.full(k, least), np.full(k, -(len(sink) + 1) * COSTS)
    )
    flow.add_arcs_with_capacity_and_unit_cost(
        places, sink, np.full(k, most - least), np.zeros(k, dtype=np.int64)
    )
    flow.set_nodes_supplies(np.arange(cells), units)
    flow.set_node_supply(cells + k, -total)
    if flow.solve() != flow.OPTIMAL:
        return None
    return np.asarray(flow.flows(arcs), dtype=np.int64).reshape(cells, reach)


def recentre(cells: Cells, balance: Balance) -> Floats:
    """Return the middle of each territory's workload; one without any stays where it is."""
    k = len(balance.centre_km)
    part = balance.share * np.maximum(cells.weight, 1e-12)[:, None]
    target = balance.choice.ravel()
    load = np.bincount(target, part.ravel(), minlength=k)
    middle = np.c_[
        np.bincount(target, (part * cells.km[:, :1]).ravel(), minlength=k),
        np.bincount(target, (part * cells.km[:, 1:]).ravel(), minlength=k),
    ]
    empty = load <= 0
    return np.where(empty[:, None], balance.centre_km, middle / np.where(empty, 1.0, load)[:, None])


def share_out(
    cells: Cells, balance: Balance, km: Floats, workload: Floats, homes: Homes | None = None
) -> Ints:
    """Give every account its territory; accounts of a split cell go where they are relatively nearest.

    The accounts of a split cell are taken in the order of how clearly they belong to one side, and fill the
    territories' parts of the cell.
    """
    territory = balance.territory[cells.of_account]
    split = np.flatnonzero((balance.share > 0).sum(axis=1) > 1)
    if not split.size:
        return territory
    order = np.argsort(cells.of_account, kind="stable")
    begin = np.searchsorted(cells.of_account[order], np.arange(len(cells.index) + 1))
    for cell in split:
        accounts = order[begin[cell] : begin[cell + 1]]
        takes = balance.share[cell] > 0
        sides = balance.choice[cell][takes]
        room = balance.share[cell][takes] * workload[accounts].sum()
        here = km[accounts, None, :]
        if homes is None:
            distance = ((here - balance.centre_km[sides][None]) ** 2).sum(axis=2)
        else:
            distance = homes.minutes(here, homes.km[sides][None])
        ranked = np.sort(distance, axis=1)
        for row in np.argsort(ranked[:, 0] - ranked[:, 1], kind="stable"):
            account = accounts[row]
            # half of an account may stand over: what one side gets too much, the other gets too little
            open_sides = room >= workload[account] / 2
            if open_sides.any():
                side = int(np.where(open_sides, distance[row], np.inf).argmin())
            else:
                side = int(room.argmax())
            territory[account] = sides[side]
            room[side] -= workload[account]
    return territory


def _spread_km(cells: Cells, territories: int) -> float:
    """Return a territory's typical radius."""
    weight = np.maximum(cells.weight, 1e-12)
    middle = np.average(cells.km, axis=0, weights=weight)
    square = np.average(((cells.km - middle) ** 2).sum(axis=1), weights=weight)
    return float(np.sqrt(square / territories)) + 1e-9
