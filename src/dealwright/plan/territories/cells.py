"""Accounts gathered in H3 cells, on a plane in kilometres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dealwright.plan.travel import EARTH_RADIUS_KM
from dealwright.stats.arrays import Floats, Ints

FINEST: Final = 12  # H3 cells of this resolution are some 20 m wide: one address
# a cell that holds more than this share of a territory is cut into finer ones, so that dense towns are
# divided as well
HEAVIEST_SHARE: Final = 0.1


@dataclass(frozen=True)
class Plane:
    """An equirectangular projection around a middle: true to distance near it, good for a country."""

    lat_deg: float
    lon_deg: float

    @classmethod
    def around(cls, lat_deg: Floats, lon_deg: Floats) -> Plane:
        """Place the middle among the accounts; longitudes are averaged on the circle: any ocean will do."""
        east = np.exp(1j * np.radians(lon_deg)).mean()
        return cls(float(lat_deg.mean()), float(np.degrees(np.angle(east))))

    def project(self, lat_deg: Floats, lon_deg: Floats) -> Floats:
        """Return kilometres east and north of the middle, shape (n, 2)."""
        east = (lon_deg - self.lon_deg + 180.0) % 360.0 - 180.0
        scale = np.radians(1.0) * EARTH_RADIUS_KM
        x, y = east * scale * np.cos(np.radians(self.lat_deg)), (lat_deg - self.lat_deg) * scale
        return np.asarray(np.c_[x, y], dtype=np.float64)

    def unproject(self, km: Floats) -> tuple[Floats, Floats]:
        """Return latitudes and longitudes of points on the plane."""
        scale = np.radians(1.0) * EARTH_RADIUS_KM
        lat = self.lat_deg + km[:, 1] / scale
        lon = self.lon_deg + km[:, 0] / (scale * np.cos(np.radians(self.lat_deg)))
        return lat, (lon + 180.0) % 360.0 - 180.0


@dataclass(frozen=True)
class Cells:
    """Occupied cells."""

    index: Ints  # (B,) H3 indexes; dense cells are given at a finer resolution
    of_account: Ints  # (n,) which cell an account lies in
    weight: Floats  # (B,) workload
    km: Floats  # (B, 2) middle of the workload on the plane


def gather(
    lat_deg: Floats, lon_deg: Floats, km: Floats, workload: Floats, *, resolution: int, territories: int
) -> Cells:
    """Gather accounts in cells of an H3 resolution, and those of dense cells in finer ones."""
    index = _cell_indexes(lat_deg, lon_deg, resolution)
    limit = HEAVIEST_SHARE * workload.sum() / territories
    dense = np.arange(index.shape[0])
    for finer in range(resolution + 1, FINEST + 1):
        _, inverse = np.unique(index[dense], return_inverse=True)
        dense = dense[np.bincount(inverse, workload[dense])[inverse] > limit]
        if dense.size == 0:
            break
        index[dense] = _cell_indexes(lat_deg[dense], lon_deg[dense], finer)
    cells, of_account = np.unique(index, return_inverse=True)
    weight: Floats = np.bincount(of_account, workload).astype(np.float64)
    # accounts without workload still have a place
    share = workload + 1e-9 * max(float(workload.mean()), 1e-12)
    total = np.bincount(of_account, share)
    middle = np.c_[np.bincount(of_account, share * km[:, 0]), np.bincount(of_account, share * km[:, 1])]
    return Cells(cells, of_account, weight, middle / total[:, None])


def _cell_indexes(lat_deg: Floats, lon_deg: Floats, resolution: int) -> Ints:
    from h3.api.basic_int import latlng_to_cell

    found = map(latlng_to_cell, lat_deg.tolist(), lon_deg.tolist(), [resolution] * lat_deg.shape[0])
    return np.fromiter(found, dtype=np.int64, count=lat_deg.shape[0])
