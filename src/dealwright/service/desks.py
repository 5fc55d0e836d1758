"""One desk, seen with the rights of whoever asks: a connection may do no more than the role it is for."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from dealwright.desk.database import Database, Identified
from dealwright.desk.desk import Desk
from dealwright.desk.keys import Caller

_log = logging.getLogger("dealwright.service")
# the least first: of several scopes that an endpoint takes, the first one that somebody has is used
ROLES: Mapping[str, str] = {
    "ingest": "dealwright_app",
    "planner": "dealwright_planner",
    "manager": "dealwright_manager",
}
_AGENT = "dealwright_agent"


class Desks:
    """The desk with the rights of each role.

    Row-level security then holds whatever a query of ours asks for: a wrong filter shows an agent nothing of
    somebody else's. Where the database has not granted the roles, or a pooler would mix them up, all requests
    have the service's own rights.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        granted = desk.acts_for()
        self._databases: dict[str, Database] = {
            role: desk.database.acting(role) for role in (_AGENT, *ROLES.values()) if role in granted
        }
        if missing := {_AGENT, *ROLES.values()} - self._databases.keys():
            _log.warning(
                "requests have the service's own rights in the database, not those of %s: run `dealwright "
                "roles`%s",
                ", ".join(sorted(missing)),
                ""
                if desk.database.prepares
                else "; behind a pooler that works by transactions they always have",
            )

    @property
    def are_separate(self) -> bool:
        """Whether each role has connections of its own."""
        return len(self._databases) == 1 + len(ROLES)

    def for_scope(self, scope: str) -> Desk:
        """Return the desk for what a scope opens."""
        database = self._databases.get(ROLES.get(scope, ""))
        return self._desk if database is None else Desk(database, self._desk.replica)

    def for_caller(
        self, caller: Caller, allowed: frozenset[str], own_agent: int | None, request_id: str
    ) -> Desk:
        """Return the desk for a request.

        Parameters
        ----------
        allowed
            The scopes that the endpoint takes.
        own_agent
            The agent whose work alone is shown.
        """
        if own_agent is not None:
            database = self._databases.get(_AGENT)
        else:
            scope = next((name for name in ROLES if name in caller.scopes & allowed), "")
            database = self._databases.get(ROLES.get(scope, ""))
        settings = {
            "dealwright.actor": msgspec.json.encode(
                {"id": caller.caller_id, "name": caller.name, "request_id": request_id}
            ).decode(),
            "dealwright.agent_id": "" if own_agent is None else str(own_agent),
        }
        return Desk(Identified(database or self._desk.database, settings))

    def close(self) -> None:
        """Close the connections of the roles."""
        for database in self._databases.values():
            database.close()
