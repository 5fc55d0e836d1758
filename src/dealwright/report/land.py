"""The drawn ground of the maps: a land polygon in GeoJSON, or else the hull of the accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.stats.arrays import Floats

# around the accounts, in their extents and at least: what is farther away is cut off, maps stay small
_MARGIN: Final = 2.0
_LEAST_MARGIN_DEG: Final = 0.5
_COARSE_DEG: Final = 0.0003  # about 30 m, finer than a line is wide on the screen
_DIGITS: Final = 5  # about 1 m
_DIRECTIONS: Final = 32


@dataclass(frozen=True)
class Land:
    """Where there is land."""

    shape: Any  # a Shapely polygon or multipolygon in degrees, longitude first
    # `name, lat_deg, lon_deg, min_zoom` of each place to be named, and from which zoom of the map on
    places: tuple[tuple[str, float, float, int], ...]
    drawn_from: str  # what the ground is, for people
    is_coast: bool = True  # whether what lies outside is water; not so for a hull

    def features(self) -> list[dict[str, Any]]:
        """Return the ground and the places as GeoJSON features."""
        import shapely

        ground = {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(shapely.set_precision(self.shape, 10**-_DIGITS)),
            "properties": {"drawn_from": self.drawn_from},
        }
        points = [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [lon, lat]},
                "properties": {"name": name, "min_zoom": zoom},
            }
            for name, lat, lon, zoom in self.places
        ]
        return [ground, *points]


def read_land(path: Path) -> Land:
    """Read a user's land: polygons, and points with a ``name`` (and ``min_zoom``) as places.

    Raises
    ------
    InputError
        The file cannot be read or holds no polygon in degrees; the message names the fix.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--land {path}: cannot be read as GeoJSON: {error}") from None
    return land_of(document, f"--land {path}", path.name)


def land_of(document: Any, what: str, drawn_from: str) -> Land:
    """Read GeoJSON that is in memory.

    Parameters
    ----------
    what
        How messages call it.
    drawn_from
        What the maps say.
    """
    import shapely

    polygons: list[Any] = []
    places: list[tuple[str, float, float, int]] = []
    try:
        for geometry, properties in _geometries(document):
            shape = shapely.make_valid(shapely.geometry.shape(geometry))
            if shape.geom_type == "Point" and properties.get("name"):
                zoom = int(properties.get("min_zoom") or 0)
                places.append((str(properties["name"]), float(shape.y), float(shape.x), zoom))
            polygons += [part for part in shapely.get_parts(shape).tolist() if part.geom_type == "Polygon"]
    except (TypeError, ValueError, KeyError, AttributeError, shapely.errors.ShapelyError) as error:
        raise InputError(f"{what}: is no GeoJSON of polygons: {error}; export the land as GeoJSON") from None
    if not polygons:
        raise InputError(f"{what}: holds no polygon; give the land as Polygon or MultiPolygon")
    land = shapely.union_all(polygons)
    west, south, east, north = land.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise InputError(
            f"{what}: coordinates from {west:.6g}, {south:.6g} to {east:.6g}, {north:.6g} are no longitudes "
            "and latitudes: write it in WGS 84 (EPSG:4326), longitude first"
        )
    return Land(land, tuple(places), drawn_from)


def _geometries(document: Any) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return each geometry with its properties."""
    if document["type"] == "FeatureCollection":
        return [pair for feature in document["features"] for pair in _geometries(feature)]
    if document["type"] == "Feature":
        return [(document["geometry"], document.get("properties") or {})] if document["geometry"] else []
    return [(document, {})]


def check_land(land: Land, accounts: pl.DataFrame, what: str) -> None:
    """Refuse a land on which no account lies.

    Raises
    ------
    InputError
        Saying whether latitude and longitude may have been exchanged.
    """
    import shapely

    lat, lon = _positions(accounts)
    if not lat.size or shapely.contains_xy(land.shape, lon, lat).any():
        return
    swapped = bool(shapely.contains_xy(land.shape, lat, lon).any())
    hint = (
        "GeoJSON has longitude first: exchange the two" if swapped else "give the land where the accounts are"
    )
    raise InputError(f"{what}: none of the accounts lies on that land; {hint}")


def around(land: Land | None, accounts: pl.DataFrame) -> Land:
    """Return the land around the accounts, or their hull where none is given.

    Parameters
    ----------
    accounts
        ``lat_deg``, ``lon_deg``; those without a position do not count, and at least one has to have one.
    """
    import shapely

    lat, lon = _positions(accounts)
    if land is None:
        hull = shapely.MultiPoint(_outermost(lon, lat)).convex_hull.buffer(0.03)
        return Land(hull, (), "the area of the accounts", is_coast=False)
    west, south, east, north = lon.min(), lat.min(), lon.max(), lat.max()
    margin = max(_LEAST_MARGIN_DEG, _MARGIN * max(east - west, north - south))
    box = shapely.box(west - margin, south - margin, east + margin, north + margin)
    near = shapely.simplify(shapely.intersection(land.shape, box), _COARSE_DEG)
    places = tuple(place for place in land.places if box.contains(shapely.Point(place[2], place[1])))
    return Land(near, places, land.drawn_from, land.is_coast)


def _outermost(lon: Floats, lat: Floats) -> Floats:
    """Return (lon, lat) of the places that may be corners of the hull.

    What lies within the places that are farthest in some directions is no corner (Akl and Toussaint 1978),
    and of many accounts nearly all do.
    """
    import shapely

    angles = np.linspace(0.0, 2.0 * np.pi, _DIRECTIONS, endpoint=False)
    farthest = [int(np.argmax(lon * np.cos(angle) + lat * np.sin(angle))) for angle in angles]
    within = shapely.MultiPoint(np.column_stack([lon[farthest], lat[farthest]])).convex_hull
    shapely.prepare(within)
    # what lies on its edge is not within
    is_area = within.geom_type == "Polygon"
    outside = ~shapely.contains_xy(within, lon, lat) if is_area else np.ones(lon.size, np.bool_)
    return np.column_stack([lon[outside], lat[outside]])


def _positions(accounts: pl.DataFrame) -> tuple[Floats, Floats]:
    if not {"lat_deg", "lon_deg"} <= set(accounts.columns):
        return np.empty(0), np.empty(0)
    placed = accounts.select(pl.col("lat_deg", "lon_deg").cast(pl.Float64, strict=False)).drop_nulls()
    inside = placed.filter(pl.col("lat_deg").is_between(-90, 90), pl.col("lon_deg").is_between(-180, 180))
    return inside["lat_deg"].to_numpy(), inside["lon_deg"].to_numpy()
