"""The keys of the HTTP service: who may call it, and for what."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dealwright.desk.queries import own_id
from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.errors import InputError, UnknownNameError
from dealwright.extras import require_extra

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SCOPES = {
    "ingest": "sends leads, settles their bookings and asks for rankings",
    "agent": "sees and handles the own work of one agent",
    "planner": "reads everything and reports on tasks",
    "manager": "runs the floor: reads everything, hands leads over, sets availability",
    "admin": "does everything, keys included",
}
_TOKEN = re.compile(r"dw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_LONGEST_GRACE_S = 30 * 86_400.0


@dataclass(frozen=True)
class Caller:
    """Who calls the service: a program with a key, or a person who is signed in.

    Attributes
    ----------
    key_id
        The part of the key that is no secret; None: the person came from an OpenID provider.
    name
        Who it is.
    scopes
        What they may do, of `SCOPES`.
    agent_id, own_agent_id
        Whose work it is about, as the desk and as the user's own tables call them; None without the scope
        ``agent``.
    expires_at
        Until when this is valid; None: until it is revoked.
    """

    key_id: str | None
    name: str
    scopes: frozenset[str]
    agent_id: int | None
    own_agent_id: int | str | None
    expires_at: datetime | None

    @property
    def caller_id(self) -> str:
        """What tells callers apart."""
        return f"key {self.key_id}"


@dataclass(frozen=True)
class Key(Caller):
    """A key as the desk knows it.

    Attributes
    ----------
    hash
        The Argon2 hash of its secret.
    is_valid
        Whether it is neither expired nor revoked.
    """

    hash: str
    is_valid: bool

    def matches(self, secret: str) -> bool:
        """Whether the secret is the one of this key; slow on purpose, a few hundredths of a second."""
        from argon2.exceptions import Argon2Error, InvalidHashError

        try:
            return _hasher().verify(self.hash, secret)
        except (Argon2Error, InvalidHashError):
            return False


class KeyRegister(Session):
    """The keys of the service, `Desk.keys`."""

    def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        agent: int | str | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a key and return it: it is shown this once, and the desk keeps a hash of it.

        Parameters
        ----------
        agent
            Whose work a key of scope ``agent`` is about.

        Raises
        ------
        InputError
            A scope is unknown, or the scope ``agent`` comes without an agent or the other way round.
        """
        wanted = sorted(set(scopes))
        for scope in wanted:
            if scope not in SCOPES:
                raise UnknownNameError("scope", scope, SCOPES)
        if not wanted:
            raise InputError(f"a key needs a scope: use one or more of {', '.join(SCOPES)}")
        if not name.strip():
            raise InputError("a key needs a name that says who has it")
        if ("agent" in wanted) != (agent is not None):
            raise InputError("the scope agent and an agent (--agent ID) go together: give both or neither")
        key_id, secret, hashed = _draw()
        agent_id = None if agent is None else self._rows("agent_named", agent=str(agent))[0]["agent_id"]
        self._rows(
            "create_key", key_id=key_id, name=name.strip(), scopes=wanted, hash=hashed, agent_id=agent_id,
            expires_at=expires_at,
        )  # fmt: skip
        return f"dw_{key_id}_{secret}"

    def replace(self, key_id: str, *, keep: timedelta = timedelta(days=1)) -> str:
        """Make the successor of a key and return it; the old one stays valid for a while.

        Raises
        ------
        NotFoundError, ConflictError
            There is no such key, or it is no longer valid.
        """
        keep_s = keep.total_seconds()
        if not 0 <= keep_s <= _LONGEST_GRACE_S:
            raise InputError("the old key may stay valid for 0 to 30 days")
        new_id, secret, hashed = _draw()
        self._rows("replace_key", key_id=key_id, new_key_id=new_id, hash=hashed, keep_s=keep_s)
        return f"dw_{new_id}_{secret}"

    def revoke(self, key_id: str) -> datetime:
        """End a key for good; return when that first happened."""
        revoked: datetime = self._rows("revoke_key", key_id=key_id)[0]["revoked_at"]
        return revoked

    def list(self) -> tuple[Row, ...]:
        """Return all keys, oldest first, without their hashes."""
        rows = self._rows("list_keys")
        return tuple(
            {
                **{name: value for name, value in row.items() if name != "own_agent_id"},
                "agent_id": own_id(row["own_agent_id"]),
            }
            for row in rows
        )

    def find(self, key_id: str) -> Key | None:
        """Return a key by the part of it that is no secret."""
        found = self._rows("find_key", key_id=key_id)
        if not found:
            return None
        row = found[0]
        own = own_id(row["own_agent_id"])
        return Key(**{**row, "scopes": frozenset(row["scopes"]), "own_agent_id": own})


def split_token(token: str) -> tuple[str, str] | None:
    """Return the id and the secret of a key as it was sent; None where it is none."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else None


def _draw() -> tuple[str, str, str]:
    """Draw the id and the secret of a new key; return them with the secret's hash."""
    secret = secrets.token_urlsafe(32)
    return secrets.token_hex(6), secret, _hasher().hash(secret)


def _hasher() -> PasswordHasher:
    require_extra("service", "a key of the service")
    from argon2 import PasswordHasher

    # OWASP's parameters: a secret of 256 bits needs no more, and who serves checks it once every few minutes
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
