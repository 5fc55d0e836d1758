"""Travel times: the estimate, and road services as recorded from the real ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.routing.travel_service import RoadService
from dealwright.plan.travel import EstimatedTravel, TravelParams, drive_min, great_circle_km

LAT, LON = np.array([41.38, 41.40, 41.30]), np.array([2.17, 2.19, 2.60])


def test_a_degree_of_latitude_is_111_km() -> None:
    km = great_circle_km(np.array([41.0]), np.array([2.0]), np.array([42.0]), np.array([2.0]))
    assert km[0, 0] == pytest.approx(111.195, abs=0.01)


def test_the_speed_profile_is_driven_band_by_band() -> None:
    params = TravelParams(band_km=(4.0, 20.0), band_kmh=(20.0, 40.0, 80.0))
    minutes = drive_min(np.array([0.0, 2.0, 4.0, 20.0, 100.0]), params)
    assert minutes.tolist() == pytest.approx([0.0, 6.0, 12.0, 36.0, 96.0])


@given(st.lists(st.tuples(st.floats(36, 43), st.floats(-8, 3)), min_size=3, max_size=6))
def test_no_detour_is_faster(places: list[tuple[float, float]]) -> None:
    lat, lon = np.array(places).T
    minutes = EstimatedTravel().table(lat, lon).minutes
    by_third = (minutes[:, :, None] + minutes[None, :, :]).min(axis=1)
    assert (minutes <= by_third + 1e-6).all()
    assert (np.diag(minutes) == 0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"circuity": 0.9}, {"band_kmh": (20.0,)}, {"access_min": -1.0},
        {"band_km": (20.0, 4.0)}, {"band_kmh": (80.0, 40.0, 20.0)},
    ],
)  # fmt: skip
def test_impossible_profiles_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        TravelParams(**wrong)


def test_a_profile_of_other_bands_than_speeds_says_how_many_it_needs() -> None:
    with pytest.raises(InputError, match=r"2 band_km need 3 band_kmh .*, not 2"):
        TravelParams(band_km=(4.0, 20.0), band_kmh=(20.0, 40.0))
    assert TravelParams(circuity=1.0, access_min=0.0, band_km=(), band_kmh=(0.1,)).circuity == 1.0


class Recorded(BaseHTTPRequestHandler):
    """Answers in the form of OSRM and Valhalla; a way takes a minute per difference of numbers, plus one."""

    asked: list[str]
    broken: bool
    unreachable: set[int]
    snapped_m: float
    islands: tuple[set[int], ...] = ()
    places: tuple[np.ndarray, np.ndarray] = (LAT, LON)
    answers: int | None = None

    def do_GET(self) -> None:
        coordinates, _, query = self.path.partition("?")
        places = coordinates.rsplit("/", 1)[1].split(";")
        options = dict(part.split("=") for part in query.split("&"))
        rows, columns = ([int(k) for k in options[name].split(";")] for name in ("sources", "destinations"))
        numbers = [self.number(*map(float, reversed(place.split(",")))) for place in places]
        seconds = [[self.seconds(numbers[a], numbers[b]) for b in columns] for a in rows]
        self.reply(
            {
                "code": "Ok",
                "durations": seconds,
                "distances": [[None if s is None else s * 10 for s in row] for row in seconds],
                "sources": [{"distance": self.snapped_m, "name": "", "location": [0, 0]} for _ in rows],
            }
        )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body["costing"] == "auto"
        rows, columns = (
            [self.number(place["lat"], place["lon"]) for place in body[side]]
            for side in ("sources", "targets")
        )
        cells = [
            [
                {"from_index": i, "to_index": j, "time": self.seconds(a, b), "distance": self.km(a, b)}
                for j, b in enumerate(columns)
            ]
            for i, a in enumerate(rows)
        ]
        self.reply({"sources_to_targets": cells, "units": "kilometers"})

    def number(self, lat: float, lon: float) -> int:
        return int(np.argmin(np.hypot(self.places[0] - lat, self.places[1] - lon)))

    def seconds(self, a: int, b: int) -> float | None:
        if a != b and {a, b} & self.unreachable:
            return None
        if any((a in island) != (b in island) for island in self.islands):
            return None
        return 0.0 if a == b else 60.0 * (abs(a - b) + 1)

    def km(self, a: int, b: int) -> float | None:
        seconds = self.seconds(a, b)
        return None if seconds is None else seconds / 100

    def reply(self, answer: dict[str, Any]) -> None:
        self.asked.append(self.path)
        down = self.broken or (self.answers is not None and len(self.asked) > self.answers)
        body = b"<html>" if down else json.dumps(answer).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Recorded]]]:
    handler = type(
        "Handler", (Recorded,), {"asked": [], "broken": False, "unreachable": set(), "snapped_m": 12.0}
    )
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}", handler
    web.shutdown()
    web.server_close()


@pytest.mark.parametrize("kind", ["osrm", "valhalla"])
@pytest.mark.parametrize("block", [50, 2, 1])
def test_a_service_is_asked_in_blocks(server: Any, kind: Any, block: int) -> None:
    url, handler = server
    table = RoadService(url, kind, block=block, access_min=3.0).table(LAT, LON)
    assert table.source == {"osrm": "OSRM", "valhalla": "Valhalla"}[kind]
    assert table.minutes.tolist() == [[0, 5, 6], [5, 0, 5], [6, 5, 0]]
    assert table.km[0].tolist() == pytest.approx([0, 1.2, 1.8])
    assert not table.unreachable.any()
    assert len(handler.asked) == (-(-3 // block)) ** 2


def test_answers_are_kept_on_disk(server: Any, tmp_path: Path) -> None:
    url, handler = server
    service = RoadService(url, cache=tmp_path / "ways", block=2)
    first = service.table(LAT, LON)
    asked = len(handler.asked)
    again = service.table(LAT, LON)
    assert len(handler.asked) == asked == 4
    assert (first.minutes == again.minutes).all()
    assert not list((tmp_path / "ways").glob("*.part"))


@pytest.mark.parametrize("kind", ["osrm", "valhalla"])
def test_a_place_without_a_way_cannot_be_reached(server: Any, kind: Any) -> None:
    url, handler = server
    handler.unreachable = {2}
    table = RoadService(url, kind).table(LAT, LON)
    assert table.unreachable.tolist() == [False, False, True]
    assert "4 of 9 ways do not exist" in table.source
    assert "estimated" not in table.source
    assert np.isinf(table.minutes[[2, 2, 0, 1], [0, 1, 2, 2]]).all()
    assert np.isfinite(table.minutes[:2, :2]).all()
    assert np.isfinite(table.km).all()


def test_two_islands_with_roads_of_their_own_have_no_way_between_them(server: Any) -> None:
    url, handler = server
    handler.islands = ({0, 1}, {2, 3})
    lat, lon = np.r_[LAT, LAT[-1]], np.r_[LON, LON[-1] + 0.2]
    handler.places = lat, lon
    table = RoadService(url, block=2).table(lat, lon)
    assert not table.unreachable.any()
    assert np.isinf(table.minutes).sum() == 8
    assert np.isfinite(table.minutes[:2, :2]).all()
    assert np.isfinite(table.minutes[2:, 2:]).all()


def test_a_service_that_stops_answering_leaves_estimates_and_no_missing_ways(server: Any) -> None:
    url, handler = server
    handler.unreachable, handler.answers = {2}, 3
    table = RoadService(url, block=2).table(LAT, LON)
    # blocks of places {0, 1} and {2}: the last one, from 2 to itself, is not asked in vain
    assert "4 of 9 ways do not exist" in table.source
    handler.answers = len(handler.asked) + 1
    table = RoadService(url, block=2).table(LAT, LON)
    assert "4 of 9 ways estimated; OSRM answered with something that is not JSON" in table.source
    assert "exist" not in table.source
    assert np.isfinite(table.minutes).all()


def test_a_place_far_from_every_road_cannot_be_reached(server: Any) -> None:
    url, handler = server
    handler.snapped_m = 4_000.0
    assert RoadService(url).table(LAT, LON).unreachable.all()
    assert not RoadService(url, max_snap_km=5.0).table(LAT, LON).unreachable.any()


def test_a_broken_or_absent_service_falls_back_and_says_so(server: Any) -> None:
    url, handler = server
    handler.broken = True
    estimate = EstimatedTravel().table(LAT, LON)
    for service in (RoadService(url), RoadService("http://127.0.0.1:9", timeout_s=1.0)):
        table = service.table(LAT, LON)
        assert (table.minutes == estimate.minutes).all()
        assert "ways estimated; OSRM" in table.source
        assert not table.unreachable.any()
    assert len(handler.asked) == 1
    refusal = replace(RoadService(url), kind="valhalla", block=1).table(LAT, LON)
    assert "not JSON" in refusal.source


def test_an_address_that_is_no_web_address_is_refused() -> None:
    with pytest.raises(InputError, match="http://"):
        RoadService("localhost:5000")
