"""Administration: keys, people with their capacity and hours, and what is declared."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from dealwright.desk.keys import SCOPES, split_token
from dealwright.dimensions import EMPTY
from dealwright.errors import InputError
from dealwright.report.format import mark
from dealwright.web.pages import link_to
from dealwright.web.view import READERS, Ask, Done, Shown, View, page_of, whole_number
from dealwright.web.words import tell_apart

_PAGE: Final = 200
_KEEP_HOURS: Final = 24
_LONGEST_DAYS: Final = 3650
_SCOPE_WORDS = {
    "ingest": mark("sends leads, settles their bookings and asks for rankings"),
    "agent": mark("sees and handles the own work of one agent"),
    "planner": mark("reads everything and reports on tasks"),
    "manager": mark("runs the floor: reads everything, hands leads over, sets availability"),
    "admin": mark("does everything, keys included"),
}


def _admin(ask: Ask) -> View:
    desk = ask.desk
    dimensions = [
        {
            "name": item.name,
            "values": list(item.values),
            "is_open": item.is_open,
            "required": item.required,
            "at_arrival": item.at_arrival,
            "edges": list(item.edges),
        }
        for item in desk.dimensions()
    ]
    policies = [dict(row) for row in desk.book.policies()]
    return View(
        "admin.html",
        ask.form.text("Admin"),
        {"dimensions": dimensions, "policies": policies},
        table="dimensions",
        lead=ask.form.text("What is declared of leads, and by which rules they are placed."),
        extra={"is_admin": ask.may()},
    )


def _keys(ask: Ask) -> View:
    return _key_page(ask)


def _key_page(ask: Ask, new: str = "") -> View:
    """Show the keys, and a new one this once."""
    rows = [dict(key) for key in ask.desk.keys.list()]
    parts = split_token(new)
    return View(
        "keys.html",
        ask.form.text("Keys"),
        {"rows": rows},
        lead=ask.form.text(
            "Who may call the service, and for what. Secrets are not kept: only their hashes."
        ),
        extra={
            "scopes": [
                (name, ask.form.text(_SCOPE_WORDS.get(name, words))) for name, words in SCOPES.items()
            ],
            "agents": tell_apart(ask.desk.floor.choices()),
            "new": new,
            "new_row": next((row for row in rows if parts and row["key_id"] == parts[0]), None),
        },
        path="/admin/keys",
    )


def _create_key(ask: Ask) -> View:
    """Make a key, and show it this once."""
    fields = ask.fields
    days = whole_number(fields.get("days", ""), "the number of days")
    if days is not None and not 0 < days <= _LONGEST_DAYS:
        raise InputError(
            f"a key is valid for 1 to {_LONGEST_DAYS:,} days, or until it is revoked: leave it empty"
        )
    made = ask.desk.keys.create(
        fields.get("name", ""),
        [name for name in SCOPES if fields.get(f"scope.{name}")],
        agent=fields.get("agent") or None,
        expires_at=None if days is None else ask.now() + timedelta(days=days),
    )
    return _key_page(ask, made)


def _replace_key(ask: Ask) -> View:
    """Make the successor of a key, and show it this once; the old one works for a while yet."""
    hours = whole_number(ask.fields.get("keep_hours", ""), "the number of hours")
    keep = timedelta(hours=_KEEP_HOURS if hours is None else hours)
    return _key_page(ask, ask.desk.keys.replace(ask.part("key_id"), keep=keep))


def _revoke_key(ask: Ask) -> str:
    ask.desk.keys.revoke(ask.part("key_id"))
    return "/admin/keys?done=revoked"


def _people(ask: Ask) -> View:
    now = ask.now()
    rows, following = page_of(ask, tell_apart(ask.desk.floor.records()), "/admin/people", _PAGE)
    for row in rows:
        shifts = row.pop("shifts")
        row["present"] = row["active"] and (shifts is None or now in shifts)
        row["shifts"] = (
            None if shifts is None else [{"from": part.lower, "until": part.upper} for part in shifts]
        )
        del row["desk_agent_id"]
    return View(
        "people.html",
        ask.form.text("People"),
        {"rows": rows},
        extra={"is_manager": ask.may("manager"), "following": following, **_channels(ask)},
        lead=ask.form.text(
            "How many open leads each may have, and when they work. Room that opens is filled at once."
        ),
    )


def _channels(ask: Ask) -> dict[str, Any]:
    """Return the channels with limits, and the values of which further ones can be set."""
    limited = [dict(row) for row in ask.desk.book.channels()]
    taken = {row["channel"] for row in limited}
    dimension = next((row["dimension"] for row in limited), None)
    others = {
        item.name: [value for value in item.values if value != EMPTY and value not in taken]
        for item in ask.desk.dimensions()
        if not item.edges and dimension in {None, item.name}
    }
    return {
        "channels": limited,
        "other_channels": {name: values for name, values in others.items() if values},
    }


def _set_channel_default(ask: Ask) -> str:
    """Set how many open leads of a channel each agent may have, and how many places one takes."""
    dimension, _, channel = ask.fields.get("channel", "").partition(":")
    if not channel:
        raise InputError("choose the channel whose limits are to be set")
    places = whole_number(ask.fields.get("places", ""), "the number of places")
    ask.desk.book.set_channel(
        channel,
        capacity=whole_number(ask.fields.get("capacity", ""), "the capacity"),
        places=1 if places is None else places,
        dimension=dimension,
    )
    return "/admin/people?done=channel"


def _remove_channel(ask: Ask) -> str:
    """Take the limits of a channel away."""
    ask.desk.book.remove_channel(ask.fields.get("channel", ""))
    return "/admin/people?done=no_channel"


def _set_channel(ask: Ask) -> str:
    """Set how many open leads of a channel an agent may have; empty: as many as the channel says."""
    name = ask.part("agent_id")
    capacity = whole_number(ask.fields.get("capacity", ""), "the capacity")
    ask.desk.book.set_agent_channel(name, ask.fields.get("channel", ""), capacity)
    return _back(ask, name, "capacity")


def _set_capacity(ask: Ask) -> str:
    name = ask.part("agent_id")
    capacity = whole_number(ask.fields.get("capacity", ""), "the capacity")
    if capacity is None:
        raise InputError("give the capacity: how many open leads the agent may have at once")
    ask.desk.book.set_availability(name, capacity=capacity)
    return _back(ask, name, "capacity")


def _set_shift(ask: Ask) -> str:
    """Set when an agent works: always, or a shift, on the clock of the server."""
    name = ask.part("agent_id")
    if ask.fields.get("always"):
        ask.desk.book.set_availability(name, always=True)
    else:
        start, end = (_moment(ask.fields.get(part, ""), part) for part in ("from", "until"))
        ask.desk.book.set_availability(name, shifts=[(start, end)])
    return _back(ask, name, "shift")


def _moment(text: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise InputError(f"{name} must be a day and a time such as 2026-07-01T09:00, not {text!r}") from None


def _back(ask: Ask, name: str, done: str) -> str:
    return (link_to("agents", name) if ask.fields.get("page") else "/admin/people") + f"?done={done}"


PARTS = (
    Shown("/admin", READERS, _admin),
    Shown("/admin/keys", (), _keys),
    Shown("/admin/people", READERS, _people),
    Done("/admin/keys", (), _create_key),
    Done("/admin/keys/{key_id}/replace", (), _replace_key),
    Done("/admin/keys/{key_id}/revoke", (), _revoke_key),
    Done("/admin/channels", ("manager",), _set_channel_default),
    Done("/admin/channels/remove", ("manager",), _remove_channel),
    Done("/admin/people/{agent_id}/capacity", ("manager",), _set_capacity),
    Done("/admin/people/{agent_id}/channel", ("manager",), _set_channel),
    Done("/admin/people/{agent_id}/shift", ("manager",), _set_shift),
)
