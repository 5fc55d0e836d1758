"""What must hold of a desk at every commit, asserted from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from engine import Row, expected_profiles, outcome_of, recount, rows, understood
from psycopg import Connection

from dealwright.dimensions import Dimension
from dealwright.learn import MatchModel

# by how much the open count may move with an event; None: it may be anything (it was counted anew)
MOVES: Mapping[str, tuple[int, ...] | None] = {
    "agent_added": None,
    "agent_changed": (0,),
    "assigned": (0, 1),
    "offered": (1,),
    "moved_in": (0, 1),
    "moved_out": (-1, 0),
    "reopened": (1,),
    "confirmed": (-1, 0),
    "cancelled": (-1, 0),
    "lapsed": (-1, 0),
    "unknown": (-1, 0),
    "reassigned": (-1,),
    "deleted": (-1, 0),
    "corrected": (-1, 0, 1),
    "recounted": None,
    "levelled": (0,),
}


def check_desk(
    connection: Connection[Any], model: MatchModel | None = None, *, queue: bool = True, since: int = 0
) -> Mapping[str, Sequence[Row]]:
    """Assert every invariant of the desk; returns the tables that were read.

    ``model`` is the promoted match model; ``queue`` says whether nobody may wait while a place is free.
    """
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        tables = read_tables(connection, since)
        _check_views(connection)
    _check_leads(tables)
    _check_assignments(tables)
    _check_counters(tables, model)
    check_events(tables["event"], tables["agent"], complete=since == 0)
    if queue:
        check_queue(tables)
    return tables


def read_tables(connection: Connection[Any], since: int = 0) -> dict[str, list[Row]]:
    """Read the book of record and what was counted of it.

    Every table comes in the order of its key: without, an autoanalyze between two readings may change the
    plan and with it the order, and what has not changed would compare as changed.
    """
    return {
        "agent": rows(
            connection,
            "select *, profile::real[]::float8[] as vector, variance::real[]::float8[] as spread, "
            "shifts is null or shifts @> now() as on_shift from dealwright.agent order by agent_id",
        ),
        "stat": rows(connection, "select * from dealwright.agent_stat order by agent_id"),
        "day": rows(
            connection,
            "select * from dealwright_engine.agent_day where confirmed <> 0 order by day, agent_id",
        ),
        "dimension": rows(
            connection,
            "select d.*, array(select v.value from dealwright.dimension_value as v "
            "where v.dimension_id = d.dimension_id and v.bin <= cardinality(d.edges) + 1 "
            "order by v.bin) as bins from dealwright.dimension as d order by d.position",
        ),
        "lead": rows(connection, "select * from dealwright.lead order by lead_id"),
        "assignment": rows(
            connection,
            "select a.*, l.attributes from dealwright.assignment as a join dealwright.lead as l using "
            "(lead_id) order by a.assignment_id",
        ),
        "booking": rows(connection, "select * from dealwright.booking order by assignment_id"),
        "event": rows(
            connection, "select * from dealwright.event where position > %s order by position", since
        ),
        "slot": rows(
            connection,
            "select v.slot, d.name, v.value, d.position from dealwright.dimension_value as v "
            "join dealwright.dimension as d using (dimension_id) order by d.position, v.slot",
        ),
        "channel": rows(connection, "select * from dealwright.channel order by slot"),
        "agent_channel": rows(connection, "select * from dealwright.agent_channel order by agent_id, slot"),
        "window": rows(
            connection,
            "select w.start from dealwright_engine.fair_window_start() as w (start) where isfinite(w.start)",
        ),
    }


def _check_views(connection: Connection[Any]) -> None:
    """The desk's own recount agrees with its counters."""
    columns = (
        "agent_id, assigned, known, confirmed, expected_ppm, revenue_cents, base_cents, package_cents, "
        "base_expected_cents, package_expected_cents"
    )
    for kept, counted in (
        (
            f"select {columns} from dealwright.agent_stat",
            f"select {columns} from dealwright_engine.recounted_stat",
        ),
        (
            "select day, agent_id, confirmed from dealwright_engine.agent_day where confirmed <> 0",
            "select day, agent_id, confirmed from dealwright_engine.recounted_day",
        ),
        (
            "select agent_id, open, fair_count from dealwright.agent",
            "select agent_id, open, fair_count from dealwright_engine.recounted_agent",
        ),
        (
            "select agent_id, slot, open, capacity from dealwright_engine.channel_open",
            "select agent_id, slot, open, capacity from dealwright_engine.recounted_channel",
        ),
    ):
        for one, other in ((kept, counted), (counted, kept)):
            assert rows(connection, f"{one} except all {other}") == []


