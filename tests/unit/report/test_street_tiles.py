"""Street tiles out of a PMTiles file, against the format's own library."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from dealwright.errors import InputError
from dealwright.report import street_tiles
from dealwright.report.maps import MapStyle, MapTables, write_maps
from dealwright.report.street_tiles import PmTiles, is_archive, tile_number, write_tiles

BARCELONA = (2.1, 41.35, 2.2, 41.45)


def archive(
    path: Path, tiles: dict[tuple[int, int, int], bytes], kind: Any = TileType.PNG, **head: Any
) -> Path:
    """Write an archive with the format's own library."""
    zooms = [zoom for zoom, _, _ in tiles]
    places = (
        "min_lon_e7",
        "min_lat_e7",
        "max_lon_e7",
        "max_lat_e7",
        "center_zoom",
        "center_lon_e7",
        "center_lat_e7",
    )
    pressed = Compression.GZIP if kind == TileType.MVT else Compression.NONE
    header = {
        "tile_type": kind, "tile_compression": pressed, "min_zoom": min(zooms), "max_zoom": max(zooms),
        **dict.fromkeys(places, 0), **head,
    }  # fmt: skip
    with path.open("wb") as file:
        writer = Writer(file)
        for zoom, x, y in sorted(tiles, key=lambda key: zxy_to_tileid(*key)):
            writer.write_tile(zxy_to_tileid(zoom, x, y), tiles[zoom, x, y])
        writer.finalize(
            header, {"attribution": '<a href="https://x.org">Streets &amp; Co</a><script>x</script>'}
        )
    return path


@pytest.mark.parametrize(
    "tile", [(0, 0, 0), (1, 1, 0), (2, 3, 1), (7, 64, 47), (14, 8291, 6116), (15, 32767, 0)]
)
def test_tiles_have_the_numbers_of_the_format(tile: tuple[int, int, int]) -> None:
    assert tile_number(*tile) == zxy_to_tileid(*tile)


def test_tiles_come_back_as_they_were_written_also_from_leaves_and_runs(tmp_path: Path) -> None:
    draw = random.Random(1)  # lengths that do not compress: the root cannot hold all of them
    tiles = {
        (zoom, x, y): f"{zoom}/{x}/{y}".encode() + bytes(draw.randrange(120))
        for zoom in range(8) for x in range(2**zoom) for y in range(2**zoom)
    }  # fmt: skip
    same = {key: b"sea" for key in tiles if key[0] == 7 and key[1] > 100}  # one run for many tiles
    found = PmTiles(archive(tmp_path / "a.pmtiles", tiles | same))
    assert len(found._directory(found._root_at, found._root_size)) < len(tiles) / 10  # the rest is in leaves
    for key in [(0, 0, 0), (3, 5, 2), (7, 0, 127), (7, 64, 64)]:
        assert found.tile(*key) == tiles[key]
    assert found.tile(7, 101, 3) == found.tile(7, 127, 127) == b"sea"
    assert found.tile(8, 0, 0) is None
    assert (found.first, found.last, found.ending) == (0, 7, "png")
    assert found.credit() == "Streets & Cox"


def test_the_tiles_of_the_area_go_with_the_run_as_deep_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = {(6, 32, 23): b"six", (7, 64, 47): b"seven", (7, 65, 47): b"far away", (8, 129, 95): b"eight"}
    found = PmTiles(archive(tmp_path / "a.pmtiles", tiles))
    told = write_tiles(found, tmp_path / "all", BARCELONA)
    assert told is not None
    assert (told.first, told.last, told.ending) == (6, 8, "png")
    written = {
        str(path.relative_to(tmp_path / "all")): path.read_bytes()
        for path in (tmp_path / "all").rglob("*.png")
    }
    assert written == {"6/32/23.png": b"six", "7/64/47.png": b"seven", "8/129/95.png": b"eight"}
    monkeypatch.setattr(street_tiles, "MOST_BYTES", 10)
    told = write_tiles(found, tmp_path / "little", BARCELONA)
    assert told is not None
    assert told.last == 7
    assert write_tiles(found, tmp_path / "none", (-70.0, -30.0, -69.9, -29.9)) is None


def test_vector_tiles_are_scripts_that_hand_over_their_bytes(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pmtiles", {(6, 32, 23): gzip.compress(b"\x1a\x00")}, TileType.MVT)
    told = write_tiles(PmTiles(path), tmp_path / "t", BARCELONA)
    assert told is not None
    assert told.ending == "js"
    assert (tmp_path / "t" / "6" / "32" / "23.js").read_text() == 'streetTile("6/32/23","GgA=");\n'


def test_maps_name_the_streets_and_escape_their_credit(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pmtiles", {(6, 32, 23): b"six"})
    accounts = pl.DataFrame(
        {"account_id": ["A"], "lat_deg": [41.4], "lon_deg": [2.15], "name": ["x"], "territory": ["T1"],
         "action": ["visit"], "expected_value_eur": [1.0]}
    )  # fmt: skip
    territories = pl.DataFrame(
        {"territory": ["T1"], "rep_id": ["R1"], "accounts": [1], "deviation_pct": [0.0],
         "outline": ["POLYGON ((2.1 41.3, 2.2 41.3, 2.2 41.5, 2.1 41.3))"]}
    )  # fmt: skip
    write_maps(tmp_path / "run" / "maps", MapTables(accounts, territories), style=MapStyle(tiles=str(path)))
    page = (tmp_path / "run" / "maps" / "territories.html").read_text()
    assert '"url":"../assets/tiles/{z}/{x}/{y}.png","own":true' in page
    assert '"first":6,"last":6,"vector":false' in page
    assert "Streets \\u0026amp; Cox" in page
    assert (tmp_path / "run" / "assets" / "tiles" / "6" / "32" / "23.png").read_bytes() == b"six"


def test_what_is_no_archive_is_refused_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "b.pmtiles").write_bytes(b"PMTiles\x02" + bytes(200))
    for name in ("missing.pmtiles", "b.pmtiles"):
        with pytest.raises(InputError, match=r"--tiles .*(cannot be read|pmtiles convert)"):
            PmTiles(tmp_path / name)
    strange = archive(tmp_path / "c.pmtiles", {(0, 0, 0): b"x"}, tile_compression=Compression.BROTLI)
    with pytest.raises(InputError, match="write it with gzip"):
        PmTiles(strange)


def test_an_address_is_no_file() -> None:
    assert is_archive("/data/streets.pmtiles")
    assert not is_archive("https://example.com/{z}/{x}/{y}.pmtiles")
    assert not is_archive("none")
    assert not is_archive(None)
