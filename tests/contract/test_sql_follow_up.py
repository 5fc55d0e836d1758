"""Follow-up is over by the clock; and what a booking's end does to its assignment and its agent's place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from engine import add_agent, assign, declare, load_model, random_model, rows, value
from ledger import check_desk
from psycopg import Connection
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.errors import EvidenceError

LEAD = {"destination": "Mars", "lead_source": "Organic"}
LAPSE = "select dealwright.lapse_follow_ups(%s)"


@pytest.fixture
def desk(database: Database) -> Iterator[Connection[Any]]:
    """Return a connection to a desk that follows up for seven days."""
    with database.connect(autocommit=True) as connection:
        declare(connection)
        rows(connection, "update dealwright_engine.setting set follow_up_days = 7")
        yield connection


def hand_over(connection: Connection[Any], days_ago: float) -> int:
    """Give a lead to the first agent with room, some days ago; returns the assignment."""
    given = assign(connection, LEAD)["assignment_id"]
    rows(
        connection,
        "update dealwright.assignment set assigned_at = now() - make_interval(secs => %s * 86400) "
        "where assignment_id = %s",
        days_ago,
        given,
    )
    return int(given)


def without_booking(connection: Connection[Any], assignment_id: int) -> int:
    """Take the booking away: nobody was reached so far."""
    rows(connection, "delete from dealwright.booking where assignment_id = %s", assignment_id)
    rows(
        connection, "update dealwright.assignment set status = 'open' where assignment_id = %s", assignment_id
    )
    return assignment_id


def status(connection: Connection[Any], assignment_id: int) -> tuple[str, str | None]:
    (row,) = rows(
        connection,
        "select status, outcome from dealwright.assignment where assignment_id = %s",
        assignment_id,
    )
    return row["status"], row["outcome"]


def test_one_with_and_one_without_a_booking_only_the_second_ends(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada", capacity=2)
    booked = hand_over(desk, 8)
    bare = without_booking(desk, hand_over(desk, 8))
    waiting = assign(desk, LEAD)
    assert waiting["status"] == "waiting"
    assert value(desk, LAPSE, None) == 1
    assert status(desk, booked) == ("open", None)
    assert status(desk, bare) == ("lapsed", "lost")
    (row,) = rows(desk, "select * from dealwright.assignment where assignment_id = %s", bare)
    assert row["ended_at"] == row["known_at"] == row["assigned_at"] + timedelta(days=7)
    # the place went to the one that waited
    served = rows(desk, "select * from dealwright.placement_of(%s)", waiting["lead_id"])[0]
    assert served["status"] == "assigned"
    kinds = [
        event["kind"]
        for event in rows(
            desk, "select kind from dealwright.event where agent_id = 1 order by position desc limit 2"
        )
    ]
    assert kinds == ["assigned", "lapsed"]
    check_desk(desk)
    assert value(desk, LAPSE, None) == 0


def test_the_window_is_over_to_the_second(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada", capacity=9)
    ids = [without_booking(desk, hand_over(desk, days)) for days in (6.999, 7.0001, 30)]
    assert value(desk, LAPSE, None) == 2
    assert [status(desk, i)[0] for i in ids] == ["open", "lapsed", "lapsed"]


def test_a_moment_in_the_past_ends_less_and_one_ahead_of_the_clock_no_more(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada", capacity=9)
    old, young, today = (without_booking(desk, hand_over(desk, days)) for days in (30, 10, 0))
    now = datetime.now(UTC)
    assert value(desk, LAPSE, now - timedelta(days=40)) == 0
    assert value(desk, LAPSE, now - timedelta(days=10)) == 1
    assert status(desk, old) == ("lapsed", "lost")
    assert value(desk, LAPSE, now + timedelta(days=400)) == 1
    assert status(desk, young) == ("lapsed", "lost")
    assert status(desk, today) == ("open", None)


def test_data_ahead_of_the_clock_have_a_clock_of_their_own(desk: Connection[Any]) -> None:
    """What was imported is judged by the end of the data, what was assigned here is not."""
    add_agent(desk, "Ada", capacity=9)
    ids = [without_booking(desk, hand_over(desk, 0)) for _ in range(3)]
    rows(
        desk,
        "update dealwright.assignment set external_id = assignment_id, "
        "assigned_at = timestamptz '2081-06-01 UTC' + assignment_id * interval '4 days' "
        "where assignment_id > 1",
    )
    rows(
        desk,
        "select dealwright_engine.write_event('imported', '{\"as_of\": \"2081-06-16T00:00:00Z\"}')",
    )
    assert value(desk, LAPSE, None) == 1
    assert [status(desk, i)[0] for i in ids] == ["open", "lapsed", "open"]
    assert value(desk, LAPSE, "2090-01-01") == 0


def test_without_an_import_nobody_knows_how_long_to_follow_up(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada")
    bare = without_booking(desk, hand_over(desk, 800))
    rows(desk, "update dealwright_engine.setting set follow_up_days = null")
    assert value(desk, LAPSE, None) == 0
    assert status(desk, bare) == ("open", None)


@pytest.mark.parametrize("what", ["train", "evidence"])
def test_training_and_evidence_see_what_is_over(database: Database, desk: Connection[Any], what: str) -> None:
    add_agent(desk, "Ada", capacity=99)
    add_agent(desk, "Ben", capacity=99)
    for i in range(40):
        hand_over(desk, 20)
        rows(desk, "select dealwright.settle_booking(%s, 'confirmed', 5)", i + 1)
    bare = [without_booking(desk, hand_over(desk, 20)) for _ in range(10)]
    with pytest.raises(EvidenceError, match="no outcome is known"):  # as of then, follow-up was not over
        getattr(Desk(database), what)(as_of=datetime.now(UTC) - timedelta(days=15))
    assert {status(desk, i)[0] for i in bare} == {"open"}
    assert getattr(Desk(database), what)().result.evidence.outcomes == 50
    assert {status(desk, i) for i in bare} == {("lapsed", "lost")}


def test_a_withdrawn_lead_frees_the_place_and_cancels_the_booking(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada", capacity=1)
    given = assign(desk, LEAD)
    assert assign(desk, LEAD)["status"] == "waiting"
    rows(desk, "update dealwright.lead set status = 'withdrawn' where lead_id = %s", given["lead_id"])
    (ended,) = rows(
        desk, "select * from dealwright.assignment where assignment_id = %s", given["assignment_id"]
    )
    # it lapses, and is settled by the booking that is cancelled with it
    assert (ended["status"], ended["outcome"], ended["end_reason"]) == ("settled", "lost", "withdrawn")
    kinds = "select array_agg(kind order by position) from dealwright.event where assignment_id = %s"
    assert value(desk, kinds, given["assignment_id"])[:2] == ["assigned", "lapsed"]
    booking = value(desk, "select status from dealwright.booking where booking_id = %s", given["booking_id"])
    assert booking == "cancelled"
    lead = value(desk, "select status from dealwright.lead where lead_id = %s", given["lead_id"])
    assert lead == "withdrawn"
    assert value(desk, "select count(*) from dealwright.lead where is_waiting") == 0
    assert value(desk, "select open from dealwright.agent") == 1
    check_desk(desk)


def test_settled_with_nothing_earned(database: Database, desk: Connection[Any]) -> None:
    add_agent(desk, "Ada")
    first, second, third = (assign(desk, LEAD)["booking_id"] for _ in range(3))
    settled = Desk(database).settle(first, "confirmed", base_revenue=0, package_revenue=0)
    assert settled.row["total_revenue"] == 0
    assert Desk(database).settle(second, "confirmed", total_revenue=0.0).row["total_revenue"] == 0
    (answer,) = rows(desk, "select * from dealwright.settle_booking(%s, 'confirmed', 0)", third)
    assert answer["total_revenue"] == 0
    kept = rows(desk, "select base_revenue, total_revenue from dealwright.assignment order by assignment_id")
    assert [(row["base_revenue"], row["total_revenue"]) for row in kept] == [(0, 0), (None, 0), (0, 0)]
    check_desk(desk)


def test_a_total_that_is_given_again_stands_beside_other_parts(
    database: Database, desk: Connection[Any]
) -> None:
    add_agent(desk, "Ada")
    booking = assign(desk, LEAD)["booking_id"]
    settle = Desk(database).settle
    assert settle(booking, "confirmed", total_revenue=12.0).row["total_revenue"] == 12
    # base and package are 15 together; the total is given, and as it was
    given = settle(booking, "confirmed", base_revenue=10, package_revenue=5, total_revenue=12.0)
    assert given.row["total_revenue"] == 12
    assert settle(booking, "confirmed", base_revenue=11).row["total_revenue"] == 16  # no total: their sum
    assert value(desk, "select total_revenue from dealwright.assignment") == 16
    check_desk(desk)


def test_a_win_without_an_amount_says_nothing_about_the_amounts(desk: Connection[Any]) -> None:
    model = random_model(np.random.default_rng(1))
    load_model(desk, model)
    add_agent(desk, "Ada")
    blank, full, part = (assign(desk, LEAD)["booking_id"] for _ in range(3))
    rows(desk, "select dealwright.settle_booking(%s, 'confirmed')", blank)
    (stat,) = rows(desk, "select * from dealwright.agent_stat")
    assert stat["confirmed"][0] == 1
    assert stat["base_expected_cents"] == stat["package_expected_cents"] == 0
    check_desk(desk, model)
    rows(desk, "select dealwright.settle_booking(%s, 'confirmed', 700, 50)", full)
    rows(desk, "select dealwright.settle_booking(%s, 'confirmed', package_revenue => 0)", part)
    (stat,) = rows(desk, "select * from dealwright.agent_stat")
    # two of the three told of a package, one of a base
    logit = model.revenue.base.bias + sum(model.revenue.base.weights[name][v] for name, v in LEAD.items())
    assert stat["base_expected_cents"] == round(100 * math.exp(logit))
    logit = model.revenue.package.bias + sum(
        model.revenue.package.weights[name][v] for name, v in LEAD.items()
    )
    assert stat["package_expected_cents"] == 2 * round(100 * math.exp(logit))
    check_desk(desk, model)


def test_what_is_no_win_any_more_has_no_revenue(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada")
    booking = assign(desk, LEAD)["booking_id"]
    derived = "outcome, known_at, completed_at, ended_at, base_revenue, package_revenue, total_revenue"
    kept = f"select status, {derived} from dealwright.assignment"
    settle = "select dealwright.settle_booking(%s::bigint, %s)"
    rows(desk, "select dealwright.settle_booking(%s::bigint, 'confirmed', 700, 50)", booking)
    (won,) = rows(desk, kept)
    assert (won["status"], won["outcome"]) == ("settled", "won")
    assert (won["base_revenue"], won["package_revenue"], won["total_revenue"]) == (700, 50, 750)
    assert won["known_at"] == won["completed_at"] == won["ended_at"] is not None
    rows(desk, settle, booking, "pending")
    (reopened,) = rows(desk, kept)
    assert reopened == {"status": "open"} | dict.fromkeys(derived.split(", "))
    rows(desk, settle, booking, "confirmed")
    assert rows(
        desk,
        "select total_revenue from dealwright.agent_stat join dealwright.assignment "
        "using (agent_id) where revenue_cents = 75000",
    ) == [{"total_revenue": 750}]
    rows(desk, settle, booking, "cancelled")
    (lost,) = rows(desk, kept)
    assert lost["known_at"] == lost["ended_at"] is not None
    assert lost == reopened | {
        "status": "settled", "outcome": "lost", "known_at": lost["known_at"], "ended_at": lost["known_at"],
    }  # fmt: skip
    check_desk(desk)


def test_an_amount_stays_until_another_is_given(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada")
    booking = assign(desk, LEAD)["booking_id"]
    settle = "select (dealwright.settle_booking(%s::bigint, %s, %s, %s, %s)).total_revenue"
    for status, base, package, total, expected in (
        ("confirmed", None, None, 500, 500),
        ("pending", None, None, None, 500),
        ("confirmed", None, None, None, 500),
        ("confirmed", 100, None, None, 100),
        ("confirmed", None, 20, None, 120),
        ("confirmed", None, None, None, 120),
        ("confirmed", 100, 20, 130, 130),
    ):
        assert value(desk, settle, booking, status, base, package, total) == expected
    check_desk(desk)


def test_an_assignment_written_with_an_end_has_lapsed(desk: Connection[Any]) -> None:
    ada = add_agent(desk, "Ada", capacity=1)
    rows(
        desk,
        "insert into dealwright.lead (customer_name, attributes, status) values ('K', %s, 'withdrawn')",
        Jsonb(LEAD),
    )
    rows(
        desk,
        "insert into dealwright.assignment (lead_id, agent_id, ended_at) values (1, %s, '2026-01-02Z')",
        ada,
    )
    (row,) = rows(desk, "select status, outcome, known_at, ended_at from dealwright.assignment")
    assert (row["status"], row["outcome"]) == ("lapsed", "lost")
    assert row["known_at"] == row["ended_at"] == datetime(2026, 1, 2, tzinfo=UTC)
    assert value(desk, "select open from dealwright.agent") == 0
    check_desk(desk)


def test_who_settles_has_reached_the_customer(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada")
    for status in ("confirmed", "cancelled"):
        given = assign(desk, LEAD)
        rows(desk, "select dealwright.settle_booking(%s::bigint, %s)", given["booking_id"], status)
        (row,) = rows(
            desk,
            "select first_contact_at, known_at from dealwright.assignment where assignment_id = %s",
            given["assignment_id"],
        )
        assert row["first_contact_at"] == row["known_at"] is not None
    bare = without_booking(desk, hand_over(desk, 8))
    assert value(desk, LAPSE, None) == 1
    contact = "select first_contact_at from dealwright.assignment where assignment_id = %s"
    assert value(desk, contact, bare) is None
