"""Importing a history: twice changes nothing, also after live work; later data comes on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine import DIMENSIONS, add_agent, assign, load_model, random_model, rows, value
from histories import START, random_history
from ledger import check_desk, read_tables
from polars.testing import assert_frame_equal
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import DealwrightError
from dealwright.learn import MatchModel, build_outcomes
from dealwright.learn.outcomes import tabulate_outcomes
from dealwright.learn.slots import UNKNOWN
from dealwright.schemas import AGENT_CHANNEL_COLUMNS, History

LEAD = {"destination": "Mars", "lead_source": "Organic"}
KEPT = ("agent", "stat", "day", "lead", "assignment", "booking")


def history(seed: int = 1, **how: Any) -> History:
    return random_history(
        np.random.default_rng(seed), DIMENSIONS, **{"assignments": 120, "unknown": 0.0, **how}
    )


def changed(counts: Any) -> int:
    return sum(
        counts[name][kind] for name in ("agents", "assignments", "bookings") for kind in ("new", "changed")
    )


@pytest.mark.parametrize("modelled", [True, False])
def test_an_import_equals_a_recount(database: Database, modelled: bool) -> None:
    model: MatchModel | None = None
    with database.connect(autocommit=True) as connection:
        desk = Desk(database)
        desk.load(history(unknown=0.2))
        if modelled:
            model = random_model(np.random.default_rng(4))
            load_model(connection, model)
        tables = check_desk(connection, model)
        assert len(tables["assignment"]) == 120
        # what comes later, changed rows and all, is counted as well
        later = history(2, first=121, assignments=60, unknown=0.2)
        moved = later.agents.with_columns(capacity=pl.lit(3, pl.Int64))
        desk.load(replace(later, agents=moved))
        check_desk(connection, model)


def test_a_value_that_came_once_is_counted_under_a_model(database: Database) -> None:
    desk = Desk(database)
    desk.load(history())
    model = random_model(np.random.default_rng(4))
    with database.connect(autocommit=True) as connection:
        load_model(connection, model)
        grown = replace(DIMENSIONS[0], values=(*DIMENSIONS[0].values, "Pluto"))
        later = history(2, first=121, assignments=6)
        once = later.assignments.with_columns(destination=pl.lit("Pluto"))
        desk.load(replace(later, dimensions=(grown, DIMENSIONS[1]), assignments=once))
        check_desk(connection, model)
        slot = value(connection, "select slot from dealwright.dimension_value where value = 'Pluto'")
        known = rows(
            connection,
            "select known[%s] as known, expected_ppm[%s] as expected from dealwright.agent_stat",
            slot,
            slot,
        )
        assert any(row["known"] == 1 for row in known)
        assert all(row["expected"] > 0 for row in known if row["known"])


def test_twice_changes_nothing(database: Database) -> None:
    desk = Desk(database)
    desk.load(history())
    with database.connect(autocommit=True) as connection:
        before = read_tables(connection)
        loaded = desk.load(history())
        assert changed(loaded.counts) == 0
        after = read_tables(connection)
        assert all(before[name] == after[name] for name in (*KEPT, "event"))


def test_twice_changes_nothing_even_after_live_work(database: Database) -> None:
    desk = Desk(database)
    given = history()
    desk.load(given)
    with database.connect(autocommit=True) as connection:
        work_on(connection)
        before = check_desk(connection)
        assert changed(desk.load(given).counts) == 0
        after = check_desk(connection)
        for name in KEPT:
            assert before[name] == after[name], name


def work_on(connection: Connection[Any]) -> None:
    """Settle imported bookings, reassign, end, reopen, and take in leads: at today's date."""
    pending = rows(
        connection, "select * from dealwright.booking where status = 'pending' order by booking_id"
    )
    assert len(pending) > 4
    rows(connection, "select dealwright.settle_booking(%s, 'confirmed', 700)", pending[0]["booking_id"])
    rows(connection, "select dealwright.settle_booking(%s, 'cancelled')", pending[1]["booking_id"])
    rows(connection, "update dealwright.agent set capacity = 99")
    rows(connection, "select dealwright.reassign(%s, 'ill')", pending[2]["assignment_id"])
    rows(
        connection,
        "update dealwright.assignment set status = 'lapsed' where assignment_id = %s",
        pending[3]["assignment_id"],
    )
    won = rows(
        connection, "select * from dealwright.booking where status = 'confirmed' order by booking_id limit 2"
    )
    rows(connection, "select dealwright.settle_booking(%s, 'pending')", won[0]["booking_id"])
    for _ in range(5):
        assign(connection, LEAD)


