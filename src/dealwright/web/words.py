"""What the desk says, in the words and the language of who reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dealwright.report.format import Format, mark

_LACKS = re.compile(r"not eligible: lacks (.*)")
_NO_PLACE_FOR = re.compile(r"not eligible: no free place for (.*)")
_NOT_IN = re.compile(r"not eligible: not in (.*)")
# the engine's own words
REASONS: Final[Mapping[str, str]] = {
    "overall record": mark("overall record"),
    "rating": mark("rating"),
    "years of service": mark("years of service"),
    "free places": mark("free places"),
    "no match model yet: free places, then the fair share": mark(
        "no match model yet: free places, then the fair share"
    ),
    "no evidence that agents differ: free places, then the fair share": mark(
        "no evidence that agents differ: free places, then the fair share"
    ),
    "open assignments": mark("open assignments"),
    "leads owed": mark("leads owed"),
    "leads received in the window": mark("leads received in the window"),
    "weight": mark("weight"),
    "revenue": mark("revenue"),
    "destination share": mark("destination share"),
    "rate in this lead source": mark("rate in this lead source"),
    "rate by this communication method": mark("rate by this communication method"),
    "luxury requirement": mark("luxury requirement"),
    "recent bookings": mark("recent bookings"),
    "availability": mark("availability"),
    "not eligible: not active": mark("not active"),
    "not eligible: no free place": mark("no free place"),
    "not eligible: off shift": mark("off shift"),
    "not eligible: excluded": mark("declined it or had it before"),
    "had this customer before: gets the lead if able to": mark("had this customer before"),
}
# which leads a list shows, by the figure that leads to it
LEAD_LISTS: Final[Mapping[str, str]] = {
    "": mark("all"),
    "today": mark("of today"),
    "waiting": mark("waiting"),
    "pending": mark("at work"),
    "not_reached": mark("not reached yet"),
    "reached": mark("reached today"),
    "won": mark("won"),
    "won_today": mark("won today"),
    "lost": mark("lost"),
}
KINDS: Final[Mapping[str, str]] = {
    "assigned": mark("assigned"),
    "reassigned": mark("given to somebody else"),
    "contacted": mark("customer reached"),
    "confirmed": mark("won"),
    "cancelled": mark("lost"),
    "reopened": mark("reopened"),
    "lapsed": mark("lapsed without a booking"),
    "moved_in": mark("moved here"),
    "moved_out": mark("moved away"),
    "offered": mark("offered"),
    "accepted": mark("accepted"),
    "offer_expired": mark("not accepted in time"),
    "received": mark("received"),
    "waiting": mark("waiting"),
    "corrected": mark("corrected"),
}
STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    "new": (mark("new"), ""),
    "waiting": (mark("waiting"), "warn"),
    "assigned": (mark("assigned"), ""),
    "withdrawn": (mark("withdrawn"), ""),
    "open": (mark("open"), ""),
    "settled": (mark("settled"), ""),
    "lapsed": (mark("lapsed"), "bad"),
    "unknown": (mark("outcome unknown"), ""),
    "reassigned": (mark("given to somebody else"), ""),
    "pending": (mark("pending"), ""),
    "confirmed": (mark("won"), "good"),
    "cancelled": (mark("lost"), "bad"),
}
POLICIES: Final[Mapping[str, str]] = {
    "value": mark("most expected value, spread by free places"),
    "classic": mark("the nine-feature Match Score"),
    "workload": mark("fewest open leads, then experience"),
    "fair": mark("whoever is owed the most"),
}
OUTCOMES: Final[Mapping[str, str]] = {
    "responded": mark("responded"),
    "no_response": mark("no answer yet"),
    "rejected": mark("said no"),
    "not_reached": mark("not reached"),
    "cancelled": mark("not to be done"),
    "replaced": mark("replaced by a newer plan"),
}
DONE: Final[Mapping[str, str]] = {
    "placed": mark("The lead is placed."),
    "overridden": mark("The lead is with the agent you chose; your reason is on the record."),
    "handed": mark("The lead was handed over; the reason is on the record."),
    "contacted": mark("The contact is recorded."),
    "accepted": mark("The lead is yours."),
    "contested": mark("The outcome is contested: training leaves it out until a manager has looked into it."),
    "resolved": mark("The outcome counts again."),
    "declined": mark("The lead went to the next one; the reason is on the record."),
    "settled": mark("The booking is settled, and the ranking follows it."),
    "away": mark("No more leads come, those in hand stay."),
    "hand_over": mark("No more leads come; those in hand went to others or to the queue."),
    "back": mark("Leads come again."),
    "began": mark("You are at it: no newer plan takes it away."),
    "task": mark("The task's outcome is recorded: the next plan counts it."),
    "promoted": mark("The model is at work."),
    "proposed": mark("The change waits until another person agrees."),
    "agreed": mark("The change is in force."),
    "refused": mark("The change was turned down."),
    "revoked": mark("The key is revoked; it works for a few seconds yet."),
    "capacity": mark("The capacity is set."),
    "channel": mark("The limit of the channel is set."),
    "no_channel": mark("The channel has no limit any more."),
    "shift": mark("The hours are set."),
    "asked": mark("The night is in the queue: the worker takes it in its turn."),
    "called_off": mark("The night is cancelled; one under way ends within seconds."),
    "day_changed": mark("The change is kept; nothing is on the desk yet."),
    "day_undone": mark("The last change is undone."),
    "day_redone": mark("The change is made again."),
    "day_planned": mark("The rest was planned again."),
    "day_published": mark("The day is on the desk."),
    "scenario": mark("The plan is copied: change the copy, and compare."),
    "edited": mark("The change is made; the figures follow it."),
    "undone": mark("The last change is taken back."),
    "approved": mark("The scenario is approved: the nights of that day and later keep it."),
    "retired": mark("The scenario is retired: no night keeps it."),
}
HEADINGS: Final[Mapping[int, str]] = {
    400: mark("The form cannot be read"),
    401: mark("Sign in first"),
    403: mark("That is not yours to see or do"),
    404: mark("There is no such page"),
    405: mark("The page does not take that"),
    409: mark("The desk says otherwise"),
    415: mark("The form cannot be read"),
    422: mark("That cannot be used"),
    429: mark("Too many requests"),
    500: mark("Something went wrong that should not have"),
    503: mark("The database cannot be reached"),
}
VERDICTS: Final[Mapping[str, str]] = {
    "agents differ": mark("Agents differ"),
    "no evidence that agents differ": mark("No evidence that agents differ"),
    "too little data": mark("Too little data"),
}


def reason_text(form: Format, reason: Mapping[str, Any]) -> str:
    """Return a reason of the engine in words, without its figure."""
    name = str(reason["reason"])
    if found := _LACKS.fullmatch(name):
        return form.text("lacks %(skills)s", skills=found[1])
    if found := _NOT_IN.fullmatch(name):
        return form.text("not in %(department)s", department=found[1])
    if found := _NO_PLACE_FOR.fullmatch(name):
        return form.text("no free place for %(channel)s", channel=found[1])
    return form.text(REASONS[name]) if name in REASONS else name.replace("_", " ")


def tell_apart(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in which agents of the same name have their id behind it."""
    found = [dict(row) for row in rows]
    ids: dict[str, set[Any]] = {}
    for row in found:
        ids.setdefault(row["agent_name"], set()).add(row["agent_id"])
    for row in found:
        if len(ids[row["agent_name"]]) > 1:
            row["agent_name"] = f"{row['agent_name']} ({row['agent_id']})"
    return found


