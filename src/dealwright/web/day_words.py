"""What the page of a day says: changes, what they bring, and why one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from dealwright.report.format import Format, mark

if TYPE_CHECKING:
    from dealwright.runs.day_board import DayState
    from dealwright.runs.day_changes import DayChange

KINDS: Final[Mapping[str, str]] = {
    "move": mark("%(account)s to %(rep)s at %(at)s"),
    "move_anywhere": mark("%(account)s to %(rep)s, where the way costs least"),
    "leave_out": mark("%(account)s left out"),
    "pin": mark("%(account)s pinned"),
    "pin_moment": mark("%(account)s pinned, with its time"),
    "absent": mark("%(rep)s absent from %(at)s"),
    "overrun": mark("%(account)s %(minutes)s min longer"),
    "shift": mark("shift of %(rep)s from %(start)s to %(end)s"),
    "replan": mark("the rest planned again"),
    "centre_shift": mark("shift of %(rep)s from %(start)s to %(end)s"),
    "move_call": mark("call of %(account)s to %(rep)s at %(at)s"),
    "pin_call": mark("call of %(account)s pinned"),
    "erased": mark("of an account that was erased"),
    "leave_out_call": mark("call of %(account)s left out"),
    "centre_absent": mark("%(rep)s absent from %(at)s"),
    "call_overrun": mark("call of %(account)s %(minutes)s min longer"),
    "centre_replan": mark("the rest of the contact centre planned again"),
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
    "contract": mark("contract"), "start of shifts": mark("start of shifts"),
    "weekly hours": mark("weekly hours"), "rest": mark("rest"), "change of clocks": mark("change of clocks"),
    "no call": mark("no call"), "pinned call": mark("pinned call"), "calling hours": mark("calling hours"),
    "skills": mark("skills"), "another call": mark("another call"),
    "hours of agents": mark("hours of agents"),
}  # fmt: skip
QUEUES: Final[Mapping[str, str]] = {
    "inbound_cc": mark("Incoming calls"), "outbound_cc": mark("Calls"), "ecom_assisted": mark("Messages"),
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
    (
        (
            r"the contact centre is open from (?P<opens>\S+) to (?P<closes>\S+): a shift from "
            r"(?P<start>\S+) to (?P<end>\S+) is not within it"
        ),
        mark(
            "The contact centre is open from %(opens)s to %(closes)s: a shift from %(start)s to %(end)s is "
            "not within it."
        ),
    ),
    (
        r"a shift of the kind (?P<kind>.+) begins from (?P<first>\S+) to (?P<last>\S+), not at (?P<at>\S+)",
        mark("A shift of the kind “%(kind)s” begins from %(first)s to %(last)s, not at %(at)s."),
    ),
    (
        r"clocks change while the shift begins, ends or pauses",
        mark("Clocks change while the shift begins, ends or pauses."),
    ),
    (
        (
            r"(?P<rep>.+) works from (?P<start>\S+) to (?P<end>\S+) only, and not from (?P<first>\S+) to "
            r"(?P<last>\S+)"
        ),
        mark("%(rep)s works from %(start)s to %(end)s only, and not from %(first)s to %(last)s."),
    ),
    (
        r"(?P<rep>.+) works (?P<most>\d+) min at most, lunch included, and not (?P<minutes>\d+) min",
        mark("%(rep)s works %(most)s min at most, lunch included, and not %(minutes)s min."),
    ),
    (
        r"no room is left for the breaks of a shift from (?P<start>\S+) to (?P<end>\S+)",
        mark("No room is left for the breaks of a shift from %(start)s to %(end)s."),
    ),
    (
        (
            r"(?P<rep>.+) needs (?P<hours>\S+) h of rest between two shifts, and works from (?P<start>.+) to "
            r"(?P<end>.+)"
        ),
        mark("%(rep)s needs %(hours)s h of rest between two shifts, and works from %(start)s to %(end)s."),
    ),
    (
        r"(?P<rep>.+) would be paid (?P<hours>\S+) h in the week, and works (?P<most>\S+) h",
        mark("%(rep)s would be paid %(hours)s h in the week, and works %(most)s h."),
    ),
    (
        r"the call of (?P<account>\S+) at (?P<at>\S+) is pinned: (?P<rep>.+) has to be there",
        mark("The call of %(account)s at %(at)s is pinned: %(rep)s has to be there."),
    ),
    (
        r"nobody calls (?P<account>\S+) on this day: .*",
        mark("Nobody calls %(account)s on this day: add the call first."),
    ),
    (
        r"no agent has a free moment at which the account may be called",
        mark("No agent has a free moment at which the account may be called."),
    ),
    (
        r"the agents on calls can make (?P<most>\d+) calls, and this would be one more",
        mark("The agents on calls can make %(most)s calls, and this would be one more."),
    ),
    (
        r"(?P<account>\S+) may be called (?P<hours>.+), not at (?P<at>\S+)",
        mark("%(account)s may be called %(hours)s, not at %(at)s."),
    ),
    (
        r"(?P<account>\S+) was promised a call (?P<hours>.+), not at (?P<at>\S+)",
        mark("%(account)s was promised a call %(hours)s, not at %(at)s."),
    ),
    (r"(?P<rep>.+) makes no calls", mark("%(rep)s makes no calls.")),
    (
        (
            r"the shift of (?P<rep>.+) is from (?P<start>\S+) to (?P<end>\S+): a call at (?P<at>\S+) is "
            r"outside it"
        ),
        mark("The shift of %(rep)s is from %(start)s to %(end)s: a call at %(at)s is outside it."),
    ),
    (
        r"(?P<rep>.+) has a break within a call at (?P<at>\S+)",
        mark("%(rep)s has a break within a call at %(at)s."),
    ),
    (r"(?P<rep>.+) calls (?P<account>\S+) at (?P<at>\S+)", mark("%(rep)s calls %(account)s at %(at)s.")),
    (
        r"(?P<rep>.+) calls (?P<account>\S+) until (?P<at>\S+)",
        mark("%(rep)s calls %(account)s until %(at)s."),
    ),
    (r"somebody decided so", mark("Somebody decided so.")),
    (r"others bring more now .*", mark("Others bring more now that the rest was planned again.")),
)


def signed(text: str, value: float) -> str:
    """Return a difference with its sign."""
    return f"+{text}" if value > 0 else text


def is_of_centre(change: DayChange) -> bool:
    """Tell whether a change is one of the contact centre."""
    from dealwright.runs.day_changes import CENTRE_KINDS

    return isinstance(change, CENTRE_KINDS)


def price_text(form: Format, tried: DayState, now: DayState, change: DayChange) -> str:
    """Say what a change brings and takes."""
    if is_of_centre(change):
        return _centre_price(form, tried, now)
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


def _centre_price(form: Format, tried: DayState, now: DayState) -> str:
    """Say what a change of the contact centre brings and takes."""
    if tried.centre is None or now.centre is None:
        return ""
    more, before = tried.centre.figures.minus(now.centre.figures), now.centre.figures
    text = form.text(
        "It fits: %(short)s min of staff missing, %(cost)s of staff cost, %(calls)s calls, %(value)s of "
        "value.",
        short=signed(form.number(more.short_min, 0), round(more.short_min)),
        cost=signed(form.money(more.cost_eur, cents=True), more.cost_eur),
        calls=signed(form.number(more.calls, 0), more.calls),
        value=signed(form.money(more.value_eur, cents=True), more.value_eur),
    )
    level = tried.centre.figures.service_level
    if before.service_level is not None and level is not None:
        text += " " + form.text(
            "Service level %(before)s → %(after)s.",
            before=form.share(before.service_level, 1), after=form.share(level, 1),
        )  # fmt: skip
    fallen = [
        tried.of_run.names.get(name, name)
        for name in tried.centre.draft.unplaced
        if name in now.centre.draft.calls
    ]
    if fallen:
        text += " " + form.text("Not called any more: %(names)s.", names=", ".join(fallen))
    return text


def limit_text(form: Format, limit: str) -> str:
    """Return a limit in the language of who reads it."""
    return form.text(LIMITS[limit]) if limit in LIMITS else limit


def queue_text(form: Format, channel: str) -> str:
    """Return what customers wait for on a channel of the contact centre."""
    return form.text(QUEUES[channel])


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
    if name in state.of_run.names:
        return state.of_run.names[name]
    centre = state.of_run.centre
    if centre is not None and name in centre.people:
        return centre.people[name].name
    return state.of_run.people.get(name, (name, 0))[0]


def deed_text(form: Format, kind: str, change: Mapping[str, Any] | None, state: DayState) -> str:
    """Say what somebody did to the day."""
    if kind != "change" or change is None:
        return form.text(DEEDS.get(kind, kind))
    what = change["kind"]
    if what == "move" and change.get("begin_min") is None:
        what = "move_anywhere"
    if what == "pin" and change.get("with_moment"):
        what = "pin_moment"
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
