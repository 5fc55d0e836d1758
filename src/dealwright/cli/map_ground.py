"""What the maps of ``plan`` are drawn on: land from a file or of a synthetic company, and street tiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dealwright.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from dealwright.report.land import Land

NO_TILES: Final = "none"


def read_ground(run: Mapping[str, Any], accounts: pl.DataFrame) -> Land | None:
    """Return the land to draw; ``None`` where nobody gave any.

    Parameters
    ----------
    run
        The ``[run]`` table of the parameters.

    Raises
    ------
    InputError
        The file is no GeoJSON of polygons, or none of the accounts lies on it.
    """
    from dealwright.report.land import check_land, land_of, read_land

    if run.get("land") is not None:
        land = read_land(Path(run["land"]))
        check_land(land, accounts, f"--land {run['land']}")
        return land
    if run.get("world") is not None:
        from dealwright.world.geography import land_geojson

        return land_of(land_geojson(), "the world's land", "drawn coast")
    return None


def tiles_url(run: Mapping[str, Any]) -> str | None:
    """Return the URL of the user's street tiles, ``""`` for none at all, ``None`` where nothing was said.

    Raises
    ------
    InputError
        It lacks one of the three places that are filled in.
    """
    url: str | None = run.get("tiles")
    if url is None or url == NO_TILES:
        return None if url is None else ""
    missing = [place for place in ("{z}", "{x}", "{y}") if place not in url]
    if missing or not url.startswith(("https://", "http://")):
        raise InputError(
            f"--tiles {url}: use a web address with {{z}}, {{x}} and {{y}}, such as "
            f"https://tiles.example.com/{{z}}/{{x}}/{{y}}.png, or {NO_TILES}"
        )
    return url
