"""Logs as lines of JSON, and the request that a line belongs to."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

# of the call that is being answered, or of the one that asked for the night that is being carried out
REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)


class JsonLines(logging.Formatter):
    """Writes each record as one line of JSON."""

    _OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        request_id = REQUEST_ID.get()
        text = record.getMessage()
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **(_parse(text) or {"event": text}),
            **({} if request_id is None else {"request_id": request_id}),
            **{name: value for name, value in vars(record).items() if name not in self._OWN},
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


def _parse(text: str) -> dict[str, Any] | None:
    """Return what a record says that is a line of JSON already, such as those of the plan's stages."""
    if not text.startswith('{"'):
        return None
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return found if "event" in found else None


def log_as_json(*names: str, level: int = logging.INFO) -> None:
    """Write what these loggers are given to stderr, a line of JSON each."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