def _check_leads(tables: Mapping[str, Sequence[Row]]) -> None:
    live: dict[int, Row] = {}
    for row in tables["assignment"]:
        if row["status"] != "reassigned":
            assert row["lead_id"] not in live, f"lead {row['lead_id']} is with two agents"
            live[row["lead_id"]] = row
    for lead in tables["lead"]:
        assert lead["status"] in ("waiting", "assigned", "withdrawn"), lead
        mine = live.get(lead["lead_id"])
        if lead["status"] == "waiting":
            assert mine is None, f"lead {lead['lead_id']} waits and is assigned"
        elif lead["status"] == "assigned":
            assert mine is not None, f"lead {lead['lead_id']} is with nobody"
            assert lead["last_assignment_id"] is None, f"lead {lead['lead_id']} is still to leave the queue"
        else:
            assert mine is None or mine["status"] != "open", f"lead {lead['lead_id']} is withdrawn and open"


def _check_assignments(tables: Mapping[str, Sequence[Row]]) -> None:
    booked = {booking["assignment_id"]: booking for booking in tables["booking"]}
    slots = {(slot["name"], slot["value"]): slot["slot"] for slot in tables["slot"]}
    for row in tables["assignment"]:
        booking = booked.get(row["assignment_id"])
        assert (row["status"], row["outcome"]) == outcome_of(row, booking), (row, booking)
        assert sorted(row["slots"]) == sorted(
            [
                1,
                *(
                    slots[item]
                    for item in understood(row["attributes"], tables["dimension"]).items()
                    if item in slots
                ),
            ]
        )
        assert (row["ended_at"] is None) == (row["status"] in ("open", "unknown")), row
        won = row["outcome"] == "won"
        assert row["completed_at"] == (booking["completed_at"] if won and booking else None)
        for name in ("base_revenue", "package_revenue", "total_revenue"):
            assert row[name] == (booking[name] if won and booking else None)
        assert (row["known_at"] is not None) == (row["outcome"] is not None)
    waiting = {lead["lead_id"]: lead for lead in tables["lead"] if lead["status"] == "waiting"}
    live = {row["assignment_id"]: row for row in tables["assignment"]}
    for booking in tables["booking"]:
        row = live[booking["assignment_id"]]
        if booking["status"] == "pending" and row["status"] == "reassigned":
            # nobody has it: it waits with its lead
            assert waiting[row["lead_id"]]["last_assignment_id"] == row["assignment_id"], booking


def _check_counters(tables: Mapping[str, Sequence[Row]], model: MatchModel | None) -> None:
    agents = {agent["agent_id"]: agent for agent in tables["agent"]}
    slots = {(slot["name"], slot["value"]): slot["slot"] for slot in tables["slot"]}
    window = tables["window"][0]["start"] if tables["window"] else None
    assignments = [
        {**row, "attributes": understood(row["attributes"], tables["dimension"])}
        for row in tables["assignment"]
    ]
    counted = recount(list(agents), assignments, tables["booking"], slots, model, window)
    width = max(slots.values(), default=1)
    assert {i: agent["open"] for i, agent in agents.items()} == counted.open
    assert {i: agent["fair_count"] for i, agent in agents.items()} == counted.fair_count
    assert {stat["agent_id"] for stat in tables["stat"]} == set(agents)
    for stat in tables["stat"]:
        i = stat["agent_id"]
        for name in ("assigned", "known", "confirmed", "expected_ppm"):
            # of a value that came since, nothing may have been counted yet
            assert stat[name] + [0] * (width - len(stat[name])) == getattr(counted, name)[i], (name, i)
        assert {name: stat[f"{name}_cents"] for name in counted.cents[i]} == counted.cents[i], i
    assert {(day["day"], day["agent_id"]): day["confirmed"] for day in tables["day"]} == counted.days
    if model is None:
        return
    names = list(dict.fromkeys(slot["name"] for slot in tables["slot"]))
    declared = [
        Dimension(name, tuple(slot["value"] for slot in tables["slot"] if slot["name"] == name))
        for name in names
    ]
    # the declared dimensions one after the other, and where each of the desk's slots stands there
    in_order = [1, *(slot["slot"] for slot in tables["slot"])]
    traits = pl.DataFrame(
        [
            {"agent_id": i, "rating": a["rating"], "years_of_service": a["years_of_service"], **a["traits"]}
            for i, a in agents.items()
        ],
        infer_schema_length=None,
    )
    if agents:
        wanted = expected_profiles(counted, model, declared, np.argsort(in_order).tolist(), traits)
        for i, agent in agents.items():
            vector, variance, base, package = wanted[i]
            # nor has a model an element for a value that came after it
            assert len(agent["vector"]) == len(agent["spread"])
            vector, variance = vector[: len(agent["vector"])], variance[: len(agent["spread"])]
            np.testing.assert_allclose(
                agent["vector"], vector, rtol=1e-5, atol=1e-6, err_msg=f"profile of {i}"
            )
            np.testing.assert_allclose(agent["spread"], variance, rtol=1e-5, atol=1e-9)
            np.testing.assert_allclose(
                (agent["base_ratio"], agent["package_ratio"]), (base, package), rtol=1e-9
            )


