"""Maps of territories and of each representative's day, usable without a network, and the same as GeoJSON."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.report.areas import disjoint, label_place, on_land, territory_features
from dealwright.report.brief_files import file_name
from dealwright.report.calendars import to_five
from dealwright.report.format import Format, mark
from dealwright.report.land import Land, around
from dealwright.report.map_page import ASSETS, SIGNS, ground_data, write_geojson, write_map, write_map_assets
from dealwright.report.pages import Page, page_links
from dealwright.report.people import Person, people_of, people_table, person
from dealwright.report.street_tiles import PmTiles, Tiles, is_archive, write_tiles

_HOME: Final = ("home_lat_deg", "home_lon_deg")
_NAME_PIXELS: Final = 44
_BEYOND: Final = 0.1
_DIGITS: Final = 5  # about 1 m
_WORDS: Final[Mapping[str, str]] = {
    "home": mark("Home of %(who)s"),
    "gain": mark("Expected gain"),
    "zoomIn": mark("Zoom in"),
    "zoomOut": mark("Zoom out"),
    "card": mark("Why, and what else"),
    "more": mark("more accounts"),
    "find": mark("Find them by name on the page of accounts"),
    "nobody": mark("nobody"),
}


@dataclass(frozen=True)
class MapTables:
    """What there is to draw; any part but the accounts may be missing."""

    # `account_id, lat_deg, lon_deg, name, territory, action, expected_value_eur`; those without a position
    # are not drawn
    accounts: pl.DataFrame
    # `territory, rep_id, accounts, deviation_pct, outline` (WKT)
    territories: pl.DataFrame | None = None
    # visits: `rep_id, day, stop, account_id, arrive_at, start_at, leave_at, value_eur`; days: `rep_id, day,
    # distance_km`
    visits: pl.DataFrame | None = None
    days: pl.DataFrame | None = None
    distance_only_visits: pl.DataFrame | None = None
    distance_only_days: pl.DataFrame | None = None
    # `rep_id, home_lat_deg, home_lon_deg` and, if they have names, `rep_name`
    homes: pl.DataFrame | None = None


@dataclass(frozen=True)
class MapStyle:
    """How maps speak and what they are part of."""

    form: Format = field(default_factory=Format)  # numbers, money, dates and words
    company: str = ""  # whose maps they are
    tiles: str | None = None  # see `map_page.ground_data`
    files: Collection[str] = ()  # the run's other pages, by their places in its folder

    def page(self, title: str, lead: str = "", here: str = "") -> Page:
        """Return what stands around a map."""
        return Page(title, self.company, lead, page_links(self.form, self.files, here, "../"))


@dataclass(frozen=True)
class Day:
    """One representative's day."""

    # sorted by `stop`: `rep_id, day, stop, account_id, name, action, arrive_at, start_at, leave_at,
    # value_eur, lat_deg, lon_deg`
    stops: pl.DataFrame
    home: tuple[float, float] | None  # (lat, lon), or `None` where it is not known
    distance_km: float | None  # of the whole way, or `None`

    @property
    def way(self) -> list[tuple[float, float]]:
        """Positions (lat, lon) in order, from home and back where the home is known."""
        ends = [] if self.home is None else [self.home]
        return [*ends, *self.stops.select("lat_deg", "lon_deg").rows(), *ends]

    @property
    def value_eur(self) -> float:
        """What the visits bring."""
        return float(self.stops["value_eur"].sum())


Days = Mapping[tuple[str, Any], Day]


