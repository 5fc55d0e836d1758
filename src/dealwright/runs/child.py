"""The process that carries out one night, so that neither its memory nor its end is the worker's.

It reads what to do as one line of JSON from stdin, and says how far it has come and what became of it in
lines of JSON on stdout. When stdin ends, the worker is gone: it ends at once, with all it has started, and
the next worker begins the night anew.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, TextIO

from dealwright.desk.desk import Desk
from dealwright.errors import DealwrightError
from dealwright.runs.importing import import_folder
from dealwright.runs.logs import REQUEST_ID, log_as_json
from dealwright.runs.night import Night, run_night
from dealwright.runs.night_options import build_request, read_options
from dealwright.settings import NightSettings

_ALONE: Final = "SELECT pg_try_advisory_lock(hashtext('dealwright night'), 0)"
# how much of a night is over when its stages are: the rest is writing and publishing
_STAGES_SHARE: Final = 0.9
_PUBLISHING_SHARE: Final = 0.97
_log = logging.getLogger("dealwright")


def main() -> int:
    """Carry out the night that stdin describes."""
    told = _take_stdout()
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_worker, name="dealwright-watch", daemon=True).start()
    log_as_json("dealwright")
    REQUEST_ID.set(task["request_id"])

    def tell(**message: Any) -> None:
        told.write(json.dumps(message, default=str) + "\n")
        told.flush()

    try:
        tell(result=carry_out(task, lambda stage, share: tell(stage=stage, share=round(share, 4))))
    except DealwrightError as error:
        tell(error=str(error), kind=type(error).__name__)
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it was, the worker is to say that it failed
        _log.exception("the night failed", extra={"night_id": task["night_id"]})
        tell(
            error=f"an unexpected error ({type(error).__name__}: {error}): the worker's log has the details",
            kind="Exception",
        )
        return 1
    return 0


def carry_out(task: Mapping[str, Any], tell: Any) -> dict[str, Any]:
    """Import, plan, write and publish; return the key figures and what became of the rest."""
    settings = NightSettings(**{**task["settings"], "days": tuple(task["settings"]["days"])})
    options = read_options(task["options"])
    out = Path(task["out"])
    previous = None if task["previous"] is None else Path(task["previous"])

    def open_desk() -> AbstractContextManager[Desk]:
        return Desk.open(task["url"], Path(task["home"]))

    more: dict[str, Any] = {}
    with open_desk() as desk, desk.database.connect(autocommit=True) as connection:
        while connection.execute(_ALONE).fetchone() != (True,):  # one whose worker was lost ends first
            time.sleep(0.2)
        if settings.desk_tables is not None:
            tell("importing", 0.0)
            folder = Path(settings.desk_tables)
            more["imported"] = import_folder(
                desk, folder, settings.desk_map, out.with_name("rejected")
            ).to_dict()

        def show(stage: str, done: int, total: int) -> None:
            if stage in ("publishing", "arranging"):
                tell("publishing", _PUBLISHING_SHARE)
            else:
                tell(stage or "writing", _STAGES_SHARE * done / max(total, 1))

        tell("reading", 0.0)
        request = build_request(settings, options, out, previous)
        night = run_night(request, open_desk=open_desk, progress=show)
    return {**more, **figures_of(night)}


def figures_of(night: Night) -> dict[str, Any]:
    """Return what a list of nights shows of one."""
    return {
        "as_of": night.request.as_of,
        "accounts": night.plan.accounts.height,
        "kpis": night.plan.kpis.summary(),
        "published": None if night.published is None else night.published.to_dict(),
    }


def _take_stdout() -> TextIO:
    """Keep stdout for messages: what a library prints goes to stderr."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _end_with_worker() -> None:
    # not by Python's own buffer, whose lock would be held when this process ends by itself
    os.read(0, 1)  # returns when the worker has closed it, or is no more
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
