"""What a lead requires, read from its text, and who may get it."""

from __future__ import annotations

from typing import Any

import pytest
from engine import add_agent, assign, load_classic, rows, value
from psycopg import Connection

from dealwright.desk.database import Database

ASKED = [
    ("We want a luxury cabin", ["luxury"]),
    ("LUXURY!", ["luxury"]),
    ("something luxurious, high-end", ["luxury"]),
    ("a high end suite", ["luxury"]),
    ("travelling with two kids", ["family"]),
    ("honeymoon with the families", ["family", "honeymoon"]),
    ("not only luxury but also family", ["family", "luxury"]),
    ("not just luxury", ["luxury"]),
    ("no luxury but good with children", ["family"]),
    ("guide must speak español", ["spanish"]),
    ("Español por favor", ["spanish"]),
    ("we do C++ (yes, really) on board", ["c++ (yes, really)"]),
    ("deep sea diving trip", ["deep sea diving"]),
    ("deep-sea  diving", ["deep sea diving"]),
]
NOT_ASKED = [
    "no luxury",
    "No luxury, please",
    "not a luxury trip",
    "without any luxury",
    "nothing fancy: avoid luxury",
    "we don't need luxury",
    "we dont want luxury",
    "luxury is not needed",
    "luxury isn't required",
    "luxury not important",
    "non-luxury",
    "anything but luxury",
    "a luxuriant garden",
    "illuxury",
    "instead of luxury, something quiet",
    "neither kids nor luxury",
    "quiet",
    "",
    "[[[ ((( \\ * + ?",
]


@pytest.fixture
def skilled(database: Database) -> Any:
    with database.connect(autocommit=True) as connection:
        skills = ["luxury", "family", "honeymoon", "spanish", "c++ (yes, really)", "deep sea diving"]
        add_agent(connection, "all", skills=skills, department="Luxury Voyages", capacity=1000)
        add_agent(connection, "none", capacity=1000, department="Sales")
        yield connection


@pytest.mark.parametrize(("text", "skills"), ASKED)
def test_text_that_asks_for_a_skill(skilled: Connection[Any], text: str, skills: list[str]) -> None:
    assert value(skilled, "select dealwright_engine.required(%s, 'skill')", text) == skills
    assert assign(skilled, {}, "workload", requirements=text)["agent_name"] == "all"


@pytest.mark.parametrize("text", NOT_ASKED)
def test_text_that_asks_for_none(skilled: Connection[Any], text: str) -> None:
    assert value(skilled, "select dealwright_engine.required(%s, 'skill')", text) is None
    assign(skilled, {}, "workload", requirements=text)


def test_a_department_is_required_by_its_whole_name(skilled: Connection[Any]) -> None:
    find = "select dealwright_engine.required_department(%s)"
    assert value(skilled, find, "please somebody from luxury voyages") == "Luxury Voyages"
    assert value(skilled, find, "sales") is None
    add_agent(skilled, "third", department="Business Travel")
    assert value(skilled, find, "Luxury Voyages or Business Travel") is None  # both at once cannot be met


def test_own_words_can_stand_for_a_skill(skilled: Connection[Any]) -> None:
    rows(skilled, "insert into dealwright.requirement_term values ('skill', 'family', 'grand.ma')")
    assert value(skilled, "select dealwright_engine.required('with grand.ma', 'skill')") == ["family"]
    assert (
        value(skilled, "select dealwright_engine.required('with grandxma', 'skill')") is None
    )  # a dot is a dot


def test_given_skills_and_department_count_beside_the_text(skilled: Connection[Any]) -> None:
    answer = assign(skilled, {}, "workload", skills=["LUXURY"])
    assert answer["agent_name"] == "all"
    assert assign(skilled, {}, "workload", department="Sales")["agent_name"] == "none"
    waiting = assign(skilled, {}, "workload", skills=["luxury"], department="Sales")
    assert waiting["status"] == "waiting"
    rows(skilled, "update dealwright.agent set skills = '{luxury}' where name = 'none'")
    lead = rows(skilled, "select * from dealwright.placement_of(%s)", waiting["lead_id"])[0]
    assert (lead["status"], lead["agent_name"]) == ("assigned", "none")


@pytest.mark.parametrize(
    ("given", "text", "corrected", "skills", "department"),
    [
        ({}, "luxury", "quiet", None, None),
        ({}, "luxury", "honeymoon", ["honeymoon"], None),
        ({}, "somebody from Luxury Voyages", "quiet", None, None),
        ({}, "quiet", "somebody from Luxury Voyages", ["luxury"], "Luxury Voyages"),
        # what was asked for beside the text stays
        ({"skills": ["spanish"]}, "luxury", "honeymoon", ["spanish"], None),
        ({"department": "Sales"}, "luxury", "quiet", None, "Sales"),
        ({"department": "Sales"}, "luxury", None, None, "Sales"),
    ],
)
def test_what_was_read_from_a_text_goes_with_it(
    skilled: Connection[Any],
    given: dict[str, Any],
    text: str,
    corrected: str | None,
    skills: list[str] | None,
    department: str | None,
) -> None:
    lead = assign(skilled, {}, "workload", requirements=text, **given)["lead_id"]
    rows(skilled, "update dealwright.lead set requirements = %s where lead_id = %s", corrected, lead)
    kept = "select required_skills, required_department from dealwright.lead where lead_id = %s"
    assert rows(skilled, kept, lead) == [{"required_skills": skills, "required_department": department}]


