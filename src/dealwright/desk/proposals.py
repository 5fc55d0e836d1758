"""A second person: changes of a model or a policy that wait until another person agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.errors import InputError, UnknownNameError

STATUSES = ("waiting", "agreed", "refused", "withdrawn")


class Proposals(Session):
    """What somebody asked for and another person decides, `Desk.proposals`.

    Where the desk does not require a second person, a change takes effect when it is asked for.
    """

    @property
    def required(self) -> bool:
        """Whether a change of a model or a policy waits until a second person agrees."""
        return bool(self._rows("second_person_required")[0]["required"])

    def require(self, reason: str, *, required: bool = True) -> int | None:
        """Require a second person from now on, or no longer: that, too, waits until another person agrees.

        Returns
        -------
        int or None
            The proposal that waits; None: it is so.
        """
        return self._asked("require_second_person", required=required, reason=reason)

    def change_policy(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        make_default: bool = False,
        reason: str | None = None,
    ) -> int | None:
        """Change the parameters of a policy, or make it the one that is used where none is named.

        Returns
        -------
        int or None
            The proposal that waits; None: it is in force.

        Raises
        ------
        InputError
            There is nothing to change, or the policy does not know a parameter.
        """
        if params is None and not make_default:
            raise InputError("nothing to change: give parameters, or make it the default")
        return self._asked(
            "propose_policy",
            name=name,
            params=None if params is None else Jsonb(dict(params)),
            make_default=make_default,
            reason=reason,
        )

    def list(
        self, *, status: str | None = "waiting", kind: str | None = None, object_id: int | str | None = None
    ) -> tuple[Row, ...]:
        """Return what was asked for, newest first, a thousand at most; by default what waits."""
        if status is not None and status not in STATUSES:
            raise UnknownNameError("status of a proposal", status, STATUSES)
        return tuple(
            self._rows(
                "proposals",
                status=status,
                kind=kind,
                object_id=None if object_id is None else str(object_id),
            )
        )

    def agree(self, proposal_id: int, reason: str | None = None) -> None:
        """Let a change take effect that another person asked for.

        Raises
        ------
        ConflictError
            Who agrees has asked for it, it is decided, or what it would change has changed since.
        """
        self._rows("agree_to_proposal", proposal_id=proposal_id, reason=reason)

    def refuse(self, proposal_id: int, reason: str) -> None:
        """Turn a change down, or take back what one has asked for."""
        self._rows("refuse_proposal", proposal_id=proposal_id, reason=reason)

    def _asked(self, query: str, **parameters: Any) -> int | None:
        proposal_id: int | None = self._rows(query, **parameters)[0]["proposal_id"]
        return proposal_id
