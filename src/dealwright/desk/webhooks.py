"""Addresses that receive events, and how far each of them has heard."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from dealwright.desk.outbox import Event, Position
from dealwright.desk.results import Row
from dealwright.desk.session import Session
from dealwright.errors import InputError


@dataclass(frozen=True)
class Webhook:
    """An address that receives events.

    Attributes
    ----------
    kinds
        Which events; None: all.
    secret
        Signs each call (Standard Webhooks).
    heard
        The last event that was delivered or given up.
    disabled_at
        Since when it is told nothing any more: it answered that it is gone.
    failures, retry_at, last_error
        How often in a row it did not take an event, when it is tried again, and what it said.
    dead_letters
        Events that were given up.
    """

    webhook_id: int
    url: str
    kinds: frozenset[str] | None
    secret: str = field(repr=False)
    heard: Position
    created_at: datetime
    disabled_at: datetime | None
    failures: int
    retry_at: datetime | None
    last_error: str | None
    dead_letters: int

    def to_dict(self) -> Row:
        """Return it for JSON, without its secret."""
        return {
            "webhook_id": self.webhook_id,
            "url": self.url,
            "kinds": None if self.kinds is None else sorted(self.kinds),
            "heard": str(self.heard),
            "created_at": self.created_at,
            "disabled_at": self.disabled_at,
            "failures": self.failures,
            "retry_at": self.retry_at,
            "last_error": self.last_error,
            "dead_letters": self.dead_letters,
        }


class Webhooks(Session):
    """The addresses that receive events, `Desk.webhooks`."""

    def create(self, url: str, kinds: Sequence[str] | None = None) -> tuple[int, str]:
        """Register an address, told of events from now on; return its id and the secret of its signatures."""
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
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        row = self._rows("create_webhook", url=url, kinds=list(kinds) if kinds else None, secret=secret)[0]
        return int(row["webhook_id"]), secret

    def list(self) -> tuple[Webhook, ...]:
        """Return all of them."""
        return tuple(
            Webhook(
                row["webhook_id"],
                row["url"],
                None if row["kinds"] is None else frozenset(row["kinds"]),
                row["secret"],
                Position(int(row["xid"]), row["position"]),
                row["created_at"],
                row["disabled_at"],
                row["failures"],
                row["retry_at"],
                row["last_error"],
                row["dead_letters"],
            )
            for row in self._rows("webhooks")
        )

    def remove(self, webhook_id: int) -> None:
        """Forget an address, with what it refused."""
        self._rows("remove_webhook", webhook_id=webhook_id)

    def again(self, webhook_id: int) -> None:
        """Put an address to work again, from the first event that it refused on: it hears of all since."""
        self._rows("webhook_again", webhook_id=webhook_id)

    def dead_letters(self, webhook_id: int) -> tuple[Row, ...]:
        """Return what an address refused for good, oldest first."""
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

    def done(self, webhook: Webhook, event: Event, error: str | None = None) -> None:
        """Note that an event was delivered, or given up with an error."""
        self._rows(
            "webhook_done",
            webhook_id=webhook.webhook_id,
            xid=str(event.position.xid),
            position=event.position.number,
            kind=event.kind,
            error=error,
        )

    def failed(self, webhook: Webhook, error: str, wait_s: float, *, gone: bool = False) -> None:
        """Note that an address did not take an event, and when to try again; `gone`: never."""
        self._rows("webhook_failed", webhook_id=webhook.webhook_id, error=error, wait_s=wait_s, gone=gone)
