"""What cannot be done is said: a plan with the reason, or an error with the fix; never a silent drop."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest
from small_company import QUICK, Company

PARAMETERS = QUICK  # whatever stands in the way of the plan also meets what is worked out of it
BARCELONA = {"type": "Polygon", "coordinates": [[[1.5, 41], [2.6, 41], [2.6, 42], [1.5, 42], [1.5, 41]]]}


def visited(accounts: pl.DataFrame) -> pl.DataFrame:
    return accounts.filter(pl.col("visit_at").is_not_null())


def test_the_shift_is_shorter_than_the_way_to_the_only_promised_visit(company: Company) -> None:
    reps = company.tables["reps"].with_columns(shift_end_min=pl.col("shift_start_min") + 10)
    promised = company.tables["accounts"]["account_id"][5]
    night = company.plan(reps=reps, promises=pl.DataFrame({"account_id": [promised], "must": [True]}))
    sentence = f"the promised visit to {promised} cannot be made: travel there and back with the visit takes"
    assert sentence in night.said
    assert "the shift has 0 h 10 min" in night.said
    assert any(notice.startswith(sentence) for notice in night.notices)
    report = re.sub(r"<[^>]*>", "", (night.folder / "report.html").read_text())  # the account is a link
    assert sentence.removeprefix("the ") in " ".join(report.split())
    row = night.accounts.row(by_predicate=pl.col("account_id") == promised, named=True)
    assert row["channel"] == "field"
    assert row["promised"]
    assert "the shift has 0 h 10 min" in row["visit_note"]
    assert night.table("visits").is_empty()


def test_nobody_works_in_the_contact_centre(company: Company) -> None:
    night = company.plan(staff=pl.DataFrame(schema={"rep_id": pl.String}))
    assert "the staff is empty: nobody works, and all work is left over" in night.said
    assert night.table("calls").is_empty()
    waiting = night.table("waitlist").filter(pl.col("channel") == "outbound_cc")
    assert waiting.height
    assert waiting["reason"].unique().to_list() == ["outbound_cc has no capacity"]
    assert waiting["expected_wait_days"].is_null().all()


def test_representatives_make_no_visits(company: Company) -> None:
    reps = company.tables["reps"].with_columns(visits_per_day=pl.lit(0, pl.Int64))
    night = company.plan(reps=reps)
    assert visited(night.accounts).is_empty()
    assert "the representative makes no visits (visits_per_day is 0)" in night.said


def test_no_channel_has_capacity(company: Company) -> None:
    limits = "".join(
        f"[channel.limits.{name}]\ncapacity = 0\n"
        for name in ("field", "outbound_cc", "inbound_cc", "ecom_assisted", "ecom_self")
    )
    params = company.folder / "nothing.toml"
    params.write_text(QUICK + limits)
    night = company.plan("--params", str(params))
    assert night.accounts["channel"].is_null().all()
    waitlist = night.table("waitlist")
    assert waitlist["reason"].str.ends_with("has no capacity").all()
    assert "has no capacity" in night.said


@pytest.mark.parametrize("known", [True, False])
def test_an_account_in_the_sea(company: Company, known: bool) -> None:
    accounts = company.tables["accounts"]
    swimmer = accounts["account_id"][3]
    at_sea = accounts.with_columns(
        lat_deg=pl.when(pl.col("account_id") == swimmer).then(40.5).otherwise("lat_deg"),
        lon_deg=pl.when(pl.col("account_id") == swimmer).then(4.0).otherwise("lon_deg"),
    )
    promises = pl.DataFrame({"account_id": [swimmer], "must": [True]})
    land = company.folder / "land.geojson"
    land.write_text(json.dumps(BARCELONA))
    night = company.plan(*(["--land", str(land)] if known else []), accounts=at_sea, promises=promises)
    row = night.accounts.row(by_predicate=pl.col("account_id") == swimmer, named=True)
    if known:
        assert row["visit_note"] == "its position is not on land: is it in the sea?"
        assert row["visit_at"] is None
        assert f"not on land: treated as unknown ({swimmer})" in night.said
    else:  # without a map it can only be said that nobody else is there
        assert "km from any other account or home" in row["position_note"]
        assert f"more than 50 km from any other account or home ({swimmer})" in night.said


@pytest.mark.parametrize("place", ["one point", "a home"])
def test_all_accounts_are_in_one_place(company: Company, place: str) -> None:
    home = company.tables["reps"].row(0, named=True)
    lat, lon = (41.4, 2.17) if place == "one point" else (home["home_lat_deg"], home["home_lon_deg"])
    night = company.plan(accounts=company.tables["accounts"].with_columns(lat_deg=lat, lon_deg=lon))
    assert visited(night.accounts).height
    assert night.accounts["rep_id"].is_not_null().all()
    travel = night.table("visits").filter(pl.col("stop") > 1)["travel_min"]
    assert (travel == 0).all()


def test_one_account(company: Company) -> None:
    one = company.tables["accounts"].head(1)
    own = {
        name: company.tables[name].join(one.select("account_id"), on="account_id", how="semi")
        for name in ("orders", "touches")
    }
    night = company.plan(accounts=one, **own)
    assert night.accounts.height == 1
    assert "base rate used" in night.said
    assert company.plan(accounts=one, orders=None, touches=None, reps=None).accounts.height == 1


@pytest.mark.parametrize(
    ("reps", "said"),
    [
        (None, "no representatives were given (--reps)"),
        (pl.DataFrame(schema={"rep_id": pl.String, "home_lat_deg": pl.Float64, "home_lon_deg": pl.Float64}),
         "there is no representative: nobody is visited"),
    ],
    ids=["no table", "an empty table"],
)  # fmt: skip
def test_no_representative(company: Company, reps: pl.DataFrame | None, said: str) -> None:
    night = company.plan(reps=reps)
    assert said in night.said
    if reps is not None:
        waiting = night.table("waitlist").filter(pl.col("channel") == "field")
        assert waiting["reason"].unique().to_list() == ["field has no capacity"]


def test_a_representative_with_a_shift_of_no_length_does_not_work(company: Company) -> None:
    off = company.tables["reps"]["rep_id"][0]
    reps = company.tables["reps"].with_columns(
        shift_end_min=pl.when(pl.col("rep_id") == off).then("shift_start_min").otherwise("shift_end_min")
    )
    night = company.plan(reps=reps)
    assert off not in night.table("visits")["rep_id"].to_list()
    assert visited(night.accounts).height
    assert "its representative does not work that day (a shift of no length)" in night.said
    ends_early = company.tables["reps"].with_columns(shift_end_min=pl.col("shift_start_min") - 1)
    broken = company.plan(reps=ends_early, expect=1)
    assert "shift_end_min the shift ends before it starts in 2 rows, the first is line 1" in broken.said


def test_nobody_consents(company: Company) -> None:
    accounts = company.tables["accounts"]
    consents = [name for name in accounts.columns if name.startswith("consent_")]
    night = company.plan(accounts=accounts.with_columns(pl.lit(value=False).alias(name) for name in consents))
    assert night.accounts["channel"].is_null().all()
    assert "40 of 40 accounts get no action; most often: no consent to" in night.said


def test_most_accounts_never_ordered(company: Company) -> None:
    few = company.tables["accounts"]["account_id"].head(3)
    night = company.plan(orders=company.tables["orders"].filter(pl.col("account_id").is_in(few.implode())))
    assert "base rate used" in night.said
    assert night.accounts["predicted_value_eur"].is_not_null().all()
    none = company.plan(orders=company.tables["orders"].head(0))
    assert none.accounts.height == 40


def test_positions_that_cannot_be_right(company: Company) -> None:
    accounts = company.tables["accounts"]
    zero, swapped = accounts["account_id"][1], accounts["account_id"][2]
    of = pl.col("account_id")
    wrong = accounts.with_columns(
        lat_deg=pl.when(of == zero).then(0.0).when(of == swapped).then("lon_deg").otherwise("lat_deg"),
        lon_deg=pl.when(of == zero).then(0.0).when(of == swapped).then("lat_deg").otherwise("lon_deg"),
    )
    promises = pl.DataFrame({"account_id": [zero, swapped], "must": [True, True]})
    night = company.plan(accounts=wrong, promises=promises)
    notes = dict(night.accounts.select("account_id", "visit_note").iter_rows())
    assert notes[zero] == "its position 0, 0 is in the Atlantic"
    assert notes[swapped] == "its latitude and longitude look swapped"
    assert f"position 0, 0 is in the Atlantic: treated as unknown ({zero})" in night.said
    all_swapped = accounts.rename({"lat_deg": "lon_deg", "lon_deg": "lat_deg"})
    refused = company.plan(accounts=all_swapped, expect=2)
    assert "lat_deg and lon_deg look swapped in 40 of 40 positions" in refused.said
    assert "swap latitude and longitude in the schema file" in refused.said


def test_a_promise_that_names_nobody_is_among_the_first_things_to_know(company: Company) -> None:
    promises = pl.DataFrame({"account_id": ["nobody", company.tables["accounts"]["account_id"][0]]})
    night = company.plan(promises=promises)
    rejected = "1 row of promises was rejected: account_id no such account in line 1"
    assert any(notice.startswith(rejected) for notice in night.notices[:2])  # after who changes hands
    rows = pl.read_csv(night.folder / "rejected" / "given-promises.csv")
    assert rows["account_id"].to_list() == ["nobody"]
    two = pl.DataFrame({"account_id": ["nobody", "no one"]})
    assert "100.0% of promises (account_id no such account" in company.plan(promises=two, expect=1).said


BROKEN: list[tuple[str, dict[str, object], int, str]] = [
    ("frequencies", {"account_id": "A0000001", "every_days": 0.0}, 0, "every_days not above 0"),
    ("call_backs", {"account_id": "A0000001", "at": "soon"}, 0, "at not a date or time that exists"),
    ("arrivals", {"channel": "fax", "start_min": 600, "contacts": 1.0}, 0, "channel not a channel"),
    ("staff", {"rep_id": "P1", "skills": "juggling"}, 0, "skills not among inbound_cc"),
    ("promises", {"account_id": "A0000001", "rep_id": "R9"}, 0, "rep_id no such representative"),
    ("promises", {"customer": "A0000001"}, 2, "no column 'account_id'"),
]


@pytest.mark.parametrize(("table", "row", "code", "said"), BROKEN, ids=[said for *_, said in BROKEN])
def test_a_broken_table_names_the_column_and_the_fix(
    company: Company, table: str, row: dict[str, object], code: int, said: str
) -> None:
    night = company.plan(expect=code, **{table: pl.DataFrame([row])})
    assert (f"1 row of {table} was rejected: {said}" if code == 0 else said) in night.said