def write_maps(
    folder: Path, tables: MapTables, land: Land | None = None, style: MapStyle | None = None
) -> None:
    """Write ``territories.html``, a map per representative and day, ``routes.html`` of all, and GeoJSON.

    Parameters
    ----------
    folder
        Is made; stays empty where there is nothing to draw. What the maps share is written beside it, into
        ``assets``.
    land
        The ground; the hull of the accounts where there is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    placed = tables.accounts.drop_nulls(["lat_deg", "lon_deg"])
    if placed.is_empty():
        return
    style = style or MapStyle()
    people = people_of(people_table(tables.homes, None))
    ground = around(land, placed)
    shapes = disjoint(territory_features(tables.territories), placed)
    streets = _streets(folder.parent / ASSETS / "tiles", style.tiles, placed)
    below = ground_data(ground, style.tiles, style.form, streets)
    atlas = _Atlas(folder, style, people, below, ground, shapes)
    if shapes:
        write_geojson(folder / "territories.geojson", shapes)
        atlas.territories(placed)
    planned = _days(tables.visits, tables.days, placed, tables.homes)
    if planned:
        others = _days(tables.distance_only_visits, tables.distance_only_days, placed, tables.homes)
        write_geojson(
            folder / "routes.geojson",
            [feature for day in planned.values() for feature in day_features(day, "planned")]
            + [feature for day in others.values() for feature in day_features(day, "distance_only")],
        )
        atlas.routes(planned, others)
        for key, day in planned.items():
            atlas.own_day(key, day, others.get(key))
    if shapes or planned:
        write_map_assets(folder.parent / ASSETS)


def _streets(folder: Path, tiles: str | None, placed: pl.DataFrame) -> Tiles | None:
    """Write the street tiles of the accounts' area, where a file has them."""
    if tiles is None or not is_archive(tiles):
        return None
    lat, lon = placed["lat_deg"], placed["lon_deg"]
    bounds = [float(value) for value in (lon.min(), lat.min(), lon.max(), lat.max())]  # type: ignore[arg-type]
    # a little more, so that streets go on beyond the last account
    more = max(_BEYOND * max(bounds[2] - bounds[0], bounds[3] - bounds[1]), 0.02)
    west, south, east, north = bounds
    return write_tiles(PmTiles(Path(tiles)), folder, (west - more, south - more, east + more, north + more))


