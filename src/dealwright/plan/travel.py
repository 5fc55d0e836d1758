"""Travel times: by default estimated from the distance, without any map."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from dealwright.errors import InputError
from dealwright.stats.arrays import Bools, Floats

EARTH_RADIUS_KM: Final = 6371.0088  # mean radius (IUGG)


@dataclass(frozen=True)
class TravelParams:
    """How a distance becomes a time.

    Attributes
    ----------
    circuity
        Distance by road over that of the straight line. 1.2 to 1.4 in most road networks (Ballou,
        Rahardja & Sakai 2002, "Selected country circuity factors for road travel distance estimation", table
        1).
    band_km, band_kmh
        Speed profile: the first `band_km[0]` kilometres of a way are driven at `band_kmh[0]`, those up to
        `band_km[1]` at `band_kmh[1]`, …, the rest at the last speed: short ways are city ways. Speeds must
        not fall from band to band.
    access_min
        Parking and walking at the end of every way, unless it leads nowhere else.
    """

    circuity: float = 1.3
    band_km: tuple[float, ...] = (4.0, 20.0)
    band_kmh: tuple[float, ...] = (22.0, 45.0, 80.0)
    access_min: float = 4.0

    def __post_init__(self) -> None:
        """Refuse a profile that makes no sense, naming the value."""
        if self.circuity < 1:
            raise InputError(
                f"circuity = {self.circuity}: no road is shorter than the straight line, use 1 or more"
            )
        if len(self.band_kmh) != len(self.band_km) + 1:
            raise InputError(
                f"{len(self.band_km)} band_km need {len(self.band_km) + 1} band_kmh (the last for the rest), "
                f"not {len(self.band_kmh)}"
            )
        ends, speeds = (0.0, *self.band_km), self.band_kmh
        if any(a >= b for a, b in pairwise(ends)):
            raise InputError(f"band_km = {self.band_km}: they must rise")
        if min(speeds) <= 0 or any(a > b for a, b in pairwise(speeds)):
            raise InputError(f"band_kmh = {self.band_kmh}: speeds must be positive and must not fall")
        if self.access_min < 0:
            raise InputError(f"access_min = {self.access_min}: use 0 or more")


@dataclass(frozen=True)
class TravelTable:
    """Ways between all pairs of places."""

    # (N, N), access included in the minutes; infinitely many where there is no way
    minutes: Floats
    km: Floats
    unreachable: Bools  # (N,) places without a road nearby
    source: str  # where the numbers come from, for people: it is shown beside them


class TravelTimes(Protocol):
    """Provides ways between places."""

    def table(self, lat_deg: Floats, lon_deg: Floats) -> TravelTable:
        """Return the ways between all pairs of places."""
        ...


@dataclass(frozen=True)
class EstimatedTravel:
    """Great circle × circuity, driven at the speed profile, and access minutes.

    The time is a concave function of the distance, so that no detour over a third place is faster.
    """

    params: TravelParams = field(default_factory=TravelParams)

    def table(self, lat_deg: Floats, lon_deg: Floats) -> TravelTable:
        """Return the ways between all pairs of places."""
        km = self.params.circuity * great_circle_km(lat_deg, lon_deg, lat_deg, lon_deg)
        return TravelTable(
            drive_min(km, self.params) + np.where(km > 0, self.params.access_min, 0.0), km,
            np.zeros(lat_deg.shape[0], dtype=np.bool_),
            f"estimated (straight line × {self.params.circuity:g})",
        )  # fmt: skip


def great_circle_km(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> Floats:
    """Return the distances between two lists of places, shape (len(a), len(b)), by the haversine formula."""
    a, b = np.radians(lat_a)[:, None], np.radians(lat_b)[None, :]
    east = np.radians(lon_b)[None, :] - np.radians(lon_a)[:, None]
    square = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(east / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(square, 0.0, 1.0))))


def drive_min(km: Floats, params: TravelParams) -> Floats:
    """Return the minutes of ways of given length under the speed profile."""
    minutes = np.zeros_like(km)
    begin = 0.0
    for end, speed in zip((*params.band_km, np.inf), params.band_kmh, strict=True):
        minutes += np.clip(km - begin, 0.0, end - begin) * (60.0 / speed)
        begin = end
    return minutes
