"""However a lead changes hands, the same is asked of everybody: who may take it, and who comes first?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine import (
    Row,
    add_agent,
    assign,
    declare,
    lead_json,
    load_classic,
    load_model,
    random_model,
    rows,
)
from floor import placement, return_all, set_minutes
from ledger import check_desk
from psycopg import Connection

from dealwright.desk.database import Database

STEPS = 30
PLACES = ("Mars", "Titan", "Venus")
CAUSES = (
    "reassigned",
    "declined",
    "expired",
    "unanswered",
    "absent",
    "left and reopened",
    "full and reopened",
)


def expected(
    connection: Connection[Any], lead: Row, policy: str, held: list[int], refusing: set[int]
) -> int | None:
    """Return who has to get a lead next, by the public ranking: the first who never had it, or any other."""
    document = lead_json(lead["attributes"], skills=lead["required_skills"])
    ranked = rows(connection, "select * from dealwright.rank_agents(%s, %s)", document, policy)
    able = [
        row["agent_id"] for row in ranked if row["eligible"] and row["agent_id"] not in refusing | {held[-1]}
    ]
    return next((agent_id for agent_id in able if agent_id not in held), next(iter(able), None))


def hand_over(connection: Connection[Any], cause: str, lead: Row, number: int) -> None:
    """Make a lead change hands."""
    if cause in ("reassigned", "declined"):
        function = {"reassigned": "reassign", "declined": "decline"}[cause]
        rows(connection, f"select dealwright.{function}(%s, 'x')", number)
    elif cause in ("expired", "unanswered"):
        if cause == "unanswered":
            rows(connection, "select dealwright.accept(%s)", number)
        # of this one alone
        rows(
            connection,
            "update dealwright_engine.response_due set due_at = now() - interval '1 s' "
            "where assignment_id = %s",
            number,
        )
        return_all(connection)


@pytest.mark.parametrize("policy", ["workload", "value", "classic"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_lead_goes_on_to_the_first_of_the_ranking_who_may_take_it(
    database: Database, policy: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    with database.connect(autocommit=True) as connection:
        declare(connection)
        model = random_model(rng)
        load_model(connection, model)
        load_classic(connection)
        set_minutes(connection, accept_within_min=60, respond_within_min=60)
        skills = [["french"], [], ["french", "golf"]]
        for place in range(6):
            add_agent(
                connection, f"agent {place}", capacity=int(rng.integers(2, 5)), skills=skills[place % 3],
                years_of_service=float(rng.uniform(0, 20)), rating=float(rng.uniform(1, 5)),
            )  # fmt: skip
        moved, seen = 0, set()
        for step in range(STEPS):
            cause = CAUSES[step % len(CAUSES)]
            wanted = ["french"] if rng.random() < 0.4 else None
            placed = assign(
                connection, {"destination": str(rng.choice(PLACES)), "lead_source": "Organic"}, policy,
                skills=wanted,
            )  # fmt: skip
            if placed["status"] != "assigned":
                rows(
                    connection,
                    "select dealwright.settle_booking(booking_id, 'cancelled') from dealwright.booking "
                    "where status = 'pending' and mod(booking_id, 2) = 0",
                )
                continue
            held = [placed["agent_id"]]
            (lead,) = rows(connection, "select * from dealwright.lead where lead_id = %s", placed["lead_id"])
            number, settle = placed["assignment_id"], "select dealwright.settle_booking(%s::bigint, %s)"
            if cause.endswith("reopened"):
                rows(connection, settle, placed["booking_id"], "cancelled")
            if cause == "full and reopened":
                rows(connection, "update dealwright.agent set capacity = open where agent_id = %s", held[0])
            elif cause in ("absent", "left and reopened"):
                rows(connection, "update dealwright.agent set active = false where agent_id = %s", held[0])
            refusing = {held[0]} if cause == "declined" else set()
            # all leads of an agent who is absent go, the most urgent first: this one
            rows(
                connection,
                "update dealwright.lead set priority = %s where lead_id = %s",
                step,
                lead["lead_id"],
            )
            heir = expected(connection, lead, policy, held, refusing)
            if cause.endswith("reopened"):
                rows(connection, settle, placed["booking_id"], "pending")
            elif cause == "absent":
                rows(connection, "select dealwright.deactivate_agent(%s, true)", held[0])
            else:
                if heir is None and cause in ("reassigned", "expired", "unanswered"):
                    continue
                hand_over(connection, cause, lead, number)
            live = placement(connection, lead["lead_id"])
            assert live["agent_id"] == heir, (step, cause, live)
            moved += heir is not None
            seen |= {cause} if heir is not None else set()
            rows(connection, "update dealwright.agent set active = true, capacity = greatest(capacity, 3)")
        check_desk(connection, model)
        assert seen == set(CAUSES)
        assert moved >= STEPS // 2
