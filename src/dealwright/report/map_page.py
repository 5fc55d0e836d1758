"""One page with a map and the list of what is on it; the run keeps one copy of Leaflet for all its maps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec

from dealwright.report.format import Format
from dealwright.report.land import Land
from dealwright.report.pages import SHARED, Page, as_script, asset, packed, render, write_assets
from dealwright.report.street_tiles import Tiles, is_archive

OPEN_STREET_MAP: Final = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
CREDIT: Final = '&copy; <a href="https://www.openstreetmap.org/copyright">OpenStreetMap</a> contributors'
ASSETS: Final = "assets"  # in the run's folder, beside `maps/`
_SHIPPED: Final = ("leaflet.js", "leaflet.LICENSE.txt", "map.css", "map.js", "page.css", "page.js")
_PLAIN: Final = 3_000  # accounts that a page holds as they are
# signs of actions, around 0 0 and about 2 wide: told apart by shape, because colours are people's
SIGNS: Final[Mapping[str, str]] = {
    "visit": "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z",
    "retention_call": "M0-1.15 1.1.8-1.1.8z",
    "upsell": "M-.88-.88h1.76v1.76h-1.76z",
    "cross_sell": "M0-1.25 1.25 0 0 1.25-1.25 0z",
    "win_back": "M0 1.15 1.1-.8-1.1-.8z",
    "service_recovery": "M-.36-1.1h.72v.74h.74v.72h-.74v.74h-.72v-.74h-.74v-.72h.74z",
    "reorder_reminder": "M-1.1 0-.55-.95.55-.95 1.1 0 .55.95-.55.95z",
    "other": "M0-1.2 1.15-.35.7 1-.7 1-1.15-.35z",
    "nothing": "M-.5 0a.5.5 0 1 0 1 0a.5.5 0 1 0-1 0z",
}


def write_map_assets(folder: Path) -> None:
    """Write what the maps of a run share into its folder ``assets``, which is made."""
    write_assets(folder, *_SHIPPED)
    # its pictures are not needed: markers and controls are drawn by our style
    style = re.sub(r"url\(images/[^)]*\)", "none", asset("leaflet.css"))
    (folder / "leaflet.css").write_text(style, encoding="utf-8")


def ground_data(
    ground: Land, tiles: str | None, form: Format, streets: Tiles | None = None
) -> dict[str, Any]:
    """Return what lies below a map: drawn land, names of places, street tiles.

    Parameters
    ----------
    tiles
        URL of street tiles with ``{z}``, ``{x}`` and ``{y}``; ``None`` for OpenStreetMap's where the page is
        opened from a server, ``""`` for none.
    streets
        Tiles that go with the run, in ``assets/tiles``: these instead of any from the network.
    """
    return {
        "ground": ground.features()[0]["geometry"],
        "places": [list(place) for place in ground.places],
        "coast": ground.is_coast,
        "source": form.text("ground: %(source)s", source=form.text(ground.drawn_from)),
        "tiles": _tiles(tiles, streets),
    }


def _tiles(tiles: str | None, streets: Tiles | None) -> dict[str, Any]:
    if streets is not None:
        return {
            "url": f"../{ASSETS}/tiles/{{z}}/{{x}}/{{y}}.{streets.ending}", "own": True,
            "credit": escape(streets.credit), "first": streets.first, "last": streets.last,
            "vector": streets.ending == "js", "bounds": streets.bounds,
        }  # fmt: skip
    return {
        "url": OPEN_STREET_MAP if tiles is None else "" if is_archive(tiles) else tiles,
        "own": bool(tiles), "credit": CREDIT if tiles is None else "",
        "first": 0, "last": 19, "vector": False, "bounds": None,
    }  # fmt: skip


def write_map(path: Path, page: Page, form: Format, data: Mapping[str, Any], **values: Any) -> None:
    """Write a page with a map.

    Parameters
    ----------
    data
        What its script draws; many ``accounts`` are compressed.
    values
        What its list shows.
    """
    if len(data["accounts"]) > _PLAIN:
        data = {**data, "accounts": packed(msgspec.json.encode(data["accounts"]).decode())}
    text = render("map.html", form, shared=SHARED, page=page, data=as_script(data), signs=SIGNS, **values)
    path.write_text(text, encoding="utf-8")


def write_geojson(path: Path, features: Sequence[Mapping[str, Any]]) -> None:
    """Write a feature collection."""
    content = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    path.write_text(content + "\n", encoding="utf-8")
