"""Figures of a plan as inline SVG, the same bytes for the same data."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from dealwright.report.territory_maps import COLOURS, on_land, territory_colours, territory_features

_INK, _SOFT, _BLUE, _RED = "#1d2733", "#8a97a5", "#2b6cb0", "#b0471f"
_SEA, _LAND, _SHORE = "#cfdfe9", "#f4f5ee", "#a9b6a0"
_COARSE_DEG: Final = 0.001  # finer than a line is wide in a figure of a whole region
_MANY_NAMES: Final = 30


@contextmanager
def _canvas(height: float, **layout: Any) -> Iterator[tuple[Any, Any]]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "dealwright", "font.family": "sans-serif", "font.size": 9,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": _SOFT,
        "text.color": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        yield figure, figure.subplots(**layout)


def _svg(figure: Any, label: str) -> Markup:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    body = text[text.index("<svg") :].replace("<svg ", '<svg role="img" aria-label="%s" ', 1)
    return Markup(body.replace("%s", label, 1))  # noqa: S704  matplotlib escapes what it draws; labels are ours


def service_levels(levels: pl.DataFrame) -> Markup | None:
    """Draw who is served in time, and the people needed and there, by interval of the first day."""
    known = levels.drop_nulls(["start_at", "service_level"])
    if known.is_empty():
        return None
    first = known.filter(pl.col("day") == known["day"].min())
    people = {"required", "scheduled"} <= set(first.columns)
    with _canvas(3.9 if people else 2.5, nrows=2 if people else 1, sharex=True, squeeze=False) as drawn:
        figure, panels = drawn[0], drawn[1][:, 0]
        for number, ((channel,), part) in enumerate(first.group_by("channel", maintain_order=True)):
            part = part.sort("start_at")  # noqa: PLW2901  drawn in the order of time
            hours = (part["start_at"].dt.hour() + part["start_at"].dt.minute() / 60).to_list()
            step = hours[-1] - hours[-2] if len(hours) > 1 else 0.25
            edges = [*hours, hours[-1] + step]
            colour = COLOURS[number % len(COLOURS)]
            name = _literal(str(channel).replace("_", " "))
            level = (part["service_level"] * 100).to_list()
            panels[0].step(edges, [*level, level[-1]], where="post", color=colour, label=name)
            if people:
                for column, style in (("required", ":"), ("scheduled", "-")):
                    values = part[column].to_list()
                    panels[1].step(
                        edges, [*values, values[-1]],
                        where="post", color=colour, linestyle=style, label=f"{name}, {column}",
                    )  # fmt: skip
        panels[0].set_ylim(0, 104)
        panels[0].set_ylabel("served in time, %")
        panels[-1].set_xlabel("hour of the day")
        if people:
            panels[1].set_ylim(bottom=0)
            panels[1].set_ylabel("people")
        for axes in panels:
            axes.grid(axis="y", color="#e3e8ed", linewidth=0.7)
            axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderpad=0)
        return _svg(figure, "service level and people by interval")


def territories_and_routes(
    territories: pl.DataFrame, routes: Sequence[Mapping[str, Any]], land: Mapping[str, Any] | None
) -> Markup | None:
    """Draw the territories with their names, everybody's way, and the land.

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
    colours = territory_colours(shapes)
    ground = land_of(land, "land.geojson", "") if land else Land(shapely.Polygon(), (), "", is_coast=False)
    areas = [shapely.simplify(on_land(shape["geometry"], ground), _COARSE_DEG) for shape in shapes]
    west, south, east, north = shapely.union_all(areas).bounds
    margin = 0.04 * max(east - west, north - south)
    box = (west - margin, south - margin, east + margin, north + margin)
    flat = _degrees_of_equal_length(south, north)
    height = min(max(7.2 * flat * (box[3] - box[1]) / (box[2] - box[0]), 2.5), 6.4)
    with _canvas(height) as (figure, axes):
        axes.set_axis_off()
        if land:
            back = axes.add_patch(_patch(shapely.box(*box), facecolor=_SEA, edgecolor="none", zorder=0))
            ashore = shapely.simplify(shapely.intersection(ground.shape, shapely.box(*box)), _COARSE_DEG)
            axes.add_patch(_patch(ashore, facecolor=_LAND, edgecolor=_SHORE, linewidth=0.6, zorder=1))
            back.set_clip_on(False)
        for shape, area in zip(shapes, areas, strict=True):
            facts = shape["properties"]
            colour = colours[str(facts["rep_id"] or facts["territory"])]
            axes.add_patch(_patch(area, facecolor=f"{colour}33", edgecolor=colour, linewidth=0.9, zorder=2))
            if len(shapes) <= _MANY_NAMES:
                middle = max(shapely.get_parts(area).tolist(), key=lambda part: part.area).centroid
                axes.text(
                    middle.x, middle.y, _literal(str(facts["territory"])),
                    ha="center", va="center", fontsize=7, fontweight="bold", zorder=5, alpha=0.85,
                )  # fmt: skip
        for way in routes:
            facts = way["properties"]
            if way["geometry"]["type"] == "LineString" and facts.get("kind", "planned") == "planned":
                lon, lat = zip(*way["geometry"]["coordinates"], strict=True)
                colour = colours.get(facts["rep_id"], _INK)
                axes.plot(lon, lat, color=colour, linewidth=1.1, marker=".", markersize=3, zorder=3)
        axes.set_xlim(box[0], box[2])
        axes.set_ylim(box[1], box[3])
        axes.set_aspect(flat)
        return _svg(figure, "territories and the routes of the day")


def _degrees_of_equal_length(south: float, north: float) -> float:
    """Return how much longer a degree of latitude is than one of longitude."""
    import math

    return 1.0 / max(math.cos(math.radians((south + north) / 2)), 0.05)


def _patch(shape: Any, **style: Any) -> Any:
    """Turn a Shapely area, holes included, into a patch."""
    import numpy as np
    import shapely
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    rings = [
        Path(np.asarray(ring.coords)[:, :2], closed=True)
        for part in shapely.get_parts(shape).tolist()
        if part.geom_type == "Polygon"
        for ring in (part.exterior, *part.interiors)
    ]
    outline = Path.make_compound_path(*rings) if rings else Path(np.empty((0, 2)))
    return PathPatch(outline, **style)


def _literal(text: str) -> str:
    """Keep a name from being read as mathematics."""
    return text.replace("$", r"\$")
