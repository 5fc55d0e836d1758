"""My day: the contacts of one person, on a telephone, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from dealwright.desk.task_book import OUTCOMES
from dealwright.errors import InputError, NotFoundError
from dealwright.report.day_pages import dial, navigation
from dealwright.web.pages import link_to
from dealwright.web.view import EVERYBODY, Ask, Done, Shown, View, address_with

_MOST_TASKS: Final = 500
_OPEN: Final = ("planned", "started")
_STARTED: Final = "started"
_HIDDEN: Final = ("card", "brief", "replaced_by", "run_id", "propensity")


def _day(ask: Ask) -> View:
    rep_id = ask.part("agent_id")
    if ask.own_agent is not None and rep_id != str(ask.who.own_agent_id):
        raise NotFoundError(f"there is no day of {rep_id} of yours: your own is at /my-day")
    found = ask.desk.tasks.find(rep_id=rep_id, k=_MOST_TASKS).rows
    name = _name(ask, rep_id, known=bool(found))
    days = sorted({row["day"] for row in found})
    day = _chosen(days, ask.asked("day"), found)
    rows = in_order([row for row in found if row["day"] == day])
    now = ask.now()
    shown = [shown_task(row, now) for row in rows]
    left = [row for row in shown if row["status"] in _OPEN]
    finished = [row for row in shown if row["status"] not in _OPEN]
    return View(
        "my_day.html",
        ask.form.text("%(who)s's day", who=name),
        {
            "rep_id": rep_id, "day": day, "days": days, "contacts": len(shown), "finished": len(finished),
            "next_task_id": left[0]["task_id"] if left else None, "rows": shown,
        },
        lead="" if day is None else ask.form.day(day),
        extra={
            "left": left, "over": finished,
            "may_report": ask.own_agent is not None or ask.may("manager", "planner"),
            "last": max((row["end_at"] for row in left if row["end_at"]), default=None),
        },
        live=f"/live/days/{quote(rep_id, safe='')}",
    )  # fmt: skip


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return tasks: those under way, those with a time, those that can be done at any time."""
    last = max((row["start_at"] for row in rows if row["start_at"]), default=None)
    return sorted(
        rows,
        key=lambda row: (
            row["status"] != _STARTED, row["start_at"] is None, row["start_at"] or last, row["task_id"],
        ),
    )  # fmt: skip


def shown_task(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a task with how to reach the customer, and whether it is late."""
    card: Mapping[str, Any] = row["card"] or {}
    name = row["account_name"] or row["account_id"]
    place = None
    if row["channel"] == "field":
        place = navigation(card.get("lat_deg"), card.get("lon_deg"), card.get("address"), name)
    is_open = row["status"] in _OPEN
    lines = [card[part] for part in ("why", "what") if card.get(part)]
    return {
        **{key: value for key, value in row.items() if key not in _HIDDEN},
        "name": name,
        "address": card.get("address"),
        "contact": card.get("contact"),
        "phone": card.get("phone"),
        "dial": dial(card.get("phone")),
        "place": place,
        "lines": lines or ([row["reason"]] if row["reason"] else []),
        "careful": card.get("careful"),
        "more": card.get("more") or [],
        "minutes": None if row["end_at"] is None or row["start_at"] is None
        else round((row["end_at"] - row["start_at"]).total_seconds() / 60),
        "is_late": is_open and row["end_at"] is not None and row["end_at"] < now,
        "is_closed": is_open and row["window_end"] is not None and row["window_end"] < now,
    }  # fmt: skip


def _chosen(days: Sequence[date], asked: str, rows: Sequence[Mapping[str, Any]]) -> date | None:
    """Return the day to show: the one asked for, else today's, else the next one that is planned."""
    if asked:
        try:
            return date.fromisoformat(asked)
        except ValueError:
            raise InputError(f"day must be a date such as 2026-01-31, not {asked!r}") from None
    if not days:
        return None
    today = datetime.now(ZoneInfo(rows[0]["time_zone"])).date()
    return next((day for day in days if day >= today), days[-1])


def _name(ask: Ask, rep_id: str, *, known: bool) -> str:
    """Return how somebody is called; whoever has tasks need not be an agent of the desk."""
    try:
        agent_id = ask.desk.book.find_agent(rep_id)
    except NotFoundError:
        if known:
            return rep_id
        raise
    return str(ask.whole_desk.floor.record(agent_id)["agent_name"])


def _report(ask: Ask) -> str:
    """Say that somebody is at a task, or what came of it; sent twice, it changes nothing."""
    task_id = int(ask.part("task_id"))
    task = ask.desk.tasks.get(task_id).row
    if ask.own_agent is not None and task["rep_id"] != str(ask.who.own_agent_id):
        raise NotFoundError(f"there is no task {task_id} of yours: your day shows those that are")
    outcome = ask.fields.get("outcome", "")
    if outcome == _STARTED:
        if task["status"] not in (_STARTED, "done", "failed"):
            ask.desk.tasks.start(task_id)
    elif outcome in OUTCOMES:
        note = ask.fields.get("note") or None
        ask.desk.tasks.finish(task_id, outcome, done_at=_moment(ask.fields.get("done_at", "")), note=note)
    else:
        raise InputError(f"what came of a task is {', '.join(OUTCOMES)}, or {_STARTED}: choose one")
    done = "began" if outcome == _STARTED else "task"
    back = link_to("agents", task["rep_id"] or "", "day") if task["rep_id"] else "/floor"
    return address_with(back, day=task["day"].isoformat(), done=done)


def _moment(text: str) -> datetime | None:
    """Return when it was, on the telephone's clock: a report may have waited for a network.

    Raises
    ------
    InputError
        It is no time with an offset.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InputError(f"done_at must be a time such as 2026-01-31T10:30:00+01:00, not {text!r}")
    return at


PARTS = (
    Shown("/agents/{agent_id}/day", EVERYBODY, _day),
    Done("/my-day/tasks/{task_id:int}", EVERYBODY, _report),
)
