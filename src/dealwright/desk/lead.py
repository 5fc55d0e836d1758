"""A lead: one enquiry of one prospect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Lead:
    """One enquiry of one prospect.

    Attributes
    ----------
    customer_name
        Who asks.
    attributes
        What is known of the declared dimensions, for example ``{"destination": "Mars", "employees": 35}``.
    requirements
        What the customer wants, in words; skills and departments named in it are required of the agent.
    priority
        Higher comes first in the waiting queue.
    idempotency_key
        The same key sent twice gives the same assignment.
    received_at
        When the enquiry came in; default now.
    """

    customer_name: str
    attributes: Mapping[str, str | float | None] = field(default_factory=dict)
    requirements: str | None = None
    priority: int = 0
    idempotency_key: str | None = None
    received_at: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape that the SQL functions take."""
        return {
            "customer_name": self.customer_name,
            "attributes": dict(self.attributes),
            "requirements": self.requirements,
            "priority": self.priority,
            "idempotency_key": self.idempotency_key,
            "received_at": None if self.received_at is None else self.received_at.isoformat(),
        }
