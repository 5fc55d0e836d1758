"""What the console looks at: the floor as it is, a lead's story, an agent's day, the latest decisions.

Every statement looks at the latest rows or goes by an index: how long the history is does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dealwright.desk.queries import own_id
from dealwright.desk.results import Row
from dealwright.desk.session import Session

_COUNTED_LEADS = 10_000
_JUDGED = 5_000
SHOWN_LEADS = ("", "today", "waiting", "not_reached", "reached", "pending", "won", "won_today", "lost")
_OWN = ("assignment_id", "booking_id", "agent_id")


@dataclass(frozen=True)
class Behind:
    """What is behind a decision.

    Attributes
    ----------
    win_low, win_high
        The 90 % interval of the win probability; None without a model.
    reasons
        Why its agent stood where it stood.
    """

    win_low: float | None
    win_high: float | None
    reasons: tuple[Row, ...]


class Floor(Session):
    """The desk as its people look at it, `Desk.floor`."""

    def facts(self, day: datetime) -> Row:
        """Return the figures of the floor; what is of today counts from `day` on."""
        return self._rows("floor_facts", day=day, most=_COUNTED_LEADS)[0]

    def currency(self) -> str | None:
        """Return what amounts are in; None where nobody said."""
        found: str | None = self._rows("currency")[0]["currency"]
        return found

    def arrivals(self, k: int = 30) -> list[dict[str, Any]]:
        """Return the latest leads with who has them, newest first."""
        return [_named(row) for row in self._rows("arrivals", k=k)]

    def behind(self, assignments: Sequence[int]) -> dict[int, Behind]:
        """Return interval and reasons of the decisions on assignments, by the desk's ids."""
        if not assignments:
            return {}
        return {
            row["assignment_id"]: Behind(row["win_low"], row["win_high"], tuple(row["reasons"] or ()))
            for row in self._rows("decision_details", ids=list(assignments))
        }

    def line(self, k: int = 40) -> list[dict[str, Any]]:
        """Return the agents in the order in which they would get a lead of which nothing is known."""
        return [_named(row) for row in self._rows("next_in_line", k=k)]

    def waiting(self, k: int = 30) -> list[dict[str, Any]]:
        """Return the most urgent waiting leads, and how many agents could take each."""
        return [dict(row) for row in self._rows("waiting_first", k=k)]

    def timers(self, k: int = 100, *, agent_id: int | None = None) -> list[dict[str, Any]]:
        """Return which leads go to the next agent when, the soonest first: offers, and customers to reach."""
        return [_named(row) for row in self._rows("timers", k=k, agent_id=agent_id)]

    def leads(
        self, show: str, day: datetime, *, before: int | None = None, k: int = 50
    ) -> list[dict[str, Any]]:
        """Return the leads that a figure of the floor counts, newest first.

        Parameters
        ----------
        show
            One of `SHOWN_LEADS`; what it leaves out is looked for among the latest ten thousand.
        day
            When today began.
        """
        if show == "won_today":
            return [_named(row) for row in self._rows("won_leads", day=day, k=k)]
        most = _COUNTED_LEADS if show else k
        return [
            _named(row)
            for row in self._rows("leads_shown", show=show, day=day, before=before, most=most, k=k)
        ]

    def contests_of(self, assignments: Sequence[int]) -> dict[int, Row]:
        """Return what is contested of assignments, or was, by the desk's ids."""
        if not assignments:
            return {}
        rows = self._rows("contests_of", ids=list(assignments))
        return {row["desk_assignment_id"]: row for row in rows}

    def contests(self, *, with_resolved: bool = False, k: int = 500) -> list[dict[str, Any]]:
        """Return the leads whose outcome is contested, newest first."""
        return [_named(row) for row in self._rows("contested_leads", with_resolved=with_resolved, k=k)]

    def story(self, lead_id: int, agents: Sequence[int], since: datetime) -> list[dict[str, Any]]:
        """Return the events of a lead while agents, by the desk's ids, had it."""
        return [
            _named(row) for row in self._rows("lead_story", lead_id=lead_id, agents=list(agents), since=since)
        ]

    def holders(self, lead_id: int) -> list[dict[str, Any]]:
        """Return who had a lead, one after the other, and why it went on."""
        return [_named(row) for row in self._rows("holders", lead_id=lead_id)]

    def record(self, agent_id: int) -> Row:
        """Return an agent, by the desk's id, with workload and record."""
        return _named(self._rows("agent_record", agent_id=agent_id)[0])

    def records(self, k: int = 1000) -> list[dict[str, Any]]:
        """Return the agents with workload and record, by name."""
        return [_named(row) for row in self._rows("agent_records", k=k)]

    def choices(self, k: int = 1000) -> list[dict[str, Any]]:
        """Return the agents to choose from, by name, and how many leads each has open."""
        return [_named(row) for row in self._rows("agent_choices", k=k)]

    def in_hand(self, agent_id: int, *, is_open: bool = True, k: int = 100) -> list[dict[str, Any]]:
        """Return the assignments an agent works on, or those that ended last."""
        rows = self._rows("agent_assignments", agent_id=agent_id, open=is_open, k=k)
        return [_named(row) for row in rows]

    def find(self, text: str, k: int = 8) -> dict[str, list[dict[str, Any]]]:
        """Return agents, and customers of the latest leads, whose name holds a text."""
        return {
            "agents": [_named(row) for row in self._rows("agent_search", text=text, k=k)],
            "leads": [dict(row) for row in self._rows("lead_search", text=text, k=k)],
        }

    def calibration(self) -> list[dict[str, Any]]:
        """Return, of the latest outcomes, how likely a win was thought and how often it came, in ten bins."""
        return [dict(row) for row in self._rows("calibration", k=_JUDGED)]

    def fairness(self) -> list[dict[str, Any]]:
        """Return each agent's share of the latest decisions, and what fairness cost."""
        return [_named(row) for row in self._rows("fairness", k=_JUDGED)]

    def decisions(self, *, before: int | None = None, k: int = 50) -> list[dict[str, Any]]:
        """Return decisions, newest first, with the block that seals them."""
        return [_named(row) for row in self._rows("decisions_page", before=before, k=k)]

    def blocks(self, k: int = 20) -> list[dict[str, Any]]:
        """Return the latest blocks of the sealed record."""
        return [dict(row) for row in self._rows("record_blocks", k=k)]


def _named(row: Row) -> dict[str, Any]:
    return {name: own_id(value) if name in _OWN else value for name, value in row.items()}
