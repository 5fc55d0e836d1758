"""Every frame that crosses a boundary between the parts: columns, types, units, ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

BOOKING_STATUSES = ("pending", "confirmed", "cancelled")

AGENT_COLUMNS = {
    "external_id": "String",  # the user's own id, unique
    "name": "String",
    "email": "String",
    "job_title": "String",
    "department": "String",
    "manager": "String",
    "years_of_service": "Float64",  # >= 0 or null
    "rating": "Float64",  # null when unknown
    "capacity": "Int64",  # open assignments an agent may have at once, >= 0
    "active": "Boolean",
    "skills": "List(String)",
    "weight": "Float64",  # share of leads under the fair policy, >= 0
}

ASSIGNMENT_COLUMNS = {  # followed by one String column per dimension, null where unknown
    "external_id": "String",
    "agent_external_id": "String",
    "customer_name": "String",
    "assigned_at": "Datetime[us, UTC]",
    "requirements": "String",
}

BOOKING_COLUMNS = {
    "external_id": "String",
    "assignment_external_id": "String",
    "status": "String",  # one of BOOKING_STATUSES
    "completed_at": "Datetime[us, UTC]",
    "cancelled_at": "Datetime[us, UTC]",
    "base_revenue": "Float64",  # money, in the currency of the data
    "package_revenue": "Float64",
    "total_revenue": "Float64",
    "package": "String",
}

OUTCOME_COLUMNS = {  # followed by one String column per dimension, null where unknown
    "assignment_id": "Int64",
    "agent_id": "Int64",
    "assigned_at": "Datetime[us, UTC]",
    "known_at": "Datetime[us, UTC]",  # when the outcome became known; null while pending
    "won": "Boolean",  # null while pending (censored)
    "contacted": "Boolean",  # there is a booking
    "base_revenue": "Float64",  # null unless won
    "package_revenue": "Float64",  # null unless won
}


@dataclass(frozen=True)
class Dimension:
    """A declared attribute of a lead with its allowed values.

    Attributes
    ----------
    name
        What leads call it, for example ``destination``.
    values
        The allowed values, in the order of the profile's elements.
    """

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """A company's agents, assignments and bookings, clean and complete.

    Attributes
    ----------
    dimensions
        The declared attributes of a lead.
    agents, assignments, bookings
        Frames with the columns of `AGENT_COLUMNS`, `ASSIGNMENT_COLUMNS` (and one per dimension) and
        `BOOKING_COLUMNS`.
    follow_up_days
        Days after which an assignment without a booking counts as not won.
    """

    dimensions: tuple[Dimension, ...]
    agents: pl.DataFrame
    assignments: pl.DataFrame
    bookings: pl.DataFrame
    follow_up_days: float = 7.0
