"""What a lead may say about a dimension, and what is counted: closed, open, left out, a number in bins."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from desk_machine import FURTHER, KNOWS_MORE
from engine import (
    DIMENSIONS,
    add_agent,
    assign,
    declare,
    lead_json,
    load_model,
    random_model,
    rows,
    seen_after,
    value,
)
from ledger import check_desk
from psycopg import Connection
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database
from dealwright.dimensions import EMPTY

LEAD = {"destination": "Mars", "lead_source": "Organic"}
RANKED = "select agent_id, match_score, win_probability from dealwright.rank_agents(%s, 'value')"


@pytest.fixture
def desk(database: Database) -> Iterator[Connection[Any]]:
    """Return a connection to a desk with four agents, whose dimensions are of every kind."""
    with database.connect(autocommit=True) as connection:
        declare(connection, (*DIMENSIONS, *FURTHER))
        for i in range(4):
            add_agent(connection, f"agent {i}", capacity=50, rating=2 + i / 2, years_of_service=i)
        yield connection


def place(connection: Connection[Any], way: str, attributes: Mapping[str, Any]) -> int:
    """Place a lead in one of the three ways; returns its id."""
    document = {**LEAD, **attributes}
    if way == "insert":
        statement = (
            "insert into dealwright.lead (customer_name, attributes) values ('Kate', %s) returning lead_id"
        )
        return int(value(connection, statement, Jsonb(document)))
    if way == "command":
        return int(rows(connection, "call dealwright.assign(%s)", lead_json(document))[0]["lead_id"])
    return int(assign(connection, document)["lead_id"])


def slot_of(connection: Connection[Any], name: str, text: str) -> int | None:
    found = rows(
        connection,
        "select slot from dealwright.dimension_value join dealwright.dimension using (dimension_id) "
        "where name = %s and value = %s",
        name,
        text,
    )
    return found[0]["slot"] if found else None


def slots(connection: Connection[Any], lead_id: int) -> set[int]:
    return set(value(connection, "select slots from dealwright.lead where lead_id = %s", lead_id))


def names_of_slots(connection: Connection[Any]) -> dict[int, tuple[str, str]]:
    found = rows(
        connection,
        "select slot, name, value from dealwright.dimension_value join dealwright.dimension "
        "using (dimension_id)",
    )
    return {row["slot"]: (row["name"], row["value"]) for row in found}


def settle_all(connection: Connection[Any]) -> None:
    rows(
        connection,
        "select dealwright.settle_booking(booking_id, (array['confirmed', 'cancelled'])[1 + booking_id % 2], "
        "500 + booking_id) from dealwright.booking where status = 'pending'",
    )


def agrees(connection: Connection[Any]) -> bool:
    """Whether every decision replays."""
    found = rows(
        connection, "select dealwright.replay(assignment_id) -> 'agrees' as agrees from dealwright.decision"
    )
    return all(row["agrees"] for row in found)


@pytest.mark.parametrize("way", ["function", "command", "insert"])
@pytest.mark.parametrize("differ", [True, False, None])
def test_a_new_value_of_an_open_dimension_is_placed_and_counted(
    desk: Connection[Any], way: str, differ: bool | None
) -> None:
    model = None
    if differ is not None:
        model = random_model(np.random.default_rng(1), (*DIMENSIONS, *FURTHER), agents_differ=differ)
        load_model(desk, model)
    place(desk, way, {"channel": "web"})
    lead_id = place(desk, way, {"channel": "podcast"})
    slot = slot_of(desk, "channel", "podcast")
    assert slot == value(
        desk, "select count(*) + 1 from dealwright.dimension_value"
    )  # the last, without a gap
    assert slot in slots(desk, lead_id)
    assert value(desk, "select sum(assigned[%s]) from dealwright.agent_stat", slot) == 1
    # the same value again, by whatever agent, is the same slot
    assert slots(desk, place(desk, way, {"channel": " podcast "})) == slots(desk, lead_id)
    place(desk, way, {"channel": "radio"})
    check_desk(desk, model)
    settle_all(desk)
    assert value(desk, "select sum(known[%s]) from dealwright.agent_stat", slot) == 2
    check_desk(desk, model)
    assert agrees(desk)


def test_a_new_value_weighs_nothing_until_a_model_knows_it(desk: Connection[Any]) -> None:
    rng = np.random.default_rng(2)
    model = random_model(rng, (*DIMENSIONS, *FURTHER))
    load_model(desk, model)
    place(desk, "function", {"channel": "web"})
    settle_all(desk)

    def ranked(attributes: Mapping[str, Any]) -> Any:
        return rows(desk, RANKED, lead_json({**LEAD, **attributes}))

    unseen = ranked({"channel": "podcast"})
    assert slot_of(desk, "channel", "podcast") is None  # a ranking records nothing
    assert unseen != ranked({"channel": "web"})
    lead_id = place(desk, "function", {"channel": "podcast"})
    logged = rows(desk, "select * from dealwright.decision where lead_id = %s", lead_id)[0]
    assert logged["win_probability"] == pytest.approx(unseen[0]["win_probability"], rel=1e-9)
    width = {len(row["vector"]) for row in check_desk(desk, model)["agent"]}
    assert width == {2 + len(model.slots)}
    settle_all(desk)
    assert {len(row["vector"]) for row in check_desk(desk, model)["agent"]} == width
    # trained, the model has an element for it, and so have all agents
    channel = replace(FURTHER[0], values=("web", "fair", EMPTY, "podcast"))
    learned = random_model(rng, (*DIMENSIONS, channel, FURTHER[1]))
    load_model(desk, learned)
    assert {len(row["vector"]) for row in check_desk(desk, learned)["agent"]} == {2 + len(learned.slots)}
    slot = slot_of(desk, "channel", "podcast")
    weight = value(
        desk,
        "select lead_weight[%s] from dealwright_engine.compiled_model order by model_id desc limit 1",
        slot,
    )
    assert weight == learned.lead_weights["channel"]["podcast"]
    place(desk, "function", {"channel": "podcast"})
    settle_all(desk)
    check_desk(desk, learned)
    assert agrees(desk)


def test_a_value_that_a_model_has_learned_elsewhere_waits_for_its_slot(desk: Connection[Any]) -> None:
    """Or a decision would weigh nothing at first, and something when it is replayed."""
    model = random_model(np.random.default_rng(3), (*DIMENSIONS, KNOWS_MORE, FURTHER[1]))
    load_model(desk, model)
    lead_id = place(desk, "function", {"channel": "radio"})
    settle_all(desk)
    assert slot_of(desk, "channel", "radio") is None
    check_desk(desk, model)
    assert value(desk, "select dealwright.declare_open_values()") == 1
    assert slot_of(desk, "channel", "radio") in slots(desk, lead_id)
    check_desk(desk, model)
    assert value(desk, "select dealwright.declare_open_values()") == 0
    assert agrees(desk)


@pytest.mark.parametrize(("limit", "most"), [("most_slots", 13), ("most_values", 3)])
def test_beyond_the_most_a_new_value_stays_unknown(desk: Connection[Any], limit: str, most: int) -> None:
    count = value(desk, "select dealwright_engine.slot_count()")
    rows(
        desk,
        f"create or replace function dealwright_engine.{limit}() returns integer language sql immutable "
        f"as 'select {most}'",
    )
    for channel in ("one", "two", "three"):
        place(desk, "function", {"channel": channel})
    assert value(desk, "select dealwright_engine.slot_count()") == count + 1
    assert value(desk, "select dealwright.declare_open_values()") == 0
    rows(desk, "select dealwright.declare_dimension('channel', array['four', 'five'])")
    assert value(desk, "select dealwright_engine.slot_count()") == count + 1
    # closed ones are the company's own decision
    rows(desk, "select dealwright.declare_dimension('destination', array['Io', 'Pluto'])")
    assert value(desk, "select dealwright_engine.slot_count()") == count + 3
    check_desk(desk)


REFUSED = [
    (
        {"destination": "Marz"},
        "unknown value 'Marz' for dimension destination: use one of Mars, Titan, Venus",
    ),
    ({"destination": ""}, "dimension 'destination' is missing"),
    ({"destination": None}, "dimension 'destination' is missing"),
    ({"destination": EMPTY}, "dimension 'destination' is missing"),
    ({"colour": "red"}, "unknown dimension 'colour'"),
    ({"size": "plenty"}, "size must be a number, not 'plenty'"),
    ({"size": "NaN"}, "size must be a number, not 'NaN'"),
    ({"size": "1e"}, "size must be a number"),
    ({"channel": "x" * 201}, "a value of channel has 200 characters at most, not 201"),
    ({"channel": ["web"]}, "channel must be a text or a number"),
    ({"size": {"from": 1}}, "size must be a text or a number"),
]


@pytest.mark.parametrize(("attributes", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_is_refused_by_name(
    desk: Connection[Any], attributes: Mapping[str, Any], message: str
) -> None:
    before = check_desk(desk)
    for way in ("function", "command", "insert"):
        with pytest.raises(psycopg.Error) as refused:
            place(desk, way, attributes)
        assert refused.value.sqlstate == "DW002"
        assert message in (refused.value.diag.message_primary or "")
    assert check_desk(desk) == before
    if "missing" not in message:
        with pytest.raises(psycopg.Error, match=message.partition("'")[0].strip()):
            rows(desk, RANKED, lead_json({**LEAD, **attributes}))


def test_nothing_given_is_a_value_where_it_is_known_at_arrival(desk: Connection[Any]) -> None:
    model = random_model(np.random.default_rng(4), (*DIMENSIONS, *FURTHER))
    load_model(desk, model)
    empty = slot_of(desk, "channel", EMPTY)
    kinds = [{}, {"channel": None}, {"channel": ""}, {"channel": "  "}, {"channel": EMPTY}]
    for attributes in kinds:
        for way in ("function", "insert"):
            assert empty in slots(desk, place(desk, way, attributes))
    settle_all(desk)
    tables = check_desk(desk, model)
    assert sum(stat["known"][empty - 1] for stat in tables["stat"]) == 10
    ranked = [rows(desk, RANKED, lead_json({**LEAD, **attributes})) for attributes in kinds]
    assert [sorted(answer, key=lambda row: row["agent_id"]) for answer in ranked] == [
        sorted(ranked[0], key=lambda row: row["agent_id"])
    ] * 5
    web = rows(desk, RANKED, lead_json({**LEAD, "channel": "web"}))
    assert web[0]["win_probability"] != ranked[0][0]["win_probability"]
    # a dimension of the booking may be given or not, and nothing given is no value
    assert len(slots(desk, place(desk, "function", {}))) == 1 + 2 + 1
    assert slot_of(desk, "size", EMPTY) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (-3, "small"), (10, "small"), ("10", "small"), ("10.0", "small"), (10.5, "middling"),
        ("99.5", "middling"), (99.51, "large"), ("1e3", "large"), ("+.5E2", "middling"),
        (0.1 + 0.2, "small"), (" 7 ", "small"), ("middling", "middling"),
    ],
)  # fmt: skip
def test_a_number_is_of_its_bin(desk: Connection[Any], given: Any, expected: str) -> None:
    for way in ("function", "command", "insert"):
        lead_id = place(desk, way, {"size": given})
        assert slot_of(desk, "size", expected) in slots(desk, lead_id)
        kept = value(desk, "select attributes -> 'size' from dealwright.lead where lead_id = %s", lead_id)
        assert kept == given  # what was said stays
    check_desk(desk)


def test_edges_are_compared_to_the_last_digit(desk: Connection[Any]) -> None:
    rows(desk, "select dealwright.declare_dimension('size', '{low,high}', edges => %s)", [0.1 + 0.2])
    assert slot_of(desk, "size", "low") in slots(desk, place(desk, "function", {"size": 0.1 + 0.2}))
    assert slot_of(desk, "size", "low") in slots(desk, place(desk, "function", {"size": 0.3}))
    assert slot_of(desk, "size", "high") in slots(
        desk, place(desk, "function", {"size": 0.30000000000000010})
    )


def test_leads_that_mean_the_same_share_a_list_of_candidates(desk: Connection[Any]) -> None:
    load_model(desk, random_model(np.random.default_rng(5), (*DIMENSIONS, *FURTHER)))
    place(desk, "insert", {"size": 11, "channel": "web"})
    first = rows(desk, "select * from dealwright_engine.candidate_list")
    for attributes in (
        {"size": 35, "channel": "web"},
        {"size": "35", "channel": "web "},
        {"size": 36.5, "channel": "web"},
        {"size": "middling", "channel": "web"},
    ):
        for way in ("function", "insert", "command"):
            place(desk, way, attributes)
    assert first[0]["attributes"] == {**LEAD, "size": "middling", "channel": "web"}
    assert rows(desk, "select * from dealwright_engine.candidate_list") == first  # found, not made anew
    # one that leaves out what it must not is refused, whatever list there is
    rows(desk, "update dealwright.lead set attributes = attributes - 'destination' where lead_id = 1")
    rows(desk, "select dealwright.reassign(1, 'ill')")
    with pytest.raises(psycopg.Error, match="'destination' is missing"):
        assign(desk, {"lead_source": "Organic", "size": "middling", "channel": "web"})


def test_when_the_edges_move_a_bin_keeps_its_slot_and_leads_are_read_anew(desk: Connection[Any]) -> None:
    model = random_model(np.random.default_rng(6), (*DIMENSIONS, *FURTHER))
    load_model(desk, model)
    sizes = (5, 20, 50, 98, 500, "large")
    ids = [place(desk, "function", {"size": size}) for size in sizes]
    settle_all(desk)
    named = names_of_slots(desk)
    before = {name: slot_of(desk, "size", name) for name in ("small", "middling", "large")}
    rows(desk, "select dealwright.declare_dimension('size', '{few,large,huge}', edges => '{20,98}')")
    # by way of each other's names: large is now what middling was
    after = {name: slot_of(desk, "size", name) for name in ("few", "large", "huge")}
    assert list(after.values()) == list(before.values())
    places = [next((n for n, s in after.items() if s in slots(desk, i)), None) for i in ids]
    assert places == ["few", "few", "large", "large", "huge", "large"]
    now = seen_after(model, model, named, names_of_slots(desk))
    check_desk(desk, now)
    # other edges under the same names
    rows(desk, "select dealwright.declare_dimension('size', '{few,large,huge}', edges => '{20,49}')")
    assert after["huge"] in slots(desk, ids[2])
    check_desk(desk, now)
    # fewer, then more again
    rows(desk, "select dealwright.declare_dimension('size', '{low,high}', edges => '{50}')")
    assert slot_of(desk, "size", "huge") is None
    rows(desk, "select dealwright.declare_dimension('size', '{a,b,c,d}', edges => '{1,2,3}')")
    assert [slot_of(desk, "size", name) for name in "abc"] == list(before.values())
    assert slot_of(desk, "size", "d") == value(desk, "select dealwright_engine.slot_count()")
    check_desk(desk, seen_after(model, model, named, names_of_slots(desk)))
    assert agrees(desk)
    # no number any more: the last names are its values
    rows(desk, "select dealwright.declare_dimension('size', '{low,high}', edges => '{50}')")
    rows(desk, "select dealwright.declare_dimension('size', '{medium}', edges => '{}')")
    with pytest.raises(psycopg.Error, match="use one of low, high, medium\n"):
        place(desk, "function", {"size": 20})
    assert slot_of(desk, "size", "high") in slots(desk, place(desk, "function", {"size": "high"}))
    assert len(slots(desk, ids[0])) == 1 + 3
    # what was said before stands, whatever else is corrected
    rows(desk, "update dealwright.lead set requirements = 'a luxury cabin' where lead_id = %s", ids[0])
    with pytest.raises(psycopg.Error, match="use one of low"):
        rows(
            desk,
            "update dealwright.lead set attributes = attributes || '{\"size\": 6}' where lead_id = %s",
            ids[0],
        )
    check_desk(desk, seen_after(model, model, named, names_of_slots(desk)))
    for wrong in ("'{a,b}', edges => '{1,2}'", "'{a,b,c}', edges => '{2,1}'", "'{a,b}', edges => '{NaN}'"):
        with pytest.raises(psycopg.Error, match="ascending edges"):
            rows(desk, f"select dealwright.declare_dimension('size', {wrong})")


def test_what_may_be_left_out_from_now_on_counts_as_empty_also_of_the_past(desk: Connection[Any]) -> None:
    model = random_model(np.random.default_rng(7), DIMENSIONS)
    load_model(desk, model)
    with pytest.raises(psycopg.Error, match="'lead_source' is missing"):
        place(desk, "function", {"lead_source": None})
    first = place(desk, "function", {})
    rows(desk, "update dealwright.lead set attributes = attributes - 'lead_source' where lead_id = %s", first)
    settle_all(desk)
    rows(desk, "select dealwright.declare_dimension('lead_source', '{}', required => false)")
    empty = slot_of(desk, "lead_source", EMPTY)
    assert empty in slots(desk, first)
    second = place(desk, "function", {"lead_source": None})
    assert empty in slots(desk, second)
    settle_all(desk)
    check_desk(desk, model)
    rows(desk, "select dealwright.declare_dimension('lead_source', '{}', at_arrival => false)")
    assert empty not in slots(desk, second)
    rows(desk, "select dealwright.declare_dimension('lead_source', '{}', required => true)")
    with pytest.raises(psycopg.Error, match="'lead_source' is missing"):
        place(desk, "function", {"lead_source": None})
    check_desk(desk, model)
    # what is not said stays
    rows(desk, "select dealwright.declare_dimension('channel', '{mail}')")
    (channel,) = rows(
        desk, "select is_open, required, at_arrival, edges from dealwright.dimension where name = 'channel'"
    )
    assert channel == {"is_open": True, "required": False, "at_arrival": True, "edges": []}


def test_whoever_adds_a_value_holds_up_nobody_for_long(database: Database, desk: Connection[Any]) -> None:
    model = random_model(np.random.default_rng(8), (*DIMENSIONS, *FURTHER))
    load_model(desk, model)
    add_agent(desk, "Ida", capacity=50, skills=["luxury"])
    with database.connect(autocommit=True) as other:
        with other.transaction():
            place(other, "insert", {"channel": "podcast"})
            slot = slot_of(other, "channel", "podcast")
            began = time.perf_counter()
            # with another agent, or it would wait for the agent's row
            ids = [
                assign(desk, {**LEAD, "channel": channel}, requirements="luxury")["lead_id"]
                for channel in ("radio", "podcast", "web")
            ]
            assert time.perf_counter() - began < 3
            assert slot_of(desk, "channel", "radio") is None
            assert slot_of(desk, "channel", "web") in slots(desk, ids[2])
        assert value(desk, "select count(*) from dealwright.assignment where status = 'open'") == 4
        # what had to go without a slot has one before the next training
        assert value(desk, "select dealwright.declare_open_values()") == 1
        assert value(desk, "select dealwright_engine.reread_leads()") == 0
        assert slot in slots(desk, ids[1])
        assert slot_of(desk, "channel", "radio") in slots(desk, ids[0])
        check_desk(desk, model)
        # the slot was given, but not to the lead that came meanwhile
        with other.transaction():
            place(other, "insert", {"channel": "letter"})
            meanwhile = assign(desk, {**LEAD, "channel": "letter"}, requirements="luxury")["lead_id"]
        assert slot_of(desk, "channel", "letter") not in slots(desk, meanwhile)
        assert value(desk, "select dealwright.declare_open_values()") == 0
        assert slot_of(desk, "channel", "letter") in slots(desk, meanwhile)
        check_desk(desk, model)
        # undone, and nothing is left of it, no gap either
        with other.transaction(force_rollback=True):
            place(other, "insert", {"channel": "fax"})
        place(desk, "function", {"channel": "pigeon"})
        numbers = [
            row["slot"] for row in rows(desk, "select slot from dealwright.dimension_value order by slot")
        ]
        assert numbers == list(range(2, len(numbers) + 2))
        check_desk(desk, model)


@pytest.mark.slow
def test_many_new_values_at_once(database: Database, desk: Connection[Any]) -> None:
    """Nobody gives way to a deadlock, every lead is placed, and at the end every value has one slot."""
    model = random_model(np.random.default_rng(9), (*DIMENSIONS, *FURTHER))
    load_model(desk, model)
    rows(desk, "update dealwright.agent set capacity = 1000")

    def work(number: int) -> None:
        with database.connect(autocommit=True) as connection:
            for i in range(40):
                # half of them come from all sides at the same time
                channel = f"shared {i}" if i % 2 else f"own {number} {i}"
                place(connection, ("function", "command", "insert")[(i + number) % 3], {"channel": channel})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert value(desk, "select count(*) from dealwright.assignment where status = 'open'") == 240
    given = value(
        desk,
        "select count(*) from dealwright.dimension_value where value like 'shared%' or value like 'own%'",
    )
    declared = value(desk, "select dealwright.declare_open_values()")
    assert given + declared == 20 + 6 * 20
    assert given > 20  # most at once
    check_desk(desk, model)
    assert agrees(desk)
