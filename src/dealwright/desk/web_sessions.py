"""People who are signed in with a browser: sessions in the database, known there by a digest alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dealwright.desk.keys import Caller
from dealwright.desk.queries import own_id
from dealwright.desk.session import Session


@dataclass(frozen=True)
class Person(Caller):
    """A person who is signed in.

    Attributes
    ----------
    issuer, subject
        Who they are at an OpenID provider; None: they signed in with a key.
    csrf_token
        What a form of theirs has to send: another site cannot know it.
    """

    issuer: str | None
    subject: str | None
    csrf_token: str = field(repr=False)

    @property
    def caller_id(self) -> str:
        """What tells callers apart."""
        return super().caller_id if self.subject is None else f"person {self.subject} of {self.issuer}"


class WebSessions(Session):
    """The sessions of people, `Desk.web_sessions`. A session is named by the token in its cookie."""

    def begin_with_key(self, key_id: str, lasts: timedelta) -> tuple[str, datetime]:
        """Sign in with a key that was checked; return the token of the session, and when it ends.

        Raises
        ------
        ConflictError
            The key is no longer valid.
        """
        token = secrets.token_urlsafe(32)
        row = self._rows(
            "begin_session_of_key", digest=_digest(token), lasts_s=lasts.total_seconds(), key_id=key_id
        )[0]
        return token, row["expires_at"]

    def begin_with_person(
        self,
        issuer: str,
        subject: str,
        lasts: timedelta,
        *,
        name: str,
        scopes: Iterable[str],
        agent_id: int | None = None,
    ) -> tuple[str, datetime]:
        """Sign in somebody whom an OpenID provider knows; return the token and when the session ends."""
        token = secrets.token_urlsafe(32)
        row = self._rows(
            "begin_session_of_person", digest=_digest(token), lasts_s=lasts.total_seconds(), issuer=issuer,
            subject=subject, name=name, scopes=sorted(set(scopes)), agent_id=agent_id,
        )[0]  # fmt: skip
        return token, row["expires_at"]

    def find(self, token: str) -> Person | None:
        """Return who is signed in."""
        found = self._rows("find_session", digest=_digest(token))
        if not found:
            return None
        row = found[0]
        return Person(
            **{**row, "scopes": frozenset(row["scopes"]), "own_agent_id": own_id(row["own_agent_id"])},
            csrf_token=_csrf_token(token),
        )

    def end(self, token: str) -> bool:
        """Sign out; return whether somebody was signed in."""
        return bool(self._rows("end_session", digest=_digest(token))[0]["ended"])

    def agent_with_email(self, email: str) -> int | None:
        """Return the desk's id of the only agent with an address."""
        agent_id: int | None = self._rows("agent_with_email", email=email)[0]["agent_id"]
        return agent_id


def _digest(token: str) -> bytes:
    # of 256 random bits: nobody guesses what a fast digest is of
    return hashlib.sha256(token.encode()).digest()


def _csrf_token(token: str) -> str:
    made = hmac.digest(token.encode(), b"dealwright csrf", "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
