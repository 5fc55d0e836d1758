"""Nights by the queue and by the clock: one at a time, each once, whatever dies, and nothing half-written."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine import rows

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.desk.nights import NightRecord
from dealwright.errors import ConflictError, NotFoundError, UnknownNameError
from dealwright.runs.night_worker import NightPlace, NightWorker
from dealwright.settings import NightSettings

# a night that does what its option `company` says, within milliseconds
PROGRAM = """
import json, os, sys, time
from pathlib import Path
task = json.loads(sys.stdin.readline())
out, what = Path(task["out"]), task["options"].get("company", "quick")
with open(out.parent / "begun.txt", "a") as file:
    file.write(f"{os.getpid()} {out.name} {task['previous']}\\n")
def say(**message):
    print(json.dumps(message), flush=True)
say(stage="predict", share=0.25)
partial = out.with_name(f".{out.name}.partial")
partial.mkdir(parents=True)
if what == "hang":
    time.sleep(600)
if what == "crash":
    os._exit(7)
if what == "wait":
    while not (out.parent / "go").exists():
        time.sleep(0.01)
if what == "broken":
    say(error="orders.csv: no column 'amount'; name it under [orders]", kind="InputError")
    sys.exit(1)
print("noise of a library")
partial.rename(out)
say(result={"kpis": {"net_eur": 12.5}, "accounts": 3})
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Floor:
    """A desk with workers for its nights, on a clock of their own."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.desk, self.folder = Desk(database), folder
        self.settings = NightSettings(runs=str(folder), **settings)
        self.now = at("2026-01-05T12:00")  # a Monday

    def worker(self) -> NightWorker:
        place = NightPlace(self.desk.database.url, self.folder, self.settings)
        return NightWorker(
            self.desk,
            place,
            clock=lambda: self.now,
            command=[sys.executable, "-S", "-c", PROGRAM],
            poll_s=0.02,
        )

    @contextmanager
    def working(self, workers: int = 1) -> Iterator[Callable[[], None]]:
        """Let workers work; what is yielded ends them."""
        stop = threading.Event()
        threads = [threading.Thread(target=self.worker().run, args=(stop,)) for _ in range(workers)]
        for thread in threads:
            thread.start()

        def end() -> None:
            stop.set()
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()

        try:
            yield end
        finally:
            end()

    def ask(self, what: str = "quick", key: str | None = None) -> int:
        options = {"company": what}
        return self.desk.nights.request(key or f"k{time.monotonic_ns()}", "Ann", options, begin_at=self.now)

    def begun(self) -> list[str]:
        path = self.folder / "begun.txt"
        return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []

    def wait(self, condition: Callable[[], Any], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, [night.to_dict() for night in self.desk.nights.list()]
            time.sleep(0.02)

    def ended(self, night_id: int) -> NightRecord:
        self.wait(lambda: self.desk.nights.get(night_id).is_over)
        return self.desk.nights.get(night_id)

    def events(self) -> list[tuple[str, Any]]:
        with self.desk.database.connect() as connection:
            found = rows(
                connection,
                "select kind, payload from dealwright.event where kind like 'night%%' order by position",
            )
        return [(row["kind"], row["payload"]) for row in found]


@pytest.fixture
def floor(database: Database, tmp_path: Path) -> Floor:
    return Floor(database, tmp_path)


def test_nights_are_carried_out_one_by_one_in_their_order(floor: Floor) -> None:
    asked = [floor.ask("wait"), floor.ask(), floor.ask()]
    with floor.working(workers=3):
        floor.wait(lambda: floor.desk.nights.get(asked[0]).share == 0.25)
        time.sleep(0.2)
        assert [night.status for night in floor.desk.nights.list()] == ["queued", "queued", "running"]
        assert floor.desk.nights.get(asked[0]).stage == "predict"
        (floor.folder / "go").touch()
        last = floor.ended(asked[2])
    assert floor.begun() == ["000001", "000002", "000003"]
    assert (last.status, last.folder, last.share, last.attempts) == ("done", "000003", 1.0, 1)
    assert last.result == {"kpis": {"net_eur": 12.5}, "accounts": 3}
    # the run before is compared with
    began = (floor.folder / "begun.txt").read_text().splitlines()
    assert [line.split()[2] for line in began] == ["None", *(str(floor.folder / f"00000{n}") for n in (1, 2))]
    told = [
        (kind, said.get("stage"), said["share"])
        for kind, said in floor.events()
        if said["night_id"] == 1 and said.get("stage") != "starting"
    ]
    assert told == [
        ("night_queued", None, 0), ("night_begun", None, 0), ("night_stage", "predict", 0.25),
        ("night_done", "predict", 1),
    ]  # fmt: skip


def test_the_same_request_is_the_same_night(floor: Floor) -> None:
    first = floor.ask(key="once")
    assert floor.ask(key="once") == first
    with pytest.raises(ConflictError, match="once"):
        floor.ask("hang", key="once")
    assert [night.night_id for night in floor.desk.nights.list()] == [first]
    with pytest.raises(NotFoundError, match="99"):
        floor.desk.nights.get(99)
    with pytest.raises(UnknownNameError, match="did you mean"):
        floor.desk.nights.list(status="don")


def test_a_night_that_was_asked_for_fails_with_the_words_of_its_error(floor: Floor) -> None:
    broken = floor.ask("broken")
    with floor.working():
        night = floor.ended(broken)
    assert (night.status, night.attempts) == ("failed", 1)
    assert night.error == "orders.csv: no column 'amount'; name it under [orders]"
    assert [path.name for path in floor.folder.iterdir()] == ["begun.txt"]  # nothing half-written
    assert floor.events()[-1][1]["error"] == night.error


def test_a_process_that_dies_is_begun_again_and_then_given_up(floor: Floor, caplog: Any) -> None:
    crashing = floor.ask("crash")
    with floor.working():
        floor.wait(lambda: floor.desk.nights.get(crashing).attempts == 1)
        floor.wait(lambda: floor.desk.nights.get(crashing).status == "queued")
        assert "code 7" in str(floor.desk.nights.get(crashing).error)
        for _ in range(2):
            begun = len(floor.begun())
            time.sleep(0.1)
            assert len(floor.begun()) == begun  # not before the pause is over
            floor.now += timedelta(minutes=10)
            floor.wait(lambda expected=begun + 1: len(floor.begun()) == expected)
        night = floor.ended(crashing)
    assert (night.status, night.attempts) == ("failed", 3)
    assert str(night.error).endswith("(attempt 3, the last)")
    assert floor.begun() == ["000001", "000001-2", "000001-3"]
    alarms = [record for record in caplog.records if getattr(record, "alarm", False)]
    assert [record.levelname for record in alarms] == ["ERROR"]
    assert floor.events()[-1][0] == "night_failed"


def test_one_is_called_off_while_it_waits_and_while_it_runs(floor: Floor) -> None:
    runs, waits = floor.ask("hang"), floor.ask()
    with floor.working():
        floor.wait(lambda: floor.desk.nights.get(runs).share == 0.25)
        assert floor.desk.nights.cancel(waits, "Ben").status == "cancelled"
        assert floor.desk.nights.cancel(runs, "Ben").cancelled_by == "Ben"
        night = floor.ended(runs)
        done = floor.ended(floor.ask())
    assert night.status == "cancelled"
    assert done.status == "done"
    assert sorted(path.name for path in floor.folder.iterdir()) == ["000003", "begun.txt"]
    assert floor.desk.nights.cancel(runs, "Eve").cancelled_by == "Ben"  # once more changes nothing
    with pytest.raises(ConflictError, match="is over: it is done"):
        floor.desk.nights.cancel(done.night_id, "Ben")


def test_a_worker_that_is_stopped_gives_the_night_to_the_next(floor: Floor) -> None:
    hanging = floor.ask("hang")
    with floor.working() as end:
        floor.wait(lambda: floor.desk.nights.get(hanging).share == 0.25)
        end()
    night = floor.desk.nights.get(hanging)
    assert (night.status, night.attempts, night.error) == ("queued", 0, "its worker was stopped")
    with floor.working():
        floor.wait(lambda: len(floor.begun()) == 2)
        floor.desk.nights.cancel(hanging, "Ben")
        assert floor.ended(hanging).status == "cancelled"


def test_what_a_dead_worker_left_is_begun_again_a_bounded_number_of_times(floor: Floor) -> None:
    night_id = floor.ask()
    for attempt in (1, 2, 3):  # each time its worker is gone without a word
        night = floor.desk.nights.begin("host:1", floor.now)
        assert night is not None
        assert night.attempts == attempt
        floor.desk.nights.progress(night_id, "route", 0.5)
        assert floor.desk.nights.begin("host:2", floor.now) is None  # one at a time
        (floor.folder / f".000001{'' if attempt == 1 else f'-{attempt}'}.partial").mkdir()
        floor.worker()._recover()
        assert not list(floor.folder.iterdir())
        found = floor.desk.nights.get(night_id)
        assert found.status == ("queued" if attempt < 3 else "failed")
    assert found.error == "the worker host:1 ended in the stage route (attempt 3, the last)"


def test_a_database_that_goes_away_in_mid_night_costs_nothing(database: Database, floor: Floor) -> None:
    waiting = floor.ask("wait")
    with floor.working():
        floor.wait(lambda: floor.desk.nights.get(waiting).share == 0.25)
        with floor.desk.database.connect(autocommit=True) as connection:
            cut = rows(
                connection,
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()",
            )
        assert cut
        (floor.folder / "go").touch()
        with Desk(Database(database.url)) as other:  # the connections of the first were cut
            floor.wait(lambda: other.nights.get(waiting).is_over)
            night = other.nights.get(waiting)
    assert (night.status, night.attempts, floor.begun()) == ("done", 1, ["000001"])


def test_the_schedule_asks_for_each_night_once_however_many_workers_look(
    database: Database, tmp_path: Path
) -> None:
    floor = Floor(database, tmp_path, at="02:00", time_zone="Europe/Madrid", keep=2)
    with floor.working(workers=3):
        time.sleep(0.2)
        assert floor.desk.nights.list() == ()  # what was due before there was a schedule is nobody's
        for day in (6, 7, 8):
            floor.now = at(f"2026-01-0{day}T01:00:01")
            due = at(f"2026-01-0{day}T01:00")
            floor.wait(lambda due=due: due in [night.due_at for night in floor.desk.nights.list()])
            floor.ended(floor.desk.nights.list()[0].night_id)
    nights = floor.desk.nights.list()
    assert [(night.status, night.requested_by) for night in nights] == [("done", "schedule")] * 3
    assert floor.begun() == ["000001", "000002", "000003"]
    folders = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert folders == ["000002", "000003"]  # as many as are to be kept


def test_a_night_that_was_missed_is_caught_up_or_recorded(
    database: Database, tmp_path: Path, caplog: Any
) -> None:
    floor = Floor(database, tmp_path, at="02:00", catch_up_h=6)
    with floor.working():
        floor.wait(lambda: rows_of(database, "select since from dealwright_engine.night_schedule"))
    floor.now = at("2026-01-08T07:00")  # two nights are over, and the third is five hours ago
    with floor.working():
        floor.wait(lambda: len(floor.desk.nights.list()) == 3)
        floor.ended(floor.desk.nights.list()[0].night_id)
    by_day = {str(night.due_at.date()): night.status for night in floor.desk.nights.list() if night.due_at}
    assert by_day == {"2026-01-06": "missed", "2026-01-07": "missed", "2026-01-08": "done"}
    assert sum("was missed" in record.message for record in caplog.records) == 2
    floor.now = at("2026-01-09T08:01")  # six hours are over
    with floor.working(workers=2):
        floor.wait(lambda: len(floor.desk.nights.list()) == 4)
        time.sleep(0.1)
    assert floor.desk.nights.list()[0].status == "missed"
    assert [kind for kind, _ in floor.events()].count("night_missed") == 3
    # the same days looked at once more are on record
    with floor.working():
        time.sleep(0.2)
    assert len(floor.desk.nights.list()) == 4


def test_a_scheduled_night_is_tried_again_whatever_it_failed_of(database: Database, tmp_path: Path) -> None:
    floor = Floor(database, tmp_path, at="02:00", retries=1, retry_after_min=30)
    night_id = floor.desk.nights.request("due", "schedule", {"company": "broken"}, due_at=floor.now)
    with floor.working():
        floor.wait(lambda: floor.desk.nights.get(night_id).attempts == 1)
        floor.wait(lambda: floor.desk.nights.get(night_id).status == "queued")
        floor.now += timedelta(minutes=29)
        time.sleep(0.1)
        assert floor.desk.nights.get(night_id).status == "queued"
        floor.now += timedelta(minutes=1)
        night = floor.ended(night_id)
    assert (night.status, night.attempts) == ("failed", 2)


def test_a_night_to_compare_with_that_is_not_there_fails_and_the_next_goes_on(floor: Floor) -> None:
    lost = floor.desk.nights.request("lost", "Ann", {"previous": 99}, begin_at=floor.now)
    with floor.working():
        night = floor.ended(lost)
        assert floor.ended(floor.ask()).status == "done"
    assert night.status == "failed"
    assert night.error == "it cannot begin: there is no night 99: the list of nights shows the ids"


def rows_of(database: Database, statement: str) -> list[dict[str, Any]]:
    with database.connect() as connection:
        return rows(connection, statement)


def test_pages_show_every_night_once(floor: Floor) -> None:
    asked = [floor.ask() for _ in range(5)]
    first = floor.desk.nights.page(k=2)
    second = floor.desk.nights.page(k=2, after=first.next)
    third = floor.desk.nights.page(k=2, after=second.next)
    shown = [row["night_id"] for page in (first, second, third) for row in page.rows]
    assert shown == asked[::-1]
    assert third.next is None
    assert json.dumps(first.rows[0], default=str).count("begun.txt") == 0


def test_who_asked_for_a_run_and_who_called_it_off_is_on_record(database: Database) -> None:
    desk = Desk(database)
    night = desk.nights.request("a", "anna", {"company": "quick"})
    assert desk.nights.request("a", "anna", {"company": "quick"}) == night
    desk.nights.request("clock", "schedule", due_at=at("2026-01-06T02:00"))
    desk.nights.cancel(night, "ben")
    desk.nights.cancel(night, "ben")
    found = desk.book.changes(kind="run").rows
    assert [(row["action"], row["object_id"], row["before"], row["after"]) for row in found] == [
        ("cancel_run", night, {"status": "queued"}, {"status": "cancelled"}),
        ("request_run", night, None, {"company": "quick"}),
    ]
