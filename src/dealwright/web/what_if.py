"""What if: a night planned again with other people, hours, limits, money or weights, beside the night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dealwright.desk.nights import NightRecord
from dealwright.errors import ConflictError, InputError
from dealwright.service.night_requests import variant_of
from dealwright.web.night_runs import OpenNight, open_if_there, open_night
from dealwright.web.night_words import COMPONENTS, describe
from dealwright.web.nights import ask_for, night_row
from dealwright.web.view import READERS, Ask, Done, Shown, View, amount, whole_number

_SEEN: Final = 500
_MOST_VISITS, _MOST_PEOPLE, _MOST_MIN = 50, 20, 8 * 60
_FIELD: Final = "field"


def _what_if(ask: Ask) -> View:
    found = ask.desk.nights.list(k=_SEEN)
    rows = [
        {**night_row(night, ask.now()), "changes": list(describe(ask.form, night.options))}
        for night in found
        if night.what_if is not None
    ]
    base = _base(ask, ask.number("night"))
    night, why = (None, "") if base is None else open_if_there(ask, base.night_id)
    return View(
        "what_if.html",
        ask.form.text("What if"),
        {"rows": rows, "night": None if base is None else base.night_id},
        lead=ask.form.text(
            "Plan a night again with a change, and compare. Nothing is published, and no later night takes "
            "over from it."
        ),
        extra={
            "base": base,
            "opened": night,
            "why": why,
            "standing": None if night is None else standing(night),
            "components": [(name, ask.form.text(word)) for name, word in COMPONENTS.items()],
            "others": [item for item in found if item.status == "done" and item.what_if is None],
        },
        form=None if night is None else night.form,
        live="/live/nights/all",
    )


def _base(ask: Ask, night_id: int | None) -> NightRecord | None:
    """Return the night that is varied: the newest, or the one that is asked for; of a what-if, its own."""
    if night_id is None:
        return ask.desk.nights.latest_done()
    night = ask.desk.nights.get(night_id)
    return night if night.what_if is None else ask.desk.nights.get(night.what_if)


def standing(night: OpenNight) -> dict[str, Any]:
    """Return what holds in a night now of all that can be changed."""
    from dealwright.plan.actions.score import WEIGHTS
    from dealwright.report.people import CENTRE, FIELD
    from dealwright.toml import read_toml

    run = night.view.run
    params = read_toml(run.folder / "params.toml", "params.toml")
    action = params.get("action", {})
    roles = [person.role for person in run.people.values()]
    days = run.tables["rep_days"]
    return {
        "representatives": roles.count(FIELD),
        # without a table of staff, the people are numbered, as many as are needed
        "staff": 0
        if any(text.startswith("no staff was given") for text in run.notices)
        else roles.count(CENTRE),
        "visits": int(days["stops"].sum()) if not days.is_empty() else 0,
        "max_cost_eur": action.get("max_cost_eur"),
        "max_contacts": action.get("max_contacts"),
        "weights": {**WEIGHTS, **action.get("score", {}).get("weights", {})},
        "channels": [
            {"channel": row["channel"], "capacity": row["capacity"], "scheduled": row["scheduled"]}
            for row in run.tables["channels"].to_dicts()
            if row["channel"] != _FIELD
        ],
    }


def _ask(ask: Ask) -> str:
    base = _base(ask, whole_number(ask.fields.get("night", ""), "the number of the night"))
    if base is None:
        raise ConflictError("no night is done yet: a what-if varies one that is; start a night first")
    night = open_night(ask, base.night_id)
    now = standing(night)
    changes, params = _changes(ask.fields, night, now), _params(ask.fields, now)
    if not changes and not params:
        raise InputError("nothing is changed: fill in what is to be other than in the night")
    options = variant_of(ask.service, ask.desk, base, changes, params)
    night_id = ask_for(ask, options, once=ask.fields.get("once", ""))
    return f"/nights/{night_id}?done=asked"


def _changes(fields: Mapping[str, str], night: OpenNight, now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is changed of the people."""
    from dealwright.report.people import CENTRE, FIELD

    found: dict[str, Any] = {}
    if visits := _difference(fields, "visits", _MOST_VISITS, "visits a day"):
        found["visits_per_day"] = visits
    if minutes := _difference(fields, "shift_min", _MOST_MIN, "minutes of the shift"):
        found["shift_end_min"] = minutes
    for name, role, more in (("representatives", FIELD, _crowded(night)), ("staff", CENTRE, ())):
        count = _difference(fields, name, _MOST_PEOPLE, name)
        people = [person.rep_id for person in night.view.run.people.values() if person.role == role]
        if count and not now[name]:
            raise InputError(f"the tables name no {name}: nobody is there whom one more could be like")
        if count > 0:
            like = [*(who for who in more if who in people), *(who for who in people if who not in more)]
            found[f"more_{name}"] = [like[k % len(like)] for k in range(count)]
        elif count < 0:
            if -count >= len(people):
                raise InputError(f"{-count} {name} fewer leaves nobody of {len(people)}: take fewer away")
            found[f"without_{name}"] = _least(night, people)[:-count]
    return found


def _difference(fields: Mapping[str, str], name: str, most: int, what: str) -> int:
    text = fields.get(name, "").replace("−", "-")
    if not text:
        return 0
    sign = -1 if text[0] == "-" else 1
    number = whole_number(text.lstrip("+-"), f"the change of {what}")
    if number is None or number > most:
        raise InputError(f"the change of {what} must be a whole number from -{most} to {most}, not {text!r}")
    return sign * number


def _crowded(night: OpenNight) -> Sequence[str]:
    """Return representatives by what is left out around them, the most first: one more is needed there."""
    import polars as pl

    left_out = night.view.run.tables["left_out"]
    if left_out.is_empty():
        return ()
    worth = left_out.filter("no_room").group_by("rep_id").agg(pl.col("value_eur").sum())
    found: list[str] = (
        worth.sort("value_eur", "rep_id", descending=[True, False])["rep_id"].drop_nulls().to_list()
    )
    return found


def _least(night: OpenNight, people: Sequence[str]) -> list[str]:
    """Return people by what their day brings, the least first."""
    import polars as pl

    days = night.view.run.tables["rep_days"].group_by("rep_id").agg(pl.col("value_eur").sum())
    worth = dict(days.iter_rows())
    return sorted(people, key=lambda who: (worth.get(who, 0.0), who))


def _params(fields: Mapping[str, str], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the stages that are other than in the night."""
    action: dict[str, Any] = {}
    cost = amount(fields.get("max_cost_eur", ""), "the budget")
    if cost is not None and cost != now["max_cost_eur"]:
        action["max_cost_eur"] = cost
    contacts = whole_number(fields.get("max_contacts", ""), "the number of contacts")
    if contacts is not None and contacts != now["max_contacts"]:
        action["max_contacts"] = contacts
    weights = {
        name: value
        for name in COMPONENTS
        if (value := amount(fields.get(f"weight.{name}", ""), f"the weight of {name}")) is not None
        and value != now["weights"].get(name)
    }
    if weights:
        action["score"] = {"weights": {**now["weights"], **weights}}
    limits = {
        row["channel"]: {"capacity": capacity}
        for row in now["channels"]
        if (capacity := whole_number(fields.get(f"capacity.{row['channel']}", ""), "the contacts a day"))
        is not None
        and capacity != row["capacity"]
    }
    found: dict[str, Any] = {"action": action} if action else {}
    return found | ({"channel": {"limits": limits}} if limits else {})


PARTS = (
    Shown("/what-if", READERS, _what_if),
    Done("/what-if", READERS, _ask),
)