@dataclass(frozen=True)
class _Atlas:
    """Writes the maps of a run."""

    folder: Path
    style: MapStyle
    people: dict[str, Person]
    below: Mapping[str, Any]
    ground: Land
    shapes: Sequence[Mapping[str, Any]]

    def territories(self, placed: pl.DataFrame) -> None:
        """Draw every territory with its name, and the accounts by action and value."""
        form = self.style.form
        areas = [self._area(shape) for shape in self.shapes]
        order = {area["territory"]: number for number, area in enumerate(areas)}
        south, west, north, east = placed.select(
            pl.col("lat_deg", "lon_deg").min(), pl.col("lat_deg", "lon_deg").max().name.suffix("_max")
        ).row(0)
        worst = max(abs(shape["properties"]["deviation_pct"]) for shape in self.shapes)
        lead = form.text(
            "%(accounts)s accounts. Workloads differ from the mean by %(worst)s at most.",
            accounts=form.number(placed.height), worst=form.percent(worst),
        )  # fmt: skip
        page = self.style.page(form.texts("%(count)s territory", "%(count)s territories", len(areas)), lead)
        points, actions = _points(placed, order)
        data = {
            **self._frame([(south, west), (north, east)]), "people": areas, "accounts": points,
            "actions": [[name, form.label(name), _sign(name)] for name in actions],
        }  # fmt: skip
        write_map(self.folder / "territories.html", page, form, data, kind="territories",
                  people=areas, actions=actions, other=None)  # fmt: skip

    def routes(self, planned: Days, others: Days) -> None:
        """Draw everybody's days, and the days without value, which begin hidden."""
        form = self.style.form
        several = len({date for _, date in planned}) > 1
        rows = [self._route(key, day, others.get(key), several=several) for key, day in planned.items()]
        count = len({rep for rep, _ in planned})
        title = form.texts("Routes of %(count)s representative", "Routes of %(count)s representatives", count)
        first = min(date for _, date in planned)
        page = self.style.page(title, form.day(first), "maps/routes.html")
        self._write_days("routes", page, rows, planned.values(), others.values())

    def own_day(self, key: tuple[str, Any], day: Day, other: Day | None) -> None:
        """Draw one representative's day."""
        form = self.style.form
        who = self._who(key[0])
        page = self.style.page(f"{who.name} · {form.day(key[1])}")
        row = self._route(key, day, other, several=False) | {"open": True}
        mine = [shape for shape in self.shapes if shape["properties"]["rep_id"] == key[0]]
        if mine:
            row |= {name: self._area(mine[0])[name] for name in ("area", "label", "zoom")}
        self._write_days(file_name(*key), page, [row], [day], [other] if other else [])

    def _write_days(
        self, name: str, page: Page, rows: list[dict[str, Any]], planned: Any, others: Any
    ) -> None:
        form, days, without = self.style.form, list(planned), list(others)
        data = {**self._frame(_extent(days)), "people": rows, "accounts": [], "actions": []}
        write_map(
            self.folder / f"{name}.html", page, form, data, kind="routes", people=rows, actions=[],
            other=_totals(without) if without else None, totals=_totals(days),
        )  # fmt: skip

    def _frame(self, corners: list[tuple[float, float]]) -> dict[str, Any]:
        form = self.style.form
        words = {name: form.text(message) for name, message in _WORDS.items()}
        return {
            **self.below, "corners": corners, "words": words, "locale": form.tag, "currency": form.currency,
        }  # fmt: skip

    def _who(self, rep_id: str | None) -> Person:
        found = person(self.people, rep_id)
        return found or Person("", self.style.form.text("nobody"), "field", 0)

    def _named(self, rep_id: str | None) -> dict[str, Any]:
        who = self._who(rep_id)
        return {
            "rep_id": who.rep_id, "name": who.name, "number": who.number, "colour": who.colour,
            # beyond eight people colours come again, in another pattern of lines
            "pattern": max(who.number - 1, 0) // 8 % len(_PATTERNS),
        }  # fmt: skip

    def _area(self, shape: Mapping[str, Any]) -> dict[str, Any]:
        """Return a territory as the list and the map show it."""
        import shapely

        form, facts = self.style.form, shape["properties"]
        area = shapely.set_precision(on_land(shape["geometry"], self.ground), 10**-_DIGITS)
        west, _, east, _ = area.bounds
        return {
            **self._named(facts["rep_id"]), "territory": facts["territory"], "title": facts["territory"],
            "href": "", "open": False,
            "area": shapely.geometry.mapping(area),
            "label": label_place(area),
            # from the zoom on at which the area is as wide as its name (256 pixels for the world at zoom 0)
            "zoom": round(math.log2(_NAME_PIXELS * 360 / 256 / max(east - west, 1e-6)), 1),
            "facts": form.texts("%(count)s account", "%(count)s accounts", facts["accounts"]),
            "more": form.text(
                "workload %(sign)s%(deviation)s of the mean",
                sign="+" if facts["deviation_pct"] >= 0 else "−",
                deviation=form.percent(abs(facts["deviation_pct"])),
            ),
        }  # fmt: skip

    def _route(self, key: tuple[str, Any], day: Day, other: Day | None, *, several: bool) -> dict[str, Any]:
        """Return a day as the list and the map show it."""
        form = self.style.form
        named = self._named(key[0])
        visits = form.texts("%(count)s visit", "%(count)s visits", day.stops.height)
        km = "" if day.distance_km is None else f" · {form.number(day.distance_km)} km"
        return {
            **named,
            "title": named["name"] + (f" · {form.short_day(key[1])}" if several else ""),
            "facts": f"{visits}{km} · {form.money(day.value_eur)}",
            "more": "", "open": False,
            "href": f"{file_name(*key)}.html",
            "home": day.home,
            "way": [_place(*place) for place in day.way],
            "stops": [self._stop(row) for row in _shown(day.stops)],
            "other": None if other is None else {
                "way": [_place(*place) for place in other.way],
                "stops": [self._stop(row) for row in _shown(other.stops)],
            },
        }  # fmt: skip

    def _stop(self, row: Mapping[str, Any]) -> dict[str, Any]:
        form = self.style.form
        return {
            "n": row["stop"], "at": _place(row["lat_deg"], row["lon_deg"]), "id": row["account_id"],
            "name": row["name"] or row["account_id"],
            "time": f"{form.clock(row['start_at'])}–{form.clock(row['leave_at'])}",
            "what": form.label(row["action"] or "visit"), "gain": form.money(row["value_eur"]),
        }  # fmt: skip


