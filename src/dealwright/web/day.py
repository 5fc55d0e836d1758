"""A day of a run: time lines to look at and to change, what a change brings, and who did what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from dealwright.errors import InputError, RefusedChangeError
from dealwright.report.format import Format
from dealwright.service.endpoint import name_of
from dealwright.service.routes.days import board_of
from dealwright.web.day_drawing import Axis, CentreLine, PersonLine, coverage_of, draw_centre, draw_people
from dealwright.web.day_words import (
    deed_text,
    is_of_centre,
    limit_text,
    price_text,
    queue_text,
    reason_text,
    signed,
)
from dealwright.web.view import READERS, Ask, Done, Part, Shown, View, address_with

if TYPE_CHECKING:
    from dealwright.runs.day_board import DayBoard, DayState
    from dealwright.runs.day_changes import DayAsChanged, DayChange

_PLANNERS: Final = READERS
_KEPT: Final = 16  # days
_PAGE: Final = 20  # people whose lines are drawn at once
_TEMPLATE: Final = "day_board.html"


def _show(ask: Ask) -> View:
    return _view(ask, _board(ask).look())


def _try(ask: Ask) -> View:
    """Show what a change would bring; a limit that forbids it is said on the same page."""
    board, given = _board(ask), dict(ask.request.query_params)
    change = _change(given)
    now = board.look()
    form = _form(ask, now)
    try:
        tried = board.look([change])
    except RefusedChangeError as refused:
        text = reason_text(form, refused.reason, now)
        answer = {"placed": False, "limit": limit_text(form, refused.limit), "text": text}
        return _view(ask, now, answer=answer)
    text = price_text(form, tried, now, change)
    answer = {"placed": True, "limit": "", "text": text, "given": given}
    return _view(ask, tried, answer=answer)


def _apply(ask: Ask) -> str:
    _board(ask).apply(_change(ask.fields), seen=_seen(ask), made_by=name_of(ask.who))
    return _back(ask, "day_changed")


def _undo(ask: Ask) -> str:
    _board(ask).undo(seen=_seen(ask), made_by=name_of(ask.who))
    return _back(ask, "day_undone")


def _redo(ask: Ask) -> str:
    _board(ask).redo(seen=_seen(ask), made_by=name_of(ask.who))
    return _back(ask, "day_redone")


def _replan(ask: Ask) -> str:
    board = _board(ask)
    since = _minute(ask.fields.get("from", ""), "from")
    again: DayChange
    if ask.fields.get("part") == "centre":
        again = board.plan_centre_again(since, shifts=ask.fields.get("shifts") == "yes")
    else:
        again = board.plan_again(since)
    board.apply(again, seen=_seen(ask), made_by=name_of(ask.who))
    return _back(ask, "day_planned")


def _publish(ask: Ask) -> str:
    _board(ask).publish(seen=_seen(ask), made_by=name_of(ask.who))
    return _back(ask, "day_published")


def _board(ask: Ask) -> DayBoard:
    return board_of(ask.request, ask.desk, int(ask.part("night_id")), _day(ask))


def _day(ask: Ask) -> date:
    from dealwright.runs.day_changes import read_day_name

    return read_day_name(ask.part("day"))


def _back(ask: Ask, done: str) -> str:
    page = {name: ask.fields.get(name, "") for name in ("from_person",)}
    return address_with(
        f"/nights/{ask.part('night_id')}/day/{ask.part('day')}", done=done, **{"from": page["from_person"]}
    )


def _seen(ask: Ask) -> int:
    text = ask.fields.get("seen", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError("the form does not say what was seen of the day: open the day again")
    return int(text)


def _change(given: Mapping[str, str]) -> DayChange:
    """Return the change that a form, or a script, asks for.

    Raises
    ------
    InputError
        A field is missing, or is no time.
    """
    from dealwright.runs.day_board import change_of

    kind = given.get("kind", "")
    minutes = given.get("minutes", "")
    found: dict[str, Any] = {
        "kind": kind, "with_moment": True, "account_id": given.get("account"), "rep_id": given.get("rep"),
        "begin_min": _minute(given.get("at", ""), "at"), "from_min": _minute(given.get("gone", ""), "from"),
        "start_min": _minute(given.get("start", ""), "start"),
        "end_min": _minute(given.get("end", ""), "end"),
        "extra_min": int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) < 5 else None,
    }  # fmt: skip
    wanted = {
        "move": ("account_id", "rep_id", "begin_min"), "leave_out": ("account_id",), "pin": ("account_id",),
        "pin_moment": ("account_id", "with_moment"),
        "overrun": ("account_id", "extra_min"), "absent": ("rep_id", "from_min"),
        "shift": ("rep_id", "start_min", "end_min"), "centre_shift": ("rep_id", "start_min", "end_min"),
        "move_call": ("account_id", "rep_id", "begin_min"), "pin_call": ("account_id",),
        "leave_out_call": ("account_id",), "centre_absent": ("rep_id", "from_min"),
        "call_overrun": ("account_id", "extra_min"),
    }.get(kind)  # fmt: skip
    if wanted is None:
        raise InputError(f"there is no change {kind!r}: use the forms of the page")
    return change_of(
        {
            "kind": "pin" if kind == "pin_moment" else kind,
            **{name: found[name] for name in wanted if found[name] not in (None, "")},
        }
    )


def _minute(text: str, name: str) -> int | None:
    """Read a time of day as minutes after midnight; 25:10 is after the next one."""
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,2}):([0-5]\d)(?::00)?", text)
    if match is None or int(match[1]) > 47:
        raise InputError(f"{name} must be a time such as 14:30, not {text!r}")
    return int(match[1]) * 60 + int(match[2])


def _view(ask: Ask, state: DayState, answer: Mapping[str, Any] | None = None) -> View:
    form, night_id, day = _form(ask, state), ask.part("night_id"), state.of_run.field_day.day
    start = ask.number("from") or 0
    here = f"/nights/{night_id}/day/{day.isoformat()}"
    drawn = state.as_changed
    axis = Axis.of(drawn)
    people, first_agent = draw_people(drawn, axis), ask.number("agents") or 0
    agents = draw_centre(drawn)
    shown_agents = agents[first_agent : first_agent + _PAGE]
    shown = people[start : start + _PAGE]
    record, changed = state.record, state.changed
    data: dict[str, Any] = {
        "rows": list(_visit_rows(drawn)),
        "figures": vars(changed.figures), "planned": vars(changed.planned),
        "difference": vars(changed.difference), "seen": record.seen,
    }  # fmt: skip
    if answer is not None:
        data = {**{name: value for name, value in answer.items() if name != "given"}, "seen": record.seen}
    title = form.text("The day %(day)s", day=form.day(day))
    on_screen = {person.rep_id for person in shown}
    extra = {
        "night_id": night_id, "day": day, "address_here": here, "axis": axis, "people": shown,
        "everybody": [(rep.rep_id, state.of_run.people.get(rep.rep_id, (rep.rep_id, 0))[0])
                      for rep in state.of_run.field_day.reps],
        "agents": shown_agents, "all_agents": agents, "centre": state.centre,
        "coverage": [(name, queue_text(form, name), cells) for name, cells in coverage_of(drawn)],
        "centre_missing": [
            (queue_text(form, name), cell)
            for name, cells in coverage_of(drawn)
            for cell in cells
            if cell.short > max(cell.required - cell.planned, 0)
        ],
        "calls": [call for agent in shown_agents for call in agent.calls],
        "calls_not_made": _calls_not_made(form, state),
        "agent_pages": _pages(agents, first_agent, here, "agents"),
        "can_replan": any(not is_of_centre(change) for change in state.changes),
        "can_replan_centre": any(is_of_centre(change) for change in state.changes),
        "figures": changed.figures, "difference": changed.difference,
        "visits": [row for row in _visit_rows(drawn) if row["rep_id"] in on_screen],
        "not_made": [
            {
                "name": state.of_run.names.get(row["account_id"], row["account_id"]),
                "account_id": row["account_id"], "value_eur": row["value_eur"],
                "limit": limit_text(form, row["limit"]), "reason": reason_text(form, row["reason"], state),
            }
            for row in changed.unplaced.to_dicts()
        ],
        "deeds": [
            {
                "made_at": deed.made_at, "made_by": deed.made_by, "counts": deed.counts, "kind": deed.kind,
                "text": deed_text(form, deed.kind, deed.change, state),
            }
            for deed in reversed(record.deeds)
        ],
        "can_undo": bool(record.counting), "can_redo": record.undone is not None,
        "is_published": record.is_published, "published": record.published, "is_changed": bool(state.changes),
        "may_publish": ask.may("planner"), "answer": answer, "from_person": start or "", "seen": record.seen,
        "pages": _pages(people, start, here, "from"),
        "other_days": [other for other in state.of_run.all_days if other != day],
    }  # fmt: skip
    return View(_TEMPLATE, title, data, lead=_lead(form, state), extra=extra, form=form)


def _form(ask: Ask, state: DayState) -> Format:
    """Return how the figures of a run are written: in its currency, which need not be the desk's."""
    return Format(ask.form.locale, state.of_run.currency)


