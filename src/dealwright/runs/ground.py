"""What the maps of a night are drawn on: land from a file or of a synthetic company, and street tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from dealwright.errors import InputError
from dealwright.report.land import Land, check_land, land_of, read_land
from dealwright.report.street_tiles import PmTiles, is_archive
from dealwright.runs.request import NightRequest
from dealwright.simulation.geography import land_geojson

NO_TILES: Final = "none"


def read_ground(request: NightRequest, accounts: pl.DataFrame) -> Land | None:
    """Return the land to draw; ``None`` where nobody gave any.

    Raises
    ------
    InputError
        The file is no GeoJSON of polygons, or none of the accounts lies on it.
    """
    if request.land is not None:
        land = read_land(Path(request.land))
        check_land(land, accounts, f"--land {request.land}")
        return land
    if request.world is not None:
        return land_of(land_geojson(), "the world's land", "drawn coast")
    return None


def tiles_url(request: NightRequest) -> str | None:
    """Return the user's street tiles, ``""`` for none at all, ``None`` where nothing was said.

    Raises
    ------
    InputError
        It is a file that cannot be used, or an address without one of the places that are filled in.
    """
    url: str | None = request.tiles
    if url is None or url == NO_TILES:
        return None if url is None else ""
    if is_archive(url):
        PmTiles(Path(url))
        return url
    missing = [place for place in ("{z}", "{x}", "{y}") if place not in url]
    if missing or not url.startswith(("https://", "http://")):
        raise InputError(
            f"--tiles {url}: use a web address with {{z}}, {{x}} and {{y}}, such as "
            f"https://tiles.example.com/{{z}}/{{x}}/{{y}}.png, a file streets.pmtiles, or {NO_TILES}"
        )
    return url