_PATTERNS: Final = ("", "12 6", "3 6", "12 5 3 5")


def _shown(stops: pl.DataFrame) -> list[dict[str, Any]]:
    return stops.with_columns(to_five("start_at"), to_five("leave_at")).to_dicts()


def _place(lat: float, lon: float) -> tuple[float, float]:
    return round(lat, _DIGITS), round(lon, _DIGITS)


def _sign(action: str) -> str:
    return SIGNS.get(action, SIGNS["other"])


def _points(placed: pl.DataFrame, order: Mapping[str, int]) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Return each account as a row for the script, and the actions, most frequent first."""
    frame = placed.with_columns(pl.col("action").fill_null("nothing"))
    counted = frame.group_by("action").len().sort("len", "action", descending=[True, False])
    actions = counted["action"].to_list()
    value = "expected_value_eur" if "expected_value_eur" in frame.columns else None
    rows = frame.select(
        pl.col("lat_deg").round(_DIGITS), pl.col("lon_deg").round(_DIGITS), "account_id",
        pl.coalesce("name", "account_id").alias("shown"),
        pl.col("action").replace_strict(actions, range(len(actions)), return_dtype=pl.Int64).alias("kind"),
        pl.col("territory").replace_strict(
            list(order), list(order.values()), default=-1, return_dtype=pl.Int64
        ).alias("area"),
        (pl.col(value).round(2) if value else pl.lit(None, pl.Float64)).alias("value"),
    ).rows()  # fmt: skip
    return rows, actions


def _totals(days: Sequence[Day]) -> dict[str, Any]:
    known = [day.distance_km for day in days if day.distance_km is not None]
    return {
        "visits": sum(day.stops.height for day in days),
        "km": sum(known) if known else None,
        "gain": sum(day.value_eur for day in days),
    }


def day_features(day: Day, kind: str) -> list[dict[str, Any]]:
    """Return the way and its stops as GeoJSON features with the property `kind`."""
    who = {"rep_id": day.stops["rep_id"][0], "day": str(day.stops["day"][0]), "kind": kind}
    way = {"type": "LineString", "coordinates": [(lon, lat) for lat, lon in day.way]}
    features = (
        [{"type": "Feature", "geometry": way, "properties": who}] if len(way["coordinates"]) > 1 else []
    )
    for row in day.stops.iter_rows(named=True):
        facts = {
            "stop": row["stop"],
            "account_id": row["account_id"],
            "arrive_at": row["arrive_at"].isoformat(),
        }
        point = {"type": "Point", "coordinates": (row["lon_deg"], row["lat_deg"])}
        features.append({"type": "Feature", "geometry": point, "properties": {**who, **facts}})
    return features


def _days(
    visits: pl.DataFrame | None,
    totals: pl.DataFrame | None,
    placed: pl.DataFrame,
    homes: pl.DataFrame | None,
) -> dict[tuple[str, Any], Day]:
    """Return the days by representative and date, in that order."""
    if visits is None or visits.is_empty():
        return {}
    stops = visits.join(placed, on="account_id", how="inner", suffix="_account").sort("rep_id", "day", "stop")
    at_home = {}
    if homes is not None:
        at_home = {row[0]: row[1:] for row in homes.drop_nulls(_HOME).select("rep_id", *_HOME).rows()}
    km = (
        {}
        if totals is None
        else {row[:2]: row[2] for row in totals.select("rep_id", "day", "distance_km").rows()}
    )
    return {
        key: Day(part, at_home.get(key[0]), km.get(key))
        for part in stops.partition_by("rep_id", "day", maintain_order=True)
        for key in [(part["rep_id"][0], part["day"][0])]
    }


def _extent(days: Sequence[Day]) -> list[tuple[float, float]]:
    """Return two corners around the ways of days."""
    places = [place for day in days for place in day.way]
    lat, lon = zip(*places, strict=True)
    return [(min(lat), min(lon)), (max(lat), max(lon))]
