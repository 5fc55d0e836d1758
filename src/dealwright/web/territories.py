"""Territories: scenarios side by side, one of them on a map and in lists, edited and approved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from dealwright.desk.territory_scenarios import TerritoryScenario
from dealwright.errors import ConflictError, InputError, NotFoundError
from dealwright.report.format import Format, mark
from dealwright.service.endpoint import name_of
from dealwright.service.routes.territories import drawn_scenario, make_scenario, scenario_folder
from dealwright.web.pages import link_to
from dealwright.web.view import READERS, Ask, Done, Shown, View, address_with, whole_number

if TYPE_CHECKING:
    from dealwright.runs.territories import DrawnScenario

_PAGE: Final = 100
_SIDE_BY_SIDE: Final = 4
# measure, what it is called, how it is written
MEASURES: Final = (
    ("lowest_workload_pct", mark("Least work, compared with the mean"), "percent"),
    ("highest_workload_pct", mark("Most work, compared with the mean"), "percent"),
    ("mean_workload_h", mark("Work of a representative, hours a month"), "n"),
    ("km", mark("Driving, km a month"), "n"),
    ("monthly_eur", mark("Driving and imbalance, a month"), "money"),
    ("moved", mark("Accounts that change hands"), "n"),
    ("moved_value_eur", mark("Their predicted value"), "money"),
    ("move_eur", mark("Price of handing them over"), "money"),
    ("unreachable", mark("Accounts out of reach of a shift"), "n"),
    ("polsby_popper", mark("Compactness, 1 is a circle"), "n2"),
    ("territories", mark("Territories"), "n"),
)
STATUSES: Final[Mapping[str, str]] = {
    "draft": mark("draft"),
    "approved": mark("approved"),
    "retired": mark("retired"),
}
EDIT_WORDS: Final[Mapping[str, str]] = {
    "accounts": mark("%(count)s accounts to %(to)s"),
    "cells": mark("%(count)s cells to %(to)s"),
    "area": mark("an area to %(to)s"),
    "merge": mark("%(territory)s merged into %(into)s"),
    "leave": mark("%(rep_id)s leaves"),
    "join": mark("%(rep_id)s joins"),
}


def _list(ask: Ask) -> View:
    rows = [_row(item) for item in ask.desk.territory_scenarios.list()]
    compared, standing, form = _compared(ask, rows)
    nights = ask.desk.nights.list(status="done", k=20)
    return View(
        "territories.html",
        ask.form.text("Territories"),
        {"rows": rows, "compared": compared, "standing": standing},
        lead=ask.form.text(
            "Who has which accounts: copy the plan, change it, compare, and approve it from a day on."
        ),
        extra={"nights": nights, "measures": MEASURES, "status_words": STATUSES},
        form=form,
    )


def _row(item: TerritoryScenario) -> dict[str, Any]:
    return {name: value for name, value in item.to_dict().items() if name != "figures"}


def _compared(
    ask: Ask, rows: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any] | None, Format | None]:  # fmt: skip
    """Return the figures of one run: of its scenarios, of its plan, and how they are written."""
    from dealwright.runs.territories import draw_scenario

    found: list[dict[str, Any]] = []
    standing: dict[str, Any] | None = None
    form: Format | None = None
    night = ask.number("night")
    for row in rows:
        if row["status"] == "retired" or len(found) == _SIDE_BY_SIDE or night not in (None, row["night_id"]):
            continue
        scenario = ask.desk.territory_scenarios.get(row["scenario_id"])
        try:
            drawn = drawn_scenario(ask.service, ask.desk, scenario)
        except (NotFoundError, ConflictError):  # its run is no longer kept
            continue
        night, form = scenario.night_id, _form(ask, drawn)
        standing = draw_scenario(scenario_folder(ask.service, ask.desk, scenario)).summary()
        found.append({"scenario_id": scenario.scenario_id, "name": scenario.name, **drawn.summary()})
    return found, standing, form


def _form(ask: Ask, drawn: DrawnScenario) -> Format:
    """Return how the figures of a run are written: in its currency, which need not be the desk's."""
    return Format(ask.form.locale, drawn.run.currency)


