"""What happened on the desk, read in the order in which it became visible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from dealwright.desk.queries import own_id
from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.desk.waiting import Holder
from dealwright.errors import InputError


class Position(NamedTuple):
    """Where an event stands among all events: by its transaction, then by its number."""

    xid: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read a position as an event's id writes it.

        Raises
        ------
        InputError
            It is none.
        """
        xid, dash, number = text.partition("-")
        if not (dash and xid.isascii() and xid.isdigit() and number.isascii() and number.isdigit()):
            raise InputError(
                f"{text!r} is not the id of an event: send one that came with an event, 812-4711"
            )
        found = cls(int(xid), int(number))
        if not (found.xid < 2**64 and found.number < 2**63):
            raise InputError(f"{text!r} is not the id of an event: its numbers are too large")
        return found

    def __str__(self) -> str:
        return f"{self.xid}-{self.number}"


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    position
        Where it stands.
    kind
        ``assigned``, ``waiting``, ``contacted``, …
    at
        When.
    agent_id
        The desk's id of the agent it is about.
    data
        What it says, under the ids the user's own tables use.
    """

    position: Position
    kind: str
    at: datetime
    agent_id: int | None
    data: Row


class Outbox(Session):
    """The events of a desk, `Desk.outbox`: none is skipped, however late its transaction committed."""

    def last(self) -> Position:
        """Return the position of the last event there is."""
        row = self._rows("last_event")[0]
        return Position(int(row["xid"]), row["position"])

    def read(self, after: Position, most: int = 1000) -> tuple[Event, ...]:
        """Return the events that follow a position, at most so many."""
        return tuple(
            _event(row) for row in self._rows("events", xid=str(after.xid), position=after.number, most=most)
        )

    def held_back_by(self) -> Holder | None:
        """Return whose transaction has been writing for longest: later events are read when it ends."""
        found = self._rows("oldest_writer")
        return Holder(**found[0]) if found else None


def _event(row: dict[str, Any]) -> Event:
    data = {
        "agent_id": own_id(row["agent_id"]),
        "agent_name": row["agent_name"],
        "lead_id": row["lead_id"],
        "assignment_id": own_id(row["assignment_id"]),
        "booking_id": own_id(row["booking_id"]),
        "open": row["open"],
        "capacity": row["capacity"],
        **(row["payload"] or {}),
    }
    return Event(
        Position(int(row["xid"]), row["position"]), row["kind"], row["at"], row["desk_agent_id"], data
    )
