"""The live desk as a Python object: thin, since the functions and triggers in the database do the work."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from dealwright.desk.database import Database
from dealwright.desk.lead import Lead, plain_scalar, plain_values
from dealwright.desk.migrations import MigrationResult, migrate
from dealwright.desk.models import ModelRegister
from dealwright.desk.queries import answered_errors, own_id, run_command
from dealwright.desk.results import (
    Agents,
    Explanation,
    Loaded,
    Placement,
    Presence,
    Queue,
    Ranking,
    Replay,
    Row,
    Settlement,
    Verification,
)
from dealwright.desk.waiting import Tell, log_wait
from dealwright.dimensions import BOOKING_STATUSES, EMPTY, Dimension
from dealwright.errors import ConflictError, InputError, NotFoundError, UnknownNameError

if TYPE_CHECKING:
    from psycopg import Connection

    from dealwright.desk.archive import Archived
    from dealwright.desk.book import Book
    from dealwright.desk.day_changes import DayChanges
    from dealwright.desk.floor import Floor
    from dealwright.desk.keys import KeyRegister
    from dealwright.desk.nights import Nights
    from dealwright.desk.outbox import Outbox
    from dealwright.desk.oversight import Oversight
    from dealwright.desk.proposals import Proposals
    from dealwright.desk.roles import Roles
    from dealwright.desk.task_book import TaskBook
    from dealwright.desk.territory_scenarios import TerritoryScenarios
    from dealwright.desk.web_sessions import WebSessions
    from dealwright.desk.webhooks import Webhooks
    from dealwright.schemas import History

POLICIES = ("value", "classic", "workload", "fair")
# leads of one transaction: more are hardly faster, and all others wait as long as it runs
BATCH_SIZE = 2_000
BATCH_S = 0.25
NO_MODEL = "no model has been trained yet: agents are not told apart"


class Desk(ModelRegister):
    """The live desk of one company.

    Open it with :meth:`open`; as a context manager it closes its connections at the end. The embedded
    database goes on running for other clients.
    """

    def __init__(self, database: Database, replica: Database | None = None) -> None:
        super().__init__(database, replica)
        self.migration: MigrationResult | None = None

    @classmethod
    def open(
        cls,
        url: str | None = None,
        home: str | Path | None = None,
        *,
        read_url: str | None = None,
        tell: Tell = log_wait,
    ) -> Desk:
        """Open the desk in the database at `url`, or in the embedded one under `home`; build it if need be.

        Without arguments the environment decides: ``DATABASE_URL`` with ``DATABASE_URL_READ``, else
        ``DEALWRIGHT_HOME``, else ``~/.dealwright``.

        Parameters
        ----------
        read_url
            A standby of the database, for what only reads. While it does not answer, the database does.
        tell
            Is told in one line, from another thread, whom this program's work waits for, whenever that takes
            longer than two seconds; by default it goes to the log ``dealwright``.

        Raises
        ------
        DatabaseError
            The database cannot be reached, started or brought up to date.
        """
        if url is None and home is None:
            url = os.environ.get("DATABASE_URL") or None
            read_url = read_url or os.environ.get("DATABASE_URL_READ") or None
        place = home or os.environ.get("DEALWRIGHT_HOME") or Path.home() / ".dealwright"
        desk = cls(
            Database.open(url, Path(place).expanduser(), tell=tell),
            Database(read_url, tell=tell) if read_url else None,
        )
        with (
            desk.database.connect() as connection,
            desk.database.watching(connection),
            answered_errors(desk.database.url),
        ):
            desk.migration = migrate(connection, tell=tell)
        return desk

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Desk({self.database!r})"

    def close(self) -> None:
        """Close the connections."""
        self.database.close()
        if self.replica is not None:
            self.replica.close()

    def make_roles(self) -> Roles:
        """Make the database roles of the desk and grant them what they are for; safe to repeat.

        Raises
        ------
        DatabaseError
            The user may not create roles or does not own the desk; the message says who may, and how.
        """
        from dealwright.desk.roles import make_roles

        with self.database.connect() as connection, answered_errors(self.database.url):
            return make_roles(connection)

    def acts_for(self) -> frozenset[str]:
        """Return the roles of the desk that this desk's user may act for, with what each needs granted."""
        from dealwright.desk.roles import ROLES, edition_of_roles

        if not self.database.prepares:  # a pooler by transactions keeps no role
            return frozenset()
        rows = self._rows("acting_roles", roles=list(ROLES), edition=edition_of_roles())
        return frozenset(row["role"] for row in rows)

    # history

    def load(self, history: History, *, deactivate_missing: bool | None = False) -> Loaded:
        """Load a history as a whole or not at all; rows that were loaded before change nothing.

        Parameters
        ----------
        deactivate_missing
            Deactivate the agents that are not in it; who is in a later one comes back. None: unless more are
            missing than are in it.
        """
        from dealwright.desk.load import load_history

        with self._connection() as connection:
            return Loaded(load_history(connection, history, deactivate_missing=deactivate_missing))

    # tasks of the nightly plan

    @property
    def tasks(self) -> TaskBook:
        """The tasks of the nightly plan."""
        from dealwright.desk.task_book import TaskBook

        return TaskBook(self.database)

    # what the service reads

    @cached_property
    def book(self) -> Book:
        """The book of record, page by page."""
        from dealwright.desk.book import Book

        return Book(self.database, self.replica)

    @property
    def floor(self) -> Floor:
        """The desk as its people look at it."""
        from dealwright.desk.floor import Floor

        return Floor(self.database)

    @property
    def outbox(self) -> Outbox:
        """What happened, in the order in which it became visible."""
        from dealwright.desk.outbox import Outbox

        return Outbox(self.database)

    @property
    def webhooks(self) -> Webhooks:
        """The addresses that receive events."""
        from dealwright.desk.webhooks import Webhooks

        return Webhooks(self.database)

    @property
    def nights(self) -> Nights:
        """The runs of the plan that were asked for."""
        from dealwright.desk.nights import Nights

        return Nights(self.database)

    @property
    def day_changes(self) -> DayChanges:
        """What people changed of the days of a run."""
        from dealwright.desk.day_changes import DayChanges

        return DayChanges(self.database)

    @property
    def territory_scenarios(self) -> TerritoryScenarios:
        """Territories as they might be, and as they were approved."""
        from dealwright.desk.territory_scenarios import TerritoryScenarios

        return TerritoryScenarios(self.database)

    @property
    def keys(self) -> KeyRegister:
        """The keys of the HTTP service."""
        from dealwright.desk.keys import KeyRegister

        return KeyRegister(self.database)

    @property
    def oversight(self) -> Oversight:
        """What people do about the automation: pause, contest, erase."""
        from dealwright.desk.oversight import Oversight

        return Oversight(self.database)

    @property
    def proposals(self) -> Proposals:
        """What waits for a second person."""
        from dealwright.desk.proposals import Proposals

        return Proposals(self.database)

    @property
    def web_sessions(self) -> WebSessions:
        """The people who are signed in with a browser."""
        from dealwright.desk.web_sessions import WebSessions

        return WebSessions(self.database)

    # leads

    def rank(
        self, lead: Lead | Mapping[str, Any], policy: str | None = None, k: int | None = None
    ) -> Ranking:
        """Rank the agents for a lead, whose attributes may be left out; only the first `k` when given."""
        document = _document(lead)
        _check_policy(policy)
        if k is not None and (isinstance(k, bool) or not hasattr(k, "__index__")):
            raise InputError(f"k must be a whole number, not {k!r} of type {type(k).__name__}")
        k = None if k is None else operator.index(k)
        if k is not None and not 1 <= k < 2**31:
            raise InputError(f"k must be at least 1 and below 2,147,483,648, not {k}")
        with self._refusals_explained(document, complete=False):
            rows = self._rows("rank", lead=Jsonb(document), policy=policy, k=k)
        for row in rows:
            used = {name: row.pop(name) for name in ("policy", "model_id", "evidence")}
        return Ranking(
            policy=used["policy"],
            model=used["model_id"],
            evidence=_evidence_text(used["evidence"]),
            lead=document,
            ranking=tuple(_own(row, "agent_id") for row in rows if row["agent_id"] is not None),
        )

    def assign(
        self,
        lead: Lead | Mapping[str, Any],
        policy: str | None = None,
        *,
        agent: int | str | None = None,
        reason: str | None = None,
        override: bool = False,
        by: str | None = None,
    ) -> Placement:
        """Record a lead and give it to the best eligible agent with room; otherwise it waits.

        Parameters
        ----------
        agent
            Give it to this agent instead, for a `reason`. The same limits hold: capacity, shift, skills,
            department.
        override
            They do not hold for this agent; the decision and its event record which were in the way.
        by
            Who names the agent, for the record; default the database's user.

        Raises
        ------
        ConflictError
            A limit stands in the way of the agent; the message names it.
        """
        document = _document(lead)
        _check_policy(policy)
        _check_naming(agent, reason, override=override)
        if agent is not None:
            naming = self._naming(agent, reason, override=override, by=by)
            with self._refusals_explained(document, complete=True):
                return _placement(
                    self._rows("assign_new_to", lead=Jsonb(document), policy=policy, **naming)[0]
                )
        with (
            self._refusals_explained(document, complete=True),
            self._connection(autocommit=True) as connection,
        ):
            return _placement(
                run_command(connection, "assign", {"lead": Jsonb(document), "policy": policy})[0]
            )

    def assign_many(
        self, leads: Iterable[Lead | Mapping[str, Any]], policy: str | None = None
    ) -> tuple[Placement, ...]:
        """Assign leads in one transaction, all or none, as if they came one after the other.

        While it runs, no other lead is placed and no booking settled: some thousand leads are enough for one
        call. :meth:`assign_all` takes any number.

        Raises
        ------
        InputError, ConflictError
            A lead cannot be placed; the message has its number. No lead was placed.
        """
        documents = [_document(lead) for lead in leads]
        _check_policy(policy)
        with self._connection(autocommit=True) as connection:
            parameters = {"leads": [Jsonb(document) for document in documents], "policy": policy}
            return tuple(_placement(row) for row in run_command(connection, "assign_many", parameters))

    def assign_all(
        self, leads: Iterable[Lead | Mapping[str, Any]], policy: str | None = None
    ) -> Iterator[Placement]:
        """Assign leads one after the other, up to two thousand per transaction; all are checked first.

        Where one of them is refused all the same, such as one whose key belongs to another enquiry, those
        before it are placed.
        """
        documents = [_document(lead) for lead in leads]
        _check_policy(policy)
        dimensions = self.dimensions()
        for document in documents:
            _check_lead(document, dimensions, complete=True)
        for batch, placements in self.assign_in_batches(documents, policy):
            yield from placements or (self.assign(document, policy) for document in batch)

    def assign_in_batches(
        self, leads: Sequence[Mapping[str, Any]], policy: str | None = None
    ) -> Iterator[tuple[Sequence[Mapping[str, Any]], tuple[Placement, ...]]]:
        """Assign leads in transactions of a quarter of a second; yield each batch with its placements.

        A batch with a lead that is refused comes without any: nothing of it was placed.
        """
        start, size = 0, min(100, BATCH_SIZE)
        while start < len(leads):
            batch = leads[start : start + size]
            began = perf_counter()
            try:
                placements = self.assign_many(batch, policy)
            except (InputError, ConflictError):
                placements = ()
            else:
                # by how long it took: a lead may take a tenth of a millisecond or a hundred times that
                fitting = round(len(batch) * BATCH_S / (perf_counter() - began))
                size = min(max(fitting, 20), 4 * size, BATCH_SIZE)
            yield batch, placements
            start += len(batch)

    def settle(
        self,
        booking: int | str,
        status: str,
        *,
        base_revenue: float | Decimal | None = None,
        package_revenue: float | Decimal | None = None,
        total_revenue: float | Decimal | None = None,
    ) -> Settlement:
        """Settle a booking (``confirmed``, ``cancelled``), or reopen it (``pending``)."""
        if status not in BOOKING_STATUSES:
            raise UnknownNameError("booking status", status, BOOKING_STATUSES)
        _check_id("booking", booking)
        change: dict[str, Any] = {
            "booking": str(booking),
            "status": status,
            "base_revenue": _amount(base_revenue, "base revenue"),
            "package_revenue": _amount(package_revenue, "package revenue"),
            "total_revenue": _amount(total_revenue, "total revenue"),
        }
        with self._connection(autocommit=True) as connection:
            (row,) = run_command(connection, "settle", change)
        del row["booking"]
        names = ("booking_id", "assignment_id", "agent_id")
        return Settlement({**_renamed(row, *names), "status": row["status"]})

    def reassign(
        self,
        assignment: int | str,
        reason: str,
        *,
        agent: int | str | None = None,
        override: bool = False,
        by: str | None = None,
    ) -> Placement:
        """Give an open assignment's lead to the best other agent with room, or to `agent` (see `assign`)."""
        assignment_id = self._find_assignment(assignment)
        _check_naming(agent, reason, override=override)
        if agent is not None:
            naming = self._naming(agent, reason, override=override, by=by)
            return _placement(self._rows("reassign_to", assignment_id=assignment_id, **naming)[0])
        row = self._rows("reassign", assignment_id=assignment_id, reason=reason)[0]
        # a statement of its own: the one before does not see yet what it decided
        return _placement(row)

    def assign_to(
        self,
        lead_id: int,
        agent: int | str,
        reason: str,
        *,
        override: bool = False,
        by: str | None = None,
    ) -> Placement:
        """Give a recorded lead, waiting or with somebody else, to the agent you name (see `assign`)."""
        _check_naming(agent, reason, override=override)
        naming = self._naming(agent, reason, override=override, by=by)
        return _placement(self._rows("assign_to", lead_id=lead_id, **naming)[0])

    # people

    def activate(self, agent: int | str) -> Presence:
        """Let an agent receive leads, at once those that wait, as far as there is room."""
        _check_id("agent", agent)
        answer = self._rows("activate_agent", agent=str(agent))[0]["answer"]
        return Presence(self._own_agents(answer))

    def deactivate(self, agent: int | str, *, hand_over: bool = False) -> Presence:
        """Let an agent receive no more leads.

        Parameters
        ----------
        hand_over
            Give the open leads to others by the same ranking, or back to the queue where nobody has room;
            otherwise they stay.
        """
        _check_id("agent", agent)
        answer = self._rows("deactivate_agent", agent=str(agent), hand_over=hand_over)[0]["answer"]
        return Presence(self._own_agents(answer))

    def contact(self, assignment: int | str, at: datetime | None = None) -> datetime:
        """Record that the agent reached the customer; return when that first happened."""
        if at is not None and not isinstance(at, datetime):
            raise InputError(f"the time of a contact must be a datetime, not of type {type(at).__name__}")
        assignment_id = self._find_assignment(assignment)
        row = self._rows("contact", assignment_id=assignment_id, at=at)[0]
        first: datetime = row["first_contact_at"]
        return first

    def accept(self, assignment: int | str) -> datetime:
        """Take a lead that was offered (``accept_within_min`` of its policy); return since when."""
        assignment_id = self._find_assignment(assignment)
        accepted: datetime = self._rows("accept", assignment_id=assignment_id)[0]["accepted_at"]
        return accepted

    def decline(self, assignment: int | str, reason: str) -> Placement:
        """Give a lead that its agent declines to the next one, or back to the queue."""
        assignment_id = self._find_assignment(assignment)
        return _placement(self._rows("decline", assignment_id=assignment_id, reason=reason)[0])

    def duplicates(self, lead_id: int) -> tuple[Row, ...]:
        """Return the other open leads that may be the same enquiry.

        Those of the same ``customer_id``, or with the same name and attributes among the thousand leads
        before and after. An assignment's answer has them in ``duplicates`` where the lead has a
        ``customer_id``.
        """
        return tuple(_own(row, "agent_id") for row in self._rows("duplicates", lead_id=lead_id))

    # views

    def agents(self, policy: str | None = None) -> Agents:
        """Return the agents with their workload, ranked for a lead of which nothing is known."""
        _check_policy(policy)
        rows = self._read_rows("agents", policy=policy)
        used = self._read_rows("policy", policy=policy)[0]["policy"]
        return Agents(used, tuple(_own(row, "agent_id") for row in rows))

    def used_policy(self, policy: str | None = None) -> Row:
        """Return a policy, or the one that is used where none is named, with its model and the evidence."""
        _check_policy(policy)
        return self._read_rows("policy", policy=policy)[0]

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises
        ------
        DatabaseError
            There is none.
        """
        self._rows("policy", policy=None)

    def queue(self, k: int | None = None) -> Queue:
        """Return the leads that wait for a place, most urgent first."""
        return Queue(tuple(self._read_rows("queue", k=k)))

    def counts(self) -> Row:
        """Return how many agents, assignments, bookings and waiting leads there are."""
        return self._read_rows("counts")[0]

    def explain(
        self, assignment: int | str, agent: int | str | None = None, *, archive: Path | None = None
    ) -> Explanation:
        """Say why an assignment went to its agent, and what would have changed that.

        Parameters
        ----------
        agent
            Shown too, wherever ranked: an agent's name or id.
        archive
            Where decisions are that were archived.

        Raises
        ------
        UnknownNameError
            No agent is called so.
        NotFoundError
            The agent came after the decision.
        """
        assignment_id = self._find_assignment(assignment)
        agent_id = None if agent is None else self._find_agent(agent)
        with self._record_of(assignment_id, archive) as connection:
            parameters = {"assignment_id": assignment_id, "agent_id": agent_id}
            answer = self._fetch(connection, "explain", parameters)[0]["answer"]
        if agent_id is not None and agent_id not in [row["agent_id"] for row in answer["ranking"] or ()]:
            raise NotFoundError(
                f"agent {agent} was not there yet when assignment {assignment} was decided: "
                "leave --agent out, or ask for one who was"
            )
        return Explanation(self._own_agents({**answer, "assignment_id": own_id(str(assignment))}))

    def why(self, lead_id: int, agent: int | str) -> Row:
        """Say why a lead came to an agent, or did not, with nothing about the others.

        Returns
        -------
        Row
            Whether it ``came``; where the agent stood when it was given away, or stands while it waits:
            ``rank``, ``eligible``, ``match_score``, ``reasons``; and ``would_have_got_it``, what would have
            been needed.
        """
        answer: Row = self._rows("why", lead_id=lead_id, agent_id=self._find_agent(agent))[0]["answer"]
        row: Row = self._own_agents(answer)
        return row

    def standing(self, agent: int | str, lead: Lead | Mapping[str, Any]) -> Row:
        """Say where an agent would stand now for a lead, and why; of the others the first one's score alone.

        Returns
        -------
        Row
            ``rank`` among how many ``agents``, ``match_score``, ``win_probability`` with its 90 % interval,
            ``eligible``, ``reasons``, ``is_first``, ``first_score``, ``first_open``, and the ``policy``.
        """
        document = _document(lead)
        agent_id = self._find_agent(agent)
        with self._refusals_explained(document, complete=False):
            (row,) = self._rows("standing", agent_id=agent_id, lead=Jsonb(document))
        return row

    def own_rate(self, agent: int | str) -> Row:
        """Return an agent's outcomes: ``known``, ``won``, and the ``rate`` with its 90 % interval."""
        agent_id = self._find_agent(agent)
        (row,) = self._rows("own_rate", agent_id=agent_id)
        return {"agent_id": self._own_agents({"agent_id": agent_id})["agent_id"], **row}

    def replay(self, assignment: int | str, *, archive: Path | None = None) -> Replay:
        """Recompute a decision from its record; it must come out the same.

        Parameters
        ----------
        archive
            Where decisions are that were archived.
        """
        assignment_id = self._find_assignment(assignment)
        with self._record_of(assignment_id, archive) as connection:
            answer = self._fetch(connection, "replay", {"assignment_id": assignment_id})[0]["answer"]
        return Replay(self._own_agents({**answer, "assignment_id": own_id(str(assignment))}))

    def verify(self, *, archive: Path | None = None) -> Verification:
        """Check the sealed record: whether a decision was altered, added or removed.

        Parameters
        ----------
        archive
            Where decisions are that were archived. Without it, blocks they belong to are not checked.
        """
        from dealwright.desk.archive import Archive

        def check(connection: Connection[Any]) -> Verification:
            blocks = self._fetch(connection, "verify_decisions", {})
            changed: Sequence[str] = ()
            if archive is not None:
                found = Archive(archive, self._fetch(connection, "archive_files", {}))
                changed = found.changed_files()
                missing = [block for block in blocks if block["intact"] is None]
                checked = (
                    {} if changed else {row["block_id"]: row for row in found.verify(connection, missing)}
                )
                blocks = [checked.get(block["block_id"], block) for block in blocks]
            unsealed = int(self._fetch(connection, "unsealed_decisions", {})[0]["unsealed"])
            return Verification(blocks, unsealed, changed)

        if archive is None:
            return self._read(check)
        with self._connection() as connection:  # what comes from the archive goes through temporary tables
            return check(connection)

    def archive(self, before: datetime, folder: Path) -> Archived:
        """Move the months of the record that ended before a time to Parquet files.

        Parameters
        ----------
        before
            No month that ends later is touched, and none that ended less than a day ago.
        folder
            Where the archive is; made when missing.

        Raises
        ------
        InputError
            The folder cannot be written.
        ConflictError
            What was read back is not what was written; nothing was dropped.
        DatabaseError
            The user does not own the desk.
        """
        from dealwright.desk.archive import archive

        return archive(self.database, before, folder)

    # inside

    @contextmanager
    def _record_of(self, assignment_id: int, archive: Path | None) -> Iterator[Connection[Any]]:
        """Lend a connection that finds the decision on an assignment, in the archive if it is there."""
        from dealwright.desk.archive import Archive

        with self._connection() as connection:
            if (
                archive is None
                or self._fetch(connection, "is_recorded", {"assignment_id": assignment_id})[0]["here"]
                or not (files := self._fetch(connection, "archive_files", {}))
            ):
                yield connection
                return
            with Archive(archive, files).decision_on(connection, assignment_id):
                yield connection

    def _find_assignment(self, name: int | str) -> int:
        _check_id("assignment", name)
        return int(self._rows("find_assignment", name=str(name))[0]["id"])

    def _find_agent(self, name: int | str) -> int:
        """Return the desk's id of the agent with this id or, without one, this name."""
        _check_id("agent", name)
        found = self._rows("find_agent", name=str(name))
        if not found:
            names = list(self.agent_names().values())
            near = get_close_matches(str(name).casefold(), [item.casefold() for item in names], 1, 0.5)
            if near:
                raise UnknownNameError("agent", name, [item for item in names if item.casefold() == near[0]])
            raise NotFoundError(f"there is no agent {str(name)!r}: `dealwright agents` shows them")
        if len(found) > 1 and not found[0]["by_id"]:
            ids = ", ".join(str(row["own_id"]) for row in found)
            raise InputError(f"{len(found)} agents are called {str(name)!r}: give one of their ids, {ids}")
        return int(found[0]["agent_id"])

    def _naming(
        self, agent: int | str, reason: str | None, *, override: bool, by: str | None
    ) -> dict[str, Any]:
        """Return what a query takes that gives a lead to somebody by name."""
        return {
            "agent_id": self._find_agent(agent),
            "reason": reason,
            "override": override,
            "named_by": by,
        }

    @contextmanager
    def _refusals_explained(self, lead: Mapping[str, Any], *, complete: bool) -> Iterator[None]:
        """Say what was meant when the database refuses a lead; only then are the dimensions asked for."""
        try:
            yield
        except InputError:
            _check_lead(lead, self.dimensions(), complete=complete)
            raise

    def _own_agents(self, answer: Any) -> Any:
        """Replace the desk's agent ids in an answer by what the user calls the agents."""
        found: set[int] = set()
        _walk(answer, found.add)
        rows = self._rows("own_names", ids=sorted(found))
        names = {row["agent_id"]: own_id(row["own_id"]) for row in rows}
        return _walk(answer, lambda agent_id: names.get(agent_id, agent_id))


