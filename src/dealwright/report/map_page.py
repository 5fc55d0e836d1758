"""One page with a map: Leaflet inside, a drawn ground, street tiles where they may be asked for, a legend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, Final

from dealwright.report.land import Land

OPEN_STREET_MAP: Final = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
_RANDOM: Final = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_HEAD: Final = "<!-- Leaflet -->"
_GROUND: Final = """
{% macro script(this, kwargs) %}
    {% set map = this._parent.get_name() %}
    drawGround({{ map }}, {{ this.ground }}, {{ this.places|tojson }}, {{ this.source|tojson }});
    addTiles({{ map }}, {{ this.tiles|tojson }}, {{ this.own|tojson }}, {{ this.credit|tojson }});
    fitBeside({{ map }}, {{ this.corners|tojson }});
{% endmacro %}
"""
_CREDIT: Final = '&copy; <a href="https://www.openstreetmap.org/copyright">OpenStreetMap</a> contributors'


def new_map(bounds: Sequence[tuple[float, float]], ground: Land, *, title: str, tiles: str | None) -> Any:
    """Return a folium map of the ground, fitted to positions.

    Parameters
    ----------
    bounds
        Two corners, (lat, lon).
    title
        Of the page; escaped here.
    tiles
        URL of street tiles with ``{z}``, ``{x}`` and ``{y}``; ``None`` for OpenStreetMap's where the page is
        opened from a server, ``""`` for none.
    """
    import folium
    from branca.element import Element, MacroElement
    from folium.template import Template

    drawn = folium.Map(tiles=None, zoom_snap=0.25)
    drawn.default_js, drawn.default_css = [], []
    below = MacroElement()
    below._name = "ground"
    below._template = Template(_GROUND)
    below.ground = json.dumps(ground.features()[0]["geometry"])
    below.places = [list(place) for place in ground.places]
    below.source = f"ground: {escape(ground.drawn_from)}"
    below.tiles, below.own = tiles if tiles is not None else OPEN_STREET_MAP, bool(tiles)
    below.credit = _CREDIT if tiles is None else ""
    below.corners = [list(corner) for corner in bounds]
    below.add_to(drawn)
    coast = "document.documentElement.className='coast'" if ground.is_coast else ""
    head = f"<title>{text(title)}</title><style>{_asset('map.css')}</style><script>{coast}</script>"
    drawn.get_root().header.add_child(Element("{% raw %}" + head + "{% endraw %}"), name="z_style")
    return drawn


def add_legend(drawn: Any, title: str, body: str) -> None:
    """Lay a box that folds over the map.

    Parameters
    ----------
    title
        Escaped here.
    body
        HTML, its texts escaped with `text`.
    """
    from branca.element import Element

    page = f'<details class="legend" open><summary>{text(title)}</summary>{body}</details>'
    drawn.get_root().html.add_child(Element("{% raw %}" + page + "{% endraw %}"), name="legend")


def save(drawn: Any, path: Path, *, clusters: bool = False) -> None:
    """Write the page with everything it needs inside, and the same names of elements every time."""
    from branca.element import Element

    names = ["leaflet", *(["leaflet.markercluster"] if clusters else [])]
    head = "".join(
        f"<style>{_asset(f'{name}.css')}</style><script>{_asset(f'{name}.js')}</script>" for name in names
    )
    head += f"<script>{_asset('map.js')}</script>"
    # put in when the page is rendered: as a template, it would be parsed again for every map
    drawn.get_root().header.add_child(Element(_HEAD), name="a_leaflet", index=0)
    order: dict[str, str] = {}
    page = _RANDOM.sub(
        lambda found: order.setdefault(found[0], f"{len(order):032d}"), drawn.get_root().render()
    )
    path.write_text(page.replace(_HEAD, head, 1), encoding="utf-8")


def write_geojson(path: Path, features: Sequence[Mapping[str, Any]]) -> None:
    """Write a feature collection."""
    content = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    path.write_text(content + "\n", encoding="utf-8")


def text(value: object) -> str:
    """Escape for HTML inside the template literals folium writes."""
    clean = escape(str(value))
    return clean.replace("\\", "&#92;").replace("`", "&#96;").replace("$", "&#36;").replace("{", "&#123;")


@cache
def _asset(name: str) -> str:
    content = (resources.files("dealwright.report") / "assets" / name).read_text("utf-8")
    return re.sub(r"url\(images/[^)]*\)", "none", content) if name.endswith(".css") else content