def check_events(events: Sequence[Row], agents: Sequence[Row], *, complete: bool = True) -> None:
    """Each event's state follows from the one before, nobody got a lead past capacity, the last stands."""
    last: dict[int, Row] = {}
    for event in events:
        if event["kind"] == "agent_deleted":
            last.pop(event["agent_id"], None)
        if event["open"] is None:
            continue
        before = last.get(event["agent_id"])
        allowed = MOVES[event["kind"]]
        if before is not None and allowed is not None:
            assert event["open"] - before["open"] in allowed, (before, event)
        placed = event["kind"] in ("assigned", "offered", "moved_in")
        if placed and (before is None or event["open"] > before["open"]):
            overridden = (event["payload"] or {}).get("overridden") or ()
            assert event["open"] <= event["capacity"] or "capacity" in overridden, event
        last[event["agent_id"]] = event
    for agent in agents:
        event = last.get(agent["agent_id"])
        if event is None:
            assert not complete, f"agent {agent['agent_id']} has no event"
            continue
        for name in ("open", "capacity", "fair_count", "fair_compensation"):
            assert event[name] == agent[name], (name, event, agent["agent_id"])


def has_channel_room(tables: Mapping[str, Sequence[Row]], agent: Row, lead: Row) -> bool:
    """Whether a lead's channel leaves an agent room for it, counted from the open leads."""
    places = {row["slot"]: row["places"] for row in tables["channel"]}
    limits = {row["slot"]: row["capacity"] for row in tables["channel"]}
    limits |= {
        row["slot"]: row["capacity"]
        for row in tables["agent_channel"]
        if row["agent_id"] == agent["agent_id"]
    }
    mine = [
        row
        for row in tables["assignment"]
        if row["agent_id"] == agent["agent_id"] and row["status"] == "open"
    ]

    def needs(slots: Sequence[int]) -> int:
        return next((places[slot] for slot in slots if slot in places), 1)

    for slot in lead["slots"]:
        limit = limits.get(slot)
        if limit is not None and sum(slot in row["slots"] for row in mine) >= limit:
            return False
    return bool(sum(needs(row["slots"]) for row in mine) + needs(lead["slots"]) <= agent["capacity"])


def can_take(agent: Row, lead: Row) -> bool:
    """Whether an agent may get a lead, written down a second time."""
    return (
        agent["active"]
        and agent["open"] < agent["capacity"]
        and agent["on_shift"]
        and set(lead["required_skills"] or ()) <= set(agent["skills"])
        and lead["required_department"] in (None, agent["department"])
        and agent["agent_id"] not in (lead["declined_by"] or ())
    )


def check_queue(tables: Mapping[str, Sequence[Row]]) -> None:
    """Nobody waits while an agent who could take the lead has room."""
    for lead in tables["lead"]:
        if lead["status"] == "waiting":
            able = [
                agent["agent_id"]
                for agent in tables["agent"]
                if can_take(agent, lead) and has_channel_room(tables, agent, lead)
            ]
            assert not able, f"lead {lead['lead_id']} waits while {able} have room"


def utc(text: str) -> datetime:
    """Read a time."""
    return datetime.fromisoformat(text)
