"""The book of record, read page by page: leads, assignments, agents, the queue, policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from dealwright.desk.queries import own_id
from dealwright.desk.results import Row, Tabular
from dealwright.desk.session import Session
from dealwright.errors import InputError, NotFoundError, UnknownNameError
from dealwright.wording import count_of

LEAD_STATUSES = ("new", "waiting", "assigned", "withdrawn")
ASSIGNMENT_STATUSES = ("open", "settled", "lapsed", "unknown", "reassigned")
MOST_ROWS = 1000
_MOST_PLACES = 1000
_OWN = ("assignment_id", "booking_id", "agent_id")


@dataclass(frozen=True)
class Page(Tabular):
    """Some rows of a table, in its order.

    Attributes
    ----------
    rows
        The rows.
    next
        What to ask for as `after` to get the rows that follow; None: there are none.
    """

    rows: tuple[Row, ...]
    next: int | None

    def table_rows(self) -> Sequence[Row]:
        """Return the rows."""
        return self.rows

    def summary(self) -> str:
        """Say how many there are."""
        return count_of(len(self.rows), "row") + (", and more follow" if self.next is not None else "")


class Book(Session):
    """What the desk has recorded, `Desk.book`; every page is read by its key, however far down it is.

    Pages come from the read replica where there is one, a single row always from the database: who has just
    written it sees it.
    """

    def lead(self, lead_id: int) -> Row:
        """Return one lead and who has it.

        Raises
        ------
        NotFoundError
            There is no such lead.
        """
        found = self._rows("lead", lead_id=_number(lead_id, "lead"))
        if not found:
            raise NotFoundError(f"there is no lead {lead_id}: the answer of assign shows the ids")
        return _named(found[0])

    def lead_by_key(self, key: str) -> Row:
        """Return the lead that came with an idempotency key."""
        found = self._rows("lead_by_key", key=key)
        if not found:
            raise NotFoundError(f"no lead came with the idempotency key {key!r}: send it again")
        return _named(found[0])

    def leads(self, *, status: str | None = None, after: int | None = None, k: int = 100) -> Page:
        """Return leads, newest first."""
        if status is not None and status not in LEAD_STATUSES:
            raise UnknownNameError("status of a lead", status, LEAD_STATUSES)
        rows = self._read_rows("leads_page", status=status, before=after, k=_limit(k) + 1)
        return _page([{**_named(row), "position": row["lead_id"]} for row in rows], k)

    def assignment(self, assignment: int | str) -> Row:
        """Return one assignment with its lead and booking; ``desk_agent_id``: the desk's id of its agent."""
        name = self._rows("find_assignment", name=str(assignment))[0]["id"]
        return _named(_own_row(self._rows("assignment", assignment_id=name), f"assignment {assignment}"))

    def assignments(
        self,
        *,
        agent_id: int | None = None,
        status: str | None = None,
        after: int | None = None,
        k: int = 100,
    ) -> Page:
        """Return assignments, newest first; those of one agent where its desk's id is given."""
        if status is not None and status not in ASSIGNMENT_STATUSES:
            raise UnknownNameError("status of an assignment", status, ASSIGNMENT_STATUSES)
        parameters: dict[str, Any] = {"status": status, "before": after, "k": _limit(k) + 1}
        if agent_id is None:
            rows = self._read_rows("assignments_page", **parameters)
        else:
            rows = self._read_rows("assignments_page_of_agent", agent_id=agent_id, **parameters)
        return _page([_named(row) for row in rows], k)

    def agent_of_booking(self, booking: int | str) -> int:
        """Return the desk's id of the agent whose booking it is."""
        found = self._rows("booking_assignment", booking=str(booking))
        if not found:
            raise NotFoundError(f"there is no booking {booking}: the answer of assign shows the ids")
        return int(found[0]["desk_agent_id"])

    def find_agent(self, agent: int | str) -> int:
        """Return the desk's id of the agent whom the user's own tables call so."""
        return int(self._rows("agent_named", agent=str(agent))[0]["agent_id"])

    def agent(self, agent: int | str) -> Row:
        """Return one agent with the workload."""
        return _agent(_own_row(self._rows("agent", agent_id=self.find_agent(agent)), f"agent {agent}"))

    def agents(self, *, after: int | None = None, k: int = 100) -> Page:
        """Return agents in the order in which they came."""
        rows = self._read_rows("agents_page", after=after, k=_limit(k) + 1)
        return _page([_agent(row) for row in rows], k)

    def queue(self, *, after: int | None = None, k: int = 100) -> Page:
        """Return the leads that wait, most urgent first; they are counted from their place in the queue."""
        rows = self._read_rows("queue_page", after=after or 0, k=_limit(k) + 1)
        return _page([{**row, "position": row["place"]} for row in rows], k)

    def changes(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        kind: str | None = None,
        object_id: int | str | None = None,
        after: int | None = None,
        k: int = 100,
    ) -> Page:
        """Return who did what, newest first.

        Parameters
        ----------
        actor
            As the rows name them, such as ``key 3f9ac21b04de``.
        kind, object_id
            What it was done to: a kind such as ``assignment``, and its id.
        """
        rows = self._rows(
            "changes_page", actor=actor, action=action, object=kind,
            object_id=None if object_id is None else str(object_id), before=after, k=_limit(k) + 1,
        )  # fmt: skip
        return _page([{**row, "object_id": own_id(row["object_id"])} for row in rows], k)

    def policies(self) -> tuple[Row, ...]:
        """Return the policies with their parameters; the first is used where none is named."""
        return tuple(self._read_rows("policies"))

    def floor(self) -> Row:
        """Return what a monitor asks: who waits, what is free, who works, what is late or open for long."""
        return self._rows("floor")[0]

    def channels(self) -> tuple[Row, ...]:
        """Return the channels with limits: dimension, channel, capacity (None: no limit), places, open."""
        return tuple(self._read_rows("channel_limits"))

    def set_channel(
        self, channel: str, *, capacity: int | None = None, places: int = 1, dimension: str | None = None
    ) -> tuple[Row, ...]:
        """Say how many open leads of a channel each agent may have, and what one of them weighs.

        Parameters
        ----------
        channel
            A value of the dimension of a lead that is the channel.
        capacity
            None: no limit of its own.
        places
            How many places of the agent's capacity one lead takes.
        dimension
            The dimension; ``communication_method``, or the one in use, where it is left out.
        """
        _check_capacity(capacity)
        if not 1 <= places <= _MOST_PLACES:
            raise InputError(f"a lead takes from 1 to {_MOST_PLACES:,} places, not {places}")
        self._rows("set_channel", channel=channel, capacity=capacity, places=places, dimension=dimension)
        return tuple(self._rows("channel_limits"))

    def remove_channel(self, channel: str) -> tuple[Row, ...]:
        """Take the limits of a channel away, also those of single agents."""
        self._rows("remove_channel", channel=channel)
        return tuple(self._rows("channel_limits"))

    def set_agent_channel(self, agent: int | str, channel: str, capacity: int | None) -> Row:
        """Say how many open leads of a channel one agent may have; None: as many as the channel says."""
        _check_capacity(capacity)
        agent_id = self.find_agent(agent)
        self._rows("set_agent_channel", agent_id=agent_id, channel=channel, capacity=capacity)
        return _agent(self._rows("agent", agent_id=agent_id)[0])

    def set_availability(
        self,
        agent: int | str,
        *,
        capacity: int | None = None,
        shifts: Sequence[tuple[datetime, datetime]] | None = None,
        always: bool = False,
    ) -> Row:
        """Say how many open leads an agent may have and when they work; room that opens is filled at once.

        Parameters
        ----------
        shifts
            From when until when; what is not given stays as it was.
        always
            The agent has no shifts: they are always there.
        """
        return self.change_agent(agent, capacity=capacity, shifts=shifts, always=always)

    def change_agent(
        self,
        agent: int | str,
        *,
        active: bool | None = None,
        hand_over: bool = False,
        capacity: int | None = None,
        shifts: Sequence[tuple[datetime, datetime]] | None = None,
        always: bool = False,
        channels: Mapping[str, int | None] | None = None,
    ) -> Row:
        """Change several things about an agent, or none of them if one is refused.

        Parameters
        ----------
        active, hand_over
            As `Desk.activate` and `Desk.deactivate`.
        capacity, shifts, always
            As `set_availability`.
        channels
            As `set_agent_channel`, by channel.
        """
        for limit in (capacity, *(channels or {}).values()):
            _check_capacity(limit)
        if always and shifts is not None:
            raise InputError("give either shifts or no shifts at all, not both")
        ranges = None if shifts is None else Multirange([_range(start, end) for start, end in shifts])
        agent_id = self.find_agent(agent)
        with self._connection() as connection:

            def ask(name: str, **parameters: Any) -> None:
                self._fetch(connection, name, parameters)

            # who leaves is gone before there is more room, who comes is there after it; and to give leads on
            # begins with the lock that comes before all others
            if active is False:
                ask("deactivate_agent", agent=str(agent), hand_over=hand_over)
            if capacity is not None or shifts is not None or always:
                ask("set_availability", agent_id=agent_id, capacity=capacity, shifts=ranges, always=always)
            for channel, limit in (channels or {}).items():
                ask("set_agent_channel", agent_id=agent_id, channel=channel, capacity=limit)
            if active:
                ask("activate_agent", agent=str(agent))
        return _agent(self._rows("agent", agent_id=agent_id)[0])


