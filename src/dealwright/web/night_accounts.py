"""The accounts of a night: searched, filtered, exported, one by one, and compared with another night."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from dealwright.errors import InputError, UnknownNameError
from dealwright.report.people import names_of
from dealwright.web.night_runs import OpenNight, open_night
from dealwright.web.night_words import KEY_FIGURES
from dealwright.web.view import READERS, Ask, Done, Shown, View, address_with, whole_number

_PAGE: Final = 100
_COMPARED: Final = 50
_DONE: Final = "done"
_WHAT: Final = ("changed", "new", "gone")


def _accounts(ask: Ask) -> View:
    from dealwright.runs.run_view import FILTERS, SORTS, STATES

    night = open_night(ask, int(ask.part("night_id")))
    wanted = {name: value for name in FILTERS if (value := ask.asked(name))}
    search, state, sort = ask.asked("search")[:200], ask.asked("state"), ask.asked("sort")
    among = _done_accounts(ask, night) if state == _DONE else None
    found = night.view.find(
        wanted, search=search, state="" if state == _DONE else state, among=among, sort=sort
    )
    start = ask.number("from") or 0
    page = night.view.page(found, start, _PAGE)
    path = f"{night.path}/accounts"
    kept = {**wanted, "search": search, "state": state, "sort": sort}
    follows = start + _PAGE < page.total
    return View(
        "night_accounts.html",
        ask.form.text("Accounts of night %(number)s", number=night.record.night_id),
        {"rows": page.rows, "total": page.total, "from": start},
        extra={
            "night": night,
            "names": names_of(night.view.run.people.values()),
            "choices": night.view.choices,
            "chosen": wanted,
            "search": search,
            "state": state,
            "states": [*STATES, _DONE],
            "sort": sort,
            "sorted_by": lambda word: address_with(
                path, **{**kept, "sort": f"-{word}" if word == (sort or "gain") else word}
            ),
            "direction": {
                word: "descending" if SORTS[word][1] != sort.startswith("-") else "ascending"
                for word in SORTS
                if word == (sort.removeprefix("-") or "gain")
            },
            "without": lambda name: address_with(path, **{**kept, name: ""}),
            "shown": (start + 1 if page.rows else 0, start + len(page.rows)),
            "before": address_with(path, **kept, **{"from": max(start - _PAGE, 0)}) if start else "",
            "following": address_with(path, **kept, **{"from": start + _PAGE}) if follows else "",
        },
        form=night.form,
        export=lambda: night.view.export(found),
    )


def _done_accounts(ask: Ask, night: OpenNight) -> Collection[str]:
    """Return the accounts of which a task of the night was done."""
    run_id = ((night.record.result or {}).get("published") or {}).get("run_id")
    if run_id is None:
        return ()
    return {str(row["account_id"]) for row in ask.whole_desk.tasks.find(run_id=run_id, status=_DONE).rows}


# one account ------------------------------------------------------------------------------------------------


def _account(ask: Ask) -> View:
    from dealwright.report.cards import link_words, write_card
    from dealwright.runs.results import plain

    night = open_night(ask, int(ask.part("night_id")))
    account_id = ask.part("account_id")
    card, run = night.view.card(account_id, night.form)
    words = link_words(night.form)
    links = [(f"{night.path}/files/{place}", words[place.partition("/")[0]]) for place in card["links"] or ()]
    return View(
        "night_account.html",
        str(card["account_name"] or card["account_id"]),
        {"account": {name: plain(value) for name, value in card.items() if value is not None}},
        lead=ask.form.text(
            "Account %(account)s in night %(number)s",
            account=card["account_id"], number=night.record.night_id,
        ),
        extra={
            "night": night,
            "card": card,
            "sections": [(title, _by_label(lines)) for title, lines in write_card(card, run)],
            "links": links,
        },
        form=night.form,
    )  # fmt: skip


def _by_label(lines: Sequence[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Put what stands under the same words together, in order."""
    found: dict[str, list[str]] = {}
    for label, text in lines:
        found.setdefault(label, []).append(text)
    return list(found.items())


# two nights -------------------------------------------------------------------------------------------------


def _compare(ask: Ask) -> View:
    from dealwright.web.night_screen import side_by_side

    after = open_night(ask, int(ask.part("night_id")))
    before = open_night(ask, int(ask.part("other_id")))
    if after.record.night_id == before.record.night_id:
        raise InputError("a night is compared with another one: choose which")
    what = ask.asked("what")
    if what and what not in _WHAT:
        raise UnknownNameError("kind of change", what, _WHAT)
    changed = after.view.changed_since(before.view)
    counts = dict(changed.group_by("what").len().iter_rows())
    shown = changed if not what else changed.filter(changed["what"] == what)
    start = ask.number("from") or 0
    path = f"{after.path}/compare/{before.record.night_id}"
    figures = side_by_side(before, after, KEY_FIGURES, after.form)
    is_what_if = after.record.what_if == before.record.night_id
    title = (
        ask.form.text("What if: night %(after)s beside night %(before)s",
                      after=after.record.night_id, before=before.record.night_id)
        if is_what_if
        else ask.form.text("Night %(after)s compared with night %(before)s",
                           after=after.record.night_id, before=before.record.night_id)
    )  # fmt: skip
    return View(
        "night_compare.html",
        title,
        {
            "before": before.record.night_id,
            "after": after.record.night_id,
            "figures": figures,
            "changed": changed.height,
            "counts": counts,
            "rows": after.view.page(shown, start, _COMPARED).rows,
        },
        extra={
            "old": before,
            "new": after,
            "is_what_if": is_what_if,
            "more_figures": side_by_side(before, after, {}, after.form),
            "what": what,
            "words": _WHAT,
            "from": start,
            "path": path,
            "following": address_with(path, what=what, **{"from": start + _COMPARED})
            if start + _COMPARED < shown.height
            else "",
            "balance": _balance(before, after),
        },
        form=after.form,
        export=lambda: after.view.export(shown),
    )


def _balance(before: OpenNight, after: OpenNight) -> dict[str, float | None]:
    """Return what the second night brings and costs more than the first, the way to the visits included."""
    from dealwright.toml import read_toml

    was, now = (night.view.run.kpis.summary() for night in (before, after))
    route = read_toml(after.view.run.folder / "params.toml", "params.toml").get("route", {})

    def more(name: str) -> float | None:
        first, second = (figures.get(name) for figures in (was, now))
        return None if first is None or second is None else float(second) - float(first)

    km, minutes = more("distance_km"), more("travel_min")
    way = None
    if km is not None and minutes is not None:
        way = km * route.get("cost_eur_per_km", 0.0) + minutes / 60 * route.get("cost_eur_per_h", 0.0)
    return {
        "brings": more("contacts_value_eur"),
        "contacts": more("contacts_scheduled"),
        "staff": more("staff_cost_eur"),
        "way": way,
    }


def _compare_with(ask: Ask) -> str:
    """Go to the comparison that a form asks for."""
    other = whole_number(ask.fields.get("with", ""), "the number of the other night")
    if other is None:
        raise InputError("choose the night to compare with")
    return f"/nights/{int(ask.part('night_id'))}/compare/{other}"


PARTS = (
    Shown("/nights/{night_id:int}/accounts", READERS, _accounts),
    Done("/nights/{night_id:int}/compare", READERS, _compare_with),
    Shown("/nights/{night_id:int}/compare/{other_id:int}", READERS, _compare),
    Shown("/nights/{night_id:int}/accounts/{account_id:path}", READERS, _account),
)
