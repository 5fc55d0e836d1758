"""The drawn ground: read from GeoJSON, cut to the accounts, refused where it cannot be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely

from dealwright.errors import InputError
from dealwright.report.land import around, check_land, land_of, read_land
from dealwright.simulation.geography import land_geojson, sample_positions

ACCOUNTS = pl.DataFrame({"lat_deg": [41.4, 41.5, None], "lon_deg": [2.1, 2.2, None]})
SQUARE = {"type": "Polygon", "coordinates": [[[-9, 36], [4, 36], [4, 44], [-9, 44], [-9, 36]]]}


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def test_the_demo_worlds_accounts_all_lie_on_its_land_and_sea_is_none_of_it() -> None:
    land = land_of(land_geojson(), "world", "drawn coast")
    lat, lon = sample_positions(3_000, np.random.default_rng(5))
    assert shapely.contains_xy(land.shape, lon, lat).all()
    assert not shapely.contains_xy(land.shape, 2.30, 41.35)  # off Barcelona
    assert not shapely.contains_xy(land.shape, 1.50, 41.05)  # off Tarragona
    assert {"Barcelona", "Terrassa"} <= {name for name, *_ in land.places}


def test_a_file_of_features_is_read_and_cut_to_where_the_accounts_are(tmp_path: Path) -> None:
    places = [
        feature({"type": "Point", "coordinates": [2.15, 41.45]}, name="Near <b>"),
        feature({"type": "Point", "coordinates": [-8, 37]}, name="Far"),
        feature({"type": "Point", "coordinates": [2.16, 41.46]}),
    ]
    document = {"type": "FeatureCollection", "features": [feature(SQUARE), *places]}
    path = tmp_path / "land.geojson"
    path.write_text(json.dumps(document), encoding="utf-8")
    land = read_land(path)
    check_land(land, ACCOUNTS, "land")
    near = around(land, ACCOUNTS)
    assert near.shape.area < land.shape.area / 10
    assert [name for name, *_ in near.places] == ["Near <b>"]
    again = land_of({"type": "FeatureCollection", "features": near.features()}, "again", "again")
    assert shapely.symmetric_difference(again.shape, near.shape).area < 1e-4
    assert again.places == near.places
    assert near.drawn_from == "land.geojson"


def test_without_land_the_hull_is_drawn_and_said_to_be_that() -> None:
    ground = around(None, ACCOUNTS)
    assert shapely.contains_xy(ground.shape, [2.1, 2.2], [41.4, 41.5]).all()
    assert not ground.is_coast
    assert ground.drawn_from == "the area of the accounts"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as GeoJSON"),
        ("[]", "is no GeoJSON"),
        ('{"type": "FeatureCollection"}', "is no GeoJSON"),
        ('{"type": "FeatureCollection", "features": []}', "holds no polygon"),
        ('{"type": "Point", "coordinates": [2, 41]}', "holds no polygon"),
        ('{"type": "Polygon", "coordinates": [[[2, "x"], [3, 41], [3, 42], [2, 41]]]}', "is no GeoJSON"),
        (
            '{"type": "Polygon", "coordinates": [[[4e5, 4e6], [5e5, 4e6], [5e5, 5e6], [4e5, 4e6]]]}',
            "EPSG:4326",
        ),
    ],
)
def test_what_is_no_land_is_refused_with_the_fix(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "land.geojson"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_land(path)


def test_a_land_without_accounts_is_refused_and_exchanged_coordinates_are_named() -> None:
    exchanged = {"type": "Polygon", "coordinates": [[[36, -9], [36, 4], [44, 4], [44, -9], [36, -9]]]}
    with pytest.raises(InputError, match="longitude first"):
        check_land(land_of(exchanged, "land", "x"), ACCOUNTS, "land")
    iceland = {"type": "Polygon", "coordinates": [[[-24, 63], [-13, 63], [-13, 66], [-24, 66], [-24, 63]]]}
    with pytest.raises(InputError, match="where the accounts are"):
        check_land(land_of(iceland, "land", "x"), ACCOUNTS, "land")
    check_land(land_of(iceland, "land", "x"), pl.DataFrame({"account_id": ["A"]}), "land")


@pytest.mark.parametrize("count", [1, 2, 7, 2_000])
def test_without_land_the_hull_of_all_accounts_is_drawn(count: int) -> None:
    lat, lon = np.random.default_rng(count).normal([[41.0], [2.0]], 0.2, (2, count)).round(3)
    lat[: count // 4] = lat[0]  # some in a line
    ground = around(None, pl.DataFrame({"lat_deg": lat, "lon_deg": lon}))
    expected = shapely.MultiPoint(np.column_stack([lon, lat])).convex_hull.buffer(0.03)
    assert ground.shape.wkb == expected.wkb