def _check_capacity(capacity: int | None) -> None:
    if capacity is not None and not 0 <= capacity < 2**31:
        raise InputError(f"the capacity must be from 0 to 2,147,483,647, not {capacity}")


def _range(start: datetime, end: datetime) -> Range[datetime]:
    if start.tzinfo is None or end.tzinfo is None:
        raise InputError(f"the shift from {start} has no offset from UTC: write 2026-07-01T09:00+02:00")
    if not start < end:
        raise InputError(f"the shift from {start} ends before it begins: put the earlier time first")
    return Range(start, end)


def _own_row(found: Sequence[Row], what: str) -> Row:
    """Return what was looked up by an id that there is: to a role that may not see it, it is not there."""
    if not found:
        raise NotFoundError(f"there is no {what} of yours: your list shows those that are")
    return found[0]


def _limit(k: int) -> int:
    if not 1 <= k <= MOST_ROWS:
        raise InputError(f"a page has 1 to {MOST_ROWS} rows, not {k}")
    return k


def _number(value: int, what: str) -> int:
    if not 0 < value < 2**63:
        raise NotFoundError(f"there is no {what} {value}: the answer of assign shows the ids")
    return value


def _page(rows: Sequence[Mapping[str, Any]], k: int) -> Page:
    """Keep `k` of the `k + 1` rows that were asked for: the last one says whether more follow."""
    kept = rows[:k]
    more = kept[-1]["position"] if len(rows) > k else None
    return Page(tuple({n: v for n, v in row.items() if n != "position"} for row in kept), more)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: own_id(value) if name in _OWN else value for name, value in row.items()}


def _agent(row: Mapping[str, Any]) -> dict[str, Any]:
    shifts = row["shifts"]
    return {
        **_named(row),
        "shifts": None if shifts is None else [{"from": part.lower, "until": part.upper} for part in shifts],
    }
