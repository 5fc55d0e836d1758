"""Random sales histories in the shape that the desk imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from dealwright.dimensions import Dimension
from dealwright.schemas import AGENT_COLUMNS, ASSIGNMENT_COLUMNS, BOOKING_COLUMNS, History

START = datetime(2081, 1, 1, tzinfo=UTC)


def frame(rows: Sequence[dict[str, Any]], columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return rows as a frame with the columns of a contract."""
    return pl.DataFrame(
        [{name: row.get(name) for name in columns} for row in rows],
        schema=dict(columns),
    )


def random_history(
    rng: np.random.Generator,
    dimensions: Sequence[Dimension],
    *,
    agents: int = 8,
    assignments: int = 300,
    days: float = 120.0,
    start: datetime = START,
    first: int = 1,
    prefix: str = "",
    unknown: float = 0.15,
    unreadable: float = 0.0,
    capacity: tuple[int, int] = (5, 60),
) -> History:
    """Draw a history: won, lost, pending and never booked, with unknown values and ratings.

    Of the bookings the share ``unreadable`` was rejected: their outcome is unknown. Bookings are completed
    on whole minutes, so that some coincide.
    """
    agent_rows = [
        {
            "external_id": f"{prefix}{i + 1}",
            "name": f"Agent {i + 1}",
            "department": "Luxury Voyages" if i % 3 == 0 else "Sales",
            "years_of_service": None if i == 4 else float(rng.integers(0, 6)),
            "rating": None if i == 2 else round(float(rng.uniform(2, 5)), 1),
            "capacity": int(rng.integers(*capacity)),
            "active": True,
            "skills": ["luxury"] if i % 2 else [],
            "weight": 1.0 + (i % 2),
        }
        for i in range(agents)
    ]
    assignment_rows: list[dict[str, Any]] = []
    booking_rows: list[dict[str, Any]] = []
    names = [dimension.name for dimension in dimensions]
    for i in range(first, first + assignments):
        assigned = start + timedelta(minutes=int(rng.uniform(0, days * 1440)))
        assignment_rows.append(
            {
                "external_id": f"{prefix}{i}",
                "agent_external_id": f"{prefix}{rng.integers(1, agents + 1)}",
                "customer_name": f"Customer {i}",
                "assigned_at": assigned,
                "outcome_unknown": False,
                **{
                    dimension.name: None
                    if rng.random() < unknown
                    else dimension.values[int(rng.integers(len(dimension.values)))]
                    for dimension in dimensions
                },
            }
        )
        fate = rng.choice(["confirmed", "cancelled", "pending", "none"], p=[0.5, 0.3, 0.08, 0.12])
        if fate == "none":
            continue
        if unreadable and rng.random() < unreadable:
            assignment_rows[-1]["outcome_unknown"] = True
            continue
        later = assigned + timedelta(minutes=int(rng.integers(60, 20_000)))
        won = fate == "confirmed"
        booking_rows.append(
            {
                "external_id": f"{prefix}{10_000 + i}",
                "assignment_external_id": f"{prefix}{i}",
                "status": fate,
                "completed_at": later if won else None,
                "cancelled_at": later if fate == "cancelled" else None,
                "base_revenue": round(float(rng.uniform(500, 5000)), 2)
                if won and rng.random() < 0.95
                else None,
                "package_revenue": round(float(rng.uniform(0, 400)), 2)
                if won and rng.random() < 0.9
                else None,
            }
        )
        if won:
            known = [booking_rows[-1][name] for name in ("base_revenue", "package_revenue")]
            booking_rows[-1]["total_revenue"] = sum(x or 0.0 for x in known)
    return History(
        dimensions=tuple(dimensions),
        agents=frame(agent_rows, AGENT_COLUMNS),
        assignments=frame(assignment_rows, {**ASSIGNMENT_COLUMNS, **dict.fromkeys(names, pl.String)}),
        bookings=frame(booking_rows, BOOKING_COLUMNS),
    )