def _calls_not_made(form: Format, state: DayState) -> list[dict[str, Any]]:
    """Return the calls that the plan made and the changed day does not, and those that never had a place."""
    if state.centre is None:
        return []
    return [
        {
            **row, "name": state.of_run.names.get(row["account_id"], row["account_id"]),
            "limit": limit_text(form, row["limit"]), "reason": reason_text(form, row["reason"], state),
        }
        for row in state.centre.unplaced.to_dicts()
        if state.of_run.centre is not None and row["account_id"] in state.of_run.centre.planned_calls
    ]  # fmt: skip


def _pages(
    people: Sequence[PersonLine | CentreLine], start: int, here: str, name: str
) -> list[tuple[str, str, str, bool]]:
    """Return the pages of people: address, first and last name, and whether it is the one that is shown."""
    if len(people) <= _PAGE:
        return []
    found = []
    for first in range(0, len(people), _PAGE):
        last = people[min(first + _PAGE, len(people)) - 1]
        found.append(
            (address_with(here, **{name: first or None}), people[first].name, last.name, first == start)
        )
    return found


@lru_cache(maxsize=_KEPT)
def _visit_rows(state: DayAsChanged) -> tuple[dict[str, Any], ...]:
    names, people = state.of_run.names, state.of_run.people
    return tuple(
        {
            **row, "name": names.get(row["account_id"], row["account_id"]),
            "rep_name": people.get(row["rep_id"], (row["rep_id"], 0))[0],
            "pinned": row["account_id"] in state.changed.pinned,
        }
        for row in state.changed.visits.to_dicts()
    )  # fmt: skip


