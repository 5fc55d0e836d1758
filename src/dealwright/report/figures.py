"""Figures of a plan as small inline SVG: they take the page's colours, light, dark and printed.

Nothing draws but this module, so the same data give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl
from markupsafe import Markup, escape

from dealwright.report.areas import on_land, territory_features
from dealwright.report.format import Format
from dealwright.report.people import Person, person

_WIDE: Final = 720.0
_COARSE_DEG: Final = 0.001  # finer than a line is wide in a figure of a whole region
_MANY_NAMES: Final = 40
_DAY_WIDE, _DAY_HIGH = 540, 22


def day_line(stops: pl.DataFrame, day: Mapping[str, Any], colour: int, span: tuple[float, float]) -> Markup:
    """Draw one person's day on a line: under way, visits, lunch.

    Parameters
    ----------
    stops
        ``start_at, leave_at`` of the visits.
    day
        ``depart_at, back_at, lunch_at`` of the day; each may be missing.
    span
        First and last minute of the line, the same for everybody.
    """
    first, last = span

    def x(moment: datetime) -> float:
        return round(_DAY_WIDE * (_minute(moment) - first) / max(last - first, 1.0), 1)

    parts = []
    if day.get("depart_at") is not None and day.get("back_at") is not None:
        left, right = x(day["depart_at"]), x(day["back_at"])
        parts.append(
            f'<rect x="{left}" y="9" width="{max(right - left, 0):.1f}" height="4" fill="var(--line)"/>'
        )
    for start, leave in stops.select("start_at", "leave_at").iter_rows():
        wide = max(x(leave) - x(start), 3.0)
        parts.append(
            f'<rect x="{x(start)}" y="3" width="{wide:.1f}" height="16" rx="2" fill="var(--c{colour})"/>'
        )
    if day.get("lunch_at") is not None:
        parts.append(
            f'<rect x="{x(day["lunch_at"])}" y="5" width="24" height="12" rx="2" fill="none" '
            'stroke="var(--muted)" stroke-dasharray="3 2"/>'
        )
    return Markup(  # noqa: S704  only numbers
        f'<svg class="day-line" viewBox="0 0 {_DAY_WIDE} {_DAY_HIGH}" preserveAspectRatio="none" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def day_span(stops: pl.DataFrame, days: pl.DataFrame) -> tuple[float, float]:
    """Return the first and the last minute, in whole hours, in which anybody is under way."""
    moments = [
        _minute(moment)
        for frame, names in ((stops, ("start_at", "leave_at")), (days, ("depart_at", "back_at")))
        for name in names
        if name in frame.columns
        for moment in frame[name].drop_nulls().to_list()
    ]
    if not moments:
        return 480.0, 1080.0
    return math.floor(min(moments) / 60) * 60.0, math.ceil(max(moments) / 60) * 60.0


def staffing(levels: pl.DataFrame, form: Format) -> Markup | None:
    """Draw the people needed and there through the first day, one panel per channel."""
    if not {"required", "scheduled", "start_at"} <= set(levels.columns):
        return None
    known = levels.drop_nulls(["start_at", "required", "scheduled"])
    if known.is_empty():
        return None
    first = known.filter(pl.col("day") == known["day"].min()).sort("channel", "start_at")
    parts, top, high, left = [], 22.0, 84.0, 34.0
    starts = [_minute(moment) for moment in first["start_at"].to_list()]
    begin, end = min(starts), max(starts) + 15.0
    most = max(int(first["required"].max() or 0), int(first["scheduled"].max() or 0), 1)  # type: ignore[arg-type]

    def x(minute: float) -> float:
        return round(left + (_WIDE - left - 6) * (minute - begin) / (end - begin), 1)

    for (channel,), part in first.group_by("channel", maintain_order=True):
        minutes = [_minute(moment) for moment in part["start_at"].to_list()]
        parts.append(f'<text x="{left}" y="{top - 6}">{escape(form.label(str(channel)))}</text>')
        for value in (0, most):
            y = round(top + high * (1 - value / most), 1)
            parts.append(f'<line x1="{left}" x2="{_WIDE - 6}" y1="{y}" y2="{y}" stroke="var(--line)"/>')
            parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{form.number(value)}</text>')
        for name, style in (
            ("scheduled", 'fill="var(--soft)" stroke="var(--accent)" stroke-width="1.5"'),
            ("required", 'fill="none" stroke="var(--bad)" stroke-width="1.5" stroke-dasharray="4 3"'),
        ):
            heights = [top + high * (1 - value / most) for value in part[name]]
            line = _steps([(x(m), y) for m, y in zip(minutes, heights, strict=True)], x(end))
            close = f" V{top + high:.1f} H{line[0][0]:.1f} Z" if name == "scheduled" else ""
            parts.append(f'<path d="{_path(line)}{close}" {style}/>')
        top += high + 30.0
    hours = range(math.ceil(begin / 60), math.floor(end / 60) + 1)
    parts += [f'<text x="{x(hour * 60)}" y="{top - 10}" text-anchor="middle">{hour}</text>' for hour in hours]
    label = form.text("People needed and there through the day, by channel")
    return _svg("".join(parts), _WIDE, top, label)


def territories_and_routes(
    territories: pl.DataFrame,
    routes: Iterable[Mapping[str, Any]],
    land: Mapping[str, Any] | None,
    people: Mapping[str, Person],
    form: Format,
) -> Markup | None:
    """Draw the territories with the numbers of their people, everybody's route, and the land.

    Parameters
    ----------
    territories
        ``territory, rep_id, accounts, deviation_pct, outline`` (WKT).
    routes
        The features of ``maps/routes.geojson``.
    land
        The features of ``land.geojson``, or ``None``.
    """
    import shapely

    from dealwright.report.land import Land, land_of

    shapes = territory_features(territories)
    if not shapes:
        return None
    ground = land_of(land, "land.geojson", "") if land else Land(shapely.Polygon(), (), "", is_coast=False)
    areas = [shapely.simplify(on_land(shape["geometry"], ground), _COARSE_DEG) for shape in shapes]
    west, south, east, north = shapely.union_all(areas).bounds
    margin = 0.04 * max(east - west, north - south)
    box = (west - margin, south - margin, east + margin, north + margin)
    flat = 1.0 / max(math.cos(math.radians((south + north) / 2)), 0.05)
    high = min(max(_WIDE * flat * (box[3] - box[1]) / (box[2] - box[0]), 220.0), 620.0)
    scale = min(_WIDE / (box[2] - box[0]), high / flat / (box[3] - box[1]))
    shift = (_WIDE - scale * (box[2] - box[0])) / 2

    def at(lon: float, lat: float) -> tuple[float, float]:
        return round(shift + scale * (lon - box[0]), 1), round(scale * flat * (box[3] - lat), 1)

    parts = []
    if land:
        parts.append(f'<rect width="{_WIDE:g}" height="{high:.0f}" fill="var(--sea)"/>')
        ashore = shapely.simplify(shapely.intersection(ground.shape, shapely.box(*box)), _COARSE_DEG)
        parts.append(
            f'<path d="{_rings(ashore, at)}" fill="var(--land)" stroke="var(--shore)" stroke-width=".6"/>'
        )
    named = []
    for shape, area in zip(shapes, areas, strict=True):
        facts = shape["properties"]
        who = person(people, facts["rep_id"])
        colour = f"var(--c{who.colour})" if who else "var(--muted)"
        title = " · ".join(str(text) for text in (facts["territory"], who.name if who else None) if text)
        parts.append(
            f'<path d="{_rings(area, at)}" fill="{colour}" fill-opacity=".18" fill-rule="evenodd" '
            f'stroke="{colour}">'
            f"<title>{escape(title)}</title></path>"
        )
        if len(shapes) <= _MANY_NAMES:
            middle = max(shapely.get_parts(area).tolist(), key=lambda part: part.area).representative_point()
            named.append(
                (*at(middle.x, middle.y), str(who.number) if who else str(facts["territory"]), colour)
            )
    for route in routes:
        facts = route["properties"]
        if route["geometry"]["type"] == "LineString" and facts.get("kind", "planned") == "planned":
            who = person(people, facts["rep_id"])
            line = [at(lon, lat) for lon, lat in route["geometry"]["coordinates"]]
            colour = f"var(--c{who.colour})" if who else "var(--ink)"
            parts.append(f'<path d="{_path(line)}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
            dots = "".join(f"M{x} {y}h0" for x, y in line[1:-1])
            parts.append(f'<path d="{dots}" stroke="{colour}" stroke-width="4" stroke-linecap="round"/>')
    for x, y, name, colour in named:
        wide = 9 + 6 * len(name)
        parts.append(
            f'<rect x="{x - wide / 2:.1f}" y="{y - 9}" width="{wide}" height="18" rx="9" '
            f'fill="var(--surface)" stroke="{colour}"/><text x="{x}" y="{y + 4}" text-anchor="middle" '
            f'style="fill:var(--ink);font-weight:650">{escape(name)}</text>'
        )
    return _svg("".join(parts), _WIDE, high, form.text("Territories, and the routes of the day"))


def _minute(moment: datetime) -> float:
    return moment.hour * 60.0 + moment.minute + moment.second / 60.0


def _steps(points: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Return points as stairs: each value holds until the next begins."""
    line: list[tuple[float, float]] = []
    for place, (x, y) in enumerate(points):
        if line:
            line.append((x, line[-1][1]))
        line.append((x, y))
        if place == len(points) - 1:
            line.append((end, y))
    return line


def _path(line: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line)


def _rings(shape: Any, at: Any) -> str:
    """Return the outline of a Shapely area, holes included, as a path."""
    import shapely

    return "".join(
        _path([at(lon, lat) for lon, lat in ring.coords]) + "Z"
        for part in shapely.get_parts(shape).tolist()
        if part.geom_type == "Polygon"
        for ring in (part.exterior, *part.interiors)
    )


def _svg(body: str, wide: float, high: float, label: str) -> Markup:
    return Markup(  # noqa: S704  names are escaped where they are drawn
        f'<svg class="chart" viewBox="0 0 {wide:g} {high:.0f}" role="img" aria-label="{escape(label)}">'
        f"{body}</svg>"
    )
