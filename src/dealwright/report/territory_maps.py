"""The map of the territories: areas that can be told apart, their names, and the accounts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from dealwright.report.land import Land
from dealwright.report.map_page import add_legend, new_map, text

CLUSTER_FROM: Final = 2_000  # accounts; more are drawn as clusters
MANY_LAYERS: Final = 12  # more are folded away
MANY_NAMES: Final = 80  # more would cover each other
# dark enough for white figures on them (contrast of 4.5 and more)
COLOURS: Final = (
    "#2b6cb0", "#b0471f", "#2c7a4b", "#6b46c1", "#8a5a08", "#0f6f68", "#be185d", "#4a5568", "#7c2d12",
    "#1e40af",
)  # fmt: skip
_NAME_PIXELS: Final = 44
_POINT: Final = """
function (row) {
    var name = document.createElement("span");
    name.textContent = row[2];
    var style = {radius: 4, weight: 1, color: "#1d2733", fillColor: "#5b7083", fillOpacity: 0.8};
    return L.circleMarker(new L.LatLng(row[0], row[1]), style).bindTooltip(name);
}
"""


def territory_features(territories: pl.DataFrame | None) -> list[dict[str, Any]]:
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
            "properties": {key: row[key] for key in ("territory", "rep_id", "accounts", "deviation_pct")},
        }
        for row, shape in zip(rows.iter_rows(named=True), shapes, strict=True)
        if not shape.is_empty
    ]


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


def territory_map(
    placed: pl.DataFrame,
    shapes: Sequence[Mapping[str, Any]],
    ground: Land,
    tiles: str | None,
    colours: Mapping[str, str],
) -> Any:
    """Draw every territory as a layer with its name, and the accounts, as clusters where they are many.

    Parameters
    ----------
    placed
        ``account_id, lat_deg, lon_deg, name, territory``.
    shapes
        From `territory_features`.
    """
    import folium

    title = f"{len(shapes)} territories, {placed.height:,} accounts"
    south, west, north, east = placed.select(
        pl.col("lat_deg", "lon_deg").min(), pl.col("lat_deg", "lon_deg").max().name.suffix("_max")
    ).row(0)
    corners = [(south, west), (north, east)]
    drawn = new_map(corners, ground, title=title, tiles=tiles)
    for shape in shapes:
        layer = folium.FeatureGroup(name=text(_title(shape)))
        _draw_area(layer, shape, colours[_owner(shape)], ground, named=len(shapes) <= MANY_NAMES)
        layer.add_to(drawn)
    _draw_accounts(drawn, placed)
    folium.LayerControl(collapsed=len(shapes) > MANY_LAYERS).add_to(drawn)
    worst = max(abs(shape["properties"]["deviation_pct"]) for shape in shapes)
    words = f"Workloads differ from the mean by {worst:.1f} % at most. Click on a territory for its figures."
    add_legend(drawn, title, f"<p>{text(words)}</p>")
    return drawn


def on_land(geometry: Mapping[str, Any], ground: Land) -> Any:
    """Return the part of an area that is not in the water, as a Shapely shape."""
    import shapely

    area = shapely.make_valid(shapely.geometry.shape(geometry))
    dry = shapely.intersection(area, ground.shape) if ground.is_coast else area
    return area if dry.is_empty else dry


def _draw_area(layer: Any, shape: Mapping[str, Any], colour: str, ground: Land, *, named: bool) -> None:
    import folium
    import shapely

    facts = shape["properties"]
    words = f"{facts['accounts']:,} accounts, workload {facts['deviation_pct']:+.1f} % of the mean"
    area = on_land(shape["geometry"], ground)
    folium.GeoJson(
        {"type": "Feature", "geometry": shapely.geometry.mapping(area), "properties": {}},
        style_function=lambda _: {"color": colour, "fillColor": colour, "fillOpacity": 0.2, "weight": 2},
        popup=folium.Popup(f"<b>{text(_title(shape))}</b><br>{text(words)}", max_width=260),
    ).add_to(layer)
    if named:
        parts = shapely.get_parts(area).tolist()
        middle = max(parts, key=lambda part: part.area).representative_point()
        # from the zoom on at which the area is as wide as its name (256 pixels for the world at zoom 0)
        west, _, east, _ = area.bounds
        zoom = math.log2(_NAME_PIXELS * 360 / 256 / max(east - west, 1e-6))
        name = f'<span class="area" data-min-zoom="{zoom:.1f}">{text(facts["territory"])}</span>'
        folium.Marker(
            (middle.y, middle.x), interactive=False,
            icon=folium.DivIcon(html=name, icon_size=(40, 12), icon_anchor=(14, 6), class_name=""),
        ).add_to(layer)  # fmt: skip


def _draw_accounts(drawn: Any, placed: pl.DataFrame) -> None:
    import folium
    from folium.plugins import FastMarkerCluster

    if placed.height > CLUSTER_FROM:
        points = placed.select("lat_deg", "lon_deg", pl.coalesce("name", "account_id")).rows()
        cluster = FastMarkerCluster(points, callback=_POINT, name="accounts")
        cluster.default_js, cluster.default_css = [], []
        cluster.add_to(drawn)
        return
    layer = folium.FeatureGroup(name="accounts")
    for row in placed.iter_rows(named=True):
        folium.CircleMarker(
            (row["lat_deg"], row["lon_deg"]), radius=3, weight=1, color="#1d2733", fill=True,
            tooltip=text(f"{row['name'] or row['account_id']} · {row['territory'] or '–'}"),
        ).add_to(layer)  # fmt: skip
    layer.add_to(drawn)


def _owner(shape: Mapping[str, Any]) -> str:
    return str(shape["properties"]["rep_id"] or shape["properties"]["territory"])


def _title(shape: Mapping[str, Any]) -> str:
    return f"{shape['properties']['territory']} · {shape['properties']['rep_id'] or '–'}"
