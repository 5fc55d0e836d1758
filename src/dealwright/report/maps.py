"""Maps of territories and of each representative's day, usable without a network, and the same as GeoJSON.

Folium draws them with the Leaflet that ships with this package, written into each page. Where the tiles of
OpenStreetMap cannot be loaded, the drawn area of the accounts is the ground.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.report.brief_files import file_name

CLUSTER_FROM: Final = 2_000  # accounts; more are drawn as clusters
_COLOURS: Final = (
    "#2b6cb0", "#c2562e", "#2c7a4b", "#805ad5", "#b7791f", "#0f766e", "#be185d", "#4a5568", "#7c2d12",
    "#1d4ed8",
)  # fmt: skip
# folium turns the text of a popup into an element with jQuery's `$`; this is all of it that is needed
_DOLLAR: Final = (
    "window.$=function(h){var t=document.createElement('template');t.innerHTML=h.trim();"
    "return [t.content.firstChild]};"
)
_RANDOM: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def write_maps(
    folder: Path,
    accounts: pl.DataFrame,
    territories: pl.DataFrame | None,
    visits: pl.DataFrame | None,
    homes: pl.DataFrame | None,
) -> None:
    """Write ``territories.html``, a map per representative and day, ``routes.html`` of all, and GeoJSON.

    Parameters
    ----------
    folder
        Made where there is anything to draw.
    accounts
        ``account_id, lat_deg, lon_deg, name, territory, action, value_eur``; those without a position are
        not drawn.
    territories
        ``territory, rep_id, accounts, deviation_pct, outline`` (WKT).
    visits
        ``rep_id, day, stop, account_id, arrive_at, start_at, leave_at, value_eur``.
    homes
        ``rep_id, home_lat_deg, home_lon_deg``.
    """
    placed = accounts.drop_nulls(["lat_deg", "lon_deg"])
    if placed.is_empty():
        return
    ground = _ground(placed)
    if territories is not None and not territories.is_empty():
        folder.mkdir(parents=True, exist_ok=True)
        shapes = _territory_features(territories)
        _write_json(folder / "territories.geojson", shapes)
        _save(_territory_map(placed, shapes, ground), folder / "territories.html", clusters=True)
    if visits is None or visits.is_empty():
        return
    import folium

    folder.mkdir(parents=True, exist_ok=True)
    stops = visits.join(placed, on="account_id", how="inner", suffix="_account").sort("rep_id", "day", "stop")
    if homes is not None:
        stops = stops.join(
            homes.unique("rep_id", keep="first"), on="rep_id", how="left", maintain_order="left"
        )
    else:
        stops = stops.with_columns(home_lat_deg=pl.lit(None), home_lon_deg=pl.lit(None))
    days = stops.partition_by("rep_id", "day", maintain_order=True)
    _write_json(folder / "routes.geojson", [feature for day in days for feature in _day_features(day)])
    together = _map(*_extent(stops), ground)
    for number, day in enumerate(days):
        own = _map(*_extent(day), ground)
        _draw_day(own, day, 0)
        _draw_day(together, day, number)
        _save(own, folder / f"{file_name(day['rep_id'][0], day['day'][0])}.html")
    if days:
        folium.LayerControl(collapsed=len(days) > 12).add_to(together)
        _save(together, folder / "routes.html")


def _map(lat: pl.Series, lon: pl.Series, ground: Mapping[str, Any]) -> Any:
    import folium

    drawn = folium.Map(tiles=None, prefer_canvas=True)
    drawn.default_js, drawn.default_css = [], []
    folium.GeoJson(
        ground, control=False, interactive=False,
        style_function=lambda _: {"fillColor": "#eef2e6", "fillOpacity": 1, "color": "#c9d2ba", "weight": 1},
    ).add_to(drawn)  # fmt: skip
    folium.TileLayer("OpenStreetMap", control=False).add_to(drawn)
    drawn.fit_bounds([[lat.min(), lon.min()], [lat.max(), lon.max()]], padding=(30, 30), max_zoom=15)
    return drawn


def _territory_map(
    placed: pl.DataFrame, shapes: Sequence[Mapping[str, Any]], ground: Mapping[str, Any]
) -> Any:
    import folium
    from folium.plugins import FastMarkerCluster

    drawn = _map(placed["lat_deg"], placed["lon_deg"], ground)
    for number, shape in enumerate(shapes):
        facts = shape["properties"]
        colour = _COLOURS[number % len(_COLOURS)]
        layer = folium.FeatureGroup(name=_text(f"{facts['territory']} · {facts['rep_id'] or '–'}"))
        words = f"{facts['accounts']} accounts, workload {facts['deviation_pct']:+.1f} % of the mean"
        folium.GeoJson(
            {"type": "Feature", "geometry": shape["geometry"], "properties": {}},
            style_function=lambda _, colour=colour: {
                "color": colour, "fillColor": colour, "fillOpacity": 0.18, "weight": 2,
            },
            popup=folium.Popup(f"<b>{_text(facts['territory'])}</b><br>{_text(words)}", max_width=260),
        ).add_to(layer)  # fmt: skip
        layer.add_to(drawn)
    points = placed.select("lat_deg", "lon_deg").rows()
    if len(points) > CLUSTER_FROM:
        cluster = FastMarkerCluster(points, name="accounts")
        cluster.default_js, cluster.default_css = [], []
        cluster.add_to(drawn)
    else:
        layer = folium.FeatureGroup(name="accounts")
        for row in placed.iter_rows(named=True):
            folium.CircleMarker(
                (row["lat_deg"], row["lon_deg"]), radius=3, weight=1, color="#1d2733", fill=True,
                tooltip=_text(f"{row['name'] or row['account_id']} · {row['territory'] or '–'}"),
            ).add_to(layer)  # fmt: skip
        layer.add_to(drawn)
    folium.LayerControl(collapsed=len(shapes) > 12).add_to(drawn)
    return drawn


def _extent(stops: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Return the latitudes and longitudes of stops and homes."""
    lat, lon = (
        pl.concat([stops[name], stops[f"home_{name}"].drop_nulls().cast(pl.Float64)])
        for name in ("lat_deg", "lon_deg")
    )
    return lat, lon