def _lead(form: Format, state: DayState) -> str:
    """Say what the changes bring and take: the field's, the contact centre's, or both."""
    if not state.changes:
        return form.text("As it was planned; move what you want to change.")
    changes = form.texts("%(count)s change", "%(count)s changes", len(state.changes))
    said = []
    if not all(is_of_centre(change) for change in state.changes):
        more = state.changed.difference
        said.append(
            form.text(
                "%(changes)s, against the plan: %(value)s of value, %(km)s km.",
                changes=changes,
                value=signed(form.money(more.value_eur, cents=True), more.value_eur),
                km=signed(form.number(more.distance_km, 1), more.distance_km),
            )
        )
    if state.centre is not None and any(is_of_centre(change) for change in state.changes):
        of_centre = state.centre.difference
        said.append(
            form.text(
                "%(changes)s, against the plan: %(value)s of value, %(short)s min of staff missing, "
                "%(cost)s of staff cost.",
                changes=form.text("Contact centre") if said else changes,
                value=signed(form.money(of_centre.value_eur, cents=True), of_centre.value_eur),
                short=signed(form.number(of_centre.short_min, 0), round(of_centre.short_min)),
                cost=signed(form.money(of_centre.cost_eur, cents=True), of_centre.cost_eur),
            )
        )
    return " ".join(said)


_AT: Final = "/nights/{night_id:int}/day/{day}"
PARTS: Final[tuple[Part, ...]] = (
    Shown(_AT + "/try", _PLANNERS, _try),
    Shown(_AT, _PLANNERS, _show),
    Done(_AT + "/change", _PLANNERS, _apply),
    Done(_AT + "/undo", _PLANNERS, _undo),
    Done(_AT + "/redo", _PLANNERS, _redo),
    Done(_AT + "/replan", _PLANNERS, _replan),
    Done(_AT + "/publish", ("planner",), _publish),
)