def test_a_lead_inserted_with_nulls_has_the_usual_values(skilled: Connection[Any]) -> None:
    rows(
        skilled,
        "insert into dealwright.lead (customer_name, received_at, priority, idempotency_key) "
        "values ('Kate', null, null, null)",
    )
    (lead,) = rows(skilled, "select priority, received_at - now() as ahead, status from dealwright.lead")
    assert (lead["priority"], lead["status"]) == (0, "assigned")
    assert abs(lead["ahead"].total_seconds()) < 60


def test_skills_are_the_same_however_they_are_written(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        agent = add_agent(connection, "plain", skills=["Luxury", " SPANISH "])
        assert assign(connection, {}, requirements="a luxury trip")["agent_id"] == agent
        assert assign(connection, {}, skills=["Spanish"])["agent_id"] == agent
        waiting = assign(connection, {}, skills=["French"])
        rows(connection, "update dealwright.agent set skills = '{FRENCH}'")
        lead = rows(connection, "select * from dealwright.placement_of(%s)", waiting["lead_id"])[0]
        assert lead["status"] == "assigned"
        waiting = assign(connection, {}, skills=["German"])
        change = "update dealwright.lead set required_skills = '{French}' where lead_id = %s"
        rows(connection, change, waiting["lead_id"])
        lead = rows(connection, "select * from dealwright.placement_of(%s)", waiting["lead_id"])[0]
        assert lead["status"] == "assigned"


@pytest.mark.parametrize("policy", ["value", "classic", "workload", "fair"])
def test_nobody_gets_a_lead_who_may_not(database: Database, policy: str) -> None:
    with database.connect(autocommit=True) as connection:
        load_classic(connection)
        past, coming = "now() - interval '2 h', now() - interval '1 h'", "now() + interval '1 h', null"
        away = f"tstzmultirange(tstzrange({past}), tstzrange({coming}))"
        for change in ("active = false", "capacity = 0", f"shifts = {away}", "shifts = '{}'"):
            agent = add_agent(connection, change, rating=5, years_of_service=50)
            rows(connection, f"update dealwright.agent set {change} where agent_id = %s", agent)
        assert assign(connection, {}, policy)["status"] == "waiting"
        here = "tstzmultirange(tstzrange(now() - interval '1 h', now() + interval '1 h'))"
        agent = add_agent(connection, "here", capacity=2)
        rows(connection, f"update dealwright.agent set shifts = {here} where agent_id = %s", agent)
        table = rows(
            connection, 'select * from dealwright.rank_agents(\'{"customer_name": "K"}\', %s)', policy
        )
        assert [row["eligible"] for row in table] == [True, False, False, False, False]
        assert table[0]["agent_id"] == agent  # whoever may not have it stands behind, and says why
        reasons = {row["agent_name"]: row["reasons"][0]["reason"] for row in table[1:]}
        assert reasons["active = false"] == "not eligible: not active"
        assert reasons["capacity = 0"] == "not eligible: no free place"
        assert {reasons[name] for name in reasons if name.startswith("shifts")} == {"not eligible: off shift"}
        assert assign(connection, {}, policy)["agent_id"] == agent
        assert assign(connection, {}, policy)["status"] == "waiting"
        assert value(connection, "select count(*) from dealwright.lead where is_waiting") == 1


@pytest.mark.administrator
def test_a_shift_that_begins_takes_the_queue_with_the_next_sweep(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        add_agent(connection, "soon", shifts="{}")
        assert assign(connection, {})["status"] == "waiting"
        rows(connection, "set session_replication_role = replica")  # time goes by without a write
        rows(connection, "update dealwright.agent set shifts = null")
        rows(connection, "set session_replication_role = origin")
        assert value(connection, "select dealwright.fill_free_places()") == 1
        assert value(connection, "select count(*) from dealwright.lead where is_waiting") == 0


def test_the_most_urgent_waiting_lead_gets_the_place(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        agent = add_agent(connection, "one", capacity=1, skills=["spanish"])
        first = assign(connection, {})
        for name, priority, received, skills in (
            ("late", 0, "2081-01-02T00:00:00Z", None),
            ("early", 0, "2081-01-01T00:00:00Z", None),
            ("urgent", 5, "2081-01-03T00:00:00Z", None),
            ("impossible", 9, "2081-01-01T00:00:00Z", ["french"]),
        ):
            assert (
                assign(connection, {}, customer=name, priority=priority, received_at=received, skills=skills)[
                    "status"
                ]
                == "waiting"
            )
        served = []
        booking = first["booking_id"]
        for _ in range(3):
            rows(connection, "select dealwright.settle_booking(%s, 'cancelled')", booking)
            row = rows(
                connection,
                "select l.customer_name, b.booking_id from dealwright.assignment as a join "
                "dealwright.lead as l using (lead_id) "
                "join dealwright.booking as b using (assignment_id) where a.agent_id = %s and a.status = "
                "'open'",
                agent,
            )[0]
            served.append(row["customer_name"])
            booking = row["booking_id"]
    assert served == ["urgent", "early", "late"]