def _document(lead: Lead | Mapping[str, Any]) -> dict[str, Any]:
    """Return a lead in the JSON shape of the SQL functions, whatever types of Python its values have."""
    if not isinstance(lead, Lead | Mapping):
        raise InputError(f"a lead is a Lead or a mapping, not of type {type(lead).__name__}")
    document = plain_values(lead.to_dict() if isinstance(lead, Lead) else lead, "lead")
    if not isinstance(document.get("attributes") or {}, dict):
        raise InputError('attributes must be a mapping such as {"destination": "Mars"}')
    if document.get("idempotency_key") == "":
        raise InputError(
            "idempotency_key is empty: leave it out, or send a key of its own with every enquiry"
        )
    return document


def _check_lead(document: Mapping[str, Any], declared: Iterable[Dimension], *, complete: bool) -> None:
    """Check a lead against the declared dimensions, and say what may have been meant."""
    attributes = document.get("attributes") or {}
    dimensions = {item.name: item for item in declared}
    for name, value in attributes.items():
        if name not in dimensions:
            raise UnknownNameError("dimension", name, dimensions)
        if not _is_empty(value):
            _check_value(dimensions[name], value)
    if not complete:
        return
    if not str(document.get("customer_name") or "").strip():
        raise InputError("a lead needs the customer's name (--customer NAME)")
    missing = [item for item in dimensions.values() if item.required and _is_empty(attributes.get(item.name))]
    if missing:
        raise InputError(
            f"the lead says nothing about {', '.join(item.name for item in missing)}: give a value, "
            f"for example --set {missing[0].name}={_quoted(missing[0].values)}"
        )


