"""What was agreed before the night, what comes in, what was left over, and roads, from the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_company import Company, Night

from dealwright.plan.travel import great_circle_km

TOMORROW = date(2026, 7, 1)  # the first working day after the cut-off of the company's data
STAFF = pl.DataFrame(
    {"rep_id": ["P1", "P2"], "skills": ["inbound_cc; outbound_cc", ""], "days_off": ["", ""]}
)


def row_of(night: Night, account_id: str) -> dict[str, Any]:
    return night.accounts.row(by_predicate=pl.col("account_id") == account_id, named=True)


def test_promised_visits_are_made_by_whom_and_when_promised(company: Company) -> None:
    ids = company.tables["accounts"]["account_id"]
    promises = pl.DataFrame(
        {
            "account_id": [ids[5], ids[6], ids[7]],
            "must": [True, None, None],
            "rep_id": [None, "R002", None],
            "day": [None, None, "2026-07-20"],
            "begin_min": [None, 660, None],
        }
    )
    night = company.plan(promises=promises)
    visits = night.table("visits")
    promised, locked, later = (row_of(night, ids[k]) for k in (5, 6, 7))
    for row in (promised, locked):
        assert row["channel"] == "field"
        assert row["promised"]
        assert row["call_at"] is None
    assert locked["visit_rep_id"] == "R002"
    assert locked["visit_at"] == datetime(2026, 7, 1, 11)
    assert ids[7] not in visits["account_id"].to_list()
    assert later["visit_note"] == "promised for 2026-07-20, a day that is not planned"
    assert not later["promised"]
    again = company.plan("--params", str(night.folder / "params.toml"), promises=promises)
    assert again.table("visits").equals(visits)


def test_a_promised_call_is_made_and_no_other_contact(company: Company) -> None:
    ids = company.tables["accounts"]["account_id"]
    at = datetime(2026, 7, 1, 10, 30)
    night = company.plan(
        staff=STAFF,
        call_backs=pl.DataFrame({"account_id": [ids[8], ids[9]], "at": [at, datetime(2026, 8, 1)]}),
    )
    row = row_of(night, ids[8])
    assert (row["channel"], row["promised"], row["visit_at"]) == ("outbound_cc", True, None)
    assert abs((row["call_at"] - at).total_seconds()) <= 15 * 60
    assert f"the call promised to {ids[9]} has no place: promised for 2026-08-01" in night.said


def test_visits_come_round_when_they_are_due(company: Company) -> None:
    base = company.plan().accounts.filter(pl.col("visit_at").is_not_null())["account_id"].to_list()
    due, early = base[0], base[1]
    frequencies = pl.DataFrame(
        {"account_id": [due, early], "every_days": [14, 30], "last_visit": ["2026-06-10", "2026-06-20"]}
    )
    night = company.plan(frequencies=frequencies)
    assert row_of(night, due)["due"]
    assert row_of(night, due)["visit_at"].date() == TOMORROW
    waits = row_of(night, early)
    assert waits["visit_at"] is None
    assert waits["channel_note"] == "not field: its visit is not due before 2026-07-20"
    assert waits["channel"] is not None or waits["wait_reason"] == "its visit is not due before 2026-07-20"


def test_what_comes_in_takes_time_and_what_is_left_comes_back(company: Company) -> None:
    arrivals = pl.DataFrame(
        {"channel": ["ecom_assisted", "inbound_cc"], "start_min": [540, 600], "contacts": [90.0, 12.0]}
    )
    first = company.plan(staff=STAFF, arrivals=arrivals)
    backlog = first.table("backlog").filter(channel="ecom_assisted").row(0, named=True)
    left = backlog["backlog"] - backlog["of_plan"]
    assert left == pytest.approx(90 - backlog["capacity"])
    assert left > 0
    # who cannot be served beside what comes in waits, and is no backlog of the plan
    assert first.accounts.filter(pl.col("channel") == "ecom_assisted").is_empty()
    kept = company.folder / "last"
    first.folder.rename(kept)
    second = company.plan("--previous", str(kept), staff=STAFF, arrivals=arrivals)
    again = second.table("backlog").filter(channel="ecom_assisted").row(0, named=True)
    assert again["arriving"] == pytest.approx(90 + left)
    assert again["backlog"] > backlog["backlog"]


class Roads(BaseHTTPRequestHandler):
    """An OSRM table service over straight roads at 40 km/h; beyond 3.5 degrees east there is no road."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        options = dict(part.split("=") for part in query.split("&"))
        lon, lat = np.array(
            [tuple(map(float, place.split(","))) for place in path.rsplit("/", 1)[1].split(";")]
        ).T
        rows, columns = ([int(k) for k in options[name].split(";")] for name in ("sources", "destinations"))
        km = 1.2 * great_circle_km(lat[rows], lon[rows], lat[columns], lon[columns])
        answer = {
            "code": "Ok", "durations": (km * 90).tolist(), "distances": (km * 1000).tolist(),
            "sources": [{"distance": 90_000.0 if lon[k] > 3.5 else 5.0} for k in rows],
        }  # fmt: skip
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def roads() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Roads)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_ways_come_from_a_road_service(company: Company, roads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALWRIGHT_HOME", str(company.folder / "home"))
    accounts = company.tables["accounts"]
    swimmer = accounts["account_id"][3]
    at_sea = accounts.with_columns(lon_deg=pl.when(account_id=swimmer).then(4.0).otherwise("lon_deg"))
    promises = pl.DataFrame({"account_id": [swimmer], "must": [True]})
    night = company.plan("--osrm", roads, accounts=at_sea, promises=promises)
    assert "travel times: OSRM" in night.said
    assert (
        row_of(night, swimmer)["visit_note"] == "no road leads there: check its position (is it in the sea?)"
    )
    assert list((company.folder / "home" / "ways").glob("*.npz"))
    first = night.table("visits").row(0, named=True)
    assert first["travel_min"] == pytest.approx(first["distance_km"] * 1.5 + 4.0, abs=0.1)


def test_a_road_service_that_is_not_there_is_said(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALWRIGHT_HOME", str(company.folder / "nowhere"))
    night = company.plan("--valhalla", "http://127.0.0.1:9")
    assert "ways estimated; Valhalla at http://127.0.0.1:9 did not answer" in night.said
    assert night.table("visits").height
    refused = company.plan("--osrm", "localhost:5000", expect=2)
    assert "'localhost:5000' is no web address: it begins with http://" in refused.said
    both = company.plan("--osrm", "http://a", "--valhalla", "http://b", expect=2)
    assert "give either --osrm or --valhalla, not both" in both.said
