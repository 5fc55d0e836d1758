"""The files of a run, as it wrote them: the report, maps, calendars, briefs and tables; to be read only."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from dealwright.errors import InputError
from dealwright.settings import NightSettings
from dealwright.web.asking import identify
from dealwright.web.night_runs import open_night
from dealwright.web.view import READERS, Ask, whole_number

_SCRIPT: Final = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_SHOWN: Final = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".csv": "text/csv",
    ".json": "application/json", ".geojson": "application/json", ".toml": "text/plain", ".md": "text/plain",
    ".txt": "text/plain", ".ics": "text/calendar",
}  # fmt: skip
_HEADERS: Final = {
    "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "private, no-cache",
}  # fmt: skip
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


async def send_file(request: Request) -> Response:
    """Send a file of a run."""
    request.scope["route"] = _Named()
    ask = await identify(request, READERS)
    return await run_in_threadpool(_answer, ask)


def _answer(ask: Ask) -> Response:
    night_id = whole_number(ask.part("night_id"), "the number of a night")
    if night_id is None:
        raise InputError("name the night")
    path = open_night(ask, night_id).view.file(ask.part("name"))
    kind = _SHOWN.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {**_HEADERS, "Content-Security-Policy": _NOTHING}
    if path.suffix == ".html":
        headers["Content-Security-Policy"] = page_policy(path, ask.service.night)
    return FileResponse(path, media_type=kind, headers=headers)


def page_policy(path: Path, night: NightSettings | None) -> str:
    """Return what a page of a run may do: run the scripts that the run wrote into it, and no others.

    A page that can be sent alone has its style within it and sizes bars by attributes, so styles may be its
    own; nothing comes from elsewhere but the tiles of an address in the settings.
    """
    scripts = " ".join(f"'sha256-{digest}'" for digest in _digests(path, path.stat().st_mtime_ns))
    tiles = _tiles(night)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob: {tiles}; connect-src 'self' {tiles}; font-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=256)
def _digests(path: Path, written_ns: int) -> tuple[str, ...]:
    """Return the digests of the scripts within a page."""
    del written_ns  # another one is another page
    found = {hashlib.sha256(match[1].replace(b"\r\n", b"\n")).digest()
             for match in _SCRIPT.finditer(path.read_bytes())}  # fmt: skip
    return tuple(sorted(base64.b64encode(digest).decode() for digest in found))


def _tiles(night: NightSettings | None) -> str:
    """Return from where a map takes street tiles; empty where they go with the run, or there are none."""
    parts = urlsplit((night.tiles if night is not None else None) or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else ""


class _Named:
    """What the log and the metrics take from a route: without what is in the address."""

    path_format = "/nights/{night_id}/files"
