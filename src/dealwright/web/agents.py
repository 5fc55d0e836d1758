"""Agents: who is there, and the day of one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from dealwright.dimensions import EMPTY
from dealwright.errors import DealwrightError, InputError
from dealwright.web.leads import read_lead
from dealwright.web.pages import link_to
from dealwright.web.view import EVERYBODY, READERS, Ask, Done, Shown, View, page_of
from dealwright.web.words import tell_apart

_Z90: Final = 1.6448536269514722
_DAY_TASKS: Final = 100
_PAGE: Final = 200
_TIMERS: Final = 1000


def win_rate(won: int, known: int) -> tuple[float, float, float] | None:
    """Return a rate with its 90 % interval (Wilson 1927); None while no outcome is known.

    The bounds stay within 0 and 1 and hold for few outcomes too.
    """
    if known <= 0:
        return None
    rate, square = won / known, _Z90**2
    middle = (rate + square / (2 * known)) / (1 + square / known)
    half = _Z90 * math.sqrt(rate * (1 - rate) / known + square / (4 * known**2)) / (1 + square / known)
    return max(0.0, middle - half), rate, min(1.0, middle + half)


def _agents(ask: Ask) -> View:
    rows = [with_rate(row) for row in tell_apart(ask.desk.floor.records())]
    wanted = ask.asked("show")
    now = ask.now()
    for row in rows:
        row["present"] = row["active"] and (row["shifts"] is None or now in row["shifts"])
        row["back_at"] = back_at(row, now)
        del row["shifts"], row["desk_agent_id"]
    if wanted == "free":
        rows = [row for row in rows if row["present"] and row["open"] < row["capacity"]]
    elif wanted == "away":
        rows = [row for row in rows if not row["present"]]
    rows, following = page_of(ask, rows, "/agents", _PAGE, show=wanted)
    return View(
        "agents.html",
        ask.form.text("Agents"),
        {"rows": rows},
        live="/live/floor",
        lead=ask.form.text("Who is there, how busy, and what they win, with the 90 % interval."),
        extra={"show": wanted, "following": following},
    )


def with_rate(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an agent's record with the win rate and its interval."""
    found = win_rate(row["won"], row["known"]) or (None, None, None)
    return {**row, "rate_low": found[0], "rate": found[1], "rate_high": found[2]}


def back_at(row: Mapping[str, Any], now: Any) -> Any:
    """Return when somebody who is away comes back, as far as shifts say."""
    if not row["active"] or row["shifts"] is None or now in row["shifts"]:
        return None
    return next((part.lower for part in row["shifts"] if part.lower is not None and part.lower > now), None)


def _agent(ask: Ask) -> View:
    desk, name = ask.desk, ask.part("agent_id")
    if ask.own_agent is not None:
        ask.check_own(desk.book.find_agent(name), f"agent {name}")
    agent_id = desk.book.find_agent(name)
    record = with_rate(ask.whole_desk.floor.record(agent_id))
    now = ask.now()
    record["present"] = record["active"] and (record["shifts"] is None or now in record["shifts"])
    record["back_at"] = back_at(record, now)
    shifts = record.pop("shifts")
    record.pop("desk_agent_id")
    opened = desk.floor.in_hand(agent_id)
    ended = desk.floor.in_hand(agent_id, is_open=False, k=20)
    tasks = [dict(row) for row in desk.tasks.find(rep_id=str(record["agent_id"]), k=_DAY_TASKS).rows]
    timers = {
        row["desk_assignment_id"]: row for row in ask.whole_desk.floor.timers(_TIMERS, agent_id=agent_id)
    }
    contests = ask.whole_desk.floor.contests_of([row["desk_assignment_id"] for row in ended])
    for row in opened:
        timer = timers.get(row.pop("desk_assignment_id"), {})
        row["is_offer"] = row["offered_until"] is not None and row["accepted_at"] is None
        row["due_at"], row["left_s"] = timer.get("due_at"), timer.get("left_s")
    for row in ended:
        contest = contests.get(row.pop("desk_assignment_id"), {})
        row["contested_at"], row["resolved_at"] = contest.get("contested_at"), contest.get("resolved_at")
    return View(
        "agent.html",
        record["agent_name"],
        {
            "agent": record,
            "rows": opened,
            "ended": ended,
            "tasks": tasks,
            "standing": _standing(ask, record),
            "why": _why(ask, record),
        },
        live=f"/live/agents/{link_to(record['agent_id'])[1:]}",
        extra={
            "fields": _fields(ask),
            "is_own": ask.own_agent is not None or ask.may("manager"),
            "is_manager": ask.may("manager"),
            "shifts": [(part.lower, part.upper) for part in shifts or ()][:20],
            "asked_lead": ask.asked("lead"),
            "problem": "",
        },
    )


def _why(ask: Ask, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return why a lead came to the agent or did not; nothing about the others."""
    try:
        number = ask.number("lead")
        return None if number is None else {"problem": "", **ask.desk.why(number, str(record["agent_id"]))}
    except DealwrightError as error:
        return {"problem": str(error)}


def _fields(ask: Ask) -> list[dict[str, Any]]:
    return [
        {
            "name": f"d.{item.name}",
            "label": item.name.replace("_", " ").capitalize(),
            "values": [value for value in item.values if value != EMPTY],
            "value": ask.asked(f"d.{item.name}"),
        }
        for item in ask.desk.dimensions()
        if not item.edges and len(item.values) <= 500
    ]


def _standing(ask: Ask, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return where the agent would stand now for a kind of lead, and why; of others the first score alone."""
    lead = read_lead(ask.request.query_params, ask.desk.dimensions())
    if not lead["attributes"]:
        return None
    try:
        found = ask.desk.standing(str(record["agent_id"]), {"customer_name": "anybody", **lead})
    except DealwrightError as error:
        return {"problem": str(error)}
    return {"problem": "", **found, "reasons": found["reasons"] or []}


def _availability(ask: Ask) -> str:
    """Say that an agent is there or away: an agent for itself, a manager for everybody."""
    name, status = ask.part("agent_id"), ask.fields.get("status", "")
    ask.check_own(ask.desk.book.find_agent(name), f"agent {name}")
    if status == "back":
        ask.desk.activate(name)
    elif status in ("away", "hand_over"):
        if status == "hand_over" and not ask.may("manager"):
            raise InputError("to hand over all leads is a manager's: go away, or decline them one by one")
        ask.desk.deactivate(name, hand_over=status == "hand_over")
    else:
        raise InputError("an agent is back, away, or away with a hand-over: choose one")
    return f"{link_to('agents', name)}?{urlencode({'done': status})}"


def _finish_task(ask: Ask) -> str:
    """Report a task's outcome."""
    task_id = int(ask.part("task_id"))
    task = ask.desk.tasks.get(task_id).row
    if ask.own_agent is not None and task["rep_id"] != str(ask.who.own_agent_id):
        ask.check_own(None, f"task {task_id}")
    outcome = ask.fields.get("outcome", "")
    if outcome == "cancelled":
        ask.desk.tasks.cancel(task_id, ask.fields.get("note") or None)
    else:
        ask.desk.tasks.finish(task_id, outcome, note=ask.fields.get("note") or None)
    return f"{link_to('agents', task['rep_id'])}?done=task" if task["rep_id"] else "/floor"


PARTS = (
    Shown("/agents", READERS, _agents),
    Shown("/agents/{agent_id}", EVERYBODY, _agent),
    Done("/agents/{agent_id}/availability", ("agent", "manager"), _availability),
    Done("/tasks/{task_id:int}/finish", ("agent", "manager", "planner"), _finish_task),
)
