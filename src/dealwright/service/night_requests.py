"""Runs of the plan as they are asked for, from the console and over HTTP: a night, or a what-if of one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dealwright.desk.desk import Desk
from dealwright.desk.keys import Caller
from dealwright.desk.nights import NightRecord
from dealwright.errors import ConflictError, InputError
from dealwright.extras import require_extra
from dealwright.runs.logs import REQUEST_ID
from dealwright.service.run_folders import night_settings, run_folder

if TYPE_CHECKING:
    from dealwright.service.core import Service

_SEEN: Final = 500
# of a night's options, what a what-if takes over as it is
_OTHER: Final = ("publish", "previous", "what_if", "changes", "params", "as_of", "touches_from_desk")
_OF_WHAT_IF: Final = frozenset({"what_if", "changes", "params", "publish"})


def request_night(
    service: Service, desk: Desk, who: Caller, options: Mapping[str, Any], once: str | None = None
) -> int:
    """Ask for a night and return its id; what is wrong with the options is said at once.

    Parameters
    ----------
    once
        What is asked for twice under the same name is asked for once.

    Raises
    ------
    InputError
        An option cannot be used, or there are no tables.
    ConflictError
        The service was started without nights.
    """
    require_extra("plan", "the nightly plan")
    from dealwright.runs.night_options import build_request, read_options

    settings = night_settings(service)
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("previous") and not given.get("what_if"):
        run_folder(settings, desk, given["previous"])
    build_request(settings, read_options(given), Path(settings.runs))
    return desk.nights.request(
        f"{who.caller_id} {once or uuid.uuid4()}", who.name, given, request_id=REQUEST_ID.get()
    )


def what_if_options(service: Service, desk: Desk, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a what-if that names its night, the changes of people, and parameters.

    Raises
    ------
    InputError
        Nothing is changed, or something that a what-if takes from its night.
    ConflictError
        The night is not done.
    """
    if foreign := sorted(name for name, value in asked.items() if value and name not in _OF_WHAT_IF):
        raise InputError(
            f"{foreign[0]} is not for a what-if, which is planned as its night: give changes and params"
        )
    base = desk.nights.get(asked["what_if"])
    if base.what_if is not None:
        base = desk.nights.get(base.what_if)
    if base.status != "done":
        raise ConflictError(f"night {base.night_id} is {base.status}: a what-if varies one that is done")
    changes, params = asked.get("changes") or {}, asked.get("params") or {}
    if not any(changes.values()) and not params:
        raise InputError("nothing is changed: say in changes or params what is to be other than in the night")
    return variant_of(service, desk, base, changes, params)


def variant_of(
    service: Service, desk: Desk, base: NightRecord, changes: Mapping[str, Any], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a what-if: those of the night, with its cut-off and the run it took over from."""
    published = base.options.get("publish", night_settings(service).publish)
    return {
        **{name: value for name, value in base.options.items() if name not in _OTHER},
        "as_of": (base.result or {}).get("as_of") or base.options.get("as_of"),
        "publish": False,
        "touches_from_desk": base.options.get("touches_from_desk", bool(published)),
        "previous": base.options.get("previous", _taken_over(service, desk, base)),
        "what_if": base.night_id,
        "changes": dict(changes) or None,
        "params": _merged(base.options.get("params") or {}, params) or None,
    }


def _taken_over(service: Service, desk: Desk, base: NightRecord) -> int:
    """Return the night from which another one took over: the one done before it; 0 for none that is here."""
    runs = Path(night_settings(service).runs)
    for night in desk.nights.list(status="done", after=base.night_id, k=_SEEN):
        if night.what_if is None:
            return night.night_id if (runs / (night.folder or "")).is_dir() else 0
    return 0


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        both = isinstance(merged.get(name), Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
