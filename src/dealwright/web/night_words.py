"""What nights are and do, in the words of who reads about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dealwright.report.format import Format, mark

STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    "queued": (mark("queued"), ""),
    "running": (mark("under way"), ""),
    "done": (mark("done"), "good"),
    "failed": (mark("failed"), "bad"),
    "cancelled": (mark("cancelled"), ""),
    "missed": (mark("missed"), "warn"),
}
# in their order; what a night does before and after its stages, too
STAGES: Final[Mapping[str, str]] = {
    "starting": mark("starting"),
    "importing": mark("importing the desk's tables"),
    "reading": mark("reading the tables"),
    "quality": mark("checking the data"),
    "predict": mark("predicting who leaves and what they spend"),
    "anomalies": mark("looking for unusual accounts"),
    "segment": mark("segmenting"),
    "action": mark("choosing actions"),
    "territory": mark("drawing territories"),
    "channel": mark("allocating channels"),
    "route": mark("planning routes"),
    "schedule": mark("planning shifts and calls"),
    "distance_only": mark("planning by distance only, to compare"),
    "limits": mark("finding what holds the day back"),
    "brief": mark("writing briefs"),
    "writing": mark("writing the report, maps and calendars"),
    "publishing": mark("publishing the day's tasks"),
}
# who asked: the clock, a person by the name of the key, or the demo
SCHEDULE: Final = mark("the schedule")
STATES: Final[Mapping[str, str]] = {
    "acted": mark("with an action"),
    "scheduled": mark("scheduled today"),
    "timed": mark("with a visit or call at a time"),
    "done": mark("done"),
    "waiting": mark("waiting"),
    "no_action": mark("without an action"),
    "control": mark("in the control group"),
    "nothing": mark("served by nothing"),
    "odd": mark("unusual"),
    "moved": mark("with another representative than in the tables"),
}
WHAT: Final[Mapping[str, str]] = {
    "changed": mark("changed"), "new": mark("new"), "gone": mark("gone"),
    "representative": mark("another representative"), "action": mark("another action"),
    "channel": mark("another channel"),
}  # fmt: skip
OPTIONS: Final[Mapping[str, str]] = {
    "as_of": mark("Known until"), "seed": mark("Seed"), "directory": mark("Folder"), "force": mark("Forced"),
    "previous": mark("Takes over from night"),
}  # fmt: skip
FIELDS: Final[Mapping[str, str]] = {
    "action": mark("Action"), "channel": mark("Channel"), "segment": mark("Segment"),
    "territory": mark("Territory"), "rep_id": mark("Representative"), "limit": mark("Limit"),
    "waiting_for": mark("Waits for"),
}  # fmt: skip
# what a comparison says first
KEY_FIGURES: Final[Mapping[str, str]] = {
    "contacts_scheduled": mark("Contacts scheduled"),
    "contacts_value_eur": mark("Their expected gain, net of their cost"),
    "contacts_cost_eur": mark("Their cost"),
    "staff_cost_eur": mark("Cost of the contact centre's hours"),
    "distance_km": mark("Kilometres driven"),
    "visits": mark("Visits"),
    "calls": mark("Calls on the list"),
    "calls_unplaced": mark("Calls that found no place"),
    "people": mark("People in the contact centre"),
    "backlog": mark("Accounts waiting"),
    "waiting_value_eur": mark("Expected gain of those that wait"),
}

COMPONENTS: Final[Mapping[str, str]] = {
    "segment": mark("Segment"), "churn": mark("Probability of leaving"),
    "recency": mark("Time since the last order"),
    "potential": mark("Potential"), "digital_engagement": mark("Digital engagement"),
    "support_friction": mark("Trouble with support"),
}  # fmt: skip


def stage_text(form: Format, stage: str | None) -> str:
    """Return what a night is doing; ``route: 3 of 8 tasks, …`` is the stage with what is done of it."""
    if not stage:
        return form.text("not begun yet")
    name, _, more = stage.partition(":")
    words = form.text(STAGES[name]) if name in STAGES else name.replace("_", " ")
    done = more.strip().partition(" tasks")[0].partition(" of ")
    if done[0].isdigit() and done[2].isdigit():
        return form.text("%(stage)s (%(done)s of %(all)s)", stage=words, done=done[0], all=done[2])
    return words


def asked_by(form: Format, name: str) -> str:
    """Return who asked for a night."""
    return form.text(SCHEDULE) if name == "schedule" else name


def night_chip(form: Format, status: str) -> tuple[str, str]:
    """Return the status of a night in words, and its state."""
    word, state = STATUSES.get(status, (status, ""))
    return form.text(word), state


def what_to_do(form: Format, status: str, *, by_clock: bool) -> str:
    """Return what to do about a night that was not carried out."""
    if status == "missed":
        return form.text(
            "Start a worker (dealwright worker) and keep it running; run it again if it is still of use."
        )
    if status == "cancelled":
        return form.text("Nothing of it was kept or published. Run it again if it is still of use.")
    kept = form.text("Nothing of it was kept or published. Fix what the message names, then run it again.")
    if by_clock:
        kept += " " + form.text("The tasks of the night before still stand.")
    return kept


def options_of(form: Format, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how a night was asked for, in words."""
    found = []
    for name, value in options.items():
        if name == "world":
            size = form.texts("%(count)s account", "%(count)s accounts", options.get("n") or 0)
            found.append((form.text("Of"), f"{form.text('a synthetic company')}, {size}"))
        elif name == "publish":
            found.append((form.text("Publish"), form.text("yes") if value else form.text("no")))
        elif name in OPTIONS:
            found.append((form.text(OPTIONS[name]), str(value).replace("T", " ")))
        elif name != "n" and not isinstance(value, Mapping):
            found.append((name.replace("_", " "), str(value)))
    return found


def describe(form: Format, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a what-if changes, a sentence for each."""
    changes = options.get("changes") or {}
    if visits := changes.get("visits_per_day"):
        yield form.text("%(change)s visits a day for each representative", change=_signed(form, visits))
    if minutes := changes.get("shift_end_min"):
        yield form.text("shifts in the field end %(change)s min later", change=_signed(form, minutes))
    for name, more in (
        ("more_representatives", mark("%(count)s more in the field, like %(names)s")),
        ("without_representatives", mark("%(count)s fewer in the field, without %(names)s")),
        ("more_staff", mark("%(count)s more in the contact centre, like %(names)s")),
        ("without_staff", mark("%(count)s fewer in the contact centre, without %(names)s")),
    ):
        if names := changes.get(name):
            yield form.text(more, count=form.number(len(names)), names=", ".join(dict.fromkeys(names)))
    params = options.get("params") or {}
    action = params.get("action") or {}
    if (cost := action.get("max_cost_eur")) is not None:
        yield form.text("a budget of %(amount)s for contacts", amount=form.money(cost))
    if (contacts := action.get("max_contacts")) is not None:
        yield form.text("at most %(count)s contacts", count=form.number(contacts))
    for name, weight in ((action.get("score") or {}).get("weights") or {}).items():
        word = form.text(COMPONENTS[name]) if name in COMPONENTS else name
        yield form.text("%(name)s weighs %(weight)s", name=word, weight=form.number(weight, 2))
    for channel, limit in ((params.get("channel") or {}).get("limits") or {}).items():
        if (capacity := limit.get("capacity")) is not None:
            yield form.text(
                "%(channel)s: %(count)s contacts a day",
                channel=form.label(channel), count=form.number(capacity),
            )  # fmt: skip


def _signed(form: Format, number: int) -> str:
    return f"+{form.number(number)}" if number > 0 else f"−{form.number(-number)}"
