"""Runs of the plan over HTTP: asked for, watched, looked into, compared; and a worker killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import polars as pl
import pytest
from engine import rows
from servers import TestServer
from serving import ROOT, Serving, served_floor
from small_company import NO_COMPARISONS, QUICK

from dealwright import Client, ConflictError, InputError, NotFoundError, ServiceError
from dealwright.runs.schema_text import schema_toml
from dealwright.simulation.barcelona import BarcelonaParams, generate

Two = tuple[int, int]
SETTINGS = """
[night]
tables = "tables"
params = "quick.toml"
retry_after_min = 0
"""


@pytest.fixture(scope="module")
def service(
    server: TestServer, desk_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a service beside the tables of a small company; its worker is a process of its own."""
    folder = tmp_path_factory.mktemp("runs")
    company = generate(BarcelonaParams(n=40), seed=1)
    tables = folder / "tables"
    tables.mkdir()
    for name, frame in company.tables.items():
        if frame is not None:
            frame.write_parquet(tables / f"{name}.parquet")
    mapping = schema_toml(company.inputs.schema)
    for name, frame in company.tables.items():
        header, file = f"[{name}]\n", f'[{name}]\nfile = "{name}.parquet"\n'
        if frame is not None:
            mapping = mapping.replace(header, file) if header in mapping else f"{mapping}\n{file}"
    (tables / "company.toml").write_text(mapping)
    (folder / "quick.toml").write_text(NO_COMPARISONS + QUICK)
    (folder / "dealwright.toml").write_text(SETTINGS)
    with served_floor(server, desk_template, folder, "--no-worker") as found:
        yield found