def test_later_data_comes_on_top_of_live_work(database: Database) -> None:
    desk = Desk(database)
    first = history()
    desk.load(first)
    model = random_model(np.random.default_rng(4))
    with database.connect(autocommit=True) as connection:
        load_model(connection, model)
        rows(connection, "update dealwright.agent set capacity = 200")
        live = [assign(connection, LEAD) for _ in range(5)]
        # the desk's new ids continue after the highest of the user's
        assert [row["assignment_id"] for row in live] == [121, 122, 123, 124, 125]
        assert min(row["booking_id"] for row in live) > first.bookings["external_id"].cast(pl.Int64).max()  # type: ignore[operator]
        later = history(
            2, first=116, assignments=60
        )  # some that are there already, some whose ids the desk has given
        loaded = desk.load(later)
        assert loaded.counts["assignments"] == {"new": 55, "changed": 5, "unchanged": 0}
        tables = check_desk(connection, model)
        by_id = {row["assignment_id"]: row for row in tables["assignment"]}
        outside = {row["external_id"]: row for row in tables["assignment"] if row["external_id"]}
        assert len(tables["assignment"]) == 120 + 5 + 55
        for row in live:
            assert by_id[row["assignment_id"]]["external_id"] is None
        assert {outside[str(i)]["assignment_id"] for i in range(126, 176)} == set(range(126, 176))
        assert all(outside[str(i)]["assignment_id"] > 175 for i in range(121, 126))
        assert value(connection, "select count(*) from dealwright.decision") == 5
        assert assign(connection, LEAD)["assignment_id"] > max(by_id)


def test_ids_that_are_no_numbers(database: Database) -> None:
    desk = Desk(database)
    desk.load(history(prefix="A-00"))
    with database.connect(autocommit=True) as connection:
        tables = check_desk(connection)
        assert {row["external_id"] for row in tables["agent"]} == {f"A-00{i}" for i in range(1, 9)}
        assert [row["agent_id"] for row in tables["agent"]] == list(range(1, 9))
        assert changed(desk.load(history(prefix="A-00")).counts) == 0
        # another company's numbers beside them
        desk.load(history(3, assignments=30))
        both = check_desk(connection)
        assert len({row["agent_id"] for row in both["agent"]}) == 16
        assert len(both["assignment"]) == 150


def test_a_booking_made_here_and_then_imported_is_one(database: Database) -> None:
    desk = Desk(database)
    given = history()
    booked = given.bookings["assignment_external_id"]
    some = given.bookings.filter(pl.col("status") == "confirmed")["assignment_external_id"][0]
    desk.load(replace(given, bookings=given.bookings.filter(pl.col("assignment_external_id") != some)))
    with database.connect(autocommit=True) as connection:
        rows(connection, "insert into dealwright.booking (assignment_id) values (%s)", int(some))
        desk.load(given)
        tables = check_desk(connection)
        assert len(tables["booking"]) == len(booked)
        mine = next(row for row in tables["booking"] if row["assignment_id"] == int(some))
        assert (mine["status"], mine["external_id"]) == ("confirmed", str(10_000 + int(some)))


def test_who_was_never_booked_lapses_when_the_follow_up_is_over(database: Database) -> None:
    desk = Desk(database)
    given = history()
    desk.load(given)
    end = max(
        given.assignments["assigned_at"].max(),  # type: ignore[type-var]
        given.bookings["completed_at"].max(),
        given.bookings["cancelled_at"].max(),
    )
    booked = set(given.bookings["assignment_external_id"])
    with database.connect(autocommit=True) as connection:
        for row in check_desk(connection)["assignment"]:
            if row["external_id"] not in booked:
                over = row["assigned_at"] + timedelta(days=7) <= end  # type: ignore[operator]
                assert row["status"] == ("lapsed" if over else "open")
                assert row["known_at"] == (row["assigned_at"] + timedelta(days=7) if over else None)


def test_an_import_that_fails_leaves_nothing(database: Database) -> None:
    desk = Desk(database)
    desk.load(history())
    broken = history(2, first=121)
    broken = replace(broken, agents=broken.agents.with_columns(weight=pl.lit(-1.0)))
    with database.connect(autocommit=True) as connection:
        before = read_tables(connection)
        with pytest.raises(Exception, match=r"agent_numbers|weight"):
            desk.load(broken)
        after = read_tables(connection)
        assert all(before[name] == after[name] for name in (*KEPT, "event", "slot"))


