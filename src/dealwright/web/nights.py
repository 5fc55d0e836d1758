"""Nights: the runs of the plan, one under way, and what one that is done decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from dealwright.desk.nights import NIGHT_STATUSES, NightRecord
from dealwright.errors import ConflictError, InputError
from dealwright.extras import missing_modules
from dealwright.service.night_requests import request_night
from dealwright.settings import NightSettings
from dealwright.web.night_runs import open_if_there
from dealwright.web.night_words import what_to_do
from dealwright.web.view import READERS, Ask, Done, Shown, View, address_with, whole_number

_PAGE: Final = 50


# the list ---------------------------------------------------------------------------------------------------


def _nights(ask: Ask) -> View:
    status = ask.asked("status")
    if status and status not in NIGHT_STATUSES:
        raise InputError(f"status = {status!r} is unknown: use {', '.join(NIGHT_STATUSES)}")
    found = ask.desk.nights.list(status=status or None, after=ask.number("after"), k=_PAGE + 1)
    rows = [night_row(night, ask.now()) for night in found[:_PAGE]]
    older = (
        address_with("/nights", status=status, after=found[_PAGE - 1].night_id) if len(found) > _PAGE else ""
    )
    settings = ask.service.night
    missing = missing_modules("plan")
    return View(
        "nights.html",
        ask.form.text("Nights"),
        {"rows": rows, "schedule": _schedule(settings, ask.now())},
        lead=ask.form.text("Runs of the plan: who is contacted, by whom, when and in what order."),
        extra={
            "status": status,
            "older": older,
            "night": settings,
            "missing": missing[0] if missing else "",
            "can_start": settings is not None and not missing,
        },
        live="/live/nights/all",
    )


def night_row(night: NightRecord, now: datetime) -> dict[str, Any]:
    """Return a night as the list shows it."""
    result = night.result or {}
    figures = result.get("kpis") or {}
    took = None
    if night.begun_at is not None:
        took = ((night.ended_at or now) - night.begun_at).total_seconds()
    return {
        "night_id": night.night_id,
        "status": night.status,
        "requested_by": night.requested_by,
        "requested_at": night.requested_at,
        "due_at": night.due_at,
        "begun_at": night.begun_at,
        "ended_at": night.ended_at,
        "duration_s": took,
        "stage": night.stage,
        "share": night.share,
        "attempts": night.attempts,
        "what_if": night.what_if,
        "published": bool(result.get("published")),
        "as_of": result.get("as_of"),
        "accounts": result.get("accounts"),
        "contacts": figures.get("contacts_scheduled"),
        "contacts_value_eur": figures.get("contacts_value_eur"),
        "error": night.error,
    }


def _schedule(settings: NightSettings | None, now: datetime) -> dict[str, Any] | None:
    """Return when nights are due by the clock, and when the next one is."""
    if settings is None or settings.at is None:
        return None
    from dealwright.runs.schedule import next_night

    return {
        "at": settings.at,
        "time_zone": settings.time_zone,
        "days": list(settings.days),
        "next": next_night(settings, now),
        "catch_up_h": settings.catch_up_h,
    }


def _start(ask: Ask) -> str:
    """Ask for a night: of the tables of the settings, or of a synthetic company to try it out."""
    fields = ask.fields
    options: dict[str, Any] = {}
    if fields.get("source") == "world":
        options |= {"world": "barcelona", "n": whole_number(fields.get("n", ""), "the number of accounts")}
    if text := fields.get("as_of", ""):
        options["as_of"] = _cut_off(text)
    if (seed := whole_number(fields.get("seed", ""), "the seed")) is not None:
        options["seed"] = seed
    options["publish"] = bool(fields.get("publish"))
    if fields.get("force"):
        options["force"] = True
    night_id = ask_for(ask, options, once=fields.get("once", ""))
    return f"/nights/{night_id}?done=asked"


def _cut_off(text: str) -> str:
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(
            f"the cut-off must be a day or a day and a time such as 2026-01-31T08:00, not {text!r}"
        ) from None


def ask_for(ask: Ask, options: Mapping[str, Any], once: str = "") -> int:
    """Ask for a night and return its id; what is wrong with the options is said at once."""
    return request_night(ask.service, ask.desk, ask.who, options, once)


# one of them ------------------------------------------------------------------------------------------------


def _night(ask: Ask) -> View:
    night_id = int(ask.part("night_id"))
    night = ask.desk.nights.get(night_id)
    data: dict[str, Any] = {"night": {**night_row(night, ask.now()), "options": dict(night.options)}}
    extra: dict[str, Any] = {"record": night, "opened": None, "gone": "", "advice": "", "ahead": 0}
    form = ask.form
    if night.status == "done":
        opened, extra["gone"] = open_if_there(ask, night_id)
        if opened is not None:
            from dealwright.web.night_screen import day_links, figure_groups, first_screen, report_links

            form = opened.form
            data["screen"] = first_screen(opened, ask.whole_desk)
            extra |= {
                "opened": opened,
                "links": report_links(opened),
                "days": day_links(opened),
                "groups": figure_groups(opened),
                "others": _others(ask, night),
            }
    elif night.is_over:
        extra["advice"] = what_to_do(ask.form, night.status, by_clock=night.due_at is not None)
    else:
        extra["ahead"] = _ahead(ask, night)
        extra["works_here"] = ask.service.params.worker and ask.service.night is not None
    return View(
        "night.html",
        _title(ask, night, data.get("screen")),
        data,
        extra=extra,
        live="" if night.is_over else f"/live/nights/{night_id}",
        form=form,
    )


def _title(ask: Ask, night: NightRecord, screen: Mapping[str, Any] | None) -> str:
    number = {"number": night.night_id}
    if night.what_if is not None:
        return ask.form.text("Night %(number)s: a what-if of night %(of)s", **number, of=night.what_if)
    if screen is not None and screen["day"] is not None:
        return ask.form.text("Night %(number)s, for %(day)s", **number, day=ask.form.day(screen["day"]))
    return ask.form.text("Night %(number)s", **number)


def _others(ask: Ask, night: NightRecord) -> list[NightRecord]:
    """Return the nights to compare one with: that of which it is a what-if first, then the newest."""
    found = [item for item in ask.desk.nights.list(status="done", k=_PAGE) if item.night_id != night.night_id]
    return sorted(found, key=lambda item: (item.night_id != night.what_if, item.night_id > night.night_id))


def _ahead(ask: Ask, night: NightRecord) -> int:
    """Return how many nights are carried out before one that waits."""
    if night.status != "queued":
        return 0
    waiting = [*ask.desk.nights.list(status="queued", k=_PAGE), *ask.desk.nights.list(status="running", k=1)]
    return sum(item.night_id < night.night_id or item.status == "running" for item in waiting)


def _cancel(ask: Ask) -> str:
    night_id = int(ask.part("night_id"))
    ask.desk.nights.cancel(night_id, ask.who.name)
    return f"/nights/{night_id}?done=called_off"


def _again(ask: Ask) -> str:
    """Ask for a night that was not carried out once more, as it was asked for."""
    night = ask.desk.nights.get(int(ask.part("night_id")))
    if night.status not in ("failed", "cancelled", "missed"):
        raise ConflictError(f"night {night.night_id} is {night.status}: ask for a new one")
    night_id = ask_for(ask, night.options, once=f"again {night.night_id} {ask.fields.get('once', '')}")
    return f"/nights/{night_id}?done=asked"


PARTS = (
    Shown("/nights", READERS, _nights),
    Shown("/nights/{night_id:int}", READERS, _night),
    Done("/nights", READERS, _start),
    Done("/nights/{night_id:int}/cancel", READERS, _cancel),
    Done("/nights/{night_id:int}/again", READERS, _again),
)