def brief_reasons(form: Format, reasons: tuple[Mapping[str, Any], ...], most: int = 2) -> str:
    """Return what speaks for an agent, the most important first, as the floor says it in a line."""
    parts = [item for item in reasons if item.get("contribution", 0) > 0][:most]
    words = [reason_text(form, item).rpartition(" = ")[2] for item in parts]
    for item in reasons:
        if "contribution" not in item and len(words) <= most:
            text = reason_text(form, item)
            value = item.get("value")
            words.append(text if value is None else f"{text} {figure(form, value)}")
    return ", ".join(words[: most + 1])


_OPEN_INSTEAD = re.compile(r"with (\d+) open instead of (\d+)")
_CHANGES: Final[Mapping[str, str]] = {
    "not by a smaller workload alone": mark("a smaller workload alone would not"),
    "not while somebody can take it who had the customer before": mark("the former agent comes first"),
}


def change_text(form: Format, change: str | None) -> str:
    """Return what would have given an agent the lead."""
    if not change:
        return ""
    if found := _OPEN_INSTEAD.fullmatch(change):
        return form.text("%(fewer)s open instead of %(open)s", fewer=found[1], open=found[2])
    return form.text(_CHANGES[change]) if change in _CHANGES else change


def known_text(form: Format, words: Mapping[Any, str], name: Any) -> str:
    """Return one of the desk's words in the language, or the word itself."""
    return form.text(words[name]) if name in words else str(name or "").replace("_", " ")


def chance_text(form: Format, p_value: float | None) -> str:
    """Return how often chance alone would show as much."""
    return form.not_known if p_value is None else form.share(p_value, 1)


def figure(form: Format, value: float) -> str:
    """Return a figure of a reason: whole, or with one digit behind the point."""
    return form.number(value, 0 if float(value).is_integer() else 1)


def status_chip(form: Format, status: str | None) -> tuple[str, str]:
    """Return a status in words, and its state: good, warn, bad or nothing."""
    word, state = STATUSES.get(status or "", (status or "–", ""))
    return form.text(word), state


def waited(form: Format, seconds: float | None) -> str:
    """Return a time that has passed: ``27 s``, ``4 min 10 s``, ``1 h 30 min``."""
    if seconds is None:
        return form.not_known
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 172_800:
        return form.duration(whole / 60)
    return form.texts("%(count)s day", "%(count)s days", whole // 86_400)
