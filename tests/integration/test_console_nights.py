"""The console's pages of nights: who may see them, what they say, and that a what-if stays one."""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from engine import rows
from nights import served_nights
from servers import TestServer
from serving import Serving

READERS = ("planner", "manager", "admin")
_ENDED = ("done", "failed", "cancelled")


@pytest.fixture(scope="module")
def service(
    server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    with served_nights(server, desk_template, tmp_path_factory.mktemp("nights")) as found:
        yield found


@pytest.fixture(scope="module")
def client(service: Serving) -> Iterator[httpx.Client]:
    with service.client("planner") as found:
        yield found


def wait(client: httpx.Client, number: int, within_s: float = 180) -> dict[str, Any]:
    """Wait for the end of a night, and return it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        night: dict[str, Any] = client.get(f"/nights/{number}.json").json()["night"]
        if night["status"] in _ENDED:
            return night
        time.sleep(0.3)
    raise AssertionError(f"night {number} is not over within {within_s} s")


def ask(client: httpx.Client, path: str = "/nights", **fields: str) -> int:
    """Send a form and return the night that it asked for."""
    answer = client.post(path, data=fields)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].split("/")[2].partition("?")[0])


@pytest.fixture(scope="module")
def night(client: httpx.Client) -> int:
    """Return a night that is done and published."""
    number = ask(client, source="tables", seed="1", publish="1", once="first")
    assert number == ask(client, source="tables", seed="1", publish="1", once="first")  # a form sent twice
    done = wait(client, number)
    assert (done["status"], done["published"]) == ("done", True), done
    return number


@pytest.fixture(scope="module")
def folder(service: Serving, night: int) -> Path:
    return service.log.parent / "runs" / f"{night:06d}"


def test_planners_and_managers_see_the_nights_and_others_do_not(service: Serving, night: int) -> None:
    account = service.client("planner").get(f"/nights/{night}/accounts.json").json()["rows"][0]["account_id"]
    views = (
        "/nights", f"/nights/{night}", f"/nights/{night}/accounts", f"/nights/{night}/accounts/{account}",
        "/what-if",
    )  # fmt: skip
    for role in (*READERS, "A1", "ingest"):
        with service.client(role) as client:
            for path in views:
                for form in ("", ".json", ".csv"):
                    answer = client.get(path + form)
                    assert answer.status_code == (200 if role in READERS else 403), (role, path, form)
            for path in (f"/nights/{night}/files/report.html", f"/nights/{night}/files/accounts.parquet"):
                assert client.get(path).status_code == (200 if role in READERS else 403), (role, path)
            if role not in READERS:
                assert client.get("/live/nights/all").status_code == 403
                for path in ("/nights", f"/nights/{night}/cancel", f"/nights/{night}/again", "/what-if"):
                    assert client.post(path, data={"n": "1"}).status_code == 403, (role, path)
                assert 'href="/nights"' not in client.get("/").text
    with service.client("manager") as client:
        assert 'href="/nights" data-key="n"' in client.get("/floor").text


def test_every_number_of_the_first_screen_is_the_number_of_its_rows(
    client: httpx.Client, night: int, folder: Path
) -> None:
    screen = client.get(f"/nights/{night}.json").json()["screen"]
    table = pl.read_parquet(folder / "accounts.parquet")
    kpis = {item["name"]: item["value"] for item in json.loads((folder / "kpis.json").read_text())["kpis"]}
    served = table.filter(pl.col("channel").is_not_null())
    waits = table.filter(pl.col("channel").is_null(), pl.col("action") != "nothing")
    counts = screen["counts"]
    assert (counts["scheduled"], counts["waiting"]) == (served.height, waits.height)
    assert waits.height > 0  # else the page is shown too little
    assert counts["nothing"] == table.height - served.height
    assert screen["figures"]["contacts_value_eur"] == pytest.approx(served["expected_value_eur"].sum())
    for state, count in counts.items():
        found = client.get(f"/nights/{night}/accounts.json", params={"state": state}).json()
        assert found["total"] == len(found["rows"]) == count, state
    for limit in screen["limits"]:
        assert client.get(limit["path"].replace("?", ".json?")).json()["total"] == limit["accounts"]
        assert table.filter(pl.col("limit") == limit["limit"]).height == limit["accounts"]
    steps = {step["step"]: step["count"] for step in screen["funnel"]}
    assert list(steps.values())[:4] == [
        200, table.height, counts["acted"], served.height,
    ]  # fmt: skip
    assert steps["Scheduled on a channel"] == kpis["contacts_scheduled"]
    page = client.get(f"/nights/{night}").text
    assert f'href="/nights/{night}/accounts?state=nothing"' in page
    assert f'href="/nights/{night}/files/report.html"' in page


def test_a_task_that_was_done_is_at_the_end_of_the_funnel(
    service: Serving, client: httpx.Client, night: int
) -> None:
    task = next(row for row in service.desk.tasks.find().rows if row["status"] == "planned")
    service.desk.tasks.finish(task["task_id"], "responded")
    steps = {
        step["step"]: step["count"] for step in client.get(f"/nights/{night}.json").json()["screen"]["funnel"]
    }
    assert (steps["Tasks done"], steps["Answered"]) == (1, 1)
    found = client.get(f"/nights/{night}/accounts.json?state=done").json()
    assert [row["account_id"] for row in found["rows"]] == [task["account_id"]]


def test_accounts_are_found_sorted_paged_and_exported(client: httpx.Client, night: int, folder: Path) -> None:
    table = pl.read_parquet(folder / "accounts.parquet")
    path = f"/nights/{night}/accounts"
    exported = list(csv.DictReader(io.StringIO(client.get(f"{path}.csv").text)))
    assert {row["account_id"] for row in exported} == set(table["account_id"])
    assert len(exported) == table.height > 100  # the page shows a hundred
    gains = [float(row["expected_value_eur"] or -1) for row in exported]
    assert gains == sorted(gains, reverse=True)
    name = table["account_name"].drop_nulls()[7]
    found = client.get(f"{path}.json", params={"search": name.upper()}).json()["rows"]
    assert {row["account_name"] for row in found} == {
        other for other in table["account_name"].drop_nulls() if name.lower() in other.lower()
    }
    one = table.filter(pl.col("channel").is_not_null()).row(0, named=True)
    wanted = {key: one[key] for key in ("action", "channel", "segment", "territory", "rep_id")}
    found = client.get(f"{path}.json", params=wanted).json()
    same = table.filter(*(pl.col(key) == value for key, value in wanted.items()))
    assert {row["account_id"] for row in found["rows"]} == set(same["account_id"])
    leaving = [
        row["churn_probability"]
        for row in client.get(f"{path}.json", params={"sort": "-leaving"}).json()["rows"]
    ]
    known = [share for share in leaving if share is not None]
    assert known == sorted(known)
    assert leaving[: len(known)] == known  # what is not known comes last
    first, second = client.get(path).text, client.get(f"{path}?from=100").text
    assert 'rel="next"' in first
    assert 'rel="prev"' in second
    assert client.get(f"{path}?state=lost").status_code == 422
    assert client.get(f"{path}?sort=colour").status_code == 422
    assert client.get(f"{path}?action=nobody").status_code == 200


def test_a_card_says_what_was_decided_and_why(client: httpx.Client, night: int, folder: Path) -> None:
    table = pl.read_parquet(folder / "accounts.parquet")
    one = table.filter(pl.col("visit_at").is_not_null()).row(0, named=True)
    card = client.get(f"/nights/{night}/accounts/{one['account_id']}.json").json()["account"]
    assert (card["action"], card["channel"], card["state"]) == (one["action"], one["channel"], "scheduled")
    page = client.get(f"/nights/{night}/accounts/{one['account_id']}").text
    assert "Other actions, and why not" in page
    assert f"/nights/{night}/files/days/" in page
    by_name = client.get(f"/nights/{night}/accounts/{one['account_name']}.json")
    assert by_name.status_code in (200, 404)  # several may have the name
    assert client.get(f"/nights/{night}/accounts/no-such").status_code == 404


def test_files_are_those_that_the_run_wrote_and_no_others(
    service: Serving, client: httpx.Client, night: int, folder: Path
) -> None:
    report = client.get(f"/nights/{night}/files/report.html")
    assert report.text == (folder / "report.html").read_text("utf-8")
    policy = report.headers["content-security-policy"]
    scripts = policy.partition("script-src")[2].partition(";")[0]
    assert "unsafe" not in scripts
    assert "'sha256-" in scripts
    assert client.get(f"/nights/{night}/files/rejected/accounts.csv").status_code == 200
    (folder / "notes.txt").write_text("not the run's")
    (folder / ".hidden").write_text("not the run's")
    try:
        for name in ("notes.txt", ".hidden", "", "..%2f000001%2fnotes.txt",
                     "..%2f..%2fdealwright.toml", "%2e%2e/%2e%2e/dealwright.toml", "%2fetc%2fpasswd",
                     "maps/..%2f..%2f..%2fquick.toml", "%00", "nothing.html"):  # fmt: skip
            answer = client.get(f"/nights/{night}/files/{name}")
            assert answer.status_code in (400, 404, 422), (name, answer.status_code)
    finally:
        (folder / "notes.txt").unlink()
        (folder / ".hidden").unlink()
    secret = service.log.parent / "secret.html"
    secret.write_text("secret")
    (folder / "maps" / "link.html").symlink_to(secret)
    assert client.get(f"/nights/{night}/files/maps/link.html").status_code == 404
    (folder / "maps" / "link.html").unlink()


def test_a_what_if_without_effect_is_the_night_itself_and_no_night_takes_over_from_it(
    service: Serving, client: httpx.Client, night: int, folder: Path
) -> None:
    # more contacts than there are accounts: a change that limits nothing
    variant = ask(client, "/what-if", night=str(night), max_contacts="100000", once="same")
    assert wait(client, variant)["status"] == "done"
    record = service.desk.nights.get(variant)
    assert (record.what_if, record.options["publish"]) == (night, False)
    other = service.log.parent / "runs" / f"{variant:06d}"
    now, then = (pl.read_parquet(path / "accounts.parquet") for path in (folder, other))
    compared = ["account_id", "action", "channel", "rep_id", "expected_value_eur"]
    assert now.select(compared).equals(then.select(compared))
    shown = client.get(f"/nights/{variant}/compare/{night}.json").json()
    assert (shown["changed"], shown["rows"]) == (0, [])
    assert {row["change"] for row in shown["figures"]} <= {0, None}
    latest = service.desk.nights.latest_done()
    assert latest is not None
    assert latest.night_id == night
    # nothing of it is on the desk
    assert len(service.desk.tasks.runs().rows) == 1


def test_a_what_if_brings_what_the_same_plan_with_that_changed_brings(
    service: Serving, client: httpx.Client, night: int, folder: Path
) -> None:
    from dealwright.runs.night import run_night
    from dealwright.runs.request import NightRequest, read_request
    from dealwright.runs.what_if import InputChanges

    variant = ask(client, "/what-if", night=str(night), visits="+2", shift_min="60", representatives="1")
    assert wait(client, variant)["status"] == "done"
    record = service.desk.nights.get(variant)
    changes = record.options["changes"]
    assert (changes["visits_per_day"], changes["shift_end_min"], len(changes["more_representatives"])) == (
        2,
        60,
        1,
    )
    by_hand = read_request(
        service.log.parent / "by-hand",
        {"directory": str(service.log.parent / "tables"), "seed": 1},
        params=service.log.parent / "quick.toml",
    )
    by_hand = NightRequest(
        **{**vars(by_hand), "changes": InputChanges(2, 60, tuple(changes["more_representatives"]))}
    )
    expected = run_night(by_hand).plan.kpis.summary()
    shown = {
        row["name"]: row for row in client.get(f"/nights/{variant}/compare/{night}.json").json()["figures"]
    }
    for name in ("contacts_scheduled", "contacts_value_eur", "visits", "distance_km", "backlog"):
        assert shown[name]["after"] == pytest.approx(expected[name]), name
        assert shown[name]["change"] == pytest.approx(shown[name]["after"] - shown[name]["before"])
    assert shown["visits"]["change"] > 0
    page = client.get(f"/nights/{variant}/compare/{night}").text
    assert "+2 visits a day for each representative" in page
    assert "Travel would cost" in page
    # whatever is asked of a what-if is asked of its night
    assert ask(client, "/what-if", night=str(variant), visits="-1") > variant
    newest = service.desk.nights.list(k=1)[0]
    assert newest.what_if == night
    service.desk.nights.cancel(newest.night_id, "the test")


@pytest.mark.parametrize(
    ("fields", "named"),
    [({}, "is changed"), ({"visits": "many"}, "whole number"), ({"representatives": "-2"}, "nobody"),
     ({"staff": "1"}, "name no staff"), ({"shift_min": "999"}, "from -480 to 480"),
     ({"capacity.outbound_cc": "-3"}, "whole number"), ({"max_cost_eur": "much"}, "must be a number")],
)  # fmt: skip
def test_a_what_if_that_cannot_be_is_refused_with_the_reason(
    client: httpx.Client, night: int, fields: dict[str, str], named: str
) -> None:
    answer = client.post("/what-if", data={"night": str(night), **fields})
    assert answer.status_code == 422
    assert named in answer.text


def test_a_night_that_failed_says_where_why_and_what_to_do_and_can_be_asked_for_again(
    service: Serving, client: httpx.Client, night: int
) -> None:
    accounts = service.log.parent / "tables" / "accounts.parquet"
    kept = accounts.with_suffix(".kept")
    shutil.move(accounts, kept)
    pl.DataFrame({"something": [1]}).write_parquet(accounts)
    try:
        failed = ask(client, source="tables", once="broken")
        assert wait(client, failed)["status"] == "failed"
        page = client.get(f"/nights/{failed}").text
        assert "reading the tables" in page
        assert "accounts" in service.desk.nights.get(failed).error  # type: ignore[operator]
        assert "Fix what the message names, then run it again." in page
        assert client.get(f"/nights/{failed}/accounts").status_code == 404
    finally:
        shutil.move(kept, accounts)
    again = client.post(f"/nights/{failed}/again", data={"once": "x"})
    assert again.status_code == 303, again.text
    number = int(again.headers["location"].split("/")[2].partition("?")[0])
    called_off = client.post(f"/nights/{number}/cancel")
    assert called_off.status_code == 303, called_off.text
    assert wait(client, number)["status"] in ("cancelled", "done")
    assert client.post(f"/nights/{night}/again", data={"once": "x"}).status_code == 409
    with service.desk.database.connect() as connection:
        assert rows(connection, "select count(*) as n from dealwright.plan_run")[0]["n"] in (1, 2)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"source": "world", "n": "0"}, "n"), ({"source": "tables", "as_of": "soon"}, "cut-off"),
     ({"source": "tables", "seed": "-1"}, "seed")],
)  # fmt: skip
def test_a_form_that_cannot_be_carried_out_is_refused_at_once(
    client: httpx.Client, fields: dict[str, str], named: str
) -> None:
    answer = client.post("/nights", data=fields)
    assert answer.status_code == 422
    assert named in answer.text
