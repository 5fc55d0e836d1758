"""Maps of territories and of each representative's day, usable without a network, and the same as GeoJSON.

Folium draws them with the Leaflet that ships with this package, written into each page (`map_page`). Where
street tiles cannot be loaded, the drawn land is the ground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.report import territory_maps
from dealwright.report.brief_files import file_name
from dealwright.report.day_map import (
    DISTANCE_ONLY,
    Day,
    day_features,
    draw_distance_only,
    draw_planned,
    legend_body,
)
from dealwright.report.land import Land, around
from dealwright.report.map_page import add_legend, new_map, save, text, write_geojson
from dealwright.report.territory_maps import (
    COLOURS,
    MANY_LAYERS,
    on_land,
    territory_colours,
    territory_features,
    territory_map,
)

_HOME: Final = ("home_lat_deg", "home_lon_deg")


@dataclass(frozen=True)
class MapTables:
    """What there is to draw; any part but the accounts may be missing.

    Attributes
    ----------
    accounts
        ``account_id, lat_deg, lon_deg, name, territory, action``; those without a position are not drawn.
    territories
        ``territory, rep_id, accounts, deviation_pct, outline`` (WKT).
    visits, distance_only_visits
        ``rep_id, day, stop, account_id, arrive_at, start_at, leave_at, value_eur``.
    days, distance_only_days
        ``rep_id, day, distance_km``.
    homes
        ``rep_id, home_lat_deg, home_lon_deg`` and, if they have names, ``rep_name``.
    """

    accounts: pl.DataFrame
    territories: pl.DataFrame | None = None
    visits: pl.DataFrame | None = None
    days: pl.DataFrame | None = None
    distance_only_visits: pl.DataFrame | None = None
    distance_only_days: pl.DataFrame | None = None
    homes: pl.DataFrame | None = None


def write_maps(
    folder: Path, tables: MapTables, land: Land | None = None, *, tiles: str | None = None
) -> None:
    """Write ``territories.html``, a map per representative and day, ``routes.html`` of all, and GeoJSON.

    Parameters
    ----------
    folder
        Is made; stays empty where there is nothing to draw.
    land
        The ground; the hull of the accounts where there is none.
    tiles
        See `map_page.new_map`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    placed = tables.accounts.drop_nulls(["lat_deg", "lon_deg"])
    if placed.is_empty():
        return
    ground = around(land, placed)
    shapes = territory_features(tables.territories)
    colours = territory_colours(shapes)
    if shapes:
        write_geojson(folder / "territories.geojson", shapes)
        page = territory_map(placed, shapes, ground, tiles, colours)
        save(page, folder / "territories.html", clusters=placed.height > territory_maps.CLUSTER_FROM)
    planned = _days(tables.visits, tables.days, placed, tables.homes)
    if not planned:
        return
    others = _days(tables.distance_only_visits, tables.distance_only_days, placed, tables.homes)
    write_geojson(
        folder / "routes.geojson",
        [feature for day in planned.values() for feature in day_features(day, "planned")]
        + [feature for day in others.values() for feature in day_features(day, "distance_only")],
    )
    names = _names(tables.homes)
    for number, ((rep, date), day) in enumerate(planned.items()):
        colour = colours.get(rep, COLOURS[number % len(COLOURS)])
        drawn = _own_map(
            day, others.get((rep, date)), ground, tiles,
            who=names.get(rep, rep), colour=colour,
            area=[shape for shape in shapes if shape["properties"]["rep_id"] == rep],
        )  # fmt: skip
        save(drawn, folder / f"{file_name(rep, date)}.html")
    save(_common_map(planned, others, ground, tiles, names=names, colours=colours), folder / "routes.html")


