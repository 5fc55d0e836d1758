"""How compact and connected territories are, and their outlines for maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.territories.drawing import Division, PlacedAccounts
from dealwright.stats.arrays import Floats, Ints

FEW: Final = 20  # cells, which say nothing about how thinly the land is settled
GAP: Final = (
    2.2  # cells further apart than so many widths do not touch: one empty cell between two is bridged
)


@dataclass(frozen=True)
class Shapes:
    """Geometry of the territories, one element per territory."""

    # 4π · area / perimeter² of the occupied cells, gaps of one cell closed: 1 for a circle (Polsby & Popper
    # 1991, "The third criterion"). NaN for a territory without accounts.
    polsby_popper: Floats
    contiguity: Floats  # share of the workload in the largest connected part
    outline: tuple[str, ...]  # multipolygons in longitude and latitude, as WKT


@dataclass(frozen=True)
class SurveyedCells:
    """The cells on which territories are measured."""

    of_account: Ints  # (n,) which cell an account lies in
    # (B,) on the plane, (B, 2) their middles, and the width of one
    polygons: NDArray[Any]
    middle: Floats
    width_km: float
    neighbours: Ints  # (P, 2) pairs that touch, gaps of one cell closed

    def owners(self, ground: PlacedAccounts, division: Division) -> tuple[Ints, Floats]:
        """Return whose most of each cell is, and the workload of each cell and territory."""
        k = len(division.centre_km)
        pair = self.of_account * k + division.label
        load = np.bincount(pair, ground.workload + 1e-12, minlength=len(self.middle) * k)
        by_cell: Floats = load.reshape(-1, k).astype(np.float64)
        return np.asarray(by_cell.argmax(axis=1), dtype=np.int64), by_cell


# cells of a territory -> how compact it is, and its outline
KnownShapes = dict[bytes, tuple[float, str]]


def survey_cells(ground: PlacedAccounts, resolution: int) -> SurveyedCells:
    """Take the cells of one resolution, or of a coarser one where cells would have no neighbours."""
    from h3.api.basic_int import cell_to_parent, get_resolution
    from scipy.spatial import cKDTree

    fine = ground.cells.index.tolist()
    resolution = _connected_resolution(ground, resolution)
    base = np.array(
        [cell if get_resolution(cell) <= resolution else cell_to_parent(cell, resolution) for cell in fine],
        dtype=np.int64,
    )
    cells, of_fine = np.unique(base, return_inverse=True)
    polygons, middle, width = _hexagons(cells, ground)
    neighbours = cKDTree(middle).query_pairs(GAP * width, output_type="ndarray")
    return SurveyedCells(of_fine[ground.cells.of_account], polygons, middle, width, neighbours)


def measure_shapes(
    ground: PlacedAccounts, division: Division, cells: SurveyedCells, known: KnownShapes | None = None
) -> Shapes:
    """Measure the territories on cells, each of which is given to whom most of it belongs.

    Parameters
    ----------
    known
        Shapes that were measured before on the same cells; those that are measured now are added.
    """
    known = {} if known is None else known
    k = len(division.centre_km)
    owner, load = cells.owners(ground, division)
    part = _parts(cells.neighbours, owner)
    compact, contiguous, outlines = np.full(k, np.nan), np.full(k, np.nan), []
    for territory in range(k):
        mine = np.flatnonzero(owner == territory)
        if not mine.size:
            outlines.append("MULTIPOLYGON EMPTY")
            continue
        key = mine.tobytes()
        if key not in known:
            shape = _closed(cells.polygons[mine], cells.width_km)
            known[key] = 4 * np.pi * shape.area / shape.length**2, _outline(shape, ground)
        compact[territory], outline = known[key]
        sizes = np.bincount(part[mine], load[mine, territory])
        contiguous[territory] = sizes.max() / sizes.sum()
        outlines.append(outline)
    return Shapes(compact, contiguous, tuple(outlines))


def _connected_resolution(ground: PlacedAccounts, finest: int) -> int:
    """Return the finest resolution at which cells have neighbours: thinly settled land needs larger ones."""
    from h3 import average_hexagon_area
    from scipy.spatial import cKDTree

    if len(ground.cells.index) <= FEW:
        return finest
    nearest = np.asarray(cKDTree(ground.cells.km).query(ground.cells.km, k=4)[0])
    apart = np.median(nearest[:, 3])
    for resolution in range(finest, 2, -1):
        width = np.sqrt(average_hexagon_area(resolution, unit="km^2") * 2 / np.sqrt(3))
        if apart <= 1.5 * width:
            return resolution
    return 2


def _hexagons(cells: Ints, ground: PlacedAccounts) -> tuple[NDArray[Any], Floats, float]:
    """Return the cells as polygons on the plane, their middles and the width of one."""
    import shapely
    from h3.api.basic_int import cell_to_boundary

    corners = [cell_to_boundary(cell) for cell in cells.tolist()]
    count = np.array([len(ring) for ring in corners])
    flat = np.array([corner for ring in corners for corner in ring])
    flat = ground.plane.project(flat[:, 0], flat[:, 1])
    rings = shapely.linearrings(flat, indices=np.repeat(np.arange(len(cells)), count))
    polygons = shapely.polygons(rings)
    xy = shapely.get_coordinates(shapely.centroid(polygons))
    # a hexagon's width across flats from its area
    width = float(np.sqrt(np.median(shapely.area(polygons)) * 2 / np.sqrt(3)))
    return polygons, xy, width


def _parts(neighbours: Ints, owner: Ints) -> Ints:
    """Number the connected parts: cells of one territory that touch each other."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = neighbours[owner[neighbours[:, 0]] == owner[neighbours[:, 1]]]
    n = len(owner)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _closed(hexagons: NDArray[Any], width: float) -> Any:
    """Unite cells and close gaps narrower than a cell."""
    import shapely

    reach = 0.6 * width
    wide = shapely.union_all(shapely.buffer(hexagons, reach, quad_segs=2))
    return shapely.union_all([shapely.buffer(wide, -reach, quad_segs=2), shapely.union_all(hexagons)])


def _outline(shape: Any, ground: PlacedAccounts) -> str:
    import shapely

    middle = ground.plane.lon_deg

    def to_degrees(km: Floats) -> Floats:
        """Return longitude and latitude; the longitude goes on past 180 degrees."""
        lat, lon = ground.plane.unproject(km)
        east = (lon - middle + 180.0) % 360.0 - 180.0
        return np.asarray(np.c_[middle + east, lat], dtype=np.float64)

    whole = shapely.transform(shape, to_degrees)
    # a shape across the antimeridian is cut there, as RFC 7946 (section 3.1.9) asks
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        piece = whole.intersection(shapely.box(turn - 180.0, -90.0, turn + 180.0, 90.0))
        moved = shapely.transform(piece, lambda lonlat, turn=turn: lonlat - [turn, 0.0])
        parts += [part for part in shapely.get_parts(moved) if part.geom_type == "Polygon" and part.area > 0]
    return str(shapely.to_wkt(shapely.MultiPolygon(parts), rounding_precision=5))