def _scenario(ask: Ask) -> View:
    from dealwright.runs.territories import draw_scenario

    scenario = _asked(ask)
    drawn = drawn_scenario(ask.service, ask.desk, scenario)
    standing = draw_scenario(scenario_folder(ask.service, ask.desk, scenario)).summary()
    data = {
        **_row(scenario),
        "figures": drawn.summary(),
        "standing": standing,
        "rows": drawn.territories,
        "without_territory": drawn.scenario.without_territory(),
        "history": list(ask.desk.territory_scenarios.edits(scenario.scenario_id)),
    }
    return View(
        "territories_scenario.html",
        scenario.name,
        data,
        extra={
            "measures": MEASURES, "status_words": STATUSES, "edit_text": partial(edit_text, ask),
            "is_draft": scenario.status == "draft", "people": drawn.scenario.homes["rep_id"].to_list(),
            "name_of": drawn.run.name_of,
        },
        form=_form(ask, drawn),
    )  # fmt: skip


def edit_text(ask: Ask, edit: Mapping[str, Any]) -> str:
    """Say what an edit does, in the language of who asks."""
    count = ask.form.number(len(edit.get("accounts") or edit.get("cells") or ()))
    words = {name: edit.get(name, "") for name in ("to", "territory", "into", "rep_id")}
    return ask.form.text(EDIT_WORDS[edit["kind"]], count=count, **words)


def _cells(ask: Ask) -> View:
    scenario = _asked(ask)
    drawn = drawn_scenario(ask.service, ask.desk, scenario)
    territories = [
        {name: row[name] for name in ("territory", "rep_id", "rep_name", "colour", "lat_deg", "lon_deg")}
        for row in drawn.territories
    ]
    return View(
        "territories_cells.html",
        ask.form.text("Cells of %(name)s", name=scenario.name),
        {
            "scenario_id": scenario.scenario_id, "resolution": drawn.run.resolution,
            "territories": territories, "rows": drawn.cells, "ground": drawn.run.ground,
        },
        extra={"is_draft": scenario.status == "draft", "last_edit": scenario.last_edit},
    )  # fmt: skip


def _accounts(ask: Ask) -> View:
    scenario = _asked(ask)
    drawn = drawn_scenario(ask.service, ask.desk, scenario)
    start = ask.number("from") or 0
    kept = {name: ask.asked(name) for name in ("q", "territory", "cell", "moved")}
    rows, count = drawn.accounts(
        search=kept["q"], territory=kept["territory"], cell=kept["cell"], moved=kept["moved"] == "yes",
        start=start, k=_PAGE,
    )  # fmt: skip
    path = link_to("territories", scenario.scenario_id, "accounts")
    more = start + _PAGE < count
    return View(
        "territories_accounts.html",
        ask.form.text("Accounts of %(name)s", name=scenario.name),
        {"scenario_id": scenario.scenario_id, "count": count, "rows": rows},
        extra={
            **kept, "is_draft": scenario.status == "draft", "last_edit": scenario.last_edit,
            "territories": drawn.territories, "name_of": drawn.run.name_of,
            "following": address_with(path, **kept, **{"from": start + _PAGE}) if more else "",
        },
        form=_form(ask, drawn),
    )  # fmt: skip


def _create(ask: Ask) -> str:
    name, night = ask.fields.get("name", ""), whole_number(ask.fields.get("night", ""), "the run")
    made = make_scenario(ask.service, ask.desk, name, night, name_of(ask.who))
    return link_to("territories", made.scenario_id) + "?done=scenario"


def _edit(ask: Ask) -> str:
    from dealwright.runs.territories import edit_scenario

    scenario = _asked(ask)
    after = whole_number(ask.fields.get("after", ""), "the last edit")
    folder = scenario_folder(ask.service, ask.desk, scenario)
    edit = read_fields(ask.fields)
    edit_scenario(ask.desk, folder, scenario, edit, who=name_of(ask.who), after=after)
    return _back(ask, "edited")