def _own_map(
    day: Day,
    other: Day | None,
    ground: Land,
    tiles: str | None,
    *,
    who: str,
    colour: str,
    area: Sequence[Mapping[str, Any]],
) -> Any:
    """Draw one representative's day, with the day without value as a layer of its own."""
    import folium
    import shapely

    title = f"{who} · {in_words(day.stops['day'][0])}"
    drawn = new_map(_extent([day, *([other] if other else [])]), ground, title=title, tiles=tiles)
    for shape in area:
        dry = shapely.geometry.mapping(on_land(shape["geometry"], ground))
        folium.GeoJson(
            {"type": "Feature", "geometry": dry, "properties": {}},
            control=False, interactive=False,
            style_function=lambda _: {
                "color": colour, "fillColor": colour, "fillOpacity": 0.06, "weight": 1, "opacity": 0.4,
            },
        ).add_to(drawn)  # fmt: skip
    layer = folium.FeatureGroup(name="planned by value")
    draw_planned(layer, day, colour, who)
    layer.add_to(drawn)
    if other is not None:
        layer = folium.FeatureGroup(name=DISTANCE_ONLY)
        draw_distance_only(layer, other)
        layer.add_to(drawn)
    folium.LayerControl(collapsed=False).add_to(drawn)
    add_legend(drawn, title, legend_body(day.totals(), other.totals() if other else None, colour))
    return drawn


def _common_map(
    planned: Mapping[tuple[str, Any], Day],
    others: Mapping[tuple[str, Any], Day],
    ground: Land,
    tiles: str | None,
    *,
    names: Mapping[str, str],
    colours: Mapping[str, str],
) -> Any:
    """Draw everybody's days: a layer each, and one with all days without value, which begins hidden."""
    import folium

    title = f"Routes of {len({rep for rep, _ in planned})} representatives"
    drawn = new_map(_extent(list(planned.values())), ground, title=title, tiles=tiles)
    if others:
        layer = folium.FeatureGroup(name=f"{DISTANCE_ONLY}, everybody", show=False)
        for day in others.values():
            draw_distance_only(layer, day)
        layer.add_to(drawn)
    several_dates = len({date for _, date in planned}) > 1
    for number, ((rep, date), day) in enumerate(planned.items()):
        who = names.get(rep, rep)
        when = f" · {date}" if several_dates else ""
        layer = folium.FeatureGroup(name=text(f"{who}{when} · {day.stops.height} visits"))
        draw_planned(layer, day, colours.get(rep, COLOURS[number % len(COLOURS)]), who)
        layer.add_to(drawn)
    folium.LayerControl(collapsed=len(planned) > MANY_LAYERS).add_to(drawn)
    totals = _sum(list(planned.values())).totals()
    body = legend_body(totals, _sum(list(others.values())).totals() if others else None, "#1d2733")
    add_legend(drawn, title, body)
    return drawn


def in_words(date: Any) -> str:
    """Return a date for people."""
    return f"{date:%A} {date.day} {date:%B} {date.year}"


def _days(
    visits: pl.DataFrame | None,
    totals: pl.DataFrame | None,
    placed: pl.DataFrame,
    homes: pl.DataFrame | None,
) -> dict[tuple[str, Any], Day]:
    """Return the days by representative and date, in that order."""
    if visits is None or visits.is_empty():
        return {}
    stops = visits.join(placed, on="account_id", how="inner", suffix="_account").sort("rep_id", "day", "stop")
    at_home = {}
    if homes is not None:
        at_home = {row[0]: row[1:] for row in homes.drop_nulls(_HOME).select("rep_id", *_HOME).rows()}
    km = (
        {}
        if totals is None
        else {row[:2]: row[2] for row in totals.select("rep_id", "day", "distance_km").rows()}
    )
    return {
        key: Day(part, at_home.get(key[0]), km.get(key))
        for part in stops.partition_by("rep_id", "day", maintain_order=True)
        for key in [(part["rep_id"][0], part["day"][0])]
    }


def _sum(days: Sequence[Day]) -> Day:
    """Put days together for their totals."""
    known = [day.distance_km for day in days if day.distance_km is not None]
    return Day(pl.concat(day.stops for day in days), None, sum(known) if known else None)


def _names(homes: pl.DataFrame | None) -> dict[str, str]:
    """Return how people call the representatives that have a name."""
    if homes is None or "rep_name" not in homes.columns:
        return {}
    return {
        rep: f"{name} ({rep})" if name != rep else rep
        for rep, name in homes.select("rep_id", "rep_name").drop_nulls().rows()
    }


def _extent(days: Sequence[Day]) -> list[tuple[float, float]]:
    """Return two corners around the ways of days."""
    places = [place for day in days for place in day.way]
    lat, lon = zip(*places, strict=True)
    return [(min(lat), min(lon)), (max(lat), max(lon))]
