"""People over the machine: pause it, contest what it learns from, take a customer out of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dealwright.desk.queries import own_id
from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.errors import InputError


class Oversight(Session):
    """What people do about the desk's automation, `Desk.oversight`: with a reason, and recorded."""

    def pause(self, reason: str, *, agent: int | str | None = None, team: str | None = None) -> int:
        """Give no leads to an agent, to a team (a department) or, with neither, to anybody.

        What comes goes to others or waits; what they have stays with them.

        Returns
        -------
        int
            How many agents were paused.

        Raises
        ------
        ConflictError
            Nobody is meant, or all are paused already.
        """
        return self._for("pause_automation", reason, agent, team)

    def resume(self, reason: str, *, agent: int | str | None = None, team: str | None = None) -> int:
        """Give leads again, at once those that wait; return how many agents are no longer paused."""
        return self._for("resume_automation", reason, agent, team)

    def pauses(self) -> tuple[Row, ...]:
        """Return to whom the desk gives no leads, and why."""
        return tuple({**row, "agent_id": own_id(row["agent_id"])} for row in self._rows("pauses"))

    def contest(self, assignment: int | str, reason: str) -> datetime:
        """Contest an outcome: training leaves it out until somebody has resolved that; decisions stay."""
        return self._about("contest_outcome", assignment, reason)

    def resolve(self, assignment: int | str, reason: str) -> datetime:
        """Let an outcome stand, perhaps after it was corrected: training takes it in again."""
        return self._about("resolve_contest", assignment, reason)

    def contests(self, *, with_resolved: bool = False) -> tuple[Row, ...]:
        """Return the outcomes that are contested, newest first, a thousand at most."""
        return tuple(
            {**row, "assignment_id": own_id(row["assignment_id"]), "agent_id": own_id(row["agent_id"])}
            for row in self._rows("contests", with_resolved=with_resolved)
        )

    def erase(self, customer: str, reason: str, *, leads: Sequence[int] = ()) -> Row:
        """Take out of the desk who a customer was and what they wrote.

        Parameters
        ----------
        customer
            The `customer_id` of their leads, which is the `account_id` of their tasks.
        leads
            Leads of theirs that have no `customer_id`.

        Returns
        -------
        Row
            How many ``leads``, ``tasks``, ``changes`` of planned days and territories, and ``decisions`` were
            changed; ``kept_decisions``, which are in months that were archived in part; and
            ``archived_files``, the files of the archive that may still hold what the customer wrote.

        Raises
        ------
        ConflictError
            A lead is still at work.
        NotFoundError
            There is nothing of this customer.
        """
        answer: Row = self._rows("erase_customer", customer=customer, reason=reason, lead_ids=list(leads))[0][
            "answer"
        ]
        return answer

    def _for(self, query: str, reason: str, agent: int | str | None, team: str | None) -> int:
        if agent is not None and team is not None:
            raise InputError("name an agent or a team, not both")
        agent_id = None if agent is None else self._rows("agent_named", agent=str(agent))[0]["agent_id"]
        return int(self._rows(query, reason=reason, agent_id=agent_id, team=team)[0]["agents"])

    def _about(self, query: str, assignment: int | str, reason: str) -> datetime:
        assignment_id = self._rows("find_assignment", name=str(assignment))[0]["id"]
        (row,) = self._rows(query, assignment_id=assignment_id, reason=reason)
        at: datetime = next(iter(row.values()))
        return at
