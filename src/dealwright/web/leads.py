"""Leads: entered and ranked, and the story of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from dealwright.desk.desk import POLICIES, Desk
from dealwright.desk.floor import SHOWN_LEADS
from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import DealwrightError, InputError, NotFoundError, UnknownNameError
from dealwright.web.pages import link_to
from dealwright.web.view import EVERYBODY, READERS, Ask, Done, Shown, View, address_with, amount, whole_number
from dealwright.web.words import LEAD_LISTS, tell_apart
from dealwright.web.words import POLICIES as POLICY_WORDS

_SHOWN: Final = 10
_PAGE: Final = 50
_PREFIX: Final = "d."
_MOST_TIMERS: Final = 1000
_MOST_WON: Final = 500
_DAY: Final = timedelta(days=1)


# the list -------------------------------------------------------------------------------------------------


def _leads(ask: Ask) -> View:
    show = ask.asked("show")
    if show not in SHOWN_LEADS:
        raise UnknownNameError("list of leads", show, [name for name in SHOWN_LEADS if name])
    size = _MOST_WON if show == "won_today" else _PAGE
    rows = ask.desk.floor.leads(show, ask.day_began(), before=ask.number("after"), k=size + 1)
    # those of today that were won come by the time of the booking, all on one page
    following = rows[size - 1]["lead_id"] if len(rows) > size and show != "won_today" else None
    return View(
        "leads.html",
        ask.form.text("Leads"),
        {"rows": rows[:size], "next": following},
        lead=ask.form.text("The newest first."),
        extra={
            "older": address_with("/leads", show=show, after=following) if following else "",
            "show": show,
            "lists": [(name, ask.form.text(words)) for name, words in LEAD_LISTS.items()],
        },
    )


# a new one ------------------------------------------------------------------------------------------------


def _new(ask: Ask) -> View:
    """Show the form; once something is known of the lead, its ranking under every policy side by side."""
    desk, dimensions = ask.desk, ask.desk.dimensions()
    lead = read_lead(ask.request.query_params, dimensions)
    rankings: dict[str, Any] = {}
    problems: dict[str, str] = {}
    asked = bool(ask.asked("rank"))
    for policy in POLICIES if asked else ():
        try:
            found = desk.rank({"customer_name": "anybody", **lead}, policy, _SHOWN).to_dict()["ranking"]
            rankings[policy] = tell_apart(found)
        except DealwrightError as error:
            problems[policy] = str(error)
    used = desk.used_policy()
    rows = [{"policy": policy, **row} for policy, ranking in rankings.items() for row in ranking]
    return View(
        "lead_new.html",
        ask.form.text("New lead"),
        {"lead": lead, "rankings": rankings, "used": used["policy"], "rows": rows},
        lead=ask.form.text("What is known of the enquiry; then who would get it, under every policy."),
        extra={
            "fields": [_field(item, lead["attributes"]) for item in dimensions],
            "problems": problems,
            "asked": asked,
            "policies": {name: ask.form.text(POLICY_WORDS[name]) for name in POLICIES},
            "agents": tell_apart(desk.floor.choices()) if asked else [],
            "given": {**lead, "attributes": {_PREFIX + name: v for name, v in lead["attributes"].items()}},
        },
    )


def _field(dimension: Dimension, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form shows for a dimension: a choice, a choice or another value, or a number."""
    values = [value for value in dimension.values if value != EMPTY]
    kind = "number" if dimension.edges else "text" if dimension.is_open else "choice"
    return {
        "name": _PREFIX + dimension.name,
        "label": dimension.name.replace("_", " ").capitalize(),
        "kind": kind,
        "values": values,
        "value": str(given.get(dimension.name) or ""),
        "required": dimension.required and dimension.at_arrival,
    }


