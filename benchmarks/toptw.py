"""Reads the public instances of the team orienteering problem with time windows (Cordeau's and Solomon's)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from dealwright.plan.routing.problem import Problem, Shift


def read_instance(path: Path, vehicles: int) -> Problem:
    """Read one instance; distances are cut (not rounded) after the decimals that its publication names.

    One tick is the last of those decimals: 1/10 of a unit for Solomon's instances, 1/100 for Cordeau's.
    """
    scale = 100 if path.stem.startswith("pr") else 10
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()[2:] if line.strip()]
    place = np.array([[float(cell) for cell in row[1:5]] for row in lines])
    window = np.array(
        [[float(cell) for cell in (row[-2:] if k else ("0", row[-1]))] for k, row in enumerate(lines)]
    )
    # the depot comes first in the file and last in the problem
    order = np.r_[1 : len(lines), 0]
    xy, n = place[order, :2], len(lines) - 1
    distance = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1))
    travel = np.floor(distance * scale + 1e-9).astype(np.int64)
    ticks = np.rint(np.c_[place[order, 2], window[order]] * scale).astype(np.int64)
    end = int(ticks[n, 2])
    return Problem(
        travel=travel,
        cost_eur=np.zeros(travel.shape),
        service=ticks[:n, 0],
        opens=ticks[:n, 1],
        latest_start=ticks[:n, 2],
        value_eur=place[order[:n], 3],
        must=np.zeros(n, dtype=np.bool_),
        allowed=np.ones((n, vehicles), dtype=np.bool_),
        shifts=tuple(Shift(f"vehicle {r + 1}", n, n, 0, end) for r in range(vehicles)),
    )


def best_known(folder: Path, kind: str = "bks") -> dict[tuple[str, int], float]:
    """Return the best known profit by instance and number of vehicles."""
    with (folder / "best_known.csv").open(encoding="ascii") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    return {(row["instance"], int(row["vehicles"])): float(row["reference_profit"]) for row in rows}
