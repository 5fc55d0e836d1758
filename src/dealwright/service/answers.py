"""Answers as JSON: times in ISO 8601, amounts as numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from starlette.responses import Response

from dealwright.desk.book import Page


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain)


def encode(content: Any) -> bytes:
    """Return content as JSON."""
    return _ENCODER.encode(content)


class Json(Response):
    """Content as it is: what the desk answers is not validated again, since tests do that."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return encode(content)


def page_answer(page: Page) -> Json:
    """Return a page with what to ask for next."""
    return Json({"items": page.rows, "next": page.next})