def read_lead(fields: Mapping[str, str], dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """Return the lead that a form describes, in the JSON shape of the service."""
    attributes = {
        item.name: value for item in dimensions if (value := fields.get(_PREFIX + item.name, "").strip())
    }
    lead: dict[str, Any] = {"attributes": attributes}
    for name in ("customer_name", "customer_id", "requirements"):
        if value := fields.get(name, "").strip():
            lead[name] = value
    if (priority := fields.get("priority", "").strip()) not in ("", "0"):
        lead["priority"] = whole_number(priority, "the priority")
    return lead


def _place(ask: Ask) -> str:
    """Place a lead, and where a person named an agent, give it to that one with the reason."""
    fields, desk = ask.fields, ask.desk
    lead = read_lead(fields, desk.dimensions())
    agent, reason = fields.get("agent", ""), fields.get("reason", "")
    if agent and not reason:
        raise InputError("naming an agent takes a reason: say why this one gets the lead")
    if key := fields.get("once", ""):
        lead["idempotency_key"] = f"console-{key}"  # a form that is sent twice is one lead
    policy = fields.get("policy") or None
    if agent:
        placement = desk.assign(lead, policy, agent=agent, reason=reason, override=True, by=ask.who.name)
    else:
        placement = desk.assign(lead, policy)
    return link_to("leads", placement.row["lead_id"]) + "?done=placed"


# one of them ----------------------------------------------------------------------------------------------


def _lead(ask: Ask) -> View:
    desk, lead_id = ask.desk, int(ask.part("lead_id"))
    lead = desk.book.lead(lead_id)
    holders = ask.whole_desk.floor.holders(lead_id)
    mine = [item for item in holders if item["desk_agent_id"] == ask.own_agent]
    present = next((item for item in reversed(holders) if item["status"] != "reassigned"), None)
    ask.check_own(present["desk_agent_id"] if present else None, f"lead {lead_id}")
    decided = next((item for item in reversed(holders) if item["policy"]), None)
    explanation = _explain(ask, decided)
    replay = None
    if decided is not None and ask.asked("replay") and ask.own_agent is None:
        replay = desk.replay(decided["assignment_id"]).to_dict()
    data: dict[str, Any] = {
        "lead": dict(lead),
        "holders": [_shown_holder(item) for item in (holders if ask.own_agent is None else mine)],
        "explanation": explanation,
        "replay": replay,
        "story": _story(ask, lead_id, holders if ask.own_agent is None else mine, lead["received_at"]),
    }
    data["rows"] = data["story"]
    timer = _timer_of(ask, present)
    data["due_at"] = timer["due_at"] if timer else None
    data["contest"] = contest = _contest_of(ask, present)
    can_change = lead["status"] in ("waiting", "assigned") and (
        present is None or present["status"] == "open"
    )
    return View(
        "lead.html",
        lead["customer_name"],
        data,
        live=f"/live/leads/{lead_id}",
        extra={
            "present": present,
            "decided": decided,
            "can_change": can_change,
            "bars": bars_of(explanation),
            "asked": ask.asked("agent"),
            "agents": tell_apart(desk.floor.choices()) if ask.own_agent is None else [],
            "is_manager": ask.may("manager"),
            "is_own": bool(mine) or ask.may("manager"),
            "is_offer": is_offer(present),
            "left_s": timer["left_s"] if timer else None,
            "is_contested": contest is not None and contest["resolved_at"] is None,
        },
    )


def is_offer(holder: Mapping[str, Any] | None) -> bool:
    """Whether an agent has yet to accept the lead."""
    return (
        holder is not None
        and holder["status"] == "open"
        and holder["offered_until"] is not None
        and holder["accepted_at"] is None
    )


def _timer_of(ask: Ask, present: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return until when the agent has to accept or to reach the customer; None where no clock runs."""
    if present is None or present["status"] != "open":
        return None
    timers = ask.whole_desk.floor.timers(_MOST_TIMERS, agent_id=present["desk_agent_id"])
    return next((row for row in timers if row["desk_assignment_id"] == present["desk_assignment_id"]), None)


def _contest_of(ask: Ask, present: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if present is None:
        return None
    found = ask.whole_desk.floor.contests_of([present["desk_assignment_id"]])
    row = found.get(present["desk_assignment_id"])
    return None if row is None else _shown_holder(row)


def _explain(ask: Ask, decided: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return why it went to its agent; of others an agent sees nothing."""
    if decided is None:
        return None
    asked = ask.asked("agent") or None
    if asked and ask.own_agent is not None:
        ask.check_own(ask.desk.book.find_agent(asked), f"agent {asked}")
    try:
        answer = ask.desk.explain(decided["assignment_id"], asked).to_dict()
    except NotFoundError:
        if asked:
            raise
        return None  # its record is in the archive
    if ask.own_agent is not None:
        own = ask.who.own_agent_id
        answer = {
            **answer,
            "ranking": [row for row in answer["ranking"] or () if row["agent_id"] == own],
            "history": [],
            "owner": None,
        }
        if answer["agent_id"] != own:
            answer |= {"agent_id": None, "agent_name": None}
    answer["ranking"] = tell_apart(answer["ranking"] or ())
    return answer


def _shown_holder(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("desk_")}


def _story(
    ask: Ask, lead_id: int, holders: Sequence[Mapping[str, Any]], received_at: datetime
) -> list[dict[str, Any]]:
    """Return what happened, in order: received, then the events while somebody had it."""
    began = min([received_at, *(item["assigned_at"] for item in holders)])
    events = ask.whole_desk.floor.story(lead_id, [item["desk_agent_id"] for item in holders], began - _DAY)
    reasons = {item["desk_assignment_id"]: item["end_reason"] for item in holders}
    rows: list[dict[str, Any]] = [
        {"at": received_at, "kind": "received", "agent_id": None, "agent_name": None, "note": None}
    ]
    for event in events:
        payload = event["payload"] or {}
        note = payload.get("reason")
        if event["kind"] == "reassigned":
            note = reasons.get(event["desk_assignment_id"])
        if note and payload.get("named_by"):
            note = f"{note} ({payload['named_by']})"
        rows.append(
            {
                "at": event["at"],
                "kind": event["kind"],
                "agent_id": event["agent_id"],
                "agent_name": event["agent_name"],
                "note": note,
            }
        )
    if not events:  # imported
        rows += [
            {
                "at": item["assigned_at"],
                "kind": "assigned",
                "agent_id": item["agent_id"],
                "agent_name": item["agent_name"],
                "note": item["end_reason"],
            }
            for item in holders
        ]
    return sorted(rows, key=lambda row: row["at"])


def bars_of(explanation: Mapping[str, Any] | None) -> dict[Any, list[dict[str, Any]]]:
    """Return each ranked agent's contributions as bars from the middle: where each begins, how long it is."""
    if explanation is None:
        return {}
    ranking = explanation["ranking"] or ()
    most = max(
        (
            abs(item["contribution"])
            for row in ranking
            for item in row["reasons"] or ()
            if "contribution" in item
        ),
        default=1.0,
    )
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in ranking:
        found[row["agent_id"]] = [
            {
                **item,
                "width": (width := round(50 * abs(item["contribution"]) / (most or 1.0), 2)),
                "left": 50.0 if item["contribution"] >= 0 else round(50 - width, 2),
            }
            for item in row["reasons"] or ()
            if "contribution" in item
        ]
    return found


def _override(ask: Ask) -> str:
    lead_id = int(ask.part("lead_id"))
    agent = ask.fields.get("agent", "")
    if not agent:
        raise InputError("an override needs an agent: choose who gets the lead")
    ask.desk.assign_to(lead_id, agent, ask.fields.get("reason", ""), override=True, by=ask.who.name)
    return link_to("leads", lead_id) + "?done=overridden"


def _reassign(ask: Ask) -> str:
    lead_id = int(ask.part("lead_id"))
    reason = ask.fields.get("reason", "")
    if not reason:
        raise InputError("a hand-over needs a reason: say why the lead goes to somebody else")
    ask.desk.reassign(_assignment_of(ask.desk, lead_id), reason)
    return link_to("leads", lead_id) + "?done=handed"


def _contact(ask: Ask) -> str:
    return _with_own(ask, lambda desk, assignment: desk.contact(assignment), "contacted")


def _accept(ask: Ask) -> str:
    return _with_own(ask, lambda desk, assignment: desk.accept(assignment), "accepted")


def _contest(ask: Ask) -> str:
    reason = ask.fields.get("reason", "")
    if not reason:
        raise InputError("to contest an outcome needs a reason: say what is wrong with it")
    return _with_own(ask, lambda desk, assignment: desk.oversight.contest(assignment, reason), "contested")


def _resolve(ask: Ask) -> str:
    reason = ask.fields.get("reason", "")
    if not reason:
        raise InputError("to let an outcome count again needs a reason: say what you found")
    return _with_own(ask, lambda desk, assignment: desk.oversight.resolve(assignment, reason), "resolved")


def _decline(ask: Ask) -> str:
    reason = ask.fields.get("reason", "")
    if not reason:
        raise InputError("to decline needs a reason: say why")
    lead_id = int(ask.part("lead_id"))
    assignment = _own_assignment(ask, lead_id)
    ask.desk.decline(assignment, reason)
    if ask.own_agent is not None:  # it is somebody else's now
        return link_to("agents", ask.who.own_agent_id) + "?done=declined"
    return link_to("leads", lead_id) + "?done=declined"


def _settle(ask: Ask) -> str:
    lead_id = int(ask.part("lead_id"))
    _own_assignment(ask, lead_id)
    booking = ask.desk.book.lead(lead_id)["booking_id"]
    if booking is None:
        raise NotFoundError(f"lead {lead_id} has no booking to settle: somebody must have it first")
    status = ask.fields.get("status", "")
    revenue = amount(ask.fields.get("revenue", ""), "the revenue")
    ask.desk.settle(booking, status, total_revenue=revenue if status == "confirmed" else None)
    return _back(ask, lead_id, "settled")


def _with_own(ask: Ask, act: Any, done: str) -> str:
    lead_id = int(ask.part("lead_id"))
    act(ask.desk, _own_assignment(ask, lead_id))
    return _back(ask, lead_id, done)


def _back(ask: Ask, lead_id: int, done: str) -> str:
    """Return where a form came from, if that was an agent's page, else the lead's page."""
    page = ask.fields.get("page", "")
    target = link_to("agents", page) if page else link_to("leads", lead_id)
    return f"{target}?{urlencode({'done': done})}"


def _own_assignment(ask: Ask, lead_id: int) -> int | str:
    assignment = _assignment_of(ask.desk, lead_id)
    row = ask.desk.book.assignment(assignment)
    ask.check_own(row["desk_agent_id"], f"lead {lead_id}")
    return assignment


def _assignment_of(desk: Desk, lead_id: int) -> int | str:
    found: int | str | None = desk.book.lead(lead_id)["assignment_id"]
    if found is None:
        raise NotFoundError(f"nobody has lead {lead_id}: give it to an agent first")
    return found


_WORKERS = ("agent", "manager")
PARTS = (
    Shown("/leads", READERS, _leads),
    Shown("/leads/new", READERS, _new),
    Shown("/leads/{lead_id:int}", EVERYBODY, _lead),
    Done("/leads", ("manager",), _place),
    Done("/leads/{lead_id:int}/override", ("manager",), _override),
    Done("/leads/{lead_id:int}/reassign", ("manager",), _reassign),
    Done("/leads/{lead_id:int}/contact", _WORKERS, _contact),
    Done("/leads/{lead_id:int}/accept", _WORKERS, _accept),
    Done("/leads/{lead_id:int}/contest", _WORKERS, _contest),
    Done("/leads/{lead_id:int}/resolve", ("manager",), _resolve),
    Done("/leads/{lead_id:int}/decline", _WORKERS, _decline),
    Done("/leads/{lead_id:int}/settle", _WORKERS, _settle),
)
