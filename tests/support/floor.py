"""A small floor for tests of leads that change hands: whom a lead is with, and what the clock does to it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from engine import Row, add_agent, rows, value
from psycopg import Connection

LEAD = {"destination": "Mars", "lead_source": "Organic"}
POLICIES = ("workload", "fair", "value", "classic")


def staff(connection: Connection[Any], *names: str, capacity: int = 10) -> dict[str, int]:
    """Add agents, the first with the most years of service: the first of an idle floor under workload."""
    return {
        name: add_agent(connection, name, capacity=capacity, years_of_service=20.0 - place)
        for place, name in enumerate(names)
    }


def set_minutes(connection: Connection[Any], **minutes: float | None) -> None:
    """Set parameters of all policies; None takes one away."""
    for name, number in minutes.items():
        rows(
            connection,
            "update dealwright.policy set params = (params - %s) "
            "|| jsonb_strip_nulls(jsonb_build_object(%s::text, %s::float8))",
            name,
            name,
            number,
        )


def let_time_pass(connection: Connection[Any], minutes: float) -> None:
    """Bring every timer nearer."""
    rows(
        connection,
        "update dealwright_engine.response_due set due_at = due_at - make_interval(secs => 60 * %s::float8)",
        minutes,
    )


def return_all(connection: Connection[Any]) -> int:
    """Pass on what is overdue, as the worker does; return how many leads that were."""
    returned = 0
    while value(connection, "select dealwright.return_unanswered()"):
        returned += 1
    return returned


def placement(connection: Connection[Any], lead_id: int) -> Row:
    """Return where a lead is."""
    return rows(connection, "select * from dealwright.placement_of(%s)", lead_id)[0]


def holder(connection: Connection[Any], lead_id: int) -> str | None:
    """Return who has a lead."""
    name: str | None = placement(connection, lead_id)["agent_name"]
    return name


def refused(connection: Connection[Any], statement: str, *parameters: Any) -> tuple[str | None, str]:
    """Run a statement that has to be refused; return code and message."""
    with pytest.raises(psycopg.Error) as error:
        rows(connection, statement, *parameters)
    return error.value.sqlstate, error.value.diag.message_primary or ""