def _undo(ask: Ask) -> str:
    ask.desk.territory_scenarios.undo(_asked(ask).scenario_id, name_of(ask.who))
    return _back(ask, "undone")


def _approve(ask: Ask) -> str:
    from dealwright.runs.territories import approve_scenario

    text = ask.fields.get("effective_from", "")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InputError(f"give the first day as 2026-07-01, not {text!r}") from None
    scenario = _asked(ask)
    after = whole_number(ask.fields.get("after", ""), "the last edit")
    if after is not None and after != scenario.last_edit:
        raise ConflictError(
            "somebody else has changed the scenario meanwhile: look at it again, then approve it"
        )
    folder = scenario_folder(ask.service, ask.desk, scenario)
    approve_scenario(ask.desk, folder, scenario, day, name_of(ask.who))
    return _back(ask, "approved")


def _retire(ask: Ask) -> str:
    ask.desk.territory_scenarios.retire(_asked(ask).scenario_id)
    return _back(ask, "retired")


def read_fields(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the edit that a form describes.

    Raises
    ------
    InputError
        It chooses no accounts, or no territory for them.
    """
    kind = fields.get("kind", "move")
    if kind != "move":
        wanted = {"merge": ("territory", "into"), "leave": ("rep_id",), "join": ("rep_id",)}.get(kind, ())
        edit: dict[str, Any] = {"kind": kind, **{name: fields.get(name, "") for name in wanted}}
        places = ("home_lat_deg", "home_lon_deg") if kind == "join" else ()
        return edit | {name: _degrees(fields[name]) for name in places if fields.get(name)}
    to = fields.get("to", "")
    if not to:
        raise InputError("choose the territory that the accounts go to")
    if area := fields.get("area"):
        lines = [line for line in area.replace(";", "\n").splitlines() if line.strip()]
        return {"kind": "area", "area": [_corner(line) for line in lines], "to": to}
    if cells := fields.get("cells", "").replace(",", " ").split():
        return {"kind": "cells", "cells": cells, "to": to}
    accounts = [text.strip() for text in fields.get("accounts", "").replace(",", "\n").splitlines()]
    accounts += [name.removeprefix("account-") for name in fields if name.startswith("account-")]
    if chosen := [text for text in accounts if text]:
        return {"kind": "accounts", "accounts": chosen, "to": to}
    raise InputError("choose what goes there: accounts, cells of the map, or the corners of an area")


def _corner(line: str) -> list[float]:
    parts = line.replace(",", " ").split()
    if len(parts) != 2:
        raise InputError(f"a corner is a latitude and a longitude such as 41.39 2.17, not {line.strip()!r}")
    return [_degrees(part) for part in parts]


def _degrees(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"degrees are a number such as 41.39, not {text!r}") from None


def _asked(ask: Ask) -> TerritoryScenario:
    scenario_id = whole_number(ask.part("scenario_id"), "the scenario")
    return ask.desk.territory_scenarios.get(scenario_id or 0)


def _back(ask: Ask, done: str) -> str:
    page = ("accounts",) if ask.fields.get("page") == "accounts" else ()
    return link_to("territories", ask.part("scenario_id"), *page) + "?" + urlencode({"done": done})


PARTS: Final = (
    Shown("/territories", READERS, _list),
    Shown("/territories/{scenario_id}/cells", READERS, _cells),
    Shown("/territories/{scenario_id}/accounts", READERS, _accounts),
    Shown("/territories/{scenario_id}", READERS, _scenario),
    Done("/territories/new", READERS, _create),
    Done("/territories/{scenario_id}/edit", READERS, _edit),
    Done("/territories/{scenario_id}/undo", READERS, _undo),
    Done("/territories/{scenario_id}/approve", READERS, _approve),
    Done("/territories/{scenario_id}/retire", READERS, _retire),
)
