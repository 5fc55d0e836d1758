"""Travel times from a road service by URL: OSRM's ``/table`` or Valhalla's ``/sources_to_targets``."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from dealwright.errors import InputError
from dealwright.plan.travel import EstimatedTravel, TravelTable
from dealwright.stats.arrays import Bools, Floats

Service = Literal["osrm", "valhalla"]
DECIMALS: Final = 5  # of a degree in requests: about a metre
_NAMES: Final = {"osrm": "OSRM", "valhalla": "Valhalla"}


class _ServiceError(Exception):
    """The service gave no usable answer; the text says why."""


@dataclass(frozen=True)
class RoadService:
    """Ways by road from a service, in blocks it accepts, remembered on disk, estimated where it has none."""

    url: str  # such as `http://localhost:5000` (OSRM) or `http://localhost:8002` (Valhalla)
    kind: Service = "osrm"  # which of the two it is
    profile: str = "driving"  # OSRM's profile (`driving`) or Valhalla's costing (`auto`)
    # places per side of one request: OSRM refuses more than 100 coordinates (two sides) unless told otherwise
    block: int = 50
    timeout_s: float = 10.0  # after which a request counts as failed
    max_snap_km: float = 1.0  # a place further than this from the next road cannot be reached
    access_min: float = 4.0  # parking and walking, as in `TravelParams`
    cache: Path | None = None  # folder for answers; none without
    # what is used instead while the service does not answer
    estimate: EstimatedTravel = field(default_factory=EstimatedTravel)

    def __post_init__(self) -> None:
        """Refuse a URL that is not one of the web."""
        if not self.url.startswith(("http://", "https://")):
            raise InputError(
                f"the road service {self.url!r} is no web address: it begins with http:// or https://"
            )
        if self.block < 1:
            raise InputError(f"block = {self.block}: a request needs at least one place per side")

    def table(self, lat_deg: Floats, lon_deg: Floats) -> TravelTable:
        """Return travel between all pairs of places; one failing block makes only that block estimated."""
        places: Floats = np.column_stack([lat_deg, lon_deg]).astype(np.float64).round(DECIMALS)
        n = places.shape[0]
        estimated = self.estimate.table(places[:, 0], places[:, 1])
        minutes, km = np.full((n, n), np.nan), np.full((n, n), np.nan)
        answered = np.zeros((n, n), dtype=np.bool_)
        snapped_km = np.zeros(n)
        failed = ""
        blocks = [range(k, min(k + self.block, n)) for k in range(0, n, self.block)]
        for rows in blocks:
            for columns in blocks:
                if failed:
                    break  # a service that is down is not asked again for every block
                try:
                    answer = self._block(places[rows], places[columns])
                except _ServiceError as error:
                    failed = str(error)
                    break
                minutes[np.ix_(rows, columns)], km[np.ix_(rows, columns)] = answer[0], answer[1]
                answered[np.ix_(rows, columns)] = True
                snapped_km[list(rows)] = np.maximum(snapped_km[list(rows)], answer[2])
        return self._fill(minutes, km, snapped_km > self.max_snap_km, estimated, answered, failed)

    def _fill(  # noqa: PLR0917
        self, minutes: Floats, km: Floats, far: Bools, estimated: TravelTable, answered: Bools, failed: str
    ) -> TravelTable:
        """Use estimates where there is no answer, and say so; the answer null means that there is no road."""
        name = _NAMES[self.kind]
        known = np.isfinite(minutes)
        np.fill_diagonal(known, val=True)
        if not failed and known.shape[0] > 1:
            # a place from which no other can be reached has no road, whatever the others have
            alone = (known.sum(axis=1) == 1) & (known.sum(axis=0) == 1)
            far = far | (alone & (known.sum() > known.shape[0]))
        reached = np.where(known & (estimated.km > 0), minutes + self.access_min, 0.0)
        missing, no_way = ~known & ~answered, ~known & answered
        source = name
        if no_way.any():
            source += f", {int(no_way.sum()):,} of {no_way.size:,} ways do not exist"
        if missing.any():
            source += f", {int(missing.sum()):,} of {missing.size:,} ways estimated; {failed}"
        return TravelTable(
            np.where(no_way, np.inf, np.where(missing, estimated.minutes, reached)),
            np.where(missing, estimated.km, np.where(np.isfinite(km), km, estimated.km)), far, source,
        )  # fmt: skip

    def _block(self, sources: Floats, targets: Floats) -> tuple[Floats, Floats, Floats]:
        """Return minutes, km and how far each source is from a road, from the cache or the service."""
        key = f"{self.url}|{self.kind}|{self.profile}|{sources.tolist()}|{targets.tolist()}"
        path = (
            None
            if self.cache is None
            else self.cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
        )
        if path is not None and path.is_file():
            with np.load(path) as kept:
                return kept["minutes"], kept["km"], kept["snapped_km"]
        ask = self._ask_osrm if self.kind == "osrm" else self._ask_valhalla
        try:
            minutes, km, snapped_km = ask(sources, targets)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise _ServiceError(f"{_NAMES[self.kind]} answered in an unknown form ({error!r})") from error
        if minutes.shape != (len(sources), len(targets)) or km.shape != minutes.shape:
            raise _ServiceError(f"{_NAMES[self.kind]} answered with a table of {minutes.shape}")
        if path is not None:
            _keep(path, minutes, km, snapped_km)
        return minutes, km, snapped_km

    def _ask_osrm(self, sources: Floats, targets: Floats) -> tuple[Floats, Floats, Floats]:
        """See https://project-osrm.org/docs, table service: seconds, metres, null where there is no road."""
        both = np.r_[sources, targets]
        where = ";".join(f"{lon:.{DECIMALS}f},{lat:.{DECIMALS}f}" for lat, lon in both)
        first = ";".join(map(str, range(len(sources))))
        second = ";".join(map(str, range(len(sources), len(both))))
        query = f"sources={first}&destinations={second}&annotations=duration,distance"
        answer = self._fetch(f"{self.url.rstrip('/')}/table/v1/{self.profile}/{where}?{query}", None)
        if answer.get("code") != "Ok":
            raise _ServiceError(f"OSRM said {answer.get('code')}: {answer.get('message', 'nothing more')}")
        snapped = np.array([float(place.get("distance", 0.0)) for place in answer["sources"]])
        km = answer.get("distances")
        minutes = _matrix(answer["durations"]) / 60
        return minutes, np.full_like(minutes, np.nan) if km is None else _matrix(km) / 1000, snapped / 1000

    def _ask_valhalla(self, sources: Floats, targets: Floats) -> tuple[Floats, Floats, Floats]:
        """See https://valhalla.github.io/valhalla/api/matrix: seconds, kilometres, null without a road."""
        costing = "auto" if self.profile == "driving" else self.profile
        body = {
            "sources": [{"lat": lat, "lon": lon} for lat, lon in sources.tolist()],
            "targets": [{"lat": lat, "lon": lon} for lat, lon in targets.tolist()],
            "costing": costing, "units": "kilometers",
        }  # fmt: skip
        rows = self._fetch(f"{self.url.rstrip('/')}/sources_to_targets", json.dumps(body).encode())
        cells = rows["sources_to_targets"]
        minutes = _matrix([[cell["time"] for cell in row] for row in cells]) / 60
        # the service does not say how far a place is from a road; it finds no route instead
        return minutes, _matrix([[cell["distance"] for cell in row] for row in cells]), np.zeros(len(sources))

    def _fetch(self, address: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/json", "User-Agent": "dealwright"}
        request = urllib.request.Request(address, data=body, headers=headers)  # noqa: S310  http(s), checked above
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:  # noqa: S310  as above
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise _ServiceError(f"{_NAMES[self.kind]} answered with HTTP {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _ServiceError(f"{_NAMES[self.kind]} at {self.url} did not answer ({reason})") from error
        except ValueError as error:
            raise _ServiceError(f"{_NAMES[self.kind]} answered with something that is not JSON") from error
        if not isinstance(answer, dict):
            raise _ServiceError(f"{_NAMES[self.kind]} answered with something that is no object")
        return answer


def _matrix(rows: Sequence[Sequence[float | None]]) -> Floats:
    return np.array([[np.nan if cell is None else cell for cell in row] for row in rows], dtype=np.float64)


def _keep(path: Path, minutes: Floats, km: Floats, snapped_km: Floats) -> None:
    """Write an answer under its final name in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(descriptor, "wb") as file:
        np.savez_compressed(file, minutes=minutes, km=km, snapped_km=snapped_km)
    Path(temporary).replace(path)
