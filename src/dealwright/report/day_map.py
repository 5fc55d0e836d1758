"""What a map shows of one representative's day: the way, the numbered stops, and the day without value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from dealwright.report.map_page import text

GREY: Final = "#55606b"
DISTANCE_ONLY: Final = "distance only"
EXPLAINED: Final = (
    "Distance only: the same hours and rules, as many visits as fit on the shortest way, whatever they are "
    "worth; a visit that costs more than it brings counts as 0."
)


@dataclass(frozen=True)
class Day:
    """One representative's day.

    Attributes
    ----------
    stops
        Sorted by ``stop``: ``rep_id, day, stop, account_id, name, action, arrive_at, start_at, leave_at,
        value_eur, lat_deg, lon_deg``.
    home
        (lat, lon), or ``None`` where it is not known.
    distance_km
        Of the whole way, or ``None``.
    """

    stops: pl.DataFrame
    home: tuple[float, float] | None
    distance_km: float | None

    @property
    def way(self) -> list[tuple[float, float]]:
        """Positions (lat, lon) in order, from home and back where the home is known."""
        ends = [] if self.home is None else [self.home]
        return [*ends, *self.stops.select("lat_deg", "lon_deg").rows(), *ends]

    def totals(self) -> str:
        """Return the cells of a row of a legend: visits, kilometres, expected gain."""
        km = "–" if self.distance_km is None else f"{self.distance_km:,.1f}"
        return (
            f"<td>{self.stops.height}</td><td>{km}</td><td>&#8364;{self.stops['value_eur'].sum():,.0f}</td>"
        )


def draw_planned(layer: Any, day: Day, colour: str, who: str) -> None:
    """Draw the day of the plan: a full line, stops as numbered discs."""
    import folium

    folium.PolyLine(day.way, color=colour, weight=3.5, opacity=0.85).add_to(layer)
    for row in day.stops.iter_rows(named=True):
        badge = (
            f'<div style="background:{colour};color:#fff;border:2px solid #fff;border-radius:50%;width:24px;'
            f'height:24px;box-sizing:border-box;text-align:center;font:bold 12px/20px sans-serif">'
            f"{row['stop']}</div>"
        )
        _add_stop(layer, row, badge, 24, "")
    if day.home is not None:
        house = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="22" height="22" viewBox="0 0 22 22">'
            f'<path d="M11 2 2 10h2.4v9h13.2v-9H20z" fill="#fff" stroke="{colour}" stroke-width="2" '
            f'stroke-linejoin="round"/></svg>'
        )
        folium.Marker(
            day.home,
            icon=folium.DivIcon(html=house, icon_size=(22, 22), icon_anchor=(11, 11), class_name="home"),
            tooltip=text(f"home of {who}"),
        ).add_to(layer)


def draw_distance_only(layer: Any, day: Day) -> None:
    """Draw the day without value: a dashed line, stops as small numbered squares."""
    import folium

    folium.PolyLine(day.way, color=GREY, weight=2.5, opacity=0.9, dash_array="3 7").add_to(layer)
    for row in day.stops.iter_rows(named=True):
        badge = (
            f'<div style="background:#fff;color:{GREY};border:1.5px solid {GREY};width:17px;height:17px;'
            f'box-sizing:border-box;text-align:center;font:10px/14px sans-serif">{row["stop"]}</div>'
        )
        _add_stop(layer, row, badge, 17, f"{DISTANCE_ONLY}: ")


def _add_stop(layer: Any, row: Mapping[str, Any], badge: str, size: int, label: str) -> None:
    import folium

    times = (
        f"arrives {row['arrive_at']:%H:%M}, begins {row['start_at']:%H:%M}, leaves {row['leave_at']:%H:%M}"
    )
    action = (row["action"] or "visit").replace("_", " ") if not label else "visit"
    popup = (
        f"<b>{label}{row['stop']}. {text(row['name'] or row['account_id'])}</b><br>{times}<br>"
        f"{text(action)}, expected gain &#8364;{row['value_eur']:,.0f}"
    )
    folium.Marker(
        (row["lat_deg"], row["lon_deg"]),
        icon=folium.DivIcon(html=badge, icon_size=(size, size), icon_anchor=(size // 2, size // 2)),
        popup=folium.Popup(popup, max_width=280),
        tooltip=f"{label}{row['stop']} &#183; {row['arrive_at']:%H:%M}",
        z_index_offset=-500 if label else 0,
    ).add_to(layer)


def legend_body(planned: str, distance_only: str | None, colour: str) -> str:
    """Return the two kinds of lines with their totals, and what they mean.

    Parameters
    ----------
    planned, distance_only
        Cells of `Day.totals`; ``None`` where nothing was compared.
    """
    line = (
        '<svg width="34" height="8"><path d="M1 4h32" stroke="{0}" stroke-width="{1}" '
        'stroke-dasharray="{2}"/></svg>'
    )
    rows = f"<tr><td>{line.format(colour, 3.5, 'none')}planned by value</td>{planned}</tr>"
    if distance_only is not None:
        rows += f"<tr><td>{line.format(GREY, 2.5, '3 7')}{DISTANCE_ONLY}</td>{distance_only}</tr>"
    heads = "<tr><td></td><th>visits</th><th>km</th><th>gain</th></tr>"
    note = f"<p>{text(EXPLAINED)}</p>" if distance_only is not None else ""
    return f"<table>{heads}{rows}</table>{note}"


def day_features(day: Day, kind: str) -> list[dict[str, Any]]:
    """Return the way and its stops as GeoJSON features.

    Parameters
    ----------
    kind
        ``"planned"`` or ``"distance_only"``, a property of each feature.
    """
    who = {"rep_id": day.stops["rep_id"][0], "day": str(day.stops["day"][0]), "kind": kind}
    way = {"type": "LineString", "coordinates": [(lon, lat) for lat, lon in day.way]}
    features = (
        [{"type": "Feature", "geometry": way, "properties": who}] if len(way["coordinates"]) > 1 else []
    )
    for row in day.stops.iter_rows(named=True):
        facts = {
            "stop": row["stop"],
            "account_id": row["account_id"],
            "arrive_at": row["arrive_at"].isoformat(),
        }
        point = {"type": "Point", "coordinates": (row["lon_deg"], row["lat_deg"])}
        features.append({"type": "Feature", "geometry": point, "properties": {**who, **facts}})
    return features
