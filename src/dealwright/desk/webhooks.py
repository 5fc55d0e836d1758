"""Addresses that receive events, and how far each of them has heard."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from dealwright.desk.outbox import Event, Outbox, Position
from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.errors import InputError, NotFoundError

_SALT_BYTES = 16
_LEAST_KEY = 32
_KEEP_S = 86_400.0


def derive_secret(key: str, salt: bytes) -> str:
    """Return the secret of a webhook: what its receiver has, and no database.

    Raises
    ------
    InputError
        There is no key, or it is short.
    """
    if len(key) < _LEAST_KEY:
        said = "has no key" if not key else f"has a key of {len(key)} characters, fewer than {_LEAST_KEY},"
        raise InputError(
            f"this process {said} from which to derive the secrets of webhooks: set DEALWRIGHT_WEBHOOK_KEY "
            "to what `openssl rand -base64 32` prints, the same wherever webhooks are made and called"
        )
    digest = hmac.digest(key.encode(), b"dealwright webhook secret" + salt, hashlib.sha256)
    return f"whsec_{base64.b64encode(digest).decode()}"


def mark_of(key: str) -> str:
    """Return what tells a key from any other, and does not give it away."""
    return hmac.digest(key.encode(), b"dealwright webhook key", hashlib.sha256)[:8].hex()


@dataclass(frozen=True)
class Webhook:
    """An address that receives events.

    Attributes
    ----------
    kinds
        Which events; None: all.
    salt, key_mark, former_salt, former_until
        From what its secret is derived, by which key, and the salt of the secret before it.
    heard
        The last event that was delivered or put aside.
    disabled_at
        Since when it receives nothing any more: it answered that it is gone, or took nothing for too long.
    paused_at
        Since when somebody has paused it.
    failures, retry_at, last_error
        How often it did not take the event after `heard`, when it is tried again, and what it said.
    failing_since
        Since when it has taken nothing.
    dead_letters
        Events that were put aside.
    """

    webhook_id: int
    url: str
    kinds: frozenset[str] | None
    salt: bytes = field(repr=False)
    key_mark: str
    former_salt: bytes | None = field(repr=False)
    former_until: datetime | None
    heard: Position
    created_at: datetime
    disabled_at: datetime | None
    paused_at: datetime | None
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    last_error: str | None
    dead_letters: int

    def secrets(self, key: str, now: datetime) -> tuple[str, ...]:
        """Return what signs a call: its secret and, for a while after it was replaced, the one before it.

        Raises
        ------
        InputError
            The key is not the one from which the secret was derived.
        """
        made = derive_secret(key, self.salt)
        if self.key_mark != mark_of(key):
            raise InputError(
                "its secret was not derived from the key of this process: set DEALWRIGHT_WEBHOOK_KEY to the "
                f"one it was made with, or make a new one with `dealwright webhook rotate {self.webhook_id}`"
            )
        if self.former_salt is None or self.former_until is None or now >= self.former_until:
            return (made,)
        return made, derive_secret(key, self.former_salt)

    def to_dict(self) -> Row:
        """Return it for JSON."""
        return {
            "webhook_id": self.webhook_id,
            "url": self.url,
            "kinds": None if self.kinds is None else sorted(self.kinds),
            "heard": str(self.heard),
            "created_at": self.created_at,
            "disabled_at": self.disabled_at,
            "paused_at": self.paused_at,
            "failures": self.failures,
            "failing_since": self.failing_since,
            "retry_at": self.retry_at,
            "last_error": self.last_error,
            "dead_letters": self.dead_letters,
        }


class Webhooks(Session):
    """The addresses that receive events, `Desk.webhooks`."""

    def create(self, url: str, kinds: Sequence[str] | None = None, *, key: str) -> tuple[int, str]:
        """Register an address for events from now on; return its id and the secret of its signatures.

        Parameters
        ----------
        key
            From which the secret is derived (`dealwright.settings.find_webhook_key`); the database does not
            get it.
        """
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - raises when it is none
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{url!r} is not an address: write it like https://crm.example.com/events")
        if parts.username or parts.password:
            raise InputError(
                "an address with a password would be shown in lists: leave user and password out"
            )
        salt = secrets.token_bytes(_SALT_BYTES)
        secret = derive_secret(key, salt)
        row = self._rows(
            "create_webhook", url=url, kinds=list(kinds) if kinds else None, salt=salt, key_mark=mark_of(key)
        )[0]
        return int(row["webhook_id"]), secret

    def rotate(self, webhook_id: int, *, key: str, keep_s: float = _KEEP_S) -> str:
        """Give an address a new secret and return it; for `keep_s` the one before it signs as well."""
        if not 0 <= keep_s <= 31 * 86_400:
            raise InputError(f"the former secret can sign for up to 31 days more, not for {keep_s:g} s")
        salt = secrets.token_bytes(_SALT_BYTES)
        secret = derive_secret(key, salt)
        self._rows("rotate_webhook", webhook_id=webhook_id, salt=salt, key_mark=mark_of(key), keep_s=keep_s)
        return secret

    def pause(self, webhook_id: int) -> None:
        """Tell an address nothing until it is resumed; it keeps its place among the events."""
        self._rows("pause_webhook", webhook_id=webhook_id)

    def resume(self, webhook_id: int) -> datetime | None:
        """Put an address that was paused or given up to work again, from where it stopped.

        Returns
        -------
        datetime or None
            Until when the events that it has not got are in the archive: these are not sent.
        """
        until: datetime | None = self._rows("resume_webhook", webhook_id=webhook_id)[0]["archived_until"]
        return until

    def list(self) -> tuple[Webhook, ...]:
        """Return all of them."""
        return tuple(
            Webhook(
                row["webhook_id"],
                row["url"],
                None if row["kinds"] is None else frozenset(row["kinds"]),
                row["salt"],
                row["key_mark"],
                row["former_salt"],
                row["former_until"],
                Position(int(row["xid"]), row["position"]),
                row["created_at"],
                row["disabled_at"],
                row["paused_at"],
                row["failures"],
                row["failing_since"],
                row["retry_at"],
                row["last_error"],
                row["dead_letters"],
            )
            for row in self._rows("webhooks")
        )

    def remove(self, webhook_id: int) -> None:
        """Forget an address, with what it refused."""
        self._rows("remove_webhook", webhook_id=webhook_id)

    def again(self, webhook_id: int) -> datetime | None:
        """Put an address to work again, from the first event that it refused on: it hears of all since.

        Returns
        -------
        datetime or None
            Until when the events that it has not got are in the archive: these are not sent.
        """
        until: datetime | None = self._rows("webhook_again", webhook_id=webhook_id)[0]["archived_until"]
        return until

    def dead_letters(self, webhook_id: int) -> tuple[Row, ...]:
        """Return what was put aside for an address, oldest first."""
        rows = self._rows("dead_letters", webhook_id=webhook_id)
        return tuple(
            {
                "event": str(Position(int(row["xid"]), row["position"])),
                "kind": row["kind"],
                "given_up_at": row["given_up_at"],
                "error": row["error"],
            }
            for row in rows
        )

    def letter(self, webhook_id: int, event: str) -> Event:
        """Return an event that was put aside for an address, to be sent once more.

        Raises
        ------
        NotFoundError
            It was not put aside, or it is in the archive.
        """
        position = Position.parse(event)
        letters = {letter["event"] for letter in self.dead_letters(webhook_id)}
        if str(position) in letters:
            before = Position(position.xid, position.number - 1)
            found = Outbox(self.database).read(before, 1)
            if found and found[0].position == position:
                return found[0]
            raise NotFoundError(f"event {event} is in the archive and cannot be sent any more")
        raise NotFoundError(
            f"event {event} was not put aside for webhook {webhook_id}: `dealwright webhook dead list "
            f"{webhook_id}` shows those that were"
        )

    def letter_taken(self, webhook: Webhook, event: Event) -> None:
        """Note that an event that was put aside was taken after all."""
        self._note("dead_letter_taken", webhook, event)

    def passed(self, webhook: Webhook, event: Event) -> None:
        """Note that the events up to this one do not concern an address."""
        self._note("webhook_passed", webhook, event)

    def done(self, webhook: Webhook, event: Event) -> None:
        """Note that an event was taken."""
        self._note("webhook_done", webhook, event)

    def gave_up(self, webhook: Webhook, event: Event, error: str) -> None:
        """Put an event aside, as a dead letter."""
        self._note("webhook_gave_up", webhook, event, kind=event.kind, error=error)

    def failed(self, webhook: Webhook, error: str, wait_s: float, *, disable: bool = False) -> None:
        """Note that an address did not take an event, and when to try again; `disable`: never."""
        self._rows(
            "webhook_failed", webhook_id=webhook.webhook_id, error=error, wait_s=wait_s, disable=disable
        )

    def _note(self, name: str, webhook: Webhook, event: Event, **more: str) -> None:
        self._rows(
            name,
            webhook_id=webhook.webhook_id,
            xid=str(event.position.xid),
            position=event.position.number,
            **more,
        )