@contextmanager
def working(service: Serving) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker beside the service; kill it at the end, if it still runs."""
    folder = service.log.parent
    environment = {
        **os.environ,
        "DATABASE_URL": service.desk.database.url,
        "DEALWRIGHT_HOME": str(folder / "home"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dealwright", "worker", "--every", "0.1"],
            stdout=log, stderr=log, env=environment, cwd=folder,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def client(service: Serving) -> Iterator[Client]:
    with Client(service.url, service.keys["planner"]) as found:
        yield found


@pytest.fixture(scope="module")
def two(service: Serving, client: Client) -> Two:
    """Return two runs that are done; the worker was killed in the middle of the first one."""
    first = client.start_run(seed=1)["night_id"]
    second = client.start_run(seed=1, publish=False, previous=0, params={"action": {"max_cost_eur": 20}})
    assert (second["status"], second["requested_by"], second["share"]) == ("queued", "planner", 0)
    with working(service):
        deadline = time.monotonic() + 120
        while not client.run(first)["share"]:
            over = time.monotonic() > deadline or client.run(first)["error"]
            assert not over, (service.log.parent / "worker.log").read_text()
            time.sleep(0.02)
    begun = client.run(first)
    assert (begun["status"], begun["attempts"]) == ("running", 1)
    assert 0 < begun["share"] < 1
    with working(service):
        for run in (first, second["night_id"]):
            done = client.wait_for_run(run, timeout_s=180, poll_s=0.1)
            assert done["status"] == "done", done
    return first, second["night_id"]


def test_a_run_whose_worker_was_killed_is_begun_again_and_done_once(
    service: Serving, client: Client, two: Two
) -> None:
    runs = service.log.parent / "runs"
    assert sorted(path.name for path in runs.iterdir()) == ["000001-2", "000002"]  # nothing half-written
    done = client.run(two[0])
    assert (done["attempts"], done["share"]) == (2, 1.0)
    published = client.plan_runs()
    assert [run["run_id"] for run in published] == [done["result"]["published"]["run_id"]]
    with service.desk.database.connect() as connection:
        tasks = rows(connection, "select count(*) as n from dealwright.task")[0]["n"]
        kinds = [row["kind"] for row in rows(
            connection, "select kind from dealwright.event where payload->>'night_id' = '1' order by position"
        )]  # fmt: skip
    assert tasks == done["result"]["published"]["tasks"] > 0
    assert client.run(two[1])["result"]["published"] is None
    assert (kinds[:2], kinds[-1], kinds.count("night_postponed")) == (
        ["night_queued", "night_begun"],
        "night_done",
        1,
    )
    assert kinds.count("night_stage") > 5
    assert [run["night_id"] for run in client.runs(status="done")] == [two[1], two[0]]
    # who looks into the log finds the request that asked for it
    log = (service.log.parent / "worker.log").read_text()
    assert f'"request_id": "{done["request_id"]}"' in log


def test_accounts_are_paged_searched_and_filtered(
    client: Client, service: Serving, two: tuple[int, int]
) -> None:
    table = pl.read_parquet(service.log.parent / "runs" / "000001-2" / "accounts.parquet")
    whole = list(client.run_accounts(two[0]))
    assert len(whole) == table.height == 40
    gains = [row["expected_value_eur"] for row in whole]
    assert gains == sorted(gains, key=lambda gain: -(gain or 0))
    with service.client("planner") as http:
        seen: list[str] = []
        after: str | None = None
        while True:
            page = http.get(
                f"/api/v1/runs/{two[0]}/accounts", params={"limit": 7, **({"after": after} if after else {})}
            )
            seen += [row["account_id"] for row in page.json()["items"]]
            after = page.json()["next"]
            if after is None:
                break
    assert seen == [row["account_id"] for row in whole]
    one = whole[3]
    assert one["account_id"] in [
        row["account_id"] for row in client.run_accounts(two[0], search=one["account_id"].upper())
    ]
    assert list(client.run_accounts(two[0], search="no such account")) == []
    visits = list(client.run_accounts(two[0], action=one["action"], segment=one["segment"]))
    expected = table.filter(pl.col("action") == one["action"], pl.col("segment") == one["segment"])
    assert {row["account_id"] for row in visits} == set(expected["account_id"])


def test_a_card_says_what_was_decided_and_why(client: Client, two: Two) -> None:
    planned = next(row for row in client.run_accounts(two[0]) if row["channel"])
    card = client.run_account(two[0], planned["account_id"])
    shown = {name: card[name] for name in ("account_id", "action", "channel", "rep_id")}
    assert shown == {name: planned[name] for name in shown}
    assert card["state"] == "scheduled"
    assert card["options"]
    with pytest.raises(NotFoundError, match="no account 'nobody'"):
        client.run_account(two[0], "nobody")


def test_figures_tasks_limits_and_files_of_a_run(
    client: Client, service: Serving, two: tuple[int, int]
) -> None:
    folder = service.log.parent / "runs" / "000001-2"
    figures = {item["name"]: item["value"] for item in client.run_kpis(two[0])}
    assert figures.items() >= client.run(two[0])["result"]["kpis"].items()
    tasks = list(client.run_tasks(two[0]))
    assert len(tasks) == client.run(two[0])["result"]["published"]["tasks"]
    assert len(list(client.run_limits(two[0]))) == pl.read_parquet(folder / "limits.parquet").height
    files = {item["name"]: item["bytes"] for item in client.run_files(two[0])}
    assert files["report.html"] == (folder / "report.html").stat().st_size
    assert client.run_file(two[0], "report.html") == (folder / "report.html").read_bytes()
    inner = next(name for name in files if name.startswith("calendars/"))
    assert client.run_file(two[0], inner) == (folder / inner).read_bytes()
    (service.log.parent / "runs" / "secret").write_text("x")
    for name in ("../secret", "../000002/report.html", "/etc/passwd", "absent", "..%2Fsecret", "maps"):
        with pytest.raises(NotFoundError):
            client.run_file(two[0], name)


def test_two_runs_are_compared(service: Serving, client: Client, two: Two) -> None:
    figures, changed = client.compare_runs(two[1], before=two[0])
    moves = list(changed)
    before, after = ({row["account_id"]: row for row in client.run_accounts(run)} for run in two)
    names = ("action", "channel", "rep_id")
    expected = {key for key in before if any(before[key][n] != after[key][n] for n in names)}
    assert {row["account_id"] for row in moves} == expected
    assert expected
    for row in moves:
        assert row["what"] == "changed"
        for name in names:
            assert row[f"{name}_before"] == before[row["account_id"]][name]
            assert row[f"{name}_after"] == after[row["account_id"]][name]
    of = {item["name"]: item for item in figures}
    kpis = [{item["name"]: item["value"] for item in client.run_kpis(run)} for run in two]
    moved = [name for name, item in of.items() if item["change"]]
    assert moved
    for name in moved:
        assert of[name]["change"] == pytest.approx(kpis[1][name] - kpis[0][name])
    same = client.compare_runs(two[0], before=two[0])
    assert list(same[1]) == []


def test_what_cannot_be_planned_is_refused_at_once(client: Client, two: Two) -> None:
    for options, said in (
        ({"directory": ".."}, "below the folder"), ({"accounts": "/etc/passwd"}, "below the folder"),
        ({"params": {"route": {"iteration": 1}}}, "did you mean"), ({"sed": 1}, "sed"),
        ({"osrm": "http://127.0.0.1"}, "osrm"), ({"world": "mars"}, "barcelona"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            client.start_run(**options)
    with pytest.raises(NotFoundError, match="no night 999"):
        client.start_run(previous=999)
    assert next(client.runs())["night_id"] == two[1]


def test_a_what_if_is_asked_for_with_the_changes_that_the_console_sends(client: Client, two: Two) -> None:
    base = client.run(two[0])
    asked = client.start_run(what_if=two[0], changes={"visits_per_day": 1}, params={"route": {"joint": 1}})
    options = asked["options"]
    assert (options["what_if"], options["publish"], options["changes"]["visits_per_day"]) == (
        two[0],
        False,
        1,
    )
    assert options["as_of"] == base["result"]["as_of"]
    assert (options["seed"], options["params"]["route"]["joint"]) == (1, 1)
    client.cancel_run(asked["night_id"])
    with pytest.raises(InputError, match="seed is not for a what-if"):
        client.start_run(what_if=two[0], changes={"visits_per_day": 1}, seed=2)
    with pytest.raises(InputError, match="nothing is changed"):
        client.start_run(what_if=two[0])
    with pytest.raises(InputError, match="name the night with what_if"):
        client.start_run(changes={"visits_per_day": 1})


def test_a_day_and_territories_are_changed_through_the_client(
    service: Serving, client: Client, two: Two
) -> None:
    folder = service.log.parent / "runs" / "000001-2"
    visits = pl.read_parquet(folder / "visits.parquet")
    day, account = visits["day"].min(), visits.sort("day", "rep_id", "stop")["account_id"][0]
    assert isinstance(day, date)
    planned = client.run_day(two[0], day)
    tried = client.try_day_change(two[0], day, kind="leave_out", account_id=account)
    assert client.run_day(two[0], day)["seen"] == planned["seen"] == 0
    changed = client.change_day(two[0], day, seen=0, kind="leave_out", account_id=account)
    assert changed["difference"] == tried["difference"]
    assert changed["difference"]["visits"] == -1
    with pytest.raises(ConflictError, match="meanwhile"):
        client.change_day(two[0], day, seen=0, kind="absent", rep_id=visits["rep_id"][0])
    undone = client.undo_day_change(two[0], day, seen=changed["seen"])
    assert undone["figures"] == planned["figures"]
    redone = client.redo_day_change(two[0], day, seen=undone["seen"])
    assert redone["figures"] == changed["figures"]
    again = client.replan_day(two[0], day, seen=redone["seen"])
    assert account not in {row["account_id"] for row in again["visits"]}
    # territories
    scenario = client.create_territory_scenario("from Python", two[0])
    number = scenario["scenario_id"]
    territory = scenario["territories"][0]["territory"]
    other = next(row for row in client.scenario_accounts(number) if row["territory"] not in (None, territory))
    edited = client.edit_territory_scenario(
        number, kind="accounts", accounts=[other["account_id"]], to=territory
    )
    moved = list(client.scenario_accounts(number, moved=True))
    assert [row["account_id"] for row in moved] == [other["account_id"]]
    assert client.undo_territory_edit(number)["figures"] == scenario["figures"] != edited["figures"]
    assert [row["name"] for row in client.territory_scenarios()] == ["from Python"]
    client.approve_territory_scenario(number, day)
    assert client.territory_scenario(number)["status"] == "approved"
    assert client.retire_territory_scenario(number)["status"] == "retired"


def test_a_run_is_called_off_and_has_no_results(
    client: Client, service: Serving, two: tuple[int, int]
) -> None:
    night_id = client.start_run()["night_id"]
    with pytest.raises(ServiceError, match="still queued"):
        client.wait_for_run(night_id, timeout_s=0.1, poll_s=0.05)
    assert client.cancel_run(night_id)["status"] == "cancelled"
    with pytest.raises(NotFoundError, match="is cancelled and has no results"):
        client.run_kpis(night_id)
    with pytest.raises(ConflictError, match="is over"):
        client.cancel_run(two[0])
    with service.client("planner") as http:
        twice = {"Idempotency-Key": "twice"}
        answers = [http.post("/api/v1/runs", json={}, headers=twice).json()["night_id"] for _ in (1, 2)]
        assert answers[0] == answers[1]
        other = http.post("/api/v1/runs", json={"seed": 2}, headers=twice)
        assert other.status_code == 409
    client.cancel_run(answers[0])
    shutil.rmtree(service.log.parent / "runs" / "000002")
    with pytest.raises(NotFoundError, match="not on this machine"):
        client.run_kpis(two[1])