def _draw_day(drawn: Any, day: pl.DataFrame, number: int) -> None:
    """Draw one day: the way from home and back, and numbered stops with their times."""
    import folium

    colour = _COLOURS[number % len(_COLOURS)]
    rep, date = day["rep_id"][0], day["day"][0]
    layer = folium.FeatureGroup(name=_text(f"{rep} · {date} · {day.height} stops"))
    folium.PolyLine(_way(day), color=colour, weight=3, opacity=0.8).add_to(layer)
    home = day.select("home_lat_deg", "home_lon_deg").row(0)
    if None not in home:
        folium.CircleMarker(
            home, radius=8, color=colour, fill=True, fill_color="#fff", fill_opacity=1,
            tooltip=_text(f"home of {rep}"),
        ).add_to(layer)  # fmt: skip
    for row in day.iter_rows(named=True):
        popup = (
            f"<b>{row['stop']}. {_text(row['name'] or row['account_id'])}</b><br>"
            f"arrives {row['arrive_at']:%H:%M}, begins {row['start_at']:%H:%M}, "
            f"leaves {row['leave_at']:%H:%M}<br>"
            f"{_text((row['action'] or 'visit').replace('_', ' '))}, expected gain {row['value_eur']:,.0f} €"
        )
        badge = (
            f'<div style="background:{colour};color:#fff;border:2px solid #fff;border-radius:50%;width:24px;'
            f'height:24px;line-height:20px;text-align:center;font:bold 12px/20px sans-serif">'
            f"{row['stop']}</div>"
        )
        folium.Marker(
            (row["lat_deg"], row["lon_deg"]),
            icon=folium.DivIcon(html=badge, icon_size=(24, 24), icon_anchor=(12, 12)),
            popup=folium.Popup(popup, max_width=280),
            tooltip=f"{row['stop']} · {row['arrive_at']:%H:%M}",
        ).add_to(layer)
    layer.add_to(drawn)


def _save(drawn: Any, path: Path, *, clusters: bool = False) -> None:
    """Write the page with everything it needs inside, and the same names of elements every time."""
    from branca.element import Element

    names = ["leaflet", *(["leaflet.markercluster"] if clusters else [])]
    head = "".join(
        f"<style>{_asset(f'{name}.css')}</style><script>{_asset(f'{name}.js')}</script>" for name in names
    )
    drawn.get_root().header.add_child(Element("{% raw %}" + head + "{% endraw %}"), name="a_leaflet", index=0)
    drawn.get_root().header.add_child(Element(f"<script>{_DOLLAR}</script>"), name="a_dollar", index=1)
    order: dict[str, str] = {}
    page = _RANDOM.sub(
        lambda found: order.setdefault(found[0], f"{len(order):032d}"), drawn.get_root().render()
    )
    path.write_text(page, encoding="utf-8")


@cache
def _asset(name: str) -> str:
    text = (resources.files("dealwright.report") / "assets" / name).read_text("utf-8")
    return re.sub(r"url\(images/[^)]*\)", "none", text) if name.endswith(".css") else text


def _ground(placed: pl.DataFrame) -> dict[str, Any]:
    """Return the area of the accounts, a little wider than their hull."""
    import shapely

    hull = shapely.MultiPoint(placed.select("lon_deg", "lat_deg").to_numpy()).convex_hull.buffer(0.03)
    return {"type": "Feature", "geometry": shapely.geometry.mapping(hull), "properties": {}}


def _territory_features(territories: pl.DataFrame) -> list[dict[str, Any]]:
    import shapely

    rows = territories.filter(pl.col("outline").is_not_null()).iter_rows(named=True)
    return [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(shapely.from_wkt(row["outline"])),
            "properties": {key: row[key] for key in ("territory", "rep_id", "accounts", "deviation_pct")},
        }
        for row in rows
    ]


def _way(day: pl.DataFrame) -> list[tuple[float, float]]:
    """Return the positions (lat, lon) of a day in order, from home and back where the home is known."""
    home = day.select("home_lat_deg", "home_lon_deg").row(0)
    ends = [] if None in home else [home]
    return [*ends, *day.select("lat_deg", "lon_deg").rows(), *ends]


def _day_features(day: pl.DataFrame) -> list[dict[str, Any]]:
    who = {"rep_id": day["rep_id"][0], "day": str(day["day"][0])}
    way = {"type": "LineString", "coordinates": [(lon, lat) for lat, lon in _way(day)]}
    features = (
        [{"type": "Feature", "geometry": way, "properties": who}] if len(way["coordinates"]) > 1 else []
    )
    for row in day.iter_rows(named=True):
        facts = {
            "stop": row["stop"],
            "account_id": row["account_id"],
            "arrive_at": row["arrive_at"].isoformat(),
        }
        point = {"type": "Point", "coordinates": (row["lon_deg"], row["lat_deg"])}
        features.append({"type": "Feature", "geometry": point, "properties": {**who, **facts}})
    return features


def _write_json(path: Path, features: Sequence[Mapping[str, Any]]) -> None:
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _text(value: object) -> str:
    """Escape for HTML inside the template literals folium writes."""
    clean = escape(str(value))
    return clean.replace("\\", "&#92;").replace("`", "&#96;").replace("$", "&#36;").replace("{", "&#123;")
