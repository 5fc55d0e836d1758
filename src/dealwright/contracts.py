"""Every frame that crosses a boundary between the parts: columns, types, units, ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date, datetime

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

DAY_TASK_COLUMNS = {  # times on the company's clock; unique by day, account and channel
    "account_id": "String",
    "day": "Date",
    "action": "String",
    "channel": "String",
    "rep_id": "String",  # the user's own id, null where nobody in particular is to do it
    "account_name": "String",
    "stop": "Int64",  # of the representative's day, 1 is the first
    "start_at": "Datetime[us]",  # null where only the day is planned
    "end_at": "Datetime[us]",
    "window_start": "Datetime[us]",  # not before, not after
    "window_end": "Datetime[us]",
    "value_eur": "Float64",  # expected gain
    "cost_eur": "Float64",
    "propensity": "Float64",  # probability with which action and channel were chosen, null where not known
    "reason": "String",
    "brief": "String",  # Markdown
}

TOUCH_COLUMNS = {  # finished tasks as the plan reads past contacts
    "account_id": "String",
    "touched_at": "Datetime[us]",  # on the company's clock
    "channel": "String",
    "action": "String",
    "response": "Boolean",
    "rejected": "Boolean",
    "cost_eur": "Float64",
    "propensity": "Float64",
    "rep_id": "String",
    "task_id": "Int64",
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


@dataclass(frozen=True)
class DayTasks:
    """What a run of the nightly plan asks people and systems to do.

    Attributes
    ----------
    run_id
        Follows from the content: the same tasks are the same run.
    as_of
        The run's cut-off, on the company's clock.
    time_zone
        The company's, such as ``Europe/Madrid``.
    first_day, last_day
        The working days it plans.
    frame
        `DAY_TASK_COLUMNS`, by day, representative and time.
    """

    run_id: str
    as_of: datetime
    time_zone: str
    first_day: date
    last_day: date
    frame: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """Count the tasks, and tell the run and its days."""
        return {
            "run_id": self.run_id,
            "as_of": self.as_of,
            "first_day": self.first_day,
            "last_day": self.last_day,
            "tasks": self.frame.height,
        }
