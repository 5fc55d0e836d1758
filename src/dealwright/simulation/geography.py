"""Positions for a synthetic company around Barcelona: cluster centres on land, never in the sea."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.extras import require_extra

Floats = NDArray[np.float64]

# the shore from the Garraf to Mataró, drawn by hand from a map to some 300 m and moved inland: the latitude
# below which there is sea, as a function of the longitude (the coast runs south-west to north-east, so it
# is one)
COAST_LON_DEG: Final = np.array([
    1.850, 1.900, 1.950, 1.975, 2.015, 2.060, 2.085, 2.110, 2.135, 2.150, 2.168, 2.178, 2.185, 2.195, 2.203,
    2.212, 2.228, 2.238, 2.252, 2.285, 2.315, 2.362, 2.395, 2.455,
])  # fmt: skip
COAST_LAT_DEG: Final = np.array([
    41.253, 41.262, 41.268, 41.270, 41.272, 41.282, 41.290, 41.305, 41.318, 41.345, 41.362, 41.378, 41.383,
    41.388, 41.394, 41.401, 41.416, 41.425, 41.450, 41.469, 41.482, 41.496, 41.508, 41.538,
])  # fmt: skip
WEST_DEG, EAST_DEG, NORTH_DEG = 1.85, 2.455, 41.72

# centre (lat, lon), spread in km, share of the accounts
CLUSTERS: Final = (
    ("Eixample", 41.392, 2.163, 1.1, 0.15), ("Gràcia", 41.405, 2.155, 0.8, 0.06),
    ("Sants", 41.375, 2.135, 0.9, 0.06), ("Zona Franca", 41.352, 2.143, 0.9, 0.05),
    ("Poblenou", 41.403, 2.197, 0.8, 0.08), ("Sant Andreu", 41.435, 2.190, 0.9, 0.05),
    ("L'Hospitalet", 41.360, 2.105, 1.1, 0.08), ("Cornellà", 41.355, 2.072, 0.9, 0.05),
    ("El Prat", 41.325, 2.095, 0.9, 0.03), ("Sant Boi", 41.342, 2.040, 1.0, 0.03),
    ("Castelldefels", 41.285, 1.985, 1.0, 0.02), ("Sant Cugat", 41.472, 2.083, 1.3, 0.05),
    ("Cerdanyola", 41.491, 2.140, 1.1, 0.03), ("Sabadell", 41.546, 2.108, 1.6, 0.07),
    ("Terrassa", 41.563, 2.010, 1.6, 0.05), ("Badalona", 41.455, 2.242, 0.9, 0.05),
    ("Mollet", 41.540, 2.213, 1.2, 0.03), ("Granollers", 41.607, 2.288, 1.4, 0.03),
    ("Martorell", 41.475, 1.930, 1.3, 0.01), ("Mataró", 41.545, 2.440, 0.8, 0.02),
)  # fmt: skip
# (lon, lat) of the coast on both sides of the region, drawn by hand to a few kilometres: for the eye only
_SHORE_SOUTH: Final = (
    (0.49, 40.47), (0.59, 40.61), (0.87, 40.72), (0.71, 40.81), (0.80, 40.88), (1.06, 41.06), (1.17, 41.06),
    (1.26, 41.11), (1.40, 41.14), (1.57, 41.19), (1.73, 41.21), (1.81, 41.235),
)  # fmt: skip
_SHORE_NORTH: Final = (
    (2.55, 41.577), (2.66, 41.61), (2.79, 41.67), (2.93, 41.72), (3.03, 41.78), (3.13, 41.845), (3.23, 41.95),
    (3.21, 42.05), (3.11, 42.13), (3.12, 42.24), (3.18, 42.26), (3.32, 42.32), (3.17, 42.43),
)  # fmt: skip
_TOWNS: Final = frozenset({
    "Barcelona", "El Prat", "Castelldefels", "Sant Cugat", "Sabadell", "Terrassa", "Badalona", "Mollet",
    "Granollers", "Martorell", "Mataró",
})  # fmt: skip
KM_PER_DEGREE: Final = 111.195  # on a sphere of 6,371 km


def in_the_sea(lat_deg: Floats, lon_deg: Floats) -> NDArray[np.bool_]:
    """Tell which positions lie below the coastline (and so in the Mediterranean)."""
    return np.asarray(lat_deg < np.interp(lon_deg, COAST_LON_DEG, COAST_LAT_DEG))


def on_land(
    lat_deg: Floats, lon_deg: Floats, polygon: Sequence[tuple[float, float]] = ()
) -> NDArray[np.bool_]:
    """Tell which positions are on land in the region, and inside the polygon of (lat, lon), if any."""
    inside = (lon_deg >= WEST_DEG) & (lon_deg <= EAST_DEG) & (lat_deg <= NORTH_DEG)
    inside &= ~in_the_sea(lat_deg, lon_deg)
    if polygon:
        require_extra("plan", "a synthetic company in the field")
        import shapely

        ring = shapely.Polygon([(lon, lat) for lat, lon in polygon])
        shapely.prepare(ring)
        inside &= np.asarray(shapely.contains_xy(ring, lon_deg, lat_deg))
    return inside


def sample_positions(
    n: int, rng: np.random.Generator, polygon: Sequence[tuple[float, float]] = ()
) -> tuple[Floats, Floats]:
    """Draw `n` positions around the cluster centres, each redrawn until it is on land and inside the polygon.

    Returns
    -------
    tuple of ndarray
        Latitudes and longitudes in degrees, each of shape (n,).

    Raises
    ------
    InputError
        The polygon holds (almost) no land of the region.
    """
    share = np.array([row[4] for row in CLUSTERS])
    centre = np.array([row[1:4] for row in CLUSTERS], dtype=np.float64)
    lat, lon = np.empty(n), np.empty(n)
    todo = np.arange(n)
    for _ in range(400):
        k = rng.choice(len(CLUSTERS), size=todo.size, p=share / share.sum())
        # one in eight lives scattered around its cluster rather than in it
        spread_km = centre[k, 2] * np.where(rng.random(todo.size) < 0.125, 3.5, 1.0)
        lat[todo] = centre[k, 0] + rng.normal(size=todo.size) * spread_km / KM_PER_DEGREE
        east_km = rng.normal(size=todo.size) * spread_km
        lon[todo] = centre[k, 1] + east_km / (KM_PER_DEGREE * np.cos(np.radians(centre[k, 0])))
        todo = todo[~on_land(lat[todo], lon[todo], polygon)]
        if todo.size == 0:
            return np.round(lat, 6), np.round(lon, 6)
    raise InputError(
        f"the polygon holds too little of the region (lat 41.25 to {NORTH_DEG}, lon {WEST_DEG} to "
        f"{EAST_DEG}): {todo.size:,} of {n:,} positions found no place; draw it larger, as (lat, lon) corners"
    )


def land_geojson() -> dict[str, Any]:
    """Return the land of the region as GeoJSON: one polygon, and the towns and quarters as named points.

    The shore between the Garraf and Mataró is the one positions are drawn by; its continuation to the Ebro
    and to Portbou only says on which side the sea is.
    """
    shore = [
        *_SHORE_SOUTH,
        *zip(COAST_LON_DEG.tolist(), COAST_LAT_DEG.tolist(), strict=True),
        *_SHORE_NORTH,
    ]
    ring = [*shore, (3.05, 42.60), (0.15, 42.60), (0.15, shore[0][1]), shore[0]]
    land = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [[list(corner) for corner in ring]]},
    }
    places = [
        {
            "type": "Feature",
            # the quarters of the city would cover each other on a map of the region
            "properties": {"name": name, "min_zoom": 9 if name in _TOWNS else 13},
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
        }
        for name, lat, lon in [*((row[0], row[1], row[2]) for row in CLUSTERS), ("Barcelona", 41.388, 2.168)]
    ]
    return {"type": "FeatureCollection", "features": [land, *places]}