@pytest.mark.parametrize(
    ("table", "column", "bad", "message"),
    [
        ("assignments", "customer_name", "Ann\x07", "customer_name of the lead holds a control character"),
        ("assignments", "requirements", "x" * 100_001, "requirements of the lead has 100001 characters"),
        ("assignments", "external_id", "7" * 501, "external_id of assignment .* has 501 characters"),
        ("assignments", "assigned_at", datetime(2200, 1, 1, tzinfo=UTC), "a time or day is not from 1970"),
        ("bookings", "base_revenue", -1.0, "base_revenue of booking .* must be a number from 0"),
        ("bookings", "package", "gold\n", "package of booking .* holds a control character"),
        ("bookings", "completed_at", datetime(1969, 1, 1, tzinfo=UTC), "a time or day is not from 1970"),
    ],
)
def test_an_import_is_held_to_the_bounds_of_every_value(
    database: Database, table: str, column: str, bad: Any, message: str
) -> None:
    """New rows come in without their triggers; who is out of bounds is refused by name all the same."""
    given = history(assignments=20)
    frame: pl.DataFrame = getattr(given, table)
    last = pl.int_range(pl.len()) == pl.len() - 1
    value_or = pl.when(last).then(pl.lit(bad, frame.schema[column])).otherwise(column).alias(column)
    desk = Desk(database)
    with pytest.raises(DealwrightError, match=message):
        desk.load(replace(given, **{table: frame.with_columns(value_or)}))
    assert desk.counts()["assignments"] == 0


def test_waiting_leads_get_the_places_an_import_brings(database: Database) -> None:
    desk = Desk(database)
    desk.load(history(assignments=10))
    with database.connect(autocommit=True) as connection:
        rows(connection, "update dealwright.agent set capacity = 0")
        assert assign(connection, LEAD)["status"] == "waiting"
        more = history(assignments=10, agents=9, start=START)
        desk.load(more)
        check_desk(connection)
        assert value(connection, "select count(*) from dealwright.lead where is_waiting") == 0


