"""Street tiles out of one file (PMTiles, version 3): those of the company's area go with the run.

A page on a disk may not read parts of a file, so the tiles that a map can show are written one by one:
pictures as they are, vector tiles as scripts that hand over their bytes.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dealwright.errors import InputError

_HEADER: Final = struct.Struct("<7sBQQQQQQQQQQQBBBBBBiiiiBii")
_NONE, _GZIP = 1, 2  # compressions that Python reads by itself
_ENDINGS: Final = {1: "js", 2: "png", 3: "jpg", 4: "webp", 5: "avif"}
_VECTOR: Final = 1
MOST_TILES: Final = 1_500
MOST_BYTES: Final = 20_000_000
_DEEPEST: Final = 15  # streets can be told apart; beyond, tiles are enlarged


@dataclass(frozen=True)
class Tiles:
    """What a map needs to know of the tiles that go with a run."""

    ending: str  # of their files: `png`, `jpg`, `webp`, `avif`, or `js` for vector tiles
    # the zooms there are
    first: int
    last: int
    credit: str  # whom the file says to name, as plain text
    bounds: tuple[float, float, float, float]  # west, south, east, north: nothing is asked for beyond


@dataclass(frozen=True)
class _Entry:
    tile: int
    offset: int
    length: int
    run: int  # 0 for a leaf directory


class PmTiles:
    """A PMTiles archive on a disk.

    Raises
    ------
    InputError
        It cannot be read, is of another version, or compressed in a way that is not read here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                head = file.read(_HEADER.size)
        except OSError as error:
            raise InputError(f"--tiles {path}: cannot be read: {error}") from None
        if len(head) < _HEADER.size or head[:7] != b"PMTiles" or head[7] != 3:
            raise InputError(
                f"--tiles {path}: is no PMTiles archive of version 3; convert it with `pmtiles convert`"
            )
        (_, _, self._root_at, self._root_size, self._meta_at, self._meta_size, self._leaves_at, _,
         self._data_at, _, _, _, _, _, self._inside, self._around, kind, self.first, self.last,
         *_) = _HEADER.unpack(head)  # fmt: skip
        if (
            self._inside not in (_NONE, _GZIP)
            or self._around not in (0, _NONE, _GZIP)
            or kind not in _ENDINGS
        ):
            raise InputError(
                f"--tiles {path}: its tiles are compressed in a way, or of a kind, that is not read; "
                "write it with gzip, as vector tiles, PNG, JPEG or WebP"
            )
        self.ending, self.is_vector = _ENDINGS[kind], kind == _VECTOR
        self._directories: dict[tuple[int, int], list[_Entry]] = {}

    def credit(self) -> str:
        """Return whom the file says to name, without its markup."""
        try:
            found = json.loads(self._plain(self._read(self._meta_at, self._meta_size))).get("attribution", "")
        except (ValueError, AttributeError):
            return ""
        return html.unescape(re.sub(r"<[^>]*>", "", str(found))).strip()

    def tile(self, zoom: int, x: int, y: int) -> bytes | None:
        """Return the bytes of a tile, not compressed; ``None`` where there is none."""
        wanted = tile_number(zoom, x, y)
        at, size = self._root_at, self._root_size
        for _ in range(4):  # the root, and leaves of leaves: the format allows no more
            entry = _find(self._directory(at, size), wanted)
            if entry is None:
                return None
            if entry.run:
                data = self._read(self._data_at + entry.offset, entry.length)
                return gzip.decompress(data) if self._around == _GZIP and data[:2] == b"\x1f\x8b" else data
            at, size = self._leaves_at + entry.offset, entry.length
        return None

    def _directory(self, at: int, size: int) -> list[_Entry]:
        if (at, size) not in self._directories:
            self._directories[at, size] = _entries(self._plain(self._read(at, size)))
        return self._directories[at, size]

    def _plain(self, data: bytes) -> bytes:
        return gzip.decompress(data) if self._inside == _GZIP and data else data

    def _read(self, at: int, size: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(at)
            return file.read(size)


def write_tiles(archive: PmTiles, folder: Path, bounds: tuple[float, float, float, float]) -> Tiles | None:
    """Write the tiles within west, south, east, north in degrees, as deep as there is room.

    They become ``folder/Z/X/Y.png``, or what they are.

    Returns
    -------
    Tiles
        What was written; ``None`` where the archive has nothing of the area.
    """
    written = size = 0
    last = None
    for zoom in range(archive.first, min(archive.last, _DEEPEST) + 1):
        columns, rows = _range(zoom, bounds)
        if written + len(columns) * len(rows) > MOST_TILES:
            break
        tiles = {(x, y): archive.tile(zoom, x, y) for x in columns for y in rows}
        found = {place: data for place, data in tiles.items() if data is not None}
        size += sum(map(len, found.values()))
        if size > MOST_BYTES:
            break
        if not found:
            continue
        # a script that is not there would be an error in the page: an empty tile stands for it
        for (x, y), data in (tiles if archive.is_vector else found).items():
            path = folder / str(zoom) / str(x) / f"{y}.{archive.ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_script(zoom, x, y, data or b"") if archive.is_vector else data or b"")
        written += len(tiles)
        last = zoom
    if last is None:
        return None
    return Tiles(archive.ending, archive.first, last, archive.credit(), bounds)


def _script(zoom: int, x: int, y: int, data: bytes) -> bytes:
    text = base64.b64encode(data).decode("ascii")
    return f'streetTile("{zoom}/{x}/{y}","{text}");\n'.encode()


def _range(zoom: int, bounds: tuple[float, float, float, float]) -> tuple[range, range]:
    """Return the columns and rows of tiles that an area touches."""
    west, south, east, north = bounds
    many = 1 << zoom

    def column(lon: float) -> int:
        return min(max(int((lon + 180.0) / 360.0 * many), 0), many - 1)

    def row(lat: float) -> int:
        angle = math.radians(min(max(lat, -85.05), 85.05))
        return min(max(int((1.0 - math.asinh(math.tan(angle)) / math.pi) / 2.0 * many), 0), many - 1)

    return range(column(west), column(east) + 1), range(row(north), row(south) + 1)


def tile_number(zoom: int, x: int, y: int) -> int:
    """Return the number of a tile: along a Hilbert curve, after all tiles of lesser zooms."""
    number = ((1 << 2 * zoom) - 1) // 3
    side = (1 << zoom) // 2
    while side > 0:
        right, below = (x & side) > 0, (y & side) > 0
        number += side * side * ((3 * right) ^ below)
        if not below:
            if right:
                x, y = side - 1 - (x & (side - 1)), side - 1 - (y & (side - 1))
            x, y = y, x
        side //= 2
    return number


def _find(entries: list[_Entry], wanted: int) -> _Entry | None:
    """Return the last entry that begins at or before a tile, if it reaches it."""
    low, high = 0, len(entries) - 1
    while low <= high:
        middle = (low + high) // 2
        if entries[middle].tile <= wanted:
            low = middle + 1
        else:
            high = middle - 1
    if high < 0:
        return None
    entry = entries[high]
    return entry if entry.run == 0 or wanted - entry.tile < entry.run else None


def _entries(data: bytes) -> list[_Entry]:
    """Read a directory: numbers, runs, lengths and offsets, one column after the other."""
    numbers = _varints(data)
    count = next(numbers)
    tiles, tile = [], 0
    for _ in range(count):
        tile += next(numbers)
        tiles.append(tile)
    runs = [next(numbers) for _ in range(count)]
    lengths = [next(numbers) for _ in range(count)]
    entries: list[_Entry] = []
    for k in range(count):
        told = next(numbers)
        # 0: right after the one before
        offset = entries[-1].offset + entries[-1].length if told == 0 and k else told - 1
        entries.append(_Entry(tiles[k], offset, lengths[k], runs[k]))
    return entries


def _varints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for octet in data:
        value |= (octet & 127) << shift
        if octet < 128:
            yield value
            value = shift = 0
        else:
            shift += 7


def is_archive(tiles: Any) -> bool:
    """Return whether ``--tiles`` names a file instead of an address."""
    return isinstance(tiles, str) and tiles.lower().endswith(".pmtiles") and "://" not in tiles
