"""What the page of a day says: changes, what they bring, and why one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from dealwright.report.format import Format, mark

if TYPE_CHECKING:
    from dealwright.runs.day_board import DayState

KINDS: Final[Mapping[str, str]] = {
    "move": mark("%(account)s to %(rep)s at %(at)s"),
    "move_anywhere": mark("%(account)s to %(rep)s, where the way costs least"),
    "leave_out": mark("%(account)s left out"),
    "pin": mark("%(account)s pinned"),
    "absent": mark("%(rep)s absent from %(at)s"),
    "overrun": mark("%(account)s %(minutes)s min longer"),
    "shift": mark("shift of %(rep)s from %(start)s to %(end)s"),
    "replan": mark("the rest planned again"),
}
DEEDS: Final[Mapping[str, str]] = {
    "undo": mark("undone"), "redo": mark("done again"), "publish": mark("published"),
}  # fmt: skip
LIMITS: Final[Mapping[str, str]] = {
    "opening hours": mark("opening hours"), "shift": mark("shift"), "visits a day": mark("visits a day"),
    "no road": mark("no road"), "the visit before": mark("the visit before"), "break": mark("break"),
    "absence": mark("absence"), "no visit": mark("no visit"), "another day": mark("another day"),
    "promised day or representative": mark("promised day or representative"),
    "left out": mark("left out by hand"), "worth less than its way": mark("worth less than others"),
}  # fmt: skip
# what the plan says when it refuses, and how a page says it
_REASONS: Final = (
    (
        (
            r"(?P<account>\S+) is open from (?P<opens>\S+) to (?P<closes>\S+) and the visit takes "
            r"(?P<minutes>\S+) min: it may begin from (?P<first>\S+) to (?P<last>\S+), not at (?P<at>\S+)"
        ),
        mark(
            "%(account)s is open from %(opens)s to %(closes)s and the visit takes %(minutes)s min: it "
            "may begin from %(first)s to %(last)s, not at %(at)s."
        ),
    ),
    (
        r"the shift of (?P<rep>.+) is from (?P<start>\S+) to (?P<end>\S+): (?P<at>\S+) is outside it",
        mark("The shift of %(rep)s is from %(start)s to %(end)s: %(at)s is outside it."),
    ),
    (
        r"(?P<rep>.+) would make (?P<many>\d+) visits, and makes (?P<most>\d+) a day at most",
        mark("%(rep)s would make %(many)s visits, and makes %(most)s a day at most."),
    ),
    (
        r"(?P<rep>.+) would be back at (?P<at>\S+), and the shift ends at (?P<end>\S+)",
        mark("%(rep)s would be back at %(at)s, and the shift ends at %(end)s."),
    ),
    (
        (
            r"(?P<rep>.+) can be at (?P<account>\S+) at (?P<at>\S+), and no earlier than .+ allows: "
            r"(?:it was to begin at|the visit has to begin by) (?P<latest>\S+)"
        ),
        mark("%(rep)s can be at %(account)s at %(at)s, too late: it has to begin by %(latest)s."),
    ),
    (r"(?P<rep>.+) is absent from (?P<at>\S+)", mark("%(rep)s is absent from %(at)s.")),
    (
        r"no room is left for the break of (?P<rep>.+) \((?P<minutes>\d+) min\)",
        mark("No room is left for the break of %(rep)s (%(minutes)s min)."),
    ),
    (
        r"(?P<account>\S+) was promised a visit of (?P<rep>.+)",
        mark("%(account)s was promised a visit of %(rep)s."),
    ),
    (
        r"the appointment of (?P<account>\S+) is at (?P<at>\S+)",
        mark("The appointment of %(account)s is at %(at)s."),
    ),
    (
        r"(?P<account>\S+) is visited on (?P<day>\S+) already",
        mark("%(account)s is visited on %(day)s already."),
    ),
    (
        r"nobody visits (?P<account>\S+) on this day: .*",
        mark("Nobody visits %(account)s on this day: add it first."),
    ),
    (r"somebody decided so", mark("Somebody decided so.")),
    (r"others bring more now .*", mark("Others bring more now that the rest was planned again.")),
)


def signed(text: str, value: float) -> str:
    """Return a difference with its sign."""
    return f"+{text}" if value > 0 else text


def price_text(form: Format, tried: DayState, now: DayState) -> str:
    """Say what a change brings and takes."""
    more = tried.changed.figures.minus(now.changed.figures)
    text = form.text(
        "It fits: %(value)s of value, %(km)s km, %(minutes)s min of travel, %(cost)s of travel cost.",
        value=signed(form.money(more.value_eur, cents=True), more.value_eur),
        km=signed(form.number(more.distance_km, 1), more.distance_km),
        minutes=signed(form.number(more.travel_min, 0), round(more.travel_min)),
        cost=signed(form.money(more.cost_eur, cents=True), more.cost_eur),
    )
    fallen = [
        tried.of_run.names.get(name, name)
        for name in tried.changed.draft.unplaced
        if name not in now.changed.draft.unplaced
    ]
    if fallen:
        text += " " + form.text("Not made any more: %(names)s.", names=", ".join(fallen))
    return text


def limit_text(form: Format, limit: str) -> str:
    """Return a limit in the language of who reads it."""
    return form.text(LIMITS[limit]) if limit in LIMITS else limit


def reason_text(form: Format, reason: str, state: DayState) -> str:
    """Return why a visit is not made, with names in the place of ids."""
    for pattern, message in _REASONS:
        match = re.fullmatch(pattern, reason)
        if match is not None:
            said = match.groupdict()
            for name in ("account", "rep"):
                if name in said:
                    said[name] = _called(state, said[name])
            return form.text(message, **said)
    return reason


def _called(state: DayState, name: str) -> str:
    return state.of_run.names.get(name) or state.of_run.people.get(name, (name, 0))[0]


def deed_text(form: Format, kind: str, change: Mapping[str, Any] | None, state: DayState) -> str:
    """Say what somebody did to the day."""
    if kind != "change" or change is None:
        return form.text(DEEDS.get(kind, kind))
    what = change["kind"]
    if what == "move" and change.get("begin_min") is None:
        what = "move_anywhere"
    at = change.get("begin_min", change.get("from_min"))
    return form.text(
        KINDS[what], account=_called(state, change.get("account_id") or ""),
        rep=_called(state, change.get("rep_id") or ""), at=clock_text(at), minutes=change.get("extra_min"),
        start=clock_text(change.get("start_min")), end=clock_text(change.get("end_min")),
    )  # fmt: skip


def clock_text(minutes: int | None) -> str:
    """Return minutes after midnight as a time of day."""
    if minutes is None:
        return ""
    return (datetime.combine(date.min, time()) + timedelta(minutes=minutes)).strftime("%H:%M")
