"""Areas of territories on a map: those that have an outline, none over another, none in the water."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.report.land import Land

Features = list[dict[str, Any]]
_FACTS: Final = ("territory", "rep_id", "accounts", "deviation_pct")
_CRUMB: Final = 1e-9  # square degrees, some ten square metres


def territory_features(territories: pl.DataFrame | None) -> Features:
    """Return the territories that have an outline as GeoJSON features; not those within one shared cell."""
    import shapely

    if territories is None:
        return []
    rows = territories.filter(pl.col("outline").is_not_null())
    shapes = shapely.from_wkt(rows["outline"].to_numpy())
    return [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(shape),
            "properties": {key: row[key] for key in _FACTS},
        }
        for row, shape in zip(rows.iter_rows(named=True), shapes, strict=True)
        if not shape.is_empty
    ]


def disjoint(features: Sequence[Mapping[str, Any]], accounts: pl.DataFrame) -> Features:
    """Cut outlines so that none lies over another: what two share goes to whoever has more accounts there.

    Parameters
    ----------
    features
        From `territory_features`.
    accounts
        ``lat_deg``, ``lon_deg``, ``territory``.
    """
    import shapely

    if not features:
        return []
    shapes = [shapely.make_valid(shapely.geometry.shape(item["geometry"])) for item in features]
    names = [item["properties"]["territory"] for item in features]
    placed = accounts.select("lat_deg", "lon_deg", "territory").drop_nulls().sort("lon_deg")
    lat, lon, owner = (placed[name].to_numpy() for name in ("lat_deg", "lon_deg", "territory"))
    pairs = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    for one, other in sorted({(i, j) for i, j in pairs.T.tolist() if i < j}):
        shared = shapely.intersection(shapes[one], shapes[other])
        for piece in _polygons(shared):
            west, south, east, north = piece.bounds
            near = slice(np.searchsorted(lon, west, side="left"), np.searchsorted(lon, east, side="right"))
            around = (lat[near] >= south) & (lat[near] <= north)
            inside = shapely.intersects_xy(piece, lon[near][around], lat[near][around])
            found = owner[near][around][inside]
            mine, theirs = int((found == names[one]).sum()), int((found == names[other]).sum())
            # with as many accounts of both, the smaller one keeps it: the larger can do without
            smaller = shapely.area(shapes[one]) <= shapely.area(shapes[other])
            loser = other if mine > theirs or (mine == theirs and smaller) else one
            shapes[loser] = shapely.difference(shapes[loser], piece)
    return [
        {**item, "geometry": shapely.geometry.mapping(shapely.MultiPolygon(parts))}
        for item, shape in zip(features, shapes, strict=True)
        if (parts := _polygons(shape))
    ]


def on_land(geometry: Mapping[str, Any], ground: Land) -> Any:
    """Return the part of an area that is not in the water, as a Shapely shape."""
    import shapely

    area = shapely.make_valid(shapely.geometry.shape(geometry))
    dry = shapely.intersection(area, ground.shape) if ground.is_coast else area
    return area if dry.is_empty else dry


def label_place(shape: Any) -> tuple[float, float]:
    """Return a place (lat, lon) inside the largest part of a shape."""
    import shapely

    parts = _polygons(shape) or shapely.get_parts(shape).tolist()
    middle = max(parts, key=lambda part: part.area).representative_point()
    return float(middle.y), float(middle.x)


def _polygons(shape: Any) -> list[Any]:
    """Return the polygons of a shape, without crumbs."""
    import shapely

    parts = np.atleast_1d(shapely.get_parts(shapely.get_parts(shape))).tolist()
    return [part for part in parts if part.geom_type == "Polygon" and part.area > _CRUMB]
