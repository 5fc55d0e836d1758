"""Random work at the desk, by function and by plain SQL: what it keeps always equals a recount."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from desk_machine import DeskMachine, has, rarely
from engine import DIMENSIONS, Row, add_agent, lead_json, rows, understood, value
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from ledger import can_take, has_channel_room
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.dimensions import EMPTY

REQUIREMENTS = (None, None, None, "a luxury cabin, please", "no luxury, but good with kids", "quiet")
POLICIES = (None, "value", "workload", "fair", "classic")
ATTRIBUTES = st.fixed_dictionaries(
    {d.name: st.sampled_from(d.values) for d in DIMENSIONS},
    optional={
        # known, new, new but known to some model, nothing in three ways
        "channel": st.sampled_from(("web", "fair", " fair", "podcast", "by mail", "radio", "", None, EMPTY)),
        "size": st.sampled_from((3, 10, "10.5", 99.5, "1e3", "middling", "large", "", None)),
    },
)
MONEY = st.one_of(st.none(), st.just(0), st.decimals(0, 99_999, places=2))
TIMES = ("2081-03-01 23:59:59+00", "2081-03-02 00:00:00+00", "2081-04-15 12:00:00+00")


class WorkingDesk(DeskMachine):
    """Everything that people and programs do to a desk."""

    # leads

    def acceptable(self, attributes: dict[str, Any]) -> bool:
        """Whether a new lead may say this."""
        values = {(slot["name"], slot["value"]) for slot in self.tables["slot"]}
        for dimension in self.tables["dimension"]:
            text = str(attributes.get(dimension["name"]) or "").strip()
            if text in ("", EMPTY):
                if dimension["required"]:
                    return False
            elif dimension["edges"]:
                if text not in dimension["bins"] and not text[0].isdigit():
                    return False
            elif not dimension["is_open"] and (dimension["name"], text) not in values:
                return False
        return True

    def has_room(self, agent: Row, work: Row) -> bool:
        """Whether an agent has a free place, and one for the channel of a lead or an assignment."""
        return agent["open"] < agent["capacity"] and has_channel_room(self.tables, agent, work)

    def former_agent(self, customer: str | None) -> int | None:
        """Who had the customer's latest lead."""
        leads = {row["lead_id"] for row in self.tables["lead"] if customer and row["customer_id"] == customer}
        had = [a for a in self.tables["assignment"] if a["lead_id"] in leads and a["status"] != "reassigned"]
        latest = max(had, key=lambda a: (a["assigned_at"], a["assignment_id"]), default=None)
        return latest["agent_id"] if latest else None

    @rule(
        attributes=ATTRIBUTES,
        policy=st.sampled_from(POLICIES),
        requirements=st.sampled_from(REQUIREMENTS),
        priority=st.integers(0, 2),
        customer=st.sampled_from((None, None, "C1", "C2")),
        way=st.sampled_from(("plain", "function", "command")),
    )
    def insert_lead(
        self,
        attributes: dict[str, Any],
        policy: str | None,
        requirements: str | None,
        priority: int,
        customer: str | None,
        way: str,
    ) -> None:
        if way == "plain":
            answer = self.attempt(
                "insert into dealwright.lead (customer_id, customer_name, attributes, policy, requirements, "
                "priority) values (%s, 'Kate', %s, %s, %s, %s) returning lead_id",
                customer,
                psycopg.types.json.Jsonb(attributes),
                policy,
                requirements,
                priority,
            )
            if answer is not None:
                lead_id = answer[0]["lead_id"]
                answer = rows(self.connection, "select * from dealwright.placement_of(%s)", lead_id)
        else:
            answer = self.attempt(
                "select * from dealwright.assign_lead(%s, %s)"
                if way == "function"
                else "call dealwright.assign(%s, %s)",
                lead_json(attributes, requirements=requirements, priority=priority, customer_id=customer),
                policy,
            )
        assert (answer is not None) == self.acceptable(attributes)
        if answer is None:
            return
        (answer,) = answer
        lead = rows(self.connection, "select * from dealwright.lead where lead_id = %s", answer["lead_id"])[0]
        able = [
            agent["agent_id"]
            for agent in self.tables["agent"]
            if can_take(agent, lead) and has_channel_room(self.tables, agent, lead)
        ]
        assert answer["status"] == ("assigned" if able else "waiting")
        assert (answer["agent_id"] in able) if able else answer["agent_id"] is None
        owner = self.former_agent(customer)
        if owner in able:
            assert answer["agent_id"] == owner
        if requirements == "a luxury cabin, please" and any(
            "luxury" in a["skills"] for a in self.tables["agent"]
        ):
            assert lead["required_skills"] == ["luxury"]
        if able:
            replay = value(self.connection, "select dealwright.replay(%s)", answer["assignment_id"])
            assert replay["agrees"], replay

    @precondition(has("lead"))
    @rule(draw=st.integers(0, 99), priority=st.integers(0, 3))
    def change_priority(self, draw: int, priority: int) -> None:
        if lead := self.pick("lead", draw):
            rows(
                self.connection,
                "update dealwright.lead set priority = %s where lead_id = %s",
                priority,
                lead["lead_id"],
            )

    @precondition(has("lead"))
    @rule(
        draw=st.integers(0, 99),
        status=st.sampled_from(("withdrawn", "withdrawn", "new", "waiting", "assigned")),
    )
    def change_lead_status(self, draw: int, status: str) -> None:
        if lead := self.pick("lead", draw):
            self.attempt("update dealwright.lead set status = %s where lead_id = %s", status, lead["lead_id"])

    @precondition(has("lead"))
    @rule(draw=st.integers(0, 99), attributes=ATTRIBUTES)
    def correct_attributes(self, draw: int, attributes: dict[str, str]) -> None:
        if lead := self.pick("lead", draw):
            self.attempt(
                "update dealwright.lead set attributes = %s where lead_id = %s",
                psycopg.types.json.Jsonb(attributes),
                lead["lead_id"],
            )

    @precondition(has("lead"))
    @rule(draw=st.integers(0, 99), requirements=st.sampled_from(REQUIREMENTS))
    def correct_requirements(self, draw: int, requirements: str | None) -> None:
        if lead := self.pick("lead", draw):
            rows(
                self.connection,
                "update dealwright.lead set requirements = %s where lead_id = %s",
                requirements,
                lead["lead_id"],
            )

    @precondition(has("lead"))
    @rule(draw=st.integers(0, 99))
    def delete_lead(self, draw: int) -> None:
        if lead := self.pick("lead", draw):
            rows(self.connection, "delete from dealwright.lead where lead_id = %s", lead["lead_id"])

    # bookings

    @precondition(has("booking"))
    @rule(
        draw=st.integers(0, 99),
        status=st.sampled_from(("confirmed", "confirmed", "cancelled", "pending")),
        base=MONEY,
        package=MONEY,
        way=st.sampled_from(("plain", "function", "command")),
    )
    def settle(self, draw: int, status: str, base: Any, package: Any, way: str) -> None:
        booking = self.pick("booking", draw)
        if booking is None:
            return
        if way == "plain":
            self.attempt(
                "update dealwright.booking set status = %s where booking_id = %s",
                status,
                booking["booking_id"],
            )
        else:
            answer = self.attempt(
                "select * from dealwright.settle_booking(%s, %s, %s, %s)"
                if way == "function"
                else "call dealwright.settle(%s, %s, %s, %s)",
                booking["booking_id"],
                status,
                base,
                package,
            )
            if answer is not None:
                assert answer[0]["status"] == status
                if base is not None and package is not None:
                    assert Decimal(str(answer[0]["total_revenue"])) == base + package

    @precondition(has("booking"))
    @rule(
        draw=st.integers(0, 99),
        status=st.sampled_from(("confirmed", "confirmed", "pending", "cancelled")),
        base=MONEY,
        total=MONEY,
        completed=st.sampled_from((None, *TIMES)),
    )
    def correct_booking(self, draw: int, status: str, base: Any, total: Any, completed: str | None) -> None:
        """What a booking is worth, or may bring, says nothing about whether it was won."""
        if booking := self.pick("booking", draw, status=status):
            self.attempt(
                "update dealwright.booking set base_revenue = %s, total_revenue = coalesce(%s, "
                "total_revenue), "
                "completed_at = coalesce(%s, completed_at) where booking_id = %s",
                base,
                total,
                completed,
                booking["booking_id"],
            )
            now = "select status from dealwright.booking where booking_id = %s"
            assert rows(self.connection, now, booking["booking_id"]) == [{"status": status}]

    @precondition(has("booking"))
    @rule(draw=st.integers(0, 99))
    def delete_booking(self, draw: int) -> None:
        if booking := self.pick("booking", draw):
            rows(
                self.connection, "delete from dealwright.booking where booking_id = %s", booking["booking_id"]
            )

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99), status=st.sampled_from(("pending", "confirmed", "cancelled")))
    def insert_booking(self, draw: int, status: str) -> None:
        booked = {booking["assignment_id"] for booking in (self.tables or {}).get("booking", ())}
        free = [a for a in (self.tables or {}).get("assignment", ()) if a["assignment_id"] not in booked]
        if free:
            self.attempt(
                "insert into dealwright.booking (assignment_id, status, base_revenue) values (%s, %s, 100)",
                free[draw % len(free)]["assignment_id"],
                status,
            )

    # assignments

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99), agent=st.integers(0, 99))
    def move_assignment(self, draw: int, agent: int) -> None:
        assignment, other = self.pick("assignment", draw), self.pick("agent", agent)
        if assignment and other:
            full = other["agent_id"] != assignment["agent_id"] and not self.has_room(other, assignment)
            moved = self.attempt(
                "update dealwright.assignment set agent_id = %s where assignment_id = %s returning agent_id",
                other["agent_id"],
                assignment["assignment_id"],
            )
            assert (moved is None) == (full and assignment["status"] == "open")

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99))
    def reassign(self, draw: int) -> None:
        if assignment := self.pick("assignment", draw):
            answer = self.attempt("select * from dealwright.reassign(%s, 'ill')", assignment["assignment_id"])
            if answer:
                self.check_given_on(assignment, answer[0], declined=False)

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99))
    def decline(self, draw: int) -> None:
        if assignment := self.pick("assignment", draw):
            answer = self.attempt("select * from dealwright.decline(%s, 'no')", assignment["assignment_id"])
            assert (answer is None) == (assignment["status"] != "open")
            if answer:
                self.check_given_on(assignment, answer[0], declined=True)

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99))
    def contact(self, draw: int) -> None:
        if assignment := self.pick("assignment", draw):
            answer = self.attempt("select dealwright.contact(%s) as at", assignment["assignment_id"])
            assert (answer is None) == (assignment["status"] == "reassigned")

    @precondition(rarely)
    @rule(minutes=st.sampled_from((None, 10)), policy=st.sampled_from(POLICIES[1:]))
    def ask_for_answers(self, minutes: int | None, policy: str) -> None:
        rows(
            self.connection,
            "update dealwright.policy set params = (params - 'respond_within_min') "
            "|| jsonb_strip_nulls(jsonb_build_object('respond_within_min', %s::integer)) where name = %s",
            minutes,
            policy,
        )

    @rule(minutes=st.sampled_from((9, 11)))
    def return_unanswered(self, minutes: int) -> None:
        rows(
            self.connection,
            "update dealwright_engine.response_due set due_at = due_at - make_interval(mins => %s)",
            minutes,
        )
        if value(self.connection, "select dealwright.return_unanswered()"):
            known = {a["assignment_id"]: a for a in self.tables["assignment"]}
            (past,) = [
                known[a["assignment_id"]]
                for a in rows(
                    self.connection, "select * from dealwright.assignment where status = 'reassigned'"
                )
                if known[a["assignment_id"]]["status"] == "open"
            ]
            assert past["first_contact_at"] is None
            answer = rows(self.connection, "select * from dealwright.placement_of(%s)", past["lead_id"])[0]
            self.check_given_on(past, answer, declined=False)

    def check_given_on(self, past: Row, answer: Row, *, declined: bool) -> None:
        """A lead goes to who never had it if any of these can take it, and never to who declined it."""
        (lead,) = [row for row in self.tables["lead"] if row["lead_id"] == past["lead_id"]]
        refusing = {*(lead["declined_by"] or ()), *([past["agent_id"]] if declined else ())}
        held = [*(past["held_by"] or ()), past["agent_id"]]
        able = {
            agent["agent_id"]
            for agent in self.tables["agent"]
            if agent["agent_id"] != past["agent_id"]
            and can_take(agent, {**lead, "declined_by": refusing})
            and has_channel_room(self.tables, agent, lead)
        }
        assert (answer["agent_id"] is None) == (not able)
        if not able:
            (agent,) = [row for row in self.tables["agent"] if row["agent_id"] == past["agent_id"]]
            assert declined or not agent["active"]
            assert answer["status"] == "waiting" or lead["status"] == "withdrawn"
            return
        assert answer["agent_id"] in ((able - set(held)) or able)
        (fresh,) = rows(
            self.connection,
            "select * from dealwright.assignment where assignment_id = %s",
            answer["assignment_id"],
        )
        assert fresh["held_by"] == held
        booked = {b["assignment_id"]: b["booking_id"] for b in self.tables["booking"]}
        assert answer["booking_id"] == booked.get(past["assignment_id"], answer["booking_id"])
        assert answer["booking_id"] is not None

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99), status=st.sampled_from(("lapsed", "settled", "open", "reassigned")))
    def end_assignment(self, draw: int, status: str) -> None:
        if assignment := self.pick("assignment", draw):
            self.attempt(
                "update dealwright.assignment set status = %s where assignment_id = %s",
                status,
                assignment["assignment_id"],
            )

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99), when=st.sampled_from(TIMES))
    def date_assignment(self, draw: int, when: str) -> None:
        if assignment := self.pick("assignment", draw):
            rows(
                self.connection,
                "update dealwright.assignment set assigned_at = %s where assignment_id = %s",
                when,
                assignment["assignment_id"],
            )

    @precondition(has("assignment"))
    @rule(draw=st.integers(0, 99))
    def delete_assignment(self, draw: int) -> None:
        if assignment := self.pick("assignment", draw):
            rows(
                self.connection,
                "delete from dealwright.assignment where assignment_id = %s",
                assignment["assignment_id"],
            )

    @precondition(has("lead"))
    @rule(
        draw=st.integers(0, 99), agent=st.integers(0, 99), status=st.sampled_from(("open", "open", "lapsed"))
    )
    def insert_assignment(self, draw: int, agent: int, status: str) -> None:
        taken = {
            a["lead_id"] for a in (self.tables or {}).get("assignment", ()) if a["status"] != "reassigned"
        }
        free = [lead for lead in (self.tables or {}).get("lead", ()) if lead["lead_id"] not in taken]
        other = self.pick("agent", agent)
        if free and other:
            lead = free[draw % len(free)]
            given = self.attempt(
                "insert into dealwright.assignment (lead_id, agent_id, status) values (%s, %s, %s) "
                "returning agent_id",
                lead["lead_id"],
                other["agent_id"],
                status,
            )
            assert (given is None) == (status == "open" and not self.has_room(other, lead))

    @precondition(rarely)
    @rule(days=st.sampled_from((None, 0, 1)), as_of=st.sampled_from((None, *TIMES, "2020-01-01")))
    def lapse_follow_ups(self, days: float | None, as_of: str | None) -> None:
        rows(self.connection, "update dealwright_engine.setting set follow_up_days = %s", days)
        overdue = {
            row["assignment_id"]
            for row in self.tables["assignment"]
            if row["status"] == "open"
            and days == 0
            and as_of != "2020-01-01"
            and row["assigned_at"].year < 2081
        } - {row["assignment_id"] for row in self.tables["booking"]}
        assert value(self.connection, "select dealwright.lapse_follow_ups(%s)", as_of) == len(overdue)

    @precondition(rarely)
    @rule()
    def declare_open_values(self) -> None:
        rows(self.connection, "select dealwright.declare_open_values()")
        said = {
            understood(lead["attributes"], self.tables["dimension"]).get("channel")
            for lead in self.tables["lead"]
        }
        known = rows(
            self.connection,
            "select value from dealwright.dimension_value join dealwright.dimension using (dimension_id) "
            "where name = 'channel' and is_open",
        )
        assert not known or said - {None} <= {row["value"] for row in known}

    @precondition(rarely)
    @rule(hours=st.sampled_from((0, 1)))
    def lapse_overdue(self, hours: int) -> None:
        rows(
            self.connection,
            "select dealwright_engine.lapse_overdue(now(), make_interval(hours => %s))",
            hours,
        )

    # agents

    @rule(
        draw=st.integers(0, 99),
        change=st.sampled_from(
            (
                "capacity = 0",
                "capacity = 1",
                "capacity = capacity + 1",
                "active = false",
                "active = true",
                "active = not active, capacity = 2",
                "skills = '{luxury,family}'",
                "skills = '{}'",
                "shifts = '{}'",
                "shifts = tstzmultirange(tstzrange(now() - interval '1 h', now() + interval '1 h'))",
                "shifts = null",
                "weight = 3",
                "rating = 4.5, years_of_service = null",
                "department = 'Luxury Voyages'",
            )
        ),
    )
    def change_agent(self, draw: int, change: str) -> None:
        if agent := self.pick("agent", draw):
            rows(
                self.connection,
                f"update dealwright.agent set {change} where agent_id = %s",
                agent["agent_id"],
            )

    @precondition(rarely)
    @rule(capacity=st.integers(0, 2))
    def hire(self, capacity: int) -> None:
        if len((self.tables or {}).get("agent", ())) < 8:
            add_agent(self.connection, "new", capacity=capacity, skills=["family"])

    @precondition(rarely)
    @rule(
        name=st.sampled_from(DIMENSIONS[0].values),
        capacity=st.sampled_from((None, 0, 1, 2)),
        places=st.sampled_from((1, 1, 2)),
    )
    def limit_channel(self, name: str, capacity: int | None, places: int) -> None:
        rows(
            self.connection, "select dealwright.set_channel(%s, %s, %s, 'destination')",
            name, capacity, places,
        )  # fmt: skip

    @precondition(has("channel"))
    @rule(draw=st.integers(0, 99), capacity=st.sampled_from((None, 0, 1, 2)))
    def limit_channel_of_one(self, draw: int, capacity: int | None) -> None:
        agent, channel = self.pick("agent", draw), self.pick("channel", draw)
        if agent is None or channel is None:
            return
        (name,) = [row["value"] for row in self.tables["slot"] if row["slot"] == channel["slot"]]
        rows(
            self.connection, "select dealwright.set_agent_channel(%s, %s, %s)",
            agent["agent_id"], name, capacity,
        )  # fmt: skip

    @precondition(has("channel"))
    @precondition(rarely)
    @rule(draw=st.integers(0, 99))
    def free_channel(self, draw: int) -> None:
        slot = self.tables["channel"][draw % len(self.tables["channel"])]["slot"]
        (name,) = [row["value"] for row in self.tables["slot"] if row["slot"] == slot]
        rows(self.connection, "select dealwright.remove_channel(%s)", name)

    @precondition(has("agent"))
    @rule(draw=st.integers(0, 99))
    def dismiss(self, draw: int) -> None:
        busy = {a["agent_id"] for a in (self.tables or {}).get("assignment", ())}
        idle = [a for a in (self.tables or {}).get("agent", ()) if a["agent_id"] not in busy]
        if idle:
            rows(
                self.connection,
                "delete from dealwright.agent where agent_id = %s",
                idle[draw % len(idle)]["agent_id"],
            )

    @precondition(has("agent"))
    @rule(draw=st.integers(0, 99), hand_over=st.booleans())
    def leave(self, draw: int, hand_over: bool) -> None:
        if agent := self.pick("agent", draw):
            answer = value(
                self.connection, "select dealwright.deactivate_agent(%s, %s)", agent["agent_id"], hand_over
            )
            taken = len(answer["handed_over"]) + len(answer["waiting"])
            assert (answer["open"], taken) == ((0, agent["open"]) if hand_over else (agent["open"], 0))

    @precondition(has("agent"))
    @rule(draw=st.integers(0, 99))
    def come_back(self, draw: int) -> None:
        if agent := self.pick("agent", draw):
            answer = value(self.connection, "select dealwright.activate_agent(%s)", agent["agent_id"])
            assert answer["open"] == agent["open"] + answer["from_queue"]

    # the company

    @precondition(rarely)
    @rule(name=st.sampled_from(("Pluto", "Io")))
    def new_destination(self, name: str) -> None:
        rows(self.connection, "select dealwright.declare_dimension('destination', array[%s])", name)

    @precondition(rarely)
    @rule(
        change=st.sampled_from(
            (
                "'size', array['small', 'large'], edges => array[50.0]",
                "'size', array['small', 'middling', 'large'], edges => array[10.0, 99.5]",
                "'size', '{}', required => false, at_arrival => true, edges => '{}'",
                "'size', '{few,small,many,large}', edges => '{1,2,3}', at_arrival => false",
                "'channel', '{}', required => true",
                "'channel', '{mail}', required => false",
                "'channel', '{}', is_open => false",
                "'channel', '{}', is_open => true",
            )
        )
    )
    def change_dimension(self, change: str) -> None:
        rows(self.connection, f"select dealwright.declare_dimension({change})")

    @precondition(rarely)
    @rule(start=st.sampled_from((None, "2026-01-01 00:00:00+00", "now")))
    def fair_window(self, start: str | None) -> None:
        rows(
            self.connection,
            "update dealwright.policy set params = jsonb_build_object('seed', 1, 'window_start', "
            "%s::timestamptz) where name = 'fair'",
            start,
        )

    @rule(
        lead=st.sampled_from(
            (
                '{"customer_name": "K", "attributes": {"destination": "Mars"}}',
                '{"customer_name": "K", "attributes": {"destination": "Nowhere", "lead_source": "Organic"}}',
                '{"customer_name": "K", "attributes": {"colour": "red"}}',
                '{"attributes": {"destination": "Mars", "lead_source": "Organic"}}',
                '{"customer_name": "K", "priority": "high"}',
                '{"customer_name": "K", "policy": "best"}',
                '{"customer": "K"}',
                "[]",
                '{"customer_name": "K", "attributes": 5}',
            )
        )
    )
    @precondition(rarely)
    def send_nonsense(self, lead: str) -> None:
        assert self.attempt("select * from dealwright.assign_lead(%s::jsonb)", lead) is None
        assert self.attempt("select * from dealwright.settle_booking(-1, 'confirmed')") is None
        assert self.attempt("select * from dealwright.reassign(-1, 'x')") is None


@pytest.fixture
def desk_connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as connection:
        yield connection


@pytest.mark.slow
def test_everything_kept_equals_a_recount_after_every_step(desk_connection: Connection[Any]) -> None:
    WorkingDesk.connection = desk_connection
    run_state_machine_as_test(
        WorkingDesk,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            # no shrinking: it would take minutes of database work, and the steps are printed anyway
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
