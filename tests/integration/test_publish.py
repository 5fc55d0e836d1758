"""Publishing a run: all or nothing, twice is once, a newer one replaces only what nobody began."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from engine import rows, value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published import DAY, run_of, task

from dealwright.desk.database import Database
from dealwright.desk.task_book import TaskBook, TaskReport
from dealwright.errors import ConflictError, InputError, NotFoundError, UnknownNameError
from dealwright.schemas import DESK_TOUCH_COLUMNS, DayTasks

NOON = datetime(2026, 7, 1, 12)
TOMORROW = DAY + timedelta(days=1)


@pytest.fixture
def book(database: Database) -> TaskBook:
    return TaskBook(database)


def content(database: Database) -> list[dict[str, Any]]:
    """Return everything publishing may touch."""
    with database.connect() as connection:
        return [
            *rows(connection, "select * from dealwright.task order by task_id"),
            *rows(connection, "select * from dealwright.plan_run order by run_id"),
            *rows(connection, "select position, kind, payload from dealwright.event order by position"),
        ]


def states_of(book: TaskBook, **filters: Any) -> dict[str, str]:
    """Return account -> action and status, of the tasks that are shown."""
    return {row["account_id"]: f"{row['action']} {row['status']}" for row in book.find(**filters).rows}


def id_of(book: TaskBook, account_id: str) -> int:
    return int(book.find(account_id=account_id).rows[-1]["task_id"])


def test_what_the_plan_wrote_is_what_the_desk_shows(book: TaskBook) -> None:
    published = book.publish(
        run_of(
            [
                task(
                    "A1", rep_id="R1", account_name='Bar "El Nil"', stop=1,
                    start_at=datetime(2026, 7, 1, 9, 5),
                    end_at=datetime(2026, 7, 1, 9, 35), value_eur=12.345, cost_eur=45.0, propensity=0.25,
                    reason="a; b", brief="## Visit\n\n- línia \\ \"dos\"\n",
                ),
                task("A2", "upsell", "ecom_self", account_name="", window_start=datetime(2026, 6, 30, 8)),
            ]
        )
    )  # fmt: skip
    assert published.summary() == "run run 1 for 2026-07-01: 2 tasks (2 new)"
    first, second = book.find().rows
    assert first["start_at"].isoformat() == "2026-07-01T09:05:00+02:00"
    assert (first["account_name"], first["value_eur"], first["stop"]) == ('Bar "El Nil"', 12.35, 1)
    assert (second["rep_id"], second["start_at"], second["value_eur"]) == (None, None, None)
    page = book.get(first["task_id"]).row
    assert page["brief"] == '## Visit\n\n- línia \\ "dos"\n'
    with pytest.raises(NotFoundError, match="no task 99"):
        book.get(99)


def test_the_same_run_twice_changes_nothing(book: TaskBook, database: Database) -> None:
    run = run_of([task("A1"), task("A2")])
    book.publish(run)
    book.finish(id_of(book, "A1"), "responded", done_at=NOON)
    before = content(database)
    again = book.publish(run)
    assert (again.counts["published"], again.counts["new"]) == (False, 0)
    assert again.summary().endswith("nothing changed")
    assert content(database) == before


def test_a_newer_run_replaces_only_what_nobody_began(book: TaskBook) -> None:
    book.publish(run_of([task(f"A{n}") for n in range(1, 8)]))
    ids = {f"A{n}": id_of(book, f"A{n}") for n in range(1, 8)}
    book.start(ids["A1"])
    book.finish(ids["A2"], "rejected", done_at=NOON)
    book.finish(ids["A3"], "not_reached", done_at=NOON)
    book.cancel(ids["A4"])
    newer = book.publish(
        run_of(
            [
                *(task(f"A{n}", "upsell", "outbound_cc") for n in range(1, 6)),
                task("A6", rep_id="R9"),
                task("A8"),
            ],
            "run 2",
        )
    )
    # A1 to A4 stand, A5 has another action now, A6 is the same task with another representative, A7 is gone
    assert newer.counts == {
        "published": True, "tasks": 7, "new": 2, "kept": 1, "replaced": 2, "settled": 4,
    }  # fmt: skip
    assert states_of(book) == {
        "A1": "visit started", "A2": "visit done", "A3": "visit failed", "A4": "visit cancelled",
        "A5": "upsell planned", "A6": "visit planned", "A8": "visit planned",
    }  # fmt: skip
    assert id_of(book, "A6") == ids["A6"]
    assert book.get(ids["A6"]).row["rep_id"] == "R9"
    assert states_of(book, status="replaced") == {"A5": "visit replaced", "A7": "visit replaced"}
    # somebody had it on paper and did it after all: it counts
    book.finish(ids["A7"], "responded", done_at=NOON)
    assert set(book.touches()["account_id"]) == {"A2", "A3", "A7"}


def test_what_was_left_over_goes_when_its_day_is_over(book: TaskBook) -> None:
    friday = DAY + timedelta(days=2)
    book.publish(run_of([task("A1"), task("A2"), task("A4")]))
    ahead = run_of([task("A9", day=friday)], "ahead", day=friday, as_of=datetime(2026, 6, 30, 23))
    book.publish(ahead)
    book.finish(id_of(book, "A1"), "responded", done_at=NOON)
    book.publish(run_of([task(f"A{n}", day=TOMORROW) for n in (3, 4)], "run 2", day=TOMORROW))
    # planned on the evening of the day itself: A2 may still be done or reported, A4 moved to the next day
    assert states_of(book, day=DAY) == {"A1": "visit done", "A2": "visit planned"}
    assert states_of(book, day=TOMORROW) == {"A3": "visit planned", "A4": "visit planned"}
    assert states_of(book, run_id="ahead") == {"A9": "visit planned"}  # a day this run says nothing about
    book.publish(run_of([task("A9", day=TOMORROW)], "run 3", day=TOMORROW, as_of=datetime(2026, 7, 2, 1)))
    assert states_of(book, day=DAY) == {"A1": "visit done"}
    assert states_of(book, account_id="A9") == {"A9": "visit planned"}  # once, not on both days


def test_a_run_that_was_replaced_may_be_published_again(book: TaskBook) -> None:
    first, second = run_of([task("A1")]), run_of([task("A2")], "run 2")
    book.publish(first)
    book.publish(second)
    assert book.publish(first).counts["new"] == 1
    assert states_of(book) == {"A1": "visit planned"}
    assert [row["run_id"] for row in book.runs().rows] == ["run 1", "run 2"]


def test_an_older_plan_does_not_take_the_place_of_a_newer_one(book: TaskBook, database: Database) -> None:
    book.publish(run_of([task("A1")]))
    before = content(database)
    with pytest.raises(ConflictError, match=r"planned as of 2026-06-30 22:00: .* is older.*--as-of"):
        book.publish(run_of([task("A2")], "late", as_of=datetime(2026, 6, 30, 21)))
    assert content(database) == before


def test_a_run_without_tasks_is_a_run(book: TaskBook) -> None:
    book.publish(run_of([task("A1")]))
    assert book.publish(run_of([], "empty")).counts["replaced"] == 1
    assert book.find().summary() == "no tasks"


def test_a_week_is_published_as_one(book: TaskBook) -> None:
    week = [task("A1", day=DAY + timedelta(days=k)) for k in range(5)]
    book.publish(run_of(week, last_day=DAY + timedelta(days=4)))
    assert Counter(row["day"] for row in book.find().rows) == {DAY + timedelta(days=k): 1 for k in range(5)}


@pytest.mark.parametrize(
    "broken",
    [
        [task("A1"), task("")],
        [task("A1"), task("A1", "upsell")],  # two open tasks for a day and channel
        [task("A1"), task("A2", value_eur=1e15)],
        [task("A1"), task("A2", brief="a\0b")],
    ],
    ids=["no account", "twice", "too much money", "a character that text cannot hold"],
)
def test_a_run_that_cannot_be_taken_in_leaves_nothing(
    book: TaskBook, database: Database, broken: list[dict[str, Any]]
) -> None:
    book.publish(run_of([task("A5")]))
    before = content(database)
    with pytest.raises(
        Exception, match=r"the database refused|out of range|null character|overflow|control character"
    ):
        book.publish(run_of(broken, "broken"))
    assert content(database) == before


def test_a_frame_of_something_else_is_refused(book: TaskBook) -> None:
    run = run_of([])
    other = DayTasks("x", run.as_of, run.time_zone, DAY, DAY, pl.DataFrame({"customer": ["A1"]}))
    with pytest.raises(InputError, match="no column account_id"):
        book.publish(other)


def test_many_outcomes_at_once_all_or_none(book: TaskBook) -> None:
    book.publish(run_of([task(f"A{n}") for n in range(5)]))
    ids = [id_of(book, f"A{n}") for n in range(5)]
    reports = [TaskReport(ids[n], "responded", NOON, "by phone") for n in range(3)]
    with pytest.raises(NotFoundError, match="no task 999"):
        book.report([*reports, TaskReport(999, "responded")])
    assert book.touches().is_empty()
    assert book.report([*reports, TaskReport(ids[3], "cancelled"), TaskReport(ids[4], "not_reached")]) == 5
    assert Counter(row["status"] for row in book.find().rows) == {"done": 3, "cancelled": 1, "failed": 1}
    with pytest.raises(UnknownNameError, match="outcome of task"):
        book.report([TaskReport(ids[0], "bought")])
    assert book.known([*ids, 999]) == set(ids)


def test_touches_come_back_typed_and_on_the_companys_clock(book: TaskBook) -> None:
    assert {
        name: str(kind) for name, kind in book.touches().schema.items()
    }.keys() == DESK_TOUCH_COLUMNS.keys()
    book.publish(run_of([task("A1", cost_eur=45.0, propensity=0.5), task("007", "upsell", "outbound_cc")]))
    book.finish(id_of(book, "A1"), "responded", done_at=NOON)
    book.finish(id_of(book, "007"), "rejected", done_at=datetime.fromisoformat("2026-07-01T11:00:00+00:00"))
    seen = book.touches()
    assert seen.schema["touched_at"] == pl.Datetime("us")
    assert seen.select("account_id", "touched_at", "response", "rejected", "cost_eur").rows() == [
        ("A1", NOON, True, False, 45.0),
        ("007", NOON + timedelta(hours=1), False, True, None),
    ]
    assert book.touches(until=NOON)["account_id"].to_list() == ["A1"]
    assert book.touches(since=NOON + timedelta(minutes=1))["account_id"].to_list() == ["007"]


def test_publishers_and_those_who_report_do_not_get_in_each_others_way(
    book: TaskBook, database: Database
) -> None:
    """Four runs and every outcome at once: nothing reported is lost, and one run stands in the end."""
    accounts = [f"A{n}" for n in range(60)]
    book.publish(run_of([task(account) for account in accounts]))
    ids = {row["account_id"]: row["task_id"] for row in book.find().rows}
    reported = accounts[:40]

    def publish(number: int) -> None:
        book.publish(run_of([task(account, "upsell") for account in accounts[number * 5 :]], f"run {number}"))

    def report(account: str) -> None:
        book.finish(ids[account], "responded", done_at=NOON)

    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(publish, number) for number in range(2, 6)]
        jobs += [pool.submit(report, account) for account in reported]
        for job in jobs:
            job.result(timeout=60)
    assert sorted(book.touches()["account_id"]) == sorted(reported)
    with database.connect() as connection:
        runs = rows(connection, "select distinct run_id from dealwright.task where status = 'planned'")
        newest = value(
            connection, "select run_id from dealwright.plan_run order by published_at desc limit 1"
        )
    assert [row["run_id"] for row in runs] == [newest]


ACCOUNTS = ("A1", "A2", "A3", "A4")
STEPS = st.one_of(
    st.tuples(
        st.just("publish"),
        st.dictionaries(st.sampled_from(ACCOUNTS), st.sampled_from(("visit", "upsell")), max_size=4),
        st.integers(0, 2),  # days later
    ),
    st.tuples(st.sampled_from(("start", "done", "failed", "cancel")), st.integers(0, 30), st.just(0)),
)
_examples = iter(range(1, 10_000))


@given(steps=st.lists(STEPS, min_size=1, max_size=12))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_nothing_finished_is_lost_or_asked_for_again(
    database: Database, steps: list[Any]
) -> None:
    """A model of the desk's tasks: what was finished, begun or called off stays, and blocks its day."""
    book = TaskBook(database)
    example = next(_examples)
    first = date(2200, 1, 1) - timedelta(
        days=10 * example
    )  # before all earlier examples: no run reaches them
    mine = {f"{account}-{example}" for account in ACCOUNTS}
    kept: dict[int, str] = {}
    for number, (what, detail, later) in enumerate(steps):
        before = [row for account in mine for row in book.find(account_id=account).rows]
        if what == "publish":
            day = first + timedelta(days=later)
            run = run_of(
                [task(f"{account}-{example}", action, day=day) for account, action in detail.items()],
                f"{example}-{number}",
                day=day,
            )
            book.publish(run)
            after = {
                row["account_id"]: row
                for account in mine
                for row in book.find(day=day, account_id=account).rows
            }
            for account, action in detail.items():
                blocked = any(
                    row["day"] == day
                    and row["account_id"] == f"{account}-{example}"
                    and row["task_id"] in kept
                    for row in before
                )
                assert blocked or after[f"{account}-{example}"]["action"] == action
        else:
            ready = [row["task_id"] for row in before if kept.get(row["task_id"]) in (None, "start")]
            if not ready:
                continue
            chosen = ready[detail % len(ready)]
            {"start": book.start, "cancel": book.cancel}.get(
                what, lambda n, w=what: book.finish(n, "responded" if w == "done" else "not_reached")
            )(chosen)
            kept[chosen] = what
    words = {"start": "started", "done": "done", "failed": "failed", "cancel": "cancelled"}
    now = {row["task_id"]: row for account in mine for row in book.find(account_id=account).rows}
    assert {number: now[number]["status"] for number in kept} == {n: words[w] for n, w in kept.items()}
    open_ones = Counter((row["day"], row["account_id"]) for row in now.values() if row["status"] == "planned")
    assert not open_ones or max(open_ones.values()) == 1
    touched = set(book.touches()["task_id"])
    assert touched & now.keys() == {n for n, what in kept.items() if what in ("done", "failed")}
