"""The statements of ``sql/queries.sql``, by name."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def _queries() -> dict[str, bytes]:
    text = files("dealwright.desk").joinpath("sql", "queries.sql").read_text(encoding="utf-8")
    _, *blocks = re.split(r"(?m)^-- name: (\w+)\n", text)
    return {name: block.encode() for name, block in zip(blocks[::2], blocks[1::2], strict=True)}


def query(name: str) -> bytes:
    """Return a statement of ``sql/queries.sql``."""
    return _queries()[name]
