"""What a result looks like in a notebook: a small table, a sketch of a map, every text escaped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import cos, radians
from typing import Any, Final

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195", "#4d4d4d")
"""Okabe and Ito's colours, told apart without full colour vision."""
_FIRST: Final = ("rank", "agent_id", "agent_name")
_FIGURES: Final = 12
_CELL: Final = 120
_NAMED: Final = 24  # with more lines, names are read by pointing at them
Point = tuple[float, float]


class Summarised(ABC):
    """Shows a result's flat ``summary()`` as a table."""

    @abstractmethod
    def summary(self) -> Mapping[str, Any]:
        """Return plain values by name."""

    def _repr_html_(self) -> str:
        return figures_table(type(self).__name__, self.summary())


def figures_table(title: str, figures: Mapping[str, Any]) -> str:
    """Write figures by name, the first twelve open and the rest folded; ``notes`` stand below."""
    notes = figures.get("notes")
    rows = [
        f"<tr><td>{escape(name.replace('_', ' '))}</td>{_cell(value, name)}</tr>"
        for name, value in figures.items()
        if name != "notes"
    ]
    first, rest = "".join(rows[:_FIGURES]), "".join(rows[_FIGURES:])
    folded = (
        f"<details><summary>{len(rows) - _FIGURES} more</summary><table>{rest}</table></details>"
        if rest
        else ""
    )
    below = f"<p>{escape(str(notes))}</p>" if notes else ""
    return f"<p><b>{escape(title)}</b></p><table>{first}</table>{folded}{below}"


def rows_table(sentence: str, rows: Sequence[Mapping[str, Any]], *, limit: int = 10) -> str:
    """Write the first rows below a sentence; a single row is written as names and values."""
    above = f'<p style="white-space:pre-line">{escape(sentence)}</p>'
    if not rows:
        return above
    if len(rows) == 1:
        cells = "".join(
            f"<tr><td>{escape(name.replace('_', ' '))}</td>{_cell(value, name)}</tr>"
            for name, value in rows[0].items()
        )
        return f"{above}<table>{cells}</table>"
    names = list(dict.fromkeys(name for row in rows[:limit] for name in row))
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(_cell(row.get(name), name) for name in names)}</tr>" for row in rows[:limit]
    )
    more = f"<p>… and {len(rows) - limit:,} more</p>" if len(rows) > limit else ""
    return f"{above}<table><tr>{head}</tr>{body}</table>{more}"


def sketch(dots: Iterable[Point], lines: Mapping[str, Sequence[Sequence[Point]]], *, width: int = 480) -> str:
    """Draw positions and named lines, both as (latitude, longitude) in degrees, as an SVG of its own.

    Lines of one name share a colour and a pattern, and the name stands below the drawing.
    """
    dots = list(dots)
    points = [*dots, *(point for parts in lines.values() for part in parts for point in part)]
    if not points:
        return ""
    south, north = min(lat for lat, _ in points), max(lat for lat, _ in points)
    west, east = min(lon for _, lon in points), max(lon for _, lon in points)
    squeeze = cos(radians((south + north) / 2))  # a degree of longitude is shorter than one of latitude
    span = max((east - west) * squeeze, north - south, 1e-9)
    scale = (width - 20) / span
    height = round((north - south) * scale) + 20

    def place(point: Point) -> str:
        return f"{10 + (point[1] - west) * squeeze * scale:.1f},{10 + (north - point[0]) * scale:.1f}"

    drawn, named = [], []
    for dot in dots:
        x, y = place(dot).split(",")
        drawn.append(f'<circle cx="{x}" cy="{y}" r="1.5" fill="#999"/>')
    for number, (name, parts) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        dash = f' stroke-dasharray="{2 * (number // len(COLOURS)) + 3} 2"' if number >= len(COLOURS) else ""
        drawn += [
            f'<polyline points="{" ".join(map(place, part))}" fill="none" stroke="{colour}"'
            f' stroke-width="1.5"{dash}><title>{escape(name)}</title></polyline>'
            for part in parts
        ]
        named.append(f'<span style="color:{colour}">■</span> {escape(name)}')
    legend = f"<p>{' '.join(named)}</p>" if len(named) <= _NAMED else ""
    return (
        f'<svg role="img" aria-label="map" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"{''.join(drawn)}</svg>{legend}"
    )


def _cell(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{escape(_in_words(value))}</td>"
    if isinstance(value, int):
        shown = str(value) if name.endswith("_id") else f"{value:,}"
    else:
        value = 0.0 if abs(value) < 1e-9 else value  # what a sum of doubles leaves over
        shown = f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    return f'<td style="text-align:right">{shown}</td>'


def _in_words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping) and "reason" in value:
        value = value["reason"]  # of a ranking: its contribution stands in the frame
    elif isinstance(value, Mapping):
        value = ", ".join(f"{name}: {_in_words(item)}" for name, item in value.items())
    elif isinstance(value, list | tuple):
        value = "; ".join(map(_in_words, value))
    text = str(value)
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
