"""The classic and workload policies in SQL against definitions written down a second time in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine import CLASSIC_WEIGHTS, Row, add_agent, lead_json, load_classic, rows, value
from histories import START, frame, random_history
from psycopg import Connection

from dealwright.desk.database import Database
from dealwright.desk.desk import Desk
from dealwright.dimensions import Dimension
from dealwright.schemas import AGENT_COLUMNS, ASSIGNMENT_COLUMNS, BOOKING_COLUMNS, History

DIMENSIONS = (
    Dimension("communication_method", ("Text", "Phone")),
    Dimension("lead_source", ("Organic", "Bought")),
    Dimension("destination", ("Mars", "Titan", "Venus")),
)
LEAD = {"communication_method": "Text", "lead_source": "Organic", "destination": "Mars"}


def percent_rank(values: Sequence[float]) -> list[float]:
    """(rank - 1) / (n - 1), ties share the lowest rank; alone, 0."""
    if len(values) == 1:
        return [0.0]
    return [sum(other < x for other in values) / (len(values) - 1) for x in values]


def classic_reference(
    history: History, weights: Mapping[str, float], lead: Mapping[str, str], requirements: str | None
) -> dict[str, float]:
    """Match score by agent, from the history alone, as DESIGN defines it."""
    agents = history.agents.to_dicts()
    assigned = history.assignments.to_dicts()
    booked = {booking["assignment_external_id"]: booking for booking in history.bookings.to_dicts()}
    confirmed = [b for b in booked.values() if b["status"] == "confirmed"]
    latest = max((b["completed_at"] for b in confirmed), default=None)
    end = max(
        [row["assigned_at"] for row in assigned]
        + [b[name] for b in booked.values() for name in ("completed_at", "cancelled_at") if b[name]]
    )
    columns: dict[str, list[float]] = {name: [] for name in weights}
    for agent in agents:
        mine = [row for row in assigned if row["agent_external_id"] == agent["external_id"]]
        won = [row for row in mine if booked.get(row["external_id"], {}).get("status") == "confirmed"]
        bookings = [booked[row["external_id"]] for row in won]

        def rate(name: str, mine: list[Row] = mine, won: list[Row] = won) -> float:
            given = [row for row in mine if row[name] == lead[name]]
            return sum(row[name] == lead[name] for row in won) / len(given) if given else 0.0

        still_open = [
            row
            for row in mine
            if (row["external_id"] in booked and booked[row["external_id"]]["status"] == "pending")
            or (
                row["external_id"] not in booked
                and row["assigned_at"] + timedelta(days=history.follow_up_days) > end
            )
        ]
        recent = [b for b in bookings if b["completed_at"] >= latest - timedelta(days=30)]
        columns["rating_score"].append(-np.inf if agent["rating"] is None else agent["rating"])
        columns["experience_score"].append(
            -np.inf if agent["years_of_service"] is None else agent["years_of_service"]
        )
        columns["revenue_score"].append(round(sum(100 * (b["total_revenue"] or 0) for b in bookings)))
        columns["dest_expertise_score"].append(
            sum(row["destination"] == lead["destination"] for row in won) / len(won) if won else 0.0
        )
        columns["lead_conversion_score"].append(rate("lead_source"))
        columns["communication_score"].append(rate("communication_method"))
        columns["recency_score"].append(len(recent) / len(bookings) if bookings else 0.0)
        columns["availability_score"].append(
            1 - len(still_open) / agent["capacity"] if agent["capacity"] else 1.0
        )
        columns["requirements_score"].append(
            float(agent["department"] == "Luxury Voyages" and "luxury" in (requirements or "").lower())
        )
    ranked = {
        name: column if name == "requirements_score" else percent_rank(column)
        for name, column in columns.items()
    }
    raw = [sum(weights[name] * ranked[name][i] for name in weights) for i in range(len(agents))]
    low, high = min(raw), max(raw)
    return {
        agent["external_id"]: 100.0 if high == low else 100 * (x - low) / (high - low)
        for agent, x in zip(agents, raw, strict=True)
    }


def check_classic(
    database: Database,
    history: History,
    weights: Mapping[str, float] = CLASSIC_WEIGHTS,
    requirements: str | None = None,
) -> None:
    desk = Desk(database)
    desk.load(history)
    with database.connect(autocommit=True) as connection:
        load_classic(connection, weights)
        for destination in DIMENSIONS[2].values:
            lead = {**LEAD, "destination": destination}
            table = rows(
                connection,
                "select r.*, a.external_id from dealwright.rank_agents(%s, 'classic') as r "
                "join dealwright.agent as a using (agent_id)",
                lead_json(lead, requirements=requirements),
            )
            wanted = classic_reference(history, weights, lead, requirements)
            assert len(table) == len(wanted)
            for row in table:
                assert row["match_score"] == pytest.approx(wanted[row["external_id"]], abs=0.0501), row
            for eligible in (True, False):
                scores = [row["match_score"] for row in table if row["eligible"] is eligible]
                assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_classic_on_random_histories(database: Database, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = {name: float(rng.normal()) for name in CLASSIC_WEIGHTS}
    history = random_history(rng, DIMENSIONS, agents=9, assignments=120, days=90, unknown=0.1)
    check_classic(
        database, history, weights, requirements="We want LUXURY" if seed % 2 else "no luxury please"
    )


def small_history(agents: list[Row], assignments: list[Row], bookings: list[Row]) -> History:
    """Return a history whose leads are all alike."""
    same = {"customer_name": "K", "assigned_at": START, **LEAD}
    names = {dimension.name: pl.String for dimension in DIMENSIONS}
    return History(
        DIMENSIONS,
        frame(
            [{"capacity": 9, "active": True, "skills": [], "weight": 1.0, **row} for row in agents],
            AGENT_COLUMNS,
        ),
        frame([{**same, **row} for row in assignments], {**ASSIGNMENT_COLUMNS, **names}),
        frame(bookings, BOOKING_COLUMNS),
    )


def test_classic_where_denominators_are_zero_and_all_are_equal(database: Database) -> None:
    history = small_history(
        [{"external_id": str(i), "name": f"A{i}", "capacity": 0 if i == 2 else 10} for i in range(1, 4)],
        [{"external_id": "1", "agent_external_id": "1"}],
        [{"external_id": "1", "assignment_external_id": "1", "status": "cancelled", "cancelled_at": START}],
    )
    check_classic(database, history)
    with database.connect(autocommit=True) as connection:
        table = rows(connection, "select * from dealwright.rank_agents(%s, 'classic')", lead_json(LEAD))
    assert [row["match_score"] for row in table] == [100.0] * 3  # nothing tells them apart
    assert [row["rank"] for row in table if row["eligible"]] == [1, 1]


def test_classic_with_one_agent(database: Database) -> None:
    check_classic(database, random_history(np.random.default_rng(2), DIMENSIONS, agents=1, assignments=20))


def test_recency_ends_exactly_thirty_days_before_the_latest(database: Database) -> None:
    latest = datetime(2081, 6, 15, 12, 30, tzinfo=UTC)
    edge = latest - timedelta(days=30)
    hours = timedelta(hours=13)
    moments = [latest, edge, edge - timedelta(microseconds=1), edge - hours, edge + hours]
    history = small_history(
        [{"external_id": str(i), "name": f"A{i}"} for i in range(1, 6)],
        [{"external_id": str(i), "agent_external_id": str(i)} for i in range(1, 6)],
        [
            {
                "external_id": str(i),
                "assignment_external_id": str(i),
                "status": "confirmed",
                "total_revenue": 10.0,
            }
            | {"completed_at": moment}
            for i, moment in enumerate(moments, 1)
        ],
    )
    only_recency = {**dict.fromkeys(CLASSIC_WEIGHTS, 0.0), "recency_score": 1.0}
    check_classic(database, history, only_recency)
    with database.connect(autocommit=True) as connection:
        table = rows(connection, "select * from dealwright.rank_agents(%s, 'classic')", lead_json(LEAD))
    scores = {row["agent_id"]: row["match_score"] for row in table}
    assert scores == {1: 100.0, 2: 100.0, 3: 0.0, 4: 0.0, 5: 100.0}


def fill(connection: Connection[Any], agent: int, count: int) -> None:
    """Give an agent open assignments by plain SQL."""
    for _ in range(count):
        lead = value(
            connection,
            "insert into dealwright.lead (customer_name, status) values ('K', 'withdrawn') returning lead_id",
        )
        rows(connection, "insert into dealwright.assignment (lead_id, agent_id) values (%s, %s)", lead, agent)


@pytest.mark.parametrize("seed", range(3))
def test_workload_is_a_competition_ranking(database: Database, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with database.connect(autocommit=True) as connection:
        agents = {}
        for i in range(9):
            years = None if rng.random() < 0.2 else float(rng.integers(0, 2))
            rating = None if rng.random() < 0.2 else float(rng.integers(3, 5))
            agent = add_agent(connection, f"A{i}", capacity=3, years_of_service=years, rating=rating)
            count = int(rng.integers(0, 4))
            agents[agent] = (
                count,
                -np.inf if years is None else years,
                -np.inf if rating is None else rating,
            )
            fill(connection, agent, count)
        table = rows(
            connection, "select * from dealwright.rank_agents('{\"customer_name\": \"K\"}', 'workload')"
        )

    def key(agent: int) -> tuple[bool, float, float, float]:
        taken, years, rating = agents[agent]
        return (taken >= 3, taken, -years, -rating)

    order = sorted(agents, key=lambda agent: (key(agent), agent))
    assert [row["agent_id"] for row in table] == order
    for row in table:
        rank = 1 + sum(key(other) < key(row["agent_id"]) for other in agents)
        assert row["rank"] == rank
        assert row["match_score"] == round(100 * (1 - (rank - 1) / 8) + 1e-9, 1)
