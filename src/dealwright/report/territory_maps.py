"""Colours of neighbouring territories in the report's figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dealwright.report.areas import on_land, territory_features

__all__ = ["COLOURS", "on_land", "territory_colours", "territory_features"]

# dark enough for white figures on them (contrast of 4.5 and more)
COLOURS: Final = (
    "#2b6cb0", "#b0471f", "#2c7a4b", "#6b46c1", "#8a5a08", "#0f6f68", "#be185d", "#4a5568", "#7c2d12",
    "#1e40af",
)  # fmt: skip


def territory_colours(shapes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Give neighbours different colours, as far as these go; by representative, else by territory."""
    import shapely

    areas = [shapely.geometry.shape(shape["geometry"]).buffer(0.005) for shape in shapes]
    tree = shapely.STRtree(areas)
    chosen: list[int] = []
    for number, area in enumerate(areas):
        taken = [chosen[k] for k in tree.query(area, predicate="intersects").tolist() if k < number]
        # the colour least used next door, then least used anywhere
        chosen.append(min(range(len(COLOURS)), key=lambda c: (taken.count(c), chosen.count(c), c)))
    return {_owner(shape): COLOURS[colour] for shape, colour in zip(shapes, chosen, strict=True)}


def _owner(shape: Mapping[str, Any]) -> str:
    return str(shape["properties"]["rep_id"] or shape["properties"]["territory"])
