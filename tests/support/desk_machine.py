"""A machine that works at a desk at random: how it begins, how it tries things, and what must always hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import psycopg
from engine import (
    DIMENSIONS,
    Row,
    add_agent,
    declare,
    lead_json,
    load_classic,
    load_model,
    random_model,
    rows,
    seen_after,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ledger import check_desk
from psycopg import Connection

from dealwright.dimensions import EMPTY, Dimension
from dealwright.learn import MatchModel

REFUSED = {"DW001", "DW002", "DW003"}
TABLES = (
    "dealwright.agent, dealwright.agent_stat, dealwright_engine.agent_day, dealwright.lead, "
    "dealwright.assignment, dealwright.booking, dealwright.event, dealwright_engine.agent_profile_log, "
    "dealwright.decision, dealwright.model, dealwright_engine.compiled_model, dealwright.dimension, "
    "dealwright.dimension_value, dealwright.requirement_term, dealwright_engine.response_due"
)
# one takes any value and may be empty, the other is a number in bins and only known from the booking
FURTHER = (
    Dimension("channel", ("web", "fair", EMPTY), is_open=True, required=False),
    Dimension("size", ("small", "middling", "large"), required=False, at_arrival=False, edges=(10.0, 99.5)),
)
FIRST = {"destination": "Mars", "lead_source": "Organic"}
# of a desk where more values came
KNOWS_MORE = replace(FURTHER[0], values=("web", "radio", EMPTY))


def has(table: str) -> Callable[[Any], bool]:
    """Whether there is a row to work with."""
    return lambda machine: machine.tables is not None and bool(machine.tables[table])


def rarely(machine: Any) -> bool:
    """Whether it is the turn of what the company changes now and then: most steps are leads and bookings."""
    return bool(machine.tables is not None and machine.steps % 4 == 0)


class DeskMachine(RuleBasedStateMachine):
    """Draws what to do; what the desk makes of it is checked by `check_desk` and by the rules themselves."""

    connection: ClassVar[Connection[Any]]

    def __init__(self) -> None:
        super().__init__()
        # as it was loaded, and as the desk sees it by now
        self.loaded: MatchModel | None = None
        self.model: MatchModel | None = None
        self.slots: dict[int, tuple[str, str]] = {}
        self.tables: Any = None
        self.steps = 0

    # the beginning

    @initialize(
        seed=st.integers(0, 2**16),
        agents=st.lists(
            st.tuples(
                st.integers(0, 3), st.sampled_from(((), ("luxury",), ("luxury", "family"))), st.floats(0.5, 2)
            ),
            min_size=2,
            max_size=5,
        ),
        modelled=st.sampled_from((None, True, True, False)),
        fairness=st.sampled_from((0, 0, 0.5)),
        outcomes=st.lists(st.sampled_from(("confirmed", "cancelled", None)), min_size=2, max_size=5),
    )
    def open_desk(
        self,
        seed: int,
        agents: list[tuple[int, tuple[str, ...], float]],
        modelled: bool | None,
        fairness: float,
        outcomes: list[str | None],
    ) -> None:
        self.rng = np.random.default_rng(seed)
        rows(self.connection, "set session_replication_role = replica")
        rows(self.connection, f"truncate {TABLES} restart identity cascade")
        rows(
            self.connection,
            "update dealwright.policy set is_default = name = 'value', params = '{\"seed\": 1}'",
        )
        rows(self.connection, "set session_replication_role = origin")
        rows(
            self.connection,
            "update dealwright.policy set params = jsonb_build_object('seed', 1, 'fairness', %s::float8) "
            "where name = 'value'",
            fairness,
        )
        declare(self.connection, (*DIMENSIONS, *FURTHER))
        load_classic(self.connection)
        for i, (capacity, skills, weight) in enumerate(agents):
            add_agent(
                self.connection,
                f"agent {i}",
                capacity=capacity,
                skills=list(skills),
                weight=weight,
                rating=None if i == 1 else 3 + i / 2,
                years_of_service=float(i % 3),
                department="Luxury Voyages" if i == 0 else "Sales",
            )
        if modelled is not None:
            self.promote(modelled)
        # a day's work to begin with
        for outcome in outcomes:
            answer = rows(self.connection, "select * from dealwright.assign_lead(%s)", lead_json(FIRST))[0]
            if outcome is not None and answer["booking_id"] is not None:
                booking = answer["booking_id"]
                rows(
                    self.connection, "select dealwright.settle_booking(%s::bigint, %s, 900)", booking, outcome
                )

    @precondition(rarely)
    @rule(differ=st.booleans(), further=st.sampled_from(((), FURTHER, (KNOWS_MORE, *FURTHER[1:]))))
    def promote(self, differ: bool, further: tuple[Dimension, ...] = FURTHER) -> None:
        self.model = self.loaded = random_model(self.rng, (*DIMENSIONS, *further), agents_differ=differ)
        self.slots = self.read_slots()
        load_model(self.connection, self.model)

    def read_slots(self) -> dict[int, tuple[str, str]]:
        return {
            row["slot"]: (row["name"], row["value"])
            for row in rows(
                self.connection,
                "select slot, name, value from dealwright.dimension_value join dealwright.dimension "
                "using (dimension_id)",
            )
        }

    # tools

    def pick(self, table: str, draw: int, **wanted: Any) -> Row | None:
        found = [
            row
            for row in (self.tables or {}).get(table, ())
            if all(row[name] == v for name, v in wanted.items())
        ]
        return found[draw % len(found)] if found else None

    def attempt(self, statement: str, *parameters: Any) -> list[Row] | None:
        """Run a statement that may be refused: then with a reason of ours, and nothing has changed."""
        try:
            return rows(self.connection, statement, *parameters)
        except psycopg.Error as error:
            if error.sqlstate not in REFUSED:
                raise
            after = check_desk(self.connection, self.model)
            for name in ("agent", "lead", "assignment", "booking", "stat"):
                assert after[name] == self.tables[name], f"refused, and yet {name} changed"
            return None

    # what must hold

    @invariant()
    def holds(self) -> None:
        self.steps += 1
        before = self.tables
        if self.model is not None and self.loaded is not None:
            slots = self.read_slots()
            if slots != self.slots:
                self.model, self.slots = seen_after(self.model, self.loaded, self.slots, slots), slots
        tables = check_desk(self.connection, self.model)
        if before is not None:
            _check_one_event_per_change(before, tables)
        self.tables = tables

    def teardown(self) -> None:
        """At the end every decision replays, whatever has changed since."""
        if self.tables is None:
            return
        for row in rows(
            self.connection,
            "select d.assignment_id, dealwright.replay(d.assignment_id) as again from "
            "dealwright.decision as d "
            "order by d.assignment_id",
        ):
            assert row["again"]["agrees"], row


def _check_one_event_per_change(before: Any, after: Any) -> None:
    """Every assignment that changed hands or status since the last step has an event that says so."""
    known = {event["position"] for event in before["event"]}
    fresh = [event for event in after["event"] if event["position"] not in known]
    old = {a["assignment_id"]: a for a in before["assignment"]}
    for row in after["assignment"]:
        past = old.get(row["assignment_id"])
        kinds = [event["kind"] for event in fresh if event["assignment_id"] == row["assignment_id"]]
        if past is None:
            assert kinds.count("assigned") + kinds.count("offered") == 1, kinds
        elif past["agent_id"] != row["agent_id"]:
            assert (kinds.count("moved_in"), kinds.count("moved_out")) == (1, 1), kinds
        elif past["status"] != row["status"]:
            assert kinds, f"no event tells that assignment {row['assignment_id']} is {row['status']}"
        else:
            assert not {"assigned", "offered"} & set(kinds)
    gone = set(old) - {row["assignment_id"] for row in after["assignment"]}
    assert all(any(e["assignment_id"] == i and e["kind"] == "deleted" for e in fresh) for i in gone)