def _check_naming(agent: int | str | None, reason: str | None, *, override: bool) -> None:
    if agent is None and override:
        raise InputError("an override is for an agent: name one, or leave it out")
    if agent is not None and not (reason or "").strip():
        raise InputError(
            'naming an agent takes a reason for the record, such as "the customer asked for her"'
        )


def _check_policy(policy: str | None) -> None:
    if policy is not None and policy not in POLICIES:
        raise UnknownNameError("policy", policy, POLICIES)


def _check_id(kind: str, name: Any) -> None:
    if isinstance(name, bool) or not (isinstance(name, str) or hasattr(name, "__index__")):
        raise InputError(
            f"the id of the {kind} must be a whole number or a text, not of type {type(name).__name__}"
        )
    plain_scalar(str(name), f"the id of the {kind}")


def _amount(amount: Any, name: str) -> Decimal | None:
    """Check an amount: any number of Python's or NumPy's, to the cent."""
    exact = (
        amount if isinstance(amount, Decimal) and amount.is_finite() else plain_scalar(amount, f"the {name}")
    )
    if exact is None:
        return None
    if isinstance(exact, bool | str):
        raise InputError(f"the {name} must be a number, not {amount!r} of type {type(amount).__name__}")
    if not 0 <= exact < 1e12:
        raise InputError(f"the {name} must be an amount of at least 0 and below 1e12, not {amount}")
    return Decimal(str(exact))