def fates(connection: Connection[Any], ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return status of the assignments, and what the outcome view says of them."""
    return [
        tuple(row.values())
        for row in rows(
            connection,
            "select a.status, o.won, o.known_at is not null as known, o.contacted "
            "from dealwright.assignment as a join dealwright.outcome as o "
            "using (assignment_id) where a.external_id = any(%s) order by 1, 2",
            list(ids),
        )
    ]


def without_outcome(given: History, ids: Sequence[str]) -> History:
    """Return the history as it is when the bookings of some assignments are rejected."""
    return replace(
        given,
        assignments=given.assignments.with_columns(
            outcome_unknown=pl.col("external_id").is_in(list(ids)) | pl.col("outcome_unknown")
        ),
        bookings=given.bookings.filter(~pl.col("assignment_external_id").is_in(list(ids))),
    )


def some_of_each(given: History) -> list[str]:
    """Return an assignment that was won, one that was lost, one that is pending."""
    return [
        given.bookings.filter(pl.col("status") == status)["assignment_external_id"][0]
        for status in ("confirmed", "cancelled", "pending")
    ]


def test_an_assignment_whose_booking_was_rejected_is_unknown(database: Database) -> None:
    given = history(unreadable=0.2)
    desk = Desk(database)
    desk.load(given)
    unknown = given.assignments.filter("outcome_unknown")["external_id"]
    assert unknown.len() > 10
    model = random_model(np.random.default_rng(4))
    with database.connect(autocommit=True) as connection:
        assert fates(connection, unknown.to_list()) == [("unknown", None, False, True)] * unknown.len()
        load_model(connection, model)
        check_desk(connection, model)
        # whatever the clock says, follow-up is not what it waits for
        value(connection, "select dealwright_engine.lapse_overdue('2200-01-01', interval '1 day')")
        assert fates(connection, unknown.to_list()) == [("unknown", None, False, True)] * unknown.len()
    assert_frame_equal(
        desk.outcomes().filter(pl.col("assignment_id").is_in(unknown.cast(pl.Int64).to_list())),
        build_outcomes(given).frame.sort("assignment_id").filter(
            pl.col("assignment_id").is_in(unknown.cast(pl.Int64).to_list())
        ).select(desk.outcomes().columns),
    )  # fmt: skip


def test_a_later_import_corrects_what_was_unknown_and_the_other_way_round(database: Database) -> None:
    given = history()
    ids = some_of_each(given)
    desk = Desk(database)
    known = [("open", None, False, True), ("settled", False, True, True), ("settled", True, True, True)]
    unknown = [("unknown", None, False, True)] * 3
    with database.connect(autocommit=True) as connection:
        for turn, expected in ((given, known), (without_outcome(given, ids), unknown), (given, known)):
            desk.load(turn)
            assert fates(connection, ids) == expected
            check_desk(connection)
            assert changed(desk.load(turn).counts) == 0
            assert fates(connection, ids) == expected


def test_a_booking_that_comes_with_a_later_file_settles_its_assignment(database: Database) -> None:
    given = history()
    ids = some_of_each(given)
    desk = Desk(database)
    early = given.bookings.filter(~pl.col("assignment_external_id").is_in(ids))
    with database.connect(autocommit=True) as connection:
        desk.load(replace(given, bookings=early))
        assert {fate[3] for fate in fates(connection, ids)} == {False}
        assert desk.load(given).counts["bookings"]["new"] == 3
        assert fates(connection, ids) == [
            ("open", None, False, True), ("settled", False, True, True), ("settled", True, True, True),
        ]  # fmt: skip
        check_desk(connection)


def test_unknown_first_and_booked_here_later(database: Database) -> None:
    """A hand at the desk may know what the import could not read, with or without an earlier booking."""
    given = history()
    won, lost, pending = some_of_each(given)
    desk = Desk(database)
    desk.load(without_outcome(given, [won, lost]))
    desk.load(without_outcome(given, [won, lost, pending]))
    with database.connect(autocommit=True) as connection:
        for name, status in ((won, "confirmed"), (lost, "cancelled")):
            rows(
                connection,
                "insert into dealwright.booking (assignment_id, status, base_revenue) values (%s, %s, 100)",
                int(name),
                status,
            )
            check_desk(connection)
        booking = value(
            connection, "select booking_id from dealwright.booking where assignment_id = %s", int(pending)
        )
        rows(
            connection,
            "update dealwright.assignment set end_reason = 'a note' where assignment_id = %s",
            int(pending),
        )
        assert fates(connection, [pending]) == [("unknown", None, False, True)]
        rows(connection, "select dealwright.settle_booking(%s, 'confirmed', 70)", booking)
        check_desk(connection)
        assert fates(connection, [won, lost, pending]) == [
            ("settled", False, True, True), ("settled", True, True, True), ("settled", True, True, True),
        ]  # fmt: skip


def test_an_unknown_outcome_may_be_written_by_hand(database: Database) -> None:
    desk = Desk(database)
    given = history()
    desk.load(given)
    booked = given.bookings["assignment_external_id"].to_list()
    with database.connect(autocommit=True) as connection:
        # what a booking says cannot be unsaid
        won, lost, pending = some_of_each(given)
        rows(
            connection,
            "update dealwright.assignment set status = 'unknown' where assignment_id = any(%s)",
            [int(won), int(lost), int(pending)],
        )
        assert [fate[0] for fate in fates(connection, [won, lost, pending])] == ["open", "settled", "settled"]
        bare = next(
            row for row in check_desk(connection)["assignment"]
            if row["external_id"] not in booked
        )  # fmt: skip
        for status in ("unknown", "lapsed", "unknown", "open", "unknown"):
            rows(
                connection,
                "update dealwright.assignment set status = %s where assignment_id = %s",
                status,
                bare["assignment_id"],
            )
            check_desk(connection)
            assert fates(connection, [bare["external_id"]])[0][0] == status


@pytest.mark.parametrize("table", ["assignments", "bookings"])
def test_one_date_ahead_of_the_clock_ends_nobodys_follow_up(database: Database, table: str) -> None:
    """A slip in a year, or the day on which a deal is expected to close, is not where the data end."""
    now = datetime.now(UTC)
    found = history(assignments=40, days=2.0, start=now - timedelta(days=3))
    found = replace(found, bookings=found.bookings.head(1 if table == "bookings" else 0))
    ahead = pl.lit(now + timedelta(days=365))
    if table == "assignments":
        last = pl.int_range(pl.len()) == pl.len() - 1
        late = found.assignments.with_columns(
            assigned_at=pl.when(last)
            .then(ahead)
            .otherwise("assigned_at")
            .cast(found.assignments.schema["assigned_at"])
        )
        found = replace(found, assignments=late)
    else:
        settled = found.bookings.with_columns(
            status=pl.lit("confirmed"),
            completed_at=ahead.cast(found.bookings.schema["completed_at"]),
            cancelled_at=None,
            base_revenue=1.0,
            package_revenue=0.0,
            total_revenue=1.0,
        )
        found = replace(found, bookings=settled.cast(dict(found.bookings.schema)))
    with Desk(database) as desk, database.connect(autocommit=True) as connection:
        assert desk.load(found).counts["lapsed"] == 0
        assert value(connection, "select dealwright.lapse_follow_ups()") == 0
        assert value(connection, "select count(*) from dealwright.assignment where status = 'lapsed'") == 0


def test_follow_up_is_over_by_the_clock_whenever_the_data_end(database: Database) -> None:
    """Data of years ago: who was never booked holds no place, but for those of the last days."""
    now = datetime.now(UTC)
    long_ago = history(assignments=40, days=10.0, start=now - timedelta(days=900))
    desk = Desk(database)
    desk.load(long_ago)
    with database.connect(autocommit=True) as connection:
        booked = set(long_ago.bookings["assignment_external_id"])
        bare = [row for row in check_desk(connection)["assignment"] if row["external_id"] not in booked]
        assert len(bare) >= 2
        assert all(row["known_at"] == row["assigned_at"] + timedelta(days=7) for row in bare)
        assert value(connection, "select follow_up_days from dealwright_engine.setting") == 7
        # new ones, of which none was booked so far, and another time to follow up
        late = history(2, first=41, assignments=40, days=9.0, start=now - timedelta(days=12))
        late = replace(late, bookings=late.bookings.head(0), follow_up_days=8.0)
        assert desk.load(late).counts["lapsed"] == 0
        over = {
            row["external_id"]
            for row in late.assignments.iter_rows(named=True)
            if row["assigned_at"] <= now - timedelta(days=8)
        }
        lapsed = rows(connection, "select external_id from dealwright.assignment where status = 'lapsed'")
        assert {row["external_id"] for row in lapsed if int(row["external_id"]) > 40} == over
        assert 0 < len(over) < 40
        assert value(connection, "select follow_up_days from dealwright_engine.setting") == 8
        # the end of the data is theirs, not the clock's
        end = datetime.fromisoformat(desk.load(late).counts["as_of"])
        assert end == late.assignments["assigned_at"].max()
        assert value(connection, "select dealwright.lapse_follow_ups()") == 0


KINDS = (
    *DIMENSIONS,
    Dimension("channel", ("web", "fair", EMPTY), is_open=True, required=False),
    Dimension("size", ("up to 10", "above 10"), edges=(10.0,)),
    Dimension("package", ("gold", "silver"), is_open=True, at_arrival=False),
)


def test_dimensions_of_every_kind_come_back_as_they_were_imported(database: Database) -> None:
    desk = Desk(database)
    given = random_history(np.random.default_rng(1), KINDS, assignments=150, unknown=0.3)
    # nothing given is null in the user's tables
    given = replace(given, assignments=given.assignments.with_columns(pl.col("channel").replace(EMPTY, None)))
    desk.load(given)
    assert desk.dimensions() == KINDS
    expected = build_outcomes(given).frame.sort("assignment_id")
    found = desk.outcomes()
    assert_frame_equal(found, expected.select(found.columns))
    model = random_model(np.random.default_rng(4), KINDS)
    with database.connect(autocommit=True) as connection:
        load_model(connection, model)
        check_desk(connection, model)
        empty = value(connection, "select slot from dealwright.dimension_value where value = %s", EMPTY)
        counted = value(connection, "select sum(assigned[%s]) from dealwright.agent_stat", empty)
        assert counted == given.assignments["channel"].null_count()
        # live leads of the same kinds: a number is learned as its bin, a new value as it is
        lead = {"destination": "Mars", "lead_source": "Organic", "package": "gold"}
        for size, channel in ((3, "web"), ("11", ""), (12.5, "podcast")):
            assign(connection, {**lead, "size": size, "channel": channel})
        later = desk.outcomes().tail(3)
        assert later["size"].to_list() == ["up to 10", "above 10", "above 10"]
        assert later["channel"].to_list() == ["web", None, "podcast"]
        assert desk.dimensions()[2].values == ("web", "fair", "podcast", EMPTY)
        # a file that has not heard of it does not take it away, and one that has brings nothing new
        desk.load(given)
        more = replace(KINDS[2], values=("podcast", "radio", *KINDS[2].values))
        desk.load(replace(given, dimensions=(*KINDS[:2], more, *KINDS[3:])))
        assert desk.dimensions()[2].values == ("web", "fair", "podcast", "radio", EMPTY)
        check_desk(connection, model)


def test_another_mapping_for_the_same_data_counts_empty_as_a_value(database: Database) -> None:
    desk = Desk(database)
    given = history(unknown=0.3)
    desk.load(given)
    optional = replace(DIMENSIONS[0], required=False, values=(*DIMENSIONS[0].values, EMPTY))
    with database.connect(autocommit=True) as connection:
        assert changed(desk.load(replace(given, dimensions=(optional, DIMENSIONS[1]))).counts) == 0
        check_desk(connection)
        slot = value(connection, "select slot from dealwright.dimension_value where value = %s", EMPTY)
        counted = value(connection, "select sum(assigned[%s]) from dealwright.agent_stat", slot)
        assert counted == given.assignments["destination"].null_count() > 20
        desk.load(given)
        assert value(connection, "select sum(assigned[%s]) from dealwright.agent_stat", slot) == 0
        check_desk(connection)


def test_edges_that_move_with_the_data(database: Database) -> None:
    desk = Desk(database)
    first = random_history(np.random.default_rng(1), KINDS, assignments=60)
    desk.load(first)
    with database.connect(autocommit=True) as connection:
        lead = {"destination": "Mars", "lead_source": "Organic", "package": "gold", "channel": "web"}
        live = assign(connection, {**lead, "size": 15})["assignment_id"]
        size = Dimension("size", ("up to 20", "above 20"), edges=(20.0,))
        renamed = pl.col("size").replace({"up to 10": "up to 20", "above 10": "above 20"})
        moved = replace(
            first,
            dimensions=(*KINDS[:3], size, KINDS[4]),
            assignments=first.assignments.with_columns(renamed),
        )
        assert desk.load(moved).changed == moved.assignments["size"].count()
        assert desk.dimensions()[3] == size
        outcomes = desk.outcomes()
        assert outcomes.filter(pl.col("assignment_id") == live)["size"].to_list() == ["up to 20"]
        assert set(outcomes["size"]) == {"up to 20", "above 20", None}
        check_desk(connection)


def test_of_very_many_values_the_common_ones_are_learned(database: Database) -> None:
    desk = Desk(database)
    given = history(assignments=500)
    rare = [f"campaign {max(i - 100, 0)}" for i in range(500)]
    campaign = Dimension("campaign", tuple(sorted(set(rare))), is_open=True, required=False)
    campaign = replace(campaign, values=(*campaign.values, EMPTY))
    given = replace(
        given,
        dimensions=(*DIMENSIONS, campaign),
        assignments=given.assignments.with_columns(campaign=pl.Series(rare)),
    )
    desk.load(given)
    values = desk.dimensions()[-1].values
    assert len(values) == 251
    assert {"campaign 0", EMPTY} <= set(values)
    outcomes = desk.outcomes()
    # the others are known to be something: not empty
    assert outcomes["campaign"].null_count() == 0
    assert outcomes["campaign"].value_counts(sort=True).row(0) == (UNKNOWN, 400 - 250)
    table = tabulate_outcomes(outcomes, desk.dimensions())
    assert (table.codes[:, -1] < 0).sum() == 150
    with database.connect(autocommit=True) as connection:
        check_desk(connection)
        assign(connection, {**LEAD, "campaign": "one more"})
        assert desk.dimensions()[-1].values == values
        check_desk(connection)


def test_agents_that_are_not_in_the_file_are_named(database: Database) -> None:
    desk = Desk(database)
    given = history(assignments=30, capacity=(60, 61))
    assert desk.load(given).missing_agents == ()
    fewer = replace(
        given,
        agents=given.agents.filter(~pl.col("external_id").is_in(["2", "5"])),
        assignments=given.assignments.filter(~pl.col("agent_external_id").is_in(["2", "5"])),
    )
    fewer = replace(
        fewer,
        bookings=fewer.bookings.filter(
            pl.col("assignment_external_id").is_in(fewer.assignments["external_id"].implode())
        ),
    )
    with database.connect(autocommit=True) as connection:
        add_agent(connection, "made here", capacity=1)  # no file ever had them
        workload = dict(connection.execute("select external_id, open from dealwright.agent").fetchall())
        named = tuple(
            {"agent_id": name, "name": f"Agent {name}", "open": workload[name]} for name in ("2", "5")
        )
        loaded = desk.load(fewer)
        assert (loaded.missing_agents, loaded.deactivated) == (named, 0)
        active = "select array_agg(external_id order by agent_id) from dealwright.agent where not active"
        assert value(connection, active) is None
        rows(connection, "update dealwright.agent set capacity = open")
        assert assign(connection, LEAD)["status"] == "waiting"
        # deactivated before anything is given out: not to them, though they have room
        rows(connection, "update dealwright.agent set capacity = open + 5 where external_id in ('2', '5')")
        assert value(connection, "select count(*) from dealwright.lead where is_waiting") == 0
        loaded = desk.load(fewer, deactivate_missing=True)
        assert [row["agent_id"] for row in loaded.missing_agents] == ["2", "5"]
        assert loaded.deactivated == 2
        assert value(connection, active) == ["2", "5"]
        check_desk(connection)
        assert assign(connection, LEAD)["status"] == "waiting"
        assert desk.load(fewer, deactivate_missing=True).missing_agents == ()
        # in the file again, and back at work
        assert desk.load(given).counts["agents"]["changed"] == 2
        assert value(connection, active) is None
        check_desk(connection)


def test_whoever_left_the_file_is_deactivated_unless_the_file_is_not_whole(database: Database) -> None:
    desk = Desk(database)
    given = history(assignments=30, capacity=(60, 61))
    desk.load(given)
    names = given.agents["external_id"].to_list()

    def only(kept: list[str]) -> History:
        few = given.assignments.filter(pl.col("agent_external_id").is_in(kept))
        return replace(
            given,
            agents=given.agents.filter(pl.col("external_id").is_in(kept)),
            assignments=few,
            bookings=given.bookings.filter(
                pl.col("assignment_external_id").is_in(few["external_id"].implode())
            ),
        )

    half = len(names) // 2
    loaded = desk.load(only(names[: half - 1]), deactivate_missing=None)
    assert (len(loaded.missing_agents), loaded.deactivated) == (len(names) - half + 1, 0)
    loaded = desk.load(only(names[1:]), deactivate_missing=None)
    assert [row["agent_id"] for row in loaded.missing_agents] == names[:1]
    assert loaded.deactivated == 1
    with database.connect(autocommit=True) as connection:
        # who is put back to work by hand has not left the file
        rows(connection, "select dealwright.activate_agent(dealwright.agent_named(%s))", names[0])
        assert desk.load(only(names[1:]), deactivate_missing=None).missing_agents == ()
        assert value(connection, "select bool_and(active) from dealwright.agent")
        check_desk(connection)


def test_customers_of_the_history_come_back_to_their_agent(database: Database) -> None:
    desk = Desk(database)
    given = history(assignments=40, capacity=(60, 61))
    assert desk.load(given).counts["assignments"]["new"] == 40
    known = given.assignments.with_columns(customer_id="C" + pl.col("external_id"))
    # as imported before but for the customers: those rows alone have changed
    some = known.with_columns(
        customer_id=pl.when(pl.int_range(pl.len()) < 25).then("customer_id").otherwise(None)
    )
    assert desk.load(replace(given, assignments=some)).counts["assignments"]["changed"] == 25
    assert desk.load(replace(given, assignments=some)).counts["assignments"]["changed"] == 0
    loaded = desk.load(replace(given, assignments=known)).counts["assignments"]
    assert (loaded["changed"], loaded["unchanged"]) == (15, 25)
    for row in known.head(8).iter_rows(named=True):
        placed = desk.assign(
            {"customer_name": row["customer_name"], "customer_id": row["customer_id"], "attributes": LEAD}
        )
        assert str(placed.row["agent_id"]) == row["agent_external_id"]
    with database.connect(autocommit=True) as connection:
        check_desk(connection)
        assert value(connection, "select count(*) from dealwright.lead where customer_id is not null") == 48


def test_an_import_does_not_bring_back_whom_somebody_deactivated(database: Database) -> None:
    desk = Desk(database)
    given = history(assignments=30, capacity=(60, 61))
    silent = replace(given, agents=given.agents.with_columns(active=pl.lit(None, pl.Boolean)))
    desk.load(silent)
    desk.deactivate(1)
    with database.connect(autocommit=True) as connection:
        active = "select active from dealwright.agent where external_id = '1'"
        better = silent.agents.with_columns(rating=pl.col("rating") + 0.1)
        assert desk.load(replace(silent, agents=better)).counts["agents"]["changed"] > 0
        assert value(connection, active) is False
        desk.load(given)  # which says that everybody is active
        assert value(connection, active) is True


def test_whoever_left_the_file_and_is_in_it_again_comes_back(database: Database) -> None:
    desk = Desk(database)
    given = history(assignments=0, capacity=(60, 61))
    silent = replace(given, agents=given.agents.with_columns(active=pl.lit(None, pl.Boolean)))
    desk.load(silent)
    fewer = replace(silent, agents=silent.agents.filter(pl.col("external_id") != "1"))
    assert desk.load(fewer, deactivate_missing=True).deactivated == 1
    assert desk.load(silent).counts["agents"]["changed"] == 1
    with database.connect(autocommit=True) as connection:
        assert value(connection, "select bool_and(active) from dealwright.agent")


def test_agents_over_their_capacity_are_counted_and_a_capacity_is_suggested(database: Database) -> None:
    desk = Desk(database)
    pending = [103, 90, 12, 11, 10, 9, 8, 7, 6, 5, *[0] * 25]
    agents = history(agents=35, assignments=1, capacity=(10, 11)).agents
    owners = [str(i + 1) for i, many in enumerate(pending) for _ in range(many)]
    ids = [str(i + 1) for i in range(len(owners))]
    assignments = pl.DataFrame(
        {
            "external_id": ids,
            "agent_external_id": owners,
            "customer_name": ids,
            "assigned_at": [START] * len(ids),
            "requirements": pl.Series([None] * len(ids), dtype=pl.String),
            **dict.fromkeys(("destination", "lead_source"), pl.Series(["Mars"] * len(ids))),
        }
    ).with_columns(lead_source=pl.lit("Organic"))
    bookings = history().bookings.head(0)
    given = History(DIMENSIONS, agents, assignments, bookings, follow_up_days=1e4)
    loaded = desk.load(given)
    # 95 % of 35 agents: between the two busiest but one, 12 and 90
    assert loaded.over_capacity == {"agents": 4, "of": 35, "suggested": 40}
    with database.connect(autocommit=True) as connection:
        opens = [
            row["open"] for row in rows(connection, "select open from dealwright.agent order by agent_id")
        ]
        assert opens == pending
        assert np.quantile(opens, 0.95) == pytest.approx(35.4)
        rows(connection, "update dealwright.agent set active = false where agent_id <= 2")
        assert desk.load(given).over_capacity == {"agents": 2, "of": 33, "suggested": 15}
        rows(connection, "update dealwright.agent set capacity = 200")
        assert desk.load(given).over_capacity is None


def limits(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Return agent, channel, open and capacity as the desk holds them, once they agree with a recount."""
    held = "select * from dealwright_engine.channel_open order by agent_id, slot"
    counted = "select agent_id, slot, open, capacity from dealwright_engine.recounted_channel order by 1, 2"
    assert connection.execute(held).fetchall() == connection.execute(counted).fetchall()
    return connection.execute(
        "select a.external_id, v.value, o.capacity from dealwright_engine.channel_open as o "
        "join dealwright.agent as a using (agent_id) join dealwright.dimension_value as v using (slot) "
        "where o.capacity is not null order by a.agent_id, v.value"
    ).fetchall()


def test_limits_of_channels_come_with_the_agents(database: Database) -> None:
    given = history()
    first, second = given.agents["external_id"][:2]

    def told(*channels: tuple[str, str, int]) -> History:
        frame = pl.DataFrame(channels, schema=dict(AGENT_CHANNEL_COLUMNS), orient="row")
        return replace(given, agent_channels=frame, channel_dimension="destination")

    with database.connect(autocommit=True) as connection:
        desk = Desk(database)
        desk.load(given)
        assert value(connection, "select count(*) from dealwright.channel") == 0
        loaded = desk.load(told((first, "Mars", 0), (second, "Mars", 3), (second, "Titan", 1)))
        assert loaded.counts["agents"]["changed"] == 2
        assert limits(connection) == [(first, "Mars", 0), (second, "Mars", 3), (second, "Titan", 1)]
        assert value(connection, "select bool_and(by_channel) from dealwright_engine.rule")
        check_desk(connection, queue=False)
        # the same again changes nothing, also where the desk has moved on; another number does
        desk.book.set_agent_channel(second, "Mars", 5)
        assert (
            changed(desk.load(told((first, "Mars", 0), (second, "Mars", 3), (second, "Titan", 1))).counts)
            == 0
        )
        assert limits(connection)[1] == (second, "Mars", 5)
        desk.load(told((first, "Mars", 0), (second, "Mars", 4)))
        assert limits(connection) == [(first, "Mars", 0), (second, "Mars", 4), (second, "Titan", 1)]
        # a value that the desk does not know is refused, and nothing of it is written
        with pytest.raises(DealwrightError, match="destination has no value 'Moon'"):
            desk.load(told((first, "Mars", 7), (first, "Moon", 1)))
        assert limits(connection)[0] == (first, "Mars", 0)
        assert value(connection, "select count(*) from dealwright.change where action = 'set_channel'") == 2


def test_one_agent_does_everything(database: Database) -> None:
    desk = Desk(database)
    given = history(agents=1, assignments=90, capacity=(500, 501))
    desk.load(given)
    training = desk.train()
    assert training.result.evidence.agents == 1
    with database.connect(autocommit=True) as connection:
        placed = assign(connection, LEAD)
        assert placed["agent_id"] == 1
        assert (
            value(connection, "select dealwright.replay(%s) ->> 'agrees'", placed["assignment_id"]) == "true"
        )
        check_desk(connection, training.result.model)