def _walk(value: Any, rename: Any) -> Any:
    """Apply `rename` to every agent_id in a nested answer."""
    if isinstance(value, dict):
        return {
            name: rename(item) if name == "agent_id" and item is not None else _walk(item, rename)
            for name, item in value.items()
        }
    return [_walk(item, rename) for item in value] if isinstance(value, list) else value


def _own(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: own_id(value) if name in names else value for name, value in row.items()}


def _renamed(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a row under the ids the user's own tables have, which stand beside the desk's."""
    own = {name: own_id(row[f"own_{name}"]) for name in names}
    return {name: own.get(name, value) for name, value in row.items() if not name.startswith("own_")} | own


def _placement(row: Mapping[str, Any]) -> Placement:
    return Placement(_renamed(row, "assignment_id", "booking_id", "agent_id"))


def _is_empty(value: Any) -> bool:
    """Whether an attribute says nothing."""
    return value is None or str(value).strip() in ("", EMPTY)


def _check_value(dimension: Dimension, value: Any) -> None:
    """Refuse what a dimension cannot be, in the words of who gave it."""
    if str(value).strip() in dimension.values or (dimension.is_open and not isinstance(value, dict | list)):
        return
    if not dimension.edges:
        raise UnknownNameError(f"value of {dimension.name}", value, dimension.values)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{dimension.name} must be a number, not {value!r}")


def _quoted(values: tuple[str, ...]) -> str:
    value = values[0] if values else "VALUE"
    return f'"{value}"' if " " in value else value


def _evidence_text(evidence: Mapping[str, Any] | None) -> str:
    if not evidence:
        return NO_MODEL
    return str(evidence.get("text") or evidence.get("verdict") or NO_MODEL)
